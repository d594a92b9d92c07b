//! Carrying an undo out, item by item: links are noted and requests are made that send what was kept.

use super::super::act::{Acting, Outcome};
use super::super::member_acts::{Planner, owner_of};
use super::super::subject::Subject;
use super::items::{member_print, operation_of, print};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApp, NewRequest, elect, insert, insert_for_account};
use crate::model::{AccountStatus, GroupReference, LinkState, PlanItem, Reaction, TargetAccount};
use crate::operation::Operation;
use crate::path::Path;
use crate::store::{AccountRow, Given, GivenMembership, PlanRow, ReconciliationRow, Tx};
use crate::value::Attributes;
use serde_json::Value;

/// Does what an item of an undo says, if the account is as it was planned for.
///
/// # Errors
/// `item_changed` where it is not; what else keeps the item from being done.
pub(in crate::reconcile) fn put_back(
    tx: &mut Tx<'_>,
    live: &LiveApp,
    plan: &ReconciliationRow,
    row: &PlanRow,
) -> Result<Outcome, Fault> {
    let (item, app) = (&row.item, &live.definition.app);
    let account = item.finding.account.as_deref().unwrap_or_default();
    let known = tx.account_at(&app.id, account)?.filter(|row| row.account.status != AccountStatus::Deleted);
    let changed = |what: &str| Fault::new(Code::ItemChanged, format!("item {}: {what}", item.number));
    if item.group.is_some() {
        return membership(tx, live, plan, row, known.as_ref()).map(|request| Outcome::done(Some(request)));
    }
    if print(known.as_ref()) != row.planned_for {
        return Err(changed("the account is another now than when the plan was made"));
    }
    let Some(known) = known else { return Err(changed("the account is gone")) };
    if app.protected.external_ids.iter().any(|id| id == account) {
        return Err(Fault::new(Code::OperationOff, "the account is protected; it is never touched"));
    }
    let seen = as_shown(&known);
    let acting = Acting { live, reconciliation: plan, seen: Some(&seen) };
    let request = match item.reaction {
        Reaction::Link | Reaction::Unlink => {
            let subject = Subject::find(tx, live, item.finding.user.as_deref(), Some(account))?;
            match item.reaction {
                Reaction::Link => acting.link(tx, &subject)?,
                _ if subject.is_linked() => acting.unlink(tx, subject)?,
                _ => return Err(changed("the account is not linked to the user any more")),
            }
            None
        }
        Reaction::Attend => attend(tx, live, known).map(|()| None)?,
        reaction => {
            operation_of(reaction).map(|operation| request(tx, live, plan, item, &known, operation)).transpose()?
        }
    };
    Ok(Outcome::done(request))
}

/// A membership is given back, or taken back, whoever asks for it.
fn membership(
    tx: &mut Tx<'_>,
    live: &LiveApp,
    plan: &ReconciliationRow,
    row: &PlanRow,
    known: Option<&AccountRow>,
) -> Result<RequestId, Fault> {
    let item = &row.item;
    let changed = |what: &str| Fault::new(Code::ItemChanged, format!("item {}: {what}", item.number));
    let group = item.group.clone().unwrap_or_default();
    let account = item.finding.account.as_deref().unwrap_or_default();
    let ledger = tx.memberships(&live.definition.app.id, account)?;
    let entry = ledger.iter().find(|row| row.entry.group == group).map(|row| &row.entry);
    if member_print(known, entry) != row.planned_for {
        return Err(changed("the membership is another now than when the plan was made"));
    }
    let stored = owner_of(tx, live, account)?;
    if item.finding.user.as_deref() != stored.as_ref().map(|stored| stored.user.id.as_str()) {
        return Err(changed("the account is linked otherwise now"));
    }
    let ours = item.finding.drift.first().and_then(|drift| drift.last.as_ref()?.as_bool()).unwrap_or(true);
    let reference = entry.map_or_else(|| GroupReference::Id(group.clone()), |entry| entry.reference.clone());
    let one = GivenMembership { group, reference, add: item.reaction == Reaction::Update, ours };
    let why = item.why.first().cloned().unwrap_or_default();
    Planner { live, plan, restores: true }.request(tx, item, stored, &why, one)
}

/// The account as it is known, as if it had been read.
fn as_shown(known: &AccountRow) -> TargetAccount {
    let account = &known.account;
    TargetAccount {
        external_id: account.external_id.clone(),
        username: account.username.clone(),
        active: account.status == AccountStatus::Active,
        frozen: account.frozen,
        attributes: account.attributes.clone(),
        version: account.version.clone(),
    }
}

/// The account is the user's again, or nobody's, as far as is known.
fn attend(tx: &mut Tx<'_>, live: &LiveApp, mut known: AccountRow) -> Result<(), Fault> {
    let app = &live.definition.app.id;
    let key = match &known.account.user {
        Some(user) => {
            let erased = || Fault::new(Code::NotFound, "the record of the account's user was erased");
            let other = tx.account_of(app, user.as_str())?.is_some_and(|other| other != known.account.external_id);
            if other {
                return Err(Fault::new(Code::ConflictDuplicate, "the user has another account in the app already"));
            }
            known.account.link_state = LinkState::Linked;
            tx.user(user.as_str())?.ok_or_else(erased)?.key
        }
        None => {
            known.account.link_state = LinkState::Orphaned;
            tx.app_key(app)?
        }
    };
    known.account.updated_at = tx.now;
    tx.put_account(&known, &key)
}

/// A request that puts back, in the lane of the account's user, or of the account where nobody owns it.
fn request(
    tx: &mut Tx<'_>,
    live: &LiveApp,
    plan: &ReconciliationRow,
    item: &PlanItem,
    known: &AccountRow,
    operation: Operation,
) -> Result<RequestId, Fault> {
    let definition = &live.definition;
    let given = Given { changes: item.changes.clone(), restores: true, expected: expected(item), ..Given::default() };
    let new = NewRequest {
        operation,
        why: item.why.first().cloned().unwrap_or_default(),
        by: plan.committed_by.as_deref(),
        given: Some(given),
        plan: Some(&plan.shown.id),
        ..NewRequest::default()
    };
    let user = known.account.user.as_ref().filter(|_| known.account.link_state == LinkState::Linked);
    let stored = user.map(|user| tx.user(user.as_str())).transpose()?.flatten();
    if item.finding.user.as_deref() != stored.as_ref().map(|stored| stored.user.id.as_str()) {
        return Err(Fault::new(
            Code::ItemChanged,
            format!("item {}: the account is linked otherwise now", item.number),
        ));
    }
    let Some(stored) = stored else {
        return insert_for_account(tx, definition, &known.account.external_id, None, new).map(|request| request.id);
    };
    let row = insert(tx, &definition.app, &stored, new)?;
    elect(tx, definition, &stored.user.id)?;
    Ok(row.request.id)
}

/// What the account has to have when the values are put back: those that the plan shows, and nothing where it shows none.
fn expected(item: &PlanItem) -> Attributes {
    let value = |path: &str| item.before.get(path).cloned().unwrap_or(Value::Null);
    let paths = item.changes.iter().filter(|change| Path::parse(&change.path).is_ok());
    paths.map(|change| (change.path.clone(), value(&change.path))).collect()
}
