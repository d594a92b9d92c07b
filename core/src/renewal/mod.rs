//! When a token is used, renewed or waited for. Pure: what is known of it and the time are arguments.

use crate::protocol::Guard;
use crate::time::{Moment, Period, Timestamp};

/// A token is renewed so long before its end, or a fifth of its life where that is shorter.
const AHEAD: Period = Period::from_seconds(60);
/// It is told so long ahead that credentials end which only a person can renew.
const TOLD_AHEAD: Period = Period::from_seconds(14 * 86_400);

/// A token that is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Which of the app's tokens it is.
    pub(crate) serial: u64,
    pub(crate) issued_at: Timestamp,
    /// When it ends, where the server said so.
    pub(crate) expires_at: Option<Timestamp>,
}

impl Held {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether it is time to have another one.
    fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| {
            let fifth = Period::from_micros(end.since(self.issued_at).as_micros() / 5);
            end.since(now) <= AHEAD.min(fifth)
        })
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The token at hand is used.
    Use,
    /// Another one is asked for. `spare` says that the one at hand does until it ends.
    Renew { spare: bool },
    /// Somebody is asking for one.
    Wait,
}

/// What is to be done before the next request. `refused` is the token that a target does not accept; `asking` says for how
/// long somebody else is asking for another one.
pub(crate) fn next(
    held: Option<&Held>,
    refused: Option<u64>,
    asking: Option<&Guard>,
    now: Timestamp,
    moment: Moment,
) -> Next {
    let usable = held.filter(|held| Some(held.serial) != refused && !held.is_over(now));
    if usable.is_some_and(|held| !held.is_due(now)) {
        return Next::Use;
    }
    let is_asked = asking.is_some_and(|guard| guard.left(moment) > Period::ZERO);
    match (is_asked, usable.is_some()) {
        (true, true) => Next::Use,
        (true, false) => Next::Wait,
        (false, spare) => Next::Renew { spare },
    }
}

/// Whether it is time to tell that credentials end.
pub(crate) fn ends_soon(end: Timestamp, now: Timestamp) -> bool {
    end.since(now) <= TOLD_AHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Held = Held {
        serial: 7,
        issued_at: Timestamp::from_micros(0),
        expires_at: Some(Timestamp::from_micros(3_600_000_000)),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn moment(seconds: i64) -> Moment {
        Moment { boot: 1, micros: seconds * 1_000_000 }
    }

    #[test]
    fn a_token_is_used_until_shortly_before_its_end() {
        let short = Held { expires_at: Some(at(3)), ..HOUR };
        let endless = Held { expires_at: None, ..HOUR };
        let table = [
            (Some(HOUR), 0, Next::Use),
            (Some(HOUR), 3_539, Next::Use),
            (Some(HOUR), 3_540, Next::Renew { spare: true }),
            (Some(HOUR), 3_599, Next::Renew { spare: true }),
            (Some(HOUR), 3_600, Next::Renew { spare: false }),
            (Some(short), 2, Next::Use),
            (Some(short), 3, Next::Renew { spare: false }),
            (Some(endless), 1_000_000, Next::Use),
            (None, 0, Next::Renew { spare: false }),
        ];
        for (held, seconds, expected) in table {
            assert_eq!(next(held.as_ref(), None, None, at(seconds), moment(0)), expected, "{held:?} {seconds}");
        }
    }

    #[test]
    fn one_asks_and_the_others_wait_or_use_what_they_have() {
        let guard = Guard::new(moment(10), Period::from_seconds(60));
        let next = |held: Option<&Held>, refused, now, moment| next(held, refused, Some(&guard), now, moment);
        assert_eq!(next(Some(&HOUR), None, at(3_550), moment(20)), Next::Use);
        assert_eq!(next(Some(&HOUR), None, at(3_600), moment(20)), Next::Wait);
        assert_eq!(next(Some(&HOUR), Some(7), at(0), moment(20)), Next::Wait);
        assert_eq!(next(Some(&HOUR), Some(6), at(0), moment(20)), Next::Use);
        assert_eq!(next(None, None, at(0), moment(69)), Next::Wait);
        assert_eq!(next(None, None, at(0), moment(70)), Next::Renew { spare: false });
    }

    #[test]
    fn a_refused_token_is_renewed_whatever_its_end() {
        let table = [(Some(7), Next::Renew { spare: false }), (Some(6), Next::Use)];
        for (refused, expected) in table {
            assert_eq!(next(Some(&HOUR), refused, None, at(0), moment(0)), expected);
        }
    }
}
