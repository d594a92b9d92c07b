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
    /// Whether a membership is wanted that the account does not have.
    pub lacks_membership: bool,
    /// Whether the account has a membership that we gave and nobody asks for any more.
    pub has_leftover: bool,
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
    /// Of an Update: it takes memberships away and does nothing else.
    pub removes: bool,
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
        .map(|Bare { operation, not_before, removes }| Decision {
            operation,
            why: why(operation, standing, trigger),
            not_before,
            withheld: withheld(app, standing, operation, removes),
            removes,
            leaver: (removes || operation.reduces_access()) && standing.causes.iter().any(|cause| cause.is_leaving()),
        })
        .collect()
}

struct Bare {
    operation: Operation,
    not_before: Option<Timestamp>,
    removes: bool,
}

impl From<Operation> for Bare {
    fn from(operation: Operation) -> Self {
        Self { operation, not_before: None, removes: false }
    }
}

/// Takes memberships away.
const LEAVES: Bare = Bare { operation: Operation::Update, not_before: None, removes: true };

fn wanted(standing: &Standing, projected: &Projected, fingerprint: &str, decisions: &mut Vec<Bare>) {
    if projected.exists && projected.has_leftover {
        decisions.push(LEAVES);
    }
    let mut want = |operation: Operation| decisions.push(operation.into());
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
    if projected.fingerprint.as_deref() != Some(fingerprint) || projected.lacks_membership {
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
        DeprovisionAction::Nothing {} => {
            decisions.extend(projected.has_leftover.then_some(LEAVES));
            return;
        }
        DeprovisionAction::Disable => None,
        DeprovisionAction::Delete {} => Some(None),
        DeprovisionAction::DisableThenDelete { after } => Some(Some(now.plus(after))),
    };
    if projected.active {
        decisions.push(Operation::Deactivate.into());
    }
    decisions.extend(projected.has_leftover.then_some(LEAVES));
    if let Some(not_before) = delete_at {
        decisions.push(Bare { not_before, ..Operation::Delete.into() });
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

fn withheld(app: &App, standing: &Standing, operation: Operation, removes: bool) -> Option<String> {
    if !app.operations.allows(operation) {
        return Some(format!("the app does not allow {operation}"));
    }
    let raises = matches!(operation, Operation::Create | Operation::Update | Operation::Activate);
    (raises && !removes && !standing.in_pilot).then(|| "the user is not part of the pilot".to_owned())
}
