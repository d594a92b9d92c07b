//! From what came of each try to what follows for everything that is sent later. Pure.

use crate::model::ProbeFinding;
use crate::value::Attributes;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is known so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: Vec<ProbeFinding>,
    /// Under the names of `connector.features`.
    pub(super) features: Attributes,
}

impl Found {
    pub(super) fn learn(&mut self, feature: &str, value: impl Into<Value>) {
        self.features.insert(feature.to_owned(), value.into());
    }
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The account shows it.
    Works,
    /// It was answered with success, and the account does not show it.
    Ignored,
    /// It was refused.
    Refused,
    /// There was no answer.
    Unknown,
}

impl Effect {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Of an answer, and of whether the account shows the change afterwards. What is done is done, whatever was answered.
    pub(super) fn of(status: Option<u16>, is_shown: bool) -> Self {
        match status {
            _ if is_shown => Self::Works,
            None | Some(401 | 429 | 503) => Self::Unknown,
            Some(200..=299) => Self::Ignored,
            Some(_) => Self::Refused,
        }
    }
}

/// How each attribute could be changed.
#[derive(Default)]
pub(super) struct Tries(Vec<Try>);

struct Try {
    attribute: String,
    by_patch: Effect,
    by_put: Option<Effect>,
}

impl Tries {
    pub(super) fn add(&mut self, attribute: String, by_patch: Effect, by_put: Option<Effect>) {
        self.0.push(Try { attribute, by_patch, by_put });
    }

    /// Whether PATCH changed anything.
    pub(super) fn patches(&self) -> bool {
        self.0.iter().any(|one| one.by_patch == Effect::Works)
    }

    /// PATCH is given up where it does nothing at all and PUT does; else PUT is for those attributes for which it alone works.
    pub(super) fn conclude(&self, features: &mut Attributes) {
        let put_alone = self.0.iter().filter(|one| one.by_put == Some(Effect::Works) && one.by_patch != Effect::Works);
        let put_alone: BTreeSet<&str> = put_alone.map(|one| one.attribute.as_str()).collect();
        if self.patches() {
            features.insert("patch".to_owned(), json!(true));
            features.insert("put_attributes".to_owned(), json!(put_alone));
        } else if !put_alone.is_empty() {
            features.insert("patch".to_owned(), json!(false));
        }
    }
}

/// What a search by one attribute gives: for our account, and for nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hits {
    /// These accounts.
    Ids(Vec<String>),
    Refused,
    Unknown,
}

/// What is to be thought of a search that was asked for our account, and for a value that nobody has.
pub(super) fn filtering(ours: &Hits, nobody: &Hits, id: &str) -> &'static str {
    match (ours, nobody) {
        (Hits::Unknown, _) => "unknown",
        (Hits::Refused, _) => "refused",
        (Hits::Ids(_), Hits::Ids(others)) if !others.is_empty() => "ignored",
        (Hits::Ids(ids), _) if ids.iter().any(|known| known == id) => "works",
        (Hits::Ids(_), _) => "finds_nothing",
    }
}

/// What two pages of one row each say about paging: the ids of the first, and of the second.
pub(super) fn paging(first: &[String], second: &[String]) -> &'static str {
    match (first, second) {
        ([], _) => "unknown",
        ([_, _, ..], _) => "count_ignored",
        (one, other) if one == other => "start_ignored",
        ([_], [_]) => "index",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Effect::{Ignored, Refused, Unknown, Works};

    #[test]
    fn patch_is_given_up_only_where_it_does_nothing_and_put_does() {
        let concluded = |tries: &[(&str, Effect, Option<Effect>)]| {
            let mut all = Tries::default();
            tries.iter().for_each(|(attribute, patch, put)| all.add((*attribute).to_owned(), *patch, *put));
            let mut features = Attributes::new();
            all.conclude(&mut features);
            Value::Object(features)
        };
        assert_eq!(concluded(&[]), json!({}));
        assert_eq!(concluded(&[("title", Refused, Some(Refused))]), json!({}), "nothing works");
        assert_eq!(concluded(&[("title", Unknown, None)]), json!({}));
        assert_eq!(concluded(&[("title", Works, None)]), json!({"patch": true, "put_attributes": []}));
        assert_eq!(
            concluded(&[("title", Refused, Some(Works)), ("active", Ignored, Some(Works))]),
            json!({"patch": false})
        );
        let some = [("title", Refused, Some(Works)), ("active", Works, None), ("emails", Refused, Some(Ignored))];
        assert_eq!(concluded(&some), json!({"patch": true, "put_attributes": ["title"]}));
    }

    #[test]
    fn an_effect_is_what_is_seen_and_not_what_is_answered() {
        assert_eq!(Effect::of(Some(500), true), Works);
        assert_eq!(Effect::of(Some(204), false), Ignored);
        assert_eq!(Effect::of(Some(501), false), Refused);
        assert_eq!((Effect::of(None, false), Effect::of(Some(429), false)), (Unknown, Unknown));
    }

    #[test]
    fn a_filter_works_where_it_finds_ours_and_nobody_for_nobody() {
        let ids = |ids: &[&str]| Hits::Ids(ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(filtering(&ids(&["a1"]), &ids(&[]), "a1"), "works");
        assert_eq!(filtering(&ids(&["a1"]), &ids(&["a1"]), "a1"), "ignored");
        assert_eq!(filtering(&ids(&[]), &ids(&[]), "a1"), "finds_nothing");
        assert_eq!(filtering(&Hits::Refused, &Hits::Refused, "a1"), "refused");
        assert_eq!(filtering(&Hits::Unknown, &ids(&[]), "a1"), "unknown");
    }

    #[test]
    fn two_pages_tell_how_one_gets_from_one_to_the_next() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(paging(&ids(&["a"]), &ids(&["b"])), "index");
        assert_eq!(paging(&ids(&["a"]), &ids(&["a"])), "start_ignored");
        assert_eq!(paging(&ids(&["a", "b"]), &ids(&["b"])), "count_ignored");
        assert_eq!(paging(&ids(&[]), &ids(&[])), "unknown");
    }
}
