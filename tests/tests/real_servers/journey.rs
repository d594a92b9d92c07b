//! Three hundred people and twelve groups in every real SCIM server that we have: they join, move, leave and come back, somebody
//! changes things by hand, a membership among them, and two reconciliations put them right. How it went stands in a table of `core/docs/targets.md`;
//! `UPDATE_TARGETS=1` writes it anew.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::connector::Connector;
use rollkeeper::model::{
    AccountFilter, App, ItemState, PlanFilter, Request, RequestFilter, Situation, SnapshotVerdict, State, User,
};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Engine, Period, RunOptions, Timestamp};
use rollkeeper_tests::fault_proxy::{Fault, FaultProxy};
use rollkeeper_tests::server::Server;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, Mutex};

const PEOPLE: usize = 300;
/// Those who join while the network is bad.
const NEWCOMERS: usize = 30;
const GROUPS: usize = 12;
/// Each of three hundred is made, every third is changed, and members go in batches.
const MOST_REQUESTS: usize = 1500;
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const TARGETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/docs/targets.md");
const TABLE: &str =
    "| real server | people | groups | what is mapped | learnt | how it ends |\n|---|---|---|---|---|---|\n";

/// A server, what it keeps of a person (pairs of target attribute and user attribute), and how it takes members out.
struct Kind {
    name: &'static str,
    arguments: &'static [&'static str],
    keeps: &'static [(&'static str, &'static str)],
    features: Value,
}

fn scim2_server(name: &'static str, arguments: &'static [&'static str]) -> Kind {
    let keeps = &[("name.givenName", "first"), ("name.familyName", "last"), ("title", "title"), (ENTERPRISE, "ward")];
    Kind { name, arguments, keeps, features: json!({}) }
}

/// What is wanted of a person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Person {
    first: String,
    last: String,
    title: String,
    ward: String,
    active: bool,
    groups: BTreeSet<usize>,
}

impl Person {
    fn new(number: usize) -> Self {
        Self {
            first: format!("Zoë {number}"),
            last: format!("O'Łuk-{}", number % 17),
            title: "Nurse".to_owned(),
            ward: format!("Ward {}", number % 9),
            active: true,
            groups: BTreeSet::from([number % GROUPS, number * 5 % GROUPS]),
        }
    }

    fn text(&self, source: &str) -> &str {
        match source {
            "first" => &self.first,
            "last" => &self.last,
            "title" => &self.title,
            _ => &self.ward,
        }
    }
}

/// What came of a journey.
struct End {
    asked: Vec<String>,
    learnt: BTreeSet<String>,
    stops: BTreeSet<String>,
}

struct Journey {
    kind: Kind,
    server: Server,
    proxy: FaultProxy,
    engine: Engine,
    clock: VirtualClock,
    people: Vec<Person>,
    groups: Vec<String>,
    asked: Vec<String>,
}

impl Journey {
    fn begin(kind: Kind) -> Self {
        let server = Server::start(kind.arguments);
        let proxy = FaultProxy::start(&server.base_url).unwrap();
        let clock = VirtualClock::new(Timestamp::parse("2026-03-02T07:00:00Z").unwrap());
        let shown: Arc<dyn Clock> = Arc::new(clock.clone());
        let engine = Engine::builder().clock(shown).secrets(server.secrets()).open().unwrap();
        let groups = (0..GROUPS).map(|number| make_group(&server, &format!("Group {number}"))).collect();
        let journey = Self { kind, server, proxy, engine, clock, people: Vec::new(), groups, asked: Vec::new() };
        journey.engine.put_app(journey.app(), None).unwrap();
        journey
    }

    fn app(&self) -> App {
        let mapping = self.kind.keeps.iter().map(|(target, source)| {
            let target = if *target == ENTERPRISE { format!("{ENTERPRISE}:department") } else { (*target).to_owned() };
            json!({"target": target, "source": source, "strength": "strong"})
        });
        let user_name = json!({"target": "userName", "source": "username", "required": true, "strength": "strong"});
        let entitlements = (0..GROUPS).map(|number| {
            json!({"grant": "permission_set", "name": format!("G{number}"), "group": {"display_name": format!("Group {number}")}})
        });
        let app = json!({"id": "crm", "assigned_to": {"profiles": ["Employees"]},
            "connector": {"kind": "scim", "base_url": self.proxy.base_url(), "features": self.kind.features, "auth": self.server.auth()},
            "mapping": std::iter::once(user_name).chain(mapping).collect::<Vec<_>>(),
            "matching": [{"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]}],
            "deprovision": {"memberships": "remove"},
            "entitlements": entitlements.collect::<Vec<_>>(),
            "reconcile": {"reactions": {"drifted": "update", "missing": "create", "orphaned": "deactivate", "unqualified": "deactivate",
                "membership_missing": "update"}}});
        App::from_json(app.to_string().as_bytes()).unwrap()
    }

    fn put(&mut self, number: usize) {
        let person = &self.people[number];
        let sets: Vec<String> = person.groups.iter().map(|group| format!("G{group}")).collect();
        let user = json!({"id": format!("u{number}"), "username": login(number), "first": person.first, "last": person.last,
            "title": person.title, "ward": person.ward, "active": person.active, "profile": "Employees", "permission_sets": sets});
        self.engine.put_user(User::from_value(user).unwrap(), None).unwrap();
    }

    /// Runs, and lets time pass from one thing that is due to the next, for a day at most.
    fn settle(&mut self) {
        let end = self.clock.now().as_micros() + 86_400_000_000;
        for _ in 0..200 {
            let progress = self.engine.run(&RunOptions { workers: 4, ..RunOptions::default() }).unwrap();
            let Some(due) = progress.next_due.map(Timestamp::as_micros).filter(|due| *due <= end) else { break };
            self.clock.advance(Period::from_micros((due - self.clock.now().as_micros()).max(1)));
        }
        self.asked.extend(self.proxy.asked());
    }

    /// Everybody as wanted, and nobody else but `strangers`. Leavers stay, disabled and in no group.
    fn compare(&self, strangers: usize) {
        let accounts = self.server.read("Users");
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let by_login: BTreeMap<String, &Value> = accounts.iter().map(|one| (text(&one["userName"]), one)).collect();
        assert_eq!(
            (by_login.len(), accounts.len()),
            (self.people.len() + strangers, self.people.len() + strangers),
            "{}",
            self.kind.name
        );
        // A member is shown by its id, or by its login.
        let names: BTreeMap<String, String> =
            accounts.iter().map(|one| (text(&one["id"]), text(&one["userName"]))).collect();
        let mut members: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for group in self.server.read("Groups") {
            let place = self.groups.iter().position(|id| *id == text(&group["id"])).unwrap();
            for member in group["members"].as_array().into_iter().flatten() {
                let shown = text(&member["value"]);
                let login = names.get(&shown).unwrap_or(&shown).clone();
                members.entry(login).or_default().insert(place);
            }
        }
        let mut wrong = Vec::new();
        for (number, person) in self.people.iter().enumerate() {
            let account = by_login[&login(number)];
            for (target, source) in self.kind.keeps {
                let found = if *target == ENTERPRISE {
                    &account[ENTERPRISE]["department"]
                } else {
                    target.split('.').fold(account, |value, step| &value[step])
                };
                if found != person.text(source) {
                    wrong.push(format!("{}: {target} is {found}, not {}", login(number), person.text(source)));
                }
            }
            if account["active"] != person.active {
                wrong.push(format!("{}: active is {}, not {}", login(number), account["active"], person.active));
            }
            let groups = if person.active { person.groups.clone() } else { BTreeSet::new() };
            let found = members.get(&login(number)).cloned().unwrap_or_default();
            if found != groups {
                wrong.push(format!("{}: is in {found:?}, not {groups:?}", login(number)));
            }
        }
        assert!(
            wrong.is_empty(),
            "{}, {} wrong:\n{}\n{:?}",
            self.kind.name,
            wrong.len(),
            wrong.join("\n"),
            self.stops()
        );
    }

    /// The codes of requests that did not end well.
    fn stops(&self) -> BTreeSet<String> {
        let every = RequestFilter { limit: Some(100_000), ..RequestFilter::default() };
        let open = |one: &Request| one.user.is_some() && !matches!(one.state, State::Completed | State::Cancelled);
        let requests = self.engine.requests(&every).unwrap();
        let of = |request: &Request| {
            let codes: Vec<&str> = request.faults.iter().map(|fault| fault.code.name()).collect();
            format!("{} {}: {}", request.operation.name(), request.state.name(), codes.join(", "))
        };
        requests.iter().filter(|one| open(one)).map(of).collect()
    }

    /// From now on every thirteenth exchange with the server goes wrong.
    fn disturb(&self) {
        let status = |code, retry_after| Fault::Status { code, retry_after, html: code == 500 };
        let faults = [
            status(503, Some("20")),
            Fault::KillAfter,
            status(429, Some("5")),
            Fault::Cut,
            status(500, None),
            Fault::KillBefore,
            Fault::BadJson,
        ];
        self.proxy.disturb(13, &faults);
    }

    fn join(&mut self) {
        for number in 0..PEOPLE {
            self.people.push(Person::new(number));
            self.put(number);
        }
        self.settle();
        self.compare(0);
    }

    fn change_and_leave(&mut self) {
        for number in 0..60 {
            let person = &mut self.people[number];
            (person.last, person.title) = (format!("Söhne \"{number}\""), "Head nurse".to_owned());
            self.put(number);
        }
        for number in 40..120 {
            let person = &mut self.people[number];
            person.groups = BTreeSet::from([(number + 1) % GROUPS, number * 7 % GROUPS]);
            self.put(number);
        }
        for number in 120..160 {
            self.people[number].active = false;
            self.put(number);
        }
        for number in 160..170 {
            self.people[number].active = false;
            self.engine.delete_user(&format!("u{number}"), None).unwrap();
        }
        self.settle();
        self.compare(0);
        for number in 150..165 {
            self.people[number].active = true;
            self.put(number);
        }
        self.settle();
        self.compare(0);
    }

    fn id(&self, number: usize) -> String {
        let accounts = self.engine.accounts(&AccountFilter { user: Some(format!("u{number}")), ..Default::default() });
        accounts.unwrap()[0].external_id.clone()
    }

    /// Half of the people get another name and some join, on a bad network.
    fn change_on_a_bad_network(&mut self) {
        self.disturb();
        let here: Vec<usize> = (0..PEOPLE).step_by(2).filter(|number| self.people[*number].active).collect();
        for number in here {
            self.people[number].last = format!("van Dam {number}");
            self.put(number);
        }
        for number in PEOPLE..PEOPLE + NEWCOMERS {
            self.people.push(Person::new(number));
            self.put(number);
        }
        self.settle();
        self.proxy.disturb(0, &[]);
        self.settle();
        self.compare(0);
    }

    /// Somebody renames, disables, deletes, enables again and makes accounts at the target, and takes one out of a group, and it is
    /// put right.
    fn mend(&mut self) {
        let patch = |path: &str, value: Value| {
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "path": path, "value": value}]})
        };
        let stranger = self.record("stranger");
        let asks = [
            ("POST", "/Users".to_owned(), stranger, 201),
            ("PATCH", format!("/Users/{}", self.id(200)), patch("name.familyName", json!("Renamed")), 200),
            ("PATCH", format!("/Users/{}", self.id(201)), patch("active", json!(false)), 200),
            ("DELETE", format!("/Users/{}", self.id(202)), Value::Null, 204),
            ("PATCH", format!("/Users/{}", self.id(130)), patch("active", json!(true)), 200),
        ];
        for (method, path, body, expected) in asks {
            let (status, answer) = self.server.ask(method, &path, &body);
            assert!(status == expected || status == 204, "{} {method} {path}: {status} {answer}", self.kind.name);
        }
        let group = &self.groups[*self.people[203].groups.first().unwrap()];
        self.server.connector_with(&self.kind.features).change_members(group, &[], &[self.id(203)]).unwrap();
        for round in 0..2 {
            self.clock.advance(Period::from_seconds(901));
            let plan = self.engine.reconcile("crm", Some("ann")).unwrap();
            assert_eq!((plan.state, plan.verdict), (State::Analyzed, Some(SnapshotVerdict::Complete)), "{plan:?}");
            let items = self.engine.plan(plan.id.as_str(), &PlanFilter::default()).unwrap();
            if round == 0 {
                let found: Vec<_> = items.iter().map(|item| item.finding.situation).collect();
                for (situation, count) in [
                    (Situation::Orphaned, 1),
                    (Situation::Drifted, 2),
                    (Situation::Missing, 1),
                    (Situation::Unqualified, 1),
                ] {
                    let of = found.iter().filter(|one| **one == situation).count();
                    assert_eq!(of, count, "{} {situation:?}: {items:#?}", self.kind.name);
                }
                let is_found = items.iter().any(|item| {
                    let is_theirs = item.finding.user.as_deref() == Some("u203");
                    is_theirs && item.finding.situation == Situation::MembershipMissing
                });
                assert!(is_found, "{}: {items:#?}", self.kind.name);
            }
            self.engine.commit(plan.id.as_str(), plan.digest.as_deref().unwrap(), "ann").unwrap();
            self.settle();
        }
        self.compare(1);
        self.clock.advance(Period::from_seconds(901));
        let plan = self.engine.reconcile("crm", Some("ann")).unwrap();
        let items = self.engine.plan(plan.id.as_str(), &PlanFilter::default()).unwrap();
        let open: Vec<_> = items.iter().filter(|item| item.state != ItemState::Reported).collect();
        assert!(open.is_empty(), "{}: {open:#?}", self.kind.name);
        self.settle();
    }

    /// An account as somebody makes it by hand.
    fn record(&self, login: &str) -> Value {
        let mut record = Map::from_iter([
            ("schemas".to_owned(), json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE])),
            ("userName".to_owned(), json!(login)),
            ("active".to_owned(), json!(true)),
            (ENTERPRISE.to_owned(), json!({"department": "None"})),
        ]);
        record.insert("name".to_owned(), json!({"givenName": "Un", "familyName": "Known", "formatted": "Unknown"}));
        record.into()
    }

    fn end(self) -> End {
        let explained = self.engine.explain("crm", "u0").unwrap();
        assert!(self.engine.verify_log().unwrap().whole);
        let stops = self.stops();
        End {
            asked: self.asked,
            learnt: explained.learnt.iter().map(|(name, lesson)| format!("`{name}`: `{lesson}`")).collect(),
            stops,
        }
    }
}

fn login(number: usize) -> String {
    format!("person{number}@example.com")
}

/// Makes a group, as its administrator would, and gives its id.
fn make_group(server: &Server, name: &str) -> String {
    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": []});
    let (status, made) = server.ask("POST", "/Groups", &body);
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().map_or_else(|| made["id"].to_string(), str::to_owned)
}

/// Makes the journey through one server, and compares its row of the table.
fn travel(kind: Kind) {
    let name = kind.name;
    let mapped = kind.keeps.iter().map(|(target, _)| if *target == ENTERPRISE { "department" } else { target });
    let mapped =
        std::iter::once("userName").chain(mapped).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    let mut journey = Journey::begin(kind);
    journey.join();
    journey.change_and_leave();
    journey.change_on_a_bad_network();
    journey.mend();
    let end = journey.end();
    assert!(end.asked.len() <= MOST_REQUESTS, "{name}: {} requests:\n{}", end.asked.len(), end.asked.join("\n"));
    let joined = |texts: &BTreeSet<String>, none: &str| match texts.len() {
        0 => none.to_owned(),
        _ => texts.iter().cloned().collect::<Vec<_>>().join("; "),
    };
    let (learnt, ends) = (joined(&end.learnt, "nothing"), joined(&end.stops, "as wanted"));
    let row = format!("| {name} | {} | {GROUPS} | {mapped} | {learnt} | {ends} |\n", PEOPLE + NEWCOMERS);
    compare_row(name, &row);
}

fn compare_row(name: &str, row: &str) {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = WRITING.lock().unwrap();
    let document = fs::read_to_string(TARGETS).unwrap();
    let (before, rest) = document.split_once(TABLE).unwrap();
    let begin = format!("| {name} |");
    let old: String = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    if std::env::var_os("UPDATE_TARGETS").is_some() {
        let others = old.split_inclusive('\n').filter(|line| !line.starts_with(&begin));
        let mut rows: Vec<&str> = others.chain(std::iter::once(row)).collect();
        rows.sort_unstable();
        fs::write(TARGETS, format!("{before}{TABLE}{}{}", rows.concat(), rest.strip_prefix(&old).unwrap())).unwrap();
        return;
    }
    let is_told = old.split_inclusive('\n').any(|line| line == row);
    assert!(is_told, "core/docs/targets.md is old; UPDATE_TARGETS=1 writes its table:\n{row}");
}

#[test]
fn three_hundred_people_and_twelve_groups_travel_through_scim2_server() {
    travel(scim2_server("scim2-server", &["--command", "gunicorn"]));
}

#[test]
fn three_hundred_people_and_twelve_groups_travel_through_scim2_server_without_kept_connections() {
    travel(scim2_server("scim2-server, HTTP/1.0", &["--command", "own"]));
}

#[test]
fn three_hundred_people_and_twelve_groups_travel_through_scim2_server_by_cursors() {
    travel(scim2_server("scim2-server, cursors", &["--paging", "cursor"]));
}

#[test]
fn three_hundred_people_and_twelve_groups_travel_through_django_scim2() {
    travel(Kind {
        name: "django-scim2",
        arguments: &["--command", "django"],
        keeps: &[("name.givenName", "first"), ("name.familyName", "last")],
        features: json!({"member_removal": "values"}),
    });
}

#[test]
fn three_hundred_people_and_twelve_groups_travel_through_canaille() {
    travel(Kind {
        name: "Canaille, by OAuth 2.0",
        arguments: &["--command", "canaille"],
        keeps: &[("name.formatted", "first"), ("name.familyName", "last"), ("title", "title"), (ENTERPRISE, "ward")],
        features: json!({"member_removal": "replace"}),
    });
}

/// It needs Java, much memory and minutes: `make test-long` sets `ROLLKEEPER_KEYCLOAK` and installs it.
#[test]
fn three_hundred_people_and_twelve_groups_travel_through_keycloak_at_night() {
    if std::env::var_os("ROLLKEEPER_KEYCLOAK").is_none() {
        return;
    }
    travel(Kind {
        name: "Keycloak, by OAuth 2.0, at night",
        arguments: &["--command", "keycloak"],
        keeps: &[("name.givenName", "first"), ("name.familyName", "last"), ("title", "title"), (ENTERPRISE, "ward")],
        features: json!({}),
    });
}
