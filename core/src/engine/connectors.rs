//! From definitions to connectors: what the host registered, the mock, SCIM with its credentials.

use super::{Apps, Shared};
use crate::connector::mock::MockTarget;
use crate::connector::{Capabilities, Connector, SchemaAttribute};
use crate::definition::Definition;
use crate::delivery::{Host, lock};
use crate::fault::Fault;
use crate::id::AppId;
use crate::intake::{LiveApp, LiveApps};
use crate::model::{App, Auth, ConnectorDefinition, ScimDefinition, SecretSource};
use crate::scim;
use crate::secret::Secret;
use crate::value::canonical_object;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl Shared {
    /// Reads the apps again where their revision changed, and connects those that could not be connected before. Apps that
    /// did not change stay as they are.
    pub(super) fn refresh_apps(&self) -> Result<(), Fault> {
        let (known, revision) = self.apps();
        let now = self.clock.now();
        let (apps, newest) = self.store().read(now, |tx| {
            let newest = tx.apps_revision()?;
            Ok((if newest == revision { Vec::new() } else { tx.apps()? }, newest))
        })?;
        if newest == revision {
            known.values().filter(|live| live.connector.is_none()).for_each(|live| self.reconnect(live));
            return Ok(());
        }
        let mut live = LiveApps::new();
        for app in apps {
            let id = app.id.clone();
            let same = known.get(&id).filter(|live| live.definition.app == app && live.connector.is_some());
            // A definition was checked when it was put; one that no longer compiles stays out of use and in the store.
            let made = same.cloned().or_else(|| self.make_live(app, true).ok().map(Arc::new));
            live.extend(made.map(|live| (id, live)));
        }
        let mut apps = lock(&self.apps);
        if newest >= apps.revision {
            *apps = Apps { live, revision: newest };
        }
        Ok(())
    }

    /// Checks a definition and finds its connector. Without `keep`, nothing of it stays.
    pub(super) fn make_live(&self, app: App, keep: bool) -> Result<LiveApp, Vec<Fault>> {
        let connector = self.connector(&app, keep).map_err(|fault| vec![fault])?;
        let schema = schema(&app, connector.as_deref());
        let definition = Definition::compile(app, schema.as_deref())?;
        let capabilities = connector.as_deref().map(capabilities).unwrap_or_default();
        Ok(LiveApp { definition, connector, capabilities, schema })
    }

    /// The connector of an app; none where it is not registered, or a secret cannot be had at present.
    fn connector(&self, app: &App, keep: bool) -> Result<Option<Arc<dyn Connector>>, Fault> {
        match &app.connector {
            ConnectorDefinition::Custom { name, .. } => Ok(lock(&self.registered).get(name).cloned()),
            ConnectorDefinition::Mock { settings } => {
                let mut mocks = lock(&self.mocks);
                if let Some(mock) = mocks.get(&app.id) {
                    return Ok(Some(Arc::new(mock.clone())));
                }
                let mock = MockTarget::from_json(&canonical_object(settings))
                    .map_err(|fault| fault.at("connector.settings"))?;
                if keep {
                    mocks.insert(app.id.clone(), mock.clone());
                }
                Ok(Some(Arc::new(mock)))
            }
            ConnectorDefinition::Scim(definition) => self.scim(app, definition),
        }
    }

    #[cfg(feature = "http")]
    fn scim(&self, app: &App, definition: &ScimDefinition) -> Result<Option<Arc<dyn Connector>>, Fault> {
        use crate::transport::{Transport, TransportOptions};
        let token = match &definition.auth {
            None => None,
            Some(Auth::Bearer { token }) => match self.secret(token) {
                Some(token) => Some(token),
                None => return Ok(None),
            },
        };
        let options = TransportOptions {
            allow_private: definition.allow_private_addresses,
            timeout: app.timeouts.request,
            idle_connections: app.rate.concurrency as usize,
            ..TransportOptions::default()
        };
        let transport = Arc::new(Transport::new(options)?);
        let connector = scim::ScimConnector::new(definition, token, transport, app.timeouts.request)?;
        Ok(Some(Arc::new(connector)))
    }

    #[cfg(not(feature = "http"))]
    fn scim(&self, _app: &App, _definition: &ScimDefinition) -> Result<Option<Arc<dyn Connector>>, Fault> {
        Err(Fault::new(crate::fault::Code::Unsupported, "this build has no HTTP client of its own").at("connector"))
    }

    /// The secret of a definition, none where it cannot be had.
    pub(super) fn secret(&self, source: &SecretSource) -> Option<Secret> {
        match source {
            SecretSource::Secret(name) => self.secrets.as_ref().and_then(|secrets| secrets(name)),
            SecretSource::Env(name) => std::env::var(name).ok().filter(|text| !text.is_empty()).map(Secret::new),
            SecretSource::File(path) => {
                let text = std::fs::read_to_string(path).ok()?;
                text.lines().next().filter(|line| !line.is_empty()).map(Secret::new)
            }
        }
    }

    /// Whether the app has a connector.
    pub(super) fn is_connected(&self, id: &AppId) -> bool {
        lock(&self.apps).live.get(id).is_some_and(|live| live.connector.is_some())
    }

    /// Makes the connector of an app anew, with its credentials as they are now.
    pub(super) fn connect_again(&self, id: &AppId) {
        let live = lock(&self.apps).live.get(id).cloned();
        if let Some(live) = live.filter(|live| matches!(live.definition.app.connector, ConnectorDefinition::Scim(_))) {
            self.reconnect(&live);
        }
    }

    /// Gives a connector that was just registered to the apps that name it.
    pub(super) fn connect_named(&self, name: &str) {
        let named =
            |app: &App| matches!(&app.connector, ConnectorDefinition::Custom { name: wanted, .. } if wanted == name);
        let apps = lock(&self.apps).live.clone();
        apps.values().filter(|live| named(&live.definition.app)).for_each(|live| self.reconnect(live));
    }

    /// Connects an app again. One whose connector cannot be had now keeps the one it has; one that was changed or deleted
    /// meanwhile stays as it is.
    pub(super) fn reconnect(&self, live: &Arc<LiveApp>) {
        let app = live.definition.app.clone();
        let Ok(Some(connector)) = self.connector(&app, true) else { return };
        let schema = schema(&app, Some(connector.as_ref()));
        let id = app.id.clone();
        // The schema only adds checks; a definition that passed them before stays in use with what it passed.
        let definition =
            Definition::compile(app.clone(), schema.as_deref()).or_else(|_| Definition::compile(app, None));
        let Ok(definition) = definition else { return };
        let capabilities = capabilities(connector.as_ref());
        let again = Arc::new(LiveApp { definition, connector: Some(connector), capabilities, schema });
        let mut apps = lock(&self.apps);
        if apps.live.get(&id).is_some_and(|current| Arc::ptr_eq(current, live)) {
            apps.live.insert(id, again);
        }
    }
}

fn capabilities(connector: &dyn Connector) -> Capabilities {
    catch_unwind(AssertUnwindSafe(|| connector.capabilities())).unwrap_or_default()
}

/// What is known of the target's attributes without asking anybody: the standard's own schema, or what the host's
/// connector says.
fn schema(app: &App, connector: Option<&dyn Connector>) -> Option<Vec<SchemaAttribute>> {
    match &app.connector {
        ConnectorDefinition::Scim(_) | ConnectorDefinition::Mock { .. } => Some(scim::built_in_schema()),
        ConnectorDefinition::Custom { .. } => {
            let connector = connector?;
            catch_unwind(AssertUnwindSafe(|| connector.schema())).ok()?.ok().filter(|schema| !schema.is_empty())
        }
    }
}
