//! What a request sends instead of what its mapping gives. Sealed as payloads are.

use super::{Tx, UserKey, unseal_object};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::model::Change;
use crate::value::Attributes;
use rusqlite::params;
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
}

impl Tx<'_> {
    /// Stores what the request sends.
    pub(crate) fn put_given(&mut self, id: &RequestId, key: &UserKey, given: &Given) -> Result<(), Fault> {
        let mut object = Attributes::new();
        object.insert("changes".to_owned(), json!(given.changes));
        object.insert("restores".to_owned(), Value::from(given.restores));
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
        let restores = object.get("restores").and_then(Value::as_bool).unwrap_or(false);
        Ok(Some(Given { changes, applied, restores }))
    }
}

fn place(id: &RequestId) -> String {
    format!("request/{id}/given")
}
