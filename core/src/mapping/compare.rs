//! Whether the target has what is wanted. Text is compared by NFC and, where the schema does not say `caseExact`, without
//! regard to letter case; lists without regard to order; objects by the members that are wanted. Absent, null, `[]` and
//! `{}` are the same (RFC 7643 §2.5).

use super::schema::Schema;
use crate::path::{keep_one_primary, member, primaries};
use crate::time::Timestamp;
use crate::value::{canonical, fold_case};
use serde_json::Value;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

/// Compares values of one target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison<'s> {
    pub(super) schema: Option<&'s Schema>,
}

impl Comparison<'_> {
    /// Whether what is there does for what is wanted. `attribute` is the path without filters.
    pub(super) fn same(self, attribute: &str, there: Option<&Value>, wanted: Option<&Value>) -> bool {
        match (there.filter(|value| !is_empty(value)), wanted.filter(|value| !is_empty(value))) {
            (None, None) => true,
            (Some(there), Some(wanted)) => self.same_value(attribute, there, wanted),
            _ => false,
        }
    }

    /// The list that has both; elements that are wanted take the place of those with the same `value`, member by
    /// member. The second list is what was not there at all; the flag, whether an element that was there changes.
    pub(super) fn union(self, attribute: &str, there: &[Value], wanted: &[Value]) -> Union {
        let mut union = Union { all: there.to_vec(), added: Vec::new(), changed: false };
        for item in wanted {
            let key = self.key(attribute, item);
            match union.all.iter_mut().find(|known| self.key(attribute, known) == key) {
                Some(known) if self.same_value(attribute, known, item) => {}
                Some(Value::Object(known)) => {
                    known.extend(item.as_object().cloned().unwrap_or_default());
                    union.changed = true;
                }
                Some(_) => {}
                None => {
                    union.all.push(item.clone());
                    union.added.push(item.clone());
                }
            }
        }
        keep_one_primary(&mut union.all, &primaries(there));
        union
    }

    fn same_value(self, attribute: &str, there: &Value, wanted: &Value) -> bool {
        match (there, wanted) {
            (Value::String(there), Value::String(wanted)) => {
                there == wanted || self.text(attribute, there) == self.text(attribute, wanted)
            }
            (Value::Number(there), Value::Number(wanted)) => there == wanted || there.as_f64() == wanted.as_f64(),
            (Value::Array(there), Value::Array(wanted)) => self.same_list(attribute, there, wanted),
            (Value::Object(there), Value::Object(wanted)) => wanted
                .iter()
                .all(|(name, wanted)| self.same(&format!("{attribute}.{name}"), member(there, name), Some(wanted))),
            (there, wanted) => there == wanted,
        }
    }

    /// Each element has its counterpart, in any order. Candidates are found by key, so that a group's members are not
    /// all compared with each other.
    fn same_list(self, attribute: &str, there: &[Value], wanted: &[Value]) -> bool {
        if there.len() != wanted.len() {
            return false;
        }
        let mut by_key: HashMap<String, Vec<&Value>> = HashMap::with_capacity(there.len());
        for item in there {
            by_key.entry(self.key(attribute, item)).or_default().push(item);
        }
        wanted.iter().all(|wanted| {
            let Some(candidates) = by_key.get_mut(&self.key(attribute, wanted)) else { return false };
            match candidates.iter().position(|there| self.same_value(attribute, there, wanted)) {
                Some(index) => {
                    candidates.swap_remove(index);
                    true
                }
                None => false,
            }
        })
    }

    /// What tells an element from the others: its `value` where it is an object with one.
    fn key(self, attribute: &str, item: &Value) -> String {
        match item {
            Value::String(text) => self.text(attribute, text),
            Value::Object(object) => match member(object, "value") {
                Some(Value::String(value)) => self.text(&format!("{attribute}.value"), value),
                Some(value) => canonical(value),
                None => String::new(),
            },
            Value::Number(number) => number.as_f64().map(|number| number.to_string()).unwrap_or_default(),
            value => canonical(value),
        }
    }

    /// The form in which texts of an attribute are equal.
    fn text(self, attribute: &str, text: &str) -> String {
        let known = self.schema.and_then(|schema| schema.find(attribute));
        match known.map(|known| (known.kind.as_str(), known.case_exact)) {
            Some(("string", false)) => fold_case(text),
            Some(("dateTime", _)) => Timestamp::parse(text).map_or_else(|_| text.to_owned(), |time| time.to_string()),
            _ => text.nfc().collect(),
        }
    }
}

/// Two lists joined.
#[derive(Debug)]
pub(super) struct Union {
    pub(super) all: Vec<Value>,
    pub(super) added: Vec<Value>,
    pub(super) changed: bool,
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
