//! Functions of texts. What they count are characters, never bytes.

use super::super::failure::{Failure, LONGEST_TEXT};
use super::super::term::Term;
use super::Arguments;
use std::borrow::Cow;
use std::rc::Rc;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

pub(super) fn lower<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(text.to_lowercase())
}

pub(super) fn upper<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(text.to_uppercase())
}

/// The first letter of every word in upper case, the others in lower case. Words end where the characters given stand; or
/// at whatever is no letter and no digit, but for an apostrophe.
pub(super) fn title<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    let separators = call.optional_text()?;
    if let Some(separators) = &separators {
        call.budget.charge(text.len().saturating_mul(separators.len()) / 16)?;
    }
    let mut inside = false;
    let mut titled = String::with_capacity(text.len());
    for character in text.chars() {
        if inside {
            titled.extend(character.to_lowercase());
        } else {
            titled.extend(character.to_uppercase());
        }
        inside = match &separators {
            Some(separators) => !separators.contains(character),
            None => {
                character.is_alphanumeric()
                    || is_combining_mark(character)
                    || (inside && matches!(character, '\'' | '’'))
            }
        };
    }
    call.made(titled)
}

pub(super) fn trim<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    })
}

/// Runs of white space become one space, and none is left at the ends.
pub(super) fn squeeze<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

pub(super) fn replace<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, old, new) = (call.text()?, call.text()?, call.text()?);
    let most = if call.is_empty() { usize::MAX } else { call.count()? };
    if old.is_empty() {
        return call.made(text);
    }
    // The length is known before anything is made: this is what turns a bomb into an error.
    let count = text.matches(old.as_ref()).take(most).count();
    call.budget.charge(count / 2)?;
    let length =
        text.len().saturating_sub(count.saturating_mul(old.len())).saturating_add(count.saturating_mul(new.len()));
    if length > LONGEST_TEXT.max(text.len()) {
        return Err(call.too_long());
    }
    call.made(text.replacen(old.as_ref(), &new, count))
}

pub(super) fn remove_prefix<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, prefix) = (call.text()?, call.text()?);
    let rest = text.strip_prefix(prefix.as_ref()).map(str::to_owned);
    call.made(rest.map_or(text, Cow::Owned))
}

pub(super) fn remove_suffix<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, suffix) = (call.text()?, call.text()?);
    let rest = text.strip_suffix(suffix.as_ref()).map(str::to_owned);
    call.made(rest.map_or(text, Cow::Owned))
}

/// What stands before the first separator; the whole text where there is none.
pub(super) fn before<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, separator) = (call.text()?, call.text()?);
    let part = text.split_once(separator.as_ref()).map(|(before, _)| before.to_owned());
    call.made(part.map_or(text, Cow::Owned))
}

/// What stands after the first separator; nothing where there is none.
pub(super) fn after<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, separator) = (call.text()?, call.text()?);
    let part = text.split_once(separator.as_ref()).map(|(_, after)| after.to_owned());
    call.made(part.unwrap_or_default())
}

pub(super) fn left<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, count) = (call.text()?, call.count()?);
    match text.char_indices().nth(count) {
        Some((end, _)) => call.made(text.get(..end).unwrap_or_default().to_owned()),
        None => call.made(text),
    }
}

pub(super) fn right<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, count) = (call.text()?, call.count()?);
    let skipped = text.chars().count().saturating_sub(count);
    call.made(text.chars().skip(skipped).collect::<String>())
}

pub(super) fn pad_left<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, length, fill) = (call.text()?, call.count()?, call.text()?);
    let mut characters = fill.chars();
    let (Some(fill), None) = (characters.next(), characters.next()) else {
        return Err(call.fail("takes one character to fill with"));
    };
    let missing = length.saturating_sub(text.chars().count());
    if missing.saturating_mul(fill.len_utf8()).saturating_add(text.len()) > LONGEST_TEXT.max(text.len()) {
        return Err(call.too_long());
    }
    call.made(std::iter::repeat_n(fill, missing).chain(text.chars()).collect::<String>())
}

pub(super) fn split<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, separator) = (call.text()?, call.text()?);
    if separator.is_empty() {
        return Err(call.fail("takes a separator that is not empty"));
    }
    let parts: Vec<Term<'a>> =
        text.split(separator.as_ref()).map(|part| Term::Text(Cow::Owned(part.to_owned()))).collect();
    call.budget.charge(parts.len().saturating_mul(2))?;
    Ok(Term::List(Rc::new(parts)))
}

pub(super) fn contains<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, part) = (call.text()?, call.text()?);
    Ok(Term::Bool(text.contains(part.as_ref())))
}

pub(super) fn starts_with<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, part) = (call.text()?, call.text()?);
    Ok(Term::Bool(text.starts_with(part.as_ref())))
}

pub(super) fn ends_with<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let (text, part) = (call.text()?, call.text()?);
    Ok(Term::Bool(text.ends_with(part.as_ref())))
}

pub(super) fn digits<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(text.chars().filter(char::is_ascii_digit).collect::<String>())
}

/// Lower-case ASCII letters and digits, whatever stands between them replaced by one separator.
pub(super) fn slug<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    let separator = call.optional_text()?.unwrap_or(Cow::Borrowed("-"));
    let plain = any_ascii::any_ascii(&text).to_lowercase();
    let words: Vec<&str> =
        plain.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    call.made(words.join(&separator))
}

pub(super) fn strip_accents<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(text.nfd().filter(|character| !is_combining_mark(*character)).nfc().collect::<String>())
}

/// Letters of all scripts in ASCII; with `'de'`, umlauts and Nordic letters as two letters.
pub(super) fn ascii<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    let german = match call.optional_text()?.as_deref() {
        None => false,
        Some("de") => true,
        Some(_) => return Err(call.fail("knows no table but 'de'")),
    };
    if !german {
        return call.made(any_ascii::any_ascii(&text));
    }
    let mut spelt = String::with_capacity(text.len());
    for character in text.nfc() {
        match character {
            'ä' | 'æ' => spelt.push_str("ae"),
            'Ä' | 'Æ' => spelt.push_str("Ae"),
            'ö' | 'ø' => spelt.push_str("oe"),
            'Ö' | 'Ø' => spelt.push_str("Oe"),
            'ü' => spelt.push_str("ue"),
            'Ü' => spelt.push_str("Ue"),
            'å' => spelt.push_str("aa"),
            'Å' => spelt.push_str("Aa"),
            other => spelt.push(other),
        }
    }
    call.made(any_ascii::any_ascii(&spelt))
}

pub(super) fn nfc<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(text.nfc().collect::<String>())
}

pub(super) fn nfkc<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(text.nfkc().collect::<String>())
}

/// A key for comparison without regard to letter case and compatibility forms.
pub(super) fn fold<'a>(mut call: Arguments<'_, 'a>) -> Result<Term<'a>, Failure> {
    let text = call.text()?;
    call.made(crate::value::fold_case(&text.nfkc().collect::<String>()))
}
