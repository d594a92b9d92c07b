//! The three kinds of records, read whole.

use super::Records;
use crate::fault::{Code, Fault};
use crate::model::{LinkState, TargetAccount, User, read_json};
use crate::path::member;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The users.
    Users,
    /// The accounts.
    Accounts,
    /// The links.
    Links,
}

impl Side {
    /// The name, as an argument has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Accounts => "accounts",
            Self::Links => "links",
        }
    }
}

/// A record that takes no part: it cannot be read, or it is there twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// In which input.
    pub side: Side,
    /// Where in it, counted from 0.
    pub index: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// A link, read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    /// The user, where there is one.
    #[serde(default)]
    pub(super) user: Option<String>,
    /// The account's external id.
    pub(super) account: String,
    #[serde(default = "linked")]
    pub(super) state: LinkState,
    /// Whether a person manages it. Nothing is decided by it here.
    #[serde(default, rename = "known")]
    _known: bool,
    /// The attributes applied last.
    #[serde(default)]
    pub(super) last: Option<Attributes>,
    /// Whether the account is known to be gone.
    #[serde(default)]
    pub(super) deleted: bool,
    /// Whether the account was active when it was last seen or changed.
    #[serde(default)]
    pub(super) active: Option<bool>,
    /// Whether it was frozen then.
    #[serde(default)]
    pub(super) frozen: Option<bool>,
}

fn linked() -> LinkState {
    LinkState::Linked
}

impl Link {
    pub(super) fn read(json: &[u8]) -> Result<Self, Fault> {
        let value = read_json(json)?;
        let link: Self = crate::model::read_part(&value, "")?;
        if link.account.is_empty() {
            return Err(Fault::new(Code::MissingId, "the link has no `account`").at("account"));
        }
        Ok(link)
    }

    /// The user to whom the account is linked, where it is.
    pub(super) fn linked_user(&self) -> Option<&str> {
        self.owner().filter(|_| self.state == LinkState::Linked)
    }

    /// The user who has the account, by a link or by one that is ignored.
    pub(super) fn owner(&self) -> Option<&str> {
        let is_link = matches!(self.state, LinkState::Linked | LinkState::Ignored) && !self.deleted;
        self.user.as_deref().filter(|user| is_link && !user.is_empty())
    }
}

/// Reads an account in either shape.
pub(super) fn read_account(json: &[u8]) -> Result<TargetAccount, Fault> {
    let Value::Object(object) = read_json(json)? else {
        return Err(Fault::new(Code::InvalidDocument, "an account must be a JSON object"));
    };
    let account = match object.contains_key("external_id") {
        true => crate::model::read_part(&Value::Object(object), "")?,
        false => resource(object)?,
    };
    match account.external_id.is_empty() {
        true => Err(Fault::new(Code::InvalidId, "the account's id is empty").at("id")),
        false => Ok(account),
    }
}

/// An account that is its own attributes.
fn resource(attributes: Attributes) -> Result<TargetAccount, Fault> {
    let external_id = match attributes.get("id") {
        Some(Value::String(id)) => id.clone(),
        // Tables number their rows.
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        None | Some(Value::Null) => return Err(Fault::new(Code::MissingId, "the account has no `id`").at("id")),
        Some(_) => return Err(Fault::new(Code::InvalidDocument, "`id` must be text or a whole number").at("id")),
    };
    let flag = |name: &str| match attributes.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(Fault::new(Code::InvalidDocument, format!("`{name}` must be true or false")).at(name)),
    };
    let active = flag("active")?.unwrap_or(true);
    let frozen = flag("frozen")?.unwrap_or(false);
    let username = member(&attributes, "userName").and_then(Value::as_str).map(str::to_owned);
    Ok(TargetAccount { external_id, username, active, frozen, attributes, version: None })
}

/// Reads a record again that was read before.
///
/// # Errors
/// What reading the input comes to; `internal` where the record is no longer there, or can no longer be read.
pub(super) fn again<T>(
    records: &mut dyn Records,
    place: u64,
    read: impl Fn(&[u8]) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut found = None;
    records.again(place, &mut |json| {
        found = read(json).ok();
        Ok(())
    })?;
    found.ok_or_else(changed)
}

/// A record is no longer the one that was analysed.
pub(super) fn changed() -> Fault {
    Fault::new(Code::Internal, "a record changed while it was analysed")
}

pub(super) fn user(json: &[u8]) -> Result<User, Fault> {
    User::from_json(json)
}
