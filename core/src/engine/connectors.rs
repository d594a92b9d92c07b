//! From definitions to connectors: what the host registered, the mock, SCIM with its credentials.

use super::{Engine, Shared};
use crate::connector::mock::MockTarget;
use crate::connector::{Capabilities, Connector, SchemaAttribute};
use crate::definition::Definition;
use crate::delivery::lock;
use crate::fault::Fault;
use crate::id::AppId;
use crate::intake::LiveApp;
use crate::model::{App, Auth, ConnectorDefinition, ScimDefinition, SecretSource};
use crate::scim;
use crate::secret::Secret;
use crate::value::canonical_object;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl Engine {
    /// Makes the apps of the store live.
    pub(super) fn load_apps(&self) -> Result<(), Fault> {
        for app in self.view(|tx| tx.apps())? {
            let id = app.id.clone();
            // A definition was checked when it was put; one that no longer compiles stays out of use and in the store.
            if let Ok(live) = self.make_live(app) {
                lock(&self.shared.apps).insert(id, Arc::new(live));
            }
        }
        Ok(())
    }

    /// Checks a definition and finds its connector.
    pub(super) fn make_live(&self, app: App) -> Result<LiveApp, Vec<Fault>> {
        let connector = self.shared.connector(&app).map_err(|fault| vec![fault])?;
        let schema = schema(&app, connector.as_deref());
        let definition = Definition::compile(app, schema.as_deref())?;
        let capabilities = connector.as_deref().map(capabilities).unwrap_or_default();
        Ok(LiveApp { definition, connector, capabilities })
    }
}

impl Shared {
    /// The connector of an app; none where it is not registered, or a secret cannot be had at present.
    fn connector(&self, app: &App) -> Result<Option<Arc<dyn Connector>>, Fault> {
        match &app.connector {
            ConnectorDefinition::Custom { name, .. } => Ok(lock(&self.registered).get(name).cloned()),
            ConnectorDefinition::Mock { settings } => {
                let mut mocks = lock(&self.mocks);
                if let Some(mock) = mocks.get(&app.id) {
                    return Ok(Some(Arc::new(mock.clone())));
                }
                let mock = MockTarget::from_json(&canonical_object(settings))
                    .map_err(|fault| fault.at("connector.settings"))?;
                mocks.insert(app.id.clone(), mock.clone());
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

    /// Makes the connector of an app anew, with its credentials as they are now.
    pub(super) fn connect_again(&self, id: &AppId) {
        let live = lock(&self.apps).get(id).cloned();
        let Some(live) = live else { return };
        if !matches!(live.definition.app.connector, ConnectorDefinition::Scim(_)) {
            return;
        }
        self.reconnect(&live);
    }

    /// Gives a connector that was just registered to the apps that name it.
    pub(super) fn connect_named(&self, name: &str) {
        let named =
            |app: &App| matches!(&app.connector, ConnectorDefinition::Custom { name: wanted, .. } if wanted == name);
        let apps: Vec<_> = lock(&self.apps).values().filter(|live| named(&live.definition.app)).cloned().collect();
        apps.iter().for_each(|live| self.reconnect(live));
    }

    fn reconnect(&self, live: &LiveApp) {
        let app = live.definition.app.clone();
        let Ok(connector) = self.connector(&app) else { return };
        let schema = schema(&app, connector.as_deref());
        let id = app.id.clone();
        // The schema only adds checks; a definition that passed them before stays in use with what it passed.
        let definition =
            Definition::compile(app.clone(), schema.as_deref()).or_else(|_| Definition::compile(app, None));
        let Ok(definition) = definition else { return };
        let capabilities = connector.as_deref().map(capabilities).unwrap_or_default();
        lock(&self.apps).insert(id, Arc::new(LiveApp { definition, connector, capabilities }));
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
