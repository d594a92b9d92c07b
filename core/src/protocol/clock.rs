//! Waits that nobody shortens by setting a clock. What is due is stored by the clock on the wall, so that it can be shown and
//! found; whether it is really over is told by moments.

use crate::time::{Moment, Period, Timestamp};

/// Two clocks that differ by less tell the same.
const TOLERANCE: Period = Period::from_seconds(1);

/// Something that is waited for, on a clock that nobody can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// When it is over.
    pub until: Moment,
    /// The whole wait, which begins anew after another boot.
    pub wait: Period,
}

impl Guard {
    /// A wait that begins now.
    pub fn new(now: Moment, wait: Period) -> Self {
        Self { until: now.plus(wait), wait }
    }

    /// What is left of the wait: after another boot all of it, since nobody knows how long the machine was off.
    pub fn left(&self, now: Moment) -> Period {
        self.until.since(now).map_or(self.wait, |left| left.min(self.wait))
    }
}

/// What both clocks showed when they were looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The clock on the wall.
    pub time: Timestamp,
    /// The clock that nobody can set.
    pub moment: Moment,
}

/// What became of the clock on the wall since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It went on.
    None,
    /// It was set, forwards by so many microseconds, or backwards where they are negative.
    By(i64),
    /// The machine was started again: nobody can tell.
    Boot,
}

impl Reference {
    /// What became of the clock on the wall since.
    pub fn turn(&self, time: Timestamp, moment: Moment) -> Turn {
        if self.moment.boot != moment.boot || moment.micros < self.moment.micros {
            return Turn::Boot;
        }
        let passed = moment.micros - self.moment.micros;
        let shown = time.as_micros().saturating_sub(self.time.as_micros());
        let by = shown.saturating_sub(passed);
        if by.saturating_abs() <= TOLERANCE.as_micros() { Turn::None } else { Turn::By(by) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn moment(boot: u64, seconds: i64) -> Moment {
        Moment { boot, micros: seconds * SECOND }
    }

    #[test]
    fn a_wait_is_over_by_moments_and_begins_anew_after_another_boot() {
        let wait = Period::from_seconds(180);
        let guard = Guard::new(moment(1, 1000), wait);
        let table = [
            (moment(1, 1000), 180),
            (moment(1, 1100), 80),
            (moment(1, 1180), 0),
            (moment(1, 9999), 0),
            // A clock that goes back is wrong, and nothing is waited for longer than was asked for.
            (moment(1, 5), 180),
            (moment(2, 5), 180),
            (moment(2, 99_999), 180),
        ];
        for (now, left) in table {
            assert_eq!(guard.left(now), Period::from_seconds(left), "{now:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_told_from_time_that_passes() {
        let noon = Timestamp::from_micros(43_200 * SECOND);
        let reference = Reference { time: noon, moment: moment(1, 1000) };
        let at = |seconds: i64| Timestamp::from_micros(noon.as_micros() + seconds * SECOND);
        let table = [
            (at(0), moment(1, 1000), Turn::None),
            (at(3600), moment(1, 4600), Turn::None),
            (at(3601), moment(1, 4600), Turn::None),
            (at(3602), moment(1, 4600), Turn::By(2 * SECOND)),
            (at(-86_400), moment(1, 1000), Turn::By(-86_400 * SECOND)),
            (at(-86_390), moment(1, 1010), Turn::By(-86_400 * SECOND)),
            (at(3600), moment(2, 4600), Turn::Boot),
            (at(3600), moment(1, 999), Turn::Boot),
        ];
        for (time, moment, expected) in table {
            assert_eq!(reference.turn(time, moment), expected, "{time} {moment:?}");
        }
    }
}
