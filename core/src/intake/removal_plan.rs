//! The plan of what a new definition or a list of users would take away: its items, each held until a second person agrees.

use super::LiveApp;
use super::reconciliation::{advance, definition_mark, end_reconciliation, log};
use super::taking::Taking;
use crate::fault::Fault;
use crate::id::{AppId, RequestId};
use crate::lifecycle::Event;
use crate::model::{ApprovalStatus, BrakeReason, ReconciliationKind, SnapshotVerdict, State};
use crate::planning::digest::{PlanDigest, item_digest};
use crate::store::{PlanRow, ReconciliationRow, Tx, UserKey};
use serde_json::json;

/// Why a plan is over whose place another takes.
pub(super) const REPLACED: &str = "a newer definition or list of users took its place";

/// A plan that is being written, item by item, so that it may be of any length.
pub(super) struct RemovalPlan<'a> {
    app: &'a AppId,
    text: &'a str,
    row: ReconciliationRow,
    key: UserKey,
    digest: PlanDigest,
    items: u64,
}

impl<'a> RemovalPlan<'a> {
    /// Begins a plan; `text` is the occasion, in words.
    pub(super) fn begin(tx: &mut Tx<'_>, app: &'a LiveApp, text: &'a str, by: Option<&str>) -> Result<Self, Fault> {
        let (id, verdict) = (&app.definition.app.id, SnapshotVerdict::Complete);
        let mut row = ReconciliationRow::new(tx.request_id()?, ReconciliationKind::Source, Some(id.clone()), tx.now);
        let mark = definition_mark(app)?;
        row.definition = Some(mark.clone());
        let shown = &mut row.shown;
        shown.by = by.map(str::to_owned);
        shown.verdict = Some(verdict);
        shown.verdict_why = vec![format!("nothing was read: {text}")];
        let key = tx.insert_reconciliation(&row)?;
        advance(tx, &mut row, Event::Analyze, by, json!({"why": text}))?;
        Ok(Self { app: id, text, row, key, digest: PlanDigest::new(&mark, verdict), items: 0 })
    }

    /// Holds something that would be taken away. Memberships come first: they are taken from an account that is still as it was.
    pub(super) fn add(&mut self, tx: &mut Tx<'_>, mut one: Taking) -> Result<(), Fault> {
        let id = &self.row.shown.id;
        one.hold(tx, self.app, id)?;
        self.items += 1;
        *self.row.shown.counts.0.entry(one.item.finding.situation).or_default() += 1;
        one.item.number = self.items;
        one.item.why.insert(0, self.text.to_owned());
        let digest = item_digest(&one.item, &one.planned_for);
        self.digest.add(self.items, &digest, true);
        tx.put_item(id, &self.key, &PlanRow { item: one.item, planned_for: one.planned_for, digest, done_at: None })
    }

    /// The same of what the brake held before. Who put the definition by which it was held is no second person for a list that came
    /// since.
    pub(super) fn add_again(&mut self, tx: &mut Tx<'_>, mut one: Taking) -> Result<(), Fault> {
        if let Some(before) = &one.held {
            let user = one.item.finding.user.as_deref().unwrap_or_default();
            one.item.why.push(format!("the plan {before} held it before"));
            one.item.by = tx.author_of_held(before, user, one.item.group.as_deref())?;
        }
        self.add(tx, one)
    }

    /// The plan is whole, and waits for a second person.
    pub(super) fn seal(self, tx: &mut Tx<'_>, brake: Vec<BrakeReason>) -> Result<RequestId, Fault> {
        let (mut row, digest) = (self.row, self.digest.finish());
        let by = row.shown.by.clone();
        let by = by.as_deref();
        row.shown.digest = Some(digest.clone());
        row.shown.approval = ApprovalStatus::Required;
        row.shown.brake = brake;
        let details = json!({"digest": digest, "items": {"held": self.items}});
        advance(tx, &mut row, Event::Analyzed, by, details)?;
        advance(tx, &mut row, Event::Commit, by, json!({"digest": digest}))?;
        log(tx, &row, by, "held", json!({"items": self.items, "brake": row.shown.brake}))?;
        Ok(row.shown.id)
    }
}

/// Why what was held stays so where the brake would let it pass by itself: no list is a second person.
pub(super) fn held_before(count: u64) -> BrakeReason {
    let message = "it was held before, and nobody has released it".to_owned();
    BrakeReason { name: "held_before".to_owned(), message, count, of: count }
}

/// Ends what a definition or list left for a person to decide, and says why.
pub(super) fn end_removals(tx: &mut Tx<'_>, app: &AppId, by: Option<&str>, why: &str) -> Result<(), Fault> {
    for id in tx.open_removals(app)? {
        let Some(row) = tx.reconciliation(id.as_str())? else { continue };
        let event = if row.shown.state == State::Committing { Event::Complete } else { Event::Cancel };
        end_reconciliation(tx, &id, event, by, why)?;
    }
    Ok(())
}
