//! From a due request to the work that is asked of the target, or to the reason why there is none.

use super::candidate::{Rendering, hold, reserve};
use super::kept::is_in_vain;
use super::perform::CHANGED_SINCE;
use super::{Work, members, spent};
use crate::fault::{Code, Fault};
use crate::id::UserId;
use crate::intake::{LiveApp, watched_print};
use crate::mapping::UniqueValue;
use crate::model::{AccountStatus, Before, Change, FreezeFallback};
use crate::operation::Operation;
use crate::planning::inverse::{still_has, values_at};
use crate::protocol::{Call, create_look, raises_access};
use crate::scope::Standing;
use crate::store::{AccountRow, Given, RequestRow, StoredUser, Tx, UserState, fingerprint};
use crate::value::Attributes;
use serde_json::{Value, json};

/// What is to be done with a due request.
pub(super) enum Prepared {
    /// This is asked of the target; the payload is kept with the intent, and so is what there was before.
    Work(Work, Option<Attributes>, Before),
    /// There is nothing to send.
    Nothing(&'static str),
    /// There is no account to which it could be done.
    NoAccount,
    /// The account for which it was sent is gone, and the user has another one.
    OtherAccount,
    /// Something else has to exist first.
    Waiting,
    /// What is left of it waits for the turn of its groups.
    Queued,
    /// A call about one of its memberships is out.
    InTheWay,
    /// It would give access to somebody who may no longer have it.
    Unwanted,
    /// It cannot be sent.
    Faulty(Vec<Fault>),
}

/// Renders the request's payload, or takes the frozen one where an earlier attempt may still take effect. What is no longer
/// wanted is not sent: records change between a decision and its turn.
pub(super) fn prepare(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &mut RequestRow,
    stored: &StoredUser,
    look_up: bool,
) -> Result<Prepared, Fault> {
    let definition = &app.definition;
    let account = tx.linked_account(&definition.app.id, &stored.user.id, &stored.key)?;
    let present = (stored.state == UserState::Present).then_some(&stored.user);
    let given = if row.given { tx.given(&row.request.id, &stored.key)? } else { None };
    let restores = given.as_ref().is_some_and(|given| given.restores);
    let standing = match definition.standing(present, tx.now) {
        Ok(standing) => standing,
        // Access is taken away from whom the scope cannot be evaluated for, and not given.
        Err(_) if restores || row.reduces_access() => Standing::default(),
        Err(fault) => {
            // It is this record that it failed for, not the one that it was decided for.
            row.asked = Some(fingerprint(&stored.key, &definition.asked_bytes(&stored.user)));
            return Ok(Prepared::Faulty(vec![fault]));
        }
    };
    let unwanted = raises_access(row.request.operation) && !row.removes && !standing.wants_account()
        || matches!(row.request.operation, Operation::Activate | Operation::Unfreeze) && standing.frozen;
    if row.request.operation == Operation::Create {
        return create(tx, app, row, stored, account.as_ref(), Look { up: look_up, unwanted });
    }
    if unwanted && !restores {
        return Ok(Prepared::Unwanted);
    }
    let Some(account) = account else { return Ok(Prepared::NoAccount) };
    let external_id = account.account.external_id.clone();
    let sent_before = row.unsettled || row.verifying;
    if sent_before && row.request.external_id.as_ref().is_some_and(|known| *known != external_id) {
        return Ok(Prepared::OtherAccount);
    }
    row.request.external_id = Some(external_id.clone());
    if definition.app.protected.external_ids.contains(&external_id) {
        let message = "the account is protected; it is never touched";
        return Ok(Prepared::Faulty(vec![Fault::new(Code::OperationOff, message)]));
    }
    let by_disabling = !app.capabilities.freeze;
    let refuse_freeze = by_disabling && definition.app.freeze_fallback == FreezeFallback::Refuse;
    let work = match row.request.operation {
        Operation::Read if row.verifying => {
            let marked = account.applied.as_ref().and_then(|applied| applied.get("externalId")?.as_str());
            let marked = marked.unwrap_or(stored.user.id.as_str()).to_owned();
            Work::Count { user: stored.user.record.clone(), external_id: marked }
        }
        _ if row.verifying => Work::Verify { external_id, by_disabling, first: row.looks_first() },
        Operation::Update if members::are_next(tx, app, row, stored)? => {
            return members::prepare(tx, app, row, stored, &account);
        }
        Operation::Update => return update(tx, app, row, stored, account, given),
        Operation::Activate => Work::Activate { external_id },
        Operation::Deactivate => Work::Deactivate { external_id },
        Operation::Freeze | Operation::Unfreeze if refuse_freeze => {
            let message = "the target has no freeze, and the app does not disable instead";
            return Ok(Prepared::Faulty(vec![Fault::new(Code::Unsupported, message)]));
        }
        Operation::Freeze => Work::Freeze { external_id, by_disabling },
        Operation::Unfreeze => Work::Unfreeze { external_id, by_enabling: by_disabling },
        Operation::Delete => Work::Delete { external_id },
        Operation::Read => Work::Read { external_id },
        Operation::Create | Operation::Reconcile | Operation::Linking => {
            return Ok(Prepared::Faulty(vec![Fault::new(Code::Internal, "this operation is not delivered")]));
        }
    };
    Ok(Prepared::Work(work, None, before(&account, None)))
}

/// What there is of the account, with the values that changes overwrite.
fn before(account: &AccountRow, changes: Option<&[Change]>) -> Before {
    let known = &account.account;
    // Of an account that was never looked at, nothing is known, not even that it has no value.
    let seen = !known.attributes.is_empty();
    Before {
        existed: true,
        active: known.status == AccountStatus::Active,
        frozen: known.frozen,
        values: changes.filter(|_| seen).map(|changes| values_at(changes, &known.attributes)),
    }
}

/// The work on an account that nobody owns; [`Prepared::Unwanted`] where somebody owns it by now.
pub(super) fn prepare_unowned(tx: &mut Tx<'_>, app: &LiveApp, row: &RequestRow) -> Result<Prepared, Fault> {
    let faulty = |code, message| Ok(Prepared::Faulty(vec![Fault::new(code, message)]));
    let Some(external_id) = row.request.external_id.clone() else {
        return faulty(Code::Internal, "the request is for no user and no account");
    };
    let definition = &app.definition;
    if definition.app.protected.external_ids.contains(&external_id) {
        return faulty(Code::OperationOff, "the account is protected; it is never touched");
    }
    if tx.has_owner(&definition.app.id, &external_id)? {
        return Ok(Prepared::Unwanted);
    }
    let known = tx.account_at(&definition.app.id, &external_id)?;
    let by_disabling = !app.capabilities.freeze;
    let work = match row.request.operation {
        _ if row.verifying => Work::Verify { external_id, by_disabling, first: row.looks_first() },
        Operation::Update => return update_unowned(tx, app, row, known.as_ref()),
        Operation::Deactivate => Work::Deactivate { external_id },
        Operation::Activate => Work::Activate { external_id },
        Operation::Delete => Work::Delete { external_id },
        _ => return faulty(Code::Internal, "this operation is not delivered without a user"),
    };
    Ok(Prepared::Work(work, None, known.map(|known| before(&known, None)).unwrap_or_default()))
}

/// An Update of an account that nobody owns: exactly what it was given.
fn update_unowned(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &RequestRow,
    account: Option<&AccountRow>,
) -> Result<Prepared, Fault> {
    let key = tx.app_key(&app.definition.app.id)?;
    let given = tx.given(&row.request.id, &key)?;
    if let (Some(external_id), true) =
        (&row.request.external_id, given.as_ref().is_some_and(|given| !given.members.is_empty()))
    {
        return members::prepare_unowned(tx, app, row, external_id);
    }
    let (Some(account), Some(given)) = (account, given) else {
        let message = "an account that nobody owns has no mapping";
        return Ok(Prepared::Faulty(vec![Fault::new(Code::Internal, message)]));
    };
    if !row.unsettled && !still_has(&given.expected, &account.account.attributes) {
        return Ok(changed_since());
    }
    let before = before(account, Some(&given.changes));
    let work = Work::Update {
        external_id: account.account.external_id.clone(),
        changes: given.changes,
        attributes: Attributes::new(),
        version: app.capabilities.conditional_write.then(|| account.account.version.clone()).flatten(),
        unique: Vec::new(),
        expected: if row.unsettled { Attributes::new() } else { given.expected },
    };
    Ok(Prepared::Work(work, None, before))
}

fn changed_since() -> Prepared {
    Prepared::Faulty(vec![Fault::new(Code::CannotBeUndone, CHANGED_SINCE)])
}

/// Whether a Create may look for the account, and whether it may only do that.
#[derive(Clone, Copy)]
struct Look {
    up: bool,
    unwanted: bool,
}

fn create(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &mut RequestRow,
    stored: &StoredUser,
    account: Option<&AccountRow>,
    look: Look,
) -> Result<Prepared, Fault> {
    let (definition, capabilities) = (&app.definition, &app.capabilities);
    if account.is_some() {
        return Ok(Prepared::Nothing("the user has an account already"));
    }
    let can_look = look.up && capabilities.search;
    // Whether it looks because of the rules is known when it is rendered; whether there is anything to be done, before.
    let call = Call {
        can_look,
        unsettled: row.unsettled,
        again: spent(tx, app, row)? > 0,
        matches: false,
        wanted: !look.unwanted,
    };
    if create_look(&call).is_none() {
        return Ok(Prepared::Unwanted);
    }
    if definition.matching.rules() == 0 && !definition.app.create_without_match {
        let message = "creating needs a matching rule or `create_without_match`";
        return Ok(Prepared::Faulty(vec![Fault::new(Code::MatchingRequired, message).at("matching")]));
    }
    let mut sendable = true;
    let frozen = if row.unsettled { tx.payload(&row.request.id, &stored.key)? } else { None };
    let (attributes, mut unique, first) = match frozen {
        Some(attributes) => (attributes, Vec::new(), None),
        None => match rendered(tx, app, row, stored, None)? {
            Ok(payload) => (payload.attributes, payload.unique, payload.first),
            // What may have been made is looked for all the same, where it is known by the user's id.
            Err(_)
                if row.unsettled && can_look && !definition.mapping.targets().any(|target| target.is("externalId")) =>
            {
                sendable = false;
                (Attributes::new(), Vec::new(), None)
            }
            Err(instead) => return Ok(instead),
        },
    };
    let in_doubt = row.unsettled || takes_over_doubt(tx, row)?;
    if in_doubt {
        // What may have been sent before is not given up for another candidate.
        unique.clear();
    }
    // A target that refuses a second holder of the matched value tells by itself that the account exists. Of several
    // candidates the first was tried before the others, or is another user's.
    let tried = first.as_ref().unwrap_or(&attributes);
    let told = definition.matching.is_told_by(&capabilities.unique_keys, &stored.user.record, tried);
    let matches = definition.matching.rules() > 0 && !told;
    let Some(how) = create_look(&Call { matches, ..call }) else { return Ok(Prepared::Unwanted) };
    let external_id = attributes.get("externalId").and_then(Value::as_str).unwrap_or(stored.user.id.as_str());
    let work = Work::Create {
        key: tx.root_of(&row.request.id)?,
        look_up: how.first,
        look_where_taken: can_look && told && first.is_none(),
        make: sendable && how.make,
        in_doubt,
        user: stored.user.record.clone(),
        external_id: external_id.to_owned(),
        attributes: attributes.clone(),
        unique,
    };
    Ok(Prepared::Work(work, Some(attributes).filter(|_| sendable), Before::default()))
}

/// Whether the request takes over, at whatever remove, from one of which nobody knows whether it made the account.
fn takes_over_doubt(tx: &Tx<'_>, row: &RequestRow) -> Result<bool, Fault> {
    let mut next = row.request.parent_id.clone();
    while let Some(id) = next {
        let Some(parent) = tx.request(id.as_str())? else { break };
        let code = parent.request.faults.first().map(|fault| fault.code);
        if matches!(code, Some(Code::Uncertain | Code::ConflictGhost)) {
            return Ok(true);
        }
        next = parent.request.parent_id;
    }
    Ok(false)
}

fn update(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &mut RequestRow,
    stored: &StoredUser,
    mut account: AccountRow,
    given: Option<Given>,
) -> Result<Prepared, Fault> {
    let frozen = if row.unsettled { tx.payload(&row.request.id, &stored.key)? } else { None };
    let mut expected = Attributes::new();
    let (changes, attributes, unique) = match (frozen, given) {
        (Some(payload), _) => {
            let (changes, attributes) = thaw(payload)?;
            (changes, attributes, Vec::new())
        }
        (None, Some(given)) if !still_has(&given.expected, &account.account.attributes) => return Ok(changed_since()),
        (None, Some(given)) => {
            expected = given.expected;
            (given.changes, given.applied.unwrap_or_default(), Vec::new())
        }
        (None, None) => match rendered(tx, app, row, stored, Some(&account))? {
            Ok(payload) => (payload.changes, payload.attributes, payload.unique),
            Err(instead) => return Ok(instead),
        },
    };
    if changes.is_empty() {
        hold(tx, app, stored, &row.request.id, &attributes)?;
        if row.given || app.definition.app.entitlements.is_empty() {
            return Ok(Prepared::Nothing("the account is as it should be"));
        }
        account.fingerprint.clone_from(&row.fingerprint);
        tx.put_account(&account, &stored.key)?;
        return members::prepare(tx, app, row, stored, &account);
    }
    let mut payload = Attributes::new();
    payload.insert("attributes".to_owned(), Value::Object(attributes.clone()));
    payload.insert("changes".to_owned(), json!(changes));
    let before = before(&account, Some(&changes));
    let work = Work::Update {
        external_id: account.account.external_id.clone(),
        changes,
        attributes,
        version: app.capabilities.conditional_write.then(|| account.account.version.clone()).flatten(),
        unique,
        expected,
    };
    Ok(Prepared::Work(work, Some(payload), before))
}

pub(super) fn thaw(mut payload: Attributes) -> Result<(Vec<Change>, Attributes), Fault> {
    let damaged = || Fault::new(Code::StoreDamaged, "a frozen payload cannot be read");
    let changes = payload.remove("changes").ok_or_else(damaged)?;
    let Some(Value::Object(attributes)) = payload.remove("attributes") else { return Err(damaged()) };
    Ok((serde_json::from_value(changes).map_err(|_| damaged())?, attributes))
}

/// What is sent: all wanted attributes, and the changes where there is an account.
struct Payload {
    attributes: Attributes,
    changes: Vec<Change>,
    /// The values that nobody else may have.
    unique: Vec<UniqueValue>,
    /// The attributes of the first candidate, where this is another one.
    first: Option<Attributes>,
}

/// Renders the request's payload, reserves its unique values, and notes to whom the record refers; or tells what is to be
/// done instead.
fn rendered(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &mut RequestRow,
    stored: &StoredUser,
    account: Option<&AccountRow>,
) -> Result<Result<Payload, Prepared>, Fault> {
    let definition = &app.definition;
    let rendering = Rendering::new(tx, app, stored, account)?;
    let candidate = match rendering.candidate(tx, Some(&row.request.id))? {
        Ok(candidate) => candidate,
        Err(faults) => return Ok(Err(Prepared::Faulty(faults))),
    };
    rendering.note_references(tx)?;
    row.fingerprint = Some(watched_print(tx, definition, stored)?);
    if definition.mapping.awaits(&candidate.rendered) {
        return Ok(Err(Prepared::Waiting));
    }
    reserve(tx, app, stored, row, &candidate)?;
    let mut changes = Vec::with_capacity(candidate.rendered.changes.len());
    for change in &candidate.rendered.changes {
        if !is_in_vain(tx, app, account, &candidate.rendered.attributes, change)? {
            changes.push(change.change());
        }
    }
    let first = (candidate.iteration > 0).then(|| rendering.first()).flatten();
    let mut attributes = candidate.rendered.attributes;
    if account.is_none() {
        mark_as_ours(&mut attributes, &stored.user.id);
    }
    Ok(Ok(Payload { attributes, changes, unique: candidate.wanted, first }))
}

/// An account that is made carries its user's id, unless the mapping says otherwise.
pub(crate) fn mark_as_ours(attributes: &mut Attributes, user: &UserId) {
    if !attributes.contains_key("externalId") {
        attributes.insert("externalId".to_owned(), Value::from(user.as_str()));
    }
}
