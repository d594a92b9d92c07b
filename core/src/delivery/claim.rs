//! Claiming: due requests get an intent, stored before anything is sent.

use super::prepare::{Prepared, prepare};
use super::settle::{fail, finish};
use super::{Gates, Job, SEND_WINDOW, SKEW, Work};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, LiveApps, cancel, elect};
use crate::lifecycle::Event;
use crate::model::{ApprovalStatus, State, WaitingFor};
use crate::operation::Operation;
use crate::store::{LogEvent, RequestRow, Tx};
use crate::time::{Period, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// Takes up to `room` due requests, in turns over the apps, beginning after the app that was served last.
pub(super) fn claim(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    gates: &mut Gates,
    turn: &mut usize,
    room: usize,
    look_up: bool,
) -> Result<(Vec<Job>, u64), Fault> {
    let mut jobs = Vec::new();
    let mut done = 0;
    let count = apps.len();
    for offset in 0..count {
        if jobs.len() >= room {
            break;
        }
        let index = (*turn + offset) % count.max(1);
        let Some(app) = apps.values().nth(index) else { continue };
        // One app may take half of the room while others have work, so that a slow one leaves workers to them.
        let left = room - jobs.len();
        let share = if offset + 1 < count { left.div_ceil(2) } else { left };
        let open = gates.room(&app.definition.app, tx.now) as usize;
        if app.connector.is_none() {
            continue;
        }
        for row in tx.due(&app.definition.app.id, share.min(open))? {
            done += 1;
            if let Some(job) = take_up(tx, app, row, look_up)? {
                gates.begin(&app.definition.app, tx.now);
                jobs.push(job);
            }
        }
    }
    *turn = if count == 0 { 0 } else { (*turn + 1) % count };
    Ok((jobs, done))
}

/// One due request: it is sent, or finished without sending, or waits for something else.
fn take_up(tx: &mut Tx<'_>, app: &Arc<LiveApp>, mut row: RequestRow, look_up: bool) -> Result<Option<Job>, Fault> {
    if row.sending {
        let last_send = tx.open_send_by(&row.request.id)?.unwrap_or(tx.now);
        interrupt(tx, app, row, last_send)?;
        return Ok(None);
    }
    if row.request.approval == ApprovalStatus::Required {
        row.request.approval = ApprovalStatus::Expired;
        let user = row.request.user.clone();
        cancel(tx, row, None, "nobody approved it in time")?;
        user.map_or(Ok(()), |user| elect(tx, &app.definition, &user))?;
        return Ok(None);
    }
    let stored = match &row.request.user {
        Some(user) => tx.user(user.as_str())?,
        None => None,
    };
    let Some(stored) = stored else {
        let fault = Fault::new(Code::NotFound, "the user's record was erased");
        return fail(tx, app, row, vec![fault]).map(|()| None);
    };
    let out_of_attempts = row.unsettled
        && row.request.operation == Operation::Create
        && !(app.capabilities.search || app.capabilities.idempotency_key);
    if out_of_attempts {
        let message = "whether the account was made cannot be found out: the target can neither search nor take a key";
        return fail(tx, app, row, vec![Fault::new(Code::Uncertain, message)]).map(|()| None);
    }
    match prepare(tx, app, &mut row, &stored, look_up)? {
        Prepared::Faulty(faults) => fail(tx, app, row, faults).map(|()| None),
        Prepared::NoAccount => {
            let user = stored.user.id.clone();
            let why = "the user has no account in the app";
            if row.unsettled {
                fail(tx, app, row, vec![Fault::new(Code::AccountMissing, why)])?;
            } else {
                cancel(tx, row, None, why)?;
            }
            elect(tx, &app.definition, &user).map(|()| None)
        }
        Prepared::Nothing(why) => {
            if row.request.state == State::New {
                tx.change(&mut row, Event::Send)?;
            }
            finish(tx, app, row, &stored, why).map(|()| None)
        }
        Prepared::Work(work, payload) => {
            let payload = payload.as_ref().map(|payload| (payload, &stored.key));
            begin(tx, app, row, work, payload).map(Some)
        }
    }
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
    let window = match &work {
        Work::Create { look_up: true, .. } => SEND_WINDOW.plus(request_time).plus(request_time),
        _ => SEND_WINDOW,
    };
    let send_by = tx.now.plus(window);
    row.request.waiting_for = None;
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
    Ok(Job { row, app: Arc::clone(app), work, send_by: Instant::now() + window.to_std() })
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
    let wait = if creates { settle } else { Period::ZERO };
    row.request.due_at = Some(last_send.plus(wait).max(tx.now));
    row.request.waiting_for = Some(if creates { WaitingFor::Settle } else { WaitingFor::Retry });
    tx.save(&row)?;
    let request = &row.request;
    let details = json!({"attempt": request.attempts, "operation": request.operation, "next": request.due_at});
    tx.log(LogEvent {
        app: Some(&request.app),
        user: request.user.as_ref(),
        request: Some(&request.id),
        ..LogEvent::new("interrupted", details)
    })?;
    let user = row.request.user.clone();
    user.map_or(Ok(()), |user| elect(tx, &app.definition, &user))
}
