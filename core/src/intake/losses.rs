//! Which records of a list take access away.

use super::LiveApps;
use crate::fault::Fault;
use crate::model::User;
use crate::scope::Standing;
use crate::store::{Tx, UserState};
use crate::time::Timestamp;
use serde_json::Value;

/// What a record does to the access of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It takes none away.
    None,
    /// It says that the user is not active any more.
    Explicit,
    /// It takes an account away without saying so: by grants that are gone, or by a validity that ended.
    Silent,
}

/// Whether a record takes an account from its user that the one before gave, in any app. One that cannot be read, or of which
/// a scope cannot be evaluated, takes nothing.
pub(crate) fn loss(tx: &Tx<'_>, apps: &LiveApps, record: &Value) -> Result<Loss, Fault> {
    let Ok(user) = User::from_value(record.clone()) else { return Ok(Loss::None) };
    let stored = tx.user(user.id.as_str())?.filter(|stored| stored.state == UserState::Present);
    Ok(match stored.is_some_and(|stored| loses(apps, &stored.user, &user, tx.now)) {
        false => Loss::None,
        true if user.active => Loss::Silent,
        true => Loss::Explicit,
    })
}

fn loses(apps: &LiveApps, before: &User, after: &User, now: Timestamp) -> bool {
    let wants = |app: &super::LiveApp, user: &User| {
        app.definition.standing(Some(user), now).as_ref().map_or(true, Standing::wants_account)
    };
    apps.values().any(|app| wants(app, before) && !wants(app, after))
}
