//! What would be taken away and was only inferred: when it was found for the first time, and when last.

use super::Tx;
use crate::fault::Fault;
use crate::id::AppId;
use crate::model::PlanItem;
use crate::time::Timestamp;
use rusqlite::params;

/// When something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observation {
    /// For the first time.
    pub(crate) first_at: Timestamp,
    /// For the last time.
    pub(crate) last_at: Timestamp,
}

impl Tx<'_> {
    /// Notes that a listing that was begun at `listed_at` shows a finding. One that was in another situation before is found
    /// for the first time. What is found for the first time counts from now on, what is found again as of the listing: so
    /// one and the same listing never is two, however long it takes.
    pub(crate) fn observe(&self, app: &AppId, item: &PlanItem, listed_at: Timestamp) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO observation (app_id, subject, situation, first_at, last_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (app_id, subject) DO UPDATE SET
             first_at = CASE WHEN observation.situation = excluded.situation THEN observation.first_at
             ELSE excluded.first_at END, situation = excluded.situation, last_at = excluded.last_at",
            params![
                app.as_str(),
                subject(item),
                item.finding.situation.name(),
                self.now.as_micros(),
                listed_at.as_micros()
            ],
        )
        .map(drop)
    }

    /// When a finding was made, in this situation.
    pub(crate) fn observation(&self, app: &AppId, item: &PlanItem) -> Result<Option<Observation>, Fault> {
        self.row(
            "SELECT first_at, last_at FROM observation WHERE app_id = $1 AND subject = $2 AND situation = $3",
            [app.as_str(), &subject(item), item.finding.situation.name()],
            |row| {
                let [first_at, last_at] = [row.get(0)?, row.get(1)?].map(Timestamp::from_micros);
                Ok(Observation { first_at, last_at })
            },
        )
    }

    /// Forgets what a whole listing that was begun at `since` does not show again.
    pub(crate) fn forget_observations(&self, app: &AppId, since: Timestamp) -> Result<(), Fault> {
        let values = params![app.as_str(), since.as_micros()];
        self.execute("DELETE FROM observation WHERE app_id = $1 AND last_at < $2", values).map(drop)
    }

    /// How much plans of an app took away since then: accounts disabled and links taken away, and accounts deleted, of those
    /// whose user left explicitly or of the others.
    pub(crate) fn taken_since(&self, app: &AppId, since: Timestamp, explicit: bool) -> Result<(u64, u64), Fault> {
        let taken = self.row(
            "SELECT count(CASE WHEN i.reaction = 'deactivate' OR i.reaction = 'unlink' THEN 1 END),
             count(CASE WHEN i.reaction = 'delete' THEN 1 END)
             FROM plan_item i JOIN reconciliation r ON r.id = i.reconciliation_id
             WHERE i.destructive = 1 AND i.done_at IS NOT NULL AND i.done_at > $1 AND i.state = 'done'
             AND r.app_id = $2 AND i.explicit = $3",
            params![since.as_micros(), app.as_str(), explicit],
            |row| Ok([row.get::<_, i64>(0)?, row.get::<_, i64>(1)?].map(i64::cast_unsigned)),
        )?;
        Ok(taken.map_or((0, 0), |[deactivations, deletes]| (deactivations, deletes)))
    }
}

/// The membership or the account where there is one, else the user. No id can look like one of another kind.
fn subject(item: &PlanItem) -> String {
    let finding = &item.finding;
    match (&item.group, &finding.account, &finding.user) {
        (Some(group), account, _) => format!("membership {}", serde_json::json!([group, account])),
        (None, Some(account), _) => format!("account {account}"),
        (None, None, user) => format!("user {}", user.as_deref().unwrap_or_default()),
    }
}
