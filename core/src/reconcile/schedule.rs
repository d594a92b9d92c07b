//! Reconciliations that are due by the clock: each app's `reconcile.every`, with jitter. One that was missed is done once.

use super::commit::{commit, remember};
use super::release::VALID;
use super::{go_on, is_held_alone, read, write};
use crate::delivery::Host;
use crate::fault::{Blame, Code, Fault};
use crate::id::{AppId, RequestId};
use crate::intake::{LiveApp, LiveApps, begin_reconciliation, end_reconciliation};
use crate::lifecycle::Event;
use crate::model::State;
use crate::store::{ReconciliationRow, Tx};
use crate::time::{Period, Timestamp};
use std::sync::Arc;

/// Who reconciles by the clock.
pub(super) const SCHEDULE: &str = "schedule";

/// What is not worked on for so long was interrupted, and whoever runs goes on with it.
const IDLE: Period = Period::from_seconds(600);

/// Does one reconciliation that is due, or goes on with one that was interrupted. Whether there was any.
pub(crate) fn reconcile_due(host: &dyn Host) -> Result<bool, Fault> {
    host.refresh()?;
    let (apps, _) = host.apps();
    let mut worked = false;
    for live in in_use(&apps) {
        let id = &live.definition.app.id;
        if !read(host, |tx| Ok(when(tx, live)?.is_some_and(|at| at <= tx.now)))? {
            continue;
        }
        match write(host, |tx, apps| take_up(tx, apps, id))? {
            Due::Nothing => continue,
            Due::Changed => worked = true,
            Due::Work(reconciliation) => {
                carry_on(host, live, &reconciliation)?;
                return Ok(true);
            }
        }
    }
    Ok(worked)
}

/// When the next reconciliation is due.
pub(crate) fn next_due(host: &dyn Host) -> Result<Option<Timestamp>, Fault> {
    let (apps, _) = host.apps();
    read(host, |tx| {
        let mut due: Option<Timestamp> = None;
        for live in in_use(&apps) {
            if let Some(at) = when(tx, live)? {
                due = Some(due.map_or(at, |due| due.min(at)));
            }
        }
        Ok(due)
    })
}

/// The apps that are worked on by the clock. One that is disabled, deleted or cannot be reached does nothing.
fn in_use(apps: &LiveApps) -> impl Iterator<Item = &Arc<LiveApp>> {
    apps.values().filter(|live| live.definition.app.enabled && live.connector.is_some())
}

/// When something is due for an app.
fn when(tx: &Tx<'_>, live: &LiveApp) -> Result<Option<Timestamp>, Fault> {
    let app = &live.definition.app;
    if tx.is_kept_back(&app.id)? {
        return Ok(None);
    }
    let open = tx.open_reconciliation(&app.id)?;
    let stands = open.map(|row| stands(tx, live, &row)).transpose()?;
    let Some(every) = every(live) else {
        return Ok(stands.and_then(|stands| if let Stands::Working(until) = stands { Some(until) } else { None }));
    };
    let next = tx.remembered(&app.id)?.next_at.filter(|next| !is_too_far(*next, tx.now, every));
    // Where it is not known when the next is, that is planned now.
    let Some(next) = next else { return Ok(Some(tx.now)) };
    Ok(Some(match stands {
        Some(Stands::Working(until)) => until,
        Some(Stands::Waiting(until)) => until.max(next),
        Some(Stands::Committable) => tx.now,
        Some(Stands::Replaceable) | None => next,
    }))
}

fn every(live: &LiveApp) -> Option<Period> {
    live.definition.app.reconcile.as_ref()?.every
}

/// Whether the definition was changed to more often since this was planned.
fn is_too_far(next: Timestamp, now: Timestamp, every: Period) -> bool {
    next.since(now) > every.plus(jitter(every))
}

/// The most that is added to an interval.
fn jitter(every: Period) -> Period {
    Period::from_micros(every.as_micros() / 10)
}

/// What there is to do for an app.
enum Due {
    Nothing,
    /// Something was noted.
    Changed,
    /// This one is to be worked on.
    Work(RequestId),
}

/// How an unfinished reconciliation stands to the next.
enum Stands {
    /// Somebody is at it; who is not until then was interrupted.
    Working(Timestamp),
    /// It waits for a person until then.
    Waiting(Timestamp),
    /// Its plan is to be committed by itself.
    Committable,
    /// The next takes its place.
    Replaceable,
}

fn stands(tx: &Tx<'_>, live: &LiveApp, row: &ReconciliationRow) -> Result<Stands, Fault> {
    let is_ours = row.shown.by.as_deref() == Some(SCHEDULE);
    let waits_until = row.shown.created_at.plus(VALID);
    let waiting = if waits_until > tx.now { Stands::Waiting(waits_until) } else { Stands::Replaceable };
    Ok(match row.shown.state {
        State::Analyzed if row.released_at.is_some() => waiting,
        State::Analyzed if is_ours && commits(live) => Stands::Committable,
        State::Analyzed if is_ours => Stands::Replaceable,
        State::Analyzed => waiting,
        State::Committing if is_held_alone(tx, &row.shown.id)? => waiting,
        _ => Stands::Working(tx.worked_at(&row.shown.id)?.unwrap_or_default().plus(IDLE)),
    })
}

fn commits(live: &LiveApp) -> bool {
    live.definition.app.reconcile.as_ref().is_some_and(|settings| settings.commit)
}

/// Decides what is done for an app now, and notes when the next is due.
fn take_up(tx: &mut Tx<'_>, apps: &LiveApps, id: &AppId) -> Result<Due, Fault> {
    let Some(live) = in_use(apps).find(|live| live.definition.app.id == *id) else { return Ok(Due::Nothing) };
    // Somebody else may have done it meanwhile.
    if when(tx, live)?.is_none_or(|at| at > tx.now) {
        return Ok(Due::Nothing);
    }
    let open = tx.open_reconciliation(id)?;
    if let Some(every) = every(live)
        && tx.remembered(id)?.next_at.is_none_or(|next| is_too_far(next, tx.now, every))
    {
        // The first is soon, and not that of all apps at once.
        plan_next(tx, live, every, Period::ZERO)?;
        return Ok(Due::Changed);
    }
    if let Some(row) = &open {
        match stands(tx, live, row)? {
            Stands::Working(_) | Stands::Committable => {
                tx.note_work(&row.shown.id)?;
                return Ok(Due::Work(row.shown.id.clone()));
            }
            Stands::Waiting(_) => return Ok(Due::Nothing),
            Stands::Replaceable => replace(tx, row)?,
        }
    }
    let Some(every) = every(live) else { return Ok(Due::Nothing) };
    plan_next(tx, live, every, every)?;
    let why = "the app is reconciled by the clock";
    begin_reconciliation(tx, live, Some(SCHEDULE), why, None).map(|row| Due::Work(row.shown.id))
}

/// What was not committed is taken back; what was held and not released ends.
fn replace(tx: &mut Tx<'_>, row: &ReconciliationRow) -> Result<(), Fault> {
    let why = "the next reconciliation takes its place";
    let event = match row.shown.state {
        State::Committing => {
            remember(tx, row)?;
            Event::Complete
        }
        _ => Event::Cancel,
    };
    end_reconciliation(tx, &row.shown.id, event, Some(SCHEDULE), why)
}

fn plan_next(tx: &mut Tx<'_>, live: &LiveApp, every: Period, after: Period) -> Result<(), Fault> {
    let spread = jitter(every).as_micros().cast_unsigned().max(1);
    let more = Period::from_micros(tx.random_below(spread)?.cast_signed());
    tx.plan_reconciliation(&live.definition.app.id, tx.now.plus(after).plus(more))
}

/// Brings a reconciliation as far as it goes by itself. What keeps this one from going on stops no other work.
fn carry_on(host: &dyn Host, live: &LiveApp, id: &RequestId) -> Result<(), Fault> {
    let done = go_on(host, id, None).and_then(|()| {
        let row = read(host, |tx| tx.reconciliation(id.as_str()))?;
        let ours = row.filter(|row| row.shown.by.as_deref() == Some(SCHEDULE) && commits(live));
        match ours.filter(|row| row.shown.state == State::Analyzed && row.released_at.is_none()) {
            Some(row) => commit(host, id, &row.shown.digest.unwrap_or_default(), SCHEDULE),
            None => Ok(()),
        }
    });
    match done {
        // Somebody else took it up or took it back.
        Err(fault) if fault.code == Code::Cancelled => Ok(()),
        Err(fault) if fault.code.blame() != Blame::Store => write(host, |tx, _| give_up(tx, id, &fault)),
        done => done,
    }
}

fn give_up(tx: &mut Tx<'_>, id: &RequestId, fault: &Fault) -> Result<(), Fault> {
    match tx.reconciliation(id.as_str())? {
        Some(row) if row.shown.finished_at.is_none() => {
            end_reconciliation(tx, id, Event::Fail, Some(SCHEDULE), &fault.message)
        }
        _ => Ok(()),
    }
}
