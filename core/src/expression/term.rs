//! Values while an expression is evaluated. What comes from a record is borrowed, never copied; nulls in its objects
//! count as absent.

use super::failure::{Budget, Failure};
use crate::time::{Period, Timestamp};
use crate::value::{Attributes, Field};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

/// How deep a value may be nested; `serde_json` reads no deeper either.
const DEEPEST: usize = 128;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Term<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    /// A record's list.
    Array(&'a [Value]),
    /// A record's object.
    Object(&'a Attributes),
    /// A list that the expression made.
    List(Rc<Vec<Term<'a>>>),
    /// A map that the expression made, in order of its keys as written.
    Map(Rc<Vec<(Term<'a>, Term<'a>)>>),
    Time(Timestamp),
    /// A length of time in microseconds, of either sign.
    Duration(i64),
    Optional(Option<Box<Term<'a>>>),
}

impl<'a> Term<'a> {
    /// A record's value. Whole numbers become `int` whatever their sign, so that `user.number / 1000` works.
    ///
    /// # Errors
    /// `expression_failed` for a whole number that 64 bits with sign cannot hold: rounding it in silence would make
    /// another number of it.
    pub(super) fn from_json(value: &'a Value) -> Result<Self, Failure> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::from_number(number)?,
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(items) => Self::Array(items),
            Value::Object(object) => Self::Object(object),
        })
    }

    /// The value of a record's field; `None` where there is none.
    ///
    /// # Errors
    /// As for [`Term::from_json`].
    pub(super) fn from_field(field: &'a Field<'a>) -> Result<Option<Self>, Failure> {
        Ok(Some(match field {
            Field::Absent => return Ok(None),
            Field::Bool(value) => Self::Bool(*value),
            Field::Number(number) => Self::from_number(number)?,
            Field::Text(text) => Self::Text(Cow::Borrowed(text)),
            Field::Tree(value) => Self::from_json(value)?,
        }))
    }

    fn from_number(number: &Number) -> Result<Self, Failure> {
        match number.as_i64() {
            Some(number) => Ok(Self::Int(number)),
            None if number.is_u64() => Err(Failure::new("a whole number is larger than 64 bits can hold")),
            None => match number.as_f64().filter(|number| number.is_finite()) {
                Some(number) => Ok(Self::Double(number)),
                None => Err(Failure::new("a number is larger than 64 bits can hold")),
            },
        }
    }

    /// The result as a field. Text is handed on as it is.
    ///
    /// # Errors
    /// As for [`Term::into_json`].
    pub(super) fn into_field(self, budget: &mut Budget) -> Result<Field<'a>, Failure> {
        match self {
            Self::Text(text) => {
                budget.charge(1)?;
                budget.charge_text(&text)?;
                Ok(Field::Text(text))
            }
            term => term.to_json(budget, 0).map(Field::from),
        }
    }

    /// The result as JSON; `None` where there is no value. Nulls are dropped from objects.
    ///
    /// # Errors
    /// `expression_failed` for a number that is not finite, for nesting that is too deep, and where the budget is used up.
    pub(super) fn into_json(self, budget: &mut Budget) -> Result<Option<Value>, Failure> {
        let value = self.to_json(budget, 0)?;
        Ok((!value.is_null()).then_some(value))
    }

    fn to_json(&self, budget: &mut Budget, depth: usize) -> Result<Value, Failure> {
        budget.charge(1)?;
        if depth > DEEPEST {
            return Err(Failure::new("a value is nested too deep"));
        }
        // Every item and key, since those that are copied as they are cost no step of their own.
        budget.charge(self.length())?;
        Ok(match self {
            Self::Null | Self::Optional(None) => Value::Null,
            Self::Optional(Some(term)) => return term.to_json(budget, depth + 1),
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(number) => Value::from(*number),
            Self::Double(number) => {
                Value::Number(Number::from_f64(*number).ok_or_else(|| Failure::new("the result is no finite number"))?)
            }
            Self::Text(text) => {
                budget.charge_text(text)?;
                Value::String(text.clone().into_owned())
            }
            Self::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| copied(item).map_or_else(|| Self::from_json(item)?.to_json(budget, depth + 1), Ok))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Object(object) => Value::Object(
                object
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(key, value)| {
                        let value =
                            copied(value).map_or_else(|| Self::from_json(value)?.to_json(budget, depth + 1), Ok)?;
                        Ok((key.clone(), value))
                    })
                    .collect::<Result<_, Failure>>()?,
            ),
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.to_json(budget, depth + 1)).collect::<Result<_, _>>()?)
            }
            Self::Map(entries) => {
                let mut object = Attributes::new();
                for (key, value) in entries.iter() {
                    let value = value.to_json(budget, depth + 1)?;
                    if !value.is_null() {
                        object.insert(key.plain_text()?.into_owned(), value);
                    }
                }
                Value::Object(object)
            }
            Self::Time(time) => Value::String(time.to_string()),
            Self::Duration(micros) => Value::String(duration_text(*micros)),
        })
    }

    /// The type's name with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Double(_) => "a double",
            Self::Text(_) => "a string",
            Self::Array(_) | Self::List(_) => "a list",
            Self::Object(_) | Self::Map(_) => "a map",
            Self::Time(_) => "a timestamp",
            Self::Duration(_) => "a duration",
            Self::Optional(_) => "an optional",
        }
    }

    /// A scalar as text, as `string()` gives it.
    pub(super) fn plain_text(&self) -> Result<Cow<'_, str>, Failure> {
        Ok(match self {
            Self::Text(text) => Cow::Borrowed(text.as_ref()),
            Self::Bool(value) => Cow::Owned(value.to_string()),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Double(number) => Cow::Owned(number.to_string()),
            Self::Time(time) => Cow::Owned(time.to_string()),
            Self::Duration(micros) => Cow::Owned(duration_text(*micros)),
            Self::Null | Self::Array(_) | Self::Object(_) | Self::List(_) | Self::Map(_) | Self::Optional(_) => {
                return Err(Failure::new(format!("{} cannot be written as text", self.kind())));
            }
        })
    }

    /// Whether it stands for no value: `null`, or an optional without one.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Null | Self::Optional(None))
    }

    /// The items of a list or the keys of a map, `None` for anything else.
    ///
    /// # Errors
    /// As for [`Term::from_json`], and where the budget is used up.
    pub(super) fn items(&self, budget: &mut Budget) -> Result<Option<Vec<Self>>, Failure> {
        budget.charge(self.length())?;
        Ok(Some(match self {
            Self::Array(items) => items.iter().map(Self::from_json).collect::<Result<_, _>>()?,
            Self::List(items) => items.iter().map(|item| item.copy(budget)).collect::<Result<_, _>>()?,
            Self::Object(object) => present(object).map(|(key, _)| Self::Text(Cow::Borrowed(key.as_str()))).collect(),
            Self::Map(entries) => entries.iter().map(|(key, _)| key.copy(budget)).collect::<Result<_, _>>()?,
            _ => return Ok(None),
        }))
    }

    /// How many items or keys there are at most, told without looking at them.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Array(items) => items.len(),
            Self::List(items) => items.len(),
            Self::Object(object) => object.len(),
            Self::Map(entries) => entries.len(),
            _ => 0,
        }
    }

    /// The same value once more. A text that the expression made is copied, which is paid for.
    ///
    /// # Errors
    /// `expression_failed` where the budget is used up.
    pub(super) fn copy(&self, budget: &mut Budget) -> Result<Self, Failure> {
        let mut inner = self;
        while let Self::Optional(Some(value)) = inner {
            budget.charge(1)?;
            inner = value;
        }
        if let Self::Text(Cow::Owned(text)) = inner {
            budget.charge_text(text)?;
        }
        Ok(self.clone())
    }

    /// How many characters, items or keys it has; `None` where it has none to count.
    pub(super) fn size(&self) -> Option<usize> {
        Some(match self {
            Self::Text(text) => text.chars().count(),
            Self::Array(items) => items.len(),
            Self::List(items) => items.len(),
            Self::Object(object) => present(object).count(),
            Self::Map(entries) => entries.len(),
            _ => return None,
        })
    }

    /// The value under `key`: a member of a map, an item of a list. `Ok(None)` where there is none.
    ///
    /// # Errors
    /// `expression_failed` where the value has no members, or not under such a key.
    pub(super) fn get(&self, key: &Term<'_>, budget: &mut Budget) -> Result<Option<Self>, Failure> {
        let wrong = || Failure::new(format!("{} has no member under {}", self.kind(), key.kind()));
        match (self, key) {
            (Self::Object(object), Term::Text(name)) => {
                object.get(name.as_ref()).filter(|value| !value.is_null()).map(Self::from_json).transpose()
            }
            (Self::Object(_), Term::Bool(_) | Term::Int(_)) => Ok(None),
            (Self::Map(entries), Term::Text(_) | Term::Bool(_) | Term::Int(_)) => {
                for (candidate, value) in entries.iter() {
                    if candidate.equals(key, budget)? {
                        return value.copy(budget).map(Some);
                    }
                }
                Ok(None)
            }
            (Self::Array(items), Term::Int(index)) => {
                let item = usize::try_from(*index).ok().and_then(|index| items.get(index));
                item.map(Self::from_json).transpose()
            }
            (Self::List(items), Term::Int(index)) => {
                let item = usize::try_from(*index).ok().and_then(|index| items.get(index));
                item.map(|item| item.copy(budget)).transpose()
            }
            _ => Err(wrong()),
        }
    }

    /// The member of that name.
    ///
    /// # Errors
    /// `expression_failed` where the value is no map.
    pub(super) fn member(&self, name: &str, budget: &mut Budget) -> Result<Option<Self>, Failure> {
        match self {
            Self::Object(object) => object.get(name).filter(|value| !value.is_null()).map(Self::from_json).transpose(),
            Self::Map(_) => self.get(&Term::Text(Cow::Borrowed(name)), budget),
            _ => Err(Failure::new(format!("{} has no member `{name}`", self.kind()))),
        }
    }

    /// Equality as CEL has it: numbers by value whatever their type, values of different types are different.
    ///
    /// # Errors
    /// `expression_failed` for nesting that is too deep, and where the budget is used up.
    pub(super) fn equals(&self, other: &Term<'_>, budget: &mut Budget) -> Result<bool, Failure> {
        self.equals_at(other, budget, 0)
    }

    fn equals_at(&self, other: &Term<'_>, budget: &mut Budget, depth: usize) -> Result<bool, Failure> {
        budget.charge(1)?;
        if depth > DEEPEST {
            return Err(Failure::new("a value is nested too deep"));
        }
        Ok(match (self, other) {
            (Self::Null, Term::Null) => true,
            (Self::Bool(left), Term::Bool(right)) => left == right,
            (Self::Int(_) | Self::Double(_), Term::Int(_) | Term::Double(_)) => {
                self.compare(other) == Some(Ordering::Equal)
            }
            (Self::Text(left), Term::Text(right)) => {
                budget.charge_text(left)?;
                left == right
            }
            (Self::Time(left), Term::Time(right)) => left == right,
            (Self::Duration(left), Term::Duration(right)) => left == right,
            (Self::Optional(left), Term::Optional(right)) => match (left, right) {
                (None, None) => true,
                (Some(left), Some(right)) => left.equals_at(right, budget, depth + 1)?,
                _ => false,
            },
            (Self::Array(_) | Self::List(_), Term::Array(_) | Term::List(_)) => {
                if self.size() != other.size() {
                    return Ok(false);
                }
                let (Some(left), Some(right)) = (self.items(budget)?, other.items(budget)?) else { return Ok(false) };
                for (left, right) in left.iter().zip(&right) {
                    if !left.equals_at(right, budget, depth + 1)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Object(_) | Self::Map(_), Term::Object(_) | Term::Map(_)) => {
                // Keys are looked up in both, of which each takes as long as a few steps.
                budget.charge(self.length().saturating_add(other.length()).saturating_mul(4))?;
                let Some(keys) = self.items(budget)?.filter(|keys| Some(keys.len()) == other.size()) else {
                    return Ok(false);
                };
                for key in &keys {
                    let (Some(left), Some(right)) = (self.get(key, budget)?, other.get(key, budget)?) else {
                        return Ok(false);
                    };
                    if !left.equals_at(&right, budget, depth + 1)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => false,
        })
    }

    /// The order of two values of one kind; `None` where there is none.
    pub(super) fn compare(&self, other: &Term<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Term::Int(right)) => Some(left.cmp(right)),
            (Self::Double(left), Term::Double(right)) => left.partial_cmp(right),
            (Self::Int(left), Term::Double(right)) => compare_mixed(*left, *right),
            (Self::Double(left), Term::Int(right)) => compare_mixed(*right, *left).map(Ordering::reverse),
            (Self::Text(left), Term::Text(right)) => Some(left.as_ref().cmp(right.as_ref())),
            (Self::Bool(left), Term::Bool(right)) => Some(left.cmp(right)),
            (Self::Time(left), Term::Time(right)) => Some(left.cmp(right)),
            (Self::Duration(left), Term::Duration(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }
}

/// Numbers beyond what `int` and `double` hold can be passed on as they are, though not reckoned with.
fn copied(value: &Value) -> Option<Value> {
    value.is_number().then(|| value.clone())
}

fn present(object: &Attributes) -> impl Iterator<Item = (&String, &Value)> {
    object.iter().filter(|(_, value)| !value.is_null())
}

/// Compares without rounding: a `double` beyond the range of `int` is decided by its sign, within it by its whole part
/// and then its fraction.
fn compare_mixed(int: i64, double: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= LIMIT {
        return Some(Ordering::Less);
    }
    if double < -LIMIT {
        return Some(Ordering::Greater);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
    let whole = double.trunc() as i64;
    Some(int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal)))
}

fn duration_text(micros: i64) -> String {
    let period = Period::from_micros(micros.saturating_abs());
    if micros < 0 { format!("-{period}") } else { period.to_string() }
}
