//! The verbs of apps.

use super::schema::connector_of;
use super::{Engine, Error, Result, no_app};
use crate::connector::mock::MockTarget;
use crate::connector::{Connector, Outcome, caught};
use crate::delivery::{Host, lock};
use crate::fault::{Code, Fault};
use crate::intake::{self, LiveApp, LiveApps};
use crate::model::{App, AppTest, Request};
use crate::store::{Tx, definition_text};
use std::sync::Arc;

impl Engine {
    /// Stores an app's definition in place of the one before, and makes the requests that the change asks for: for every
    /// user who gains or loses the app, and, where the mapping changed, for everybody who has it.
    ///
    /// Where so many would lose their account, its use, or their memberships that it looks like a mistake, nothing of that is
    /// requested: it is held in a plan of the kind [`Source`](crate::model::ReconciliationKind::Source), until a second person
    /// agrees with [`Engine::release`]. So it is with accounts of users who left before, where the definition newly has them
    /// deleted. [`Engine::impact`] tells beforehand.
    ///
    /// # Errors
    /// Every fault of the definition at once (`unknown_connector`, `unknown_attribute`, `expression_invalid`, …); with
    /// `enabled`, `not_ready` and the items that fail; store errors.
    pub fn put_app(&self, app: App, by: Option<&str>) -> Result<Vec<Request>> {
        let id = app.id.clone();
        let failed = |faults| Error::of_faults("put_app", faults).about("app", id.as_str());
        // What was put with the same mapping and connector passed the checks of its time: a target that changed since then
        // must not stand in the way of switching the app off.
        let same = |known: &&Arc<LiveApp>| {
            let known = &known.definition.app;
            known.mapping == app.mapping && known.connector == app.connector
        };
        let (apps, _) = self.shared.apps();
        let known = apps.get(&id).filter(same);
        let live = match (self.shared.make_live(app.clone(), true), known) {
            (Err(_), Some(known)) => self.shared.make_live_again(app, known.described.clone()).map_err(failed)?,
            (made, _) => made.map_err(failed)?,
        };
        let mut missing = self.unready(&live);
        if known.is_some_and(|known| known.definition.app.enabled) {
            missing.retain(|fault| fault.code != Code::MissingRequired);
        }
        if live.definition.app.enabled && !missing.is_empty() {
            return Err(failed(missing));
        }
        // The apps in use are read again from the store, where everybody sees the same.
        let brakes = self.shared.brake;
        let put = |tx: &mut Tx<'_>, apps: &LiveApps| {
            let old = apps.get(&id).map(|old| &old.definition);
            intake::put_app(tx, &live, old, by, brakes)
        };
        let requests = self.transact(put).map_err(|fault| failed(vec![fault]))?;
        self.shared.run.recall();
        self.shared.refresh().map_err(|fault| failed(vec![fault]))?;
        Ok(requests)
    }

    /// The app's definition.
    ///
    /// # Errors
    /// `not_found` where there is no such app; store errors.
    pub fn app(&self, id: &str) -> Result<App> {
        let failed = |fault| Error::new("app", fault).about("app", id);
        let found = self.view(|tx| tx.app(id)).map_err(failed)?;
        let alive = found.filter(|(_, deleted)| deleted.is_none()).map(|(app, _)| app);
        alive.ok_or_else(|| failed(no_app()))
    }

    /// Every app, by id.
    ///
    /// # Errors
    /// Store errors.
    pub fn apps(&self) -> Result<Vec<App>> {
        self.view(|tx| tx.apps()).map_err(|fault| Error::new("apps", fault))
    }

    /// Forgets an app. Nothing is sent: open requests are cancelled (failed as `uncertain` where they were sent and nobody
    /// knows what came of it) and given, accounts stay as they are.
    ///
    /// # Errors
    /// `not_found` where there is no such app; `invalid_transition` while one of its requests is being sent; store errors.
    pub fn delete_app(&self, id: &str, by: Option<&str>) -> Result<Vec<Request>> {
        let failed = |fault| Error::new("delete_app", fault).about("app", id);
        let ended = self.transact(|tx, _| intake::delete_app(tx, id, by)).map_err(failed)?;
        self.shared.forget_token(id);
        self.shared.refresh().map_err(failed)?;
        Ok(ended)
    }

    /// The app's definition as canonical JSON; [`Engine::import_app`] and another export give the same bytes.
    ///
    /// # Errors
    /// As [`Engine::app`].
    pub fn export_app(&self, id: &str) -> Result<String> {
        let app =
            self.app(id).map_err(|error| Error::of_faults("export_app", error.faults().to_vec()).about("app", id))?;
        definition_text(&app).map_err(|fault| Error::new("export_app", fault))
    }

    /// Stores an exported definition.
    ///
    /// # Errors
    /// Document faults with their place, and as [`Engine::put_app`].
    pub fn import_app(&self, json: &[u8], by: Option<&str>) -> Result<Vec<Request>> {
        let app = App::from_json(json).map_err(|fault| Error::new("import_app", fault))?;
        self.put_app(app, by)
    }

    /// Makes a connector known under a name, for apps with `{"kind": "custom", "name": …}`. A later one takes the place of
    /// an earlier.
    ///
    /// # Errors
    /// `invalid_argument` where the name is empty.
    pub fn register_connector(&self, name: &str, connector: Arc<dyn Connector>) -> Result<()> {
        if name.is_empty() {
            let fault = Fault::new(Code::InvalidArgument, "a connector must have a name");
            return Err(Error::new("register_connector", fault));
        }
        lock(&self.shared.registered).insert(name.to_owned(), connector);
        self.shared.connect_named(name);
        Ok(())
    }

    /// Asks the app's target whether it can be reached and accepts the credentials. Nothing is changed there.
    ///
    /// # Errors
    /// `not_found` where there is no such app; store errors. A target in trouble is an answer, not an error.
    pub fn test_app(&self, id: &str) -> Result<AppTest> {
        let failed = |fault| Error::new("test_app", fault).about("app", id);
        self.shared.refresh().map_err(failed)?;
        let (apps, _) = self.shared.apps();
        let live = apps.values().find(|live| live.definition.app.id.as_str() == id);
        let live = live.ok_or_else(|| failed(no_app()))?;
        let connector = match connector_of(live) {
            Ok(connector) => connector,
            Err(fault) => {
                return Ok(AppTest { passed: false, fault: Some(fault), capabilities: live.capabilities.clone() });
            }
        };
        let asked = caught(Outcome::NotApplied, || Ok((connector.test(), connector.capabilities())));
        let (tested, capabilities) = asked.unwrap_or_else(|panicked| (Err(panicked), live.capabilities.clone()));
        let fault = tested
            .err()
            .filter(|error| error.code != Code::Unsupported.name())
            .map(|error| Fault::new(Code::from_name(&error.code).unwrap_or(Code::ConnectorFailed), error.message));
        if capabilities != live.capabilities {
            self.shared.reconnect(live);
        }
        Ok(AppTest { passed: fault.is_none(), fault, capabilities })
    }

    /// The target in memory of an app with `{"kind": "mock"}`.
    ///
    /// # Errors
    /// `not_found` where there is no such app or it has another connector.
    pub fn mock_target(&self, app: &str) -> Result<MockTarget> {
        let mocks = lock(&self.shared.mocks);
        let found = mocks.iter().find(|(id, _)| id.as_str() == app).map(|(_, mock)| mock.clone());
        let fault = || Fault::new(Code::NotFound, "there is no mock target of this app");
        found.ok_or_else(|| Error::new("mock_target", fault()).about("app", app))
    }
}
