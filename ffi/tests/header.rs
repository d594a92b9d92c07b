//! The committed header is what cbindgen makes of the source, its copy for Go is the same, and the shared library
//! exports exactly what the header declares. `UPDATE_HEADER=1 cargo test -p rollkeeper-ffi` writes the files.

#![expect(clippy::unwrap_used, clippy::string_slice, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn made_header() -> String {
    let directory = env!("CARGO_MANIFEST_DIR");
    let config = cbindgen::Config::from_file(Path::new(directory).join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_crate(directory).with_config(config).generate().unwrap();
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).unwrap()
}

/// Every word `rollkeeper_…` that is followed by an opening bracket in a declaration.
fn declared(header: &str) -> BTreeSet<String> {
    let without_comments: String =
        header.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
    let mut names = BTreeSet::new();
    for (start, _) in without_comments.match_indices("rollkeeper_") {
        let rest = &without_comments[start..];
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap();
        if rest[end..].starts_with('(') {
            names.insert(rest[..end].to_owned());
        }
    }
    names
}

fn same_as_committed(path: &str, made: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_HEADER").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "{} is out of date; run `UPDATE_HEADER=1 cargo test -p rollkeeper-ffi`", path.display());
}

#[test]
fn the_committed_headers_are_what_the_source_says() {
    let header = made_header();
    same_as_committed("include/rollkeeper.h", &header);
    same_as_committed("ffi/go/include/rollkeeper.h", &header);
}

#[test]
fn the_symbol_list_is_what_the_header_declares() {
    let names: Vec<String> = declared(&made_header()).into_iter().collect();
    same_as_committed("include/symbols.txt", &(names.join("\n") + "\n"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_shared_library_exports_what_the_header_declares_and_nothing_else() {
    let library = std::env::current_exe().unwrap().parent().unwrap().join("librollkeeper.so");
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output().unwrap();
    assert!(output.status.success(), "nm failed for {}", library.display());
    let exported: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(exported, declared(&made_header()));
}
