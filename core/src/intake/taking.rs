//! What would be taken away of one user: the account, its use, or a membership. Nothing is stored here.

use super::membership::whole_difference;
use super::{LanePlan, Trigger, access_held, membership_print, plan_lane, planned_for};
use crate::definition::Definition;
use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::model::{AccountStatus, Finding, ItemState, LinkState, PlanItem, Reaction, Situation, User};
use crate::planning::groups::{membership_before, membership_change};
use crate::store::{StoredUser, Tx, UserState};
use std::collections::BTreeMap;

/// By group, how many would come into it and how many out of it.
pub(super) type Moves = BTreeMap<String, (u64, u64)>;

/// Something that would be taken away of a user.
pub(super) struct Taking {
    /// The item that it is in a plan, without its number.
    pub(super) item: PlanItem,
    pub(super) planned_for: String,
    /// The plan by which the brake held it before.
    pub(super) held: Option<RequestId>,
}

impl Taking {
    fn new(situation: Situation, user: &UserId, account: Option<String>, reaction: Reaction) -> Self {
        let item = PlanItem {
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
        };
        Self { item, planned_for: String::new(), held: None }
    }

    /// The brake holds it, by that plan.
    pub(super) fn hold(&self, tx: &Tx<'_>, app: &AppId, plan: &RequestId) -> Result<(), Fault> {
        let finding = &self.item.finding;
        match (&self.item.group, &finding.account, &finding.user) {
            (Some(group), Some(account), _) => tx.hold_membership(app, account, group, Some(plan)),
            (_, _, Some(user)) => tx.hold_access(app, &UserId::new(user.as_str())?, Some(plan)),
            _ => Ok(()),
        }
    }
}

/// What the record of an account's owner, as it is stored, would take away of memberships.
pub(super) fn owner_takings(
    tx: &Tx<'_>,
    definition: &Definition,
    account: &str,
    moves: &mut Moves,
) -> Result<Vec<Taking>, Fault> {
    let known = tx.account_at(&definition.app.id, account)?.map(|row| row.account);
    let owned = known.filter(|one| one.link_state == LinkState::Linked && one.status != AccountStatus::Deleted);
    let user = owned.and_then(|account| account.user);
    let stored = user.map(|user| tx.user(user.as_str())).transpose()?.flatten();
    match stored.filter(|stored| stored.state == UserState::Present) {
        Some(stored) => membership_takings(tx, definition, &stored.user, account, moves),
        None => Ok(Vec::new()),
    }
}

/// What a user's next record would take away of memberships. Nothing is counted of who leaves by the source's own word, or of whom
/// the scope cannot be evaluated.
pub(super) fn membership_takings(
    tx: &Tx<'_>,
    definition: &Definition,
    user: &User,
    account: &str,
    moves: &mut Moves,
) -> Result<Vec<Taking>, Fault> {
    let app = &definition.app;
    let Ok(standing) = definition.standing(Some(user), tx.now) else { return Ok(Vec::new()) };
    if app.protected.external_ids.iter().any(|id| id == account) || standing.is_explicit() {
        return Ok(Vec::new());
    }
    let ledger = tx.memberships(&app.id, account)?;
    let found = whole_difference(tx, definition, &ledger, Some(user), &standing)?;
    for (group, _) in found.add {
        moves.entry(group).or_default().0 += 1;
    }
    let mut takings = Vec::new();
    for group in found.remove {
        moves.entry(group.clone()).or_default().1 += 1;
        let mut taking =
            Taking::new(Situation::MembershipUnqualified, &user.id, Some(account.to_owned()), Reaction::Remove);
        taking.held = ledger.iter().find(|row| row.entry.group == group).and_then(|row| row.held_by.clone());
        taking.planned_for = membership_print(tx, definition, account, &group, Some(user))?;
        taking.item.changes = membership_change(Reaction::Remove, &group).into_iter().collect();
        taking.item.before = membership_before(Reaction::Remove, &group);
        taking.item.group = Some(group);
        takings.push(taking);
    }
    Ok(takings)
}

/// What would be taken away of a user's account, by the stored record or by the one that is about to take its place. There need be no
/// account yet, while it is being made. Nothing is counted of who may have it, or of whom the scope cannot be evaluated; of who is
/// suspended or has left by the own record, that the account is deleted.
pub(super) fn access_taking(
    tx: &Tx<'_>,
    definition: &Definition,
    stored: &StoredUser,
    instead: Option<&User>,
    text: &str,
) -> Result<Option<Taking>, Fault> {
    let present = instead.or((stored.state == UserState::Present).then_some(&stored.user));
    let standing = definition.standing(present, tx.now).ok().filter(|standing| !standing.wants_account());
    let Some(standing) = standing else { return Ok(None) };
    let trigger = Trigger { text, by: None, is_definition: true };
    let LanePlan::Steps(steps) = plan_lane(tx, definition, stored, trigger)? else { return Ok(None) };
    let Some(reaction) = steps.taking(&standing, tx.now) else { return Ok(None) };
    let (app, user) = (&definition.app.id, &stored.user.id);
    let account = tx.account_of(app, user.as_str())?;
    let mut taking = Taking::new(Situation::Unqualified, user, account, reaction);
    taking.held = access_held(tx, app, user, &standing)?;
    taking.planned_for = planned_for(&standing);
    taking.item.why = standing.because;
    Ok(Some(taking))
}
