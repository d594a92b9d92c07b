//! A Python callable as the engine's HTTP client. The Python half (`rollkeeper.transport`) makes the records of it and tells
//! failures; what any other exception means is told here: the target may have read the request.

use crate::callback::{Held, attached};
use crate::connector::place_of;
use crate::convert::type_name;
use crate::enter::{Inside, Interrupt, call_out, remember_exception};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;
use rollkeeper::Code;
use rollkeeper::http::{Http, HttpError, LARGEST_ANSWER, Request, Response};
use std::sync::Arc;

/// A transport written in Python.
pub(crate) struct PythonTransport {
    object: Held,
    interrupt: Arc<Interrupt>,
}

impl PythonTransport {
    pub(crate) fn new(object: Held, interrupt: Arc<Interrupt>) -> Self {
        Self { object, interrupt }
    }

    fn call(&self, py: Python<'_>, request: &Request) -> PyResult<Response> {
        let mut headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(request.authorization.as_ref().map(|value| ("authorization", value.reveal())));
        let body = request.body.as_deref().map(|body| PyBytes::new(py, body));
        let timeout = request.timeout.to_std().as_secs_f64();
        let arguments = (request.method.name(), request.url.as_str(), headers, body, timeout, LARGEST_ANSWER);
        let answer = call_out(Inside::Connector, || self.object.bind(py).call1(arguments))?;
        let (status, headers, body): (u16, Vec<(String, String)>, PyBackedBytes) = answer.extract()?;
        Ok(Response { status, headers, body: body.to_vec() })
    }

    fn failure(&self, py: Python<'_>, error: PyErr) -> HttpError {
        let told = told_failure(py, &error);
        let kind = type_name(error.value(py).as_any());
        let place = place_of(py, &error).map_or_else(String::new, |place| format!(" at {place}"));
        if error.is_instance_of::<PyException>(py) {
            remember_exception(error);
        } else {
            self.interrupt.set_by_connector(error);
        }
        told.unwrap_or_else(|| HttpError::sent(Code::Unreachable, format!("the transport raised `{kind}`{place}")))
    }
}

impl Http for PythonTransport {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let ending = || HttpError::not_sent(Code::Unreachable, "the interpreter is ending");
        attached(|py| self.call(py, request).map_err(|error| self.failure(py, error))).unwrap_or_else(|| Err(ending()))
    }
}

/// What a `rollkeeper.TransportError` says.
fn told_failure(py: Python<'_>, error: &PyErr) -> Option<HttpError> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(py, "rollkeeper.transport", "TransportError").ok()?;
    let value = error.value(py);
    if !value.is_instance(class).ok()? {
        return None;
    }
    let text = |name: &str| value.getattr(name).ok()?.extract::<String>().ok();
    let code = Code::from_name(&text("code")?).unwrap_or(Code::Unreachable);
    Some(HttpError { sent: value.getattr("sent").ok()?.extract().ok()?, code, message: text("message")? })
}
