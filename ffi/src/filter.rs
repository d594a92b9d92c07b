//! Filters: which requests, accounts, users or log entries a list asks for, as a JSON object.

use engine::model::{AccountStatus, LinkState, State, WaitingFor};
use engine::{Code, Fault, Operation};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a filter; nothing means everything.
pub(crate) fn read_filter<T: DeserializeOwned + Default>(json: Option<&[u8]>) -> Result<T, Fault> {
    let Some(json) = json else { return Ok(T::default()) };
    let value: Value = serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Fault::new(Code::InvalidJson, format!("the filter is not JSON at line {line}, column {column}"))
    })?;
    if !value.is_object() {
        return Err(Fault::new(Code::InvalidDocument, "the filter must be a JSON object"));
    }
    check_names(&value)?;
    T::deserialize(value).map_err(|error| {
        // serde's text is taken over only where it names a key; elsewhere it may quote a value.
        let text = error.to_string();
        match text.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
            Some(key) => Fault::new(Code::UnknownKey, format!("the filter has an unknown key `{key}`")).at(key),
            None => Fault::new(Code::InvalidDocument, "the filter does not have the shape it must have"),
        }
    })
}

/// Names that do not exist have codes of their own.
fn check_names(filter: &Value) -> Result<(), Fault> {
    let unknown = |key: &str, code: Code, known: fn(&str) -> bool| match filter.get(key).and_then(Value::as_str) {
        Some(name) if !known(name) => {
            Err(Fault::new(code, format!("`{key}` names something that does not exist")).at(key))
        }
        _ => Ok(()),
    };
    unknown("state", Code::UnknownState, |name| State::from_name(name).is_some())?;
    unknown("operation", Code::UnknownOperation, |name| Operation::from_name(name).is_some())?;
    unknown("waiting_for", Code::InvalidArgument, |name| WaitingFor::from_name(name).is_some())?;
    unknown("status", Code::InvalidArgument, |name| AccountStatus::from_name(name).is_some())?;
    unknown("link_state", Code::InvalidArgument, |name| LinkState::from_name(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::model::RequestFilter;

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
}
