//! Users, sealed under a key each. Only attributes that something reads are stored; of the others the names are kept, so
//! that a mapping that reads one later is told to ask for the user again.

use super::{LogEvent, Tx, UserKey, limit_of, time_of, unseal_object, vault};
use crate::fault::{Code, Fault};
use crate::id::UserId;
use crate::model::User;
use crate::time::Timestamp;
use rusqlite::{Row, params};
use serde_json::Value;

const COLUMNS: &str = "u.id, u.record, u.dropped, u.deleted_at, k.key";

/// Whether a stored user is in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserState {
    Present,
    Deleted,
}

/// A user as stored.
pub(crate) struct StoredUser {
    pub(crate) user: User,
    pub(crate) state: UserState,
    /// Names of attributes that were given and not stored.
    pub(crate) dropped: Vec<String>,
    pub(crate) key: UserKey,
}

impl StoredUser {
    /// Stands for whoever owns an account that nobody owns: a record that says nothing, and the app's key.
    pub(crate) fn nobody(key: UserKey) -> Result<Self, Fault> {
        let user = User::from_value(serde_json::json!({"id": "-"}))?;
        Ok(Self { user, state: UserState::Deleted, dropped: Vec::new(), key })
    }
}

/// A user's record as it was sealed.
pub(crate) struct SealedRecord {
    pub(crate) id: String,
    pub(crate) state: UserState,
    /// Its JSON; none where it cannot be unsealed.
    pub(crate) json: Option<Vec<u8>>,
}

type Parts = (String, Vec<u8>, String, Option<i64>, Option<Vec<u8>>);

fn parts(row: &Row<'_>) -> rusqlite::Result<Parts> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

const RECORD: &str = "SELECT u.id, u.deleted_at IS NOT NULL, u.record, k.key FROM directory_user AS u
    JOIN user_key AS k ON k.user_id = u.id";

type Sealed = (String, bool, Vec<u8>, Vec<u8>);

fn sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

impl Tx<'_> {
    /// The user, deleted ones too; none where there never was one or it was erased.
    pub(crate) fn user(&self, id: &str) -> Result<Option<StoredUser>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM directory_user AS u LEFT JOIN user_key AS k ON k.user_id = u.id WHERE u.id = $1"
        );
        let row = self.row(&text, [id], parts)?;
        Ok(row.map(|row| self.stored(row)).transpose()?.flatten())
    }

    /// Users by id, deleted ones too.
    pub(crate) fn users(&self, after: Option<&str>, limit: Option<u32>) -> Result<Vec<StoredUser>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM directory_user AS u LEFT JOIN user_key AS k ON k.user_id = u.id
             WHERE u.id > $1 ORDER BY u.id LIMIT $2"
        );
        let rows = self.rows(&text, params![after.unwrap_or(""), limit_of(limit)], parts)?;
        rows.into_iter().filter_map(|row| self.stored(row).transpose()).collect()
    }

    /// The next user by id, deleted ones too.
    pub(crate) fn next_user(&self, after: &str) -> Result<Option<StoredUser>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM directory_user AS u JOIN user_key AS k ON k.user_id = u.id
             WHERE u.id > $1 ORDER BY u.id LIMIT 1"
        );
        let row = self.row(&text, [after], parts)?;
        Ok(row.map(|row| self.stored(row)).transpose()?.flatten())
    }

    /// Records of users by id as they were sealed, deleted ones too and erased ones not.
    pub(crate) fn records_after(&self, after: &str, limit: u32) -> Result<Vec<SealedRecord>, Fault> {
        let text = format!("{RECORD} WHERE u.id > $1 ORDER BY u.id LIMIT $2");
        let rows = self.rows(&text, params![after, i64::from(limit)], sealed)?;
        rows.into_iter().map(|row| self.opened(row)).collect()
    }

    /// One user's record, as [`Tx::records_after`] gives it.
    pub(crate) fn record(&self, id: &str) -> Result<Option<SealedRecord>, Fault> {
        let row = self.row(&format!("{RECORD} WHERE u.id = $1"), [id], sealed)?;
        row.map(|row| self.opened(row)).transpose()
    }

    fn opened(&self, (id, is_deleted, record, key): Sealed) -> Result<SealedRecord, Fault> {
        let state = if is_deleted { UserState::Deleted } else { UserState::Present };
        let key = self.vault.unwrap(&id, &key);
        let json = match key.and_then(|key| vault::unseal(&key, &place(&id), &record)) {
            Ok(json) => Some(json),
            Err(fault) if fault.code == Code::StoreDamaged => None,
            Err(fault) => return Err(fault),
        };
        Ok(SealedRecord { id, state, json })
    }

    /// How many users there are, deleted ones too.
    pub(crate) fn count_users(&self) -> Result<u64, Fault> {
        let text = "SELECT count(*) FROM directory_user AS u JOIN user_key AS k ON k.user_id = u.id";
        Ok(self.row(text, [], |row| row.get::<_, i64>(0))?.unwrap_or_default().cast_unsigned())
    }

    /// Users whose validity begins or ends at or before now.
    pub(crate) fn users_to_change(&mut self, limit: u32) -> Result<Vec<StoredUser>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM directory_user AS u LEFT JOIN user_key AS k ON k.user_id = u.id
             WHERE u.change_at IS NOT NULL AND u.change_at <= $1 ORDER BY u.change_at, u.id LIMIT $2"
        );
        let rows = self.rows(&text, params![self.now.as_micros(), i64::from(limit)], parts)?;
        let mut users = Vec::new();
        for row in rows {
            let id = UserId::new(row.0.clone())?;
            match self.stored(row) {
                Ok(Some(stored)) => users.push(stored),
                // Erased: there is nobody left for whom anything could change.
                Ok(None) => self.forget_next_change(&id)?,
                Err(fault) if fault.code == Code::StoreDamaged => {
                    self.forget_next_change(&id)?;
                    let details = serde_json::json!({"faults": [fault], "trigger": "the user's validity changes"});
                    self.log(LogEvent { user: Some(&id), ..LogEvent::new("undecided", details) })?;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(users)
    }

    fn forget_next_change(&self, id: &UserId) -> Result<(), Fault> {
        self.execute("UPDATE directory_user SET change_at = NULL WHERE id = $1", [id.as_str()]).map(|_| ())
    }

    /// When a user's validity begins or ends next.
    pub(crate) fn next_user_change(&self) -> Result<Option<Timestamp>, Fault> {
        let next = self.row("SELECT min(change_at) FROM directory_user WHERE change_at IS NOT NULL", [], |row| {
            row.get::<_, Option<i64>>(0)
        })?;
        Ok(time_of(next.flatten()))
    }

    fn stored(&self, (id, record, dropped, deleted, key): Parts) -> Result<Option<StoredUser>, Fault> {
        let Some(key) = key else { return Ok(None) };
        let key = self.vault.unwrap(&id, &key)?;
        let record = unseal_object(&key, &place(&id), &record)?;
        let dropped: Vec<String> = serde_json::from_str(&dropped)
            .map_err(|_| Fault::new(Code::StoreDamaged, "the column `dropped` cannot be read"))?;
        let state = if deleted.is_some() { UserState::Deleted } else { UserState::Present };
        Ok(Some(StoredUser { user: User::from_value(Value::Object(record))?, state, dropped, key }))
    }

    /// Stores a record whole, and gives the user's key. A user that was deleted is present again.
    pub(crate) fn put_user(&mut self, user: &User, dropped: &[String], key: Option<UserKey>) -> Result<UserKey, Fault> {
        let key = match key {
            Some(key) => key,
            None => {
                let key = self.vault.new_user_key()?;
                let stored = self.wrap(user.id.as_str(), &key)?;
                self.execute(
                    "INSERT INTO user_key (user_id, key) VALUES ($1, $2)
                     ON CONFLICT (user_id) DO UPDATE SET key = excluded.key",
                    params![user.id.as_str(), stored],
                )?;
                key
            }
        };
        let record = self.seal_object(&key, &place(user.id.as_str()), &user.record)?;
        let change_at = user.next_change(self.now).map(Timestamp::as_micros);
        let now = self.now.as_micros();
        self.execute(
            "INSERT INTO directory_user (id, record, dropped, change_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET record = excluded.record, dropped = excluded.dropped,
             change_at = excluded.change_at, updated_at = excluded.updated_at, deleted_at = NULL, unseen_at = NULL",
            params![user.id.as_str(), record, Value::from(dropped).to_string(), change_at, now, now],
        )?;
        Ok(key)
    }

    /// Notes when the user's validity changes next.
    pub(crate) fn note_next_change(&self, user: &User) -> Result<(), Fault> {
        let change_at = user.next_change(self.now).map(Timestamp::as_micros);
        self.execute("UPDATE directory_user SET change_at = $1 WHERE id = $2", params![change_at, user.id.as_str()])?;
        Ok(())
    }

    /// Marks a user as having left the directory.
    pub(crate) fn delete_user(&self, id: &UserId) -> Result<(), Fault> {
        let now = self.now.as_micros();
        self.execute(
            "UPDATE directory_user SET deleted_at = $1, change_at = NULL, updated_at = $2 WHERE id = $3",
            params![now, now, id.as_str()],
        )?;
        Ok(())
    }
}

fn place(id: &str) -> String {
    format!("directory_user/{id}")
}
