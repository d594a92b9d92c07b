//! Rendering: the wanted attributes, and what must change.

use super::compare::Comparison;
use super::rule::CompiledRule;
use super::{Mapping, References};
use crate::expression::Inputs;
use crate::fault::{Code, Fault};
use crate::model::{Apply, Change, ChangeKind, Multi, OnNull, Strength};
use crate::path::Path;
use crate::time::Timestamp;
use crate::value::{Attributes, is_empty};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// What a mapping is rendered from.
#[derive(Clone, Copy, Debug)]
pub struct RenderInputs<'a> {
    /// The user's record.
    pub user: &'a Attributes,
    /// The account's attributes as the target shows them, where they are known.
    pub current: Option<&'a Attributes>,
    /// The attributes as this mapping rendered them last.
    pub last: Option<&'a Attributes>,
    /// The app's id.
    pub app_id: &'a str,
    /// The app's label.
    pub app_label: &'a str,
    /// How many candidates for a unique value were refused.
    pub iteration: u32,
    /// The same as text to append.
    pub token: &'a str,
    /// The accounts of the users to whom the record may refer; `None` where accounts are not known.
    pub references: Option<&'a References>,
    /// The time.
    pub now: Timestamp,
    /// Whether the account is being created; nothing is changed then, everything is set.
    pub creating: bool,
}

impl<'a> RenderInputs<'a> {
    /// What creating an account for a user takes.
    pub fn create(user: &'a Attributes, now: Timestamp) -> Self {
        Self {
            user,
            current: None,
            last: None,
            app_id: "",
            app_label: "",
            iteration: 0,
            token: "",
            references: None,
            now,
            creating: true,
        }
    }

    pub(super) fn expression_inputs(&self) -> Inputs<'a> {
        Inputs {
            user: self.user,
            current: self.current,
            app_id: self.app_id,
            app_label: self.app_label,
            iteration: self.iteration,
            token: self.token,
            now: self.now,
        }
    }
}

/// A rendered mapping. Written as JSON it has the keys `attributes`, `changes` and `skipped`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rendered {
    /// The wanted resource, nested as SCIM has it.
    pub attributes: Attributes,
    /// What must change at the target; nothing while the account is created.
    pub changes: Vec<RenderedChange>,
    /// The rules that did nothing.
    pub skipped: Vec<Skipped>,
}

impl Rendered {
    /// The changes as connectors take them.
    pub fn target_changes(&self) -> Vec<Change> {
        self.changes.iter().map(RenderedChange::change).collect()
    }
}

/// A change, and the rule it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RenderedChange {
    /// What is done.
    #[serde(rename = "op")]
    pub kind: ChangeKind,
    /// The attribute path.
    pub path: String,
    /// The value; `None` for a removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The rule's place in the mapping, from 0.
    pub rule: usize,
}

impl RenderedChange {
    /// The change alone.
    pub fn change(&self) -> Change {
        Change { kind: self.kind, path: self.path.clone(), value: self.value.clone() }
    }
}

/// A rule that did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its place in the mapping, from 0.
    pub rule: usize,
    /// Its target.
    #[serde(skip)]
    pub target: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a rule did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It has no value.
    Missing,
    /// It is used on create alone, or on update alone.
    Apply,
    /// It is weak, and the target has a value, or nobody knows.
    Weak,
    /// It keeps what the target has, and the target has something, or nobody knows.
    Keep,
    /// A user to whom it refers has no account in the app yet, or accounts are not known.
    Reference,
}

impl SkipReason {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Apply => "apply",
            Self::Weak => "weak",
            Self::Keep => "keep",
            Self::Reference => "reference",
        }
    }
}

/// What one rule did, for a preview.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleTrace {
    /// Its place in the mapping, from 0.
    pub rule: usize,
    /// Its target.
    pub target: String,
    /// `source`, `constant` or `expression`.
    pub kind: &'static str,
    /// What it reads of the user, by name.
    pub inputs: Attributes,
    /// What else it reads, by name: `current.title`, `app.id`, `iteration`, `token`, `now`.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub variables: Attributes,
    /// What it gives, its default included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Why it does nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What it changes at the target, as [`Rendered::changes`] has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RenderedChange>,
    /// Whether values must not be shown; `inputs`, `variables` and `value` are empty then.
    pub sensitive: bool,
}

/// What a rule comes to.
enum Outcome<'a> {
    Set(Cow<'a, Value>),
    Clear,
    Skip(SkipReason),
}

impl Mapping {
    /// Computes the wanted attributes and what must change.
    ///
    /// # Errors
    /// Every fault, each at its target attribute: `missing_required`, `expression_failed`, `type_mismatch`.
    pub fn render(&self, inputs: &RenderInputs<'_>) -> Result<Rendered, Vec<Fault>> {
        let expression_inputs = inputs.expression_inputs();
        let mut rendering = Rendering {
            inputs,
            comparison: self.comparison(),
            rendered: Rendered::default(),
            new_elements: Vec::new(),
        };
        let mut faults = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            match self.outcome(rule, inputs, &expression_inputs) {
                Ok(Outcome::Set(value)) => rendering.set(index, rule, value),
                Ok(Outcome::Clear) => rendering.clear(index, rule),
                Ok(Outcome::Skip(reason)) => {
                    let target = rule.target.as_str().to_owned();
                    rendering.rendered.skipped.push(Skipped { rule: index, target, reason });
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(rendering.rendered) } else { Err(faults) }
    }

    /// What each rule reads and gives, faulty ones included. Values of sensitive rules are left out.
    pub fn trace(&self, inputs: &RenderInputs<'_>) -> Vec<RuleTrace> {
        let expression_inputs = inputs.expression_inputs();
        let mut current = inputs.current.cloned().unwrap_or_default();
        self.cover(&mut current);
        let shown = Inputs { current: Some(&current), ..expression_inputs };
        let mut changes = self.render(inputs).map(|rendered| rendered.changes).unwrap_or_default();
        changes.iter_mut().for_each(|change| self.cover_rendered(change));
        let traces = self.rules.iter().enumerate().map(|(index, rule)| {
            let mut trace = RuleTrace {
                rule: index,
                target: rule.target.as_str().to_owned(),
                kind: rule.origin.name(),
                inputs: if rule.sensitive { Attributes::new() } else { rule.inputs(inputs.user) },
                variables: if rule.sensitive { Attributes::new() } else { rule.variables(&shown) },
                value: None,
                skipped: None,
                fault: None,
                changes: changes.iter().filter(|change| change.rule == index).cloned().collect(),
                sensitive: rule.sensitive,
            };
            match self.outcome(rule, inputs, &expression_inputs) {
                Ok(Outcome::Set(value)) => trace.value = (!rule.sensitive).then(|| value.into_owned()),
                Ok(Outcome::Clear) => {}
                Ok(Outcome::Skip(reason)) => trace.skipped = Some(reason),
                Err(fault) => trace.fault = Some(fault),
            }
            trace
        });
        traces.collect()
    }

    fn comparison(&self) -> Comparison<'_> {
        Comparison { schema: self.schema.as_ref() }
    }

    fn outcome<'a>(
        &'a self,
        rule: &'a CompiledRule,
        inputs: &RenderInputs<'a>,
        expression_inputs: &Inputs<'a>,
    ) -> Result<Outcome<'a>, Fault> {
        match (rule.apply, inputs.creating) {
            (Apply::Create, false) | (Apply::Update, true) => return Ok(Outcome::Skip(SkipReason::Apply)),
            _ => {}
        }
        // An empty list or object is sent as nothing, which does not do where something is required.
        let value = rule.value(expression_inputs, inputs.creating)?;
        let outcome = match value.filter(|value| !(rule.required && is_empty(value))) {
            Some(value) => {
                let value = match rule.reference {
                    true => match rule.resolved(&value, inputs.references)? {
                        Some(value) => Cow::Owned(value),
                        None => return Ok(Outcome::Skip(SkipReason::Reference)),
                    },
                    false => value,
                };
                if let Some(fault) = rule.check_value(&value, self.schema.as_ref()) {
                    return Err(fault.at(rule.target.as_str()));
                }
                Outcome::Set(value)
            }
            None if rule.required => {
                let message = format!("`{}` is required and has no value", rule.target);
                return Err(Fault::new(Code::MissingRequired, message).at(rule.target.as_str()));
            }
            None if rule.on_null == OnNull::Clear && !inputs.creating => Outcome::Clear,
            None => return Ok(Outcome::Skip(SkipReason::Missing)),
        };
        if !inputs.creating && (rule.strength == Strength::Weak || rule.multi == Multi::Keep) {
            // Of a target that nobody has seen, a value must be supposed: a weak rule never overwrites or takes away one.
            let attribute = rule.target.attribute();
            let is_free = |known| self.comparison().same(&attribute, rule.target.get(known), None);
            if !inputs.current.is_some_and(is_free) {
                let reason = if rule.strength == Strength::Weak { SkipReason::Weak } else { SkipReason::Keep };
                return Ok(Outcome::Skip(reason));
            }
        }
        Ok(outcome)
    }
}

struct Rendering<'a> {
    inputs: &'a RenderInputs<'a>,
    comparison: Comparison<'a>,
    rendered: Rendered,
    /// Elements that the target does not have yet: the change that adds it, and what it holds so far.
    new_elements: Vec<(usize, Attributes)>,
}

impl Rendering<'_> {
    fn set(&mut self, index: usize, rule: &CompiledRule, wanted: Cow<'_, Value>) {
        let known = self.inputs.current.or(self.inputs.last).filter(|_| !self.inputs.creating);
        if rule.multi == Multi::Merge {
            return self.merge(index, rule, wanted.into_owned(), known);
        }
        let changes = !self.inputs.creating
            && self.differs(rule, |comparison, attribute, there| comparison.same(attribute, there, Some(&wanted)));
        let wanted = wanted.into_owned();
        if changes {
            match known {
                _ if is_empty(&wanted) => self.change(index, ChangeKind::Remove, rule.target.as_str(), None),
                Some(known) if lacks_element(&rule.target, known) => self.add_element(index, &rule.target, &wanted),
                _ => self.change(index, ChangeKind::Replace, rule.target.as_str(), Some(wanted.clone())),
            }
        }
        // No element is made to hold nothing.
        if !(is_empty(&wanted) && rule.target.list().is_some()) {
            rule.target.put(&mut self.rendered.attributes, wanted);
        }
    }

    fn clear(&mut self, index: usize, rule: &CompiledRule) {
        if self.differs(rule, |comparison, attribute, there| comparison.same(attribute, there, None)) {
            self.change(index, ChangeKind::Remove, rule.target.as_str(), None);
        }
    }

    /// Adds to the list what it does not have.
    fn merge(&mut self, index: usize, rule: &CompiledRule, wanted: Value, known: Option<&Attributes>) {
        let attribute = rule.target.attribute();
        let wanted = as_list(wanted);
        let comparison = self.comparison;
        let contains = |there: Option<&Value>| {
            let union = comparison.union(&attribute, &there.cloned().map(as_list).unwrap_or_default(), &wanted);
            union.added.is_empty() && !union.changed
        };
        let changes = !self.inputs.creating && self.differs(rule, |_, _, there| contains(there));
        let there = known.and_then(|known| rule.target.get(known)).cloned().map(as_list).unwrap_or_default();
        let union = comparison.union(&attribute, &there, &wanted);
        if changes {
            // Adding alone leaves alone what others add meanwhile; where an element changes, the list is put in place.
            let (kind, value) = match union.changed {
                true => (ChangeKind::Replace, union.all.clone()),
                false => (ChangeKind::Add, union.added.clone()),
            };
            self.change(index, kind, rule.target.as_str(), Some(Value::Array(value)));
        }
        rule.target.put(&mut self.rendered.attributes, Value::Array(union.all));
    }

    /// Whether the rule has something to change: a normal one where what it wants is not what it wanted last, and any
    /// only where the target does not have it already.
    fn differs(&self, rule: &CompiledRule, is_met: impl Fn(Comparison<'_>, &str, Option<&Value>) -> bool) -> bool {
        let attribute = rule.target.attribute();
        let met = |known: &Attributes| is_met(self.comparison, &attribute, rule.target.get(known));
        if rule.strength == Strength::Normal && self.inputs.last.is_some_and(met) {
            return false;
        }
        !self.inputs.current.or(self.inputs.last).is_some_and(met)
    }

    fn change(&mut self, rule: usize, kind: ChangeKind, path: &str, value: Option<Value>) {
        self.rendered.changes.push(RenderedChange { kind, path: path.to_owned(), value, rule });
    }

    /// An element that a filter means cannot be replaced while there is none (RFC 7644 §3.5.2.3): it is added to its
    /// list, with what other rules put into it.
    fn add_element(&mut self, index: usize, target: &Path, wanted: &Value) {
        let (Some(list), Some(element)) = (target.list(), target.element()) else { return };
        let mut is_there = false;
        for (change, holder) in self.new_elements.iter_mut().filter(|(_, holder)| element.get(holder).is_some()) {
            target.put(holder, wanted.clone());
            if let Some(change) = self.rendered.changes.get_mut(*change) {
                change.value = list.get(holder).cloned();
            }
            is_there = true;
        }
        if is_there {
            return;
        }
        let mut holder = Attributes::new();
        target.put(&mut holder, wanted.clone());
        let change = self.rendered.changes.len();
        self.change(index, ChangeKind::Add, list.as_str(), list.get(&holder).cloned());
        self.new_elements.push((change, holder));
    }
}

fn lacks_element(target: &Path, known: &Attributes) -> bool {
    target.element().is_some_and(|element| element.get(known).is_none())
}

fn as_list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        value if is_empty(&value) => Vec::new(),
        value => vec![value],
    }
}
