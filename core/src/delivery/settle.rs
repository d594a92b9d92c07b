//! Settling: the outcome of a call becomes state, account and log, in one transaction.

use super::candidate::{hold, refuse};
use super::kept::note_kept;
use super::look_up::told;
use super::{Job, Report, Work, spent};
use crate::connector::{Change, ConnectorError, Outcome, TargetAccount};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, LiveApps, Trigger, cancel, decide_lane, elect, wake};
use crate::lifecycle::Event;
use crate::mapping::UniqueValue;
use crate::matching::Candidate;
use crate::model::{Account, AccountStatus, LinkState, WaitingFor};
use crate::operation::Operation;
use crate::retry::{self, Facts, Next, after_failure};
use crate::store::{AccountRow, LogEvent, RequestRow, StoredUser, Tx, UserState};
use crate::value::Attributes;
use serde_json::{Value, json};

/// Stores what came of a job. One whose account or record cannot be read is given up alone.
pub(super) fn settle_apart(tx: &mut Tx<'_>, apps: &LiveApps, job: &Job, report: &Report) -> Result<(), Fault> {
    let settled = tx.part(|tx| settle(tx, apps, job, report));
    let Err(fault) = settled else { return Ok(()) };
    if !matches!(fault.code, Code::StoreDamaged | Code::KeyMissing | Code::Internal) {
        return Err(fault);
    }
    let current = tx.request(job.row.request.id.as_str())?;
    match current.filter(|row| !row.request.state.is_finished()) {
        Some(mut row) => {
            row.unsettled = true;
            fail(tx, &job.app, row, vec![fault])
        }
        None => late(tx, &job.row, report),
    }
}

fn settle(tx: &mut Tx<'_>, apps: &LiveApps, job: &Job, report: &Report) -> Result<(), Fault> {
    let claimed = &job.row;
    // The definition may have changed while the call was made.
    let app = apps.get(&claimed.request.app).unwrap_or(&job.app);
    let current = tx.request(claimed.request.id.as_str())?;
    let same = current.filter(|row| {
        row.request.attempts == claimed.request.attempts
            && row.sending == claimed.sending
            && !row.request.state.is_finished()
    });
    let stored = claimed.request.user.as_ref().map(|user| tx.user(user.as_str())).transpose()?.flatten();
    let (Some(mut row), Some(stored)) = (same, stored) else { return late(tx, claimed, report) };
    // What the claim decided and did not store by itself.
    row.fingerprint.clone_from(&claimed.fingerprint);
    row.request.external_id.clone_from(&claimed.request.external_id);
    let mut settling = Settling { tx, app, stored: &stored };
    settling.report(row, job.work.clone(), report.clone())
}

/// An answer to an attempt that was given up meanwhile. It changes nothing, and is kept as evidence.
fn late(tx: &mut Tx<'_>, row: &RequestRow, report: &Report) -> Result<(), Fault> {
    let details = json!({"attempt": row.request.attempts, "outcome": outcome_name(report)});
    tx.log(LogEvent {
        app: Some(&row.request.app),
        user: row.request.user.as_ref(),
        request: Some(&row.request.id),
        ..LogEvent::new("late_answer", details)
    })
}

fn outcome_name(report: &Report) -> &'static str {
    match report {
        Report::Applied(_) | Report::Found { .. } | Report::Removed { .. } => "applied",
        Report::Owned | Report::Ghost | Report::Several(_) | Report::Unsure(_) => "conflict",
        Report::Missing => "rejected",
        Report::Taken { by_conflict: true, .. } => "conflict",
        Report::TooLate | Report::Taken { .. } => "not_applied",
        Report::Failed(error) | Report::FailedAfterLook(error) => error.outcome.name(),
    }
}

struct Settling<'a, 'b> {
    tx: &'a mut Tx<'b>,
    app: &'a LiveApp,
    stored: &'a StoredUser,
}

impl Settling<'_, '_> {
    fn report(&mut self, row: RequestRow, work: Work, report: Report) -> Result<(), Fault> {
        match report {
            Report::Applied(account) => self.applied(row, work, account),
            Report::Found { account, ours, by } => {
                self.matched(&row, "linked", by.as_slice())?;
                self.found(row, work, account, ours)
            }
            Report::Removed { verified, gone } => self.removed(row, verified, gone),
            Report::Owned => self.conflict(row, Code::ConflictOwned, "the matching account belongs to somebody else"),
            Report::Several(candidates) => {
                self.matched(&row, "ambiguous", &candidates)?;
                self.conflict(row, Code::ConflictDuplicate, &told("several accounts match", &candidates))
            }
            Report::Unsure(candidates) => {
                self.matched(&row, "candidates", &candidates)?;
                let message = told("no account matches for certain, and some may be the user's", &candidates);
                self.conflict(row, Code::ConflictCandidates, &message)
            }
            Report::Ghost => self.ghost(row),
            Report::Taken { values, by_conflict } => self.taken(row, &values, by_conflict),
            Report::Missing => self.missing(row),
            Report::TooLate => {
                let message = "it was too late to send; nothing was sent";
                let error = ConnectorError::new(Outcome::NotApplied, Code::Cancelled.name(), message);
                self.failed(row, &error)
            }
            Report::Failed(error) => self.failed(row, &error),
            // What was sent before did nothing; only what was sent now counts.
            Report::FailedAfterLook(error) => {
                self.failed(RequestRow { unsettled: false, settle_at: None, ..row }, &error)
            }
        }
    }

    fn applied(&mut self, row: RequestRow, work: Work, account: Option<TargetAccount>) -> Result<(), Fault> {
        match (work, account) {
            (Work::Create { attributes, .. }, Some(account)) => {
                if account.external_id.is_empty() {
                    let message = "the connector gave an account without an id";
                    let error = ConnectorError::new(Outcome::Ambiguous, Code::InvalidAnswer.name(), message);
                    return self.failed(row, &error);
                }
                if !self.may_link(&account.external_id)? {
                    return self.conflict(row, Code::ConflictOwned, "the target gave the account of another user");
                }
                self.link(row, account, Some(attributes), "created", false)
            }
            (Work::Update { attributes, changes, .. }, account) => self.updated(row, attributes, &changes, account),
            (Work::Read { .. }, Some(account)) => self.seen(row, account),
            (_, _) => self.switched(row),
        }
    }

    /// The account does not exist. A Create that was only to look for it is over; for anything else our record was wrong, and
    /// what is wanted is decided afresh.
    fn missing(&mut self, row: RequestRow) -> Result<(), Fault> {
        if row.request.operation == Operation::Create {
            let present = (self.stored.state == UserState::Present).then_some(&self.stored.user);
            let standing = self.app.definition.standing(present, self.tx.now);
            let (message, why) = match standing.is_ok_and(|standing| standing.wants_account()) {
                true => {
                    ("no account was found", "superseded: no account was found, and what is wanted is decided afresh")
                }
                false => (
                    "no account was found, and none is wanted any more",
                    "superseded: the user may no longer have this access, and no account was found",
                ),
            };
            self.close(&row, "not_applied", Code::Cancelled.name(), message)?;
            return self.take_back(row, why);
        }
        let message = "the account no longer exists at the target";
        self.close(&row, "rejected", Code::AccountMissing.name(), message)?;
        if let Some(mut account) = self.account()? {
            account.account.status = AccountStatus::Deleted;
            account.account.deleted_at = Some(self.tx.now);
            self.put(account)?;
        }
        fail(self.tx, self.app, row, vec![Fault::new(Code::AccountMissing, message)])?;
        self.decide("the account no longer exists at the target")
    }

    /// A Create of which is known now that it made nothing, and that cannot go on as it is.
    fn take_back(&mut self, mut row: RequestRow, why: &str) -> Result<(), Fault> {
        row.sending = false;
        row.unsettled = false;
        row.request.faults.clear();
        cancel(self.tx, row, None, why)?;
        self.decide("no account was found")
    }

    /// An account that was there already. Nothing is written to it in the same step; where it differs from what is wanted,
    /// an Update follows.
    fn found(&mut self, row: RequestRow, work: Work, account: TargetAccount, ours: bool) -> Result<(), Fault> {
        if !self.may_link(&account.external_id)? {
            return self.conflict(row, Code::ConflictOwned, "the matching account belongs to another user");
        }
        // A request that takes over from another does not know what that one had sent.
        let own = ours && row.unsettled && row.request.parent_id.is_none();
        let sent = match work {
            Work::Create { attributes, .. } if own => Some(attributes),
            _ => None,
        };
        let kind = if sent.is_some() { "created before" } else { "adopted" };
        self.link(row, account, sent, kind, true)
    }

    /// Keeps which accounts matched, by which rules and how surely.
    fn matched(&mut self, row: &RequestRow, decision: &str, candidates: &[Candidate]) -> Result<(), Fault> {
        if candidates.is_empty() {
            return Ok(());
        }
        self.log(row, "matched", json!({"decision": decision, "candidates": candidates}))
    }

    fn may_link(&mut self, external_id: &str) -> Result<bool, Fault> {
        let app = &self.app.definition.app;
        let owner = self.tx.account_owner(&app.id, external_id)?;
        let protected = app.protected.external_ids.iter().any(|id| id == external_id);
        Ok(!protected && owner.is_none_or(|owner| owner == self.stored.user.id))
    }

    fn link(
        &mut self,
        mut row: RequestRow,
        found: TargetAccount,
        sent: Option<Attributes>,
        how: &str,
        existed: bool,
    ) -> Result<(), Fault> {
        let now = self.tx.now;
        if self.account()?.is_some_and(|known| known.account.external_id != found.external_id) {
            return self.conflict(row, Code::ConflictDuplicate, "the user has another account in the app already");
        }
        // A search may show less than the account has (RFC 7644 §3.4.2).
        if let Some(sent) = sent.as_ref().filter(|_| !existed) {
            note_kept(self.tx, self.app, &row, sent, None, &found)?;
        }
        let attributes = match &sent {
            Some(sent) if found.attributes.is_empty() => sent.clone(),
            _ => found.named(),
        };
        let username = found.username.or_else(|| {
            let sent = sent.as_ref()?.get("userName")?;
            sent.as_str().map(str::to_owned)
        });
        hold(self.tx, self.app, self.stored, &row.request.id, sent.as_ref().unwrap_or(&attributes))?;
        let account = Account {
            app: self.app.definition.app.id.clone(),
            external_id: found.external_id.clone(),
            username,
            user: Some(self.stored.user.id.clone()),
            status: if found.active { AccountStatus::Active } else { AccountStatus::Deactivated },
            frozen: found.frozen,
            link_state: LinkState::Linked,
            known_link: false,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            attributes,
            version: found.version,
        };
        // Where we did not send what the account holds, its fingerprint is unknown: an Update compares and follows.
        let fingerprint = sent.as_ref().and(row.fingerprint.clone());
        self.tx.put_account(&AccountRow { account, applied: sent, fingerprint }, &self.stored.key)?;
        row.request.external_id = Some(found.external_id.clone());
        self.log(&row, "linked", json!({"how": how, "external_id": row.request.external_id}))?;
        self.close(&row, "applied", if existed { how } else { "" }, "")?;
        self.complete(row)?;
        self.decide(if existed { "an existing account was linked" } else { "the account was created" })?;
        wake(self.tx, &self.app.definition, &self.stored.user.id, &found.external_id)
    }

    /// What is wanted may have changed while the call was made, and an account may be otherwise than it was thought to be.
    fn decide(&mut self, text: &str) -> Result<(), Fault> {
        let trigger = Trigger { text, by: None, is_definition: false };
        decide_lane(self.tx, &self.app.definition, self.stored, trigger).map(|_| ())
    }

    fn updated(
        &mut self,
        row: RequestRow,
        wanted: Attributes,
        changes: &[Change],
        seen: Option<TargetAccount>,
    ) -> Result<(), Fault> {
        if let Some(seen) = &seen {
            note_kept(self.tx, self.app, &row, &wanted, Some(changes), seen)?;
        }
        if let Some(mut account) = self.account()? {
            let known = &mut account.account;
            match seen {
                Some(seen) if !seen.attributes.is_empty() => {
                    known.attributes = seen.named();
                    known.username = seen.username.or(known.username.take());
                    known.version = seen.version;
                }
                // What the target took is a path, whatever we make of it.
                _ if row.given => Change::apply_all(changes, &mut known.attributes).unwrap_or_default(),
                _ => known.attributes.extend(wanted.clone()),
            }
            let held = if row.is_in_step() { &wanted } else { &known.attributes };
            hold(self.tx, self.app, self.stored, &row.request.id, held)?;
            if row.is_in_step() {
                let mut applied = account.applied.take().unwrap_or_default();
                applied.extend(wanted);
                account.applied = Some(applied);
                account.fingerprint.clone_from(&row.fingerprint);
            }
            self.put(account)?;
        }
        self.close(&row, "applied", "", "")?;
        self.complete(row)
    }

    /// Activate and Unfreeze.
    fn switched(&mut self, row: RequestRow) -> Result<(), Fault> {
        if let Some(mut account) = self.account()? {
            match row.request.operation {
                Operation::Activate => account.account.status = AccountStatus::Active,
                Operation::Unfreeze => account.account.frozen = false,
                _ => {}
            }
            self.put(account)?;
        }
        self.close(&row, "applied", "", "")?;
        self.complete(row)
    }

    fn seen(&mut self, row: RequestRow, seen: TargetAccount) -> Result<(), Fault> {
        if let Some(mut account) = self.account()? {
            let known = &mut account.account;
            known.status = if seen.active { AccountStatus::Active } else { AccountStatus::Deactivated };
            known.frozen = known.frozen || seen.frozen;
            known.attributes = seen.named();
            known.username = seen.username.or(known.username.take());
            known.version = seen.version;
            self.put(account)?;
        }
        self.close(&row, "applied", "", "")?;
        self.complete(row)
    }

    /// Deactivate, Freeze and Delete. Beside an update that may still take effect, the removal is looked at once more after
    /// that update's settle time: it may have undone it.
    fn removed(&mut self, mut row: RequestRow, verified: bool, gone: bool) -> Result<(), Fault> {
        if let Some(mut account) = self.account()? {
            let known = &mut account.account;
            let deleted = gone || row.request.operation == Operation::Delete;
            match row.request.operation {
                _ if deleted => {
                    known.status = AccountStatus::Deleted;
                    known.deleted_at = Some(self.tx.now);
                }
                Operation::Freeze => known.frozen = true,
                _ => known.status = AccountStatus::Deactivated,
            }
            self.put(account)?;
        }
        row.request.verified = Some(verified);
        let (was_sent, again_at) = (row.sending, self.other_settles_at(&row)?);
        if was_sent {
            self.close(&row, "applied", "", "")?;
        }
        if let Some(at) = again_at.filter(|_| !gone) {
            row.sending = false;
            // Where the target cannot be read, the removal is sent once more instead of looked at.
            row.verifying = verified;
            row.unsettled = !verified;
            row.retry = Some((at, WaitingFor::Settle));
            self.tx.save(&row)?;
            self.log(&row, "verify_later", json!({"at": at}))?;
            return self.elect();
        }
        self.complete(row)
    }

    /// Until when another request of the lane may still take effect.
    fn other_settles_at(&mut self, row: &RequestRow) -> Result<Option<crate::time::Timestamp>, Fault> {
        let lane = self.tx.lane(&self.app.definition.app.id, &self.stored.user.id)?;
        let others = lane.iter().filter(|other| other.request.id != row.request.id && other.unsettled);
        Ok(others.filter_map(|other| other.settle_at).filter(|at| *at > self.tx.now).max())
    }

    fn conflict(&mut self, row: RequestRow, code: Code, message: &str) -> Result<(), Fault> {
        self.close(&row, "conflict", code.name(), message)?;
        fail(self.tx, self.app, row, vec![Fault::new(code, message)])
    }

    fn ghost(&mut self, mut row: RequestRow) -> Result<(), Fault> {
        let message = "the target says that the account exists, but a search does not show it";
        self.close(&row, "conflict", Code::ConflictGhost.name(), message)?;
        if self.tx.attempts_with_code(&row.request.id, Code::ConflictGhost)? >= retry::GHOST_LOOKS {
            return fail(self.tx, self.app, row, vec![Fault::new(Code::ConflictGhost, message)]);
        }
        row.sending = false;
        row.retry = Some((self.tx.now.plus(retry::GHOST_WAIT), WaitingFor::Settle));
        self.tx.save(&row)?;
        self.elect()
    }

    /// Somebody else has a unique value: the next candidate is tried at once. Where the target refuses a candidate and does
    /// not show who has it, something else may be in its way, and that costs a retry.
    fn taken(&mut self, mut row: RequestRow, values: &[UniqueValue], by_conflict: bool) -> Result<(), Fault> {
        let unseen = values.is_empty() && self.app.capabilities.search;
        let (code, message) = match unseen {
            true => (Code::ConflictGhost, "the target refuses a unique value, but a search does not show who has it"),
            false => (Code::UniqueTaken, "a unique value is taken at the target"),
        };
        self.close(&row, if by_conflict { "conflict" } else { "not_applied" }, code.name(), message)?;
        let goes_on = refuse(self.tx, self.app, self.stored, &row.request.id, values)?;
        let used_up = unseen && spent(self.tx, self.app, &row)? >= self.app.definition.app.retry.attempts;
        if !goes_on || used_up {
            return fail(self.tx, self.app, row, vec![Fault::new(Code::UniqueExhausted, message)]);
        }
        row.sending = false;
        row.retry = None;
        self.tx.save(&row)?;
        self.elect()
    }

    fn failed(&mut self, mut row: RequestRow, error: &ConnectorError) -> Result<(), Fault> {
        let message = without_values(&error.message, &self.stored.user.record);
        if row.sending {
            self.close(&row, error.outcome.name(), &error.code, &message)?;
        }
        if row.verifying && error.code == Code::NotConfirmed.name() {
            self.undone(&row)?;
        }
        let capabilities = &self.app.capabilities;
        let policy = &self.app.definition.app;
        let facts = Facts {
            operation: row.request.operation,
            attempts: spent(self.tx, self.app, &row)?,
            created_at: row.request.created_at,
            policy: &policy.retry,
            settle: policy.settle.whole(),
            repeatable: capabilities.search || capabilities.idempotency_key,
            now: self.tx.now,
        };
        let jitter = self.tx.random_below(u64::MAX)?;
        let fault = |code: Option<Code>| {
            let code = code.or_else(|| Code::from_name(&error.code)).unwrap_or(Code::Rejected);
            Fault::new(code, message.clone())
        };
        match after_failure(&facts, error, jitter) {
            Next::Fail(code) => {
                // What it had reserved stays reserved where it may have come through.
                row.unsettled |= error.outcome == Outcome::Ambiguous;
                fail(self.tx, self.app, row, vec![fault(code)])
            }
            Next::Again(at, waiting_for) => {
                if error.outcome == Outcome::Ambiguous {
                    row.unsettled = true;
                    row.settle_at = Some(self.tx.now.plus(facts.settle));
                }
                // What was not confirmed is sent again, not only looked at again.
                row.verifying = false;
                row.sending = false;
                row.request.faults = vec![fault(None)];
                row.retry = Some((at, waiting_for));
                self.tx.save(&row)?;
                self.elect()
            }
        }
    }

    /// A removal that was confirmed is found undone: the account can be used, and our record says so again.
    fn undone(&mut self, row: &RequestRow) -> Result<(), Fault> {
        let Some(mut account) = self.account()? else { return Ok(()) };
        match row.request.operation {
            Operation::Freeze => account.account.frozen = false,
            _ => account.account.status = AccountStatus::Active,
        }
        self.put(account)
    }

    fn account(&mut self) -> Result<Option<AccountRow>, Fault> {
        self.tx.linked_account(&self.app.definition.app.id, &self.stored.user.id, &self.stored.key)
    }

    fn put(&mut self, mut account: AccountRow) -> Result<(), Fault> {
        account.account.updated_at = self.tx.now;
        self.tx.put_account(&account, &self.stored.key)
    }

    fn close(&mut self, row: &RequestRow, outcome: &str, code: &str, message: &str) -> Result<(), Fault> {
        self.tx.close_attempt(row, outcome, code, message)?;
        let mut details =
            json!({"attempt": row.request.attempts, "operation": row.request.operation, "outcome": outcome});
        if let (Some(object), false) = (details.as_object_mut(), code.is_empty()) {
            object.insert("code".to_owned(), Value::from(code));
        }
        self.log(row, "answered", details)
    }

    fn complete(&mut self, row: RequestRow) -> Result<(), Fault> {
        complete(self.tx, row, json!({}))?;
        self.elect()
    }

    fn elect(&mut self) -> Result<(), Fault> {
        elect(self.tx, &self.app.definition, &self.stored.user.id)
    }

    fn log(&mut self, row: &RequestRow, kind: &str, details: Value) -> Result<(), Fault> {
        log(self.tx, row, kind, details)
    }
}

fn log(tx: &mut Tx<'_>, row: &RequestRow, kind: &str, details: Value) -> Result<(), Fault> {
    tx.log(LogEvent {
        app: Some(&row.request.app),
        user: row.request.user.as_ref(),
        request: Some(&row.request.id),
        ..LogEvent::new(kind, details)
    })
}

fn complete(tx: &mut Tx<'_>, mut row: RequestRow, mut details: Value) -> Result<(), Fault> {
    row.unsettled = false;
    row.verifying = false;
    row.request.faults.clear();
    tx.change(&mut row, Event::Complete)?;
    tx.release(&row.request.id)?;
    if let Some(object) = details.as_object_mut() {
        object.insert("operation".to_owned(), json!(row.request.operation));
        if let Some(verified) = row.request.verified {
            object.insert("verified".to_owned(), Value::from(verified));
        }
    }
    log(tx, &row, "completed", details)
}

/// A connector's message without what it quotes of the user's record: it is stored in clear.
fn without_values(message: &str, record: &Attributes) -> String {
    fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::String(text) if text.chars().count() > 2 => found.push(text),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(object) => object.values().for_each(|item| texts(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    record.iter().filter(|(key, _)| *key != "id").for_each(|(_, value)| texts(value, &mut found));
    // The longest first, so that no part of a longer value stays.
    found.sort_by_key(|text| std::cmp::Reverse(text.len()));
    found.iter().fold(message.to_owned(), |message, text| message.replace(text, "[value]"))
}

/// Completes a request for which there was nothing to send.
pub(super) fn finish(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: RequestRow,
    stored: &StoredUser,
    why: &str,
) -> Result<(), Fault> {
    if row.request.operation == Operation::Update {
        let account = tx.linked_account(&app.definition.app.id, &stored.user.id, &stored.key)?;
        if let Some(mut account) = account.filter(|_| row.is_in_step()) {
            account.fingerprint.clone_from(&row.fingerprint);
            tx.put_account(&account, &stored.key)?;
        }
    }
    complete(tx, row, json!({"nothing_sent": why}))?;
    elect(tx, &app.definition, &stored.user.id)
}

/// Gives a request up, with everything that is wrong.
pub(super) fn fail(tx: &mut Tx<'_>, app: &LiveApp, mut row: RequestRow, faults: Vec<Fault>) -> Result<(), Fault> {
    row.request.faults = faults;
    // A Create that may have been done is uncertain, whatever it was given up for.
    let clear =
        [Code::Uncertain, Code::ConflictOwned, Code::ConflictDuplicate, Code::ConflictCandidates, Code::ConflictGhost];
    let named = row.request.faults.first().is_some_and(|fault| clear.contains(&fault.code));
    if row.unsettled && row.request.operation == Operation::Create && !named {
        let message = "whether the account was made is not known";
        row.request.faults.insert(0, Fault::new(Code::Uncertain, message));
    }
    if !row.unsettled {
        tx.release(&row.request.id)?;
    }
    row.unsettled = false;
    tx.change(&mut row, Event::Fail)?;
    log(tx, &row, "failed", json!({"operation": row.request.operation, "faults": row.request.faults}))?;
    let user = row.request.user.clone();
    user.map_or(Ok(()), |user| elect(tx, &app.definition, &user))
}
