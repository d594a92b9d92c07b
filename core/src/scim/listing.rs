//! Paging through a target's accounts. Targets ignore what was asked, miscount, and show the same page for ever; a listing
//! counts as whole only where it ended cleanly with at least as many rows as the target says there are.

use super::answer::{self, Rows};
use super::exchange::{Exchange, failure, unreadable};
use crate::connector::{ConnectorError, Outcome, Page, TargetAccount};
use crate::fault::Code;
use crate::http::Method;
use std::collections::BTreeSet;

/// The longest listing, in pages.
const MOST_PAGES: u64 = 10_000;

/// Where a listing stands; it crosses the engine as opaque text, so that a listing can be continued after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    /// The index of the next row, from 1.
    start: u64,
    pages: u64,
    /// How many accounts were shown, those counted once that stood on a page twice.
    shown: u64,
    total: Option<u64>,
    /// Of the ids of the page before.
    digest: String,
    /// The target's own cursor, where it gave one.
    own: Option<String>,
}

impl Cursor {
    fn first() -> Self {
        Self { start: 1, pages: 0, shown: 0, total: None, digest: String::new(), own: None }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(7, ':');
        let mut part = || parts.next();
        if part()? != "1" {
            return None;
        }
        let (start, pages, shown) = (part()?.parse().ok()?, part()?.parse().ok()?, part()?.parse().ok()?);
        let total = match part()? {
            "-" => None,
            total => Some(total.parse().ok()?),
        };
        let digest = part()?.to_owned();
        let own = part()?;
        Some(Self { start, pages, shown, total, digest, own: (!own.is_empty()).then(|| own.to_owned()) })
    }

    fn text(&self) -> String {
        let total = self.total.map_or("-".to_owned(), |total| total.to_string());
        let own = self.own.as_deref().unwrap_or_default();
        format!("1:{}:{}:{}:{total}:{}:{own}", self.start, self.pages, self.shown, self.digest)
    }
}

/// One page of the accounts that `filter` (SCIM filter text) selects.
pub(super) fn page(
    exchange: &Exchange,
    size: u32,
    cursor: Option<&str>,
    filter: Option<&str>,
) -> Result<Page, ConnectorError> {
    let cursor = match cursor {
        None => Cursor::first(),
        Some(text) => Cursor::parse(text).ok_or_else(|| {
            let message = "the cursor is not one of the SCIM connector";
            ConnectorError::new(Outcome::Rejected, Code::InvalidArgument.name(), message)
        })?,
    };
    let rows = match fetch(exchange, size, &cursor, filter)? {
        Fetched::Rows(rows) => rows,
        Fetched::Unpaged(rows) => {
            let accounts = distinct(rows.accounts);
            let complete = rows.total.is_some_and(|total| count(&accounts) >= total);
            return Ok(Page { accounts, next: None, complete, total: rows.total });
        }
        Fetched::PastTheEnd => {
            let complete = cursor.total.is_some_and(|total| cursor.shown >= total);
            return Ok(Page { accounts: Vec::new(), next: None, complete, total: cursor.total });
        }
    };
    Ok(judge(u64::from(size), &cursor, rows))
}

enum Fetched {
    Rows(Rows),
    /// The target cannot page: this is everything it shows.
    Unpaged(Rows),
    /// The target refuses to look behind the last row.
    PastTheEnd,
}

fn fetch(exchange: &Exchange, size: u32, cursor: &Cursor, filter: Option<&str>) -> Result<Fetched, ConnectorError> {
    let (start, size) = (cursor.start.to_string(), size.to_string());
    let mut parameters: Vec<(&str, &str)> = filter.map(|filter| ("filter", filter)).into_iter().collect();
    let plain = parameters.clone();
    match &cursor.own {
        Some(own) => parameters.extend([("cursor", own.as_str()), ("count", &size)]),
        None => parameters.extend([("startIndex", start.as_str()), ("count", &size)]),
    }
    let response = exchange.accounts(&parameters)?;
    let readable =
        |body: &[u8]| answer::rows(body).ok_or_else(|| unreadable(Method::Get, "the target's listing cannot be read"));
    match response.status {
        200..=299 => readable(&response.body).map(Fetched::Rows),
        400 | 404 if cursor.own.is_none() && cursor.total.is_some_and(|total| cursor.start > total) => {
            Ok(Fetched::PastTheEnd)
        }
        // Some targets break on the paging parameters themselves.
        400 | 500 if cursor.pages == 0 => {
            let again = exchange.accounts(&plain)?;
            match again.status {
                200..=299 => readable(&again.body).map(Fetched::Unpaged),
                _ => Err(failure(Method::Get, &response)),
            }
        }
        _ => Err(failure(Method::Get, &response)),
    }
}

/// Whether there is more, and if not whether that was all.
fn judge(size: u64, cursor: &Cursor, rows: Rows) -> Page {
    let (row_count, total) = (count(&rows.accounts), rows.total.or(cursor.total));
    let told = total.filter(|total| !is_size_of_page(*total, row_count, cursor));
    let end = |accounts, complete| Page { accounts, next: None, complete, total: told };
    if row_count == 0 && rows.next_cursor.is_none() {
        return end(Vec::new(), total.is_none_or(|total| cursor.shown >= total));
    }
    let digest = digest(&rows.accounts);
    if cursor.pages > 0 && row_count > 0 && digest == cursor.digest {
        // The same page again: the target ignores where to start. What was seen before is all that can be had.
        return end(Vec::new(), total.is_some_and(|total| cursor.shown >= total));
    }
    let accounts = distinct(rows.accounts);
    let next = Cursor {
        start: cursor.start + row_count,
        pages: cursor.pages + 1,
        shown: cursor.shown + count(&accounts),
        total,
        digest,
        own: rows.next_cursor,
    };
    let endless = total.is_some_and(|total| next.start > total + total / 5 + 1000);
    if next.pages >= MOST_PAGES || endless || (next.own.is_some() && next.own == cursor.own) {
        return end(accounts, false);
    }
    let enough = total.is_none_or(|total| next.shown >= total);
    let ended = match (&next.own, &cursor.own) {
        (Some(_), _) => false,
        // After the target's own cursors the absence of the next one is the end.
        (None, Some(_)) => true,
        // An index ends where the count is reached with a page that is not full. A full page may hide more, since some
        // targets give the page's size as the total.
        (None, None) => total.is_some() && enough && row_count != size,
    };
    if ended { end(accounts, enough) } else { Page { accounts, next: Some(next.text()), complete: false, total: told } }
}

/// Some targets give the number of a page's rows where the number of all belongs. From the second page on that shows.
fn is_size_of_page(total: u64, row_count: u64, cursor: &Cursor) -> bool {
    cursor.pages > 0 && total == row_count && total < cursor.shown
}

fn count(accounts: &[TargetAccount]) -> u64 {
    u64::try_from(accounts.len()).unwrap_or(u64::MAX)
}

fn distinct(accounts: Vec<TargetAccount>) -> Vec<TargetAccount> {
    let mut seen = BTreeSet::new();
    accounts.into_iter().filter(|account| seen.insert(account.external_id.clone())).collect()
}

fn digest(accounts: &[TargetAccount]) -> String {
    let ids: BTreeSet<&str> = accounts.iter().map(|account| account.external_id.as_str()).collect();
    let text: String = ids.into_iter().flat_map(|id| [id, "\n"]).collect();
    crate::value::sha256_hex(text.as_bytes()).chars().take(16).collect()
}
