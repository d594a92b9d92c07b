//! Runs: several threads, several engines, callbacks that panic, calls that hang, an app that changes meanwhile.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::{Change, Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{App, LogEntry, Request, RequestFilter, State, User, WaitingFor};
use rollkeeper::testing::VirtualClock;
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::spawn;
use std::time::Duration;

/// Whoever waits that long waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

fn app(keys: &Value) -> App {
    let mut app = json!({
        "id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
        "mapping": [{"target": "userName", "source": "username"}], "create_without_match": true,
    });
    app.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn put(engine: &Engine, id: &str, keys: &Value) -> Vec<Request> {
    let mut user = json!({"id": id, "username": id, "profile": "Employees", "active": true});
    user.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap()
}

fn engine_at(path: &Path) -> Engine {
    Engine::builder().path(path).open().unwrap()
}

fn workers(workers: usize) -> RunOptions {
    RunOptions { workers, ..RunOptions::default() }
}

fn requests_of(engine: &Engine, user: &str) -> Vec<Request> {
    engine.requests(&RequestFilter { user: Some(user.to_owned()), ..RequestFilter::default() }).unwrap()
}

fn all(engine: &Engine) -> Vec<Request> {
    engine.requests(&RequestFilter::default()).unwrap()
}

/// A target whose accounts are named after their users. Creating one whose name begins with `slow` tells that it has begun,
/// and ends when it is let go.
struct Doors {
    begun: Mutex<Sender<()>>,
    let_go: Mutex<Receiver<()>>,
    active: Mutex<HashMap<String, bool>>,
    updates: AtomicUsize,
}

/// The side of the doors on which a test stands.
struct Doorkeeper {
    target: Arc<Doors>,
    begun: Receiver<()>,
    let_go: Sender<()>,
}

fn doors(engine: &Engine) -> Doorkeeper {
    let ((begun_at, begun), (let_go, let_go_at)) = (channel(), channel());
    let target = Arc::new(Doors {
        begun: Mutex::new(begun_at),
        let_go: Mutex::new(let_go_at),
        active: Mutex::default(),
        updates: AtomicUsize::new(0),
    });
    engine.register_connector("doors", Arc::clone(&target) as Arc<dyn Connector>).unwrap();
    Doorkeeper { target, begun, let_go }
}

fn behind_doors(keys: &Value) -> App {
    let mut custom = json!({"connector": {"kind": "custom", "name": "doors"}});
    custom.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    app(&custom)
}

impl Doorkeeper {
    fn wait_until_begun(&self) {
        self.begun.recv_timeout(PATIENCE).unwrap();
    }

    fn let_go(&self) {
        self.let_go.send(()).unwrap();
    }

    fn account(&self, name: &str) -> Option<bool> {
        self.target.active.lock().unwrap().get(name).copied()
    }
}

impl Doors {
    fn shown(name: &str, active: bool) -> TargetAccount {
        let account =
            json!({"external_id": name, "username": name, "active": active, "frozen": false, "attributes": {}});
        serde_json::from_value(account).unwrap()
    }
}

impl Connector for Doors {
    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        let name = attributes["userName"].as_str().unwrap();
        if name.starts_with("slow") {
            self.begun.lock().unwrap().send(()).unwrap();
            self.let_go.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        self.active.lock().unwrap().insert(name.to_owned(), true);
        Ok(Self::shown(name, true))
    }

    fn update(&self, _: &str, _: &[Change], _: Option<&str>) -> Result<Option<TargetAccount>, ConnectorError> {
        self.updates.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.active.lock().unwrap().insert(external_id.to_owned(), false);
        Ok(())
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        let active = self.active.lock().unwrap().get(external_id).copied();
        Ok(active.map(|active| Self::shown(external_id, active)))
    }
}

#[test]
fn threads_that_step_and_run_at_once_finish_and_repeat_nothing() {
    let engine = Engine::builder().open().unwrap();
    engine.put_app(app(&json!({"rate": {"concurrency": 64}})), None).unwrap();
    let (done, finished) = channel();
    for thread in 0..4 {
        let (engine, done) = (engine.clone(), done.clone());
        spawn(move || {
            for number in 0..50 {
                put(&engine, &format!("u{thread}-{number}"), &json!({}));
                engine.step().unwrap();
            }
            engine.run(&workers(thread + 1)).unwrap();
            done.send(()).unwrap();
        });
    }
    for _ in 0..4 {
        finished.recv_timeout(PATIENCE).unwrap();
    }
    engine.run(&workers(1)).unwrap();
    assert_eq!(engine.mock_target("crm").unwrap().calls().len(), 200);
    assert!(all(&engine).iter().all(|request| request.state == State::Completed));
}

#[test]
fn a_log_callback_that_panics_does_not_hold_up_a_run() {
    let log = |entry: &LogEntry| assert_ne!(entry.kind, "sending", "the host's own mistake");
    let engine = Engine::builder().log(Arc::new(log)).open().unwrap();
    engine.put_app(app(&json!({})), None).unwrap();
    put(&engine, "u1", &json!({}));
    let (done, finished) = channel();
    let running = engine.clone();
    spawn(move || done.send(running.run(&workers(2)).unwrap().completed).unwrap());
    assert_eq!(finished.recv_timeout(PATIENCE).unwrap(), 1);
}

#[test]
fn a_progress_callback_that_panics_ends_its_run_and_no_other() {
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let engine = Engine::builder().clock(Arc::new(clock.clone())).open().unwrap();
    engine.put_app(app(&json!({"rate": {"concurrency": 1}})), None).unwrap();
    put(&engine, "u1", &json!({}));
    let (done, finished) = channel();
    let running = engine.clone();
    spawn(move || {
        let options = RunOptions { progress: Some(Arc::new(|_| panic!("the host's own mistake"))), ..workers(2) };
        done.send(catch_unwind(AssertUnwindSafe(|| running.run(&options))).is_err()).unwrap();
    });
    assert!(finished.recv_timeout(PATIENCE).unwrap(), "the panic is the caller's");
    // What was being sent is found after its lease and the time to settle; the app's only place is free again.
    for _ in 0..5 {
        clock.advance(Period::from_seconds(300));
        engine.run(&workers(2)).unwrap();
    }
    assert_eq!(all(&engine)[0].state, State::Completed);
    assert_eq!(engine.mock_target("crm").unwrap().accounts().len(), 1);
}

#[test]
fn progress_that_says_no_ends_the_run_after_the_calls_that_are_out() {
    let engine = Engine::builder().open().unwrap();
    engine.put_app(app(&json!({})), None).unwrap();
    for number in 0..20 {
        put(&engine, &format!("u{number}"), &json!({}));
    }
    let options = RunOptions { progress: Some(Arc::new(|_| false)), ..workers(2) };
    let progress = engine.run(&options).unwrap();
    assert!(progress.stopped);
    assert_eq!(progress.completed + progress.open, 20);
    assert!(progress.open >= 18, "{progress:?}");
    assert!(all(&engine).iter().all(|request| matches!(request.state, State::New | State::Completed)));
    assert!(!engine.run(&workers(2)).unwrap().stopped, "the next run is another one");
}

#[test]
fn stopping_waits_for_the_call_that_is_out_and_keeps_its_answer() {
    let engine = Engine::builder().open().unwrap();
    let doors = doors(&engine);
    engine.put_app(behind_doors(&json!({})), None).unwrap();
    put(&engine, "slow", &json!({}));
    put(&engine, "u2", &json!({}));
    let running = engine.clone();
    let run = spawn(move || running.run(&workers(1)).unwrap());
    doors.wait_until_begun();
    engine.cancel_run();
    doors.let_go();
    assert!(run.join().unwrap().stopped);
    engine.stop();
    assert_eq!(requests_of(&engine, "slow")[0].state, State::Completed);
    assert_eq!(requests_of(&engine, "u2")[0].state, State::New);
}

#[test]
fn a_call_that_hangs_does_not_hold_up_who_leaves_meanwhile() {
    let engine = Engine::builder().open().unwrap();
    let doors = doors(&engine);
    engine.put_app(behind_doors(&json!({})), None).unwrap();
    put(&engine, "u1", &json!({}));
    engine.run(&workers(1)).unwrap();
    put(&engine, "slow", &json!({}));
    let (told, news) = channel();
    let told = Mutex::new(told);
    let completed = move |progress: &rollkeeper::model::Progress| {
        let _ = told.lock().unwrap().send(progress.completed);
        true
    };
    let running = engine.clone();
    let options = RunOptions { progress: Some(Arc::new(completed)), ..workers(4) };
    let run = spawn(move || running.run(&options).unwrap());
    doors.wait_until_begun();
    put(&engine, "u1", &json!({"active": false}));
    while news.recv_timeout(PATIENCE).unwrap() == 0 {}
    assert_eq!(doors.account("u1"), Some(false));
    assert_eq!(requests_of(&engine, "slow")[0].state, State::Requested, "it is still out");
    doors.let_go();
    assert_eq!(run.join().unwrap().completed, 2);
}

#[test]
fn two_engines_on_one_file_see_each_others_apps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (one, other) = (engine_at(&path), engine_at(&path));
    one.put_app(app(&json!({})), None).unwrap();
    assert_eq!(other.apps().unwrap().len(), 1);
    assert_eq!(put(&other, "u1", &json!({})).len(), 1);
    one.run(&workers(1)).unwrap();
    assert_eq!(put(&other, "u1", &json!({"active": false})).len(), 1);
    one.run(&workers(1)).unwrap();
    assert!(!one.mock_target("crm").unwrap().accounts()[0].active);
    other.put_app(app(&json!({"assigned_to": {"profiles": ["Guests"]}})), None).unwrap();
    assert!(put(&one, "u2", &json!({})).is_empty());
    assert_eq!(put(&one, "u3", &json!({"profile": "Guests"})).len(), 1);
    other.delete_app("crm", None).unwrap();
    assert!(put(&one, "u4", &json!({"profile": "Guests"})).is_empty());
}

#[test]
fn nobody_is_forgotten_who_comes_while_an_app_is_put() {
    for _ in 0..5 {
        let engine = Engine::builder().open().unwrap();
        let barrier = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let (engine, barrier) = (engine.clone(), Arc::clone(&barrier));
                spawn(move || {
                    barrier.wait();
                    for number in 0..20 {
                        put(&engine, &format!("u{thread}-{number}"), &json!({}));
                    }
                })
            })
            .collect();
        barrier.wait();
        engine.put_app(app(&json!({})), None).unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // A record that was put before any app read it lacks what was not stored, and says so; nobody is passed over.
        for thread in 0..2 {
            for number in 0..20 {
                assert_eq!(requests_of(&engine, &format!("u{thread}-{number}")).len(), 1);
            }
        }
    }
}

#[test]
fn an_app_is_in_use_when_its_log_entry_is_told() {
    let slot: Arc<Mutex<Option<Engine>>> = Arc::default();
    let (made, seen) = channel();
    let (told, made) = (Arc::clone(&slot), Mutex::new(made));
    let log = move |entry: &LogEntry| {
        if entry.kind == "app_put" {
            let engine = told.lock().unwrap().clone().unwrap();
            made.lock().unwrap().send(put(&engine, "u1", &json!({})).len()).unwrap();
        }
    };
    let engine = Engine::builder().log(Arc::new(log)).open().unwrap();
    *slot.lock().unwrap() = Some(engine.clone());
    engine.put_app(app(&json!({})), None).unwrap();
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), 1);
}

#[test]
fn nothing_follows_a_call_that_was_out_when_its_app_was_disabled() {
    let engine = Engine::builder().open().unwrap();
    let doors = doors(&engine);
    let mapping = json!([{"target": "userName", "source": "username"}, {"target": "title", "source": "title"}]);
    engine.put_app(behind_doors(&json!({"mapping": mapping})), None).unwrap();
    put(&engine, "slow", &json!({}));
    let running = engine.clone();
    let run = spawn(move || running.run(&workers(1)).unwrap());
    doors.wait_until_begun();
    put(&engine, "slow", &json!({"title": "nurse"}));
    engine.put_app(behind_doors(&json!({"mapping": mapping, "enabled": false})), None).unwrap();
    doors.let_go();
    run.join().unwrap();
    assert_eq!(doors.target.updates.load(Ordering::SeqCst), 0);
    let requests = requests_of(&engine, "slow");
    assert_eq!(requests[0].state, State::Completed, "the answer counts");
    assert_eq!(requests[1].waiting_for, Some(WaitingFor::Disabled));
    engine.put_app(behind_doors(&json!({"mapping": mapping})), None).unwrap();
    engine.run(&workers(1)).unwrap();
    assert_eq!(doors.target.updates.load(Ordering::SeqCst), 1);
}

#[test]
fn an_app_is_not_deleted_while_a_call_to_it_is_out() {
    let engine = Engine::builder().open().unwrap();
    let doors = doors(&engine);
    engine.put_app(behind_doors(&json!({})), None).unwrap();
    put(&engine, "slow", &json!({}));
    let running = engine.clone();
    let run = spawn(move || running.run(&workers(1)).unwrap());
    doors.wait_until_begun();
    assert!(engine.delete_app("crm", None).is_err());
    doors.let_go();
    run.join().unwrap();
    assert!(engine.delete_app("crm", None).unwrap().is_empty());
}

#[test]
fn a_target_that_asks_for_patience_is_left_alone_by_everybody() {
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let engine = Engine::builder().clock(Arc::new(clock.clone())).open().unwrap();
    engine.put_app(app(&json!({"rate": {"concurrency": 1}})), None).unwrap();
    let mock = engine.mock_target("crm").unwrap();
    mock.script_json(r#"[{"on": "create", "fault": "rate_limited", "retry_after": "PT1H"}]"#).unwrap();
    for number in 0..20 {
        put(&engine, &format!("u{number}"), &json!({}));
    }
    let progress = engine.run(&workers(1)).unwrap();
    assert_eq!(mock.calls().len(), 1);
    assert_eq!(progress.next_due, Some(clock.now().plus(Period::from_seconds(3600))));
    clock.advance(Period::from_seconds(3599));
    engine.run(&workers(1)).unwrap();
    assert_eq!(mock.calls().len(), 1);
    clock.advance(Period::from_seconds(10));
    engine.run(&workers(1)).unwrap();
    assert_eq!(mock.accounts().len(), 20);
}

#[test]
fn a_target_that_always_asks_for_patience_does_not_keep_a_run_busy() {
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let engine = Engine::builder().clock(Arc::new(clock)).open().unwrap();
    engine.put_app(app(&json!({"retry": {"first": "PT0.000001S"}})), None).unwrap();
    let mock = engine.mock_target("crm").unwrap();
    mock.script_json(r#"[{"on": "create", "fault": "rate_limited", "times": 5000}]"#).unwrap();
    put(&engine, "u1", &json!({}));
    engine.run(&workers(1)).unwrap();
    assert_eq!(mock.calls().len(), 1);
}

#[test]
fn a_store_that_is_busy_for_a_while_loses_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let engine = engine_at(&path);
    let doors = doors(&engine);
    engine.put_app(behind_doors(&json!({})), None).unwrap();
    put(&engine, "slow", &json!({}));
    let running = engine.clone();
    let run = spawn(move || running.run(&workers(2)));
    doors.wait_until_begun();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    doors.let_go();
    // Longer than the store waits by itself; nobody ever lets this go.
    assert!(doors.begun.recv_timeout(Duration::from_millis(5500)).is_err());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(run.join().unwrap().unwrap().completed, 1);
    assert_eq!(requests_of(&engine, "slow")[0].attempts, 1);
}

#[test]
fn what_has_no_connector_says_what_it_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    {
        let engine = engine_at(&path);
        let _doors = doors(&engine);
        engine.put_app(behind_doors(&json!({})), None).unwrap();
        put(&engine, "u1", &json!({}));
    }
    let engine = engine_at(&path);
    assert_eq!(engine.run(&workers(1)).unwrap().next_due, None);
    assert_eq!(all(&engine)[0].waiting_for, Some(WaitingFor::Dependency));
    let waiting = RequestFilter { waiting_for: Some(WaitingFor::Dependency), ..RequestFilter::default() };
    assert_eq!(engine.requests(&waiting).unwrap().len(), 1);
    let doors = doors(&engine);
    engine.run(&workers(1)).unwrap();
    assert_eq!(doors.account("u1"), Some(true));
}

#[test]
fn what_waits_for_a_breaker_is_found_behind_what_does_not() {
    let engine = Engine::builder().open().unwrap();
    engine.put_app(app(&json!({})), None).unwrap();
    put(&engine, "u1", &json!({}));
    engine.run(&workers(1)).unwrap();
    let mock = engine.mock_target("crm").unwrap();
    mock.script_json(r#"[{"on": "create", "fault": "unauthorized"}]"#).unwrap();
    for user in ["u2", "u3", "u4"] {
        put(&engine, user, &json!({}));
    }
    engine.run(&workers(1)).unwrap();
    let mut waiting =
        RequestFilter { waiting_for: Some(WaitingFor::Breaker), limit: Some(2), ..RequestFilter::default() };
    let found = engine.requests(&waiting).unwrap();
    assert_eq!(found.len(), 2);
    waiting.after = Some(found[1].id.to_string());
    assert_eq!(engine.requests(&waiting).unwrap().len(), 1);
}

#[test]
fn a_connector_that_panics_ends_no_run() {
    struct Panicking(AtomicBool);
    impl Connector for Panicking {
        fn create(&self, _: &Attributes, _: &str) -> Result<TargetAccount, ConnectorError> {
            assert!(self.0.swap(true, Ordering::SeqCst), "the connector's own mistake");
            Ok(Doors::shown("u1", true))
        }
    }
    let engine = Engine::builder().open().unwrap();
    engine.register_connector("doors", Arc::new(Panicking(AtomicBool::new(false)))).unwrap();
    engine.put_app(behind_doors(&json!({})), None).unwrap();
    put(&engine, "u1", &json!({}));
    assert_eq!(engine.run(&workers(2)).unwrap().failed, 1);
    assert_eq!(all(&engine)[0].faults[0].code, rollkeeper::Code::Uncertain);
}

#[test]
fn a_record_that_cannot_be_read_when_its_answer_comes_is_given_up_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let engine = engine_at(&path);
    let doors = doors(&engine);
    engine.put_app(behind_doors(&json!({})), None).unwrap();
    put(&engine, "slow", &json!({}));
    let running = engine.clone();
    let run = spawn(move || running.run(&workers(1)));
    doors.wait_until_begun();
    put(&engine, "u2", &json!({}));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("UPDATE directory_user SET record = x'00' WHERE id = 'slow'", []).unwrap();
    doors.let_go();
    let progress = run.join().unwrap().unwrap();
    assert_eq!((progress.completed, progress.failed), (1, 1));
    assert_eq!(doors.account("u2"), Some(true));
    assert_eq!(requests_of(&engine, "slow")[0].faults[0].code, rollkeeper::Code::Uncertain);
}

#[test]
fn a_record_that_cannot_be_read_holds_up_nobody_elses_end_of_validity() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let engine = Engine::builder().path(&path).clock(Arc::new(clock.clone())).open().unwrap();
    engine.put_app(app(&json!({})), None).unwrap();
    for user in ["u1", "u2"] {
        put(&engine, user, &json!({"valid_until": "2026-01-02T00:00:00Z"}));
    }
    engine.run(&workers(1)).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("UPDATE directory_user SET record = x'00' WHERE id = 'u1'", []).unwrap();
    clock.advance(Period::from_seconds(86_401));
    engine.run(&workers(1)).unwrap();
    let active: Vec<bool> =
        engine.mock_target("crm").unwrap().accounts().iter().map(|account| account.active).collect();
    assert_eq!(active, [true, false]);
    let log = engine.log(&rollkeeper::model::LogFilter { user: Some("u1".into()), ..Default::default() }).unwrap();
    assert_eq!(log.last().unwrap().kind, "undecided", "it is told");
}
