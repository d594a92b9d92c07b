//! What follows a failed attempt. Pure: randomness and time are arguments.

use crate::fault::{Blame, Code};
use crate::model::{ConnectorError, Outcome, RetryPolicy, WaitingFor};
use crate::operation::Operation;
use crate::time::{Period, Timestamp};

const DAY: Period = Period::from_seconds(86_400);
const PARKED_DAYS: u32 = 30;
/// Nothing is sent again at once: a run would never end on a target that keeps saying no.
const SHORTEST: Period = Period::from_micros(100_000);

/// The longest back-off after what says nothing about the request, where the app does not say another: how often a target is
/// tried that is gone is for its breaker to say, and when it is back nobody waits for hours.
const LONGEST_BLAMELESS: Period = Period::from_seconds(900);

/// How often, and how far apart, a target is asked for an account that it says exists and does not show.
pub const GHOST_LOOKS: u32 = 3;
/// See [`GHOST_LOOKS`].
pub const GHOST_WAIT: Period = Period::from_seconds(300);

/// What is known about a request whose attempt failed.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What it does.
    pub operation: Operation,
    /// How many attempts there were, this one included.
    pub attempts: u32,
    /// When the request was made.
    pub created_at: Timestamp,
    /// How failed attempts are repeated.
    pub policy: &'a RetryPolicy,
    /// The wait before a look-up can be believed.
    pub settle: Period,
    /// Whether a second Create can be kept from making a second account: by looking up, or by a key.
    pub repeatable: bool,
    /// The time now.
    pub now: Timestamp,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is given up with this code, or with the failure's own.
    Fail(Option<Code>),
    /// Another attempt at that time.
    Again(Timestamp, WaitingFor),
    /// Its attempts are used up, but it takes access away: it stays open and is tried at that time.
    Parked(Timestamp),
}

/// What follows a failed attempt. `jitter` is a random number; the wait is spread evenly from zero to its bound.
pub fn after_failure(facts: &Facts<'_>, failure: &ConnectorError, jitter: u64) -> Next {
    let code = Code::from_name(&failure.code);
    let mut policy = facts.policy.after(code);
    // None says anything about this request: the target asks for patience or for other credentials, cannot be reached, or
    // nothing was sent at all.
    let without_token = code.is_some_and(|code| {
        (code.refuses_credentials() && code != Code::Forbidden)
            || code == Code::TokenPending
            || code.blame() == Blame::Store
    });
    let blameless = without_token
        || matches!(code, Some(Code::RateLimited | Code::Cancelled))
        || (failure.outcome == Outcome::NotApplied
            && matches!(code, Some(Code::Unreachable | Code::TlsFailed | Code::ProxyFailed)));
    if blameless && code.is_none_or(|code| !facts.policy.by_code.contains_key(code.name())) {
        policy.cap = policy.cap.min(LONGEST_BLAMELESS);
    }
    // A target in trouble gets a day before its requests are given up.
    let of_target = matches!(
        code,
        Some(Code::Timeout | Code::TargetFailed | Code::InvalidAnswer | Code::ConnectorFailed | Code::Unreachable)
    );
    let young = facts.now.since(facts.created_at) < DAY;
    let used_up = facts.attempts >= policy.attempts && !blameless && !(of_target && young);
    match failure.outcome {
        Outcome::Rejected if code != Some(Code::Unauthorized) => return Next::Fail(None),
        Outcome::Conflict => return Next::Fail(None),
        Outcome::Ambiguous if facts.operation == Operation::Create => {
            if !facts.repeatable {
                return Next::Fail(Some(Code::Uncertain));
            }
            if used_up {
                return Next::Fail(Some(Code::Uncertain));
            }
            let back_off = back_off(&policy, facts.attempts, jitter);
            let wait = facts.settle.max(failure.retry_after.unwrap_or_default()).max(back_off);
            return Next::Again(facts.now.plus(wait), WaitingFor::Settle);
        }
        Outcome::Rejected | Outcome::Ambiguous | Outcome::NotApplied => {}
    }
    if used_up {
        let parked = matches!(facts.operation, Operation::Deactivate | Operation::Delete);
        let age = facts.now.since(facts.created_at).as_micros() / DAY.as_micros();
        if parked && age < i64::from(PARKED_DAYS) {
            return Next::Parked(facts.now.plus(DAY));
        }
        return Next::Fail(None);
    }
    let asked = failure.retry_after.unwrap_or_default();
    let wait = asked.plus(back_off(&policy, facts.attempts, jitter).max(SHORTEST));
    let waiting_for = if code == Some(Code::RateLimited) { WaitingFor::Rate } else { WaitingFor::Retry };
    Next::Again(facts.now.plus(wait), waiting_for)
}

/// Capped exponential back-off with full jitter: a wait between zero and `first` · 2ⁿ⁻¹, at most `cap`.
///
/// ```
/// use rollkeeper::{Period, model::RetryPolicy, retry::back_off};
/// let policy = RetryPolicy::default();
/// assert_eq!(back_off(&policy, 1, u64::MAX), Period::from_seconds(1));
/// assert_eq!(back_off(&policy, 99, u64::MAX), Period::from_seconds(6 * 3600));
/// assert_eq!(back_off(&policy, 99, 0), Period::ZERO);
/// ```
pub fn back_off(policy: &RetryPolicy, attempts: u32, jitter: u64) -> Period {
    let factor = 1_i64.checked_shl(attempts.saturating_sub(1)).filter(|factor| *factor > 0).unwrap_or(i64::MAX);
    let bound = policy.first.as_micros().saturating_mul(factor).min(policy.cap.as_micros());
    let share = i128::from(jitter) * i128::from(bound) / i128::from(u64::MAX);
    Period::from_micros(i64::try_from(share).unwrap_or(bound))
}

#[cfg(test)]
mod tests {
    use super::{DAY, Facts, Next, SHORTEST, after_failure};
    use crate::fault::Code::{self, *};
    use crate::model::Outcome::{self, *};
    use crate::model::{ConnectorError, RetryPolicy, WaitingFor};
    use crate::operation::Operation;
    use crate::time::{Period, Timestamp};

    const MADE: Timestamp = Timestamp::from_micros(1_000_000_000);
    const MINUTE: Period = Period::from_seconds(60);
    const MONTH: Period = Period::from_seconds(31 * 86_400);
    const SETTLE: Period = Period::from_seconds(180);

    /// What follows, as times after the failure.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Then {
        Fail(Option<Code>),
        Again(Period, WaitingFor),
        Parked(Period),
    }
    use Then::{Again, Fail, Parked};

    struct Case {
        operation: Operation,
        attempts: u32,
        age: Period,
        repeatable: bool,
        asked: Option<Period>,
        outcome: Outcome,
        code: Code,
    }

    /// The first attempt of a young request on a target that can be searched.
    fn case(operation: Operation, outcome: Outcome, code: Code) -> Case {
        Case { operation, attempts: 1, age: MINUTE, repeatable: true, asked: None, outcome, code }
    }

    /// The same with every attempt used up.
    fn used_up(operation: Operation, outcome: Outcome, code: Code, age: Period) -> Case {
        Case { attempts: 8, age, ..case(operation, outcome, code) }
    }

    fn then(case: &Case, jitter: u64) -> Then {
        let policy = RetryPolicy::default();
        let facts = Facts {
            operation: case.operation,
            attempts: case.attempts,
            created_at: MADE,
            policy: &policy,
            settle: SETTLE,
            repeatable: case.repeatable,
            now: MADE.plus(case.age),
        };
        let error = ConnectorError::new(case.outcome, case.code.name(), "");
        match after_failure(&facts, &ConnectorError { retry_after: case.asked, ..error }, jitter) {
            Next::Fail(code) => Fail(code),
            Next::Again(at, waiting_for) => Again(at.since(facts.now), waiting_for),
            Next::Parked(at) => Parked(at.since(facts.now)),
        }
    }

    #[test]
    fn each_failure_has_what_follows() {
        use Operation::{Create, Deactivate, Delete, Freeze, Update};
        let second = Period::from_seconds(1);
        let last = Period::from_seconds(128);
        let soon = Again(second, WaitingFor::Retry);
        let late = Again(last, WaitingFor::Retry);
        let tomorrow = Parked(DAY);
        let quarter = Period::from_seconds(900);
        let table = [
            // What was refused is not sent again, whatever it was; a conflict is for a person.
            (case(Create, Outcome::Rejected, Code::Rejected), Fail(None)),
            (case(Update, Outcome::Rejected, Forbidden), Fail(None)),
            (case(Deactivate, Outcome::Rejected, Code::Rejected), Fail(None)),
            (case(Create, Outcome::Conflict, Code::Conflict), Fail(None)),
            // What was not applied is sent again after a while.
            (case(Create, NotApplied, Unreachable), soon),
            (case(Update, NotApplied, Cancelled), soon),
            (used_up(Create, NotApplied, Code::Rejected, MINUTE), Fail(None)),
            // What may have been applied: a Create waits until a look-up can be believed, the rest is sent again.
            (case(Create, Ambiguous, Timeout), Again(SETTLE, WaitingFor::Settle)),
            (case(Update, Ambiguous, Timeout), soon),
            (case(Freeze, Ambiguous, NotConfirmed), soon),
            (Case { repeatable: false, ..case(Create, Ambiguous, Timeout) }, Fail(Some(Uncertain))),
            (Case { repeatable: false, ..case(Update, Ambiguous, Timeout) }, soon),
            (used_up(Create, Ambiguous, TargetFailed, DAY), Fail(Some(Uncertain))),
            (used_up(Create, Ambiguous, TargetFailed, MINUTE), Again(SETTLE, WaitingFor::Settle)),
            // A target in trouble has a day.
            (used_up(Update, Ambiguous, TargetFailed, MINUTE), late),
            (used_up(Update, Ambiguous, TargetFailed, DAY), Fail(None)),
            (used_up(Freeze, Ambiguous, NotConfirmed, MINUTE), Fail(None)),
            // What says nothing about the request is never a reason to give it up.
            (used_up(Update, NotApplied, Unreachable, MONTH), late),
            (used_up(Update, NotApplied, TlsFailed, MONTH), late),
            (used_up(Update, NotApplied, Cancelled, MONTH), late),
            (used_up(Update, NotApplied, Unauthorized, MONTH), late),
            (used_up(Update, Outcome::Rejected, Unauthorized, MONTH), late),
            (used_up(Update, NotApplied, RateLimited, MONTH), Again(last, WaitingFor::Rate)),
            // Nobody waits for hours because a target was gone for long.
            (Case { attempts: 40, ..case(Deactivate, NotApplied, Unreachable) }, Again(quarter, WaitingFor::Retry)),
            (Case { attempts: 40, ..case(Update, NotApplied, RateLimited) }, Again(quarter, WaitingFor::Rate)),
            // Who leaves is not forgotten: once a day, for thirty days.
            (used_up(Deactivate, Ambiguous, NotConfirmed, MINUTE), tomorrow),
            (used_up(Deactivate, Ambiguous, TargetFailed, DAY), tomorrow),
            (used_up(Delete, Ambiguous, TargetFailed, DAY), tomorrow),
            (used_up(Deactivate, Ambiguous, TargetFailed, MONTH), Fail(None)),
            // A target's own wish comes on top.
            (
                Case { asked: Some(MINUTE), ..case(Update, NotApplied, RateLimited) },
                Again(MINUTE.plus(second), WaitingFor::Rate),
            ),
            (Case { asked: Some(DAY), ..case(Create, Ambiguous, TargetFailed) }, Again(DAY, WaitingFor::Settle)),
        ];
        for (index, (case, expected)) in table.iter().enumerate() {
            assert_eq!(then(case, u64::MAX), *expected, "row {index}: {} {:?}", case.operation, case.code);
        }
    }

    #[test]
    fn a_code_may_have_a_policy_of_its_own() {
        let policy: RetryPolicy = serde_json::from_value(serde_json::json!({
            "attempts": 3, "first": "PT2S", "cap": "PT10S",
            "by_code": {"target_failed": {"attempts": 1}, "unreachable": {"first": "PT1H"}, "timeout": {"cap": "PT3S"}},
        }))
        .unwrap();
        let whole = |code| {
            let policy = policy.after(code);
            (policy.attempts, policy.first, policy.cap)
        };
        let seconds = Period::from_seconds;
        assert_eq!(whole(None), (3, seconds(2), seconds(10)));
        assert_eq!(whole(Some(RateLimited)), (3, seconds(2), seconds(10)));
        assert_eq!(whole(Some(TargetFailed)), (1, seconds(2), seconds(10)));
        assert_eq!(whole(Some(Timeout)), (3, seconds(2), seconds(3)));
        assert_eq!(whole(Some(Unreachable)), (3, seconds(3600), seconds(3600)), "the usual cap would be shorter");
        let facts = |attempts| Facts {
            operation: Operation::Update,
            attempts,
            created_at: MADE,
            policy: &policy,
            settle: SETTLE,
            repeatable: true,
            now: MADE.plus(MONTH),
        };
        let failed = ConnectorError::new(Ambiguous, TargetFailed.name(), "");
        assert_eq!(after_failure(&facts(1), &failed, 0), Next::Fail(None), "it has one attempt");
        let gone = ConnectorError::new(NotApplied, Unreachable.name(), "");
        let hour = Next::Again(MADE.plus(MONTH).plus(seconds(3600)), WaitingFor::Retry);
        assert_eq!(after_failure(&facts(9), &gone, u64::MAX), hour, "as long as the app says");
        let silent = ConnectorError::new(Ambiguous, Timeout.name(), "");
        let last = Next::Again(MADE.plus(MONTH).plus(seconds(3)), WaitingFor::Retry);
        assert_eq!(after_failure(&facts(2), &silent, u64::MAX), last);
    }

    #[test]
    fn nothing_is_sent_again_at_once() {
        let cases = [
            case(Operation::Update, NotApplied, RateLimited),
            case(Operation::Update, Ambiguous, Timeout),
            used_up(Operation::Update, NotApplied, Unreachable, MONTH),
        ];
        for case in cases {
            let Again(wait, _) = then(&case, 0) else { panic!("it is sent again") };
            assert_eq!(wait, SHORTEST);
        }
    }
}
