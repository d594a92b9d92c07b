//! Claiming: due requests get an intent, stored before anything is sent.

use super::gates::{Calls, Fairness};
use super::members::{self, Ripe};
use super::prepare::{Prepared, prepare, prepare_unowned};
use super::settle::{complete, fail, finish};
use super::{Gates, Job, Work, doubt, means};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, LiveApps, Trigger, cancel, decide_lane, elect, elect_for};
use crate::lifecycle::Event;
use crate::model::{ApprovalStatus, Before, State, WaitingFor};
use crate::operation::Operation;
use crate::protocol::{After, Due, Guard, Step, Then, after_interruption, before_send, raises_access, window};
use crate::store::{Kept, LogEvent, RequestRow, StoredUser, Tx, UserKey};
use crate::time::{Moment, Period, Timestamp};
use crate::value::Attributes;
use serde_json::{Value, json};
use std::sync::Arc;

/// What waits for an account of another user is woken by it; all the same it is looked at again after that time.
pub(super) const AGAIN: Period = Period::from_seconds(86_400);

/// When a membership is looked at again about which another call is out.
const SOON: Period = Period::from_seconds(5);

/// How many pages of groups are allowed for when a listing begins.
const LISTING_PAGES: usize = 20;

/// What a claim takes.
pub(super) struct Claim {
    /// What each worker is given. All of one batch is for one app.
    pub(super) batches: Vec<Vec<Job>>,
    /// How many due requests were looked at.
    pub(super) looked_at: u64,
}

/// Which workers are free for whom.
pub(super) struct Places<'a> {
    pub(super) fairness: Fairness,
    pub(super) calls: &'a Calls,
    /// The app after which the turn begins.
    pub(super) turn: usize,
    /// How many workers are free.
    pub(super) room: usize,
    /// Each is given one call, whatever the target.
    pub(super) by_steps: bool,
}

/// An app that may have calls: how many more at the same time, and how many a worker.
pub(super) struct Hungry<'a> {
    pub(super) app: &'a Arc<LiveApp>,
    room: usize,
    depth: usize,
    pub(super) probes: bool,
}

/// Takes due requests for the workers that are free, evenly over the apps, beginning after the app that was served last. A
/// request that cannot even be read is given up alone.
pub(super) fn claim(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    gates: &mut Gates,
    places: &Places<'_>,
    look_up: bool,
) -> Result<Claim, Fault> {
    let mut claim = Claim { batches: Vec::new(), looked_at: 0 };
    gates.count(tx)?;
    let mut hungry = hungry(apps, gates, places, tx.now);
    // What an app leaves, the others may have in the next round.
    while !hungry.is_empty() && claim.batches.len() < places.room {
        let mut left = Vec::new();
        for (index, one) in std::mem::take(&mut hungry).into_iter().enumerate().rev() {
            let free = places.room - claim.batches.len();
            let share = free.div_ceil(index + 1).min(one.room);
            let before = claim.batches.len();
            let removals = tx.due_removals(&one.app.definition.app.id, share)?;
            members::claim(tx, &one, Ripe::default(), share.saturating_sub(removals), &mut claim)?;
            let workers = share.saturating_sub(claim.batches.len() - before);
            let limit = workers * one.depth;
            let rows = tx.due(&one.app.definition.app.id, limit)?;
            let all = rows.len() < limit;
            let ripe = Ripe { adding: all, removing: !rows.iter().any(RequestRow::reduces_access) };
            let room = if all { 0 } else { one.room - share };
            claim.looked_at += rows.len() as u64;
            let mut jobs = Vec::with_capacity(rows.len());
            for row in rows {
                jobs.extend(take_up_apart(tx, one.app, row, look_up, one.probes)?);
            }
            claim.batches.extend(dealt(jobs, workers));
            let left_over = share.saturating_sub(claim.batches.len() - before);
            members::claim(tx, &one, ripe, left_over, &mut claim)?;
            let begun = claim.batches.iter().skip(before).map(Vec::len).sum::<usize>();
            gates.begin(&one.app.definition.app, u32::try_from(begun).unwrap_or(u32::MAX), tx.now);
            if room > 0 && share > 0 {
                left.push(Hungry { room, ..one });
            }
        }
        left.reverse();
        hungry = left;
    }
    Ok(claim)
}

/// Deals calls out to so many workers, one to each in turn, so that what is first is begun first.
fn dealt(jobs: Vec<Job>, workers: usize) -> Vec<Vec<Job>> {
    let mut batches: Vec<Vec<Job>> = Vec::new();
    for (index, job) in jobs.into_iter().enumerate() {
        match batches.get_mut(index % workers.max(1)) {
            Some(batch) => batch.push(job),
            None => batches.push(vec![job]),
        }
    }
    batches
}

/// Whether what is sent for one user depends on what came of another's call before: on who has a unique value, on who has an
/// account already.
fn is_in_order(app: &LiveApp) -> bool {
    app.definition.mapping.has_unique() || app.definition.mapping.has_references()
}

/// The apps that may have calls, the one whose turn it is last.
fn hungry<'a>(apps: &'a LiveApps, gates: &Gates, places: &Places<'_>, now: Timestamp) -> Vec<Hungry<'a>> {
    let count = apps.len();
    let in_turn = apps.values().cycle().skip(if count == 0 { 0 } else { places.turn % count }).take(count);
    let connected = in_turn.filter(|app| app.connector.is_some());
    let mut hungry: Vec<_> = connected
        .map(|app| {
            let admission = gates.admit(&app.definition.app, places.calls, now);
            let id = &app.definition.app.id;
            let room = places.fairness.most(gates, places.calls, id, places.room, now);
            let depth =
                if places.by_steps || is_in_order(app) { 1 } else { gates.depth(&app.definition.app, places.calls) };
            Hungry { app, room: room.min(admission.room as usize), depth, probes: admission.probes }
        })
        .filter(|one| one.room > 0)
        .collect();
    hungry.reverse();
    hungry
}

/// One due request; one that cannot be read is given up alone.
fn take_up_apart(
    tx: &mut Tx<'_>,
    app: &Arc<LiveApp>,
    row: RequestRow,
    look_up: bool,
    probes: bool,
) -> Result<Option<Job>, Fault> {
    match tx.part(|tx| take_up(tx, app, row.clone(), look_up)) {
        Ok(job) => Ok(job.map(|job| Job { probes, ..job })),
        Err(fault) if matches!(fault.code, Code::StoreDamaged | Code::KeyMissing | Code::Internal) => {
            fail(tx, app, row, vec![fault]).map(|()| None)
        }
        Err(fault) => Err(fault),
    }
}

/// One due request: it is sent, or finished without sending, or waits for something else.
fn take_up(tx: &mut Tx<'_>, app: &Arc<LiveApp>, mut row: RequestRow, look_up: bool) -> Result<Option<Job>, Fault> {
    if row.request.approval == ApprovalStatus::Required {
        return expire(tx, app, row).map(|()| None);
    }
    match step(tx, app, &row)? {
        Step::Wait(left) => return wait(tx, app, row, left).map(|()| None),
        Step::Interrupt => return interrupt(tx, app, row).map(|()| None),
        Step::Uncertain | Step::Settle(_) | Step::Go if !app.definition.app.enabled => {
            return elect_for(tx, &app.definition, &row).map(|()| None);
        }
        Step::Uncertain => {
            let message =
                "whether the account was made cannot be found out: the target can neither search nor take a key";
            return fail(tx, app, row, vec![Fault::new(Code::Uncertain, message)]).map(|()| None);
        }
        Step::Settle(until) => {
            row.retry = Some((until, WaitingFor::Settle));
            tx.save(&row)?;
            return elect_for(tx, &app.definition, &row).map(|()| None);
        }
        Step::Go => {}
    }
    let Some(user) = &row.request.user else { return take_up_unowned(tx, app, row) };
    let Some(stored) = tx.user(user.as_str())? else {
        let fault = Fault::new(Code::NotFound, "the user's record was erased");
        return fail(tx, app, row, vec![fault]).map(|()| None);
    };
    match prepare(tx, app, &mut row, &stored, look_up)? {
        Prepared::Faulty(faults) => fail(tx, app, row, faults).map(|()| None),
        Prepared::NoAccount => {
            give_up(tx, app, row, Code::AccountMissing, "the user has no account in the app").map(|()| None)
        }
        Prepared::OtherAccount => replaced(tx, app, row, &stored).map(|()| None),
        Prepared::Waiting => {
            row.retry = Some((tx.now.plus(AGAIN), WaitingFor::Dependency));
            tx.save(&row)?;
            elect(tx, &app.definition, &stored.user.id).map(|()| None)
        }
        Prepared::Queued => queue(tx, app, row).map(|()| None),
        Prepared::InTheWay => in_the_way(tx, app, row).map(|()| None),
        Prepared::Unwanted => {
            let why = "superseded: the user may no longer have this access";
            give_up(tx, app, row, Code::Uncertain, why).map(|()| None)
        }
        Prepared::Nothing(why) => {
            if row.request.state == State::New {
                tx.change(&mut row, Event::Send)?;
            }
            finish(tx, app, row, &stored, why).map(|()| None)
        }
        Prepared::Work(work, payload, before) => {
            if !matches!(work, Work::Groups) {
                // What an Update changed before it asked for groups is kept already.
                keep(tx, &row, &stored.key, before)?;
            }
            let payload = payload.as_ref().map(|payload| (payload, &stored.key));
            begin(tx, app, row, work, payload).map(Some)
        }
    }
}

/// What is to be done with a due request, as [`before_send`] says.
pub(super) fn step(tx: &Tx<'_>, app: &LiveApp, row: &RequestRow) -> Result<Step, Fault> {
    let (operation, left) = (row.request.operation, row.left(tx.moment));
    let waits = raises_access(operation) && !row.removes && !row.sending && left == Period::ZERO;
    let doubt = if waits { doubt(tx, app, row)? } else { None };
    let due = Due { operation, sending: row.sending, unsettled: row.unsettled, left, doubt };
    Ok(before_send(&due, means(tx, app, row)?, tx.now))
}

/// What is due by the clock on the wall, and not by the one that nobody can set, waits on.
fn wait(tx: &mut Tx<'_>, app: &LiveApp, mut row: RequestRow, left: Period) -> Result<(), Fault> {
    let whole = row.guard.map_or(left, |guard| guard.wait);
    row.guard = Some(Guard { wait: whole, ..Guard::new(tx.moment, left) });
    let at = tx.now.plus(left);
    if row.sending {
        row.request.due_at = Some(at);
        return tx.save(&row);
    }
    row.retry = Some((at, WaitingFor::Settle));
    tx.save(&row)?;
    elect_for(tx, &app.definition, &row)
}

/// One due request for an account that nobody owns.
fn take_up_unowned(tx: &mut Tx<'_>, app: &Arc<LiveApp>, row: RequestRow) -> Result<Option<Job>, Fault> {
    match prepare_unowned(tx, app, &row)? {
        Prepared::Work(work, _, before) => {
            let key = tx.app_key(&app.definition.app.id)?;
            keep(tx, &row, &key, before)?;
            begin(tx, app, row, work, None).map(Some)
        }
        Prepared::Faulty(faults) => fail(tx, app, row, faults).map(|()| None),
        Prepared::Queued => queue(tx, app, row).map(|()| None),
        Prepared::InTheWay => in_the_way(tx, app, row).map(|()| None),
        Prepared::Nothing(why) => finish_unowned(tx, app, row, why).map(|()| None),
        _ => {
            let why = "superseded: somebody owns the account now";
            give_up(tx, app, row, Code::ConflictOwned, why).map(|()| None)
        }
    }
}

/// What is left of it waits for the turn of its groups.
fn queue(tx: &mut Tx<'_>, app: &LiveApp, mut row: RequestRow) -> Result<(), Fault> {
    if row.request.state == State::New {
        tx.change(&mut row, Event::Send)?;
    }
    row.retry = Some((tx.now.plus(AGAIN), WaitingFor::Lane));
    tx.save(&row)?;
    elect_for(tx, &app.definition, &row)
}

/// A call about one of its memberships is out.
fn in_the_way(tx: &mut Tx<'_>, app: &LiveApp, mut row: RequestRow) -> Result<(), Fault> {
    row.retry = Some((tx.now.plus(SOON), WaitingFor::Retry));
    tx.save(&row)?;
    elect_for(tx, &app.definition, &row)
}

/// Completes a request for an account that nobody owns, of which nothing is left to send.
fn finish_unowned(tx: &mut Tx<'_>, app: &LiveApp, mut row: RequestRow, why: &str) -> Result<(), Fault> {
    if row.request.state == State::New {
        tx.change(&mut row, Event::Send)?;
    }
    complete(tx, row.clone(), json!({"nothing_sent": why}))?;
    elect_for(tx, &app.definition, &row)
}

/// Keeps what there is before the request. Where an earlier attempt may have taken effect already, what was kept then holds.
fn keep(tx: &mut Tx<'_>, row: &RequestRow, key: &UserKey, before: Before) -> Result<(), Fault> {
    let changes = !matches!(row.request.operation, Operation::Read);
    if !changes || row.is_under_way() {
        return Ok(());
    }
    tx.keep(&row.request.id, key, &Kept { before, after: None })
}

/// Nobody answered in time.
fn expire(tx: &mut Tx<'_>, app: &LiveApp, mut row: RequestRow) -> Result<(), Fault> {
    row.request.approval = ApprovalStatus::Expired;
    cancel(tx, row.clone(), None, "nobody approved it in time")?;
    elect_for(tx, &app.definition, &row)
}

/// What was sent for an account that is gone since is not sent to the one that took its place: what was to be taken away is
/// gone, and what else is wanted is decided for the new one.
fn replaced(tx: &mut Tx<'_>, app: &LiveApp, row: RequestRow, stored: &StoredUser) -> Result<(), Fault> {
    let why = "the account for which it was sent is gone";
    if row.reduces_access() && row.request.state == State::Requested {
        finish(tx, app, row, stored, why)?;
    } else {
        give_up(tx, app, row, Code::AccountMissing, why)?;
    }
    let trigger = Trigger { text: "an account took the place of another", by: None, is_definition: false };
    decide_lane(tx, &app.definition, stored, trigger).map(|_| ())
}

/// What is not to be sent is cancelled; where an earlier attempt may still take effect, it fails with that code.
fn give_up(tx: &mut Tx<'_>, app: &LiveApp, row: RequestRow, code: Code, why: &str) -> Result<(), Fault> {
    if row.unsettled {
        return fail(tx, app, row, vec![Fault::new(code, why)]);
    }
    cancel(tx, row.clone(), None, why)?;
    elect_for(tx, &app.definition, &row)
}

/// Stores the intent and makes the job.
fn begin(
    tx: &mut Tx<'_>,
    app: &Arc<LiveApp>,
    row: RequestRow,
    work: Work,
    payload: Option<(&Attributes, &UserKey)>,
) -> Result<Job, Fault> {
    // Looking up takes its own time before anything is sent.
    let looks = match &work {
        Work::Create { look_up, look_where_taken, unique, .. } => {
            unique.len() + if *look_up || *look_where_taken { 2 } else { 0 }
        }
        Work::Update { unique, expected, .. } => unique.len() + usize::from(!expected.is_empty()),
        Work::Groups => LISTING_PAGES,
        _ => 0,
    };
    let begun = open(tx, app, row, looks, json!({"attributes": names(&work)}), payload)?;
    Ok(Job {
        row: begun.row,
        app: Arc::clone(app),
        work,
        probes: false,
        send_by: begun.send_by,
        doubt: begun.doubt,
        beside: Vec::new(),
    })
}

/// A request whose intent is stored.
pub(super) struct Begun {
    pub(super) row: RequestRow,
    pub(super) send_by: Moment,
    pub(super) doubt: Option<Moment>,
}

/// Stores the intent of an attempt, which makes `looks` calls before it sends; `sent` tells the log what.
pub(super) fn open(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    mut row: RequestRow,
    looks: usize,
    sent: Value,
    payload: Option<(&Attributes, &UserKey)>,
) -> Result<Begun, Fault> {
    let window = window(looks, app.definition.app.timeouts.request);
    let doubt = if row.reduces_access() { doubt(tx, app, &row)? } else { None };
    let doubt = doubt.map(|until| tx.moment.plus(until.since(tx.now)));
    row.request.waiting_for = None;
    row.retry = None;
    row.request.due_at = Some(tx.now.plus(window.lease));
    row.guard = Some(Guard::new(tx.moment, window.lease));
    row.fence = row.fence.saturating_add(1);
    row.sending = true;
    if row.is_looked_at() {
        tx.save(&row)?;
    } else {
        row.request.attempts += 1;
        if row.request.state == State::New {
            tx.change(&mut row, Event::Send)?;
        } else {
            tx.save(&row)?;
        }
        tx.open_attempt(&row, tx.now.plus(window.send), payload)?;
        let request = &row.request;
        let mut details = json!({"attempt": request.attempts, "operation": request.operation});
        if let (Some(details), Value::Object(sent)) = (details.as_object_mut(), sent) {
            details.extend(sent);
        }
        tx.log(LogEvent {
            app: Some(&request.app),
            user: request.user.as_ref(),
            request: Some(&request.id),
            ..LogEvent::new("sending", details)
        })?;
    }
    Ok(Begun { row, send_by: tx.moment.plus(window.send), doubt })
}

/// The names of the attributes that are sent.
fn names(work: &Work) -> Value {
    match work {
        Work::Create { attributes, .. } => {
            let mut names: Vec<&String> = attributes.keys().collect();
            names.sort();
            json!(names)
        }
        Work::Update { changes, .. } => json!(changes.iter().map(|change| &change.path).collect::<Vec<_>>()),
        _ => json!([]),
    }
}

/// A call that never had an answer: its process died, or its worker never came back. Of an attempt nobody knows whether it
/// was sent; a look whether access is gone is made again. Whoever made it is not believed any more.
pub(crate) fn interrupt(tx: &mut Tx<'_>, app: &LiveApp, mut row: RequestRow) -> Result<(), Fault> {
    let over = row.guard.and_then(|guard| tx.moment.since(guard.until)).unwrap_or_default();
    let attempted = row.has_attempt();
    row.sending = false;
    row.fence = row.fence.saturating_add(1);
    let mut next = tx.now;
    tx.end_calls(&row.request.id)?;
    if attempted {
        tx.close_attempt(&row, "ambiguous", "interrupted", "the process ended before there was an answer")?;
        let means = means(tx, app, &row)?;
        let settle = app.definition.app.settle.whole();
        let after = after_interruption(row.request.operation, means, settle, over, tx.now);
        let After { then, unsettled, settle_at } = after;
        row.unsettled = unsettled;
        row.settle_at = settle_at;
        row.guard = settle_at.map(|at| Guard { wait: settle, ..Guard::new(tx.moment, at.since(tx.now)) });
        if let Then::Again(at, waiting_for) = then {
            row.retry = Some((at, waiting_for));
            next = at;
        }
    } else {
        row.guard = None;
    }
    tx.save(&row)?;
    let request = &row.request;
    let details = json!({"attempt": request.attempts, "operation": request.operation, "next": next});
    tx.log(LogEvent {
        app: Some(&request.app),
        user: request.user.as_ref(),
        request: Some(&request.id),
        ..LogEvent::new("interrupted", details)
    })?;
    elect_for(tx, &app.definition, &row)
}
