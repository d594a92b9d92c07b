//! People with names in twelve scripts travel through two real SCIM servers: they are mapped, created, matched again by an
//! engine that knows nothing of them, updated, and read back over plain HTTP, character by character. There are 372, each
//! script with each oddity, or `ROLLKEEPER_PEOPLE` of them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::connector::{Change, ChangeKind, Connector};
use rollkeeper::model::{AccountFilter, App, LogFilter, RequestFilter, State, User};
use rollkeeper::{Engine, Operation, RunOptions, Secret};
use rollkeeper_tests::people::people;
use rollkeeper_tests::server::Server;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const SEED: u64 = 20_261_121;
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

type Person = Map<String, Value>;

/// A server, what it keeps of a person (pairs of target attribute and user attribute), and by what accounts are known.
struct Target {
    id: &'static str,
    server: Server,
    mapping: Vec<(String, &'static str)>,
    matched: [usize; 3],
}

fn targets() -> [Target; 2] {
    let mapping = |more: &[(&str, &'static str)]| {
        let usual = [("userName", "username"), ("name.givenName", "firstName"), ("name.familyName", "lastName")];
        usual.iter().chain(more).map(|(target, source)| ((*target).to_owned(), *source)).collect()
    };
    let department = format!("{ENTERPRISE}:department");
    let more = [("nickName", "nick"), ("title", "title"), (department.as_str(), "department")];
    [
        Target {
            id: "scim2-server",
            server: Server::start(&["--command", "gunicorn"]),
            mapping: mapping(&more),
            matched: [2, 1, 0],
        },
        // It keeps the names alone. Its filters cannot hold a double quote, which family names here have.
        Target {
            id: "django-scim2",
            server: Server::start(&["--command", "django"]),
            mapping: mapping(&[]),
            matched: [0, 1, 2],
        },
    ]
}

/// An engine with both targets. Accounts are known by these places of the mapping, exactly; the first is what a server is
/// asked by.
fn engine(targets: &[Target], matched: fn(&Target) -> &[usize]) -> Engine {
    let tokens: BTreeMap<String, String> =
        targets.iter().map(|target| (target.id.to_owned(), target.server.token.clone())).collect();
    let secrets = move |name: &str| tokens.get(name).cloned().map(Secret::new);
    let engine = Engine::builder().secrets(Arc::new(secrets)).open().unwrap();
    for target in targets {
        let mapping = target.mapping.iter().map(|(target, source)| json!({"target": target, "source": source}));
        let names = matched(target).iter().filter_map(|place| target.mapping.get(*place));
        let pairs: Vec<Value> = names.map(|(target, source)| json!({"user": source, "account": target})).collect();
        let app = json!({"id": target.id, "assigned_to": {"profiles": ["Employees"]},
            "connector": {"kind": "scim", "base_url": target.server.base_url, "auth": {"kind": "bearer", "token": {"secret": target.id}}},
            "mapping": mapping.collect::<Vec<_>>(),
            "matching": [{"all": pairs}]});
        engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    }
    engine
}

/// Puts everybody, and runs until nothing is left to do.
fn provision(engine: &Engine, people: &[Person]) {
    for person in people {
        engine.put_user(User::from_value(Value::Object(person.clone())).unwrap(), None).unwrap();
    }
    engine.run(&RunOptions { workers: 8, ..RunOptions::default() }).unwrap();
    let requests = engine.requests(&RequestFilter { limit: Some(100_000), ..RequestFilter::default() }).unwrap();
    let open = requests.iter().find(|request| request.state != State::Completed);
    assert!(open.is_none(), "{open:?}");
}

/// How often an operation was completed.
fn count(engine: &Engine, operation: Operation) -> usize {
    let requests = engine.requests(&RequestFilter { limit: Some(100_000), ..RequestFilter::default() }).unwrap();
    requests.iter().filter(|request| request.operation == operation).count()
}

/// How many log entries of a kind hold a text.
fn logged(engine: &Engine, kind: &str, text: &str) -> usize {
    let entries = engine.log(&LogFilter { limit: Some(1_000_000), ..LogFilter::default() }).unwrap();
    entries.iter().filter(|entry| entry.kind == kind && entry.details.to_string().contains(text)).count()
}

/// Everything that a server holds, by user name, read without the engine and its connector.
fn read_back(target: &Target) -> BTreeMap<String, Value> {
    let mut accounts = BTreeMap::new();
    let mut start = 1;
    loop {
        let url = format!("{}/Users?startIndex={start}&count=100", target.server.base_url);
        let token = format!("Bearer {}", target.server.token);
        let mut answer = ureq::get(&url).header("Authorization", token).call().unwrap();
        let text = answer.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().unwrap();
        let page: Value = serde_json::from_str(&text).unwrap();
        let rows = page["Resources"].as_array().unwrap();
        if rows.is_empty() {
            return accounts;
        }
        start += rows.len();
        for row in rows {
            let before = accounts.insert(row["userName"].as_str().unwrap().to_owned(), row.clone());
            assert!(before.is_none(), "{}: two accounts have one name", target.id);
        }
        if start > page["totalResults"].as_u64().unwrap().try_into().unwrap() {
            return accounts;
        }
    }
}

fn at<'a>(account: &'a Value, path: &str) -> &'a Value {
    match path.strip_prefix(ENTERPRISE) {
        Some(rest) => &account[ENTERPRISE][rest.trim_start_matches(':')],
        None => path.split('.').fold(account, |value, step| &value[step]),
    }
}

/// Every person has one account, and every attribute of it has the very characters of the record.
fn assert_unchanged(target: &Target, people: &[Person]) {
    let accounts = read_back(target);
    assert_eq!(accounts.len(), people.len(), "{}", target.id);
    for person in people {
        let account = &accounts[person["username"].as_str().unwrap()];
        for (path, source) in &target.mapping {
            assert_eq!(at(account, path), &person[*source], "{}: {} of {}", target.id, path, person["id"]);
        }
    }
}

/// Takes our mark away, as though somebody else had made the accounts. django-scim2 cannot: it keeps the mark, and knows no
/// filter by it.
fn take_marks_away(target: &Target) {
    let connector = target.server.connector();
    let mark = Change { kind: ChangeKind::Remove, path: "externalId".to_owned(), value: None };
    for account in read_back(target).values() {
        connector.update(account["id"].as_str().unwrap(), std::slice::from_ref(&mark), None).unwrap();
    }
}

#[test]
fn people_in_twelve_scripts_travel_unchanged() {
    let count_of_people = std::env::var("ROLLKEEPER_PEOPLE").map_or(372, |count| count.parse().unwrap());
    let targets = targets();
    let mut people = people(SEED, count_of_people);
    // A second holder of a user name is refused, so nobody is looked for before.
    provision(&engine(&targets, |_| &[0]), &people);
    targets.iter().for_each(|target| assert_unchanged(target, &people));

    take_marks_away(&targets[0]);
    let fresh = engine(&targets, |target| &target.matched);
    provision(&fresh, &people);
    for target in &targets {
        let filter = AccountFilter { app: Some(target.id.to_owned()), limit: Some(10_000), ..AccountFilter::default() };
        assert_eq!(fresh.accounts(&filter).unwrap().len(), count_of_people);
    }
    assert_eq!(logged(&fresh, "linked", r#""how":"adopted""#), 2 * count_of_people);
    assert_eq!(logged(&fresh, "matched", r#""decision":"linked""#), 2 * count_of_people);
    // What was sent came to be compared with what the servers show, and nothing had to be mended.
    assert_eq!(logged(&fresh, "sending", r#""operation":"Update""#), 0);

    let names: Vec<Value> = people.iter().map(|person| person["firstName"].clone()).collect();
    for (person, name) in people.iter_mut().zip(names.iter().cycle().skip(7)) {
        person.insert("firstName".to_owned(), name.clone());
    }
    provision(&fresh, &people);
    assert!(count(&fresh, Operation::Update) >= 2 * count_of_people);
    targets.iter().for_each(|target| assert_unchanged(target, &people));
}
