//! Secrets that a person put into the file: sealed under the host's key, each bound to its app and name.

use super::{Tx, time_of};
use crate::fault::{Code, Fault};
use crate::id::AppId;
use crate::secret::Secret;
use crate::time::Timestamp;
use rusqlite::params;

impl Tx<'_> {
    /// Stores a secret in place of the one before.
    ///
    /// # Errors
    /// `key_required` where the file has no key: nothing secret is stored in clear.
    pub(crate) fn put_secret(
        &mut self,
        app: &AppId,
        name: &str,
        value: &Secret,
        by: Option<&str>,
    ) -> Result<(), Fault> {
        self.check_key()?;
        let sealed = self.vault.hide(&place(app.as_str(), name), value.reveal().as_bytes())?;
        self.execute(
            "INSERT INTO secret (app_id, name, value, set_at, author) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (app_id, name) DO UPDATE SET value = excluded.value, set_at = excluded.set_at,
             author = excluded.author",
            params![app.as_str(), name, sealed, self.now.as_micros(), by],
        )?;
        Ok(())
    }

    /// Erases a secret; whether there was one.
    pub(crate) fn drop_secret(&self, app: &AppId, name: &str) -> Result<bool, Fault> {
        let dropped = self.execute("DELETE FROM secret WHERE app_id = $1 AND name = $2", [app.as_str(), name])?;
        Ok(dropped > 0)
    }

    /// A secret; none where it was not put.
    pub(crate) fn secret(&self, app: &AppId, name: &str) -> Result<Option<Secret>, Fault> {
        let sealed =
            self.row("SELECT value FROM secret WHERE app_id = $1 AND name = $2", [app.as_str(), name], |row| {
                row.get::<_, Vec<u8>>(0)
            })?;
        let Some(sealed) = sealed else { return Ok(None) };
        let plain = self.vault.reveal(&place(app.as_str(), name), &sealed)?;
        let text =
            std::str::from_utf8(&plain).map_err(|_| Fault::new(Code::StoreDamaged, "a stored secret is no text"))?;
        Ok(Some(Secret::new(text)))
    }

    /// When a secret was put; none where it was not.
    pub(crate) fn secret_set_at(&self, app: &AppId, name: &str) -> Result<Option<Timestamp>, Fault> {
        let at =
            self.row("SELECT set_at FROM secret WHERE app_id = $1 AND name = $2", [app.as_str(), name], |row| {
                row.get::<_, i64>(0)
            })?;
        Ok(time_of(at))
    }
}

/// What a sealed secret is bound to. The length keeps two pairs of app and name from being written alike.
pub(super) fn place(app: &str, name: &str) -> String {
    format!("rollkeeper secret {} {app} {name}", app.len())
}
