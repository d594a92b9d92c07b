//! From definitions to connectors: what the host registered, the mock, SCIM with its credentials.

use super::{Apps, Shared};
use crate::connector::mock::MockTarget;
use crate::connector::{Capabilities, Connector, SchemaAttribute};
use crate::definition::Definition;
use crate::delivery::{Host, lock};
use crate::fault::{Code, Fault};
use crate::id::AppId;
use crate::intake::{LiveApp, LiveApps};
use crate::model::{App, Auth, ConnectorDefinition, ScimDefinition, TargetDescription, read_part};
use crate::scim;
use crate::store::LogEvent;
use crate::value::Attributes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl Shared {
    /// Reads the apps again where their revision changed, and connects those that could not be connected before. Apps that
    /// did not change stay as they are.
    pub(super) fn refresh_apps(&self) -> Result<(), Fault> {
        let (known, revision) = self.apps();
        let now = self.clock.now();
        let (apps, mut described, newest) = self.store()?.read(now, |tx| {
            let newest = tx.apps_revision()?;
            let apps = if newest == revision { Vec::new() } else { tx.apps()? };
            let described = if apps.is_empty() { BTreeMap::new() } else { tx.target_schemas(&apps)? };
            Ok((apps, described, newest))
        })?;
        if newest == revision {
            known.values().filter(|live| live.connector.is_none()).for_each(|live| self.reconnect(live));
            return Ok(());
        }
        let mut live = LiveApps::new();
        for app in apps {
            let id = app.id.clone();
            let described = described.remove(&id);
            let same = known
                .get(&id)
                .filter(|live| live.definition.app == app && live.described == described && live.connector.is_some());
            // A definition was checked when it was put; one that no longer compiles stays out of use and in the store.
            let made = same.cloned().or_else(|| self.make_live_again(app, described).ok().map(Arc::new));
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
        let now = self.clock.now();
        let described = self
            .store()
            .and_then(|mut store| store.read(now, |tx| tx.target_schema(&app)))
            .map_err(|fault| vec![fault])?;
        let (connector, mut faults) = match self.connector(&app, keep) {
            Ok(connector) => (connector, Vec::new()),
            Err(fault) => (None, vec![fault]),
        };
        let attributes = known_attributes(&app, connector.as_deref(), described.as_ref());
        faults.extend(self.unusable_key(&app));
        let definition = Definition::compile(app, attributes.as_deref()).map_err(|found| faults.extend(found));
        match definition {
            Ok(definition) if faults.is_empty() => Ok(live(definition, connector, described, attributes)),
            _ => {
                // A connector may complain of what the settings' own check has found already.
                let mut places = BTreeSet::new();
                faults.reverse();
                faults.retain(|fault| fault.code != Code::InvalidArgument || places.insert(fault.attribute.clone()));
                faults.reverse();
                Err(faults)
            }
        }
    }

    /// Makes an app of the store ready for use. What a target said later only adds checks: a definition that passed
    /// those of its time stays in use with what it passed.
    pub(super) fn make_live_again(
        &self,
        app: App,
        described: Option<TargetDescription>,
    ) -> Result<LiveApp, Vec<Fault>> {
        let connector = self.connector(&app, true).map_err(|fault| vec![fault])?;
        let attributes = known_attributes(&app, connector.as_deref(), described.as_ref());
        let definition = compile_again(app, attributes.as_deref())?;
        Ok(live(definition, connector, described, attributes))
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
                let settings = Value::Object(settings.clone());
                let mock = MockTarget::with_options(read_part(&settings, "connector.settings")?);
                if keep {
                    mocks.insert(app.id.clone(), mock.clone());
                }
                Ok(Some(Arc::new(mock)))
            }
            ConnectorDefinition::Scim(definition) => self.scim(app, definition),
        }
    }

    fn scim(&self, app: &App, definition: &ScimDefinition) -> Result<Option<Arc<dyn Connector>>, Fault> {
        let Some(connector) = self.scim_connector(app, definition)? else { return Ok(None) };
        let now = self.clock.now();
        let learnt = self.store()?.read(now, |tx| tx.lessons(app))?;
        Ok(Some(Arc::new(connector.remembering(&learnt, self.memory(app)))))
    }

    /// A SCIM connector that knows no more than the definition says; none where a secret cannot be had at present.
    pub(super) fn scim_connector(
        &self,
        app: &App,
        definition: &ScimDefinition,
    ) -> Result<Option<scim::ScimConnector>, Fault> {
        // Whether the URLs may be called does not depend on a secret that may be missing for now.
        scim::check_base_url(&definition.base_url)?;
        if let Some(Auth::OAuth(oauth)) = &definition.auth {
            scim::check_token_endpoint(&oauth.token_endpoint)?;
        }
        let Some(http) = self.http_client(app, definition)? else { return Ok(None) };
        let Some(authorization) = self.authorization(app, definition.auth.as_ref(), &http)? else { return Ok(None) };
        scim::ScimConnector::authorized(definition, authorization, http, app.timeouts.request).map(Some)
    }

    /// Keeps what the app's connector learns. What cannot be stored now is learnt again by another process.
    fn memory(&self, app: &App) -> scim::Memory {
        let (me, app) = (self.me.clone(), app.clone());
        Arc::new(move |learnt| {
            if let Some(shared) = me.upgrade() {
                let _ = shared.keep_lessons(&app, learnt);
            }
        })
    }

    /// Puts what was learnt to what others learnt of the same target.
    fn keep_lessons(&self, app: &App, news: &Attributes) -> Result<(), Fault> {
        let now = self.clock.now();
        let ((), entries) = self.store()?.write(now, |tx| {
            let known = tx.lessons(app)?;
            let mut learnt = scim::with_lessons(&known, news);
            let mut origins = tx.lesson_origins(app)?;
            origins.retain(|name, _| learnt.get(name).is_some_and(|lesson| known.get(name) == Some(lesson)));
            if tx.put_lessons(app, &learnt, &origins)? {
                learnt.retain(|name, lesson| known.get(name) != Some(lesson));
                tx.log(LogEvent { app: Some(&app.id), ..LogEvent::new("learnt", Value::Object(learnt)) })?;
            }
            Ok(())
        })?;
        self.tell(entries);
        Ok(())
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
        let described = live.described.clone();
        let attributes = known_attributes(&app, Some(connector.as_ref()), described.as_ref());
        let id = app.id.clone();
        let Ok(definition) = compile_again(app, attributes.as_deref()) else { return };
        let again = Arc::new(self::live(definition, Some(connector), described, attributes));
        let mut apps = lock(&self.apps);
        if apps.live.get(&id).is_some_and(|current| Arc::ptr_eq(current, live)) {
            apps.live.insert(id, again);
        }
    }
}

fn capabilities(connector: &dyn Connector) -> Capabilities {
    catch_unwind(AssertUnwindSafe(|| connector.capabilities())).unwrap_or_default()
}

fn live(
    definition: Definition,
    connector: Option<Arc<dyn Connector>>,
    described: Option<TargetDescription>,
    attributes: Option<Vec<SchemaAttribute>>,
) -> LiveApp {
    let capabilities = connector.as_deref().map(capabilities).unwrap_or_default();
    LiveApp { definition, connector, capabilities, described, attributes }
}

/// Checks a definition that was checked before, without refusing what it was not checked against then.
fn compile_again(app: App, attributes: Option<&[SchemaAttribute]>) -> Result<Definition, Vec<Fault>> {
    let supposed = scim::built_in_schema();
    let supposed = Some(supposed.as_slice()).filter(|_| !matches!(app.connector, ConnectorDefinition::Custom { .. }));
    Definition::compile(app.clone(), attributes)
        .or_else(|_| Definition::compile(app.clone(), supposed))
        .or_else(|_| Definition::compile(app, None))
}

/// The attributes with what the definition's profile requires.
fn with_required(mut attributes: Vec<SchemaAttribute>, definition: &ScimDefinition) -> Vec<SchemaAttribute> {
    let required: Vec<&str> =
        definition.known_profile().map(|profile| profile.required().collect()).unwrap_or_default();
    for attribute in &mut attributes {
        attribute.required |= required.contains(&attribute.path.as_str());
    }
    attributes
}

/// What is known of the target's attributes without asking it: what it said last, or else the standard's own schema, or
/// what the host's connector says.
pub(super) fn known_attributes(
    app: &App,
    connector: Option<&dyn Connector>,
    described: Option<&TargetDescription>,
) -> Option<Vec<SchemaAttribute>> {
    let told = described.map(|described| described.attributes.clone()).filter(|attributes| !attributes.is_empty());
    match &app.connector {
        // What a target leaves out of its schema, it may require all the same.
        ConnectorDefinition::Scim(definition) => {
            Some(with_required(told.unwrap_or_else(scim::built_in_schema), definition))
        }
        _ if told.is_some() => told,
        ConnectorDefinition::Mock { .. } => Some(scim::built_in_schema()),
        ConnectorDefinition::Custom { .. } => {
            let connector = connector?;
            catch_unwind(AssertUnwindSafe(|| connector.schema())).ok()?.ok().filter(|schema| !schema.is_empty())
        }
    }
}
