//! One lane, which is one user in one app: its open requests are brought in line with what is wanted now.

use super::{NewRequest, gap, held_back, held_by, insert, still_holds, watched_print};
use crate::definition::Definition;
use crate::fault::{Code, Fault};
use crate::id::{RequestId, UserId};
use crate::lane::{Place, beside, effect_order, first, wait_of_first};
use crate::lifecycle::Event;
use crate::model::{ApprovalStatus, Reaction, Request, State, WaitingFor};
use crate::operation::Operation;
use crate::scope::{Decision, Projected, Standing, decide};
use crate::store::{AccountRow, LogEvent, RequestRow, StoredUser, Tx, UserState, fingerprint};
use crate::time::{Period, Timestamp};
use serde_json::json;

/// An account that vanishes twice within that time is not asked for again by itself.
const VANISHED_WITHIN: Period = Period::from_seconds(86_400);

/// What made us look at the lane.
#[derive(Clone, Copy)]
pub(crate) struct Trigger<'a> {
    /// In words, for the *why* of what follows.
    pub(crate) text: &'a str,
    /// Who did it.
    pub(crate) by: Option<&'a str>,
    /// Whether the app's definition changed.
    pub(crate) is_definition: bool,
}

/// What a look at a lane comes to, before any of it is done.
pub(crate) enum LanePlan {
    /// The scope cannot be evaluated on the record: nothing is decided.
    Undecided(Fault),
    /// The user has nothing to do with the app.
    Nothing,
    /// These steps.
    Steps(LaneSteps),
}

/// What is done with a lane.
pub(crate) struct LaneSteps {
    /// What was decided, in order.
    pub(crate) steps: Vec<LaneStep>,
    /// Requests that were not sent and are no longer wanted.
    pub(crate) superseded: Vec<RequestRow>,
    /// What there will be once everything under way has happened.
    pub(crate) projected: Projected,
    /// The account, and the groups of which the brake held that it leaves them and for which somebody asks again.
    freed: Option<(String, Vec<String>)>,
    /// Whether the brake held the access, and does not any more: the user may have it again, or left by its own record since.
    lifts: bool,
    print: String,
    asked: String,
}

/// What is done with one decision.
pub(crate) enum LaneStep {
    /// A request is made.
    Make(Decision),
    /// A request that was not sent yet stands for it.
    Keep(Box<RequestRow>, Decision),
    /// The brake holds it, by that plan, until a second person agrees.
    Hold(Decision, RequestId),
    /// It is not carried out, and why.
    Withhold(Decision, String),
}

impl LaneSteps {
    /// What would be taken away that the brake may hold, and holds or not: the account, or its use. One that would be deleted
    /// a day later or more is disabled first.
    pub(crate) fn taking(&self, standing: &Standing, now: Timestamp) -> Option<Reaction> {
        let mut taking = None;
        for step in &self.steps {
            let (decision, is_new) = match step {
                LaneStep::Make(decision) | LaneStep::Hold(decision, _) => (decision, true),
                LaneStep::Keep(row, decision) => (decision, is_sooner(row, decision, now)),
                LaneStep::Withhold(..) => continue,
            };
            if !is_new || !held_back(standing, decision.operation) {
                continue;
            }
            if decision.operation == Operation::Deactivate {
                taking = Some(Reaction::Deactivate);
            } else if taking.is_none() || is_soon(decision, now) {
                taking = Some(Reaction::Delete);
            }
        }
        taking
    }

    /// Whether a new deletion is among it that nobody has a day to stop.
    pub(crate) fn deletes_soon(&self, now: Timestamp) -> bool {
        let is_so = |decision: &Decision| decision.operation == Operation::Delete && is_soon(decision, now);
        self.steps.iter().any(|step| matches!(step, LaneStep::Make(decision) if is_so(decision)))
    }
}

/// Whether a decision is carried out within a day.
fn is_soon(decision: &Decision, now: Timestamp) -> bool {
    let tomorrow = now.as_micros().saturating_add(Period::from_seconds(86_400).as_micros());
    decision.not_before.is_none_or(|at| at.as_micros() < tomorrow)
}

/// Decides afresh for one user and app, and stores nothing. What is wanted is compared with the account and with what is
/// under way.
pub(crate) fn plan_lane(
    tx: &Tx<'_>,
    definition: &Definition,
    stored: &StoredUser,
    trigger: Trigger<'_>,
) -> Result<LanePlan, Fault> {
    let (app, user) = (&definition.app.id, &stored.user.id);
    let account = tx.linked_account(app, user, &stored.key)?;
    let open = tx.lane(app, user)?;
    let present = (stored.state == UserState::Present).then_some(&stored.user);
    let standing = match definition.standing(present, tx.now) {
        Ok(standing) => standing,
        Err(fault) => return Ok(LanePlan::Undecided(fault)),
    };
    if account.is_none() && open.is_empty() && !standing.wants_account() {
        return Ok(LanePlan::Nothing);
    }
    if account.is_none() && tx.is_ignored(app, user)? {
        // The user has an account that is left alone; no second one is made.
        return Ok(LanePlan::Nothing);
    }
    let mark = tx.access_held_by(app, user)?;
    let held = mark.as_ref().filter(|mark| still_holds(mark, &standing)).map(|mark| &mark.plan);
    let print = watched_print(tx, definition, stored)?;
    let asked = fingerprint(&stored.key, &definition.asked_bytes(&stored.user));
    let gap = account.as_ref().map(|account| gap(tx, definition, account, present, &standing)).transpose()?;
    let gap = gap.unwrap_or_default();
    // What it changed besides memberships is changed: it does not stand for another record any more.
    let mut begun = Vec::new();
    for row in open.iter().filter(|row| row.request.state == State::Requested && !row.is_under_way()) {
        if row.request.operation == Operation::Update && tx.has_applied(&row.request.id)? {
            begun.push(row.request.id.clone());
        }
    }
    let is_fixed = |row: &RequestRow| {
        let id = &row.request.id;
        row.is_under_way() || gap.queued.contains(id) || begun.contains(id)
    };
    let (fixed, mut loose): (Vec<_>, Vec<_>) = open.into_iter().partition(is_fixed);
    let projected = Projected {
        lacks_membership: gap.lacks_membership,
        has_leftover: gap.has_leftover,
        ..project(account.as_ref(), fixed, standing.wants_account())
    };
    // What was planned for another record is no longer sent; what is wanted now is decided below.
    let outdated: Vec<_> = loose.extract_if(.., |row| row.is_outdated(&print)).collect();
    let lane = Lane { definition, stored, trigger, print: &print, asked: &asked };
    let mut steps = Vec::new();
    for decision in decide(&definition.app, &standing, &projected, &print, trigger.text, tx.now) {
        steps.push(match lane.withheld(tx, &decision)? {
            Some(reason) => LaneStep::Withhold(decision, reason),
            None => {
                let row = loose.iter().position(|row| stands_for(row, &decision, &print)).map(|at| loose.remove(at));
                let plan = held.filter(|_| held_back(&standing, decision.operation)).cloned();
                match (row, plan) {
                    (Some(row), Some(plan)) if is_sooner(&row, &decision, tx.now) => LaneStep::Hold(decision, plan),
                    (Some(row), _) => LaneStep::Keep(Box::new(row), decision),
                    (None, Some(plan)) => LaneStep::Hold(decision, plan),
                    (None, None) => LaneStep::Make(decision),
                }
            }
        });
    }
    // What a person asked for or planned stays, unless it would give access to somebody who may not have it.
    let raises = |row: &RequestRow| {
        matches!(row.request.operation, Operation::Create | Operation::Activate | Operation::Unfreeze)
    };
    let looks = |row: &RequestRow| row.request.operation == Operation::Read;
    loose.retain(|row| !(row.by_hand || row.given || looks(row)) || (raises(row) && !standing.wants_account()));
    loose.extend(outdated);
    let freed =
        account.map(|account| (account.account.external_id, gap.freed)).filter(|(_, groups)| !groups.is_empty());
    let lifts = mark.is_some() && held.is_none();
    Ok(LanePlan::Steps(LaneSteps { steps, superseded: loose, projected, freed, lifts, print, asked }))
}

/// Decides afresh for one user and app, as [`plan_lane`] says: requests that were not sent are kept where they are still
/// wanted and cancelled where they are not. Gives the new requests.
pub(crate) fn decide_lane(
    tx: &mut Tx<'_>,
    definition: &Definition,
    stored: &StoredUser,
    trigger: Trigger<'_>,
) -> Result<Vec<Request>, Fault> {
    let user = &stored.user.id;
    let LaneSteps { steps, superseded, freed, lifts, print, asked, .. } =
        match plan_lane(tx, definition, stored, trigger)? {
            LanePlan::Steps(steps) => steps,
            LanePlan::Nothing => return Ok(Vec::new()),
            LanePlan::Undecided(fault) => {
                let details = json!({"faults": [fault], "trigger": trigger.text});
                let app = Some(&definition.app.id);
                tx.log(LogEvent { app, user: Some(user), by: trigger.by, ..LogEvent::new("undecided", details) })?;
                elect(tx, definition, user)?;
                return Ok(Vec::new());
            }
        };
    if let Some((account, groups)) = freed {
        groups.iter().try_for_each(|group| tx.hold_membership(&definition.app.id, &account, group, None))?;
    }
    if lifts {
        tx.hold_access(&definition.app.id, user, None)?;
    }
    let lane = Lane { definition, stored, trigger, print: &print, asked: &asked };
    let mut made = Vec::new();
    for step in steps {
        match step {
            LaneStep::Make(decision) => made.push(lane.make(tx, decision)?),
            LaneStep::Keep(row, decision) => lane.keep(tx, *row, decision)?,
            LaneStep::Hold(decision, plan) => lane.log_withheld(tx, &decision, &held_by(&plan))?,
            LaneStep::Withhold(decision, reason) => lane.log_withheld(tx, &decision, &reason)?,
        }
    }
    for row in superseded {
        cancel(tx, row, trigger.by, "superseded: it is no longer wanted")?;
    }
    elect(tx, definition, user)?;
    made.iter().map(|id| reload(tx, id)).collect()
}

/// Why nothing can be rendered for the user: the definition reads what was not stored.
pub(crate) fn not_stored(definition: &Definition, stored: &StoredUser) -> Option<String> {
    let reads = definition.reads();
    let mut dropped = stored.dropped.iter();
    let name = dropped.find(|name| reads.as_ref().is_none_or(|reads| reads.contains(name.as_str())))?;
    Some(format!("`{name}` was not stored when the user was put, since nothing read it; put the user again"))
}

/// Whether a request that was not sent does what was decided. One by hand does only where nothing holds it back, and an
/// Update that sends what it was given only where that is what the mapping gives for the record now.
fn stands_for(row: &RequestRow, decision: &Decision, print: &str) -> bool {
    let (request, operation) = (&row.request, decision.operation);
    let free = request.not_before.is_none() && request.approval != ApprovalStatus::Required;
    let other = operation == Operation::Update && row.given && row.fingerprint.as_deref() != Some(print);
    request.operation == operation && row.removes == decision.removes && (!row.by_hand || free) && !other
}

/// From when on a Delete that stands for the decision may be sent: the time runs from the day the user left and not from the
/// last look at it, also where the rule changed.
fn delete_at(row: &RequestRow, decision: &Decision, now: Timestamp) -> Option<Timestamp> {
    decision.not_before.map(|at| row.request.created_at.plus(at.since(now)))
}

/// Whether a Delete that was not sent would come sooner by the decision for which it stands.
fn is_sooner(row: &RequestRow, decision: &Decision, now: Timestamp) -> bool {
    let request = &row.request;
    request.operation == Operation::Delete
        && !row.by_hand
        && request.not_before.is_some_and(|old| delete_at(row, decision, now).is_none_or(|at| at < old))
}

fn reload(tx: &Tx<'_>, id: &RequestId) -> Result<Request, Fault> {
    let row = tx.request(id.as_str())?;
    row.map(|row| row.request).ok_or_else(|| Fault::new(Code::Internal, "a request that was just made is gone"))
}

/// What there will be once everything under way has happened.
fn project(account: Option<&AccountRow>, mut under_way: Vec<RequestRow>, wanted: bool) -> Projected {
    let mut projected = account.map_or_else(Projected::default, AccountRow::projected);
    under_way.sort_by_key(|row| effect_order(row.request.operation, wanted));
    for row in &under_way {
        match row.request.operation {
            Operation::Create => {
                let fingerprint = row.fingerprint.clone();
                projected = Projected { exists: true, active: true, fingerprint, ..Projected::default() };
            }
            Operation::Update if row.removes => {}
            Operation::Update if row.is_in_step() => projected.fingerprint.clone_from(&row.fingerprint),
            Operation::Update => {}
            Operation::Activate => projected.active = true,
            Operation::Deactivate => projected.active = false,
            Operation::Freeze => projected.frozen = true,
            Operation::Unfreeze => projected.frozen = false,
            Operation::Delete => projected.exists = false,
            Operation::Read | Operation::Reconcile | Operation::Linking => {}
        }
    }
    projected
}

struct Lane<'a> {
    definition: &'a Definition,
    stored: &'a StoredUser,
    trigger: Trigger<'a>,
    /// The fingerprint of what is watched, which asks for Updates.
    print: &'a str,
    /// The fingerprint of everything that requests depend on, which approvals are for.
    asked: &'a str,
}

impl Lane<'_> {
    /// Why a decision is not carried out, where it is not.
    fn withheld(&self, tx: &Tx<'_>, decision: &Decision) -> Result<Option<String>, Fault> {
        if decision.withheld.is_some() {
            return Ok(decision.withheld.clone());
        }
        if matches!(decision.operation, Operation::Create | Operation::Update)
            && !decision.removes
            && let Some(reason) = not_stored(self.definition, self.stored)
        {
            return Ok(Some(reason));
        }
        self.ended_alike(tx, decision)
    }

    /// Why the same is not tried again by itself: it was refused, denied, or nobody knows what came of it. `retry` is for
    /// that. What takes access away is always tried again.
    fn ended_alike(&self, tx: &Tx<'_>, decision: &Decision) -> Result<Option<String>, Fault> {
        let gives = matches!(decision.operation, Operation::Create | Operation::Update | Operation::Activate);
        if !gives || decision.removes {
            return Ok(None);
        }
        let (app, user) = (&self.definition.app.id, &self.stored.user.id);
        let Some(last) = tx.last_finished(app, user, decision.operation)? else { return Ok(None) };
        // Whoever changed the app may have mended what failed, and so may an account to which the record refers.
        let alike = last.is_asked(self.asked)
            && !self.trigger.is_definition
            && last.fingerprint.as_deref().is_none_or(|print| print == self.print);
        let code = last.request.faults.first().map(|fault| fault.code);
        let unclear = decision.operation == Operation::Create
            && matches!(
                code,
                Some(
                    Code::Uncertain
                        | Code::ConflictOwned
                        | Code::ConflictDuplicate
                        | Code::ConflictCandidates
                        | Code::ConflictGhost
                )
            );
        Ok(match last.request.state {
            State::Failed if unclear => {
                Some("a Create ended without a clear result; have it tried again or completed by hand".to_owned())
            }
            State::Failed if alike && !self.vanished_once(tx, &last)? => {
                Some("the same failed before; have it tried again once its cause is mended".to_owned())
            }
            State::Cancelled if last.request.approval == ApprovalStatus::Denied && last.is_asked(self.asked) => {
                Some("the same was denied before".to_owned())
            }
            _ => None,
        })
    }

    /// Whether the request failed because its account had vanished. That is no reason against another try on the account
    /// that was made or found after it; a target that shows an account and says again that it is gone is let be.
    fn vanished_once(&self, tx: &Tx<'_>, last: &RequestRow) -> Result<bool, Fault> {
        let (request, code) = (&last.request, last.request.faults.first().map(|fault| fault.code));
        if code != Some(Code::AccountMissing) || request.operation == Operation::Create {
            return Ok(false);
        }
        let user = &self.stored.user.id;
        let since = Timestamp::from_micros(tx.now.as_micros().saturating_sub(VANISHED_WITHIN.as_micros()));
        Ok(tx.failed_since(&request.app, user, request.operation, since)? < 2)
    }

    fn log_withheld(&self, tx: &mut Tx<'_>, decision: &Decision, reason: &str) -> Result<(), Fault> {
        let details = json!({"operation": decision.operation, "why": decision.why, "withheld": reason});
        tx.log(LogEvent {
            app: Some(&self.definition.app.id),
            user: Some(&self.stored.user.id),
            by: self.trigger.by,
            ..LogEvent::new("withheld", details)
        })
    }

    /// A request that was not sent yet stands for the newest record and the newest decision; an approval of another payload
    /// does not hold.
    fn keep(&self, tx: &mut Tx<'_>, mut row: RequestRow, decision: Decision) -> Result<(), Fault> {
        let changed = !row.is_asked(self.asked);
        row.fingerprint = Some(self.print.to_owned());
        row.asked = Some(self.asked.to_owned());
        // Another record may refer to somebody else, and another mapping to nobody.
        row.retry = row.retry.filter(|(_, wait)| !changed || *wait != WaitingFor::Dependency);
        let deletes = row.request.operation == Operation::Delete && !row.by_hand;
        if deletes && (is_sooner(&row, &decision, tx.now) || self.trigger.is_definition) {
            row.request.not_before = delete_at(&row, &decision, tx.now);
        }
        if changed && row.request.approval == ApprovalStatus::Approved {
            let approval = self.definition.app.approval.as_ref();
            row.request.approval = ApprovalStatus::Required;
            row.expires_at = approval.and_then(|approval| approval.expires).map(|expires| tx.now.plus(expires));
        }
        if changed {
            row.request.why = decision.why;
            // Who changed what is asked for may not be the one who agrees to it.
            row.request.by = self.trigger.by.map(str::to_owned).or(row.request.by);
        }
        tx.save(&row)
    }

    fn make(&self, tx: &mut Tx<'_>, decision: Decision) -> Result<RequestId, Fault> {
        let new = NewRequest {
            operation: decision.operation,
            why: decision.why,
            by: self.trigger.by,
            not_before: decision.not_before,
            leaver: decision.leaver,
            removes: decision.removes,
            fingerprint: Some(self.print.to_owned()),
            asked: Some(self.asked.to_owned()),
            ..NewRequest::default()
        };
        insert(tx, &self.definition.app, self.stored, new).map(|row| row.request.id)
    }
}

/// Cancels a request that was not sent, and logs why.
pub(crate) fn cancel(tx: &mut Tx<'_>, mut row: RequestRow, by: Option<&str>, why: &str) -> Result<(), Fault> {
    tx.change(&mut row, Event::Cancel)?;
    tx.release(&row.request.id)?;
    let request = &row.request;
    let details = json!({"operation": request.operation, "why": why});
    tx.log(LogEvent {
        app: Some(&request.app),
        user: request.user.as_ref(),
        request: Some(&request.id),
        by,
        ..LogEvent::new("cancelled", details)
    })
}

/// Chooses the first of a user's lane and says what it waits for.
pub(crate) fn elect(tx: &mut Tx<'_>, definition: &Definition, user: &UserId) -> Result<(), Fault> {
    let rows = tx.lane(&definition.app.id, user)?;
    elect_of(tx, definition, rows)
}

/// As [`elect`], for the lane of a request: that of its user, or of its account where nobody owns that.
pub(crate) fn elect_for(tx: &mut Tx<'_>, definition: &Definition, row: &RequestRow) -> Result<(), Fault> {
    let rows = lane_of(tx, row)?;
    elect_of(tx, definition, rows)
}

/// The unfinished requests of a request's lane, oldest first. One for neither a user nor an account is in no lane.
fn lane_of(tx: &Tx<'_>, row: &RequestRow) -> Result<Vec<RequestRow>, Fault> {
    let request = &row.request;
    match (&request.user, &request.external_id) {
        (Some(user), _) => tx.lane(&request.app, user),
        (None, Some(external_id)) => tx.lane_of_account(&request.app, external_id),
        (None, None) => Ok(Vec::new()),
    }
}

/// What is being sent keeps its place; beside it goes what takes access away. Only what became of the others is stored: the
/// first has to let go of its place before another takes it.
fn elect_of(tx: &mut Tx<'_>, definition: &Definition, rows: Vec<RequestRow>) -> Result<(), Fault> {
    let places = rows.iter().map(|row| Ok(row.place(tx.is_held(row)?))).collect::<Result<Vec<Place>, Fault>>()?;
    let chosen = [first(&places, tx.now), beside(&places, tx.now)];
    let (chosen, rest): (Vec<_>, Vec<_>) =
        rows.into_iter().enumerate().partition(|(index, row)| row.sending || chosen.contains(&Some(*index)));
    for (_, mut row) in rest {
        if row.head || row.request.waiting_for != Some(WaitingFor::Lane) || row.request.due_at.is_some() {
            row.head = false;
            row.request.waiting_for = Some(WaitingFor::Lane);
            row.request.due_at = None;
            tx.save(&row)?;
        }
    }
    for (index, row) in chosen.into_iter().filter(|(_, row)| !row.sending) {
        let Some(place) = places.get(index) else { continue };
        put_first(tx, definition, place, row)?;
    }
    Ok(())
}

fn put_first(tx: &mut Tx<'_>, definition: &Definition, place: &Place, mut chosen: RequestRow) -> Result<(), Fault> {
    let before = (chosen.head, chosen.request.waiting_for, chosen.request.due_at);
    let (waiting_for, due_at) = wait_of_first(place, definition.app.enabled, tx.now);
    // What was due already keeps its turn.
    let kept = before.2.filter(|due| before.0 && waiting_for.is_none() && *due <= tx.now);
    chosen.head = true;
    chosen.request.waiting_for = waiting_for;
    chosen.request.due_at = kept.or(due_at);
    if before.1 != waiting_for {
        tell_held(tx, &chosen)?;
    }
    if before != (chosen.head, chosen.request.waiting_for, chosen.request.due_at) {
        tx.save(&chosen)?;
    }
    Ok(())
}

/// A person keeps back removals of access too, by a hold or with the whole app; each of them is told when it comes to wait.
fn tell_held(tx: &mut Tx<'_>, row: &RequestRow) -> Result<(), Fault> {
    let request = &row.request;
    if !row.reduces_access() {
        return Ok(());
    }
    let held = match request.waiting_for {
        Some(WaitingFor::Hold) => true,
        None => tx.is_kept_back(&request.app)?,
        Some(_) => false,
    };
    if !held {
        return Ok(());
    }
    tx.log(LogEvent {
        app: Some(&request.app),
        user: request.user.as_ref(),
        request: Some(&request.id),
        ..LogEvent::new("removal_held", json!({"operation": request.operation}))
    })
}
