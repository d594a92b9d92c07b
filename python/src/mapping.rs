//! A compiled mapping: from a user's JSON to the JSON of a new account, for one user or for many.

use crate::convert::{document, json_text};
use crate::enter::without_lock;
use crate::errors;
use crate::pure::{json, time};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rollkeeper::{Error, Fault, Timestamp};

/// A mapping that was compiled once, to be rendered for many users who get a new account.
///
/// ``rules`` is a list of rules as an app has it. Raises :class:`rollkeeper.ConfigurationError`, with every fault in
/// ``details``. It may be used from several threads at once.
#[pyo3::pyclass(frozen, module = "rollkeeper")]
pub(crate) struct Mapping(rollkeeper::mapping::Mapping);

#[pyo3::pymethods]
impl Mapping {
    #[new]
    #[pyo3(signature = (rules))]
    fn new(rules: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mapping = rollkeeper::mapping::Mapping::from_json(&document(rules)?);
        mapping.map(Self).map_err(|faults| exception(rules.py(), "compile", faults))
    }

    /// The attributes of a new account for a user, as :func:`rollkeeper.render` gives them, and much faster.
    ///
    /// JSON text gives JSON as bytes with sorted keys and without white space; a dict gives a dict. Raises
    /// :class:`rollkeeper.ConfigurationError` or :class:`rollkeeper.CallerError`, with every fault in ``details``.
    // It takes microseconds, and so keeps the interpreter lock.
    #[pyo3(signature = (user, *, now=None))]
    fn render<'py>(&self, user: &Bound<'py, PyAny>, now: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let py = user.py();
        let now = time(now)?;
        if let Ok(text) = user.cast::<PyBytes>() {
            let payload = self.payload(py, text.as_bytes(), now)?;
            return Ok(PyBytes::new(py, payload.as_bytes()).into_any());
        }
        if let Some(text) = json_text(user)? {
            return Ok(PyBytes::new(py, self.payload(py, &text, now)?.as_bytes()).into_any());
        }
        json(py, self.payload(py, &document(user)?, now)?)
    }

    /// Renders many users, one a line, and gives one line for each, in their order.
    ///
    /// A line is ``{"attributes": …}``, or ``{"faults": […]}`` with the faults of that user alone. A line break at the
    /// very end begins no further line; a line without a user is one with a fault. The interpreter lock is released.
    #[pyo3(signature = (users, *, now=None))]
    fn render_lines<'py>(
        &self,
        users: &Bound<'py, PyAny>,
        now: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = users.py();
        let now = time(now)?;
        let copied;
        let users = match users.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes(),
            Err(_) => {
                copied = json_text(users)?
                    .ok_or_else(|| PyTypeError::new_err("users are JSON text, one a line, as bytes or str"))?;
                &copied
            }
        };
        let lines = without_lock(py, "render_lines", || {
            let mut lines = String::with_capacity(users.len());
            self.0.payload_lines(users, now, &mut lines);
            lines
        })?;
        Ok(PyBytes::new(py, lines.as_bytes()))
    }
}

impl Mapping {
    fn payload(&self, py: Python<'_>, user: &[u8], now: Timestamp) -> PyResult<String> {
        // What is written is rarely longer than what it is made of.
        let mut payload = String::with_capacity(user.len());
        let rendered = self.0.payload(user, now, &mut payload);
        rendered.map(|()| payload).map_err(|faults| exception(py, "render", faults))
    }
}

fn exception(py: Python<'_>, operation: &'static str, faults: Vec<Fault>) -> PyErr {
    errors::exception(py, &Error::of_faults(operation, faults))
}
