//! What tests need: the mock target, a clock that moves only when told to, the conformance suite.

use crate::callback::record;
use crate::connector::{PythonConnector, account as read_account};
use crate::convert::{document, timestamp_to_python, to_period, to_timestamp, to_value};
use crate::enter::{Caller, Interrupt, enter};
use crate::errors;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use rollkeeper::connector::{Connector, conformance, mock};
use rollkeeper::{Clock, testing};
use std::sync::Arc;

/// A target in memory whose faults are scripted.
#[pyclass(frozen, module = "rollkeeper.testing")]
pub(crate) struct MockTarget(mock::MockTarget);

impl MockTarget {
    pub(crate) fn of(target: mock::MockTarget) -> Self {
        Self(target)
    }

    pub(crate) fn target(&self) -> mock::MockTarget {
        self.0.clone()
    }
}

#[pymethods]
impl MockTarget {
    #[new]
    #[pyo3(signature = (options=None))]
    fn new(options: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(options) = options else { return Ok(Self(mock::MockTarget::new())) };
        let target = mock::MockTarget::from_json(&text(options)?);
        target.map(Self).map_err(|fault| errors::fault(options.py(), "mock_target", fault))
    }

    /// Adds faults for the calls to come.
    fn script(&self, faults: &Bound<'_, PyAny>) -> PyResult<()> {
        let scripted = self.0.script_json(&text(faults)?);
        scripted.map_err(|fault| errors::fault(faults.py(), "script", fault))
    }

    /// Tells the target which attributes it has from now on.
    fn set_schema(&self, attributes: &Bound<'_, PyAny>) -> PyResult<()> {
        let told = self.0.set_schema_json(&text(attributes)?);
        told.map_err(|fault| errors::fault(attributes.py(), "set_schema", fault))
    }

    /// Every call so far, in order.
    #[getter]
    fn calls<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        record(py, &self.0.calls())
    }

    /// Forgets the calls so far.
    fn clear_calls(&self) {
        self.0.clear_calls();
    }

    /// Every account as it really is, in order of creation.
    #[getter]
    fn accounts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        record(py, &self.0.accounts())
    }

    /// Puts an account as it is, without a call: a change behind the engine's back.
    fn put_account(&self, account: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.put_account(read_account(to_value(account)?).map_err(PyTypeError::new_err)?);
        Ok(())
    }

    /// Takes an account away without a call. Gives whether there was one.
    fn remove_account(&self, external_id: &str) -> bool {
        self.0.remove_account(external_id)
    }

    /// Switches the target off and on again.
    fn set_reachable(&self, reachable: bool) {
        self.0.set_reachable(reachable);
    }

    /// The members of a group, sorted.
    fn members(&self, group: &str) -> Vec<String> {
        self.0.members(group)
    }

    fn __repr__(&self) -> &'static str {
        "<MockTarget>"
    }
}

fn text(object: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(String::from_utf8(document(object)?)?)
}

/// A clock that moves only when told to.
#[pyclass(frozen, module = "rollkeeper.testing")]
pub(crate) struct VirtualClock(testing::VirtualClock);

impl VirtualClock {
    pub(crate) fn clock(&self) -> testing::VirtualClock {
        self.0.clone()
    }
}

#[pymethods]
impl VirtualClock {
    #[new]
    #[pyo3(signature = (start))]
    fn new(start: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(testing::VirtualClock::new(to_timestamp(start)?)))
    }

    /// Moves the clock forward.
    fn advance(&self, period: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.advance(to_period(period)?);
        Ok(())
    }

    /// Sets the clock, backwards too.
    fn set(&self, time: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.set(to_timestamp(time)?);
        Ok(())
    }

    /// The time that the clock shows.
    fn now<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        timestamp_to_python(py, self.0.now())
    }

    fn __repr__(&self) -> String {
        format!("<VirtualClock {}>", self.0.now())
    }
}

/// Runs the conformance suite against a connector; gives its report.
#[pyo3::pyfunction]
pub(crate) fn check_connector<'py>(
    connector: &Bound<'py, PyAny>,
    options: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = connector.py();
    let options = serde_json::from_value::<conformance::Options>(to_value(options)?)
        .map_err(|_| PyTypeError::new_err("`prefix` must be text and `attributes` a dict"))?;
    let under_test: Arc<dyn Connector> = match connector.cast::<MockTarget>() {
        Ok(mock) => Arc::new(mock.get().target()),
        Err(_) => Arc::new(PythonConnector::new(connector, Arc::new(Interrupt::default()))?),
    };
    let caller = Caller { owner: 0, engine: None };
    let check = || Ok(conformance::check(under_test.as_ref(), &options));
    let report = enter(py, &caller, "check_connector", check)?;
    record(py, &report)
}
