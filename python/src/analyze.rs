//! Reconciliation as a pure function, as a Python class: findings page by page. The iterator that users see is made in
//! `rollkeeper/analysis.py`.

use crate::convert::{document, json_text};
use crate::enter::{lock, without_lock};
use crate::errors;
use crate::pure::json;
use crate::rows;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use rollkeeper::{Error, Fault, Rows};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// How many rows are taken from Python at a time.
const ROWS: usize = 1024;

/// The findings of an analysis.
#[pyclass(frozen, module = "rollkeeper._native")]
pub(crate) struct Analysis(Mutex<rollkeeper::Analysis>);

/// How users and accounts stand to each other. Each of the three is JSON text, the path of a file with such text, or an
/// iterable of rows.
#[pyo3::pyfunction]
pub(crate) fn analyze(
    users: &Bound<'_, PyAny>,
    accounts: &Bound<'_, PyAny>,
    links: Option<&Bound<'_, PyAny>>,
    options: &Bound<'_, PyAny>,
) -> PyResult<Analysis> {
    let py = users.py();
    let exception = Arc::new(Mutex::new(None));
    let read = |rows, what| Source::read(rows, what, &exception);
    let (users, accounts) = (read(users, "users")?, read(accounts, "accounts")?);
    let links = links.map(|links| read(links, "links")).transpose()?;
    let options = document(options)?;
    let analysis = without_lock(py, "analyze", || {
        rollkeeper::analyze(users.into_rows(), accounts.into_rows(), links.map(Source::into_rows), &options)
    })?;
    // What an iterable threw counts more than what was found of the rows before.
    if let Some(exception) = lock(&exception).take() {
        return Err(exception);
    }
    py.check_signals()?;
    let failed = |faults: Vec<Fault>| errors::exception(py, &Error::of_faults("analyze", faults));
    Ok(Analysis(Mutex::new(analysis.map_err(failed)?)))
}

#[pymethods]
impl Analysis {
    /// The totals.
    fn totals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text = without_lock(py, "analyze", || lock(&self.0).counts_json())?;
        json(py, text)
    }

    /// At most so many findings, as a list; an empty one after the last.
    fn page<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Bound<'py, PyAny>> {
        let page = without_lock(py, "analyze", || {
            let mut analysis = lock(&self.0);
            let lines: Result<Vec<String>, Fault> = analysis.by_ref().take(size).collect();
            lines.map(|lines| format!("[{}]", lines.join(",")))
        })?;
        py.check_signals()?;
        json(py, page.map_err(|fault| errors::fault(py, "analyze", fault))?)
    }
}

type Exception = Arc<Mutex<Option<PyErr>>>;

/// Where records come from.
enum Source {
    Text(Vec<u8>),
    Path(PathBuf),
    Rows(PythonRows),
}

impl Source {
    fn read(object: &Bound<'_, PyAny>, what: &'static str, exception: &Exception) -> PyResult<Self> {
        if let Some(text) = json_text(object)? {
            return Ok(Self::Text(text));
        }
        if let Ok(path) = object.extract::<PathBuf>() {
            return Ok(Self::Path(path));
        }
        let rows = rows::iterator(object, what)?.unbind();
        Ok(Self::Rows(PythonRows { rows, what, page: Vec::new().into_iter(), exception: Arc::clone(exception) }))
    }

    fn into_rows(self) -> Rows {
        match self {
            Self::Text(text) => Rows::Json(text),
            Self::Path(path) => Rows::Path(path),
            Self::Rows(rows) => Rows::Objects(Box::new(rows)),
        }
    }
}

/// Rows of a Python iterable. The engine takes them without the interpreter lock, which is taken for many at a time.
struct PythonRows {
    rows: Py<PyIterator>,
    what: &'static str,
    page: std::vec::IntoIter<Value>,
    exception: Exception,
}

impl Iterator for PythonRows {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        if let Some(row) = self.page.next() {
            return Some(row);
        }
        if lock(&self.exception).is_some() {
            return None;
        }
        let page = Python::try_attach(|py| {
            let read = || {
                py.check_signals()?;
                let rows = self.rows.bind(py).clone();
                rows.take(ROWS).map(|row| rows::row(&row?, self.what)).collect::<PyResult<Vec<Value>>>()
            };
            read().unwrap_or_else(|thrown| {
                lock(&self.exception).get_or_insert(thrown);
                Vec::new()
            })
        });
        self.page = page.unwrap_or_default().into_iter();
        self.page.next()
    }
}
