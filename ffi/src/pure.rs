//! Pure functions: no engine, no file.

use crate::boundary::{document, guard, optional_document, optional_text, output, text};
use crate::failure::Failure;
use crate::status::Status;
use engine::lifecycle::Event;
use engine::model::State;
use engine::{Clock, Code, Fault, Timestamp};
use std::ffi::c_char;

/// Says whether some event leads from one request state to the other.
///
/// Fails with ROLLKEEPER_UNKNOWN_STATE.
///
/// # Safety
/// `from` ends with NUL; `to` ends with NUL; `allowed` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_can_change(
    from: *const c_char,
    to: *const c_char,
    allowed: *mut bool,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("can_change", error, || {
            let allowed = output(allowed, "allowed")?;
            let from = text(from, "from")?;
            let to = text(to, "to")?;
            allowed.put(engine::can_change(state(from, "from")?, state(to, "to")?));
            Ok(())
        })
    }
}

/// Gives the state that an event leads to.
///
/// Fails with ROLLKEEPER_INVALID_TRANSITION where the event may not happen in that state, and with
/// ROLLKEEPER_UNKNOWN_STATE where there is no such state or event.
///
/// # Safety
/// `from` ends with NUL; `event` ends with NUL; `next` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_next_state(
    from: *const c_char,
    event: *const c_char,
    next: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("next_state", error, || {
            let next = output(next, "next")?;
            let from = text(from, "from")?;
            let event = text(event, "event")?;
            let event = Event::from_name(event)
                .ok_or_else(|| Fault::new(Code::UnknownState, "there is no such event").at("event"))?;
            next.put_text(engine::next_state(state(from, "from")?, event)?.name());
            Ok(())
        })
    }
}

/// Gives the value of an expression for a user, as JSON. `now` is the RFC 3339 time that the expression sees, or NULL
/// for the time of the system.
///
/// Fails with the codes of expressions (ROLLKEEPER_EXPRESSION_INVALID and others, with the position in the JSON of
/// the error) and of documents.
///
/// # Safety
/// `expression` ends with NUL; `user` leads to `user_length` bytes; `now` is NULL or ends with NUL; `value` may be
/// written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_evaluate(
    expression: *const c_char,
    user: *const c_char,
    user_length: usize,
    now: *const c_char,
    value: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("evaluate", error, || {
            let value = output(value, "value")?;
            let expression = text(expression, "expression")?;
            let user = document(user, user_length, "user")?;
            let now = optional_text(now, "now")?;
            value.put_text(&engine::evaluate(expression, user, time(now)?)?);
            Ok(())
        })
    }
}

/// Does the same with more for the expression to see: `options` is NULL or a JSON object with any of `current` (the
/// account's attributes), `app` (`id`, `label`), `iteration`, `token`, `now` (which counts before the argument) and
/// `tables`.
///
/// Fails as rollkeeper_evaluate does, and with the codes of documents for the options.
///
/// # Safety
/// `expression` ends with NUL; `user` leads to `user_length` bytes; `options` is NULL or leads to `options_length` bytes;
/// `now` is NULL or ends with NUL; `value` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_evaluate_with(
    expression: *const c_char,
    user: *const c_char,
    user_length: usize,
    options: *const c_char,
    options_length: usize,
    now: *const c_char,
    value: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("evaluate", error, || {
            let value = output(value, "value")?;
            let expression = text(expression, "expression")?;
            let user = document(user, user_length, "user")?;
            let options = optional_document(options, options_length, "options")?.unwrap_or(b"{}");
            let now = optional_text(now, "now")?;
            value.put_text(&engine::evaluate_with(expression, user, options, time(now)?)?);
            Ok(())
        })
    }
}

/// Gives what can be told of an expression without evaluating it, as JSON with `variables`, `functions`, `paths`, `type`
/// and `cost`. `tables` is NULL or a JSON object with the tables that `lookup` may name.
///
/// Fails with the codes of expressions (ROLLKEEPER_EXPRESSION_INVALID and others, with the position in the JSON of
/// the error) and of documents.
///
/// # Safety
/// `expression` ends with NUL; `tables` is NULL or leads to `tables_length` bytes; `report` may be written; `error` is
/// NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_check_expression(
    expression: *const c_char,
    tables: *const c_char,
    tables_length: usize,
    report: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("check_expression", error, || {
            let report = output(report, "report")?;
            let expression = text(expression, "expression")?;
            let tables = optional_document(tables, tables_length, "tables")?;
            report.put_text(&engine::check_expression(expression, tables)?);
            Ok(())
        })
    }
}

/// Gives what a mapping makes of a user, as JSON with `attributes`, `changes` and `skipped`. `mapping` is a JSON list
/// of rules; `current` is NULL or the account's attributes as they are, `last` NULL or as they were last sent; `now` as
/// for rollkeeper_evaluate.
///
/// Fails with one error that lists every fault.
///
/// # Safety
/// `mapping` leads to `mapping_length` bytes; `user` leads to `user_length` bytes; `current` is NULL or leads to
/// `current_length` bytes; `last` is NULL or leads to `last_length` bytes; `now` is NULL or ends with NUL; `result`
/// may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_render(
    mapping: *const c_char,
    mapping_length: usize,
    user: *const c_char,
    user_length: usize,
    current: *const c_char,
    current_length: usize,
    last: *const c_char,
    last_length: usize,
    now: *const c_char,
    result: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("render", error, || {
            let result = output(result, "result")?;
            let mapping = document(mapping, mapping_length, "mapping")?;
            let user = document(user, user_length, "user")?;
            let current = optional_document(current, current_length, "current")?;
            let last = optional_document(last, last_length, "last")?;
            let now = optional_text(now, "now")?;
            result.put_text(&engine::render(mapping, user, current, last, time(now)?)?);
            Ok(())
        })
    }
}

/// Gives which of some accounts of a target belongs to a user, as JSON with `decision` and `candidates`. `matching` is what
/// an app has under that key; `accounts` is a JSON list of accounts, of which `external_id` and `attributes` matter.
///
/// Fails with one error that lists every fault.
///
/// # Safety
/// `matching` leads to `matching_length` bytes; `user` leads to `user_length` bytes; `accounts` leads to
/// `accounts_length` bytes; `result` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_match_accounts(
    matching: *const c_char,
    matching_length: usize,
    user: *const c_char,
    user_length: usize,
    accounts: *const c_char,
    accounts_length: usize,
    result: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("match_accounts", error, || {
            let result = output(result, "result")?;
            let matching = document(matching, matching_length, "matching")?;
            let user = document(user, user_length, "user")?;
            let accounts = document(accounts, accounts_length, "accounts")?;
            result.put_text(&engine::match_accounts(matching, user, accounts)?);
            Ok(())
        })
    }
}

fn state(name: &str, argument: &str) -> Result<State, Fault> {
    State::from_name(name).ok_or_else(|| Fault::new(Code::UnknownState, "there is no such state").at(argument))
}

pub(crate) fn time(now: Option<&str>) -> Result<Timestamp, Fault> {
    match now {
        Some(text) => Timestamp::parse(text).map_err(|fault| fault.at("now")),
        None => Ok(engine::time::SystemClock.now()),
    }
}
