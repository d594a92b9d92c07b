//! Carrying out what a plan holds of accounts that a new definition takes away: what was decided then is decided again, and
//! done where it is still the same.

use super::act::{Acting, Outcome, changed};
use crate::fault::{Code, Fault};
use crate::intake::{LanePlan, Trigger, access_print, decide_lane, plan_lane};
use crate::store::{PlanRow, Tx};

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
        if access_print(tx, definition, user, None)? != row.planned_for {
            return Err(changed(item, "who may have the account, or whose it is, is another now"));
        }
        if item.finding.account.as_deref().is_some_and(|account| self.is_protected(account)) {
            return Err(Fault::new(Code::OperationOff, "the account is protected; it is never touched"));
        }
        tx.hold_access(app, user, None)?;
        let text = item.why.first().map_or("a new definition was put", String::as_str);
        let trigger = Trigger { text, by: plan.released_by.as_deref(), is_definition: false };
        let taking = match plan_lane(tx, definition, &stored, trigger)? {
            LanePlan::Steps(steps) => steps.taking(tx.now),
            LanePlan::Nothing | LanePlan::Undecided(_) => None,
        };
        match taking {
            None => {
                let told = Some("there is nothing to take away any more".to_owned());
                return Ok(Outcome { request: None, told });
            }
            Some(reaction) if reaction != item.reaction => {
                return Err(changed(item, "something else would be taken away now"));
            }
            Some(_) => {}
        }
        let made = decide_lane(tx, definition, &stored, trigger)?;
        made.iter().try_for_each(|request| tx.note_plan(&request.id, &plan.shown.id))?;
        Ok(Outcome::done(made.into_iter().next().map(|request| request.id)))
    }
}
