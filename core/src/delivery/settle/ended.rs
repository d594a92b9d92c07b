//! The end of a request, or of one of its attempts, however it came about.

use super::super::prepare::thaw;
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, elect, elect_for};
use crate::lifecycle::Event;
use crate::operation::Operation;
use crate::path::Path;
use crate::protocol::{Confirmed, after_removal, ends_uncertain, way_on};
use crate::store::{LogEvent, RequestRow, StoredUser, Tx};
use crate::time::Moment;
use serde_json::{Value, json};

pub(super) fn log(tx: &mut Tx<'_>, row: &RequestRow, kind: &str, details: Value) -> Result<(), Fault> {
    tx.log(LogEvent {
        app: Some(&row.request.app),
        user: row.request.user.as_ref(),
        request: Some(&row.request.id),
        ..LogEvent::new(kind, details)
    })
}

/// Stores the outcome of an attempt.
pub(super) fn close(tx: &mut Tx<'_>, row: &RequestRow, outcome: &str, code: &str, message: &str) -> Result<(), Fault> {
    tx.close_attempt(row, outcome, code, message)?;
    let mut details = json!({"attempt": row.request.attempts, "operation": row.request.operation, "outcome": outcome});
    if let (Some(object), false) = (details.as_object_mut(), code.is_empty()) {
        object.insert("code".to_owned(), Value::from(code));
    }
    log(tx, row, "answered", details)
}

/// A removal of access was done. Beside an update that may still take effect, it is looked at once more after that update's
/// settle time: the update may have undone it.
pub(super) fn removed(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    mut row: RequestRow,
    verified: bool,
    gone: bool,
    doubt: Option<Moment>,
) -> Result<(), Fault> {
    row.request.verified = Some(verified);
    if row.has_attempt() {
        close(tx, &row, "applied", "", "")?;
    }
    row.sending = false;
    let doubt = doubt.map(|until| tx.now.plus(until.since(tx.moment).unwrap_or_default()));
    let confirmed = after_removal(verified, gone, doubt, tx.now);
    if let Confirmed::LookAgain(at) | Confirmed::SendAgain(at) = confirmed {
        row.verifying = matches!(confirmed, Confirmed::LookAgain(_));
        row.unsettled = !row.verifying;
        row.settle(tx.now, tx.moment, at.since(tx.now));
        tx.save(&row)?;
        log(tx, &row, "verify_later", json!({"at": at}))?;
        return elect_for(tx, &app.definition, &row);
    }
    let details = match row.request.attempts {
        0 => json!({"nothing_sent": "the account cannot be used already"}),
        _ => json!({}),
    };
    complete(tx, row.clone(), details)?;
    elect_for(tx, &app.definition, &row)
}

pub(in crate::delivery) fn complete(tx: &mut Tx<'_>, mut row: RequestRow, mut details: Value) -> Result<(), Fault> {
    row.unsettled = false;
    row.verifying = false;
    row.request.faults.clear();
    tx.change(&mut row, Event::Complete)?;
    tx.release(&row.request.id)?;
    if let Some(object) = details.as_object_mut() {
        object.insert("operation".to_owned(), json!(row.request.operation));
        if let Some(verified) = row.request.verified {
            object.insert("verified".to_owned(), Value::from(verified));
        }
    }
    log(tx, &row, "completed", details)
}

/// Completes a request for which there was nothing to send.
pub(in crate::delivery) fn finish(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: RequestRow,
    stored: &StoredUser,
    why: &str,
) -> Result<(), Fault> {
    if row.request.operation == Operation::Update {
        let account = tx.linked_account(&app.definition.app.id, &stored.user.id, &stored.key)?;
        if let Some(mut account) = account.filter(|_| row.is_in_step() && !row.removes) {
            account.fingerprint.clone_from(&row.fingerprint);
            tx.put_account(&account, &stored.key)?;
        }
    }
    complete(tx, row, json!({"nothing_sent": why}))?;
    elect(tx, &app.definition, &stored.user.id)
}

/// Gives a request up, with everything that is wrong.
pub(in crate::delivery) fn fail(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    mut row: RequestRow,
    faults: Vec<Fault>,
) -> Result<(), Fault> {
    row.request.faults = faults;
    let code = row.request.faults.first().map(|fault| fault.code);
    if ends_uncertain(row.request.operation, row.unsettled, code) {
        let message = "whether the account was made is not known";
        row.request.faults.insert(0, Fault::new(Code::Uncertain, message));
    }
    for fault in &mut row.request.faults {
        if let Some(way) = way_on(row.request.operation, fault.code) {
            fault.message = format!("{}; {way}", fault.message);
        }
    }
    if !row.unsettled {
        tx.release(&row.request.id)?;
    } else if row.request.operation == Operation::Update {
        forget_changed(tx, &row)?;
    }
    row.unsettled = false;
    tx.change(&mut row, Event::Fail)?;
    log(tx, &row, "failed", json!({"operation": row.request.operation, "faults": row.request.faults}))?;
    elect_for(tx, &app.definition, &row)
}

/// What an Update was to change that may have come through is not known of the account any more: the next one sends it,
/// whatever was applied before. Of one that cannot be read nothing is forgotten.
fn forget_changed(tx: &mut Tx<'_>, row: &RequestRow) -> Result<(), Fault> {
    let Some(user) = &row.request.user else { return Ok(()) };
    let Some(stored) = tx.user(user.as_str())? else { return Ok(()) };
    let Ok(Some(payload)) = tx.payload(&row.request.id, &stored.key) else { return Ok(()) };
    let (Ok((changes, _)), Ok(Some(mut account))) =
        (thaw(payload), tx.linked_account(&row.request.app, user, &stored.key))
    else {
        return Ok(());
    };
    for path in changes.iter().filter_map(|change| Path::parse(&change.path).ok()) {
        path.remove(&mut account.account.attributes);
        if let Some(applied) = &mut account.applied {
            path.remove(applied);
        }
    }
    account.fingerprint = None;
    tx.put_account(&account, &stored.key)
}
