//! A mapping seen against the target's schema as a whole: what the target requires and no rule writes, and what is
//! allowed and yet hardly meant.

use super::schema::Schema;
use crate::fault::{Code, Fault};
use crate::likeness::hint;
use crate::model::{Apply, MatchingDefinition, Rule, SchemaAttribute};
use crate::path::Path;
use serde_json::Value;

/// What the engine sets by itself, or a target cannot require of us.
const OWN: [&str; 5] = ["id", "schemas", "meta", "externalid", "active"];

/// The attributes that the target requires and that no rule writes when an account is created. A part is required where
/// its whole is, or is written in part; an attribute of an extension, where the extension is written at all.
pub fn missing_required(rules: &[Rule], attributes: &[SchemaAttribute]) -> Vec<String> {
    let written: Vec<String> = rules
        .iter()
        .filter(|rule| rule.apply != Apply::Update)
        .filter_map(|rule| Path::parse(&rule.target).ok())
        .map(|path| path.attribute().to_lowercase())
        .collect();
    let starts = |path: &str, end: char| {
        written.iter().any(|one| one.strip_prefix(path).is_some_and(|rest| rest.starts_with(end)))
    };
    let needed = |attribute: &&SchemaAttribute| {
        let path = attribute.path.to_lowercase();
        let (extension, local) = path.rsplit_once(':').unwrap_or(("", path.as_str()));
        let whole =
            path.len().checked_sub(local.len()).zip(local.rfind('.')).and_then(|(start, dot)| path.get(..start + dot));
        let wanted = match whole {
            _ if !extension.is_empty() && !starts(extension, ':') => false,
            Some(whole) => {
                let is_required = attributes.iter().any(|one| one.required && one.path.eq_ignore_ascii_case(whole));
                (is_required || starts(whole, '.')) && !written.iter().any(|one| one == whole)
            }
            None => true,
        };
        wanted && !written.contains(&path) && !starts(&path, '.') && !OWN.contains(&path.as_str())
    };
    let required = attributes.iter().filter(|attribute| attribute.required && !attribute.read_only);
    let missing: Vec<&SchemaAttribute> = required.filter(needed).collect();
    // Of a whole, the parts that are required say more.
    let is_part = |part: &str, whole: &str| part.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'));
    let told = missing.iter().filter(|one| !missing.iter().any(|other| is_part(&other.path, &one.path)));
    told.map(|attribute| attribute.path.clone()).collect()
}

/// What is allowed and yet hardly meant: values that are not among those that the target knows (RFC 7643 §7 lets others
/// be), parts that it does not list, and matching by an attribute that it does not have. Each at its place.
pub fn warnings(rules: &[Rule], matching: &MatchingDefinition, attributes: &[SchemaAttribute]) -> Vec<Fault> {
    let schema = Schema::new(attributes);
    let mut warnings = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let Ok(target) = Path::parse(&rule.target) else { continue };
        let place = |key: &str| format!("mapping[{index}].{key}");
        for (list, name, value) in target.filters() {
            warnings
                .extend(canonical(&schema, &format!("{list}.{name}"), value).map(|fault| fault.at(place("target"))));
        }
        let default = rule.default.as_ref().map(|default| &default.value);
        for (key, value) in [("constant", rule.constant.as_ref()), ("default", default)] {
            let found = value.map(|value| about(&schema, &target.attribute(), value)).unwrap_or_default();
            warnings.extend(found.into_iter().map(|fault| fault.at(place(key))));
        }
    }
    for (index, rule) in matching.rules.iter().enumerate() {
        for (number, pair) in rule.all.iter().enumerate() {
            let unknown = Path::parse(&pair.account).ok().and_then(|path| schema.unknown(&path.attribute()));
            warnings.extend(
                unknown.map(|fault| fault.at(format!("{}[{index}].all[{number}].account", matching.rules_key()))),
            );
        }
    }
    warnings
}

/// What is odd about writing this value.
fn about(schema: &Schema, attribute: &str, value: &Value) -> Vec<Fault> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| about(schema, attribute, item)).collect(),
        Value::Object(object) if schema.lists_parts(attribute) => object
            .iter()
            .flat_map(|(name, value)| {
                let part = format!("{attribute}.{name}");
                schema.unknown(&part).map_or_else(|| about(schema, &part, value), |fault| vec![fault])
            })
            .collect(),
        value => canonical(schema, attribute, value).into_iter().collect(),
    }
}

fn canonical(schema: &Schema, attribute: &str, value: &Value) -> Option<Fault> {
    let (known, text) = (schema.find(attribute)?, value.as_str()?);
    let same = |one: &String| if known.case_exact { one == text } else { one.eq_ignore_ascii_case(text) };
    if known.canonical_values.is_empty() || known.canonical_values.iter().any(same) {
        return None;
    }
    let names: Vec<&str> = known.canonical_values.iter().map(String::as_str).collect();
    let listed = names.iter().take(20).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hint = if names.len() > 1 { hint(text, names) } else { String::new() };
    let message = format!("the target knows these values of `{attribute}`: {listed}{hint}");
    Some(Fault::new(Code::UnusualValue, message))
}
