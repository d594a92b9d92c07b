//! A definition takes the place of another: what that would take away of everybody is counted before anything follows, and held
//! where it is so much that it looks like a mistake. Nothing is kept of the users, so that any number of them takes no more memory.

use super::removal_plan::{REPLACED, RemovalPlan, end_removals};
use super::taking::{Moves, Taking, access_taking, owner_takings};
use super::{LiveApp, taken};
use crate::definition::Definition;
use crate::fault::Fault;
use crate::id::AppId;
use crate::model::{AccountStatus, App, BrakeReason, ImpactHeld, PlanItem, Reaction};
use crate::operation::Operation;
use crate::planning::brake::{Brake, Surroundings};
use crate::store::{StoredUser, Tx, UserState};
use crate::time::{Period, Timestamp};
use std::collections::BTreeMap;

/// How many accounts' memberships are looked at at once.
const PAGE: u32 = 100;

/// What was taken away within that time counts with what would be.
const LATELY: Period = Period::from_seconds(86_400);

/// From how many members on it is a reason that a group would be emptied.
const EMPTIES: u64 = 1;

/// A definition that is about to take the place of another.
#[derive(Clone, Copy)]
pub(crate) struct Replacement<'a> {
    pub(crate) new: &'a Definition,
    /// The one before, where it is in use.
    pub(crate) old: Option<&'a Definition>,
    /// What differs, in words.
    pub(crate) text: &'a str,
}

impl Replacement<'_> {
    /// What would be taken away of a user's account. Nobody touches a protected one; it is a reason where this definition is the
    /// first that would.
    fn taking(&self, tx: &Tx<'_>, stored: &StoredUser) -> Result<Option<Taking>, Fault> {
        let app = &self.new.app;
        let protected = &app.protected.external_ids;
        let is_protected = !protected.is_empty()
            && tx.account_of(&app.id, stored.user.id.as_str())?.is_some_and(|account| protected.contains(&account));
        let present = (stored.state == UserState::Present).then_some(&stored.user);
        let had = |old: &Definition| old.standing(present, tx.now).is_ok_and(|standing| standing.wants_account());
        if is_protected && !self.old.is_some_and(had) {
            return Ok(None);
        }
        access_taking(tx, self.new, stored, None, self.text)
    }

    /// Shows all that would be taken away: memberships first, and then accounts.
    fn each(
        &self,
        tx: &mut Tx<'_>,
        show: &mut dyn FnMut(&mut Tx<'_>, Taking) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (mut account, mut moves) = (String::new(), Moves::new());
        while let Some(next) = tx.next_enrolled(&self.new.app.id, &account)? {
            let takings = owner_takings(tx, self.new, &next, &mut moves)?;
            takings.into_iter().try_for_each(|one| show(tx, one))?;
            account = next;
        }
        let mut user = String::new();
        while let Some(stored) = tx.next_user(&user)? {
            self.taking(tx, &stored)?.map_or(Ok(()), |one| show(tx, one))?;
            user = stored.user.id.to_string();
        }
        Ok(())
    }

    /// Holds what was counted where the brake trips, in one plan that a second person has to release; notes what is taken away without
    /// one where it does not. What was held before is held no more.
    pub(crate) fn settle(
        &self,
        tx: &mut Tx<'_>,
        app: &LiveApp,
        counted: Counted,
        by: Option<&str>,
    ) -> Result<(), Fault> {
        let id = &app.definition.app.id;
        end_removals(tx, id, by, REPLACED)?;
        tx.release_memberships(id)?;
        tx.release_access(id)?;
        if counted.reasons.is_empty() {
            return counted.lost.note(tx, id);
        }
        let mut plan = RemovalPlan::begin(tx, app, self.text, by)?;
        self.each(tx, &mut |tx, one| plan.add(tx, one))?;
        plan.seal(tx, counted.reasons).map(drop)
    }
}

/// Counts what a definition would take away, of one user and account after the other.
pub(crate) struct RemovalCount {
    /// By the settings of the definition, and by those of the one before: none switches off its own brake.
    brakes: Vec<Brake>,
    lost: Lost,
    moves: Moves,
    /// The last account of which the memberships were counted.
    account: String,
}

/// What was counted of everybody.
#[derive(Default)]
pub(crate) struct Counted {
    /// Why all of it is held; empty where it is not.
    reasons: Vec<BrakeReason>,
    lost: Lost,
}

impl RemovalCount {
    /// Begins to count, while the definition before is still the one that is stored. One of a deleted app still counts.
    pub(crate) fn begin(tx: &Tx<'_>, definition: &Definition) -> Result<Self, Fault> {
        let app = &definition.app;
        let before = tx.app(app.id.as_str())?.map(|(before, _)| before);
        let other = before.filter(|before| before.brake != app.brake || before.protected != app.protected);
        let judges = std::iter::once(app).chain(&other);
        let brakes = judges.map(|judge| brake_of(tx, app, judge)).collect::<Result<_, _>>()?;
        Ok(Self { brakes, lost: Lost::default(), moves: Moves::new(), account: String::new() })
    }

    /// Counts everybody.
    pub(crate) fn whole(tx: &Tx<'_>, replacement: &Replacement<'_>) -> Result<Counted, Fault> {
        let (mut count, mut user) = (Self::begin(tx, replacement.new)?, String::new());
        while let Some(stored) = tx.next_user(&user)? {
            count.add_user(tx, replacement, &stored)?;
            user = stored.user.id.to_string();
        }
        while !count.add_members(tx, replacement)? {}
        count.finish(tx, replacement)
    }

    /// Counts what a user would lose of the account.
    pub(crate) fn add_user(
        &mut self,
        tx: &Tx<'_>,
        replacement: &Replacement<'_>,
        stored: &StoredUser,
    ) -> Result<(), Fault> {
        if let Some(one) = replacement.taking(tx, stored)? {
            self.lost.add(&one.item);
            self.brakes.iter_mut().for_each(|brake| brake.add(&one.item, true));
        }
        Ok(())
    }

    /// Counts the memberships that the next accounts would lose. Gives whether those were the last.
    pub(crate) fn add_members(&mut self, tx: &Tx<'_>, replacement: &Replacement<'_>) -> Result<bool, Fault> {
        for _ in 0..PAGE {
            let next = tx.next_enrolled(&replacement.new.app.id, &self.account)?;
            let Some(next) = next else { return Ok(true) };
            let takings = owner_takings(tx, replacement.new, &next, &mut self.moves)?;
            takings.iter().for_each(|one| self.lost.add(&one.item));
            self.account = next;
        }
        Ok(false)
    }

    /// What it comes to.
    pub(crate) fn finish(self, tx: &Tx<'_>, replacement: &Replacement<'_>) -> Result<Counted, Fault> {
        let mut counted = Counted { reasons: Vec::new(), lost: self.lost };
        for mut brake in self.brakes {
            add_groups(tx, &replacement.new.app.id, &self.moves, EMPTIES, &mut brake)?;
            for reason in brake.decide().reasons {
                if !counted.reasons.contains(&reason) {
                    counted.reasons.push(reason);
                }
            }
        }
        Ok(counted)
    }
}

impl Counted {
    /// What of it the brake would hold, and why.
    pub(crate) fn held(self) -> ImpactHeld {
        if self.reasons.is_empty() {
            return ImpactHeld::default();
        }
        let Lost { disabled, deleted, left } = self.lost;
        ImpactHeld { accounts: disabled + deleted, memberships: left.values().sum(), brake: self.reasons }
    }

    /// The same where no brake is asked.
    pub(crate) fn without_brake(self) -> Self {
        Self { reasons: Vec::new(), ..self }
    }
}

/// How much is taken away.
#[derive(Default)]
pub(super) struct Lost {
    disabled: u64,
    deleted: u64,
    /// By group.
    left: BTreeMap<String, u64>,
}

impl Lost {
    pub(super) fn add(&mut self, item: &PlanItem) {
        match (&item.group, item.reaction) {
            (Some(group), _) => *self.left.entry(group.clone()).or_default() += 1,
            (None, Reaction::Delete) => self.deleted += 1,
            (None, _) => self.disabled += 1,
        }
    }

    /// What is taken away without a plan counts for a day.
    pub(super) fn note(&self, tx: &Tx<'_>, app: &AppId) -> Result<(), Fault> {
        self.left.iter().try_for_each(|(group, count)| tx.note_left_group(app, group, *count))?;
        tx.note_lost_accounts(app, self.disabled, self.deleted)
    }
}

/// The brake of an app, by the settings and protected accounts of one of its definitions.
pub(super) fn brake_of(tx: &Tx<'_>, app: &App, judge: &App) -> Result<Brake, Fault> {
    let settings = judge.brake.clone().unwrap_or_default();
    let mut around = Surroundings {
        delete_allowed: app.operations.allows(Operation::Delete),
        linked: tx.count_linked(&app.id)?,
        taken: taken(tx, &app.id)?,
        protected: judge.protected.external_ids.iter().cloned().collect(),
        ..Surroundings::default()
    };
    for admin in &settings.admins {
        let known = tx.account_at(&app.id, admin)?;
        if known.is_some_and(|row| row.account.status == AccountStatus::Active) {
            around.active_admins.insert(admin.clone());
        }
    }
    Ok(Brake::new(&settings, &around))
}

/// Counts who would leave the groups; from `emptied_from` on it is a reason that nobody would be left.
pub(super) fn add_groups(
    tx: &Tx<'_>,
    app: &AppId,
    moves: &Moves,
    emptied_from: u64,
    brake: &mut Brake,
) -> Result<(), Fault> {
    let since = Timestamp::from_micros(tx.now.as_micros().saturating_sub(LATELY.as_micros()));
    for (group, (added, removed)) in moves.iter().filter(|(_, (_, removed))| *removed > 0) {
        let (given, left) = (tx.count_given(app, group)?, tx.left_group_since(app, group, since)?);
        let of = given.max(*removed).saturating_add(left);
        let emptied = *added == 0 && *removed >= given.max(emptied_from);
        brake.add_group(group, Some(of), removed.saturating_add(left), emptied);
    }
    Ok(())
}
