//! Expressions: how a value is computed from a user's attributes. The language is CEL; what it offers is listed in
//! `core/docs/expressions.md`. Expressions are compiled once, checked when they are, bounded when they are evaluated, and
//! tell which attributes they read. They see no clock, no randomness and nothing outside but their variables.
//!
//! ```
//! use rollkeeper::expression::{Expression, Inputs, Variable};
//! let user = serde_json::json!({"firstName": "Zoë", "lastName": "Łęcka"});
//! let expression = Expression::compile("(user.firstName.left(1) + user.lastName).ascii().lower()", &Variable::ALL)
//!     .map_err(|faults| faults[0].clone())?;
//! let inputs = Inputs::new(user.as_object().expect("an object"), rollkeeper::Timestamp::default());
//! assert_eq!(expression.evaluate(&inputs)?, Some("zlecka".into()));
//! # Ok::<(), rollkeeper::Fault>(())
//! ```

mod evaluate;
mod failure;
mod functions;
mod lower;
mod parse;
mod reads;
mod term;
mod tree;

pub use reads::Reads;

use crate::fault::Fault;
use crate::time::Timestamp;
use crate::value::{Attributes, Field, Record};
use serde::Deserialize;
use serde_json::Value;

/// What an expression can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// The user's record.
    User,
    /// The account's attributes; empty while it is created.
    Current,
    /// The app: `id` and `label`.
    App,
    /// How many candidates for a unique value were refused, 0 first.
    Iteration,
    /// The same as text to append: `""` first, then `"2"`, `"3"`, ….
    Token,
    /// The time of the engine's clock.
    Now,
}

impl Variable {
    /// All that a mapping has.
    pub const ALL: [Self; 6] = [Self::User, Self::Current, Self::App, Self::Iteration, Self::Token, Self::Now];

    /// The name in expressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Current => "current",
            Self::App => "app",
            Self::Iteration => "iteration",
            Self::Token => "token",
            Self::Now => "now",
        }
    }
}

/// The values of the variables.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The user's record.
    pub user: &'a Attributes,
    /// The account's attributes; `None` while it is created.
    pub current: Option<&'a Attributes>,
    /// The app's id.
    pub app_id: &'a str,
    /// The app's label.
    pub app_label: &'a str,
    /// How many candidates were refused.
    pub iteration: u32,
    /// The same as text.
    pub token: &'a str,
    /// The time.
    pub now: Timestamp,
}

impl<'a> Inputs<'a> {
    /// A user and the time; nothing else is known.
    pub fn new(user: &'a Attributes, now: Timestamp) -> Self {
        Self { user, current: None, app_id: "", app_label: "", iteration: 0, token: "", now }
    }
}

/// A compiled expression. That it exists means that every name in it is known and that it is not too large.
#[derive(Debug)]
pub struct Expression {
    tree: tree::Node,
    reads: Reads,
}

impl Expression {
    /// Reads and checks an expression that may name `variables`.
    ///
    /// # Errors
    /// Every fault found, with its position in characters: `expression_invalid` for what cannot be read, is too large
    /// (4096 bytes, 400 parts, 48 levels, 6 loops over lists, 2 of them nested) or calls a function wrongly;
    /// `unknown_variable`; `unknown_function`.
    pub fn compile(text: &str, variables: &[Variable]) -> Result<Self, Vec<Fault>> {
        parse::parse(text, variables).map(|lowered| Self { tree: lowered.tree, reads: lowered.reads })
    }

    /// The user attributes that it reads.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Computes the value; `None` where the expression gives `null` or an empty optional.
    ///
    /// # Errors
    /// `expression_failed`, with the position, where an attribute without a value is read outside `has`, `coalesce` and
    /// their like, a value has the wrong type, a number is out of range, or too many steps are taken. The message
    /// names paths and functions, never a value.
    pub fn evaluate(&self, inputs: &Inputs<'_>) -> Result<Option<Value>, Fault> {
        evaluate::evaluate(&self.tree, inputs).map_err(Fault::from)
    }

    /// Computes the value for a record that was read in part, in place of `inputs.user`, which must be empty. The roots of
    /// [`Expression::reads`] must have been read. Gives nothing where [`Expression::evaluate`] fails, which then tells why.
    pub(crate) fn field<'a>(&'a self, record: &'a Record<'a>, inputs: &'a Inputs<'a>) -> Option<Field<'a>> {
        evaluate::field(&self.tree, record, inputs).ok()
    }
}

/// What [`evaluate`] takes beside the expression and the user, each key optional.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The account's attributes.
    pub current: Option<Attributes>,
    /// The app.
    pub app: AppNames,
    /// How many candidates were refused.
    pub iteration: u32,
    /// The same as text.
    pub token: String,
    /// The time, instead of the clock's.
    pub now: Option<Timestamp>,
}

/// The app, as expressions see it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppNames {
    /// Its id.
    pub id: String,
    /// Its label.
    pub label: String,
}

/// Compiles and evaluates in one go; `null` where there is no value.
///
/// # Errors
/// As for [`Expression::compile`] and [`Expression::evaluate`].
pub fn evaluate(expression: &str, user: &Attributes, options: &Options, now: Timestamp) -> Result<Value, Vec<Fault>> {
    let inputs = Inputs {
        user,
        current: options.current.as_ref(),
        app_id: &options.app.id,
        app_label: &options.app.label,
        iteration: options.iteration,
        token: &options.token,
        now: options.now.unwrap_or(now),
    };
    let value = Expression::compile(expression, &Variable::ALL)?.evaluate(&inputs).map_err(|fault| vec![fault])?;
    Ok(value.unwrap_or(Value::Null))
}
