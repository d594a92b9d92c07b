//! Plays a scenario: a whole story as data, from `tests/data/scenarios/`. The runners of C, Go and Python do the same steps
//! and must give the same bytes. Every scenario runs in memory, with a seed, a clock that moves only when told to, and one
//! worker.

mod reconciliation;

use reconciliation as steps;
use rollkeeper::model::{
    AccountFilter, Alert, App, HoldScope, ImpactOptions, LogFilter, ProbeOptions, RequestFilter, User,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::value::canonical;
use rollkeeper::{Code, Engine, Error, Fault, Operation, Period, RunOptions, Secret, StoredOr, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// A scenario's file. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What the story shows.
    pub description: String,
    start: String,
    seed: u64,
    /// The byte of which the engine's key is made, 32 times; without, there is none.
    #[serde(default)]
    key: Option<u8>,
    apps: Vec<Value>,
    steps: Vec<Step>,
    /// What a person expects of the end, beside the golden bytes.
    pub expect: Expect,
}

/// What must hold at the end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Every request as `app user Operation State`, in order.
    pub requests: Vec<String>,
    /// Every account as `app external_id user Status`, with ` frozen` where it is.
    pub accounts: Vec<String>,
    /// Every call to a target as `app method`, in order of app.
    pub calls: Vec<String>,
    /// Parts of texts that must stand in the *why* of the request at that place.
    #[serde(default)]
    pub why: Vec<(usize, String)>,
    /// Codes of the faults of the request at that place.
    #[serde(default)]
    pub faults: Vec<(usize, String)>,
    /// Every item of every plan as `nth situation user account reaction state`, in order; not looked at where it is left out.
    #[serde(default)]
    pub items: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Step {
    by: Option<String>,
    error: Option<String>,
    put_app: Option<Value>,
    delete_app: Option<String>,
    put_user: Option<Value>,
    put_users: Option<Value>,
    put_users_snapshot: Option<Value>,
    delete_user: Option<String>,
    submit: Option<Submit>,
    cancel: Option<Nth>,
    approve: Option<Nth>,
    deny: Option<Nth>,
    retry: Option<Nth>,
    complete_manually: Option<Nth>,
    hold: Option<Holding>,
    resume: Option<Holding>,
    holds: Option<Value>,
    maintenance: Option<Maintenance>,
    set_secret: Option<SetSecret>,
    credentials: Option<String>,
    rotate_key: Option<RotateKey>,
    requests: Option<RequestFilter>,
    advance: Option<String>,
    run: Option<Map<String, Value>>,
    script: Option<Script>,
    set_schema: Option<SetSchema>,
    discover: Option<String>,
    probe: Option<Probe>,
    suggest_mapping: Option<String>,
    validate_app: Option<Value>,
    explain: Option<Pair>,
    alerts: Option<bool>,
    metrics: Option<bool>,
    preview: Option<Trial>,
    impact: Option<Impact>,
    put_account: Option<steps::PutAccount>,
    remove_account: Option<steps::RemoveAccount>,
    reconcile: Option<String>,
    stage_accounts: Option<steps::StageAccounts>,
    reconciliation: Option<steps::Nth>,
    reconciliations: Option<Value>,
    plan: Option<steps::Plan>,
    commit: Option<steps::Digested>,
    release: Option<steps::Digested>,
    review: Option<steps::Review>,
    undo: Option<steps::Undo>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    app: String,
    user: String,
    operation: String,
    not_before: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nth {
    nth: usize,
    note: Option<String>,
    external_id: Option<String>,
}

/// What is held or resumed; a request by its place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holding {
    app: Option<String>,
    user: Option<String>,
    request: Option<usize>,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSecret {
    app: String,
    name: String,
    value: Option<String>,
}

/// Keys as [`Scenario::key`] has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateKey {
    old: Option<u8>,
    new: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Maintenance {
    app: String,
    on: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probe {
    app: String,
    #[serde(default)]
    sandbox: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    app: String,
    faults: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSchema {
    app: String,
    attributes: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    app: String,
    user: String,
}

/// An app and a user, each by id or as a document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    app: Value,
    user: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Impact {
    app: Value,
    #[serde(default)]
    options: ImpactOptions,
}

/// What a scenario left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The whole dump, from which the golden bytes are made.
    pub dump: Value,
    /// The items of all plans, as [`Expect::items`]; nothing where the scenario expects none.
    pub items: Vec<String>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Plays it.
    ///
    /// # Errors
    /// Which step did not do what it should, and why.
    pub fn play(&self) -> Result<Outcome, String> {
        let text = |fault: Fault| fault.to_string();
        let clock = VirtualClock::new(Timestamp::parse(&self.start).map_err(text)?);
        let alerts = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&alerts);
        let tell = move |alert: &Alert| told.lock().unwrap_or_else(PoisonError::into_inner).push(json!(alert));
        let builder = Engine::builder().seed(self.seed).clock(Arc::new(clock.clone())).alerts(Arc::new(tell));
        let builder = self.key.iter().fold(builder, |builder, byte| builder.key([*byte; 32]));
        let engine = builder.open().map_err(|error| error.to_string())?;
        let mut stage = Stage { engine, clock, answers: Vec::new(), alerts };
        for app in &self.apps {
            stage.put_app(app, None).map_err(|error| format!("put_app: {error}"))?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            let result = stage.perform(step);
            let code = result.as_ref().err().map(|error| error.code().name().to_owned());
            if code != step.error {
                let error = result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string());
                return Err(format!("step {index}: expected {:?}, got {error}", step.error));
            }
        }
        let text = |error: Error| error.to_string();
        let items = self.expect.items.as_ref().map_or(Ok(Vec::new()), |_| stage.items()).map_err(text)?;
        Ok(Outcome { dump: stage.dump().map_err(text)?, items })
    }
}

impl Outcome {
    /// The golden bytes: canonical JSON and a line feed.
    pub fn golden(&self) -> String {
        canonical(&self.dump) + "\n"
    }
}

struct Stage {
    engine: Engine,
    clock: VirtualClock,
    answers: Vec<Value>,
    /// What needed a person and was not asked for yet.
    alerts: Arc<Mutex<Vec<Value>>>,
}

type Done = Result<(), Error>;

impl Stage {
    fn perform(&mut self, step: &Step) -> Done {
        let by = step.by.as_deref();
        let person = by.unwrap_or("operator");
        if let Some(app) = &step.put_app {
            self.put_app(app, by)?;
        }
        if let Some(id) = &step.delete_app {
            self.engine.delete_app(id, by)?;
        }
        if let Some(user) = &step.put_user {
            let user = User::from_json(user.to_string().as_bytes()).map_err(|fault| Error::new("put_user", fault))?;
            self.engine.put_user(user, by)?;
        }
        if let Some(users) = &step.put_users {
            let result = self.engine.put_users(users.to_string().as_bytes(), by)?;
            self.answers.push(json!(result));
        }
        if let Some(users) = &step.put_users_snapshot {
            let result = self.engine.put_users_snapshot(users.to_string().as_bytes(), by)?;
            self.answers.push(json!(result));
        }
        if let Some(id) = &step.delete_user {
            self.engine.delete_user(id, by)?;
        }
        if let Some(submit) = &step.submit {
            self.submit(submit, by)?;
        }
        if let Some(nth) = &step.cancel {
            self.engine.cancel(&self.nth(nth)?, by)?;
        }
        if let Some(nth) = &step.approve {
            self.engine.approve(&self.nth(nth)?, person, nth.note.as_deref())?;
        }
        if let Some(nth) = &step.deny {
            self.engine.deny(&self.nth(nth)?, person, nth.note.as_deref())?;
        }
        if let Some(nth) = &step.retry {
            self.engine.retry(&self.nth(nth)?, person)?;
        }
        if let Some(nth) = &step.complete_manually {
            let note = nth.note.as_deref().unwrap_or("");
            self.engine.complete_manually(&self.nth(nth)?, person, note, nth.external_id.as_deref())?;
        }
        if let Some(holding) = &step.hold {
            let hold = self.engine.hold(&self.scope(holding)?, person, &holding.reason)?;
            self.answers.push(json!(hold));
        }
        if let Some(holding) = &step.resume {
            let ended = self.engine.resume(&self.scope(holding)?, person)?;
            self.answers.push(json!(ended));
        }
        if step.holds.is_some() {
            self.answers.extend(self.engine.holds()?.iter().map(|hold| json!(hold)));
        }
        if let Some(maintenance) = &step.maintenance {
            self.engine.set_maintenance(&maintenance.app, maintenance.on, person)?;
        }
        if let Some(secret) = &step.set_secret {
            let value = secret.value.as_deref().map(Secret::new);
            self.engine.set_secret(&secret.app, &secret.name, value.as_ref(), by)?;
        }
        if let Some(app) = &step.credentials {
            let known = self.engine.credentials(app)?;
            self.answers.push(json!(known));
        }
        if let Some(keys) = &step.rotate_key {
            self.engine.rotate_key(keys.old.map(|byte| [byte; 32]), [keys.new; 32], by)?;
        }
        if let Some(filter) = &step.requests {
            self.answers.extend(self.engine.requests(filter)?.iter().map(|request| json!(request)));
        }
        if let Some(by) = &step.advance {
            self.clock.advance(Period::parse(by).map_err(|fault| Error::new("advance", fault))?);
        }
        if step.run.is_some() {
            self.engine.run(&RunOptions { workers: 1, ..RunOptions::default() })?;
        }
        if let Some(script) = &step.script {
            let mock = self.engine.mock_target(&script.app)?;
            mock.script_json(&script.faults.to_string()).map_err(|fault| Error::new("script", fault))?;
        }
        if let Some(schema) = &step.set_schema {
            let mock = self.engine.mock_target(&schema.app)?;
            mock.set_schema_json(&schema.attributes.to_string()).map_err(|fault| Error::new("set_schema", fault))?;
        }
        if let Some(app) = &step.discover {
            self.answers.push(json!(self.engine.discover(app)?));
        }
        if let Some(probe) = &step.probe {
            let options = ProbeOptions { sandbox: probe.sandbox, by: by.map(str::to_owned) };
            self.answers.push(json!(self.engine.probe(&probe.app, &options)?));
        }
        if let Some(app) = &step.suggest_mapping {
            self.answers.push(json!(self.engine.suggest_mapping(app)?));
        }
        if let Some(app) = &step.validate_app {
            self.answers.push(json!(self.engine.validate_app(app.to_string().as_bytes())?));
        }
        if step.alerts.is_some() {
            self.answers.append(&mut self.alerts.lock().unwrap_or_else(PoisonError::into_inner));
        }
        if step.metrics.is_some() {
            self.answers.push(json!(self.engine.metrics()?));
        }
        if let Some(pair) = &step.explain {
            self.answers.push(json!(self.engine.explain(&pair.app, &pair.user)?));
        }
        if let Some(pair) = &step.preview {
            self.preview(pair)?;
        }
        if let Some(impact) = &step.impact {
            self.impact(impact)?;
        }
        self.reconciling(step, by)
    }

    fn preview(&mut self, trial: &Trial) -> Done {
        let failed = |fault| Error::new("preview", fault);
        let app = match trial.app.as_str() {
            Some(id) => StoredOr::Id(id),
            None => StoredOr::from(App::from_json(trial.app.to_string().as_bytes()).map_err(failed)?),
        };
        let user = match trial.user.as_str() {
            Some(id) => StoredOr::Id(id),
            None => StoredOr::from(User::from_json(trial.user.to_string().as_bytes()).map_err(failed)?),
        };
        self.answers.push(json!(self.engine.preview(app, user)?));
        Ok(())
    }

    /// Every user whom the definition would touch, and then the totals.
    fn impact(&mut self, impact: &Impact) -> Done {
        let app = App::from_json(impact.app.to_string().as_bytes()).map_err(|fault| Error::new("impact", fault))?;
        let mut users = self.engine.impact(app, impact.options)?;
        for user in &mut users {
            self.answers.push(json!(user?));
        }
        self.answers.push(json!(users.summary()));
        Ok(())
    }

    fn put_app(&self, app: &Value, by: Option<&str>) -> Done {
        let app = App::from_json(app.to_string().as_bytes()).map_err(|fault| Error::new("put_app", fault))?;
        self.engine.put_app(app, by).map(|_| ())
    }

    fn submit(&self, submit: &Submit, by: Option<&str>) -> Done {
        let failed = |fault| Error::new("submit", fault);
        let unknown = || failed(Fault::new(Code::UnknownOperation, "there is no such operation"));
        let operation = Operation::from_name(&submit.operation).ok_or_else(unknown)?;
        let not_before = submit.not_before.as_deref().map(Timestamp::parse).transpose().map_err(failed)?;
        self.engine.submit(&submit.app, &submit.user, operation, by, not_before).map(|_| ())
    }

    fn scope(&self, holding: &Holding) -> Result<HoldScope, Error> {
        let request = holding.request.map(|nth| self.nth_request(nth)).transpose()?;
        Ok(HoldScope { app: holding.app.clone(), user: holding.user.clone(), request })
    }

    fn nth(&self, nth: &Nth) -> Result<String, Error> {
        self.nth_request(nth.nth)
    }

    fn nth_request(&self, nth: usize) -> Result<String, Error> {
        let requests = self.engine.requests(&RequestFilter::default())?;
        let missing = || Error::new("nth", Fault::new(Code::NotFound, "there is no such request"));
        requests.get(nth).map(|request| request.id.to_string()).ok_or_else(missing)
    }

    fn dump(&self) -> Result<Value, Error> {
        let mut requests = Vec::new();
        for request in self.engine.requests(&RequestFilter::default())? {
            requests.push(json!(self.engine.request(request.id.as_str())?));
        }
        let mut calls = Map::new();
        for app in self.engine.apps()? {
            let target = self.engine.mock_target(app.id.as_str())?;
            calls.insert(app.id.to_string(), json!(target.calls()));
        }
        Ok(json!({
            "accounts": self.engine.accounts(&AccountFilter::default())?,
            "answers": self.answers,
            "calls": calls,
            "log": self.engine.log(&LogFilter::default())?,
            "requests": requests,
        }))
    }
}
