//! The order within a lane, which is one user in one app: who goes first, and what the first waits for. Pure.

use crate::model::{ApprovalStatus, WaitingFor};
use crate::operation::Operation;
use crate::time::Timestamp;

/// What is known of one open request of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it does.
    pub operation: Operation,
    /// Whether somebody has to agree.
    pub approval: ApprovalStatus,
    /// An attempt is open.
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

/// Which of a lane's requests goes first; they are given oldest first. One that is being sent keeps its place. One that
/// cannot move, because it waits for a person or for its time, lets the others pass. A deletion that may still take effect
/// is cleared up before an account is made anew; an account is made before anything is done to it; what takes access away
/// goes before what changes or gives it, Deactivate first.
///
/// ```
/// use rollkeeper::{Operation, lane::{Place, first}, model::ApprovalStatus};
/// let place = |operation| Place { operation, approval: ApprovalStatus::NotRequired, sending: false, unsettled: false,
///     not_before: None, expires_at: None, retry: None };
/// let lane = [place(Operation::Update), place(Operation::Deactivate)];
/// assert_eq!(first(&lane, Default::default()), Some(1));
/// ```
pub fn first(lane: &[Place], now: Timestamp) -> Option<usize> {
    let rank = |place: &Place| {
        let blocked =
            place.approval == ApprovalStatus::Required || place.not_before.is_some_and(|not_before| not_before > now);
        let class = match place.operation {
            Operation::Delete if place.unsettled => 0,
            Operation::Create => 1,
            Operation::Deactivate => 2,
            Operation::Freeze => 3,
            Operation::Delete => 4,
            _ => 5,
        };
        (!place.sending, blocked, class)
    };
    lane.iter().enumerate().min_by_key(|(index, place)| (rank(place), *index)).map(|(index, _)| index)
}

/// What the first of a lane waits for, and when something happens next.
pub fn wait_of_first(place: &Place, enabled: bool, now: Timestamp) -> (Option<WaitingFor>, Option<Timestamp>) {
    if place.approval == ApprovalStatus::Required {
        return (Some(WaitingFor::Approval), place.expires_at);
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
