//! Documents between Python objects and JSON values. A walker of our own, because it has to refuse what JSON cannot
//! hold (instead of dropping it silently) and to stop at a depth that no stack minds.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDate, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString,
    PyTuple, PyTzInfo,
};
use rollkeeper::value::Attributes;
use rollkeeper::{Fault, Period, Timestamp};
use serde_json::{Number, Value};

/// How deep a document may be nested.
pub(crate) const DEEPEST: usize = 64;

/// A document as JSON text: text and bytes are taken as they are, everything else is walked.
pub(crate) fn document(object: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    match json_text(object)? {
        Some(text) => Ok(text),
        None => serde_json::to_vec(&to_value(object)?).map_err(|_| PyValueError::new_err("not a JSON document")),
    }
}

/// The bytes of an object that holds JSON text already.
pub(crate) fn json_text(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Some(text.to_cow()?.as_bytes().to_vec()));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Some(bytes.as_bytes().to_vec()));
    }
    Ok(object.cast::<PyByteArray>().ok().map(|bytes| bytes.to_vec()))
}

/// The JSON value that a Python object stands for.
pub(crate) fn to_value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    walk(object, DEEPEST)
}

fn walk(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if object.is_none() {
        Ok(Value::Null)
    } else if let Ok(text) = object.cast::<PyString>() {
        Ok(Value::String(text.to_cow()?.into_owned()))
    } else if let Ok(flag) = object.cast::<PyBool>() {
        Ok(Value::Bool(flag.is_true()))
    } else if object.is_instance_of::<PyInt>() {
        integer(object)
    } else if let Ok(number) = object.cast::<PyFloat>() {
        let number = Number::from_f64(number.value());
        number.map(Value::Number).ok_or_else(|| PyValueError::new_err("NaN and infinity have no place in JSON"))
    } else if let Ok(dict) = object.cast::<PyDict>() {
        let deeper = deeper(depth)?;
        dict.iter().map(|(key, value)| Ok((text_key(&key)?, walk(&value, deeper)?))).collect()
    } else if let Ok(list) = object.cast::<PyList>() {
        let deeper = deeper(depth)?;
        list.iter().map(|item| walk(&item, deeper)).collect()
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        let deeper = deeper(depth)?;
        tuple.iter().map(|item| walk(&item, deeper)).collect()
    } else {
        walk_rarer(object, depth)
    }
}

fn walk_rarer(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let py = object.py();
    if object.is_instance_of::<PyDateTime>() {
        return Ok(Value::String(to_timestamp(object)?.to_string()));
    }
    if object.is_instance_of::<PyDate>() {
        return Ok(Value::String(object.call_method0("isoformat")?.extract()?));
    }
    if object.is_instance_of::<PyDelta>() {
        return Ok(Value::String(to_period(object)?.to_string()));
    }
    if let Ok(mapping) = object.cast::<PyMapping>() {
        let deeper = deeper(depth)?;
        let items = mapping.items()?;
        return items
            .iter()
            .map(|item| {
                let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
                Ok((text_key(&key)?, walk(&value, deeper)?))
            })
            .collect();
    }
    static UUID: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if object.is_instance(UUID.import(py, "uuid", "UUID")?)? {
        return Ok(Value::String(object.str()?.extract()?));
    }
    static ENUM: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if object.is_instance(ENUM.import(py, "enum", "Enum")?)? {
        return walk(&object.getattr("value")?, deeper(depth)?);
    }
    Err(PyTypeError::new_err(format!("a document cannot hold a `{}`", type_name(object))))
}

/// One level less.
pub(crate) fn deeper(depth: usize) -> PyResult<usize> {
    depth.checked_sub(1).ok_or_else(|| PyTypeError::new_err(format!("a document is at most {DEEPEST} levels deep")))
}

fn integer(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(number) = object.extract::<i64>() {
        return Ok(Value::from(number));
    }
    object.extract::<u64>().map(Value::from).map_err(|_| PyValueError::new_err("an integer has at most 64 bits"))
}

/// A key of a document.
pub(crate) fn text_key(key: &Bound<'_, PyAny>) -> PyResult<String> {
    match key.cast::<PyString>() {
        Ok(text) => Ok(text.to_cow()?.into_owned()),
        Err(_) => Err(PyTypeError::new_err(format!("a document's keys are text, not `{}`", type_name(key)))),
    }
}

/// The name of an object's type, which is safe to show where its value is not.
pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

/// The Python object that a JSON value stands for.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => PyInt::new(py, number).into_any(),
            (None, Some(number)) => PyInt::new(py, number).into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(object) => object_to_python(py, object)?.into_any(),
    })
}

/// The dict that a JSON object stands for.
pub(crate) fn object_to_python<'py>(py: Python<'py>, object: &Attributes) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in object {
        dict.set_item(key, to_python(py, value)?)?;
    }
    Ok(dict)
}

/// A moment from a `datetime` with a time zone, or from RFC 3339 text.
pub(crate) fn to_timestamp(object: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    let text: String = if object.is_instance_of::<PyDateTime>() {
        if object.call_method0("utcoffset")?.is_none() {
            return Err(PyValueError::new_err("a datetime needs a time zone, such as `datetime.timezone.utc`"));
        }
        object.call_method0("isoformat")?.extract()?
    } else if let Ok(text) = object.cast::<PyString>() {
        text.extract()?
    } else {
        return Err(PyTypeError::new_err(format!(
            "a time is a datetime or RFC 3339 text, not `{}`",
            type_name(object)
        )));
    };
    Timestamp::parse(&text).map_err(|fault| PyValueError::new_err(fault.message))
}

/// A length of time from a `timedelta`, a number of seconds, or ISO 8601 text.
pub(crate) fn to_period(object: &Bound<'_, PyAny>) -> PyResult<Period> {
    let refused = |fault: Fault| PyValueError::new_err(fault.message);
    if let Ok(text) = object.cast::<PyString>() {
        return Period::parse(&text.to_cow()?).map_err(refused);
    }
    let seconds: f64 = if object.is_instance_of::<PyDelta>() {
        let days: i64 = object.getattr("days")?.extract()?;
        let seconds: i64 = object.getattr("seconds")?.extract()?;
        let micros: i64 = object.getattr("microseconds")?.extract()?;
        let whole = days.saturating_mul(86_400).saturating_add(seconds);
        if whole >= 0 {
            return Ok(Period::from_micros(whole.saturating_mul(1_000_000).saturating_add(micros)));
        }
        -1.0
    } else {
        object.extract().map_err(|_| {
            PyTypeError::new_err(format!(
                "a duration is a timedelta or a number of seconds, not `{}`",
                type_name(object)
            ))
        })?
    };
    let duration = std::time::Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err("a duration is finite and not negative"))?;
    Ok(Period::from_micros(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
}

/// The `datetime` in UTC of a moment.
pub(crate) fn timestamp_to_python(py: Python<'_>, time: Timestamp) -> PyResult<Bound<'_, PyAny>> {
    let utc = PyTzInfo::utc(py)?;
    let epoch = PyDateTime::new(py, 1970, 1, 1, 0, 0, 0, 0, Some(&utc))?;
    let micros = time.as_micros();
    let days = i32::try_from(micros.div_euclid(86_400_000_000)).unwrap_or(i32::MAX);
    let seconds = i32::try_from(micros.rem_euclid(86_400_000_000) / 1_000_000).unwrap_or(0);
    let rest = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0);
    epoch.add(PyDelta::new(py, days, seconds, rest, true)?)
}
