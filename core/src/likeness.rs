//! How alike names are: what was probably meant by one that does not exist, and which words a name is made of.

/// How far a mistyped name may be from the one that was meant.
const FARTHEST: usize = 2;

/// The name that was probably meant: the nearest one within two keystrokes, and within a third of its length.
///
/// ```
/// use rollkeeper::likeness::nearest;
/// assert_eq!(nearest("userNaem", ["title", "userName"]), Some("userName"));
/// assert_eq!(nearest("x", ["id"]), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let most = FARTHEST.min(name.chars().count() / 3);
    let near = known.into_iter().filter_map(|one| Some((distance(&name, &one.to_lowercase(), most)?, one)));
    near.min().map(|(_, one)| one)
}

/// `; did you mean …?`, or nothing.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

/// How many letters must be put in, left out, changed, or swapped with the next; `None` above `most`.
pub(crate) fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    let mut last = None;
    for (index, letter) in one.iter().enumerate() {
        let mut next = vec![index + 1];
        let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
        let mut left = None;
        for (place, theirs) in other.iter().enumerate() {
            let mut cost = at(&row, place) + usize::from(letter != theirs);
            cost = cost.min(at(&row, place + 1) + 1).min(at(&next, place) + 1);
            if last == Some(theirs) && left == Some(letter) && place > 0 {
                cost = cost.min(at(&before, place - 1) + 1);
            }
            next.push(cost);
            left = Some(theirs);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(letter);
    }
    row.last().copied().filter(|distance| *distance <= most)
}

/// The words of a name in lower case, split where a letter's case changes and at everything that is no letter or digit.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let letters: Vec<char> = name.chars().collect();
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| letters.get(place));
        let next = letters.get(place + 1);
        let begins = letter.is_uppercase()
            && (before.is_some_and(|one| one.is_lowercase() || one.is_numeric())
                // The last capital of several begins the next word: `HRCode` is `hr`, `code`.
                || (before.is_some_and(|one| one.is_uppercase()) && next.is_some_and(|one| one.is_lowercase())));
        if begins || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest, words};

    #[test]
    fn letters_put_in_left_out_changed_and_swapped_count_one_each() {
        for (one, other, expected) in [
            ("lower", "lower", Some(0)),
            ("lowr", "lower", Some(1)),
            ("lowerr", "lower", Some(1)),
            ("louer", "lower", Some(1)),
            ("lowre", "lower", Some(1)),
            ("lwoer", "lower", Some(1)),
            ("lwre", "lower", Some(2)),
            ("", "lo", Some(2)),
            ("upper", "lower", None),
            ("ü", "u", Some(1)),
        ] {
            assert_eq!(distance(one, other, 2), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_name_that_is_too_far_off_or_too_short_is_not_guessed() {
        assert_eq!(nearest("tilte", ["title", "titles"]), Some("title"));
        assert_eq!(nearest("colour", ["title"]), None);
        assert_eq!(nearest("ab", ["id"]), None);
    }

    #[test]
    fn names_are_split_into_words_in_every_spelling() {
        for name in ["costCenter", "cost_center", "Cost-Center", "COST CENTER", "CostCenter"] {
            assert_eq!(words(name), ["cost", "center"], "{name}");
        }
        assert_eq!(words("HRCode2Id"), ["hr", "code2", "id"]);
        assert_eq!(words("__"), Vec::<String>::new());
    }
}
