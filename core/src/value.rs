//! JSON values in one canonical form: sorted keys, no white space. The same record gives the same bytes everywhere,
//! which is what digests, the log's chain and the comparison of the four faces rest on.
//!
//! `serde_json` keeps object keys sorted unless somebody in the program switches on its `preserve_order` feature;
//! [`canonical`] sorts by itself and is right in both cases.

mod order;
mod record;

pub(crate) use order::Order;
pub(crate) use record::{
    DEEPEST, Field, Keys, Raw, Reader, Record, RecordReader, each_item, each_member, each_member_in_order,
};

use serde_json::Value;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// An object: attribute names and their JSON values.
pub type Attributes = serde_json::Map<String, Value>;

/// Writes `value` with sorted keys and without white space.
///
/// ```
/// let value = serde_json::json!({"b": [1, true], "a": "ü"});
/// assert_eq!(rollkeeper::value::canonical(&value), r#"{"a":"ü","b":[1,true]}"#);
/// ```
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// [`canonical`] for an object that is not wrapped in a [`Value`].
pub fn canonical_object(object: &Attributes) -> String {
    let mut text = String::new();
    write_object(object, &mut text);
    text
}

/// SHA-256 as lower-case hexadecimal text, 64 characters.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

/// The value at a dotted path (`name.givenName`), `None` where a step is missing, null or no object.
pub fn at_path<'a>(object: &'a Attributes, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.');
    let mut value = object.get(steps.next()?)?;
    for step in steps {
        value = value.as_object()?.get(step)?;
    }
    (!value.is_null()).then_some(value)
}

/// Whether a value says nothing: null, `[]` or `{}` (RFC 7643 §2.5).
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether anything inside of a value says nothing.
pub(crate) fn has_empty_part(value: &Value) -> bool {
    let is_hollow = |part: &Value| is_empty(part) || has_empty_part(part);
    match value {
        Value::Array(items) => items.iter().any(is_hollow),
        Value::Object(object) => object.values().any(is_hollow),
        _ => false,
    }
}

/// The value without the members and items that say nothing.
pub(crate) fn without_empty_parts(value: &Value) -> Value {
    let kept = |part: &Value| Some(without_empty_parts(part)).filter(|part| !is_empty(part));
    match value {
        Value::Array(items) => items.iter().filter_map(kept).collect(),
        Value::Object(object) => object.iter().filter_map(|(name, part)| Some((name.clone(), kept(part)?))).collect(),
        other => other.clone(),
    }
}

/// A key for comparing text without regard to letter case: Unicode's full case folding, so that `STRASSE` equals `Straße`, and
/// the dotless `ı` is no `i`.
pub fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for letter in text.nfc() {
        match letter {
            // No form of i, or one person's mail address would be taken for another's.
            'ı' => folded.push(letter),
            'ẞ' => folded.push_str("ss"),
            // By way of upper case, because some letters have two lower-case forms and some become two letters.
            _ => folded.extend(letter.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    folded.nfc().collect()
}

/// [`canonical`], at the end of a text.
pub(crate) fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => write_object(object, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::String(plain) => write_text(plain, text),
        Value::Null => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number.to_string()),
    }
}

/// A text as JSON. Most texts need no escape; the library writes the others.
pub(crate) fn write_text(plain: &str, text: &mut String) {
    // To the end whatever is found: without a way out the loop is done for many bytes at once.
    let escapes = plain.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == b'"') | (byte == b'\\'));
    if !escapes {
        write_plain(plain, text);
    } else {
        text.push_str(&Value::from(plain).to_string());
    }
}

/// A text as JSON, where it is known that it needs no escape.
pub(crate) fn write_plain(plain: &str, text: &mut String) {
    text.push('"');
    text.push_str(plain);
    text.push('"');
}

fn write_object(object: &Attributes, text: &mut String) {
    let mut entries: Vec<(&String, &Value)> = object.iter().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    text.push('{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_text(key, text);
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use serde_json::Value;

    #[test]
    fn texts_are_written_as_the_library_writes_them() {
        let mut texts: Vec<String> = (0..0x300).filter_map(char::from_u32).map(|sign| format!("a{sign}b")).collect();
        texts.extend(["", "\"", "\\", "\u{7f}", "\u{2028}", "🎉", "O'Brien"].map(str::to_owned));
        for text in texts {
            let value = Value::from(text);
            assert_eq!(canonical(&value), value.to_string());
        }
    }
}
