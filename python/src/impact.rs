//! What a new definition would change, as a Python class: page by page, so that Ctrl-C is noticed between two. The iterator
//! that users see is made in `rollkeeper/impact.py`.

use crate::callback::record;
use crate::enter::{Caller, enter, lock};
use pyo3::prelude::*;
use std::sync::Mutex;

/// The impact of a definition.
#[pyclass(frozen, module = "rollkeeper._native")]
pub(crate) struct Impact {
    owner: u64,
    impact: Mutex<rollkeeper::Impact>,
}

impl Impact {
    pub(crate) fn new(owner: u64, impact: rollkeeper::Impact) -> Self {
        Self { owner, impact: Mutex::new(impact) }
    }

    fn caller(&self) -> Caller {
        Caller { owner: self.owner, engine: None }
    }
}

#[pymethods]
impl Impact {
    /// The users of the next page for whom something would change; None after the last.
    fn page<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let page = enter(py, &self.caller(), "impact", || lock(&self.impact).next_page())?;
        page.map(|users| record(py, &users)).transpose()
    }

    /// The totals so far.
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let summary = enter(py, &self.caller(), "impact", || Ok(lock(&self.impact).summary().clone()))?;
        record(py, &summary)
    }
}
