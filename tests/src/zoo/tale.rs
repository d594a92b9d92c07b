//! The story that the whole engine goes through with each server of the zoo: people join, move and leave, one comes back,
//! somebody changes things by hand, the engine is closed and opened, and the target is compared, again and again.

use super::{End, Personality, Record, Zoo};
use rollkeeper::model::{
    App, Explanation, ProbeOptions, Reconciliation, Request, RequestFilter, SnapshotVerdict, State, User,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Engine, Period, RunOptions, Secret, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const START: &str = "2026-01-05T08:00:00Z";
const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// More runs than any server needs.
const MOST_RUNS: usize = 400;
/// More requests than any story with so few people needs: a target that is down for all of its nine days is asked every quarter
/// of an hour whether it is back.
const MOST_REQUESTS: u64 = 9 * 24 * 4 * 3;
const PEOPLE: [&str; 6] = ["ada", "bob", "cid", "dee", "eve", "fay"];
/// Accounts that were there before, and are nobody's.
const STRANGERS: [&str; 2] = ["root", "zed"];

/// How a story went.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// What must not be with any server.
    pub wrongs: Vec<String>,
    /// How many requests the server was sent.
    pub requests: u64,
    /// The requests, one a line.
    pub transcript: Vec<String>,
    /// The bodies that were sent, by method.
    pub payloads: Vec<(String, Value)>,
}

/// Goes through the story.
///
/// # Errors
/// Where the story itself cannot be told: the engine refuses its definition or its people, or the store fails.
pub fn tell(personality: &Personality, folder: &Path) -> Result<Outcome, String> {
    let clock = VirtualClock::new(Timestamp::parse(START).unwrap_or_default());
    let now = clock.clone();
    let now = Box::new(move || now.now().as_micros());
    let zoo = Zoo::start(personality.bends.clone(), now).map_err(|error| error.to_string())?;
    for name in STRANGERS {
        zoo.add(account(name, &format!("by-hand-{name}")));
    }
    zoo.add(record(json!({"userName": "Eve@Example.com", "name": {"familyName": "Old"}, "active": true,
        "nickName": "kept", "emails": [{"type": "home", "value": "eve@home.example"}]})));
    let path = folder.join(format!("{}.db", personality.name));
    let mut tale =
        Tale { engine: open(&path, &clock)?, zoo, clock, path, wrongs: Vec::new(), listing: None, rewrites: 0 };
    tale.begin(personality)?;
    tale.live()?;
    tale.end()
}

pub(super) fn open(path: &Path, clock: &VirtualClock) -> Result<Engine, String> {
    let secrets = Arc::new(|_: &str| Some(Secret::new("zoo".to_owned())));
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    Engine::builder().path(path).clock(clock).seed(7).secrets(secrets).open().map_err(|error| error.to_string())
}

pub(super) fn record(value: Value) -> Record {
    value.as_object().cloned().unwrap_or_default()
}

pub(super) fn account(name: &str, external_id: &str) -> Record {
    record(json!({"userName": format!("{name}@example.com"), "externalId": external_id, "active": true,
        "name": {"givenName": name, "familyName": "Stranger"}, "title": "not ours",
        "emails": [{"type": "work", "value": format!("{name}@example.com"), "primary": true}]}))
}

/// What the directory says of a person.
pub(super) fn person(name: &str) -> Record {
    record(json!({"id": format!("u-{name}"), "username": format!("{name}@example.com"), "firstName": name,
        "lastName": "O'Brien \"Ł\\\" & Söhne", "email": format!("{name}@example.com"), "title": "Nurse",
        "department": "Ward 7", "profile": "Employees"}))
}

struct Tale {
    engine: Engine,
    zoo: Zoo,
    clock: VirtualClock,
    path: PathBuf,
    wrongs: Vec<String>,
    listing: Option<String>,
    rewrites: u64,
}

impl Tale {
    fn begin(&mut self, personality: &Personality) -> Result<(), String> {
        let mut app = record(json!({
            "id": "crm", "assigned_to": {"profiles": ["Employees"]},
            "connector": {"kind": "scim", "base_url": self.zoo.base_url(), "features": {"page_size": 4},
                "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
            "timeouts": {"request": "PT1M"},
            "mapping": [
                {"target": "userName", "source": "username", "required": true},
                {"target": "name.givenName", "source": "firstName"},
                {"target": "name.familyName", "source": "lastName"},
                {"target": "title", "source": "title", "strength": "strong", "on_null": "clear"},
                {"target": "emails[type eq \"work\"].value", "source": "email"},
                {"target": format!("{DEPARTMENT}:department"), "source": "department"},
            ],
            "matching": [{"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]}],
            "reconcile": {"reactions": {"drifted": "update", "missing": "create", "unqualified": "deactivate"}},
        }));
        merge(&mut app, &personality.app);
        let app = App::from_json(Value::Object(app).to_string().as_bytes()).map_err(|fault| fault.to_string())?;
        self.engine.put_app(app, None).map_err(|error| format!("{error:?}"))?;
        if personality.probed {
            let options = ProbeOptions { sandbox: true, by: None };
            self.engine.probe("crm", &options).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn put(&self, name: &str, more: Value) -> Result<(), String> {
        let mut record = person(name);
        merge(&mut record, &self::record(more));
        let user = User::from_value(Value::Object(record)).map_err(|fault| fault.to_string())?;
        self.engine.put_user(user, None).map(drop).map_err(|error| error.to_string())
    }

    fn live(&mut self) -> Result<(), String> {
        for name in PEOPLE {
            self.put(name, json!({}))?;
        }
        self.settle(1)?;
        self.put(
            "ada",
            json!({"title": "Head nurse", "lastName": "Lovelace", "email": "ada@new.example",
            "department": "Ward 9"}),
        )?;
        self.put("bob", json!({"username": "robert@example.com"}))?;
        self.put("cid", json!({"title": null}))?;
        self.settle(1)?;
        // What was learnt of the server must outlive the process.
        self.engine = Engine::builder().open().map_err(|error| error.to_string())?;
        self.engine = open(&self.path, &self.clock)?;
        self.put("dee", json!({"active": false}))?;
        self.put("fay", json!({"profile": "Guests"}))?;
        self.settle(1)?;
        if self.account("fay@example.com").is_some_and(|one| one.get("active") == Some(&json!(true)))
            && !self.explained("fay", "active")?
        {
            self.wrongs.push("fay can log in, and the engine believes otherwise".to_owned());
        }
        self.put("fay", json!({}))?;
        self.settle(1)?;
        self.zoo.change("ada@example.com", |one| drop(one.insert("title".to_owned(), json!("Somebody"))));
        self.zoo.change("robert@example.com", |one| drop(one.insert("active".to_owned(), json!(false))));
        self.zoo.change("dee@example.com", |one| drop(one.insert("active".to_owned(), json!(true))));
        for _ in 0..2 {
            self.reconcile()?;
            self.settle(1)?;
        }
        let written = self.written();
        self.settle(2)?;
        self.reconcile()?;
        self.settle(1)?;
        self.rewrites = self.written() - written;
        Ok(())
    }

    fn written(&self) -> u64 {
        let asked = self.zoo.asked();
        ["POST", "PUT", "PATCH", "DELETE"].iter().filter_map(|method| asked.get(*method)).sum()
    }

    /// Runs, and lets time pass from one thing that is due to the next, for so many days.
    fn settle(&mut self, days: i64) -> Result<(), String> {
        let end = self.clock.now().as_micros() + days * 86_400_000_000;
        for _ in 0..MOST_RUNS {
            let options = RunOptions { workers: 1, ..RunOptions::default() };
            let progress = self.engine.run(&options).map_err(|error| error.to_string())?;
            let due = progress.next_due.map(Timestamp::as_micros).filter(|due| *due <= end);
            let Some(due) = due else {
                self.clock.advance(Period::from_micros((end - self.clock.now().as_micros()).max(0)));
                return Ok(());
            };
            self.clock.advance(Period::from_micros((due - self.clock.now().as_micros()).max(1)));
        }
        self.wrongs.push(format!("{MOST_RUNS} runs were not enough"));
        Ok(())
    }

    fn reconcile(&mut self) -> Result<(), String> {
        self.clock.advance(Period::from_seconds(900));
        let found = match self.engine.reconcile("crm", Some("ann")) {
            Ok(found) => found,
            Err(error) => {
                self.listing = Some(error.code().name().to_owned());
                return Ok(());
            }
        };
        self.listing = judged(&found);
        if let (State::Analyzed, Some(digest)) = (found.state, &found.digest) {
            let committed = self.engine.commit(found.id.as_str(), digest, "ann");
            committed.map_err(|error| format!("the plan is not taken: {error}"))?;
        }
        Ok(())
    }

    fn account(&self, name: &str) -> Option<Record> {
        let is_name = |one: &Record| {
            one.get("userName").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        self.zoo.accounts().into_iter().find(is_name)
    }

    fn requests(&self) -> Result<Vec<Request>, String> {
        self.engine.requests(&RequestFilter::default()).map_err(|error| error.to_string())
    }

    fn explanation(&self, name: &str) -> Result<Explanation, String> {
        self.engine.explain("crm", &format!("u-{name}")).map_err(|error| error.to_string())
    }

    /// What is not as wanted must be known to the engine: by a request that failed or is open, or as what is not kept.
    fn explained(&mut self, name: &str, attribute: &str) -> Result<bool, String> {
        let explanation = self.explanation(name)?;
        let waits = |request: &Request| request.state == State::Failed || request.finished_at.is_none();
        Ok(explanation.not_kept.iter().any(|path| path.contains(attribute)) || explanation.requests.iter().any(waits))
    }

    /// Compares what the server really has with what is wanted.
    fn end(mut self) -> Result<Outcome, String> {
        let mut end = End { listing: self.listing.clone(), rewrites: self.rewrites, ..End::default() };
        let accounts = self.zoo.accounts();
        let wanted = [
            (
                "ada",
                "ada",
                json!({"title": "Head nurse", "family": "Lovelace", "email": "ada@new.example", "ward": "Ward 9"}),
            ),
            ("bob", "robert", json!({})),
            ("cid", "cid", json!({"title": null})),
            ("dee", "dee", json!({"active": false})),
            ("eve", "eve", json!({})),
            ("fay", "fay", json!({})),
        ];
        for (name, login, more) in wanted {
            let mine = |one: &&Record| {
                let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_lowercase();
                text("externalId") == format!("u-{name}")
                    || text("userName").strip_prefix(login).is_some_and(|rest| rest.contains("@example.com"))
                    || text("userName").strip_prefix(name).is_some_and(|rest| rest.contains("@example.com"))
            };
            let found: Vec<&Record> = accounts.iter().filter(mine).collect();
            if found.len() > 1 {
                end.twice.push(name.to_owned());
            }
            for attribute in differences(found.first().copied(), name, login, &more) {
                let known = self.explained(name, attribute)?;
                end.differs.push(format!("{name}: {attribute}{}", if known { "" } else { " (unknown)" }));
            }
        }
        for name in STRANGERS {
            let found = self.account(&format!("{name}@example.com")).unwrap_or_default();
            let family = found.get("name").and_then(|name| name.get("familyName"));
            if family != Some(&json!("Stranger")) || found.get("active") != Some(&json!(true)) {
                self.wrongs.push(format!("{name} is nobody of ours and was touched"));
            }
        }
        let (requests, explanation) = (self.requests()?, self.explanation("ada")?);
        let mut stops = BTreeSet::new();
        for request in requests.iter().filter(|request| request.user.is_some()) {
            let codes = request.faults.iter().map(|fault| fault.code.name());
            if request.state == State::Failed {
                stops.extend(codes.map(str::to_owned));
            } else if request.finished_at.is_none() {
                stops.extend(codes.map(|code| format!("{code} (open)")));
            }
        }
        end.stops = stops.into_iter().collect();
        end.not_kept = explanation.not_kept;
        end.learnt = explanation.learnt.iter().map(|(name, lesson)| format!("{name}: {lesson}")).collect();
        let asked = self.zoo.asked();
        let count: u64 = asked.values().sum();
        if count > MOST_REQUESTS {
            self.wrongs.push(format!("{count} requests for so few people"));
        }
        if asked.contains_key("DELETE") {
            self.wrongs.push("something was to be deleted".to_owned());
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
}

/// How a listing was judged where it is not complete.
fn judged(found: &Reconciliation) -> Option<String> {
    if let Some(fault) = found.faults.first() {
        return Some(fault.code.name().to_owned());
    }
    match found.verdict {
        Some(SnapshotVerdict::Complete) => None,
        Some(verdict) => Some(verdict.name().to_owned()),
        None => Some(found.state.name().to_owned()),
    }
}

/// The attributes of an account that are not as wanted.
fn differences(found: Option<&Record>, name: &str, login: &str, more: &Value) -> Vec<&'static str> {
    let is_wanted = more.get("active") != Some(&json!(false));
    let Some(found) = found else { return if is_wanted { vec!["account"] } else { Vec::new() } };
    let given = person(name);
    let wanted = |key: &str, usual: &str| {
        let value = more.get(key).or_else(|| given.get(usual)).cloned().unwrap_or_default();
        value.as_str().map(str::to_owned)
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let part = |key: &str, part: &str| text(found.get(key).and_then(|value| value.get(part)));
    let work = |one: &&Value| one.get("type").and_then(Value::as_str) == Some("work");
    let emails = found.get("emails").and_then(Value::as_array);
    let email = text(emails.and_then(|emails| emails.iter().find(work)).and_then(|email| email.get("value")));
    let user_name = text(found.get("userName")).map(|name| name.to_lowercase());
    let compared: BTreeMap<&'static str, bool> = BTreeMap::from([
        ("userName", user_name == Some(format!("{login}@example.com"))),
        ("name.givenName", part("name", "givenName") == wanted("first", "firstName")),
        ("name.familyName", part("name", "familyName") == wanted("family", "lastName")),
        ("title", text(found.get("title")).filter(|title| !title.is_empty()) == wanted("title", "title")),
        ("emails", email == wanted("email", "email")),
        ("department", part(DEPARTMENT, "department") == wanted("ward", "department")),
        ("active", (found.get("active") != Some(&json!(false))) == is_wanted),
    ]);
    // What was there before the engine came, and what it knows nothing of, must still be there.
    let untouched = name != "eve" || found.get("nickName") == Some(&json!("kept"));
    let mut differs: Vec<&'static str> =
        compared.into_iter().filter(|(_, is_equal)| !is_equal).map(|(attribute, _)| attribute).collect();
    if !untouched {
        differs.push("nickName");
    }
    differs
}

/// Puts the members of one object into another, into objects of the same name as well.
pub(super) fn merge(object: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (key, value) in more {
        match (object.get_mut(key), value) {
            (Some(Value::Object(inside)), Value::Object(more)) => merge(inside, more),
            _ => drop(object.insert(key.clone(), value.clone())),
        }
    }
}
