//! Several threads put users and run, each with sixteen workers, through a connector of the host: everything is done once. The
//! same is tested in C, Go and Python.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::{Capabilities, Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{App, RequestFilter, State};
use rollkeeper::value::Attributes;
use rollkeeper::{Engine, Operation, RunOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const THREADS: usize = 3;
const WORKERS: usize = 16;
const USERS: usize = 300;

/// Whoever waits that long waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A target that counts. Its first calls wait until as many are inside as there are workers.
#[derive(Default)]
struct Counting {
    seen: Mutex<Seen>,
    came: Condvar,
}

#[derive(Default)]
struct Seen {
    came: usize,
    accounts: BTreeMap<String, bool>,
    calls: BTreeMap<(&'static str, String), usize>,
}

impl Counting {
    fn count(&self, call: &'static str, name: &str, active: bool) -> TargetAccount {
        let mut seen = self.seen.lock().unwrap();
        seen.came += 1;
        self.came.notify_all();
        let (mut seen, waited) = self.came.wait_timeout_while(seen, PATIENCE, |seen| seen.came < WORKERS).unwrap();
        assert!(!waited.timed_out(), "only {} calls at the same time", seen.came);
        *seen.calls.entry((call, name.to_owned())).or_default() += 1;
        seen.accounts.insert(name.to_owned(), active);
        shown(name, active)
    }
}

fn shown(name: &str, active: bool) -> TargetAccount {
    let attributes = json!({"userName": name});
    let account = json!({"external_id": name, "username": name, "active": active, "attributes": attributes});
    serde_json::from_value(account).unwrap()
}

impl Connector for Counting {
    fn capabilities(&self) -> Capabilities {
        Capabilities { search: false, ..Capabilities::default() }
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        let seen = self.seen.lock().unwrap();
        Ok(seen.accounts.get(external_id).map(|active| shown(external_id, *active)))
    }

    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        let name = attributes.get("userName").and_then(Value::as_str).unwrap();
        Ok(self.count("create", name, true))
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.count("deactivate", external_id, false);
        Ok(())
    }
}

/// Every thread puts its share of the users, and runs.
fn put_and_run(engine: &Engine, active: bool) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let numbers = (0..USERS).filter(|number| number % THREADS == thread);
                let record = |number: usize| {
                    let name = format!("u{number}");
                    json!({"id": name, "username": name, "profile": "Staff", "active": active})
                };
                let records: Vec<Value> = numbers.map(record).collect();
                engine.put_users(json!(records).to_string().as_bytes(), None).unwrap();
                engine.run(&RunOptions { workers: WORKERS, ..RunOptions::default() }).unwrap();
            });
        }
    });
}

#[test]
fn three_threads_with_sixteen_workers_each_do_everything_once() {
    let files = tempfile::tempdir().unwrap();
    let engine = Engine::builder().path(files.path().join("state.db")).open().unwrap();
    let target = Arc::new(Counting::default());
    engine.register_connector("counting", Arc::clone(&target) as Arc<dyn Connector>).unwrap();
    let app = json!({
        "id": "crm", "connector": {"kind": "custom", "name": "counting"}, "assigned_to": {"profiles": ["Staff"]},
        "create_without_match": true, "rate": {"concurrency": WORKERS},
        "mapping": [{"target": "userName", "source": "username"}],
    });
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();

    for (active, call, operation) in [(true, "create", Operation::Create), (false, "deactivate", Operation::Deactivate)]
    {
        put_and_run(&engine, active);
        let seen = target.seen.lock().unwrap();
        let counted: Vec<usize> = (0..USERS)
            .map(|number| seen.calls.get(&(call, format!("u{number}"))).copied().unwrap_or_default())
            .collect();
        assert_eq!(counted, [1; USERS], "{call}");
        assert!(seen.accounts.values().all(|is_active| *is_active == active));
        let filter = RequestFilter { operation: Some(operation), ..RequestFilter::default() };
        let requests = engine.requests(&filter).unwrap();
        assert_eq!(requests.len(), USERS);
        assert!(requests.iter().all(|request| (request.state, request.attempts) == (State::Completed, 1)));
    }
    assert!(engine.verify_log().unwrap().whole);
}
