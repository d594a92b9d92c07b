//! A small picture of many hashes: whether one can be among them.

/// How many bits stand for each hash at the least.
const BITS: usize = 8;

/// Bits by hashes, two for each.
#[derive(Debug)]
pub(super) struct Sieve {
    words: Vec<u64>,
}

impl Sieve {
    /// An empty one with room for so many hashes.
    pub(super) fn new(count: usize) -> Self {
        Self { words: vec![0; (count.saturating_mul(BITS) / 64 + 1).next_power_of_two()] }
    }

    pub(super) fn of(hashes: impl ExactSizeIterator<Item = u128>) -> Self {
        let mut sieve = Self::new(hashes.len());
        hashes.for_each(|hash| sieve.add(hash));
        sieve
    }

    pub(super) fn add(&mut self, hash: u128) {
        for (word, bit) in self.places(hash) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether a hash may have been added. It says so of one in twenty that was not.
    #[inline]
    pub(super) fn may_have(&self, hash: u128) -> bool {
        self.places(hash).iter().all(|(word, bit)| self.words.get(*word).is_some_and(|word| word & bit != 0))
    }

    #[inline]
    fn places(&self, hash: u128) -> [(usize, u64); 2] {
        // Neither end of the hash alone says in which part it is.
        [hash, hash >> 67].map(|half| {
            let low = usize::try_from(half & 0xffff_ffff_ffff).unwrap_or_default();
            (low >> 6 & (self.words.len() - 1), 1 << (low & 63))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::hash::Hasher;

    #[test]
    fn what_was_added_is_found_and_little_else() {
        let hasher = Hasher::new(&[0x5c; 32]);
        let hash = |number: u32| hasher.hash(format!("u{number}").as_bytes());
        for count in [0, 1, 63, 1000, 30_000] {
            let hashes: Vec<u128> = (0..count).map(hash).collect();
            let sieve = Sieve::of(hashes.iter().copied());
            assert!(hashes.iter().all(|hash| sieve.may_have(*hash)));
            let others = (count..count + 20_000).filter(|number| sieve.may_have(hash(*number))).count();
            assert!(others < 2000, "{count}: {others}");
        }
    }
}
