//! Settling: the outcome of a call becomes state, account and log, in one transaction.

mod changed;
mod ended;
mod failed;
mod found;
mod members;
mod unowned;

pub(super) use ended::{complete, fail, finish};

use super::look_up::told;
use super::{Job, Report, Work};
use crate::connector::{ConnectorError, Outcome, TargetAccount};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, LiveApps, Trigger, decide_lane, elect, elect_for};
use crate::protocol::{Answer, Guard, is_current};
use crate::store::{AccountRow, LogEvent, RequestRow, StoredUser, Tx};
use crate::time::{Moment, Period};
use serde_json::{Value, json};

/// Stores what came of a job. One whose account or record cannot be read is given up alone.
pub(super) fn settle_apart(tx: &mut Tx<'_>, apps: &LiveApps, job: &Job, report: &Report) -> Result<(), Fault> {
    if let Work::Members { .. } = &job.work {
        return members::settle(tx, apps, job, report);
    }
    let settled = tx.part(|tx| settle(tx, apps, job, report));
    unless_broken(tx, job, &job.row, report, settled)
}

/// A request whose account or record cannot be read is given up alone.
fn unless_broken(
    tx: &mut Tx<'_>,
    job: &Job,
    row: &RequestRow,
    report: &Report,
    settled: Result<(), Fault>,
) -> Result<(), Fault> {
    let Err(fault) = settled else { return Ok(()) };
    if !matches!(fault.code, Code::StoreDamaged | Code::KeyMissing | Code::Internal) {
        return Err(fault);
    }
    let current = tx.request(row.request.id.as_str())?;
    match current.filter(|row| !row.request.state.is_finished()) {
        Some(mut row) => {
            row.unsettled = true;
            fail(tx, &job.app, row, vec![fault])
        }
        None => late(tx, row, report),
    }
}

fn settle(tx: &mut Tx<'_>, apps: &LiveApps, job: &Job, report: &Report) -> Result<(), Fault> {
    let claimed = &job.row;
    // The definition may have changed while the call was made.
    let app = apps.get(&claimed.request.app).unwrap_or(&job.app);
    let current = tx.request(claimed.request.id.as_str())?;
    let same = current.filter(|row| is_current(claimed.fence, row.fence) && !row.request.state.is_finished());
    let same = same.map(|row| lease_over(tx, row));
    if let (Some(row), Report::NotBegun) = (&same, report) {
        return not_begun(tx, app, row.clone());
    }
    if let (Some(row), None, Some(external_id)) = (&same, &claimed.request.user, &claimed.request.external_id) {
        return unowned::settle(tx, app, row.clone(), external_id, job, report);
    }
    let stored = claimed.request.user.as_ref().map(|user| tx.user(user.as_str())).transpose()?.flatten();
    let (Some(mut row), Some(stored)) = (same, stored) else { return late(tx, claimed, report) };
    // What the claim decided and did not store by itself.
    row.fingerprint.clone_from(&claimed.fingerprint);
    row.request.external_id.clone_from(&claimed.request.external_id);
    let mut settling = Settling { tx, app, stored: &stored, doubt: job.doubt };
    settling.report(row, job.work.clone(), report.clone())
}

/// The call is over, and so is its lease: what is waited for now is what was sent before.
fn lease_over(tx: &Tx<'_>, mut row: RequestRow) -> RequestRow {
    let left = row.settle_at.map(|at| at.since(tx.now)).filter(|left| *left > Period::ZERO);
    row.guard = left.map(|left| Guard::new(tx.moment, left));
    row
}

/// Its turn did not come: it is due as it was before.
fn not_begun(tx: &mut Tx<'_>, app: &LiveApp, mut row: RequestRow) -> Result<(), Fault> {
    if row.has_attempt() {
        // Without a code: nothing failed.
        ended::close(tx, &row, "not_applied", "", "its turn did not come; nothing was sent")?;
    }
    row.sending = false;
    row.retry = None;
    tx.save(&row)?;
    elect_for(tx, &app.definition, &row)
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
        Report::Applied(_) | Report::Found { .. } | Report::Removed { .. } | Report::Groups(_) => "applied",
        Report::Owned | Report::Ghost | Report::Several(_) | Report::Unsure(_) => "conflict",
        Report::Missing => "rejected",
        Report::Taken { by_conflict: true, .. } => "conflict",
        Report::TooLate | Report::NotBegun | Report::NotBack(_) | Report::Usable | Report::Taken { .. } => {
            "not_applied"
        }
        Report::Failed(error) | Report::FailedAfterLook(error) => error.outcome.name(),
    }
}

/// That a target still fails says nothing about the request that was to be sent, and does not use up its attempts.
fn blameless(error: &ConnectorError) -> ConnectorError {
    ConnectorError { code: Code::Cancelled.name().to_owned(), ..error.clone() }
}

struct Settling<'a, 'b> {
    tx: &'a mut Tx<'b>,
    app: &'a LiveApp,
    stored: &'a StoredUser,
    /// Until when something else of the lane might take effect, as it was known when the call began.
    doubt: Option<Moment>,
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
            Report::Groups(groups) => self.groups(row, &groups),
            Report::Usable => self.usable(row),
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
            Report::TooLate | Report::NotBegun => {
                let message = "it was too late to send; nothing was sent";
                let error = ConnectorError::new(Outcome::NotApplied, Code::Cancelled.name(), message);
                self.failed(row, &error, Answer::Failed(&error))
            }
            Report::NotBack(error) => self.failed(row, &error, Answer::Failed(&blameless(&error))),
            Report::Failed(error) => self.failed(row, &error, Answer::Failed(&error)),
            Report::FailedAfterLook(error) => self.failed(row, &error, Answer::FailedAfterLook(&error)),
        }
    }

    fn applied(&mut self, row: RequestRow, work: Work, account: Option<TargetAccount>) -> Result<(), Fault> {
        match (work, account) {
            (Work::Create { attributes, in_doubt, .. }, Some(account)) => {
                if account.external_id.is_empty() {
                    let message = "the connector gave an account without an id";
                    let error = ConnectorError::new(Outcome::Ambiguous, Code::InvalidAnswer.name(), message);
                    return self.failed(row, &error, Answer::Failed(&error));
                }
                if !self.may_link(&account.external_id)? {
                    return self.conflict(row, Code::ConflictOwned, "the target gave the account of another user");
                }
                // Under the same key a target shows the account that an earlier request made, with what that one had sent.
                let by_another = in_doubt && row.request.parent_id.is_some() && self.app.capabilities.idempotency_key;
                self.link(row, account, Some(attributes).filter(|_| !by_another), "created", false)
            }
            (Work::Update { attributes, changes, .. }, account) => self.updated(row, attributes, &changes, account),
            (Work::Read { .. }, Some(account)) => self.seen(row, account),
            (_, _) => self.switched(row),
        }
    }

    /// What is wanted may have changed while the call was made, and an account may be otherwise than it was thought to be.
    fn decide(&mut self, text: &str) -> Result<(), Fault> {
        let trigger = Trigger { text, by: None, is_definition: false };
        decide_lane(self.tx, &self.app.definition, self.stored, trigger).map(|_| ())
    }

    fn account(&mut self) -> Result<Option<AccountRow>, Fault> {
        self.tx.linked_account(&self.app.definition.app.id, &self.stored.user.id, &self.stored.key)
    }

    fn put(&mut self, mut account: AccountRow) -> Result<(), Fault> {
        account.account.updated_at = self.tx.now;
        self.tx.put_account(&account, &self.stored.key)
    }

    fn close(&mut self, row: &RequestRow, outcome: &str, code: &str, message: &str) -> Result<(), Fault> {
        ended::close(self.tx, row, outcome, code, message)
    }

    fn complete(&mut self, row: RequestRow) -> Result<(), Fault> {
        ended::complete(self.tx, row, json!({}))?;
        self.elect()
    }

    fn elect(&mut self) -> Result<(), Fault> {
        elect(self.tx, &self.app.definition, &self.stored.user.id)
    }

    fn log(&mut self, row: &RequestRow, kind: &str, details: Value) -> Result<(), Fault> {
        ended::log(self.tx, row, kind, details)
    }
}
