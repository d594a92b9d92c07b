//! How often a stub lets itself be asked: a token bucket for what changes users, as vendors publish theirs.

use std::fmt;
use std::sync::{Mutex, PoisonError};

const SECOND: i64 = 1_000_000;

/// A limit on POST, PUT, PATCH and DELETE. Who goes over it is answered with 429 and `Retry-After` in whole seconds.
pub struct Pace {
    /// Changes a minute.
    pub per_minute: i64,
    /// How many may come together after a time without any.
    pub burst: i64,
    /// Tells the time in microseconds. It is asked once for every request, so that it may let time pass.
    pub now: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl fmt::Debug for Pace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} a minute, {} together", self.per_minute, self.burst)
    }
}

/// A bucket, counted in microseconds: a token is what a change costs.
#[derive(Debug)]
pub(super) struct Bucket {
    pace: Pace,
    /// When the bucket would be full; the later, the emptier it is.
    full_at: Mutex<i64>,
}

impl Bucket {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, full_at: Mutex::new(i64::MIN) }
    }

    /// Takes a token if the request needs one; otherwise gives the seconds after which there is one.
    pub(super) fn take(&self, changes: bool) -> Result<(), i64> {
        let now = (self.pace.now)();
        if !changes {
            return Ok(());
        }
        let cost = 60 * SECOND / self.pace.per_minute;
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let then = (*full_at).max(now) + cost;
        let over = then - now - cost * self.pace.burst;
        if over > 0 {
            return Err((over + SECOND - 1) / SECOND);
        }
        *full_at = then;
        Ok(())
    }
}
