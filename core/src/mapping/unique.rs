//! Unique values: which values of a rendered account nobody else may have, and how two of them are told apart.

use super::Mapping;
use crate::expression::{Expression, Variable};
use crate::model::Rule;
use crate::path::Path;
use crate::value::{Attributes, fold_case};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

/// How many candidates there are at the most.
pub(crate) const MOST_CANDIDATES: u32 = 1000;

/// A value that nobody else may have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UniqueValue {
    /// The attribute, as queries name it: `userName`, `emails.value`.
    pub(crate) attribute: String,
    /// The value.
    pub(crate) value: Value,
    /// The form in which two values are the same: Unicode form C, and without letter case unless it matters.
    pub(crate) normalized: String,
    path: Path,
    case_exact: bool,
}

impl UniqueValue {
    /// Whether an account has it, by what the target shows of the account.
    pub(crate) fn is_held_by(&self, account: &Attributes) -> bool {
        let held = self.path.values(account).into_iter().filter_map(|value| normalized(value, self.case_exact));
        held.into_iter().any(|held| held == self.normalized)
    }
}

impl Mapping {
    /// Whether any rule has unique values.
    pub(crate) fn has_unique(&self) -> bool {
        self.rules.iter().any(|rule| rule.unique)
    }

    /// The unique values among what was rendered.
    pub(crate) fn unique_values(&self, attributes: &Attributes) -> Vec<UniqueValue> {
        let mut found: Vec<UniqueValue> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.unique) {
            let path = rule.target.unfiltered();
            let known = self.schema.as_ref().and_then(|schema| schema.find(path.as_str()));
            let case_exact = known.is_some_and(|known| known.case_exact);
            for value in rule.target.values(attributes) {
                let value = value.get("value").unwrap_or(value);
                let Some(normalized) = normalized(value, case_exact) else { continue };
                let (attribute, path) = (path.attribute(), path.clone());
                if found.iter().all(|known| known.attribute != attribute || known.normalized != normalized) {
                    found.push(UniqueValue { attribute, value: value.clone(), normalized, path, case_exact });
                }
            }
        }
        found
    }
}

/// The text appended to a candidate: nothing to the first, `2` to the second.
pub(crate) fn token(iteration: u32) -> String {
    if iteration == 0 { String::new() } else { (iteration + 1).to_string() }
}

/// Whether the candidates of a rule differ: its expression reads `iteration` or `token`.
pub(crate) fn varies(rule: &Rule) -> bool {
    let fixed: Vec<Variable> =
        Variable::ALL.into_iter().filter(|one| !matches!(one, Variable::Iteration | Variable::Token)).collect();
    rule.expression.as_ref().is_some_and(|text| Expression::compile(text, &fixed).is_err())
}

fn normalized(value: &Value, case_exact: bool) -> Option<String> {
    match value {
        Value::Object(object) => object.get("value").and_then(|value| normalized(value, case_exact)),
        Value::String(text) if text.is_empty() => None,
        Value::String(text) if case_exact => Some(text.nfc().collect()),
        Value::String(text) => Some(fold_case(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}
