//! Every combination of user, link and account is in exactly the situations that `tests/data/reconciliation/situations.json`
//! says, and so are those of OpenIDM and midPoint. `tests/oracle/situations.py` writes the file; C, Go and Python run it too.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::analyze;
use rollkeeper::model::Situation;
use rollkeeper::planning::reaction::default_reaction;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn cases() -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(here("data/reconciliation/situations.json")).unwrap()).unwrap()
}

fn answer(case: &Value) -> (Value, Vec<Value>) {
    let text = |key: &str| case[key].to_string();
    let links = Some(text("links").as_str().into());
    let analysis =
        analyze(text("users").as_str(), text("accounts").as_str(), links, text("options").as_bytes()).unwrap();
    let totals: Value = serde_json::from_str(&analysis.counts_json()).unwrap();
    let counts = totals["counts"].as_object().unwrap().iter().filter(|(_, count)| **count != json!(0));
    let counts: Map<String, Value> = counts.map(|(name, count)| (name.clone(), count.clone())).collect();
    let findings = analysis.map(|finding| serde_json::from_str(&finding.unwrap()).unwrap()).collect();
    (Value::Object(counts), findings)
}

#[test]
fn every_combination_is_in_the_situations_that_it_says() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (counts, findings) = answer(&case);
        if counts != case["totals"]["counts"] || Value::Array(findings.clone()) != case["findings"] {
            let found = Value::Array(findings);
            wrong.push(format!("{}:\n   found {counts} {found}\n  wanted {}", case["description"], case["findings"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_has_its_reaction_by_default() {
    for case in cases() {
        let findings = case["findings"].as_array().unwrap();
        let reactions: Vec<&str> = findings
            .iter()
            .map(|finding| Situation::from_name(finding["situation"].as_str().unwrap()).unwrap())
            .map(|situation| default_reaction(situation).name())
            .collect();
        assert_eq!(json!(reactions), case["reactions"], "{}", case["description"]);
    }
}

/// 4 users × 5 links × 5 accounts; nothing else is left out by mistake.
#[test]
fn no_combination_and_no_name_is_left_out() {
    let cases = cases();
    let named = |case: &Value| case.get("openidm").or(case.get("midpoint")).is_some();
    let combinations: BTreeSet<String> = cases
        .iter()
        .filter(|case| !named(case))
        .map(|case| ["source", "link", "target"].map(|key| case[key].as_str().unwrap()).join(" "))
        .collect();
    assert_eq!(combinations.len(), 100);
    let table = std::fs::read_to_string(here("data/situations.csv")).unwrap();
    let names = |column: &str| cases.iter().filter_map(|case| Some(case.get(column)?.as_str()?.to_owned())).collect();
    let (openidm, midpoint): (BTreeSet<String>, BTreeSet<String>) = (names("openidm"), names("midpoint"));
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        for (known, name) in [(&openidm, columns[5]), (&midpoint, columns[6])] {
            assert!(name.is_empty() || known.iter().any(|one| one.starts_with(name)), "`{name}` has no case");
        }
    }
    for name in
        "CONFIRMED FOUND FOUND_ALREADY_LINKED ABSENT AMBIGUOUS MISSING UNQUALIFIED SOURCE_IGNORED TARGET_IGNORED \
                 UNASSIGNED SOURCE_MISSING LINK_ONLY ALL_GONE"
            .split_whitespace()
    {
        assert!(openidm.contains(name), "`{name}` has no case");
    }
}
