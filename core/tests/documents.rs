//! The documents tell what the code does: diagram, keys, columns, kinds of log entries, links, and the tests and functions
//! that they name are compared with the sources.
#![expect(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "tests may stop at what must not happen")]

use rollkeeper::lifecycle::Event;
use rollkeeper::model::{RESERVED_KEYS, State};
use rollkeeper::{can_change, next_state};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file under a folder with that ending, by its path from the repository's root.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
        if root().join(&path).is_dir() {
            found.extend(files(&path, ending));
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> String {
    files("core/src", ".rs").iter().map(|file| text(file)).collect()
}

/// A page without its fenced blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// What stands in single backticks, outside of fenced blocks.
fn quoted(text: &str) -> Vec<String> {
    prose(text).split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The section under a heading, up to the next heading of the same or a higher level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let level = heading.chars().take_while(|one| *one == '#').count();
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("there is no `{heading}`")) + 1;
    let body = &text[start + heading.len()..];
    let ends = (1..=level).filter_map(|level| body.find(&format!("\n{} ", "#".repeat(level))));
    &body[..ends.min().unwrap_or(body.len())]
}

/// What stands in backticks in the first column of a section's tables.
fn first_column(section: &str) -> BTreeSet<String> {
    let cells = section.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    cells.flat_map(quoted).collect()
}

#[test]
fn the_diagram_shows_exactly_the_changes_that_are_allowed() {
    let document = text("core/docs/life_cycle.md");
    let arrows: BTreeSet<&str> = document
        .lines()
        .filter(|line| line.contains(" --> "))
        .map(str::trim)
        .filter(|line| !line.contains("[*]"))
        .collect();
    let mut allowed = BTreeSet::new();
    for from in State::ALL {
        for event in Event::ALL {
            if let Ok(to) = next_state(*from, event) {
                assert!(can_change(*from, to));
                allowed.insert(format!("{} --> {}: {event}", from.name(), to.name()));
            }
        }
    }
    assert_eq!(arrows, allowed.iter().map(String::as_str).collect());
    let ends: BTreeSet<&str> = document.lines().filter_map(|line| line.trim().strip_suffix(" --> [*]")).collect();
    let last = |state: &&State| State::ALL.iter().all(|to| !can_change(**state, *to));
    assert_eq!(ends, State::ALL.iter().filter(last).map(|state| state.name()).collect());
}

#[test]
fn every_key_of_a_document_is_told_and_no_other() {
    let document = text("core/docs/documents.md");
    let user = first_column(section(&document, "## User"));
    let mut reserved: BTreeSet<String> = RESERVED_KEYS.map(str::to_owned).into();
    assert_eq!(user, reserved);
    reserved.clear();
    let app = text("core/src/model/app.rs");
    let fields = |text: &str| -> BTreeSet<String> {
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
        names.map(|(name, _)| name.to_owned()).filter(|name| !name.contains([' ', '('])).collect()
    };
    let body = app.split_once("pub struct App {").unwrap().1.split_once("\n}\n").unwrap().0;
    let about_apps = section(&document, "## App");
    let main_table = about_apps.split("\n### ").next().unwrap();
    assert_eq!(first_column(main_table), fields(body));
    let settings = text("core/src/connector/mock/mod.rs");
    let settings = settings.split_once("pub struct MockOptions {").unwrap().1.split_once("\n}\n").unwrap().0;
    let parts = ["matching", "pace", "connector", "connection"].map(|name| text(&format!("core/src/model/{name}.rs")));
    let app = app + &parts.concat();
    for key in fields(&app).union(&fields(settings)) {
        let told = about_apps.contains(&format!("`{key}`")) || about_apps.contains(&format!(".{key}`"));
        assert!(told, "core/docs/documents.md does not tell of `{key}`");
    }
}

#[test]
fn keys_without_effect_are_those_that_nothing_reads() {
    let document = text("core/docs/documents.md");
    let table = section(&document, "## App").split("\n### ").next().unwrap().to_owned();
    let rows = table.lines().filter(|line| line.contains("*no effect yet*"));
    let idle: BTreeSet<String> = rows.flat_map(first_column).collect();
    let sources = sources();
    let read = |key: &String| sources.contains(&format!("app.{key}")) || sources.contains(&format!("policy.{key}"));
    let keys = first_column(&table);
    let found: BTreeSet<String> = keys.into_iter().filter(|key| !read(key)).collect();
    assert_eq!(idle, found);
}

#[test]
fn every_table_and_column_is_told_and_no_other() {
    let document = text("core/docs/schema.md");
    let schema: String = files("core/src/store/sql", ".sql").iter().map(|file| text(file)).collect();
    for table in schema.split("CREATE TABLE ").skip(1) {
        let (name, body) = table.split_once(" (\n").unwrap();
        let columns = body.split_once("\n) {strict}").unwrap().0.lines().filter_map(|line| {
            let word = line.strip_prefix("    ")?.split(' ').next()?;
            (!word.is_empty() && word.chars().all(|one| one.is_ascii_lowercase() || one == '_'))
                .then(|| word.to_owned())
        });
        let mut columns: BTreeSet<String> = columns.collect();
        let words = format!("ALTER TABLE {name} ADD COLUMN ");
        let added = schema.split(&words).skip(1);
        columns.extend(added.filter_map(|rest| rest.split(' ').next()).map(str::to_owned));
        let about = section(&document, &format!("## {name}"));
        let rows = first_column(about);
        let told = if rows.is_empty() { quoted(about).into_iter().collect() } else { rows };
        assert_eq!(told, columns, "the table `{name}`");
    }
}

#[test]
fn every_kind_of_log_entry_is_told_and_no_other() {
    let document = text("core/docs/log.md");
    let told = first_column(section(&document, "## Kinds"));
    let sources = sources();
    for kind in &told {
        assert!(sources.contains(&format!("\"{kind}\"")), "nothing logs `{kind}`");
    }
    let after = |start: &str| -> Vec<String> {
        sources.split(start).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let logged =
        [after("LogEvent::new(\""), after("log(&row, \""), after("log(row, \""), after("log(tx, &row, \"")].concat();
    assert!(logged.len() > 15, "the places that log were not found");
    for kind in logged {
        assert!(told.contains(&kind), "core/docs/log.md does not tell of `{kind}`");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut pages = files("core/docs", ".md");
    pages.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned));
    for page in pages {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for link in
            prose(&text(&page)).split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap().to_owned())
        {
            let outside = link.starts_with("https://") || link.is_empty();
            assert!(outside || folder.join(&link).exists(), "{page} links to `{link}`, which is not there");
        }
    }
}

#[test]
fn every_test_that_keeps_an_invariant_exists() {
    let document = text("core/docs/architecture.md");
    let mut file = String::new();
    let mut tests = 0;
    for name in quoted(section(&document, "## Invariants")) {
        if name.contains('/') && [".rs", ".py", ".json"].iter().any(|ending| name.ends_with(ending)) {
            assert!(root().join(&name).exists(), "there is no `{name}`");
            file = name;
        } else if name.matches('_').count() > 2 {
            assert!(text(&file).contains(&format!("fn {name}()")), "`{file}` has no test `{name}`");
            tests += 1;
        }
    }
    assert!(tests > 8, "the invariants name no tests");
}

#[test]
fn every_function_that_a_page_names_exists() {
    let sources = sources();
    for page in ["architecture.md", "delivery.md", "life_cycle.md", "log.md"] {
        for name in quoted(&text(&format!("core/docs/{page}"))) {
            let name = name.split('(').next().unwrap();
            let Some((_, last)) = name.rsplit_once("::") else { continue };
            let defined =
                [format!("fn {last}("), format!("fn {last}<"), format!("mod {last};"), format!("struct {last}")];
            let known = last.is_empty() || defined.iter().any(|text| sources.contains(text.as_str()));
            assert!(known, "core/docs/{page} names `{name}`, which is not there");
        }
    }
}

#[test]
fn every_kind_of_alert_is_told_and_no_other() {
    let document = text("core/docs/delivery.md");
    let told = first_column(section(&document, "## Watching it"));
    let source = text("core/src/model/alert.rs");
    let named = source.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next());
    let named: BTreeSet<String> = named.filter(|name| !name.contains(' ')).map(str::to_owned).collect();
    assert_eq!(told, named);
}
