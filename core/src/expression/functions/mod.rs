//! The functions that expressions can call, each as `f(x, …)` and as `x.f(…)`. All are pure and bounded: a text they make
//! has at most 64 KiB. `core/docs/expressions.md` lists them; a test keeps that list and this table alike.

mod convert;
mod dates;
mod encode;
mod lists;
mod pieces;
mod text;
mod times;

use super::failure::{Budget, Failure, LONGEST_TEXT};
use super::kinds::Kinds;
use super::pattern::Pattern;
use super::term::Term;
use regex::Regex;
use std::borrow::Cow;

/// A function. The value it is called on counts as its first argument.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// How it is called, for messages.
    pub(super) signature: &'static str,
    /// What each argument may be.
    pub(super) takes: &'static [Kinds],
    /// The fewest arguments.
    pub(super) least: usize,
    pub(super) gives: Kinds,
    /// The steps of one call, and of every sixteen bytes of text that it is given.
    pub(super) weight: usize,
    /// How many times longer than its arguments the text that it makes can be.
    pub(super) growth: u64,
    /// Whether the second argument is a regular expression.
    pub(super) has_pattern: bool,
    /// Whether the second argument is the form of a date.
    pub(super) has_form: bool,
    pub(super) call: for<'a> fn(Arguments<'_, 'a>) -> Result<Term<'a>, Failure>,
}

const fn function(
    name: &'static str,
    signature: &'static str,
    takes: &'static [Kinds],
    gives: Kinds,
    call: for<'a> fn(Arguments<'_, 'a>) -> Result<Term<'a>, Failure>,
) -> Function {
    let least = takes.len();
    Function { name, signature, takes, least, gives, weight: 1, growth: 1, has_pattern: false, has_form: false, call }
}

impl Function {
    /// The last arguments may be left out.
    const fn optional(mut self, count: usize) -> Self {
        self.least = self.takes.len() - count;
        self
    }

    const fn weight(mut self, weight: usize) -> Self {
        self.weight = weight;
        self
    }

    const fn grows(mut self, growth: u64) -> Self {
        self.growth = growth;
        self
    }

    const fn with_pattern(mut self) -> Self {
        self.has_pattern = true;
        self
    }

    const fn with_form(mut self) -> Self {
        self.has_form = true;
        self
    }
}

const ANY: Kinds = Kinds::ANY;
const BOOL: Kinds = Kinds::BOOL;
const DURATION: Kinds = Kinds::DURATION;
const INT: Kinds = Kinds::INT;
const LIST: Kinds = Kinds::LIST;
const OPTIONAL: Kinds = Kinds::OPTIONAL;
const TEXT: Kinds = Kinds::TEXT;
const TIME: Kinds = Kinds::TIME;
/// Texts are read as times wherever one is taken.
const TIMELY: Kinds = Kinds::TIME.or(Kinds::TEXT);
const SCALAR: Kinds = Kinds::BOOL.or(Kinds::NUMBER).or(Kinds::TEXT).or(Kinds::TIME).or(Kinds::DURATION);
const SIZED: Kinds = Kinds::TEXT.or(Kinds::LIST).or(Kinds::MAP);
const NUMERIC: Kinds = Kinds::NUMBER.or(Kinds::TEXT);
const GROUP: Kinds = Kinds::INT.or(Kinds::TEXT);
const FOUND: Kinds = Kinds::TEXT.or(Kinds::NULL);

/// What is said of a form of dates that [`crate::time::is_form`] refuses.
pub(super) const FORM: &str = "takes a form of `%` and letters, such as `%Y-%m-%d`";

/// Every function, by its name.
pub(super) static TABLE: &[Function] = &[
    function("addDays", "time.addDays(count)", &[TIMELY, INT], TIME, times::add_days),
    function("addMonths", "time.addMonths(count)", &[TIMELY, INT], TIME, dates::add_months).weight(4),
    function("addYears", "time.addYears(count)", &[TIMELY, INT], TIME, dates::add_years).weight(4),
    function("after", "text.after(separator)", &[TEXT, TEXT], TEXT, text::after),
    function("ascii", "text.ascii() or text.ascii('de')", &[TEXT, TEXT], TEXT, text::ascii)
        .optional(1)
        .weight(8)
        .grows(32),
    function("base64", "text.base64() or text.base64('utf-16')", &[TEXT, TEXT], TEXT, encode::base64)
        .optional(1)
        .weight(2)
        .grows(3),
    function("before", "text.before(separator)", &[TEXT, TEXT], TEXT, text::before),
    function("bitAnd", "bitAnd(number, number)", &[INT, INT], INT, encode::bit_and),
    function("bool", "bool(value)", &[Kinds::BOOL.or(INT).or(TEXT)], BOOL, convert::bool),
    function("contains", "text.contains(part)", &[TEXT, TEXT], BOOL, text::contains),
    function("date", "date(text) or date(text, form)", &[TIMELY, TEXT], TIME, dates::date)
        .optional(1)
        .weight(2)
        .with_form(),
    function("daysUntil", "time.daysUntil(other)", &[TIMELY, TIMELY], INT, times::days_until),
    function("digits", "text.digits()", &[TEXT], TEXT, text::digits).weight(2),
    function("distinct", "list.distinct()", &[LIST], LIST, lists::distinct),
    function("double", "double(value)", &[NUMERIC], Kinds::DOUBLE, convert::double),
    function("duration", "duration('PT1H')", &[TEXT], DURATION, times::duration).weight(4),
    function("endsWith", "text.endsWith(part)", &[TEXT, TEXT], BOOL, text::ends_with),
    function(
        "extract",
        "text.extract(pattern) or text.extract(pattern, group)",
        &[TEXT, TEXT, GROUP],
        FOUND,
        pieces::extract,
    )
    .optional(1)
    .with_pattern(),
    function("first", "list.first()", &[LIST], ANY, lists::first),
    function("flatten", "list.flatten()", &[LIST], LIST, lists::flatten),
    function("fold", "text.fold()", &[TEXT], TEXT, text::fold).weight(24).grows(20),
    function("format", "time.format(form) or time.format(form, '+02:00')", &[TIMELY, TEXT, TEXT], TEXT, dates::format)
        .optional(1)
        .weight(8)
        .grows(16)
        .with_form(),
    function("fromFileTime", "fromFileTime(number)", &[INT], TIME, dates::from_file_time),
    function("hasValue", "optional.hasValue()", &[OPTIONAL], BOOL, lists::has_value),
    function("hex", "text.hex()", &[TEXT], TEXT, encode::hex).weight(2).grows(2),
    function("indexOf", "text.indexOf(part) or text.indexOf(part, start)", &[TEXT, TEXT, INT], INT, pieces::index_of)
        .weight(2)
        .optional(1),
    function("int", "int(value)", &[NUMERIC.or(TIME).or(DURATION)], INT, convert::int),
    function("join", "list.join(separator)", &[LIST, TEXT], TEXT, lists::join).optional(1),
    function("last", "list.last()", &[LIST], ANY, lists::last),
    function("left", "text.left(count)", &[TEXT, INT], TEXT, text::left),
    function("lower", "text.lower()", &[TEXT], TEXT, text::lower).weight(2).grows(2),
    function("matches", "text.matches(pattern)", &[TEXT, TEXT], BOOL, pieces::matches).with_pattern(),
    function("monthsUntil", "time.monthsUntil(other)", &[TIMELY, TIMELY], INT, dates::months_until).weight(8),
    function("nfc", "text.nfc()", &[TEXT], TEXT, text::nfc).weight(12).grows(3),
    function("nfkc", "text.nfkc()", &[TEXT], TEXT, text::nfkc).weight(12).grows(12),
    function("optional.none", "optional.none()", &[], OPTIONAL, lists::none),
    function("optional.of", "optional.of(value)", &[ANY], OPTIONAL, lists::of),
    function("or", "optional.or(other)", &[OPTIONAL, OPTIONAL], OPTIONAL, lists::or),
    function("orValue", "optional.orValue(value)", &[OPTIONAL, ANY], ANY, lists::or_value),
    function("padLeft", "text.padLeft(length, character)", &[TEXT, INT, TEXT], TEXT, text::pad_left).grows(u64::MAX),
    function("pick", "list.pick(name, value)", &[LIST, TEXT, ANY], ANY, lists::pick).weight(2),
    function("pluck", "list.pluck(name)", &[LIST, TEXT], LIST, lists::pluck).weight(2),
    function("primary", "list.primary()", &[LIST], ANY, lists::primary).weight(2),
    function("removePrefix", "text.removePrefix(prefix)", &[TEXT, TEXT], TEXT, text::remove_prefix),
    function("removeSuffix", "text.removeSuffix(suffix)", &[TEXT, TEXT], TEXT, text::remove_suffix),
    function(
        "replace",
        "text.replace(old, new) or text.replace(old, new, most)",
        &[TEXT, TEXT, TEXT, INT],
        TEXT,
        text::replace,
    )
    .optional(1)
    .grows(u64::MAX),
    function(
        "replaceMatch",
        "text.replaceMatch(pattern, new) or text.replaceMatch(pattern, new, group)",
        &[TEXT, TEXT, TEXT, GROUP],
        TEXT,
        pieces::replace_match,
    )
    .optional(1)
    .with_pattern()
    .grows(u64::MAX),
    function("right", "text.right(count)", &[TEXT, INT], TEXT, text::right).weight(2),
    function("sha256", "sha256(text)", &[TEXT], TEXT, encode::sha256).weight(6).grows(1),
    function("size", "value.size()", &[SIZED], INT, lists::size),
    function("slug", "text.slug() or text.slug('_')", &[TEXT, TEXT], TEXT, text::slug)
        .optional(1)
        .weight(6)
        .grows(u64::MAX),
    function("sorted", "list.sorted()", &[LIST], LIST, lists::sorted),
    function("split", "text.split(separator)", &[TEXT, TEXT], LIST, text::split),
    function("squeeze", "text.squeeze()", &[TEXT], TEXT, text::squeeze).weight(2),
    function("startsWith", "text.startsWith(part)", &[TEXT, TEXT], BOOL, text::starts_with),
    function("string", "string(value)", &[SCALAR], TEXT, convert::string),
    function("stripAccents", "text.stripAccents()", &[TEXT], TEXT, text::strip_accents).weight(12).grows(3),
    function(
        "substring",
        "text.substring(start) or text.substring(start, end)",
        &[TEXT, INT, INT],
        TEXT,
        pieces::substring,
    )
    .weight(2)
    .optional(1),
    function("timestamp", "timestamp('2026-11-20T09:00:00Z')", &[TIMELY.or(INT)], TIME, times::timestamp).weight(2),
    function("title", "text.title() or text.title(separators)", &[TEXT, TEXT], TEXT, text::title)
        .weight(8)
        .optional(1)
        .grows(3),
    function("toFileTime", "time.toFileTime()", &[TIMELY], INT, dates::to_file_time),
    function("trim", "text.trim()", &[TEXT], TEXT, text::trim),
    function("truncate", "text.truncate(count)", &[TEXT, INT], TEXT, text::left),
    function("type", "type(value)", &[ANY], TEXT, convert::kind),
    function("upper", "text.upper()", &[TEXT], TEXT, text::upper).weight(2).grows(3),
    function("uuid5", "uuid5(namespace, name)", &[TEXT, TEXT], TEXT, encode::uuid5).weight(6),
    function("value", "optional.value()", &[OPTIONAL], ANY, lists::value),
    function("word", "text.word(number) or text.word(number, separators)", &[TEXT, INT, TEXT], TEXT, pieces::word)
        .weight(2)
        .optional(1),
    function("yearsUntil", "time.yearsUntil(other)", &[TIMELY, TIMELY], INT, dates::years_until).weight(8),
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
    function: &'static Function,
    values: std::vec::IntoIter<Term<'a>>,
    pattern: Option<&'a Pattern>,
    pub(super) budget: &'b mut Budget,
}

impl<'b, 'a> Arguments<'b, 'a> {
    pub(super) fn new(
        function: &'static Function,
        values: Vec<Term<'a>>,
        pattern: Option<&'a Pattern>,
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
                self.budget.charge(self.function.weight.saturating_mul(text.len()) / 16)?;
                Ok(text)
            }
            other => Err(self.wrong("a string", &other)),
        }
    }

    /// The next argument as text, where there is one.
    pub(super) fn optional_text(&mut self) -> Result<Option<Cow<'a, str>>, Failure> {
        if self.is_empty() { Ok(None) } else { self.text().map(Some) }
    }

    /// Whether there is no argument left.
    pub(super) fn is_empty(&self) -> bool {
        self.values.len() == 0
    }

    /// The next argument as a whole number.
    pub(super) fn int(&mut self) -> Result<i64, Failure> {
        match self.value() {
            Term::Int(number) => Ok(number),
            other => Err(self.wrong("an int", &other)),
        }
    }

    /// The next argument as a whole number; one below zero counts as zero.
    pub(super) fn count(&mut self) -> Result<usize, Failure> {
        self.int().map(|number| usize::try_from(number.max(0)).unwrap_or(usize::MAX))
    }

    /// The next argument's items.
    pub(super) fn items(&mut self) -> Result<Vec<Term<'a>>, Failure> {
        let value = self.value();
        let items = match &value {
            Term::Array(_) | Term::List(_) => value.items(self.budget)?,
            _ => None,
        };
        items.ok_or_else(|| self.wrong("a list", &value))
    }

    /// The regular expression, in place of the argument that it was compiled from.
    pub(super) fn pattern(&mut self) -> Result<&'a Regex, Failure> {
        let _ = self.next();
        self.pattern.map(|pattern| &pattern.regex).ok_or_else(|| self.fail("has no pattern"))
    }

    /// Takes the steps of one search of the pattern in a text.
    pub(super) fn search(&mut self, length: usize) -> Result<(), Failure> {
        self.budget.charge(self.pattern.map_or(0, |pattern| pattern.steps(length)))
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
        Failure::new(format!("`{}` {what}", self.function.name))
    }
}
