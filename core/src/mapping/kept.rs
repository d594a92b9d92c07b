//! What targets keep of what they are sent.

use super::compare::Comparison;
use super::{Mapping, RenderedChange};
use crate::model::{Change, Multi, SchemaAttribute, TargetAccount};
use crate::path::Path;
use crate::value::Attributes;
use serde_json::Value;

/// What the core of a resource is, whatever was sent (RFC 7643 §3.1): an answer with nothing else shows nothing.
const BARE: [&str; 4] = ["id", "externalid", "meta", "schemas"];

impl Mapping {
    /// Of each rule whose value was sent: whether the account shows it. Of an update only what it changed counts. Nothing is
    /// concluded from an answer that shows nothing, nor about what targets take and never show.
    pub(crate) fn kept(
        &self,
        sent: &Attributes,
        changes: Option<&[Change]>,
        account: &TargetAccount,
    ) -> Vec<(usize, bool)> {
        if account.attributes.keys().all(|name| BARE.contains(&name.to_lowercase().as_str())) {
            return Vec::new();
        }
        let shown = &account.named();
        let changed: Option<Vec<Path>> =
            changes.map(|changes| changes.iter().filter_map(|change| Path::parse(&change.path).ok()).collect());
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| {
            let was_sent = changed.as_ref().is_none_or(|paths| paths.iter().any(|path| path.overlaps(&rule.target)));
            was_sent && !rule.sensitive && !rule.target.is("password")
        });
        let told = rules.filter_map(|(index, rule)| {
            let wanted = rule.target.get(sent)?;
            let there = rule.target.get(shown);
            let attribute = rule.target.attribute();
            let kept = match (rule.multi, there, wanted) {
                // Others may have added to the list meanwhile.
                (Multi::Merge, Some(Value::Array(there)), Value::Array(wanted)) => {
                    self.comparing().union(&attribute, there, wanted).added.is_empty()
                }
                _ => self.comparing().same(&attribute, there, Some(wanted)),
            };
            Some((index, kept))
        });
        told.collect()
    }

    /// Whether a change wants nothing that was not sent before.
    pub(crate) fn repeats(&self, change: &RenderedChange, wanted: &Attributes, last: &Attributes) -> bool {
        let Ok(path) = Path::parse(&change.path) else { return false };
        let mut rules = self.rules.iter().filter(|rule| rule.target.overlaps(&path));
        rules.all(|rule| {
            let (last, wanted) = (rule.target.get(last), rule.target.get(wanted));
            self.comparing().same(&rule.target.attribute(), last, wanted)
        })
    }

    /// What the target's schema says of the attribute that a rule writes.
    pub(crate) fn schema_of(&self, rule: usize) -> Option<&SchemaAttribute> {
        self.schema.as_ref()?.find(&self.rules.get(rule)?.target.attribute())
    }

    fn comparing(&self) -> Comparison<'_> {
        Comparison { schema: self.schema.as_ref() }
    }
}
