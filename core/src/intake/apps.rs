//! Apps come, change and go.

use super::{LiveApp, LiveApps, Trigger, cancel, decide_lane};
use crate::fault::Fault;
use crate::model::{App, Request};
use crate::store::{LogEvent, Tx};
use serde_json::json;

/// How many users are decided for before the next are read.
const BATCH: u32 = 500;

/// Stores an app's definition and decides for every user. The same definition again changes nothing.
pub(crate) fn put_app(tx: &mut Tx<'_>, app: &LiveApp, by: Option<&str>) -> Result<Vec<Request>, Fault> {
    let definition = &app.definition;
    let id = &definition.app.id;
    let before = tx.app(id.as_str())?.filter(|(_, deleted)| deleted.is_none()).map(|(app, _)| app);
    let changed = changed_keys(before.as_ref(), &definition.app);
    if before.is_some() && changed.is_empty() {
        return Ok(Vec::new());
    }
    tx.put_app(&definition.app)?;
    tx.log(LogEvent { app: Some(id), by, ..LogEvent::new("app_put", json!({"changed": changed})) })?;
    let text = match &before {
        None => "the app was put".to_owned(),
        Some(_) => {
            format!("the app's {} changed", changed.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
        }
    };
    let trigger = Trigger { text: &text, by };
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

/// Forgets an app. Nothing is sent: open requests are cancelled, accounts stay as they are.
pub(crate) fn delete_app(tx: &mut Tx<'_>, apps: &LiveApps, id: &str, by: Option<&str>) -> Result<Vec<Request>, Fault> {
    let missing = || Fault::new(crate::fault::Code::NotFound, "there is no such app");
    let app = apps.values().find(|app| app.definition.app.id.as_str() == id).ok_or_else(missing)?;
    let id = &app.definition.app.id;
    let open = tx.open_of_app(id)?;
    if open.iter().any(|row| row.sending) {
        let message = "a request of the app is being sent; delete the app when it has its answer";
        return Err(Fault::new(crate::fault::Code::InvalidTransition, message));
    }
    let mut cancelled = Vec::new();
    for row in open {
        let mut request = row.request.clone();
        cancel(tx, row, by, "the app was deleted; accounts stay as they are")?;
        request.state = crate::model::State::Cancelled;
        request.finished_at = Some(tx.now);
        (request.due_at, request.waiting_for) = (None, None);
        cancelled.push(request);
    }
    tx.delete_app(id)?;
    let details = json!({"cancelled": cancelled.len(), "accounts": "stay as they are"});
    tx.log(LogEvent { app: Some(id), by, ..LogEvent::new("app_deleted", details) })?;
    Ok(cancelled)
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
