//! Release: a second person lets through what the brake holds of exactly one plan, once.

use super::definition_mark;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApps, log_step};
use crate::model::{ApprovalStatus, ItemState, ReconciliationKind, SnapshotVerdict, State};
use crate::planning::brake::{can_be_released, is_confirmed};
use crate::planning::digest::{PlanDigest, item_digest};
use crate::store::{PlanRow, ReconciliationRow, Tx};
use crate::time::Period;
use serde_json::json;

/// How long a plan can be released, and how long a release holds.
pub(crate) const VALID: Period = Period::from_seconds(86_400);

/// How many items are looked at at once.
const PAGE: u32 = 500;

/// What a plan that no app's definition is behind has in the place of its mark.
const USERS: &str = "users";

/// Whether this person may let through the held part of exactly this plan now.
///
/// # Errors
/// `four_eyes` where it is not a second person; `plan_changed` where the digest is not that of the plan, an item is not as
/// it was planned, or the definition changed; `invalid_transition` where nothing waits for a release, it was released
/// before, or the plan is older than 24 hours.
pub(crate) fn may_release(
    tx: &Tx<'_>,
    apps: &LiveApps,
    row: &ReconciliationRow,
    digest: &str,
    by: &str,
) -> Result<(), Fault> {
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
    if tx.now > shown.created_at.plus(VALID) {
        return refused("the plan is more than 24 hours old; reconcile again");
    }
    unchanged(tx, apps, row, digest)
}

/// Whoever asked for the reconciliation, had it committed or decided on an item is no second person.
fn second_person(tx: &Tx<'_>, row: &ReconciliationRow, by: &str) -> Result<(), Fault> {
    if by.trim().is_empty() {
        return Err(Fault::new(Code::InvalidArgument, "say who releases the plan"));
    }
    let first = [&row.shown.by, &row.committed_by];
    if first.into_iter().flatten().any(|one| one == by) || tx.has_decided(&row.shown.id, by)? {
        let message = "whoever reconciled, committed or reviewed may not release; another person must";
        return Err(Fault::new(Code::FourEyes, message));
    }
    Ok(())
}

/// Whether the plan is still the one of that digest, item by item.
///
/// # Errors
/// `plan_changed`.
pub(super) fn unchanged(tx: &Tx<'_>, apps: &LiveApps, row: &ReconciliationRow, digest: &str) -> Result<(), Fault> {
    let changed = |message: &str| Fault::new(Code::PlanChanged, message);
    let shown = &row.shown;
    if shown.digest.as_deref() != Some(digest) {
        return Err(changed("the digest is not that of the plan as it is now"));
    }
    let mark = match &shown.app {
        None => USERS.to_owned(),
        Some(app) => {
            let live = apps.values().find(|live| live.definition.app.id == *app);
            definition_mark(live.ok_or_else(|| changed("the app was deleted"))?)?
        }
    };
    if shown.kind != ReconciliationKind::Source && row.definition.as_deref() != Some(mark.as_str()) {
        return Err(changed("the app's definition changed since the plan was made"));
    }
    let verdict = shown.verdict.unwrap_or(SnapshotVerdict::Incomplete);
    if plan_digest(tx, &shown.id, &mark, verdict)? != digest {
        return Err(changed("the items are not those of the plan"));
    }
    each_held(tx, &shown.id, |item| match item_digest(&item.item, &item.planned_for) == item.digest {
        true => Ok(()),
        false => Err(changed("an item is not as it was planned")),
    })
}

/// The digest of a plan as it is stored, by what its items' digests are and which of them are held.
pub(super) fn plan_digest(
    tx: &Tx<'_>,
    id: &RequestId,
    mark: &str,
    verdict: SnapshotVerdict,
) -> Result<String, Fault> {
    let mut digest = PlanDigest::new(mark, verdict);
    let mut after = 0;
    loop {
        let page = tx.item_digests(id, after, PAGE)?;
        let Some((last, ..)) = page.last() else { return Ok(digest.finish()) };
        after = *last;
        page.iter().for_each(|(number, item, is_held)| digest.add(*number, item, *is_held));
    }
}

fn each_held(
    tx: &Tx<'_>,
    id: &RequestId,
    mut visit: impl FnMut(PlanRow) -> Result<(), Fault>,
) -> Result<(), Fault> {
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

/// Lets through what is held and may be: what was found for the first time stays held. It is done by the commit, which the
/// caller goes on with where there was one.
pub(super) fn let_through(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    row: &mut ReconciliationRow,
    by: &str,
) -> Result<(), Fault> {
    let id = row.shown.id.clone();
    let app = row.shown.app.clone();
    let live = app.as_ref().and_then(|app| apps.values().find(|live| live.definition.app.id == *app));
    let apart = live.and_then(|live| live.definition.app.brake.clone()).unwrap_or_default().observed_apart;
    // Whoever is at it reads the plan again before anything else is done.
    tx.take_reconciliation(row)?;
    let (mut released, mut kept) = (0_u64, 0_u64);
    each_held(tx, &id, |mut one| {
        let item = &one.item;
        let inferred = item.reaction.is_destructive() && !item.explicit && item.by.is_none();
        let seen = match &app {
            Some(app) if inferred && row.shown.kind == ReconciliationKind::Target => {
                let seen = tx.observation(app, &item.finding)?;
                seen.is_some_and(|seen| is_confirmed(seen.first_at, seen.last_at, apart))
            }
            _ => true,
        };
        if seen {
            one.item.state = ItemState::Planned;
            one.item.why.push(format!("released by {by}"));
            tx.save_item(&id, &one)?;
            released += 1;
        } else {
            kept += 1;
        }
        Ok(())
    })?;
    row.shown.approval = ApprovalStatus::Approved;
    row.released_by = Some(by.to_owned());
    row.released_at = Some(tx.now);
    if row.shown.state == State::Committing {
        row.used_at = Some(tx.now);
    }
    tx.save_reconciliation(row)?;
    let details = json!({"digest": row.shown.digest, "released": released, "held": kept});
    log_step(tx, row, Some(by), "released", details)
}
