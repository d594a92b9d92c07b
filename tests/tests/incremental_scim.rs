//! Between two listings of the whole, a SCIM target is asked for the accounts that were changed, where it was seen to tell
//! (`meta.lastModified`). Whatever it tells, nobody is taken to be gone for it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::model::{
    App, PlanFilter, ProbeOptions, Reconciliation, ReconciliationFilter, Situation, SnapshotVerdict, User,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Engine, Period, RunOptions, Secret, Timestamp};
use rollkeeper_tests::zoo::{Bends, Zoo};
use serde_json::{Value, json};
use std::sync::Arc;

const PEOPLE: [&str; 6] = ["ann", "bob", "cid", "dee", "eve", "fay"];

struct Office {
    zoo: Zoo,
    engine: Engine,
    clock: VirtualClock,
    asked: usize,
}

/// What a reconciliation was, and how it asked: `whole`, or from when on.
struct Round {
    row: Reconciliation,
    asked: Vec<String>,
}

impl Round {
    fn is_whole(&self) -> bool {
        self.row.verdict == Some(SnapshotVerdict::Complete)
    }
}

impl Office {
    /// Six people have their accounts for hours, and the last was changed lately. Then the app is reconciled every hour, and in
    /// whole every four hours.
    fn new(bends: &Value, features: Value, commit: bool) -> Self {
        let clock = VirtualClock::new(Timestamp::parse("2026-01-05T08:00:00Z").unwrap());
        let now = clock.clone();
        let bends: Bends = serde_json::from_value(bends.clone()).unwrap();
        let zoo = Zoo::start(bends, Box::new(move || now.now().as_micros())).unwrap();
        let secrets = Arc::new(|_: &str| Some(Secret::new("zoo".to_owned())));
        let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(7).secrets(secrets).open().unwrap();
        let mut office = Self { zoo, engine, clock, asked: 0 };
        let mut app = json!({"id": "crm", "assigned_to": {"profiles": ["Employees"]}, "create_without_match": true,
            "connector": {"kind": "scim", "base_url": office.zoo.base_url(), "features": {"page_size": 4},
                "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
            "mapping": [{"target": "userName", "source": "username", "required": true},
                {"target": "title", "constant": "Nurse", "strength": "strong"}]});
        app["connector"]["features"].as_object_mut().unwrap().extend(features.as_object().unwrap().clone());
        office.put_app(&app);
        for name in PEOPLE {
            let user = json!({"id": name, "username": name, "profile": "Employees"});
            office.engine.put_user(User::from_value(user).unwrap(), None).unwrap();
        }
        office.engine.run(&RunOptions::default()).unwrap();
        office.clock.advance(Period::from_seconds(4 * 3600));
        office.touch("fay", "nickName");
        app["brake"] = json!({"smaller_percent": 50});
        app["reconcile"] = json!({"every": "PT1H", "full_every": "PT4H", "commit": commit,
            "reactions": {"drifted": "update"}});
        office.put_app(&app);
        office.asked = office.zoo.requests().len();
        office
    }

    fn put_app(&self, app: &Value) {
        self.engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    }

    fn probed(bends: &Value) -> Self {
        let mut office = Self::new(bends, json!({}), true);
        office.engine.probe("crm", &ProbeOptions { sandbox: true, by: None }).unwrap();
        office.asked = office.zoo.requests().len();
        office
    }

    fn touch(&self, name: &str, attribute: &str) {
        self.zoo.change(name, |one| drop(one.insert(attribute.to_owned(), json!("by hand"))));
    }

    fn title(&self, name: &str) -> Value {
        self.zoo.accounts().iter().find(|one| one["userName"] == name).unwrap()["title"].clone()
    }

    fn learnt(&self) -> Value {
        let learnt = self.engine.explain("crm", "ann").unwrap().learnt;
        learnt.get("last_modified").cloned().unwrap_or_default()
    }

    /// The next reconciliation that is due, until it is done.
    fn next(&mut self) -> Round {
        let due = self.engine.run(&RunOptions::default()).unwrap().next_due.unwrap();
        self.clock.set(due.max(self.clock.now()));
        self.engine.run(&RunOptions::default()).unwrap();
        self.engine.run(&RunOptions::default()).unwrap();
        let row = self.engine.reconciliations(&ReconciliationFilter::default()).unwrap().pop().unwrap();
        let requests = self.zoo.requests();
        let lists = requests[self.asked..].iter().filter(|line| line.contains("startIndex=1&"));
        let how = |line: &String| match line.split_once("lastModified%20ge%20%22") {
            Some((_, rest)) => rest.split("%22").next().unwrap().replace("%3A", ":"),
            None => "whole".to_owned(),
        };
        let asked = lists.filter(|line| !line.contains("excludedAttributes")).map(how).collect();
        self.asked = requests.len();
        Round { row, asked }
    }

    fn missing(&self, round: &Round) -> usize {
        let filter = PlanFilter { situation: Some(Situation::Missing), ..PlanFilter::default() };
        self.engine.plan(round.row.id.as_str(), &filter).unwrap().len()
    }
}

fn sure() -> Value {
    json!({"last_modified": true})
}

#[test]
fn between_two_listings_of_the_whole_what_was_changed_is_read_and_nobody_is_gone() {
    let mut office = Office::new(&json!({"dates": "moves"}), sure(), true);
    let first = office.next();
    assert_eq!((first.asked, first.row.collected), (vec!["whole".to_owned()], 6));
    office.touch("bob", "title");
    office.zoo.delete("cid");
    let second = office.next();
    // Five minutes before the last change that was seen, as the target told its time.
    assert_eq!(second.asked, ["2026-01-05T11:55:00Z"]);
    assert_eq!((second.row.collected, second.row.verdict), (2, Some(SnapshotVerdict::Incomplete)));
    assert_eq!((office.title("bob"), office.missing(&second)), (json!("Nurse"), 0));
    let third = office.next();
    assert!(third.asked[0].as_str() > "2026-01-05T11:55:00Z", "{:?}", third.asked);
    assert_eq!((third.row.collected, office.missing(&third)), (2, 0), "what we changed ourselves is among it");
    for _ in 0..10 {
        let round = office.next();
        if round.is_whole() {
            assert_eq!((round.row.collected, office.missing(&round)), (5, 1));
            assert!(round.row.created_at.since(first.row.created_at) >= Period::from_seconds(14_400));
            return;
        }
        assert_eq!((round.row.verdict, office.missing(&round)), (Some(SnapshotVerdict::Incomplete), 0));
    }
    panic!("the whole was not read again");
}

#[test]
fn from_where_on_changes_are_read_moves_only_with_a_plan_that_was_carried_out() {
    let mut office = Office::new(&json!({"dates": "moves"}), sure(), false);
    office.next();
    let again = office.next();
    assert_eq!(again.asked, ["whole"], "the plan of the first waits for a person");
    office.engine.commit(again.row.id.as_str(), again.row.digest.as_ref().unwrap(), "ann").unwrap();
    office.touch("bob", "title");
    let (second, third) = (office.next(), office.next());
    assert_eq!((&second.asked, second.row.collected), (&vec!["2026-01-05T11:55:00Z".to_owned()], 2));
    assert_eq!((&third.asked, third.row.collected), (&second.asked, 2), "nobody committed it");
    office.engine.commit(third.row.id.as_str(), third.row.digest.as_ref().unwrap(), "ann").unwrap();
    let fourth = office.next();
    assert!(fourth.asked[0] > third.asked[0], "{:?}", fourth.asked);
}

#[test]
fn a_person_who_asks_has_the_whole_read_and_nothing_is_relied_on_that_was_not_seen() {
    let mut office = Office::new(&json!({"dates": "moves"}), sure(), true);
    office.next();
    let asked = office.engine.reconcile("crm", Some("ann")).unwrap();
    assert_eq!((asked.collected, asked.verdict), (6, Some(SnapshotVerdict::Complete)));
    let mut office = Office::new(&json!({"dates": "moves"}), json!({}), true);
    office.next();
    assert_eq!(office.next().asked, ["whole"], "neither a probe nor the app says that dates move");
}

/// Each target is probed, and then somebody changes one account and deletes another.
#[test]
fn a_target_that_tells_wrong_dates_is_read_in_whole_or_nobody_is_missed_for_long() {
    let kinds = [
        (json!({"dates": "moves"}), json!(true), false),
        (json!({"dates": "behind"}), json!(true), false),
        (json!({"dates": "stays"}), json!(false), true),
        (json!({"dates": "absent"}), json!(false), true),
        (json!({"dates": "some"}), json!(true), true),
        (json!({"dates": "moves", "filter": {"dates": "ignored"}}), json!(false), true),
        (json!({"dates": "moves", "filter": {"dates": "refused"}}), json!(false), true),
        (json!({"dates": "moves", "filter": {"dates": "empty"}}), json!(false), true),
    ];
    for (bends, learnt, is_whole) in kinds {
        let mut office = Office::probed(&bends);
        assert_eq!(office.learnt(), learnt, "{bends}");
        office.next();
        office.touch("bob", "title");
        office.zoo.delete("cid");
        let round = office.next();
        assert_eq!((round.is_whole(), office.title("bob")), (is_whole, json!("Nurse")), "{bends}: {:?}", round.asked);
        assert_eq!(office.missing(&round), usize::from(is_whole), "{bends}");
    }
}

/// The app says that dates move and filters by them work; they do not.
#[test]
fn where_the_app_is_wrong_about_its_target_the_whole_is_read_or_nobody_is_gone_for_it() {
    for (kind, asks_twice) in [("ignored", true), ("refused", true), ("empty", true), ("works", false)] {
        let dates = if kind == "works" { "stays" } else { "moves" };
        let mut office = Office::new(&json!({"dates": dates, "filter": {"dates": kind}}), sure(), true);
        office.next();
        office.touch("bob", "title");
        office.zoo.delete("cid");
        let round = office.next();
        assert_eq!((round.asked.last().unwrap() == "whole", round.is_whole()), (asks_twice, asks_twice), "{kind}");
        assert_eq!(office.missing(&round), usize::from(asks_twice), "{kind}");
        for _ in 0..6 {
            office.next();
        }
        assert_eq!(office.title("bob"), json!("Nurse"), "{kind}: the whole is read now and then");
    }
}
