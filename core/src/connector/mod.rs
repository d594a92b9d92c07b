//! What a target must offer: the [`Connector`] trait, what it answers, how it fails.

mod caught;
pub mod conformance;
mod lines;
pub mod mock;

use crate::time::Timestamp;
use crate::value::Attributes;
use serde_json::Value;

pub(crate) use caught::caught;
pub use lines::{AttributeSelection, PageLines};

pub use crate::model::{
    Capabilities, Change, ChangeKind, ConnectorError, Outcome, Page, SchemaAttribute, SchemaSource, TargetAccount,
    TargetCall, TargetDescription, TargetRequest,
};

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

    /// What the target says about itself. Where a connector has no more to say, its attributes are all there is.
    ///
    /// # Errors
    /// As for a read.
    fn discover(&self) -> Result<TargetDescription, ConnectorError> {
        let attributes = self.schema()?;
        let complete = !attributes.is_empty();
        Ok(TargetDescription { source: SchemaSource::Connector, complete, attributes, ..TargetDescription::default() })
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

    /// The same account, of which nobody looks at more than its id and whether it can be used: other attributes may be missing.
    ///
    /// # Errors
    /// As for a read.
    fn read_status(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.read(external_id)
    }

    /// The requests that a call would put on the wire, told without making it or asking anybody; `None` where there is
    /// nothing to tell but the call itself.
    fn requests_of(&self, call: TargetCall<'_>) -> Option<Vec<TargetRequest>> {
        let _ = call;
        None
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

    /// The same page as text, with the attributes alone that `read` names where it names any. The engine reads whole targets
    /// by this; where a connector has no faster way, it is [`Connector::list`] written down.
    ///
    /// # Errors
    /// As for a read.
    fn list_lines(
        &self,
        cursor: Option<&str>,
        filter: Option<&str>,
        read: Option<&AttributeSelection>,
    ) -> Result<PageLines, ConnectorError> {
        PageLines::of(self.list(cursor, filter)?, read)
    }

    /// One page of the accounts that were changed at `since` or later by the target's own clock, for a connector whose listings say
    /// how new they are ([`PageLines::newest`]).
    ///
    /// # Errors
    /// As for a read; also where the target answered something else, so that it may have left accounts out.
    fn list_changed(
        &self,
        since: Timestamp,
        cursor: Option<&str>,
        read: Option<&AttributeSelection>,
    ) -> Result<PageLines, ConnectorError> {
        let _ = (since, cursor, read);
        Err(ConnectorError::unsupported("list_changed"))
    }

    /// The accounts changed since `token`, and the next token.
    ///
    /// # Errors
    /// As for a read.
    fn changes(&self, token: Option<&str>) -> Result<(Vec<TargetAccount>, String), ConnectorError> {
        let _ = token;
        Err(ConnectorError::unsupported("changes"))
    }

    /// One page of the target's groups, each an object with `id`, `display_name` and, where the target shows them, `members`:
    /// external ids. A group without `members` is one whose members are not known. What can list groups need not be able to
    /// change them.
    ///
    /// # Errors
    /// As for a read.
    fn list_groups(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        let _ = cursor;
        Err(ConnectorError::unsupported("list_groups"))
    }

    /// The same page of groups, without their members where the target can leave them out. It is how a group is found by its
    /// name, whatever the size of it and of the others.
    ///
    /// # Errors
    /// As for a read.
    fn group_names(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        self.list_groups(cursor)
    }

    /// Adds members to a group and removes others, by external id: exactly these, whoever else is in it. Who is in it already
    /// is added without harm, and who is not in it removed.
    ///
    /// # Errors
    /// As for [`Connector::update`]; code `group_missing` where the group does not exist. Where one of the members is refused
    /// the outcome is `rejected`, and none of them, or some, may have been changed: they are sent again in smaller parts.
    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        let _ = (group, add, remove);
        Err(ConnectorError::unsupported("change_members"))
    }
}
