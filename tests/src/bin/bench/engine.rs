//! The engine as a host uses it, on a file of its own: changes come in, accounts are made.

use crate::{Arguments, timed, workload};
use rollkeeper::model::{App, User};
use rollkeeper::{Engine, RunOptions};
use serde_json::{Value, json};
use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Puts `n` users, each of whom is entitled to one app: one a call, by `--threads` producers at a time, or `--batch` a call.
pub(crate) fn enqueue(n: usize, arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    let batch = arguments.number("batch", 1)?.max(1);
    let engine = open(arguments, &workload::app(&json!({"kind": "mock"}), 1))?;
    let mut made = 0;
    let producers = arguments.number("threads", 1)?.max(1);
    let took = if batch == 1 && producers > 1 {
        made = n;
        produce(&engine, n, producers)?
    } else if batch == 1 {
        let users = (0..n).map(|number| User::from_value(workload::record(number))).collect::<Result<Vec<_>, _>>()?;
        timed(|| {
            for user in users {
                made += engine.put_user(user, None)?.len();
            }
            Ok(())
        })?
    } else {
        let texts: Vec<Vec<u8>> = (0..n).step_by(batch).map(|start| lines(start..n.min(start + batch))).collect();
        timed(|| {
            for text in &texts {
                made += usize::try_from(engine.put_users(text, None)?.requests)?;
            }
            Ok(())
        })?
    };
    if made == n { Ok(took) } else { Err(format!("{n} users made {made} requests").into()) }
}

/// Puts `n` users, one a call, by so many producers at a time.
fn produce(engine: &Engine, n: usize, producers: usize) -> Result<Duration, Box<dyn Error>> {
    let users = (0..n).map(|number| User::from_value(workload::record(number))).collect::<Result<Vec<_>, _>>()?;
    let put = |users: &[User]| users.iter().try_for_each(|user| engine.put_user(user.clone(), None).map(drop));
    timed(|| {
        thread::scope(|scope| {
            let all: Vec<_> = users.chunks(n.div_ceil(producers)).map(|users| scope.spawn(|| put(users))).collect();
            all.into_iter().try_for_each(|one| match one.join() {
                Ok(done) => Ok(done?),
                Err(_) => Err("a producer panicked".into()),
            })
        })
    })
}

/// Does `n` creates at a target in memory, with `--threads` workers (4 by default), so that the queue is what is measured.
pub(crate) fn claim(n: usize, arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    let workers = arguments.number("threads", 4)?.max(1);
    let engine = open(arguments, &workload::app(&json!({"kind": "mock"}), workers))?;
    engine.put_users(&lines(0..n), None)?;
    run(&engine, n, workers)
}

/// Does `--steps` steps (500 by default) on the caller's thread while `n` requests wait, at a target in memory.
pub(crate) fn step(n: usize, arguments: &Arguments) -> Result<(Duration, usize), Box<dyn Error>> {
    let steps = arguments.number("steps", 500)?.min(n);
    let engine = open(arguments, &workload::app(&json!({"kind": "mock"}), 1))?;
    for start in (0..n).step_by(1000) {
        engine.put_users(&lines(start..n.min(start + 1000)), None)?;
    }
    let took = timed(|| {
        for number in 0..steps {
            if !engine.step()?.worked {
                return Err(format!("nothing was due after {number} steps").into());
            }
        }
        Ok(())
    })?;
    Ok((took, steps))
}

/// Delivers `n` creates to the SCIM server at `--url`, with `--threads` workers (4 by default). What is measured is the
/// run: from requests in the file to accounts linked in the file.
pub(crate) fn deliver(n: usize, arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    let workers = arguments.number("threads", 4)?.max(1);
    let connector = json!({"kind": "scim", "base_url": arguments.text("url")?});
    let engine = open(arguments, &workload::app(&connector, workers))?;
    engine.put_users(&lines(0..n), None)?;
    run(&engine, n, workers)
}

/// Runs until nothing is due; `n` requests must be completed then.
fn run(engine: &Engine, n: usize, workers: usize) -> Result<Duration, Box<dyn Error>> {
    let options = RunOptions { workers, ..RunOptions::default() };
    let mut completed = 0;
    let took = timed(|| {
        completed = engine.run(&options)?.completed;
        Ok(())
    })?;
    if completed == u64::try_from(n)? { Ok(took) } else { Err(format!("{completed} of {n} were delivered").into()) }
}

fn open(arguments: &Arguments, app: &Value) -> Result<Engine, Box<dyn Error>> {
    let engine = Engine::builder().path(Path::new(arguments.text("folder")?).join("engine.db")).open()?;
    engine.put_app(App::from_json(app.to_string().as_bytes())?, None)?;
    Ok(engine)
}

/// The records of these people, one a line.
fn lines(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{}\n", workload::record(number)).into_bytes()).collect()
}
