//! Attempts: the intent is stored before the first byte goes out, the outcome after; neither is overwritten.

use super::{RequestRow, Tx, UserKey, time_of, unseal_object};
use crate::fault::{Code, Fault};
use crate::id::{RequestId, UserId};
use crate::model::Attempt;
use crate::time::Timestamp;
use crate::value::Attributes;
use rusqlite::params;

impl Tx<'_> {
    /// Stores the intent of the request's next attempt, with the payload that will be sent.
    pub(crate) fn open_attempt(
        &mut self,
        row: &RequestRow,
        send_by: Timestamp,
        payload: Option<(&Attributes, &UserKey)>,
    ) -> Result<(), Fault> {
        let request = &row.request;
        let place = place(&request.id);
        let payload = payload.map(|(payload, key)| self.seal_object(key, &place, payload)).transpose()?;
        self.execute(
            "INSERT INTO attempt (request_id, number, app_id, user_id, started_at, send_by, payload, urgent)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params![
                request.id.as_str(),
                request.attempts,
                request.app.as_str(),
                request.user.as_ref().map(UserId::as_str),
                self.now.as_micros(),
                send_by.as_micros(),
                payload,
                row.reduces_access()
            ],
        )?;
        Ok(())
    }

    /// Stores the outcome of the open attempt.
    pub(crate) fn close_attempt(
        &self,
        row: &RequestRow,
        outcome: &str,
        code: &str,
        message: &str,
    ) -> Result<(), Fault> {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let changed = self.execute(
            "UPDATE attempt SET ended_at = $1, outcome = $2, code = $3, message = $4
             WHERE request_id = $5 AND number = $6 AND ended_at IS NULL",
            params![
                self.now.as_micros(),
                outcome,
                text(code),
                text(message),
                row.request.id.as_str(),
                row.request.attempts
            ],
        )?;
        if changed == 1 { Ok(()) } else { Err(Fault::new(Code::Internal, "an attempt without an intent was closed")) }
    }

    /// The payload of the request's last attempt that has one.
    pub(crate) fn payload(&self, id: &RequestId, key: &UserKey) -> Result<Option<Attributes>, Fault> {
        let sealed = self.row(
            "SELECT payload FROM attempt WHERE request_id = $1 AND payload IS NOT NULL ORDER BY number DESC LIMIT 1",
            [id.as_str()],
            |row| row.get::<_, Vec<u8>>(0),
        )?;
        sealed.map(|sealed| unseal_object(key, &place(id), &sealed)).transpose()
    }

    /// How many attempts ended with that code.
    pub(crate) fn attempts_with_code(&self, id: &RequestId, code: Code) -> Result<u32, Fault> {
        let count = self.row(
            "SELECT count(*) FROM attempt WHERE request_id = $1 AND code = $2",
            params![id.as_str(), code.name()],
            |row| row.get(0),
        )?;
        Ok(count.unwrap_or(0))
    }

    /// How many attempts were given back before they were begun: nothing was done, and nothing failed.
    pub(crate) fn attempts_not_begun(&self, id: &RequestId) -> Result<u32, Fault> {
        let count = self.row(
            "SELECT count(*) FROM attempt WHERE request_id = $1 AND outcome = 'not_applied' AND code IS NULL",
            [id.as_str()],
            |row| row.get(0),
        )?;
        Ok(count.unwrap_or(0))
    }

    /// How many attempts say nothing against the request: they were a part of what it does, or found that too much was sent
    /// at once.
    pub(crate) fn attempts_in_parts(&self, id: &RequestId) -> Result<u32, Fault> {
        let count = self.row(
            "SELECT count(*) FROM attempt WHERE request_id = $1 AND (outcome = 'applied' OR code = $2)",
            params![id.as_str(), Code::MembersRefused.name()],
            |row| row.get(0),
        )?;
        Ok(count.unwrap_or(0))
    }

    /// Whether an attempt of the request did what it was to do.
    pub(crate) fn has_applied(&self, id: &RequestId) -> Result<bool, Fault> {
        let found = self.row(
            "SELECT 1 FROM attempt WHERE request_id = $1 AND outcome = 'applied' LIMIT 1",
            [id.as_str()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// The request's attempts in order.
    pub(crate) fn attempts(&self, id: &RequestId) -> Result<Vec<Attempt>, Fault> {
        self.rows(
            "SELECT number, started_at, ended_at, outcome, code, message FROM attempt WHERE request_id = $1
             ORDER BY number",
            [id.as_str()],
            |row| {
                Ok(Attempt {
                    number: row.get(0)?,
                    started_at: Timestamp::from_micros(row.get(1)?),
                    ended_at: time_of(row.get(2)?),
                    outcome: row.get(3)?,
                    code: row.get(4)?,
                    message: row.get(5)?,
                })
            },
        )
    }
}

fn place(id: &RequestId) -> String {
    format!("attempt/{id}")
}
