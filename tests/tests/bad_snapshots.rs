//! A bad snapshot takes nothing away. Every kind of `rollkeeper_tests::snapshots` is played twice, further apart than two
//! observations must be, to companies at random of which every reaction is one that takes something away. `SNAPSHOT_COMPANIES`
//! tells how many companies there are.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may panic")]

use rollkeeper_tests::snapshots::directory::{Directory, text, with};
use rollkeeper_tests::snapshots::{Kind, kinds};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn companies() -> u64 {
    std::env::var("SNAPSHOT_COMPANIES").ok().and_then(|count| count.parse().ok()).unwrap_or(50)
}

/// A folder in memory where there is one, since every company is copied for every kind.
fn folder(name: &str) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = base.join(format!("rollkeeper-snapshots-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Plays every kind to so many companies, on two threads.
fn play(
    name: &str,
    count: u64,
    brakes: bool,
) -> BTreeMap<&'static str, Vec<(u64, rollkeeper_tests::snapshots::directory::Harm)>> {
    let folder = folder(name);
    let half = |odd: u64| {
        let mut found: Vec<(&'static str, u64, _)> = Vec::new();
        for seed in (0..count).filter(|seed| seed % 4 / 2 == odd) {
            let directory = Directory::new(seed, &folder).unwrap();
            for (number, kind) in kinds().iter().enumerate() {
                let harm = directory.play(kind, &number.to_string(), brakes);
                let harm = harm.unwrap_or_else(|error| panic!("{} in company {seed}: {error}", kind.name));
                found.push((kind.name, seed, harm));
            }
        }
        found
    };
    let found = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        [half(0), other.join().unwrap()].concat()
    });
    std::fs::remove_dir_all(folder).unwrap();
    let mut by_kind: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (kind, seed, harm) in found {
        by_kind.entry(kind).or_default().push((seed, harm));
    }
    by_kind
}

#[test]
fn no_bad_snapshot_takes_anything_away() {
    let count = companies();
    let mut wrong = Vec::new();
    for (kind, played) in play("braked", count, true) {
        let harmed: Vec<_> = played.iter().filter(|(_, harm)| harm.count() > 0).collect();
        let commits: usize = played.iter().map(|(_, harm)| harm.commits).sum();
        let verdicts: BTreeSet<&String> = played.iter().flat_map(|(_, harm)| &harm.verdicts).collect();
        println!(
            "{kind}: {} companies, {commits} plans committed, {} harmed; {verdicts:?}",
            played.len(),
            harmed.len()
        );
        wrong.extend(
            harmed
                .first()
                .map(|(seed, harm)| format!("{kind} ({} of {}), company {seed}: {harm:?}", harmed.len(), played.len())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_verdict_and_brake_every_kind_takes_something_away() {
    let mut harmless = Vec::new();
    for (kind, played) in play("unbraked", 2, false) {
        let count: usize = played.iter().map(|(_, harm)| harm.count()).sum();
        println!("{kind}: {count}");
        if count == 0 {
            harmless.push(format!("{kind}: {:?}", played.first().map(|(_, harm)| &harm.verdicts)));
        }
    }
    assert!(harmless.is_empty(), "{}", harmless.join("\n"));
}
