//! How an account differs from what is wanted, three ways: last applied, wanted, actual.

use super::compare::Comparison;
use super::render::{RenderInputs, Rendered};
use super::rule::CompiledRule;
use super::{Mapping, token};
use crate::fault::Fault;
use crate::model::{Drift, DriftVerdict};
use crate::value::{Attributes, is_empty};
use serde_json::Value;
use std::collections::BTreeSet;

/// How many candidates for a unique value are tried to see which one an account was given.
const MOST_TRIED: u32 = 20;

impl Mapping {
    /// The attributes in which what the target shows (`current`) is not what the mapping wants, and those that converged:
    /// the target has what is wanted, and it is not what was applied last (`last`). A rule counts as if it were new, so that
    /// a normal one does not pass over what the target changed by itself. Values of sensitive rules are left out. Passwords
    /// are not compared, since no target shows them.
    ///
    /// # Errors
    /// As [`Mapping::render`].
    pub(crate) fn drift(&self, inputs: &RenderInputs<'_>) -> Result<Vec<Drift>, Vec<Fault>> {
        let actual = inputs.current.cloned().unwrap_or_default();
        let rendered =
            self.wanted_of(&RenderInputs { current: Some(&actual), last: None, creating: false, ..*inputs })?;
        let changed: BTreeSet<usize> = rendered.changes.iter().map(|change| change.rule).collect();
        let skipped: BTreeSet<usize> = rendered.skipped.iter().map(|skipped| skipped.rule).collect();
        let comparison = Comparison { schema: self.schema.as_ref() };
        let mut drift = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.target.is("password") || skipped.contains(&index) {
                continue;
            }
            let attribute = rule.target.attribute();
            let values = Values {
                last: value_of(rule, inputs.last),
                wanted: value_of(rule, Some(&rendered.attributes)),
                actual: value_of(rule, Some(&actual)),
            };
            let same = |left: Option<&Value>, right: Option<&Value>| comparison.same(&attribute, left, right);
            // One change adds a whole element, and stands there for the first of the rules that write into it.
            let is_added = || rule.target.list().is_some() && !same(values.actual, values.wanted);
            let verdict = match changed.contains(&index) || is_added() {
                true => values.verdict(inputs.last.is_some(), comparison, &attribute),
                false if inputs.last.is_some() && !same(values.last, values.actual) => DriftVerdict::InStep,
                false => continue,
            };
            let shown = |value: Option<&Value>| value.filter(|_| !self.is_sensitive(rule.target.as_str())).cloned();
            drift.push(Drift {
                attribute: rule.target.as_str().to_owned(),
                last: shown(values.last),
                wanted: shown(values.wanted),
                actual: shown(values.actual),
                verdict,
            });
        }
        Ok(drift)
    }

    /// What an Update renders. An account keeps the unique values that it has as long as they are those of a candidate.
    fn wanted_of(&self, inputs: &RenderInputs<'_>) -> Result<Rendered, Vec<Fault>> {
        let first = self.render(inputs)?;
        let (true, Some(actual)) = (self.has_unique(), inputs.current) else { return Ok(first) };
        let has = |rendered: &Rendered| {
            let unique = self.unique_values(&rendered.attributes);
            unique.iter().all(|value| value.is_held_by(actual))
        };
        if has(&first) {
            return Ok(first);
        }
        let mut before = self.unique_values(&first.attributes);
        for iteration in (0..MOST_TRIED).filter(|iteration| *iteration != inputs.iteration) {
            let rendered = self.render(&RenderInputs { iteration, token: &token(iteration), ..*inputs })?;
            if has(&rendered) {
                return Ok(rendered);
            }
            let unique = self.unique_values(&rendered.attributes);
            if unique == before {
                break;
            }
            before = unique;
        }
        Ok(first)
    }
}

/// The three values of an attribute.
struct Values<'v> {
    last: Option<&'v Value>,
    wanted: Option<&'v Value>,
    actual: Option<&'v Value>,
}

impl Values<'_> {
    fn verdict(&self, was_applied: bool, comparison: Comparison<'_>, attribute: &str) -> DriftVerdict {
        let same = |left: Option<&Value>, right: Option<&Value>| comparison.same(attribute, left, right);
        if !was_applied || same(self.last, self.actual) {
            DriftVerdict::Ours
        } else if same(self.last, self.wanted) {
            DriftVerdict::Theirs
        } else if self.last.is_none() {
            // A rule that is new: nothing was ever applied there.
            DriftVerdict::Ours
        } else {
            DriftVerdict::Both
        }
    }
}

fn value_of<'v>(rule: &CompiledRule, attributes: Option<&'v Attributes>) -> Option<&'v Value> {
    rule.target.get(attributes?).filter(|value| !is_empty(value))
}
