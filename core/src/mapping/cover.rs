//! Covers the values of sensitive rules where what would be sent is shown.

use super::{Mapping, RenderedChange};
use crate::model::Change;
use crate::path::Path;
use crate::value::Attributes;
use serde_json::Value;

/// What stands in the place of a value that is never shown.
const COVER: &str = "[sensitive]";

impl Mapping {
    /// Covers every value that a sensitive rule writes. Of a list all elements are covered, also where the rule means one.
    pub(crate) fn cover(&self, attributes: &mut Attributes) {
        let mut covered = Value::Object(std::mem::take(attributes));
        for rule in self.rules.iter().filter(|rule| rule.sensitive) {
            let mut shape = Attributes::new();
            rule.target.unfiltered().put(&mut shape, Value::from(COVER));
            cover(&mut covered, &Value::Object(shape));
        }
        if let Value::Object(covered) = covered {
            *attributes = covered;
        }
    }

    /// As [`Mapping::cover`], for the value of a change.
    pub(crate) fn cover_change(&self, change: &mut Change) {
        change.value = change.value.take().map(|value| self.covered(&change.path, value));
    }

    /// As [`Mapping::cover_change`], for a change with its rule.
    pub(super) fn cover_rendered(&self, change: &mut RenderedChange) {
        change.value = change.value.take().map(|value| self.covered(&change.path, value));
    }

    /// Put where it belongs, a value is covered by the rules that reach there.
    fn covered(&self, path: &str, value: Value) -> Value {
        let Ok(path) = Path::parse(path).map(|path| path.unfiltered()) else { return Value::from(COVER) };
        let mut holder = Attributes::new();
        path.put(&mut holder, value.clone());
        if path.get(&holder).is_none() {
            // Null, or a list without elements.
            return value;
        }
        self.cover(&mut holder);
        // Where something above is covered, nothing is found any more.
        path.get(&holder).cloned().unwrap_or_else(|| Value::from(COVER))
    }

    /// Whether a sensitive rule writes what the path names, or a part of it.
    pub(crate) fn is_sensitive(&self, path: &str) -> bool {
        let Ok(path) = Path::parse(path).map(|path| path.unfiltered()) else { return true };
        self.rules.iter().any(|rule| rule.sensitive && rule.target.unfiltered().overlaps(&path))
    }
}

/// Covers what stands in `value` where `shape` has an end. Lists are looked through wherever they stand.
fn cover(value: &mut Value, shape: &Value) {
    match (value, shape) {
        (Value::Null, _) => {}
        (Value::Array(elements), shape) if !shape.is_string() => {
            let shape = shape.get(0).unwrap_or(shape);
            elements.iter_mut().for_each(|element| cover(element, shape));
        }
        (value, Value::Array(shapes)) => shapes.iter().for_each(|shape| cover(value, shape)),
        (Value::Object(members), Value::Object(shapes)) => {
            for (name, member) in members.iter_mut() {
                let below = shapes.iter().find(|(shape, _)| shape.eq_ignore_ascii_case(name));
                below.into_iter().for_each(|(_, shape)| cover(member, shape));
            }
        }
        (value, _) => *value = Value::from(COVER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChangeKind;
    use serde_json::json;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    fn mapping(targets: &[&str]) -> Mapping {
        let rules: Vec<_> =
            targets.iter().map(|target| json!({"target": target, "source": "x", "sensitive": true})).collect();
        Mapping::compile(&serde_json::from_value::<Vec<_>>(json!(rules)).unwrap(), None).unwrap()
    }

    #[test]
    fn a_sensitive_value_is_covered_wherever_it_stands() {
        let cost = format!("{ENTERPRISE}:costCenter");
        let cases = [
            ("title", json!({"title": "s"}), json!({"title": COVER})),
            ("title", json!({"TITLE": ["s", "s"]}), json!({"TITLE": COVER})),
            (
                "name.familyName",
                json!({"name": {"familyName": "s", "givenName": "a"}}),
                json!({"name": {"familyName": COVER, "givenName": "a"}}),
            ),
            ("name.familyName", json!({"name": "s"}), json!({"name": COVER})),
            ("name", json!({"name": {"familyName": "s"}}), json!({"name": COVER})),
            (
                "emails[type eq \"work\"].value",
                json!({"emails": [{"type": "work", "value": "s"}]}),
                json!({"emails": [{"type": "work", "value": COVER}]}),
            ),
            ("emails[type eq \"work\"].value", json!({"emails": ["s"]}), json!({"emails": [COVER]})),
            ("emails[type eq \"work\"]", json!({"emails": [{"type": "work", "value": "s"}]}), json!({"emails": COVER})),
            (
                cost.as_str(),
                json!({ENTERPRISE: {"costCenter": "s", "division": "d"}}),
                json!({ENTERPRISE: {"costCenter": COVER, "division": "d"}}),
            ),
        ];
        for (target, given, wanted) in cases {
            let mut attributes = given.as_object().unwrap().clone();
            mapping(&[target]).cover(&mut attributes);
            assert_eq!(Value::Object(attributes), wanted, "{target}");
        }
    }

    #[test]
    fn a_change_shows_no_sensitive_value_whatever_its_path_is() {
        let cases = [
            ("emails[type eq \"work\"].value", "emails", json!([{"type": "work", "value": "s"}])),
            ("emails[type eq \"work\"].value", "emails[type eq \"work\"].value", json!("s")),
            ("emails[type eq \"work\"].value", "emails[type eq \"work\"]", json!({"value": "s"})),
            ("name.familyName", "name", json!({"familyName": "s"})),
            ("name", "name.familyName", json!("s")),
            ("title", "title", json!("s")),
        ];
        for (target, path, value) in cases {
            let mut change = Change { kind: ChangeKind::Replace, path: path.to_owned(), value: Some(value) };
            mapping(&[target]).cover_change(&mut change);
            let shown = json!(change).to_string();
            assert!(!shown.contains("\"s\"") && shown.contains(COVER), "{target}: {shown}");
            assert!(mapping(&[target]).is_sensitive(path));
        }
    }

    #[test]
    fn what_is_not_sensitive_stays_as_it_is() {
        let given = json!({"displayName": "d", "name": {"givenName": "a"}, "emails": [{"value": "e"}]});
        let mut attributes = given.as_object().unwrap().clone();
        mapping(&["title", "name.familyName"]).cover(&mut attributes);
        assert_eq!(Value::Object(attributes), given);
        let value = Some(json!([{"value": "e"}]));
        let mut change = Change { kind: ChangeKind::Add, path: "emails".to_owned(), value: value.clone() };
        mapping(&["title"]).cover_change(&mut change);
        assert_eq!(change.value, value);
    }
}
