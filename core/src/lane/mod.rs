//! The order within a lane, which is one user in one app: who goes first, and what the first waits for. Pure.

use crate::model::{ApprovalStatus, WaitingFor};
use crate::operation::Operation;
use crate::time::Timestamp;

/// What is known of one open request of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it does.
    pub operation: Operation,
    /// Of an Update: it takes memberships of groups away and does nothing else.
    pub removes: bool,
    /// Whether somebody has to agree.
    pub approval: ApprovalStatus,
    /// A person holds it.
    pub held: bool,
    /// A call is out: an attempt, or a look whether access is gone.
    pub sending: bool,
    /// Some attempt may still take effect.
    pub unsettled: bool,
    /// Before when it must not be sent.
    pub not_before: Option<Timestamp>,
    /// When nobody has answered by then, it expires.
    pub expires_at: Option<Timestamp>,
    /// When the next attempt is, and what it waits for until then.
    pub retry: Option<(Timestamp, WaitingFor)>,
}

impl Place {
    /// Whether it waits for a person, for its time or for another user's account.
    fn is_blocked(&self, now: Timestamp) -> bool {
        self.approval == ApprovalStatus::Required
            || self.held
            || self.not_before.is_some_and(|not_before| not_before > now)
            || self.retry.is_some_and(|(at, wait)| wait == WaitingFor::Dependency && at > now)
    }

    /// When its next attempt is, where that is still to come. What waits for the turn of a group may go any time.
    fn next_attempt(&self, now: Timestamp) -> Option<Timestamp> {
        self.retry.filter(|(at, wait)| *at > now && *wait != WaitingFor::Lane).map(|(at, _)| at)
    }

    /// The lower goes first.
    fn class(&self) -> u8 {
        match self.operation {
            Operation::Delete if self.unsettled => 0,
            Operation::Create => 1,
            Operation::Deactivate => 2,
            Operation::Freeze => 3,
            // One that was tried and waits does not keep the account from being deleted.
            Operation::Update if self.removes && self.retry.is_none_or(|(_, wait)| wait == WaitingFor::Lane) => 4,
            Operation::Delete => 5,
            Operation::Update if self.removes => 6,
            _ => 7,
        }
    }

    fn reduces_access(&self) -> bool {
        self.removes || self.operation.reduces_access()
    }
}

/// Which of a lane's requests goes first; they are given oldest first. One that is being sent keeps its place. One that
/// cannot move, because it waits for a person, for its time or for another user's account, lets the others pass. A deletion
/// that may still take effect is cleared up before an account is made anew; an account is made before anything is done to
/// it; what takes access away goes before what changes or gives it, Deactivate first. Where that has failed and waits for its
/// next attempt, what takes memberships away does not wait for it.
///
/// ```
/// use rollkeeper::{Operation, lane::{Place, first}, model::ApprovalStatus};
/// let place = |operation| Place { operation, removes: false, approval: ApprovalStatus::NotRequired, held: false,
///     sending: false, unsettled: false, not_before: None, expires_at: None, retry: None };
/// let lane = [place(Operation::Update), place(Operation::Deactivate)];
/// assert_eq!(first(&lane, Default::default()), Some(1));
/// ```
pub fn first(lane: &[Place], now: Timestamp) -> Option<usize> {
    let rank = |place: &Place| (!place.sending, place.is_blocked(now), place.class());
    let (index, leader) = lane.iter().enumerate().min_by_key(|(index, place)| (rank(place), *index))?;
    Some(overtaking(lane, leader, now).unwrap_or(index))
}

/// Who goes before a removal of access that waits for its next attempt: what takes memberships away and may go now, or at
/// least sooner.
fn overtaking(lane: &[Place], leader: &Place, now: Timestamp) -> Option<usize> {
    let waits = leader.next_attempt(now).filter(|_| leader.reduces_access() && !leader.sending)?;
    let others = lane.iter().enumerate().filter(|(_, place)| place.removes && !place.is_blocked(now));
    let (sooner, index) = others.map(|(index, place)| (place.next_attempt(now), index)).min()?;
    sooner.is_none_or(|at| at < waits).then_some(index)
}

/// Who goes beside the first of a lane, which is being sent: what takes access away does not wait for a call that gives it or
/// changes what it is for, and is looked at again when that one has settled. There is nothing to take away before an account is
/// made.
///
/// ```
/// use rollkeeper::{Operation, lane::{Place, beside}, model::ApprovalStatus};
/// let place = |operation, sending| Place { operation, removes: false, approval: ApprovalStatus::NotRequired, held: false, sending,
///     unsettled: false, not_before: None, expires_at: None, retry: None };
/// let lane = [place(Operation::Update, true), place(Operation::Deactivate, false)];
/// assert_eq!(beside(&lane, Default::default()), Some(1));
/// ```
pub fn beside(lane: &[Place], now: Timestamp) -> Option<usize> {
    let mut sent = lane.iter().filter(|place| place.sending);
    let first = sent.next()?;
    if sent.next().is_some() || first.reduces_access() || first.operation == Operation::Create {
        return None;
    }
    let rest = lane.iter().enumerate().filter(|(_, place)| place.reduces_access());
    rest.filter(|(_, place)| !place.is_blocked(now))
        .min_by_key(|(index, place)| (place.class(), *index))
        .map(|(index, _)| index)
}

/// What the first of a lane waits for, and when something happens next.
pub fn wait_of_first(place: &Place, enabled: bool, now: Timestamp) -> (Option<WaitingFor>, Option<Timestamp>) {
    if place.approval == ApprovalStatus::Required {
        return (Some(WaitingFor::Approval), place.expires_at);
    }
    if place.held {
        return (Some(WaitingFor::Hold), None);
    }
    if !enabled {
        return (Some(WaitingFor::Disabled), None);
    }
    if let Some(not_before) = place.not_before.filter(|not_before| *not_before > now) {
        return (Some(WaitingFor::Schedule), Some(not_before));
    }
    match place.retry {
        Some((at, waiting_for)) if at > now => (Some(waiting_for), Some(at)),
        _ => (None, Some(now)),
    }
}

/// The order in which the operations of a lane take effect, where an account is wanted: what takes access away first. Where
/// none is wanted, what gives access is not sent again, and at the worst takes effect before it is taken away.
pub fn effect_order(operation: Operation, wanted: bool) -> u8 {
    match (operation, wanted) {
        (Operation::Create, _) => 0,
        (Operation::Delete, _) => 3,
        (operation, true) if operation.reduces_access() => 1,
        (_, true) => 2,
        (operation, false) if operation.reduces_access() => 2,
        (_, false) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, beside, effect_order, first, wait_of_first};
    use crate::model::{ApprovalStatus, WaitingFor};
    use crate::operation::Operation::{self, *};
    use crate::time::{Period, Timestamp};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
    const LATER: Timestamp = Timestamp::from_micros(2_000_000_000);
    const EARLIER: Timestamp = Timestamp::from_micros(500_000_000);

    const OPERATIONS: [Operation; 8] = [Create, Update, Activate, Deactivate, Freeze, Unfreeze, Delete, Read];

    /// Who goes first of two that were made in this order: `1` the first, `2` the second. Rows and columns are in the order
    /// of [`OPERATIONS`].
    const SETTLED: [&str; 8] = [
        "11111111", // Create
        "21122121", // Update
        "21122121", // Activate
        "21111111", // Deactivate
        "21121111", // Freeze
        "21122121", // Unfreeze
        "21122111", // Delete
        "21122121", // Read
    ];

    fn place(operation: Operation) -> Place {
        Place {
            operation,
            removes: false,
            approval: ApprovalStatus::NotRequired,
            held: false,
            sending: false,
            unsettled: false,
            not_before: None,
            expires_at: None,
            retry: None,
        }
    }

    /// Every pair of operations, with who goes first where both may move and nothing was sent.
    fn pairs() -> impl Iterator<Item = (Operation, Operation, usize)> {
        OPERATIONS.into_iter().zip(SETTLED).flat_map(|(one, row)| {
            OPERATIONS.into_iter().zip(row.bytes()).map(move |(other, digit)| (one, other, usize::from(digit - b'1')))
        })
    }

    #[test]
    fn two_that_may_move_go_by_what_they_do() {
        for (one, other, expected) in pairs() {
            assert_eq!(first(&[place(one), place(other)], NOW), Some(expected), "{one} before {other}");
        }
    }

    #[test]
    fn what_may_still_take_effect_moves_a_deletion_to_the_front_and_nothing_else() {
        for (one, other, expected) in pairs() {
            for (is_one, is_other) in [(true, false), (false, true), (true, true)] {
                let lane = [Place { unsettled: is_one, ..place(one) }, Place { unsettled: is_other, ..place(other) }];
                let expected = match (one == Delete && is_one, other == Delete && is_other) {
                    (true, _) => 0,
                    (false, true) => 1,
                    (false, false) => expected,
                };
                assert_eq!(first(&lane, NOW), Some(expected), "{one} {is_one} before {other} {is_other}");
            }
        }
    }

    #[test]
    fn what_cannot_move_lets_every_other_pass() {
        let asked = |operation| Place { approval: ApprovalStatus::Required, ..place(operation) };
        let scheduled = |operation| Place { not_before: Some(LATER), ..place(operation) };
        for (one, other, expected) in pairs() {
            let held = Place { held: true, ..place(one) };
            for blocked in [asked(one), scheduled(one), held, Place { unsettled: true, ..scheduled(one) }] {
                assert_eq!(first(&[blocked, place(other)], NOW), Some(1), "blocked {one} before {other}");
                assert_eq!(first(&[place(other), blocked], NOW), Some(0), "{other} before blocked {one}");
            }
            assert_eq!(first(&[asked(one), scheduled(other)], NOW), Some(expected), "both are blocked");
            let came = Place { not_before: Some(NOW), ..place(one) };
            assert_eq!(first(&[came, place(other)], NOW), Some(expected), "its time has come");
        }
    }

    #[test]
    fn what_is_being_sent_keeps_its_place_and_what_waits_for_its_next_attempt_too() {
        for (one, other, expected) in pairs() {
            let sending = Place { sending: true, ..place(one) };
            assert_eq!(first(&[place(other), sending], NOW), Some(1));
            assert_eq!(first(&[sending, Place { unsettled: true, ..place(Delete) }], NOW), Some(0));
            let waiting = Place { retry: Some((LATER, WaitingFor::Retry)), ..place(one) };
            assert_eq!(first(&[waiting, place(other)], NOW), Some(expected));
        }
        assert_eq!(first(&[], NOW), None);
    }

    #[test]
    fn what_takes_access_away_goes_beside_a_call_that_does_not() {
        let sending = |operation| Place { sending: true, ..place(operation) };
        for one in OPERATIONS {
            for other in OPERATIONS {
                let goes = other.reduces_access() && !one.reduces_access() && one != Create;
                assert_eq!(beside(&[sending(one), place(other)], NOW), goes.then_some(1), "{other} beside {one}");
                assert_eq!(beside(&[place(one), place(other)], NOW), None, "nothing is being sent");
                let asked = Place { approval: ApprovalStatus::Required, ..place(other) };
                assert_eq!(beside(&[asked, sending(one)], NOW), None, "it waits for a person");
            }
        }
        assert_eq!(beside(&[sending(Update), sending(Freeze), place(Deactivate)], NOW), None, "one beside another");
        assert_eq!(beside(&[place(Freeze), sending(Update), place(Delete), place(Deactivate)], NOW), Some(3));
    }

    #[test]
    fn an_update_that_takes_memberships_away_goes_with_what_takes_access_away() {
        let leaves = Place { removes: true, ..place(Update) };
        let tried = Place { retry: Some((LATER, WaitingFor::Retry)), ..leaves };
        let queued = Place { retry: Some((LATER, WaitingFor::Lane)), ..leaves };
        let goes_first = [(Create, false), (Update, true), (Activate, true), (Deactivate, false), (Freeze, false)];
        for (other, expected) in goes_first.into_iter().chain([(Unfreeze, true), (Delete, true), (Read, true)]) {
            assert_eq!(first(&[place(other), leaves], NOW), Some(usize::from(expected)), "beside {other}");
            assert_eq!(first(&[place(other), queued], NOW), Some(usize::from(expected)), "beside {other}");
        }
        assert_eq!(first(&[tried, place(Delete)], NOW), Some(1), "one that failed and waits keeps no account");
        assert_eq!(first(&[place(Update), tried], NOW), Some(1));
        let sending = |place: Place| Place { sending: true, ..place };
        assert_eq!(beside(&[sending(place(Update)), leaves], NOW), Some(1), "it goes beside what gives");
        assert_eq!(beside(&[sending(leaves), place(Deactivate)], NOW), None, "one beside another");
        assert_eq!(beside(&[sending(leaves), place(Update)], NOW), None);
    }

    #[test]
    fn what_takes_memberships_away_does_not_wait_for_a_removal_that_failed() {
        let leaves = Place { removes: true, ..place(Update) };
        let until = |place: Place, at| Place { retry: Some((at, WaitingFor::Retry)), ..place };
        let sooner = Timestamp::from_micros(LATER.as_micros() - 1);
        for one in [Deactivate, Freeze] {
            let failed = until(place(one), LATER);
            assert_eq!(first(&[failed, leaves], NOW), Some(1), "before {one}");
            let queued = Place { retry: Some((LATER, WaitingFor::Lane)), ..leaves };
            assert_eq!(first(&[failed, queued], NOW), Some(1), "its group's turn may come");
            assert_eq!(first(&[failed, until(leaves, LATER)], NOW), Some(0), "both wait as long");
            assert_eq!(first(&[failed, until(leaves, sooner)], NOW), Some(1), "so that its time comes");
            assert_eq!(first(&[until(place(one), NOW), leaves], NOW), Some(0), "{one} is due itself");
            assert_eq!(first(&[Place { sending: true, ..failed }, leaves], NOW), Some(0), "{one} is being sent");
            assert_eq!(first(&[failed, Place { held: true, ..leaves }], NOW), Some(0), "it waits for a person");
            assert_eq!(first(&[failed, place(Delete)], NOW), Some(0), "a deletion waits for {one}");
        }
        assert_eq!(first(&[until(leaves, LATER), until(leaves, sooner)], NOW), Some(1));
        assert_eq!(first(&[until(place(Create), LATER), leaves], NOW), Some(0), "there is no account");
    }

    #[test]
    fn the_first_says_what_it_waits_for() {
        let retry = |at| Place { retry: Some((at, WaitingFor::Settle)), ..place(Create) };
        let asked = Place { approval: ApprovalStatus::Required, expires_at: Some(LATER), ..retry(LATER) };
        let scheduled = Place { not_before: Some(LATER), ..retry(LATER.plus(Period::from_seconds(1))) };
        let free = Place { approval: ApprovalStatus::Approved, not_before: Some(NOW), ..place(Create) };
        let cases = [
            (free, true, (None, Some(NOW))),
            (free, false, (Some(WaitingFor::Disabled), None)),
            (asked, true, (Some(WaitingFor::Approval), Some(LATER))),
            (Place { held: true, ..asked }, true, (Some(WaitingFor::Approval), Some(LATER))),
            (Place { held: true, ..scheduled }, false, (Some(WaitingFor::Hold), None)),
            (Place { held: true, ..free }, true, (Some(WaitingFor::Hold), None)),
            (asked, false, (Some(WaitingFor::Approval), Some(LATER))),
            (scheduled, true, (Some(WaitingFor::Schedule), Some(LATER))),
            (scheduled, false, (Some(WaitingFor::Disabled), None)),
            (retry(LATER), true, (Some(WaitingFor::Settle), Some(LATER))),
            (retry(LATER), false, (Some(WaitingFor::Disabled), None)),
            (retry(NOW), true, (None, Some(NOW))),
            (retry(EARLIER), true, (None, Some(NOW))),
        ];
        for (place, enabled, expected) in cases {
            assert_eq!(wait_of_first(&place, enabled, NOW), expected, "{place:?}, enabled {enabled}");
        }
    }

    #[test]
    fn effects_end_with_what_is_wanted() {
        let by_effect = |wanted| {
            let mut operations = [Delete, Unfreeze, Freeze, Deactivate, Activate, Update, Create];
            operations.sort_by_key(|operation| effect_order(*operation, wanted));
            operations
        };
        assert_eq!(by_effect(true), [Create, Freeze, Deactivate, Unfreeze, Activate, Update, Delete]);
        assert_eq!(by_effect(false), [Create, Unfreeze, Activate, Update, Freeze, Deactivate, Delete]);
    }
}
