//! The verbs of plans.

use super::{Engine, Error, Result};
use crate::delivery::{Active, Host};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::model::{PlanFilter, PlanItem, Reconciliation, ReviewDecision, State};
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

    /// A second person agrees to the held part of exactly that plan: once, within 24 hours after the reconciliation was
    /// begun; to what a definition or a list would take away of an app, as long as nothing newer takes its place. Where the
    /// plan was committed before, what was held is carried out now; else the commit does it, within 24 hours. What was found
    /// for the first time stays held.
    ///
    /// # Errors
    /// `not_found`; `four_eyes` where it is not a second person: whoever reconciled, committed or reviewed; `plan_changed`
    /// where the digest is not that of the plan, an item is not as it was planned, or the app's definition changed since;
    /// `invalid_transition` where nothing waits for a release, the listing is incomplete, the plan is too old, or it was
    /// released before; store errors.
    pub fn release(&self, id: &str, digest: &str, by: &str) -> Result<Reconciliation> {
        self.writable("release")?;
        let failed = |fault| Error::new("release", fault).about("reconciliation", id);
        let _active = Active::new(&self.shared.run);
        let id = RequestId::new(id).map_err(failed)?;
        let row = self.transact(|tx, apps| {
            let missing = || Fault::new(Code::NotFound, "there is no such reconciliation");
            let mut row = tx.reconciliation(id.as_str())?.ok_or_else(missing)?;
            reconcile::release(tx, apps, &mut row, digest, by)?;
            Ok(row)
        });
        let row = row.map_err(failed)?;
        match (row.is_of_users(), row.shown.state) {
            (true, _) => drop(self.carry_leavers_out(&id).map_err(failed)?),
            (_, State::Committing) => {
                reconcile::go_on(self.shared.as_ref(), &id, None).map_err(failed)?;
            }
            _ => {}
        }
        self.shown(&id).map_err(failed)
    }

    /// A person decides what is done about one item of a plan that nobody committed yet: any reaction that its situation
    /// allows; for an account that several users match, or only one who has another, `link` with one of those users. The
    /// brake is asked again, and the plan has another digest then. What a person decided needs no second observation.
    ///
    /// # Errors
    /// `not_found`; `invalid_argument` where the reaction is not allowed or cannot follow, with why, or where the user does
    /// not come into question; `invalid_transition` where the plan is being carried out or was released; `plan_changed`
    /// where the app's definition changed since, `item_changed` where the user or the account did; store errors.
    pub fn review(&self, id: &str, item: u64, decision: &ReviewDecision, by: &str) -> Result<Reconciliation> {
        self.writable("review")?;
        let failed = |fault| Error::new("review", fault).about("reconciliation", id);
        let _active = Active::new(&self.shared.run);
        let id = RequestId::new(id).map_err(failed)?;
        reconcile::review(self.shared.as_ref(), &id, item, decision, by).map_err(failed)?;
        self.shown(&id).map_err(failed)
    }
}
