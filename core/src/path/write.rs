//! Writing at a path, as RFC 7644 §3.5.2 has it: what stands on the way is made, and what a removal leaves empty goes too.

use super::{Path, Step, is_multi_valued, member, part, same_name};
use crate::value::{Attributes, is_empty};
use serde_json::Value;

/// What becomes of the value that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Replace,
    Join,
}

impl Path {
    /// Puts a value in the place of what is there. Makes the objects and list elements on the way. Of a list without a
    /// filter, the first element is meant.
    pub fn put(&self, attributes: &mut Attributes, value: Value) {
        self.write(attributes, Mode::Replace, value);
    }

    /// Joins a value with what is there: a list gets the elements that it does not have, an object its members. Anything
    /// else is replaced.
    pub fn add(&self, attributes: &mut Attributes, value: Value) {
        self.write(attributes, Mode::Join, value);
    }

    /// Takes away what is there. Objects, lists and extensions that are empty afterwards go too, and so do elements that
    /// lost their `value` or have nothing left but what the filter says of them.
    pub fn remove(&self, attributes: &mut Attributes) {
        let Some(schema) = &self.schema else { return remove(attributes, &self.steps) };
        let Some(extension) = member_mut(attributes, schema).and_then(Value::as_object_mut) else { return };
        remove(extension, &self.steps);
        if extension.is_empty() {
            take(attributes, schema);
        }
    }

    fn write(&self, attributes: &mut Attributes, mode: Mode, value: Value) {
        if let (None, Some((first, below))) = (&self.schema, self.steps.split_first())
            && is_multi_valued(&first.name)
            && (mode == Mode::Join || !below.is_empty())
        {
            list_in(slot(attributes, &first.name));
        }
        match &self.schema {
            Some(schema) => write(object_in(slot(attributes, schema)), &self.steps, mode, value),
            None => write(attributes, &self.steps, mode, value),
        }
    }
}

/// Puts the members of `value` into an element; a bare value stands for the member `value`.
pub(crate) fn merge(element: &mut Attributes, value: Value) {
    match value {
        Value::Object(members) => members.into_iter().for_each(|(name, value)| *slot(element, &name) = value),
        bare => *slot(element, "value") = bare,
    }
}

fn write(object: &mut Attributes, steps: &[Step], mode: Mode, value: Value) {
    let Some((step, below)) = steps.split_first() else { return };
    let slot = slot(object, &step.name);
    if step.filter.is_empty() && below.is_empty() {
        return set(slot, mode, value);
    }
    if step.filter.is_empty() && !slot.is_array() {
        return write(object_in(slot), below, mode, value);
    }
    let elements = list_in(slot);
    let mut primary = primaries(elements);
    if !elements.iter().any(|element| step.selects(element)) {
        elements.push(Value::Object(step.template()));
    }
    let selected: Vec<bool> = elements.iter().map(|element| step.selects(element)).collect();
    let most = if step.filter.is_empty() { 1 } else { elements.len() };
    for element in elements.iter_mut().filter(|element| step.selects(element)).take(most) {
        if !element.is_object() {
            let mut members = Attributes::new();
            merge(&mut members, element.take());
            *element = Value::Object(members);
        }
        let members = object_in(element);
        if !below.is_empty() {
            write(members, below, mode, value.clone());
            continue;
        }
        if mode == Mode::Replace {
            *members = step.template();
        }
        merge(members, value.clone());
    }
    // Of several elements that a rule makes primary, the first is it, also where another of them was.
    primary.resize(elements.len(), false);
    if primaries(elements).iter().zip(&primary).any(|(is, was)| *is && !was) {
        primary.iter_mut().zip(selected).for_each(|(was, selected)| *was &= !selected);
    }
    keep_one_primary(elements, &primary);
}

fn set(there: &mut Value, mode: Mode, value: Value) {
    match (mode, there, value) {
        (Mode::Join, Value::Object(there), value @ Value::Object(_)) => merge(there, value),
        // What stands alone is the first element of the list that it becomes.
        (Mode::Join, alone, value @ Value::Array(_)) if !alone.is_array() => {
            list_in(alone);
            set(alone, mode, value);
        }
        (Mode::Join, Value::Array(elements), value) => {
            let primary = primaries(elements);
            let more = if let Value::Array(more) = value { more } else { vec![value] };
            for element in more {
                if !elements.contains(&element) {
                    elements.push(element);
                }
            }
            keep_one_primary(elements, &primary);
        }
        (_, there, value) => *there = value,
    }
}

/// Which elements are primary.
pub(crate) fn primaries(elements: &[Value]) -> Vec<bool> {
    elements.iter().map(|element| part(element, "primary") == Some(&Value::Bool(true))).collect()
}

/// Where an element has become primary, those that were are so no longer (RFC 7644 §3.5.2). Of several that have become
/// so at once, the first stays it.
pub(crate) fn keep_one_primary(elements: &mut [Value], before: &[bool]) {
    let now = primaries(elements);
    let was = |index: usize| before.get(index).copied().unwrap_or_default();
    let is_new = |(index, primary): (usize, &bool)| *primary && !was(index);
    let Some(first) = now.iter().enumerate().position(is_new) else { return };
    let others = elements.iter_mut().enumerate().zip(now).filter(|((index, _), primary)| *primary && *index != first);
    for ((_, element), _) in others {
        *slot(object_in(element), "primary") = Value::Bool(false);
    }
}

fn remove(object: &mut Attributes, steps: &[Step]) {
    let Some((step, below)) = steps.split_first() else { return };
    let whole = step.filter.is_empty() && below.is_empty();
    let gone = match member_mut(object, &step.name) {
        Some(Value::Array(elements)) if !whole => {
            elements.retain_mut(|element| !(step.selects(element) && empties(element, step, below)));
            elements.is_empty()
        }
        Some(single) => whole || step.selects(single) && empties(single, step, below),
        None => false,
    };
    if gone {
        take(object, &step.name);
    }
}

/// Removes what lies below an element or object. Gives whether nothing that counts is left of it.
fn empties(element: &mut Value, step: &Step, below: &[Step]) -> bool {
    let Some((next, _)) = below.split_first() else { return true };
    let is_value = same_name(&next.name, "value");
    let Some(members) = element.as_object_mut() else { return is_value };
    let had = member(members, &next.name).is_some();
    remove(members, below);
    let lost_value = had && is_value && member(members, "value").is_none();
    let is_named = |name: &String| step.filter.iter().any(|(known, _)| same_name(known, name));
    lost_value || had && members.keys().all(is_named)
}

/// The name under which a member stands.
fn spelling(object: &Attributes, name: &str) -> Option<String> {
    if object.contains_key(name) {
        return Some(name.to_owned());
    }
    object.keys().find(|key| same_name(key, name)).cloned()
}

/// The member of that name, in any letter case, to be changed.
pub(crate) fn member_mut<'a>(object: &'a mut Attributes, name: &str) -> Option<&'a mut Value> {
    let name = spelling(object, name)?;
    object.get_mut(&name)
}

fn take(object: &mut Attributes, name: &str) {
    if let Some(name) = spelling(object, name) {
        object.remove(&name);
    }
}

/// The place of a member, in whatever letter case it is there already.
fn slot<'a>(object: &'a mut Attributes, name: &str) -> &'a mut Value {
    let name = spelling(object, name).unwrap_or_else(|| name.to_owned());
    object.entry(name).or_insert(Value::Null)
}

fn object_in(place: &mut Value) -> &mut Attributes {
    if !place.is_object() {
        *place = Value::Object(Attributes::new());
    }
    match place {
        Value::Object(object) => object,
        // INVARIANT: it was made an object above.
        _ => object_in(place),
    }
}

/// The list in a place; what stands there alone becomes its one element.
fn list_in(place: &mut Value) -> &mut Vec<Value> {
    if !place.is_array() {
        let alone = Some(place.take()).filter(|alone| !is_empty(alone));
        *place = Value::Array(alone.into_iter().collect());
    }
    match place {
        Value::Array(elements) => elements,
        // INVARIANT: it was made a list above.
        _ => list_in(place),
    }
}
