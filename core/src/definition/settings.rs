//! What is wrong with the plain settings of a definition: numbers and times out of range, texts that cannot be meant.

use crate::fault::{Code, Fault};
use crate::model::{App, ConnectorDefinition, DeprovisionAction};
use crate::time::Period;

pub(super) fn faults(app: &App) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |sound: bool, place: &str, message: &str| {
        if !sound {
            faults.push(Fault::new(Code::InvalidArgument, format!("`{place}` {message}")).at(place));
        }
    };
    let above_zero = |period: Period| period > Period::ZERO;
    check((1..=100).contains(&app.retry.attempts), "retry.attempts", "must be from 1 to 100");
    check(above_zero(app.retry.first), "retry.first", "must be longer than zero");
    check(app.retry.first <= app.retry.cap, "retry.first", "must be at most `retry.cap`; shorten it or raise the cap");
    check((1..=256).contains(&app.rate.concurrency), "rate.concurrency", "must be from 1 to 256");
    let rate = app.rate.per_second;
    check(
        rate.is_none_or(|rate| rate > 0.0 && rate.is_finite()),
        "rate.per_second",
        "must be above 0; leave it out for no limit",
    );
    check(app.pilot.as_ref().is_none_or(|pilot| pilot.percent <= 100), "pilot.percent", "must be from 0 to 100");
    check(above_zero(app.timeouts.request), "timeouts.request", "must be longer than zero");
    if let Some(approval) = &app.approval {
        check(
            !approval.operations.is_empty(),
            "approval.operations",
            "must name an operation; leave `approval` out where nothing waits",
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
        }
        ConnectorDefinition::Custom { name, .. } => {
            check(!name.is_empty(), "connector.name", "must be the name under which the host registers the connector");
        }
        ConnectorDefinition::Mock { .. } => {}
    }
    faults
}
