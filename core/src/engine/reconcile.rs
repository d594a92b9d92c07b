//! The verbs of reconciliation up to the plan.

use super::{Engine, Error, Result};
use crate::fault::{Code, Fault};
use crate::model::{Reconciliation, ReconciliationFilter};

impl Engine {
    /// Reads the app's target, compares, and makes a plan; goes on with one that was interrupted. Nothing is changed.
    pub fn reconcile(&self, app: &str, by: Option<&str>) -> Result<Reconciliation> {
        let _ = (app, by);
        Err(Error::new("reconcile", Fault::new(Code::Internal, "not built")))
    }

    /// The same with accounts that the host collected: a JSON list, or one object a line. `complete` tells whether these are
    /// all accounts of the target.
    pub fn stage_accounts(
        &self,
        app: &str,
        accounts: &[u8],
        complete: bool,
        by: Option<&str>,
    ) -> Result<Reconciliation> {
        let _ = (app, accounts, complete, by);
        Err(Error::new("stage_accounts", Fault::new(Code::Internal, "not built")))
    }

    /// One reconciliation.
    pub fn reconciliation(&self, id: &str) -> Result<Reconciliation> {
        let failed = |fault| Error::new("reconciliation", fault);
        let row = self.view(|tx| {
            let Some(mut row) = tx.reconciliation(id)? else { return Ok(None) };
            row.shown.items = tx.item_counts(&row.shown.id)?;
            Ok(Some(row.shown))
        });
        row.map_err(failed)?.ok_or_else(|| failed(Fault::new(Code::NotFound, "there is no such reconciliation")))
    }

    /// Reconciliations by id, which is by the time of making.
    pub fn reconciliations(&self, filter: &ReconciliationFilter) -> Result<Vec<Reconciliation>> {
        let _ = filter;
        Err(Error::new("reconciliations", Fault::new(Code::Internal, "not built")))
    }
}
