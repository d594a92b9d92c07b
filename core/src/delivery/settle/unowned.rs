//! What came of a job on an account that nobody owns.

use super::ended::{close, complete, fail, removed};
use super::failed::{again, without_values};
use super::{Job, LiveApp, Report, Work, blameless};
use crate::connector::{Change, ConnectorError, Outcome, TargetAccount};
use crate::fault::{Code, Fault};
use crate::intake::elect_for;
use crate::model::AccountStatus;
use crate::operation::Operation;
use crate::planning::inverse::values_again;
use crate::protocol::Answer;
use crate::store::{RequestRow, Tx};
use serde_json::json;

/// Settles a Deactivate, Delete, Activate or given Update of an account that nobody owns.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: RequestRow,
    external_id: &str,
    job: &Job,
    report: &Report,
) -> Result<(), Fault> {
    let id = app.definition.app.id.clone();
    match report {
        Report::Removed { verified, gone } => {
            let deleted = *gone || row.request.operation == Operation::Delete;
            let status = if deleted { AccountStatus::Deleted } else { AccountStatus::Deactivated };
            tx.note_status(&id, external_id, status)?;
            removed(tx, app, row, *verified, *gone, job.doubt)
        }
        Report::Applied(seen) => {
            match &job.work {
                Work::Update { changes, .. } => updated(tx, &row, external_id, changes, seen.as_ref())?,
                _ => tx.note_status(&id, external_id, AccountStatus::Active)?,
            }
            close(tx, &row, "applied", "", "")?;
            complete(tx, row.clone(), json!({}))?;
            elect_for(tx, &app.definition, &row)
        }
        Report::Missing => {
            let message = "the account no longer exists at the target";
            tx.note_status(&id, external_id, AccountStatus::Deleted)?;
            close(tx, &row, "rejected", Code::AccountMissing.name(), message)?;
            fail(tx, app, row, vec![Fault::new(Code::AccountMissing, message)])
        }
        Report::NotBack(error) => failed(tx, app, row, external_id, error, Answer::Failed(&blameless(error))),
        Report::Failed(error) => failed(tx, app, row, external_id, error, Answer::Failed(error)),
        Report::FailedAfterLook(error) => failed(tx, app, row, external_id, error, Answer::FailedAfterLook(error)),
        Report::TooLate | Report::NotBegun => {
            let message = "it was too late to send; nothing was sent";
            let error = ConnectorError::new(Outcome::NotApplied, Code::Cancelled.name(), message);
            failed(tx, app, row, external_id, &error, Answer::Failed(&error))
        }
        // These answers belong to operations that are for users alone.
        Report::Found { .. }
        | Report::Owned
        | Report::Ghost
        | Report::Groups(_)
        | Report::Usable
        | Report::Several(_)
        | Report::Unsure(_)
        | Report::Taken { .. } => Err(Fault::new(Code::Internal, "an answer does not fit its request")),
    }
}

/// What the account shows now, or what was changed of it.
fn updated(
    tx: &mut Tx<'_>,
    row: &RequestRow,
    external_id: &str,
    changes: &[Change],
    seen: Option<&TargetAccount>,
) -> Result<(), Fault> {
    let app = &row.request.app;
    let Some(mut account) = tx.account_at(app, external_id)?.filter(|known| known.account.user.is_none()) else {
        return Ok(());
    };
    let known = &mut account.account;
    match seen.filter(|seen| !seen.attributes.is_empty()) {
        Some(seen) => {
            known.attributes = seen.named();
            known.username = seen.username.clone().or(known.username.take());
            known.version.clone_from(&seen.version);
        }
        None => Change::apply_all(changes, &mut known.attributes).unwrap_or_default(),
    }
    known.updated_at = tx.now;
    let key = tx.app_key(app)?;
    if let Some(mut kept) = tx.kept(&row.request.id, &key)? {
        kept.after = kept.before.values.as_ref().map(|values| values_again(values, &account.account.attributes));
        tx.keep(&row.request.id, &key, &kept)?;
    }
    tx.put_account(&account, &key)
}

fn failed(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: RequestRow,
    external_id: &str,
    error: &ConnectorError,
    answer: Answer<'_>,
) -> Result<(), Fault> {
    let id = &app.definition.app.id;
    let mut known = tx.account_at(id, external_id)?.map(|known| known.account.attributes).unwrap_or_default();
    if row.given {
        let key = tx.app_key(id)?;
        known.insert("given".to_owned(), json!(tx.given(&row.request.id, &key)?.map(|given| given.changes)));
    }
    let message = without_values(&error.message, &known);
    if row.has_attempt() {
        close(tx, &row, error.outcome.name(), &error.code, &message)?;
    }
    if row.verifying && error.code == Code::NotConfirmed.name() {
        tx.note_status(id, external_id, AccountStatus::Active)?;
    }
    again(tx, app, row, error, answer, &message)
}
