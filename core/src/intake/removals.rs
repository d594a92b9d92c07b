//! What a new definition or a whole list of users would take away at once: accounts, and memberships. Where it is so much that
//! it looks like a mistake, it is held until a second person agrees to exactly that plan.

use super::membership::whole_difference;
use super::reconciliation::end_reconciliation;
use super::removal_plan::{Occasion, Taking, held_before, make_plan};
use super::{LanePlan, LiveApp, Trigger, access_held, membership_print, plan_lane, planned_for, taken};
use crate::definition::Definition;
use crate::fault::Fault;
use crate::id::{AppId, RequestId};
use crate::lifecycle::Event;
use crate::model::{AccountStatus, BrakeReason, ImpactHeld, LinkState, Reaction, State, User};
use crate::operation::Operation;
use crate::planning::brake::{Brake, Surroundings};
use crate::store::{StoredUser, Tx, UserState};
use crate::time::{Period, Timestamp};
use std::collections::BTreeMap;

/// How many rows of the ledger, or users, are read at once.
const PAGE: u32 = 500;

/// What was taken away within that time counts with what would be.
const LATELY: Period = Period::from_seconds(86_400);

/// From how many members on it is a reason that a group would be emptied. Every day somebody moves out of a group of one, and no
/// definition changes for that.
const DEFINITION_EMPTIES: u64 = 1;
const LIST_EMPTIES: u64 = 2;

/// What would become of an app's accounts and memberships.
#[derive(Default)]
pub(crate) struct Removals {
    takings: Vec<Taking>,
    /// By group, how many would come into it and how many out of it.
    groups: BTreeMap<String, (u64, u64)>,
}

impl Removals {
    /// What is held and no plan waits for: the one by which it was held is over. None where a plan waits, or nothing is held.
    pub(crate) fn left_held(tx: &Tx<'_>, definition: &Definition, text: &str) -> Result<Option<Self>, Fault> {
        let app = &definition.app.id;
        let (accounts, users) = (tx.held_accounts(app)?, tx.held_users(app)?);
        if (accounts.is_empty() && users.is_empty()) || !tx.open_removals(app)?.is_empty() {
            return Ok(None);
        }
        let mut removals = Self::default();
        removals.add_held(tx, definition, &accounts, &users, text)?;
        removals.takings.retain(|one| one.held.is_some());
        Ok(Some(removals))
    }

    /// What a definition would take away of what everybody has. `old` is the one before, `text` what differs, in words.
    pub(crate) fn of_definition(
        tx: &Tx<'_>,
        definition: &Definition,
        old: Option<&Definition>,
        text: &str,
    ) -> Result<Self, Fault> {
        let mut removals = Self::default();
        removals.walk(tx, definition, old, text, &mut |_| {})?;
        Ok(removals)
    }

    /// What of that the brake would hold, and why. Nothing is kept of the users: any number of them takes no more memory.
    pub(crate) fn foretell(
        tx: &Tx<'_>,
        definition: &Definition,
        old: Option<&Definition>,
        text: &str,
    ) -> Result<ImpactHeld, Fault> {
        let settings = definition.app.brake.clone().unwrap_or_default();
        let around = surroundings(tx, definition, &settings.admins)?;
        let (mut brake, mut held) = (Brake::new(&settings, &around), ImpactHeld::default());
        let mut removals = Self::default();
        removals.walk(tx, definition, old, text, &mut |takings| {
            for one in takings.drain(..) {
                match one.item.group {
                    Some(_) => held.memberships += 1,
                    None => {
                        held.accounts += 1;
                        brake.add(&one.item, true);
                    }
                }
            }
        })?;
        removals.add_groups(tx, definition, DEFINITION_EMPTIES, &mut brake)?;
        held.brake = brake.decide().reasons;
        Ok(if held.brake.is_empty() { ImpactHeld::default() } else { held })
    }

    /// Looks at everybody, and shows what was found from time to time.
    fn walk(
        &mut self,
        tx: &Tx<'_>,
        definition: &Definition,
        old: Option<&Definition>,
        text: &str,
        found: &mut dyn FnMut(&mut Vec<Taking>),
    ) -> Result<(), Fault> {
        self.add_ledger(tx, definition, found)?;
        let mut after = String::new();
        while let Some(stored) = tx.next_user(&after)? {
            after = stored.user.id.to_string();
            // Nobody touches a protected account; it is a reason where this definition is the first that would.
            let protected = &definition.app.protected.external_ids;
            let is_protected = !protected.is_empty()
                && tx.account_of(&definition.app.id, &after)?.is_some_and(|account| protected.contains(&account));
            let had = |old: &Definition| {
                let present = (stored.state == UserState::Present).then_some(&stored.user);
                old.standing(present, tx.now).is_ok_and(|standing| standing.wants_account())
            };
            if !is_protected || old.is_some_and(had) {
                self.takings.extend(access_taking(tx, definition, &stored, None, text)?);
                found(&mut self.takings);
            }
        }
        Ok(())
    }

    fn add_ledger(
        &mut self,
        tx: &Tx<'_>,
        definition: &Definition,
        found: &mut dyn FnMut(&mut Vec<Taking>),
    ) -> Result<(), Fault> {
        let (mut after, mut last) = ((String::new(), String::new()), None);
        loop {
            let rows = tx.ledger_after(&definition.app.id, (&after.0, &after.1), PAGE)?;
            let Some(end) = rows.last() else { return Ok(()) };
            after = (end.external_id.clone(), end.entry.group.clone());
            for row in rows {
                if last.as_ref() == Some(&row.external_id) {
                    continue;
                }
                self.add_owner(tx, definition, &row.external_id)?;
                last = Some(row.external_id);
            }
            found(&mut self.takings);
        }
    }

    /// What the record of an account's owner, as it is stored, would take away of memberships.
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

    /// What a user's next record would take away of memberships. Nothing is counted of who leaves by the source's own word, or
    /// of whom the scope cannot be evaluated.
    pub(crate) fn add(
        &mut self,
        tx: &Tx<'_>,
        definition: &Definition,
        user: &User,
        account: &str,
    ) -> Result<(), Fault> {
        let app = &definition.app;
        let Ok(standing) = definition.standing(Some(user), tx.now) else { return Ok(()) };
        if app.protected.external_ids.iter().any(|id| id == account) || standing.is_explicit() {
            return Ok(());
        }
        let ledger = tx.memberships(&app.id, account)?;
        let found = whole_difference(tx, definition, &ledger, Some(user), &standing)?;
        for (group, _) in found.add {
            self.groups.entry(group).or_default().0 += 1;
        }
        for group in found.remove {
            self.groups.entry(group.clone()).or_default().1 += 1;
            let held = ledger.iter().find(|row| row.entry.group == group).and_then(|row| row.held_by.clone());
            let planned_for = membership_print(tx, definition, account, &group, Some(user))?;
            self.takings.push(Taking::membership(&user.id, account, &group, planned_for, held));
        }
        Ok(())
    }

    /// The access of a user that is held is held again, unless the record of a list, where there is one, has its own say.
    pub(crate) fn keep_access(
        &mut self,
        tx: &Tx<'_>,
        definition: &Definition,
        user: &str,
        instead: Option<&User>,
        text: &str,
    ) -> Result<(), Fault> {
        let Some(stored) = tx.user(user)? else { return Ok(()) };
        let taking = access_taking(tx, definition, &stored, instead, text)?;
        self.takings.extend(taking.filter(|one| one.held.is_some()));
        Ok(())
    }

    /// What is held in an app, of accounts and of users of whom no list says anything else.
    pub(crate) fn add_held<'a>(
        &mut self,
        tx: &Tx<'_>,
        definition: &Definition,
        accounts: impl IntoIterator<Item = &'a String>,
        users: impl IntoIterator<Item = &'a String>,
        text: &str,
    ) -> Result<(), Fault> {
        accounts.into_iter().try_for_each(|account| self.add_owner(tx, definition, account))?;
        users.into_iter().try_for_each(|user| self.keep_access(tx, definition, user, None, text))
    }

    /// Whether nothing would be taken away.
    pub(crate) fn is_empty(&self) -> bool {
        self.takings.is_empty()
    }

    /// Holds everything where the brake trips, and gives the plan that a second person has to release; notes what is taken
    /// away without one where it does not. What was held before is held no more by a definition; a list takes up again what nobody
    /// asks for, and leaves the rest to whoever decides for it.
    pub(crate) fn settle(
        self,
        tx: &mut Tx<'_>,
        app: &LiveApp,
        occasion: Occasion<'_>,
    ) -> Result<Option<RequestId>, Fault> {
        let id = &app.definition.app.id;
        end_removals(tx, id, occasion.by, "a newer definition or list of users took its place")?;
        let mut reasons = self.reasons(tx, &app.definition, occasion)?;
        let (trips, keeps) = (!reasons.is_empty(), occasion.is_list && occasion.brakes);
        if !keeps {
            tx.release_memberships(id)?;
            tx.release_access(id)?;
        }
        let (held, free): (Vec<_>, _) =
            self.takings.into_iter().partition(|one| trips || (keeps && one.held.is_some()));
        let kept = held.iter().filter(|one| keeps && one.held.is_some()).count();
        reasons.extend((kept > 0).then(|| held_before(kept as u64)));
        note_silent(tx, id, &free)?;
        if held.is_empty() { Ok(None) } else { make_plan(tx, app, occasion, held, reasons).map(Some) }
    }

    /// Why all of it is held; empty where it is not.
    fn reasons(&self, tx: &Tx<'_>, definition: &Definition, occasion: Occasion<'_>) -> Result<Vec<BrakeReason>, Fault> {
        if !occasion.brakes || self.is_empty() {
            return Ok(Vec::new());
        }
        let settings = definition.app.brake.clone().unwrap_or_default();
        let around = surroundings(tx, definition, &settings.admins)?;
        let mut brake = Brake::new(&settings, &around);
        for one in self.takings.iter().filter(|one| one.item.group.is_none() && !occasion.is_list) {
            brake.add(&one.item, true);
        }
        let emptied_from = if occasion.is_list { LIST_EMPTIES } else { DEFINITION_EMPTIES };
        self.add_groups(tx, definition, emptied_from, &mut brake)?;
        Ok(brake.decide().reasons)
    }

    /// Counts who would leave the groups; from `emptied_from` on it is a reason that nobody would be left.
    fn add_groups(
        &self,
        tx: &Tx<'_>,
        definition: &Definition,
        emptied_from: u64,
        brake: &mut Brake<'_>,
    ) -> Result<(), Fault> {
        let app = &definition.app;
        let since = Timestamp::from_micros(tx.now.as_micros().saturating_sub(LATELY.as_micros()));
        for (group, (added, removed)) in self.groups.iter().filter(|(_, (_, removed))| *removed > 0) {
            let (given, left) = (tx.count_given(&app.id, group)?, tx.left_group_since(&app.id, group, since)?);
            let of = given.max(*removed).saturating_add(left);
            let emptied = *added == 0 && *removed >= given.max(emptied_from);
            brake.add_group(group, Some(of), removed.saturating_add(left), emptied);
        }
        Ok(())
    }
}

/// What would be taken away of a user's account, by the stored record or by the one that is about to take its place. Nothing is
/// counted of who may have it, or of whom the scope cannot be evaluated; of who is suspended or has left by the own record, that the
/// account is deleted.
fn access_taking(
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
    let held = access_held(tx, app, user, &standing)?;
    let mut taking = Taking::access(user, tx.account_of(app, user.as_str())?, reaction, planned_for(&standing), held);
    taking.item.why = standing.because;
    Ok(Some(taking))
}

/// What the brake is to know of an app besides what would be taken away.
fn surroundings(tx: &Tx<'_>, definition: &Definition, admins: &[String]) -> Result<Surroundings, Fault> {
    let app = &definition.app;
    let mut around = Surroundings {
        delete_allowed: app.operations.allows(Operation::Delete),
        linked: tx.count_linked(&app.id)?,
        taken: taken(tx, &app.id)?,
        protected: app.protected.external_ids.iter().cloned().collect(),
        ..Surroundings::default()
    };
    for admin in admins {
        let known = tx.account_at(&app.id, admin)?;
        if known.is_some_and(|row| row.account.status == AccountStatus::Active) {
            around.active_admins.insert(admin.clone());
        }
    }
    Ok(around)
}

/// What is taken away without a plan counts for a day.
fn note_silent(tx: &Tx<'_>, app: &AppId, takings: &[Taking]) -> Result<(), Fault> {
    let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
    let left = takings.iter().filter_map(|one| one.item.group.as_deref());
    left.for_each(|group| *groups.entry(group).or_default() += 1);
    groups.iter().try_for_each(|(group, count)| tx.note_left_group(app, group, *count))?;
    let count = |reaction| takings.iter().filter(|one| one.item.reaction == reaction).count() as u64;
    tx.note_lost_accounts(app, count(Reaction::Deactivate), count(Reaction::Delete))
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
