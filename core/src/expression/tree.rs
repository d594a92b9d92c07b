//! An expression as a tree: what [`super::lower`] writes and [`super::evaluate`] reads. Every name in it is known, every
//! call has as many arguments as its function takes, and every pattern is compiled.

use super::Variable;
use super::functions::Function;
use super::pattern::Pattern;
use crate::value::Attributes;
use std::fmt::Write;
use std::sync::Arc;

/// A node and where it stands in the text, in characters from 0.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) position: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Variable(Variable),
    /// The variable of a comprehension, counted from the outermost.
    Local(usize),
    Member {
        of: Box<Node>,
        name: String,
        access: Access,
    },
    Index {
        of: Box<Node>,
        index: Box<Node>,
        access: Access,
    },
    /// `has(a.b)`.
    Has(Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    /// `a ? b : c`.
    Conditional(Box<[Node; 3]>),
    Binary(Operator, Box<[Node; 2]>),
    List(Vec<Element>),
    Map(Vec<(Node, Element)>),
    Comprehension(Box<Comprehension>),
    Coalesce(Vec<Node>),
    IsBlank(Box<Node>),
    Call {
        function: &'static Function,
        arguments: Vec<Node>,
        pattern: Option<Pattern>,
    },
    /// `lookup('table', key, default)`.
    Lookup {
        table: Arc<Attributes>,
        key: Box<Node>,
        default: Option<Box<Node>>,
    },
}

/// Whether a member must be there (`a.b`) or may be absent (`a.?b`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Certain,
    Optional,
}

/// An element of a list or map; an optional one (`[?a]`) is left out where it has no value.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) value: Node,
    pub(super) optional: bool,
}

/// `range.map(x, condition, body)` and its like.
#[derive(Debug)]
pub(super) struct Comprehension {
    pub(super) kind: ComprehensionKind,
    pub(super) range: Node,
    pub(super) condition: Option<Node>,
    pub(super) body: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ComprehensionKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Operator {
    /// How it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
        }
    }
}

impl Node {
    /// What the node reads, as it is written: `user.manager.name`. Names alone, for messages; never a value.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::Variable(variable) => variable.name().to_owned(),
            Kind::Member { of, name, .. } => format!("{}.{name}", of.describe()),
            Kind::Index { of, index, .. } => {
                let mut text = of.describe();
                // Writing into a `String` cannot fail.
                let _ = match &index.kind {
                    Kind::Text(key) => write!(text, "['{key}']"),
                    Kind::Int(index) => write!(text, "[{index}]"),
                    _ => write!(text, "[…]"),
                };
                text
            }
            Kind::Local(_) => "…".to_owned(),
            _ => "(…)".to_owned(),
        }
    }
}

impl Node {
    /// Shows every node right below this one, in the order of the text.
    pub(super) fn for_each_child<'t>(&'t self, visit: &mut dyn FnMut(&'t Node)) {
        match &self.kind {
            Kind::Member { of, .. } => visit(of),
            Kind::Index { of, index, .. } => [of, index].into_iter().for_each(|node| visit(node)),
            Kind::Has(value) | Kind::Not(value) | Kind::Negate(value) | Kind::IsBlank(value) => visit(value),
            Kind::And(pair) | Kind::Or(pair) | Kind::Binary(_, pair) => pair.iter().for_each(visit),
            Kind::Conditional(parts) => parts.iter().for_each(visit),
            Kind::List(elements) => elements.iter().for_each(|element| visit(&element.value)),
            Kind::Map(entries) => entries.iter().for_each(|(key, element)| {
                visit(key);
                visit(&element.value);
            }),
            Kind::Comprehension(comprehension) => {
                visit(&comprehension.range);
                comprehension.condition.iter().for_each(&mut *visit);
                visit(&comprehension.body);
            }
            Kind::Coalesce(nodes) | Kind::Call { arguments: nodes, .. } => nodes.iter().for_each(visit),
            Kind::Lookup { key, default, .. } => {
                visit(key);
                default.iter().for_each(|node| visit(node));
            }
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Double(_)
            | Kind::Text(_)
            | Kind::Variable(_)
            | Kind::Local(_) => {}
        }
    }
}
