//! References: a user's id in the record becomes the id of that user's account in the same app.

use super::rule::CompiledRule;
use super::{Mapping, RenderInputs, Rendered, SkipReason};
use crate::fault::{Code, Fault};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The accounts of users in one app: external ids by user id. Who has no account there is not in it.
pub type References = BTreeMap<String, String>;

/// The complex attribute to which the standard gives the manager (RFC 7643 §4.3), for targets that do not tell.
pub(super) const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

impl Mapping {
    /// Whether any rule is a reference.
    pub(crate) fn has_references(&self) -> bool {
        self.rules.iter().any(|rule| rule.reference)
    }

    /// The users to whom the record refers. What cannot be computed is left out; rendering reports it.
    pub(crate) fn referenced(&self, inputs: &RenderInputs<'_>) -> BTreeSet<String> {
        let expression_inputs = inputs.expression_inputs();
        let rules = self.rules.iter().filter(|rule| rule.reference);
        let values = rules.filter_map(|rule| rule.value(&expression_inputs, inputs.creating).ok().flatten());
        values.flat_map(|value| ids(&value).unwrap_or_default()).collect()
    }

    /// Whether nothing could be put for a required reference.
    pub(crate) fn awaits(&self, rendered: &Rendered) -> bool {
        let mut skipped = rendered.skipped.iter().filter(|skipped| skipped.reason == SkipReason::Reference);
        skipped.any(|skipped| self.rules.get(skipped.rule).is_some_and(|rule| rule.required))
    }
}

impl CompiledRule {
    /// The value with external ids in the place of user ids; `None` while one of them is not known.
    ///
    /// # Errors
    /// `type_mismatch` for what is neither a text nor a list of texts.
    pub(super) fn resolved(&self, value: &Value, references: Option<&References>) -> Result<Option<Value>, Fault> {
        let Some(ids) = ids(value) else {
            let message = format!("`{}` refers to users: it takes a user's id, or a list of them", self.target);
            return Err(Fault::new(Code::TypeMismatch, message).at(self.target.as_str()));
        };
        let shape = |id: &String| if self.refers_by_object { json!({"value": id}) } else { json!(id) };
        let found = ids.iter().map(|id| references?.get(id).map(shape));
        let Some(mut found) = found.collect::<Option<Vec<Value>>>() else { return Ok(None) };
        Ok(if value.is_array() { Some(Value::Array(found)) } else { found.pop() })
    }
}

/// The user ids that a value holds; `None` where it is nothing of the kind.
fn ids(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        value => text(value).map(|id| vec![id]),
    }
}
