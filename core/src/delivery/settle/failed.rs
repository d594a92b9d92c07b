//! What failed, and whether it is tried again.

use super::super::candidate::refuse;
use super::super::{means, spent};
use super::Settling;
use super::ended::fail;
use crate::connector::ConnectorError;
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, elect_for};
use crate::mapping::UniqueValue;
use crate::model::WaitingFor;
use crate::operation::Operation;
use crate::protocol::{After, Answer, Facts, Guard, Then, after_answer};
use crate::store::{RequestRow, Tx};
use crate::time::Timestamp;
use crate::value::Attributes;
use serde_json::{Value, json};

impl Settling<'_, '_> {
    pub(super) fn conflict(&mut self, row: RequestRow, code: Code, message: &str) -> Result<(), Fault> {
        self.close(&row, "conflict", code.name(), message)?;
        fail(self.tx, self.app, row, vec![Fault::new(code, message)])
    }

    pub(super) fn ghost(&mut self, row: RequestRow) -> Result<(), Fault> {
        let message = "the target says that the account exists, but a search does not show it";
        self.close(&row, "conflict", Code::ConflictGhost.name(), message)?;
        let looks = self.tx.attempts_with_code(&row.request.id, Code::ConflictGhost)?;
        let after = decide(self.tx, self.app, &row, Answer::Ghost(looks), 0)?;
        follow(self.tx, self.app, row, after, |code| Fault::new(code.unwrap_or(Code::ConflictGhost), message))
    }

    /// Somebody else has a unique value: the next candidate is tried at once. Where the target refuses a candidate and does
    /// not show who has it, something else may be in its way, and that costs a retry.
    pub(super) fn taken(&mut self, row: RequestRow, values: &[UniqueValue], by_conflict: bool) -> Result<(), Fault> {
        let unseen = values.is_empty() && self.app.capabilities.search;
        let (code, message) = match unseen {
            true => (Code::ConflictGhost, "the target refuses a unique value, but a search does not show who has it"),
            false => (Code::UniqueTaken, "a unique value is taken at the target"),
        };
        self.close(&row, if by_conflict { "conflict" } else { "not_applied" }, code.name(), message)?;
        let another = refuse(self.tx, self.app, self.stored, &row.request.id, values)?;
        let after = decide(self.tx, self.app, &row, Answer::Taken { another, seen: !unseen }, 0)?;
        follow(self.tx, self.app, row, after, |code| Fault::new(code.unwrap_or(Code::UniqueExhausted), message))
    }

    pub(super) fn failed(&mut self, row: RequestRow, error: &ConnectorError, answer: Answer<'_>) -> Result<(), Fault> {
        let mut told = self.stored.user.record.clone();
        if let Some(given) = self.tx.given(&row.request.id, &self.stored.key)? {
            told.insert("given".to_owned(), json!(given.changes));
        }
        let message = without_values(&error.message, &told);
        if row.has_attempt() {
            self.close(&row, error.outcome.name(), &error.code, &message)?;
        }
        if row.verifying && error.code == Code::NotConfirmed.name() {
            self.undone(&row)?;
        }
        again(self.tx, self.app, row, error, answer, &message)
    }
}

/// What failed is tried again at its time, or given up.
pub(super) fn again(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: RequestRow,
    error: &ConnectorError,
    answer: Answer<'_>,
    message: &str,
) -> Result<(), Fault> {
    let jitter = tx.random_below(u64::MAX)?;
    again_at(tx, app, row, error, answer, (message, jitter))
}

/// As [`again`], with the random number: requests that failed together are tried again together.
pub(super) fn again_at(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: RequestRow,
    error: &ConnectorError,
    answer: Answer<'_>,
    (message, jitter): (&str, u64),
) -> Result<(), Fault> {
    let after = decide(tx, app, &row, answer, jitter)?;
    // What was not confirmed is sent again, not only looked at again.
    let row = RequestRow { verifying: row.verifying && !row.is_looked_at(), ..row };
    follow(tx, app, row, after, |code| {
        let code = code.or_else(|| Code::from_name(&error.code)).unwrap_or(Code::Rejected);
        Fault::new(code, message)
    })
}

/// What an answer means for a request.
fn decide(tx: &Tx<'_>, app: &LiveApp, row: &RequestRow, answer: Answer<'_>, jitter: u64) -> Result<After, Fault> {
    let policy = &app.definition.app;
    let facts = Facts {
        // What takes memberships away is tried as long as anything that takes access away.
        operation: if row.removes { Operation::Deactivate } else { row.request.operation },
        unsettled: row.unsettled,
        settle_at: row.settle_at,
        attempts: spent(tx, app, row)?,
        created_at: row.request.created_at,
        policy: &policy.retry,
        settle: policy.settle.whole(),
        means: means(tx, app, row)?,
        now: tx.now,
    };
    Ok(after_answer(&facts, answer, jitter))
}

/// Carries out what was decided. `fault` tells what is wrong, by the code that it is given up with, or by its own.
fn follow(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    mut row: RequestRow,
    after: After,
    fault: impl Fn(Option<Code>) -> Fault,
) -> Result<(), Fault> {
    row.unsettled = after.unsettled;
    if row.settle_at != after.settle_at {
        row.settle_at = after.settle_at;
        row.guard = after.settle_at.map(|at| Guard::new(tx.moment, at.since(tx.now)));
    }
    row.sending = false;
    match after.then {
        Then::Complete | Then::Cancel => return Err(Fault::new(Code::Internal, "an answer does not fit its request")),
        Then::Fail(code) => {
            return fail(tx, app, row, vec![fault(code)]);
        }
        Then::AtOnce => row.retry = None,
        Then::Again(at, waiting_for) => {
            row.retry = Some((at, waiting_for));
            if waiting_for == WaitingFor::Settle {
                row.settle(tx.now, tx.moment, at.since(tx.now));
            }
            row.request.faults = vec![fault(None)];
        }
        Then::Parked(at) => {
            let fault = fault(None);
            park(tx, &row, fault.code.name(), at)?;
            row.retry = Some((at, WaitingFor::Retry));
            row.request.faults = vec![fault];
        }
    }
    tx.save(&row)?;
    elect_for(tx, &app.definition, &row)
}

/// Tells once that a removal of access has used up its attempts. It stays open.
fn park(tx: &mut Tx<'_>, row: &RequestRow, code: &str, next: Timestamp) -> Result<(), Fault> {
    if tx.last_logged_of(&row.request.id, "parked")?.is_some() {
        return Ok(());
    }
    let details = json!({
        "operation": row.request.operation, "attempts": row.request.attempts, "code": code, "next": next,
    });
    super::ended::log(tx, row, "parked", details)
}

/// A connector's message without what it quotes of a record: it is stored in clear.
pub(super) fn without_values(message: &str, record: &Attributes) -> String {
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
