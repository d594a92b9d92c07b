//! One rule, compiled: where its value comes from and what it falls back on.

use super::reference::MANAGER;
use super::schema::Schema;
use crate::expression::{Expression, Inputs, Reads, Tables, Variable};
use crate::fault::{Code, Fault};
use crate::model::{Apply, Blank, DefaultWhen, Multi, OnNull, Rule, Strength};
use crate::path::{Path, primaries};
use crate::value::{Attributes, at_path, has_empty_part, is_empty, without_empty_parts};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct CompiledRule {
    pub(super) target: Path,
    pub(super) origin: Origin,
    pub(super) required: bool,
    default: Option<(Value, DefaultWhen)>,
    pub(super) on_null: OnNull,
    pub(super) blank: Blank,
    pub(super) apply: Apply,
    pub(super) strength: Strength,
    pub(super) multi: Multi,
    pub(super) unique: bool,
    /// Its values are ids of users, for which those of their accounts are put.
    pub(super) reference: bool,
    /// They are put as `{"value": id}`.
    pub(super) refers_by_object: bool,
    pub(super) sensitive: bool,
}

/// Where a value comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// A key of the user, or a dotted path below it.
    Source(String),
    /// An element of a list of the user.
    Element(Path),
    Constant(Value),
    Expression(Expression),
}

impl Origin {
    /// The key of the rule that says so.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Source(_) | Self::Element(_) => "source",
            Self::Constant(_) => "constant",
            Self::Expression(_) => "expression",
        }
    }
}

impl CompiledRule {
    /// Compiles a rule. Faults have the rule's key as their place.
    pub(super) fn new(rule: &Rule, schema: Option<&Schema>, tables: &Tables) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let target = Path::parse(&rule.target).map_err(|fault| faults.push(fault.at("target"))).ok();
        let reference = rule.reference.unwrap_or(rule.source.as_deref() == Some("manager"));
        let origin = origin(rule, tables).map_err(|found| faults.extend(found)).ok();
        if rule.on_null == OnNull::Default && rule.default.is_none() {
            let message = "`on_null` is `default`, but the rule has no default; add one";
            faults.push(Fault::new(Code::InvalidDocument, message).at("on_null"));
        }
        if let Some(target) = &target {
            faults.extend(schema.and_then(|schema| schema.check_target(target)).map(|fault| fault.at("target")));
            let default = rule.default.as_ref().map(|default| &default.value);
            // What a reference is given are users' ids; what it gives is checked when it is rendered.
            for (key, value) in [("constant", rule.constant.as_ref()), ("default", default)] {
                let value = value
                    .filter(|value| !value.is_null() && !reference)
                    .map(|value| wanted(Cow::Borrowed(value), rule.multi));
                let mismatch = value.and_then(|value| check_value(target, &value, schema));
                faults.extend(mismatch.map(|fault| fault.at(key)));
            }
            if target.repeats_its_filter() {
                let message = format!("the filter of `{target}` says already what the attribute is");
                faults.push(Fault::new(Code::InvalidPath, message).at("target"));
            }
            if rule.multi == Multi::Merge && target.list().is_some() {
                let message = format!("`merge` joins lists, and `{target}` is in one element of a list; leave `multi` out");
                faults.push(Fault::new(Code::InvalidDocument, message).at("multi"));
            }
            // What joins a list may be a single value.
            if let (Some(Origin::Expression(expression)), Some(schema), true) =
                (&origin, schema, rule.multi != Multi::Merge && !reference)
            {
                faults.extend(schema.check_expression(target, expression).map(|fault| fault.at("expression")));
            }
        }
        let (Some(target), Some(origin), true) = (target, origin, faults.is_empty()) else { return Err(faults) };
        let known = schema.and_then(|schema| schema.find(&target.attribute()));
        let refers_by_object = match known {
            Some(known) => known.kind == "complex",
            None => target.attribute().eq_ignore_ascii_case(MANAGER),
        };
        Ok(Self {
            target,
            origin,
            required: rule.required,
            default: rule.default.as_ref().map(|default| (default.value.clone(), default.when)),
            on_null: rule.on_null,
            blank: rule.blank,
            apply: rule.apply,
            strength: rule.strength,
            multi: rule.multi,
            unique: rule.unique,
            reference,
            refers_by_object,
            sensitive: rule.sensitive,
        })
    }

    /// The rule's expression, where it has one.
    pub(super) fn expression(&self) -> Option<&Expression> {
        match &self.origin {
            Origin::Expression(expression) => Some(expression),
            _ => None,
        }
    }

    /// The user attributes that the rule reads.
    pub(super) fn reads(&self) -> Reads {
        let one = |path: String| Reads::Paths(BTreeSet::from([path]));
        match &self.origin {
            Origin::Source(path) => one(path.clone()),
            Origin::Element(path) => path.list().map_or(Reads::All, |list| one(list.attribute())),
            Origin::Constant(_) => Reads::none(),
            Origin::Expression(expression) => expression.reads().clone(),
        }
    }

    /// The rule's value, its default where it has none; `None` where there is neither. Parts that say nothing are
    /// left out; a rule that merges has a list.
    ///
    /// # Errors
    /// `expression_failed` at the target.
    pub(super) fn value<'a>(&'a self, inputs: &Inputs<'a>, creating: bool) -> Result<Option<Cow<'a, Value>>, Fault> {
        let value = self.origin_value(inputs)?.filter(|value| match value.as_ref() {
            Value::Null => false,
            Value::String(text) => self.blank == Blank::Value || !text.is_empty(),
            _ => true,
        });
        let value = value.or_else(|| self.default(creating).map(Cow::Borrowed));
        Ok(value.map(|value| wanted(value, self.multi)))
    }

    /// What is wrong with writing this value.
    pub(super) fn check_value(&self, value: &Value, schema: Option<&Schema>) -> Option<Fault> {
        check_value(&self.target, value, schema)
    }

    fn origin_value<'a>(&'a self, inputs: &Inputs<'a>) -> Result<Option<Cow<'a, Value>>, Fault> {
        Ok(match &self.origin {
            Origin::Source(path) => at_path(inputs.user, path).map(Cow::Borrowed),
            Origin::Element(path) => path.get(inputs.user).map(Cow::Borrowed),
            Origin::Constant(value) => Some(Cow::Borrowed(value)),
            Origin::Expression(expression) => {
                expression.evaluate(inputs).map_err(|fault| fault.at(self.target.as_str()))?.map(Cow::Owned)
            }
        })
    }

    /// The default, where it is used. `on_null: default` asks for it on update too, whatever `when` says.
    pub(super) fn default(&self, creating: bool) -> Option<&Value> {
        let (value, when) = self.default.as_ref()?;
        let used = creating || *when == DefaultWhen::Always || self.on_null == OnNull::Default;
        (used && !value.is_null()).then_some(value)
    }

    /// The names of what the rule reads, with their values, for a preview.
    pub(super) fn inputs(&self, user: &Attributes) -> Attributes {
        let paths = match self.reads() {
            Reads::All => return user.clone(),
            Reads::Paths(paths) => paths,
        };
        paths.into_iter().map(|path| (path.clone(), at_path(user, &path).cloned().unwrap_or(Value::Null))).collect()
    }

    /// What else the rule reads, by name (`current.title`, `app.id`, `iteration`), with the values, for a preview.
    pub(super) fn variables(&self, inputs: &Inputs<'_>) -> Attributes {
        let mut read = Attributes::new();
        let Origin::Expression(expression) = &self.origin else { return read };
        for variable in Variable::ALL.into_iter().filter(|variable| *variable != Variable::User) {
            let value = inputs.value_of(variable);
            match (expression.reads_of(variable), &value) {
                (Reads::All, _) => drop(read.insert(variable.name().to_owned(), value)),
                (Reads::Paths(paths), Value::Object(members)) => {
                    let at = |path: String| {
                        let value = at_path(members, &path).cloned().unwrap_or(Value::Null);
                        (format!("{}.{path}", variable.name()), value)
                    };
                    read.extend(paths.into_iter().map(at));
                }
                (Reads::Paths(_), _) => {}
            }
        }
        read
    }
}

/// A value as it is written: without parts that say nothing, and as a list where it joins one.
fn wanted(value: Cow<'_, Value>, multi: Multi) -> Cow<'_, Value> {
    let value = if has_empty_part(&value) { Cow::Owned(without_empty_parts(&value)) } else { value };
    match multi {
        Multi::Merge if is_empty(&value) => Cow::Owned(Value::Array(Vec::new())),
        Multi::Merge if !value.is_array() => Cow::Owned(Value::Array(vec![value.into_owned()])),
        _ => value,
    }
}

/// What is wrong with writing this value at this target.
fn check_value(target: &Path, value: &Value, schema: Option<&Schema>) -> Option<Fault> {
    if let Some(fault) = schema.and_then(|schema| schema.check_value(target, value)) {
        return Some(fault);
    }
    let wrong = |message: String| Some(Fault::new(Code::TypeMismatch, message));
    if !target.agrees_with(value) {
        return wrong(format!("`{target}` takes only what its own filter says"));
    }
    if value.as_array().is_some_and(|items| primaries(items).into_iter().filter(|primary| *primary).count() > 1) {
        return wrong(format!("`{target}` takes one primary element, not several"));
    }
    None
}

fn origin(rule: &Rule, tables: &Tables) -> Result<Origin, Vec<Fault>> {
    match (&rule.source, &rule.constant, &rule.expression) {
        (Some(source), None, None) => source_of(source).map_err(|fault| vec![fault.at("source")]),
        (None, Some(value), None) => Ok(Origin::Constant(value.clone())),
        (None, None, Some(text)) => Expression::compile_with(text, &Variable::ALL, tables)
            .map(Origin::Expression)
            .map_err(|faults| faults.into_iter().map(|fault| fault.at("expression")).collect()),
        _ => Err(vec![Fault::new(
            Code::InvalidDocument,
            "a rule must have exactly one of `source`, `constant` and `expression`",
        )]),
    }
}

fn source_of(source: &str) -> Result<Origin, Fault> {
    if source.contains('[') {
        return Path::parse(source).map(Origin::Element);
    }
    let sound =
        source.split('.').all(|step| !step.is_empty() && step.trim() == step && !step.contains(char::is_control));
    if sound {
        Ok(Origin::Source(source.to_owned()))
    } else {
        Err(Fault::new(Code::InvalidPath, "the source must be names joined by dots, such as `name.givenName`"))
    }
}
