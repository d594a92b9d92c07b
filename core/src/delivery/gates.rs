//! What is known about targets while the process runs: how they fail, how much they are sent. Nothing here decides about a
//! request; it only keeps calls back.

use crate::connector::ConnectorError;
use crate::fault::Code;
use crate::id::AppId;
use crate::time::{Period, Timestamp};
use std::collections::HashMap;

/// So many failures of a target in a row open its breaker.
const FAILURES: u32 = 5;
const FIRST_PAUSE: Period = Period::from_seconds(30);
const LONGEST_PAUSE: Period = Period::from_seconds(15 * 60);

#[derive(Default)]
struct Gate {
    failures: u32,
    openings: u32,
    paused_until: Option<Timestamp>,
    in_flight: u32,
    /// When the next call may start at an even rate.
    next_slot: Timestamp,
}

/// One gate per app.
#[derive(Default)]
pub(crate) struct Gates {
    gates: HashMap<AppId, Gate>,
}

/// How a call ended, as far as its target is concerned.
pub(crate) enum Health {
    Good,
    Bad,
    /// The credentials are refused.
    Unauthorized,
    /// The target asks for patience.
    Patience(Period),
    /// Nothing is known: nothing was sent.
    Unknown,
}

impl Health {
    /// What a failure says about the target. A refused record says nothing.
    pub(crate) fn of(error: &ConnectorError) -> Self {
        match Code::from_name(&error.code) {
            Some(Code::Unauthorized | Code::Forbidden) => Self::Unauthorized,
            Some(Code::RateLimited) => Self::Patience(error.retry_after.unwrap_or_default()),
            Some(Code::Cancelled) => Self::Unknown,
            Some(
                Code::Unreachable
                | Code::Timeout
                | Code::TargetFailed
                | Code::TlsFailed
                | Code::InvalidAnswer
                | Code::ConnectorFailed,
            ) => Self::Bad,
            _ => Self::Good,
        }
    }
}

impl Gates {
    /// How many more calls may be made to the app now.
    pub(crate) fn room(&mut self, app: &crate::model::App, now: Timestamp) -> u32 {
        let gate = self.gates.entry(app.id.clone()).or_default();
        let concurrency = match gate.paused_until {
            Some(until) if until > now => 0,
            // After a pause one call goes first and shows whether the target is back.
            Some(_) => 1,
            None => app.rate.concurrency,
        };
        let room = concurrency.saturating_sub(gate.in_flight);
        match app.rate.per_second {
            _ if gate.next_slot > now => 0,
            Some(_) => room.min(1),
            None => room,
        }
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, app: &crate::model::App, now: Timestamp) {
        let gate = self.gates.entry(app.id.clone()).or_default();
        gate.in_flight += 1;
        if let Some(rate) = app.rate.per_second {
            #[expect(clippy::cast_possible_truncation, reason = "a rate above 0 gives a finite number of microseconds")]
            let gap = Period::from_micros((1e6 / rate) as i64);
            gate.next_slot = gate.next_slot.max(now).plus(gap);
        }
    }

    /// A call has ended. Gives until when the app is paused where this call opened its breaker.
    pub(crate) fn end(&mut self, app: &AppId, health: &Health, now: Timestamp) -> Option<Timestamp> {
        let gate = self.gates.entry(app.clone()).or_default();
        gate.in_flight = gate.in_flight.saturating_sub(1);
        match health {
            Health::Good => {
                (gate.failures, gate.openings, gate.paused_until) = (0, 0, None);
                return None;
            }
            Health::Bad => gate.failures += 1,
            Health::Unauthorized => gate.failures = FAILURES,
            Health::Patience(wait) => {
                gate.next_slot = gate.next_slot.max(now.plus(*wait));
                return None;
            }
            Health::Unknown => return None,
        }
        let closed = gate.paused_until.is_none_or(|until| until <= now);
        if gate.failures < FAILURES || !closed {
            return None;
        }
        let factor = 1_i64 << gate.openings.min(5);
        let pause = Period::from_micros(FIRST_PAUSE.as_micros() * factor).min(LONGEST_PAUSE);
        gate.openings += 1;
        gate.paused_until = Some(now.plus(pause));
        gate.paused_until
    }

    /// Until when nothing is sent to the app, where its breaker is open.
    pub(crate) fn paused_until(&self, app: &AppId) -> Option<Timestamp> {
        self.gates.get(app)?.paused_until
    }

    /// The earliest moment at which a call to the app may start; none while it has as many as it may have.
    pub(crate) fn opens_at(&self, app: &crate::model::App) -> Option<Timestamp> {
        let Some(gate) = self.gates.get(&app.id) else { return Some(Timestamp::default()) };
        let full = gate.in_flight >= app.rate.concurrency;
        (!full).then(|| gate.paused_until.unwrap_or_default().max(gate.next_slot))
    }
}
