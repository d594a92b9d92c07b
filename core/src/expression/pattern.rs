//! Regular expressions, compiled with the expression they stand in. What a search costs depends on the pattern as well as
//! on the text, so each pattern knows its price.

use super::tree::Kind;
use regex::{Regex, RegexBuilder};

/// How large a compiled pattern may be, in bytes, and what one byte of text then costs, in sixteenths of a step. The
/// search is linear in the text, and in the pattern where it is at its worst; groups are kept for each of its states.
const SIZES: [(usize, usize); 4] = [(4 * 1024, 2), (16 * 1024, 8), (64 * 1024, 32), (256 * 1024, 64)];

/// A pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    price: usize,
    groups: usize,
}

impl Pattern {
    /// Compiles a pattern; `None` where it is no regular expression, or too large.
    pub(super) fn new(text: &str) -> Option<Self> {
        SIZES.into_iter().find_map(|(size, price)| {
            let regex = RegexBuilder::new(text).size_limit(size).nest_limit(50).build().ok()?;
            let groups = regex.captures_len();
            Some(Self { regex, price: price * (1 + groups / 4), groups })
        })
    }

    /// Whether a group of that number or name is in it; of a computed one that is not known before.
    pub(super) fn has_group(&self, group: &Kind) -> bool {
        match group {
            Kind::Int(number) => usize::try_from(*number).is_ok_and(|number| number < self.regex.captures_len()),
            Kind::Text(name) => self.regex.capture_names().flatten().any(|known| known == name),
            _ => true,
        }
    }

    /// The same for a text of at most that many bytes.
    pub(super) fn bound(&self, length: u64) -> u64 {
        u64::try_from(self.steps(usize::try_from(length).unwrap_or(usize::MAX))).unwrap_or(u64::MAX)
    }

    /// The steps of one search in a text of that many bytes.
    pub(super) fn steps(&self, length: usize) -> usize {
        4 + 2 * self.groups + length.saturating_mul(self.price) / 16
    }
}
