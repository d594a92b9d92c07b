//! What asking a target about itself gives: its attributes, what it can do, what changed since it was asked last.

use super::{MatchRule, Rule, SchemaAttribute, TargetGroup};
use crate::fault::Fault;
use crate::id::AppId;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who said what the attributes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaSource {
    /// The target.
    Target,
    /// Nobody: they are those of the standard.
    #[default]
    BuiltIn,
    /// The connector that the host registered, or the mock target.
    Connector,
}

/// A target as it describes itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetDescription {
    /// Who said what the attributes are.
    pub source: SchemaSource,
    /// Whether every attribute of a user is told. Where it is not, the standard's are assumed beside those told.
    pub complete: bool,
    /// The attributes of a user.
    pub attributes: Vec<SchemaAttribute>,
    /// What the target says that it can do, by feature (`patch`, `bulk`, `filter`, `change_password`, `sort`, `etag`,
    /// `pagination`): `supported`, `max_results` and their like. A hint; what it really does shows when it is used.
    pub features: BTreeMap<String, Attributes>,
    /// The kinds of resources that it has.
    pub resource_types: Vec<ResourceType>,
    /// What could not be read or believed, each at the part that it is about: `ServiceProviderConfig`, `ResourceTypes`,
    /// `Schemas` or an attribute.
    #[serde(skip_deserializing)]
    pub findings: Vec<Fault>,
}

/// A kind of resource (RFC 7643 §6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceType {
    /// Its name: `User`.
    pub name: String,
    /// The last part of its address: `Users`.
    pub endpoint: String,
    /// The URN of its own schema.
    pub schema: String,
    /// The URNs of the schemas that extend it.
    pub extensions: Vec<String>,
}

/// How an attribute of a target's schema changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another type.
    Type,
    /// It holds several values now, or one.
    MultiValued,
    /// It must be there now, or need not be.
    Required,
    /// Letter case matters now, or does not.
    CaseExact,
    /// It cannot be written now, or can.
    ReadOnly,
    /// The values that the target knows are others.
    CanonicalValues,
}

/// One change of a target's schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// The attribute.
    pub path: String,
    /// What changed.
    pub kind: SchemaChangeKind,
}

/// What [`Engine::discover`](crate::Engine::discover) found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Discovery {
    /// The app.
    pub app: AppId,
    /// The target as it describes itself.
    #[serde(flatten)]
    pub target: TargetDescription,
    /// What is different from the last time; empty the first time.
    pub changed: Vec<SchemaChange>,
    /// What of the app's definition does not fit the target any more, at its place. The app stays in use as it is.
    pub broken: Vec<Fault>,
    /// The groups that the target has, where its connector tells them. They are kept, so that entitlements find them by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<TargetGroup>,
    /// When the target was asked.
    pub discovered_at: Timestamp,
}

impl SchemaChange {
    /// What is different between two schemas, by path. Paths are compared without regard to letter case.
    pub fn between(before: &[SchemaAttribute], after: &[SchemaAttribute]) -> Vec<Self> {
        let by_path = |attributes: &[SchemaAttribute]| -> BTreeMap<String, SchemaAttribute> {
            attributes.iter().map(|attribute| (attribute.path.to_lowercase(), attribute.clone())).collect()
        };
        let (old, new) = (by_path(before), by_path(after));
        let mut changes = Vec::new();
        let mut note = |path: &str, kind| changes.push(Self { path: path.to_owned(), kind });
        for (key, after) in &new {
            use SchemaChangeKind as Kind;
            let Some(before) = old.get(key) else {
                note(&after.path, Kind::Added);
                continue;
            };
            let differences = [
                (before.kind != after.kind, Kind::Type),
                (before.multi_valued != after.multi_valued, Kind::MultiValued),
                (before.required != after.required, Kind::Required),
                (before.case_exact != after.case_exact, Kind::CaseExact),
                (before.read_only != after.read_only, Kind::ReadOnly),
                (before.canonical_values != after.canonical_values, Kind::CanonicalValues),
            ];
            differences.iter().filter(|one| one.0).for_each(|one| note(&after.path, one.1));
        }
        let gone = old.iter().filter(|(key, _)| !new.contains_key(*key));
        gone.for_each(|(_, before)| note(&before.path, SchemaChangeKind::Removed));
        changes.sort_by(|one, other| (&one.path, one.kind).cmp(&(&other.path, other.kind)));
        changes
    }
}

/// What [`Engine::suggest_mapping`](crate::Engine::suggest_mapping) proposes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MappingSuggestion {
    /// The rules, to be put into the app's `mapping` as they are.
    pub mapping: Vec<Rule>,
    /// The matching rules that go with them.
    pub matching: Vec<MatchRule>,
    /// Why each rule of `mapping` is proposed, in its order.
    pub suggestions: Vec<RuleSuggestion>,
    /// Attributes that the target requires and for which nothing fits.
    pub missing: Vec<String>,
    /// Attributes of the users that no rule uses.
    pub unused: Vec<String>,
}

/// Why a rule is proposed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSuggestion {
    /// The place of the rule in `mapping`, from 0.
    pub rule: usize,
    /// The attribute that it writes.
    pub target: String,
    /// How sure it is, above 0 and at most 1.
    pub confidence: f64,
    /// What speaks for it.
    pub because: String,
}
