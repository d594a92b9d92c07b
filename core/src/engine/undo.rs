//! The verb that takes back what was done.

use super::{Engine, Error, Result};
use crate::delivery::Active;
use crate::model::Reconciliation;
use crate::reconcile;

impl Engine {
    /// Plans to put back what a reconciliation or a completed request changed, from the values that were kept before. The
    /// answer has a plan and its digest, for [`Engine::commit`]; nothing is changed before. What cannot be undone stands first
    /// in the plan, refused, with the reason.
    ///
    /// # Errors
    /// `not_found` where there is no such reconciliation or request; `cannot_be_undone` where it is undone already, or nothing
    /// was kept; `invalid_transition` where nothing was carried out; store errors.
    pub fn undo(&self, id: &str, by: &str) -> Result<Reconciliation> {
        self.writable("undo")?;
        let failed = |fault| Error::new("undo", fault).about("undone", id);
        let _active = Active::new(&self.shared.run);
        let plan = reconcile::undo(self.shared.as_ref(), id, by).map_err(failed)?;
        self.shown(&plan).map_err(failed)
    }
}
