//! Which attributes of the user an expression reads.

use super::Variable;
use super::tree::{Kind, Node};
use std::collections::BTreeSet;

/// The user attributes that something reads, as dotted paths (`manager.name`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Which ones can only be told while it is evaluated: any of them.
    All,
    /// These, and what lies below them.
    Paths(BTreeSet<String>),
}

impl Reads {
    /// Nothing at all.
    pub fn none() -> Self {
        Self::Paths(BTreeSet::new())
    }

    /// What either reads.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Paths(mut paths), Self::Paths(more)) => {
                paths.extend(more.iter().cloned());
                Self::Paths(paths)
            }
            (Self::All, _) | (_, Self::All) => Self::All,
        }
    }

    /// Whether a change of the attribute at `path` can matter: it is read, or lies above or below what is read.
    pub fn touches(&self, path: &str) -> bool {
        let covers = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match self {
            Self::All => true,
            Self::Paths(paths) => paths.iter().any(|read| covers(read, path) || covers(path, read)),
        }
    }

    /// The names of the user's own keys that are read; `None` for any.
    pub fn roots(&self) -> Option<BTreeSet<&str>> {
        match self {
            Self::All => None,
            Self::Paths(paths) => Some(paths.iter().filter_map(|path| path.split('.').next()).collect()),
        }
    }
}

/// Collects the paths of a tree that begin at one variable.
#[derive(Debug)]
pub(super) struct Collector {
    root: Variable,
    all: bool,
    paths: BTreeSet<String>,
}

impl Default for Collector {
    fn default() -> Self {
        Self::of(Variable::User)
    }
}

impl Collector {
    pub(super) fn of(root: Variable) -> Self {
        Self { root, all: false, paths: BTreeSet::new() }
    }

    pub(super) fn finish(self) -> Reads {
        if self.all { Reads::All } else { Reads::Paths(self.paths) }
    }

    pub(super) fn visit(&mut self, node: &Node) {
        if let Some(path) = path_of(node, self.root) {
            match path.names.is_empty() {
                true => self.all = true,
                false => drop(self.paths.insert(path.names.join("."))),
            }
        }
        self.visit_below(node);
    }

    /// What else a node evaluates. The steps of a path are no reads of their own, but a computed index is.
    fn visit_below(&mut self, node: &Node) {
        match &node.kind {
            Kind::Member { of, .. } => self.visit_step(node, of),
            Kind::Index { of, index, .. } => {
                self.visit_step(node, of);
                self.visit(index);
            }
            Kind::Has(value) | Kind::Not(value) | Kind::Negate(value) | Kind::IsBlank(value) => self.visit(value),
            Kind::And(pair) | Kind::Or(pair) | Kind::Binary(_, pair) => pair.iter().for_each(|node| self.visit(node)),
            Kind::Conditional(nodes) => nodes.iter().for_each(|node| self.visit(node)),
            Kind::List(elements) => elements.iter().for_each(|element| self.visit(&element.value)),
            Kind::Map(entries) => {
                for (key, element) in entries {
                    self.visit(key);
                    self.visit(&element.value);
                }
            }
            Kind::Comprehension(comprehension) => {
                self.visit(&comprehension.range);
                comprehension.condition.iter().for_each(|node| self.visit(node));
                self.visit(&comprehension.body);
            }
            Kind::Lookup { key, default, .. } => {
                self.visit(key);
                default.iter().for_each(|node| self.visit(node));
            }
            Kind::Coalesce(nodes) | Kind::Call { arguments: nodes, .. } => {
                nodes.iter().for_each(|node| self.visit(node));
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

    fn visit_step(&mut self, node: &Node, of: &Node) {
        if path_of(node, self.root).is_some() {
            self.visit_below(of);
        } else {
            self.visit(of);
        }
    }
}

/// A path from the variable, as far as its names are known.
struct Path<'t> {
    names: Vec<&'t str>,
    open: bool,
}

fn path_of(node: &Node, root: Variable) -> Option<Path<'_>> {
    let (of, name) = match &node.kind {
        Kind::Variable(variable) if *variable == root => return Some(Path { names: Vec::new(), open: true }),
        Kind::Member { of, name, .. } => (of, Some(name)),
        Kind::Index { of, index, .. } => match &index.kind {
            Kind::Text(name) => (of, Some(name)),
            _ => (of, None),
        },
        _ => return None,
    };
    let mut path = path_of(of, root)?;
    // A name with a dot in it cannot stand in a dotted path: the path ends before it, as it does at a computed step.
    match name.filter(|name| path.open && !name.contains('.')) {
        Some(name) => path.names.push(name),
        None => path.open = false,
    }
    Some(path)
}
