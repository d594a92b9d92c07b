//! Matching: which account of a target belongs to a user. A target is asked by one attribute; every pair of the rule is
//! then compared here, because targets compare in their own ways. Empty values never match.

use crate::expression::Reads;
use crate::fault::{Code, Fault};
use crate::model::{MatchRule, Normalization};
use crate::path::Path;
use crate::value::{Attributes, at_path, fold_case};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

/// Compiled matching rules, in their order: the first with a hit decides.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    rules: Vec<Vec<Pair>>,
}

#[derive(Clone, Debug)]
struct Pair {
    user: String,
    account: Path,
    normalize: Vec<Normalization>,
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
    /// Checks and compiles rules.
    ///
    /// # Errors
    /// Every fault at its place (`matching[0].all[1].account`): `invalid_path`; `invalid_document` for a rule without
    /// pairs.
    pub fn compile(rules: &[MatchRule]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut compiled = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            if rule.all.is_empty() {
                let fault = Fault::new(Code::InvalidDocument, "a matching rule must have at least one pair");
                faults.push(fault.at(format!("matching[{index}].all")));
            }
            let mut pairs = Vec::with_capacity(rule.all.len());
            for (number, pair) in rule.all.iter().enumerate() {
                let place = format!("matching[{index}].all[{number}]");
                if pair.user.split('.').any(|step| step.trim().is_empty()) {
                    let message = "the user attribute must be names joined by dots, such as `name.givenName`";
                    faults.push(Fault::new(Code::InvalidPath, message).at(format!("{place}.user")));
                }
                match Path::parse(&pair.account) {
                    Ok(account) => {
                        pairs.push(Pair { user: pair.user.clone(), account, normalize: pair.normalize.clone() });
                    }
                    Err(fault) => faults.push(fault.at(format!("{place}.account"))),
                }
            }
            compiled.push(pairs);
        }
        if faults.is_empty() { Ok(Self { rules: compiled }) } else { Err(faults) }
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// The user attributes that the rules read.
    pub fn reads(&self) -> Reads {
        Reads::Paths(self.pairs().map(|pair| pair.user.clone()).collect())
    }

    /// The account attributes that the rules read, without filters.
    pub fn account_attribute_names(&self) -> BTreeSet<String> {
        self.pairs().map(|pair| pair.account.attribute()).collect()
    }

    /// Whether a target that refuses a second holder of these attributes tells by itself of every account that the rules
    /// would find.
    pub fn is_told_by(&self, unique_keys: &[String]) -> bool {
        let unique = |pair: &Pair| unique_keys.iter().any(|key| key.eq_ignore_ascii_case(&pair.account.attribute()));
        !self.rules.is_empty() && self.rules.iter().all(|pairs| pairs.iter().any(unique))
    }

    /// What to ask the target for to find the candidates of rule `rule`, counted from 0; `None` where the user lacks a
    /// value that the rule needs, and where there is no such rule. Of a list, the first value; [`Matching::queries`] has
    /// all of them.
    pub fn query(&self, rule: usize, user: &Attributes) -> Option<Query> {
        self.queries(rule, user).into_iter().next()
    }

    /// All that must be asked for to find every candidate of rule `rule`: one query, or one for each value where the user
    /// attribute of the first pair is a list.
    pub fn queries(&self, rule: usize, user: &Attributes) -> Vec<Query> {
        let pairs = self.rules.get(rule).map(Vec::as_slice).unwrap_or_default();
        let Some(first) = pairs.first().filter(|_| !pairs.iter().any(|pair| pair.of_user(user).is_empty())) else {
            return Vec::new();
        };
        let values = match at_path(user, &first.user) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        let askable = values.iter().filter(|value| first.key(value).is_some());
        askable.map(|value| Query { attribute: first.account.attribute(), value: first.asked(value) }).collect()
    }

    /// Whether every pair of rule `rule` is equal after normalisation. Of lists, one common value is enough.
    pub fn matches(&self, rule: usize, user: &Attributes, account: &Attributes) -> bool {
        self.rules.get(rule).is_some_and(|pairs| {
            !pairs.is_empty()
                && pairs.iter().all(|pair| {
                    let theirs = pair.of_account(account);
                    pair.of_user(user).iter().any(|ours| theirs.contains(ours))
                })
        })
    }

    /// The user's side of a rule as one normalised key for each pair, for joining many users with many accounts; `None`
    /// where a value is missing. Lists have several values, hence a list for each pair.
    pub fn user_keys(&self, rule: usize, user: &Attributes) -> Option<Vec<Vec<String>>> {
        self.keys(rule, |pair| pair.of_user(user))
    }

    /// The account's side, as [`Matching::user_keys`].
    pub fn account_keys(&self, rule: usize, account: &Attributes) -> Option<Vec<Vec<String>>> {
        self.keys(rule, |pair| pair.of_account(account))
    }

    fn keys(&self, rule: usize, values: impl Fn(&Pair) -> Vec<String>) -> Option<Vec<Vec<String>>> {
        let keys: Vec<Vec<String>> = self.rules.get(rule)?.iter().map(values).collect();
        keys.iter().all(|values| !values.is_empty()).then_some(keys)
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.rules.iter().flatten()
    }
}

impl Pair {
    fn of_user(&self, user: &Attributes) -> Vec<String> {
        match at_path(user, &self.user) {
            Some(Value::Array(items)) => items.iter().filter_map(|item| self.key(item)).collect(),
            Some(value) => self.key(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    fn of_account(&self, account: &Attributes) -> Vec<String> {
        self.account.values(account).into_iter().filter_map(|value| self.key(value)).collect()
    }

    /// Targets have their own rules for letter case, but none of them asks for white space at the ends.
    fn asked(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if self.normalize.contains(&Normalization::Trim) => Value::from(text.trim()),
            value => value.clone(),
        }
    }

    /// The normalised form of a value; `None` where nothing is left of it, and for what is no text, number or truth.
    fn key(&self, value: &Value) -> Option<String> {
        let mut text: Cow<'_, str> = match value {
            Value::String(text) => Cow::Borrowed(text),
            Value::Number(number) => Cow::Owned(number.to_string()),
            Value::Bool(value) => Cow::Owned(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        for normalization in &self.normalize {
            text = Cow::Owned(match normalization {
                Normalization::Trim => text.trim().to_owned(),
                Normalization::Casefold => fold_case(&text),
                Normalization::Nfkc => text.nfkc().collect(),
                Normalization::Digits => text.chars().filter(char::is_ascii_digit).collect(),
            });
        }
        // A value of white space alone is as good as none, whatever the rule normalises.
        (!text.trim().is_empty()).then(|| text.into_owned())
    }
}
