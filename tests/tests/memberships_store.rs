//! The store fails while memberships are written down: that is no fault of the request, which goes on where it was once the
//! store is mended.

use rollkeeper::connector::mock::MockOptions;
use rollkeeper::model::{App, RequestFilter, State, User};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::{Code, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn user(sets: &Value, title: &str) -> User {
    User::from_value(json!({"id": "u1", "profile": "P", "permission_sets": sets, "title": title})).unwrap()
}

#[test]
fn a_store_that_fails_while_memberships_are_written_down_fails_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("state.db"), VirtualClock::new(Timestamp::from_micros(0)));
    let groups = BTreeMap::from([("staff".to_owned(), "Staff".to_owned())]);
    let target = MockTarget::with_options(MockOptions { groups, ..MockOptions::default() });
    let engine = Engine::builder().path(&file).clock(Arc::new(clock.clone())).seed(7).open().unwrap();
    engine.register_connector("shared", Arc::new(target.clone())).unwrap();
    let app = json!({"id": "crm", "connector": {"kind": "custom", "name": "shared"}, "create_without_match": true,
        "assigned_to": {"profiles": ["P"]},
        "mapping": [{"target": "userName", "source": "id"}, {"target": "title", "source": "title"}],
        "entitlements": [{"grant": "permission_set", "name": "Staff", "group": {"id": "staff"}}]});
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    engine.put_user(user(&json!([]), "nurse"), None).unwrap();
    engine.run(&RunOptions::default()).unwrap();
    // The attributes are sent, and then there is no room for the ledger.
    let raw = rusqlite::Connection::open(&file).unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON membership BEGIN SELECT RAISE(ABORT, 'full'); END";
    raw.execute_batch(full).unwrap();
    engine.put_user(user(&json!(["Staff"]), "physician"), None).unwrap();
    assert_eq!(engine.run(&RunOptions::default()).unwrap_err().code(), Code::StoreFailed);
    assert_eq!(target.accounts()[0].attributes["title"], "physician");
    raw.execute_batch("DROP TRIGGER full").unwrap();
    // What was sent and not stored is given up with its lease, and sent again.
    for _ in 0..12 {
        engine.run(&RunOptions::default()).unwrap();
        clock.advance(Period::from_seconds(200));
    }
    let all = engine.requests(&RequestFilter::default()).unwrap();
    let unwell: Vec<_> = all.iter().filter(|request| request.state != State::Completed).collect();
    assert!(unwell.is_empty(), "{unwell:?}");
    assert_eq!(target.members("staff").len(), 1);
}
