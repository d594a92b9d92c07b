//! Functions that find and take pieces of a text. Places count characters from 0.

use super::super::failure::Failure;
use super::super::term::Term;
use super::Arguments;
use regex::{Captures, Regex};

/// Where a part stands first, from a place on; -1 where it does not.
pub(super) fn index_of<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, part) = (call.text()?, call.text()?);
    let start = if call.is_empty() { 0 } else { call.count()? };
    let skipped = text.char_indices().nth(start).map_or(text.len(), |(byte, _)| byte);
    let rest = text.get(skipped..).unwrap_or_default();
    let found = rest.find(part.as_ref()).and_then(|byte| rest.get(..byte));
    let place = found.map(|before| start.min(text.chars().count()) + before.chars().count());
    Ok(Term::Int(place.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1)))
}

/// From a place up to another, or to the end; what lies beyond the text is left out.
pub(super) fn substring<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, start) = (call.text()?, call.count()?);
    let end = if call.is_empty() { usize::MAX } else { call.count()? };
    call.made(text.chars().skip(start).take(end.saturating_sub(start)).collect::<String>())
}

/// The word of that number, counted from 1; `""` where there is none. Words stand between white space, or between the
/// characters given.
pub(super) fn word<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, number) = (call.text()?, call.count()?);
    let separators = call.optional_text()?;
    let separates = |one: char| separators.as_ref().map_or(one.is_whitespace(), |some| some.contains(one));
    if let Some(separators) = &separators {
        call.budget.charge(text.len().saturating_mul(separators.len()) / 16)?;
    }
    let mut words = text.split(separates).filter(|word| !word.is_empty());
    let word = number.checked_sub(1).and_then(|skipped| words.nth(skipped)).unwrap_or_default().to_owned();
    call.made(word)
}

pub(super) fn matches<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    let pattern = call.pattern()?;
    call.search(text.len())?;
    Ok(Term::Bool(pattern.is_match(&text)))
}

/// The first match, or one group of it; `null` where nothing matches.
pub(super) fn extract<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    let pattern = call.pattern()?;
    let group = call.next();
    call.search(text.len())?;
    let captures = pattern.captures(&text);
    let found = match &group {
        None => captures.as_ref().and_then(|found| found.get(usize::from(pattern.captures_len() > 1))),
        Some(group) => captures.as_ref().map_or(Ok(None), |found| part(&call, found, group))?,
    };
    match found.map(|part| part.as_str().to_owned()) {
        Some(part) => call.made(part),
        None => Ok(Term::Null),
    }
}

/// Every match, or one group of it, replaced by a text in which `$1` and `${name}` stand for groups.
pub(super) fn replace_match<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    let pattern: &Regex = call.pattern()?;
    let new = call.text()?;
    let group = call.next();
    let mut made = String::new();
    let mut copied = 0;
    let mut matches = pattern.captures_iter(&text);
    loop {
        // What is left is looked at again for every match, so every match is paid for: patterns exist that read all of it.
        call.search(text.len() - copied.min(text.len()))?;
        let Some(captures) = matches.next() else { break };
        let replaced = group.as_ref().map_or(Ok(captures.get(0)), |group| part(&call, &captures, group))?;
        let Some(replaced) = replaced else { continue };
        made.push_str(text.get(copied..replaced.start()).unwrap_or_default());
        captures.expand(&new, &mut made);
        copied = replaced.end();
        if made.len() > super::LONGEST_TEXT {
            return Err(call.too_long());
        }
    }
    made.push_str(text.get(copied..).unwrap_or_default());
    call.made(made)
}

/// A group by its number or name.
fn part<'t>(
    call: &Arguments<'_, '_>,
    captures: &Captures<'t>,
    group: &Term<'_>,
) -> Result<Option<regex::Match<'t>>, Failure> {
    match group {
        Term::Int(number) => Ok(usize::try_from(*number).ok().and_then(|number| captures.get(number))),
        Term::Text(name) => Ok(captures.name(name)),
        other => Err(call.wrong("the number or name of a group", other)),
    }
}
