//! The people of a simulated world, and what each should have: a second, simpler opinion beside the engine's.

use super::target::Held;
use rollkeeper::Timestamp;
use serde_json::{Value, json};

/// Somebody, as the source directory has them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: String,
    /// Counts the records, so that a target can tell an older from a newer one.
    pub(super) version: u64,
    names: u64,
    pub(super) employed: bool,
    pub(super) wiki: bool,
    pub(super) active: bool,
    pub(super) frozen: bool,
    pub(super) valid_until: Option<Timestamp>,
    /// The id of another one.
    pub(super) manager: Option<String>,
    /// Whether the directory has them.
    pub(super) present: bool,
}

/// What somebody should have in an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// An account to work with.
    Usable,
    /// No account, or one that cannot be used for now.
    Suspended,
    /// No account that can be used.
    Nothing,
}

impl Person {
    pub(super) fn new(number: u64) -> Self {
        Self {
            id: format!("u{number}"),
            version: 1,
            names: 1,
            employed: true,
            wiki: number % 2 == 1,
            active: true,
            frozen: false,
            valid_until: None,
            manager: None,
            present: true,
        }
    }

    /// Gets another name, that nobody had.
    pub(super) fn rename(&mut self) {
        self.names += 1;
    }

    pub(super) fn username(&self) -> String {
        format!("{}.name{}", self.id, self.names)
    }

    /// The record.
    pub(super) fn record(&self) -> Value {
        let sets = if self.wiki { vec!["Wiki"] } else { Vec::new() };
        let mut record = json!({
            "id": self.id,
            "username": self.username(),
            "profile": if self.employed { "Employees" } else { "Guests" },
            "permission_sets": sets,
            "active": self.active,
            "frozen": self.frozen,
            "title": format!("title {}", self.version % 5),
            "version": self.version.to_string(),
        });
        let until = self.valid_until.map(|until| ("valid_until", until.to_string()));
        let manager = self.manager.clone().map(|manager| ("manager", manager));
        for (name, value) in until.into_iter().chain(manager) {
            record.as_object_mut().and_then(|record| record.insert(name.to_owned(), Value::from(value)));
        }
        record
    }

    /// What they should have.
    pub(super) fn wanted(&self, app: &str, now: Timestamp) -> Wanted {
        let granted = if app == "crm" { self.employed } else { self.wiki };
        let valid = self.valid_until.is_none_or(|until| now < until);
        match self.present && granted && self.active && valid {
            false => Wanted::Nothing,
            true if self.frozen => Wanted::Suspended,
            true => Wanted::Usable,
        }
    }

    /// What is wrong with the accounts of this person in an app, once everything is quiet.
    /// `linked` is the account that the engine says is theirs.
    pub(super) fn judge(&self, app: &str, now: Timestamp, accounts: &[Held], linked: Option<&str>) -> Option<String> {
        let name = self.username();
        let is_theirs =
            |held: &&Held| held.user() == Some(&self.id) || Some(held.account.external_id.as_str()) == linked;
        let living: Vec<&Held> = accounts.iter().filter(|held| held.gone.is_none()).filter(is_theirs).collect();
        let usable = living.iter().filter(|held| held.is_usable()).count();
        let tell = |what: &str| Some(format!("{app}: `{}` {what}", self.id));
        if living.iter().filter(|held| held.ours).count() > 1 {
            return tell("has two accounts made by us");
        }
        let wanted = self.wanted(app, now);
        match (wanted, living.as_slice()) {
            (Wanted::Nothing | Wanted::Suspended, _) if usable > 0 => tell("can use an account and should not"),
            (Wanted::Nothing | Wanted::Suspended, _) => None,
            (Wanted::Usable, []) => tell("has no account and should"),
            (Wanted::Usable, [held]) if !held.is_usable() => tell("cannot use the account and should"),
            (Wanted::Usable, [held]) => {
                let record = self.record();
                let shown = |name: &str| held.account.attributes.get(name);
                let alike = ["title", "version"].iter().all(|name| shown(name) == record.get(*name));
                let alike = alike && shown("userName").and_then(Value::as_str) == Some(name.as_str());
                if alike { None } else { tell("has an account with other values than wanted") }
            }
            (Wanted::Usable, _) => tell("has several accounts"),
        }
    }
}
