//! Unique values where engines share a target: many at once, processes that died, and targets that answer oddly.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use rollkeeper::connector::{Capabilities, Connector, ConnectorError, TargetAccount, mock::MockTarget};
use rollkeeper::model::{AccountFilter, App, RequestFilter, State, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn shared(path: &Path, target: &MockTarget) -> Engine {
    let engine = Engine::builder().path(path).open().unwrap();
    engine.register_connector("shared", Arc::new(target.clone()) as Arc<dyn Connector>).unwrap();
    engine
}

fn shared_app() -> App {
    let mapping = json!([{"target": "userName", "required": true, "unique": true,
        "expression": "(user.first.left(1) + user.last).ascii().lower() + token"}]);
    let app = json!({"id": "crm", "connector": {"kind": "custom", "name": "shared"}, "create_without_match": true,
        "assigned_to": {"profiles": ["Employees"]}, "mapping": mapping, "rate": {"concurrency": 16}});
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn put(engine: &Engine, id: &str) {
    let user = json!({"id": id, "first": "John", "last": "Smith", "profile": "Employees"});
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

fn stranger(external_id: &str, name: &str) -> TargetAccount {
    serde_json::from_value(json!({"external_id": external_id, "username": name, "attributes": {"userName": name}}))
        .unwrap()
}

fn names_of(target: &MockTarget) -> Vec<String> {
    target.accounts().into_iter().map(|account| account.username.unwrap()).collect()
}

fn hundred_names(target: &MockTarget) {
    let names: BTreeSet<String> = names_of(target).into_iter().collect();
    let mut wanted: BTreeSet<String> = (2..=100).map(|number| format!("jsmith{number}")).collect();
    wanted.insert("jsmith".to_owned());
    assert_eq!(names, wanted);
    assert_eq!(target.accounts().len(), 100);
    let refused = target.calls().iter().filter(|call| call.outcome != "applied").count();
    assert_eq!(refused, 0, "the target had to refuse");
}

#[test]
fn a_hundred_john_smiths_have_a_hundred_names_with_many_workers() {
    let folder = tempfile::tempdir().unwrap();
    let target = MockTarget::new();
    let engine = shared(&folder.path().join("state.db"), &target);
    engine.put_app(shared_app(), None).unwrap();
    (0..100).for_each(|number| put(&engine, &format!("u{number}")));
    engine.run(&RunOptions { workers: 16, ..RunOptions::default() }).unwrap();
    hundred_names(&target);
}

#[test]
fn a_hundred_john_smiths_have_a_hundred_names_with_two_engines_on_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let target = MockTarget::new();
    let first = shared(&path, &target);
    first.put_app(shared_app(), None).unwrap();
    let second = shared(&path, &target);
    std::thread::scope(|scope| {
        for (engine, offset) in [(&first, 0), (&second, 50)] {
            scope.spawn(move || {
                for number in offset..offset + 50 {
                    put(engine, &format!("u{number}"));
                    if number % 10 == 9 {
                        engine.run(&RunOptions { workers: 4, ..RunOptions::default() }).unwrap();
                    }
                }
            });
        }
    });
    while first.run(&RunOptions::default()).unwrap().open > 0 {}
    hundred_names(&target);
}

/// What a process leaves that dies between its intent, which holds the reservation, and the call, or after it.
#[test]
fn a_name_that_was_reserved_when_the_process_died_is_used_by_who_goes_on() {
    for was_sent in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (path, left) = (folder.path().join("state.db"), folder.path().join("left.db"));
        let target = MockTarget::new();
        let copying = Copying { target: target.clone(), path: path.clone(), left: left.clone() };
        let engine = Engine::builder().path(&path).open().unwrap();
        engine.register_connector("shared", Arc::new(copying) as Arc<dyn Connector>).unwrap();
        engine.put_app(shared_app(), None).unwrap();
        put(&engine, "u1");
        engine.run(&RunOptions::default()).unwrap();
        if !was_sent {
            target.remove_account("1");
        }
        let later = VirtualClock::new(Timestamp::parse("2036-01-01T00:00:00Z").unwrap());
        let engine = Engine::builder().path(&left).clock(Arc::new(later.clone())).open().unwrap();
        engine.register_connector("shared", Arc::new(target.clone()) as Arc<dyn Connector>).unwrap();
        put(&engine, "u2");
        engine.run(&RunOptions::default()).unwrap();
        // Another clock is another boot of the machine: every wait begins anew.
        later.advance(Period::from_seconds(3600));
        engine.run(&RunOptions::default()).unwrap();
        let accounts = engine.accounts(&AccountFilter::default()).unwrap();
        let mut found: Vec<_> = accounts
            .iter()
            .map(|one| (one.user.as_ref().unwrap().as_str(), one.username.as_deref().unwrap()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [("u1", "jsmith"), ("u2", "jsmith2")], "sent: {was_sent}");
        assert_eq!(target.accounts().len(), 2);
    }
}

/// Copies the file as it is while an account is made: what a process that dies at that moment leaves.
struct Copying {
    target: MockTarget,
    path: PathBuf,
    left: PathBuf,
}

impl Connector for Copying {
    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.target.find(attribute, value)
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        let file = rusqlite::Connection::open(&self.path).unwrap();
        file.execute("VACUUM INTO $1", [self.left.to_str().unwrap()]).unwrap();
        self.target.create(attributes, key)
    }
}

#[test]
fn after_a_thousand_candidates_it_is_over() {
    let engine = Engine::builder().open().unwrap();
    let target = Arc::new(Full(AtomicUsize::new(0)));
    engine.register_connector("shared", Arc::clone(&target) as Arc<dyn Connector>).unwrap();
    engine.put_app(shared_app(), None).unwrap();
    put(&engine, "u1");
    engine.run(&RunOptions::default()).unwrap();
    let request = &engine.requests(&RequestFilter::default()).unwrap()[0];
    assert_eq!(request.state, State::Failed);
    let fault = &request.faults[0];
    assert_eq!((fault.code, fault.attribute.as_deref()), (Code::UniqueExhausted, Some("userName")));
    assert_eq!(target.0.load(Ordering::SeqCst), 1000);
}

/// A target where somebody has every name that is asked for.
struct Full(AtomicUsize);

impl Connector for Full {
    fn capabilities(&self) -> Capabilities {
        Capabilities { search: true, ..Capabilities::default() }
    }

    fn find(&self, _attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(vec![stranger("x", value.as_str().unwrap())])
    }

    fn create(&self, _attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        panic!("nothing is sent");
    }
}

#[test]
fn a_target_that_answers_more_than_it_was_asked_takes_no_names_away() {
    let engine = Engine::builder().open().unwrap();
    let target = MockTarget::new();
    target.put_account(stranger("x1", "jsmithson"));
    let sloppy = Arc::new(Sloppy(target.clone())) as Arc<dyn Connector>;
    engine.register_connector("shared", sloppy).unwrap();
    engine.put_app(shared_app(), None).unwrap();
    ["u1", "u2"].iter().for_each(|id| put(&engine, id));
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!(names_of(&target), ["jsmithson", "jsmith", "jsmith2"]);
    assert!(target.calls().iter().all(|call| call.method == "create"));
}

/// A target that answers every search with all that it has.
struct Sloppy(MockTarget);

impl Connector for Sloppy {
    fn capabilities(&self) -> Capabilities {
        Capabilities { search: true, ..Capabilities::default() }
    }

    fn find(&self, _attribute: &str, _value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        Ok(self.0.accounts())
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.0.create(attributes, key)
    }
}
