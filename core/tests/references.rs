//! References: managers, and other users to whom a record refers, by their accounts in the same app.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::mapping::{Mapping, RenderInputs};
use rollkeeper::model::{Rule, SchemaAttribute};
use rollkeeper::{Code, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
const EXTENSION: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn mapping(required: bool) -> Value {
    json!([
        {"target": "userName", "source": "username"}, {"target": "title", "source": "title"},
        {"target": MANAGER, "source": "manager", "required": required},
    ])
}

fn world() -> World {
    World::new(&json!({"mapping": mapping(false)}))
}

fn put(world: &World, id: &str, keys: &Value) {
    let mut user = json!({"id": id, "username": id});
    user.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    world.put(&user);
}

/// Whom the target knows as the manager of that user, by user name.
fn manager(world: &World, user: &str) -> Value {
    let accounts = world.mock().accounts();
    let account = accounts.iter().find(|account| account.username.as_deref() == Some(user)).unwrap();
    let id = &account.attributes.get(EXTENSION).map_or(Value::Null, |extension| extension["manager"]["value"].clone());
    let named = accounts.iter().find(|account| json!(account.external_id) == *id);
    named.map_or(id.clone(), |account| json!(account.username))
}

fn updates(world: &World) -> usize {
    world.calls().iter().filter(|call| *call == "update").count()
}

#[test]
fn a_manager_who_has_an_account_is_sent_with_the_new_one() {
    let world = world();
    put(&world, "boss", &json!({}));
    world.run();
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("boss"));
    assert_eq!(updates(&world), 0);
}

#[test]
fn a_manager_who_comes_later_is_filled_in_then() {
    let world = world();
    put(&world, "ann", &json!({"manager": "boss"}));
    put(&world, "bea", &json!({"manager": "boss"}));
    world.run();
    assert_eq!(manager(&world, "ann"), Value::Null, "never the user's id");
    put(&world, "boss", &json!({}));
    world.run();
    for user in ["ann", "bea"] {
        assert_eq!(manager(&world, user), json!("boss"));
    }
    assert!(world.all().iter().any(|request| request.why.contains("the account of `boss`")));
    let sent = updates(&world);
    put(&world, "boss", &json!({"title": "head"}));
    world.run_days(2);
    assert_eq!(updates(&world), sent + 1, "nobody is updated again");
}

#[test]
fn a_manager_who_is_adopted_or_linked_by_hand_is_filled_in() {
    let world = World::new(&json!({"mapping": mapping(false),
        "matching": [{"all": [{"user": "username", "account": "userName"}]}]}));
    for (id, name) in [("7", "boss"), ("8", "chief"), ("9", "chief")] {
        let account = json!({"external_id": id, "username": name, "attributes": {"userName": name}});
        world.mock().put_account(serde_json::from_value(account).unwrap());
    }
    put(&world, "ann", &json!({"manager": "boss"}));
    put(&world, "bea", &json!({"manager": "chief"}));
    put(&world, "boss", &json!({}));
    put(&world, "chief", &json!({}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("boss"));
    let failed = world.all().into_iter().find(|request| !request.faults.is_empty()).unwrap();
    world.engine.complete_manually(failed.id.as_str(), "op", "it is 8", Some("8")).unwrap();
    world.run();
    let accounts = world.mock().accounts();
    let bea = accounts.iter().find(|account| account.username.as_deref() == Some("bea")).unwrap();
    assert_eq!(bea.attributes[EXTENSION]["manager"]["value"], json!("8"));
}

#[test]
fn two_who_manage_each_other_and_one_who_manages_herself_are_filled_in() {
    let world = world();
    put(&world, "ann", &json!({"manager": "bea"}));
    put(&world, "bea", &json!({"manager": "ann"}));
    put(&world, "cleo", &json!({"manager": "cleo"}));
    world.run();
    assert_eq!(["ann", "bea", "cleo"].map(|user| manager(&world, user)), [json!("bea"), json!("ann"), json!("cleo")]);
    assert!(world.all().iter().all(|request| request.state.is_finished()), "{:?}", world.requests());
    let sent = updates(&world);
    world.run_days(2);
    assert_eq!(updates(&world), sent);
}

#[test]
fn a_chain_of_ten_in_the_wrong_order_is_filled_in_within_one_run() {
    let world = world();
    for number in 0..10 {
        put(&world, &format!("p{number}"), &json!({"manager": format!("p{}", number + 1)}));
    }
    world.run();
    for number in 0..9 {
        assert_eq!(manager(&world, &format!("p{number}")), json!(format!("p{}", number + 1)));
    }
    assert_eq!(manager(&world, "p9"), Value::Null);
}

#[test]
fn another_manager_takes_the_place_of_the_first() {
    let world = world();
    put(&world, "boss", &json!({}));
    put(&world, "chief", &json!({}));
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    put(&world, "ann", &json!({"manager": "chief"}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("chief"));
    // Who has none yet changes nothing until there is one.
    put(&world, "ann", &json!({"manager": "new"}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("chief"));
    put(&world, "new", &json!({}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("new"));
}

#[test]
fn a_manager_who_leaves_changes_nothing_and_one_who_comes_again_with_another_account_does() {
    let world = World::new(&json!({"mapping": mapping(false), "operations": {"delete": true},
        "deprovision": {"deleted": {"action": "delete"}}}));
    put(&world, "boss", &json!({}));
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    world.engine.delete_user("boss", None).unwrap();
    world.run_days(2);
    assert_eq!((updates(&world), manager(&world, "ann")), (0, json!("1")));
    let again = world.put(&json!({"id": "ann", "username": "ann", "manager": "boss"}));
    assert!(again.is_empty(), "that somebody went asks for nothing");
    put(&world, "ann", &json!({"manager": "boss", "title": "nurse"}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("1"), "what is there is not cleared");
    put(&world, "boss", &json!({}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("boss"));
}

#[test]
fn a_required_manager_is_waited_for_and_others_of_the_lane_pass() {
    let world = World::new(&json!({"mapping": mapping(true)}));
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    assert_eq!(world.requests(), ["Create New dependency"]);
    assert!(world.calls().is_empty());
    put(&world, "boss", &json!({"manager": "boss"}));
    put(&world, "top", &json!({"manager": "top"}));
    world.run_days(3);
    assert_eq!(world.requests(), ["Create New dependency"; 3], "nobody is anybody's manager here who does not wait");

    let world = world_with_boss();
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    put(&world, "ann", &json!({"manager": "new"}));
    world.run();
    assert_eq!(world.requests().last().unwrap(), "Update New dependency");
    put(&world, "ann", &json!({"manager": "new", "frozen": true}));
    world.run();
    assert!(world.accounts().contains(&"ann frozen".to_owned()), "{:?}", world.requests());
    put(&world, "ann", &json!({"manager": "new"}));
    world.run();
    assert!(world.accounts().contains(&"ann active".to_owned()), "{:?}", world.requests());
    assert_eq!(manager(&world, "ann"), json!("boss"));
    let waiting = world.all().into_iter().find(|request| !request.state.is_finished()).unwrap();
    assert_eq!(waiting.attempts, 0);
    put(&world, "new", &json!({"manager": "boss"}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("new"));
    assert!(world.all().iter().all(|request| request.state.is_finished()), "{:?}", world.requests());
}

/// A world where managers are required, and one had hers before that.
fn world_with_boss() -> World {
    let world = world();
    put(&world, "boss", &json!({}));
    world.run();
    world.put_app(&json!({"mapping": mapping(true)}));
    world.run();
    world
}

#[test]
fn another_manager_who_is_there_is_not_waited_for() {
    let mapping = json!([{"target": "userName", "source": "username"}, {"target": MANAGER, "source": "manager", "required": true}]);
    let world = World::new(&json!({"mapping": [{"target": "userName", "source": "username"}]}));
    put(&world, "boss", &json!({}));
    world.run();
    world.put_app(&json!({"mapping": mapping}));
    put(&world, "ann", &json!({"manager": "nobody"}));
    world.run();
    assert!(world.requests().contains(&"Create New dependency".to_owned()), "{:?}", world.requests());
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    assert_eq!(world.accounts(), ["boss active", "ann active"], "{:?}", world.requests());
}

#[test]
fn what_waits_for_a_reference_goes_on_when_it_is_no_longer_required() {
    let mapping = |required: bool| {
        json!([{"target": "userName", "source": "username"},
        {"target": MANAGER, "source": "manager", "required": required}])
    };
    let world = World::new(&json!({"mapping": mapping(true)}));
    put(&world, "ann", &json!({"manager": "nobody"}));
    world.run();
    world.put_app(&json!({"mapping": mapping(false)}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"], "{:?}", world.requests());
}

#[test]
fn a_create_that_waits_is_taken_back_when_nobody_wants_it_any_more() {
    let world = World::new(&json!({"mapping": mapping(true)}));
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    put(&world, "ann", &json!({"manager": "boss", "active": false}));
    world.run();
    assert_eq!(world.requests(), ["Create Cancelled"]);
    put(&world, "ann", &json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Cancelled", "Create Failed missing_required"]);
}

#[test]
fn an_update_that_failed_is_tried_again_when_the_manager_comes() {
    let world = world();
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    world.script(&json!([{"on": "update", "fault": "rejected"}]));
    put(&world, "ann", &json!({"manager": "boss", "title": "nurse"}));
    world.run();
    put(&world, "boss", &json!({}));
    world.run();
    assert_eq!(manager(&world, "ann"), json!("boss"));
}

#[test]
fn another_app_is_no_place_to_find_an_account() {
    let world = world();
    let app = json!({"id": "tickets", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Bosses"]},
        "mapping": mapping(false), "create_without_match": true});
    world.engine.put_app(rollkeeper::model::App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    put(&world, "boss", &json!({"profile": "Bosses"}));
    put(&world, "ann", &json!({"manager": "boss"}));
    world.run();
    assert_eq!(manager(&world, "ann"), Value::Null);
}

#[test]
fn a_preview_shows_what_is_resolved_and_what_is_waited_for() {
    let world = world();
    put(&world, "ann", &json!({"manager": "boss"}));
    assert_eq!(world.engine.preview("crm", "ann").unwrap().rules[2]["skipped"], json!("reference"));
    put(&world, "boss", &json!({}));
    world.run();
    let preview = world.engine.preview("crm", "ann").unwrap();
    assert_eq!(preview.rules[2]["value"], json!({"value": "2"}));
    assert!(preview.operations.is_empty(), "{preview:?}");
}

// Rendering.

fn render(rule: &Value, user: &Value, schema: Option<&Value>) -> Result<Value, Code> {
    let rules: Vec<Rule> = serde_json::from_value(json!([rule])).unwrap();
    let schema: Option<Vec<SchemaAttribute>> = schema.map(|schema| serde_json::from_value(schema.clone()).unwrap());
    let mapping = Mapping::compile(&rules, schema.as_deref()).unwrap();
    let references = BTreeMap::from([("u1".to_owned(), "41".to_owned()), ("u2".to_owned(), "42".to_owned())]);
    let user = user.as_object().unwrap();
    let inputs = RenderInputs { references: Some(&references), ..RenderInputs::create(user, Timestamp::default()) };
    let rendered = mapping.render(&inputs).map_err(|faults| faults[0].code)?;
    let skipped = rendered.skipped.first().map(|skipped| json!(skipped.reason));
    Ok(skipped.unwrap_or(Value::Object(rendered.attributes)))
}

#[test]
fn a_reference_has_the_shape_that_the_target_takes() {
    let user = json!({"manager": "u1", "friends": ["u2", "u1"], "some": ["u1", "u9"]});
    let value = format!("{MANAGER}.value");
    let plain = json!([{"path": MANAGER}]);
    let list = json!([{"path": "friends", "type": "complex", "multi_valued": true}]);
    let extension = |manager: Value| json!({EXTENSION: {"manager": manager}});
    let cases = [
        (json!({"target": MANAGER, "source": "manager"}), None, extension(json!({"value": "41"}))),
        (json!({"target": value, "source": "manager"}), None, extension(json!({"value": "41"}))),
        (json!({"target": MANAGER, "source": "manager"}), Some(&plain), extension(json!("41"))),
        (json!({"target": "boss", "source": "manager"}), None, json!({"boss": "41"})),
        (json!({"target": "boss", "source": "manager", "reference": false}), None, json!({"boss": "u1"})),
        (json!({"target": "boss", "expression": "user.manager", "reference": true}), None, json!({"boss": "41"})),
        (json!({"target": "boss", "expression": "user.manager"}), None, json!({"boss": "u1"})),
        (json!({"target": "friends", "source": "friends", "reference": true}), None, json!({"friends": ["42", "41"]})),
        (
            json!({"target": "friends", "source": "friends", "reference": true}),
            Some(&list),
            json!({"friends": [{"value": "42"}, {"value": "41"}]}),
        ),
        (json!({"target": "friends", "source": "some", "reference": true}), None, json!("reference")),
        (json!({"target": "boss", "source": "nobody", "reference": true}), None, json!("missing")),
    ];
    for (rule, schema, wanted) in cases {
        assert_eq!(render(&rule, &user, schema).unwrap(), wanted, "{rule}");
    }
    let number = json!({"manager": 7});
    assert_eq!(render(&json!({"target": "boss", "source": "manager"}), &number, None), Err(Code::TypeMismatch));
}

#[test]
fn rendering_without_an_engine_knows_no_accounts() {
    let mapping = json!([{"target": "boss", "source": "manager", "required": true}]);
    let user = json!({"manager": "u1"});
    let rendered =
        rollkeeper::mapping::render(&mapping, user.as_object().unwrap(), None, None, Timestamp::default()).unwrap();
    assert_eq!(rendered, json!({"attributes": {}, "changes": [], "skipped": [{"rule": 0, "reason": "reference"}]}));
}

#[test]
fn an_account_in_doubt_is_looked_for_though_its_record_waits_or_is_faulty() {
    for (manager, leaves) in [(Some("boss"), true), (Some("boss"), false), (None, true), (None, false)] {
        let world = world();
        world.script(&json!([{"on": "create", "fault": "lost_reply"}, {"on": "find", "fault": "rejected"}]));
        put(&world, "ann", &json!({"manager": "boss"}));
        world.run_days(1);
        assert_eq!(world.requests(), ["Create Failed uncertain"]);
        world.put_app(&json!({"mapping": mapping(true)}));
        let record = |active: bool| json!({"manager": manager, "active": active});
        put(&world, "ann", &record(true));
        world.engine.retry(world.all()[0].id.as_str(), "op").unwrap();
        if leaves {
            world.run();
            put(&world, "ann", &record(false));
        }
        world.run_days(3);
        let wanted = if leaves { "ann disabled" } else { "ann active" };
        assert_eq!(world.accounts(), [wanted], "{manager:?} {:?}", world.requests());
        assert_eq!(world.records().len(), 1, "{manager:?} {leaves} {:?}", world.requests());
    }
}
