//! Access that was taken away beside something that may still give it back.

use super::Guard;
use crate::time::{Moment, Period, Timestamp};

/// What is known of another request of a lane of which something may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// A call of it is out: its settle time begins when its lease ends, at the latest.
    pub sending: bool,
    /// When nothing of it takes effect any more; of one that is being sent, when its lease ends.
    pub until: Timestamp,
    /// The same by the clock that nobody can set.
    pub guard: Option<Guard>,
    /// The app's settle time.
    pub settle: Period,
}

impl Doubt {
    fn left(&self, now: Timestamp, moment: Moment) -> Period {
        let by_wall = self.until.since(now);
        let own = self.guard.map_or(by_wall, |guard| guard.left(moment));
        if self.sending { own.plus(self.settle) } else { own }
    }
}

/// Until when something of a lane may still take effect, as far as its others go; none where nothing may.
pub fn doubtful_until(others: &[Doubt], now: Timestamp, moment: Moment) -> Option<Timestamp> {
    let left = others.iter().map(|doubt| doubt.left(now, moment)).max()?;
    (left > Period::ZERO).then(|| now.plus(left))
}

/// What follows a removal of access that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It is done.
    Complete,
    /// What may still take effect may undo it: the account is looked at once more at that time.
    LookAgain(Timestamp),
    /// As [`Confirmed::LookAgain`], of a target that cannot be read: it is sent once more.
    SendAgain(Timestamp),
}

/// What follows a removal of access that was done. `doubt` is until when something else might take effect as it was known
/// when the call began: what was over before the answer came may have taken effect after the account was read. An account
/// that is gone does not come back.
pub fn after_removal(verified: bool, gone: bool, doubt: Option<Timestamp>, now: Timestamp) -> Confirmed {
    match doubt.map(|until| until.max(now)) {
        Some(until) if !gone && verified => Confirmed::LookAgain(until),
        Some(until) if !gone => Confirmed::SendAgain(until),
        _ => Confirmed::Complete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
    const MOMENT: Moment = Moment { boot: 1, micros: 50_000_000 };
    const SETTLE: Period = Period::from_seconds(180);

    fn seconds(count: u32) -> Period {
        Period::from_seconds(count)
    }

    #[test]
    fn a_lane_is_in_doubt_as_long_as_any_of_it() {
        let doubt = |sending, left: u32| Doubt {
            sending,
            until: NOW.plus(seconds(left)),
            guard: Some(Guard::new(MOMENT, seconds(left))),
            settle: SETTLE,
        };
        let until = |others: &[Doubt]| doubtful_until(others, NOW, MOMENT).map(|until| until.since(NOW));
        assert_eq!(until(&[]), None);
        assert_eq!(until(&[doubt(false, 0)]), None);
        assert_eq!(until(&[doubt(false, 7), doubt(false, 100), doubt(false, 0)]), Some(seconds(100)));
        assert_eq!(until(&[doubt(true, 70), doubt(false, 100)]), Some(seconds(250)), "its settle time comes on top");
    }

    #[test]
    fn a_clock_that_is_set_ends_no_doubt() {
        let over = Doubt { sending: false, until: NOW, guard: Some(Guard::new(MOMENT, SETTLE)), settle: SETTLE };
        assert_eq!(doubtful_until(&[over], NOW, MOMENT), Some(NOW.plus(SETTLE)), "set forwards");
        let far = Doubt { until: NOW.plus(seconds(86_400)), ..over };
        assert_eq!(doubtful_until(&[far], NOW, MOMENT), Some(NOW.plus(SETTLE)), "set backwards");
        assert_eq!(doubtful_until(&[far], NOW, MOMENT.plus(SETTLE)), None);
        let unguarded = Doubt { guard: None, ..far };
        assert_eq!(doubtful_until(&[unguarded], NOW, MOMENT), Some(far.until));
    }

    #[test]
    fn a_removal_is_done_when_nothing_can_undo_it() {
        let later = NOW.plus(SETTLE);
        let table = [
            ((true, false, None), Confirmed::Complete),
            ((false, false, None), Confirmed::Complete),
            ((true, true, Some(later)), Confirmed::Complete),
            ((false, true, Some(later)), Confirmed::Complete),
            ((true, false, Some(later)), Confirmed::LookAgain(later)),
            ((false, false, Some(later)), Confirmed::SendAgain(later)),
            ((true, false, Some(Timestamp::default())), Confirmed::LookAgain(NOW)),
        ];
        for ((verified, gone, doubt), expected) in table {
            assert_eq!(after_removal(verified, gone, doubt, NOW), expected);
        }
    }
}
