//! Where the threads of a process meet for an app's token: one has it renewed, the others wait for what comes of it.

use crate::connector::ConnectorError;
use crate::renewal::{self, Held, Next};
use crate::secret::Secret;
use crate::store::{TokenRow, TokenValue};
use crate::time::{Moment, Period, Timestamp};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// So long a renewal that failed is not tried again while the token at hand still does.
const PATIENCE: Period = Period::from_seconds(1);
/// Tokens that were used before the one at hand; a call that is on its way may still be refused with one of them.
const REMEMBERED: usize = 8;

/// What the threads of a process know of an app's token.
#[derive(Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
    renewed: Condvar,
}

#[derive(Default)]
struct State {
    current: Option<Token>,
    /// Tokens that were at hand before, the newest last.
    before: Vec<(u64, Secret)>,
    /// Had from the server and not stored yet: stored before anything else is asked.
    unsaved: Option<Unsaved>,
    is_busy: bool,
    /// How many renewals have ended, and what the last one failed with.
    ended: u64,
    failure: Option<ConnectorError>,
    patient_until: Timestamp,
}

/// A token as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) held: Held,
    pub(super) definition: String,
    pub(super) header: Secret,
}

/// A token that could not be stored.
#[derive(Clone)]
pub(super) struct Unsaved {
    pub(super) row: TokenRow,
    pub(super) value: TokenValue,
    pub(super) rotated: bool,
}

/// What a thread does next.
pub(super) enum Turn<'a> {
    Use(Secret),
    /// Have the token renewed; nobody else does until the ticket is given back.
    Renew(Ticket<'a>),
    /// Somebody tried meanwhile, and this came of it.
    Failed(ConnectorError),
}

/// Whoever has it renews the token. It is given back whatever happens.
pub(super) struct Ticket<'a>(&'a Desk);

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_busy = false;
        state.ended += 1;
        self.0.renewed.notify_all();
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which token a header showed, where that is known.
    pub(super) fn serial_of(&self, header: &Secret) -> Option<u64> {
        let state = self.state();
        let current = state.current.iter().map(|token| (token.held.serial, &token.header));
        let before = state.before.iter().map(|(serial, header)| (*serial, header));
        current.chain(before).find(|(_, known)| *known == header).map(|(serial, _)| serial)
    }

    /// What the calling thread does; it waits while another one has the token renewed and none is at hand.
    pub(super) fn turn(
        &self,
        definition: &str,
        refused: Option<u64>,
        now: impl Fn() -> (Timestamp, Moment),
    ) -> Turn<'_> {
        let mut state = self.state();
        let mut waited_since = None;
        loop {
            let (time, moment) = now();
            let token = state.current.as_ref().filter(|token| token.definition == definition);
            let header = token.map(|token| token.header.clone());
            let spare = match renewal::next(token.map(|token| &token.held), refused, None, time, moment) {
                Next::Use => header,
                Next::Renew { spare: true } if state.is_busy || time < state.patient_until => header,
                Next::Renew { .. } | Next::Wait => None,
            };
            if let Some(header) = spare {
                return Turn::Use(header);
            }
            let has_ended = waited_since.is_some_and(|since| state.ended > since);
            if let Some(failure) = state.failure.clone().filter(|_| has_ended) {
                return Turn::Failed(failure);
            }
            if !state.is_busy {
                state.is_busy = true;
                return Turn::Renew(Ticket(self));
            }
            waited_since = waited_since.or(Some(state.ended));
            state = self.renewed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes what came of a renewal, and gives the header.
    pub(super) fn keep(
        &self,
        renewed: Result<Token, ConnectorError>,
        now: Timestamp,
    ) -> Result<Secret, ConnectorError> {
        let mut state = self.state();
        let token = match renewed {
            Ok(token) => token,
            Err(error) => {
                state.failure = Some(error.clone());
                return Err(error);
            }
        };
        state.failure = None;
        let header = token.header.clone();
        match state.current.replace(token) {
            Some(before) if before.header != header => {
                state.before.push((before.held.serial, before.header));
                let surplus = state.before.len().saturating_sub(REMEMBERED);
                state.before.drain(..surplus);
            }
            // The one at hand stays in use: it could not be renewed before its end.
            Some(_) => state.patient_until = now.plus(PATIENCE),
            None => {}
        }
        Ok(header)
    }

    /// The serial of the token at hand; 0 before the first.
    pub(super) fn serial(&self) -> u64 {
        self.state().current.as_ref().map_or(0, |token| token.held.serial)
    }

    pub(super) fn set_unsaved(&self, unsaved: Option<Unsaved>) {
        self.state().unsaved = unsaved;
    }

    pub(super) fn unsaved(&self) -> Option<Unsaved> {
        self.state().unsaved.clone()
    }

    /// When the token at hand was given, and when it ends: for files without a key, which keep none.
    pub(crate) fn times(&self) -> Option<(Timestamp, Option<Timestamp>)> {
        self.state().current.as_ref().map(|token| (token.held.issued_at, token.held.expires_at))
    }

    /// Forgets everything, as after the app's deletion.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        (state.current, state.unsaved, state.failure) = (None, None, None);
        state.before.clear();
    }
}
