//! The verdict: which of some accounts belongs to a user, and how sure that is.

use super::{Confidence, Matching};
use crate::model::TargetAccount;
use crate::value::Attributes;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What matching some accounts comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// No account matches well enough to be thought of.
    #[default]
    None,
    /// One account is certain: it is the user's.
    Linked,
    /// No account is certain, and some may be the user's: a person decides.
    Candidates,
    /// Several accounts are certain: a person decides.
    Ambiguous,
}

/// An account that may be the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The account's id at the target.
    pub external_id: String,
    /// How sure the rules are together.
    pub confidence: Confidence,
    /// The rules that match, counted from 0.
    pub rules: Vec<usize>,
}

/// The verdict on some accounts. It holds ids and numbers, never values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// What it comes to.
    pub decision: Decision,
    /// The accounts that reach the lower threshold, the surest first, equally sure ones by id.
    pub candidates: Vec<Candidate>,
}

impl Matching {
    /// Which of the accounts is the user's. Tier after tier, the confidences of the rules that match an account are added,
    /// up to 1; the first tier after which an account is certain decides, and later ones are not looked at.
    pub fn judge(&self, user: &Attributes, accounts: &[TargetAccount]) -> Judgement {
        self.judge_tiers(self.tiers(), user, accounts)
    }

    /// As [`Matching::judge`], by the first `count` tiers alone.
    pub fn judge_tiers(&self, count: usize, user: &Attributes, accounts: &[TargetAccount]) -> Judgement {
        let accounts: BTreeMap<&str, Attributes> =
            accounts.iter().rev().map(|account| (account.external_id.as_str(), account.named())).collect();
        let mut sums: BTreeMap<&str, (Confidence, Vec<usize>)> = BTreeMap::new();
        for tier in self.tiers.iter().take(count) {
            for rule in tier.clone() {
                for (external_id, account) in &accounts {
                    let confidence = self.confidence(rule, user, account);
                    if !confidence.is_none() {
                        let sum = sums.entry(external_id).or_default();
                        sum.0 = sum.0.plus(confidence);
                        sum.1.push(rule);
                    }
                }
            }
            if sums.values().any(|sum| sum.0 >= self.certain) {
                break;
            }
        }
        self.verdict(sums)
    }

    fn verdict(&self, sums: BTreeMap<&str, (Confidence, Vec<usize>)>) -> Judgement {
        let mut candidates: Vec<Candidate> = sums
            .into_iter()
            .filter(|(_, (confidence, _))| *confidence >= self.candidate)
            .map(|(id, (confidence, rules))| Candidate { external_id: id.to_owned(), confidence, rules })
            .collect();
        candidates.sort_by_key(|candidate| Reverse(candidate.confidence));
        let certain = candidates.iter().filter(|candidate| candidate.confidence >= self.certain).count();
        let decision = match (candidates.len(), certain) {
            (0, _) => Decision::None,
            (_, 0) => Decision::Candidates,
            (_, 1) => Decision::Linked,
            (_, _) => Decision::Ambiguous,
        };
        Judgement { decision, candidates }
    }
}
