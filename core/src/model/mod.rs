//! Records: plain data, with the shape in which they are stored and shown.

mod account;
mod app;
mod evidence;
mod preview;
mod request;
mod target;
mod user;

pub use account::*;
pub use app::*;
pub use evidence::*;
pub use preview::*;
pub use request::*;
pub use target::*;
pub use user::*;

use crate::fault::{Code, Fault};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a document of type `T`, with the place of what is wrong in the fault.
pub(crate) fn read_document<T: DeserializeOwned>(json: &[u8]) -> Result<T, Fault> {
    let value = read_json(json)?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        shape_fault(error.inner(), &path)
    })
}

/// Reads any JSON value.
pub(crate) fn read_json(json: &[u8]) -> Result<Value, Fault> {
    let text = std::str::from_utf8(json).map_err(|error| {
        Fault::new(Code::InvalidUtf8, format!("the text is not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Fault::new(Code::InvalidJson, format!("the text is not JSON at line {line}, column {column}"))
    })
}

/// Turns serde's complaint into ours. Its texts are taken over only where they name keys; where they may quote a value,
/// the place alone is told.
fn shape_fault(error: &serde_json::Error, path: &str) -> Fault {
    let text = error.to_string();
    let place = if path == "." { "the document".to_owned() } else { format!("`{path}`") };
    let named = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.split('`').next().map(str::to_owned));
    let fault = if let Some(key) = named("unknown field `") {
        let path = path.strip_suffix(&format!(".{key}")).unwrap_or(path);
        let place = if path == "." || path == key { "the document".to_owned() } else { format!("`{path}`") };
        Fault::new(Code::UnknownKey, format!("{place} has an unknown key `{key}`"))
    } else if let Some(key) = named("missing field `") {
        let code = if key == "id" && path == "." { Code::MissingId } else { Code::InvalidDocument };
        Fault::new(code, format!("{place} has no `{key}`"))
    } else if let Some(name) = named("unknown operation `") {
        Fault::new(Code::UnknownOperation, format!("{place} names an unknown operation `{name}`"))
    } else if path.contains("operations") {
        Fault::new(Code::UnknownOperation, format!("{place} names an unknown operation"))
    } else if text.contains("ISO 8601") || text.contains("RFC 3339") {
        Fault::new(Code::InvalidTime, format!("{place}: {text}"))
    } else {
        Fault::new(Code::InvalidDocument, format!("{place} does not have the shape it must have"))
    };
    if path == "." { fault } else { fault.at(path) }
}

impl App {
    /// Reads an app's definition.
    ///
    /// # Errors
    /// `invalid_utf8`, `invalid_json`, `unknown_key`, `missing_id`, `unknown_operation`, `invalid_time` or
    /// `invalid_document`, each with the path of the place.
    pub fn from_json(json: &[u8]) -> Result<Self, Fault> {
        read_document(json)
    }
}
