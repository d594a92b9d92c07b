//! Unique values beside matching rules, references and what becomes of records meanwhile.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::connector::TargetAccount;
use serde_json::{Value, json};

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

fn known(world: &World, external_id: &str, attributes: &Value) {
    let account = json!({"external_id": external_id, "attributes": attributes});
    let account: TargetAccount = serde_json::from_value(account).unwrap();
    world.mock().put_account(account);
}

fn names(world: &World) -> Vec<String> {
    world.mock().accounts().iter().map(|account| account.username.clone().unwrap()).collect()
}

fn user(world: &World, id: &str, keys: &Value) {
    let mut user = json!({"id": id, "username": id});
    user.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    world.put(&user);
}

#[test]
fn an_account_that_matches_by_the_unique_name_is_linked_and_none_is_made_beside_it() {
    let world = World::new(&json!({
        "mapping": [{"target": "userName", "expression": "user.username + token", "unique": true}],
        "matching": [{"all": [{"user": "username", "account": "userName"}]}]}));
    known(&world, "7", &json!({"userName": "ann"}));
    user(&world, "u1", &json!({"username": "ann"}));
    world.run();
    assert_eq!((names(&world), world.records()), (vec!["ann".to_owned()], vec!["7 Active".to_owned()]));
}

#[test]
fn users_of_one_name_have_accounts_of_their_own_though_the_name_is_matched() {
    let world = World::new(&json!({
        "mapping": [{"target": "userName", "expression": "user.username + token", "unique": true}],
        "matching": [{"all": [{"user": "username", "account": "userName"}]}]}));
    for id in ["u1", "u2", "u3"] {
        user(&world, id, &json!({"username": "ann"}));
    }
    world.run();
    assert_eq!(names(&world), ["ann", "ann2", "ann3"], "{:?}", world.requests());
    known(&world, "x1", &json!({"userName": "bea", "externalId": "somebody"}));
    user(&world, "u4", &json!({"username": "bea"}));
    world.run();
    assert_eq!(names(&world), ["ann", "ann2", "ann3", "bea", "bea2"], "{:?}", world.requests());
}

#[test]
fn an_account_is_looked_for_where_the_target_would_not_refuse_what_is_sent() {
    let world = World::new(&json!({
        "mapping": [{"target": "userName", "source": "username"}],
        "matching": [{"all": [{"user": "email", "account": "userName"}]}]}));
    known(&world, "7", &json!({"userName": "ann@example.com"}));
    user(&world, "u1", &json!({"username": "ann", "email": "ann@example.com"}));
    world.run();
    assert_eq!((names(&world).len(), world.records()), (1, vec!["7 Active".to_owned()]));
}

#[test]
fn a_clone_of_a_clone_in_doubt_is_never_made_under_another_name() {
    let world = World::new(&json!({"connector": {"kind": "mock", "settings": {"search": false}},
        "mapping": [{"target": "userName", "expression": "user.username + token", "unique": true}]}));
    world.script(&json!([{"on": "create", "fault": "lost_reply"}, {"on": "create", "fault": "rejected"}]));
    user(&world, "u1", &json!({"username": "ann"}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed uncertain"]);
    for number in 0..2 {
        world.engine.retry(world.all()[number].id.as_str(), "op").unwrap();
        world.run_days(1);
    }
    assert_eq!(names(&world), ["ann"], "{:?}", world.requests());
}

#[test]
fn nobody_is_made_again_where_nobody_could_be_looked_for() {
    let world = World::new(&json!({"connector": {"kind": "mock", "settings": {"unique": false}},
        "matching": [{"all": [{"user": "email", "account": "emails.value"}]}]}));
    world.script(&json!([{"on": "create", "fault": "lost_reply"}, {"on": "find", "times": 100, "after": 1, "fault": "rejected"}]));
    user(&world, "u1", &json!({"username": "ann"}));
    world.run_days(3);
    assert_eq!(names(&world), ["ann"], "{:?}", world.requests());
}

#[test]
fn a_rename_in_doubt_that_is_renamed_back_frees_nothing_that_may_be_taken() {
    let world = World::new(&json!({"connector": {"kind": "mock", "settings": {"search": false, "unique": false}},
        "mapping": [{"target": "userName", "expression": "user.username + token", "unique": true}]}));
    user(&world, "u1", &json!({"username": "ann"}));
    world.run();
    world.script(&json!([{"on": "update", "fault": "late"}]));
    user(&world, "u1", &json!({"username": "bea"}));
    world.run();
    user(&world, "u1", &json!({"username": "ann"}));
    user(&world, "u2", &json!({"username": "bea"}));
    user(&world, "u3", &json!({"username": "ann"}));
    world.run_days(3);
    let mut all = names(&world);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 3, "{:?} {:?}", names(&world), world.requests());
    assert_eq!(names(&world)[0], "ann");
}

#[test]
fn who_is_rehired_has_the_name_of_the_disabled_account() {
    let world = World::new(&json!({
        "mapping": [{"target": "userName", "expression": "user.username + token", "unique": true}]}));
    user(&world, "u1", &json!({"username": "ann"}));
    user(&world, "u2", &json!({"username": "ann"}));
    world.run();
    world.engine.delete_user("u2", None).unwrap();
    world.run();
    user(&world, "u3", &json!({"username": "ann"}));
    world.run();
    user(&world, "u2", &json!({"username": "ann"}));
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann active", "ann2 active", "ann3 active"]);
}

#[test]
fn with_approval_the_name_is_chosen_when_it_is_sent() {
    let world = World::new(&json!({"approval": {"operations": ["create"], "approvers": [], "expires": "P7D"},
        "mapping": [{"target": "userName", "expression": "user.username + token", "unique": true}]}));
    user(&world, "u1", &json!({"username": "ann"}));
    user(&world, "u2", &json!({"username": "ann"}));
    world.run();
    world.engine.approve(world.all()[1].id.as_str(), "chief", None).unwrap();
    world.run();
    world.engine.approve(world.all()[0].id.as_str(), "chief", None).unwrap();
    world.run_days(1);
    assert_eq!(names(&world), ["ann", "ann2"], "{:?}", world.requests());
}

#[test]
fn a_mapping_that_loses_unique_between_attempts_sends_and_completes() {
    let mapping =
        |unique: bool| json!([{"target": "userName", "expression": "user.username + token", "unique": unique}]);
    let world = World::new(&json!({"mapping": mapping(true)}));
    world.script(&json!([{"on": "create", "fault": "target_failed"}]));
    user(&world, "u1", &json!({"username": "ann"}));
    world.run();
    world.put_app(&json!({"mapping": mapping(false)}));
    world.run_days(1);
    assert_eq!(names(&world), ["ann"]);
    world.put_app(&json!({"mapping": mapping(true)}));
    user(&world, "u2", &json!({"username": "ann"}));
    world.run_days(1);
    assert_eq!(names(&world), ["ann", "ann2"]);
}

#[test]
fn a_leaver_whose_update_waits_loses_access_at_once() {
    let mapping = |required: bool| {
        json!([{"target": "userName", "source": "username"},
        {"target": MANAGER, "source": "manager", "required": required}])
    };
    let world = World::new(&json!({"mapping": mapping(false)}));
    user(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    world.put_app(&json!({"mapping": mapping(true)}));
    world.run();
    user(&world, "ann", &json!({"manager": "boss", "active": false}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"], "{:?}", world.requests());
    user(&world, "ann", &json!({"manager": "boss", "active": true}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"], "{:?}", world.requests());
}

#[test]
fn a_preview_tells_that_a_create_waits() {
    let world = World::new(&json!({"mapping": [{"target": "userName", "source": "username"},
        {"target": MANAGER, "source": "manager", "required": true}]}));
    user(&world, "ann", &json!({"manager": "boss"}));
    let preview = world.engine.preview("crm", "ann").unwrap();
    assert!(preview.operations.is_empty(), "{preview:?}");
    assert_eq!(preview.withheld.len(), 1, "{preview:?}");
    assert!(preview.create.requests.is_empty(), "{preview:?}");
}

#[test]
fn a_preview_tells_that_a_value_is_taken_and_has_no_other_candidate() {
    let world = World::new(&json!({"mapping": [{"target": "userName", "source": "username", "unique": true}]}));
    user(&world, "u1", &json!({"username": "ann"}));
    world.run();
    user(&world, "u2", &json!({"username": "ann"}));
    let preview = world.engine.preview("crm", "u2").unwrap();
    assert!(preview.faults.iter().any(|fault| fault.code.name() == "unique_taken"), "{preview:?}");
    let impact: Vec<_> = world.engine.explain("crm", "u2").unwrap().steps;
    assert!(format!("{impact:?}").contains("taken"), "{impact:?}");
}

#[test]
fn an_account_that_an_earlier_request_made_is_brought_up_to_date() {
    let world = World::new(&json!({}));
    world.script(&json!([{"on": "create", "fault": "lost_reply"}, {"on": "find", "fault": "rejected"}]));
    user(&world, "u1", &json!({"username": "ann", "title": "nurse"}));
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Failed uncertain"]);
    user(&world, "u1", &json!({"username": "ann", "title": "doctor"}));
    world.engine.retry(world.all()[0].id.as_str(), "op").unwrap();
    world.run_days(1);
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("doctor"), "{:?}", world.requests());
}
