//! Memberships of groups in real SCIM servers: scim2-server removes members by paths with filters alone, django-scim2 by lists of
//! values alone.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::Connector;
use rollkeeper::connector::conformance::{self, Options};
use rollkeeper::http::{Http, Method, Request};
use rollkeeper::model::{App, RequestFilter, State, User};
use rollkeeper::transport::{Transport, TransportOptions};
use rollkeeper::{Engine, Period, RunOptions, Secret};
use rollkeeper_tests::server::Server;
use serde_json::{Value, json};
use std::sync::Arc;

const SERVERS: [&str; 2] = ["gunicorn", "django"];

/// How each takes members out of a group.
fn features(kind: &str) -> Value {
    json!({"member_removal": if kind == "django" { "values" } else { "filter" }})
}

/// Makes a group, as its administrator would, and gives its id.
fn make_group(server: &Server, name: &str) -> String {
    let transport = Transport::new(TransportOptions::default()).unwrap();
    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name});
    let request = Request {
        method: Method::Post,
        url: format!("{}/Groups", server.base_url),
        headers: vec![("content-type", "application/scim+json".to_owned())],
        authorization: Some(Secret::new(format!("Bearer {}", server.token))),
        body: Some(body.to_string().into_bytes()),
        timeout: Period::from_seconds(30),
    };
    let response = transport.send(&request).unwrap();
    assert_eq!(response.status, 201, "{}", String::from_utf8_lossy(&response.body));
    let made: Value = serde_json::from_slice(&response.body).unwrap();
    made.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).unwrap()
}

/// How many members a group has, as the server shows it.
fn members(server: &Server, group: &str) -> usize {
    let (groups, _) = server.connector().list_groups(None).unwrap();
    let shown = groups.iter().find(|shown| shown.get("id").and_then(Value::as_str) == Some(group)).unwrap();
    shown.get("members").and_then(Value::as_array).map_or(0, Vec::len)
}

#[test]
fn the_connector_changes_members_as_the_suite_asks() {
    for kind in SERVERS {
        let server = Server::start(&["--command", kind]);
        let options = Options { group: Some(make_group(&server, "checked")), ..Options::default() };
        let report = conformance::check(&server.connector_with(&features(kind)), &options);
        let of_groups: Vec<_> = report.checks.iter().filter(|check| check.name.contains("group")).collect();
        assert_eq!(of_groups.len(), 2);
        assert!(of_groups.iter().all(|check| check.passed && !check.skipped), "{kind}: {of_groups:?}");
    }
}

#[test]
fn a_mover_changes_groups_in_the_server_and_a_leaver_is_out_of_them() {
    for kind in SERVERS {
        let server = Server::start(&["--command", kind]);
        let (sales, nurses) = (make_group(&server, "Sales"), make_group(&server, "Nurses"));
        let token = server.token.clone();
        let secrets = Arc::new(move |_: &str| Some(Secret::new(token.clone())));
        let engine = Engine::builder().secrets(secrets).open().unwrap();
        let app = json!({"id": "crm", "assigned_to": {"profiles": ["P"]}, "create_without_match": true,
            "connector": {"kind": "scim", "base_url": server.base_url, "features": features(kind),
                "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
            "mapping": [{"target": "userName", "source": "id"}], "deprovision": {"memberships": "remove"},
            "entitlements": [{"grant": "permission_set", "name": "Sales", "group": {"display_name": "sales"}},
                {"grant": "permission_set", "name": "Nurse", "group": {"id": nurses}}]});
        engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
        let put = |number: usize, keys: Value| {
            let mut user = json!({"id": format!("u{number}"), "profile": "P"});
            user.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
            engine.put_user(User::from_value(user).unwrap(), None).unwrap();
        };
        let run = || {
            engine.run(&RunOptions { workers: 4, ..RunOptions::default() }).unwrap();
            for request in engine.requests(&RequestFilter::default()).unwrap() {
                assert_eq!(request.state, State::Completed, "{kind}: {request:?}");
            }
            (members(&server, &sales), members(&server, &nurses))
        };
        (0..12).for_each(|number| put(number, json!({"permission_sets": ["Sales"]})));
        assert_eq!(run(), (12, 0), "{kind}");
        put(0, json!({"permission_sets": ["Nurse"]}));
        put(1, json!({"permission_sets": ["Nurse", "Sales"]}));
        put(2, json!({"permission_sets": ["Sales"], "active": false}));
        put(3, json!({}));
        assert_eq!(run(), (9, 2), "{kind}");
        assert!(engine.verify_log().unwrap().whole);
    }
}
