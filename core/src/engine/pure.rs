//! The pure functions: no engine, no file. JSON text in, canonical JSON text out, the same bytes in every language.

use crate::expression::{self, Expression, Options, Tables, Variable};
use crate::fault::{Code, Fault};
use crate::lifecycle::{self, Event};
use crate::mapping;
use crate::matching::Matching;
use crate::model::{ExpressionReport, MatchingDefinition, State, TargetAccount, read_json, read_part};
use crate::time::Timestamp;
use crate::value::{Attributes, canonical};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a request may change from one state to the other.
pub fn can_change(from: State, to: State) -> bool {
    lifecycle::can_change(from, to)
}

/// The state that `event` leads to from `state`.
///
/// # Errors
/// `invalid_transition` where the event may not happen in that state.
pub fn next_state(state: State, event: Event) -> std::result::Result<State, Fault> {
    lifecycle::next(state, event)
}

/// The value of an expression for a user (a JSON object), as canonical JSON. `now` is what the variable `now` shows.
///
/// ```
/// let now = rollkeeper::Timestamp::default();
/// let value = rollkeeper::evaluate("user.firstName.lower()", br#"{"firstName": "ANN"}"#, now);
/// assert_eq!(value.unwrap(), "\"ann\"");
/// ```
///
/// # Errors
/// `expression_invalid`, `unknown_variable`, `unknown_function` with positions, `expression_failed`; `invalid_json` and
/// `invalid_document` for the user.
pub fn evaluate(expression: &str, user: &[u8], now: Timestamp) -> std::result::Result<String, Vec<Fault>> {
    let user = object(user, "user").map_err(|fault| vec![fault])?;
    expression::evaluate(expression, &user, &Options::default(), now).map(|value| canonical(&value))
}

/// The same with more to see than the user: `options` is a JSON object with any of `current`, `app` (`id`, `label`),
/// `iteration`, `token`, `now` and `tables`. The time is `now` where the options have none.
///
/// ```
/// let options = br#"{"tables": {"dept": {"X": "HR", "Y": "IT"}}, "token": "2"}"#;
/// let expression = "lookup('dept', user.dept, 'other') + token";
/// let value = rollkeeper::evaluate_with(expression, br#"{"dept": "Y"}"#, options, rollkeeper::Timestamp::default());
/// assert_eq!(value.unwrap(), "\"IT2\"");
/// ```
///
/// # Errors
/// As for [`evaluate`]; `invalid_json`, `invalid_document` and `unknown_key` for the options too.
pub fn evaluate_with(
    expression: &str,
    user: &[u8],
    options: &[u8],
    now: Timestamp,
) -> std::result::Result<String, Vec<Fault>> {
    let read = || -> std::result::Result<(_, Options), Fault> {
        object(options, "options")?;
        Ok((object(user, "user")?, read_part(&read_json(options)?, "")?))
    };
    let (user, options) = read().map_err(|fault| vec![fault])?;
    expression::evaluate(expression, &user, &options, now).map(|value| canonical(&value))
}

/// What can be told of an expression without evaluating it, as canonical JSON `{variables, functions, paths, type, cost}`.
/// `tables`, a JSON object, are those that `lookup` may name.
///
/// ```
/// let report = rollkeeper::check_expression("user.email.lower()", None).unwrap();
/// assert!(report.contains(r#""paths":["email"],"type":"string""#), "{report}");
/// ```
///
/// # Errors
/// `expression_invalid`, `unknown_variable`, `unknown_function`, each with its position; `invalid_json` and
/// `invalid_document` for the tables.
pub fn check_expression(expression: &str, tables: Option<&[u8]>) -> std::result::Result<String, Vec<Fault>> {
    let read = |tables| read_part(&read_json(tables)?, "tables");
    let tables: BTreeMap<String, Attributes> = tables.map_or(Ok(BTreeMap::new()), read).map_err(|fault| vec![fault])?;
    let expression = Expression::compile_with(expression, &Variable::ALL, &Tables::from(&tables))?;
    Ok(written(&expression.report()))
}

fn written(report: &ExpressionReport) -> String {
    serde_json::to_value(report).map(|value| canonical(&value)).unwrap_or_default()
}

/// Renders a mapping (a JSON list of rules) for a user, as canonical JSON `{attributes, changes, skipped}`. With `current`
/// (the account's attributes) or `last` (those rendered last), the account is being updated.
///
/// # Errors
/// Every fault of the mapping and of the record at once; `invalid_json` and `invalid_document` for the documents.
pub fn render(
    mapping: &[u8],
    user: &[u8],
    current: Option<&[u8]>,
    last: Option<&[u8]>,
    now: Timestamp,
) -> std::result::Result<String, Vec<Fault>> {
    let read = || -> std::result::Result<_, Fault> {
        let current = current.map(|json| object(json, "current")).transpose()?;
        let last = last.map(|json| object(json, "last")).transpose()?;
        Ok((read_json(mapping)?, object(user, "user")?, current, last))
    };
    let (mapping, user, current, last) = read().map_err(|fault| vec![fault])?;
    mapping::render(&mapping, &user, current.as_ref(), last.as_ref(), now).map(|value| canonical(&value))
}

/// Which of some accounts of a target belongs to a user, as canonical JSON `{decision, candidates}`. `matching` is what an app
/// has under that key, a list of rules or an object; `accounts` is a JSON list of accounts as connectors show them, of which
/// `external_id` and `attributes` matter.
///
/// ```
/// let judged = rollkeeper::match_accounts(
///     br#"[{"all": [{"user": "email", "account": "userName", "normalize": ["casefold"]}]}]"#,
///     br#"{"email": "Ann@example.com"}"#,
///     br#"[{"external_id": "7", "attributes": {"userName": "ann@example.com"}}]"#,
/// );
/// let expected = r#"{"candidates":[{"confidence":1,"external_id":"7","rules":[0]}],"decision":"linked"}"#;
/// assert_eq!(judged.unwrap(), expected);
/// ```
///
/// # Errors
/// Every fault of the rules at once, with its place; `invalid_json`, `unknown_key` and `invalid_document` for the documents.
pub fn match_accounts(matching: &[u8], user: &[u8], accounts: &[u8]) -> std::result::Result<String, Vec<Fault>> {
    let read = || -> std::result::Result<(MatchingDefinition, Attributes, Vec<TargetAccount>), Fault> {
        Ok((
            read_part(&read_json(matching)?, "matching")?,
            object(user, "user")?,
            read_part(&read_json(accounts)?, "accounts")?,
        ))
    };
    let (definition, user, accounts) = read().map_err(|fault| vec![fault])?;
    let judgement = Matching::compile(&definition)?.judge(&user, &accounts);
    let value = serde_json::to_value(judgement);
    value.map(|value| canonical(&value)).map_err(|_| vec![Fault::new(Code::Internal, "a verdict cannot be written")])
}

fn object(json: &[u8], what: &str) -> std::result::Result<Attributes, Fault> {
    match read_json(json)? {
        Value::Object(object) => Ok(object),
        _ => Err(Fault::new(Code::InvalidDocument, format!("`{what}` must be a JSON object")).at(what)),
    }
}
