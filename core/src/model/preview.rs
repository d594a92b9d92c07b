//! What a preview and the impact of a change tell: calls that would be made, and whom a definition would touch.

use super::membership::GroupMembership;
use super::reconciliation::BrakeReason;
use super::target::Change;
use crate::fault::Fault;
use crate::id::{AppId, UserId};
use crate::operation::Operation;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A call of a connector that a preview asks about; it is not made.
#[derive(Clone, Copy, Debug)]
pub enum TargetCall<'a> {
    /// [`create`](crate::connector::Connector::create).
    Create {
        /// The wanted account.
        attributes: &'a Attributes,
    },
    /// [`update`](crate::connector::Connector::update).
    Update {
        /// The account.
        external_id: &'a str,
        /// What changes.
        changes: &'a [Change],
        /// What the target showed last.
        shown: &'a Attributes,
    },
}

/// What would reach a target: an HTTP request where the connector speaks HTTP of its own, or else the connector's call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TargetRequest {
    /// A request over HTTP.
    Http {
        /// `POST`, `PATCH`, `PUT`.
        method: String,
        /// The path and query of the URL.
        path: String,
        /// The JSON body.
        body: Value,
    },
    /// A call of a connector of the host, or of the mock.
    Call {
        /// The method's name.
        call: String,
        /// Its arguments by name.
        arguments: Value,
    },
}

/// What a Create would send, whether or not one is due.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PreviewCreate {
    /// The attributes, as the connector gets them.
    pub attributes: Attributes,
    /// The requests, in order; none where the mapping is at fault or waits for the account of another user.
    pub requests: Vec<TargetRequest>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// What an Update would send, whether or not one is due.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PreviewUpdate {
    /// The changes, as the connector gets them.
    pub changes: Vec<Change>,
    /// The requests, in order; none where nothing changes, or the mapping is at fault or waits for the account of another user.
    pub requests: Vec<TargetRequest>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// An operation that was decided and is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithheldOperation {
    /// The operation.
    pub operation: Operation,
    /// Why it was decided.
    pub why: String,
    /// Why it is held back.
    pub withheld: String,
}

/// What the impact of a definition is told with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImpactOptions {
    /// Whether the values of attributes are told, old and new; those of sensitive rules never are.
    pub values: bool,
}

/// What a new definition would mean for one user.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserImpact {
    /// The user.
    pub user: UserId,
    /// The requests that would be made, in order.
    pub operations: Vec<ImpactOperation>,
    /// What would be decided and held back.
    pub withheld: Vec<WithheldOperation>,
    /// The operations of open requests that would be cancelled.
    pub cancelled: Vec<Operation>,
    /// The attributes of which another value would be wanted, by path.
    pub attributes: Vec<ImpactAttribute>,
    /// The memberships of groups that would be given or taken away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<GroupMembership>,
    /// What would be wrong for this user.
    pub faults: Vec<Fault>,
}

/// One request that would be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImpactOperation {
    /// The operation.
    pub operation: Operation,
    /// Why.
    pub why: String,
    /// Before when it would not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// An attribute of which another value would be wanted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImpactAttribute {
    /// The attribute path.
    pub path: String,
    /// Whether its values are never told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// What is wanted by the stored definition, where values are told and there is one. `null` clears the attribute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What would be wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The totals of an impact, so far. They count what is told of the users.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImpactSummary {
    /// The app.
    pub app: AppId,
    /// Whether the definition differs from the one that is stored.
    pub changed: bool,
    /// How many users there were when it began.
    pub total: u64,
    /// How many were looked at.
    pub users: u64,
    /// For how many of them something would change.
    pub affected: u64,
    /// How many of them have an account, or are about to.
    pub accounts: u64,
    /// Requests that would be made, by operation.
    pub operations: BTreeMap<String, u64>,
    /// What would be held back, by operation.
    pub withheld: BTreeMap<String, u64>,
    /// Open requests that would be cancelled, by operation.
    pub cancelled: BTreeMap<String, u64>,
    /// For how many users another value would be wanted, by attribute.
    pub attributes: BTreeMap<String, u64>,
    /// What would be wrong, by code.
    pub faults: BTreeMap<String, u64>,
    /// How many users would be frozen or would lose their account's use or the account.
    pub destructive: u64,
    /// Their share of those who have an account, from 0 to 1.
    pub share: f64,
    /// What of that the brake would hold; told once every user was looked at.
    pub held: ImpactHeld,
    /// Whether every user was looked at.
    pub finished: bool,
}

/// What the brake would hold until a second person agrees. It is counted among the requests that would be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImpactHeld {
    /// How many accounts would not be disabled or deleted until then.
    pub accounts: u64,
    /// How many memberships would not be taken away.
    pub memberships: u64,
    /// Why; empty where nothing would be held.
    pub brake: Vec<BrakeReason>,
}
