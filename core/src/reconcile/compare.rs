//! From what was collected to a plan: the analysis, and an item for each finding that calls for one.

use super::item::{Builder, settings};
use super::sources::{Staged, StoredLinks, StoredUsers};
use super::{Work, definition_mark, read, write, write_ahead};
use crate::analysis::{Analysis, Found, Inputs, Records, Rules, Terms, analyze};
use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::model::{SnapshotVerdict, TargetAccount, User};
use crate::store::Tx;
use std::collections::BTreeSet;
use std::num::NonZero;
use std::thread::available_parallelism;

/// How many items are stored in one transaction.
pub(super) const BATCH: usize = 200;

/// About how many bytes the analysis may use.
const MEMORY: usize = 48 << 20;

/// How many threads read what is compared, this one among them: while one opens records, the other makes out what they say.
/// More would wait for the one that has the store.
fn threads() -> usize {
    available_parallelism().map_or(1, NonZero::get).min(2)
}

impl Work<'_> {
    /// Compares and plans. Where it is interrupted, it begins anew: what was collected is still there.
    pub(super) fn analyze(&mut self) -> Result<(), Fault> {
        let live = self.live()?;
        if self.row.definition.as_deref() != Some(definition_mark(&live)?.as_str()) {
            let message = "the app's definition changed after the target was read";
            return self.fail(Fault::new(Code::ItemChanged, message));
        }
        let now = self.host.clock().now();
        let (analyzed, key) = read(self.host, |tx| Ok((tx.log_head()?, tx.random_key()?)))?;
        let definition = &live.definition;
        let standing = |user: &User| definition.standing(Some(user), now);
        // Where only some members count, a user is not read whole and an account need not be looked at closely.
        let standing_reads = definition.scope_reads();
        let protected: BTreeSet<String> = definition.app.protected.external_ids.iter().cloned().collect();
        let not_kept = read(self.host, |tx| not_kept(tx, &live))?;
        let rules = Rules {
            matching: &definition.matching,
            mapping: &definition.mapping,
            not_kept: &not_kept,
            protected: &protected,
            standing: &standing,
            standing_reads: standing_reads.as_ref(),
            app_id: definition.app.id.as_str(),
            app_label: definition.app.display_label(),
        };
        let complete = self.row.shown.verdict.is_some_and(|verdict| verdict != SnapshotVerdict::Incomplete);
        let terms = Terms { complete, now, memory: MEMORY, threads: threads(), key };
        let (mut users, mut links) = (StoredUsers::new(self)?, StoredLinks::new(self)?);
        let mut accounts = Staged::new(self);
        let mut inputs = Inputs { users: &mut users, accounts: &mut accounts, links: &mut links };
        let mut scratch = crate::scratch::TempScratch::new(MEMORY / 4);
        let analysis = match analyze(&mut inputs, &rules, &terms, &mut scratch) {
            Err(fault) if fault.code == Code::Internal => return self.fail(fault),
            analysis => analysis?,
        };
        self.note(&analysis);
        let builder = Builder { live: &live, row: self.row.clone(), settings: settings(&live), analyzed, chosen: None };
        let mut findings = analysis.findings(Some(&builder.told()));
        self.clear()?;
        let mut number = 0;
        let mut batch = Vec::new();
        loop {
            let found = findings.next(&analysis, &mut inputs, &rules, &mut scratch)?;
            let is_last = found.is_none();
            if let Some(found) = found {
                let seen = found.account.map(|place| account_at(inputs.accounts, place)).transpose()?;
                batch.push((found, seen));
            }
            if is_last || batch.len() >= BATCH {
                if self.is_stopped() {
                    return Ok(());
                }
                number = self.store_items(&builder, number, &batch)?;
                batch.clear();
            }
            if is_last {
                self.plan_memberships(&builder, number)?;
                return self.finish(&live);
            }
        }
    }

    /// What the analysis came to. A record that it could not read may be the one that matters: nothing is concluded from
    /// absence then.
    fn note(&mut self, analysis: &Analysis) {
        let shown = &mut self.row.shown;
        shown.counts = analysis.counts().clone();
        if self.host.brakes() && !analysis.is_complete() && shown.verdict != Some(SnapshotVerdict::Incomplete) {
            shown.verdict = Some(SnapshotVerdict::Incomplete);
            let count = analysis.unreadable_count() + analysis.repeated();
            shown.verdict_why.push(format!("{count} records cannot be read, or are there twice"));
        }
        shown.faults = analysis.unreadable().iter().take(MOST_FAULTS).map(|one| one.fault.clone()).collect();
    }

    pub(super) fn clear(&mut self) -> Result<(), Fault> {
        let row = self.row.clone();
        write(self.host, |tx, _| {
            tx.clear_items(&row.shown.id)?;
            tx.save_reconciliation(&row)
        })
    }

    fn store_items(
        &self,
        builder: &Builder<'_>,
        after: u64,
        batch: &[(Found, Option<TargetAccount>)],
    ) -> Result<u64, Fault> {
        write_ahead(self.host, |tx, _| {
            let mut number = after;
            // Whoever took the work up since writes the items now.
            tx.save_reconciliation(&self.row)?;
            for (found, seen) in batch {
                if let Some(row) = builder.item(tx, number + 1, found, seen.as_ref())? {
                    let inferred = row.item.reaction.is_destructive() && !row.item.explicit;
                    if inferred && self.row.shown.verdict != Some(SnapshotVerdict::Incomplete) {
                        let listed_at = self.row.shown.created_at;
                        tx.observe(&builder.live.definition.app.id, &row.item, listed_at)?;
                    }
                    tx.put_item(&self.row.shown.id, &self.key, &row)?;
                    number += 1;
                }
            }
            Ok(number)
        })
    }
}

/// The attributes of which the target is known not to keep what their rules send.
pub(super) fn not_kept(tx: &Tx<'_>, live: &LiveApp) -> Result<BTreeSet<String>, Fault> {
    let definition = &live.definition;
    let mut found = BTreeSet::new();
    for rule in 0..definition.app.mapping.len() {
        let (attribute, mark) = definition.rule_mark(rule);
        if tx.is_not_kept(&definition.app.id, &attribute, &mark)? {
            found.insert(attribute);
        }
    }
    Ok(found)
}

/// How many faults of records a reconciliation tells.
const MOST_FAULTS: usize = 20;

fn account_at(accounts: &mut dyn Records, place: u64) -> Result<TargetAccount, Fault> {
    let mut found = None;
    accounts.again(place, &mut |line| {
        found = serde_json::from_slice(line).ok();
        Ok(())
    })?;
    found.ok_or_else(|| Fault::new(Code::Internal, "an account that was read cannot be read again"))
}
