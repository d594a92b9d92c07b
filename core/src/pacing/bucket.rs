//! The token bucket, and what of the rate is used after a target has asked for patience.

use super::{Gate, MOST_PATIENCE, WHOLE};
use crate::model::Rate;
use crate::time::{Period, Timestamp};

/// One call, in the bucket's unit.
const CALL: i64 = 1_000;
/// By how much the bucket may be fuller than full for a while, so that who comes late for a token has the next in time.
const LATENESS: i64 = 500;
/// After a target has asked for patience, answers of the calls that were out then say nothing new for that long.
const SAME: Period = Period::from_seconds(1);
/// The least share of the rate that is used.
const LEAST: u32 = 32;
/// By how much the share grows in a second.
const GROWTH: i64 = 100;

/// How many calls may start together.
fn burst(rate: &Rate) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest whole number there is")]
    let tenth = rate.per_second.map_or(1, |per_second| (per_second / 10.0) as i64);
    rate.burst.map_or_else(|| tenth.clamp(1, 10_000), i64::from)
}

/// How many thousandths of a call come in a second, with the share of the rate that is used.
fn speed(rate: &Rate, share: u32) -> Option<f64> {
    rate.per_second.map(|per_second| per_second * f64::from(share))
}

/// The gate as it is now: with what came into the bucket, and the share that has grown.
pub(super) fn filled(gate: &Gate, rate: &Rate, now: Timestamp) -> Gate {
    let full = burst(rate) * CALL;
    let mut gate = Gate { tokens: gate.tokens, share: share(gate, now), share_at: now, ..gate.clone() };
    if gate.patience_until.is_some_and(|until| until <= now) {
        gate.patience_until = None;
    }
    if gate.filled_at > now && gate.patience_until.is_none() {
        // Somebody turned the clock back. One call may start, and the time counts from it on.
        (gate.tokens, gate.filled_at) = (gate.tokens.max(CALL), now);
    }
    let Some(speed) = speed(rate, gate.share) else { return gate };
    let passed = now.since(gate.filled_at).as_micros();
    #[expect(clippy::cast_possible_truncation, reason = "what does not fit into the bucket is lost anyway")]
    #[expect(clippy::cast_precision_loss, reason = "a bucket is not filled to the microsecond after centuries")]
    let (came, took) = {
        let came = (passed as f64 * speed / 1e6).floor();
        (came as i64, (came * 1e6 / speed).ceil() as i64)
    };
    gate.tokens = gate.tokens.saturating_add(came);
    gate.filled_at = gate.filled_at.plus(Period::from_micros(took));
    if gate.tokens > full + LATENESS {
        // Nobody was only late: it is full.
        (gate.tokens, gate.filled_at) = (full, now);
    }
    gate
}

/// The share of the rate that is used now.
fn share(gate: &Gate, now: Timestamp) -> u32 {
    let passed = now.since(gate.share_at).as_micros();
    let grown = i64::from(gate.share).saturating_add(passed.saturating_mul(GROWTH) / 1_000_000);
    u32::try_from(grown).unwrap_or(WHOLE).min(WHOLE)
}

/// How many calls the bucket lets start.
pub(super) fn room(gate: &Gate, rate: &Rate) -> u32 {
    match rate.per_second {
        Some(_) => u32::try_from((gate.tokens / CALL).max(0)).unwrap_or(u32::MAX),
        None => u32::MAX,
    }
}

/// How many calls may be out: where no rate is known, the share is one of these.
pub(super) fn concurrency(gate: &Gate, rate: &Rate) -> u32 {
    match rate.per_second {
        Some(_) => rate.concurrency,
        None => (rate.concurrency.saturating_mul(gate.share) / WHOLE).max(1),
    }
}

/// When the bucket, filled until now, has a whole token again.
pub(super) fn next_at(gate: &Gate, rate: &Rate) -> Timestamp {
    let missing = (CALL - gate.tokens).max(0);
    #[expect(clippy::cast_possible_truncation, reason = "a wait beyond the end of time ends there")]
    #[expect(clippy::cast_precision_loss, reason = "a bucket is never that far below zero")]
    let wait = speed(rate, gate.share).map_or(0, |speed| (missing as f64 * 1e6 / speed).ceil() as i64);
    gate.filled_at.plus(Period::from_micros(wait))
}

/// The gate after so many calls were taken out of the bucket. Without a rate nothing is counted.
pub(super) fn taken(gate: &Gate, rate: &Rate, calls: u32, now: Timestamp) -> Gate {
    if rate.per_second.is_none() || calls == 0 {
        return gate.clone();
    }
    let filled = filled(gate, rate, now);
    // The share is kept as it was when it fell: it grows in steps that are too small to be written each time.
    let (share, share_at) = (gate.share, gate.share_at);
    Gate { tokens: filled.tokens.saturating_sub(i64::from(calls) * CALL), share, share_at, ..filled }
}

/// Until when the target asked for patience.
pub(super) fn asked_until(gate: &Gate, now: Timestamp) -> Option<Timestamp> {
    // A clock that was turned back makes nobody wait longer than a target may ask for.
    gate.patience_until.map(|until| until.min(now.plus(MOST_PATIENCE))).filter(|until| *until > now)
}

/// Leaves the target alone for a while. Nothing comes into the bucket meanwhile, and one call starts at its end.
pub(super) fn be_patient(gate: &mut Gate, wait: Period, now: Timestamp) {
    let until = now.plus(wait.min(MOST_PATIENCE));
    let until = asked_until(gate, now).map_or(until, |asked| asked.max(until));
    gate.patience_until = Some(until);
    gate.filled_at = until;
    gate.tokens = gate.tokens.min(CALL);
}

/// The gate after the target asked for patience: half of the rate is used from then on. Several answers to calls that were
/// out together count once.
pub(super) fn slowed(gate: &Gate, wait: Period, now: Timestamp) -> Gate {
    let mut slower = gate.clone();
    let known = asked_until(gate, now).is_some();
    be_patient(&mut slower, wait.max(SAME), now);
    if !known {
        slower.share = (share(gate, now) / 2).max(LEAST);
    }
    slower.share_at = slower.filled_at;
    slower.tokens = CALL;
    slower
}
