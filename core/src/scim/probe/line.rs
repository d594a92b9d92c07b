//! The way to a target that is probed: it notes what is asked and answered, waits where the target asks to wait, and asks
//! again where that can do no harm.

use super::super::patience;
use crate::fault::Code;
use crate::http::{Http, HttpError, Method, Request, Response};
use crate::time::{Clock, Period};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How often one request is sent at the most.
const MOST_TRIES: u32 = 5;
/// The longest that is waited for one answer.
const LONGEST: Period = Period::from_seconds(60);
/// How long is waited in all.
const PATIENCE: Period = Period::from_seconds(900);
/// After so many requests without a usable answer the target is not asked any more.
const MOST_FAILURES: u32 = 3;

pub(super) struct Line {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    forbidden_is_rate_limit: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was asked and answered since it was taken last.
    seen: Vec<String>,
    waited: Period,
    failures: u32,
}

impl Line {
    pub(super) fn new(http: Arc<dyn Http>, clock: Arc<dyn Clock>, forbidden_is_rate_limit: bool) -> Arc<Self> {
        Arc::new(Self { http, clock, forbidden_is_rate_limit, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked and answered since the last time.
    pub(super) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.state().seen)
    }

    /// Whether the target does not answer any more, or refuses the credentials.
    pub(super) fn is_dead(&self) -> bool {
        self.state().failures >= MOST_FAILURES
    }

    /// Tries again, after what was in the way may have passed.
    pub(super) fn revive(&self) {
        self.state().failures = 0;
    }

    /// Waits; false where there is no patience left.
    pub(super) fn pause(&self, period: Period) -> bool {
        let period = period.min(LONGEST);
        let mut state = self.state();
        let waited = Period::from_micros(state.waited.as_micros().saturating_add(period.as_micros()));
        if waited > PATIENCE {
            return false;
        }
        state.waited = waited;
        drop(state);
        self.clock.pause(period);
        true
    }

    /// How long to wait before the request is sent again; none where it is not.
    fn wait(&self, method: Method, answer: &Result<Response, HttpError>, tries: u32) -> Option<Period> {
        let usual = Period::from_seconds(1 << tries.min(5));
        match answer {
            Ok(response) => {
                let asked = patience::asked(response);
                match response.status {
                    429 => Some(asked.unwrap_or(usual)),
                    403 if asked.is_some() || self.forbidden_is_rate_limit => Some(asked.unwrap_or(usual)),
                    // A POST may have been carried out all the same.
                    503 if method != Method::Post => Some(asked.unwrap_or(usual)),
                    _ => None,
                }
            }
            Err(error) => (method != Method::Post || !error.sent).then_some(usual),
        }
    }
}

/// Whether the answer says nothing about the request.
fn is_unusable(answer: &Result<Response, HttpError>) -> bool {
    answer.as_ref().map_or(true, |response| matches!(response.status, 401 | 429 | 502..=504))
}

impl Http for Line {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        for tries in 1.. {
            let answer = self.http.send(request);
            let word = answer.as_ref().map_or_else(|_| "-".to_owned(), |response| response.status.to_string());
            self.state().seen.push(format!("{} {word}", request.method.name()));
            let wait = self.wait(request.method, &answer, tries).filter(|_| tries < MOST_TRIES && !self.is_dead());
            if !wait.is_some_and(|wait| self.pause(wait)) {
                let mut state = self.state();
                state.failures = if is_unusable(&answer) { state.failures + 1 } else { 0 };
                return answer;
            }
        }
        Err(HttpError::not_sent(Code::Internal, "a request was never sent"))
    }
}
