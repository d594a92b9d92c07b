//! What an impact foretells is what happens: the requests that putting the definition then makes are those, for every user.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop at what must not happen")]

use crate::world::World;
use rollkeeper::model::{
    App, ImpactOptions, ImpactSummary, PlanFilter, ReconciliationFilter, RequestFilter, State, User, UserImpact,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Engine, Operation, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// How many worlds are tried; each has its number for a seed.
const WORLDS: u64 = 60;

/// How many users there are in each.
const USERS: usize = 15;

/// A small source of chances (SplitMix64): the same seed gives the same world.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(below).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of(&mut self, values: &[Value]) -> Value {
        values[self.below(values.len())].clone()
    }
}

fn a_user(chance: &mut Chance, number: usize) -> User {
    let mut record = json!({
        "id": format!("u{number:02}"), "username": format!("name{number}"), "active": !chance.one_in(8),
        "frozen": chance.one_in(7),
        "profile": chance.of(&[json!("Employees"), json!("Employees"), json!("Managers"), Value::Null]),
        "permission_sets": chance.of(&[json!([]), json!(["Sales"])]),
        "valid_until": chance.of(&[Value::Null, Value::Null, Value::Null, json!("2020-01-01T00:00:00Z"), json!("2030-01-01T00:00:00Z")]),
    });
    for key in ["country", "title", "nick"] {
        if !chance.one_in(4) {
            record[key] = chance.of(&[json!("DE"), json!("AT"), json!("Nurse")]);
        }
    }
    User::from_json(record.to_string().as_bytes()).unwrap()
}

fn an_app(chance: &mut Chance) -> App {
    let titles = [
        json!({"target": "title", "source": "title"}),
        json!({"target": "title", "source": "title", "on_null": "clear"}),
        json!({"target": "title", "source": "title", "required": true}),
        json!({"target": "title", "expression": "user.title + '!'"}),
        json!({"target": "title", "constant": "Staff"}),
        json!({"target": "title", "source": "nick", "sensitive": true}),
    ];
    let scopes = [
        Value::Null,
        Value::Null,
        Value::Null,
        json!("user.country == 'DE'"),
        json!("has(user.country)"),
        json!("app.id == 'crm'"),
    ];
    let ends = [
        json!({"action": "disable"}),
        json!({"action": "disable"}),
        json!({"action": "disable"}),
        json!({"action": "disable"}),
        json!({"action": "nothing"}),
        json!({"action": "delete"}),
        json!({"action": "disable_then_delete", "after": "P30D"}),
    ];
    let mut app = json!({
        "id": "crm", "connector": {"kind": "mock"}, "create_without_match": true, "enabled": !chance.one_in(8),
        "assigned_to": {
            "profiles": chance.of(&[json!(["Employees"]), json!(["Managers"])]),
            "permission_sets": chance.of(&[json!([]), json!(["Sales"])]),
        },
        "scope": chance.of(&scopes),
        "mapping": [{"target": "userName", "source": "username", "required": true}, chance.of(&titles)],
        "operations": {"update": !chance.one_in(5), "activate": !chance.one_in(8), "delete": chance.one_in(2),
            "freeze": !chance.one_in(3)},
        "deprovision": {"unassigned": chance.of(&ends), "deactivated": chance.of(&ends), "deleted": chance.of(&ends)},
    });
    if chance.one_in(4) {
        app["pilot"] = json!({"percent": 50});
    }
    if chance.one_in(4) {
        app["approval"] = json!({"operations": ["create"]});
    }
    if chance.one_in(3) {
        app["update_on"] = chance.of(&[json!(["title"]), json!(["country"])]);
    }
    App::from_json(app.to_string().as_bytes()).unwrap()
}

/// Another app, or the stored one with the same rules and other settings.
fn a_new_app(chance: &mut Chance, engine: &Engine) -> App {
    let new = an_app(chance);
    match engine.app("crm") {
        Ok(old) if chance.one_in(2) => {
            App { label: new.label, operations: new.operations, pilot: new.pilot, enabled: new.enabled, ..old }
        }
        _ => new,
    }
}

/// Users come, change and go, and not everything is sent.
fn a_world(chance: &mut Chance) -> Engine {
    let clock = VirtualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let engine = Engine::builder().clock(Arc::new(clock)).seed(7).open().unwrap();
    if !chance.one_in(4) {
        // An app that nobody has, which reads what new definitions may read.
        let mapping = ["country", "title", "nick"].map(|key| json!({"target": format!("{key}s.x"), "source": key}));
        let reader = json!({"id": "reader", "connector": {"kind": "custom", "name": "none"}, "enabled": false, "mapping": mapping});
        engine.put_app(App::from_json(reader.to_string().as_bytes()).unwrap(), None).unwrap();
    }
    if !chance.one_in(4) {
        engine.put_app(an_app(chance), None).unwrap();
    }
    for number in 0..USERS {
        engine.put_user(a_user(chance, number), None).unwrap();
    }
    for _ in 0..3 {
        if chance.one_in(2) {
            engine.put_app(an_app(chance), None).unwrap();
        }
        if !chance.one_in(3) {
            engine.run(&RunOptions::default()).unwrap();
        }
        for number in 0..USERS {
            match chance.below(5) {
                0 => drop(engine.put_user(a_user(chance, number), None).unwrap()),
                1 => drop(engine.delete_user(&format!("u{number:02}"), None)),
                _ => {}
            }
        }
    }
    engine
}

fn impact(engine: &Engine, app: App, values: bool) -> (Vec<UserImpact>, ImpactSummary) {
    let mut impact = engine.impact(app, ImpactOptions { values }).unwrap();
    let users = (&mut impact).map(Result::unwrap).collect();
    (users, impact.summary().clone())
}

/// The ids of cancelled requests, each with its user and operation.
fn cancelled(engine: &Engine) -> Vec<(String, String, String)> {
    let filter = RequestFilter { state: Some(State::Cancelled), ..RequestFilter::default() };
    let requests = engine.requests(&filter).unwrap();
    let line = |request: &rollkeeper::model::Request| {
        (request.id.to_string(), request.user.clone().unwrap().to_string(), request.operation.name().to_owned())
    };
    requests.iter().map(line).collect()
}

/// Whose access the brake holds by the newest definition.
fn held(engine: &Engine) -> BTreeSet<String> {
    let filter = ReconciliationFilter { state: Some(State::Committing), ..ReconciliationFilter::default() };
    let plans = engine.reconciliations(&filter).unwrap();
    let items = plans.iter().flat_map(|plan| engine.plan(plan.id.as_str(), &PlanFilter::default()).unwrap());
    items.filter_map(|item| item.finding.user).collect()
}

#[test]
fn the_requests_foretold_are_those_that_are_made_for_every_user() {
    let (mut foretold_in_all, mut held_in_all) = (BTreeMap::<String, u64>::new(), 0);
    for seed in 0..WORLDS {
        let chance = &mut Chance(seed);
        let engine = a_world(chance);
        let new = a_new_app(chance, &engine);
        let (touched, summary) = impact(&engine, new.clone(), true);
        let before = cancelled(&engine);
        let made = engine.put_app(new, None).unwrap();

        // What the brake holds is foretold as well, and is an item of a plan.
        let held = held(&engine);
        assert_eq!((summary.held.accounts, summary.held.brake.is_empty()), (held.len() as u64, held.is_empty()));
        held_in_all += held.len();
        let takes = |operation| matches!(operation, Operation::Deactivate | Operation::Delete);
        let mut foretold: Vec<_> = touched
            .iter()
            .flat_map(|user| user.operations.iter().map(|one| (&user.user, one.operation, &one.why, one.not_before)))
            .collect();
        for (name, count) in &summary.operations {
            assert_eq!(*count, foretold.iter().filter(|one| one.1.name() == name).count() as u64, "seed {seed}");
            *foretold_in_all.entry(name.clone()).or_default() += count;
        }
        for user in &held {
            assert!(foretold.iter().any(|one| one.0.as_str() == user && takes(one.1)), "seed {seed}: {user}");
        }
        foretold.retain(|one| !(takes(one.1) && held.contains(one.0.as_str())));
        let made: Vec<_> = made
            .iter()
            .map(|request| (request.user.as_ref().unwrap(), request.operation, &request.why, request.not_before))
            .collect();
        assert_eq!(foretold, made, "seed {seed}");
        let gone: Vec<_> = touched
            .iter()
            .flat_map(|user| user.cancelled.iter().map(|one| (user.user.to_string(), one.name().to_owned())))
            .collect();
        let mut after = cancelled(&engine);
        after.retain(|one| !before.contains(one));
        after.sort_by(|one, other| (&one.1, &one.0).cmp(&(&other.1, &other.0)));
        assert_eq!(gone, after.into_iter().map(|(_, user, what)| (user, what)).collect::<Vec<_>>(), "seed {seed}");

        assert_eq!(summary.users, summary.total * u64::from(summary.changed), "seed {seed}");
        assert_eq!(summary.affected, touched.len() as u64, "seed {seed}");
    }
    // The chances are such that everything happens.
    for name in ["Create", "Update", "Deactivate", "Activate", "Delete"] {
        assert!(foretold_in_all.get(name).is_some_and(|count| *count > 0), "{name}: {foretold_in_all:?}");
    }
    assert!(held_in_all > 10, "only {held_in_all} were held");
}

#[test]
fn the_values_foretold_are_those_that_the_target_then_has() {
    let mut compared = 0;
    for seed in WORLDS..WORLDS + WORLDS / 2 {
        let chance = &mut Chance(seed);
        let engine = a_world(chance);
        engine.run(&RunOptions::default()).unwrap();
        let new = an_app(chance);
        let (touched, _) = impact(&engine, new.clone(), true);
        engine.put_app(new, None).unwrap();
        engine.run(&RunOptions::default()).unwrap();
        let accounts = engine.mock_target("crm").unwrap().accounts();
        for user in touched.iter().filter(|user| user.faults.is_empty()) {
            let requests = engine.requests(&RequestFilter { user: Some(user.user.to_string()), ..Default::default() });
            let sent = |request: &rollkeeper::model::Request| {
                matches!(request.operation.name(), "Create" | "Update") && request.state == State::Completed
            };
            let last = requests.unwrap();
            let foretold = user.operations.iter().any(|one| matches!(one.operation.name(), "Create" | "Update"));
            if !foretold || !last.last().is_some_and(sent) {
                continue;
            }
            let account = accounts.iter().find(|one| one.attributes.get("externalId") == Some(&json!(user.user)));
            for attribute in user.attributes.iter().filter(|attribute| !attribute.sensitive) {
                let wanted = attribute.after.clone().filter(|value| !value.is_null());
                // A rule that only no longer gives a value leaves what is there.
                if attribute.after.is_some() {
                    assert_eq!(account.unwrap().attributes.get(&attribute.path).cloned(), wanted, "seed {seed}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 10, "only {compared} values were compared");
}

#[test]
fn attributes_are_those_that_differ_and_values_are_told_only_where_asked_for() {
    let world = World::with_account(&json!({}));
    world.put(&json!({"title": "Nurse", "nick": "secret"}));
    world.run();
    let new = |mapping: Value| {
        let app = json!({
            "id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
            "create_without_match": true, "mapping": mapping,
        });
        App::from_json(app.to_string().as_bytes()).unwrap()
    };
    let name = json!({"target": "userName", "source": "username", "required": true});
    let louder = || new(json!([name, {"target": "title", "expression": "user.title.upper()"}]));
    let (touched, _) = impact(&world.engine, louder(), false);
    assert_eq!(json!(touched[0].attributes), json!([{"path": "title"}]));
    let (touched, _) = impact(&world.engine, louder(), true);
    assert_eq!(json!(touched[0].attributes), json!([{"path": "title", "before": "Nurse", "after": "NURSE"}]));
    let hidden = new(json!([name, {"target": "title", "constant": "x", "sensitive": true}]));
    let (touched, _) = impact(&world.engine, hidden, true);
    assert_eq!(json!(touched[0].attributes), json!([{"path": "title", "sensitive": true}]));
    let less = new(json!([name]));
    let (touched, summary) = impact(&world.engine, less, true);
    assert_eq!(json!(touched[0].attributes), json!([{"path": "title", "before": "Nurse"}]));
    assert_eq!((summary.accounts, summary.destructive, summary.share), (1, 0, 0.0));
}

#[test]
fn a_fault_that_the_stored_definition_has_as_well_touches_nobody() {
    let world = World::with_account(&json!({}));
    let keys = json!({
        "mapping": [{"target": "userName", "source": "username"}, {"target": "title", "source": "title", "required": true}]
    });
    world.put_app(&keys);
    let app = world.engine.app("crm").unwrap();
    let relabelled = App { label: Some("Customers".to_owned()), ..app };
    assert_eq!(impact(&world.engine, relabelled, false).1.affected, 0);
}

#[test]
fn progress_is_told_after_every_page_and_may_end_it() {
    let world = World::new(&json!({}));
    let lines: Vec<String> =
        (0..250).map(|n| json!({"id": format!("u{n:03}"), "profile": "Guests"}).to_string()).collect();
    world.engine.put_users(lines.join("\n").as_bytes(), None).unwrap();
    let new = || App { label: Some("Customers".to_owned()), ..world.engine.app("crm").unwrap() };
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let tell = Arc::new(move |done, total| {
        heard.lock().unwrap().push((done, total));
        true
    });
    let mut whole = world.engine.impact(new(), ImpactOptions::default()).unwrap().on_progress(tell);
    assert!(whole.next().is_none() && whole.summary().finished);
    assert_eq!(*told.lock().unwrap(), [(100, 250), (200, 250), (250, 250)]);
    let ended = world.engine.impact(new(), ImpactOptions::default()).unwrap().on_progress(Arc::new(|_, _| false));
    let mut ended = ended;
    assert!(ended.next().is_none() && !ended.summary().finished);
    assert_eq!(ended.summary().users, 100);
    let calls = AtomicU64::new(0);
    while ended.next_page().unwrap().is_some() {
        calls.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(calls.into_inner(), 0, "it went on after its end");
}

#[test]
fn what_others_store_meanwhile_is_seen_where_it_is_still_to_come() {
    let world = World::new(&json!({"assigned_to": {"profiles": []}}));
    let lines: Vec<String> = (0..150)
        .map(|n| json!({"id": format!("u{n:03}"), "username": "n", "profile": "Employees"}).to_string())
        .collect();
    world.engine.put_users(lines.join("\n").as_bytes(), None).unwrap();
    let stored = world.engine.app("crm").unwrap();
    let mut new = serde_json::to_value(stored).unwrap();
    new["assigned_to"] = json!({"profiles": ["Employees"]});
    let mut impact =
        world.engine.impact(App::from_json(new.to_string().as_bytes()).unwrap(), Default::default()).unwrap();
    assert_eq!(impact.next().unwrap().unwrap().user.as_str(), "u000");
    world.engine.delete_user("u001", None).unwrap();
    world.engine.delete_user("u149", None).unwrap();
    assert_eq!(impact.by_ref().count(), 148);
    assert_eq!((impact.summary().users, impact.summary().affected), (150, 149));
}

#[test]
fn an_engine_that_is_gone_says_so_once() {
    let world = World::new(&json!({}));
    let new = App { label: Some("Customers".to_owned()), ..world.engine.app("crm").unwrap() };
    let mut impact = world.engine.impact(new, ImpactOptions::default()).unwrap();
    drop(world);
    assert_eq!(impact.next().unwrap().unwrap_err().code().name(), "closed");
    assert!(impact.next().is_none());
}
