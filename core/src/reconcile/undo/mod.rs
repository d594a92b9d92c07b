//! Undo: a plan that puts back what a reconciliation or a request did. It has a digest, is asked about by the brake, and is
//! committed as every plan.

mod items;
mod put_back;

pub(super) use put_back::put_back;

use super::{Work, definition_mark, find, go_on, read, write};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId, UserId};
use crate::intake::{LiveApp, LiveApps, end_reconciliation, log_step};
use crate::lifecycle::Event;
use crate::model::{ItemState, PlanFilter, Reaction, ReconciliationKind, SituationCounts, SnapshotVerdict, State};
use crate::store::{PlanRow, ReconciliationRow, RequestRow, Tx};
use items::Planner;
use serde_json::json;

/// How many requests or items are looked at in one transaction.
const BATCH: u32 = 200;

/// Plans to put back what the reconciliation or the request of that id did. Gives the plan's id.
pub(crate) fn undo(host: &dyn Host, id: &str, by: &str) -> Result<RequestId, Fault> {
    host.refresh()?;
    let id = write(host, |tx, apps| begin(tx, apps, id, by))?;
    go_on(host, &id, None)?;
    Ok(id)
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new(Code::CannotBeUndone, message)
}

fn begin(tx: &mut Tx<'_>, apps: &LiveApps, id: &str, by: &str) -> Result<RequestId, Fault> {
    let app = app_of(tx, id)?;
    let live = find(apps, app.as_str())?;
    for (undo, state) in tx.undone_by(id)? {
        match state {
            State::Cancelled | State::Failed => {}
            State::Committing | State::Completed => {
                return Err(refused(format!("the reconciliation {undo} undoes it already")));
            }
            // Its plan was never committed.
            _ => end_reconciliation(tx, &undo, Event::Cancel, Some(by), "another undo takes its place")?,
        }
    }
    let mut row = ReconciliationRow::new(tx.request_id()?, ReconciliationKind::Undo, Some(app), tx.now);
    row.shown.by = Some(by.to_owned());
    row.shown.verdict = Some(SnapshotVerdict::Complete);
    row.shown.verdict_why = vec!["nothing was read: what was kept is put back".to_owned()];
    row.definition = Some(definition_mark(live)?);
    tx.insert_reconciliation(&row)?;
    tx.note_undoes(&row.shown.id, id)?;
    log_step(tx, &row, Some(by), "decided", json!({"undoes": id}))?;
    Ok(row.shown.id)
}

/// The app in which something was done, if that can be undone at all.
fn app_of(tx: &Tx<'_>, id: &str) -> Result<AppId, Fault> {
    if let Some(row) = tx.reconciliation(id)? {
        let invalid = |message: &str| Fault::new(Code::InvalidTransition, message);
        if !matches!(row.shown.state, State::Committing | State::Completed) {
            return Err(invalid("nothing of the reconciliation was carried out"));
        }
        if !tx.next_items(&row.shown.id, ItemState::Planned, 1)?.is_empty() {
            return Err(invalid("the reconciliation is still being carried out; go on with it first"));
        }
        return row.shown.app.ok_or_else(|| refused("a list of users is not undone whole; undo what followed from it"));
    }
    let missing = || Fault::new(Code::NotFound, "there is no such reconciliation or request");
    let request = tx.request(id)?.ok_or_else(missing)?.request;
    match request.state {
        State::Completed => Ok(request.app),
        State::ManuallyCompleted => Err(refused("a person did it; what there was before was not kept")),
        _ => Err(Fault::new(Code::InvalidTransition, "the request did not come through")),
    }
}

/// What is undone: the links that were made or taken away, the accounts that were ignored, the requests.
struct Done {
    links: Vec<(bool, UserId, String)>,
    ignored: Vec<String>,
    /// A single request, or the requests of a plan.
    single: Option<RequestId>,
    plan: Option<RequestId>,
}

impl Done {
    fn find(tx: &Tx<'_>, id: &str) -> Result<Self, Fault> {
        let Some(row) = tx.reconciliation(id)? else {
            let single = Some(RequestId::new(id)?);
            return Ok(Self { links: Vec::new(), ignored: Vec::new(), single, plan: None });
        };
        let plan = row.shown.id;
        let mut ignored = Vec::new();
        let mut filter = PlanFilter {
            reaction: Some(Reaction::Ignore),
            state: Some(ItemState::Done),
            limit: Some(BATCH),
            ..PlanFilter::default()
        };
        loop {
            let page = tx.plan_items(&plan, &filter)?;
            filter.after = page.last().map(|row| row.item.number);
            ignored.extend(page.into_iter().filter_map(|row| row.item.finding.account));
            if filter.after.is_none() {
                return Ok(Self { links: tx.links_of_plan(&plan)?, ignored, single: None, plan: Some(plan) });
            }
        }
    }

    fn requests(&self, tx: &Tx<'_>, after: Option<&RequestId>) -> Result<Vec<RequestRow>, Fault> {
        match (&self.single, &self.plan) {
            (Some(single), _) if after.is_none() => Ok(tx.request(single.as_str())?.into_iter().collect()),
            (None, Some(plan)) => tx.requests_of_plan(plan, after, BATCH),
            _ => Ok(Vec::new()),
        }
    }
}

impl Work<'_> {
    /// Makes the plan: what cannot be undone first, then links, then what is sent. Where it is interrupted, it begins anew.
    pub(super) fn plan_undo(&mut self) -> Result<(), Fault> {
        let live = self.live()?;
        let done = read(self.host, |tx| {
            let undoes = tx.undoes(&self.row.shown.id)?;
            let missing = || Fault::new(Code::Internal, "an undo that undoes nothing");
            Done::find(tx, &undoes.ok_or_else(missing)?)
        })?;
        self.clear()?;
        self.row.shown.notes.clear();
        self.row.shown.counts = SituationCounts::default();
        let mut planner = Planner::default();
        for refusals in [true, false] {
            self.plan_links(&live, &done, &mut planner, refusals)?;
            let mut after = None;
            loop {
                let page = read(self.host, |tx| done.requests(tx, after.as_ref()))?;
                let Some(last) = page.last() else { break };
                after = Some(last.request.id.clone());
                self.plan_requests(&live, &page, &mut planner, refusals)?;
                if self.is_stopped() {
                    return Ok(());
                }
            }
        }
        for situation in &planner.situations {
            *self.row.shown.counts.0.entry(*situation).or_default() += 1;
        }
        if let Some(plan) = &done.plan {
            let held = read(self.host, |tx| tx.item_counts(plan))?.get(&ItemState::Held).copied().unwrap_or(0);
            if held > 0 {
                let note = format!("{held} items are held and were not done; they are not undone");
                self.row.shown.notes.push(note);
            }
        }
        if planner.open > 0 {
            let note = format!("{} requests are not completed; they are not undone", planner.open);
            self.row.shown.notes.push(note);
        }
        self.finish(&live)
    }

    fn plan_links(&mut self, live: &LiveApp, done: &Done, planner: &mut Planner, refusals: bool) -> Result<(), Fault> {
        for batch in done.links.chunks(BATCH as usize) {
            self.store_items_of(planner, refusals, |tx, planner| {
                batch.iter().map(|link| planner.link(tx, live, link)).collect()
            })?;
        }
        for batch in done.ignored.chunks(BATCH as usize) {
            self.store_items_of(planner, refusals, |tx, planner| {
                batch.iter().map(|account| planner.attend(tx, live, account)).collect()
            })?;
        }
        Ok(())
    }

    fn plan_requests(
        &mut self,
        live: &LiveApp,
        page: &[RequestRow],
        planner: &mut Planner,
        refusals: bool,
    ) -> Result<(), Fault> {
        let completed = |row: &&RequestRow| row.request.state == State::Completed;
        if refusals {
            planner.open += page.iter().filter(|row| !completed(row)).count();
        }
        self.store_items_of(planner, refusals, |tx, planner| {
            let items = page.iter().filter(completed).map(|row| planner.request(tx, live, row));
            let items: Result<Vec<Vec<PlanRow>>, Fault> = items.collect();
            Ok(items?.into_iter().flatten().collect())
        })
    }

    /// Stores the refused items, or the others, with the next numbers.
    fn store_items_of(
        &mut self,
        planner: &mut Planner,
        refusals: bool,
        make: impl Fn(&mut Tx<'_>, &mut Planner) -> Result<Vec<PlanRow>, Fault>,
    ) -> Result<(), Fault> {
        let (id, key, row) = (self.row.shown.id.clone(), self.key.clone(), self.row.clone());
        let made = write(self.host, |tx, _| {
            tx.save_reconciliation(&row)?;
            let mut made = make(tx, planner)?;
            made.retain(|row| (row.item.state == ItemState::Refused) == refusals);
            for (row, number) in made.iter_mut().zip(planner.number + 1..) {
                row.item.number = number;
                tx.put_item(&id, &key, row)?;
            }
            Ok(made)
        })?;
        planner.number += made.len() as u64;
        planner.situations.extend(made.iter().map(|row| row.item.finding.situation));
        Ok(())
    }
}
