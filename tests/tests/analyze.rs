//! `analyze` answers as the cases of `tests/data/reconciliation/analyze.json` say, which the other languages run too.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::model::Situation;
use rollkeeper::{Fault, Rows, analyze};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/reconciliation/analyze.json")
}

/// A list as it stands, or text that is to be read as it stands.
fn rows(value: &Value) -> Rows {
    value.as_str().map_or_else(|| Rows::from(value.to_string().as_str()), Rows::from)
}

fn answer(case: &Value) -> Result<(Value, Vec<Value>), Vec<Fault>> {
    let options = case.get("options").map_or_else(|| "{}".to_owned(), Value::to_string);
    let links = case.get("links").map(rows);
    let analysis = analyze(rows(&case["users"]), rows(&case["accounts"]), links, options.as_bytes())?;
    let totals = serde_json::from_str(&analysis.counts_json()).unwrap();
    let findings = analysis.map(|finding| serde_json::from_str(&finding.unwrap()).unwrap()).collect();
    Ok((totals, findings))
}

/// The totals without what goes without saying, as the cases have them.
fn short(totals: &Value) -> Value {
    let mut short = totals.as_object().unwrap().clone();
    let usual = json!({"complete": true, "repeated": 0, "unreadable": 0, "faults": []});
    short.retain(|key, value| usual.get(key) != Some(value));
    let counts = totals["counts"].as_object().unwrap();
    assert_eq!(counts.len(), Situation::of_accounts().count(), "every situation is counted");
    let counts: Map<_, _> = counts.clone().into_iter().filter(|(_, count)| *count != json!(0)).collect();
    short.insert("counts".to_owned(), Value::Object(counts));
    Value::Object(short)
}

#[test]
fn analyze_answers_as_the_cases_say() {
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap();
    assert!(cases.len() >= 14, "only {} cases were found", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let mut with_answer = case.as_object().unwrap().clone();
        match answer(case) {
            Ok((totals, findings)) => {
                with_answer.insert("totals".to_owned(), short(&totals));
                with_answer.insert("findings".to_owned(), Value::Array(findings));
            }
            Err(faults) => {
                with_answer.insert("faults".to_owned(), json!(faults));
            }
        }
        if Value::Object(with_answer.clone()) != *case {
            let answer = ["totals", "findings", "faults"].map(|key| with_answer.get(key).map(Value::to_string));
            wrong.push(format!("{}: gave {answer:?}", case["description"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_situation_is_in_a_case() {
    let text = std::fs::read_to_string(file()).unwrap();
    for situation in Situation::of_accounts() {
        assert!(text.contains(&format!("\"situation\": \"{}\"", situation.name())), "{}", situation.name());
    }
}
