//! Filters: which requests, accounts, users, log entries or items a list asks for, as a JSON object; and other small
//! documents that are read in the same way.

use engine::model::{AccountStatus, ItemState, LinkState, Reaction, ReconciliationKind, Situation, State, WaitingFor};
use engine::{Code, Fault, Operation};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A key whose value is a name: with which code one that does not exist is refused, and whether there is one.
pub(crate) type Name = (&'static str, Code, fn(&str) -> bool);

/// The names in every filter but those of plans.
const NAMES: &[Name] = &[
    ("state", Code::UnknownState, |name| State::from_name(name).is_some()),
    ("operation", Code::UnknownOperation, |name| Operation::from_name(name).is_some()),
    ("waiting_for", Code::InvalidArgument, |name| WaitingFor::from_name(name).is_some()),
    ("status", Code::InvalidArgument, |name| AccountStatus::from_name(name).is_some()),
    ("link_state", Code::InvalidArgument, |name| LinkState::from_name(name).is_some()),
    ("kind", Code::InvalidArgument, |name| ReconciliationKind::from_name(name).is_some()),
];

/// The names in filters of plans.
pub(crate) const PLAN_NAMES: &[Name] = &[
    ("situation", Code::InvalidArgument, |name| Situation::from_name(name).is_some()),
    ("reaction", Code::InvalidArgument, |name| Reaction::from_name(name).is_some()),
    ("state", Code::InvalidArgument, |name| ItemState::from_name(name).is_some()),
];

/// The names in what is decided about an item.
pub(crate) const REVIEW_NAMES: &[Name] =
    &[("reaction", Code::InvalidArgument, |name| Reaction::choice(name).is_some())];

/// Reads a filter; nothing means everything.
pub(crate) fn read_filter<T: DeserializeOwned + Default>(json: Option<&[u8]>) -> Result<T, Fault> {
    read_named(json, NAMES)
}

/// Reads a filter with other names; nothing means everything.
pub(crate) fn read_named<T: DeserializeOwned + Default>(json: Option<&[u8]>, names: &[Name]) -> Result<T, Fault> {
    json.map_or_else(|| Ok(T::default()), |json| read_document(json, "filter", names))
}

/// Reads a small document, called `what` in faults.
pub(crate) fn read_document<T: DeserializeOwned>(json: &[u8], what: &str, names: &[Name]) -> Result<T, Fault> {
    let value: Value = serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Fault::new(Code::InvalidJson, format!("the {what} is not JSON at line {line}, column {column}"))
    })?;
    if !value.is_object() {
        return Err(Fault::new(Code::InvalidDocument, format!("the {what} must be a JSON object")));
    }
    // Names that do not exist have codes of their own.
    for (key, code, known) in names {
        if value.get(key).and_then(Value::as_str).is_some_and(|name| !known(name)) {
            return Err(Fault::new(*code, format!("`{key}` names something that does not exist")).at(*key));
        }
    }
    T::deserialize(value).map_err(|error| {
        // serde's text is taken over only where it names a key; elsewhere it may quote a value.
        let text = error.to_string();
        match text.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
            Some(key) => Fault::new(Code::UnknownKey, format!("the {what} has an unknown key `{key}`")).at(key),
            None => Fault::new(Code::InvalidDocument, format!("the {what} does not have the shape it must have")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::model::{PlanFilter, RequestFilter};

    fn code_of(json: &str) -> Option<Code> {
        read_filter::<RequestFilter>(Some(json.as_bytes())).err().map(|fault| fault.code)
    }

    #[test]
    fn each_way_to_be_wrong_has_its_code() {
        assert_eq!(code_of(r#"{"state": "New", "limit": 3}"#), None);
        assert_eq!(code_of(r#"{"state": "#), Some(Code::InvalidJson));
        assert_eq!(code_of(r#"{"stat": "New"}"#), Some(Code::UnknownKey));
        assert_eq!(code_of(r#"{"state": "Fresh"}"#), Some(Code::UnknownState));
        assert_eq!(code_of(r#"{"operation": "Copy"}"#), Some(Code::UnknownOperation));
        assert_eq!(code_of(r#"{"waiting_for": "rain"}"#), Some(Code::InvalidArgument));
        assert_eq!(code_of(r#"{"limit": "three"}"#), Some(Code::InvalidDocument));
        assert_eq!(code_of("[]"), Some(Code::InvalidDocument));
    }

    #[test]
    fn the_states_of_items_are_not_those_of_requests() {
        let code_of =
            |json: &str| read_named::<PlanFilter>(Some(json.as_bytes()), PLAN_NAMES).err().map(|fault| fault.code);
        assert_eq!(code_of(r#"{"state": "held", "situation": "orphaned", "reaction": "review"}"#), None);
        for wrong in [r#"{"state": "New"}"#, r#"{"situation": "lost"}"#, r#"{"reaction": "shout"}"#] {
            assert_eq!(code_of(wrong), Some(Code::InvalidArgument), "{wrong}");
        }
    }

    #[test]
    fn what_undoing_alone_does_is_shown_and_not_decided() {
        let code_of = |names, json: &str| {
            read_document::<Value>(json.as_bytes(), "decision", names).err().map(|fault| fault.code)
        };
        assert_eq!(code_of(REVIEW_NAMES, r#"{"reaction": "ignore"}"#), None);
        for only_undone in ["activate", "freeze", "unfreeze", "attend"] {
            let decision = format!(r#"{{"reaction": "{only_undone}"}}"#);
            assert_eq!(code_of(REVIEW_NAMES, &decision), Some(Code::InvalidArgument), "{only_undone}");
            assert_eq!(code_of(PLAN_NAMES, &decision), None, "{only_undone}");
        }
    }
}
