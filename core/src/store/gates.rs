//! What keeps calls back, for every process on the file: a row for each app of which there is anything to know.

use super::{Tx, time_of};
use crate::fault::Fault;
use crate::id::AppId;
use crate::pacing::{Gate, Pause, Window};
use crate::time::Timestamp;
use rusqlite::{Row, params};
use std::collections::BTreeMap;

/// What keeps calls back, by app. Of an app that is not there, nothing is known.
pub(crate) type GateRows = BTreeMap<AppId, Gate>;

const COLUMNS: &str = "app_id, tokens, filled_at, patience_until, share, share_at, failures, openings, window_at,
    window_calls, window_failures, opened_at, paused_until, reason, quarantined_at, told_at, maintenance_at,
    maintenance_by";

fn gate(row: &Row<'_>) -> rusqlite::Result<(String, Gate)> {
    let time = |index| -> rusqlite::Result<Option<Timestamp>> { Ok(time_of(row.get(index)?)) };
    let window = match time(8)? {
        Some(at) => Some(Window { at, calls: row.get(9)?, failures: row.get(10)? }),
        None => None,
    };
    let pause = match (time(11)?, time(12)?) {
        (Some(opened_at), Some(until)) => {
            Some(Pause { opened_at, until, reason: row.get(13)?, quarantined_at: time(14)?, told_at: time(15)? })
        }
        _ => None,
    };
    let maintenance = match time(16)? {
        Some(since) => Some((since, row.get(17)?)),
        None => None,
    };
    let gate = Gate {
        tokens: row.get(1)?,
        filled_at: Timestamp::from_micros(row.get(2)?),
        patience_until: time(3)?,
        share: row.get(4)?,
        share_at: Timestamp::from_micros(row.get(5)?),
        failures: row.get(6)?,
        openings: row.get(7)?,
        window,
        pause,
        maintenance,
    };
    Ok((row.get(0)?, gate))
}

impl Tx<'_> {
    /// What is known of all apps.
    pub(crate) fn gates(&self) -> Result<GateRows, Fault> {
        let rows = self.rows(&format!("SELECT {COLUMNS} FROM gate WHERE app_id > ''"), [], gate)?;
        rows.into_iter().map(|(app, gate)| Ok((AppId::new(app)?, gate))).collect()
    }

    /// What is known of one app.
    pub(crate) fn gate(&self, app: &AppId) -> Result<Gate, Fault> {
        let row = self.row(&format!("SELECT {COLUMNS} FROM gate WHERE app_id = $1"), [app.as_str()], gate)?;
        Ok(row.map(|(_, gate)| gate).unwrap_or_default())
    }

    /// Stores what is known of an app.
    pub(crate) fn put_gate(&self, app: &AppId, gate: &Gate) -> Result<(), Fault> {
        let (window, pause) = (gate.window, gate.pause.as_ref());
        self.execute(
            "INSERT INTO gate (app_id, tokens, filled_at, patience_until, share, share_at, failures, openings, window_at,
             window_calls, window_failures, opened_at, paused_until, reason, quarantined_at, told_at, maintenance_at,
             maintenance_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
             ON CONFLICT (app_id) DO UPDATE SET tokens = excluded.tokens, filled_at = excluded.filled_at,
             patience_until = excluded.patience_until, share = excluded.share, share_at = excluded.share_at,
             failures = excluded.failures, openings = excluded.openings, window_at = excluded.window_at,
             window_calls = excluded.window_calls, window_failures = excluded.window_failures,
             opened_at = excluded.opened_at, paused_until = excluded.paused_until, reason = excluded.reason,
             quarantined_at = excluded.quarantined_at, told_at = excluded.told_at,
             maintenance_at = excluded.maintenance_at, maintenance_by = excluded.maintenance_by",
            params![
                app.as_str(),
                gate.tokens,
                gate.filled_at.as_micros(),
                gate.patience_until.map(Timestamp::as_micros),
                gate.share,
                gate.share_at.as_micros(),
                gate.failures,
                gate.openings,
                window.map(|window| window.at.as_micros()),
                window.map_or(0, |window| window.calls),
                window.map_or(0, |window| window.failures),
                pause.map(|pause| pause.opened_at.as_micros()),
                pause.map(|pause| pause.until.as_micros()),
                pause.map(|pause| pause.reason.as_str()),
                pause.and_then(|pause| pause.quarantined_at).map(Timestamp::as_micros),
                pause.and_then(|pause| pause.told_at).map(Timestamp::as_micros),
                gate.maintenance.as_ref().map(|(since, _)| since.as_micros()),
                gate.maintenance.as_ref().map(|(_, by)| by.as_str()),
            ],
        )?;
        Ok(())
    }

    /// How many attempts to each app are open whose lease has not run out, whoever makes them.
    pub(crate) fn attempts_out(&self) -> Result<BTreeMap<AppId, u32>, Fault> {
        let counts = self.rows(
            "SELECT attempt.app_id, count(*) FROM attempt JOIN request ON request.id = attempt.request_id
             WHERE attempt.app_id > '' AND attempt.ended_at IS NULL AND request.due_at > $1 GROUP BY attempt.app_id",
            [self.now.as_micros()],
            |row| Ok((row.get::<_, String>(0)?, row.get(1)?)),
        )?;
        counts.into_iter().map(|(app, count)| Ok((AppId::new(app)?, count))).collect()
    }

    /// How many requests of an app are not finished, and how many of these take access away.
    pub(crate) fn waiting(&self, app: &AppId) -> Result<(u64, u64), Fault> {
        let counts = self.row(
            "SELECT count(*), coalesce(sum(urgent), 0) FROM request WHERE app_id = $1 AND finished_at IS NULL",
            [app.as_str()],
            |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned())),
        )?;
        Ok(counts.unwrap_or_default())
    }
}
