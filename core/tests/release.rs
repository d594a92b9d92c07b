//! What the brake holds, who releases it and how often, what a person decides, and what is done by the clock.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::connector::TargetAccount;
use rollkeeper::model::{
    ApprovalStatus, ItemState, LogEntry, PlanFilter, PlanItem, Reaction, Reconciliation, ReviewDecision,
    SnapshotVerdict, State, User, WaitingFor,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Code, Engine, Period, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// So many users with accounts, of whom the first are not entitled any more without the engine having done anything.
fn office(people: usize, leavers: usize, reconcile: &Value) -> World {
    office_in(World::new(&json!({})), people, leavers, reconcile)
}

fn office_in(world: World, people: usize, leavers: usize, reconcile: &Value) -> World {
    let keys = json!({
        "matching": [{"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]}],
        "reconcile": reconcile,
    });
    world.put_app(&keys);
    for number in 0..people {
        put(&world, number, &json!({}));
    }
    world.run();
    assert_eq!(world.mock().accounts().len(), people);
    let mut quiet = keys.clone();
    quiet["enabled"] = json!(false);
    quiet.as_object_mut().unwrap().remove("reconcile");
    world.put_app(&quiet);
    for number in 0..leavers {
        put(&world, number, &json!({"profile": "Guests"}));
    }
    world.put_app(&keys);
    // Putting the app in use again decides about everybody; here reconciliation is to find them.
    for request in world.all().iter().filter(|request| !request.state.is_finished()) {
        world.engine.cancel(request.id.as_str(), Some("ann")).unwrap();
    }
    world
}

fn put(world: &World, number: usize, more: &Value) {
    let mut user =
        json!({"id": format!("p{number}"), "username": format!("p{number}"), "profile": "Employees", "active": true});
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

fn deactivates() -> Value {
    json!({"reactions": {"unqualified": "deactivate"}})
}

fn reconcile(world: &World) -> Reconciliation {
    world.engine.reconcile("crm", Some("ann")).unwrap()
}

fn digest(found: &Reconciliation) -> &str {
    found.digest.as_deref().unwrap()
}

fn commit(world: &World, found: &Reconciliation) -> Reconciliation {
    world.engine.commit(found.id.as_str(), digest(found), "ann").unwrap()
}

fn items(world: &World, found: &Reconciliation) -> Vec<PlanItem> {
    world.engine.plan(found.id.as_str(), &PlanFilter::default()).unwrap()
}

fn count(found: &Reconciliation, state: ItemState) -> u64 {
    found.items.get(&state).copied().unwrap_or(0)
}

fn names(found: &Reconciliation) -> Vec<&str> {
    found.brake.iter().map(|reason| reason.name.as_str()).collect()
}

fn disabled(world: &World) -> usize {
    world.mock().accounts().iter().filter(|account| !account.active).count()
}

fn refused(world: &World, found: &Reconciliation, by: &str) -> Code {
    world.engine.release(found.id.as_str(), digest(found), by).unwrap_err().code()
}

/// Found twice, ten minutes apart.
fn found_twice(world: &World) -> Reconciliation {
    reconcile(world);
    world.clock.advance(Period::from_seconds(600));
    reconcile(world)
}

#[test]
fn what_is_inferred_must_be_found_twice_ten_minutes_apart() {
    let world = office(20, 1, &deactivates());
    let first = reconcile(&world);
    assert_eq!((names(&first), count(&first, ItemState::Held)), (vec!["first_observation"], 1));
    assert_eq!(refused(&world, &first, "bob"), Code::InvalidTransition);
    let done = commit(&world, &first);
    assert_eq!((done.state, count(&done, ItemState::Expired)), (State::Completed, 1));
    world.clock.advance(Period::from_seconds(599));
    assert_eq!(names(&reconcile(&world)), ["first_observation"]);
    world.clock.advance(Period::from_seconds(1));
    let second = reconcile(&world);
    assert!(second.brake.is_empty());
    assert_eq!(count(&commit(&world, &second), ItemState::Done), 1);
    world.run();
    assert_eq!(disabled(&world), 1);
}

#[test]
fn a_listing_in_which_it_is_not_found_makes_it_a_first_one_again() {
    let world = office(20, 1, &deactivates());
    reconcile(&world);
    let account = |active: bool| {
        let mut account =
            world.mock().accounts().into_iter().find(|one| one.username.as_deref() == Some("p0")).unwrap();
        account.active = active;
        world.mock().put_account(account);
    };
    account(false);
    world.clock.advance(Period::from_seconds(600));
    assert!(names(&reconcile(&world)).is_empty());
    account(true);
    world.clock.advance(Period::from_seconds(600));
    assert_eq!(names(&reconcile(&world)), ["first_observation"]);
}

#[test]
fn many_are_held_and_released_by_a_second_person_after_the_commit() {
    let world = office(60, 6, &deactivates());
    let found = found_twice(&world);
    assert_eq!((names(&found), count(&found, ItemState::Held)), (vec!["deactivations"], 6));
    assert_eq!(found.approval, ApprovalStatus::Required);
    let held = commit(&world, &found);
    assert_eq!((held.state, held.waiting_for), (State::Committing, Some(WaitingFor::Approval)));
    world.run();
    assert_eq!(disabled(&world), 0);
    assert_eq!(refused(&world, &found, "ann"), Code::FourEyes);
    assert_eq!(refused(&world, &found, " ann"), Code::FourEyes);
    assert_eq!(refused(&world, &found, ""), Code::InvalidArgument);
    let wrong = world.engine.release(found.id.as_str(), &"0".repeat(64), "bob").unwrap_err();
    assert_eq!(wrong.code(), Code::PlanChanged);
    let released = world.engine.release(found.id.as_str(), digest(&found), "bob").unwrap();
    assert_eq!((released.state, count(&released, ItemState::Done)), (State::Completed, 6));
    assert_eq!(refused(&world, &found, "carl"), Code::InvalidTransition);
    world.run();
    assert_eq!(disabled(&world), 6);
    assert!(world.logged("released", digest(&found)));
}

/// A release of which nothing would follow is refused, however many reasons the brake has.
#[test]
fn what_was_found_once_alone_cannot_be_released() {
    let world = office(60, 6, &deactivates());
    let found = reconcile(&world);
    assert_eq!(names(&found), ["deactivations", "first_observation"]);
    assert_eq!(found.approval, ApprovalStatus::NotRequired);
    assert_eq!(refused(&world, &found, "bob"), Code::InvalidTransition);
    let done = commit(&world, &found);
    assert_eq!((done.state, count(&done, ItemState::Expired)), (State::Completed, 6));
    assert_eq!(refused(&world, &found, "bob"), Code::InvalidTransition);
    world.run();
    assert_eq!(disabled(&world), 0);
}

#[test]
fn a_release_lets_through_what_was_found_twice_and_is_used_up() {
    let world = office(60, 6, &json!({"reactions": {"unqualified": "deactivate", "orphaned": "deactivate"}}));
    reconcile(&world);
    world.clock.advance(Period::from_seconds(600));
    let stranger = json!({"external_id": "x", "username": "x", "active": true, "attributes": {"userName": "x"}});
    world.mock().put_account_json(&stranger.to_string()).unwrap();
    let found = reconcile(&world);
    assert_eq!((names(&found), count(&found, ItemState::Held)), (vec!["deactivations", "first_observation"], 7));
    assert_eq!(commit(&world, &found).waiting_for, Some(WaitingFor::Approval));
    let released = world.engine.release(found.id.as_str(), digest(&found), "bob").unwrap();
    assert_eq!((released.state, count(&released, ItemState::Done)), (State::Completed, 6));
    assert_eq!(count(&released, ItemState::Expired), 1);
    assert_eq!(refused(&world, &found, "bob"), Code::InvalidTransition);
    world.run();
    assert_eq!(disabled(&world), 6);
    assert!(world.accounts().contains(&"x active".to_owned()));
}

/// What the brake holds keeps nobody else waiting.
#[test]
fn a_held_plan_lets_everything_harmless_through() {
    let reactions = json!({"reactions": {
        "unqualified": "deactivate", "absent": "create", "found": "link", "drifted": "update", "orphaned": "ignore",
        "missing": "create",
    }});
    let world = office(60, 6, &reactions);
    let of =
        |name: &str| world.mock().accounts().into_iter().find(|one| one.username.as_deref() == Some(name)).unwrap();
    let stranger = |name: &str| {
        let account = json!({"external_id": name, "username": name, "attributes": {"userName": name}});
        world.mock().put_account(serde_json::from_value(account).unwrap());
    };
    // One has no account, one has one already, one was disabled, one account is gone, and one is nobody's.
    [100, 101].iter().for_each(|number| put(&world, *number, &json!({})));
    for request in world.all().iter().filter(|request| !request.state.is_finished()) {
        world.engine.cancel(request.id.as_str(), Some("ann")).unwrap();
    }
    stranger("p101");
    stranger("nobody");
    world.mock().put_account(TargetAccount { active: false, ..of("p20") });
    world.mock().remove_account(&of("p21").external_id);
    let found = found_twice(&world);
    assert_eq!((names(&found), count(&found, ItemState::Held)), (vec!["deactivations"], 6));
    let held = commit(&world, &found);
    assert_eq!((held.state, held.waiting_for), (State::Committing, Some(WaitingFor::Approval)));
    world.run();
    let lines: Vec<String> = items(&world, &held)
        .iter()
        .map(|item| format!("{} {} {}", item.finding.situation.name(), item.reaction.name(), item.state.name()))
        .collect();
    let mut others: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.contains("unqualified")).collect();
    others.sort_unstable();
    let expected =
        ["absent create done", "drifted update done", "found link done", "missing create done", "orphaned ignore done"];
    assert_eq!(others, expected);
    assert_eq!(lines.iter().filter(|line| *line == "unqualified deactivate held").count(), 6, "{lines:?}");
    // All of it reached the target, and nothing of what is held.
    assert_eq!((disabled(&world), of("p20").active, of("p100").active, of("p21").active), (0, true, true, true));
    world.engine.release(found.id.as_str(), digest(&found), "bob").unwrap();
    world.run();
    assert_eq!(disabled(&world), 6);
}

#[test]
fn what_was_released_before_is_done_by_the_commit_of_somebody_else() {
    let world = office(60, 6, &deactivates());
    let found = found_twice(&world);
    let released = world.engine.release(found.id.as_str(), digest(&found), "bob").unwrap();
    assert_eq!((released.state, released.approval), (State::Analyzed, ApprovalStatus::Approved));
    assert_eq!(refused(&world, &found, "carl"), Code::InvalidTransition);
    let alone = world.engine.commit(found.id.as_str(), digest(&found), "bob").unwrap_err();
    assert_eq!(alone.code(), Code::FourEyes);
    assert_eq!(count(&commit(&world, &found), ItemState::Done), 6);
}

#[test]
fn a_plan_and_a_release_are_good_for_a_day() {
    let world = office(60, 6, &deactivates());
    let found = found_twice(&world);
    world.clock.advance(Period::from_seconds(86_400));
    world.engine.release(found.id.as_str(), digest(&found), "bob").unwrap();
    world.clock.advance(Period::from_seconds(86_401));
    let late = world.engine.commit(found.id.as_str(), digest(&found), "ann").unwrap_err();
    assert_eq!(late.code(), Code::PlanChanged);
    let found = found_twice(&world);
    world.clock.advance(Period::from_micros(86_400_000_001));
    assert_eq!(refused(&world, &found, "bob"), Code::InvalidTransition);
}

#[test]
fn another_definition_voids_a_plan() {
    let world = office(60, 6, &deactivates());
    let found = found_twice(&world);
    world.put_app(&json!({"reconcile": {"reactions": {"unqualified": "delete"}}}));
    assert_eq!(refused(&world, &found, "bob"), Code::PlanChanged);
}

#[test]
fn an_incomplete_listing_is_not_released() {
    let world = office(60, 6, &deactivates());
    found_twice(&world);
    world.script(&json!([{"on": "list", "fault": "incomplete"}]));
    let found = reconcile(&world);
    assert_eq!(found.verdict, Some(SnapshotVerdict::Incomplete), "{found:?}");
    assert_eq!(count(&found, ItemState::Held), 0);
    assert_eq!(refused(&world, &found, "bob"), Code::InvalidTransition);
}

fn decide(reaction: Reaction, user: Option<&str>) -> ReviewDecision {
    ReviewDecision { reaction, user: user.map(str::to_owned) }
}

/// Three accounts that two users each match, and one of nobody.
fn disputed(reactions: &Value) -> World {
    let world = World::new(&json!({
        "matching": [{"all": [{"user": "title", "account": "title"}]}],
        "reconcile": {"reactions": reactions},
        "enabled": false,
    }));
    for number in 0..2 {
        put(&world, number, &json!({"title": "Dr"}));
    }
    for (id, title) in [("a1", "Dr"), ("a2", "none")] {
        let account = json!({"external_id": id, "username": id, "attributes": {"userName": id, "title": title}});
        world.mock().put_account(serde_json::from_value::<TargetAccount>(account).unwrap());
    }
    world
}

#[test]
fn a_person_links_an_account_with_one_of_those_who_match() {
    let world = disputed(&json!({"ambiguous": "review", "orphaned": "review"}));
    let found = reconcile(&world);
    assert_eq!(count(&found, ItemState::Review), 2);
    let number = |account: &str| {
        let items = items(&world, &found);
        items.iter().find(|item| item.finding.account.as_deref() == Some(account)).unwrap().number
    };
    let (disputed, orphan) = (number("a1"), number("a2"));
    let review = |item, decision: &ReviewDecision| world.engine.review(found.id.as_str(), item, decision, "eve");
    let code = |item, decision: &ReviewDecision| review(item, decision).unwrap_err().code();
    assert_eq!(code(disputed, &decide(Reaction::Link, None)), Code::InvalidArgument);
    assert_eq!(code(disputed, &decide(Reaction::Link, Some("stranger"))), Code::InvalidArgument);
    assert_eq!(code(disputed, &decide(Reaction::Delete, None)), Code::InvalidArgument);
    assert_eq!(code(disputed, &decide(Reaction::Ignore, Some("p0"))), Code::InvalidArgument);
    assert_eq!(code(orphan, &decide(Reaction::Unlink, None)), Code::InvalidArgument);
    assert_eq!(code(orphan, &decide(Reaction::Activate, None)), Code::InvalidArgument);
    assert_eq!(code(99, &decide(Reaction::Ignore, None)), Code::NotFound);
    assert_eq!(code(0, &decide(Reaction::Ignore, None)), Code::NotFound);
    let linked = review(disputed, &decide(Reaction::Link, Some("p1"))).unwrap();
    assert_ne!(linked.digest, found.digest);
    let item = &items(&world, &found)[usize::try_from(disputed).unwrap() - 1];
    assert_eq!((item.by.as_deref(), item.finding.user.as_deref()), (Some("eve"), Some("p1")));
    let ignored = review(orphan, &decide(Reaction::Ignore, None)).unwrap();
    let old = world.engine.commit(found.id.as_str(), digest(&linked), "ann").unwrap_err();
    assert_eq!(old.code(), Code::PlanChanged);
    let done = commit(&world, &ignored);
    assert_eq!((done.state, count(&done, ItemState::Done)), (State::Completed, 2));
    let known = world.engine.accounts(&rollkeeper::model::AccountFilter::default()).unwrap();
    let states: Vec<_> =
        known.iter().map(|one| (one.external_id.as_str(), one.user.as_ref().map(|user| user.as_str()))).collect();
    assert_eq!(states, [("a1", Some("p1")), ("a2", None)]);
    assert_eq!(code(orphan, &decide(Reaction::Ignore, None)), Code::InvalidTransition);
    assert!(world.logged("reviewed", "\"reaction\":\"ignore\""));
}

#[test]
fn the_brake_counts_what_a_person_decided_and_the_person_may_not_release_it() {
    let world = office(60, 6, &json!({"reactions": {"unqualified": "review"}}));
    let found = reconcile(&world);
    let mut now = found.clone();
    for item in items(&world, &found) {
        now = world.engine.review(found.id.as_str(), item.number, &decide(Reaction::Deactivate, None), "eve").unwrap();
    }
    // A person looked at each: nothing needs a second observation, but six of sixty are many.
    assert_eq!((names(&now), count(&now, ItemState::Held)), (vec!["deactivations"], 6));
    assert_eq!(refused(&world, &now, "eve"), Code::FourEyes);
    // With one less, five of sixty, it is still more than five in a hundred; with four it is not.
    for item in [1, 2] {
        now = world.engine.review(found.id.as_str(), item, &decide(Reaction::Report, None), "eve").unwrap();
    }
    assert_eq!((names(&now), count(&now, ItemState::Planned)), (vec![], 4));
    assert_eq!(count(&commit(&world, &now), ItemState::Done), 4);
}

#[test]
fn a_decision_about_somebody_who_changed_since_is_refused() {
    let world = office(20, 1, &json!({"reactions": {"unqualified": "review"}}));
    let found = reconcile(&world);
    put(&world, 0, &json!({"profile": "Guests", "title": "Dr"}));
    let late = world.engine.review(found.id.as_str(), 1, &decide(Reaction::Deactivate, None), "eve").unwrap_err();
    assert!(matches!(late.code(), Code::ItemChanged | Code::InvalidArgument), "{late}");
}

/// A process that dies just after the release: whoever goes on does what was released, and not what somebody let through in
/// the file.
#[test]
fn what_is_let_through_in_the_file_after_a_release_is_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let [path, left] = ["engine.db", "left.db"].map(|name| folder.path().join(name));
    let (from, to) = (path.clone(), left.clone());
    let log = move |entry: &LogEntry| {
        if entry.kind == "released" {
            for ending in ["", "-wal"] {
                let [from, to] = [&from, &to].map(|path| format!("{}{ending}", path.display()));
                std::fs::copy(from, to).unwrap();
            }
        }
    };
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let builder = || Engine::builder().clock(Arc::new(clock.clone())).seed(7);
    let engine = builder().path(&path).log(Arc::new(log)).open().unwrap();
    let reactions = json!({"reactions": {"unqualified": "deactivate", "orphaned": "deactivate"}});
    let world = office_in(World { engine, clock: clock.clone() }, 60, 6, &reactions);
    reconcile(&world);
    clock.advance(Period::from_seconds(600));
    let stranger = json!({"external_id": "x", "username": "x", "active": true, "attributes": {"userName": "x"}});
    world.mock().put_account_json(&stranger.to_string()).unwrap();
    let found = reconcile(&world);
    commit(&world, &found);
    world.engine.release(found.id.as_str(), digest(&found), "bob").unwrap();
    drop(world);
    let changes = [
        ("UPDATE plan_item SET why = why", 6),
        ("UPDATE plan_item SET state = 'planned' WHERE state = 'held'", 0),
        ("UPDATE plan_item SET digest = planned_for WHERE number = 1", 0),
    ];
    for (number, (change, done)) in changes.into_iter().enumerate() {
        let copy = folder.path().join(format!("{number}.db"));
        for ending in ["", "-wal"] {
            let [from, to] = [&left, &copy].map(|path| format!("{}{ending}", path.display()));
            std::fs::copy(from, to).unwrap();
        }
        assert!(rusqlite::Connection::open(&copy).unwrap().execute(change, []).unwrap() > 0);
        let world = World { engine: builder().path(&copy).open().unwrap(), clock: clock.clone() };
        world.run();
        let after = world.engine.reconciliation(found.id.as_str()).unwrap();
        let state = if done > 0 { State::Completed } else { State::Failed };
        assert_eq!((after.state, count(&after, ItemState::Done)), (state, done), "{change}: {after:?}");
        assert_eq!(count(&after, ItemState::Planned) + count(&after, ItemState::Held), 0, "nothing is left open");
        assert_ne!(reconcile(&world).id, found.id, "the next does not wait for it");
    }
}
