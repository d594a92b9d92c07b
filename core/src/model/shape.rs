//! What is wrong with the shape of a document, told so that a person can mend it. Serde's own texts are taken over only
//! where they name keys: elsewhere they quote the value that was found, which may be a secret.

use super::{Auth, ConnectorDefinition, OAuth, Reaction, ScimDefinition, SecretSource, Situation};
use crate::fault::{Code, Fault};
use crate::likeness::hint;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a document of type `T`, or the part of one at `place`, with the place of what is wrong in the fault.
pub(crate) fn read<T: DeserializeOwned>(value: &Value, place: &str) -> Result<T, Fault> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let path = match (place, path.as_str()) {
            ("", path) => path.to_owned(),
            (place, ".") => place.to_owned(),
            (place, path) if path.starts_with('[') => format!("{place}{path}"),
            (place, path) => format!("{place}.{path}"),
        };
        fault(&error.inner().to_string(), &path)
    })
}

/// Finds a list where an object belongs, which serde would read as the object's members in their order.
pub(super) fn list_for_object(app: &Value) -> Result<(), Fault> {
    let refused = |place: &str| {
        let subject = if place.is_empty() { "the document".to_owned() } else { format!("`{place}`") };
        let fault = Fault::new(Code::InvalidDocument, format!("{subject} must be an object"));
        Err(if place.is_empty() { fault } else { fault.at(place) })
    };
    if !app.is_object() {
        return refused("");
    }
    for place in OBJECTS {
        if place.split('.').try_fold(app, |value, key| value.get(key)).is_some_and(Value::is_array) {
            return refused(place);
        }
    }
    for list in LIMITS {
        let limits = app.get("brake").and_then(|brake| brake.get(list)).and_then(Value::as_array);
        if let Some(index) = limits.and_then(|limits| limits.iter().position(Value::is_array)) {
            return refused(&format!("brake.{list}[{index}]"));
        }
    }
    reactions(app)?;
    for (index, item) in app.get("entitlements").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let parts = [("", Some(item)), (".group", item.get("group"))];
        if let Some((part, _)) = parts.into_iter().find(|(_, value)| value.is_some_and(Value::is_array)) {
            return refused(&format!("entitlements[{index}]{part}"));
        }
    }
    let weighed = app.get("matching").and_then(|matching| matching.get("rules"));
    for (list, items) in
        [("mapping", app.get("mapping")), ("matching", app.get("matching")), ("matching.rules", weighed)]
    {
        for (index, item) in items.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let parts = [("", Some(item)), (".default", item.get("default"))];
            let wrong = parts.into_iter().find(|(_, value)| value.is_some_and(Value::is_array));
            if let Some((part, _)) = wrong {
                return refused(&format!("{list}[{index}]{part}"));
            }
            let pairs = item.get("all").and_then(Value::as_array).into_iter().flatten();
            if let Some(number) = pairs.into_iter().position(Value::is_array) {
                return refused(&format!("{list}[{index}].all[{number}]"));
            }
        }
    }
    Ok(())
}

const OBJECTS: [&str; 27] = [
    "connector",
    "connector.auth",
    "connector.auth.token",
    "connector.auth.password",
    "connector.auth.client_secret",
    "connector.auth.private_key",
    "connector.auth.refresh_token",
    "connector.auth.parameters",
    "connector.features",
    "assigned_to",
    "pilot",
    "approval",
    "deprovision",
    "deprovision.unassigned",
    "deprovision.deactivated",
    "deprovision.deleted",
    "deprovision.expired",
    "protected",
    "reconcile",
    "reconcile.reactions",
    "brake",
    "retry",
    "retry.by_code",
    "rate",
    "breaker",
    "timeouts",
    "settle",
];

/// Situations and reactions by their names; serde does not tell in which entry a wrong one stands.
fn reactions(app: &Value) -> Result<(), Fault> {
    let place = "reconcile.reactions";
    let given = app.get("reconcile").and_then(|reconcile| reconcile.get("reactions")).and_then(Value::as_object);
    for (situation, reaction) in given.into_iter().flatten() {
        if Situation::from_name(situation).is_none() {
            let names: Vec<&str> = Situation::ALL.iter().map(|one| one.name()).collect();
            let near = hint(situation, names.iter().copied());
            let help = if near.is_empty() { format!("; it may have {}", listed(&names)) } else { near };
            let message = format!("`{place}` has an unknown key `{situation}`{help}");
            return Err(Fault::new(Code::UnknownKey, message).at(format!("{place}.{situation}")));
        }
        let known = reaction.as_str().and_then(Reaction::choice).is_some();
        if !known {
            let offered = Reaction::ALL.iter().filter(|one| !one.is_for_undo());
            let names: Vec<&str> = offered.map(|one| one.name()).collect();
            let place = format!("{place}.{situation}");
            let message = format!("`{place}` must be {}", choices(reaction.as_str().unwrap_or_default(), &names));
            return Err(Fault::new(Code::InvalidDocument, message).at(place));
        }
    }
    Ok(())
}

/// The lists of limits of the brake.
const LIMITS: [&str; 4] = ["deactivations", "deletes", "group_removals", "same_attribute"];

/// Looks into a connector, of which serde tells no more than that something is wrong somewhere in it.
pub(super) fn in_connector(app: &Value, found: Fault) -> Fault {
    if found.attribute.as_deref() != Some("connector") {
        return found;
    }
    let kinds = ["scim", "mock", "custom"];
    let Some(connector) = app.get("connector").and_then(Value::as_object) else { return found };
    let inner = match connector.get("kind").and_then(Value::as_str) {
        Some("scim") => below::<ScimDefinition>(connector, "connector").or_else(|| {
            let auth = connector.get("auth").and_then(Value::as_object)?;
            choice(auth, "connector.auth", &AUTH_KINDS)
        }),
        Some("mock") => below::<Mock>(connector, "connector"),
        Some("custom") => below::<Custom>(connector, "connector"),
        _ => choice(connector, "connector", &kinds),
    };
    let auth = connector.get("auth").and_then(Value::as_object);
    let within = inner.as_ref().is_some_and(|fault| fault.attribute.as_deref() == Some("connector.auth"));
    let deeper = auth.filter(|_| within).and_then(in_auth);
    deeper.or(inner).unwrap_or(found)
}

const AUTH_KINDS: [&str; 3] = ["bearer", "basic", "oauth2"];

/// What is wrong with the credentials.
fn in_auth(auth: &Attributes) -> Option<Fault> {
    let place = "connector.auth";
    choice(auth, place, &AUTH_KINDS).or_else(|| match auth.get("kind").and_then(Value::as_str) {
        Some("bearer") => below::<Bearer>(auth, place),
        Some("basic") => below::<Basic>(auth, place),
        _ => below::<OAuth>(auth, place),
    })
}

// What the variants of `ConnectorDefinition` and `Auth` hold beside their kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mock {
    #[serde(default, rename = "settings")]
    _settings: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Custom {
    #[serde(rename = "name")]
    _name: String,
    #[serde(default, rename = "settings")]
    _settings: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bearer {
    #[serde(rename = "token")]
    _token: SecretSource,
    #[serde(default, rename = "expires_at")]
    _expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Basic {
    #[serde(rename = "username")]
    _username: String,
    #[serde(rename = "password")]
    _password: SecretSource,
    #[serde(default, rename = "expires_at")]
    _expires_at: Option<Timestamp>,
}

/// What is wrong with the other members of an object that has a kind.
fn below<T: DeserializeOwned>(object: &Attributes, place: &str) -> Option<Fault> {
    let mut object = object.clone();
    object.remove("kind");
    read::<T>(&Value::Object(object), place).err()
}

/// What is wrong with the kind of an object.
fn choice(object: &Attributes, place: &str, kinds: &[&str]) -> Option<Fault> {
    let given = object.get("kind").and_then(Value::as_str);
    if given.is_some_and(|given| kinds.contains(&given)) {
        return None;
    }
    let message = format!("`{place}.kind` must be {}", choices(given.unwrap_or_default(), kinds));
    Some(Fault::new(Code::InvalidDocument, message).at(format!("{place}.kind")))
}

/// Turns serde's complaint into ours.
fn fault(text: &str, path: &str) -> Fault {
    let place = if path == "." { "the document".to_owned() } else { format!("`{path}`") };
    let code = Code::InvalidDocument;
    let expected = text.rsplit_once(", expected ").map(|(_, rest)| rest).unwrap_or_default();
    let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    // Serde's own texts of this kind quote the value, which may say anything.
    let is_ours = !text.starts_with("invalid ");
    let fault = if let Some(key) = quoted(text, "unknown field `") {
        let owner = path.strip_suffix(key).map(|path| path.trim_end_matches('.')).unwrap_or(path);
        let place = if owner.is_empty() || owner == "." { "the document".to_owned() } else { format!("`{owner}`") };
        let near = hint(key, names.iter().copied());
        let help =
            if near.is_empty() && !names.is_empty() { format!("; it may have {}", listed(&names)) } else { near };
        Fault::new(Code::UnknownKey, format!("{place} has an unknown key `{key}`{help}"))
    } else if is_secret(path) {
        let message = format!(
            "{place} must say where the secret is had from, as {{\"secret\": \"name\"}}; the secret itself does not belong here"
        );
        Fault::new(Code::SecretInClear, message)
    } else if let Some(key) = quoted(text, "missing field `") {
        let code = if key == "id" && path == "." { Code::MissingId } else { code };
        Fault::new(code, format!("{place} has no `{key}`; add it"))
    } else if let Some(name) = quoted(text, "unknown operation `") {
        let near = hint(name, OPERATIONS);
        let help = if near.is_empty() { format!("; there are {}", listed(&OPERATIONS)) } else { near };
        Fault::new(Code::UnknownOperation, format!("{place} names an unknown operation `{name}`{help}"))
    } else if text.starts_with("unknown operation in the list") {
        let switches = ["Create", "Update", "EnableAndDisable", "SuspendAndRestore"];
        Fault::new(
            Code::UnknownOperation,
            format!("{place} names an unknown operation; a list may have {}", listed(&switches)),
        )
    } else if is_ours && (text.contains("ISO 8601") || text.contains("RFC 3339")) {
        Fault::new(Code::InvalidTime, format!("{place}: {text}"))
    } else if let Some(given) = quoted(text, "unknown variant `") {
        Fault::new(code, format!("{place} must be {}", choices(given, &names)))
    } else if let Some(kind) = text.starts_with("invalid ").then(|| kind_of(expected)).flatten() {
        Fault::new(code, format!("{place} must be {kind}"))
    } else if text.starts_with('`') && text.ends_with("must be true or false") {
        Fault::new(code, format!("{place}: {text}"))
    } else if text == "operations must be an object or a list" {
        Fault::new(code, format!("{place} must be an object or a list"))
    } else if is_ours && (text.contains("is empty, too long") || text.contains("1 to 256")) {
        Fault::new(Code::InvalidId, format!("{place}: {text}"))
    } else {
        Fault::new(code, format!("{place} does not have the shape it must have; `core/docs/documents.md` tells it"))
    };
    if path == "." { fault } else { fault.at(path) }
}

/// Fields that say where a secret is had from.
const SECRETS: [&str; 5] = ["token", "password", "client_secret", "private_key", "refresh_token"];

/// Whether a secret's source stands at the place.
fn is_secret(path: &str) -> bool {
    let before = SECRETS.iter().find_map(|field| path.strip_suffix(field));
    before.is_some_and(|before| ["auth.", "tls.", "proxy."].iter().any(|part| before.ends_with(part)))
}

const OPERATIONS: [&str; 7] = ["create", "update", "deactivate", "activate", "freeze", "unfreeze", "delete"];

fn quoted<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    text.strip_prefix(before)?.split('`').next()
}

/// What serde expected, in our words.
fn kind_of(expected: &str) -> Option<&'static str> {
    Some(match expected.split([' ', '<']).next()? {
        // The only number of this size is a percentage.
        "u8" => "a whole number from 0 to 100",
        "u16" | "u32" | "u64" | "usize" => "a whole number that is not below 0",
        "i32" | "i64" => "a whole number",
        "f64" => "a number",
        "struct" | "map" | "internally" => "an object",
        "sequence" => "a list",
        _ => match expected {
            "a string" => "a text",
            "a boolean" => "true or false",
            "a sequence" => "a list",
            "a map" => "an object",
            _ => return None,
        },
    })
}

/// What there is to choose from, and what was probably meant.
fn choices(given: &str, names: &[&str]) -> String {
    let hint = if names.len() > 1 { hint(given, names.iter().copied()) } else { String::new() };
    listed(names) + &hint
}

/// `a`, `b` or `c`.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

// The lists of kinds above must be those of the types.
const _: fn(&ConnectorDefinition, &Auth) = |connector, auth| {
    match connector {
        ConnectorDefinition::Scim(_) | ConnectorDefinition::Mock { .. } | ConnectorDefinition::Custom { .. } => {}
    }
    match auth {
        Auth::Bearer { .. } | Auth::Basic { .. } | Auth::OAuth(_) => {}
    }
};
