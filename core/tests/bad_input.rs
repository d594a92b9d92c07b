//! Bad input gets its own code and a message that names the place, never a value.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::model::{App, User};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Engine, Fault, RunOptions, Timestamp, mapping};
use serde_json::json;
use std::path::Path;

const APP: &str = r#"{"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
    "mapping": [{"target": "userName", "source": "username"}], "create_without_match": true}"#;

fn app_fault(json: &str) -> Fault {
    App::from_json(json.as_bytes()).unwrap_err()
}

/// The faults of putting a definition that can be read.
fn put_faults(change: impl FnOnce(&mut serde_json::Value)) -> Vec<Fault> {
    let mut app: serde_json::Value = serde_json::from_str(APP).unwrap();
    change(&mut app);
    let engine = Engine::builder().open().unwrap();
    let app = App::from_json(app.to_string().as_bytes()).unwrap();
    engine.put_app(app, None).unwrap_err().faults().to_vec()
}

fn open(path: &Path) -> Result<Engine, rollkeeper::Error> {
    Engine::builder().path(path).open()
}

fn made(path: &Path) {
    let engine = open(path).unwrap();
    engine.put_app(App::from_json(APP.as_bytes()).unwrap(), None).unwrap();
    for number in 0..300 {
        let user = format!(r#"{{"id": "u{number}", "username": "user{number}", "profile": "Employees"}}"#);
        engine.put_user(User::from_json(user.as_bytes()).unwrap(), None).unwrap();
    }
    engine.run(&RunOptions::default()).unwrap();
}

#[test]
fn malformed_json_is_told_with_its_line() {
    let fault = app_fault("{\"id\": \"crm\",\n  oops}");
    assert_eq!(fault.code, Code::InvalidJson);
    assert!(fault.message.contains("line 2"), "{}", fault.message);
}

#[test]
fn text_that_is_not_utf8_is_told() {
    assert_eq!(App::from_json(b"{\"id\": \"\xff\"}").unwrap_err().code, Code::InvalidUtf8);
    assert_eq!(User::from_json(b"\xc3(").unwrap_err().code, Code::InvalidUtf8);
}

#[test]
fn an_unknown_key_is_named_with_its_path() {
    let fault =
        app_fault(r#"{"id": "crm", "connector": {"kind": "mock"}, "mapping": [{"target": "x", "sorce": "y"}]}"#);
    assert_eq!(fault.code, Code::UnknownKey);
    assert!(fault.message.contains("`sorce`") && fault.message.contains("mapping[0]"), "{}", fault.message);
    assert_eq!(app_fault(r#"{"id": "crm", "connector": {"kind": "mock"}, "enabeld": true}"#).code, Code::UnknownKey);
}

#[test]
fn a_missing_id_is_told() {
    assert_eq!(app_fault(r#"{"connector": {"kind": "mock"}}"#).code, Code::MissingId);
    let fault = User::from_json(br#"{"username": "ann"}"#).unwrap_err();
    assert_eq!((fault.code, fault.attribute.as_deref()), (Code::MissingId, Some("id")));
}

#[test]
fn an_unknown_operation_is_told() {
    let with =
        |operations: &str| format!(r#"{{"id": "crm", "connector": {{"kind": "mock"}}, "operations": {operations}}}"#);
    for operations in [r#"{"promote": true}"#, r#"["Promote"]"#] {
        let fault = app_fault(&with(operations));
        assert_eq!(fault.code, Code::UnknownOperation, "{}", fault.message);
    }
}

#[test]
fn a_mapping_to_an_attribute_that_the_schema_lacks_is_told() {
    let faults = put_faults(|app| app["mapping"][0]["target"] = "userNaem".into());
    assert_eq!((faults[0].code, faults[0].attribute.as_deref()), (Code::UnknownAttribute, Some("mapping[0].target")));
    assert!(faults[0].message.contains("`userNaem`"), "{}", faults[0].message);
}

#[test]
fn a_typo_in_an_expression_is_told_with_its_position() {
    let with = |text: &str| {
        put_faults(|app| app["mapping"][0] = serde_json::json!({"target": "userName", "expression": text}))
    };
    let faults = with("usr.firstName");
    assert_eq!((faults[0].code, faults[0].position), (Code::UnknownVariable, Some(0)));
    let faults = with("user.firstName.lowr()");
    assert_eq!(faults[0].code, Code::UnknownFunction);
    assert!(faults[0].position.is_some());
    let faults = with("user.firstName +");
    assert_eq!(faults[0].code, Code::ExpressionInvalid);
}

#[test]
fn every_fault_of_a_definition_comes_at_once() {
    let faults = put_faults(|app| {
        app["mapping"] =
            serde_json::json!([{"target": "userNaem", "source": "x"}, {"target": "title", "expression": "+"}]);
        app["scope"] = "nobody.country".into();
        app["retry"] = serde_json::json!({"attempts": 0});
    });
    let codes: Vec<Code> = faults.iter().map(|fault| fault.code).collect();
    for code in [Code::UnknownAttribute, Code::ExpressionInvalid, Code::UnknownVariable, Code::InvalidArgument] {
        assert!(codes.contains(&code), "{codes:?} lacks {code}");
    }
}

#[test]
fn a_secret_in_a_definition_is_refused() {
    let json = r#"{"id": "crm", "connector": {"kind": "scim", "base_url": "https://x", "auth":
        {"kind": "bearer", "token": "plain-token"}}}"#;
    let fault = app_fault(json);
    assert!(!fault.message.contains("plain-token"), "{}", fault.message);
}

#[test]
fn an_app_that_is_not_ready_is_not_enabled() {
    let engine = Engine::builder().open().unwrap();
    let app = APP.replace(r#""kind": "mock""#, r#""kind": "custom", "name": "tickets""#);
    let error = engine.put_app(App::from_json(app.as_bytes()).unwrap(), None).unwrap_err();
    assert_eq!(error.code(), Code::UnknownConnector);
    assert!(error.to_string().contains("`tickets`"), "{error}");
    let disabled = app.replace(r#""id": "crm""#, r#""id": "crm", "enabled": false"#);
    engine.put_app(App::from_json(disabled.as_bytes()).unwrap(), None).unwrap();
    let validation = engine.validate_app(app.as_bytes()).unwrap();
    assert!(!validation.ready && validation.readiness.iter().any(|item| item.item == "connector" && !item.ready));
}

#[test]
fn a_newer_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    made(&path);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert_eq!(open(&path).err().unwrap().code(), Code::StoreNewer);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_truncated_database_is_refused_and_never_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    made(&path);
    let whole = std::fs::read(&path).unwrap();
    for length in [50, 100, 512, 4096, 5000, whole.len() / 2, whole.len() - 1] {
        let cut = whole.get(..length).unwrap();
        std::fs::write(&path, cut).unwrap();
        let code = open(&path).err().map(|error| error.code());
        assert_eq!(code, Some(Code::StoreDamaged), "cut to {length} bytes");
        assert_eq!(std::fs::read(&path).unwrap(), cut);
    }
}

#[test]
fn a_file_of_another_kind_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    std::fs::write(&path, "name,department\nann,sales\n".repeat(400)).unwrap();
    assert_eq!(open(&path).err().unwrap().code(), Code::StoreDamaged);
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    assert_eq!(open(&path).err().unwrap().code(), Code::StoreDamaged);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    // Even for root, nothing can be made in this folder of the kernel's.
    let error = open(Path::new("/proc/rollkeeper-state.db")).err().unwrap();
    assert_eq!(error.code(), Code::StoreUnwritable);
    let error = Engine::builder().path("/proc/rollkeeper-state.db").read_only().open().err().unwrap();
    assert_eq!(error.code(), Code::StoreMissing);
}

#[test]
fn a_read_only_engine_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    made(&path);
    let engine = Engine::builder().path(&path).read_only().open().unwrap();
    assert_eq!(engine.users(&Default::default()).unwrap().len(), 300);
    let user = User::from_json(br#"{"id": "u9", "username": "x"}"#).unwrap();
    assert_eq!(engine.put_user(user, None).unwrap_err().code(), Code::ReadOnly);
    assert_eq!(engine.run(&RunOptions::default()).unwrap_err().code(), Code::ReadOnly);
}

#[test]
fn what_does_not_exist_is_not_found() {
    let engine = Engine::builder().open().unwrap();
    let codes = [
        engine.app("x").unwrap_err().code(),
        engine.user("x").unwrap_err().code(),
        engine.request("x").unwrap_err().code(),
        engine.delete_user("x", None).unwrap_err().code(),
        engine.delete_app("x", None).unwrap_err().code(),
        engine.explain("x", "y").unwrap_err().code(),
        engine.cancel("x", None).unwrap_err().code(),
    ];
    assert_eq!(codes, [Code::NotFound; 7]);
}

#[test]
fn faulty_users_of_a_list_are_told_by_place_and_the_rest_stand() {
    let engine = Engine::builder().open().unwrap();
    let lines = b"{\"id\": \"u1\"}\n{oops\n{\"id\": 7}\n{\"username\": \"x\"}\n{\"id\": \"u2\", \"active\": \"yes\"}\n{\"id\": \"u3\"}\n";
    let result = engine.put_users(lines, None).unwrap();
    assert_eq!(result.stored, 2);
    let faults: Vec<(u64, Code)> = result.faults.iter().map(|fault| (fault.index, fault.fault.code)).collect();
    let expected =
        [(1, Code::InvalidJson), (2, Code::InvalidDocument), (3, Code::MissingId), (4, Code::InvalidDocument)];
    assert_eq!(faults, expected);
    assert_eq!(engine.users(&Default::default()).unwrap().len(), 2);
}

#[test]
fn rules_by_themselves_are_refused_as_those_of_an_app_and_no_value_is_shown() {
    for (rules, message) in [
        (
            json!([{"target": "a", "requird": true}]),
            "`mapping[0]` has an unknown key `requird`; did you mean `required`?",
        ),
        (json!([{"target": "a", "on_null": "s3cret"}]), "`mapping[0].on_null` must be `skip`, `clear` or `default`"),
        (json!([{"target": "a", "required": "s3cret"}]), "`mapping[0].required` must be true or false"),
        (json!([{"target": "a", "required": "s3cret ISO 8601"}]), "`mapping[0].required` must be true or false"),
        (json!([{"target": "a", "required": "s3cret 1 to 256"}]), "`mapping[0].required` must be true or false"),
        (json!([["a", "s3cret"]]), "`mapping[0]` must be an object"),
        (json!([{"target": "a", "default": ["s3cret"]}]), "`mapping[0].default` must be an object"),
        (json!("s3cret"), "`mapping` must be a list"),
    ] {
        let app = json!({"id": "crm", "connector": {"kind": "mock"}, "mapping": rules});
        assert_eq!(app_fault(&app.to_string()).message, message);
        let alone = mapping::render(&rules, &Attributes::new(), None, None, Timestamp::default()).unwrap_err();
        assert_eq!(alone, [app_fault(&app.to_string())]);
    }
}
