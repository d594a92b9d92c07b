//! Carrying out what a plan says about memberships: exactly those, in a request of each account.

use super::act::{Acting, changed, leave_to, why};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApp, NewRequest, asked_reference, elect, insert, insert_for_account, membership_print};
use crate::model::{AccountStatus, GroupReference, LinkState, PlanItem, Reaction, User};
use crate::operation::Operation;
use crate::planning::groups::Group;
use crate::store::{Given, GivenMembership, PlanRow, ReconciliationRow, StoredUser, Tx, UserState};

impl Acting<'_> {
    /// Does what an item about a membership says, if everything is as it was planned for.
    ///
    /// # Errors
    /// `item_changed` where it is not; `operation_off` where the account is protected.
    pub(super) fn membership(&self, tx: &mut Tx<'_>, row: &PlanRow) -> Result<Option<RequestId>, Fault> {
        let (item, definition) = (&row.item, &self.live.definition);
        let account = item.finding.account.as_deref().unwrap_or_default();
        let group = item.group.as_deref().unwrap_or_default();
        if membership_print(tx, definition, account, group, None)? != row.planned_for {
            return Err(changed(item, "what is asked for, what we gave, or whose the account is, is another now"));
        }
        if !matches!(item.reaction, Reaction::Update | Reaction::Remove) {
            return Ok(None);
        }
        let stored = owner_of(tx, self.live, account)?;
        if stored.as_ref().map(|stored| stored.user.id.as_str()) != item.finding.user.as_deref() {
            return Err(changed(item, "the account is linked otherwise now"));
        }
        let known = tx.memberships(&definition.app.id, account)?.into_iter().find(|known| known.entry.group == group);
        let standing = stored.as_ref().map(|stored| {
            let present = (stored.state == UserState::Present).then_some(&stored.user);
            definition.standing(present, tx.now)
        });
        let leaves = standing.is_some_and(|standing| standing.is_ok_and(|standing| standing.is_explicit()));
        if item.reaction == Reaction::Remove && !leaves {
            let held = known.as_ref().and_then(|known| known.held_by.clone());
            leave_to(tx, item, held.filter(|plan| *plan != self.reconciliation.shown.id))?;
        }
        let adds = item.reaction == Reaction::Update;
        let shown = stored.as_ref().filter(|_| adds).and_then(|stored| self.shown_reference(&stored.user, group));
        let asked = stored.as_ref().map(|stored| asked_reference(tx, definition, &stored.user, group)).transpose()?;
        let named = known.as_ref().map(|known| known.entry.reference.clone()).or(shown).or(asked.flatten());
        let one = GivenMembership {
            group: group.to_owned(),
            reference: named.unwrap_or_else(|| GroupReference::Id(group.to_owned())),
            add: adds,
            ours: known.is_some_and(|known| known.ours) || adds,
        };
        if one.add && stored.is_none() {
            return Err(changed(item, "nobody owns the account"));
        }
        let plan = Planner { live: self.live, plan: self.reconciliation, restores: false };
        plan.request(tx, item, stored, &why(item), one).map(Some)
    }

    /// How an entitlement that the user's grants stand for names the group as the listing showed it. By this name the user
    /// stays in it, whatever the target called its groups when requests asked for them last.
    fn shown_reference(&self, user: &User, group: &str) -> Option<GroupReference> {
        let size = self.reconciliation.shown.groups.iter().find(|size| size.group == group)?;
        let shown = Group { id: group.to_owned(), display_name: size.display_name.clone(), members: None };
        let entitlements = &self.live.definition.app.entitlements;
        let asking = entitlements.iter().filter(|one| one.is_for(user) && shown.is_named(std::slice::from_ref(one)));
        asking.map(|one| &one.group).min_by_key(|named| !shown.is_exactly(named)).cloned()
    }
}

/// The user to whom the account is linked.
pub(super) fn owner_of(tx: &Tx<'_>, live: &LiveApp, account: &str) -> Result<Option<StoredUser>, Fault> {
    let known = tx.account_at(&live.definition.app.id, account)?.map(|row| row.account);
    let living = known.filter(|one| one.status != AccountStatus::Deleted && one.link_state == LinkState::Linked);
    let user = living.and_then(|account| account.user);
    user.map(|user| tx.user(user.as_str())).transpose().map(Option::flatten)
}

/// Makes the requests of a plan's memberships.
pub(super) struct Planner<'p> {
    pub(super) live: &'p LiveApp,
    pub(super) plan: &'p ReconciliationRow,
    /// A person has them put back as they were, whether or not anybody asks for them.
    pub(super) restores: bool,
}

impl Planner<'_> {
    /// A request that gives or takes away this membership; where the plan has one of the same account that does the like and was
    /// not begun, that one does it.
    pub(super) fn request(
        &self,
        tx: &mut Tx<'_>,
        item: &PlanItem,
        stored: Option<StoredUser>,
        why: &str,
        one: GivenMembership,
    ) -> Result<RequestId, Fault> {
        let (definition, removes) = (&self.live.definition, !one.add);
        let app = &definition.app.id;
        let account = item.finding.account.as_deref().unwrap_or_default();
        let open = match &stored {
            Some(stored) => tx.lane(app, &stored.user.id)?,
            None => tx.lane_of_account(app, account)?,
        };
        let key = match &stored {
            Some(stored) => stored.key.clone(),
            None => tx.app_key(app)?,
        };
        for row in open {
            if tx.plan_of(&row.request.id)?.as_ref() != Some(&self.plan.shown.id) {
                if removes {
                    // What takes away goes out beside what gives; of the same membership the ledger would tell.
                    continue;
                }
                return Err(changed(item, &format!("the request {} is open", row.request.id)));
            }
            let is_alike = row.given && row.removes == removes && row.request.attempts == 0 && !row.is_under_way();
            let given = if is_alike { tx.given(&row.request.id, &key)? } else { None };
            if let Some(mut given) = given.filter(|given| !given.members.is_empty() && !given.enrolled) {
                given.members.push(one);
                tx.put_given(&row.request.id, &key, &given)?;
                return Ok(row.request.id);
            }
        }
        let given = Given { restores: self.restores, members: vec![one], ..Given::default() };
        let new = NewRequest {
            operation: Operation::Update,
            why: why.to_owned(),
            by: self.plan.committed_by.as_deref().or(self.plan.released_by.as_deref()),
            removes,
            given: Some(given),
            plan: Some(&self.plan.shown.id),
            ..NewRequest::default()
        };
        match stored {
            Some(stored) => {
                if definition.app.protected.external_ids.iter().any(|id| id == account) {
                    return Err(Fault::new(Code::OperationOff, "the account is protected; it is never touched"));
                }
                let row = insert(tx, &definition.app, &stored, new)?;
                elect(tx, definition, &stored.user.id)?;
                Ok(row.request.id)
            }
            None => insert_for_account(tx, definition, account, None, new).map(|request| request.id),
        }
    }
}
