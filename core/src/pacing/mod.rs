//! How a target is paced: how many calls may be made to it now, and what a call tells about it. Pure; what is known of an app
//! is a [`Gate`], which every process on a file shares.
//!
//! * [`admit`] says how many calls may start, and when the next may.
//! * [`begin`] takes them out of the token bucket.
//! * [`depth`] says how many one worker is given at a time.
//! * [`after_call`] learns from an answer: the breaker opens and closes, the rate that is used falls and grows.

mod ahead;
mod breaker;
mod bucket;
#[cfg(test)]
mod tests;

pub(crate) use ahead::{LONGEST, depth, typical};

use crate::fault::{Blame, Code};
use crate::model::{BreakerSettings, ConnectorError, Rate, WaitingFor};
use crate::time::{Period, Timestamp};

/// Nobody is waited for longer than that, whatever a target asks for.
pub(crate) const MOST_PATIENCE: Period = Period::from_seconds(86_400);
/// How long a target is left alone that asks for patience and does not say how long.
const USUAL_PATIENCE: Period = Period::from_seconds(1);
/// A breaker that is open for that long is a quarantine, and it is told once in that time.
const DAY: Period = Period::from_seconds(86_400);
/// The whole of something, in thousandths.
const WHOLE: u32 = 1_000;

/// What is known of an app's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    /// How many calls may start at once, in thousandths; below zero where calls were made of which nobody knew before.
    pub(crate) tokens: i64,
    /// When that was so.
    pub(crate) filled_at: Timestamp,
    /// Nothing is sent before that: the target asked for it.
    pub(crate) patience_until: Option<Timestamp>,
    /// The share of the rate that was used at `share_at`, in thousandths; it grows from then on.
    pub(crate) share: u32,
    pub(crate) share_at: Timestamp,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// The calls since a first failure, while its window lasts.
    pub(crate) window: Option<Window>,
    /// How often the breaker opened without a success between.
    pub(crate) openings: u32,
    /// The breaker, where it is open.
    pub(crate) pause: Option<Pause>,
    /// Since when nothing is sent because a person said so, and who.
    pub(crate) maintenance: Option<(Timestamp, String)>,
}

impl Default for Gate {
    /// Of an app to which nothing was ever sent.
    fn default() -> Self {
        Self {
            tokens: i64::MAX,
            filled_at: Timestamp::default(),
            patience_until: None,
            share: WHOLE,
            share_at: Timestamp::default(),
            failures: 0,
            window: None,
            openings: 0,
            pause: None,
            maintenance: None,
        }
    }
}

/// Calls and failures since a first failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) at: Timestamp,
    pub(crate) calls: u32,
    pub(crate) failures: u32,
}

/// An open breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Since when nothing has gone well.
    pub(crate) opened_at: Timestamp,
    /// When one call is let through.
    pub(crate) until: Timestamp,
    /// Why it opened: the code of a failure.
    pub(crate) reason: String,
    /// When it had been open for a day.
    pub(crate) quarantined_at: Option<Timestamp>,
    /// When that was told last.
    pub(crate) told_at: Option<Timestamp>,
}

/// What an app's definition says about its pace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace<'a> {
    pub(crate) rate: Rate,
    pub(crate) breaker: &'a BreakerSettings,
}

impl<'a> Pace<'a> {
    pub(crate) fn of(app: &'a crate::model::App) -> Self {
        Self { rate: app.effective_rate(), breaker: &app.breaker }
    }
}

/// How a call ended, as far as its target is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    /// The target is in trouble; it may ask to be left alone for a while.
    Bad(Code, Option<Period>),
    /// The credentials are refused.
    Refused(Code),
    /// The target asks for patience.
    Patience(Option<Period>),
    /// Nothing is known: nothing was sent.
    Unknown,
}

impl Health {
    /// What a failure says about the target. A refused record says nothing against it.
    pub(crate) fn of(error: &ConnectorError) -> Self {
        match Code::from_name(&error.code) {
            Some(code) if code.refuses_credentials() => Self::Refused(code),
            Some(Code::RateLimited) => Self::Patience(error.retry_after),
            // Something on our side kept the call from being sent.
            Some(Code::Cancelled | Code::TokenPending) => Self::Unknown,
            Some(code) if code.blame() == Blame::Store => Self::Unknown,
            Some(
                code @ (Code::Unreachable
                | Code::Timeout
                | Code::TargetFailed
                | Code::TlsFailed
                | Code::ProxyFailed
                | Code::InvalidAnswer
                | Code::ConnectorFailed),
            ) => Self::Bad(code, error.retry_after),
            _ => Self::Good,
        }
    }

    /// Whether what we prove ourselves by, or whom we trust, may have been changed meanwhile.
    pub(crate) fn doubts_credentials(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Bad(Code::TlsFailed | Code::ProxyFailed, _))
    }
}

/// Whether calls may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    /// How many may start now.
    pub(crate) room: u32,
    /// What keeps calls back, where it is not only that enough are out.
    pub(crate) closed: Option<WaitingFor>,
    /// When the next may start; none where that is not for the clock to say.
    pub(crate) opens_at: Option<Timestamp>,
    /// The call that starts now shows whether the target is back.
    pub(crate) probes: bool,
}

/// How many calls to the target may start now, where `out` are being made.
pub(crate) fn admit(gate: &Gate, pace: Pace<'_>, out: u32, now: Timestamp) -> Admission {
    let closed = |wait, opens_at| Admission { room: 0, closed: Some(wait), opens_at, probes: false };
    if gate.maintenance.is_some() {
        return closed(WaitingFor::Maintenance, None);
    }
    if let Some(until) = breaker::closed_until(gate, pace.breaker, now) {
        return closed(WaitingFor::Breaker, Some(until));
    }
    if let Some(until) = bucket::asked_until(gate, now) {
        return closed(WaitingFor::Rate, Some(until));
    }
    let gate = bucket::filled(gate, &pace.rate, now);
    let probes = gate.pause.is_some();
    let most = if probes { 1 } else { bucket::concurrency(&gate, &pace.rate) };
    let left = most.saturating_sub(out);
    let room = left.min(bucket::room(&gate, &pace.rate));
    if room > 0 {
        return Admission { room, closed: None, opens_at: Some(now), probes };
    }
    if left == 0 {
        // Whoever makes these calls goes on when they end.
        let wait = probes.then_some(WaitingFor::Breaker);
        return Admission { room, closed: wait, opens_at: None, probes };
    }
    closed(WaitingFor::Rate, Some(bucket::next_at(&gate, &pace.rate)))
}

/// The gate after so many calls were begun.
pub(crate) fn begin(gate: &Gate, pace: Pace<'_>, calls: u32, now: Timestamp) -> Gate {
    bucket::taken(gate, &pace.rate, calls, now)
}

/// What came of an answer besides another state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The breaker opened.
    Paused { until: Timestamp, reason: String },
    /// It has been open for so many days now; told once a day.
    Quarantined { since: Timestamp, reason: String, days: i64 },
    /// A call went well after more than a day.
    QuarantineEnded { since: Timestamp },
}

/// What is known of the target after a call, and what is to be told.
pub(crate) fn after_call(gate: &Gate, pace: Pace<'_>, health: &Health, now: Timestamp) -> (Gate, Vec<News>) {
    match health {
        Health::Unknown => (gate.clone(), Vec::new()),
        Health::Good => breaker::after_success(gate, pace.breaker, now),
        // A target that asks for patience is there, and its breaker is not asked.
        Health::Patience(wait) => (bucket::slowed(gate, wait.unwrap_or(USUAL_PATIENCE), now), Vec::new()),
        Health::Bad(code, wait) => {
            let (mut gate, news) = breaker::after_failure(gate, pace.breaker, code.name(), false, now);
            if let Some(wait) = wait.filter(|wait| *wait > Period::ZERO) {
                bucket::be_patient(&mut gate, wait, now);
            }
            (gate, news)
        }
        Health::Refused(code) => breaker::after_failure(gate, pace.breaker, code.name(), true, now),
    }
}
