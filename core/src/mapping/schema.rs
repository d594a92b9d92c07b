//! The target's schema, as far as a mapping is checked against it.

use crate::expression::Expression;
use crate::fault::{Code, Fault};
use crate::likeness::hint;
use crate::model::SchemaAttribute;
use crate::path::Path;
use serde_json::Value;
use std::collections::HashMap;

/// Attributes that every resource has though no schema lists them (RFC 7643 §3.1), and whether they can be written.
const COMMON: [(&str, bool); 4] = [("externalid", true), ("schemas", true), ("id", false), ("meta", false)];

/// Attributes by their path in lower case.
#[derive(Debug)]
pub(super) struct Schema {
    attributes: HashMap<String, SchemaAttribute>,
}

impl Schema {
    pub(super) fn new(attributes: &[SchemaAttribute]) -> Self {
        let key = |attribute: &SchemaAttribute| {
            Path::parse(&attribute.path).map_or_else(|_| attribute.path.clone(), |path| path.attribute()).to_lowercase()
        };
        Self { attributes: attributes.iter().map(|attribute| (key(attribute), attribute.clone())).collect() }
    }

    /// The attribute of that path, filters left out.
    pub(super) fn find(&self, attribute: &str) -> Option<&SchemaAttribute> {
        self.attributes.get(attribute).or_else(|| self.attributes.get(&attribute.to_lowercase()))
    }

    /// What is wrong with writing this attribute.
    pub(super) fn check_target(&self, target: &Path) -> Option<Fault> {
        let path = target.attribute().to_lowercase();
        let root = path.split('.').next().unwrap_or_default();
        if let Some((_, writable)) = COMMON.iter().find(|(name, _)| *name == root) {
            return (!writable).then(|| read_only(target));
        }
        // A list, too, may be what cannot be written, and its elements with it.
        let parents = path.match_indices('.').filter_map(|(end, _)| path.get(..end)).chain([path.as_str()]);
        if parents.filter_map(|parent| self.attributes.get(parent)).any(|attribute| attribute.read_only) {
            return Some(read_only(target));
        }
        if let Some(fault) = self.unknown(&target.attribute()) {
            return Some(fault);
        }
        for (list, name, _) in target.filters() {
            if self.find(&list).is_some_and(|list| !list.multi_valued && list.kind != "any") {
                let message = format!("`{list}` has one value: leave out what stands in brackets");
                return Some(Fault::new(Code::InvalidPath, message));
            }
            if let Some(fault) = self.unknown(&format!("{list}.{name}")) {
                return Some(fault);
            }
        }
        let list = path.rfind('.').and_then(|end| self.attributes.get(path.get(..end)?));
        if list.is_some_and(|list| list.multi_valued) && target.list().is_none() {
            let message = format!("`{target}` has several values: say which, as in `emails[type eq \"work\"].value`");
            return Some(Fault::new(Code::InvalidPath, message));
        }
        None
    }

    /// What is wrong where the target has no such attribute.
    pub(super) fn unknown(&self, attribute: &str) -> Option<Fault> {
        let path = attribute.to_lowercase();
        let root = path.split('.').next().unwrap_or_default();
        if self.knows(&path) || COMMON.iter().any(|(name, _)| *name == root) {
            return None;
        }
        let known = self.attributes.values().map(|known| known.path.as_str());
        let hint = hint(attribute, known);
        let help = if hint.is_empty() { "; `discover` tells what it has".to_owned() } else { hint };
        let message = format!("the target has no attribute `{attribute}`{help}");
        Some(Fault::new(Code::UnknownAttribute, message))
    }

    /// Whether the parts of a complex attribute are listed.
    pub(super) fn lists_parts(&self, attribute: &str) -> bool {
        let start = format!("{}.", attribute.to_lowercase());
        self.attributes.keys().any(|known| known.starts_with(&start))
    }

    /// Whether the path is listed, lies above one that is, or below a complex attribute of which no parts are listed. An
    /// extension of which nothing is known counts as such an attribute.
    fn knows(&self, path: &str) -> bool {
        let below =
            |parent: &str, path: &str| path.strip_prefix(parent).is_some_and(|rest| rest.starts_with(['.', ':']));
        if self.attributes.contains_key(path) || self.attributes.keys().any(|known| below(path, known)) {
            return true;
        }
        self.attributes.iter().any(|(known, attribute)| {
            ["complex", "any"].contains(&attribute.kind.as_str())
                && below(known, path)
                && !self.attributes.keys().any(|other| below(known, other))
        })
    }

    /// What is wrong with writing what this expression gives, as far as it is known before.
    pub(super) fn check_expression(&self, target: &Path, expression: &Expression) -> Option<Fault> {
        let attribute = self.find(&target.attribute())?;
        let whole_list = attribute.multi_valued && target.list().is_none();
        let types = if whole_list { &["list"] } else { types_of(&attribute.kind) };
        if expression.can_give(types) {
            return None;
        }
        let wanted = if whole_list { "a list" } else { name_of(&attribute.kind) };
        let message = format!("`{target}` takes {wanted}; the expression gives `{}`", expression.report().kind);
        Some(Fault::new(Code::TypeMismatch, message))
    }

    /// What is wrong with writing this value, judged by its JSON type alone.
    pub(super) fn check_value(&self, target: &Path, value: &Value) -> Option<Fault> {
        let attribute = self.find(&target.attribute())?;
        let wrong = |wanted: &str| {
            let message = format!("`{target}` takes {wanted}, not {}", kind_of(value));
            Some(Fault::new(Code::TypeMismatch, message))
        };
        let whole_list = attribute.multi_valued && target.list().is_none();
        if whole_list {
            return match value.as_array() {
                Some(items) if items.iter().all(|item| fits(&attribute.kind, item)) => None,
                Some(_) => {
                    let message =
                        format!("`{target}` takes a list in which every item is {}", name_of(&attribute.kind));
                    Some(Fault::new(Code::TypeMismatch, message))
                }
                None => wrong("a list"),
            };
        }
        if value.is_null() || fits(&attribute.kind, value) {
            return None;
        }
        wrong(name_of(&attribute.kind))
    }
}

/// The types of expressions that make a value of a kind.
fn types_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "string" | "dateTime" | "reference" | "binary" => &["string", "timestamp", "duration"],
        "boolean" => &["bool"],
        "integer" => &["int"],
        "decimal" => &["int", "double"],
        "complex" => &["map"],
        _ => &["bool", "int", "double", "string", "list", "map", "timestamp", "duration"],
    }
}

fn read_only(target: &Path) -> Fault {
    Fault::new(Code::ReadOnlyAttribute, format!("the target does not let `{target}` be written; take the rule out"))
}

fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "string" | "dateTime" | "reference" | "binary" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "decimal" => value.is_number(),
        "complex" => value.is_object(),
        // A type that we do not know is the target's own affair.
        _ => true,
    }
}

fn name_of(kind: &str) -> &'static str {
    match kind {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "decimal" => "a number",
        "complex" => "an object",
        _ => "a text",
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
