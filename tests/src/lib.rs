//! What rollkeeper's tests, demo and benchmarks share: a fast SCIM server for loopback, real ones, and people for them. The stub
//! uses nothing of rollkeeper, so that both can be wrong only on their own.

pub mod authorization_server;
pub mod disk;
pub mod fault_proxy;
mod http;
pub mod lossy_vfs;
pub mod people;
pub mod scenario;
pub mod server;
pub mod simulation;
pub mod snapshots;
pub mod stub;
pub mod token_world;
pub mod zoo;
