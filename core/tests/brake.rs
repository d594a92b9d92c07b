//! The brake: its edges as data (`tests/data/reconciliation/brake.json`), and 20,000 plans at random.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at what they did not expect"
)]

use rollkeeper::model::{
    BrakeSettings, Change, ChangeKind, Finding, ItemState, PlanItem, Reaction, Situation, SnapshotVerdict,
};
use rollkeeper::planning::brake::{
    Brake, Braked, GroupAround, Hold, Surroundings, Taken, can_be_released, is_confirmed,
};
use rollkeeper::{Period, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

fn item(reaction: Reaction, account: String) -> PlanItem {
    PlanItem {
        number: 1,
        finding: Finding {
            situation: Situation::Unqualified,
            user: Some(format!("user of {account}")),
            account: Some(account),
            rule: None,
            candidates: vec![],
            drift: vec![],
            faults: vec![],
        },
        group: None,
        reaction,
        state: ItemState::Planned,
        destructive: reaction.is_destructive(),
        explicit: false,
        changes: vec![],
        before: BTreeMap::new(),
        why: vec![],
        request: None,
        fault: None,
        by: None,
    }
}

/// An update of one attribute that had a value before, or none.
fn update(account: String, attribute: &str, before: Option<&str>) -> PlanItem {
    let mut item = item(Reaction::Update, account);
    item.finding.situation = Situation::Drifted;
    item.changes = vec![Change { kind: ChangeKind::Replace, path: attribute.to_owned(), value: Some("new".into()) }];
    item.before.extend(before.map(|before| (attribute.to_owned(), before.into())));
    item
}

/// A membership that is taken away, or given.
fn member(reaction: Reaction, account: String, group: &str) -> PlanItem {
    let mut item = item(reaction, account);
    item.finding.situation = Situation::MembershipUnqualified;
    item.group = Some(group.to_owned());
    item
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    #[serde(default)]
    settings: BrakeSettings,
    around: Around,
    plan: BTreeMap<String, u64>,
    /// The names of the reasons, in their order.
    reasons: Vec<String>,
    /// How many items wait for a release.
    held: usize,
    /// How many are not done at all.
    never: usize,
    #[serde(default)]
    notes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Around {
    linked: u64,
    #[serde(default)]
    verdict: Option<SnapshotVerdict>,
    #[serde(default)]
    delete_allowed: bool,
    #[serde(default)]
    taken: BTreeMap<String, u64>,
    #[serde(default)]
    protected: Vec<String>,
    #[serde(default)]
    active_admins: Vec<String>,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    group: String,
    members: Option<u64>,
    /// How many somebody else counted out of it; none where the plan's own items are counted.
    removed: Option<u64>,
    #[serde(default)]
    emptied: bool,
    /// How many left it in the day before.
    #[serde(default)]
    left: u64,
}

impl Group {
    fn around(&self) -> (String, GroupAround) {
        (self.group.clone(), GroupAround { display_name: None, members: self.members, left: self.left })
    }
}

impl Case {
    /// The items, and whether each was found before.
    fn items(&self) -> Vec<(PlanItem, bool)> {
        let of = |kind: &str| self.plan.get(kind).copied().unwrap_or(0);
        let unconfirmed = of("first");
        let mut items = Vec::new();
        for (kind, count) in self.plan.iter().filter(|(kind, _)| *kind != "first") {
            for number in 0..*count {
                let account = format!("{kind} {number}");
                let one = match kind.as_str() {
                    "deactivate" => item(Reaction::Deactivate, account),
                    "delete" => item(Reaction::Delete, account),
                    "unlink" => item(Reaction::Unlink, account),
                    "remove" => member(Reaction::Remove, account, "g"),
                    "remove from h" => member(Reaction::Remove, account, "h"),
                    "add" => member(Reaction::Update, account, "g"),
                    "link" => item(Reaction::Link, account),
                    "update" => update(account, "title", Some("").filter(|_| number % 2 == 0)),
                    "overwrite" => update(account, "title", Some("old")),
                    "explicit" => PlanItem { explicit: true, ..item(Reaction::Deactivate, account) },
                    "explicit_delete" => PlanItem { explicit: true, ..item(Reaction::Delete, account) },
                    other => panic!("{}: {other}", self.description),
                };
                items.push((one, kind != "deactivate" || number >= unconfirmed));
            }
        }
        items
    }

    fn around(&self) -> Surroundings {
        let taken = |name: &str| self.around.taken.get(name).copied().unwrap_or(0);
        Surroundings {
            verdict: self.around.verdict.unwrap_or(SnapshotVerdict::Complete),
            delete_allowed: self.around.delete_allowed,
            linked: self.around.linked,
            taken: Taken {
                deactivations: taken("deactivations"),
                deletes: taken("deletes"),
                explicit: taken("explicit"),
            },
            groups: self.around.groups.iter().map(Group::around).collect(),
            protected: self.around.protected.iter().cloned().collect(),
            active_admins: self.around.active_admins.iter().cloned().collect(),
        }
    }
}

#[test]
fn the_edges_of_the_brake_are_where_the_cases_say() {
    let text = include_str!("../../tests/data/reconciliation/brake.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 60);
    for case in cases {
        let (around, items) = (case.around(), case.items());
        let mut brake = Brake::new(&case.settings, &around);
        items.iter().for_each(|(item, confirmed)| brake.add(item, *confirmed));
        for group in &case.around.groups {
            if let Some(removed) = group.removed {
                brake.add_group(&group.group, group.members, removed, group.emptied);
            }
        }
        let braked = brake.decide();
        let names: Vec<&str> = braked.reasons.iter().map(|reason| reason.name.as_str()).collect();
        let holds = |hold| items.iter().filter(|(item, confirmed)| braked.hold(item, *confirmed) == hold).count();
        let found = (names, holds(Hold::UntilReleased), holds(Hold::Never), braked.notes.len());
        let reasons: Vec<&str> = case.reasons.iter().map(String::as_str).collect();
        assert_eq!(found, (reasons, case.held, case.never, case.notes), "{}", case.description);
        assert_eq!(can_be_released(&braked.reasons), case.held > 0, "{}", case.description);
    }
}

/// SplitMix64: any seed gives a good sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }
}

/// Items, each with whether it was found before.
fn plan(random: &mut Random) -> Vec<(PlanItem, bool)> {
    let (count, rate) = (random.below(120), 1 + random.below(40));
    let reactions = [Reaction::Deactivate, Reaction::Delete, Reaction::Unlink];
    (0..count)
        .map(|number| {
            let account = format!("a{number}");
            let mut one = if random.one_in(rate) {
                item(reactions[random.below(3) as usize], account)
            } else if random.one_in(2) {
                let before = ["old", ""][random.below(2) as usize];
                update(account, ["title", "name.givenName"][random.below(2) as usize], Some(before))
            } else {
                item([Reaction::Link, Reaction::Create, Reaction::Ignore][random.below(3) as usize], account)
            };
            one.explicit = one.destructive && random.one_in(3);
            (one, !random.one_in(20))
        })
        .collect()
}

fn around(random: &mut Random) -> Surroundings {
    use SnapshotVerdict::{Complete, Incomplete, Suspect};
    Surroundings {
        verdict: [Complete, Complete, Complete, Complete, Suspect, Incomplete][random.below(6) as usize],
        delete_allowed: !random.one_in(4),
        linked: random.below(2_000),
        taken: Taken { deactivations: random.below(8), deletes: random.below(3), explicit: random.below(30) },
        groups: BTreeMap::new(),
        protected: if random.one_in(10) { ["a3".to_owned()].into() } else { [].into() },
        active_admins: if random.one_in(4) { ["a5".to_owned(), "a6".to_owned()].into() } else { [].into() },
    }
}

/// Whether an explicit leaver's item is held by what concerns its account alone.
fn concerns_itself(item: &PlanItem, around: &Surroundings, braked: &Braked) -> bool {
    let account = item.finding.account.as_deref().unwrap();
    (item.reaction == Reaction::Delete && !around.delete_allowed)
        || around.protected.contains(account)
        || (around.active_admins.contains(account) && braked.reasons.iter().any(|reason| reason.name == "last_admin"))
}

#[test]
fn a_brake_that_trips_lets_everything_harmless_and_nothing_destructive_through() {
    let settings = BrakeSettings::default();
    let (mut tripped, mut free, mut explicit) = (0, 0, 0);
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let (around, mut items) = (around(&mut random), plan(&mut random));
        let mut brake = Brake::new(&settings, &around);
        items.iter().for_each(|(item, confirmed)| brake.add(item, *confirmed));
        let braked = brake.decide();
        let trips = braked.reasons.iter().any(|reason| reason.name != "first_observation");
        let many: Vec<&str> = ["title", "name.givenName"]
            .into_iter()
            .filter(|path| braked.reasons.iter().any(|one| one.message.contains(&format!("`{path}` overwritten"))))
            .collect();
        for (item, confirmed) in &mut items {
            let hold = braked.apply(item, *confirmed);
            let held = item.state == ItemState::Held;
            assert_eq!(held, hold != Hold::Free, "seed {seed}");
            let overwrites = item.changes.iter().any(|change| {
                many.contains(&change.path.as_str()) && item.before.get(&change.path).is_some_and(|value| value != "")
            });
            let (taking, passes) = (item.reaction.is_destructive(), item.explicit);
            assert_eq!(item.destructive, taking || overwrites, "seed {seed}");
            if passes {
                assert_eq!(held, concerns_itself(item, &around, &braked), "seed {seed}: an explicit leaver");
                explicit += usize::from(!held && trips);
            } else if taking {
                assert_eq!(held, trips || !*confirmed, "seed {seed}: {:?}", braked.reasons);
            } else {
                assert_eq!(held, overwrites, "seed {seed}: what is harmless goes on");
            }
        }
        let any = items.iter().any(|(item, _)| item.destructive && !item.explicit);
        tripped += usize::from(trips && any);
        free += usize::from(!trips && any);
    }
    // Both happen often enough to be worth something.
    assert!(tripped > 2_000 && free > 2_000 && explicit > 2_000, "{tripped} {free} {explicit}");
}

#[test]
fn two_observations_are_far_enough_apart_to_the_microsecond() {
    let (first, apart) = (Timestamp::from_micros(1_000_000), Period::from_seconds(600));
    assert!(!is_confirmed(first, first, apart));
    assert!(!is_confirmed(first, Timestamp::from_micros(600_999_999), apart));
    assert!(is_confirmed(first, Timestamp::from_micros(601_000_000), apart));
}
