//! Attribute paths of every shape: what is written is read again, what is put is found, whatever the letter case.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rollkeeper::path::Path;
use rollkeeper::value::Attributes;
use serde_json::{Value, json};

const SCHEMAS: [&str; 4] = ["", "urn:x:1.0:Y:", "urn:ietf:params:scim:schemas:core:2.0:User:", "URN:a-b:"];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["emails", "roles", "value", "$ref", "größe", "_a-b"]).prop_map(str::to_owned),
        "[a-zA-Z$_ä][a-zA-Z0-9_$-]{0,6}"
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from).prop_filter("a number", Value::is_number),
    ]
}

/// `name[a eq 1 and b eq "x"]`; the filter's names are none that a path goes on with.
fn step() -> impl Strategy<Value = String> {
    let filter = proptest::collection::btree_map("[p-s]{1,3}", value(), 0..3);
    (name(), filter).prop_map(|(name, filter)| {
        let terms: Vec<String> = filter.iter().map(|(name, value)| format!("f{name} eq {value}")).collect();
        if terms.is_empty() { name } else { format!("{name}[{}]", terms.join(" and ")) }
    })
}

fn path() -> impl Strategy<Value = String> {
    let steps = proptest::collection::vec(step(), 1..4);
    (select(SCHEMAS.as_slice()), steps).prop_map(|(schema, steps)| format!("{schema}{}", steps.join(".")))
}

/// The same path with its ASCII letters outside of texts the other way round.
fn other_case(path: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let turned = path.chars().map(|character| {
        let keep = in_text || !character.is_ascii_alphabetic();
        in_text ^= character == '"' && !escaped;
        escaped = in_text && character == '\\' && !escaped;
        match character {
            kept if keep => kept,
            lower if lower.is_ascii_lowercase() => lower.to_ascii_uppercase(),
            upper => upper.to_ascii_lowercase(),
        }
    });
    // The two words of a filter that are JSON.
    turned.collect::<String>().replace(" EQ TRUE", " EQ true").replace(" EQ FALSE", " EQ false")
}

#[test]
fn a_path_survives_writing_and_finds_what_it_put_in_any_letter_case() {
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[3; 16]);
    let config = Config { cases: 3_000, failure_persistence: None, ..Config::default() };
    let property = |text: String| {
        let path = Path::parse(&text).unwrap();
        prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path.clone());
        for part in [path.list(), path.element(), Some(path.unfiltered())].into_iter().flatten() {
            prop_assert_eq!(Path::parse(part.as_str()).unwrap(), part);
        }
        let other = Path::parse(&other_case(&text)).unwrap();
        prop_assert!(path.overlaps(&path) && path.overlaps(&other) && other.overlaps(&path), "{}", other);
        let mut attributes = Attributes::new();
        path.put(&mut attributes, json!({"value": "v"}));
        for path in [&path, &other] {
            prop_assert_eq!(path.get(&attributes).map(|found| &found["value"]), Some(&json!("v")), "{:?}", attributes);
        }
        let once = attributes.clone();
        path.put(&mut attributes, json!({"value": "v"}));
        prop_assert_eq!(&attributes, &once, "put again");
        other.remove(&mut attributes);
        prop_assert_eq!(path.get(&attributes), None, "{:?}", attributes);
        Ok(())
    };
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&path(), property) {
        panic!("{error}");
    }
}
