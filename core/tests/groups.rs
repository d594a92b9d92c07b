//! Memberships of groups: what grants ask for compared with what a target shows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop at what must not happen")]

use rollkeeper::model::Situation::{
    MembershipAbsent, MembershipConfirmed, MembershipMissing, MembershipUnmanaged, MembershipUnqualified,
    MembershipUnseen,
};
use rollkeeper::model::{App, Entitlement, Situation, User};
use rollkeeper::planning::groups::{
    GivenMember, Group, GroupRules, GroupSummary, Holder, Members, Membership, compare_groups,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is compared: an app's part of a definition, users with their accounts, groups.
struct Case {
    app: App,
    users: Vec<(User, String, bool)>,
    groups: Vec<Group>,
    untouched: BTreeSet<String>,
    given: BTreeSet<(String, String)>,
    keeps: bool,
}

impl Case {
    fn new(entitlements: &Value, authoritative: bool) -> Self {
        let app = json!({"id": "crm", "connector": {"kind": "mock"}, "entitlements": entitlements, "authoritative": authoritative});
        let app = App::from_json(app.to_string().as_bytes()).unwrap();
        Self {
            app,
            users: Vec::new(),
            groups: Vec::new(),
            untouched: BTreeSet::new(),
            given: BTreeSet::new(),
            keeps: false,
        }
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
        let holder = |(user, account, entitled): &(User, String, bool)| {
            Holder::new(&self.app.entitlements, user, account, *entitled)
        };
        let given_groups = self.given.iter().map(|(group, _)| group.clone()).collect();
        let rules = GroupRules {
            entitlements: &self.app.entitlements,
            authoritative: self.app.authoritative,
            keeps: self.keeps,
            untouched: &self.untouched,
            given_groups: &given_groups,
        };
        let mut found = Vec::new();
        let holders = self.users.iter().rev().map(holder).collect();
        let mut given = |group: &str| {
            let members = self.given.iter().filter(|(own, _)| own == group);
            let reference = |group: &str| serde_json::from_value(json!({"id": format!("as given: {group}")})).unwrap();
            Ok(members
                .map(|(group, account)| GivenMember { account: account.clone(), reference: reference(group) })
                .collect())
        };
        let summary = compare_groups(rules, holders, self.groups.clone(), &mut given, &mut |membership| {
            found.push(membership);
            Ok(())
        });
        (found, summary.unwrap())
    }

    fn situations(&self) -> Vec<(String, String, Situation)> {
        self.compare().0.into_iter().map(|found| (found.group, found.account, found.situation)).collect()
    }
}

fn of(group: &str, account: &str, situation: Situation) -> (String, String, Situation) {
    (group.to_owned(), account.to_owned(), situation)
}

fn sales() -> Value {
    json!([{"grant": "permission_set_group", "name": "Sales Manager", "group": {"display_name": "sales-mgr"}}])
}

fn manager() -> Value {
    json!({"permission_set_groups": ["Sales Manager"]})
}

#[test]
fn every_membership_is_in_one_situation() {
    let mut case = Case::new(&sales(), false)
        .user(1, true, manager())
        .user(2, true, manager())
        .user(3, true, json!({}))
        .user(4, true, json!({}))
        .user(5, false, manager())
        .user(6, true, manager())
        .user(7, true, manager())
        .user(8, true, json!({}))
        .group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a1", "a3", "a4", "a5", "stranger"]}))
        .group(&json!({"id": "g2", "display_name": "others", "members": ["a1", "a2"]}));
    case.given.extend(["a3", "a7", "a8"].map(|account| ("g1".to_owned(), account.to_owned())));
    case.untouched.insert("a6".to_owned());
    let expected = [
        of("g1", "a1", MembershipConfirmed),
        of("g1", "a2", MembershipAbsent),
        of("g1", "a3", MembershipUnqualified),
        of("g1", "a4", MembershipUnmanaged),
        // No longer entitled, and it was not we who gave it.
        of("g1", "a5", MembershipUnmanaged),
        of("g1", "a6", MembershipUnmanaged),
        of("g1", "a7", MembershipMissing),
        // We gave it, it was taken away, and nobody asks for it.
        of("g1", "a8", MembershipConfirmed),
        of("g1", "stranger", MembershipUnmanaged),
    ];
    assert_eq!(case.situations(), expected);
    let (found, summary) = case.compare();
    assert_eq!(found[1].why, ["permission set group `Sales Manager`"]);
    assert_eq!((found[1].user.as_deref(), found[8].user.as_deref()), (Some("u2"), None));
    let size = &summary.groups[0];
    assert_eq!((size.members, size.lacks, size.surplus), (Some(5), 2, 4));
    assert_eq!((summary.groups.len(), summary.others, summary.counts[&MembershipUnmanaged]), (1, 1, 4));
}

#[test]
fn an_authoritative_app_or_entitlement_may_take_strangers_out_of_its_own_groups_alone() {
    let members = || json!({"id": "g1", "display_name": "sales-mgr", "members": ["a1", "admin", "stranger"]});
    let case = |entitlements: &Value, authoritative| {
        let others = json!({"id": "g2", "display_name": "others", "members": ["a1"]});
        let mut case = Case::new(entitlements, authoritative).user(1, true, json!({})).group(&members()).group(&others);
        case.untouched.insert("admin".to_owned());
        let expected = ["a1", "admin", "stranger"].map(|account| of("g1", account, MembershipUnmanaged));
        assert_eq!(case.situations(), expected);
        case.compare().0.iter().map(|found| found.authoritative).collect::<Vec<_>>()
    };
    assert_eq!(case(&sales(), false), [false, false, false]);
    assert_eq!(case(&sales(), true), [true, false, true]);
    let mut one = sales();
    one[0]["authoritative"] = json!(true);
    assert_eq!(case(&one, false), [true, false, true]);
}

#[test]
fn an_account_of_who_may_not_have_it_keeps_its_memberships_where_the_app_says_so() {
    let mut case = Case::new(&sales(), false)
        .user(1, false, manager())
        .group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a1", "a2"]}));
    case.given.insert(("g1".to_owned(), "a1".to_owned()));
    assert_eq!(case.situations()[0], of("g1", "a1", MembershipUnqualified));
    case.keeps = true;
    assert_eq!(case.situations(), [of("g1", "a1", MembershipConfirmed), of("g1", "a2", MembershipUnmanaged)]);
}

#[test]
fn whom_we_put_into_a_group_that_no_entitlement_names_any_more_is_found_and_nobody_else() {
    let mut case = Case::new(&json!([]), true)
        .user(1, true, manager())
        .group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a1", "a2"]}));
    case.given.insert(("g1".to_owned(), "a1".to_owned()));
    assert_eq!(case.situations(), [of("g1", "a1", MembershipUnqualified)]);
    // It has another name by now, and the grant still asks for it as it was called.
    let reference = json!({"id": "as given: g1"});
    case.app.entitlements = serde_json::from_value::<Vec<Entitlement>>(
        json!([{"grant": "permission_set_group", "name": "Sales Manager", "group": reference}]),
    )
    .unwrap();
    let found = case.situations();
    assert_eq!(found[0], of("g1", "a1", MembershipConfirmed));
    assert_eq!(found[1], of("as given: g1", "a1", MembershipUnseen));
}

#[test]
fn members_are_kept_in_their_order_each_once() {
    let members: Members = ["b", "ä", "a", "b", ""].into_iter().collect();
    assert_eq!(members.iter().collect::<Vec<_>>(), ["", "a", "b", "ä"]);
    assert_eq!((members.len(), members.is_empty(), Members::default().is_empty()), (4, false, true));
    assert!(["", "a", "b", "ä"].iter().all(|one| members.contains(one)));
    assert!(["aa", "c", "z", "ö"].iter().all(|one| !members.contains(one)));
    let many: Members = (0..1_000).map(|number| ["even", "odd"][number % 2]).collect();
    assert_eq!(many.len(), 2);
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
            Some(id) => assert_eq!(
                (found[0].group.as_str(), found[0].situation),
                (id, MembershipAbsent),
                "{reference} {groups:?}"
            ),
            None => assert_eq!(found[0].situation, MembershipUnseen, "{reference} {groups:?}"),
        }
        assert_eq!(summary.unknown.len(), usize::from(expected.is_none()));
    }
}

#[test]
fn a_member_that_is_shown_by_its_login_is_the_account_that_alone_has_it() {
    let members = |of: &[&str]| Some(of.iter().copied().collect::<Members>());
    let mut group = Group { id: "g".to_owned(), display_name: None, members: members(&["1", "ann", "bob", "two"]) };
    let known = [("ann", Some("7")), ("two", None), ("zed", Some("9"))];
    group.resolve(&known.map(|(login, account)| (login.to_owned(), account.map(str::to_owned))).into());
    assert_eq!(group.members, members(&["1", "7", "bob", "two"]));
    let mut unseen = Group { members: None, ..group };
    unseen.resolve(&BTreeMap::from([("ann".to_owned(), None)]));
    assert_eq!(unseen.members, None);
}

#[test]
fn nothing_is_concluded_of_a_group_that_does_not_show_its_members() {
    let case = Case::new(&sales(), true)
        .user(1, true, manager())
        .user(2, true, json!({}))
        .group(&json!({"id": "g1", "display_name": "sales-mgr"}));
    assert_eq!(case.situations(), [of("g1", "a1", MembershipUnseen)]);
    // One that was listed twice, once without its members, is no better.
    let case = case.group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a2"]}));
    assert_eq!(case.situations(), [of("g1", "a1", MembershipUnseen)]);
    let (_, summary) = case.compare();
    assert_eq!(summary.groups[0].members, None);
}

#[test]
fn a_group_that_is_listed_twice_has_the_members_of_both() {
    let first = || {
        let case = Case::new(&sales(), false).user(1, true, manager()).user(2, true, manager());
        case.group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a1"]}))
    };
    let both = first().group(&json!({"id": "g1", "display_name": "sales-mgr", "members": ["a2"]}));
    assert_eq!(both.situations(), [of("g1", "a1", MembershipConfirmed), of("g1", "a2", MembershipConfirmed)]);
    let half = first().group(&json!({"id": "g1", "display_name": "sales-mgr"}));
    assert_eq!(half.situations(), [of("g1", "a1", MembershipUnseen), of("g1", "a2", MembershipUnseen)]);
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
    assert_eq!(case.situations(), [of("g1", "a1", MembershipAbsent), of("g2", "a1", MembershipConfirmed)]);
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
fn naive(case: &Case) -> BTreeMap<(String, String), Situation> {
    let mut found = BTreeMap::new();
    let accounts = (0..12).map(|number| format!("a{number}"));
    for account in accounts {
        for group in &case.groups {
            let named = case.app.entitlements.iter().filter(|one| one.group.text() == group.id);
            let mut named = named.peekable();
            let given = case.given.contains(&(group.id.clone(), account.clone()));
            if named.peek().is_none() && (!given || group.members.is_none()) {
                continue;
            }
            let user = case.users.iter().find(|(_, own, _)| *own == account);
            let wanted =
                named.any(|one| user.is_some_and(|(user, _, ok)| *ok && user.permission_sets.contains(&one.name)));
            let member = group.members.as_ref().map(|members| members.contains(&account));
            let left_alone = case.untouched.contains(&account);
            let situation = match (wanted, given, member) {
                (true, _, None) => MembershipUnseen,
                (false, _, None) => continue,
                (true, _, Some(true)) => MembershipConfirmed,
                (true, true, Some(false)) if !left_alone => MembershipMissing,
                (true, false, Some(false)) if !left_alone => MembershipAbsent,
                (false, true, Some(true)) if !left_alone => MembershipUnqualified,
                (true, _, Some(false)) | (false, _, Some(true)) => MembershipUnmanaged,
                (false, true, Some(false)) => MembershipConfirmed,
                (false, false, Some(false)) => continue,
            };
            found.insert((group.id.clone(), account.clone()), situation);
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
        let pairs: BTreeMap<_, _> = order.iter().cloned().zip(found.iter().map(|one| one.situation)).collect();
        assert!(order.is_sorted() && pairs.len() == found.len(), "seed {seed}");
        assert_eq!(pairs, naive(&case), "seed {seed}");
        seen.extend(pairs.into_values());
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}
