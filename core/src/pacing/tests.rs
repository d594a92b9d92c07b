use super::*;
use crate::model::Outcome;

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn seconds(seconds: u32) -> Period {
    Period::from_seconds(seconds)
}

fn millis(millis: i64) -> Period {
    Period::from_micros(millis * 1_000)
}

fn rate(per_second: f64, burst: Option<u32>) -> Rate {
    Rate { per_second: Some(per_second), burst, concurrency: 100 }
}

fn bad() -> Health {
    Health::Bad(Code::TargetFailed, None)
}

/// An app's gate with its settings, and a clock.
struct Target {
    gate: Gate,
    rate: Rate,
    breaker: BreakerSettings,
    now: Timestamp,
}

impl Target {
    fn new(rate: Rate) -> Self {
        Self { gate: Gate::default(), rate, breaker: BreakerSettings::default(), now: START }
    }

    fn pace(&self) -> Pace<'_> {
        Pace { rate: self.rate, breaker: &self.breaker }
    }

    fn admit(&self, out: u32) -> Admission {
        admit(&self.gate, self.pace(), out, self.now)
    }

    /// Starts as many calls as may start.
    fn begin(&mut self) -> u32 {
        let room = self.admit(0).room;
        self.gate = begin(&self.gate, self.pace(), room, self.now);
        room
    }

    fn answer(&mut self, health: &Health) -> Vec<News> {
        let (gate, news) = after_call(&self.gate, self.pace(), health, self.now);
        self.gate = gate;
        news
    }

    fn wait(&mut self, period: Period) {
        self.now = self.now.plus(period);
    }

    /// How many calls start when each is made as soon as it may be, `late` after that.
    fn calls_in(&mut self, period: Period, late: Period) -> u32 {
        let end = self.now.plus(period);
        let mut calls = 0;
        while self.now < end {
            calls += self.begin();
            let next = self.admit(0).opens_at.unwrap();
            self.now = next.max(self.now).plus(late);
        }
        calls
    }
}

#[test]
fn without_a_rate_calls_are_only_as_many_at_a_time_as_may_be() {
    let mut target = Target::new(Rate { concurrency: 4, ..Rate::default() });
    for (out, room) in [(0, 4), (3, 1), (4, 0), (9, 0)] {
        assert_eq!(target.admit(out).room, room, "{out} are out");
        assert_eq!(target.admit(out).closed, None);
    }
    target.begin();
    assert_eq!(target.gate, Gate::default(), "there is nothing to remember");
    assert!(target.answer(&Health::Good).is_empty());
    assert_eq!(target.gate, Gate::default());
}

#[test]
fn calls_start_at_the_rate_and_never_sooner() {
    // Calls a second, burst, the burst that follows.
    for (per_second, burst, together) in
        [(0.1, None, 1), (1.0, None, 1), (10.0, None, 1), (50.0, None, 5), (10.0, Some(30), 30)]
    {
        let mut target = Target::new(rate(per_second, burst));
        assert_eq!(target.begin(), together, "{per_second} a second");
        assert_eq!(target.begin(), 0);
        assert_eq!(target.admit(0).closed, Some(WaitingFor::Rate));
        let next = target.admit(0).opens_at.unwrap();
        target.now = Timestamp::from_micros(next.as_micros() - 1);
        assert_eq!(target.begin(), 0, "a microsecond too early");
        target.now = next;
        assert_eq!(target.begin(), 1);
    }
}

#[test]
fn the_whole_of_the_rate_is_used_and_not_more_also_by_who_comes_late() {
    for per_second in [0.5, 3.0, 10.0, 97.0] {
        for late in [Period::ZERO, millis(1), millis(4)] {
            let mut target = Target::new(rate(per_second, Some(1)));
            let calls = f64::from(target.calls_in(seconds(200), late));
            let allowed = per_second * 200.0;
            assert!(calls <= allowed + 2.0, "{calls} of {allowed}");
            assert!(calls >= 0.97 * allowed, "{calls} of {allowed}, {late} late");
        }
    }
}

#[test]
fn no_window_has_more_than_the_burst_and_what_came_in() {
    let mut target = Target::new(rate(7.0, Some(5)));
    let mut starts = Vec::new();
    // A jagged walk through time.
    for step in 0..4_000_i64 {
        starts.extend((0..target.begin()).map(|_| target.now));
        target.wait(millis((step * 37) % 211));
    }
    for (index, first) in starts.iter().enumerate() {
        for (count, last) in starts.iter().skip(index).take(60).enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let most = 6.5 + last.since(*first).as_micros() as f64 * 7.0 / 1e6;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let calls = count as f64;
            assert!(calls <= most, "{calls} calls, {most} allowed");
        }
    }
}

#[test]
fn a_target_that_asks_for_patience_is_left_alone_and_then_sent_half_which_grows_back() {
    let mut target = Target::new(rate(10.0, Some(1)));
    target.begin();
    assert!(target.answer(&Health::Patience(Some(seconds(30)))).is_empty());
    assert_eq!(target.admit(0).closed, Some(WaitingFor::Rate));
    assert_eq!(target.admit(0).opens_at, Some(START.plus(seconds(30))));
    target.wait(millis(29_999));
    assert_eq!(target.begin(), 0);
    target.wait(millis(1));
    assert_eq!(target.begin(), 1, "one call at its end");
    let first = target.calls_in(seconds(1), Period::ZERO);
    assert!((4..=6).contains(&first), "{first} in the first second");
    target.wait(seconds(5));
    target.begin();
    let later = target.calls_in(seconds(10), Period::ZERO);
    assert!((98..=102).contains(&later), "{later} in ten seconds");
}

#[test]
fn answers_of_calls_that_were_out_together_halve_the_rate_once() {
    let mut target = Target::new(rate(10.0, None));
    for _ in 0..20 {
        target.answer(&Health::Patience(None));
    }
    assert_eq!(target.gate.share, 500);
    target.wait(seconds(2));
    target.answer(&Health::Patience(None));
    assert_eq!(target.gate.share, 300, "half of what it had grown to");
    for _ in 0..40 {
        target.wait(seconds(1));
        target.answer(&Health::Patience(None));
    }
    assert!(target.gate.share >= 32, "something always goes");
}

#[test]
fn without_a_rate_patience_halves_the_calls_at_the_same_time() {
    let mut target = Target::new(Rate { concurrency: 8, ..Rate::default() });
    target.answer(&Health::Patience(None));
    assert_eq!(target.admit(0).room, 0);
    target.wait(seconds(1));
    assert_eq!(target.admit(0).room, 4);
    target.wait(seconds(10));
    assert_eq!(target.admit(0).room, 8);
}

#[test]
fn no_target_is_waited_for_longer_than_a_day_and_a_longer_wait_is_not_shortened() {
    let mut target = Target::new(rate(10.0, None));
    target.answer(&Health::Patience(Some(seconds(40 * 86_400))));
    assert_eq!(target.admit(0).opens_at, Some(START.plus(MOST_PATIENCE)));
    target.answer(&Health::Patience(Some(seconds(5))));
    assert_eq!(target.admit(0).opens_at, Some(START.plus(MOST_PATIENCE)));
}

#[test]
fn a_clock_that_is_turned_back_keeps_nobody_waiting_for_ever() {
    let year = 365 * 86_400_i64 * 1_000_000;
    let back = Timestamp::from_micros(START.as_micros() - year);
    let mut target = Target::new(rate(10.0, None));
    target.begin();
    target.now = back;
    target.begin();
    target.wait(seconds(1));
    assert!(target.begin() > 0, "tokens");
    let mut target = Target::new(rate(10.0, None));
    target.answer(&Health::Patience(Some(seconds(60))));
    target.now = back;
    assert_eq!(target.admit(0).opens_at, Some(back.plus(MOST_PATIENCE)), "patience");
    let mut target = Target::new(Rate::default());
    (0..5).for_each(|_| drop(target.answer(&bad())));
    target.now = back;
    assert_eq!(target.admit(0).opens_at, Some(back.plus(seconds(900))), "the breaker");
}

#[test]
fn the_breaker_opens_after_failures_in_a_row_and_not_before() {
    let mut target = Target::new(Rate::default());
    for _ in 0..4 {
        assert!(target.answer(&bad()).is_empty());
    }
    target.answer(&Health::Good);
    for _ in 0..4 {
        assert!(target.answer(&bad()).is_empty(), "a success between counts");
    }
    let until = START.plus(seconds(30));
    assert_eq!(target.answer(&bad()), [News::Paused { until, reason: "target_failed".into() }]);
    let closed = target.admit(0);
    assert_eq!((closed.room, closed.closed, closed.opens_at), (0, Some(WaitingFor::Breaker), Some(until)));
    assert!(target.answer(&bad()).is_empty(), "a call that was out");
    target.wait(seconds(30));
    assert_eq!((target.admit(0).room, target.admit(0).probes), (1, true));
    assert_eq!(target.admit(1).room, 0, "one probe at a time");
}

#[test]
fn the_breaker_opens_at_a_share_of_failures() {
    // Of so many calls in the window, every n-th failing: does it open?
    for (calls, every, opens) in [(19, 2, false), (20, 2, true), (40, 3, false), (200, 4, false)] {
        let mut target = Target::new(Rate::default());
        let mut news = Vec::new();
        for call in 0..calls {
            let health = if call % every == 0 { bad() } else { Health::Good };
            news.extend(target.answer(&health));
        }
        // An even number of calls ends with a success: the failure that completes the share comes next.
        news.extend(target.answer(&bad()));
        assert_eq!(!news.is_empty(), opens || calls == 19, "{calls} calls, every {every}. fails");
    }
}

#[test]
fn failures_far_apart_are_not_counted_together() {
    let mut target = Target::new(Rate::default());
    for _ in 0..100 {
        assert!(target.answer(&bad()).is_empty());
        target.wait(seconds(31));
        target.answer(&Health::Good);
        target.wait(seconds(31));
    }
    target.answer(&Health::Good);
    assert_eq!(target.gate, Gate::default(), "nothing is left to remember");
}

#[test]
fn refused_credentials_open_it_at_once_and_a_refused_record_never() {
    let mut target = Target::new(Rate::default());
    let until = START.plus(seconds(30));
    let health = Health::of(&ConnectorError::new(Outcome::NotApplied, "unauthorized", ""));
    assert_eq!(target.answer(&health), [News::Paused { until, reason: "unauthorized".into() }]);
    for code in ["rejected", "account_missing", "unsupported", "conflict", "not_confirmed"] {
        assert_eq!(Health::of(&ConnectorError::new(Outcome::Rejected, code, "")), Health::Good, "{code}");
    }
    assert_eq!(Health::of(&ConnectorError::new(Outcome::NotApplied, "cancelled", "")), Health::Unknown);
}

#[test]
fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
    let mut target = Target::new(Rate::default());
    let mut pauses = Vec::new();
    for _ in 0..4 {
        target.answer(&bad());
    }
    for _ in 0..8 {
        target.answer(&bad());
        let until = target.admit(0).opens_at.unwrap();
        pauses.push(until.since(target.now).as_micros() / 1_000_000);
        target.now = until;
    }
    assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900, 900]);
    target.answer(&Health::Good);
    assert_eq!((target.admit(0).room, target.admit(0).probes), (4, false));
    (0..5).for_each(|_| drop(target.answer(&bad())));
    assert_eq!(target.admit(0).opens_at, Some(target.now.plus(seconds(30))));
}

#[test]
fn the_settings_of_the_breaker_hold() {
    let mut target = Target::new(Rate::default());
    target.breaker = BreakerSettings { failures: 2, first: seconds(5), cap: seconds(7), ..BreakerSettings::default() };
    target.answer(&bad());
    assert_eq!(target.admit(0).room, 4);
    target.answer(&bad());
    assert_eq!(target.admit(0).opens_at, Some(START.plus(seconds(5))));
    target.wait(seconds(5));
    target.answer(&bad());
    assert_eq!(target.admit(0).opens_at, Some(target.now.plus(seconds(7))));
}

#[test]
fn a_target_that_is_gone_for_a_day_is_told_once_then_daily_and_when_it_is_back() {
    let mut target = Target::new(Rate::default());
    let mut told = Vec::new();
    (0..4).for_each(|_| drop(target.answer(&bad())));
    while target.now.since(START) < seconds(3 * 86_400 + 7_200) {
        for news in target.answer(&bad()) {
            if !matches!(news, News::Paused { .. }) {
                told.push((news, target.now.since(START).as_micros() / 3_600_000_000));
            }
        }
        target.now = target.admit(0).opens_at.unwrap();
    }
    let (since, reason) = (START, "target_failed".to_owned());
    assert_eq!(
        told,
        [
            (News::Quarantined { since, reason: reason.clone(), days: 1 }, 24),
            (News::Quarantined { since, reason: reason.clone(), days: 2 }, 48),
            (News::Quarantined { since, reason, days: 3 }, 72),
        ]
    );
    assert_eq!(target.answer(&Health::Good), [News::QuarantineEnded { since }]);
    assert_eq!(target.admit(0).room, 4);
}

#[test]
fn trouble_with_a_wish_leaves_the_target_alone_for_so_long() {
    let mut target = Target::new(rate(10.0, None));
    target.answer(&Health::Bad(Code::TargetFailed, Some(seconds(120))));
    assert_eq!(target.admit(0).opens_at, Some(START.plus(seconds(120))));
    assert_eq!(target.gate.share, WHOLE, "it did not say that it is asked too often");
}

#[test]
fn maintenance_lets_nothing_through_and_has_no_end_by_the_clock() {
    let mut target = Target::new(rate(10.0, None));
    target.gate.maintenance = Some((START, "ann".into()));
    let closed = target.admit(0);
    assert_eq!((closed.room, closed.closed, closed.opens_at), (0, Some(WaitingFor::Maintenance), None));
    target.answer(&Health::Good);
    assert!(target.gate.maintenance.is_some(), "an answer that comes late does not end it");
}
