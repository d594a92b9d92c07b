//! The direct way from a user's JSON to the JSON of a new account: the members that the rules read are taken from the text
//! in one pass, and what the rules make of them is written where it belongs. No record is built in between.
//!
//! It is for the ordinary case. Where a mapping does not fit, there is no direct way; where a record does not fit or
//! anything is wrong with it, this says so and [`Mapping::render`](super::Mapping::render) decides. So every fault comes
//! from there, and both ways give the same.

use super::layout::{Member, Place, layout};
use super::rule::{CompiledRule, Origin};
use crate::expression::{Inputs, Reads, Variable};
use crate::model::{Apply, Blank, Multi};
use crate::time::Timestamp;
use crate::value::{
    Attributes, Field, Keys, Record, canonical, has_empty_part, is_empty, write, write_plain, write_text,
};
use serde_json::Value;
use std::borrow::Cow;

/// A mapping that fits.
#[derive(Debug)]
pub(super) struct Direct {
    keys: Keys,
    rules: Vec<DirectRule>,
    account: Vec<Member>,
}

/// A rule, as far as creating an account needs it.
#[derive(Debug)]
struct DirectRule {
    origin: DirectOrigin,
    /// The default as JSON.
    default: Option<String>,
}

#[derive(Debug)]
enum DirectOrigin {
    /// A field of the record, and the names that lead on from there.
    Field(usize, Vec<String>),
    /// A constant as JSON; `None` for one that counts as missing.
    Constant(Option<String>),
    /// The expression of the mapping's rule.
    Expression,
    /// The rule is not used on create.
    Nothing,
}

/// The record or a value does not fit, or there is a fault.
struct Unfit;

impl Direct {
    /// Finds the direct way of a mapping without a schema, if it has one.
    pub(super) fn new(rules: &[CompiledRule], reads: &Reads) -> Option<Self> {
        let created = |rule: &CompiledRule| rule.apply != Apply::Update;
        let used = || rules.iter().enumerate().filter(|(_, rule)| created(rule));
        if used().any(|(_, rule)| rule.multi == Multi::Merge) {
            return None;
        }
        let keys = Keys::new(reads.roots()?);
        let account = layout(used())?;
        let compiled = rules.iter().map(|rule| {
            let origin = if created(rule) { origin(rule, &keys)? } else { DirectOrigin::Nothing };
            let default = match rule.default(true) {
                Some(value) => Some(fixed(rule, value)?),
                None => None,
            };
            Some(DirectRule { origin, default })
        });
        let rules = compiled.collect::<Option<_>>()?;
        Some(Self { keys, rules, account })
    }

    /// Writes the account's attributes at the end of `text`. Gives whether it did; if not, `text` is as it was.
    pub(super) fn write(&self, rules: &[CompiledRule], user: &str, now: Timestamp, text: &mut String) -> bool {
        let Some(record) = Record::read(&self.keys, user) else { return false };
        let nobody = Attributes::new();
        let inputs = Inputs::new(&nobody, now);
        let start = text.len();
        let mut writing = Writing { direct: self, rules, record: &record, inputs: &inputs, text };
        let written = writing.object(&self.account);
        if written.is_err() {
            text.truncate(start);
        }
        written.is_ok()
    }
}

impl Direct {
    /// Finds the way to the single values that a mapping wants of an account that is there already, for comparing them;
    /// `keys` are those of the records. There is none where a rule reads what the target shows, or refers to others.
    pub(super) fn of_values(rules: &[CompiledRule], keys: &Keys) -> Option<Self> {
        let reads_current = |rule: &CompiledRule| {
            rule.expression().is_some_and(|expression| expression.reads_of(Variable::Current) != Reads::none())
        };
        if rules.iter().any(|rule| rule.reference || reads_current(rule)) {
            return None;
        }
        let compiled = rules.iter().map(|rule| {
            let origin = if rule.apply == Apply::Create { DirectOrigin::Nothing } else { origin(rule, keys)? };
            let default = match rule.default(false) {
                Some(value) => Some(fixed(rule, value)?),
                None => None,
            };
            Some(DirectRule { origin, default })
        });
        let rules = compiled.collect::<Option<_>>()?;
        Some(Self { keys: Keys::new([]), rules, account: Vec::new() })
    }

    /// Writes what the rule of that number wants at the end of `text`. Gives whether it wants anything; nothing where that
    /// is for [`Mapping::render`](super::Mapping::render) to tell.
    pub(super) fn value(
        &self,
        rules: &[CompiledRule],
        number: usize,
        record: &Record<'_>,
        inputs: &Inputs<'_>,
        text: &mut String,
    ) -> Option<bool> {
        Writing { direct: self, rules, record, inputs, text }.rule(number).ok()
    }
}

fn origin(rule: &CompiledRule, keys: &Keys) -> Option<DirectOrigin> {
    Some(match &rule.origin {
        Origin::Source(path) => {
            let mut steps = path.split('.');
            DirectOrigin::Field(keys.number(steps.next()?.as_bytes())?, steps.map(str::to_owned).collect())
        }
        // Its list is found in any letter case, which is for the whole record to tell.
        Origin::Element(_) => return None,
        Origin::Constant(value) => DirectOrigin::Constant(match value {
            Value::Null => None,
            Value::String(text) if text.is_empty() && rule.blank == Blank::Null => None,
            value => Some(fixed(rule, value)?),
        }),
        Origin::Expression(_) => DirectOrigin::Expression,
    })
}

/// A value that stands in the mapping, as JSON.
fn fixed(rule: &CompiledRule, value: &Value) -> Option<String> {
    is_written_as_it_is(rule, value).then(|| canonical(value))
}

/// Whether a value stands in the account as the rule gives it: with no parts that say nothing, which are left out, and
/// with nothing wrong with it. One that says nothing itself makes no element and is not enough where one is required.
fn is_written_as_it_is(rule: &CompiledRule, value: &Value) -> bool {
    let is_enough = !is_empty(value) || !rule.required && rule.target.list().is_none();
    is_enough && !has_empty_part(value) && rule.check_value(value, None).is_none()
}

/// One account being written.
struct Writing<'w> {
    direct: &'w Direct,
    rules: &'w [CompiledRule],
    record: &'w Record<'w>,
    inputs: &'w Inputs<'w>,
    text: &'w mut String,
}

impl Writing<'_> {
    /// Writes an object. Gives the first rule that has a value in it; none where only filters have.
    fn object(&mut self, members: &[Member]) -> Result<Option<usize>, Unfit> {
        let mut first: Option<usize> = None;
        let mut separator = '{';
        for member in members {
            let before = self.text.len();
            self.text.push(separator);
            self.text.push_str(&member.name);
            match self.place(&member.place)? {
                Written::Nothing => self.text.truncate(before),
                Written::Fixed => separator = ',',
                Written::By(rule) => {
                    separator = ',';
                    first = Some(first.map_or(rule, |first| first.min(rule)));
                }
            }
        }
        if separator == '{' {
            self.text.push('{');
        }
        self.text.push('}');
        Ok(first)
    }

    fn place(&mut self, place: &Place) -> Result<Written, Unfit> {
        let first = match place {
            Place::Rule(rule) => return Ok(if self.rule(*rule)? { Written::By(*rule) } else { Written::Nothing }),
            Place::Fixed(json) => {
                self.text.push_str(json);
                return Ok(Written::Fixed);
            }
            Place::Object(members) => self.object(members)?,
            Place::List(elements) => self.list(elements)?,
        };
        Ok(first.map_or(Written::Nothing, Written::By))
    }

    /// Writes a list. Elements stand in the order in which the rules made them.
    fn list(&mut self, elements: &[Vec<Member>]) -> Result<Option<usize>, Unfit> {
        if let [element] = elements {
            self.text.push('[');
            let first = self.object(element)?;
            self.text.push(']');
            return Ok(first);
        }
        let start = self.text.len();
        let mut written: Vec<(usize, String)> = Vec::with_capacity(elements.len());
        for element in elements {
            let first = self.object(element)?;
            let json = self.text.split_off(start);
            written.extend(first.map(|first| (first, json)));
        }
        written.sort_by_key(|(first, _)| *first);
        let mut separator = '[';
        for (_, json) in &written {
            self.text.push(separator);
            self.text.push_str(json);
            separator = ',';
        }
        self.text.push(']');
        Ok(written.first().map(|(first, _)| *first))
    }

    /// Writes the value of a rule, or its default. Gives whether there is one to be written.
    fn rule(&mut self, number: usize) -> Result<bool, Unfit> {
        let (Some(direct), Some(rule)) = (self.direct.rules.get(number), self.rules.get(number)) else {
            return Err(Unfit);
        };
        let start = self.text.len();
        let found = match &direct.origin {
            DirectOrigin::Field(field, path) => {
                let field = self.record.field(*field).ok_or(Unfit)?;
                if path.is_empty() { self.read(field, rule)? } else { self.below(field, path, rule)? }
            }
            DirectOrigin::Constant(json) => self.ready(json.as_deref()),
            DirectOrigin::Expression => self.computed(rule)?,
            DirectOrigin::Nothing => return Ok(false),
        };
        if !found && !self.ready(direct.default.as_deref()) {
            return if rule.required { Err(Unfit) } else { Ok(false) };
        }
        if rule.reference {
            // No accounts are known here, so a user's id is left out; anything but one text may be wrong.
            let is_text = self.text.as_bytes().get(start) == Some(&b'"');
            self.text.truncate(start);
            return if is_text { Ok(false) } else { Err(Unfit) };
        }
        Ok(true)
    }

    fn ready(&mut self, json: Option<&str>) -> bool {
        self.text.push_str(json.unwrap_or_default());
        json.is_some()
    }

    /// Writes a field of the record. Gives whether it has a value.
    fn read(&mut self, field: &Field<'_>, rule: &CompiledRule) -> Result<bool, Unfit> {
        match field {
            // What stands in the record as it is needed no escape there.
            Field::Text(Cow::Borrowed(text)) if !text.is_empty() => write_plain(text, self.text),
            field => return self.field(field, rule),
        }
        Ok(true)
    }

    fn field(&mut self, field: &Field<'_>, rule: &CompiledRule) -> Result<bool, Unfit> {
        match field {
            Field::Absent => return Ok(false),
            Field::Text(text) if text.is_empty() && rule.blank == Blank::Null => return Ok(false),
            Field::Text(text) => write_text(text, self.text),
            Field::Bool(truth) => self.text.push_str(if *truth { "true" } else { "false" }),
            Field::Number(number) => self.text.push_str(&number.to_string()),
            Field::Tree(value) => self.tree(value, rule)?,
        }
        Ok(true)
    }

    /// Writes a value inside a field, as `value::at_path` finds it. Gives whether there is one.
    fn below(&mut self, field: &Field<'_>, path: &[String], rule: &CompiledRule) -> Result<bool, Unfit> {
        let Field::Tree(tree) = field else { return Ok(false) };
        match path.iter().try_fold(tree, |value, name| value.as_object()?.get(name)) {
            None | Some(Value::Null) => return Ok(false),
            Some(Value::String(text)) if text.is_empty() && rule.blank == Blank::Null => return Ok(false),
            Some(value) => self.tree(value, rule)?,
        }
        Ok(true)
    }

    fn tree(&mut self, value: &Value, rule: &CompiledRule) -> Result<(), Unfit> {
        if !is_written_as_it_is(rule, value) {
            return Err(Unfit);
        }
        write(value, self.text);
        Ok(())
    }

    fn computed(&mut self, rule: &CompiledRule) -> Result<bool, Unfit> {
        let field = rule.expression().and_then(|expression| expression.field(self.record, self.inputs)).ok_or(Unfit)?;
        self.field(&field, rule)
    }
}

/// What a place came to.
enum Written {
    Nothing,
    /// What a filter says, which alone makes no element.
    Fixed,
    /// The first rule with a value.
    By(usize),
}
