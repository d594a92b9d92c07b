//! The verbs of the source directory.

use super::{Engine, Error, Result};
use crate::fault::{Blame, Code, Fault};
use crate::intake::{self, LiveApps};
use crate::model::{PutUsers, Request, User, UserFault, UserFilter, read_json};
use crate::store::{Tx, UserState};
use serde_json::Value;

/// How many records of a list share one commit: enough that the disk is not waited for, few enough that other callers of
/// the engine are not kept waiting.
pub(super) const BATCH: usize = 200;

/// A list of no more records than that shares its commit with other callers, who do not wait long for it.
const SHORT: usize = 10;

/// A record of a list that was read, or what keeps it from being read.
pub(super) type Readable = std::result::Result<Value, Fault>;

impl Engine {
    /// Stores a user's record in place of the one before, and makes the requests that the change asks for. Nothing is sent
    /// before [`Engine::run`].
    ///
    /// # Errors
    /// `active_required` where `active` is left out for a user known as inactive; store errors.
    pub fn put_user(&self, user: User, by: Option<&str>) -> Result<Vec<Request>> {
        let id = user.id.clone();
        self.transact_together(|tx, apps| intake::put_user(tx, apps, user, by))
            .map_err(|fault| Error::new("put_user", fault).about("user", id))
    }

    /// Stores each record of a list on its own: a JSON list, or one object a line. Faulty ones are returned with their place;
    /// the rest stand. Records are committed in batches, which a store that fails ends at the last whole one.
    ///
    /// # Errors
    /// `invalid_utf8` or `invalid_json` where the text as a whole is neither; store errors.
    pub fn put_users(&self, json: &[u8], by: Option<&str>) -> Result<PutUsers> {
        let stored = records(json).and_then(|records| self.put_records(records, by));
        stored.map_err(|fault| Error::new("put_users", fault))
    }

    /// Stores the records of a list, batch by batch.
    pub(super) fn put_records(&self, records: Vec<Readable>, by: Option<&str>) -> std::result::Result<PutUsers, Fault> {
        let mut records = records.into_iter().enumerate();
        let mut result = PutUsers::default();
        loop {
            let batch: Vec<_> = records.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(result);
            }
            self.change(batch.len() <= SHORT, |tx, apps| {
                batch.into_iter().try_for_each(|(index, record)| put_record(tx, apps, index, record, by, &mut result))
            })?;
        }
    }

    /// The user has left the directory: accounts are disabled or deleted as each app's `deprovision.deleted` says. Said again
    /// of who has left, it asks again for what is still to be taken away, also where that was cancelled.
    ///
    /// # Errors
    /// `not_found` where there is no such user; store errors.
    pub fn delete_user(&self, id: &str, by: Option<&str>) -> Result<Vec<Request>> {
        self.transact_together(|tx, apps| intake::delete_user(tx, apps, id, by))
            .map_err(|fault| Error::new("delete_user", fault).about("user", id))
    }

    /// The user's record as stored: the reserved keys and the attributes that some app reads.
    ///
    /// # Errors
    /// `not_found` where there is no such user in the directory; store errors.
    pub fn user(&self, id: &str) -> Result<User> {
        let stored = self.view(|tx| tx.user(id)).map_err(|fault| Error::new("user", fault).about("user", id))?;
        let present = stored.filter(|stored| stored.state == UserState::Present);
        let missing = || Error::new("user", Fault::new(Code::NotFound, "there is no such user")).about("user", id);
        present.map(|stored| stored.user).ok_or_else(missing)
    }

    /// Users by id, those who left excepted.
    ///
    /// # Errors
    /// Store errors.
    pub fn users(&self, filter: &UserFilter) -> Result<Vec<User>> {
        let limit = filter.limit.unwrap_or(1000) as usize;
        self.view(|tx| {
            let mut found = Vec::new();
            let mut after = filter.after.clone();
            while found.len() < limit {
                let page = tx.users(after.as_deref(), Some(1000))?;
                let Some(last) = page.last() else { break };
                after = Some(last.user.id.to_string());
                let present = page.into_iter().filter(|stored| stored.state == UserState::Present);
                found.extend(present.map(|stored| stored.user));
            }
            found.truncate(limit);
            Ok(found)
        })
        .map_err(|fault| Error::new("users", fault))
    }
}

/// Stores one record of a batch, or notes what is wrong with it.
fn put_record(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    index: usize,
    record: Readable,
    by: Option<&str>,
    result: &mut PutUsers,
) -> std::result::Result<(), Fault> {
    let id = record.as_ref().ok().and_then(|record| record.get("id")?.as_str()).map(str::to_owned);
    let user = record.and_then(User::from_value);
    match user.and_then(|user| tx.part(|tx| intake::put_user(tx, apps, user, by))) {
        Ok(requests) => {
            result.stored += 1;
            result.unchanged += u64::from(requests.is_empty());
            result.requests += requests.len() as u64;
        }
        // A store that fails would fail for the rest too.
        Err(fault) if fault.code.blame() == Blame::Store => return Err(fault),
        Err(fault) => result.faults.push(UserFault { index: index as u64, id, fault }),
    }
    Ok(())
}

/// The records of a list or of lines, each readable or not.
pub(super) fn records(json: &[u8]) -> std::result::Result<Vec<Readable>, Fault> {
    let first = json.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        return match read_json(json)? {
            Value::Array(items) => Ok(items.into_iter().map(Ok).collect()),
            _ => Err(Fault::new(Code::InvalidDocument, "users must be a JSON list, or one object a line")),
        };
    }
    let lines = json.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    Ok(lines.map(read_json).collect())
}
