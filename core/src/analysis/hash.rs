//! Keyed hashes of 128 bits: what stands in partitions in the place of values. Poly1305 with a secret key is a universal
//! hash: whatever two different texts somebody chooses, they meet with a probability below 2⁻⁹⁰, as long as the key and the
//! hashes stay secret, which they do.

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;

/// Hashes with one key.
#[derive(Clone)]
pub(super) struct Hasher(Poly1305);

impl Hasher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Poly1305::new(key.into()))
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> u128 {
        let tag = self.0.clone().compute_unpadded(bytes);
        tag.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }

    /// The hash of several texts, none of which can run into the next.
    pub(super) fn hash_all(&self, texts: &[&str]) -> u128 {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        self.hash(&bytes)
    }
}
