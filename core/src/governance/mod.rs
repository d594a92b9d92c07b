//! What people do to requests: ask for one, agree, refuse, cancel, have it tried again, say that they did it themselves.

mod hold;

pub(crate) use hold::{hold, resume, set_maintenance};

use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId};
use crate::intake::{
    LiveApp, LiveApps, NewRequest, Trigger, begin_reconciliation, cancel, decide_lane, elect, elect_for,
    end_reconciliation, insert, insert_for_account, wake,
};
use crate::lifecycle::Event;
use crate::model::{Account, AccountStatus, ApprovalStatus, ItemState, LinkState, ReconciliationKind, Request, State};
use crate::operation::Operation;
use crate::scope::Standing;
use crate::store::{AccountRow, Given, LogEvent, RequestRow, StoredUser, Tx, UserState, fingerprint};
use crate::time::Timestamp;
use serde_json::{Value, json};

/// An operation that a person asks for.
pub(crate) struct Submission<'a> {
    pub(crate) app: &'a str,
    pub(crate) user: &'a str,
    pub(crate) operation: Operation,
    pub(crate) by: Option<&'a str>,
    pub(crate) not_before: Option<Timestamp>,
}

/// Makes a request by hand.
pub(crate) fn submit(tx: &mut Tx<'_>, apps: &LiveApps, asked: &Submission<'_>) -> Result<Request, Fault> {
    let live = live(apps, asked.app)?;
    let app = &live.definition.app;
    if matches!(asked.operation, Operation::Reconcile | Operation::Linking) {
        let message = format!("{} has a verb of its own and is not submitted", asked.operation);
        return Err(Fault::new(Code::InvalidArgument, message));
    }
    let missing = || Fault::new(Code::NotFound, "there is no such user");
    let stored = tx.user(asked.user)?.ok_or_else(missing)?;
    may_have(tx, live, &stored, asked.operation, false)?;
    let asked_for = fingerprint(&stored.key, &live.definition.asked_bytes(&stored.user));
    let new = NewRequest {
        operation: asked.operation,
        why: "asked for by hand".to_owned(),
        by: asked.by,
        not_before: asked.not_before,
        by_hand: true,
        asked: Some(asked_for),
        ..NewRequest::default()
    };
    let row = insert(tx, app, &stored, new)?;
    elect(tx, &live.definition, &stored.user.id)?;
    reload(tx, &row.request.id)
}

/// Whether the app allows the operation, and the user may have what it gives.
fn may_have(
    tx: &Tx<'_>,
    live: &LiveApp,
    stored: &StoredUser,
    operation: Operation,
    restores: bool,
) -> Result<Standing, Fault> {
    if !live.definition.app.operations.allows(operation) {
        let message = format!("the app does not allow {operation}");
        return Err(Fault::new(Code::OperationOff, message).at("operations"));
    }
    let present = (stored.state == UserState::Present).then_some(&stored.user);
    let standing = live.definition.standing(present, tx.now)?;
    let reasons = standing.because.join(", ");
    let raises = !restores && matches!(operation, Operation::Create | Operation::Activate | Operation::Unfreeze);
    if raises && !standing.wants_account() {
        return Err(Fault::new(Code::OperationOff, format!("the user may not have an account in the app: {reasons}")));
    }
    if raises && standing.frozen {
        return Err(Fault::new(Code::OperationOff, format!("the user may not be given access: {reasons}")));
    }
    Ok(standing)
}

/// Cancels a request that was not sent.
pub(crate) fn cancel_request(tx: &mut Tx<'_>, apps: &LiveApps, id: &str, by: Option<&str>) -> Result<Request, Fault> {
    let row = match tx.request(id)? {
        Some(row) => row,
        None => return cancel_plan(tx, id, by),
    };
    if row.is_under_way() {
        let message = "the request was sent and may still take effect; it cannot be taken back";
        return Err(Fault::new(Code::InvalidTransition, message));
    }
    let id = row.request.id.clone();
    if row.request.operation == Operation::Reconcile {
        end_reconciliation(tx, &id, Event::Cancel, by, "cancelled by hand")?;
        return reload(tx, &id);
    }
    cancel(tx, row.clone(), by, "cancelled by hand")?;
    elect_again(tx, apps, &row)?;
    reload(tx, &id)
}

/// Takes a plan back that no request stands for: an undo that was not committed, or a list of users of which leavers are held.
/// The answer is told as a request; that of a list is of no app.
fn cancel_plan(tx: &mut Tx<'_>, id: &str, by: Option<&str>) -> Result<Request, Fault> {
    let missing = || Fault::new(Code::NotFound, "there is no such request");
    let row = tx.reconciliation(id)?.ok_or_else(missing)?;
    let (id, is_list) = (row.shown.id.clone(), row.shown.kind == ReconciliationKind::Source);
    let has = |state| tx.next_items(&id, state, 1).map(|items| !items.is_empty());
    let event = match row.shown.state {
        // What is held of a list was committed by nobody: it ends as where a newer list takes its place.
        State::Committing if is_list && has(ItemState::Held)? && !has(ItemState::Planned)? => Event::Complete,
        _ => Event::Cancel,
    };
    end_reconciliation(tx, &id, event, by, "cancelled by hand")?;
    let shown = tx.reconciliation(id.as_str())?.ok_or_else(missing)?.shown;
    Ok(Request {
        app: shown.app.unwrap_or_else(AppId::none),
        id,
        user: None,
        operation: Operation::Reconcile,
        state: shown.state,
        approval: shown.approval,
        waiting_for: None,
        why: "cancelled by hand".to_owned(),
        by: shown.by,
        created_at: shown.created_at,
        not_before: None,
        due_at: None,
        finished_at: shown.finished_at,
        attempts: 0,
        retry_count: 0,
        parent_id: None,
        external_id: None,
        verified: None,
        faults: shown.faults,
    })
}

/// Agrees to a request, or refuses it.
pub(crate) fn answer(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    id: &str,
    agreed: bool,
    by: &str,
    comment: Option<&str>,
) -> Result<Request, Fault> {
    let mut row = find(tx, id)?;
    // What was sent and did no good asks again where something else is asked for meanwhile.
    if row.request.approval != ApprovalStatus::Required || row.request.state.is_finished() {
        return Err(Fault::new(Code::InvalidTransition, "the request does not wait for approval"));
    }
    let subject = row.request.user.as_ref().map(|user| user.as_str());
    if row.request.by.as_deref() == Some(by) || subject == Some(by) {
        let message = "who asked for it, or whom it concerns, may not answer";
        return Err(Fault::new(Code::FourEyes, message));
    }
    may_answer(tx, apps, &row, by)?;
    let kind = if agreed { "approved" } else { "denied" };
    log(tx, &row, kind, Some(by), json!({"operation": row.request.operation, "comment": comment}))?;
    let id = row.request.id.clone();
    if agreed {
        row.request.approval = ApprovalStatus::Approved;
        tx.save(&row)?;
    } else {
        row.request.approval = ApprovalStatus::Denied;
        cancel(tx, row.clone(), Some(by), "denied")?;
    }
    elect_again(tx, apps, &row)?;
    reload(tx, &id)
}

/// Approvers are the user's manager (`manager`) and named principals; everybody where none is named.
fn may_answer(tx: &Tx<'_>, apps: &LiveApps, row: &RequestRow, by: &str) -> Result<(), Fault> {
    let app = live(apps, row.request.app.as_str())?;
    let approvers =
        app.definition.app.approval.as_ref().map(|approval| approval.approvers.as_slice()).unwrap_or_default();
    let manager = match &row.request.user {
        Some(user) => tx.user(user.as_str())?.and_then(|stored| stored.user.manager),
        None => None,
    };
    let allowed = approvers.is_empty()
        || approvers.iter().any(|name| if name == "manager" { manager.as_deref() == Some(by) } else { name == by });
    if allowed { Ok(()) } else { Err(Fault::new(Code::FourEyes, "this principal is not among the approvers")) }
}

/// Has a failed request tried again: a clone takes over, in the same transaction.
pub(crate) fn retry(tx: &mut Tx<'_>, apps: &LiveApps, id: &str, by: &str) -> Result<Request, Fault> {
    let mut row = find(tx, id)?;
    let live = live(apps, row.request.app.as_str())?;
    if row.request.operation == Operation::Reconcile {
        return retry_reconciliation(tx, live, row, by);
    }
    if row.request.user.is_none() {
        return retry_unowned(tx, live, row, by);
    }
    let missing = || Fault::new(Code::NotFound, "the user's record was erased");
    let user = row.request.user.clone().ok_or_else(missing)?;
    let stored = tx.user(user.as_str())?.ok_or_else(missing)?;
    let given = tx.given(&row.request.id, &stored.key)?;
    let plan = tx.plan_of(&row.request.id)?;
    // What was written into the ledger is written there anew.
    let given = given.map(|given| Given { enrolled: false, ..given });
    let restores = given.as_ref().is_some_and(|given| given.restores);
    let standing = may_have(tx, live, &stored, row.request.operation, restores)?;
    let removes = matches!(row.request.operation, Operation::Deactivate | Operation::Delete);
    if removes && !row.by_hand && !row.given && standing.wants_account() {
        let message = "the user may have the account again; nothing is to be taken away";
        return Err(Fault::new(Code::OperationOff, message));
    }
    // An account that may have been made is looked for first. Where the target cannot search, the person has looked.
    let uncertain =
        row.request.operation == Operation::Create && (live.capabilities.search || live.capabilities.idempotency_key);
    let (settle_at, guard) = (row.settle_at, row.guard);
    clear_doubt(&mut row);
    tx.change(&mut row, Event::Retry)?;
    let new = NewRequest {
        operation: row.request.operation,
        why: format!("tried again: {}", row.request.why),
        by: Some(by),
        // What was decided for the user is superseded when the user is decided for anew, also at its second try.
        by_hand: row.by_hand,
        fingerprint: row.fingerprint.clone(),
        asked: row.is_in_step().then(|| fingerprint(&stored.key, &live.definition.asked_bytes(&stored.user))),
        given,
        plan: plan.as_ref(),
        parent: Some(&row),
        removes: row.removes,
        settle: settle_at.filter(|_| uncertain).map(|at| (at, guard)),
        ..NewRequest::default()
    };
    let clone = insert(tx, &live.definition.app, &stored, new)?;
    tx.pass_on(&row.request.id, &clone.request.id)?;
    log(tx, &row, "retried", Some(by), json!({"clone": clone.request.id}))?;
    elect(tx, &live.definition, &user)?;
    reload(tx, &clone.request.id)
}

/// Whether an account was made is for the person from now on, or for the request that takes over: nothing else waits for it.
fn clear_doubt(row: &mut RequestRow) {
    if row.request.operation == Operation::Create {
        (row.settle_at, row.guard) = (None, None);
    }
}

/// Another reconciliation takes over from a failed one; it begins where the target is read next.
fn retry_reconciliation(tx: &mut Tx<'_>, live: &LiveApp, mut row: RequestRow, by: &str) -> Result<Request, Fault> {
    tx.change(&mut row, Event::Retry)?;
    let why = format!("tried again: {}", row.request.why);
    let clone = begin_reconciliation(tx, live, Some(by), &why, Some(&row))?;
    log(tx, &row, "retried", Some(by), json!({"clone": clone.shown.id}))?;
    reload(tx, &clone.shown.id)
}

/// As [`retry`], for an account that nobody owns.
fn retry_unowned(tx: &mut Tx<'_>, live: &LiveApp, mut row: RequestRow, by: &str) -> Result<Request, Fault> {
    let missing = || Fault::new(Code::InvalidArgument, "this request is not delivered and not tried again");
    let external_id = row.request.external_id.clone().ok_or_else(missing)?;
    tx.change(&mut row, Event::Retry)?;
    let plan = tx.plan_of(&row.request.id)?;
    let key = tx.app_key(&live.definition.app.id)?;
    let given = tx.given(&row.request.id, &key)?.map(|given| Given { enrolled: false, ..given });
    let new = NewRequest {
        operation: row.request.operation,
        why: format!("tried again: {}", row.request.why),
        by: Some(by),
        by_hand: row.by_hand,
        given,
        plan: plan.as_ref(),
        parent: Some(&row),
        removes: row.removes,
        ..NewRequest::default()
    };
    let clone = insert_for_account(tx, &live.definition, &external_id, None, new)?;
    log(tx, &row, "retried", Some(by), json!({"clone": clone.id}))?;
    reload(tx, &clone.id)
}

/// Notes that a person did what a failed request was for; with `external_id`, which account it was.
pub(crate) fn complete_manually(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    id: &str,
    by: &str,
    note: &str,
    external_id: Option<&str>,
) -> Result<Request, Fault> {
    if external_id.is_some_and(str::is_empty) {
        return Err(Fault::new(Code::InvalidArgument, "`external_id` must not be empty").at("external_id"));
    }
    let mut row = find(tx, id)?;
    let live = live(apps, row.request.app.as_str())?;
    if external_id.is_some_and(|id| live.definition.app.protected.external_ids.iter().any(|own| own == id)) {
        return Err(Fault::new(Code::OperationOff, "the account is protected; it is never touched"));
    }
    clear_doubt(&mut row);
    tx.change(&mut row, Event::CompleteManually)?;
    let details = json!({"operation": row.request.operation, "note": note, "external_id": external_id});
    log(tx, &row, "completed_manually", Some(by), details)?;
    if let Some(user) = row.request.user.clone() {
        note_account(tx, live, &row, &user, external_id)?;
        let linked = tx.account_of(&live.definition.app.id, user.as_str())?;
        match &linked {
            Some(_) => tx.hold_reserved(&row.request.id)?,
            None => tx.release(&row.request.id)?,
        }
        // The record may have changed since the request failed.
        if let Some(stored) = tx.user(user.as_str())? {
            let trigger = Trigger { text: "a request was completed by hand", by: Some(by), is_definition: false };
            decide_lane(tx, &live.definition, &stored, trigger)?;
        }
        if let Some(external_id) = linked {
            wake(tx, &live.definition, &user, &external_id)?;
        }
    } else if let Some(external_id) = row.request.external_id.clone() {
        let status = match row.request.operation {
            Operation::Activate => AccountStatus::Active,
            Operation::Delete => AccountStatus::Deleted,
            _ => AccountStatus::Deactivated,
        };
        tx.note_status(&live.definition.app.id, &external_id, status)?;
        elect_for(tx, &live.definition, &row)?;
    }
    reload(tx, &row.request.id)
}

/// What the person did is what the account is like now.
fn note_account(
    tx: &mut Tx<'_>,
    live: &LiveApp,
    row: &RequestRow,
    user: &crate::id::UserId,
    external_id: Option<&str>,
) -> Result<(), Fault> {
    let app = &live.definition.app.id;
    let Some(stored) = tx.user(user.as_str())? else { return Ok(()) };
    let known = tx.linked_account(app, user, &stored.key)?;
    let mut account = match (known, external_id) {
        (Some(account), Some(other)) if account.account.external_id != other => {
            return Err(Fault::new(Code::ConflictDuplicate, "the user has another account in the app already"));
        }
        (Some(account), _) => account,
        (None, Some(external_id)) if row.request.operation == Operation::Create => {
            if tx.account_owner(app, external_id)?.is_some_and(|owner| owner != *user) {
                return Err(Fault::new(Code::ConflictOwned, "the account is linked to another user"));
            }
            let account = new_account(app, user, external_id, tx.now);
            AccountRow { account, applied: None, fingerprint: row.fingerprint.clone() }
        }
        (None, _) => return Ok(()),
    };
    let record = &mut account.account;
    match row.request.operation {
        Operation::Create | Operation::Activate => record.status = AccountStatus::Active,
        Operation::Deactivate => record.status = AccountStatus::Deactivated,
        Operation::Freeze => record.frozen = true,
        Operation::Unfreeze => record.frozen = false,
        Operation::Delete => {
            record.status = AccountStatus::Deleted;
            record.deleted_at = Some(tx.now);
        }
        Operation::Update if row.is_in_step() => account.fingerprint.clone_from(&row.fingerprint),
        Operation::Update => {}
        Operation::Read | Operation::Reconcile | Operation::Linking => {}
    }
    account.account.updated_at = tx.now;
    tx.put_account(&account, &stored.key)
}

fn new_account(app: &crate::id::AppId, user: &crate::id::UserId, external_id: &str, now: Timestamp) -> Account {
    Account {
        app: app.clone(),
        external_id: external_id.to_owned(),
        username: None,
        user: Some(user.clone()),
        status: AccountStatus::Active,
        frozen: false,
        link_state: LinkState::Linked,
        known_link: false,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        attributes: crate::value::Attributes::new(),
        version: None,
    }
}

fn live<'a>(apps: &'a LiveApps, id: &str) -> Result<&'a LiveApp, Fault> {
    let found = apps.values().find(|live| live.definition.app.id.as_str() == id);
    found.map(AsRef::as_ref).ok_or_else(|| Fault::new(Code::NotFound, "there is no such app"))
}

fn find(tx: &Tx<'_>, id: &str) -> Result<RequestRow, Fault> {
    tx.request(id)?.ok_or_else(|| Fault::new(Code::NotFound, "there is no such request"))
}

fn reload(tx: &Tx<'_>, id: &RequestId) -> Result<Request, Fault> {
    find(tx, id.as_str()).map(|row| row.request)
}

fn elect_again(tx: &mut Tx<'_>, apps: &LiveApps, row: &RequestRow) -> Result<(), Fault> {
    match apps.get(&row.request.app) {
        Some(app) => elect_for(tx, &app.definition, row),
        None => Ok(()),
    }
}

fn log(tx: &mut Tx<'_>, row: &RequestRow, kind: &str, by: Option<&str>, details: Value) -> Result<(), Fault> {
    tx.log(LogEvent {
        app: Some(&row.request.app),
        user: row.request.user.as_ref(),
        request: Some(&row.request.id),
        by,
        ..LogEvent::new(kind, details)
    })
}
