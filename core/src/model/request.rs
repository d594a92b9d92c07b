//! Provisioning requests and their attempts.

use super::account::stored_names;
use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::operation::Operation;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};

stored_names! {
    /// The state of a request (`core/docs/life_cycle.md`).
    State {
        /// Made, nothing has been tried.
        New,
        /// Handed to delivery.
        Requested,
        /// A reconciliation reads the target.
        Collecting,
        /// It has read all.
        Collected,
        /// It compares.
        Analyzing,
        /// Its plan is ready.
        Analyzed,
        /// It carries its plan out.
        Committing,
        /// Done.
        Completed,
        /// Given up.
        Failed,
        /// Given up, and another request took over.
        Retried,
        /// Given up, and a person did it.
        ManuallyCompleted,
        /// No longer wanted.
        Cancelled,
    }
}

impl State {
    /// Whether nothing more happens by itself. A failed request is finished too, though a person may still act on it.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Retried | Self::ManuallyCompleted | Self::Cancelled)
    }
}

stored_names! {
    /// Whether a person has to agree.
    ApprovalStatus {
        /// No.
        NotRequired,
        /// Yes, nobody has answered yet.
        Required,
        /// Yes, and somebody agreed.
        Approved,
        /// Yes, and somebody refused.
        Denied,
        /// Yes, and nobody answered in time.
        Expired,
    }
}

/// Why a request is not moving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// Somebody has to agree.
    Approval,
    /// A person holds it.
    Hold,
    /// Its time has not come.
    Schedule,
    /// Another request of the same user and app goes first.
    Lane,
    /// Something else has to exist first.
    Dependency,
    /// The next attempt.
    Retry,
    /// The time after which a look-up can be believed.
    Settle,
    /// The target's rate limit.
    Rate,
    /// The target fails; a probe goes first.
    Breaker,
    /// Maintenance of the target.
    Maintenance,
    /// The app is not enabled.
    Disabled,
}

impl WaitingFor {
    /// All reasons.
    pub const ALL: [Self; 11] = [
        Self::Approval,
        Self::Hold,
        Self::Schedule,
        Self::Lane,
        Self::Dependency,
        Self::Retry,
        Self::Settle,
        Self::Rate,
        Self::Breaker,
        Self::Maintenance,
        Self::Disabled,
    ];

    /// The stored and spoken name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Hold => "hold",
            Self::Schedule => "schedule",
            Self::Lane => "lane",
            Self::Dependency => "dependency",
            Self::Retry => "retry",
            Self::Settle => "settle",
            Self::Rate => "rate",
            Self::Breaker => "breaker",
            Self::Maintenance => "maintenance",
            Self::Disabled => "disabled",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// One provisioning action for one user and app.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// The id; ids sort by the time of making.
    pub id: RequestId,
    /// The app.
    pub app: AppId,
    /// The user; none for a reconciliation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// What is done.
    pub operation: Operation,
    /// How far it is.
    pub state: State,
    /// Whether a person has to agree.
    pub approval: ApprovalStatus,
    /// Why it is not moving, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// Why it was made: which grant, which attribute, which rule.
    pub why: String,
    /// Who made the change behind it, as the host asserts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Before when it must not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When something happens next, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How many attempts were made.
    pub attempts: u32,
    /// How often a person had it tried again before.
    pub retry_count: u32,
    /// The request that this one tries again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<RequestId>,
    /// The account it concerns, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether a read-back confirmed a removal of access; none where that does not apply yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// What is wrong, where something is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// One try at a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// When its intent was stored, before the first byte went out.
    pub started_at: Timestamp,
    /// When its outcome was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// `applied`, `not_applied`, `rejected`, `ambiguous`, `conflict`; none while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The failure's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The failure's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What there was before a request, as last seen when it was first sent: what `undo` puts back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Whether there was an account.
    pub existed: bool,
    /// Whether it could be used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub active: bool,
    /// Whether it was suspended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// The values of the attributes that the request changes, each whole where it is a list; null where there was none.
    /// Missing where the account was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Attributes>,
}

/// A request with its attempts and what it sends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestDetail {
    /// The request.
    #[serde(flatten)]
    pub request: Request,
    /// Its attempts in order.
    pub history: Vec<Attempt>,
    /// The frozen payload of the last attempt, where there was one and it can be unsealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Attributes>,
    /// What there was before, without the values of sensitive attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// Which requests are asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestFilter {
    /// Of this app.
    pub app: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// In this state.
    pub state: Option<State>,
    /// With this operation.
    pub operation: Option<Operation>,
    /// Waiting for this.
    pub waiting_for: Option<WaitingFor>,
    /// At most so many; 1,000 where it is left out.
    pub limit: Option<u32>,
    /// After the request of this id.
    pub after: Option<String>,
}
