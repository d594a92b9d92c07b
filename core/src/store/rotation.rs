//! Another key for a file: everything that the host's key seals is sealed under the new one, in one transaction.

use super::reservations::{KEY, KEY_PLACE};
use super::vault::HostKey;
use super::{
    KEY_CHECK, KEY_CHECK_PLACE, LogEvent, Store, Tx, Vault, app_keys, reconciliations, secrets, tokens, unhex,
};
use crate::fault::{Code, Fault};
use crate::model::LogEntry;
use crate::time::Timestamp;
use crate::value::hex;
use rusqlite::params;
use serde_json::json;
use zeroize::Zeroizing;

/// How many rows are sealed anew at a time.
const BATCH: i64 = 1_000;

/// A table whose rows hold something sealed under the host's key.
struct Sealed {
    /// The first batch after a row: its identity in two parts, and the sealed bytes.
    select: &'static str,
    update: &'static str,
    place: fn(&str, &str) -> String,
}

/// Every such table. What is sealed under a key of these rows stays as it is.
const TABLES: [Sealed; 5] = [
    Sealed {
        select: "SELECT user_id, '', key FROM user_key WHERE user_id > $1 OR $2 <> '' ORDER BY user_id LIMIT $3",
        update: "UPDATE user_key SET key = $1 WHERE user_id = $2 AND $3 = ''",
        place: |user, _| user.to_owned(),
    },
    Sealed {
        select: "SELECT app_id, '', key FROM reconciled WHERE key IS NOT NULL AND (app_id > $1 OR $2 <> '')
                 ORDER BY app_id LIMIT $3",
        update: "UPDATE reconciled SET key = $1 WHERE app_id = $2 AND $3 = ''",
        place: |app, _| app_keys::place(app),
    },
    Sealed {
        select: "SELECT id, '', key FROM reconciliation WHERE key IS NOT NULL AND (id > $1 OR $2 <> '')
                 ORDER BY id LIMIT $3",
        update: "UPDATE reconciliation SET key = $1 WHERE id = $2 AND $3 = ''",
        place: |id, _| reconciliations::key_place(id),
    },
    Sealed {
        select: "SELECT app_id, name, value FROM secret WHERE (app_id, name) > ($1, $2) ORDER BY app_id, name LIMIT $3",
        update: "UPDATE secret SET value = $1 WHERE app_id = $2 AND name = $3",
        place: secrets::place,
    },
    Sealed {
        select: "SELECT app_id, '', value FROM token WHERE value IS NOT NULL AND (app_id > $1 OR $2 <> '')
                 ORDER BY app_id LIMIT $3",
        update: "UPDATE token SET value = $1 WHERE app_id = $2 AND $3 = ''",
        place: |app, _| tokens::place(app),
    },
];

impl Store {
    /// Gives the file another key. Everything stays as it was where anything fails.
    ///
    /// # Errors
    /// `key_missing` where `old` is not the file's key.
    pub(crate) fn rotate_key(
        &mut self,
        now: Timestamp,
        old: Option<&HostKey>,
        new: &HostKey,
        by: Option<&str>,
    ) -> Result<Vec<LogEntry>, Fault> {
        if self.vault.host_key.as_ref() != old {
            return Err(Fault::new(Code::KeyMissing, "the old key is not that of the file").at("old"));
        }
        let (check, entries) = self.write(now, |tx| {
            tx.check_key()?;
            let mut count = 0_u64;
            for table in &TABLES {
                count += tx.seal_anew(table, new)?;
            }
            tx.seal_meta_anew(KEY, KEY_PLACE, new)?;
            let check = tx.seal_meta_anew(KEY_CHECK, KEY_CHECK_PLACE, new)?;
            tx.log(LogEvent { by, ..LogEvent::new("key_rotated", json!({"sealed": count})) })?;
            Ok(check)
        })?;
        self.vault.host_key = Some(Zeroizing::new(**new));
        self.vault.checked = check;
        // The write-ahead log still has what the old key opens. Where somebody is reading, a later checkpoint clears it.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        Ok(entries)
    }
}

impl Tx<'_> {
    fn seal_anew(&mut self, table: &Sealed, new: &HostKey) -> Result<u64, Fault> {
        let (mut count, mut after) = (0, (String::new(), String::new()));
        loop {
            let rows = self.rows(table.select, params![after.0, after.1, BATCH], |row| {
                Ok(((row.get(0)?, row.get(1)?), row.get::<_, Vec<u8>>(2)?))
            })?;
            let Some((last, _)) = rows.last() else { return Ok(count) };
            after = last.clone();
            for ((id, name), stored) in rows {
                let stored = self.sealed_anew(&(table.place)(&id, &name), &stored, new)?;
                self.execute(table.update, params![stored, id, name])?;
                count += 1;
            }
        }
    }

    /// Seals a key that stands in `meta` anew, where there is one.
    fn seal_meta_anew(&mut self, name: &str, place: &str, new: &HostKey) -> Result<Option<String>, Fault> {
        let Some(known) = self.meta(name)? else { return Ok(None) };
        let stored = unhex(&known).ok_or_else(|| Fault::new(Code::StoreDamaged, "a key in `meta` cannot be read"))?;
        let stored = hex(&self.sealed_anew(place, &stored, new)?);
        self.put_meta(name, &stored)?;
        Ok(Some(stored))
    }

    fn sealed_anew(&mut self, place: &str, stored: &[u8], new: &HostKey) -> Result<Vec<u8>, Fault> {
        // A file without a key has keys in clear, and nothing else that is sealed.
        let plain = if Vault::is_wrapped(stored) {
            self.vault.reveal(place, stored)?
        } else {
            Zeroizing::new(self.vault.unwrap(place, stored)?.to_vec())
        };
        self.vault.wrap_under(new, place, &plain)
    }
}
