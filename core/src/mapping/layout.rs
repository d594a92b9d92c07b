//! The form of what a mapping writes, where it can be told beforehand: which members stand in which object, in the order
//! of the canonical form. What [`crate::path::Path::put`] would make of the same targets one after another is the same.

use super::rule::CompiledRule;
use crate::path::{Path, is_multi_valued, same_name, same_value};
use crate::value::{canonical, write_text};
use serde_json::Value;

/// What stands at a place.
#[derive(Debug)]
pub(super) enum Place {
    /// The value of the rule of that number.
    Rule(usize),
    /// What a filter says of its element, as JSON.
    Fixed(String),
    Object(Vec<Member>),
    /// The elements in the order of their first rules.
    List(Vec<Vec<Member>>),
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    /// The name as JSON, with the colon.
    pub(super) name: String,
    pub(super) place: Place,
}

/// A path of which the first steps are dealt with.
struct Branch<'p> {
    rule: usize,
    steps: Vec<Step<'p>>,
}

#[derive(Clone, Copy)]
struct Step<'p> {
    name: &'p str,
    filter: &'p [(String, Value)],
    /// Whether it stands for a list though no filter says so.
    is_list: bool,
}

/// The members of the account, from the rules that are used on create with their numbers. Nothing where the form hangs on
/// the values or on the order in which they are put.
pub(super) fn layout<'r>(rules: impl Iterator<Item = (usize, &'r CompiledRule)>) -> Option<Vec<Member>> {
    members(rules.map(|(rule, compiled)| Branch { rule, steps: steps(&compiled.target) }).collect())
}

fn steps(target: &Path) -> Vec<Step<'_>> {
    let plain = |name| Step { name, filter: &[], is_list: false };
    let count = target.steps().count();
    let own = target.steps().enumerate().map(|(index, (name, filter))| {
        let is_list = target.schema().is_none() && index == 0 && count > 1 && is_multi_valued(name);
        Step { name, filter, is_list: is_list || !filter.is_empty() }
    });
    target.schema().map(plain).into_iter().chain(own).collect()
}

fn members(branches: Vec<Branch<'_>>) -> Option<Vec<Member>> {
    // Branches with the same first name, in the order of the rules.
    let mut names: Vec<(&str, Vec<(Step<'_>, Branch<'_>)>)> = Vec::new();
    for mut branch in branches {
        if branch.steps.is_empty() {
            return None;
        }
        let step = branch.steps.remove(0);
        match names.iter_mut().find(|(name, _)| same_name(name, step.name)) {
            // Where two are spelled differently, the one that is put first has its way.
            Some((name, _)) if *name != step.name => return None,
            Some((_, group)) => group.push((step, branch)),
            None => names.push((step.name, vec![(step, branch)])),
        }
    }
    names.sort_by_key(|(name, _)| *name);
    names.into_iter().map(|(name, group)| Some(member(name, place(group)?))).collect()
}

fn member(name: &str, place: Place) -> Member {
    let mut text = String::new();
    write_text(name, &mut text);
    text.push(':');
    Member { name: text, place }
}

fn place(group: Vec<(Step<'_>, Branch<'_>)>) -> Option<Place> {
    if let [(step, branch)] = group.as_slice()
        && !step.is_list
        && branch.steps.is_empty()
    {
        return Some(Place::Rule(branch.rule));
    }
    if group.iter().all(|(step, _)| !step.is_list) {
        return members(group.into_iter().map(|(_, branch)| branch).collect()).map(Place::Object);
    }
    list(group)
}

/// Elements that their filters tell apart whatever is put into them.
fn list(group: Vec<(Step<'_>, Branch<'_>)>) -> Option<Place> {
    let mut elements: Vec<(Step<'_>, Vec<Branch<'_>>)> = Vec::new();
    for (step, branch) in group {
        if !step.is_list || branch.steps.is_empty() {
            return None;
        }
        match elements.iter_mut().find(|(known, _)| known.filter == step.filter) {
            Some((_, branches)) => branches.push(branch),
            None => elements.push((step, vec![branch])),
        }
    }
    let filters: Vec<&[(String, Value)]> = elements.iter().map(|(step, _)| step.filter).collect();
    let apart = |index: usize, filter| filters.iter().skip(index + 1).all(|other| exclude(filter, other));
    if !filters.iter().enumerate().all(|(index, filter)| apart(index, filter)) {
        return None;
    }
    let written = |name: &str| {
        let below = elements.iter().flat_map(|(_, branches)| branches).filter_map(|branch| branch.steps.first());
        below.filter(|step| same_name(step.name, name)).count()
    };
    let filtered =
        |name: &str| filters.iter().flat_map(|filter| filter.iter()).any(|(known, _)| same_name(known, name));
    // An element that becomes primary changes the one that was; and what a filter says is put by nobody else.
    let primaries = written("primary");
    if primaries > 1 || primaries == 1 && filtered("primary") {
        return None;
    }
    if filters.iter().flat_map(|filter| filter.iter()).any(|(name, _)| written(name) > 0) {
        return None;
    }
    let elements = elements.into_iter().map(|(step, branches)| element(step.filter, branches));
    elements.collect::<Option<_>>().map(Place::List)
}

/// Whether no element can be meant by both filters.
fn exclude(left: &[(String, Value)], right: &[(String, Value)]) -> bool {
    let differs = |name: &str, value: &Value| {
        right.iter().any(|(other, wanted)| same_name(name, other) && !same_value(value, wanted))
    };
    left.iter().any(|(name, value)| differs(name, value))
}

fn element(filter: &[(String, Value)], branches: Vec<Branch<'_>>) -> Option<Vec<Member>> {
    let twice = |index: usize, name: &str| filter.iter().skip(index + 1).any(|(other, _)| same_name(name, other));
    if filter.iter().enumerate().any(|(index, (name, _))| twice(index, name)) {
        return None;
    }
    let mut members = members(branches)?;
    members.extend(filter.iter().map(|(name, value)| member(name, Place::Fixed(canonical(value)))));
    members.sort_by(|left, right| left.name.cmp(&right.name));
    Some(members)
}
