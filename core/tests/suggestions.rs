//! Runs the cases of `tests/data/suggestion`: which mapping is proposed for which users and targets. What is proposed can
//! always be put.
#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use rollkeeper::mapping::suggest::{Sample, suggest};
use rollkeeper::mapping::{Mapping, missing_required};
use rollkeeper::matching::Matching;
use rollkeeper::model::SchemaAttribute;
use rollkeeper::scim::built_in_schema;
use rollkeeper::value::Attributes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    users: Vec<Attributes>,
    /// The names of attributes whose values are not stored.
    #[serde(default)]
    names: Vec<String>,
    /// The target's attributes; the standard's where they are left out.
    schema: Option<Vec<SchemaAttribute>>,
    /// Each rule with its target, its source or expression, and how sure it is.
    mapping: Vec<Value>,
    missing: Vec<String>,
    unused: Vec<String>,
    /// Each rule's one pair: the user's attribute and the account's.
    matching: Option<Vec<(String, String)>>,
}

#[test]
fn every_case_is_proposed_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/suggestion");
    let (mut count, mut wrong) = (0, Vec::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        count += cases.len();
        wrong.extend(cases.iter().filter_map(check));
    }
    assert!(count >= 15, "only {count} cases were found");
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_proposed_can_be_put_whatever_the_names_are() {
    let names = ["in", "true", "false", "null", "1abc", "$ref", "größe", "user name", "x", "\"q\"", "a\\b", "package"];
    for name in names {
        let mut sample = Sample::default();
        sample.see(json!({name: 1, "name": {name: true}}).as_object().unwrap());
        let schema: Vec<SchemaAttribute> =
            serde_json::from_value(json!([{"path": name}, {"path": format!("urn:x:y:{name}")}])).unwrap();
        let found = suggest(&sample, &schema);
        assert!(Mapping::compile(&found.mapping, Some(&schema)).is_ok(), "{name}: {:?}", found.mapping);
        let is_path = rollkeeper::path::Path::parse(name).is_ok();
        assert_eq!(found.mapping.is_empty(), !is_path, "{name}: {:?}", found.mapping);
    }
}

fn check(case: &Case) -> Option<String> {
    let mut sample = Sample::default();
    case.users.iter().for_each(|user| sample.see(user));
    case.names.iter().for_each(|name| sample.see_name(name));
    let schema = case.schema.clone().unwrap_or_else(built_in_schema);
    let given = suggest(&sample, &schema);
    assert_eq!(given, suggest(&sample, &schema), "{}: not the same twice", case.description);
    Mapping::compile(&given.mapping, Some(&schema)).unwrap();
    Matching::compile(&given.matching.clone().into()).unwrap();
    assert_eq!(given.missing, missing_required(&given.mapping, &schema), "{}", case.description);
    let rules = given.mapping.iter().zip(&given.suggestions).enumerate().map(|(number, (rule, why))| {
        assert_eq!((why.rule, &why.target), (number, &rule.target), "{}", case.description);
        assert!(!why.because.is_empty() && why.confidence > 0.0 && why.confidence <= 1.0, "{}", case.description);
        let (key, text) = rule.source.as_ref().map_or(("expression", &rule.expression), |_| ("source", &rule.source));
        json!({"target": rule.target, key: text, "confidence": why.confidence})
    });
    let rules: Vec<Value> = rules.collect();
    let pair =
        |rule: &rollkeeper::model::MatchRule| rule.all.first().map(|pair| (pair.user.clone(), pair.account.clone()));
    let matching: Vec<(String, String)> = given.matching.iter().filter_map(pair).collect();
    let fits = rules == case.mapping
        && given.missing == case.missing
        && given.unused == case.unused
        && case.matching.as_ref().is_none_or(|expected| *expected == matching);
    let told = json!({"mapping": rules, "missing": given.missing, "unused": given.unused, "matching": matching});
    (!fits).then(|| format!("{}: gave {told}", case.description))
}
