//! What the host gives the engine to call: secrets, clock, log, progress. A callback that throws does not stop the
//! engine (only `progress` does); what it threw goes to `sys.unraisablehook`, so that it is seen.

use crate::convert::{to_python, to_timestamp};
use crate::enter::{Inside, Interrupt, call_out, interrupt_verb, is_stopping};
use pyo3::exceptions::{PyException, PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use rollkeeper::model::{Alert, LogEntry, Progress};
use rollkeeper::time::SystemClock;
use rollkeeper::{AlertCallback, Clock, LogCallback, ProgressCallback, Secret, SecretsCallback, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A Python object that the engine keeps. Shared, so that the garbage collector is shown one reference for the one there
/// is.
pub(crate) type Held = Arc<Py<PyAny>>;

/// Does `work` with the interpreter, unless that is about to end.
pub(crate) fn attached<T>(work: impl for<'py> FnOnce(Python<'py>) -> T) -> Option<T> {
    if is_stopping() { None } else { Python::try_attach(work) }
}

/// Calls `work`; what it throws is reported, not passed on, but for Ctrl-C and the like, with which the verb ends.
fn call<T>(object: &Held, work: impl for<'py> FnOnce(&Bound<'py, PyAny>) -> PyResult<T>) -> Option<T> {
    attached(|py| {
        let object = object.bind(py);
        let report = |error: PyErr| error.write_unraisable(py, Some(object));
        match call_out(Inside::Callback, || work(object)) {
            Ok(answer) => return Some(answer),
            Err(error) if error.is_instance_of::<PyException>(py) => report(error),
            Err(error) => interrupt_verb(error).unwrap_or_else(report),
        }
        None
    })?
}

/// A record as a dict.
pub(crate) fn record<'py>(py: Python<'py>, record: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let value = serde_json::to_value(record).map_err(|_| PyTypeError::new_err("the record is not JSON"))?;
    to_python(py, &value)
}

/// Secrets from a callable or a mapping; a missing key is a missing secret.
pub(crate) fn secrets(object: Held) -> SecretsCallback {
    Arc::new(move |name| {
        call(&object, |object| {
            let secret = if object.is_callable() { object.call1((name,)) } else { object.get_item(name) };
            match secret {
                Ok(secret) if secret.is_none() => Ok(None),
                Ok(secret) => match secret.cast::<PyString>() {
                    Ok(text) => Ok(Some(Secret::new(text.to_cow()?))),
                    Err(_) => Err(PyTypeError::new_err("a secret is text or None")),
                },
                Err(error) if error.is_instance_of::<PyKeyError>(object.py()) => Ok(None),
                Err(error) => Err(error),
            }
        })?
    })
}

/// A clock from a callable that gives an aware `datetime`; the system's time where it throws.
pub(crate) fn clock(object: Held) -> Arc<dyn Clock> {
    Arc::new(PythonClock(object))
}

struct PythonClock(Held);

impl Clock for PythonClock {
    fn now(&self) -> Timestamp {
        call(&self.0, |object| to_timestamp(&object.call0()?)).unwrap_or_else(|| SystemClock.now())
    }
}

/// A log callback from a callable that takes a dict. It is called while `wanted` says so.
pub(crate) fn log(object: Held, wanted: Arc<AtomicBool>) -> LogCallback {
    Arc::new(move |entry: &LogEntry| {
        if wanted.load(Ordering::Relaxed) {
            call(&object, |object| object.call1((record(object.py(), entry)?,)).map(drop));
        }
    })
}

/// A callback for alerts from a callable that takes a dict.
pub(crate) fn alerts(object: Held) -> AlertCallback {
    Arc::new(move |alert: &Alert| {
        call(&object, |object| object.call1((record(object.py(), alert)?,)).map(drop));
    })
}

/// A progress callback from a callable that takes a dict.
pub(crate) fn progress(object: Held, interrupt: Arc<Interrupt>) -> ProgressCallback {
    Arc::new(watch::<Progress>(object, interrupt))
}

/// Who is told how work goes, from a callable that takes a dict. `False` or an exception ends the work; the exception comes
/// out of it.
pub(crate) fn watch<T: Serialize>(object: Held, interrupt: Arc<Interrupt>) -> impl Fn(&T) -> bool + Send + Sync {
    move |told: &T| {
        attached(|py| {
            let object = object.bind(py);
            let answer = call_out(Inside::Callback, || object.call1((record(py, told)?,)));
            match answer.and_then(|answer| Ok(answer.is_none() || answer.is_truthy()?)) {
                Ok(more) => more,
                Err(error) => {
                    interrupt.set(error);
                    false
                }
            }
        })
        .unwrap_or(false)
    }
}
