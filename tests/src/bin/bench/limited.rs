//! What users feel at a target that limits how often it is asked: Slack's limits, 180 changes of users a minute and 20 of them
//! together (<https://docs.slack.dev/reference/scim-api/rate-limits>). The clock moves only by what calls take, 100 ms each, and
//! by waiting, so that eleven minutes pass in a moment.

#![expect(clippy::indexing_slicing, reason = "a benchmark reads and writes its own documents")]

use crate::{Arguments, workload};
use rollkeeper::model::App;
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Engine, Period, RunOptions, Timestamp};
use rollkeeper_tests::stub::{Options, Pace, Stub};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

const PER_MINUTE: u32 = 180;
const BURST: u32 = 20;
const CALL: i64 = 100_000;
const CALLS: i64 = 4;
const PAGE: usize = 100;
/// The longest wait of the script.
const LONGEST: u32 = 60;

/// Slack as a stub, on a clock that moves by `call` microseconds with every request.
fn slack(clock: &VirtualClock, call: i64) -> Result<Stub, Box<dyn Error>> {
    let clock = clock.clone();
    let now = move || {
        clock.advance(Period::from_micros(call));
        clock.now().as_micros()
    };
    let pace = Pace { per_minute: PER_MINUTE.into(), burst: BURST.into(), now: Box::new(now) };
    Ok(Stub::start_paced(Options::default(), pace)?)
}

fn counted(stub: &Stub, names: &[&str]) -> f64 {
    let stats = stub.stats();
    names.iter().filter_map(|name| stats[*name].as_f64()).sum()
}

/// All that the stub was asked: what it refused is in none of its other counters.
fn asked(stub: &Stub) -> f64 {
    counted(stub, &["create", "find", "list", "read", "update", "delete", "other", "refused"])
}

/// Which share of what the limit allowed in this time was done, and which share of the requests was refused, both in percent.
fn shares(n: f64, took: Period, stub: &Stub, requests: f64) -> (f64, f64) {
    let allowed = f64::from(BURST) + took.to_std().as_secs_f64() * f64::from(PER_MINUTE) / 60.0;
    (100.0 * n / allowed, 100.0 * counted(stub, &["refused"]) / requests)
}

/// Delivers everything; where nothing is due yet, the clock is moved to where something is.
fn deliver(engine: &Engine, clock: &VirtualClock) -> Result<(), Box<dyn Error>> {
    loop {
        let told = engine.run(&RunOptions { workers: usize::try_from(CALLS)?, ..RunOptions::default() })?;
        match told.next_due {
            _ if told.open == 0 => return Ok(()),
            Some(due) => clock.advance(due.since(clock.now()).max(Period::from_micros(1))),
            None => return Err(format!("{} requests are open and none will be due", told.open).into()),
        }
    }
}

/// `n` people are made, changed, put again as they are, and listed. What each of it asked of the target, per person; of the listing,
/// per page that is needed and one more.
pub(crate) fn engine(n: usize, arguments: &Arguments) -> Result<(Duration, Value), Box<dyn Error>> {
    let start = Timestamp::parse("2026-01-01T00:00:00Z")?;
    let clock = VirtualClock::new(start);
    let stub = slack(&clock, CALL / CALLS)?;
    let path = std::path::Path::new(arguments.text("folder")?).join("engine.db");
    let engine = Engine::builder().path(path).clock(Arc::new(clock.clone())).seed(7).open()?;
    let connector = json!({"kind": "scim", "base_url": stub.base_url(), "features": {"page_size": PAGE}});
    let mut app = workload::app(&connector, 4);
    app["rate"]["per_second"] = (f64::from(PER_MINUTE) / 60.0).into();
    app["rate"]["burst"] = BURST.into();
    engine.put_app(App::from_json(app.to_string().as_bytes())?, None)?;
    let people = f64::from(u32::try_from(n)?);
    let put = |family: &str| -> Result<f64, Box<dyn Error>> {
        let before = asked(&stub);
        let records: Vec<Value> = (0..n)
            .map(|number| {
                let mut record = workload::record(number);
                record["lastName"] = format!("{family}{number}").into();
                record
            })
            .collect();
        engine.put_users(json!(records).to_string().as_bytes(), None)?;
        deliver(&engine, &clock)?;
        Ok((asked(&stub) - before) / people)
    };
    let create = put("Family")?;
    let took = clock.now().since(start);
    let (share, refused) = shares(people, took, &stub, asked(&stub));
    let made = stub.stats();
    let (update, same) = (put("Other")?, put("Other")?);
    let before = asked(&stub);
    engine.reconcile("crm", None)?;
    let pages = f64::from(u32::try_from(n.div_ceil(PAGE))?) + 1.0;
    let listing = (asked(&stub) - before) / pages;
    let told = json!({"share": share, "refused": refused, "create": create, "update": update, "same": same,
        "listing": listing, "made": made, "all": stub.stats()});
    if stub.stats()["users"] != n { Err("not everybody was made".into()) } else { Ok((took.to_std(), told)) }
}

/// The same creates by a script that sends one after the other and, where it is refused, waits a second, then two, four and so on.
pub(crate) fn script(n: usize) -> Result<(Duration, Value), Box<dyn Error>> {
    let start = Timestamp::parse("2026-01-01T00:00:00Z")?;
    let clock = VirtualClock::new(start);
    let stub = slack(&clock, CALL)?;
    let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
    let url = format!("{}/Users", stub.base_url());
    for number in 0..n {
        let body = workload::resource(number).to_string();
        let mut wait = 1;
        loop {
            let mut answer = agent.post(&url).header("Content-Type", "application/scim+json").send(&body)?;
            answer.body_mut().read_to_vec()?;
            if answer.status().as_u16() != 429 {
                break;
            }
            clock.advance(Period::from_seconds(wait));
            wait = LONGEST.min(2 * wait);
        }
    }
    let people = f64::from(u32::try_from(n)?);
    let took = clock.now().since(start);
    let (share, refused) = shares(people, took, &stub, asked(&stub));
    let told = json!({"share": share, "refused": refused, "create": asked(&stub) / people});
    Ok((took.to_std(), told))
}
