//! What a target must offer: the [`Connector`] trait, what it answers, how it fails.

pub mod conformance;
pub mod mock;

use crate::time::Period;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

pub use crate::model::{Capabilities, Change, ChangeKind, Page, SchemaAttribute, TargetAccount};

/// A target's face towards the engine. Everything but [`Connector::create`] has a default that says «not supported»;
/// what is not implemented is not supported. Calls may come from several threads at once; they carry no lock and no open
/// transaction with them. A panic counts as ambiguous for a write and as not applied for a read.
pub trait Connector: Send + Sync {
    /// What the target can do. Asked once after registration and after [`Connector::test`].
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Whether the target can be reached and accepts the credentials, without changing anything.
    ///
    /// # Errors
    /// What is in the way, as for a read.
    fn test(&self) -> Result<(), ConnectorError> {
        Err(ConnectorError::unsupported("test"))
    }

    /// The target's attributes.
    ///
    /// # Errors
    /// As for a read.
    fn schema(&self) -> Result<Vec<SchemaAttribute>, ConnectorError> {
        Err(ConnectorError::unsupported("schema"))
    }

    /// The accounts whose `attribute` (a path such as `userName` or `emails.value`) equals `value`. More than asked for may
    /// come back; the engine compares again.
    ///
    /// # Errors
    /// As for a read. An unknown answer is an error, never an empty list.
    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        let _ = (attribute, value);
        Err(ConnectorError::unsupported("find"))
    }

    /// One account, `None` where the target says that it does not exist.
    ///
    /// # Errors
    /// As for a read.
    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        let _ = external_id;
        Err(ConnectorError::unsupported("read"))
    }

    /// Makes an account. `attributes` always holds `externalId`, the user's id, unless the mapping sets it otherwise.
    /// `idempotency_key` is the same in every attempt of one request.
    ///
    /// # Errors
    /// By outcome: `conflict` where such an account exists, `rejected` where the record is refused, `not_applied` where
    /// nothing reached the target, `ambiguous` in every other case.
    fn create(&self, attributes: &Attributes, idempotency_key: &str) -> Result<TargetAccount, ConnectorError>;

    /// Changes an account; gives it as it is afterwards where the target says so. `version` is the one last seen.
    ///
    /// # Errors
    /// As for [`Connector::create`]; code `account_missing` where the account does not exist.
    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        let _ = (external_id, changes, version);
        Err(ConnectorError::unsupported("update"))
    }

    /// Enables an account. Done twice, it does no harm.
    ///
    /// # Errors
    /// As for [`Connector::update`].
    fn activate(&self, external_id: &str) -> Result<(), ConnectorError> {
        let _ = external_id;
        Err(ConnectorError::unsupported("activate"))
    }

    /// Disables an account. Done twice, it does no harm.
    ///
    /// # Errors
    /// As for [`Connector::update`].
    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        let _ = external_id;
        Err(ConnectorError::unsupported("deactivate"))
    }

    /// Suspends an account.
    ///
    /// # Errors
    /// As for [`Connector::update`].
    fn freeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        let _ = external_id;
        Err(ConnectorError::unsupported("freeze"))
    }

    /// Ends a suspension.
    ///
    /// # Errors
    /// As for [`Connector::update`].
    fn unfreeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        let _ = external_id;
        Err(ConnectorError::unsupported("unfreeze"))
    }

    /// Removes an account. One that does not exist counts as removed.
    ///
    /// # Errors
    /// As for [`Connector::update`].
    fn delete(&self, external_id: &str) -> Result<(), ConnectorError> {
        let _ = external_id;
        Err(ConnectorError::unsupported("delete"))
    }

    /// One page of all accounts, from the start where there is no cursor.
    ///
    /// # Errors
    /// As for a read.
    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        let _ = (cursor, filter);
        Err(ConnectorError::unsupported("list"))
    }

    /// The accounts changed since `token`, and the next token.
    ///
    /// # Errors
    /// As for a read.
    fn changes(&self, token: Option<&str>) -> Result<(Vec<TargetAccount>, String), ConnectorError> {
        let _ = token;
        Err(ConnectorError::unsupported("changes"))
    }

    /// One page of the target's groups, each an object with `id` and `display_name`.
    ///
    /// # Errors
    /// As for a read.
    fn list_groups(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        let _ = cursor;
        Err(ConnectorError::unsupported("list_groups"))
    }

    /// Adds members to a group and removes others, by external id.
    ///
    /// # Errors
    /// As for [`Connector::update`].
    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        let _ = (group, add, remove);
        Err(ConnectorError::unsupported("change_members"))
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
