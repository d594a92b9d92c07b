//! Conversions between types.

use super::super::failure::Failure;
use super::super::term::Term;
use super::Arguments;

pub(super) fn string<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let value = call.value();
    if let Term::Text(text) = value {
        return call.made(text);
    }
    let text = value.plain_text()?.into_owned();
    call.made(text)
}

pub(super) fn int<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let value = call.value();
    let number = match &value {
        Term::Int(number) => Some(*number),
        Term::Text(text) => text.trim().parse().ok(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range is checked; the fraction is cut off, as CEL has it"
        )]
        Term::Double(number) if *number >= -LIMIT && *number < LIMIT => Some(*number as i64),
        Term::Double(_) => None,
        Term::Time(time) => Some(time.as_micros().div_euclid(1_000_000)),
        Term::Duration(micros) => Some(micros / 1_000_000),
        other => return Err(call.wrong("a number, a string, a time or a duration", other)),
    };
    number.map(Term::Int).ok_or_else(|| call.fail("was given what is no whole number of 64 bits"))
}

pub(super) fn double<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let value = call.value();
    let number = match &value {
        #[expect(clippy::cast_precision_loss, reason = "what `double` means")]
        Term::Int(number) => Some(*number as f64),
        Term::Double(number) => Some(*number),
        Term::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        other => return Err(call.wrong("a number or a string", other)),
    };
    number.map(Term::Double).ok_or_else(|| call.fail("was given what is no number"))
}

/// Also reads the words that source systems write: `yes`, `no`, `on`, `off`, `1`, `0`, in any letter case.
pub(super) fn bool<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let value = call.value();
    let truth = match &value {
        Term::Bool(value) => Some(*value),
        Term::Int(0) => Some(false),
        Term::Int(1) => Some(true),
        Term::Int(_) => None,
        Term::Text(text) => match text.trim().to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        other => return Err(call.wrong("a bool, a string, 0 or 1", other)),
    };
    truth.map(Term::Bool).ok_or_else(|| call.fail("was given what is neither true nor false"))
}

/// The name of the type, as text.
pub(super) fn kind<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let kind = call.value().kind();
    call.made(kind.rsplit(' ').next().unwrap_or(kind))
}
