//! The whole engine against a zoo of SCIM servers, each with a personality that was met somewhere. However a server is, the
//! story ends in what is wanted or in an explained stop: no loop, nobody deleted, nothing believed done that is not, unless
//! `tests/data/zoo/ends.json` says that nobody could tell. `ZOO=name,name` tells some stories, line by line;
//! `UPDATE_TARGETS=1` writes the ends and the table of `core/docs/targets.md` anew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic, and a story may be read")]

use rollkeeper_tests::zoo::{End, Outcome, Personality, tell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zoo");
const TARGETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/docs/targets.md");
const TABLE: &str = "| server | what it does | met | how the story ends |\n|---|---|---|---|\n";

fn personalities() -> Vec<Personality> {
    serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/personalities.json")).unwrap()).unwrap()
}

fn ends() -> BTreeMap<String, End> {
    let text = fs::read_to_string(format!("{FOLDER}/ends.json")).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).unwrap()
}

/// The stories of all, told by several threads.
fn told(personalities: &[Personality]) -> BTreeMap<String, Outcome> {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(base).unwrap();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(one) = personalities.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = tell(one, folder.path()).unwrap_or_else(|error| panic!("{}: {error}", one.name));
                    outcomes.lock().unwrap().insert(one.name.clone(), outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

#[test]
fn the_engine_survives_every_server_of_the_zoo() {
    let only = std::env::var("ZOO").ok();
    let mut zoo = personalities();
    zoo.retain(|one| only.as_ref().is_none_or(|names| names.split(',').any(|name| name == one.name)));
    let outcomes = told(&zoo);
    let mut wrong = Vec::new();
    for (name, outcome) in &outcomes {
        if only.is_some() {
            println!("{}\n{name}: {:#?}", outcome.transcript.join("\n"), outcome.end);
        }
        wrong.extend(outcome.wrongs.iter().map(|what| format!("{name}: {what}")));
    }
    if only.is_none() && std::env::var_os("UPDATE_TARGETS").is_some() {
        let lines: Vec<String> = outcomes
            .iter()
            .map(|(name, outcome)| format!(" {name:?}: {}", serde_json::to_string(&outcome.end).unwrap()))
            .collect();
        fs::write(format!("{FOLDER}/ends.json"), format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
        fs::write(TARGETS, with_table(&fs::read_to_string(TARGETS).unwrap(), &zoo, &ends())).unwrap();
    }
    let expected = ends();
    for (name, outcome) in &outcomes {
        if expected.get(name) != Some(&outcome.end) {
            wrong.push(format!("{name} ({} requests) ends otherwise: {:?}", outcome.requests, outcome.end));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_was_learnt_outlives_the_process_and_a_definition_goes_before_it() {
    let mut zoo = personalities();
    zoo.retain(|one| one.name == "patch_501");
    let refusals = |zoo: &[Personality]| {
        let outcome = told(zoo).remove("patch_501").unwrap();
        let count = outcome.transcript.iter().filter(|line| line.starts_with("501 PATCH")).count();
        (count, outcome)
    };
    let (count, outcome) = refusals(&zoo);
    assert_eq!((count, outcome.end.learnt), (1, vec!["patch: false".to_owned()]), "one refusal is enough");
    let features = serde_json::json!({"connector": {"features": {"patch": true}}});
    zoo[0].app = features.as_object().unwrap().clone();
    let (count, outcome) = refusals(&zoo);
    assert!(count > 1 && outcome.end.learnt.is_empty() && outcome.end.stops == ["unsupported"], "{:?}", outcome.end);
    assert!(!outcome.transcript.iter().any(|line| line.contains(" PUT ")), "the definition says that PATCH works");
}

/// Where a second account of a name is taken, or one that differs in letter case alone, and filters do not find the first, only
/// who tried it knows it.
#[test]
fn nobody_has_two_accounts_at_a_target_that_was_probed() {
    let mut zoo = personalities();
    zoo.retain(|one| ["names_are_exact", "not_unique_unknown", "renames_duplicates"].contains(&one.name.as_str()));
    let known = ends();
    assert!(zoo.len() == 3 && zoo.iter().all(|one| known[&one.name].twice == ["eve"]), "without a probe there are two");
    zoo.iter_mut().for_each(|one| one.probed = true);
    for (name, outcome) in told(&zoo) {
        assert!(outcome.end.twice.is_empty() && outcome.end.differs.is_empty(), "{name}: {:?}", outcome.end);
    }
}

/// What is sent to a server that follows the standard and to one without PATCH, each once; `tests/servers/test_payloads.py` has
/// another client's models judge it.
#[test]
fn what_is_sent_is_what_others_judged() {
    let mut zoo = personalities();
    zoo.retain(|one| ["standard", "patch_501"].contains(&one.name.as_str()));
    let mut sent = BTreeSet::new();
    for outcome in told(&zoo).into_values() {
        sent.extend(outcome.payloads.iter().map(|(method, body)| format!("{{\"{method}\": {body}}}")));
    }
    let text = format!("[\n{}\n]\n", sent.into_iter().collect::<Vec<_>>().join(",\n"));
    let path = format!("{FOLDER}/payloads.json");
    if std::env::var_os("UPDATE_TARGETS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(known == text, "other payloads are sent; UPDATE_TARGETS=1 writes them anew");
}

#[test]
fn every_server_of_the_zoo_says_where_it_was_met_and_is_told_of() {
    let (zoo, ends) = (personalities(), ends());
    let names: BTreeSet<&String> = zoo.iter().map(|one| &one.name).collect();
    assert!(names.len() == zoo.len() && zoo.len() >= 60, "{} of {}", names.len(), zoo.len());
    assert_eq!(names, ends.keys().collect(), "each has its end, and no other has one");
    for one in &zoo {
        let is_said = one.name == "standard" || one.seen.contains("quirk") || one.seen.contains("lesson");
        assert!(is_said && !one.about.is_empty(), "{}", one.name);
    }
    let document = fs::read_to_string(TARGETS).unwrap();
    let same = with_table(&document, &zoo, &ends) == document;
    assert!(same, "core/docs/targets.md is old; UPDATE_TARGETS=1 writes its table anew");
}

/// The document with the table as it is now.
fn with_table(document: &str, zoo: &[Personality], ends: &BTreeMap<String, End>) -> String {
    let (before, rest) = document.split_once(TABLE).unwrap_or_else(|| panic!("the table is missing"));
    let old = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum::<usize>();
    let after = rest.get(old..).unwrap_or_default();
    let row = |one: &Personality| {
        let end = ends.get(&one.name).map(End::words).unwrap_or_default();
        format!("| `{}` | {} | {} | {end} |\n", one.name, one.about, one.seen)
    };
    let rows: String = zoo.iter().map(row).collect();
    format!("{before}{TABLE}{rows}{after}")
}
