//! Whole lists of users: who is absent is noted, and leaves when it is confirmed, or is held.

use super::reconciliation::{advance, end_reconciliation, plan_digest};
use super::users::leave;
use super::{LiveApps, Trigger};
use crate::fault::{Blame, Code, Fault};
use crate::id::RequestId;
use crate::lifecycle::Event;
use crate::model::{
    ApprovalStatus, BrakeReason, Finding, ItemState, PlanItem, Reaction, ReconciliationKind, Request, Situation,
    SituationCounts, SnapshotVerdict, State,
};
use crate::planning::digest::{PlanDigest, item_digest};
use crate::planning::source::{Absence, SourceList, absence};
use crate::store::{PlanRow, ReconciliationRow, Tx};
use crate::time::{Period, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;

/// Why a user left whom no record says so of.
const NOT_LISTED: &str = "not in the list of all users";

/// A user whose absence two lists agree on.
pub(crate) struct Leaver {
    pub(crate) id: String,
    /// When the first of the lists came; another time, or none, tells that the user was put since.
    pub(crate) unseen_at: Timestamp,
}

/// What a part of the directory comes to when it is compared with a list.
#[derive(Default)]
pub(crate) struct Observed {
    /// The last user who was looked at; none where there was nobody left.
    pub(crate) last: Option<String>,
    /// How many are absent and not confirmed.
    pub(crate) noted: u64,
    /// Whose absence is confirmed.
    pub(crate) leavers: Vec<Leaver>,
}

/// Compares the next users after one with a list, and notes whom it is without.
pub(crate) fn observe(
    tx: &Tx<'_>,
    list: &SourceList,
    after: &str,
    limit: u32,
    apart: Period,
) -> Result<Observed, Fault> {
    let mut observed = Observed::default();
    for user in tx.present_users(after, limit)? {
        observed.last = Some(user.id.clone());
        if list.ids.contains(&user.id) {
            continue;
        }
        match (absence(user.unseen_at, tx.now, apart), user.unseen_at) {
            (Absence::Confirmed, Some(unseen_at)) => observed.leavers.push(Leaver { id: user.id, unseen_at }),
            (Absence::First, _) => {
                tx.note_unseen(&user.id)?;
                observed.noted += 1;
            }
            _ => observed.noted += 1,
        }
    }
    Ok(observed)
}

/// Ends what older lists of users left for a person to decide: a newer one took their place.
pub(crate) fn supersede(tx: &mut Tx<'_>, by: Option<&str>) -> Result<(), Fault> {
    for id in tx.open_source_lists()? {
        let Some(row) = tx.reconciliation(id.as_str())? else { continue };
        let event = match row.shown.state {
            State::Committing => Event::Complete,
            _ => Event::Cancel,
        };
        end_reconciliation(tx, &id, event, by, "a newer list of all users took its place")?;
    }
    Ok(())
}

/// Begins the reconciliation of those who are not in a list any more.
pub(crate) fn begin_leavers(
    tx: &mut Tx<'_>,
    list: &SourceList,
    verdict: (SnapshotVerdict, &[String]),
    leavers: u64,
    by: Option<&str>,
) -> Result<ReconciliationRow, Fault> {
    let mut row = ReconciliationRow::new(tx.request_id()?, ReconciliationKind::Source, None, tx.now);
    row.accounts = list.ids.len() as u64;
    let shown = &mut row.shown;
    shown.by = by.map(str::to_owned);
    shown.collected = row.accounts;
    shown.verdict = Some(verdict.0);
    shown.verdict_why = verdict.1.to_vec();
    let count = |situation| if situation == Situation::SourceGone { leavers } else { 0 };
    shown.counts = SituationCounts(Situation::of_accounts().map(|situation| (situation, count(situation))).collect());
    tx.insert_reconciliation(&row)?;
    advance(tx, &mut row, Event::Analyze, by, json!({"why": NOT_LISTED}))?;
    Ok(row)
}

/// The item of a leaver; items are counted from 1.
pub(crate) fn item_of(leaver: &Leaver, number: u64, state: ItemState) -> PlanRow {
    let item = PlanItem {
        number,
        finding: Finding {
            situation: Situation::SourceGone,
            user: Some(leaver.id.clone()),
            account: None,
            rule: None,
            candidates: Vec::new(),
            drift: Vec::new(),
            faults: Vec::new(),
        },
        group: None,
        reaction: Reaction::Deactivate,
        state,
        destructive: true,
        explicit: false,
        changes: Vec::new(),
        before: BTreeMap::new(),
        why: vec![format!("{NOT_LISTED}, since {}", leaver.unseen_at)],
        request: None,
        fault: None,
        by: None,
    };
    let planned_for = leaver.unseen_at.as_micros().to_string();
    PlanRow { digest: item_digest(&item, &planned_for), item, planned_for, done_at: None }
}

/// Seals the plan: what it is from then on is what its digest says. It is carried out next; what is held waits for a second
/// person.
pub(crate) fn seal_leavers(
    tx: &mut Tx<'_>,
    row: &mut ReconciliationRow,
    digest: String,
    brake: Vec<BrakeReason>,
) -> Result<(), Fault> {
    let by = row.shown.by.clone();
    let names: Vec<String> = brake.iter().map(|reason| reason.name.clone()).collect();
    if !brake.is_empty() {
        row.shown.approval = ApprovalStatus::Required;
    }
    let details = json!({"digest": digest, "held": names});
    row.shown.digest = Some(digest);
    row.shown.brake = brake;
    advance(tx, row, Event::Analyzed, by.as_deref(), details)?;
    advance(tx, row, Event::Commit, by.as_deref(), json!({"digest": row.shown.digest}))
}

/// Carries out the next items of a plan. Gives how many users left, and whether that was the end of the plan.
pub(crate) fn let_leavers_go(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    id: &RequestId,
    limit: u32,
) -> Result<(u64, bool), Fault> {
    // Whoever else was at it may have ended it.
    let unfinished = tx.reconciliation(id.as_str())?.filter(|row| row.shown.state == State::Committing);
    let Some(mut row) = unfinished else { return Ok((0, true)) };
    let items = tx.next_items(id, ItemState::Planned, limit)?;
    if items.is_empty() {
        if tx.next_items(id, ItemState::Held, 1)?.is_empty() {
            end_of_leavers(tx, &mut row)?;
        }
        return Ok((0, true));
    }
    if !is_as_sealed(tx, &row)? {
        let why = "the items are not those of the plan: somebody changed the database";
        end_reconciliation(tx, id, Event::Fail, None, why)?;
        return Ok((0, true));
    }
    let by = row.shown.by.as_deref().or(row.released_by.as_deref());
    let mut left = 0;
    for mut item in items {
        match tx.part(|tx| leave_unlisted(tx, apps, &item, by)) {
            Ok(requests) => {
                left += 1;
                item.item.state = ItemState::Done;
                item.item.request = requests.into_iter().next().map(|request| request.id);
                item.done_at = Some(tx.now);
            }
            Err(fault) if fault.code.blame() == Blame::Store => return Err(fault),
            Err(fault) => {
                item.item.state = ItemState::Refused;
                item.item.fault = Some(fault);
            }
        }
        tx.save_item(id, &item)?;
    }
    Ok((left, false))
}

/// Whether the plan is the one that was sealed, by the digests of its items and by which of them are held, or were until they
/// were released.
fn is_as_sealed(tx: &Tx<'_>, row: &ReconciliationRow) -> Result<bool, Fault> {
    let verdict = row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete);
    let digest = plan_digest(tx, &row.shown.id, PlanDigest::of_users(verdict))?;
    Ok(row.shown.digest.as_deref() == Some(digest.as_str()))
}

/// Everything is done.
fn end_of_leavers(tx: &mut Tx<'_>, row: &mut ReconciliationRow) -> Result<(), Fault> {
    if row.released_by.is_some() {
        // Whoever released the leavers says that so many users are all there are.
        tx.accept_list(row.accounts)?;
    }
    let by = row.released_by.clone().or_else(|| row.shown.by.clone());
    advance(tx, row, Event::Complete, by.as_deref(), json!({}))
}

/// The user leaves the directory.
///
/// # Errors
/// `item_changed` where they were put again or left by themselves since the lists were compared.
fn leave_unlisted(tx: &mut Tx<'_>, apps: &LiveApps, row: &PlanRow, by: Option<&str>) -> Result<Vec<Request>, Fault> {
    if item_digest(&row.item, &row.planned_for) != row.digest {
        return Err(Fault::new(Code::ItemChanged, format!("item {} is not as it was planned", row.item.number)));
    }
    let user = row.item.finding.user.as_deref().unwrap_or_default();
    let unseen_at = tx.unseen_at(user)?.map(|at| at.as_micros().to_string());
    if unseen_at.as_deref() != Some(&row.planned_for) {
        return Err(Fault::new(Code::ItemChanged, "the user was put again or left since the list was put"));
    }
    let trigger = Trigger { text: NOT_LISTED, by, is_definition: false };
    leave(tx, apps, user, json!({"why": NOT_LISTED}), trigger)
}
