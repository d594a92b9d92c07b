//! The verbs of plans.

use super::{Engine, Error, Result};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::model::{PlanFilter, PlanItem, Reconciliation, ReviewDecision};

impl Engine {
    /// The items of a plan by their numbers.
    pub fn plan(&self, id: &str, filter: &PlanFilter) -> Result<Vec<PlanItem>> {
        let id = RequestId::new(id).map_err(|fault| Error::new("plan", fault))?;
        let items = self.view(|tx| tx.plan_items(&id, filter)).map_err(|fault| Error::new("plan", fault))?;
        Ok(items.into_iter().map(|row| row.item).collect())
    }

    /// Carries out exactly the plan of that digest; what the brake holds waits for [`Engine::release`].
    pub fn commit(&self, id: &str, digest: &str, by: &str) -> Result<Reconciliation> {
        let _ = (id, digest, by);
        Err(Error::new("commit", Fault::new(Code::Internal, "not built")))
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
