//! The functions that expressions can call, each as `f(x, …)` and as `x.f(…)`. All are pure and bounded: a text they make
//! has at most 64 KiB. `core/docs/expressions.md` lists them; a test keeps that list and this table alike.

mod convert;
mod lists;
mod text;
mod times;

use super::failure::{Budget, Failure, LONGEST_TEXT};
use super::term::Term;
use regex::Regex;
use std::borrow::Cow;

/// A function. The value it is called on counts as its first argument.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The fewest arguments.
    pub(super) least: usize,
    /// The most arguments.
    pub(super) most: usize,
    /// How it is called, for messages.
    pub(super) signature: &'static str,
    /// Which argument is a regular expression.
    pub(super) pattern: Option<usize>,
    pub(super) call: for<'a> fn(Arguments<'_, 'a>) -> Result<Term<'a>, Failure>,
}

const fn function(
    name: &'static str,
    (least, most): (usize, usize),
    signature: &'static str,
    call: for<'a> fn(Arguments<'_, 'a>) -> Result<Term<'a>, Failure>,
) -> Function {
    Function { name, least, most, signature, pattern: None, call }
}

const fn with_pattern(mut function: Function) -> Function {
    function.pattern = Some(1);
    function
}

/// Every function.
pub(super) static TABLE: &[Function] = &[
    function("after", (2, 2), "text.after(separator)", text::after),
    function("ascii", (1, 2), "text.ascii() or text.ascii('de')", text::ascii),
    function("before", (2, 2), "text.before(separator)", text::before),
    function("bool", (1, 1), "bool(value)", convert::bool),
    function("contains", (2, 2), "text.contains(part)", text::contains),
    function("digits", (1, 1), "text.digits()", text::digits),
    function("distinct", (1, 1), "list.distinct()", lists::distinct),
    function("double", (1, 1), "double(value)", convert::double),
    function("duration", (1, 1), "duration('PT1H')", times::duration),
    function("endsWith", (2, 2), "text.endsWith(part)", text::ends_with),
    with_pattern(function("extract", (2, 3), "text.extract(pattern) or text.extract(pattern, group)", text::extract)),
    function("first", (1, 1), "list.first()", lists::first),
    function("flatten", (1, 1), "list.flatten()", lists::flatten),
    function("fold", (1, 1), "text.fold()", text::fold),
    function("hasValue", (1, 1), "optional.hasValue()", lists::has_value),
    function("int", (1, 1), "int(value)", convert::int),
    function("join", (1, 2), "list.join(separator)", lists::join),
    function("last", (1, 1), "list.last()", lists::last),
    function("left", (2, 2), "text.left(count)", text::left),
    function("lower", (1, 1), "text.lower()", text::lower),
    with_pattern(function("matches", (2, 2), "text.matches(pattern)", text::matches)),
    function("nfc", (1, 1), "text.nfc()", text::nfc),
    function("nfkc", (1, 1), "text.nfkc()", text::nfkc),
    function("optional.none", (0, 0), "optional.none()", lists::none),
    function("optional.of", (1, 1), "optional.of(value)", lists::of),
    function("or", (2, 2), "optional.or(other)", lists::or),
    function("orValue", (2, 2), "optional.orValue(value)", lists::or_value),
    function("padLeft", (3, 3), "text.padLeft(length, character)", text::pad_left),
    function("pick", (3, 3), "list.pick(name, value)", lists::pick),
    function("pluck", (2, 2), "list.pluck(name)", lists::pluck),
    function("primary", (1, 1), "list.primary()", lists::primary),
    function("removePrefix", (2, 2), "text.removePrefix(prefix)", text::remove_prefix),
    function("removeSuffix", (2, 2), "text.removeSuffix(suffix)", text::remove_suffix),
    function("replace", (3, 3), "text.replace(old, new)", text::replace),
    with_pattern(function("replaceMatch", (3, 3), "text.replaceMatch(pattern, new)", text::replace_match)),
    function("right", (2, 2), "text.right(count)", text::right),
    function("sha256", (1, 1), "sha256(text)", convert::sha256),
    function("size", (1, 1), "value.size()", lists::size),
    function("slug", (1, 2), "text.slug() or text.slug('_')", text::slug),
    function("sorted", (1, 1), "list.sorted()", lists::sorted),
    function("split", (2, 2), "text.split(separator)", text::split),
    function("squeeze", (1, 1), "text.squeeze()", text::squeeze),
    function("startsWith", (2, 2), "text.startsWith(part)", text::starts_with),
    function("string", (1, 1), "string(value)", convert::string),
    function("stripAccents", (1, 1), "text.stripAccents()", text::strip_accents),
    function("timestamp", (1, 1), "timestamp('2026-11-20T09:00:00Z')", times::timestamp),
    function("title", (1, 1), "text.title()", text::title),
    function("trim", (1, 1), "text.trim()", text::trim),
    function("truncate", (2, 2), "text.truncate(count)", text::left),
    function("type", (1, 1), "type(value)", convert::kind),
    function("upper", (1, 1), "text.upper()", text::upper),
    function("addDays", (2, 2), "time.addDays(count)", times::add_days),
    function("daysUntil", (2, 2), "time.daysUntil(other)", times::days_until),
    function("value", (1, 1), "optional.value()", lists::value),
];

/// The name of every function.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|function| function.name)
}

/// The function of that name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    TABLE.iter().find(|function| function.name == name)
}

/// The arguments of one call, and the budget it draws on.
pub(super) struct Arguments<'b, 'a> {
    function: &'static str,
    values: std::vec::IntoIter<Term<'a>>,
    pattern: Option<&'a Regex>,
    pub(super) budget: &'b mut Budget,
}

impl<'b, 'a> Arguments<'b, 'a> {
    pub(super) fn new(
        function: &'static str,
        values: Vec<Term<'a>>,
        pattern: Option<&'a Regex>,
        budget: &'b mut Budget,
    ) -> Self {
        Self { function, values: values.into_iter(), pattern, budget }
    }

    /// The next argument.
    pub(super) fn next(&mut self) -> Option<Term<'a>> {
        self.values.next()
    }

    /// The next argument, `null` where there is none.
    pub(super) fn value(&mut self) -> Term<'a> {
        self.next().unwrap_or(Term::Null)
    }

    /// The next argument as text.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, Failure> {
        match self.value() {
            Term::Text(text) => {
                self.budget.charge_text(&text)?;
                Ok(text)
            }
            other => Err(self.wrong("a string", &other)),
        }
    }

    /// The next argument as a whole number; one below zero counts as zero.
    pub(super) fn count(&mut self) -> Result<usize, Failure> {
        match self.value() {
            Term::Int(number) => Ok(usize::try_from(number.max(0)).unwrap_or(usize::MAX)),
            other => Err(self.wrong("an int", &other)),
        }
    }

    /// The next argument's items.
    pub(super) fn items(&mut self) -> Result<Vec<Term<'a>>, Failure> {
        let value = self.value();
        let items = match &value {
            Term::Array(_) | Term::List(_) => value.items()?,
            _ => None,
        };
        let items = items.ok_or_else(|| self.wrong("a list", &value))?;
        self.budget.charge(items.len())?;
        Ok(items)
    }

    /// The regular expression, in place of the argument that it was compiled from.
    pub(super) fn pattern(&mut self) -> Result<&'a Regex, Failure> {
        let _ = self.next();
        self.pattern.ok_or_else(|| self.fail("has no pattern"))
    }

    /// A text that the function made.
    pub(super) fn made(self, text: impl Into<Cow<'a, str>>) -> Result<Term<'a>, Failure> {
        let text = text.into();
        if matches!(text, Cow::Owned(_)) && text.len() > LONGEST_TEXT {
            return Err(self.too_long());
        }
        self.budget.charge_text(&text)?;
        Ok(Term::Text(text))
    }

    pub(super) fn too_long(&self) -> Failure {
        self.fail("would make a text longer than 64 KiB")
    }

    pub(super) fn wrong(&self, wanted: &str, got: &Term<'_>) -> Failure {
        self.fail(&format!("takes {wanted}, not {}", got.kind()))
    }

    pub(super) fn fail(&self, what: &str) -> Failure {
        Failure::new(format!("`{}` {what}", self.function))
    }
}
