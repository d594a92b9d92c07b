//! A user: one record of the source directory.

use super::read_json;
use crate::fault::{Code, Fault};
use crate::id::UserId;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A user's record: a flat JSON object with some reserved keys; every other key is an attribute.
///
/// ```
/// let user = rollkeeper::model::User::from_json(br#"{"id": "u1", "username": "amelie", "profile": "Employees"}"#)?;
/// assert!(user.active);
/// # Ok::<(), rollkeeper::Fault>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The immutable id.
    pub id: UserId,
    /// Whether the user may have active accounts; true where the record does not say.
    pub active: bool,
    /// Whether the record says so itself.
    pub active_given: bool,
    /// Whether the user is suspended.
    pub frozen: bool,
    /// The profile.
    pub profile: Option<String>,
    /// Names of permission sets.
    pub permission_sets: Vec<String>,
    /// Names of permission set groups.
    pub permission_set_groups: Vec<String>,
    /// The manager's user id.
    pub manager: Option<String>,
    /// From when on the user counts as active.
    pub valid_from: Option<Timestamp>,
    /// Until when the user counts as active.
    pub valid_until: Option<Timestamp>,
    /// The whole record, reserved keys included.
    pub record: Attributes,
}

/// The reserved keys of a user's record.
pub const RESERVED_KEYS: [&str; 10] = [
    "id",
    "username",
    "active",
    "frozen",
    "profile",
    "permission_sets",
    "permission_set_groups",
    "manager",
    "valid_from",
    "valid_until",
];

impl User {
    /// Reads a record.
    ///
    /// # Errors
    /// `invalid_utf8`, `invalid_json`, `missing_id`, `invalid_id`, `invalid_time`, or `invalid_document` where a reserved
    /// key is of the wrong type; each names the key.
    pub fn from_json(json: &[u8]) -> Result<Self, Fault> {
        Self::from_value(read_json(json)?)
    }

    /// Takes a record that was read already.
    ///
    /// # Errors
    /// As [`User::from_json`].
    pub fn from_value(value: Value) -> Result<Self, Fault> {
        let Value::Object(record) = value else {
            return Err(Fault::new(Code::InvalidDocument, "a user must be a JSON object"));
        };
        let id = match record.get("id") {
            None | Some(Value::Null) => return Err(Fault::new(Code::MissingId, "the user has no `id`").at("id")),
            Some(Value::String(id)) => UserId::new(id.clone()).map_err(|fault| fault.at("id"))?,
            Some(_) => return Err(wrong_type("id", "text")),
        };
        text(&record, "username")?;
        let active = flag(&record, "active")?;
        Ok(Self {
            id,
            active: active.unwrap_or(true),
            active_given: active.is_some(),
            frozen: flag(&record, "frozen")?.unwrap_or(false),
            profile: text(&record, "profile")?,
            permission_sets: names(&record, "permission_sets")?,
            permission_set_groups: names(&record, "permission_set_groups")?,
            manager: text(&record, "manager")?,
            valid_from: time(&record, "valid_from")?,
            valid_until: time(&record, "valid_until")?,
            record,
        })
    }

    /// Whether the user counts as active at `now`: active by the record and within its validity.
    pub fn is_active_at(&self, now: Timestamp) -> bool {
        self.active
            && self.valid_from.is_none_or(|from| from <= now)
            && self.valid_until.is_none_or(|until| now < until)
    }

    /// The next moment at which [`User::is_active_at`] may change.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        [self.valid_from, self.valid_until].into_iter().flatten().filter(|time| *time > now).min()
    }
}

impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.record.serialize(serializer)
    }
}

fn wrong_type(key: &str, kind: &str) -> Fault {
    Fault::new(Code::InvalidDocument, format!("`{key}` must be {kind}")).at(key)
}

fn given<'a>(record: &'a Attributes, key: &str) -> Option<&'a Value> {
    record.get(key).filter(|value| !value.is_null())
}

fn text(record: &Attributes, key: &str) -> Result<Option<String>, Fault> {
    given(record, key).map(|value| value.as_str().map(str::to_owned).ok_or_else(|| wrong_type(key, "text"))).transpose()
}

fn flag(record: &Attributes, key: &str) -> Result<Option<bool>, Fault> {
    given(record, key).map(|value| value.as_bool().ok_or_else(|| wrong_type(key, "true or false"))).transpose()
}

fn names(record: &Attributes, key: &str) -> Result<Vec<String>, Fault> {
    let Some(value) = given(record, key) else { return Ok(Vec::new()) };
    let fault = || wrong_type(key, "a list of names");
    let items = value.as_array().ok_or_else(fault)?;
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(fault)).collect()
}

fn time(record: &Attributes, key: &str) -> Result<Option<Timestamp>, Fault> {
    text(record, key)?.map(|text| Timestamp::parse(&text).map_err(|fault| fault.at(key))).transpose()
}
