//! The items of plans. What an item says about a user is sealed under that user's key, and under the reconciliation's where
//! there is no user.

use super::requests::{faults_text, parse_faults};
use super::{Tx, UserKey, limit_of, time_of, unknown_word, unseal_object};
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId, UserId};
use crate::model::{Finding, ItemState, PlanFilter, PlanItem, Reaction, Situation};
use crate::time::Timestamp;
use crate::value::Attributes;
use rusqlite::{Row, params};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const COLUMNS: &str = "situation, reaction, state, user_id, external_id, planned_for, digest, why, fault, author,
    request_id, group_id, number, destructive, explicit, done_at, details";

/// How the words begin that say who let an item through that was held.
pub(crate) const RELEASED: &str = "released by ";

/// An item with what only the engine needs.
#[derive(Clone, Debug)]
pub(crate) struct PlanRow {
    pub(crate) item: PlanItem,
    /// What it was planned for: prints of the user's record and of the account as known then.
    pub(crate) planned_for: String,
    /// SHA-256 over everything that it says.
    pub(crate) digest: String,
    /// When it was done.
    pub(crate) done_at: Option<Timestamp>,
}

struct Raw {
    texts: [Option<String>; 12],
    number: i64,
    destructive: bool,
    explicit: bool,
    done_at: Option<i64>,
    details: Option<Vec<u8>>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let mut texts: [Option<String>; 12] = Default::default();
    for (index, text) in texts.iter_mut().enumerate() {
        *text = row.get(index)?;
    }
    Ok(Raw {
        texts,
        number: row.get(12)?,
        destructive: row.get(13)?,
        explicit: row.get(14)?,
        done_at: row.get(15)?,
        details: row.get(16)?,
    })
}

impl Tx<'_> {
    /// Stores an item whole; `key` is the reconciliation's.
    pub(crate) fn put_item(&mut self, id: &RequestId, key: &UserKey, row: &PlanRow) -> Result<(), Fault> {
        let item = &row.item;
        let user = item.finding.user.as_deref();
        let own = user.map(|user| self.key_of(user)).transpose()?.flatten();
        // Of a user who was erased nothing is kept.
        let details = match (user, own) {
            (Some(_), None) => None,
            (_, own) => Some(self.seal_object(own.as_ref().unwrap_or(key), &place(id, item.number), &details(item))?),
        };
        self.execute(
            "INSERT INTO plan_item (reconciliation_id, number, situation, reaction, state, destructive, explicit, user_id,
             external_id, planned_for, digest, details, why, fault, author, request_id, done_at, group_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
             ON CONFLICT (reconciliation_id, number) DO UPDATE SET situation = excluded.situation,
             reaction = excluded.reaction, state = excluded.state, destructive = excluded.destructive,
             explicit = excluded.explicit, user_id = excluded.user_id, external_id = excluded.external_id,
             planned_for = excluded.planned_for, digest = excluded.digest, details = excluded.details,
             why = excluded.why, fault = excluded.fault, author = excluded.author, request_id = excluded.request_id,
             done_at = excluded.done_at, group_id = excluded.group_id",
            params![
                id.as_str(),
                item.number.cast_signed(),
                item.finding.situation.name(),
                item.reaction.name(),
                item.state.name(),
                item.destructive,
                item.explicit,
                user,
                item.finding.account,
                row.planned_for,
                row.digest,
                details,
                Value::from(item.why.as_slice()).to_string(),
                item.fault.as_ref().map(|fault| faults_text(std::slice::from_ref(fault))),
                item.by,
                item.request.as_ref().map(RequestId::as_str),
                row.done_at.map(Timestamp::as_micros),
                item.group
            ],
        )?;
        Ok(())
    }

    /// Stores what the brake says of an item, and the digest that it has then. What is sealed of it stays.
    pub(crate) fn judge_item(&self, id: &RequestId, row: &PlanRow) -> Result<(), Fault> {
        let item = &row.item;
        self.execute(
            "UPDATE plan_item SET state = $1, destructive = $2, why = $3, digest = $4
             WHERE reconciliation_id = $5 AND number = $6",
            params![
                item.state.name(),
                item.destructive,
                Value::from(item.why.as_slice()).to_string(),
                row.digest,
                id.as_str(),
                item.number.cast_signed()
            ],
        )?;
        Ok(())
    }

    /// Stores how far an item is, and nothing that the digest covers.
    pub(crate) fn save_item(&self, id: &RequestId, row: &PlanRow) -> Result<(), Fault> {
        let item = &row.item;
        self.execute(
            "UPDATE plan_item SET state = $1, why = $2, fault = $3, request_id = $4, done_at = $5
             WHERE reconciliation_id = $6 AND number = $7",
            params![
                item.state.name(),
                Value::from(item.why.as_slice()).to_string(),
                item.fault.as_ref().map(|fault| faults_text(std::slice::from_ref(fault))),
                item.request.as_ref().map(RequestId::as_str),
                row.done_at.map(Timestamp::as_micros),
                id.as_str(),
                item.number.cast_signed()
            ],
        )?;
        Ok(())
    }

    /// Items by their numbers. What cannot be unsealed any more is left out of them.
    pub(crate) fn plan_items(&self, id: &RequestId, filter: &PlanFilter) -> Result<Vec<PlanRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM plan_item WHERE reconciliation_id = $1 AND number > $2
             AND ($3 IS NULL OR state = $3) AND ($4 IS NULL OR situation = $4) AND ($5 IS NULL OR reaction = $5)
             AND ($6 IS NULL OR user_id = $6) ORDER BY number LIMIT $7"
        );
        let rows = self.rows(
            &text,
            params![
                id.as_str(),
                filter.after.unwrap_or(0).cast_signed(),
                filter.state.map(ItemState::name),
                filter.situation.map(Situation::name),
                filter.reaction.map(Reaction::name),
                filter.user.as_ref().map(UserId::as_str),
                limit_of(filter.limit)
            ],
            raw,
        )?;
        let key = self.reconciliation_key(id)?;
        rows.into_iter().map(|row| self.item(id, key.as_ref(), row)).collect()
    }

    /// Items by their numbers about which the brake is still to be asked: those that are planned, and those without a digest.
    pub(crate) fn unjudged_items(&self, id: &RequestId, after: u64, limit: u32) -> Result<Vec<PlanRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM plan_item WHERE reconciliation_id = $1 AND number > $2
             AND (state = 'planned' OR digest = '') ORDER BY number LIMIT $3"
        );
        let rows = self.rows(&text, params![id.as_str(), after.cast_signed(), i64::from(limit)], raw)?;
        let key = self.reconciliation_key(id)?;
        rows.into_iter().map(|row| self.item(id, key.as_ref(), row)).collect()
    }

    /// The next items in a state, oldest first.
    pub(crate) fn next_items(&self, id: &RequestId, state: ItemState, limit: u32) -> Result<Vec<PlanRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM plan_item WHERE reconciliation_id = $1 AND state = $2 ORDER BY number LIMIT $3"
        );
        let rows = self.rows(&text, params![id.as_str(), state.name(), i64::from(limit)], raw)?;
        let key = self.reconciliation_key(id)?;
        rows.into_iter().map(|row| self.item(id, key.as_ref(), row)).collect()
    }

    /// Number and digest of each item, and whether it is held, or was until it was released; what the plan's own digest is
    /// made of.
    pub(crate) fn item_digests(
        &self,
        id: &RequestId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, String, bool)>, Fault> {
        let was_released = |why: &str| {
            let why: Vec<String> = serde_json::from_str(why).unwrap_or_default();
            why.iter().any(|one| one.starts_with(RELEASED))
        };
        self.rows(
            "SELECT number, digest, state = 'held', why FROM plan_item
             WHERE reconciliation_id = $1 AND number > $2 ORDER BY number LIMIT $3",
            params![id.as_str(), after.cast_signed(), i64::from(limit)],
            |row| {
                let is_held = row.get::<_, bool>(2)? || was_released(&row.get::<_, String>(3)?);
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?, is_held))
            },
        )
    }

    /// Whether this person decided on an item of the plan.
    pub(crate) fn has_decided(&self, id: &RequestId, by: &str) -> Result<bool, Fault> {
        let found = self.row(
            "SELECT 1 FROM plan_item WHERE reconciliation_id = $1 AND trim(author) = $2 LIMIT 1",
            [id.as_str(), by.trim()],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(found.is_some())
    }

    /// The accounts of a plan's items in a state, but for those about memberships.
    pub(crate) fn accounts_of_items(&self, id: &RequestId, state: ItemState) -> Result<Vec<String>, Fault> {
        self.rows(
            "SELECT external_id FROM plan_item WHERE reconciliation_id = $1 AND state = $2 AND external_id IS NOT NULL
             AND group_id IS NULL",
            params![id.as_str(), state.name()],
            |row| row.get(0),
        )
    }

    /// Brings every item of a plan from one state to another. Gives how many there were.
    pub(crate) fn move_items(&self, id: &RequestId, from: ItemState, to: ItemState) -> Result<u64, Fault> {
        let moved = self.execute(
            "UPDATE plan_item SET state = $1 WHERE reconciliation_id = $2 AND state = $3",
            params![to.name(), id.as_str(), from.name()],
        )?;
        Ok(moved as u64)
    }

    /// What a reconciliation of an app found about a user last: of which one, its item, and when.
    pub(crate) fn last_item(
        &self,
        app: &AppId,
        user: &UserId,
    ) -> Result<Option<(RequestId, PlanRow, Timestamp)>, Fault> {
        let newest = self.row(
            "SELECT r.id, r.created_at, i.number FROM plan_item AS i JOIN reconciliation AS r ON r.id = i.reconciliation_id
             WHERE i.user_id = $1 AND r.app_id = $2 AND r.kind = 'target' ORDER BY r.id DESC, i.number LIMIT 1",
            params![user.as_str(), app.as_str()],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
        )?;
        let Some((id, at, number)) = newest else { return Ok(None) };
        let id = RequestId::new(id)?;
        let after = number.cast_unsigned().checked_sub(1);
        let filter = PlanFilter { after, limit: Some(1), ..PlanFilter::default() };
        let item = self.plan_items(&id, &filter)?.pop();
        Ok(item.map(|item| (id, item, Timestamp::from_micros(at))))
    }

    /// Drops the items of a plan that is made anew.
    pub(crate) fn clear_items(&self, id: &RequestId) -> Result<(), Fault> {
        self.execute("DELETE FROM plan_item WHERE reconciliation_id = $1", [id.as_str()]).map(drop)
    }

    fn key_of(&self, user: &str) -> Result<Option<UserKey>, Fault> {
        self.user_key(&UserId::new(user)?)
    }

    fn item(&self, id: &RequestId, key: Option<&UserKey>, row: Raw) -> Result<PlanRow, Fault> {
        let [situation, reaction, state, user, account, planned_for, digest, why, fault, by, request, group] =
            row.texts;
        let number = row.number.cast_unsigned();
        let own = user.as_deref().map(|user| self.key_of(user)).transpose()?.flatten();
        let key = if user.is_some() { own.as_ref() } else { key };
        let mut details = match (row.details, key) {
            // Where somebody put other bytes there, the item says nothing, and so is not what its digest says.
            (Some(sealed), Some(key)) => unseal_object(key, &place(id, number), &sealed).unwrap_or_default(),
            _ => Attributes::new(),
        };
        let word = |text: Option<String>| text.unwrap_or_default();
        let faults = details.remove("faults").map(|faults| parse_faults(&faults.to_string())).transpose()?;
        let item = PlanItem {
            number,
            finding: Finding {
                situation: Situation::from_name(&word(situation)).ok_or_else(|| unknown_word("plan_item.situation"))?,
                user,
                account,
                rule: part(&mut details, "rule")?,
                candidates: part(&mut details, "candidates")?.unwrap_or_default(),
                drift: part(&mut details, "drift")?.unwrap_or_default(),
                faults: faults.unwrap_or_default(),
            },
            group,
            reaction: Reaction::from_name(&word(reaction)).ok_or_else(|| unknown_word("plan_item.reaction"))?,
            state: ItemState::from_name(&word(state)).ok_or_else(|| unknown_word("plan_item.state"))?,
            destructive: row.destructive,
            explicit: row.explicit,
            changes: part(&mut details, "changes")?.unwrap_or_default(),
            before: part(&mut details, "before")?.unwrap_or_default(),
            why: serde_json::from_str(&word(why)).map_err(|_| damaged())?,
            request: request.map(RequestId::new).transpose()?,
            fault: fault.map(|fault| parse_faults(&fault)).transpose()?.and_then(|mut faults| faults.pop()),
            by,
        };
        Ok(PlanRow { item, planned_for: word(planned_for), digest: word(digest), done_at: time_of(row.done_at) })
    }
}

/// What of an item is sealed.
fn details(item: &PlanItem) -> Attributes {
    let finding = &item.finding;
    let parts = [
        ("rule", json!(finding.rule)),
        ("candidates", json!(finding.candidates)),
        ("drift", json!(finding.drift)),
        ("faults", json!(finding.faults)),
        ("changes", json!(item.changes)),
        ("before", json!(item.before)),
    ];
    parts.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn part<T: DeserializeOwned>(details: &mut Attributes, name: &str) -> Result<Option<T>, Fault> {
    details.remove(name).map(|value| serde_json::from_value(value).map_err(|_| damaged())).transpose()
}

fn damaged() -> Fault {
    Fault::new(Code::StoreDamaged, "an item of a plan cannot be read")
}

fn place(id: &RequestId, number: u64) -> String {
    format!("plan_item/{id}/{number}")
}
