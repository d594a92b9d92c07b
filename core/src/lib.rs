#![doc = include_str!("../../README.md")]
#![forbid(unsafe_code)]

pub mod fault;
pub mod id;
mod operation;
mod secret;
pub mod time;
pub mod value;

pub mod model;
pub mod lifecycle;

pub mod connector;

// The public interface is:
pub use fault::{Blame, Code, Fault, Retry};
pub use id::{AppId, RequestId, UserId};
pub use operation::Operation;
pub use secret::Secret;
pub use time::{Clock, Period, Timestamp};

/// What tests need: a clock that moves only when told to.
pub mod testing {
    pub use crate::time::VirtualClock;
}
