//! Keyed hashes: what stands in partitions in the place of values. A text is a polynomial over the field of the prime
//! 2⁶¹-1, and its hash the polynomial's values at two secret places. Two different texts of up to n bytes meet only where
//! their difference has both places as roots, of which it has at most n/7+1: with a probability below 2⁻⁹⁰ for texts of
//! 64 KiB, whoever chose them, as long as key and hashes stay secret, which they do.

const PRIME: u64 = (1 << 61) - 1;

/// How many bytes make a coefficient: as many as are below the prime, whatever they are.
const BYTES: usize = 7;

/// How many coefficients are taken together.
const TOGETHER: usize = 4;

/// Hashes with one key.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    first: Powers,
    second: Powers,
}

impl Hasher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let (words, _) = key.as_chunks::<8>();
        let place = |words: &[[u8; 8]]| {
            let number =
                words.iter().fold(0, |number: u128, word| number << 64 | u128::from(u64::from_le_bytes(*word)));
            // Never 0, and all others as good as equally probable.
            Powers::of(u64::try_from(number % u128::from(PRIME - 1)).unwrap_or_default() + 1)
        };
        let (first, second) = words.split_at(2);
        Self { first: place(first), second: place(second) }
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> u128 {
        // The length comes first, so that no text is another one with more of the zeros that fill its end.
        let length = (bytes.len() as u64 % PRIME) + 1;
        let (mut first, mut second) = (times(length, self.first.once), times(length, self.second.once));
        let (whole, rest) = bytes.as_chunks::<{ BYTES * TOGETHER }>();
        for chunk in whole {
            let coefficients = coefficients(chunk);
            first = self.first.add(first, coefficients, TOGETHER);
            second = self.second.add(second, coefficients, TOGETHER);
        }
        if !rest.is_empty() {
            let mut chunk = [0; BYTES * TOGETHER];
            chunk.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            let coefficients = coefficients(&chunk);
            let count = rest.len().div_ceil(BYTES);
            first = self.first.add(first, coefficients, count);
            second = self.second.add(second, coefficients, count);
        }
        u128::from(least(first)) << 67 | u128::from(least(second))
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

/// The numbers of seven bytes each.
#[inline]
fn coefficients(chunk: &[u8; BYTES * TOGETHER]) -> [u64; TOGETHER] {
    let word = |from: usize| {
        let bytes = chunk.get(from..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    let low = (1 << (8 * BYTES)) - 1;
    // The last one has no byte after it, and is read with the one before it.
    [word(0) & low, word(BYTES) & low, word(2 * BYTES) & low, word(3 * BYTES - 1) >> 8]
}

/// A secret place and its powers, so that several coefficients need one remainder.
#[derive(Clone, Debug)]
struct Powers {
    once: u64,
    twice: u64,
    thrice: u64,
    fourth: u64,
}

impl Powers {
    fn of(place: u64) -> Self {
        let times = |left, right| least(times(left, right));
        let twice = times(place, place);
        Self { once: place, twice, thrice: times(twice, place), fourth: times(twice, twice) }
    }

    /// Goes on with the first `count` coefficients: `((value + a) x + b) x + …`, and once more times `x`.
    #[inline]
    fn add(&self, value: u64, [a, b, c, d]: [u64; TOGETHER], count: usize) -> u64 {
        let wide = |left: u64, right: u64| u128::from(left) * u128::from(right);
        // The first of these is below 2¹²³, each of the others below 2¹¹⁷.
        remainder(match count {
            0 => u128::from(value),
            1 => wide(value + a, self.once),
            2 => wide(value + a, self.twice) + wide(b, self.once),
            3 => wide(value + a, self.thrice) + wide(b, self.twice) + wide(c, self.once),
            _ => wide(value + a, self.fourth) + wide(b, self.thrice) + wide(c, self.twice) + wide(d, self.once),
        })
    }
}

/// The product in the field, of numbers below 2⁶².
#[inline]
fn times(left: u64, right: u64) -> u64 {
    remainder(u128::from(left) * u128::from(right))
}

/// The same element of the field as a number below 2⁶¹+8, of one below 2¹²⁴: to which a coefficient can be added without a
/// second thought.
#[inline]
fn remainder(number: u128) -> u64 {
    // 2⁶¹ is 1 in this field; both parts are below 2⁶⁴ together.
    let low = u64::try_from(number & u128::from(PRIME)).unwrap_or_default();
    let high = u64::try_from(number >> 61).unwrap_or_default();
    let sum = low + high;
    (sum & PRIME) + (sum >> 61)
}

/// The same element of the field as the least number that stands for it, of one below 2⁶¹+8.
fn least(number: u64) -> u64 {
    if number >= PRIME { number - PRIME } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::partition::Parts;
    use std::collections::BTreeSet;

    #[test]
    fn products_are_those_of_the_field() {
        let numbers = [0, 1, 2, PRIME - 1, PRIME, PRIME + 1, (1 << 62) - 1, 0x1234_5678_9abc_def0, (1 << 56) - 1];
        for left in numbers {
            for right in numbers.into_iter().filter(|number| *number < PRIME) {
                let expected = u128::from(left) * u128::from(right) % u128::from(PRIME);
                assert_eq!(u128::from(least(times(left, right))), expected, "{left} {right}");
            }
        }
    }

    #[test]
    fn a_hash_is_the_polynomial_of_its_text_at_both_places() {
        let hasher = Hasher::new(&[0xa7; 32]);
        for length in 0..130 {
            for fill in [0_u8, 0x61, 0xff] {
                let text: Vec<u8> = (0..length).map(|at| fill.wrapping_sub(at % 3)).collect();
                let value = |place: u64| {
                    let prime = u128::from(PRIME);
                    let coefficients = text
                        .chunks(BYTES)
                        .map(|bytes| bytes.iter().rev().fold(0, |number: u128, byte| number << 8 | u128::from(*byte)));
                    let place = u128::from(place);
                    let value = (u128::from(length) + 1) * place % prime;
                    coefficients.fold(value, |value, coefficient| (value + coefficient) * place % prime)
                };
                let expected = value(hasher.first.once) << 67 | value(hasher.second.once);
                assert_eq!(hasher.hash(&text), expected, "{length} {fill}");
            }
        }
    }

    #[test]
    fn different_texts_have_different_hashes_and_the_key_matters() {
        let hasher = Hasher::new(&[3; 32]);
        let mut texts: Vec<Vec<u8>> = (0..40).map(|length| vec![0; length]).collect();
        texts.extend((0..40).map(|length| vec![b'a'; length + 1]));
        texts.extend((0..10_000).map(|number| format!("user{number:05}").into_bytes()));
        let hashes: BTreeSet<u128> = texts.iter().map(|text| hasher.hash(text)).collect();
        assert_eq!(hashes.len(), texts.len());
        let other = Hasher::new(&[4; 32]);
        assert!(texts.iter().all(|text| other.hash(text) != hasher.hash(text)));
        assert_ne!(hasher.hash_all(&["a", "bc"]), hasher.hash_all(&["ab", "c"]));
    }

    #[test]
    fn names_in_a_row_are_in_all_parts() {
        for key in 0..20_u8 {
            let key: Vec<u8> = (0..32).map(|at| key.wrapping_mul(41).wrapping_add(at * 7)).collect();
            let hasher = Hasher::new(&key.try_into().unwrap());
            let mut parts = [0_u32; 64];
            for number in 0..64_000 {
                let hash = hasher.hash(format!("u{number}").as_bytes());
                parts[Parts::part(hash)] += 1;
            }
            assert!(parts.iter().all(|count| (400..1800).contains(count)), "{parts:?}");
        }
    }
}
