//! The log: append-only, chained by SHA-256.

use super::{Tx, limit_of};
use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::model::{LogEntry, LogFilter, LogVerdict};
use crate::time::Timestamp;
use crate::value::{canonical, sha256_hex};
use rusqlite::{Row, params};
use serde_json::Value;

const COLUMNS: &str = "sequence, at, kind, app_id, user_id, request_id, author, details, hash";

/// What is logged.
pub(crate) struct Event<'a> {
    pub(crate) kind: &'a str,
    pub(crate) app: Option<&'a AppId>,
    pub(crate) user: Option<&'a UserId>,
    pub(crate) request: Option<&'a RequestId>,
    pub(crate) by: Option<&'a str>,
    pub(crate) details: Value,
}

impl<'a> Event<'a> {
    pub(crate) fn new(kind: &'a str, details: Value) -> Self {
        Self { kind, app: None, user: None, request: None, by: None, details }
    }
}

impl Tx<'_> {
    /// Appends an entry in this transaction.
    pub(crate) fn log(&mut self, event: Event<'_>) -> Result<(), Fault> {
        let (sequence, previous) = match self.head.take() {
            Some(head) => head,
            None => self
                .row("SELECT sequence, hash FROM log ORDER BY sequence DESC LIMIT 1", [], |row| {
                    Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
                })?
                .unwrap_or_default(),
        };
        let mut entry = LogEntry {
            sequence: sequence + 1,
            at: self.now,
            kind: event.kind.to_owned(),
            app: event.app.map(ToString::to_string),
            user: event.user.map(ToString::to_string),
            request: event.request.map(ToString::to_string),
            by: event.by.map(str::to_owned),
            details: event.details,
            hash: String::new(),
        };
        let details = canonical(&entry.details);
        entry.hash = chained(&previous, &entry, &details);
        self.execute(
            "INSERT INTO log (sequence, at, kind, app_id, user_id, request_id, author, details, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                entry.sequence.cast_signed(),
                entry.at.as_micros(),
                entry.kind,
                entry.app,
                entry.user,
                entry.request,
                entry.by,
                details,
                entry.hash
            ],
        )?;
        self.head = Some((entry.sequence, entry.hash.clone()));
        self.entries.push(entry);
        Ok(())
    }

    /// Entries in order.
    pub(crate) fn log_entries(&self, filter: &LogFilter) -> Result<Vec<LogEntry>, Fault> {
        let (condition, id) = match (&filter.request, &filter.user) {
            (Some(request), _) => ("request_id = $1", Some(request)),
            (None, Some(user)) => ("user_id = $1", Some(user)),
            (None, None) => ("$1 IS NULL", None),
        };
        let text = format!(
            "SELECT {COLUMNS} FROM log WHERE {condition} AND sequence > $2 AND ($3 IS NULL OR app_id = $3)
             AND ($4 IS NULL OR user_id = $4) ORDER BY sequence LIMIT $5"
        );
        let after = filter.after.unwrap_or(0).cast_signed();
        self.rows(&text, params![id, after, filter.app, filter.user, limit_of(filter.limit)], entry)
    }

    /// The number of the newest entry; 0 where there is none.
    pub(crate) fn log_head(&self) -> Result<u64, Fault> {
        let newest =
            self.row("SELECT sequence FROM log ORDER BY sequence DESC LIMIT 1", [], |row| row.get::<_, i64>(0))?;
        Ok(newest.unwrap_or(0).cast_unsigned())
    }

    /// Whether anything was logged after that entry about a user in an app; where no app is named, about the user alone.
    pub(crate) fn logged_since(&self, app: Option<&AppId>, user: &str, sequence: u64) -> Result<bool, Fault> {
        let found = self.row(
            "SELECT 1 FROM log WHERE user_id = $1 AND sequence > $2
             AND (app_id = $3 OR ($3 IS NULL AND app_id IS NULL)) LIMIT 1",
            params![user, sequence.cast_signed(), app.map(AppId::as_str)],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Whether an account of an app was deleted after that entry.
    pub(crate) fn deleted_since(&self, app: &AppId, sequence: u64) -> Result<bool, Fault> {
        let found = self.row(
            "SELECT 1 FROM log WHERE sequence > $1 AND app_id = $2 AND kind = 'completed'
             AND details LIKE '%operation___Delete%' LIMIT 1",
            params![sequence.cast_signed(), app.as_str()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// The newest entry of a kind about one user in one app.
    pub(crate) fn last_logged(&self, app: &AppId, user: &UserId, kind: &str) -> Result<Option<LogEntry>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM log WHERE user_id = $1 AND app_id = $2 AND kind = $3 ORDER BY sequence DESC LIMIT 1"
        );
        self.row(&text, params![user.as_str(), app.as_str(), kind], entry)
    }

    /// Walks the whole chain.
    pub(crate) fn verify_log(&self) -> Result<LogVerdict, Fault> {
        let mut verdict = LogVerdict { whole: true, entries: 0, head: String::new(), broken_at: None };
        loop {
            let filter = LogFilter { after: Some(verdict.entries), limit: Some(10_000), ..LogFilter::default() };
            let entries = self.log_entries(&filter)?;
            if entries.is_empty() {
                return Ok(verdict);
            }
            for entry in entries {
                let details = canonical(&entry.details);
                let fits =
                    entry.sequence == verdict.entries + 1 && chained(&verdict.head, &entry, &details) == entry.hash;
                if !fits {
                    return Ok(LogVerdict { whole: false, broken_at: Some(verdict.entries + 1), ..verdict });
                }
                verdict.entries = entry.sequence;
                verdict.head = entry.hash;
            }
        }
    }
}

/// The hash of an entry that follows the one with the hash `previous`: that of a JSON list in its canonical form, whose
/// last element is `details`, the entry's details in theirs.
fn chained(previous: &str, entry: &LogEntry, details: &str) -> String {
    let LogEntry { sequence, at, kind, app, user, request, by, .. } = entry;
    let fields = ("rollkeeper log 1", previous, sequence, at.as_micros(), kind, app, user, request, by);
    // Texts and numbers cannot fail to be written.
    let mut text = serde_json::to_string(&fields).unwrap_or_default();
    text.pop();
    sha256_hex(format!("{text},{details}]").as_bytes())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<LogEntry> {
    let details: String = row.get(7)?;
    Ok(LogEntry {
        sequence: row.get::<_, i64>(0)?.cast_unsigned(),
        at: Timestamp::from_micros(row.get(1)?),
        kind: row.get(2)?,
        app: row.get(3)?,
        user: row.get(4)?,
        request: row.get(5)?,
        by: row.get(6)?,
        // Text that is no JSON was changed by other hands; the chain tells.
        details: serde_json::from_str(&details).unwrap_or(Value::String(details)),
        hash: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_chain_is_over_the_canonical_form_of_the_whole_list() {
        let entry = LogEntry {
            sequence: 7,
            at: Timestamp::from_micros(12),
            kind: "decided".to_owned(),
            app: Some("a\"b\\c".to_owned()),
            user: None,
            request: Some("ü\u{1}]".to_owned()),
            by: None,
            details: json!({"b": [1, 2.5, null], "a": "]"}),
            hash: String::new(),
        };
        let list = json!([
            "rollkeeper log 1", "00ff", 7, 12, "decided", "a\"b\\c", null, "ü\u{1}]", null,
            {"b": [1, 2.5, null], "a": "]"}
        ]);
        assert_eq!(chained("00ff", &entry, &canonical(&entry.details)), sha256_hex(canonical(&list).as_bytes()));
    }
}
