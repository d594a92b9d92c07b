//! The house keeps its floors (`core/docs/architecture.md`): imports point down, outside crates stay in their rooms, and
//! the pure floors have no effects. The sources are read as text.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "tests may stop at what must not happen")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up; a room may import only from a lower step. The number is the floor; several steps of one
/// floor are an order inside it.
const STEPS: &[(u8, &[&str])] = &[
    (0, &["fault", "likeness", "operation", "secret", "value"]),
    (0, &["path", "time"]),
    (0, &["id"]),
    (1, &["model"]),
    (2, &["expression", "lane", "lifecycle", "pacing", "retry"]),
    (2, &["mapping", "matching", "protocol", "scope"]),
    (2, &["planning", "renewal"]),
    (2, &["definition"]),
    (2, &["analysis"]),
    (3, &["connector", "http"]),
    (4, &["oauth", "scim", "scratch", "store", "transport"]),
    (5, &["intake"]),
    (5, &["delivery", "governance"]),
    (5, &["authorization", "reconcile"]),
    (6, &["engine"]),
    (7, &["lib"]),
];

/// What may be named only in these rooms or files.
const CRATES: [(&str, &str); 11] = [
    ("rusqlite", "store/"),
    ("ureq", "transport/"),
    ("rustls", "transport/"),
    ("flate2", "transport/"),
    ("cel", "expression/"),
    ("getrandom", "id.rs"),
    ("rustix", "time/boot.rs"),
    ("ring", "oauth/"),
    ("ring", "store/vault.rs"),
    ("chacha20", "store/vault.rs"),
    ("base64", "oauth/"),
];

/// What the pure floors may not name, with the one file that may.
const EFFECTS: [(&str, Option<&str>); 7] = [
    ("std::fs", Some("time/boot.rs")),
    ("std::net", None),
    ("std::env", None),
    ("std::process", Some("time/boot.rs")),
    ("std::io", None),
    ("Instant", Some("time/boot.rs")),
    ("SystemTime", Some("time.rs")),
];

/// The step of a room, and its floor.
fn place(room: &str) -> Option<(usize, u8)> {
    let step = STEPS.iter().position(|(_, rooms)| rooms.contains(&room))?;
    STEPS.get(step).map(|(floor, _)| (step, *floor))
}

/// A source file: its path under `core/src`, and its text without comments and test modules.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
        // Tests inside a file stand at its end.
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        Self { path: path.to_owned(), code }
    }

    /// The top-level module that the file belongs to.
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The files of modules that are compiled for tests alone.
    fn test_files(&self) -> Vec<String> {
        let folder = self.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let after =
            self.code.split("#[cfg(test)]\n").skip(1).filter_map(|rest| rest.split_once("mod ")?.1.split_once(';'));
        after.map(|(name, _)| format!("{folder}{name}.rs")).collect()
    }

    /// How many modules the file is below the crate's root.
    fn depth(&self) -> usize {
        let steps = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { steps - 1 } else { steps }
    }

    /// The rooms that the file names, by `crate::` or by enough `super::`.
    fn imports(&self) -> BTreeSet<String> {
        let to_root = "super::".repeat(self.depth());
        let mut rooms = BTreeSet::new();
        for root in ["crate::", to_root.as_str()] {
            for (at, _) in self.code.match_indices(root) {
                let before = self.code[..at].chars().next_back();
                let rest = &self.code[at + root.len()..];
                if !before.is_some_and(|before| before.is_alphanumeric() || "_:".contains(before)) {
                    rooms.extend(names_at(rest));
                }
            }
        }
        rooms
    }

    /// What stands before and after each place where the code names `word`, not as a part of a longer name.
    fn places<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let part = |one: char| one.is_alphanumeric() || one == '_';
        let around = self.code.match_indices(word).map(|(at, _)| (&self.code[..at], &self.code[at + word.len()..]));
        around.filter(move |(before, after)| !before.ends_with(part) && !after.starts_with(part))
    }

    /// Whether the code names the outside crate `name`, in an import or in a path.
    fn names_crate(&self, name: &str) -> bool {
        self.places(name).any(|(before, after)| {
            !before.ends_with("::") && (after.starts_with("::") || before.trim_end().ends_with("use"))
        })
    }
}

/// The names right after a path's start: one, or the first names of a group in braces.
fn names_at(rest: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|one| one.is_alphanumeric() || *one == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, one) in group.char_indices() {
        match one {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(group[start..at].trim()));
                start = at + 1;
                if one == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Everything that breaks a rule of the house.
fn violations(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(|source| [upward(source), strange_crates(source), effects(source)].concat()).collect()
}

fn upward(source: &Source) -> Vec<String> {
    let Some((step, _)) = place(source.room()) else {
        return vec![format!("{}: stands on no floor", source.path)];
    };
    let wrong = |room: &String| room != source.room() && place(room).is_none_or(|(other, _)| other >= step);
    source
        .imports()
        .iter()
        .filter(|room| wrong(room))
        .map(|room| format!("{}: imports `{room}`", source.path))
        .collect()
}

fn strange_crates(source: &Source) -> Vec<String> {
    let is_home = |name: &str| CRATES.iter().any(|(other, home)| *other == name && source.path.starts_with(home));
    let strange = CRATES.iter().filter(|(name, _)| source.names_crate(name) && !is_home(name));
    strange.map(|(name, _)| format!("{}: names the crate `{name}`", source.path)).collect()
}

fn effects(source: &Source) -> Vec<String> {
    if place(source.room()).is_none_or(|(_, floor)| floor > 2) {
        return Vec::new();
    }
    let found = EFFECTS
        .iter()
        .filter(|(word, home)| source.places(word).next().is_some() && *home != Some(source.path.as_str()));
    found.map(|(word, _)| format!("{}: a pure floor names `{word}`", source.path)).collect()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        Source::new(&path, &fs::read_to_string(file).unwrap())
    };
    let mut sources: Vec<Source> = files.iter().map(read).collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(Source::test_files).collect();
    sources.retain(|source| !tests.contains(&source.path));
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn imports_point_down_and_outside_crates_stay_in_their_rooms() {
    let sources = sources();
    assert!(sources.len() > 60, "the sources were not found");
    let found = violations(&sources);
    assert!(found.is_empty(), "the floors of core/docs/architecture.md are broken:\n{}", found.join("\n"));
}

#[test]
fn every_room_on_the_list_exists() {
    let rooms: BTreeSet<String> = sources().iter().map(|source| source.room().to_owned()).collect();
    let listed: BTreeSet<String> = STEPS.iter().flat_map(|(_, rooms)| rooms.iter().map(ToString::to_string)).collect();
    assert_eq!(rooms, listed);
}

#[test]
fn what_breaks_a_rule_is_found() {
    let cases = [
        ("scope/decide.rs", "use crate::connector::Outcome;", "scope/decide.rs: imports `connector`"),
        ("scope/decide.rs", "use crate::{model, mapping::{Mapping}};", "scope/decide.rs: imports `mapping`"),
        ("scope/decide.rs", "use super::super::store::Tx;", "scope/decide.rs: imports `store`"),
        ("fault.rs", "use super::model;", "fault.rs: imports `model`"),
        ("fault.rs", "fn now() -> crate::time::Timestamp;", "fault.rs: imports `time`"),
        ("model/mod.rs", "use crate::Engine;", "model/mod.rs: imports `Engine`"),
        ("utils.rs", "", "utils.rs: stands on no floor"),
        ("engine/mod.rs", "let error: rusqlite::Error;", "engine/mod.rs: names the crate `rusqlite`"),
        ("scim/mod.rs", "use ureq as client;", "scim/mod.rs: names the crate `ureq`"),
        ("mapping/mod.rs", "use cel::Env;", "mapping/mod.rs: names the crate `cel`"),
        ("value.rs", "use std::fs;", "value.rs: a pure floor names `std::fs`"),
        ("retry/mod.rs", "let now = Instant::now();", "retry/mod.rs: a pure floor names `Instant`"),
        ("id.rs", "let now = std::time::SystemTime::now();", "id.rs: a pure floor names `SystemTime`"),
    ];
    for (path, text, expected) in cases {
        assert_eq!(violations(&[Source::new(path, text)]), [expected], "{text}");
    }
}

#[test]
fn what_keeps_the_rules_is_left_alone() {
    let cases = [
        ("scope/decide.rs", "use super::standing::Cause;\nuse crate::model::{App, User};"),
        ("engine/mod.rs", "use crate::{delivery, intake::{self, LiveApps}};\nlet now = Instant::now();"),
        ("store/mod.rs", "use rusqlite::Connection;"),
        ("value.rs", "/// [`crate::engine::Engine`] and std::fs are named in a comment only.\nfn cancel::now() {}"),
        ("time.rs", "std::time::SystemTime::now()"),
        ("value.rs", "fn sound() {}\n#[cfg(test)]\nmod tests {\n    use crate::engine::Engine;\n}"),
    ];
    for (path, text) in cases {
        assert_eq!(violations(&[Source::new(path, text)]), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn modules_for_tests_alone_are_told_from_others() {
    let source =
        Source::new("store/mod.rs", "mod log;\n#[cfg(test)]\npub(crate) mod cost;\n#[cfg(test)]\ncount();\nmod open;");
    assert!(source.test_files().contains(&"store/cost.rs".to_owned()));
}

#[test]
fn every_file_of_tests_is_of_the_one_program_or_a_program_of_its_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests");
    let (program, package) = (include_str!("main.rs"), include_str!("../../tests/Cargo.toml"));
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_played = |name: &str| {
        program.contains(&format!("\nmod {name};")) || package.contains(&format!("\"../core/tests/{name}.rs\""))
    };
    let left: Vec<_> = files.filter(|file| !is_played(file.strip_suffix(".rs").unwrap_or("world"))).collect();
    assert!(left.is_empty(), "nobody plays {left:?}");
}
