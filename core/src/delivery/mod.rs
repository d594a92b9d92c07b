//! Delivery: claim → render → call → settle. The intent is durable before the first byte goes out; no transaction is open
//! and no lock held during a call; every outcome is stored before the next attempt. `core/docs/delivery.md` tells the
//! protocol.

mod candidate;
mod claim;
mod exchange;
mod gates;
mod kept;
mod look_up;
mod perform;
mod prepare;
mod probe;
mod run;
mod settle;

pub(crate) use candidate::{Rendering, hold};
pub(crate) use claim::interrupt;
pub(crate) use gates::{Gates, Health};
pub(crate) use kept::is_in_vain;
pub(crate) use perform::{Deadline, Report, Work, perform};
pub(crate) use prepare::mark_as_ours;
pub(crate) use run::{Active, Bounds, Host, RunState, lock, run, step};

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
    /// After that nothing may be sent any more: somebody else may have taken over.
    pub(crate) send_by: Moment,
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
