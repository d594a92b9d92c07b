//! One app `crm` on a mock target, one user `u1`, and a clock that moves only when told to.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use rollkeeper::model::{Account, AccountFilter, App, LogFilter, Progress, Request, RequestFilter, User};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::{Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// A run that is not over after so many turns never ends.
const TURNS: usize = 500;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: VirtualClock,
}

impl World {
    /// A world whose app has `keys` besides the usual ones, and no user yet.
    pub(crate) fn new(keys: &Value) -> Self {
        let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
        let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(7).open().unwrap();
        let world = Self { engine, clock };
        world.put_app(keys);
        world
    }

    /// [`World::new`] with the user's account made.
    pub(crate) fn with_account(keys: &Value) -> Self {
        let world = Self::new(keys);
        world.put(&json!({}));
        world.run();
        world
    }

    /// Puts the app anew, with `keys` besides the usual ones.
    pub(crate) fn put_app(&self, keys: &Value) {
        let usual = json!({
            "id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
            "mapping": [{"target": "userName", "source": "username", "required": true}, {"target": "title", "source": "title"}],
            "create_without_match": true,
        });
        let app = App::from_json(with(usual, keys).to_string().as_bytes()).unwrap();
        self.engine.put_app(app, None).unwrap();
    }

    /// Puts the user anew, with `keys` besides the usual ones.
    pub(crate) fn put(&self, keys: &Value) -> Vec<Request> {
        let usual = json!({"id": "u1", "username": "ann", "profile": "Employees", "active": true});
        let user = User::from_json(with(usual, keys).to_string().as_bytes()).unwrap();
        self.engine.put_user(user, None).unwrap()
    }

    pub(crate) fn mock(&self) -> MockTarget {
        self.engine.mock_target("crm").unwrap()
    }

    pub(crate) fn script(&self, faults: &Value) {
        self.mock().script_json(&faults.to_string()).unwrap();
    }

    pub(crate) fn run(&self) -> Progress {
        self.engine.run(&RunOptions::default()).unwrap()
    }

    /// Runs, and lets the time go on to what is due next, until nothing is due within so many days.
    pub(crate) fn run_days(&self, days: u32) {
        let end = self.clock_now().plus(Period::from_seconds(days * 86_400));
        for _ in 0..TURNS {
            match self.run().next_due.filter(|due| *due <= end) {
                Some(due) if due > self.clock_now() => self.clock.set(due),
                Some(_) => {}
                None => return self.clock.set(end),
            }
        }
        panic!("there is always something due");
    }

    fn clock_now(&self) -> Timestamp {
        rollkeeper::Clock::now(&self.clock)
    }

    /// Every request, oldest first: operation, state, what it waits for, its first fault.
    pub(crate) fn requests(&self) -> Vec<String> {
        let line = |request: &Request| {
            let mut words = vec![request.operation.name().to_owned(), request.state.name().to_owned()];
            words.extend(request.waiting_for.map(|wait| wait.name().to_owned()));
            words.extend(request.faults.first().map(|fault| fault.code.name().to_owned()));
            words.join(" ")
        };
        self.all().iter().map(line).collect()
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.engine.requests(&RequestFilter::default()).unwrap()
    }

    /// The target's accounts as they really are: name, and whether they can be used.
    pub(crate) fn accounts(&self) -> Vec<String> {
        let line = |account: &rollkeeper::connector::TargetAccount| {
            let state = match (account.active, account.frozen) {
                (true, false) => "active",
                (true, true) => "frozen",
                (false, false) => "disabled",
                (false, true) => "disabled frozen",
            };
            format!("{} {state}", account.username.as_deref().unwrap_or("?"))
        };
        self.mock().accounts().iter().map(line).collect()
    }

    /// Our record of the accounts that are not gone.
    pub(crate) fn records(&self) -> Vec<String> {
        let known = self.engine.accounts(&AccountFilter::default()).unwrap();
        let line = |account: &Account| {
            let frozen = if account.frozen { " frozen" } else { "" };
            format!("{} {}{frozen}", account.external_id, account.status.name())
        };
        known.iter().filter(|account| account.deleted_at.is_none()).map(line).collect()
    }

    /// The methods that the target was called with.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.mock().calls().into_iter().map(|call| call.method).collect()
    }

    /// Whether there is a log entry of that kind that holds the text.
    pub(crate) fn logged(&self, kind: &str, text: &str) -> bool {
        let entries = self.engine.log(&LogFilter::default()).unwrap();
        entries.iter().any(|entry| entry.kind == kind && entry.details.to_string().contains(text))
    }
}

/// An object with the keys of another one put over its own.
fn with(mut usual: Value, keys: &Value) -> Value {
    usual.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    usual
}
