//! One pair of attributes: what the two sides hold, and whether it is the same.

use super::Query;
use super::similar::{Comparison, Share};
use crate::model::Normalization;
use crate::path::Path;
use crate::value::{Attributes, at_path, fold_case};
use serde_json::Value;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) user: String,
    pub(super) account: Path,
    pub(super) normalize: Vec<Normalization>,
    /// Without one, the two must be equal.
    pub(super) similar: Option<Comparison>,
}

impl Pair {
    pub(super) fn of_user(&self, user: &Attributes) -> Vec<String> {
        self.user_values(user).iter().filter_map(|item| self.key(item)).collect()
    }

    pub(super) fn of_account(&self, account: &Attributes) -> Vec<String> {
        self.account.values(account).into_iter().filter_map(|value| self.key(value)).collect()
    }

    /// Whether an account has every value that the user has, as it is.
    pub(super) fn is_sent(&self, user: &Attributes, account: &Attributes) -> bool {
        let sent = self.account.values(account);
        self.user_values(user).iter().all(|value| sent.contains(&value))
    }

    /// How alike the two sides are, the best of all their values; `None` where they do not match.
    pub(super) fn share(&self, user: &Attributes, account: &Attributes) -> Option<Share> {
        let (ours, theirs) = (self.of_user(user), self.of_account(account));
        if ours.iter().any(|ours| theirs.contains(ours)) {
            return Some(Share::ALL);
        }
        let comparison = self.similar?;
        let pairs = ours.iter().flat_map(|ours| theirs.iter().map(move |theirs| (ours, theirs)));
        let shares = pairs.filter_map(|(ours, theirs)| comparison.share(ours, theirs));
        shares.reduce(|best, share| if best.is_less_than(share) { share } else { best })
    }

    /// What to ask the target for: each value of the user's.
    pub(super) fn queries(&self, user: &Attributes) -> Vec<Query> {
        let askable = self.user_values(user).iter().filter(|value| self.key(value).is_some());
        askable.map(|value| Query { attribute: self.account.attribute(), value: self.asked(value) }).collect()
    }

    fn user_values<'a>(&self, user: &'a Attributes) -> &'a [Value] {
        match at_path(user, &self.user) {
            Some(Value::Array(items)) => items,
            Some(value) => std::slice::from_ref(value),
            None => &[],
        }
    }

    /// Targets have their own rules for letter case, but none of them asks for white space at the ends.
    fn asked(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if self.normalize.contains(&Normalization::Trim) => Value::from(text.trim()),
            value => value.clone(),
        }
    }

    /// The normalised form of a value; `None` where nothing is left of it, and for what is no text, number or truth.
    pub(super) fn key(&self, value: &Value) -> Option<String> {
        let text: Cow<'_, str> = match value {
            Value::String(text) => Cow::Borrowed(text),
            Value::Number(number) => Cow::Owned(number.to_string()),
            Value::Bool(value) => Cow::Owned(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        self.text_key(text).map(Cow::into_owned)
    }

    /// As [`Pair::key`], of a text.
    pub(super) fn text_key<'t>(&self, text: Cow<'t, str>) -> Option<Cow<'t, str>> {
        let mut text = text;
        for normalization in &self.normalize {
            text = match (normalization, text) {
                (Normalization::Trim, Cow::Borrowed(text)) => Cow::Borrowed(text.trim()),
                (Normalization::Trim, Cow::Owned(text)) => Cow::Owned(text.trim().to_owned()),
                (Normalization::Casefold, text) if is_folded(&text) => text,
                (Normalization::Casefold, text) => Cow::Owned(fold_case(&text)),
                (Normalization::Nfkc, text) if text.is_ascii() => text,
                (Normalization::Nfkc, text) => Cow::Owned(text.nfkc().collect()),
                (Normalization::Digits, text) => Cow::Owned(text.chars().filter(char::is_ascii_digit).collect()),
            };
        }
        // A value of white space alone is as good as none, whatever the rule normalises.
        (!text.trim().is_empty()).then_some(text)
    }
}

/// Whether folding changes nothing: plain letters, none of them a capital.
fn is_folded(text: &str) -> bool {
    // Without a way out, many bytes are looked at together.
    !text.bytes().fold(false, |found, byte| found | !byte.is_ascii() | byte.is_ascii_uppercase())
}
