//! Between two listings of the whole only what changed is read, where the target can tell.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::{Capabilities, Connector, ConnectorError, Outcome, Page, TargetAccount};
use rollkeeper::model::{App, Reconciliation, ReconciliationFilter, SnapshotVerdict, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Engine, RunOptions, Timestamp};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// A target that numbers its changes.
#[derive(Default)]
struct Numbered {
    accounts: Vec<(usize, TargetAccount)>,
    last: usize,
    calls: Vec<String>,
    forgets: bool,
}

#[derive(Clone, Default)]
struct Target(Arc<Mutex<Numbered>>);

impl Target {
    fn put(&self, id: &str, active: bool) {
        let mut all = self.0.lock().unwrap();
        all.last += 1;
        let account = json!({"external_id": id, "username": id, "active": active, "attributes": {"userName": id}});
        all.accounts.retain(|(_, account)| account.external_id != id);
        let number = all.last;
        all.accounts.push((number, serde_json::from_value(account).unwrap()));
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }
}

impl Connector for Target {
    fn capabilities(&self) -> Capabilities {
        Capabilities { changes: true, ..Capabilities::default() }
    }

    fn create(&self, _: &Attributes, _: &str) -> Result<TargetAccount, ConnectorError> {
        Err(ConnectorError::unsupported("create"))
    }

    fn list(&self, _: Option<&str>, _: Option<&str>) -> Result<Page, ConnectorError> {
        let mut all = self.0.lock().unwrap();
        all.calls.push("list".to_owned());
        let accounts = all.accounts.iter().map(|(_, account)| account.clone()).collect();
        Ok(Page { accounts, complete: true, ..Page::default() })
    }

    fn changes(&self, token: Option<&str>) -> Result<(Vec<TargetAccount>, String), ConnectorError> {
        let mut all = self.0.lock().unwrap();
        all.calls.push(format!("changes {}", token.unwrap_or("-")));
        if all.forgets && token.is_some() {
            return Err(ConnectorError::new(Outcome::Rejected, "rejected", "the token is too old"));
        }
        let since = token.map_or(all.last, |token| token.parse().unwrap());
        let newer = all.accounts.iter().filter(|(number, _)| *number > since);
        Ok((newer.map(|(_, account)| account.clone()).collect(), all.last.to_string()))
    }
}

fn office() -> (Engine, VirtualClock, Target) {
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(7).open().unwrap();
    let target = Target::default();
    engine.register_connector("numbered", Arc::new(target.clone())).unwrap();
    let app = json!({
        "id": "crm", "connector": {"kind": "custom", "name": "numbered"}, "assigned_to": {"profiles": ["Employees"]},
        "mapping": [{"target": "userName", "source": "username"}],
        "matching": [{"all": [{"user": "username", "account": "userName"}]}],
        "operations": {"create": false},
        "reconcile": {"every": "PT1H", "full_every": "P1D", "commit": true, "reactions": {"orphaned": "report"}},
    });
    for id in ["ann", "bob", "cid"] {
        target.put(id, true);
        let user = json!({"id": id, "username": id, "profile": "Employees", "active": true});
        engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
    }
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    target.calls();
    (engine, clock, target)
}

/// Runs at the next time that a reconciliation is due, and gives that one and what the target was asked for.
fn next(engine: &Engine, clock: &VirtualClock, target: &Target) -> (Reconciliation, Vec<String>) {
    let due = engine.run(&RunOptions::default()).unwrap().next_due.unwrap();
    clock.set(due.max(clock.now()));
    target.calls();
    engine.run(&RunOptions::default()).unwrap();
    let found = engine.reconciliations(&ReconciliationFilter::default()).unwrap().pop().unwrap();
    (found, target.calls().into_iter().filter(|call| call.starts_with("list") || call.starts_with("changes")).collect())
}

#[test]
fn what_changed_alone_is_read_between_two_of_the_whole() {
    let (engine, clock, target) = office();
    let (first, calls) = next(&engine, &clock, &target);
    assert_eq!(calls, ["changes -", "list"], "{first:?}");
    assert_eq!((first.verdict, first.collected), (Some(SnapshotVerdict::Complete), 3));
    target.put("dan", true);
    let (second, calls) = next(&engine, &clock, &target);
    assert_eq!(calls, ["changes 3"]);
    assert_eq!((second.verdict, second.collected), (Some(SnapshotVerdict::Incomplete), 1));
    let (third, calls) = next(&engine, &clock, &target);
    assert_eq!((calls, third.collected), (vec!["changes 4".to_owned()], 0));
    for _ in 0..30 {
        let (found, calls) = next(&engine, &clock, &target);
        if calls.contains(&"list".to_owned()) {
            assert_eq!((found.verdict, found.collected), (Some(SnapshotVerdict::Complete), 4));
            assert!(found.created_at.since(first.created_at) >= rollkeeper::Period::from_seconds(86_400));
            return;
        }
    }
    panic!("the whole was not read again");
}

#[test]
fn where_the_target_forgot_the_token_the_whole_is_read() {
    let (engine, clock, target) = office();
    next(&engine, &clock, &target);
    target.0.lock().unwrap().forgets = true;
    let (found, calls) = next(&engine, &clock, &target);
    assert_eq!(calls, ["changes 3", "changes -", "list"]);
    assert_eq!(found.verdict, Some(SnapshotVerdict::Complete));
}

#[test]
fn whoever_asks_by_hand_has_the_whole_read() {
    let (engine, clock, target) = office();
    next(&engine, &clock, &target);
    let found = engine.reconcile("crm", Some("ann")).unwrap();
    assert_eq!(found.verdict, Some(SnapshotVerdict::Complete));
    assert_eq!(target.calls(), ["changes -", "list"]);
}
