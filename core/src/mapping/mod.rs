//! The mapping: from a user's record to the attributes of an account, and to the changes that make an account so. What a
//! rule means is told in `core/docs/mapping.md`. A [`Mapping`] that exists is sound: its paths, its expressions and its
//! fit to the target's schema were checked. Rendering reports every fault, not the first, and gives nothing half-mapped.

#[cfg(test)]
mod alike;
mod compare;
mod direct;
mod document;
mod layout;
mod payload;
mod render;
mod rule;
mod schema;

pub use document::render;
pub use render::{RenderInputs, Rendered, RenderedChange, RuleTrace, SkipReason, Skipped};

use crate::expression::Reads;
use crate::fault::{Code, Fault};
use crate::model::{Apply, Rule, SchemaAttribute};
use direct::Direct;
use rule::CompiledRule;
use schema::Schema;

/// A compiled mapping.
#[derive(Debug)]
pub struct Mapping {
    rules: Vec<CompiledRule>,
    schema: Option<Schema>,
    reads: Reads,
    /// The direct way to a new account's JSON, where there is one.
    direct: Option<Direct>,
}

impl Mapping {
    /// Checks and compiles rules; against the target's schema, where it is known.
    ///
    /// # Errors
    /// Every fault found, each at its place (`mapping[2].target`) and, in expressions and paths, with its position:
    /// `invalid_document` where a rule has not exactly one of `source`, `constant`, `expression`, or falls back on a
    /// default that it does not have; `invalid_path`; `duplicate_target` where two rules write the same attribute at the
    /// same time; `expression_invalid`, `unknown_variable`, `unknown_function`; with a schema also `unknown_attribute`,
    /// `read_only_attribute`, and `type_mismatch` for constants and defaults.
    pub fn compile(rules: &[Rule], schema: Option<&[SchemaAttribute]>) -> Result<Self, Vec<Fault>> {
        let schema = schema.map(Schema::new);
        let mut faults = Vec::new();
        let mut compiled: Vec<(usize, CompiledRule)> = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            match CompiledRule::new(rule, schema.as_ref()) {
                Ok(rule) => {
                    if compiled.iter().any(|(_, other)| at_once(other, &rule) && other.target.overlaps(&rule.target)) {
                        let message = format!("`{}` is written by another rule already", rule.target);
                        faults.push(Fault::new(Code::DuplicateTarget, message).at(format!("mapping[{index}].target")));
                    }
                    compiled.push((index, rule));
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| {
                    let place = match &fault.attribute {
                        Some(key) => format!("mapping[{index}].{key}"),
                        None => format!("mapping[{index}]"),
                    };
                    fault.at(place)
                })),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let rules: Vec<CompiledRule> = compiled.into_iter().map(|(_, rule)| rule).collect();
        let reads = rules.iter().fold(Reads::none(), |reads, rule| reads.and(&rule.reads()));
        let direct = if schema.is_none() { Direct::new(&rules, &reads) } else { None };
        Ok(Self { rules, schema, reads, direct })
    }

    /// The user attributes that the rules read.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The targets whose values are kept out of logs, plans and reports.
    pub fn sensitive(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter(|rule| rule.sensitive).map(|rule| rule.target.as_str())
    }

    /// The targets for which the account's target must be asked for a free value.
    pub fn unique(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter(|rule| rule.unique).map(|rule| rule.target.as_str())
    }
}

/// Whether both rules are ever used in the same rendering.
fn at_once(left: &CompiledRule, right: &CompiledRule) -> bool {
    !matches!((left.apply, right.apply), (Apply::Create, Apply::Update) | (Apply::Update, Apply::Create))
}
