//! Memberships as items of a reconciliation's plan: what is found, what is done about it, what the brake holds, and how it is
//! undone.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::connector::TargetAccount;
use rollkeeper::model::{
    App, ItemState, PlanFilter, PlanItem, Reaction, Reconciliation, RequestFilter, ReviewDecision, Situation, State,
    User,
};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::{Clock, Code, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

struct World {
    engine: Engine,
    clock: VirtualClock,
    target: MockTarget,
}

/// Groups by the permission sets of their names.
fn app(keys: &Value) -> App {
    let mut app = json!({"id": "crm", "assigned_to": {"profiles": ["P"]}, "create_without_match": true,
        "mapping": [{"target": "userName", "source": "id"}, {"target": "title", "source": "title", "strength": "strong"}],
        "matching": [{"all": [{"user": "id", "account": "userName"}]}],
        "retry": {"first": "PT1S", "cap": "PT1S"},
        "entitlements": [
            {"grant": "permission_set", "name": "A", "group": {"display_name": "As"}},
            {"grant": "permission_set", "name": "B", "group": {"id": "g2"}},
            {"grant": "permission_set", "name": "C", "group": {"id": "g3"}}],
        "connector": {"kind": "mock", "settings": {"groups": {"g1": "as", "g2": "Bs", "g3": "Cs", "g4": "Others"}}}});
    app.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    App::from_json(app.to_string().as_bytes()).unwrap()
}

impl World {
    fn new(keys: &Value) -> Self {
        let clock = VirtualClock::new(Timestamp::from_micros(0));
        let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(1).open().unwrap();
        engine.put_app(app(keys), None).unwrap();
        let target = engine.mock_target("crm").unwrap();
        Self { engine, clock, target }
    }

    fn put(&self, id: &str, keys: &Value) {
        let mut user = json!({"id": id, "profile": "P"});
        user.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        self.engine.put_user(User::from_value(user).unwrap(), None).unwrap();
    }

    fn grant(&self, id: &str, sets: &[&str]) {
        self.put(id, &json!({"permission_sets": sets}));
    }

    /// Runs until nothing is due within a minute any more.
    fn run(&self) {
        while let Some(due) = self.engine.run(&RunOptions::default()).unwrap().next_due {
            let now = self.clock.now();
            if due > now.plus(Period::from_seconds(60)) {
                break;
            }
            self.clock.set(due.max(now));
        }
    }

    /// An account that somebody made by hand.
    fn stranger(&self, id: &str) {
        let account = json!({"external_id": id, "username": id, "attributes": {"userName": id}});
        self.target.put_account(serde_json::from_value::<TargetAccount>(account).unwrap());
    }

    fn reconcile(&self) -> Reconciliation {
        self.engine.reconcile("crm", Some("ann")).unwrap()
    }

    /// Reconciles twice, so that what is inferred is found twice.
    fn twice(&self) -> Reconciliation {
        self.reconcile();
        self.clock.advance(Period::from_seconds(601));
        self.reconcile()
    }

    fn items(&self, plan: &Reconciliation) -> Vec<PlanItem> {
        let filter = PlanFilter { limit: Some(10_000), ..PlanFilter::default() };
        self.engine.plan(plan.id.as_str(), &filter).unwrap()
    }

    /// The items about memberships: group, account, situation, reaction, state.
    fn told(&self, plan: &Reconciliation) -> Vec<String> {
        let items = self.items(plan);
        let members = items.iter().filter(|item| item.group.is_some());
        members.map(line).collect()
    }

    fn commit(&self, plan: &Reconciliation, by: &str) -> Reconciliation {
        let committed = self.engine.commit(plan.id.as_str(), plan.digest.as_deref().unwrap(), by).unwrap();
        self.run();
        committed
    }

    fn release(&self, plan: &Reconciliation, by: &str) -> Result<Reconciliation, Code> {
        let released = self.engine.release(plan.id.as_str(), plan.digest.as_deref().unwrap(), by);
        self.run();
        released.map_err(|error| error.code())
    }

    fn members(&self) -> BTreeMap<String, Vec<String>> {
        ["g1", "g2", "g3", "g4"].iter().map(|group| ((*group).to_owned(), self.target.members(group))).collect()
    }
}

fn line(item: &PlanItem) -> String {
    let (group, account) = (item.group.as_deref().unwrap(), item.finding.account.as_deref().unwrap());
    let finding = item.finding.situation.name().trim_start_matches("membership_");
    format!("{group} {account} {finding} {} {}", item.reaction.name(), item.state.name())
}

fn reactions(reactions: &Value) -> Value {
    json!({"reconcile": {"reactions": reactions}})
}

fn both(one: &Value, other: &Value) -> Value {
    let mut both = one.as_object().unwrap().clone();
    both.extend(other.as_object().unwrap().clone());
    Value::Object(both)
}

/// Five users in a world in which things went on: `u1` and `u2` are in A, `u2` was taken out of it by hand; `u3` was put into it
/// by hand; `u4` is to be in B and the target refused it; `u5` lost C and the target does not let go. `x` is nobody's.
fn disturbed(keys: &Value) -> World {
    let world = World::new(keys);
    world.grant("u1", &["A"]);
    world.grant("u2", &["A"]);
    world.grant("u3", &[]);
    world.grant("u5", &["C"]);
    world.run();
    world.target.script_json(r#"[{"on": "change_members", "fault": "rejected"}]"#).unwrap();
    world.grant("u4", &["B"]);
    world.run();
    assert!(world.target.set_member("g1", "2", false) && world.target.set_member("g1", "3", true));
    world.stranger("x");
    assert!(world.target.set_member("g1", "x", true) && world.target.set_member("g4", "x", true));
    world
}

#[test]
fn every_membership_that_differs_is_an_item_and_all_are_counted() {
    let world = disturbed(&json!({}));
    let plan = world.reconcile();
    assert_eq!(
        world.told(&plan),
        [
            "g1 2 missing update planned",
            "g1 3 unmanaged report reported",
            "g1 x unmanaged report reported",
            "g2 5 absent report reported",
        ]
    );
    let count = |situation| plan.counts.0[&situation];
    assert_eq!(count(Situation::MembershipConfirmed), 2);
    assert_eq!((count(Situation::MembershipMissing), count(Situation::MembershipUnmanaged)), (1, 2));
    assert_eq!((count(Situation::MembershipAbsent), count(Situation::MembershipUnqualified)), (1, 0));
    let group = plan.groups.iter().find(|group| group.group == "g1").unwrap();
    assert_eq!((group.members, group.lacks, group.surplus), (Some(3), 1, 2));
    assert_eq!(plan.groups.len(), 3, "groups that no entitlement names are left alone");
    let items = world.items(&plan);
    let missing = items.iter().find(|item| item.finding.situation == Situation::MembershipMissing).unwrap();
    assert_eq!(json!(missing.changes), json!([{"op": "add", "path": "groups", "value": [{"value": "g1"}]}]));
    assert_eq!(
        json!(missing.finding.drift),
        json!([{"attribute": "groups[value eq \"g1\"]", "last": true, "wanted": true, "actual": false, "verdict": "theirs"}])
    );
    assert_eq!(missing.why, ["permission set `A`"]);
}

#[test]
fn the_commit_does_exactly_what_the_plan_says_of_memberships_and_nothing_besides() {
    let world = disturbed(&reactions(&json!({"membership_absent": "update"})));
    // The account differs in an attribute too, which is told and not done.
    let mut account = world.target.accounts().into_iter().find(|account| account.external_id == "2").unwrap();
    account.attributes.insert("title".to_owned(), json!("Chief"));
    world.target.put_account(account);
    let plan = world.reconcile();
    world.target.clear_calls();
    let committed = world.commit(&plan, "ann");
    assert_eq!(committed.items[&ItemState::Done], 2);
    let calls: Vec<String> = world.target.calls().iter().map(|call| call.method.clone()).collect();
    assert_eq!(calls, ["change_members", "change_members"]);
    assert_eq!(world.target.members("g1"), ["1", "2", "3", "x"]);
    assert_eq!(world.target.members("g2"), ["5"]);
    assert!(world.told(&world.reconcile()).iter().all(|line| line.contains("unmanaged")));
    // What was given by a plan is ours, and goes with its grant.
    world.grant("u4", &[]);
    world.run();
    assert!(world.target.members("g2").is_empty());
}

#[test]
fn what_changed_since_the_plan_is_refused_by_name() {
    let world = disturbed(&reactions(&json!({"membership_absent": "update"})));
    let plan = world.reconcile();
    world.grant("u4", &[]);
    let committed = world.commit(&plan, "ann");
    assert_eq!((committed.items[&ItemState::Done], committed.items[&ItemState::Refused]), (1, 1));
    let refused = world.items(&plan).into_iter().find(|item| item.state == ItemState::Refused).unwrap();
    let fault = refused.fault.unwrap();
    assert_eq!(fault.code, Code::ItemChanged);
    assert!(fault.message.contains("the user `u4` and the account `5` in the group `g2`"), "{}", fault.message);
    assert!(world.target.members("g2").is_empty());
}

#[test]
fn strangers_are_taken_out_of_authoritative_groups_where_that_was_chosen_and_nobody_protected() {
    let chosen = reactions(&json!({"membership_unmanaged": "remove"}));
    let world = disturbed(&chosen);
    let told = world.told(&world.twice());
    assert!(told.contains(&"g1 3 unmanaged report reported".to_owned()), "{told:?}");
    let world = disturbed(&both(&chosen, &json!({"authoritative": true, "protected": {"external_ids": ["x"]}})));
    let first = world.reconcile();
    assert!(world.told(&first).contains(&"g1 3 unmanaged remove held".to_owned()), "a first observation takes nothing");
    world.clock.advance(Period::from_seconds(601));
    let plan = world.reconcile();
    let told = world.told(&plan);
    assert!(told.contains(&"g1 3 unmanaged remove planned".to_owned()), "{told:?}");
    assert!(told.contains(&"g1 x unmanaged report reported".to_owned()), "{told:?}");
    world.commit(&plan, "ann");
    assert_eq!(world.target.members("g1"), ["1", "2", "x"]);
    // Nobody owns the account: it leaves the group all the same.
    let world = disturbed(&both(&chosen, &json!({"authoritative": true})));
    let plan = world.twice();
    world.commit(&plan, "ann");
    assert_eq!(
        (world.target.members("g1"), world.target.members("g4")),
        (vec!["1".to_owned(), "2".to_owned()], vec!["x".to_owned()])
    );
    let open = world.engine.requests(&RequestFilter::default()).unwrap();
    assert!(open.iter().all(|request| request.state.is_finished()), "{open:?}");
}

#[test]
fn a_stranger_whom_the_target_does_not_let_go_does_not_become_ours() {
    let keys = both(
        &reactions(&json!({"membership_unmanaged": "remove"})),
        &json!({"authoritative": true, "retry": {"first": "PT1S", "cap": "PT1S", "attempts": 2}}),
    );
    let world = disturbed(&keys);
    let plan = world.twice();
    world.target.script_json(r#"[{"on": "change_members", "times": 100, "fault": "rejected"}]"#).unwrap();
    world.commit(&plan, "ann");
    world.target.script_json("[]").unwrap();
    assert_eq!(world.target.members("g1"), ["1", "3", "x"]);
    let told = world.told(&world.reconcile());
    assert!(told.iter().any(|line| line.starts_with("g1 3 unmanaged")), "{told:?}");
}

#[test]
fn a_group_is_never_emptied_before_a_second_person_agrees() {
    let keys = both(&reactions(&json!({"membership_unmanaged": "remove"})), &json!({"authoritative": true}));
    let world = World::new(&keys);
    world.grant("u1", &[]);
    world.run();
    assert!(world.target.set_member("g1", "1", true));
    let plan = world.twice();
    assert_eq!(world.told(&plan), ["g1 1 unmanaged remove held"]);
    let names: Vec<&str> = plan.brake.iter().map(|reason| reason.name.as_str()).collect();
    assert_eq!(names, ["group_emptied"]);
    world.commit(&plan, "ann");
    assert_eq!(world.target.members("g1"), ["1"]);
    assert_eq!(world.release(&plan, "ann").unwrap_err(), Code::FourEyes);
    world.release(&plan, "eve").unwrap();
    assert!(world.target.members("g1").is_empty());
}

#[test]
fn ten_of_thirty_three_are_held_and_ten_of_thirty_four_are_not() {
    for (members, held) in [(33, true), (34, false)] {
        let keys = both(&reactions(&json!({"membership_unmanaged": "remove"})), &json!({"authoritative": true}));
        let world = World::new(&keys);
        (0..members).for_each(|number| world.grant(&format!("u{number:02}"), if number < 10 { &[] } else { &["A"] }));
        world.run();
        let accounts: Vec<TargetAccount> = world.target.accounts();
        let strangers = accounts.iter().filter(|account| !world.target.members("g1").contains(&account.external_id));
        let strangers: Vec<String> = strangers.map(|account| account.external_id.clone()).collect();
        strangers.iter().for_each(|id| assert!(world.target.set_member("g1", id, true)));
        let plan = world.twice();
        assert_eq!(plan.items.get(&ItemState::Held).copied().unwrap_or(0), if held { 10 } else { 0 });
        assert_eq!(plan.items.get(&ItemState::Planned).copied().unwrap_or(0), if held { 0 } else { 10 });
    }
}

#[test]
fn what_we_gave_and_nobody_asks_for_any_more_is_found_where_its_removal_failed() {
    let chosen = reactions(&json!({"membership_unqualified": "remove"}));
    let world = World::new(&both(&chosen, &json!({"retry": {"first": "PT1S", "cap": "PT1S", "attempts": 1}})));
    world.grant("u1", &["A"]);
    world.grant("u2", &["A"]);
    world.run();
    world.target.script_json(r#"[{"on": "change_members", "times": 1, "fault": "rejected"}]"#).unwrap();
    world.grant("u1", &[]);
    world.run();
    assert_eq!(world.target.members("g1"), ["1", "2"]);
    let plan = world.twice();
    assert_eq!(world.told(&plan), ["g1 1 unqualified remove planned"]);
    world.commit(&plan, "ann");
    assert_eq!(world.target.members("g1"), ["2"]);
}

#[test]
fn a_person_decides_about_a_membership_and_the_brake_is_asked_again() {
    let world =
        disturbed(&both(&reactions(&json!({"membership_unmanaged": "review"})), &json!({"authoritative": true})));
    let plan = world.reconcile();
    let item = world
        .items(&plan)
        .into_iter()
        .find(|item| item.finding.account.as_deref() == Some("3") && item.group.is_some());
    let item = item.unwrap();
    assert_eq!(item.state, ItemState::Review);
    let decide = |reaction| {
        let decision = ReviewDecision { reaction, user: None };
        world.engine.review(plan.id.as_str(), item.number, &decision, "rita").map_err(|error| error.code())
    };
    assert_eq!(decide(Reaction::Delete).unwrap_err(), Code::InvalidArgument);
    let reviewed = decide(Reaction::Remove).unwrap();
    assert_ne!(reviewed.digest, plan.digest);
    world.commit(&reviewed, "ann");
    assert_eq!(world.target.members("g1"), ["1", "2", "x"]);
}

#[test]
fn a_request_that_gave_or_took_memberships_is_undone_and_what_cannot_be_is_told_first() {
    let world = World::new(&json!({}));
    world.grant("u1", &["A", "B"]);
    world.grant("u2", &["A"]);
    world.run();
    world.grant("u1", &["C"]);
    world.run();
    assert_eq!(
        (world.target.members("g1"), world.target.members("g2"), world.target.members("g3")),
        (vec!["2".to_owned()], vec![], vec!["1".to_owned()])
    );
    let filter = RequestFilter { user: Some("u1".to_owned()), ..RequestFilter::default() };
    let requests = world.engine.requests(&filter).unwrap();
    let took = requests.iter().find(|request| request.why.contains("removed")).unwrap_or(&requests[requests.len() - 2]);
    let undo = world.engine.undo(took.id.as_str(), "ann").unwrap();
    assert_eq!(world.told(&undo), ["g1 1 confirmed update planned", "g2 1 confirmed update planned"], "{requests:?}");
    world.commit(&undo, "ann");
    assert_eq!((world.target.members("g1").len(), world.target.members("g2").len()), (2, 1));
    // What was given last is taken back; that would empty the group.
    let gave = requests.last().unwrap();
    let undo = world.engine.undo(gave.id.as_str(), "ann").unwrap();
    assert_eq!(world.told(&undo), ["g3 1 confirmed remove held"]);
    world.commit(&undo, "ann");
    assert_eq!(world.target.members("g3"), ["1"]);
    world.release(&undo, "eve").unwrap();
    assert!(world.target.members("g3").is_empty());
    // An account that is gone has nothing to be given back.
    world.grant("u2", &[]);
    world.run();
    let filter = RequestFilter { user: Some("u2".to_owned()), ..RequestFilter::default() };
    let took = world.engine.requests(&filter).unwrap().pop().unwrap();
    world.engine.put_app(app(&json!({"protected": {"external_ids": ["2"]}})), None).unwrap();
    let undo = world.engine.undo(took.id.as_str(), "ann").unwrap();
    let first = &world.items(&undo)[0];
    assert_eq!((first.state, first.fault.as_ref().unwrap().code), (ItemState::Refused, Code::CannotBeUndone));
}

/// Numbers at random, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn sets(&mut self) -> Vec<&'static str> {
        ["A", "B", "C"].into_iter().filter(|_| self.below(2) == 0).collect()
    }
}

/// A batch of memberships that a plan gives and takes away is undone, and the target is as it was.
fn undo_a_batch(seed: u64) -> usize {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let chosen =
        json!({"membership_absent": "update", "membership_unqualified": "remove", "membership_unmanaged": "remove"});
    let world = World::new(&both(&reactions(&chosen), &json!({"authoritative": true})));
    let users = 2 + chance.below(4);
    for number in 1..=users {
        let sets = chance.sets();
        world.grant(&format!("u{number}"), &sets);
    }
    world.run();
    (0..chance.below(3)).for_each(|number| world.stranger(&format!("x{number}")));
    for account in world.target.accounts() {
        for group in ["g1", "g2", "g3"] {
            if chance.below(3) == 0 {
                world.target.set_member(group, &account.external_id, chance.below(2) == 0);
            }
        }
    }
    let plan = world.twice();
    let before = world.members();
    world.commit(&plan, "ann");
    if !plan.brake.is_empty() {
        world.release(&plan, "eve").unwrap();
    }
    let after = world.members();
    let undo = world.engine.undo(plan.id.as_str(), "ann").unwrap();
    world.commit(&undo, "ann");
    if !undo.brake.is_empty() {
        world.release(&undo, "eve").unwrap();
    }
    let shown = world.engine.reconciliation(undo.id.as_str()).unwrap();
    assert_eq!(shown.state, State::Completed, "seed {seed}: {shown:?}");
    assert_eq!(
        world.members(),
        before,
        "seed {seed}: {:?} then {after:?}, undone by {:?}",
        world.told(&plan),
        world.told(&undo)
    );
    usize::from(before != after)
}

/// A half of two hundred batches; `UNDO_BATCHES` says how many there are, as for all that is undone.
fn batches(half: u64) {
    let all: u64 = std::env::var("UNDO_BATCHES").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    let seeds: Vec<u64> = (0..all).filter(|seed| seed % 2 == half).collect();
    let changed: usize = seeds.iter().map(|seed| undo_a_batch(*seed)).sum();
    assert!(changed * 4 > seeds.len() * 3, "{changed}");
}

#[test]
fn a_half_of_all_batches_of_memberships_is_undone() {
    batches(0);
}

#[test]
fn and_the_other_half_is_undone() {
    batches(1);
}
