//! What plans did, and which plans take that back.

use super::{RequestRow, Tx, unknown_word};
use crate::fault::{Code, Fault};
use crate::id::{RequestId, UserId};
use crate::model::State;
use rusqlite::params;
use serde_json::Value;

/// A membership that a request gave or took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MembershipDeed {
    /// Whether it was given.
    pub(crate) given: bool,
    pub(crate) account: String,
    pub(crate) group: String,
    /// Whether it was, or became, one that we gave.
    pub(crate) ours: bool,
}

impl Tx<'_> {
    /// Notes that a request carries out a plan.
    pub(crate) fn note_plan(&self, request: &RequestId, plan: &RequestId) -> Result<(), Fault> {
        self.execute("UPDATE request SET plan_id = $1 WHERE id = $2", params![plan.as_str(), request.as_str()])?;
        Ok(())
    }

    /// The plan that a request carries out.
    pub(crate) fn plan_of(&self, request: &RequestId) -> Result<Option<RequestId>, Fault> {
        let text = "SELECT plan_id FROM request WHERE id = $1";
        let plan = self.row(text, [request.as_str()], |row| row.get::<_, Option<String>>(0))?;
        plan.flatten().map(RequestId::new).transpose()
    }

    /// The requests that carry out a plan, oldest first, after one of them.
    pub(crate) fn requests_of_plan(
        &self,
        plan: &RequestId,
        after: Option<&RequestId>,
        limit: u32,
    ) -> Result<Vec<RequestRow>, Fault> {
        let ids = self.rows(
            "SELECT id FROM request WHERE plan_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            params![plan.as_str(), after.map_or("", RequestId::as_str), i64::from(limit)],
            |row| row.get::<_, String>(0),
        )?;
        let rows = ids.iter().map(|id| self.request(id));
        rows.filter_map(Result::transpose).collect()
    }

    /// The links that a plan made and took away, in order: whether it made one, and for whom and which account.
    pub(crate) fn links_of_plan(&self, plan: &RequestId) -> Result<Vec<(bool, UserId, String)>, Fault> {
        let rows = self.rows(
            "SELECT kind, user_id, details FROM log WHERE request_id = $1 AND (kind = 'linked' OR kind = 'unlinked')
             AND user_id IS NOT NULL ORDER BY sequence",
            [plan.as_str()],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)),
        )?;
        let damaged = || Fault::new(Code::StoreDamaged, "the column `log.details` cannot be read");
        let read = |(kind, user, details): (String, String, String)| {
            let details: Value = serde_json::from_str(&details).map_err(|_| damaged())?;
            let account = details.get("external_id").and_then(Value::as_str).ok_or_else(damaged)?;
            Ok((kind == "linked", UserId::new(user)?, account.to_owned()))
        };
        rows.into_iter().map(read).collect()
    }

    /// The memberships that a request gave and took away, in order.
    pub(crate) fn memberships_of_request(&self, request: &RequestId) -> Result<Vec<MembershipDeed>, Fault> {
        let rows = self.rows(
            "SELECT kind, details FROM log WHERE request_id = $1
             AND (kind = 'membership_given' OR kind = 'membership_taken') ORDER BY sequence",
            [request.as_str()],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )?;
        let damaged = || Fault::new(Code::StoreDamaged, "the column `log.details` cannot be read");
        let read = |(kind, details): (String, String)| {
            let details: Value = serde_json::from_str(&details).map_err(|_| damaged())?;
            let text = |name: &str| details.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(damaged);
            Ok(MembershipDeed {
                given: kind == "membership_given",
                account: text("external_id")?,
                group: text("group")?,
                ours: details.get("ours").and_then(Value::as_bool).unwrap_or(true),
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Notes what a reconciliation takes back.
    pub(crate) fn note_undoes(&self, undo: &RequestId, id: &str) -> Result<(), Fault> {
        self.execute("UPDATE reconciliation SET undoes = $1 WHERE id = $2", params![id, undo.as_str()])?;
        Ok(())
    }

    /// What a reconciliation takes back.
    pub(crate) fn undoes(&self, undo: &RequestId) -> Result<Option<String>, Fault> {
        let text = "SELECT undoes FROM reconciliation WHERE id = $1";
        Ok(self.row(text, [undo.as_str()], |row| row.get::<_, Option<String>>(0))?.flatten())
    }

    /// The reconciliations that take back what this one or this request did, with how far they are.
    pub(crate) fn undone_by(&self, id: &str) -> Result<Vec<(RequestId, State)>, Fault> {
        let rows = self.rows("SELECT id, state FROM reconciliation WHERE undoes = $1 ORDER BY id", [id], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        let read = |(id, state): (String, String)| {
            let state = State::from_name(&state).ok_or_else(|| unknown_word("reconciliation.state"))?;
            Ok((RequestId::new(id)?, state))
        };
        rows.into_iter().map(read).collect()
    }
}
