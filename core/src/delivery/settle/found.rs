//! Accounts that were found, made, or are not there.

use super::super::candidate::hold;
use super::super::kept::note_kept;
use super::ended::fail;
use super::{Settling, Work};
use crate::connector::TargetAccount;
use crate::fault::{Code, Fault};
use crate::intake::{NewRequest, cancel, insert, wake};
use crate::matching::Candidate;
use crate::model::{Account, AccountStatus, LinkState};
use crate::operation::Operation;
use crate::store::{AccountRow, RequestRow, UserState};
use crate::value::Attributes;
use serde_json::json;

impl Settling<'_, '_> {
    /// The account does not exist. A Create that was only to look for it is over; for anything else our record was wrong, and
    /// what is wanted is decided afresh.
    pub(super) fn missing(&mut self, row: RequestRow) -> Result<(), Fault> {
        if row.request.operation == Operation::Create {
            let present = (self.stored.state == UserState::Present).then_some(&self.stored.user);
            let standing = self.app.definition.standing(present, self.tx.now);
            let (message, why) = match standing.is_ok_and(|standing| standing.wants_account()) {
                true => {
                    ("no account was found", "superseded: no account was found, and what is wanted is decided afresh")
                }
                false => (
                    "no account was found, and none is wanted any more",
                    "superseded: the user may no longer have this access, and no account was found",
                ),
            };
            self.close(&row, "not_applied", Code::Cancelled.name(), message)?;
            return self.take_back(row, why);
        }
        let message = "the account no longer exists at the target";
        self.close(&row, "rejected", Code::AccountMissing.name(), message)?;
        if let Some(mut account) = self.account()? {
            account.account.status = AccountStatus::Deleted;
            account.account.deleted_at = Some(self.tx.now);
            self.put(account)?;
        }
        fail(self.tx, self.app, row, vec![Fault::new(Code::AccountMissing, message)])?;
        self.decide("the account no longer exists at the target")
    }

    /// A Create of which is known now that it made nothing, and that cannot go on as it is.
    pub(super) fn take_back(&mut self, mut row: RequestRow, why: &str) -> Result<(), Fault> {
        row.sending = false;
        row.unsettled = false;
        row.request.faults.clear();
        cancel(self.tx, row, None, why)?;
        self.decide("no account was found")
    }

    /// An account that was there already. Nothing is written to it in the same step; where it differs from what is wanted,
    /// an Update follows.
    pub(super) fn found(
        &mut self,
        row: RequestRow,
        work: Work,
        account: TargetAccount,
        ours: bool,
    ) -> Result<(), Fault> {
        if !self.may_link(&account.external_id)? {
            return self.conflict(row, Code::ConflictOwned, "the matching account belongs to another user");
        }
        // A request that takes over from another does not know what that one had sent.
        let own = ours && row.unsettled && row.request.parent_id.is_none();
        let sent = match work {
            Work::Create { attributes, .. } if own => Some(attributes),
            _ => None,
        };
        let kind = if sent.is_some() { "created before" } else { "adopted" };
        self.link(row, account, sent, kind, true)
    }

    /// The account was made by another attempt than the first, of which nobody knows what came. When nothing can come of that
    /// one any more, the user's accounts are counted; a second one is told to people and left as it is.
    fn count_later(&mut self) -> Result<(), Fault> {
        let settle = self.app.definition.app.settle.whole();
        let new = NewRequest {
            operation: Operation::Read,
            why: "the account was made after an attempt of which nothing is known: a second one is looked for"
                .to_owned(),
            not_before: Some(self.tx.now.plus(settle)),
            looks_first: true,
            ..NewRequest::default()
        };
        let mut row = insert(self.tx, &self.app.definition.app, self.stored, new)?;
        row.settle(self.tx.now, self.tx.moment, settle);
        self.tx.save(&row)
    }

    /// Keeps which accounts matched, by which rules and how surely.
    pub(super) fn matched(&mut self, row: &RequestRow, decision: &str, candidates: &[Candidate]) -> Result<(), Fault> {
        if candidates.is_empty() {
            return Ok(());
        }
        self.log(row, "matched", json!({"decision": decision, "candidates": candidates}))
    }

    pub(super) fn may_link(&mut self, external_id: &str) -> Result<bool, Fault> {
        let app = &self.app.definition.app;
        let owner = self.tx.account_owner(&app.id, external_id)?;
        let protected = app.protected.external_ids.iter().any(|id| id == external_id);
        Ok(!protected && owner.is_none_or(|owner| owner == self.stored.user.id))
    }

    pub(super) fn link(
        &mut self,
        mut row: RequestRow,
        found: TargetAccount,
        sent: Option<Attributes>,
        how: &str,
        existed: bool,
    ) -> Result<(), Fault> {
        let now = self.tx.now;
        if self.account()?.is_some_and(|known| known.account.external_id != found.external_id) {
            return self.conflict(row, Code::ConflictDuplicate, "the user has another account in the app already");
        }
        // A search may show less than the account has (RFC 7644 §3.4.2).
        if let Some(sent) = sent.as_ref().filter(|_| !existed) {
            note_kept(self.tx, self.app, &row, sent, None, &found)?;
        }
        let attributes = match &sent {
            Some(sent) if found.attributes.is_empty() => sent.clone(),
            _ => found.named(),
        };
        let username = found.username.or_else(|| {
            let sent = sent.as_ref()?.get("userName")?;
            sent.as_str().map(str::to_owned)
        });
        hold(self.tx, self.app, self.stored, &row.request.id, sent.as_ref().unwrap_or(&attributes))?;
        let account = Account {
            app: self.app.definition.app.id.clone(),
            external_id: found.external_id.clone(),
            username,
            user: Some(self.stored.user.id.clone()),
            status: if found.active { AccountStatus::Active } else { AccountStatus::Deactivated },
            frozen: found.frozen,
            link_state: LinkState::Linked,
            known_link: false,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            attributes,
            version: found.version,
        };
        // Where we did not send what the account holds, its fingerprint is unknown: an Update compares and follows.
        let fingerprint = sent.as_ref().and(row.fingerprint.clone());
        self.tx.put_account(&AccountRow { account, applied: sent, fingerprint }, &self.stored.key)?;
        row.request.external_id = Some(found.external_id.clone());
        self.log(&row, "linked", json!({"how": how, "external_id": row.request.external_id}))?;
        self.close(&row, "applied", if existed { how } else { "" }, "")?;
        let made_again = row.unsettled && !existed;
        self.complete(row)?;
        if made_again && self.app.capabilities.search {
            self.count_later()?;
        }
        self.decide(if existed { "an existing account was linked" } else { "the account was created" })?;
        wake(self.tx, &self.app.definition, &self.stored.user.id, &found.external_id)
    }
}
