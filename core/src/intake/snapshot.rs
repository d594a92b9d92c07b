//! Whole lists of users: who is absent is noted, and leaves when it is confirmed.

use super::users::leave;
use super::{LiveApps, Trigger};
use crate::fault::Fault;
use crate::planning::source::{Absence, SourceList, absence};
use crate::store::Tx;
use crate::time::{Period, Timestamp};
use serde_json::json;

/// Why a user left whom no record says so of.
const NOT_LISTED: &str = "not in the list of all users";

/// A user whose absence two lists agree on.
pub(crate) struct Leaver {
    pub(crate) id: String,
    /// When the first of the lists came; another time, or none, tells that the user was put since.
    pub(crate) unseen_at: Timestamp,
}

/// What a part of the directory comes to when it is compared with a list.
#[derive(Default)]
pub(crate) struct Observed {
    /// The last user who was looked at; none where there was nobody left.
    pub(crate) last: Option<String>,
    /// How many are absent and not confirmed.
    pub(crate) noted: u64,
    /// Whose absence is confirmed.
    pub(crate) leavers: Vec<Leaver>,
}

/// Compares the next users after one with a list, and notes whom it is without.
pub(crate) fn observe(
    tx: &Tx<'_>,
    list: &SourceList,
    after: &str,
    limit: u32,
    apart: Period,
) -> Result<Observed, Fault> {
    let mut observed = Observed::default();
    for user in tx.present_users(after, limit)? {
        observed.last = Some(user.id.clone());
        if list.ids.contains(&user.id) {
            continue;
        }
        match (absence(user.unseen_at, tx.now, apart), user.unseen_at) {
            (Absence::Confirmed, Some(unseen_at)) => observed.leavers.push(Leaver { id: user.id, unseen_at }),
            (Absence::First, _) => {
                tx.note_unseen(&user.id)?;
                observed.noted += 1;
            }
            _ => observed.noted += 1,
        }
    }
    Ok(observed)
}

/// The user leaves the directory, unless they were put again or left by themselves since the lists were compared. Gives
/// whether they left.
pub(crate) fn leave_unlisted(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    leaver: &Leaver,
    by: Option<&str>,
) -> Result<bool, Fault> {
    if tx.unseen_at(&leaver.id)? != Some(leaver.unseen_at) {
        return Ok(false);
    }
    let trigger = Trigger { text: NOT_LISTED, by, is_definition: false };
    leave(tx, apps, &leaver.id, json!({"why": NOT_LISTED}), trigger).map(|_| true)
}
