//! Asking a target for a part of what it has (RFC 7644 §3.9): what that spares, and that what was left out is never taken for
//! empty.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::model::{App, State, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Engine, RunOptions, Secret, Timestamp};
use rollkeeper_tests::zoo::{Bends, Group, Zoo};
use serde_json::{Value, json};
use std::sync::Arc;

struct Office {
    zoo: Zoo,
    engine: Engine,
}

impl Office {
    fn new(bends: &Value, features: &Value, size: usize) -> Self {
        let clock = VirtualClock::new(Timestamp::parse("2026-01-05T08:00:00Z").unwrap());
        let now = clock.clone();
        let bends: Bends = serde_json::from_value(bends.clone()).unwrap();
        let zoo = Zoo::start(bends, Box::new(move || now.now().as_micros())).unwrap();
        let members = (0..size).map(|number| format!("2819c223-7f76-453a-919d-{number:012}")).collect();
        zoo.put_group(Group { id: "g1".to_owned(), name: "Staff".to_owned(), members });
        let secrets = Arc::new(|_: &str| Some(Secret::new("zoo".to_owned())));
        let engine = Engine::builder().clock(Arc::new(clock)).seed(7).secrets(secrets).open().unwrap();
        let app = json!({"id": "crm", "assigned_to": {"profiles": ["Employees"]}, "create_without_match": true,
            "connector": {"kind": "scim", "base_url": zoo.base_url(), "features": features,
                "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
            "mapping": [{"target": "userName", "source": "username", "required": true}],
            "entitlements": [{"grant": "permission_set", "name": "Staff", "group": {"display_name": "Staff"}}]});
        engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
        Self { zoo, engine }
    }

    /// Stores a user, runs, and gives how many bytes were read for it.
    fn put(&self, user: &Value) -> usize {
        let before = self.zoo.bytes();
        self.engine.put_user(User::from_value(user.clone()).unwrap(), None).unwrap();
        for _ in 0..3 {
            self.engine.run(&RunOptions::default()).unwrap();
        }
        self.zoo.bytes() - before
    }

    fn join(&self, name: &str) -> usize {
        self.put(&json!({"id": name, "username": name, "profile": "Employees", "permission_sets": ["Staff"]}))
    }

    fn learnt(&self, name: &str) -> Value {
        Value::Object(self.engine.explain("crm", name).unwrap().learnt)
    }
}

fn members(office: &Office) -> usize {
    office.zoo.groups()[0].members.len()
}

#[test]
fn a_group_of_100_000_is_found_by_its_name_without_reading_who_is_in_it() {
    let groups = json!({"groups": {"names": ["Staff"]}});
    let asks = Office::new(&groups, &json!({}), 100_000);
    let read = asks.join("ann");
    assert_eq!(members(&asks), 100_001);
    let whole = Office::new(&groups, &json!({"attribute_selection": false}), 100_000);
    let read_whole = whole.join("ann");
    assert_eq!(members(&whole), 100_001, "what is in the group is passed over, and it is found all the same");
    println!("a group of 100,000 found by name: {read} bytes read, {read_whole} where it is asked for in whole");
    assert!(read < 4_000 && read_whole > 4_000_000, "{read} and {read_whole}");
}

#[test]
fn a_target_that_ignores_the_question_or_refuses_it_is_fine_and_refusals_are_learnt() {
    for (parts, learnt) in [("ignored", json!({})), ("refused", json!({"attribute_selection": false}))] {
        let office = Office::new(&json!({"groups": {"names": ["Staff"]}, "parts": parts}), &json!({}), 1_000);
        office.join("ann");
        assert_eq!((members(&office), office.learnt("ann")), (1_001, learnt), "{parts}");
    }
    let own = json!({"attribute_selection": true});
    let office = Office::new(&json!({"groups": {"names": ["Staff"]}, "parts": "refused"}), &own, 1_000);
    office.join("ann");
    assert_eq!((members(&office), office.learnt("ann")), (1_001, json!({})), "the app says that it works");
}

#[test]
fn the_answer_to_an_addition_is_long_once() {
    let groups = |parts: &str| json!({"groups": {"names": ["Staff"], "answers_body": true}, "parts": parts});
    let office = Office::new(&groups("heeded"), &json!({}), 100_000);
    let (first, second) = (office.join("ann"), office.join("bob"));
    println!("one more in a group of 100,000 that is answered with the group: {first} bytes, then {second}");
    assert!(first > 4_000_000 && second < 4_000, "{first} and {second}");
    assert_eq!(members(&office), 100_002);
}

#[test]
fn who_is_disabled_is_read_back_by_name_and_status_alone() {
    let gone = json!({"id": "ann", "username": "ann", "profile": "Employees", "active": false});
    for parts in ["heeded", "ignored", "refused", "missing", "exactly", "lower_case", "without_extensions"] {
        let bends = json!({"parts": parts, "shapes": ["many_groups"], "update": "nothing"});
        let office = Office::new(&bends, &json!({}), 0);
        office.put(&json!({"id": "ann", "username": "ann", "profile": "Employees"}));
        let read = office.put(&gone);
        let explained = office.engine.explain("crm", "ann").unwrap();
        assert!(explained.requests.iter().all(|request| request.state == State::Completed), "{parts}: {explained:?}");
        assert_eq!(office.zoo.accounts()[0]["active"], false, "{parts}");
        let learns = !["heeded", "ignored", "without_extensions"].contains(&parts);
        let learnt = if learns { json!({"attribute_selection": false}) } else { json!({}) };
        assert_eq!(office.learnt("ann"), learnt, "{parts}");
        assert!(parts != "heeded" || read < 300, "{read} bytes");
    }
}
