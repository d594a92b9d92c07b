//! The run: one thread keeps the store and hands calls to workers. Outcomes that have come in and the next claims share one
//! transaction, which is one commit to the disk.

use super::claim::claim;
use super::gates::Health;
use super::settle::settle;
use super::{Gates, Job, Report, perform};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApps, begin_and_end};
use crate::model::{LogEntry, Progress, State, Step};
use crate::store::{Store, Tx};
use crate::time::{Clock, Period, Timestamp};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many users' validity is looked at in one transaction.
const VALIDITY_BATCH: u32 = 200;

/// How long a run waits for work before it looks at the clock again.
const NAP: Duration = Duration::from_millis(50);

/// What a run needs of the engine.
pub(crate) trait Host: Sync {
    /// The store, for one transaction.
    fn store(&self) -> MutexGuard<'_, Store>;
    /// Every app in use now.
    fn apps(&self) -> LiveApps;
    /// What is known about targets.
    fn state(&self) -> &RunState;
    /// The clock.
    fn clock(&self) -> &dyn Clock;
    /// Whether an account is looked for before it is made again.
    fn looks_up(&self) -> bool;
    /// Tells what was logged.
    fn tell(&self, entries: Vec<LogEntry>);
    /// The credentials of an app were refused; they are had anew before the next call.
    fn forget_credentials(&self, app: &crate::id::AppId);
}

/// What runs of one engine share.
#[derive(Default)]
pub(crate) struct RunState {
    gates: Mutex<Gates>,
    turn: Mutex<usize>,
    cancelled: AtomicU64,
    pub(crate) active: Mutex<u32>,
    pub(crate) idle: Condvar,
}

impl RunState {
    /// Ends every run that is under way now.
    pub(crate) fn cancel(&self) {
        self.cancelled.fetch_add(1, Ordering::SeqCst);
    }

    /// What is known about targets.
    pub(crate) fn gates(&self) -> MutexGuard<'_, Gates> {
        lock(&self.gates)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Jobs on their way to workers, and reports on their way back.
#[derive(Default)]
struct Desk {
    jobs: VecDeque<Job>,
    reports: VecDeque<(Job, Report)>,
    closed: bool,
}

struct Exchange {
    desk: Mutex<Desk>,
    job_ready: Condvar,
    report_ready: Condvar,
}

/// Does everything that is due, with `workers` calls at the same time.
pub(crate) fn run(
    host: &dyn Host,
    workers: usize,
    timeout: Option<Period>,
    progress: Option<&(dyn Fn(&Progress) -> bool + Send + Sync)>,
) -> Result<Progress, Fault> {
    let exchange =
        Exchange { desk: Mutex::new(Desk::default()), job_ready: Condvar::new(), report_ready: Condvar::new() };
    std::thread::scope(|scope| {
        if workers > 1 {
            for _ in 0..workers {
                scope.spawn(|| work(&exchange));
            }
        }
        let mut run = Run::new(host, workers, timeout, &exchange);
        let result = run.drive(progress);
        lock(&exchange.desk).closed = true;
        exchange.job_ready.notify_all();
        result
    })
}

/// Does one unit of work.
pub(crate) fn step(host: &dyn Host) -> Result<Step, Fault> {
    let exchange =
        Exchange { desk: Mutex::new(Desk::default()), job_ready: Condvar::new(), report_ready: Condvar::new() };
    let mut run = Run::new(host, 1, None, &exchange);
    let worked = run.turn(Vec::new())?;
    run.progress.stopped = true;
    let reports = run.perform_own();
    run.turn(reports)?;
    Ok(Step { worked, next_due: next_due(host)? })
}

/// A worker: takes a job, makes the call, puts the report back.
fn work(exchange: &Exchange) {
    loop {
        let mut desk = lock(&exchange.desk);
        let job = loop {
            if let Some(job) = desk.jobs.pop_front() {
                break job;
            }
            if desk.closed {
                return;
            }
            desk = exchange.job_ready.wait(desk).unwrap_or_else(PoisonError::into_inner);
        };
        drop(desk);
        let report = call(&job);
        lock(&exchange.desk).reports.push_back((job, report));
        exchange.report_ready.notify_one();
    }
}

fn call(job: &Job) -> Report {
    match &job.app.connector {
        Some(connector) => perform(connector.as_ref(), &job.app.definition.matching, &job.work, job.send_by),
        None => Report::Failed(crate::connector::ConnectorError::new(
            crate::connector::Outcome::NotApplied,
            Code::UnknownConnector.name(),
            "no connector is registered under this name",
        )),
    }
}

struct Run<'a> {
    host: &'a dyn Host,
    workers: usize,
    deadline: Option<Instant>,
    exchange: &'a Exchange,
    epoch: u64,
    in_flight: usize,
    progress: Progress,
    own: Vec<Job>,
}

impl<'a> Run<'a> {
    fn new(host: &'a dyn Host, workers: usize, timeout: Option<Period>, exchange: &'a Exchange) -> Self {
        Self {
            host,
            workers: workers.clamp(1, 256),
            deadline: timeout.map(|timeout| Instant::now() + timeout.to_std()),
            exchange,
            epoch: host.state().cancelled.load(Ordering::SeqCst),
            in_flight: 0,
            progress: Progress::default(),
            own: Vec::new(),
        }
    }

    fn drive(&mut self, progress: Option<&(dyn Fn(&Progress) -> bool + Send + Sync)>) -> Result<Progress, Fault> {
        let mut reports = Vec::new();
        loop {
            self.progress.stopped = self.stopped();
            let worked = self.turn(std::mem::take(&mut reports))?;
            if progress.is_some_and(|progress| !progress(&self.progress)) {
                self.host.state().cancel();
            }
            if self.in_flight > 0 {
                reports = if self.workers == 1 { self.perform_own() } else { self.wait_for_reports() };
            } else if self.progress.stopped || (!worked && !self.wait_for_work()?) {
                break;
            }
        }
        self.progress.open = self.read(|tx| tx.open_count())?;
        self.progress.next_due = next_due(self.host)?;
        Ok(self.progress.clone())
    }

    fn stopped(&self) -> bool {
        let cancelled = self.host.state().cancelled.load(Ordering::SeqCst) != self.epoch;
        cancelled || self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }

    fn read<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.host.store().read(self.host.clock().now(), work)
    }

    /// One transaction: stores reports, lets validity begin and end, claims what is due. Whether there was anything to do.
    fn turn(&mut self, reports: Vec<(Job, Report)>) -> Result<bool, Fault> {
        let apps = self.host.apps();
        let now = self.host.clock().now();
        let mut worked = !reports.is_empty();
        let settled = reports.len() as u64;
        let room = if self.progress.stopped { 0 } else { self.capacity().saturating_sub(self.in_flight) };
        let pauses = self.note_health(&reports, now);
        let state = self.host.state();
        let (mut turn, look_up) = (*lock(&state.turn), self.host.looks_up());
        let ((jobs, done, validity, ends), entries) = self.host.store().write(now, |tx| {
            for pause in pauses {
                tx.log(pause)?;
            }
            let mut ends = Vec::with_capacity(reports.len());
            for (job, report) in reports {
                let id = job.row.request.id.clone();
                settle(tx, job, report)?;
                ends.extend(tx.request(id.as_str())?.map(|row| row.request.state));
            }
            if room == 0 {
                return Ok((Vec::new(), 0, 0, ends));
            }
            let validity = begin_and_end(tx, &apps, VALIDITY_BATCH)?;
            let (jobs, done) = claim(tx, &apps, &mut state.gates(), &mut turn, room, look_up)?;
            Ok((jobs, done, validity, ends))
        })?;
        *lock(&state.turn) = turn;
        worked |= done > 0 || validity > 0;
        self.progress.done += settled + done + validity as u64;
        self.progress.completed += ends.iter().filter(|state| **state == State::Completed).count() as u64;
        self.progress.failed += ends.iter().filter(|state| **state == State::Failed).count() as u64;
        self.in_flight += jobs.len();
        self.host.tell(entries);
        self.hand_out(jobs);
        Ok(worked)
    }

    fn capacity(&self) -> usize {
        if self.workers == 1 { 1 } else { self.workers * 2 }
    }

    /// Learns from reports how targets are; gives log events of breakers that opened.
    fn note_health(&self, reports: &[(Job, Report)], now: Timestamp) -> Vec<crate::store::LogEvent<'static>> {
        let mut events = Vec::new();
        for (job, report) in reports {
            let health = match report {
                Report::Failed(error) => Health::of(error),
                _ => Health::Good,
            };
            let app = &job.app.definition.app.id;
            if matches!(health, Health::Unauthorized) {
                self.host.forget_credentials(app);
            }
            if let Some(until) = self.host.state().gates().end(app, &health, now) {
                let details = serde_json::json!({"app": app, "until": until});
                events.push(crate::store::LogEvent::new("paused", details));
            }
        }
        events
    }

    fn hand_out(&mut self, jobs: Vec<Job>) {
        if self.workers == 1 {
            self.own = jobs;
            return;
        }
        let count = jobs.len();
        lock(&self.exchange.desk).jobs.extend(jobs);
        for _ in 0..count {
            self.exchange.job_ready.notify_one();
        }
    }

    /// With one worker the calls are made on the caller's thread, one after the other.
    fn perform_own(&mut self) -> Vec<(Job, Report)> {
        let jobs = std::mem::take(&mut self.own);
        self.in_flight -= jobs.len();
        jobs.into_iter()
            .map(|job| {
                let report = call(&job);
                (job, report)
            })
            .collect()
    }

    fn wait_for_reports(&mut self) -> Vec<(Job, Report)> {
        let mut desk = lock(&self.exchange.desk);
        while desk.reports.is_empty() {
            desk = self.exchange.report_ready.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
        let reports: Vec<_> = desk.reports.drain(..).collect();
        self.in_flight -= reports.len();
        reports
    }

    /// Waits until something is due, where the run may wait at all. False = there is nothing to wait for.
    fn wait_for_work(&self) -> Result<bool, Fault> {
        if self.deadline.is_none() {
            return Ok(false);
        }
        loop {
            if self.stopped() {
                return Ok(false);
            }
            match next_due(self.host)? {
                None => return Ok(false),
                Some(due) if due <= self.host.clock().now() => return Ok(true),
                Some(_) => std::thread::sleep(NAP),
            }
        }
    }
}

/// When something is due next.
pub(crate) fn next_due(host: &dyn Host) -> Result<Option<Timestamp>, Fault> {
    let apps = host.apps();
    let now = host.clock().now();
    let gates = host.state().gates();
    let mut store = host.store();
    store.read(now, |tx| {
        let mut next = tx.next_user_change()?;
        for app in apps.values().filter(|app| app.connector.is_some()) {
            let id = &app.definition.app.id;
            let due = tx.next_due(id)?.map(|due| due.max(gates.opens_at(id)));
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next)
    })
}
