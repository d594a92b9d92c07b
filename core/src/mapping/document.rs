//! Rendering without an engine: a mapping as JSON in, a result as JSON out, the same in every language.

use super::{Mapping, RenderInputs};
use crate::fault::{Code, Fault};
use crate::model::Rule;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde_json::Value;

/// Compiles a mapping, a list of rules as an app has it, and renders it. Without `current` and `last`, the account is
/// being created. Gives `{attributes, changes: [{op, path, value, rule}], skipped: [{rule, reason}]}`.
///
/// ```
/// use serde_json::json;
/// let mapping = json!([{"target": "userName", "source": "username", "required": true}]);
/// let user = json!({"username": "ada"});
/// let rendered = rollkeeper::mapping::render(&mapping, user.as_object().unwrap(), None, None, Default::default());
/// assert_eq!(rendered.unwrap(), json!({"attributes": {"userName": "ada"}, "changes": [], "skipped": []}));
/// ```
///
/// # Errors
/// Every fault: `invalid_document` and `unknown_key` where the rules have not the shape they must have, and what
/// [`Mapping::compile`] and [`Mapping::render`] report.
pub fn render(
    mapping: &Value,
    user: &Attributes,
    current: Option<&Attributes>,
    last: Option<&Attributes>,
    now: Timestamp,
) -> Result<Value, Vec<Fault>> {
    let mapping = Mapping::compile(&rules(mapping).map_err(|fault| vec![fault])?, None)?;
    let creating = current.is_none() && last.is_none();
    let inputs = RenderInputs { current, last, creating, ..RenderInputs::create(user, now) };
    let rendered = mapping.render(&inputs)?;
    serde_json::to_value(rendered)
        .map_err(|_| vec![Fault::new(Code::Internal, "the rendered mapping cannot be written as JSON")])
}

pub(super) fn rules(mapping: &Value) -> Result<Vec<Rule>, Fault> {
    serde_path_to_error::deserialize(mapping).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { "mapping".to_owned() } else { format!("mapping{path}") };
        // Other messages show the value that was found, and a constant may be a secret.
        let message = error.inner().to_string();
        let fault = if message.starts_with("unknown field") {
            Fault::new(Code::UnknownKey, message)
        } else if message.starts_with("missing field") || message.starts_with("unknown variant") {
            Fault::new(Code::InvalidDocument, message)
        } else {
            Fault::new(Code::InvalidDocument, "the value has not the type that it must have")
        };
        fault.at(place)
    })
}
