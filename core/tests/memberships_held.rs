//! What a new definition or a list of users would take away at once is held until a second person agrees to exactly that:
//! its edges as data (`tests/data/reconciliation/losses.json`).
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::model::{
    App, ItemState, PlanFilter, PlanItem, PutSnapshot, Reconciliation, ReconciliationFilter, ReconciliationKind,
    Situation, State, User,
};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::{Code, Engine, Period, RunOptions, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

struct World {
    engine: Engine,
    clock: VirtualClock,
    target: MockTarget,
}

fn app(entitlements: &Value) -> App {
    let app = json!({"id": "crm", "assigned_to": {"profiles": ["P"]}, "create_without_match": true,
        "mapping": [{"target": "userName", "source": "id"}, {"target": "title", "source": "title"}],
        "entitlements": entitlements,
        "connector": {"kind": "mock", "settings": {"groups": {"g1": "Sales", "g2": "Staff"}}}});
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn sales(group: &str) -> Value {
    json!([{"grant": "permission_set", "name": "Sales", "group": {"id": group}}])
}

fn record(number: usize, in_sales: bool) -> Value {
    json!({"id": format!("u{number:03}"), "profile": "P", "permission_sets": if in_sales { vec!["Sales"] } else { vec![] }})
}

impl World {
    /// So many users with accounts, of whom the first so many are in the group.
    fn new(users: usize, in_sales: usize) -> Self {
        let clock = VirtualClock::new(Timestamp::from_micros(0));
        let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(1).open().unwrap();
        engine.put_app(app(&sales("g1")), Some("adam")).unwrap();
        let target = engine.mock_target("crm").unwrap();
        let world = Self { engine, clock, target };
        let records: Vec<Value> = (0..users).map(|number| record(number, number < in_sales)).collect();
        world.list(&records);
        world.run();
        assert_eq!(world.members("g1"), in_sales);
        world
    }

    fn list(&self, records: &[Value]) -> PutSnapshot {
        let put = self.engine.put_users_snapshot(Value::from(records).to_string().as_bytes(), Some("hr")).unwrap();
        put.snapshot.unwrap()
    }

    fn run(&self) {
        self.engine.run(&RunOptions::default()).unwrap();
        self.clock.advance(Period::from_seconds(11));
        self.engine.run(&RunOptions::default()).unwrap();
    }

    fn members(&self, group: &str) -> usize {
        self.target.members(group).len()
    }

    /// The plans of held memberships, oldest first.
    fn held(&self) -> Vec<Reconciliation> {
        let filter = ReconciliationFilter { kind: Some(ReconciliationKind::Source), ..ReconciliationFilter::default() };
        let all = self.engine.reconciliations(&filter).unwrap();
        all.into_iter().filter(|one| one.app.is_some()).collect()
    }

    fn items(&self, plan: &Reconciliation) -> Vec<PlanItem> {
        self.engine.plan(plan.id.as_str(), &PlanFilter::default()).unwrap()
    }

    fn release(&self, plan: &Reconciliation, by: &str) -> Result<Reconciliation, Code> {
        let released = self.engine.release(plan.id.as_str(), plan.digest.as_deref().unwrap(), by);
        released.map_err(|error| error.code())
    }

    fn put(&self, record: Value) {
        self.engine.put_user(User::from_value(record).unwrap(), None).unwrap();
    }
}

#[test]
fn what_a_definition_would_take_away_is_held_and_released_by_a_second_person_for_that_digest() {
    let world = World::new(20, 12);
    world.engine.put_app(app(&sales("g2")), Some("adam")).unwrap();
    world.run();
    assert_eq!((world.members("g1"), world.members("g2")), (12, 12), "what is given is not held");
    let plan = world.held().pop().unwrap();
    let items = world.items(&plan);
    assert_eq!(
        (plan.state, plan.counts.0[&Situation::MembershipUnqualified], items.len()),
        (State::Committing, 12, 12)
    );
    assert_eq!(plan.brake[0].name, "group_emptied");
    let first = &items[0];
    assert_eq!(
        (first.state, first.group.as_deref(), first.finding.user.as_deref()),
        (ItemState::Held, Some("g1"), Some("u000"))
    );
    assert_eq!(json!(first.changes), json!([{"op": "remove", "path": "groups[value eq \"g1\"]"}]));
    assert_eq!(json!(first.before), json!({"groups[value eq \"g1\"]": {"value": "g1"}}));
    assert_eq!(first.why[0], "the app's `entitlements` changed");
    // A record that comes meanwhile takes nothing away either, and neither does a leaver's wait.
    world.put(json!({"id": "u001", "profile": "P", "permission_sets": ["Sales"], "title": "Nurse"}));
    world.put(record(2, true));
    world.run();
    assert_eq!(world.members("g1"), 12);
    assert_eq!(world.release(&plan, "adam").unwrap_err(), Code::FourEyes);
    let other = Reconciliation { digest: Some("00".to_owned()), ..plan.clone() };
    assert_eq!(world.release(&other, "eve").unwrap_err(), Code::PlanChanged);
    let released = world.release(&plan, "eve").unwrap();
    assert_eq!((released.state, released.items[&ItemState::Done]), (State::Completed, 12));
    world.run();
    assert_eq!((world.members("g1"), world.members("g2")), (0, 12));
}

#[test]
fn a_definition_that_takes_little_away_is_carried_out_and_counts_for_a_day() {
    let world = World::new(40, 33);
    // Nine of them keep the grant and lose what it stands for: their profile's own entitlement is dropped.
    for number in 0..9 {
        world.put(json!({"id": format!("u{number:03}"), "profile": "P", "permission_sets": ["Sales of old"]}));
    }
    world.run();
    assert_eq!(world.members("g1"), 24, "events are obeyed");
    let world = World::new(40, 33);
    let both = json!([{"grant": "permission_set", "name": "Sales", "group": {"id": "g1"}},
        {"grant": "permission_set", "name": "Old", "group": {"id": "g1"}}]);
    world.engine.put_app(app(&both), Some("adam")).unwrap();
    let old = |number: usize| json!({"id": format!("u{number:03}"), "profile": "P", "permission_sets": ["Old"]});
    (0..9).for_each(|number| world.put(old(number)));
    world.run();
    world.engine.put_app(app(&sales("g1")), Some("adam")).unwrap();
    world.run();
    assert_eq!((world.members("g1"), world.held().len()), (24, 0), "nine of 33 are not held");
    world.engine.put_app(app(&both), Some("adam")).unwrap();
    world.put(old(9));
    world.run();
    assert_eq!(world.members("g1"), 33);
    (0..9).for_each(|number| world.put(record(number, false)));
    world.run();
    assert_eq!(world.members("g1"), 24);
    world.engine.put_app(app(&sales("g1")), Some("adam")).unwrap();
    world.run();
    assert_eq!((world.members("g1"), world.held().len()), (24, 1), "one more makes it ten of 33 within the day");
}

#[test]
fn who_leaves_is_not_kept_for_what_is_held() {
    let world = World::new(12, 12);
    let removes = |entitlements: &Value| {
        let mut app = serde_json::to_value(app(entitlements)).unwrap();
        app["deprovision"] = json!({"memberships": "remove"});
        App::from_json(app.to_string().as_bytes()).unwrap()
    };
    world.engine.put_app(removes(&sales("g1")), Some("adam")).unwrap();
    world.engine.put_app(removes(&json!([])), Some("adam")).unwrap();
    world.run();
    assert_eq!((world.members("g1"), world.held().len()), (12, 1));
    world.put(json!({"id": "u003", "profile": "P", "active": false}));
    world.engine.delete_user("u004", None).unwrap();
    world.run();
    assert_eq!(world.members("g1"), 10);
    // Of whom somebody asks again nothing is held any more.
    world.engine.put_app(removes(&sales("g1")), Some("adam")).unwrap();
    world.put(record(5, false));
    world.run();
    assert_eq!(world.members("g1"), 9);
    let plan = world.held().pop().unwrap();
    assert_eq!(plan.state, State::Completed);
    assert_eq!(world.release(&plan, "eve").unwrap_err(), Code::InvalidTransition);
}

#[test]
fn what_a_definition_had_held_no_list_lets_go_without_a_second_person() {
    let world = World::new(20, 1);
    world.engine.put_app(app(&sales("g2")), Some("adam")).unwrap();
    world.run();
    assert_eq!((world.members("g1"), world.held().len()), (1, 1), "the group would be emptied");
    for listed in [0..20, 1..20] {
        world.list(&listed.map(|number| record(number, number < 1)).collect::<Vec<_>>());
        world.put(json!({"id": "u000", "profile": "P", "permission_sets": ["Sales"], "title": "Nurse"}));
        world.run();
        let open: Vec<_> = world.held().into_iter().filter(|one| one.state == State::Committing).collect();
        assert_eq!((world.members("g1"), open.len()), (1, 1));
        assert_eq!(world.items(&open[0]).len(), 1);
    }
    let plan = world.held().into_iter().find(|one| one.state == State::Committing).unwrap();
    world.release(&plan, "eve").unwrap();
    world.run();
    assert_eq!(world.members("g1"), 0);
}

#[test]
fn whose_membership_is_asked_for_again_is_refused_by_name_when_the_rest_is_released() {
    let world = World::new(20, 12);
    let silent: Vec<Value> = (0..20).map(|number| record(number, false)).collect();
    let snapshot = world.list(&silent);
    assert_eq!(snapshot.memberships.len(), 1);
    world.run();
    assert_eq!(world.members("g1"), 12);
    world.put(record(3, true));
    let plan = world.held().pop().unwrap();
    assert_eq!(plan.id, snapshot.memberships[0]);
    assert_eq!(world.release(&plan, "hr").unwrap_err(), Code::FourEyes);
    let released = world.release(&plan, "eve").unwrap();
    assert_eq!((released.items[&ItemState::Done], released.items[&ItemState::Refused]), (11, 1));
    let refused = world.items(&plan).into_iter().find(|item| item.state == ItemState::Refused).unwrap();
    let fault = refused.fault.unwrap();
    assert_eq!(fault.code, Code::ItemChanged);
    assert!(fault.message.contains("the user `u003` and the account `4` in the group `g1`"), "{}", fault.message);
    world.run();
    assert_eq!(world.target.members("g1"), ["4"]);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    users: usize,
    #[serde(default)]
    group: usize,
    lists: Vec<List>,
    /// How many records of each list are withheld.
    #[serde(default)]
    withheld: Vec<u64>,
    /// How many memberships are held after each list.
    #[serde(default)]
    held: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// How many more lose their account since their profile is gone.
    #[serde(default)]
    accounts: usize,
    /// How many more lose their membership since their grant is gone.
    #[serde(default)]
    memberships: usize,
    after: Option<Period>,
}

#[test]
fn what_lists_take_away_silently_is_held_from_the_limits_on_also_where_it_drips() {
    let text = include_str!("../../tests/data/reconciliation/losses.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 17);
    for case in cases {
        let world = World::new(case.users, case.group);
        let (mut accounts, mut memberships, mut at) = (0, 0, Timestamp::from_micros(60_000_000));
        for (number, list) in case.lists.iter().enumerate() {
            // Deliveries take time; lists come at theirs.
            at = list.after.map_or(at, |after| at.plus(after));
            world.clock.set(at);
            accounts += list.accounts;
            memberships += list.memberships;
            let records: Vec<Value> = (0..case.users)
                .map(|user| match user {
                    user if user < accounts => json!({"id": format!("u{user:03}")}),
                    user => record(user, user >= memberships && user < case.group),
                })
                .collect();
            let snapshot = world.list(&records);
            if let Some(withheld) = case.withheld.get(number) {
                assert_eq!(snapshot.held, *withheld, "{}, list {number}", case.description);
            }
            if let Some(held) = case.held.get(number) {
                let plan = snapshot.memberships.first().map(|id| world.engine.reconciliation(id.as_str()).unwrap());
                let items = plan.map_or(0, |plan| world.items(&plan).len());
                assert_eq!(items, *held, "{}, list {number}", case.description);
            }
            world.run();
        }
    }
}
