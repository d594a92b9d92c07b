//! Who keeps the account for the moment: the brake holds that a definition takes it away until a second person agrees.

use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::operation::Operation;
use crate::planning::brake::Taken;
use crate::scope::{Cause, Standing};
use crate::store::{HeldAccess, Tx};
use crate::time::{Period, Timestamp};

/// Whether what is decided waits where the brake holds the user's access. Nobody waits for the disabling of who leaves by the own
/// record, and nobody who is suspended keeps an account that can be used; that the account is deleted waits for all of them.
pub(crate) fn held_back(standing: &Standing, operation: Operation) -> bool {
    match operation {
        Operation::Deactivate => !standing.is_explicit() && !standing.frozen,
        Operation::Delete => true,
        _ => false,
    }
}

/// Why such a decision is not carried out.
pub(crate) fn held_by(plan: &RequestId) -> String {
    format!("the brake holds it: a second person has to release the plan {plan}")
}

/// Why the user may not have the account, as the item of a plan keeps it: where that differs on release, the item is not what was
/// planned.
pub(crate) fn planned_for(standing: &Standing) -> String {
    let names: Vec<&str> = standing.causes.iter().map(|cause| cause.name()).collect();
    names.join(" ")
}

/// Whether the brake still holds it. It does not where the record has had its own say since: the user may have the account again, or is
/// disabled, deleted or expired now and was not when the definition came. That the validity of somebody disabled ends is no new word.
pub(crate) fn still_holds(held: &HeldAccess, standing: &Standing) -> bool {
    let has = |cause: Cause| held.planned_for.split(' ').any(|known| known == cause.name());
    let is_known = |cause: Cause| has(cause) || cause == Cause::Expired && has(Cause::Deactivated);
    !standing.wants_account() && standing.explicit().is_none_or(is_known)
}

/// The plan by which the brake still holds what a definition takes away of a user's access.
pub(crate) fn access_held(
    tx: &Tx<'_>,
    app: &AppId,
    user: &UserId,
    standing: &Standing,
) -> Result<Option<RequestId>, Fault> {
    Ok(tx.access_held_by(app, user)?.filter(|held| still_holds(held, standing)).map(|held| held.plan))
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
