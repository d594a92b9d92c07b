//! Attribute paths: what is read, what is refused, and what a change does.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::connector::ChangeKind;
use rollkeeper::connector::path::AttributePath;
use rollkeeper::value::Attributes;
use serde_json::{Value, json};

#[test]
fn a_path_is_written_as_it_was_read() {
    for text in [
        "userName",
        "name.familyName",
        "groups.$ref",
        r#"emails[type eq "work"]"#,
        r#"emails[type eq "work" and primary eq true].value"#,
        r#"roles[value eq "a] and b eq \"c\""].display"#,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        r#"urn:x:1.0:Y:sites[id eq 7].name"#,
    ] {
        assert_eq!(AttributePath::parse(text).unwrap().to_string(), text);
    }
    let core = AttributePath::parse("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName").unwrap();
    assert_eq!(core.to_string(), "name.givenName");
}

#[test]
fn what_is_no_path_is_refused() {
    for text in [
        "",
        ".",
        "a.b.c",
        "a b",
        "1a",
        "emails[",
        "emails[]",
        "emails[type]",
        r#"emails[type co "w"]"#,
        r#"emails[type eq "w" or type eq "h"]"#,
        r#"emails[type eq w]"#,
        r#"emails[type eq "w"]value"#,
        r#"emails.value[type eq "w"].x"#,
        "urn:x:",
        "user\u{e9}",
    ] {
        assert_eq!(AttributePath::parse(text), None, "{text}");
    }
}

#[test]
fn any_text_survives_in_a_filter() {
    // A walk through awkward characters in a fixed pseudo-random order.
    let characters: Vec<char> = "\"\\[]() eqand\u{0}\n\u{1f600}ü'&%+=".chars().collect();
    let mut state: u32 = 1;
    for length in 0..2000 {
        let mut text = String::new();
        for _ in 0..length % 17 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.extend(characters.get((state >> 16) as usize % characters.len()));
        }
        let filter = format!("emails[value eq {}].type", Value::from(text.as_str()));
        let path = AttributePath::parse(&filter).unwrap();
        assert_eq!(path.filter, [("value".to_owned(), Value::from(text))]);
    }
}

/// The record after one change.
fn after(record: Value, kind: ChangeKind, path: &str, value: Value) -> Value {
    let mut record: Attributes = record.as_object().unwrap().clone();
    AttributePath::parse(path).unwrap().apply(kind, Some(&value), &mut record);
    Value::Object(record)
}

#[test]
fn adding_joins_and_replacing_replaces() {
    use ChangeKind::{Add, Replace};
    let record = json!({"emails": [{"value": "a"}], "name": {"givenName": "A"}});
    assert_eq!(
        after(record.clone(), Add, "emails", json!([{"value": "a"}, {"value": "b"}])),
        json!({"emails": [{"value": "a"}, {"value": "b"}], "name": {"givenName": "A"}})
    );
    assert_eq!(
        after(record.clone(), Add, "name", json!({"familyName": "B"})),
        json!({"emails": [{"value": "a"}], "name": {"givenName": "A", "familyName": "B"}})
    );
    assert_eq!(
        after(record, Replace, "NAME", json!({"familyName": "B"})),
        json!({"emails": [{"value": "a"}], "name": {"familyName": "B"}})
    );
    assert_eq!(after(json!({}), Add, "emails.value", json!("a")), json!({"emails": [{"value": "a"}]}));
}

#[test]
fn removing_the_last_part_removes_the_whole() {
    use ChangeKind::{Remove, Replace};
    assert_eq!(after(json!({"name": {"givenName": "A"}}), Remove, "name.givenName", Value::Null), json!({}));
    assert_eq!(after(json!({"title": "x"}), Replace, "title", Value::Null), json!({}));
    let emails = json!({"emails": [{"type": "work", "value": "a"}]});
    assert_eq!(after(emails.clone(), Remove, r#"emails[type eq "WORK"]"#, Value::Null), json!({}));
    assert_eq!(after(emails.clone(), Remove, r#"emails[type eq "home"]"#, Value::Null), emails);
    assert_eq!(after(json!({"urn:x:1.0:Y": {"a": 1}}), Remove, "urn:x:1.0:Y:a", Value::Null), json!({}));
}
