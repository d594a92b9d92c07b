//! Analyses files and tells the counts, the time and, where the system tells it, the memory used at the most:
//! `analyze USERS ACCOUNTS OPTIONS [LINKS]`, three paths and the options as JSON.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a person")]

use rollkeeper::{Fault, Rows, analyze};
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Vec<Fault>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [users, accounts, options, links @ ..] = arguments.as_slice() else {
        eprintln!("analyze USERS ACCOUNTS OPTIONS [LINKS]");
        return Ok(());
    };
    let started = Instant::now();
    let links = links.first().map(|path| Rows::Path(PathBuf::from(path)));
    let analysis = analyze(PathBuf::from(users), PathBuf::from(accounts), links, options.as_bytes())?;
    println!("{}", analysis.counts_json());
    println!("{:.3} s", started.elapsed().as_secs_f64());
    let findings = Instant::now();
    let mut bytes = 0;
    let mut count = 0;
    for finding in analysis {
        bytes += finding.map_err(|fault| vec![fault])?.len();
        count += 1;
    }
    println!("{count} findings, {bytes} bytes in {:.3} s", findings.elapsed().as_secs_f64());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("{peak}");
    }
    Ok(())
}
