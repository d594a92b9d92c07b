//! Delivery: claim → render → call → settle. The intent is durable before the first byte goes out; no transaction is open
//! and no lock held during a call; every outcome is stored before the next attempt. `core/docs/delivery.md` tells the
//! protocol.

mod ask;
mod candidate;
mod claim;
mod clocks;
mod exchange;
mod gates;
mod kept;
mod look_up;
mod members;
mod perform;
mod prepare;
mod probe;
mod run;
mod settle;
mod sync;
mod worker;

pub(crate) use ask::{admission, ask};
pub(crate) use candidate::{Rendering, hold};
pub(crate) use claim::interrupt;
pub(crate) use gates::Gates;
pub(crate) use kept::is_in_vain;
pub(crate) use perform::{Report, Work, groups_of};
pub(crate) use prepare::mark_as_ours;
pub(crate) use run::{Active, Bounds, Host, RunState, lock, run, step};

use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::operation::Operation;
use crate::path::Path;
use crate::protocol::{Means, doubtful_until, raises_access};
use crate::store::{RequestRow, Tx};
use crate::time::{Moment, Timestamp};
use crate::value::Attributes;
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
    /// Until when something else of its lane might take effect, as it was known when the job was made.
    pub(crate) doubt: Option<Moment>,
    /// The other requests that the call is for, each with its own doubt.
    pub(crate) beside: Vec<(RequestRow, Option<Moment>)>,
}

/// What the app's target offers against a second account for this request. A unique key counts where it is among what was
/// sent, and matters only where nothing else helps.
fn means(tx: &Tx<'_>, app: &LiveApp, row: &RequestRow) -> Result<Means, Fault> {
    let capabilities = &app.capabilities;
    let (search, by_key) = (capabilities.search, capabilities.idempotency_key);
    let creates = row.request.operation == Operation::Create;
    let mut sent = None;
    if let (Some(user), true) = (&row.request.user, creates && !search && !by_key) {
        let stored = if capabilities.unique_keys.is_empty() { None } else { tx.user(user.as_str())? };
        sent = stored.map(|stored| tx.payload(&row.request.id, &stored.key)).transpose()?.flatten();
    }
    let has = |sent: &Attributes, path: &String| Path::parse(path).is_ok_and(|path| path.get(sent).is_some());
    let refuses_second = sent.is_some_and(|sent| capabilities.unique_keys.iter().any(|path| has(&sent, path)));
    Ok(Means { search, key: by_key, refuses_second })
}

impl Job {
    /// How many attempts the call is in the store: one of each request that it is for. A look whether access is gone is none.
    pub(crate) fn attempts(&self) -> usize {
        if self.row.has_attempt() { 1 + self.beside.len() } else { 0 }
    }
}

/// Until when something else of a request's lane may still take effect. What takes access away minds only what gives it.
fn doubt(tx: &Tx<'_>, app: &LiveApp, row: &RequestRow) -> Result<Option<Timestamp>, Fault> {
    let reduces = row.reduces_access();
    let others = tx.doubts(row, app.definition.app.settle.whole())?;
    let counts = others.into_iter().filter(|(operation, _)| !reduces || raises_access(*operation));
    let doubts: Vec<_> = counts.map(|(_, doubt)| doubt).collect();
    Ok(doubtful_until(&doubts, tx.now, tx.moment))
}

/// How many attempts count against a request. One that found a unique value taken was not a failure, and one that was given
/// back before it was begun was none at all.
fn spent(tx: &Tx<'_>, app: &LiveApp, row: &RequestRow) -> Result<u32, Fault> {
    let taken = match app.definition.mapping.has_unique() {
        true => tx.attempts_with_code(&row.request.id, Code::UniqueTaken)?,
        false => 0,
    };
    let not_begun = if row.request.attempts > 0 { tx.attempts_not_begun(&row.request.id)? } else { 0 };
    let parts = match row.request.operation {
        Operation::Update if row.removes || !app.definition.app.entitlements.is_empty() => {
            tx.attempts_in_parts(&row.request.id)?
        }
        _ => 0,
    };
    Ok(row.request.attempts.saturating_sub(taken + not_begun + parts))
}
