//! The breaker: a target that fails is left alone, and asked from time to time by one call.

use super::{DAY, Gate, News, Pause, Window};
use crate::model::BreakerSettings;
use crate::time::{Period, Timestamp};

/// Until when the breaker lets nothing through; none where it is closed, or lets one call through.
pub(super) fn closed_until(gate: &Gate, settings: &BreakerSettings, now: Timestamp) -> Option<Timestamp> {
    // A clock that was turned back makes nobody wait longer than the longest pause.
    gate.pause.as_ref().map(|pause| pause.until.min(now.plus(settings.cap))).filter(|until| *until > now)
}

/// The gate after a call that went well: the breaker is closed.
pub(super) fn after_success(gate: &Gate, settings: &BreakerSettings, now: Timestamp) -> (Gate, Vec<News>) {
    let quarantined = gate.pause.as_ref().filter(|pause| pause.quarantined_at.is_some());
    let news = quarantined.map(|pause| News::QuarantineEnded { since: pause.opened_at }).into_iter().collect();
    let window = gate.window.filter(|_| gate.pause.is_none()).filter(|window| lasts(window, settings, now));
    let window = window.map(|window| Window { calls: window.calls.saturating_add(1), ..window });
    (Gate { failures: 0, openings: 0, pause: None, window, ..gate.clone() }, news)
}

/// The gate after a failure of the target. `at_once` opens the breaker without counting.
pub(super) fn after_failure(
    gate: &Gate,
    settings: &BreakerSettings,
    reason: &str,
    at_once: bool,
    now: Timestamp,
) -> (Gate, Vec<News>) {
    let mut gate = gate.clone();
    gate.failures = gate.failures.saturating_add(1);
    let begun = Window { at: now, calls: 0, failures: 0 };
    let window = gate.window.filter(|window| lasts(window, settings, now)).unwrap_or(begun);
    let window =
        Window { calls: window.calls.saturating_add(1), failures: window.failures.saturating_add(1), ..window };
    gate.window = Some(window);
    if closed_until(&gate, settings, now).is_some() {
        // A call that was out when the breaker opened.
        return (gate, Vec::new());
    }
    let share = u64::from(window.failures) * 100 >= u64::from(window.calls) * u64::from(settings.percent);
    let opens = at_once
        || gate.pause.is_some()
        || gate.failures >= settings.failures
        || (window.calls >= settings.calls && share);
    if !opens {
        return (gate, Vec::new());
    }
    let news = open(&mut gate, settings, reason, now);
    (gate, news)
}

/// Opens the breaker, or keeps it open after a probe that failed.
fn open(gate: &mut Gate, settings: &BreakerSettings, reason: &str, now: Timestamp) -> Vec<News> {
    let factor = 1_i64.checked_shl(gate.openings.min(32)).unwrap_or(i64::MAX);
    let length = Period::from_micros(settings.first.as_micros().saturating_mul(factor)).min(settings.cap);
    let until = now.plus(length);
    gate.openings = gate.openings.saturating_add(1);
    gate.window = None;
    let before = gate.pause.take();
    let mut pause = Pause {
        opened_at: before.as_ref().map_or(now, |pause| pause.opened_at.min(now)),
        until,
        reason: reason.to_owned(),
        quarantined_at: before.as_ref().and_then(|pause| pause.quarantined_at),
        told_at: before.as_ref().and_then(|pause| pause.told_at),
    };
    let mut news = vec![News::Paused { until, reason: reason.to_owned() }];
    let open_for = now.since(pause.opened_at);
    if open_for >= DAY {
        // A target that has been gone for a day is told once a day, not each time that it does not answer.
        news.clear();
        pause.quarantined_at = pause.quarantined_at.or(Some(now));
        if pause.told_at.is_none_or(|told| now.since(told) >= DAY) {
            pause.told_at = Some(now);
            let days = open_for.as_micros() / DAY.as_micros();
            news.push(News::Quarantined { since: pause.opened_at, reason: reason.to_owned(), days });
        }
    }
    gate.pause = Some(pause);
    news
}

/// Whether calls still count together with the failure that began the window.
fn lasts(window: &Window, settings: &BreakerSettings, now: Timestamp) -> bool {
    now >= window.at && now.since(window.at) <= settings.window
}
