//! One lane that waits for a person: for which payload an approval is, who may give it, and what does not wait for it.

use crate::world::World;
use rollkeeper::model::ApprovalStatus;
use rollkeeper::{Clock, Code, Period};
use serde_json::json;

fn days(days: u32) -> Period {
    Period::from_seconds(days * 86_400)
}

fn approved(expires: &str) -> serde_json::Value {
    json!({"approval": {"operations": ["Create"], "approvers": ["boss"], "expires": expires}})
}

#[test]
fn an_approval_is_for_the_payload_that_was_shown() {
    let mut keys = approved("P7D");
    keys["update_on"] = json!(["username"]);
    let world = World::new(&keys);
    let made = world.put(&json!({"title": "clerk"}));
    world.engine.approve(made[0].id.as_str(), "boss", None).unwrap();
    world.put(&json!({"title": "director"}));
    world.run();
    assert_eq!(world.requests(), ["Create New approval"]);
    world.engine.approve(made[0].id.as_str(), "boss", None).unwrap();
    world.run();
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("director"));
}

/// What was sent and did no good asks again for another payload, and is answered like what was never sent.
#[test]
fn what_asks_again_after_a_failed_call_can_be_agreed_to_and_refused() {
    for agrees in [true, false] {
        let world = World::new(&approved("P7D"));
        world.script(&json!([{"on": "create", "fault": "unreachable"}]));
        let made = world.put(&json!({"title": "clerk"}));
        let id = made[0].id.as_str();
        world.engine.approve(id, "boss", None).unwrap();
        world.run();
        world.put(&json!({"title": "director"}));
        world.run_days(1);
        assert_eq!(world.requests(), ["Create Requested approval unreachable"]);
        if agrees {
            world.engine.approve(id, "boss", None).unwrap();
            world.run_days(1);
            assert_eq!(world.mock().accounts()[0].attributes["title"], json!("director"));
        } else {
            world.engine.deny(id, "boss", None).unwrap();
            assert_eq!(
                (world.requests(), world.accounts()),
                (vec!["Create Cancelled unreachable".to_owned()], Vec::new())
            );
        }
        assert_eq!(world.engine.approve(id, "boss", None).unwrap_err().faults()[0].code, Code::InvalidTransition);
    }
}

#[test]
fn what_was_denied_is_not_asked_again_for_the_same_payload() {
    let world = World::new(&approved("P7D"));
    let made = world.put(&json!({}));
    world.engine.deny(made[0].id.as_str(), "boss", None).unwrap();
    assert!(world.put(&json!({})).is_empty());
    assert_eq!(world.put(&json!({"title": "nurse"})).len(), 1);
}

#[test]
fn an_approval_that_is_asked_again_has_its_whole_time_again() {
    let mut keys = approved("P7D");
    keys["enabled"] = json!(false);
    let world = World::new(&keys);
    let made = world.put(&json!({}));
    world.clock.advance(days(6));
    world.engine.approve(made[0].id.as_str(), "boss", None).unwrap();
    world.clock.advance(days(2));
    world.put(&json!({"title": "nurse"}));
    world.run();
    assert_eq!(world.requests(), ["Create New approval"]);
    assert_eq!(world.all()[0].due_at, Some(world.clock.now().plus(days(7))));
    world.clock.advance(days(7));
    world.run();
    assert_eq!(world.all()[0].approval, ApprovalStatus::Expired);
}

#[test]
fn the_word_manager_names_the_users_manager_and_no_principal() {
    let world = World::new(&json!({"approval": {"operations": ["Create"], "approvers": ["manager"]}}));
    let made = world.put(&json!({"manager": "m1"}));
    let id = made[0].id.as_str();
    assert_eq!(world.engine.approve(id, "manager", None).unwrap_err().faults()[0].code, Code::FourEyes);
    assert_eq!(world.engine.approve(id, "m1", None).unwrap().approval, ApprovalStatus::Approved);
}

#[test]
fn a_removal_does_not_wait_behind_what_waits_for_approval() {
    let world = World::with_account(&json!({"approval": {"operations": ["Update"], "approvers": ["boss"]}}));
    world.put(&json!({"title": "nurse"}));
    world.put(&json!({"title": "nurse", "frozen": true}));
    world.run();
    assert_eq!(world.accounts(), ["ann frozen"]);
    assert_eq!(world.requests(), ["Create Completed", "Update New approval", "Freeze Completed"]);
}

#[test]
fn who_changed_what_is_asked_for_may_not_agree_to_it() {
    let world = World::new(&approved("P7D"));
    let made = world.put(&json!({"title": "clerk"}));
    let user = json!({"id": "u1", "username": "ann", "profile": "Employees", "title": "director"});
    world
        .engine
        .put_user(rollkeeper::model::User::from_json(user.to_string().as_bytes()).unwrap(), Some("boss"))
        .unwrap();
    let error = world.engine.approve(made[0].id.as_str(), "boss", None).unwrap_err();
    assert_eq!(error.faults()[0].code, Code::FourEyes);
}
