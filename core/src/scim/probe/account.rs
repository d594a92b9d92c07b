//! Making accounts to try things with, and what a target says to a second one of the same name.

use super::super::answer;
use super::super::body::{self, PathChange};
use super::super::exchange::is_missing;
use super::super::schema::ENTERPRISE_USER;
use super::{Made, Probe, WAITS};
use crate::connector::{Change, ChangeKind, Connector, TargetAccount};
use crate::http::{Method, Response};
use crate::path::member;
use crate::time::Period;
use crate::value::{Attributes, fold_case};
use serde_json::{Value, json};

/// What an account is made with, from the first to the last that is left out where a target refuses all of it.
fn wanted(name: &str) -> Vec<PathChange> {
    let change =
        |path: &str, value: Value| Change { kind: ChangeKind::Replace, path: path.to_owned(), value: Some(value) };
    let changes = [
        change(&format!("{ENTERPRISE_USER}:department"), json!("Probe 0")),
        change("title", json!("Probe 0")),
        change("displayName", json!("Rollkeeper Probe")),
        change("externalId", json!(name)),
        change("name.givenName", json!("Rollkeeper")),
        change("name.familyName", json!("Probe 0")),
        change("emails[type eq \"work\"].value", json!(name)),
        change("active", json!(true)),
        change("userName", json!(name)),
    ];
    PathChange::read_all(&changes).unwrap_or_default()
}

/// How many of [`wanted`] are left out, try by try.
const LEFT_OUT: [usize; 4] = [0, 1, 4, 7];

/// How the seconds are shared out in which an account is looked for that may have been made.
const WAITS_IN_DOUBT: [u32; 3] = [0, 5, 60];

/// Why there is no account.
pub(super) enum NotMade {
    Refused,
    Unknown,
}

impl Probe<'_> {
    /// Whether the target shows a list at all. None where it does not let itself be asked.
    pub(super) fn reach(&mut self) -> Option<()> {
        let answer = self.connector.exchange.accounts(&[("startIndex", "1"), ("count", "1")]);
        let conclusion = match &answer {
            Err(_) => "unreachable",
            Ok(response) => match response.status {
                200..=299 if answer::rows(&response.body).is_some() => "answers",
                200..=399 | 401 => "refused",
                404 | 410 if !is_missing(response) => "refused",
                _ => "answers_otherwise",
            },
        };
        self.note("reach", "a list with one account is asked for", conclusion);
        (!matches!(conclusion, "unreachable" | "refused")).then_some(()).and_then(|()| self.goes_on())
    }

    pub(super) fn make_first(&mut self) -> Option<String> {
        let made = self.make(&format!("{}@example.com", self.name));
        let conclusion = match &made {
            Ok(_) if self.in_doubt => "made_in_doubt",
            Ok(_) => "made",
            Err(NotMade::Refused) => "refused",
            Err(NotMade::Unknown) => "unknown",
        };
        self.note("create", "an account is made, with fewer attributes where it is refused", conclusion);
        made.ok()
    }

    /// Makes an account of that name and gives its id.
    pub(super) fn make(&mut self, name: &str) -> Result<String, NotMade> {
        for left_out in LEFT_OUT {
            let mut attributes = Attributes::new();
            wanted(name).iter().skip(left_out).for_each(|change| change.apply(&mut attributes));
            // What was not made, as far as can be seen, is sent once more as it is.
            for _ in 0..2 {
                let made = match self.post(&attributes) {
                    Ok(response) if (200..300).contains(&response.status) => {
                        self.connector.made(&response, &attributes).ok()
                    }
                    Ok(response) if matches!(response.status, 401 | 403 | 409 | 429) => return Err(NotMade::Refused),
                    Ok(response) if response.status < 500 => break,
                    _ => None,
                };
                if let Some(account) = made.or_else(|| self.find_in_doubt(name)) {
                    if left_out > 0 && self.made.is_empty() {
                        let names = wanted(name).iter().take(left_out).map(|change| change.path.attribute()).collect();
                        self.tell_left_out(names);
                    }
                    return Ok(self.keep(account.external_id, name));
                }
            }
            if self.line.is_dead() {
                break;
            }
        }
        Err(if self.in_doubt { NotMade::Unknown } else { NotMade::Refused })
    }

    /// The account that may have been made, as soon as it is shown.
    fn find_in_doubt(&mut self, name: &str) -> Option<TargetAccount> {
        self.in_doubt = true;
        let mut waited = 0;
        for wait in WAITS_IN_DOUBT {
            if !self.line.pause(Period::from_seconds(wait)) {
                break;
            }
            waited += wait;
            if let Some(found) = self.find_made(name).into_iter().next() {
                self.index_lag = self.index_lag.max(Period::from_seconds(waited));
                return Some(found);
            }
        }
        None
    }

    fn tell_left_out(&mut self, names: Vec<String>) {
        let tried = "what has to be left out, so that an account is made";
        let seen = Some(json!(names));
        self.note_with("create_without", tried, "refused", seen);
    }

    fn keep(&mut self, id: String, name: &str) -> String {
        if !self.made.iter().any(|known| known.id == id) {
            self.made.push(Made { id: id.clone(), name: name.to_owned(), gone: false, hidden: false });
        }
        id
    }

    fn post(&self, attributes: &Attributes) -> Result<Response, crate::connector::ConnectorError> {
        let url = self.connector.exchange.base.endpoint("Users", &[]);
        self.connector.exchange.send(Method::Post, &url, Some(&body::of_create(attributes)))
    }

    /// The accounts of that name that a search or a walk through the list shows, and that are not known to be ours already.
    pub(super) fn find_made(&self, name: &str) -> Vec<TargetAccount> {
        if self.index_lag > Period::ZERO {
            self.line.pause(self.index_lag);
        }
        let mut found = self.connector.find("userName", &Value::from(name)).unwrap_or_default();
        if found.is_empty() {
            found = self.walk(name);
        }
        found.retain(|account| {
            let is_named = account.username.as_deref().is_some_and(|known| fold_case(known) == fold_case(name));
            is_named && !self.made.iter().any(|known| known.id == account.external_id)
        });
        found
    }

    /// When what was made is shown, what of it, and in which version.
    pub(super) fn read_back(&mut self, id: &str) -> Option<()> {
        let mut waited = 0;
        let mut shown = self.read(id);
        for wait in WAITS {
            if shown.is_some() || !self.line.pause(Period::from_seconds(wait)) {
                break;
            }
            waited += wait;
            shown = self.read(id);
        }
        self.read_lag = Period::from_seconds(waited);
        let tried = "the account is read until it is shown";
        let Some(shown) = shown else {
            self.note("read", tried, "never");
            return None;
        };
        let (conclusion, value) = if waited == 0 { ("at_once", None) } else { ("late", Some(json!(waited))) };
        self.note_with("read", tried, conclusion, value);
        let name = self.made.first().map(|made| made.name.clone()).unwrap_or_default();
        let (kept, other): (Vec<_>, Vec<_>) =
            wanted(&name).into_iter().partition(|change| change.path.is("userName") || change.is_shown_by(&shown));
        self.kept = kept;
        let other: Vec<String> = other.iter().map(|change| change.path.attribute()).collect();
        let conclusion = if other.is_empty() { "all" } else { "some" };
        let value = (!other.is_empty()).then(|| json!(other));
        self.note_with("kept", "what was sent is compared with what is shown; the others are not", conclusion, value);
        Some(())
    }

    /// What the target says to a second account of the same name, and of a name that differs in letter case alone.
    pub(super) fn duplicates(&mut self, first: &str) {
        let Some(name) = self.made.first().map(|made| made.name.clone()) else { return };
        let conclusion = self.duplicate(first, &name);
        self.note("duplicate", "a second account of the same name is made", conclusion);
        let other_case = self.duplicate(first, &name.to_uppercase());
        self.note("duplicate_case", "one is made of the same name in capital letters", other_case);
        // Where any of these makes an account more, a refusal cannot be waited for to find the one that there is.
        let makes = |conclusion: &str| matches!(conclusion, "taken" | "renamed");
        if makes(conclusion) || makes(other_case) {
            self.found.learn("unique_user_name", false);
        } else if conclusion == "refused" && other_case == "refused" {
            self.found.learn("unique_user_name", true);
        }
    }

    fn duplicate(&mut self, first: &str, name: &str) -> &'static str {
        // What was left out of the first is left out of this one as well.
        let mut attributes = Attributes::new();
        let own = |change: &&PathChange| !change.path.is("externalId") && !change.path.is("userName");
        self.kept.iter().filter(own).for_each(|change| change.apply(&mut attributes));
        attributes.insert("userName".to_owned(), json!(name));
        attributes.insert("externalId".to_owned(), json!(format!("{}-other", self.name)));
        let answer = self.post(&attributes);
        let (status, shown) = match &answer {
            Ok(response) => (response.status, answer::resource(&response.body).and_then(answer::account)),
            Err(_) => (0, None),
        };
        let is_done = (200..300).contains(&status);
        match shown.filter(|_| is_done) {
            Some(account) if account.external_id == first => return "answered_existing",
            Some(account) => {
                let shown = member(&account.attributes, "userName").and_then(Value::as_str).map(fold_case);
                let is_renamed = shown.is_some_and(|shown| shown != fold_case(name));
                self.keep(account.external_id, name);
                return if is_renamed { "renamed" } else { "taken" };
            }
            None => {}
        }
        if !is_done && (400..500).contains(&status) {
            return "refused";
        }
        // Without an answer that says so, a second account may be there.
        let others = self.find_made(name);
        self.in_doubt |= !is_done || others.is_empty();
        let is_there = !others.is_empty();
        others.into_iter().for_each(|account| drop(self.keep(account.external_id, name)));
        match (is_there, is_done, status) {
            (true, _, _) => "taken",
            (false, false, 500..) => "refused",
            _ => "unknown",
        }
    }
}
