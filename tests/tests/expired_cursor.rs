//! A target that does not take its own cursor any more in the middle of a listing: the listing begins anew, once.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::model::{App, SnapshotVerdict, State};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Code, Engine, Secret, Timestamp};
use rollkeeper_tests::zoo::{Bends, Zoo};
use serde_json::json;
use std::sync::Arc;

fn world(mode: &str) -> (Zoo, Engine) {
    let clock = VirtualClock::new(Timestamp::from_micros(0));
    let now = clock.clone();
    let bends: Bends = serde_json::from_value(json!({"paging": {"mode": mode}})).unwrap();
    let zoo = Zoo::start(bends, Box::new(move || now.now().as_micros())).unwrap();
    for number in 0..10 {
        let account = json!({"userName": format!("user-{number}@example.com"), "active": true});
        zoo.add(account.as_object().unwrap().clone());
    }
    let secrets = Arc::new(|_: &str| Some(Secret::new("zoo".to_owned())));
    let engine = Engine::builder().clock(Arc::new(clock)).seed(7).secrets(secrets).open().unwrap();
    let app = json!({"id": "crm", "assigned_to": {"profiles": ["Employees"]}, "create_without_match": true,
        "connector": {"kind": "scim", "base_url": zoo.base_url(), "features": {"page_size": 2, "paging": "cursor"},
            "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
        "mapping": [{"target": "userName", "source": "username", "required": true}]});
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    (zoo, engine)
}

#[test]
fn a_listing_whose_cursor_expired_begins_anew_and_keeps_nothing_of_the_other() {
    let (zoo, engine) = world("cursor_expires");
    let found = engine.reconcile("crm", Some("ann")).unwrap();
    assert_eq!((found.state, found.verdict), (State::Analyzed, Some(SnapshotVerdict::Complete)));
    assert_eq!((found.pages, found.collected), (5, 10), "no page of the first listing is left");
    let asked = zoo.requests().iter().filter(|line| line.contains("cursor=")).count();
    assert_eq!(asked, 2 + 5);
}

#[test]
fn a_target_that_never_takes_its_cursors_is_asked_twice_and_told() {
    let (zoo, engine) = world("cursor_never_holds");
    let found = engine.reconcile("crm", Some("ann")).unwrap();
    assert_eq!(found.state, State::Failed);
    assert_eq!(found.faults[0].code, Code::CursorExpired);
    assert_eq!(zoo.requests().iter().filter(|line| line.contains("cursor=")).count(), 4);
}
