//! The delivery protocol at work: removals beside a call on its way, answers that come too late, clocks that are set, access
//! that is given back, and what people are told.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, Page, TargetAccount, mock::MockTarget};
use rollkeeper::model::{Alert, AlertKind, LogFilter, Request, State};
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Code, Operation, Period, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A mock target to which something happens while it is called.
struct Slow {
    target: MockTarget,
    meanwhile: Mutex<Vec<(&'static str, Meanwhile)>>,
}

impl Slow {
    fn happen(&self, method: &str) {
        let next = {
            let mut meanwhile = self.meanwhile.lock().unwrap();
            let at = meanwhile.iter().position(|(on, _)| *on == method);
            at.map(|at| meanwhile.remove(at).1)
        };
        if let Some(next) = next {
            next();
        }
    }
}

impl Connector for Slow {
    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.happen("create");
        self.target.create(attributes, key)
    }

    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        self.happen("update");
        self.target.update(external_id, changes, version)
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.target.deactivate(external_id)
    }

    fn activate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.happen("activate");
        self.target.activate(external_id)
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.happen("read");
        self.target.read(external_id)
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.target.find(attribute, value)
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        self.target.list(cursor, filter)
    }
}

/// A world whose target is slow, with what is to happen while a method is called.
struct Scene {
    world: Arc<World>,
    slow: Arc<Slow>,
}

impl Scene {
    fn new() -> Self {
        let world = Arc::new(World::new(&json!({"enabled": false})));
        let slow = Arc::new(Slow { target: MockTarget::new(), meanwhile: Mutex::default() });
        world.engine.register_connector("slow", Arc::clone(&slow) as Arc<dyn Connector>).unwrap();
        world.put_app(&json!({"connector": {"kind": "custom", "name": "slow"}}));
        world.put(&json!({}));
        world.run();
        Self { world, slow }
    }

    fn during(&self, method: &'static str, what: impl FnOnce(&World) + Send + 'static) {
        let world = Arc::clone(&self.world);
        self.slow.meanwhile.lock().unwrap().push((method, Box::new(move || what(&world))));
    }

    fn active(&self) -> bool {
        self.slow.target.accounts()[0].active
    }

    fn calls(&self) -> Vec<String> {
        self.slow.target.calls().into_iter().map(|call| call.method).collect()
    }
}

fn newest(world: &World, operation: Operation) -> Request {
    world.all().into_iter().rfind(|request| request.operation == operation).unwrap()
}

const MINUTE: Period = Period::from_seconds(60);
const YEAR: Period = Period::from_seconds(365 * 86_400);

// Beside a call on its way.

#[test]
fn a_removal_goes_out_beside_an_update_that_is_on_its_way_and_is_looked_at_again() {
    let scene = Scene::new();
    let slow = Arc::clone(&scene.slow);
    scene.during("update", move |world| {
        world.put(&json!({"title": "nurse", "active": false}));
        world.engine.step().unwrap();
        assert!(!slow.target.accounts()[0].active, "it does not wait for the update");
        let request = newest(world, Operation::Deactivate);
        assert_eq!((request.state, request.waiting_for.unwrap().name()), (State::Requested, "settle"));
        // The update takes the whole record, and gives the access back.
        let mut account = slow.target.accounts().pop().unwrap();
        account.active = true;
        slow.target.put_account(account);
    });
    scene.world.put(&json!({"title": "nurse"}));
    scene.world.run();
    assert!(scene.active());
    scene.world.run_days(1);
    assert!(!scene.active());
    assert_eq!(newest(&scene.world, Operation::Deactivate).state, State::Completed);
    assert_eq!(newest(&scene.world, Operation::Update).state, State::Completed);
    assert_eq!(scene.world.records(), ["1 Deactivated"]);
}

#[test]
fn a_suspension_goes_out_beside_an_activate_and_a_removal_waits_for_the_suspension() {
    let scene = Scene::new();
    scene.world.put(&json!({"active": false}));
    scene.world.run();
    scene.during("activate", |world| {
        world.engine.submit("crm", "u1", Operation::Deactivate, Some("op"), None).unwrap();
        world.engine.step().unwrap();
        assert_eq!(newest(world, Operation::Deactivate).attempts, 1);
        let freeze = world.engine.submit("crm", "u1", Operation::Freeze, Some("op"), None).unwrap();
        assert_eq!(freeze.waiting_for.unwrap().name(), "lane");
    });
    scene.world.put(&json!({}));
    scene.world.run_days(1);
    assert_eq!(newest(&scene.world, Operation::Deactivate).state, State::Completed);
    assert!(!scene.active());
}

#[test]
fn what_gives_access_waits_for_a_removal_on_its_way() {
    let scene = Scene::new();
    scene.during("read", |world| {
        world.put(&json!({}));
        let activate = newest(world, Operation::Activate);
        assert_eq!(activate.waiting_for.unwrap().name(), "lane");
        assert!(!world.engine.step().unwrap().worked);
    });
    scene.world.put(&json!({"active": false}));
    scene.world.run();
    assert!(scene.active());
    assert_eq!(newest(&scene.world, Operation::Deactivate).state, State::Completed);
}

#[test]
fn there_is_nothing_to_take_away_before_an_account_is_made() {
    let scene = Scene::new();
    scene.world.engine.delete_user("u1", None).unwrap();
    scene.world.run();
    scene.slow.target.remove_account("1");
    scene.slow.target.clear_calls();
    scene.during("create", |world| {
        let user = json!({"id": "u2", "username": "bob", "profile": "Employees", "active": false});
        let user = rollkeeper::model::User::from_json(user.to_string().as_bytes()).unwrap();
        world.engine.put_user(user, None).unwrap();
        assert!(!world.engine.step().unwrap().worked);
    });
    let user = json!({"id": "u2", "username": "bob", "profile": "Employees"});
    let user = rollkeeper::model::User::from_json(user.to_string().as_bytes()).unwrap();
    scene.world.engine.put_user(user, None).unwrap();
    scene.world.run();
    assert_eq!(scene.calls(), ["create", "deactivate", "read"]);
}

// Order of what gives access.

#[test]
fn an_update_waits_until_nothing_of_an_earlier_one_can_come_after_it() {
    let world = World::with_account(&json!({}));
    world.script(&json!([{"on": "update", "fault": "target_failed"}]));
    world.put(&json!({"title": "nurse"}));
    world.run();
    world.clock.advance(Period::from_seconds(2));
    world.run();
    assert_eq!(newest(&world, Operation::Update).state, State::Completed);
    world.put(&json!({"title": "doctor"}));
    world.run();
    let request = newest(&world, Operation::Update);
    assert_eq!((request.state, request.waiting_for.unwrap().name()), (State::New, "settle"));
    world.clock.advance(Period::from_seconds(180));
    world.run();
    assert_eq!(newest(&world, Operation::Update).state, State::Completed);
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("doctor"));
}

#[test]
fn a_removal_after_an_update_that_was_in_doubt_and_is_done_is_looked_at_again() {
    let world = World::with_account(&json!({}));
    world.script(&json!([{"on": "update", "fault": "target_failed"}]));
    world.put(&json!({"title": "nurse"}));
    world.run();
    world.clock.advance(Period::from_seconds(2));
    world.run();
    world.put(&json!({"title": "nurse", "active": false}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"], "it does not wait");
    let mut undone = world.mock().accounts()[0].clone();
    undone.active = true;
    world.mock().put_account(undone);
    world.run_days(1);
    assert_eq!(world.accounts(), ["ann disabled"]);
}

// Fences.

#[test]
fn an_answer_after_the_lease_changes_nothing_and_is_kept_as_evidence() {
    let scene = Scene::new();
    scene.during("update", |world| {
        world.clock.advance(MINUTE);
        world.clock.advance(MINUTE);
        // Another run holds the call for lost, and sends again.
        world.run();
        assert_eq!(newest(world, Operation::Update).state, State::Completed);
    });
    scene.world.put(&json!({"title": "nurse"}));
    scene.world.run();
    let log = scene.world.engine.log(&LogFilter::default()).unwrap();
    assert_eq!(log.iter().filter(|entry| entry.kind == "late_answer").count(), 1);
    let update = newest(&scene.world, Operation::Update);
    assert_eq!((update.state, update.attempts), (State::Completed, 2));
}

#[test]
fn an_answer_between_the_end_of_its_lease_and_the_next_attempt_is_not_believed_either() {
    let scene = Scene::new();
    scene.world.engine.delete_user("u1", None).unwrap();
    scene.world.run();
    scene.slow.target.remove_account("1");
    scene.world.put(&json!({}));
    // The activate finds no account; a Create follows.
    scene.during("create", |world| {
        world.clock.advance(Period::from_seconds(100));
        world.run();
        assert!(world.logged("interrupted", "Create"));
    });
    scene.world.run();
    assert!(scene.world.logged("late_answer", "applied"));
    assert_eq!(newest(&scene.world, Operation::Create).waiting_for.unwrap().name(), "settle");
    scene.world.run_days(1);
    assert_eq!(scene.slow.target.accounts().len(), 1);
    assert_eq!(newest(&scene.world, Operation::Create).state, State::Completed);
}

// Clocks.

/// A Create of which nobody knows whether it came through: the target does it three minutes later at the latest.
fn in_doubt() -> World {
    let world = World::new(&json!({"connector": {"kind": "mock", "settings": {"unique": false}}}));
    world.script(&json!([{"on": "create", "fault": "target_failed"}]));
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Requested settle target_failed"]);
    world.mock().clear_calls();
    world
}

fn turn(world: &World, by: Period, forwards: bool) {
    let now = world.clock.now().as_micros();
    let by = if forwards { by.as_micros() } else { -by.as_micros() };
    world.clock.turn(Timestamp::from_micros(now + by));
}

#[test]
fn a_clock_that_is_set_forwards_shortens_no_settle_time() {
    let world = in_doubt();
    turn(&world, YEAR, true);
    world.run();
    assert_eq!(world.calls(), Vec::<String>::new());
    world.clock.advance(Period::from_seconds(170));
    world.run();
    assert_eq!(world.calls(), Vec::<String>::new());
    world.clock.advance(Period::from_seconds(10));
    world.run();
    assert_eq!(world.calls(), ["find", "create"]);
    assert!(world.logged("clock_set", "31536000"));
}

#[test]
fn a_clock_that_creeps_forwards_shortens_no_settle_time() {
    let world = in_doubt();
    for _ in 0..180 {
        turn(&world, Period::from_seconds(1), true);
        world.run();
    }
    assert_eq!(world.calls(), Vec::<String>::new());
}

#[test]
fn a_clock_that_is_set_forwards_ends_no_lease() {
    let scene = Scene::new();
    scene.during("update", |world| {
        turn(world, YEAR, true);
        assert!(!world.engine.step().unwrap().worked || !world.logged("interrupted", ""));
        assert!(!world.logged("interrupted", ""));
    });
    scene.world.put(&json!({"title": "nurse"}));
    scene.world.run();
    assert!(!scene.world.logged("late_answer", ""));
    assert_eq!(newest(&scene.world, Operation::Update).attempts, 1);
}

#[test]
fn a_clock_that_is_set_backwards_keeps_no_removal_waiting() {
    let world = World::with_account(&json!({}));
    world.script(&json!([{"on": "deactivate", "fault": "unreachable"}]));
    world.put(&json!({"active": false}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
    turn(&world, YEAR, false);
    world.run();
    world.clock.advance(Period::from_seconds(2));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert!(world.logged("clock_set", "-31536000"));
}

#[test]
fn a_removal_that_was_asked_for_just_before_the_clock_is_set_backwards_goes_out() {
    let world = World::with_account(&json!({}));
    world.put(&json!({"active": false}));
    turn(&world, YEAR, false);
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
}

#[test]
fn a_create_in_doubt_is_looked_for_in_its_time_when_the_clock_is_set_backwards() {
    let world = in_doubt();
    turn(&world, YEAR, false);
    world.run();
    world.clock.advance(Period::from_seconds(179));
    world.run();
    assert_eq!(world.calls(), Vec::<String>::new());
    world.clock.advance(Period::from_seconds(1));
    world.run();
    assert_eq!(world.calls(), ["find", "create"]);
}

#[test]
fn after_another_start_of_the_machine_the_whole_settle_time_begins_anew() {
    for forwards in [true, false] {
        let world = in_doubt();
        world.clock.advance(Period::from_seconds(100));
        world.clock.reboot();
        turn(&world, YEAR, forwards);
        world.run();
        world.clock.advance(Period::from_seconds(179));
        world.run();
        assert_eq!(world.calls(), Vec::<String>::new(), "forwards {forwards}");
        world.clock.advance(Period::from_seconds(1));
        world.run();
        assert_eq!(world.calls(), ["find", "create"], "forwards {forwards}");
    }
}

#[test]
fn what_is_for_a_day_on_the_calendar_stays_there_when_the_clock_is_set() {
    let world = World::with_account(&json!({}));
    let tomorrow = world.clock.now().plus(Period::from_seconds(86_400));
    world.engine.submit("crm", "u1", Operation::Deactivate, Some("op"), Some(tomorrow)).unwrap();
    turn(&world, Period::from_seconds(3600), false);
    world.run();
    assert_eq!(world.all().pop().unwrap().due_at, Some(tomorrow));
}

// Access that is given back.

fn approved() -> Value {
    json!({"approval": {"reactivation": true, "approvers": ["boss"]}})
}

#[test]
fn who_was_disabled_by_the_source_is_let_in_again_by_a_person() {
    let world = World::with_account(&approved());
    world.put(&json!({"active": false}));
    world.run();
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests().last().unwrap(), "Activate New approval");
    assert_eq!(world.accounts(), ["ann disabled"]);
    world.engine.approve(world.all().last().unwrap().id.as_str(), "boss", None).unwrap();
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
    // What was given back by a person is not asked about again: losing a grant is no leaving.
    world.put(&json!({"profile": "Retired"}));
    world.run();
    world.put(&json!({}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
    assert_eq!(world.requests().last().unwrap(), "Activate Completed");
}

#[test]
fn who_is_hired_again_and_has_no_account_any_more_gets_one_by_a_person() {
    let mut keys = approved();
    keys["operations"] = json!({"delete": true});
    keys["deprovision"] = json!({"deleted": {"action": "delete"}});
    let world = World::with_account(&keys);
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    assert_eq!(world.accounts(), Vec::<String>::new());
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests().last().unwrap(), "Create New approval");
    world.engine.approve(world.all().last().unwrap().id.as_str(), "boss", None).unwrap();
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
    world.mock().remove_account("2");
    world.put(&json!({"title": "nurse"}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"], "what vanishes later is made again by itself");
}

#[test]
fn an_activate_that_a_person_asks_for_needs_another_person() {
    let world = World::with_account(&approved());
    world.put(&json!({"active": false}));
    world.run();
    world.put_app(&json!({"enabled": false}));
    world.put(&json!({}));
    world.put_app(&approved());
    let request = world.engine.submit("crm", "u1", Operation::Activate, Some("boss"), None).unwrap();
    assert_eq!(request.waiting_for.unwrap().name(), "lane");
    let error = world.engine.approve(request.id.as_str(), "boss", None).unwrap_err();
    assert_eq!(error.faults()[0].code, Code::FourEyes);
}

// What people are told.

#[test]
fn a_create_that_ends_unclear_tells_what_a_person_can_do() {
    let message = |world: &World| world.all().last().unwrap().faults[0].message.clone();
    let world = World::new(&json!({"connector": {"kind": "mock", "settings": {"unique": false, "search": false}}}));
    world.script(&json!([{"on": "create", "fault": "lost_reply"}]));
    world.put(&json!({}));
    world.run();
    assert_eq!(world.requests(), ["Create Failed uncertain"]);
    assert!(
        message(&world).contains("`complete_manually`") && message(&world).contains("`retry`"),
        "{}",
        message(&world)
    );
    let world = World::new(&json!({}));
    let account = json!({"external_id": "9", "username": "ann", "active": true, "frozen": false,
        "attributes": {"userName": "ann", "externalId": "somebody"}});
    world.mock().put_account_json(&account.to_string()).unwrap();
    world.put(&json!({}));
    world.run_days(1);
    assert!(world.requests()[0].starts_with("Create Failed conflict_"), "{:?}", world.requests());
    assert!(message(&world).contains("`complete_manually`"), "{}", message(&world));
}

#[test]
fn a_target_that_refuses_a_second_account_is_sent_a_create_again_though_it_cannot_be_searched() {
    let connector = json!({"kind": "mock", "settings": {"search": false}});
    let world = World::new(&json!({"connector": connector}));
    world.script(&json!([{"on": "create", "fault": "target_failed"}]));
    world.put(&json!({}));
    world.run();
    world.clock.advance(Period::from_seconds(2));
    world.run();
    assert_eq!(world.calls(), ["create", "create"]);
    assert_eq!(world.requests(), ["Create Completed"]);
}

#[test]
fn accounts_are_counted_after_a_create_that_was_sent_twice() {
    let world = in_doubt();
    world.clock.advance(Period::from_seconds(180));
    world.run();
    assert_eq!(world.requests(), ["Create Completed", "Read New schedule"]);
    // What was sent first arrives after all.
    let late = json!({"external_id": "2", "username": "ann", "active": true, "frozen": false,
        "attributes": {"userName": "ann", "externalId": "u1"}});
    world.mock().put_account_json(&late.to_string()).unwrap();
    world.put(&json!({"title": "nurse"}));
    world.run_days(1);
    assert_eq!(
        world.requests(),
        ["Create Completed", "Read Failed conflict_duplicate", "Update Completed"],
        "the look goes on whatever else is decided"
    );
    let entries = world.engine.log(&LogFilter::default()).unwrap();
    let alerts: Vec<_> = entries.iter().filter_map(Alert::of).map(|alert| alert.kind).collect();
    assert_eq!(alerts, [AlertKind::Duplicate]);
    assert_eq!(world.accounts(), ["ann active", "ann active"], "nothing is taken away by itself");
    assert_eq!(world.records(), ["1 Active"]);
    assert!(world.all()[1].faults[0].message.contains("the linked one stays"));
}

#[test]
fn one_account_after_a_create_that_was_sent_twice_is_all_there_is_to_say() {
    let world = in_doubt();
    world.run_days(1);
    assert_eq!(world.requests(), ["Create Completed", "Read Completed"]);
}
