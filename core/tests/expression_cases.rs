//! Runs the cases of `tests/data/expression`, which the other languages run too.
#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use rollkeeper::Timestamp;
use rollkeeper::expression::{Options, evaluate};
use rollkeeper::value::Attributes;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    expression: String,
    #[serde(default)]
    user: Attributes,
    #[serde(default)]
    options: Option<Value>,
    /// The value; left out beside `faults`.
    #[serde(default)]
    value: Value,
    /// The faults; a message, which is for people, may be left out.
    #[serde(default)]
    faults: Vec<Value>,
}

#[test]
fn every_case_gives_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/expression");
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
    assert!(count > 100, "only {count} cases were found");
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(case: &Case) -> Option<String> {
    let options =
        case.options.clone().map_or_else(Options::default, |options| serde_json::from_value(options).unwrap());
    let now = Timestamp::parse("2026-11-20T09:00:00Z").unwrap();
    let (value, faults) = match evaluate(&case.expression, &case.user, &options, now) {
        Ok(value) => (value, Vec::new()),
        Err(faults) => (Value::Null, faults),
    };
    let mut faults: Vec<Value> = faults.iter().map(|fault| serde_json::to_value(fault).unwrap()).collect();
    for (fault, expected) in faults.iter_mut().zip(&case.faults) {
        if expected.get("message").is_none() {
            fault.as_object_mut().unwrap().remove("message");
        }
    }
    (value != case.value || faults != case.faults).then(|| {
        let faults = serde_json::to_string(&faults).unwrap();
        format!("{}: `{}` gave {value} {faults}", case.description, case.expression)
    })
}
