//! How many requests are open, and what they wait for.

use super::{Tx, time_of};
use crate::fault::Fault;
use crate::id::AppId;
use crate::model::AppMetrics;
use crate::operation::Operation;
use crate::time::Timestamp;
use rusqlite::params;
use std::collections::BTreeMap;

impl Tx<'_> {
    /// The open requests of every app that has any. Looks at each open request once.
    pub(crate) fn open_by_app(&self) -> Result<BTreeMap<AppId, AppMetrics>, Fault> {
        let groups = self.rows(
            "SELECT app_id, operation, waiting_for, sending, head = 1 AND due_at <= $1, count(*), min(created_at),
                min(CASE WHEN head = 1 THEN due_at END)
             FROM request WHERE finished_at IS NULL GROUP BY 1, 2, 3, 4, 5",
            [self.now.as_micros()],
            |row| {
                let app: String = row.get(0)?;
                let (operation, waiting_for): (String, Option<String>) = (row.get(1)?, row.get(2)?);
                let (sending, due): (bool, Option<bool>) = (row.get(3)?, row.get(4)?);
                let times: (i64, Option<i64>, Option<i64>) = (row.get(5)?, row.get(6)?, row.get(7)?);
                Ok((app, operation, waiting_for, sending, due == Some(true), times))
            },
        )?;
        let mut apps: BTreeMap<AppId, AppMetrics> = BTreeMap::new();
        for (app, operation, waiting_for, sending, due, (count, created_at, due_at)) in groups {
            let app = apps.entry(AppId::new(app)?).or_default();
            let count = count.cast_unsigned();
            app.count(waiting_for.as_deref(), count);
            // Of a call that is under way, `due_at` is the end of its lease.
            app.sending += if sending { count } else { 0 };
            app.due += if due && !sending { count } else { 0 };
            app.next_due = [app.next_due, time_of(due_at).filter(|_| !sending)].into_iter().flatten().min();
            if Operation::from_name(&operation).is_some_and(Operation::reduces_access) {
                app.removals += count;
                app.oldest_removal = [app.oldest_removal, time_of(created_at)].into_iter().flatten().min();
            }
        }
        Ok(apps)
    }

    /// How many open requests of an app would go before that time, or at all, if only they were asked; by what they wait for.
    pub(crate) fn goes_before(
        &self,
        app: &AppId,
        until: Option<Timestamp>,
    ) -> Result<Vec<(Option<String>, u64)>, Fault> {
        self.rows(
            "SELECT waiting_for, count(*) FROM request WHERE app_id = $1 AND finished_at IS NULL
             AND (waiting_for IN ('retry', 'settle', 'rate') OR (waiting_for IS NULL AND due_at <= $2))
             AND ($3 IS NULL OR due_at IS NULL OR due_at < $3) GROUP BY 1",
            params![app.as_str(), self.now.as_micros(), until.map(Timestamp::as_micros)],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())),
        )
    }
}
