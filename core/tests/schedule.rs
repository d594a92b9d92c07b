//! Reconciliations by the clock: when they are due, what is committed by itself, and what waits for whom.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::model::{ItemState, Reconciliation, ReconciliationFilter, SnapshotVerdict, State, User};
use rollkeeper::{Clock, Period, Timestamp};
use serde_json::{Value, json};

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;

fn keys(reconcile: &Value) -> Value {
    json!({
        "matching": [{"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]}],
        "mapping": [
            {"target": "userName", "source": "username", "required": true},
            {"target": "title", "source": "title", "strength": "strong"},
        ],
        "reconcile": reconcile,
    })
}

fn put(world: &World, number: usize, more: &Value) {
    let id = format!("p{number}");
    let mut user = json!({"id": id, "username": id, "title": "Dr", "profile": "Employees", "active": true});
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

/// So many users with accounts.
fn office(people: usize, reconcile: &Value) -> World {
    let world = World::new(&keys(&json!({})));
    (0..people).for_each(|number| put(&world, number, &json!({})));
    world.run();
    world.put_app(&keys(reconcile));
    world
}

fn all(world: &World) -> Vec<Reconciliation> {
    world.engine.reconciliations(&ReconciliationFilter::default()).unwrap()
}

fn states(world: &World) -> Vec<&'static str> {
    all(world).iter().map(|one| one.state.name()).collect()
}

fn pass(world: &World, seconds: u32) {
    world.clock.advance(Period::from_seconds(seconds));
}

fn due(world: &World) -> Option<Timestamp> {
    world.run().next_due
}

fn change_behind_our_back(world: &World, count: usize, change: impl Fn(&mut rollkeeper::connector::TargetAccount)) {
    for mut account in world.mock().accounts().into_iter().take(count) {
        change(&mut account);
        world.mock().put_account(account);
    }
}

#[test]
fn the_first_is_soon_and_the_others_follow_at_their_interval_with_jitter() {
    let world = office(3, &json!({"every": "P1D"}));
    let start = world.clock.now();
    let first = due(&world).unwrap();
    assert!(first.since(start) < Period::from_seconds(DAY / 10), "{first}");
    assert!(all(&world).is_empty());
    world.clock.set(first);
    let second = due(&world).unwrap();
    assert_eq!(states(&world), ["Analyzed"]);
    assert_eq!(all(&world)[0].by.as_deref(), Some("schedule"));
    assert!(second.since(first) >= Period::from_seconds(DAY));
    assert!(second.since(first) < Period::from_seconds(DAY + DAY / 10));
    assert_eq!(world.run().next_due, Some(second), "nothing is done before it is due");
    world.clock.set(second);
    world.run();
    // Nobody committed the first: the second takes its place.
    assert_eq!(states(&world), ["Cancelled", "Analyzed"]);
}

#[test]
fn missed_ones_are_done_once() {
    let world = office(3, &json!({"every": "PT1H"}));
    world.clock.set(due(&world).unwrap());
    world.run();
    pass(&world, 30 * HOUR);
    let next = due(&world).unwrap();
    assert_eq!(all(&world).len(), 2);
    assert!(next > world.clock.now());
}

#[test]
fn a_shorter_interval_counts_at_once() {
    let world = office(3, &json!({"every": "P30D"}));
    world.clock.set(due(&world).unwrap());
    world.run();
    world.put_app(&keys(&json!({"every": "PT1H"})));
    let next = due(&world).unwrap();
    assert!(next.since(world.clock.now()) < Period::from_seconds(HOUR));
}

#[test]
fn an_app_that_is_disabled_or_gone_does_nothing() {
    let world = office(3, &json!({"every": "PT1H"}));
    world.clock.set(due(&world).unwrap());
    let mut off = keys(&json!({"every": "PT1H"}));
    off["enabled"] = json!(false);
    world.put_app(&off);
    assert_eq!(due(&world), None);
    world.put_app(&keys(&json!({"every": "PT1H"})));
    assert!(due(&world).is_some());
    world.engine.delete_app("crm", None).unwrap();
    pass(&world, DAY);
    assert_eq!(due(&world), None);
    assert_eq!(all(&world).len(), 1);
}

#[test]
fn step_does_one_and_says_when_the_next_is_due() {
    let world = office(3, &json!({"every": "PT1H"}));
    while world.engine.step().unwrap().worked {}
    let due = world.engine.step().unwrap().next_due.unwrap();
    world.clock.set(due);
    let step = world.engine.step().unwrap();
    assert!(step.worked && step.next_due.unwrap() > due, "{step:?}");
    assert_eq!(states(&world), ["Analyzed"]);
}

#[test]
fn where_it_commits_by_itself_what_drifted_is_mended_in_the_same_run() {
    let world = office(3, &json!({"every": "P1D", "commit": true, "reactions": {"drifted": "update"}}));
    change_behind_our_back(&world, 1, |account| {
        account.attributes.insert("title".to_owned(), json!("Mr"));
    });
    world.clock.set(due(&world).unwrap());
    world.run();
    assert_eq!(states(&world), ["Completed"]);
    assert!(world.mock().accounts().iter().all(|account| account.attributes["title"] == "Dr"));
}

#[test]
fn what_is_held_waits_a_day_for_a_person_and_nothing_else_begins_meanwhile() {
    let settings = json!({"every": "PT1H", "commit": true, "reactions": {"drifted": "update"}});
    let world = office(10, &settings);
    change_behind_our_back(&world, 6, |account| {
        account.attributes.insert("title".to_owned(), json!("Mr"));
    });
    world.clock.set(due(&world).unwrap());
    world.run();
    let held = all(&world).remove(0);
    assert_eq!((held.state, held.items[&ItemState::Held]), (State::Committing, 6));
    assert_eq!(held.brake[0].name, "same_attribute");
    pass(&world, 23 * HOUR);
    world.run();
    assert_eq!(states(&world), ["Committing"]);
    pass(&world, HOUR);
    world.run();
    assert_eq!(states(&world), ["Completed", "Committing"]);
    let second = all(&world).remove(1);
    world.engine.release(second.id.as_str(), second.digest.as_deref().unwrap(), "bob").unwrap();
    world.run();
    assert!(world.mock().accounts().iter().all(|account| account.attributes["title"] == "Dr"));
    assert_eq!(states(&world), ["Completed", "Completed"]);
}

#[test]
fn a_plan_that_a_person_asked_for_is_neither_committed_nor_replaced_for_a_day() {
    let world = office(3, &json!({"every": "PT1H", "commit": true}));
    let found = world.engine.reconcile("crm", Some("ann")).unwrap();
    pass(&world, 2 * HOUR);
    world.run();
    pass(&world, 2 * HOUR);
    world.run();
    assert_eq!(states(&world), ["Analyzed"]);
    pass(&world, DAY);
    world.run();
    assert_eq!(states(&world), ["Cancelled", "Completed"]);
    assert_eq!(all(&world)[0].id, found.id);
}

#[test]
fn one_that_was_interrupted_is_gone_on_with_after_ten_minutes() {
    let world = office(3, &json!({}));
    let stopped = world.engine.reconcile_watched("crm", Some("ann"), &|_| false).unwrap();
    assert!(!stopped.state.is_finished() && stopped.state != State::Analyzed, "{stopped:?}");
    let next = due(&world).unwrap();
    assert_eq!(next.since(world.clock.now()), Period::from_seconds(600));
    assert_ne!(states(&world), ["Analyzed"]);
    world.clock.set(next);
    world.run();
    assert_eq!(states(&world), ["Analyzed"]);
}

#[test]
fn a_target_that_cannot_be_read_fails_and_is_asked_again_at_the_next_time() {
    let world = office(3, &json!({"every": "PT1H", "commit": true}));
    world.script(&json!([{"on": "list", "fault": "forbidden"}]));
    world.clock.set(due(&world).unwrap());
    let next = due(&world).unwrap();
    assert_eq!(states(&world), ["Failed"]);
    world.clock.set(next);
    world.run();
    assert_eq!(states(&world), ["Failed", "Completed"]);
}

/// The clock agrees to nothing, so that it calls the listing suspect until a person accepts it: by a commit of their own, or,
/// where something is held, by a release of what the clock committed.
#[test]
fn a_target_that_became_smaller_is_suspect_to_the_clock_until_a_person_accepts_it() {
    for reaction in ["report", "unlink"] {
        let world = office(20, &json!({"every": "PT1H", "commit": true, "reactions": {"missing": reaction}}));
        let next = || {
            world.clock.set(due(&world).unwrap());
            world.run();
            all(&world).pop().unwrap()
        };
        assert_eq!(next().verdict, Some(SnapshotVerdict::Complete));
        for account in world.mock().accounts().into_iter().take(5) {
            world.mock().remove_account(&account.external_id);
        }
        assert_eq!(next().verdict, Some(SnapshotVerdict::Suspect));
        let again = next();
        assert_eq!(again.verdict, Some(SnapshotVerdict::Suspect), "the clock accepts nothing");
        if reaction == "report" {
            assert_eq!(again.state, State::Completed);
            let own = world.engine.reconcile("crm", Some("ann")).unwrap();
            world.engine.commit(own.id.as_str(), own.digest.as_deref().unwrap(), "ann").unwrap();
        } else {
            assert_eq!(again.items.get(&ItemState::Held), Some(&5));
            world.engine.release(again.id.as_str(), again.digest.as_deref().unwrap(), "bob").unwrap();
        }
        assert_eq!(next().verdict, Some(SnapshotVerdict::Complete), "{reaction}");
    }
}
