//! Plans: which reaction follows a finding, what the digest covers, and when the brake holds. Pure.

pub mod brake;
pub mod digest;
pub mod entitlement;
pub mod groups;
pub mod inverse;
pub mod reaction;
pub(crate) mod source;
pub mod verdict;
