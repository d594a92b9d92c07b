//! Locks and time for where threads meet. `tests/threads` compiles `exchange.rs` with others, to try every order.

pub(super) use std::sync::{Condvar, Mutex, MutexGuard};
pub(super) use std::time::Instant;
