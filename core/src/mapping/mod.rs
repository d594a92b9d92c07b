//! The mapping: from a user's record to the attributes of an account, and to the changes that make an account so. What a
//! rule means is told in `core/docs/mapping.md`. A [`Mapping`] that exists is sound: its paths, its expressions and its
//! fit to the target's schema were checked. Rendering reports every fault, not the first, and gives nothing half-mapped.

#[cfg(test)]
mod alike;
mod comparable;
mod compare;
mod cover;
mod direct;
mod document;
mod drift;
mod kept;
mod layout;
mod list;
mod payload;
mod reference;
mod render;
mod review;
mod rule;
mod schema;
pub mod suggest;
mod unique;

pub(crate) use comparable::{Comparable, root};
pub use document::render;
pub use reference::References;
pub use render::{RenderInputs, Rendered, RenderedChange, RuleTrace, SkipReason, Skipped};
pub use review::{missing_required, warnings};
pub(crate) use unique::{MOST_CANDIDATES, UniqueValue, token, varies};

use crate::expression::{Reads, Tables};
use crate::fault::{Code, Fault};
use crate::model::{Apply, ExpressionReport, Rule, SchemaAttribute};
use crate::path::Path;
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
    /// Checks and compiles rules that use no tables; against the target's schema, where it is known.
    ///
    /// # Errors
    /// As for [`Mapping::compile_with`].
    pub fn compile(rules: &[Rule], schema: Option<&[SchemaAttribute]>) -> Result<Self, Vec<Fault>> {
        Self::compile_with(rules, schema, &Tables::default())
    }

    /// Checks and compiles rules and the tables that they use; against the target's schema, where it is known.
    ///
    /// # Errors
    /// Every fault found, each at its place (`mapping[2].target`) and, in expressions and paths, with its position:
    /// `invalid_document` where a rule has not exactly one of `source`, `constant`, `expression`, or falls back on a
    /// default that it does not have; `invalid_path`; `duplicate_target` where two rules write the same attribute at the
    /// same time; `expression_invalid`, `unknown_variable`, `unknown_function`; with a schema also `unknown_attribute`,
    /// `read_only_attribute`, and `type_mismatch` for constants, defaults, and expressions of which the type is known.
    pub fn compile_with(
        rules: &[Rule],
        schema: Option<&[SchemaAttribute]>,
        tables: &Tables,
    ) -> Result<Self, Vec<Fault>> {
        let schema = schema.map(Schema::new);
        let mut faults = Vec::new();
        let mut compiled: Vec<(usize, CompiledRule)> = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            match CompiledRule::new(rule, schema.as_ref(), tables) {
                Ok(rule) => {
                    if compiled.iter().any(|(_, other)| at_once(other, &rule) && other.target.overlaps(&rule.target)) {
                        let message =
                            format!("`{}` is written by another rule already; keep one of the two", rule.target);
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

    /// The targets, in the rules' order.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Path> {
        self.rules.iter().map(|rule| &rule.target)
    }

    /// What the rules' expressions name, read, give and cost, each at its place.
    pub fn expressions(&self) -> impl Iterator<Item = ExpressionReport> {
        self.rules.iter().enumerate().filter_map(|(index, rule)| {
            let report = rule.expression()?.report();
            Some(ExpressionReport { place: format!("mapping[{index}].expression"), ..report })
        })
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
