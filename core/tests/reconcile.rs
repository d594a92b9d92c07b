//! Reconciliation from the first page to the last item: what is found, what is planned, what is done, and what is known
//! afterwards.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::Code;
use rollkeeper::connector::TargetAccount;
use rollkeeper::model::{
    AccountFilter, ItemState, LogFilter, PlanFilter, PlanItem, Reconciliation, SituationCounts, SnapshotVerdict, State,
    User,
};
use serde_json::{Value, json};

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
    world.mock().clear_calls();
    let found = reconcile(&world);
    assert_eq!((found.state, found.verdict), (State::Analyzed, Some(SnapshotVerdict::Complete)), "{found:?}");
    let expected =
        ["drifted 2", "confirmed 3", "orphaned 1", "ambiguous 2", "found 1", "missing 1", "absent 1", "out_of_scope 1"];
    assert_eq!(counts(&found.counts), expected);
    let planned = [
        "drifted drifted/2 report reported",
        "drifted disabled/6 report reported",
        "orphaned x-orphan report reported",
        "found found/x-found link planned",
        "ambiguous twin/y-1 report reported",
        "ambiguous twin/y-2 report reported",
        "absent absent report reported",
        "missing missing/3 report reported",
    ];
    assert_eq!(lines(&items(&world, &found)), planned);
    assert_eq!(world.calls(), ["list"], "nothing but the listing was asked for");
    assert_eq!((found.pages, found.collected), (1, 9));
}

#[test]
fn what_was_seen_is_known_after_the_commit_and_a_report_changes_nothing() {
    let world = zoo(&json!({}));
    let found = reconcile(&world);
    let before = known(&world);
    assert_eq!(before.len(), 6);
    let done = commit(&world, &found);
    assert_eq!(done.state, State::Completed);
    let expected = [
        "1 confirmed Linked Active",
        "2 drifted Linked Active",
        "3 missing Linked Active",
        "4 leaver Linked Active",
        "5 gone Linked Active",
        "6 disabled Linked Active",
        "x-found found Linked Active",
        "x-orphan nobody Orphaned Active",
        "y-1 nobody Duplicate Active",
        "y-2 nobody Duplicate Active",
    ];
    assert_eq!(known(&world), expected);
    // What was told and not acted upon makes nothing happen when the same records and the same app come again.
    world.mock().clear_calls();
    for id in ["confirmed", "drifted", "missing", "disabled"] {
        user(&world, id, &json!({"title": "Dr"}));
    }
    world.run();
    assert_eq!(world.calls(), [""; 0]);
    let last = world.engine.reconciliation(done.id.as_str()).unwrap();
    assert_eq!(last.items[&ItemState::Done], 1);
    assert!(last.finished_at.is_some());
}

#[test]
fn each_reaction_does_what_it_says_once_the_requests_are_sent() {
    let reactions = json!({"drifted": "update", "missing": "create", "absent": "create", "orphaned": "ignore",
        "found": "update", "ambiguous": "ignore"});
    let world = zoo(&reactions);
    world.put_app(&keys(&reactions));
    world.run();
    // The requests that the disabled app had kept are done now, and only what the target changed by itself is left.
    account(&world, "x-late", "late", true);
    let found = reconcile(&world);
    let done = commit(&world, &found);
    assert_eq!(done.state, State::Completed, "{:#?}", items(&world, &done));
    world.mock().clear_calls();
    world.run();
    let mut calls = world.calls();
    calls.retain(|call| ["update", "create", "activate"].contains(&call.as_str()));
    calls.sort();
    assert_eq!(calls, ["activate", "create", "update"]);
    let accounts = world.mock().accounts();
    let of = |name: &str| accounts.iter().find(|one| one.username.as_deref() == Some(name)).unwrap();
    assert_eq!(of("drifted").attributes["title"], "Dr");
    assert!(of("disabled").active);
    assert!(of("missing").active);
    let ignored = known(&world).into_iter().filter(|line| line.contains("Ignored")).count();
    assert_eq!(ignored, 4, "{:#?}", known(&world));
    // Once everything is in line, there is nothing left to do and nothing left to note.
    let again = commit(&world, &reconcile(&world));
    let rows = world.engine.accounts(&AccountFilter::default()).unwrap();
    world.clock.advance(rollkeeper::Period::from_seconds(60));
    let last = commit(&world, &reconcile(&world));
    assert_eq!(again.counts, last.counts);
    assert_eq!(world.engine.accounts(&AccountFilter::default()).unwrap(), rows, "no account row was written");
}

#[test]
fn only_the_plan_that_was_made_is_carried_out() {
    let world = zoo(&json!({}));
    let found = reconcile(&world);
    let refused = world.engine.commit(found.id.as_str(), &"0".repeat(64), "ann").unwrap_err();
    assert_eq!(refused.code(), Code::PlanChanged);
    assert_eq!(known(&world).len(), 6);
    // The app is another one: so is the plan.
    world.put_app(&with(keys(&json!({"found": "report"})), json!({"enabled": false})));
    let refused = world.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap_err();
    assert_eq!(refused.code(), Code::PlanChanged);
    assert_eq!(world.engine.commit("nobody", "x", "ann").unwrap_err().code(), Code::NotFound);
}

#[test]
fn an_item_whose_user_changed_is_refused_and_named_and_the_others_are_done() {
    let world = zoo(&json!({"drifted": "update"}));
    let found = reconcile(&world);
    user(&world, "drifted", &json!({"title": "Prof"}));
    let done = commit(&world, &found);
    let refused = items(&world, &done).into_iter().find(|item| item.state == ItemState::Refused).unwrap();
    assert_eq!(refused.finding.user.as_deref(), Some("drifted"));
    let fault = refused.fault.unwrap();
    assert_eq!(fault.code, Code::ItemChanged);
    assert!(fault.message.contains("`drifted`"), "{}", fault.message);
    assert_eq!(done.items[&ItemState::Done], 2, "{done:?}");
}

#[test]
fn a_plan_that_was_not_committed_gives_way_to_the_next() {
    let world = zoo(&json!({}));
    let first = reconcile(&world);
    let second = reconcile(&world);
    assert_ne!(first.id, second.id);
    let first = world.engine.reconciliation(first.id.as_str()).unwrap();
    assert_eq!((first.state, first.items.get(&ItemState::Planned)), (State::Cancelled, None));
    let refused = world.engine.commit(first.id.as_str(), first.digest.as_deref().unwrap(), "ann").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidTransition);
    assert_eq!(world.engine.reconciliations(&Default::default()).unwrap().len(), 2);
}

#[test]
fn a_reconciliation_taken_back_leaves_everything_as_it_was() {
    let world = zoo(&json!({}));
    let before = (known(&world), world.requests());
    let found = reconcile(&world);
    let request = world.engine.cancel(found.id.as_str(), Some("ann")).unwrap();
    assert_eq!(request.state, State::Cancelled);
    assert_eq!(known(&world), before.0);
    assert_eq!(world.engine.reconciliation(found.id.as_str()).unwrap().state, State::Cancelled);
    let refused = world.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidTransition);
}

#[test]
fn an_incomplete_listing_links_nothing_and_concludes_nothing_from_absence() {
    let world = zoo(&json!({"missing": "create", "absent": "create"}));
    world.script(&json!([{"on": "list", "fault": "incomplete"}]));
    let found = reconcile(&world);
    assert_eq!(found.verdict, Some(SnapshotVerdict::Incomplete));
    assert_eq!(found.items.get(&ItemState::Planned), None, "{:?}", lines(&items(&world, &found)));
    assert!(!counts(&found.counts).iter().any(|line| line.starts_with("missing") || line.starts_with("absent")));
}

#[test]
fn a_target_that_fails_is_asked_again_and_then_the_reconciliation_fails() {
    let world = zoo(&json!({}));
    world.script(&json!([{"on": "list", "fault": "unreachable", "times": 2}]));
    assert_eq!(reconcile(&world).state, State::Analyzed);
    world.script(&json!([{"on": "list", "fault": "unreachable", "times": 100}]));
    let failed = reconcile(&world);
    assert_eq!((failed.state, failed.faults[0].code), (State::Failed, Code::Unreachable));
    world.mock().script_json("[]").unwrap();
    let clone = world.engine.retry(failed.id.as_str(), "ann").unwrap();
    assert_eq!(clone.parent_id.as_ref(), Some(&failed.id));
    assert_eq!(world.engine.request(failed.id.as_str()).unwrap().request.state, State::Retried);
}

#[test]
fn what_we_ourselves_are_at_is_not_concluded_of() {
    let world = zoo(&json!({"missing": "create", "absent": "create", "drifted": "update"}));
    world.put_app(&keys(&json!({"missing": "create", "absent": "create", "drifted": "update"})));
    world.run();
    // A request that is not done yet: the account may still be made.
    world.script(&json!([{"on": "create", "fault": "late"}]));
    user(&world, "fresh", &json!({}));
    world.run();
    let found = reconcile(&world);
    let fresh = items(&world, &found).into_iter().find(|item| item.finding.user.as_deref() == Some("fresh"));
    if let Some(fresh) = fresh {
        assert_eq!((fresh.state, fresh.reaction.name()), (ItemState::Reported, "report"));
        assert!(fresh.why[0].contains("is open"), "{:?}", fresh.why);
    }
}

#[test]
fn every_step_is_logged_once() {
    let world = zoo(&json!({}));
    let found = reconcile(&world);
    commit(&world, &found);
    let entries = world.engine.log(&LogFilter { request: Some(found.id.to_string()), ..LogFilter::default() }).unwrap();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    let expected = [
        "decided",
        "collecting",
        "collected",
        "analyzing",
        "analyzed",
        "committing",
        "linked",
        "reconciled",
        "completed",
    ];
    assert_eq!(kinds, expected);
    assert!(world.engine.verify_log().unwrap().whole);
}

#[test]
fn why_a_user_has_what_they_have_tells_of_the_last_finding() {
    let world = zoo(&json!({}));
    let found = reconcile(&world);
    let told = world.engine.explain("crm", "drifted").unwrap();
    let step = told.steps.iter().find(|step| step.step == "match").unwrap();
    let finding = &step.found["reconciled"];
    assert_eq!((&finding["situation"], &finding["reconciliation"]), (&json!("drifted"), &json!(found.id)));
    assert!(!serde_json::to_string(&told).unwrap().contains("\"Mr\""), "no value is told");
}

/// A listing that leaves an account out, at a target that cannot search: a Create would make a second account.
#[test]
fn an_account_that_a_listing_does_not_show_is_read_before_another_is_made() {
    let hidden = json!({"on": "list", "fault": "hidden", "user": "lost"});
    let unread = json!({"on": "read", "fault": "unreachable"});
    let cases = [
        (json!([hidden]), false, ItemState::Reported, None),
        (json!([hidden, unread]), false, ItemState::Refused, Some(Code::Unreachable)),
        (json!([]), true, ItemState::Done, None),
    ];
    for (script, gone, state, fault) in cases {
        let blind = json!({"connector": {"kind": "mock", "settings": {"search": false}}});
        let world = World::new(&with(keys(&json!({"missing": "create"})), blind));
        user(&world, "lost", &json!({}));
        user(&world, "there", &json!({}));
        world.run();
        world.clock.advance(rollkeeper::Period::from_seconds(60));
        let before = known(&world);
        let lost = world.mock().accounts().remove(0);
        assert_eq!(lost.username.as_deref(), Some("lost"));
        if gone {
            world.mock().remove_account(&lost.external_id);
        }
        world.script(&script);
        let found = reconcile(&world);
        assert_eq!(
            (counts(&found.counts), found.verdict),
            (vec!["confirmed 1".to_owned(), "missing 1".to_owned()], Some(SnapshotVerdict::Complete))
        );
        assert_eq!(commit(&world, &found).state, State::Completed);
        let item = items(&world, &found).remove(0);
        assert_eq!((item.state, item.fault.as_ref().map(|fault| fault.code)), (state, fault));
        world.run();
        assert_eq!(world.mock().accounts().len(), 2, "{:?}", world.mock().accounts());
        match state {
            ItemState::Done => assert!(world.mock().accounts().iter().all(|one| one.external_id != lost.external_id)),
            _ => assert_eq!(known(&world), before, "the link is as it was"),
        }
        match state {
            ItemState::Reported => {
                assert!(item.why.last().unwrap().contains("it is there when it is read, and active"), "{:?}", item.why);
                assert!(world.logged("reported", "it is there when it is read"));
            }
            ItemState::Refused => {
                let message = item.fault.unwrap().message;
                assert!(
                    message.contains(&format!("the user `lost` and the account `{}`", lost.external_id)),
                    "{message}"
                );
            }
            _ => {}
        }
    }
}
