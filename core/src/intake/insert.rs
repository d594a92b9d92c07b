//! New requests, for a user or for an account that nobody owns.

use super::elect_for;
use crate::definition::Definition;
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId, UserId};
use crate::model::{Account, AccountStatus, App, ApprovalStatus, LinkState, Request, State, TargetAccount, WaitingFor};
use crate::operation::Operation;
use crate::protocol::Guard;
use crate::store::{AccountRow, Given, LogEvent, RequestRow, StoredUser, Tx};
use crate::time::Timestamp;
use serde_json::json;

/// What a new request is made of.
#[derive(Default)]
pub(crate) struct NewRequest<'a> {
    pub(crate) operation: Operation,
    pub(crate) why: String,
    pub(crate) by: Option<&'a str>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) by_hand: bool,
    /// It takes access from who was disabled or left, by the source's own word.
    pub(crate) leaver: bool,
    /// Of an Update: it takes memberships away and does nothing else.
    pub(crate) removes: bool,
    pub(crate) fingerprint: Option<String>,
    pub(crate) asked: Option<String>,
    /// The failed request from which it takes over.
    pub(crate) parent: Option<&'a RequestRow>,
    /// What is sent instead of what the mapping gives. With `applied` its `fingerprint` is that of the record for which the
    /// mapping gave it; without, it has neither `fingerprint` nor `asked`.
    pub(crate) given: Option<Given>,
    /// The reconciliation whose plan it carries out.
    pub(crate) plan: Option<&'a RequestId>,
    /// The account is read before anything is sent: it may be disabled already.
    pub(crate) looks_first: bool,
    /// An account may have been made before, and is not believed to be absent before that time; the same by the clock that
    /// nobody can set.
    pub(crate) settle: Option<(Timestamp, Option<Guard>)>,
}

/// Stores a new request at the end of its user's lane, and logs it. Who inserts elects.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    app: &App,
    stored: &StoredUser,
    new: NewRequest<'_>,
) -> Result<RequestRow, Fault> {
    insert_as(tx, app, Subject::User(stored), new)
}

/// Stores a new request for an account that nobody owns, at the end of that account's lane, logs it, and elects. `seen` is
/// the account as the target showed it last, where it was seen.
///
/// # Errors
/// `operation_off` where the app does not allow the operation or protects the account, `conflict_owned` where somebody owns
/// it, `internal` for an operation that is for users alone.
pub(crate) fn insert_for_account(
    tx: &mut Tx<'_>,
    definition: &Definition,
    external_id: &str,
    seen: Option<&TargetAccount>,
    new: NewRequest<'_>,
) -> Result<Request, Fault> {
    let app = &definition.app;
    let given = new.operation == Operation::Update && new.given.is_some();
    if !given && !matches!(new.operation, Operation::Deactivate | Operation::Delete | Operation::Activate) {
        return Err(Fault::new(Code::Internal, "this operation is not delivered without a user"));
    }
    if !app.operations.allows(new.operation) {
        let message = format!("the app does not allow {}", new.operation);
        return Err(Fault::new(Code::OperationOff, message).at("operations"));
    }
    if app.protected.external_ids.iter().any(|id| id == external_id) {
        return Err(Fault::new(Code::OperationOff, "the account is protected; it is never touched"));
    }
    if tx.has_owner(&app.id, external_id)? {
        return Err(Fault::new(Code::ConflictOwned, "somebody owns the account"));
    }
    note_unowned(tx, app, external_id, seen)?;
    let row = insert_as(tx, app, Subject::Account(external_id), new)?;
    elect_for(tx, definition, &row)?;
    let row = tx.request(row.request.id.as_str())?;
    row.map(|row| row.request).ok_or_else(|| Fault::new(Code::Internal, "a request that was just made is gone"))
}

/// Keeps what is known of an account that nobody owns.
fn note_unowned(tx: &mut Tx<'_>, app: &App, external_id: &str, seen: Option<&TargetAccount>) -> Result<(), Fault> {
    let known = tx.account_at(&app.id, external_id)?;
    // What was sealed for a user stays theirs.
    if known.as_ref().is_some_and(|known| known.account.user.is_some() || seen.is_none()) {
        return Ok(());
    }
    let key = tx.app_key(&app.id)?;
    let account = Account {
        app: app.id.clone(),
        external_id: external_id.to_owned(),
        username: seen.and_then(|seen| seen.username.clone()),
        user: None,
        status: if seen.is_none_or(|seen| seen.active) { AccountStatus::Active } else { AccountStatus::Deactivated },
        frozen: seen.is_some_and(|seen| seen.frozen),
        link_state: known.as_ref().map_or(LinkState::Orphaned, |known| known.account.link_state),
        known_link: known.as_ref().is_some_and(|known| known.account.known_link),
        created_at: known.as_ref().map_or(tx.now, |known| known.account.created_at),
        updated_at: tx.now,
        deleted_at: None,
        attributes: seen.map(TargetAccount::named).unwrap_or_default(),
        version: seen.and_then(|seen| seen.version.clone()),
    };
    tx.put_account(&AccountRow { account, applied: None, fingerprint: None }, &key)
}

/// For whom a request is.
#[derive(Clone, Copy)]
enum Subject<'a> {
    User(&'a StoredUser),
    /// The account of that external id.
    Account(&'a str),
}

/// Whether the operation gives an account back to who lost it because the source said that the user is disabled or left.
fn gives_access_back(tx: &Tx<'_>, app: &App, user: &UserId, operation: Operation) -> Result<bool, Fault> {
    if !matches!(operation, Operation::Activate | Operation::Create) {
        return Ok(false);
    }
    let newest = |operations: [Operation; 2]| -> Result<Option<(RequestId, bool)>, Fault> {
        let found = operations.map(|operation| tx.newest_of(&app.id, user, operation));
        let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().max())
    };
    let given = newest([Operation::Activate, Operation::Create])?;
    let taken = newest([Operation::Deactivate, Operation::Delete])?;
    Ok(taken.is_some_and(|(id, leaver)| leaver && given.is_none_or(|(given, _)| given < id)))
}

fn insert_as(tx: &mut Tx<'_>, app: &App, subject: Subject<'_>, new: NewRequest<'_>) -> Result<RequestRow, Fault> {
    let back = match subject {
        Subject::User(stored) if app.approval.as_ref().is_some_and(|approval| approval.reactivation) => {
            gives_access_back(tx, app, &stored.user.id, new.operation)?
        }
        _ => false,
    };
    let approval = app.approval.as_ref().filter(|approval| {
        // What takes memberships away waits for nobody's word, as an Update that changes and gives does.
        back || (!new.removes && approval.operations.contains(&new.operation))
    });
    let mut row = row_of(tx, &app.id, &new)?;
    row.request.waiting_for = Some(WaitingFor::Lane);
    match subject {
        Subject::User(stored) => row.request.user = Some(stored.user.id.clone()),
        Subject::Account(external_id) => row.request.external_id = Some(external_id.to_owned()),
    }
    if let Some(approval) = approval {
        row.request.approval = ApprovalStatus::Required;
        row.expires_at = approval.expires.map(|expires| tx.now.plus(expires));
    }
    tx.insert_request(&row, new.leaver)?;
    if let Some(plan) = new.plan {
        tx.note_plan(&row.request.id, plan)?;
    }
    match (&new.given, subject) {
        (Some(given), Subject::User(stored)) => tx.put_given(&row.request.id, &stored.key, given)?,
        (Some(given), Subject::Account(_)) => {
            let key = tx.app_key(&app.id)?;
            tx.put_given(&row.request.id, &key, given)?;
        }
        (None, _) => {}
    }
    let request = &row.request;
    let mut details = json!({"operation": request.operation, "why": request.why});
    if let (Some(details), true) = (details.as_object_mut(), approval.is_some()) {
        details.insert("approval".to_owned(), json!(request.approval));
    }
    tx.log(LogEvent {
        app: Some(&request.app),
        user: request.user.as_ref(),
        request: Some(&request.id),
        by: new.by,
        ..LogEvent::new("decided", details)
    })?;
    Ok(row)
}

/// A new request of an app, which is for nobody yet, asks nobody and waits for nothing.
pub(super) fn row_of(tx: &mut Tx<'_>, app: &AppId, new: &NewRequest<'_>) -> Result<RequestRow, Fault> {
    let request = Request {
        id: tx.request_id()?,
        app: app.clone(),
        user: None,
        operation: new.operation,
        state: State::New,
        approval: ApprovalStatus::NotRequired,
        waiting_for: None,
        why: new.why.clone(),
        by: new.by.map(str::to_owned),
        created_at: tx.now,
        not_before: new.not_before,
        due_at: None,
        finished_at: None,
        attempts: 0,
        retry_count: new.parent.map_or(0, |parent| parent.request.retry_count + 1),
        parent_id: new.parent.map(|parent| parent.request.id.clone()),
        external_id: None,
        verified: None,
        faults: Vec::new(),
    };
    Ok(RequestRow {
        request,
        head: false,
        by_hand: new.by_hand,
        sending: false,
        unsettled: new.settle.is_some(),
        verifying: new.looks_first,
        given: new.given.is_some(),
        removes: new.removes,
        fingerprint: new.fingerprint.clone(),
        asked: new.asked.clone(),
        expires_at: None,
        settle_at: new.settle.map(|(at, _)| at),
        retry: new.settle.map(|(at, _)| (at, WaitingFor::Settle)),
        fence: 0,
        guard: new.settle.and_then(|(_, guard)| guard),
    })
}
