//! Plans and approvals that somebody changed between the planning and the doing: in the database, by hand, or by time. None
//! is carried out. `MUTATIONS` says how many; 400 where it does not.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::model::{App, ItemState, PlanFilter, PlanItem, RequestFilter, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Code, Engine, Period, RunOptions, Timestamp};
use rusqlite::{Connection, params};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many users there are, and how many of them are not entitled any more.
const PEOPLE: usize = 60;
const LEAVERS: usize = 8;

/// Who reconciles and commits, who releases, and who decides on one item.
const FIRST: &str = "ann";
const SECOND: &str = "bob";
const REVIEWER: &str = "eve";

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

fn app(reaction: &str) -> App {
    let app = json!({
        "id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
        "mapping": [{"target": "userName", "source": "username", "required": true}],
        "matching": [{"all": [{"user": "username", "account": "userName"}]}],
        "reconcile": {"reactions": {"unqualified": reaction, "orphaned": "review"}},
    });
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn put(engine: &Engine, number: usize, profile: &str, title: &str) {
    let id = format!("p{number}");
    let user = json!({"id": id, "username": id, "profile": profile, "title": title, "active": true});
    engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
}

/// A plan that holds the leavers: as planned, released before its commit, or committed and waiting for the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Planned,
    Released,
    Waiting,
}

struct Plan {
    file: PathBuf,
    at: Timestamp,
    id: String,
    digest: String,
    held: Vec<PlanItem>,
}

fn open(file: &Path, at: Timestamp) -> (Engine, VirtualClock) {
    let clock = VirtualClock::new(at);
    let engine = Engine::builder().path(file).clock(Arc::new(clock.clone())).seed(7).open().unwrap();
    (engine, clock)
}

fn plan(folder: &Path, stage: Stage) -> Plan {
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let work = folder.join(format!("{stage:?}.work"));
    let (engine, clock) = open(&work, start);
    engine.put_app(app("deactivate"), None).unwrap();
    for number in 0..PEOPLE {
        let account = json!({"external_id": format!("a{number}"), "username": format!("p{number}"),
            "attributes": {"userName": format!("p{number}")}});
        engine.mock_target("crm").unwrap().put_account(serde_json::from_value(account).unwrap());
        put(&engine, number, "Employees", "Dr");
    }
    let orphan = json!({"external_id": "x", "username": "x", "attributes": {"userName": "x"}});
    engine.mock_target("crm").unwrap().put_account(serde_json::from_value(orphan).unwrap());
    engine.run(&RunOptions::default()).unwrap();
    // They lose the app while the engine does nothing about it.
    engine.put_app(App { enabled: false, ..app("report") }, None).unwrap();
    (0..LEAVERS).for_each(|number| put(&engine, number, "Guests", "Dr"));
    engine.put_app(app("deactivate"), None).unwrap();
    for request in engine.requests(&RequestFilter::default()).unwrap() {
        if !request.state.is_finished() {
            engine.cancel(request.id.as_str(), None).unwrap();
        }
    }
    engine.reconcile("crm", Some(FIRST)).unwrap();
    clock.advance(Period::from_seconds(600));
    let mut found = engine.reconcile("crm", Some(FIRST)).unwrap();
    let id = found.id.as_str().to_owned();
    let review = engine.plan(&id, &PlanFilter { state: Some(ItemState::Review), ..PlanFilter::default() }).unwrap();
    let decision = serde_json::from_value(json!({"reaction": "ignore"})).unwrap();
    found = engine.review(&id, review[0].number, &decision, REVIEWER).unwrap();
    let digest = found.digest.clone().unwrap();
    match stage {
        Stage::Planned => {}
        Stage::Released => drop(engine.release(&id, &digest, SECOND).unwrap()),
        Stage::Waiting => drop(engine.commit(&id, &digest, FIRST).unwrap()),
    }
    engine.run(&RunOptions::default()).unwrap();
    let held = engine.plan(&id, &PlanFilter { state: Some(ItemState::Held), ..PlanFilter::default() }).unwrap();
    assert_eq!(held.len(), LEAVERS, "{stage:?}: {found:?}");
    let file = folder.join(format!("{stage:?}.db"));
    engine.backup(&file).unwrap();
    Plan { file, at: clock.now(), id, digest, held }
}

/// What was changed, and about which accounts nothing may be sent: one, or none at all.
struct Mutation {
    name: String,
    account: Option<String>,
    release: (String, &'static str),
    commit: (String, &'static str),
    wait: u32,
    twice: bool,
    by_hand: Option<ByHand>,
}

enum ByHand {
    User(usize, &'static str),
    App,
}

impl Mutation {
    fn new(plan: &Plan, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            account: None,
            release: (plan.digest.clone(), SECOND),
            commit: (plan.digest.clone(), FIRST),
            wait: 0,
            twice: false,
            by_hand: None,
        }
    }
}

/// Another digest than the right one.
fn wrong(digest: &str, random: &mut Random) -> String {
    let mut bytes = digest.as_bytes().to_vec();
    let place = random.below(bytes.len());
    let digit = b"0123456789abcdef"[random.below(16)];
    bytes[place] = if bytes[place] == digit { b'g' } else { digit };
    String::from_utf8(bytes).unwrap()
}

/// Changes one thing of an item in the database.
fn change_item(db: &Connection, plan: &Plan, item: &PlanItem, random: &mut Random) -> String {
    let other = &plan.held[(usize::try_from(item.number).unwrap() + 1) % plan.held.len()];
    let number = i64::try_from(item.number).unwrap();
    let id = plan.id.as_str();
    let set = |column: &str, value: &str| {
        let text = format!("UPDATE plan_item SET {column} = ?1 WHERE reconciliation_id = ?2 AND number = ?3");
        assert_eq!(db.execute(&text, params![value, id, number]).unwrap(), 1);
        format!("item: {column}")
    };
    match random.below(11) {
        0 => set("reaction", ["delete", "unlink", "ignore", "update"][random.below(4)]),
        1 => set("situation", ["source_gone", "orphaned", "found"][random.below(3)]),
        2 => set(
            "external_id",
            if other.number == item.number { "x" } else { other.finding.account.as_deref().unwrap() },
        ),
        3 => set("user_id", &format!("p{}", LEAVERS + random.below(PEOPLE - LEAVERS))),
        4 => set("planned_for", &wrong(&"0".repeat(64), random)),
        5 => set("digest", &wrong(&"0".repeat(64), random)),
        6 => set("state", "planned"),
        7 => {
            db.execute(
                "UPDATE plan_item SET explicit = 1 WHERE reconciliation_id = ?1 AND number = ?2",
                params![id, number],
            )
            .unwrap();
            "item: explicit".to_owned()
        }
        8 => {
            db.execute(
                "UPDATE plan_item SET destructive = 0, state = 'planned' WHERE reconciliation_id = ?1 AND number = ?2",
                params![id, number],
            )
            .unwrap();
            "item: destructive".to_owned()
        }
        9 => {
            db.execute("DELETE FROM plan_item WHERE reconciliation_id = ?1 AND number = ?2", params![id, number])
                .unwrap();
            "item: gone".to_owned()
        }
        _ => {
            let of = if other.number == item.number { plan.held[0].number } else { other.number };
            db.execute(
                "UPDATE plan_item SET details = (SELECT details FROM plan_item WHERE reconciliation_id = ?1 AND number = ?3)
                 WHERE reconciliation_id = ?1 AND number = ?2",
                params![id, number, i64::try_from(if of == item.number { of + 1 } else { of }).unwrap()],
            )
            .unwrap();
            "item: details".to_owned()
        }
    }
}

/// Changes one thing of the reconciliation in the database.
fn change_plan(db: &Connection, plan: &Plan, stage: Stage, random: &mut Random) -> String {
    let set = |column: &str, value: &str| {
        let text = format!("UPDATE reconciliation SET {column} = ?1 WHERE id = ?2");
        assert_eq!(db.execute(&text, params![value, plan.id]).unwrap(), 1);
        format!("plan: {column}")
    };
    match (random.below(6), stage) {
        (0, _) => set("digest", &wrong(&plan.digest, random)),
        (1, _) => set("verdict", ["incomplete", "suspect"][random.below(2)]),
        (2, _) => set("definition", &wrong(&"0".repeat(64), random)),
        (3, Stage::Planned) => {
            let forged =
                "UPDATE reconciliation SET approval = 'Approved', released_by = ?1, released_at = ?2 WHERE id = ?3";
            db.execute(forged, params![SECOND, plan.at.as_micros(), plan.id]).unwrap();
            "plan: a forged release".to_owned()
        }
        (3, Stage::Released) => set("released_by", "mallory"),
        (4, Stage::Planned | Stage::Waiting) => set("brake", "[]"),
        _ => set("state", "Cancelled"),
    }
}

fn mutate(file: &Path, plan: &Plan, stage: Stage, random: &mut Random) -> Mutation {
    let item = &plan.held[random.below(plan.held.len())];
    let account = item.finding.account.clone().unwrap();
    let user = account[1..].parse().unwrap();
    let plain = |name: &str| Mutation::new(plan, name);
    let db = || Connection::open(file).unwrap();
    match random.below(12) {
        0 => Mutation {
            release: (wrong(&plan.digest, random), SECOND),
            commit: (wrong(&plan.digest, random), FIRST),
            ..plain("digest")
        },
        1 if stage != Stage::Released => Mutation {
            release: (plan.digest.clone(), [FIRST, REVIEWER, "", " ann "][random.below(4)]),
            ..plain("releaser")
        },
        1 => Mutation { commit: (plan.digest.clone(), SECOND), ..plain("committer") },
        2 => Mutation { wait: 86_401 + u32::try_from(random.below(1_000_000)).unwrap(), ..plain("time") },
        3 => Mutation { account: Some(account), by_hand: Some(ByHand::User(user, "Guests")), ..plain("user") },
        4 => Mutation {
            account: Some(account),
            by_hand: Some(ByHand::User(user, "Employees")),
            ..plain("user entitled again")
        },
        5 => Mutation { by_hand: Some(ByHand::App), ..plain("app") },
        6 => {
            let change = [
                "status = 'Deactivated'",
                "link_state = 'Ignored'",
                "known_link = 1",
                "user_id = 'p50'",
                "version = 'W/7'",
            ][random.below(5)];
            let text = format!("UPDATE account SET {change} WHERE external_id = ?1");
            // Two accounts of one user cannot be.
            let change = db().execute(&text, [&account]).map_or("frozen = 1", |_| change);
            let text = format!("UPDATE account SET {change} WHERE external_id = ?1");
            assert_eq!(db().execute(&text, [&account]).unwrap(), 1);
            Mutation { account: Some(account), ..plain(&format!("account: {change}")) }
        }
        7 => Mutation { twice: true, ..plain("reuse") },
        8 => Mutation { name: change_plan(&db(), plan, stage, random), ..plain("") },
        _ => Mutation { account: Some(account), name: change_item(&db(), plan, item, random), ..plain("") },
    }
}

/// Releases, commits and runs as far as anybody lets. Gives the accounts that something was taken from, and how many verbs
/// were refused.
fn carry_out(
    engine: &Engine,
    clock: &VirtualClock,
    plan: &Plan,
    stage: Stage,
    mutation: &Mutation,
) -> (Vec<String>, Vec<Code>) {
    clock.advance(Period::from_seconds(mutation.wait));
    match &mutation.by_hand {
        None => {}
        Some(ByHand::User(number, profile)) => put(engine, *number, profile, "Prof"),
        Some(ByHand::App) => drop(engine.put_app(app("delete"), None).unwrap()),
    }
    let mut codes = Vec::new();
    let mut note = |result: rollkeeper::Result<rollkeeper::model::Reconciliation>| {
        codes.extend(result.err().map(|error| error.code()))
    };
    let (release, commit) = (&mutation.release, &mutation.commit);
    if stage != Stage::Released {
        note(engine.release(&plan.id, &release.0, release.1));
    }
    if stage != Stage::Waiting {
        note(engine.commit(&plan.id, &commit.0, commit.1));
    }
    if mutation.twice {
        note(engine.release(&plan.id, &release.0, "carl"));
    }
    engine.run(&RunOptions::default()).unwrap();
    let calls = engine.mock_target("crm").unwrap().calls().into_iter();
    let taken = calls.filter(|call| matches!(call.method.as_str(), "deactivate" | "delete"));
    (taken.filter_map(|call| call.external_id).collect(), codes)
}

fn is_done(engine: &Engine, plan: &Plan, account: &str) -> bool {
    let done = PlanFilter { state: Some(ItemState::Done), ..PlanFilter::default() };
    // What somebody made unreadable is not done either.
    let items = engine.plan(&plan.id, &done).unwrap_or_default();
    items.iter().any(|item| item.finding.account.as_deref() == Some(account))
}

#[test]
fn what_somebody_changed_is_not_carried_out() {
    let count = std::env::var("MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(400);
    let folder = std::env::temp_dir().join(format!("rollkeeper-mutated-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let stages = [Stage::Planned, Stage::Released, Stage::Waiting];
    let plans: BTreeMap<Stage, Plan> = stages.into_iter().map(|stage| (stage, plan(&folder, stage))).collect();
    // What nobody changed is carried out, so that the rest says something.
    for (stage, plan) in &plans {
        let file = folder.join(format!("{stage:?}.unchanged"));
        std::fs::copy(&plan.file, &file).unwrap();
        let (engine, clock) = open(&file, plan.at);
        let (taken, codes) = carry_out(&engine, &clock, plan, *stage, &Mutation::new(plan, "none"));
        assert_eq!((taken.len(), codes), (LEAVERS, vec![]), "{stage:?}");
    }
    let mut kinds = BTreeMap::<String, usize>::new();
    for seed in 0..count {
        let mut random = Random(seed);
        let stage = stages[random.below(stages.len())];
        let plan = &plans[&stage];
        let file = folder.join(format!("{seed}.db"));
        std::fs::copy(&plan.file, &file).unwrap();
        let mutation = mutate(&file, plan, stage, &mut random);
        let (engine, clock) = open(&file, plan.at);
        let (taken, codes) = carry_out(&engine, &clock, plan, stage, &mutation);
        let about = format!("seed {seed}, {stage:?}, {}: {taken:?} {codes:?}", mutation.name);
        match &mutation.account {
            // The others may be done, the one that changed may not.
            Some(account) => {
                assert!(!is_done(&engine, plan, account), "{about}");
                // Whoever is put again loses the account by that, and not by the plan.
                assert!(mutation.by_hand.is_some() || !taken.contains(account), "{about}");
            }
            None if mutation.twice => assert_eq!((taken.len(), codes.len()), (LEAVERS, 1), "{about}"),
            // A definition that is put decides about everybody by itself.
            None if mutation.by_hand.is_some() => {
                let accounts = plan.held.iter().filter_map(|item| item.finding.account.as_deref());
                accounts.for_each(|account| assert!(!is_done(&engine, plan, account), "{about}"));
                assert!(codes.contains(&Code::PlanChanged), "{about}");
            }
            None => assert!(taken.is_empty(), "{about}"),
        }
        *kinds.entry(mutation.name.clone()).or_default() += 1;
        drop(engine);
        for ending in ["", "-wal", "-shm", "-lock", ".lock"] {
            let _ = std::fs::remove_file(folder.join(format!("{seed}.db{ending}")));
        }
    }
    eprintln!("{count} mutations: {kinds:?}");
    assert!(kinds.len() > 15, "{kinds:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}
