//! Paging through a target's groups, with their members where it shows them.

use super::exchange::{Exchange, succeeded, unreadable};
use super::selection::Part;
use super::strict;
use crate::connector::{ConnectorError, Outcome};
use crate::fault::Code;
use crate::http::Method;
use crate::path::member;
use crate::value::Attributes;
use serde_json::{Value, json};

/// The longest listing, in pages.
const MOST_PAGES: u64 = 10_000;

/// What a target is asked that shows members to those alone who ask for them by name (RFC 7643 §7, `returned`).
const BY_NAME: (&str, &str) = ("attributes", "displayName,externalId,members");

/// What is asked for of each group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its members too.
    Members,
    /// What it is called. A target that shows members all the same is not listened to, and nothing is made of them.
    Names,
}

/// Where a listing stands; it crosses the engine as opaque text.
struct Cursor {
    /// The index of the next row, from 1.
    start: u64,
    pages: u64,
    /// Whether members are asked for by name, as the first page taught.
    by_name: bool,
    /// The id of the first group of the page before.
    first: String,
}

impl Cursor {
    fn parse(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else {
            return Some(Self { start: 1, pages: 0, by_name: false, first: String::new() });
        };
        let mut parts = text.splitn(3, ':');
        let (start, pages) = (parts.next()?.parse().ok()?, parts.next()?);
        let (pages, by_name) = pages.strip_suffix('n').map_or((pages, false), |pages| (pages, true));
        Some(Self { start, pages: pages.parse().ok()?, by_name, first: parts.next()?.to_owned() })
    }
}

/// One page of the groups, each with `id`, `display_name` and, where the target shows them, `members`. A listing that does
/// not come to its end is a failure: nothing could be told from half of it.
pub(super) fn page(
    exchange: &Exchange,
    size: u32,
    cursor: Option<&str>,
    shown: Shown,
) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
    let cursor = Cursor::parse(cursor).ok_or_else(|| {
        let message = "the cursor is not one of the SCIM connector";
        ConnectorError::new(Outcome::Rejected, Code::InvalidArgument.name(), message)
    })?;
    let (start, count) = (cursor.start.to_string(), size.to_string());
    let ask = |parameters: &[(&str, &str)]| {
        let url = exchange.base.endpoint("Groups", parameters);
        match shown {
            Shown::Members => exchange.get(&url),
            Shown::Names => exchange.get_part(&url, Part::Without("members"), |list| has_names(&list.body)),
        }
    };
    let mut parameters = vec![("startIndex", start.as_str()), ("count", count.as_str())];
    if cursor.by_name {
        parameters.push(BY_NAME);
    }
    let mut is_everything = false;
    let mut response = ask(&parameters)?;
    if cursor.pages == 0 && matches!(response.status, 400 | 500) {
        // Some targets break on the parameters themselves.
        let plain = ask(&[])?;
        if (200..300).contains(&plain.status) {
            (response, is_everything) = (plain, true);
        }
    }
    if cursor.pages == 0 && matches!(response.status, 404 | 405 | 501) {
        return Err(ConnectorError::unsupported("list_groups"));
    }
    let response = succeeded(Method::Get, response)?;
    let invalid = |message| unreadable(Method::Get, message);
    let (mut rows, mut total) =
        rows(&response.body, shown).ok_or_else(|| invalid("the target's groups cannot be read"))?;
    let mut by_name = cursor.by_name;
    if shown == Shown::Members && cursor.pages == 0 && !is_everything && !rows.is_empty() && !shows_members(&rows) {
        parameters.push(BY_NAME);
        if let Some(named) = asked_by_name(exchange, &parameters)? {
            (rows, total) = named;
            by_name = true;
        }
    }
    let (count, seen) = (rows.len() as u64, cursor.start - 1);
    if count == 0 {
        return match total.is_none_or(|total| seen >= total) {
            true => Ok((Vec::new(), None)),
            false => Err(invalid("the target shows fewer groups than it counts")),
        };
    }
    let groups = groups(&rows, shown).ok_or_else(|| invalid("the target shows a group that cannot be read"))?;
    let first = rows.first().and_then(id_of).unwrap_or_default();
    if first == cursor.first || cursor.pages >= MOST_PAGES {
        return Err(invalid("the target shows the same page of groups again"));
    }
    if is_everything {
        return match total.is_none_or(|total| count >= total) {
            true => Ok((groups, None)),
            false => Err(invalid("the target shows fewer groups than it counts")),
        };
    }
    // Without a count, or with one that may be the page's, only an empty page is the end.
    let is_end = total.is_some_and(|total| seen + count >= total) && count != u64::from(size);
    let mark = if by_name { "n" } else { "" };
    let next = format!("{}:{}{mark}:{first}", cursor.start + count, cursor.pages + 1);
    Ok((groups, (!is_end).then_some(next)))
}

/// The page again, asked with these parameters; `None` where that shows no members either, or is refused.
fn asked_by_name(exchange: &Exchange, parameters: &[(&str, &str)]) -> Result<Option<Page>, ConnectorError> {
    if !exchange.knowledge.selects() {
        return Ok(None);
    }
    let response = exchange.get(&exchange.base.endpoint("Groups", parameters))?;
    let is_done = (200..300).contains(&response.status);
    let is_whole = |rows: &[Attributes]| shows_members(rows) && rows.iter().all(|row| id_of(row).is_some());
    Ok(rows(&response.body, Shown::Members).filter(|(rows, _)| is_done && is_whole(rows)))
}

/// Whether a group of the page has members.
fn shows_members(rows: &[Attributes]) -> bool {
    rows.iter().any(|row| member(row, "members").is_some())
}

/// Whether the body is a list of groups.
pub(super) fn is_list(body: &[u8]) -> bool {
    rows(body, Shown::Names).is_some()
}

/// Whether each group of a list has its id, and one of them at the least a name where there are any.
fn has_names(body: &[u8]) -> bool {
    let is_named = |row: &Attributes| member(row, "displayName").is_some_and(Value::is_string);
    rows(body, Shown::Names).is_some_and(|(rows, _)| {
        rows.is_empty() || rows.iter().all(|row| id_of(row).is_some()) && rows.iter().any(is_named)
    })
}

/// The rows of a list response, and how many the target counts.
type Page = (Vec<Attributes>, Option<u64>);

fn rows(body: &[u8], shown: Shown) -> Option<Page> {
    let read = match shown {
        Shown::Members => strict::read(body)?,
        Shown::Names => strict::read_without(body, "members")?,
    };
    let Value::Object(object) = read else { return None };
    let total = member(&object, "totalResults").and_then(|total| match total {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    });
    let found = match member(&object, "Resources") {
        None | Some(Value::Null) => {
            // Without either key this is something else, such as an error with a status of success.
            total?;
            Vec::new()
        }
        Some(Value::Array(found)) => found.clone(),
        Some(_) => return None,
    };
    let rows = found.into_iter().map(|row| if let Value::Object(row) = row { Some(row) } else { None });
    Some((rows.collect::<Option<_>>()?, total))
}

/// The groups of a page; `None` where one has no id or members that cannot be read. An empty group may be shown without its
/// members (RFC 7643 §2.5), and so may every group: where no group of the page has any, they are not shown.
fn groups(rows: &[Attributes], shown: Shown) -> Option<Vec<Attributes>> {
    let shows_members = shown == Shown::Members && shows_members(rows);
    let group = |row: &Attributes| {
        let mut group = Attributes::new();
        group.insert("id".to_owned(), id_of(row)?.into());
        if let Some(name) = member(row, "displayName").and_then(Value::as_str) {
            group.insert("display_name".to_owned(), name.into());
        }
        if let Some(id) = member(row, "externalId").and_then(Value::as_str) {
            group.insert("external_id".to_owned(), id.into());
        }
        if shows_members {
            group.insert("members".to_owned(), json!(members(member(row, "members"))?));
        }
        Some(group)
    };
    rows.iter().map(group).collect()
}

/// The ids of the accounts in a group; groups in it are left out.
pub(super) fn members(members: Option<&Value>) -> Option<Vec<String>> {
    let elements = match members {
        None | Some(Value::Null) => &[],
        Some(Value::Array(elements)) => elements.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    let mut ids = Vec::new();
    for element in elements {
        match element {
            Value::Object(parts) if is_group(parts) => {}
            Value::Object(parts) => ids.push(text(member(parts, "value")?)?),
            bare => ids.push(text(bare)?),
        }
    }
    Some(ids)
}

fn is_group(parts: &Attributes) -> bool {
    let says = |name: &str| member(parts, name).and_then(Value::as_str);
    match says("type") {
        Some(kind) => kind.eq_ignore_ascii_case("Group"),
        None => says("$ref").is_some_and(|url| url.contains("/Groups/")),
    }
}

fn id_of(row: &Attributes) -> Option<String> {
    text(member(row, "id")?)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
