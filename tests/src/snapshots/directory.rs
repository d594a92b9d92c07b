//! A company of people with linked accounts in one target, kept as a file so that each bad snapshot meets the same.

use super::{Answers, Chance, Kind, Play};
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, Page, TargetAccount};
use rollkeeper::model::{AccountFilter, App, LinkState, Reconciliation};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::value::Attributes;
use rollkeeper::{Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const DEPARTMENTS: [&str; 4] = ["IT", "HR", "Sales", "Care"];

/// Two observations of the same are further apart than the brake asks for.
pub const APART: Period = Period::from_seconds(660);

type Failure = Box<dyn std::error::Error>;

/// Which user has which account.
type Links = BTreeSet<(String, String)>;

/// A company before anything goes wrong.
pub struct Directory {
    /// The seed.
    pub seed: u64,
    /// The users as the source has them.
    pub users: Vec<Value>,
    /// The accounts as they really are.
    pub accounts: Vec<TargetAccount>,
    /// The app's definition.
    pub app: Value,
    file: PathBuf,
    ended: Timestamp,
}

/// What reached the target, and what became of the links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// The calls that take something away.
    pub calls: Vec<String>,
    /// Links that are no longer there.
    pub links: Links,
    /// How many plans were committed.
    pub commits: usize,
    /// What came of each listing.
    pub verdicts: Vec<String>,
    /// How many accounts lost something when the kind was played for the first time.
    pub at_once: usize,
    /// How many people there are.
    pub people: usize,
}

impl Harm {
    /// How many.
    pub fn count(&self) -> usize {
        self.calls.len() + self.links.len()
    }

    /// How many accounts lost something.
    pub fn accounts(&self) -> usize {
        let called = self.calls.iter().filter_map(|call| call.split(' ').nth(1));
        let unlinked = self.links.iter().map(|(_, account)| account.as_str());
        called.chain(unlinked).collect::<BTreeSet<_>>().len()
    }
}

impl Directory {
    /// Makes a company at random; its files are in `folder`.
    ///
    /// # Errors
    /// What the engine comes to.
    pub fn new(seed: u64, folder: &Path) -> Result<Self, Failure> {
        let mut chance = Chance::new(seed);
        // Some dozen, or a few, or many.
        let size = match seed / 4 % 4 {
            1 => 1 + chance.below(31),
            3 => 60 + chance.below(141),
            _ => 32 + chance.below(24),
        };
        let users = people(&mut chance, size);
        let target = MockTarget::with_options(rollkeeper::connector::mock::MockOptions {
            accounts: users.iter().enumerate().map(|(number, user)| account(number, user)).collect(),
            ..Default::default()
        });
        let file = folder.join(format!("company-{seed}.db"));
        let clock = VirtualClock::new(Timestamp::parse("2026-03-01T08:00:00Z")?);
        let engine = open(&file, &clock, Arc::new(target.clone()), true)?;
        let app = app(&mut chance);
        engine.put_app(App::from_json(app.to_string().as_bytes())?, None)?;
        let hired: Vec<Value> = users.iter().map(|user| with(user, "active", Value::from(true))).collect();
        engine.put_users_snapshot(&text(&hired), Some("hr"))?;
        engine.run(&RunOptions::default())?;
        // Who left long ago has a disabled account.
        for user in users.iter().filter(|user| user["active"] == false) {
            engine.put_users(&text(std::slice::from_ref(user)), Some("hr"))?;
        }
        settle(&engine, &clock)?;
        let linked = linked(&engine)?.len();
        if linked != users.len() {
            return Err(format!("seed {seed}: {linked} of {} users are linked", users.len()).into());
        }
        if seed.is_multiple_of(2) {
            // Half of them were reconciled before.
            let found = engine.reconcile("crm", Some("ann"))?;
            commit(&engine, &found)?;
            engine.put_users_snapshot(&text(&users), Some("hr"))?;
        }
        let ended = rollkeeper::Clock::now(&clock).plus(Period::from_seconds(2 * 86_400));
        drop(engine);
        Ok(Self { seed, users, accounts: target.accounts(), app, file, ended })
    }

    /// The company as it was, in an engine and with a target of its own.
    ///
    /// # Errors
    /// What the engine comes to.
    pub fn open(&self, name: &str, brakes: bool) -> Result<World, Failure> {
        let file = self.file.with_file_name(format!("played-{}-{name}.db", self.seed));
        std::fs::copy(&self.file, &file)?;
        let mock = MockTarget::with_options(rollkeeper::connector::mock::MockOptions {
            accounts: self.accounts.clone(),
            ..Default::default()
        });
        let target = Arc::new(Target { mock: mock.clone(), shown: Mutex::new(None) });
        let clock = VirtualClock::new(self.ended);
        let engine = open(&file, &clock, target.clone(), brakes)?;
        let linked = linked(&engine)?;
        Ok(World { engine, clock, target, mock, linked, file })
    }

    /// Plays a kind twice, further apart than two observations must be; what came of it.
    ///
    /// # Errors
    /// What the engine comes to.
    pub fn play(&self, kind: &Kind, name: &str, brakes: bool) -> Result<Harm, Failure> {
        let world = self.open(name, brakes)?;
        let mut harm = Harm { people: self.users.len(), ..Harm::default() };
        for round in 0..2 {
            let mut chance = Chance::new(self.seed);
            chance.round = round;
            match kind.play {
                Play::Target(play) => {
                    world.target.show(Some(play(&self.accounts, &mut chance)));
                    let found = world.engine.reconcile("crm", Some("ann"))?;
                    harm.verdicts.push(format!("{:?} {:?}", found.state, found.verdict));
                    harm.commits += usize::from(commit(&world.engine, &found)?);
                }
                Play::Source(play) => {
                    match world.engine.put_users_snapshot(&play(&self.users, &mut chance), Some("hr")) {
                        Ok(put) => harm.verdicts.push(format!("{:?}", put.snapshot.map(|one| one.verdict))),
                        Err(error) => harm.verdicts.push(error.to_string()),
                    }
                }
            }
            settle(&world.engine, &world.clock)?;
            world.clock.advance(APART);
            // A link that the next round makes again was taken away all the same.
            let (calls, links) = world.harm()?;
            harm.calls = calls;
            harm.links.extend(links);
            if round == 0 {
                harm.at_once = harm.accounts();
            }
        }
        Ok(harm)
    }
}

/// A company that is being played with.
pub struct World {
    /// The engine.
    pub engine: Engine,
    /// Its clock.
    pub clock: VirtualClock,
    /// What the engine sees of the target.
    pub target: Arc<Target>,
    /// The target as it is.
    pub mock: MockTarget,
    linked: Links,
    file: PathBuf,
}

impl World {
    /// The calls that took something away so far, and the links that are gone.
    ///
    /// # Errors
    /// What the engine comes to.
    pub fn harm(&self) -> Result<(Vec<String>, Links), Failure> {
        let takes =
            |call: &rollkeeper::connector::mock::MockCall| matches!(call.method.as_str(), "deactivate" | "delete");
        let calls = self.mock.calls();
        let calls = calls.iter().filter(|call| takes(call));
        let calls = calls.map(|call| format!("{} {}", call.method, call.external_id.as_deref().unwrap_or_default()));
        let now = linked(&self.engine)?;
        Ok((calls.collect(), self.linked.difference(&now).cloned().collect()))
    }

    /// Reconciles and commits.
    ///
    /// # Errors
    /// What the engine comes to.
    pub fn reconcile(&self) -> Result<Reconciliation, Failure> {
        let found = self.engine.reconcile("crm", Some("ann"))?;
        commit(&self.engine, &found)?;
        settle(&self.engine, &self.clock)?;
        Ok(found)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for ending in ["", "-wal", "-shm"] {
            let mut name = self.file.clone().into_os_string();
            name.push(ending);
            // A file that is left over is overwritten by the next run.
            let _ = std::fs::remove_file(name);
        }
    }
}

/// The users as one list.
pub fn text(users: &[Value]) -> Vec<u8> {
    Value::from(users.to_vec()).to_string().into_bytes()
}

/// A record with one other value.
#[must_use]
pub fn with(record: &Value, key: &str, value: Value) -> Value {
    let mut record = record.clone();
    if let Some(object) = record.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
    record
}

fn people(chance: &mut Chance, size: usize) -> Vec<Value> {
    let person = |number: usize| {
        let family = chance.one(&["Müller", "Łukasz", "Øre", "Smith", "Žiž", "Lee"]).copied().unwrap_or_default();
        json!({
            "id": format!("U-{number:03}"), "username": format!("{family}.{number}"), "display": format!("Ärzte {family} {number}"),
            "department": DEPARTMENTS.get((number + chance.below(2)) % 4), "profile": "Employees",
            // A fourth of them left long ago.
            "active": number % 4 != 1,
        })
    };
    (0..size).map(person).collect()
}

fn account(number: usize, user: &Value) -> TargetAccount {
    let attributes = json!({
        "userName": user["username"], "displayName": user["display"], "department": user["department"],
        "externalId": user["id"],
    });
    TargetAccount {
        external_id: format!("Acc-{number}"),
        username: user["username"].as_str().map(str::to_owned),
        active: true,
        frozen: false,
        attributes: attributes.as_object().cloned().unwrap_or_default(),
        version: None,
    }
}

/// An app of which every reaction is one that takes something away.
fn app(chance: &mut Chance) -> Value {
    let mut takes = |of: &[&'static str]| chance.one(of).copied().unwrap_or("unlink");
    let reactions = json!({
        "source_gone": takes(&["deactivate", "delete", "unlink"]), "unqualified": takes(&["deactivate", "delete", "unlink"]),
        "drifted": "unlink", "orphaned": takes(&["deactivate", "delete"]), "taken": takes(&["deactivate", "delete"]),
        "missing": "unlink",
    });
    json!({
        "id": "crm", "connector": {"kind": "custom", "name": "target"}, "assigned_to": {"profiles": ["Employees"]},
        "operations": {"delete": true}, "reconcile": {"reactions": reactions},
        "matching": [{"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]}],
        "mapping": [
            {"target": "userName", "source": "username", "required": true}, {"target": "externalId", "source": "id"},
            {"target": "displayName", "source": "display"}, {"target": "department", "source": "department"},
        ],
    })
}

fn open(file: &Path, clock: &VirtualClock, target: Arc<dyn Connector>, brakes: bool) -> Result<Engine, Failure> {
    let builder = Engine::builder().path(file).clock(Arc::new(clock.clone())).seed(1);
    let builder = if brakes { builder } else { builder.without_brake() };
    let engine = builder.open()?;
    engine.register_connector("target", target)?;
    Ok(engine)
}

/// Carries out what may be of a plan, where there is one.
fn commit(engine: &Engine, found: &Reconciliation) -> Result<bool, Failure> {
    let Some(digest) = &found.digest else { return Ok(false) };
    engine.commit(found.id.as_str(), digest, "ann")?;
    Ok(true)
}

/// Runs until nothing is due within five minutes.
fn settle(engine: &Engine, clock: &VirtualClock) -> Result<(), Failure> {
    let end = rollkeeper::Clock::now(clock).plus(Period::from_seconds(300));
    for _ in 0..200 {
        match engine.run(&RunOptions::default())?.next_due.filter(|due| *due <= end) {
            Some(due) => clock.set(due.max(rollkeeper::Clock::now(clock))),
            None => break,
        }
    }
    Ok(())
}

fn linked(engine: &Engine) -> Result<Links, Failure> {
    let filter = AccountFilter { link_state: Some(LinkState::Linked), ..AccountFilter::default() };
    let known = engine.accounts(&filter)?;
    Ok(known.into_iter().filter_map(|one| Some((one.user?.as_str().to_owned(), one.external_id))).collect())
}

/// A target whose listings are not its accounts. Everything else is as it is.
pub struct Target {
    mock: MockTarget,
    shown: Mutex<Option<Answers>>,
}

impl Target {
    /// What its listings show from now on; the accounts as they are where it is `None`.
    pub fn show(&self, answers: Option<Answers>) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }
}

impl Connector for Target {
    fn capabilities(&self) -> Capabilities {
        self.mock.capabilities()
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        self.mock.find(attribute, value)
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.mock.read(external_id)
    }

    fn create(&self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        self.mock.create(attributes, key)
    }

    fn update(
        &self,
        id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        self.mock.update(id, changes, version)
    }

    fn activate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.mock.activate(external_id)
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.mock.deactivate(external_id)
    }

    fn delete(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.mock.delete(external_id)
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match shown.as_ref() {
            None => self.mock.list(cursor, filter),
            Some(answers) => {
                let number = cursor.and_then(|cursor| cursor.parse::<usize>().ok()).unwrap_or(0);
                answers.get(number).cloned().unwrap_or_else(|| Ok(Page::default()))
            }
        }
    }
}
