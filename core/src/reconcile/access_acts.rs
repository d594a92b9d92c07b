//! Carrying out what a plan holds of accounts that a new definition takes away: what was decided then is decided again, and
//! done where it is still the same.

use super::act::{Acting, Outcome, changed};
use crate::fault::{Code, Fault};
use crate::intake::{LanePlan, Trigger, decide_lane, plan_lane, planned_for};
use crate::model::Reaction;
use crate::store::{PlanRow, Tx, UserState};

impl Acting<'_> {
    /// Takes away what an item says, if everything is as it was planned for. The user's record may be another, as long as it
    /// does not give the account back.
    ///
    /// # Errors
    /// `item_changed` where it is not; `operation_off` where the account is protected.
    pub(super) fn access(&self, tx: &mut Tx<'_>, row: &PlanRow) -> Result<Outcome, Fault> {
        let (item, definition) = (&row.item, &self.live.definition);
        let (app, plan) = (&definition.app.id, self.reconciliation);
        let gone = || Fault::new(Code::NotFound, "the user's record was erased");
        let stored = tx.user(item.finding.user.as_deref().unwrap_or_default())?.ok_or_else(gone)?;
        let user = &stored.user.id;
        let present = (stored.state == UserState::Present).then_some(&stored.user);
        let standing = definition.standing(present, tx.now)?;
        // An account that was being made is there by now.
        let (planned, account) = (item.finding.account.as_deref(), tx.account_of(app, user.as_str())?);
        let is_another = planned.is_some_and(|planned| account.as_deref() != Some(planned));
        if is_another || planned_for(&standing) != row.planned_for {
            return Err(changed(item, "who may have the account, or whose it is, is another now"));
        }
        if account.is_some_and(|account| self.is_protected(&account)) {
            return Err(Fault::new(Code::OperationOff, "the account is protected; it is never touched"));
        }
        tx.hold_access(app, user, None)?;
        let text = item.why.first().map_or("a new definition was put", String::as_str);
        let trigger = Trigger { text, by: plan.released_by.as_deref(), is_definition: false };
        // The definition is the same and the record says the same: what is left to do is what was agreed to, or a part of it.
        let steps = match plan_lane(tx, definition, &stored, trigger)? {
            LanePlan::Steps(steps) => Some(steps).filter(|steps| steps.taking(&standing, tx.now).is_some()),
            LanePlan::Nothing | LanePlan::Undecided(_) => None,
        };
        let Some(steps) = steps else {
            return Ok(Outcome { request: None, told: Some("there is nothing to take away any more".to_owned()) });
        };
        // A deletion that was under way when the plan was made, and that somebody has ended since, is in no plan.
        if item.reaction != Reaction::Delete && steps.deletes_soon(tx.now) {
            return Err(changed(item, "the account would be deleted now, and not only disabled"));
        }
        let made = decide_lane(tx, definition, &stored, trigger)?;
        made.iter().try_for_each(|request| tx.note_plan(&request.id, &plan.shown.id))?;
        Ok(Outcome::done(made.into_iter().next().map(|request| request.id)))
    }
}
