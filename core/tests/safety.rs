//! What can hurt: access that comes back behind our back, what a listing alone says, releases, and what is not kept.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::world::World;
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, Page, TargetAccount, mock::MockTarget};
use rollkeeper::model::{ItemState, PlanFilter, PlanItem, Reconciliation, SnapshotVerdict, State};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Period};
use serde_json::{Value, json};
use std::sync::Arc;

fn keys(reactions: &Value) -> Value {
    json!({
        "matching": [{"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]}],
        "reconcile": {"reactions": reactions},
        "mapping": [{"target": "userName", "source": "username", "required": true}],
    })
}

fn reconcile(world: &World) -> Reconciliation {
    let found = world.engine.reconcile("crm", Some("ann")).unwrap();
    assert_eq!(found.state, State::Analyzed, "{found:?}");
    found
}

fn commit(world: &World, found: &Reconciliation) -> Reconciliation {
    world.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap()
}

fn items(world: &World, found: &Reconciliation) -> Vec<PlanItem> {
    world.engine.plan(found.id.as_str(), &PlanFilter::default()).unwrap()
}

/// A leaver whose account we disabled, some time ago.
fn leaver(reaction: &str) -> World {
    let world = World::with_account(&keys(&json!({"unqualified": reaction, "source_gone": reaction})));
    world.put(&json!({"active": false}));
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
    world.clock.advance(Period::from_seconds(60));
    world
}

/// What the target shows of the one account.
fn change(world: &World, change: impl FnOnce(&mut TargetAccount)) {
    let mut account = world.mock().accounts().pop().unwrap();
    change(&mut account);
    world.mock().put_account(account);
}

/// The methods with which the target was called since the listing.
fn calls(world: &World) -> Vec<String> {
    world.calls().into_iter().filter(|call| call != "list").collect()
}

#[test]
fn a_leaver_who_was_enabled_again_is_disabled_at_once() {
    let world = leaver("deactivate");
    change(&world, |account| account.active = true);
    let found = reconcile(&world);
    let item = items(&world, &found).pop().unwrap();
    assert_eq!((item.finding.situation.name(), item.state, item.explicit), ("unqualified", ItemState::Planned, true));
    world.mock().clear_calls();
    commit(&world, &found);
    world.run();
    assert_eq!(calls(&world), ["read", "deactivate", "read"]);
    assert_eq!(world.accounts(), ["ann disabled"]);
    assert_eq!(world.requests().last().unwrap(), "Deactivate Completed");
    assert_eq!(world.records(), ["1 Deactivated"]);
}

#[test]
fn nothing_is_sent_to_an_account_that_a_listing_shows_as_active_and_is_not() {
    let world = leaver("deactivate");
    // The listing is read while the account is active, and the account is disabled again before anything is sent.
    change(&world, |account| account.active = true);
    let found = reconcile(&world);
    change(&world, |account| account.active = false);
    world.mock().clear_calls();
    commit(&world, &found);
    world.run();
    assert_eq!(calls(&world), ["read"]);
    let request = world.all().pop().unwrap();
    assert_eq!((request.state, request.verified, request.attempts), (State::Completed, Some(true), 0));
    assert!(world.logged("completed", "nothing_sent"));
    assert_eq!(world.records(), ["1 Deactivated"]);
}

#[test]
fn an_account_that_is_gone_by_then_is_known_as_gone() {
    let world = leaver("deactivate");
    change(&world, |account| account.active = true);
    let found = reconcile(&world);
    world.mock().remove_account("1");
    commit(&world, &found);
    world.run();
    assert_eq!(world.requests().last().unwrap(), "Deactivate Completed");
    assert_eq!(world.records(), [] as [&str; 0]);
}

/// Whatever keeps the target from answering the look, the access is taken away in the end.
#[test]
fn a_look_that_fails_keeps_nobody_in() {
    for fault in ["forbidden", "target_failed", "unreachable", "lost_reply"] {
        let fault = json!([{"on": "read", "fault": fault}]);
        let world = leaver("deactivate");
        change(&world, |account| account.active = true);
        let found = reconcile(&world);
        world.script(&fault);
        commit(&world, &found);
        world.run_days(1);
        assert_eq!(world.accounts(), ["ann disabled"], "{fault}");
        assert_eq!(world.requests().last().unwrap(), "Deactivate Completed", "{fault}");
    }
}

#[test]
fn a_look_that_was_not_made_yet_is_taken_back_when_the_user_returns() {
    let world = leaver("deactivate");
    change(&world, |account| account.active = true);
    let found = reconcile(&world);
    commit(&world, &found);
    world.put(&json!({"active": true}));
    world.run();
    assert_eq!(world.accounts(), ["ann active"]);
    assert!(world.requests().contains(&"Deactivate Cancelled".to_owned()), "{:?}", world.requests());
}

#[test]
fn one_whose_account_looks_like_another_is_found_twice_before_anything_is_done() {
    let world = leaver("deactivate");
    change(&world, |account| {
        account.active = true;
        account.username = Some("somebody.else".to_owned());
        account.attributes.insert("userName".to_owned(), json!("somebody.else"));
    });
    let found = reconcile(&world);
    let item = items(&world, &found).pop().unwrap();
    assert_eq!((item.state, item.explicit), (ItemState::Held, false));
}

/// A look does not help against what cannot be taken back.
#[test]
fn what_is_more_than_disabling_is_found_twice() {
    for reaction in ["unlink", "delete"] {
        let world = leaver(reaction);
        change(&world, |account| account.active = true);
        let item = items(&world, &reconcile(&world)).pop().unwrap();
        assert_eq!((item.reaction.name(), item.state, item.explicit), (reaction, ItemState::Held, false));
    }
}

#[test]
fn a_deleted_user_whose_account_was_enabled_again_loses_it_at_once() {
    let world = leaver("deactivate");
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    change(&world, |account| account.active = true);
    world.clock.advance(Period::from_seconds(60));
    let found = reconcile(&world);
    let item = items(&world, &found).pop().unwrap();
    assert_eq!((item.finding.situation.name(), item.state, item.explicit), ("source_gone", ItemState::Planned, true));
    commit(&world, &found);
    world.run();
    assert_eq!(world.accounts(), ["ann disabled"]);
}

/// A target that keeps no titles.
struct Forgetful(MockTarget);

impl Forgetful {
    fn shown(mut account: TargetAccount) -> TargetAccount {
        account.attributes.remove("title");
        account
    }
}

impl Connector for Forgetful {
    fn capabilities(&self) -> Capabilities {
        Capabilities { search: true, ..Capabilities::default() }
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.0.create(attributes, key).map(Self::shown)
    }

    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        Ok(self.0.update(external_id, changes, version)?.map(Self::shown))
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.0.find(attribute, value)
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        let mut page = self.0.list(cursor, filter)?;
        page.accounts = page.accounts.into_iter().map(Self::shown).collect();
        Ok(page)
    }
}

#[test]
fn what_the_target_does_not_keep_is_no_drift_and_is_told() {
    let world = World::new(&json!({}));
    let target = MockTarget::new();
    world.engine.register_connector("forgetful", Arc::new(Forgetful(target.clone())) as Arc<dyn Connector>).unwrap();
    let app = |title: &str| {
        let mut keys = keys(&json!({"drifted": "update"}));
        keys["connector"] = json!({"kind": "custom", "name": "forgetful"});
        let rules = json!([{"target": "userName", "source": "username"}, {"target": "nickName", "source": "nick", "strength": "strong"},
            {"target": "title", "source": title, "strength": "strong"}]);
        keys["mapping"] = rules;
        world.put_app(&keys);
    };
    app("title");
    world.put(&json!({"title": "nurse", "nick": "annie"}));
    world.run();
    let found = reconcile(&world);
    assert_eq!(items(&world, &found), []);
    assert_eq!(found.notes, ["the target does not keep `title`: it is not compared"]);
    // What it keeps is compared as before.
    let mut account = target.accounts().pop().unwrap();
    account.attributes.insert("nickName".to_owned(), json!("x"));
    target.put_account(account);
    world.clock.advance(Period::from_seconds(60));
    let found = reconcile(&world);
    let item = items(&world, &found).pop().unwrap();
    assert_eq!(item.finding.drift.iter().map(|one| one.attribute.as_str()).collect::<Vec<_>>(), ["nickName"]);
    assert_eq!(item.changes.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["nickName"]);
    // Another rule may be one that it keeps.
    app("nick");
    assert_eq!(reconcile(&world).notes, [] as [&str; 0]);
}

/// Whatever keeps a plan from being carried out for good is told by one code.
#[test]
fn a_reconciliation_without_a_plan_is_not_committed() {
    let code = |world: &World, id: &str, digest: &str| world.engine.commit(id, digest, "ann").unwrap_err().code();
    let world = World::with_account(&keys(&json!({})));
    world.script(&json!([{"on": "list", "fault": "forbidden"}]));
    let failed = world.engine.reconcile("crm", Some("ann")).unwrap();
    assert_eq!(failed.state, State::Failed);
    assert_eq!(code(&world, failed.id.as_str(), ""), Code::InvalidTransition);
    assert_eq!(code(&world, failed.id.as_str(), &"0".repeat(64)), Code::InvalidTransition);
    let stopped = world.engine.reconcile_watched("crm", Some("ann"), &|_| false).unwrap();
    assert!(!stopped.state.is_finished() && stopped.digest.is_none(), "{stopped:?}");
    assert_eq!(code(&world, stopped.id.as_str(), ""), Code::InvalidTransition);
    let found = reconcile(&world);
    world.engine.cancel(found.id.as_str(), Some("ann")).unwrap();
    assert_eq!(code(&world, found.id.as_str(), found.digest.as_deref().unwrap()), Code::InvalidTransition);
    assert_eq!(code(&world, found.id.as_str(), "x"), Code::InvalidTransition);
    let found = reconcile(&world);
    let digest = found.digest.as_deref().unwrap();
    assert_eq!(world.engine.commit(found.id.as_str(), digest, " ").unwrap_err().code(), Code::InvalidArgument);
    // One that is done is done; with another digest it is another plan.
    assert_eq!(commit(&world, &found).state, State::Completed);
    assert_eq!(commit(&world, &found).state, State::Completed);
    assert_eq!(code(&world, found.id.as_str(), "x"), Code::PlanChanged);
}

/// A deletion that waits for its day keeps nobody in until then.
#[test]
fn a_leaver_who_was_enabled_again_is_disabled_also_where_the_deletion_waits() {
    let mut keys = keys(&json!({"unqualified": "deactivate", "source_gone": "deactivate"}));
    keys["operations"] = json!({"delete": true});
    keys["deprovision"] = json!({"deactivated": {"action": "disable_then_delete", "after": "P30D"},
        "deleted": {"action": "disable_then_delete", "after": "P30D"}});
    for is_deleted in [false, true] {
        let world = World::with_account(&keys);
        if is_deleted {
            world.engine.delete_user("u1", None).unwrap();
        } else {
            world.put(&json!({"active": false}));
        }
        world.run();
        assert_eq!(world.accounts(), ["ann disabled"]);
        assert_eq!(world.requests().last().unwrap(), "Delete New schedule");
        world.clock.advance(Period::from_seconds(86_400));
        change(&world, |account| account.active = true);
        let found = reconcile(&world);
        let item = items(&world, &found).pop().unwrap();
        assert_eq!((item.state, item.explicit), (ItemState::Planned, true), "{item:?}");
        let done = commit(&world, &found);
        assert_eq!(items(&world, &done).pop().unwrap().fault, None);
        world.run();
        assert_eq!(world.accounts(), ["ann disabled"]);
        // The deletion comes all the same.
        assert!(world.requests().contains(&"Delete New schedule".to_owned()));
        world.run_days(40);
        assert_eq!(world.accounts(), [] as [&str; 0]);
    }
}

/// What is disabled already is not disabled again at every reconciliation: that would count as taken away for the brake.
#[test]
fn an_account_that_is_disabled_already_is_only_told() {
    let world = World::with_account(&keys(&json!({"orphaned": "deactivate", "source_gone": "deactivate"})));
    let orphan = json!({"external_id": "x", "username": "x", "active": false, "attributes": {"userName": "x"}});
    world.mock().put_account_json(&orphan.to_string()).unwrap();
    world.engine.delete_user("u1", None).unwrap();
    world.run();
    assert_eq!(world.accounts(), ["ann disabled", "x disabled"]);
    for _ in 0..3 {
        world.clock.advance(Period::from_seconds(600));
        let found = reconcile(&world);
        let states: Vec<_> = items(&world, &found).iter().map(|one| (one.reaction.name(), one.state)).collect();
        assert_eq!(states, [("report", ItemState::Reported); 2]);
        assert!(items(&world, &found).iter().all(|one| one.why == ["the account is disabled already"]));
        world.mock().clear_calls();
        commit(&world, &found);
        world.run();
        assert_eq!(calls(&world), [] as [&str; 0]);
    }
}

#[test]
fn a_deleted_user_whose_account_has_another_name_now_is_found_twice() {
    for (name, expected) in [("ann", (ItemState::Planned, true)), ("somebody.else", (ItemState::Held, false))] {
        let mut keys = keys(&json!({"source_gone": "delete"}));
        keys["operations"] = json!({"delete": true});
        let world = World::with_account(&keys);
        world.engine.delete_user("u1", None).unwrap();
        world.run();
        world.clock.advance(Period::from_seconds(60));
        change(&world, |account| account.username = Some(name.to_owned()));
        let item = items(&world, &reconcile(&world)).pop().unwrap();
        assert_eq!((item.reaction.name(), (item.state, item.explicit)), ("delete", expected), "{name}");
    }
}

/// Whoever commits a plan that only reports agrees that the target has become smaller; the clock agrees to nothing.
#[test]
fn a_suspect_listing_of_which_nothing_is_held_is_accepted_by_the_person_who_commits() {
    let world = World::with_account(&keys(&json!({})));
    for number in 0..9 {
        let id = format!("x{number}");
        let account = json!({"external_id": id, "username": id, "active": true, "attributes": {"userName": id}});
        world.mock().put_account_json(&account.to_string()).unwrap();
    }
    commit(&world, &reconcile(&world));
    for number in 0..5 {
        world.mock().remove_account(&format!("x{number}"));
    }
    let verdict = |by: &str| {
        let found = reconcile(&world);
        world.engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), by).unwrap();
        found.verdict.unwrap()
    };
    assert_eq!(verdict("schedule"), SnapshotVerdict::Suspect);
    assert_eq!(verdict("ann"), SnapshotVerdict::Suspect, "the clock accepts nothing");
    assert_eq!(verdict("ann"), SnapshotVerdict::Complete);
}

#[test]
fn an_account_that_was_unfrozen_behind_our_back_is_frozen_again_where_the_app_says_so() {
    let native = json!({"kind": "mock"});
    let by_disabling = json!({"kind": "mock", "settings": {"freeze": false}});
    for (reaction, connector, frozen, after) in [
        ("update", &native, "ann frozen", "ann frozen"),
        ("update", &by_disabling, "ann disabled", "ann disabled"),
        ("report", &native, "ann frozen", "ann active"),
    ] {
        let mut keys = keys(&json!({"drifted": reaction}));
        keys["connector"] = connector.clone();
        let world = World::with_account(&keys);
        world.put(&json!({"frozen": true}));
        world.run();
        assert_eq!(world.accounts(), [frozen]);
        world.clock.advance(Period::from_seconds(60));
        assert!(items(&world, &reconcile(&world)).is_empty(), "a frozen account is as it should be");
        change(&world, |account| (account.active, account.frozen) = (true, false));
        let found = reconcile(&world);
        let item = items(&world, &found).pop().unwrap();
        assert_eq!((item.finding.situation.name(), item.finding.drift.len()), ("drifted", 1));
        let drift = serde_json::to_value(&item.finding.drift[0]).unwrap();
        let expected =
            json!({"attribute": "frozen", "last": true, "wanted": true, "actual": false, "verdict": "theirs"});
        assert_eq!(drift, expected);
        commit(&world, &found);
        world.run();
        assert_eq!(world.accounts(), [after], "{reaction}");
        assert!(world.records()[0].ends_with(" frozen"), "{:?}", world.records());
    }
}

#[test]
fn at_a_target_that_is_not_to_freeze_nothing_is_frozen_again() {
    let mut keys = keys(&json!({"drifted": "update"}));
    keys["connector"] = json!({"kind": "mock", "settings": {"freeze": false}});
    keys["freeze_fallback"] = json!("refuse");
    let world = World::with_account(&keys);
    world.put(&json!({"frozen": true}));
    world.run();
    world.clock.advance(Period::from_seconds(60));
    let item = items(&world, &reconcile(&world)).pop().unwrap();
    assert_eq!((item.finding.situation.name(), item.state), ("drifted", ItemState::Reported));
}
