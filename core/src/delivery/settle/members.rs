//! Memberships that were sent: the ledger follows the answer, for each of those who were in the call.

use super::super::members::{Enrolled, enroll, enroll_given, unknown_group};
use super::super::{Job, Report, Work};
use super::ended::{close, complete, fail, log};
use super::failed::{again_at, without_values};
use super::{Settling, blameless, late, lease_over, outcome_name, unless_broken};
use crate::connector::{ConnectorError, Outcome};
use crate::fault::{Blame, Code, Fault};
use crate::intake::{LiveApp, LiveApps, elect_for};
use crate::model::{MembershipState, TargetGroup, WaitingFor};
use crate::planning::entitlement::{LedgerEntry, smaller_part};
use crate::protocol::{Answer, Confirmed, after_removal, is_current};
use crate::store::{MembershipRow, RequestRow, StoredUser, Tx};
use crate::time::Moment;
use serde_json::json;

/// Stores what came of a call about a group. One whose record cannot be read is given up alone.
pub(super) fn settle(tx: &mut Tx<'_>, apps: &LiveApps, job: &Job, report: &Report) -> Result<(), Fault> {
    let app = apps.get(&job.row.request.app).unwrap_or(&job.app);
    let Work::Members { group, .. } = &job.work else { return Ok(()) };
    let call = Call { group, sent: job.beside.len() + 1, jitter: tx.random_below(u64::MAX)?, report };
    let beside = job.beside.iter().map(|(row, doubt)| (row, *doubt));
    for (claimed, doubt) in std::iter::once((&job.row, job.doubt)).chain(beside) {
        let settled = tx.part(|tx| one(tx, app, claimed, doubt, &call));
        unless_broken(tx, job, claimed, report, settled)?;
    }
    Ok(())
}

/// The call about a group, as each of those in it sees it.
struct Call<'a> {
    group: &'a str,
    /// How many were in it.
    sent: usize,
    jitter: u64,
    report: &'a Report,
}

fn one(
    tx: &mut Tx<'_>,
    app: &LiveApp,
    claimed: &RequestRow,
    doubt: Option<Moment>,
    call: &Call<'_>,
) -> Result<(), Fault> {
    let current = tx.request(claimed.request.id.as_str())?;
    let same = current.filter(|row| is_current(claimed.fence, row.fence) && !row.request.state.is_finished());
    let stored = match &claimed.request.user {
        Some(user) => tx.user(user.as_str())?,
        None => Some(StoredUser::nobody(tx.app_key(&app.definition.app.id)?)?),
    };
    let (Some(row), Some(stored)) = (same, stored) else { return late(tx, claimed, call.report) };
    let mut row = lease_over(tx, row);
    row.request.external_id.clone_from(&claimed.request.external_id);
    tx.end_calls(&row.request.id)?;
    let queued = tx.queued_memberships(&row.request.id)?;
    let member = queued.into_iter().find(|member| member.entry.group == call.group);
    let mut settling = Settling { tx, app, stored: &stored, doubt };
    let Some(member) = member.map(|member| MembershipRow { calling: false, ..member }) else {
        // The account went meanwhile, and its memberships with it.
        settling.close(&row, outcome_name(call.report), "", "")?;
        return settling.next(row);
    };
    match call.report {
        Report::Applied(_) => settling.changed(row, member, None),
        Report::Removed { verified, .. } => settling.changed(row, member, verified.then_some(true)),
        Report::TooLate => {
            let message = "it was too late to send; nothing was sent";
            let error = ConnectorError::new(Outcome::NotApplied, Code::Cancelled.name(), message);
            settling.not_changed(row, &member, &error, call)
        }
        Report::NotBegun => {
            settling.close(&row, "not_applied", "", "its turn did not come; nothing was sent")?;
            settling.next(row)
        }
        Report::NotBack(error) => settling.not_changed(row, &member, &blameless(error), call),
        Report::Failed(error) => settling.not_changed(row, &member, error, call),
        _ => Err(Fault::new(Code::Internal, "an answer does not fit a change of members")),
    }
}

impl Settling<'_, '_> {
    /// The membership is as it was to be.
    fn changed(&mut self, mut row: RequestRow, member: MembershipRow, verified: Option<bool>) -> Result<(), Fault> {
        let id = &self.app.definition.app.id;
        let removes = member.entry.state == MembershipState::Removing;
        close(self.tx, &row, "applied", "", "")?;
        row.sending = false;
        let doubt = self.doubt.filter(|_| removes);
        let doubt = doubt.map(|until| self.tx.now.plus(until.since(self.tx.moment).unwrap_or_default()));
        if let Confirmed::LookAgain(at) | Confirmed::SendAgain(at) = after_removal(false, false, doubt, self.tx.now) {
            // What may still give it back is waited for, and it is taken away once more.
            row.unsettled = true;
            row.settle(self.tx.now, self.tx.moment, at.since(self.tx.now));
            self.tx.save(&row)?;
            log(self.tx, &row, "verify_later", json!({"at": at}))?;
            return elect_for(self.tx, &self.app.definition, &row);
        }
        let kind = if removes {
            self.tx.drop_membership(id, &member)?;
            row.request.verified = verified.or(row.request.verified);
            "membership_taken"
        } else if !member.ours {
            self.tx.drop_membership(id, &member)?;
            "membership_given"
        } else {
            let entry = LedgerEntry { state: MembershipState::Held, queued: false, ..member.entry.clone() };
            self.tx.put_membership(id, &MembershipRow { entry, ..member.clone() })?;
            "membership_given"
        };
        let mut details =
            json!({"group": member.entry.group, "external_id": member.external_id, "why": row.request.why});
        if let (Some(details), false) = (details.as_object_mut(), member.ours) {
            details.insert("ours".to_owned(), false.into());
        }
        log(self.tx, &row, kind, details)?;
        self.next(row)
    }

    /// The membership is as it was, or nobody knows.
    fn not_changed(
        &mut self,
        mut row: RequestRow,
        member: &MembershipRow,
        error: &ConnectorError,
        call: &Call<'_>,
    ) -> Result<(), Fault> {
        let id = &self.app.definition.app.id;
        let code = Code::from_name(&error.code);
        let message = without_values(&error.message, &self.stored.user.record);
        let refused = matches!(error.outcome, Outcome::Rejected | Outcome::Conflict);
        let gone = code == Some(Code::GroupMissing) || (code == Some(Code::AccountMissing) && call.sent == 1);
        if refused && gone && member.entry.state == MembershipState::Removing {
            // Who is not there, or in no such group, is no member of it.
            return self.changed(row, member.clone(), None);
        }
        // What the target does not do at all it does not do for fewer either.
        let whole = matches!(code, Some(Code::Unsupported | Code::Forbidden | Code::GroupMissing));
        if refused && (whole || call.sent == 1) {
            close(self.tx, &row, error.outcome.name(), &error.code, &message)?;
            row.sending = false;
            let fault = match code {
                Some(Code::GroupMissing) => {
                    self.tx.forget_group(id, &member.entry.group)?;
                    unknown_group(&member.entry.reference, "it does not exist at the target any more")
                }
                Some(code @ (Code::Unsupported | Code::Forbidden)) => Fault::new(code, message),
                _ => {
                    let group = member.entry.reference.text();
                    Fault::new(Code::MemberRefused, format!("the target refused it for the group `{group}`: {message}"))
                }
            };
            return self.refuse(row, member, fault);
        }
        let smaller = MembershipRow { part: smaller_part(call.sent), ..member.clone() };
        if refused {
            close(self.tx, &row, error.outcome.name(), Code::MembersRefused.name(), &message)?;
            self.tx.put_membership(id, &smaller)?;
            row.sending = false;
            row.retry = Some((self.tx.now.plus(super::super::claim::AGAIN), WaitingFor::Lane));
            self.tx.save(&row)?;
            return elect_for(self.tx, &self.app.definition, &row);
        }
        if error.outcome == Outcome::Ambiguous && call.sent > 1 {
            // One of them may be what the target fails on.
            self.tx.put_membership(id, &smaller)?;
        }
        close(self.tx, &row, error.outcome.name(), &error.code, &message)?;
        again_at(self.tx, self.app, row, error, Answer::Failed(error), (&message, call.jitter))
    }

    /// The target does not take this one. The others of the request go on.
    fn refuse(&mut self, row: RequestRow, member: &MembershipRow, fault: Fault) -> Result<(), Fault> {
        let entry = LedgerEntry { state: MembershipState::Refused, ..member.entry.clone() };
        let refused = MembershipRow { entry, faults: vec![fault], ..member.clone() };
        self.tx.put_membership(&self.app.definition.app.id, &refused)?;
        self.next(row)
    }

    /// The next membership of the request, or its end.
    fn next(&mut self, mut row: RequestRow) -> Result<(), Fault> {
        row.sending = false;
        let queued = self.tx.queued_memberships(&row.request.id)?;
        if queued.iter().any(|member| member.entry.state != MembershipState::Refused) {
            row.retry = Some((self.tx.now.plus(super::super::claim::AGAIN), WaitingFor::Lane));
            self.tx.save(&row)?;
            return elect_for(self.tx, &self.app.definition, &row);
        }
        self.go_on(row)
    }

    /// What an Update has done besides memberships is done: now they are.
    pub(super) fn go_on(&mut self, row: RequestRow) -> Result<(), Fault> {
        if let Some(external_id) = self.given_members(&row)? {
            let enrolled = enroll_given(self.tx, self.app, &row, &self.stored.key, &external_id);
            return self.go_on_with(row, enrolled);
        }
        let has_groups = row.removes || (!row.given && !self.app.definition.app.entitlements.is_empty());
        let Some(account) = self.account()?.filter(|_| has_groups) else { return self.complete(row) };
        let enrolled = enroll(self.tx, self.app, &row, self.stored, &account);
        self.go_on_with(row, enrolled)
    }

    /// The account of a request that was given memberships and does nothing else.
    fn given_members(&self, row: &RequestRow) -> Result<Option<String>, Fault> {
        let given = if row.given { self.tx.given(&row.request.id, &self.stored.key)? } else { None };
        let has_members = given.is_some_and(|given| !given.members.is_empty());
        Ok(row.request.external_id.clone().filter(|_| has_members))
    }

    fn go_on_with(&mut self, mut row: RequestRow, enrolled: Result<Enrolled, Fault>) -> Result<(), Fault> {
        let faults = match enrolled {
            Ok(Enrolled::Done(faults)) => faults,
            Ok(Enrolled::Queued) => {
                row.retry = Some((self.tx.now.plus(super::super::claim::AGAIN), WaitingFor::Lane));
                return self.wait(row);
            }
            Ok(Enrolled::Listing | Enrolled::InTheWay) => return self.wait(row),
            // What the store fails at is no fault of the request: everything stays as it was, and is settled again.
            Err(fault) if matches!(fault.code.blame(), Blame::Store | Blame::Ours) => return Err(fault),
            Err(fault) => vec![fault],
        };
        if faults.is_empty() {
            complete(self.tx, row.clone(), json!({}))?;
            return elect_for(self.tx, &self.app.definition, &row);
        }
        fail(self.tx, self.app, row, faults)
    }

    /// It goes on when it is taken up the next time.
    fn wait(&mut self, mut row: RequestRow) -> Result<(), Fault> {
        row.sending = false;
        row.unsettled = false;
        self.tx.save(&row)?;
        elect_for(self.tx, &self.app.definition, &row)
    }

    /// The target told its groups.
    pub(super) fn groups(&mut self, row: RequestRow, groups: &[TargetGroup]) -> Result<(), Fault> {
        self.tx.put_groups(&self.app.definition.app.id, groups)?;
        close(self.tx, &row, "applied", "", "")?;
        self.wait(RequestRow { retry: None, ..row })
    }
}
