//! Lists of all users: what follows from absence, and what never does.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use crate::world::World;
use rollkeeper::model::{ItemState, PlanFilter, PutSnapshot, PutUsers, SnapshotVerdict, State, WaitingFor};
use rollkeeper::{Code, Period};
use serde_json::{Value, json};

const MINUTES_10: u32 = 600;

/// A directory of so many users with accounts, put by a list that was accepted.
fn directory(users: u32) -> World {
    let world = World::new(&json!({}));
    let snapshot = list(&world, users);
    assert_eq!((snapshot.verdict, snapshot.reconciliation), (SnapshotVerdict::Complete, None));
    world.run();
    assert_eq!(active(&world), users);
    world
}

fn record(number: u32) -> Value {
    json!({"id": format!("u{number:04}"), "username": format!("user{number}"), "profile": "Employees", "active": true})
}

fn records(users: impl IntoIterator<Item = u32>) -> Vec<Value> {
    users.into_iter().map(record).collect()
}

fn put_text(world: &World, text: &str) -> PutUsers {
    world.engine.put_users_snapshot(text.as_bytes(), Some("hr")).unwrap()
}

fn put(world: &World, records: &[Value]) -> PutSnapshot {
    put_text(world, &Value::from(records).to_string()).snapshot.unwrap()
}

/// Puts the list of the first so many users.
fn list(world: &World, users: u32) -> PutSnapshot {
    put(world, &records(0..users))
}

fn wait(world: &World, seconds: u32) {
    world.clock.advance(Period::from_seconds(seconds));
}

fn active(world: &World) -> u32 {
    world.run();
    world.accounts().iter().filter(|account| account.ends_with(" active")).count().try_into().unwrap()
}

/// The figures of an answer: who left, who was noted, who is held.
fn figures(snapshot: &PutSnapshot) -> (u64, u64, u64) {
    (snapshot.leavers, snapshot.noted, snapshot.held)
}

/// What the items of a plan came to.
fn states(world: &World, id: &str) -> Vec<ItemState> {
    world.engine.plan(id, &PlanFilter::default()).unwrap().iter().map(|item| item.state).collect()
}

#[test]
fn a_leaver_needs_two_lists_ten_minutes_apart() {
    let world = directory(40);
    assert_eq!(figures(&list(&world, 39)), (0, 1, 0));
    wait(&world, MINUTES_10 - 1);
    assert_eq!(figures(&list(&world, 39)), (0, 1, 0));
    assert_eq!(active(&world), 40);
    wait(&world, 1);
    let snapshot = list(&world, 39);
    assert_eq!(figures(&snapshot), (1, 0, 0));
    assert_eq!(active(&world), 39);
    assert_eq!(world.engine.user("u0039").unwrap_err().code(), Code::NotFound);
    let request = world.all().pop().unwrap();
    assert_eq!(request.by.as_deref(), Some("hr"));
    assert!(request.why.contains("not in the list of all users"), "{}", request.why);
    assert!(world.logged("user_deleted", "not in the list of all users"));
    // Who left is told by the reconciliation too.
    let id = snapshot.reconciliation.unwrap();
    let item = world.engine.plan(id.as_str(), &PlanFilter::default()).unwrap().remove(0);
    assert_eq!((item.state, item.finding.user.as_deref()), (ItemState::Done, Some("u0039")));
    assert_eq!(item.request, Some(request.id));
    assert_eq!(world.engine.reconciliation(id.as_str()).unwrap().state, State::Completed);
    // Once gone, a user is absent from no list.
    assert_eq!(figures(&list(&world, 39)), (0, 0, 0));
}

#[test]
fn who_is_put_again_is_absent_for_the_first_time_afterwards() {
    type Return = fn(&World);
    let returns: [(&str, Return); 4] = [
        ("put_user", |world| {
            let user = rollkeeper::model::User::from_json(record(39).to_string().as_bytes()).unwrap();
            world.engine.put_user(user, None).unwrap();
        }),
        ("put_users", |world| {
            world.engine.put_users(Value::from(records(39..40)).to_string().as_bytes(), None).unwrap();
        }),
        ("a list", |world| assert_eq!(figures(&list(world, 40)), (0, 0, 0))),
        ("a faulty record", |world| {
            let mut records = records(0..39);
            records.push(json!({"id": "u0039", "active": "perhaps"}));
            assert_eq!(figures(&put(world, &records)), (0, 0, 0));
        }),
    ];
    for (how, come_back) in returns {
        let world = directory(40);
        list(&world, 39);
        wait(&world, MINUTES_10);
        come_back(&world);
        assert_eq!(figures(&list(&world, 39)), (0, 1, 0), "{how}");
        assert_eq!(active(&world), 40, "{how}");
        wait(&world, MINUTES_10);
        assert_eq!(figures(&list(&world, 39)), (1, 0, 0), "{how}");
    }
}

#[test]
fn nothing_follows_from_a_list_that_may_lack_somebody() {
    let whole = Value::from(records(0..39)).to_string();
    let lines = |records: &[Value]| records.iter().map(|record| format!("{record}\n")).collect::<String>();
    let bad = [
        ("a record twice", lines(&[records(0..39), records(7..8)].concat())),
        ("a line that is cut", lines(&records(0..39)) + r#"{"id": "u00"#),
        ("a line of something else", lines(&records(0..39)) + "Internal Server Error\n"),
        ("a record without an id", lines(&records(0..39)) + r#"{"username": "user39"}"#),
        ("an id that is no text", lines(&records(0..39)) + r#"{"id": 39}"#),
        ("an empty id", lines(&records(0..39)) + r#"{"id": ""}"#),
        ("a list in the list", lines(&records(0..39)) + "[]"),
    ];
    for (what, text) in bad {
        let world = directory(40);
        for _ in 0..3 {
            let answer = put_text(&world, &text);
            let snapshot = answer.snapshot.unwrap();
            assert_eq!(snapshot.verdict, SnapshotVerdict::Incomplete, "{what}");
            assert_eq!(figures(&snapshot), (0, 0, 0), "{what}");
            assert!(!snapshot.why.is_empty(), "{what}");
            assert!(answer.stored >= 39, "{what}: what can be read is stored");
            wait(&world, MINUTES_10);
        }
        assert_eq!(active(&world), 40, "{what}");
        // The control: the same list without its fault.
        assert_eq!(figures(&put_text(&world, &whole).snapshot.unwrap()), (0, 1, 0), "{what}");
        wait(&world, MINUTES_10);
        assert_eq!(figures(&put_text(&world, &whole).snapshot.unwrap()), (1, 0, 0), "{what}");
    }
}

#[test]
fn a_list_that_is_cut_as_a_whole_stores_nothing() {
    let world = directory(40);
    let text = Value::from(records(0..39)).to_string();
    let cut = text.get(..text.len() / 2).unwrap();
    let error = world.engine.put_users_snapshot(cut.as_bytes(), None).unwrap_err();
    assert_eq!(error.code(), Code::InvalidJson);
    assert_eq!(active(&world), 40);
}

#[test]
fn one_faulty_record_stops_nobody_else_from_leaving() {
    let world = directory(40);
    for _ in 0..2 {
        let mut records = records(0..38);
        records.push(json!({"id": "u0038", "valid_until": "some day"}));
        let answer = put_text(&world, &Value::from(records).to_string());
        assert_eq!(answer.faults.len(), 1);
        assert_eq!(answer.snapshot.unwrap().verdict, SnapshotVerdict::Complete);
        wait(&world, MINUTES_10);
    }
    assert_eq!(active(&world), 39);
    assert!(world.engine.user("u0038").is_ok());
}

#[test]
fn leavers_of_a_list_that_shrank_are_held() {
    // So many of 100 are absent.
    let cases = [(9, "deactivations"), (10, "deactivations"), (11, "suspect"), (50, "suspect"), (100, "suspect")];
    for (absent, reason) in cases {
        let world = directory(100);
        assert_eq!(figures(&list(&world, 100 - absent)), (0, absent.into(), 0), "{absent}");
        wait(&world, MINUTES_10);
        let snapshot = list(&world, 100 - absent);
        let suspect = reason == "suspect";
        assert_eq!(snapshot.verdict == SnapshotVerdict::Suspect, suspect, "{absent}");
        assert_eq!(figures(&snapshot), (0, 0, absent.into()), "{absent}");
        let id = snapshot.reconciliation.unwrap();
        let reconciliation = world.engine.reconciliation(id.as_str()).unwrap();
        assert_eq!(reconciliation.waiting_for, Some(WaitingFor::Approval), "{absent}");
        assert!(reconciliation.brake.iter().any(|one| one.name == reason), "{absent}: {:?}", reconciliation.brake);
        assert_eq!(active(&world), 100, "{absent}");
    }
}

#[test]
fn the_brake_holds_from_its_limits_on() {
    // Users, leavers, and whether they are held: more than 5 % and at least 5; more than 1 % and at least 100.
    let cases = [(20, 2, false), (79, 4, false), (100, 5, false), (99, 5, true), (120, 6, false), (119, 6, true)];
    for (users, leavers, is_held) in cases {
        let world = World::new(&json!({"assigned_to": {"profiles": ["Nobody"]}}));
        list(&world, users);
        list(&world, users - leavers);
        wait(&world, MINUTES_10);
        let snapshot = list(&world, users - leavers);
        let held = if is_held { (0, 0, leavers.into()) } else { (leavers.into(), 0, 0) };
        assert_eq!(snapshot.verdict, SnapshotVerdict::Complete, "{leavers} of {users}");
        assert_eq!(figures(&snapshot), held, "{leavers} of {users}: {snapshot:?}");
    }
}

#[test]
fn who_left_within_a_day_counts_with_who_leaves() {
    for (hours, is_held) in [(23, true), (25, false)] {
        let world = World::new(&json!({"assigned_to": {"profiles": ["Nobody"]}}));
        list(&world, 99);
        list(&world, 96);
        wait(&world, MINUTES_10);
        assert_eq!(figures(&list(&world, 96)), (3, 0, 0));
        wait(&world, hours * 3600);
        list(&world, 94);
        wait(&world, MINUTES_10);
        let held = if is_held { (0, 0, 2) } else { (2, 0, 0) };
        assert_eq!(figures(&list(&world, 94)), held, "after {hours} hours");
    }
}

/// A directory of 40 whose last 10 are held, and the reconciliation's id and digest.
fn held() -> (World, String, String) {
    let world = directory(40);
    list(&world, 30);
    wait(&world, MINUTES_10);
    let snapshot = list(&world, 30);
    assert_eq!(figures(&snapshot), (0, 0, 10));
    let id = snapshot.reconciliation.unwrap().to_string();
    let digest = world.engine.reconciliation(&id).unwrap().digest.unwrap();
    (world, id, digest)
}

#[test]
fn a_second_person_releases_what_is_held_once() {
    let (world, id, digest) = held();
    let refused = |digest: &str, by| world.engine.release(&id, digest, by).unwrap_err().code();
    assert_eq!(refused(&digest, "hr"), Code::FourEyes);
    assert_eq!(refused(&digest.replace(|_: char| true, "0"), "boss"), Code::PlanChanged);
    assert_eq!(active(&world), 40);
    let reconciliation = world.engine.release(&id, &digest, "boss").unwrap();
    assert_eq!(reconciliation.state, State::Completed);
    assert_eq!(states(&world, &id), [ItemState::Done; 10]);
    assert_eq!(active(&world), 30);
    assert!(world.engine.release(&id, &digest, "boss").is_err());
    // What was released is the length of the next list too.
    let snapshot = list(&world, 30);
    assert_eq!((snapshot.verdict, figures(&snapshot)), (SnapshotVerdict::Complete, (0, 0, 0)));
}

#[test]
fn who_was_put_again_or_left_is_refused() {
    let (world, id, digest) = held();
    world.engine.put_users(Value::from(records(30..32)).to_string().as_bytes(), None).unwrap();
    world.engine.delete_user("u0032", None).unwrap();
    world.engine.release(&id, &digest, "boss").unwrap();
    let plan = world.engine.plan(&id, &PlanFilter::default()).unwrap();
    let refused = plan.iter().take(3);
    for item in refused {
        assert_eq!(item.state, ItemState::Refused);
        assert_eq!(item.fault.as_ref().unwrap().code, Code::ItemChanged);
    }
    assert!(plan.iter().skip(3).all(|item| item.state == ItemState::Done));
    assert_eq!(active(&world), 32);
}

#[test]
fn a_newer_list_takes_the_place_of_an_older_one() {
    let (world, id, digest) = held();
    // One from which nothing follows does not.
    put_text(&world, "nothing");
    assert_eq!(states(&world, &id), [ItemState::Held; 10]);
    let snapshot = list(&world, 29);
    assert_eq!(figures(&snapshot), (0, 1, 10));
    assert_ne!(snapshot.reconciliation.as_ref().unwrap().as_str(), id);
    assert_eq!(states(&world, &id), [ItemState::Expired; 10]);
    assert!(world.engine.reconciliation(&id).unwrap().finished_at.is_some());
    assert!(world.engine.release(&id, &digest, "boss").is_err());
    // And so does one in which everybody is there again.
    let id = snapshot.reconciliation.unwrap().to_string();
    assert_eq!(figures(&list(&world, 40)), (0, 0, 0));
    assert_eq!(states(&world, &id), [ItemState::Expired; 10]);
    assert_eq!(active(&world), 40);
}

#[test]
fn everything_else_is_done_while_leavers_are_held() {
    let (world, ..) = held();
    let mut records = records(0..30);
    // One leaves by its own record, one has another name, one is new.
    records[0]["active"] = json!(false);
    records[1]["title"] = json!("Head");
    records.push(record(50));
    let answer = put_text(&world, &Value::from(records).to_string());
    assert_eq!((answer.stored, answer.requests), (31, 3));
    assert_eq!(figures(answer.snapshot.as_ref().unwrap()), (0, 0, 10));
    assert_eq!(active(&world), 40);
    assert!(world.accounts().contains(&"user0 disabled".to_owned()));
    assert!(world.accounts().contains(&"user50 active".to_owned()));
}

#[test]
fn who_is_said_to_have_left_leaves_however_many_they_are() {
    for (count, told) in [(4_u32, false), (5, true), (40, true)] {
        let world = directory(40);
        let mut records = records(0..40);
        for record in records.iter_mut().take(count as usize) {
            record["active"] = json!(false);
        }
        let snapshot = put(&world, &records);
        assert_eq!((snapshot.verdict, figures(&snapshot)), (SnapshotVerdict::Complete, (0, 0, 0)));
        assert_eq!(active(&world), 40 - count);
        let text = format!("{count} of 40 users lose access");
        assert_eq!(snapshot.why.concat().contains(&text), told, "{:?}", snapshot.why);
        assert_eq!(world.logged("users_listed", &text), told);
        // Put again, it is no news.
        assert_eq!(put(&world, &records).why, [] as [&str; 0]);
    }
}

#[test]
fn who_loses_access_unsaid_is_withheld_where_a_column_was_rather_read_wrong() {
    for (count, verdict, held) in [(4_u32, SnapshotVerdict::Complete, 0), (5, SnapshotVerdict::Suspect, 5)] {
        let world = directory(40);
        let mut records = records(0..40);
        for record in records.iter_mut().take(count as usize) {
            record.as_object_mut().unwrap().remove("profile");
        }
        let snapshot = put(&world, &records);
        assert_eq!((snapshot.verdict, figures(&snapshot)), (verdict, (0, 0, held)));
        assert_eq!(active(&world), if held == 0 { 40 - count } else { 40 });
        // As events they are what they say, however many they are.
        world.engine.put_users(Value::from(records).to_string().as_bytes(), Some("hr")).unwrap();
        world.run();
        assert_eq!(active(&world), 40 - count);
    }
}

#[test]
fn who_is_said_to_have_left_leaves_beside_records_that_are_withheld() {
    let world = directory(40);
    let mut records = records(0..40);
    for (number, record) in records.iter_mut().enumerate() {
        if number < 10 {
            record["active"] = json!(false);
        } else if number < 20 {
            record.as_object_mut().unwrap().remove("profile");
        }
    }
    let snapshot = put(&world, &records);
    assert_eq!((snapshot.verdict, figures(&snapshot)), (SnapshotVerdict::Suspect, (0, 0, 10)));
    assert_eq!(active(&world), 30);
    assert!(snapshot.why.concat().contains("without saying that the list is whole"), "{:?}", snapshot.why);
}

#[test]
fn a_list_may_shrink_by_users_who_left_by_themselves() {
    let world = directory(40);
    for number in 30..40 {
        world.engine.delete_user(&format!("u{number:04}"), None).unwrap();
    }
    assert_eq!(list(&world, 30).verdict, SnapshotVerdict::Suspect);
    let snapshot = list(&world, 30);
    assert_eq!((snapshot.verdict, figures(&snapshot)), (SnapshotVerdict::Complete, (0, 0, 0)));
}

#[test]
fn an_empty_list_of_an_empty_directory_does_nothing() {
    let world = World::new(&json!({}));
    let snapshot = put_text(&world, "").snapshot.unwrap();
    assert_eq!((snapshot.verdict, figures(&snapshot)), (SnapshotVerdict::Suspect, (0, 0, 0)));
    assert_eq!(list(&world, 3).verdict, SnapshotVerdict::Complete);
    assert_eq!(put(&world, &[]).verdict, SnapshotVerdict::Suspect);
}

#[test]
fn a_list_of_which_records_are_withheld_is_suspect_before_anything_follows_from_it() {
    let world = directory(100);
    // Three are absent, and a column was read wrong for twenty.
    let mut wrong = records(0..97);
    for record in wrong.iter_mut().take(20) {
        record.as_object_mut().unwrap().remove("profile");
    }
    let first = put(&world, &wrong);
    assert_eq!((first.verdict, figures(&first)), (SnapshotVerdict::Suspect, (0, 3, 20)));
    wait(&world, MINUTES_10);
    let second = put(&world, &wrong);
    assert_eq!((second.verdict, figures(&second)), (SnapshotVerdict::Suspect, (0, 0, 23)));
    assert_eq!(active(&world), 100);
    let held = world.engine.reconciliation(second.reconciliation.unwrap().as_str()).unwrap();
    assert!(held.brake.iter().any(|one| one.name == "suspect"), "{:?}", held.brake);
    assert!(world.logged("users_listed", "were not stored"));
    // Its length was not accepted: a list is still compared with the one before.
    assert_eq!(list(&world, 89).verdict, SnapshotVerdict::Suspect);
    // The control: without what is wrong with it, the same list is believed.
    assert_eq!(list(&world, 97).verdict, SnapshotVerdict::Complete);
}

#[test]
fn a_list_that_adds_users_while_records_are_withheld_is_not_accepted() {
    let world = directory(40);
    let mut wrong = records(0..60);
    for record in wrong.iter_mut().take(20) {
        record.as_object_mut().unwrap().remove("profile");
    }
    assert_eq!(put(&world, &wrong).verdict, SnapshotVerdict::Suspect);
    for number in 40..60 {
        world.engine.delete_user(&format!("u{number:04}"), None).unwrap();
    }
    // Had it been, the next were a third shorter.
    assert_eq!(list(&world, 40).verdict, SnapshotVerdict::Complete);
}

#[test]
fn leavers_who_are_held_are_taken_back_by_hand() {
    let world = directory(40);
    list(&world, 30);
    wait(&world, MINUTES_10);
    let snapshot = list(&world, 30);
    let id = snapshot.reconciliation.unwrap();
    assert_eq!(snapshot.held, 10);
    let told = world.engine.cancel(id.as_str(), Some("ann")).unwrap();
    assert_eq!((told.app.as_str(), told.state), ("", State::Completed));
    assert_eq!(states(&world, id.as_str()), [ItemState::Expired; 10]);
    let digest = world.engine.reconciliation(id.as_str()).unwrap().digest.unwrap();
    let refused = world.engine.release(id.as_str(), &digest, "bob").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidTransition);
    assert_eq!(world.engine.cancel(id.as_str(), None).unwrap_err().code(), Code::InvalidTransition);
    assert_eq!(active(&world), 40);
}
