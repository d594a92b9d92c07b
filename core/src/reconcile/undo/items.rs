//! The items of an undo: the inverse of each thing that was done, or why there is none.

use super::super::subject::Subject;
use super::refused;
use crate::fault::Fault;
use crate::id::UserId;
use crate::intake::LiveApp;
use crate::model::{
    AccountStatus, Drift, DriftVerdict, Finding, ItemState, LinkState, MembershipState, PlanItem, Reaction, Situation,
};
use crate::operation::Operation;
use crate::planning::entitlement::LedgerEntry;
use crate::planning::groups::{membership_before, membership_change, membership_path};
use crate::planning::inverse::{Deed, Inverse, Present, Refusal, inverse};
use crate::store::{AccountRow, MembershipDeed, PlanRow, RequestRow, Tx};
use serde_json::json;
use std::collections::BTreeMap;

/// Makes the items of an undo.
#[derive(Default)]
pub(super) struct Planner {
    pub(super) number: u64,
    /// Requests that did not come through, or not yet.
    pub(super) open: usize,
    /// Whose the accounts are, nobody's too, to which this plan gives another owner before anything is sent to them.
    owners: BTreeMap<String, Option<UserId>>,
    pub(super) situations: Vec<Situation>,
}

impl Planner {
    /// The inverse of a link that was made, or taken away.
    pub(super) fn link(
        &mut self,
        tx: &Tx<'_>,
        live: &LiveApp,
        link: &(bool, UserId, String),
    ) -> Result<PlanRow, Fault> {
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
    pub(super) fn attend(&mut self, tx: &Tx<'_>, live: &LiveApp, account: &str) -> Result<PlanRow, Fault> {
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
    pub(super) fn request(&mut self, tx: &Tx<'_>, live: &LiveApp, request: &RequestRow) -> Result<Vec<PlanRow>, Fault> {
        let (operation, id) = (request.request.operation, &request.request.id);
        if matches!(operation, Operation::Read | Operation::Reconcile | Operation::Linking) {
            return Ok(Vec::new());
        }
        let app = &live.definition.app.id;
        let account = request.request.external_id.as_deref().unwrap_or_default();
        let known = tx.account_at(app, account)?.filter(|row| row.account.status != AccountStatus::Deleted);
        if request.request.attempts == 0 {
            let mut item =
                new_item(request.request.user.as_ref(), account, &format!("the {operation} of the request {id}"));
            nothing(&mut item, "nothing was sent");
            return Ok(vec![row(item, known.as_ref())]);
        }
        let key = match &request.request.user {
            Some(user) => tx.user(user.as_str())?.map(|stored| stored.key),
            None => tx.known_app_key(app)?,
        };
        let kept = key.map(|key| tx.kept(id, &key)).transpose()?.flatten();
        let mut rows = Vec::new();
        let why = format!("undoes the {operation} of the request {id}");
        let user = self.owners.get(account).unwrap_or(&request.request.user).clone();
        for deed in net(tx.memberships_of_request(id)?) {
            rows.push(membership(tx, live, user.as_ref(), &deed, &why)?);
        }
        if kept.is_none() && !rows.is_empty() {
            // It changed memberships and nothing else.
            return Ok(rows);
        }
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
        rows.extend(items(inverse, user.as_ref(), account, &why, known.as_ref()));
        Ok(rows)
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

/// What of a request's memberships is left: one that it gave and took away again is as it was.
fn net(deeds: Vec<MembershipDeed>) -> Vec<MembershipDeed> {
    let mut left: Vec<MembershipDeed> = Vec::new();
    for deed in deeds {
        match left.iter().position(|known| (&known.account, &known.group) == (&deed.account, &deed.group)) {
            Some(place) if left.get(place).is_some_and(|known| known.given != deed.given) => drop(left.remove(place)),
            Some(_) => {}
            None => left.push(deed),
        }
    }
    left
}

/// The inverse of one membership that was given, or taken away.
fn membership(
    tx: &Tx<'_>,
    live: &LiveApp,
    user: Option<&UserId>,
    deed: &MembershipDeed,
    why: &str,
) -> Result<PlanRow, Fault> {
    let app = &live.definition.app;
    let known = tx.account_at(&app.id, &deed.account)?.filter(|row| row.account.status != AccountStatus::Deleted);
    let linked = known.as_ref().filter(|row| row.account.link_state == LinkState::Linked);
    let owner = linked.and_then(|row| row.account.user.as_ref());
    let ledger = tx.memberships(&app.id, &deed.account)?;
    let entry = ledger.iter().find(|row| row.entry.group == deed.group).map(|row| &row.entry);
    let mut item = new_item(user, &deed.account, why);
    item.group = Some(deed.group.clone());
    item.finding.situation = Situation::MembershipConfirmed;
    item.finding.drift = vec![Drift {
        attribute: membership_path(&deed.group),
        last: Some(deed.ours.into()),
        wanted: Some((!deed.given).into()),
        actual: Some(deed.given.into()),
        verdict: DriftVerdict::Ours,
    }];
    let is_there = entry.is_some_and(|entry| entry.state == MembershipState::Held);
    let reaction = if deed.given { Reaction::Remove } else { Reaction::Update };
    let is_off = !app.operations.allows(Operation::Update);
    let missing = Situation::MembershipMissing;
    if known.is_none() {
        refuse(&mut item, "the account is gone since", missing);
    } else if app.protected.external_ids.contains(&deed.account) {
        refuse(&mut item, "the account is protected; it is never touched", missing);
    } else if owner != user {
        refuse(&mut item, "the account is linked otherwise since", missing);
    } else if entry.is_some_and(|entry| entry.queued) {
        refuse(&mut item, "a request is about to change the membership", missing);
    } else if is_off {
        refuse(&mut item, "the app does not allow Update", missing);
    } else if deed.given && deed.ours && !is_there {
        nothing(&mut item, "the membership is gone already");
    } else if !deed.given && is_there {
        nothing(&mut item, "the membership is there again already");
    } else {
        item.reaction = reaction;
        item.changes = membership_change(reaction, &deed.group).into_iter().collect();
        item.before = membership_before(reaction, &deed.group);
    }
    item.destructive = item.reaction.is_destructive();
    let planned_for = member_print(known.as_ref(), entry);
    Ok(PlanRow { item, planned_for, digest: String::new(), done_at: None })
}

/// What an item of an undo about a membership was planned for.
pub(super) fn member_print(known: Option<&AccountRow>, entry: Option<&LedgerEntry>) -> String {
    let account = known.map(|row| &row.account.external_id);
    let entry = entry.map(|entry| json!([entry.group, entry.state, entry.queued]));
    crate::value::sha256_hex(json!(["rollkeeper undo of a membership 1", account, entry]).to_string().as_bytes())
}

pub(super) fn operation_of(reaction: Reaction) -> Option<Operation> {
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
        group: None,
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
pub(super) fn print(known: Option<&AccountRow>) -> String {
    let account = known.map(|row| json!([row.account.external_id, row.account.status, row.account.frozen]));
    crate::value::sha256_hex(json!(["rollkeeper undo 1", account]).to_string().as_bytes())
}
