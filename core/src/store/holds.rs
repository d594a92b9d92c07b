//! What people hold.

use super::{Tx, time_of};
use crate::fault::Fault;
use crate::id::{AppId, UserId};
use crate::model::{Hold, HoldScope};
use crate::store::RequestRow;
use rusqlite::{Row, params};
use std::collections::BTreeSet;

const COLUMNS: &str = "app_id, user_id, request_id, author, reason, held_at";

fn hold(row: &Row<'_>) -> rusqlite::Result<Hold> {
    Ok(Hold {
        scope: HoldScope { app: row.get(0)?, user: row.get(1)?, request: row.get(2)? },
        by: row.get(3)?,
        reason: row.get(4)?,
        held_at: time_of(row.get(5)?).unwrap_or_default(),
    })
}

impl Tx<'_> {
    /// Everything that is held, the longest held first.
    pub(crate) fn holds(&self) -> Result<Vec<Hold>, Fault> {
        self.rows(&format!("SELECT {COLUMNS} FROM hold ORDER BY held_at, scope"), [], hold)
    }

    /// The hold of exactly that scope.
    pub(crate) fn hold(&self, scope: &HoldScope) -> Result<Option<Hold>, Fault> {
        self.row(&format!("SELECT {COLUMNS} FROM hold WHERE scope = $1"), [scope.key()], hold)
    }

    /// Stores a hold.
    pub(crate) fn put_hold(&mut self, hold: &Hold) -> Result<(), Fault> {
        let HoldScope { app, user, request } = &hold.scope;
        self.execute(
            "INSERT INTO hold (scope, app_id, user_id, request_id, author, reason, held_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![hold.scope.key(), app, user, request, hold.by, hold.reason, hold.held_at.as_micros()],
        )?;
        self.any_hold = Some(true);
        Ok(())
    }

    /// Ends the hold of exactly that scope.
    pub(crate) fn drop_hold(&mut self, scope: &HoldScope) -> Result<(), Fault> {
        self.execute("DELETE FROM hold WHERE scope = $1", [scope.key()])?;
        self.any_hold = None;
        Ok(())
    }

    /// The apps that are held as a whole.
    pub(crate) fn held_apps(&self) -> Result<BTreeSet<AppId>, Fault> {
        let text = "SELECT app_id FROM hold WHERE app_id > '' AND user_id IS NULL";
        let ids = self.rows(text, [], |row| row.get::<_, String>(0))?;
        ids.into_iter().map(AppId::new).collect()
    }

    /// Whether a person keeps back everything of an app: by a hold, or by its maintenance.
    pub(crate) fn is_kept_back(&self, app: &AppId) -> Result<bool, Fault> {
        Ok(self.gate(app)?.maintenance.is_some() || self.held_apps()?.contains(app))
    }

    /// Whether a person holds the request, or its user; not whether its app is held as a whole.
    pub(crate) fn is_held(&mut self, row: &RequestRow) -> Result<bool, Fault> {
        if !self.has_holds()? {
            return Ok(false);
        }
        let request = &row.request;
        let (app, user) = (request.app.as_str(), request.user.as_ref().map(UserId::as_str));
        let found = self.row(
            "SELECT 1 FROM hold WHERE request_id = $1 OR (user_id = $2 AND (app_id IS NULL OR app_id = $3)) LIMIT 1",
            params![request.id.as_str(), user, app],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Whether there is any hold; looked up once in a transaction.
    fn has_holds(&mut self) -> Result<bool, Fault> {
        if self.any_hold.is_none() {
            self.any_hold = Some(self.row("SELECT 1 FROM hold WHERE scope > '' LIMIT 1", [], |_| Ok(()))?.is_some());
        }
        Ok(self.any_hold.unwrap_or_default())
    }

    /// How many unfinished requests, and how many removals of access among them, a scope holds.
    pub(crate) fn held_by(&self, scope: &HoldScope) -> Result<(u64, u64), Fault> {
        let counts = self.row(
            "SELECT count(*), coalesce(sum(urgent), 0) FROM request WHERE finished_at IS NULL
             AND ($1 IS NULL OR app_id = $1) AND ($2 IS NULL OR user_id = $2) AND ($3 IS NULL OR id = $3)",
            params![scope.app, scope.user, scope.request],
            |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned())),
        )?;
        Ok(counts.unwrap_or_default())
    }
}
