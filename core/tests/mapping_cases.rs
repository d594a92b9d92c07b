//! Runs the cases of `tests/data/mapping`, which the other languages run too.
#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use rollkeeper::mapping::{Mapping, render};
use rollkeeper::value::{Attributes, canonical, canonical_object};
use rollkeeper::{Fault, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    mapping: Value,
    #[serde(default)]
    user: Attributes,
    #[serde(default)]
    current: Option<Attributes>,
    #[serde(default)]
    last: Option<Attributes>,
    /// `{attributes, changes, skipped}`; left out beside `faults`.
    #[serde(default)]
    rendered: Value,
    /// The faults; a message, which is for people, may be left out.
    #[serde(default)]
    faults: Vec<Value>,
}

#[test]
fn every_case_gives_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/mapping");
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
    assert!(count > 500, "only {count} cases were found");
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(case: &Case) -> Option<String> {
    let now = Timestamp::parse("2026-11-20T09:00:00Z").unwrap();
    let (rendered, faults) = match render(&case.mapping, &case.user, case.current.as_ref(), case.last.as_ref(), now) {
        Ok(rendered) => (rendered, Vec::new()),
        Err(faults) => (Value::Null, faults),
    };
    let payload = payload(case, now);
    if case.current.is_none() && case.last.is_none() && payload != wanted_payload(&rendered, &faults) {
        return Some(format!("{}: gave the payload {payload:?}", case.description));
    }
    let mut faults: Vec<Value> = faults.iter().map(|fault| serde_json::to_value(fault).unwrap()).collect();
    for (fault, expected) in faults.iter_mut().zip(&case.faults) {
        if expected.get("message").is_none() {
            fault.as_object_mut().unwrap().remove("message");
        }
    }
    (rendered != case.rendered || faults != case.faults)
        .then(|| format!("{}: gave {rendered} {}", case.description, serde_json::to_string(&faults).unwrap()))
}

/// The same by a compiled mapping, where an account is created.
fn payload(case: &Case, now: Timestamp) -> Result<String, Vec<Fault>> {
    let mut payload = String::new();
    let mapping = Mapping::from_json(canonical(&case.mapping).as_bytes())?;
    mapping.payload(canonical_object(&case.user).as_bytes(), now, &mut payload).map(|()| payload)
}

fn wanted_payload(rendered: &Value, faults: &[Fault]) -> Result<String, Vec<Fault>> {
    if faults.is_empty() { Ok(canonical(&rendered["attributes"])) } else { Err(faults.to_vec()) }
}
