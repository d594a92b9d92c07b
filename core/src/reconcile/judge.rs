//! A plan that is made is judged: the brake is asked about the whole of it, each item gets its digest, and the plan its own.

use super::compare::{BATCH, not_kept};
use super::sources::Staged;
use super::{Work, read, write};
use crate::fault::Fault;
use crate::id::AppId;
use crate::intake::{LiveApp, advance, plan_digest, taken};
use crate::lifecycle::Event;
use crate::model::{ApprovalStatus, BrakeSettings, ItemState, PlanItem, SnapshotVerdict};
use crate::operation::Operation;
use crate::planning::brake::{Brake, Hold, Surroundings, can_be_released, is_confirmed};
use crate::planning::digest::{PlanDigest, item_digest};
use crate::store::{PlanRow, ReconciliationRow, Tx};
use crate::time::{Period, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Work<'_> {
    /// Asks the brake about the whole plan, gives each item the digest that it does not have yet, and the plan its own. Where
    /// nothing is done, the brake has nothing to hold, and the item is not read again.
    pub(super) fn finish(&mut self, live: &LiveApp) -> Result<(), Fault> {
        let verdict = self.row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete);
        let settings = live.definition.app.brake.clone().unwrap_or_default();
        let around = self.surroundings(live, &settings, verdict)?;
        // What is undone was not inferred.
        let undoes = self.is_undo();
        let mut brake = Brake::new(&settings, &around);
        self.each_page(|tx, page| {
            for one in page {
                let confirmed = undoes || is_confirmed_item(tx, &live.definition.app.id, &settings, &one.item)?;
                brake.add(&one.item, confirmed);
            }
            Ok(())
        })?;
        let braked = brake.decide();
        let id = self.row.shown.id.clone();
        let mut waits = false;
        self.each_page_to_change(|tx, page| {
            for one in page {
                let confirmed = undoes || is_confirmed_item(tx, &live.definition.app.id, &settings, &one.item)?;
                if self.host.brakes() {
                    waits |= braked.apply(&mut one.item, confirmed) == Hold::UntilReleased;
                }
                one.digest = item_digest(&one.item, &one.planned_for);
                tx.judge_item(&id, one)?;
            }
            Ok(())
        })?;
        let digest = PlanDigest::new(self.row.definition.as_deref().unwrap_or_default(), verdict);
        let digest = read(self.host, |tx| plan_digest(tx, &id, digest))?;
        let not_kept = if undoes { BTreeSet::new() } else { read(self.host, |tx| not_kept(tx, live))? };
        let shown = &mut self.row.shown;
        shown.digest = Some(digest);
        let group_notes = std::mem::take(&mut self.group_notes);
        shown.notes.retain(|_| undoes);
        shown.notes.extend(braked.notes.iter().cloned());
        shown.notes.extend(not_kept.iter().map(|one| format!("the target does not keep `{one}`: it is not compared")));
        shown.notes.extend(group_notes);
        let row = self.row.clone();
        self.row = write(self.host, |tx, _| {
            let mut row = row.clone();
            let held = tx.item_counts(&id)?.get(&ItemState::Held).copied().unwrap_or(0) > 0;
            row.shown.brake = if held { braked.reasons.clone() } else { Vec::new() };
            let release = waits && can_be_released(&row.shown.brake);
            row.shown.approval = if release { ApprovalStatus::Required } else { ApprovalStatus::NotRequired };
            if verdict != SnapshotVerdict::Incomplete && !undoes {
                tx.forget_observations(&live.definition.app.id, row.shown.created_at)?;
            }
            let details = analyzed(tx, &row)?;
            advance(tx, &mut row, Event::Analyzed, None, details)?;
            Ok(row)
        })?;
        Ok(())
    }

    /// Shows what the brake is to be asked about page by page.
    fn each_page(&self, mut visit: impl FnMut(&Tx<'_>, &[PlanRow]) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut after = 0;
        while let Some(last) = read(self.host, |tx| {
            let page = self.page_after(tx, after)?;
            visit(tx, &page)?;
            Ok(page.last().map(|last| last.item.number))
        })? {
            after = last;
        }
        Ok(())
    }

    /// The same to change it, each page in a transaction of its own.
    fn each_page_to_change(
        &self,
        mut visit: impl FnMut(&mut Tx<'_>, &mut [PlanRow]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut after = 0;
        loop {
            let mut page = read(self.host, |tx| self.page_after(tx, after))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.item.number;
            let now = self.host.clock().now();
            // What is changed here logs nothing, and apps that change meanwhile make another plan necessary anyway.
            self.host.store()?.write_ahead(now, |tx| {
                tx.save_reconciliation(&self.row)?;
                visit(tx, &mut page)
            })?;
        }
    }

    fn page_after(&self, tx: &Tx<'_>, after: u64) -> Result<Vec<PlanRow>, Fault> {
        tx.unjudged_items(&self.row.shown.id, after, u32::try_from(BATCH).unwrap_or(u32::MAX))
    }

    pub(super) fn surroundings(
        &self,
        live: &LiveApp,
        settings: &BrakeSettings,
        verdict: SnapshotVerdict,
    ) -> Result<Surroundings, Fault> {
        let app = &live.definition.app;
        let mut active_admins = BTreeSet::new();
        if !settings.admins.is_empty() {
            let mut staged = Staged::new(self);
            for number in 1..=staged.pages() {
                let accounts = staged.accounts(number)?.into_iter();
                let usable = accounts.filter(|one| one.active && settings.admins.contains(&one.external_id));
                active_admins.extend(usable.map(|one| one.external_id));
            }
        }
        read(self.host, |tx| {
            let ago = |seconds| Timestamp::from_micros(tx.now.as_micros() - Period::from_seconds(seconds).as_micros());
            Ok(Surroundings {
                verdict,
                delete_allowed: app.operations.allows(Operation::Delete),
                linked: tx.count_linked(&app.id)?,
                groups: self.group_sizes(tx, ago(86_400))?,
                taken: taken(tx, &app.id)?,
                protected: app.protected.external_ids.iter().cloned().collect(),
                active_admins,
            })
        })
    }
}

/// Whether what would be taken away and was only inferred was found before, long enough ago. What a person decided needs no
/// second observation.
pub(super) fn is_confirmed_item(
    tx: &Tx<'_>,
    app: &AppId,
    settings: &BrakeSettings,
    item: &PlanItem,
) -> Result<bool, Fault> {
    if !item.reaction.is_destructive() || item.explicit || item.by.is_some() {
        return Ok(true);
    }
    let seen = tx.observation(app, item)?;
    Ok(seen.is_some_and(|seen| is_confirmed(seen.first_at, seen.last_at, settings.observed_apart)))
}

fn analyzed(tx: &Tx<'_>, row: &ReconciliationRow) -> Result<Value, Fault> {
    let shown = &row.shown;
    let brake: Vec<&str> = shown.brake.iter().map(|reason| reason.name.as_str()).collect();
    Ok(json!({"counts": shown.counts, "items": tx.item_counts(&shown.id)?, "digest": shown.digest, "brake": brake,
        "verdict": shown.verdict}))
}
