//! Lists of values: compared as sets, and joined.

use super::compare::Comparison;
use crate::path::{keep_one_primary, member, merge_members, primaries};
use crate::value::{Attributes, is_empty};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Up to how many elements that are not quite alike are tried against each other; more are taken to differ.
const MOST_TRIED: usize = 64;

/// Two lists joined.
#[derive(Debug)]
pub(super) struct Union {
    /// What was there, and what is wanted.
    pub(super) all: Vec<Value>,
    /// What was not there at all.
    pub(super) added: Vec<Value>,
    /// Whether an element that was there changes.
    pub(super) changed: bool,
}

impl Comparison<'_> {
    /// Whether each element that is wanted has one of its own at the target, and there are no others. Neither order nor
    /// repetition matters.
    pub(super) fn same_list(self, attribute: &str, there: &[Value], wanted: &[Value]) -> bool {
        if there == wanted {
            return true;
        }
        let (mut there, mut wanted) = (self.distinct(attribute, there), self.distinct(attribute, wanted));
        if there.len() != wanted.len() {
            return false;
        }
        // Pairs that are alike in everything never stand in the way of another pair.
        let forms: BTreeSet<String> = there.keys().filter(|form| wanted.contains_key(*form)).cloned().collect();
        there.retain(|form, _| !forms.contains(form));
        wanted.retain(|form, _| !forms.contains(form));
        if wanted.len() > MOST_TRIED {
            // Telling elements apart by `value` or `type` is left, which is what long lists have.
            return self.same_by_key(attribute, there.values().copied(), wanted.values().copied());
        }
        let there: Vec<&Value> = there.into_values().collect();
        let meets = |wanted: &Value, index: usize| {
            there.get(index).is_some_and(|there| self.same_value(attribute, there, wanted))
        };
        let options: Vec<Vec<usize>> = wanted
            .into_values()
            .map(|wanted| (0..there.len()).filter(|index| meets(wanted, *index)).collect())
            .collect();
        let mut taken = vec![None; there.len()];
        (0..options.len()).all(|one| pair(one, &options, &mut taken, &mut vec![false; there.len()]))
    }

    fn same_by_key<'v>(
        self,
        attribute: &str,
        there: impl Iterator<Item = &'v Value>,
        mut wanted: impl Iterator<Item = &'v Value>,
    ) -> bool {
        let mut by_key: HashMap<Option<String>, Vec<&Value>> = HashMap::new();
        there.for_each(|there| by_key.entry(self.key(attribute, there)).or_default().push(there));
        let mut take = |wanted: &Value| {
            let candidates = by_key.get_mut(&self.key(attribute, wanted)).filter(|found| found.len() <= MOST_TRIED)?;
            let place = candidates.iter().position(|there| self.same_value(attribute, there, wanted))?;
            Some(candidates.swap_remove(place))
        };
        wanted.all(|wanted| take(wanted).is_some())
    }

    /// The elements without repetition, by their form.
    fn distinct<'v>(self, attribute: &str, items: &'v [Value]) -> HashMap<String, &'v Value> {
        items.iter().map(|item| (self.form(attribute, item), item)).collect()
    }

    /// The list that has both. A wanted element that the target has not takes the place of one with the same `value`, or,
    /// of elements without one, with the same `type`, member by member.
    pub(super) fn union(self, attribute: &str, there: &[Value], wanted: &[Value]) -> Union {
        let mut union = Union { all: there.to_vec(), added: Vec::new(), changed: false };
        let known = Known::new(self, attribute, there);
        // What is met already is never changed for the sake of another.
        let mut taken = BTreeSet::new();
        let mut lacking = Vec::new();
        let mut seen = BTreeSet::new();
        for item in wanted.iter().filter(|item| seen.insert(self.form(attribute, item))) {
            match known.meeting(item) {
                Some(index) => drop(taken.insert(index)),
                None => lacking.push(item),
            }
        }
        for item in lacking {
            let free = || known.named_alike(item).iter().copied().filter(|index| !taken.contains(index));
            let same_type = |index: &usize| kind(there.get(*index)) == kind(Some(item));
            let place = free().find(same_type).or_else(|| free().next());
            match place.and_then(|index| Some((index, union.all.get_mut(index)?))) {
                Some((index, element)) => {
                    replace_members(element, item);
                    taken.insert(index);
                    union.changed = true;
                }
                None => {
                    union.all.push(item.clone());
                    union.added.push(item.clone());
                }
            }
        }
        keep_one_primary(&mut union.all, &primaries(there));
        union
    }
}

/// The elements that are there, found by what tells them from the others.
struct Known<'v> {
    comparison: Comparison<'v>,
    attribute: &'v str,
    there: &'v [Value],
    by_key: HashMap<String, Vec<usize>>,
    by_form: HashMap<String, usize>,
}

impl<'v> Known<'v> {
    fn new(comparison: Comparison<'v>, attribute: &'v str, there: &'v [Value]) -> Self {
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_form = HashMap::new();
        for (index, item) in there.iter().enumerate() {
            if let Some(key) = comparison.key(attribute, item) {
                by_key.entry(key).or_default().push(index);
            }
            by_form.entry(comparison.form(attribute, item)).or_insert(index);
        }
        Self { comparison, attribute, there, by_key, by_form }
    }

    /// Those with the same `value`, or both without one and with the same `type`.
    fn named_alike(&self, item: &Value) -> &[usize] {
        let key = self.comparison.key(self.attribute, item);
        key.and_then(|key| self.by_key.get(&key)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first that does for what is wanted.
    fn meeting(&self, item: &Value) -> Option<usize> {
        let meets = |index: &usize| {
            self.there.get(*index).is_some_and(|there| self.comparison.same_value(self.attribute, there, item))
        };
        let alike = || self.by_form.get(&self.comparison.form(self.attribute, item)).copied();
        // Of more, only what is alike in everything is found: each would be compared with each.
        if has_value(item) {
            return self.named_alike(item).iter().copied().take(MOST_TRIED).find(meets).or_else(alike);
        }
        (0..self.there.len().min(MOST_TRIED)).find(meets).or_else(alike)
    }
}

/// Finds a place for an element, moving others to another of their places where it must be.
fn pair(one: usize, options: &[Vec<usize>], taken: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    options.get(one).into_iter().flatten().any(|&place| {
        let is_new = tried.get_mut(place).is_some_and(|tried| !std::mem::replace(tried, true));
        let free = is_new
            && match taken.get(place).copied().flatten() {
                Some(other) => pair(other, options, taken, tried),
                None => true,
            };
        if let Some(slot) = taken.get_mut(place).filter(|_| free) {
            *slot = Some(one);
        }
        free
    })
}

/// Whether it has a `value` that tells it from the others, which a list or an object does not.
fn has_value(item: &Value) -> bool {
    match item {
        Value::Object(members) => {
            member(members, "value").is_some_and(|value| !is_empty(value) && !value.is_array() && !value.is_object())
        }
        Value::Array(_) => false,
        _ => true,
    }
}

fn kind(element: Option<&Value>) -> Option<&Value> {
    member(element?.as_object()?, "type")
}

/// The members that are wanted win; a bare value stands for the member `value`.
fn replace_members(known: &mut Value, wanted: &Value) {
    let mut members = Attributes::new();
    merge_members(&mut members, known.take());
    merge_members(&mut members, wanted.clone());
    *known = Value::Object(members);
}
