//! Taking away what was made, and naming what could not be.

use super::{Made, Probe};
use crate::connector::Connector;
use crate::http::Method;
use crate::model::LeftBehind;
use crate::time::Period;
use serde_json::json;

/// After that time a list shows what there is.
const AT_REST: Period = Period::from_seconds(60);

impl Probe<'_> {
    /// What DELETE does, and what is said of an account that is deleted.
    pub(super) fn delete(&mut self, id: &str) {
        if self.made.iter().any(|made| made.id == id && made.hidden) {
            return;
        }
        let Some(made) = self.made.iter().find(|made| made.id == id).cloned() else { return };
        let status = self.send_delete(id);
        let is_done = status.is_some_and(|status| (200..300).contains(&status));
        let conclusion = match (self.is_gone(&made, is_done), status) {
            (true, _) => "deleted",
            (false, Some(200..=299))
                if self.connector.read(id).is_ok_and(|shown| shown.is_some_and(|one| !one.active)) =>
            {
                "disabled"
            }
            (false, Some(200..=299)) => "ignored",
            (false, None) => "unknown",
            (false, Some(_)) => "refused",
        };
        self.note("delete", "the account is deleted and read", conclusion);
        if conclusion == "deleted" {
            self.mark_gone(id);
            let again = self.send_delete(id);
            self.note_with("delete_again", "it is deleted once more", "told", again.map(|status| json!(status)));
        }
    }

    fn send_delete(&self, id: &str) -> Option<u16> {
        self.connector.send_change(Method::Delete, id, None).ok().map(|response| response.status)
    }

    fn mark_gone(&mut self, id: &str) {
        self.made.iter_mut().filter(|made| made.id == id).for_each(|made| made.gone = true);
    }

    /// Takes away what is still there, and gives what could not be.
    pub(super) fn clean_up(&mut self) -> Vec<LeftBehind> {
        self.line.revive();
        if self.in_doubt {
            // What was made a moment ago may not be in the list yet.
            self.line.pause(AT_REST);
            for account in self.walk(self.name) {
                let name = account.username.clone().unwrap_or_default();
                if !self.made.iter().any(|known| known.id == account.external_id) {
                    self.made.push(Made { id: account.external_id, name, gone: false, hidden: false });
                }
            }
        }
        let mut left = Vec::new();
        if let Some(group) = self.group.take()
            && !self.remove_group(&group.id)
        {
            left.push(told("group", &group, "the target did not delete it"));
        }
        for made in std::mem::take(&mut self.made).into_iter().filter(|made| !made.gone) {
            self.line.revive();
            if let Some(why) = self.remove(&made) {
                left.push(told("account", &made, why));
            }
        }
        if self.in_doubt && left.is_empty() && self.connector.list(None, None).is_err() {
            let made = Made { id: String::new(), name: self.name.to_owned(), gone: false, hidden: false };
            left.push(told("account", &made, "the target did not say whether it was made, and shows no list"));
        }
        self.line.seen();
        left
    }

    /// Whether the account is not there any more. Some targets fail where they are asked for one that is not: there, what was
    /// answered with success and is found no more is gone.
    fn is_gone(&self, made: &Made, deleted: bool) -> bool {
        let Ok(url) = self.connector.url_of(&made.id) else { return false };
        match self.connector.exchange.get(&url).map(|response| response.status) {
            Ok(404 | 410) => true,
            Ok(400..=499 | 500 | 501) if deleted => {
                let found = self.connector.find("userName", &json!(made.name));
                found.is_ok_and(|found| found.iter().all(|account| account.external_id != made.id))
            }
            _ => false,
        }
    }

    /// Takes an account away; why it may still be there where it may.
    fn remove(&self, made: &Made) -> Option<&'static str> {
        let deleted = self.connector.delete(&made.id);
        if made.hidden {
            return Some("the target does not show accounts that are disabled, so that whether it is gone is not seen");
        }
        if self.is_gone(made, deleted.is_ok()) || self.line.pause(self.read_lag) && self.is_gone(made, deleted.is_ok())
        {
            return None;
        }
        // What cannot be deleted can be locked at the least.
        let disabled = self.connector.deactivate(&made.id).is_ok();
        Some(match (deleted.is_ok(), disabled) {
            (true, _) => "the target answered success to its deletion and still shows it",
            (false, true) => "the target did not delete it; it is disabled",
            (false, false) => "the target neither deleted nor disabled it",
        })
    }
}

fn told(kind: &str, made: &Made, why: &str) -> LeftBehind {
    let external_id = Some(made.id.clone()).filter(|id| !id.is_empty());
    LeftBehind { kind: kind.to_owned(), external_id, name: made.name.clone(), why: why.to_owned() }
}
