//! A whole reconciliation by the engine: a SCIM target is read over HTTP, compared, and a plan is stored.

use crate::directory::{COMPARED, SOURCES};
use crate::reconcile::{by_hand, matching, scim_path};
use crate::{Arguments, processor_seconds, timed};
use rollkeeper::model::{App, Reconciliation, State};
use rollkeeper::{Engine, RunOptions};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PAGE: u32 = 500;

/// An app whose accounts are read at `--url`, and nothing of which is ever sent.
fn app(arguments: &Arguments) -> Result<App, Box<dyn Error>> {
    let rule = |(target, source): (&&str, &str)| json!({"target": scim_path(target), "source": source});
    let mut mapping: Vec<Value> = COMPARED.iter().zip(SOURCES).map(rule).collect();
    mapping.push(json!({"target": "userName", "source": "username", "required": true}));
    let app = json!({
        "id": "crm",
        "connector": {"kind": "scim", "base_url": arguments.text("url")?, "features": {"page_size": PAGE}},
        "assigned_to": {"profiles": ["Staff"]},
        "mapping": mapping,
        "matching": matching(&scim_path),
        "operations": {"create": false, "update": false, "deactivate": false, "activate": false},
    });
    Ok(App::from_json(app.to_string().as_bytes())?)
}

fn engine(path: &Path, arguments: &Arguments) -> Result<Engine, Box<dyn Error>> {
    let engine = Engine::builder().path(path).open()?;
    engine.put_app(app(arguments)?, None)?;
    Ok(engine)
}

/// Makes a copy of `--from` in which the app's target is at `--url`. It is a call of its own, so that the memory in which
/// everybody is decided on anew is not that of a reconciliation.
pub(crate) fn point(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let path = Path::new(arguments.text("folder")?).join("engine.db");
    fs::copy(arguments.text("from")?, &path)?;
    engine(&path, arguments).map(drop)
}

/// Makes the file `--to`: the users of `--folder`, linked to the accounts at `--url`. Nothing where it is there.
pub(crate) fn prepare(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let to = PathBuf::from(arguments.text("to")?);
    if to.exists() {
        return Ok(());
    }
    let made = to.with_extension("making");
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", made.display()));
    }
    let engine = engine(&made, arguments)?;
    let users = fs::read(Path::new(arguments.text("folder")?).join("users.ndjson"))?;
    engine.put_users(&users, None)?;
    let found = engine.reconcile("crm", Some("bench"))?;
    let digest = found.digest.as_deref().ok_or("there is no plan")?;
    engine.commit(found.id.as_str(), digest, "bench")?;
    engine.run(&RunOptions::default())?;
    drop(engine);
    Ok(fs::rename(made, to)?)
}

/// How much is in a file that the reconciliation may have written.
fn rows(path: &Path) -> Result<Value, Box<dyn Error>> {
    let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let count = |table: &str| -> Result<i64, rusqlite::Error> {
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
    };
    Ok(json!({"staged_page": count("staged_page")?, "plan_item": count("plan_item")?, "account": count("account")?,
        "log": count("log")?, "request": count("request")?}))
}

/// How many seconds a bare SQLite file needs for what the reconciliation stored: its pages, one a commit, and its plan's items,
/// a thousand a commit. As in the engine, no commit waits for the disk.
fn storing(path: &Path, id: &str) -> Result<Value, Box<dyn Error>> {
    let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let read = |text: &str| -> Result<Vec<Vec<u8>>, rusqlite::Error> {
        file.prepare(text)?.query_map([id], |row| row.get(0))?.collect()
    };
    let pages = read("SELECT accounts FROM staged_page WHERE reconciliation_id = $1 ORDER BY number")?;
    let items = read("SELECT coalesce(details, x'') FROM plan_item WHERE reconciliation_id = $1 ORDER BY number")?;
    let bare = path.with_extension("bare");
    let mut file = Connection::open(&bare)?;
    file.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT NOT NULL, bytes BLOB NOT NULL);",
    )?;
    let mut write = |rows: &[Vec<u8>], batch: usize| {
        timed(|| {
            for rows in rows.chunks(batch) {
                let transaction = file.transaction()?;
                for row in rows {
                    let mut insert = transaction.prepare_cached("INSERT INTO rows (name, bytes) VALUES ($1, $2)")?;
                    insert.execute((id, row))?;
                }
                transaction.commit()?;
            }
            Ok(())
        })
    };
    let (pages_took, items_took) = (write(&pages, 1)?, write(&items, 1000)?);
    let bytes = |rows: &[Vec<u8>]| rows.iter().map(Vec::len).sum::<usize>();
    Ok(json!({"pages": {"rows": pages.len(), "bytes": bytes(&pages), "seconds": pages_took.as_secs_f64()},
        "items": {"rows": items.len(), "bytes": bytes(&items), "seconds": items_took.as_secs_f64()}}))
}

/// How long it took, and how much processor time, until everything was read and staged, and until the plan was there.
struct Watched {
    began: Instant,
    processor: f64,
    collected: Mutex<Option<Value>>,
}

impl Watched {
    fn new() -> Self {
        Self { began: Instant::now(), processor: processor_seconds(), collected: Mutex::new(None) }
    }

    fn so_far(&self) -> Value {
        json!({"seconds": self.began.elapsed().as_secs_f64(), "processor": processor_seconds() - self.processor})
    }

    /// Notes when the last page was staged.
    fn see(&self, shown: &Reconciliation) -> bool {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.state == State::Collected && collected.is_none() {
            *collected = Some(self.so_far());
        }
        true
    }
}

/// Reads the target that `point` was told of, compares it with what is in the file, and plans. Gives the time, the counts, and the
/// rows of the file before and after.
pub(crate) fn reconcile(arguments: &Arguments) -> Result<(Duration, usize, Value), Box<dyn Error>> {
    let path = Path::new(arguments.text("folder")?).join("engine.db");
    let engine = Engine::builder().path(&path).open()?;
    let before = rows(&path)?;
    let mut done: Option<Reconciliation> = None;
    let watched = Watched::new();
    let took = timed(|| {
        done = Some(engine.reconcile_watched("crm", Some("bench"), &|shown| watched.see(shown))?);
        Ok(())
    })?;
    let whole = watched.so_far();
    let collecting = watched.collected.into_inner().unwrap_or_else(PoisonError::into_inner);
    // What follows reads back what was stored, all at once.
    let peak = crate::peak_mib();
    let done = done.ok_or("it did not end")?;
    if done.digest.is_none() {
        return Err(format!("there is no plan: {:?} {:?}", done.state, done.faults).into());
    }
    let mut counts = serde_json::to_value(&done.counts)?;
    if let Value::Object(counts) = &mut counts {
        counts.retain(|_, count| *count != 0);
    }
    drop(engine);
    let told = json!({"counts": counts, "verdict": done.verdict, "items": done.items, "before": before,
        "after": rows(&path)?, "peak_mib": peak, "pages": done.pages, "collecting": collecting, "whole": whole, "storing": storing(&path, done.id.as_str())?});
    Ok((took, usize::try_from(done.collected)?, told))
}

/// Reads the pages at `--url` one after the other with a bare client and a structure written for these fields; keeps nothing.
pub(crate) fn bare_loop(arguments: &Arguments) -> Result<(Duration, usize, Value), Box<dyn Error>> {
    let url = arguments.text("url")?;
    let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
    let mut accounts = 0;
    let took = timed(|| {
        loop {
            let page = format!("{url}/Users?startIndex={}&count={PAGE}", accounts + 1);
            let body = agent.get(&page).call()?.body_mut().with_config().limit(1 << 30).read_to_vec()?;
            match by_hand(&body)? {
                0 => return Ok(()),
                count => accounts += count,
            }
        }
    })?;
    Ok((took, accounts, json!({"processor": processor_seconds()})))
}
