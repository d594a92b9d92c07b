//! Attributes that a target was seen not to keep.

use super::{Tx, time_of};
use crate::fault::Fault;
use crate::id::AppId;
use rusqlite::params;

impl Tx<'_> {
    /// Notes that the target did not keep what this rule sent. Gives whether that is new.
    pub(crate) fn note_not_kept(&self, app: &AppId, attribute: &str, rule: &str) -> Result<bool, Fault> {
        let known = self.not_kept_row(app, attribute)?;
        self.execute(
            "INSERT INTO not_kept (app_id, attribute, rule, noticed_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (app_id, attribute) DO UPDATE SET rule = excluded.rule, kept_at = NULL",
            params![app.as_str(), attribute, rule, self.now.as_micros()],
        )?;
        Ok(known.is_none_or(|(known, _)| known != rule))
    }

    /// Whether the target is known not to keep something.
    pub(crate) fn has_not_kept(&self, app: &AppId) -> Result<bool, Fault> {
        let found = self.row(
            "SELECT 1 FROM not_kept WHERE app_id = $1 AND attribute > '' AND kept_at IS NULL LIMIT 1",
            [app.as_str()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Notes that the target keeps the attribute after all. The row stays, so that the next time is not told as news.
    pub(crate) fn note_kept(&self, app: &AppId, attribute: &str) -> Result<(), Fault> {
        self.execute(
            "UPDATE not_kept SET kept_at = $1 WHERE app_id = $2 AND attribute = $3 AND kept_at IS NULL",
            params![self.now.as_micros(), app.as_str(), attribute],
        )?;
        Ok(())
    }

    /// Whether the target is known not to keep what this rule sends.
    pub(crate) fn is_not_kept(&self, app: &AppId, attribute: &str, rule: &str) -> Result<bool, Fault> {
        let known = self.not_kept_row(app, attribute)?;
        Ok(known.is_some_and(|(known, kept)| known == rule && !kept))
    }

    /// The rule as it was then, and whether the target kept the attribute later.
    fn not_kept_row(&self, app: &AppId, attribute: &str) -> Result<Option<(String, bool)>, Fault> {
        self.row(
            "SELECT rule, kept_at FROM not_kept WHERE app_id = $1 AND attribute = $2",
            params![app.as_str(), attribute],
            |row| Ok((row.get(0)?, time_of(row.get(1)?).is_some())),
        )
    }
}
