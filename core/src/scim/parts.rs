//! Writing a value from a body as JSON text, in the shape in which accounts have it: sub-attributes in the standard's
//! spelling, lists of objects, nothing that is null; what lies deeper stands as it came.

use super::schema;
use super::shape::{Entry, KeySeed, Seen, Shape, unusual};
use super::strict::DEEPEST;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Text as it stands in the body where that is possible.
pub(super) struct Text<'b>(pub(super) Cow<'b, str>);

impl<'b> serde::Deserialize<'b> for Text<'b> {
    fn deserialize<D: Deserializer<'b>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'b> Visitor<'b> for TextVisitor {
            type Value = Text<'b>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'b str) -> Result<Text<'b>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'b>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl Text<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Cow::Borrowed(text) => write_plain(text, out),
            Cow::Owned(text) => write_escaped(text, out),
        }
    }
}

/// Text that could be borrowed has no escapes in the body, and so needs none here.
fn write_plain(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn write_escaped(text: &str, out: &mut Vec<u8>) {
    // Writing text into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

fn write_bool(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// What a value is to its surroundings.
pub(super) enum Manner<'a> {
    /// The value of the attribute of that name.
    Attribute(&'a str, &'a mut Shape<bool>),
    /// The value of a multi-valued attribute.
    List(&'a str, &'a mut Shape<bool>),
    /// An element of such a list. A bare value stands for its `value`.
    Element(&'a str, &'a mut Shape<bool>),
    /// A member of an attribute or element.
    Part,
    /// Such a member that is true or false, however it is written.
    Primary,
    /// What lies deeper.
    Deep,
}

/// Writes a value; gives whether there is one.
pub(super) struct ValueSeed<'a> {
    pub(super) manner: Manner<'a>,
    /// How deep it lies in the body.
    pub(super) depth: usize,
    pub(super) out: &'a mut Vec<u8>,
}

impl<'b> DeserializeSeed<'b> for ValueSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ValueSeed<'_> {
    /// Writes what is neither object nor list.
    fn bare<E: Error>(self, write: impl FnOnce(&mut Vec<u8>)) -> Result<bool, E> {
        match self.manner {
            // Some targets show the only value of a list by itself. That is left to the patient reader.
            Manner::List(..) => return Err(unusual()),
            Manner::Element(..) => {
                self.out.extend_from_slice(br#"{"value":"#);
                write(self.out);
                self.out.push(b'}');
            }
            _ => write(self.out),
        }
        Ok(true)
    }

    fn number<E: Error>(self, number: impl serde::Serialize, is_zero: bool) -> Result<bool, E> {
        if matches!(self.manner, Manner::Primary) {
            return self.bare(|out| write_bool(!is_zero, out));
        }
        self.bare(|out| {
            // Writing a number into memory does not fail.
            let _ = serde_json::to_writer(out, &number);
        })
    }

    fn text<E: Error>(self, text: &str, write: fn(&str, &mut Vec<u8>)) -> Result<bool, E> {
        if matches!(self.manner, Manner::Primary) {
            if text.eq_ignore_ascii_case("true") || text == "1" {
                return self.bare(|out| write_bool(true, out));
            }
            if text.eq_ignore_ascii_case("false") || text == "0" {
                return self.bare(|out| write_bool(false, out));
            }
        }
        self.bare(|out| write(text, out))
    }

    fn deeper<E: Error>(&self) -> Result<usize, E> {
        if self.depth < DEEPEST { Ok(self.depth + 1) } else { Err(unusual()) }
    }
}

impl<'b> Visitor<'b> for ValueSeed<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        match self.manner {
            Manner::Deep => self.bare(|out| out.extend_from_slice(b"null")),
            _ => Ok(false),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        self.bare(|out| write_bool(value, out))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.number(value, value == 0)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.number(value, value == 0)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        self.number(value, value == 0.0)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'b str) -> Result<bool, E> {
        self.text(text, write_plain)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        self.text(text, write_escaped)
    }

    fn visit_seq<A: SeqAccess<'b>>(self, elements: A) -> Result<bool, A::Error> {
        let depth = self.deeper()?;
        match self.manner {
            Manner::List(parent, parts) => write_list(elements, Some((parent, parts)), depth, self.out)?,
            Manner::Element(..) => return Err(unusual()),
            _ => write_list(elements, None, depth, self.out)?,
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'b>>(self, members: A) -> Result<bool, A::Error> {
        let depth = self.deeper()?;
        match self.manner {
            Manner::Attribute(parent, parts) => write_parts(members, parent, parts, false, depth, self.out)?,
            Manner::Element(parent, parts) => write_parts(members, parent, parts, true, depth, self.out)?,
            Manner::List(..) => return Err(unusual()),
            Manner::Part | Manner::Primary | Manner::Deep => write_object(members, depth, self.out)?,
        }
        Ok(true)
    }
}

/// Writes a list: of a multi-valued attribute's elements where there is one, otherwise as it came.
fn write_list<'b, A: SeqAccess<'b>>(
    mut elements: A,
    mut attribute: Option<(&str, &mut Shape<bool>)>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), A::Error> {
    out.push(b'[');
    let mut first = true;
    loop {
        let start = out.len();
        if !first {
            out.push(b',');
        }
        let manner = match &mut attribute {
            Some((parent, parts)) => Manner::Element(parent, parts),
            None => Manner::Deep,
        };
        let written = elements.next_element_seed(ValueSeed { manner, depth, out })?;
        match written {
            Some(true) => first = false,
            Some(false) => out.truncate(start),
            None => {
                out.truncate(start);
                out.push(b']');
                return Ok(());
            }
        }
    }
}

/// Writes the members of an attribute or of an element of a list.
fn write_parts<'b, A: MapAccess<'b>>(
    mut members: A,
    parent: &str,
    parts: &mut Shape<bool>,
    in_list: bool,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), A::Error> {
    let entry_of = |key: &str| {
        let spelling = schema::spelling_of_path(parent, key).and_then(|path| path.rsplit_once([':', '.']));
        let name = spelling.map_or(key, |(_, sub)| sub);
        Some(Entry::new(key, name, in_list && name == "primary", true))
    };
    let mut seen = Seen::default();
    out.push(b'{');
    let mut first = true;
    while let Some(place) = members.next_key_seed(KeySeed { shape: parts, seen: &mut seen, entry_of: &entry_of })? {
        let entry = parts.at(place).ok_or_else(unusual)?;
        let start = out.len();
        if !first {
            out.push(b',');
        }
        out.extend_from_slice(&entry.written);
        let manner = if entry.kind { Manner::Primary } else { Manner::Part };
        if members.next_value_seed(ValueSeed { manner, depth, out })? {
            first = false;
        } else {
            out.truncate(start);
        }
    }
    out.push(b'}');
    Ok(())
}

/// Writes an object as it came.
fn write_object<'b, A: MapAccess<'b>>(mut members: A, depth: usize, out: &mut Vec<u8>) -> Result<(), A::Error> {
    let mut keys: Vec<Cow<'b, str>> = Vec::new();
    out.push(b'{');
    while let Some(key) = members.next_key::<Text<'b>>()? {
        if !keys.is_empty() {
            out.push(b',');
        }
        key.write(out);
        out.push(b':');
        members.next_value_seed(ValueSeed { manner: Manner::Deep, depth, out })?;
        // A key that stands twice is refused by the patient reader, and it does better with many.
        if keys.len() >= MOST_KEYS || keys.contains(&key.0) {
            return Err(unusual());
        }
        keys.push(key.0);
    }
    out.push(b'}');
    Ok(())
}

/// More members than this make an object unusual.
const MOST_KEYS: usize = 32;
