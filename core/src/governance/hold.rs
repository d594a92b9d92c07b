//! Holding back: an app, a user, one request; and an app in maintenance. Nothing of it is sent until a person ends it, and
//! nothing is lost meanwhile.

use super::{find, live};
use crate::fault::{Code, Fault};
use crate::id::{AppId, UserId};
use crate::intake::{LiveApps, elect_for};
use crate::model::{Hold, HoldScope};
use crate::operation::Operation;
use crate::store::{LogEvent, RequestRow, Tx};
use serde_json::{Value, json};

/// Holds what the scope names. What is held already stays held as it was.
pub(crate) fn hold(tx: &mut Tx<'_>, apps: &LiveApps, scope: &HoldScope, by: &str, reason: &str) -> Result<Hold, Fault> {
    check(tx, apps, scope)?;
    if reason.trim().is_empty() {
        return Err(Fault::new(Code::InvalidArgument, "say why in `reason`").at("reason"));
    }
    if let Some(held) = tx.hold(scope)? {
        return Ok(held);
    }
    let hold = Hold { scope: scope.clone(), by: by.to_owned(), reason: reason.to_owned(), held_at: tx.now };
    tx.put_hold(&hold)?;
    let (requests, removals) = tx.held_by(scope)?;
    log(tx, scope, "hold", by, json!({"reason": reason, "requests": requests, "removals": removals}))?;
    elect_all(tx, apps, scope)?;
    Ok(hold)
}

/// Ends the hold of exactly that scope, and gives it; none where there is none. What other holds name stays held.
pub(crate) fn resume(tx: &mut Tx<'_>, apps: &LiveApps, scope: &HoldScope, by: &str) -> Result<Option<Hold>, Fault> {
    // An app or a user may be gone by now, and what was held with them is resumed all the same.
    scope.check()?;
    let Some(hold) = tx.hold(scope)? else {
        return check(tx, apps, scope).map(|()| None);
    };
    tx.drop_hold(scope)?;
    let (requests, _) = tx.held_by(scope)?;
    log(tx, scope, "resumed", by, json!({"held_at": hold.held_at, "requests": requests}))?;
    elect_all(tx, apps, scope)?;
    Ok(Some(hold))
}

/// Begins or ends the maintenance of an app's target. Said twice, it changes nothing.
pub(crate) fn set_maintenance(tx: &mut Tx<'_>, apps: &LiveApps, app: &str, on: bool, by: &str) -> Result<(), Fault> {
    let app = &live(apps, app)?.definition.app;
    let mut gate = tx.gate(&app.id)?;
    if gate.maintenance.is_some() == on {
        return Ok(());
    }
    let kind = if on { "maintenance_began" } else { "maintenance_ended" };
    let since = gate.maintenance.take().map(|(since, _)| since);
    gate.maintenance = on.then(|| (tx.now, by.to_owned()));
    tx.put_gate(&app.id, &gate)?;
    let (waiting, removals) = tx.waiting(&app.id)?;
    let details = json!({"since": since, "waiting": waiting, "removals": removals});
    tx.log(LogEvent { app: Some(&app.id), by: Some(by), ..LogEvent::new(kind, details) })?;
    Ok(())
}

/// Whether the scope names what there is.
fn check(tx: &mut Tx<'_>, apps: &LiveApps, scope: &HoldScope) -> Result<(), Fault> {
    scope.check()?;
    if let Some(app) = &scope.app {
        live(apps, app)?;
    }
    if let Some(user) = &scope.user {
        tx.user(user)?.ok_or_else(|| Fault::new(Code::NotFound, "there is no such user"))?;
    }
    let Some(request) = &scope.request else { return Ok(()) };
    let row = find(tx, request)?;
    if matches!(row.request.operation, Operation::Reconcile | Operation::Linking) {
        let message = format!("{} is not delivered and cannot be held", row.request.operation);
        return Err(Fault::new(Code::InvalidArgument, message).at("request"));
    }
    if row.request.state.is_finished() {
        return Err(Fault::new(Code::InvalidTransition, "the request is finished"));
    }
    Ok(())
}

/// Says anew in each lane that the scope names what goes first and what it waits for. What an app as a whole keeps back
/// stands in no lane.
fn elect_all(tx: &mut Tx<'_>, apps: &LiveApps, scope: &HoldScope) -> Result<(), Fault> {
    let mut lanes: Vec<RequestRow> = Vec::new();
    if let Some(user) = &scope.user {
        for row in tx.open_of_user(user)? {
            let wanted = scope.app.as_deref().is_none_or(|app| app == row.request.app.as_str());
            if wanted && lanes.iter().all(|lane| lane.request.app != row.request.app) {
                lanes.push(row);
            }
        }
    }
    if let Some(request) = &scope.request {
        lanes.extend(tx.request(request)?);
    }
    for row in &lanes {
        if let Some(app) = apps.get(&row.request.app) {
            elect_for(tx, &app.definition, row)?;
        }
    }
    Ok(())
}

fn log(tx: &mut Tx<'_>, scope: &HoldScope, kind: &str, by: &str, details: Value) -> Result<(), Fault> {
    let row = scope.request.as_deref().map(|id| tx.request(id)).transpose()?.flatten();
    let request = row.as_ref().map(|row| &row.request);
    let app = scope.app.clone().map(AppId::new).transpose()?.or_else(|| request.map(|one| one.app.clone()));
    let user = scope.user.clone().map(UserId::new).transpose()?.or_else(|| request.and_then(|one| one.user.clone()));
    tx.log(LogEvent {
        app: app.as_ref(),
        user: user.as_ref(),
        request: request.map(|one| &one.id),
        by: Some(by),
        ..LogEvent::new(kind, details)
    })
}
