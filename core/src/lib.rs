#![doc = include_str!("../../README.md")]
#![forbid(unsafe_code)]

pub mod fault;
pub mod id;
pub mod likeness;
mod operation;
pub mod path;
mod secret;
pub mod time;
pub mod value;

pub mod model;

pub mod analysis;
pub mod expression;
pub mod lane;
pub mod lifecycle;
pub mod mapping;
pub mod matching;
mod pacing;
pub mod planning;
pub mod protocol;
mod renewal;
pub mod retry;
pub mod scope;

mod definition;

pub mod connector;
pub mod http;

mod oauth;
pub mod scim;
mod scratch;
mod store;
#[cfg(feature = "http")]
pub mod transport;

mod authorization;
mod delivery;
mod governance;
mod intake;
mod reconcile;

mod engine;

// The public interface is:
pub use engine::{
    AlertCallback, Builder, Engine, Error, LogCallback, ProgressCallback, Result, RunOptions, SecretsCallback,
};
pub use engine::{Analysis, Rows, analyze};
pub use engine::{Impact, ImpactProgress, StoredOr};
pub use engine::{can_change, check_expression, evaluate, evaluate_with, match_accounts, next_state, render};
pub use fault::{Blame, Code, Fault, Retry};
pub use id::{AppId, RequestId, UserId};
pub use operation::Operation;
pub use secret::Secret;
pub use time::{Clock, Moment, Period, SystemClock, Timestamp};

#[doc(hidden)]
pub use oauth::read_token_answer;

/// What tests need: a clock that moves only when told to, a target in memory with scripted faults, and the suite that
/// every connector must pass.
pub mod testing {
    pub use crate::connector::conformance::{Check, Options, Report, check as check_connector};
    pub use crate::connector::mock::MockTarget;
    pub use crate::time::VirtualClock;
}
