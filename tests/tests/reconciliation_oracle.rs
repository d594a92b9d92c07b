//! The oracle of `tests/oracle`, a plain Python program written from `core/docs/reconciliation.md`, and the engine find the same
//! in directories at random, item by item. `ORACLE_DIRECTORIES` tells how many.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn python(program: &str, arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
    Command::new("python3").arg(folder.join(program)).args(arguments).output().unwrap()
}

#[test]
fn the_oracle_and_the_engine_find_the_same() {
    let directories = std::env::var("ORACLE_DIRECTORIES").unwrap_or_else(|_| "300".to_owned());
    let output = python("compare.py", &[env!("CARGO_BIN_EXE_analyze"), "--directories", &directories]);
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_table_of_situations_is_what_its_program_writes() {
    let output = python("situations.py", &["--check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
