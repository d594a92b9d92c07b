//! How long somebody who leaves keeps access while ten thousand updates are to be made. The clock moves only by what calls take:
//! 100 ms each, so that with `c` of them at the same time each moves it by the `c`th part.

use crate::Arguments;
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{App, Progress, RequestFilter, State};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::value::Attributes;
use rollkeeper::{Engine, Operation, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

const LEAVERS: usize = 100;
const CALL: i64 = 100_000;

/// A target whose calls take their time on the clock.
struct Slow {
    target: MockTarget,
    clock: VirtualClock,
    /// How far the clock moves with each call.
    share: Arc<AtomicI64>,
}

impl Slow {
    fn takes_time(&self) {
        self.clock.advance(Period::from_micros(self.share.load(Ordering::SeqCst)));
    }
}

impl Connector for Slow {
    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    fn read(&self, id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.takes_time();
        self.target.read(id)
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.takes_time();
        self.target.create(attributes, key)
    }

    fn update(&self, id: &str, to: &[Change], version: Option<&str>) -> Result<Option<TargetAccount>, ConnectorError> {
        self.takes_time();
        self.target.update(id, to, version)
    }

    fn deactivate(&self, id: &str) -> Result<(), ConnectorError> {
        self.takes_time();
        self.target.deactivate(id)
    }
}

fn record(number: usize, title: &str, active: bool) -> Value {
    let (id, username) = (format!("u{number}"), format!("n{number}"));
    json!({"id": id, "username": username, "title": title, "profile": "Employees", "active": active})
}

/// The time within which 99 of 100 leavers are confirmed to be out, `--n` updates waiting and `--threads` calls at the same time:
/// one leaves after the other during the first half of the updates, or with `--together 1` all in the same moment.
pub(crate) fn confirmed(n: usize, arguments: &Arguments) -> Result<(Duration, Value), Box<dyn Error>> {
    let (calls, together) = (arguments.number("threads", 4)?.max(1), arguments.number("together", 0)? > 0);
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z")?);
    let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(7).open()?;
    let share = Arc::new(AtomicI64::new(0));
    let slow = Slow { target: MockTarget::new(), clock, share: Arc::clone(&share) };
    engine.register_connector("slow", Arc::new(slow))?;
    let app = json!({
        "id": "crm", "connector": {"kind": "custom", "name": "slow"}, "assigned_to": {"profiles": ["Employees"]},
        "create_without_match": true, "rate": {"concurrency": calls}, "mapping": [
            {"target": "userName", "source": "username", "required": true}, {"target": "title", "source": "title"},
        ],
    });
    engine.put_app(App::from_json(app.to_string().as_bytes())?, None)?;
    let count = n + LEAVERS;
    for title in ["before", "after"] {
        engine.run(&RunOptions { workers: calls, ..RunOptions::default() })?;
        let records: Vec<Value> = (0..count).map(|number| record(number, title, true)).collect();
        engine.put_users(json!(records).to_string().as_bytes(), None)?;
    }
    share.store(CALL / i64::try_from(calls)?, Ordering::SeqCst);
    let (leaving, left) = (engine.clone(), AtomicUsize::new(0));
    let leave = move |progress: &Progress| {
        let done = usize::try_from(progress.completed).unwrap_or(usize::MAX);
        let spread = (done / (n / LEAVERS / 2).max(1)).min(LEAVERS);
        let wanted = if !together {
            spread
        } else if done >= n / 10 {
            LEAVERS
        } else {
            0
        };
        while left.load(Ordering::SeqCst) < wanted {
            // The last ones leave, whose updates are still waiting.
            let number = count - 1 - left.fetch_add(1, Ordering::SeqCst);
            // A leaver who is not taken in is missed when they are counted.
            let _ = leaving.put_users(json!([record(number, "after", false)]).to_string().as_bytes(), None);
        }
        true
    };
    engine.run(&RunOptions { workers: calls, progress: Some(Arc::new(leave)), ..RunOptions::default() })?;
    let removals = RequestFilter { operation: Some(Operation::Deactivate), ..RequestFilter::default() };
    let requests = engine.requests(&removals)?;
    let confirmed =
        requests.iter().filter(|request| request.state == State::Completed && request.verified == Some(true));
    let mut times: Vec<Duration> =
        confirmed.filter_map(|request| Some(request.finished_at?.since(request.created_at).to_std())).collect();
    times.sort();
    let (Some(most), Some(last), LEAVERS) = (times.get(LEAVERS - 2), times.last(), times.len()) else {
        return Err(format!("{} of {LEAVERS} leavers are confirmed to be out", times.len()).into());
    };
    Ok((*most, json!({"last": last.as_secs_f64()})))
}
