//! Requests that send what they were given, and requests for accounts that nobody owns.

use super::{Engine, RunOptions};
use crate::intake::{NewRequest, elect, insert, insert_for_account, watched_print};
use crate::model::{AccountFilter, App, LogFilter, Request, RequestFilter, State, TargetAccount, User};
use crate::operation::Operation;
use crate::store::{Given, fingerprint};
use crate::testing::VirtualClock;
use crate::time::{Period, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

struct World {
    engine: Engine,
    clock: VirtualClock,
}

impl World {
    fn new(keys: &Value) -> Self {
        let clock = VirtualClock::new(Timestamp::default());
        let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(1).open().unwrap();
        let world = Self { engine, clock };
        let mut app = json!({
            "id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
            "mapping": [{"target": "userName", "source": "username"}, {"target": "title", "source": "title"}],
            "create_without_match": true, "protected": {"external_ids": ["root"]}, "operations": {"delete": true},
        });
        app.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        world.engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
        world.put("Nurse");
        world.run();
        world
    }

    fn put(&self, title: &str) {
        let user = json!({"id": "ada", "username": "ada", "profile": "Employees", "title": title});
        self.engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
    }

    fn run(&self) {
        self.engine.run(&RunOptions::default()).unwrap();
    }

    /// A given Update of the title; in step with the mapping where `applied` says so.
    fn give(&self, title: &str, in_step: bool) -> Request {
        let given = Given {
            changes: serde_json::from_value(json!([{"op": "replace", "path": "title", "value": title}])).unwrap(),
            applied: in_step.then(|| json!({"userName": "ada", "title": title}).as_object().unwrap().clone()),
            restores: !in_step,
            ..Given::default()
        };
        self.engine
            .transact(|tx, apps| {
                let definition = &apps.values().next().unwrap().definition;
                let stored = tx.user("ada")?.unwrap();
                let print = in_step.then(|| watched_print(tx, definition, &stored)).transpose()?;
                let asked = in_step.then(|| fingerprint(&stored.key, &definition.asked_bytes(&stored.user)));
                let new = NewRequest {
                    operation: Operation::Update,
                    why: "planned".to_owned(),
                    given: Some(given),
                    fingerprint: print,
                    asked,
                    ..NewRequest::default()
                };
                let row = insert(tx, &definition.app, &stored, new)?;
                elect(tx, definition, &stored.user.id)?;
                Ok(tx.request(row.request.id.as_str())?.unwrap().request)
            })
            .unwrap()
    }

    fn for_account(&self, external_id: &str, operation: Operation) -> crate::engine::Result<Request> {
        let seen: TargetAccount =
            serde_json::from_value(json!({"external_id": external_id, "attributes": {"title": "Ghost"}})).unwrap();
        self.engine
            .transact(|tx, apps| {
                let definition = &apps.values().next().unwrap().definition;
                let new = NewRequest { operation, why: "nobody owns it".to_owned(), ..NewRequest::default() };
                insert_for_account(tx, definition, external_id, Some(&seen), new)
            })
            .map_err(|fault| crate::engine::Error::new("test", fault))
    }

    fn orphan(&self, external_id: &str) {
        let account = json!({"external_id": external_id, "username": external_id, "attributes": {"title": "Ghost"}});
        self.engine.mock_target("crm").unwrap().put_account(serde_json::from_value(account).unwrap());
    }

    fn at_target(&self, external_id: &str) -> Option<TargetAccount> {
        let accounts = self.engine.mock_target("crm").unwrap().accounts();
        accounts.into_iter().find(|account| account.external_id == external_id)
    }

    fn title(&self) -> Value {
        self.at_target("1").unwrap().attributes["title"].clone()
    }

    /// Operation and state of every request but the Create.
    fn requests(&self) -> Vec<String> {
        let all = self.engine.requests(&RequestFilter::default()).unwrap();
        let line = |request: &Request| format!("{} {}", request.operation, request.state.name());
        all.iter().filter(|request| request.operation != Operation::Create).map(line).collect()
    }

    fn updates_sent(&self) -> usize {
        self.engine.mock_target("crm").unwrap().calls().iter().filter(|call| call.method == "update").count()
    }
}

#[test]
fn exactly_what_was_given_is_sent_and_an_update_in_step_leaves_nothing_to_do() {
    let world = World::new(&json!({}));
    world.give("Nurse, as planned", true);
    world.put("Nurse");
    assert_eq!(world.requests(), ["Update New"], "it stands for what is wanted");
    world.run();
    assert_eq!((world.title(), world.requests()), (json!("Nurse, as planned"), vec!["Update Completed".to_owned()]));
    // What it had applied counts as applied: the mapping's own value is news again.
    world.put("Nurse II");
    world.run();
    assert_eq!((world.title(), world.updates_sent()), (json!("Nurse II"), 2));
}

#[test]
fn a_planned_update_gives_way_to_a_newer_record_and_is_not_sent_after_it() {
    let world = World::new(&json!({"approval": {"operations": ["Update"]}}));
    let planned = world.give("as planned", true);
    world.put("Head Nurse");
    assert_eq!(world.requests(), ["Update Cancelled", "Update New"]);
    let error = world.engine.approve(planned.id.as_str(), "grace", None).unwrap_err();
    assert_eq!(error.code().name(), "invalid_transition");
}

#[test]
fn an_update_that_puts_back_stands_for_nothing_and_is_not_swallowed() {
    let world = World::new(&json!({}));
    world.give("as it was", false);
    world.put("Head Nurse");
    assert_eq!(world.requests(), ["Update New", "Update New"], "both are sent, in their order");
    world.run();
    assert_eq!((world.title(), world.updates_sent()), (json!("Head Nurse"), 2));
}

#[test]
fn an_update_that_puts_back_leaves_what_was_applied_and_asks_for_no_other() {
    let world = World::new(&json!({}));
    world.give("as it was", false);
    world.run();
    world.put("Nurse");
    world.run();
    assert_eq!((world.title(), world.requests()), (json!("as it was"), vec!["Update Completed".to_owned()]));
}

#[test]
fn what_was_given_survives_a_lost_answer_and_another_try() {
    let world = World::new(&json!({}));
    let mock = world.engine.mock_target("crm").unwrap();
    mock.script_json(r#"[{"on": "update", "fault": "lost_reply"}, {"on": "update", "fault": "rejected"}]"#).unwrap();
    let planned = world.give("as it was", false);
    world.run();
    world.clock.advance(Period::from_seconds(3600));
    world.run();
    assert_eq!(world.requests(), ["Update Failed"]);
    world.engine.retry(planned.id.as_str(), "grace").unwrap();
    world.run();
    assert_eq!((world.title(), world.requests().len()), (json!("as it was"), 2));
}

#[test]
fn accounts_that_nobody_owns_are_disabled_enabled_and_deleted_each_in_its_own_lane() {
    let world = World::new(&json!({}));
    for id in ["x", "y"] {
        world.orphan(id);
        world.for_account(id, Operation::Deactivate).unwrap();
    }
    world.for_account("x", Operation::Activate).unwrap();
    assert_eq!(world.engine.requests(&RequestFilter::default()).unwrap().len(), 4);
    world.run();
    assert!(world.at_target("x").unwrap().active && !world.at_target("y").unwrap().active);
    let known = world.engine.accounts(&AccountFilter::default()).unwrap();
    let lines: Vec<String> = known
        .iter()
        .map(|one| format!("{} {} {} {:?}", one.external_id, one.status.name(), one.attributes["title"], one.user))
        .collect();
    assert_eq!(lines[1..], ["x Active \"Ghost\" None", "y Deactivated \"Ghost\" None"]);
    world.for_account("y", Operation::Delete).unwrap();
    world.run();
    let requests = world.engine.requests(&RequestFilter::default()).unwrap();
    assert!(requests.iter().all(|request| request.state == State::Completed));
    assert_eq!(requests.last().unwrap().verified, Some(true));
    assert!(world.at_target("y").is_none());
    assert!(world.engine.verify_log().is_ok());
}

#[test]
fn accounts_that_nobody_owns_are_refused_where_they_may_not_be_touched() {
    let world = World::new(&json!({"operations": {"deactivate": true}}));
    let code = |result: crate::engine::Result<Request>| result.unwrap_err().code().name();
    assert_eq!(code(world.for_account("root", Operation::Deactivate)), "operation_off");
    assert_eq!(code(world.for_account("x", Operation::Delete)), "operation_off");
    assert_eq!(code(world.for_account("1", Operation::Deactivate)), "conflict_owned");
}

#[test]
fn a_failure_on_an_account_that_nobody_owns_is_tried_again_given_up_and_completed_by_hand() {
    let world = World::new(&json!({}));
    world.orphan("x");
    let mock = world.engine.mock_target("crm").unwrap();
    mock.script_json(r#"[{"on": "deactivate", "fault": "unreachable"}, {"on": "deactivate", "fault": "rejected"}]"#)
        .unwrap();
    let first = world.for_account("x", Operation::Deactivate).unwrap();
    world.run();
    assert_eq!(world.requests(), ["Deactivate Requested"]);
    world.clock.advance(Period::from_seconds(3600));
    world.run();
    assert_eq!(world.requests(), ["Deactivate Failed"]);
    let clone = world.engine.retry(first.id.as_str(), "grace").unwrap();
    assert_eq!((clone.retry_count, clone.external_id.as_deref()), (1, Some("x")));
    world.engine.cancel(clone.id.as_str(), Some("grace")).unwrap();
    mock.script_json(r#"[{"on": "deactivate", "fault": "rejected"}]"#).unwrap();
    let third = world.for_account("x", Operation::Deactivate).unwrap();
    world.run();
    let done = world.engine.complete_manually(third.id.as_str(), "grace", "in the console", None).unwrap();
    assert_eq!(done.state, State::ManuallyCompleted);
    let known = world.engine.accounts(&AccountFilter::default()).unwrap();
    assert_eq!(known[1].status.name(), "Deactivated");
    assert!(!world.engine.log(&LogFilter::default()).unwrap().is_empty());
}

#[test]
fn approval_and_switching_off_hold_for_accounts_that_nobody_owns() {
    let world = World::new(&json!({"approval": {"operations": ["Deactivate"]}}));
    world.orphan("x");
    let request = world.for_account("x", Operation::Deactivate).unwrap();
    world.run();
    assert!(world.at_target("x").unwrap().active);
    world.engine.approve(request.id.as_str(), "grace", None).unwrap();
    world.run();
    assert!(!world.at_target("x").unwrap().active);
}

#[test]
fn what_a_request_overwrites_is_kept_and_shown_unless_it_is_sensitive() {
    let mapping = json!([
        {"target": "userName", "source": "username"}, {"target": "title", "source": "title"},
        {"target": "nickName", "source": "title", "sensitive": true},
    ]);
    let world = World::new(&json!({"mapping": mapping}));
    world.put("Head Nurse");
    world.run();
    world.engine.submit("crm", "ada", Operation::Deactivate, Some("grace"), None).unwrap();
    world.run();
    let requests = world.engine.requests(&RequestFilter::default()).unwrap();
    let before = |index: usize| {
        let id = requests[index].id.as_str();
        serde_json::to_value(world.engine.request(id).unwrap().before.unwrap()).unwrap()
    };
    assert_eq!(before(0), json!({"existed": false}));
    assert_eq!(before(1), json!({"existed": true, "active": true, "values": {"title": "Nurse"}}));
    assert_eq!(before(2), json!({"existed": true, "active": true}));
}

#[test]
fn what_was_kept_at_the_first_sending_is_not_overwritten_by_another_try() {
    let world = World::new(&json!({}));
    world.engine.mock_target("crm").unwrap().script_json(r#"[{"on": "update", "fault": "lost_reply"}]"#).unwrap();
    let request = world.give("as it was", false);
    world.run();
    world.clock.advance(Period::from_seconds(3600));
    world.run();
    let detail = world.engine.request(request.id.as_str()).unwrap();
    assert_eq!(detail.request.attempts, 2);
    assert_eq!(detail.before.unwrap().values.unwrap()["title"], json!("Nurse"));
}
