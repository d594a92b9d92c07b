//! The file: its mode, its journal, its constraints, its key, two engines on it, a copy of it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::model::{App, LogFilter, RequestFilter, User};
use rollkeeper::{Code, Engine, RunOptions};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const APP: &str = r#"{"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
    "mapping": [{"target": "userName", "source": "username"}], "create_without_match": true}"#;

fn user(id: &str) -> User {
    User::from_json(format!(r#"{{"id": "{id}", "username": "{id}", "profile": "Employees"}}"#).as_bytes()).unwrap()
}

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let engine = Engine::builder().path(&path).open().unwrap();
    engine.put_app(App::from_json(APP.as_bytes()).unwrap(), None).unwrap();
    engine.put_user(user("u1"), None).unwrap();
    engine.run(&RunOptions::default()).unwrap();
    engine.put_user(user("u2"), None).unwrap();
    (folder, path)
}

fn refused(path: &Path, sql: &str) -> bool {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    let error = connection.execute_batch(sql).err();
    error.is_some_and(|error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation))
}

#[test]
#[cfg(unix)]
fn files_are_readable_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _) = file();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn the_schema_keeps_what_must_hold() {
    let (_folder, path) = file();
    for sql in [
        "UPDATE request SET state = 'Sent'",
        "UPDATE request SET operation = 'Promote'",
        "UPDATE request SET finished_at = NULL WHERE state = 'Completed'",
        "UPDATE request SET finished_at = 1 WHERE state = 'New'",
        "UPDATE request SET head = 1 WHERE state = 'Completed'",
        "UPDATE account SET status = 'Gone'",
        "UPDATE account SET status = 'Deleted'",
        "UPDATE account SET link_state = 'Loose'",
        "UPDATE attempt SET ended_at = NULL",
        "INSERT INTO request (id, app_id, user_id, operation, state, approval, urgent, head, by_hand, sending,
            unsettled, verifying, waiting_for, why, author, created_at, not_before, expires_at, due_at, settle_at,
            finished_at, attempts, retry_count, parent_id, external_id, verified, fingerprint, faults, asked,
            retry_at, retry_for) SELECT 'other', app_id, user_id, operation, state, approval, urgent, head, by_hand, sending,
            unsettled, verifying, waiting_for, why, author, created_at, not_before, expires_at, due_at, settle_at,
            finished_at, attempts, retry_count, parent_id, external_id, verified, fingerprint, faults, asked,
            retry_at, retry_for FROM request WHERE state = 'New'",
        "INSERT INTO attempt (request_id, number, app_id, user_id, started_at, send_by)
            SELECT id, 7, app_id, user_id, 1, 1 FROM request;
         INSERT INTO attempt (request_id, number, app_id, user_id, started_at, send_by)
            SELECT id, 8, app_id, user_id, 1, 1 FROM request",
        "INSERT INTO account SELECT app_id, 'second', user_id, status, frozen, link_state, known_link, attributes,
            applied, fingerprint, version, created_at, updated_at, deleted_at FROM account",
        "DELETE FROM app",
    ] {
        assert!(refused(&path, sql), "{sql}");
    }
}

#[test]
fn a_file_keeps_everything_over_a_restart() {
    let (_folder, path) = file();
    let engine = Engine::builder().path(&path).open().unwrap();
    assert_eq!(engine.user("u1").unwrap(), user("u1"));
    assert_eq!(engine.apps().unwrap(), [App::from_json(APP.as_bytes()).unwrap()]);
    let states: Vec<_> =
        engine.requests(&RequestFilter::default()).unwrap().iter().map(|request| request.state.name()).collect();
    assert_eq!(states, ["Completed", "New"]);
    assert!(engine.verify_log().unwrap().whole);
}

#[test]
fn an_exported_app_comes_in_again_byte_for_byte() {
    let (_folder, path) = file();
    let text = Engine::builder().path(&path).open().unwrap().export_app("crm").unwrap();
    let other = Engine::builder().open().unwrap();
    other.import_app(text.as_bytes(), None).unwrap();
    assert_eq!(other.export_app("crm").unwrap(), text);
}

#[test]
fn what_is_sealed_needs_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let engine = Engine::builder().path(&path).key([7; 32]).open().unwrap();
    engine.put_app(App::from_json(APP.as_bytes()).unwrap(), None).unwrap();
    engine.put_user(user("u1"), None).unwrap();
    drop(engine);
    assert_eq!(Engine::builder().path(&path).open().err().unwrap().code(), Code::KeyMissing);
    assert_eq!(Engine::builder().path(&path).key([8; 32]).open().err().unwrap().code(), Code::KeyMissing);
    assert_eq!(Engine::builder().path(&path).key([7; 32]).open().unwrap().user("u1").unwrap(), user("u1"));
}

#[test]
fn a_backup_is_whole_and_never_overwrites() {
    let (folder, path) = file();
    let copy = folder.path().join("copy.db");
    let engine = Engine::builder().path(&path).open().unwrap();
    engine.backup(&copy).unwrap();
    assert_eq!(engine.backup(&copy).unwrap_err().code(), Code::StoreUnwritable);
    let restored = Engine::builder().path(&copy).open().unwrap();
    let entries = |engine: &Engine| engine.log(&LogFilter::default()).unwrap();
    assert_eq!(entries(&restored), entries(&engine));
}

#[test]
fn a_changed_log_is_found_with_its_place() {
    for sql in [
        "UPDATE log SET details = '{\"change\":\"nothing\"}' WHERE sequence = 3",
        "DELETE FROM log WHERE sequence = 3",
        "UPDATE log SET author = 'somebody' WHERE sequence = 3",
        "UPDATE log SET at = at + 1 WHERE sequence = 3",
    ] {
        let (_folder, path) = file();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let verdict = Engine::builder().path(&path).open().unwrap().verify_log().unwrap();
        assert_eq!((verdict.whole, verdict.broken_at), (false, Some(3)), "{sql}");
    }
}

#[test]
fn deleting_a_users_key_erases_the_user_and_leaves_the_chain_whole() {
    let (_folder, path) = file();
    Connection::open(&path).unwrap().execute_batch("DELETE FROM user_key WHERE user_id = 'u1'").unwrap();
    let engine = Engine::builder().path(&path).open().unwrap();
    assert_eq!(engine.user("u1").unwrap_err().code(), Code::NotFound);
    assert!(engine.accounts(&Default::default()).unwrap().iter().all(|account| account.attributes.is_empty()));
    assert!(engine.verify_log().unwrap().whole);
}

#[test]
fn two_engines_on_one_file_share_the_work_and_repeat_nothing() {
    let (_folder, path) = file();
    let target = rollkeeper::testing::MockTarget::new();
    let app = APP.replace(r#"{"kind": "mock"}"#, r#"{"kind": "custom", "name": "shared"}"#).replace("crm", "desk");
    let engines: Vec<Engine> = (0..2).map(|_| Engine::builder().path(&path).open().unwrap()).collect();
    for engine in &engines {
        engine.register_connector("shared", std::sync::Arc::new(target.clone())).unwrap();
    }
    engines.first().unwrap().put_app(App::from_json(app.as_bytes()).unwrap(), None).unwrap();
    // The second learns of the app at its next opening.
    let second = Engine::builder().path(&path).open().unwrap();
    second.register_connector("shared", std::sync::Arc::new(target.clone())).unwrap();
    for number in 10..60 {
        second.put_user(user(&format!("u{number}")), None).unwrap();
    }
    std::thread::scope(|scope| {
        for engine in [engines.first().unwrap(), &second] {
            scope.spawn(move || engine.run(&RunOptions { workers: 2, ..RunOptions::default() }).unwrap());
        }
    });
    second.run(&RunOptions::default()).unwrap();
    let creates = target.calls().iter().filter(|call| call.method == "create").count();
    assert_eq!((creates, target.accounts().len()), (52, 52));
}
