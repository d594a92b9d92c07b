//! What an item of a plan is about, as the store knows it now: the user, the account, and a print of both. Where the print
//! differs on commit, the item is not what was planned.

use crate::fault::Fault;
use crate::id::UserId;
use crate::intake::LiveApp;
use crate::model::{Account, AccountStatus, LinkState, Reaction, Situation, TargetAccount, User};
use crate::scope::Standing;
use crate::store::{AccountRow, StoredUser, Tx, UserState, fingerprint};
use crate::value::canonical_object;
use serde_json::json;

/// The user and the account that an item is about.
pub(super) struct Subject {
    pub(super) stored: Option<StoredUser>,
    /// What is known of the account.
    pub(super) row: Option<AccountRow>,
    /// The user's living, linked account, which need not be this one.
    linked: Option<String>,
    pub(super) standing: Result<Standing, Fault>,
}

impl Subject {
    pub(super) fn find(tx: &Tx<'_>, live: &LiveApp, user: Option<&str>, account: Option<&str>) -> Result<Self, Fault> {
        let app = &live.definition.app.id;
        let stored = user.map(|user| tx.user(user)).transpose()?.flatten();
        let row = account.map(|account| tx.account_at(app, account)).transpose()?.flatten();
        let linked = user.map(|user| tx.account_of(app, user)).transpose()?.flatten();
        let present = stored.as_ref().filter(|stored| stored.state == UserState::Present).map(|stored| &stored.user);
        let standing = live.definition.standing(present, tx.now);
        Ok(Self { stored, row, linked, standing })
    }

    /// Whether the account is linked to this user now.
    pub(super) fn is_linked(&self) -> bool {
        match (&self.row, &self.linked) {
            (Some(row), Some(linked)) => row.account.external_id == *linked,
            _ => false,
        }
    }

    /// Whether the user has another account in the app.
    pub(super) fn is_linked_elsewhere(&self) -> bool {
        self.linked.is_some() && !self.is_linked()
    }

    /// Whether a person manages the account's link.
    pub(super) fn is_known_link(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.account.known_link)
    }

    /// Whether an active account is wanted. Where the scope cannot be evaluated it is: nothing is taken away for a mistake in
    /// an expression.
    pub(super) fn wants_account(&self) -> bool {
        self.standing.as_ref().map_or(true, Standing::wants_account)
    }

    /// Whether the user is frozen.
    pub(super) fn is_frozen(&self) -> bool {
        self.standing.as_ref().is_ok_and(|standing| standing.frozen)
    }

    /// Whether a person or the directory said of this very user that it leaves, and what is found is no more than that. That
    /// an account is active again after we disabled it is said by a listing alone: it is disabled at once where it looks like
    /// the account that we know, since the request looks before it sends ([`Subject::is_disabled`]). Everything else that a
    /// listing says is inferred, whoever the user is.
    pub(super) fn is_explicit(&self, situation: Situation, reaction: Reaction, seen: Option<&TargetAccount>) -> bool {
        let follows = match situation {
            // Who was deleted left altogether: what is done about the account follows from that, active or not.
            Situation::Unqualified if self.is_disabled() && reaction != Reaction::Deactivate => false,
            Situation::Unqualified | Situation::SourceGone if self.is_disabled() => {
                seen.is_some_and(|seen| self.looks_alike(seen))
            }
            Situation::Unqualified | Situation::SourceGone => true,
            _ => false,
        };
        if !follows || !self.is_linked() {
            return false;
        }
        self.stored.is_some() && self.standing.as_ref().is_ok_and(Standing::is_explicit)
    }

    /// Whether we know the account as disabled, so that a request to disable it looks first whether it is.
    pub(super) fn is_disabled(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.account.status == AccountStatus::Deactivated)
    }

    /// Whether a shown account has the name that we know the account by.
    fn looks_alike(&self, seen: &TargetAccount) -> bool {
        let known = self.row.as_ref().and_then(|row| row.account.username.as_deref());
        let name = |name: Option<&str>| name.map(str::to_lowercase);
        name(known) == name(seen.username.as_deref())
    }

    /// A print of everything that the item depends on, but for the app's definition.
    pub(super) fn print(&self) -> String {
        let record = self.stored.as_ref().map(|stored| {
            let text = canonical_object(&stored.user.record);
            (fingerprint(&stored.key, text.as_bytes()), stored.state == UserState::Present)
        });
        let standing = self.standing.as_ref().ok().map(|one| (one.wants_account(), one.frozen));
        let account = self.row.as_ref().map(|row| {
            let account = &row.account;
            json!([
                account.external_id,
                account.user.as_ref().map(UserId::as_str),
                account.status,
                account.frozen,
                account.link_state,
                account.known_link,
                account.version,
                row.fingerprint,
                account.updated_at.as_micros(),
            ])
        });
        let text = json!(["rollkeeper item 1", record, standing, account, self.linked]).to_string();
        crate::value::sha256_hex(text.as_bytes())
    }
}

/// What an account is that was seen and is not known yet.
pub(super) fn seen_account(live: &LiveApp, user: Option<&User>, seen: &TargetAccount, tx: &Tx<'_>) -> Account {
    Account {
        app: live.definition.app.id.clone(),
        external_id: seen.external_id.clone(),
        username: seen.username.clone(),
        user: user.map(|user| user.id.clone()),
        status: status_of(seen),
        frozen: seen.frozen,
        link_state: if user.is_some() { LinkState::Linked } else { LinkState::Orphaned },
        known_link: false,
        created_at: tx.now,
        updated_at: tx.now,
        deleted_at: None,
        attributes: seen.named(),
        version: seen.version.clone(),
    }
}

/// The status that a shown account has.
pub(super) fn status_of(seen: &TargetAccount) -> AccountStatus {
    if seen.active { AccountStatus::Active } else { AccountStatus::Deactivated }
}
