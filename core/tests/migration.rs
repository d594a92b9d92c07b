//! A file of an earlier version is brought to this one at opening, with everything that is in it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::mock::MockTarget;
use rollkeeper::model::{AccountFilter, App, LogVerdict, RequestFilter, SchemaSource, Situation, State, User};
use rollkeeper::{Code, Engine, RunOptions};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// The steps of the schema, in order.
const STEPS: [&str; 5] = [
    include_str!("../src/store/sql/v001.sql"),
    include_str!("../src/store/sql/v002.sql"),
    include_str!("../src/store/sql/v003.sql"),
    include_str!("../src/store/sql/v004.sql"),
    include_str!("../src/store/sql/v005.sql"),
];

fn engine(path: &Path, target: &MockTarget) -> Engine {
    let engine = Engine::builder().path(path).open().unwrap();
    engine.register_connector("shared", Arc::new(target.clone())).unwrap();
    engine
}

fn app(unique: bool) -> App {
    let app = serde_json::json!({
        "id": "crm", "connector": {"kind": "custom", "name": "shared"}, "create_without_match": true,
        "assigned_to": {"profiles": ["Employees"]},
        "mapping": [{"target": "userName", "expression": "user.name + token", "unique": unique}],
    });
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn user(id: &str) -> User {
    User::from_json(format!(r#"{{"id": "{id}", "name": "ann", "profile": "Employees"}}"#).as_bytes()).unwrap()
}

/// The same content in a file of an earlier version, as far as that has a place for it.
fn write_version(version: usize, from: &Path, to: &Path) {
    let file = Connection::open(to).unwrap();
    for step in STEPS.iter().take(version) {
        let step = step.replace("{int}", "INTEGER").replace("{blob}", "BLOB").replace("{strict}", "STRICT");
        file.execute_batch(&step).unwrap();
    }
    file.execute("ATTACH $1 AS newer", [from.to_str().unwrap()]).unwrap();
    for table in names(&file, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let columns = names(&file, &format!("SELECT name FROM pragma_table_info('{table}', 'main')")).join(", ");
        file.execute_batch(&format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM newer.{table}")).unwrap();
    }
    file.execute_batch(&format!("PRAGMA user_version = {version}; PRAGMA application_id = 1919904876;")).unwrap();
}

fn names(file: &Connection, text: &str) -> Vec<String> {
    let mut statement = file.prepare(text).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_file_of_version_1_is_brought_to_this_one_and_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (new, old) = (folder.path().join("new.db"), folder.path().join("old.db"));
    let target = MockTarget::new();
    let first = engine(&new, &target);
    first.put_app(app(false), None).unwrap();
    first.put_user(user("u1"), None).unwrap();
    first.run(&RunOptions::default()).unwrap();
    let (accounts, verdict) = (first.accounts(&AccountFilter::default()).unwrap(), first.verify_log().unwrap());
    drop(first);
    write_version(1, &new, &old);
    let read_only = Engine::builder().path(&old).read_only().open().err().unwrap();
    assert_eq!(read_only.code(), Code::StoreFailed, "only who may write brings a file to a newer version");

    let second = engine(&old, &target);
    assert_eq!(second.accounts(&AccountFilter::default()).unwrap(), accounts);
    assert_eq!(second.verify_log().unwrap(), LogVerdict { whole: true, ..verdict });
    let version = |path: &Path| -> i64 {
        Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    };
    assert!(version(&old) >= 2);
    assert_eq!(version(&old), version(&new));
    // What it is for works: the account that was there before keeps its name, and the next has another.
    second.put_app(app(true), None).unwrap();
    second.put_user(user("u2"), None).unwrap();
    second.run(&RunOptions::default()).unwrap();
    let names: Vec<_> = target.accounts().into_iter().filter_map(|account| account.username).collect();
    assert_eq!(names, ["ann", "ann2"]);
    assert_eq!(second.discover("crm").unwrap().target.source, SchemaSource::Connector);
}

#[test]
fn a_file_of_version_2_is_brought_to_this_one_and_can_be_reconciled() {
    let folder = tempfile::tempdir().unwrap();
    let (new, old) = (folder.path().join("new.db"), folder.path().join("old.db"));
    let target = MockTarget::new();
    let first = engine(&new, &target);
    first.put_app(app(true), None).unwrap();
    first.put_user(user("u1"), None).unwrap();
    first.run(&RunOptions::default()).unwrap();
    first.discover("crm").unwrap();
    let (accounts, verdict) = (first.accounts(&AccountFilter::default()).unwrap(), first.verify_log().unwrap());
    drop(first);
    write_version(2, &new, &old);

    let second = engine(&old, &target);
    assert_eq!(second.accounts(&AccountFilter::default()).unwrap(), accounts);
    assert_eq!(second.verify_log().unwrap(), LogVerdict { whole: true, ..verdict });
    assert_eq!(second.requests(&RequestFilter::default()).unwrap().len(), 1);
    let found = second.reconcile("crm", None).unwrap();
    assert_eq!(found.counts.0[&Situation::Confirmed], 1, "{found:?}");
    let done = second.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap();
    assert_eq!(done.state, State::Completed);
}
