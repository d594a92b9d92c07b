//! One account for each user: what nobody has heard of is looked for before it is made again.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::Period;
use rollkeeper::model::State;
use serde_json::{Value, json};

/// A target that keeps nothing unique: whoever creates twice has two accounts.
fn loose() -> Value {
    json!({"kind": "mock", "settings": {"unique": false}})
}

fn by_name() -> Value {
    json!([{"all": [{"user": "username", "account": "userName"}]}])
}

fn lost_reply(world: &World) {
    world.script(&json!([{"on": "create", "fault": "lost_reply"}]));
}

fn account(external_id: &str, attributes: &Value) -> rollkeeper::connector::TargetAccount {
    serde_json::from_value(json!({
        "external_id": external_id, "username": attributes["userName"], "active": true, "frozen": false,
        "attributes": attributes,
    }))
    .unwrap()
}

#[test]
fn an_account_whose_answer_was_lost_is_found_by_the_users_id() {
    let world = World::new(&json!({"connector": loose()}));
    lost_reply(&world);
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Requested settle timeout"]);
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Completed"]);
    assert_eq!(world.calls(), ["create", "find"]);
}

#[test]
fn an_external_id_that_a_rule_sets_is_the_one_that_is_looked_for() {
    let mapping = json!([{"target": "userName", "source": "username"}, {"target": "externalId", "source": "employee"}]);
    for matching in [json!([]), by_name()] {
        let world = World::new(&json!({"connector": loose(), "mapping": mapping, "matching": matching}));
        lost_reply(&world);
        world.put(&json!({"employee": "E1"}));
        world.run_days(3);
        assert_eq!(world.requests(), ["Create Completed"]);
        assert_eq!(world.records(), ["1 Active"]);
    }
}

#[test]
fn a_target_that_cannot_search_by_external_id_is_searched_by_the_rules() {
    let world = World::new(&json!({"connector": loose(), "matching": by_name()}));
    world.script(&json!([{"on": "find", "fault": "rejected", "after": 2}]));
    lost_reply(&world);
    world.put(&json!({}));
    world.run_days(3);
    assert_eq!(world.requests(), ["Create Completed"]);
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn an_uncertain_create_that_is_tried_again_looks_first() {
    let world = World::new(&json!({"connector": loose()}));
    world.script(&json!([{"on": "create", "fault": "lost_reply"}, {"on": "find", "fault": "rejected"}]));
    let made = world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed uncertain"]);
    world.engine.retry(made[0].id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Retried uncertain", "Create Completed", "Update Completed"]);
    assert_eq!(world.calls(), ["create", "find", "find"]);
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn an_uncertain_create_that_is_cancelled_and_tried_again_looks_first_still() {
    let world = World::new(&json!({"connector": loose(), "retry": {"attempts": 1}}));
    world.script(&json!([{"on": "create", "fault": "lost_reply"}, {"on": "find", "fault": "rejected", "times": 2}]));
    let made = world.put(&json!({}));
    world.run_days(1);
    let clone = world.engine.retry(made[0].id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Retried uncertain", "Create Failed uncertain"]);
    world.engine.retry(clone.id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
    assert_eq!(world.calls(), ["create", "find", "find", "find"]);
}

#[test]
fn an_uncertain_create_is_not_made_again_because_the_record_changed() {
    let connector = json!({"kind": "mock", "settings": {"unique": false, "search": false}});
    let world = World::new(&json!({"connector": connector}));
    lost_reply(&world);
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Failed uncertain"]);
    assert!(world.put(&json!({"title": "nurse"})).is_empty());
    assert!(world.logged("withheld", "without a clear result"));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn a_person_who_has_looked_decides_what_an_uncertain_create_was() {
    let connector = json!({"kind": "mock", "settings": {"unique": false, "search": false}});
    let world = World::new(&json!({"connector": connector}));
    lost_reply(&world);
    let made = world.put(&json!({}));
    world.run();
    world.engine.complete_manually(made[0].id.as_str(), "op", "it is there", Some("1")).unwrap();
    world.put(&json!({"title": "nurse"}));
    world.run();
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("nurse"));
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn an_account_that_came_late_is_brought_up_to_date() {
    let world = World::new(&json!({"connector": loose()}));
    world.script(&json!([{"on": "create", "fault": "late"}]));
    world.put(&json!({}));
    world.run();
    world.put(&json!({"title": "nurse"}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("nurse"));
}

#[test]
fn look_ups_that_fail_end_uncertain_and_make_nothing() {
    let world = World::new(&json!({"connector": loose()}));
    world.script(
        &json!([{"on": "create", "fault": "lost_reply"}, {"on": "find", "fault": "target_failed", "times": 1000}]),
    );
    world.put(&json!({}));
    world.run_days(10);
    assert_eq!(world.requests(), ["Create Failed uncertain"]);
    world.put(&json!({"title": "nurse"}));
    world.run_days(10);
    assert_eq!(world.accounts(), ["ann active"]);
    assert_eq!(world.calls().iter().filter(|call| *call == "create").count(), 1);
}

#[test]
fn deleting_an_app_and_putting_it_again_makes_no_second_account() {
    let world = World::new(&json!({"connector": loose()}));
    lost_reply(&world);
    let made = world.put(&json!({}));
    world.run();
    world.engine.delete_app("crm", None).unwrap();
    assert_eq!(world.requests(), ["Create Failed uncertain"]);
    world.put_app(&json!({"connector": loose()}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
    world.engine.retry(made[0].id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
    assert_eq!(world.records(), ["1 Active"]);
}

#[test]
fn a_linked_account_stays_linked_over_deleting_its_app() {
    let world = World::with_account(&json!({"connector": loose()}));
    world.engine.delete_app("crm", None).unwrap();
    world.put_app(&json!({"connector": loose()}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn an_open_create_of_who_left_is_looked_for_and_not_made_again() {
    let world = World::new(&json!({"connector": loose()}));
    world.script(&json!([{"on": "create", "fault": "target_failed"}]));
    world.put(&json!({}));
    world.run();
    world.engine.delete_user("u1", None).unwrap();
    world.run_days(1);
    assert_eq!(world.calls(), ["create", "find"]);
    assert!(world.all().iter().all(|request| request.state.is_finished()), "{:?}", world.requests());
}

#[test]
fn an_open_create_of_who_left_that_was_made_is_disabled() {
    let world = World::new(&json!({"connector": loose()}));
    lost_reply(&world);
    world.put(&json!({}));
    world.run();
    world.engine.delete_user("u1", None).unwrap();
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.records(), ["1 Deactivated"]);
}

#[test]
fn who_left_during_an_open_create_and_comes_back_has_one_account() {
    for fault in ["target_failed", "lost_reply", "late"] {
        let world = World::new(&json!({"connector": loose()}));
        world.script(&json!([{"on": "create", "fault": fault}]));
        world.put(&json!({}));
        world.run();
        world.engine.delete_user("u1", None).unwrap();
        world.run_days(1);
        world.put(&json!({}));
        world.run_days(1);
        assert_eq!(world.accounts(), ["ann active"], "{fault}: {:?}", world.requests());
    }
}

#[test]
fn an_account_that_the_target_says_exists_and_does_not_show_ends_as_a_ghost() {
    let world = World::new(&json!({"matching": by_name()}));
    world.script(&json!([{"on": "create", "fault": "conflict", "times": 10}]));
    let made = world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed conflict_ghost"]);
    assert!(world.put(&json!({"title": "nurse"})).is_empty(), "nobody knows what there is; it is not tried by itself");
    let history = world.engine.request(made[0].id.as_str()).unwrap().history;
    assert_eq!(history.len(), 3);
    let first = history[0].started_at;
    assert!(history[2].started_at.since(first) <= Period::from_seconds(15 * 60));
}

#[test]
fn several_accounts_that_match_are_linked_to_nobody() {
    let world = World::new(&json!({"connector": loose(), "matching": by_name()}));
    for id in ["7", "8"] {
        world.mock().put_account(account(id, &json!({"userName": "ann"})));
    }
    world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed conflict_duplicate"]);
    assert!(world.records().is_empty());
    assert_eq!(world.accounts().len(), 2);
}

#[test]
fn an_account_with_the_mark_of_somebody_else_is_not_taken() {
    let world = World::new(&json!({"connector": loose(), "matching": by_name()}));
    world.mock().put_account(account("7", &json!({"userName": "ann", "externalId": "u2"})));
    world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed conflict_owned"]);
    assert_eq!(world.accounts().len(), 1);
}

#[test]
fn a_conflict_that_a_person_mended_is_tried_again() {
    let world = World::new(&json!({"connector": loose(), "matching": by_name()}));
    for id in ["7", "8"] {
        world.mock().put_account(account(id, &json!({"userName": "ann"})));
    }
    let made = world.put(&json!({}));
    world.run();
    world.mock().remove_account("8");
    let clone = world.engine.retry(made[0].id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(world.engine.request(clone.id.as_str()).unwrap().request.state, State::Completed);
    assert_eq!(world.records(), ["7 Active"]);
}

#[test]
fn a_failed_create_that_was_mended_does_not_hold_up_a_later_one() {
    // The account that a person linked went away; the user is to have one again.
    let world = World::new(&json!({"connector": loose(), "matching": by_name()}));
    for id in ["7", "8"] {
        world.mock().put_account(account(id, &json!({"userName": "ann"})));
    }
    let made = world.put(&json!({}));
    world.run();
    world.mock().remove_account("8");
    world.engine.complete_manually(made[0].id.as_str(), "op", "it is 7", Some("7")).unwrap();
    world.run_days(1);
    world.mock().remove_account("7");
    world.put(&json!({"title": "nurse"}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"], "{:?}", world.requests());
}

#[test]
fn a_create_that_another_request_made_needless_sends_nothing() {
    let world = World::with_account(&json!({"connector": loose()}));
    world.engine.submit("crm", "u1", rollkeeper::Operation::Create, Some("op"), None).unwrap();
    world.run();
    assert_eq!(world.requests(), ["Create Completed", "Create Completed"]);
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn an_open_create_of_who_left_is_not_sent_again_where_the_target_cannot_search() {
    let connector = json!({"kind": "mock", "settings": {"search": false, "idempotency_key": true}});
    let world = World::new(&json!({"connector": connector}));
    world.script(&json!([{"on": "create", "fault": "target_failed"}]));
    world.put(&json!({}));
    world.run();
    world.engine.delete_user("u1", None).unwrap();
    world.run_days(1);
    assert_eq!(world.calls(), ["create"]);
    assert_eq!(world.requests()[0], "Create Failed uncertain");
}

#[test]
fn a_create_that_is_refused_after_a_look_that_found_nothing_is_no_longer_uncertain() {
    let world = World::new(&json!({"connector": loose()}));
    world.script(&json!([{"on": "create", "fault": "target_failed"}, {"on": "create", "fault": "rejected"}]));
    world.put(&json!({}));
    world.run_days(1);
    assert_eq!(world.calls(), ["create", "find", "create"]);
    assert_eq!(world.requests(), ["Create Failed rejected"]);
    world.put(&json!({"title": "nurse"}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active"]);
}

#[test]
fn a_target_that_shows_an_account_and_says_that_it_is_gone_is_not_asked_for_ever() {
    let world = World::with_account(&json!({"matching": by_name()}));
    world.script(&json!([{"on": "update", "fault": "account_missing", "times": 1000}]));
    world.put(&json!({"title": "nurse"}));
    world.run_days(30);
    let updates = world.calls().iter().filter(|call| *call == "update").count();
    assert!(updates < 10, "{updates} updates");
}

/// A person has 0.4 for the name and 0.4 for the employee number; both together, and a badge, are certain.
fn weighed() -> Value {
    json!({"certain": 0.8, "candidate": 0.4, "rules": [
        {"all": [{"user": "badge", "account": "badge"}]},
        {"tier": 2, "confidence": 0.4, "all": [{"user": "username", "account": "userName"}]},
        {"tier": 2, "confidence": 0.4, "all": [{"user": "number", "account": "employeeNumber"}]}]})
}

fn world_with(accounts: &[Value]) -> World {
    let world = World::new(&json!({"connector": loose(), "matching": weighed()}));
    for (index, attributes) in accounts.iter().enumerate() {
        world.mock().put_account(account(&format!("a{index}"), attributes));
    }
    world.put(&json!({"number": "7", "badge": "B1"}));
    world.run();
    world
}

#[test]
fn rules_that_are_certain_together_link() {
    let world = world_with(&[json!({"userName": "ann", "employeeNumber": "7"}), json!({"userName": "ann"})]);
    assert_eq!(world.requests()[0], "Create Completed");
    assert!(world.records().contains(&"a0 Active".to_owned()));
    let verdict = r#"{"candidates":[{"confidence":0.8,"external_id":"a0","rules":[1,2]}],"decision":"linked"}"#;
    assert!(world.logged("matched", verdict));
    assert_eq!(world.engine.explain("crm", "u1").unwrap().matched.unwrap().to_string(), verdict);
    assert_eq!(world.calls()[..4], ["find", "find", "find", "find"]);
}

#[test]
fn after_a_certain_tier_the_next_is_not_asked() {
    let world =
        world_with(&[json!({"userName": "ann", "employeeNumber": "7"}), json!({"userName": "x", "badge": "B1"})]);
    assert!(world.records().contains(&"a1 Active".to_owned()));
    assert_eq!(world.calls()[..2], ["find", "find"]);
    assert_ne!(world.calls().get(2).map(String::as_str), Some("find"));
}

#[test]
fn an_account_that_may_be_the_users_is_neither_linked_nor_is_one_made_beside_it() {
    let world = world_with(&[json!({"userName": "ann"}), json!({"userName": "x", "employeeNumber": "7"})]);
    assert_eq!(world.requests(), ["Create Failed conflict_candidates"]);
    let failed = &world.all()[0];
    let message = "no account matches for certain, and some may be the user's: `a0` (0.4), `a1` (0.4)";
    assert!(failed.faults[0].message.starts_with(message), "{}", failed.faults[0].message);
    assert_eq!(world.accounts().len(), 2);
    assert!(world.records().is_empty());
    // It is for a person, who decides; by itself nothing goes on.
    world.put(&json!({"number": "7", "badge": "B1", "title": "nurse"}));
    world.run_days(2);
    assert_eq!(world.requests(), ["Create Failed conflict_candidates"]);
    world.engine.complete_manually(failed.id.as_str(), "op", "asked her", Some("a1")).unwrap();
    assert_eq!(world.records(), ["a1 Active"]);
}

#[test]
fn several_certain_accounts_are_named_and_left_alone() {
    let world = world_with(&[json!({"userName": "x", "badge": "B1"}), json!({"userName": "y", "badge": "B1"})]);
    assert_eq!(world.requests(), ["Create Failed conflict_duplicate"]);
    let message = &world.all()[0].faults[0].message;
    assert!(message.starts_with("several accounts match: `a0` (1), `a1` (1); "), "{message}");
    assert!(world.logged("matched", r#""decision":"ambiguous""#));
    assert!(world.records().is_empty());
}

#[test]
fn below_the_lower_threshold_an_account_is_made() {
    let matching = json!({"certain": 1, "candidate": 0.5, "rules": [
        {"confidence": 0.4, "all": [{"user": "username", "account": "userName"}]}]});
    let world = World::new(&json!({"connector": loose(), "matching": matching}));
    world.mock().put_account(account("a0", &json!({"userName": "ann"})));
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Completed"]);
    assert_eq!(world.accounts().len(), 2);
}

#[test]
fn every_value_of_a_list_is_looked_for() {
    let matching = json!([{"all": [{"user": "mails", "account": "userName"}]}]);
    let world = World::new(&json!({"connector": loose(), "matching": matching}));
    world.mock().put_account(account("a0", &json!({"userName": "second"})));
    world.put(&json!({"mails": ["first", "second"]}));
    world.run();
    assert_eq!(world.records(), ["a0 Active"]);
}
