//! Attribute paths of a target as SCIM writes them (RFC 7644 §3.10): `userName`, `name.familyName`,
//! `emails[type eq "work"].value`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value`. Names are
//! compared without regard to letter case.

use crate::fault::{Code, Fault};
use crate::value::{Attributes, fold_case};
use serde_json::Value;
use std::fmt;

const CORE_SCHEMAS: &str = "urn:ietf:params:scim:schemas:core:";
const LONGEST: usize = 1024;
const MOST_STEPS: usize = 8;

/// An attribute path that was read and is well formed.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    text: String,
    /// The extension whose attribute it is.
    schema: Option<String>,
    steps: Vec<Step>,
}

/// One name of a path, with the element that is meant where there are several.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    name: String,
    filter: Vec<(String, Value)>,
}

impl Path {
    /// Reads a path.
    ///
    /// ```
    /// use rollkeeper::path::Path;
    /// let path = Path::parse(r#"emails[type eq "work"].value"#)?;
    /// let mut account = rollkeeper::value::Attributes::new();
    /// path.put(&mut account, "ada@example.com".into());
    /// assert_eq!(
    ///     serde_json::Value::Object(account),
    ///     serde_json::json!({"emails": [{"type": "work", "value": "ada@example.com"}]})
    /// );
    /// # Ok::<(), rollkeeper::Fault>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_path`, with the position, where the text is no path: an empty name, a bracket that is not closed, a
    /// filter other than `name eq value` joined by `and`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let invalid = |what: &str| Fault::new(Code::InvalidPath, what);
        if text.len() > LONGEST {
            return Err(invalid("the path is longer than 1024 bytes"));
        }
        // An extension's name ends at the last colon before any filter; its version has a dot in it.
        let plain = text.split('[').next().unwrap_or_default();
        let is_urn = plain.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        let (schema, rest) = match plain.rfind(':').filter(|_| is_urn) {
            Some(colon) => text.split_at_checked(colon).unwrap_or_default(),
            None => ("", text),
        };
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let mut reader = Reader { text, rest };
        let mut steps = vec![reader.step()?];
        while reader.take(".") {
            steps.push(reader.step()?);
        }
        if !reader.rest.is_empty() {
            return Err(reader.fault("a `.` or the end must stand here"));
        }
        if steps.len() > MOST_STEPS {
            return Err(invalid("the path has more than 8 names"));
        }
        // The core schema's own attributes may be written with its name; they stand at the top all the same.
        let is_core = schema.get(..CORE_SCHEMAS.len()).is_some_and(|start| start.eq_ignore_ascii_case(CORE_SCHEMAS));
        let schema = (!schema.is_empty() && !is_core).then(|| schema.to_owned());
        Ok(Self { text: text.to_owned(), schema, steps })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path without filters, as schemas and queries name it: `emails.value`.
    pub fn attribute(&self) -> String {
        let names: Vec<&str> = self.steps.iter().map(|step| step.name.as_str()).collect();
        match &self.schema {
            Some(schema) => format!("{schema}:{}", names.join(".")),
            None => names.join("."),
        }
    }

    /// The attribute that holds the list, where the path names an element of one: `emails`.
    pub fn list(&self) -> Option<Self> {
        let index = self.steps.iter().position(|step| !step.filter.is_empty())?;
        let mut steps: Vec<Step> = self.steps.iter().take(index + 1).cloned().collect();
        steps.last_mut()?.filter.clear();
        let mut list = Self { text: String::new(), schema: self.schema.clone(), steps };
        list.text = list.attribute();
        Some(list)
    }

    /// The element of a list that the path names, or in which it names something: `emails[type eq "work"]`.
    pub fn element(&self) -> Option<Self> {
        let index = self.steps.iter().position(|step| !step.filter.is_empty())?;
        let end = self.text.rfind(']')?;
        let text = self.text.get(..=end)?.to_owned();
        Some(Self { text, schema: self.schema.clone(), steps: self.steps.iter().take(index + 1).cloned().collect() })
    }

    /// Whether writing one of the two writes the other, or a part of it.
    pub fn overlaps(&self, other: &Self) -> bool {
        let same_schema = match (&self.schema, &other.schema) {
            (None, None) => true,
            (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
            _ => false,
        };
        same_schema
            && self.steps.iter().zip(&other.steps).all(|(left, right)| {
                // A whole list overlaps each of its elements; two elements are different where their filters are.
                let filters = left.filter.is_empty() || right.filter.is_empty() || same_filter(left, right);
                filters && same_name(&left.name, &right.name)
            })
    }

    /// The value at this path; `None` where there is none or it is null. Of a list without a filter, the first.
    pub fn get<'a>(&self, attributes: &'a Attributes) -> Option<&'a Value> {
        let mut object = attributes;
        if let Some(schema) = &self.schema {
            object = member(object, schema)?.as_object()?;
        }
        let (last, steps) = self.steps.split_last()?;
        for step in steps {
            object = match step.of(object)? {
                Value::Array(items) => items.first()?.as_object()?,
                value => value.as_object()?,
            };
        }
        last.of(object).filter(|value| !value.is_null())
    }

    /// Every value at this path: of lists on the way, that of each element; of a list at its end, its items.
    pub fn values<'a>(&self, attributes: &'a Attributes) -> Vec<&'a Value> {
        let mut objects = vec![attributes];
        if let Some(schema) = &self.schema {
            objects = objects.into_iter().filter_map(|object| member(object, schema)?.as_object()).collect();
        }
        let mut values = Vec::new();
        for step in &self.steps {
            values = objects.iter().filter_map(|object| step.of(object)).flat_map(items).collect();
            objects = values.iter().filter_map(|value| value.as_object()).collect();
        }
        values.retain(|value| !value.is_null());
        values
    }

    /// Writes a value, and makes the objects and list elements on the way.
    pub fn put(&self, attributes: &mut Attributes, value: Value) {
        match &self.schema {
            Some(schema) => put(object_in(slot(attributes, schema)), &self.steps, value),
            None => put(attributes, &self.steps, value),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Step {
    /// What the step leads to in an object: the attribute, or the element that its filter means.
    fn of<'a>(&self, object: &'a Attributes) -> Option<&'a Value> {
        let value = member(object, &self.name)?;
        if self.filter.is_empty() {
            return Some(value);
        }
        items(value).find(|item| item.as_object().is_some_and(|item| self.selects(item)))
    }

    fn selects(&self, element: &Attributes) -> bool {
        self.filter.iter().all(|(name, wanted)| {
            member(element, name).is_some_and(|value| match (value, wanted) {
                (Value::String(value), Value::String(wanted)) => fold_case(value) == fold_case(wanted),
                (value, wanted) => value == wanted,
            })
        })
    }
}

/// The member of that name, in any letter case.
pub fn member<'a>(object: &'a Attributes, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value))
}

fn put(object: &mut Attributes, steps: &[Step], value: Value) {
    let Some((step, below)) = steps.split_first() else { return };
    let slot = slot(object, &step.name);
    if step.filter.is_empty() {
        if below.is_empty() {
            *slot = value;
        } else {
            put(object_in(slot), below, value);
        }
        return;
    }
    let Some(element) = element_in(slot, step) else { return };
    if !below.is_empty() {
        put(element, below, value);
        return;
    }
    match value {
        Value::Object(members) => element.extend(members),
        value => {
            element.insert("value".to_owned(), value);
        }
    }
}

/// The place of a member, in whatever letter case it is there already.
fn slot<'a>(object: &'a mut Attributes, name: &str) -> &'a mut Value {
    let known = if object.contains_key(name) { None } else { object.keys().find(|key| same_name(key, name)).cloned() };
    object.entry(known.unwrap_or_else(|| name.to_owned())).or_insert(Value::Null)
}

fn object_in(value: &mut Value) -> &mut Attributes {
    if !value.is_object() {
        *value = Value::Object(Attributes::new());
    }
    match value {
        Value::Object(object) => object,
        // INVARIANT: it was made an object above.
        _ => object_in(value),
    }
}

fn array_in(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    match value {
        Value::Array(items) => items,
        // INVARIANT: it was made an array above.
        _ => array_in(value),
    }
}

/// The element that a filter means, made with what the filter says where there is none.
fn element_in<'a>(list: &'a mut Value, step: &Step) -> Option<&'a mut Attributes> {
    let elements = array_in(list);
    let index = elements.iter().position(|element| element.as_object().is_some_and(|element| step.selects(element)));
    let index = index.unwrap_or(elements.len());
    if index == elements.len() {
        elements.push(Value::Object(step.filter.iter().cloned().collect()));
    }
    elements.get_mut(index).map(object_in)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(items) => items.as_slice(),
        value => std::slice::from_ref(value),
    }
    .iter()
}

fn same_name(left: &str, right: &str) -> bool {
    left == right || left.eq_ignore_ascii_case(right)
}

fn same_filter(left: &Step, right: &Step) -> bool {
    left.filter.len() == right.filter.len()
        && left.filter.iter().all(|(name, value)| {
            right.filter.iter().any(|(other, wanted)| {
                same_name(name, other)
                    && match (value, wanted) {
                        (Value::String(value), Value::String(wanted)) => fold_case(value) == fold_case(wanted),
                        (value, wanted) => value == wanted,
                    }
            })
        })
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl Reader<'_> {
    fn step(&mut self) -> Result<Step, Fault> {
        let name = self.name()?;
        let mut filter = Vec::new();
        if self.take("[") {
            loop {
                self.spaces();
                let name = self.name()?;
                self.word("eq")?;
                filter.push((name, self.value()?));
                if let Some(rest) = self.rest.trim_start_matches(' ').strip_prefix(']') {
                    self.rest = rest;
                    break;
                }
                self.word("and")?;
            }
        }
        Ok(Step { name, filter })
    }

    fn name(&mut self) -> Result<String, Fault> {
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '$');
        let end = self.rest.find(|character| !is_part(character)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        if name.is_empty() || name.starts_with(|first: char| first.is_numeric() || first == '-') {
            return Err(self.fault("the name of an attribute must stand here"));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        let before = self.rest.len();
        self.spaces();
        let stands = self.rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let after = self.rest.get(word.len()..).unwrap_or_default();
        if before == self.rest.len() || !stands || !after.starts_with(' ') {
            return Err(self.fault(&format!("`{word}` must stand here")));
        }
        self.rest = after;
        self.spaces();
        Ok(())
    }

    /// A JSON text, number, `true` or `false`.
    fn value(&mut self) -> Result<Value, Fault> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_)))) => {
                self.rest = self.rest.get(values.byte_offset()..).unwrap_or_default();
                Ok(value)
            }
            _ => Err(self.fault("a text in double quotes, a number, `true` or `false` must stand here")),
        }
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn fault(&self, what: &str) -> Fault {
        let position = self.text.chars().count().saturating_sub(self.rest.chars().count());
        Fault::new(Code::InvalidPath, what).position(position)
    }
}
