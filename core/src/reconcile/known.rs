//! What was seen becomes what is known, where no item of the plan did that already. A difference that is only told changes no
//! later decision: whether an account can be used is taken over where it is as it is wanted, and not else.

use super::act::forget;
use super::sources::{Seeker, Staged};
use super::subject::{Subject, seen_account, status_of};
use super::{Work, find, is_at_account, read, write};
use crate::fault::Fault;
use crate::intake::LiveApp;
use crate::model::{AccountStatus, ItemState, LinkState, PlanFilter, Situation, SnapshotVerdict, TargetAccount};
use crate::store::{AccountRow, PlanRow, Tx};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// How many items or rows are looked at in one transaction.
const BATCH: u32 = 200;

impl Work<'_> {
    /// Takes over what was seen: of accounts that nobody owns, of those that are known, of those that are gone.
    pub(super) fn take_over(&mut self, seeker: &mut Seeker<'_>) -> Result<(), Fault> {
        // What is held was planned for the account as it is known now.
        let held = read(self.host, |tx| tx.accounts_of_items(&self.row.shown.id, ItemState::Held))?;
        let held: HashSet<String> = held.into_iter().collect();
        self.note_unowned(seeker)?;
        let hasher = RandomState::new();
        let seen = self.note_known(&hasher, &held)?;
        if self.row.shown.verdict == Some(SnapshotVerdict::Complete) && !self.is_stopped() {
            self.note_gone(&hasher, &seen)?;
        }
        Ok(())
    }

    /// Accounts that nobody owns, as the plan's items tell of them; and linked ones that are gone and not wanted any more.
    fn note_unowned(&self, seeker: &mut Seeker<'_>) -> Result<(), Fault> {
        let mut after = 0;
        while !self.is_stopped() {
            let filter = PlanFilter { after: Some(after), limit: Some(BATCH), ..PlanFilter::default() };
            let page = read(self.host, |tx| tx.plan_items(&self.row.shown.id, &filter))?;
            let Some(last) = page.last() else { break };
            after = last.item.number;
            let mut batch = Vec::new();
            for row in page {
                let finding = &row.item.finding;
                let account = finding.account.as_deref().filter(|_| is_at_account(finding.situation));
                let seen = account.map(|account| seeker.find(account)).transpose()?.flatten();
                batch.push((row, seen));
            }
            write(self.host, |tx, apps| {
                let live = find(apps, self.app.as_str())?;
                tx.save_reconciliation(&self.row)?;
                batch.iter().try_for_each(|(row, seen)| self.note_item(tx, live, row, seen.as_ref()))
            })?;
        }
        Ok(())
    }

    fn note_item(
        &self,
        tx: &mut Tx<'_>,
        live: &LiveApp,
        row: &PlanRow,
        seen: Option<&TargetAccount>,
    ) -> Result<(), Fault> {
        let finding = &row.item.finding;
        if matches!(row.item.state, ItemState::Done | ItemState::Held) {
            return Ok(());
        }
        let link_state = match finding.situation {
            Situation::Orphaned | Situation::Found => LinkState::Orphaned,
            Situation::Ambiguous | Situation::Taken => LinkState::Duplicate,
            Situation::Missing => return self.note_missing(tx, live, row),
            _ => return Ok(()),
        };
        let Some(seen) = seen else { return Ok(()) };
        let app = &live.definition.app.id;
        let known = tx.account_at(app, &seen.external_id)?;
        if known.as_ref().is_some_and(|known| self.is_settled(known)) {
            return Ok(());
        }
        let mut account = seen_account(live, None, seen, tx);
        account.link_state = link_state;
        if let Some(known) = &known {
            account.created_at = known.account.created_at;
            account.known_link = known.account.known_link;
            if known.account.known_link {
                account.link_state = known.account.link_state;
            }
            let same = AccountRow { account: account.clone(), applied: None, fingerprint: None };
            if is_same(known, &same) {
                return Ok(());
            }
        }
        let key = tx.app_key(app)?;
        tx.put_account(&AccountRow { account, applied: None, fingerprint: None }, &key)
    }

    /// Whether somebody owns an account, or it changed since it was read: what was seen says nothing about it then.
    fn is_settled(&self, known: &AccountRow) -> bool {
        let alive = known.account.status != AccountStatus::Deleted;
        (known.account.user.is_some() && alive) || known.account.updated_at > self.row.shown.created_at
    }

    /// A linked account that is gone stays known as it was where it is still wanted, so that none is made anew because its
    /// loss was told; where none is wanted, nothing follows from knowing that it is gone.
    fn note_missing(&self, tx: &mut Tx<'_>, live: &LiveApp, row: &PlanRow) -> Result<(), Fault> {
        let finding = &row.item.finding;
        let subject = Subject::find(tx, live, finding.user.as_deref(), finding.account.as_deref())?;
        let whole = self.row.shown.verdict == Some(SnapshotVerdict::Complete);
        let unchanged = subject.print() == row.planned_for && row.item.why.is_empty();
        if !whole || !unchanged || subject.wants_account() || !subject.is_linked() {
            return Ok(());
        }
        let (Some(mut known), Some(stored)) = (subject.row, subject.stored) else { return Ok(()) };
        if known.account.known_link || !tx.lane(&self.app, &stored.user.id)?.is_empty() {
            return Ok(());
        }
        forget(tx, &mut known);
        tx.put_account(&known, &stored.key)
    }

    /// Accounts that are known, page by page of what was collected. Gives which were seen.
    fn note_known(&self, hasher: &RandomState, held: &HashSet<String>) -> Result<HashSet<u64>, Fault> {
        let mut staged = Staged::new(self);
        let mut ids = HashSet::new();
        for number in 1..=staged.pages() {
            if self.is_stopped() {
                break;
            }
            let mut page = staged.accounts(number)?;
            // A repeated row does not count.
            page.retain(|seen| ids.insert(hasher.hash_one(seen.external_id.as_bytes())));
            let differing = read(self.host, |tx| {
                let mut differing = Vec::new();
                for seen in page.into_iter().filter(|seen| !held.contains(&seen.external_id)) {
                    let known = tx.account_at(&self.app, &seen.external_id)?;
                    let differs = known.is_some_and(|known| known.account.user.is_some() && differs(&known, &seen));
                    differing.extend(differs.then_some(seen));
                }
                Ok(differing)
            })?;
            if !differing.is_empty() {
                write(self.host, |tx, apps| {
                    let live = find(apps, self.app.as_str())?;
                    tx.save_reconciliation(&self.row)?;
                    differing.iter().try_for_each(|seen| self.note_linked(tx, live, seen))
                })?;
            }
        }
        Ok(ids)
    }

    fn note_linked(&self, tx: &mut Tx<'_>, live: &LiveApp, seen: &TargetAccount) -> Result<(), Fault> {
        let app = &live.definition.app;
        let known = tx.account_at(&app.id, &seen.external_id)?;
        let Some(mut known) = known.filter(|known| known.account.status != AccountStatus::Deleted) else {
            return Ok(());
        };
        let Some(owner) = known.account.user.clone() else { return Ok(()) };
        let protected = app.protected.external_ids.contains(&seen.external_id);
        let Some(stored) = tx.user(owner.as_str())?.filter(|_| !protected) else { return Ok(()) };
        let moved = known.account.updated_at > self.row.shown.created_at
            || tx.logged_since(Some(&app.id), owner.as_str(), self.row.began)?
            || !tx.lane(&app.id, &owner)?.is_empty();
        if moved {
            return Ok(());
        }
        let subject = Subject::find(tx, live, Some(owner.as_str()), Some(&seen.external_id))?;
        let before = known.clone();
        let account = &mut known.account;
        account.attributes = seen.named();
        account.username = seen.username.clone().or(account.username.take());
        account.version.clone_from(&seen.version);
        let ignored = account.link_state == LinkState::Ignored;
        let wanted = subject.standing.as_ref().ok();
        if ignored || wanted.is_some_and(|wanted| wanted.wants_account() == seen.active) {
            account.status = status_of(seen);
        }
        if ignored || wanted.is_some_and(|wanted| wanted.frozen == seen.frozen) {
            account.frozen = seen.frozen;
        }
        if is_same(&before, &known) {
            return Ok(());
        }
        known.account.updated_at = tx.now;
        tx.put_account(&known, &stored.key)
    }

    /// Accounts that nobody owns and that a whole listing does not show any more.
    fn note_gone(&self, hasher: &RandomState, seen: &HashSet<u64>) -> Result<(), Fault> {
        let mut after = String::new();
        loop {
            let rows = read(self.host, |tx| tx.accounts_after(&self.app, &after, BATCH))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after.clone_from(&last.account.external_id);
            let gone = rows.into_iter().filter(|row| {
                let account = &row.account;
                account.user.is_none()
                    && account.status != AccountStatus::Deleted
                    && account.updated_at <= self.row.shown.created_at
                    && !seen.contains(&hasher.hash_one(account.external_id.as_bytes()))
            });
            let gone: Vec<AccountRow> = gone.collect();
            if !gone.is_empty() {
                write(self.host, |tx, _| {
                    tx.save_reconciliation(&self.row)?;
                    let status = AccountStatus::Deleted;
                    gone.iter().try_for_each(|row| tx.note_status(&self.app, &row.account.external_id, status))
                })?;
            }
        }
    }
}

/// Whether an account was seen otherwise than it is known.
fn differs(known: &AccountRow, seen: &TargetAccount) -> bool {
    let account = &known.account;
    account.attributes != seen.named()
        || (seen.username.is_some() && account.username != seen.username)
        || account.version != seen.version
        || account.status != status_of(seen)
        || account.frozen != seen.frozen
}

/// Whether two rows say the same of an account, but for when.
fn is_same(one: &AccountRow, other: &AccountRow) -> bool {
    let mut account = other.account.clone();
    account.created_at = one.account.created_at;
    account.updated_at = one.account.updated_at;
    one.account == account
}
