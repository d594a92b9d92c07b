//! Functions that need no engine and no file. They call nothing back and take microseconds, so they keep the
//! interpreter lock.

use crate::convert::{document, timestamp_to_python, to_python, to_timestamp, to_value};
use crate::errors;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rollkeeper::lifecycle::Event;
use rollkeeper::model::State;
use rollkeeper::time::SystemClock;
use rollkeeper::{Clock, Code, Error, Fault, Timestamp};

/// The value of an expression for a user.
#[pyo3::pyfunction]
pub(crate) fn evaluate<'py>(
    expression: &str,
    user: &Bound<'py, PyAny>,
    options: &Bound<'py, PyAny>,
    now: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = user.py();
    let answer = rollkeeper::evaluate_with(expression, &document(user)?, &document(options)?, time(now)?);
    json(py, answer.map_err(|faults| errors::exception(py, &Error::of_faults("evaluate", faults)))?)
}

/// What can be told of an expression without evaluating it.
#[pyo3::pyfunction]
pub(crate) fn check_expression<'py>(
    py: Python<'py>,
    expression: &str,
    tables: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let answer = rollkeeper::check_expression(expression, tables.map(document).transpose()?.as_deref());
    json(py, answer.map_err(|faults| errors::exception(py, &Error::of_faults("check_expression", faults)))?)
}

/// The attributes and changes that a mapping makes of a user.
#[pyo3::pyfunction]
pub(crate) fn render<'py>(
    mapping: &Bound<'py, PyAny>,
    user: &Bound<'py, PyAny>,
    current: Option<&Bound<'py, PyAny>>,
    last: Option<&Bound<'py, PyAny>>,
    now: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = user.py();
    let (current, last) = (current.map(document).transpose()?, last.map(document).transpose()?);
    let answer =
        rollkeeper::render(&document(mapping)?, &document(user)?, current.as_deref(), last.as_deref(), time(now)?);
    json(py, answer.map_err(|faults| errors::exception(py, &Error::of_faults("render", faults)))?)
}

/// Which of some accounts of a target belongs to a user.
#[pyo3::pyfunction]
pub(crate) fn match_accounts<'py>(
    matching: &Bound<'py, PyAny>,
    user: &Bound<'py, PyAny>,
    accounts: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = user.py();
    let answer = rollkeeper::match_accounts(&document(matching)?, &document(user)?, &document(accounts)?);
    json(py, answer.map_err(|faults| errors::exception(py, &Error::of_faults("match_accounts", faults)))?)
}

pub(crate) fn time(now: Option<&Bound<'_, PyAny>>) -> PyResult<Timestamp> {
    now.map_or_else(|| Ok(SystemClock.now()), to_timestamp)
}

pub(crate) fn json(py: Python<'_>, text: String) -> PyResult<Bound<'_, PyAny>> {
    let value = serde_json::from_str(&text).map_err(|_| PyValueError::new_err("not JSON"))?;
    to_python(py, &value)
}

/// Whether some event leads from one state to the other.
#[pyo3::pyfunction]
pub(crate) fn can_change(py: Python<'_>, from_: &str, to: &str) -> PyResult<bool> {
    Ok(rollkeeper::can_change(state(py, "can_change", from_)?, state(py, "can_change", to)?))
}

/// The state that an event leads to.
#[pyo3::pyfunction]
pub(crate) fn next_state(py: Python<'_>, state: &str, event: &str) -> PyResult<&'static str> {
    let from = self::state(py, "next_state", state)?;
    let event = Event::from_name(event)
        .ok_or_else(|| errors::invalid_argument(py, "next_state", "there is no event of that name"))?;
    let next = rollkeeper::next_state(from, event).map_err(|fault| errors::fault(py, "next_state", fault))?;
    Ok(next.name())
}

/// The state of that name.
pub(crate) fn state(py: Python<'_>, operation: &'static str, name: &str) -> PyResult<State> {
    State::from_name(name)
        .ok_or_else(|| errors::fault(py, operation, Fault::new(Code::UnknownState, "there is no state of that name")))
}

/// A document in its one canonical form.
#[pyo3::pyfunction]
pub(crate) fn canonical(document: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(rollkeeper::value::canonical(&to_value(document)?))
}

/// The `datetime` in UTC of RFC 3339 text.
#[pyo3::pyfunction]
pub(crate) fn parse_time<'py>(text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    timestamp_to_python(text.py(), to_timestamp(text)?)
}

/// Every code with its number, kind and retry.
#[pyo3::pyfunction]
pub(crate) fn codes() -> Vec<(u16, &'static str, &'static str, &'static str)> {
    Code::all().map(|code| (code.number(), code.name(), code.blame().name(), code.retry().name())).collect()
}
