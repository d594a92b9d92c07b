//! What failed, and whether it is tried again.

use super::super::candidate::refuse;
use super::super::spent;
use super::Settling;
use super::ended::fail;
use crate::connector::{ConnectorError, Outcome};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, elect_for};
use crate::mapping::UniqueValue;
use crate::model::WaitingFor;
use crate::retry::{self, Facts, Next, after_failure};
use crate::store::{RequestRow, Tx};
use crate::time::Timestamp;
use crate::value::Attributes;
use serde_json::{Value, json};

impl Settling<'_, '_> {
    pub(super) fn conflict(&mut self, row: RequestRow, code: Code, message: &str) -> Result<(), Fault> {
        self.close(&row, "conflict", code.name(), message)?;
        fail(self.tx, self.app, row, vec![Fault::new(code, message)])
    }

    pub(super) fn ghost(&mut self, mut row: RequestRow) -> Result<(), Fault> {
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
    pub(super) fn taken(
        &mut self,
        mut row: RequestRow,
        values: &[UniqueValue],
        by_conflict: bool,
    ) -> Result<(), Fault> {
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

    pub(super) fn failed(&mut self, row: RequestRow, error: &ConnectorError) -> Result<(), Fault> {
        let mut told = self.stored.user.record.clone();
        if let Some(given) = self.tx.given(&row.request.id, &self.stored.key)? {
            told.insert("given".to_owned(), json!(given.changes));
        }
        let message = without_values(&error.message, &told);
        if row.sending {
            self.close(&row, error.outcome.name(), &error.code, &message)?;
        }
        if row.verifying && error.code == Code::NotConfirmed.name() {
            self.undone(&row)?;
        }
        again(self.tx, self.app, row, error, &message)
    }
}

/// What failed is tried again at its time, or given up.
pub(super) fn again(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    mut row: RequestRow,
    error: &ConnectorError,
    message: &str,
) -> Result<(), Fault> {
    let (capabilities, policy) = (&app.capabilities, &app.definition.app);
    let facts = Facts {
        operation: row.request.operation,
        attempts: spent(tx, app, &row)?,
        created_at: row.request.created_at,
        policy: &policy.retry,
        settle: policy.settle.whole(),
        repeatable: capabilities.search || capabilities.idempotency_key,
        now: tx.now,
    };
    let jitter = tx.random_below(u64::MAX)?;
    let fault = |code: Option<Code>| {
        let code = code.or_else(|| Code::from_name(&error.code)).unwrap_or(Code::Rejected);
        Fault::new(code, message)
    };
    let (at, waiting_for) = match after_failure(&facts, error, jitter) {
        Next::Fail(code) => {
            // What it had reserved stays reserved where it may have come through.
            row.unsettled |= error.outcome == Outcome::Ambiguous;
            return fail(tx, app, row, vec![fault(code)]);
        }
        Next::Again(at, waiting_for) => (at, waiting_for),
        Next::Parked(at) => {
            park(tx, &row, &error.code, at)?;
            (at, WaitingFor::Retry)
        }
    };
    if error.outcome == Outcome::Ambiguous {
        row.unsettled = true;
        row.settle_at = Some(tx.now.plus(facts.settle));
    }
    // What was not confirmed is sent again, not only looked at again.
    row.verifying = false;
    row.sending = false;
    row.request.faults = vec![fault(None)];
    row.retry = Some((at, waiting_for));
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
    pub(super) fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
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
