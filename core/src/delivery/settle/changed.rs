//! Accounts that were changed.

use super::super::candidate::hold;
use super::super::kept::note_kept;
use super::Settling;
use super::ended::removed;
use crate::connector::{Change, TargetAccount};
use crate::fault::Fault;
use crate::lifecycle::Event;
use crate::model::AccountStatus;
use crate::operation::Operation;
use crate::planning::inverse::values_again;
use crate::store::RequestRow;
use crate::value::Attributes;

impl Settling<'_, '_> {
    pub(super) fn updated(
        &mut self,
        row: RequestRow,
        wanted: Attributes,
        changes: &[Change],
        seen: Option<TargetAccount>,
    ) -> Result<(), Fault> {
        if let Some(seen) = &seen {
            note_kept(self.tx, self.app, &row, &wanted, Some(changes), seen)?;
        }
        if let Some(mut account) = self.account()? {
            let known = &mut account.account;
            match seen {
                Some(seen) if !seen.attributes.is_empty() => {
                    known.attributes = seen.named();
                    known.username = seen.username.or(known.username.take());
                    known.version = seen.version;
                }
                // What the target took is a path, whatever we make of it.
                _ if row.given => Change::apply_all(changes, &mut known.attributes).unwrap_or_default(),
                _ => known.attributes.extend(wanted.clone()),
            }
            let held = if row.is_in_step() { &wanted } else { &known.attributes };
            hold(self.tx, self.app, self.stored, &row.request.id, held)?;
            if row.is_in_step() {
                let mut applied = account.applied.take().unwrap_or_default();
                applied.extend(wanted);
                account.applied = Some(applied);
                account.fingerprint.clone_from(&row.fingerprint);
            }
            self.note_after(&row, &account.account.attributes)?;
            self.put(account)?;
        }
        self.close(&row, "applied", "", "")?;
        self.go_on(row)
    }

    /// Keeps the values that the account has now in the place of those that it had before.
    fn note_after(&mut self, row: &RequestRow, known: &Attributes) -> Result<(), Fault> {
        let (id, key) = (&row.request.id, &self.stored.key);
        let Some(mut kept) = self.tx.kept(id, key)? else { return Ok(()) };
        kept.after = kept.before.values.as_ref().map(|values| values_again(values, known));
        self.tx.keep(id, key, &kept)
    }

    /// Activate and Unfreeze.
    pub(super) fn switched(&mut self, row: RequestRow) -> Result<(), Fault> {
        if let Some(mut account) = self.account()? {
            match row.request.operation {
                Operation::Activate => account.account.status = AccountStatus::Active,
                Operation::Unfreeze => account.account.frozen = false,
                _ => {}
            }
            self.put(account)?;
        }
        self.close(&row, "applied", "", "")?;
        self.complete(row)
    }

    pub(super) fn seen(&mut self, row: RequestRow, seen: TargetAccount) -> Result<(), Fault> {
        if let Some(mut account) = self.account()? {
            let known = &mut account.account;
            known.status = if seen.active { AccountStatus::Active } else { AccountStatus::Deactivated };
            known.frozen = known.frozen || seen.frozen;
            known.attributes = seen.named();
            known.username = seen.username.or(known.username.take());
            known.version = seen.version;
            self.put(account)?;
        }
        self.close(&row, "applied", "", "")?;
        self.complete(row)
    }

    /// Deactivate, Freeze and Delete.
    pub(super) fn removed(&mut self, mut row: RequestRow, verified: bool, gone: bool) -> Result<(), Fault> {
        if row.looks_first() {
            self.tx.change(&mut row, Event::Send)?;
        }
        if let Some(mut account) = self.account()? {
            let known = &mut account.account;
            let deleted = gone || row.request.operation == Operation::Delete;
            match row.request.operation {
                _ if deleted => {
                    known.status = AccountStatus::Deleted;
                    known.deleted_at = Some(self.tx.now);
                }
                Operation::Freeze => known.frozen = true,
                _ => known.status = AccountStatus::Deactivated,
            }
            self.put(account)?;
        }
        removed(self.tx, self.app, row, verified, gone, self.doubt)
    }

    /// The access that was to be gone already is there: it is taken away now.
    pub(super) fn usable(&mut self, mut row: RequestRow) -> Result<(), Fault> {
        row.sending = false;
        row.verifying = false;
        row.retry = None;
        self.tx.save(&row)?;
        self.elect()
    }

    /// A removal that was confirmed is found undone: the account can be used, and our record says so again.
    pub(super) fn undone(&mut self, row: &RequestRow) -> Result<(), Fault> {
        let Some(mut account) = self.account()? else { return Ok(()) };
        match row.request.operation {
            Operation::Freeze => account.account.frozen = false,
            _ => account.account.status = AccountStatus::Active,
        }
        self.put(account)
    }
}
