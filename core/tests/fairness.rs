//! One slow, dead or poisoned app delays no other.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::{Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{App, LogFilter, RequestFilter, State, User};
use rollkeeper::value::Attributes;
use rollkeeper::{Engine, RunOptions};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Whoever waits that long waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn put_app(engine: &Engine, id: &str, keys: &Value) {
    let mut app = json!({
        "id": id, "connector": {"kind": "mock"}, "assigned_to": {"profiles": [id]}, "rate": {"concurrency": 64},
        "mapping": [{"target": "userName", "source": "username", "required": true}], "create_without_match": true,
    });
    app.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
}

fn put(engine: &Engine, app: &str, number: usize, username: Option<&str>) {
    let user = json!({"id": format!("{app}-{number}"), "username": username, "profile": app});
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

/// A target that answers when it is let go.
#[derive(Default)]
struct Hanging {
    free: Mutex<bool>,
    freed: Condvar,
    begun: AtomicBool,
}

impl Hanging {
    fn let_go(&self) {
        *self.free.lock().unwrap() = true;
        self.freed.notify_all();
    }
}

impl Connector for Hanging {
    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        self.begun.store(true, Ordering::SeqCst);
        let free = self.free.lock().unwrap();
        let (free, waited) = self.freed.wait_timeout_while(free, PATIENCE, |free| !*free).unwrap();
        assert!(!waited.timed_out(), "nobody let it go");
        drop(free);
        let name = attributes["userName"].as_str().unwrap();
        let account = json!({"external_id": name, "username": name, "active": true, "attributes": {}});
        Ok(serde_json::from_value(account).unwrap())
    }
}

/// Ten apps of which so many hang, with work for all: the others' work is done while they do.
fn others_are_done(hanging: usize) {
    let engine = Engine::builder().open().unwrap();
    let target = Arc::new(Hanging::default());
    engine.register_connector("hanging", Arc::clone(&target) as Arc<dyn Connector>).unwrap();
    for app in 0..10 {
        let id = format!("app{app}");
        let custom = json!({"connector": {"kind": "custom", "name": "hanging"}});
        let keys = if app < hanging { custom } else { json!({}) };
        put_app(&engine, &id, &keys);
        (0..20).for_each(|number| put(&engine, &id, number, Some(&format!("{id}-{number}"))));
    }
    let others = (10 - hanging as u64) * 20;
    let (done, finished) = channel();
    let done = Mutex::new(done);
    let progress = move |progress: &rollkeeper::model::Progress| {
        if progress.completed == others {
            let _ = done.lock().unwrap().send(());
        }
        true
    };
    let options = RunOptions { workers: 8, progress: Some(Arc::new(progress)), ..RunOptions::default() };
    let running = engine.clone();
    let run = std::thread::spawn(move || running.run(&options).unwrap());
    let all_done = finished.recv_timeout(PATIENCE / 2);
    target.let_go();
    assert_eq!(run.join().unwrap().completed, 200);
    assert!(target.begun.load(Ordering::SeqCst));
    assert!(all_done.is_ok(), "the others waited for {hanging} that hang");
}

#[test]
fn one_hanging_app_among_ten_delays_no_other() {
    others_are_done(1);
}

#[test]
fn three_hanging_apps_among_ten_delay_no_other() {
    others_are_done(3);
}

#[test]
fn an_app_full_of_faulty_records_delays_no_other() {
    let engine = Engine::builder().open().unwrap();
    put_app(&engine, "poisoned", &json!({}));
    (0..1_000).for_each(|number| put(&engine, "poisoned", number, None));
    put_app(&engine, "healthy", &json!({}));
    (0..20).for_each(|number| put(&engine, "healthy", number, Some(&format!("h{number}"))));
    engine.run(&RunOptions { workers: 4, ..RunOptions::default() }).unwrap();
    let log = engine.log(&LogFilter { limit: Some(100_000), ..LogFilter::default() }).unwrap();
    let last = log.iter().rposition(|entry| entry.kind == "completed").unwrap();
    let before = log.iter().take(last).filter(|entry| entry.kind == "failed").count();
    assert!(before <= 200, "{before} faulty records went before");
    let failed = RequestFilter { state: Some(State::Failed), limit: Some(2_000), ..RequestFilter::default() };
    assert_eq!(engine.requests(&failed).unwrap().len(), 1_000);
}
