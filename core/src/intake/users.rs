//! Users come, change and leave.

use super::{LiveApps, Trigger, decide_lane};
use crate::fault::{Code, Fault};
use crate::model::{RESERVED_KEYS, Request, User};
use crate::scope::describe_change;
use crate::store::{LogEvent, StoredUser, Tx, UserState};
use serde_json::{Value, json};

/// Stores a user's record whole and decides for every app. Attributes that nothing reads are left out; their names are
/// kept.
pub(crate) fn put_user(tx: &mut Tx<'_>, apps: &LiveApps, user: User, by: Option<&str>) -> Result<Vec<Request>, Fault> {
    let before = tx.user(user.id.as_str())?;
    let known = before.as_ref().filter(|stored| stored.state == UserState::Present);
    if known.is_some_and(|stored| !stored.user.active) && !user.active_given {
        let message = "`active` is left out for a user known as inactive; say true or false";
        return Err(Fault::new(Code::ActiveRequired, message).at("active"));
    }
    let (user, dropped) = keep_what_is_read(user, apps);
    let text = match (&before, known) {
        (Some(_), None) => "the user joined the directory again".to_owned(),
        (_, known) => describe_change(known.map(|stored| &stored.user), &user),
    };
    let key = tx.put_user(&user, &dropped, before.map(|stored| stored.key))?;
    let event = LogEvent { user: Some(&user.id), by, ..LogEvent::new("user_put", json!({"change": text})) };
    tx.log(event)?;
    let stored = StoredUser { user, state: UserState::Present, dropped, key };
    decide_everywhere(tx, apps, &stored, Trigger { text: &text, by, is_definition: false })
}

/// The user has left the directory. Of who has left before it is decided again what is still to be taken away, since a
/// person may have cancelled that meanwhile.
pub(crate) fn delete_user(tx: &mut Tx<'_>, apps: &LiveApps, id: &str, by: Option<&str>) -> Result<Vec<Request>, Fault> {
    let trigger = Trigger { text: "the user was deleted", by, is_definition: false };
    match tx.user(id)?.filter(|stored| stored.state == UserState::Deleted) {
        Some(left) => decide_everywhere(tx, apps, &left, trigger),
        None => leave(tx, apps, id, json!({}), trigger),
    }
}

/// The user has left the directory, for what the trigger says; `details` are for the log.
pub(super) fn leave(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    id: &str,
    details: Value,
    trigger: Trigger<'_>,
) -> Result<Vec<Request>, Fault> {
    let stored = tx.user(id)?.filter(|stored| stored.state == UserState::Present);
    let mut stored = stored.ok_or_else(|| Fault::new(Code::NotFound, "there is no such user"))?;
    tx.delete_user(&stored.user.id)?;
    tx.log(LogEvent { user: Some(&stored.user.id), by: trigger.by, ..LogEvent::new("user_deleted", details) })?;
    stored.state = UserState::Deleted;
    decide_everywhere(tx, apps, &stored, trigger)
}

/// Decides for users whose validity began or ended. Gives how many there were.
pub(crate) fn begin_and_end(tx: &mut Tx<'_>, apps: &LiveApps, limit: u32) -> Result<usize, Fault> {
    let users = tx.users_to_change(limit)?;
    for stored in &users {
        tx.note_next_change(&stored.user)?;
        let ended = stored.user.valid_until.is_some_and(|until| until <= tx.now);
        let text = if ended { "`valid_until` passed" } else { "`valid_from` passed" };
        let details = json!({"change": text});
        tx.log(LogEvent { user: Some(&stored.user.id), ..LogEvent::new("validity_changed", details) })?;
        decide_everywhere(tx, apps, stored, Trigger { text, by: None, is_definition: false })?;
    }
    Ok(users.len())
}

fn decide_everywhere(
    tx: &mut Tx<'_>,
    apps: &LiveApps,
    stored: &StoredUser,
    trigger: Trigger<'_>,
) -> Result<Vec<Request>, Fault> {
    let mut made = Vec::new();
    for app in apps.values() {
        made.extend(decide_lane(tx, &app.definition, stored, trigger)?);
    }
    Ok(made)
}

/// Leaves out what no app reads. Without an app everything would go; the names tell what has to be put again.
fn keep_what_is_read(mut user: User, apps: &LiveApps) -> (User, Vec<String>) {
    // An app that reads everything gives no set.
    let reads: Option<Vec<_>> = apps.values().map(|app| app.definition.reads()).collect();
    let Some(reads) = reads else { return (user, Vec::new()) };
    let is_dropped = |key: &str| !RESERVED_KEYS.contains(&key) && !reads.iter().any(|reads| reads.contains(key));
    let dropped: Vec<String> = user.record.keys().filter(|key| is_dropped(key)).cloned().collect();
    for key in &dropped {
        user.record.remove(key);
    }
    (user, dropped)
}
