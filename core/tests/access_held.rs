//! Accounts that a new definition would take away at once are held until a second person agrees to exactly that: its edges as
//! data (`tests/data/reconciliation/definitions.json`).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop at what must not happen")]

use rollkeeper::model::{
    AccountFilter, AccountStatus, App, ImpactOptions, ImpactSummary, ItemState, PlanFilter, PlanItem, Reaction,
    Reconciliation, ReconciliationFilter, ReconciliationKind, Request, RequestFilter, Situation, State, User,
};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::{Code, Engine, Operation, Period, RunOptions, StoredOr, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: VirtualClock,
    pub(crate) target: MockTarget,
}

/// An app with everything of `more` in it.
pub(crate) fn app(more: &Value) -> App {
    let mut app = json!({"id": "crm", "assigned_to": {"profiles": ["P"]}, "create_without_match": true,
        "scope": "user.number >= 0", "mapping": [{"target": "userName", "source": "id"}, {"target": "title", "source": "title"}],
        "entitlements": [{"grant": "permission_set", "name": "Sales", "group": {"id": "g1"}}],
        "connector": {"kind": "mock", "settings": {"groups": {"g1": "Sales", "g2": "Staff"}}}});
    for (key, value) in more.as_object().unwrap() {
        app[key] = value.clone();
    }
    App::from_json(app.to_string().as_bytes()).unwrap()
}

/// The line that is wrong: the profile does not exist.
pub(crate) fn wrong() -> App {
    app(&json!({"assigned_to": {"profiles": ["Typo"]}}))
}

/// An app that the first so many users have lost.
pub(crate) fn without(lost: usize) -> App {
    app(&json!({"scope": format!("user.number >= {lost}")}))
}

pub(crate) fn record(number: usize) -> Value {
    json!({"id": format!("u{number:03}"), "number": number, "profile": "P", "permission_sets": [], "title": "Nurse"})
}

pub(crate) fn with(number: usize, more: &Value) -> Value {
    let mut record = record(number);
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

impl World {
    /// So many users with accounts.
    pub(crate) fn new(users: usize, app: App) -> Self {
        let clock = VirtualClock::new(Timestamp::from_micros(0));
        let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(1).open().unwrap();
        engine.put_app(app, Some("adam")).unwrap();
        let target = engine.mock_target("crm").unwrap();
        let world = Self { engine, clock, target };
        let records: Vec<Value> = (0..users).map(record).collect();
        world.engine.put_users(Value::from(records).to_string().as_bytes(), Some("hr")).unwrap();
        world.run();
        assert_eq!(world.active(), users);
        world
    }

    pub(crate) fn put_app(&self, app: App) -> Vec<Request> {
        self.engine.put_app(app, Some("adam")).unwrap()
    }

    pub(crate) fn put(&self, record: Value) {
        self.engine.put_user(User::from_value(record).unwrap(), None).unwrap();
    }

    /// Puts a list of all users.
    pub(crate) fn list(&self, records: &[Value]) {
        self.engine.put_users_snapshot(Value::from(records).to_string().as_bytes(), Some("hr")).unwrap();
    }

    pub(crate) fn run(&self) {
        self.engine.run(&RunOptions::default()).unwrap();
        self.clock.advance(Period::from_seconds(11));
        self.engine.run(&RunOptions::default()).unwrap();
    }

    /// How many accounts can be used at the target.
    pub(crate) fn active(&self) -> usize {
        self.target.accounts().iter().filter(|account| account.active).count()
    }

    pub(crate) fn is_active(&self, number: usize) -> bool {
        let filter = AccountFilter { user: Some(format!("u{number:03}")), ..AccountFilter::default() };
        self.engine.accounts(&filter).unwrap().iter().any(|account| account.status == AccountStatus::Active)
    }

    /// The plans of what definitions would take away, oldest first.
    pub(crate) fn plans(&self) -> Vec<Reconciliation> {
        let filter = ReconciliationFilter { kind: Some(ReconciliationKind::Source), ..ReconciliationFilter::default() };
        let all = self.engine.reconciliations(&filter).unwrap();
        all.into_iter().filter(|one| one.app.is_some()).collect()
    }

    /// The plan that waits.
    pub(crate) fn waiting(&self) -> Option<Reconciliation> {
        let mut waiting = self.plans().into_iter().filter(|plan| plan.state == State::Committing);
        let first = waiting.next();
        assert!(waiting.next().is_none(), "two plans wait");
        first
    }

    pub(crate) fn items(&self, plan: &Reconciliation) -> Vec<PlanItem> {
        self.engine.plan(plan.id.as_str(), &PlanFilter::default()).unwrap()
    }

    pub(crate) fn release(&self, plan: &Reconciliation, by: &str) -> Result<Reconciliation, Code> {
        let released = self.engine.release(plan.id.as_str(), plan.digest.as_deref().unwrap(), by);
        released.map_err(|error| error.code())
    }

    pub(crate) fn requests(&self, operation: Operation) -> Vec<Request> {
        let all = self.engine.requests(&RequestFilter::default()).unwrap();
        all.into_iter().filter(|request| request.operation == operation).collect()
    }

    pub(crate) fn foretold(&self, app: App) -> ImpactSummary {
        let mut impact = self.engine.impact(app, ImpactOptions::default()).unwrap();
        impact.by_ref().for_each(|user| drop(user.unwrap()));
        impact.summary().clone()
    }
}

#[test]
fn a_wrong_line_disables_nobody_until_a_second_person_agrees() {
    let world = World::new(20, app(&json!({})));
    let made = world.put_app(wrong());
    assert!(made.is_empty(), "{made:?}");
    world.run();
    assert_eq!((world.active(), world.requests(Operation::Deactivate).len()), (20, 0));
    let plan = world.waiting().unwrap();
    assert_eq!((plan.counts.0[&Situation::Unqualified], plan.brake[0].name.as_str()), (20, "deactivations"));
    assert_eq!(plan.by.as_deref(), Some("adam"));
    let first = &world.items(&plan)[0];
    assert_eq!((first.state, first.reaction, first.explicit), (ItemState::Held, Reaction::Deactivate, false));
    assert_eq!((first.finding.user.as_deref(), first.finding.account.as_deref()), (Some("u000"), Some("1")));
    assert_eq!(first.why[0], "the app's `assigned_to` changed");
    // Nothing that comes meanwhile takes it away either.
    world.put(with(3, &json!({"title": "Doctor"})));
    world.clock.advance(Period::from_seconds(3_600));
    world.run();
    assert_eq!(world.active(), 20);
    let explained = world.engine.explain("crm", "u003").unwrap();
    let provision = json!(explained.steps[4]);
    assert_eq!(provision["result"], "withheld");
    assert!(provision.to_string().contains(plan.id.as_str()), "{provision}");
    let preview = world.engine.preview(StoredOr::Id("crm"), StoredOr::Id("u003")).unwrap();
    assert_eq!((preview.operations.len(), preview.withheld.len()), (0, 1));
    assert_eq!(world.release(&plan, "adam").unwrap_err(), Code::FourEyes);
    let other = Reconciliation { digest: Some("00".to_owned()), ..plan.clone() };
    assert_eq!(world.release(&other, "eve").unwrap_err(), Code::PlanChanged);
    let released = world.release(&plan, "eve").unwrap();
    assert_eq!((released.state, released.items[&ItemState::Done]), (State::Completed, 20));
    world.run();
    let sent = world.requests(Operation::Deactivate);
    assert_eq!((world.active(), sent.len(), sent[0].by.as_deref()), (0, 20, Some("eve")));
    assert_eq!(world.release(&plan, "ira").unwrap_err(), Code::InvalidTransition, "a release is for once");
}

#[test]
fn nobody_was_disabled_where_the_right_definition_comes_in_time() {
    let world = World::new(20, app(&json!({})));
    world.put_app(wrong());
    world.run();
    let plan = world.waiting().unwrap();
    world.put_app(app(&json!({})));
    world.run();
    assert_eq!((world.active(), world.requests(Operation::Deactivate).len()), (20, 0));
    assert!(world.waiting().is_none());
    assert!(world.items(&plan).iter().all(|item| item.state == ItemState::Expired));
    assert_eq!(world.release(&plan, "eve").unwrap_err(), Code::InvalidTransition);
    // Nothing of it is left: who loses the account by the own record loses it.
    world.put(with(4, &json!({"profile": "Guests"})));
    world.run();
    assert_eq!((world.active(), world.is_active(4)), (19, false));
}

#[test]
fn what_takes_nothing_away_goes_on_and_nobody_waits_for_who_leaves() {
    let world = World::new(20, app(&json!({})));
    let until = json!({"valid_until": "1970-01-01T01:00:00Z"});
    world.put(with(7, &until));
    world.run();
    // The new definition gives the account to others, and another title to those who keep it.
    let mapping =
        json!([{"target": "userName", "source": "id"}, {"target": "title", "expression": "user.title + '!'"}]);
    let changed = json!({"assigned_to": {"profiles": ["Q"]}, "scope": "user.number < 100", "mapping": mapping});
    world.put(json!({"id": "u050", "number": 50, "profile": "Q", "permission_sets": ["Sales"], "title": "Nurse"}));
    world.put_app(app(&changed));
    world.run();
    assert_eq!((world.active(), world.target.members("g1").len()), (21, 1));
    // By the own record, by a verb, by the end of the validity.
    world.put(with(5, &json!({"active": false})));
    world.engine.delete_user("u006", None).unwrap();
    world.run();
    assert_eq!([5, 6, 7].map(|number| world.is_active(number)), [false, false, true]);
    world.clock.advance(Period::from_seconds(3_600));
    world.run();
    assert_eq!((world.active(), world.is_active(7)), (18, false));
    // Of who may have it again nothing is held.
    world.put(with(8, &json!({"profile": "Q"})));
    world.put(with(9, &json!({"profile": "Q"})));
    world.put(with(9, &json!({"profile": "P"})));
    world.run();
    assert_eq!((world.is_active(8), world.is_active(9)), (true, false), "the own record takes it away");
    let plan = world.waiting().unwrap();
    let released = world.release(&plan, "eve").unwrap();
    // Who left, and who may have it, is refused by name; whose record took it away has nothing left to lose.
    let count = |state| released.items.get(&state).copied().unwrap_or(0);
    assert_eq!([ItemState::Done, ItemState::Refused, ItemState::Reported].map(count), [15, 4, 1]);
    let refused = world.items(&plan).into_iter().find(|item| item.finding.user.as_deref() == Some("u008")).unwrap();
    let fault = refused.fault.unwrap();
    assert_eq!(fault.code, Code::ItemChanged);
    assert!(fault.message.contains("the user `u008` and the account `9`"), "{}", fault.message);
    world.run();
    assert_eq!((world.active(), world.is_active(8)), (2, true));
}

#[test]
fn no_list_of_users_lets_go_what_a_definition_had_held() {
    let world = World::new(20, app(&json!({})));
    world.list(&(0..20).map(record).collect::<Vec<_>>());
    world.put_app(without(8));
    world.run();
    assert_eq!(world.active(), 20);
    // The first is not in the next list, the second is disabled by it; the third may have the account again.
    let mut records: Vec<Value> = (1..20).map(record).collect();
    records[0] = with(1, &json!({"active": false}));
    records[1] = with(2, &json!({"number": 50}));
    for _ in 0..2 {
        world.list(&records);
        world.run();
        let plan = world.waiting().unwrap();
        assert_eq!((world.active(), world.items(&plan).len()), (19, 6));
        assert_eq!(plan.by.as_deref(), Some("hr"));
        assert_eq!(plan.brake[0].name, "held_before");
        assert_eq!(
            world.release(&plan, "adam").unwrap_err(),
            Code::FourEyes,
            "who put the definition is no second person"
        );
        assert_eq!(world.release(&plan, "hr").unwrap_err(), Code::FourEyes);
        world.clock.advance(Period::from_seconds(60));
    }
    let plan = world.waiting().unwrap();
    assert_eq!(world.release(&plan, "eve").unwrap().items[&ItemState::Done], 6);
    world.run();
    assert_eq!((world.active(), world.is_active(2)), (13, true));
}

#[test]
fn a_plan_has_accounts_and_memberships_together() {
    let world = World::new(20, app(&json!({"deprovision": {"memberships": "remove"}})));
    (0..12).for_each(|number| world.put(with(number, &json!({"permission_sets": ["Sales"]}))));
    world.run();
    assert_eq!(world.target.members("g1").len(), 12);
    let both = json!({"deprovision": {"memberships": "remove"}, "assigned_to": {"profiles": ["Typo"]}});
    assert_eq!(world.foretold(app(&both)).held.memberships, 12);
    world.put_app(app(&both));
    world.run();
    assert_eq!((world.active(), world.target.members("g1").len()), (20, 12));
    let plan = world.waiting().unwrap();
    let names: Vec<_> = plan.brake.iter().map(|reason| reason.name.as_str()).collect();
    assert_eq!((names, plan.items[&ItemState::Held]), (vec!["deactivations", "group_emptied"], 32));
    assert_eq!(world.release(&plan, "eve").unwrap().items[&ItemState::Done], 32);
    world.run();
    assert_eq!((world.active(), world.target.members("g1").len()), (0, 0));
}

#[test]
fn an_account_that_is_being_made_is_held_too() {
    let world = World::new(5, app(&json!({})));
    world.target.script_json(r#"[{"on": "create", "fault": "lost_reply"}]"#).unwrap();
    world.put(record(5));
    world.engine.run(&RunOptions::default()).unwrap();
    world.put_app(wrong());
    let plan = world.waiting().unwrap();
    assert_eq!(plan.items[&ItemState::Held], 6);
    world.clock.advance(Period::from_seconds(86_000));
    world.run();
    assert_eq!(world.active(), 6);
}

#[test]
fn protected_accounts_and_the_last_administrator_are_reasons_by_themselves() {
    let limits = json!({"brake": {"admins": ["3"]}, "protected": {"external_ids": ["1"]}});
    let world = World::new(50, app(&json!({})));
    world.put_app(app(&limits));
    let changed = |scope: &str| {
        let mut more = limits.clone();
        more["scope"] = json!(scope);
        app(&more)
    };
    let names = |plan: &Reconciliation| plan.brake.iter().map(|reason| reason.name.clone()).collect::<Vec<_>>();
    world.put_app(changed("user.number != 0"));
    let plan = world.waiting().unwrap();
    assert_eq!((names(&plan), plan.items[&ItemState::Held]), (vec!["protected".to_owned()], 1));
    world.put_app(changed("user.number != 2"));
    let plan = world.waiting().unwrap();
    assert_eq!((names(&plan), plan.items[&ItemState::Held]), (vec!["last_admin".to_owned()], 1));
    world.put_app(changed("user.number != 0 && user.number != 1"));
    let plan = world.waiting().unwrap();
    let released = world.release(&plan, "eve").unwrap();
    assert_eq!((released.items[&ItemState::Done], released.items[&ItemState::Refused]), (1, 1));
    world.run();
    assert_eq!((world.active(), world.is_active(0)), (49, true));
    // Later definitions are not held for it: this one took it away.
    world.put_app(changed("user.number != 0 && user.number != 1 && user.number != 4"));
    assert!(world.waiting().is_none());
    world.run();
    assert_eq!((world.active(), world.is_active(0)), (48, true));
}

#[test]
fn who_is_suspended_has_no_account_that_can_be_used_whatever_is_held() {
    let world = World::new(20, app(&json!({})));
    world.put_app(wrong());
    assert!(world.waiting().is_some());
    world.put(with(3, &json!({"frozen": true})));
    world.run();
    assert_eq!((world.active(), world.is_active(3)), (19, false));
}

#[test]
fn no_reconciliation_takes_away_what_a_second_person_was_asked_about() {
    let scoped = |scope: &str| app(&json!({"scope": scope, "reconcile": {"reactions": {"unqualified": "deactivate"}}}));
    let world = World::new(50, scoped("user.number >= 0"));
    // Three more after three are too many for a day, and three alone on the next one are not.
    world.put_app(scoped("user.number >= 3"));
    world.run();
    world.put_app(scoped("user.number >= 6"));
    let held = world.waiting().unwrap();
    world.clock.advance(Period::from_seconds(86_500));
    for _ in 0..3 {
        let found = world.engine.reconcile("crm", Some("carl")).unwrap();
        let done = world.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "carl").unwrap();
        assert_eq!(done.items.get(&ItemState::Done).copied().unwrap_or_default(), 0, "{:?}", done.items);
        world.run();
        assert_eq!((world.active(), world.waiting().map(|plan| plan.id)), (47, Some(held.id.clone())));
        world.clock.advance(Period::from_seconds(20_000));
    }
}

#[test]
fn other_ways_to_take_everybody_out_are_the_same_to_the_brake() {
    let nothing = |cause: &str| json!({"deprovision": {cause: {"action": "nothing"}}});
    // What happens to who has lost it.
    let world = World::new(20, app(&nothing("unassigned")));
    (0..20).for_each(|number| world.put(with(number, &json!({"profile": "Guests"}))));
    world.run();
    assert_eq!(world.active(), 20);
    world.put_app(app(&json!({})));
    world.run();
    assert_eq!((world.active(), world.waiting().unwrap().items[&ItemState::Held]), (20, 20));
    // Who is disabled by the own record leaves all the same.
    let world = World::new(20, app(&nothing("deactivated")));
    (0..20).for_each(|number| world.put(with(number, &json!({"active": false}))));
    world.put_app(app(&json!({})));
    world.run();
    assert_eq!((world.active(), world.waiting().is_none()), (0, true));
    // An app that was deleted finds its accounts when it comes back.
    let world = World::new(20, app(&json!({})));
    world.engine.delete_app("crm", None).unwrap();
    world.put_app(wrong());
    world.run();
    assert_eq!((world.active(), world.waiting().unwrap().items[&ItemState::Held]), (20, 20));
}

#[test]
fn what_is_deleted_sooner_is_counted_and_waits_until_then_as_before() {
    let later = |after: &str| {
        app(&json!({"operations": {"delete": true},
            "deprovision": {"unassigned": {"action": "disable_then_delete", "after": after}}}))
    };
    let world = World::new(20, later("P30D"));
    for number in 0..4 {
        world.put(with(number, &json!({"profile": "Guests"})));
    }
    world.run();
    assert_eq!((world.active(), world.target.accounts().len()), (16, 20));
    world.put_app(later("P1D"));
    let plan = world.waiting().unwrap();
    assert_eq!((plan.brake[0].name.as_str(), world.items(&plan)[0].reaction), ("deletes", Reaction::Delete));
    world.clock.advance(Period::from_seconds(2 * 86_400));
    world.run();
    assert_eq!(world.target.accounts().len(), 20);
    world.clock.advance(Period::from_seconds(29 * 86_400));
    world.run();
    assert_eq!(world.target.accounts().len(), 16, "what was decided before happens when it was to happen");
    assert_eq!(world.requests(Operation::Delete).len(), 4);
}

#[test]
fn what_was_released_can_be_undone() {
    let world = World::new(20, app(&json!({})));
    world.put_app(without(8));
    let plan = world.waiting().unwrap();
    world.release(&plan, "eve").unwrap();
    world.run();
    assert_eq!(world.active(), 12);
    let undo = world.engine.undo(plan.id.as_str(), "adam").unwrap();
    world.engine.commit(undo.id.as_str(), undo.digest.as_deref().unwrap(), "adam").unwrap();
    world.engine.run(&RunOptions::default()).unwrap();
    assert_eq!(world.active(), 20);
}

#[test]
fn what_definitions_took_counts_in_the_plans_of_a_day() {
    for (after, is_held) in [(86_000, true), (86_500, false)] {
        let scoped =
            |scope: &str| app(&json!({"scope": scope, "reconcile": {"reactions": {"unqualified": "deactivate"}}}));
        let world = World::new(6, scoped("user.number >= 0"));
        world.put_app(scoped("user.number >= 1"));
        world.run();
        assert_eq!((world.active(), world.waiting().is_none()), (5, true));
        // Somebody enables the account by hand.
        let account = world.target.accounts().into_iter().find(|account| !account.active).unwrap();
        world.target.put_account(rollkeeper::model::TargetAccount { active: true, ..account });
        world.clock.advance(Period::from_seconds(after));
        let found = world.engine.reconcile("crm", Some("adam")).unwrap();
        let counted = found.brake.iter().find(|reason| reason.name == "deactivations");
        assert_eq!(counted.map(|reason| (reason.count, reason.of)), is_held.then_some((2, 6)));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    users: usize,
    /// Whether accounts are deleted, and not disabled.
    #[serde(default)]
    deletes: bool,
    definitions: Vec<Definition>,
    /// How many accounts are held after each definition.
    held: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    /// How many of the first users have lost the app by it.
    lost: usize,
    after: Option<Period>,
}

#[test]
fn definitions_are_held_from_the_limits_on_as_was_foretold_also_where_it_drips() {
    let text = include_str!("../../tests/data/reconciliation/definitions.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 13);
    for case in cases {
        let ends = json!({"operations": {"delete": true}, "deprovision": {"unassigned": {"action": "delete"}}});
        let more = if case.deletes { ends } else { json!({}) };
        let world = World::new(case.users, app(&more));
        let mut at = Timestamp::from_micros(60_000_000);
        for (definition, held) in case.definitions.iter().zip(&case.held) {
            at = definition.after.map_or(at, |after| at.plus(after));
            world.clock.set(at);
            let mut more = more.clone();
            more["scope"] = json!(format!("user.number >= {}", definition.lost));
            let foretold = world.foretold(app(&more)).held;
            world.put_app(app(&more));
            let plan = world.waiting();
            let items = plan.as_ref().map_or(0, |plan| world.items(plan).len());
            assert_eq!(items, *held, "{}", case.description);
            assert_eq!(foretold.accounts, *held as u64, "{}", case.description);
            assert_eq!(foretold.brake, plan.map(|plan| plan.brake).unwrap_or_default(), "{}", case.description);
            world.run();
            assert_eq!(world.active(), case.users - definition.lost + held, "{}", case.description);
        }
    }
}

#[test]
fn no_definition_switches_off_its_own_brake() {
    let many = json!([{"percent": 50, "count": 100}]);
    let loose = || json!({"brake": {"deactivations": many}});
    let deletes = |limits: Value| json!({"operations": {"delete": true}, "deprovision": {"unassigned": {"action": "delete"}}, "brake": limits});
    let admins = |ids: &[&str]| json!({"brake": {"admins": ids}});
    let protected = |ids: &[&str]| json!({"protected": {"external_ids": ids}});
    // What the definition before has, what the new one has, how many of five lose the app by it, and why that is held.
    let cases = [
        (json!({}), loose(), 2, vec!["deactivations"]),
        (json!({}), loose(), 1, vec![]),
        (loose(), json!({}), 2, vec!["deactivations"]),
        (loose(), loose(), 2, vec![]),
        (deletes(json!({})), deletes(json!({"deletes": many})), 1, vec!["deletes"]),
        (deletes(json!({"deletes": many})), deletes(json!({"deletes": many})), 1, vec![]),
        // To allow deletions is not held for not having been allowed.
        (loose(), deletes(json!({"deletes": many, "deactivations": many})), 1, vec!["deletes"]),
        (admins(&["1"]), json!({}), 1, vec!["last_admin"]),
        (admins(&["1"]), admins(&["1", "5"]), 1, vec!["last_admin"]),
        (admins(&["1", "5"]), json!({}), 1, vec![]),
        (protected(&["1"]), json!({}), 1, vec!["protected"]),
        (protected(&["1"]), protected(&["1"]), 1, vec!["protected"]),
        (protected(&["2"]), json!({}), 1, vec![]),
    ];
    for (before, mut after, lost, reasons) in cases {
        after["scope"] = json!(format!("user.number >= {lost}"));
        for deletes_app in [false, true] {
            let world = World::new(5, app(&json!({})));
            world.put_app(app(&before));
            // Also where the app is deleted in between; nobody knows then who had the protected account.
            if deletes_app {
                world.engine.delete_app("crm", None).unwrap();
            }
            let foretold = world.foretold(app(&after)).held;
            world.put_app(app(&after));
            let brake = world.waiting().map(|plan| plan.brake).unwrap_or_default();
            let names: Vec<_> = brake.iter().map(|reason| reason.name.as_str()).collect();
            let is_untouched = deletes_app && after["protected"]["external_ids"] == json!(["1"]);
            let expected = if is_untouched { Vec::new() } else { reasons.clone() };
            assert_eq!(names, expected, "{before} to {after}, deleted: {deletes_app}");
            assert_eq!(foretold.brake, brake, "{before} to {after}, deleted: {deletes_app}");
        }
    }
}

#[test]
fn no_definition_loosens_the_brake_of_its_groups_for_itself() {
    let grant = |name: &str| json!({"grant": "permission_set", "name": name, "group": {"id": "g1"}});
    let both = json!([grant("Sales"), grant("Old")]);
    let loose = json!({"group_removals": [{"percent": 50, "count": 100}]});
    for (before, is_held) in [(json!({}), true), (loose.clone(), false)] {
        let world = World::new(12, app(&json!({"entitlements": both, "brake": before})));
        let set = |number: usize| if number < 10 { "Old" } else { "Sales" };
        (0..12).for_each(|number| world.put(with(number, &json!({"permission_sets": [set(number)]}))));
        world.run();
        assert_eq!(world.target.members("g1").len(), 12);
        let after = app(&json!({"entitlements": [grant("Sales")], "brake": loose}));
        let foretold = world.foretold(after.clone()).held;
        world.put_app(after);
        world.run();
        assert_eq!(foretold.memberships, if is_held { 10 } else { 0 });
        assert_eq!(world.waiting().map(|plan| plan.brake).unwrap_or_default(), foretold.brake);
        assert_eq!(world.target.members("g1").len(), if is_held { 12 } else { 2 });
    }
}
