//! What was done is undone: every value before is back at the target where the target allows, and what cannot be had back is
//! told.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::connector::TargetAccount;
use rollkeeper::model::{
    AccountFilter, AccountStatus, ItemState, PlanFilter, PlanItem, Reconciliation, ReconciliationKind, State, User,
};
use rollkeeper::testing::MockTarget;
use rollkeeper::{Code, Operation, Period};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Nothing is held: what the brake does to an undo has a test of its own.
fn loose() -> Value {
    json!({
        "deactivations": [{"percent": 50, "count": 100}], "deletes": [{"percent": 50, "count": 100}],
        "same_attribute": [{"percent": 50, "count": 100}], "observed_apart": "PT1M",
    })
}

fn keys(more: &Value) -> Value {
    let mut keys = json!({
        "matching": [{"all": [{"user": "username", "account": "userName"}]}],
        "mapping": [
            {"target": "userName", "source": "username", "required": true},
            {"target": "title", "source": "title", "strength": "strong", "on_null": "clear"},
            {"target": "name.familyName", "source": "family", "strength": "strong"},
            {"target": "emails[type eq \"work\"].value", "source": "mail", "strength": "strong"},
        ],
        "brake": loose(), "operations": {"delete": true},
    });
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    keys
}

fn user(world: &World, id: &str, more: &Value) {
    let mut user = json!({"id": id, "username": id, "profile": "Employees", "active": true});
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

fn commit(world: &World, plan: &Reconciliation, by: &str) -> Reconciliation {
    let committed = world.engine.commit(plan.id.as_str(), plan.digest.as_deref().unwrap(), by).unwrap();
    world.run();
    committed
}

fn items(world: &World, plan: &Reconciliation) -> Vec<PlanItem> {
    world.engine.plan(plan.id.as_str(), &PlanFilter { limit: Some(10_000), ..PlanFilter::default() }).unwrap()
}

/// What an account is like at the target.
type Shown = (bool, bool, Value);

fn target(mock: &MockTarget) -> BTreeMap<String, Shown> {
    let shown = |account: TargetAccount| {
        (account.external_id, (account.active, account.frozen, Value::Object(account.attributes)))
    };
    mock.accounts().into_iter().map(shown).collect()
}

/// Whose each account is, as the engine knows.
fn owners(world: &World) -> BTreeMap<String, String> {
    let accounts = world.engine.accounts(&AccountFilter::default()).unwrap();
    let living = accounts.into_iter().filter(|account| account.status != AccountStatus::Deleted);
    living.filter_map(|account| Some((account.external_id, account.user?.to_string()))).collect()
}

/// A plan in short, for failures.
fn lines(items: &[PlanItem]) -> String {
    let line = |item: &PlanItem| {
        let about = [item.finding.user.as_deref(), item.finding.account.as_deref()].map(|id| id.unwrap_or("-"));
        let fault = item.fault.as_ref().map(|fault| fault.message.as_str()).unwrap_or_default();
        let (reaction, state) = (item.reaction.name(), item.state.name());
        let changes = json!(item.changes);
        format!("{} {} {reaction} {state} {changes} {:?} {fault}\n", item.number, about.join("/"), item.why)
    };
    items.iter().map(line).collect()
}

/// Numbers at random, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// A target at which things went on behind the engine's back.
fn drifted_world(chance: &mut Chance) -> World {
    let reactions = json!({
        "drifted": "update", "unqualified": chance.one(&["deactivate", "deactivate", "delete", "unlink"]),
        "orphaned": chance.one(&["deactivate", "deactivate", "delete", "ignore"]),
        "found": chance.one(&["link", "update"]), "missing": "create",
    });
    let reconcile = json!({"reconcile": {"reactions": reactions}});
    let world = World::new(&keys(&reconcile));
    let count = 3 + chance.below(6);
    for number in 0..count {
        let record = record(chance);
        user(&world, &format!("u{number}"), &record);
    }
    world.run();
    let mock = world.mock();
    for (number, account) in mock.accounts().into_iter().enumerate() {
        disturb(&world, chance, number, account);
    }
    for number in 0..chance.below(3) {
        let account = json!({
            "external_id": format!("o{number}"), "username": format!("o{number}"), "active": chance.below(4) > 0,
            "attributes": {"userName": format!("o{number}"), "title": "Ghost"},
        });
        mock.put_account(serde_json::from_value(account).unwrap());
    }
    match chance.below(2) {
        0 => world.put_app(&keys(&reconcile)),
        _ => join(&world, chance, &reconcile),
    }
    world
}

/// Some join and have an account already, and no account may be made.
fn join(world: &World, chance: &mut Chance, reconcile: &Value) {
    let mut off = keys(reconcile);
    off["operations"] = json!({"create": false, "delete": true});
    world.put_app(&off);
    for number in 0..chance.below(3) {
        let id = format!("f{number}");
        let record = record(chance);
        user(world, &id, &record);
        let account = json!({"external_id": id, "username": id, "frozen": chance.below(5) == 0,
            "attributes": {"userName": id, "title": chance.one(&["Nurse", "Intern"])}});
        world.mock().put_account(serde_json::from_value(account).unwrap());
    }
}

fn record(chance: &mut Chance) -> Value {
    let mut record =
        json!({"family": chance.one(&["Ash", "Birch"]), "mail": chance.one(&["a@example.com", "b@example.com"])});
    if chance.below(3) > 0 {
        record["title"] = json!(chance.one(&["Nurse", "Doctor"]));
    }
    record
}

fn disturb(world: &World, chance: &mut Chance, number: usize, mut account: TargetAccount) {
    if chance.below(8) == 0 {
        world.mock().remove_account(&account.external_id);
        return;
    }
    for _ in 0..chance.below(3) {
        let attributes = &mut account.attributes;
        match chance.below(8) {
            0 => drop(attributes.insert("title".to_owned(), json!("Chief"))),
            1 => drop(attributes.remove("title")),
            2 => drop(attributes.insert("name".to_owned(), json!({"familyName": "Oak", "givenName": "Ada"}))),
            3 => drop(attributes.insert("emails".to_owned(), json!([{"type": "home", "value": "h@example.com"}]))),
            4 => drop(attributes.remove("name")),
            5 => account.active = false,
            6 => account.frozen = true,
            _ => {
                user(world, &format!("u{number}"), &json!({"profile": "Guests", "family": "Ash"}));
                world.run();
                account.active = true;
            }
        }
    }
    world.mock().put_account(account);
}

/// Reconciles twice, so that what is inferred is found twice, and commits.
fn reconcile(world: &World) -> Reconciliation {
    world.engine.reconcile("crm", Some("ann")).unwrap();
    world.clock.advance(Period::from_seconds(61));
    let plan = world.engine.reconcile("crm", Some("ann")).unwrap();
    assert_eq!(plan.state, State::Analyzed, "{plan:?}");
    commit(world, &plan, "ann")
}

/// The accounts about which an undo says that something cannot be had back.
fn told(items: &[PlanItem]) -> BTreeSet<String> {
    let refused = items.iter().filter(|item| item.state == ItemState::Refused);
    refused.filter_map(|item| item.finding.account.clone()).collect()
}

fn undo_and_compare(seed: u64) -> (usize, usize) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let world = drifted_world(&mut chance);
    let mock = world.mock();
    let (before, owned_before) = (target(&mock), owners(&world));
    let done = reconcile(&world);
    assert_eq!(done.state, State::Completed, "{seed}: {done:?}");
    let (after, owned_after) = (target(&mock), owners(&world));

    let undo = world.engine.undo(done.id.as_str(), "eve").unwrap();
    assert_eq!((undo.kind, undo.state), (ReconciliationKind::Undo, State::Analyzed), "{seed}");
    assert_eq!(target(&mock), after, "{seed}: planning changes nothing");
    let planned = items(&world, &undo);
    let first_done = planned.iter().position(|item| item.state != ItemState::Refused).unwrap_or(planned.len());
    assert!(planned[first_done..].iter().all(|item| item.state != ItemState::Refused), "{seed}: refusals come first");
    let told = told(&planned);
    let undone = commit(&world, &undo, "eve");
    assert_eq!(undone.state, State::Completed, "{seed}: {undone:?}");
    assert_eq!(
        undone.items.get(&ItemState::Refused).copied().unwrap_or(0),
        told.len() as u64,
        "{seed}: {}",
        lines(&items(&world, &undo))
    );

    let restored = target(&mock);
    for (id, was) in &before {
        // What cannot be had back was deleted, and told.
        match restored.get(id) {
            Some(is) => assert_eq!(
                is,
                was,
                "{seed}: account {id}\n{}{}",
                lines(&items(&world, &done)),
                lines(&items(&world, &undo))
            ),
            None => assert!(told.contains(id) && !after.contains_key(id), "{seed}: account {id}"),
        }
    }
    for (id, is) in restored.iter().filter(|(id, _)| !before.contains_key(*id)) {
        assert!(!is.0, "{seed}: an account that was made stays and is disabled: {id}");
    }
    let kept = |owners: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        let kept = owners.iter().filter(|(id, _)| restored.contains_key(*id) && before.contains_key(*id));
        kept.map(|(id, user)| (id.clone(), user.clone())).collect()
    };
    let owned = owners(&world);
    assert_eq!(kept(&owned), kept(&owned_before), "{seed}: links\n{}", lines(&items(&world, &undo)));

    let twice = world.engine.undo(done.id.as_str(), "eve").unwrap_err();
    assert_eq!(twice.code(), Code::CannotBeUndone, "{seed}");

    // Undone in turn, everything is as it was after the batch.
    let again = world.engine.undo(undo.id.as_str(), "ann").unwrap();
    commit(&world, &again, "ann");
    assert_eq!(target(&mock), after, "{seed}: {}", lines(&items(&world, &again)));
    assert_eq!(owners(&world), owned_after, "{seed}");
    assert!(world.engine.verify_log().is_ok());
    (planned.iter().filter(|item| item.state == ItemState::Planned).count(), told.len())
}

/// Undoes a fourth of the batches; `UNDO_BATCHES` tells how many there are in all.
fn batches(quarter: u64) {
    let all = std::env::var("UNDO_BATCHES").ok().map_or(80, |count| count.parse().unwrap());
    let seeds: Vec<u64> = (1..=all).filter(|seed| seed % 4 == quarter).collect();
    let (mut planned, mut refused) = (0, 0);
    for seed in &seeds {
        let (one, other) = undo_and_compare(*seed);
        (planned, refused) = (planned + one, refused + other);
    }
    let count = seeds.len();
    assert!(count >= 10 && planned > 2 * count && refused > count / 20, "{planned} undone, {refused} refused");
}

#[test]
fn a_fourth_of_all_batches_is_undone() {
    batches(0);
}

#[test]
fn another_fourth_is_undone() {
    batches(1);
}

#[test]
fn a_third_fourth_is_undone() {
    batches(2);
}

#[test]
fn and_the_last_fourth_is_undone() {
    batches(3);
}

/// The ids of the requests with that operation, oldest first.
fn requests(world: &World, operation: Operation) -> Vec<String> {
    let of = world.all().into_iter().filter(|request| request.operation == operation);
    of.map(|request| request.id.to_string()).collect()
}

fn plan_lines(world: &World, plan: &Reconciliation) -> Vec<String> {
    let line = |item: &PlanItem| {
        let fault = item.fault.as_ref().map(|fault| format!(" {}: {}", fault.code.name(), fault.message));
        let values = json!([item.changes, item.before]);
        let values = if item.changes.is_empty() { String::new() } else { format!(" {values}") };
        format!("{} {}{values}{}", item.reaction.name(), item.state.name(), fault.unwrap_or_default())
    };
    items(world, plan).iter().map(line).collect()
}

#[test]
fn a_single_update_is_undone_and_nothing_is_sent_before_the_commit() {
    let world = World::new(&keys(&json!({})));
    user(&world, "u1", &json!({"title": "Nurse"}));
    world.run();
    user(&world, "u1", &json!({"title": "Doctor", "family": "Ash"}));
    world.run();
    let update = &requests(&world, Operation::Update)[0];
    let plan = world.engine.undo(update, "eve").unwrap();
    let values = concat!(
        r#"[[{"op":"remove","path":"name.familyName"},{"op":"replace","path":"title","value":"Nurse"}],"#,
        r#"{"name.familyName":"Ash","title":"Doctor"}]"#
    );
    assert_eq!(plan_lines(&world, &plan), [format!("update planned {values}")]);
    world.run();
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("Doctor"));
    commit(&world, &plan, "eve");
    let attributes = &world.mock().accounts()[0].attributes;
    assert_eq!((attributes["title"].clone(), attributes.get("name")), (json!("Nurse"), None));
    // Nothing puts it there again but a newer record.
    user(&world, "u1", &json!({"title": "Doctor", "family": "Ash"}));
    world.run();
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("Nurse"));
}

#[test]
fn an_account_that_was_made_is_disabled_and_one_that_was_found_is_unlinked() {
    let world = World::new(&keys(&json!({})));
    let account = json!({"external_id": "x", "username": "u2", "attributes": {"userName": "u2"}});
    world.mock().put_account(serde_json::from_value(account).unwrap());
    for id in ["u1", "u2"] {
        user(&world, id, &json!({}));
        world.run();
    }
    let created = requests(&world, Operation::Create);
    let made = world.engine.undo(&created[0], "eve").unwrap();
    assert_eq!(plan_lines(&world, &made), ["deactivate planned"]);
    assert!(items(&world, &made)[0].why.iter().any(|why| why.contains("stays")));
    commit(&world, &made, "eve");
    let found = world.engine.undo(&created[1], "eve").unwrap();
    assert_eq!(plan_lines(&world, &found), ["unlink planned"]);
    commit(&world, &found, "eve");
    assert_eq!(world.accounts(), ["u2 active", "u1 disabled"]);
    assert_eq!(owners(&world).keys().collect::<Vec<_>>(), ["1"]);
}

#[test]
fn what_cannot_be_undone_is_refused_with_its_reason() {
    let world = World::new(&keys(&json!({})));
    user(&world, "u1", &json!({"title": "Nurse"}));
    world.run();
    user(&world, "u1", &json!({"title": "Doctor"}));
    world.run();
    user(&world, "u1", &json!({"title": "Chief"}));
    world.run();
    let updates = requests(&world, Operation::Update);
    let plan = world.engine.undo(&updates[0], "eve").unwrap();
    let reason = "`title`: its value is no longer the one that was written";
    assert_eq!(plan_lines(&world, &plan), [format!("report refused cannot_be_undone: {reason}")]);
    let code = |id: &str| world.engine.undo(id, "eve").unwrap_err().code();
    assert_eq!(code("019b76da-0000-7000-8000-000000000000"), Code::NotFound);
    world.engine.submit("crm", "u1", Operation::Delete, Some("ann"), None).unwrap();
    let delete = requests(&world, Operation::Delete)[0].clone();
    assert_eq!(code(&delete), Code::InvalidTransition, "it was not sent yet");
    world.run();
    let plan = world.engine.undo(&delete, "eve").unwrap();
    assert!(plan_lines(&world, &plan)[0].starts_with("report refused cannot_be_undone: the account was deleted"));
    let plan = world.engine.undo(&updates[1], "eve").unwrap();
    assert!(plan_lines(&world, &plan)[0].ends_with("the account is gone since"));
}

#[test]
fn what_somebody_else_changed_at_the_target_is_not_overwritten() {
    let world = World::new(&keys(&json!({})));
    user(&world, "u1", &json!({"title": "Nurse"}));
    world.run();
    user(&world, "u1", &json!({"title": "Doctor"}));
    world.run();
    let plan = world.engine.undo(&requests(&world, Operation::Update)[0], "eve").unwrap();
    // Behind the engine's back, after the plan was made.
    let mut account = world.mock().accounts().remove(0);
    account.attributes.insert("title".to_owned(), json!("Dean"));
    world.mock().put_account(account);
    commit(&world, &plan, "eve");
    assert_eq!(world.mock().accounts()[0].attributes["title"], json!("Dean"));
    assert_eq!(world.requests().last().unwrap(), "Update Failed cannot_be_undone");
}

#[test]
fn a_plan_that_was_not_committed_gives_way_to_another_and_the_committed_one_to_none() {
    let world = World::new(&keys(&json!({})));
    user(&world, "u1", &json!({}));
    world.run();
    let created = requests(&world, Operation::Create)[0].clone();
    let first = world.engine.undo(&created, "eve").unwrap();
    let second = world.engine.undo(&created, "eve").unwrap();
    assert_eq!(world.engine.reconciliation(first.id.as_str()).unwrap().state, State::Cancelled);
    let old = world.engine.commit(first.id.as_str(), first.digest.as_deref().unwrap(), "eve").unwrap_err();
    assert_eq!(old.code(), Code::InvalidTransition);
    commit(&world, &second, "eve");
    assert_eq!(world.engine.undo(&created, "eve").unwrap_err().code(), Code::CannotBeUndone);
}

#[test]
fn an_undo_goes_through_the_brake_and_is_released_by_a_second_person() {
    let world = World::new(&keys(&json!({"brake": {}, "reconcile": {"reactions": {"found": "link"}}})));
    for number in 0..10 {
        user(&world, &format!("u{number}"), &json!({"title": "Nurse"}));
    }
    world.run();
    let mut off = keys(&json!({"brake": {}, "reconcile": {"reactions": {"found": "link"}}}));
    off["operations"] = json!({"create": false});
    world.put_app(&off);
    for number in 0..6 {
        let id = format!("f{number}");
        user(&world, &id, &json!({}));
        let account = json!({"external_id": id, "username": id, "attributes": {"userName": id}});
        world.mock().put_account(serde_json::from_value(account).unwrap());
    }
    let done = reconcile(&world);
    assert_eq!(owners(&world).len(), 16);
    let undo = world.engine.undo(done.id.as_str(), "eve").unwrap();
    assert_eq!(undo.items, [(ItemState::Held, 6)].into());
    assert_eq!(undo.brake.iter().map(|reason| reason.name.as_str()).collect::<Vec<_>>(), ["unlinks"]);
    commit(&world, &undo, "eve");
    assert_eq!(owners(&world).len(), 16);
    let digest = undo.digest.as_deref().unwrap();
    let alone = world.engine.release(undo.id.as_str(), digest, "eve").unwrap_err();
    assert_eq!(alone.code(), Code::FourEyes);
    let released = world.engine.release(undo.id.as_str(), digest, "ann").unwrap();
    assert_eq!((released.state, owners(&world).len()), (State::Completed, 10));
}

#[test]
fn an_undo_that_was_not_committed_is_taken_back() {
    let world = World::new(&keys(&json!({})));
    user(&world, "ada", &json!({"title": "Dr"}));
    world.run();
    let create = world.all().remove(0);
    let plan = world.engine.undo(create.id.as_str(), "ann").unwrap();
    let told = world.engine.cancel(plan.id.as_str(), Some("ann")).unwrap();
    assert_eq!((told.id.as_str(), told.app.as_str(), told.state), (plan.id.as_str(), "crm", State::Cancelled));
    let row = world.engine.reconciliation(plan.id.as_str()).unwrap();
    assert_eq!((row.state, row.items.get(&ItemState::Expired).copied()), (State::Cancelled, Some(1)));
    let refused = world.engine.commit(plan.id.as_str(), plan.digest.as_deref().unwrap(), "ann").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidTransition);
    // It stands in nobody's way, and one that was committed is not taken back.
    let plan = world.engine.undo(create.id.as_str(), "ann").unwrap();
    assert_eq!(commit(&world, &plan, "ann").state, State::Completed);
    assert_eq!(world.engine.cancel(plan.id.as_str(), None).unwrap_err().code(), Code::InvalidTransition);
    assert_eq!(world.engine.cancel("nothing", None).unwrap_err().code(), Code::NotFound);
}
