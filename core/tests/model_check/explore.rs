//! Exploring every state of a small world, the nearest first: what is found broken is found by the fewest steps.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// A world that can be in so many states that each can be looked at.
pub(crate) trait World {
    /// The names of its steps.
    const STEPS: &'static [&'static str];

    /// Where it begins.
    fn start(&self) -> u128;

    /// Every state that one step leads to, with the number of the step's name.
    fn steps(&self, state: u128, take: &mut dyn FnMut(u8, u128));

    /// What must never be so, where it is.
    fn broken(&self, state: u128) -> Option<&'static str>;
}

/// What was found.
pub(crate) struct Explored {
    /// How many states were looked at.
    pub(crate) states: usize,
    /// Whether these are all.
    pub(crate) whole: bool,
    /// The shortest way to a state that must never be, and why it must not.
    pub(crate) broken: Option<(Vec<&'static str>, &'static str)>,
}

/// Looks at up to `limit` states.
pub(crate) fn explore<W: World>(world: &W, limit: usize) -> Explored {
    let mut known: HashSet<u128, BuildHasherDefault<Mix>> = HashSet::default();
    let (mut states, mut came): (Vec<u128>, Vec<(u32, u8)>) = (vec![world.start()], vec![(0, 0)]);
    known.insert(world.start());
    let (mut at, mut broken) = (0, None);
    while at < states.len() && states.len() < limit && broken.is_none() {
        let from = u32::try_from(at).unwrap();
        world.steps(states[at], &mut |step, next| {
            if broken.is_none() && known.insert(next) {
                states.push(next);
                came.push((from, step));
                broken = world.broken(next).map(|why| (states.len() - 1, why));
            }
        });
        at += 1;
    }
    let way = |mut at: usize| {
        let mut way = Vec::new();
        while at > 0 {
            let (from, step) = came[at];
            way.push(W::STEPS[usize::from(step)]);
            at = usize::try_from(from).unwrap();
        }
        way.reverse();
        way
    };
    let whole = at == states.len();
    Explored { states: states.len(), whole, broken: broken.map(|(at, why)| (way(at), why)) }
}

/// A state is a number already; it is only stirred.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    fn write_u128(&mut self, state: u128) {
        let halves = (state as u64) ^ ((state >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let stirred = halves.wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.0 = stirred ^ (stirred >> 32);
    }
}

/// Small numbers in one, each in its own bits: the same list writes and reads a state.
pub(crate) fn pack<const N: usize>(fields: [(&mut u8, u32); N]) -> u128 {
    fields.into_iter().fold(0, |packed, (field, bits)| {
        debug_assert!(u32::from(*field) < 1 << bits, "a field does not fit its bits");
        packed << bits | u128::from(*field)
    })
}

/// The opposite of [`pack`].
pub(crate) fn unpack<const N: usize>(mut packed: u128, fields: [(&mut u8, u32); N]) {
    for (field, bits) in fields.into_iter().rev() {
        *field = u8::try_from(packed & ((1 << bits) - 1)).unwrap();
        packed >>= bits;
    }
}
