//! Walks a tree. Every node costs a step of the budget, every text what it is long.

use super::failure::{Budget, CALL, Failure, LONGEST_TEXT, MISSING};
use super::functions::{Arguments, Function};
use super::pattern::Pattern;
use super::term::Term;
use super::tree::{Access, Comprehension, ComprehensionKind, Element, Kind, Node, Operator};
use super::{Inputs, Variable};
use crate::value::{Attributes, Field, Record};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

/// What a text that is being put together gets beyond what it needs, so that it does not grow with every part.
const ROOM: usize = 32;

const MICROS_OUT_OF_RANGE: &str = "a time is out of range";

/// Evaluates a tree to JSON.
///
/// # Errors
/// As for [`super::Expression::evaluate`].
pub(super) fn evaluate(tree: &Node, inputs: &Inputs<'_>) -> Result<Option<Value>, Failure> {
    let empty = Attributes::new();
    let mut evaluation = Evaluation { inputs, record: None, empty: &empty, locals: Vec::new(), budget: Budget::new() };
    let term = evaluation.node(tree)?;
    term.into_json(&mut evaluation.budget).map_err(|failure| failure.or_at(tree.position))
}

/// The steps that [`evaluate`] takes, whatever comes of it.
pub(super) fn steps(tree: &Node, inputs: &Inputs<'_>) -> u32 {
    let empty = Attributes::new();
    let mut evaluation = Evaluation { inputs, record: None, empty: &empty, locals: Vec::new(), budget: Budget::new() };
    if let Ok(term) = evaluation.node(tree) {
        // What becomes of the result does not matter here.
        let _ = term.into_json(&mut evaluation.budget);
    }
    evaluation.budget.taken()
}

/// Evaluates a tree for a record that was read in part, in place of `inputs.user`.
///
/// # Errors
/// As for [`super::Expression::evaluate`].
pub(super) fn field<'a>(tree: &'a Node, record: &'a Record<'a>, inputs: &'a Inputs<'a>) -> Result<Field<'a>, Failure> {
    let budget = Budget::new();
    let mut evaluation = Evaluation { inputs, record: Some(record), empty: inputs.user, locals: Vec::new(), budget };
    evaluation.node(tree)?.into_field(&mut evaluation.budget)
}

struct Evaluation<'a> {
    inputs: &'a Inputs<'a>,
    /// The user, where it was read in part: nothing of it is asked for then but members that were read.
    record: Option<&'a Record<'a>>,
    empty: &'a Attributes,
    locals: Vec<Term<'a>>,
    budget: Budget,
}

impl<'a> Evaluation<'a> {
    fn node(&mut self, node: &'a Node) -> Result<Term<'a>, Failure> {
        self.budget.charge(1).and_then(|()| self.kind(node)).map_err(|failure| failure.or_at(node.position))
    }

    /// Leaves the work to others, so that a level of nesting takes little of the stack.
    fn kind(&mut self, node: &'a Node) -> Result<Term<'a>, Failure> {
        match &node.kind {
            Kind::Null => Ok(Term::Null),
            Kind::Bool(value) => Ok(Term::Bool(*value)),
            Kind::Int(number) => Ok(Term::Int(*number)),
            Kind::Double(number) => Ok(Term::Double(*number)),
            Kind::Text(text) => Ok(Term::Text(Cow::Borrowed(text))),
            Kind::Variable(variable) => Ok(self.variable(*variable)),
            Kind::Local(index) => self.local(*index),
            Kind::Member { of, name, access } => self.member(node, of, name, *access),
            Kind::Index { of, index, access } => self.index(node, of, index, *access),
            Kind::Has(path) => self.present(path).map(|value| Term::Bool(value.is_some())),
            Kind::Not(value) => self.truth(value).map(|value| Term::Bool(!value)),
            Kind::Negate(value) => self.node(value).and_then(|term| negated(&term)),
            Kind::And(pair) => self.either(pair, false).map(Term::Bool),
            Kind::Or(pair) => self.either(pair, true).map(Term::Bool),
            Kind::Conditional(parts) => self.conditional(parts),
            Kind::Binary(operator, pair) => self.pair(*operator, pair),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Comprehension(comprehension) => self.comprehension(comprehension),
            Kind::Coalesce(nodes) => self.coalesce(nodes),
            Kind::IsBlank(value) => self.is_blank(value),
            Kind::Call { function, arguments, pattern } => self.call(function, arguments, pattern.as_ref()),
            Kind::Lookup { table, key, default } => self.lookup(table, key, default.as_deref()),
        }
    }

    fn member(&mut self, node: &'a Node, of: &'a Node, name: &'a str, access: Access) -> Result<Term<'a>, Failure> {
        if let (Some(record), Kind::Variable(Variable::User)) = (self.record, &of.kind) {
            return self.attribute(node, record, name, access);
        }
        let of = self.step(of, access)?;
        let found = self.optional(of, access, |term, budget| term.member(name, budget))?;
        found.ok_or_else(|| Failure::missing(&node.describe()))
    }

    fn index(&mut self, node: &'a Node, of: &'a Node, index: &'a Node, access: Access) -> Result<Term<'a>, Failure> {
        if let (Some(record), Kind::Variable(Variable::User), Kind::Text(name)) = (self.record, &of.kind, &index.kind) {
            self.budget.charge(1)?;
            return self.attribute(node, record, name, access);
        }
        let of = self.step(of, access)?;
        let key = self.node(index)?;
        let found = self.optional(of, access, |term, budget| term.get(&key, budget))?;
        found.ok_or_else(|| Failure::missing(&node.describe()))
    }

    /// A member of the user, where it was read in part. It costs what it costs by way of the whole user.
    fn attribute(
        &mut self,
        node: &'a Node,
        record: &'a Record<'a>,
        name: &'a str,
        access: Access,
    ) -> Result<Term<'a>, Failure> {
        self.budget.charge(1)?;
        let found = record.member(name).map(Term::from_field).transpose()?.flatten();
        match access {
            Access::Certain => found.ok_or_else(|| Failure::missing(&node.describe())),
            Access::Optional => Ok(Term::Optional(found.map(Box::new))),
        }
    }

    fn conditional(&mut self, parts: &'a [Node; 3]) -> Result<Term<'a>, Failure> {
        let [condition, then, otherwise] = parts;
        if self.truth(condition)? { self.node(then) } else { self.node(otherwise) }
    }

    fn pair(&mut self, operator: Operator, pair: &'a [Node; 2]) -> Result<Term<'a>, Failure> {
        let [left, right] = pair;
        let left = self.node(left)?;
        let right = self.node(right)?;
        self.binary(operator, left, right)
    }

    fn list(&mut self, elements: &'a [Element]) -> Result<Term<'a>, Failure> {
        self.budget.charge(1 + elements.len() / 2)?;
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            items.extend(self.element(element)?);
        }
        Ok(Term::List(Rc::new(items)))
    }

    fn coalesce(&mut self, nodes: &'a [Node]) -> Result<Term<'a>, Failure> {
        for node in nodes {
            if let Some(term) = self.present(node)? {
                return Ok(term);
            }
        }
        Ok(Term::Null)
    }

    fn is_blank(&mut self, value: &'a Node) -> Result<Term<'a>, Failure> {
        Ok(Term::Bool(match self.present(value)? {
            None => true,
            Some(Term::Text(text)) => {
                self.budget.charge_text(&text)?;
                text.trim().is_empty()
            }
            Some(term) => {
                self.budget.charge(term.length() / 4)?;
                term.size() == Some(0)
            }
        }))
    }

    fn call(
        &mut self,
        function: &'static Function,
        arguments: &'a [Node],
        pattern: Option<&'a Pattern>,
    ) -> Result<Term<'a>, Failure> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.node(argument)?);
        }
        self.budget.charge(CALL + function.weight)?;
        (function.call)(Arguments::new(function, values, pattern, &mut self.budget))
    }

    /// What the table has under the key; else the default. A key without a value is in no table.
    fn lookup(&mut self, table: &'a Attributes, key: &'a Node, default: Option<&'a Node>) -> Result<Term<'a>, Failure> {
        let key = match self.node(key)? {
            Term::Optional(inner) => inner.map_or(Term::Null, |inner| *inner),
            key => key,
        };
        let text = if key.is_absent() { None } else { Some(key.plain_text()?) };
        self.budget.charge(CALL + text.as_ref().map_or(0, |text| text.len() / 16))?;
        let found = text.and_then(|text| table.get(text.as_ref()));
        match (found.filter(|value| !value.is_null()), default) {
            (Some(value), _) => Term::from_json(value),
            (None, Some(default)) => self.node(default),
            (None, None) => Ok(Term::Null),
        }
    }

    fn variable(&self, variable: Variable) -> Term<'a> {
        match variable {
            Variable::User => Term::Object(self.inputs.user),
            Variable::Current => Term::Object(self.inputs.current.unwrap_or(self.empty)),
            Variable::App => {
                let entry = |name, text| (Term::Text(Cow::Borrowed(name)), Term::Text(Cow::Borrowed(text)));
                Term::Map(Rc::new(vec![entry("id", self.inputs.app_id), entry("label", self.inputs.app_label)]))
            }
            Variable::Iteration => Term::Int(i64::from(self.inputs.iteration)),
            Variable::Token => Term::Text(Cow::Borrowed(self.inputs.token)),
            Variable::Now => Term::Time(self.inputs.now),
        }
    }

    fn local(&mut self, index: usize) -> Result<Term<'a>, Failure> {
        self.locals.get(index).map_or(Ok(Term::Null), |term| term.copy(&mut self.budget))
    }

    /// What a member is taken of. An optional step (`a.?b.?c`) goes on where there is nothing.
    fn step(&mut self, of: &'a Node, access: Access) -> Result<Term<'a>, Failure> {
        match access {
            Access::Certain => self.node(of),
            Access::Optional => Ok(self.present(of)?.unwrap_or(Term::Optional(None))),
        }
    }

    /// Takes a member; of an optional value, an optional member.
    fn optional(
        &mut self,
        of: Term<'a>,
        access: Access,
        member: impl FnOnce(&Term<'a>, &mut Budget) -> Result<Option<Term<'a>>, Failure>,
    ) -> Result<Option<Term<'a>>, Failure> {
        let (of, access) = match of {
            Term::Optional(None) => return Ok(Some(Term::Optional(None))),
            Term::Optional(Some(of)) => (*of, Access::Optional),
            of => (of, access),
        };
        let found = member(&of, &mut self.budget)?;
        Ok(match access {
            Access::Certain => found,
            Access::Optional => Some(Term::Optional(found.map(Box::new))),
        })
    }

    /// The value of a node, `None` where it has none.
    fn present(&mut self, node: &'a Node) -> Result<Option<Term<'a>>, Failure> {
        match self.node(node) {
            Ok(Term::Optional(Some(term))) => Ok(Some(*term).filter(|term| !term.is_absent())),
            Ok(term) => Ok(Some(term).filter(|term| !term.is_absent())),
            Err(failure) if failure.is_missing() => {
                self.budget.charge(MISSING)?;
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    fn truth(&mut self, node: &'a Node) -> Result<bool, Failure> {
        match self.node(node)? {
            Term::Bool(value) => Ok(value),
            other => {
                Err(Failure::new(format!("a condition must be true or false, not {}", other.kind()))
                    .or_at(node.position))
            }
        }
    }

    /// `&&` and `||`: `decisive` on either side decides, even where the other side fails.
    fn either(&mut self, pair: &'a [Node; 2], decisive: bool) -> Result<bool, Failure> {
        let [left, right] = pair;
        match self.truth(left) {
            Ok(value) if value == decisive => Ok(decisive),
            Ok(_) => self.truth(right),
            Err(failure) => {
                self.budget.charge(MISSING)?;
                match self.truth(right) {
                    Ok(value) if value == decisive => Ok(decisive),
                    _ => Err(failure),
                }
            }
        }
    }

    fn binary(&mut self, operator: Operator, left: Term<'a>, right: Term<'a>) -> Result<Term<'a>, Failure> {
        let wrong = |left: &Term<'_>, right: &Term<'_>| {
            Failure::new(format!("`{}` does not take {} and {}", operator.sign(), left.kind(), right.kind()))
        };
        if let (Term::Text(left), Term::Text(right)) = (&left, &right) {
            self.budget.charge_text(if left.len() < right.len() { left } else { right })?;
        }
        let ordered = |accepted: fn(Ordering) -> bool| match left.compare(&right) {
            Some(order) => Ok(Term::Bool(accepted(order))),
            // A number that is none compares as false with everything.
            None if matches!((&left, &right), (Term::Int(_) | Term::Double(_), Term::Int(_) | Term::Double(_))) => {
                Ok(Term::Bool(false))
            }
            None => Err(wrong(&left, &right)),
        };
        match operator {
            Operator::Equal => Ok(Term::Bool(left.equals(&right, &mut self.budget)?)),
            Operator::NotEqual => Ok(Term::Bool(!left.equals(&right, &mut self.budget)?)),
            Operator::Less => ordered(Ordering::is_lt),
            Operator::LessOrEqual => ordered(Ordering::is_le),
            Operator::Greater => ordered(Ordering::is_gt),
            Operator::GreaterOrEqual => ordered(Ordering::is_ge),
            Operator::In => {
                let Some(items) = right.items(&mut self.budget)? else { return Err(wrong(&left, &right)) };
                for item in &items {
                    if left.equals(item, &mut self.budget)? {
                        return Ok(Term::Bool(true));
                    }
                }
                Ok(Term::Bool(false))
            }
            Operator::Add => match (left, right) {
                (Term::Text(left), Term::Text(right)) => self.concatenate(left, &right),
                (left @ (Term::List(_) | Term::Array(_)), right @ (Term::List(_) | Term::Array(_))) => {
                    let (Some(mut items), Some(more)) = (left.items(&mut self.budget)?, right.items(&mut self.budget)?)
                    else {
                        return Err(wrong(&left, &right));
                    };
                    items.extend(more);
                    Ok(Term::List(Rc::new(items)))
                }
                (left, right) => arithmetic(operator, &left, &right)?.ok_or_else(|| wrong(&left, &right)),
            },
            Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                arithmetic(operator, &left, &right)?.ok_or_else(|| wrong(&left, &right))
            }
        }
    }

    fn concatenate(&mut self, left: Cow<'a, str>, right: &str) -> Result<Term<'a>, Failure> {
        let length = left.len() + right.len();
        if length > LONGEST_TEXT {
            return Err(Failure::new("`+` would make a text longer than 64 KiB"));
        }
        self.budget.charge(length / 16)?;
        let mut text = match left {
            Cow::Owned(text) => text,
            Cow::Borrowed(left) => {
                let mut text = String::with_capacity(length + ROOM);
                text.push_str(left);
                text
            }
        };
        if text.capacity() < length {
            text.reserve(right.len() + ROOM);
        }
        text.push_str(right);
        Ok(Term::Text(Cow::Owned(text)))
    }

    /// An element of a list or map; `None` for an optional one without a value.
    fn element(&mut self, element: &'a Element) -> Result<Option<Term<'a>>, Failure> {
        if element.optional { self.present(&element.value) } else { self.node(&element.value).map(Some) }
    }

    fn map(&mut self, entries: &'a [(Node, Element)]) -> Result<Term<'a>, Failure> {
        self.budget.charge(1 + entries.len())?;
        let mut map: Vec<(Term<'a>, Term<'a>)> = Vec::with_capacity(entries.len());
        for (key_node, element) in entries {
            let key = self.node(key_node)?;
            if !matches!(key, Term::Text(_) | Term::Int(_) | Term::Bool(_)) {
                return Err(Failure::new(format!("{} cannot be a key", key.kind())).or_at(key_node.position));
            }
            for (known, _) in &map {
                if known.equals(&key, &mut self.budget)? {
                    return Err(Failure::new("two entries have the same key").or_at(key_node.position));
                }
            }
            map.extend(self.element(element)?.map(|value| (key, value)));
        }
        Ok(Term::Map(Rc::new(map)))
    }

    fn comprehension(&mut self, comprehension: &'a Comprehension) -> Result<Term<'a>, Failure> {
        let range = self.node(&comprehension.range)?;
        let Some(items) = range.items(&mut self.budget)? else {
            return Err(Failure::new(format!("{} is no list to go through", range.kind())));
        };
        let mut results = Vec::new();
        let mut hits = 0_usize;
        let mut first_failure = None;
        for item in items {
            self.locals.push(item);
            let outcome = self.visit_item(comprehension, &mut results);
            self.locals.pop();
            match (comprehension.kind, outcome) {
                (ComprehensionKind::All, Ok(false)) => return Ok(Term::Bool(false)),
                (ComprehensionKind::Exists, Ok(true)) => return Ok(Term::Bool(true)),
                (_, Ok(hit)) => hits += usize::from(hit),
                (_, Err(failure)) if self.budget.is_used_up() => return Err(failure),
                // As for `&&` and `||`, a later item may still decide.
                (ComprehensionKind::All | ComprehensionKind::Exists, Err(failure)) => {
                    first_failure.get_or_insert(failure);
                }
                (_, Err(failure)) => return Err(failure),
            }
        }
        match (comprehension.kind, first_failure) {
            (_, Some(failure)) => Err(failure),
            (ComprehensionKind::All, None) => Ok(Term::Bool(true)),
            (ComprehensionKind::Exists, None) => Ok(Term::Bool(false)),
            (ComprehensionKind::ExistsOne, None) => Ok(Term::Bool(hits == 1)),
            (ComprehensionKind::Map | ComprehensionKind::Filter, None) => Ok(Term::List(Rc::new(results))),
        }
    }

    /// Evaluates the body for the innermost item; gives whether its condition holds.
    fn visit_item(&mut self, comprehension: &'a Comprehension, results: &mut Vec<Term<'a>>) -> Result<bool, Failure> {
        if comprehension.kind == ComprehensionKind::Map {
            if let Some(condition) = &comprehension.condition
                && !self.truth(condition)?
            {
                return Ok(false);
            }
            let result = self.node(&comprehension.body)?;
            results.push(result);
            return Ok(true);
        }
        let holds = self.truth(&comprehension.body)?;
        if holds && comprehension.kind == ComprehensionKind::Filter {
            let item = self.locals.last().map(|item| item.copy(&mut self.budget)).transpose()?;
            results.extend(item);
        }
        Ok(holds)
    }
}

fn negated<'a>(term: &Term<'_>) -> Result<Term<'a>, Failure> {
    match term {
        Term::Int(number) => number.checked_neg().map(Term::Int).ok_or_else(overflow),
        Term::Double(number) => Ok(Term::Double(-number)),
        Term::Duration(micros) => micros.checked_neg().map(Term::Duration).ok_or_else(overflow),
        other => Err(Failure::new(format!("`-` does not take {}", other.kind()))),
    }
}

fn overflow() -> Failure {
    Failure::new("a number is out of range")
}

/// `+`, `-`, `*`, `/`, `%` of numbers and times; `None` where the operator does not take the two. A whole number beside a
/// fraction is taken as a fraction.
fn arithmetic<'a>(operator: Operator, left: &Term<'_>, right: &Term<'_>) -> Result<Option<Term<'a>>, Failure> {
    use Operator::{Add, Divide, Modulo, Multiply, Subtract};
    Ok(Some(match (left, right) {
        (Term::Int(left), Term::Int(right)) => {
            if matches!(operator, Divide | Modulo) && *right == 0 {
                return Err(Failure::new(format!("`{}` by zero", operator.sign())));
            }
            let number = match operator {
                Add => left.checked_add(*right),
                Subtract => left.checked_sub(*right),
                Multiply => left.checked_mul(*right),
                Divide => left.checked_div(*right),
                Modulo => left.checked_rem(*right),
                _ => return Ok(None),
            };
            Term::Int(number.ok_or_else(overflow)?)
        }
        (Term::Int(_) | Term::Double(_), Term::Int(_) | Term::Double(_)) => {
            let (left, right) = (as_double(left), as_double(right));
            Term::Double(match operator {
                Add => left + right,
                Subtract => left - right,
                Multiply => left * right,
                Divide => left / right,
                _ => return Ok(None),
            })
        }
        (Term::Time(time), Term::Duration(micros)) => {
            let micros = match operator {
                Add => time.as_micros().checked_add(*micros),
                Subtract => time.as_micros().checked_sub(*micros),
                _ => return Ok(None),
            };
            Term::Time(crate::time::Timestamp::from_micros(micros.ok_or_else(|| Failure::new(MICROS_OUT_OF_RANGE))?))
        }
        (Term::Duration(_), Term::Time(_)) if operator == Add => return arithmetic(Add, right, left),
        (Term::Time(left), Term::Time(right)) if operator == Subtract => Term::Duration(
            left.as_micros().checked_sub(right.as_micros()).ok_or_else(|| Failure::new(MICROS_OUT_OF_RANGE))?,
        ),
        (Term::Duration(left), Term::Duration(right)) => {
            let micros = match operator {
                Add => left.checked_add(*right),
                Subtract => left.checked_sub(*right),
                _ => return Ok(None),
            };
            Term::Duration(micros.ok_or_else(|| Failure::new(MICROS_OUT_OF_RANGE))?)
        }
        _ => return Ok(None),
    }))
}

fn as_double(term: &Term<'_>) -> f64 {
    match term {
        #[expect(clippy::cast_precision_loss, reason = "a whole number beside a fraction is taken as a fraction")]
        Term::Int(number) => *number as f64,
        Term::Double(number) => *number,
        _ => f64::NAN,
    }
}
