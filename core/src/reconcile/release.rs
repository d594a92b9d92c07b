//! Release: a second person lets through what the brake holds of exactly one plan, once.

use super::definition_mark;
use super::judge::is_confirmed_item;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApps, log_step, plan_digest};
use crate::model::{ApprovalStatus, ItemState, LogEntry, PlanItem, ReconciliationKind, SnapshotVerdict, State};
use crate::planning::brake::can_be_released;
use crate::planning::digest::{PlanDigest, item_digest};
use crate::store::{PlanRow, RELEASED, ReconciliationRow, Tx};
use crate::time::Period;
use serde_json::{Value, json};

/// How long a plan can be released, and how long a release holds.
pub(crate) const VALID: Period = Period::from_seconds(86_400);

/// How many items are looked at at once.
const PAGE: u32 = 500;

/// A second person agrees to the held part of exactly this plan. It is let through by the commit; where that was done
/// already, the caller goes on with it.
///
/// # Errors
/// `four_eyes` where it is not a second person; `plan_changed` where the digest is not that of the plan, an item is not as
/// it was planned, or the definition changed; `invalid_transition` where nothing waits for a release, it was released
/// before, or the plan is older than 24 hours and of what a target or a list of users showed.
pub(crate) fn release(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    row: &mut ReconciliationRow,
    digest: &str,
    by: &str,
) -> Result<(), Fault> {
    if goes_on(tx, row, digest, by)? {
        return Ok(());
    }
    may_release(tx, row, by)?;
    same_definition(apps, row)?;
    same_items(tx, row, digest)?;
    some_can_be_let_through(tx, apps, row)?;
    each_held(tx, &row.shown.id, |one| {
        same_item(&one).map_err(|fault| Fault::new(Code::PlanChanged, fault.message.clone()))
    })?;
    // Whoever is at it reads the plan again before anything else is done.
    tx.take_reconciliation(row)?;
    row.shown.approval = ApprovalStatus::Approved;
    row.released_by = Some(by.to_owned());
    row.released_at = Some(tx.now);
    tx.save_reconciliation(row)?;
    log_step(tx, row, Some(by), "released", json!({"digest": row.shown.digest}))?;
    if row.shown.state == State::Committing { let_through(tx, apps, row) } else { Ok(()) }
}

/// Whether this is the release that was interrupted while it was carried out.
fn goes_on(tx: &Tx<'_>, row: &ReconciliationRow, digest: &str, by: &str) -> Result<bool, Fault> {
    let same = row.released_by.as_deref() == Some(by) && row.shown.digest.as_deref() == Some(digest);
    let under_way = row.used_at.is_some() && row.shown.state == State::Committing;
    Ok(same && under_way && !tx.next_items(&row.shown.id, ItemState::Planned, 1)?.is_empty())
}

fn may_release(tx: &Tx<'_>, row: &ReconciliationRow, by: &str) -> Result<(), Fault> {
    let refused = |message: &str| Err(Fault::new(Code::InvalidTransition, message));
    let shown = &row.shown;
    if !matches!(shown.state, State::Analyzed | State::Committing) || shown.finished_at.is_some() {
        return refused("the reconciliation has no plan that waits for a release");
    }
    second_person(tx, row, by)?;
    if row.released_at.is_some() {
        return refused("the plan was released before; a release is for once");
    }
    if shown.verdict.is_none_or(|verdict| verdict == SnapshotVerdict::Incomplete) {
        return refused("the listing is incomplete: what would be taken away is not released");
    }
    if tx.next_items(&shown.id, ItemState::Held, 1)?.is_empty() {
        return refused("the brake holds nothing of this plan");
    }
    if !can_be_released(&shown.brake) {
        return refused("what is held was found for the first time: another reconciliation must find it again");
    }
    // What a definition or a list had held is decided again for each user, and a newer one takes its place.
    if tx.now > shown.created_at.plus(VALID) && !row.is_of_removals() {
        return refused("the plan is more than 24 hours old; reconcile again");
    }
    Ok(())
}

/// Whoever asked for the reconciliation, had it committed or decided on an item is no second person.
fn second_person(tx: &Tx<'_>, row: &ReconciliationRow, by: &str) -> Result<(), Fault> {
    if by.trim().is_empty() {
        return Err(Fault::new(Code::InvalidArgument, "say who releases the plan"));
    }
    let first = [&row.shown.by, &row.committed_by];
    if first.into_iter().flatten().any(|one| one.trim() == by.trim()) || tx.has_decided(&row.shown.id, by)? {
        let message = "whoever reconciled, committed or reviewed may not release; another person must";
        return Err(Fault::new(Code::FourEyes, message));
    }
    Ok(())
}

/// Whether the app is still defined as when the plan was made.
///
/// # Errors
/// `plan_changed`.
pub(super) fn same_definition(apps: &LiveApps, row: &ReconciliationRow) -> Result<(), Fault> {
    let changed = |message: &str| Fault::new(Code::PlanChanged, message);
    let Some(app) = &row.shown.app else { return Ok(()) };
    let live = apps.values().find(|live| live.definition.app.id == *app);
    let mark = definition_mark(live.ok_or_else(|| changed("the app is not in use"))?)?;
    // What was done is undone whatever the definition says now.
    match row.definition.as_deref().is_none_or(|definition| definition == mark) {
        true => Ok(()),
        false => Err(changed("the app's definition changed since the plan was made")),
    }
}

/// Whether the plan is still the one of that digest, by the digests of its items. Whether an item is what its digest says is
/// looked at when it is released or done.
///
/// # Errors
/// `plan_changed`.
pub(super) fn same_items(tx: &Tx<'_>, row: &ReconciliationRow, digest: &str) -> Result<(), Fault> {
    let changed = |message: &str| Fault::new(Code::PlanChanged, message);
    if row.shown.digest.as_deref() != Some(digest) {
        return Err(changed("the digest is not that of the plan as it is now"));
    }
    let verdict = row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete);
    let before = match row.is_of_users() {
        true => PlanDigest::of_users(verdict),
        false => PlanDigest::new(row.definition.as_deref().unwrap_or_default(), verdict),
    };
    match plan_digest(tx, &row.shown.id, before)? == digest {
        true => Ok(()),
        false => Err(changed("the items are not those of the plan")),
    }
}

/// Whether an item is as it was planned.
///
/// # Errors
/// `item_changed`.
pub(super) fn same_item(one: &PlanRow) -> Result<(), Fault> {
    match item_digest(&one.item, &one.planned_for) == one.digest {
        true => Ok(()),
        false => Err(Fault::new(Code::ItemChanged, format!("item {} is not as it was planned", one.item.number))),
    }
}

/// On commit, lets through what a second person released before.
///
/// # Errors
/// `four_eyes` where the same person commits; `plan_changed` where the release is more than 24 hours old, or the log does
/// not know of it.
pub(super) fn use_release(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    row: &mut ReconciliationRow,
    by: &str,
) -> Result<(), Fault> {
    if row.released_at.is_none() || row.used_at.is_some() {
        return Ok(());
    }
    let entry = tx.last_logged_of(&row.shown.id, "released")?;
    let is_of_plan = |entry: &LogEntry| {
        entry.by == row.released_by
            && entry.details.get("digest").and_then(Value::as_str) == row.shown.digest.as_deref()
    };
    let Some(entry) = entry.filter(is_of_plan) else {
        return Err(Fault::new(Code::PlanChanged, "the log does not know of this release of the plan"));
    };
    if row.released_by.as_deref().is_some_and(|one| one.trim() == by.trim()) {
        return Err(Fault::new(Code::FourEyes, "whoever released the plan may not commit it; another person must"));
    }
    if tx.now > entry.at.plus(VALID) {
        return Err(Fault::new(Code::PlanChanged, "the release is more than 24 hours old; reconcile again"));
    }
    let_through(tx, apps, row)
}

fn each_held(tx: &Tx<'_>, id: &RequestId, mut visit: impl FnMut(PlanRow) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut after = 0;
    loop {
        let filter = crate::model::PlanFilter {
            state: Some(ItemState::Held),
            after: Some(after),
            limit: Some(PAGE),
            ..crate::model::PlanFilter::default()
        };
        let page = tx.plan_items(id, &filter)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.item.number;
        page.into_iter().try_for_each(&mut visit)?;
    }
}

/// Whether an item that is held may be let through: what was found for the first time may not.
fn is_free(tx: &Tx<'_>, apps: &LiveApps, row: &ReconciliationRow, item: &PlanItem) -> Result<bool, Fault> {
    let Some(app) = row.shown.app.as_ref().filter(|_| row.shown.kind == ReconciliationKind::Target) else {
        return Ok(true);
    };
    let live = apps.values().find(|live| live.definition.app.id == *app);
    let settings = live.and_then(|live| live.definition.app.brake.clone()).unwrap_or_default();
    is_confirmed_item(tx, app, &settings, item)
}

/// # Errors
/// `invalid_transition` where everything that is held was found for the first time.
fn some_can_be_let_through(tx: &Tx<'_>, apps: &LiveApps, row: &ReconciliationRow) -> Result<(), Fault> {
    let mut any = false;
    each_held(tx, &row.shown.id, |one| {
        any = any || is_free(tx, apps, row, &one.item)?;
        Ok(())
    })?;
    if any {
        return Ok(());
    }
    let message = "what is held was found for the first time: another reconciliation must find it again";
    Err(Fault::new(Code::InvalidTransition, message))
}

/// Lets through what is held and may be: what was found for the first time stays held.
fn let_through(tx: &mut Tx<'_>, apps: &LiveApps, row: &mut ReconciliationRow) -> Result<(), Fault> {
    let id = row.shown.id.clone();
    let by = row.released_by.clone().unwrap_or_default();
    each_held(tx, &id, |mut one| {
        if is_free(tx, apps, row, &one.item)? {
            one.item.state = ItemState::Planned;
            one.item.why.push(format!("{RELEASED}{by}"));
            tx.save_item(&id, &one)?;
        }
        Ok(())
    })?;
    row.used_at = Some(tx.now);
    tx.save_reconciliation(row)
}
