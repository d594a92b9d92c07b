//! Memberships that a new definition or a whole list of users would take away at once. Where there are so many that it looks
//! like a mistake, they are held until a second person agrees to exactly that plan.

use super::membership::whole_difference;
use super::reconciliation::{advance, definition_mark, end_reconciliation, log};
use super::{LiveApp, membership_print};
use crate::definition::Definition;
use crate::fault::Fault;
use crate::id::RequestId;
use crate::lifecycle::Event;
use crate::model::{
    AccountStatus, ApprovalStatus, BrakeReason, BrakeSettings, Finding, ItemState, LinkState, PlanItem, Reaction,
    ReconciliationKind, Situation, SituationCounts, SnapshotVerdict, State, User,
};
use crate::planning::brake::group_reason;
use crate::planning::digest::{PlanDigest, item_digest};
use crate::planning::groups::{membership_before, membership_change};
use crate::store::{PlanRow, ReconciliationRow, Tx, UserState};
use crate::time::{Period, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;

/// How many rows of the ledger are read at once.
const PAGE: u32 = 500;

/// What was taken away within that time counts with what would be.
const LATELY: Period = Period::from_seconds(86_400);

/// A membership that would be taken away.
struct Leaving {
    user: User,
    account: String,
    group: String,
    /// The brake holds it already.
    was_held: bool,
}

/// What would become of an app's memberships.
#[derive(Default)]
pub(crate) struct Removals {
    leaving: Vec<Leaving>,
    /// By group, how many would come into it and how many out of it.
    groups: BTreeMap<String, (u64, u64)>,
}

/// On what occasion so much would be taken away.
#[derive(Clone, Copy)]
pub(crate) struct Occasion<'a> {
    /// In words.
    pub(crate) text: &'a str,
    /// Who put it.
    pub(crate) by: Option<&'a str>,
    /// Whether it is a list of users: somebody moves every day, and none lets go what is held.
    pub(crate) is_list: bool,
    /// Whether the brake counts.
    pub(crate) brakes: bool,
}

impl Occasion<'_> {
    /// From how many on a group that would be emptied is a reason.
    fn emptied_from(self) -> u64 {
        if self.is_list { 2 } else { 1 }
    }
}

impl Removals {
    /// What a definition would take away of what everybody was given.
    pub(crate) fn of_definition(tx: &Tx<'_>, definition: &Definition) -> Result<Self, Fault> {
        let mut removals = Self::default();
        let (mut after, mut last) = ((String::new(), String::new()), None);
        loop {
            let rows = tx.ledger_after(&definition.app.id, (&after.0, &after.1), PAGE)?;
            let Some(end) = rows.last() else { return Ok(removals) };
            after = (end.external_id.clone(), end.entry.group.clone());
            for row in rows {
                if last.as_ref() == Some(&row.external_id) {
                    continue;
                }
                removals.add_owner(tx, definition, &row.external_id)?;
                last = Some(row.external_id);
            }
        }
    }

    /// What the record of an account's owner, as it is stored, would take away.
    pub(crate) fn add_owner(&mut self, tx: &Tx<'_>, definition: &Definition, account: &str) -> Result<(), Fault> {
        let known = tx.account_at(&definition.app.id, account)?.map(|row| row.account);
        let owned = known.filter(|one| one.link_state == LinkState::Linked && one.status != AccountStatus::Deleted);
        let user = owned.and_then(|account| account.user);
        let stored = user.map(|user| tx.user(user.as_str())).transpose()?.flatten();
        match stored.filter(|stored| stored.state == UserState::Present) {
            Some(stored) => self.add(tx, definition, &stored.user, account),
            None => Ok(()),
        }
    }

    /// What a user's next record would take away. Nothing is counted of who leaves by the source's own word, or of whom the
    /// scope cannot be evaluated.
    pub(crate) fn add(
        &mut self,
        tx: &Tx<'_>,
        definition: &Definition,
        user: &User,
        account: &str,
    ) -> Result<(), Fault> {
        let app = &definition.app;
        let Ok(standing) = definition.standing(Some(user), tx.now) else { return Ok(()) };
        if app.protected.external_ids.iter().any(|id| id == account)
            || standing.causes.iter().any(|cause| cause.is_leaving())
        {
            return Ok(());
        }
        let ledger = tx.memberships(&app.id, account)?;
        let found = whole_difference(tx, definition, &ledger, Some(user), &standing)?;
        for (group, _) in found.add {
            self.groups.entry(group).or_default().0 += 1;
        }
        for group in found.remove {
            self.groups.entry(group.clone()).or_default().1 += 1;
            let was_held = ledger.iter().any(|row| row.entry.group == group && row.held_by.is_some());
            self.leaving.push(Leaving { user: user.clone(), account: account.to_owned(), group, was_held });
        }
        Ok(())
    }

    /// Whether nothing would be taken away.
    pub(crate) fn is_empty(&self) -> bool {
        self.leaving.is_empty()
    }

    /// Holds everything where the brake trips, and gives the plan that a second person has to release; notes what leaves
    /// without one where it does not. What was held before is held no more, but for what a list takes up again.
    pub(crate) fn settle(
        mut self,
        tx: &mut Tx<'_>,
        app: &LiveApp,
        occasion: Occasion<'_>,
    ) -> Result<Option<RequestId>, Fault> {
        let id = &app.definition.app.id;
        supersede(tx, app, occasion.by)?;
        tx.release_memberships(id)?;
        let mut reasons =
            if occasion.brakes { self.reasons(tx, &app.definition, occasion.emptied_from())? } else { Vec::new() };
        if reasons.is_empty() {
            let keeps = occasion.is_list && occasion.brakes;
            let (held, free): (Vec<_>, _) = self.leaving.into_iter().partition(|one| keeps && one.was_held);
            let mut left: BTreeMap<String, u64> = BTreeMap::new();
            free.into_iter().for_each(|one| *left.entry(one.group).or_default() += 1);
            left.iter().try_for_each(|(group, count)| tx.note_left_group(id, group, *count))?;
            if held.is_empty() {
                return Ok(None);
            }
            reasons = vec![held_before(held.len() as u64)];
            self.leaving = held;
        }
        self.plan(tx, app, occasion, reasons).map(Some)
    }

    fn reasons(&self, tx: &Tx<'_>, definition: &Definition, emptied_from: u64) -> Result<Vec<BrakeReason>, Fault> {
        let (app, defaults) = (&definition.app, BrakeSettings::default());
        let limits = &app.brake.as_ref().unwrap_or(&defaults).group_removals;
        let since = Timestamp::from_micros(tx.now.as_micros().saturating_sub(LATELY.as_micros()));
        let mut reasons = Vec::new();
        for (group, (added, removed)) in self.groups.iter().filter(|(_, (_, removed))| *removed > 0) {
            let (given, left) = (tx.count_given(&app.id, group)?, tx.left_group_since(&app.id, group, since)?);
            let count = (removed.saturating_add(left), given.max(*removed).saturating_add(left));
            let emptied = *added == 0 && *removed >= given.max(emptied_from);
            reasons.extend(group_reason(limits, group, count, emptied));
        }
        Ok(reasons)
    }

    fn plan(
        self,
        tx: &mut Tx<'_>,
        app: &LiveApp,
        occasion: Occasion<'_>,
        brake: Vec<BrakeReason>,
    ) -> Result<RequestId, Fault> {
        let (definition, verdict) = (&app.definition, SnapshotVerdict::Complete);
        let id = &definition.app.id;
        let mut row = ReconciliationRow::new(tx.request_id()?, ReconciliationKind::Source, Some(id.clone()), tx.now);
        let mark = definition_mark(app)?;
        row.definition = Some(mark.clone());
        let shown = &mut row.shown;
        shown.by = occasion.by.map(str::to_owned);
        shown.verdict = Some(verdict);
        shown.verdict_why = vec![format!("nothing was read: {}", occasion.text)];
        let count = self.leaving.len() as u64;
        shown.counts = SituationCounts([(Situation::MembershipUnqualified, count)].into());
        let key = tx.insert_reconciliation(&row)?;
        advance(tx, &mut row, Event::Analyze, occasion.by, json!({"why": occasion.text}))?;
        let mut digest = PlanDigest::new(&mark, verdict);
        for (one, number) in self.leaving.iter().zip(1..) {
            let item = one.item(tx, definition, number, occasion.text)?;
            digest.add(number, &item.digest, true);
            tx.put_item(&row.shown.id, &key, &item)?;
            tx.hold_membership(id, &one.account, &one.group, Some(&row.shown.id))?;
        }
        let digest = digest.finish();
        row.shown.digest = Some(digest.clone());
        row.shown.approval = ApprovalStatus::Required;
        row.shown.brake = brake;
        let details = json!({"digest": digest, "items": {"held": count}});
        advance(tx, &mut row, Event::Analyzed, occasion.by, details)?;
        advance(tx, &mut row, Event::Commit, occasion.by, json!({"digest": digest}))?;
        log(tx, &row, occasion.by, "held", json!({"items": count, "brake": row.shown.brake}))?;
        Ok(row.shown.id)
    }
}

impl Leaving {
    fn item(&self, tx: &Tx<'_>, definition: &Definition, number: u64, why: &str) -> Result<PlanRow, Fault> {
        let item = PlanItem {
            number,
            finding: Finding {
                situation: Situation::MembershipUnqualified,
                user: Some(self.user.id.to_string()),
                account: Some(self.account.clone()),
                rule: None,
                candidates: Vec::new(),
                drift: Vec::new(),
                faults: Vec::new(),
            },
            group: Some(self.group.clone()),
            reaction: Reaction::Remove,
            state: ItemState::Held,
            destructive: true,
            explicit: false,
            changes: membership_change(Reaction::Remove, &self.group).into_iter().collect(),
            before: membership_before(Reaction::Remove, &self.group),
            why: vec![why.to_owned()],
            request: None,
            fault: None,
            by: None,
        };
        let planned_for = membership_print(tx, definition, &self.account, &self.group, Some(&self.user))?;
        Ok(PlanRow { digest: item_digest(&item, &planned_for), item, planned_for, done_at: None })
    }
}

/// Why what was held stays so where the brake would let it pass by itself: no list is a second person.
fn held_before(count: u64) -> BrakeReason {
    let message = "it was held before, and nobody has released it".to_owned();
    BrakeReason { name: "held_before".to_owned(), message, count, of: count }
}

/// Ends what an older definition or list left for a person to decide: a newer one took its place.
fn supersede(tx: &mut Tx<'_>, app: &LiveApp, by: Option<&str>) -> Result<(), Fault> {
    for id in tx.open_removals(&app.definition.app.id)? {
        let Some(row) = tx.reconciliation(id.as_str())? else { continue };
        let event = if row.shown.state == State::Committing { Event::Complete } else { Event::Cancel };
        end_reconciliation(tx, &id, event, by, "a newer definition or list of users took its place")?;
    }
    Ok(())
}
