//! The verb that takes back what was done.

use super::{Engine, Error, Result};
use crate::fault::{Code, Fault};
use crate::model::Reconciliation;

impl Engine {
    /// Plans to put back what a reconciliation or a request changed, from the values that were stored before.
    pub fn undo(&self, id: &str, by: &str) -> Result<Reconciliation> {
        let _ = (id, by);
        Err(Error::new("undo", Fault::new(Code::Internal, "not built")))
    }
}
