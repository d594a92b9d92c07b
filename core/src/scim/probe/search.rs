//! How accounts are found: by filters, by going from page to page, or not at all.

use super::super::answer::{self, Rows};
use super::conclude::{Hits, filtering, paging};
use super::{Probe, WAITS};
use crate::connector::{Connector, TargetAccount};
use crate::time::Period;
use crate::value::fold_case;
use serde_json::{Value, json};

/// How many pages are looked through for what may have been made.
const MOST_PAGES: usize = 20;

impl Probe<'_> {
    /// Whether filters find the account, from when on, and whether letter case counts.
    pub(super) fn search(&mut self, id: &str) {
        let Some(name) = self.made.first().map(|made| made.name.clone()) else { return };
        let nobody = self.holders("userName", &format!("{}-nobody@example.com", self.name));
        let mut ours = self.holders("userName", &name);
        let mut waited = 0;
        for wait in WAITS {
            let misses = matches!(&ours, Hits::Ids(ids) if !ids.iter().any(|known| known == id));
            if !misses
                || filtering(&ours, &nobody, id) != "finds_nothing"
                || !self.line.pause(Period::from_seconds(wait))
            {
                break;
            }
            waited += wait;
            ours = self.holders("userName", &name);
        }
        let conclusion = filtering(&ours, &nobody, id);
        let works = conclusion == "works";
        self.index_lag = self.index_lag.max(Period::from_seconds(if works { waited } else { 0 }));
        let value = (works && waited > 0).then(|| json!(waited));
        self.note_with("filter", "the account is looked for by `userName`, and so is nobody", conclusion, value);
        if works {
            let ours = self.holders("userName", &name.to_uppercase());
            let conclusion = if filtering(&ours, &nobody, id) == "works" { "ignored" } else { "counts" };
            self.note("filter_case", "it is looked for by `userName` in capital letters", conclusion);
            self.found.learn("filters", if conclusion == "ignored" { "any_case" } else { "exact_case" });
        } else if conclusion == "finds_nothing" {
            self.found.learn("filters", "none");
        }
        let nobody = self.holders("externalId", &format!("{}-nobody", self.name));
        let conclusion = filtering(&self.holders("externalId", &name), &nobody, id);
        self.note("filter_external_id", "it is looked for by `externalId`, and so is nobody", conclusion);
    }

    fn holders(&self, attribute: &str, value: &str) -> Hits {
        self.hits(&format!("{attribute} eq {}", Value::from(value)))
    }

    /// Whom a filter finds.
    pub(super) fn hits(&self, filter: &str) -> Hits {
        match self.connector.exchange.accounts(&[("filter", filter)]) {
            Err(_) => Hits::Unknown,
            Ok(response) => match (response.status, answer::rows(&response.body)) {
                (200..=299, Some(rows)) => Hits::Ids(ids(rows)),
                (200..=299 | 401 | 429 | 503, _) => Hits::Unknown,
                // An empty list is answered so by some.
                (404, _) => Hits::Ids(Vec::new()),
                _ => Hits::Refused,
            },
        }
    }

    /// How one gets from page to page. There are two accounts of ours at the least.
    pub(super) fn page(&mut self) {
        let first = self.rows(&[("startIndex", "1"), ("count", "1")]);
        let second = self.rows(&[("startIndex", "2"), ("count", "1")]);
        let (Some(first), Some(second)) = (first, second) else {
            let conclusion = if self.rows(&[]).is_some() { "refused" } else { "unknown" };
            return self.note("paging", "two pages of one account each are asked for", conclusion);
        };
        let (one, other) = (ids(first), ids(second));
        let mut conclusion = paging(&one, &other);
        let again = self.rows(&[("startIndex", "1"), ("count", "1")]).map(ids);
        if again.as_ref() != Some(&one) {
            conclusion = "rows_move";
        } else if conclusion == "index"
            && self.rows(&[("startIndex", "0"), ("count", "1")]).map(ids) != Some(one.clone())
        {
            conclusion = "zero_based";
        }
        if matches!(conclusion, "start_ignored" | "count_ignored") && (self.pages_by_cursor() || self.pages_by_cursor())
        {
            conclusion = "cursor";
        }
        self.note(
            "paging",
            "two pages of one account each are asked for, and by cursors where they are the same",
            conclusion,
        );
        if matches!(conclusion, "index" | "cursor") {
            self.found.learn("paging", conclusion);
        }
    }

    /// Whether an empty cursor leads to a page, and its cursor to another (RFC 9865 §2).
    fn pages_by_cursor(&self) -> bool {
        let Some(first) = self.rows(&[("cursor", ""), ("count", "1")]) else { return false };
        let Some(next) = first.next_cursor.clone() else { return false };
        let second = self.rows(&[("cursor", next.as_str()), ("count", "1")]);
        second.is_some_and(|second| ids(second) != ids(first))
    }

    fn rows(&self, parameters: &[(&str, &str)]) -> Option<Rows> {
        let response = self.connector.exchange.accounts(parameters).ok()?;
        if (200..300).contains(&response.status) { answer::rows(&response.body) } else { None }
    }

    /// The accounts whose names begin with `name`, as far as the list shows them.
    pub(super) fn walk(&self, name: &str) -> Vec<TargetAccount> {
        let mut found = Vec::new();
        let mut cursor = None;
        let name = fold_case(name);
        for _ in 0..MOST_PAGES {
            let Ok(page) = self.connector.list(cursor.as_deref(), None) else { break };
            let is_ours = |account: &TargetAccount| {
                account.username.as_deref().is_some_and(|known| fold_case(known).starts_with(&name))
            };
            found.extend(page.accounts.into_iter().filter(is_ours));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        found
    }
}

fn ids(rows: Rows) -> Vec<String> {
    rows.accounts.into_iter().map(|account| account.external_id).collect()
}
