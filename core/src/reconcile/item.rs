//! One item of a plan, made of a finding: what is done about it, and why nothing is where nothing is.

use super::subject::{Subject, seen_account};
use super::update::{before, wanted};
use crate::analysis::Found;
use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::model::{
    AccountStatus, Change, ChangeKind, FreezeFallback, ItemState, LinkState, PlanItem, Reaction, ReconcileSettings,
    Situation, SnapshotVerdict, TargetAccount,
};
use crate::operation::Operation;
use crate::planning::digest::item_digest;
use crate::planning::reaction::{Circumstances, Decided, decide_reaction, reaction_to, suppressed};
use crate::store::{AccountRow, PlanRow, ReconciliationRow, RequestRow, Tx};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Makes items of findings.
pub(super) struct Builder<'b> {
    pub(super) live: &'b LiveApp,
    pub(super) row: ReconciliationRow,
    pub(super) settings: ReconcileSettings,
    /// The last log entry before the analysis.
    pub(super) analyzed: u64,
    /// What a person decided, in the place of what the settings say.
    pub(super) chosen: Option<Reaction>,
}

impl Builder<'_> {
    /// The situations of which something is said or done.
    pub(super) fn told(&self) -> Vec<Situation> {
        let told = |one: &Situation| reaction_to(&self.settings, *one) != Reaction::None;
        Situation::ALL.iter().copied().filter(told).collect()
    }

    /// The item of a finding; none where nothing is said or done. It has its digest where the brake has no say in it.
    pub(super) fn item(
        &self,
        tx: &mut Tx<'_>,
        number: u64,
        found: &Found,
        seen: Option<&TargetAccount>,
    ) -> Result<Option<PlanRow>, Fault> {
        let mut finding = found.finding.clone();
        let subject = Subject::find(tx, self.live, finding.user.as_deref(), finding.account.as_deref())?;
        let wished = self.chosen.unwrap_or_else(|| reaction_to(&self.settings, finding.situation));
        let explicit = finding.user.is_some() && subject.is_explicit(finding.situation, wished, seen);
        let around = Circumstances {
            verdict: self.row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete),
            known_link: subject.is_known_link(),
            linked: has_link(subject.row.as_ref()),
            faulty: !finding.faults.is_empty(),
            explicit,
        };
        let decided = match self.chosen {
            None => decide_reaction(&self.settings, finding.situation, around),
            Some(chosen) => Decided { reaction: chosen, why: suppressed(finding.situation, chosen, around) },
        };
        if let (Some(_), Some(why)) = (self.chosen, decided.why) {
            return Err(Fault::new(Code::InvalidArgument, why));
        }
        let mut reaction = decided.reaction;
        let mut why: Vec<String> = decided.why.iter().map(|why| (*why).to_owned()).collect();
        if reaction == Reaction::Deactivate && seen.is_some_and(|seen| !seen.active) {
            reaction = Reaction::Report;
            why.push("the account is disabled already".to_owned());
        }
        let (mut changes, mut values) = (Vec::new(), BTreeMap::new());
        if acts(reaction) {
            let links = finding.situation == Situation::Found || reaction == Reaction::Link;
            let gives_way = |row: &RequestRow| (links && is_superseded(row)) || is_later(reaction, row);
            let against = match self.moving(tx, &subject, finding.user.as_deref(), seen, &gives_way)? {
                None => self.switched_off(reaction, finding.situation, &subject),
                moving => moving,
            };
            if let Some(against) = against {
                reaction = Reaction::Report;
                why.push(against);
            }
        }
        if reaction == Reaction::Update
            && let Some(seen) = seen
        {
            match self.update(tx, &subject, seen, finding.situation)? {
                Ok(found) if found.is_empty() && finding.situation == Situation::Found => reaction = Reaction::Link,
                Ok(found) if found.is_empty() => {
                    reaction = Reaction::Report;
                    why.push("an Update would send nothing: the rules leave alone what the target changed".to_owned());
                }
                Ok(found) => {
                    values = before(&found, &shown_attributes(seen));
                    changes = found;
                }
                Err(faults) => {
                    reaction = Reaction::Report;
                    why.push("what would be sent cannot be rendered".to_owned());
                    finding.faults.extend(faults);
                }
            }
        }
        let state = match reaction {
            Reaction::None | Reaction::Report => ItemState::Reported,
            Reaction::Review => ItemState::Review,
            _ => ItemState::Planned,
        };
        let item = PlanItem {
            number,
            finding,
            group: None,
            reaction,
            state,
            destructive: reaction.is_destructive(),
            explicit: explicit && reaction.is_destructive(),
            changes,
            before: values,
            why,
            request: None,
            fault: None,
            by: None,
        };
        let planned_for = subject.print();
        // Of whom nothing can be sealed any more, the item says less when it is read again.
        let is_erased = item.finding.user.is_some() && subject.stored.is_none();
        let is_settled = state != ItemState::Planned && item.finding.faults.is_empty() && !is_erased;
        let digest = if is_settled { item_digest(&item, &planned_for) } else { String::new() };
        Ok(Some(PlanRow { item, planned_for, digest, done_at: None }))
    }

    /// Why nothing is concluded of a user or an account: we ourselves are at it, or were while the target was read.
    pub(super) fn moving(
        &self,
        tx: &Tx<'_>,
        subject: &Subject,
        user: Option<&str>,
        seen: Option<&TargetAccount>,
        gives_way: &dyn Fn(&RequestRow) -> bool,
    ) -> Result<Option<String>, Fault> {
        let app = &self.live.definition.app.id;
        let owner = subject.row.as_ref().and_then(|row| row.account.user.as_ref()).map(|user| user.as_str());
        // An account that was being made names its user, whether or not anybody knows yet that it was made.
        let marked = seen.and_then(|seen| crate::path::member(&seen.attributes, "externalId")?.as_str());
        let people: BTreeSet<&str> = [user, owner, marked].into_iter().flatten().collect();
        for person in people {
            let changed =
                tx.logged_since(Some(app), person, self.row.began)? || tx.logged_since(None, person, self.analyzed)?;
            if changed {
                let why = "something happened to the user or its account in the app while the target was read";
                return Ok(Some(why.to_owned()));
            }
            let open = match crate::id::UserId::new(person) {
                Ok(id) => tx.lane(app, &id)?,
                Err(_) => Vec::new(),
            };
            if let Some(request) = open.iter().find(|row| !gives_way(row)) {
                return Ok(Some(format!("the request {} of the user is open", request.request.id)));
            }
        }
        if let Some(row) = &subject.row {
            if row.account.updated_at > self.row.shown.created_at {
                return Ok(Some("what is known of the account changed while the target was read".to_owned()));
            }
            let open = tx.lane_of_account(app, &row.account.external_id)?;
            if let Some(request) = open.first() {
                return Ok(Some(format!("the request {} for the account is open", request.request.id)));
            }
        }
        Ok(None)
    }

    /// Why the app does not let this be done. Whether accounts may be deleted is the brake's.
    fn switched_off(&self, reaction: Reaction, situation: Situation, subject: &Subject) -> Option<String> {
        let operation = match reaction {
            Reaction::Create => Operation::Create,
            Reaction::Update => Operation::Update,
            Reaction::Deactivate => Operation::Deactivate,
            _ => return None,
        };
        let linking = reaction == Reaction::Update && situation == Situation::Found;
        if !linking && !self.live.definition.app.operations.allows(operation) {
            return Some(format!("the app does not allow {operation}"));
        }
        match &subject.standing {
            Ok(standing) if !standing.in_pilot && operation != Operation::Deactivate => {
                Some("the user does not take part in the pilot".to_owned())
            }
            Ok(standing) if reaction == Reaction::Create && standing.frozen => {
                Some("a frozen user gets nothing new".to_owned())
            }
            Ok(standing) if operation != Operation::Deactivate && !standing.wants_account() => {
                Some("the user may not have an account in the app".to_owned())
            }
            Err(fault) => Some(fault.message.clone()),
            Ok(_) => None,
        }
    }

    /// What an Update would send, and what makes the account one that can be used.
    fn update(
        &self,
        tx: &Tx<'_>,
        subject: &Subject,
        seen: &TargetAccount,
        situation: Situation,
    ) -> Result<Result<Vec<Change>, Vec<Fault>>, Fault> {
        let Some(stored) = &subject.stored else { return Ok(Ok(Vec::new())) };
        let row = as_seen(tx, self.live, subject, seen);
        let wanted = match wanted(tx, self.live, stored, &row, false)? {
            Ok(wanted) => wanted,
            Err(faults) => return Ok(Err(faults)),
        };
        let mut changes = if wanted.waits { Vec::new() } else { wanted.changes };
        if situation == Situation::Drifted {
            changes.extend(switches(self.live, seen, subject.is_frozen()));
        }
        Ok(Ok(changes))
    }
}

/// What makes an account one that can be used, or, where its user is frozen, one that cannot; as changes. They are sent as
/// Activate, Unfreeze and Freeze.
pub(super) fn switches(live: &LiveApp, seen: &TargetAccount, is_frozen: bool) -> Vec<Change> {
    let operations = &live.definition.app.operations;
    let change = |path: &str, value: bool| Change {
        kind: ChangeKind::Replace,
        path: path.to_owned(),
        value: Some(Value::Bool(value)),
    };
    if is_frozen {
        let freezes = live.capabilities.freeze || live.definition.app.freeze_fallback == FreezeFallback::Disable;
        let freeze = seen.active && !seen.frozen && freezes && operations.allows(Operation::Freeze);
        return freeze.then(|| change(FROZEN, true)).into_iter().collect();
    }
    let activate = (!seen.active && operations.allows(Operation::Activate)).then(|| change(ACTIVE, true));
    let unfreeze = (seen.frozen && operations.allows(Operation::Unfreeze)).then(|| change(FROZEN, false));
    activate.into_iter().chain(unfreeze).collect()
}

pub(super) const ACTIVE: &str = "active";
pub(super) const FROZEN: &str = "frozen";

/// The account as it was seen, with what is known of its link.
pub(super) fn as_seen(tx: &Tx<'_>, live: &LiveApp, subject: &Subject, seen: &TargetAccount) -> AccountRow {
    let user = subject.stored.as_ref().map(|stored| &stored.user);
    match &subject.row {
        Some(row) if subject.is_linked() => {
            let mut row = row.clone();
            row.account.attributes = seen.named();
            row.account.username = seen.username.clone().or(row.account.username);
            row.account.version.clone_from(&seen.version);
            row
        }
        known => {
            let mut account = seen_account(live, user, seen, tx);
            if let Some(known) = known {
                account.created_at = known.account.created_at;
                account.known_link = known.account.known_link;
            }
            AccountRow { account, applied: None, fingerprint: None }
        }
    }
}

/// Everything that was seen, by attribute: with the two that stand beside the attributes.
fn shown_attributes(seen: &TargetAccount) -> crate::value::Attributes {
    let mut attributes = seen.named();
    for (name, value) in [(ACTIVE, seen.active), (FROZEN, seen.frozen)] {
        attributes.entry(name).or_insert(Value::Bool(value));
    }
    attributes
}

/// Whether a request is no longer needed once an account is linked: one to make it, of which nothing was sent.
pub(super) fn is_superseded(row: &RequestRow) -> bool {
    row.request.operation == Operation::Create && !row.is_under_way()
}

/// Whether a request does not keep an account from being disabled now: one to delete it that still waits for its time.
pub(super) fn is_later(reaction: Reaction, row: &RequestRow) -> bool {
    reaction == Reaction::Deactivate && row.request.operation == Operation::Delete && !row.is_under_way()
}

fn acts(reaction: Reaction) -> bool {
    !matches!(reaction, Reaction::None | Reaction::Report | Reaction::Review)
}

fn has_link(row: Option<&AccountRow>) -> bool {
    row.is_some_and(|row| {
        let account = &row.account;
        account.user.is_some() && account.link_state == LinkState::Linked && account.status != AccountStatus::Deleted
    })
}

pub(super) fn settings(live: &LiveApp) -> ReconcileSettings {
    live.definition.app.reconcile.clone().unwrap_or_default()
}
