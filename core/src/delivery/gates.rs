//! The gates of targets: what the file knows of each, for one transaction, and the calls that this process is making.
//! Nothing here decides about a request; it only keeps calls back.

use crate::fault::Fault;
use crate::id::AppId;
use crate::model::{App, WaitingFor};
use crate::pacing::{self, Admission, Gate, Health, News, Pace};
use crate::store::{GateRows, LogEvent, Store, Tx};
use crate::time::{Period, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A call that takes longer is slow, and leaves workers to others.
const SLOW: Period = Period::from_seconds(1);
/// How long it takes to look again whether other processes still make all the calls that an app may have.
const LOOK_AGAIN: Period = Period::from_seconds(1);

/// The calls that this process is making, by app.
#[derive(Default)]
pub(crate) struct Calls(HashMap<AppId, Own>);

/// The calls of this process to one app.
#[derive(Default)]
struct Own {
    /// When each worker that is busy with it was given what it does. Each makes one call at a time.
    busy: Vec<Timestamp>,
    /// How many attempts they have claimed that have no answer yet. The file knows of these too.
    attempts: usize,
    /// How long a call takes about.
    call_time: Option<Period>,
}

impl Calls {
    /// A worker begins with so many attempts.
    pub(crate) fn begin(&mut self, app: &AppId, attempts: usize, began: Timestamp) {
        let own = self.0.entry(app.clone()).or_default();
        own.busy.push(began);
        own.attempts += attempts;
    }

    /// So many attempts have an answer.
    pub(super) fn answered(&mut self, app: &AppId, attempts: usize) {
        if let Some(own) = self.0.get_mut(app) {
            own.attempts = own.attempts.saturating_sub(attempts);
        }
    }

    /// A call took so long.
    pub(super) fn took(&mut self, app: &AppId, time: Period) {
        if let Some(own) = self.0.get_mut(app) {
            own.call_time = Some(pacing::typical(own.call_time, time));
        }
    }

    /// A worker that began then has done everything.
    pub(crate) fn end(&mut self, app: &AppId, began: Timestamp) {
        let Some(own) = self.0.get_mut(app) else { return };
        if let Some(index) = own.busy.iter().position(|other| *other == began) {
            own.busy.swap_remove(index);
        }
    }

    /// How many calls are made to an app.
    fn to(&self, app: &AppId) -> usize {
        self.0.get(app).map_or(0, |own| own.busy.len())
    }

    /// How many of the attempts that the file knows of are of this process.
    fn attempts(&self, app: &AppId) -> u32 {
        self.0.get(app).map_or(0, |own| u32::try_from(own.attempts).unwrap_or(u32::MAX))
    }

    fn is_slow(&self, app: &AppId, now: Timestamp) -> bool {
        self.0.get(app).is_some_and(|own| own.busy.iter().any(|began| now.since(*began) > SLOW))
    }
}

/// The gates of all apps, as they are in one transaction.
pub(crate) struct Gates {
    stored: GateRows,
    gates: GateRows,
    held: BTreeSet<AppId>,
    out: BTreeMap<AppId, u32>,
}

impl Gates {
    pub(crate) fn read(tx: &Tx<'_>) -> Result<Self, Fault> {
        let stored = tx.gates()?;
        Ok(Self { gates: stored.clone(), stored, held: tx.held_apps()?, out: BTreeMap::new() })
    }

    /// Counts the attempts that are open, whoever makes them.
    pub(crate) fn count(&mut self, tx: &Tx<'_>) -> Result<(), Fault> {
        self.out = tx.attempts_out()?;
        Ok(())
    }

    fn gate(&self, app: &AppId) -> Gate {
        self.gates.get(app).cloned().unwrap_or_default()
    }

    /// Whether calls to the app may start.
    pub(crate) fn admit(&self, app: &App, calls: &Calls, now: Timestamp) -> Admission {
        if self.held.contains(&app.id) {
            return Admission { room: 0, closed: Some(WaitingFor::Hold), opens_at: None, probes: false };
        }
        let own = u32::try_from(calls.to(&app.id)).unwrap_or(u32::MAX);
        let out = self.by_others(app, calls).saturating_add(own);
        pacing::admit(&self.gate(&app.id), Pace::of(app), out, now)
    }

    /// How many attempts other processes have claimed: they make no more calls at the same time than these.
    fn by_others(&self, app: &App, calls: &Calls) -> u32 {
        self.out.get(&app.id).copied().unwrap_or(0).saturating_sub(calls.attempts(&app.id))
    }

    /// How many calls to the app one worker is given.
    pub(super) fn depth(&self, app: &App, calls: &Calls) -> usize {
        let call_time = calls.0.get(&app.id).and_then(|own| own.call_time);
        pacing::depth(&self.gate(&app.id), Pace::of(app), call_time)
    }

    /// When a call to the app may start next; none where that is not for the clock to say.
    pub(super) fn opens_at(&self, app: &App, calls: &Calls, now: Timestamp) -> Option<Timestamp> {
        let admission = self.admit(app, calls, now);
        // A call that tries a target is out as well; what a person keeps back nobody looks at again.
        let full = admission.room == 0 && matches!(admission.closed, None | Some(WaitingFor::Breaker));
        admission.opens_at.or_else(|| (full && self.by_others(app, calls) > 0).then(|| now.plus(LOOK_AGAIN)))
    }

    /// Calls begin.
    pub(super) fn begin(&mut self, app: &App, calls: u32, now: Timestamp) {
        let gate = pacing::begin(&self.gate(&app.id), Pace::of(app), calls, now);
        self.keep(&app.id, gate);
    }

    /// A call has ended; what it says about the target is logged where it is news.
    pub(super) fn answered(&mut self, tx: &mut Tx<'_>, app: &App, health: &Health) -> Result<(), Fault> {
        let (gate, news) = pacing::after_call(&self.gate(&app.id), Pace::of(app), health, tx.now);
        self.keep(&app.id, gate);
        news.iter().try_for_each(|news| tell(tx, &app.id, news))
    }

    /// Whether an answer tells anything that is not known.
    pub(super) fn learns_from(&self, app: &App, health: &Health, now: Timestamp) -> bool {
        let gate = self.gate(&app.id);
        pacing::after_call(&gate, Pace::of(app), health, now).0 != gate
    }

    fn keep(&mut self, app: &AppId, gate: Gate) {
        // Of an app of which there is nothing to know there is no row.
        if self.gates.contains_key(app) || gate != Gate::default() {
            self.gates.insert(app.clone(), gate);
        }
    }

    /// Stores what has changed.
    pub(super) fn store(self, tx: &Tx<'_>) -> Result<(), Fault> {
        let changed = self.gates.iter().filter(|(app, gate)| self.stored.get(app) != Some(gate));
        changed.into_iter().try_for_each(|(app, gate)| tx.put_gate(app, gate))
    }
}

/// Logs what is to be known about a target.
fn tell(tx: &mut Tx<'_>, app: &AppId, news: &News) -> Result<(), Fault> {
    let (kind, details) = match news {
        News::Paused { until, reason } => ("paused", json!({"until": until, "reason": reason})),
        News::Quarantined { since, reason, days } => {
            let (waiting, removals) = tx.waiting(app)?;
            let details =
                json!({"since": since, "reason": reason, "days": days, "waiting": waiting, "removals": removals});
            ("quarantined", details)
        }
        News::QuarantineEnded { since } => ("quarantine_ended", json!({"since": since})),
    };
    tx.log(LogEvent { app: Some(app), ..LogEvent::new(kind, details) })
}

/// Which apps may take how many of the free workers, so that none waits for another's target.
pub(super) struct Fairness {
    pub(super) workers: usize,
    /// Whether several apps could have calls.
    pub(super) several: bool,
}

impl Fairness {
    /// How many of `free` workers an app may take. It leaves at least as many as it has, since nobody knows before which target
    /// will hang; and those that are slow or fail have no more than half of the workers together.
    pub(super) fn most(&self, gates: &Gates, calls: &Calls, app: &AppId, free: usize, now: Timestamp) -> usize {
        if !self.several {
            return free;
        }
        let most = free.saturating_sub(calls.to(app)).div_ceil(2);
        let is_suspect =
            |app: &AppId| calls.is_slow(app, now) || gates.gates.get(app).is_some_and(|gate| gate.failures > 0);
        if !is_suspect(app) {
            return most;
        }
        let taken: usize = calls.0.iter().filter(|(app, _)| is_suspect(app)).map(|(_, own)| own.busy.len()).sum();
        most.min((self.workers / 2).max(1).saturating_sub(taken))
    }
}

/// Whether a call to the app may start now, outside of delivery.
pub(crate) fn may_call(store: &mut Store, app: &App, calls: &Calls, now: Timestamp) -> Result<Admission, Fault> {
    store.read(now, |tx| {
        let mut gates = Gates::read(tx)?;
        gates.count(tx)?;
        Ok(gates.admit(app, calls, now))
    })
}
