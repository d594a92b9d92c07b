//! What the engine tells about its own work: log entries, explanations, previews, findings.

use super::account::{Account, AccountStatus, LinkState};
use super::request::Request;
use super::target::Capabilities;
use crate::fault::Fault;
use crate::id::{AppId, UserId};
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One entry of the log. It holds names and outcomes, never attribute values; the chain covers every field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogEntry {
    /// Counted from 1, without gaps.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened: `user_put`, `decided`, `sent`, `settled`, …
    pub kind: String,
    /// The app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Who asked for it, as the host asserts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// More, by kind.
    pub details: Value,
    /// SHA-256 over the hash of the entry before and every field of this one.
    pub hash: String,
}

/// Which log entries are asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogFilter {
    /// Of this app.
    pub app: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// Of this request.
    pub request: Option<String>,
    /// At most so many; 1,000 where it is left out.
    pub limit: Option<u32>,
    /// After the entry of this number.
    pub after: Option<u64>,
}

/// Whether the log's chain holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogVerdict {
    /// Whether every entry's hash follows from its fields and the entry before, without a gap.
    pub whole: bool,
    /// How many entries there are.
    pub entries: u64,
    /// The newest entry's hash. Keep it elsewhere: entries cut off the end cannot be missed without it.
    pub head: String,
    /// The first entry that does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<u64>,
}

/// Which accounts are asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountFilter {
    /// Of this app.
    pub app: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// With this status.
    pub status: Option<AccountStatus>,
    /// With this link state.
    pub link_state: Option<LinkState>,
    /// At most so many; 1,000 where it is left out.
    pub limit: Option<u32>,
    /// After the account of this app and external id.
    pub after: Option<(String, String)>,
}

/// Which users are asked for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserFilter {
    /// At most so many; 1,000 where it is left out.
    pub limit: Option<u32>,
    /// After the user of this id.
    pub after: Option<String>,
}

/// What came of a list of users: each stands or falls on its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PutUsers {
    /// How many were stored.
    pub stored: u64,
    /// How many of them made no request.
    pub unchanged: u64,
    /// How many requests were made.
    pub requests: u64,
    /// Those that were not stored.
    pub faults: Vec<UserFault>,
}

/// A record of a list that was not stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserFault {
    /// Its place in the list, from 0.
    pub index: u64,
    /// Its id, where it has a readable one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What stands between an app's definition and its use.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Validation {
    /// Everything that is wrong.
    pub findings: Vec<Fault>,
    /// What has to hold before the app is enabled.
    pub readiness: Vec<Readiness>,
    /// Whether nothing is wrong and everything is ready.
    pub ready: bool,
}

/// One item of the readiness list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// `connector`, `credentials`, `mapping`, `matching`, `operations`, `pilot`.
    pub item: String,
    /// Whether it holds.
    pub ready: bool,
    /// What is missing, or what was found.
    pub detail: String,
}

/// Whether a target can be reached, and what it can do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppTest {
    /// Whether it can be reached and accepts the credentials.
    pub passed: bool,
    /// What is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What the target can do.
    pub capabilities: Capabilities,
}

/// What would be sent for a user, and how each value came about. Nothing is sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    /// The app.
    pub app: AppId,
    /// The user.
    pub user: UserId,
    /// The operations that would be sent, in order; empty where nothing is to be done.
    pub operations: Vec<PreviewOperation>,
    /// The wanted attributes.
    pub attributes: Attributes,
    /// Each rule with its inputs, its result, or why it was skipped.
    pub rules: Value,
    /// What is wrong; nothing would be sent where something is.
    pub faults: Vec<Fault>,
}

/// One operation of a preview.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreviewOperation {
    /// The operation.
    pub operation: crate::operation::Operation,
    /// Why.
    pub why: String,
    /// What would be sent: attributes for a Create, changes for an Update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

/// Why a user has what they have in an app.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The app.
    pub app: AppId,
    /// The user.
    pub user: UserId,
    /// In one sentence.
    pub summary: String,
    /// What is wanted: `none`, `active`, `inactive`, `frozen`, `deleted`.
    pub wanted: String,
    /// The reasons, in order: grants, scope, validity, switches.
    pub because: Vec<String>,
    /// The account, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Requests that are not finished or failed last.
    pub requests: Vec<Request>,
    /// Attributes of the mapping that the app's target was seen not to keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_kept: Vec<String>,
}

/// A tile of the launcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tile {
    /// The app.
    pub app: AppId,
    /// The name to show.
    pub label: String,
    /// Where it leads.
    pub url: String,
    /// The picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// The account's state: `active` or `frozen`.
    pub state: String,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Units of work done.
    pub done: u64,
    /// Requests completed.
    pub completed: u64,
    /// Requests failed.
    pub failed: u64,
    /// Requests that are not finished.
    pub open: u64,
    /// When something is due next, where anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
    /// Whether the run was cancelled or ran out of its time.
    pub stopped: bool,
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Whether there was something to do.
    pub worked: bool,
    /// When something is due next; now or earlier where more is due already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
}
