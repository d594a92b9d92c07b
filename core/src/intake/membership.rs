//! What is wanted of an account's memberships against the ledger, and what that means for the lane.

use crate::definition::Definition;
use crate::fault::Fault;
use crate::id::RequestId;
use crate::model::{App, GroupMembership, GroupReference, LeftMemberships, User};
use crate::planning::entitlement::{Difference, LedgerEntry, difference};
use crate::scope::Standing;
use crate::store::{AccountRow, MembershipRow, Tx};

/// What lies between an account's memberships and what is wanted.
#[derive(Default)]
pub(crate) struct Gap {
    pub(crate) lacks_membership: bool,
    pub(crate) has_leftover: bool,
    /// The requests that have memberships still to give or to take away.
    pub(crate) queued: Vec<RequestId>,
}

/// What lies between the account's memberships and what is wanted of them.
pub(crate) fn gap(
    tx: &Tx<'_>,
    definition: &Definition,
    account: &AccountRow,
    user: Option<&User>,
    standing: &Standing,
) -> Result<Gap, Fault> {
    let external_id = &account.account.external_id;
    if definition.app.protected.external_ids.contains(external_id) {
        return Ok(Gap::default());
    }
    let ledger = tx.memberships(&definition.app.id, external_id)?;
    let difference = difference_of(tx, definition, &ledger, user, standing)?;
    let queued = ledger.iter().filter(|row| row.entry.queued).filter_map(|row| row.request.clone()).collect();
    Ok(Gap { lacks_membership: difference.adds(), has_leftover: difference.removes(), queued })
}

/// What leads from the ledger to what the user's grants ask for. Who may not have the account is given nothing, and keeps what
/// there is unless the app says otherwise.
pub(crate) fn difference_of<'a>(
    tx: &Tx<'_>,
    definition: &'a Definition,
    ledger: &[MembershipRow],
    user: Option<&User>,
    standing: &Standing,
) -> Result<Difference<'a>, Fault> {
    let app = &definition.app;
    let wanted = match user.filter(|_| standing.wants_account()) {
        Some(user) => definition.wanted_groups(user),
        None if app.deprovision.memberships == LeftMemberships::Remove => Vec::new(),
        None => return Ok(Difference::default()),
    };
    if wanted.is_empty() && ledger.is_empty() {
        return Ok(Difference::default());
    }
    let entries: Vec<LedgerEntry> = ledger.iter().map(|row| row.entry.clone()).collect();
    let mut broken = None;
    let mut found = difference(wanted, &entries, &mut |reference| {
        find_group(tx, app, reference).unwrap_or_else(|fault| {
            broken = Some(fault);
            Err(String::new())
        })
    });
    if standing.frozen {
        // A suspended user gets nothing new.
        found.add.clear();
        found.unknown.clear();
    }
    broken.map_or(Ok(found), Err)
}

/// The memberships of an account and those that are wanted of it, by the entitlements' order, and then those that are only
/// in the ledger.
pub(crate) fn memberships_of(
    tx: &Tx<'_>,
    definition: &Definition,
    account: Option<&AccountRow>,
    user: Option<&User>,
    standing: &Standing,
) -> Result<Vec<GroupMembership>, Fault> {
    let app = &definition.app;
    let mut ledger = match account {
        Some(account) => tx.memberships(&app.id, &account.account.external_id)?,
        None => Vec::new(),
    };
    let wanted = user.filter(|_| standing.wants_account()).map(|user| definition.wanted_groups(user));
    let mut shown = Vec::new();
    for group in wanted.unwrap_or_default() {
        let (id, unknown) = match find_group(tx, app, group.reference)? {
            Ok(id) => (Some(id), None),
            Err(why) => (None, Some(why)),
        };
        let same =
            |row: &MembershipRow| row.entry.reference == *group.reference || Some(&row.entry.group) == id.as_ref();
        let known = ledger.iter().position(same).map(|index| ledger.remove(index));
        shown.push(GroupMembership {
            group: known.as_ref().map(|known| known.entry.group.clone()).or(id),
            reference: group.reference.clone(),
            wanted: true,
            why: group.why.into_iter().chain(unknown.filter(|_| known.is_none())).collect(),
            ..of_ledger(known.as_ref())
        });
    }
    let keeps = !standing.wants_account() && app.deprovision.memberships == LeftMemberships::Keep;
    shown.extend(ledger.iter().map(|row| GroupMembership {
        group: Some(row.entry.group.clone()),
        reference: row.entry.reference.clone(),
        wanted: keeps,
        why: vec![if keeps { "the app keeps it with the account" } else { "no grant asks for it any more" }.to_owned()],
        ..of_ledger(Some(row))
    }));
    Ok(shown)
}

fn of_ledger(row: Option<&MembershipRow>) -> GroupMembership {
    GroupMembership {
        group: None,
        reference: GroupReference::Id(String::new()),
        state: row.map(|row| row.entry.state),
        wanted: false,
        why: Vec::new(),
        since: row.map(|row| row.since),
        request: row.and_then(|row| row.request.clone()),
    }
}

/// The id of the group that an entitlement names, or why it is not known.
fn find_group(tx: &Tx<'_>, app: &App, reference: &GroupReference) -> Result<Result<String, String>, Fault> {
    let name = match reference {
        GroupReference::Id(id) => return Ok(Ok(id.clone())),
        GroupReference::DisplayName(name) => name,
    };
    let ids = tx.groups_named(&app.id, name)?;
    Ok(match ids.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err("the target has no group of that name".to_owned()),
        several => Err(format!("the target has {} groups of that name", several.len())),
    })
}
