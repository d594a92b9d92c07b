//! How a server of the zoo writes a resource.

use super::directory::{Kept, Record};
use super::personality::{Bends, Etag, Shape};
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The resource of an account as the standard has it, then bent by each shape.
pub(super) fn written(kept: &Kept, record: &Record, base: &str, bends: &Bends) -> Value {
    let etag = bends.etag;
    let mut resource = record.clone();
    resource.insert("id".to_owned(), json!(kept.id));
    let extensions = record.keys().filter(|name| name.starts_with("urn:")).map(String::as_str);
    let schemas: Vec<&str> = std::iter::once(USER).chain(extensions).collect();
    resource.insert("schemas".to_owned(), json!(schemas));
    let mut meta = json!({"resourceType": "User", "location": format!("{base}/Users/{}", kept.id)});
    if let (Some(version), Some(meta)) = (version(kept, etag), meta.as_object_mut()) {
        meta.insert("version".to_owned(), version.into());
    }
    if let (Some(date), Some(meta)) = (kept.date(bends.dates), meta.as_object_mut()) {
        meta.insert("lastModified".to_owned(), date.to_string().into());
    }
    resource.insert("meta".to_owned(), meta);
    bends.shapes.iter().fold(Value::Object(resource), |value, shape| bent(value, *shape))
}

/// The version of an account as it is told.
pub(super) fn version(kept: &Kept, etag: Etag) -> Option<String> {
    match etag {
        Etag::None => None,
        Etag::Bare => Some(kept.version.to_string()),
        Etag::Heeded | Etag::Required | Etag::Refuses => Some(format!("W/\"{}\"", kept.version)),
    }
}

fn bent(value: Value, shape: Shape) -> Value {
    let Value::Object(mut resource) = value else { return value };
    match shape {
        Shape::NumberIds => {
            let number = resource.get("id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok());
            if let Some(number) = number {
                resource.insert("id".to_owned(), number.into());
            }
        }
        Shape::LowerKeys => return keys(Value::Object(resource), &|key| key.to_lowercase()),
        Shape::CapitalKeys => {
            return keys(Value::Object(resource), &|key| {
                let mut letters = key.chars();
                letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
            });
        }
        Shape::TextTruths => {
            return truths(Value::Object(resource), &|truth| json!(if truth { "True" } else { "False" }));
        }
        Shape::NumberTruths => return truths(Value::Object(resource), &|truth| json!(u8::from(truth))),
        Shape::FlatKeys => {
            let mut flat = Record::new();
            for (name, value) in resource {
                match value {
                    Value::Object(parts) if name == "name" => {
                        flat.extend(parts.into_iter().map(|(part, value)| (format!("{name}.{part}"), value)));
                    }
                    Value::Object(parts) if name.starts_with("urn:") => {
                        flat.extend(parts.into_iter().map(|(part, value)| (format!("{name}:{part}"), value)));
                    }
                    value => drop(flat.insert(name, value)),
                }
            }
            resource = flat;
        }
        Shape::LowerUrns => {
            resource = resource
                .into_iter()
                .map(
                    |(name, value)| if name.starts_with("urn:") { (name.to_lowercase(), value) } else { (name, value) },
                )
                .collect();
        }
        Shape::Nulls => absent(&mut resource, &Value::Null),
        Shape::Empties => {
            absent(&mut resource, &json!(""));
            resource.entry("emails").or_insert_with(|| json!([{"value": ""}]));
        }
        Shape::TextLists => {
            each_list(&mut resource, |list| list.iter().filter_map(|one| one.get("value").cloned()).collect())
        }
        Shape::SingleLists => each_list(&mut resource, |list| match list {
            [single] => single.clone(),
            several => json!(several),
        }),
        Shape::NoSchemas => drop(resource.remove("schemas")),
        Shape::NoMeta => drop(resource.remove("meta")),
        Shape::NoExternalId => drop(resource.remove("externalId")),
        Shape::NoActive => drop(resource.remove("active")),
        Shape::Extras => {
            let own = json!({"deep": [[1, {"x": null}], "y"], "big": 1e300});
            resource.insert("urn:vendor:scim:2.0:Own".to_owned(), own);
            resource.insert("_links".to_owned(), json!({"self": {"href": "http://169.254.169.254/"}}));
        }
        Shape::ManyGroups => {
            let group = |number: u32| json!({"value": format!("g{number}"), "display": format!("Group {number}")});
            resource.insert("groups".to_owned(), (1..=20).map(group).collect());
        }
        Shape::OwnExtension => {
            if let Some(value) = resource.remove(ENTERPRISE) {
                resource.insert("urn:scim:schemas:extension:enterprise:1.0".to_owned(), value);
            }
        }
        Shape::Primaries => each_list(&mut resource, |list| {
            let mut list = list.to_vec();
            for (index, one) in list.iter_mut().filter_map(Value::as_object_mut).enumerate() {
                one.insert("primary".to_owned(), json!(index == 0));
            }
            json!(list)
        }),
    }
    Value::Object(resource)
}

fn absent(resource: &mut Record, value: &Value) {
    for name in ["nickName", "title", "displayName", "profileUrl", "locale", "preferredLanguage"] {
        resource.entry(name).or_insert_with(|| value.clone());
    }
}

fn each_list(resource: &mut Record, bend: impl Fn(&[Value]) -> Value) {
    for (name, value) in resource.iter_mut().filter(|(name, _)| *name != "schemas") {
        if let (false, Value::Array(list)) = (name.starts_with("urn:"), &value) {
            *value = bend(list);
        }
    }
}

fn keys(value: Value, bend: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            let bent = members.into_iter().map(|(key, value)| {
                let key = if key.starts_with("urn:") { key } else { bend(&key) };
                (key, keys(value, bend))
            });
            Value::Object(bent.collect())
        }
        Value::Array(elements) => elements.into_iter().map(|one| keys(one, bend)).collect(),
        other => other,
    }
}

fn truths(value: Value, bend: &dyn Fn(bool) -> Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(key, value)| (key, truths(value, bend))).collect())
        }
        Value::Array(elements) => elements.into_iter().map(|one| truths(one, bend)).collect(),
        Value::Bool(truth) => bend(truth),
        other => other,
    }
}
