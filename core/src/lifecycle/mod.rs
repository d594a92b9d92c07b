//! The request state machine: two enums and one function. `tests/data/transitions.csv` lists all 144 pairs of states,
//! `tests/data/events.csv` every event; the diagram is in `core/docs/life_cycle.md`.

use crate::fault::{Code, Fault};
use crate::model::State;
use std::fmt;

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Delivery takes it up.
    Send,
    /// It is done.
    Complete,
    /// It is given up.
    Fail,
    /// It is no longer wanted.
    Cancel,
    /// A reconciliation begins to read.
    Collect,
    /// It has read all.
    Collected,
    /// It begins to compare.
    Analyze,
    /// It has compared.
    Analyzed,
    /// It begins to carry its plan out.
    Commit,
    /// A person has another request try again.
    Retry,
    /// A person did it by hand.
    CompleteManually,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 11] = [
        Self::Send,
        Self::Complete,
        Self::Fail,
        Self::Cancel,
        Self::Collect,
        Self::Collected,
        Self::Analyze,
        Self::Analyzed,
        Self::Commit,
        Self::Retry,
        Self::CompleteManually,
    ];

    /// The spoken name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Complete => "complete",
            Self::Fail => "fail",
            Self::Cancel => "cancel",
            Self::Collect => "collect",
            Self::Collected => "collected",
            Self::Analyze => "analyze",
            Self::Analyzed => "analyzed",
            Self::Commit => "commit",
            Self::Retry => "retry",
            Self::CompleteManually => "complete_manually",
        }
    }

    /// The event of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The state that `event` leads to from `state`.
///
/// # Errors
/// `invalid_transition` where the event may not happen in that state.
pub fn next(state: State, event: Event) -> Result<State, Fault> {
    use State::*;
    let next = match (state, event) {
        (New, Event::Send) => Requested,
        (New, Event::Collect) => Collecting,
        (Collecting, Event::Collected) => Collected,
        (New | Collected, Event::Analyze) => Analyzing,
        (Analyzing, Event::Analyzed) => Analyzed,
        (Analyzed, Event::Commit) => Committing,
        (Requested | Collected | Analyzed | Committing, Event::Complete) => Completed,
        (New | Requested | Collecting | Collected | Analyzing | Analyzed | Committing, Event::Fail) => Failed,
        (New | Requested | Collecting | Collected | Analyzing | Analyzed, Event::Cancel) => Cancelled,
        (Failed, Event::Retry) => Retried,
        (Failed, Event::CompleteManually) => ManuallyCompleted,
        _ => {
            let message = format!("a request in state `{}` does not take the event `{event}`", state.name());
            return Err(Fault::new(Code::InvalidTransition, message));
        }
    };
    Ok(next)
}

/// Whether some event leads from one state to the other.
pub fn can_change(from: State, to: State) -> bool {
    Event::ALL.into_iter().any(|event| next(from, event) == Ok(to))
}
