//! The verbs that do what is due.

use super::{Engine, Error, Result, RunOptions};
use crate::delivery::{self, Active, Bounds, Host};
use crate::fault::{Code, Fault};
use crate::model::{Progress, Step};
use crate::reconcile;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What was done before and what is done now, together.
fn sum(before: &Progress, now: &Progress) -> Progress {
    Progress {
        done: before.done + now.done,
        completed: before.completed + now.completed,
        failed: before.failed + now.failed,
        ..now.clone()
    }
}

impl Engine {
    /// Does everything that is due, and returns when nothing is due now; with a timeout it also waits for what becomes due
    /// until then. Reconciliations that are due by the clock are done as well, on the caller's thread. May be called from
    /// several threads, and by several processes on one file.
    ///
    /// # Errors
    /// Store errors. What a target does is never an error here: it is in the requests.
    pub fn run(&self, options: &RunOptions) -> Result<Progress> {
        self.writable("run")?;
        let active = Active::new(&self.shared.run);
        self.run_all(options, &active).map_err(|fault| Error::new("run", fault))
    }

    /// Deliveries and reconciliations in turn, until there is neither.
    fn run_all(&self, options: &RunOptions, active: &Active<'_>) -> std::result::Result<Progress, Fault> {
        let host = self.shared.as_ref();
        let epoch = self.shared.run.epoch();
        let deadline = options.timeout.map(|timeout| Instant::now() + timeout.to_std());
        let mut before = Progress::default();
        self.tell_of_ends()?;
        reconcile::carry_on(host)?;
        self.go_on_with_leavers()?;
        loop {
            // What is due now is delivered first; what waits is waited for only where no reconciliation is due earlier.
            let until = reconcile::next_due(host)?;
            let bounds = Bounds { workers: options.workers, deadline, until };
            let told = options.progress.as_deref();
            let stopped = AtomicBool::new(false);
            let watch = |now: &Progress| {
                let goes_on = told.is_none_or(|told| told(&sum(&before, now)));
                stopped.fetch_or(!goes_on, Ordering::SeqCst);
                goes_on
            };
            let watch = told.is_some().then_some(&watch as _);
            let progress = delivery::run(host, &active.hall, bounds, watch)?;
            before = sum(&before, &progress);
            let ended = stopped.into_inner() || self.shared.run.epoch() != epoch;
            let over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let worked = !ended && !over && reconcile::reconcile_due(host)?;
            before.done += u64::from(worked);
            if worked {
                continue;
            }
            let ended = ended || self.shared.run.epoch() != epoch;
            let due = reconcile::next_due(host)?;
            before.next_due = [before.next_due, due].into_iter().flatten().min();
            before.stopped = ended || over;
            match deadline {
                Some(_) if !ended && !over && before.next_due.is_some() => active.pause(),
                _ => return Ok(before),
            }
        }
    }

    /// Does one unit of work on the caller's thread, and says when something is due next. A reconciliation that is due by
    /// the clock is one unit, and done where nothing is to be delivered.
    ///
    /// # Errors
    /// Store errors.
    pub fn step(&self) -> Result<Step> {
        self.writable("step")?;
        let _active = Active::new(&self.shared.run);
        let host = self.shared.as_ref();
        let step = || {
            let mut step = delivery::step(host)?;
            if !step.worked {
                step.worked = reconcile::reconcile_due(host)?;
            }
            step.next_due = [step.next_due, reconcile::next_due(host)?].into_iter().flatten().min();
            Ok(step)
        };
        step().map_err(|fault| Error::new("step", fault))
    }

    /// Ends every run that is under way, after the calls that are being made. From any thread.
    pub fn cancel_run(&self) {
        self.shared.run.cancel();
    }

    /// Ends every run and waits until the last has returned. In a child that was forked there is none.
    pub fn stop(&self) {
        self.cancel_run();
        if !self.shared.owner.is_gone() {
            self.shared.run.wait_until_idle();
        }
    }

    /// Writes a consistent copy of the database to a file that does not exist yet; work may go on meanwhile.
    ///
    /// # Errors
    /// `store_unwritable` where the file exists or cannot be written, `store_full`.
    pub fn backup(&self, path: &Path) -> Result<()> {
        self.shared.store().and_then(|mut store| store.backup(path)).map_err(|fault| Error::new("backup", fault))
    }

    pub(super) fn writable(&self, operation: &'static str) -> Result<()> {
        self.shared.owner.check().map_err(|fault| Error::new(operation, fault))?;
        if self.shared.read_only {
            let fault = Fault::new(Code::ReadOnly, "the engine was opened for reading only");
            return Err(Error::new(operation, fault));
        }
        Ok(())
    }
}
