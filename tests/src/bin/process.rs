//! One of several processes on one file: a web application that puts users, or a worker that runs.
//!
//! `process FILE URL SECONDS` opens the file, with a clock that stands that many seconds after the start of 2026. It does what each
//! line of standard input says, and answers it with one line:
//!
//! * `put FROM TO` puts the users with these numbers;
//! * `run` does everything that is due, with four calls at the same time.

use rollkeeper::model::{App, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Engine, Period, RunOptions, Timestamp};
use serde_json::json;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("`process FILE URL SECONDS` is wanted");
    let (path, url, seconds) = (argument()?, argument()?, argument()?);
    let now = Timestamp::parse("2026-01-01T00:00:00Z")?.plus(Period::from_seconds(seconds.parse()?));
    let engine = Engine::builder().path(Path::new(&path)).clock(Arc::new(VirtualClock::new(now))).open()?;
    if engine.apps()?.is_empty() {
        let app = json!({
            "id": "crm", "connector": {"kind": "scim", "base_url": url}, "assigned_to": {"profiles": ["Employees"]},
            "mapping": [{"target": "userName", "source": "username"}], "create_without_match": true,
            "rate": {"concurrency": 4},
        });
        engine.put_app(App::from_json(app.to_string().as_bytes())?, None)?;
    }
    for line in io::stdin().lock().lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["put", from, to] => {
                for number in from.parse::<u32>()?..to.parse()? {
                    let user =
                        json!({"id": format!("u{number}"), "username": format!("n{number}"), "profile": "Employees"});
                    engine.put_user(User::from_json(user.to_string().as_bytes())?, None)?;
                }
                writeln!(io::stdout(), "put")?;
            }
            ["run"] => {
                let progress = engine.run(&RunOptions { workers: 4, ..RunOptions::default() })?;
                writeln!(io::stdout(), "{} {}", progress.completed, progress.open)?;
            }
            _ => return Err(format!("unknown command `{line}`").into()),
        }
    }
    Ok(())
}
