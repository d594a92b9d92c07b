//! The story of groups: grants are given and taken, somebody leaves, a group is renamed or deleted by hand.

use super::tale::{account, merge, open, person, record};
use super::{Group, Outcome, Personality, Zoo};
use crate::zoo::End;
use rollkeeper::model::{App, MembershipState, RequestFilter, State, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const MOST_RUNS: usize = 300;
const MOST_REQUESTS: u64 = 1_000;

/// What is done by hand in the middle of the story.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByHand {
    /// Nothing.
    #[default]
    Nothing,
    /// The first group has another name.
    Renamed,
    /// The first group is deleted.
    Deleted,
}

/// Goes through the story of groups.
///
/// # Errors
/// As [`super::tell`].
pub fn tell_groups(personality: &Personality, folder: &Path) -> Result<Outcome, String> {
    let clock = VirtualClock::new(Timestamp::from_micros(0));
    let now = clock.clone();
    let zoo = Zoo::start(personality.bends.clone(), Box::new(move || now.now().as_micros()));
    let zoo = zoo.map_err(|error| error.to_string())?;
    zoo.add(account("root", "by-hand-root"));
    for (index, name) in personality.bends.groups.names.iter().enumerate() {
        zoo.put_group(Group { id: format!("g{}", index + 1), name: name.clone(), members: vec!["a1".to_owned()] });
    }
    let engine = open(&folder.join(format!("{}.db", personality.name)), &clock)?;
    let mut tale = Tale { engine, zoo, clock, wrongs: Vec::new() };
    tale.begin(personality)?;
    tale.live(personality.by_hand)?;
    tale.end()
}

struct Tale {
    engine: Engine,
    zoo: Zoo,
    clock: VirtualClock,
    wrongs: Vec<String>,
}

impl Tale {
    fn begin(&self, personality: &Personality) -> Result<(), String> {
        let mut app = record(json!({
            "id": "crm", "assigned_to": {"profiles": ["Employees"]}, "create_without_match": true,
            "connector": {"kind": "scim", "base_url": self.zoo.base_url(),
                "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
            "mapping": [{"target": "userName", "source": "username", "required": true}],
            "deprovision": {"memberships": "remove"},
            "entitlements": [
                {"grant": "permission_set", "name": "Staff", "group": {"display_name": "Staff"}},
                {"grant": "permission_set", "name": "Sales", "group": {"display_name": "Sales"}}],
        }));
        merge(&mut app, &personality.app);
        let app = App::from_json(Value::Object(app).to_string().as_bytes()).map_err(|fault| fault.to_string())?;
        self.engine.put_app(app, None).map(drop).map_err(|error| format!("{error:?}"))
    }

    fn put(&self, name: &str, sets: &[&str], active: bool) -> Result<(), String> {
        let mut record = person(name);
        merge(&mut record, &self::record(json!({"permission_sets": sets, "active": active})));
        let user = User::from_value(Value::Object(record)).map_err(|fault| fault.to_string())?;
        self.engine.put_user(user, None).map(drop).map_err(|error| error.to_string())
    }

    fn live(&mut self, by_hand: ByHand) -> Result<(), String> {
        for name in ["ada", "bob", "cid", "dee"] {
            self.put(name, &["Staff"], true)?;
        }
        self.settle()?;
        self.put("eve", &["Staff", "Sales"], true)?;
        self.put("ada", &[], true)?;
        self.settle()?;
        match by_hand {
            ByHand::Nothing => {}
            ByHand::Renamed => self.zoo.change_groups(|groups| {
                groups.iter_mut().take(1).for_each(|group| group.name = "All staff".to_owned());
            }),
            ByHand::Deleted => self.zoo.change_groups(|groups| groups.retain(|group| group.id != "g1")),
        }
        self.put("cid", &["Sales"], true)?;
        self.put("bob", &["Staff"], false)?;
        self.settle()
    }

    /// Runs for a day.
    fn settle(&mut self) -> Result<(), String> {
        let end = self.clock.now().plus(Period::from_seconds(86_400));
        for _ in 0..MOST_RUNS {
            let options = RunOptions { workers: 1, ..RunOptions::default() };
            let progress = self.engine.run(&options).map_err(|error| error.to_string())?;
            match progress.next_due.filter(|due| *due <= end) {
                Some(due) => self.clock.advance(due.since(self.clock.now()).max(Period::from_micros(1))),
                None => {
                    self.clock.advance(end.since(self.clock.now()));
                    return Ok(());
                }
            }
        }
        self.wrongs.push(format!("{MOST_RUNS} runs were not enough"));
        Ok(())
    }

    /// Compares the groups with what is wanted; what is not must be known to the engine.
    fn end(mut self) -> Result<Outcome, String> {
        let mut end = End::default();
        let accounts = self.zoo.accounts();
        let id_of = |name: &str| {
            let position =
                accounts.iter().position(|one| one.get("userName") == Some(&json!(format!("{name}@example.com"))));
            position.map(|position| format!("a{}", position + 1)).unwrap_or_default()
        };
        let wanted = [("g1", ["root", "dee", "eve"].as_slice()), ("g2", &["root", "cid", "eve"])];
        let groups = self.zoo.groups();
        for (id, names) in wanted {
            let Some(group) = groups.iter().find(|group| group.id == id) else { continue };
            for name in ["root", "ada", "bob", "cid", "dee", "eve"] {
                let (is, should) = (group.members.contains(&id_of(name)), names.contains(&name));
                if is == should {
                    continue;
                }
                let known = name != "root" && self.is_explained(name)?;
                let what = if is { "is still in" } else { "is not in" };
                let unknown = if known { "" } else { " (unknown)" };
                end.differs.push(format!("{name}: {what} {id}{unknown}"));
            }
        }
        let requests = self.engine.requests(&RequestFilter::default()).map_err(|error| error.to_string())?;
        let mut stops = BTreeSet::new();
        for request in &requests {
            let codes = request.faults.iter().map(|fault| fault.code.name());
            if request.state == State::Failed {
                stops.extend(codes.map(str::to_owned));
            } else if request.finished_at.is_none() {
                stops.extend(codes.map(|code| format!("{code} (open)")));
            }
        }
        end.stops = stops.into_iter().collect();
        let count: u64 = self.zoo.asked().values().sum();
        if count > MOST_REQUESTS {
            self.wrongs.push(format!("{count} requests for so few people"));
        }
        self.wrongs.extend(self.zoo.complaints());
        Ok(Outcome {
            end,
            wrongs: self.wrongs,
            requests: count,
            transcript: self.zoo.requests(),
            payloads: self.zoo.payloads(),
        })
    }

    fn is_explained(&self, name: &str) -> Result<bool, String> {
        let explained = self.engine.explain("crm", &format!("u-{name}")).map_err(|error| error.to_string())?;
        let waits = explained.requests.iter().any(|one| one.state == State::Failed || one.finished_at.is_none());
        let mut memberships = explained.memberships.iter();
        Ok(waits || memberships.any(|one| one.wanted != (one.state == Some(MembershipState::Held))))
    }
}
