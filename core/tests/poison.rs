//! Broken records among many users: each gets its reason, and nobody else waits for it. `ROLLKEEPER_USERS` says how many
//! users there are.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, Outcome, TargetAccount};
use rollkeeper::model::{App, Request, RequestFilter, State};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Code, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One user in ten is broken, in one of these ways.
const KINDS: [(&str, Code); 5] = [
    ("nameless", Code::MissingRequired),
    ("unreadable", Code::ExpressionFailed),
    ("refused", Code::Rejected),
    ("panicking", Code::Uncertain),
    ("failing", Code::TargetFailed),
];

fn users() -> usize {
    std::env::var("ROLLKEEPER_USERS").ok().and_then(|users| users.parse().ok()).unwrap_or(1000)
}

fn kind(number: usize) -> Option<(&'static str, Code)> {
    (number % 10 == 3).then(|| KINDS[number / 10 % KINDS.len()])
}

fn user(number: usize) -> Value {
    let kind = kind(number).map_or("healthy", |(name, _)| name);
    let mut user = json!({
        "id": format!("u{number}"), "username": format!("{kind}-{number}"), "room": "12", "profile": "Employees",
    });
    match kind {
        "nameless" => user["username"] = Value::Null,
        "unreadable" => user["room"] = json!("a room without a number"),
        _ => {}
    }
    user
}

/// A target that some records are too much for.
struct Brittle(MockTarget);

impl Connector for Brittle {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.0.find(attribute, value)
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.0.read(external_id)
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        let failed = |outcome, code: Code| Err(ConnectorError::new(outcome, code.name(), "it is too much for it"));
        match attributes["userName"].as_str().unwrap().split('-').next() {
            Some("refused") => failed(Outcome::Rejected, Code::Rejected),
            Some("panicking") => panic!("the connector's own mistake"),
            Some("failing") => failed(Outcome::NotApplied, Code::TargetFailed),
            _ => self.0.create(attributes, key),
        }
    }

    fn update(
        &self,
        id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        self.0.update(id, changes, version)
    }
}

fn all(engine: &Engine) -> Vec<Request> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|request: &Request| request.id.to_string());
        let page = engine.requests(&RequestFilter { after, limit: Some(10_000), ..RequestFilter::default() }).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[test]
fn every_healthy_user_is_done_and_every_broken_one_has_its_reason() {
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(7).open().unwrap();
    let target = MockTarget::new();
    engine.register_connector("brittle", Arc::new(Brittle(target.clone()))).unwrap();
    let app = json!({
        "id": "crm", "connector": {"kind": "custom", "name": "brittle"}, "assigned_to": {"profiles": ["Employees"]},
        "create_without_match": true, "rate": {"concurrency": 4}, "mapping": [
            {"target": "userName", "source": "username", "required": true},
            {"target": "title", "expression": "string(int(user.room))"},
        ],
    });
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    let count = users();
    let records: Vec<Value> = (0..count).map(user).collect();
    engine.put_users(json!(records).to_string().as_bytes(), None).unwrap();

    let options = RunOptions { workers: 4, ..RunOptions::default() };
    let mut first_day = None;
    while let Some(due) = engine.run(&options).unwrap().next_due {
        clock.set(due.max(clock.now().plus(Period::from_seconds(1))));
        if due.since(Timestamp::parse("2026-01-01T00:00:00Z").unwrap()) > Period::from_seconds(3600) {
            first_day.get_or_insert_with(|| target.accounts().len());
        }
    }

    let broken = (0..count).filter(|number| kind(*number).is_some()).count();
    assert_eq!(target.accounts().len(), count - broken);
    assert_eq!(first_day.unwrap_or(count - broken), count - broken, "the healthy ones waited for the broken ones");
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for request in all(&engine) {
        let number = request.user.as_ref().unwrap().as_str().trim_start_matches('u').parse().unwrap();
        match kind(number) {
            None => assert_eq!(request.state, State::Completed, "{request:?}"),
            Some((name, code)) => {
                assert_eq!(request.state, State::Failed, "{name}: {request:?}");
                assert_eq!(request.faults.first().map(|fault| fault.code), Some(code), "{name}: {request:?}");
                *reasons.entry(name.to_owned()).or_default() += 1;
            }
        }
    }
    assert_eq!(reasons.values().sum::<usize>(), broken);
    assert_eq!(reasons.len(), KINDS.len().min(broken));
}
