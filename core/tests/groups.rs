//! Memberships of groups: what grants ask for compared with what a target shows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop at what must not happen")]

use rollkeeper::model::{App, Situation, User};
use rollkeeper::planning::groups::MembershipVerdict::{InStep, ToAdd, ToRemove, UnknownGroup, Unmanaged, Unreadable};
use rollkeeper::planning::groups::{
    Group, GroupRules, GroupSummary, Holder, Membership, MembershipVerdict, compare_groups,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Engine, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is compared: an app's part of a definition, users with their accounts, groups.
struct Case {
    app: App,
    users: Vec<(User, String, bool)>,
    groups: Vec<Group>,
    untouched: BTreeSet<String>,
    given: BTreeSet<(String, String)>,
}

impl Case {
    fn new(entitlements: &Value, authoritative: bool) -> Self {
        let app = json!({"id": "crm", "connector": {"kind": "mock"}, "entitlements": entitlements, "authoritative": authoritative});
        let app = App::from_json(app.to_string().as_bytes()).unwrap();
        Self { app, users: Vec::new(), groups: Vec::new(), untouched: BTreeSet::new(), given: BTreeSet::new() }
    }

    /// A user `u` and the number, with these keys, whose account is `a` and the number.
    fn user(mut self, number: usize, entitled: bool, mut keys: Value) -> Self {
        keys["id"] = json!(format!("u{number}"));
        self.users.push((User::from_value(keys).unwrap(), format!("a{number}"), entitled));
        self
    }

    fn group(mut self, group: &Value) -> Self {
        self.groups.push(Group::from_object(group.as_object().unwrap()).unwrap());
        self
    }

    fn compare(&self) -> (Vec<Membership>, GroupSummary) {
        let holders: Vec<Holder<'_>> =
            self.users.iter().map(|(user, account, entitled)| Holder { user, account, entitled: *entitled }).collect();
        let rules = GroupRules {
            entitlements: &self.app.entitlements,
            authoritative: self.app.authoritative,
            untouched: &self.untouched,
            given: &self.given,
        };
        let mut found = Vec::new();
        let summary = compare_groups(rules, &holders, self.groups.clone(), &mut |membership| {
            found.push(membership);
            Ok(())
        });
        (found, summary.unwrap())
    }

    fn verdicts(&self) -> Vec<(String, String, MembershipVerdict)> {
        self.compare().0.into_iter().map(|found| (found.group, found.account, found.verdict)).collect()
    }
}

fn of(group: &str, account: &str, verdict: MembershipVerdict) -> (String, String, MembershipVerdict) {
    (group.to_owned(), account.to_owned(), verdict)
}

fn sales() -> Value {
    json!([{"grant": "permission_set_group", "name": "Sales Manager", "group": {"display_name": "sales-mgr"}}])
}

fn manager() -> Value {
    json!({"permission_set_groups": ["Sales Manager"]})
}

#[test]
fn every_membership_has_one_verdict() {
    let mut case = Case::new(&sales(), false)
        .user(1, true, manager())
        .user(2, true, manager())
        .user(3, true, json!({}))
        .user(4, true, json!({}))
        .user(5, false, manager())
        .user(6, true, manager())
        .group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a1", "a3", "a4", "a5", "stranger"]}))
        .group(&json!({"id": "g2", "display_name": "others", "members": ["a1", "a2"]}));
    case.given.insert(("g1".to_owned(), "a3".to_owned()));
    case.untouched.insert("a6".to_owned());
    let expected = [
        of("g1", "a1", InStep),
        of("g1", "a2", ToAdd),
        of("g1", "a3", ToRemove),
        of("g1", "a4", Unmanaged),
        // No longer entitled, and it was not we who gave it.
        of("g1", "a5", Unmanaged),
        of("g1", "a6", Unmanaged),
        of("g1", "stranger", Unmanaged),
    ];
    assert_eq!(case.verdicts(), expected);
    let (found, summary) = case.compare();
    assert_eq!(found[1].why, ["permission set group `Sales Manager`"]);
    assert_eq!((found[1].user.as_deref(), found[6].user.as_deref()), (Some("u2"), None));
    let change = &summary.groups[0];
    assert_eq!((change.members, change.added, change.removed, change.is_emptied()), (Some(5), 1, 1, false));
    assert_eq!((summary.groups.len(), summary.others, summary.counts[&Unmanaged]), (1, 1, 4));
}

#[test]
fn an_authoritative_app_removes_what_nobody_asked_for_from_its_own_groups_alone() {
    let mut case = Case::new(&sales(), true)
        .user(1, true, json!({}))
        .group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a1", "admin", "stranger"]}))
        .group(&json!({"id": "g2", "display_name": "others", "members": ["a1"]}));
    case.untouched.insert("admin".to_owned());
    let expected = [of("g1", "a1", ToRemove), of("g1", "admin", Unmanaged), of("g1", "stranger", ToRemove)];
    assert_eq!(case.verdicts(), expected);
    assert!(!case.compare().1.groups[0].is_emptied());
    case.untouched.clear();
    assert!(case.compare().1.groups[0].is_emptied());
}

#[test]
fn a_group_is_found_by_its_id_or_its_name() {
    let group = |id: &str, name: &str| json!({"id": id, "display_name": name, "members": []});
    let named = |name: &str| json!({"display_name": name});
    let cases = [
        (json!({"id": "g1"}), vec![group("g1", "x")], Some("g1")),
        (json!({"id": "G1"}), vec![group("g1", "x")], None),
        (named("sales"), vec![group("g1", "sales")], Some("g1")),
        (named("Sales"), vec![group("g1", "SALES")], Some("g1")),
        (named("Sales"), vec![group("g1", "SALES"), group("g2", "Sales")], Some("g2")),
        (named("Sales"), vec![group("g1", "SALES"), group("g2", "sales")], None),
        (named("Sales"), vec![group("g1", "Sales"), group("g2", "Sales")], None),
        (named("Sales"), vec![json!({"id": "Sales", "members": []})], None),
        (named("Sales"), vec![], None),
    ];
    for (reference, groups, expected) in cases {
        let entitlements = json!([{"grant": "profile", "name": "P", "group": reference}]);
        let mut case = Case::new(&entitlements, false).user(1, true, json!({"profile": "P"}));
        for group in &groups {
            case = case.group(group);
        }
        let (found, summary) = case.compare();
        assert_eq!(found.len(), 1);
        match expected {
            Some(id) => assert_eq!((found[0].group.as_str(), found[0].verdict), (id, ToAdd), "{reference} {groups:?}"),
            None => assert_eq!(found[0].verdict, UnknownGroup, "{reference} {groups:?}"),
        }
        assert_eq!(summary.unknown.len(), usize::from(expected.is_none()));
    }
}

#[test]
fn nothing_is_concluded_of_a_group_that_does_not_show_its_members() {
    let case = Case::new(&sales(), true)
        .user(1, true, manager())
        .user(2, true, json!({}))
        .group(&json!({"id": "g1", "display_name": "sales-mgr"}));
    assert_eq!(case.verdicts(), [of("g1", "a1", Unreadable)]);
    // One that was listed twice, once without its members, is no better.
    let case = case.group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a2"]}));
    assert_eq!(case.verdicts(), [of("g1", "a1", Unreadable)]);
    let (_, summary) = case.compare();
    assert_eq!((summary.groups[0].members, summary.groups[0].is_emptied()), (None, false));
}

#[test]
fn a_group_that_is_listed_twice_has_the_members_of_both() {
    let first = || {
        let case = Case::new(&sales(), false).user(1, true, manager()).user(2, true, manager());
        case.group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a1"]}))
    };
    let both = first().group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a2"]}));
    assert_eq!(both.verdicts(), [of("g1", "a1", InStep), of("g1", "a2", InStep)]);
    let half = first().group(&json!({"id": "g1", "display_name": "sales-mgr"}));
    assert_eq!(half.verdicts(), [of("g1", "a1", Unreadable), of("g1", "a2", Unreadable)]);
}

#[test]
fn several_grants_for_one_group_are_one_membership() {
    let entitlements = json!([
        {"grant": "profile", "name": "P", "group": {"id": "g1"}},
        {"grant": "permission_set", "name": "S", "group": {"display_name": "One"}},
        {"grant": "permission_set", "name": "S", "group": {"id": "g2"}},
    ]);
    let case = Case::new(&entitlements, false)
        .user(1, true, json!({"profile": "P", "permission_sets": ["S", "S"]}))
        .group(&json!({"id": "g2", "members": ["a1"]}))
        .group(&json!({"id": "g1", "display_name": "One", "members": []}));
    let (found, _) = case.compare();
    assert_eq!(case.verdicts(), [of("g1", "a1", ToAdd), of("g2", "a1", InStep)]);
    assert_eq!(found[0].why, ["permission set `S`", "profile `P`"]);
}

#[test]
fn a_group_that_cannot_be_read_is_named_without_its_values() {
    let bad = [
        json!({}),
        json!({"id": ""}),
        json!({"id": 7}),
        json!({"id": "g", "members": "a1"}),
        json!({"id": "g", "members": [1]}),
    ];
    for group in bad {
        let fault = Group::from_object(group.as_object().unwrap()).unwrap_err();
        assert_eq!(fault.code.name(), "invalid_answer", "{group}");
    }
}

/// Small numbers that repeat from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The table of the documentation, pair by pair, with no other thought.
fn naive(case: &Case) -> BTreeMap<(String, String), MembershipVerdict> {
    let mut found = BTreeMap::new();
    let accounts = (0..12).map(|number| format!("a{number}"));
    for account in accounts {
        for group in &case.groups {
            let named = case.app.entitlements.iter().filter(|one| one.group.text() == group.id);
            let mut named = named.peekable();
            if named.peek().is_none() {
                continue;
            }
            let user = case.users.iter().find(|(_, own, _)| *own == account);
            let wanted =
                named.any(|one| user.is_some_and(|(user, _, ok)| *ok && user.permission_sets.contains(&one.name)));
            let member = group.members.as_ref().map(|members| members.contains(&account));
            let given = case.given.contains(&(group.id.clone(), account.clone()));
            let verdict = match (wanted, member) {
                (true, None) => Unreadable,
                (true, Some(true)) => InStep,
                (true, Some(false)) if case.untouched.contains(&account) => Unmanaged,
                (true, Some(false)) => ToAdd,
                (false, Some(true)) if case.untouched.contains(&account) => Unmanaged,
                (false, Some(true)) if given || case.app.authoritative => ToRemove,
                (false, Some(true)) => Unmanaged,
                (false, None | Some(false)) => continue,
            };
            found.insert((group.id.clone(), account.clone()), verdict);
        }
    }
    found
}

#[test]
fn random_groups_are_judged_as_by_the_table() {
    let mut seen = BTreeSet::new();
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let entitlements: Vec<Value> = (0..dice.below(4))
            .map(|_| {
                let (set, group) = (dice.below(3), dice.below(4));
                json!({"grant": "permission_set", "name": format!("s{set}"), "group": {"id": format!("g{group}")}})
            })
            .collect();
        let mut case = Case::new(&json!(entitlements), dice.chance(30));
        for number in 0..8 {
            let sets: Vec<String> = (0..3).filter(|_| dice.chance(40)).map(|set| format!("s{set}")).collect();
            let entitled = dice.chance(80);
            case = case.user(number, entitled, json!({"permission_sets": sets}));
        }
        for number in 0..4 {
            let mut members = Vec::new();
            for account in (0..12).map(|account| format!("a{account}")) {
                if dice.chance(40) {
                    members.push(account.clone());
                }
                if dice.chance(20) {
                    case.given.insert((format!("g{number}"), account.clone()));
                }
                if dice.chance(5) {
                    case.untouched.insert(account);
                }
            }
            let mut group = json!({"id": format!("g{number}")});
            if dice.chance(85) {
                group["members"] = json!(members);
            }
            case = case.group(&group);
        }
        let (found, summary) = case.compare();
        assert_eq!(summary.counts.values().sum::<u64>(), found.len() as u64);
        let order: Vec<_> = found.iter().map(|one| (one.group.clone(), one.account.clone())).collect();
        let pairs: BTreeMap<_, _> = order.iter().cloned().zip(found.iter().map(|one| one.verdict)).collect();
        assert!(order.is_sorted() && pairs.len() == found.len(), "seed {seed}");
        assert_eq!(pairs, naive(&case), "seed {seed}");
        seen.extend(pairs.into_values());
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

/// The notes of a reconciliation whose app has these keys besides, of a user with a permission set and one without.
fn notes(keys: &Value, script: &Value) -> Vec<String> {
    let clock = VirtualClock::new(Timestamp::from_micros(0));
    let engine = Engine::builder().clock(Arc::new(clock)).seed(1).open().unwrap();
    let mut app = json!({"id": "crm", "assigned_to": {"profiles": ["P"]}, "create_without_match": true,
        "mapping": [{"target": "userName", "source": "id"}],
        "entitlements": [{"grant": "permission_set", "name": "S", "group": {"display_name": "Sales"}},
            {"grant": "permission_set", "name": "S", "group": {"id": "g9"}}],
        "connector": {"kind": "mock", "settings": {"groups": {"g1": "sales", "g2": "Others"},
            "members": {"g1": ["2", "x"], "g2": ["1"]}}}});
    app.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    let users = json!([{"id": "u1", "profile": "P", "permission_sets": ["S"]}, {"id": "u2", "profile": "P"}]);
    engine.put_users(users.to_string().as_bytes(), None).unwrap();
    engine.run(&RunOptions::default()).unwrap();
    let wanted = engine.mock_target("crm").unwrap().members("g1");
    assert!(wanted.ends_with(&["2".to_owned(), "x".to_owned()]), "nobody was taken out of it: {wanted:?}");
    engine.mock_target("crm").unwrap().script_json(&script.to_string()).unwrap();
    let reconciliation = engine.reconcile("crm", None).unwrap();
    assert_eq!((reconciliation.state.name(), reconciliation.counts.0[&Situation::Confirmed]), ("Analyzed", 2));
    // What a reconciliation finds is told, and nobody's membership is touched for it.
    engine.commit(reconciliation.id.as_str(), reconciliation.digest.as_deref().unwrap(), "ada").unwrap();
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!(engine.mock_target("crm").unwrap().members("g1"), wanted);
    reconciliation.notes
}

#[test]
fn a_reconciliation_tells_of_memberships_and_changes_none() {
    let told = notes(&json!({}), &json!([]));
    assert_eq!(
        told,
        [
            "memberships: 1 in step, 0 to add, 0 to remove, 2 unmanaged, 1 in unknown groups, 0 unreadable",
            "group `g9`: the target has no group of that id",
        ]
    );
    let told = notes(&json!({"authoritative": true}), &json!([]));
    assert_eq!(told[1], "group `sales` of 3 members: 0 to add, 2 to remove");
    let told = notes(&json!({"authoritative": true, "protected": {"external_ids": ["x"]}}), &json!([]));
    assert_eq!(told[1], "group `sales` of 3 members: 0 to add, 1 to remove");
    assert_eq!(notes(&json!({"entitlements": []}), &json!([])), Vec::<String>::new());
    let failing = json!([{"on": "list_groups", "fault": "forbidden"}]);
    assert_eq!(
        notes(&json!({}), &failing),
        ["memberships were not compared: the target's groups cannot be read (`forbidden`)"]
    );
}
