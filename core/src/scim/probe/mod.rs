//! Finding out how a target takes what is sent, by using it: accounts of our own are made, looked for, changed and taken away
//! again, and nothing else is touched. What was tried and what followed is told step by step; a step that fails leaves the
//! others as they are, and whatever happens, what was made is taken away at the end, or named.

mod account;
mod change;
mod conclude;
mod dates;
mod groups;
mod line;
mod remove;
mod search;

use super::ScimConnector;
use super::body::PathChange;
use crate::connector::Connector;
use crate::http::Http;
use crate::model::{LeftBehind, ProbeFinding};
use crate::time::{Clock, Period};
use crate::value::Attributes;
use conclude::{Found, Tries};
use line::Line;
use serde_json::Value;
use std::sync::Arc;

/// What a probe found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probed {
    /// What was tried, in order.
    pub findings: Vec<ProbeFinding>,
    /// What follows, under the names of `connector.features`.
    pub features: Attributes,
    /// What could not be taken away again.
    pub left: Vec<LeftBehind>,
}

/// An account that the probe made.
#[derive(Clone)]
struct Made {
    id: String,
    name: String,
    /// It is taken away, as far as can be seen.
    gone: bool,
    /// Why it cannot be seen whether it is.
    hidden: bool,
}

/// How the seconds are shared out in which something that was written is waited for.
const WAITS: [u32; 6] = [1, 2, 5, 10, 20, 30];

struct Probe<'a> {
    connector: &'a ScimConnector,
    line: &'a Line,
    name: &'a str,
    found: Found,
    tries: Tries,
    made: Vec<Made>,
    group: Option<Made>,
    /// Whether something may have been made of which nobody knows.
    in_doubt: bool,
    /// What the first account was made with and shows.
    kept: Vec<PathChange>,
    /// How long after a write it is read, and found.
    read_lag: Period,
    index_lag: Period,
    /// For values that were not there before.
    count: u32,
}

impl ScimConnector {
    /// Finds out how the target takes what is sent. Accounts whose names begin with `name`, and one group of that name, are made
    /// for it and taken away again; what could not be taken away is in `left`. `clock` is what is waited by where the target
    /// asks to wait, or shows late what was written.
    ///
    /// It changes nothing that was there before, and reads no more of it than a row of a list. All the same it belongs to a
    /// target that may be played with.
    #[must_use]
    pub fn probe(&self, name: &str, clock: &Arc<dyn Clock>) -> Probed {
        let limited = self.exchange.knowledge.forbidden_is_rate_limit();
        let line = Line::new(self.exchange.http(), Arc::clone(clock), limited);
        let connector = self.over(Arc::clone(&line) as Arc<dyn Http>);
        let mut probe = Probe {
            connector: &connector,
            line: &line,
            name,
            found: Found::default(),
            tries: Tries::default(),
            made: Vec::new(),
            group: None,
            in_doubt: false,
            kept: Vec::new(),
            read_lag: Period::ZERO,
            index_lag: Period::ZERO,
            count: 0,
        };
        // A target that stops answering ends the steps, and is tidied up all the same.
        let _ = probe.steps();
        let left = probe.clean_up();
        let Probe { mut found, tries, .. } = probe;
        tries.conclude(&mut found.features);
        connector.exchange.knowledge.tell(&mut found.features);
        Probed { findings: found.findings, features: found.features, left }
    }
}

impl Probe<'_> {
    /// Every step; none where the target cannot be gone on with.
    fn steps(&mut self) -> Option<()> {
        self.reach()?;
        let first = self.make_first()?;
        self.read_back(&first)?;
        self.goes_on()?;
        self.search(&first);
        self.goes_on()?;
        self.duplicates(&first);
        self.goes_on()?;
        let second = self.make(&format!("{}-second@example.com", self.name)).ok();
        self.line.seen();
        self.page();
        self.goes_on()?;
        self.change(&first);
        self.goes_on()?;
        self.versions(&first);
        self.goes_on()?;
        self.dates(&first);
        self.goes_on()?;
        self.groups(&first, second.as_deref());
        self.goes_on()?;
        self.disable(&first);
        self.goes_on()?;
        self.delete(&first);
        Some(())
    }

    fn goes_on(&self) -> Option<()> {
        (!self.line.is_dead()).then_some(())
    }

    fn note(&mut self, step: &str, tried: &str, conclusion: &str) {
        self.note_with(step, tried, conclusion, None);
    }

    fn note_with(&mut self, step: &str, tried: &str, conclusion: &str, value: Option<Value>) {
        // What nobody answered says nothing.
        let conclusion = if self.line.is_dead() { "unknown" } else { conclusion };
        self.found.findings.push(ProbeFinding {
            step: step.to_owned(),
            tried: tried.to_owned(),
            answered: self.line.seen(),
            conclusion: conclusion.to_owned(),
            value,
        });
    }

    /// A text that was not there before.
    fn fresh(&mut self) -> String {
        self.count += 1;
        format!("Probe {}", self.count)
    }

    /// The account as it is now; none where it is not there or does not answer.
    fn read(&self, id: &str) -> Option<Attributes> {
        self.connector.read(id).ok().flatten().map(|account| account.attributes)
    }

    /// Whether the account shows the change, now or when what was written shows at the latest.
    fn shows(&self, id: &str, change: &PathChange) -> bool {
        let is_shown = || self.read(id).is_some_and(|shown| change.is_shown_by(&shown));
        is_shown() || self.read_lag > Period::ZERO && self.line.pause(self.read_lag) && is_shown()
    }
}
