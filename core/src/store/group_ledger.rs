//! The ledger of memberships by groups: what we gave in each, what the brake holds of it, and what was taken away lately.

use super::{Tx, unknown_word};
use crate::fault::Fault;
use crate::id::{AppId, RequestId};
use crate::planning::groups::GivenMember;
use crate::time::Timestamp;
use rusqlite::params;
use std::collections::BTreeSet;

/// How the group of a loss is called that is of accounts.
pub(super) const ACCOUNTS: &str = "";

impl Tx<'_> {
    /// The groups of an app in which are memberships that we gave, and nobody is about to take away.
    pub(crate) fn given_groups(&self, app: &AppId) -> Result<BTreeSet<String>, Fault> {
        let mut found = BTreeSet::new();
        let mut after = String::new();
        while let Some(group) = self.row(
            "SELECT group_id FROM membership WHERE app_id = $1 AND group_id > $2 AND ours = 1
             AND (state = 'Held' OR state = 'Adding') ORDER BY group_id LIMIT 1",
            params![app.as_str(), after],
            |row| row.get::<_, String>(0),
        )? {
            after.clone_from(&group);
            found.insert(group);
        }
        Ok(found)
    }

    /// The memberships of a group that we gave and nobody is about to take away, by account.
    pub(crate) fn given_in(&self, app: &AppId, group: &str) -> Result<Vec<GivenMember>, Fault> {
        let rows = self.rows(
            "SELECT external_id, reference FROM membership WHERE app_id = $1 AND group_id = $2 AND ours = 1
             AND (state = 'Held' OR (state = 'Adding' AND tried = 1)) ORDER BY external_id",
            params![app.as_str(), group],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )?;
        let read = |(account, reference): (String, String)| {
            let reference = serde_json::from_str(&reference).map_err(|_| unknown_word("membership.reference"))?;
            Ok(GivenMember { account, reference })
        };
        rows.into_iter().map(read).collect()
    }

    /// How many memberships of a group we gave.
    pub(crate) fn count_given(&self, app: &AppId, group: &str) -> Result<u64, Fault> {
        let count = self.row(
            "SELECT count(*) FROM membership WHERE app_id = $1 AND group_id = $2 AND ours = 1 AND state = 'Held'",
            params![app.as_str(), group],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(count.unwrap_or_default().cast_unsigned())
    }

    /// The brake holds that a membership is taken away, by that plan; or holds it no more.
    pub(crate) fn hold_membership(
        &self,
        app: &AppId,
        external_id: &str,
        group: &str,
        plan: Option<&RequestId>,
    ) -> Result<(), Fault> {
        self.execute(
            "UPDATE membership SET held_by = $1 WHERE app_id = $2 AND external_id = $3 AND group_id = $4",
            params![plan.map(RequestId::as_str), app.as_str(), external_id, group],
        )
        .map(drop)
    }

    /// The brake holds nothing of an app's memberships any more.
    pub(crate) fn release_memberships(&self, app: &AppId) -> Result<(), Fault> {
        let text = "UPDATE membership SET held_by = NULL WHERE app_id = $1 AND held_by IS NOT NULL";
        self.execute(text, [app.as_str()]).map(drop)
    }

    /// The accounts of an app of which the brake holds that they leave a group.
    pub(crate) fn held_accounts(&self, app: &AppId) -> Result<Vec<String>, Fault> {
        let text = "SELECT DISTINCT external_id FROM membership WHERE app_id = $1 AND held_by IS NOT NULL";
        self.rows(text, [app.as_str()], |row| row.get(0))
    }

    /// The unfinished plans of an app whose memberships a new definition or a list of users would take away, oldest first.
    pub(crate) fn open_removals(&self, app: &AppId) -> Result<Vec<RequestId>, Fault> {
        let text =
            "SELECT id FROM reconciliation WHERE app_id = $1 AND kind = 'source' AND finished_at IS NULL ORDER BY id";
        self.rows(text, [app.as_str()], |row| row.get::<_, String>(0))?.into_iter().map(RequestId::new).collect()
    }

    /// How many were taken out of a group since then: by plans, and without one.
    pub(crate) fn left_group_since(&self, app: &AppId, group: &str, since: Timestamp) -> Result<u64, Fault> {
        let by_plans = self.row(
            "SELECT count(*) FROM plan_item AS i JOIN reconciliation AS r ON r.id = i.reconciliation_id
             WHERE i.reaction = 'remove' AND i.done_at IS NOT NULL AND i.done_at > $1 AND i.state = 'done'
             AND r.app_id = $2 AND i.group_id = $3",
            params![since.as_micros(), app.as_str(), group],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(by_plans.unwrap_or_default().cast_unsigned() + self.lost(app.as_str(), group, since, false)?)
    }

    /// So many leave a group of an app, and no plan has them.
    pub(crate) fn note_left_group(&self, app: &AppId, group: &str, count: u64) -> Result<(), Fault> {
        self.note_lost(app.as_str(), group, count, false)
    }

    /// How many users lost an account since then by lists that did not say that they left.
    pub(crate) fn lost_silently_since(&self, since: Timestamp) -> Result<u64, Fault> {
        self.lost(ACCOUNTS, ACCOUNTS, since, false)
    }

    /// So many users lose an account by a list that does not say that they left.
    pub(crate) fn note_lost_silently(&self, count: u64) -> Result<(), Fault> {
        self.note_lost(ACCOUNTS, ACCOUNTS, count, false)
    }

    pub(super) fn lost(&self, app: &str, group: &str, since: Timestamp, deleted: bool) -> Result<u64, Fault> {
        let count = self.row(
            "SELECT sum(count) FROM silent_loss WHERE app_id = $1 AND group_id = $2 AND lost_at > $3 AND deleted = $4",
            params![app, group, since.as_micros(), deleted],
            |row| row.get::<_, Option<i64>>(0),
        )?;
        Ok(count.flatten().unwrap_or_default().cast_unsigned())
    }

    /// Notes a loss, and forgets what nobody counts any more.
    pub(super) fn note_lost(&self, app: &str, group: &str, count: u64, deleted: bool) -> Result<(), Fault> {
        if count == 0 {
            return Ok(());
        }
        let day = crate::time::Period::from_seconds(86_400);
        let since = self.now.as_micros().saturating_sub(day.as_micros());
        self.execute(
            "DELETE FROM silent_loss WHERE app_id = $1 AND group_id = $2 AND lost_at <= $3",
            params![app, group, since],
        )?;
        self.execute(
            "INSERT INTO silent_loss (app_id, group_id, lost_at, count, deleted) VALUES ($1, $2, $3, $4, $5)",
            params![app, group, self.now.as_micros(), count.cast_signed(), deleted],
        )
        .map(drop)
    }
}
