//! Joining many users with many accounts: what a rule reads of either side, and the keys under which they meet.

use super::pair::Pair;
use super::{Confidence, Matching};
use crate::path::Path;
use crate::value::{Raw, each_item};
use std::borrow::Cow;

/// The only pair of a rule, where its values are equal or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnlyPair<'m>(&'m Pair);

impl<'m> OnlyPair<'m> {
    /// The user attribute, names joined by dots.
    pub(crate) fn user(self) -> &'m str {
        &self.0.user
    }

    /// The account attribute.
    pub(crate) fn account(self) -> &'m Path {
        &self.0.account
    }

    /// The key of a text; `None` where nothing is left of it.
    pub(crate) fn key(self, text: &str) -> Option<Cow<'_, str>> {
        self.0.text_key(Cow::Borrowed(text))
    }

    /// The keys of an account, which are shown in no order and perhaps twice, from the text of the member that the pair's
    /// path leads through first. Gives nothing where only the account, read whole, can tell.
    pub(crate) fn account_keys(self, root: &Raw<'_>, take: &mut dyn FnMut(&str)) -> Option<()> {
        self.0.account.each_raw(root, &mut |value| {
            each_item(value, |item| {
                let key = match &item {
                    Raw::Text(text) => self.key(text),
                    other => other.value().and_then(|value| self.0.key(&value)).map(Cow::Owned),
                };
                key.iter().for_each(|key| take(key));
                Some(())
            })
        })
    }
}

impl Matching {
    /// The pair of a rule that has no other.
    pub(crate) fn only_pair(&self, rule: usize) -> Option<OnlyPair<'_>> {
        match self.rules.get(rule)?.pairs.as_slice() {
            [pair] if pair.similar.is_none() => Some(OnlyPair(pair)),
            _ => None,
        }
    }

    /// How sure a rule is where all its pairs are equal.
    pub(crate) fn rule_confidence(&self, rule: usize) -> Confidence {
        self.rules.get(rule).map(|rule| rule.confidence).unwrap_or_default()
    }

    /// Whether every rule is certain by itself, asked alone, and compares for equality: whoever meets under its key then
    /// belongs together.
    pub(crate) fn is_plain(&self) -> bool {
        let certain = |rule: &super::Rule| {
            rule.confidence >= self.certain && rule.pairs.iter().all(|pair| pair.similar.is_none())
        };
        self.tiers.iter().all(|tier| tier.len() == 1) && self.rules.iter().all(certain)
    }

    /// The user attributes of a rule's pairs.
    pub(crate) fn user_attributes(&self, rule: usize) -> impl Iterator<Item = &str> {
        self.rules.get(rule).into_iter().flat_map(|rule| &rule.pairs).map(|pair| pair.user.as_str())
    }

    /// The account attributes of a rule's pairs.
    pub(crate) fn account_attributes(&self, rule: usize) -> impl Iterator<Item = &Path> {
        self.rules.get(rule).into_iter().flat_map(|rule| &rule.pairs).map(|pair| &pair.account)
    }
}
