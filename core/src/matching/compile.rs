//! Checking the rules of a definition, with every fault at its place.

use super::pair::Pair;
use super::similar::Comparison;
use super::{Confidence, Matching, Rule};
use crate::fault::{Code, Fault};
use crate::model::{MatchPair, MatchRule, MatchingDefinition, Similar};
use crate::path::Path;
use std::collections::BTreeSet;
use std::ops::Range;

/// The largest distance that can be asked for. Beyond it, names of strangers are alike.
const LARGEST_DISTANCE: u8 = 10;

const RANGE: &str = "must be above 0 and at most 1, with at most three decimals";

impl Matching {
    /// Checks and compiles rules.
    ///
    /// # Errors
    /// Every fault at its place (`matching[0].all[1].account`): `invalid_path`; `invalid_document` for a rule without
    /// pairs, or with none that a target can be asked by; `invalid_argument` for numbers out of range, and for the rules of
    /// a tier that do not stand together.
    pub fn compile(definition: &MatchingDefinition) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let place = |index: usize| format!("{}[{index}]", definition.rules_key());
        let rules = definition.rules.iter().enumerate();
        let rules: Vec<Rule> = rules.map(|(index, one)| rule(one, &place(index), &mut faults)).collect();
        let mut threshold = |number: f64, name: &str| {
            Confidence::of(number).unwrap_or_else(|| {
                let message = format!("`{name}` must be from 0 to 1, with at most three decimals");
                faults.push(Fault::new(Code::InvalidArgument, message).at(format!("matching.{name}")));
                Confidence::FULL
            })
        };
        let (certain, candidate) =
            (threshold(definition.certain, "certain"), threshold(definition.candidate, "candidate"));
        if certain.is_none() || certain < candidate {
            let message = "`certain` must be above 0 and not below `candidate`";
            faults.push(Fault::new(Code::InvalidArgument, message).at("matching.certain"));
        }
        let tiers = tiers(&definition.rules, place, &mut faults);
        if faults.is_empty() { Ok(Self { rules, tiers, certain, candidate }) } else { Err(faults) }
    }
}

fn rule(given: &MatchRule, place: &str, faults: &mut Vec<Fault>) -> Rule {
    if given.all.is_empty() {
        let fault = Fault::new(Code::InvalidDocument, "a matching rule must have at least one pair");
        faults.push(fault.at(format!("{place}.all")));
    } else if given.all.iter().all(|pair| pair.similar.is_some()) {
        let message =
            "a target cannot be asked for what is similar; add a pair without `similar`, which it is asked by";
        faults.push(Fault::new(Code::InvalidDocument, message).at(format!("{place}.all")));
    }
    let confidence = confidence(given.confidence.unwrap_or(1.0)).unwrap_or_else(|| {
        let fault = Fault::new(Code::InvalidArgument, format!("`confidence` {RANGE}"));
        faults.push(fault.at(format!("{place}.confidence")));
        Confidence::FULL
    });
    let pairs = given.all.iter().enumerate();
    let pairs = pairs.filter_map(|(number, one)| pair(one, &format!("{place}.all[{number}]"), faults)).collect();
    Rule { pairs, confidence }
}

fn pair(given: &MatchPair, place: &str, faults: &mut Vec<Fault>) -> Option<Pair> {
    if given.user.split('.').any(|step| step.trim().is_empty()) {
        let message = "the user attribute must be names joined by dots, such as `name.givenName`";
        faults.push(Fault::new(Code::InvalidPath, message).at(format!("{place}.user")));
    }
    let account = Path::parse(&given.account).map_err(|fault| faults.push(fault.at(format!("{place}.account"))));
    let similar = given.similar.map(comparison).transpose().map_err(|message| {
        faults.push(Fault::new(Code::InvalidArgument, message).at(format!("{place}.similar")));
    });
    let normalize = given.normalize.clone();
    Some(Pair { user: given.user.clone(), account: account.ok()?, normalize, similar: similar.ok()? })
}

fn comparison(similar: Similar) -> Result<Comparison, String> {
    match similar {
        Similar::Levenshtein(most @ 1..=LARGEST_DISTANCE) => Ok(Comparison::Levenshtein(usize::from(most))),
        Similar::Levenshtein(_) => {
            Err(format!("`levenshtein` must be from 1 to {LARGEST_DISTANCE}; leave `similar` out for equal values"))
        }
        Similar::Trigram(least) => confidence(least).map(Comparison::Trigram).ok_or(format!("`trigram` {RANGE}")),
    }
}

fn confidence(number: f64) -> Option<Confidence> {
    Confidence::of(number).filter(|confidence| !confidence.is_none())
}

/// Rules with the same number, one after the other, make a tier; a rule without a number is one by itself.
fn tiers(rules: &[MatchRule], place: impl Fn(usize) -> String, faults: &mut Vec<Fault>) -> Vec<Range<usize>> {
    let mut tiers: Vec<Range<usize>> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut before = None;
    for (index, rule) in rules.iter().enumerate() {
        match (rule.tier, tiers.last_mut()) {
            (Some(tier), Some(last)) if before == Some(tier) => last.end = index + 1,
            (tier, _) => {
                if tier.is_some_and(|tier| !seen.insert(tier)) {
                    let message = "the rules of a tier must stand one after the other";
                    faults.push(Fault::new(Code::InvalidArgument, message).at(format!("{}.tier", place(index))));
                }
                tiers.push(index..index + 1);
            }
        }
        before = rule.tier;
    }
    tiers
}
