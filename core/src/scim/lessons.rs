//! What a target turned out to do in another way than the standard has it. A lesson is learnt from one exchange, holds for
//! every later one, and is handed to whoever keeps it, so that it outlives the process. What the definition says goes before.

use crate::model::{Paging, ScimFeatures};
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Is given everything that was learnt so far, whenever something is added to it. It is called from within calls of the
/// connector, from any thread.
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
    /// From which length on the target does not take a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_url: Option<usize>,
}

/// What is known of a target: what the definition says, and what was learnt.
pub(super) struct Knowledge {
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
    pub(super) fn new(features: ScimFeatures) -> Self {
        Self { features, learnt: Mutex::default(), memory: None }
    }

    /// Begins with what was learnt before. What cannot be read, such as what a later version learnt, is learnt again.
    pub(super) fn remember(&mut self, learnt: &Attributes, memory: Memory) {
        *self.learnt() = serde_json::from_value(Value::Object(learnt.clone())).unwrap_or_default();
        self.memory = Some(memory);
    }

    fn learnt(&self) -> MutexGuard<'_, Lessons> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, lesson: impl FnOnce(&mut Lessons)) {
        let mut learnt = self.learnt();
        let before = learnt.clone();
        lesson(&mut learnt);
        let news = (*learnt != before).then(|| serde_json::to_value(&*learnt));
        drop(learnt);
        if let (Some(Ok(Value::Object(lessons))), Some(memory)) = (news, &self.memory) {
            memory(&lessons);
        }
    }

    /// Whether PATCH works.
    pub(super) fn patches(&self) -> bool {
        self.features.patch.or(self.learnt().patch).unwrap_or(true)
    }

    /// Whether PUT may take the place of PATCH.
    pub(super) fn may_put(&self) -> bool {
        self.features.patch != Some(true)
    }

    pub(super) fn learn_no_patch(&self) {
        self.learn(|lessons| lessons.patch = Some(false));
    }

    /// Whether paths with a filter work.
    pub(super) fn filters_paths(&self) -> bool {
        self.features.filter_paths.or(self.learnt().filter_paths).unwrap_or(true)
    }

    pub(super) fn learn_no_filter_paths(&self) {
        self.learn(|lessons| lessons.filter_paths = Some(false));
    }

    /// Whether an attribute is changed by PUT alone.
    pub(super) fn puts(&self, attribute: &str) -> bool {
        let is = |known: &String| known.eq_ignore_ascii_case(attribute);
        self.features.put_attributes.iter().any(is) || self.learnt().put_attributes.iter().any(is)
    }

    pub(super) fn learn_put_attributes(&self, attributes: impl IntoIterator<Item = String>) {
        self.learn(|lessons| {
            lessons.put_attributes.extend(attributes);
            if lessons.put_attributes.len() > MOST_PUT_ATTRIBUTES {
                (lessons.patch, lessons.put_attributes) = (Some(false), BTreeSet::new());
            }
        });
    }

    /// Whether a text is taken away by an empty one.
    pub(super) fn clears_with_empty(&self) -> bool {
        self.features.clear_with_empty.or(self.learnt().clear_with_empty).unwrap_or(false)
    }

    /// Whether that is not known yet.
    pub(super) fn may_clear_with_empty(&self) -> bool {
        self.features.clear_with_empty.is_none()
    }

    pub(super) fn learn_to_clear_with_empty(&self) {
        self.learn(|lessons| lessons.clear_with_empty = Some(true));
    }

    /// Whether changes name their version.
    pub(super) fn names_versions(&self) -> bool {
        self.features.if_match.or(self.learnt().if_match).unwrap_or(false)
    }

    /// The target asked for it; whether that may be done.
    pub(super) fn learn_to_name_versions(&self) -> bool {
        if self.features.if_match != Some(false) {
            self.learn(|lessons| lessons.if_match = Some(true));
        }
        self.features.if_match != Some(false)
    }

    /// Whether bodies are called `application/json`.
    pub(super) fn is_plain(&self) -> bool {
        self.features.plain_json.or(self.learnt().plain_json).unwrap_or(false)
    }

    /// Whether that may still be learnt.
    pub(super) fn may_become_plain(&self) -> bool {
        self.features.plain_json.is_none()
    }

    pub(super) fn learn_plain(&self) {
        self.learn(|lessons| lessons.plain_json = Some(true));
    }

    /// How one gets from page to page, where it is known.
    pub(super) fn paging(&self) -> Option<Paging> {
        self.features.paging.or(self.learnt().paging)
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

    /// The target means by 403 that it is asked too often.
    pub(super) fn forbidden_is_rate_limit(&self) -> bool {
        self.features.forbidden_is_rate_limit
    }
}
