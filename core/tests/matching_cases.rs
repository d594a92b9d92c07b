//! Runs the cases of `tests/data/matching`.
#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use rollkeeper::matching::Matching;
use rollkeeper::model::MatchRule;
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Fault};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    rule: MatchRule,
    user: Attributes,
    account: Attributes,
    matches: bool,
    /// `[attribute, value]`; left out where the target cannot be asked.
    #[serde(default)]
    query: Option<(String, Value)>,
}

#[test]
fn every_case_gives_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/matching");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in files {
        let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        count += cases.len();
        wrong.extend(cases.iter().filter_map(check));
    }
    assert!(count > 20, "only {count} cases were found");
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(case: &Case) -> Option<String> {
    let matching = Matching::compile(std::slice::from_ref(&case.rule)).unwrap();
    let matches = matching.matches(0, &case.user, &case.account);
    let query = matching.query(0, &case.user).map(|query| (query.attribute, query.value));
    let (ours, theirs) = (matching.user_keys(0, &case.user), matching.account_keys(0, &case.account));
    let joined = ours.zip(theirs).is_some_and(|(ours, theirs)| {
        ours.iter().zip(&theirs).all(|(ours, theirs)| ours.iter().any(|key| theirs.contains(key)))
    });
    (matches != case.matches || joined != case.matches || query != case.query)
        .then(|| format!("{}: matches {matches}, by keys {joined}, query {query:?}", case.description))
}

fn compile(rules: Value) -> Result<Matching, Vec<Fault>> {
    let rules: Vec<MatchRule> = serde_json::from_value(rules).unwrap();
    Matching::compile(&rules)
}

#[test]
fn every_faulty_pair_is_reported_at_its_place() {
    let faults =
        compile(json!([{"all": []}, {"all": [{"user": "a", "account": "b"}, {"user": "a..b", "account": "c["}]}]));
    let faults: Vec<(Code, String)> =
        faults.unwrap_err().into_iter().map(|fault| (fault.code, fault.attribute.unwrap())).collect();
    assert_eq!(
        faults,
        [
            (Code::InvalidDocument, "matching[0].all".to_owned()),
            (Code::InvalidPath, "matching[1].all[1].user".to_owned()),
            (Code::InvalidPath, "matching[1].all[1].account".to_owned()),
        ]
    );
}

#[test]
fn a_rule_that_does_not_exist_matches_nobody() {
    let matching = compile(json!([{"all": [{"user": "a", "account": "a"}]}])).unwrap();
    let record: Attributes = serde_json::from_value(json!({"a": "x"})).unwrap();
    assert_eq!(matching.rules(), 1);
    assert!(matching.matches(0, &record, &record));
    assert!(!matching.matches(1, &record, &record));
    assert_eq!(matching.query(1, &record), None);
    assert_eq!(matching.account_attribute_names().into_iter().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn each_value_of_a_list_is_asked_for() {
    let matching = compile(json!([{"all": [{"user": "mails", "account": "emails[type eq \"work\"].value"}]}])).unwrap();
    let user: Attributes = serde_json::from_value(json!({"mails": ["a", "", "b"]})).unwrap();
    let queries = matching.queries(0, &user).into_iter().map(|query| (query.attribute, query.value));
    assert_eq!(queries.collect::<Vec<_>>(), [("emails.value".into(), json!("a")), ("emails.value".into(), json!("b"))]);
}
