//! Whole lists of users: whether one may be concluded from, and what follows for a user who is not in it.

use super::brake::any_trips;
use crate::fault::Fault;
use crate::id::UserId;
use crate::model::{BrakeLimit, BrakeReason, SnapshotVerdict};
use crate::time::{Period, Timestamp};
use serde_json::Value;
use std::collections::HashSet;

/// What a list of all users comes to, before any of it is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceList {
    /// The ids that are in it.
    pub(crate) ids: HashSet<String>,
    /// How many of them have an id that came before.
    repeated: u64,
    /// How many of them are nobody's: they cannot be read, or have no id that can be.
    nameless: u64,
}

impl SourceList {
    /// Counts the records of a list, each readable or not.
    pub(crate) fn of(records: &[Result<Value, Fault>]) -> Self {
        let mut list = Self::default();
        for record in records {
            match record.as_ref().ok().and_then(|record| record.get("id")?.as_str()) {
                Some(id) if UserId::new(id).is_ok() => list.repeated += u64::from(!list.ids.insert(id.to_owned())),
                _ => list.nameless += 1,
            }
        }
        list
    }

    /// Whether anything may be concluded from absence, and why not. `accepted` is the length of the last accepted list,
    /// `present` the number of users who have not left.
    pub(crate) fn verdict(
        &self,
        accepted: Option<u64>,
        present: u64,
        smaller_percent: u8,
    ) -> (SnapshotVerdict, Vec<String>) {
        let mut why = Vec::new();
        if self.nameless > 0 {
            why.push(format!("{} without a readable id: nobody knows whose they are", records(self.nameless)));
        }
        if self.repeated > 0 {
            why.push(format!("{} with an id that the list has already", records(self.repeated)));
        }
        if !why.is_empty() {
            return (SnapshotVerdict::Incomplete, why);
        }
        let listed = self.ids.len() as u64;
        if listed == 0 {
            return (SnapshotVerdict::Suspect, vec!["the list is empty".to_owned()]);
        }
        let (before, what) = match accepted {
            Some(accepted) => (accepted, "the last accepted list had"),
            None => (present, "the directory has"),
        };
        let missing = u128::from(before.saturating_sub(listed));
        if missing * 100 > u128::from(before) * u128::from(smaller_percent) {
            let text = format!("the list has {listed} users, {what} {before}: more than {smaller_percent} % fewer");
            return (SnapshotVerdict::Suspect, vec![text]);
        }
        (SnapshotVerdict::Complete, why)
    }
}

fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// More than this share of a list, and at least so many, who are said not to be active are told. They leave all the same.
const TOLD: BrakeLimit = BrakeLimit { percent: 10, count: 5 };

/// How many users of a list lose access by their own records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Their records say that they are not active any more.
    pub(crate) explicit: u64,
    /// Their records do not say so.
    pub(crate) silent: u64,
    /// How many lost it so by the lists of the day before.
    pub(crate) lately: u64,
}

impl Losses {
    /// Whether so many lose access without being said to that a column was rather read wrong. Such records are withheld;
    /// `listed` users are in the list.
    pub(crate) fn are_withheld(self, listed: u64, limits: &[BrakeLimit]) -> bool {
        self.silent > 0 && any_trips(limits, self.silent.saturating_add(self.lately), listed)
    }

    /// What is to be known of them, where `withheld` says whether those who are not said to have left were.
    pub(crate) fn told(self, listed: u64, withheld: bool) -> Vec<String> {
        let Self { explicit, silent, lately } = self;
        let mut told = Vec::new();
        if any_trips(&[TOLD], explicit, listed) {
            told.push(format!(
                "{explicit} of {listed} users lose access since their own records say that they are not active"
            ));
        }
        if withheld {
            told.push(format!(
                "{silent} of {listed} users would lose access by their own records, as where a column was read wrong; these \
                 records were not stored: put them without saying that the list is whole"
            ));
            if lately > 0 {
                told.push(format!("{lately} users lost access so by the lists of the 24 hours before"));
            }
        }
        told
    }
}

/// What follows for a user who is not in a list of all users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It is the first list without the user: it is noted.
    First,
    /// The first one is not long enough ago: nothing follows.
    Early,
    /// A second list, long enough after the first, is without the user too.
    Confirmed,
}

/// Whether a user's absence is confirmed. `unseen_at` is when a list was without them for the first time since they were
/// last there; the two lists must be `apart` from each other.
pub(crate) fn absence(unseen_at: Option<Timestamp>, now: Timestamp, apart: Period) -> Absence {
    match unseen_at {
        None => Absence::First,
        Some(unseen_at) if now >= unseen_at.plus(apart) => Absence::Confirmed,
        Some(_) => Absence::Early,
    }
}

/// Why leavers are held; empty where they are not. `taken` left lately for the same reason, `present` users have not left.
pub(crate) fn held(
    leavers: u64,
    taken: u64,
    present: u64,
    limits: &[BrakeLimit],
    verdict: SnapshotVerdict,
) -> Vec<BrakeReason> {
    let mut reasons = Vec::new();
    if leavers == 0 {
        return reasons;
    }
    let count = leavers.saturating_add(taken);
    if any_trips(limits, count, present) {
        let message = format!("{count} of {present} users would have left within 24 hours");
        reasons.push(BrakeReason { name: "deactivations".to_owned(), message, count, of: present });
    }
    if verdict == SnapshotVerdict::Suspect {
        let message = "the list is suspect: who is not in it leaves when a second person agrees".to_owned();
        reasons.push(BrakeReason { name: "suspect".to_owned(), message, count: leavers, of: present });
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Code;
    use crate::model::BrakeSettings;
    use SnapshotVerdict::{Complete, Incomplete, Suspect};
    use serde_json::json;

    fn list(records: &[Value]) -> SourceList {
        let read = |record: &Value| match record {
            Value::Null => Err(Fault::new(Code::InvalidJson, "the text is not JSON")),
            record => Ok(record.clone()),
        };
        SourceList::of(&records.iter().map(read).collect::<Vec<_>>())
    }

    fn of_length(users: u64) -> SourceList {
        list(&(0..users).map(|number| json!({"id": format!("u{number}")})).collect::<Vec<_>>())
    }

    #[test]
    fn a_list_that_may_lack_somebody_is_incomplete() {
        let cases = [
            (vec![json!({"id": "u1"}), Value::Null], Incomplete, "1 record without a readable id"),
            (vec![json!({"id": "u1"}), json!({"username": "ann"})], Incomplete, "1 record without a readable id"),
            (vec![json!({"id": "u1"}), json!({"id": 2})], Incomplete, "1 record without a readable id"),
            (vec![json!({"id": "u1"}), json!({"id": ""})], Incomplete, "1 record without a readable id"),
            (vec![json!({"id": "u1"}), json!("u2"), json!(3)], Incomplete, "2 records without a readable id"),
            (
                vec![json!({"id": "u1"}), json!({"id": "u1"})],
                Incomplete,
                "1 record with an id that the list has already",
            ),
            (vec![], Suspect, "the list is empty"),
        ];
        for (records, verdict, text) in cases {
            let (found, why) = list(&records).verdict(None, 0, 10);
            assert_eq!(found, verdict, "{records:?}");
            assert!(why.concat().contains(text), "{why:?}");
        }
        // Who it is can be read, so that nobody is missing for what else is wrong.
        let faulty = list(&[json!({"id": "u1", "active": "perhaps"})]);
        assert_eq!(faulty.verdict(None, 1, 10), (Complete, vec![]));
    }

    #[test]
    fn a_list_that_shrank_is_suspect() {
        let cases = [
            (Some(100), 0, 91, Complete),
            (Some(100), 0, 90, Complete),
            (Some(100), 0, 89, Suspect),
            (Some(1), 0, 1, Complete),
            (Some(9), 0, 8, Suspect),
            (Some(10), 0, 9, Complete),
            (None, 100, 90, Complete),
            (None, 100, 89, Suspect),
            // What was accepted counts, and not who came by other ways since.
            (Some(89), 100, 89, Complete),
            (Some(10), 10, 500, Complete),
            (None, 0, 3, Complete),
        ];
        for (accepted, present, listed, verdict) in cases {
            let found = of_length(listed).verdict(accepted, present, 10);
            assert_eq!(found.0, verdict, "{accepted:?} {present} {listed}: {:?}", found.1);
        }
    }

    #[test]
    fn two_lists_must_be_apart() {
        let (first, apart) = (Timestamp::from_micros(1_000_000), Period::from_seconds(600));
        assert_eq!(absence(None, first, apart), Absence::First);
        let after = |micros: i64| absence(Some(first), Timestamp::from_micros(1_000_000 + micros), apart);
        assert_eq!(after(599_999_999), Absence::Early);
        assert_eq!(after(600_000_000), Absence::Confirmed);
        // A clock that went back confirms nothing.
        assert_eq!(after(-1), Absence::Early);
    }

    #[test]
    fn leavers_are_held_from_the_limits_on() {
        let limits = BrakeSettings::default().deactivations;
        // Leavers, those of the day before, users, and whether they are held.
        let cases = [
            (0, 400, 400, false),
            (1, 0, 1, false),
            (2, 0, 6, true),
            (2, 0, 7, false),
            (1, 1, 6, true),
            (4, 0, 79, false),
            (5, 0, 100, false),
            (5, 0, 99, true),
            (6, 0, 100, true),
            (5, 1, 100, true),
            (99, 0, 5_000, false),
            (100, 0, 10_000, false),
            (100, 0, 9_999, true),
            (101, 0, 10_000, true),
            (499, 0, 1_000_000, false),
            (500, 0, 1_000_000, true),
            (1, 499, 1_000_000, true),
            (1, 498, 1_000_000, false),
        ];
        for (leavers, taken, present, is_held) in cases {
            let reasons = held(leavers, taken, present, &limits, Complete);
            assert_eq!(!reasons.is_empty(), is_held, "{leavers} + {taken} of {present}: {reasons:?}");
            let names: Vec<_> = reasons.into_iter().map(|reason| reason.name).collect();
            assert!(names.is_empty() || names == ["deactivations"]);
        }
        let suspect = held(1, 0, 1_000, &limits, Suspect);
        assert_eq!(suspect.into_iter().map(|reason| reason.name).collect::<Vec<_>>(), ["suspect"]);
        assert_eq!(held(0, 0, 1_000, &limits, Suspect), []);
    }
}
