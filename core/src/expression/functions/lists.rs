//! Functions of lists, of SCIM's lists of objects, and of optional values.

use super::super::failure::Failure;
use super::super::term::Term;
use super::Arguments;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::rc::Rc;

pub(super) fn size<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let value = call.value();
    match &value {
        Term::Text(text) => call.budget.charge_text(text)?,
        // Nulls are passed over, so keys are counted one by one.
        other => call.budget.charge(other.length() / 4)?,
    }
    match value.size().and_then(|size| i64::try_from(size).ok()) {
        Some(size) => Ok(Term::Int(size)),
        None => Err(call.wrong("a string, a list or a map", &value)),
    }
}

/// The first item; `null` where there is none.
pub(super) fn first<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    Ok(call.items()?.into_iter().next().unwrap_or(Term::Null))
}

/// The last item; `null` where there is none.
pub(super) fn last<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    Ok(call.items()?.pop().unwrap_or(Term::Null))
}

/// Each value once, where it stands first.
pub(super) fn distinct<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let mut kept: Vec<Term<'a>> = Vec::new();
    let mut texts: HashSet<Cow<'a, str>> = HashSet::new();
    'items: for item in call.items()? {
        // Texts, of which lists can be long, are not compared with every other.
        if let Term::Text(text) = &item {
            call.budget.charge(3 + text.len() / 8)?;
            if texts.insert(text.clone()) {
                kept.push(item);
            }
            continue;
        }
        for known in &kept {
            if known.equals(&item, call.budget)? {
                continue 'items;
            }
        }
        kept.push(item);
    }
    Ok(Term::List(Rc::new(kept)))
}

pub(super) fn sorted<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let mut items = call.items()?;
    // Sorting compares every item about as often as the number of items has bits.
    let comparisons = usize::try_from(items.len().max(1).ilog2()).unwrap_or(0);
    for item in &items {
        let length = if let Term::Text(text) = item { text.len() } else { 0 };
        call.budget.charge(1 + comparisons / 4 + (length / 64).saturating_mul(comparisons))?;
    }
    // A sort may panic on an order that contradicts itself, so all are checked against one beforehand.
    let first = items.first().cloned().unwrap_or(Term::Int(0));
    if items.iter().any(|item| item.compare(&first).is_none()) {
        return Err(call.fail("takes a list of texts, or of numbers"));
    }
    items.sort_by(|left, right| left.compare(right).unwrap_or(Ordering::Equal));
    Ok(Term::List(Rc::new(items)))
}

/// One level of lists in a list.
pub(super) fn flatten<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let mut flat = Vec::new();
    for item in call.items()? {
        match &item {
            Term::Array(_) | Term::List(_) => flat.extend(item.items(call.budget)?.unwrap_or_default()),
            _ => flat.push(item),
        }
    }
    Ok(Term::List(Rc::new(flat)))
}

pub(super) fn join<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let items = call.items()?;
    let separator = call.optional_text()?.unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.push_str(&separator);
        }
        let text = item.plain_text()?;
        if joined.len() + text.len() > super::LONGEST_TEXT {
            return Err(call.too_long());
        }
        joined.push_str(&text);
        call.budget.charge(2 + text.len() / 16)?;
    }
    call.made(joined)
}

/// The first object whose member of that name has that value; `null` where there is none.
pub(super) fn pick<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (items, name, wanted) = (call.items()?, call.text()?, call.value());
    call.budget.charge(items.len())?;
    for item in items {
        if let Some(value) = item.member(&name, call.budget)?
            && value.equals(&wanted, call.budget)?
        {
            return Ok(item);
        }
    }
    Ok(Term::Null)
}

/// The member of that name of every object that has it.
pub(super) fn pluck<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (items, name) = (call.items()?, call.text()?);
    call.budget.charge(items.len())?;
    let mut values = Vec::new();
    for item in items {
        values.extend(item.member(&name, call.budget)?);
    }
    Ok(Term::List(Rc::new(values)))
}

/// The object with `primary: true`, else the first; `null` where there is none.
pub(super) fn primary<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let items = call.items()?;
    call.budget.charge(items.len())?;
    for item in &items {
        if let Term::Object(_) | Term::Map(_) = item
            && matches!(item.member("primary", call.budget)?, Some(Term::Bool(true)))
        {
            return item.copy(call.budget);
        }
    }
    Ok(items.into_iter().next().unwrap_or(Term::Null))
}

pub(super) fn of<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    Ok(Term::Optional(Some(Box::new(call.value()))))
}

#[expect(clippy::unnecessary_wraps, reason = "every function of the table has this form")]
pub(super) fn none<'a>(_: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    Ok(Term::Optional(None))
}

pub(super) fn has_value<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    Ok(Term::Bool(optional(&mut call)?.is_some()))
}

pub(super) fn value<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    optional(&mut call)?.ok_or_else(|| call.fail("was called on an optional without a value"))
}

pub(super) fn or_value<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let value = optional(&mut call)?;
    let other = call.value();
    Ok(value.unwrap_or(other))
}

pub(super) fn or<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let value = optional(&mut call)?;
    match (value, call.value()) {
        (Some(value), _) => Ok(Term::Optional(Some(Box::new(value)))),
        (None, other @ Term::Optional(_)) => Ok(other),
        (None, other) => Err(call.wrong("an optional", &other)),
    }
}

fn optional<'a>(call: &mut Arguments<'_, 'a>) -> Result<Option<Term<'a>>, Failure> {
    match call.value() {
        Term::Optional(value) => Ok(value.map(|value| *value)),
        other => Err(call.wrong("an optional, such as `user.?email`", &other)),
    }
}
