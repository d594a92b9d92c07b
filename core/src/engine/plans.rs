//! The verbs of plans.

use super::{Engine, Error, Result};
use crate::fault::{Code, Fault};
use crate::model::{PlanFilter, PlanItem, Reconciliation, ReviewDecision};

impl Engine {
    /// The items of a plan by their numbers.
    pub fn plan(&self, id: &str, filter: &PlanFilter) -> Result<Vec<PlanItem>> {
        let _ = (id, filter);
        Err(Error::new("plan", Fault::new(Code::Internal, "not built")))
    }

    /// Carries out exactly the plan of that digest; what the brake holds waits for [`Engine::release`].
    pub fn commit(&self, id: &str, digest: &str, by: &str) -> Result<Reconciliation> {
        let _ = (id, digest, by);
        Err(Error::new("commit", Fault::new(Code::Internal, "not built")))
    }

    /// A second person agrees to the held part of exactly that plan.
    pub fn release(&self, id: &str, digest: &str, by: &str) -> Result<Reconciliation> {
        let _ = (id, digest, by);
        Err(Error::new("release", Fault::new(Code::Internal, "not built")))
    }

    /// A person decides what is done about one item. The plan has another digest then.
    pub fn review(&self, id: &str, item: u64, decision: &ReviewDecision, by: &str) -> Result<Reconciliation> {
        let _ = (id, item, decision, by);
        Err(Error::new("review", Fault::new(Code::Internal, "not built")))
    }
}
