//! Claiming: due requests get an intent, stored before anything is sent.

use super::prepare::{Prepared, prepare, prepare_unowned};
use super::settle::{fail, finish};
use super::{Gates, Job, SEND_WINDOW, SKEW, Work};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, LiveApps, cancel, elect, elect_for};
use crate::lifecycle::Event;
use crate::model::{ApprovalStatus, Before, State, WaitingFor};
use crate::operation::Operation;
use crate::store::{Kept, LogEvent, RequestRow, Tx, UserKey};
use crate::time::{Period, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// What waits for an account of another user is woken by it; all the same it is looked at again after that time.
const AGAIN: Period = Period::from_seconds(86_400);

/// What a claim takes.
pub(super) struct Claim {
    pub(super) jobs: Vec<Job>,
    /// How many due requests were looked at.
    pub(super) looked_at: u64,
}

/// Takes up to `room` due requests, in turns over the apps, beginning after the app that was served last. A request that
/// cannot even be read is given up alone.
pub(super) fn claim(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    gates: &mut Gates,
    turn: usize,
    room: usize,
    look_up: bool,
) -> Result<Claim, Fault> {
    let mut claim = Claim { jobs: Vec::new(), looked_at: 0 };
    let count = apps.len();
    for offset in 0..count {
        if claim.jobs.len() >= room {
            break;
        }
        let Some(app) = apps.values().nth((turn + offset) % count) else { continue };
        // One app may take half of the room while others have work, so that a slow one leaves workers to them.
        let left = room - claim.jobs.len();
        let share = if offset + 1 < count { left.div_ceil(2) } else { left };
        let open = gates.room(&app.definition.app, tx.now) as usize;
        if app.connector.is_none() {
            continue;
        }
        for row in tx.due(&app.definition.app.id, share.min(open))? {
            claim.looked_at += 1;
            let taken = tx.part(|tx| take_up(tx, app, row.clone(), look_up));
            match taken {
                Ok(job) => claim.jobs.extend(job),
                Err(fault) if matches!(fault.code, Code::StoreDamaged | Code::KeyMissing | Code::Internal) => {
                    fail(tx, app, row, vec![fault])?;
                }
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(claim)
}

/// One due request: it is sent, or finished without sending, or waits for something else.
fn take_up(tx: &mut Tx<'_>, app: &Arc<LiveApp>, mut row: RequestRow, look_up: bool) -> Result<Option<Job>, Fault> {
    if row.sending {
        let last_send = tx.open_send_by(&row.request.id)?.unwrap_or(tx.now);
        return interrupt(tx, app, row, last_send).map(|()| None);
    }
    if row.request.approval == ApprovalStatus::Required {
        return expire(tx, app, row).map(|()| None);
    }
    if row.request.user.is_none() {
        return take_up_unowned(tx, app, row);
    }
    let stored = match &row.request.user {
        Some(user) => tx.user(user.as_str())?,
        None => None,
    };
    let Some(stored) = stored else {
        let fault = Fault::new(Code::NotFound, "the user's record was erased");
        return fail(tx, app, row, vec![fault]).map(|()| None);
    };
    if !app.definition.app.enabled {
        return elect(tx, &app.definition, &stored.user.id).map(|()| None);
    }
    let blind = row.unsettled
        && row.request.operation == Operation::Create
        && !(app.capabilities.search || app.capabilities.idempotency_key);
    if blind {
        let message = "whether the account was made cannot be found out: the target can neither search nor take a key";
        return fail(tx, app, row, vec![Fault::new(Code::Uncertain, message)]).map(|()| None);
    }
    match prepare(tx, app, &mut row, &stored, look_up)? {
        Prepared::Faulty(faults) => fail(tx, app, row, faults).map(|()| None),
        Prepared::NoAccount => {
            give_up(tx, app, row, Code::AccountMissing, "the user has no account in the app").map(|()| None)
        }
        Prepared::Waiting => {
            row.retry = Some((tx.now.plus(AGAIN), WaitingFor::Dependency));
            tx.save(&row)?;
            elect(tx, &app.definition, &stored.user.id).map(|()| None)
        }
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
            keep(tx, &row, &stored.key, before)?;
            let payload = payload.as_ref().map(|payload| (payload, &stored.key));
            begin(tx, app, row, work, payload).map(Some)
        }
    }
}

/// One due request for an account that nobody owns.
fn take_up_unowned(tx: &mut Tx<'_>, app: &Arc<LiveApp>, row: RequestRow) -> Result<Option<Job>, Fault> {
    if !app.definition.app.enabled {
        return elect_for(tx, &app.definition, &row).map(|()| None);
    }
    match prepare_unowned(tx, app, &row)? {
        Prepared::Work(work, _, before) => {
            let key = tx.app_key(&app.definition.app.id)?;
            keep(tx, &row, &key, before)?;
            begin(tx, app, row, work, None).map(Some)
        }
        Prepared::Faulty(faults) => fail(tx, app, row, faults).map(|()| None),
        _ => {
            let why = "superseded: somebody owns the account now";
            give_up(tx, app, row, Code::ConflictOwned, why).map(|()| None)
        }
    }
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
    mut row: RequestRow,
    work: Work,
    payload: Option<(&crate::value::Attributes, &crate::store::UserKey)>,
) -> Result<Job, Fault> {
    let request_time = app.definition.app.timeouts.request;
    // Looking up takes its own time before anything is sent.
    let looks = match &work {
        Work::Create { look_up, look_where_taken, unique, .. } => {
            unique.len() + if *look_up || *look_where_taken { 2 } else { 0 }
        }
        Work::Update { unique, expected, .. } => unique.len() + usize::from(!expected.is_empty()),
        _ => 0,
    };
    let window = (0..looks).fold(SEND_WINDOW, |window, _| window.plus(request_time));
    let send_by = tx.now.plus(window);
    row.request.waiting_for = None;
    row.retry = None;
    row.request.due_at = Some(send_by.plus(request_time).plus(request_time).plus(SKEW));
    if row.verifying {
        tx.save(&row)?;
    } else {
        row.request.attempts += 1;
        row.sending = true;
        if row.request.state == State::New {
            tx.change(&mut row, Event::Send)?;
        } else {
            tx.save(&row)?;
        }
        tx.open_attempt(&row, send_by, payload)?;
        let request = &row.request;
        let details = json!({"attempt": request.attempts, "operation": request.operation, "attributes": names(&work)});
        tx.log(LogEvent {
            app: Some(&request.app),
            user: request.user.as_ref(),
            request: Some(&request.id),
            ..LogEvent::new("sending", details)
        })?;
    }
    Ok(Job { row, app: Arc::clone(app), work, send_by: tx.moment.plus(window) })
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

/// An attempt whose process died: nobody knows whether it was sent. `last_send` is the latest moment at which it can have
/// been.
pub(crate) fn interrupt(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    mut row: RequestRow,
    last_send: Timestamp,
) -> Result<(), Fault> {
    tx.close_attempt(&row, "ambiguous", "interrupted", "the process ended before there was an answer")?;
    let settle = app.definition.app.settle.whole();
    let creates = row.request.operation == Operation::Create;
    row.sending = false;
    row.unsettled = true;
    row.settle_at = Some(last_send.plus(settle));
    let (wait, waiting_for) = if creates { (settle, WaitingFor::Settle) } else { (Period::ZERO, WaitingFor::Retry) };
    let next = last_send.plus(wait).max(tx.now);
    row.retry = Some((next, waiting_for));
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
