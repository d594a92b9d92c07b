//! Runs `analyze` for programs in other languages: each line of standard input is `{"users": [LINE, …], "accounts": [LINE, …],
//! "links": [LINE, …], "options": {…}}`, where a line is a record as text; each line of standard output has what was found.
#![expect(clippy::unwrap_used, reason = "a program for tests stops at what it did not expect")]

use rollkeeper::analyze;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, Write};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Directory {
    users: Vec<String>,
    accounts: Vec<String>,
    links: Vec<String>,
    options: Value,
}

fn main() {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let directory: Directory = serde_json::from_str(&line.unwrap()).unwrap();
        serde_json::to_writer(&mut out, &analyzed(&directory)).unwrap();
        out.write_all(b"\n").unwrap();
        out.flush().unwrap();
    }
}

fn analyzed(directory: &Directory) -> Value {
    let text = |lines: &[String]| lines.join("\n").into_bytes();
    let (users, accounts, links) = (text(&directory.users), text(&directory.accounts), text(&directory.links));
    let options = directory.options.to_string().into_bytes();
    match analyze(users, accounts, Some(links.into()), &options) {
        Err(faults) => json!({"faults": faults}),
        Ok(mut analysis) => {
            let mut outcome: Value = serde_json::from_str(&analysis.counts_json()).unwrap();
            let findings: Result<Vec<String>, _> = analysis.by_ref().collect();
            let findings = findings.map(|findings| {
                findings.iter().map(|finding| serde_json::from_str::<Value>(finding).unwrap()).collect::<Vec<_>>()
            });
            match findings {
                Ok(findings) => outcome.as_object_mut().unwrap().insert("findings".to_owned(), Value::from(findings)),
                Err(fault) => outcome.as_object_mut().unwrap().insert("fault".to_owned(), json!(fault)),
            };
            outcome
        }
    }
}
