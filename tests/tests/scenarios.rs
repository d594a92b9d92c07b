//! Every scenario of `tests/data/scenarios/` ends as it says, and gives the golden bytes that the other languages must give
//! too. `UPDATE_GOLDEN=1` writes the bytes anew; read the difference before you commit it.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper_tests::scenario::{Outcome, Scenario};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/scenarios")
}

fn scenarios() -> Vec<(String, Scenario)> {
    let mut found: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let scenario = Scenario::from_json(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, scenario)
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or("-").to_owned()
}

fn requests(outcome: &Outcome) -> Vec<String> {
    let line = |request: &Value| {
        let [app, user] = ["app", "user"].map(|key| text(request, key));
        format!("{app} {user} {} {}", text(request, "operation"), text(request, "state"))
    };
    outcome.dump["requests"].as_array().unwrap().iter().map(line).collect()
}

fn accounts(outcome: &Outcome) -> Vec<String> {
    let line = |account: &Value| {
        let [app, id, user, status] = ["app", "external_id", "user", "status"].map(|key| text(account, key));
        let frozen = if account["frozen"] == true { " frozen" } else { "" };
        format!("{app} {id} {user} {status}{frozen}")
    };
    outcome.dump["accounts"].as_array().unwrap().iter().map(line).collect()
}

fn calls(outcome: &Outcome) -> Vec<String> {
    let calls = outcome.dump["calls"].as_object().unwrap();
    let lines = calls.iter().flat_map(|(app, calls)| {
        calls.as_array().unwrap().iter().map(move |call| format!("{app} {}", text(call, "method")))
    });
    lines.filter(|line| !line.ends_with(" capabilities") && !line.ends_with(" schema")).collect()
}

#[test]
fn every_scenario_ends_as_it_says() {
    let mut wrong = Vec::new();
    let scenarios = scenarios();
    assert!(scenarios.len() >= 20, "there are only {} scenarios", scenarios.len());
    for (name, scenario) in scenarios {
        let outcome = match scenario.play() {
            Ok(outcome) => outcome,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let expect = &scenario.expect;
        let no_items = Vec::new();
        let pairs = [
            ("requests", requests(&outcome), &expect.requests),
            ("accounts", accounts(&outcome), &expect.accounts),
            ("calls", calls(&outcome), &expect.calls),
            ("items", outcome.items.clone(), expect.items.as_ref().unwrap_or(&no_items)),
        ];
        for (what, found, wanted) in pairs {
            if found != *wanted {
                wrong.push(format!("{name}: {what}\n   found {found:#?}\n  wanted {wanted:#?}"));
            }
        }
        let all = outcome.dump["requests"].as_array().unwrap();
        for (index, part) in &expect.why {
            let why = all.get(*index).map(|request| text(request, "why")).unwrap_or_default();
            if !why.contains(part.as_str()) {
                wrong.push(format!("{name}: request {index} says `{why}`, not `{part}`"));
            }
        }
        for (index, code) in &expect.faults {
            let found = all.get(*index).map(|request| text(&request["faults"][0], "code")).unwrap_or_default();
            if found != *code {
                wrong.push(format!("{name}: request {index} has the fault `{found}`, not `{code}`"));
            }
        }
        check_golden(&name, &outcome, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check_golden(name: &str, outcome: &Outcome, wrong: &mut Vec<String>) {
    let path = folder().join("golden").join(format!("{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, outcome.golden()).unwrap();
    } else if std::fs::read_to_string(&path).unwrap_or_default() != outcome.golden() {
        wrong.push(format!("{name}: the bytes differ from {}", path.display()));
    }
}

#[test]
fn a_scenario_gives_the_same_bytes_twice() {
    for (name, scenario) in scenarios() {
        let [first, second] = [(); 2].map(|()| scenario.play().map(|outcome| outcome.golden()));
        assert_eq!(first, second, "{name}");
    }
}

#[test]
fn one_changed_attribute_makes_the_comparison_fail() {
    let (name, scenario) = scenarios().into_iter().find(|(name, _)| name == "event_01_create_user").unwrap();
    let mut outcome = scenario.play().unwrap();
    let golden = std::fs::read_to_string(folder().join("golden").join(format!("{name}.json"))).unwrap();
    assert_eq!(outcome.golden(), golden);
    outcome.dump["accounts"][0]["attributes"]["userName"] = Value::from("somebody.else");
    assert_ne!(outcome.golden(), golden);
}
