//! Accounts and their links. Attributes are sealed under the key of the user who owns the account.

use super::vault::unseal;
use super::{Tx, UserKey, limit_of, time_of, unknown_word, unseal_object};
use crate::fault::Fault;
use crate::id::{AppId, UserId};
use crate::model::{Account, AccountFilter, AccountStatus, LinkState};
use crate::scope::Projected;
use crate::time::Timestamp;
use crate::value::Attributes;
use rusqlite::{Row, params};
use serde_json::Value;

const COLUMNS: &str =
    "app_id, external_id, user_id, status, frozen, link_state, known_link, attributes, applied, fingerprint,
    version, created_at, updated_at, deleted_at";

/// An account with what only the engine needs.
#[derive(Clone, Debug)]
pub(crate) struct AccountRow {
    pub(crate) account: Account,
    /// The attributes that we sent last.
    pub(crate) applied: Option<Attributes>,
    /// The fingerprint of the inputs from which they were rendered.
    pub(crate) fingerprint: Option<String>,
}

impl AccountRow {
    /// What there is, as decisions see it.
    pub(crate) fn projected(&self) -> Projected {
        Projected {
            exists: true,
            active: self.account.status == AccountStatus::Active,
            frozen: self.account.frozen,
            fingerprint: self.fingerprint.clone(),
            ..Projected::default()
        }
    }
}

/// Whose an account is.
pub(crate) struct LinkRow {
    pub(crate) external_id: String,
    pub(crate) user: Option<String>,
    pub(crate) link_state: LinkState,
    pub(crate) status: AccountStatus,
}

/// Whose an account is, with what the analysis asks besides when it looks closely.
pub(crate) struct KnownLink {
    pub(crate) link: LinkRow,
    pub(crate) known: bool,
    pub(crate) frozen: bool,
    /// The JSON of the attributes that we sent last.
    pub(crate) applied: Option<Vec<u8>>,
}

struct Raw {
    texts: [Option<String>; 7],
    frozen: bool,
    known_link: bool,
    attributes: Option<Vec<u8>>,
    applied: Option<Vec<u8>>,
    times: [Option<i64>; 3],
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        texts: [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(5)?, row.get(9)?, row.get(10)?],
        frozen: row.get(4)?,
        known_link: row.get(6)?,
        attributes: row.get(7)?,
        applied: row.get(8)?,
        times: [row.get(11)?, row.get(12)?, row.get(13)?],
    })
}

impl Tx<'_> {
    /// The living account that is linked to the user.
    pub(crate) fn linked_account(
        &self,
        app: &AppId,
        user: &UserId,
        key: &UserKey,
    ) -> Result<Option<AccountRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM account WHERE app_id = $1 AND user_id = $2 AND link_state = 'Linked'
             AND status <> 'Deleted'"
        );
        let row = self.row(&text, params![app.as_str(), user.as_str()], raw)?;
        row.map(|row| account(row, Some(key))).transpose()
    }

    /// Who owns the account, where it is known and alive.
    pub(crate) fn account_owner(&self, app: &AppId, external_id: &str) -> Result<Option<UserId>, Fault> {
        let owner = self.row(
            "SELECT user_id FROM account WHERE app_id = $1 AND external_id = $2 AND status <> 'Deleted'",
            params![app.as_str(), external_id],
            |row| row.get::<_, Option<String>>(0),
        )?;
        owner.flatten().map(UserId::new).transpose()
    }

    /// Accounts by app and external id.
    pub(crate) fn accounts(&self, filter: &AccountFilter) -> Result<Vec<Account>, Fault> {
        let (condition, owner) = match &filter.user {
            Some(user) => ("user_id = $1", Some(user)),
            None => ("$1 IS NULL", None),
        };
        let text = format!(
            "SELECT {COLUMNS} FROM account WHERE {condition} AND ($2 IS NULL OR app_id = $2)
             AND ($3 IS NULL OR status = $3) AND ($4 IS NULL OR link_state = $4)
             AND ($5 IS NULL OR app_id > $5 OR (app_id = $5 AND external_id > $6))
             ORDER BY app_id, external_id LIMIT $7"
        );
        let after = filter.after.as_ref();
        let rows = self.rows(
            &text,
            params![
                owner,
                filter.app,
                filter.status.map(AccountStatus::name),
                filter.link_state.map(LinkState::name),
                after.map(|after| &after.0),
                after.map(|after| &after.1),
                limit_of(filter.limit)
            ],
            raw,
        )?;
        rows.into_iter()
            .map(|row| {
                let key = self.account_key(&row)?;
                Ok(account(row, key.as_ref())?.account)
            })
            .collect()
    }

    /// The account of that external id, alive or not, with what could be unsealed of it.
    pub(crate) fn account_at(&self, app: &AppId, external_id: &str) -> Result<Option<AccountRow>, Fault> {
        let text = format!("SELECT {COLUMNS} FROM account WHERE app_id = $1 AND external_id = $2");
        let Some(row) = self.row(&text, params![app.as_str(), external_id], raw)? else { return Ok(None) };
        let key = self.account_key(&row)?;
        account(row, key.as_ref()).map(Some)
    }

    /// Accounts of an app by external id, with what could be unsealed of them.
    pub(crate) fn accounts_after(&self, app: &AppId, after: &str, limit: u32) -> Result<Vec<AccountRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM account WHERE app_id = $1 AND external_id > $2 ORDER BY external_id LIMIT $3"
        );
        let rows = self.rows(&text, params![app.as_str(), after, i64::from(limit)], raw)?;
        rows.into_iter()
            .map(|row| {
                let key = self.account_key(&row)?;
                account(row, key.as_ref())
            })
            .collect()
    }

    /// Whose the accounts of an app are, by external id. Nothing is unsealed for that.
    pub(crate) fn links_after(&self, app: &AppId, after: &str, limit: u32) -> Result<Vec<LinkRow>, Fault> {
        let rows = self.rows(
            "SELECT external_id, user_id, link_state, status FROM account
             WHERE app_id = $1 AND external_id > $2 ORDER BY external_id LIMIT $3",
            params![app.as_str(), after, i64::from(limit)],
            |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?)),
        )?;
        rows.into_iter().map(link).collect()
    }

    /// The link of one account. What was seen of the account is not unsealed for that.
    pub(crate) fn link_at(&self, app: &AppId, external_id: &str) -> Result<Option<KnownLink>, Fault> {
        let row = self.row(
            "SELECT a.user_id, a.link_state, a.status, a.known_link, a.frozen, a.applied, k.key FROM account AS a
             LEFT JOIN user_key AS k ON k.user_id = a.user_id WHERE a.app_id = $1 AND a.external_id = $2",
            params![app.as_str(), external_id],
            |row| {
                let words = (external_id.to_owned(), row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((
                    words,
                    row.get(3)?,
                    row.get(4)?,
                    row.get::<_, Option<Vec<u8>>>(5)?,
                    row.get::<_, Option<Vec<u8>>>(6)?,
                ))
            },
        )?;
        let Some((words, known, frozen, applied, key)) = row else { return Ok(None) };
        let link = link(words)?;
        let Some(applied) = applied else { return Ok(Some(KnownLink { link, known, frozen, applied })) };
        let key = match (&link.user, key) {
            (Some(user), key) => key.map(|key| self.vault.unwrap(user, &key)).transpose()?,
            (None, _) => self.known_app_key(app)?,
        };
        let place = place(app.as_str(), external_id);
        let applied = key.map(|key| unseal(&key, &place, &applied)).transpose()?;
        Ok(Some(KnownLink { link, known, frozen, applied }))
    }

    /// How many accounts of an app are linked to somebody and not gone.
    pub(crate) fn count_linked(&self, app: &AppId) -> Result<u64, Fault> {
        let count = self.row(
            "SELECT count(*) FROM account WHERE app_id = $1 AND user_id IS NOT NULL AND link_state = 'Linked'
             AND status <> 'Deleted'",
            [app.as_str()],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(count.unwrap_or(0).cast_unsigned())
    }

    /// Whether an account of the user is ignored: changes of the user are to have no effect on the target.
    pub(crate) fn is_ignored(&self, app: &AppId, user: &UserId) -> Result<bool, Fault> {
        let found = self.row(
            "SELECT 1 FROM account WHERE user_id = $1 AND app_id = $2 AND link_state = 'Ignored' AND status <> 'Deleted'",
            params![user.as_str(), app.as_str()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Whether the account is alive and linked to somebody who is known.
    pub(crate) fn has_owner(&self, app: &AppId, external_id: &str) -> Result<bool, Fault> {
        let owner = self.row(
            "SELECT k.user_id FROM account AS a JOIN user_key AS k ON k.user_id = a.user_id
             WHERE a.app_id = $1 AND a.external_id = $2 AND a.status <> 'Deleted' AND a.link_state = 'Linked'",
            params![app.as_str(), external_id],
            |row| row.get::<_, String>(0),
        )?;
        Ok(owner.is_some())
    }

    /// Notes an account's status, and leaves alone what is sealed of it.
    pub(crate) fn note_status(&self, app: &AppId, external_id: &str, status: AccountStatus) -> Result<(), Fault> {
        let now = self.now.as_micros();
        self.execute(
            "UPDATE account SET status = $1, deleted_at = $2, updated_at = $3 WHERE app_id = $4 AND external_id = $5",
            params![status.name(), (status == AccountStatus::Deleted).then_some(now), now, app.as_str(), external_id],
        )?;
        Ok(())
    }

    /// What an account is sealed under: its user's key, or the app's where nobody owns it. None where that is gone.
    fn account_key(&self, row: &Raw) -> Result<Option<UserKey>, Fault> {
        match (&row.texts[2], &row.texts[0]) {
            (Some(user), _) => self.user_key(&UserId::new(user.clone())?),
            (None, Some(app)) => self.known_app_key(&AppId::new(app.clone())?),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn user_key(&self, user: &UserId) -> Result<Option<UserKey>, Fault> {
        let stored =
            self.row("SELECT key FROM user_key WHERE user_id = $1", [user.as_str()], |row| row.get::<_, Vec<u8>>(0))?;
        stored.map(|stored| self.vault.unwrap(user.as_str(), &stored)).transpose()
    }

    /// Stores an account whole. With an account that is gone goes what was known on its behalf: the unique values that it
    /// held, and whom its user refers to.
    pub(crate) fn put_account(&mut self, row: &AccountRow, key: &UserKey) -> Result<(), Fault> {
        let account = &row.account;
        let place = place(account.app.as_str(), &account.external_id);
        let attributes = self.seal_object(key, &place, &seen(account))?;
        let applied = row.applied.as_ref().map(|applied| self.seal_object(key, &place, applied)).transpose()?;
        self.execute(
            "INSERT INTO account (app_id, external_id, user_id, status, frozen, link_state, known_link, attributes,
             applied, fingerprint, version, created_at, updated_at, deleted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (app_id, external_id) DO UPDATE SET user_id = excluded.user_id,
             status = excluded.status, frozen = excluded.frozen, link_state = excluded.link_state,
             known_link = excluded.known_link, attributes = excluded.attributes, applied = excluded.applied,
             fingerprint = excluded.fingerprint, version = excluded.version, updated_at = excluded.updated_at,
             deleted_at = excluded.deleted_at",
            params![
                account.app.as_str(),
                account.external_id,
                account.user.as_ref().map(UserId::as_str),
                account.status.name(),
                account.frozen,
                account.link_state.name(),
                account.known_link,
                attributes,
                applied,
                row.fingerprint,
                account.version,
                account.created_at.as_micros(),
                account.updated_at.as_micros(),
                account.deleted_at.map(Timestamp::as_micros)
            ],
        )?;
        if account.status == AccountStatus::Deleted {
            self.forget_memberships(&account.app, &account.external_id)?;
        }
        if let (AccountStatus::Deleted, Some(user)) = (account.status, &account.user) {
            self.release_held(&account.app, user)?;
            self.forget_references(&account.app, user)?;
        }
        Ok(())
    }
}

fn link((external_id, user, state, status): (String, Option<String>, String, String)) -> Result<LinkRow, Fault> {
    let link_state = LinkState::from_name(&state).ok_or_else(|| unknown_word("account.link_state"))?;
    let status = AccountStatus::from_name(&status).ok_or_else(|| unknown_word("account.status"))?;
    Ok(LinkRow { external_id, user, link_state, status })
}

fn account(row: Raw, key: Option<&UserKey>) -> Result<AccountRow, Fault> {
    let [app, external_id, user, status, link_state, fingerprint, version] = row.texts;
    let (app, external_id) = (app.unwrap_or_default(), external_id.unwrap_or_default());
    let place = place(&app, &external_id);
    let open = |sealed: Option<Vec<u8>>| -> Result<Option<Attributes>, Fault> {
        sealed.zip(key).map(|(sealed, key)| unseal_object(key, &place, &sealed)).transpose()
    };
    let [created_at, updated_at, deleted_at] = row.times;
    let mut seen = open(row.attributes)?.unwrap_or_default();
    let username = seen.remove("username").and_then(|name| name.as_str().map(str::to_owned));
    let attributes = match seen.remove("attributes") {
        Some(Value::Object(attributes)) => attributes,
        _ => Attributes::new(),
    };
    let account = Account {
        app: AppId::new(app.clone())?,
        external_id: external_id.clone(),
        username,
        user: user.map(UserId::new).transpose()?,
        status: status
            .and_then(|name| AccountStatus::from_name(&name))
            .ok_or_else(|| unknown_word("account.status"))?,
        frozen: row.frozen,
        link_state: link_state
            .and_then(|name| LinkState::from_name(&name))
            .ok_or_else(|| unknown_word("account.link_state"))?,
        known_link: row.known_link,
        created_at: Timestamp::from_micros(created_at.unwrap_or_default()),
        updated_at: Timestamp::from_micros(updated_at.unwrap_or_default()),
        deleted_at: time_of(deleted_at),
        attributes,
        version,
    };
    Ok(AccountRow { applied: open(row.applied)?, fingerprint, account })
}

/// What is sealed of an account: its name and its attributes.
fn seen(account: &Account) -> Attributes {
    let mut seen = Attributes::new();
    seen.insert("attributes".to_owned(), Value::Object(account.attributes.clone()));
    if let Some(username) = &account.username {
        seen.insert("username".to_owned(), Value::from(username.as_str()));
    }
    seen
}

fn place(app: &str, external_id: &str) -> String {
    format!("account/{app}/{external_id}")
}
