//! The accounts of a server of the zoo, as they really are, whatever it shows of them.

use super::patch::{Refusal, name_of};
use super::personality::{Dates, Ids, Store};
use rollkeeper::Timestamp;
use serde_json::{Map, Value, json};

/// A resource.
pub type Record = Map<String, Value>;

const SECOND: i64 = 1_000_000;

/// An account.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) record: Record,
    pub(super) version: u64,
    /// When it was made, and changed last.
    pub(super) made: i64,
    pub(super) changed: i64,
    /// What it was before, and when that ended; none where there was nothing.
    before: Vec<(i64, Option<Record>)>,
}

impl Kept {
    /// What it was at a moment.
    pub(super) fn at(&self, moment: i64) -> Option<&Record> {
        let past = self.before.iter().find(|(until, _)| moment < *until);
        past.map_or(Some(&self.record), |(_, record)| record.as_ref())
    }

    /// What it says of when it was changed.
    pub(super) fn date(&self, how: Dates) -> Option<Timestamp> {
        let moment = match how {
            Dates::Absent => return None,
            Dates::Some if self.id.ends_with(['3', '6', '9']) => return None,
            Dates::Moves | Dates::Some => self.changed,
            Dates::Stays => self.made,
            Dates::Behind => ago(self.changed, 7200),
        };
        Some(Timestamp::from_micros(moment))
    }

    pub(super) fn is_active(&self) -> bool {
        self.record.get("active") != Some(&Value::Bool(false))
    }
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) accounts: Vec<Kept>,
    made: u64,
    versions: u64,
}

impl Directory {
    /// Makes an account; the one that is there already where the server answers so.
    pub(super) fn make(&mut self, record: Record, store: &Store, now: i64) -> Result<Kept, Refusal> {
        let mut record = kept_of(record, store);
        let name = user_name(&record).to_owned();
        if !store.not_unique
            && let Some(holder) = self.accounts.iter().find(|one| is_name(user_name(&one.record), &name, store))
        {
            if store.answers_existing {
                return Ok(holder.clone());
            }
            if !store.renames {
                return Err(Refusal { status: 409, kind: Some("uniqueness"), detail: "the name is taken" });
            }
            record.insert("userName".to_owned(), format!("{name}1").into());
        }
        self.made += 1;
        let number = self.made;
        let id = match store.ids {
            Ids::Text => format!("a{number}"),
            Ids::Number => number.to_string(),
            Ids::Username => name,
            Ids::Odd => format!("k&d/Kr 6%T?{number}#é"),
            Ids::External => {
                record.get("externalId").and_then(Value::as_str).map_or(format!("a{number}"), str::to_owned)
            }
        };
        self.versions += 1;
        let kept = Kept { id, record, version: self.versions, made: now, changed: now, before: vec![(now, None)] };
        self.accounts.push(kept.clone());
        Ok(kept)
    }

    pub(super) fn find(&self, id: &str) -> Option<&Kept> {
        self.accounts.iter().find(|one| one.id == id)
    }

    /// Puts a record in the place of another.
    pub(super) fn put(&mut self, id: &str, record: Record, store: &Store, now: i64) -> Result<Kept, Refusal> {
        let mut record = kept_of(record, store);
        let name = user_name(&record).to_owned();
        let taken = |one: &&Kept| one.id != id && is_name(user_name(&one.record), &name, store);
        if !store.not_unique && self.accounts.iter().find(taken).is_some() {
            return Err(Refusal { status: 409, kind: Some("uniqueness"), detail: "the name is taken" });
        }
        let versions = self.versions + 1;
        let missing = Refusal { status: 404, kind: None, detail: "no such account" };
        let kept = self.accounts.iter_mut().find(|one| one.id == id).ok_or(missing)?;
        for attribute in &store.keeps_first {
            match kept.record.get(attribute) {
                Some(first) => drop(record.insert(attribute.clone(), first.clone())),
                None => drop(record.remove(attribute)),
            }
        }
        if record != kept.record {
            kept.before.push((now, Some(std::mem::replace(&mut kept.record, record))));
            kept.version = versions;
            kept.changed = now;
            self.versions = versions;
        }
        Ok(kept.clone())
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        let count = self.accounts.len();
        self.accounts.retain(|one| one.id != id);
        self.accounts.len() < count
    }
}

/// A moment so many seconds ago.
pub(super) fn ago(now: i64, seconds: i64) -> i64 {
    now.saturating_sub(seconds.saturating_mul(SECOND))
}

pub(super) fn user_name(record: &Record) -> &str {
    record.get("userName").and_then(Value::as_str).unwrap_or_default()
}

fn is_name(one: &str, other: &str, store: &Store) -> bool {
    one == other || !store.exact_names && one.to_lowercase() == other.to_lowercase()
}

/// What the server keeps of what it is sent.
fn kept_of(mut record: Record, store: &Store) -> Record {
    for own in ["id", "meta", "schemas", "groups"] {
        record.remove(own);
    }
    record.retain(|name, _| !store.drops.iter().any(|dropped| name_of(name) == name_of(dropped)));
    if let (true, Some(Value::String(name))) = (store.lower_names, record.get_mut("userName")) {
        *name = name.to_lowercase();
    }
    for value in record.values_mut() {
        match value {
            Value::String(text) => {
                if let Some(most) = store.truncates {
                    *text = text.chars().take(most).collect();
                }
            }
            Value::Array(elements) if store.single_valued => elements.truncate(1),
            _ => {}
        }
    }
    record.retain(|_, value| !value.is_null() && *value != json!([]) && *value != json!({}));
    record
}
