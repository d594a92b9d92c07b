//! Runs the cases of `tests/data/definitions`, bad definitions and what is told about them, which the other languages run
//! too. `UPDATE_DEFINITIONS=1` writes what is told anew; read the difference before you commit it.
#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use rollkeeper::{Code, Engine};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    /// The definition; a text is the document itself, which need not be JSON.
    app: Value,
    #[serde(default)]
    findings: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Value>,
}

impl Case {
    fn document(&self) -> String {
        self.app.as_str().map_or_else(|| self.app.to_string(), str::to_owned)
    }

    /// What is told.
    fn told(&self) -> (Vec<Value>, Vec<Value>) {
        let engine = Engine::builder().open().unwrap();
        let validation = engine.validate_app(self.document().as_bytes()).unwrap();
        let plain =
            |faults: &[rollkeeper::Fault]| faults.iter().map(|fault| serde_json::to_value(fault).unwrap()).collect();
        (plain(&validation.findings), plain(&validation.warnings))
    }
}

fn files() -> Vec<(PathBuf, Vec<Case>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/definitions");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|file| (file.clone(), serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()))
        .collect()
}

#[test]
fn every_bad_definition_is_told_as_its_case_says() {
    let update = std::env::var_os("UPDATE_DEFINITIONS").is_some();
    let (mut count, mut wrong) = (0, Vec::new());
    for (file, mut cases) in files() {
        count += cases.len();
        for case in &mut cases {
            let told = case.told();
            if update {
                (case.findings, case.warnings) = told;
            } else if told != (case.findings.clone(), case.warnings.clone()) {
                wrong.push(format!("{}: told {}", case.description, serde_json::to_string(&told).unwrap()));
            }
        }
        if update {
            let lines: Vec<String> = cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
            std::fs::write(&file, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        }
    }
    assert!(count >= 60, "only {count} cases were found");
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_message_is_one_line_with_a_place_and_without_values() {
    let mut codes = BTreeSet::new();
    for case in files().into_iter().flat_map(|(_, cases)| cases) {
        for fault in case.findings.iter().chain(&case.warnings) {
            let text = |key: &str| fault.get(key).and_then(Value::as_str).unwrap_or_default();
            let (code, message) = (text("code"), text("message"));
            assert!(Code::from_name(code).is_some(), "{}: {code}", case.description);
            assert!(
                !message.ends_with('.') && !message.contains('\n') && message.len() < 900,
                "{}: {message}",
                case.description
            );
            assert!(!message.contains("s3cret"), "{}: {message}", case.description);
            let whole = ["invalid_json", "missing_id", "invalid_document", "unknown_key"].contains(&code);
            assert!(whole || !text("attribute").is_empty(), "{}: no place", case.description);
            codes.insert(code.to_owned());
        }
        assert!(!case.findings.is_empty() || !case.warnings.is_empty(), "{}: nothing is told", case.description);
    }
    assert!(codes.len() > 15, "only {codes:?} are told");
}
