//! What a definition newly has deleted of users who left by their own record waits for a second person; that they are disabled
//! waits for nobody, whatever became of a plan.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop at what must not happen")]

use crate::access_held::{World, app, record, with, without, wrong};
use rollkeeper::model::{App, HoldScope, ItemState, Reaction, Situation, State};
use rollkeeper::{Code, Operation, Period, StoredOr};
use serde_json::{Value, json};

const LEAVERS: usize = 3;

/// Why a user may not have the account by the own record.
const CAUSES: [&str; 3] = ["deactivated", "deleted", "expired"];

/// An app that may delete, with what becomes of an account for that cause.
fn ends(cause: &str, action: &Value) -> App {
    app(&json!({"operations": {"delete": true}, "deprovision": {cause: action}}))
}

fn disable() -> Value {
    json!({"action": "disable"})
}

fn delete() -> Value {
    json!({"action": "delete"})
}

fn later(after: &str) -> Value {
    json!({"action": "disable_then_delete", "after": after})
}

/// The user leaves by the own record, or by a verb.
fn leave(world: &World, number: usize, cause: &str) {
    match cause {
        "deactivated" => world.put(with(number, &json!({"active": false}))),
        "expired" => world.put(with(number, &json!({"valid_until": "1970-01-01T00:00:00Z"}))),
        _ => drop(world.engine.delete_user(&format!("u{number:03}"), None).unwrap()),
    }
}

/// So many accounts are disabled or deleted, and so many are left at the target.
fn is(world: &World, active: usize, left: usize) {
    world.run();
    assert_eq!((world.active(), world.target.accounts().len()), (active, left));
}

fn days(days: u32) -> Period {
    Period::from_seconds(days * 86_400)
}

#[test]
fn nobody_who_left_before_is_deleted_by_a_new_definition_until_a_second_person_agrees() {
    let changes = [
        (disable(), delete()),
        (disable(), later("P2D")),
        (later("P30D"), later("P1D")),
        (later("P30D"), delete()),
        (json!({"action": "nothing"}), delete()),
    ];
    for (cause, (old, new)) in CAUSES.into_iter().flat_map(|cause| changes.iter().map(move |change| (cause, change))) {
        let world = World::new(20, ends(cause, old));
        (0..LEAVERS).for_each(|number| leave(&world, number, cause));
        world.run();
        let foretold = world.foretold(ends(cause, new)).held;
        world.put_app(ends(cause, new));
        // That they are disabled never waits.
        is(&world, 17, 20);
        let plan = world.waiting().unwrap();
        let items = world.items(&plan);
        assert_eq!((items.len(), plan.counts.0[&Situation::Unqualified]), (LEAVERS, 3), "{cause}: {old} to {new}");
        assert!(
            items.iter().all(|item| item.reaction == Reaction::Delete && !item.explicit),
            "{cause}: {old} to {new}"
        );
        assert_eq!((plan.brake.len(), plan.brake[0].name.as_str(), plan.brake[0].count), (1, "deletes", 3));
        assert_eq!((foretold.accounts, foretold.brake), (3, plan.brake.clone()), "{cause}: {old} to {new}");
        // Whoever leaves from now on leaves by what the definition says.
        leave(&world, 10, cause);
        let at_once = *new == delete();
        is(&world, 16, if at_once { 19 } else { 20 });
        // Nothing that comes meanwhile deletes the others.
        if cause != "deleted" {
            world.put(with(0, &json!({"title": "Doctor", cause_key(cause): cause_value(cause)})));
        }
        let present = (0..20).filter(|number| !(cause == "deleted" && (*number < 3 || *number == 10)));
        let records: Vec<Value> = present
            .map(|number| match number {
                0..3 | 10 => with(number, &json!({cause_key(cause): cause_value(cause)})),
                _ => record(number),
            })
            .collect();
        for _ in 0..2 {
            world.list(&records);
            world.clock.advance(Period::from_seconds(4_000));
        }
        world.clock.advance(days(3));
        is(&world, 16, 19);
        let plan = world.waiting().unwrap();
        assert_eq!(world.items(&plan).len(), LEAVERS, "{cause}: {old} to {new}");
        assert_eq!(world.release(&plan, "adam").unwrap_err(), Code::FourEyes);
        assert_eq!(world.release(&plan, "eve").unwrap().items[&ItemState::Done], 3, "{cause}: {old} to {new}");
        world.run();
        world.clock.advance(days(3));
        is(&world, 16, 16);
    }
}

fn cause_key(cause: &str) -> &'static str {
    if cause == "expired" { "valid_until" } else { "active" }
}

fn cause_value(cause: &str) -> Value {
    if cause == "expired" { json!("1970-01-01T00:00:00Z") } else { json!(false) }
}

/// Three users left long ago, and a definition would have them deleted.
fn held(more: &Value) -> World {
    let defined = |action: &Value| {
        let mut keys =
            json!({"operations": {"delete": true}, "deprovision": {"deactivated": action, "deleted": delete()}});
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app(&keys)
    };
    let world = World::new(20, defined(&disable()));
    (0..LEAVERS).for_each(|number| leave(&world, number, "deactivated"));
    world.run();
    world.put_app(defined(&delete()));
    assert!(world.waiting().is_some());
    is(&world, 17, 20);
    world
}

#[test]
fn who_is_held_from_being_deleted_is_decided_for_by_the_next_word_of_the_own_record() {
    let world = held(&json!({}));
    let preview = world.engine.preview(StoredOr::Id("crm"), StoredOr::Id("u000")).unwrap();
    assert_eq!((preview.operations.len(), preview.withheld.len()), (0, 1));
    // Another title and a grant less are no word about leaving.
    world.put(with(0, &json!({"active": false, "title": "Doctor", "profile": "Guests"})));
    is(&world, 17, 20);
    // Who comes back has the account; who leaves again leaves by what the definition says now, and so does who is deleted.
    world.put(with(0, &json!({"active": true})));
    is(&world, 18, 20);
    leave(&world, 0, "deactivated");
    is(&world, 17, 19);
    leave(&world, 1, "deleted");
    is(&world, 17, 18);
    let plan = world.waiting().unwrap();
    let released = world.release(&plan, "eve").unwrap();
    let count = |state| released.items.get(&state).copied().unwrap_or(0);
    assert_eq!([ItemState::Done, ItemState::Refused].map(count), [1, 2]);
    is(&world, 17, 17);
}

#[test]
fn a_newer_definition_counts_the_deletions_anew_and_the_right_one_lets_go() {
    let world = held(&json!({}));
    let first = world.waiting().unwrap();
    let again = json!({"label": "Customers", "operations": {"delete": true}, "deprovision": {"deactivated": delete(), "deleted": delete()}});
    world.put_app(app(&again));
    is(&world, 17, 20);
    let second = world.waiting().unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!((world.items(&first)[0].state, world.items(&second).len()), (ItemState::Expired, 3));
    world.put_app(ends("deleted", &delete()));
    assert!(world.waiting().is_none());
    is(&world, 17, 20);
    // Nothing of it is left: what the own record says follows.
    world.put_app(ends("unassigned", &delete()));
    assert!(world.waiting().is_none(), "nobody is unassigned");
    leave(&world, 1, "deleted");
    is(&world, 17, 20);
}

#[test]
fn deletions_of_leavers_count_from_the_limit_on_and_add_up() {
    // Of so many users so many left, and the definition says so of the next ones a day later.
    for (users, left, is_held) in [(100, 1, false), (100, 2, true), (99, 1, true), (200, 2, false)] {
        let world = World::new(users, ends("deactivated", &disable()));
        (0..left).for_each(|number| leave(&world, number, "deactivated"));
        world.run();
        assert_eq!(world.foretold(ends("deactivated", &delete())).held.accounts, if is_held { left as u64 } else { 0 });
        world.put_app(ends("deactivated", &delete()));
        assert_eq!(world.waiting().is_some(), is_held, "{left} of {users}");
        is(&world, users - left, if is_held { users } else { users - left });
    }
    // What passed counts for a day with what another cause brings.
    for (after, is_held) in [(86_000, true), (86_500, false)] {
        let world = World::new(120, ends("deactivated", &disable()));
        leave(&world, 0, "deactivated");
        leave(&world, 1, "expired");
        world.run();
        world.put_app(ends("deactivated", &delete()));
        is(&world, 118, 119);
        world.clock.advance(Period::from_seconds(after));
        let both =
            json!({"operations": {"delete": true}, "deprovision": {"deactivated": delete(), "expired": delete()}});
        world.put_app(app(&both));
        assert_eq!(world.waiting().is_some(), is_held);
        is(&world, 118, if is_held { 119 } else { 118 });
    }
}

#[test]
fn no_reconciliation_deletes_what_a_second_person_was_asked_about() {
    for (reaction, disabled_again) in [("delete", false), ("deactivate", true)] {
        let defined = |action: &Value| {
            app(&json!({"operations": {"delete": true}, "deprovision": {"deleted": action},
                "reconcile": {"reactions": {"source_gone": reaction}}}))
        };
        let world = World::new(20, defined(&disable()));
        (0..LEAVERS).for_each(|number| leave(&world, number, "deleted"));
        world.run();
        world.put_app(defined(&delete()));
        let held = world.waiting().unwrap();
        // Somebody enables the account of one who left: that it is disabled again waits for nobody.
        let account = world.target.accounts().into_iter().next().unwrap();
        world.target.put_account(rollkeeper::model::TargetAccount { active: true, ..account });
        for _ in 0..3 {
            world.clock.advance(Period::from_seconds(40_000));
            let found = world.engine.reconcile("crm", Some("carl")).unwrap();
            let done = world.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "carl").unwrap();
            assert_eq!(done.items.contains_key(&ItemState::Refused), !disabled_again, "{:?}", done.items);
            is(&world, if disabled_again { 17 } else { 18 }, 20);
        }
        assert_eq!(world.waiting().map(|plan| plan.id), Some(held.id));
    }
}

#[test]
fn the_account_of_who_is_suspended_is_disabled_and_not_deleted() {
    let more = json!({"operations": {"delete": true}, "deprovision": {"unassigned": later("P1D")}});
    let mut wrong_line = more.clone();
    wrong_line["assigned_to"] = json!({"profiles": ["Typo"]});
    let world = World::new(20, app(&more));
    world.put(with(3, &json!({"frozen": true})));
    world.run();
    world.put_app(app(&wrong_line));
    let plan = world.waiting().unwrap();
    let reactions: Vec<Reaction> = world.items(&plan).iter().map(|item| item.reaction).collect();
    assert_eq!((reactions.len(), reactions[3], reactions[4]), (20, Reaction::Delete, Reaction::Deactivate));
    // One is suspended later, and loses no more by that.
    world.put(with(5, &json!({"frozen": true})));
    world.run();
    world.clock.advance(days(2));
    is(&world, 18, 20);
    assert_eq!(world.release(&plan, "eve").unwrap().items[&ItemState::Done], 20);
    is(&world, 0, 20);
    world.clock.advance(days(2));
    is(&world, 0, 0);
}

/// What became of a plan until a user leaves, in words and done.
type Becomes = (&'static str, fn(&World));

fn states() -> [Becomes; 6] {
    [
        ("it is open", |_| {}),
        ("it is two days old", |world| world.clock.advance(days(2))),
        ("a list took its place", |world| world.list(&(0..8).map(record).collect::<Vec<_>>())),
        ("it was released but for this user", |world| {
            let mut unreadable = record(4);
            unreadable["number"] = Value::Null;
            world.put(unreadable);
            let released = world.release(&world.waiting().unwrap(), "eve").unwrap();
            assert_eq!((released.items[&ItemState::Done], released.items[&ItemState::Refused]), (7, 1));
        }),
        ("the definition was put again", |world| drop(world.put_app(without(8)))),
        ("the record gave the account back and took it again", |world| {
            world.put(with(4, &json!({"number": 50})));
            world.put(record(4));
        }),
    ]
}

#[test]
fn whoever_leaves_by_the_own_record_is_kept_by_no_mark_whatever_became_of_the_plan() {
    for ((state, becomes), cause) in states().into_iter().flat_map(|state| CAUSES.map(|cause| (state, cause))) {
        let world = World::new(8, app(&json!({})));
        world.put_app(without(8));
        becomes(&world);
        world.run();
        leave(&world, 4, cause);
        world.run();
        assert!(!world.is_active(4), "{cause}: {state}");
    }
    // A person who holds the whole app keeps the request, and not the decision.
    let world = World::new(20, app(&json!({})));
    world.put_app(without(20));
    let scope = HoldScope { app: Some("crm".to_owned()), ..HoldScope::default() };
    world.engine.hold(&scope, "boss", "the target is moved").unwrap();
    leave(&world, 4, "deactivated");
    world.run();
    assert_eq!((world.active(), world.requests(Operation::Deactivate).len()), (20, 1));
    world.engine.resume(&scope, "boss").unwrap();
    is(&world, 19, 20);
}

#[test]
fn what_is_held_can_always_be_released_or_counted_again() {
    let world = World::new(20, app(&json!({})));
    world.put_app(without(20));
    let plan = world.waiting().unwrap();
    // Of one nobody can tell when the second person comes, two weeks later.
    let mut unreadable = record(4);
    unreadable["number"] = Value::Null;
    world.put(unreadable);
    // A grant less changes nothing: by the definition before the user would have lost the account for it.
    world.put(with(5, &json!({"profile": "Guests"})));
    world.clock.advance(days(14));
    is(&world, 20, 20);
    let released = world.release(&plan, "eve").unwrap();
    assert_eq!((released.items[&ItemState::Done], released.items[&ItemState::Refused]), (19, 1));
    is(&world, 1, 20);
    // The record is mended, and the account is still held though no plan waits; the same definition gives another plan.
    world.put(record(4));
    is(&world, 1, 20);
    assert!(world.waiting().is_none());
    assert!(world.put_app(without(20)).is_empty());
    is(&world, 1, 20);
    let plan = world.waiting().unwrap();
    assert_eq!((world.items(&plan).len(), plan.brake[0].name.as_str()), (1, "held_before"));
    // As long as it waits the same definition changes nothing.
    assert!(world.put_app(without(20)).is_empty());
    assert_eq!(world.waiting().unwrap().id, plan.id);
    assert_eq!(world.release(&plan, "adam").unwrap_err(), Code::FourEyes);
    assert_eq!(world.release(&plan, "eve").unwrap().items[&ItemState::Done], 1);
    is(&world, 0, 20);
    assert!(world.put_app(without(20)).is_empty() && world.waiting().is_none());
}

#[test]
fn an_account_that_was_being_made_is_released_with_the_others() {
    let world = World::new(5, app(&json!({})));
    world.target.script_json(r#"[{"on": "create", "fault": "lost_reply"}]"#).unwrap();
    world.put(record(5));
    world.engine.run(&rollkeeper::RunOptions::default()).unwrap();
    world.put_app(wrong());
    world.clock.advance(Period::from_seconds(80_000));
    is(&world, 6, 6);
    let plan = world.waiting().unwrap();
    assert_eq!(world.release(&plan, "eve").unwrap().items[&ItemState::Done], 6);
    is(&world, 0, 6);
}

#[test]
fn an_app_that_is_deleted_leaves_no_plan_and_no_mark() {
    let world = held(&json!({}));
    let plan = world.waiting().unwrap();
    world.engine.delete_app("crm", Some("adam")).unwrap();
    assert!(world.waiting().is_none());
    let ended = world.engine.reconciliation(plan.id.as_str()).unwrap();
    assert_eq!((ended.state, ended.items[&ItemState::Expired]), (State::Completed, 3));
    assert_eq!(world.release(&plan, "eve").unwrap_err(), Code::InvalidTransition);
    let log = world.engine.log(&rollkeeper::model::LogFilter::default()).unwrap();
    let of_plan = |entry: &&rollkeeper::model::LogEntry| entry.request.as_deref() == Some(plan.id.as_str());
    let last = log.iter().rfind(of_plan).unwrap();
    assert_eq!((last.kind.as_str(), last.by.as_deref()), ("completed", Some("adam")));
    assert_eq!(last.details["why"], "the app was deleted; accounts stay as they are");
    // When it comes back it is counted anew.
    world.put_app(ends("deactivated", &delete()));
    is(&world, 17, 20);
    assert_eq!(world.items(&world.waiting().unwrap()).len(), 3);
}

#[test]
fn that_a_validity_ends_of_somebody_disabled_before_is_no_new_word() {
    let ends = |action: &Value| {
        app(&json!({"operations": {"delete": true}, "deprovision": {"deactivated": action, "expired": action}}))
    };
    let world = World::new(20, ends(&disable()));
    for number in 0..LEAVERS {
        world.put(with(number, &json!({"active": false, "valid_until": "1970-01-03T00:00:00Z"})));
    }
    is(&world, 17, 20);
    world.put_app(ends(&delete()));
    world.clock.advance(days(5));
    is(&world, 17, 20);
    assert_eq!(world.requests(Operation::Delete).len(), 0);
}

/// Who agrees that an account is disabled has not agreed that it is deleted.
#[test]
fn a_deletion_that_somebody_ended_comes_with_no_release() {
    let more = json!({"operations": {"delete": true}, "deprovision": {"unassigned": delete()}});
    let mut wrong_line = more.clone();
    wrong_line["assigned_to"] = json!({"profiles": ["Typo"]});
    let world = World::new(20, app(&more));
    let scope = HoldScope { app: Some("crm".to_owned()), ..HoldScope::default() };
    world.engine.hold(&scope, "boss", "the target is moved").unwrap();
    let by_hand = world.engine.submit("crm", "u004", Operation::Delete, Some("boss"), None).unwrap();
    world.put_app(app(&wrong_line));
    let plan = world.waiting().unwrap();
    let reactions: Vec<Reaction> = world.items(&plan).iter().map(|item| item.reaction).collect();
    assert_eq!((reactions[3], reactions[4]), (Reaction::Delete, Reaction::Deactivate));
    world.engine.cancel(by_hand.id.as_str(), Some("boss")).unwrap();
    world.engine.resume(&scope, "boss").unwrap();
    is(&world, 20, 20);
    let released = world.release(&plan, "eve").unwrap();
    assert_eq!((released.items[&ItemState::Done], released.items[&ItemState::Refused]), (19, 1));
    is(&world, 1, 1);
}

/// A day is what somebody has to notice it.
#[test]
fn an_account_that_is_deleted_within_a_day_counts_as_deleted() {
    for (after, reaction) in [("PT1S", Reaction::Delete), ("PT23H59M", Reaction::Delete), ("P1D", Reaction::Deactivate)]
    {
        let more = json!({"operations": {"delete": true}, "deprovision": {"unassigned": later(after)}});
        let mut wrong_line = more.clone();
        wrong_line["assigned_to"] = json!({"profiles": ["Typo"]});
        let world = World::new(20, app(&more));
        world.put_app(app(&wrong_line));
        let items = world.items(&world.waiting().unwrap());
        assert!(items.iter().all(|item| item.reaction == reaction), "{after}");
    }
}
