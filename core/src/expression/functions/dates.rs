//! Functions of dates in other forms than ours: what source systems write, and what targets want.

use super::super::failure::{Failure, READING};
use super::super::term::Term;
use super::Arguments;
use super::times::time;
use crate::time::{Timestamp, is_form};
use std::borrow::Cow;

/// Reads a time, a date or a date with an offset; with a form, what is written in that form.
pub(super) fn date<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = match call.value() {
        Term::Time(time) if call.is_empty() => return Ok(Term::Time(time)),
        Term::Text(text) => text,
        other => return Err(call.wrong("a string", &other)),
    };
    call.budget.charge(READING + text.len() / 16)?;
    let time = match form(&mut call)? {
        None => Timestamp::read(&text),
        Some(form) => Timestamp::read_as(text.trim(), &form),
    };
    time.map(Term::Time).ok_or_else(|| call.fail("was given what is no date of that form"))
}

/// Writes a time in a form, in UTC or at a fixed offset.
pub(super) fn format<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let time = time(&mut call)?;
    let form = form(&mut call)?.unwrap_or_default();
    let offset = if call.is_empty() { None } else { Some(call.text()?) };
    match time.write_as(&form, offset.as_deref()) {
        Some(text) => call.made(text),
        None => Err(call.fail("takes an offset such as `+02:00`, and a time that has a date there")),
    }
}

fn form<'a>(call: &mut Arguments<'_, 'a>) -> Result<Option<Cow<'a, str>>, Failure> {
    if call.is_empty() {
        return Ok(None);
    }
    let form = call.text()?;
    if is_form(&form) { Ok(Some(form)) } else { Err(call.fail(super::FORM)) }
}

pub(super) fn add_months<'a>(call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    later(call, 1)
}

pub(super) fn add_years<'a>(call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    later(call, 12)
}

fn later<'a>(mut call: Arguments<'_, 'a>, months: i64) -> Result<Term<'a>, Failure> {
    let (time, count) = (time(&mut call)?, call.int()?);
    let later = count.checked_mul(months).and_then(|months| time.plus_months(months));
    later.map(Term::Time).ok_or_else(|| call.fail("gives a time that is out of range"))
}

/// Whole months from one time to another, below zero where the other is earlier.
pub(super) fn months_until<'a>(call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    between(call, 1)
}

/// Whole years from one time to another, below zero where the other is earlier.
pub(super) fn years_until<'a>(call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    between(call, 12)
}

fn between<'a>(mut call: Arguments<'_, 'a>, months: i64) -> Result<Term<'a>, Failure> {
    let (from, to) = (time(&mut call)?, time(&mut call)?);
    let between = from.months_until(to).map(|found| Term::Int(found / months));
    between.ok_or_else(|| call.fail("takes times that have a date"))
}

/// The time of a number that Active Directory stores: 100-nanosecond steps since 1601.
pub(super) fn from_file_time<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    call.int().map(|number| Term::Time(Timestamp::from_file_time(number)))
}

pub(super) fn to_file_time<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let number = time(&mut call)?.file_time();
    number.map(Term::Int).ok_or_else(|| call.fail("takes a time that 64 bits can count"))
}
