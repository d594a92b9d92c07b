//! Tokens of authorization servers, and who is asking for one: for every process on the file.

use super::requests::guard_of;
use super::{Tx, time_of};
use crate::fault::{Code, Fault};
use crate::id::AppId;
use crate::protocol::Guard;
use crate::secret::Secret;
use crate::time::Timestamp;
use rusqlite::{Row, params};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// What is known of an app's token without opening it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenRow {
    /// How often a token was had.
    pub(crate) serial: u64,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) refresh_expires_at: Option<Timestamp>,
    /// Why none can be had: the code of a failure that only a person mends.
    pub(crate) failure: Option<String>,
    /// Who is asking for one.
    pub(crate) asking: Option<Asking>,
    /// Of which end it was told ahead that it comes.
    pub(crate) told_of: Option<Timestamp>,
}

/// Somebody is asking for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asking {
    pub(crate) holder: String,
    /// For how long nobody else asks. Once it is over, or cut off because the process is dead, nobody knows what came of it.
    pub(crate) guard: Guard,
}

/// What is sealed. It cannot be printed: its secrets are redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenValue {
    /// The access token; none where only the refresh token is known.
    pub(crate) access: Option<Secret>,
    pub(crate) refresh: Option<Secret>,
    /// By which definition the access token was had.
    pub(crate) definition: String,
    /// The first refresh tokens from which chains began, as fingerprints; the last is the chain in use.
    pub(crate) chains: Vec<String>,
}

impl TokenValue {
    /// The chain that a first refresh token begins, where it was not begun before.
    pub(crate) fn new_chain(&self, first: &Secret) -> Option<String> {
        let chain = crate::value::sha256_hex(first.reveal().as_bytes());
        (!self.chains.contains(&chain)).then_some(chain)
    }
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    let holder: Option<String> = row.get(5)?;
    let guard = guard_of([row.get(6)?, row.get(7)?, row.get(8)?]);
    Ok(TokenRow {
        serial: row.get::<_, i64>(0)?.cast_unsigned(),
        issued_at: time_of(row.get(1)?),
        expires_at: time_of(row.get(2)?),
        refresh_expires_at: time_of(row.get(3)?),
        failure: row.get(4)?,
        asking: holder.zip(guard).map(|(holder, guard)| Asking { holder, guard }),
        told_of: time_of(row.get(9)?),
    })
}

impl Tx<'_> {
    /// What is known of an app's token.
    pub(crate) fn token(&self, app: &AppId) -> Result<Option<TokenRow>, Fault> {
        self.row(
            "SELECT serial, issued_at, expires_at, refresh_expires_at, failure, holder, guard_boot, guard_moment,
             guard_wait, told_of FROM token WHERE app_id = $1",
            [app.as_str()],
            row_of,
        )
    }

    /// The token itself.
    pub(crate) fn token_value(&self, app: &AppId) -> Result<Option<TokenValue>, Fault> {
        let sealed = self
            .row("SELECT value FROM token WHERE app_id = $1", [app.as_str()], |row| row.get::<_, Option<Vec<u8>>>(0))?;
        let Some(sealed) = sealed.flatten() else { return Ok(None) };
        let plain = self.vault.reveal(&place(app.as_str()), &sealed)?;
        read(&plain).map(Some)
    }

    /// Whether tokens and secrets can be kept: the host gave a key.
    pub(crate) fn keeps_secrets(&self) -> bool {
        self.vault.is_keyed()
    }

    /// Notes who is asking for a token from now on.
    pub(crate) fn ask_token(&self, app: &AppId, asking: &Asking) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO token (app_id, serial, holder, asked_at, guard_boot, guard_moment, guard_wait)
             VALUES ($1, 0, $2, $3, $4, $5, $6)
             ON CONFLICT (app_id) DO UPDATE SET holder = excluded.holder, asked_at = excluded.asked_at,
             guard_boot = excluded.guard_boot, guard_moment = excluded.guard_moment, guard_wait = excluded.guard_wait",
            params![
                app.as_str(),
                asking.holder,
                self.now.as_micros(),
                asking.guard.until.boot.cast_signed(),
                asking.guard.until.micros,
                asking.guard.wait.as_micros(),
            ],
        )?;
        Ok(())
    }

    /// Stores a token in place of the one before; nobody is asking any more.
    pub(crate) fn put_token(&mut self, app: &AppId, row: &TokenRow, value: &TokenValue) -> Result<(), Fault> {
        self.check_key()?;
        let sealed = self.vault.hide(&place(app.as_str()), &written(value))?;
        let micros = |time: Option<Timestamp>| time.map(Timestamp::as_micros);
        self.execute(
            "INSERT INTO token (app_id, value, serial, issued_at, expires_at, refresh_expires_at, failure, told_of)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (app_id) DO UPDATE SET value = excluded.value, serial = excluded.serial,
             issued_at = excluded.issued_at, expires_at = excluded.expires_at,
             refresh_expires_at = excluded.refresh_expires_at, failure = excluded.failure, told_of = excluded.told_of,
             holder = NULL, asked_at = NULL, guard_boot = NULL, guard_moment = NULL, guard_wait = NULL",
            params![
                app.as_str(),
                sealed,
                row.serial.cast_signed(),
                micros(row.issued_at),
                micros(row.expires_at),
                micros(row.refresh_expires_at),
                row.failure,
                micros(row.told_of),
            ],
        )?;
        Ok(())
    }

    /// That holder is asking no more, and has no token. With `failure` a person has to mend something.
    pub(crate) fn end_asking(&self, app: &AppId, holder: &str, failure: Option<&str>) -> Result<(), Fault> {
        self.execute(
            "UPDATE token SET failure = $1, holder = NULL, asked_at = NULL, guard_boot = NULL, guard_moment = NULL,
             guard_wait = NULL WHERE app_id = $2 AND holder = $3",
            params![failure, app.as_str(), holder],
        )?;
        Ok(())
    }

    /// That holder is asking no more, and nobody knows what came of it.
    pub(crate) fn leave_asking(&self, app: &AppId, holder: &str) -> Result<(), Fault> {
        self.execute(
            "UPDATE token SET guard_moment = 0, guard_wait = 0 WHERE app_id = $1 AND holder = $2",
            [app.as_str(), holder],
        )?;
        Ok(())
    }

    /// Nobody who was asking for tokens lives any more.
    pub(crate) fn leave_all_asking(&self) -> Result<(), Fault> {
        self.execute("UPDATE token SET guard_moment = 0, guard_wait = 0 WHERE holder IS NOT NULL", [])?;
        Ok(())
    }

    /// Notes of which end it was told ahead that it comes.
    pub(crate) fn note_told_of(&self, app: &AppId, end: Timestamp) -> Result<(), Fault> {
        self.execute(
            "INSERT INTO token (app_id, serial, told_of) VALUES ($1, 0, $2)
             ON CONFLICT (app_id) DO UPDATE SET told_of = excluded.told_of",
            params![app.as_str(), end.as_micros()],
        )?;
        Ok(())
    }
}

/// What a sealed token is bound to.
pub(super) fn place(app: &str) -> String {
    format!("rollkeeper token {app}")
}

fn written(value: &TokenValue) -> Zeroizing<Vec<u8>> {
    let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
    let object = json!({
        "access_token": text(&value.access),
        "refresh_token": text(&value.refresh),
        "definition": value.definition,
        "chains": value.chains,
    });
    Zeroizing::new(object.to_string().into_bytes())
}

fn read(plain: &[u8]) -> Result<TokenValue, Fault> {
    let damaged = || Fault::new(Code::StoreDamaged, "a stored token cannot be read");
    let object: Value = serde_json::from_slice(plain).map_err(|_| damaged())?;
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let chains = object.get("chains").and_then(Value::as_array).ok_or_else(damaged)?;
    Ok(TokenValue {
        access: text("access_token").map(Secret::new),
        refresh: text("refresh_token").map(Secret::new),
        definition: text("definition").ok_or_else(damaged)?.to_owned(),
        chains: chains.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}
