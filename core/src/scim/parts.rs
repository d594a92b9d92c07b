//! Copying a value from a body into the text of an account, in the shape in which accounts have it: sub-attributes in the
//! standard's spelling, lists of objects, nothing that is null; what lies deeper stands as it came. Everything here takes the
//! place where a value begins and gives the place after it, or nothing where the value is unusual.

use super::schema;
use super::shape::{Entry, Seen, Shape};
use crate::value::{DEEPEST, Reader};

/// What became of a value: the place after it, and whether anything was written.
type Copied = Option<(usize, bool)>;

/// The value of an attribute that is no list.
pub(super) fn attribute(
    reader: &mut Reader<'_>,
    at: usize,
    name: &str,
    parts: &mut Shape<bool>,
    out: &mut Vec<u8>,
) -> Copied {
    match reader.byte(at)? {
        b'n' => Some((reader.word(at, "null")?, false)),
        b'{' => Some((members(reader, at, name, parts, false, out)?, true)),
        _ => Some((deep(reader, at, DEEPEST, out)?, true)),
    }
}

/// The value of a multi-valued attribute: its elements are objects, and a bare value stands for its `value`.
pub(super) fn list(
    reader: &mut Reader<'_>,
    at: usize,
    name: &str,
    parts: &mut Shape<bool>,
    out: &mut Vec<u8>,
) -> Copied {
    if reader.byte(at)? == b'n' {
        return Some((reader.word(at, "null")?, false));
    }
    out.push(b'[');
    let mut first = true;
    let end = reader.elements(at, |reader, at| {
        if reader.byte(at)? == b'n' {
            return reader.word(at, "null");
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        match reader.byte(at)? {
            b'{' => members(reader, at, name, parts, true, out),
            b'[' => None,
            _ => {
                out.extend_from_slice(br#"{"value":"#);
                let end = deep(reader, at, DEEPEST, out)?;
                out.push(b'}');
                Some(end)
            }
        }
    })?;
    out.push(b']');
    Some((end, true))
}

/// The members of an attribute or of an element of a list.
fn members(
    reader: &mut Reader<'_>,
    at: usize,
    parent: &str,
    parts: &mut Shape<bool>,
    in_list: bool,
    out: &mut Vec<u8>,
) -> Option<usize> {
    let entry_of = |key: &str| {
        let spelling = schema::spelling_of_path(parent, key).and_then(|path| path.rsplit_once([':', '.']));
        let name = spelling.map_or(key, |(_, sub)| sub);
        Some(Entry::new(key, name, in_list && name == "primary", true))
    };
    let mut seen = Seen::default();
    let mut first = true;
    out.push(b'{');
    let end = reader.members(at, |reader, key, at| {
        let entry = parts.entry(key, &mut seen, entry_of)?;
        if reader.byte(at)? == b'n' {
            return reader.word(at, "null");
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(&entry.written);
        if !entry.kind {
            return deep(reader, at, DEEPEST, out);
        }
        let (end, truth) = truth(reader, at)?;
        out.extend_from_slice(if truth { b"true" } else { b"false" });
        Some(end)
    })?;
    out.push(b'}');
    Some(end)
}

/// Whether a value means true, however it is written.
pub(super) fn truth(reader: &mut Reader<'_>, at: usize) -> Option<(usize, bool)> {
    match reader.byte(at)? {
        b't' => Some((reader.word(at, "true")?, true)),
        b'f' => Some((reader.word(at, "false")?, false)),
        b'"' => {
            let (text, end) = reader.text(at)?;
            let is = |word: &str, digit: &str| text.eq_ignore_ascii_case(word) || text == digit;
            let truth = is("true", "1");
            (truth || is("false", "0")).then_some((end, truth))
        }
        _ => None,
    }
}

/// Any value as it came, without the space between.
fn deep(reader: &mut Reader<'_>, at: usize, levels: usize, out: &mut Vec<u8>) -> Option<usize> {
    match reader.byte(at)? {
        b'{' => object(reader, at, levels.checked_sub(1)?, out),
        b'[' => {
            let levels = levels.checked_sub(1)?;
            let mut separator = b'[';
            let end = reader.elements(at, |reader, at| {
                out.push(std::mem::replace(&mut separator, b','));
                deep(reader, at, levels, out)
            })?;
            out.extend_from_slice(if separator == b'[' { b"[]" } else { b"]" });
            Some(end)
        }
        _ => {
            let end = reader.pass(at, 0)?;
            out.extend_from_slice(reader.slice(at, end)?);
            Some(end)
        }
    }
}

/// More members than this make an object unusual.
const MOST: usize = 16;

fn object(reader: &mut Reader<'_>, at: usize, levels: usize, out: &mut Vec<u8>) -> Option<usize> {
    // Where the keys so far stand in the output: one that stands twice is for the patient reader to refuse.
    let mut keys = [(0, 0); MOST];
    let mut count = 0;
    let mut separator = b'{';
    let end = reader.members(at, |reader, key, at| {
        let known = keys.get(..count)?;
        if known.iter().any(|(from, to)| out.get(*from..*to) == Some(key)) {
            return None;
        }
        out.extend_from_slice(&[std::mem::replace(&mut separator, b','), b'"']);
        let start = out.len();
        // A key with anything to escape in it was unescaped on the way here.
        if key.iter().any(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')) {
            return None;
        }
        out.extend_from_slice(key);
        *keys.get_mut(count)? = (start, out.len());
        count += 1;
        out.extend_from_slice(b"\":");
        deep(reader, at, levels, out)
    })?;
    out.extend_from_slice(if separator == b'{' { b"{}" } else { b"}" });
    Some(end)
}
