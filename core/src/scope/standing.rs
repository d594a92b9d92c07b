//! Where a user stands with an app: entitled or not, active or not, and the reasons.

use crate::expression::{Expression, Inputs};
use crate::fault::{Code, Fault};
use crate::model::{App, RESERVED_KEYS, User};
use crate::time::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Why a user may not have an active account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No grant entitles the user, or the user is out of scope.
    Unassigned,
    /// The user is disabled, or its validity has not begun.
    Deactivated,
    /// The user left the directory.
    Deleted,
    /// `valid_until` passed.
    Expired,
}

impl Cause {
    /// Whether the source said itself that the user may not work any more.
    pub fn is_leaving(self) -> bool {
        matches!(self, Self::Deactivated | Self::Deleted)
    }

    /// The name that it has in `deprovision`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
        }
    }
}

/// Where a user stands with an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why no active account may exist, each that holds; none where one is wanted.
    pub causes: Vec<Cause>,
    /// Whether the user is suspended.
    pub frozen: bool,
    /// Whether the user takes part in the pilot, or there is none.
    pub in_pilot: bool,
    /// The reasons, in order: the grants where an account is wanted, else what takes it away.
    pub because: Vec<String>,
}

impl Standing {
    /// Whether an active account is wanted.
    pub fn wants_account(&self) -> bool {
        self.causes.is_empty()
    }

    /// Whether the user's own record says that no active account is wanted, or whoever deleted it: not the app alone.
    pub fn is_explicit(&self) -> bool {
        self.explicit().is_some()
    }

    /// What the user's own record says, or whoever deleted it, for which no active account is wanted.
    pub fn explicit(&self) -> Option<Cause> {
        self.causes.iter().copied().find(|cause| *cause != Cause::Unassigned)
    }
}

/// Where `user` stands with `app` at `now`; `None` is a user who left the directory. The scope is evaluated only where
/// everything else asks for an account: a leaver whose record the scope cannot read still leaves.
///
/// # Errors
/// `expression_failed` where the scope cannot be evaluated on this record, `type_mismatch` where it gives no truth value.
pub(crate) fn standing(
    app: &App,
    scope: Option<&Expression>,
    user: Option<&User>,
    now: Timestamp,
) -> Result<Standing, Fault> {
    let Some(user) = user else {
        let because = vec!["the user left the directory".to_owned()];
        return Ok(Standing { causes: vec![Cause::Deleted], frozen: false, in_pilot: true, because });
    };
    standing_by(app, scope, user, grants(app, user), now)
}

/// As [`standing`] of an existing user, with the reasons why it is entitled, the scope aside.
///
/// # Errors
/// As [`standing`].
pub(crate) fn standing_by(
    app: &App,
    scope: Option<&Expression>,
    user: &User,
    granted: Vec<String>,
    now: Timestamp,
) -> Result<Standing, Fault> {
    let mut causes = Vec::new();
    let mut because = Vec::new();
    if granted.is_empty() {
        causes.push(Cause::Unassigned);
        because
            .push("no profile, permission set or permission set group of the user is assigned to the app".to_owned());
    }
    if user.valid_until.is_some_and(|until| until <= now) {
        because.push("`valid_until` has passed".to_owned());
        causes.push(Cause::Expired);
    } else if !user.is_active_at(now) {
        let reason = if user.active { "`valid_from` has not come" } else { "the user is disabled" };
        because.push(reason.to_owned());
        causes.push(Cause::Deactivated);
    }
    if causes.is_empty() && !in_scope(app, scope, user, now)? {
        causes.push(Cause::Unassigned);
        because.push("the user is out of the app's scope".to_owned());
    }
    if causes.is_empty() {
        // Grants are no reason for taking away.
        because.extend(granted);
    }
    if user.frozen {
        because.push("the user is frozen".to_owned());
    }
    Ok(Standing { causes, frozen: user.frozen, in_pilot: in_pilot(app, user), because })
}

/// The grants that entitle the user, each as a reason.
fn grants(app: &App, user: &User) -> Vec<String> {
    let assigned = &app.assigned_to;
    let mut reasons = Vec::new();
    if let Some(profile) = user.profile.as_ref().filter(|profile| assigned.profiles.contains(profile)) {
        reasons.push(format!("entitled by profile `{profile}`"));
    }
    for set in user.permission_sets.iter().filter(|set| assigned.permission_sets.contains(set)) {
        reasons.push(format!("entitled by permission set `{set}`"));
    }
    for group in user.permission_set_groups.iter().filter(|group| assigned.permission_set_groups.contains(group)) {
        reasons.push(format!("entitled by permission set group `{group}`"));
    }
    reasons
}

/// Whether the user is in the app's scope. An app without one has everybody in it.
///
/// # Errors
/// As [`standing`].
pub(crate) fn in_scope(app: &App, scope: Option<&Expression>, user: &User, now: Timestamp) -> Result<bool, Fault> {
    let Some(scope) = scope else { return Ok(true) };
    let inputs = Inputs {
        user: &user.record,
        current: None,
        app_id: app.id.as_str(),
        app_label: app.display_label(),
        iteration: 0,
        token: "",
        now,
    };
    match scope.evaluate(&inputs).map_err(|fault| fault.at("scope"))? {
        Some(Value::Bool(inside)) => Ok(inside),
        _ => Err(Fault::new(Code::TypeMismatch, "the scope must give true or false").at("scope")),
    }
}

/// A stable share: the same user is in or out at every evaluation, and widening the share keeps who was in.
fn in_pilot(app: &App, user: &User) -> bool {
    let Some(pilot) = &app.pilot else { return true };
    let digest =
        Sha256::new().chain_update(app.id.as_str()).chain_update([0]).chain_update(user.id.as_str()).finalize();
    let share = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) % 100;
    pilot.users.iter().any(|id| id == user.id.as_str()) || share < u32::from(pilot.percent)
}

/// What changed from one record to the next: names of attributes, and names of grants. Never attribute values.
pub fn describe_change(before: Option<&User>, after: &User) -> String {
    let Some(before) = before else { return "the user joined the directory".to_owned() };
    let mut changes = Vec::new();
    if before.profile != after.profile {
        let name = |profile: &Option<String>| profile.as_ref().map_or("none".to_owned(), |name| format!("`{name}`"));
        changes.push(format!("profile changed from {} to {}", name(&before.profile), name(&after.profile)));
    }
    let lists = [
        ("permission set", &before.permission_sets, &after.permission_sets),
        ("permission set group", &before.permission_set_groups, &after.permission_set_groups),
    ];
    for (word, old, new) in lists {
        changes
            .extend(old.iter().filter(|name| !new.contains(name)).map(|name| format!("{word} `{name}` was removed")));
        changes.extend(new.iter().filter(|name| !old.contains(name)).map(|name| format!("{word} `{name}` was added")));
    }
    if before.active != after.active {
        changes.push(if after.active { "the user was enabled" } else { "the user was disabled" }.to_owned());
    }
    if before.frozen != after.frozen {
        changes.push(if after.frozen { "the user was frozen" } else { "the user was unfrozen" }.to_owned());
    }
    let told = ["profile", "permission_sets", "permission_set_groups", "active", "frozen"];
    let mut keys: Vec<&str> = before.record.keys().chain(after.record.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys.into_iter().filter(|key| !told.contains(key)) {
        let value = |user: &User| user.record.get(key).filter(|value| !value.is_null()).cloned();
        if value(before) != value(after) {
            let word = if RESERVED_KEYS.contains(&key) { "" } else { "attribute " };
            changes.push(format!("{word}`{key}` changed"));
        }
    }
    if changes.is_empty() { "the user was put again".to_owned() } else { changes.join(", ") }
}
