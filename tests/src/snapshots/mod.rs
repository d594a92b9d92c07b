//! Bad snapshots: the ways in which a listing of accounts, or a list of users, is wrong. Each has the lesson that somebody
//! learnt from it. The same seed plays the same.

pub mod directory;
mod source;
mod target;

use rollkeeper::connector::{ConnectorError, Page, TargetAccount};
use serde_json::Value;

/// What a target answers, page by page; the cursor is the page's number.
pub type Answers = Vec<Result<Page, ConnectorError>>;

/// How a snapshot is wrong.
#[derive(Clone, Copy)]
pub enum Play {
    /// What a target shows of its accounts.
    Target(fn(&[TargetAccount], &mut Chance) -> Answers),
    /// What a source gives as the list of all users.
    Source(fn(&[Value], &mut Chance) -> Vec<u8>),
}

/// One way.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What happened to somebody.
    pub lesson: &'static str,
    /// How it is played.
    pub play: Play,
}

/// All of them.
pub fn kinds() -> Vec<Kind> {
    target::KINDS.iter().chain(source::KINDS).copied().collect()
}

/// Numbers at random, the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
    /// How often the kind was played before.
    pub round: usize,
}

impl Chance {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), round: 0 }
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % (limit.max(1) as u64)).unwrap_or(0)
    }

    /// One of them.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
