//! Looking for accounts by one attribute. Only `eq` is sent, since that is what targets know; every row is compared again,
//! since some targets answer everything or nothing whatever was asked.

use super::answer::{self, Rows};
use super::exchange::{Exchange, failure, unreadable};
use super::lines::{self, Lines};
use super::listing;
use crate::connector::{ConnectorError, Outcome, TargetAccount};
use crate::fault::Code;
use crate::http::Method;
use crate::model::Filters;
use crate::path::Path;
use crate::value::fold_case;
use serde_json::Value;

/// How many pages are read where the target ignores the filter or refuses it.
const MOST_PAGES: usize = 100;
/// Up to how many rows that do not show the attribute are read one by one.
const MOST_READS: usize = 5;

type Read<'a> = &'a dyn Fn(&str) -> Result<Option<TargetAccount>, ConnectorError>;

/// The accounts whose attribute holds `value`. An answer that may have left some out is an error.
pub(super) fn find(
    exchange: &Exchange,
    size: u32,
    attribute: &str,
    value: &Value,
    read: Read<'_>,
) -> Result<Vec<TargetAccount>, ConnectorError> {
    let (Some(path), true) = (Path::parse(attribute).ok(), is_plain(value)) else {
        let message = format!("accounts cannot be found by `{attribute}`");
        return Err(ConnectorError::new(Outcome::Rejected, Code::InvalidPath.name(), message));
    };
    // A filter inside of the path would be more than `eq`; without it more rows come back than are wanted, not fewer.
    let path = path.unfiltered();
    let filter = format!("{path} eq {value}");
    let filters = exchange.knowledge.filters();
    if filters == Some(Filters::None) {
        return walk(exchange, size, None, &path, value);
    }
    let found = asked(exchange, size, &filter, &path, value, read)?;
    if found.is_empty() && filters == Some(Filters::ExactCase) && value.is_string() && !path.is("externalId") {
        // What is spelled otherwise is in the list. Where that is too long, what the filter said has to do.
        return Ok(walk(exchange, size, None, &path, value).unwrap_or_default());
    }
    match unescaped(&path, value).filter(|_| found.is_empty()) {
        Some(filter) => asked_again(exchange, &filter, &path, value, read),
        None => Ok(found),
    }
}

/// Some targets take the text between the quotes as it stands, without the escapes of JSON (RFC 7644 §3.4.2.2), and find
/// nothing. A quote itself cannot be sent to them.
fn unescaped(path: &Path, value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| text.contains(|one: char| one == '\\' || one.is_control()))?;
    (!text.contains('"')).then(|| format!("{path} eq \"{text}\""))
}

fn asked_again(
    exchange: &Exchange,
    filter: &str,
    path: &Path,
    value: &Value,
    read: Read<'_>,
) -> Result<Vec<TargetAccount>, ConnectorError> {
    let response = exchange.accounts(&[("filter", filter)])?;
    match (response.status, rows_about(&response.body, path, value)) {
        (200..=299, Some(rows)) if is_whole(&rows) => matches(rows.accounts, path, value, read),
        // These say nothing about the filter.
        (401 | 403 | 408 | 429 | 502..=504, _) => Err(failure(Method::Get, &response)),
        // A target that refuses such a filter, or breaks on it, understood the one before.
        _ => Ok(Vec::new()),
    }
}

fn asked(
    exchange: &Exchange,
    size: u32,
    filter: &str,
    path: &Path,
    value: &Value,
    read: Read<'_>,
) -> Result<Vec<TargetAccount>, ConnectorError> {
    let response = exchange.accounts(&[("filter", filter)])?;
    match response.status {
        200..=299 => {
            let unreadable = || unreadable(Method::Get, "the target's answer to a search cannot be read");
            let rows = rows_about(&response.body, path, value).ok_or_else(unreadable)?;
            if is_whole(&rows) {
                matches(rows.accounts, path, value, read)
            } else {
                walk(exchange, size, Some(filter), path, value)
            }
        }
        // The value or the filter is refused, for instance for its quotes. What cannot be asked for can be looked through.
        400 | 404 | 405 | 413 | 414 | 431 | 501 => walk(exchange, size, None, path, value).map_err(|error| {
            // Where there are too many accounts to look through, the refusal of the filter is what the operator must know.
            if error.code == Code::InvalidAnswer.name() { failure(Method::Get, &response) } else { error }
        }),
        _ => Err(failure(Method::Get, &response)),
    }
}

fn is_plain(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Bool(_) | Value::Number(_))
}

fn is_whole(rows: &Rows) -> bool {
    rows.next_cursor.is_none() && rows.total.is_none_or(|total| rows.shown >= total)
}

/// The rows of an answer. A target that ignores the filter may answer everybody: of many rows only those that hold the value
/// are made accounts of, since all of them would fill the memory.
fn rows_about(body: &[u8], path: &Path, value: &Value) -> Option<Rows> {
    let many = |lines: &Lines<'_>| lines.ids.len() > MOST_READS;
    let Some(lines) = lines::read(body, None).filter(many) else { return answer::rows(body) };
    let accounts = holding(&lines.text, path, value)?;
    Some(Rows { accounts, shown: lines.rows, total: lines.total, next_cursor: lines.next_cursor })
}

/// The accounts that hold the value, of lines that have one each.
fn holding(lines: &[u8], path: &Path, value: &Value) -> Option<Vec<TargetAccount>> {
    let mut found = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let account: TargetAccount = serde_json::from_slice(line).ok()?;
        if holds(&account, path, value) {
            found.push(account);
        }
    }
    Some(found)
}

fn matches(
    accounts: Vec<TargetAccount>,
    path: &Path,
    value: &Value,
    read: Read<'_>,
) -> Result<Vec<TargetAccount>, ConnectorError> {
    let few = accounts.len() <= MOST_READS;
    let mut found = Vec::new();
    for account in accounts {
        let hidden = path.values(&account.attributes).is_empty();
        // A listing may show less of an account than reading it does.
        let account = if hidden && few { read(&account.external_id)? } else { Some(account) };
        found.extend(account.filter(|account| holds(account, path, value)));
    }
    Ok(found)
}

/// Reads page after page and keeps the rows that match.
fn walk(
    exchange: &Exchange,
    size: u32,
    filter: Option<&str>,
    path: &Path,
    value: &Value,
) -> Result<Vec<TargetAccount>, ConnectorError> {
    let mut found: Vec<TargetAccount> = Vec::new();
    let (mut cursor, mut began_anew) = (None, false);
    for _ in 0..MOST_PAGES {
        let page = match listing::page_lines(exchange, size, cursor.as_deref(), filter, None) {
            // Once; who loses every cursor cannot be looked through.
            Err(error) if error.code == Code::CursorExpired.name() && !began_anew => {
                (cursor, began_anew) = (None, true);
                continue;
            }
            page => page?,
        };
        let unreadable = || unreadable(Method::Get, "the target's answer to a search cannot be read");
        for account in holding(&page.accounts, path, value).ok_or_else(unreadable)? {
            if !found.iter().any(|known| known.external_id == account.external_id) {
                found.push(account);
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None if page.complete => return Ok(found),
            None => break,
        }
    }
    Err(unreadable(Method::Get, "the target did not show every account that a search asked for"))
}

/// Whether the account holds the value. Letter case counts for `externalId` alone (RFC 7643 §3.1); elsewhere the engine
/// decides.
fn holds(account: &TargetAccount, path: &Path, value: &Value) -> bool {
    let exact = path.is("externalId");
    path.values(&account.attributes).into_iter().any(|shown| match (shown, value) {
        (Value::String(shown), Value::String(value)) if !exact => fold_case(shown) == fold_case(value),
        // Some targets show an external id that is all digits as a number.
        (Value::Number(shown), Value::String(value)) => shown.to_string() == *value,
        (shown, value) => shown == value,
    })
}
