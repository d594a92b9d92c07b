//! Review: a person decides what is done about one item. The brake is asked again, and the plan has another digest.

use super::item::{Builder, settings};
use super::judge::is_confirmed_item;
use super::member_items::found_of;
use super::release::{same_definition, same_item};
use super::sources::Seeker;
use super::{Work, write};
use crate::analysis::Found;
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApp, log_step, plan_digest};
use crate::model::{
    ApprovalStatus, BrakeSettings, Finding, ItemState, PlanFilter, Reaction, ReconciliationKind, ReviewDecision,
    Situation, SnapshotVerdict, State,
};
use crate::planning::brake::{Brake, Braked, Hold, ManyLeft, Surroundings, can_be_released};
use crate::planning::digest::{PlanDigest, item_digest};
use crate::planning::reaction::is_choice;
use crate::store::{PlanRow, ReconciliationRow, Tx, UserKey};
use serde_json::json;

/// How many items are looked at at once.
const PAGE: u32 = 500;

/// Decides on one item of a plan that nobody committed yet.
///
/// # Errors
/// `not_found` for the item; `invalid_transition` where the plan is being carried out or none is there;
/// `invalid_argument` where the situation does not allow the reaction, or the user does not come into question;
/// `plan_changed` where the app's definition changed, `item_changed` where the item's user or account did.
pub(crate) fn review(
    host: &dyn Host,
    id: &RequestId,
    number: u64,
    decision: &ReviewDecision,
    by: &str,
) -> Result<(), Fault> {
    if by.trim().is_empty() {
        return Err(Fault::new(Code::InvalidArgument, "say who decides"));
    }
    host.refresh()?;
    super::read(host, |tx| {
        let missing = || Fault::new(Code::NotFound, "there is no such reconciliation");
        open_to_review(&tx.reconciliation(id.as_str())?.ok_or_else(missing)?)
    })?;
    Work::take(host, id, None)?.review(number, decision, by)
}

fn open_to_review(row: &ReconciliationRow) -> Result<(), Fault> {
    let refused = |message: &str| Err(Fault::new(Code::InvalidTransition, message));
    if row.shown.kind != ReconciliationKind::Target {
        return refused("only the plan of a target's reconciliation is reviewed");
    }
    match row.shown.state {
        State::Analyzed if row.released_at.is_some() => refused("the plan was released; it is committed as it is"),
        State::Analyzed => Ok(()),
        State::Committing => refused("the plan is being carried out"),
        _ => refused("the reconciliation has no plan that can be reviewed"),
    }
}

impl Work<'_> {
    fn review(&mut self, number: u64, decision: &ReviewDecision, by: &str) -> Result<(), Fault> {
        let live = self.live()?;
        let brake = live.definition.app.brake.clone().unwrap_or_default();
        let verdict = self.row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete);
        let around = self.surroundings(&live, &brake, verdict)?;
        let old = super::read(self.host, |tx| item_of(tx, &self.row, number))?;
        let finding = decided_finding(&old, decision)?;
        let seen = finding.account.as_deref().map(|account| Seeker::new(self).find(account)).transpose()?.flatten();
        let found = Found { finding, user: None, account: None, link: None };
        let (row, key) = (self.row.clone(), self.key.clone());
        self.row = write(self.host, |tx, apps| {
            open_to_review(&row)?;
            same_definition(apps, &row)?;
            let mut row = row.clone();
            let analyzed = tx.log_head()?;
            let chosen = Some(decision.reaction);
            let builder = Builder { live: &live, row: row.clone(), settings: settings(&live), analyzed, chosen };
            let mut new = decide(tx, &builder, &old, &found, seen.as_ref())?;
            new.item.by = Some(by.to_owned());
            new.digest = item_digest(&new.item, &new.planned_for);
            tx.put_item(&row.shown.id, &key, &new)?;
            ask_brake_again(tx, &live, &mut row, &key, &brake, &around)?;
            tx.save_reconciliation(&row)?;
            let details = json!({"item": number, "situation": new.item.finding.situation,
                "reaction": new.item.reaction, "before": old.item.reaction, "digest": row.shown.digest});
            log_step(tx, &row, Some(by), "reviewed", details)?;
            Ok(row)
        })?;
        Ok(())
    }
}

fn item_of(tx: &Tx<'_>, row: &ReconciliationRow, number: u64) -> Result<PlanRow, Fault> {
    let missing = || Fault::new(Code::NotFound, "the plan has no item of this number");
    let after = number.checked_sub(1).ok_or_else(missing)?;
    let filter = PlanFilter { after: Some(after), limit: Some(1), ..PlanFilter::default() };
    let item = tx.plan_items(&row.shown.id, &filter)?.pop().filter(|one| one.item.number == number);
    let item = item.ok_or_else(missing)?;
    same_item(&item)?;
    Ok(item)
}

/// What the decision is about: with the user who was chosen where several come into question.
fn decided_finding(old: &PlanRow, decision: &ReviewDecision) -> Result<Finding, Fault> {
    let refused = |message: &str| Err(Fault::new(Code::InvalidArgument, message));
    let mut finding = old.item.finding.clone();
    let is_choice = is_choice(finding.situation, decision.reaction);
    match (&decision.user, is_choice) {
        (None, false) => {
            // Whoever was chosen before is not any more.
            if finding.situation == Situation::Ambiguous {
                finding.user = None;
            }
        }
        (None, true) => return refused("say with which of the users that come into question"),
        (Some(user), true) => {
            let candidates = finding.candidates.iter().filter_map(|candidate| candidate.user.as_ref());
            if !candidates.chain(&finding.user).any(|one| one == user) {
                return refused("the user is none of those that come into question");
            }
            finding.user = Some(user.clone());
        }
        (Some(user), false) if finding.user.as_ref() == Some(user) => {}
        (Some(_), false) => return refused("a user is chosen only where an account is linked that several match"),
    }
    Ok(finding)
}

/// The item as it would have been planned had the settings said what the person did.
fn decide(
    tx: &mut Tx<'_>,
    builder: &Builder<'_>,
    old: &PlanRow,
    found: &Found,
    seen: Option<&crate::model::TargetAccount>,
) -> Result<PlanRow, Fault> {
    let chosen = builder.chosen.unwrap_or(Reaction::Review);
    if let Some(membership) = found_of(builder, &old.item) {
        let new = builder.membership(tx, old.item.number, &membership, seen.is_some())?;
        return if new.planned_for == old.planned_for { Ok(new) } else { Err(changed(old)) };
    }
    let same_user = found.finding.user == old.item.finding.user;
    let nothing = || Fault::new(Code::Internal, "the decision makes no item");
    let new = builder.item(tx, old.item.number, found, seen)?.ok_or_else(nothing)?;
    if same_user && new.planned_for != old.planned_for {
        return Err(changed(old));
    }
    let is_kept = new.item.reaction == chosen
        // An account that is found and in step is linked, and nothing is left to update.
        || (chosen, new.item.reaction) == (Reaction::Update, Reaction::Link);
    match is_kept {
        true => Ok(new),
        false => Err(Fault::new(Code::InvalidArgument, format!("this cannot be done: {}", new.item.why.join("; ")))),
    }
}

fn changed(old: &PlanRow) -> Fault {
    let message = format!("the user or the account of item {} changed since; reconcile again", old.item.number);
    Fault::new(Code::ItemChanged, message)
}

/// The whole plan is counted anew: what was held may go on, and what goes on may be held.
fn ask_brake_again(
    tx: &mut Tx<'_>,
    live: &LiveApp,
    row: &mut ReconciliationRow,
    key: &UserKey,
    settings: &BrakeSettings,
    around: &Surroundings,
) -> Result<(), Fault> {
    let app = &live.definition.app.id;
    let id = row.shown.id.clone();
    let mut brake = Brake::new(settings, around);
    for state in [ItemState::Planned, ItemState::Held] {
        each_of(tx, &id, state, |tx, one| {
            brake.add(&one.item, is_confirmed_item(tx, app, settings, &one.item)?);
            Ok(())
        })?;
    }
    let braked = brake.decide();
    let mut waits = false;
    for state in [ItemState::Planned, ItemState::Held] {
        each_of(tx, &id, state, |tx, one| {
            // One that somebody changed behind our back keeps its digest, and is refused when it is its turn.
            if same_item(one).is_err() {
                return Ok(());
            }
            let before = one.clone();
            let confirmed = is_confirmed_item(tx, app, settings, &one.item)?;
            waits |= braked.apply(&mut one.item, confirmed) == Hold::UntilReleased;
            one.digest = item_digest(&one.item, &one.planned_for);
            if (before.item.state, &before.digest) != (one.item.state, &one.digest) || before.item.why != one.item.why {
                tx.put_item(&id, key, one)?;
            }
            Ok(())
        })?;
    }
    let held = tx.item_counts(&id)?.get(&ItemState::Held).copied().unwrap_or(0);
    note(row, &braked, held > 0, waits);
    let verdict = row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete);
    let mark = row.definition.clone().unwrap_or_default();
    row.shown.digest = Some(plan_digest(tx, &id, PlanDigest::new(&mark, verdict))?);
    Ok(())
}

/// What the brake decided, noted with the reconciliation.
fn note(row: &mut ReconciliationRow, braked: &Braked, is_held: bool, waits: bool) {
    row.shown.brake = if is_held { braked.reasons.clone() } else { Vec::new() };
    let release = waits && can_be_released(&row.shown.brake);
    row.shown.approval = if release { ApprovalStatus::Required } else { ApprovalStatus::NotRequired };
    row.shown.notes.retain(|note| ManyLeft::read(note).is_none());
    row.shown.notes.extend(braked.notes.iter().cloned());
}

fn each_of(
    tx: &mut Tx<'_>,
    id: &RequestId,
    state: ItemState,
    mut visit: impl FnMut(&mut Tx<'_>, &mut PlanRow) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut after = 0;
    loop {
        let filter = PlanFilter { state: Some(state), after: Some(after), limit: Some(PAGE), ..PlanFilter::default() };
        let mut page = tx.plan_items(id, &filter)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.item.number;
        page.iter_mut().try_for_each(|one| visit(tx, one))?;
    }
}
