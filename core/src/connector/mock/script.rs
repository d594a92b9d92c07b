//! Faults as data: on which call, how often, and what goes wrong.

use super::MockCall;
use crate::connector::{ConnectorError, Outcome};
use crate::fault::Code;
use crate::time::Period;
use serde::{Deserialize, Serialize};

/// A fault that the mock target plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedFault {
    /// The method it befalls (`create`, `find`, `list`, …), or `*` for any.
    pub on: String,
    /// How many calls it befalls.
    #[serde(default = "once")]
    pub times: u32,
    /// How many fitting calls go well before.
    #[serde(default)]
    pub after: u32,
    /// The `userName` of the only account it befalls; any where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What goes wrong.
    pub fault: MockFault,
    /// How long the target asks to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Period>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MockFault {
    /// No connection: nothing is applied.
    Unreachable,
    /// Too many requests: nothing is applied.
    RateLimited,
    /// The target failed: nothing is applied, which the caller of a write cannot know.
    TargetFailed,
    /// A write is applied, its answer is lost.
    LostReply,
    /// No answer; a write is applied just before the next call.
    Late,
    /// The record is refused.
    Rejected,
    /// The target says that such an account exists.
    Conflict,
    /// The credentials are not accepted.
    Unauthorized,
    /// The credentials do not allow this.
    Forbidden,
    /// The target says that the account does not exist.
    AccountMissing,
    /// The target answers success and does nothing.
    Ignored,
    /// Reading shows nothing although it is there.
    Hidden,
    /// The listing ends with this page and is not proved to be whole.
    Incomplete,
}

fn once() -> u32 {
    1
}

impl ScriptedFault {
    /// Counts a call that this fault may befall; whether it does.
    pub(super) fn befalls(&mut self, call: &MockCall, user: Option<&str>) -> bool {
        let fits = (self.on == "*" || self.on == call.method)
            && self.user.as_deref().is_none_or(|wanted| user.is_some_and(|user| user.eq_ignore_ascii_case(wanted)));
        if !fits || self.times == 0 {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.times -= 1;
        true
    }

    /// The error with which a call ends; `None` where the fault is no error. A read never leaves doubt.
    pub(super) fn error(&self, writes: bool) -> Option<ConnectorError> {
        let doubt = if writes { Outcome::Ambiguous } else { Outcome::NotApplied };
        let (outcome, code, message) = match self.fault {
            MockFault::Unreachable => (Outcome::NotApplied, Code::Unreachable, "the target could not be reached"),
            MockFault::RateLimited => (Outcome::NotApplied, Code::RateLimited, "the target asks for fewer requests"),
            MockFault::TargetFailed => (doubt, Code::TargetFailed, "the target failed"),
            MockFault::LostReply | MockFault::Late => (doubt, Code::Timeout, "the target did not answer in time"),
            MockFault::Rejected => (Outcome::Rejected, Code::Rejected, "the target refused the record"),
            MockFault::Conflict => (Outcome::Conflict, Code::Conflict, "such an account exists already"),
            MockFault::Unauthorized => {
                (Outcome::NotApplied, Code::Unauthorized, "the target does not accept the credentials")
            }
            MockFault::Forbidden => (Outcome::Rejected, Code::Forbidden, "the target forbids this"),
            MockFault::AccountMissing => (Outcome::Rejected, Code::AccountMissing, "the account does not exist"),
            MockFault::Ignored | MockFault::Hidden | MockFault::Incomplete => return None,
        };
        let error = ConnectorError::new(outcome, code.name(), message);
        Some(ConnectorError { retry_after: self.retry_after, ..error })
    }
}
