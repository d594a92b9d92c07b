//! What a request must be by RFC 7643 and RFC 7644, whatever the server takes: whoever sends anything else is complained of.

use super::lists::since;
use super::patch::Place;
use crate::http::Request;
use serde_json::{Map, Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// RFC 7643 §4.1, §3.1.
const ATTRIBUTES: [&str; 24] = [
    "schemas",
    "id",
    "externalId",
    "userName",
    "name",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "password",
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "x509Certificates",
    "groups",
];
const LISTS: [&str; 9] =
    ["emails", "phoneNumbers", "ims", "photos", "addresses", "entitlements", "roles", "x509Certificates", "groups"];

/// What is wrong with a request.
pub(super) fn complaints(request: &Request) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut ask = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{} {}: {what}", request.method, request.path));
        }
    };
    let body: Option<Value> = serde_json::from_slice(&request.body).ok();
    ask(request.header("authorization") == Some("Bearer zoo"), "without its token");
    ask(request.header("user-agent").is_some_and(|agent| !agent.is_empty()), "without a user agent");
    ask(request.header("accept").is_some_and(|accept| accept.contains("json")), "without a type that it accepts");
    ask(request.body.is_empty() || body.is_some(), "with a body that is no JSON");
    if let Some(filter) = request.parameter("filter") {
        ask(is_equality(&filter) || since(&filter).is_some(), "with a filter that is none");
    }
    let Some(body) = body else { return wrong };
    let content_type = request.header("content-type").unwrap_or_default();
    ask(matches!(content_type, "application/scim+json" | "application/json"), "with a wrong content type");
    let Some(object) = body.as_object() else { return vec![format!("{}: the body is no object", request.path)] };
    let whole = match request.method.as_str() {
        "PATCH" => message(object),
        "POST" if request.path.ends_with("/.search") => {
            if object.get("schemas") == Some(&json!([SEARCH])) {
                Vec::new()
            } else {
                vec!["no SearchRequest".into()]
            }
        }
        "POST" if request.path.ends_with("/Groups") => match object.get("displayName").and_then(Value::as_str) {
            Some(_) if object.get("schemas") == Some(&json!([GROUP])) => Vec::new(),
            _ => vec!["no group with a name".to_owned()],
        },
        "POST" => {
            ask(!object.contains_key("id"), "with an id of its own");
            resource(object)
        }
        "PUT" => {
            let id = object.get("id").and_then(Value::as_str);
            let in_path = request.path.rsplit('/').next().map(crate::http::decode);
            ask(id.is_none() || id == in_path.as_deref(), "with another id than its URL");
            resource(object)
        }
        _ => vec!["a body where none belongs".to_owned()],
    };
    wrong.extend(whole.into_iter().map(|what| format!("{} {}: {what}", request.method, request.path)));
    wrong
}

/// A user (RFC 7643 §4.1) as it may be sent: nothing that is read-only, nothing that is null.
fn resource(object: &Map<String, Value>) -> Vec<String> {
    let mut wrong = Vec::new();
    let schemas: Vec<&str> =
        object.get("schemas").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !schemas.contains(&USER) {
        wrong.push("the schema of a user is missing".to_owned());
    }
    if object.get("userName").and_then(Value::as_str).is_none_or(str::is_empty) {
        wrong.push("without `userName`".to_owned());
    }
    for (name, value) in object {
        let is_extension = name.starts_with("urn:");
        if is_extension && !(schemas.contains(&name.as_str()) && value.is_object()) {
            wrong.push(format!("the extension `{name}` is not among the schemas, or is no object"));
        }
        if !is_extension && !ATTRIBUTES.contains(&name.as_str()) {
            wrong.push(format!("`{name}` is no attribute of a user"));
        }
        if ["groups", "meta"].contains(&name.as_str()) {
            wrong.push(format!("`{name}` is not the client's"));
        }
        wrong.extend(value_of(name, value));
    }
    wrong
}

/// The value of an attribute (RFC 7643 §2.3, §2.4).
fn value_of(name: &str, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if has_null(value) {
        wrong.push(format!("`{name}` has a null"));
    }
    if name == "active" && !value.is_boolean() {
        wrong.push("`active` is no truth".to_owned());
    }
    if LISTS.contains(&name) {
        let elements = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let primaries = elements.iter().filter(|one| one.get("primary") == Some(&json!(true))).count();
        if !value.is_array() || !elements.iter().all(Value::is_object) || primaries > 1 {
            wrong.push(format!("`{name}` is no list of objects with one primary at most"));
        }
    }
    wrong
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

/// A PATCH (RFC 7644 §3.5.2).
fn message(object: &Map<String, Value>) -> Vec<String> {
    let operations = object.get("Operations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut wrong = Vec::new();
    if object.get("schemas") != Some(&json!([PATCH])) || object.len() != 2 || operations.is_empty() {
        wrong.push("no PatchOp with operations".to_owned());
    }
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let (kind, path, value) = (text("op").unwrap_or_default(), text("path"), operation.get("value"));
        let place = path.map(Place::parse);
        let sound = match (kind, &place, value) {
            ("remove", Some(Some(_)), None) => true,
            // Microsoft Entra's form, where the app or a probe asks for it.
            ("remove", Some(Some(place)), Some(Value::Array(_))) => place.attribute == "members",
            ("add" | "replace", None, Some(Value::Object(values))) => !values.is_empty(),
            ("add" | "replace", Some(Some(_)), Some(value)) => !has_null(value),
            _ => false,
        };
        if !sound {
            wrong.push(format!("the operation `{kind}` at {path:?} is none"));
        }
        let whole = place.flatten().filter(|place| place.filter.is_none() && place.part.is_none());
        match (whole, value) {
            (Some(place), Some(value)) => wrong.extend(value_of(&place.attribute, value)),
            (None, Some(Value::Object(values))) if path.is_none() => {
                wrong.extend(values.iter().flat_map(|(name, value)| value_of(name, value)));
            }
            _ => {}
        }
    }
    wrong
}

fn is_equality(filter: &str) -> bool {
    let Some((path, value)) = filter.split_once(" eq ") else { return false };
    Place::parse(path).is_some() && serde_json::from_str::<Value>(value).is_ok_and(|value| !value.is_null())
}
