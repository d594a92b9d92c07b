//! A worker makes the calls of a batch one after the other. A batch is what was claimed together for one worker: at a target
//! that answers fast many calls share the commit of their intents, and still only one of them is on its way. What need not
//! be begun any more is given back.

use super::Job;
use super::exchange::Exchange;
use super::perform::{Deadline, Report, perform};
use super::run::{Host, lock};
use crate::connector::{ConnectorError, Outcome};
use crate::fault::Code;
use crate::id::AppId;
use crate::pacing::{Health, LONGEST};
use crate::time::{Clock, Period, Timestamp};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// How a run and its workers meet.
pub(crate) type Hall = Exchange<Arc<Batch>, Answered>;

/// Calls to one app that one worker makes one after the other.
pub(crate) struct Batch {
    pub(super) app: AppId,
    /// When it was claimed.
    pub(super) began: Timestamp,
    /// How often everything had been called back by then.
    recalls: u64,
    handed_out: Instant,
    left: Mutex<VecDeque<Job>>,
}

/// What came of one call of a batch.
pub(crate) struct Answered {
    pub(super) batch: Arc<Batch>,
    pub(super) job: Job,
    pub(super) report: Report,
    /// How long the call took, where there was one.
    pub(super) took: Option<Period>,
}

impl Batch {
    pub(super) fn new(app: AppId, jobs: Vec<Job>, began: Timestamp, recalls: u64) -> Self {
        Self { app, began, recalls, handed_out: Instant::now(), left: Mutex::new(jobs.into()) }
    }

    /// Whether some of its calls were not begun.
    pub(super) fn has_left(&self) -> bool {
        !lock(&self.left).is_empty()
    }

    /// Whether they were not begun for so long that the call before them must hang.
    pub(super) fn hangs(&self) -> bool {
        self.handed_out.elapsed() >= LONGEST.to_std() && self.has_left()
    }

    /// Gives back what was not begun.
    pub(super) fn take_back(self: &Arc<Self>) -> Vec<Answered> {
        let left: Vec<Job> = lock(&self.left).drain(..).collect();
        left.into_iter().map(|job| self.answered(job, Report::NotBegun, None)).collect()
    }

    fn answered(self: &Arc<Self>, job: Job, report: Report, took: Option<Period>) -> Answered {
        Answered { batch: Arc::clone(self), job, report, took }
    }

    /// Makes its calls, and tells what came of each. After one that did not go well, or that took long, and where everything
    /// is called back, the rest is not begun: it may be kept back by now.
    pub(super) fn perform(self: &Arc<Self>, host: &dyn Host, mut tell: impl FnMut(Answered)) {
        let (clock, state) = (host.clock(), host.state());
        let begun = clock.moment();
        while state.recalls() == self.recalls {
            let Some(job) = lock(&self.left).pop_front() else { return };
            let sent = clock.moment();
            let report = call(clock, &job);
            let ended = clock.moment();
            let goes_on = report.health() == Health::Good && ended.since(begun).is_some_and(|busy| busy < LONGEST);
            tell(self.answered(job, report, ended.since(sent)));
            if !goes_on {
                break;
            }
        }
        self.take_back().into_iter().for_each(tell);
    }
}

/// A worker: takes a batch, makes its calls, puts the answers back.
pub(super) fn work(host: &dyn Host, hall: &Hall) {
    while let Some(batch) = hall.next_job() {
        batch.perform(host, |answered| hall.report(answered));
        hall.rest();
    }
}

fn call(clock: &dyn Clock, job: &Job) -> Report {
    let deadline = Deadline { clock, send_by: job.send_by };
    if let Some(failed) = probe(clock, job) {
        return failed;
    }
    match &job.app.connector {
        Some(connector) => perform(connector.as_ref(), &job.app.definition.matching, &job.work, deadline),
        None => Report::Failed(ConnectorError::new(
            Outcome::NotApplied,
            Code::UnknownConnector.name(),
            "no connector is registered under this name",
        )),
    }
}

/// Tries a target that failed by a read, before anything is changed there. What takes access away is its own probe.
fn probe(clock: &dyn Clock, job: &Job) -> Option<Report> {
    if !job.probes || job.row.reduces_access() {
        return None;
    }
    let connector = job.app.connector.as_ref()?;
    // A connector that panics is asked by the call itself.
    let answer = catch_unwind(AssertUnwindSafe(|| connector.test())).ok()?;
    let Err(error) = answer else {
        let message = "the target took so long for a read that nothing was sent";
        let slow = || ConnectorError::new(Outcome::NotApplied, Code::Timeout.name(), message);
        return clock.moment().is_after(job.send_by).then(|| Report::NotBack(slow()));
    };
    let fails = !matches!(Health::of(&error), Health::Good | Health::Unknown);
    fails.then_some(Report::NotBack(ConnectorError { outcome: Outcome::NotApplied, ..error }))
}
