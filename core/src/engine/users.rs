//! The verbs of the source directory.

use super::{Engine, Error, Result};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::intake;
use crate::model::{PutUsers, Request, User, UserFault, UserFilter, read_json};
use crate::store::UserState;
use serde_json::Value;

impl Engine {
    /// Stores a user's record in place of the one before, and makes the requests that the change asks for. Nothing is sent
    /// before [`Engine::run`].
    ///
    /// # Errors
    /// `active_required` where `active` is left out for a user known as inactive; store errors.
    pub fn put_user(&self, user: User, by: Option<&str>) -> Result<Vec<Request>> {
        let id = user.id.clone();
        let apps = self.shared.apps();
        self.transact(|tx| intake::put_user(tx, &apps, user, by))
            .map_err(|fault| Error::new("put_user", fault).about("user", id))
    }

    /// Stores each record of a list on its own: a JSON list, or one object a line. Faulty ones are returned with their place;
    /// the rest stand.
    ///
    /// # Errors
    /// `invalid_utf8` or `invalid_json` where the text as a whole is neither; store errors.
    pub fn put_users(&self, json: &[u8], by: Option<&str>) -> Result<PutUsers> {
        let failed = |fault| Error::new("put_users", fault);
        let mut result = PutUsers::default();
        for (index, record) in records(json).map_err(failed)?.into_iter().enumerate() {
            let id = record.as_ref().ok().and_then(|record| record.get("id")?.as_str()).map(str::to_owned);
            let put = record.and_then(User::from_value).map_err(failed).and_then(|user| self.put_user(user, by));
            match put {
                Ok(requests) => {
                    result.stored += 1;
                    result.unchanged += u64::from(requests.is_empty());
                    result.requests += requests.len() as u64;
                }
                // A store that fails would fail for the rest too.
                Err(error) if error.kind() == crate::fault::Blame::Store || error.code() == Code::ReadOnly => {
                    return Err(error);
                }
                Err(error) => result.faults.extend(error.faults().iter().take(1).map(|fault| UserFault {
                    index: index as u64,
                    id: id.clone(),
                    fault: fault.clone(),
                })),
            }
        }
        Ok(result)
    }

    /// The user has left the directory: accounts are disabled or deleted as each app's `deprovision.deleted` says.
    ///
    /// # Errors
    /// `not_found` where there is no such user; store errors.
    pub fn delete_user(&self, id: &str, by: Option<&str>) -> Result<Vec<Request>> {
        let apps = self.shared.apps();
        self.transact(|tx| intake::delete_user(tx, &apps, id, by))
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

/// The records of a list or of lines, each readable or not.
fn records(json: &[u8]) -> std::result::Result<Vec<std::result::Result<Value, Fault>>, Fault> {
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
