//! Memberships at SCIM targets, from the grant to the request on the wire, and what a group of 100,000 costs.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::connector::mock::MockOptions;
use rollkeeper::http::{Http, HttpError, Method, Request, Response};
use rollkeeper::model::{App, RequestFilter, State, User};
use rollkeeper::scim::ScimConnector;
use rollkeeper::testing::{MockTarget, VirtualClock};
use rollkeeper::{Engine, Period, RunOptions, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// How a target takes changes of members.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Standard,
    /// Paths with a filter are answered with 501, and lists of values are taken.
    NoFilter,
    /// No more than a hundred in one request, as AWS IAM Identity Center.
    Hundred,
}

/// A SCIM target in memory.
struct Target {
    manner: Manner,
    users: Mutex<u64>,
    members: Mutex<BTreeSet<String>>,
    /// Method and path of each request, and how many members it named.
    seen: Mutex<Vec<(String, usize)>>,
}

impl Target {
    fn new(manner: Manner) -> Arc<Self> {
        let (users, members, seen) = (Mutex::new(0), Mutex::default(), Mutex::default());
        Arc::new(Self { manner, users, members, seen })
    }

    fn patch(&self, body: &Value) -> (u16, Value) {
        let operations = body["Operations"].as_array().unwrap();
        let is_filter = |operation: &Value| operation["path"].as_str().unwrap().starts_with("members[");
        let filtered = operations.iter().any(is_filter);
        let ids: Vec<String> = match filtered {
            true => operations
                .iter()
                .map(|operation| operation["path"].as_str().unwrap().split('"').nth(1).unwrap().to_owned())
                .collect(),
            false => {
                assert_eq!((operations.len(), &operations[0]["path"]), (1, &json!("members")));
                let values = operations[0]["value"].as_array().unwrap();
                values.iter().map(|value| value["value"].as_str().unwrap().to_owned()).collect()
            }
        };
        self.seen.lock().unwrap().last_mut().unwrap().1 = ids.len();
        if filtered && self.manner == Manner::NoFilter {
            return (501, json!({}));
        }
        if ids.len() > 100 && self.manner == Manner::Hundred {
            return (400, json!({"scimType": "tooMany"}));
        }
        let mut members = self.members.lock().unwrap();
        for operation in operations {
            match operation["op"].as_str().unwrap() {
                "add" => members.extend(ids.iter().cloned()),
                "remove" => members.retain(|id| !ids.contains(id)),
                other => panic!("{other} was sent"),
            }
        }
        (204, Value::Null)
    }
}

impl Http for Target {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let path = request.url.split("/scim").nth(1).unwrap().to_owned();
        self.seen.lock().unwrap().push((format!("{} {path}", request.method.name()), 0));
        let body: Value = request.body.as_ref().map(|body| serde_json::from_slice(body).unwrap()).unwrap_or_default();
        let (status, json) = match (request.method, path.split(['?', '/']).nth(1).unwrap()) {
            (Method::Post, "Users") => {
                let mut users = self.users.lock().unwrap();
                *users += 1;
                let mut made = body;
                made["id"] = json!(users.to_string());
                (201, made)
            }
            (Method::Patch, "Groups") => self.patch(&body),
            (Method::Get, "Groups") => {
                (200, json!({"totalResults": 1, "Resources": [{"id": "g1", "displayName": "Staff"}]}))
            }
            (Method::Get, "Users") if path.contains('?') => (200, json!({"totalResults": 0, "Resources": []})),
            (Method::Get, "Users") => {
                (200, json!({"id": path.rsplit('/').next().unwrap(), "userName": "x", "active": true}))
            }
            other => panic!("{other:?} was sent to {path}"),
        };
        Ok(Response {
            status,
            headers: Vec::new(),
            body: if json.is_null() { Vec::new() } else { json.to_string().into_bytes() },
        })
    }
}

struct World {
    engine: Engine,
    target: Arc<Target>,
}

impl World {
    fn new(manner: Manner) -> Self {
        let target = Target::new(manner);
        let features = if manner == Manner::NoFilter { json!({"member_removal": "values"}) } else { json!({}) };
        let definition =
            serde_json::from_value(json!({"base_url": "https://target.example/scim", "features": features})).unwrap();
        let http: Arc<dyn Http> = Arc::clone(&target) as Arc<dyn Http>;
        let connector = ScimConnector::new(&definition, None, http, Period::from_seconds(30)).unwrap();
        let clock = VirtualClock::new(Timestamp::from_micros(0));
        let engine = Engine::builder().clock(Arc::new(clock)).seed(1).open().unwrap();
        engine.register_connector("scim", Arc::new(connector)).unwrap();
        engine
            .put_app(app(&json!({"kind": "custom", "name": "scim"}), &json!({"display_name": "staff"})), None)
            .unwrap();
        Self { engine, target }
    }

    fn grant(&self, users: std::ops::Range<usize>, sets: &Value) -> Vec<(String, usize)> {
        for number in users {
            let user = json!({"id": format!("u{number}"), "profile": "P", "permission_sets": sets});
            self.engine.put_user(User::from_value(user).unwrap(), None).unwrap();
        }
        self.target.seen.lock().unwrap().clear();
        self.engine.run(&RunOptions::default()).unwrap();
        let open = self.engine.requests(&RequestFilter::default()).unwrap();
        assert!(open.iter().all(|request| request.state == State::Completed), "{open:?}");
        self.target.seen.lock().unwrap().iter().filter(|(what, _)| what.contains("/Groups")).cloned().collect()
    }
}

fn app(connector: &Value, group: &Value) -> App {
    let app = json!({"id": "crm", "connector": connector, "create_without_match": true,
        "assigned_to": {"profiles": ["P"]}, "mapping": [{"target": "userName", "source": "id"}],
        "entitlements": [{"grant": "permission_set", "name": "Staff", "group": group}]});
    App::from_json(app.to_string().as_bytes()).unwrap()
}

#[test]
fn a_grant_is_a_patch_of_the_group_and_is_revoked_by_another() {
    for manner in [Manner::Standard, Manner::NoFilter, Manner::Hundred] {
        let world = World::new(manner);
        let sent = world.grant(0..3, &json!(["Staff"]));
        let list = "GET /Groups?startIndex=1&count=100&excludedAttributes=members".to_owned();
        assert_eq!(sent, [(list, 0), ("PATCH /Groups/g1".to_owned(), 3)]);
        assert_eq!(world.target.members.lock().unwrap().len(), 3);
        assert_eq!(world.grant(0..2, &json!([])).len(), 1);
        assert_eq!(world.grant(2..3, &json!([])).len(), 1);
        assert!(world.target.members.lock().unwrap().is_empty());
    }
}

#[test]
fn a_target_that_takes_a_hundred_at_once_is_sent_no_more() {
    let world = World::new(Manner::Hundred);
    let sent = world.grant(0..230, &json!(["Staff"]));
    let sizes: Vec<usize> = sent.iter().filter(|(what, _)| what.starts_with("PATCH")).map(|(_, size)| *size).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 230);
    assert!(sizes.len() <= 230_usize.div_ceil(100) + 2 && sizes.iter().all(|size| *size <= 100), "{sizes:?}");
}

#[test]
fn one_more_in_a_group_of_100_000_is_one_call_and_reads_nobody() {
    let members: Vec<String> = (0..100_000).map(|number| format!("m{number}")).collect();
    let options = MockOptions {
        groups: BTreeMap::from([("g1".to_owned(), "Staff".to_owned())]),
        members: BTreeMap::from([("g1".to_owned(), members)]),
        ..MockOptions::default()
    };
    let target = MockTarget::with_options(options);
    let engine = Engine::builder().seed(1).open().unwrap();
    engine.register_connector("mock", Arc::new(target.clone())).unwrap();
    engine.put_app(app(&json!({"kind": "custom", "name": "mock"}), &json!({"id": "g1"})), None).unwrap();
    let put = |sets: &Value| {
        let user = json!({"id": "u1", "profile": "P", "permission_sets": sets});
        engine.put_user(User::from_value(user).unwrap(), None).unwrap();
        target.clear_calls();
        engine.run(&RunOptions::default()).unwrap();
        let calls = target.calls();
        calls.into_iter().map(|call| (call.method, call.attributes)).collect::<Vec<_>>()
    };
    put(&json!([]));
    let calls = put(&json!(["Staff"]));
    assert_eq!((calls.len(), calls[0].0.as_str()), (1, "change_members"));
    assert_eq!(calls[0].1.as_ref().unwrap()["add"], json!(["1"]));
    assert_eq!(target.members("g1").len(), 100_001);
    let calls = put(&json!([]));
    let changes: Vec<_> = calls.iter().filter(|(method, _)| method == "change_members").collect();
    assert_eq!((calls.len(), changes.len()), (2, 1), "the second reads the account, not the group");
    assert_eq!(target.members("g1").len(), 100_000);
}
