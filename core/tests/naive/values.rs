//! Values: when they are the same, whether they fit, and how lists are joined.

use super::account::{is_primary, one_primary, part};
use super::{Inputs, Target};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

/// A target's attributes: path, type, whether it has several values, whether letter case counts. Empty: unknown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema(pub(crate) Vec<(&'static str, &'static str, bool, bool)>);

impl Schema {
    pub(crate) fn documents(&self) -> Value {
        let document = |(path, kind, multi, exact): &(&str, &str, bool, bool)| json!({"path": path, "type": kind, "multi_valued": multi, "case_exact": exact});
        self.0.iter().map(document).collect()
    }

    fn of(&self, attribute: &str) -> Option<&(&'static str, &'static str, bool, bool)> {
        self.0.iter().find(|(path, ..)| path.eq_ignore_ascii_case(attribute))
    }

    pub(crate) fn fits(&self, target: &Target, value: &Value) -> bool {
        let Some((_, kind, multi, _)) = self.of(&target.attribute()) else { return true };
        let fits = |value: &Value| match *kind {
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "complex" => value.is_object(),
            _ => value.is_string(),
        };
        if *multi && target.filter.is_empty() {
            return value.as_array().is_some_and(|items| items.iter().all(fits));
        }
        fits(value)
    }

    fn text_is_same(&self, attribute: &str, left: &str, right: &str) -> bool {
        match self.of(attribute) {
            Some((_, "complex", ..)) => self.text_is_same(&format!("{attribute}.value"), left, right),
            Some((_, "dateTime", ..)) => match (moment(left), moment(right)) {
                (Some(left), Some(right)) => left == right,
                _ => left == right,
            },
            Some((_, "string", _, exact)) => same_text(left, right, *exact),
            _ => same_text(left, right, true),
        }
    }
}

/// The only moments that random cases have, in every way that they are written.
fn moment(text: &str) -> Option<u8> {
    match text {
        "2026-01-01T00:00:00Z" | "2026-01-01T01:00:00+01:00" => Some(1),
        "2026-01-02T00:00:00Z" => Some(2),
        _ => None,
    }
}

pub(crate) fn same_text(left: &str, right: &str, exact: bool) -> bool {
    let composed = |text: &str| text.nfc().collect::<String>();
    let folded = |text: &str| composed(text).to_lowercase();
    if exact { composed(left) == composed(right) } else { folded(left) == folded(right) }
}

pub(crate) fn is_empty(value: &Value) -> bool {
    *value == Value::Null || *value == json!([]) || *value == json!({})
}

/// The value without the parts that say nothing.
pub(crate) fn pruned(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(pruned).filter(|item| !is_empty(item)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), pruned(value)));
            members.filter(|(_, value)| !is_empty(value)).collect()
        }
        value => value.clone(),
    }
}

/// Whether what is there does for what is wanted.
pub(crate) fn same(schema: &Schema, attribute: &str, there: &Value, wanted: &Value) -> bool {
    let below = |name: &str| format!("{attribute}.{name}");
    match (there, wanted) {
        _ if is_empty(there) || is_empty(wanted) => is_empty(there) && is_empty(wanted),
        (Value::Array(there), Value::Array(wanted)) => {
            let (there, wanted) = (distinct(schema, attribute, there), distinct(schema, attribute, wanted));
            there.len() == wanted.len() && can_be_paired(schema, attribute, &there, &wanted)
        }
        (there, Value::Object(wanted)) if !there.is_array() => wanted.iter().all(|(name, wanted)| {
            let there = part(there, name).unwrap_or(&Value::Null);
            same(schema, &below(name), there, wanted)
        }),
        (Value::Object(_), wanted) => {
            !wanted.is_array() && same(schema, &below("value"), part(there, "value").unwrap_or(&Value::Null), wanted)
        }
        (Value::String(there), Value::String(wanted)) => schema.text_is_same(attribute, there, wanted),
        (Value::Number(there), Value::Number(wanted)) => {
            let whole = |number: &serde_json::Number| {
                let text = number.to_string();
                text.parse::<i128>().ok().or_else(|| text.strip_suffix(".0").and_then(|text| text.parse().ok()))
            };
            match (whole(there), whole(wanted)) {
                (Some(there), Some(wanted)) => there == wanted,
                _ => there.as_f64() == wanted.as_f64(),
            }
        }
        (there, wanted) => there == wanted,
    }
}

/// The elements without those that are alike in both directions.
fn distinct(schema: &Schema, attribute: &str, items: &[Value]) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        let alike = |kept: &Value| same(schema, attribute, kept, item) && same(schema, attribute, item, kept);
        if !kept.iter().any(alike) {
            kept.push(item.clone());
        }
    }
    kept
}

/// Whether each has one of its own: every way is tried.
fn can_be_paired(schema: &Schema, attribute: &str, there: &[Value], wanted: &[Value]) -> bool {
    let Some((first, others)) = wanted.split_first() else { return true };
    (0..there.len()).any(|index| {
        let mut rest = there.to_vec();
        same(schema, attribute, &rest.remove(index), first) && can_be_paired(schema, attribute, &rest, others)
    })
}

#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) all: Value,
    pub(crate) added: Vec<Value>,
    pub(crate) changed: bool,
}

/// Both lists together.
pub(crate) fn union(inputs: &Inputs<'_>, target: &Target, there: &Value, wanted: &Value) -> Union {
    let (schema, attribute) = (inputs.schema, target.attribute());
    let list = |value: &Value| match value {
        value if is_empty(value) => Vec::new(),
        Value::Array(items) => items.clone(),
        value => vec![value.clone()],
    };
    let there = list(there);
    let mut all = there.clone();
    let mut added = Vec::new();
    let mut taken = vec![false; there.len()];
    let mut lacking = Vec::new();
    for item in distinct(schema, &attribute, &list(wanted)) {
        let met = |there: &Value| same(schema, &attribute, there, &item);
        match there.iter().position(met) {
            Some(index) => taken[index] = true,
            None => lacking.push(item),
        }
    }
    let mut changed = false;
    for item in lacking {
        let free = |index: &usize| !taken[*index] && same_key(schema, &attribute, &there[*index], &item);
        let places: Vec<usize> = (0..there.len()).filter(free).collect();
        let same_type = |index: &&usize| there[**index].get("type") == item.get("type");
        match places.iter().find(same_type).or(places.first()) {
            Some(index) => {
                taken[*index] = true;
                changed = true;
                let members = |value: &Value| if value.is_object() { value.clone() } else { json!({"value": value}) };
                let mut element = members(&all[*index]);
                for (name, value) in members(&item).as_object().unwrap() {
                    let key = super::account::spelled(element.as_object().unwrap(), name);
                    element[key] = value.clone();
                }
                all[*index] = element;
            }
            None => {
                all.push(item.clone());
                added.push(item);
            }
        }
    }
    let before: Vec<bool> = there.iter().map(is_primary).collect();
    Union { all: Value::Array(one_primary(all, &before)), added, changed }
}

/// Whether two elements are the same one: by `value`; those without, by `type`.
fn same_key(schema: &Schema, attribute: &str, left: &Value, right: &Value) -> bool {
    let of = |element: &Value, name: &str| {
        part(element, name).filter(|value| !value.is_null() && !value.is_array() && !value.is_object()).cloned()
    };
    let alike = |name: &str, left: &Value, right: &Value| {
        let bare = name == "value" && schema.of(attribute).is_some_and(|(_, kind, ..)| *kind != "complex");
        let attribute = if bare { attribute.to_owned() } else { format!("{attribute}.{name}") };
        same(schema, &attribute, left, right)
    };
    match (of(left, "value"), of(right, "value")) {
        (Some(left), Some(right)) => alike("value", &left, &right),
        (None, None) => match (of(left, "type"), of(right, "type")) {
            (Some(left), Some(right)) => alike("type", &left, &right),
            _ => false,
        },
        _ => false,
    }
}
