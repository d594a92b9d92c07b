//! What an expression says of itself before it is evaluated.

use super::kinds::Kinds;
use super::tree::{ComprehensionKind, Kind, Node};
use super::{Reads, cost};
use crate::model::ExpressionReport;
use std::collections::BTreeSet;

/// Reports on a tree that was checked.
pub(super) fn report(tree: &Node, reads: &Reads, kinds: Kinds) -> ExpressionReport {
    let mut report = ExpressionReport {
        place: String::new(),
        variables: BTreeSet::new(),
        functions: BTreeSet::new(),
        paths: match reads {
            Reads::All => BTreeSet::from(["*".to_owned()]),
            Reads::Paths(paths) => paths.clone(),
        },
        kind: kinds.names(),
        cost: cost::bound(tree),
    };
    collect(tree, &mut report);
    report
}

fn collect(node: &Node, report: &mut ExpressionReport) {
    if let Kind::Variable(variable) = &node.kind {
        report.variables.insert(variable.name());
    }
    report.functions.extend(function(node));
    node.for_each_child(&mut |child| collect(child, report));
}

/// The name of what a node calls.
fn function(node: &Node) -> Option<&'static str> {
    match &node.kind {
        Kind::Has(_) => Some("has"),
        Kind::Coalesce(_) => Some("coalesce"),
        Kind::IsBlank(_) => Some("isBlank"),
        Kind::Lookup { .. } => Some("lookup"),
        Kind::Call { function, .. } => Some(function.name),
        Kind::Comprehension(comprehension) => Some(match comprehension.kind {
            ComprehensionKind::All => "all",
            ComprehensionKind::Exists => "exists",
            ComprehensionKind::ExistsOne => "exists_one",
            ComprehensionKind::Map => "map",
            ComprehensionKind::Filter => "filter",
        }),
        _ => None,
    }
}
