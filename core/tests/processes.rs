//! Several processes on one file, one of which is killed: everybody has one account, and no two have one name.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use rollkeeper::connector::{Capabilities, Connector, ConnectorError, TargetAccount};
use rollkeeper::model::{App, User, UserFilter};
use rollkeeper::testing::VirtualClock;
use rollkeeper::value::Attributes;
use rollkeeper::{Engine, Period, RunOptions, Timestamp};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "(user.first.left(1) + user.last).lower() + token";

/// Where a worker process finds the files, and at which create it dies.
const FOLDER: &str = "ROLLKEEPER_TEST_FOLDER";
const DIES_AT: &str = "ROLLKEEPER_TEST_DIES_AT";

/// A target that many processes share and that refuses nothing: two of one name would show.
struct Shared {
    path: PathBuf,
    dies_at: Option<i64>,
}

impl Shared {
    fn open(&self) -> Connection {
        let file = Connection::open(&self.path).unwrap();
        file.busy_timeout(Duration::from_secs(60)).unwrap();
        file.execute_batch("CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, name TEXT, user TEXT)")
            .unwrap();
        file
    }

    fn accounts(&self) -> Vec<TargetAccount> {
        let file = self.open();
        let mut rows = file.prepare("SELECT id, name, user FROM account ORDER BY id").unwrap();
        let account = |row: &rusqlite::Row<'_>| {
            let (id, name, user): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let attributes = json!({"userName": name, "externalId": user});
            Ok(json!({"external_id": id.to_string(), "username": name, "attributes": attributes}))
        };
        let found: Vec<Value> = rows.query_map([], account).unwrap().map(Result::unwrap).collect();
        found.into_iter().map(|account| serde_json::from_value(account).unwrap()).collect()
    }
}

impl Connector for Shared {
    fn capabilities(&self) -> Capabilities {
        Capabilities { search: true, ..Capabilities::default() }
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        let accounts = self.accounts().into_iter();
        Ok(accounts.filter(|account| account.attributes.get(attribute) == Some(value)).collect())
    }

    fn create(&self, attributes: &Attributes, _key: &str) -> Result<TargetAccount, ConnectorError> {
        let file = self.open();
        let text = |name: &str| attributes.get(name).and_then(Value::as_str).unwrap();
        file.execute("INSERT INTO account (name, user) VALUES ($1, $2)", [text("userName"), text("externalId")])
            .unwrap();
        let id = file.last_insert_rowid();
        if self.dies_at.is_some_and(|dies_at| id >= dies_at) {
            let killed = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
            panic!("still alive: {killed:?}");
        }
        let account = json!({"external_id": id.to_string(), "username": text("userName"), "attributes": attributes});
        Ok(serde_json::from_value(account).unwrap())
    }
}

fn target(folder: &Path, dies_at: Option<i64>) -> Shared {
    Shared { path: folder.join("target.db"), dies_at }
}

/// What a worker process does: it adds fifty John Smiths of its own and delivers whatever is due.
fn work(folder: &Path) {
    let dies_at = std::env::var(DIES_AT).ok().and_then(|number| number.parse().ok());
    let engine = Engine::builder().path(folder.join("state.db")).open().unwrap();
    engine.register_connector("shared", Arc::new(target(folder, dies_at)) as Arc<dyn Connector>).unwrap();
    for number in 0..50 {
        let id = format!("{}-{number}", std::process::id());
        let user = json!({"id": id, "first": "John", "last": "Smith", "profile": "Employees"});
        engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
        engine.run(&RunOptions { workers: 2, ..RunOptions::default() }).unwrap();
    }
}

/// A folder in memory where there is one: a process that is killed loses nothing that it wrote, synced or not.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

#[test]
fn a_hundred_john_smiths_have_a_hundred_names_with_two_processes_of_which_one_is_killed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return work(Path::new(&folder));
    }
    for dies_at in [None, Some(30)] {
        let folder = folder();
        let state = folder.path().join("state.db");
        let app = json!({"id": "crm", "connector": {"kind": "custom", "name": "shared"}, "create_without_match": true,
            "assigned_to": {"profiles": ["Employees"]},
            "mapping": [{"target": "userName", "expression": NAME, "required": true, "unique": true}]});
        let engine = Engine::builder().path(&state).open().unwrap();
        engine.register_connector("shared", Arc::new(target(folder.path(), None)) as Arc<dyn Connector>).unwrap();
        engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
        let spawn = |dies_at: Option<i64>| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command
                .arg("--exact")
                .arg("processes::a_hundred_john_smiths_have_a_hundred_names_with_two_processes_of_which_one_is_killed");
            command.env(FOLDER, folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
            if let Some(number) = dies_at {
                command.env(DIES_AT, number.to_string());
            }
            command.spawn().unwrap()
        };
        let mut workers = [spawn(dies_at), spawn(None)];
        let ended = workers.each_mut().map(|worker| worker.wait().unwrap().success());
        assert_eq!(ended, [dies_at.is_none(), true]);
        drop(engine);
        // Another clock is another boot of the machine: every wait begins anew, and is over an hour later.
        let later = VirtualClock::new(Timestamp::parse("2066-01-01T00:00:00Z").unwrap());
        let engine = Engine::builder().path(&state).clock(Arc::new(later.clone())).open().unwrap();
        engine.register_connector("shared", Arc::new(target(folder.path(), None)) as Arc<dyn Connector>).unwrap();
        // What was in doubt is settled an hour later; where that made an account, a second one is looked for once more.
        for _ in 0..3 {
            engine.run(&RunOptions::default()).unwrap();
            later.advance(Period::from_seconds(3600));
        }
        assert_eq!(engine.run(&RunOptions::default()).unwrap().open, 0);
        let users = engine.users(&UserFilter::default()).unwrap().len();
        let accounts = target(folder.path(), None).accounts();
        let names: BTreeSet<_> = accounts.iter().map(|account| account.username.clone()).collect();
        let owners: BTreeSet<_> = accounts.iter().map(|account| account.attributes["externalId"].to_string()).collect();
        assert_eq!((accounts.len(), names.len(), owners.len()), (users, users, users), "dies at {dies_at:?}");
        assert!(users == 100 || dies_at.is_some(), "{users}");
    }
}
