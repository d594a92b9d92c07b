//! Reading a page of a listing straight into lines of text, without making a value of anything. Only the shapes that targets
//! usually send are read here; a page with anything else in it is left to [`super::answer`], which takes everything for what
//! it means. Both give the same accounts.

use super::answer::folded;
use super::parts;
use super::schema;
use super::shape::{Entry, Seen, Shape};
use crate::connector::AttributeSelection;
use crate::path::is_multi_valued;
use crate::value::Reader;
use std::borrow::Cow;
use std::collections::HashSet;

/// An account of more text than that is no usual one, and is not copied.
const LARGEST_ACCOUNT: usize = 1024 * 1024;

/// A page as text, and what it says besides.
#[derive(Default)]
pub(super) struct Lines<'b> {
    /// The accounts, one a line, each id once.
    pub(super) text: Vec<u8>,
    /// The ids that are there.
    pub(super) ids: HashSet<Cow<'b, str>>,
    /// How many rows the page has, repeated ones too.
    pub(super) rows: u64,
    pub(super) total: Option<u64>,
    pub(super) next_cursor: Option<String>,
}

/// Reads a list response with the attributes that are read; `None` where it is not of the usual shape.
pub(super) fn read<'b>(body: &'b [u8], read: Option<&AttributeSelection>) -> Option<Lines<'b>> {
    let body = std::str::from_utf8(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()?;
    let mut reader = Reader::new(body);
    let mut lines = Lines { text: Vec::with_capacity(body.len() / 2), ..Lines::default() };
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let start = reader.space(0);
    let end = reader.members(start, |reader, key, at| {
        if keys.iter().any(|known| known == key) {
            return None;
        }
        keys.push(key.to_vec());
        match key {
            b"Resources" => lines.rows(reader, at, read),
            b"totalResults" => {
                let end = reader.pass(at, 0)?;
                lines.total = Some(std::str::from_utf8(reader.slice(at, end)?).ok()?.parse().ok()?);
                Some(end)
            }
            b"nextCursor" if reader.byte(at)? == b'"' => {
                let (cursor, end) = reader.text(at)?;
                lines.next_cursor = Some(cursor.into_owned()).filter(|cursor| !cursor.is_empty());
                Some(end)
            }
            key if is_spelled_otherwise(key) => None,
            _ => reader.skim(at),
        }
    })?;
    if reader.space(end) != body.len() {
        return None;
    }
    // Without either key this is something else, such as an error with a status of success.
    let is_listing = keys.iter().any(|key| key == b"Resources") || lines.total.is_some();
    is_listing.then_some(lines)
}

fn is_spelled_otherwise(key: &[u8]) -> bool {
    let known: [&[u8]; 3] = [b"resources", b"totalresults", b"nextcursor"];
    known.iter().any(|known| key.eq_ignore_ascii_case(known))
}

impl<'b> Lines<'b> {
    fn rows(&mut self, reader: &mut Reader<'b>, at: usize, read: Option<&AttributeSelection>) -> Option<usize> {
        let mut shape = Shape::default();
        let mut attributes = Vec::new();
        reader.elements(at, |reader, at| {
            attributes.clear();
            let (end, account) = resource(reader, at, &mut shape, &mut attributes, read)?;
            if attributes.len() > LARGEST_ACCOUNT {
                return None;
            }
            self.rows += 1;
            let (_, id) = account.external_id.as_ref()?;
            if self.ids.insert(id.clone()) {
                account.write(&attributes, &mut self.text)?;
            }
            Some(end)
        })
    }
}

/// What an account has besides its attributes; text as it stands in the body.
#[derive(Default)]
struct Account<'b> {
    external_id: Option<(&'b [u8], Cow<'b, str>)>,
    username: Option<&'b [u8]>,
    is_disabled: bool,
    version: Option<&'b [u8]>,
}

impl Account<'_> {
    /// Adds the line, which reads as a [`TargetAccount`](crate::connector::TargetAccount).
    fn write(&self, attributes: &[u8], lines: &mut Vec<u8>) -> Option<()> {
        lines.extend_from_slice(br#"{"external_id":"#);
        lines.extend_from_slice(self.external_id.as_ref()?.0);
        if let Some(username) = self.username {
            lines.extend_from_slice(br#","username":"#);
            lines.extend_from_slice(username);
        }
        if self.is_disabled {
            lines.extend_from_slice(br#","active":false"#);
        }
        lines.extend_from_slice(br#","attributes":{"#);
        lines.extend_from_slice(attributes);
        lines.push(b'}');
        if let Some(version) = self.version {
            lines.extend_from_slice(br#","version":"#);
            lines.extend_from_slice(version);
        }
        lines.extend_from_slice(b"}\n");
        Some(())
    }
}

/// What is done with an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Id,
    UserName,
    Active,
    Meta,
    List,
    Other,
    /// Nobody reads it.
    Skipped,
}

/// What is done with a member of a resource; `None` where it is not of the usual shape.
fn entry_of(key: &str, read: Option<&AttributeSelection>) -> Option<Entry<Kind>> {
    if folded(key).is_some() {
        return None;
    }
    let name = schema::spelling(key).unwrap_or(key);
    let is_read = !matches!(name, "id" | "schemas") && read.is_none_or(|read| read.holds(name));
    let kind = match name {
        "id" => Kind::Id,
        "userName" => Kind::UserName,
        "active" => Kind::Active,
        "meta" => Kind::Meta,
        _ if !is_read => Kind::Skipped,
        name if is_multi_valued(name) => Kind::List,
        _ => Kind::Other,
    };
    Some(Entry::new(key, name, kind, is_read))
}

/// Reads one resource; its attributes are added to `attributes`.
fn resource<'b>(
    reader: &mut Reader<'b>,
    at: usize,
    shape: &mut Shape<Kind>,
    attributes: &mut Vec<u8>,
    read: Option<&AttributeSelection>,
) -> Option<(usize, Account<'b>)> {
    let mut account = Account::default();
    let mut seen = Seen::default();
    let end = reader.members(at, |reader, key, at| {
        let Entry { kind, is_read, name, written, parts, .. } =
            shape.entry(key, &mut seen, |key| entry_of(key, read))?;
        let start = attributes.len();
        if *is_read {
            if start > 0 {
                attributes.push(b',');
            }
            attributes.extend_from_slice(written);
        }
        let (end, is_kept) = match kind {
            Kind::Skipped => (reader.skim(at)?, false),
            Kind::Id => {
                let (id, end) = reader.text(at)?;
                account.external_id = Some((reader.slice(at, end)?, id)).filter(|(_, id)| !id.is_empty());
                (end, false)
            }
            Kind::UserName => {
                let (_, end) = reader.text(at)?;
                let text = reader.slice(at, end)?;
                attributes.extend_from_slice(if *is_read { text } else { &[] });
                account.username = Some(text);
                (end, *is_read)
            }
            Kind::Active => {
                let (end, truth) = parts::truth(reader, at)?;
                let text: &[u8] = if truth { b"true" } else { b"false" };
                attributes.extend_from_slice(if *is_read { text } else { &[] });
                account.is_disabled = !truth;
                (end, *is_read)
            }
            Kind::Meta => {
                let end = version(reader, at, &mut account.version)?;
                match is_read {
                    true => parts::attribute(reader, at, name, parts, attributes)?,
                    false => (end, false),
                }
            }
            Kind::List => parts::list(reader, at, name, parts, attributes)?,
            Kind::Other => parts::attribute(reader, at, name, parts, attributes)?,
        };
        if !is_kept {
            attributes.truncate(start);
        }
        Some(end)
    })?;
    Some((end, account))
}

/// Reads the version of a resource, which stands in its `meta`.
fn version<'b>(reader: &mut Reader<'b>, at: usize, version: &mut Option<&'b [u8]>) -> Option<usize> {
    reader.members(at, |reader, key, at| {
        if key == b"version" && version.is_none() {
            let (_, end) = reader.text(at)?;
            *version = Some(reader.slice(at, end)?);
            return Some(end);
        }
        if key.eq_ignore_ascii_case(b"version") { None } else { reader.skim(at) }
    })
}

#[cfg(test)]
mod tests;
