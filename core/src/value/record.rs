//! A record read in part: one pass over its JSON text, the members that somebody reads in numbered fields, the others
//! checked and passed over. Text without escapes stays where it is in the JSON.
//!
//! What is refused here is exactly what `serde_json` refuses where it reads a whole record: members that nobody reads are
//! taken in as any others, because its own way of ignoring values lets escapes, numbers and depths pass that it would not
//! read.

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::fmt;

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
    /// JSON object.
    pub(crate) fn read(keys: &'t Keys, json: &'t str) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let record = reader.deserialize_map(Members(keys)).ok()?;
        reader.end().ok().map(|()| record)
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

/// Reads the members of a record.
struct Members<'t>(&'t Keys);

impl<'t> Visitor<'t> for Members<'t> {
    type Value = Record<'t>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record")
    }

    fn visit_map<M: MapAccess<'t>>(self, mut members: M) -> Result<Record<'t>, M::Error> {
        let mut fields = Vec::new();
        fields.resize_with(self.0.names.len(), || Field::Absent);
        while let Some(number) = members.next_key_seed(Name(self.0))? {
            match number.and_then(|number| fields.get_mut(number)) {
                Some(field) => *field = members.next_value_seed(Taken)?,
                None => members.next_value_seed(Passed)?,
            }
        }
        Ok(Record { keys: self.0, fields })
    }
}

/// Reads a member's name as its number.
struct Name<'t>(&'t Keys);

impl<'t> DeserializeSeed<'t> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<Option<usize>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.number(name))
    }
}

/// Reads a value that is wanted.
struct Taken;

impl<'t> DeserializeSeed<'t> for Taken {
    type Value = Field<'t>;

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<Field<'t>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Taken {
    type Value = Field<'t>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Field<'t>, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Field<'t>, E> {
        Ok(Field::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field<'t>, E> {
        Ok(Field::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'t>, E> {
        Ok(Field::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field<'t>, E> {
        Ok(Value::from(number).into())
    }

    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Field<'t>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'t>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<S: SeqAccess<'t>>(self, items: S) -> Result<Field<'t>, S::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(Field::from)
    }

    fn visit_map<M: MapAccess<'t>>(self, members: M) -> Result<Field<'t>, M::Error> {
        // It gives a number where `serde_json` keeps all digits of numbers, which it hands over as objects.
        Value::deserialize(MapAccessDeserializer::new(members)).map(Field::from)
    }
}

/// Checks a value that nobody wants.
struct Passed;

impl<'t> DeserializeSeed<'t> for Passed {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Passed {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'t>>(self, mut items: S) -> Result<(), S::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'t>>(self, mut members: M) -> Result<(), M::Error> {
        while members.next_key_seed(Self)?.is_some() {
            members.next_value_seed(Self)?;
        }
        Ok(())
    }
}
