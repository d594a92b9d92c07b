//! Delivery: claim → render → call → settle. The intent is durable before the first byte goes out; no transaction is open
//! and no lock held during a call; every outcome is stored before the next attempt. `core/docs/delivery.md` tells the
//! protocol.

mod ask;
mod candidate;
mod claim;
mod gates;
mod kept;
mod look_up;
mod perform;
mod prepare;
mod probe;
mod run;
mod settle;

pub(crate) use ask::{admission, ask};
pub(crate) use candidate::{Rendering, hold};
pub(crate) use claim::interrupt;
pub(crate) use gates::{Gates, is_kept_back};
pub(crate) use kept::is_in_vain;
pub(crate) use perform::{Deadline, Report, Work, perform};
pub(crate) use prepare::mark_as_ours;
pub(crate) use run::{Host, RunState, lock, run, step};

use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::store::{RequestRow, Tx};
use crate::time::{Moment, Period};
use std::sync::Arc;

/// One call to a target, with everything that is needed to make it and to settle it.
pub(crate) struct Job {
    pub(crate) row: RequestRow,
    pub(crate) app: Arc<LiveApp>,
    pub(crate) work: Work,
    /// It shows whether the target is back: the target is tried by a read first.
    pub(crate) probes: bool,
    /// After that nothing may be sent any more: somebody else may have taken over.
    pub(crate) send_by: Moment,
}

impl Job {
    /// Whether the store knows of the call as an attempt; a look whether access is gone is none.
    pub(crate) fn is_attempt(&self) -> bool {
        self.row.sending
    }
}

/// How long after the intent a request may still be sent.
const SEND_WINDOW: Period = Period::from_seconds(5);

/// What is added to a lease for clocks and schedulers.
const SKEW: Period = Period::from_seconds(5);

/// How many attempts count against a request. One that found a unique value taken was not a failure.
fn spent(tx: &Tx<'_>, app: &LiveApp, row: &RequestRow) -> Result<u32, Fault> {
    let taken = match app.definition.mapping.has_unique() {
        true => tx.attempts_with_code(&row.request.id, Code::UniqueTaken)?,
        false => 0,
    };
    Ok(row.request.attempts.saturating_sub(taken))
}
