//! What each reaction does, in one transaction with the note that it was done.

use super::item::{ACTIVE, FROZEN, as_seen, is_later, is_superseded};
use super::subject::{Subject, status_of};
use super::update::wanted;
use crate::delivery::hold;
use crate::fault::{Code, Fault};
use crate::id::{RequestId, UserId};
use crate::intake::{
    LiveApp, NewRequest, cancel, elect, held_back, held_by, insert, insert_for_account, still_holds, wake,
    watched_print,
};
use crate::model::{
    AccountStatus, Change, LinkState, PlanItem, Reaction, ReconciliationKind, Situation, TargetAccount,
};
use crate::operation::Operation;
use crate::scope::Standing;
use crate::store::{AccountRow, Given, LogEvent, PlanRow, ReconciliationRow, StoredUser, Tx, UserState, fingerprint};
use serde_json::json;

/// One item on its way.
pub(super) struct Acting<'a> {
    pub(super) live: &'a LiveApp,
    pub(super) reconciliation: &'a ReconciliationRow,
    /// The account as it was collected.
    pub(super) seen: Option<&'a TargetAccount>,
}

/// What came of an item.
pub(super) struct Outcome {
    /// The request that was made.
    pub(super) request: Option<RequestId>,
    /// Why nothing was done, where a look showed that nothing has to be.
    pub(super) told: Option<String>,
}

impl Outcome {
    /// The item is done, with the request that was made for it.
    pub(super) fn done(request: Option<RequestId>) -> Self {
        Self { request, told: None }
    }
}

impl Acting<'_> {
    /// Does what the item says, if everything is as it was planned for.
    ///
    /// # Errors
    /// `item_changed` where it is not; what else keeps the item from being done.
    pub(super) fn carry_out(&self, tx: &mut Tx<'_>, row: &PlanRow) -> Result<Outcome, Fault> {
        let item = &row.item;
        if item.group.is_some() {
            return self.membership(tx, row).map(Outcome::done);
        }
        if self.reconciliation.shown.kind == ReconciliationKind::Source {
            return self.access(tx, row);
        }
        let finding = &item.finding;
        let subject = Subject::find(tx, self.live, finding.user.as_deref(), finding.account.as_deref())?;
        if subject.print() != row.planned_for {
            return Err(changed(item, "its record, or what is known of the account, is another now"));
        }
        let account = finding.account.as_deref().unwrap_or_default();
        if item.reaction != Reaction::Create && self.is_protected(account) {
            return Err(Fault::new(Code::OperationOff, "the account is protected; it is never touched"));
        }
        if matches!(item.reaction, Reaction::Deactivate | Reaction::Delete) {
            self.leave_what_is_held(tx, item, &subject)?;
        }
        if let Some(user) = &finding.user {
            self.clear_lane(tx, item, &UserId::new(user.as_str())?)?;
        }
        let request = match item.reaction {
            Reaction::Link => self.link(tx, &subject).map(|()| None)?,
            Reaction::Update => self.update(tx, subject, item)?,
            Reaction::Create => self.create(tx, subject, item).map(Some)?,
            Reaction::Deactivate => self.remove(tx, &subject, item, Operation::Deactivate).map(Some)?,
            Reaction::Delete => self.remove(tx, &subject, item, Operation::Delete).map(Some)?,
            Reaction::Unlink => self.unlink(tx, subject).map(|()| None)?,
            Reaction::Ignore => self.ignore(tx, &subject).map(|()| None)?,
            Reaction::None | Reaction::Report | Reaction::Review => None,
            // These are carried out by undoing alone, or are about a membership.
            Reaction::Remove | Reaction::Activate | Reaction::Freeze | Reaction::Unfreeze | Reaction::Attend => {
                return Err(Fault::new(Code::Internal, "this reaction is not one to a situation"));
            }
        };
        Ok(Outcome::done(request))
    }

    /// What a new definition would take away, and the brake holds, no other plan takes away as long as a second person may release it.
    fn leave_what_is_held(&self, tx: &Tx<'_>, item: &PlanItem, subject: &Subject) -> Result<(), Fault> {
        let Some(user) = item.finding.user.as_deref() else { return Ok(()) };
        let operation = if item.reaction == Reaction::Delete { Operation::Delete } else { Operation::Deactivate };
        let waits = |standing: &Standing, held: &_| still_holds(held, standing) && held_back(standing, operation);
        let held = tx.access_held_by(&self.live.definition.app.id, &UserId::new(user)?)?;
        let held = held.filter(|held| subject.standing.as_ref().map_or(true, |standing| waits(standing, held)));
        leave_to(tx, item, held.map(|held| held.plan))
    }

    /// Nothing is done beside a request of the same user, but that one to make an account gives way to a link.
    fn clear_lane(&self, tx: &mut Tx<'_>, item: &PlanItem, user: &UserId) -> Result<(), Fault> {
        let links = matches!(item.reaction, Reaction::Link | Reaction::Update);
        for row in tx.lane(&self.live.definition.app.id, user)? {
            if is_later(item.reaction, &row) {
                continue;
            }
            if !(links && item.finding.situation != Situation::Drifted && is_superseded(&row)) {
                return Err(changed(item, &format!("the request {} is open", row.request.id)));
            }
            cancel(tx, row, self.by(), "superseded: an existing account was linked")?;
        }
        Ok(())
    }

    pub(super) fn is_protected(&self, account: &str) -> bool {
        self.live.definition.app.protected.external_ids.iter().any(|id| id == account)
    }

    /// User and account belong together from now on. What was applied is known only where the account is in step.
    pub(super) fn link(&self, tx: &mut Tx<'_>, subject: &Subject) -> Result<(), Fault> {
        let app = &self.live.definition.app.id;
        let gone = || Fault::new(Code::NotFound, "the user is not in the directory");
        let stored = subject.stored.as_ref().filter(|one| one.state == UserState::Present).ok_or_else(gone)?;
        let seen = self.seen()?;
        if subject.is_linked_elsewhere() {
            return Err(Fault::new(Code::ConflictDuplicate, "the user has another account in the app already"));
        }
        if let Some(known) = &subject.row {
            let owner = known.account.user.as_ref().filter(|_| known.account.status != AccountStatus::Deleted);
            let other = owner.is_some_and(|owner| *owner != stored.user.id);
            if other || known.account.known_link || known.account.link_state == LinkState::Ignored {
                return Err(Fault::new(
                    Code::ConflictOwned,
                    "the account is somebody else's, or a person manages its link",
                ));
            }
        }
        let mut row = as_seen(tx, self.live, subject, seen);
        // Where what is wanted cannot be told, an Update will tell.
        let wanted = wanted(tx, self.live, stored, &row, true)?.ok();
        if let Some(wanted) = wanted.filter(|wanted| wanted.changes.is_empty() && !wanted.waits) {
            row.applied = Some(wanted.attributes);
            row.fingerprint = Some(watched_print(tx, &self.live.definition, stored)?);
        }
        let holds = row.applied.as_ref().unwrap_or(&row.account.attributes);
        hold(tx, self.live, stored, &self.reconciliation.shown.id, holds)?;
        tx.put_account(&row, &stored.key)?;
        tx.log(LogEvent {
            app: Some(app),
            user: Some(&stored.user.id),
            request: Some(&self.reconciliation.shown.id),
            by: self.by(),
            ..LogEvent::new("linked", json!({"how": "reconciled", "external_id": seen.external_id}))
        })?;
        wake(tx, &self.live.definition, &stored.user.id, &seen.external_id)
    }

    /// The account is brought in line; one that was found is linked first.
    fn update(&self, tx: &mut Tx<'_>, subject: Subject, item: &PlanItem) -> Result<Option<RequestId>, Fault> {
        let subject = self.linked(tx, subject)?;
        let gone = || Fault::new(Code::NotFound, "the user's record was erased");
        let (stored, seen) = (subject.stored.as_ref().ok_or_else(gone)?, self.seen()?);
        let mut row = as_seen(tx, self.live, &subject, seen);
        let (switches, changes) = self.split(item, seen, subject.is_frozen());
        // Only what is switched now is known as it was seen: a difference that is only told changes no decision.
        if !switches.is_empty() {
            (row.account.status, row.account.frozen) = (status_of(seen), seen.frozen);
        }
        row.account.updated_at = tx.now;
        tx.put_account(&row, &stored.key)?;
        let mut made = None;
        for operation in switches {
            made = Some(self.request(tx, stored, item, NewRequest { operation, ..NewRequest::default() })?);
        }
        if !changes.is_empty() {
            let wanted = wanted(tx, self.live, stored, &row, false)?.map_err(first)?;
            let given = Given { changes, applied: Some(wanted.attributes), ..Given::default() };
            let new = NewRequest { operation: Operation::Update, given: Some(given), ..NewRequest::default() };
            made = Some(self.request(tx, stored, item, new)?);
        }
        Ok(made)
    }

    /// The operations that make an account one that can be used, or none any more, and what is left as an Update.
    fn split(&self, item: &PlanItem, seen: &TargetAccount, is_frozen: bool) -> (Vec<Operation>, Vec<Change>) {
        let mut operations = Vec::new();
        let mut changes = Vec::new();
        let switches = super::item::switches(self.live, seen, is_frozen);
        for change in &item.changes {
            match change.path.as_str() {
                ACTIVE if switches.contains(change) => operations.push(Operation::Activate),
                FROZEN if switches.contains(change) => {
                    operations.push(if is_frozen { Operation::Freeze } else { Operation::Unfreeze });
                }
                _ => changes.push(change.clone()),
            }
        }
        (operations, changes)
    }

    /// An account is made; of one that is gone it is known from now on that it is.
    fn create(&self, tx: &mut Tx<'_>, subject: Subject, item: &PlanItem) -> Result<RequestId, Fault> {
        let gone = || Fault::new(Code::NotFound, "the user's record was erased");
        let stored = subject.stored.ok_or_else(gone)?;
        if let Some(mut row) = subject.row.filter(|_| item.finding.situation == Situation::Missing) {
            forget(tx, &mut row);
            tx.put_account(&row, &stored.key)?;
        }
        let new = NewRequest { operation: Operation::Create, ..NewRequest::default() };
        self.request(tx, &stored, item, new)
    }

    /// Deactivate or Delete, in the lane of the user where the account is the user's, else in that of the account.
    fn remove(
        &self,
        tx: &mut Tx<'_>,
        subject: &Subject,
        item: &PlanItem,
        operation: Operation,
    ) -> Result<RequestId, Fault> {
        let is_own = matches!(item.finding.situation, Situation::Unqualified | Situation::SourceGone);
        let Some(stored) = subject.stored.as_ref().filter(|_| is_own) else {
            let account = item.finding.account.as_deref().unwrap_or_default();
            let plan = Some(&self.reconciliation.shown.id);
            let new = NewRequest { operation, why: why(item), by: self.by(), plan, ..NewRequest::default() };
            return insert_for_account(tx, &self.live.definition, account, self.seen, new).map(|request| request.id);
        };
        if !subject.is_linked() {
            self.link(tx, subject)?;
        } else if let Some(seen) = self.seen {
            // What is taken away now is known as it was seen, so that it can be given back.
            let mut row = as_seen(tx, self.live, subject, seen);
            (row.account.status, row.account.frozen) = (status_of(seen), seen.frozen);
            row.account.updated_at = tx.now;
            tx.put_account(&row, &stored.key)?;
        }
        let looks_first = operation == Operation::Deactivate && subject.is_linked() && subject.is_disabled();
        self.request(tx, stored, item, NewRequest { operation, looks_first, ..NewRequest::default() })
    }

    /// Nobody owns the account any more. What was held on the user's behalf is free.
    pub(super) fn unlink(&self, tx: &mut Tx<'_>, subject: Subject) -> Result<(), Fault> {
        let unlinked = || Fault::new(Code::ItemChanged, "the account is not linked any more");
        let mut row = subject.row.ok_or_else(unlinked)?;
        let app = self.live.definition.app.id.clone();
        let user = row.account.user.take().ok_or_else(unlinked)?;
        match self.seen {
            Some(seen) => {
                row.account.attributes = seen.named();
                (row.account.status, row.account.frozen) = (status_of(seen), seen.frozen);
                row.account.version.clone_from(&seen.version);
            }
            None => forget(tx, &mut row),
        }
        row.account.link_state = LinkState::Orphaned;
        (row.applied, row.fingerprint) = (None, None);
        row.account.updated_at = tx.now;
        let key = tx.app_key(&app)?;
        tx.put_account(&row, &key)?;
        tx.release_held(&app, &user)?;
        tx.forget_references(&app, &user)?;
        let details = json!({"external_id": row.account.external_id});
        tx.log(LogEvent {
            app: Some(&app),
            user: Some(&user),
            request: Some(&self.reconciliation.shown.id),
            by: self.by(),
            ..LogEvent::new("unlinked", details)
        })
    }

    /// The account is left alone from now on. Whose it was stays known, so that no second one is made.
    fn ignore(&self, tx: &mut Tx<'_>, subject: &Subject) -> Result<(), Fault> {
        let app = &self.live.definition.app.id;
        let mut row = match &subject.row {
            Some(row) => row.clone(),
            None => {
                let mut row = as_seen(tx, self.live, subject, self.seen()?);
                row.account.user = None;
                row
            }
        };
        row.account.link_state = LinkState::Ignored;
        row.account.updated_at = tx.now;
        let key = match (&row.account.user, &subject.stored) {
            (Some(user), Some(stored)) if *user == stored.user.id => stored.key.clone(),
            (Some(user), _) => match tx.user(user.as_str())? {
                Some(stored) => stored.key,
                None => return Err(Fault::new(Code::NotFound, "the record of the account's user was erased")),
            },
            (None, _) => tx.app_key(app)?,
        };
        tx.put_account(&row, &key)
    }

    /// The subject with the account linked to its user.
    fn linked(&self, tx: &mut Tx<'_>, subject: Subject) -> Result<Subject, Fault> {
        if subject.is_linked() {
            return Ok(subject);
        }
        self.link(tx, &subject)?;
        let user = subject.stored.as_ref().map(|stored| stored.user.id.as_str());
        Subject::find(tx, self.live, user, Some(self.seen()?.external_id.as_str()))
    }

    /// A request in the user's lane.
    fn request(
        &self,
        tx: &mut Tx<'_>,
        stored: &StoredUser,
        item: &PlanItem,
        new: NewRequest<'_>,
    ) -> Result<RequestId, Fault> {
        let definition = &self.live.definition;
        let print = watched_print(tx, definition, stored)?;
        let asked = fingerprint(&stored.key, &definition.asked_bytes(&stored.user));
        let renders = matches!(new.operation, Operation::Create | Operation::Update);
        let new = NewRequest {
            why: why(item),
            by: self.by(),
            fingerprint: renders.then_some(print),
            asked: Some(asked),
            plan: Some(&self.reconciliation.shown.id),
            ..new
        };
        let row = insert(tx, &definition.app, stored, new)?;
        tx.note_plan(&row.request.id, &self.reconciliation.shown.id)?;
        elect(tx, definition, &stored.user.id)?;
        Ok(row.request.id)
    }

    fn seen(&self) -> Result<&TargetAccount, Fault> {
        self.seen.ok_or_else(|| Fault::new(Code::ItemChanged, "the account is no longer among what was collected"))
    }

    pub(super) fn by(&self) -> Option<&str> {
        self.reconciliation.committed_by.as_deref()
    }
}

/// Of this account it is known that it is gone.
pub(super) fn forget(tx: &Tx<'_>, row: &mut AccountRow) {
    row.account.status = AccountStatus::Deleted;
    row.account.deleted_at = Some(tx.now);
    row.account.updated_at = tx.now;
}

pub(super) fn why(item: &PlanItem) -> String {
    format!("reconciliation: {}", item.finding.situation.name())
}

/// What the brake holds by another plan is left to whoever may still release that one.
pub(super) fn leave_to(tx: &Tx<'_>, item: &PlanItem, held: Option<RequestId>) -> Result<(), Fault> {
    let Some(plan) = held else { return Ok(()) };
    let is_open = tx.reconciliation(plan.as_str())?.is_some_and(|row| !row.shown.state.is_finished());
    if is_open { Err(changed(item, &held_by(&plan))) } else { Ok(()) }
}

pub(super) fn changed(item: &PlanItem, what: &str) -> Fault {
    Fault::new(Code::ItemChanged, format!("item {} is about {}: {what}", item.number, about(item)))
}

/// Whom an item is about, in words.
pub(super) fn about(item: &PlanItem) -> String {
    let whom = match (&item.finding.user, &item.finding.account) {
        (Some(user), Some(account)) => format!("the user `{user}` and the account `{account}`"),
        (Some(user), None) => format!("the user `{user}`"),
        (None, account) => format!("the account `{}`", account.as_deref().unwrap_or_default()),
    };
    match &item.group {
        Some(group) => format!("{whom} in the group `{group}`"),
        None => whom,
    }
}

fn first(faults: Vec<Fault>) -> Fault {
    let none = || Fault::new(Code::Internal, "what would be sent cannot be rendered");
    faults.into_iter().next().unwrap_or_else(none)
}
