//! One measurement of `make bench`, as one line of JSON: `bench NAME [--n N] [--batch N] [--threads N] [--url URL]
//! [--folder PATH]`. `tests/bench/bench.py` runs it beside the peers, alternately, and computes the ratios.
//!
//! | name | measures | unit |
//! |---|---|---|
//! | `map` | users mapped by ten rules, JSON in and JSON out, one core | users/s |
//! | `map-lines` | the same, 1,000 users a call, one a line | users/s |
//! | `map-rendered` | the same by way of the whole record and the whole account | users/s |
//! | `map-by-hand` | the same by a function written for these rules | users/s |
//! | `enqueue` | requests that users put into a fresh file ask for, `--batch` users a call (1 by default), `--threads` at a time (1 by default) | requests/s |
//! | `claim` | requests done at a target in memory, by a run of `--threads` workers: claimed, called, completed and logged | requests/s |
//! | `step` | steps of one request each, with `--n` requests waiting in the file | steps/s |
//! | `leavers` | the time within which 99 of 100 leavers are confirmed to be out, `--n` updates waiting, `--threads` calls at a time | s, on a clock of its own |
//! | `limited` | creates at a target with Slack's limits, and how many requests people cost there | s, on a clock of its own |
//! | `limited-script` | the same creates by a script that tries again after a while | s, on a clock of its own |
//! | `deliver` | accounts created at `--url` and stored, by a run of `--threads` workers | requests/s |
//! | `analyze` | the files in `--folder` reconciled, `--form` `flat` or `pages` | s |
//! | `read-pages` | accounts in the pages of `--file` in `--folder`, read by the SCIM connector without the network | users/s |
//! | `read-pages-by-hand` | the same by structures written for these fields | users/s |
//! | `reconcile` | accounts of the target that `point` was told of collected, compared and planned, in `--folder` | users/s |
//! | `bare-loop` | accounts at `--url` read by a bare client and a structure written for these fields | users/s |
//! | `append` | rows appended to a bare SQLite file, `--batch` a commit, `synchronous=FULL` | rows/s |
//! | `client` | reads at `--url` by our HTTP client alone, `--threads` at a time | requests/s |
//! | `client-ureq` | the same by ureq as it comes | requests/s |
//! | `connector` | `--n` accounts made at `--url` by our SCIM connector alone, and then those and `--listed` others listed, `--page` a page | s |
//! | `http` | users created at `--url` by ureq alone, `--threads` at a time | requests/s |
//!
//! `bench workload --folder PATH` measures nothing and writes the files that other programs map;
//! `bench files --folder PATH --n N --kinds lines,csv,pages,states` writes those that are reconciled, `bench point --folder PATH
//! --from FILE --url URL` an engine's file with another target.

mod client;
mod collect;
mod connector;
mod directory;
mod engine;
mod files;
mod leavers;
mod limited;
mod limits;
mod mapping;
mod reconcile;
mod workload;

use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The arguments after the name.
struct Arguments(BTreeMap<String, String>);

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut arguments = BTreeMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("unexpected `{word}`"))?;
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
            arguments.insert(name.to_owned(), value);
        }
        Ok(Self(arguments))
    }

    fn number(&self, name: &str, default: usize) -> Result<usize, Box<dyn Error>> {
        self.0.get(name).map_or(Ok(default), |text| Ok(text.parse()?))
    }

    fn text(&self, name: &str) -> Result<&str, Box<dyn Error>> {
        Ok(self.0.get(name).ok_or_else(|| format!("`--{name}` is needed"))?)
    }
}

/// How long `work` takes.
fn timed(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let name = words.next().ok_or("which measurement?")?;
    let arguments = Arguments::read(words)?;
    let n = arguments.number("n", 10_000)?;
    if name == "workload" {
        return mapping::write_workload(Path::new(arguments.text("folder")?));
    }
    if name == "files" {
        return files::write(&arguments);
    }
    if name == "prepare" {
        return collect::prepare(&arguments);
    }
    if name == "point" {
        return collect::point(&arguments);
    }
    let (n, took, counts) = match name.as_str() {
        "map" => (n, mapping::compiled(n)?, Value::Null),
        "map-lines" => (n, mapping::lines(n)?, Value::Null),
        "map-rendered" => (n, mapping::rendered(n)?, Value::Null),
        "map-by-hand" => (n, mapping::by_hand(n)?, Value::Null),
        "enqueue" => (n, engine::enqueue(n, &arguments)?, Value::Null),
        "deliver" => (n, engine::deliver(n, &arguments)?, Value::Null),
        "claim" => (n, engine::claim(n, &arguments)?, Value::Null),
        "step" => {
            let (took, steps) = engine::step(n, &arguments)?;
            (steps, took, Value::Null)
        }
        "leavers" => {
            let (took, told) = leavers::confirmed(n, &arguments)?;
            (n, took, told)
        }
        "limited" => {
            let (took, told) = limited::engine(n, &arguments)?;
            (n, took, told)
        }
        "limited-script" => {
            let (took, told) = limited::script(n)?;
            (n, took, told)
        }
        "append" => (n, limits::append(n, &arguments)?, Value::Null),
        "http" => (n, limits::http(n, &arguments)?, Value::Null),
        "connector" => (n, connector::made_and_listed(n, &arguments)?, Value::Null),
        "client" => (n, client::ours(n, &arguments)?, Value::Null),
        "client-ureq" => (n, client::ureq(n, &arguments)?, Value::Null),
        "analyze" => {
            let (took, counts) = reconcile::analyze(&arguments)?;
            (n, took, counts)
        }
        "read-pages" => {
            let (took, n) = reconcile::read_pages(&arguments)?;
            (n, took, Value::Null)
        }
        "read-pages-by-hand" => {
            let (took, n) = reconcile::read_pages_by_hand(&arguments)?;
            (n, took, Value::Null)
        }
        "reconcile" => {
            let (took, n, told) = collect::reconcile(&arguments)?;
            (n, took, told)
        }
        "bare-loop" => {
            let (took, n, told) = collect::bare_loop(&arguments)?;
            (n, took, told)
        }
        _ => return Err(format!("there is no measurement `{name}`").into()),
    };
    let line = serde_json::json!({
        "name": name,
        "n": n,
        "seconds": took.as_secs_f64(),
        "rate": f64::from(u32::try_from(n)?) / took.as_secs_f64(),
        "peak_mib": counts.get("peak_mib").and_then(Value::as_f64).or_else(peak_mib),
        "counts": counts,
    });
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

/// How much processor time this process took, all of its threads; none where the system does not say.
fn processor_seconds() -> f64 {
    // Of the fields after the name, the 12th and the 13th, in hundredths of a second (proc(5)).
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = told.rsplit_once(')').map_or("", |(_, fields)| fields).split_ascii_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory this process ever held; nothing where the system does not say.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(f64::from(kib) / 1024.0)
}
