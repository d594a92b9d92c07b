//! How existing accounts are found, as data. Keys and their meaning: `core/docs/documents.md`.

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The key `matching` of an app: a list of rules, or an object with the rules and the two thresholds.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchingDefinition {
    /// The rules, in the order in which they are asked.
    pub rules: Vec<MatchRule>,
    /// From which confidence on an account is linked without a person.
    pub certain: f64,
    /// From which confidence on an account keeps another one from being made, until a person has decided.
    pub candidate: f64,
}

impl MatchingDefinition {
    const CERTAIN: f64 = 1.0;
    const CANDIDATE: f64 = 0.0;

    /// Where the rules stand in the document.
    pub(crate) fn rules_key(&self) -> &'static str {
        if self.has_usual_thresholds() { "matching" } else { "matching.rules" }
    }

    fn has_usual_thresholds(&self) -> bool {
        (self.certain, self.candidate) == (Self::CERTAIN, Self::CANDIDATE)
    }
}

impl Default for MatchingDefinition {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl From<Vec<MatchRule>> for MatchingDefinition {
    fn from(rules: Vec<MatchRule>) -> Self {
        Self { rules, certain: Self::CERTAIN, candidate: Self::CANDIDATE }
    }
}

/// The form with thresholds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weighed {
    rules: Vec<MatchRule>,
    #[serde(default = "usual_certain")]
    certain: f64,
    #[serde(default = "usual_candidate")]
    candidate: f64,
}

fn usual_certain() -> f64 {
    MatchingDefinition::CERTAIN
}

fn usual_candidate() -> f64 {
    MatchingDefinition::CANDIDATE
}

impl Serialize for MatchingDefinition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.has_usual_thresholds() {
            return self.rules.serialize(serializer);
        }
        let weighed = Weighed { rules: self.rules.clone(), certain: self.certain, candidate: self.candidate };
        weighed.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MatchingDefinition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

/// Reads both forms, and keeps the place of what is wrong in them.
struct EitherForm;

impl<'de> Visitor<'de> for EitherForm {
    type Value = MatchingDefinition;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of matching rules, or an object with `rules`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rules: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(rules)).map(MatchingDefinition::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        let Weighed { rules, certain, candidate } = Weighed::deserialize(MapAccessDeserializer::new(object))?;
        Ok(MatchingDefinition { rules, certain, candidate })
    }
}

/// A matching rule: every pair must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchRule {
    /// The pairs, at least one of them without `similar`.
    pub all: Vec<MatchPair>,
    /// How sure a match by this rule is, above 0 and at most 1; 1 where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Rules of one number are asked together; a rule without one stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<u32>,
}

/// One pair of attributes that must be equal, or similar, after normalisation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchPair {
    /// The user attribute path.
    pub user: String,
    /// The account attribute path.
    pub account: String,
    /// What is done to both sides before they are compared, in this order; exact where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalize: Vec<Normalization>,
    /// How far the two may differ; not at all where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similar: Option<Similar>,
}

/// What is done to a value before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// White space at both ends is dropped.
    Trim,
    /// Letter case is folded.
    Casefold,
    /// Unicode normalisation form KC.
    Nfkc,
    /// Only digits are kept.
    Digits,
}

/// How far two texts may differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similar {
    /// So many characters added, dropped or replaced; n of them make the confidence 1/(n+1).
    Levenshtein(u8),
    /// So large a share of common trigrams, above 0 and at most 1; the share is the confidence.
    Trigram(f64),
}
