//! What keeps calls back: rates, storms of 429, breakers, quarantine, maintenance, holds, in one process and in several.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::connector::{Connector, ConnectorError, Outcome, Page, TargetAccount};
use rollkeeper::model::{
    Alert, AlertKind, App, HoldScope, LogEntry, LogFilter, Request, RequestFilter, State, User, WaitingFor,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Code, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HOUR: Period = Period::from_seconds(3_600);

fn app(id: &str, keys: &Value) -> App {
    let mut app = json!({
        "id": id, "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
        "mapping": [{"target": "userName", "source": "username"}], "create_without_match": true,
    });
    app.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn put(engine: &Engine, id: &str, active: bool) {
    let user = json!({"id": id, "username": id, "profile": "Employees", "active": active});
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

fn engine_at(path: &Path, clock: &VirtualClock) -> Engine {
    Engine::builder().path(path).clock(Arc::new(clock.clone())).open().unwrap()
}

fn clock() -> VirtualClock {
    VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap())
}

fn waiting(engine: &Engine, wait: WaitingFor) -> Vec<Request> {
    let filter = RequestFilter { waiting_for: Some(wait), ..RequestFilter::default() };
    let found = engine.requests(&filter).unwrap();
    let all = engine.requests(&RequestFilter::default()).unwrap();
    let shown: Vec<_> = all.into_iter().filter(|request| request.waiting_for == Some(wait)).collect();
    assert_eq!(found, shown, "the filter and the listing say the same");
    let counted: u64 = engine.metrics().unwrap().apps.values().filter_map(|app| app.open.get(wait.name())).sum();
    assert_eq!(counted, found.len() as u64, "and so do the numbers");
    found
}

fn log(engine: &Engine, kind: &str) -> Vec<LogEntry> {
    let mut entries = engine.log(&LogFilter { limit: Some(100_000), ..LogFilter::default() }).unwrap();
    entries.retain(|entry| entry.kind == kind);
    entries
}

/// A target that takes so many calls a second, evenly, and says how long to wait.
struct Limited {
    clock: VirtualClock,
    gap: Period,
    state: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// When the next call is taken.
    next: Timestamp,
    taken: u32,
    refused: u32,
    /// Calls that came before the time that was asked for.
    early: u32,
    patience: Timestamp,
}

impl Connector for Limited {
    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        let (mut state, now) = (self.state.lock().unwrap(), self.clock.now());
        state.early += u32::from(now < state.patience);
        if now < state.next {
            state.refused += 1;
            let wait = state.next.since(now).max(Period::from_seconds(2));
            state.patience = now.plus(wait);
            let error = ConnectorError::new(Outcome::NotApplied, Code::RateLimited.name(), "too many");
            return Err(ConnectorError { retry_after: Some(wait), ..error });
        }
        state.next = now.plus(self.gap);
        state.taken += 1;
        let name = attributes["userName"].as_str().unwrap();
        let account = json!({"external_id": name, "username": name, "active": true, "attributes": {}});
        Ok(serde_json::from_value(account).unwrap())
    }
}

/// Creates so many users at a target that takes ten calls a second, and tells what it saw and how long that took.
fn storm(users: u32, per_second: u32) -> (Taken, Period) {
    let clock = clock();
    let engine = Engine::builder().clock(Arc::new(clock.clone())).open().unwrap();
    let limited =
        Arc::new(Limited { clock: clock.clone(), gap: Period::from_micros(100_000), state: Mutex::default() });
    engine.register_connector("limited", Arc::clone(&limited) as Arc<dyn Connector>).unwrap();
    let keys = json!({"connector": {"kind": "custom", "name": "limited"}, "rate": {"per_second": per_second}});
    engine.put_app(app("crm", &keys), None).unwrap();
    (0..users).for_each(|user| put(&engine, &format!("u{user}"), true));
    let start = clock.now();
    while let Some(due) = engine.run(&RunOptions::default()).unwrap().next_due {
        assert!(due > clock.now(), "a run does what is due");
        clock.set(due);
    }
    let all = engine.requests(&RequestFilter::default()).unwrap();
    assert!(all.iter().all(|request| request.state == State::Completed));
    (std::mem::take(&mut *limited.state.lock().unwrap()), clock.now().since(start))
}

#[test]
fn the_rate_of_a_target_is_used_and_kept() {
    let (seen, took) = storm(200, 10);
    assert_eq!((seen.taken, seen.refused), (200, 0));
    assert!(took <= Period::from_micros(20_000_000 * 100 / 97), "{took}");
}

#[test]
fn a_target_that_takes_less_than_it_was_said_to_is_not_called_early() {
    let (seen, took) = storm(200, 14);
    assert_eq!((seen.taken, seen.early), (200, 0));
    assert!(seen.refused <= 8, "{} refused", seen.refused);
    assert!(took <= Period::from_seconds(45), "{took}");
}

#[test]
fn two_processes_on_one_file_keep_to_one_rate() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("state.db"), clock());
    let (one, other) = (engine_at(&path, &clock), engine_at(&path, &clock));
    one.put_app(app("crm", &json!({"rate": {"per_second": 2, "burst": 2}})), None).unwrap();
    (0..20).for_each(|user| put(&one, &format!("u{user}"), true));
    let calls = || [&one, &other].map(|engine| engine.mock_target("crm").unwrap().calls().len());
    for engine in [&one, &other, &one] {
        engine.run(&RunOptions::default()).unwrap();
    }
    assert_eq!(calls(), [2, 0]);
    assert_eq!(waiting(&other, WaitingFor::Rate).len(), 18);
    clock.advance(Period::from_seconds(1));
    other.run(&RunOptions::default()).unwrap();
    one.run(&RunOptions::default()).unwrap();
    assert_eq!(calls(), [2, 2]);
}

#[test]
fn a_breaker_that_one_process_opened_holds_for_all_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("state.db"), clock());
    let other = engine_at(&path, &clock);
    {
        let one = engine_at(&path, &clock);
        one.put_app(app("crm", &json!({})), None).unwrap();
        put(&one, "u1", true);
        one.mock_target("crm").unwrap().script_json(r#"[{"on": "create", "fault": "unauthorized"}]"#).unwrap();
        one.run(&RunOptions::default()).unwrap();
        put(&one, "u2", true);
    }
    let until = clock.now().plus(Period::from_seconds(30));
    for engine in [other, engine_at(&path, &clock)] {
        assert_eq!(engine.run(&RunOptions::default()).unwrap().next_due, Some(until));
        let waits = waiting(&engine, WaitingFor::Breaker);
        assert!(waits.len() == 2 && waits.iter().all(|request| request.due_at == Some(until)));
    }
    let engine = engine_at(&path, &clock);
    clock.set(until);
    engine.run(&RunOptions::default()).unwrap();
    let calls = engine.mock_target("crm").unwrap().calls();
    let methods: Vec<&str> = calls.iter().map(|call| call.method.as_str()).collect();
    assert_eq!(methods, ["test", "create", "find", "create"], "a read goes first");
    assert_eq!(log(&engine, "paused")[0].details["reason"], "unauthorized");
}

#[test]
fn a_removal_of_access_is_the_first_probe_and_nothing_is_put_in_doubt_by_others() {
    let world = World::with_account(&json!({"breaker": {"failures": 1}}));
    world.script(
        &json!([{"on": "*", "times": 1, "fault": "unauthorized"}, {"on": "*", "times": 3, "fault": "unreachable"}]),
    );
    put(&world.engine, "u2", true);
    world.run();
    assert_eq!(world.calls(), ["create", "create"]);
    world.clock.advance(Period::from_seconds(30));
    world.run();
    assert_eq!(world.calls()[2..], ["test"], "the Create is not sent where a read fails");
    world.put(&json!({"active": false}));
    world.clock.advance(Period::from_seconds(60));
    world.run();
    assert_eq!(world.calls()[3..], ["deactivate"]);
    assert!(world.requests()[1].starts_with("Create Requested breaker"), "{:?}", world.requests());
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Completed", "Create Completed", "Deactivate Completed"]);
}

#[test]
fn a_target_that_is_gone_for_three_days_is_told_daily_and_everything_goes_when_it_is_back() {
    let world = World::with_account(&json!({}));
    world.mock().set_reachable(false);
    world.put(&json!({"active": false}));
    (0..30).for_each(|user| put(&world.engine, &format!("v{user}"), true));
    let start = world.clock.now();
    while world.clock.now().since(start) < Period::from_seconds(3 * 86_400 + 3_600) {
        let due = world.run().next_due.unwrap();
        world.clock.set(due.max(world.clock.now().plus(Period::from_seconds(1))));
    }
    let told = log(&world.engine, "quarantined");
    let days: Vec<&Value> = told.iter().map(|entry| &entry.details["days"]).collect();
    assert_eq!(days, [1, 2, 3]);
    assert_eq!((&told[0].details["waiting"], &told[0].details["removals"]), (&json!(31), &json!(1)));
    assert_eq!(told[0].details["reason"], "unreachable");
    let probes = world.calls().len();
    assert!(probes < 3 * 24 * 5, "{probes} calls in three days");
    assert!(world.all().iter().all(|request| !matches!(request.state, State::Failed | State::Cancelled)));
    world.mock().set_reachable(true);
    world.run_days(1);
    assert!(world.all().iter().all(|request| request.state == State::Completed));
    assert_eq!(log(&world.engine, "quarantine_ended").len(), 1);
    assert_eq!(world.accounts().len(), 31);
}

#[test]
fn a_target_that_fails_for_days_costs_no_request() {
    let world = World::with_account(&json!({"retry": {"attempts": 2}, "breaker": {"failures": 1}}));
    world.script(&json!([{"on": "*", "times": 1_000, "fault": "target_failed"}]));
    (0..5).for_each(|user| put(&world.engine, &format!("v{user}"), true));
    world.run_days(3);
    assert!(world.calls().iter().filter(|method| *method == "test").count() > 10, "{:?}", world.calls());
    assert!(world.all().iter().all(|request| request.state != State::Failed), "{:?}", world.requests());
}

#[test]
fn a_removal_that_used_up_its_attempts_is_told_once_and_tried_every_day() {
    let world = World::with_account(&json!({"retry": {"attempts": 2, "by_code": {"not_confirmed": {"attempts": 1}}}}));
    world.script(&json!([{"on": "deactivate", "times": 5, "fault": "ignored"}]));
    world.put(&json!({"active": false}));
    world.run_days(3);
    assert_eq!(world.requests()[1], "Deactivate Requested retry not_confirmed");
    let parked = log(&world.engine, "parked");
    assert_eq!(parked.len(), 1);
    assert_eq!((&parked[0].details["attempts"], &parked[0].details["code"]), (&json!(1), &json!("not_confirmed")));
    world.run_days(4);
    assert_eq!(world.requests()[1], "Deactivate Completed");
}

#[test]
fn in_maintenance_nothing_is_sent_and_nothing_is_lost() {
    let world = World::with_account(&json!({"reconcile": {"every": "PT1H"}}));
    world.engine.set_maintenance("crm", true, "ann").unwrap();
    world.put(&json!({"active": false}));
    let calls = world.calls().len();
    for _ in 0..10 {
        world.run();
        world.clock.advance(HOUR);
    }
    assert_eq!(world.calls().len(), calls);
    let waits = waiting(&world.engine, WaitingFor::Maintenance);
    assert!(waits.len() == 1 && waits[0].due_at.is_none());
    assert_eq!(world.run().next_due, None, "it has no end by the clock");
    let refused = world.engine.reconcile("crm", None).unwrap();
    assert_eq!(refused.faults[0].code, Code::AppDisabled);
    world.engine.set_maintenance("crm", false, "ann").unwrap();
    world.run();
    assert_eq!((world.accounts(), world.records()), (vec!["ann disabled".into()], vec!["1 Deactivated".into()]));
}

#[test]
fn what_is_held_is_not_due_and_each_hold_ends_by_itself() {
    let world = World::with_account(&json!({}));
    let user = HoldScope { user: Some("u1".into()), ..HoldScope::default() };
    let crm = HoldScope { app: Some("crm".into()), ..HoldScope::default() };
    world.engine.hold(&user, "ann", "an inquiry").unwrap();
    world.engine.hold(&crm, "ann", "a suspicion").unwrap();
    world.put(&json!({"active": false}));
    put(&world.engine, "u2", true);
    assert_eq!(world.run().next_due, None);
    assert_eq!(waiting(&world.engine, WaitingFor::Hold).len(), 2);
    assert!(world.logged("removal_held", "Deactivate"));
    world.engine.resume(&crm, "bob").unwrap();
    world.run();
    assert_eq!(world.requests(), ["Create Completed", "Deactivate New hold", "Create Completed"]);
    let again = world.engine.hold(&user, "bob", "once more").unwrap();
    assert_eq!(again.by, "ann", "it was held already");
    assert!(world.engine.resume(&user, "bob").unwrap().is_some());
    assert!(world.engine.resume(&user, "bob").unwrap().is_none());
    world.run();
    assert_eq!(world.requests()[1], "Deactivate Completed");
    assert_eq!(log(&world.engine, "resumed").len(), 2);
}

#[test]
fn a_request_that_is_held_lets_others_of_its_lane_pass() {
    let world = World::with_account(&json!({}));
    world.put(&json!({"title": "nurse"}));
    let update = world.all()[1].id.to_string();
    let scope = HoldScope { request: Some(update), ..HoldScope::default() };
    world.engine.hold(&scope, "ann", "a ticket").unwrap();
    world.put(&json!({"title": "nurse", "frozen": true}));
    world.run();
    assert_eq!(world.requests()[2], "Freeze Completed");
    assert_eq!(world.requests()[1], "Update New hold");
    world.engine.resume(&scope, "ann").unwrap();
    world.run();
    assert_eq!(world.requests()[1], "Update Completed");
    let finished = world.engine.hold(&scope, "ann", "too late").unwrap_err();
    assert_eq!(finished.code(), Code::InvalidTransition);
}

#[test]
fn removals_that_a_person_keeps_back_are_told() {
    let world = World::with_account(&json!({}));
    let alerts = || {
        let entries = world.engine.log(&LogFilter::default()).unwrap();
        let held = entries.iter().filter_map(Alert::of).filter(|alert| alert.kind == AlertKind::RemovalHeld);
        held.map(|alert| (alert.user, alert.code)).collect::<Vec<_>>()
    };
    let user = HoldScope { user: Some("u1".into()), ..HoldScope::default() };
    world.engine.hold(&user, "ann", "an inquiry").unwrap();
    assert_eq!(alerts(), [], "there is none yet");
    world.put(&json!({"active": false}));
    assert_eq!(alerts(), [(Some("u1".to_owned()), None)]);
    world.engine.resume(&user, "ann").unwrap();
    let crm = HoldScope { app: Some("crm".into()), ..HoldScope::default() };
    world.engine.hold(&crm, "ann", "timeout").unwrap();
    assert_eq!(alerts()[1..], [(None, None)], "an app's are told together, and what a person wrote is no code");
}

#[test]
fn a_removal_that_comes_up_while_its_whole_app_is_kept_back_is_told() {
    for maintenance in [false, true] {
        let world = World::with_account(&json!({}));
        let crm = HoldScope { app: Some("crm".into()), ..HoldScope::default() };
        if maintenance {
            world.engine.set_maintenance("crm", true, "ann").unwrap();
        } else {
            world.engine.hold(&crm, "ann", "a suspicion").unwrap();
        }
        world.put(&json!({"title": "nurse"}));
        assert_eq!(log(&world.engine, "removal_held").len(), 0, "an Update takes nothing away");
        world.put(&json!({"active": false}));
        assert_eq!(log(&world.engine, "removal_held").len(), 1, "maintenance: {maintenance}");
        world.engine.delete_user("u1", None).unwrap();
        assert_eq!(log(&world.engine, "removal_held").len(), 1, "it is the same removal");
    }
}

#[test]
fn whoever_deletes_again_a_user_who_has_left_has_what_was_cancelled_taken_away() {
    let world = World::with_account(&json!({}));
    let made = world.engine.delete_user("u1", None).unwrap();
    world.engine.cancel(made[0].id.as_str(), Some("ann")).unwrap();
    world.run();
    let again = world.engine.delete_user("u1", Some("hr")).unwrap();
    assert_eq!(again.len(), 1);
    world.run();
    assert_eq!(world.requests()[2], "Deactivate Completed");
    assert!(world.engine.delete_user("u1", None).unwrap().is_empty(), "there is nothing more to take away");
    assert_eq!(world.engine.delete_user("nobody", None).unwrap_err().code(), Code::NotFound);
}

/// A target that refuses the credentials once, and answers the next call when it is told to.
struct Probed {
    begun: Sender<()>,
    go_on: Mutex<Receiver<()>>,
    calls: Mutex<u32>,
}

impl Connector for Probed {
    fn test(&self) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        *self.calls.lock().unwrap() += 1;
        if *self.calls.lock().unwrap() == 1 {
            return Err(ConnectorError::new(Outcome::NotApplied, Code::Unauthorized.name(), "who are you"));
        }
        self.begun.send(()).unwrap();
        self.go_on.lock().unwrap().recv_timeout(Duration::from_secs(30)).unwrap();
        let name = attributes["userName"].as_str().unwrap();
        let account = json!({"external_id": name, "username": name, "active": true, "attributes": {}});
        Ok(serde_json::from_value(account).unwrap())
    }
}

#[test]
fn whoever_sees_another_process_try_a_target_waits_for_what_comes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("state.db"), clock());
    let ((begun, has_begun), (answer, go_on)) = (channel(), channel());
    let (one, other) = (engine_at(&path, &clock), engine_at(&path, &clock));
    let probed: Arc<dyn Connector> = Arc::new(Probed { begun, go_on: Mutex::new(go_on), calls: Mutex::new(0) });
    for engine in [&one, &other] {
        engine.register_connector("probed", Arc::clone(&probed)).unwrap();
    }
    one.put_app(app("crm", &json!({"connector": {"kind": "custom", "name": "probed"}})), None).unwrap();
    put(&one, "u1", true);
    one.run(&RunOptions::default()).unwrap();
    put(&one, "u2", true);
    clock.advance(Period::from_seconds(30));
    let running = std::thread::spawn(move || one.run(&RunOptions::default()).unwrap());
    has_begun.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(other.run(&RunOptions::default()).unwrap().next_due.is_some());
    assert_eq!(waiting(&other, WaitingFor::Breaker).len(), 1);
    answer.send(()).unwrap();
    answer.send(()).unwrap();
    running.join().unwrap();
}

/// A target that fails, or lists nobody, while somebody holds its app.
#[derive(Default)]
struct HeldMeanwhile {
    engine: Mutex<Option<Engine>>,
    lists: Mutex<u32>,
    groups: Mutex<u32>,
    works: bool,
}

impl Connector for HeldMeanwhile {
    fn create(&self, _: &Attributes, _: &str) -> Result<TargetAccount, ConnectorError> {
        Err(ConnectorError::unsupported("create"))
    }

    fn list(&self, _: Option<&str>, _: Option<&str>) -> Result<Page, ConnectorError> {
        *self.lists.lock().unwrap() += 1;
        let crm = HoldScope { app: Some("crm".into()), ..HoldScope::default() };
        self.engine.lock().unwrap().take().map(|engine| engine.hold(&crm, "ann", "a suspicion").unwrap());
        if self.works {
            return Ok(Page { complete: true, ..Page::default() });
        }
        Err(ConnectorError::new(Outcome::NotApplied, Code::Unreachable.name(), "the target could not be reached"))
    }

    fn list_groups(&self, _: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        *self.groups.lock().unwrap() += 1;
        Ok((Vec::new(), None))
    }
}

#[test]
fn an_app_that_is_held_while_its_accounts_are_read_is_not_asked_for_its_groups() {
    for held in [false, true] {
        let engine = Engine::builder().clock(Arc::new(clock())).open().unwrap();
        let target = Arc::new(HeldMeanwhile { works: true, ..HeldMeanwhile::default() });
        engine.register_connector("held", Arc::clone(&target) as Arc<dyn Connector>).unwrap();
        let settings = json!({"connector": {"kind": "custom", "name": "held"},
            "entitlements": [{"grant": "profile", "name": "Employees", "group": {"display_name": "everybody"}}]});
        engine.put_app(app("crm", &settings), None).unwrap();
        *target.engine.lock().unwrap() = held.then(|| engine.clone());
        let found = engine.reconcile("crm", None).unwrap();
        assert_eq!((*target.groups.lock().unwrap(), held), (u32::from(!held), held));
        assert_eq!(found.notes.iter().any(|note| note.contains("app_disabled")), held, "{:?}", found.notes);
    }
}

#[test]
fn an_app_that_is_held_while_its_target_is_read_is_not_asked_again() {
    let clock = clock();
    let engine = Engine::builder().clock(Arc::new(clock.clone())).open().unwrap();
    let target = Arc::new(HeldMeanwhile::default());
    engine.register_connector("held", Arc::clone(&target) as Arc<dyn Connector>).unwrap();
    engine.put_app(app("crm", &json!({"connector": {"kind": "custom", "name": "held"}})), None).unwrap();
    *target.engine.lock().unwrap() = Some(engine.clone());
    let start = clock.now();
    let refused = engine.reconcile("crm", None).unwrap();
    assert_eq!((refused.faults[0].code, *target.lists.lock().unwrap()), (Code::AppDisabled, 1));
    assert!(clock.now().since(start) < Period::from_seconds(10), "and nobody waits for a person");
}
