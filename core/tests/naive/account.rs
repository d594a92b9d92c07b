//! Reading and writing attributes of an account.

use super::Object;
use super::values::same_text;
use serde_json::{Value, json};

/// `schema:name[filter].sub`.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) schema: Option<&'static str>,
    pub(crate) name: String,
    pub(crate) filter: Vec<(&'static str, Value)>,
    pub(crate) sub: Option<&'static str>,
}

impl Target {
    pub(crate) fn plain(name: &str) -> Self {
        Self { schema: None, name: name.to_owned(), filter: Vec::new(), sub: None }
    }

    pub(crate) fn element(name: &str, filter: &[(&'static str, Value)], sub: Option<&'static str>) -> Self {
        Self { filter: filter.to_vec(), sub, ..Self::plain(name) }
    }

    pub(crate) fn text(&self) -> String {
        let schema = self.schema.map_or(String::new(), |schema| format!("{schema}:"));
        let terms: Vec<String> = self.filter.iter().map(|(name, value)| format!("{name} eq {value}")).collect();
        let filter = if terms.is_empty() { String::new() } else { format!("[{}]", terms.join(" and ")) };
        let sub = self.sub.map_or(String::new(), |sub| format!(".{sub}"));
        format!("{schema}{}{filter}{sub}", self.name)
    }

    /// The text without filters.
    pub(crate) fn attribute(&self) -> String {
        Self { filter: Vec::new(), ..self.clone() }.text()
    }

    pub(crate) fn whole_list(&self) -> Self {
        Self { filter: Vec::new(), sub: None, ..self.clone() }
    }

    pub(crate) fn list_text(&self) -> String {
        self.whole_list().text()
    }

    /// Whether the value says something else of the element than the filter.
    pub(crate) fn contradicts(&self, value: &Value) -> bool {
        let differs = |name: &str, said: &Value| part(value, name).is_some_and(|value| !alike(value, said));
        self.sub.is_none() && self.filter.iter().any(|(name, said)| differs(name, said))
    }

    fn selects(&self, element: &Value) -> bool {
        self.filter.iter().all(|(name, said)| match part(element, name) {
            Some(value) => alike(value, said),
            None => *said == json!(false),
        })
    }
}

/// The key as the object spells it.
pub(crate) fn spelled(object: &Object, name: &str) -> String {
    let same =
        object.keys().find(|key| *key == name).or_else(|| object.keys().find(|key| key.eq_ignore_ascii_case(name)));
    same.cloned().unwrap_or_else(|| name.to_owned())
}

pub(crate) fn part<'a>(element: &'a Value, name: &str) -> Option<&'a Value> {
    match element {
        Value::Object(object) => object.get(&spelled(object, name)),
        Value::Null | Value::Array(_) => None,
        bare => name.eq_ignore_ascii_case("value").then_some(bare),
    }
}

fn alike(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => same_text(left, right, false),
        _ => left == right,
    }
}

fn container<'a>(target: &Target, account: &'a Object) -> Option<&'a Object> {
    match target.schema {
        None => Some(account),
        Some(schema) => account.get(&spelled(account, schema))?.as_object(),
    }
}

fn as_elements(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        single => vec![single.clone()],
    }
}

/// The elements that the target's filter means.
pub(crate) fn elements(target: &Target, account: &Object) -> Vec<Value> {
    let list = container(target, account).and_then(|object| object.get(&spelled(object, &target.name)));
    let all = list.map(as_elements).unwrap_or_default();
    all.into_iter().filter(|element| target.selects(element)).collect()
}

/// What is there; null where nothing is. Of several elements, the first that has a value.
pub(crate) fn get(target: &Target, account: &Object) -> Value {
    let Some(object) = container(target, account) else { return Value::Null };
    let whole = object.get(&spelled(object, &target.name)).cloned().unwrap_or(Value::Null);
    if target.filter.is_empty() && target.sub.is_none() {
        return whole;
    }
    let candidates = if target.filter.is_empty() { vec![whole] } else { elements(target, account) };
    let values = candidates.iter().filter_map(|element| match target.sub {
        Some(sub) => part(element, sub).cloned(),
        None => Some(element.clone()),
    });
    values.into_iter().find(|value| !value.is_null()).unwrap_or(Value::Null)
}

/// Writes a value: into every element that the filter means, or into a new one.
pub(crate) fn put(target: &Target, account: &mut Object, value: Value) {
    if let Some(schema) = target.schema {
        let key = spelled(account, schema);
        let mut extension = account.get(&key).and_then(Value::as_object).cloned().unwrap_or_default();
        put(&Target { schema: None, ..target.clone() }, &mut extension, value);
        account.insert(key, Value::Object(extension));
        return;
    }
    let key = spelled(account, &target.name);
    let there = account.get(&key).cloned().unwrap_or(Value::Null);
    let written = match (target.filter.is_empty(), target.sub) {
        (true, None) => value,
        (true, Some(sub)) => with_member(there, sub, value),
        (false, _) => Value::Array(put_in_elements(target, as_elements(&there), &value)),
    };
    account.insert(key, written);
}

fn with_member(object: Value, name: &str, value: Value) -> Value {
    let mut object = match object {
        Value::Object(object) => object,
        _ => Object::new(),
    };
    let key = spelled(&object, name);
    object.insert(key, value);
    Value::Object(object)
}

fn put_in_elements(target: &Target, mut elements: Vec<Value>, value: &Value) -> Vec<Value> {
    let mut before: Vec<bool> = elements.iter().map(is_primary).collect();
    let said: Object = target.filter.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    if !elements.iter().any(|element| target.selects(element)) {
        elements.push(Value::Object(said.clone()));
    }
    before.resize(elements.len(), false);
    let meant: Vec<bool> = elements.iter().map(|element| target.selects(element)).collect();
    for element in elements.iter_mut().filter(|element| target.selects(element)) {
        let whole = if element.is_object() { element.take() } else { json!({"value": element.take()}) };
        *element = match (target.sub, value) {
            (Some(sub), value) => with_member(whole, sub, value.clone()),
            (None, Value::Object(members)) => {
                let start = Value::Object(said.clone());
                members.iter().fold(start, |element, (name, value)| with_member(element, name, value.clone()))
            }
            (None, bare) => with_member(Value::Object(said.clone()), "value", bare.clone()),
        };
    }
    // Of the elements that are meant, the first is it.
    if elements.iter().zip(&before).any(|(element, was)| is_primary(element) && !was) {
        before = before.iter().zip(&meant).map(|(was, meant)| *was && !meant).collect();
    }
    one_primary(elements, &before)
}

pub(crate) fn is_primary(element: &Value) -> bool {
    part(element, "primary") == Some(&json!(true))
}

/// The first element that has become primary is the only one.
pub(crate) fn one_primary(elements: Vec<Value>, before: &[bool]) -> Vec<Value> {
    let new = |index: usize, element: &Value| is_primary(element) && !before.get(index).copied().unwrap_or(false);
    let Some(first) = elements.iter().enumerate().position(|(index, element)| new(index, element)) else {
        return elements;
    };
    let demoted = elements.into_iter().enumerate().map(|(index, element)| {
        if index != first && is_primary(&element) { with_member(element, "primary", json!(false)) } else { element }
    });
    demoted.collect()
}
