//! The key of an app, under which is sealed what is known of accounts that nobody owns.

use super::{Tx, UserKey};
use crate::fault::Fault;
use crate::id::AppId;
use rusqlite::params;

impl Tx<'_> {
    /// The app's key, made where there is none yet.
    pub(crate) fn app_key(&mut self, app: &AppId) -> Result<UserKey, Fault> {
        if let Some(key) = self.known_app_key(app)? {
            return Ok(key);
        }
        let key = self.vault.new_user_key()?;
        let stored = self.wrap(&place(app), &key)?;
        self.execute(
            "INSERT INTO reconciled (app_id, key) VALUES ($1, $2) ON CONFLICT (app_id) DO UPDATE SET key = excluded.key",
            params![app.as_str(), stored],
        )?;
        Ok(key)
    }

    /// The app's key, where there is one.
    pub(crate) fn known_app_key(&self, app: &AppId) -> Result<Option<UserKey>, Fault> {
        let stored = self.row("SELECT key FROM reconciled WHERE app_id = $1", [app.as_str()], |row| row.get(0))?;
        let stored: Option<Vec<u8>> = stored.flatten();
        stored.map(|stored| self.vault.unwrap(&place(app), &stored)).transpose()
    }
}

/// What the wrapped key is bound to, as a user's is to the user.
pub(super) fn place(app: impl std::fmt::Display) -> String {
    format!("rollkeeper app {app}")
}
