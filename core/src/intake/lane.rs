//! One lane, which is one user in one app: its open requests are brought in line with what is wanted now.

use crate::definition::Definition;
use crate::fault::Fault;
use crate::lifecycle::Event;
use crate::model::{AccountStatus, ApprovalStatus, Request, State, WaitingFor};
use crate::operation::Operation;
use crate::scope::{Decision, Projected, decide};
use crate::store::{AccountRow, LogEvent, RequestRow, StoredUser, Tx, UserState, fingerprint};
use serde_json::json;

/// What made us look at the lane.
#[derive(Clone, Copy)]
pub(crate) struct Trigger<'a> {
    /// In words, for the *why* of what follows.
    pub(crate) text: &'a str,
    /// Who did it.
    pub(crate) by: Option<&'a str>,
}

/// Decides afresh for one user and app. What is wanted is compared with the account and with what is under way; requests
/// that were not sent are kept where they are still wanted and cancelled where they are not. Gives the new requests.
pub(crate) fn decide_lane(
    tx: &mut Tx<'_>,
    definition: &Definition,
    stored: &StoredUser,
    trigger: Trigger<'_>,
) -> Result<Vec<Request>, Fault> {
    let (app, user) = (&definition.app.id, &stored.user.id);
    let account = tx.linked_account(app, user, &stored.key)?;
    let open = tx.lane(app, user)?;
    let present = (stored.state == UserState::Present).then_some(&stored.user);
    let standing = match definition.standing(present, tx.now) {
        Ok(standing) => standing,
        Err(fault) => {
            let details = json!({"faults": [fault], "trigger": trigger.text});
            let event =
                LogEvent { app: Some(app), user: Some(user), by: trigger.by, ..LogEvent::new("undecided", details) };
            tx.log(event)?;
            return Ok(Vec::new());
        }
    };
    if account.is_none() && open.is_empty() && !standing.wants_account() {
        return Ok(Vec::new());
    }
    let print = fingerprint(&stored.key, &definition.watched_bytes(&stored.user));
    let (fixed, mut loose): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|row| row.unsettled || row.sending || row.verifying || row.by_hand);
    let projected = project(account.as_ref(), &fixed);
    let mut lane = Lane { definition, stored, trigger, print: &print };
    let mut made = Vec::new();
    for decision in decide(&definition.app, &standing, &projected, &print, trigger.text, tx.now) {
        if let Some(reason) = lane.withheld(&decision) {
            lane.log_withheld(tx, &decision, &reason)?;
            continue;
        }
        let same = loose.iter().position(|row| row.request.operation == decision.operation);
        match same.map(|index| loose.remove(index)) {
            Some(row) => lane.keep(tx, row)?,
            None => made.extend(lane.make(tx, decision)?),
        }
    }
    for row in loose {
        cancel(tx, row, trigger.by, "superseded: it is no longer wanted")?;
    }
    elect(tx, definition, &stored.user.id)?;
    made.iter().map(|id| reload(tx, id)).collect()
}

fn reload(tx: &Tx<'_>, id: &str) -> Result<Request, Fault> {
    let row = tx.request(id)?;
    row.map(|row| row.request)
        .ok_or_else(|| Fault::new(crate::fault::Code::Internal, "a request that was just made is gone"))
}

/// What there will be once everything under way has happened.
fn project(account: Option<&AccountRow>, fixed: &[RequestRow]) -> Projected {
    let mut projected = account.map_or_else(Projected::default, |row| Projected {
        exists: true,
        active: row.account.status == AccountStatus::Active,
        frozen: row.account.frozen,
        fingerprint: row.fingerprint.clone(),
    });
    for row in fixed {
        match row.request.operation {
            Operation::Create => {
                let fingerprint = row.fingerprint.clone();
                projected = Projected { exists: true, active: true, frozen: false, fingerprint };
            }
            Operation::Update => projected.fingerprint.clone_from(&row.fingerprint),
            Operation::Activate => projected.active = true,
            Operation::Deactivate => projected.active = false,
            Operation::Freeze => projected.frozen = true,
            Operation::Unfreeze => projected.frozen = false,
            Operation::Delete => projected.exists = false,
            Operation::Read | Operation::Reconcile | Operation::Linking => {}
        }
    }
    projected
}

struct Lane<'a> {
    definition: &'a Definition,
    stored: &'a StoredUser,
    trigger: Trigger<'a>,
    print: &'a str,
}

impl Lane<'_> {
    /// Why a decision is not carried out, where it is not.
    fn withheld(&self, decision: &Decision) -> Option<String> {
        let renders = matches!(decision.operation, Operation::Create | Operation::Update);
        let missing = || {
            let reads = self.definition.reads();
            let dropped = self.stored.dropped.iter();
            dropped.into_iter().find(|name| reads.as_ref().is_none_or(|reads| reads.contains(name.as_str())))
        };
        decision.withheld.clone().or_else(|| {
            let name = renders.then(missing).flatten()?;
            Some(format!("`{name}` was not stored when the user was put, since nothing read it; put the user again"))
        })
    }

    fn log_withheld(&self, tx: &mut Tx<'_>, decision: &Decision, reason: &str) -> Result<(), Fault> {
        let details = json!({"operation": decision.operation, "why": decision.why, "withheld": reason});
        tx.log(LogEvent {
            app: Some(&self.definition.app.id),
            user: Some(&self.stored.user.id),
            by: self.trigger.by,
            ..LogEvent::new("withheld", details)
        })
    }

    /// A request that was not sent yet stands for the newest record; an approval of an older one does not hold.
    fn keep(&mut self, tx: &mut Tx<'_>, mut row: RequestRow) -> Result<(), Fault> {
        if row.fingerprint.as_deref() == Some(self.print) {
            return Ok(());
        }
        row.fingerprint = Some(self.print.to_owned());
        if row.request.approval == ApprovalStatus::Approved {
            row.request.approval = ApprovalStatus::Required;
            row.request.waiting_for = Some(WaitingFor::Approval);
            row.request.due_at = row.expires_at;
        }
        tx.save(&row)
    }

    fn make(&mut self, tx: &mut Tx<'_>, decision: Decision) -> Result<Option<String>, Fault> {
        if self.failed_alike(tx, &decision)? {
            return Ok(None);
        }
        let app = &self.definition.app;
        let new = NewRequest {
            operation: decision.operation,
            why: decision.why,
            by: self.trigger.by,
            not_before: decision.not_before,
            by_hand: false,
            fingerprint: Some(self.print.to_owned()),
        };
        insert(tx, app, self.stored, new).map(|row| Some(row.request.id.as_str().to_owned()))
    }

    /// Whether the very same was tried last and given up. Doing it again would fail again; `retry` is for that. What
    /// takes access away is always tried again.
    fn failed_alike(&self, tx: &Tx<'_>, decision: &Decision) -> Result<bool, Fault> {
        if !matches!(decision.operation, Operation::Create | Operation::Update | Operation::Activate) {
            return Ok(false);
        }
        let last = tx.last_finished(&self.definition.app.id, &self.stored.user.id, decision.operation)?;
        Ok(last.is_some_and(|row| row.request.state == State::Failed && row.fingerprint.as_deref() == Some(self.print)))
    }
}

/// What a new request is made of.
pub(crate) struct NewRequest<'a> {
    pub(crate) operation: Operation,
    pub(crate) why: String,
    pub(crate) by: Option<&'a str>,
    pub(crate) not_before: Option<crate::time::Timestamp>,
    pub(crate) by_hand: bool,
    pub(crate) fingerprint: Option<String>,
}

/// Stores a new request at the end of its lane, and logs it.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    app: &crate::model::App,
    stored: &StoredUser,
    new: NewRequest<'_>,
) -> Result<RequestRow, Fault> {
    let approval = app.approval.as_ref().filter(|approval| approval.operations.contains(&new.operation));
    let expires = approval.and_then(|approval| approval.expires);
    let request = Request {
        id: tx.request_id()?,
        app: app.id.clone(),
        user: Some(stored.user.id.clone()),
        operation: new.operation,
        state: State::New,
        approval: if approval.is_some() { ApprovalStatus::Required } else { ApprovalStatus::NotRequired },
        waiting_for: Some(WaitingFor::Lane),
        why: new.why,
        by: new.by.map(str::to_owned),
        created_at: tx.now,
        not_before: new.not_before,
        due_at: None,
        finished_at: None,
        attempts: 0,
        retry_count: 0,
        parent_id: None,
        external_id: None,
        verified: None,
        faults: Vec::new(),
    };
    let row = RequestRow {
        request,
        head: false,
        by_hand: new.by_hand,
        sending: false,
        unsettled: false,
        verifying: false,
        fingerprint: new.fingerprint,
        expires_at: expires.map(|expires| tx.now.plus(expires)),
        settle_at: None,
    };
    tx.insert_request(&row)?;
    let request = &row.request;
    tx.log(LogEvent {
        app: Some(&request.app),
        user: request.user.as_ref(),
        request: Some(&request.id),
        by: new.by,
        ..LogEvent::new("decided", json!({"operation": request.operation, "why": request.why}))
    })?;
    Ok(row)
}

/// Cancels a request that was not sent, and logs why.
pub(crate) fn cancel(tx: &mut Tx<'_>, mut row: RequestRow, by: Option<&str>, why: &str) -> Result<(), Fault> {
    tx.change(&mut row, Event::Cancel)?;
    let request = &row.request;
    let details = json!({"operation": request.operation, "why": why});
    tx.log(LogEvent {
        app: Some(&request.app),
        user: request.user.as_ref(),
        request: Some(&request.id),
        by,
        ..LogEvent::new("cancelled", details)
    })
}

/// Chooses the first of a lane and says what it waits for. A Create goes before everything else, since there is nothing
/// to take away before; then what takes access away; then the oldest. A request under way keeps its place.
pub(crate) fn elect(tx: &mut Tx<'_>, definition: &Definition, user: &crate::id::UserId) -> Result<(), Fault> {
    let mut rows = tx.lane(&definition.app.id, user)?;
    let rank = |row: &RequestRow| {
        let operation = row.request.operation;
        (!row.sending, operation != Operation::Create, !operation.reduces_access())
    };
    rows.sort_by_key(rank);
    let mut rows = rows.into_iter();
    let Some(mut first) = rows.next() else { return Ok(()) };
    for mut row in rows {
        if row.head || row.request.waiting_for != Some(WaitingFor::Lane) || row.request.due_at.is_some() {
            row.head = false;
            row.request.waiting_for = Some(WaitingFor::Lane);
            row.request.due_at = None;
            tx.save(&row)?;
        }
    }
    let before = (first.head, first.request.waiting_for, first.request.due_at);
    gate(&mut first, definition, tx.now);
    if before != (first.head, first.request.waiting_for, first.request.due_at) {
        tx.save(&first)?;
    }
    Ok(())
}

/// What the first of a lane waits for.
fn gate(row: &mut RequestRow, definition: &Definition, now: crate::time::Timestamp) {
    let newly = !row.head;
    row.head = true;
    if row.sending {
        return;
    }
    let request = &mut row.request;
    let (waiting_for, due_at) = if request.approval == ApprovalStatus::Required {
        (Some(WaitingFor::Approval), row.expires_at)
    } else if !definition.app.enabled {
        (Some(WaitingFor::Disabled), None)
    } else if !newly && !matches!(request.waiting_for, Some(WaitingFor::Disabled | WaitingFor::Approval)) {
        return;
    } else if let Some(not_before) = request.not_before.filter(|not_before| *not_before > now) {
        (Some(WaitingFor::Schedule), Some(not_before))
    } else if let Some(settle_at) = row.settle_at.filter(|at| row.unsettled && *at > now) {
        (Some(WaitingFor::Settle), Some(settle_at))
    } else {
        (None, Some(now))
    };
    request.waiting_for = waiting_for;
    request.due_at = due_at;
}
