//! Reading a page of a listing straight into lines of text, without making a value of anything that is not read. Only the
//! shapes that targets usually send are read here; a page with anything else in it is left to [`super::answer`], which takes
//! everything for what it means. Both give the same accounts.

use super::answer::folded;
use super::parts::{Manner, Text, ValueSeed};
use super::schema;
use super::shape::{Entry, KeySeed, Seen, Shape, unusual};
use crate::connector::AttributeSelection;
use crate::path::is_multi_valued;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

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
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let mut lines = Lines { text: Vec::with_capacity(body.len() / 2), ..Lines::default() };
    let resources = deserializer.deserialize_map(PageVisitor { lines: &mut lines, read }).ok()?;
    deserializer.end().ok()?;
    // Without either key this is something else, such as an error with a status of success.
    (resources || lines.total.is_some()).then_some(lines)
}

struct PageVisitor<'a, 'b> {
    lines: &'a mut Lines<'b>,
    read: Option<&'a AttributeSelection>,
}

impl<'b> Visitor<'b> for PageVisitor<'_, 'b> {
    /// Whether there were resources.
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list response")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut members: A) -> Result<bool, A::Error> {
        let mut keys: Vec<Cow<'b, str>> = Vec::new();
        while let Some(Text(key)) = members.next_key()? {
            match key.as_ref() {
                "Resources" => members.next_value_seed(Resources { lines: self.lines, read: self.read })?,
                "totalResults" => self.lines.total = Some(members.next_value()?),
                "nextCursor" => {
                    let cursor: Option<String> = members.next_value()?;
                    self.lines.next_cursor = cursor.filter(|cursor| !cursor.is_empty());
                }
                other if is_spelled_otherwise(other) => return Err(unusual()),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            if keys.contains(&key) || keys.len() > 32 {
                return Err(unusual());
            }
            keys.push(key);
        }
        Ok(keys.iter().any(|key| key == "Resources"))
    }
}

fn is_spelled_otherwise(key: &str) -> bool {
    ["resources", "totalresults", "nextcursor"].iter().any(|known| key.eq_ignore_ascii_case(known))
}

struct Resources<'a, 'b> {
    lines: &'a mut Lines<'b>,
    read: Option<&'a AttributeSelection>,
}

impl<'b> DeserializeSeed<'b> for Resources<'_, 'b> {
    type Value = ();

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'b> Visitor<'b> for Resources<'_, 'b> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("resources")
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut shape = Shape::default();
        let mut attributes = Vec::new();
        loop {
            attributes.clear();
            let row = Row { shape: &mut shape, attributes: &mut attributes, read: self.read };
            let Some(account) = rows.next_element_seed(row)? else { return Ok(()) };
            self.lines.rows += 1;
            if self.lines.ids.contains(&account.external_id.0) {
                continue;
            }
            account.write(&attributes, &mut self.lines.text);
            self.lines.ids.insert(account.external_id.0);
        }
    }
}

/// What an account has besides its attributes.
struct Account<'b> {
    external_id: Text<'b>,
    username: Option<Text<'b>>,
    active: bool,
    version: Option<Text<'b>>,
}

impl Account<'_> {
    /// Adds the line, which reads as a [`TargetAccount`](crate::connector::TargetAccount).
    fn write(&self, attributes: &[u8], lines: &mut Vec<u8>) {
        lines.extend_from_slice(br#"{"external_id":"#);
        self.external_id.write(lines);
        if let Some(username) = &self.username {
            lines.extend_from_slice(br#","username":"#);
            username.write(lines);
        }
        let active: &[u8] =
            if self.active { br#","active":true,"attributes":{"# } else { br#","active":false,"attributes":{"# };
        lines.extend_from_slice(active);
        lines.extend_from_slice(attributes);
        lines.push(b'}');
        if let Some(version) = &self.version {
            lines.extend_from_slice(br#","version":"#);
            version.write(lines);
        }
        lines.extend_from_slice(b"}\n");
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

/// The page, its resources, the resource.
const DEPTH_OF_ATTRIBUTES: usize = 3;

/// Reads one resource.
struct Row<'a> {
    shape: &'a mut Shape<Kind>,
    attributes: &'a mut Vec<u8>,
    read: Option<&'a AttributeSelection>,
}

impl<'b> DeserializeSeed<'b> for Row<'_> {
    type Value = Account<'b>;

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<Account<'b>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'b> Visitor<'b> for Row<'_> {
    type Value = Account<'b>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a resource")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut members: A) -> Result<Account<'b>, A::Error> {
        let Row { shape, attributes, read } = self;
        let (mut external_id, mut username, mut version) = (None, None, None);
        let mut active = true;
        let mut seen = Seen::default();
        let entry_of = |key: &str| entry_of(key, read);
        while let Some(place) = members.next_key_seed(KeySeed { shape, seen: &mut seen, entry_of: &entry_of })? {
            let entry = shape.at(place).ok_or_else(unusual)?;
            let start = attributes.len();
            if entry.is_read {
                if start > 0 {
                    attributes.push(b',');
                }
                attributes.extend_from_slice(&entry.written);
            }
            let Entry { kind, is_read, name, parts, .. } = entry;
            let is_kept = match kind {
                Kind::Skipped => members.next_value::<IgnoredAny>().map(|_| false)?,
                Kind::Id => {
                    external_id = Some(members.next_value::<Text<'b>>()?).filter(|id| !id.0.is_empty());
                    false
                }
                Kind::UserName => {
                    let text = username.insert(members.next_value::<Text<'b>>()?);
                    if *is_read {
                        text.write(attributes);
                    }
                    *is_read
                }
                Kind::Active => {
                    active = members.next_value()?;
                    if *is_read {
                        attributes.extend_from_slice(if active { b"true" } else { b"false" });
                    }
                    *is_read
                }
                Kind::Meta if !*is_read => {
                    version = members.next_value::<Meta<'b>>()?.0;
                    false
                }
                Kind::Meta | Kind::Other | Kind::List => {
                    let value = attributes.len();
                    let manner =
                        if *kind == Kind::List { Manner::List(name, parts) } else { Manner::Attribute(name, parts) };
                    let depth = DEPTH_OF_ATTRIBUTES;
                    let is_kept = members.next_value_seed(ValueSeed { manner, depth, out: attributes })?;
                    if *kind == Kind::Meta && is_kept {
                        version = version_in(attributes.get(value..).unwrap_or_default()).ok_or_else(unusual)?;
                    }
                    is_kept
                }
            };
            if !is_kept {
                attributes.truncate(start);
            }
        }
        let external_id = external_id.ok_or_else(unusual)?;
        Ok(Account { external_id, username, active, version })
    }
}

/// What is done with a member of a resource; `None` where it is not of the usual shape.
fn entry_of(key: &str, read: Option<&AttributeSelection>) -> Option<Entry<Kind>> {
    if folded(key).is_some() {
        return None;
    }
    let name = schema::spelling(key).unwrap_or(key);
    let is_read = name != "schemas" && read.is_none_or(|read| read.holds(name));
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

/// The version of a resource that stands in its `meta`.
struct Meta<'b>(Option<Text<'b>>);

/// The version in a `meta` that was written.
fn version_in<'v>(meta: &[u8]) -> Option<Option<Text<'v>>> {
    let Meta(version) = serde_json::from_slice(meta).ok()?;
    Some(version.map(|Text(text)| Text(Cow::Owned(text.into_owned()))))
}

impl<'b> serde::Deserialize<'b> for Meta<'b> {
    fn deserialize<D: Deserializer<'b>>(deserializer: D) -> Result<Self, D::Error> {
        struct MetaVisitor;
        impl<'b> Visitor<'b> for MetaVisitor {
            type Value = Meta<'b>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'b>>(self, mut members: A) -> Result<Meta<'b>, A::Error> {
                let mut version = None;
                while let Some(Text(key)) = members.next_key()? {
                    if key == "version" && version.is_none() {
                        version = Some(members.next_value()?);
                    } else if key.eq_ignore_ascii_case("version") {
                        return Err(unusual());
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Meta(version))
            }
        }
        deserializer.deserialize_map(MetaVisitor)
    }
}

#[cfg(test)]
mod tests;
