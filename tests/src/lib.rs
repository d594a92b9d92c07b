//! What rollkeeper's tests, demo and benchmarks share: a fast SCIM server for loopback. The stub uses nothing of rollkeeper, so
//! that both can be wrong only on their own.

pub mod scenario;
pub mod stub;
