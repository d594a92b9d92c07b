//! The store: one SQLite file. SQL text lives here and nowhere else. Every write is one IMMEDIATE transaction; what
//! happened is logged in the transaction that did it.

mod accounts;
mod app_keys;
mod apps;
mod attempts;
#[cfg(test)]
pub(crate) mod cost;
mod dialect;
mod gates;
mod given;
mod group_ledger;
mod held_access;
mod holds;
mod lessons;
mod log;
mod memberships;
mod metrics;
mod not_kept;
mod observations;
mod open;
mod packing;
mod plans;
mod process;
mod reconciliations;
mod references;
mod requests;
mod reservations;
mod rotation;
mod schemas;
mod secrets;
mod source;
mod staging;
mod together;
mod tokens;
mod undo;
mod users;
mod vault;
mod waits;

pub(crate) use accounts::{AccountRow, KnownLink, LinkRow};
pub(crate) use apps::definition_text;
pub(crate) use gates::GateRows;
pub(crate) use given::{Given, GivenMembership, Kept};
pub(crate) use held_access::HeldAccess;
pub(crate) use log::Event as LogEvent;
pub(crate) use memberships::MembershipRow;
pub(crate) use plans::{PlanRow, RELEASED};
pub(crate) use process::Owner;
pub(crate) use reconciliations::{ReconciliationRow, Remembered};
pub(crate) use requests::RequestRow;
pub(crate) use reservations::{Mark, Reservation};
pub(crate) use schemas::target_of;
pub(crate) use together::Together;
pub(crate) use tokens::{Asking, TokenRow, TokenValue};
pub(crate) use undo::MembershipDeed;
pub(crate) use users::{StoredUser, UserState};
pub(crate) use vault::{UserKey, fingerprint};

use crate::fault::{Code, Fault};
use crate::id::{Random, RequestId};
use crate::model::LogEntry;
use crate::time::{Moment, Timestamp};
use crate::value::Attributes;
use dialect::store_fault;
use rusqlite::{Connection, OptionalExtension, Params, Row, Statement, TransactionBehavior};
use std::path::Path;
use vault::Vault;

/// A sealed word in `meta`, by which the host's key is known to be the file's.
const KEY_CHECK: &str = "key_check";
const KEY_CHECK_PLACE: &str = "rollkeeper key check";

/// One open database.
pub(crate) struct Store {
    connection: Connection,
    vault: Vault,
    lock: Option<open::Lock>,
    /// The transaction that several writers share, while it is open.
    group: Option<together::Group>,
    /// Last, so that the file is closed before it counts as such.
    _noted: Option<process::Noted>,
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
        self.end_group();
        let sql = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| store_fault(&error))?;
        let mut tx = Tx::new(&sql, &mut self.vault, now);
        let result = work(&mut tx)?;
        let entries = tx.entries;
        sql.commit().map_err(|error| store_fault(&error))?;
        Ok((result, entries))
    }

    /// [`Store::write`] for what is had again where it is lost: the commit is answered before it is on the disk. A process
    /// that dies loses nothing; a machine that loses its power goes back to an earlier commit, never to one in between. The
    /// next commit of [`Store::write`] puts everything before it on the disk. Whatever is logged must not be written so.
    pub(crate) fn write_ahead<T>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.end_group();
        dialect::await_disk(&self.connection, false).map_err(|error| store_fault(&error))?;
        let result = self.write(now, work);
        dialect::await_disk(&self.connection, true).map_err(|error| store_fault(&error))?;
        result.map(|(result, _)| result)
    }

    /// Runs `work` on one consistent view without writing.
    pub(crate) fn read<T>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.end_group();
        let sql = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(|error| store_fault(&error))?;
        let mut tx = Tx::new(&sql, &mut self.vault, now);
        work(&mut tx)
    }

    /// Writes a consistent copy to a file that does not exist yet.
    pub(crate) fn backup(&mut self, path: &Path) -> Result<(), Fault> {
        self.end_group();
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

    /// Makes sure that the host's key is the one of the file, before anything is done. A new file remembers its key by a
    /// sealed word; one without a key says so.
    fn check_key(&mut self, writes: bool) -> Result<(), Fault> {
        let known = self.read(Timestamp::default(), |tx| tx.meta(KEY_CHECK))?;
        let known = match known {
            Some(known) => {
                let stored =
                    unhex(&known).ok_or_else(|| Fault::new(Code::StoreDamaged, "the key check cannot be read"))?;
                self.vault.unwrap(KEY_CHECK_PLACE, &stored)?;
                if self.vault.is_keyed() != Vault::is_wrapped(&stored) {
                    return Err(Fault::new(Code::KeyMissing, "the file was made without a key; open it without one"));
                }
                known
            }
            None if !writes => return Ok(()),
            None => {
                let word = self.vault.new_user_key()?;
                let stored = crate::value::hex(&self.vault.wrap(KEY_CHECK_PLACE, &word)?);
                self.write(Timestamp::default(), |tx| tx.put_meta(KEY_CHECK, &stored))?;
                stored
            }
        };
        self.vault.checked = Some(known);
        Ok(())
    }

    /// Lets new request ids sort after those in the file.
    fn remember_ids(&mut self) -> Result<(), Fault> {
        // A plan that no request stands for has an id of the same kind.
        for text in [
            "SELECT id FROM request ORDER BY id DESC LIMIT 1",
            "SELECT id FROM reconciliation ORDER BY id DESC LIMIT 1",
        ] {
            let newest = self.read(Timestamp::default(), |tx| tx.row(text, [], |row| row.get::<_, String>(0)))?;
            if let Some(id) = newest {
                self.vault.random.saw(&id);
            }
        }
        Ok(())
    }
}

/// One transaction, and the time it happens at.
pub(crate) struct Tx<'a> {
    sql: &'a Connection,
    vault: &'a mut Vault,
    pub(crate) now: Timestamp,
    /// The same on a clock that nobody can set; only delivery tells it.
    pub(crate) moment: Moment,
    head: Option<(u64, String)>,
    entries: Vec<LogEntry>,
    pub(crate) tally: Tally,
    /// Whether anything is held, once that was looked up.
    any_hold: Option<bool>,
    /// Whether the host's key was found to be the file's still.
    key_checked: bool,
}

/// How many requests ended in a transaction.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
}

impl<'a> Tx<'a> {
    fn new(sql: &'a Connection, vault: &'a mut Vault, now: Timestamp) -> Self {
        let (moment, tally) = (Moment::default(), Tally::default());
        Self { sql, vault, now, moment, head: None, entries: Vec::new(), tally, any_hold: None, key_checked: false }
    }
}

impl Tx<'_> {
    /// A new request id.
    pub(crate) fn request_id(&mut self) -> Result<RequestId, Fault> {
        self.vault.random.request_id(self.now)
    }

    /// Runs `work` as a part that stands or falls on its own: where it fails nothing of it stays, and the transaction goes on.
    pub(crate) fn part<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let (head, logged, tally) = (self.head.clone(), self.entries.len(), self.tally);
        self.execute("SAVEPOINT part", [])?;
        let result = work(self);
        if result.is_err() {
            self.execute("ROLLBACK TO SAVEPOINT part", [])?;
            self.head = head;
            self.entries.truncate(logged);
            self.tally = tally;
        }
        self.execute("RELEASE SAVEPOINT part", [])?;
        result
    }

    /// Fails where another process gave the file another key since it was opened: what this one would seal, nobody could open.
    fn check_key(&mut self) -> Result<(), Fault> {
        if !self.key_checked {
            if self.meta(KEY_CHECK)? != self.vault.checked {
                let message = "the file was given another key since it was opened; open it anew with that one";
                return Err(Fault::new(Code::KeyMissing, message));
            }
            self.key_checked = true;
        }
        Ok(())
    }

    /// The stored form of a key: [`Vault::wrap`].
    fn wrap(&mut self, place: &str, key: &UserKey) -> Result<Vec<u8>, Fault> {
        self.check_key()?;
        self.vault.wrap(place, key)
    }

    /// A random key that is kept nowhere.
    pub(crate) fn random_key(&mut self) -> Result<[u8; 32], Fault> {
        self.vault.new_user_key().map(|key| *key)
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

    /// A word kept about the file itself.
    fn meta(&self, name: &str) -> Result<Option<String>, Fault> {
        self.row("SELECT value FROM meta WHERE name = $1", [name], |row| row.get(0))
    }

    fn put_meta(&self, name: &str, value: &str) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [name, value],
        )?;
        Ok(())
    }

    fn seal_object(&mut self, key: &UserKey, place: &str, object: &Attributes) -> Result<Vec<u8>, Fault> {
        self.vault.seal(key, place, crate::value::canonical_object(object).as_bytes())
    }
}

fn unseal_object(key: &UserKey, place: &str, sealed: &[u8]) -> Result<Attributes, Fault> {
    let plain = vault::unseal(key, place, sealed)?;
    serde_json::from_slice(&plain).map_err(|_| Fault::new(Code::StoreDamaged, "a sealed value is no JSON object"))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_had_again_is_answered_before_it_is_on_the_disk() {
        let (mut store, _) = Store::open_at(None, None, Random::new(None), true).unwrap();
        let level = |tx: &mut Tx<'_>| Ok(tx.row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0))?.unwrap());
        let now = Timestamp::default();
        assert_eq!(store.write_ahead(now, level).unwrap(), 1);
        assert_eq!(store.write(now, level).unwrap().0, 2);
        let failed = |_: &mut Tx<'_>| Err::<(), _>(Fault::new(Code::Internal, "it fails"));
        assert!(store.write_ahead(now, failed).is_err());
        assert_eq!(store.write(now, level).unwrap().0, 2);
    }

    /// Every SQL text of the store, as it stands in the source.
    const SOURCES: [&str; 29] = [
        include_str!("mod.rs"),
        include_str!("accounts.rs"),
        include_str!("app_keys.rs"),
        include_str!("apps.rs"),
        include_str!("attempts.rs"),
        include_str!("gates.rs"),
        include_str!("given.rs"),
        include_str!("holds.rs"),
        include_str!("lessons.rs"),
        include_str!("log.rs"),
        include_str!("memberships.rs"),
        include_str!("metrics.rs"),
        include_str!("not_kept.rs"),
        include_str!("observations.rs"),
        include_str!("open.rs"),
        include_str!("plans.rs"),
        include_str!("reconciliations.rs"),
        include_str!("references.rs"),
        include_str!("requests.rs"),
        include_str!("reservations.rs"),
        include_str!("rotation.rs"),
        include_str!("schemas.rs"),
        include_str!("secrets.rs"),
        include_str!("source.rs"),
        include_str!("staging.rs"),
        include_str!("tokens.rs"),
        include_str!("undo.rs"),
        include_str!("users.rs"),
        include_str!("waits.rs"),
    ];

    /// The numbers of the parameters in order of first appearance.
    fn parameters(text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for part in text.split('$').skip(1) {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            found.extend(digits.parse().ok().filter(|number| !found.contains(number)));
        }
        found
    }

    /// SQLite binds `$n` by order of first appearance, PostgreSQL by number: numbered in that order, both agree.
    #[test]
    fn parameters_are_numbered_in_order_of_appearance() {
        let mut statements = 0;
        for text in SOURCES.iter().flat_map(|source| source.split('"').skip(1).step_by(2)) {
            let found = parameters(text);
            // A text that is put together from parts may begin with the second parameter: the first stands in the part.
            let first = found.first().copied().unwrap_or(1);
            let expected: Vec<usize> = (first..first + found.len()).collect();
            assert_eq!(found, expected, "{text}");
            statements += usize::from(!found.is_empty());
        }
        assert!(statements > 25, "only {statements} statements were found");
    }

    #[test]
    fn a_wrong_order_of_parameters_is_seen() {
        assert_eq!(parameters("SELECT $2 WHERE x = $1 AND y = $2"), [2, 1]);
    }
}
