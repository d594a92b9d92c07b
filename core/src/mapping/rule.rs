//! One rule, compiled: where its value comes from and what it falls back on.

use super::schema::Schema;
use crate::expression::{Expression, Inputs, Reads, Variable};
use crate::fault::{Code, Fault};
use crate::model::{Apply, Blank, DefaultWhen, Multi, OnNull, Rule, Strength};
use crate::path::Path;
use crate::value::{Attributes, at_path};
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
    pub(super) fn new(rule: &Rule, schema: Option<&Schema>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let target = Path::parse(&rule.target).map_err(|fault| faults.push(fault.at("target"))).ok();
        let origin = origin(rule).map_err(|found| faults.extend(found)).ok();
        if rule.on_null == OnNull::Default && rule.default.is_none() {
            let message = "`on_null` is `default`, but the rule has no default";
            faults.push(Fault::new(Code::InvalidDocument, message).at("on_null"));
        }
        if let (Some(target), Some(schema)) = (&target, schema) {
            faults.extend(schema.check_target(target).map(|fault| fault.at("target")));
            let default = rule.default.as_ref().map(|default| &default.value);
            for (key, value) in [("constant", rule.constant.as_ref()), ("default", default)] {
                let mismatch = value.and_then(|value| schema.check_value(target, value));
                faults.extend(mismatch.map(|fault| fault.at(key)));
            }
        }
        let (Some(target), Some(origin), true) = (target, origin, faults.is_empty()) else { return Err(faults) };
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
            sensitive: rule.sensitive,
        })
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

    /// The rule's value, its default where it has none; `None` where there is neither.
    ///
    /// # Errors
    /// `expression_failed` at the target.
    pub(super) fn value<'a>(&'a self, inputs: &Inputs<'a>, creating: bool) -> Result<Option<Cow<'a, Value>>, Fault> {
        let value = self.origin_value(inputs)?.filter(|value| match value.as_ref() {
            Value::Null => false,
            Value::String(text) => self.blank == Blank::Value || !text.is_empty(),
            _ => true,
        });
        Ok(value.or_else(|| self.default(creating).map(Cow::Borrowed)))
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
}

fn origin(rule: &Rule) -> Result<Origin, Vec<Fault>> {
    match (&rule.source, &rule.constant, &rule.expression) {
        (Some(source), None, None) => source_of(source).map_err(|fault| vec![fault.at("source")]),
        (None, Some(value), None) => Ok(Origin::Constant(value.clone())),
        (None, None, Some(text)) => Expression::compile(text, &Variable::ALL)
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
