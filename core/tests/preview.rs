//! What a preview tells: what would be sent, for stored users and for what is only tried; that nothing is asked or kept.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use crate::world::World;
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, SchemaAttribute, TargetAccount};
use rollkeeper::model::{App, LogFilter, Preview, TargetRequest, User};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Engine, RunOptions};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn app(document: &Value) -> App {
    App::from_json(document.to_string().as_bytes()).unwrap()
}

fn user(document: &Value) -> User {
    User::from_json(document.to_string().as_bytes()).unwrap()
}

/// A connector that counts whatever it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn called<T>(&self, answer: T) -> T {
        self.0.fetch_add(1, Ordering::SeqCst);
        answer
    }
}

impl Connector for Counting {
    fn capabilities(&self) -> Capabilities {
        self.called(Capabilities { conditional_write: true, ..Capabilities::default() })
    }

    fn test(&self) -> Result<(), ConnectorError> {
        self.called(Ok(()))
    }

    fn schema(&self) -> Result<Vec<SchemaAttribute>, ConnectorError> {
        self.called(Err(ConnectorError::unsupported("schema")))
    }

    fn find(&self, _attribute: &str, _value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.called(Ok(Vec::new()))
    }

    fn read(&self, _external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.called(Ok(None))
    }

    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        let account = json!({"external_id": "a1", "attributes": attributes, "version": "v7"});
        self.called(Ok(serde_json::from_value(account).unwrap()))
    }

    fn update(
        &self,
        _external_id: &str,
        _changes: &[Change],
        _version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        self.called(Ok(None))
    }
}

fn counted() -> (Engine, Arc<Counting>, Value) {
    let engine = Engine::builder().seed(1).open().unwrap();
    let connector = Arc::new(Counting::default());
    engine.register_connector("tickets", Arc::clone(&connector) as Arc<dyn Connector>).unwrap();
    let definition = json!({
        "id": "tickets", "connector": {"kind": "custom", "name": "tickets"}, "create_without_match": true,
        "assigned_to": {"profiles": ["Employees"]},
        "mapping": [{"target": "userName", "source": "username"}, {"target": "title", "source": "title"}],
    });
    engine.put_app(app(&definition), None).unwrap();
    engine.put_user(user(&ann("Nurse")), None).unwrap();
    engine.run(&RunOptions::default()).unwrap();
    (engine, connector, definition)
}

fn ann(title: &str) -> Value {
    json!({"id": "u1", "username": "ann", "title": title, "profile": "Employees"})
}

#[test]
fn neither_preview_nor_explain_nor_impact_asks_a_connector_or_stores_anything() {
    let (engine, connector, mut definition) = counted();
    let (calls, log) = (connector.count(), engine.log(&LogFilter::default()).unwrap());
    definition["mapping"][1]["expression"] = json!("user.title + '!'");
    definition["mapping"][1].as_object_mut().unwrap().remove("source");
    let other = json!({"id": "new", "connector": {"kind": "custom", "name": "unheard of"}});
    engine.preview("tickets", "u1").unwrap();
    engine.preview(app(&definition), "u1").unwrap();
    engine.preview("tickets", user(&ann("Chief"))).unwrap();
    engine.preview(app(&other), user(&json!({"id": "u2"}))).unwrap();
    engine.explain("tickets", "u1").unwrap();
    assert_eq!(engine.impact(app(&definition), Default::default()).unwrap().count(), 1);
    assert_eq!(engine.impact(app(&other), Default::default()).unwrap().count(), 0);
    assert_eq!(connector.count(), calls, "the connector was asked");
    assert_eq!(engine.log(&LogFilter::default()).unwrap(), log, "something was logged");
    assert_eq!(engine.user("u1").unwrap().record["title"], "Nurse");
    assert_eq!(engine.apps().unwrap().len(), 1);
}

#[test]
fn a_connector_of_the_host_is_shown_the_call_with_its_arguments() {
    let (engine, _, _) = counted();
    let preview = engine.preview("tickets", user(&ann("Chief"))).unwrap();
    let created = json!({"attributes": {"userName": "ann", "title": "Chief", "externalId": "u1"}});
    assert_eq!(preview.create.requests, [TargetRequest::Call { call: "create".to_owned(), arguments: created }]);
    let changes = json!([{"op": "replace", "path": "title", "value": "Chief"}]);
    let updated = json!({"external_id": "a1", "changes": changes, "version": "v7"});
    assert_eq!(preview.update.requests, [TargetRequest::Call { call: "update".to_owned(), arguments: updated }]);
    assert_eq!(preview.operations.len(), 1);
    assert_eq!(preview.operations[0].payload, Some(changes));
}

#[test]
fn what_is_foretold_is_what_the_target_is_sent() {
    let world = World::with_account(&json!({}));
    let foretold = world.engine.preview("crm", user(&ann("Chief"))).unwrap();
    world.mock().clear_calls();
    world.put(&json!({"title": "Chief"}));
    world.run();
    let calls = world.mock().calls();
    assert_eq!(calls.len(), 1);
    let sent = json!({"external_id": calls[0].external_id, "changes": calls[0].changes});
    assert_eq!(foretold.update.requests, [TargetRequest::Call { call: "update".to_owned(), arguments: sent }]);
}

fn scim(features: &Value) -> Value {
    json!({
        "id": "hr", "connector": {"kind": "scim", "base_url": "https://hr.example.com/scim/v2?tenant=7", "features": features},
        "assigned_to": {"profiles": ["Employees"]}, "create_without_match": true,
        "mapping": [
            {"target": "userName", "source": "username"},
            {"target": "active", "constant": true},
            {"target": "emails[type eq \"work\"].value", "source": "mail"},
        ],
    })
}

fn requests(requests: &[TargetRequest]) -> Vec<String> {
    let line = |request: &TargetRequest| match request {
        TargetRequest::Http { method, path, .. } => format!("{method} {path}"),
        TargetRequest::Call { call, .. } => call.clone(),
    };
    requests.iter().map(line).collect()
}

#[test]
fn a_scim_target_is_shown_its_requests_by_what_is_known_of_it() {
    let engine = Engine::builder().seed(1).open().unwrap();
    let joiner = || user(&json!({"id": "u1", "username": "ann", "mail": "a@b.example", "profile": "Employees"}));
    let preview = engine.preview(app(&scim(&json!({}))), joiner()).unwrap();
    assert_eq!(requests(&preview.create.requests), ["POST /scim/v2/Users?tenant=7"]);
    // `active` goes alone, as the connector sends it.
    assert_eq!(requests(&preview.update.requests), ["PATCH /scim/v2/Users/EXTERNAL-ID?tenant=7"; 2]);
    let preview = engine.preview(app(&scim(&json!({"patch": false}))), joiner()).unwrap();
    assert_eq!(requests(&preview.update.requests), ["PUT /scim/v2/Users/EXTERNAL-ID?tenant=7"]);
}

#[test]
fn each_rule_tells_what_it_read_what_it_changes_and_why_not() {
    let world = World::with_account(&json!({"label": "CRM"}));
    let tried = json!({
        "id": "crm", "label": "CRM", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
        "create_without_match": true,
        "mapping": [
            {"target": "userName", "source": "username", "apply": "create"},
            {"target": "title", "expression": "user.title + current.userName + app.label + token + string(iteration)"},
            {"target": "nickName", "expression": "user.nick"},
            {"target": "displayName", "source": "nick", "required": true},
        ],
    });
    let preview = world.engine.preview(app(&tried), user(&ann("Dr "))).unwrap();
    let rules = preview.rules.as_array().unwrap();
    assert_eq!(rules[0]["skipped"], "apply");
    assert_eq!(rules[1]["inputs"], json!({"title": "Dr "}));
    let variables = json!({"current.userName": "ann", "app.label": "CRM", "token": "", "iteration": 0});
    assert_eq!(rules[1]["variables"], variables);
    assert_eq!(rules[1]["value"], "Dr annCRM0");
    assert_eq!(rules[2]["fault"]["code"], "expression_failed");
    assert_eq!(rules[3]["fault"]["code"], "missing_required");
    let codes = |preview: &Preview| preview.faults.iter().map(|fault| fault.code).collect::<Vec<_>>();
    assert_eq!(codes(&preview), [Code::ExpressionFailed, Code::MissingRequired]);
    assert!(preview.update.requests.is_empty() && preview.update.faults == preview.faults);
    let preview = world.engine.preview(app(&tried), user(&json!({"id": "u1", "title": "Dr ", "nick": "A"}))).unwrap();
    let changed = json!([{"op": "replace", "path": "title", "value": "Dr annCRM0", "rule": 1}]);
    assert_eq!(preview.rules[1]["changes"], changed);
}

#[test]
fn values_of_sensitive_rules_appear_nowhere_whatever_the_connector() {
    const PLANTED: &str = "planted-value-51d0be";
    let target = "emails[type eq \"work\"].value";
    let mapping = json!([
        {"target": "userName", "source": "username"},
        {"target": target, "source": "mail", "sensitive": true},
        {"target": "title", "source": "pay", "sensitive": true},
        {"target": "displayName", "expression": "coalesce(current.?title.orValue('none'), 'x').size() > 0 ? 'a' : 'b'"},
    ]);
    let world = World::with_account(&json!({"mapping": mapping}));
    let record = |suffix: &str| {
        let mail = format!("{PLANTED}{suffix}@b.example");
        json!({"id": "u1", "username": "ann", "mail": mail, "pay": format!("{PLANTED}{suffix}"), "profile": "Employees"})
    };
    world.engine.put_user(user(&record("")), None).unwrap();
    world.run();
    assert!(world.mock().accounts()[0].attributes["title"].to_string().contains(PLANTED), "nothing was planted");
    let mut shown = String::new();
    for features in [json!({}), json!({"patch": false})] {
        let mut tried = scim(&features);
        tried["id"] = json!("crm");
        tried["mapping"] = mapping.clone();
        let preview = world.engine.preview(app(&tried), user(&record("-new"))).unwrap();
        assert_eq!(preview.update.requests.len(), 1);
        assert!(json!(preview).to_string().contains("[sensitive]"));
        // Where they stay as they are, they are a part of what is put.
        let mut renamed = record("");
        renamed["username"] = json!("anna");
        shown.push_str(&json!(world.engine.preview(app(&tried), user(&renamed)).unwrap()).to_string());
        shown.push_str(&format!("{}{preview:?}", json!(preview)));
    }
    shown.push_str(&json!(world.engine.preview("crm", user(&record("-new"))).unwrap()).to_string());
    shown.push_str(&json!(world.engine.preview("crm", "u1").unwrap()).to_string());
    shown.push_str(&json!(world.engine.explain("crm", "u1").unwrap()).to_string());
    let options = rollkeeper::model::ImpactOptions { values: true };
    let mut tried = scim(&json!({}));
    tried["id"] = json!("crm");
    for touched in world.engine.impact(app(&tried), options).unwrap() {
        let touched = touched.unwrap();
        assert!(touched.attributes.iter().any(|attribute| attribute.sensitive));
        shown.push_str(&json!(touched).to_string());
    }
    assert!(!shown.contains(PLANTED), "{shown}");
}

#[test]
fn a_definition_at_fault_is_refused_with_everything_and_a_missing_one_by_its_id() {
    let engine = Engine::builder().seed(1).open().unwrap();
    let wrong = json!({
        "id": "x", "connector": {"kind": "mock"}, "scope": "user.",
        "mapping": [{"target": "a b", "source": "x"}, {"target": "userName", "expression": "usr.x"}],
    });
    for error in
        [engine.preview(app(&wrong), "u1").unwrap_err(), engine.impact(app(&wrong), Default::default()).unwrap_err()]
    {
        let codes: Vec<Code> = error.faults().iter().map(|fault| fault.code).collect();
        assert_eq!(codes, [Code::InvalidPath, Code::UnknownVariable, Code::ExpressionInvalid]);
    }
    let unreachable = json!({"id": "x", "connector": {"kind": "scim", "base_url": "http://hr.example.com"}});
    assert_eq!(engine.preview(app(&unreachable), "u1").unwrap_err().code(), Code::InvalidUrl);
    let error = engine.preview("none", "u1").unwrap_err();
    assert_eq!((error.code(), error.context()[0].1.as_str()), (Code::NotFound, "none"));
}

#[test]
fn what_was_not_stored_of_a_user_is_told() {
    let world = World::new(&json!({}));
    world.put(&json!({"nick": "Annie"}));
    let reads_it = json!({
        "id": "other", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
        "create_without_match": true, "mapping": [{"target": "nickName", "source": "nick"}],
    });
    let preview = world.engine.preview(app(&reads_it), "u1").unwrap();
    assert!(preview.operations.is_empty());
    assert!(preview.withheld[0].withheld.starts_with("`nick` was not stored"));
    let touched: Vec<_> = world.engine.impact(app(&reads_it), Default::default()).unwrap().collect();
    let touched = touched[0].as_ref().unwrap();
    assert!(touched.operations.is_empty() && touched.attributes.is_empty());
    assert!(touched.withheld[0].withheld.starts_with("`nick` was not stored"));
}
