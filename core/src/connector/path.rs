//! Attribute paths (RFC 7644 §3.5.2) and what a change does to a nested record: what the mock target does on an update,
//! and what the SCIM connector does where it has to send a whole resource. Names are compared without regard to case
//! (RFC 7643 §2.1).

use super::{Change, ChangeKind};
use crate::value::Attributes;
use serde_json::Value;

/// The schema of a user's own attributes; they stand at the top of a resource.
pub const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of the enterprise extension; its attributes stand under its URN.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The multi-valued attributes of a user (RFC 7643 §4.1.2).
pub const MULTI_VALUED: [&str; 9] =
    ["emails", "phoneNumbers", "ims", "photos", "addresses", "groups", "entitlements", "roles", "x509Certificates"];

/// A path such as `userName`, `name.familyName`, `emails[type eq "work"].value` or `urn:…:User:manager.value`.
///
/// ```
/// use rollkeeper::connector::path::AttributePath;
/// let path = AttributePath::parse(r#"emails[type eq "work"].value"#).unwrap();
/// assert_eq!((path.attribute.as_str(), path.sub.as_deref()), ("emails", Some("value")));
/// assert_eq!(path.to_string(), r#"emails[type eq "work"].value"#);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AttributePath {
    /// The extension's URN; `None` for the user's own attributes.
    pub urn: Option<String>,
    /// The attribute.
    pub attribute: String,
    /// What an element of a multi-valued attribute must hold: every name with its value. Empty where there is no filter.
    pub filter: Vec<(String, Value)>,
    /// The sub-attribute.
    pub sub: Option<String>,
}

impl AttributePath {
    /// Reads a path. `None` where it is none, or its filter is more than `eq` joined by `and`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (head, filter, tail) = match text.split_once('[') {
            Some((head, rest)) => {
                let (filter, tail) = split_filter(rest)?;
                (head, filter, tail)
            }
            None => (text, Vec::new(), ""),
        };
        let (urn, local) = split_urn(head);
        let (attribute, sub) = match local.split_once('.') {
            Some((attribute, sub)) => (attribute, Some(sub)),
            None => (local, None),
        };
        let sub = match (sub, tail.strip_prefix('.')) {
            (sub, None) if tail.is_empty() => sub,
            (None, Some(sub)) => Some(sub),
            _ => return None,
        };
        if !is_name(attribute) || sub.is_some_and(|sub| !is_name(sub)) {
            return None;
        }
        Some(Self { urn, attribute: attribute.to_owned(), filter, sub: sub.map(str::to_owned) })
    }

    /// The same path without filter and sub-attribute.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self { filter: Vec::new(), sub: None, ..self.clone() }
    }

    /// Every value at this path, those of all elements where the attribute has several.
    pub fn values<'a>(&self, record: &'a Attributes) -> Vec<&'a Value> {
        let Some(found) = self.container(record).and_then(|object| entry(object, &self.attribute)) else {
            return Vec::new();
        };
        let elements = match found {
            Value::Array(elements) => elements.iter().filter(|element| self.selects(element)).collect(),
            other if self.filter.is_empty() || self.selects(other) => vec![other],
            _ => Vec::new(),
        };
        let values = elements.into_iter().filter_map(|element| match (&self.sub, element) {
            (Some(sub), Value::Object(object)) => entry(object, sub),
            // A bare string stands for its `value`, as some targets show it.
            (Some(sub), scalar) if sub.eq_ignore_ascii_case("value") => Some(scalar),
            (Some(_), _) => None,
            (None, element) => Some(element),
        });
        values.filter(|value| !value.is_null()).collect()
    }

    /// Carries out one change at this path.
    pub fn apply(&self, kind: ChangeKind, value: Option<&Value>, record: &mut Attributes) {
        let value = value.filter(|value| !value.is_null() && kind != ChangeKind::Remove);
        match value {
            Some(value) => self.write(kind, value, record),
            None => self.remove(record),
        }
    }

    fn write(&self, kind: ChangeKind, value: &Value, record: &mut Attributes) {
        let container = match &self.urn {
            Some(urn) => as_object(slot(record, urn)),
            None => record,
        };
        let found = slot(container, &self.attribute);
        if self.filter.is_empty() && self.sub.is_none() {
            return put(kind, value, found);
        }
        let several = !self.filter.is_empty() || found.is_array() || is_multi_valued(&self.attribute);
        if !several {
            if let Some(sub) = &self.sub {
                put(kind, value, slot(as_object(found), sub));
            }
            return;
        }
        let elements = as_array(found);
        if !elements.iter().any(|element| self.selects(element)) {
            elements.push(Value::Object(self.filter.iter().cloned().collect()));
        }
        let filter = &self.filter;
        for element in elements.iter_mut().filter(|element| selects(filter, element)) {
            match (&self.sub, value) {
                (Some(sub), value) => put(kind, value, slot(as_object(element), sub)),
                (None, Value::Object(parts)) => as_object(element).extend(parts.clone()),
                (None, value) => *element = value.clone(),
            }
        }
    }

    fn remove(&self, record: &mut Attributes) {
        let container = match &self.urn {
            Some(urn) => match entry_mut(record, urn) {
                Some(Value::Object(object)) => object,
                _ => return,
            },
            None => &mut *record,
        };
        let Some(found) = entry_mut(container, &self.attribute) else { return };
        let empty = match (found, &self.sub) {
            (Value::Array(elements), Some(sub)) => {
                for element in elements.iter_mut().filter(|element| selects(&self.filter, element)) {
                    if let Value::Object(object) = element {
                        take(object, sub);
                    }
                }
                elements.retain(|element| element.as_object().is_none_or(|object| !object.is_empty()));
                elements.is_empty()
            }
            (Value::Array(elements), None) if !self.filter.is_empty() => {
                elements.retain(|element| !selects(&self.filter, element));
                elements.is_empty()
            }
            (Value::Object(object), Some(sub)) => {
                take(object, sub);
                object.is_empty()
            }
            _ => true,
        };
        if empty {
            take(container, &self.attribute);
        }
        if let Some(urn) = &self.urn
            && entry(record, urn).and_then(Value::as_object).is_some_and(Attributes::is_empty)
        {
            take(record, urn);
        }
    }

    fn container<'a>(&self, record: &'a Attributes) -> Option<&'a Attributes> {
        match &self.urn {
            Some(urn) => entry(record, urn)?.as_object(),
            None => Some(record),
        }
    }

    fn selects(&self, element: &Value) -> bool {
        selects(&self.filter, element)
    }
}

impl std::fmt::Display for AttributePath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(urn) = &self.urn {
            write!(formatter, "{urn}:")?;
        }
        formatter.write_str(&self.attribute)?;
        for (index, (name, value)) in self.filter.iter().enumerate() {
            write!(formatter, "{}{name} eq {value}", if index == 0 { "[" } else { " and " })?;
        }
        if !self.filter.is_empty() {
            formatter.write_str("]")?;
        }
        self.sub.iter().try_for_each(|sub| write!(formatter, ".{sub}"))
    }
}

/// Carries out `changes` on `record`, in order. Gives the first path that cannot be read, in which case nothing is changed.
///
/// # Errors
/// The path that is none.
pub fn apply_all(changes: &[Change], record: &mut Attributes) -> Result<(), String> {
    let read = |change: &Change| AttributePath::parse(&change.path).ok_or_else(|| change.path.clone());
    let paths = changes.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for (path, change) in paths.iter().zip(changes) {
        path.apply(change.kind, change.value.as_ref(), record);
    }
    Ok(())
}

/// The value of an attribute, whatever the letter case of its name.
pub fn entry<'a>(object: &'a Attributes, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Whether an attribute of that name holds several values in a user resource.
pub fn is_multi_valued(name: &str) -> bool {
    MULTI_VALUED.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn entry_mut<'a>(object: &'a mut Attributes, name: &str) -> Option<&'a mut Value> {
    let key = spelling(object, name)?;
    object.get_mut(&key)
}

fn spelling(object: &Attributes, name: &str) -> Option<String> {
    object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()
}

fn take(object: &mut Attributes, name: &str) {
    if let Some(key) = spelling(object, name) {
        object.remove(&key);
    }
}

fn slot<'a>(object: &'a mut Attributes, name: &str) -> &'a mut Value {
    let key = spelling(object, name).unwrap_or_else(|| name.to_owned());
    object.entry(key).or_insert(Value::Null)
}

fn as_object(value: &mut Value) -> &mut Attributes {
    if !value.is_object() {
        *value = Value::Object(Attributes::new());
    }
    match value {
        Value::Object(object) => object,
        // INVARIANT: the value was made an object above; the arm exists because the borrow checker cannot see it.
        _ => as_object(value),
    }
}

fn as_array(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(if value.is_null() { Vec::new() } else { vec![value.take()] });
    }
    match value {
        Value::Array(elements) => elements,
        // INVARIANT: as in `as_object`.
        _ => as_array(value),
    }
}

fn put(kind: ChangeKind, value: &Value, found: &mut Value) {
    match (kind, found, value) {
        (ChangeKind::Add, Value::Array(elements), Value::Array(more)) => {
            for one in more {
                if !elements.contains(one) {
                    elements.push(one.clone());
                }
            }
        }
        (ChangeKind::Add, Value::Array(elements), one) => {
            if !elements.contains(one) {
                elements.push(one.clone());
            }
        }
        (ChangeKind::Add, Value::Object(object), Value::Object(more)) => object.extend(more.clone()),
        (_, found, value) => *found = value.clone(),
    }
}

fn selects(filter: &[(String, Value)], element: &Value) -> bool {
    filter.iter().all(|(name, wanted)| {
        let found = match element {
            Value::Object(object) => entry(object, name),
            scalar if name.eq_ignore_ascii_case("value") => Some(scalar),
            _ => None,
        };
        match (found, wanted) {
            (Some(Value::String(found)), Value::String(wanted)) => found.eq_ignore_ascii_case(wanted),
            (Some(found), wanted) => found == wanted,
            (None, wanted) => *wanted == Value::Bool(false),
        }
    })
}

/// Reads `type eq "work" and primary eq true].value` up to the bracket. Values are JSON, so that a bracket, a quote or the
/// word `and` inside of one does no harm.
fn split_filter(text: &str) -> Option<(Vec<(String, Value)>, &str)> {
    let mut filter = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.trim_start().split_once(' ')?;
        let after = strip_word(after, "eq")?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        let value = values.next()?.ok()?;
        if !is_name(name) || value.is_array() || value.is_object() {
            return None;
        }
        filter.push((name.to_owned(), value));
        rest = after.get(values.byte_offset()..)?.trim_start();
        if let Some(tail) = rest.strip_prefix(']') {
            return Some((filter, tail));
        }
        rest = strip_word(rest, "and")?;
    }
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (found, rest) = text.trim_start().split_once(' ')?;
    found.eq_ignore_ascii_case(word).then_some(rest)
}

fn split_urn(head: &str) -> (Option<String>, &str) {
    let is_urn = head.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    match head.rsplit_once(':') {
        Some((urn, local)) if is_urn => ((!urn.eq_ignore_ascii_case(CORE_USER)).then(|| urn.to_owned()), local),
        _ => (None, head),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '$' || first == '_')
        && text.chars().skip(1).all(|one| one.is_ascii_alphanumeric() || "-_$".contains(one))
}
