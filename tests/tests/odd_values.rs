//! Accounts are found by any value whatever: through filters that a server reads by itself, by POST where a URL is too long,
//! and among everything where a server does not know filters.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::connector::Connector;
use rollkeeper::scim::ScimConnector;
use rollkeeper_tests::people::ODDITIES;
use rollkeeper_tests::server::{Server, connector};
use rollkeeper_tests::stub::{Options, Stub};
use serde_json::{Value, json};

/// Every odd value, and one of ten thousand bytes.
fn values() -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> =
        ODDITIES.map(|(name, text)| (name.to_owned(), text.replace('~', "ann"))).into();
    values.push(("ten thousand bytes".to_owned(), "é\"\\".repeat(2500)));
    values.push(("a way out of the filter".to_owned(), r#"a"b\c) or (x"#.to_owned()));
    values.push(("ten thousand plain bytes".to_owned(), "é".repeat(5000)));
    values
}

/// Creates an account for each value, and finds each and no other by it. Gives what cannot be found.
fn check(connector: &ScimConnector) -> Vec<String> {
    let values = values();
    let create = |index: usize, value: &str| {
        let account = json!({"userName": format!("user{index}"), "externalId": format!("x{index}"), "name": {"familyName": value}});
        let made = connector.create(account.as_object().unwrap(), "").unwrap();
        assert_eq!(made.attributes["name"]["familyName"], value);
        made.external_id
    };
    let ids: Vec<String> = values.iter().enumerate().map(|(index, (_, value))| create(index, value)).collect();
    let mut missed = Vec::new();
    for ((name, value), id) in values.iter().zip(&ids) {
        let found = connector.find("name.familyName", &Value::from(value.as_str())).unwrap();
        let exact: Vec<&str> = found
            .iter()
            .filter(|account| account.attributes["name"]["familyName"] == value.as_str())
            .map(|account| account.external_id.as_str())
            .collect();
        if exact != [id.as_str()] {
            missed.push(name.clone());
        }
    }
    missed
}

#[test]
fn a_server_that_reads_filters_by_itself_finds_every_value() {
    let stub = Stub::start(Options::default()).unwrap();
    assert_eq!(check(&connector(&stub.base_url(), "")), [""; 0]);
    assert_eq!(stub.stats()["list"], 0);
}

#[test]
fn long_values_are_asked_for_by_post_and_no_long_url_is_tried_again() {
    let stub = Stub::start(Options { longest: 4000, ..Options::default() }).unwrap();
    let connector = connector(&stub.base_url(), "");
    assert_eq!(check(&connector), [""; 0]);
    let found = |value: &str| {
        let before = stub.stats();
        connector.find("name.familyName", &Value::from(value)).unwrap();
        let after = stub.stats();
        ["find", "other"].map(|counter| after[counter].as_u64().unwrap() - before[counter].as_u64().unwrap())
    };
    assert_eq!(found(&"é".repeat(5000)), [1, 0]);
    assert_eq!(found("ann"), [1, 0]);
    assert_eq!(stub.stats()["list"], 0);
}

#[test]
fn a_server_that_answers_everything_whatever_is_asked_gives_the_right_account() {
    let stub = Stub::start(Options { filters: false, page: 20, ..Options::default() }).unwrap();
    assert_eq!(check(&connector(&stub.base_url(), "")), [""; 0]);
}

#[test]
fn real_servers_find_every_value() {
    for kind in ["gunicorn", "django"] {
        let server = Server::start(&["--command", kind]);
        assert_eq!(check(&server.connector()), [""; 0], "{kind}");
    }
}
