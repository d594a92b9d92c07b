//! What a target turned out to do in another way than the standard has it. A lesson is learnt from one exchange, holds for
//! every later one, and is handed to whoever keeps it, so that it outlives the process. What the definition says goes before.

use crate::model::{Filters, MemberRemoval, Paging, ScimDefinition, ScimFeatures};
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Is given what was learnt just now, whenever something is. Whoever keeps it puts it to what is known already
/// (`with_lessons`), since others may learn of the same target. It is called from within calls of the connector, from any
/// thread.
pub type Memory = Arc<dyn Fn(&Attributes) + Send + Sync>;

/// After so many attributes that PATCH does not take, it is taken not to work at all.
const MOST_PUT_ATTRIBUTES: usize = 12;

/// What was learnt, under the names that `connector.features` has for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Lessons {
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_paths: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain_json: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    if_match: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paging: Option<Paging>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    put_attributes: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clear_with_empty: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_user_name: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<Filters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute_selection: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_removal: Option<MemberRemoval>,
    /// From which length on the target does not take a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_url: Option<usize>,
}

impl Lessons {
    /// What was learnt before. What cannot be read, such as what a later version learnt, is learnt again.
    fn of(attributes: &Attributes) -> Self {
        serde_json::from_value(Value::Object(attributes.clone())).unwrap_or_default()
    }

    fn attributes(&self) -> Attributes {
        match serde_json::to_value(self) {
            Ok(Value::Object(attributes)) => attributes,
            _ => Attributes::new(),
        }
    }

    /// Many attributes that PATCH does not take are PATCH that does not work.
    fn settle(&mut self) {
        if self.put_attributes.len() > MOST_PUT_ATTRIBUTES {
            self.patch = Some(false);
        }
        if self.patch == Some(false) {
            self.put_attributes.clear();
        }
    }
}

/// What is known with what was learnt since, maybe by another process, whose lessons stay: so do those that a later version
/// learnt.
pub(crate) fn with_lessons(known: &Attributes, news: &Attributes) -> Attributes {
    let mut merged = known.clone();
    for (name, lesson) in news {
        let both = match (merged.get(name), lesson) {
            (Some(Value::Array(before)), Value::Array(after)) => {
                let both: BTreeSet<&str> = before.iter().chain(after).filter_map(Value::as_str).collect();
                Value::from(both.into_iter().collect::<Vec<_>>())
            }
            // Of two lengths that are too long, the shorter one.
            (Some(Value::Number(before)), Value::Number(after)) if before.as_u64() < after.as_u64() => continue,
            (_, lesson) => lesson.clone(),
        };
        merged.insert(name.clone(), both);
    }
    let mut lessons = Lessons::of(&merged);
    lessons.settle();
    if lessons.patch == Some(false) {
        merged.insert("patch".to_owned(), Value::Bool(false));
        merged.remove("put_attributes");
    }
    merged
}

/// What is known of a target: what the definition says, and what was learnt.
pub(super) struct Knowledge {
    /// What the definition says itself. It goes before what was learnt, …
    own: ScimFeatures,
    /// … which goes before what its profile says besides.
    features: ScimFeatures,
    learnt: Mutex<Lessons>,
    memory: Option<Memory>,
}

impl fmt::Debug for Knowledge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Knowledge").field("features", &self.features).finish_non_exhaustive()
    }
}

impl Knowledge {
    pub(super) fn new(definition: &ScimDefinition) -> Self {
        let (own, features) = (definition.features.clone(), definition.effective_features());
        Self { own, features, learnt: Mutex::default(), memory: None }
    }

    /// What the definition says alone.
    pub(super) fn unlearnt(&self) -> Self {
        let (own, features) = (self.own.clone(), self.features.clone());
        Self { own, features, learnt: Mutex::default(), memory: None }
    }

    /// Begins with what was learnt before.
    pub(super) fn remember(&mut self, learnt: &Attributes, memory: Memory) {
        *self.learnt() = Lessons::of(learnt);
        self.memory = Some(memory);
    }

    fn learnt(&self) -> MutexGuard<'_, Lessons> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, lesson: impl FnOnce(&mut Lessons)) {
        let mut learnt = self.learnt();
        let before = learnt.attributes();
        lesson(&mut learnt);
        learnt.settle();
        let mut news = learnt.attributes();
        drop(learnt);
        news.retain(|name, lesson| before.get(name) != Some(lesson));
        if let (false, Some(memory)) = (news.is_empty(), &self.memory) {
            memory(&news);
        }
    }

    /// What the definition says, with its profile.
    pub(super) fn features(&self) -> &ScimFeatures {
        &self.features
    }

    /// Adds what was learnt besides, by the way.
    pub(super) fn tell(&self, features: &mut Attributes) {
        let learnt = self.learnt();
        features.extend(learnt.plain_json.map(|plain| ("plain_json".to_owned(), Value::Bool(plain))));
        if learnt.if_match == Some(true) {
            features.insert("if_match".to_owned(), Value::Bool(true));
        }
        features
            .extend(learnt.attribute_selection.map(|selects| ("attribute_selection".to_owned(), Value::Bool(selects))));
        features.extend(learnt.longest_url.map(|longest| ("longest_url".to_owned(), Value::from(longest))));
    }

    /// Whether PATCH works.
    pub(super) fn patches(&self) -> bool {
        self.own.patch.or(self.learnt().patch).or(self.features.patch).unwrap_or(true)
    }

    /// Whether PUT may take the place of PATCH.
    pub(super) fn may_put(&self) -> bool {
        self.own.patch != Some(true)
    }

    pub(super) fn learn_no_patch(&self) {
        self.learn(|lessons| lessons.patch = Some(false));
    }

    /// Whether paths with a filter work.
    pub(super) fn filters_paths(&self) -> bool {
        self.own.filter_paths.or(self.learnt().filter_paths).or(self.features.filter_paths).unwrap_or(true)
    }

    pub(super) fn learn_no_filter_paths(&self) {
        self.learn(|lessons| lessons.filter_paths = Some(false));
    }

    /// Whether an attribute is changed by PUT alone.
    pub(super) fn puts(&self, attribute: &str) -> bool {
        // Who cannot be given a part is given the whole, and the other way round.
        let is = |known: &String| {
            let (short, long) =
                if known.len() < attribute.len() { (known.as_str(), attribute) } else { (attribute, known.as_str()) };
            let start = long.get(..short.len()).is_some_and(|start| start.eq_ignore_ascii_case(short));
            start && long.get(short.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.features.put_attributes.iter().any(is) || self.learnt().put_attributes.iter().any(is)
    }

    pub(super) fn learn_put_attributes(&self, attributes: impl IntoIterator<Item = String>) {
        self.learn(|lessons| {
            lessons.put_attributes.extend(attributes);
        });
    }

    /// Whether a text is taken away by an empty one.
    pub(super) fn clears_with_empty(&self) -> bool {
        self.own.clear_with_empty.or(self.learnt().clear_with_empty).or(self.features.clear_with_empty).unwrap_or(false)
    }

    /// Whether that is not known yet.
    pub(super) fn may_clear_with_empty(&self) -> bool {
        self.own.clear_with_empty.is_none()
    }

    pub(super) fn learn_to_clear_with_empty(&self) {
        self.learn(|lessons| lessons.clear_with_empty = Some(true));
    }

    /// Whether changes name their version.
    pub(super) fn names_versions(&self) -> bool {
        self.own.if_match.or(self.learnt().if_match).or(self.features.if_match).unwrap_or(false)
    }

    /// The target asked for it; whether that may be done.
    pub(super) fn learn_to_name_versions(&self) -> bool {
        if self.own.if_match != Some(false) {
            self.learn(|lessons| lessons.if_match = Some(true));
        }
        self.own.if_match != Some(false)
    }

    /// Whether bodies are called `application/json`.
    pub(super) fn is_plain(&self) -> bool {
        self.own.plain_json.or(self.learnt().plain_json).or(self.features.plain_json).unwrap_or(false)
    }

    /// Whether that may still be learnt.
    pub(super) fn may_become_plain(&self) -> bool {
        self.own.plain_json.is_none()
    }

    pub(super) fn learn_plain(&self) {
        self.learn(|lessons| lessons.plain_json = Some(true));
    }

    /// How one gets from page to page, where it is known.
    pub(super) fn paging(&self) -> Option<Paging> {
        self.own.paging.or(self.learnt().paging).or(self.features.paging)
    }

    pub(super) fn learn_cursors(&self) {
        self.learn(|lessons| lessons.paging = Some(Paging::Cursor));
    }

    /// Whether the target is known not to take a URL of that length.
    pub(super) fn is_too_long(&self, length: usize) -> bool {
        self.learnt().longest_url.is_some_and(|longest| length >= longest)
    }

    pub(super) fn learn_too_long(&self, length: usize) {
        self.learn(|lessons| lessons.longest_url = Some(lessons.longest_url.map_or(length, |known| known.min(length))));
    }

    /// Whether the target refuses a second account of the same name.
    pub(super) fn has_unique_names(&self) -> bool {
        self.own.unique_user_name.or(self.learnt().unique_user_name).or(self.features.unique_user_name).unwrap_or(true)
    }

    /// What filters find, where it is known.
    pub(super) fn filters(&self) -> Option<Filters> {
        self.own.filters.or(self.learnt().filters).or(self.features.filters)
    }

    /// Whether the target may be asked for a part of a resource.
    pub(super) fn selects(&self) -> bool {
        let (own, learnt) = (self.own.attribute_selection, self.learnt().attribute_selection);
        own.or(learnt).or(self.features.attribute_selection).unwrap_or(true)
    }

    pub(super) fn learn_no_selection(&self) {
        if self.own.attribute_selection.is_none() {
            self.learn(|lessons| lessons.attribute_selection = Some(false));
        }
    }

    /// Whether the target tells what was changed since a moment.
    pub(super) fn tells_changes(&self) -> bool {
        let (own, learnt) = (self.own.last_modified, self.learnt().last_modified);
        own.or(learnt).or(self.features.last_modified).unwrap_or(false)
    }

    pub(super) fn learn_no_changes(&self) {
        if self.own.last_modified.is_none() {
            self.learn(|lessons| lessons.last_modified = Some(false));
        }
    }

    /// Whether the target may be asked for groups.
    pub(super) fn has_groups(&self) -> bool {
        self.features.groups.unwrap_or(true)
    }

    /// How members are removed, where it is known.
    pub(super) fn member_removal(&self) -> Option<MemberRemoval> {
        self.own.member_removal.or(self.learnt().member_removal).or(self.features.member_removal)
    }

    /// The target means by 403 that it is asked too often.
    pub(super) fn forbidden_is_rate_limit(&self) -> bool {
        self.features.forbidden_is_rate_limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lessons(value: Value) -> Attributes {
        value.as_object().cloned().unwrap()
    }

    fn definition(more: Value) -> ScimDefinition {
        let mut definition = json!({"base_url": "https://crm.example.com"});
        definition.as_object_mut().unwrap().extend(lessons(more));
        serde_json::from_value(definition).unwrap()
    }

    #[test]
    fn a_definition_goes_before_what_was_learnt_and_that_before_a_profile() {
        let learnt = lessons(json!({"patch": true, "plain_json": true}));
        let knows = |more: Value| {
            let mut knowledge = Knowledge::new(&definition(more));
            let before = knowledge.patches();
            knowledge.remember(&learnt, Arc::new(|_| {}));
            (before, knowledge.patches(), knowledge.is_plain())
        };
        assert_eq!(knows(json!({})), (true, true, true));
        assert_eq!(knows(json!({"profile": "okta"})), (false, true, true), "it was seen to work");
        let own = json!({"profile": "okta", "features": {"patch": false, "plain_json": false}});
        assert_eq!(knows(own), (false, false, false));
    }

    #[test]
    fn what_two_learnt_of_one_target_is_kept_together() {
        let known =
            lessons(json!({"filter_paths": false, "put_attributes": ["title"], "longest_url": 3000, "later": 1}));
        let news = lessons(json!({"plain_json": true, "put_attributes": ["active", "title"], "longest_url": 4000}));
        let both = json!({"filter_paths": false, "plain_json": true, "put_attributes": ["active", "title"],
            "longest_url": 3000, "later": 1});
        assert_eq!(Value::Object(with_lessons(&known, &news)), both);
        assert_eq!(with_lessons(&news, &known).get("longest_url"), Some(&json!(3000)));
        assert_eq!(with_lessons(&known, &Attributes::new()), known);
        assert_eq!(with_lessons(&Attributes::new(), &news), news);
    }

    #[test]
    fn many_attributes_that_two_had_to_put_are_a_target_that_does_not_patch() {
        let of = |from: usize, to: usize| {
            let names: Vec<String> = (from..to).map(|number| format!("a{number:02}")).collect();
            lessons(json!({"put_attributes": names}))
        };
        assert_eq!(with_lessons(&of(0, 6), &of(4, 12)).get("patch"), None, "twelve are twelve attributes");
        let both = with_lessons(&of(0, 7), &of(6, 13));
        assert_eq!(Value::Object(both.clone()), json!({"patch": false}));
        assert_eq!(with_lessons(&both, &of(0, 1)), both, "and it stays one");
    }

    #[test]
    fn the_memory_is_given_what_is_new() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let memory = Arc::clone(&told);
        let mut knowledge = Knowledge::new(&definition(json!({})));
        knowledge.remember(
            &lessons(json!({"filter_paths": false})),
            Arc::new(move |news| memory.lock().unwrap().push(Value::Object(news.clone()))),
        );
        knowledge.learn_plain();
        knowledge.learn_plain();
        knowledge.learn_no_patch();
        assert_eq!(*told.lock().unwrap(), [json!({"plain_json": true}), json!({"patch": false})]);
        assert!(!knowledge.filters_paths() && knowledge.is_plain() && !knowledge.patches());
    }
}
