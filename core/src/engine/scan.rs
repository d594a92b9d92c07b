//! Where values begin and end in JSON text. What stands inside of them is not checked.

use crate::analysis::Visit;
use crate::fault::{Code, Fault};

/// How many bytes are looked at together: without a way out the inner loop is done for all of them at once.
const STRETCH: usize = 64;

fn has_line_end(stretch: &[u8; STRETCH]) -> bool {
    stretch.iter().fold(false, |found, byte| found | (*byte == b'\n'))
}

/// Where the first line ends.
pub(super) fn line_end(text: &[u8]) -> Option<usize> {
    let (stretches, tail) = text.as_chunks();
    let (before, stretch) = match stretches.iter().position(has_line_end) {
        Some(number) => (number * STRETCH, stretches.get(number)?.as_slice()),
        None => (text.len() - tail.len(), tail),
    };
    Some(before + stretch.iter().position(|byte| *byte == b'\n')?)
}

/// Where the last whole line ends, with its line break.
pub(super) fn last_line_end(text: &[u8]) -> Option<usize> {
    let (head, stretches) = text.as_rchunks();
    let (before, stretch) = match stretches.iter().rposition(has_line_end) {
        Some(number) => (head.len() + number * STRETCH, stretches.get(number)?.as_slice()),
        None => (0, head),
    };
    Some(before + stretch.iter().rposition(|byte| *byte == b'\n')? + 1)
}

/// Shows the records of a text that has one a line and begins at `place`.
///
/// # Errors
/// What `visit` gives.
pub(super) fn lines(text: &[u8], place: u64, visit: &mut Visit<'_>) -> Result<(), Fault> {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let end = line_end(rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        let record = line.trim_ascii_start();
        let blank = line.len() - record.len();
        let record = record.trim_ascii_end();
        if !record.is_empty() {
            visit(place + (at + blank) as u64, record)?;
        }
        at += end + 1;
    }
    Ok(())
}

/// Shows the records of a text that has a page a line, or here and there a record.
///
/// # Errors
/// As [`elements`].
pub(super) fn lines_of_pages(text: &[u8], place: u64, visit: &mut Visit<'_>) -> Result<(), Fault> {
    lines(text, place, &mut |place, text| match page(text) {
        Some(Page::List(start)) => elements(text, start, place, visit),
        Some(Page::Empty) => Ok(()),
        None => visit(place, text),
    })
}

/// What kind of page an object is.
#[derive(Debug, PartialEq)]
pub(super) enum Page {
    /// The elements of its list begin there.
    List(usize),
    /// It has no list, as of no results.
    Empty,
}

/// Whether an object is a SCIM list response, of which perhaps not all is there yet; `None` where it is a record.
pub(super) fn page(object: &[u8]) -> Option<Page> {
    let mut is_response = false;
    let mut is_record = false;
    let mut found = None;
    members(object, |name, at| {
        match name {
            b"id" | b"external_id" => is_record = true,
            name if name.eq_ignore_ascii_case(b"resources") && object.get(at) == Some(&b'[') => found = Some(at + 1),
            name if name.eq_ignore_ascii_case(b"totalresults") => is_response = true,
            _ => {}
        }
        found.is_none() && !is_record
    });
    match found {
        Some(start) => Some(Page::List(start)),
        None => (is_response && !is_record).then_some(Page::Empty),
    }
}

/// Shows the members of an object, each with the place of its value, as far as the text goes and `visit` says so.
fn members(text: &[u8], mut visit: impl FnMut(&[u8], usize) -> bool) {
    let space = |from: usize| {
        from + text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    };
    let mut at = space(1);
    while text.get(at) == Some(&b'"') {
        let Some(end) = end_of_text(text, at) else { return };
        let colon = space(end);
        if text.get(colon) != Some(&b':') {
            return;
        }
        let value = space(colon + 1);
        if !visit(text.get(at + 1..end - 1).unwrap_or_default(), value) {
            return;
        }
        let Some(end) = end_of_value(text, value) else { return };
        let comma = space(end);
        if text.get(comma) != Some(&b',') {
            return;
        }
        at = space(comma + 1);
    }
}

/// Shows the elements of a list that begins before `start`; `place` is where `text` begins.
///
/// # Errors
/// `invalid_json` where the list does not end; and what `visit` gives.
fn elements(text: &[u8], start: usize, place: u64, visit: &mut Visit<'_>) -> Result<(), Fault> {
    let mut at = start;
    loop {
        match text.get(at) {
            Some(b']') => return Ok(()),
            Some(b',') => at += 1,
            Some(byte) if byte.is_ascii_whitespace() => at += 1,
            _ => {
                let end = end_of_value(text, at).filter(|end| *end > at);
                let end = end.ok_or_else(|| Fault::new(Code::InvalidJson, "a page of records does not end"))?;
                visit(place + at as u64, text.get(at..end).unwrap_or_default())?;
                at = end;
            }
        }
    }
}

/// The place after a value that begins at `from`; `None` where the text ends before it does. What stands inside is not
/// checked.
pub(super) fn end_of_value(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => {
                at = end_of_text(text, at)?;
                if depth == 0 {
                    return Some(at);
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b',' | b'\n' | b'\r' | b' ' | b'\t' if depth == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// The place after a text that begins at `from`.
fn end_of_text(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        at = quote_or_backslash(text, at)?;
        match text.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// The place of the first quotation mark or backslash from there on. Eight bytes are looked at together.
fn quote_or_backslash(text: &[u8], from: usize) -> Option<usize> {
    const LOWEST: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    // The highest bit of each byte that is this one; above the first such byte it may be set for others.
    let has = |word: u64, byte: u8| {
        let differs = word ^ (LOWEST * u64::from(byte));
        differs.wrapping_sub(LOWEST) & !differs & HIGHEST
    };
    let rest = text.get(from..)?;
    let (words, tail) = rest.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = has(word, b'"') | has(word, b'\\');
        if found != 0 {
            return Some(from + number * 8 + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default());
        }
    }
    let place = tail.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(text.len() - tail.len() + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_line_end_wherever_they_stand() {
        for length in 0..200_usize {
            for (first, last) in [(0, 0), (3, 70), (63, 64), (64, 129), (65, 199), (199, 199), (200, 200)] {
                let mut text = vec![b'x'; length];
                for at in [first, last] {
                    text.get_mut(at).into_iter().for_each(|byte| *byte = b'\n');
                }
                assert_eq!(line_end(&text), text.iter().position(|byte| *byte == b'\n'), "{length} {first} {last}");
                let expected = text.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
                assert_eq!(last_line_end(&text), expected, "{length} {first} {last}");
            }
        }
    }

    #[test]
    fn the_first_of_both_is_found_wherever_it_stands() {
        // Bytes that differ from the two in one bit, or follow them, are what arithmetic may take for them.
        let others = b"!#]\x22\x5ca\xa2\xdc\x00\xff\x21\x23\x5b\x5d";
        for length in 0..40_usize {
            for at in 0..length {
                for (place, other) in others.iter().enumerate() {
                    let mut text = vec![b'x'; length];
                    if let Some(byte) = text.get_mut(at) {
                        *byte = *other;
                    }
                    if let Some(byte) = text.get_mut(at + 1 + place % 3) {
                        *byte = b'"';
                    }
                    for from in 0..=length {
                        let naive = text.iter().enumerate().skip(from).find(|(_, byte)| matches!(byte, b'"' | b'\\'));
                        assert_eq!(quote_or_backslash(&text, from), naive.map(|(place, _)| place), "{text:?} {from}");
                    }
                }
            }
        }
        assert_eq!(end_of_value(br#""a\"b\\" "#, 0), Some(8));
    }
}
