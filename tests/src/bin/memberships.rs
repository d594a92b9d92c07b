//! Plays stories of memberships for programs in other languages: each line of standard input is `{"target": {…}, "steps": [{"do":
//! …}, …]}`, each line of standard output a list with what every `reconcile` of it planned and did. Nothing is sent anywhere.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a program for tests stops at what it did not expect"
)]

use rollkeeper::connector::mock::MockOptions;
use rollkeeper::connector::{
    Capabilities, Change, Connector, ConnectorError, Outcome, Page, SchemaAttribute, TargetAccount,
};
use rollkeeper::model::{App, PlanFilter, PlanItem};
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::value::Attributes;
use rollkeeper::{Clock, Engine, Period, RunOptions, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    target: MockOptions,
    steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "do", rename_all = "snake_case")]
enum Step {
    /// The app's definition is put.
    App { app: Value },
    /// The target is asked what it is, and what its groups are called.
    Discover,
    /// Records are put, each by itself.
    Users { users: Vec<Value> },
    /// A user leaves the directory.
    Leave { user: String },
    /// The engine runs until nothing is due within a minute.
    Run,
    /// Time passes.
    Pass { seconds: u32 },
    /// Somebody puts an account into a group by hand, or takes it out.
    Member { group: String, account: String, there: bool },
    /// Somebody makes an account, or changes one.
    Account { account: TargetAccount },
    /// Somebody deletes an account.
    Gone { account: String },
    /// From now on the target shows its groups so.
    Show { show: View },
    /// A reconciliation, which is committed where that is asked for.
    Reconcile { commit: bool },
}

/// How a target shows its groups.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct View {
    /// Its groups have these names.
    names: BTreeMap<String, String>,
    /// These are not there any more.
    gone: BTreeSet<String>,
    /// Of these the members are not shown.
    hidden: BTreeSet<String>,
    /// These are told twice, with half of their members each.
    halves: BTreeSet<String>,
    /// Members are shown by their logins.
    logins: bool,
    /// Groups cannot be listed at all.
    silent: bool,
    /// Memberships cannot be changed.
    refuses: bool,
    /// The listing of accounts says that it is not all.
    partial: bool,
}

/// A mock target with a view of its own.
struct Target {
    mock: MockTarget,
    view: Mutex<View>,
}

fn main() {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let story: Story = serde_json::from_str(&line.unwrap()).unwrap();
        serde_json::to_writer(&mut out, &played(story)).unwrap();
        out.write_all(b"\n").unwrap();
        out.flush().unwrap();
    }
}

/// What each reconciliation of a story came to.
fn played(story: Story) -> Vec<Value> {
    let clock = VirtualClock::new(Timestamp::parse("2026-03-01T08:00:00Z").unwrap());
    let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(1).open().unwrap();
    let groups = story.target.groups.keys().cloned().collect();
    let mock = MockTarget::with_options(story.target);
    let target = Arc::new(Target { mock: mock.clone(), view: Mutex::default() });
    engine.register_connector("target", target.clone()).unwrap();
    let world = World { engine, clock, mock, target, groups };
    story.steps.into_iter().filter_map(|step| world.play(step)).collect()
}

struct World {
    engine: Engine,
    clock: VirtualClock,
    mock: MockTarget,
    target: Arc<Target>,
    groups: Vec<String>,
}

impl World {
    fn play(&self, step: Step) -> Option<Value> {
        match step {
            Step::App { app } => {
                drop(self.engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap())
            }
            Step::Discover => drop(self.engine.discover("crm").unwrap()),
            Step::Users { users } => {
                let put = self.engine.put_users(Value::from(users).to_string().as_bytes(), Some("hr")).unwrap();
                assert!(put.faults.is_empty(), "{:?}", put.faults);
            }
            Step::Leave { user } => drop(self.engine.delete_user(&user, Some("hr")).unwrap()),
            Step::Run => self.run(),
            Step::Pass { seconds } => self.clock.advance(Period::from_seconds(seconds)),
            Step::Member { group, account, there } => assert!(self.mock.set_member(&group, &account, there), "{group}"),
            Step::Account { account } => self.mock.put_account(account),
            Step::Gone { account } => assert!(self.mock.remove_account(&account), "{account}"),
            Step::Show { show } => *self.target.view.lock().unwrap() = show,
            Step::Reconcile { commit } => return Some(self.reconcile(commit)),
        }
        None
    }

    fn run(&self) {
        for _ in 0..1_000 {
            let now = self.clock.now();
            let due = self.engine.run(&RunOptions::default()).unwrap().next_due;
            match due.filter(|due| *due <= now.plus(Period::from_seconds(60))) {
                Some(due) => self.clock.set(due.max(now)),
                None => return,
            }
        }
        panic!("there is always something due");
    }

    /// What was planned; where it is committed, what became of that, and who is in which group then.
    fn reconcile(&self, commit: bool) -> Value {
        let found = self.engine.reconcile("crm", Some("ann")).unwrap();
        let mut told = json!({"found": found, "items": self.items(found.id.as_str())});
        let Some(digest) = found.digest.filter(|_| commit) else { return told };
        self.engine.commit(found.id.as_str(), &digest, "ann").unwrap();
        self.run();
        let members = self.groups.iter().map(|group| (group, self.mock.members(group)));
        let members: BTreeMap<&String, Vec<String>> = members.collect();
        told["done"] = json!(self.items(found.id.as_str()));
        told["members"] = json!(members);
        told
    }

    fn items(&self, id: &str) -> Vec<PlanItem> {
        let filter = PlanFilter { limit: Some(100_000), ..PlanFilter::default() };
        self.engine.plan(id, &filter).unwrap()
    }
}

impl Target {
    fn view(&self) -> View {
        self.view.lock().unwrap().clone()
    }

    /// The groups as the view has them.
    fn groups(&self, groups: Vec<Attributes>) -> Vec<Attributes> {
        let view = self.view();
        let mut shown = Vec::new();
        for mut group in groups {
            let id = group["id"].as_str().unwrap().to_owned();
            if view.gone.contains(&id) {
                continue;
            }
            if let Some(name) = view.names.get(&id) {
                group.insert("display_name".to_owned(), json!(name));
            }
            if view.hidden.contains(&id) {
                group.remove("members");
            }
            if view.logins {
                self.name(&mut group);
            }
            if view.halves.contains(&id) {
                let mut rest = group.clone();
                halve(&mut group, 0);
                halve(&mut rest, 1);
                shown.push(rest);
            }
            shown.push(group);
        }
        shown
    }

    /// Puts logins in the place of ids.
    fn name(&self, group: &mut Attributes) {
        let accounts = self.mock.accounts();
        for member in group.get_mut("members").and_then(Value::as_array_mut).into_iter().flatten() {
            let login =
                accounts.iter().find(|one| member == one.external_id.as_str()).and_then(|one| one.username.as_ref());
            *member = login.map_or(member.clone(), |login| json!(login));
        }
    }
}

/// Every second member, from this one on.
fn halve(group: &mut Attributes, from: usize) {
    if let Some(members) = group.get_mut("members").and_then(Value::as_array_mut) {
        *members = members.iter().skip(from).step_by(2).cloned().collect();
    }
}

impl Connector for Target {
    fn capabilities(&self) -> Capabilities {
        self.mock.capabilities()
    }

    fn schema(&self) -> Result<Vec<SchemaAttribute>, ConnectorError> {
        self.mock.schema()
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

    fn freeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.mock.freeze(external_id)
    }

    fn unfreeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.mock.unfreeze(external_id)
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        let page = self.mock.list(cursor, filter)?;
        let is_all = !self.view().partial;
        Ok(Page { complete: page.complete && is_all, ..page })
    }

    fn list_groups(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        if self.view().silent {
            return Err(ConnectorError::unsupported("list_groups"));
        }
        // Two groups a page, so that what is told of one group twice comes in two pages too.
        let groups = self.groups(self.mock.list_groups(None)?.0);
        let start = cursor.map_or(0, |cursor| cursor.parse::<usize>().unwrap());
        let next = (start + 2 < groups.len()).then(|| (start + 2).to_string());
        Ok((groups.into_iter().skip(start).take(2).collect(), next))
    }

    fn group_names(&self, _cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        Ok((self.groups(self.mock.group_names(None)?.0), None))
    }

    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        if self.view().refuses {
            return Err(ConnectorError::new(Outcome::Rejected, "rejected", "the target refused the members"));
        }
        self.mock.change_members(group, add, remove)
    }
}
