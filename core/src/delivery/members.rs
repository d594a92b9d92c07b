//! Memberships on their way: an Update writes down in the ledger what it has to give or to take away, and waits for the turn
//! of each group; whoever has a group's turn takes along everybody who waits for the same. One call is out about a group at a
//! time, so that two writers never change one at once.

use super::claim::{Begun, Claim, Hungry, open, step};
use super::prepare::Prepared;
use super::settle::fail;
use super::{Job, Work};
use crate::fault::{Code, Fault};
use crate::intake::{LiveApp, difference_of, elect_for};
use crate::model::{Before, GroupReference, LeftMemberships, MembershipState, State, User};
use crate::planning::entitlement::{Difference, LedgerEntry, WantedGroup};
use crate::protocol::Step;
use crate::scope::Standing;
use crate::store::{AccountRow, GivenMembership, MembershipRow, RequestRow, StoredUser, Tx, UserKey, UserState};
use crate::time::Period;
use crate::value::Attributes;
use serde_json::json;
use std::sync::Arc;

/// After that time what waits for a group is sent though other work is due.
const PATIENCE: Period = Period::from_seconds(10);

/// The key of a payload that is about a group.
const GROUP: &str = "group";

/// Whether an Update has done what it does besides memberships.
pub(super) fn are_next(tx: &Tx<'_>, app: &LiveApp, row: &RequestRow, stored: &StoredUser) -> Result<bool, Fault> {
    if row.removes {
        return Ok(true);
    }
    let id = &row.request.id;
    if row.given {
        return Ok(tx.given(id, &stored.key)?.is_some_and(|given| !given.members.is_empty()));
    }
    if row.request.state == State::New && row.request.attempts == 0 {
        return Ok(false);
    }
    // What is on its way to a group stays that, whatever the definition says by now.
    let is_about_group = |payload: Attributes| payload.contains_key(GROUP);
    if !tx.queued_memberships(id)?.is_empty() || tx.payload(id, &stored.key)?.is_some_and(is_about_group) {
        return Ok(true);
    }
    Ok(!app.definition.app.entitlements.is_empty() && tx.has_applied(id)?)
}

/// What an Update has still to do about memberships.
pub(super) fn prepare(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &RequestRow,
    stored: &StoredUser,
    account: &AccountRow,
) -> Result<Prepared, Fault> {
    enroll(tx, app, row, stored, account).map(prepared)
}

/// What an Update of an account that nobody owns has still to do about memberships: exactly those that it was given.
pub(super) fn prepare_unowned(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &RequestRow,
    external_id: &str,
) -> Result<Prepared, Fault> {
    let key = tx.app_key(&app.definition.app.id)?;
    enroll_given(tx, app, row, &key, external_id).map(prepared)
}

fn prepared(enrolled: Enrolled) -> Prepared {
    match enrolled {
        Enrolled::Queued => Prepared::Queued,
        Enrolled::InTheWay => Prepared::InTheWay,
        Enrolled::Listing => Prepared::Work(Work::Groups, None, Before::default()),
        Enrolled::Done(faults) if faults.is_empty() => Prepared::Nothing("the memberships are as they should be"),
        Enrolled::Done(faults) => Prepared::Faulty(faults),
    }
}

/// What is left of an Update.
pub(super) enum Enrolled {
    /// Memberships wait for the turn of their groups.
    Queued,
    /// A call about one of them is out.
    InTheWay,
    /// The target has to be asked for its groups first.
    Listing,
    /// Nothing but what went wrong.
    Done(Vec<Fault>),
}

/// Writes down what a request has to give or to take away, once: what is wanted later is another request's.
pub(super) fn enroll(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &RequestRow,
    stored: &StoredUser,
    account: &AccountRow,
) -> Result<Enrolled, Fault> {
    if row.given {
        return enroll_given(tx, app, row, &stored.key, &account.account.external_id);
    }
    let (id, definition) = (&app.definition.app.id, &app.definition);
    let ledger = tx.memberships(id, &account.account.external_id)?;
    let own = |known: &&MembershipRow| known.entry.queued && known.request.as_ref() == Some(&row.request.id);
    if ledger.iter().filter(own).any(|known| known.entry.state != MembershipState::Refused) {
        return Ok(Enrolled::Queued);
    }
    let present = (stored.state == UserState::Present).then_some(&stored.user);
    let standing = standing_of(app, present, row, tx)?;
    let mut difference = difference_of(tx, definition, &ledger, present, &standing)?;
    let refused: Vec<&MembershipRow> = ledger.iter().filter(own).collect();
    difference.add.retain(|(group, _)| !refused.iter().any(|known| known.entry.group == *group));
    difference.remove.retain(|group| !refused.iter().any(|known| known.entry.group == *group));
    let asked_since = tx.groups_listed_at(id)?.is_some_and(|at| at >= row.request.created_at);
    if !row.removes && !difference.unknown.is_empty() && !asked_since {
        return Ok(Enrolled::Listing);
    }
    let changes = if row.removes { removals(&difference, &ledger) } else { additions(&difference, &ledger) };
    let Some(changes) = changes else { return Ok(Enrolled::InTheWay) };
    let mut queued = false;
    for (entry, known) in changes {
        let tried = known.is_some_and(|known| known.tried);
        take_over(tx, row, known)?;
        // What was never sent has nothing to be taken away.
        if let Some(known) = known.filter(|_| entry.state == MembershipState::Removing && !tried) {
            tx.drop_membership(id, known)?;
            continue;
        }
        queued = true;
        let (request, part) = (&row.request.id, definition.app.members_per_call());
        let enrolled = MembershipRow::queued(entry, &account.account.external_id, request, part, tx.now);
        tx.put_membership(id, &MembershipRow { tried, ..enrolled })?;
    }
    if queued {
        return Ok(Enrolled::Queued);
    }
    Ok(Enrolled::Done(shortcomings(row, &difference, &refused)))
}

/// Writes down what a plan had a request give or take away, once, whoever asks for it or not. Where another request is at one of
/// them, it is waited for.
pub(super) fn enroll_given(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    row: &RequestRow,
    key: &UserKey,
    external_id: &str,
) -> Result<Enrolled, Fault> {
    let (id, request) = (&app.definition.app.id, &row.request.id);
    let ledger = tx.memberships(id, external_id)?;
    let own: Vec<&MembershipRow> =
        ledger.iter().filter(|known| known.entry.queued && known.request.as_ref() == Some(request)).collect();
    if own.iter().any(|known| known.entry.state != MembershipState::Refused) {
        return Ok(Enrolled::Queued);
    }
    let nothing = || Fault::new(Code::Internal, "a request without the memberships that it was given");
    let mut given = tx.given(request, key)?.ok_or_else(nothing)?;
    if given.enrolled {
        return Ok(Enrolled::Done(own.iter().flat_map(|known| known.faults.clone()).collect()));
    }
    let known_of = |one: &GivenMembership| ledger.iter().find(|known| known.entry.group == one.group);
    if given.members.iter().filter_map(known_of).any(|known| known.entry.queued) {
        return Ok(Enrolled::InTheWay);
    }
    for one in &given.members {
        let known = known_of(one);
        let state = if one.add { MembershipState::Adding } else { MembershipState::Removing };
        let reference = known.map_or(&one.reference, |known| &known.entry.reference).clone();
        let entry = LedgerEntry { group: one.group.clone(), reference, state, queued: true };
        let row = MembershipRow::queued(entry, external_id, request, app.definition.app.members_per_call(), tx.now);
        // What we gave before may still be there, whatever becomes of this.
        let tried = known.is_some_and(|known| known.tried);
        let ours = known.map_or(one.ours && one.add, |known| known.ours);
        tx.put_membership(id, &MembershipRow { tried, ours, ..row })?;
    }
    given.enrolled = true;
    tx.put_given(request, key, &given)?;
    Ok(Enrolled::Queued)
}

/// Whose membership another request takes over has nothing left to wait for, and is taken up by itself.
fn take_over(tx: &mut Tx<'_>, row: &RequestRow, known: Option<&MembershipRow>) -> Result<(), Fault> {
    let Some(known) = known.filter(|known| known.request.as_ref() != Some(&row.request.id)) else { return Ok(()) };
    match request_of(tx, known)?.filter(|other| !other.sending && !other.request.state.is_finished()) {
        Some(other) => tx.save(&RequestRow { retry: None, ..other }),
        None => Ok(()),
    }
}

/// What an Update could not do.
fn shortcomings(row: &RequestRow, difference: &Difference<'_>, refused: &[&MembershipRow]) -> Vec<Fault> {
    let mut faults: Vec<Fault> = refused.iter().flat_map(|known| known.faults.clone()).collect();
    if !row.removes {
        let unknown = difference.unknown.iter();
        faults.extend(unknown.map(|(group, why)| unknown_group(group.reference, why)));
    }
    faults
}

/// The fault of an entitlement whose group is not there.
pub(super) fn unknown_group(reference: &GroupReference, why: &str) -> Fault {
    Fault::new(Code::UnknownGroup, format!("the group `{}`: {why}", reference.text())).at("entitlements")
}

/// How the user stands. For a mistake in an expression nothing is given, and what no grant asks for is taken away.
fn standing_of(app: &LiveApp, user: Option<&User>, row: &RequestRow, tx: &Tx<'_>) -> Result<Standing, Fault> {
    match app.definition.standing(user, tx.now) {
        Err(_) if row.removes => Ok(Standing::default()),
        standing => standing,
    }
}

type Changes<'a> = Vec<(LedgerEntry, Option<&'a MembershipRow>)>;

/// What is to be given; none where a call about one of them is out, or another request is taking it away.
fn additions<'a>(difference: &Difference<'_>, ledger: &'a [MembershipRow]) -> Option<Changes<'a>> {
    let addition = |(group, wanted): &(String, WantedGroup<'_>)| {
        let known = ledger.iter().find(|known| known.entry.group == *group);
        let entry = LedgerEntry {
            group: group.clone(),
            reference: wanted.reference.clone(),
            state: MembershipState::Adding,
            queued: true,
        };
        (!known.is_some_and(|known| known.entry.queued)).then_some((entry, known))
    };
    difference.add.iter().map(addition).collect()
}

/// What is to be taken away; none where a call about one of them is out.
fn removals<'a>(difference: &Difference<'_>, ledger: &'a [MembershipRow]) -> Option<Changes<'a>> {
    let left = ledger.iter().filter(|known| difference.remove.contains(&known.entry.group));
    let removal = |known: &'a MembershipRow| {
        let state = MembershipState::Removing;
        (!known.calling).then(|| (LedgerEntry { state, queued: true, ..known.entry.clone() }, Some(known)))
    };
    left.map(removal).collect()
}

/// What may be sent to groups though not everybody is there who will come.
#[derive(Clone, Copy, Default)]
pub(super) struct Ripe {
    pub(super) adding: bool,
    pub(super) removing: bool,
}

/// Takes up what waits for the app's groups, a call for each: what is ripe, what fills a call, and what has waited for long.
pub(super) fn claim(
    tx: &mut Tx<'_>,
    one: &Hungry<'_>,
    ripe: Ripe,
    room: usize,
    claim: &mut Claim,
) -> Result<(), Fault> {
    let app = &one.app.definition.app;
    if room == 0 || !app.enabled {
        return Ok(());
    }
    let limit = app.members_per_call();
    for (group, state) in tx.waiting_groups(&app.id, room)? {
        let waiting = tx.waiting_members(&app.id, &group, state, limit)?;
        let Some(first) = waiting.first() else { continue };
        let is_ripe = if state == MembershipState::Removing { ripe.removing } else { ripe.adding };
        let is_full = waiting.len() as u64 >= u64::from(limit) || first.part < limit;
        let oldest = waiting.iter().map(|member| member.since).min().unwrap_or(tx.now);
        if !is_ripe && !is_full && tx.now.since(oldest) < PATIENCE {
            continue;
        }
        claim.looked_at += 1;
        let part = first.part.min(limit);
        let together = waiting.into_iter().take_while(|row| row.part.min(limit) == part).take(part as usize);
        let together: Vec<MembershipRow> = together.collect();
        let job = tx.part(|tx| batch(tx, one.app, &group, state, &together))?;
        claim.batches.extend(job.map(|job| vec![Job { probes: one.probes, ..job }]));
    }
    Ok(())
}

/// One call for everybody of these whose request may be sent now.
fn batch(
    tx: &mut Tx<'_>,
    app: &Arc<LiveApp>,
    group: &str,
    state: MembershipState,
    together: &[MembershipRow],
) -> Result<Option<Job>, Fault> {
    let removes = state == MembershipState::Removing;
    let mut begun = Vec::new();
    let mut accounts = Vec::new();
    for member in together {
        match tx.part(|tx| begin(tx, app, group, member)) {
            Ok(None) => {}
            Ok(Some(one)) => {
                accounts.push(member.external_id.clone());
                begun.push(one);
            }
            Err(fault) if matches!(fault.code, Code::StoreDamaged | Code::KeyMissing | Code::Internal) => {
                // What cannot be read is given up alone.
                if let Some(row) = request_of(tx, member)? {
                    fail(tx, app, row, vec![fault])?;
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    let send_by = begun.first().map(|first| first.send_by);
    let mut rows = begun.into_iter().map(|begun| (begun.row, begun.doubt));
    let (Some((row, doubt)), Some(send_by)) = (rows.next(), send_by) else { return Ok(None) };
    let (add, remove) = if removes { (Vec::new(), accounts) } else { (accounts, Vec::new()) };
    let work = Work::Members { group: group.to_owned(), add, remove };
    Ok(Some(Job { row, app: Arc::clone(app), work, probes: false, send_by, doubt, beside: rows.collect() }))
}

/// Stores the intent of a membership, where it may be sent now.
fn begin(tx: &mut Tx<'_>, app: &LiveApp, group: &str, member: &MembershipRow) -> Result<Option<Begun>, Fault> {
    let Some((row, key)) = ready(tx, app, member)? else { return Ok(None) };
    let removes = member.entry.state == MembershipState::Removing;
    let what = if removes { "remove" } else { "add" };
    let mut payload = Attributes::new();
    payload.insert(GROUP.to_owned(), json!(group));
    payload.insert(what.to_owned(), json!([member.external_id]));
    let sent = json!({"attributes": [], "group": group, "members": what});
    let begun = open(tx, app, row, usize::from(removes), sent, Some((&payload, &key)))?;
    tx.call_membership(&app.definition.app.id, member)?;
    Ok(Some(begun))
}

fn request_of(tx: &Tx<'_>, member: &MembershipRow) -> Result<Option<RequestRow>, Fault> {
    Ok(member.request.as_ref().map(|id| tx.request(id.as_str())).transpose()?.flatten())
}

/// The request of a membership that may be sent now, and the key under which what it sends is sealed. Records change between a
/// decision and its turn: what is no longer asked for is not sent.
fn ready(tx: &mut Tx<'_>, app: &LiveApp, member: &MembershipRow) -> Result<Option<(RequestRow, UserKey)>, Fault> {
    let Some(mut row) = request_of(tx, member)? else { return Ok(None) };
    let key = match &row.request.user {
        Some(user) => tx.user(user.as_str())?.map(|stored| (stored.key.clone(), Some(stored))),
        None => Some((tx.app_key(&app.definition.app.id)?, None)),
    };
    let owner = tx.account_owner(&app.definition.app.id, &member.external_id)?;
    match key.filter(|_| owner == row.request.user) {
        Some((key, stored)) if is_to_be_done(tx, app, &row, stored.as_ref(), member)? => {
            if !tx.is_held(&row)? && step(tx, app, &row)? == Step::Go {
                row.request.external_id = Some(member.external_id.clone());
                return Ok(Some((row, key)));
            }
        }
        _ => drop_queued(tx, app, member)?,
    }
    // Taken up by itself, it waits for what it has to wait for, or does what is left of it.
    row.retry = None;
    tx.save(&row)?;
    elect_for(tx, &app.definition, &row)?;
    Ok(None)
}

/// Whether what the ledger has still to do is still to be done. What a person has put back, and whoever nobody owns, does not
/// go by grants.
fn is_to_be_done(
    tx: &Tx<'_>,
    app: &LiveApp,
    row: &RequestRow,
    stored: Option<&StoredUser>,
    member: &MembershipRow,
) -> Result<bool, Fault> {
    let Some(stored) = stored else { return Ok(true) };
    let given = if row.given { tx.given(&row.request.id, &stored.key)? } else { None };
    match given {
        Some(given) if given.restores => Ok(true),
        given => is_asked_for(tx, app, stored, member, given.is_some()),
    }
}

/// Whether what the ledger has still to do is still asked for; `planned` says that a plan has it done.
fn is_asked_for(
    tx: &Tx<'_>,
    app: &LiveApp,
    stored: &StoredUser,
    member: &MembershipRow,
    planned: bool,
) -> Result<bool, Fault> {
    let definition = &app.definition;
    let present = (stored.state == UserState::Present).then_some(&stored.user);
    let standing = definition.standing(present, tx.now);
    let removes = member.entry.state == MembershipState::Removing;
    let Ok(standing) = standing else { return Ok(removes) };
    if standing.frozen && !removes {
        return Ok(false);
    }
    if !standing.wants_account() {
        return Ok(removes && (planned || definition.app.deprovision.memberships == LeftMemberships::Remove));
    }
    // As if it were given: what is left over then is not asked for.
    let entry = LedgerEntry { state: MembershipState::Held, queued: false, ..member.entry.clone() };
    let given = MembershipRow { entry, ..member.clone() };
    let is_left = difference_of(tx, definition, &[given], present, &standing)?.removes();
    Ok(is_left == removes)
}

/// What is no longer to be done is as it was before.
fn drop_queued(tx: &mut Tx<'_>, app: &LiveApp, member: &MembershipRow) -> Result<(), Fault> {
    let id = &app.definition.app.id;
    if !member.tried || !member.ours {
        return tx.drop_membership(id, member);
    }
    let state = match member.entry.state {
        MembershipState::Removing => MembershipState::Held,
        state => state,
    };
    let entry = LedgerEntry { state, queued: false, ..member.entry.clone() };
    tx.put_membership(id, &MembershipRow { entry, ..member.clone() })
}
