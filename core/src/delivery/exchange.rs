//! Where a run and its workers meet: calls that are to be made go one way, their answers the other, and whoever changed
//! something in the store says so, that the run need not look again and again.

use super::sync::{Condvar, Instant, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

/// How long answers are gathered at the most before they are stored.
const MOMENT: Duration = Duration::from_millis(10);

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
    /// Somebody who answered has nothing more to do.
    rests: bool,
    closed: bool,
    /// Something in the store changed since the run looked.
    news: bool,
}

impl<J, R> Exchange<J, R> {
    pub(crate) fn new() -> Self {
        let desk = Desk { jobs: VecDeque::new(), reports: Vec::new(), rests: false, closed: false, news: false };
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

    /// A worker's answer; there may be more to come soon, which are worth a moment.
    pub(crate) fn report(&self, report: R) {
        let mut desk = self.desk();
        desk.reports.push(report);
        if desk.reports.len() == 1 {
            self.told.notify_one();
        }
    }

    /// A worker has nothing more to do.
    pub(crate) fn rest(&self) {
        self.desk().rests = true;
        self.told.notify_one();
    }

    /// Says that something in the store changed. It is not lost where the run is not waiting now.
    pub(crate) fn announce(&self) {
        self.desk().news = true;
        self.told.notify_one();
    }

    /// Waits for answers until a worker has nothing more to do, no longer than `timeout`, and gives those that are there.
    pub(crate) fn reports(&self, timeout: Option<Duration>) -> Vec<R> {
        self.wait(timeout, |_| false)
    }

    /// As [`Exchange::reports`], but no longer than until there is news.
    pub(crate) fn reports_or_news(&self, timeout: Duration) -> Vec<R> {
        self.wait(Some(timeout), |desk| desk.news)
    }

    fn wait(&self, timeout: Option<Duration>, is_enough: impl Fn(&Desk<J, R>) -> bool) -> Vec<R> {
        let end = timeout.map(|timeout| Instant::now() + timeout);
        let mut soon = None;
        let mut desk = self.desk();
        while !desk.rests && !is_enough(&desk) {
            if !desk.reports.is_empty() && soon.is_none() {
                soon = Some(Instant::now() + MOMENT);
            }
            let Some(until) = [end, soon].into_iter().flatten().min() else {
                desk = self.told.wait(desk).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            desk = self.told.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Self::take(desk)
    }

    /// Whoever takes the answers looks at the store next, and sees what the news was about.
    fn take(mut desk: MutexGuard<'_, Desk<J, R>>) -> Vec<R> {
        (desk.news, desk.rests) = (false, false);
        std::mem::take(&mut desk.reports)
    }
}
