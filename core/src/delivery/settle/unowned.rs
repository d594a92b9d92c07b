//! What came of a job on an account that nobody owns.

use super::ended::{close, complete, fail, removed};
use super::failed::{again, without_values};
use super::{LiveApp, Report};
use crate::connector::{ConnectorError, Outcome};
use crate::fault::{Code, Fault};
use crate::intake::elect_for;
use crate::model::AccountStatus;
use crate::operation::Operation;
use crate::store::{RequestRow, Tx};
use serde_json::json;

/// Settles a Deactivate, Delete or Activate of an account that nobody owns.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: RequestRow,
    external_id: &str,
    report: &Report,
) -> Result<(), Fault> {
    let id = app.definition.app.id.clone();
    match report {
        Report::Removed { verified, gone } => {
            let deleted = *gone || row.request.operation == Operation::Delete;
            let status = if deleted { AccountStatus::Deleted } else { AccountStatus::Deactivated };
            tx.note_status(&id, external_id, status)?;
            removed(tx, app, row, *verified, *gone)
        }
        Report::Applied(_) => {
            tx.note_status(&id, external_id, AccountStatus::Active)?;
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
        Report::Failed(error) | Report::FailedAfterLook(error) => failed(tx, app, row, external_id, error),
        Report::TooLate => {
            let message = "it was too late to send; nothing was sent";
            let error = ConnectorError::new(Outcome::NotApplied, Code::Cancelled.name(), message);
            failed(tx, app, row, external_id, &error)
        }
        // These answers belong to operations that are for users alone.
        Report::Found { .. }
        | Report::Owned
        | Report::Ghost
        | Report::Several(_)
        | Report::Unsure(_)
        | Report::Taken { .. } => Err(Fault::new(Code::Internal, "an answer does not fit its request")),
    }
}

fn failed(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: RequestRow,
    external_id: &str,
    error: &ConnectorError,
) -> Result<(), Fault> {
    let id = &app.definition.app.id;
    let known = tx.account_at(id, external_id)?.map(|known| known.account.attributes).unwrap_or_default();
    let message = without_values(&error.message, &known);
    if row.sending {
        close(tx, &row, error.outcome.name(), &error.code, &message)?;
    }
    if row.verifying && error.code == Code::NotConfirmed.name() {
        tx.note_status(id, external_id, AccountStatus::Active)?;
    }
    again(tx, app, row, error, &message)
}
