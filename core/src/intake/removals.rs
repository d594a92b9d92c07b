//! What a whole list of users would take away at once of an app's memberships. Where it is so much that it looks like a mistake, it
//! is held until a second person agrees to exactly that plan; what was held before is held again.

use super::LiveApp;
use super::removal_count::{Lost, add_groups, brake_of};
use super::removal_plan::{REPLACED, RemovalPlan, end_removals, held_before};
use super::taking::{Moves, Taking, access_taking, membership_takings, owner_takings};
use crate::definition::Definition;
use crate::fault::Fault;
use crate::id::RequestId;
use crate::model::{BrakeReason, User};
use crate::store::Tx;

/// From how many members on it is a reason that a group would be emptied: every day somebody moves out of a group of one.
const EMPTIES: u64 = 2;

/// What would become of an app's memberships, and of the accounts that are held.
#[derive(Default)]
pub(crate) struct Removals {
    takings: Vec<Taking>,
    moves: Moves,
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

    /// What a user's next record would take away of memberships.
    pub(crate) fn add(
        &mut self,
        tx: &Tx<'_>,
        definition: &Definition,
        user: &User,
        account: &str,
    ) -> Result<(), Fault> {
        self.takings.extend(membership_takings(tx, definition, user, account, &mut self.moves)?);
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
        for account in accounts {
            self.takings.extend(owner_takings(tx, definition, account, &mut self.moves)?);
        }
        users.into_iter().try_for_each(|user| self.keep_access(tx, definition, user, None, text))
    }

    /// Whether nothing would be taken away.
    pub(crate) fn is_empty(&self) -> bool {
        self.takings.is_empty()
    }

    /// Holds everything where the brake trips, and gives the plan that a second person has to release; notes what is taken away
    /// without one where it does not. What was held before and nobody asks for is held again, and the rest left to whoever decides
    /// for it.
    pub(crate) fn settle(
        mut self,
        tx: &mut Tx<'_>,
        app: &LiveApp,
        (text, by): (&str, Option<&str>),
        brakes: bool,
    ) -> Result<Option<RequestId>, Fault> {
        let id = &app.definition.app.id;
        end_removals(tx, id, by, REPLACED)?;
        let mut reasons = if brakes { self.reasons(tx, &app.definition)? } else { Vec::new() };
        if !brakes {
            tx.release_memberships(id)?;
            tx.release_access(id)?;
        }
        let trips = !reasons.is_empty();
        // Memberships are taken from an account that is still as it was.
        self.takings.sort_by_key(|one| one.item.group.is_none());
        let (held, free): (Vec<_>, _) =
            self.takings.into_iter().partition(|one| trips || (brakes && one.held.is_some()));
        let mut lost = Lost::default();
        free.iter().for_each(|one| lost.add(&one.item));
        lost.note(tx, id)?;
        if held.is_empty() {
            return Ok(None);
        }
        let kept = held.iter().filter(|one| one.held.is_some()).count();
        reasons.extend((kept > 0).then(|| held_before(kept as u64)));
        let mut plan = RemovalPlan::begin(tx, app, text, by)?;
        held.into_iter().try_for_each(|one| plan.add_again(tx, one))?;
        plan.seal(tx, reasons).map(Some)
    }

    /// Why all of it is held; empty where it is not. What a list takes away of accounts is counted elsewhere.
    fn reasons(&self, tx: &Tx<'_>, definition: &Definition) -> Result<Vec<BrakeReason>, Fault> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let mut brake = brake_of(tx, &definition.app, &definition.app)?;
        add_groups(tx, &definition.app.id, &self.moves, EMPTIES, &mut brake)?;
        Ok(brake.decide().reasons)
    }
}
