//! What the engine tells about its own work: log entries, explanations, previews, findings.

use super::account::{Account, AccountStatus, LinkState};
use super::membership::GroupMembership;
use super::preview::{PreviewCreate, PreviewUpdate, WithheldOperation};
use super::reconciliation::SnapshotVerdict;
use super::request::Request;
use super::target::Capabilities;
use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

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
    /// What follows from absence, where the list was said to be of all users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<PutSnapshot>,
}

/// What followed for the users who are not in a list of all users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PutSnapshot {
    /// Whether anything may be concluded from absence.
    pub verdict: SnapshotVerdict,
    /// Why not, where it may not.
    pub why: Vec<String>,
    /// How many users left.
    pub leavers: u64,
    /// How many are absent and stay for now, since a second list has to confirm it.
    pub noted: u64,
    /// How many wait for a second person.
    pub held: u64,
    /// The reconciliation of those who left or are held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<RequestId>,
    /// The plans of memberships that the records would take away and that are held, one for each app where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<RequestId>,
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
    /// What is allowed and yet hardly meant; storing and enabling do not mind it.
    pub warnings: Vec<Fault>,
    /// What has to hold before the app is enabled.
    pub readiness: Vec<Readiness>,
    /// Whether nothing is wrong and everything is ready.
    pub ready: bool,
    /// What the expressions of the definition name, read, give and cost.
    pub expressions: Vec<ExpressionReport>,
}

/// What can be told of an expression without evaluating it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExpressionReport {
    /// Where it stands in a definition: `scope`, `mapping[2].expression`; left out for one that stands alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// The variables that it names.
    pub variables: BTreeSet<&'static str>,
    /// The functions that it calls.
    pub functions: BTreeSet<&'static str>,
    /// The user attributes that it reads, as dotted paths; `*` where it may read any.
    pub paths: BTreeSet<String>,
    /// The type that it gives, as far as it is known: `string`, `string | null`, `any`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The most steps that it takes on a record of ordinary size (`core/docs/expressions.md`).
    pub cost: u32,
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
    /// Each rule with its inputs, its result and its changes, or why it was skipped.
    pub rules: Value,
    /// What is wrong; nothing would be sent where something is.
    pub faults: Vec<Fault>,
    /// What was decided and is held back.
    pub withheld: Vec<WithheldOperation>,
    /// What a Create would send, whether or not one is due.
    pub create: PreviewCreate,
    /// What an Update would send, whether or not one is due; of an account that is not known everything is a change.
    pub update: PreviewUpdate,
    /// The memberships of groups: those that there are, those that would be given, and those that would be taken away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<GroupMembership>,
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
    /// The reasons, in order: grants where an account is wanted, else what takes it away; switches.
    pub because: Vec<String>,
    /// How it came about, step by step: `import`, `match`, `scope`, `evaluate`, `provision`.
    pub steps: Vec<ExplanationStep>,
    /// The account, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// What the matching rules found last, as the log has it: the decision, and the candidates with their ids at the target,
    /// confidences and rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<Value>,
    /// Requests that are not finished or failed last.
    pub requests: Vec<Request>,
    /// Attributes of the mapping that the app's target was seen not to keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_kept: Vec<String>,
    /// The memberships of groups that we gave or that are wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<GroupMembership>,
    /// What the app's target turned out to take in another way, under the names of `connector.features`.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub learnt: Attributes,
    /// What taught each of that: `probe`, or `use`.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub learnt_by: Attributes,
}

/// One step from the user's record to the account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplanationStep {
    /// `import`, `match`, `scope`, `evaluate` or `provision`.
    pub step: String,
    /// What came of it, in a word.
    pub result: String,
    /// In a sentence.
    pub text: String,
    /// What was found, by name; never an attribute's value.
    pub found: Value,
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
    /// Requests that are not finished; counted when the run ends, and 0 until then.
    pub open: u64,
    /// How many requests are due now, also those of a target that is left alone for a while. It is counted when the run ends, and for who is told meanwhile once a second; at
    /// 10,000 the counting ends, so that it costs the same however many there are.
    pub due: u64,
    /// When something is due next, where anything is; as of the last counting.
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
