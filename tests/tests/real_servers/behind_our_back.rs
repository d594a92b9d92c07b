//! Real SCIM servers, changed behind the engine's back: each change is found, explained and, as configured, repaired.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::connector::{Connector, TargetAccount};
use rollkeeper::model::{
    AccountFilter, App, Change, ChangeKind, ItemState, PlanFilter, PlanItem, Reaction, Reconciliation, RequestFilter,
    Situation, SnapshotVerdict, State, User,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Engine, Period, RunOptions, Secret, Timestamp};
use rollkeeper_tests::server::Server;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const PEOPLE: usize = 30;

/// A server, and an engine that provisions people in it.
struct World {
    server: Server,
    engine: Engine,
    clock: VirtualClock,
}

impl World {
    fn new(arguments: &[&str]) -> Self {
        let server = Server::start(arguments);
        let clock = VirtualClock::new(Timestamp::parse("2026-03-02T07:00:00Z").unwrap());
        let token = server.token.clone();
        let shown: Arc<dyn Clock> = Arc::new(clock.clone());
        let engine = Engine::builder()
            .clock(shown)
            .secrets(Arc::new(move |_: &str| Some(Secret::new(token.clone()))))
            .open()
            .unwrap();
        let app = json!({
            "id": "crm", "assigned_to": {"profiles": ["Employees"]},
            "connector": {"kind": "scim", "base_url": server.base_url, "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
            "mapping": [
                {"target": "userName", "source": "username", "required": true, "strength": "strong"},
                {"target": "name.givenName", "source": "firstName", "strength": "strong"},
                {"target": "name.familyName", "source": "lastName", "strength": "strong"},
                {"target": "emails[type eq \"work\"].value", "source": "email"}
            ],
            "matching": [{"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]},
                {"all": [{"user": "email", "account": "emails.value", "normalize": ["casefold"]}]}],
            "reconcile": {"reactions": {"drifted": "update", "missing": "create", "orphaned": "deactivate",
                "unqualified": "deactivate", "found": "update"}}
        });
        engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
        let world = Self { server, engine, clock };
        (0..PEOPLE).for_each(|number| world.put(number, true));
        world.engine.run(&RunOptions::default()).unwrap();
        assert_eq!(world.accounts().len(), PEOPLE);
        world
    }

    fn put(&self, number: usize, active: bool) {
        let user = json!({"id": format!("u{number}"), "username": format!("person{number}"), "firstName": "Ann",
            "lastName": format!("Łuk {number}"), "email": format!("person{number}@example.com"),
            "profile": "Employees", "active": active});
        self.engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
    }

    /// What the server has, by login, asked for past the engine.
    fn accounts(&self) -> BTreeMap<String, TargetAccount> {
        let connector = self.server.connector();
        let mut found = BTreeMap::new();
        let mut cursor = None;
        loop {
            let page = connector.list(cursor.as_deref(), None).unwrap();
            found.extend(page.accounts.into_iter().map(|one| (one.username.clone().unwrap(), one)));
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    }

    fn reconcile(&self) -> Reconciliation {
        let found = self.engine.reconcile("crm", Some("ann")).unwrap();
        assert_eq!((found.state, found.verdict), (State::Analyzed, Some(SnapshotVerdict::Complete)), "{found:?}");
        found
    }

    fn items(&self, of: &Reconciliation) -> Vec<PlanItem> {
        self.engine.plan(of.id.as_str(), &PlanFilter::default()).unwrap()
    }

    fn commit(&self, plan: &Reconciliation) {
        self.engine.commit(plan.id.as_str(), plan.digest.as_deref().unwrap(), "ann").unwrap();
        self.engine.run(&RunOptions::default()).unwrap();
    }
}

/// The one item about this account.
fn about<'i>(items: &'i [PlanItem], account: &str) -> &'i PlanItem {
    let found: Vec<_> = items.iter().filter(|item| item.finding.account.as_deref() == Some(account)).collect();
    assert_eq!(found.len(), 1, "{account}: {items:?}");
    found[0]
}

fn behind_our_back(arguments: &[&str]) {
    let world = World::new(arguments);
    let quiet = world.reconcile();
    let counts: Vec<_> = quiet.counts.0.iter().filter(|(_, count)| **count > 0).collect();
    assert_eq!(counts, [(&Situation::Confirmed, &(PEOPLE as u64))], "{arguments:?}: {:?}", world.items(&quiet).first());
    world.commit(&quiet);

    // A leaver, known to us and carried out; then somebody at the target changes things by hand.
    world.put(4, false);
    world.engine.run(&RunOptions::default()).unwrap();
    world.clock.advance(Period::from_seconds(60));
    let before = world.accounts();
    let id = |name: &str| before[name].external_id.clone();
    let target = world.server.connector();
    let stranger = json!({"userName": "stranger", "name": {"givenName": "Un", "familyName": "Known"}, "active": true});
    let stranger = target.create(stranger.as_object().unwrap(), "by hand").unwrap().external_id;
    let family =
        Change { kind: ChangeKind::Replace, path: "name.familyName".to_owned(), value: Some(json!("Renamed")) };
    target.update(&id("person1"), &[family], None).unwrap();
    target.deactivate(&id("person2")).unwrap();
    target.delete(&id("person3")).unwrap();
    target.activate(&id("person4")).unwrap();

    let found = world.reconcile();
    let items = world.items(&found);
    assert_eq!(items.len(), 5, "{arguments:?}: {items:?}");
    let created = about(&items, &stranger);
    assert_eq!((created.finding.situation, created.reaction), (Situation::Orphaned, Reaction::Deactivate));
    assert_eq!(created.state, ItemState::Held, "nothing that was only seen once is taken away");
    let renamed = about(&items, &id("person1"));
    assert_eq!((renamed.finding.situation, renamed.finding.user.as_deref()), (Situation::Drifted, Some("u1")));
    let drift = &renamed.finding.drift;
    assert_eq!(drift.len(), 1, "{drift:?}");
    assert_eq!((drift[0].attribute.as_str(), drift[0].verdict.name()), ("name.familyName", "theirs"));
    assert_eq!((&drift[0].actual, &drift[0].wanted), (&Some(json!("Renamed")), &Some(json!("Łuk 1"))));
    let disabled = about(&items, &id("person2"));
    assert_eq!(
        (disabled.finding.situation, disabled.finding.drift[0].attribute.as_str()),
        (Situation::Drifted, "active")
    );
    let deleted = about(&items, &id("person3"));
    assert_eq!((deleted.finding.situation, deleted.reaction), (Situation::Missing, Reaction::Create));
    let enabled = about(&items, &id("person4"));
    assert_eq!((enabled.finding.situation, enabled.state), (Situation::Unqualified, ItemState::Planned));
    assert!(enabled.explicit, "the directory said that this user leaves");
    world.commit(&found);

    let mended = world.accounts();
    assert_eq!(mended["person1"].attributes["name"]["familyName"], "Łuk 1", "{arguments:?}");
    assert!(mended["person2"].active && !mended["person4"].active && mended["stranger"].active, "{arguments:?}");
    assert_ne!(mended["person3"].external_id, id("person3"), "{arguments:?}: it was made anew");
    for (user, operation) in [("u1", "Update"), ("u2", "Activate"), ("u3", "Create"), ("u4", "Deactivate")] {
        let of = RequestFilter { user: Some(user.to_owned()), ..RequestFilter::default() };
        let made = world.engine.requests(&of).unwrap();
        let last = made.iter().find(|request| request.why.starts_with("reconciliation")).unwrap();
        assert_eq!((last.operation.name(), last.state), (operation, State::Completed), "{arguments:?} {user}");
        let explained = world.engine.explain("crm", user).unwrap();
        let told = explained.steps.iter().any(|step| step.found["reconciled"]["reconciliation"] == found.id.as_str());
        assert!(told, "{arguments:?} {user}: {:?}", explained.steps);
    }

    // Seen a second time, ten minutes later, the account that nobody owns is disabled.
    world.clock.advance(Period::from_seconds(601));
    let again = world.reconcile();
    let items = world.items(&again);
    assert_eq!(items.len(), 1, "{arguments:?}: {items:?}");
    assert_eq!((items[0].finding.situation, items[0].state), (Situation::Orphaned, ItemState::Planned), "{items:?}");
    world.commit(&again);
    assert!(!world.accounts()["stranger"].active, "{arguments:?}");
    let strangers = AccountFilter { app: Some("crm".to_owned()), ..AccountFilter::default() };
    let known = world.engine.accounts(&strangers).unwrap();
    let stranger = known.iter().find(|account| account.external_id == stranger).unwrap();
    assert_eq!(
        (stranger.link_state.name(), stranger.status.name(), stranger.user.as_ref()),
        ("Orphaned", "Deactivated", None)
    );

    world.clock.advance(Period::from_seconds(601));
    let end = world.reconcile();
    let open: Vec<_> = world.items(&end).into_iter().filter(|item| item.state != ItemState::Reported).collect();
    assert!(open.len() <= 1, "{arguments:?}: {open:?}");
}

#[test]
fn what_was_changed_by_hand_in_scim2_server_is_found_and_repaired() {
    for arguments in [&["--command", "gunicorn"][..], &["--command", "own"], &["--paging", "cursor"]] {
        behind_our_back(arguments);
    }
}

#[test]
fn what_was_changed_by_hand_in_django_scim2_is_found_and_repaired() {
    behind_our_back(&["--command", "django"]);
}
