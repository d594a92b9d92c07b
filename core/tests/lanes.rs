//! One lane, which is one user in one app: its order, what overtakes, what is superseded, what people ask for and answer.

use crate::world::World;
use rollkeeper::model::State;
use rollkeeper::{Clock, Code, Operation, Period};
use serde_json::json;

fn days(days: u32) -> Period {
    Period::from_seconds(days * 86_400)
}

// What takes access away overtakes, and is never overtaken by what was sent before.

#[test]
fn an_activate_that_nobody_has_heard_of_never_outlives_the_user() {
    let world = World::with_account(&json!({}));
    world.put(&json!({"active": false}));
    world.run();
    world.script(&json!([{"on": "activate", "fault": "target_failed"}]));
    world.put(&json!({}));
    world.engine.step().unwrap();
    world.put(&json!({"active": false}));
    world.run_days(3);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.records(), ["1 Deactivated"]);
    assert!(world.all().iter().all(|request| request.state.is_finished()), "{:?}", world.requests());
}

#[test]
fn an_activate_that_takes_effect_late_is_undone() {
    let world = World::with_account(&json!({}));
    world.put(&json!({"active": false}));
    world.run();
    world.script(&json!([{"on": "activate", "fault": "late"}]));
    world.put(&json!({}));
    world.engine.step().unwrap();
    world.put(&json!({"active": false}));
    world.run_days(3);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.records(), ["1 Deactivated"]);
}

#[test]
fn an_unfreeze_that_nobody_has_heard_of_gives_way_to_a_freeze() {
    let world = World::with_account(&json!({}));
    world.put(&json!({"frozen": true}));
    world.run();
    world.script(&json!([{"on": "unfreeze", "fault": "target_failed"}]));
    world.put(&json!({}));
    world.engine.step().unwrap();
    world.put(&json!({"frozen": true}));
    world.run_days(3);
    assert_eq!(world.accounts(), ["ann frozen"]);
    assert_eq!(world.records(), ["1 Active frozen"]);
}

#[test]
fn an_update_that_nobody_has_heard_of_is_not_sent_again_to_who_left() {
    let world = World::with_account(&json!({}));
    world.script(&json!([{"on": "update", "fault": "target_failed"}]));
    world.put(&json!({"title": "nurse"}));
    world.engine.step().unwrap();
    world.put(&json!({"title": "nurse", "active": false}));
    world.run_days(3);
    assert_eq!(world.calls().iter().filter(|call| *call == "update").count(), 1);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.requests(), ["Create Completed", "Update Failed uncertain", "Deactivate Completed"]);
}

#[test]
fn a_removal_beside_an_open_update_is_looked_at_again_and_repeated_where_it_was_undone() {
    let world = World::with_account(&json!({}));
    world.script(&json!([{"on": "update", "fault": "target_failed"}]));
    world.put(&json!({"title": "nurse"}));
    world.engine.step().unwrap();
    world.put(&json!({"title": "nurse", "active": false}));
    world.engine.step().unwrap();
    let mut undone = world.mock().accounts()[0].clone();
    assert!(!undone.active, "the removal goes out at once");
    undone.active = true;
    world.mock().put_account(undone);
    world.run_days(3);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.calls().iter().filter(|call| *call == "deactivate").count(), 2);
}

#[test]
fn a_removal_that_is_refused_after_it_was_undone_shows_the_account_as_usable() {
    let world = World::with_account(&json!({}));
    world.script(
        &json!([{"on": "update", "fault": "target_failed"}, {"on": "deactivate", "after": 1, "fault": "rejected"}]),
    );
    world.put(&json!({"title": "nurse"}));
    world.engine.step().unwrap();
    world.put(&json!({"title": "nurse", "active": false}));
    world.engine.step().unwrap();
    let mut undone = world.mock().accounts()[0].clone();
    undone.active = true;
    world.mock().put_account(undone);
    world.run_days(3);
    assert_eq!(world.records(), ["1 Active"]);
    // The next look at the user tries the removal again.
    world.put(&json!({"title": "nurse", "active": false}));
    world.run_days(3);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.records(), ["1 Deactivated"]);
}

#[test]
fn a_read_back_that_fails_does_not_stand_for_a_removal() {
    let world = World::with_account(&json!({}));
    world.script(
        &json!([{"on": "deactivate", "fault": "ignored", "times": 3}, {"on": "read", "fault": "target_failed"}]),
    );
    world.put(&json!({"active": false}));
    world.run();
    assert_eq!(world.records(), ["1 Active"]);
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.all()[1].verified, Some(true));
}

#[test]
fn an_open_freeze_does_not_hold_up_a_deactivate() {
    let world = World::with_account(&json!({}));
    world.script(&json!([{"on": "freeze", "fault": "target_failed", "times": 100}]));
    world.put(&json!({"frozen": true}));
    world.run();
    world.put(&json!({"frozen": true, "active": false}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
}

#[test]
fn a_leaver_whose_record_the_scope_cannot_read_still_leaves() {
    let world = World::new(&json!({"scope": "user.country.upper() == 'DE'"}));
    world.put(&json!({"country": "de"}));
    world.run();
    world.put(&json!({"active": false}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
}

#[test]
fn who_is_disabled_and_unassigned_is_disabled_though_losing_the_app_alone_would_do_nothing() {
    let world = World::with_account(&json!({"deprovision": {"unassigned": {"action": "nothing"}}}));
    world.put(&json!({"active": false, "profile": "Retired"}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
}

#[test]
fn a_pilot_holds_back_access_and_never_its_removal() {
    let world = World::new(&json!({"pilot": {"users": [], "percent": 0}}));
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests(), Vec::<String>::new());
    world.put_app(&json!({"pilot": {"users": ["u1"], "percent": 0}}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
    world.put_app(&json!({"pilot": {"users": [], "percent": 0}}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"], "narrowing takes nothing away");
    world.put(&json!({"frozen": true}));
    world.run();
    assert_eq!(world.accounts(), ["ann frozen"]);
    world.put(&json!({}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
    world.put(&json!({"active": false}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
}

#[test]
fn a_target_without_a_freeze_is_disabled_and_enabled_instead() {
    let world = World::with_account(&json!({"connector": {"kind": "mock", "settings": {"freeze": false}}}));
    world.put(&json!({"frozen": true}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
    world.put(&json!({"frozen": true, "active": false}));
    world.run();
    world.put(&json!({"frozen": true}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"], "enabled and still frozen");
    let error = world.engine.submit("crm", "u1", Operation::Activate, Some("op"), None).unwrap_err();
    assert_eq!(error.faults()[0].code, Code::OperationOff);
    world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
    assert_eq!(world.records(), ["1 Active"]);
}

// Coming back.

#[test]
fn who_is_hired_again_beside_an_open_delete_has_an_account() {
    let world =
        World::with_account(&json!({"operations": {"delete": true}, "deprovision": {"deleted": {"action": "delete"}}}));
    world.script(&json!([{"on": "delete", "fault": "target_failed"}]));
    world.engine.delete_user("u1", None).unwrap();
    world.engine.step().unwrap();
    world.engine.step().unwrap();
    world.put(&json!({}));
    world.run_days(3);
    assert_eq!(world.accounts(), ["ann active"]);
    assert_eq!(world.records().len(), 1);
    assert!(world.records()[0].ends_with(" Active"));
}

#[test]
fn an_account_that_vanished_while_its_user_was_gone_is_made_anew() {
    let world = World::with_account(&json!({}));
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    world.mock().remove_account("1");
    world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
    world.put(&json!({"active": false}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann disabled"]);
    world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn a_wrong_clock_that_is_set_right_gives_access_back() {
    let world = World::new(&json!({}));
    world.put(&json!({"valid_until": "2030-01-01T00:00:00Z"}));
    world.run();
    let now = world.clock.now();
    world.clock.set(now.plus(days(3650)));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
    world.clock.set(now);
    world.put(&json!({"valid_until": "2030-01-01T00:00:00Z"}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn an_app_that_is_switched_off_and_on_acts_on_the_difference_of_that_day() {
    let scope = "user.country.upper() == 'DE'";
    let world = World::new(&json!({"scope": scope}));
    world.put(&json!({"country": "de"}));
    world.run();
    world.put_app(&json!({"scope": scope, "enabled": false}));
    world.put(&json!({"country": "de", "title": "nurse"}));
    world.run();
    assert_eq!(world.requests(), ["Create Completed", "Update New disabled"]);
    // Nobody can tell whether this user is in scope; what was decided before stays, and says what it waits for.
    world.put(&json!({"title": "nurse"}));
    assert_eq!(world.requests()[1], "Update New disabled");
    world.put_app(&json!({"scope": scope}));
    world.run();
    assert_eq!(world.requests()[1], "Update Failed expression_failed");
    world.put(&json!({"country": "de", "title": "nurse"}));
    world.run();
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("nurse"));
}

// What is scheduled.

#[test]
fn a_deactivate_is_tried_again_beside_a_delete_whose_time_has_not_come() {
    let world = World::with_account(&json!({
        "operations": {"delete": true}, "deprovision": {"deleted": {"action": "disable_then_delete", "after": "P30D"}}}));
    world.script(&json!([{"on": "deactivate", "fault": "rejected"}]));
    let made = world.engine.delete_user("u1", None).unwrap();
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
    world.engine.retry(made[0].id.as_str(), "op").unwrap();
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
    world.run_days(31);
    assert_eq!(world.accounts(), Vec::<String>::new());
}

#[test]
fn a_deactivate_scheduled_by_hand_does_not_put_off_who_leaves_today() {
    let world = World::with_account(&json!({}));
    let later = world.clock.now().plus(days(30));
    world.engine.submit("crm", "u1", Operation::Deactivate, Some("op"), Some(later)).unwrap();
    world.put(&json!({"active": false}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
}

#[test]
fn a_create_scheduled_by_hand_is_cancelled_when_the_user_leaves() {
    let world = World::new(&json!({}));
    world.script(&json!([{"on": "create", "fault": "rejected"}]));
    world.put(&json!({}));
    world.run();
    let tomorrow = world.clock.now().plus(days(1));
    world.engine.submit("crm", "u1", Operation::Create, Some("op"), Some(tomorrow)).unwrap();
    world.engine.delete_user("u1", None).unwrap();
    world.run_days(2);
    assert_eq!(world.requests(), ["Create Failed rejected", "Create Cancelled"]);
    assert_eq!(world.accounts(), Vec::<String>::new());
}

#[test]
fn an_activate_by_hand_is_cancelled_when_the_user_leaves() {
    let world = World::with_account(&json!({}));
    world.put(&json!({"active": false}));
    world.run();
    world.put_app(&json!({"enabled": false}));
    world.put(&json!({}));
    world.engine.submit("crm", "u1", Operation::Activate, Some("op"), None).unwrap();
    world.engine.delete_user("u1", None).unwrap();
    world.put_app(&json!({}));
    world.run_days(2);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert!(!world.calls().contains(&"activate".to_owned()));
}

#[test]
fn a_longer_time_of_keeping_moves_deletions_that_are_not_done_yet() {
    let kept = |after: &str| json!({"operations": {"delete": true}, "deprovision": {"deleted": {"action": "disable_then_delete", "after": after}}});
    let world = World::with_account(&kept("P1D"));
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    world.put_app(&kept("P90D"));
    world.run_days(3);
    assert_eq!(world.accounts(), ["ann disabled"]);
    world.run_days(90);
    assert_eq!(world.accounts(), Vec::<String>::new());
}

#[test]
fn patience_that_a_target_asked_for_is_kept_when_another_request_passes() {
    let world = World::with_account(&json!({}));
    world.script(&json!([{"on": "update", "fault": "rate_limited", "retry_after": "PT1H"}]));
    world.put(&json!({"title": "nurse"}));
    world.run();
    world.engine.submit("crm", "u1", Operation::Freeze, Some("op"), None).unwrap();
    world.run();
    assert_eq!(world.calls(), ["create", "update"]);
    assert_eq!(world.requests(), ["Create Completed", "Update Requested lane rate_limited", "Freeze New rate"]);
    world.clock.advance(Period::from_seconds(3602));
    world.run();
    assert_eq!(world.calls(), ["create", "update", "freeze", "read", "update"]);
}

// What people do.

#[test]
fn a_failed_create_is_not_tried_again_for_who_left() {
    let world = World::new(&json!({}));
    world.script(&json!([{"on": "create", "fault": "rejected"}]));
    let made = world.put(&json!({}));
    world.run();
    world.put(&json!({"active": false}));
    world.run();
    let error = world.engine.retry(made[0].id.as_str(), "op").unwrap_err();
    assert_eq!(error.faults()[0].code, Code::OperationOff);
    assert_eq!(world.engine.request(made[0].id.as_str()).unwrap().request.state, State::Failed);
}

#[test]
fn a_failed_delete_is_not_tried_again_for_who_came_back() {
    let world =
        World::with_account(&json!({"operations": {"delete": true}, "deprovision": {"deleted": {"action": "delete"}}}));
    world.script(&json!([{"on": "delete", "fault": "rejected"}]));
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    world.put(&json!({}));
    world.run();
    let failed = world.all().into_iter().find(|request| request.state == State::Failed).unwrap();
    let error = world.engine.retry(failed.id.as_str(), "op").unwrap_err();
    assert_eq!(error.faults()[0].code, Code::OperationOff);
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn a_create_completed_by_hand_for_who_left_meanwhile_is_disabled() {
    let world = World::new(&json!({}));
    world.script(&json!([{"on": "create", "fault": "rejected"}]));
    let made = world.put(&json!({}));
    world.run();
    world.put(&json!({"active": false}));
    world.run();
    let account = json!({"external_id": "77", "username": "ann", "active": true, "frozen": false, "attributes": {"userName": "ann"}});
    world.mock().put_account(serde_json::from_value(account).unwrap());
    let done = world.engine.complete_manually(made[0].id.as_str(), "op", "made it", Some("77")).unwrap();
    assert_eq!(done.state, State::ManuallyCompleted);
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.records(), ["77 Deactivated"]);
}

#[test]
fn completing_by_hand_takes_no_empty_account_and_no_second_one() {
    let world = World::new(&json!({}));
    world.script(&json!([{"on": "create", "fault": "rejected"}]));
    let made = world.put(&json!({}));
    world.run();
    world.put(&json!({"title": "nurse"}));
    let id = made[0].id.as_str();
    let empty = world.engine.complete_manually(id, "op", "", Some("")).unwrap_err();
    assert_eq!(empty.faults()[0].code, Code::InvalidArgument);
    world.run();
    assert_eq!(world.records(), ["1 Active"]);
    let second = world.engine.complete_manually(id, "op", "", Some("77")).unwrap_err();
    assert_eq!(second.faults()[0].code, Code::ConflictDuplicate);
    assert_eq!(world.engine.request(id).unwrap().request.state, State::Failed, "nothing of it stays");
}

#[test]
fn what_was_refused_is_not_asked_again_by_itself() {
    let world = World::new(&json!({}));
    world.script(&json!([{"on": "create", "fault": "rejected"}]));
    world.put(&json!({}));
    world.run();
    assert!(world.put(&json!({})).is_empty());
    assert!(world.logged("withheld", "the same failed before"));
    assert_eq!(world.put(&json!({"title": "nurse"})).len(), 1, "another record is another matter");
}

#[test]
fn an_app_that_was_mended_tries_again_what_it_could_not_do() {
    let world = World::new(&json!({"mapping": [{"target": "userName", "source": "login", "required": true}]}));
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Failed missing_required"]);
    world.put_app(&json!({}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn one_unit_of_work_is_told_for_each_request_that_ended() {
    let world = World::new(&json!({}));
    world.put(&json!({"username": null}));
    let progress = world.run();
    assert_eq!((progress.done, progress.completed, progress.failed, progress.open), (1, 0, 1, 0));
    world.put(&json!({}));
    let progress = world.run();
    assert_eq!((progress.completed, progress.failed, progress.open), (1, 0, 0));
}

#[test]
fn a_record_that_was_mended_outside_the_watched_attributes_is_tried_again() {
    let mapping =
        json!([{"target": "userName", "source": "username"}, {"target": "title", "source": "title", "required": true}]);
    let world = World::new(&json!({"mapping": mapping, "update_on": ["username"]}));
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Failed missing_required"]);
    world.put(&json!({"title": "nurse"}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn what_the_apps_settings_forbade_is_tried_again_when_they_allow_it() {
    let world = World::with_account(&json!({}));
    world.put_app(&json!({"protected": {"external_ids": ["1"]}}));
    world.put(&json!({"title": "nurse"}));
    world.run();
    assert_eq!(world.requests(), ["Create Completed", "Update Failed operation_off"]);
    world.put(&json!({"title": "nurse"}));
    assert_eq!(world.requests().len(), 2, "the same would fail again");
    world.put_app(&json!({}));
    world.run();
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("nurse"));
}

#[test]
fn a_removal_that_is_tried_again_is_superseded_when_the_user_comes_back() {
    let world = World::with_account(&json!({}));
    world.script(&json!([{"on": "deactivate", "fault": "rejected"}]));
    let made = world.put(&json!({"active": false}));
    world.run();
    world.engine.retry(made[0].id.as_str(), "op").unwrap();
    world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
    assert_eq!(world.requests(), ["Create Completed", "Deactivate Retried rejected", "Deactivate Cancelled"]);
}

#[test]
fn a_change_of_the_app_does_not_put_off_deletions_that_it_is_not_about() {
    let keys = json!({"operations": {"delete": true}, "deprovision": {"deleted": {"action": "disable_then_delete", "after": "P30D"}}});
    let world = World::with_account(&keys);
    world.engine.delete_user("u1", None).unwrap();
    world.run_days(20);
    let mut labelled = keys;
    labelled["label"] = json!("CRM");
    world.put_app(&labelled);
    world.run_days(11);
    assert_eq!(world.accounts(), Vec::<String>::new());
}
