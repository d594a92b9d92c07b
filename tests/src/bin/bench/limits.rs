//! The raw limits that our own figures stand beside: a bare SQLite file, a bare HTTP client.

use crate::{Arguments, timed, workload};
use rusqlite::Connection;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Appends `n` rows as large as a request's to a fresh file in `--folder`, `--batch` a commit (1 by default).
pub(crate) fn append(n: usize, arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    let batch = arguments.number("batch", 1)?.max(1);
    let path = Path::new(arguments.text("folder")?).join("append.db");
    let mut connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE rows (id INTEGER PRIMARY KEY, user TEXT NOT NULL, payload TEXT NOT NULL);",
    )?;
    let payloads: Vec<String> = (0..n).map(|number| workload::resource(number).to_string()).collect();
    timed(|| {
        for (chunk, payloads) in payloads.chunks(batch).enumerate() {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached("INSERT INTO rows (user, payload) VALUES ($1, $2)")?;
                for (place, payload) in payloads.iter().enumerate() {
                    insert.execute((format!("u{}", chunk * batch + place), payload))?;
                }
            }
            transaction.commit()?;
        }
        Ok(())
    })
}

/// Creates `n` users at the SCIM server `--url`, with `--threads` (4 by default) that each send and wait.
pub(crate) fn http(n: usize, arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    let threads = arguments.number("threads", 4)?.max(1);
    let url = format!("{}/Users", arguments.text("url")?);
    let bodies: Vec<String> = (0..n).map(|number| workload::resource(number).to_string()).collect();
    let agent = ureq::Agent::config_builder()
        .proxy(None)
        .max_idle_connections_per_host(threads)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .new_agent();
    let next = AtomicUsize::new(0);
    let create = || -> Result<(), ureq::Error> {
        while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
            let request = agent.post(&url).header("Content-Type", "application/scim+json");
            request.send(body)?.body_mut().read_to_vec()?;
        }
        Ok(())
    };
    timed(|| {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(create)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(done) => Ok(done?),
                Err(_) => Err("a thread panicked".into()),
            })
        })
    })
}
