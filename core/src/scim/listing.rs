//! Paging through a target's accounts. Targets ignore what was asked, miscount, and show the same page for ever; a listing
//! counts as whole only where it ended cleanly with at least as many rows as the target says there are.

use super::answer::{self, Rows};
use super::dates::Dates;
use super::exchange::{Exchange, failure, scim_type, unreadable};
use super::lines::{self, Lines};
use super::unread::unread;
use crate::connector::{AttributeSelection, ConnectorError, Outcome, Page, PageLines, TargetAccount};
use crate::fault::Code;
use crate::http::Method;
use crate::model::Paging;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The longest listing, in pages.
const MOST_PAGES: u64 = 100_000;

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
    /// Of the ids of the first page.
    first: String,
    /// The attributes that are left out, joined by commas.
    unread: String,
    /// When the accounts that were shown had been changed.
    dates: Dates,
    /// The target's own cursor, where it gave one; an empty one asks for the first page.
    own: Option<String>,
}

impl Cursor {
    fn first(by_cursor: bool) -> Self {
        let own = by_cursor.then(String::new);
        let (digest, first, unread) = Default::default();
        Self { start: 1, pages: 0, shown: 0, total: None, digest, first, unread, dates: Dates::Nothing, own }
    }

    fn parse(text: &str) -> Option<Self> {
        // The form of version 1 did not have the digest of the first page, that of version 2 not what is left out and
        // when accounts were changed.
        let (version, rest) = text.split_once(':')?;
        let version = ["1", "2", "3"].iter().position(|known| *known == version)?;
        let mut parts = rest.splitn([6, 7, 9].get(version).copied()?, ':');
        let mut part = || parts.next();
        let (start, pages, shown) = (part()?.parse().ok()?, part()?.parse().ok()?, part()?.parse().ok()?);
        let total = match part()? {
            "-" => None,
            total => Some(total.parse().ok()?),
        };
        let digest = part()?.to_owned();
        let first = if version > 0 { part()?.to_owned() } else { String::new() };
        let unread = if version > 1 { part()?.to_owned() } else { String::new() };
        let dates = if version > 1 { Dates::parse(part()?)? } else { Dates::Unknown };
        let own = part()?;
        Some(Self {
            start,
            pages,
            shown,
            total,
            digest,
            first,
            unread,
            dates,
            own: (!own.is_empty()).then(|| own.to_owned()),
        })
    }

    fn text(&self) -> String {
        let total = self.total.map_or("-".to_owned(), |total| total.to_string());
        let own = self.own.as_deref().unwrap_or_default();
        let Self { start, pages, shown, digest, first, unread, .. } = self;
        let dates = self.dates.text();
        format!("3:{start}:{pages}:{shown}:{total}:{digest}:{first}:{unread}:{dates}:{own}")
    }
}

/// One page of the accounts that `filter` (SCIM filter text) selects.
pub(super) fn page(
    exchange: &Exchange,
    size: u32,
    cursor: Option<&str>,
    filter: Option<&str>,
) -> Result<Page, ConnectorError> {
    read(exchange, size, cursor, filter, None, |body| answer::rows(body).map(of_rows)).map(|(accounts, end)| Page {
        accounts,
        next: end.next,
        complete: end.complete,
        total: end.total,
    })
}

/// The same page as text, with the attributes that are read.
pub(super) fn page_lines(
    exchange: &Exchange,
    size: u32,
    cursor: Option<&str>,
    filter: Option<&str>,
    selection: Option<&AttributeSelection>,
) -> Result<PageLines, ConnectorError> {
    dated_lines(exchange, size, cursor, filter, selection).map(|(page, _)| page)
}

/// And when all accounts up to here had been changed.
pub(super) fn dated_lines(
    exchange: &Exchange,
    size: u32,
    cursor: Option<&str>,
    filter: Option<&str>,
    selection: Option<&AttributeSelection>,
) -> Result<(PageLines, Dates), ConnectorError> {
    let of_body = |body: &[u8]| match lines::read(body, selection) {
        Some(lines) => Some(of_lines(lines)),
        None => {
            let (accounts, said) = of_rows(answer::rows(body)?);
            let page = Page { accounts, ..Page::default() };
            Some((PageLines::of(page, selection).ok()?.accounts, said))
        }
    };
    let (accounts, end) = read(exchange, size, cursor, filter, selection, of_body)?;
    let (next, complete, total, newest) = (end.next, end.complete, end.total, end.dates.newest());
    Ok((PageLines { accounts, count: end.count, next, complete, total, newest }, end.dates))
}

/// What a page says besides its accounts.
struct Said {
    /// How many rows it has, repeated ones too.
    rows: u64,
    /// How many accounts.
    distinct: u64,
    /// Of the ids.
    digest: String,
    total: Option<u64>,
    next_cursor: Option<String>,
}

fn of_rows(rows: Rows) -> (Vec<TargetAccount>, Said) {
    let Rows { accounts, shown: row_count, total, next_cursor } = rows;
    let accounts = distinct(accounts);
    let digest = digest(accounts.iter().map(|account| account.external_id.as_str()));
    let said = Said { rows: row_count, distinct: count(&accounts), digest, total, next_cursor };
    (accounts, said)
}

fn of_lines(lines: Lines<'_>) -> (Vec<u8>, Said) {
    let Lines { text, ids, rows, total, next_cursor } = lines;
    let distinct = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    let digest = digest(ids.iter().map(AsRef::as_ref));
    (text, Said { rows, distinct, digest, total, next_cursor })
}

/// What comes after a page.
struct End {
    /// How many accounts it has.
    count: u64,
    next: Option<String>,
    complete: bool,
    total: Option<u64>,
    /// When the accounts up to here had been changed.
    dates: Dates,
}

fn read<A: Default>(
    exchange: &Exchange,
    size: u32,
    cursor: Option<&str>,
    filter: Option<&str>,
    selection: Option<&AttributeSelection>,
    of_body: impl Fn(&[u8]) -> Option<(A, Said)>,
) -> Result<(A, End), ConnectorError> {
    let mut cursor = match cursor {
        None => Cursor::first(exchange.knowledge.paging() == Some(Paging::Cursor)),
        Some(text) => Cursor::parse(text).ok_or_else(|| {
            let message = "the cursor is not one of the SCIM connector";
            ConnectorError::new(Outcome::Rejected, Code::InvalidArgument.name(), message)
        })?,
    };
    let readable =
        |body: &[u8]| of_body(body).ok_or_else(|| unreadable(Method::Get, "the target's listing cannot be read"));
    let is_dated = exchange.knowledge.tells_changes();
    let dates = |body: &[u8]| if is_dated { Dates::of_page(body) } else { Dates::Unknown };
    let end = |count, total, complete, dates| End { count, next: None, complete, total, dates };
    match fetch(exchange, size, &cursor, filter)? {
        Fetched::Rows(body) => {
            let (accounts, said) = readable(&body)?;
            let is_first_again = cursor.pages == 1 && cursor.own.is_none() && said.digest == cursor.digest;
            if is_first_again && filter.is_none() && cursor.total.is_none_or(|total| cursor.shown < total) {
                // The target ignores where to start. It may know cursors, the first of which is asked for by an empty one.
                let begun = Cursor::first(true);
                if let Ok(Fetched::Rows(body)) = fetch(exchange, size, &begun, filter)
                    && let Some((accounts, said)) = of_body(&body)
                    && said.next_cursor.is_some()
                {
                    exchange.knowledge.learn_cursors();
                    let begun = Cursor { dates: dates(&body), ..begun };
                    return Ok(judge(u64::from(size), &begun, accounts, said));
                }
            }
            cursor.dates = cursor.dates.and(dates(&body));
            let is_long = said.next_cursor.is_some() || said.total.is_some_and(|total| total > said.distinct);
            if let Some(selection) = selection.filter(|_| cursor.pages == 0 && is_long) {
                let (start, size) = (cursor.start.to_string(), size.to_string());
                let parameters = parameters(&cursor, &start, &size, filter);
                cursor.unread = unread(exchange, &parameters, &body, selection).unwrap_or_default();
            }
            Ok(judge(u64::from(size), &cursor, accounts, said))
        }
        Fetched::Unpaged(body) => {
            let (accounts, said) = readable(&body)?;
            let complete = said.total.is_some_and(|total| said.distinct >= total);
            Ok((accounts, end(said.distinct, said.total, complete, dates(&body))))
        }
        Fetched::PastTheEnd => {
            let complete = cursor.total.is_some_and(|total| cursor.shown >= total);
            Ok((A::default(), end(0, cursor.total, complete, cursor.dates)))
        }
    }
}

enum Fetched {
    Rows(Vec<u8>),
    /// The target cannot page: this is everything it shows.
    Unpaged(Vec<u8>),
    /// The target refuses to look behind the last row.
    PastTheEnd,
}

fn parameters<'p>(
    cursor: &'p Cursor,
    start: &'p str,
    size: &'p str,
    filter: Option<&'p str>,
) -> Vec<(&'p str, &'p str)> {
    let place = cursor.own.as_deref().map_or(("startIndex", start), |own| ("cursor", own));
    let filter = filter.map(|filter| ("filter", filter));
    let unread = Some(("excludedAttributes", cursor.unread.as_str())).filter(|(_, names)| !names.is_empty());
    filter.into_iter().chain([place, ("count", size)]).chain(unread).collect()
}

fn fetch(exchange: &Exchange, size: u32, cursor: &Cursor, filter: Option<&str>) -> Result<Fetched, ConnectorError> {
    let (start, size) = (cursor.start.to_string(), size.to_string());
    let plain: Vec<(&str, &str)> = filter.map(|filter| ("filter", filter)).into_iter().collect();
    let parameters = parameters(cursor, &start, &size, filter);
    let response = exchange.accounts(&parameters)?;
    match response.status {
        200..=299 => Ok(Fetched::Rows(response.body)),
        400 | 404 if cursor.own.is_none() && cursor.total.is_some_and(|total| cursor.start > total) => {
            Ok(Fetched::PastTheEnd)
        }
        // What is asked for by it is gone, and with it the listing (RFC 9865 §2.1).
        400..=499
            if cursor.own.as_deref().is_some_and(|own| !own.is_empty())
                && matches!(scim_type(&response), Some("expiredCursor" | "invalidCursor")) =>
        {
            let message = "the target does not take its own cursor any more";
            Err(ConnectorError::new(Outcome::Rejected, Code::CursorExpired.name(), message))
        }
        // Some targets break on the paging parameters themselves.
        400 | 500 if cursor.pages == 0 => {
            let again = exchange.accounts(&plain)?;
            match again.status {
                200..=299 => Ok(Fetched::Unpaged(again.body)),
                _ => Err(failure(Method::Get, &response)),
            }
        }
        _ => Err(failure(Method::Get, &response)),
    }
}

/// Whether there is more, and if not whether that was all.
fn judge<A: Default>(size: u64, cursor: &Cursor, accounts: A, said: Said) -> (A, End) {
    let (row_count, total) = (said.rows, said.total.or(cursor.total));
    let told = total.filter(|total| !is_size_of_page(*total, row_count, cursor));
    let dates = cursor.dates;
    let nothing = |complete| (A::default(), End { count: 0, next: None, complete, total: told, dates });
    if row_count == 0 && said.next_cursor.is_none() {
        return nothing(total.is_none_or(|total| cursor.shown >= total));
    }
    if cursor.pages > 0 && row_count > 0 && (said.digest == cursor.digest || said.digest == cursor.first) {
        // The same page again: the target ignores where to start, or leads in a circle. What was seen before is all that can be
        // had.
        return nothing(total.is_some_and(|total| cursor.shown >= total));
    }
    let next = Cursor {
        start: cursor.start + row_count,
        pages: cursor.pages + 1,
        shown: cursor.shown + said.distinct,
        total,
        first: if cursor.pages == 0 { said.digest.clone() } else { cursor.first.clone() },
        unread: cursor.unread.clone(),
        dates,
        digest: said.digest,
        own: said.next_cursor,
    };
    let end = |next, complete| End { count: said.distinct, next, complete, total: told, dates };
    let endless = total.is_some_and(|total| next.start > total + total / 5 + 1000);
    if next.pages >= MOST_PAGES || endless || (next.own.is_some() && next.own == cursor.own) {
        return (accounts, end(None, false));
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
    (accounts, if ended { end(None, enough) } else { end(Some(next.text()), false) })
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

/// Tells pages apart by their ids, in whatever order these stand. It is only ever compared with that of the page before.
fn digest<'i>(ids: impl Iterator<Item = &'i str>) -> String {
    let hash = |id: &str| {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}", ids.map(hash).fold(0, u64::wrapping_add))
}
