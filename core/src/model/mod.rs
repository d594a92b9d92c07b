//! Records: plain data, with the shape in which they are stored and shown.

mod account;
mod alert;
mod app;
mod auth;
mod connection;
mod connector;
mod evidence;
mod hold;
mod matching;
mod membership;
mod metrics;
mod pace;
mod preview;
mod probe;
mod profile;
mod reconciliation;
mod request;
mod schema;
mod shape;
mod target;
mod user;

pub use account::*;
pub use alert::*;
pub use app::*;
pub use auth::*;
pub use connection::*;
pub use connector::*;
pub use evidence::*;
pub use hold::*;
pub use matching::*;
pub use membership::*;
pub use metrics::*;
pub use pace::*;
pub use preview::*;
pub use probe::*;
pub use profile::*;
pub use reconciliation::*;
pub use request::*;
pub use schema::*;
pub use target::*;
pub use user::*;

pub(crate) use shape::read as read_part;

use crate::fault::{Code, Fault};
use serde_json::{Value, json};

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

/// Reads the rules of a mapping as an app has them.
pub(crate) fn read_rules(mapping: &Value) -> Result<Vec<Rule>, Fault> {
    shape::list_for_object(&json!({"mapping": mapping}))?;
    shape::read(mapping, "mapping")
}

impl App {
    /// Reads an app's definition.
    ///
    /// # Errors
    /// `invalid_utf8`, `invalid_json`, `unknown_key`, `missing_id`, `unknown_operation`, `invalid_time` or
    /// `invalid_document`, each with the path of the place.
    pub fn from_json(json: &[u8]) -> Result<Self, Fault> {
        let value = read_json(json)?;
        shape::list_for_object(&value)?;
        shape::read(&value, "").map_err(|fault| shape::in_connector(&value, fault))
    }
}
