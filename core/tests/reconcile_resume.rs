//! A process that dies: whatever a reconciliation was doing then, whoever opens the file goes on, and nothing happens twice.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::connector::mock::MockTarget;
use rollkeeper::connector::{Capabilities, Connector, ConnectorError, Outcome, Page, TargetAccount};
use rollkeeper::model::{
    AccountFilter, App, ItemState, LogEntry, PlanFilter, Reconciliation, RequestFilter, State, User,
};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Engine, Operation, RunOptions};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const USERS: usize = 7;

type AtPage = Arc<dyn Fn(Option<&str>) + Send + Sync>;
type Told = Arc<dyn Fn(&LogEntry) + Send + Sync>;

/// A target whose listing can be made to do something at a page.
#[derive(Clone)]
struct Watched {
    target: MockTarget,
    at_page: AtPage,
}

impl Connector for Watched {
    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.target.create(attributes, key)
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.target.find(attribute, value)
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.target.read(external_id)
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        (self.at_page)(cursor);
        self.target.list(cursor, filter)
    }
}

fn app() -> App {
    let app = json!({
        "id": "crm", "connector": {"kind": "custom", "name": "target"}, "assigned_to": {"profiles": ["Employees"]},
        "mapping": [{"target": "userName", "source": "username", "required": true}],
        "matching": [{"all": [{"user": "username", "account": "userName"}]}],
        "reconcile": {"reactions": {"absent": "create", "orphaned": "ignore"}},
    });
    App::from_json(app.to_string().as_bytes()).unwrap()
}

fn account(number: usize) -> TargetAccount {
    let account = json!({"external_id": format!("x{number}"), "username": format!("u{number}"),
        "attributes": {"userName": format!("u{number}")}});
    serde_json::from_value(account).unwrap()
}

/// Half of the users have an account, and there are as many accounts of nobody.
fn target() -> MockTarget {
    let options = rollkeeper::connector::mock::MockOptions { page_size: 2, ..Default::default() };
    let target = MockTarget::with_options(options);
    (0..USERS).filter(|number| number % 2 == 0).for_each(|number| target.put_account(account(number)));
    (100..103).for_each(|number| target.put_account(account(number)));
    target
}

fn open(path: &Path, target: &Watched) -> Engine {
    open_told(path, target, None)
}

fn open_told(path: &Path, target: &Watched, log: Option<Told>) -> Engine {
    let mut builder = Engine::builder().path(path).seed(11);
    if let Some(log) = log {
        builder = builder.log(log);
    }
    let engine = builder.open().unwrap();
    engine.register_connector("target", Arc::new(target.clone())).unwrap();
    engine
}

/// Users whose records came before the app, so that nothing was decided for them.
fn fill(engine: &Engine) {
    for number in 0..USERS {
        let user = json!({"id": format!("u{number}"), "username": format!("u{number}"), "profile": "Employees"});
        engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
    }
    engine.put_app(app(), None).unwrap();
}

/// Copies a database as a kill would leave it: no transaction is open.
fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    if log(from).exists() {
        std::fs::copy(log(from), log(to)).unwrap();
    }
}

/// What matters in the end: the accounts that are known, the requests, what of the plan was done.
fn outcome(engine: &Engine, id: &str) -> Vec<String> {
    let accounts = engine.accounts(&AccountFilter::default()).unwrap();
    let mut lines: Vec<String> = accounts
        .iter()
        .map(|one| format!("{} {:?} {} {}", one.external_id, one.user, one.link_state.name(), one.status.name()))
        .collect();
    let requests = engine.requests(&RequestFilter::default()).unwrap();
    let made = requests.iter().filter(|one| one.operation != Operation::Reconcile);
    lines.extend(made.map(|one| format!("{:?} {} {}", one.user, one.operation, one.state.name())));
    let items = engine.plan(id, &PlanFilter::default()).unwrap();
    lines.extend(
        items.iter().map(|one| format!("{} {} {}", one.number, one.finding.situation.name(), one.state.name())),
    );
    lines
}

/// Takes a reconciliation to its end, whatever it was doing.
fn finish(engine: &Engine) -> String {
    let mut found = engine.reconcile("crm", Some("ann")).unwrap();
    if found.state == State::Analyzed {
        found = engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap();
    }
    assert_eq!(found.state, State::Completed, "{found:?}");
    assert_eq!(found.items.get(&ItemState::Refused), None, "{found:?}");
    found.id.to_string()
}

fn plain(target: &MockTarget) -> Watched {
    Watched { target: target.clone(), at_page: Arc::new(|_| {}) }
}

/// The users' Creates are cancelled, as if the app had been put after its accounts were there.
fn without_requests(engine: &Engine) {
    for request in engine.requests(&RequestFilter::default()).unwrap() {
        engine.cancel(request.id.as_str(), None).unwrap();
    }
}

#[test]
fn whoever_opens_the_file_goes_on_wherever_the_process_died() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.db");
    let first = target();
    let copies: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let (told, from, to) = (Arc::clone(&copies), path.clone(), folder.path().to_owned());
    // The file as it is after every transaction that says something, and at every page.
    let kill = Arc::new(move || {
        let mut copies = told.lock().unwrap();
        let name = to.join(format!("copy{}.db", copies.len()));
        copy(&from, &name);
        copies.push(name);
    });
    let is_on = Arc::new(Mutex::new(false));
    let (on, at_log) = (Arc::clone(&is_on), Arc::clone(&kill));
    let log: Told = Arc::new(move |_| {
        if *on.lock().unwrap() {
            at_log();
        }
    });
    let (on, at_page) = (Arc::clone(&is_on), Arc::clone(&kill));
    let watched = Watched {
        target: first,
        at_page: Arc::new(move |_| {
            if *on.lock().unwrap() {
                at_page();
            }
        }),
    };
    let engine = open_told(&path, &watched, Some(log));
    fill(&engine);
    without_requests(&engine);
    *is_on.lock().unwrap() = true;
    let id = finish(&engine);
    *is_on.lock().unwrap() = false;
    let expected = outcome(&engine, &id);
    assert_eq!(expected.iter().filter(|line| line.contains("Ignored")).count(), 3, "{expected:#?}");
    assert_eq!(expected.iter().filter(|line| line.contains("Linked")).count(), 4, "{expected:#?}");
    assert_eq!(expected.iter().filter(|line| line.contains("Create New")).count(), 3, "{expected:#?}");
    drop(engine);
    let copies = copies.lock().unwrap().clone();
    assert!(copies.len() > 20, "only {} copies", copies.len());
    for copy in &copies {
        let target = target();
        let engine = open(copy, &plain(&target));
        let before = engine.reconciliations(&Default::default()).unwrap();
        let was = before.last().map(|one| one.state);
        let id = match before.last() {
            // A plan that is done is not made again; one that is ready is carried out and not made anew.
            Some(done) if done.state == State::Completed => done.id.to_string(),
            Some(ready) if ready.state == State::Analyzed => {
                engine.commit(ready.id.as_str(), ready.digest.as_deref().unwrap(), "ann").unwrap();
                ready.id.to_string()
            }
            _ => finish(&engine),
        };
        assert_eq!(outcome(&engine, &id), expected, "killed while {was:?}, {}", copy.display());
        assert!(engine.verify_log().unwrap().whole);
        engine.run(&RunOptions::default()).unwrap();
        assert_eq!(target.accounts().len(), USERS + 3, "each user has one account");
    }
}

#[test]
fn what_is_stopped_between_two_pages_goes_on_with_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.db");
    let target = target();
    let engine = open(&path, &plain(&target));
    fill(&engine);
    target.clear_calls();
    let told = Mutex::new(Vec::new());
    let watch = |shown: &Reconciliation| {
        told.lock().unwrap().push(shown.pages);
        shown.pages < 2
    };
    let first = engine.reconcile_watched("crm", None, &watch).unwrap();
    assert_eq!((first.state, first.pages), (State::Collecting, 2));
    // Who said that it is enough is told nothing more.
    assert_eq!(told.into_inner().unwrap(), [0, 1, 2]);
    let second = engine.reconcile("crm", None).unwrap();
    assert_eq!((&second.id, second.state), (&first.id, State::Analyzed));
    let cursors: Vec<Option<String>> = target.calls().into_iter().map(|call| call.cursor).collect();
    let expected = [None, Some("2"), Some("4"), Some("6")];
    assert_eq!(cursors, expected.map(|cursor| cursor.map(str::to_owned)));
}

#[test]
fn a_reconciliation_is_taken_back_while_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.db");
    let target = target();
    let holder: Arc<Mutex<Option<Engine>>> = Arc::default();
    let other = Arc::clone(&holder);
    let watched = Watched {
        target: target.clone(),
        at_page: Arc::new(move |cursor| {
            let engine = other.lock().unwrap().clone();
            if let (Some("2"), Some(engine)) = (cursor, engine) {
                let open = engine.reconciliations(&Default::default()).unwrap();
                engine.cancel(open.last().unwrap().id.as_str(), Some("bob")).unwrap();
            }
        }),
    };
    let engine = open(&path, &watched);
    fill(&engine);
    *holder.lock().unwrap() = Some(engine.clone());
    let before = engine.accounts(&AccountFilter::default()).unwrap();
    let found = engine.reconcile("crm", None).unwrap();
    assert_eq!(found.state, State::Cancelled);
    assert_eq!(engine.accounts(&AccountFilter::default()).unwrap(), before);
    *holder.lock().unwrap() = None;
}

#[test]
fn a_run_that_is_cancelled_stops_the_reading_and_not_the_reconciliation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.db");
    let holder: Arc<Mutex<Option<Engine>>> = Arc::default();
    let other = Arc::clone(&holder);
    let watched = Watched {
        target: target(),
        at_page: Arc::new(move |_| {
            if let Some(engine) = other.lock().unwrap().take() {
                engine.cancel_run();
            }
        }),
    };
    let engine = open(&path, &watched);
    fill(&engine);
    *holder.lock().unwrap() = Some(engine.clone());
    let found = engine.reconcile("crm", None).unwrap();
    assert_eq!((found.state, found.pages), (State::Collecting, 1));
    assert_eq!(engine.reconcile("crm", None).unwrap().state, State::Analyzed);
}

#[test]
fn whoever_was_at_it_before_writes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.db");
    let target = target();
    let second = Arc::new(Mutex::new(None::<Engine>));
    let other = Arc::clone(&second);
    let watched = Watched {
        target: target.clone(),
        at_page: Arc::new(move |cursor| {
            let engine = if cursor == Some("2") { other.lock().unwrap().take() } else { None };
            if let Some(engine) = engine {
                assert_eq!(engine.reconcile("crm", None).unwrap().state, State::Analyzed);
            }
        }),
    };
    let engine = open(&path, &watched);
    fill(&engine);
    *second.lock().unwrap() = Some(open(&path, &plain(&target)));
    let error = engine.reconcile("crm", None).unwrap_err();
    assert_eq!(error.code(), Code::Cancelled);
    let found = engine.reconciliations(&Default::default()).unwrap();
    assert_eq!(found.iter().map(|one| one.state).collect::<Vec<_>>(), [State::Analyzed]);
}

/// A plan of several transactions, killed after each of them.
#[test]
fn a_run_carries_on_with_a_plan_that_a_dead_process_was_carrying_out() {
    const MANY: usize = 250;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.db");
    let target = MockTarget::new();
    (0..MANY).for_each(|number| target.put_account(account(1_000 + number)));
    let copies: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let (told, from, to) = (Arc::clone(&copies), path.clone(), folder.path().to_owned());
    let log: Told = Arc::new(move |entry| {
        // The first of each transaction.
        let item = entry.details.get("item").and_then(Value::as_u64);
        if entry.kind == "committing" || item.is_some_and(|item| item % 100 == 1) {
            let name = to.join(format!("many{}.db", entry.sequence));
            copy(&from, &name);
            told.lock().unwrap().push(name);
        }
    });
    let engine = open_told(&path, &plain(&target), Some(log));
    engine.put_app(app(), None).unwrap();
    let found = engine.reconcile("crm", None).unwrap();
    let digest = found.digest.as_deref().unwrap();
    engine.commit(found.id.as_str(), digest, "ann").unwrap();
    drop(engine);
    let copies = copies.lock().unwrap().clone();
    assert_eq!(copies.len(), 4);
    for (number, copy) in copies.iter().enumerate() {
        let engine = open(copy, &plain(&target));
        let was = engine.reconciliation(found.id.as_str()).unwrap();
        assert_eq!(was.state, State::Committing);
        assert_eq!(was.items.get(&ItemState::Done).copied().unwrap_or(0), [0, 100, 200, 250][number]);
        // By a run, or by whoever committed it.
        if number % 2 == 0 {
            engine.run(&RunOptions::default()).unwrap();
        } else {
            engine.commit(found.id.as_str(), digest, "ann").unwrap();
        }
        let done = engine.reconciliation(found.id.as_str()).unwrap();
        assert_eq!((done.state, done.items[&ItemState::Done]), (State::Completed, MANY as u64));
        let entries = engine.log(&rollkeeper::model::LogFilter { limit: Some(10_000), ..Default::default() }).unwrap();
        let told = entries.iter().filter(|entry| entry.kind == "reconciled").count();
        assert_eq!(told, MANY, "each item was done once");
        assert_eq!(engine.accounts(&AccountFilter { limit: Some(1_000), ..Default::default() }).unwrap().len(), MANY);
    }
}

/// A person manages the link of the account: `mark_known` in the file itself.
fn manage_link(path: &Path, external_id: &str) {
    let file = rusqlite::Connection::open(path).unwrap();
    let changed = file.execute("UPDATE account SET known_link = 1 WHERE external_id = $1", [external_id]).unwrap();
    assert_eq!(changed, 1);
}

fn app_with(reactions: &Value, more: &Value) -> App {
    let mut app = serde_json::to_value(app()).unwrap();
    app["reconcile"] = json!({"reactions": reactions});
    app.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    App::from_json(app.to_string().as_bytes()).unwrap()
}

#[test]
fn the_link_that_a_person_manages_and_the_account_that_is_protected_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.db");
    let target = target();
    let engine = open(&path, &plain(&target));
    fill(&engine);
    let found = engine.reconcile("crm", None).unwrap();
    engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap();
    engine.run(&RunOptions::default()).unwrap();
    manage_link(&path, "x0");
    // Both users have left, and everybody else stays.
    for id in ["u0", "u2", "u4"] {
        let user = json!({"id": id, "username": id, "profile": "Guests"});
        engine.put_app(app_with(&json!({}), &json!({"enabled": false})), None).unwrap();
        engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
    }
    for request in engine.requests(&RequestFilter::default()).unwrap() {
        let _ = engine.cancel(request.id.as_str(), None);
    }
    let more = json!({"protected": {"external_ids": ["x2"]}, "enabled": false});
    engine.put_app(app_with(&json!({"unqualified": "unlink", "orphaned": "report"}), &more), None).unwrap();
    for request in engine.requests(&RequestFilter::default()).unwrap() {
        let _ = engine.cancel(request.id.as_str(), None);
    }
    let found = engine.reconcile("crm", None).unwrap();
    let items = engine.plan(found.id.as_str(), &PlanFilter::default()).unwrap();
    let of = |account: &str| items.iter().find(|item| item.finding.account.as_deref() == Some(account)).unwrap();
    assert_eq!((of("x0").reaction.name(), of("x0").why.len()), ("report", 1), "{:?}", of("x0"));
    assert_eq!(of("x2").finding.situation.name(), "protected");
    assert_eq!((of("x4").finding.situation.name(), of("x4").reaction.name()), ("unqualified", "unlink"));
    // What is inferred and destructive is held the first time it is found.
    assert_eq!(of("x4").state, ItemState::Held);
    let before = engine.accounts(&AccountFilter::default()).unwrap();
    let done = engine.commit(found.id.as_str(), found.digest.as_deref().unwrap(), "ann").unwrap();
    assert_eq!(engine.accounts(&AccountFilter::default()).unwrap(), before);
    assert_eq!(done.state, State::Completed, "nobody can release what must be found again");
    assert_eq!(done.items.get(&ItemState::Expired), Some(&1));
}

/// A target whose places and errors are made of people's names.
struct Telling {
    file: PathBuf,
    asked: Mutex<Vec<Option<String>>>,
}

const NAME: &str = "ann.person@example.org";

impl Telling {
    /// Whether the name stands in the file, or in what is written ahead of it.
    fn is_told(&self) -> bool {
        let log = PathBuf::from(format!("{}-wal", self.file.display()));
        let files = [self.file.clone(), log].into_iter().filter_map(|file| std::fs::read(file).ok());
        files.into_iter().any(|bytes| bytes.windows(NAME.len()).any(|one| one == NAME.as_bytes()))
    }
}

impl Connector for Telling {
    fn create(&self, _: &Attributes, _: &str) -> Result<TargetAccount, ConnectorError> {
        Err(ConnectorError::unsupported("create"))
    }

    fn list(&self, cursor: Option<&str>, _: Option<&str>) -> Result<Page, ConnectorError> {
        self.asked.lock().unwrap().push(cursor.map(str::to_owned));
        match cursor {
            None => Ok(Page { accounts: vec![account(1)], next: Some(NAME.to_owned()), ..Page::default() }),
            Some(_) if self.is_told() => Err(ConnectorError::new(Outcome::Rejected, "internal", "told")),
            Some(_) => Err(ConnectorError::new(Outcome::Rejected, "forbidden", format!("no more after {NAME}"))),
        }
    }
}

#[test]
fn neither_the_place_of_the_next_page_nor_the_target_s_words_are_stored_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealed.db");
    let target = Arc::new(Telling { file: path.clone(), asked: Mutex::default() });
    let engine = Engine::builder().path(&path).seed(11).open().unwrap();
    engine.register_connector("target", Arc::clone(&target) as Arc<dyn Connector>).unwrap();
    fill(&engine);
    without_requests(&engine);
    let failed = engine.reconcile("crm", Some("ann")).unwrap();
    assert_eq!((failed.state, failed.faults[0].code), (State::Failed, Code::Forbidden), "{failed:?}");
    assert_eq!(failed.faults[0].message, "the target's accounts cannot be listed");
    assert_eq!(*target.asked.lock().unwrap(), [None, Some(NAME.to_owned())]);
    assert!(!target.is_told());
}
