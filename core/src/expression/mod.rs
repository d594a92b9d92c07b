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

mod cost;
mod evaluate;
mod failure;
mod functions;
mod kinds;
mod lower;
mod parse;
mod pattern;
mod reads;
mod report;
mod term;
mod tree;

pub use reads::Reads;

use crate::fault::{Code, Fault};
use crate::model::ExpressionReport;
use crate::time::Timestamp;
use crate::value::{Attributes, Field, Record};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

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

impl Inputs<'_> {
    /// The value of a variable, as JSON.
    pub fn value_of(&self, variable: Variable) -> Value {
        match variable {
            Variable::User => Value::Object(self.user.clone()),
            Variable::Current => Value::Object(self.current.cloned().unwrap_or_default()),
            Variable::App => json!({"id": self.app_id, "label": self.app_label}),
            Variable::Iteration => Value::from(self.iteration),
            Variable::Token => Value::from(self.token),
            Variable::Now => Value::from(self.now.to_string()),
        }
    }
}

/// What `lookup` finds values in: tables by their names, each with values by their keys.
#[derive(Clone, Debug, Default)]
pub struct Tables(BTreeMap<String, Arc<Attributes>>);

impl Tables {
    fn find(&self, name: &str) -> Option<Arc<Attributes>> {
        self.0.get(name).cloned()
    }
}

impl From<&BTreeMap<String, Attributes>> for Tables {
    fn from(tables: &BTreeMap<String, Attributes>) -> Self {
        Self(tables.iter().map(|(name, table)| (name.clone(), Arc::new(table.clone()))).collect())
    }
}

/// A compiled expression. That it exists means that every name in it is known and that it is not too large.
#[derive(Debug)]
pub struct Expression {
    tree: tree::Node,
    reads: Reads,
    kinds: kinds::Kinds,
}

impl Expression {
    /// Reads and checks an expression that may name `variables`, and no tables.
    ///
    /// # Errors
    /// As for [`Expression::compile_with`].
    pub fn compile(text: &str, variables: &[Variable]) -> Result<Self, Vec<Fault>> {
        Self::compile_with(text, variables, &Tables::default())
    }

    /// Reads and checks an expression that may name `variables`, and `tables` in `lookup`.
    ///
    /// # Errors
    /// Every fault found, with its position in characters: `expression_invalid` for what cannot be read, is too large
    /// (4096 bytes, 400 parts, 48 levels, 6 loops over lists, 2 of them nested), calls a function wrongly, names a table
    /// that does not exist, or can only fail because of a type; `unknown_variable`; `unknown_function`.
    pub fn compile_with(text: &str, variables: &[Variable], tables: &Tables) -> Result<Self, Vec<Fault>> {
        let lowered = parse::parse(text, variables, tables)?;
        Ok(Self { tree: lowered.tree, reads: lowered.reads, kinds: lowered.kinds })
    }

    /// Compiles a condition.
    ///
    /// # Errors
    /// As for [`Expression::compile_with`]; `expression_invalid` also where the expression can never give true or false.
    pub fn compile_condition(text: &str, variables: &[Variable], tables: &Tables) -> Result<Self, Vec<Fault>> {
        let expression = Self::compile_with(text, variables, tables)?;
        if expression.kinds.meets(kinds::Kinds::BOOL.or(kinds::Kinds::OPTIONAL)) {
            return Ok(expression);
        }
        let message = format!("a condition must be true or false, not {}", expression.kinds.described());
        Err(vec![Fault::new(Code::ExpressionInvalid, message).position(expression.tree.position)])
    }

    /// What can be told of it without evaluating it: what it names and reads, which type it gives, and how many steps it
    /// takes at most.
    ///
    /// ```
    /// use rollkeeper::expression::{Expression, Variable};
    /// let expression = Expression::compile("user.email.before('@') + token", &Variable::ALL).unwrap();
    /// let report = expression.report();
    /// assert_eq!((report.paths.len(), report.kind.as_str()), (1, "string"));
    /// assert!(report.functions.contains("before") && report.variables.contains("token"));
    /// ```
    pub fn report(&self) -> ExpressionReport {
        report::report(&self.tree, &self.reads, self.kinds)
    }

    /// The user attributes that it reads.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// What it reads of one variable: nothing, paths below it, or (`All`) the variable as a whole.
    pub fn reads_of(&self, variable: Variable) -> Reads {
        let mut collector = reads::Collector::of(variable);
        collector.visit(&self.tree);
        collector.finish()
    }

    /// Whether it can give a value of one of these types (`string`, `list`, …), or no value.
    pub(crate) fn can_give(&self, types: &[&str]) -> bool {
        self.kinds.may_be(types)
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

    /// How many steps evaluating it takes, also where it fails. For records of ordinary size they are never more than the
    /// `cost` of its [report](Expression::report).
    pub fn steps(&self, inputs: &Inputs<'_>) -> u32 {
        evaluate::steps(&self.tree, inputs)
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
    /// What `lookup` finds values in.
    pub tables: BTreeMap<String, Attributes>,
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
    let expression = Expression::compile_with(expression, &Variable::ALL, &Tables::from(&options.tables))?;
    let value = expression.evaluate(&inputs).map_err(|fault| vec![fault])?;
    Ok(value.unwrap_or(Value::Null))
}
