//! The whole engine against servers whose groups are each bent as one out there is: memberships end as they are wanted, or in an
//! explained stop, unless `tests/data/zoo/group_ends.json` says that nobody could tell. `ZOO=name,name` tells some stories, line
//! by line; `UPDATE_TARGETS=1` writes the ends and the table of `core/docs/targets.md` anew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic, and a story may be read")]

use rollkeeper_tests::zoo::{End, Personality, tell_groups};
use std::collections::BTreeMap;
use std::fs;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zoo");
const TARGETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/docs/targets.md");
const TABLE: &str = "| server | what its groups do | met | how the story of groups ends |\n|---|---|---|---|\n";

fn personalities() -> Vec<Personality> {
    serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/groups.json")).unwrap()).unwrap()
}

fn ends() -> BTreeMap<String, End> {
    let text = fs::read_to_string(format!("{FOLDER}/group_ends.json")).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_engine_survives_every_kind_of_groups() {
    let only = std::env::var("ZOO").ok();
    let mut zoo = personalities();
    zoo.retain(|one| only.as_ref().is_none_or(|names| names.split(',').any(|name| name == one.name)));
    let folder = tempfile::tempdir().unwrap();
    let (mut wrong, mut found) = (Vec::new(), BTreeMap::new());
    for one in &zoo {
        let outcome = tell_groups(one, folder.path()).unwrap_or_else(|error| panic!("{}: {error}", one.name));
        if only.is_some() {
            println!("{}\n{}: {:#?}", outcome.transcript.join("\n"), one.name, outcome.end);
        }
        wrong.extend(outcome.wrongs.iter().map(|what| format!("{}: {what}", one.name)));
        found.insert(one.name.clone(), outcome.end);
    }
    if only.is_none() && std::env::var_os("UPDATE_TARGETS").is_some() {
        let lines: Vec<String> =
            found.iter().map(|(name, end)| format!(" {name:?}: {}", serde_json::to_string(end).unwrap())).collect();
        fs::write(format!("{FOLDER}/group_ends.json"), format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
        fs::write(TARGETS, with_table(&fs::read_to_string(TARGETS).unwrap(), &zoo, &ends())).unwrap();
    }
    let expected = ends();
    for (name, end) in &found {
        if expected.get(name) != Some(end) {
            wrong.push(format!("{name} ends otherwise: {end:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_of_groups_says_where_it_was_met_and_is_told_of() {
    let (zoo, ends) = (personalities(), ends());
    assert!(zoo.len() >= 10 && zoo.len() == ends.len());
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
