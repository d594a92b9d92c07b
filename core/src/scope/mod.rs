//! Entitlement to operation: what a user's record and an app's definition mean for the user's account there, and why.
//! Pure: the same records at the same time give the same decisions.

mod decide;
mod standing;

pub use decide::{Decision, Projected, decide};
pub use standing::{Cause, Standing, describe_change};

pub(crate) use standing::{in_scope, standing, standing_by};
