//! A Python object as the engine's [`Connector`]. Methods are looked up by name at each call, so any object will do. A
//! method that is missing or gives `NotImplemented` is not supported. A `rollkeeper.ConnectorError` says itself what the
//! failure means; after any other exception nobody knows what a write did, and a read did nothing.
//!
//! Messages made here name the exception's type and the line that threw it, never what it says: exceptions of connectors
//! quote attribute values.

use crate::callback::{Held, attached};
use crate::convert::{object_to_python, to_period, to_python, to_value, type_name};
use crate::enter::{Inside, Interrupt, call_out, lock, remember_exception};
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};
use rollkeeper::connector::{
    Capabilities, Change, Connector, ConnectorError, Outcome, Page, SchemaAttribute, TargetAccount,
};
use rollkeeper::value::Attributes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Arc, Mutex};

type Answer<T> = Result<T, ConnectorError>;

/// What a method does to the target, and so what its failure means.
#[derive(Clone, Copy)]
enum Effect {
    Read,
    Write,
}

impl Effect {
    fn of_failure(self) -> Outcome {
        match self {
            Self::Read => Outcome::NotApplied,
            Self::Write => Outcome::Ambiguous,
        }
    }
}

/// A connector written in Python.
pub(crate) struct PythonConnector {
    object: Held,
    interrupt: Arc<Interrupt>,
    capabilities: Mutex<Capabilities>,
}

impl PythonConnector {
    /// Takes an object with at least a method `create`, and asks it for its capabilities, so that a mistake there shows
    /// at once instead of as a target that can do nothing.
    pub(crate) fn new(object: &Bound<'_, PyAny>, interrupt: Arc<Interrupt>) -> PyResult<Self> {
        if object.is_instance_of::<PyType>() {
            return Err(PyTypeError::new_err("a connector is an object, not a class"));
        }
        if !object.getattr_opt("create")?.is_some_and(|create| create.is_callable()) {
            return Err(PyTypeError::new_err(format!("`{}` has no method `create`", type_name(object))));
        }
        let capabilities = Mutex::new(capabilities(object)?);
        Ok(Self { object: Arc::new(object.clone().unbind()), interrupt, capabilities })
    }

    /// The object, for the garbage collector.
    pub(crate) fn object(&self) -> Held {
        Arc::clone(&self.object)
    }

    /// Calls a method and reads its answer, which is `None` where the method is not supported.
    fn call<T>(
        &self,
        method: &'static str,
        effect: Effect,
        arguments: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyTuple>>,
        read: impl FnOnce(Value) -> Result<T, String>,
    ) -> Answer<T> {
        let ending = || ConnectorError::new(Outcome::NotApplied, "cancelled", "the interpreter is ending");
        attached(|py| {
            let object = self.object.bind(py);
            let Some(callable) = object.getattr_opt(method).ok().flatten().filter(|callable| callable.is_callable())
            else {
                return Err(ConnectorError::unsupported(method));
            };
            let arguments =
                arguments(py).map_err(|error| self.failure(py, method, Effect::Read.of_failure(), error))?;
            let answer = call_out(Inside::Connector, || callable.call1(arguments))
                .map_err(|error| self.failure(py, method, effect.of_failure(), error))?;
            if answer.is(py.NotImplemented().bind(py)) {
                return Err(ConnectorError::unsupported(method));
            }
            refuse_coroutine(method, &answer)?;
            let invalid = |reason: String| {
                let message = format!("the connector's `{method}` {reason}");
                ConnectorError::new(effect.of_failure(), "invalid_answer", message)
            };
            let value = to_value(&answer).map_err(|error| invalid(format!("answered with {}", error.value(py))))?;
            read(value).map_err(invalid)
        })
        .unwrap_or_else(|| Err(ending()))
    }

    fn failure(&self, py: Python<'_>, method: &str, outcome: Outcome, error: PyErr) -> ConnectorError {
        if let Some(failure) = told_failure(py, &error) {
            remember_exception(error);
            return failure;
        }
        let kind = type_name(error.value(py).as_any());
        let place = place_of(py, &error).map_or_else(String::new, |place| format!(" at {place}"));
        let message = format!("the connector's `{method}` raised `{kind}`{place}");
        if error.is_instance_of::<PyException>(py) {
            remember_exception(error);
        } else {
            self.interrupt.set_by_connector(error);
        }
        ConnectorError::new(outcome, "connector_failed", message)
    }
}

/// What a `rollkeeper.ConnectorError` says.
fn told_failure(py: Python<'_>, error: &PyErr) -> Option<ConnectorError> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(py, "rollkeeper.errors", "ConnectorError").ok()?;
    let value = error.value(py);
    if !value.is_instance(class).ok()? {
        return None;
    }
    let text = |name: &str| value.getattr(name).ok()?.extract::<Option<String>>().ok();
    let mut failure = ConnectorError::new(Outcome::from_name(&text("outcome")??)?, text("code")??, text("message")??);
    let retry_after = value.getattr("retry_after").ok()?;
    failure.retry_after = if retry_after.is_none() { None } else { Some(to_period(&retry_after).ok()?) };
    failure.external_id = text("external_id")?;
    Some(failure)
}

/// File and line that threw.
pub(crate) fn place_of(py: Python<'_>, error: &PyErr) -> Option<String> {
    let mut traceback = error.traceback(py)?.into_any();
    while let Some(next) = traceback.getattr_opt("tb_next").ok().flatten().filter(|next| !next.is_none()) {
        traceback = next;
    }
    let line: u32 = traceback.getattr("tb_lineno").ok()?.extract().ok()?;
    let file: String =
        traceback.getattr("tb_frame").ok()?.getattr("f_code").ok()?.getattr("co_filename").ok()?.extract().ok()?;
    let name = file.rsplit(['/', '\\']).next().unwrap_or(&file);
    Some(format!("{name}:{line}"))
}

/// An `async def` method has done nothing yet when it gives its coroutine.
fn refuse_coroutine(method: &str, answer: &Bound<'_, PyAny>) -> Answer<()> {
    if type_name(answer) != "coroutine" {
        return Ok(());
    }
    drop(answer.call_method0("close"));
    let message = format!("the connector's `{method}` is a coroutine; a connector's methods are ordinary functions");
    Err(ConnectorError::new(Outcome::Rejected, "unsupported", message))
}

fn capabilities(object: &Bound<'_, PyAny>) -> PyResult<Capabilities> {
    let has = |method: &str| object.hasattr(method);
    let derived = || -> PyResult<Capabilities> {
        Ok(Capabilities {
            search: has("find")?,
            freeze: has("freeze")? && has("unfreeze")?,
            groups: has("list_groups")? && has("change_members")?,
            changes: has("changes")?,
            ..Capabilities::default()
        })
    };
    let Some(method) = object.getattr_opt("capabilities")? else { return derived() };
    let answer = call_out(Inside::Connector, || method.call0())?;
    if answer.is(object.py().NotImplemented().bind(object.py())) {
        return derived();
    }
    let wrong = |reason| PyTypeError::new_err(format!("`capabilities` {reason}"));
    shaped(to_value(&answer)?, "capabilities").map_err(wrong)
}

/// Reads an answer that is an object. What is wrong is told by key, not by value.
fn shaped<T: DeserializeOwned>(value: Value, wanted: &str) -> Result<T, String> {
    if !value.is_object() {
        // serde would take a list for an object whose keys are left out.
        return Err(format!("did not answer with {wanted}"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let text = error.inner().to_string();
        let named = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
        let place = error.path().to_string();
        if let Some(key) = named("missing field `") {
            format!("answered with {wanted} without `{key}`")
        } else if let Some(key) = named("unknown field `") {
            format!("answered with {wanted} that has an unknown key `{key}`")
        } else {
            format!("answered with {wanted} whose `{place}` is of a wrong type")
        }
    })
}

/// Reads an account.
pub(crate) fn account(value: Value) -> Result<TargetAccount, String> {
    let account: TargetAccount = shaped(value, "an account")?;
    if account.external_id.is_empty() { Err("answered with an empty `external_id`".to_owned()) } else { Ok(account) }
}

fn optional_account(value: Value) -> Result<Option<TargetAccount>, String> {
    if value.is_null() { Ok(None) } else { account(value).map(Some) }
}

fn list_of<T>(value: Option<Value>, wanted: &str, read: impl Fn(Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    let Some(Value::Array(items)) = value else { return Err(format!("did not answer with a list of {wanted}")) };
    items.into_iter().map(read).collect()
}

fn accounts(value: Value) -> Result<Vec<TargetAccount>, String> {
    list_of(Some(value), "accounts", account)
}

fn page(value: Value) -> Result<Page, String> {
    let mut page = object(value, "a page of accounts")?;
    let accounts = list_of(page.remove("accounts"), "accounts", account)?;
    let next = cursor(&mut page, "next")?;
    let complete = match page.remove("complete") {
        None => false,
        Some(Value::Bool(complete)) => complete,
        Some(_) => return Err("answered with a `complete` that is neither true nor false".to_owned()),
    };
    let total = match page.remove("total") {
        None | Some(Value::Null) => None,
        Some(total) => Some(total.as_u64().ok_or("answered with a `total` that is no count")?),
    };
    Ok(Page { accounts, next, complete, total })
}

fn object(value: Value, wanted: &str) -> Result<Attributes, String> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(format!("did not answer with {wanted}")),
    }
}

fn nothing(_: Value) -> Result<(), String> {
    Ok(())
}

fn cursor(page: &mut Attributes, key: &str) -> Result<Option<String>, String> {
    match page.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("answered with a `{key}` that is not text")),
    }
}

impl Connector for PythonConnector {
    fn capabilities(&self) -> Capabilities {
        let fresh = attached(|py| match capabilities(self.object.bind(py)) {
            Ok(capabilities) => Some(capabilities),
            // The last good answer stands: without it, a target that can be searched would be taken for one that
            // cannot, and an account might be made twice.
            Err(error) => {
                error.write_unraisable(py, Some(self.object.bind(py)));
                None
            }
        });
        let mut known = lock(&self.capabilities);
        if let Some(fresh) = fresh.flatten() {
            *known = fresh;
        }
        known.clone()
    }

    fn test(&self) -> Answer<()> {
        self.call("test", Effect::Read, |py| Ok(PyTuple::empty(py)), nothing)
    }

    fn schema(&self) -> Answer<Vec<SchemaAttribute>> {
        self.call(
            "schema",
            Effect::Read,
            |py| Ok(PyTuple::empty(py)),
            |value| list_of(Some(value), "attributes", |attribute| shaped(attribute, "an attribute")),
        )
    }

    fn find(&self, attribute: &str, value: &Value) -> Answer<Vec<TargetAccount>> {
        self.call("find", Effect::Read, |py| (attribute, to_python(py, value)?).into_pyobject(py), accounts)
    }

    fn read(&self, external_id: &str) -> Answer<Option<TargetAccount>> {
        self.call("read", Effect::Read, |py| (external_id,).into_pyobject(py), optional_account)
    }

    fn create(&self, attributes: &Attributes, idempotency_key: &str) -> Answer<TargetAccount> {
        self.call(
            "create",
            Effect::Write,
            |py| (object_to_python(py, attributes)?, idempotency_key).into_pyobject(py),
            account,
        )
    }

    fn update(&self, external_id: &str, changes: &[Change], version: Option<&str>) -> Answer<Option<TargetAccount>> {
        self.call(
            "update",
            Effect::Write,
            |py| (external_id, crate::callback::record(py, &changes)?, version).into_pyobject(py),
            optional_account,
        )
    }

    fn activate(&self, external_id: &str) -> Answer<()> {
        self.call("activate", Effect::Write, |py| (external_id,).into_pyobject(py), nothing)
    }

    fn deactivate(&self, external_id: &str) -> Answer<()> {
        self.call("deactivate", Effect::Write, |py| (external_id,).into_pyobject(py), nothing)
    }

    fn freeze(&self, external_id: &str) -> Answer<()> {
        self.call("freeze", Effect::Write, |py| (external_id,).into_pyobject(py), nothing)
    }

    fn unfreeze(&self, external_id: &str) -> Answer<()> {
        self.call("unfreeze", Effect::Write, |py| (external_id,).into_pyobject(py), nothing)
    }

    fn delete(&self, external_id: &str) -> Answer<()> {
        self.call("delete", Effect::Write, |py| (external_id,).into_pyobject(py), nothing)
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Answer<Page> {
        self.call("list", Effect::Read, |py| (cursor, filter).into_pyobject(py), page)
    }

    fn changes(&self, token: Option<&str>) -> Answer<(Vec<TargetAccount>, String)> {
        self.call(
            "changes",
            Effect::Read,
            |py| (token,).into_pyobject(py),
            |value| {
                let mut page = object(value, "accounts and a token")?;
                let token = cursor(&mut page, "token")?.ok_or("answered without a `token`")?;
                Ok((list_of(page.remove("accounts"), "accounts", account)?, token))
            },
        )
    }

    fn list_groups(&self, from: Option<&str>) -> Answer<(Vec<Attributes>, Option<String>)> {
        self.call(
            "list_groups",
            Effect::Read,
            |py| (from,).into_pyobject(py),
            |value| {
                let mut page = object(value, "a page of groups")?;
                let next = cursor(&mut page, "next")?;
                Ok((list_of(page.remove("groups"), "groups", |group| object(group, "a group"))?, next))
            },
        )
    }

    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Answer<()> {
        self.call("change_members", Effect::Write, |py| (group, add, remove).into_pyobject(py), nothing)
    }
}
