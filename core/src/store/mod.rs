//! The store: one SQLite file. SQL text lives here and nowhere else. Every write is one IMMEDIATE transaction; what
//! happened is logged in the transaction that did it.

mod accounts;
mod apps;
mod attempts;
#[cfg(test)]
pub(crate) mod cost;
mod dialect;
mod log;
mod open;
mod requests;
mod users;
mod vault;

pub(crate) use accounts::AccountRow;
pub(crate) use apps::definition_text;
pub(crate) use log::Event as LogEvent;
pub(crate) use requests::RequestRow;
pub(crate) use users::{StoredUser, UserState};
pub(crate) use vault::{UserKey, fingerprint};

use crate::fault::{Code, Fault};
use crate::id::{Random, RequestId, UserId};
use crate::model::LogEntry;
use crate::time::Timestamp;
use crate::value::Attributes;
use dialect::store_fault;
use rusqlite::{Connection, OptionalExtension, Params, Row, Statement, TransactionBehavior};
use std::path::Path;
use vault::Vault;

/// One open database.
pub(crate) struct Store {
    connection: Connection,
    vault: Vault,
    _lock: Option<open::Lock>,
}

impl Store {
    /// Opens the file, or a store in memory. The second answer tells whether nobody else has the file open.
    pub(crate) fn open_at(
        path: Option<&Path>,
        key: Option<[u8; 32]>,
        random: Random,
        writes: bool,
    ) -> Result<(Self, bool), Fault> {
        Self::open(path, Vault::new(key, random), writes)
    }

    /// Runs `work` in one transaction and commits it; nothing of it stays where it fails. Also gives what was logged.
    pub(crate) fn write<T>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<(T, Vec<LogEntry>), Fault> {
        let sql = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| store_fault(&error))?;
        let mut tx = Tx { sql: &sql, vault: &mut self.vault, now, head: None, entries: Vec::new() };
        let result = work(&mut tx)?;
        let entries = tx.entries;
        sql.commit().map_err(|error| store_fault(&error))?;
        Ok((result, entries))
    }

    /// Runs `work` on one consistent view without writing.
    pub(crate) fn read<T>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let sql = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(|error| store_fault(&error))?;
        let mut tx = Tx { sql: &sql, vault: &mut self.vault, now, head: None, entries: Vec::new() };
        work(&mut tx)
    }

    /// Writes a consistent copy to a file that does not exist yet.
    pub(crate) fn backup(&self, path: &Path) -> Result<(), Fault> {
        if path.exists() {
            return Err(Fault::new(Code::StoreUnwritable, "the backup's file exists already"));
        }
        self.connection
            .backup("main", path, None::<fn(rusqlite::backup::Progress)>)
            .map_err(|error| store_fault(&error))?;
        #[cfg(unix)]
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .map_err(|_| Fault::new(Code::StoreUnwritable, "the backup's mode could not be set"))?;
        Ok(())
    }

    /// Makes sure that the host's key is the one under which the file's keys are sealed, before anything is done.
    fn check_key(&mut self) -> Result<(), Fault> {
        self.read(Timestamp::default(), |tx| {
            let first = tx.row("SELECT user_id, key FROM user_key LIMIT 1", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?;
            first.map_or(Ok(()), |(user, key)| tx.vault.unwrap(&UserId::new(user)?, &key).map(|_| ()))
        })
    }

    /// Lets new request ids sort after those in the file.
    fn remember_ids(&mut self) -> Result<(), Fault> {
        let newest = self.read(Timestamp::default(), |tx| {
            tx.row("SELECT id FROM request ORDER BY id DESC LIMIT 1", [], |row| row.get::<_, String>(0))
        })?;
        if let Some(id) = newest {
            self.vault.random.saw(&id);
        }
        Ok(())
    }
}

/// One transaction, and the time it happens at.
pub(crate) struct Tx<'a> {
    sql: &'a Connection,
    vault: &'a mut Vault,
    pub(crate) now: Timestamp,
    head: Option<(u64, String)>,
    entries: Vec<LogEntry>,
}

impl Tx<'_> {
    /// A new request id.
    pub(crate) fn request_id(&mut self) -> Result<RequestId, Fault> {
        self.vault.random.request_id(self.now)
    }

    /// Runs `work` as a part that stands or falls on its own: where it fails nothing of it stays, and the transaction goes on.
    pub(crate) fn part<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let (head, logged) = (self.head.clone(), self.entries.len());
        self.execute("SAVEPOINT part", [])?;
        let result = work(self);
        if result.is_err() {
            self.execute("ROLLBACK TO SAVEPOINT part", [])?;
            self.head = head;
            self.entries.truncate(logged);
        }
        self.execute("RELEASE SAVEPOINT part", [])?;
        result
    }

    /// A random number below `below`.
    pub(crate) fn random_below(&mut self, below: u64) -> Result<u64, Fault> {
        self.vault.random.below(below)
    }

    fn execute(&self, text: &str, params: impl Params) -> Result<usize, Fault> {
        self.with(text, |statement| statement.execute(params))
    }

    fn row<T>(
        &self,
        text: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Fault> {
        self.with(text, |statement| statement.query_row(params, read).optional())
    }

    fn rows<T>(
        &self,
        text: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Fault> {
        self.with(text, |statement| statement.query_map(params, read)?.collect())
    }

    /// Prepares a statement, once for each text, and uses it.
    fn with<T>(&self, text: &str, work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>) -> Result<T, Fault> {
        let mut statement = self.sql.prepare_cached(text).map_err(|error| store_fault(&error))?;
        let result = work(&mut statement).map_err(|error| store_fault(&error));
        #[cfg(test)]
        cost::count(self.sql, text, &statement);
        result
    }

    fn seal_object(&mut self, key: &UserKey, place: &str, object: &Attributes) -> Result<Vec<u8>, Fault> {
        self.vault.seal(key, place, crate::value::canonical_object(object).as_bytes())
    }
}

fn unseal_object(key: &UserKey, place: &str, sealed: &[u8]) -> Result<Attributes, Fault> {
    let plain = vault::unseal(key, place, sealed)?;
    serde_json::from_slice(&plain).map_err(|_| Fault::new(Code::StoreDamaged, "a sealed value is no JSON object"))
}

/// A stored word that this version does not know: the file was changed by other hands.
fn unknown_word(column: &str) -> Fault {
    Fault::new(Code::StoreDamaged, format!("the column `{column}` holds an unknown word"))
}

fn time_of(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::from_micros)
}

/// The limit of a listing: 1,000 where none is given.
fn limit_of(limit: Option<u32>) -> i64 {
    i64::from(limit.unwrap_or(1000))
}
