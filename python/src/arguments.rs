//! Arguments that several verbs take: lists of records, and names that stand for something.

use crate::convert::document;
use crate::errors;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use rollkeeper::{Code, Fault, Operation};

/// Users' records as JSON, one a line.
pub(crate) fn lines(users: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if users.is_instance_of::<PyDict>() {
        return Err(PyTypeError::new_err("`put_users` takes several records; `put_user` takes one"));
    }
    let mut json = Vec::new();
    for user in users.try_iter()? {
        let user = user?;
        match user.cast::<PyString>() {
            Ok(_) => return Err(PyTypeError::new_err("a user is a dict")),
            Err(_) => json.extend(document(&user)?),
        }
        json.push(b'\n');
    }
    Ok(json)
}

/// The operation of that name.
pub(crate) fn operation(py: Python<'_>, verb: &'static str, name: &str) -> PyResult<Operation> {
    let fault = || Fault::new(Code::UnknownOperation, "there is no operation of that name");
    Operation::from_name(name).ok_or_else(|| errors::fault(py, verb, fault()))
}

/// What the name of an argument stands for, where there is one.
pub(crate) fn chosen<T>(
    py: Python<'_>,
    verb: &'static str,
    argument: &str,
    name: Option<&str>,
    of_name: impl Fn(&str) -> Option<T>,
) -> PyResult<Option<T>> {
    let Some(name) = name else { return Ok(None) };
    let one = of_name(name);
    one.map(Some).ok_or_else(|| errors::invalid_argument(py, verb, &format!("`{argument}` has no such value")))
}
