//! Whether `meta.lastModified` moves with a change, and whether filters by it are heeded.

use super::super::dates::Dates;
use super::Probe;
use super::conclude::filtering;
use crate::connector::{Change, ChangeKind, Connector};
use crate::time::{Period, Timestamp};
use serde_json::json;

/// Some targets tell the time to the second.
const GRAIN: Period = Period::from_seconds(2);
/// Nobody was changed so long after the account was.
const LATER: Period = Period::from_seconds(3600);

impl Probe<'_> {
    /// Changes the account and looks for what was changed since. Only what is seen to work here is relied on.
    pub(super) fn dates(&mut self, id: &str) {
        let tried = "the account is changed, and looked for by `meta.lastModified`";
        let Some(text) = self.text() else { return };
        let Some(before) = self.date(id) else {
            self.found.learn("last_modified", false);
            return self.note("last_modified", "the account is read", "none");
        };
        let change = Change { kind: ChangeKind::Replace, path: text.to_owned(), value: Some(json!(self.fresh())) };
        let is_sent = self.line.pause(GRAIN) && self.connector.update(id, &[change], None).is_ok();
        self.line.pause(self.read_lag);
        let Some(after) = self.date(id).filter(|_| is_sent) else {
            return self.note("last_modified", tried, "unknown");
        };
        if after <= before {
            self.found.learn("last_modified", false);
            return self.note("last_modified", tried, "does_not_move");
        }
        self.line.pause(self.index_lag);
        let since = |moment: Timestamp| self.hits(&format!("meta.lastModified ge \"{moment}\""));
        let nobody = since(after.plus(LATER));
        let conclusion = filtering(&since(after), &nobody, id);
        self.note("last_modified", tried, conclusion);
        if conclusion != "unknown" {
            self.found.learn("last_modified", conclusion == "works");
        }
    }

    fn date(&self, id: &str) -> Option<Timestamp> {
        let response = self.connector.exchange.get(&self.connector.url_of(id).ok()?).ok()?;
        Dates::of_account(&response.body)
    }
}
