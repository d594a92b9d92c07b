//! The time of a simulated world: how long it has gone on, and what the engine's clock shows.

use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Period, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// When every story begins.
const START: &str = "2026-01-05T08:00:00Z";

/// The time. Clones are the same time.
#[derive(Clone, Debug)]
pub(super) struct Time {
    pub(super) clock: VirtualClock,
    elapsed: Arc<AtomicI64>,
}

impl Time {
    pub(super) fn new() -> Self {
        Self { clock: VirtualClock::new(Timestamp::parse(START).unwrap_or_default()), elapsed: Arc::default() }
    }

    /// Microseconds since the story began, whatever the clock shows.
    pub(super) fn elapsed(&self) -> i64 {
        self.elapsed.load(Ordering::Relaxed)
    }

    /// Lets time pass.
    pub(super) fn pass(&self, period: Period) {
        self.elapsed.fetch_add(period.as_micros(), Ordering::Relaxed);
        self.clock.advance(period);
    }

    /// What the clock shows.
    pub(super) fn wall(&self) -> Timestamp {
        self.clock.now()
    }

    /// Somebody turns the clock by so many seconds, and no time passes.
    pub(super) fn turn(&self, seconds: i64) {
        self.clock.turn(Timestamp::from_micros(self.wall().as_micros().saturating_add(seconds * 1_000_000)));
    }
}
