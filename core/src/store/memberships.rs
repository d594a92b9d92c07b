//! The groups of targets, and the ledger of memberships. What a request has still to do stands in the ledger as `queued`,
//! and while a call about a group is out, its rows say so: nobody else changes that group meanwhile.

use super::requests::{faults_text, parse_faults};
use super::{Tx, time_of, unknown_word};
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId};
use crate::model::{GroupReference, MembershipState, TargetGroup};
use crate::planning::entitlement::LedgerEntry;
use crate::time::Timestamp;
use rusqlite::{Row, params};

const COLUMNS: &str = "m.group_id, m.external_id, m.reference, m.state, m.request_id, m.faults, m.queued, m.calling, m.tried, m.part, m.since, m.ours, m.held_by";

/// A membership in the ledger.
#[derive(Clone, Debug)]
pub(crate) struct MembershipRow {
    pub(crate) entry: LedgerEntry,
    /// The account.
    pub(crate) external_id: String,
    /// The request that did it, or whose turn it is.
    pub(crate) request: Option<RequestId>,
    /// A call about it is out.
    pub(crate) calling: bool,
    /// A call about it may have reached the target.
    pub(crate) tried: bool,
    /// With how many others at the most it is sent.
    pub(crate) part: u32,
    /// Why the target refused it.
    pub(crate) faults: Vec<Fault>,
    /// Since when it is as it is.
    pub(crate) since: Timestamp,
    /// Whether we gave it, or are about to. Somebody else's is here only while a plan takes it away or puts it back.
    pub(crate) ours: bool,
    /// The plan by which the brake holds that it is taken away.
    pub(crate) held_by: Option<RequestId>,
}

impl MembershipRow {
    /// A membership that a request has to give or to take away, of which nothing was sent.
    pub(crate) fn queued(
        entry: LedgerEntry,
        external_id: &str,
        request: &RequestId,
        part: u32,
        now: Timestamp,
    ) -> Self {
        Self {
            entry: LedgerEntry { queued: true, ..entry },
            external_id: external_id.to_owned(),
            request: Some(request.clone()),
            calling: false,
            tried: false,
            part,
            faults: Vec::new(),
            since: now,
            ours: true,
            held_by: None,
        }
    }
}

type Raw = ([Option<String>; 7], [bool; 4], u32, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let mut texts: [Option<String>; 7] = Default::default();
    for (text, index) in texts.iter_mut().zip([0, 1, 2, 3, 4, 5, 12]) {
        *text = row.get(index)?;
    }
    Ok((texts, [row.get(6)?, row.get(7)?, row.get(8)?, row.get(11)?], row.get(9)?, row.get(10)?))
}

fn parse((texts, [queued, calling, tried, ours], part, since): Raw) -> Result<MembershipRow, Fault> {
    let [group, external_id, reference, state, request, faults, held_by] = texts;
    let word = |text: Option<String>| text.unwrap_or_default();
    let state = MembershipState::from_name(&word(state)).ok_or_else(|| unknown_word("membership.state"))?;
    let entry = LedgerEntry { group: word(group), reference: reference_of(&word(reference))?, state, queued };
    Ok(MembershipRow {
        entry,
        external_id: word(external_id),
        request: request.map(RequestId::new).transpose()?,
        calling,
        tried,
        part,
        faults: parse_faults(&word(faults))?,
        since: Timestamp::from_micros(since),
        ours,
        held_by: held_by.map(RequestId::new).transpose()?,
    })
}

fn reference_of(text: &str) -> Result<GroupReference, Fault> {
    serde_json::from_str(text).map_err(|_| unknown_word("membership.reference"))
}

fn reference_text(reference: &GroupReference) -> Result<String, Fault> {
    let unwritten = || Fault::new(Code::Internal, "a group's name could not be written");
    serde_json::to_string(reference).map_err(|_| unwritten())
}

impl Tx<'_> {
    /// The memberships of an account.
    pub(crate) fn memberships(&self, app: &AppId, external_id: &str) -> Result<Vec<MembershipRow>, Fault> {
        let text =
            format!("SELECT {COLUMNS} FROM membership AS m WHERE app_id = $1 AND external_id = $2 ORDER BY group_id");
        self.rows(&text, params![app.as_str(), external_id], raw)?.into_iter().map(parse).collect()
    }

    /// What a request has still to do, and what was refused to it.
    pub(crate) fn queued_memberships(&self, request: &RequestId) -> Result<Vec<MembershipRow>, Fault> {
        let text =
            format!("SELECT {COLUMNS} FROM membership AS m WHERE request_id = $1 AND queued = 1 ORDER BY group_id");
        self.rows(&text, [request.as_str()], raw)?.into_iter().map(parse).collect()
    }

    /// The next account, by its id, of which the ledger of an app has a membership.
    pub(crate) fn next_enrolled(&self, app: &AppId, after: &str) -> Result<Option<String>, Fault> {
        let text =
            "SELECT external_id FROM membership WHERE app_id = $1 AND external_id > $2 ORDER BY external_id LIMIT 1";
        self.row(text, [app.as_str(), after], |row| row.get(0))
    }

    /// Stores a membership whole. No call about it is out.
    pub(crate) fn put_membership(&self, app: &AppId, row: &MembershipRow) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO membership (app_id, group_id, external_id, reference, state, request_id, queued, calling, tried,
             part, faults, since, ours, held_by) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12, $13)
             ON CONFLICT (app_id, external_id, group_id) DO UPDATE SET reference = excluded.reference,
             state = excluded.state, request_id = excluded.request_id, queued = excluded.queued, calling = 0,
             tried = excluded.tried, part = excluded.part, faults = excluded.faults,
             since = excluded.since, ours = excluded.ours, held_by = excluded.held_by",
            params![
                app.as_str(),
                row.entry.group,
                row.external_id,
                reference_text(&row.entry.reference)?,
                row.entry.state.name(),
                row.request.as_ref().map(RequestId::as_str),
                row.entry.queued,
                row.tried,
                row.part,
                faults_text(&row.faults),
                self.now.as_micros(),
                row.ours,
                row.held_by.as_ref().map(RequestId::as_str)
            ],
        )?;
        Ok(())
    }

    /// A call about it is out. From now on it may have reached the target.
    pub(crate) fn call_membership(&self, app: &AppId, row: &MembershipRow) -> Result<(), Fault> {
        self.execute(
            "UPDATE membership SET calling = 1, tried = 1 WHERE app_id = $1 AND external_id = $2 AND group_id = $3",
            params![app.as_str(), row.external_id, row.entry.group],
        )?;
        Ok(())
    }

    /// Takes a membership out of the ledger.
    pub(crate) fn drop_membership(&self, app: &AppId, row: &MembershipRow) -> Result<(), Fault> {
        self.execute(
            "DELETE FROM membership WHERE app_id = $1 AND external_id = $2 AND group_id = $3",
            params![app.as_str(), row.external_id, row.entry.group],
        )?;
        Ok(())
    }

    /// Nothing is known any more of an account's memberships: it is gone.
    pub(super) fn forget_memberships(&self, app: &AppId, external_id: &str) -> Result<(), Fault> {
        self.execute(
            "DELETE FROM membership WHERE app_id = $1 AND external_id = $2",
            params![app.as_str(), external_id],
        )?;
        Ok(())
    }

    /// The call that a request made is over, however it ended.
    pub(crate) fn end_calls(&self, request: &RequestId) -> Result<(), Fault> {
        self.execute("UPDATE membership SET calling = 0 WHERE request_id = $1 AND calling = 1", [request.as_str()])?;
        Ok(())
    }

    /// A request has ended. What it never sent is as it was before; what may have been given stays in the ledger, so that it
    /// is taken away where it is not wanted; what it could not take away is still there.
    pub(super) fn leave_memberships(&self, request: &RequestId, removes: bool) -> Result<(), Fault> {
        // Whose membership is not ours was here for the request alone.
        self.execute("DELETE FROM membership WHERE request_id = $1 AND queued = 1 AND ours = 0", [request.as_str()])?;
        if removes {
            // What the target did not let go is still there.
            self.execute(
                "UPDATE membership SET queued = 0, calling = 0, state = 'Held'
                 WHERE request_id = $1 AND queued = 1 AND state = 'Refused'",
                [request.as_str()],
            )?;
        }
        self.execute(
            "DELETE FROM membership WHERE request_id = $1 AND queued = 1
             AND (state = 'Refused' OR (state = 'Adding' AND tried = 0))",
            [request.as_str()],
        )?;
        self.execute(
            "UPDATE membership SET queued = 0, calling = 0, state = CASE state WHEN 'Removing' THEN 'Held' ELSE state END
             WHERE request_id = $1 AND queued = 1",
            [request.as_str()],
        )?;
        Ok(())
    }

    /// The groups of an app about which something waits and no call is out, those first from which somebody is taken away.
    pub(crate) fn waiting_groups(&self, app: &AppId, limit: usize) -> Result<Vec<(String, MembershipState)>, Fault> {
        let mut found: Vec<(String, MembershipState)> = Vec::new();
        for state in [MembershipState::Removing, MembershipState::Adding] {
            let mut after = String::new();
            while let Some(group) = self.next_group(app, state, &after)?.filter(|_| found.len() < limit) {
                let free = !self.is_called(app, &group)? && !found.iter().any(|(known, _)| *known == group);
                if free && !self.waiting_members(app, &group, state, 1)?.is_empty() {
                    found.push((group.clone(), state));
                }
                after = group;
            }
        }
        Ok(found)
    }

    fn next_group(&self, app: &AppId, state: MembershipState, after: &str) -> Result<Option<String>, Fault> {
        self.row(
            "SELECT group_id FROM membership WHERE app_id = $1 AND state = $2 AND group_id > $3 AND queued = 1
             ORDER BY group_id LIMIT 1",
            params![app.as_str(), state.name(), after],
            |row| row.get(0),
        )
    }

    fn is_called(&self, app: &AppId, group: &str) -> Result<bool, Fault> {
        let called = self.row(
            "SELECT 1 FROM membership WHERE app_id = $1 AND group_id = $2 AND calling = 1 LIMIT 1",
            params![app.as_str(), group],
            |_| Ok(()),
        )?;
        Ok(called.is_some())
    }

    /// Whether anything of an app waits to be sent to one of its groups.
    pub(crate) fn is_group_waiting(&self, app: &AppId) -> Result<bool, Fault> {
        Ok(!self.waiting_groups(app, 1)?.is_empty())
    }

    /// What waits to be sent to a group together, the smallest parts first.
    pub(crate) fn waiting_members(
        &self,
        app: &AppId,
        group: &str,
        state: MembershipState,
        limit: u32,
    ) -> Result<Vec<MembershipRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM membership AS m JOIN request AS r ON r.id = m.request_id
             WHERE m.app_id = $1 AND m.state = $2 AND m.group_id = $3 AND m.queued = 1 AND m.calling = 0
             AND r.retry_for = 'lane' AND r.head = 1 AND r.sending = 0 AND r.finished_at IS NULL
             ORDER BY m.part, m.external_id LIMIT $4"
        );
        let rows = self.rows(&text, params![app.as_str(), state.name(), group, i64::from(limit)], raw)?;
        rows.into_iter().map(parse).collect()
    }

    /// The groups of that name, ids in order: those that have it to the letter, else in any letter case.
    pub(crate) fn groups_named(&self, app: &AppId, name: &str) -> Result<Vec<String>, Fault> {
        let rows = self.rows(
            "SELECT group_id, display_name FROM target_group WHERE app_id = $1 AND folded_name = $2
             AND folded_name IS NOT NULL ORDER BY group_id",
            params![app.as_str(), name.to_lowercase()],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)),
        )?;
        let exact: Vec<String> =
            rows.iter().filter(|(_, own)| own.as_deref() == Some(name)).map(|(id, _)| id.clone()).collect();
        Ok(if exact.is_empty() { rows.into_iter().map(|(id, _)| id).collect() } else { exact })
    }

    /// When the app's target was last asked for all of its groups.
    pub(crate) fn groups_listed_at(&self, app: &AppId) -> Result<Option<Timestamp>, Fault> {
        let at = self.row("SELECT listed_at FROM group_listing WHERE app_id = $1", [app.as_str()], |row| row.get(0))?;
        Ok(time_of(at))
    }

    /// Puts the groups that a target tells in the place of those that it told before.
    pub(crate) fn put_groups(&self, app: &AppId, groups: &[TargetGroup]) -> Result<(), Fault> {
        self.execute("DELETE FROM target_group WHERE app_id = $1", [app.as_str()])?;
        for group in groups {
            self.execute(
                "INSERT INTO target_group (app_id, group_id, display_name, folded_name, external_id, listed_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (app_id, group_id) DO NOTHING",
                params![
                    app.as_str(),
                    group.id,
                    group.display_name,
                    group.display_name.as_ref().map(|name| name.to_lowercase()),
                    group.external_id,
                    self.now.as_micros()
                ],
            )?;
        }
        self.execute(
            "INSERT INTO group_listing (app_id, listed_at) VALUES ($1, $2)
             ON CONFLICT (app_id) DO UPDATE SET listed_at = excluded.listed_at",
            params![app.as_str(), self.now.as_micros()],
        )?;
        Ok(())
    }

    /// A group does not exist any more.
    pub(crate) fn forget_group(&self, app: &AppId, group: &str) -> Result<(), Fault> {
        self.execute("DELETE FROM target_group WHERE app_id = $1 AND group_id = $2", params![app.as_str(), group])?;
        Ok(())
    }
}
