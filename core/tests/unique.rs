//! Unique values: candidates, what this engine has reserved, what the target has already, and what an account keeps.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::connector::{TargetAccount, mock::MockTarget};
use rollkeeper::model::{App, State};
use serde_json::{Value, json};

const NAME: &str = "(user.first.left(1) + user.last).ascii().lower() + token";

fn mapping() -> Value {
    json!([{"target": "userName", "expression": NAME, "required": true, "unique": true}, {"target": "title", "source": "title"}])
}

/// Everybody is John Smith.
fn john(world: &World, id: &str, keys: &Value) {
    let mut user = json!({"id": id, "first": "John", "last": "Smith"});
    user.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    world.put(&user);
}

fn world(keys: &Value) -> World {
    let mut usual = json!({"mapping": mapping()});
    usual.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    World::new(&usual)
}

fn stranger(external_id: &str, name: &str) -> TargetAccount {
    serde_json::from_value(json!({"external_id": external_id, "username": name, "attributes": {"userName": name}}))
        .unwrap()
}

/// The names at the target, by user.
fn names(world: &World) -> Vec<String> {
    names_of(&world.mock())
}

fn names_of(target: &MockTarget) -> Vec<String> {
    target.accounts().iter().map(|account| account.username.clone().unwrap()).collect()
}

fn finds(world: &World) -> usize {
    world.calls().iter().filter(|call| *call == "find").count()
}

/// Targets that keep names unique, that do not, and that cannot be searched.
fn targets() -> [Value; 4] {
    [(true, true), (false, true), (true, false), (false, false)]
        .map(|(unique, search)| json!({"kind": "mock", "settings": {"unique": unique, "search": search}}))
}

#[test]
fn the_second_john_smith_has_the_second_candidate() {
    for connector in targets() {
        let world = world(&json!({"connector": connector}));
        for id in ["u1", "u2", "u3"] {
            john(&world, id, &json!({}));
        }
        world.run();
        assert_eq!(names(&world), ["jsmith", "jsmith2", "jsmith3"], "{connector}");
        assert_eq!(world.requests(), ["Create Completed"; 3]);
    }
}

#[test]
fn a_name_that_a_stranger_has_at_the_target_is_passed_over() {
    for connector in targets() {
        let world = world(&json!({"connector": connector}));
        for (id, name) in [("x1", "JSmith"), ("x2", "jsmith2")] {
            world.mock().put_account(stranger(id, name));
        }
        let blind = connector["settings"]["search"] == false;
        if blind && connector["settings"]["unique"] == false {
            continue;
        }
        john(&world, "u1", &json!({}));
        world.run();
        assert_eq!(names(&world), ["JSmith", "jsmith2", "jsmith3"], "{connector}");
        assert_eq!(world.requests(), ["Create Completed"]);
        let creates = world.calls().iter().filter(|call| *call == "create").count();
        assert_eq!(creates, if blind { 3 } else { 1 }, "a name that is known to be taken is not sent");
    }
}

#[test]
fn candidates_cost_no_retries() {
    let world = world(&json!({"retry": {"attempts": 1}}));
    world.mock().put_account(stranger("x1", "jsmith"));
    for number in 2..=30 {
        world.mock().put_account(stranger(&format!("x{number}"), &format!("jsmith{number}")));
    }
    john(&world, "u1", &json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Completed"]);
    assert_eq!(names(&world).last().unwrap(), "jsmith31");
    assert!(finds(&world) <= 31, "{} searches", finds(&world));
}

#[test]
fn a_value_without_another_candidate_fails_at_once() {
    let mapping = json!([{"target": "userName", "source": "username", "unique": true}]);
    for connector in targets() {
        let world = world(&json!({"connector": connector, "mapping": mapping}));
        john(&world, "u1", &json!({"username": "John"}));
        john(&world, "u2", &json!({"username": "JOHN"}));
        world.run_days(1);
        assert_eq!(world.requests(), ["Create Completed", "Create Failed unique_taken"], "{connector}");
        assert_eq!(names(&world), ["John"]);
    }
}

#[test]
fn all_unique_values_of_a_mapping_advance_together() {
    let world = world(&json!({"mapping": [
        {"target": "userName", "expression": NAME, "unique": true},
        {"target": "emails[type eq \"work\"].value", "expression": "(user.last + token).lower() + '@example.com'", "unique": true},
        {"target": "displayName", "expression": "user.first + token"},
    ]}));
    let taken =
        json!({"external_id": "x1", "username": "other", "attributes": {"emails": [{"value": "Smith2@example.com"}]}});
    world.mock().put_account(serde_json::from_value(taken).unwrap());
    john(&world, "u1", &json!({}));
    john(&world, "u2", &json!({}));
    world.run();
    let account = world.mock().accounts()[2].attributes.clone();
    assert_eq!(account["userName"], json!("jsmith3"));
    assert_eq!(account["emails"], json!([{"type": "work", "value": "smith3@example.com"}]));
    assert_eq!(account["displayName"], json!("John3"));
}

#[test]
fn a_refusal_for_another_reason_costs_retries_and_ends() {
    let world = world(&json!({"retry": {"attempts": 3}}));
    world.script(&json!([{"on": "create", "fault": "conflict", "times": 1000}]));
    john(&world, "u1", &json!({}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed unique_exhausted"]);
    assert_eq!(world.calls().iter().filter(|call| *call == "create").count(), 3);
}

#[test]
fn a_name_that_the_target_hides_is_passed_over() {
    let world = world(&json!({}));
    world.script(&json!([{"on": "create", "fault": "conflict", "times": 2}]));
    john(&world, "u1", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith3"]);
}

// What an account has, it keeps.

#[test]
fn an_account_keeps_its_name_though_a_lower_one_is_free() {
    let world = world(&json!({"deprovision": {"deleted": {"action": "delete"}}, "operations": {"delete": true}}));
    john(&world, "u1", &json!({}));
    john(&world, "u2", &json!({}));
    world.run();
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    assert_eq!(names(&world), ["jsmith2"]);
    john(&world, "u2", &json!({"title": "nurse"}));
    world.run();
    assert_eq!(names(&world), ["jsmith2"]);
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("nurse"));
    john(&world, "u3", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith2", "jsmith"], "what the deleted account had is free");
}

#[test]
fn a_rename_takes_the_first_free_name_and_frees_the_old_one_once_it_is_done() {
    let world = world(&json!({"retry": {"attempts": 2}}));
    john(&world, "u1", &json!({}));
    john(&world, "u2", &json!({"last": "Jones"}));
    world.run();
    world.mock().put_account(stranger("x1", "jjones2"));
    world.script(&json!([{"on": "update", "fault": "target_failed"}]));
    john(&world, "u1", &json!({"last": "Jones"}));
    world.run();
    john(&world, "u3", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jjones", "jjones2", "jsmith2"], "the old name is not free yet");
    world.run_days(1);
    assert_eq!(names(&world), ["jjones3", "jjones", "jjones2", "jsmith2"]);
    john(&world, "u4", &json!({}));
    world.run();
    assert_eq!(names(&world).last().unwrap(), "jsmith");
}

#[test]
fn a_rename_that_fails_leaves_the_old_name_and_frees_the_new_one() {
    let world = world(&json!({}));
    john(&world, "u1", &json!({}));
    world.run();
    world.script(&json!([{"on": "update", "fault": "rejected"}]));
    john(&world, "u1", &json!({"last": "Jones"}));
    world.run();
    john(&world, "u2", &json!({"last": "Jones"}));
    john(&world, "u3", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jjones", "jsmith2"]);
}

#[test]
fn a_rename_that_the_target_refuses_takes_the_next_candidate() {
    let connector = json!({"kind": "mock", "settings": {"search": false}});
    let world = world(&json!({"connector": connector}));
    john(&world, "u1", &json!({}));
    world.run();
    world.mock().put_account(stranger("x1", "jjones"));
    john(&world, "u1", &json!({"last": "Jones"}));
    world.run();
    assert_eq!(names(&world), ["jjones2", "jjones"]);
    assert_eq!(world.requests(), ["Create Completed", "Update Completed"]);
}

#[test]
fn a_name_for_creating_alone_stays_taken_when_the_account_changes() {
    let rule = json!({"target": "userName", "expression": NAME, "unique": true, "apply": "create"});
    let world = world(&json!({"mapping": [rule, {"target": "title", "source": "title"}],
        "connector": {"kind": "mock", "settings": {"unique": false, "search": false}}}));
    john(&world, "u1", &json!({}));
    world.run();
    john(&world, "u1", &json!({"title": "nurse", "last": "Jones"}));
    world.run();
    john(&world, "u2", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jsmith2"]);
}

#[test]
fn what_a_failed_or_cancelled_create_had_reserved_is_free() {
    let world = world(&json!({}));
    world.script(&json!([{"on": "create", "fault": "rejected"}]));
    john(&world, "u1", &json!({}));
    world.run();
    john(&world, "u2", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith"]);
    // One that waits for its next attempt has its name until it is taken back.
    world.script(&json!([{"on": "create", "fault": "unreachable"}]));
    john(&world, "u3", &json!({}));
    world.run();
    john(&world, "u4", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jsmith3"]);
    john(&world, "u3", &json!({"active": false}));
    john(&world, "u5", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jsmith3", "jsmith2"]);
}

#[test]
fn an_uncertain_create_keeps_its_name_and_the_one_that_follows_it_has_it() {
    let connector = json!({"kind": "mock", "settings": {"unique": false}});
    let world = world(&json!({"connector": connector}));
    world.script(&json!([{"on": "create", "fault": "lost_reply"}, {"on": "find", "after": 1, "fault": "rejected"}]));
    john(&world, "u1", &json!({}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed uncertain"]);
    john(&world, "u2", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jsmith2"]);
    world.engine.retry(world.all()[0].id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(names(&world), ["jsmith", "jsmith2"]);
    assert_eq!(world.all()[2].state, State::Completed);
    john(&world, "u1", &json!({"title": "nurse"}));
    john(&world, "u3", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jsmith2", "jsmith3"]);
}

#[test]
fn a_create_in_doubt_is_never_made_under_another_name() {
    for fault in ["lost_reply", "late", "target_failed"] {
        let world = world(&json!({}));
        world.script(&json!([{"on": "create", "fault": fault}]));
        john(&world, "u1", &json!({}));
        world.run_days(1);
        assert_eq!(names(&world), ["jsmith"], "{fault}");
    }
    // Even where the account does not show: the target says that it is there, and nobody makes a second one.
    let world = world(&json!({}));
    world.script(
        &json!([{"on": "create", "fault": "lost_reply"}, {"on": "find", "after": 1, "times": 1000, "fault": "hidden"}]),
    );
    john(&world, "u1", &json!({}));
    world.run_days(3);
    assert_eq!(names(&world), ["jsmith"]);
    assert_eq!(world.requests(), ["Create Failed conflict_ghost"]);
}

#[test]
fn a_create_in_doubt_that_is_tried_again_by_hand_is_never_made_under_another_name() {
    // Nobody can look, and the target refuses a second holder: it may be the first try who holds it.
    let world = world(&json!({"connector": {"kind": "mock", "settings": {"search": false}}}));
    world.script(&json!([{"on": "create", "fault": "lost_reply"}]));
    john(&world, "u1", &json!({}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed conflict_ghost"]);
    world.engine.retry(world.all()[0].id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Retried conflict_ghost", "Create Failed conflict_ghost"]);
    world.engine.retry(world.all()[1].id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(names(&world), ["jsmith"]);
}

#[test]
fn who_takes_over_from_a_create_in_doubt_has_its_name_though_a_lower_one_is_free() {
    let world = world(&json!({"connector": {"kind": "mock", "settings": {"unique": false, "search": false}},
        "deprovision": {"deleted": {"action": "delete"}}, "operations": {"delete": true}}));
    john(&world, "u1", &json!({}));
    world.run();
    world.script(&json!([{"on": "create", "fault": "target_failed"}]));
    john(&world, "u2", &json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Completed", "Create Failed uncertain"]);
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    world.engine.retry(world.all()[1].id.as_str(), "op").unwrap();
    world.run();
    assert_eq!(names(&world), ["jsmith2"]);
}

#[test]
fn an_account_of_ours_that_has_the_name_is_taken_and_not_avoided() {
    let world = world(&json!({}));
    let ours =
        json!({"external_id": "7", "username": "jsmith", "attributes": {"userName": "jsmith", "externalId": "u1"}});
    world.mock().put_account(serde_json::from_value(ours).unwrap());
    john(&world, "u1", &json!({}));
    john(&world, "u2", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jsmith2"]);
    assert_eq!(world.records().len(), 2);
}

#[test]
fn an_adopted_account_has_its_name_reserved() {
    let matching = json!([{"all": [{"user": "title", "account": "title"}]}]);
    let connector = json!({"kind": "mock", "settings": {"unique": false}});
    let world = world(&json!({"matching": matching, "connector": connector}));
    let known =
        json!({"external_id": "7", "username": "jsmith", "attributes": {"userName": "jsmith", "title": "seven"}});
    world.mock().put_account(serde_json::from_value(known).unwrap());
    john(&world, "u1", &json!({"title": "seven"}));
    world.run();
    assert_eq!(names(&world), ["jsmith"]);
    // The target does not show it any more; we know all the same.
    world.mock().remove_account("7");
    john(&world, "u2", &json!({"title": "eight"}));
    world.run();
    assert_eq!(names(&world), ["jsmith2"]);
}

#[test]
fn an_account_that_was_found_keeps_its_name_where_it_is_a_candidate() {
    let matching = json!([{"all": [{"user": "title", "account": "title"}]}]);
    let world = world(&json!({"matching": matching}));
    for (id, name, title) in [("7", "jsmith7", "seven"), ("8", "johnny", "eight")] {
        let known = json!({"external_id": id, "username": name, "attributes": {"userName": name, "title": title}});
        world.mock().put_account(serde_json::from_value(known).unwrap());
        john(&world, title, &json!({"title": title}));
    }
    world.run();
    assert_eq!(names(&world), ["jsmith7", "jsmith"], "nobody has a candidate's name whose name it is");
    john(&world, "seven", &json!({"title": "seven", "last": "Jones"}));
    world.run();
    assert_eq!(names(&world), ["jjones", "jsmith"]);
}

#[test]
fn what_an_update_in_doubt_had_reserved_is_free_after_the_next_one() {
    let world = world(&json!({}));
    john(&world, "u1", &json!({}));
    world.run();
    world.script(&json!([{"on": "update", "fault": "target_failed"}]));
    john(&world, "u1", &json!({"last": "Jones"}));
    world.run();
    john(&world, "u1", &json!({"last": "Jones", "active": false}));
    world.run_days(1);
    assert_eq!(world.requests()[1], "Update Failed uncertain");
    john(&world, "u2", &json!({"last": "Jones"}));
    world.run();
    assert_eq!(names(&world), ["jsmith", "jjones2"], "it may have come through");
    john(&world, "u1", &json!({"last": "Miller"}));
    world.run_days(1);
    john(&world, "u3", &json!({"last": "Jones"}));
    world.run();
    assert_eq!(names(&world), ["jmiller", "jjones2", "jjones"]);
}

#[test]
fn another_app_has_names_of_its_own() {
    let world = world(&json!({}));
    let app = json!({"id": "tickets", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
        "mapping": mapping(), "create_without_match": true});
    world.engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    john(&world, "u1", &json!({}));
    world.run();
    assert_eq!(names(&world), ["jsmith"]);
    assert_eq!(names_of(&world.engine.mock_target("tickets").unwrap()), ["jsmith"]);
}

#[test]
fn a_preview_shows_the_candidate_and_reserves_nothing() {
    let world = world(&json!({}));
    john(&world, "u1", &json!({}));
    world.run();
    john(&world, "u2", &json!({}));
    for _ in 0..2 {
        let preview = world.engine.preview("crm", "u2").unwrap();
        assert_eq!(preview.attributes["userName"], json!("jsmith2"));
        assert_eq!(preview.rules[0]["value"], json!("jsmith2"));
    }
    assert_eq!(world.engine.preview("crm", "u1").unwrap().attributes["userName"], json!("jsmith"));
}

#[test]
fn a_unique_rule_that_cannot_vary_is_told_and_no_fault() {
    let world = world(&json!({}));
    let told = |rule: Value| {
        let app = json!({"id": "x", "connector": {"kind": "mock"}, "create_without_match": true, "mapping": [rule]});
        let validation = world.engine.validate_app(app.to_string().as_bytes()).unwrap();
        assert!(validation.ready, "{validation:?}");
        validation.readiness.iter().any(|item| item.item == "mapping" && item.detail.contains("`userName`"))
    };
    assert!(told(json!({"target": "userName", "source": "username", "unique": true})));
    assert!(told(json!({"target": "userName", "expression": "user.username", "unique": true})));
    assert!(!told(json!({"target": "userName", "expression": "user.username + token", "unique": true})));
    assert!(!told(json!({"target": "userName", "expression": "user.username + string(iteration)", "unique": true})));
    assert!(!told(json!({"target": "userName", "source": "username"})));
}
