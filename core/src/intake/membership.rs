//! What is wanted of an account's memberships against the ledger, and what that means for the lane.

use crate::definition::Definition;
use crate::fault::Fault;
use crate::id::RequestId;
use crate::model::{AccountStatus, App, GroupMembership, GroupReference, LeftMemberships, LinkState, User};
use crate::planning::entitlement::{Difference, LedgerEntry, difference};
use crate::scope::Standing;
use crate::store::{AccountRow, MembershipRow, Tx, UserState};
use serde_json::json;

/// What lies between an account's memberships and what is wanted.
#[derive(Default)]
pub(crate) struct Gap {
    pub(crate) lacks_membership: bool,
    pub(crate) has_leftover: bool,
    /// The requests that have memberships still to give or to take away.
    pub(crate) queued: Vec<RequestId>,
    /// The groups of which the brake held that the account leaves them, and for which somebody asks again.
    pub(crate) freed: Vec<String>,
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
    let mut freed: Vec<String> =
        ledger.iter().filter(|row| row.held_by.is_some()).map(|row| row.entry.group.clone()).collect();
    if !freed.is_empty() {
        let whole = whole_difference(tx, definition, &ledger, user, standing)?;
        freed.retain(|group| !whole.remove.contains(group));
    }
    Ok(Gap { lacks_membership: difference.adds(), has_leftover: difference.removes(), queued, freed })
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
    let mut found = whole_difference(tx, definition, ledger, user, standing)?;
    if !standing.is_explicit() {
        // What the brake holds stays until a second person releases it; nobody who leaves is waited for.
        let is_held = |group: &String| ledger.iter().any(|row| row.entry.group == *group && row.held_by.is_some());
        found.remove.retain(|group| !is_held(group));
    }
    Ok(found)
}

/// The same with what the brake holds.
pub(super) fn whole_difference<'a>(
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

/// How an entitlement that the user's grants stand for names a group; none where nobody asks for it.
pub(crate) fn asked_reference(
    tx: &Tx<'_>,
    definition: &Definition,
    user: &User,
    group: &str,
) -> Result<Option<GroupReference>, Fault> {
    for wanted in definition.wanted_groups(user) {
        if find_group(tx, &definition.app, wanted.reference)?.is_ok_and(|id| id == group) {
            return Ok(Some(wanted.reference.clone()));
        }
    }
    Ok(None)
}

/// A print of what is to be done about a membership depends on: whose the account is, whether somebody asks for the membership,
/// and what the ledger has of it. Where it differs on commit, the item is not what was planned. `instead` is the record that is
/// about to take the place of the owner's.
pub(crate) fn membership_print(
    tx: &Tx<'_>,
    definition: &Definition,
    external_id: &str,
    group: &str,
    instead: Option<&User>,
) -> Result<String, Fault> {
    let app = &definition.app.id;
    let account = tx.account_at(app, external_id)?.map(|row| row.account);
    let living = account.as_ref().filter(|account| account.status != AccountStatus::Deleted);
    let owner = living.filter(|account| account.link_state == LinkState::Linked);
    let owner = owner.and_then(|account| account.user.as_ref());
    let stored = owner.map(|user| tx.user(user.as_str())).transpose()?.flatten();
    let present = stored.filter(|stored| stored.state == UserState::Present).map(|stored| stored.user);
    let present = present.map(|user| instead.cloned().unwrap_or(user));
    let ledger = tx.memberships(app, external_id)?;
    let known = ledger.iter().find(|row| row.entry.group == group);
    let standing = definition.standing(present.as_ref(), tx.now).ok();
    let mut wanted = false;
    if let (Some(user), true) = (&present, standing.as_ref().is_none_or(Standing::wants_account)) {
        let by_name = |row: &MembershipRow| {
            definition.wanted_groups(user).iter().any(|wanted| *wanted.reference == row.entry.reference)
        };
        wanted = known.is_some_and(by_name) || asked_reference(tx, definition, user, group)?.is_some();
    }
    let entry = known.map(|row| json!([row.entry.state, row.entry.queued, row.ours]));
    let stands = standing.map(|standing| (standing.wants_account(), standing.frozen));
    // An account that nobody owns may become known by what the very plan does.
    let is_ignored = living.is_some_and(|account| account.link_state == LinkState::Ignored);
    let text = json!(["rollkeeper membership 2", external_id, group, owner, is_ignored, stands, wanted, entry]);
    Ok(crate::value::sha256_hex(text.to_string().as_bytes()))
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
        why: vec![why_left(row, keeps).to_owned()],
        ..of_ledger(Some(row))
    }));
    Ok(shown)
}

fn why_left(row: &MembershipRow, keeps: bool) -> &'static str {
    match keeps {
        true => "the app keeps it with the account",
        false if row.held_by.is_some() => "no grant asks for it any more; the brake holds that it is taken away",
        false => "no grant asks for it any more",
    }
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
