//! The one place where the engine's errors become exceptions. The classes live in `rollkeeper/errors.py`, because only
//! Python classes keep attributes, documentation and pickling under the stable ABI of Python 3.9.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use rollkeeper::{Code, Error, Fault};

static BUILD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception for `error`. Should even that fail, the failure is the exception.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    build(py, error).unwrap_or_else(|failure| failure)
}

/// The exception for one fault of the verb `operation`.
pub(crate) fn fault(py: Python<'_>, operation: &'static str, fault: Fault) -> PyErr {
    exception(py, &Error::new(operation, fault))
}

/// The exception for an argument that `operation` cannot take.
pub(crate) fn invalid_argument(py: Python<'_>, operation: &'static str, message: &str) -> PyErr {
    fault(py, operation, Fault::new(Code::InvalidArgument, message))
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let build = BUILD.import(py, "rollkeeper.errors", "_from_json")?;
    Ok(PyErr::from_value(build.call1((error.to_json(),))?))
}
