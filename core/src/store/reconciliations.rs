//! Reconciliations: how far each is, what its listing was worth, and what is remembered of an app between two of them.

use super::requests::{faults_text, parse_faults};
use super::{Tx, UserKey, limit_of, time_of, unknown_word};
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId};
use crate::model::{
    ApprovalStatus, BrakeReason, ItemState, Reconciliation, ReconciliationFilter, ReconciliationKind, SituationCounts,
    SnapshotVerdict, State,
};
use crate::time::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

const COLUMNS: &str = "id, kind, app_id, state, approval, author, verdict, verdict_why, counts, digest, brake, notes,
    faults, definition, cursor, token, released_by, partial, pages, collected, takes, began, accounts, created_at,
    finished_at, released_at, used_at, committed_by, groups";

/// A reconciliation with what only the engine needs.
#[derive(Clone, Debug)]
pub(crate) struct ReconciliationRow {
    /// As it is shown. `items` and `waiting_for` are not stored with it.
    pub(crate) shown: Reconciliation,
    /// Whether the listing is of a part alone.
    pub(crate) partial: bool,
    /// Where the next page starts.
    pub(crate) cursor: Option<String>,
    /// How often the work was taken up. Whoever took it up before writes no more.
    pub(crate) takes: u64,
    /// The last log entry before the first page was read.
    pub(crate) began: u64,
    /// How many accounts there were, repeated ones once.
    pub(crate) accounts: u64,
    /// The definition for which the plan was made.
    pub(crate) definition: Option<String>,
    /// What the target gave for the next listing of changes.
    pub(crate) token: Option<String>,
    /// Who had the plan carried out.
    pub(crate) committed_by: Option<String>,
    /// Who released the held part.
    pub(crate) released_by: Option<String>,
    /// When.
    pub(crate) released_at: Option<Timestamp>,
    /// When the release was used.
    pub(crate) used_at: Option<Timestamp>,
}

impl ReconciliationRow {
    /// Whether it is of a whole list of users, whose plan carries itself out.
    pub(crate) fn is_of_users(&self) -> bool {
        self.shown.kind == ReconciliationKind::Source && self.shown.app.is_none()
    }

    /// Whether it is of what a definition or a list of users would take away in an app.
    pub(crate) fn is_of_removals(&self) -> bool {
        self.shown.kind == ReconciliationKind::Source && self.shown.app.is_some()
    }

    /// A new one of which nothing is known yet.
    pub(crate) fn new(id: RequestId, kind: ReconciliationKind, app: Option<AppId>, now: Timestamp) -> Self {
        let shown = Reconciliation {
            id,
            kind,
            app,
            state: State::New,
            waiting_for: None,
            approval: ApprovalStatus::NotRequired,
            by: None,
            created_at: now,
            finished_at: None,
            pages: 0,
            collected: 0,
            verdict: None,
            verdict_why: Vec::new(),
            counts: SituationCounts::default(),
            groups: Vec::new(),
            items: std::collections::BTreeMap::new(),
            digest: None,
            brake: Vec::new(),
            notes: Vec::new(),
            faults: Vec::new(),
        };
        Self {
            shown,
            partial: false,
            cursor: None,
            takes: 0,
            began: 0,
            accounts: 0,
            definition: None,
            token: None,
            committed_by: None,
            released_by: None,
            released_at: None,
            used_at: None,
        }
    }
}

/// What is remembered of an app between two reconciliations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// How many accounts the last accepted whole listing had.
    pub(crate) accepted: Option<u64>,
    /// When the last one was completed.
    pub(crate) completed_at: Option<Timestamp>,
    /// When the last one of the whole target was.
    pub(crate) full_at: Option<Timestamp>,
    /// Where the next listing of changes begins.
    pub(crate) token: Option<String>,
    /// When the next is due.
    pub(crate) next_at: Option<Timestamp>,
}

struct Raw {
    texts: [Option<String>; 17],
    partial: bool,
    numbers: [i64; 5],
    times: [Option<i64>; 4],
    committed_by: Option<String>,
    groups: Option<String>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let mut texts: [Option<String>; 17] = Default::default();
    for (index, text) in texts.iter_mut().enumerate() {
        *text = row.get(index)?;
    }
    Ok(Raw {
        texts,
        partial: row.get(17)?,
        numbers: [row.get(18)?, row.get(19)?, row.get(20)?, row.get(21)?, row.get(22)?],
        times: [row.get(23)?, row.get(24)?, row.get(25)?, row.get(26)?],
        committed_by: row.get(27)?,
        groups: row.get(28)?,
    })
}

fn read_json<T: DeserializeOwned>(text: Option<String>, column: &str) -> Result<T, Fault> {
    serde_json::from_str(&text.unwrap_or_default())
        .map_err(|_| Fault::new(Code::StoreDamaged, format!("the column `{column}` cannot be read")))
}

fn json_text<T: Serialize>(value: &T) -> String {
    // What is written so has text keys alone and always has a JSON form.
    serde_json::to_value(value).map(|value| crate::value::canonical(&value)).unwrap_or_default()
}

fn parse(row: Raw) -> Result<ReconciliationRow, Fault> {
    let [
        id,
        kind,
        app,
        state,
        approval,
        by,
        verdict,
        verdict_why,
        counts,
        digest,
        brake,
        notes,
        faults,
        definition,
        cursor,
        token,
        released_by,
    ] = row.texts;
    let [pages, collected, takes, began, accounts] = row.numbers.map(i64::cast_unsigned);
    let [created_at, finished_at, released_at, used_at] = row.times.map(time_of);
    let word = |text: Option<String>| text.unwrap_or_default();
    let kind = ReconciliationKind::from_name(&word(kind)).ok_or_else(|| unknown_word("reconciliation.kind"))?;
    let verdict = verdict
        .map(|name| SnapshotVerdict::from_name(&name).ok_or_else(|| unknown_word("reconciliation.verdict")))
        .transpose()?;
    let app = app.map(AppId::new).transpose()?;
    let mut shown = ReconciliationRow::new(RequestId::new(word(id))?, kind, app, created_at.unwrap_or_default()).shown;
    shown.state = State::from_name(&word(state)).ok_or_else(|| unknown_word("reconciliation.state"))?;
    shown.approval =
        ApprovalStatus::from_name(&word(approval)).ok_or_else(|| unknown_word("reconciliation.approval"))?;
    shown.by = by;
    shown.finished_at = finished_at;
    shown.pages = pages;
    shown.collected = collected;
    shown.verdict = verdict;
    shown.verdict_why = read_json(verdict_why, "reconciliation.verdict_why")?;
    shown.counts = read_json(counts, "reconciliation.counts")?;
    shown.groups = read_json(row.groups, "reconciliation.groups")?;
    shown.digest = digest;
    shown.brake = read_json::<Vec<BrakeReason>>(brake, "reconciliation.brake")?;
    shown.notes = read_json(notes, "reconciliation.notes")?;
    shown.faults = parse_faults(&word(faults))?;
    Ok(ReconciliationRow {
        shown,
        partial: row.partial,
        cursor,
        takes,
        began,
        accounts,
        definition,
        token,
        committed_by: row.committed_by,
        released_by,
        released_at,
        used_at,
    })
}

/// Where the place of the next page is sealed: it may be a name.
fn cursor_place(id: &RequestId) -> String {
    format!("reconciliation/{id}/cursor")
}

impl Tx<'_> {
    /// A reconciliation with the place where reading goes on.
    fn whole(&self, raw: Raw) -> Result<ReconciliationRow, Fault> {
        let mut row = parse(raw)?;
        let id = &row.shown.id;
        if let Some(stored) = row.cursor.take()
            && let Some(key) = self.reconciliation_key(id)?
        {
            let damaged = || Fault::new(Code::StoreDamaged, "the column `reconciliation.cursor` cannot be read");
            let sealed = super::unhex(&stored).ok_or_else(damaged)?;
            let plain = super::vault::unseal(&key, &cursor_place(id), &sealed)?;
            row.cursor = Some(String::from_utf8(plain).map_err(|_| damaged())?);
        }
        Ok(row)
    }

    fn sealed_cursor(&mut self, row: &ReconciliationRow) -> Result<Option<String>, Fault> {
        let Some(cursor) = &row.cursor else { return Ok(None) };
        // One without a key is finished, and reads on nowhere.
        let Some(key) = self.reconciliation_key(&row.shown.id)? else { return Ok(None) };
        let sealed = self.vault.seal(&key, &cursor_place(&row.shown.id), cursor.as_bytes())?;
        Ok(Some(crate::value::hex(&sealed)))
    }

    /// Stores a new reconciliation, of which nothing was read yet, and makes its key.
    pub(crate) fn insert_reconciliation(&mut self, row: &ReconciliationRow) -> Result<UserKey, Fault> {
        let shown = &row.shown;
        let key = self.vault.new_user_key()?;
        let stored = self.wrap(&key_place(&shown.id), &key)?;
        self.execute(
            "INSERT INTO reconciliation (id, kind, app_id, state, approval, author, created_at, finished_at, key, takes,
             began, partial, pages, collected, verdict, verdict_why, counts, digest, brake, notes, faults,
             definition, accounts, token)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24)",
            params![
                shown.id.as_str(),
                shown.kind.name(),
                shown.app.as_ref().map(AppId::as_str),
                shown.state.name(),
                shown.approval.name(),
                shown.by,
                shown.created_at.as_micros(),
                shown.finished_at.map(Timestamp::as_micros),
                stored,
                row.takes.cast_signed(),
                row.began.cast_signed(),
                row.partial,
                shown.pages.cast_signed(),
                shown.collected.cast_signed(),
                shown.verdict.map(SnapshotVerdict::name),
                json_text(&shown.verdict_why),
                json_text(&shown.counts),
                shown.digest,
                json_text(&shown.brake),
                json_text(&shown.notes),
                faults_text(&shown.faults),
                row.definition,
                row.accounts.cast_signed(),
                row.token
            ],
        )?;
        Ok(key)
    }

    /// The reconciliation of that id.
    pub(crate) fn reconciliation(&self, id: &str) -> Result<Option<ReconciliationRow>, Fault> {
        let text = format!("SELECT {COLUMNS} FROM reconciliation WHERE id = $1");
        self.row(&text, [id], raw)?.map(|raw| self.whole(raw)).transpose()
    }

    /// The unfinished reconciliation of an app's target.
    pub(crate) fn open_reconciliation(&self, app: &AppId) -> Result<Option<ReconciliationRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM reconciliation WHERE app_id = $1 AND finished_at IS NULL AND kind = 'target'"
        );
        self.row(&text, [app.as_str()], raw)?.map(|raw| self.whole(raw)).transpose()
    }

    /// Reconciliations of which the plan was being carried out.
    pub(crate) fn left_committing(&self) -> Result<Vec<RequestId>, Fault> {
        let ids = self.rows(
            "SELECT id FROM reconciliation WHERE finished_at IS NULL AND state = 'Committing' AND (kind <> 'source' OR app_id IS NOT NULL)
             ORDER BY id",
            [],
            |row| row.get::<_, String>(0),
        )?;
        ids.into_iter().map(RequestId::new).collect()
    }

    /// Reconciliations by id, without what is counted of their items and without the place where reading goes on.
    pub(crate) fn reconciliations(&self, filter: &ReconciliationFilter) -> Result<Vec<ReconciliationRow>, Fault> {
        let condition = if filter.app.is_some() { "app_id = $1" } else { "$1 IS NULL" };
        let text = format!(
            "SELECT {COLUMNS} FROM reconciliation WHERE {condition} AND id > $2 AND ($3 IS NULL OR kind = $3)
             AND ($4 IS NULL OR state = $4) ORDER BY id LIMIT $5"
        );
        let rows = self.rows(
            &text,
            params![
                filter.app,
                filter.after.as_deref().unwrap_or(""),
                filter.kind.map(ReconciliationKind::name),
                filter.state.map(State::name),
                limit_of(filter.limit)
            ],
            raw,
        )?;
        rows.into_iter().map(|raw| parse(raw).map(|row| ReconciliationRow { cursor: None, ..row })).collect()
    }

    /// Stores everything of a reconciliation that may change. With one that is finished goes what it collected, the place where
    /// reading stopped, which may be a name, and the key under which that and what nobody owns was sealed.
    ///
    /// # Errors
    /// `cancelled` where somebody else took the work up meanwhile.
    pub(crate) fn save_reconciliation(&mut self, row: &ReconciliationRow) -> Result<(), Fault> {
        let shown = &row.shown;
        let cursor = self.sealed_cursor(row)?;
        let changed = self.execute(
            "UPDATE reconciliation SET state = $1, approval = $2, finished_at = $3, began = $4, partial = $5, cursor = $6,
             pages = $7, collected = $8, verdict = $9, verdict_why = $10, counts = $11, digest = $12, brake = $13,
             notes = $14, faults = $15, definition = $16, accounts = $17, token = $18, released_by = $19,
             released_at = $20, used_at = $21, committed_by = $22, groups = $23
             WHERE id = $24 AND takes = $25 AND finished_at IS NULL",
            params![
                shown.state.name(),
                shown.approval.name(),
                shown.finished_at.map(Timestamp::as_micros),
                row.began.cast_signed(),
                row.partial,
                cursor,
                shown.pages.cast_signed(),
                shown.collected.cast_signed(),
                shown.verdict.map(SnapshotVerdict::name),
                json_text(&shown.verdict_why),
                json_text(&shown.counts),
                shown.digest,
                json_text(&shown.brake),
                json_text(&shown.notes),
                faults_text(&shown.faults),
                row.definition,
                row.accounts.cast_signed(),
                row.token,
                row.released_by,
                row.released_at.map(Timestamp::as_micros),
                row.used_at.map(Timestamp::as_micros),
                row.committed_by,
                json_text(&shown.groups),
                shown.id.as_str(),
                row.takes.cast_signed()
            ],
        )?;
        if changed != 1 {
            return Err(Fault::new(Code::Cancelled, "the reconciliation was finished or taken over by somebody else"));
        }
        self.note_work(&shown.id)?;
        if shown.finished_at.is_some() {
            self.forget_collected(&shown.id)?;
            self.execute("UPDATE reconciliation SET key = NULL, cursor = NULL WHERE id = $1", [shown.id.as_str()])?;
        }
        Ok(())
    }

    /// When somebody was at a reconciliation last.
    pub(crate) fn worked_at(&self, id: &RequestId) -> Result<Option<Timestamp>, Fault> {
        let found = self
            .row("SELECT worked_at FROM reconciliation WHERE id = $1", [id.as_str()], |row| Ok(time_of(row.get(0)?)))?;
        Ok(found.flatten())
    }

    /// Notes that somebody is at a reconciliation now.
    pub(crate) fn note_work(&self, id: &RequestId) -> Result<(), Fault> {
        let values = params![self.now.as_micros(), id.as_str()];
        self.execute("UPDATE reconciliation SET worked_at = $1 WHERE id = $2", values).map(drop)
    }

    /// Nobody is at any reconciliation: who has the file alone says so.
    pub(crate) fn forget_work(&self) -> Result<(), Fault> {
        self.execute("UPDATE reconciliation SET worked_at = NULL WHERE finished_at IS NULL", []).map(drop)
    }

    /// Notes when the next reconciliation of an app is due.
    pub(crate) fn plan_reconciliation(&self, app: &AppId, at: Timestamp) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO reconciled (app_id, next_at) VALUES ($1, $2)
             ON CONFLICT (app_id) DO UPDATE SET next_at = excluded.next_at",
            params![app.as_str(), at.as_micros()],
        )
        .map(drop)
    }

    /// Takes the work on a reconciliation up: whoever was at it writes no more.
    pub(crate) fn take_reconciliation(&self, row: &mut ReconciliationRow) -> Result<(), Fault> {
        row.takes += 1;
        self.execute(
            "UPDATE reconciliation SET takes = $1 WHERE id = $2",
            params![row.takes.cast_signed(), row.shown.id.as_str()],
        )?;
        self.note_work(&row.shown.id)
    }

    /// The key under which a reconciliation's own things are sealed; none once it is finished.
    pub(crate) fn reconciliation_key(&self, id: &RequestId) -> Result<Option<UserKey>, Fault> {
        let stored = self.row("SELECT key FROM reconciliation WHERE id = $1", [id.as_str()], |row| {
            row.get::<_, Option<Vec<u8>>>(0)
        })?;
        let place = key_place(id);
        stored.flatten().map(|stored| self.vault.unwrap(&place, &stored)).transpose()
    }

    /// What is remembered of an app.
    pub(crate) fn remembered(&self, app: &AppId) -> Result<Remembered, Fault> {
        let found = self.row(
            "SELECT accepted, completed_at, full_at, token, next_at FROM reconciled WHERE app_id = $1",
            [app.as_str()],
            |row| {
                Ok(Remembered {
                    accepted: row.get::<_, Option<i64>>(0)?.map(i64::cast_unsigned),
                    completed_at: time_of(row.get(1)?),
                    full_at: time_of(row.get(2)?),
                    token: row.get(3)?,
                    next_at: time_of(row.get(4)?),
                })
            },
        )?;
        Ok(found.unwrap_or_default())
    }

    /// Puts what is remembered of an app in the place of what was.
    pub(crate) fn remember(&self, app: &AppId, what: &Remembered) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO reconciled (app_id, accepted, completed_at, full_at, token, next_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (app_id) DO UPDATE SET accepted = excluded.accepted, completed_at = excluded.completed_at,
             full_at = excluded.full_at, token = excluded.token, next_at = excluded.next_at",
            params![
                app.as_str(),
                what.accepted.map(u64::cast_signed),
                what.completed_at.map(Timestamp::as_micros),
                what.full_at.map(Timestamp::as_micros),
                what.token,
                what.next_at.map(Timestamp::as_micros)
            ],
        )?;
        Ok(())
    }

    /// How many items of each state a plan has.
    pub(crate) fn item_counts(&self, id: &RequestId) -> Result<std::collections::BTreeMap<ItemState, u64>, Fault> {
        let rows = self.rows(
            "SELECT state, count(*) FROM plan_item WHERE reconciliation_id = $1 GROUP BY state",
            [id.as_str()],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)),
        )?;
        rows.into_iter()
            .map(|(state, count)| {
                let state = ItemState::from_name(&state).ok_or_else(|| unknown_word("plan_item.state"))?;
                Ok((state, count.cast_unsigned()))
            })
            .collect()
    }
}

/// What a reconciliation's key is bound to. No user has such an id, which may hold no control character.
pub(super) fn key_place(id: impl std::fmt::Display) -> String {
    format!("rollkeeper reconciliation {id}")
}
