//! What happened in a story, as lines or as their hash alone: two plays of one seed give the same.

use std::hash::{DefaultHasher, Hash, Hasher};

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    hasher: DefaultHasher,
    /// The lines, where somebody wants to read them.
    pub(super) lines: Option<Vec<String>>,
}

impl Transcript {
    pub(super) fn new(keeps: bool) -> Self {
        Self { lines: keeps.then(Vec::new), ..Self::default() }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        let line = line();
        line.hash(&mut self.hasher);
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
