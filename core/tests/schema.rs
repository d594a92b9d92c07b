//! Targets are asked what they have, mappings are checked against it, and a target that changes is noticed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::{Connector, ConnectorError, SchemaAttribute, TargetAccount};
use rollkeeper::model::{App, LogFilter, SchemaChangeKind, SchemaSource, User, Validation};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Engine, Fault, RunOptions};
use serde_json::{Value, json};
use std::sync::Arc;

fn app(more: Value) -> App {
    let mut app = json!({"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
        "mapping": [{"target": "userName", "source": "username"}], "create_without_match": true});
    app.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn engine_with(more: Value) -> Engine {
    let engine = Engine::builder().open().unwrap();
    engine.put_app(app(more), None).unwrap();
    engine
}

fn set_schema(engine: &Engine, attributes: Value) {
    engine.mock_target("crm").unwrap().set_schema_json(&attributes.to_string()).unwrap();
}

fn validate(engine: &Engine, app: &App) -> Validation {
    engine.validate_app(serde_json::to_string(app).unwrap().as_bytes()).unwrap()
}

fn codes(faults: &[Fault]) -> Vec<(&str, Option<&str>)> {
    faults.iter().map(|fault| (fault.code.name(), fault.attribute.as_deref())).collect()
}

const BADGE: &str = r#"[{"path": "userName", "required": true}, {"path": "badge", "type": "integer"}]"#;

#[test]
fn a_discovered_schema_is_what_mappings_are_checked_against() {
    let engine = engine_with(json!({}));
    let badge =
        app(json!({"mapping": [{"target": "userName", "source": "username"}, {"target": "badge", "constant": 7}]}));
    assert_eq!(codes(&validate(&engine, &badge).findings), [("unknown_attribute", Some("mapping[1].target"))]);
    set_schema(&engine, serde_json::from_str(BADGE).unwrap());
    let discovery = engine.discover("crm").unwrap();
    assert_eq!((discovery.target.source, discovery.target.complete), (SchemaSource::Connector, true));
    assert!(discovery.changed.is_empty() && discovery.broken.is_empty() && discovery.target.findings.is_empty());
    assert_eq!(codes(&validate(&engine, &badge).findings), []);
    engine.put_app(badge, None).unwrap();
    let title =
        app(json!({"mapping": [{"target": "userName", "source": "username"}, {"target": "title", "constant": "x"},
        {"target": "badge", "constant": "seven"}]}));
    let error = engine.put_app(title, None).unwrap_err();
    let expected = [("unknown_attribute", Some("mapping[1].target")), ("type_mismatch", Some("mapping[2].constant"))];
    assert_eq!(codes(error.faults()), expected);
}

#[test]
fn a_schema_that_breaks_a_mapping_is_named_and_the_app_stays_in_use() {
    let engine = engine_with(json!({"mapping": [{"target": "userName", "source": "username"},
        {"target": "title", "source": "title"}, {"target": "nickName", "constant": "x"}]}));
    set_schema(&engine, json!([{"path": "userName"}, {"path": "title"}, {"path": "nickName"}, {"path": "old"}]));
    engine.discover("crm").unwrap();
    set_schema(
        &engine,
        json!([{"path": "userName", "case_exact": true}, {"path": "title", "read_only": true},
            {"path": "nickName", "type": "integer"}, {"path": "name.familyName", "required": true}]),
    );
    let discovery = engine.discover("crm").unwrap();
    let changed: Vec<_> = discovery.changed.iter().map(|one| (one.path.as_str(), one.kind)).collect();
    use SchemaChangeKind as Kind;
    let expected = [
        ("name.familyName", Kind::Added),
        ("nickName", Kind::Type),
        ("old", Kind::Removed),
        ("title", Kind::ReadOnly),
        ("userName", Kind::CaseExact),
    ];
    assert_eq!(changed, expected);
    let broken = [("read_only_attribute", Some("mapping[1].target")), ("type_mismatch", Some("mapping[2].constant"))];
    assert_eq!(codes(&discovery.broken), broken);
    let log = engine.log(&LogFilter::default()).unwrap();
    let told = log.iter().rfind(|entry| entry.kind == "discovered").unwrap();
    assert_eq!(told.details["broken"][0]["attribute"], "mapping[1].target");
    assert_eq!(told.details["changed"][2], json!({"path": "old", "kind": "removed"}));

    let user = br#"{"id": "u1", "username": "ann", "title": "Dr", "profile": "Employees"}"#;
    engine.put_user(User::from_json(user).unwrap(), None).unwrap();
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!(engine.mock_target("crm").unwrap().accounts()[0].attributes["title"], "Dr");
    // Switching it off, or any change beside mapping and connector, goes through; the mapping must be mended to change it.
    let stored = engine.app("crm").unwrap();
    engine.put_app(App { enabled: false, ..stored.clone() }, None).unwrap();
    let mut other = stored;
    other.mapping.truncate(2);
    assert_eq!(
        codes(engine.put_app(other, None).unwrap_err().faults()),
        [("read_only_attribute", Some("mapping[1].target"))]
    );
}

#[test]
fn what_the_target_requires_of_a_new_account_is_told_attribute_by_attribute() {
    let engine = engine_with(json!({}));
    set_schema(
        &engine,
        json!([{"path": "userName", "required": true}, {"path": "displayName", "required": true},
            {"path": "id", "required": true, "read_only": true}, {"path": "active", "type": "boolean", "required": true},
            {"path": "name", "type": "complex"}, {"path": "name.familyName", "required": true}, {"path": "name.givenName"},
            {"path": "emails", "type": "complex", "multi_valued": true, "required": true}, {"path": "emails.value", "required": true},
            {"path": "urn:x:2.0:User:badge", "required": true}, {"path": "urn:x:2.0:User:colour"}]),
    );
    let discovery = engine.discover("crm").unwrap();
    let missing = |faults: &[Fault]| -> Vec<String> {
        assert!(faults.iter().all(|fault| fault.code == Code::MissingRequired));
        faults.iter().map(|fault| fault.message.split('`').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(missing(&discovery.broken), ["displayName", "emails.value"]);
    let mut rules = json!([{"target": "userName", "source": "username"}, {"target": "displayName", "source": "n", "apply": "update"},
        {"target": "name.givenName", "source": "n"}, {"target": "emails", "source": "m"},
        {"target": "urn:x:2.0:User:colour", "constant": "red"}]);
    let partly = app(json!({"mapping": rules, "enabled": false}));
    let validation = validate(&engine, &partly);
    assert_eq!(missing(&validation.findings), ["displayName", "name.familyName", "urn:x:2.0:User:badge"]);
    assert!(!validation.ready && validation.readiness.iter().any(|item| item.item == "mapping" && !item.ready));
    engine.put_app(partly.clone(), None).unwrap();
    let enabled = App { enabled: true, ..partly };
    let refused = engine.put_app(enabled.clone(), None).unwrap_err();
    assert_eq!(missing(refused.faults()), ["displayName", "name.familyName", "urn:x:2.0:User:badge"]);
    rules[1]["apply"] = "create".into();
    rules[2]["target"] = "name".into();
    rules[4]["target"] = "urn:x:2.0:User:badge".into();
    engine.put_app(App { mapping: serde_json::from_value(rules).unwrap(), ..enabled }, None).unwrap();
}

#[test]
fn what_is_hardly_meant_is_a_warning_and_refuses_nothing() {
    let engine = engine_with(json!({}));
    set_schema(
        &engine,
        json!([{"path": "userName"}, {"path": "userType", "canonical_values": ["Employee", "Contractor"]},
            {"path": "emails", "type": "complex", "multi_valued": true}, {"path": "emails.value"},
            {"path": "emails.type", "canonical_values": ["work", "home"]}]),
    );
    engine.discover("crm").unwrap();
    let odd = app(
        json!({"mapping": [{"target": "userName", "source": "username"}, {"target": "userType", "constant": "Emploee"},
            {"target": "emails[type eq \"wrok\"].value", "source": "mail", "default": {"value": "x"}},
            {"target": "emails[type eq \"HOME\"]", "constant": {"value": "a", "typ": "home"}}],
        "matching": [{"all": [{"user": "mail", "account": "email"}]}]}),
    );
    let validation = validate(&engine, &odd);
    assert_eq!(codes(&validation.findings), []);
    let expected = [
        ("unusual_value", Some("mapping[1].constant")),
        ("unusual_value", Some("mapping[2].target")),
        ("unknown_attribute", Some("mapping[3].constant")),
        ("unknown_attribute", Some("matching[0].all[0].account")),
    ];
    assert_eq!(codes(&validation.warnings), expected);
    assert!(validation.warnings[0].message.ends_with("did you mean `Employee`?"), "{}", validation.warnings[0].message);
    assert!(validation.ready);
    engine.put_app(odd, None).unwrap();
}

#[test]
fn what_was_discovered_outlives_the_engine_and_is_seen_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let open = || Engine::builder().path(&path).open().unwrap();
    let engine = open();
    engine.put_app(app(json!({"connector": {"kind": "mock", "settings": {"schema": serde_json::from_str::<Value>(BADGE).unwrap()}}})), None).unwrap();
    let other = open();
    let badge = app(json!({"connector": engine.app("crm").unwrap().connector,
        "mapping": [{"target": "userName", "source": "username"}, {"target": "badge", "constant": 7}]}));
    assert_eq!(codes(&validate(&other, &badge).findings).len(), 1);
    engine.discover("crm").unwrap();
    assert_eq!(codes(&validate(&other, &badge).findings), []);
    drop((engine, other));
    assert_eq!(codes(&validate(&open(), &badge).findings), []);
    // Another target has another schema.
    let moved = app(json!({"connector": {"kind": "scim", "base_url": "https://x.example"}, "mapping": badge.mapping}));
    assert_eq!(codes(&validate(&open(), &moved).findings), [("unknown_attribute", Some("mapping[1].target"))]);
}

/// A connector that says what its test wants, or nothing at all.
struct Scripted(Box<dyn Fn() -> Result<Vec<SchemaAttribute>, ConnectorError> + Send + Sync>);

impl Connector for Scripted {
    fn schema(&self) -> Result<Vec<SchemaAttribute>, ConnectorError> {
        (self.0)()
    }

    fn create(&self, _: &Attributes, _: &str) -> Result<TargetAccount, ConnectorError> {
        Err(ConnectorError::unsupported("create"))
    }
}

#[test]
fn a_connector_in_trouble_is_a_finding_and_the_rest_stands() {
    let silent: Vec<Scripted> =
        vec![Scripted(Box::new(|| Err(ConnectorError::unsupported("schema")))), Scripted(Box::new(|| panic!("no")))];
    for (connector, code) in silent.into_iter().zip([Code::Unsupported, Code::ConnectorFailed]) {
        let engine = Engine::builder().open().unwrap();
        engine.register_connector("hr", Arc::new(connector)).unwrap();
        engine.put_app(app(json!({"connector": {"kind": "custom", "name": "hr"}})), None).unwrap();
        let discovery = engine.discover("crm").unwrap();
        assert_eq!(discovery.target.findings[0].code, code);
        assert!(!discovery.target.complete && discovery.target.attributes.is_empty() && discovery.broken.is_empty());
    }
}

#[test]
fn a_target_that_says_nothing_keeps_what_it_said_before() {
    let engine = engine_with(json!({}));
    set_schema(&engine, serde_json::from_str(BADGE).unwrap());
    engine.discover("crm").unwrap();
    engine.mock_target("crm").unwrap().set_reachable(false);
    let discovery = engine.discover("crm").unwrap();
    assert_eq!(codes(&discovery.target.findings), [("unreachable", Some("schema"))]);
    assert_eq!(discovery.target.attributes.len(), 2);
    assert!(!discovery.target.complete && discovery.changed.is_empty());
}

#[test]
fn an_app_that_cannot_be_asked_is_told() {
    let engine = Engine::builder().open().unwrap();
    assert_eq!(engine.discover("crm").unwrap_err().code(), Code::NotFound);
    assert_eq!(engine.suggest_mapping("crm").unwrap_err().code(), Code::NotFound);
    engine.put_app(app(json!({"enabled": false, "connector": {"kind": "custom", "name": "hr"}})), None).unwrap();
    assert_eq!(engine.discover("crm").unwrap_err().code(), Code::UnknownConnector);
    let auth = json!({"kind": "bearer", "token": {"secret": "none"}});
    let scim = json!({"kind": "scim", "base_url": "https://x.example", "auth": auth});
    engine.put_app(app(json!({"enabled": false, "connector": scim})), None).unwrap();
    assert_eq!(engine.discover("crm").unwrap_err().code(), Code::SecretMissing);
    assert_eq!(engine.test_app("crm").unwrap().fault.unwrap().code, Code::SecretMissing);
}
