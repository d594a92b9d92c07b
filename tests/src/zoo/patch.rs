//! PATCH (RFC 7644 §3.5.2), written from the standard alone, so that the engine and the zoo can be wrong only on their own.

use super::directory::Record;
use super::personality::Patch;
use serde_json::{Value, json};

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) kind: Option<&'static str>,
    pub(super) detail: &'static str,
}

fn refusal(status: u16, kind: &'static str, detail: &'static str) -> Refusal {
    Refusal { status, kind: Some(kind), detail }
}

/// Names are compared without letter case (RFC 7643 §2.1).
pub(super) fn name_of(name: &str) -> String {
    name.to_lowercase()
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:user:";

/// A path, taken apart: `urn:…:User:attribute[part eq "value"].part`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) extension: Option<String>,
    pub(super) attribute: String,
    pub(super) filter: Option<(String, Value)>,
    pub(super) part: Option<String>,
}

impl Place {
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (path, filter, after) = match path.split_once('[') {
            None => (path, None, ""),
            Some((before, rest)) => {
                let (filter, after) = rest.rsplit_once(']')?;
                let (name, value) = filter.split_once(" eq ")?;
                (before, Some((name.to_owned(), serde_json::from_str(value).ok()?)), after)
            }
        };
        let path = match path.get(..USER.len()) {
            Some(start) if start.eq_ignore_ascii_case(USER) => path.get(USER.len()..)?,
            _ => path,
        };
        let (extension, rest) = match path.get(..4) {
            Some(start) if start.eq_ignore_ascii_case("urn:") => {
                let (urn, rest) = path.rsplit_once(':')?;
                // The name of the extension itself ends in a word as well.
                if rest == "User" { (Some(path.to_owned()), "") } else { (Some(urn.to_owned()), rest) }
            }
            _ => (None, path),
        };
        let (attribute, part) = match (rest.split_once('.'), after.strip_prefix('.')) {
            (Some((attribute, part)), None) if after.is_empty() => (attribute, Some(part)),
            (None, part) if after.is_empty() || part.is_some() => (rest, part),
            _ => return None,
        };
        let is_name = |name: &str| {
            name.starts_with(|one: char| one.is_ascii_alphabetic() || one == '$')
                && name.chars().all(|one| one.is_ascii_alphanumeric() || "$-_".contains(one))
        };
        let sound = (is_name(attribute) || attribute.is_empty() && extension.is_some()) && part.is_none_or(is_name);
        let part = part.map(str::to_owned);
        sound.then(|| Self { extension, attribute: attribute.to_owned(), filter, part })
    }
}

/// Carries out the operations of a message, one after the other. Those before a refused one stay in `record`.
pub(super) fn apply(message: &Value, bends: &Patch, record: &mut Record) -> Result<(), Refusal> {
    let operations = message.get("Operations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if let Some(status) = bends.several_refused.filter(|_| operations.len() > 1) {
        return Err(refusal(status, "invalidSyntax", "one operation at a time"));
    }
    for operation in operations {
        let kind = operation.get("op").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let value = operation.get("value").filter(|value| !value.is_null());
        match operation.get("path").and_then(Value::as_str) {
            None => {
                for (name, value) in value.and_then(Value::as_object).into_iter().flatten() {
                    check(&Place::parse(name), &kind, Some(value), bends)?;
                    change(record, name, &kind, Some(value), bends)?;
                }
            }
            Some(_) if bends.paths_refused.is_some() => {
                let status = bends.paths_refused.unwrap_or(400);
                return Err(refusal(status, "invalidPath", "no paths, please"));
            }
            Some(path) => {
                check(&Place::parse(path), &kind, value, bends)?;
                change(record, path, &kind, value, bends)?;
            }
        }
    }
    Ok(())
}

fn check(place: &Option<Place>, kind: &str, value: Option<&Value>, bends: &Patch) -> Result<(), Refusal> {
    let Some(place) = place else { return Err(refusal(400, "invalidPath", "the path is none")) };
    let is_active = place.attribute.eq_ignore_ascii_case("active");
    let refused = [
        bends.filters_refused.filter(|_| place.filter.is_some()),
        bends.extensions_refused.filter(|_| place.extension.is_some()),
        bends.parts_refused.filter(|_| place.part.is_some() && place.filter.is_none()),
        bends.removal_refused.filter(|_| kind == "remove"),
        bends.other_than_active_refused.filter(|_| !is_active),
        bends.active_refused.filter(|_| is_active),
        bends.truths_refused.filter(|_| is_active && value.is_some_and(Value::is_boolean)),
    ];
    match refused.into_iter().flatten().next() {
        Some(status) => Err(refusal(status, "invalidPath", "this is not understood")),
        None => Ok(()),
    }
}

fn change(record: &mut Record, path: &str, kind: &str, value: Option<&Value>, bends: &Patch) -> Result<(), Refusal> {
    let place = Place::parse(path).ok_or(refusal(400, "invalidPath", "the path is none"))?;
    let is_ignored = kind == "remove" && bends.removal_ignored
        || bends.active_ignored && place.attribute.eq_ignore_ascii_case("active");
    if is_ignored {
        return Ok(());
    }
    let record = match &place.extension {
        None => record,
        Some(urn) => {
            let key = key_in(record, urn);
            let inside = record.entry(key).or_insert_with(|| json!({}));
            inside.as_object_mut().ok_or(refusal(400, "invalidPath", "the extension is none"))?
        }
    };
    if place.attribute.is_empty() {
        match (kind, value.and_then(Value::as_object)) {
            ("remove", _) => record.clear(),
            (_, Some(values)) => record.extend(values.clone()),
            _ => return Err(refusal(400, "invalidValue", "an extension is an object")),
        }
        return Ok(());
    }
    let key = key_in(record, &place.attribute);
    match (&place.filter, &place.part) {
        (Some(filter), part) => in_list(record, &key, filter, part.as_deref(), kind, value, bends),
        (None, Some(part)) => {
            let inside = record.entry(key).or_insert_with(|| json!({}));
            let inside = inside.as_object_mut().ok_or(refusal(400, "invalidPath", "the attribute has no parts"))?;
            let key = key_in(inside, part);
            set(inside, key, kind, value, bends)
        }
        (None, None) => set(record, key, kind, value, bends),
    }
}

fn set(record: &mut Record, key: String, kind: &str, value: Option<&Value>, bends: &Patch) -> Result<(), Refusal> {
    let Some(value) = value else {
        record.remove(&key);
        return if kind == "remove" { Ok(()) } else { Err(refusal(400, "invalidValue", "there is no value")) };
    };
    match (kind, record.get_mut(&key), value) {
        ("remove", ..) => drop(record.remove(&key)),
        ("add", Some(Value::Array(there)), Value::Array(more)) => {
            let new = |one: &&Value| bends.adds_twice || !there.contains(one);
            let more: Vec<Value> = more.iter().filter(new).cloned().collect();
            there.extend(more);
        }
        (_, Some(Value::Object(there)), Value::Object(parts)) => there.extend(parts.clone()),
        (_, _, value) => drop(record.insert(key, truth_of(value))),
    }
    Ok(())
}

/// `"True"` means true where the server takes it at all.
fn truth_of(value: &Value) -> Value {
    match value.as_str() {
        Some("True") => json!(true),
        Some("False") => json!(false),
        _ => value.clone(),
    }
}

fn in_list(
    record: &mut Record,
    key: &str,
    (name, wanted): &(String, Value),
    part: Option<&str>,
    kind: &str,
    value: Option<&Value>,
    bends: &Patch,
) -> Result<(), Refusal> {
    let list = record.entry(key.to_owned()).or_insert_with(|| json!([]));
    let list = list.as_array_mut().ok_or(refusal(400, "invalidPath", "the attribute is no list"))?;
    let is_meant = |element: &Value| element.get(name) == Some(wanted);
    if !list.iter().any(is_meant) {
        if kind == "remove" {
            return if bends.no_target { Err(refusal(400, "noTarget", "nothing matches")) } else { Ok(()) };
        }
        if bends.no_target {
            return Err(refusal(400, "noTarget", "nothing matches"));
        }
        list.push(json!({name.as_str(): wanted}));
    }
    match (kind, part) {
        ("remove", None) => list.retain(|element| !is_meant(element)),
        ("remove", Some(part)) => {
            let meant = list.iter_mut().filter(|element| is_meant(element));
            meant.filter_map(Value::as_object_mut).for_each(|element| drop(element.remove(part)));
        }
        (_, part) => {
            let value = value.ok_or(refusal(400, "invalidValue", "there is no value"))?;
            for element in list.iter_mut().filter(|element| is_meant(element)) {
                match (element.as_object_mut(), part, value) {
                    (Some(element), Some(part), value) => drop(element.insert(part.to_owned(), value.clone())),
                    (Some(element), None, Value::Object(parts)) => element.extend(parts.clone()),
                    _ => return Err(refusal(400, "invalidValue", "an element is an object")),
                }
            }
        }
    }
    Ok(())
}

/// The key under which an attribute stands already, in whatever letter case.
fn key_in(record: &Record, name: &str) -> String {
    record.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned())
}
