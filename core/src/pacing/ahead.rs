//! How many calls one worker is given at a time. Each commit waits for the disk: where a target answers faster than that, one
//! commit is to carry the intents of many calls, and no more than are made within a moment.

use super::{Gate, Pace, WHOLE};
use crate::time::Period;

/// How many calls one worker is given at the most. What a process that dies has claimed is looked at one by one afterwards.
const MOST: i64 = 8;
/// So long a worker is to be busy with what it was given, by the time that calls to the target take.
const BUSY: Period = Period::from_micros(20_000);
/// When that much time has passed, it gives back what it has not begun.
pub(crate) const LONGEST: Period = Period::from_micros(100_000);

/// How many calls to the target one worker is given, where each takes about `call_time`. One by one go those to a target of
/// which that is not known, that has a rate, or of which anything is known that speaks against it: what is claimed counts as
/// sent, and what is not claimed may wait for the target to be well.
pub(crate) fn depth(gate: &Gate, pace: Pace<'_>, call_time: Option<Period>) -> usize {
    let is_calm = gate.failures == 0 && gate.pause.is_none() && gate.patience_until.is_none() && gate.share == WHOLE;
    let Some(call_time) = call_time.filter(|_| is_calm && pace.rate.per_second.is_none()) else { return 1 };
    let fit = BUSY.as_micros() / call_time.as_micros().max(1);
    usize::try_from(fit.clamp(1, MOST)).unwrap_or(1)
}

/// How long a call takes about, after one that took `last`: a slow one counts at once, fast ones little by little.
pub(crate) fn typical(known: Option<Period>, last: Period) -> Period {
    let Some(known) = known.filter(|known| *known > last) else { return last };
    Period::from_micros((known.as_micros().saturating_mul(3) + last.as_micros()) / 4)
}

#[cfg(test)]
mod tests {
    use super::super::{Pause, Window};
    use super::*;
    use crate::model::{BreakerSettings, Rate};
    use crate::time::Timestamp;

    const FAST: Option<Period> = Some(Period::from_micros(50));

    fn depth_of(gate: &Gate, rate: &Rate, call_time: Option<Period>) -> usize {
        depth(gate, Pace { rate: *rate, breaker: &BreakerSettings::default() }, call_time)
    }

    #[test]
    fn a_worker_is_given_what_it_does_in_a_moment() {
        let times = [(0, 8), (50, 8), (2_500, 8), (4_000, 5), (20_000, 1), (100_000, 1), (i64::MAX, 1)];
        for (micros, calls) in times {
            let given = depth_of(&Gate::default(), &Rate::default(), Some(Period::from_micros(micros)));
            assert_eq!(given, calls, "{micros} µs");
        }
        assert_eq!(depth_of(&Gate::default(), &Rate::default(), None), 1, "nothing is known");
    }

    #[test]
    fn a_target_with_a_rate_or_in_trouble_is_sent_one_call_at_a_time() {
        let calm = Gate::default();
        let now = Timestamp::default();
        let pause = Pause { opened_at: now, until: now, reason: String::new(), quarantined_at: None, told_at: None };
        let window = Window { at: now, calls: 1, failures: 1 };
        let rate = Rate { per_second: Some(1e6), ..Rate::default() };
        assert_eq!(depth_of(&calm, &rate, FAST), 1);
        for gate in [
            Gate { failures: 1, window: Some(window), ..calm.clone() },
            Gate { pause: Some(pause), ..calm.clone() },
            Gate { patience_until: Some(now), ..calm.clone() },
            Gate { share: WHOLE / 2, ..calm },
        ] {
            assert_eq!(depth_of(&gate, &Rate::default(), FAST), 1, "{gate:?}");
        }
    }

    #[test]
    fn a_slow_call_counts_at_once_and_fast_ones_little_by_little() {
        let micros = |known, last| typical(known, Period::from_micros(last)).as_micros();
        assert_eq!(micros(None, 70), 70);
        assert_eq!(micros(Some(Period::from_micros(70)), 9_000), 9_000);
        assert_eq!(micros(Some(Period::from_micros(9_000)), 1_000), 7_000);
    }
}
