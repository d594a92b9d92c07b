//! Runs that wait: what wakes them, and what whoever watches a run is told.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::{Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{App, Progress, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::{Duration, Instant};

/// Whoever waits that long waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

fn waits(workers: usize) -> RunOptions {
    RunOptions { workers, timeout: Some(Period::from_seconds(3600)), ..RunOptions::default() }
}

/// An engine in which one request is due in an hour, so that a run with a timeout has something to wait for. Its clock stands
/// still.
fn one_due_in_an_hour() -> Engine {
    let engine = Engine::builder().clock(Arc::new(VirtualClock::new(Timestamp::default()))).seed(7).open().unwrap();
    engine.put_app(app("crm", &json!({"kind": "mock"})), None).unwrap();
    let script = r#"[{"on": "create", "fault": "rate_limited", "retry_after": "PT1H"}]"#;
    engine.mock_target("crm").unwrap().script_json(script).unwrap();
    put(&engine, "u1");
    assert!(engine.run(&RunOptions::default()).unwrap().next_due.is_some());
    engine
}

/// Runs in the background, and tells each time how it goes.
fn run_watched(engine: &Engine, options: RunOptions) -> Receiver<Progress> {
    let (told, news) = channel();
    let told = Mutex::new(told);
    let progress = move |progress: &Progress| told.lock().unwrap().send(progress.clone()).is_ok();
    let (running, options) = (engine.clone(), RunOptions { progress: Some(Arc::new(progress)), ..options });
    spawn(move || running.run(&options));
    news
}

/// A clock that goes on each time it is read, as every real one does.
struct Going(VirtualClock);

impl Clock for Going {
    fn now(&self) -> Timestamp {
        self.0.advance(Period::from_micros(100_000));
        self.0.now()
    }
}

/// A target that answers when it is told to.
struct Doors(Mutex<Sender<()>>, Mutex<Receiver<()>>);

impl Connector for Doors {
    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        if attributes["userName"].as_str().unwrap().starts_with("slow") {
            self.0.lock().unwrap().send(()).unwrap();
            self.1.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        let name = &attributes["userName"];
        let account = json!({"external_id": name, "username": name, "active": true, "frozen": false, "attributes": {}});
        Ok(serde_json::from_value(account).unwrap())
    }
}

fn app(id: &str, connector: &Value) -> App {
    let app = json!({
        "id": id, "connector": connector, "assigned_to": {"profiles": ["Employees"]}, "rate": {"concurrency": 64},
        "mapping": [{"target": "userName", "source": "username"}], "create_without_match": true,
    });
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn put(engine: &Engine, id: &str) {
    let user = json!({"id": id, "username": id, "profile": "Employees", "active": true});
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

#[test]
fn a_user_who_is_put_wakes_a_run_that_waits() {
    for workers in [1, 4] {
        let engine = one_due_in_an_hour();
        // The clock stands still, so nothing but the put can wake it. What was held back belongs to the other app.
        engine.put_app(app("hr", &json!({"kind": "mock"})), None).unwrap();
        engine.run(&RunOptions::default()).unwrap();
        let news = run_watched(&engine, waits(workers));
        assert_eq!(news.recv_timeout(PATIENCE).unwrap().completed, 0);
        put(&engine, "u2");
        while news.recv_timeout(PATIENCE).unwrap().completed == 0 {}
        engine.cancel_run();
        engine.stop();
    }
}

#[test]
fn a_run_that_waits_does_nothing_meanwhile() {
    let engine = one_due_in_an_hour();
    let news = run_watched(&engine, waits(4));
    news.recv_timeout(PATIENCE).unwrap();
    // A run that looked all the time would say so after each look.
    assert!(news.recv_timeout(Duration::from_millis(300)).is_err());
    engine.stop();
}

#[test]
fn what_becomes_due_while_a_run_waits_is_done_by_it() {
    for workers in [1, 4] {
        let clock = Going(VirtualClock::new(Timestamp::default()));
        let engine = Engine::builder().clock(Arc::new(clock)).seed(7).open().unwrap();
        engine.put_app(app("crm", &json!({"kind": "mock"})), None).unwrap();
        let script = r#"[{"on": "create", "times": 1, "fault": "rate_limited", "retry_after": "PT1S"}]"#;
        engine.mock_target("crm").unwrap().script_json(script).unwrap();
        put(&engine, "u1");
        let news = run_watched(&engine, waits(workers));
        while news.recv_timeout(PATIENCE).unwrap().completed == 0 {}
        engine.stop();
    }
}

#[test]
fn cancelling_ends_a_wait_at_once() {
    let engine = one_due_in_an_hour();
    let news = run_watched(&engine, waits(1));
    news.recv_timeout(PATIENCE).unwrap();
    let begun = Instant::now();
    engine.stop();
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn a_free_worker_takes_up_what_is_put_while_a_call_hangs() {
    let engine = Engine::builder().open().unwrap();
    let ((begun_at, begun), (let_go, let_go_at)) = (channel(), channel());
    engine.register_connector("doors", Arc::new(Doors(Mutex::new(begun_at), Mutex::new(let_go_at)))).unwrap();
    engine.put_app(app("crm", &json!({"kind": "custom", "name": "doors"})), None).unwrap();
    put(&engine, "slow");
    let news = run_watched(&engine, RunOptions { workers: 4, ..RunOptions::default() });
    begun.recv_timeout(PATIENCE).unwrap();
    for user in ["u1", "u2", "u3"] {
        put(&engine, user);
    }
    while news.recv_timeout(PATIENCE).unwrap().completed < 3 {}
    let_go.send(()).unwrap();
    engine.stop();
}

#[test]
fn a_run_tells_what_is_done_what_is_due_and_when_the_next_is() {
    let engine = one_due_in_an_hour();
    engine.put_app(app("hr", &json!({"kind": "mock"})), None).unwrap();
    for number in 0..20 {
        put(&engine, &format!("v{number}"));
    }
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let keep = Arc::clone(&told);
    let watch = move |progress: &Progress| {
        keep.lock().unwrap().push(progress.clone());
        true
    };
    let ended = engine.run(&RunOptions { progress: Some(Arc::new(watch)), ..RunOptions::default() }).unwrap();
    let first = told.lock().unwrap()[0].clone();
    // One was claimed in the first transaction, and is no longer due.
    assert_eq!(
        (first.due, first.completed),
        (20, 0),
        "u1 and 19 others in `hr`; those in `crm` are held back: {first:?}"
    );
    assert_eq!(ended.due, 0);
    assert_eq!(ended.completed, 21);
}

#[test]
fn what_is_due_is_counted_no_further_than_ten_thousand() {
    let engine = Engine::builder().open().unwrap();
    engine.put_app(app("crm", &json!({"kind": "mock"})), None).unwrap();
    let user = |number| json!({"id": format!("u{number}"), "username": format!("n{number}"), "profile": "Employees"});
    let users: Vec<Value> = (0..10_050).map(user).collect();
    engine.put_users(json!(users).to_string().as_bytes(), None).unwrap();
    let options = RunOptions { progress: Some(Arc::new(|_| false)), ..RunOptions::default() };
    assert_eq!(engine.run(&options).unwrap().due, 10_000);
}
