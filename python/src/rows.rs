//! Rows of tables as JSON: what `DataFrame.to_dict("records")` of pandas, `iter_rows(named=True)` of polars and generators
//! of dicts give. They differ from documents in that a table has a cell for everything: one that says nothing is left out.

use crate::convert::{DEEPEST, deeper, json_text, text_key, to_value, type_name};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyDict, PyFloat, PyInt, PyIterator, PyList, PyMapping, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// How many rows are read between two looks whether Ctrl-C was pressed.
const LOOK: usize = 4096;

/// The iterator over rows. `what` they are is said where they are none.
pub(crate) fn iterator<'py>(rows: &Bound<'py, PyAny>, what: &str) -> PyResult<Bound<'py, PyIterator>> {
    if rows.is_instance_of::<PyDict>() {
        return Err(PyTypeError::new_err(format!("{what} are several records, and this is one dict")));
    }
    rows.try_iter()
}

/// Rows as JSON, one a line.
pub(crate) fn lines(rows: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<u8>> {
    let mut json = Vec::new();
    for (number, row) in iterator(rows, what)?.enumerate() {
        if number % LOOK == 0 {
            rows.py().check_signals()?;
        }
        let row = row?;
        match text(&row, what)? {
            // A line break has no meaning within JSON but as white space, and here it would end the record.
            Some(text) => json.extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte })),
            None => serde_json::to_writer(&mut json, &object(&row, what)?)
                .map_err(|_| PyValueError::new_err("not a JSON document"))?,
        }
        json.push(b'\n');
    }
    Ok(json)
}

/// A row as a JSON value. JSON text that cannot be read gives null, which whoever reads the row refuses with its place.
pub(crate) fn row(row: &Bound<'_, PyAny>, what: &str) -> PyResult<Value> {
    match text(row, what)? {
        Some(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
        None => object(row, what),
    }
}

/// The JSON text of a row that is bytes.
fn text(row: &Bound<'_, PyAny>, what: &str) -> PyResult<Option<Vec<u8>>> {
    if row.is_instance_of::<PyString>() {
        return Err(none_such(what));
    }
    json_text(row)
}

fn object(row: &Bound<'_, PyAny>, what: &str) -> PyResult<Value> {
    cell(row, DEEPEST)?.filter(Value::is_object).ok_or_else(|| none_such(what))
}

fn none_such(what: &str) -> PyErr {
    PyTypeError::new_err(format!("each of the {what} is a dict"))
}

/// The JSON value of a cell; nothing where it says nothing.
fn cell(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Option<Value>> {
    if object.is_none() {
        Ok(None)
    } else if object.is_instance_of::<PyString>() || object.is_instance_of::<PyInt>() {
        to_value(object).map(Some)
    } else if let Ok(number) = object.cast::<PyFloat>() {
        float(number.value())
    } else if let Ok(dict) = object.cast::<PyDict>() {
        record(dict.iter(), deeper(depth)?).map(Some)
    } else if let Ok(list) = object.cast::<PyList>() {
        items(list.iter(), deeper(depth)?).map(Some)
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        items(tuple.iter(), deeper(depth)?).map(Some)
    } else {
        rarer_cell(object, depth)
    }
}

fn float(number: f64) -> PyResult<Option<Value>> {
    if number.is_nan() {
        return Ok(None);
    }
    let number = Number::from_f64(number).ok_or_else(|| PyValueError::new_err("infinity has no place in JSON"))?;
    Ok(Some(Value::Number(number)))
}

fn record<'py>(pairs: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>, depth: usize) -> PyResult<Value> {
    let mut record = Map::new();
    for (key, value) in pairs {
        if let Some(value) = cell(&value, depth)? {
            record.insert(text_key(&key)?, value);
        }
    }
    Ok(Value::Object(record))
}

fn items<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>, depth: usize) -> PyResult<Value> {
    items.filter_map(|item| cell(&item, depth).transpose()).collect()
}

/// What a database gives for a number with a fixed number of places.
fn decimal(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if object.call_method0(intern!(object.py(), "is_nan"))?.is_truthy()? {
        return Ok(None);
    }
    let text: String = object.str()?.extract()?;
    let refused = |_| PyValueError::new_err("a Decimal that no number of JSON can hold");
    serde_json::from_str::<Number>(&text).map(|number| Some(Value::Number(number))).map_err(refused)
}

fn rarer_cell(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Option<Value>> {
    let py = object.py();
    if object.is_instance_of::<PyDateTime>() {
        // The time that is none differs from itself. One without a zone stands as it is: which zone is meant, nobody knows.
        return if object.ne(object)? {
            Ok(None)
        } else if object.call_method0(intern!(py, "utcoffset"))?.is_none() {
            Ok(Some(Value::String(object.call_method0(intern!(py, "isoformat"))?.extract()?)))
        } else {
            to_value(object).map(Some)
        };
    }
    if let Ok(mapping) = object.cast::<PyMapping>() {
        let pairs = mapping.items()?.iter().map(|item| item.extract()).collect::<PyResult<Vec<_>>>()?;
        return record(pairs.into_iter(), deeper(depth)?).map(Some);
    }
    match type_name(object).as_str() {
        "NAType" => return Ok(None),
        "datetime64" => {
            let text: String = object.str()?.extract()?;
            return Ok((text != "NaT").then_some(Value::String(text)));
        }
        "Decimal" => return decimal(object),
        _ => {}
    }
    // Scalars and arrays of NumPy, and what is like them.
    for method in [intern!(py, "tolist"), intern!(py, "item")] {
        if let Ok(method) = object.getattr(method) {
            return cell(&method.call0()?, deeper(depth)?);
        }
    }
    to_value(object).map(Some)
}
