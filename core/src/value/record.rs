//! A record read in part: one pass over its JSON text, the members that somebody reads in numbered fields, the others
//! checked and passed over. Text without escapes stays where it is in the JSON.
//!
//! What is taken for sound here is sound for `serde_json` too, which reads whatever is not plain: a text with escapes, a
//! number with a fraction, a list or an object that somebody wants. It need not hold the other way round: who gets nothing
//! from here asks `serde_json`, which knows what is wrong.

use super::order::Order;
use serde_json::{Number, Value};
use std::borrow::Cow;

/// How deep a record may be nested; far less than `serde_json` takes.
pub(crate) const DEEPEST: usize = 32;

/// How many bytes are looked through at once.
const BLOCK: usize = 64;

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
            let free = places(name.as_bytes(), table.len()).find(|place| table.get(*place) == Some(&0));
            if let Some(place) = free.and_then(|place| table.get_mut(place)) {
                *place = number + 1;
            }
        }
        Self { names, table }
    }

    /// The number of a name.
    pub(crate) fn number(&self, name: &[u8]) -> Option<usize> {
        for place in places(name, self.table.len()) {
            let number = self.table.get(place)?.checked_sub(1)?;
            if self.names.get(number)?.as_bytes() == name {
                return Some(number);
            }
        }
        None
    }
}

/// The places where a name may stand in a table, first choice first.
fn places(name: &[u8], length: usize) -> impl Iterator<Item = usize> {
    let end = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
    let hash = name.len() + end(name.first()) * 7 + end(name.last()) * 31;
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
        let mut reader = Reader::new(json);
        let start = reader.space(0);
        let end = reader.members(start, |reader, name, at| {
            match keys.number(name).and_then(|number| fields.get_mut(number)) {
                Some(field) => {
                    let (value, end) = reader.field(at)?;
                    *field = value;
                    Some(end)
                }
                None => reader.pass(at, DEEPEST),
            }
        })?;
        (reader.space(end) == json.len()).then_some(Self { keys, fields })
    }

    /// The field of that number.
    pub(crate) fn field(&self, number: usize) -> Option<&Field<'t>> {
        self.fields.get(number)
    }

    /// The field of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&Field<'t>> {
        self.field(self.keys.number(name.as_bytes())?)
    }
}

/// Reads one record after the other.
#[derive(Debug)]
pub(crate) struct RecordReader<'k> {
    keys: &'k Keys,
    order: Order<Option<usize>>,
    /// The room for fields, used again.
    room: Vec<Field<'static>>,
}

impl<'k> RecordReader<'k> {
    pub(crate) fn new(keys: &'k Keys) -> Self {
        Self { keys, order: Order::new(), room: Vec::new() }
    }

    /// As [`Record::read`].
    pub(crate) fn read<'t>(&mut self, json: &'t str) -> Option<Record<'t>>
    where
        'k: 't,
    {
        let mut fields: Vec<Field<'t>> = emptied(std::mem::take(&mut self.room));
        fields.resize_with(self.keys.names.len(), || Field::Absent);
        let mut reader = Reader::new(json);
        let start = reader.space(0);
        let end = reader.members_in_order(
            start,
            &mut self.order,
            |name| self.keys.number(name),
            |reader, number, at| match number.and_then(|number| fields.get_mut(number)) {
                Some(field) => {
                    let (value, end) = reader.field(at)?;
                    *field = value;
                    Some(end)
                }
                None => reader.pass(at, DEEPEST),
            },
        )?;
        (reader.space(end) == json.len()).then_some(Record { keys: self.keys, fields })
    }

    /// Takes back a record that nobody needs any more, for the room that it has.
    pub(crate) fn done(&mut self, record: Record<'_>) {
        self.room = emptied(record.fields);
    }
}

/// No fields, in the room of those. Collecting an iterator over a list into a list of the same size keeps its place.
fn emptied<'t>(mut fields: Vec<Field<'_>>) -> Vec<Field<'t>> {
    fields.clear();
    fields.into_iter().map(|_| Field::Absent).collect()
}

/// A value as it stands in the text, checked but not read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw<'t> {
    Text(Cow<'t, str>),
    /// The JSON of anything but a text.
    Other(&'t str),
}

impl Raw<'_> {
    /// The value, read; nothing where it is null.
    pub(crate) fn value(&self) -> Option<Value> {
        match self {
            Self::Text(text) => Some(Value::from(text.as_ref())),
            Self::Other(json) => serde_json::from_str(json).ok().filter(|value: &Value| !value.is_null()),
        }
    }
}

/// Shows those members of an object that `is_wanted`, in their order. Gives nothing where the text is not a JSON object or is
/// out of the ordinary, and where `take` gives nothing.
pub(crate) fn each_member<'t, N>(
    json: &'t str,
    is_wanted: impl Fn(&[u8]) -> Option<N>,
    mut take: impl FnMut(N, Raw<'t>) -> Option<()>,
) -> Option<()> {
    let mut reader = Reader { json, block: usize::MAX, specials: 0 };
    let start = reader.space(0);
    let end = reader.members(start, |reader, name, at| match is_wanted(name) {
        Some(name) => {
            let (value, end) = reader.raw(at)?;
            take(name, value)?;
            Some(end)
        }
        None => reader.pass(at, DEEPEST),
    })?;
    (reader.space(end) == json.len()).then_some(())
}

/// As [`each_member`], with what is known of the order in which members came before.
pub(crate) fn each_member_in_order<'t, N: Copy>(
    json: &'t str,
    order: &mut Order<Option<N>>,
    is_wanted: impl Fn(&[u8]) -> Option<N>,
    mut take: impl FnMut(N, Raw<'t>) -> Option<()>,
) -> Option<()> {
    let mut reader = Reader::new(json);
    let start = reader.space(0);
    let end = reader.members_in_order(start, order, is_wanted, |reader, wanted, at| match wanted {
        Some(name) => {
            let (value, end) = reader.raw(at)?;
            take(name, value)?;
            Some(end)
        }
        None => reader.pass(at, DEEPEST),
    })?;
    (reader.space(end) == json.len()).then_some(())
}

/// Shows the elements of a list in their order; a value that is no list is shown itself. Gives nothing where the text is out
/// of the ordinary, and where `take` gives nothing.
pub(crate) fn each_item<'t>(value: Raw<'t>, mut take: impl FnMut(Raw<'t>) -> Option<()>) -> Option<()> {
    let Raw::Other(json) = value else { return take(value) };
    if !json.starts_with('[') {
        return take(value);
    }
    let mut reader = Reader::new(json);
    reader.elements(0, |reader, at| {
        let (value, end) = reader.raw(at)?;
        take(value)?;
        Some(end)
    })?;
    Some(())
}

/// Goes through JSON text. Whatever reads something takes the place where it begins and gives the place after it.
pub(crate) struct Reader<'t> {
    json: &'t str,
    /// The block that was looked through last, and its special bytes.
    block: usize,
    specials: u64,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(json: &'t str) -> Self {
        Self { json, block: usize::MAX, specials: 0 }
    }

    /// What stands between two places.
    #[inline]
    pub(crate) fn slice(&self, from: usize, to: usize) -> Option<&'t [u8]> {
        self.json.as_bytes().get(from..to)
    }

    #[inline]
    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.json.as_bytes().get(at).copied()
    }

    /// The place after space.
    #[inline]
    pub(crate) fn space(&self, at: usize) -> usize {
        let mut end = at;
        while self.byte(end).is_some_and(|byte| byte <= b' ' && matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
            end += 1;
        }
        end
    }

    /// An object, each of whose values is left to `value`.
    #[inline]
    pub(crate) fn members(
        &mut self,
        at: usize,
        mut value: impl FnMut(&mut Self, &[u8], usize) -> Option<usize>,
    ) -> Option<usize> {
        if self.byte(at)? != b'{' {
            return None;
        }
        let mut at = self.space(at + 1);
        if self.byte(at)? == b'}' {
            return Some(at + 1);
        }
        loop {
            let (end, has_escapes) = self.quoted(at)?;
            let colon = self.space(end);
            if self.byte(colon)? != b':' {
                return None;
            }
            let start = self.space(colon + 1);
            let end = match has_escapes {
                false => value(self, self.json.as_bytes().get(at + 1..end - 1)?, start)?,
                true => value(self, self.unescaped(at, end)?.as_bytes(), start)?,
            };
            let end = self.space(end);
            match self.byte(end)? {
                b',' => at = self.space(end + 1),
                b'}' => return Some(end + 1),
                _ => return None,
            }
        }
    }

    /// As [`Self::members`], each name given as what `is_wanted` makes of it, which is asked only where members come in
    /// another order than before.
    #[inline]
    fn members_in_order<N: Copy>(
        &mut self,
        at: usize,
        order: &mut Order<N>,
        is_wanted: impl Fn(&[u8]) -> N,
        mut value: impl FnMut(&mut Self, N, usize) -> Option<usize>,
    ) -> Option<usize> {
        if self.byte(at)? != b'{' {
            return None;
        }
        let mut at = self.space(at + 1);
        if self.byte(at)? == b'}' {
            return Some(at + 1);
        }
        order.restart();
        loop {
            let (what, start) = match order.expected(self.json.as_bytes().get(at..)?) {
                Some((what, length)) => (what, self.space(at + length)),
                None => self.name(at, order, &is_wanted)?,
            };
            let end = value(self, what, start)?;
            let end = self.space(end);
            match self.byte(end)? {
                b',' => at = self.space(end + 1),
                b'}' => return Some(end + 1),
                _ => return None,
            }
        }
    }

    /// A name that was not expected, and where its value begins.
    fn name<N: Copy>(&mut self, at: usize, order: &mut Order<N>, is_wanted: impl Fn(&[u8]) -> N) -> Option<(N, usize)> {
        let (end, has_escapes) = self.quoted(at)?;
        let colon = self.space(end);
        if self.byte(colon)? != b':' {
            return None;
        }
        let start = self.space(colon + 1);
        if has_escapes {
            return Some((is_wanted(self.unescaped(at, end)?.as_bytes()), start));
        }
        let what = is_wanted(self.slice(at + 1, end - 1)?);
        if colon == end {
            order.learn(self.slice(at, end + 1)?, what);
        }
        Some((what, start))
    }

    /// The place of the first quotation mark, backslash or control character from there on; beyond the end where there is
    /// none.
    #[inline]
    fn special(&mut self, from: usize) -> usize {
        let mut from = from;
        loop {
            if from / BLOCK != self.block {
                self.look(from / BLOCK);
            }
            let ahead = self.specials >> (from % BLOCK);
            if ahead != 0 {
                return from + usize::try_from(ahead.trailing_zeros()).unwrap_or_default();
            }
            from = (self.block + 1) * BLOCK;
        }
    }

    /// Looks through a block. Seldom needed, and kept out of what is needed often.
    #[inline(never)]
    fn look(&mut self, block: usize) {
        let rest = self.json.as_bytes().get(block * BLOCK..).unwrap_or_default();
        self.block = block;
        self.specials = match rest.first_chunk() {
            Some(bytes) => specials(bytes),
            // What is missing counts as control characters.
            None => {
                let mut bytes = [0; BLOCK];
                bytes.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                specials(&bytes)
            }
        };
    }

    /// A text, with its quotation marks, and whether there are escapes in it.
    #[inline]
    fn quoted(&mut self, at: usize) -> Option<(usize, bool)> {
        if self.byte(at)? != b'"' {
            return None;
        }
        let end = self.special(at + 1);
        match self.byte(end)? {
            b'"' => Some((end + 1, false)),
            b'\\' => Some((self.escaped(end)?, true)),
            _ => None,
        }
    }

    /// The end of a text, from an escape on.
    fn escaped(&mut self, at: usize) -> Option<usize> {
        let mut end = at;
        loop {
            match self.byte(end)? {
                b'"' => return Some(end + 1),
                b'\\' => end = self.special(end + 2),
                _ => return None,
            }
        }
    }

    fn unescaped(&self, at: usize, end: usize) -> Option<String> {
        serde_json::from_str(self.json.get(at..end)?).ok()
    }

    /// A text, read.
    #[inline]
    pub(crate) fn text(&mut self, at: usize) -> Option<(Cow<'t, str>, usize)> {
        let (end, has_escapes) = self.quoted(at)?;
        let text = match has_escapes {
            false => Cow::Borrowed(self.json.get(at + 1..end - 1)?),
            true => Cow::Owned(self.unescaped(at, end)?),
        };
        Some((text, end))
    }

    /// A value that is wanted.
    fn field(&mut self, at: usize) -> Option<(Field<'t>, usize)> {
        if self.byte(at)? == b'"' {
            let (text, end) = self.text(at)?;
            return Some((Field::Text(text), end));
        }
        let end = self.pass(at, DEEPEST)?;
        let value: Value = serde_json::from_str(self.json.get(at..end)?).ok()?;
        Some((value.into(), end))
    }

    /// A value that is wanted as it stands.
    fn raw(&mut self, at: usize) -> Option<(Raw<'t>, usize)> {
        if self.byte(at)? == b'"' {
            let (end, has_escapes) = self.quoted(at)?;
            let text = match has_escapes {
                false => Cow::Borrowed(self.json.get(at + 1..end - 1)?),
                true => Cow::Owned(self.unescaped(at, end)?),
            };
            return Some((Raw::Text(text), end));
        }
        let end = self.pass(at, DEEPEST)?;
        Some((Raw::Other(self.json.get(at..end)?), end))
    }

    /// A value that nobody wants.
    #[inline]
    pub(crate) fn pass(&mut self, at: usize, levels: usize) -> Option<usize> {
        if self.byte(at)? != b'"' {
            return self.pass_other(at, levels);
        }
        let (end, has_escapes) = self.quoted(at)?;
        if has_escapes {
            self.unescaped(at, end)?;
        }
        Some(end)
    }

    /// A value that nobody wants and that need not be sound: where its quotation marks and brackets end. Faster than
    /// [`Self::pass`].
    #[inline]
    pub(crate) fn skim(&mut self, at: usize) -> Option<usize> {
        let (mut at, mut levels) = (at, 0_usize);
        loop {
            match self.byte(at)? {
                b'"' => at = self.quoted(at)?.0,
                b'{' | b'[' => {
                    levels += 1;
                    at += 1;
                }
                b'}' | b']' => {
                    levels = levels.checked_sub(1)?;
                    at += 1;
                }
                _ if levels > 0 => at += 1,
                _ => at = self.pass_other(at, 0)?,
            }
            if levels == 0 {
                return Some(at);
            }
        }
    }

    /// A value that nobody wants and that is no text.
    fn pass_other(&mut self, at: usize, levels: usize) -> Option<usize> {
        match self.byte(at)? {
            b'{' => {
                let levels = levels.checked_sub(1)?;
                self.members(at, |reader, _, at| reader.pass(at, levels))
            }
            b'[' => self.items(at, levels.checked_sub(1)?),
            b't' => self.word(at, "true"),
            b'f' => self.word(at, "false"),
            b'n' => self.word(at, "null"),
            _ => self.number(at),
        }
    }

    fn items(&mut self, at: usize, levels: usize) -> Option<usize> {
        self.elements(at, |reader, at| reader.pass(at, levels))
    }

    /// A list, each of whose elements is left to `element`.
    #[inline]
    pub(crate) fn elements(
        &mut self,
        at: usize,
        mut element: impl FnMut(&mut Self, usize) -> Option<usize>,
    ) -> Option<usize> {
        if self.byte(at)? != b'[' {
            return None;
        }
        let mut at = self.space(at + 1);
        if self.byte(at)? == b']' {
            return Some(at + 1);
        }
        loop {
            let end = element(self, at)?;
            let end = self.space(end);
            match self.byte(end)? {
                b',' => at = self.space(end + 1),
                b']' => return Some(end + 1),
                _ => return None,
            }
        }
    }

    pub(crate) fn word(&self, at: usize, word: &str) -> Option<usize> {
        let rest = self.json.as_bytes().get(at..)?;
        rest.starts_with(word.as_bytes()).then_some(at + word.len())
    }

    fn number(&self, at: usize) -> Option<usize> {
        let rest = self.json.get(at..)?;
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().position(|byte| !is_part(&byte)).unwrap_or(rest.len());
        let number = rest.get(..length)?;
        // A whole number that is neither long nor begins with a zero needs no second look.
        let plain =
            (1..18).contains(&length) && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        if !plain {
            serde_json::from_str::<Number>(number).ok()?;
        }
        Some(at + length)
    }
}

/// Which of the bytes of a block are quotation marks, backslashes or control characters: a bit for each, the first lowest.
fn specials(block: &[u8; BLOCK]) -> u64 {
    // Without a way out the first loop is done for many bytes at once; multiplying gathers the lowest bits of eight bytes.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut is_special = [0; BLOCK];
    for (special, byte) in is_special.iter_mut().zip(block) {
        *special = u8::from((*byte < b' ') | (*byte == b'"') | (*byte == b'\\'));
    }
    let (words, _) = is_special.as_chunks::<8>();
    let bits = words.iter().map(|word| u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56);
    bits.rev().fold(0, |gathered, bits| gathered << 8 | bits)
}
