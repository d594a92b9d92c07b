//! Arguments that several verbs take: lists of records, and names that stand for something.

use crate::convert::document;
use crate::errors;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use rollkeeper::{Code, Fault, Operation};

/// Records as JSON, one a line. `what` they are is said where they are none.
pub(crate) fn lines(records: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<u8>> {
    if records.is_instance_of::<PyDict>() {
        return Err(PyTypeError::new_err(format!("{what} are several records, and this is one dict")));
    }
    let mut json = Vec::new();
    for record in records.try_iter()? {
        let record = record?;
        match record.cast::<PyString>() {
            Ok(_) => return Err(PyTypeError::new_err(format!("each of the {what} is a dict"))),
            Err(_) => json.extend(document(&record)?),
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
