//! Attribute paths of a target as SCIM writes them (RFC 7644 §3.10): `userName`, `name.familyName`,
//! `emails[type eq "work"].value`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value`; reading and
//! writing what they name. Names are compared without regard to letter case (RFC 7643 §2.1).

mod write;

pub(crate) use write::{keep_one_primary, member_mut, merge as merge_members, primaries};

use crate::fault::{Code, Fault};
use crate::value::{Attributes, Raw, each_item, each_member, fold_case};
use serde_json::Value;
use std::fmt;

const CORE_SCHEMAS: &str = "urn:ietf:params:scim:schemas:core:";
const LONGEST: usize = 1024;
const MOST_STEPS: usize = 8;

/// The attributes of a user that hold several values (RFC 7643 §4.1.2).
const MULTI_VALUED: [&str; 9] =
    ["emails", "phoneNumbers", "ims", "photos", "addresses", "groups", "entitlements", "roles", "x509Certificates"];

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
        let (schema, local) = match plain.rfind(':').filter(|_| is_urn) {
            Some(colon) => text.split_at_checked(colon).unwrap_or_default(),
            None => ("", text),
        };
        let local = local.strip_prefix(':').unwrap_or(local);
        let mut reader = Reader { text, rest: local };
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
        let text = if is_core { local } else { text };
        Ok(Self { text: text.to_owned(), schema, steps })
    }

    /// The path as it was written, without the name of the core schema.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The extension whose attribute it is.
    pub(crate) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The names, each with what its filter asks of an element; where there is no filter, nothing.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&str, &[(String, Value)])> {
        self.steps.iter().map(|step| (step.name.as_str(), step.filter.as_slice()))
    }

    /// The path without filters, as schemas and queries name it: `emails.value`.
    pub fn attribute(&self) -> String {
        let names: Vec<&str> = self.steps.iter().map(|step| step.name.as_str()).collect();
        match &self.schema {
            Some(schema) => format!("{schema}:{}", names.join(".")),
            None => names.join("."),
        }
    }

    /// The path without filters: `emails.value`.
    #[must_use]
    pub fn unfiltered(&self) -> Self {
        self.leading(self.steps.len(), false)
    }

    /// The attribute that holds the list, where the path names an element of one: `emails`.
    pub fn list(&self) -> Option<Self> {
        let index = self.filtered()?;
        Some(self.leading(index + 1, false))
    }

    /// The element of a list that the path names, or in which it names something: `emails[type eq "work"]`.
    pub fn element(&self) -> Option<Self> {
        Some(self.leading(self.filtered()? + 1, true))
    }

    /// What the filters say: for each term the list without filters, the name and the value.
    pub fn filters(&self) -> impl Iterator<Item = (String, &str, &Value)> {
        let steps = self.steps.iter().enumerate();
        steps.flat_map(|(index, step)| {
            let list = self.leading(index + 1, false).attribute();
            step.filter.iter().map(move |(name, value)| (list.clone(), name.as_str(), value))
        })
    }

    /// Whether the path is that attribute of the core schema, whole.
    pub fn is(&self, attribute: &str) -> bool {
        self.schema.is_none()
            && matches!(self.steps.as_slice(), [step] if step.filter.is_empty() && same_name(&step.name, attribute))
    }

    /// The value of an element with what the filter at the path's end says of it, so that it is found again afterwards;
    /// any other value as it is. A bare value stands for the member `value`.
    pub fn completed(&self, value: Value) -> Value {
        match self.steps.last() {
            Some(last) if !last.filter.is_empty() => {
                let mut element = last.template();
                write::merge(&mut element, value);
                Value::Object(element)
            }
            _ => value,
        }
    }

    /// Whether the path writes what its own filter says already: `emails[type eq "work"].type`.
    pub(crate) fn repeats_its_filter(&self) -> bool {
        self.steps.iter().zip(self.steps.iter().skip(1)).any(|(step, next)| step.says(&next.name).is_some())
    }

    /// Whether an element of this value would be the one that the filter at the path's end means.
    pub(crate) fn agrees_with(&self, element: &Value) -> bool {
        self.steps.last().is_none_or(|last| {
            last.filter.iter().all(|(name, said)| part(element, name).is_none_or(|value| same_value(value, said)))
        })
    }

    /// The place of the first filter.
    fn filtered(&self) -> Option<usize> {
        self.steps.iter().position(|step| !step.filter.is_empty())
    }

    /// The first `count` steps, with their filters or without.
    fn leading(&self, count: usize, with_filters: bool) -> Self {
        let mut path = Self { text: String::new(), schema: self.schema.clone(), steps: self.steps.clone() };
        path.steps.truncate(count);
        if !with_filters {
            path.steps.iter_mut().for_each(|step| step.filter.clear());
        }
        let steps: Vec<String> = path.steps.iter().map(Step::text).collect();
        path.text = match &path.schema {
            Some(schema) => format!("{schema}:{}", steps.join(".")),
            None => steps.join("."),
        };
        path
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
        self.reach(attributes).into_iter().find(|value| !value.is_null())
    }

    /// Every value at this path: of lists on the way, that of each element; of a list at its end, its items.
    pub fn values<'a>(&self, attributes: &'a Attributes) -> Vec<&'a Value> {
        self.reach(attributes).into_iter().flat_map(items).filter(|value| !value.is_null()).collect()
    }

    /// Shows the values at this path as [`Path::values`] finds them, lists at its end not yet taken apart, in the text of the
    /// member that the path leads through first. Gives nothing where only the account, read whole, can tell.
    pub(crate) fn each_raw<'t>(&self, root: &Raw<'t>, take: &mut dyn FnMut(Raw<'t>) -> Option<()>) -> Option<()> {
        let Some((first, rest)) = self.steps.split_first() else { return Some(()) };
        if self.schema.is_none() {
            return first.each_raw(root.clone(), rest, take);
        }
        match root {
            Raw::Other(json) if json.starts_with('{') => match raw_member(json, &first.name)? {
                Some(value) => first.each_raw(value, rest, take),
                None => Some(()),
            },
            _ => Some(()),
        }
    }

    fn reach<'a>(&self, attributes: &'a Attributes) -> Vec<&'a Value> {
        let object = match &self.schema {
            Some(schema) => member(attributes, schema).and_then(Value::as_object),
            None => Some(attributes),
        };
        let (Some(object), Some((first, steps))) = (object, self.steps.split_first()) else { return Vec::new() };
        let mut values: Vec<&Value> = member(object, &first.name).map(|value| first.of(value)).unwrap_or_default();
        for step in steps {
            let parts = values.into_iter().flat_map(items).filter_map(|element| part(element, &step.name));
            values = parts.flat_map(|value| step.of(value)).collect();
        }
        values
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Step {
    /// As [`Step::of`], and then on along the other steps.
    fn each_raw<'t>(&self, value: Raw<'t>, rest: &[Self], take: &mut dyn FnMut(Raw<'t>) -> Option<()>) -> Option<()> {
        if self.filter.is_empty() {
            return Self::on_raw(value, rest, take);
        }
        each_item(value, |element| match self.selects_raw(&element)? {
            true => Self::on_raw(element, rest, take),
            false => Some(()),
        })
    }

    fn on_raw<'t>(value: Raw<'t>, rest: &[Self], take: &mut dyn FnMut(Raw<'t>) -> Option<()>) -> Option<()> {
        let Some((next, rest)) = rest.split_first() else { return take(value) };
        each_item(value, |element| match raw_part(element, &next.name)? {
            Some(part) => next.each_raw(part, rest, take),
            None => Some(()),
        })
    }

    fn selects_raw(&self, element: &Raw<'_>) -> Option<bool> {
        for (name, wanted) in &self.filter {
            let is_so = match (raw_part(element.clone(), name)?, wanted) {
                (Some(Raw::Text(text)), Value::String(wanted)) => {
                    text.eq_ignore_ascii_case(wanted) || fold_case(&text) == fold_case(wanted)
                }
                (Some(Raw::Text(_)), _) => false,
                (Some(other), wanted) => match other.value() {
                    Some(value) => same_value(&value, wanted),
                    None => wanted.is_null(),
                },
                (None, wanted) => *wanted == Value::Bool(false),
            };
            if !is_so {
                return Some(false);
            }
        }
        Some(true)
    }

    /// What of an attribute's value is meant: all of it, or the elements that the filter selects.
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        if self.filter.is_empty() {
            return vec![value];
        }
        items(value).iter().filter(|element| self.selects(element)).collect()
    }

    fn selects(&self, element: &Value) -> bool {
        self.filter.iter().all(|(name, wanted)| match part(element, name) {
            Some(value) => same_value(value, wanted),
            // What is not said to be primary is not (RFC 7643 §2.4).
            None => *wanted == Value::Bool(false),
        })
    }

    /// What the filter says of a member.
    fn says(&self, name: &str) -> Option<&Value> {
        self.filter.iter().find(|(known, _)| same_name(known, name)).map(|(_, said)| said)
    }

    /// A new element that the filter selects.
    fn template(&self) -> Attributes {
        self.filter.iter().cloned().collect()
    }

    fn text(&self) -> String {
        if self.filter.is_empty() {
            return self.name.clone();
        }
        let terms: Vec<String> = self.filter.iter().map(|(name, value)| format!("{name} eq {value}")).collect();
        format!("{}[{}]", self.name, terms.join(" and "))
    }
}

/// The member of that name, in any letter case.
pub fn member<'a>(object: &'a Attributes, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value))
}

/// Whether an attribute of a user holds several values, by the standard.
pub fn is_multi_valued(name: &str) -> bool {
    MULTI_VALUED.iter().any(|known| same_name(known, name))
}

/// The member of an element; a bare value stands for its `value`, as some targets show it.
fn part<'a>(element: &'a Value, name: &str) -> Option<&'a Value> {
    match element {
        Value::Object(object) => member(object, name),
        Value::Null | Value::Array(_) => None,
        scalar => same_name(name, "value").then_some(scalar),
    }
}

/// As [`part`], in text; nothing where only the object, read whole, can tell.
fn raw_part<'t>(element: Raw<'t>, name: &str) -> Option<Option<Raw<'t>>> {
    match element {
        Raw::Other(json) if json.starts_with('{') => raw_member(json, name),
        Raw::Other(json) if json == "null" || json.starts_with('[') => Some(None),
        scalar => Some(same_name(name, "value").then_some(scalar)),
    }
}

/// The member of that name; nothing where it is there twice or is spelled in another letter case.
fn raw_member<'t>(object: &'t str, name: &str) -> Option<Option<Raw<'t>>> {
    let mut found = None;
    each_member(
        object,
        |known| known.eq_ignore_ascii_case(name.as_bytes()).then_some(known == name.as_bytes()),
        |is_exact, value| (is_exact && found.is_none()).then(|| found = Some(value)),
    )?;
    Some(found)
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        value => std::slice::from_ref(value),
    }
}

/// Whether two names are the same: letter case does not count (RFC 7643 §2.1).
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    left == right || left.eq_ignore_ascii_case(right)
}

pub(crate) fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left == right || fold_case(left) == fold_case(right),
        (left, right) => left == right,
    }
}

fn same_filter(left: &Step, right: &Step) -> bool {
    left.filter.len() == right.filter.len()
        && left.filter.iter().all(|(name, value)| {
            right.filter.iter().any(|(other, wanted)| same_name(name, other) && same_value(value, wanted))
        })
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl Reader<'_> {
    fn step(&mut self) -> Result<Step, Fault> {
        let name = self.name()?;
        let mut filter: Vec<(String, Value)> = Vec::new();
        if self.take("[") {
            loop {
                self.spaces();
                let name = self.name()?;
                if filter.iter().any(|(known, _)| same_name(known, &name)) {
                    return Err(self.fault("the filter must not speak of the same attribute twice"));
                }
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
