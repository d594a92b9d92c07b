//! Runs the cases of `tests/data/matching`, which the other languages run too.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at what they did not expect")]

use rollkeeper::matching::Matching;
use rollkeeper::model::{MatchingDefinition, TargetAccount};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Fault, match_accounts};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    matching: Value,
    user: Attributes,
    accounts: Value,
    /// The verdict; left out beside `faults`.
    #[serde(default)]
    judged: Value,
    /// What the target is asked by the first rule, `[attribute, value]`.
    #[serde(default)]
    query: Option<(String, Value)>,
    /// The faults; a message, which is for people, may be left out.
    #[serde(default)]
    faults: Vec<Value>,
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
        wrong.extend(cases.iter().filter_map(|case| check(case).map(|found| format!("{}: {found}", case.description))));
    }
    assert!(count > 90, "only {count} cases were found");
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(case: &Case) -> Option<String> {
    let bytes = |value: &Value| value.to_string().into_bytes();
    let user = Value::Object(case.user.clone());
    let (judged, faults) = match match_accounts(&bytes(&case.matching), &bytes(&user), &bytes(&case.accounts)) {
        Ok(judged) => (serde_json::from_str(&judged).unwrap(), Vec::new()),
        Err(faults) => (Value::Null, faults),
    };
    let mut faults: Vec<Value> = faults.iter().map(|fault| serde_json::to_value(fault).unwrap()).collect();
    for (fault, expected) in faults.iter_mut().zip(&case.faults) {
        if expected.get("message").is_none() {
            fault.as_object_mut().unwrap().remove("message");
        }
    }
    if judged != case.judged || faults != case.faults {
        return Some(format!("gave {judged} {}", serde_json::to_string(&faults).unwrap()));
    }
    if case.faults.is_empty() { check_sides(case) } else { None }
}

/// The query, and the keys that join many users with many accounts, say the same as the verdict.
fn check_sides(case: &Case) -> Option<String> {
    let definition: MatchingDefinition = serde_json::from_value(case.matching.clone()).unwrap();
    let matching = Matching::compile(&definition).unwrap();
    let query = matching.query(0, &case.user).map(|query| (query.attribute, query.value));
    if case.query.is_some() && query != case.query {
        return Some(format!("asks {query:?}"));
    }
    let accounts: Vec<TargetAccount> = serde_json::from_value(case.accounts.clone()).unwrap();
    for (rule, account) in (0..matching.rules()).flat_map(|rule| accounts.iter().map(move |account| (rule, account))) {
        let (ours, theirs) = (matching.user_keys(rule, &case.user), matching.account_keys(rule, &account.attributes));
        let joined = ours.zip(theirs).is_some_and(|(ours, theirs)| {
            ours.iter().zip(&theirs).all(|(ours, theirs)| ours.iter().any(|key| theirs.contains(key)))
        });
        let similar = definition.rules[rule].all.iter().any(|pair| pair.similar.is_some());
        let matches = matching.matches(rule, &case.user, &account.attributes);
        if matches && !joined || joined && !matches && !similar {
            return Some(format!("rule {rule} and `{}`: matches {matches}, by keys {joined}", account.external_id));
        }
    }
    None
}

fn compile(rules: Value) -> Result<Matching, Vec<Fault>> {
    Matching::compile(&serde_json::from_value(rules).unwrap())
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
