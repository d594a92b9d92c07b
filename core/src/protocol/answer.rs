//! After a call: what its outcome means for the request (the table of `core/docs/delivery.md`).

use super::Means;
use crate::fault::Code;
use crate::model::{ConnectorError, Outcome, RetryPolicy, WaitingFor};
use crate::operation::Operation;
use crate::retry::{self, Next, after_failure};
use crate::time::{Period, Timestamp};

pub use crate::retry::{GHOST_LOOKS, GHOST_WAIT};

/// After which time a Create is sent once more to a target that tells by its answer whether the first one came through.
const SOON: Period = Period::from_micros(100_000);

/// What is known about a request whose call has ended.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What it does.
    pub operation: Operation,
    /// Some attempt before this one may still take effect.
    pub unsettled: bool,
    /// Until when, where that is known.
    pub settle_at: Option<Timestamp>,
    /// How many attempts count against it, this one included.
    pub attempts: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// How failed attempts are repeated.
    pub policy: &'a RetryPolicy,
    /// The app's settle time.
    pub settle: Period,
    /// What the target offers against a second account.
    pub means: Means,
    /// The time now.
    pub now: Timestamp,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// It was done, or had been done before.
    Done,
    /// A look before anything was sent shows that it is still to be done.
    Usable,
    /// An account exists that is not, or may not be, the user's.
    Conflict(Code),
    /// The target says that the account exists and does not show it; so many attempts ended so, this one included.
    Ghost(u32),
    /// Somebody has a unique value. Whether there is another candidate, and whether the target showed who has it.
    Taken {
        /// Another candidate is left.
        another: bool,
        /// The holder was seen, or cannot be looked for.
        seen: bool,
    },
    /// The account does not exist.
    Missing,
    /// It failed.
    Failed(&'a ConnectorError),
    /// It failed, and a look just before had shown that nothing sent earlier has had an effect.
    FailedAfterLook(&'a ConnectorError),
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The request is done.
    Complete,
    /// It is given up, with this code or with the failure's own.
    Fail(Option<Code>),
    /// It is known to have done nothing, and taken back.
    Cancel,
    /// It is taken up again at once.
    AtOnce,
    /// It is taken up again at that time.
    Again(Timestamp, WaitingFor),
    /// Its attempts are used up, but it takes access away: it stays open and is tried at that time.
    Parked(Timestamp),
}

/// What a request is after its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// What follows.
    pub then: Then,
    /// Some attempt may still take effect.
    pub unsettled: bool,
    /// Until when.
    pub settle_at: Option<Timestamp>,
}

/// What a request is after its call. `jitter` is a random number. A removal of access that was done is not decided here but
/// by [`super::after_removal`].
pub fn after_answer(facts: &Facts<'_>, answer: Answer<'_>, jitter: u64) -> After {
    let kept = |then| After { then, unsettled: facts.unsettled, settle_at: facts.settle_at };
    let used_up = facts.attempts >= facts.policy.attempts;
    match answer {
        Answer::Done => After { then: Then::Complete, unsettled: false, settle_at: facts.settle_at },
        Answer::Usable => kept(Then::AtOnce),
        Answer::Conflict(code) => kept(Then::Fail(Some(code))),
        Answer::Ghost(looks) if looks >= GHOST_LOOKS => kept(Then::Fail(Some(Code::ConflictGhost))),
        Answer::Ghost(_) => kept(Then::Again(facts.now.plus(GHOST_WAIT), WaitingFor::Settle)),
        Answer::Taken { another, seen } if !another || (!seen && used_up) => {
            kept(Then::Fail(Some(Code::UniqueExhausted)))
        }
        Answer::Taken { .. } => kept(Then::AtOnce),
        Answer::Missing if facts.operation == Operation::Create => {
            After { then: Then::Cancel, unsettled: false, settle_at: None }
        }
        Answer::Missing => kept(Then::Fail(Some(Code::AccountMissing))),
        Answer::Failed(error) => failed(facts, error, jitter),
        Answer::FailedAfterLook(error) => failed(&Facts { unsettled: false, settle_at: None, ..*facts }, error, jitter),
    }
}

fn failed(facts: &Facts<'_>, error: &ConnectorError, jitter: u64) -> After {
    let ambiguous = error.outcome == Outcome::Ambiguous;
    let known = retry::Facts {
        operation: facts.operation,
        attempts: facts.attempts,
        created_at: facts.created_at,
        policy: facts.policy,
        settle: if facts.means.must_settle() { facts.settle } else { SOON },
        repeatable: facts.means.may_repeat_create(),
        now: facts.now,
    };
    let then = match after_failure(&known, error, jitter) {
        Next::Fail(code) => Then::Fail(code),
        Next::Again(at, WaitingFor::Settle) if !facts.means.must_settle() => Then::Again(at, WaitingFor::Retry),
        Next::Again(at, waiting_for) => Then::Again(at, waiting_for),
        Next::Parked(at) => Then::Parked(at),
    };
    let settle_at = if ambiguous { Some(facts.now.plus(facts.settle)) } else { facts.settle_at };
    After { then, unsettled: facts.unsettled || ambiguous, settle_at }
}

/// What a request is whose call never had an answer: its process died, or its worker never came back. `over` is how long ago
/// its lease ended; nothing of it was sent after that.
pub fn after_interruption(operation: Operation, means: Means, settle: Period, over: Period, now: Timestamp) -> After {
    let left = Period::from_micros(settle.as_micros() - over.as_micros());
    let until = now.plus(left);
    let then = match operation {
        Operation::Create if means.must_settle() => Then::Again(until, WaitingFor::Settle),
        _ => Then::Again(now, WaitingFor::Retry),
    };
    After { then, unsettled: true, settle_at: Some(until) }
}

/// Whether a request that is given up with this code is uncertain besides: a Create that may have been done is, whatever it
/// was given up for, unless the code says as much.
pub fn ends_uncertain(operation: Operation, unsettled: bool, code: Option<Code>) -> bool {
    let clear = matches!(
        code,
        Some(
            Code::Uncertain
                | Code::ConflictOwned
                | Code::ConflictDuplicate
                | Code::ConflictCandidates
                | Code::ConflictGhost
        )
    );
    operation == Operation::Create && unsettled && !clear
}

/// What a person can do about a request that was given up with this code.
pub fn way_on(operation: Operation, code: Code) -> Option<&'static str> {
    let way = match (operation, code) {
        (Operation::Create, Code::Uncertain) => {
            "look at the target, then `complete_manually` with the account's `external_id` where it is there, or `retry`"
        }
        (Operation::Create, Code::ConflictOwned) => {
            "`complete_manually` with the `external_id` of the user's own account, or settle whose it is and `retry`"
        }
        (Operation::Create, Code::ConflictDuplicate | Code::ConflictCandidates) => {
            "`complete_manually` with the `external_id` of the right one, or remove the others and `retry`"
        }
        (Operation::Create, Code::ConflictGhost) => {
            "find it at the target, then `complete_manually` with its `external_id`, or remove it and `retry`"
        }
        (Operation::Update, Code::UnknownGroup) => {
            "make the group at the target, or change the app's `entitlements`, and `retry`"
        }
        (Operation::Update, Code::MemberRefused) => "mend what the target refuses it for, and `retry`",
        (Operation::Read, Code::ConflictDuplicate) => "the linked one stays; remove the others at the target",
        _ => return None,
    };
    Some(way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation::{Activate, Create, Deactivate, Update};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
    const SETTLE: Period = Period::from_seconds(180);
    const SEARCH: Means = Means { search: true, key: false, refuses_second: false };
    const BLIND: Means = Means { search: false, ..SEARCH };
    const UNIQUE: Means = Means { refuses_second: true, ..BLIND };

    struct Case {
        operation: Operation,
        unsettled: bool,
        attempts: u32,
        means: Means,
    }

    fn case(operation: Operation, unsettled: bool) -> Case {
        Case { operation, unsettled, attempts: 1, means: SEARCH }
    }

    fn after(case: &Case, answer: Answer<'_>) -> After {
        let policy = RetryPolicy::default();
        let facts = Facts {
            operation: case.operation,
            unsettled: case.unsettled,
            settle_at: case.unsettled.then_some(NOW),
            attempts: case.attempts,
            created_at: NOW,
            policy: &policy,
            settle: SETTLE,
            means: case.means,
            now: NOW,
        };
        after_answer(&facts, answer, u64::MAX)
    }

    #[test]
    fn each_answer_has_what_follows() {
        let error = |outcome, code: Code| ConnectorError::new(outcome, code.name(), "");
        let lost = error(Outcome::Ambiguous, Code::Timeout);
        let refused = error(Outcome::Rejected, Code::Rejected);
        let unreachable = error(Outcome::NotApplied, Code::Unreachable);
        let settled = NOW.plus(SETTLE);
        let second = NOW.plus(Period::from_seconds(1));
        let exhausted = Case { attempts: 8, ..case(Create, false) };
        let blind = Case { means: BLIND, ..case(Create, false) };
        let unique = Case { means: UNIQUE, ..case(Create, false) };
        let table = [
            // What is done is done, and what was sent before may still arrive.
            (case(Create, false), Answer::Done, Then::Complete, false, None),
            (case(Update, true), Answer::Done, Then::Complete, false, Some(NOW)),
            (case(Deactivate, false), Answer::Usable, Then::AtOnce, false, None),
            // Nobody knows: a Create is looked for when a look can be believed, the rest is sent again.
            (case(Create, false), Answer::Failed(&lost), Then::Again(settled, WaitingFor::Settle), true, Some(settled)),
            (case(Create, true), Answer::Failed(&lost), Then::Again(settled, WaitingFor::Settle), true, Some(settled)),
            (case(Update, false), Answer::Failed(&lost), Then::Again(second, WaitingFor::Retry), true, Some(settled)),
            (case(Activate, false), Answer::Failed(&lost), Then::Again(second, WaitingFor::Retry), true, Some(settled)),
            (blind, Answer::Failed(&lost), Then::Fail(Some(Code::Uncertain)), true, Some(settled)),
            (unique, Answer::Failed(&lost), Then::Again(second, WaitingFor::Retry), true, Some(settled)),
            // Nothing was done by this one; what an earlier one did stays in doubt, unless a look cleared it.
            (case(Create, false), Answer::Failed(&unreachable), Then::Again(second, WaitingFor::Retry), false, None),
            (case(Create, true), Answer::Failed(&unreachable), Then::Again(second, WaitingFor::Retry), true, Some(NOW)),
            (
                case(Create, true),
                Answer::FailedAfterLook(&unreachable),
                Then::Again(second, WaitingFor::Retry),
                false,
                None,
            ),
            (
                case(Create, true),
                Answer::FailedAfterLook(&lost),
                Then::Again(settled, WaitingFor::Settle),
                true,
                Some(settled),
            ),
            (case(Create, true), Answer::FailedAfterLook(&refused), Then::Fail(None), false, None),
            (case(Create, true), Answer::Failed(&refused), Then::Fail(None), true, Some(NOW)),
            (case(Update, false), Answer::Failed(&refused), Then::Fail(None), false, None),
            // Conflicts are for a person; one that is not shown is looked for a few times.
            (
                case(Create, true),
                Answer::Conflict(Code::ConflictOwned),
                Then::Fail(Some(Code::ConflictOwned)),
                true,
                Some(NOW),
            ),
            (case(Create, false), Answer::Ghost(1), Then::Again(NOW.plus(GHOST_WAIT), WaitingFor::Settle), false, None),
            (case(Create, true), Answer::Ghost(3), Then::Fail(Some(Code::ConflictGhost)), true, Some(NOW)),
            // A value that somebody has costs nothing as long as there is another.
            (case(Create, false), Answer::Taken { another: true, seen: true }, Then::AtOnce, false, None),
            (
                case(Create, false),
                Answer::Taken { another: false, seen: true },
                Then::Fail(Some(Code::UniqueExhausted)),
                false,
                None,
            ),
            (case(Create, false), Answer::Taken { another: true, seen: false }, Then::AtOnce, false, None),
            (
                exhausted,
                Answer::Taken { another: true, seen: false },
                Then::Fail(Some(Code::UniqueExhausted)),
                false,
                None,
            ),
            // A Create that only looked has found that there is nothing.
            (case(Create, true), Answer::Missing, Then::Cancel, false, None),
            (case(Update, false), Answer::Missing, Then::Fail(Some(Code::AccountMissing)), false, None),
        ];
        for (index, (case, answer, then, unsettled, settle_at)) in table.into_iter().enumerate() {
            assert_eq!(after(&case, answer), After { then, unsettled, settle_at }, "row {index}: {answer:?}");
        }
    }

    #[test]
    fn an_interruption_is_a_doubt_that_began_when_the_lease_ended() {
        let minute = Period::from_seconds(60);
        let of = |operation, means, over| after_interruption(operation, means, SETTLE, over, NOW);
        let until = NOW.plus(SETTLE);
        let create = of(Create, SEARCH, Period::ZERO);
        assert_eq!(
            create,
            After { then: Then::Again(until, WaitingFor::Settle), unsettled: true, settle_at: Some(until) }
        );
        let late = of(Create, SEARCH, minute);
        assert_eq!(late.then, Then::Again(NOW.plus(Period::from_seconds(120)), WaitingFor::Settle));
        assert_eq!(of(Create, SEARCH, Period::from_seconds(86_400)).then, Then::Again(NOW, WaitingFor::Settle));
        let update = of(Update, SEARCH, Period::ZERO);
        assert_eq!(
            update,
            After { then: Then::Again(NOW, WaitingFor::Retry), unsettled: true, settle_at: Some(until) }
        );
        assert_eq!(of(Create, UNIQUE, Period::ZERO).then, Then::Again(NOW, WaitingFor::Retry));
    }

    #[test]
    fn whatever_a_create_ends_with_unclear_tells_what_a_person_can_do() {
        for code in Code::all() {
            let unclear = code.name() == "uncertain" || code.name().starts_with("conflict_");
            let way = way_on(Create, code);
            assert_eq!(way.is_some(), unclear, "{code:?}");
            assert!(way.is_none_or(|way| way.contains("`complete_manually`") && way.contains("`retry`")));
        }
    }

    #[test]
    fn a_create_in_doubt_is_never_given_up_as_if_nothing_had_been_made() {
        for code in Code::all() {
            let named = code.name() == "uncertain" || code.name().starts_with("conflict_");
            assert_eq!(ends_uncertain(Create, true, Some(code)), !named, "{code:?}");
            assert!(!ends_uncertain(Create, false, Some(code)));
            assert!(!ends_uncertain(Update, true, Some(code)));
        }
        assert!(ends_uncertain(Create, true, None));
    }
}
