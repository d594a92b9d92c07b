//! Before a call: may the request be sent, must its account be looked for first, and until when.

use crate::operation::Operation;
use crate::time::{Moment, Period, Timestamp};

/// How long after the intent a request may still be sent, where nothing is looked for before.
pub const SEND_WINDOW: Period = Period::from_seconds(5);

/// What is added to a lease for clocks and schedulers.
pub const SKEW: Period = Period::from_seconds(5);

/// What a target offers against a second account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// It can be searched.
    pub search: bool,
    /// It takes an idempotency key.
    pub key: bool,
    /// It refuses a second account with what is sent: a unique key is among it.
    pub refuses_second: bool,
}

impl Means {
    /// Whether a Create of which nobody knows what came may be sent once more.
    pub fn may_repeat_create(self) -> bool {
        self.search || self.key || self.refuses_second
    }

    /// Whether what was sent before has to be over before a Create is sent once more. A target that cannot be searched and
    /// refuses a second account, or knows the first one by its key, tells by its answer; nothing else would be learnt.
    pub fn must_settle(self) -> bool {
        self.search || !(self.key || self.refuses_second)
    }
}

/// How far a request is that is to be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// What it does.
    pub operation: Operation,
    /// A call of it is out, as far as anybody knows.
    pub sending: bool,
    /// Some attempt may still take effect.
    pub unsettled: bool,
    /// What is left of its own wait, by the clock that nobody can set.
    pub left: Period,
    /// Until when something else of its lane may still take effect.
    pub doubt: Option<Timestamp>,
}

/// What is done with a request that is to be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its wait is not over, whatever the clock on the wall says.
    Wait(Period),
    /// Something else of its lane may still take effect, and would come after it.
    Settle(Timestamp),
    /// Whoever was sending it is held for dead.
    Interrupt,
    /// Whether it was done cannot be found out, and it must not be done twice.
    Uncertain,
    /// It is sent, or looked at.
    Go,
}

/// What is done with a request that is due. What takes access away never waits for others; what gives it, or changes what it
/// is for, waits until nothing of the lane can come after it.
pub fn before_send(due: &Due, means: Means, now: Timestamp) -> Step {
    let creates = due.operation == Operation::Create;
    match due.doubt.filter(|until| *until > now) {
        _ if due.left > Period::ZERO => Step::Wait(due.left),
        _ if due.sending => Step::Interrupt,
        _ if creates && due.unsettled && !means.may_repeat_create() => Step::Uncertain,
        Some(until) if raises_access(due.operation) => Step::Settle(until),
        _ => Step::Go,
    }
}

/// What gives access, or changes what access is for.
pub fn raises_access(operation: Operation) -> bool {
    matches!(operation, Operation::Create | Operation::Update | Operation::Activate | Operation::Unfreeze)
}

/// What a Create is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The target can be searched.
    pub can_look: bool,
    /// Some attempt may still take effect.
    pub unsettled: bool,
    /// There were attempts before.
    pub again: bool,
    /// The app's rules may find an account that was there before, and the target would not tell of it by itself.
    pub matches: bool,
    /// The user may have the account.
    pub wanted: bool,
}

/// How a Create goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The account is looked for first.
    pub first: bool,
    /// It is made where it is not found.
    pub make: bool,
}

/// How a Create goes about it; none where there is nothing to be done. An account is never made without a look where there
/// was an attempt before, and what is no longer wanted is only looked for.
pub fn create_look(call: &Call) -> Option<Look> {
    let looks = call.unsettled && call.can_look;
    if !(call.wanted || looks) {
        return None;
    }
    Some(Look { first: call.can_look && (call.again || call.unsettled || call.matches), make: call.wanted })
}

/// Until when an attempt may send, and when whoever makes it is held for dead, both counted from its intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Nothing is sent after that.
    pub send: Period,
    /// A request sent at the last moment, and the read-back after it, have ended by then.
    pub lease: Period,
}

/// The window of an attempt that makes `looks` calls before it sends. Each call takes no longer than `request`.
pub fn window(looks: usize, request: Period) -> Window {
    let send = (0..looks).fold(SEND_WINDOW, |window, _| window.plus(request));
    Window { send, lease: send.plus(request).plus(request).plus(SKEW) }
}

/// Whether a request may still be sent. Asked last before the first byte goes out.
pub fn may_send(now: Moment, send_by: Moment) -> bool {
    !now.is_after(send_by)
}

/// Whether an answer is that of the last claim. Each claim, and whoever holds a claim for dead, raises the fence.
pub fn is_current(claimed: u32, fence: u32) -> bool {
    claimed == fence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation::{Activate, Create, Deactivate, Delete, Freeze, Read, Unfreeze, Update};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
    const MINUTE: Period = Period::from_seconds(60);
    const SEARCH: Means = Means { search: true, key: false, refuses_second: false };
    const BLIND: Means = Means { search: false, key: false, refuses_second: false };
    const KEY: Means = Means { key: true, ..BLIND };
    const UNIQUE: Means = Means { refuses_second: true, ..BLIND };

    fn due(operation: Operation) -> Due {
        Due { operation, sending: false, unsettled: false, left: Period::ZERO, doubt: None }
    }

    #[test]
    fn what_is_due_is_taken_up_as_the_table_says() {
        let later = NOW.plus(MINUTE);
        let doubted = |operation| Due { doubt: Some(later), ..due(operation) };
        let unsettled = |operation| Due { unsettled: true, ..due(operation) };
        let table = [
            (due(Create), BLIND, Step::Go),
            (unsettled(Create), SEARCH, Step::Go),
            (unsettled(Create), KEY, Step::Go),
            (unsettled(Create), UNIQUE, Step::Go),
            (unsettled(Create), BLIND, Step::Uncertain),
            (unsettled(Update), BLIND, Step::Go),
            (unsettled(Deactivate), BLIND, Step::Go),
            // A wait is over when the clock says so that nobody can set.
            (Due { left: MINUTE, ..due(Deactivate) }, SEARCH, Step::Wait(MINUTE)),
            (Due { left: MINUTE, sending: true, ..due(Update) }, SEARCH, Step::Wait(MINUTE)),
            (Due { sending: true, ..due(Update) }, SEARCH, Step::Interrupt),
            (Due { sending: true, ..due(Create) }, BLIND, Step::Interrupt),
            (Due { sending: true, ..due(Deactivate) }, SEARCH, Step::Interrupt),
            // What gives access waits for what may still take effect, what takes it away does not.
            (doubted(Create), SEARCH, Step::Settle(later)),
            (doubted(Update), SEARCH, Step::Settle(later)),
            (doubted(Activate), SEARCH, Step::Settle(later)),
            (doubted(Unfreeze), SEARCH, Step::Settle(later)),
            (doubted(Deactivate), SEARCH, Step::Go),
            (doubted(Freeze), SEARCH, Step::Go),
            (doubted(Delete), SEARCH, Step::Go),
            (doubted(Read), SEARCH, Step::Go),
            (Due { doubt: Some(NOW), ..due(Update) }, SEARCH, Step::Go),
        ];
        for (index, (due, means, expected)) in table.into_iter().enumerate() {
            assert_eq!(before_send(&due, means, NOW), expected, "row {index}: {due:?}");
        }
    }

    #[test]
    fn a_create_looks_first_wherever_an_account_may_be_there() {
        for bits in 0..32_u32 {
            let flag = |bit: u32| bits >> bit & 1 == 1;
            let call =
                Call { can_look: flag(0), unsettled: flag(1), again: flag(2), matches: flag(3), wanted: flag(4) };
            let look = create_look(&call);
            if let Some(look) = look {
                assert_eq!(look.make, call.wanted);
                let may_exist = call.again || call.unsettled || call.matches;
                assert_eq!(look.first, may_exist && call.can_look, "{call:?}");
            }
            let looks = call.unsettled && call.can_look;
            assert_eq!(look.is_some(), call.wanted || looks, "{call:?}");
        }
    }

    #[test]
    fn nothing_is_on_its_way_any_more_when_a_lease_ends() {
        for looks in 0..9 {
            for request in [Period::from_micros(1), Period::from_seconds(30), Period::from_seconds(86_400)] {
                let window = window(looks, request);
                assert!(window.send.plus(request).plus(request) < window.lease);
                assert!(
                    window.send >= SEND_WINDOW
                        && window.send >= Period::from_micros(request.as_micros() * looks as i64)
                );
            }
        }
    }

    #[test]
    fn nothing_is_sent_after_its_last_moment_or_after_another_boot() {
        let last = Moment { boot: 1, micros: 100 };
        assert!(may_send(Moment { boot: 1, micros: 100 }, last));
        assert!(!may_send(Moment { boot: 1, micros: 101 }, last));
        assert!(!may_send(Moment { boot: 2, micros: 1 }, last));
    }

    #[test]
    fn a_target_that_tells_of_a_second_create_by_its_answer_is_not_waited_for() {
        let told = [SEARCH, KEY, UNIQUE, BLIND].map(|means| (means.may_repeat_create(), means.must_settle()));
        assert_eq!(told, [(true, true), (true, false), (true, false), (false, true)]);
        assert!(Means { search: true, ..UNIQUE }.must_settle(), "what it says of its keys may be wrong");
    }
}
