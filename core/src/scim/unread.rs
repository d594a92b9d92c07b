//! Leaving out of a long listing what nobody reads. That is done only after the first page, asked for both ways, has shown
//! that nothing else is left out: what a listing does not show is compared as empty.

use super::answer;
use super::exchange::Exchange;
use super::selection::{is_done, says_nothing};
use crate::connector::{AttributeSelection, TargetAccount};
use crate::value::{Attributes, fold_case};
use std::collections::BTreeSet;

/// How long the list of names may be in a URL.
const LONGEST: usize = 500;
/// What is left out must be so much of a page, in hundredths, to be worth a question.
const WORTH: usize = 25;

/// The names of what the rest of a listing can do without, joined by commas; none where the target shows nothing besides, leaves out
/// something else with it, or not enough to matter. `plain` is the first page as it was answered.
pub(super) fn unread(
    exchange: &Exchange,
    parameters: &[(&str, &str)],
    plain: &[u8],
    read: &AttributeSelection,
) -> Option<String> {
    if !exchange.knowledge.selects() {
        return None;
    }
    let whole = answer::rows(plain)?.accounts;
    let shown = names(&whole);
    // Of what the page does not show it cannot be seen whether it would be left out.
    let is_all_shown = read.names().all(|name| shown.iter().any(|shown| fold_case(shown) == name));
    let left_out: Vec<&str> =
        shown.iter().copied().filter(|name| *name != "meta" && is_simple(name) && !read.holds(name)).collect();
    let joined = left_out.join(",");
    if !is_all_shown || left_out.is_empty() || joined.len() > LONGEST {
        return None;
    }
    let asked: Vec<(&str, &str)> =
        parameters.iter().copied().chain([("excludedAttributes", joined.as_str())]).collect();
    let part = exchange.accounts(&asked).ok()?;
    let rows = if is_done(&part) { answer::rows(&part.body).map(|rows| rows.accounts) } else { None };
    let Some(rows) = rows else {
        if !says_nothing(&part) && exchange.is_of_the_target(&part) {
            exchange.knowledge.learn_no_selection();
        }
        return None;
    };
    let kept: BTreeSet<&str> = shown.iter().copied().filter(|name| !left_out.contains(name)).collect();
    if !rows.is_empty() && !kept.is_subset(&names(&rows)) {
        exchange.knowledge.learn_no_selection();
        return None;
    }
    let is_worth_it = part.body.len() * 100 <= plain.len() * (100 - WORTH);
    let is_same = whole.len() == rows.len()
        && whole.iter().zip(&rows).all(|(whole, part)| without(whole, &left_out) == without(part, &left_out));
    (is_worth_it && is_same).then_some(joined)
}

fn names(accounts: &[TargetAccount]) -> BTreeSet<&str> {
    accounts.iter().flat_map(|account| account.attributes.keys()).map(String::as_str).collect()
}

/// Whether the name is that of an attribute at the top (RFC 7643 §2.1), and not that of an extension.
fn is_simple(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_' || one == '-')
}

fn without(account: &TargetAccount, left_out: &[&str]) -> (TargetAccount, Attributes) {
    let mut bare = account.clone();
    let mut attributes = std::mem::take(&mut bare.attributes);
    attributes.retain(|name, _| !left_out.contains(&name.as_str()));
    (bare, attributes)
}
