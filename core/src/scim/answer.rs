//! Reading what targets answer. The standard's letter is not asked for: names in any case, booleans as text, ids as numbers,
//! lists as single values and flattened keys are all taken for what they mean.

use super::schema::{self, ENTERPRISE_USER};
use super::strict;
use crate::connector::TargetAccount;
use crate::path::{is_multi_valued, member, member_mut};
use crate::value::Attributes;
use serde_json::{Value, json};

/// A resource with the standard's spelling and shapes; `None` where the body is no object.
pub(super) fn resource(body: &[u8]) -> Option<Attributes> {
    match strict::read(body)? {
        Value::Object(object) => Some(normalize(object)),
        _ => None,
    }
}

/// An account of a normalised resource; `None` where it has no id.
pub(super) fn account(mut resource: Attributes) -> Option<TargetAccount> {
    let external_id = text_or_number(resource.remove("id")?)?;
    resource.remove("schemas");
    let meta = resource.get("meta").and_then(Value::as_object);
    let version = meta.and_then(|meta| member(meta, "version")).and_then(Value::as_str).map(str::to_owned);
    Some(TargetAccount {
        external_id,
        username: resource.get("userName").and_then(Value::as_str).map(str::to_owned),
        active: resource.get("active").and_then(Value::as_bool).unwrap_or(true),
        frozen: false,
        attributes: resource,
        version,
    })
}

/// A page of a listing as the target gave it.
pub(super) struct Rows {
    pub(super) accounts: Vec<TargetAccount>,
    /// How many rows it has, where only some of them were kept too.
    pub(super) shown: u64,
    pub(super) total: Option<u64>,
    pub(super) next_cursor: Option<String>,
}

/// Reads a list response (RFC 7644 §3.4.2). `None` where the body is none, or a row has no id: half a page is not a page.
pub(super) fn rows(body: &[u8]) -> Option<Rows> {
    let Value::Object(mut object) = strict::read(body)? else { return None };
    let total = member(&object, "totalResults").and_then(|total| match total {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    });
    let found = match member_mut(&mut object, "Resources").map(Value::take) {
        None | Some(Value::Null) => {
            // Without either key this is something else, such as an error with a status of success.
            total?;
            Vec::new()
        }
        Some(Value::Array(found)) => found,
        Some(single @ Value::Object(_)) => vec![single],
        Some(_) => return None,
    };
    let accounts = found.into_iter().map(|row| match row {
        Value::Object(row) => account(normalize(row)),
        _ => None,
    });
    let next_cursor = member(&object, "nextCursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty());
    let accounts = accounts.collect::<Option<Vec<_>>>()?;
    let shown = u64::try_from(accounts.len()).unwrap_or(u64::MAX);
    Some(Rows { accounts, shown, total, next_cursor: next_cursor.map(str::to_owned) })
}

fn text_or_number(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn normalize(object: Attributes) -> Attributes {
    let mut resource = Attributes::new();
    for (key, value) in object {
        if let Some((parent, sub)) = folded(&key) {
            let parent = resource.entry(parent).or_insert_with(|| json!({}));
            if let Value::Object(parts) = parent {
                parts.entry(sub).or_insert(value);
            }
            continue;
        }
        let name = schema::spelling(&key).map_or(key, str::to_owned);
        let value = match value {
            Value::Null => continue,
            value if name == "active" => boolean(value),
            value if is_multi_valued(&name) => list(&name, value),
            Value::Object(parts) => Value::Object(respelled(&name, parts)),
            other => other,
        };
        match (resource.get_mut(&name), value) {
            // The flattened keys of this attribute came first.
            (Some(Value::Object(known)), Value::Object(parts)) => known.extend(parts),
            (_, value) => {
                resource.insert(name, value);
            }
        }
    }
    resource
}

/// Reads a flattened key: `name.formatted`, or the extension's URN with the attribute.
pub(super) fn folded(key: &str) -> Option<(String, String)> {
    let start = key.get(..=ENTERPRISE_USER.len());
    if start.is_some_and(|start| start.eq_ignore_ascii_case(&format!("{ENTERPRISE_USER}:"))) {
        let attribute = key.get(ENTERPRISE_USER.len() + 1..)?;
        return Some((ENTERPRISE_USER.to_owned(), attribute.to_owned()));
    }
    let (parent, sub) = key.split_once('.')?;
    let path = schema::spelling_of_path(parent, sub)?;
    let (parent, sub) = path.split_once('.')?;
    (!is_multi_valued(parent)).then(|| (parent.to_owned(), sub.to_owned()))
}

fn boolean(value: Value) -> Value {
    match &value {
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Value::Bool(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Value::Bool(false),
        Value::Number(number) => Value::Bool(number.as_f64() != Some(0.0)),
        _ => value,
    }
}

fn list(name: &str, value: Value) -> Value {
    let elements = match value {
        Value::Array(elements) => elements,
        single => vec![single],
    };
    let element = |element| match element {
        Value::Object(mut parts) => {
            parts = respelled(name, parts);
            if let Some(primary) = parts.remove("primary") {
                parts.insert("primary".to_owned(), boolean(primary));
            }
            Value::Object(parts)
        }
        scalar => json!({"value": scalar}),
    };
    elements.into_iter().filter(|value| !value.is_null()).map(element).collect()
}

fn respelled(parent: &str, parts: Attributes) -> Attributes {
    let spelled = |(key, value): (String, Value)| {
        let spelling = schema::spelling_of_path(parent, &key).and_then(|path| path.rsplit_once([':', '.']));
        (spelling.map_or(key, |(_, sub)| sub.to_owned()), value)
    };
    parts.into_iter().filter(|(_, value)| !value.is_null()).map(spelled).collect()
}
