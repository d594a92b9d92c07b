//! Expressions in an app's definition: what is found when it is stored, and what is told of them.
#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use rollkeeper::mapping::Mapping;
use rollkeeper::model::{App, Rule, SchemaAttribute};
use rollkeeper::{Code, Engine, Fault};
use serde_json::{Value, json};

fn app(keys: &Value) -> Vec<u8> {
    let mut app = json!({
        "id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
        "create_without_match": true, "tables": {"dept": {"X": "HR"}},
    });
    app.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    app.to_string().into_bytes()
}

/// What storing the definition is refused for: code, place, position, message.
fn refusal(keys: &Value) -> (Code, String, Option<usize>, String) {
    let engine = Engine::builder().open().unwrap();
    let app = App::from_json(&app(keys)).unwrap();
    let error = engine.put_app(app, None).unwrap_err();
    let Fault { code, message, attribute, position, .. } = error.faults().first().unwrap().clone();
    (code, attribute.unwrap(), position, message)
}

#[test]
fn a_table_that_is_not_there_is_found_with_its_place() {
    let rules = json!({"mapping": [{"target": "title", "expression": "'ü' + lookup('dpt', user.dept)"}]});
    let place = "mapping[0].expression".to_owned();
    assert_eq!(refusal(&rules), (Code::ExpressionInvalid, place, Some(13), "there is no table `dpt`".to_owned()));
    let scope = json!({"scope": "lookup('dpt', user.dept) == 'HR'"});
    let message = "there is no table `dpt`".to_owned();
    assert_eq!(refusal(&scope), (Code::ExpressionInvalid, "scope".to_owned(), Some(7), message));
}

#[test]
fn a_scope_that_can_only_give_a_text_is_refused() {
    let (code, place, position, message) = refusal(&json!({"scope": "user.country + 'x'"}));
    assert_eq!((code, place.as_str(), position), (Code::ExpressionInvalid, "scope", Some(13)));
    assert_eq!(message, "a condition must be true or false, not a string");
}

#[test]
fn a_type_that_can_only_be_wrong_is_refused_in_a_rule() {
    let (code, place, position, message) = refusal(&json!({"mapping": [{"target": "title", "expression": "1 + 'a'"}]}));
    assert_eq!((code, place.as_str(), position), (Code::ExpressionInvalid, "mapping[0].expression", Some(2)));
    assert_eq!(message, "`+` does not take an int and a string");
}

#[test]
fn what_an_expression_gives_is_compared_with_the_schema() {
    let schema: Vec<SchemaAttribute> = serde_json::from_value(json!([
        {"path": "title"}, {"path": "active", "type": "boolean"}, {"path": "logins", "type": "integer"},
        {"path": "roles", "multi_valued": true}, {"path": "hired", "type": "dateTime"}
    ]))
    .unwrap();
    let fault = |target: &str, expression: &str| {
        let rule: Rule = serde_json::from_value(json!({"target": target, "expression": expression})).unwrap();
        Mapping::compile(&[rule], Some(&schema)).err().map(|faults| faults[0].clone())
    };
    for (target, expression) in [
        ("title", "user.a"),
        ("title", "user.a.lower()"),
        ("title", "user.l.first()"),
        ("title", "user.?a"),
        ("title", "null"),
        ("active", "user.a == 1"),
        ("logins", "user.a + 1"),
        ("roles", "user.l.distinct()"),
        ("hired", "now.addDays(1)"),
        ("hired", "now.format('%F')"),
    ] {
        assert!(fault(target, expression).is_none(), "{target}: {expression}");
    }
    for (target, expression, message) in [
        ("title", "user.l.size()", "`title` takes a text; the expression gives `int`"),
        ("active", "'yes'", "`active` takes true or false; the expression gives `string`"),
        ("logins", "1.5", "`logins` takes a whole number; the expression gives `double`"),
        ("roles", "user.a.lower()", "`roles` takes a list; the expression gives `string`"),
        ("hired", "now - now == now - now", "`hired` takes a text; the expression gives `bool`"),
    ] {
        let fault = fault(target, expression).unwrap();
        assert_eq!((fault.code, fault.message.as_str()), (Code::TypeMismatch, message));
        assert_eq!(fault.attribute.as_deref(), Some("mapping[0].expression"));
    }
}

#[test]
fn a_validation_tells_of_every_expression() {
    let engine = Engine::builder().open().unwrap();
    let definition = json!({
        "scope": "user.country == 'DE'",
        "mapping": [
            {"target": "userName", "source": "username"},
            {"target": "title", "expression": "lookup('dept', user.dept, 'other') + token"},
        ],
    });
    let validation = engine.validate_app(&app(&definition)).unwrap();
    assert!(validation.findings.is_empty());
    let mut told = serde_json::to_value(&validation).unwrap()["expressions"].clone();
    for report in told.as_array_mut().unwrap() {
        let cost = report.as_object_mut().unwrap().remove("cost").unwrap();
        assert!((1..1000).contains(&cost.as_u64().unwrap()), "{cost}");
    }
    let wanted = json!([
        {"place": "scope", "variables": ["user"], "functions": [], "paths": ["country"], "type": "bool"},
        {"place": "mapping[1].expression", "variables": ["token", "user"], "functions": ["lookup"], "paths": ["dept"], "type": "string"},
    ]);
    assert_eq!(told, wanted);
}

#[test]
fn tables_are_exported_as_they_came() {
    let engine = Engine::builder().open().unwrap();
    engine.put_app(App::from_json(&app(&json!({}))).unwrap(), None).unwrap();
    let exported: Value = serde_json::from_str(&engine.export_app("crm").unwrap()).unwrap();
    assert_eq!(exported["tables"], json!({"dept": {"X": "HR"}}));
}
