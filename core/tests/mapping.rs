//! A mapping against a target's schema, and what a preview shows.
#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use rollkeeper::expression::Reads;
use rollkeeper::mapping::{Mapping, RenderInputs};
use rollkeeper::model::{ChangeKind, Rule, SchemaAttribute};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Fault, Timestamp};
use serde_json::{Value, json};

fn object(value: Value) -> Attributes {
    serde_json::from_value(value).unwrap()
}

fn schema() -> Vec<SchemaAttribute> {
    serde_json::from_value(json!([
        {"path": "userName"},
        {"path": "nickName", "case_exact": true},
        {"path": "name", "type": "complex"}, {"path": "name.givenName"},
        {"path": "emails", "type": "complex", "multi_valued": true}, {"path": "emails.value"}, {"path": "emails.type"},
        {"path": "roles", "multi_valued": true},
        {"path": "active", "type": "boolean"},
        {"path": "logins", "type": "integer"},
        {"path": "hired", "type": "dateTime"},
        {"path": "groups", "type": "complex", "multi_valued": true, "read_only": true}, {"path": "groups.value"},
        {"path": "urn:x:User:badge", "type": "complex"}
    ]))
    .unwrap()
}

fn compile(rules: Value) -> Result<Mapping, Vec<Fault>> {
    let rules: Vec<Rule> = serde_json::from_value(rules).unwrap();
    Mapping::compile(&rules, Some(&schema()))
}

fn changes(rules: Value, user: Value, current: Value) -> Vec<(ChangeKind, String)> {
    let (user, current) = (object(user), object(current));
    let inputs =
        RenderInputs { current: Some(&current), creating: false, ..RenderInputs::create(&user, Timestamp::default()) };
    let rendered = compile(rules).unwrap().render(&inputs).unwrap();
    rendered.changes.into_iter().map(|change| (change.kind, change.path)).collect()
}

#[test]
fn targets_are_checked_against_the_schema() {
    let cases = [
        ("userName", None),
        ("USERNAME", None),
        ("externalId", None),
        ("name.givenName", None),
        ("urn:x:User:badge.number", None),
        (r#"emails[type eq "work"].value"#, None),
        ("nope", Some(Code::UnknownAttribute)),
        ("name.nope", Some(Code::UnknownAttribute)),
        ("id", Some(Code::ReadOnlyAttribute)),
        ("meta.created", Some(Code::ReadOnlyAttribute)),
        (r#"groups[value eq "x"].value"#, Some(Code::ReadOnlyAttribute)),
        ("emails.value", Some(Code::InvalidPath)),
    ];
    for (target, code) in cases {
        let found = compile(json!([{"target": target, "source": "x"}])).err().map(|faults| faults[0].clone());
        assert_eq!(found.as_ref().map(|fault| fault.code), code, "{target}: {found:?}");
        assert!(found.is_none_or(|fault| fault.attribute.as_deref() == Some("mapping[0].target")));
    }
}

#[test]
fn constants_and_defaults_of_the_wrong_type_are_refused() {
    for (target, wrong) in [
        ("userName", json!(1)),
        ("active", json!("true")),
        ("logins", json!(1.5)),
        ("roles", json!("a")),
        ("roles", json!([1])),
        ("emails", json!(["a"])),
        ("name", json!("Ada")),
        (r#"emails[type eq "work"].value"#, json!(["a"])),
    ] {
        let constant = compile(json!([{"target": target, "constant": wrong}])).unwrap_err();
        assert_eq!(
            (constant[0].code, constant[0].attribute.as_deref()),
            (Code::TypeMismatch, Some("mapping[0].constant"))
        );
        let default = compile(json!([{"target": target, "source": "x", "default": {"value": wrong}}])).unwrap_err();
        assert_eq!(
            (default[0].code, default[0].attribute.as_deref()),
            (Code::TypeMismatch, Some("mapping[0].default"))
        );
    }
}

#[test]
fn what_is_merged_is_a_list() {
    let one = json!([{"target": "roles", "source": "r", "multi": "merge"}]);
    assert_eq!(changes(one, json!({"r": "a"}), json!({"roles": ["b"]})), [(ChangeKind::Add, "roles".to_owned())]);
    let single = compile(json!([{"target": "userName", "constant": "a", "multi": "merge"}])).unwrap_err();
    assert_eq!((single[0].code, single[0].attribute.as_deref()), (Code::TypeMismatch, Some("mapping[0].constant")));
}

#[test]
fn values_of_the_wrong_type_are_refused_without_being_shown() {
    let user = object(json!({"active": "secret-yes", "logins": "many", "x": 1}));
    let mapping = compile(json!([
        {"target": "active", "source": "active"}, {"target": "logins", "source": "logins"}, {"target": "userName", "source": "x"}
    ]))
    .unwrap();
    let faults = mapping.render(&RenderInputs::create(&user, Timestamp::default())).unwrap_err();
    let places: Vec<_> = faults.iter().map(|fault| fault.attribute.as_deref().unwrap()).collect();
    assert_eq!(places, ["active", "logins", "userName"]);
    assert_eq!(faults[0].message, "`active` takes true or false, not a text");
}

#[test]
fn comparison_follows_the_schema() {
    let rules = json!([
        {"target": "userName", "source": "u"}, {"target": "nickName", "source": "n"},
        {"target": r#"emails[type eq "work"].value"#, "source": "m"}, {"target": "hired", "source": "h"}
    ]);
    let user = json!({"u": "ADA", "n": "Ada", "m": "Ada@x", "h": "2026-01-01T01:00:00+01:00"});
    let current = json!({"userName": "ada", "nickName": "ada", "emails": [{"type": "Work", "value": "ada@X"}],
                         "hired": "2026-01-01T00:00:00Z"});
    assert_eq!(changes(rules, user, current), [(ChangeKind::Replace, "nickName".to_owned())]);
}

#[test]
fn long_lists_are_compared_in_any_order() {
    let members: Vec<Value> = (0..5_000).map(|number| json!({"value": format!("u{number}")})).collect();
    let reversed: Vec<Value> = members.iter().rev().cloned().collect();
    let rules = json!([{"target": "emails", "source": "m"}]);
    assert_eq!(changes(rules, json!({"m": members}), json!({"emails": reversed})), []);
}

#[test]
fn many_elements_with_the_same_value_are_not_compared_each_with_each() {
    let members = |letter: &str| -> Vec<Value> {
        (0..1_000).map(|number| json!({"value": "v", "type": format!("{letter}{number}")})).collect()
    };
    let rules = || json!([{"target": "emails", "source": "m", "multi": "merge"}]);
    assert_eq!(changes(rules(), json!({"m": members("a")}), json!({"emails": members("a")})), []);
    assert_eq!(changes(rules(), json!({"m": members("a")}), json!({"emails": members("b")})).len(), 1);
}

#[test]
fn the_user_attributes_read_are_told() {
    let mapping = compile(json!([
        {"target": "userName", "source": "login.name"}, {"target": "nickName", "expression": "user.a + user.b.lower()"},
        {"target": "active", "constant": true}, {"target": "name.givenName", "source": "names[type eq \"x\"].value"}
    ]))
    .unwrap();
    let expected = ["a", "b", "login.name", "names"].map(str::to_owned).into();
    assert_eq!(mapping.reads(), &Reads::Paths(expected));
}

#[test]
fn a_preview_shows_inputs_results_and_faults_but_nothing_sensitive() {
    let user = object(json!({"u": "ada", "pin": "1234"}));
    let mapping = compile(json!([
        {"target": "userName", "expression": "user.u.upper()"}, {"target": "nickName", "source": "pin", "sensitive": true},
        {"target": "name.givenName", "source": "given", "required": true}, {"target": "hired", "source": "hired"}
    ]))
    .unwrap();
    let trace = serde_json::to_value(mapping.trace(&RenderInputs::create(&user, Timestamp::default()))).unwrap();
    assert_eq!(
        trace[0],
        json!({"rule": 0, "target": "userName", "kind": "expression", "inputs": {"u": "ada"}, "value": "ADA", "sensitive": false})
    );
    assert!(!trace[1].to_string().contains("1234"));
    assert_eq!(trace[2]["fault"]["code"], "missing_required");
    assert_eq!(trace[3]["skipped"], "missing");
    assert_eq!(mapping.sensitive().collect::<Vec<_>>(), ["nickName"]);
}

#[test]
fn a_weak_rule_overwrites_nothing_that_nobody_has_seen() {
    let user = object(json!({"u": "ada"}));
    let mapping = compile(json!([{"target": "userName", "source": "u", "strength": "weak"}])).unwrap();
    let unseen = RenderInputs { creating: false, ..RenderInputs::create(&user, Timestamp::default()) };
    assert_eq!(mapping.render(&unseen).unwrap().changes, []);
    let normal = compile(json!([{"target": "userName", "source": "u"}])).unwrap();
    assert_eq!(normal.render(&unseen).unwrap().changes[0].kind, ChangeKind::Replace);
}

#[test]
fn values_in_values_are_compared_once_each() {
    let nested = |inner: &str| (0..100).fold(json!(inner), |value, _| json!({"value": value}));
    let user = object(json!({"l": [nested("a")]}));
    for multi in ["replace", "merge"] {
        let mapping = compile(json!([{"target": "emails", "source": "l", "multi": multi}])).unwrap();
        for (current, changes) in [(nested("a"), 0), (nested("b"), 1)] {
            let current = object(json!({"emails": [current]}));
            let inputs = RenderInputs {
                creating: false,
                current: Some(&current),
                ..RenderInputs::create(&user, Timestamp::default())
            };
            assert_eq!(mapping.render(&inputs).unwrap().changes.len(), changes, "{multi}");
        }
    }
}
