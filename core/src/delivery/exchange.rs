//! Where a run and its workers meet: calls that are to be made go one way, their answers the other, and whoever changed
//! something in the store says so, that the run need not look again and again.

use super::sync::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

/// Calls `J` on their way to workers, and answers `R` on their way back.
pub(crate) struct Exchange<J, R> {
    desk: Mutex<Desk<J, R>>,
    job_ready: Condvar,
    /// For the run: an answer is there, or news.
    told: Condvar,
}

struct Desk<J, R> {
    jobs: VecDeque<J>,
    reports: Vec<R>,
    closed: bool,
    /// Something in the store changed since the run looked.
    news: bool,
}

impl<J, R> Exchange<J, R> {
    pub(crate) fn new() -> Self {
        let desk = Desk { jobs: VecDeque::new(), reports: Vec::new(), closed: false, news: false };
        Self { desk: Mutex::new(desk), job_ready: Condvar::new(), told: Condvar::new() }
    }

    fn desk(&self) -> MutexGuard<'_, Desk<J, R>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets workers wait for calls.
    pub(crate) fn open(&self) {
        self.desk().closed = false;
    }

    /// Sends the workers home. What nobody has begun is dropped.
    pub(crate) fn close(&self) {
        let mut desk = self.desk();
        desk.closed = true;
        desk.jobs.clear();
        self.job_ready.notify_all();
    }

    /// Hands calls to the workers.
    pub(crate) fn hand_out(&self, jobs: Vec<J>) {
        let count = jobs.len();
        self.desk().jobs.extend(jobs);
        for _ in 0..count {
            self.job_ready.notify_one();
        }
    }

    /// The next call, for a worker, which waits for it; none once the exchange is closed.
    pub(crate) fn next_job(&self) -> Option<J> {
        let mut desk = self.desk();
        loop {
            if let Some(job) = desk.jobs.pop_front() {
                return Some(job);
            }
            if desk.closed {
                return None;
            }
            desk = self.job_ready.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A worker's answer.
    pub(crate) fn report(&self, report: R) {
        self.desk().reports.push(report);
        self.told.notify_one();
    }

    /// Says that something in the store changed. It is not lost where the run is not waiting now.
    pub(crate) fn announce(&self) {
        self.desk().news = true;
        self.told.notify_one();
    }

    /// Waits for answers, and gives all that are there.
    pub(crate) fn reports(&self) -> Vec<R> {
        let mut desk = self.desk();
        while desk.reports.is_empty() {
            desk = self.told.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
        Self::take(desk)
    }

    /// Waits for answers or news, no longer than `timeout`, and gives the answers that are there.
    pub(crate) fn reports_or_news(&self, timeout: Duration) -> Vec<R> {
        let mut desk = self.desk();
        if desk.reports.is_empty() && !desk.news {
            // Woken for nothing, the run looks once more than it had to.
            desk = self.told.wait_timeout(desk, timeout).unwrap_or_else(PoisonError::into_inner).0;
        }
        Self::take(desk)
    }

    /// Whoever takes the answers looks at the store next, and sees what the news was about.
    fn take(mut desk: MutexGuard<'_, Desk<J, R>>) -> Vec<R> {
        desk.news = false;
        std::mem::take(&mut desk.reports)
    }
}
