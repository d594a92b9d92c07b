//! The life of a reconciliation: its request and its own row move together, and every step is logged.

use super::LiveApp;
use super::insert::{NewRequest, row_of};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::lifecycle::Event;
use crate::model::{ReconciliationKind, State};
use crate::operation::Operation;
use crate::planning::digest::PlanDigest;
use crate::store::{LogEvent, ReconciliationRow, RequestRow, Tx, definition_text};
use serde_json::{Value, json};

/// How many items are looked at at once.
const PAGE: u32 = 500;

/// Makes a Reconcile request and its reconciliation.
///
/// # Errors
/// `reconciliation_open` where there is an unfinished one.
pub(crate) fn begin_reconciliation(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    by: Option<&str>,
    why: &str,
    parent: Option<&RequestRow>,
) -> Result<ReconciliationRow, Fault> {
    let definition = &app.definition.app;
    if tx.open_reconciliation(&definition.id)?.is_some() {
        return Err(Fault::new(Code::ReconciliationOpen, "another reconciliation of the app is open"));
    }
    let (operation, why) = (Operation::Reconcile, why.to_owned());
    let new = NewRequest { operation, why, by, by_hand: by.is_some(), parent, ..NewRequest::default() };
    let row = row_of(tx, &definition.id, &new)?;
    tx.insert_request(&row, false)?;
    let id = row.request.id.clone();
    let mut reconciliation =
        ReconciliationRow::new(id, ReconciliationKind::Target, Some(definition.id.clone()), tx.now);
    reconciliation.shown.by = by.map(str::to_owned);
    reconciliation.partial = definition.reconcile.as_ref().is_some_and(|settings| settings.filter.is_some());
    tx.insert_reconciliation(&reconciliation)?;
    log(tx, &reconciliation, by, "decided", json!({"operation": operation, "why": new.why}))?;
    Ok(reconciliation)
}

/// Moves a reconciliation, and its request where it has one, to the state that `event` leads to; stores and logs that.
///
/// # Errors
/// `invalid_transition` where the event may not happen; `cancelled` where somebody else took the work up meanwhile.
pub(crate) fn advance(
    tx: &mut Tx<'_>,
    row: &mut ReconciliationRow,
    event: Event,
    by: Option<&str>,
    details: Value,
) -> Result<(), Fault> {
    match tx.request(row.shown.id.as_str())? {
        Some(mut request) => {
            request.request.faults.clone_from(&row.shown.faults);
            request.request.approval = row.shown.approval;
            request.request.waiting_for = row.shown.waiting_for;
            tx.change(&mut request, event)?;
            row.shown.state = request.request.state;
            row.shown.finished_at = request.request.finished_at;
        }
        None => {
            row.shown.state = crate::lifecycle::next(row.shown.state, event)?;
            row.shown.finished_at = row.shown.state.is_finished().then_some(tx.now);
        }
    }
    if row.shown.finished_at.is_some() {
        row.shown.waiting_for = None;
    }
    tx.save_reconciliation(row)?;
    log(tx, row, by, kind(row.shown.state), details)
}

/// Takes a reconciliation back of which nothing was committed, or ends one whose rest was held and is not wanted any more.
/// What was planned and not done is expired.
pub(crate) fn end_reconciliation(
    tx: &mut Tx<'_>,
    id: &RequestId,
    event: Event,
    by: Option<&str>,
    why: &str,
) -> Result<(), Fault> {
    let missing = || Fault::new(Code::NotFound, "there is no such reconciliation");
    let mut row = tx.reconciliation(id.as_str())?.ok_or_else(missing)?;
    // Whoever is at it writes no more.
    tx.take_reconciliation(&mut row)?;
    if event == Event::Fail {
        row.shown.faults = vec![Fault::new(Code::Cancelled, why)];
    }
    let expired = expire_items(tx, id)?;
    advance(tx, &mut row, event, by, json!({"operation": Operation::Reconcile, "why": why, "expired": expired}))
}

/// What is not done when a plan ends is expired. Gives how many items that are.
pub(crate) fn expire_items(tx: &mut Tx<'_>, id: &RequestId) -> Result<u64, Fault> {
    use crate::model::ItemState::{Expired, Held, Planned, Review};
    let mut expired = 0;
    for from in [Planned, Held, Review] {
        expired += tx.move_items(id, from, Expired)?;
    }
    Ok(expired)
}

/// The digest of a plan as it is stored, by what its items' digests are and which of them are held. `digest` is that of the
/// plan before its first item.
pub(crate) fn plan_digest(tx: &Tx<'_>, id: &RequestId, mut digest: PlanDigest) -> Result<String, Fault> {
    let mut after = 0;
    loop {
        let page = tx.item_digests(id, after, PAGE)?;
        let Some((last, ..)) = page.last() else { return Ok(digest.finish()) };
        after = *last;
        page.iter().for_each(|(number, item, is_held)| digest.add(*number, item, *is_held));
    }
}

/// What tells one definition from another.
pub(crate) fn definition_mark(live: &LiveApp) -> Result<String, Fault> {
    Ok(crate::value::sha256_hex(definition_text(&live.definition.app)?.as_bytes()))
}

/// Logs what happened to a reconciliation.
pub(crate) fn log(
    tx: &mut Tx<'_>,
    row: &ReconciliationRow,
    by: Option<&str>,
    kind: &str,
    details: Value,
) -> Result<(), Fault> {
    let (app, request) = (row.shown.app.as_ref(), Some(&row.shown.id));
    tx.log(LogEvent { app, request, by, ..LogEvent::new(kind, details) })
}

fn kind(state: State) -> &'static str {
    match state {
        State::New | State::Requested => "decided",
        State::Collecting => "collecting",
        State::Collected => "collected",
        State::Analyzing => "analyzing",
        State::Analyzed => "analyzed",
        State::Committing => "committing",
        State::Completed => "completed",
        State::Failed => "failed",
        State::Retried => "retried",
        State::ManuallyCompleted => "completed_manually",
        State::Cancelled => "cancelled",
    }
}
