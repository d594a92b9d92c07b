//! Plays seeds: `simulate --seeds 1000 [--from 1] [--threads 2] [--wide 1] [--brief 1]`; or tells one story line by line: `simulate --seed 7`, or a small
//! one, `simulate --scenario 0 [--stop 12 --loss 1]`; or lets one thing go wrong everywhere in small stories: `simulate --every 1`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program tells what it found")]

use rollkeeper_tests::disk::Loss;
use rollkeeper_tests::simulation::{Counts, Mishap, Options, Played, SCENARIOS, act, crash_points, play, store_faults};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How many seeds that found something are told.
const TOLD: usize = 20;

fn option(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next()?.parse().ok()
}

/// What kind of stories are played.
fn options() -> Options {
    Options { wide: option("--wide").is_some(), brief: option("--brief").is_some(), ..Options::default() }
}

fn main() -> ExitCode {
    if let Some(seed) = option("--seed") {
        return tell(play(seed, &Options { tells: true, ..options() }));
    }
    if let Some(scenario) = option("--scenario").and_then(|number| SCENARIOS.get(usize::try_from(number).ok()?)) {
        let loss = option("--loss").and_then(|number| Loss::ALL.get(usize::try_from(number).ok()?));
        let mishap = Mishap { stop_at: option("--stop"), loss: loss.copied(), ..Mishap::default() };
        println!("{}", scenario.name);
        return tell(act(scenario, &mishap).map(|acted| {
            println!("{} boundaries", acted.boundaries);
            acted.played
        }));
    }
    if let Some(step) = option("--every") {
        return everywhere(step);
    }
    let (count, from) = (option("--seeds").unwrap_or(1_000), option("--from").unwrap_or(1));
    let threads = option("--threads").unwrap_or(2);
    let (next, begun) = (AtomicU64::new(0), Instant::now());
    let (sum, found) = (Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let seed = from + number;
                    let wrongs = match play(seed, &options()) {
                        Ok(played) => {
                            if let Ok(mut sum) = sum.lock() {
                                sum.add(&played.counts);
                            }
                            played.wrongs
                        }
                        Err(error) => vec![error],
                    };
                    if let (false, Ok(mut found)) = (wrongs.is_empty(), found.lock()) {
                        if found.len() < TOLD {
                            println!("seed {seed}: {}\n  make simulate SEED={seed}", wrongs.join("; "));
                        }
                        found.push(seed);
                    }
                    if (number + 1) % 10_000 == 0 {
                        println!("{} seeds in {:.0} s", number + 1, begun.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    let (sum, found) = (sum.into_inner().unwrap_or_default(), found.into_inner().unwrap_or_default());
    let seconds = begun.elapsed().as_secs_f64();
    println!("{count} seeds from {from} in {seconds:.1} s; {} found something; {sum:?}", found.len());
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Small stories with one mishap at every so many places.
fn everywhere(step: u64) -> ExitCode {
    for (name, mishaps) in [("crash points", crash_points(step, 2)), ("failures of the disk", store_faults(step, 2))] {
        match mishaps {
            Ok(count) => println!("{count} {name}"),
            Err(wrong) => {
                println!("{name}: {wrong}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// One story, line by line.
fn tell(played: Result<Played, String>) -> ExitCode {
    match played {
        Ok(played) => {
            played.lines.iter().for_each(|line| println!("{line}"));
            println!("{:?}, hash {:016x}", played.counts, played.hash);
            played.wrongs.iter().for_each(|wrong| println!("WRONG: {wrong}"));
            if played.wrongs.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
