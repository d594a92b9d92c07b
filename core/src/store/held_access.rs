//! Whose access the brake holds that a new definition would take away, and what definitions took away of accounts.

use super::Tx;
use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::time::Timestamp;
use rusqlite::params;

/// The brake holds what a definition takes away of a user's access.
pub(crate) struct HeldAccess {
    /// By that plan.
    pub(crate) plan: RequestId,
    /// For what the plan's item was planned.
    pub(crate) planned_for: String,
}

impl Tx<'_> {
    /// What the brake holds of a user's access in an app.
    pub(crate) fn access_held_by(&self, app: &AppId, user: &UserId) -> Result<Option<HeldAccess>, Fault> {
        // A user has one such item in a plan. It is looked for by the user: along the plan, half of its items would be read.
        let held = self.row(
            "SELECT h.plan_id, (SELECT i.planned_for FROM plan_item AS i WHERE i.user_id = h.user_id
             AND i.reconciliation_id || '' = h.plan_id AND i.group_id IS NULL LIMIT 1)
             FROM held_access AS h WHERE h.app_id = $1 AND h.user_id = $2",
            [app.as_str(), user.as_str()],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)),
        )?;
        let read = |(plan, planned_for): (String, Option<String>)| {
            Ok(HeldAccess { plan: RequestId::new(plan)?, planned_for: planned_for.unwrap_or_default() })
        };
        held.map(read).transpose()
    }

    /// Everybody whose access in an app the brake holds.
    pub(crate) fn held_users(&self, app: &AppId) -> Result<Vec<String>, Fault> {
        self.rows("SELECT user_id FROM held_access WHERE app_id = $1 ORDER BY user_id", [app.as_str()], |row| {
            row.get(0)
        })
    }

    /// The brake holds that a user loses the account or its use, by that plan; or holds it no more.
    pub(crate) fn hold_access(&self, app: &AppId, user: &UserId, plan: Option<&RequestId>) -> Result<(), Fault> {
        let Some(plan) = plan else {
            let text = "DELETE FROM held_access WHERE app_id = $1 AND user_id = $2";
            return self.execute(text, [app.as_str(), user.as_str()]).map(drop);
        };
        self.execute(
            "INSERT INTO held_access (app_id, user_id, plan_id) VALUES ($1, $2, $3)
             ON CONFLICT (app_id, user_id) DO UPDATE SET plan_id = excluded.plan_id",
            [app.as_str(), user.as_str(), plan.as_str()],
        )
        .map(drop)
    }

    /// The brake holds nobody's access in an app any more.
    pub(crate) fn release_access(&self, app: &AppId) -> Result<(), Fault> {
        self.execute("DELETE FROM held_access WHERE app_id = $1", [app.as_str()]).map(drop)
    }

    /// Who put what a plan holds of a user: of the membership of that group, or of the account.
    pub(crate) fn author_of_held(
        &self,
        plan: &RequestId,
        user: &str,
        group: Option<&str>,
    ) -> Result<Option<String>, Fault> {
        let author = self.row(
            "SELECT coalesce(i.author, r.author) FROM plan_item AS i JOIN reconciliation AS r ON r.id = i.reconciliation_id
             WHERE i.user_id = $1 AND r.id = $2 AND coalesce(i.group_id, '') = $3",
            params![user, plan.as_str(), group.unwrap_or_default()],
            |row| row.get::<_, Option<String>>(0),
        )?;
        Ok(author.flatten())
    }

    /// A new definition disables so many accounts of an app and deletes so many, and no plan has them.
    pub(crate) fn note_lost_accounts(&self, app: &AppId, disabled: u64, deleted: u64) -> Result<(), Fault> {
        self.note_lost(app.as_str(), super::group_ledger::ACCOUNTS, disabled, false)?;
        self.note_lost(app.as_str(), super::group_ledger::ACCOUNTS, deleted, true)
    }

    /// How many accounts of an app new definitions disabled since then, and how many they deleted, without a plan.
    pub(crate) fn lost_accounts_since(&self, app: &AppId, since: Timestamp) -> Result<(u64, u64), Fault> {
        let lost = |deleted| self.lost(app.as_str(), super::group_ledger::ACCOUNTS, since, deleted);
        Ok((lost(false)?, lost(true)?))
    }
}
