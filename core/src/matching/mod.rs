//! Matching: which account of a target belongs to a user. A target is asked by one attribute; every pair of the rule is
//! then compared here, because targets compare in their own ways. Empty values never match.

mod compile;
mod confidence;
mod join;
mod judge;
mod pair;
mod similar;

pub use confidence::Confidence;
pub(crate) use join::OnlyPair;
pub use judge::{Candidate, Decision, Judgement};

use crate::expression::Reads;
use crate::value::Attributes;
use pair::Pair;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;

/// Compiled matching rules, in their order.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    rules: Vec<Rule>,
    /// Which rules are asked together, in order.
    tiers: Vec<Range<usize>>,
    certain: Confidence,
    candidate: Confidence,
}

#[derive(Clone, Debug)]
struct Rule {
    pairs: Vec<Pair>,
    confidence: Confidence,
}

/// What to ask the target for.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The attribute: `userName`, `emails.value`.
    pub attribute: String,
    /// The value as the user has it, but for white space at its ends where the rule drops it.
    pub value: Value,
}

impl Matching {
    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// How many tiers there are: a rule without a `tier` is one by itself.
    pub fn tiers(&self) -> usize {
        self.tiers.len()
    }

    /// The rules of a tier, both counted from 0.
    pub fn tier(&self, tier: usize) -> Range<usize> {
        self.tiers.get(tier).cloned().unwrap_or_default()
    }

    /// From which confidence on a match is certain.
    pub(crate) fn certain(&self) -> Confidence {
        self.certain
    }

    /// From which confidence on a match is thought of.
    pub(crate) fn candidate(&self) -> Confidence {
        self.candidate
    }

    /// The user attributes that the rules read.
    pub fn reads(&self) -> Reads {
        Reads::Paths(self.pairs().map(|pair| pair.user.clone()).collect())
    }

    /// The account attributes that the rules read, without filters.
    pub fn account_attribute_names(&self) -> BTreeSet<String> {
        self.pairs().map(|pair| pair.account.attribute()).collect()
    }

    /// Whether a target that refuses a second holder of these attributes, and is sent that account for the user, tells by
    /// itself of every account that the rules would find: each rule has a pair on such an attribute, and what is sent there
    /// is what the pair compares.
    pub fn is_told_by(&self, unique_keys: &[String], user: &Attributes, sent: &Attributes) -> bool {
        let tells = |pair: &Pair| {
            let attribute = pair.account.attribute();
            pair.similar.is_none()
                && unique_keys.iter().any(|key| key.eq_ignore_ascii_case(&attribute))
                && pair.is_sent(user, sent)
        };
        !self.rules.is_empty() && self.rules.iter().all(|rule| rule.pairs.iter().any(tells))
    }

    /// What to ask the target for to find the candidates of rule `rule`, counted from 0; `None` where the user lacks a
    /// value that the rule needs, and where there is no such rule. Of a list, the first value; [`Matching::queries`] has
    /// all of them.
    pub fn query(&self, rule: usize, user: &Attributes) -> Option<Query> {
        self.queries(rule, user).into_iter().next()
    }

    /// All that must be asked for to find every candidate of rule `rule`: one query, or one for each value where the user
    /// attribute of the first exact pair is a list.
    pub fn queries(&self, rule: usize, user: &Attributes) -> Vec<Query> {
        let pairs = self.rules.get(rule).map(|rule| rule.pairs.as_slice()).unwrap_or_default();
        if pairs.iter().any(|pair| pair.of_user(user).is_empty()) {
            return Vec::new();
        }
        let asked = pairs.iter().find(|pair| pair.similar.is_none());
        asked.map(|pair| pair.queries(user)).unwrap_or_default()
    }

    /// Whether every pair of rule `rule` matches after normalisation. Of lists, one common value is enough.
    pub fn matches(&self, rule: usize, user: &Attributes, account: &Attributes) -> bool {
        !self.confidence(rule, user, account).is_none()
    }

    /// How sure rule `rule` is that the account is the user's: its own confidence, times how alike the values of each pair
    /// are; 0 where a pair does not match.
    pub fn confidence(&self, rule: usize, user: &Attributes, account: &Attributes) -> Confidence {
        let Some(rule) = self.rules.get(rule).filter(|rule| !rule.pairs.is_empty()) else {
            return Confidence::default();
        };
        let sure = |sure: Confidence, pair: &Pair| Some(sure.times(pair.share(user, account)?));
        rule.pairs.iter().try_fold(rule.confidence, sure).unwrap_or_default()
    }

    /// The user's side of a rule as one normalised key for each exact pair, for joining many users with many accounts; `None`
    /// where a value is missing. Lists have several values, hence a list for each pair.
    pub fn user_keys(&self, rule: usize, user: &Attributes) -> Option<Vec<Vec<String>>> {
        self.keys(rule, |pair| pair.of_user(user))
    }

    /// The account's side, as [`Matching::user_keys`].
    pub fn account_keys(&self, rule: usize, account: &Attributes) -> Option<Vec<Vec<String>>> {
        self.keys(rule, |pair| pair.of_account(account))
    }

    fn keys(&self, rule: usize, values: impl Fn(&Pair) -> Vec<String>) -> Option<Vec<Vec<String>>> {
        let exact = self.rules.get(rule)?.pairs.iter().filter(|pair| pair.similar.is_none());
        let keys: Vec<Vec<String>> = exact.map(values).collect();
        keys.iter().all(|values| !values.is_empty()).then_some(keys)
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.rules.iter().flat_map(|rule| &rule.pairs)
    }
}
