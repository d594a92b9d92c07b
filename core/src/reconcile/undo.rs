//! Undo: a plan that puts back what a reconciliation or a request did. It has a digest, is asked about by the brake, and is
//! committed as every plan.

use super::act::{Acting, Outcome};
use super::subject::Subject;
use super::{Work, definition_mark, find, go_on, read, write};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId, UserId};
use crate::intake::{LiveApp, LiveApps, NewRequest, elect, end_reconciliation, insert, insert_for_account, log_step};
use crate::lifecycle::Event;
use crate::model::{
    AccountStatus, Finding, ItemState, LinkState, PlanFilter, PlanItem, Reaction, ReconciliationKind, Situation,
    SituationCounts, SnapshotVerdict, State, TargetAccount,
};
use crate::operation::Operation;
use crate::path::Path;
use crate::planning::inverse::{Deed, Inverse, Present, Refusal, inverse};
use crate::store::{AccountRow, Given, PlanRow, ReconciliationRow, RequestRow, Tx};
use crate::value::Attributes;
use serde_json::{Value, json};
use std::collections::BTreeMap;

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
        let mut planner = Planner { number: 0, open: 0, owners: BTreeMap::new(), situations: Vec::new() };
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

/// Makes the items of an undo.
struct Planner {
    number: u64,
    /// Requests that did not come through, or not yet.
    open: usize,
    /// Whose the accounts are, nobody's too, to which this plan gives another owner before anything is sent to them.
    owners: BTreeMap<String, Option<UserId>>,
    situations: Vec<Situation>,
}

impl Planner {
    /// The inverse of a link that was made, or taken away.
    fn link(&mut self, tx: &Tx<'_>, live: &LiveApp, link: &(bool, UserId, String)) -> Result<PlanRow, Fault> {
        let (made, user, account) = link;
        let subject = Subject::find(tx, live, Some(user.as_str()), Some(account))?;
        let known = subject.row.as_ref().filter(|row| row.account.status != AccountStatus::Deleted);
        let linked_to = known.filter(|row| row.account.link_state == LinkState::Linked);
        let owner = linked_to.and_then(|row| row.account.user.as_ref());
        let why = match made {
            true => "the link was made by what is undone",
            false => "the link was taken away by what is undone",
        };
        let mut item = new_item(Some(user), account, why);
        match (known, owner) {
            (None, _) => refuse(&mut item, "the account is gone since", Situation::Missing),
            (Some(known), _) if known.account.known_link => {
                refuse(&mut item, "a person manages the link", Situation::Drifted);
            }
            (Some(_), Some(owner)) if *made && owner == user => {
                item.reaction = Reaction::Unlink;
                self.owners.insert(account.clone(), None);
            }
            (Some(_), Some(owner)) if !*made && owner == user => {
                nothing(&mut item, "the account is linked again already")
            }
            (Some(_), Some(_)) => refuse(&mut item, "the account is linked to somebody else since", Situation::Drifted),
            (Some(_), None) if *made => nothing(&mut item, "the link is gone already"),
            (Some(_), None) if subject.is_linked_elsewhere() => {
                refuse(&mut item, "the user has another account since", Situation::Drifted);
            }
            (Some(_), None) => {
                item.reaction = Reaction::Link;
                self.owners.insert(account.clone(), Some(user.clone()));
                item.finding.situation = Situation::Found;
            }
        }
        Ok(row(item, known))
    }

    /// The inverse of an account that was left alone.
    fn attend(&mut self, tx: &Tx<'_>, live: &LiveApp, account: &str) -> Result<PlanRow, Fault> {
        let known = tx.account_at(&live.definition.app.id, account)?;
        let known = known.filter(|row| row.account.status != AccountStatus::Deleted);
        let user = known.as_ref().and_then(|row| row.account.user.clone());
        let mut item = new_item(user.as_ref(), account, "the account was ignored by what is undone");
        item.finding.situation = Situation::Ignored;
        match &known {
            None => refuse(&mut item, "the account is gone since", Situation::Missing),
            Some(known) if known.account.link_state == LinkState::Ignored => item.reaction = Reaction::Attend,
            Some(_) => nothing(&mut item, "the account is not ignored any more"),
        }
        Ok(row(item, known.as_ref()))
    }

    /// The inverses of a completed request: what can be put back, and what cannot.
    fn request(&mut self, tx: &Tx<'_>, live: &LiveApp, request: &RequestRow) -> Result<Vec<PlanRow>, Fault> {
        let (operation, id) = (request.request.operation, &request.request.id);
        if matches!(operation, Operation::Read | Operation::Reconcile | Operation::Linking) {
            return Ok(Vec::new());
        }
        let app = &live.definition.app.id;
        let account = request.request.external_id.as_deref().unwrap_or_default();
        let known = tx.account_at(app, account)?.filter(|row| row.account.status != AccountStatus::Deleted);
        let key = match &request.request.user {
            Some(user) => tx.user(user.as_str())?.map(|stored| stored.key),
            None => tx.known_app_key(app)?,
        };
        let kept = key.map(|key| tx.kept(id, &key)).transpose()?.flatten();
        let adopted = tx.attempts(id)?.last().is_some_and(|last| last.code.as_deref() == Some("adopted"));
        let deed = Deed {
            operation,
            before: kept.as_ref().map(|kept| &kept.before),
            after: kept.as_ref().and_then(|kept| kept.after.as_ref()),
            adopted,
        };
        let present = known.as_ref().map(|row| Present {
            active: row.account.status == AccountStatus::Active,
            frozen: row.account.frozen,
            attributes: &row.account.attributes,
        });
        let mut inverse = inverse(&deed, present.as_ref());
        self.check(live, request, known.as_ref(), &mut inverse);
        let user = self.owners.get(account).unwrap_or(&request.request.user);
        Ok(items(
            inverse,
            user.as_ref(),
            account,
            &format!("undoes the {operation} of the request {id}"),
            known.as_ref(),
        ))
    }

    /// What the app does not let be done, and what is another's by now.
    fn check(&self, live: &LiveApp, request: &RequestRow, known: Option<&AccountRow>, inverse: &mut Inverse) {
        let (Some(reaction), Some(known)) = (inverse.reaction, known) else { return };
        let app = &live.definition.app;
        let account = &known.account;
        let is_user = request.request.user.is_some();
        let is_own = account.user == request.request.user && (!is_user || account.link_state == LinkState::Linked);
        let not_allowed = operation_of(reaction).filter(|operation| !app.operations.allows(*operation));
        let reason = if app.protected.external_ids.contains(&account.external_id) {
            "the account is protected; it is never touched".to_owned()
        } else if !is_own {
            "the account is linked otherwise since".to_owned()
        } else if let Some(operation) = not_allowed {
            format!("the app does not allow {operation}")
        } else if self.owners.get(&account.external_id) == Some(&None)
            && matches!(reaction, Reaction::Freeze | Reaction::Unfreeze)
        {
            "an account that nobody owns is not frozen or freed".to_owned()
        } else {
            return;
        };
        *inverse = Inverse { refused: vec![Refusal { attribute: None, reason }], ..Inverse::default() };
    }
}

fn operation_of(reaction: Reaction) -> Option<Operation> {
    match reaction {
        Reaction::Update => Some(Operation::Update),
        Reaction::Deactivate => Some(Operation::Deactivate),
        Reaction::Activate => Some(Operation::Activate),
        Reaction::Freeze => Some(Operation::Freeze),
        Reaction::Unfreeze => Some(Operation::Unfreeze),
        _ => None,
    }
}

fn new_item(user: Option<&UserId>, account: &str, why: &str) -> PlanItem {
    let situation = if user.is_some() { Situation::Confirmed } else { Situation::Orphaned };
    PlanItem {
        number: 0,
        finding: Finding {
            situation,
            user: user.map(|user| user.as_str().to_owned()),
            account: Some(account.to_owned()).filter(|account| !account.is_empty()),
            rule: None,
            candidates: Vec::new(),
            drift: Vec::new(),
            faults: Vec::new(),
        },
        reaction: Reaction::None,
        state: ItemState::Planned,
        destructive: false,
        explicit: false,
        changes: Vec::new(),
        before: BTreeMap::new(),
        why: vec![why.to_owned()],
        request: None,
        fault: None,
        by: None,
    }
}

/// The items of one request: one for everything that can be put back, one for everything that cannot.
fn items(
    inverse: Inverse,
    user: Option<&UserId>,
    account: &str,
    why: &str,
    known: Option<&AccountRow>,
) -> Vec<PlanRow> {
    let mut rows = Vec::new();
    if !inverse.refused.is_empty() {
        let reasons: Vec<String> = inverse.refused.into_iter().map(|refusal| refusal.reason).collect();
        let mut item = new_item(user, account, why);
        let situation = if known.is_none() { Situation::Missing } else { Situation::Drifted };
        refuse(&mut item, &reasons.join("; "), situation);
        rows.push(row(item, known));
    }
    let mut item = new_item(user, account, why);
    item.why.extend(inverse.notes);
    match inverse.reaction {
        Some(reaction) => {
            item.reaction = reaction;
            item.changes = inverse.changes;
            item.before = inverse.overwritten.into_iter().filter(|(_, value)| !value.is_null()).collect();
        }
        None if !rows.is_empty() => return rows,
        None => nothing(&mut item, "there is nothing to put back"),
    }
    rows.push(row(item, known));
    rows
}

fn refuse(item: &mut PlanItem, reason: &str, situation: Situation) {
    item.reaction = Reaction::Report;
    item.state = ItemState::Refused;
    item.finding.situation = situation;
    item.fault = Some(refused(reason));
}

fn nothing(item: &mut PlanItem, reason: &str) {
    item.reaction = Reaction::Report;
    item.state = ItemState::Reported;
    item.why.push(reason.to_owned());
}

fn row(mut item: PlanItem, known: Option<&AccountRow>) -> PlanRow {
    item.destructive = item.reaction.is_destructive();
    PlanRow { item, planned_for: print(known), digest: String::new(), done_at: None }
}

/// What an item of an undo was planned for. Values are compared one by one when they are sent, and links when they are made.
fn print(known: Option<&AccountRow>) -> String {
    let account = known.map(|row| json!([row.account.external_id, row.account.status, row.account.frozen]));
    crate::value::sha256_hex(json!(["rollkeeper undo 1", account]).to_string().as_bytes())
}

/// Does what an item of an undo says, if the account is as it was planned for.
///
/// # Errors
/// `item_changed` where it is not; what else keeps the item from being done.
pub(super) fn put_back(
    tx: &mut Tx<'_>,
    live: &LiveApp,
    plan: &ReconciliationRow,
    row: &PlanRow,
) -> Result<Outcome, Fault> {
    let (item, app) = (&row.item, &live.definition.app);
    let account = item.finding.account.as_deref().unwrap_or_default();
    let known = tx.account_at(&app.id, account)?.filter(|row| row.account.status != AccountStatus::Deleted);
    let changed = |what: &str| Fault::new(Code::ItemChanged, format!("item {}: {what}", item.number));
    if print(known.as_ref()) != row.planned_for {
        return Err(changed("the account is another now than when the plan was made"));
    }
    let Some(known) = known else { return Err(changed("the account is gone")) };
    if app.protected.external_ids.iter().any(|id| id == account) {
        return Err(Fault::new(Code::OperationOff, "the account is protected; it is never touched"));
    }
    let seen = as_shown(&known);
    let acting = Acting { live, reconciliation: plan, seen: Some(&seen) };
    let request = match item.reaction {
        Reaction::Link | Reaction::Unlink => {
            let subject = Subject::find(tx, live, item.finding.user.as_deref(), Some(account))?;
            match item.reaction {
                Reaction::Link => acting.link(tx, &subject)?,
                _ if subject.is_linked() => acting.unlink(tx, subject)?,
                _ => return Err(changed("the account is not linked to the user any more")),
            }
            None
        }
        Reaction::Attend => attend(tx, live, known).map(|()| None)?,
        reaction => {
            operation_of(reaction).map(|operation| request(tx, live, plan, item, &known, operation)).transpose()?
        }
    };
    Ok(Outcome { request })
}

/// The account as it is known, as if it had been read.
fn as_shown(known: &AccountRow) -> TargetAccount {
    let account = &known.account;
    TargetAccount {
        external_id: account.external_id.clone(),
        username: account.username.clone(),
        active: account.status == AccountStatus::Active,
        frozen: account.frozen,
        attributes: account.attributes.clone(),
        version: account.version.clone(),
    }
}

/// The account is the user's again, or nobody's, as far as is known.
fn attend(tx: &mut Tx<'_>, live: &LiveApp, mut known: AccountRow) -> Result<(), Fault> {
    let app = &live.definition.app.id;
    let key = match &known.account.user {
        Some(user) => {
            let erased = || Fault::new(Code::NotFound, "the record of the account's user was erased");
            let other = tx.account_of(app, user.as_str())?.is_some_and(|other| other != known.account.external_id);
            if other {
                return Err(Fault::new(Code::ConflictDuplicate, "the user has another account in the app already"));
            }
            known.account.link_state = LinkState::Linked;
            tx.user(user.as_str())?.ok_or_else(erased)?.key
        }
        None => {
            known.account.link_state = LinkState::Orphaned;
            tx.app_key(app)?
        }
    };
    known.account.updated_at = tx.now;
    tx.put_account(&known, &key)
}

/// A request that puts back, in the lane of the account's user, or of the account where nobody owns it.
fn request(
    tx: &mut Tx<'_>,
    live: &LiveApp,
    plan: &ReconciliationRow,
    item: &PlanItem,
    known: &AccountRow,
    operation: Operation,
) -> Result<RequestId, Fault> {
    let definition = &live.definition;
    let given = Given { changes: item.changes.clone(), applied: None, restores: true, expected: expected(item) };
    let new = NewRequest {
        operation,
        why: item.why.first().cloned().unwrap_or_default(),
        by: plan.committed_by.as_deref(),
        given: Some(given),
        plan: Some(&plan.shown.id),
        ..NewRequest::default()
    };
    let user = known.account.user.as_ref().filter(|_| known.account.link_state == LinkState::Linked);
    let stored = user.map(|user| tx.user(user.as_str())).transpose()?.flatten();
    if item.finding.user.as_deref() != stored.as_ref().map(|stored| stored.user.id.as_str()) {
        return Err(Fault::new(
            Code::ItemChanged,
            format!("item {}: the account is linked otherwise now", item.number),
        ));
    }
    let Some(stored) = stored else {
        return insert_for_account(tx, definition, &known.account.external_id, None, new).map(|request| request.id);
    };
    let row = insert(tx, &definition.app, &stored, new)?;
    elect(tx, definition, &stored.user.id)?;
    Ok(row.request.id)
}

/// What the account has to have when the values are put back: those that the plan shows, and nothing where it shows none.
fn expected(item: &PlanItem) -> Attributes {
    let value = |path: &str| item.before.get(path).cloned().unwrap_or(Value::Null);
    let paths = item.changes.iter().filter(|change| Path::parse(&change.path).is_ok());
    paths.map(|change| (change.path.clone(), value(&change.path))).collect()
}
