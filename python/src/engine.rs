//! The engine as a Python class: every verb with positional arguments, documents in, dicts out. The keyword arguments,
//! records and iterators that users see are made in `rollkeeper/engine.py`.

use crate::arguments::{self, chosen, lines};
use crate::callback::{self, Held, record};
use crate::connector::PythonConnector;
use crate::convert::{document, json_text, to_period, to_python, to_timestamp, to_value};
use crate::enter::{Caller, Interrupt, enter, enter_run, lock, serial, take_exception, wait_for_calls};
use crate::impact::Impact;
use crate::testing::{MockTarget, VirtualClock};
use crate::transport::PythonTransport;
use crate::{errors, pure, rows};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use rollkeeper::connector::Connector;
use rollkeeper::model::{
    AccountFilter, AccountStatus, App, HoldScope, ImpactOptions, ItemState, LinkState, LogFilter, PlanFilter, Reaction,
    ReconciliationFilter, ReconciliationKind, RequestFilter, ReviewDecision, Situation, User, UserFilter, WaitingFor,
};
use rollkeeper::{Code, Error, Fault, Result, RunOptions, StoredOr, UserId};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A Python object that the engine keeps, and what for.
struct Keeping {
    purpose: String,
    object: Held,
}

/// The engine.
#[pyclass(frozen, module = "rollkeeper._native")]
pub(crate) struct Engine {
    owner: u64,
    engine: Mutex<Option<rollkeeper::Engine>>,
    kept: Mutex<Vec<Keeping>>,
    interrupt: Arc<Interrupt>,
    log_wanted: Arc<AtomicBool>,
    log_switch: Option<Held>,
}

type Object<'py> = Bound<'py, PyAny>;

fn key_of(key: &Bound<'_, PyBytes>) -> PyResult<[u8; 32]> {
    key.as_bytes().try_into().map_err(|_| PyValueError::new_err("a key has 32 bytes"))
}

impl Engine {
    fn caller(&self, py: Python<'_>, operation: &'static str) -> PyResult<(rollkeeper::Engine, Caller)> {
        let closed = || Error::new(operation, Fault::new(Code::Closed, "the engine is closed"));
        let engine = lock(&self.engine).clone().ok_or_else(|| errors::exception(py, &closed()))?;
        self.refresh_log_switch(py)?;
        let caller = Caller { owner: self.owner, engine: None };
        Ok((engine, caller))
    }

    /// Asks whether anybody reads the log, so that entries nobody reads never wait for the interpreter lock.
    fn refresh_log_switch(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(switch) = &self.log_switch {
            // Where Ctrl-C was pressed, this is where Python may say so: the exception must not be lost.
            self.log_wanted.store(switch.bind(py).call0()?.is_truthy()?, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Does a verb and gives what it gave as Python objects.
    fn verb<'py, T: Serialize>(
        &self,
        py: Python<'py>,
        operation: &'static str,
        work: impl FnOnce(&rollkeeper::Engine) -> Result<T> + Send,
    ) -> PyResult<Object<'py>> {
        let (engine, caller) = self.caller(py, operation)?;
        let value = enter(py, &caller, operation, || {
            let answer = work(&engine)?;
            serde_json::to_value(answer)
                .map_err(|_| Error::new(operation, Fault::new(Code::Internal, "the answer is not JSON")))
        })?;
        drop(take_exception());
        to_python(py, &value)
    }
}

#[pymethods]
impl Engine {
    /// Opens an engine. `log_switch` tells whether the log is read at the moment.
    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "one argument an option; only our own package calls it")]
    fn open(
        py: Python<'_>,
        path: Option<PathBuf>,
        key: Option<&Bound<'_, PyBytes>>,
        secrets: Option<Py<PyAny>>,
        clock: Option<&Bound<'_, PyAny>>,
        seed: Option<u64>,
        log: Option<Py<PyAny>>,
        log_switch: Option<Py<PyAny>>,
        alerts: Option<Py<PyAny>>,
        transport: Option<Py<PyAny>>,
        read_only: bool,
        look_up: bool,
    ) -> PyResult<Self> {
        let mut kept = Vec::new();
        let mut keep = |purpose: &str, object: Py<PyAny>| {
            let object = Arc::new(object);
            kept.push(Keeping { purpose: purpose.to_owned(), object: Arc::clone(&object) });
            object
        };
        let log_wanted = Arc::new(AtomicBool::new(true));
        let mut builder = rollkeeper::Engine::builder();
        if let Some(path) = path {
            builder = builder.path(path);
        }
        if let Some(key) = key {
            builder = builder.key(key_of(key)?);
        }
        if let Some(secrets) = secrets {
            builder = builder.secrets(callback::secrets(keep("secrets", secrets)));
        }
        if let Some(clock) = clock {
            builder = match clock.cast::<VirtualClock>() {
                Ok(clock) => builder.clock(Arc::new(clock.get().clock())),
                Err(_) => builder.clock(callback::clock(keep("clock", clock.clone().unbind()))),
            };
        }
        if let Some(seed) = seed {
            builder = builder.seed(seed);
        }
        if let Some(log) = log {
            builder = builder.log(callback::log(keep("log", log), Arc::clone(&log_wanted)));
        }
        if let Some(alerts) = alerts {
            builder = builder.alerts(callback::alerts(keep("alerts", alerts)));
        }
        let interrupt: Arc<Interrupt> = Arc::default();
        if let Some(transport) = transport {
            let transport = PythonTransport::new(keep("transport", transport), Arc::clone(&interrupt));
            builder = builder.transport(Arc::new(transport));
        }
        if read_only {
            builder = builder.read_only();
        }
        if !look_up {
            builder = builder.without_look_up();
        }
        let log_switch = log_switch.map(|switch| keep("log_switch", switch));
        let opened = Self {
            owner: serial(),
            engine: Mutex::new(None),
            kept: Mutex::new(kept),
            interrupt,
            log_wanted,
            log_switch,
        };
        opened.refresh_log_switch(py)?;
        let caller = Caller { owner: opened.owner, engine: None };
        let engine = enter(py, &caller, "open", || builder.open())?;
        *lock(&opened.engine) = Some(engine);
        Ok(opened)
    }

    /// Cancels a run, waits for the calls under way and closes the file. Closing twice does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(engine) = lock(&self.engine).clone() else { return Ok(()) };
        engine.cancel_run();
        wait_for_calls(py, self.owner, "close")?;
        let last = lock(&self.engine).take();
        py.detach(|| {
            drop(engine);
            drop(last);
        });
        drop(std::mem::take(&mut *lock(&self.kept)));
        Ok(())
    }

    /// Whether the engine was closed.
    #[getter]
    fn closed(&self) -> bool {
        lock(&self.engine).is_none()
    }

    fn backup(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        self.verb(py, "backup", |engine| engine.backup(&path)).map(drop)
    }

    fn put_app<'py>(&self, app: &Object<'py>, by: Option<&str>) -> PyResult<Object<'py>> {
        let json = document(app)?;
        self.verb(app.py(), "put_app", |engine| {
            let app = App::from_json(&json).map_err(|fault| Error::new("put_app", fault))?;
            engine.put_app(app, by)
        })
    }

    fn app<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Object<'py>> {
        self.verb(py, "app", |engine| engine.app(id))
    }

    fn apps<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        self.verb(py, "apps", rollkeeper::Engine::apps)
    }

    fn delete_app<'py>(&self, py: Python<'py>, id: &str, by: Option<&str>) -> PyResult<Object<'py>> {
        self.verb(py, "delete_app", |engine| engine.delete_app(id, by))
    }

    fn validate_app<'py>(&self, app: &Object<'py>) -> PyResult<Object<'py>> {
        let json = document(app)?;
        self.verb(app.py(), "validate_app", |engine| engine.validate_app(&json))
    }

    fn discover<'py>(&self, py: Python<'py>, app: &str) -> PyResult<Object<'py>> {
        self.verb(py, "discover", |engine| engine.discover(app))
    }

    fn probe<'py>(&self, py: Python<'py>, app: &str, sandbox: bool, by: Option<String>) -> PyResult<Object<'py>> {
        let options = rollkeeper::model::ProbeOptions { sandbox, by };
        self.verb(py, "probe", |engine| engine.probe(app, &options))
    }

    fn suggest_mapping<'py>(&self, py: Python<'py>, app: &str) -> PyResult<Object<'py>> {
        self.verb(py, "suggest_mapping", |engine| engine.suggest_mapping(app))
    }

    fn export_app<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Object<'py>> {
        self.verb(py, "export_app", |engine| engine.export_app(id))
    }

    fn import_app<'py>(&self, app: &Object<'py>, by: Option<&str>) -> PyResult<Object<'py>> {
        let json = document(app)?;
        self.verb(app.py(), "import_app", |engine| engine.import_app(&json, by))
    }

    fn put_user<'py>(&self, user: &Object<'py>, by: Option<&str>) -> PyResult<Object<'py>> {
        let text = json_text(user)?;
        let value = if text.is_some() { serde_json::Value::Null } else { to_value(user)? };
        self.verb(user.py(), "put_user", |engine| {
            let user = text.map_or_else(|| User::from_value(value), |text| User::from_json(&text));
            engine.put_user(user.map_err(|fault| Error::new("put_user", fault))?, by)
        })
    }

    /// `users` is JSON text, or an iterable of records.
    fn put_users<'py>(&self, users: &Object<'py>, snapshot: bool, by: Option<&str>) -> PyResult<Object<'py>> {
        let json = json_text(users)?.map_or_else(|| lines(users), Ok)?;
        self.verb(users.py(), "put_users", |engine| match snapshot {
            true => engine.put_users_snapshot(&json, by),
            false => engine.put_users(&json, by),
        })
    }

    fn delete_user<'py>(&self, py: Python<'py>, id: &str, by: Option<&str>) -> PyResult<Object<'py>> {
        self.verb(py, "delete_user", |engine| engine.delete_user(id, by))
    }

    fn user<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Object<'py>> {
        self.verb(py, "user", |engine| engine.user(id))
    }

    fn users<'py>(&self, py: Python<'py>, limit: Option<u32>, after: Option<String>) -> PyResult<Object<'py>> {
        self.verb(py, "users", |engine| engine.users(&UserFilter { limit, after }))
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        workers: usize,
        timeout: Option<&Object<'py>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Object<'py>> {
        let interrupt = Arc::new(Interrupt::default());
        let progress = progress.map(|object| callback::progress(Arc::new(object), Arc::clone(&interrupt)));
        let options = RunOptions { workers, timeout: timeout.map(to_period).transpose()?, progress };
        let (engine, mut caller) = self.caller(py, "run")?;
        caller.engine = Some(engine.clone());
        let poll = |py: Python<'_>| self.refresh_log_switch(py);
        let interrupts = [interrupt.as_ref(), self.interrupt.as_ref()];
        let cancel = || engine.cancel_run();
        let progress = enter_run(py, &caller, "run", interrupts, cancel, poll, || engine.run(&options))?;
        record(py, &progress)
    }

    fn step<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        self.verb(py, "step", rollkeeper::Engine::step)
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        self.verb(py, "metrics", rollkeeper::Engine::metrics)
    }

    fn open_metrics(&self, py: Python<'_>) -> PyResult<String> {
        let caller = self.caller(py, "metrics")?;
        let (engine, caller) = caller;
        Ok(enter(py, &caller, "metrics", || engine.metrics())?.to_open_metrics())
    }

    /// Never waits and may be called from anywhere, callbacks and signal handlers too.
    fn cancel_run(&self) {
        let engine = lock(&self.engine).clone();
        if let Some(engine) = engine {
            engine.cancel_run();
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one argument a filter; only our own package calls it")]
    fn requests<'py>(
        &self,
        py: Python<'py>,
        app: Option<String>,
        user: Option<String>,
        state: Option<&str>,
        operation: Option<&str>,
        waiting_for: Option<&str>,
        limit: Option<u32>,
        after: Option<String>,
    ) -> PyResult<Object<'py>> {
        let state = state.map(|name| pure::state(py, "requests", name)).transpose()?;
        let operation = operation.map(|name| arguments::operation(py, "requests", name)).transpose()?;
        let waiting_for = chosen(py, "requests", "waiting_for", waiting_for, WaitingFor::from_name)?;
        let filter = RequestFilter { app, user, state, operation, waiting_for, limit, after };
        self.verb(py, "requests", |engine| engine.requests(&filter))
    }

    fn request<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Object<'py>> {
        self.verb(py, "request", |engine| engine.request(id))
    }

    fn submit<'py>(
        &self,
        py: Python<'py>,
        app: &str,
        user: &str,
        operation: &str,
        by: Option<&str>,
        not_before: Option<&Object<'py>>,
    ) -> PyResult<Object<'py>> {
        let operation = arguments::operation(py, "submit", operation)?;
        let not_before = not_before.map(to_timestamp).transpose()?;
        self.verb(py, "submit", |engine| engine.submit(app, user, operation, by, not_before))
    }

    fn cancel<'py>(&self, py: Python<'py>, id: &str, by: Option<&str>) -> PyResult<Object<'py>> {
        self.verb(py, "cancel", |engine| engine.cancel(id, by))
    }

    fn approve<'py>(&self, py: Python<'py>, id: &str, by: &str, comment: Option<&str>) -> PyResult<Object<'py>> {
        self.verb(py, "approve", |engine| engine.approve(id, by, comment))
    }

    fn deny<'py>(&self, py: Python<'py>, id: &str, by: &str, comment: Option<&str>) -> PyResult<Object<'py>> {
        self.verb(py, "deny", |engine| engine.deny(id, by, comment))
    }

    fn retry<'py>(&self, py: Python<'py>, id: &str, by: &str) -> PyResult<Object<'py>> {
        self.verb(py, "retry", |engine| engine.retry(id, by))
    }

    fn complete_manually<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        by: &str,
        note: &str,
        external_id: Option<&str>,
    ) -> PyResult<Object<'py>> {
        self.verb(py, "complete_manually", |engine| engine.complete_manually(id, by, note, external_id))
    }

    fn hold<'py>(
        &self,
        py: Python<'py>,
        by: &str,
        reason: &str,
        app: Option<String>,
        user: Option<String>,
        request: Option<String>,
    ) -> PyResult<Object<'py>> {
        let scope = HoldScope { app, user, request };
        self.verb(py, "hold", |engine| engine.hold(&scope, by, reason))
    }

    fn resume<'py>(
        &self,
        py: Python<'py>,
        by: &str,
        app: Option<String>,
        user: Option<String>,
        request: Option<String>,
    ) -> PyResult<Object<'py>> {
        let scope = HoldScope { app, user, request };
        self.verb(py, "resume", |engine| engine.resume(&scope, by))
    }

    fn holds<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        self.verb(py, "holds", |engine| engine.holds())
    }

    fn set_secret<'py>(
        &self,
        py: Python<'py>,
        app: &str,
        name: &str,
        value: Option<&str>,
        by: Option<&str>,
    ) -> PyResult<Object<'py>> {
        let value = value.map(rollkeeper::Secret::new);
        self.verb(py, "set_secret", |engine| engine.set_secret(app, name, value.as_ref(), by))
    }

    fn credentials<'py>(&self, py: Python<'py>, app: &str) -> PyResult<Object<'py>> {
        self.verb(py, "credentials", |engine| engine.credentials(app))
    }

    fn rotate_key<'py>(
        &self,
        py: Python<'py>,
        old: Option<&Bound<'_, PyBytes>>,
        new: &Bound<'_, PyBytes>,
        by: Option<&str>,
    ) -> PyResult<Object<'py>> {
        let (old, new) = (old.map(key_of).transpose()?, key_of(new)?);
        self.verb(py, "rotate_key", |engine| engine.rotate_key(old, new, by))
    }

    fn set_maintenance<'py>(&self, py: Python<'py>, app: &str, on: bool, by: &str) -> PyResult<Object<'py>> {
        self.verb(py, "set_maintenance", |engine| engine.set_maintenance(app, on, by))
    }

    #[expect(clippy::too_many_arguments, reason = "one argument a filter; only our own package calls it")]
    fn accounts<'py>(
        &self,
        py: Python<'py>,
        app: Option<String>,
        user: Option<String>,
        status: Option<&str>,
        link_state: Option<&str>,
        limit: Option<u32>,
        after: Option<(String, String)>,
    ) -> PyResult<Object<'py>> {
        let status = chosen(py, "accounts", "status", status, AccountStatus::from_name)?;
        let link_state = chosen(py, "accounts", "link_state", link_state, LinkState::from_name)?;
        let filter = AccountFilter { app, user, status, link_state, limit, after };
        self.verb(py, "accounts", |engine| engine.accounts(&filter))
    }

    /// `app` and `user` are ids where they are text, and documents otherwise.
    fn preview<'py>(&self, app: &Object<'py>, user: &Object<'py>) -> PyResult<Object<'py>> {
        let given = |object: &Object<'_>| match object.cast::<PyString>() {
            Ok(id) => Ok((id.to_cow()?.into_owned(), None)),
            Err(_) => Ok::<_, PyErr>((String::new(), Some(document(object)?))),
        };
        let ((app_id, app_json), (user_id, user_json)) = (given(app)?, given(user)?);
        self.verb(app.py(), "preview", |engine| {
            let failed = |fault| Error::new("preview", fault);
            let app = match app_json {
                Some(json) => StoredOr::from(App::from_json(&json).map_err(failed)?),
                None => StoredOr::Id(&app_id),
            };
            let user = match user_json {
                Some(json) => StoredOr::from(User::from_json(&json).map_err(failed)?),
                None => StoredOr::Id(&user_id),
            };
            engine.preview(app, user)
        })
    }

    fn impact(&self, app: &Object<'_>, values: bool) -> PyResult<Impact> {
        let (py, json) = (app.py(), document(app)?);
        let (engine, caller) = self.caller(py, "impact")?;
        let impact = enter(py, &caller, "impact", || {
            let app = App::from_json(&json).map_err(|fault| Error::new("impact", fault))?;
            engine.impact(app, ImpactOptions { values })
        })?;
        Ok(Impact::new(self.owner, impact))
    }

    /// Works on another thread, because a target may take its time, so that Ctrl-C is noticed.
    fn reconcile<'py>(
        &self,
        py: Python<'py>,
        app: &str,
        by: Option<&str>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Object<'py>> {
        let (engine, mut caller) = self.caller(py, "reconcile")?;
        caller.engine = Some(engine.clone());
        let interrupt = Arc::new(Interrupt::default());
        let told = progress.map(|object| callback::watch(Arc::new(object), Arc::clone(&interrupt)));
        let poll = |py: Python<'_>| self.refresh_log_switch(py);
        let interrupts = [interrupt.as_ref(), self.interrupt.as_ref()];
        let cancel = || engine.cancel_run();
        let found = enter_run(py, &caller, "reconcile", interrupts, cancel, poll, || {
            engine.reconcile_watched(app, by, &|made| told.as_ref().is_none_or(|told| told(made)))
        })?;
        record(py, &found)
    }

    /// `accounts` is JSON text, or an iterable of records.
    fn stage_accounts<'py>(
        &self,
        app: &str,
        accounts: &Object<'py>,
        complete: bool,
        by: Option<&str>,
    ) -> PyResult<Object<'py>> {
        let json = json_text(accounts)?.map_or_else(|| rows::lines(accounts, "accounts"), Ok)?;
        self.verb(accounts.py(), "stage_accounts", |engine| engine.stage_accounts(app, &json, complete, by))
    }

    fn reconciliation<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Object<'py>> {
        self.verb(py, "reconciliation", |engine| engine.reconciliation(id))
    }

    fn reconciliations<'py>(
        &self,
        py: Python<'py>,
        app: Option<String>,
        kind: Option<&str>,
        state: Option<&str>,
        limit: Option<u32>,
        after: Option<String>,
    ) -> PyResult<Object<'py>> {
        let kind = chosen(py, "reconciliations", "kind", kind, ReconciliationKind::from_name)?;
        let state = state.map(|name| pure::state(py, "reconciliations", name)).transpose()?;
        let filter = ReconciliationFilter { app, kind, state, limit, after };
        self.verb(py, "reconciliations", |engine| engine.reconciliations(&filter))
    }

    #[expect(clippy::too_many_arguments, reason = "one argument a filter; only our own package calls it")]
    fn plan<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        situation: Option<&str>,
        reaction: Option<&str>,
        state: Option<&str>,
        user: Option<&str>,
        limit: Option<u32>,
        after: Option<u64>,
    ) -> PyResult<Object<'py>> {
        let situation = chosen(py, "plan", "situation", situation, Situation::from_name)?;
        let reaction = chosen(py, "plan", "reaction", reaction, Reaction::from_name)?;
        let state = chosen(py, "plan", "state", state, ItemState::from_name)?;
        let user = user.map(UserId::new).transpose().map_err(|fault| errors::fault(py, "plan", fault))?;
        let filter = PlanFilter { situation, reaction, state, user, limit, after };
        self.verb(py, "plan", |engine| engine.plan(id, &filter))
    }

    fn commit<'py>(&self, py: Python<'py>, id: &str, digest: &str, by: &str) -> PyResult<Object<'py>> {
        self.verb(py, "commit", |engine| engine.commit(id, digest, by))
    }

    fn release<'py>(&self, py: Python<'py>, id: &str, digest: &str, by: &str) -> PyResult<Object<'py>> {
        self.verb(py, "release", |engine| engine.release(id, digest, by))
    }

    fn review<'py>(
        &self,
        py: Python<'py>,
        id: &str,
        item: u64,
        reaction: &str,
        user: Option<String>,
        by: &str,
    ) -> PyResult<Object<'py>> {
        let unknown = || errors::invalid_argument(py, "review", "`reaction` has no such value");
        let decision = ReviewDecision { reaction: Reaction::choice(reaction).ok_or_else(unknown)?, user };
        self.verb(py, "review", |engine| engine.review(id, item, &decision, by))
    }

    fn undo<'py>(&self, py: Python<'py>, id: &str, by: &str) -> PyResult<Object<'py>> {
        self.verb(py, "undo", |engine| engine.undo(id, by))
    }

    fn explain<'py>(&self, py: Python<'py>, app: &str, user: &str) -> PyResult<Object<'py>> {
        self.verb(py, "explain", |engine| engine.explain(app, user))
    }

    fn log<'py>(
        &self,
        py: Python<'py>,
        app: Option<String>,
        user: Option<String>,
        request: Option<String>,
        limit: Option<u32>,
        after: Option<u64>,
    ) -> PyResult<Object<'py>> {
        let filter = LogFilter { app, user, request, limit, after };
        self.verb(py, "log", |engine| engine.log(&filter))
    }

    fn verify_log<'py>(&self, py: Python<'py>) -> PyResult<Object<'py>> {
        self.verb(py, "verify_log", rollkeeper::Engine::verify_log)
    }

    fn launcher<'py>(&self, py: Python<'py>, user: &str) -> PyResult<Object<'py>> {
        self.verb(py, "launcher", |engine| engine.launcher(user))
    }

    fn register_connector(&self, name: &str, connector: &Object<'_>) -> PyResult<()> {
        let py = connector.py();
        let (registered, object): (Arc<dyn Connector>, Option<Held>) = match connector.cast::<MockTarget>() {
            Ok(mock) => (Arc::new(mock.get().target()), None),
            Err(_) => {
                let connector = PythonConnector::new(connector, Arc::clone(&self.interrupt))?;
                let object = connector.object();
                (Arc::new(connector), Some(object))
            }
        };
        self.verb(py, "register_connector", |engine| engine.register_connector(name, registered))?;
        let purpose = format!("connector {name}");
        let mut kept = lock(&self.kept);
        let replaced: Vec<Keeping> = kept.extract_if(.., |keeping| keeping.purpose == purpose).collect();
        kept.extend(object.map(|object| Keeping { purpose, object }));
        drop(kept);
        drop(replaced);
        Ok(())
    }

    /// The test's result, and what the connector threw, where it did.
    fn test_app<'py>(&self, py: Python<'py>, id: &str) -> PyResult<(Object<'py>, Option<PyErr>)> {
        let (engine, caller) = self.caller(py, "test_app")?;
        let test = enter(py, &caller, "test_app", || engine.test_app(id))?;
        let exception = take_exception().filter(|_| test.fault.is_some());
        Ok((record(py, &test)?, exception))
    }

    fn mock_target(&self, py: Python<'_>, app: &str) -> PyResult<MockTarget> {
        let (engine, caller) = self.caller(py, "mock_target")?;
        enter(py, &caller, "mock_target", || engine.mock_target(app)).map(MockTarget::of)
    }

    /// Shows the garbage collector what is kept. Where another thread is at it, this collection goes without.
    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        let Ok(kept) = self.kept.try_lock() else { return Ok(()) };
        kept.iter().try_for_each(|keeping| visit.call(&*keeping.object))
    }
}
