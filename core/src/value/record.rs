//! A record read in part: one pass over its JSON text, the members that somebody reads in numbered fields, the others
//! checked and passed over. Text without escapes stays where it is in the JSON.
//!
//! What is taken for sound here is sound for `serde_json` too, which reads whatever is not plain: a text with escapes, a
//! number with a fraction, a list or an object that somebody wants. It need not hold the other way round: who gets nothing
//! from here asks `serde_json`, which knows what is wrong.

use serde_json::{Number, Value};
use std::borrow::Cow;

/// How deep a record may be nested; far less than `serde_json` takes.
const DEEPEST: usize = 32;

/// The members of a record that are read, each with a number.
#[derive(Debug)]
pub(crate) struct Keys {
    names: Vec<String>,
    /// Places by a hash of the name, with the number of a name plus one; 0 is free. At most a quarter is taken.
    table: Vec<usize>,
}

impl Keys {
    /// Numbers names in the order given; none may be there twice.
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut table = vec![0; (names.len() * 4).next_power_of_two()];
        for (number, name) in names.iter().enumerate() {
            let free = places(name, table.len()).find(|place| table.get(*place) == Some(&0));
            if let Some(place) = free.and_then(|place| table.get_mut(place)) {
                *place = number + 1;
            }
        }
        Self { names, table }
    }

    /// The number of a name.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        for place in places(name, self.table.len()) {
            let number = self.table.get(place)?.checked_sub(1)?;
            if self.names.get(number)? == name {
                return Some(number);
            }
        }
        None
    }
}

/// The places where a name may stand in a table, first choice first.
fn places(name: &str, length: usize) -> impl Iterator<Item = usize> {
    let bytes = name.as_bytes();
    let end = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
    let hash = bytes.len() + end(bytes.first()) * 7 + end(bytes.last()) * 31;
    (hash..hash + length).map(move |place| place & length.wrapping_sub(1))
}

/// The value of a member.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field<'t> {
    /// There is none, or it is null.
    Absent,
    Bool(bool),
    Number(Number),
    Text(Cow<'t, str>),
    /// A list or an object.
    Tree(Value),
}

impl From<Value> for Field<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(Cow::Owned(text)),
            tree @ (Value::Array(_) | Value::Object(_)) => Self::Tree(tree),
        }
    }
}

/// A record read in part.
#[derive(Debug)]
pub(crate) struct Record<'t> {
    keys: &'t Keys,
    fields: Vec<Field<'t>>,
}

impl<'t> Record<'t> {
    /// Reads the members of `keys`; of a member that is there twice, the last. Gives nothing where the text is not a
    /// JSON object, or is out of the ordinary.
    pub(crate) fn read(keys: &'t Keys, json: &'t str) -> Option<Self> {
        let mut fields = Vec::new();
        fields.resize_with(keys.names.len(), || Field::Absent);
        let mut reader = Reader { json, at: 0 };
        reader.space();
        reader.members(&mut |reader, name| {
            match keys.number(name).and_then(|number| fields.get_mut(number)) {
                Some(field) => *field = reader.field()?,
                None => reader.pass(DEEPEST)?,
            }
            Some(())
        })?;
        reader.space();
        (reader.at == json.len()).then_some(Self { keys, fields })
    }

    /// The field of that number.
    pub(crate) fn field(&self, number: usize) -> Option<&Field<'t>> {
        self.fields.get(number)
    }

    /// The field of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&Field<'t>> {
        self.field(self.keys.number(name)?)
    }
}

/// Goes through JSON text.
struct Reader<'t> {
    json: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn byte(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Whether that byte stands here, after space; it is passed over then.
    fn takes(&mut self, wanted: u8) -> bool {
        self.space();
        let stands = self.byte() == Some(wanted);
        self.at += usize::from(stands);
        stands
    }

    /// An object, each of whose values is left to `value`.
    fn members(&mut self, value: &mut dyn FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        if !self.takes(b'{') {
            return None;
        }
        if self.takes(b'}') {
            return Some(());
        }
        loop {
            self.space();
            let name = self.text()?;
            if !self.takes(b':') {
                return None;
            }
            self.space();
            value(self, &name)?;
            if !self.takes(b',') {
                return self.takes(b'}').then_some(());
            }
        }
    }

    /// A text.
    fn text(&mut self) -> Option<Cow<'t, str>> {
        if self.byte()? != b'"' {
            return None;
        }
        let bytes = self.json.as_bytes();
        let start = self.at;
        let mut end = start + 1;
        let mut escaped = false;
        loop {
            end += plain_length(bytes.get(end..)?);
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    end += 2;
                }
                _ => return None,
            }
        }
        self.at = end + 1;
        if escaped {
            return serde_json::from_str(self.json.get(start..self.at)?).ok().map(Cow::Owned);
        }
        self.json.get(start + 1..end).map(Cow::Borrowed)
    }

    /// A value that is wanted.
    fn field(&mut self) -> Option<Field<'t>> {
        if self.byte()? == b'"' {
            return self.text().map(Field::Text);
        }
        let start = self.at;
        self.pass(DEEPEST)?;
        let value: Value = serde_json::from_str(self.json.get(start..self.at)?).ok()?;
        Some(value.into())
    }

    /// A value that nobody wants.
    fn pass(&mut self, levels: usize) -> Option<()> {
        match self.byte()? {
            b'"' => self.text().map(drop),
            b'{' => {
                let levels = levels.checked_sub(1)?;
                self.members(&mut |reader, _| reader.pass(levels))
            }
            b'[' => self.items(levels.checked_sub(1)?),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn items(&mut self, levels: usize) -> Option<()> {
        self.at += 1;
        if self.takes(b']') {
            return Some(());
        }
        loop {
            self.space();
            self.pass(levels)?;
            if !self.takes(b',') {
                return self.takes(b']').then_some(());
            }
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.json.as_bytes().get(self.at..)?;
        self.at += word.len();
        rest.starts_with(word.as_bytes()).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.json.get(self.at..)?;
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().position(|byte| !is_part(&byte)).unwrap_or(rest.len());
        self.at += length;
        let number = rest.get(..length)?;
        // A whole number that is neither long nor begins with a zero needs no second look.
        let plain =
            (1..18).contains(&length) && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        if plain { Some(()) } else { serde_json::from_str::<Number>(number).ok().map(drop) }
    }
}

/// How many bytes come before a quotation mark, a backslash or a control character.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    // The lowest top bit that is set is that of the first byte below the limit; those above it may be wrong.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & TOPS;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = below(word, 0x20) | is(word, b'"') | is(word, b'\\');
        if found != 0 {
            return index * 8 + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
    }
    let ends = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    words.len() * 8 + rest.iter().position(ends).unwrap_or(rest.len())
}
