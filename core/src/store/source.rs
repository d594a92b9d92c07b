//! Whole lists of users: who was absent from one, and how long the last accepted one was.

use super::{Tx, limit_of, time_of};
use crate::fault::Fault;
use crate::id::RequestId;
use crate::time::Timestamp;
use rusqlite::params;

/// The only row of `source_snapshot`.
const NAME: &str = "users";

/// A user who has not left the directory, and since when a list of all users was without them.
pub(crate) struct PresentUser {
    pub(crate) id: String,
    pub(crate) unseen_at: Option<Timestamp>,
}

impl Tx<'_> {
    /// Users by id who have not left.
    pub(crate) fn present_users(&self, after: &str, limit: u32) -> Result<Vec<PresentUser>, Fault> {
        let text = "SELECT u.id, u.unseen_at FROM directory_user AS u JOIN user_key AS k ON k.user_id = u.id
             WHERE u.id > $1 AND u.deleted_at IS NULL ORDER BY u.id LIMIT $2";
        self.rows(text, params![after, limit_of(Some(limit))], |row| {
            Ok(PresentUser { id: row.get(0)?, unseen_at: time_of(row.get(1)?) })
        })
    }

    /// How many users have not left.
    pub(crate) fn count_present(&self) -> Result<u64, Fault> {
        let text = "SELECT count(*) FROM directory_user AS u JOIN user_key AS k ON k.user_id = u.id
             WHERE u.deleted_at IS NULL";
        Ok(self.row(text, [], |row| row.get::<_, i64>(0))?.unwrap_or_default().cast_unsigned())
    }

    /// Since when a list of all users is without a user who has not left.
    pub(crate) fn unseen_at(&self, id: &str) -> Result<Option<Timestamp>, Fault> {
        let text = "SELECT unseen_at FROM directory_user WHERE id = $1 AND deleted_at IS NULL";
        Ok(time_of(self.row(text, [id], |row| row.get(0))?.flatten()))
    }

    /// Notes that a list of all users is without the user.
    pub(crate) fn note_unseen(&self, id: &str) -> Result<(), Fault> {
        let text = "UPDATE directory_user SET unseen_at = $1 WHERE id = $2 AND unseen_at IS NULL";
        self.execute(text, params![self.now.as_micros(), id]).map(|_| ())
    }

    /// Notes that the user is there, whatever is wrong with the record.
    pub(crate) fn note_seen(&self, id: &str) -> Result<(), Fault> {
        self.execute("UPDATE directory_user SET unseen_at = NULL WHERE id = $1", [id]).map(|_| ())
    }

    /// The lists of users whose leavers are not settled, oldest first.
    pub(crate) fn open_source_lists(&self) -> Result<Vec<RequestId>, Fault> {
        let text = "SELECT id FROM reconciliation WHERE kind = 'source' AND app_id IS NULL AND finished_at IS NULL
             ORDER BY id";
        self.rows(text, [], |row| row.get::<_, String>(0))?.into_iter().map(RequestId::new).collect()
    }

    /// How many users left since then because lists of all users are without them.
    pub(crate) fn unlisted_since(&self, since: Timestamp) -> Result<u64, Fault> {
        let text = "SELECT count(*) FROM plan_item AS i JOIN reconciliation AS r ON r.id = i.reconciliation_id
             WHERE i.destructive = 1 AND i.done_at > $1 AND r.kind = 'source' AND r.app_id IS NULL";
        Ok(self.row(text, [since.as_micros()], |row| row.get::<_, i64>(0))?.unwrap_or_default().cast_unsigned())
    }

    /// How many users the last accepted list of all users had.
    pub(crate) fn accepted_list(&self) -> Result<Option<u64>, Fault> {
        let text = "SELECT accepted FROM source_snapshot WHERE name = $1";
        Ok(self.row(text, [NAME], |row| row.get::<_, i64>(0))?.map(i64::cast_unsigned))
    }

    /// A list of so many users was accepted.
    pub(crate) fn accept_list(&self, users: u64) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO source_snapshot (name, accepted, accepted_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET accepted = excluded.accepted, accepted_at = excluded.accepted_at",
            params![NAME, users.cast_signed(), self.now.as_micros()],
        )?;
        Ok(())
    }
}
