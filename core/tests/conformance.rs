//! The conformance suite itself: a good connector passes, a bad one is caught.

use rollkeeper::connector::conformance::{self, Options};
use rollkeeper::connector::mock::MockTarget;
use rollkeeper::connector::{Connector, ConnectorError, TargetAccount};
use rollkeeper::value::Attributes;

fn passes(connector: &dyn Connector) {
    let report = conformance::check(connector, &Options::default());
    assert!(report.passed(), "{:#?}", report.failures());
}

fn failing(connector: &dyn Connector) -> Vec<String> {
    let report = conformance::check(connector, &Options::default());
    report.failures().iter().map(|check| check.name.clone()).collect()
}

#[test]
fn the_mock_target_passes_and_is_left_as_it_was() {
    let target = MockTarget::new();
    passes(&target);
    assert!(target.accounts().is_empty());
}

#[test]
fn a_target_without_extras_passes_with_skipped_checks() {
    let options = r#"{"unique": false, "search": false, "freeze": false, "page_size": 1}"#;
    let target = MockTarget::from_json(options).unwrap();
    passes(&target);
    let report = conformance::check(&target, &Options::default());
    assert!(report.checks.iter().filter(|check| check.skipped).count() >= 5);
}

#[test]
fn a_deactivation_without_effect_is_caught() {
    let target = MockTarget::new();
    target.script_json(r#"[{"on": "deactivate", "after": 1, "fault": "ignored"}]"#).unwrap();
    assert_eq!(failing(&target), ["deactivates and activates, twice without harm"]);
}

#[test]
fn an_unproved_listing_is_caught() {
    let target = MockTarget::new();
    target.script_json(r#"[{"on": "list", "fault": "incomplete"}]"#).unwrap();
    assert_eq!(failing(&target), ["lists every account once, to a proved end"]);
}

/// What a host writes on its first day: nothing but `create`.
struct CreateOnly(MockTarget);

impl Connector for CreateOnly {
    fn create(&self, attributes: &Attributes, idempotency_key: &str) -> Result<TargetAccount, ConnectorError> {
        self.0.create(attributes, idempotency_key)
    }
}

#[test]
fn a_connector_that_can_only_create_passes() {
    passes(&CreateOnly(MockTarget::new()));
}
