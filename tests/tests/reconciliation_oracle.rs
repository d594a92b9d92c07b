//! The oracles of `tests/oracle`, plain Python programs written from `core/docs/reconciliation.md`, and the engine find and plan
//! the same in directories and stories at random, item by item. `ORACLE_DIRECTORIES` and `ORACLE_STORIES` tell how many.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn python(program: &str, arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
    Command::new("python3").arg(folder.join(program)).args(arguments).output().unwrap()
}

/// What a comparison told, which found no difference.
fn compared(program: &str, arguments: &[&str]) -> String {
    let output = python(program, arguments);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told.into_owned()
}

#[test]
fn the_oracle_and_the_engine_find_the_same() {
    let directories = std::env::var("ORACLE_DIRECTORIES").unwrap_or_else(|_| "300".to_owned());
    println!("{}", compared("compare.py", &[env!("CARGO_BIN_EXE_analyze"), "--directories", &directories]));
}

#[test]
fn the_oracle_of_memberships_and_the_engine_plan_and_do_the_same() {
    let stories = std::env::var("ORACLE_STORIES").ok();
    // Many people take long; what they show, fewer show as well.
    let few = ["--stories", "200", "--most-people", "24"];
    let arguments = stories.as_ref().map_or(few.to_vec(), |stories| vec!["--stories", stories]);
    let arguments = [&[env!("CARGO_BIN_EXE_memberships")], arguments.as_slice()].concat();
    println!("{}", compared("compare_memberships.py", &arguments));
}

#[test]
fn the_table_of_situations_is_what_its_program_writes() {
    let output = python("situations.py", &["--check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
