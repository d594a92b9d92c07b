//! How long a leaver keeps access while much else is to be done: 100 leavers among queued updates, at a target that takes 100 ms
//! for each call. `ROLLKEEPER_UPDATES` says how many updates there are; the published figures are of 10,000.
//!
//! The clock moves by what the calls take: with `c` calls at the same time, by 100 ms for every `c` of them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, and tells its figures")]

use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{App, Progress, RequestFilter, State};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Engine, Operation, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

const LEAVERS: usize = 100;
const CALL: i64 = 100_000;

fn updates() -> usize {
    std::env::var("ROLLKEEPER_UPDATES").ok().and_then(|updates| updates.parse().ok()).unwrap_or(200)
}

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

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.takes_time();
        self.target.read(external_id)
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.takes_time();
        self.target.create(attributes, key)
    }

    fn update(
        &self,
        id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        self.takes_time();
        self.target.update(id, changes, version)
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.takes_time();
        self.target.deactivate(external_id)
    }
}

fn user(number: usize, title: &str, active: bool) -> Value {
    json!({
        "id": format!("u{number}"), "username": format!("n{number}"), "title": title, "profile": "Employees",
        "active": active,
    })
}

/// The 50th, the 99th and the last of the times from the event to the confirmation, in seconds. All leave at once where `step` is
/// 0, otherwise one after every `step` updates.
fn times(concurrency: usize, step: usize) -> [f64; 3] {
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(7).open().unwrap();
    let (target, share) = (MockTarget::new(), Arc::new(AtomicI64::new(0)));
    let slow = Slow { target: target.clone(), clock: clock.clone(), share: Arc::clone(&share) };
    engine.register_connector("slow", Arc::new(slow)).unwrap();
    let app = json!({
        "id": "crm", "connector": {"kind": "custom", "name": "slow"}, "assigned_to": {"profiles": ["Employees"]},
        "create_without_match": true, "rate": {"concurrency": concurrency}, "mapping": [
            {"target": "userName", "source": "username", "required": true}, {"target": "title", "source": "title"},
        ],
    });
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    let count = updates() + LEAVERS;
    let put = |title: &str| {
        let records: Vec<Value> = (0..count).map(|number| user(number, title, true)).collect();
        engine.put_users(json!(records).to_string().as_bytes(), None).unwrap();
    };
    put("before");
    engine.run(&RunOptions { workers: 8, ..RunOptions::default() }).unwrap();
    assert_eq!(target.accounts().len(), count);

    put("after");
    share.store(CALL / i64::try_from(concurrency).unwrap(), Ordering::SeqCst);
    let left = AtomicUsize::new(0);
    let leaving = engine.clone();
    let leave = move |progress: &Progress| {
        let done = usize::try_from(progress.completed).unwrap();
        let together = if done >= count / 10 { LEAVERS } else { 0 };
        let wanted = done.checked_div(step).map_or(together, |wanted| wanted.min(LEAVERS));
        while left.load(Ordering::SeqCst) < wanted {
            // The last ones leave, whose updates are still waiting.
            let number = count - 1 - left.fetch_add(1, Ordering::SeqCst);
            let record = user(number, "after", false);
            leaving.put_users(json!([record]).to_string().as_bytes(), None).unwrap();
        }
        true
    };
    let options = RunOptions { workers: concurrency, progress: Some(Arc::new(leave)), ..RunOptions::default() };
    engine.run(&options).unwrap();

    let filter = RequestFilter { operation: Some(Operation::Deactivate), ..RequestFilter::default() };
    let requests = engine.requests(&filter).unwrap();
    assert_eq!(requests.len(), LEAVERS);
    let mut times: Vec<f64> = Vec::new();
    for request in requests {
        assert_eq!((request.state, request.verified), (State::Completed, Some(true)), "{request:?}");
        let taken = request.finished_at.unwrap().since(request.created_at);
        times.push(taken.to_std().as_secs_f64());
    }
    assert_eq!(target.accounts().iter().filter(|account| account.active).count(), count - LEAVERS);
    times.sort_by(f64::total_cmp);
    assert!(clock.now() > Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    [times[LEAVERS / 2], times[LEAVERS - 2], times[LEAVERS - 1]]
}

#[test]
fn who_leaves_one_after_the_other_is_out_within_ten_seconds() {
    for concurrency in [1, 4, 8] {
        let [half, most, last] = times(concurrency, updates() / LEAVERS / 2);
        println!("spread, {concurrency} at once: median {half:.2} s, 99 % {most:.2} s, last {last:.2} s");
        assert!(most <= 10.0, "99 % within {most} s with {concurrency} calls at once");
    }
}

/// A removal is two calls, since it is read back: one after the other, a hundred of them take 20 seconds and no less.
#[test]
fn a_hundred_who_leave_at_once_go_before_everything_else() {
    for concurrency in [1, 4, 8] {
        let [half, most, last] = times(concurrency, 0);
        println!("at once, {concurrency} at once: median {half:.2} s, 99 % {most:.2} s, last {last:.2} s");
        let least = 2.0 * 0.1 * 100.0 / f64::from(u32::try_from(concurrency).unwrap());
        assert!(last <= least + 1.0, "the last after {last} s with {concurrency} calls at once; {least} s are needed");
        assert!(concurrency == 1 || most <= 10.0, "99 % within {most} s with {concurrency} calls at once");
    }
}
