//! Which records of a list take access away.

use super::LiveApps;
use crate::fault::Fault;
use crate::model::User;
use crate::scope::Standing;
use crate::store::{Tx, UserState};
use crate::time::Timestamp;
use serde_json::Value;

/// Whether a record takes an account from its user that the one before gave, in any app. One that cannot be read, or of which
/// a scope cannot be evaluated, takes nothing.
pub(crate) fn takes_access(tx: &Tx<'_>, apps: &LiveApps, record: &Value) -> Result<bool, Fault> {
    let Ok(user) = User::from_value(record.clone()) else { return Ok(false) };
    let stored = tx.user(user.id.as_str())?.filter(|stored| stored.state == UserState::Present);
    Ok(stored.is_some_and(|stored| loses(apps, &stored.user, &user, tx.now)))
}

fn loses(apps: &LiveApps, before: &User, after: &User, now: Timestamp) -> bool {
    let wants = |app: &super::LiveApp, user: &User| {
        app.definition.standing(Some(user), now).as_ref().map_or(true, Standing::wants_account)
    };
    apps.values().any(|app| wants(app, before) && !wants(app, after))
}
