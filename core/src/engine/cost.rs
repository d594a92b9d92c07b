//! What daily work costs the store: no statement looks at more rows than it needs, however much lies behind it.

use super::{Engine, RunOptions};
use crate::delivery::lock;
use crate::model::{App, User};
use crate::store::cost;
use crate::testing::VirtualClock;
use crate::time::{Period, Timestamp};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn engine(clock: &VirtualClock) -> Engine {
    let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(1).open().unwrap();
    for id in ["crm", "tickets"] {
        let app = json!({
            "id": id,
            "connector": {"kind": "mock"},
            "assigned_to": {"profiles": ["Employees"]},
            "mapping": [
                {"target": "userName", "expression": "user.username + token", "required": true, "unique": true},
                {"target": "title", "source": "title", "strength": "strong"},
                {"target": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "source": "manager"},
            ],
            "matching": [{"all": [{"user": "username", "account": "userName"}]}],
        });
        engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    }
    engine
}

fn put(engine: &Engine, changes: &serde_json::Value) {
    let mut record = json!({
        "id": "ada", "username": "ada", "title": "Nurse", "profile": "Employees", "active": true, "manager": "ada",
    });
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    engine.put_user(User::from_json(record.to_string().as_bytes()).unwrap(), None).unwrap();
}

/// Somebody joins, changes, is frozen, leaves when the time has come, and is deleted.
fn a_life(engine: &Engine, clock: &VirtualClock) {
    put(engine, &json!({}));
    engine.run(&RunOptions::default()).unwrap();
    put(engine, &json!({"title": "Charge Nurse"}));
    engine.run(&RunOptions::default()).unwrap();
    put(engine, &json!({"frozen": true}));
    engine.run(&RunOptions::default()).unwrap();
    let until = engine.now().plus(Period::from_seconds(60));
    put(engine, &json!({"valid_until": until.to_string()}));
    clock.advance(Period::from_seconds(61));
    engine.run(&RunOptions::default()).unwrap();
    engine.delete_user("ada", None).unwrap();
    engine.run(&RunOptions::default()).unwrap();
}

#[test]
fn every_statement_of_daily_work_finds_its_rows_by_an_index() {
    let clock = VirtualClock::new(Timestamp::default());
    let engine = engine(&clock);
    cost::take();
    a_life(&engine, &clock);
    let cost = cost::take();
    assert!(cost.plans.len() > 20, "only {} statements were seen", cost.plans.len());
    assert_eq!(cost.planned_again, 0, "statements were planned again");
    for (text, plan) in &cost.plans {
        // These two read one row, and the open requests alone.
        if text.contains("FROM log ORDER BY sequence DESC LIMIT 1") || text.contains("count(*) FROM request") {
            continue;
        }
        for line in plan {
            assert!(!line.starts_with("SCAN") && !line.contains("TEMP B-TREE"), "{line}: {text}");
            assert_ne!(line, "OpenEphemeral", "a table is built for every run of: {text}");
        }
        // An index on the app alone leads to all that ever was in it, where there is more than one row of an app.
        let one_row = text.contains("FROM gate WHERE");
        assert!(one_row || !plan.iter().any(|line| line.ends_with("(app_id=?)")), "{plan:?}: {text}");
    }
}

#[test]
fn what_lies_behind_costs_nothing() {
    let steps = |finished| {
        let clock = VirtualClock::new(Timestamp::default());
        let engine = engine(&clock);
        for user in ["ada", "grace"] {
            cost::put_finished(&lock(&engine.shared.store), "crm", user, finished).unwrap();
        }
        cost::take();
        a_life(&engine, &clock);
        cost::take().steps
    };
    let (few, many) = (steps(1), steps(20_000));
    assert!(few > 1000 && many <= few + few / 100, "{few} steps with 2 finished requests, {many} with 40,000");
}

/// What the store's machine does for a user who is put and for the steps that bring their request to its end, with so many
/// requests due behind it in each of so many apps, and how long that takes.
fn a_turn_before(queued: u32, apps: usize) -> (i64, Duration) {
    let clock = VirtualClock::new(Timestamp::default());
    let engine = engine(&clock);
    for number in 2..apps {
        let app = json!({"id": format!("app-{number}"), "connector": {"kind": "mock"}, "mapping": []});
        engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    }
    for id in ["crm", "tickets"] {
        cost::put_queued(&lock(&engine.shared.store), id, 1, queued).unwrap();
    }
    engine.step().unwrap();
    cost::take();
    let begun = Instant::now();
    put(&engine, &json!({}));
    // Those behind are due from now on.
    clock.advance(Period::from_seconds(1));
    for _ in 0..4 {
        assert!(engine.step().unwrap().worked);
    }
    let taken = begun.elapsed();
    let accounts = |id| engine.mock_target(id).unwrap().accounts().len();
    assert_eq!((accounts("crm"), accounts("tickets")), (1, 1));
    (cost::take().steps, taken)
}

#[test]
fn what_is_queued_behind_costs_a_turn_nothing() {
    let queued = std::env::var("ROLLKEEPER_QUEUED").ok().and_then(|queued| queued.parse().ok()).unwrap_or(100_000);
    let ((few, _), (many, taken)) = (a_turn_before(1000, 2), a_turn_before(queued, 2));
    assert!(
        few > 1000 && many <= few + few / 100,
        "{few} steps before 1,000 queued, {many} before {queued}: {taken:?}"
    );
}
