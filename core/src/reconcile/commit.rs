//! Carrying a plan out, item by item: requests are made and links are noted. Nothing is sent from here.

use super::act::{Acting, Outcome};
use super::look::Look;
use super::release::{same_definition, same_item, same_items, use_release};
use super::schedule::SCHEDULE;
use super::sources::Seeker;
use super::undo::put_back;
use super::{Work, definition_mark, find, go_on, is_at_account, write};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{LiveApp, advance, end_reconciliation, expire_items, log_step};
use crate::lifecycle::Event;
use crate::model::{ApprovalStatus, ItemState, ReconciliationKind, SnapshotVerdict, State, TargetAccount, WaitingFor};
use crate::store::{PlanRow, ReconciliationRow, Remembered, Tx};
use serde_json::json;

/// How many items are carried out in one transaction.
const BATCH: u32 = 100;

/// Carries out the plan of that digest. Where that was begun and interrupted, it is gone on with.
pub(crate) fn commit(host: &dyn Host, id: &RequestId, digest: &str, by: &str) -> Result<(), Fault> {
    if by.trim().is_empty() {
        return Err(Fault::new(Code::InvalidArgument, "say who commits the plan"));
    }
    host.refresh()?;
    let goes_on = write(host, |tx, apps| {
        let missing = || Fault::new(Code::NotFound, "there is no such reconciliation");
        let mut row = tx.reconciliation(id.as_str())?.ok_or_else(missing)?;
        if row.is_of_users() {
            return Err(Fault::new(Code::InvalidTransition, "the plan of a list of users carries itself out"));
        }
        if !matches!(row.shown.state, State::Analyzed | State::Committing | State::Completed) {
            return Err(Fault::new(Code::InvalidTransition, "the reconciliation has no plan to carry out"));
        }
        if row.shown.digest.as_deref() != Some(digest) {
            return Err(Fault::new(Code::PlanChanged, "the digest is not that of the plan as it is now"));
        }
        match row.shown.state {
            State::Completed => return Ok(false),
            State::Committing => return same_items(tx, &row, digest).map(|()| true),
            _ => {}
        }
        let app = row.shown.app.clone();
        find(apps, app.as_ref().map(|app| app.as_str()).unwrap_or_default())?;
        same_definition(apps, &row)?;
        same_items(tx, &row, digest)?;
        tx.take_reconciliation(&mut row)?;
        use_release(tx, apps, &mut row, by)?;
        row.committed_by = Some(by.to_owned());
        advance(tx, &mut row, Event::Commit, Some(by), json!({"digest": digest}))?;
        Ok(true)
    })?;
    if goes_on { go_on(host, id, None) } else { Ok(()) }
}

impl Work<'_> {
    /// Does what is planned, notes what was seen, and ends where nothing is held.
    pub(super) fn commit(&mut self) -> Result<(), Fault> {
        // Whoever goes on does what was agreed to and nothing else.
        let digest = self.row.shown.digest.clone().unwrap_or_default();
        if let Err(fault) = super::read(self.host, |tx| same_items(tx, &self.row, &digest)) {
            if fault.code == Code::PlanChanged {
                // It will never be the plan again, and the next reconciliation is not to wait for it.
                let id = self.row.shown.id.clone();
                write(self.host, |tx, _| end_reconciliation(tx, &id, Event::Fail, None, &fault.message))?;
            }
            return Err(fault);
        }
        let mut seeker = Seeker::new(self);
        while !self.is_stopped() {
            let next = super::read(self.host, |tx| tx.next_items(&self.row.shown.id, ItemState::Planned, BATCH))?;
            if next.is_empty() {
                if self.row.shown.kind == ReconciliationKind::Target {
                    self.take_over(&mut seeker)?;
                }
                return if self.is_stopped() { Ok(()) } else { self.end() };
            }
            let mut batch = Vec::with_capacity(next.len());
            for row in next {
                let account = row.item.finding.account.as_deref().filter(|_| is_at_account(row.item.finding.situation));
                let seen = account.map(|account| seeker.find(account)).transpose()?.flatten();
                let Some(look) = self.look(&row)? else { return Ok(()) };
                batch.push((row, seen, look));
            }
            self.carry_out(&batch)?;
            self.tell();
        }
        Ok(())
    }

    fn carry_out(&self, batch: &[(PlanRow, Option<TargetAccount>, Look)]) -> Result<(), Fault> {
        write(self.host, |tx, apps| {
            tx.save_reconciliation(&self.row)?;
            let live = find(apps, self.app.as_str())?;
            let changed = is_of_another(&self.row, live)?;
            for (planned, seen, look) in batch {
                let mut row = planned.clone();
                let acting = Acting { live, reconciliation: &self.row, seen: seen.as_ref() };
                let outcome = match changed {
                    true => Err(Fault::new(Code::ItemChanged, "the app's definition changed since the plan was made")),
                    false => same_item(&row).and_then(|()| {
                        tx.part(|tx| match (look, self.is_undo()) {
                            (Look::Unknown(fault), _) => Err(fault.clone()),
                            (Look::There(told), _) => Ok(Outcome { request: None, told: Some(told.clone()) }),
                            (Look::None | Look::Gone, true) => put_back(tx, live, &self.row, &row),
                            (Look::None | Look::Gone, false) => acting.carry_out(tx, &row),
                        })
                    }),
                };
                let outcome = match outcome {
                    Err(fault) if !is_of_item(&fault) => return Err(fault),
                    outcome => outcome,
                };
                self.note_outcome(tx, &mut row, outcome)?;
            }
            Ok(())
        })
    }

    fn note_outcome(&self, tx: &mut Tx<'_>, row: &mut PlanRow, outcome: Result<Outcome, Fault>) -> Result<(), Fault> {
        let item = &mut row.item;
        let mut details = json!({"item": item.number, "situation": item.finding.situation, "reaction": item.reaction,
            "external_id": item.finding.account});
        let kind = match outcome {
            Ok(Outcome { told: Some(told), .. }) => {
                item.state = ItemState::Reported;
                if let Some(details) = details.as_object_mut() {
                    details.insert("why".to_owned(), json!(told));
                }
                item.why.push(told);
                "reported"
            }
            Ok(Outcome { request, told: None }) => {
                item.state = ItemState::Done;
                item.request = request;
                row.done_at = Some(tx.now);
                "reconciled"
            }
            Err(fault) => {
                item.state = ItemState::Refused;
                if let Some(details) = details.as_object_mut() {
                    details.insert("faults".to_owned(), json!([fault]));
                }
                item.fault = Some(fault);
                "refused"
            }
        };
        tx.save_item(&self.row.shown.id, row)?;
        let user = row.item.finding.user.as_deref().map(crate::id::UserId::new).transpose()?;
        tx.log(crate::store::LogEvent {
            app: Some(&self.app),
            user: user.as_ref(),
            request: Some(&self.row.shown.id),
            by: self.row.committed_by.as_deref(),
            ..crate::store::LogEvent::new(kind, details)
        })
    }

    /// Nothing is planned any more. What is held waits for a second person, where one can let it through.
    fn end(&mut self) -> Result<(), Fault> {
        let row = self.row.clone();
        self.row = write(self.host, |tx, _| {
            let mut row = row.clone();
            let held = tx.item_counts(&row.shown.id)?.get(&ItemState::Held).copied().unwrap_or(0);
            let waits = matches!(row.shown.approval, ApprovalStatus::Required);
            if held > 0 && waits && row.used_at.is_none() {
                wait_for_release(tx, &mut row, held)?;
                return Ok(row);
            }
            let expired = expire_items(tx, &row.shown.id)?;
            if row.shown.kind == ReconciliationKind::Target {
                remember(tx, &row)?;
            }
            let items = tx.item_counts(&row.shown.id)?;
            let by = row.committed_by.clone();
            advance(tx, &mut row, Event::Complete, by.as_deref(), json!({"items": items, "expired": expired}))?;
            Ok(row)
        })?;
        self.stopped = true;
        Ok(())
    }
}

/// Whether a plan was made for another definition of the app than there is now.
fn is_of_another(row: &ReconciliationRow, live: &LiveApp) -> Result<bool, Fault> {
    let now = definition_mark(live)?;
    Ok(row.definition.as_ref().is_some_and(|definition| *definition != now))
}

/// Notes that the rest of the plan waits for a second person.
fn wait_for_release(tx: &mut Tx<'_>, row: &mut ReconciliationRow, held: u64) -> Result<(), Fault> {
    tx.save_reconciliation(row)?;
    let Some(mut request) = tx.request(row.shown.id.as_str())? else { return Ok(()) };
    if request.request.waiting_for == Some(WaitingFor::Approval) {
        return Ok(());
    }
    request.request.waiting_for = Some(WaitingFor::Approval);
    tx.save(&request)?;
    log_step(tx, row, None, "held", json!({"items": held, "brake": row.shown.brake}))
}

/// The listing is accepted: the next is compared with it.
pub(super) fn remember(tx: &Tx<'_>, row: &ReconciliationRow) -> Result<(), Fault> {
    let Some(app) = &row.shown.app else { return Ok(()) };
    let mut known = tx.remembered(app)?;
    let is_accepted = match row.shown.verdict {
        Some(SnapshotVerdict::Complete) => true,
        // A person looked at it and agreed; where nothing was held for it, by committing the plan.
        Some(SnapshotVerdict::Suspect) => row.released_at.is_some() || (!is_suspected(row) && is_by_a_person(row)),
        Some(SnapshotVerdict::Incomplete) | None => false,
    };
    if is_accepted {
        known = Remembered { accepted: Some(row.accounts), full_at: Some(row.shown.created_at), ..known };
    }
    // What a listing did not show may have changed before its token.
    let token = row.token.clone().filter(|_| is_accepted || row.partial).or(known.token);
    tx.remember(app, &Remembered { completed_at: Some(tx.now), token, ..known })
}

/// Whether something was held since the listing is suspect.
fn is_suspected(row: &ReconciliationRow) -> bool {
    row.shown.brake.iter().any(|reason| reason.name == "suspect")
}

fn is_by_a_person(row: &ReconciliationRow) -> bool {
    row.committed_by.as_deref().is_some_and(|by| by != SCHEDULE)
}

/// Whether a fault is that of one item, so that the others go on.
fn is_of_item(fault: &Fault) -> bool {
    !matches!(
        fault.code,
        Code::StoreBusy | Code::StoreFull | Code::StoreFailed | Code::StoreUnwritable | Code::Cancelled
    )
}
