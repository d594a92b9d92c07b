//! The clock on the wall is looked at beside the one that nobody can set, before anything is taken up.

use super::RunState;
use super::run::lock;
use crate::fault::Fault;
use crate::protocol::{Reference, Turn};
use crate::store::{LogEvent, Tx};
use crate::time::Clock;
use serde_json::json;

/// Whether the clock on the wall was set since it was looked at last, or was never looked at.
pub(super) fn was_set(state: &RunState, clock: &dyn Clock) -> bool {
    let known = *lock(&state.clocks);
    known.is_none_or(|known| known.turn(clock.now(), clock.moment()) != Turn::None)
}

/// Lets what is waited for go with the clock on the wall, and says so in the log. Gives what both clocks show, which counts
/// from the commit on.
pub(super) fn keep_time(tx: &mut Tx<'_>) -> Result<Reference, Fault> {
    let (reference, turn) = tx.keep_time()?;
    if let Turn::By(by) = turn {
        tx.log(LogEvent::new("clock_set", json!({"seconds": by / 1_000_000})))?;
    }
    Ok(reference)
}
