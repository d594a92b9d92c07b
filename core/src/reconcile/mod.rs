//! Reconciliation: collect, analyse, commit. Orders effects and decides nothing.
//!
//! Whoever works on a reconciliation takes it up first; whoever was at it before writes no more. Every step is one
//! transaction, and none is open while a target is asked. So the work can be dropped at any point, and whoever takes it up
//! goes on where it was.

mod access_acts;
mod act;
mod changes;
mod collect;
mod commit;
mod compare;
mod item;
mod judge;
mod known;
mod look;
mod member_acts;
mod member_items;
mod memberships;
mod release;
mod review;
mod schedule;
mod sources;
mod stage;
mod subject;
mod undo;
mod update;

pub(crate) use commit::commit;
pub(crate) use release::release;
pub(crate) use review::review;
pub(crate) use schedule::{next_due, reconcile_due};
pub(crate) use stage::stage_accounts;
pub(crate) use undo::undo;

use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId};
use crate::intake::{LiveApp, LiveApps, advance, begin_reconciliation, definition_mark, end_reconciliation};
use crate::lifecycle::Event;
use crate::model::{ItemState, PlanFilter, PlanItem, Reconciliation, ReconciliationKind, Situation, State, WaitingFor};
use crate::operation::Operation;
use crate::store::{ReconciliationRow, Tx, UserKey};
use crate::time::{Period, Timestamp};
use changes::Token;
use serde_json::json;
use std::sync::Arc;

/// Is told how a reconciliation goes; false stops the work, which is gone on with by the next call.
pub(crate) type Watch<'w> = dyn Fn(&Reconciliation) -> bool + Send + Sync + 'w;

/// How often whoever waits looks whether to stop.
const NAP: Period = Period::from_micros(50_000);

/// Reads the app's target, compares, and makes a plan; or goes on with what was interrupted. Gives which one it was.
pub(crate) fn reconcile(
    host: &dyn Host,
    app: &str,
    by: Option<&str>,
    watch: Option<&Watch<'_>>,
) -> Result<RequestId, Fault> {
    let id = write(host, |tx, apps| {
        let live = find(apps, app)?;
        if let Some(id) = unfinished(tx, &live.definition.app.id, by)? {
            return Ok(id);
        }
        begin_reconciliation(tx, live, by, "the target is compared with the directory", None).map(|row| row.shown.id)
    })?;
    go_on(host, &id, watch)?;
    Ok(id)
}

/// The reconciliation of the app that is to be gone on with. One whose plan nobody committed is taken back, and one of which
/// only held items are left is closed: what is found now takes their place.
fn unfinished(tx: &mut Tx<'_>, app: &AppId, by: Option<&str>) -> Result<Option<RequestId>, Fault> {
    let Some(row) = tx.open_reconciliation(app)? else { return Ok(None) };
    let id = row.shown.id.clone();
    match row.shown.state {
        State::Analyzed => {
            end_reconciliation(tx, &id, Event::Cancel, by, "another reconciliation takes its place")?;
            Ok(None)
        }
        State::Committing if is_held_alone(tx, &id)? => {
            commit::remember(tx, &row)?;
            end_reconciliation(
                tx,
                &id,
                Event::Complete,
                by,
                "another reconciliation takes the place of what was held",
            )?;
            Ok(None)
        }
        _ => Ok(Some(id)),
    }
}

/// Whether nothing of a plan is left but what waits for a second person.
fn is_held_alone(tx: &Tx<'_>, id: &RequestId) -> Result<bool, Fault> {
    let has = |state| tx.next_items(id, state, 1).map(|items| !items.is_empty());
    Ok(!has(ItemState::Planned)? && has(ItemState::Held)?)
}

/// Takes a reconciliation up and brings it as far as it goes by itself: to its plan, or, where the plan is being carried out,
/// to its end.
pub(crate) fn go_on(host: &dyn Host, id: &RequestId, watch: Option<&Watch<'_>>) -> Result<(), Fault> {
    let mut work = Work::take(host, id, watch)?;
    match work.drive() {
        // Somebody took it back meanwhile, which is an answer and no failure.
        Err(fault) if fault.code == Code::Cancelled && is_finished(host, id)? => Ok(()),
        result => result,
    }
}

/// Carries on with the plans that a dead process was carrying out. Who works on one of them meanwhile is let be.
pub(crate) fn carry_on(host: &dyn Host) -> Result<(), Fault> {
    for id in host.state().take_left() {
        match go_on(host, &id, None) {
            Err(fault)
                if matches!(
                    fault.code,
                    Code::Cancelled | Code::InvalidTransition | Code::NotFound | Code::PlanChanged
                ) => {}
            result => result?,
        }
    }
    Ok(())
}

fn is_finished(host: &dyn Host, id: &RequestId) -> Result<bool, Fault> {
    let row = read(host, |tx| tx.reconciliation(id.as_str()))?;
    Ok(row.is_none_or(|row| row.shown.finished_at.is_some()))
}

/// One reconciliation that this thread is at.
struct Work<'h> {
    host: &'h dyn Host,
    watch: Option<&'h Watch<'h>>,
    epoch: u64,
    stopped: bool,
    row: ReconciliationRow,
    /// The key of what it collected.
    key: UserKey,
    app: AppId,
    /// What is to be known of the groups besides, until it is told.
    group_notes: Vec<String>,
}

impl<'h> Work<'h> {
    fn take(host: &'h dyn Host, id: &RequestId, watch: Option<&'h Watch<'h>>) -> Result<Self, Fault> {
        let epoch = host.state().epoch();
        host.state().take_up(id);
        let (row, key) = write(host, |tx, _| {
            let missing = || Fault::new(Code::NotFound, "there is no such reconciliation");
            let mut row = tx.reconciliation(id.as_str())?.ok_or_else(missing)?;
            let ended = || Fault::new(Code::InvalidTransition, "the reconciliation is finished");
            let key = tx.reconciliation_key(id)?.ok_or_else(ended)?;
            tx.take_reconciliation(&mut row)?;
            Ok((row, key))
        })?;
        let app = row.shown.app.clone();
        let app = app.ok_or_else(|| Fault::new(Code::InvalidArgument, "the plan is not that of an app"))?;
        Ok(Self { host, watch, epoch, stopped: false, row, key, app, group_notes: Vec::new() })
    }

    /// One step after the other, as long as there is one that needs nobody.
    fn drive(&mut self) -> Result<(), Fault> {
        while !self.is_stopped() {
            match self.row.shown.state {
                State::New if self.is_undo() => self.step(Event::Analyze, json!({}))?,
                State::Analyzing if self.is_undo() => self.plan_undo()?,
                State::New => self.begin()?,
                State::Collecting => self.collect()?,
                State::Collected => self.step(Event::Analyze, json!({}))?,
                State::Analyzing => self.analyze()?,
                State::Committing => self.commit()?,
                _ => return Ok(()),
            }
            self.tell();
        }
        Ok(())
    }

    /// Nothing was read yet; what a host had begun to stage and did not finish is dropped.
    fn begin(&mut self) -> Result<(), Fault> {
        let row = self.row.clone();
        let app = self.app.clone();
        let live = self.live()?;
        let changes = matches!(self.token(&live)?, Token::Since(_) | Token::Modified(_));
        self.row = write(self.host, |tx, apps| {
            let mut row = row.clone();
            start_over(tx, find(apps, app.as_str())?, &mut row)?;
            row.partial |= changes;
            let details = json!({"partial": row.partial});
            advance(tx, &mut row, Event::Collect, None, details)?;
            Ok(row)
        })?;
        Ok(())
    }

    fn step(&mut self, event: Event, details: serde_json::Value) -> Result<(), Fault> {
        let row = self.row.clone();
        self.row = write(self.host, |tx, _| {
            let mut row = row.clone();
            advance(tx, &mut row, event, None, details.clone())?;
            Ok(row)
        })?;
        Ok(())
    }

    /// Gives it up. Nothing was changed; a person may have it tried again.
    fn fail(&mut self, fault: Fault) -> Result<(), Fault> {
        self.row.shown.faults = vec![fault];
        let details = json!({"operation": Operation::Reconcile, "faults": self.row.shown.faults});
        self.step(Event::Fail, details)
    }

    fn live(&self) -> Result<Arc<LiveApp>, Fault> {
        self.host.refresh()?;
        let (apps, _) = self.host.apps();
        find(&apps, self.app.as_str()).cloned()
    }

    fn is_undo(&self) -> bool {
        self.row.shown.kind == ReconciliationKind::Undo
    }

    fn is_stopped(&self) -> bool {
        self.stopped || self.host.state().epoch() != self.epoch
    }

    /// Tells how it goes. Who said that it is enough is told nothing more.
    fn tell(&mut self) {
        if !self.is_stopped() {
            self.stopped = self.watch.is_some_and(|watch| !watch(&self.row.shown));
        }
    }

    /// Waits, and gives whether the work goes on.
    fn wait(&self, period: Period) -> bool {
        let mut left = period.as_micros();
        while left > 0 && !self.is_stopped() {
            let slice = left.min(NAP.as_micros());
            self.host.clock().pause(Period::from_micros(slice));
            left -= slice;
        }
        !self.is_stopped()
    }
}

/// Forgets what was collected, so that reading begins anew.
fn start_over(tx: &mut Tx<'_>, live: &LiveApp, row: &mut ReconciliationRow) -> Result<(), Fault> {
    tx.forget_collected(&row.shown.id)?;
    row.began = tx.log_head()?;
    row.cursor = None;
    row.token = None;
    row.shown.pages = 0;
    row.shown.collected = 0;
    row.accounts = 0;
    row.definition = Some(definition_mark(live)?);
    row.partial = live.definition.app.reconcile.as_ref().is_some_and(|settings| settings.filter.is_some());
    Ok(())
}

/// A reconciliation as it is shown: with how many items it has, and what it waits for.
pub(crate) fn show(tx: &Tx<'_>, row: ReconciliationRow) -> Result<Reconciliation, Fault> {
    let mut shown = row.shown;
    shown.items = tx.item_counts(&shown.id)?;
    let has = |state| shown.items.get(&state).is_some_and(|count| *count > 0);
    if shown.state == State::Committing && has(ItemState::Held) && !has(ItemState::Planned) {
        shown.waiting_for = Some(WaitingFor::Approval);
    }
    Ok(shown)
}

/// The items of a plan, without values of sensitive attributes.
pub(crate) fn plan(tx: &Tx<'_>, apps: &LiveApps, id: &str, filter: &PlanFilter) -> Result<Vec<PlanItem>, Fault> {
    let missing = || Fault::new(Code::NotFound, "there is no such reconciliation");
    let row = tx.reconciliation(id)?.ok_or_else(missing)?;
    let live = row.shown.app.as_ref().and_then(|app| apps.get(app));
    let rows = tx.plan_items(&row.shown.id, filter)?;
    Ok(rows.into_iter().map(|row| covered(row.item, live.map(AsRef::as_ref))).collect())
}

/// An item without values of sensitive attributes; of an app that is gone all values are kept back.
fn covered(mut item: PlanItem, live: Option<&LiveApp>) -> PlanItem {
    match live {
        Some(live) => {
            let mapping = &live.definition.mapping;
            item.changes.iter_mut().for_each(|change| mapping.cover_change(change));
            item.before.retain(|path, _| !mapping.is_sensitive(path));
        }
        None => {
            item.changes.iter_mut().for_each(|change| change.value = None);
            item.before.clear();
        }
    }
    item
}

/// Whether a situation is that of an account of the listing.
fn is_at_account(situation: Situation) -> bool {
    let is_of_user =
        matches!(situation, Situation::Missing | Situation::Absent | Situation::Unseen | Situation::OutOfScope);
    !is_of_user && !situation.is_of_membership()
}

fn find<'a>(apps: &'a LiveApps, id: &str) -> Result<&'a Arc<LiveApp>, Fault> {
    let found = apps.values().find(|live| live.definition.app.id.as_str() == id);
    found.ok_or_else(|| Fault::new(Code::NotFound, "there is no such app"))
}

/// One writing transaction with the apps as they are in the store then; what it logged is told when it is durable.
fn write<T>(host: &dyn Host, mut work: impl FnMut(&mut Tx<'_>, &LiveApps) -> Result<T, Fault>) -> Result<T, Fault> {
    with_apps(host, |now, revision, apps| {
        let (result, entries) = host.store()?.write(now, |tx| match tx.apps_revision()? == revision {
            true => work(tx, apps).map(Some),
            false => Ok(None),
        })?;
        host.tell(entries);
        Ok(result)
    })
}

/// The same for what is read or worked out again where the machine loses its power: nobody waits for the disk. Nothing may be
/// logged in it.
fn write_ahead<T>(
    host: &dyn Host,
    mut work: impl FnMut(&mut Tx<'_>, &LiveApps) -> Result<T, Fault>,
) -> Result<T, Fault> {
    with_apps(host, |now, revision, apps| {
        host.store()?.write_ahead(now, |tx| match tx.apps_revision()? == revision {
            true => work(tx, apps).map(Some),
            false => Ok(None),
        })
    })
}

/// Tries until nobody changes an app meanwhile, here or in another process.
fn with_apps<T>(
    host: &dyn Host,
    mut attempt: impl FnMut(Timestamp, u64, &LiveApps) -> Result<Option<T>, Fault>,
) -> Result<T, Fault> {
    loop {
        let (apps, revision) = host.apps();
        match attempt(host.clock().now(), revision, &apps)? {
            Some(result) => return Ok(result),
            None => host.refresh()?,
        }
    }
}

/// One reading transaction.
fn read<T>(host: &dyn Host, work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
    let now = host.clock().now();
    host.store()?.read(now, work)
}
