//! Memberships of groups end to end: a grant becomes a membership at the target and is taken back with it, in batches, beside
//! faults, and never by touching anybody else's.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::mock::MockOptions;
use rollkeeper::connector::{Capabilities, Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{
    App, HoldScope, LogFilter, ReconciliationFilter, ReconciliationKind, Request, RequestFilter, Situation, State, User,
};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Engine, Operation, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

struct World {
    engine: Engine,
    clock: VirtualClock,
    target: MockTarget,
}

/// The app `crm`: who has the permission set `Sales` belongs into `g1`, who has `Staff` into `g2`.
fn app(keys: &Value) -> App {
    let mut app = json!({"id": "crm", "assigned_to": {"profiles": ["P"]}, "create_without_match": true,
        "mapping": [{"target": "userName", "source": "id"}, {"target": "title", "source": "title"}],
        "retry": {"first": "PT1S", "cap": "PT1S"},
        "entitlements": [
            {"grant": "permission_set", "name": "Sales", "group": {"display_name": "Sales Team"}},
            {"grant": "permission_set", "name": "Staff", "group": {"id": "g2"}}],
        "connector": {"kind": "mock", "settings": {"groups": {"g1": "sales team", "g2": "Staff", "g3": "Others"}}}});
    app.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    App::from_json(app.to_string().as_bytes()).unwrap()
}

impl World {
    fn new(keys: &Value) -> Self {
        let clock = VirtualClock::new(Timestamp::from_micros(0));
        let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(1).open().unwrap();
        engine.put_app(app(keys), None).unwrap();
        let target = engine.mock_target("crm").unwrap();
        Self { engine, clock, target }
    }

    fn put(&self, id: &str, keys: &Value) -> Vec<Request> {
        let mut user = json!({"id": id, "profile": "P"});
        user.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        self.engine.put_user(User::from_value(user).unwrap(), None).unwrap()
    }

    fn grant(&self, id: &str, sets: &[&str]) -> Vec<Request> {
        self.put(id, &json!({"permission_sets": sets}))
    }

    fn run(&self) {
        self.engine.run(&RunOptions::default()).unwrap();
    }

    /// Runs until nothing waits for its time any more.
    fn run_on(&self) {
        for _ in 0..25 {
            self.run();
            self.clock.advance(Period::from_seconds(10));
        }
        self.run();
    }

    /// The calls about groups since they were asked for last: method, group, who is added and who removed.
    fn calls(&self) -> Vec<String> {
        let calls = self.target.calls();
        self.target.clear_calls();
        let members = |call: &rollkeeper::connector::mock::MockCall, key: &str| {
            let list = call.attributes.as_ref().and_then(|attributes| attributes[key].as_array().cloned());
            list.unwrap_or_default().iter().map(|id| id.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(",")
        };
        let told = calls.iter().map(|call| match call.method.as_str() {
            "change_members" => {
                let (add, remove) = (members(call, "add"), members(call, "remove"));
                format!("{} +{add} -{remove}", call.external_id.as_deref().unwrap())
            }
            other => other.to_owned(),
        });
        told.collect()
    }

    fn open(&self) -> Vec<Request> {
        let all = self.engine.requests(&RequestFilter::default()).unwrap();
        all.into_iter().filter(|request| !request.state.is_finished()).collect()
    }

    fn last(&self, user: &str) -> Request {
        let filter = RequestFilter { user: Some(user.to_owned()), ..RequestFilter::default() };
        self.engine.requests(&filter).unwrap().pop().unwrap()
    }

    /// A second person agrees to what is held of memberships.
    fn release_held(&self) {
        let filter = ReconciliationFilter { kind: Some(ReconciliationKind::Source), ..ReconciliationFilter::default() };
        let held = self.engine.reconciliations(&filter).unwrap().pop().unwrap();
        self.engine.release(held.id.as_str(), held.digest.as_deref().unwrap(), "second").unwrap();
    }

    fn logged(&self, kind: &str) -> Vec<Value> {
        let log = self.engine.log(&LogFilter::default()).unwrap();
        log.into_iter().filter(|entry| entry.kind == kind).map(|entry| entry.details).collect()
    }
}

#[test]
fn a_grant_becomes_a_membership_and_is_taken_back_with_it() {
    let world = World::new(&json!({}));
    world.put("u1", &json!({}));
    world.run();
    assert_eq!(world.calls(), ["create"]);
    let made = world.grant("u1", &["Sales"]);
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].operation, made[0].why.as_str()), (Operation::Update, "permission set `Sales` was added"));
    world.run();
    assert_eq!(world.calls(), ["group_names", "g1 +1 -"]);
    assert_eq!(world.target.members("g1"), ["1"]);
    assert_eq!(world.last("u1").state, State::Completed);
    assert_eq!(world.logged("membership_given")[0]["group"], "g1");
    // The same grants again mean nothing.
    assert!(world.grant("u1", &["Sales"]).is_empty());
    let made = world.grant("u1", &["Staff"]);
    assert_eq!(made.len(), 2, "one takes away, and the other gives");
    world.run();
    assert_eq!(world.calls(), ["g1 + -1", "read", "g2 +1 -"]);
    world.grant("u1", &[]);
    world.run();
    assert_eq!(world.calls(), ["g2 + -1", "read"]);
    assert_eq!((world.target.members("g1"), world.target.members("g2")), (vec![], vec![]));
    assert!(world.open().is_empty());
    assert_eq!(world.logged("membership_taken").len(), 2);
    assert!(world.engine.verify_log().unwrap().whole);
}

#[test]
fn memberships_wait_until_the_account_exists() {
    let world = World::new(&json!({}));
    world.grant("u1", &["Sales", "Staff"]);
    world.target.script_json(r#"[{"on": "create", "times": 2, "fault": "unreachable"}]"#).unwrap();
    world.run();
    assert_eq!(world.calls(), ["create"]);
    world.run_on();
    let calls: Vec<String> = world.calls().into_iter().filter(|call| call != "find").collect();
    assert_eq!(calls, ["create", "create", "group_names", "g1 +1 -", "g2 +1 -"]);
    assert!(world.open().is_empty());
}

#[test]
fn changes_of_one_group_that_are_due_together_go_together() {
    let world = World::new(&json!({}));
    for number in 0..210 {
        world.grant(&format!("u{number}"), &["Staff"]);
    }
    world.run();
    assert!(world.open().is_empty());
    assert_eq!(world.target.members("g2").len(), 210);
    let calls: Vec<String> = world.calls().into_iter().filter(|call| call.starts_with("g2")).collect();
    assert!(calls.len() <= 210_usize.div_ceil(100) + 2, "{} calls", calls.len());
    for number in 0..210 {
        world.grant(&format!("u{number}"), &[]);
    }
    world.run();
    assert!(world.target.members("g2").is_empty());
    assert_eq!(world.calls().len(), 3, "three of a hundred at the most");
    assert!(world.open().is_empty());
}

#[test]
fn nobody_elses_membership_is_touched() {
    let world = World::new(&json!({}));
    world.grant("u1", &["Staff"]);
    world.run();
    world.put("u2", &json!({}));
    world.run();
    assert!(world.target.set_member("g2", "2", true));
    assert!(world.target.set_member("g3", "1", true));
    world.grant("u1", &[]);
    world.put("u2", &json!({"title": "Nurse"}));
    world.run();
    assert_eq!((world.target.members("g2"), world.target.members("g3")), (vec!["2".to_owned()], vec!["1".to_owned()]));
}

#[test]
fn one_who_is_refused_is_found_and_the_others_go_through() {
    let world = World::new(&json!({}));
    for number in 0..20 {
        world.put(&format!("u{number:02}"), &json!({}));
    }
    world.run();
    assert!(world.target.remove_account("7"));
    for number in 0..20 {
        world.grant(&format!("u{number:02}"), &["Staff"]);
    }
    world.run_on();
    assert_eq!(world.target.members("g2").len(), 19);
    let failed = world.last("u06");
    assert_eq!((failed.state, failed.faults[0].code), (State::Failed, Code::MemberRefused));
    assert!(failed.faults[0].message.contains("`g2`") && failed.faults[0].message.contains("`retry`"));
    let states = world.engine.requests(&RequestFilter { state: Some(State::Failed), ..RequestFilter::default() });
    assert_eq!(states.unwrap().len(), 1, "the others are done");
    // Nothing is believed of who was refused.
    assert!(world.engine.explain("crm", "u06").unwrap().memberships.iter().all(|one| one.state.is_none()));
}

#[test]
fn a_group_that_is_not_there_is_named_and_stops_nobody_else() {
    let entitlements = json!([
        {"grant": "permission_set", "name": "Sales", "group": {"display_name": "Nowhere"}},
        {"grant": "permission_set", "name": "Staff", "group": {"id": "g2"}}]);
    let world = World::new(&json!({"entitlements": entitlements}));
    world.grant("u1", &["Sales", "Staff"]);
    world.grant("u2", &["Staff"]);
    world.run();
    assert_eq!(world.target.members("g2"), ["1", "2"]);
    let failed = world.last("u1");
    assert_eq!((failed.state, failed.faults[0].code), (State::Failed, Code::UnknownGroup));
    assert!(failed.faults[0].message.contains("`Nowhere`"), "{}", failed.faults[0].message);
    // It is not tried again by itself, but by whoever has made the group since.
    world.put("u1", &json!({"permission_sets": ["Sales", "Staff"]}));
    world.run();
    assert_eq!(world.last("u1").id, failed.id);
    let keys = json!({"connector": {"kind": "mock", "settings": {"groups": {"g1": "Nowhere", "g2": "Staff"}}},
        "entitlements": entitlements});
    world.engine.put_app(app(&keys), None).unwrap();
    world.run();
}

#[test]
fn an_id_that_no_group_has_is_told_by_the_target() {
    let entitlements = json!([{"grant": "permission_set", "name": "Staff", "group": {"id": "g9"}}]);
    let world = World::new(&json!({"entitlements": entitlements}));
    world.grant("u1", &["Staff"]);
    world.run();
    let failed = world.last("u1");
    assert_eq!((failed.state, failed.faults[0].code), (State::Failed, Code::UnknownGroup));
}

#[test]
fn an_answer_that_was_lost_is_asked_for_again_and_changes_nothing_twice() {
    let world = World::new(&json!({}));
    world.grant("u1", &["Staff"]);
    world.target.script_json(r#"[{"on": "change_members", "fault": "lost_reply"}]"#).unwrap();
    world.run_on();
    assert_eq!(world.target.members("g2"), ["1"]);
    assert!(world.open().is_empty());
    world.target.script_json(r#"[{"on": "change_members", "fault": "lost_reply"}]"#).unwrap();
    world.grant("u1", &[]);
    world.run_on();
    assert!(world.target.members("g2").is_empty());
    assert!(world.open().is_empty());
}

#[test]
fn a_membership_that_may_still_be_given_is_taken_away_again_when_nothing_can_come_any_more() {
    let world = World::new(&json!({}));
    world.put("u1", &json!({}));
    world.run();
    world.calls();
    world.target.script_json(r#"[{"on": "change_members", "fault": "lost_reply"}]"#).unwrap();
    world.grant("u1", &["Staff"]);
    world.run();
    world.grant("u1", &[]);
    world.run();
    let calls = world.calls();
    assert_eq!(calls, ["g2 +1 -", "g2 + -1", "read"], "what takes away does not wait for what gives");
    // What is late comes after it, and is taken away when it can come no more.
    assert!(world.target.set_member("g2", "1", true));
    world.clock.advance(Period::from_seconds(200));
    world.run_on();
    assert!(world.target.members("g2").is_empty());
    assert!(world.open().is_empty());
    let filter = RequestFilter { state: Some(State::Failed), ..RequestFilter::default() };
    assert!(world.engine.requests(&filter).unwrap().is_empty());
    assert!(world.engine.explain("crm", "u1").unwrap().memberships.iter().all(|one| one.state.is_none()));
}

#[test]
fn what_was_never_sent_is_not_taken_away() {
    let world = World::new(&json!({}));
    world.put("u1", &json!({}));
    world.run();
    world.calls();
    world.grant("u1", &["Staff"]);
    world.grant("u1", &[]);
    world.run();
    assert!(world.calls().is_empty());
    assert!(world.open().is_empty());
}

#[test]
fn another_record_is_sent_though_the_groups_are_still_asked_for() {
    let world = World::new(&json!({}));
    world.put("u1", &json!({}));
    world.run();
    world.target.script_json(r#"[{"on": "group_names", "times": 2, "fault": "unreachable"}]"#).unwrap();
    world.put("u1", &json!({"permission_sets": ["Sales"], "title": "nurse"}));
    world.run();
    world.put("u1", &json!({"permission_sets": ["Sales"], "title": "physician"}));
    world.run_on();
    assert!(world.open().is_empty());
    assert_eq!(world.target.members("g1"), ["1"]);
    assert_eq!(world.target.accounts()[0].attributes["title"], "physician");
}

#[test]
fn a_membership_that_the_target_did_not_let_go_is_taken_away_by_another_request() {
    let world = World::new(&json!({}));
    world.grant("u1", &["Sales", "Staff"]);
    world.run();
    let script = r#"[{"on": "change_members", "times": 1, "fault": "rejected"},
        {"on": "change_members", "times": 1, "fault": "unreachable"}]"#;
    world.target.script_json(script).unwrap();
    world.grant("u1", &[]);
    world.run();
    assert_eq!(world.open().len(), 1, "one was refused, and the other waits");
    // What waits is no longer to be taken away, and the request ends with what was refused.
    world.grant("u1", &["Staff"]);
    world.run_on();
    world.grant("u1", &["Staff"]);
    world.run_on();
    assert!(world.target.members("g1").is_empty());
    assert!(world.open().is_empty());
}

#[test]
fn a_leaver_keeps_what_the_account_has_unless_the_app_says_otherwise() {
    let world = World::new(&json!({}));
    world.grant("u1", &["Staff"]);
    world.run();
    world.put("u1", &json!({"permission_sets": ["Staff"], "active": false}));
    world.run();
    assert_eq!(world.target.members("g2"), ["1"]);
    world.put("u1", &json!({"permission_sets": ["Staff"], "active": true}));
    world.run();
    assert_eq!(world.target.members("g2"), ["1"]);
    assert!(world.open().is_empty());

    let world = World::new(&json!({"deprovision": {"memberships": "remove"}}));
    world.grant("u1", &["Staff"]);
    world.run();
    world.calls();
    world.put("u1", &json!({"permission_sets": ["Staff"], "active": false}));
    world.run();
    assert_eq!(world.calls(), ["deactivate", "read", "g2 + -1", "read"]);
    world.put("u1", &json!({"permission_sets": ["Staff"], "active": true}));
    world.run();
    assert_eq!(world.calls(), ["activate", "g2 +1 -"]);
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    assert!(world.target.members("g2").is_empty());
    assert!(world.open().is_empty());
}

#[test]
fn memberships_are_taken_away_though_the_target_does_not_disable_the_account() {
    let world = World::new(&json!({"deprovision": {"memberships": "remove"}}));
    world.grant("u1", &["Staff"]);
    world.run();
    world.calls();
    world.target.script_json(r#"[{"on": "deactivate", "times": 3, "fault": "unreachable"}]"#).unwrap();
    world.put("u1", &json!({"permission_sets": ["Staff"], "active": false}));
    world.run();
    assert!(world.target.members("g2").is_empty(), "it does not wait until the account is disabled");
    let open: Vec<Operation> = world.open().iter().map(|request| request.operation).collect();
    assert_eq!(open, [Operation::Deactivate]);
    for _ in 0..3 {
        world.clock.advance(Period::from_seconds(86_400));
        world.run();
    }
    assert!(world.open().is_empty() && !world.target.accounts()[0].active, "and that is tried on");
}

#[test]
fn a_new_entitlement_is_given_to_whoever_has_the_grant_and_an_old_one_is_taken_back() {
    let world = World::new(&json!({}));
    world.grant("u1", &["Staff"]);
    world.grant("u2", &["Staff"]);
    world.run();
    let entitlements = json!([{"grant": "permission_set", "name": "Staff", "group": {"id": "g3"}}]);
    world.engine.put_app(app(&json!({"entitlements": entitlements})), None).unwrap();
    world.run();
    // What would empty a group waits for a second person; what is given does not.
    assert_eq!((world.target.members("g2").len(), world.target.members("g3").len()), (2, 2));
    world.release_held();
    world.run();
    assert_eq!((world.target.members("g2"), world.target.members("g3").len()), (vec![], 2));
    world.engine.put_app(app(&json!({"entitlements": []})), None).unwrap();
    world.release_held();
    world.run();
    assert!(world.target.members("g3").is_empty());
    assert!(world.open().is_empty());
}

#[test]
fn a_membership_that_waits_for_approval_is_not_given_and_what_takes_away_does_not_wait() {
    let world = World::new(&json!({"approval": {"operations": ["update"]}}));
    world.put("u1", &json!({}));
    world.run();
    let asked = world.grant("u1", &["Staff"]);
    world.run();
    assert!(world.target.members("g2").is_empty());
    world.engine.approve(asked[0].id.as_str(), "boss", None).unwrap();
    world.run();
    assert_eq!(world.target.members("g2"), ["1"]);
    // What was agreed to is not agreed to for another group.
    world.grant("u1", &["Staff", "Sales"]);
    world.run();
    assert!(world.target.members("g1").is_empty());
    world.grant("u1", &[]);
    world.run();
    assert!(world.target.members("g2").is_empty());
}

/// A target that notes where two calls change one group at the same time.
struct Watched {
    target: MockTarget,
    groups: Mutex<BTreeSet<String>>,
    met: AtomicUsize,
}

impl Connector for Watched {
    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.target.create(attributes, key)
    }

    fn group_names(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        self.target.group_names(cursor)
    }

    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        let is_alone = self.groups.lock().unwrap().insert(group.to_owned());
        self.met.fetch_add(usize::from(!is_alone), Ordering::SeqCst);
        for _ in 0..1_000 {
            std::thread::yield_now();
        }
        let result = self.target.change_members(group, add, remove);
        self.groups.lock().unwrap().remove(group);
        result
    }
}

#[test]
fn several_workers_never_change_one_group_at_once() {
    let groups = ["g1", "g2", "g3"].map(|id| (id.to_owned(), format!("Team {id}")));
    let target = MockTarget::with_options(MockOptions { groups: groups.into(), ..MockOptions::default() });
    let watched = Arc::new(Watched { target: target.clone(), groups: Mutex::default(), met: AtomicUsize::new(0) });
    let engine = Engine::builder().seed(1).open().unwrap();
    engine.register_connector("watched", Arc::clone(&watched) as Arc<dyn Connector>).unwrap();
    let entitlements: Vec<Value> = ["g1", "g2", "g3"]
        .iter()
        .map(|id| json!({"grant": "permission_set", "name": id, "group": {"id": id}}))
        .collect();
    let keys = json!({"connector": {"kind": "custom", "name": "watched"}, "entitlements": entitlements});
    engine.put_app(app(&keys), None).unwrap();
    for number in 0..60 {
        let sets = json!(["g1", "g2", "g3"][..1 + number % 3]);
        let user = json!({"id": format!("u{number}"), "profile": "P", "permission_sets": sets});
        engine.put_user(User::from_value(user).unwrap(), None).unwrap();
    }
    for _ in 0..2 {
        engine.run(&RunOptions { workers: 8, ..RunOptions::default() }).unwrap();
    }
    assert_eq!(["g1", "g2", "g3"].map(|id| target.members(id).len()), [60, 40, 20]);
    assert_eq!(watched.met.load(Ordering::SeqCst), 0, "two calls were out about one group");
}

#[test]
fn what_we_gave_and_somebody_took_away_is_found_by_a_reconciliation_and_given_again() {
    let world = World::new(&json!({}));
    world.grant("u1", &["Staff"]);
    world.grant("u2", &["Staff"]);
    world.put("u3", &json!({}));
    world.run();
    assert!(world.target.set_member("g2", "1", false) && world.target.set_member("g2", "3", true));
    let reconcile = || {
        let found = world.engine.reconcile("crm", None).unwrap();
        let items = world.engine.plan(found.id.as_str(), &Default::default()).unwrap();
        world.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ada").unwrap();
        world.run();
        let told = items.iter().map(|item| {
            let user = item.finding.user.as_deref().unwrap_or_default();
            format!("{user} {} {}", item.finding.situation.name(), item.reaction.name())
        });
        (found.counts, told.collect::<Vec<_>>())
    };
    let (counts, items) = reconcile();
    assert_eq!([Situation::MembershipConfirmed, Situation::MembershipMissing].map(|one| counts.0[&one]), [1, 1]);
    assert_eq!(items, ["u1 membership_missing update", "u3 membership_unmanaged report"]);
    assert_eq!(world.target.members("g2"), ["1", "2", "3"], "and whoever else is in it stays");
    assert_eq!(world.last("u1").why, "reconciliation: membership_missing");
    assert!(world.open().is_empty());
    assert_eq!(reconcile().1, ["u3 membership_unmanaged report"], "then there is nothing to do");
}

#[test]
fn who_is_held_or_frozen_is_given_nothing_and_holds_up_nobody() {
    let world = World::new(&json!({}));
    for number in 1..4 {
        world.put(&format!("u{number}"), &json!({}));
    }
    world.run();
    let held = HoldScope { user: Some("u1".to_owned()), ..HoldScope::default() };
    world.engine.hold(&held, "ada", "looked at").unwrap();
    world.put("u2", &json!({"frozen": true, "permission_sets": ["Staff"]}));
    world.grant("u1", &["Staff"]);
    world.grant("u3", &["Staff"]);
    world.run();
    assert_eq!(world.target.members("g2"), ["3"]);
    world.engine.resume(&held, "ada").unwrap();
    world.put("u2", &json!({"permission_sets": ["Staff"]}));
    world.run();
    assert_eq!(world.target.members("g2"), ["1", "2", "3"]);
    assert!(world.open().is_empty());
}

#[test]
fn an_account_that_is_deleted_takes_its_memberships_along() {
    let keys = json!({"deprovision": {"deleted": {"action": "delete"}}, "operations": {"delete": true}});
    let world = World::new(&keys);
    world.grant("u1", &["Staff"]);
    world.run();
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    assert!(world.open().is_empty());
    world.grant("u1", &["Staff"]);
    world.run();
    assert_eq!(world.target.members("g2"), ["2"], "a new account, and its own membership");
}
