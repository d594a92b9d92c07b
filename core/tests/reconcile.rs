//! Reconciliation from the first page to the last item: what is found, what is planned, what is done, and what is known
//! afterwards.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod world;

use rollkeeper::Code;
use rollkeeper::connector::TargetAccount;
use rollkeeper::model::{
    AccountFilter, ItemState, LinkState, LogFilter, PlanFilter, PlanItem, Reconciliation, SituationCounts,
    SnapshotVerdict, State, User,
};
use serde_json::{Value, json};
use world::World;

const MATCHING: &str = "userName";

/// An app that matches by name and does about each situation what `reactions` say.
fn keys(reactions: &Value) -> Value {
    json!({
        "matching": [{"all": [{"user": "username", "account": MATCHING, "normalize": ["casefold"]}]}],
        "reconcile": {"reactions": reactions},
        "mapping": [
            {"target": "userName", "source": "username", "required": true},
            {"target": "title", "source": "title", "strength": "strong"},
        ],
    })
}

fn user(world: &World, id: &str, more: &Value) {
    let mut user = json!({"id": id, "username": id, "profile": "Employees", "active": true});
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

fn account(world: &World, id: &str, name: &str, active: bool) {
    let account = json!({"external_id": id, "username": name, "active": active, "attributes": {"userName": name}});
    world.mock().put_account(serde_json::from_value::<TargetAccount>(account).unwrap());
}

fn reconcile(world: &World) -> Reconciliation {
    world.engine.reconcile("crm", Some("ann")).unwrap()
}

fn commit(world: &World, found: &Reconciliation) -> Reconciliation {
    world.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap()
}

/// The situations that were found at all.
fn counts(counts: &SituationCounts) -> Vec<String> {
    counts.0.iter().filter(|(_, count)| **count > 0).map(|(one, count)| format!("{} {count}", one.name())).collect()
}

fn items(world: &World, found: &Reconciliation) -> Vec<PlanItem> {
    world.engine.plan(found.id.as_str(), &PlanFilter::default()).unwrap()
}

fn lines(items: &[PlanItem]) -> Vec<String> {
    let line = |item: &PlanItem| {
        let about = [item.finding.user.as_deref(), item.finding.account.as_deref()];
        let about: Vec<&str> = about.into_iter().flatten().collect();
        format!("{} {} {} {}", item.finding.situation.name(), about.join("/"), item.reaction.name(), item.state.name())
    };
    items.iter().map(line).collect()
}

/// Every account that is known, with what the engine knows.
fn known(world: &World) -> Vec<String> {
    let accounts = world.engine.accounts(&AccountFilter::default()).unwrap();
    let line = |account: &rollkeeper::model::Account| {
        let owner = account.user.as_ref().map_or("nobody", |user| user.as_str());
        format!("{} {owner} {} {}", account.external_id, account.link_state.name(), account.status.name())
    };
    accounts.iter().map(line).collect()
}

/// One user and account of every situation that a target can show.
fn zoo(reactions: &Value) -> World {
    let world = World::new(&keys(reactions));
    for id in ["confirmed", "drifted", "missing", "leaver", "gone", "disabled"] {
        user(&world, id, &json!({"title": "Dr"}));
    }
    world.run();
    assert_eq!(world.mock().accounts().len(), 6);
    let id_of = |name: &str| {
        let accounts = world.mock().accounts();
        accounts.into_iter().find(|account| account.username.as_deref() == Some(name)).unwrap()
    };
    // Behind the engine's back.
    let mut drifted = id_of("drifted");
    drifted.attributes.insert("title".to_owned(), json!("Mr"));
    world.mock().put_account(drifted);
    let mut disabled = id_of("disabled");
    disabled.active = false;
    world.mock().put_account(disabled);
    world.mock().remove_account(&id_of("missing").external_id);
    // Nothing of what follows reaches the target.
    world.put_app(&with(keys(reactions), json!({"enabled": false})));
    user(&world, "absent", &json!({}));
    account(&world, "x-orphan", "nobody", true);
    user(&world, "found", &json!({}));
    account(&world, "x-found", "FOUND", true);
    for id in ["y-1", "y-2"] {
        account(&world, id, "twin", true);
    }
    user(&world, "twin", &json!({}));
    user(&world, "stranger", &json!({"profile": "Guests"}));
    world
}

fn with(mut keys: Value, more: Value) -> Value {
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    keys
}

#[test]
fn every_account_and_user_is_found_in_its_situation() {
    let world = zoo(&json!({}));
    let found = reconcile(&world);
    assert_eq!((found.state, found.verdict), (State::Analyzed, Some(SnapshotVerdict::Complete)), "{found:?}");
    println!("{:#?}", lines(&items(&world, &found)));
    println!("{:#?}", counts(&found.counts));
}
