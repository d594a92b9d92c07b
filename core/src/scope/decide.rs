//! From where a user stands to operations: what is wanted is compared with what there is or is under way.

use super::standing::{Cause, Standing};
use crate::model::{App, DeprovisionAction};
use crate::operation::Operation;
use crate::time::Timestamp;

/// What there is once everything under way has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projected {
    /// Whether there is a living account.
    pub exists: bool,
    /// Whether it can be used.
    pub active: bool,
    /// Whether it is suspended.
    pub frozen: bool,
    /// The fingerprint of the inputs from which its attributes were rendered.
    pub fingerprint: Option<String>,
}

/// What a change means for one user and app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is to be done.
    pub operation: Operation,
    /// Why.
    pub why: String,
    /// Before when it must not be done.
    pub not_before: Option<Timestamp>,
    /// Why it is not done all the same: an operation that the app does not allow, a pilot.
    pub withheld: Option<String>,
    /// Whether it takes access from who was disabled or left, by the source's own word.
    pub leaver: bool,
}

/// The operations that lead from `projected` to what is wanted, in order. `fingerprint` is that of the user's record now.
pub fn decide(
    app: &App,
    standing: &Standing,
    projected: &Projected,
    fingerprint: &str,
    trigger: &str,
    now: Timestamp,
) -> Vec<Decision> {
    let mut decisions = Vec::new();
    if standing.wants_account() {
        wanted(standing, projected, fingerprint, &mut decisions);
    } else {
        unwanted(app, &standing.causes, projected, now, &mut decisions);
    }
    decisions
        .into_iter()
        .map(|(operation, not_before)| Decision {
            operation,
            why: why(operation, standing, trigger),
            not_before,
            withheld: withheld(app, standing, operation),
            leaver: operation.reduces_access() && standing.causes.iter().any(|cause| cause.is_leaving()),
        })
        .collect()
}

type Bare = (Operation, Option<Timestamp>);

fn wanted(standing: &Standing, projected: &Projected, fingerprint: &str, decisions: &mut Vec<Bare>) {
    let mut want = |operation| decisions.push((operation, None));
    if !projected.exists {
        // A suspended user gets nothing new; the account is made when the suspension ends.
        if !standing.frozen {
            want(Operation::Create);
        }
        return;
    }
    if standing.frozen && !projected.frozen && projected.active {
        want(Operation::Freeze);
    }
    if !standing.frozen && !projected.active {
        want(Operation::Activate);
    }
    if !standing.frozen && projected.frozen {
        want(Operation::Unfreeze);
    }
    if projected.fingerprint.as_deref() != Some(fingerprint) {
        want(Operation::Update);
    }
}

/// Of several causes the one with the strongest action counts: nobody keeps access by also losing a grant.
fn unwanted(app: &App, causes: &[Cause], projected: &Projected, now: Timestamp, decisions: &mut Vec<Bare>) {
    if !projected.exists {
        return;
    }
    let actions = causes.iter().map(|cause| match cause {
        Cause::Unassigned => app.deprovision.unassigned,
        Cause::Deactivated => app.deprovision.deactivated,
        Cause::Deleted => app.deprovision.deleted,
        Cause::Expired => app.deprovision.expired,
    });
    let strength = |action: &DeprovisionAction| match action {
        DeprovisionAction::Nothing {} => 0,
        DeprovisionAction::Disable => 1,
        DeprovisionAction::DisableThenDelete { .. } => 2,
        DeprovisionAction::Delete {} => 3,
    };
    let Some(action) = actions.max_by_key(strength) else { return };
    let delete_at = match action {
        DeprovisionAction::Nothing {} => return,
        DeprovisionAction::Disable => None,
        DeprovisionAction::Delete {} => Some(None),
        DeprovisionAction::DisableThenDelete { after } => Some(Some(now.plus(after))),
    };
    if projected.active {
        decisions.push((Operation::Deactivate, None));
    }
    if let Some(not_before) = delete_at {
        decisions.push((Operation::Delete, not_before));
    }
}

fn why(operation: Operation, standing: &Standing, trigger: &str) -> String {
    let reasons = standing.because.join(", ");
    match operation {
        Operation::Update if standing.wants_account() => trigger.to_owned(),
        _ if reasons.is_empty() => trigger.to_owned(),
        _ => format!("{reasons}; {trigger}"),
    }
}

fn withheld(app: &App, standing: &Standing, operation: Operation) -> Option<String> {
    if !app.operations.allows(operation) {
        return Some(format!("the app does not allow {operation}"));
    }
    let raises = matches!(operation, Operation::Create | Operation::Update | Operation::Activate);
    (raises && !standing.in_pilot).then(|| "the user is not part of the pilot".to_owned())
}
