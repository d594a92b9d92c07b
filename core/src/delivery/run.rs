//! The run: one thread keeps the store and hands calls to workers. Outcomes that have come in and the next claims share one
//! transaction, which is one commit to the disk.

use super::claim::{Places, claim};
use super::clocks;
use super::gates::{Calls, Fairness};
use super::settle::settle_apart;
use super::worker::{Answered, Batch, Hall, work};
use super::{Gates, Job};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApps, begin_and_end};
use crate::model::{App, LogEntry, Progress, Step};
use crate::pacing::LONGEST;
use crate::protocol::Reference;
use crate::store::{Store, Tally, Tx};
use crate::time::{Clock, Period, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many users' validity is looked at in one transaction.
const VALIDITY_BATCH: u32 = 200;

/// How long a run that waits goes without looking at the store: for what other processes did, and for a clock that was set.
const LOOK: Duration = Duration::from_secs(1);

/// How long it waits at least after it looked and found nothing to do: somebody else is at what is due.
const NAP: Duration = Duration::from_millis(50);

/// How many due requests are counted, and how often, for who is told how a run goes.
const MOST_COUNTED: usize = 10_000;
const COUNT: Duration = Duration::from_secs(1);

/// How often a turn is begun again while another process holds the file, five seconds each.
const BUSY_TURNS: u32 = 12;

/// How many calls at the same time there are at the most.
const MOST_WORKERS: usize = 256;

/// What a run needs of the engine.
pub(crate) trait Host: Sync {
    /// The store, for one transaction. Nothing else is locked while it is held but the calls, after it.
    ///
    /// # Errors
    /// `forked` in a child of the process that opened it.
    fn store(&self) -> Result<MutexGuard<'_, Store>, Fault>;
    /// Every app in use now, and the revision of the definitions that this is.
    fn apps(&self) -> (LiveApps, u64);
    /// Reads the apps again where another engine changed them, and connects those that could not be before.
    fn refresh(&self) -> Result<(), Fault>;
    /// What runs share.
    fn state(&self) -> &RunState;
    /// The clock.
    fn clock(&self) -> &dyn Clock;
    /// Whether an account is looked for before it is made again.
    fn looks_up(&self) -> bool;
    /// Whether the verdict on a listing and the brake count.
    fn brakes(&self) -> bool;
    /// Tells what was logged.
    fn tell(&self, entries: Vec<LogEntry>);
    /// The credentials of an app were refused; they are had anew before the next call.
    fn forget_credentials(&self, app: &crate::id::AppId);
}

/// What runs of one engine share.
#[derive(Default)]
pub(crate) struct RunState {
    calls: Mutex<Calls>,
    turn: Mutex<usize>,
    /// What both clocks showed when they were looked at last.
    pub(super) clocks: Mutex<Option<Reference>>,
    cancelled: AtomicU64,
    recalled: AtomicU64,
    /// Plans that a dead process was carrying out.
    left: Mutex<Vec<RequestId>>,
    active: Mutex<Vec<Arc<Hall>>>,
    idle: Condvar,
}

impl RunState {
    /// Ends every run that is under way now.
    pub(crate) fn cancel(&self) {
        self.cancelled.fetch_add(1, Ordering::SeqCst);
        self.recall();
        self.announce();
    }

    /// Calls back what was claimed and not begun: it may have to be kept back by now.
    pub(crate) fn recall(&self) {
        self.recalled.fetch_add(1, Ordering::SeqCst);
    }

    /// How often everything was called back.
    pub(super) fn recalls(&self) -> u64 {
        self.recalled.load(Ordering::SeqCst)
    }

    /// Wakes the runs that wait: something in the store changed.
    pub(crate) fn announce(&self) {
        lock(&self.active).iter().for_each(|hall| hall.announce());
    }

    /// Waits until no run is active.
    pub(crate) fn wait_until_idle(&self) {
        let mut active = lock(&self.active);
        while !active.is_empty() {
            active = self.idle.wait(active).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How often runs were ended. Whoever began before the last time stops.
    pub(crate) fn epoch(&self) -> u64 {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Notes which plans a dead process was carrying out.
    pub(crate) fn leave(&self, plans: Vec<RequestId>) {
        *lock(&self.left) = plans;
    }

    /// The plans that a dead process was carrying out; who asks carries on.
    pub(crate) fn take_left(&self) -> Vec<RequestId> {
        std::mem::take(&mut *lock(&self.left))
    }

    /// Somebody works on this plan now.
    pub(crate) fn take_up(&self, plan: &RequestId) {
        lock(&self.left).retain(|left| left != plan);
    }

    /// The calls that are being made.
    pub(crate) fn calls(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a run as long as it lives, and lets it hear of what changes in the store.
pub(crate) struct Active<'a> {
    state: &'a RunState,
    pub(crate) hall: Arc<Hall>,
}

impl<'a> Active<'a> {
    pub(crate) fn new(state: &'a RunState) -> Self {
        let hall = Arc::new(Hall::new());
        lock(&state.active).push(Arc::clone(&hall));
        Self { state, hall }
    }

    /// Waits a moment where somebody else is at what is due.
    pub(crate) fn pause(&self) {
        self.hall.reports_or_news(NAP);
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        lock(&self.state.active).retain(|hall| !Arc::ptr_eq(hall, &self.hall));
        self.state.idle.notify_all();
    }
}

/// Sends the workers home, also where the run ends by a panic.
struct Closing<'a>(&'a Hall);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// How much a run does, and how long.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// So many calls at the same time.
    pub(crate) workers: usize,
    /// Until then what becomes due is waited for; without one, nothing is.
    pub(crate) deadline: Option<Instant>,
    /// A run that waits ends then, since its caller has something else to do.
    pub(crate) until: Option<Timestamp>,
}

/// Does everything that is due.
pub(crate) fn run(
    host: &dyn Host,
    hall: &Hall,
    bounds: Bounds,
    progress: Option<&ProgressFn<'_>>,
) -> Result<Progress, Fault> {
    let mut run = Run::new(host, bounds, hall);
    host.refresh()?;
    hall.open();
    std::thread::scope(|scope| {
        let _closing = Closing(hall);
        if run.workers > 1 {
            for _ in 0..run.workers {
                scope.spawn(|| work(host, hall));
            }
        }
        run.drive(progress)
    })
}

/// Does one unit of work.
pub(crate) fn step(host: &dyn Host) -> Result<Step, Fault> {
    let hall = Hall::new();
    let mut run = Run::new(host, Bounds { workers: 1, deadline: None, until: None }, &hall);
    run.by_steps = true;
    host.refresh()?;
    let worked = run.turn(&[])?;
    run.progress.stopped = true;
    let answers = run.perform_own();
    run.arrived(&answers);
    run.turn(&answers)?;
    Ok(Step { worked, next_due: next_due(host)? })
}

type ProgressFn<'p> = dyn Fn(&Progress) -> bool + Send + Sync + 'p;

/// A batch whose answers have not all come.
struct Out {
    batch: Arc<Batch>,
    /// So many have not.
    answers: usize,
    /// So many of these are of attempts.
    attempts: usize,
}

struct Run<'a> {
    host: &'a dyn Host,
    workers: usize,
    bounds: Bounds,
    hall: &'a Hall,
    epoch: u64,
    cancelled: bool,
    /// The batches that are out.
    in_flight: Vec<Out>,
    progress: Progress,
    counted_at: Option<Instant>,
    own: Vec<Arc<Batch>>,
    /// One call at a time, whatever the target.
    by_steps: bool,
}

/// The calls that are still out when a run fails are over as far as their targets are concerned.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        let mut calls = self.host.state().calls();
        for out in self.in_flight.drain(..) {
            calls.answered(&out.batch.app, out.attempts);
            calls.end(&out.batch.app, out.batch.began);
        }
    }
}

impl<'a> Run<'a> {
    fn new(host: &'a dyn Host, bounds: Bounds, hall: &'a Hall) -> Self {
        Self {
            host,
            workers: bounds.workers.clamp(1, MOST_WORKERS),
            bounds,
            hall,
            epoch: host.state().cancelled.load(Ordering::SeqCst),
            cancelled: false,
            in_flight: Vec::new(),
            progress: Progress::default(),
            counted_at: None,
            own: Vec::new(),
            by_steps: false,
        }
    }

    fn drive(&mut self, progress: Option<&ProgressFn<'_>>) -> Result<Progress, Fault> {
        let mut answers = Vec::new();
        let mut busy = 0;
        loop {
            self.progress.stopped = self.stopped();
            answers.extend(self.take_back());
            let worked = match self.turn(&answers) {
                // Answers are not lost because another process holds the file for a while.
                Err(fault) if fault.code == Code::StoreBusy && busy < BUSY_TURNS => {
                    busy += 1;
                    continue;
                }
                result => result?,
            };
            busy = 0;
            answers.clear();
            self.cancelled |= progress.map(|progress| self.tell(progress)).transpose()? == Some(false);
            if !self.in_flight.is_empty() {
                answers = if self.workers == 1 { self.perform_own() } else { self.wait_for_answers(worked) };
                self.arrived(&answers);
            } else if self.progress.stopped || (!worked && !self.wait_for_work()?) {
                break;
            }
        }
        // A run may also have been ended while it waited for work.
        self.progress.stopped |= self.stopped();
        self.progress.open = self.read(|tx| tx.open_count())?;
        self.count()?;
        Ok(self.progress.clone())
    }

    /// Tells how the run goes, and whether it goes on.
    fn tell(&mut self, progress: &ProgressFn<'_>) -> Result<bool, Fault> {
        if self.counted_at.is_none_or(|at| at.elapsed() >= COUNT) {
            self.count()?;
        }
        Ok(progress(&self.progress))
    }

    /// Counts what is due.
    fn count(&mut self) -> Result<(), Fault> {
        let (apps, _) = self.host.apps();
        let due = self.read(|tx| {
            let mut gates = Gates::read(tx)?;
            gates.count(tx)?;
            let calls = self.host.state().calls();
            // What is kept back with its whole app is not due, whatever its row says.
            let is_open = |app: &App| gates.admit(app, &calls, tx.now).closed.is_none();
            let mut due = 0;
            let connected = apps.values().filter(|app| app.connector.is_some());
            for app in connected.filter(|app| is_open(&app.definition.app)) {
                due += tx.due_count(&app.definition.app.id, MOST_COUNTED - due)?;
            }
            Ok(due)
        })?;
        self.progress.due = due as u64;
        self.progress.next_due = next_due(self.host)?;
        self.counted_at = Some(Instant::now());
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.cancelled
            || self.host.state().cancelled.load(Ordering::SeqCst) != self.epoch
            || self.bounds.deadline.is_some_and(|deadline| Instant::now() > deadline)
            || self.bounds.deadline.and(self.bounds.until).is_some_and(|until| self.host.clock().now() >= until)
    }

    fn read<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let now = self.host.clock().now();
        self.host.store()?.read(now, work)
    }

    /// Takes back what was not begun: of everything where the run ends, else of who hangs, so that nobody waits behind that.
    fn take_back(&mut self) -> Vec<Answered> {
        let stopped = self.progress.stopped;
        let batches = self.in_flight.iter().map(|out| &out.batch);
        let back: Vec<_> = batches.filter(|batch| stopped || batch.hangs()).flat_map(Batch::take_back).collect();
        self.arrived(&back);
        back
    }

    /// One transaction: stores answers, lets validity begin and end, claims what is due. Whether there was anything to do.
    fn turn(&mut self, answers: &[Answered]) -> Result<bool, Fault> {
        self.host.refresh()?;
        let (apps, revision) = self.host.apps();
        let (now, moment) = (self.host.clock().now(), self.host.clock().moment());
        let (state, look_up) = (self.host.state(), self.host.looks_up());
        let room = if self.progress.stopped { 0 } else { self.workers.saturating_sub(self.in_flight.len()) };
        let (turn, recalls) = (*lock(&state.turn), state.recalls());
        let mut begun = Vec::new();
        let was_set = clocks::was_set(state, self.host.clock());
        let written = self.host.store()?.write(now, |tx| {
            tx.moment = moment;
            let kept = was_set.then(|| clocks::keep_time(tx)).transpose()?;
            let mut gates = Gates::read(tx)?;
            for Answered { job, report, .. } in answers {
                settle_apart(tx, &apps, job, report)?;
                gates.answered(tx, &job.app.definition.app, &report.health())?;
            }
            let mut turned = Turned { claimed: 0, looked_at: 0, tally: tx.tally, kept };
            // Another engine changed an app just now: its definition is read before anything new is taken up.
            if room > 0 && tx.apps_revision()? == revision {
                let validity = begin_and_end(tx, &apps, VALIDITY_BATCH)?;
                let mut calls = state.calls();
                let fairness = Fairness { workers: self.workers, several: apps.len() > 1 };
                let places = Places { fairness, calls: &calls, turn, room, by_steps: self.by_steps };
                let claim = claim(tx, &apps, &mut gates, &places, look_up)?;
                // Counted while the store is ours, so that two runs together send no more than one may.
                for jobs in claim.batches {
                    let Some(app) = jobs.first().map(|job| job.row.request.app.clone()) else { continue };
                    let (answers, attempts) = (jobs.len(), jobs.iter().map(Job::attempts).sum::<usize>());
                    calls.begin(&app, attempts, now);
                    turned.claimed += answers as u64;
                    let batch = Arc::new(Batch::new(app, jobs, now, recalls));
                    begun.push(Out { batch, answers, attempts });
                }
                turned.looked_at = claim.looked_at + validity as u64;
            }
            gates.store(tx)?;
            turned.tally = tx.tally;
            Ok(turned)
        });
        if written.is_err() {
            let mut calls = state.calls();
            for out in begun.drain(..) {
                calls.answered(&out.batch.app, out.attempts);
                calls.end(&out.batch.app, out.batch.began);
            }
        }
        let (turned, entries) = written?;
        if turned.kept.is_some() {
            *lock(&state.clocks) = turned.kept;
        }
        self.renew_credentials(answers);
        self.progress.done += answers.len() as u64 + turned.looked_at - turned.claimed;
        self.progress.completed += turned.tally.completed;
        self.progress.failed += turned.tally.failed;
        self.host.tell(entries);
        self.hand_out(begun, apps.len());
        Ok(!answers.is_empty() || turned.looked_at > 0)
    }

    /// Credentials that were refused are had anew before the next call.
    fn renew_credentials(&self, answers: &[Answered]) {
        for Answered { job, report, .. } in answers {
            if report.health().doubts_credentials() {
                self.host.forget_credentials(&job.row.request.app);
            }
        }
    }

    /// The calls whose answers came are no longer out.
    fn arrived(&mut self, answers: &[Answered]) {
        let mut calls = self.host.state().calls();
        for Answered { batch, job, took, .. } in answers {
            let Some(index) = self.in_flight.iter().position(|out| Arc::ptr_eq(&out.batch, batch)) else { continue };
            calls.answered(&batch.app, job.attempts());
            if let Some(took) = *took {
                calls.took(&batch.app, took);
            }
            let Some(out) = self.in_flight.get_mut(index) else { continue };
            out.answers -= 1;
            out.attempts -= job.attempts();
            if out.answers == 0 {
                calls.end(&batch.app, batch.began);
                self.in_flight.swap_remove(index);
            }
        }
    }

    fn hand_out(&mut self, begun: Vec<Out>, apps: usize) {
        {
            let mut turn = lock(&self.host.state().turn);
            *turn = if apps == 0 { 0 } else { (*turn + 1) % apps };
        }
        let batches: Vec<_> = begun.iter().map(|out| Arc::clone(&out.batch)).collect();
        self.in_flight.extend(begun);
        match self.workers {
            1 => self.own = batches,
            _ => self.hall.hand_out(batches),
        }
    }

    /// With one worker the calls are made on the caller's thread, one after the other.
    fn perform_own(&mut self) -> Vec<Answered> {
        let mut answers = Vec::new();
        for batch in std::mem::take(&mut self.own) {
            batch.perform(self.host, |answered| answers.push(answered));
        }
        answers
    }

    /// Waits for answers; where a worker is free, no longer than until something else may be done, and where something waits
    /// behind a call, no longer than until that hangs.
    fn wait_for_answers(&self, worked: bool) -> Vec<Answered> {
        let waits = self.in_flight.iter().any(|out| out.batch.has_left());
        let hangs = waits.then(|| LONGEST.to_std());
        if self.in_flight.len() >= self.workers || self.progress.stopped {
            return self.hall.reports(hangs);
        }
        // Where that cannot be read now, the next look tells; the answers that are out are waited for all the same.
        let due = next_due(self.host).unwrap_or(None);
        let wait = self.wait_until(due, worked);
        self.hall.reports_or_news(hangs.map_or(wait, |hangs| hangs.min(wait)))
    }

    /// Waits until something is due, where the run may wait at all. False = there is nothing to wait for.
    fn wait_for_work(&self) -> Result<bool, Fault> {
        if self.bounds.deadline.is_none() {
            return Ok(false);
        }
        loop {
            let due = [next_due(self.host)?, self.bounds.until].into_iter().flatten().min();
            if self.stopped() || due.is_none() {
                return Ok(false);
            }
            self.hall.reports_or_news(self.wait_until(due, false));
            self.host.refresh()?;
            let due = next_due(self.host)?;
            // The clock is read last: what could have begun long ago is due when it was looked at.
            let is_due = due.is_some_and(|due| due <= self.host.clock().now());
            if is_due || clocks::was_set(self.host.state(), self.host.clock()) {
                return Ok(true);
            }
        }
    }

    /// How long to wait for something that is due then. Where it is due already, a run that has just worked may find more to
    /// do, and for any other somebody else is at it.
    fn wait_until(&self, due: Option<Timestamp>, worked: bool) -> Duration {
        let now = self.host.clock().now();
        let wait = match due.map(|due| due.since(now)) {
            None => LOOK,
            Some(wait) if wait > Period::ZERO => wait.to_std().min(LOOK),
            Some(_) if worked => Duration::ZERO,
            Some(_) => NAP,
        };
        let left = self.bounds.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(wait, |left| wait.min(left))
    }
}

/// What one transaction of a run did.
struct Turned {
    claimed: u64,
    looked_at: u64,
    tally: Tally,
    /// What both clocks showed, where they were looked at.
    kept: Option<Reference>,
}

/// When something is due next.
pub(crate) fn next_due(host: &dyn Host) -> Result<Option<Timestamp>, Fault> {
    let (apps, _) = host.apps();
    let now = host.clock().now();
    host.store()?.read(now, |tx| {
        let mut gates = Gates::read(tx)?;
        gates.count(tx)?;
        let mut next = tx.next_user_change()?;
        for app in apps.values().filter(|app| app.connector.is_some()) {
            let id = &app.definition.app.id;
            let waits = app.definition.app.enabled && tx.is_group_waiting(id)?;
            let Some(due) = tx.next_due(id)?.map(|due| if waits { now.min(due) } else { due }) else { continue };
            let opens_at = gates.opens_at(&app.definition.app, &host.state().calls(), now);
            next = [next, opens_at.map(|opens_at| opens_at.max(due))].into_iter().flatten().min();
        }
        Ok(next)
    })
}
