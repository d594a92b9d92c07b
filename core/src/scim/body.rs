//! What is sent: the resource of a create, the operations of a PATCH, the whole resource of a PUT.

use super::schema::{CORE_USER, ENTERPRISE_USER};
use crate::connector::{Change, ChangeKind};
use crate::fault::Fault;
use crate::path::{Path, member};
use crate::value::{Attributes, fold_case};
use serde_json::{Value, json};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

/// A change with its path read, in the form in which it is sent.
#[derive(Clone, Debug)]
pub(super) struct PathChange {
    pub(super) path: Path,
    pub(super) kind: ChangeKind,
    /// What is set; `None` where the change removes.
    pub(super) value: Option<Value>,
}

impl PathChange {
    /// Reads the changes; a path that is none is the fault, and its place.
    pub(super) fn read_all(changes: &[Change]) -> Result<Vec<Self>, Fault> {
        changes.iter().map(|change| Self::read(change).map_err(|fault| fault.at(&change.path))).collect()
    }

    fn read(change: &Change) -> Result<Self, Fault> {
        let path = Path::parse(&change.path)?;
        // A list without elements and `null` cannot be set everywhere; they are removals.
        let is_none = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let value = change.value.clone().filter(|value| change.kind != ChangeKind::Remove && !is_none(value));
        let attribute = path.attribute();
        let is_manager = |end: &str| attribute.strip_suffix(end).is_some_and(|path| path.eq_ignore_ascii_case(MANAGER));
        if is_manager("") || is_manager(".value") {
            // The manager is an object; its `value` alone cannot be set everywhere, and the bare text is refused. What
            // else is known of the old one (`displayName`, `$ref`) does not hold of the new.
            let value = value.as_ref().map(manager_object);
            let kind = if value.is_some() { ChangeKind::Replace } else { ChangeKind::Remove };
            return Ok(Self { path: Path::parse(MANAGER)?, kind, value });
        }
        let kind = if value.is_some() { change.kind } else { ChangeKind::Remove };
        let value = value.map(|value| path.completed(without_nulls(value)));
        Ok(Self { path, kind, value })
    }

    pub(super) fn is_active(&self) -> bool {
        self.path.is("active")
    }

    /// Whether an account shows the change, as far as can be told: of a whole list or object, and of what no target shows,
    /// nothing can.
    pub(super) fn is_shown_by(&self, account: &Attributes) -> bool {
        let shown = self.path.get(account);
        match (&self.value, shown) {
            _ if self.path.is("password") => true,
            (None, None) => true,
            (None, Some(shown)) => is_nothing(shown),
            (Some(Value::String(sent)), Some(Value::String(shown))) => {
                fold_case(sent.trim()) == fold_case(shown.trim())
            }
            (Some(Value::String(_) | Value::Bool(_) | Value::Number(_)), shown) => shown == self.value.as_ref(),
            (Some(_), shown) => shown.is_some(),
        }
    }

    /// The change as a target takes it for which a text is taken away by an empty one, or not.
    pub(super) fn as_sent(&self, clears_with_empty: bool) -> Self {
        self.with_empty().filter(|_| clears_with_empty).unwrap_or_else(|| self.clone())
    }

    /// The change that puts an empty text in the place of one that does not go away.
    pub(super) fn with_empty(&self) -> Option<Self> {
        let is_text = self.value.is_none() && self.path.element().is_none() && self.path.list().is_none();
        is_text.then(|| Self { kind: ChangeKind::Replace, value: Some(Value::from("")), ..self.clone() })
    }

    pub(super) fn apply(&self, resource: &mut Attributes) {
        self.kind.apply(&self.path, self.value.as_ref(), resource);
    }

    /// One operation: always with a path, one attribute, in lower case (RFC 7644 §3.5.2; other forms are read differently
    /// by different targets).
    fn operation(&self) -> Value {
        operation(self.kind, &self.path, self.value.as_ref())
    }
}

/// The resource of a create: without nulls, empty texts and lists, `id` and `meta`, with the schemas that it uses. It is
/// active unless the mapping says otherwise: a target that is not told shows the account as neither.
pub(super) fn of_create(attributes: &Attributes) -> Value {
    let mut resource = attributes.clone();
    for own in ["id", "meta", "schemas", "groups"] {
        resource.retain(|key, _| !key.eq_ignore_ascii_case(own));
    }
    if member(&resource, "active").is_none() {
        resource.insert("active".to_owned(), Value::Bool(true));
    }
    shape_manager(&mut resource);
    let mut resource = without_empties(Value::Object(resource)).unwrap_or_else(|| json!({}));
    add_schemas(&mut resource, member(attributes, "schemas"));
    resource
}

/// The resource of a PUT: what the target showed, with the changes carried out.
pub(super) fn of_put(shown: Attributes, changes: &[PathChange]) -> Value {
    let mut resource = shown;
    changes.iter().for_each(|change| change.apply(&mut resource));
    let schemas = resource.remove("schemas");
    resource.remove("meta");
    resource.remove("groups");
    shape_manager(&mut resource);
    let mut resource = Value::Object(resource);
    add_schemas(&mut resource, schemas.as_ref());
    resource
}

/// The changes as they are sent, each part in a PATCH of its own: `active` goes alone, so that nothing else can keep a user
/// from being locked out.
pub(super) fn parts(changes: &[PathChange]) -> Vec<Vec<PathChange>> {
    let (active, rest): (Vec<_>, Vec<_>) = changes.iter().cloned().partition(PathChange::is_active);
    let disables = active.iter().any(|change| change.value == Some(Value::Bool(false)));
    let parts = if disables { [active, rest] } else { [rest, active] };
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// The body of the PATCH of one part; by whole lists where the target is known not to take paths with a filter.
pub(super) fn of_part(changes: &[PathChange], shown: Option<&Attributes>, filter_paths: bool) -> Option<Value> {
    match shown {
        Some(shown) if !filter_paths => of_whole_patch(changes, shown),
        _ => of_patch(changes, shown.cloned().unwrap_or_default()),
    }
}

/// The body of a PATCH. Paths with a filter are resolved against what the target showed (`shown`): an element that is there
/// is changed in place, one that is not is added whole, one that is not needs no removal. `None` where nothing is left to
/// do.
pub(super) fn of_patch(changes: &[PathChange], shown: Attributes) -> Option<Value> {
    let mut record = shown;
    let mut operations = Vec::new();
    let mut added: Vec<Path> = Vec::new();
    for change in changes {
        let Some(element) = change.path.element() else {
            operations.push(change.operation());
            change.apply(&mut record);
            continue;
        };
        let was_there = element.get(&record).is_some();
        change.apply(&mut record);
        if added.iter().any(|known| known.overlaps(&element)) {
            continue;
        }
        if !was_there {
            if change.value.is_some() {
                operations.push(addition(&element, changes));
                added.push(element);
            }
        } else if element.get(&record).is_none() {
            // Nothing that counts would be left of the element.
            operations.push(operation(ChangeKind::Remove, &element, None));
        } else {
            operations.push(change.operation());
        }
    }
    patch(operations)
}

/// The body of a PATCH without filters: every list that a filter reaches into is replaced as a whole.
pub(super) fn of_whole_patch(changes: &[PathChange], shown: &Attributes) -> Option<Value> {
    let mut record = shown.clone();
    changes.iter().for_each(|change| change.apply(&mut record));
    let mut lists: Vec<(Path, bool)> = changes.iter().filter_map(|change| Some((change.path.list()?, false))).collect();
    let mut operations = Vec::new();
    for change in changes {
        // Of several changes of one list, others than by filter among them, the outcome is sent, once.
        let Some((list, is_sent)) = lists.iter_mut().find(|(list, _)| list.overlaps(&change.path)) else {
            operations.push(change.operation());
            continue;
        };
        if !std::mem::replace(is_sent, true) {
            let elements = list.get(&record);
            let kind = if elements.is_some() { ChangeKind::Replace } else { ChangeKind::Remove };
            operations.push(operation(kind, list, elements));
        }
    }
    patch(operations)
}

fn patch(operations: Vec<Value>) -> Option<Value> {
    (!operations.is_empty()).then(|| json!({"schemas": [PATCH], "Operations": operations}))
}

fn operation(kind: ChangeKind, path: &Path, value: Option<&Value>) -> Value {
    match value {
        Some(value) => json!({"op": kind, "path": path.as_str(), "value": value}),
        None => json!({"op": kind, "path": path.as_str()}),
    }
}

/// Adds an element with everything that the changes want in it.
fn addition(element: &Path, changes: &[PathChange]) -> Value {
    let mut record = Attributes::new();
    let is_in = |change: &&PathChange| change.path.element().is_some_and(|other| other.overlaps(element));
    changes.iter().filter(is_in).for_each(|change| change.apply(&mut record));
    let list = element.list().unwrap_or_else(|| element.clone());
    operation(ChangeKind::Add, &list, list.get(&record))
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

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The value without members that are null: they are the same as none (RFC 7643 §2.5), and some targets refuse them.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Array(elements) => elements.into_iter().map(without_nulls).collect(),
        Value::Object(members) => {
            let set = members.into_iter().filter(|(_, value)| !value.is_null());
            set.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        other => other,
    }
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
