//! The SCIM connector and the whole engine against a real SCIM server, scim2-server, in each of its forms.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::Connector;
use rollkeeper::model::{App, RequestFilter, SchemaSource, State, User};
use rollkeeper::testing::check_connector;
use rollkeeper::{Engine, RunOptions, Secret};
use rollkeeper_tests::server::Server;
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn the_connector_passes_the_suite_against_every_form_of_the_server() {
    for arguments in [&["--command", "gunicorn"][..], &["--command", "own"], &["--paging", "cursor"]] {
        let server = Server::start(arguments);
        let connector = server.connector();
        let report = check_connector(&connector, &Default::default());
        assert!(report.passed(), "{arguments:?}: {:?}", report.failures());
        let left = connector.list(None, None).unwrap();
        assert!(left.accounts.is_empty(), "{arguments:?}: {} accounts were left", left.accounts.len());
    }
}

#[test]
fn the_server_is_discovered_and_a_mapping_proposed_for_it_works() {
    for arguments in [&["--command", "gunicorn"][..], &["--paging", "cursor"]] {
        let server = Server::start(arguments);
        let token = server.token.clone();
        let engine =
            Engine::builder().secrets(Arc::new(move |_: &str| Some(Secret::new(token.clone())))).open().unwrap();
        let mut app = json!({"id": "crm", "assigned_to": {"profiles": ["Employees"]}, "enabled": false,
            "update_on": ["username", "lastName", "email", "department"],
            "connector": {"kind": "scim", "base_url": server.base_url, "auth": {"kind": "bearer", "token": {"secret": "crm"}}}});
        let put = |app: &Value| engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None);
        put(&app).unwrap();
        engine.put_user(user(1, &json!({})), None).unwrap();
        let found = engine.discover("crm").unwrap().target;
        assert_eq!((found.source, found.complete, found.findings.as_slice()), (SchemaSource::Target, true, &[][..]));
        assert_eq!(found.features["patch"]["supported"], true, "{:?}", found.features);
        assert!(found.resource_types.iter().any(|kind| kind.name == "User" && kind.endpoint == "Users"));
        let find =
            |path: &str| found.attributes.iter().find(|one| one.path == path).unwrap_or_else(|| panic!("no {path}"));
        assert!(find("userName").required && find("emails").multi_valued && find("id").read_only);
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        assert_eq!(find(&format!("{enterprise}:department")).kind, "string");

        let suggestion = engine.suggest_mapping("crm").unwrap();
        assert!(suggestion.missing.is_empty(), "{:?}", suggestion.missing);
        app["mapping"] = json!(suggestion.mapping);
        app["matching"] = json!(suggestion.matching);
        app["enabled"] = true.into();
        let validation = engine.validate_app(app.to_string().as_bytes()).unwrap();
        assert!(validation.ready && validation.warnings.is_empty(), "{validation:?}");
        put(&app).unwrap();
        engine.run(&RunOptions::default()).unwrap();
        let accounts = server.connector().list(None, None).unwrap().accounts;
        assert_eq!(accounts[0].attributes["name"]["familyName"], "O'Brien \"Łuk\\asz\" 王");
        assert_eq!(accounts[0].attributes[enterprise]["department"], "Ward 7");
    }
}

fn user(number: usize, more: &Value) -> User {
    let mut record = json!({"id": format!("u{number}"), "username": format!("user{number}@example.com"), "lastName": "O'Brien \"Łuk\\asz\" 王",
        "email": format!("u{number}@example.com"), "department": "Ward 7", "profile": "Employees"});
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    User::from_value(record).unwrap()
}

#[test]
fn people_join_move_and_leave_in_the_server() {
    let server = Server::start(&[]);
    let token = server.token.clone();
    let engine = Engine::builder().secrets(Arc::new(move |_: &str| Some(Secret::new(token.clone())))).open().unwrap();
    let app = json!({"id": "crm", "assigned_to": {"profiles": ["Employees"]},
        "connector": {"kind": "scim", "base_url": server.base_url, "auth": {"kind": "bearer", "token": {"secret": "crm"}}},
        "mapping": [{"target": "userName", "source": "username", "required": true},
            {"target": "name.familyName", "source": "lastName"},
            {"target": "emails[type eq \"work\"].value", "source": "email"},
            {"target": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "source": "department"}],
        "matching": [{"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]}]});
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    assert!(engine.test_app("crm").unwrap().passed);
    let run = || engine.run(&RunOptions { workers: 4, ..RunOptions::default() }).unwrap();
    for number in 0..40 {
        engine.put_user(user(number, &json!({})), None).unwrap();
    }
    run();
    engine.put_user(user(1, &json!({"email": "new@example.com", "department": "Ward 9"})), None).unwrap();
    engine.put_user(user(2, &json!({"active": false})), None).unwrap();
    engine.put_user(user(3, &json!({"profile": "Guests"})), None).unwrap();
    engine.delete_user("u4", None).unwrap();
    engine.put_user(user(5, &json!({"frozen": true})), None).unwrap();
    run();
    for request in engine.requests(&RequestFilter::default()).unwrap() {
        assert_eq!(request.state, State::Completed, "{request:?}");
    }

    let accounts = server.connector().list(None, None).unwrap().accounts;
    assert_eq!(accounts.len(), 40);
    let find = |number: usize| {
        let id = format!("u{number}");
        let mut found = accounts.iter().filter(|account| account.attributes["externalId"] == id.as_str());
        let account = found.next().unwrap_or_else(|| panic!("{id} has no account"));
        assert!(found.next().is_none(), "{id} has two accounts");
        account
    };
    for number in 0..40 {
        assert_eq!(find(number).active, !(2..=5).contains(&number), "u{number}");
        assert_eq!(find(number).attributes["name"]["familyName"], "O'Brien \"Łuk\\asz\" 王");
    }
    let moved = &find(1).attributes;
    assert_eq!(moved["emails"], json!([{"type": "work", "value": "new@example.com"}]));
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    assert_eq!(moved[enterprise]["department"], "Ward 9");
}
