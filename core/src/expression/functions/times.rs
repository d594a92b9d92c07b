//! Functions of times. All times are in UTC.

use super::super::failure::{Failure, READING};
use super::super::term::Term;
use super::Arguments;
use crate::time::{Period, Timestamp};

const DAY: i64 = 86_400_000_000;

/// Reads RFC 3339 text; a date alone is its first moment; a number counts seconds since 1970.
pub(super) fn timestamp<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let value = call.value();
    let Term::Int(seconds) = value else { return time_of(&mut call, &value).map(Term::Time) };
    let micros = seconds.checked_mul(1_000_000).map(Timestamp::from_micros);
    micros.map(Term::Time).ok_or_else(|| call.fail("gives a time that is out of range"))
}

/// Reads an ISO 8601 duration of days or less.
pub(super) fn duration<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    match Period::parse(&text) {
        Ok(period) => Ok(Term::Duration(period.as_micros())),
        Err(_) => Err(call.fail("takes an ISO 8601 duration, such as `PT1H` or `P30D`")),
    }
}

pub(super) fn add_days<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (time, days) = (time(&mut call)?, call.int()?);
    let micros = days.checked_mul(DAY).and_then(|micros| time.as_micros().checked_add(micros));
    micros
        .map(|micros| Term::Time(Timestamp::from_micros(micros)))
        .ok_or_else(|| call.fail("gives a time that is out of range"))
}

/// Whole days from one time to another, below zero where the other is earlier.
pub(super) fn days_until<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (from, to) = (time(&mut call)?, time(&mut call)?);
    match to.as_micros().checked_sub(from.as_micros()) {
        Some(micros) => Ok(Term::Int(micros / DAY)),
        None => Err(call.fail("takes times that are nearer to each other")),
    }
}

/// The next argument as a time.
pub(super) fn time(call: &mut Arguments<'_, '_>) -> Result<Timestamp, Failure> {
    let value = call.value();
    time_of(call, &value)
}

fn time_of(call: &mut Arguments<'_, '_>, value: &Term<'_>) -> Result<Timestamp, Failure> {
    match value {
        Term::Time(time) => Ok(*time),
        Term::Text(text) => {
            call.budget.charge(READING + text.len() / 16)?;
            Timestamp::read(text)
                .ok_or_else(|| call.fail("takes an RFC 3339 time, such as `2026-11-20T09:00:00Z`, or a date"))
        }
        other => Err(call.wrong("a timestamp or a string", other)),
    }
}
