//! Users who refer to other users, such as their managers, by the accounts that those have in the same app.

use super::{Trigger, decide_lane};
use crate::definition::Definition;
use crate::fault::{Code, Fault};
use crate::id::UserId;
use crate::model::WaitingFor;
use crate::store::{LogEvent, StoredUser, Tx, fingerprint};
use serde_json::json;

/// The fingerprint of everything whose change asks for an Update: what is watched of the record, the mapping, and the
/// accounts to which the record refers. One that is gone counts as it was last; nothing is sent because of that alone.
pub(crate) fn watched_print(tx: &Tx<'_>, definition: &Definition, stored: &StoredUser) -> Result<String, Fault> {
    let mut bytes = definition.watched_bytes(&stored.user);
    if definition.mapping.has_references() {
        let app = &definition.app.id;
        let last = tx.references(app, &stored.user.id)?;
        let now = tx.resolve(app, last.keys().map(String::as_str))?;
        for (user, last) in &last {
            if let Some(external_id) = now.get(user).or(last.as_ref()) {
                bytes.extend_from_slice(json!([user, external_id]).to_string().as_bytes());
            }
        }
    }
    Ok(fingerprint(&stored.key, &bytes))
}

/// A user has an account in an app now: who refers to the user and does not know that account is decided for afresh, and
/// goes on where it waited. One whose record cannot be read keeps nobody else back.
pub(crate) fn wake(tx: &mut Tx<'_>, definition: &Definition, user: &UserId, external_id: &str) -> Result<(), Fault> {
    if !definition.mapping.has_references() {
        return Ok(());
    }
    let text = format!("the account of `{user}`, to whom the user refers, was linked");
    for waiting in tx.waiting_for_reference(&definition.app.id, user, external_id)? {
        match tx.part(|tx| wake_one(tx, definition, &waiting, &text)) {
            Err(fault) if matches!(fault.code, Code::StoreDamaged | Code::KeyMissing | Code::Internal) => {
                let details = json!({"faults": [fault], "trigger": text});
                let app = Some(&definition.app.id);
                tx.log(LogEvent { app, user: Some(&waiting), ..LogEvent::new("undecided", details) })?;
            }
            result => result?,
        }
    }
    Ok(())
}

fn wake_one(tx: &mut Tx<'_>, definition: &Definition, user: &UserId, text: &str) -> Result<(), Fault> {
    for mut row in tx.lane(&definition.app.id, user)? {
        if row.retry.is_some_and(|(_, wait)| wait == WaitingFor::Dependency) {
            row.retry = None;
            tx.save(&row)?;
        }
    }
    let Some(stored) = tx.user(user.as_str())? else { return Ok(()) };
    decide_lane(tx, definition, &stored, Trigger { text, by: None, is_definition: false }).map(|_| ())
}
