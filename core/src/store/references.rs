//! Whom users refer to in an app, such as their managers, and as which account the target knows them.

use super::Tx;
use crate::fault::Fault;
use crate::id::{AppId, UserId};
use crate::mapping::References;
use rusqlite::params;
use std::collections::BTreeMap;

impl Tx<'_> {
    /// The living, linked accounts of those users.
    pub(crate) fn resolve<'u>(&self, app: &AppId, users: impl Iterator<Item = &'u str>) -> Result<References, Fault> {
        let mut found = References::new();
        for user in users {
            let external_id = self.account_of(app, user)?;
            found.extend(external_id.map(|external_id| (user.to_owned(), external_id)));
        }
        Ok(found)
    }

    /// The id of the user's living, linked account.
    pub(crate) fn account_of(&self, app: &AppId, user: &str) -> Result<Option<String>, Fault> {
        self.row(
            "SELECT external_id FROM account WHERE app_id = $1 AND user_id = $2 AND link_state = 'Linked'
             AND status <> 'Deleted'",
            params![app.as_str(), user],
            |row| row.get(0),
        )
    }

    /// Whom a user refers to, with the external id that was resolved last.
    pub(crate) fn references(&self, app: &AppId, user: &UserId) -> Result<BTreeMap<String, Option<String>>, Fault> {
        let rows = self.rows(
            "SELECT referenced_id, external_id FROM reference WHERE app_id = $1 AND user_id = $2",
            params![app.as_str(), user.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(rows.into_iter().collect())
    }

    /// Puts whom a user refers to in the place of what was known.
    pub(crate) fn put_references(
        &self,
        app: &AppId,
        user: &UserId,
        references: &BTreeMap<String, Option<String>>,
    ) -> Result<(), Fault> {
        self.forget_references(app, user)?;
        for (referenced, external_id) in references {
            self.execute(
                "INSERT INTO reference (app_id, user_id, referenced_id, external_id) VALUES ($1, $2, $3, $4)",
                params![app.as_str(), user.as_str(), referenced, external_id],
            )?;
        }
        Ok(())
    }

    /// The users who refer to a user, and know the account under another id or not at all.
    pub(crate) fn waiting_for_reference(
        &self,
        app: &AppId,
        referenced: &UserId,
        external_id: &str,
    ) -> Result<Vec<UserId>, Fault> {
        let users = self.rows(
            "SELECT user_id FROM reference WHERE app_id = $1 AND referenced_id = $2
             AND (external_id IS NULL OR external_id <> $3) ORDER BY user_id",
            params![app.as_str(), referenced.as_str(), external_id],
            |row| row.get::<_, String>(0),
        )?;
        users.into_iter().map(UserId::new).collect()
    }

    /// Whoever has no account refers to nobody.
    pub(crate) fn forget_references(&self, app: &AppId, user: &UserId) -> Result<(), Fault> {
        self.execute("DELETE FROM reference WHERE app_id = $1 AND user_id = $2", params![app.as_str(), user.as_str()])?;
        Ok(())
    }
}
