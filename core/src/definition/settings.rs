//! What is wrong with the plain settings of a definition: numbers and times out of range, texts that cannot be meant.

use crate::fault::{Blame, Code, Fault};
use crate::model::{
    App, BrakeSettings, ConnectorDefinition, DeprovisionAction, Reaction, ReconcileSettings, RetryPolicy,
};
use crate::planning::reaction::allowed_reactions;
use crate::time::Period;

/// Reading a whole target more often than that keeps it from its work.
const SHORTEST_EVERY: Period = Period::from_seconds(60);

pub(super) fn faults(app: &App) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |sound: bool, place: &str, message: &str| {
        if !sound {
            faults.push(Fault::new(Code::InvalidArgument, format!("`{place}` {message}")).at(place));
        }
    };
    let above_zero = |period: Period| period > Period::ZERO;
    check(app.pilot.as_ref().is_none_or(|pilot| pilot.percent <= 100), "pilot.percent", "must be from 0 to 100");
    check(above_zero(app.timeouts.request), "timeouts.request", "must be longer than zero");
    if let Some(approval) = &app.approval {
        check(
            !approval.operations.is_empty() || approval.reactivation,
            "approval.operations",
            "must name an operation, or `reactivation` be true; leave `approval` out where nothing waits",
        );
        check(
            approval.expires.is_none_or(above_zero),
            "approval.expires",
            "must be longer than zero; leave it out for never",
        );
        check(!approval.approvers.iter().any(String::is_empty), "approval.approvers", "must not have an empty name");
    }
    let causes = [
        ("deprovision.unassigned.after", app.deprovision.unassigned),
        ("deprovision.deactivated.after", app.deprovision.deactivated),
        ("deprovision.deleted.after", app.deprovision.deleted),
        ("deprovision.expired.after", app.deprovision.expired),
    ];
    for (place, action) in causes {
        let sound = !matches!(action, DeprovisionAction::DisableThenDelete { after } if !above_zero(after));
        check(sound, place, "must be longer than zero; the action `delete` deletes at once");
    }
    let protected = &app.protected.external_ids;
    check(!protected.iter().any(String::is_empty), "protected.external_ids", "must not have an empty id");
    let launches =
        app.launch_url.as_deref().is_none_or(|url| url.starts_with("https://") || url.starts_with("http://"));
    check(launches, "launch_url", "must begin with `https://` or `http://`");
    match &app.connector {
        ConnectorDefinition::Scim(scim) => {
            let page = scim.features.page_size.is_none_or(|size| (1..=10_000).contains(&size));
            check(page, "connector.features.page_size", "must be from 1 to 10,000");
            let members = scim.features.members_per_patch.is_none_or(|members| (1..=10_000).contains(&members));
            check(members, "connector.features.members_per_patch", "must be from 1 to 10,000");
            let known = scim.profile.is_none() || scim.known_profile().is_some();
            check(known, "connector.profile", "must be the name of a profile, such as `rfc`, `aws`, `slack` or `zoom`");
        }
        ConnectorDefinition::Custom { name, .. } => {
            check(!name.is_empty(), "connector.name", "must be the name under which the host registers the connector");
        }
        ConnectorDefinition::Mock { .. } => {}
    }
    if let ConnectorDefinition::Scim(scim) = &app.connector {
        faults.extend(scim.auth.iter().flat_map(super::auth::faults));
        faults.extend(super::connection::faults(scim));
    }
    retry_faults(&app.retry, &mut faults);
    pace_faults(app, &mut faults);
    if let Some(reconcile) = &app.reconcile {
        reconcile_faults(reconcile, &mut faults);
    }
    if let Some(brake) = &app.brake {
        brake_faults(brake, &mut faults);
    }
    faults
}

fn wrong(place: &str, message: &str) -> Fault {
    Fault::new(Code::InvalidArgument, format!("`{place}` {message}")).at(place)
}

fn retry_faults(policy: &RetryPolicy, faults: &mut Vec<Fault>) {
    let attempts = "must be from 1 to 100";
    let first = "must be at most `retry.cap`; shorten it or raise the cap";
    if !(1..=100).contains(&policy.attempts) {
        faults.push(wrong("retry.attempts", attempts));
    }
    if policy.first == Period::ZERO {
        faults.push(wrong("retry.first", "must be longer than zero"));
    }
    if policy.first > policy.cap {
        faults.push(wrong("retry.first", first));
    }
    for (name, other) in &policy.by_code {
        let place = format!("retry.by_code.{name}");
        // What is not the target's doing is never tried again by itself.
        let Some(code) = Code::from_name(name).filter(|code| code.blame() == Blame::Target) else {
            faults.push(wrong(&place, "must be a code of a failure of the target, such as `rate_limited`"));
            continue;
        };
        if other.attempts.is_some_and(|attempts| !(1..=100).contains(&attempts)) {
            faults.push(wrong(&format!("{place}.attempts"), attempts));
        }
        if other.first == Some(Period::ZERO) {
            faults.push(wrong(&format!("{place}.first"), "must be longer than zero"));
        }
        let whole = policy.after(Some(code));
        if whole.first > whole.cap {
            faults.push(wrong(&place, "must have a `cap` that is not shorter than its `first`"));
        }
    }
}

/// What is wrong with how much the target is sent, and when it is left alone.
fn pace_faults(app: &App, faults: &mut Vec<Fault>) {
    let (rate, breaker) = (&app.rate, &app.breaker);
    let mut check = |sound: bool, place: &str, message: &str| {
        if !sound {
            faults.push(wrong(place, message));
        }
    };
    let finite = rate.per_second.is_none_or(|rate| rate > 0.0 && rate.is_finite());
    check(finite, "rate.per_second", "must be above 0; leave it out for no limit");
    let burst = rate.burst.is_none_or(|burst| (1..=10_000).contains(&burst));
    check(burst, "rate.burst", "must be from 1 to 10,000");
    let limited = rate.burst.is_none() || rate.per_second.is_some();
    check(limited, "rate.burst", "is for a limited rate; say how many calls a second in `rate.per_second`");
    check((1..=256).contains(&rate.concurrency), "rate.concurrency", "must be from 1 to 256");
    check((1..=1_000).contains(&breaker.failures), "breaker.failures", "must be from 1 to 1,000");
    check((1..=100).contains(&breaker.percent), "breaker.percent", "must be from 1 to 100");
    check((1..=10_000).contains(&breaker.calls), "breaker.calls", "must be from 1 to 10,000");
    let hour = Period::from_seconds(3_600);
    let within = |period: Period, most: Period| period >= Period::from_seconds(1) && period <= most;
    check(within(breaker.window, hour), "breaker.window", "must be from one second to one hour");
    check(within(breaker.first, breaker.cap), "breaker.first", "must be at least one second and at most `breaker.cap`");
    check(within(breaker.cap, hour), "breaker.cap", "must be from one second to one hour");
}

fn reconcile_faults(settings: &ReconcileSettings, faults: &mut Vec<Fault>) {
    for (place, every) in [("reconcile.every", settings.every), ("reconcile.full_every", settings.full_every)] {
        if every.is_some_and(|every| every < SHORTEST_EVERY) {
            faults.push(wrong(place, "must be at least one minute"));
        }
    }
    if settings.filter.as_ref().is_some_and(String::is_empty) {
        faults.push(wrong("reconcile.filter", "must not be empty; leave it out to read the whole target"));
    }
    if settings.commit && settings.every.is_none() {
        let message = "is for scheduled reconciliations; say how often in `reconcile.every`";
        faults.push(wrong("reconcile.commit", message));
    }
    for (situation, reaction) in &settings.reactions {
        let allowed = allowed_reactions(*situation);
        if !allowed.contains(reaction) {
            let names: Vec<String> = allowed.iter().map(|one: &Reaction| format!("`{}`", one.name())).collect();
            let place = format!("reconcile.reactions.{}", situation.name());
            faults.push(wrong(&place, &format!("must be one of {}", names.join(", "))));
        }
    }
}

/// No setting may be a switch that turns the brake off.
fn brake_faults(settings: &BrakeSettings, faults: &mut Vec<Fault>) {
    let lists = [
        ("brake.deactivations", &settings.deactivations, 50),
        ("brake.deletes", &settings.deletes, 50),
        ("brake.group_removals", &settings.group_removals, 90),
        ("brake.same_attribute", &settings.same_attribute, 90),
    ];
    for (place, limits, most) in lists {
        if limits.is_empty() {
            faults.push(wrong(place, "must have a limit; leave it out for the usual ones"));
        } else if limits.iter().all(|limit| limit.count > 100) {
            faults.push(wrong(place, "must have a limit whose `count` is at most 100; the brake cannot be turned off"));
        }
        for (index, limit) in limits.iter().enumerate() {
            if limit.percent > most {
                let message = format!("must be from 0 to {most}; the brake cannot be turned off");
                faults.push(wrong(&format!("{place}[{index}].percent"), &message));
            }
            if limit.count == 0 {
                faults.push(wrong(&format!("{place}[{index}].count"), "must be 1 or more"));
            }
        }
    }
    if !(1..=50).contains(&settings.smaller_percent) {
        faults.push(wrong("brake.smaller_percent", "must be from 1 to 50"));
    }
    if settings.observed_apart < SHORTEST_EVERY {
        faults.push(wrong("brake.observed_apart", "must be at least one minute"));
    }
    if settings.admins.iter().any(String::is_empty) {
        faults.push(wrong("brake.admins", "must not have an empty id"));
    }
}
