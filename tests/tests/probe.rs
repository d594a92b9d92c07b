//! Every server of the zoo is probed: the probe ends, tidies up or says what it could not, touches nobody else, and finds out
//! what the server was made to do. `ZOO=name,name` shows some of them; `UPDATE_TARGETS=1` writes what was concluded anew.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::model::{App, LogFilter, ProbeOptions, ProbeReport, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Code, Engine, Secret, Timestamp};
use rollkeeper_tests::zoo::{Bends, Group, Personality, Record, Zoo};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zoo");
/// More requests than any probe needs.
const MOST_REQUESTS: u64 = 250;

fn personalities() -> Vec<Personality> {
    let of = |file: &str| -> Vec<Personality> {
        serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/{file}.json")).unwrap()).unwrap()
    };
    [of("personalities"), of("groups")].concat()
}

struct Sandbox {
    zoo: Zoo,
    others: Vec<Record>,
    groups: Vec<Group>,
    engine: Engine,
}

impl Sandbox {
    fn new(one: &Personality, file: Option<&Path>) -> Self {
        let clock = VirtualClock::new(Timestamp::parse("2026-01-05T08:00:00Z").unwrap());
        let now = clock.clone();
        let zoo = Zoo::start(one.bends.clone(), Box::new(move || now.now().as_micros())).unwrap();
        for name in ["root", "zed"] {
            zoo.add(stranger(name));
        }
        for (index, name) in one.bends.groups.names.iter().enumerate() {
            let group = Group { id: format!("g{}", index + 1), name: name.clone(), members: vec!["a1".to_owned()] };
            zoo.put_group(group);
        }
        let (others, groups) = (zoo.accounts(), zoo.groups());
        let engine = open(file, &clock);
        engine.put_app(app(&zoo, &one.app), None).unwrap();
        Self { zoo, others, groups, engine }
    }

    fn probe(&self) -> ProbeReport {
        self.engine.probe("crm", &ProbeOptions { sandbox: true, by: Some("ann".to_owned()) }).unwrap()
    }
}

fn open(file: Option<&Path>, clock: &VirtualClock) -> Engine {
    let secrets = Arc::new(|_: &str| Some(Secret::new("zoo".to_owned())));
    let builder = Engine::builder().clock(Arc::new(clock.clone())).seed(7).secrets(secrets);
    file.map_or(builder.clone(), |file| builder.path(file)).open().unwrap()
}

fn app(zoo: &Zoo, more: &Record) -> App {
    let mut app = json!({"id": "crm", "assigned_to": {"profiles": ["Employees"]}, "create_without_match": true,
        "connector": {"kind": "scim", "base_url": zoo.base_url(), "features": {"page_size": 4},
            "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
        "mapping": [{"target": "userName", "source": "username", "required": true}]});
    if let Some(features) = more.get("connector").and_then(|connector| connector.get("features")) {
        let own = app["connector"]["features"].as_object_mut().unwrap();
        own.extend(features.as_object().unwrap().clone());
    }
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn stranger(name: &str) -> Record {
    let account = json!({"userName": format!("{name}@example.com"), "externalId": format!("by-hand-{name}"),
        "active": true, "title": "not ours", "name": {"givenName": name, "familyName": "Stranger"},
        "emails": [{"type": "work", "value": format!("{name}@example.com")}]});
    account.as_object().unwrap().clone()
}

/// What was concluded, by step.
fn conclusions(report: &ProbeReport) -> BTreeMap<&str, &str> {
    report.findings.iter().map(|one| (one.step.as_str(), one.conclusion.as_str())).collect()
}

type Steps = Vec<(&'static str, &'static str)>;
type Features = Vec<(&'static str, Value)>;

/// What a server was made to do, as a probe should tell it: steps with their conclusions, and features.
fn declared(bends: &Bends) -> (Steps, Features) {
    use rollkeeper_tests::zoo::{Dates, Deletes, Etag, Filtering, Pages};
    let (store, patch) = (&bends.store, &bends.patch);
    let steps = [
        (store.not_unique, ("duplicate", "taken")),
        (store.renames, ("duplicate", "renamed")),
        (store.answers_existing, ("duplicate", "answered_existing")),
        (store.exact_names, ("duplicate_case", "taken")),
        (store.inactive_is_gone, ("active", "not_shown_any_more")),
        (store.read_lag > 0, ("read", "late")),
        (store.deletes == Deletes::Disables, ("delete", "disabled")),
        (store.deletes == Deletes::Refused, ("delete", "refused")),
        (bends.filter.mode == Filtering::Ignored, ("filter", "ignored")),
        (bends.filter.mode == Filtering::Empty, ("filter", "finds_nothing")),
        (bends.filter.exact, ("filter_case", "counts")),
        (bends.paging.mode == Pages::ZeroBased, ("paging", "zero_based")),
        (bends.paging.mode == Pages::Unpaged && bends.rules.is_empty(), ("paging", "count_ignored")),
        (bends.paging.mode == Pages::FirstAlways, ("paging", "start_ignored")),
        (patch.ignored, ("patch", "ignored")),
        (patch.paths_refused.is_some(), ("patch_without_path", "works")),
        (patch.filters_refused.is_some(), ("patch_filter_path", "refused")),
        (patch.extensions_refused.is_some(), ("patch_extension", "refused")),
        (patch.removal_ignored, ("patch_remove", "ignored")),
        (bends.put.refused.is_some(), ("put", "refused")),
        (bends.groups.members_hidden, ("group", "members_not_shown")),
        (bends.groups.filter_refused.is_some(), ("member_remove", "refused")),
        (bends.groups.filter_refused.is_some(), ("member_remove_values", "works")),
        (bends.groups.filter_ignored, ("member_remove", "ignored")),
        (bends.groups.patch_refused.is_some(), ("member_add", "refused")),
        (bends.etag == Etag::Heeded, ("version", "heeded")),
        (bends.etag == Etag::Refuses, ("version", "always_refused")),
        (bends.etag == Etag::Bare, ("version", "not_heeded")),
        (bends.dates == Dates::Stays, ("last_modified", "does_not_move")),
        (bends.dates == Dates::Behind, ("last_modified", "works")),
        (bends.filter.dates == Filtering::Ignored, ("last_modified", "ignored")),
        (bends.filter.dates == Filtering::Refused, ("last_modified", "refused")),
    ];
    let cursor = matches!(bends.paging.mode, Pages::Cursor | Pages::CursorWhereAsked);
    let put_works = bends.put.refused.is_none();
    let features = [
        (patch.refused.is_some() && put_works, ("patch", json!(false))),
        (patch.filters_refused.is_some(), ("filter_paths", json!(false))),
        (patch.removal_ignored, ("clear_with_empty", json!(true))),
        (bends.etag == Etag::Required, ("if_match", json!(true))),
        (bends.etag == Etag::Heeded, ("if_match", json!(true))),
        (bends.groups.filter_refused.is_some(), ("member_removal", json!("values"))),
        (store.exact_names, ("unique_user_name", json!(false))),
        (bends.filter.exact && bends.filter.mode == Filtering::Works, ("filters", json!("exact_case"))),
        (store.not_unique, ("unique_user_name", json!(false))),
        (cursor, ("paging", json!("cursor"))),
        (bends.dates == Dates::Moves, ("last_modified", json!(bends.filter.dates == Filtering::Works))),
        (patch.active_ignored && put_works, ("put_attributes", json!(["active"]))),
    ];
    let holds = |one: (bool, (&'static str, &'static str))| one.0.then_some(one.1);
    (
        steps.into_iter().filter_map(holds).collect(),
        features.into_iter().filter_map(|(holds, feature)| holds.then_some(feature)).collect(),
    )
}

/// What is wrong with a probe of a server.
fn wrongs(one: &Personality, sandbox: &Sandbox, report: &ProbeReport) -> Vec<String> {
    let mut wrong = Vec::new();
    let (ours, others): (Vec<_>, Vec<_>) = sandbox
        .zoo
        .accounts()
        .into_iter()
        .partition(|account| account["userName"].as_str().unwrap().to_lowercase().starts_with(&report.name));
    if others != sandbox.others {
        wrong.push("somebody else's account was touched".to_owned());
    }
    let hides_groups = one.bends.groups.hidden_after.is_some();
    if sandbox.zoo.groups() != sandbox.groups && !(hides_groups && report.left.iter().any(|left| left.kind == "group"))
    {
        wrong.push(format!("the groups are others: {:?}", sandbox.zoo.groups()));
    }
    let named = report.left.iter().filter(|left| left.kind == "account").count();
    if ours.len() > named {
        wrong.push(format!("{} accounts are left, and {named} are named", ours.len()));
    }
    let can_delete = conclusions(report).get("delete").is_some_and(|delete| *delete == "deleted") && !hides_groups;
    if can_delete && (!ours.is_empty() || !report.left.is_empty()) {
        wrong.push(format!("it deletes, and something is left: {:?}", report.left));
    }
    let asked: u64 = sandbox.zoo.asked().values().sum();
    if asked > MOST_REQUESTS {
        wrong.push(format!("{asked} requests"));
    }
    // That `active` is no truth is tried on purpose where a truth does not help, and what a server shows it is sent by PUT.
    let is_meant = |what: &String| what.contains("`active` is no truth") || one.name == "extras";
    wrong.extend(sandbox.zoo.complaints().into_iter().filter(|what| !is_meant(what)));
    if conclusions(report).get("create").is_some_and(|made| made.starts_with("made")) {
        let (steps, features) = declared(&one.bends);
        for (step, conclusion) in steps {
            let concluded = conclusions(report).get(step).copied();
            if concluded != Some(conclusion) {
                wrong.push(format!("`{step}` is {concluded:?} and not {conclusion}"));
            }
        }
        for (feature, value) in features {
            if report.features.get(feature) != Some(&value) {
                wrong.push(format!("`{feature}` is {:?} and not {value}", report.features.get(feature)));
            }
        }
    }
    wrong
}

#[test]
fn every_server_of_the_zoo_is_probed_and_left_as_it_was() {
    let only = std::env::var("ZOO").ok();
    let mut zoo = personalities();
    zoo.retain(|one| only.as_ref().is_none_or(|names| names.split(',').any(|name| name == one.name)));
    let mut wrong = Vec::new();
    let mut told = BTreeMap::new();
    for one in &zoo {
        let sandbox = Sandbox::new(one, None);
        let report = sandbox.probe();
        if only.is_some() {
            println!("{}\n{}: {report:#?}", sandbox.zoo.requests().join("\n"), one.name);
        }
        wrong.extend(wrongs(one, &sandbox, &report).into_iter().map(|what| format!("{}: {what}", one.name)));
        let left: Vec<&str> = report.left.iter().map(|left| left.why.as_str()).collect();
        told.insert(&one.name, json!({"steps": conclusions(&report), "features": report.features, "left": left}));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if only.is_none() {
        let path = format!("{FOLDER}/probed.json");
        let lines: Vec<String> = told.iter().map(|(name, told)| format!(" {name:?}: {told}")).collect();
        let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
        if std::env::var_os("UPDATE_TARGETS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let known = fs::read_to_string(&path).unwrap_or_default();
        assert!(known == text, "something else is concluded; UPDATE_TARGETS=1 writes it anew");
    }
}

fn named(name: &str) -> Personality {
    personalities().into_iter().find(|one| one.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

#[test]
fn nothing_is_probed_unless_somebody_says_that_it_is_a_sandbox() {
    let sandbox = Sandbox::new(&named("standard"), None);
    let refused = sandbox.engine.probe("crm", &ProbeOptions::default()).unwrap_err();
    assert_eq!(refused.code(), Code::SandboxRequired);
    assert!(sandbox.zoo.requests().is_empty());
    let may = ProbeOptions { sandbox: true, by: None };
    assert_eq!(sandbox.engine.probe("nowhere", &may).unwrap_err().code(), Code::NotFound);
    let mock = json!({"id": "mock", "connector": {"kind": "mock"}, "create_without_match": true});
    sandbox.engine.put_app(App::from_json(mock.to_string().as_bytes()).unwrap(), None).unwrap();
    assert_eq!(sandbox.engine.probe("mock", &may).unwrap_err().code(), Code::Unsupported);
    sandbox.engine.set_maintenance("crm", true, "ann").unwrap();
    assert_eq!(sandbox.engine.probe("crm", &may).unwrap_err().code(), Code::OperationOff);
    assert!(sandbox.zoo.requests().is_empty());
}

fn put_ann(engine: &Engine) {
    let ann = json!({"id": "u1", "username": "ann@example.com", "profile": "Employees"});
    engine.put_user(User::from_value(ann).unwrap(), None).unwrap();
}

#[test]
fn what_a_probe_found_out_is_kept_told_and_used_and_a_definition_goes_before_it() {
    let sandbox = Sandbox::new(&named("patch_501"), None);
    let report = sandbox.probe();
    assert_eq!((&report.features["patch"], report.left.len(), report.faults.len()), (&json!(false), 0, 0));
    put_ann(&sandbox.engine);
    let explained = sandbox.engine.explain("crm", "u1").unwrap();
    assert_eq!((&explained.learnt["patch"], &explained.learnt_by["patch"]), (&json!(false), &json!("probe")));
    let log = sandbox.engine.log(&LogFilter::default()).unwrap();
    let of = |kind: &str| log.iter().find(|entry| entry.kind == kind).unwrap();
    assert_eq!((&of("probing").details["name"], of("probing").by.as_deref()), (&json!(report.name), Some("ann")));
    assert_eq!(of("probed").details["features"]["patch"], false);
    // The connector in use knows it at once.
    sandbox.engine.run(&rollkeeper::RunOptions::default()).unwrap();
    let asked = sandbox.zoo.asked()["PATCH"];
    let renamed = json!({"id": "u1", "username": "anna@example.com", "profile": "Employees"});
    sandbox.engine.put_user(User::from_value(renamed).unwrap(), None).unwrap();
    sandbox.engine.run(&rollkeeper::RunOptions::default()).unwrap();
    assert_eq!(sandbox.zoo.asked()["PATCH"], asked, "no PATCH is tried any more");
    assert!(sandbox.zoo.accounts().iter().any(|account| account["userName"] == "anna@example.com"));

    let features = json!({"connector": {"features": {"patch": true}}});
    let own = Personality { app: features.as_object().unwrap().clone(), ..named("patch_501") };
    let sandbox = Sandbox::new(&own, None);
    sandbox.probe();
    put_ann(&sandbox.engine);
    sandbox.engine.run(&rollkeeper::RunOptions::default()).unwrap();
    let renamed = json!({"id": "u1", "username": "anna@example.com", "profile": "Employees"});
    sandbox.engine.put_user(User::from_value(renamed).unwrap(), None).unwrap();
    let before = sandbox.zoo.asked()["PATCH"];
    sandbox.engine.run(&rollkeeper::RunOptions::default()).unwrap();
    assert!(sandbox.zoo.asked()["PATCH"] > before, "the definition says that PATCH works");
}

#[test]
fn what_cannot_be_taken_away_is_named_with_its_id() {
    let sandbox = Sandbox::new(&named("delete_refused"), None);
    let report = sandbox.probe();
    let ours: Vec<Record> = sandbox
        .zoo
        .accounts()
        .into_iter()
        .filter(|account| account["userName"].as_str().unwrap().starts_with("rollkeeper-probe-"))
        .collect();
    assert_eq!((ours.len(), report.left.len(), report.faults.len()), (2, 2, 2));
    assert!(ours.iter().all(|account| account["active"] == false), "they are disabled at the least");
    assert!(report.left.iter().all(|left| left.external_id.is_some() && left.name.starts_with(&report.name)));
    assert!(report.faults.iter().all(|fault| fault.code == Code::LeftBehind));
}

#[test]
fn what_two_processes_learn_of_one_target_is_kept_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let bends = json!({"patch": {"refused": 501}, "rules": [{"on": "POST /Users$",
        "header": ["content-type", "scim+json"], "status": 415}]});
    let one = Personality { bends: serde_json::from_value(bends).unwrap(), ..named("standard") };
    let first = Sandbox::new(&one, Some(&file));
    let clock = VirtualClock::new(Timestamp::parse("2026-01-05T08:00:00Z").unwrap());
    let second = open(Some(&file), &clock);
    // The first learns how bodies are called, and the second, which was open already, that PATCH does not work.
    put_ann(&first.engine);
    first.engine.run(&rollkeeper::RunOptions::default()).unwrap();
    let renamed = json!({"id": "u1", "username": "anna@example.com", "profile": "Employees"});
    second.put_user(User::from_value(renamed).unwrap(), None).unwrap();
    second.run(&rollkeeper::RunOptions::default()).unwrap();
    let explained = second.explain("crm", "u1").unwrap();
    assert_eq!(Value::Object(explained.learnt), json!({"patch": false, "plain_json": true}));
    assert_eq!(Value::Object(explained.learnt_by), json!({"patch": "use", "plain_json": "use"}));
}
