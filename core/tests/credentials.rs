//! Secrets at rest: sealed under the host's key or not stored, rotated in one transaction, and never shown.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::model::{AccountFilter, App, RequestFilter, State, User, UserFilter};
use rollkeeper::testing::MockTarget;
use rollkeeper::{Code, Engine, RunOptions, Secret};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];
const PLANTED: &str = "planted-secret-9d41c7";

fn open(path: &Path, key: Option<[u8; 32]>, target: &MockTarget) -> rollkeeper::Result<Engine> {
    let builder = Engine::builder().path(path);
    let engine = key.into_iter().fold(builder, rollkeeper::Builder::key).open()?;
    engine.register_connector("shared", Arc::new(target.clone()))?;
    Ok(engine)
}

fn put_app(engine: &Engine, app: &Value) {
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
}

fn put_user(engine: &Engine, id: &str) {
    let user = json!({"id": id, "username": id, "title": "Nurse", "profile": "Employees"});
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

/// Everything that a host's key seals: users, an app's key, a reconciliation that is open, reservations, secrets.
fn fill(engine: &Engine) {
    put_app(
        engine,
        &json!({"id": "crm", "connector": {"kind": "custom", "name": "shared"}, "create_without_match": true,
        "assigned_to": {"profiles": ["Employees"]}, "mapping": [
            {"target": "userName", "expression": "user.username + token", "unique": true}, {"target": "title", "source": "title"}]}),
    );
    (0..5).for_each(|number| put_user(engine, &format!("u{number}")));
    engine.run(&RunOptions::default()).unwrap();
    engine.reconcile("crm", Some("ann")).unwrap();
    engine.set_secret("crm", "token", Some(&Secret::new(PLANTED)), Some("ann")).unwrap();
    engine.set_secret("crm2", "token", Some(&Secret::new(PLANTED)), Some("ann")).unwrap();
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

fn stands_in(folder: &Path, planted: &[u8]) -> bool {
    files(folder).iter().any(|bytes| bytes.windows(planted.len()).any(|window| window == planted))
}

#[test]
fn another_key_opens_everything_and_the_old_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let target = MockTarget::new();
    target.put_account(serde_json::from_value(json!({"external_id": "x", "username": "stranger"})).unwrap());
    for (old, new) in [(None, OLD), (Some(OLD), NEW)] {
        let engine = open(&path, old, &target).unwrap();
        if old.is_some() {
            fill(&engine);
        } else {
            put_user(&engine, "before");
        }
        let wrong = engine.rotate_key(Some([9; 32]), new, None).unwrap_err();
        assert_eq!(wrong.code(), Code::KeyMissing);
        engine.rotate_key(old, new, Some("ann")).unwrap();
        put_user(&engine, "after");
        drop(engine);
        assert_eq!(open(&path, old, &target).err().unwrap().code(), Code::KeyMissing);
    }
    let engine = open(&path, Some(NEW), &target).unwrap();
    assert_eq!(engine.users(&UserFilter::default()).unwrap().len(), 7);
    put_app(
        &engine,
        &json!({"id": "crm2", "enabled": false, "connector": {"kind": "scim",
        "base_url": "http://127.0.0.1:9/scim", "auth": {"kind": "bearer", "token": {"sealed": "token"}}}}),
    );
    assert!(engine.credentials("crm2").unwrap().ready);
    assert!(engine.accounts(&AccountFilter::default()).unwrap().iter().all(|account| !account.attributes.is_empty()));
    // Reservations and the open reconciliation go on under their keys.
    put_user(&engine, "last");
    engine.run(&RunOptions::default()).unwrap();
    let requests = engine.requests(&RequestFilter::default()).unwrap();
    assert!(requests.iter().filter(|one| one.user.is_some()).all(|request| request.state == State::Completed));
    let plan = requests.iter().find(|request| request.state == State::Analyzed).unwrap();
    assert!(!engine.plan(plan.id.as_str(), &Default::default()).unwrap().is_empty());
    assert!(engine.verify_log().unwrap().whole);
}

#[test]
fn who_has_the_file_open_writes_nothing_under_a_key_that_is_no_longer_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let target = MockTarget::new();
    let (one, other) = (open(&path, Some(OLD), &target).unwrap(), open(&path, Some(OLD), &target).unwrap());
    put_user(&one, "u1");
    one.rotate_key(Some(OLD), NEW, None).unwrap();
    let user = User::from_json(br#"{"id": "u2", "username": "u2"}"#).unwrap();
    assert_eq!(other.put_user(user, None).unwrap_err().code(), Code::KeyMissing);
    let refused = other.set_secret("crm", "token", Some(&Secret::new(PLANTED)), None).unwrap_err();
    assert_eq!(refused.code(), Code::KeyMissing);
    assert_eq!(other.rotate_key(Some(OLD), [3; 32], None).unwrap_err().code(), Code::KeyMissing);
    put_user(&one, "u2");
}

#[test]
fn planted_secrets_and_keys_stand_nowhere_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let target = MockTarget::new();
    let engine = open(&path, Some(OLD), &target).unwrap();
    fill(&engine);
    engine.backup(&folder.path().join("backup.db")).unwrap();
    let mut shown = format!("{:?}", engine.log(&Default::default()).unwrap());
    shown.push_str(&format!("{:?}", engine.set_secret("crm", "", Some(&Secret::new(PLANTED)), None).unwrap_err()));
    shown.push_str(&format!("{:?}", engine.set_secret("", "x", Some(&Secret::new(PLANTED)), None).unwrap_err()));
    assert!(!shown.contains(PLANTED), "{shown}");
    assert!(!stands_in(folder.path(), PLANTED.as_bytes()) && !stands_in(folder.path(), &OLD));
    engine.rotate_key(Some(OLD), NEW, None).unwrap();
    assert!(!stands_in(folder.path(), PLANTED.as_bytes()) && !stands_in(folder.path(), &NEW));
    drop(engine);
    assert!(!stands_in(folder.path(), PLANTED.as_bytes()));
}

#[test]
fn a_sealed_secret_moved_to_another_app_or_name_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let target = MockTarget::new();
    let engine = open(&path, Some(OLD), &target).unwrap();
    let app = json!({"id": "crm", "enabled": false, "connector": {"kind": "scim", "base_url": "http://127.0.0.1:9/scim",
        "auth": {"kind": "basic", "username": "ann", "password": {"sealed": "password"}}}});
    for (moved, ready) in [("UPDATE secret SET name = 'password' WHERE name = 'other'", false), ("SELECT 1", true)] {
        engine.set_secret("crm", "password", None, None).unwrap();
        engine.set_secret("crm", if ready { "password" } else { "other" }, Some(&Secret::new(PLANTED)), None).unwrap();
        let file = rusqlite::Connection::open(&path).unwrap();
        file.execute_batch(moved).unwrap();
        put_app(&engine, &app);
        assert_eq!(engine.credentials("crm").unwrap().ready, ready);
    }
}

#[test]
fn a_key_file_is_read_whole_and_checked_when_the_app_is_put() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    let mapping = json!([{"target": "userName", "source": "username"}]);
    let app = json!({"id": "crm", "mapping": mapping, "create_without_match": true, "connector": {"kind": "scim",
        "base_url": "http://127.0.0.1:9/scim", "auth": {"kind": "oauth2", "token_endpoint": "http://127.0.0.1:9/token", "grant_type": "client_credentials",
            "client_id": "a", "client_authentication": "private_key_jwt", "private_key": {"file": key}}}});
    let engine = Engine::builder().open().unwrap();
    std::fs::write(&key, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n").unwrap();
    let findings = engine.validate_app(app.to_string().as_bytes()).unwrap().findings;
    assert_eq!((findings.len(), findings[0].code), (1, Code::InvalidArgument), "{findings:?}");
    assert_eq!(findings[0].attribute.as_deref(), Some("connector.auth.private_key"));
    let pem = include_str!("../../tests/data/keys/rsa.pem");
    std::fs::write(&key, pem).unwrap();
    let findings = engine.validate_app(app.to_string().as_bytes()).unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
}
