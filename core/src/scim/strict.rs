//! JSON as a target sends it: bounded in depth and in what it takes in memory, which may be a hundred times its text, and
//! without keys that stand twice, since two readers would read such an object differently.

use crate::value::Attributes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::cell::Cell;
use std::fmt;

/// How deep values may be nested. A user resource is four deep.
const DEEPEST: usize = 64;
/// How many digits a number may have, with its sign, point and exponent.
const LONGEST_NUMBER: usize = 1024;
/// What a body may take in memory as values, beside its text. A thousand users take as much.
const LARGEST: usize = 12 * 1024 * 1024;
/// What a value takes, with its share of a list that may have room for as many again.
const VALUE: usize = 64;
/// What an object takes for its first members.
const OBJECT: usize = 640;
/// What a member takes beside its value: its key, and its share of the object where that has many.
const MEMBER: usize = 96;

/// Reads a whole body by its content, whatever its header says; `None` where it is not JSON or not within the bounds.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    read_but(body, None)
}

/// The same without the members of that name, in any letter case, wherever they stand: nothing is made of what is in them.
pub(super) fn read_without(body: &[u8], name: &'static str) -> Option<Value> {
    read_but(body, Some(name))
}

fn read_but(body: &[u8], skipped: Option<&'static str>) -> Option<Value> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if has_long_number(body) {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let left = Cell::new(LARGEST);
    let value = Strict { depth: 0, left: &left, skipped }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Whether a number has more digits than any has a use for; reading them takes time and memory out of all proportion.
fn has_long_number(body: &[u8]) -> bool {
    let (mut in_text, mut is_escaped, mut digits) = (false, false, 0);
    body.len() > LONGEST_NUMBER
        && body.iter().any(|byte| {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = in_text,
                b'"' => in_text = !in_text,
                _ => {}
            }
            let is_digit = !in_text && (byte.is_ascii_digit() || b"+-.eE".contains(byte));
            digits = if is_digit { digits + 1 } else { 0 };
            digits > LONGEST_NUMBER
        })
}

#[derive(Clone, Copy)]
struct Strict<'l> {
    depth: usize,
    /// How much memory is left.
    left: &'l Cell<usize>,
    /// The name of what is passed over.
    skipped: Option<&'static str>,
}

impl Strict<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth < DEEPEST {
            Ok(Self { depth: self.depth + 1, ..self })
        } else {
            Err(E::custom("nested too deep"))
        }
    }

    fn take<E: Error>(self, size: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(size).ok_or_else(|| E::custom("takes too much memory"))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.take(VALUE)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.take(value.len())?;
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.take(value.len())?;
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        self.take(OBJECT)?;
        let mut object = Attributes::new();
        while let Some(key) = entries.next_key::<String>()? {
            if self.skipped.is_some_and(|name| name.eq_ignore_ascii_case(&key)) {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            self.take(MEMBER + key.len())?;
            let value = entries.next_value_seed(inner)?;
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}
