//! The mock target: what it keeps, records and plays.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::Period;
use rollkeeper::connector::mock::MockTarget;
use rollkeeper::connector::{Change, ChangeKind, Connector, Outcome, TargetAccount};
use rollkeeper::value::Attributes;
use serde_json::{Value, json};

fn attributes(value: Value) -> Attributes {
    value.as_object().unwrap().clone()
}

fn ann() -> Attributes {
    attributes(json!({"userName": "ann", "externalId": "u1", "emails": [{"value": "ann@x.org", "type": "work"}]}))
}

#[test]
fn ids_are_counted_from_one_and_calls_are_recorded_in_order() {
    let target = MockTarget::new();
    target.create(&ann(), "k1").unwrap();
    target.deactivate("1").unwrap();
    assert_eq!(
        target.calls_json(),
        r#"[{"attributes":{"emails":[{"type":"work","value":"ann@x.org"}],"externalId":"u1","userName":"ann"},"idempotency_key":"k1","method":"create","outcome":"applied"},{"external_id":"1","method":"deactivate","outcome":"applied"}]"#
    );
    assert!(!target.accounts()[0].active);
    assert_eq!(target.accounts()[0].attributes["active"], json!(false));
}

#[test]
fn a_second_account_of_a_user_name_is_a_conflict_unless_told_otherwise() {
    let target = MockTarget::new();
    target.create(&ann(), "k1").unwrap();
    let again = attributes(json!({"userName": "ANN"}));
    assert_eq!(target.create(&again, "k2").unwrap_err().outcome, Outcome::Conflict);
    let loose = MockTarget::from_json(r#"{"unique": false}"#).unwrap();
    loose.create(&ann(), "k1").unwrap();
    assert_eq!(loose.create(&again, "k2").unwrap().external_id, "2");
}

#[test]
fn a_lost_reply_is_applied_and_ambiguous() {
    let target = MockTarget::new();
    target.script_json(r#"[{"on": "create", "fault": "lost_reply"}]"#).unwrap();
    assert_eq!(target.create(&ann(), "k1").unwrap_err().outcome, Outcome::Ambiguous);
    assert_eq!(target.accounts().len(), 1);
}

#[test]
fn a_late_write_is_applied_just_before_the_next_call() {
    let target = MockTarget::new();
    target.script_json(r#"[{"on": "create", "fault": "late"}]"#).unwrap();
    assert_eq!(target.create(&ann(), "k1").unwrap_err().outcome, Outcome::Ambiguous);
    assert!(target.accounts().is_empty());
    assert_eq!(target.find("userName", &json!("Ann")).unwrap().len(), 1);
}

#[test]
fn faults_fit_by_method_user_and_count() {
    let target = MockTarget::new();
    let script =
        r#"[{"on": "create", "after": 1, "times": 2, "user": "ann", "fault": "rate_limited", "retry_after": "PT7S"}]"#;
    target.script_json(script).unwrap();
    target.create(&attributes(json!({"userName": "bob"})), "k").unwrap();
    target.create(&ann(), "k").unwrap();
    for _ in 0..2 {
        let error = target.create(&ann(), "k").unwrap_err();
        assert_eq!((error.outcome, error.retry_after), (Outcome::NotApplied, Some(Period::from_seconds(7))));
    }
    assert_eq!(target.create(&ann(), "k").unwrap_err().outcome, Outcome::Conflict);
}

#[test]
fn an_ignored_write_succeeds_and_changes_nothing() {
    let target = MockTarget::new();
    target.create(&ann(), "k").unwrap();
    target.script_json(r#"[{"on": "deactivate", "fault": "ignored"}]"#).unwrap();
    target.deactivate("1").unwrap();
    assert!(target.accounts()[0].active);
}

#[test]
fn a_hidden_account_is_not_found_but_in_the_way() {
    let target = MockTarget::new();
    target.create(&ann(), "k").unwrap();
    target.script_json(r#"[{"on": "find", "user": "ann", "fault": "hidden"}]"#).unwrap();
    assert!(target.find("externalId", &json!("u1")).unwrap().is_empty());
    assert_eq!(target.create(&ann(), "k").unwrap_err().outcome, Outcome::Conflict);
    assert_eq!(target.find("externalId", &json!("u1")).unwrap().len(), 1);
}

#[test]
fn an_update_reaches_into_elements_of_a_list() {
    let target = MockTarget::new();
    target.create(&ann(), "k").unwrap();
    let change = |kind, path: &str, value| Change { kind, path: path.to_owned(), value };
    let changes = [
        change(ChangeKind::Replace, r#"emails[type eq "work"].value"#, Some(json!("new@x.org"))),
        change(ChangeKind::Add, r#"emails[type eq "home"].value"#, Some(json!("home@x.org"))),
        change(
            ChangeKind::Replace,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            Some(json!("IT")),
        ),
        change(ChangeKind::Remove, "externalId", None),
    ];
    let account = target.update("1", &changes, None).unwrap().unwrap();
    assert_eq!(
        Value::Object(account.attributes),
        json!({"userName": "ann", "active": true,
               "emails": [{"type": "work", "value": "new@x.org"}, {"type": "home", "value": "home@x.org"}],
               "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "IT"}})
    );
}

#[test]
fn listing_is_paged_and_says_when_it_is_whole() {
    let target = MockTarget::from_json(r#"{"page_size": 2}"#).unwrap();
    for name in ["a", "b", "c"] {
        target.create(&attributes(json!({"userName": name})), name).unwrap();
    }
    let first = target.list(None, None).unwrap();
    assert_eq!((first.accounts.len(), first.complete), (2, false));
    let last = target.list(first.next.as_deref(), None).unwrap();
    assert_eq!((last.accounts.len(), last.next, last.complete), (1, None, true));
    target.script_json(r#"[{"on": "list", "fault": "incomplete"}]"#).unwrap();
    let cut = target.list(None, None).unwrap();
    assert_eq!((cut.next, cut.complete), (None, false));
}

#[test]
fn a_target_that_is_off_applies_nothing_and_counts_no_fault() {
    let target = MockTarget::new();
    target.script_json(r#"[{"on": "*", "fault": "rejected"}]"#).unwrap();
    target.set_reachable(false);
    assert_eq!(target.create(&ann(), "k").unwrap_err().code, "unreachable");
    target.set_reachable(true);
    assert_eq!(target.create(&ann(), "k").unwrap_err().code, "rejected");
    assert_eq!(target.create(&ann(), "k").unwrap().external_id, "1");
}

#[test]
fn accounts_can_be_changed_behind_the_engines_back() {
    let target = MockTarget::new();
    target.put_account(TargetAccount {
        external_id: "7".to_owned(),
        username: Some("eve".to_owned()),
        active: true,
        frozen: false,
        attributes: Attributes::new(),
        version: None,
    });
    assert_eq!(target.read("7").unwrap().unwrap().attributes["userName"], json!("eve"));
    assert!(target.remove_account("7"));
    assert!(target.read("7").unwrap().is_none());
    assert_eq!(target.calls().len(), 2);
}
