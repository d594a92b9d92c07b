//! A file of an earlier version is brought to this one at opening, with everything that is in it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::mock::MockTarget;
use rollkeeper::model::{AccountFilter, App, LogVerdict, SchemaSource, User};
use rollkeeper::{Code, Engine, RunOptions};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

const VERSION_1: &str = include_str!("../src/store/sql/v001.sql");
const TABLES: [&str; 8] = ["meta", "app", "user_key", "directory_user", "account", "request", "attempt", "log"];

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

/// The same content in a file of version 1.
fn write_version_1(from: &Path, to: &Path) {
    let file = Connection::open(to).unwrap();
    let schema = VERSION_1.replace("{int}", "INTEGER").replace("{blob}", "BLOB").replace("{strict}", "STRICT");
    file.execute_batch(&schema).unwrap();
    file.execute("ATTACH $1 AS newer", [from.to_str().unwrap()]).unwrap();
    for table in TABLES {
        file.execute_batch(&format!("INSERT INTO {table} SELECT * FROM newer.{table}")).unwrap();
    }
    file.execute_batch("PRAGMA user_version = 1; PRAGMA application_id = 1919904876;").unwrap();
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
    write_version_1(&new, &old);
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
