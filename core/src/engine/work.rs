//! The verbs that do what is due.

use super::{Engine, Error, Result, RunOptions};
use crate::delivery::{self, Host, lock};
use crate::fault::{Code, Fault};
use crate::model::{Progress, Step};
use std::path::Path;

/// Counts a run as long as it lives.
pub(super) struct Active<'a>(&'a delivery::RunState);

impl<'a> Active<'a> {
    pub(super) fn new(state: &'a delivery::RunState) -> Self {
        *lock(&state.active) += 1;
        Self(state)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        *lock(&self.0.active) -= 1;
        self.0.idle.notify_all();
    }
}

impl Engine {
    /// Does everything that is due, and returns when nothing is due now; with a timeout it also waits for what becomes due
    /// until then. May be called from several threads, and by several processes on one file.
    ///
    /// # Errors
    /// Store errors. What a target does is never an error here: it is in the requests.
    pub fn run(&self, options: &RunOptions) -> Result<Progress> {
        self.writable("run")?;
        let _active = Active::new(&self.shared.run);
        let host = self.shared.as_ref();
        delivery::run(host, options.workers.max(1), options.timeout, options.progress.as_deref())
            .map_err(|fault| Error::new("run", fault))
    }

    /// Does one unit of work on the caller's thread, and says when something is due next.
    ///
    /// # Errors
    /// Store errors.
    pub fn step(&self) -> Result<Step> {
        self.writable("step")?;
        let _active = Active::new(&self.shared.run);
        delivery::step(self.shared.as_ref()).map_err(|fault| Error::new("step", fault))
    }

    /// Ends every run that is under way, after the calls that are being made. From any thread.
    pub fn cancel_run(&self) {
        self.shared.run.cancel();
    }

    /// Ends every run and waits until the last has returned.
    pub fn stop(&self) {
        self.cancel_run();
        let mut active = lock(&self.shared.run.active);
        while *active > 0 {
            active = self.shared.run.idle.wait(active).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Writes a consistent copy of the database to a file that does not exist yet; work may go on meanwhile.
    ///
    /// # Errors
    /// `store_unwritable` where the file exists or cannot be written, `store_full`.
    pub fn backup(&self, path: &Path) -> Result<()> {
        self.shared.store().backup(path).map_err(|fault| Error::new("backup", fault))
    }

    pub(super) fn writable(&self, operation: &'static str) -> Result<()> {
        if self.shared.read_only {
            let fault = Fault::new(Code::ReadOnly, "the engine was opened for reading only");
            return Err(Error::new(operation, fault));
        }
        Ok(())
    }
}
