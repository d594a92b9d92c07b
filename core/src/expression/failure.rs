//! How an evaluation fails, and the budget that bounds it. Messages name paths, functions and types, never a value.

use crate::fault::{Code, Fault};

/// Steps that one evaluation may take. A step is a node evaluated, an item looked at, or sixteen bytes of text read or
/// made, so that the budget bounds time and memory alike (1.6 MB of text in all). What takes longer is charged more, so
/// that no step takes longer than about 100 ns: all of them end within 10 ms.
pub(super) const STEPS: u32 = 100_000;

/// The longest text that a function or `+` may make. Longer texts of a record can be passed on and looked at.
pub(super) const LONGEST_TEXT: usize = 64 * 1024;

/// What a call costs, beside what the function does.
pub(super) const CALL: usize = 2;
/// What it costs to go on after something failed.
pub(super) const MISSING: usize = 3;
/// What it costs to read a time, most of all where the text is none.
pub(super) const READING: usize = 48;

/// Why there is no result.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    position: Option<usize>,
    missing: bool,
}

impl Failure {
    /// A failure of the expression itself.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), position: None, missing: false }
    }

    /// A path that has no value; `coalesce` and its like go on to the next.
    pub(super) fn missing(path: &str) -> Self {
        Self { message: format!("`{path}` has no value"), position: None, missing: true }
    }

    /// Whether it tells of a missing value alone.
    pub(super) fn is_missing(&self) -> bool {
        self.missing
    }

    /// The same failure at a place of the text, unless it has one.
    pub(super) fn or_at(mut self, position: usize) -> Self {
        self.position.get_or_insert(position);
        self
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        let fault = Self::new(Code::ExpressionFailed, failure.message);
        match failure.position {
            Some(position) => fault.position(position),
            None => fault,
        }
    }
}

/// What is left of the steps of one evaluation.
#[derive(Debug)]
pub(super) struct Budget(u32);

impl Budget {
    /// The whole budget.
    pub(super) fn new() -> Self {
        Self(STEPS)
    }

    /// Takes steps.
    ///
    /// # Errors
    /// `expression_failed` where there are not enough.
    pub(super) fn charge(&mut self, steps: usize) -> Result<(), Failure> {
        match u32::try_from(steps).ok().and_then(|steps| self.0.checked_sub(steps)) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0;
                Err(Failure::new("the expression takes too many steps on this record"))
            }
        }
    }

    /// The steps taken so far.
    pub(super) fn taken(&self) -> u32 {
        STEPS - self.0
    }

    /// Whether nothing is left.
    pub(super) fn is_used_up(&self) -> bool {
        self.0 == 0
    }

    /// Takes the steps that reading or making a text costs.
    ///
    /// # Errors
    /// As for [`Budget::charge`].
    pub(super) fn charge_text(&mut self, text: &str) -> Result<(), Failure> {
        self.charge(text.len() / 16)
    }
}
