//! The verbs of plans.

use super::work::Active;
use super::{Engine, Error, Result};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::model::{PlanFilter, PlanItem, Reconciliation, ReviewDecision};
use crate::reconcile;

impl Engine {
    /// The items of a plan by their numbers. Values of sensitive attributes are left out.
    ///
    /// # Errors
    /// `not_found` where there is no such reconciliation; store errors.
    pub fn plan(&self, id: &str, filter: &PlanFilter) -> Result<Vec<PlanItem>> {
        let failed = |fault| Error::new("plan", fault).about("reconciliation", id);
        self.shared.refresh().map_err(failed)?;
        let (apps, _) = self.shared.apps();
        self.view(|tx| reconcile::plan(tx, &apps, id, filter)).map_err(failed)
    }

    /// Carries out exactly the plan of that digest; what the brake holds waits for [`Engine::release`]. Nothing is sent: the
    /// requests that this makes are delivered by [`Engine::run`]. An item of which the user's record or the account changed
    /// since the plan was made is refused and named, the others are done. After an interruption the same call goes on.
    ///
    /// # Errors
    /// `not_found`; `plan_changed` where the digest is not that of the plan, or the app's definition changed since;
    /// `invalid_transition` where there is no plan yet or the reconciliation ended without it; store errors.
    pub fn commit(&self, id: &str, digest: &str, by: &str) -> Result<Reconciliation> {
        self.writable("commit")?;
        let failed = |fault| Error::new("commit", fault).about("reconciliation", id);
        let _active = Active::new(&self.shared.run);
        let id = RequestId::new(id).map_err(failed)?;
        reconcile::commit(self.shared.as_ref(), &id, digest, by).map_err(failed)?;
        self.shown(&id).map_err(failed)
    }

    /// A second person agrees to the held part of exactly that plan.
    pub fn release(&self, id: &str, digest: &str, by: &str) -> Result<Reconciliation> {
        let failed = |fault| Error::new("release", fault);
        let row = self.view(|tx| tx.reconciliation(id)).map_err(failed)?;
        let row = row.ok_or_else(|| failed(Fault::new(Code::NotFound, "there is no such reconciliation")))?;
        if row.shown.by.as_deref() == Some(by) {
            return Err(failed(Fault::new(Code::FourEyes, "who put the list may not release it")));
        }
        if row.shown.digest.as_deref() != Some(digest) || row.shown.finished_at.is_some() {
            return Err(failed(Fault::new(Code::PlanChanged, "the plan is not the one of that digest any more")));
        }
        self.release_list(row, by).map_err(failed)?;
        self.reconciliation(id)
    }

    /// A person decides what is done about one item. The plan has another digest then.
    pub fn review(&self, id: &str, item: u64, decision: &ReviewDecision, by: &str) -> Result<Reconciliation> {
        let _ = (id, item, decision, by);
        Err(Error::new("review", Fault::new(Code::Internal, "not built")))
    }
}
