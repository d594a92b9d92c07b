//! Who keeps the account for the moment: the brake holds that a definition takes it away until a second person agrees.

use crate::definition::Definition;
use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::model::User;
use crate::operation::Operation;
use crate::planning::brake::Taken;
use crate::scope::{Decision, Standing};
use crate::store::{Tx, UserState};
use crate::time::{Period, Timestamp};
use serde_json::json;

/// Whether a decision waits where the brake holds the user's access. Nobody waits for who leaves by the own record, and nobody
/// who is suspended keeps an account that can be used.
pub(crate) fn held_back(standing: &Standing, decision: &Decision) -> bool {
    match decision.operation {
        Operation::Deactivate => !standing.is_explicit() && !standing.frozen,
        Operation::Delete => !standing.is_explicit(),
        _ => false,
    }
}

/// Why such a decision is not carried out.
pub(crate) fn held_by(plan: &RequestId) -> String {
    format!("the brake holds it: a second person has to release the plan {plan}")
}

/// A print of what the taking away of a user's access depends on: which account it is, and whether the user may have it.
/// Where it differs on release, the item is not what was planned. `instead` is the record that is about to take the place of
/// the stored one.
pub(crate) fn access_print(
    tx: &Tx<'_>,
    definition: &Definition,
    user: &UserId,
    instead: Option<&User>,
) -> Result<String, Fault> {
    let account = tx.account_of(&definition.app.id, user.as_str())?;
    let present = tx.user(user.as_str())?.filter(|stored| stored.state == UserState::Present);
    let present = present.map(|stored| instead.cloned().unwrap_or(stored.user));
    let standing = definition.standing(present.as_ref(), tx.now).ok();
    let stands = standing.map(|standing| (standing.wants_account(), standing.is_explicit()));
    let text = json!(["rollkeeper access 1", user, account, stands]);
    Ok(crate::value::sha256_hex(text.to_string().as_bytes()))
}

/// What was taken away of an app's accounts lately, by plans and by definitions.
pub(crate) fn taken(tx: &Tx<'_>, app: &AppId) -> Result<Taken, Fault> {
    let ago =
        |seconds| Timestamp::from_micros(tx.now.as_micros().saturating_sub(Period::from_seconds(seconds).as_micros()));
    let (deactivations, deletes) = tx.taken_since(app, ago(86_400), false)?;
    let (disabled, deleted) = tx.lost_accounts_since(app, ago(86_400))?;
    let explicit = tx.taken_since(app, ago(3_600), true)?;
    Ok(Taken {
        deactivations: deactivations.saturating_add(disabled),
        deletes: deletes.saturating_add(deleted),
        explicit: explicit.0.saturating_add(explicit.1),
    })
}
