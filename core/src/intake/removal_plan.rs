//! The plan of what a new definition or a list of users would take away: its items, each held until a second person agrees.

use super::LiveApp;
use super::reconciliation::{advance, definition_mark, log};
use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::lifecycle::Event;
use crate::model::{
    ApprovalStatus, BrakeReason, Finding, ItemState, PlanItem, Reaction, ReconciliationKind, Situation, SnapshotVerdict,
};
use crate::planning::digest::{PlanDigest, item_digest};
use crate::planning::groups::{membership_before, membership_change};
use crate::store::{PlanRow, ReconciliationRow, Tx};
use serde_json::json;
use std::collections::BTreeMap;

/// On what occasion so much would be taken away.
#[derive(Clone, Copy)]
pub(crate) struct Occasion<'a> {
    /// In words.
    pub(crate) text: &'a str,
    /// Who put it.
    pub(crate) by: Option<&'a str>,
    /// Whether it is a list of users: somebody moves every day, and none lets go what is held. What it takes away of accounts is
    /// counted elsewhere.
    pub(crate) is_list: bool,
    /// Whether the brake counts.
    pub(crate) brakes: bool,
}

/// Something that would be taken away of a user: the account, its use, or a membership.
pub(super) struct Taking {
    /// The item that it is in a plan, without its number.
    pub(super) item: PlanItem,
    pub(super) planned_for: String,
    /// The plan by which the brake held it before.
    pub(super) held: Option<RequestId>,
}

impl Taking {
    pub(super) fn membership(
        user: &UserId,
        account: &str,
        group: &str,
        planned_for: String,
        held: Option<RequestId>,
    ) -> Self {
        let mut item = new_item(Situation::MembershipUnqualified, user, Some(account.to_owned()), Reaction::Remove);
        item.group = Some(group.to_owned());
        item.changes = membership_change(Reaction::Remove, group).into_iter().collect();
        item.before = membership_before(Reaction::Remove, group);
        Self { item, planned_for, held }
    }

    /// The account, or its use. There is none yet while it is being made.
    pub(super) fn access(
        user: &UserId,
        account: Option<String>,
        reaction: Reaction,
        planned_for: String,
        held: Option<RequestId>,
    ) -> Self {
        Self { item: new_item(Situation::Unqualified, user, account, reaction), planned_for, held }
    }

    /// The brake holds it, by that plan.
    fn hold(&self, tx: &Tx<'_>, app: &AppId, plan: &RequestId) -> Result<(), Fault> {
        let finding = &self.item.finding;
        match (&self.item.group, &finding.account, &finding.user) {
            (Some(group), Some(account), _) => tx.hold_membership(app, account, group, Some(plan)),
            (_, _, Some(user)) => tx.hold_access(app, &UserId::new(user.as_str())?, Some(plan)),
            _ => Ok(()),
        }
    }
}

fn new_item(situation: Situation, user: &UserId, account: Option<String>, reaction: Reaction) -> PlanItem {
    PlanItem {
        number: 0,
        finding: Finding {
            situation,
            user: Some(user.to_string()),
            account,
            rule: None,
            candidates: Vec::new(),
            drift: Vec::new(),
            faults: Vec::new(),
        },
        group: None,
        reaction,
        state: ItemState::Held,
        destructive: true,
        explicit: false,
        changes: Vec::new(),
        before: BTreeMap::new(),
        why: Vec::new(),
        request: None,
        fault: None,
        by: None,
    }
}

/// Holds all of it in one plan, which waits for a second person.
pub(super) fn make_plan(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    occasion: Occasion<'_>,
    mut takings: Vec<Taking>,
    brake: Vec<BrakeReason>,
) -> Result<RequestId, Fault> {
    let (id, verdict, by) = (&app.definition.app.id, SnapshotVerdict::Complete, occasion.by);
    let mut row = ReconciliationRow::new(tx.request_id()?, ReconciliationKind::Source, Some(id.clone()), tx.now);
    let mark = definition_mark(app)?;
    row.definition = Some(mark.clone());
    let shown = &mut row.shown;
    shown.by = by.map(str::to_owned);
    shown.verdict = Some(verdict);
    shown.verdict_why = vec![format!("nothing was read: {}", occasion.text)];
    for one in &takings {
        *shown.counts.0.entry(one.item.finding.situation).or_default() += 1;
    }
    let key = tx.insert_reconciliation(&row)?;
    advance(tx, &mut row, Event::Analyze, by, json!({"why": occasion.text}))?;
    // Memberships are taken from an account that is still as it was.
    takings.sort_by_key(|one| one.item.group.is_none());
    let (mut digest, count) = (PlanDigest::new(&mark, verdict), takings.len());
    for (mut one, number) in takings.into_iter().zip(1..) {
        one.hold(tx, id, &row.shown.id)?;
        one.item.number = number;
        one.item.why.insert(0, occasion.text.to_owned());
        if let Some(before) = one.held.filter(|_| occasion.is_list) {
            // Who put the definition by which it was held is no second person for a list that came since.
            let user = one.item.finding.user.as_deref().unwrap_or_default();
            one.item.why.push(format!("the plan {before} held it before"));
            one.item.by = tx.author_of_held(&before, user, one.item.group.as_deref())?;
        }
        let digest_of_item = item_digest(&one.item, &one.planned_for);
        digest.add(number, &digest_of_item, true);
        let item = PlanRow { item: one.item, planned_for: one.planned_for, digest: digest_of_item, done_at: None };
        tx.put_item(&row.shown.id, &key, &item)?;
    }
    let digest = digest.finish();
    row.shown.digest = Some(digest.clone());
    row.shown.approval = ApprovalStatus::Required;
    row.shown.brake = brake;
    let details = json!({"digest": digest, "items": {"held": count}});
    advance(tx, &mut row, Event::Analyzed, by, details)?;
    advance(tx, &mut row, Event::Commit, by, json!({"digest": digest}))?;
    log(tx, &row, by, "held", json!({"items": count, "brake": row.shown.brake}))?;
    Ok(row.shown.id)
}

/// Why what was held stays so where the brake would let it pass by itself: no list is a second person.
pub(super) fn held_before(count: u64) -> BrakeReason {
    let message = "it was held before, and nobody has released it".to_owned();
    BrakeReason { name: "held_before".to_owned(), message, count, of: count }
}
