//! Attribute paths: what is read, what is refused, and what a change does.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::Code;
use rollkeeper::connector::ChangeKind;
use rollkeeper::path::Path;
use rollkeeper::value::Attributes;
use serde_json::{Value, json};

#[test]
fn a_path_is_written_as_it_was_read_but_for_the_core_schema() {
    for text in [
        "groups.$ref",
        r#"emails[type eq "work" and primary eq true].value"#,
        r#"roles[value eq "a] and b eq \"c\""].display"#,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        "urn:x:1.0:Y:sites[id eq 7].name",
    ] {
        assert_eq!(Path::parse(text).unwrap().to_string(), text);
    }
    let core = Path::parse("urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq \"a:b\"].value").unwrap();
    assert_eq!(core.to_string(), r#"emails[type eq "a:b"].value"#);
}

#[test]
fn a_path_tells_its_list_its_element_and_its_attribute() {
    let path = Path::parse(r#"urn:x:1.0:Y:sites[id eq 7 and kind eq "x"].name"#).unwrap();
    assert_eq!(path.list().unwrap().as_str(), "urn:x:1.0:Y:sites");
    assert_eq!(path.element().unwrap().as_str(), r#"urn:x:1.0:Y:sites[id eq 7 and kind eq "x"]"#);
    assert_eq!(path.unfiltered().as_str(), "urn:x:1.0:Y:sites.name");
    assert_eq!(path.attribute(), "urn:x:1.0:Y:sites.name");
    assert!(Path::parse("ACTIVE").unwrap().is("active"));
    assert!(!Path::parse("urn:x:1.0:Y:active").unwrap().is("active"));
    assert!(Path::parse("name.givenName").unwrap().list().is_none());
}

#[test]
fn paths_are_read_and_written_back() {
    for text in [
        "a",
        "a.b.c",
        r#"a[b eq "c \" ]"].d"#,
        "a[b eq true]",
        "a[b eq 1 and c eq \"x\"].d",
        "urn:x:2.0:User:a.b",
        "$ref",
        "größe",
    ] {
        let path = Path::parse(text).unwrap();
        let mut attributes = Attributes::new();
        path.put(&mut attributes, json!("v"));
        let got = path.get(&attributes).unwrap();
        assert!(got == "v" || got["value"] == "v", "{text}: {attributes:?}");
        assert_eq!(path.as_str(), text);
    }
}

#[test]
fn what_is_no_path_is_refused() {
    for text in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        " a",
        "a ",
        "1a",
        "-a",
        "a[",
        "a[]",
        "a[b]",
        "a[b eq]",
        "a[b eq c]",
        "a[b eq \"c]",
        "a[b eq null]",
        "a[b eq {}]",
        "a[b eq \"c\"",
        "a[b eq \"c\"]d",
        "a[b eq \"c\" or d eq 1]",
        "a]",
        "urn:",
        "urn:x:",
        "a.b.c.d.e.f.g.h.i",
        "a\u{0}",
        "a[[b eq 1]]",
        "a[b eq 1].[c eq 1]",
        "a[b eq 1 and B eq 2]",
    ] {
        assert_eq!(Path::parse(text).unwrap_err().code, Code::InvalidPath, "{text}");
    }
    assert!(Path::parse(&"a".repeat(2000)).is_err());
    assert!(Path::parse(&format!("a[b eq {}]", "[".repeat(900))).is_err());
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
        let roles = json!({"emails": [{"value": format!("{text}."), "type": 1}, {"value": text, "type": 2}]});
        assert_eq!(Path::parse(&filter).unwrap().get(roles.as_object().unwrap()), Some(&json!(2)));
    }
}

/// The record after one change.
fn after(record: Value, kind: ChangeKind, path: &str, value: Value) -> Value {
    let mut record: Attributes = record.as_object().unwrap().clone();
    kind.apply(&Path::parse(path).unwrap(), Some(&value), &mut record);
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

#[test]
fn an_element_without_its_value_is_none() {
    let remove = |record, path| after(record, ChangeKind::Remove, path, Value::Null);
    let emails = json!({"emails": [{"type": "work", "value": "a", "primary": true}, {"type": "home", "value": "b"}]});
    assert_eq!(
        remove(emails.clone(), r#"emails[type eq "work"].value"#),
        json!({"emails": [{"type": "home", "value": "b"}]})
    );
    assert_eq!(remove(emails, "emails.value"), json!({}));
    let addresses = json!({"addresses": [{"type": "work", "locality": "a", "region": "b"}]});
    let left = remove(addresses, r#"addresses[type eq "work"].region"#);
    assert_eq!(left, json!({"addresses": [{"type": "work", "locality": "a"}]}));
    assert_eq!(remove(left, r#"addresses[type eq "work"].locality"#), json!({}));
}

#[test]
fn one_element_is_primary() {
    use ChangeKind::{Add, Replace};
    let record = json!({"emails": [{"type": "work", "value": "a", "primary": true}, {"type": "home", "value": "b"}]});
    let moved =
        json!([{"type": "work", "value": "a", "primary": false}, {"type": "home", "value": "b", "primary": true}]);
    assert_eq!(after(record.clone(), Replace, r#"emails[type eq "home"].primary"#, json!(true))["emails"], moved);
    let added = after(record.clone(), Add, "emails", json!([{"value": "c", "primary": true}]));
    assert_eq!(added["emails"][0]["primary"], false);
    assert_eq!(
        after(record.clone(), Replace, r#"emails[primary eq true].value"#, json!("a"))["emails"],
        record["emails"]
    );
    assert_eq!(after(record, Replace, r#"emails[primary eq false].value"#, json!("z"))["emails"][1]["value"], "z");
}

#[test]
fn bare_values_stand_for_elements() {
    let record = json!({"roles": ["a", "b"], "emails": "a"});
    let roles = Path::parse(r#"roles[value eq "B"].value"#).unwrap();
    assert_eq!(roles.get(record.as_object().unwrap()), Some(&json!("b")));
    assert_eq!(
        after(record.clone(), ChangeKind::Replace, r#"roles[value eq "b"].display"#, json!("x"))["roles"],
        json!(["a", {"value": "b", "display": "x"}])
    );
    assert_eq!(after(record, ChangeKind::Add, "emails", json!({"value": "c"}))["emails"], json!(["a", {"value": "c"}]));
}
