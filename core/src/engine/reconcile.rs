//! The verbs of reconciliation up to the plan.

use super::{Engine, Error, Result};
use crate::delivery::Active;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::model::{Reconciliation, ReconciliationFilter};
use crate::reconcile;

impl Engine {
    /// Reads the app's target, compares, and makes a plan; goes on with one that was interrupted. Nothing is changed. The
    /// answer is `Analyzed` with a plan and its digest; `Failed` with the fault where the target cannot be read; where it was
    /// stopped by [`Engine::cancel_run`], it is as far as it came, and the next call goes on. One that was analysed and never
    /// committed is taken back, and one of which only held items are left is closed.
    ///
    /// # Errors
    /// `not_found` for the app; `cancelled` where another caller took the work over meanwhile; store errors. What the target
    /// does is never an error here: it is in the reconciliation's `faults`.
    pub fn reconcile(&self, app: &str, by: Option<&str>) -> Result<Reconciliation> {
        self.reconcile_watched(app, by, &|_| true)
    }

    /// [`Engine::reconcile`], telling after every page and step how it goes; where `watch` gives false it stops, and the next
    /// call goes on.
    ///
    /// # Errors
    /// As [`Engine::reconcile`].
    pub fn reconcile_watched(
        &self,
        app: &str,
        by: Option<&str>,
        watch: &(dyn Fn(&Reconciliation) -> bool + Send + Sync),
    ) -> Result<Reconciliation> {
        self.writable("reconcile")?;
        let failed = |fault| Error::new("reconcile", fault).about("app", app);
        let _active = Active::new(&self.shared.run);
        let id = reconcile::reconcile(self.shared.as_ref(), app, by, Some(watch)).map_err(failed)?;
        self.shown(&id).map_err(failed)
    }

    /// The same with accounts that the host collected: a JSON list, or one object a line. `complete` tells whether these are
    /// all accounts of the target. An account is as connectors show it, or any other object with `id`.
    ///
    /// # Errors
    /// `not_found` for the app; `reconciliation_open` where another one is under way; `invalid_json` where the text is no
    /// list; store errors.
    pub fn stage_accounts(
        &self,
        app: &str,
        accounts: &[u8],
        complete: bool,
        by: Option<&str>,
    ) -> Result<Reconciliation> {
        self.writable("stage_accounts")?;
        let failed = |fault| Error::new("stage_accounts", fault).about("app", app);
        let _active = Active::new(&self.shared.run);
        let host = self.shared.as_ref();
        let id = reconcile::stage_accounts(host, app, accounts, complete, by, None).map_err(failed)?;
        self.shown(&id).map_err(failed)
    }

    /// One reconciliation.
    ///
    /// # Errors
    /// `not_found` where there is none of that id; store errors.
    pub fn reconciliation(&self, id: &str) -> Result<Reconciliation> {
        let failed = |fault| Error::new("reconciliation", fault).about("reconciliation", id);
        let id = RequestId::new(id).map_err(failed)?;
        self.shown(&id).map_err(failed)
    }

    /// Reconciliations by id, which is by the time of making.
    ///
    /// # Errors
    /// Store errors.
    pub fn reconciliations(&self, filter: &ReconciliationFilter) -> Result<Vec<Reconciliation>> {
        let rows = self.view(|tx| {
            let rows = tx.reconciliations(filter)?;
            rows.into_iter().map(|row| reconcile::show(tx, row)).collect()
        });
        rows.map_err(|fault| Error::new("reconciliations", fault))
    }

    pub(super) fn shown(&self, id: &RequestId) -> std::result::Result<Reconciliation, Fault> {
        self.view(|tx| {
            let missing = || Fault::new(Code::NotFound, "there is no such reconciliation");
            let row = tx.reconciliation(id.as_str())?.ok_or_else(missing)?;
            reconcile::show(tx, row)
        })
    }
}
