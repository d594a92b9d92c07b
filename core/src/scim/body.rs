//! What is sent: the resource of a create, the operations of a PATCH, the whole resource of a PUT.

use crate::connector::path::{AttributePath, CORE_USER, ENTERPRISE_USER, apply_all, entry};
use crate::connector::{Change, ChangeKind};
use crate::value::Attributes;
use serde_json::{Value, json};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A change with its path read.
#[derive(Clone, Debug)]
pub(super) struct PathChange {
    pub(super) path: AttributePath,
    pub(super) change: Change,
}

impl PathChange {
    /// Reads the paths; the first that is none is the error.
    pub(super) fn read_all(changes: &[Change]) -> Result<Vec<Self>, String> {
        let read = |change: &Change| {
            let path = AttributePath::parse(&change.path).ok_or_else(|| change.path.clone())?;
            Ok(Self { path, change: change.clone() })
        };
        changes.iter().map(read).collect()
    }

    pub(super) fn is_active(&self) -> bool {
        self.path.urn.is_none() && self.path.attribute.eq_ignore_ascii_case("active")
    }

    /// The value that is set; `None` where the change removes. Nothing, an empty text or an empty list cannot be set
    /// everywhere, so that a list without elements and `null` are removals.
    fn value(&self) -> Option<&Value> {
        let is_nothing = |value: &&Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        self.change.value.as_ref().filter(|value| self.change.kind != ChangeKind::Remove && !is_nothing(value))
    }
}

/// The resource of a create: without nulls, empty texts and lists, `id` and `meta`, with the schemas that it uses. It is
/// active unless the mapping says otherwise: a target that is not told shows the account as neither.
pub(super) fn of_create(attributes: &Attributes) -> Value {
    let mut resource = attributes.clone();
    for own in ["id", "meta", "schemas", "groups"] {
        resource.retain(|key, _| !key.eq_ignore_ascii_case(own));
    }
    if entry(&resource, "active").is_none() {
        resource.insert("active".to_owned(), Value::Bool(true));
    }
    shape_manager(&mut resource);
    let mut resource = without_empties(Value::Object(resource)).unwrap_or_else(|| json!({}));
    add_schemas(&mut resource, entry(attributes, "schemas"));
    resource
}

/// The resource of a PUT: what the target showed, with the changes carried out.
pub(super) fn of_put(shown: &Attributes, changes: &[Change]) -> Result<Value, String> {
    let mut resource = shown.clone();
    apply_all(changes, &mut resource)?;
    let schemas = resource.remove("schemas");
    resource.remove("meta");
    resource.remove("groups");
    shape_manager(&mut resource);
    let mut resource = Value::Object(resource);
    add_schemas(&mut resource, schemas.as_ref());
    Ok(resource)
}

/// The body of a PATCH. Paths with a filter are resolved against what the target showed (`shown`): an element that is there
/// is changed in place, one that is not is added whole, one that is not needs no removal. `None` where nothing is left to
/// do.
pub(super) fn of_patch(changes: &[PathChange], shown: Option<&Attributes>) -> Option<Value> {
    let mut operations = Vec::new();
    let mut added: Vec<AttributePath> = Vec::new();
    for change in changes {
        let element = AttributePath { sub: None, ..change.path.clone() };
        let is_there = shown.is_none_or(|shown| !element.values(shown).is_empty());
        if change.path.filter.is_empty() || is_there {
            operations.push(operation(change));
        } else if change.value().is_some() && !added.contains(&element) {
            operations.push(addition(&element, changes));
            added.push(element);
        }
    }
    (!operations.is_empty()).then(|| json!({"schemas": [PATCH], "Operations": operations}))
}

/// The body of a PATCH without filters: every attribute that a filter reaches into is replaced as a whole.
pub(super) fn of_whole_patch(changes: &[PathChange], shown: &Attributes) -> Option<Value> {
    let mut record = shown.clone();
    let mut operations = Vec::new();
    let mut done: Vec<AttributePath> = Vec::new();
    for change in changes {
        change.path.apply(change.change.kind, change.value(), &mut record);
    }
    for change in changes {
        let whole = change.path.whole();
        if change.path.filter.is_empty() {
            operations.push(operation(change));
        } else if !done.contains(&whole) {
            let elements: Vec<Value> = whole.values(&record).into_iter().cloned().collect();
            operations.push(if elements.is_empty() {
                json!({"op": "remove", "path": whole.to_string()})
            } else {
                json!({"op": "replace", "path": whole.to_string(), "value": elements})
            });
            done.push(whole);
        }
    }
    (!operations.is_empty()).then(|| json!({"schemas": [PATCH], "Operations": operations}))
}

/// One operation: always with a path, one attribute, in lower case (RFC 7644 §3.5.2; other forms are read differently by
/// different targets).
fn operation(change: &PathChange) -> Value {
    let (path, value) = (&change.path, change.value());
    let is_manager = path.urn.is_some() && path.attribute.eq_ignore_ascii_case("manager");
    if is_manager && path.sub.as_deref().is_none_or(|sub| sub.eq_ignore_ascii_case("value")) {
        // The manager is an object; its `value` alone cannot be set everywhere, and the bare text is refused.
        let path = path.whole().to_string();
        return match value {
            Some(value) => json!({"op": "replace", "path": path, "value": manager_object(value)}),
            None => json!({"op": "remove", "path": path}),
        };
    }
    match (change.change.kind, value) {
        (_, None) => json!({"op": "remove", "path": path.to_string()}),
        (ChangeKind::Add, Some(value)) => json!({"op": "add", "path": path.to_string(), "value": value}),
        (ChangeKind::Replace | ChangeKind::Remove, Some(value)) => {
            json!({"op": "replace", "path": path.to_string(), "value": value})
        }
    }
}

/// Adds an element with everything that the changes want in it.
fn addition(element: &AttributePath, changes: &[PathChange]) -> Value {
    let mut record = Attributes::new();
    for change in changes {
        if (AttributePath { sub: None, ..change.path.clone() }) == *element {
            change.path.apply(change.change.kind, change.value(), &mut record);
        }
    }
    let elements: Vec<Value> = element.whole().values(&record).into_iter().cloned().collect();
    json!({"op": "add", "path": element.whole().to_string(), "value": elements})
}

/// The manager is an object (RFC 7643 §4.3), also where a mapping gives its id alone.
fn shape_manager(resource: &mut Attributes) {
    let extension = resource.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(ENTERPRISE_USER));
    if let Some(manager) = extension.and_then(|(_, extension)| extension.as_object_mut()?.get_mut("manager")) {
        *manager = manager_object(manager);
    }
}

fn manager_object(value: &Value) -> Value {
    match value {
        Value::String(id) => json!({"value": id}),
        other => other.clone(),
    }
}

fn add_schemas(resource: &mut Value, given: Option<&Value>) {
    let Value::Object(resource) = resource else { return };
    let mut schemas = vec![CORE_USER.to_owned()];
    let given = given.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let used = resource.keys().filter(|key| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")));
    for urn in used.map(String::as_str).chain(given) {
        if !schemas.iter().any(|known| known.eq_ignore_ascii_case(urn)) {
            schemas.push(urn.to_owned());
        }
    }
    resource.insert("schemas".to_owned(), json!(schemas));
}

fn without_empties(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(Value::String(text)),
        Value::Array(elements) => {
            let left: Vec<Value> = elements.into_iter().filter_map(without_empties).collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        Value::Object(object) => {
            let left: Attributes =
                object.into_iter().filter_map(|(key, value)| Some((key, without_empties(value)?))).collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
        other => Some(other),
    }
}
