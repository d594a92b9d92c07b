//! Rendering without an engine: a mapping as JSON in, a result as JSON out, the same in every language.

use super::{Mapping, RenderInputs};
use crate::fault::{Code, Fault};
pub(super) use crate::model::read_rules as rules;
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
