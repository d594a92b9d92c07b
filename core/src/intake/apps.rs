//! Apps come, change and go.

use super::removal_plan::end_removals;
use super::{LiveApp, RemovalCount, Removals, Replacement, Trigger, cancel, decide_lane, end_reconciliation};
use crate::definition::Definition;
use crate::fault::{Code, Fault};
use crate::lifecycle::Event;
use crate::model::{App, Request, State};
use crate::operation::Operation;
use crate::store::{LogEvent, Tx};
use serde_json::json;

/// How many users are decided for before the next are read.
const BATCH: u32 = 500;

/// Stores an app's definition and decides for every user. Where it would take so many accounts or memberships away that it looks
/// like a mistake, those are held. `old` is the definition in use before. The same definition again changes nothing, but that what
/// is still held though its plan is over has a plan again.
pub(crate) fn put_app(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    old: Option<&Definition>,
    by: Option<&str>,
    brakes: bool,
) -> Result<Vec<Request>, Fault> {
    let definition = &app.definition;
    let id = &definition.app.id;
    let stored = tx.app(id.as_str())?;
    // An app that was deleted and comes back finds its accounts.
    let was_known = stored.is_some();
    let before = stored.filter(|(_, deleted)| deleted.is_none()).map(|(app, _)| app);
    let changed = changed_keys(before.as_ref(), &definition.app);
    let Some(text) = definition_change(before.as_ref(), &definition.app) else {
        let text = "the app was put again";
        if let Some(held) = Removals::left_held(tx, definition, text)? {
            held.settle(tx, app, (text, by), brakes)?;
        }
        return Ok(Vec::new());
    };
    let replacement = Replacement { new: definition, old, text: &text };
    let counted = was_known.then(|| RemovalCount::whole(tx, &replacement)).transpose()?;
    tx.put_app(&definition.app)?;
    tx.log(LogEvent { app: Some(id), by, ..LogEvent::new("app_put", json!({"changed": changed})) })?;
    if let Some(counted) = counted {
        let counted = if brakes { counted } else { counted.without_brake() };
        replacement.settle(tx, app, counted, by)?;
    }
    let trigger = Trigger { text: &text, by, is_definition: true };
    let mut made = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let users = tx.users(after.as_deref(), Some(BATCH))?;
        let Some(last) = users.last() else { return Ok(made) };
        after = Some(last.user.id.as_str().to_owned());
        for stored in &users {
            made.extend(decide_lane(tx, definition, stored, trigger)?);
        }
    }
}

/// Forgets an app. Nothing is sent: open requests are cancelled, or failed as uncertain where they were sent and nobody
/// knows what came of it; accounts stay as they are.
pub(crate) fn delete_app(tx: &mut Tx<'_>, id: &str, by: Option<&str>) -> Result<Vec<Request>, Fault> {
    let alive = tx.app(id)?.filter(|(_, deleted)| deleted.is_none());
    let (app, _) = alive.ok_or_else(|| Fault::new(Code::NotFound, "there is no such app"))?;
    let id = &app.id;
    let open = tx.open_of_app(id)?;
    if open.iter().any(|row| row.sending) {
        let message = "a request of the app is being sent; delete the app when it has its answer";
        return Err(Fault::new(Code::InvalidTransition, message));
    }
    let mut ended = Vec::new();
    for mut row in open {
        let request_id = row.request.id.clone();
        if row.request.operation == Operation::Reconcile {
            let event = if row.request.state == State::Committing { Event::Fail } else { Event::Cancel };
            end_reconciliation(tx, &request_id, event, by, "the app was deleted; accounts stay as they are")?;
        } else if row.is_under_way() {
            // What may still take effect was not taken back; nobody will look any more whether it did.
            let message = "the app was deleted before it was known whether the target did this";
            row.request.faults = vec![Fault::new(Code::Uncertain, message)];
            tx.change(&mut row, Event::Fail)?;
            let details = json!({"operation": row.request.operation, "faults": row.request.faults});
            tx.log(LogEvent {
                app: Some(id),
                user: row.request.user.as_ref(),
                request: Some(&request_id),
                by,
                ..LogEvent::new("failed", details)
            })?;
        } else {
            cancel(tx, row, by, "the app was deleted; accounts stay as they are")?;
        }
        ended.extend(tx.request(request_id.as_str())?.map(|row| row.request));
    }
    end_removals(tx, id, by, "the app was deleted; accounts stay as they are")?;
    tx.release_memberships(id)?;
    tx.release_access(id)?;
    tx.delete_app(id)?;
    let details = json!({"ended": ended.len(), "accounts": "stay as they are"});
    tx.log(LogEvent { app: Some(id), by, ..LogEvent::new("app_deleted", details) })?;
    Ok(ended)
}

/// What changes from one definition to the next, in words; none where nothing does.
pub(crate) fn definition_change(before: Option<&App>, after: &App) -> Option<String> {
    if before.is_none() {
        return Some("the app was put".to_owned());
    }
    let changed: Vec<String> = changed_keys(before, after).iter().map(|key| format!("`{key}`")).collect();
    (!changed.is_empty()).then(|| format!("the app's {} changed", changed.join(", ")))
}

/// The top-level keys in which two definitions differ.
fn changed_keys(before: Option<&App>, after: &App) -> Vec<String> {
    let object = |app: &App| match serde_json::to_value(app) {
        Ok(serde_json::Value::Object(object)) => object,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (before.map(object).unwrap_or_default(), object(after));
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}
