//! From the parser's tree to ours: names are looked up, macros are understood, patterns are compiled, paths that are
//! read are collected, and what is too large is refused.

use super::functions::{self, Function};
use super::kinds::{self, Kinds};
use super::pattern::Pattern;
use super::reads::Collector;
use super::tree::{Access, Comprehension, ComprehensionKind, Element, Kind, Node, Operator};
use super::{Reads, Tables, Variable};
use crate::fault::{Code, Fault};
use crate::likeness::hint;
use crate::time::is_form;
use crate::value::Attributes;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue, SourceInfo, operators};
use std::sync::Arc;

const MOST_NODES: usize = 400;
const DEEPEST: usize = 48;
const MOST_COMPREHENSIONS: usize = 6;
const DEEPEST_COMPREHENSION: usize = 2;

/// A tree, what it reads, and what it gives.
#[derive(Debug)]
pub(super) struct Lowered {
    pub(super) tree: Node,
    pub(super) reads: Reads,
    pub(super) kinds: Kinds,
}

/// Makes our tree of the parser's.
///
/// # Errors
/// Every fault that was found, each with its position.
pub(super) fn lower(
    tree: &IdedExpr,
    source: &SourceInfo,
    text: &str,
    variables: &[Variable],
    tables: &Tables,
) -> Result<Lowered, Vec<Fault>> {
    let mut lowering = Lowering {
        source,
        text,
        variables,
        tables,
        locals: Vec::new(),
        nodes: 0,
        comprehensions: 0,
        faults: Vec::new(),
    };
    let tree = lowering.node(tree, 0);
    if !lowering.faults.is_empty() {
        return Err(lowering.faults);
    }
    let (kinds, faults) = kinds::check(&tree);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut collector = Collector::default();
    collector.visit(&tree);
    Ok(Lowered { tree, reads: collector.finish(), kinds })
}

struct Lowering<'t> {
    source: &'t SourceInfo,
    text: &'t str,
    variables: &'t [Variable],
    tables: &'t Tables,
    locals: Vec<String>,
    nodes: usize,
    comprehensions: usize,
    faults: Vec<Fault>,
}

impl Lowering<'_> {
    fn node(&mut self, expression: &IdedExpr, depth: usize) -> Node {
        let position = self.position(expression);
        self.nodes += 1;
        // One fault is enough, and what lies below is not looked at: the walk itself stays bounded.
        if self.nodes > MOST_NODES {
            if self.nodes == MOST_NODES + 1 {
                self.refuse(position, format!("the expression has more than {MOST_NODES} parts"));
            }
            return Node { position, kind: Kind::Null };
        }
        if depth > DEEPEST {
            self.refuse(position, format!("the expression is nested deeper than {DEEPEST}"));
            return Node { position, kind: Kind::Null };
        }
        let kind = match &expression.expr {
            Expr::Literal(literal) => self.literal(literal, position),
            Expr::Ident(name) => self.name(name, position),
            Expr::Select(select) => self.member(&select.operand, &select.field, Access::Certain, position, depth),
            Expr::Call(call) => self.call(call, position, depth),
            Expr::List(list) => Kind::List(
                list.elements
                    .iter()
                    .enumerate()
                    .map(|(index, element)| Element {
                        value: self.node(element, depth + 1),
                        optional: list.optional_indices.contains(&index),
                    })
                    .collect(),
            ),
            Expr::Map(map) => Kind::Map(map.entries.iter().filter_map(|entry| self.entry(entry, depth)).collect()),
            Expr::Comprehension(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.refuse(position, "this form of expression is not supported");
                Kind::Null
            }
        };
        Node { position, kind }
    }

    fn literal(&mut self, literal: &LiteralValue, position: usize) -> Kind {
        match literal {
            LiteralValue::Boolean(value) => Kind::Bool(*value.inner()),
            LiteralValue::Int(number) => Kind::Int(*number.inner()),
            LiteralValue::Double(number) => Kind::Double(*number.inner()),
            LiteralValue::String(text) => Kind::Text(text.inner().to_owned()),
            LiteralValue::Null => Kind::Null,
            LiteralValue::UInt(_) => {
                self.refuse(position, "there are no unsigned numbers: leave out the `u`");
                Kind::Null
            }
            LiteralValue::Bytes(_) => {
                self.refuse(position, "there are no bytes: leave out the `b`");
                Kind::Null
            }
        }
    }

    fn name(&mut self, name: &str, position: usize) -> Kind {
        let plain = name.trim_start_matches('.');
        if let Some(index) = self.locals.iter().rposition(|local| local == name) {
            return Kind::Local(index);
        }
        match self.variables.iter().find(|variable| variable.name() == plain) {
            Some(variable) => Kind::Variable(*variable),
            None => {
                let known = self.variables.iter().map(|variable| format!("`{}`", variable.name())).collect::<Vec<_>>();
                let hint = hint(plain, self.variables.iter().map(|variable| variable.name()));
                let message = format!("there is no variable `{}`; there are {}{hint}", shown(plain), known.join(", "));
                self.faults.push(Fault::new(Code::UnknownVariable, message).position(position));
                Kind::Null
            }
        }
    }

    fn member(&mut self, of: &IdedExpr, name: &str, access: Access, position: usize, depth: usize) -> Kind {
        let of = Box::new(self.node(of, depth + 1));
        if matches!(of.kind, Kind::Variable(Variable::App)) && !matches!(name, "id" | "label") {
            let message = format!("`app` has `id` and `label`, not `{}`", shown(name));
            self.faults.push(Fault::new(Code::UnknownVariable, message).position(position));
        }
        Kind::Member { of, name: name.to_owned(), access }
    }

    fn entry(&mut self, entry: &IdedEntryExpr, depth: usize) -> Option<(Node, Element)> {
        match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                let key = self.node(&entry.key, depth + 1);
                Some((key, Element { value: self.node(&entry.value, depth + 1), optional: entry.optional }))
            }
            EntryExpr::StructField(_) => None,
        }
    }

    fn call(&mut self, call: &CallExpr, position: usize, depth: usize) -> Kind {
        if let Some(kind) = self.operator(call, position, depth) {
            return kind;
        }
        match (&call.target, call.func_name.as_str(), call.args.as_slice()) {
            (None, "has", [path]) => self.has(path, position, depth),
            (None, "coalesce", [_, ..]) => Kind::Coalesce(self.nodes(&call.args, depth)),
            (None, "default", [_, _]) => Kind::Coalesce(self.nodes(&call.args, depth)),
            (None, "isBlank", [value]) => Kind::IsBlank(Box::new(self.node(value, depth + 1))),
            (None, "lookup", [table, key]) => self.lookup(table, key, None, depth),
            (None, "lookup", [table, key, default]) => self.lookup(table, key, Some(default), depth),
            (_, "lookup", _) => {
                let position = self.name_before(position, "lookup");
                self.refuse(
                    position,
                    "`lookup` is called as `lookup('table', key)` or `lookup('table', key, default)`",
                );
                Kind::Null
            }
            (Some(target), "default", [fallback]) => {
                Kind::Coalesce(vec![self.node(target, depth + 1), self.node(fallback, depth + 1)])
            }
            (Some(target), "isBlank", []) => Kind::IsBlank(Box::new(self.node(target, depth + 1))),
            (Some(target), name, arguments) => {
                let kind = match (name, arguments.len()) {
                    ("all", 2) => Some(ComprehensionKind::All),
                    ("exists", 2) => Some(ComprehensionKind::Exists),
                    ("exists_one" | "existsOne", 2) => Some(ComprehensionKind::ExistsOne),
                    ("map", 2 | 3) => Some(ComprehensionKind::Map),
                    ("filter", 2) => Some(ComprehensionKind::Filter),
                    _ => None,
                };
                match kind {
                    Some(kind) => self.comprehension(kind, target, arguments, position, depth),
                    None => self.function(call, position, depth),
                }
            }
            (None, _, _) => self.function(call, position, depth),
        }
    }

    fn operator(&mut self, call: &CallExpr, position: usize, depth: usize) -> Option<Kind> {
        if call.target.is_some() {
            return None;
        }
        let binary = |operator| (operator, ());
        let (operator, ()) = match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                return Some(Kind::Conditional(Box::new([
                    self.node(condition, depth + 1),
                    self.node(then, depth + 1),
                    self.node(otherwise, depth + 1),
                ])));
            }
            (operators::LOGICAL_AND, [left, right]) => return Some(Kind::And(self.pair(left, right, depth))),
            (operators::LOGICAL_OR, [left, right]) => return Some(Kind::Or(self.pair(left, right, depth))),
            (operators::LOGICAL_NOT, [value]) => return Some(Kind::Not(Box::new(self.node(value, depth + 1)))),
            (operators::NEGATE, [value]) => return Some(Kind::Negate(Box::new(self.node(value, depth + 1)))),
            (operators::INDEX, [of, index]) => return Some(self.index(of, index, Access::Certain, depth)),
            (operators::OPT_INDEX, [of, index]) => return Some(self.index(of, index, Access::Optional, depth)),
            (operators::OPT_SELECT, [of, name]) => {
                let Expr::Literal(LiteralValue::String(name)) = &name.expr else { return None };
                return Some(self.member(of, name.inner(), Access::Optional, position, depth));
            }
            (operators::ADD, [_, _]) => binary(Operator::Add),
            (operators::SUBSTRACT, [_, _]) => binary(Operator::Subtract),
            (operators::MULTIPLY, [_, _]) => binary(Operator::Multiply),
            (operators::DIVIDE, [_, _]) => binary(Operator::Divide),
            (operators::MODULO, [_, _]) => binary(Operator::Modulo),
            (operators::EQUALS, [_, _]) => binary(Operator::Equal),
            (operators::NOT_EQUALS, [_, _]) => binary(Operator::NotEqual),
            (operators::LESS, [_, _]) => binary(Operator::Less),
            (operators::LESS_EQUALS, [_, _]) => binary(Operator::LessOrEqual),
            (operators::GREATER, [_, _]) => binary(Operator::Greater),
            (operators::GREATER_EQUALS, [_, _]) => binary(Operator::GreaterOrEqual),
            (operators::IN, [_, _]) => binary(Operator::In),
            _ => return None,
        };
        let [left, right] = call.args.as_slice() else { return None };
        Some(Kind::Binary(operator, self.pair(left, right, depth)))
    }

    fn pair(&mut self, left: &IdedExpr, right: &IdedExpr, depth: usize) -> Box<[Node; 2]> {
        Box::new([self.node(left, depth + 1), self.node(right, depth + 1)])
    }

    fn nodes(&mut self, expressions: &[IdedExpr], depth: usize) -> Vec<Node> {
        expressions.iter().map(|expression| self.node(expression, depth + 1)).collect()
    }

    fn index(&mut self, of: &IdedExpr, index: &IdedExpr, access: Access, depth: usize) -> Kind {
        Kind::Index { of: Box::new(self.node(of, depth + 1)), index: Box::new(self.node(index, depth + 1)), access }
    }

    fn has(&mut self, path: &IdedExpr, position: usize, depth: usize) -> Kind {
        let path = self.node(path, depth + 1);
        if !matches!(path.kind, Kind::Member { .. } | Kind::Index { .. }) {
            self.refuse(position, "`has` takes a path, such as `has(user.email)`");
        }
        Kind::Has(Box::new(path))
    }

    fn comprehension(
        &mut self,
        kind: ComprehensionKind,
        target: &IdedExpr,
        arguments: &[IdedExpr],
        position: usize,
        depth: usize,
    ) -> Kind {
        self.comprehensions += 1;
        if self.comprehensions == MOST_COMPREHENSIONS + 1 {
            self.refuse(position, format!("the expression has more than {MOST_COMPREHENSIONS} loops over lists"));
        }
        let range = self.node(target, depth + 1);
        let (Some(Expr::Ident(name)), Some((body, conditions))) =
            (arguments.first().map(|name| &name.expr), arguments.get(1..).and_then(<[_]>::split_last))
        else {
            self.refuse(position, "the first argument must be the name of a variable, such as `x` in `map(x, x + 1)`");
            return Kind::Null;
        };
        self.locals.push(name.clone());
        if self.locals.len() == DEEPEST_COMPREHENSION + 1 {
            self.refuse(position, format!("loops over lists are nested deeper than {DEEPEST_COMPREHENSION}"));
        }
        let condition = conditions.first().map(|condition| self.node(condition, depth + 1));
        let body = self.node(body, depth + 1);
        self.locals.pop();
        Kind::Comprehension(Box::new(Comprehension { kind, range, condition, body }))
    }

    fn function(&mut self, call: &CallExpr, position: usize, depth: usize) -> Kind {
        // `optional.of(x)` is a function with a dot in its name, not a call on a variable.
        let qualified = match call.target.as_deref().map(|target| &target.expr) {
            Some(Expr::Ident(name)) if name == "optional" => Some(format!("optional.{}", call.func_name)),
            _ => None,
        };
        let name = qualified.as_deref().unwrap_or_else(|| call.func_name.trim_start_matches('.'));
        let Some(function) = functions::find(name) else {
            let position = self.name_before(position, &call.func_name);
            let message = format!("there is no function `{}`{}", shown(name), hint(name, functions::names()));
            self.faults.push(Fault::new(Code::UnknownFunction, message).position(position));
            return Kind::Null;
        };
        let target = call.target.as_deref().filter(|_| qualified.is_none());
        let arguments: Vec<Node> =
            target.into_iter().chain(&call.args).map(|argument| self.node(argument, depth + 1)).collect();
        if !(function.least..=function.takes.len()).contains(&arguments.len()) {
            let position = self.name_before(position, &call.func_name);
            self.refuse(position, format!("`{}` is called as `{}`", function.name, function.signature));
        }
        let pattern = arguments.get(1).filter(|_| function.has_pattern);
        let pattern = pattern.and_then(|pattern| self.pattern(function, pattern, group_of(function, &arguments)));
        if let Some(Node { position, kind: Kind::Text(form) }) = arguments.get(1).filter(|_| function.has_form)
            && !is_form(form)
        {
            self.refuse(*position, format!("`{}` {}", function.name, functions::FORM));
        }
        Kind::Call { function, arguments, pattern }
    }

    /// Patterns are literals, so that they are checked when the expression is, and compiled once.
    fn pattern(&mut self, function: &Function, argument: &Node, group: Option<&Node>) -> Option<Pattern> {
        let Kind::Text(pattern) = &argument.kind else {
            self.refuse(argument.position, format!("the pattern of `{}` must be a literal text", function.name));
            return None;
        };
        let Some(pattern) = Pattern::new(pattern) else {
            let message = format!(
                "the pattern of `{}` is no regular expression, or too large a one; correct it or make it shorter",
                function.name
            );
            self.refuse(argument.position, message);
            return None;
        };
        if let Some(Node { position, kind }) = group
            && !pattern.has_group(kind)
        {
            self.refuse(*position, format!("the pattern of `{}` has no such group", function.name));
        }
        Some(pattern)
    }

    /// Tables have literal names, so that one that is not there is found before it is needed.
    fn lookup(&mut self, table: &IdedExpr, key: &IdedExpr, default: Option<&IdedExpr>, depth: usize) -> Kind {
        let name = self.node(table, depth + 1);
        let found = match &name.kind {
            Kind::Text(name) => self.tables.find(name),
            _ => {
                self.refuse(name.position, "the table of `lookup` must be a literal text");
                Some(Arc::new(Attributes::new()))
            }
        };
        let table = found.unwrap_or_else(|| {
            let Kind::Text(text) = &name.kind else { return Arc::default() };
            self.refuse(name.position, format!("there is no table `{}`", shown(text)));
            Arc::default()
        });
        let key = Box::new(self.node(key, depth + 1));
        Kind::Lookup { table, key, default: default.map(|default| Box::new(self.node(default, depth + 1))) }
    }

    fn refuse(&mut self, position: usize, message: impl Into<String>) {
        self.faults.push(Fault::new(Code::ExpressionInvalid, message).position(position));
    }

    /// Where a node stands, in characters; the parser counts bytes.
    fn position(&self, expression: &IdedExpr) -> usize {
        let bytes = self.source.offset_for(expression.id).and_then(|(start, _)| usize::try_from(start).ok());
        bytes.and_then(|bytes| self.text.get(..bytes)).map_or(0, |before| before.chars().count())
    }

    /// A call stands where its parenthesis opens; its name stands before it.
    fn name_before(&self, position: usize, name: &str) -> usize {
        let before: Vec<char> = self.text.chars().take(position).collect();
        let spaces = before.iter().rev().take_while(|character| character.is_whitespace()).count();
        position.saturating_sub(spaces + name.chars().count())
    }
}

/// The argument that names a group of the pattern: the last that can be given.
fn group_of<'a>(function: &Function, arguments: &'a [Node]) -> Option<&'a Node> {
    arguments.get(function.takes.len().checked_sub(1).filter(|last| *last > 1)?)
}

/// A name for a message, which is one line however long the name is.
fn shown(name: &str) -> String {
    const LONGEST: usize = 40;
    let mut short: String = name.chars().take(LONGEST).filter(|character| !character.is_control()).collect();
    if name.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
