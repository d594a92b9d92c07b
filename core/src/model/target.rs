//! What a target shows and takes, as data: its schema, its accounts, changes of them, what it can do and how it fails.

use crate::fault::Fault;
use crate::path::Path;
use crate::time::Period;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// One attribute of a target's schema (RFC 7643 §7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaAttribute {
    /// The path: `userName`, `name.familyName`, `emails.value`, `urn:…:User:department`.
    pub path: String,
    /// `string`, `boolean`, `decimal`, `integer`, `dateTime`, `reference`, `binary`, `complex`; or `any` where the target
    /// contradicts itself.
    #[serde(rename = "type", default = "string_type")]
    pub kind: String,
    /// Whether it holds several values.
    #[serde(default)]
    pub multi_valued: bool,
    /// Whether the target refuses an account without it.
    #[serde(default)]
    pub required: bool,
    /// Whether letter case matters.
    #[serde(default)]
    pub case_exact: bool,
    /// Whether it cannot be written.
    #[serde(default)]
    pub read_only: bool,
    /// The values that the target knows; empty where it does not say.
    #[serde(default)]
    pub canonical_values: Vec<String>,
}

fn string_type() -> String {
    "string".to_owned()
}

/// An account as the target shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetAccount {
    /// The account's id at the target, never empty.
    pub external_id: String,
    /// The name to log in with, where the target has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Whether it can be used.
    #[serde(default = "active")]
    pub active: bool,
    /// Whether it is suspended.
    #[serde(default)]
    pub frozen: bool,
    /// Everything the target showed.
    #[serde(default)]
    pub attributes: Attributes,
    /// The target's version of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl TargetAccount {
    /// The attributes with `userName`, for targets that show the name beside the attributes only.
    pub(crate) fn named(&self) -> Attributes {
        let mut attributes = self.attributes.clone();
        if let (false, Some(username)) = (attributes.contains_key("userName"), &self.username) {
            attributes.insert("userName".to_owned(), Value::from(username.as_str()));
        }
        attributes
    }
}

fn active() -> bool {
    true
}

/// One page of accounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// The accounts.
    pub accounts: Vec<TargetAccount>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<String>,
    /// On the last page: whether the listing is proved to be whole.
    pub complete: bool,
    /// How many accounts the target says that the whole listing has, where it says so. What the last page says counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What a target can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// `find` works.
    pub search: bool,
    /// `create` may be repeated with the same key without harm.
    pub idempotency_key: bool,
    /// `update` refuses an old version.
    pub conditional_write: bool,
    /// Attributes of which the target refuses a second holder (`userName`).
    pub unique_keys: Vec<String>,
    /// `freeze` and `unfreeze` work.
    pub freeze: bool,
    /// Groups work.
    pub groups: bool,
    /// `changes` works.
    pub changes: bool,
}

/// What a change does (RFC 7644 §3.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Adds a value.
    Add,
    /// Removes a value.
    Remove,
    /// Puts a value in the place of what is there.
    Replace,
}

impl ChangeKind {
    /// Carries out such a change. Null stands for no value (RFC 7643 §2.5), so that writing it removes.
    pub fn apply(self, path: &Path, value: Option<&Value>, attributes: &mut Attributes) {
        match (self, value.filter(|value| !value.is_null())) {
            (Self::Remove, _) | (_, None) => path.remove(attributes),
            (Self::Add, Some(value)) => path.add(attributes, value.clone()),
            (Self::Replace, Some(value)) => path.put(attributes, value.clone()),
        }
    }
}

/// One change of one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What is done.
    #[serde(rename = "op")]
    pub kind: ChangeKind,
    /// The attribute path.
    pub path: String,
    /// The value; `None` for a removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

impl Change {
    /// Carries out changes in their order, or none of them.
    ///
    /// ```
    /// use rollkeeper::model::Change;
    /// use serde_json::json;
    /// let changes = json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada@example.com"}]);
    /// let changes: Vec<Change> = serde_json::from_value(changes).unwrap();
    /// let mut attributes = rollkeeper::value::Attributes::new();
    /// Change::apply_all(&changes, &mut attributes)?;
    /// assert_eq!(attributes["emails"], json!([{"type": "work", "value": "ada@example.com"}]));
    /// # Ok::<(), rollkeeper::Fault>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_path`, at the path that is none.
    pub fn apply_all(changes: &[Self], attributes: &mut Attributes) -> Result<(), Fault> {
        let read = |change: &Self| Path::parse(&change.path).map_err(|fault| fault.at(&change.path));
        let paths = changes.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for (path, change) in paths.iter().zip(changes) {
            change.kind.apply(path, change.value.as_ref(), attributes);
        }
        Ok(())
    }
}

/// What a failed call means for the target's state. Only `NotApplied` may be repeated blindly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing reached the target, or it promised to have done nothing.
    NotApplied,
    /// The target refused; trying the same again will not help.
    Rejected,
    /// Nobody knows.
    Ambiguous,
    /// Such an account exists already.
    Conflict,
}

impl Outcome {
    /// The stored and spoken name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Rejected => "rejected",
            Self::Ambiguous => "ambiguous",
            Self::Conflict => "conflict",
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::NotApplied, Self::Rejected, Self::Ambiguous, Self::Conflict].into_iter().find(|one| one.name() == name)
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorError {
    /// What it means for the target's state.
    pub outcome: Outcome,
    /// A name such as `rate_limited`; the codes of blame `target` are understood by the engine, others are shown.
    pub code: String,
    /// What happened, in one line, for the operator. Attribute values and secrets do not belong here.
    pub message: String,
    /// How long the target asked to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Period>,
    /// The account that the target named, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

impl ConnectorError {
    /// A failure with that meaning.
    pub fn new(outcome: Outcome, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { outcome, code: code.into(), message: message.into(), retry_after: None, external_id: None }
    }

    /// The failure of a method that the connector does not have.
    pub fn unsupported(method: &str) -> Self {
        Self::new(Outcome::Rejected, "unsupported", format!("the connector has no `{method}`"))
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}): {}", self.code, self.outcome.name(), self.message)
    }
}

impl std::error::Error for ConnectorError {}
