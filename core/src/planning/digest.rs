//! Digests: of an item over everything that it says, and of a plan over its items, the definition and the verdict. Whoever
//! agrees to a plan agrees to its digest.

use crate::model::{PlanItem, SnapshotVerdict};
use crate::value::{canonical, canonical_object, hex, sha256_hex};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What of an item changes while it is carried out, so that it is not part of the digest.
const MOVING: [&str; 4] = ["state", "why", "request", "fault"];

/// SHA-256 over everything that an item says, with the values before, and over what it was planned for. How far it is, and
/// the words about that, do not count: whether it is held is part of the plan's digest.
pub fn item_digest(item: &PlanItem, planned_for: &str) -> String {
    let said = match serde_json::to_value(item) {
        Ok(Value::Object(mut said)) => {
            MOVING.iter().for_each(|name| drop(said.remove(*name)));
            // Who decided is said where somebody did.
            said.retain(|name, value| name != "by" || !value.is_null());
            canonical_object(&said)
        }
        // Never the case for what has text keys alone; such an item is like no other.
        _ => format!("unwritable {}", item.number),
    };
    sha256_hex(format!("{said}\n{}", canonical(&Value::from(planned_for))).as_bytes())
}

/// The digest of a plan, item by item in the order of their numbers, so that a plan of any length needs no memory.
///
/// ```
/// use rollkeeper::model::SnapshotVerdict;
/// use rollkeeper::planning::digest::PlanDigest;
/// let digest = |held| {
///     let mut digest = PlanDigest::new("{\"id\":\"crm\"}", SnapshotVerdict::Complete);
///     digest.add(1, "00ff", held);
///     digest.finish()
/// };
/// assert_eq!(digest(false).len(), 64);
/// assert_ne!(digest(false), digest(true));
/// ```
#[derive(Clone, Debug)]
pub struct PlanDigest(Sha256);

impl PlanDigest {
    /// A digest that covers the app's definition, as text, and the verdict.
    pub fn new(definition: &str, verdict: SnapshotVerdict) -> Self {
        let mut digest = Self(Sha256::new());
        digest.line(&json!(["rollkeeper plan 1", definition, verdict.name()]));
        digest
    }

    /// A digest of what follows from a list of all users, which no app's definition is behind.
    pub fn of_users(verdict: SnapshotVerdict) -> Self {
        Self::new("users", verdict)
    }

    /// Adds the next item: its number, its digest, and whether the brake holds it.
    pub fn add(&mut self, number: u64, item_digest: &str, held: bool) {
        self.line(&json!([number, item_digest, held]));
    }

    /// The digest, in hexadecimal.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }

    fn line(&mut self, what: &Value) {
        self.0.update(canonical(what).as_bytes());
        self.0.update(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Change, ChangeKind, Drift, DriftVerdict, Finding, ItemState, MatchCandidate, Reaction, Situation,
    };

    fn item() -> PlanItem {
        PlanItem {
            number: 7,
            finding: Finding {
                situation: Situation::Drifted,
                user: Some("ada".to_owned()),
                account: Some("a-1".to_owned()),
                rule: None,
                candidates: vec![],
                drift: vec![],
                faults: vec![],
            },
            group: None,
            reaction: Reaction::Update,
            state: ItemState::Planned,
            destructive: false,
            explicit: false,
            changes: vec![Change { kind: ChangeKind::Replace, path: "title".to_owned(), value: Some(json!("Dr")) }],
            before: [("title".to_owned(), json!("Mr"))].into(),
            why: vec![],
            request: None,
            fault: None,
            by: None,
        }
    }

    fn changed(change: impl FnOnce(&mut PlanItem)) -> PlanItem {
        let mut item = item();
        change(&mut item);
        item
    }

    #[test]
    fn everything_that_an_item_says_is_part_of_its_digest() {
        let candidate = || MatchCandidate { user: Some("bo".to_owned()), account: None, confidence: 0.5 };
        let drift = || Drift {
            attribute: "title".to_owned(),
            last: None,
            wanted: Some(json!("Dr")),
            actual: Some(json!("Mr")),
            verdict: DriftVerdict::Ours,
        };
        let others = [
            changed(|item| item.number = 8),
            changed(|item| item.finding.situation = Situation::Found),
            changed(|item| item.finding.user = Some("bob".to_owned())),
            changed(|item| item.finding.user = None),
            changed(|item| item.finding.account = Some("a-2".to_owned())),
            changed(|item| item.finding.rule = Some(0)),
            changed(|item| item.finding.candidates.push(candidate())),
            changed(|item| item.finding.drift.push(drift())),
            changed(|item| item.reaction = Reaction::Delete),
            changed(|item| item.destructive = true),
            changed(|item| item.explicit = true),
            changed(|item| item.by = Some("eve".to_owned())),
            changed(|item| item.changes.clear()),
            changed(|item| drop(item.before.insert("title".to_owned(), json!("Ms")))),
        ];
        let mut digests: Vec<String> = others.iter().map(|item| item_digest(item, "print")).collect();
        digests.push(item_digest(&item(), "print"));
        digests.push(item_digest(&item(), "other print"));
        let count = digests.len();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn how_far_an_item_is_does_not_change_its_digest() {
        let done = changed(|item| {
            item.state = ItemState::Done;
            item.why.push("done".to_owned());
        });
        assert_eq!(item_digest(&done, "print"), item_digest(&item(), "print"));
    }

    #[test]
    fn a_plan_has_another_digest_for_other_items_another_definition_or_verdict() {
        let digest = |definition, verdict, items: &[(u64, &str, bool)]| {
            let mut digest = PlanDigest::new(definition, verdict);
            items.iter().for_each(|(number, item, held)| digest.add(*number, item, *held));
            digest.finish()
        };
        use SnapshotVerdict::{Complete, Suspect};
        let items = [(1, "a", false), (2, "b", true)];
        let digests = [
            digest("{}", Complete, &items),
            digest("{ }", Complete, &items),
            digest("{}", Suspect, &items),
            digest("{}", Complete, &items[..1]),
            digest("{}", Complete, &[(1, "b", false), (2, "a", true)]),
            digest("{}", Complete, &[(1, "a", true), (2, "b", true)]),
            digest("{}", Complete, &[(1, "a", false), (3, "b", true)]),
            digest("{}", Complete, &[]),
        ];
        for (place, one) in digests.iter().enumerate() {
            assert!(!digests[place + 1..].contains(one), "{place}");
        }
        assert_eq!(digests[0], digest("{}", Complete, &items));
    }
}
