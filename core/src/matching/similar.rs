//! How alike two texts are. Shares are fractions of whole numbers, so that every machine decides the same.

use super::confidence::Confidence;
use std::collections::BTreeSet;

/// A share between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) part: usize,
    pub(super) whole: usize,
}

impl Share {
    pub(super) const ALL: Self = Self { part: 1, whole: 1 };

    pub(super) fn is_less_than(self, other: Self) -> bool {
        self.part.saturating_mul(other.whole) < other.part.saturating_mul(self.whole)
    }
}

/// A checked comparison.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Levenshtein(usize),
    Trigram(Confidence),
}

impl Comparison {
    /// How alike the texts are; `None` where they differ by more than is allowed.
    pub(super) fn share(self, one: &str, other: &str) -> Option<Share> {
        match self {
            Self::Levenshtein(most) => distance(one, other, most).map(|count| Share { part: 1, whole: count + 1 }),
            Self::Trigram(least) => {
                let (one, other) = (trigrams(one), trigrams(other));
                let common = one.intersection(&other).count();
                let share = Share { part: common, whole: one.len() + other.len() - common };
                (common > 0 && !share.is_less_than(least.share())).then_some(share)
            }
        }
    }
}

/// How many characters must be added, dropped or replaced to make one text of the other; `None` where it is more than
/// `most`. Only that part of the table is computed where the count can be so small, so that long texts cost little.
fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let far = most + 1;
    let mut row: Vec<usize> = (0..=other.len()).map(|column| column.min(far)).collect();
    for (line, character) in one.iter().enumerate() {
        let (first, last) = (line.saturating_sub(most), (line + 1 + most).min(other.len()));
        let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(far);
        let mut diagonal = at(&row, first);
        let mut left = if first == 0 { (line + 1).min(far) } else { far };
        if let Some(cell) = row.get_mut(first) {
            *cell = left;
        }
        for column in first + 1..=last {
            let above = at(&row, column);
            let replaced = diagonal + usize::from(other.get(column - 1) != Some(character));
            left = replaced.min(above + 1).min(left + 1).min(far);
            diagonal = above;
            if let Some(cell) = row.get_mut(column) {
                *cell = left;
            }
        }
    }
    row.last().copied().filter(|count| *count <= most)
}

/// The trigrams of every word in lower case, as PostgreSQL has them: two blanks before the word, one behind it.
fn trigrams(text: &str) -> BTreeSet<[char; 3]> {
    let lower = text.to_lowercase();
    let words = lower.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut found = BTreeSet::new();
    for word in words {
        let padded: Vec<char> = "  ".chars().chain(word.chars()).chain(" ".chars()).collect();
        found.extend(padded.windows(3).filter_map(|window| <[char; 3]>::try_from(window).ok()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_whole_table() {
        let words =
            ["", "a", "kitten", "sitting", "sitten", "Müller", "Muller", "Mueller", "𝒜b", "b𝒜", "abcdefgh", "hgfedcba"];
        for one in words {
            for other in words {
                let exact = distance(one, other, 100).unwrap_or(usize::MAX);
                assert_eq!(exact, naive(&one.chars().collect::<Vec<_>>(), &other.chars().collect::<Vec<_>>()));
                for most in 0..9 {
                    let expected = (exact <= most).then_some(exact);
                    assert_eq!(distance(one, other, most), expected, "{one} {other} {most}");
                }
            }
        }
    }

    fn naive(one: &[char], other: &[char]) -> usize {
        match (one, other) {
            ([], rest) | (rest, []) => rest.len(),
            ([a, one_rest @ ..], [b, other_rest @ ..]) if a == b => naive(one_rest, other_rest),
            ([_, one_rest @ ..], [_, other_rest @ ..]) => {
                1 + naive(one_rest, other).min(naive(one, other_rest)).min(naive(one_rest, other_rest))
            }
        }
    }

    #[test]
    fn trigrams_are_those_of_postgres() {
        let found: Vec<String> = trigrams("Cat!").into_iter().map(|three| three.iter().collect()).collect();
        assert_eq!(found, ["  c", " ca", "at ", "cat"]);
        // select similarity('word', 'two words') gives 0.36363637.
        let all = Confidence::of(0.001).and_then(|least| Comparison::Trigram(least).share("word", "two words"));
        assert_eq!(all, Some(Share { part: 4, whole: 11 }));
    }
}
