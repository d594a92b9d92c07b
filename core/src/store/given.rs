//! What a request sends instead of what its mapping gives, and what there was before it. Sealed as payloads are.

use super::{Tx, UserKey, unseal_object};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::model::{Before, Change, GroupReference};
use crate::value::Attributes;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a request sends instead of what its mapping gives.
#[derive(Clone, Default)]
pub(crate) struct Given {
    /// Exactly these changes, in this order.
    pub(crate) changes: Vec<Change>,
    /// The wanted attributes, where the changes are in step with the mapping: they count as applied last once these are sent.
    /// Without, what was applied last stays what it was.
    pub(crate) applied: Option<Attributes>,
    /// A person has it put back as it was, whether or not it is wanted now.
    pub(crate) restores: bool,
    /// What the account must have for that; where it has something else by then, nothing is sent.
    pub(crate) expected: Attributes,
    /// Exactly these memberships are given, or taken away, and nothing else is done.
    pub(crate) members: Vec<GivenMembership>,
    /// They were written into the ledger: what becomes of them stands there.
    pub(crate) enrolled: bool,
}

/// A membership that a request gives or takes away because a plan says so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GivenMembership {
    /// The group's id.
    pub(crate) group: String,
    /// How an entitlement names it.
    pub(crate) reference: GroupReference,
    /// Whether the account comes into the group, or out of it.
    pub(crate) add: bool,
    /// Whether it is ours once it is given, or was ours before it is taken away.
    pub(crate) ours: bool,
}

impl Tx<'_> {
    /// Stores what the request sends.
    pub(crate) fn put_given(&mut self, id: &RequestId, key: &UserKey, given: &Given) -> Result<(), Fault> {
        let mut object = Attributes::new();
        object.insert("changes".to_owned(), json!(given.changes));
        object.insert("restores".to_owned(), Value::from(given.restores));
        object.insert("expected".to_owned(), Value::Object(given.expected.clone()));
        if !given.members.is_empty() {
            object.insert("members".to_owned(), json!(given.members));
            object.insert("enrolled".to_owned(), Value::from(given.enrolled));
        }
        if let Some(applied) = &given.applied {
            object.insert("applied".to_owned(), Value::Object(applied.clone()));
        }
        let sealed = self.seal_object(key, &place(id), &object)?;
        self.execute("UPDATE request SET given = $1 WHERE id = $2", params![sealed, id.as_str()])?;
        Ok(())
    }

    /// What the request sends instead of what its mapping gives; none where its mapping gives it.
    pub(crate) fn given(&self, id: &RequestId, key: &UserKey) -> Result<Option<Given>, Fault> {
        let sealed = self.row("SELECT given FROM request WHERE id = $1", [id.as_str()], |row| row.get(0))?;
        let Some(sealed): Option<Vec<u8>> = sealed.flatten() else { return Ok(None) };
        let mut object = unseal_object(key, &place(id), &sealed)?;
        let damaged = || Fault::new(Code::StoreDamaged, "what a request was given to send cannot be read");
        let changes = serde_json::from_value(object.remove("changes").unwrap_or_default()).map_err(|_| damaged())?;
        let applied = match object.remove("applied") {
            Some(Value::Object(applied)) => Some(applied),
            Some(_) => return Err(damaged()),
            None => None,
        };
        let expected = match object.remove("expected") {
            Some(Value::Object(expected)) => expected,
            _ => return Err(damaged()),
        };
        let flag = |name: &str| object.get(name).and_then(Value::as_bool).unwrap_or(false);
        let (restores, enrolled) = (flag("restores"), flag("enrolled"));
        let members = object.remove("members").map(serde_json::from_value).transpose().map_err(|_| damaged())?;
        Ok(Some(Given { changes, applied, restores, expected, members: members.unwrap_or_default(), enrolled }))
    }
}

/// What there was before a request, and the values of the same attributes just after it, where it was an Update that came
/// through.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) before: Before,
    pub(crate) after: Option<Attributes>,
}

impl Tx<'_> {
    /// Keeps what there was before the request, and what there is after it.
    pub(crate) fn keep(&mut self, id: &RequestId, key: &UserKey, kept: &Kept) -> Result<(), Fault> {
        let mut object = Attributes::new();
        object.insert("before".to_owned(), json!(kept.before));
        if let Some(after) = &kept.after {
            object.insert("after".to_owned(), Value::Object(after.clone()));
        }
        let sealed = self.seal_object(key, &kept_place(id), &object)?;
        self.execute("UPDATE request SET before = $1 WHERE id = $2", params![sealed, id.as_str()])?;
        Ok(())
    }

    /// What was kept of the request; none where it was never sent.
    pub(crate) fn kept(&self, id: &RequestId, key: &UserKey) -> Result<Option<Kept>, Fault> {
        let sealed = self.row("SELECT before FROM request WHERE id = $1", [id.as_str()], |row| row.get(0))?;
        let Some(sealed): Option<Vec<u8>> = sealed.flatten() else { return Ok(None) };
        let mut object = unseal_object(key, &kept_place(id), &sealed)?;
        let damaged = || Fault::new(Code::StoreDamaged, "what was kept of a request cannot be read");
        let before = serde_json::from_value(object.remove("before").unwrap_or_default()).map_err(|_| damaged())?;
        let after = match object.remove("after") {
            Some(Value::Object(after)) => Some(after),
            Some(_) => return Err(damaged()),
            None => None,
        };
        Ok(Some(Kept { before, after }))
    }
}

fn place(id: &RequestId) -> String {
    format!("request/{id}/given")
}

fn kept_place(id: &RequestId) -> String {
    format!("request/{id}/before")
}
