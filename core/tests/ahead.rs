//! Calls that are claimed together: how many, and what becomes of those that were not begun.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::{Connector, ConnectorError, Outcome, TargetAccount};
use rollkeeper::model::{App, HoldScope, LogFilter, Progress, RequestFilter, State, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::value::Attributes;
use rollkeeper::{Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Whoever waits that long waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);
const USERS: usize = 60;

type Answer = Box<dyn Fn(usize, &str) -> Result<(), ConnectorError> + Send + Sync>;

/// A target that makes accounts, and does something with each call before.
struct Target {
    before: Answer,
    calls: AtomicUsize,
}

impl Connector for Target {
    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        let name = attributes["userName"].as_str().unwrap();
        (self.before)(self.calls.fetch_add(1, Ordering::SeqCst) + 1, name)?;
        let account = json!({"external_id": name, "username": name, "active": true, "attributes": {}});
        Ok(serde_json::from_value(account).unwrap())
    }

    fn deactivate(&self, _external_id: &str) -> Result<(), ConnectorError> {
        (self.before)(self.calls.fetch_add(1, Ordering::SeqCst) + 1, "leaves")
    }
}

fn put(engine: &Engine, id: &str, active: bool) {
    let user = json!({"id": id, "username": id, "profile": "Employees", "active": active});
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

/// An app with so many users, at a target that does that with each call.
fn begin(engine: &Engine, before: Answer) -> Arc<Target> {
    begin_with(engine, &json!([{"target": "userName", "source": "username"}]), before)
}

/// The same with that mapping.
fn begin_with(engine: &Engine, mapping: &Value, before: Answer) -> Arc<Target> {
    let target = Arc::new(Target { before, calls: AtomicUsize::new(0) });
    engine.register_connector("target", Arc::clone(&target) as Arc<dyn Connector>).unwrap();
    let app = json!({
        "id": "crm", "connector": {"kind": "custom", "name": "target"}, "assigned_to": {"profiles": ["Employees"]},
        "rate": {"concurrency": 8}, "mapping": mapping, "create_without_match": true,
    });
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    (0..USERS).for_each(|number| put(engine, &format!("u{number:02}"), true));
    target
}

/// An engine whose clock goes on only where it is told to.
fn engine() -> (Engine, VirtualClock) {
    let clock = VirtualClock::new(Timestamp::default());
    (Engine::builder().clock(Arc::new(clock.clone())).seed(7).open().unwrap(), clock)
}

/// The most calls that were claimed and not answered at any time.
fn most_claimed(engine: &Engine) -> usize {
    let log = engine.log(&LogFilter { limit: Some(100_000), ..LogFilter::default() }).unwrap();
    let mut out = BTreeSet::new();
    let mut most = 0;
    for entry in log {
        match entry.kind.as_str() {
            "sending" => drop(out.insert(entry.request)),
            "answered" => drop(out.remove(&entry.request)),
            _ => {}
        }
        most = most.max(out.len());
    }
    most
}

/// How many accounts were made, and how many requests are in that state.
fn count(engine: &Engine, state: State) -> usize {
    engine.requests(&RequestFilter { state: Some(state), ..RequestFilter::default() }).unwrap().len()
}

#[test]
fn at_a_target_that_answers_fast_one_commit_carries_many_calls() {
    for (workers, most, turns) in [(1, 8, 12), (4, 32, 12)] {
        let (engine, _) = engine();
        begin(&engine, Box::new(|_, _| Ok(())));
        let told = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&told);
        let progress = move |_: &Progress| counts.fetch_add(1, Ordering::SeqCst) < 100_000;
        let options = RunOptions { workers, progress: Some(Arc::new(progress)), ..RunOptions::default() };
        assert_eq!(engine.run(&options).unwrap().completed, USERS as u64);
        let claimed = most_claimed(&engine);
        assert!(claimed > workers && claimed <= most, "{claimed} at once with {workers} workers");
        let told = told.load(Ordering::SeqCst);
        assert!(workers > 1 || told <= turns, "{told} transactions for {USERS} calls");
    }
}

#[test]
fn at_a_slow_target_nothing_is_claimed_before_its_turn() {
    let (engine, clock) = engine();
    let slow = move |_: usize, _: &str| {
        clock.advance(Period::from_micros(50_000));
        Ok(())
    };
    begin(&engine, Box::new(slow));
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!((most_claimed(&engine), count(&engine, State::Completed)), (1, USERS));
}

#[test]
fn where_a_call_depends_on_the_one_before_nothing_is_claimed_before_its_turn() {
    let name = json!({"target": "userName", "source": "username"});
    let unique = json!({"target": "userName", "expression": "user.username + token", "unique": true});
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
    let refers = json!({"target": manager, "source": "manager"});
    for mapping in [json!([unique]), json!([name, refers])] {
        let (engine, _) = engine();
        begin_with(&engine, &mapping, Box::new(|_, _| Ok(())));
        engine.run(&RunOptions::default()).unwrap();
        assert_eq!((most_claimed(&engine), count(&engine, State::Completed)), (1, USERS));
    }
}

#[test]
fn a_target_that_becomes_slow_is_sent_what_it_can_do_in_a_moment() {
    let (engine, clock) = engine();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (seen, ticks) = (Arc::clone(&calls), clock.clone());
    let slow_later = move |call: usize, _: &str| {
        // From the 20th on each call takes a second.
        if call >= 20 {
            ticks.advance(Period::from_seconds(1));
        }
        seen.lock().unwrap().push(call);
        Ok(())
    };
    begin(&engine, Box::new(slow_later));
    engine.run(&RunOptions::default()).unwrap();
    let log = engine.log(&LogFilter { limit: Some(100_000), ..LogFilter::default() }).unwrap();
    let given_back = log.iter().filter(|entry| entry.details["outcome"] == "not_applied").count();
    assert!((1..8).contains(&given_back), "{given_back} were given back, and only once");
    assert_eq!((calls.lock().unwrap().len(), count(&engine, State::Completed)), (USERS, USERS));
}

#[test]
fn what_was_claimed_is_not_sent_once_its_app_is_held() {
    let (engine, _) = engine();
    let holding = engine.clone();
    let scope = HoldScope { app: Some("crm".to_owned()), ..HoldScope::default() };
    let held = scope.clone();
    let hold = move |call: usize, _: &str| {
        if call == 5 {
            holding.hold(&held, "boss", "wait").unwrap();
        }
        Ok(())
    };
    let target = begin(&engine, Box::new(hold));
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!(target.calls.load(Ordering::SeqCst), 5, "those that were claimed with it were not sent");
    assert_eq!(count(&engine, State::Completed), 5);
    assert_eq!(engine.requests(&RequestFilter::default()).unwrap().len(), USERS, "nothing is lost");
    engine.resume(&scope, "boss").unwrap();
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!((target.calls.load(Ordering::SeqCst), count(&engine, State::Completed)), (USERS, USERS));
}

#[test]
fn what_was_claimed_is_not_sent_after_the_target_asked_for_patience() {
    let (engine, clock) = engine();
    let patience = |call: usize, _: &str| match call {
        5 => Err(ConnectorError::new(Outcome::NotApplied, "rate_limited", "not so fast")),
        _ => Ok(()),
    };
    let target = begin(&engine, Box::new(patience));
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!(target.calls.load(Ordering::SeqCst), 5);
    clock.advance(Period::from_seconds(3600));
    engine.run(&RunOptions::default()).unwrap();
    clock.advance(Period::from_seconds(3600));
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!((target.calls.load(Ordering::SeqCst), count(&engine, State::Completed)), (USERS + 1, USERS));
}

#[test]
fn what_was_claimed_when_a_run_ends_is_done_by_the_next() {
    let (engine, _) = engine();
    let stopping = engine.clone();
    let stop = move |call: usize, _: &str| {
        if call == 5 {
            stopping.cancel_run();
        }
        Ok(())
    };
    let target = begin(&engine, Box::new(stop));
    assert!(engine.run(&RunOptions::default()).unwrap().stopped);
    assert_eq!((target.calls.load(Ordering::SeqCst), count(&engine, State::Completed)), (5, 5));
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!((target.calls.load(Ordering::SeqCst), count(&engine, State::Completed)), (USERS, USERS));
}

#[test]
fn who_leaves_waits_for_no_more_than_what_was_claimed() {
    let (engine, _) = engine();
    let leaving = engine.clone();
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    let leave = move |call: usize, name: &str| {
        seen.lock().unwrap().push(name.to_owned());
        if call == 20 {
            put(&leaving, "u00", false);
        }
        Ok(())
    };
    begin(&engine, Box::new(leave));
    engine.run(&RunOptions::default()).unwrap();
    let place = order.lock().unwrap().iter().position(|name| name == "leaves").unwrap();
    assert!(place <= 20 + 8, "the removal was call {place}");
}

/// A door that one call waits at.
#[derive(Default)]
struct Door {
    open: Mutex<bool>,
    opened: Condvar,
}

#[test]
fn nobody_waits_behind_a_call_that_hangs() {
    let engine = Engine::builder().open().unwrap();
    let door = Arc::new(Door::default());
    let at = Arc::clone(&door);
    let hang = move |call: usize, _: &str| {
        if call == 30 {
            let open = at.open.lock().unwrap();
            let (_open, waited) = at.opened.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap();
            assert!(!waited.timed_out(), "nobody opened it");
        }
        Ok(())
    };
    begin(&engine, Box::new(hang));
    let (done, finished) = channel();
    let done = Mutex::new(done);
    let progress = move |progress: &Progress| {
        if progress.completed == USERS as u64 - 1 {
            let _ = done.lock().unwrap().send(());
        }
        true
    };
    let options = RunOptions { workers: 2, progress: Some(Arc::new(progress)), ..RunOptions::default() };
    let running = engine.clone();
    let run = std::thread::spawn(move || running.run(&options).unwrap());
    let others = finished.recv_timeout(PATIENCE / 2);
    *door.open.lock().unwrap() = true;
    door.opened.notify_all();
    assert_eq!(run.join().unwrap().completed, USERS as u64);
    assert!(others.is_ok(), "the others waited for the one that hangs");
}
