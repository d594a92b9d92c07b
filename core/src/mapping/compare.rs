//! Whether the target has what is wanted. Text is compared by NFC and, where the schema does not say `caseExact`, without
//! regard to letter case; lists as sets; objects by the members that are wanted. Absent, null, `[]` and `{}` are the same
//! (RFC 7643 §2.5), and a bare value is the same as an element with that `value`.

use super::schema::Schema;
use crate::path::{member, same_name};
use crate::time::Timestamp;
use crate::value::{Attributes, fold_case, is_empty};
use serde_json::{Number, Value};
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

    pub(super) fn same_value(self, attribute: &str, there: &Value, wanted: &Value) -> bool {
        match (there, wanted) {
            (Value::String(there), Value::String(wanted)) => {
                there == wanted || self.text(attribute, there) == self.text(attribute, wanted)
            }
            (Value::Number(there), Value::Number(wanted)) => there == wanted || digits(there) == digits(wanted),
            (Value::Array(there), Value::Array(wanted)) => self.same_list(attribute, there, wanted),
            (Value::Object(there), Value::Object(wanted)) => {
                self.same_members(attribute, wanted, |name| member(there, name))
            }
            (Value::Object(there), bare) => self.same(&below(attribute, "value"), member(there, "value"), Some(bare)),
            (bare, Value::Object(wanted)) => {
                self.same_members(attribute, wanted, |name| same_name(name, "value").then_some(bare))
            }
            (there, wanted) => there == wanted,
        }
    }

    fn same_members<'v>(self, attribute: &str, wanted: &Attributes, there: impl Fn(&str) -> Option<&'v Value>) -> bool {
        wanted.iter().all(|(name, wanted)| self.same(&below(attribute, name), there(name), Some(wanted)))
    }

    /// What tells an element from the others: its `value`, or its `type` where it has none.
    pub(super) fn key(self, attribute: &str, item: &Value) -> Option<String> {
        let named = |name: &str| match member(item.as_object()?, name) {
            None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => None,
            Some(scalar) => Some(format!("{name} {}", self.form(&below(attribute, name), scalar))),
        };
        match item {
            Value::Object(_) => named("value").or_else(|| named("type")),
            Value::Array(_) => None,
            bare => Some(format!("value {}", self.form(attribute, bare))),
        }
    }

    /// Text that is the same for values that are alike in every respect that counts.
    pub(super) fn form(self, attribute: &str, value: &Value) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Number(number) => digits(number),
            Value::String(text) => format!("{:?}", self.text(attribute, text)),
            Value::Array(items) => {
                let mut forms: Vec<String> = items.iter().map(|item| self.form(attribute, item)).collect();
                forms.sort();
                forms.dedup();
                format!("[{}]", forms.join(","))
            }
            Value::Object(object) => {
                let members = object.iter().filter(|(_, value)| !is_empty(value));
                let mut forms: Vec<(String, String)> = members
                    .map(|(name, value)| (name.to_ascii_lowercase(), self.form(&below(attribute, name), value)))
                    .collect();
                forms.sort();
                match forms.as_slice() {
                    [(name, bare)] if name == "value" => bare.clone(),
                    _ => {
                        let members: Vec<String> =
                            forms.iter().map(|(name, form)| format!("{name:?}:{form}")).collect();
                        format!("{{{}}}", members.join(","))
                    }
                }
            }
        }
    }

    /// The form in which texts of an attribute are equal.
    fn text(self, attribute: &str, text: &str) -> String {
        let known = self.schema.and_then(|schema| schema.find(attribute));
        match known.map(|known| (known.kind.as_str(), known.case_exact)) {
            // A bare value of a list of objects stands for the `value` of one.
            Some(("complex", _)) => self.text(&below(attribute, "value"), text),
            Some(("string", false)) => fold_case(text),
            Some(("dateTime", _)) => Timestamp::parse(text).map_or_else(|_| text.to_owned(), |time| time.to_string()),
            _ => text.nfc().collect(),
        }
    }
}

fn below(attribute: &str, name: &str) -> String {
    format!("{attribute}.{name}")
}

/// The same text for the same number, however it was written; whole numbers keep every digit.
fn digits(number: &Number) -> String {
    match number.as_f64() {
        // Adding 0 makes -0.0 a plain zero.
        Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{:.0}", float + 0.0),
        _ => number.to_string(),
    }
}
