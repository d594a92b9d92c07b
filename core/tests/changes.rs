//! One meaning for every change: each case of `tests/data/changes/*.json` is carried out by the mock target and by the SCIM
//! connector, through PATCH, through PATCH without filters, and through PUT. Where a case has a mapping, the changes are
//! those that it emits, and it must have nothing left to change afterwards.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::connector::mock::MockTarget;
use rollkeeper::connector::{Change, Connector, TargetAccount};
use rollkeeper::http::{Http, HttpError, Method, Request, Response};
use rollkeeper::mapping::{Mapping, RenderInputs};
use rollkeeper::model::{Rule, ScimDefinition, ScimFeatures};
use rollkeeper::scim::ScimConnector;
use rollkeeper::value::Attributes;
use rollkeeper::{Period, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What must happen, as a sentence.
    case: String,
    /// The account at the target, without `userName`.
    before: Attributes,
    /// What emits the changes, with the user that it is rendered from.
    mapping: Option<Vec<Rule>>,
    #[serde(default)]
    user: Attributes,
    changes: Vec<Change>,
    /// The account afterwards.
    after: Attributes,
    /// What PATCH sends; the changes as they are where nothing else is said.
    operations: Option<Value>,
    /// What PATCH sends to a target that knows no filters in paths; the same as ever where nothing else is said.
    whole: Option<Value>,
}

/// A target that shows one account, and keeps what it is sent.
struct Target {
    shown: Value,
    knows_filters: bool,
    bodies: Mutex<Vec<Value>>,
}

impl Http for Target {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let answer = |status, body: String| Ok(Response { status, headers: Vec::new(), body: body.into_bytes() });
        if request.method == Method::Get {
            return answer(200, self.shown.to_string());
        }
        let body: Value = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
        if !self.knows_filters && body.to_string().contains("[type eq") {
            return answer(501, String::new());
        }
        self.bodies.lock().unwrap().push(body);
        answer(204, String::new())
    }
}

fn with_username(attributes: &Attributes) -> Attributes {
    let mut attributes = attributes.clone();
    attributes.insert("userName".to_owned(), "ann".into());
    attributes
}

/// What the mapping emits, given what the target has.
fn emitted(rules: &[Rule], user: &Attributes, current: &Attributes) -> Vec<Change> {
    let inputs =
        RenderInputs { current: Some(current), creating: false, ..RenderInputs::create(user, Timestamp::default()) };
    Mapping::compile(rules, None).unwrap().render(&inputs).unwrap().target_changes()
}

/// What the mock target has afterwards.
fn by_mock(case: &Case) -> Value {
    let target = MockTarget::new();
    target.put_account(TargetAccount {
        external_id: "1".to_owned(),
        username: None,
        active: true,
        frozen: false,
        attributes: with_username(&case.before),
        version: None,
    });
    let mut account = target.update("1", &case.changes, None).unwrap().unwrap();
    account.attributes.remove("active");
    Value::Object(account.attributes)
}

/// What the SCIM connector sends.
fn by_scim(case: &Case, patch: bool, knows_filters: bool) -> Vec<Value> {
    let mut shown = with_username(&case.before);
    shown.insert("id".to_owned(), "1".into());
    let target = Arc::new(Target { shown: Value::Object(shown), knows_filters, bodies: Mutex::new(Vec::new()) });
    let definition = ScimDefinition {
        base_url: "https://target.example".to_owned(),
        profile: None,
        auth: None,
        features: ScimFeatures { patch: Some(patch), ..ScimFeatures::default() },
        allow_private_addresses: false,
        tls: Default::default(),
        proxy: None,
    };
    let connector = ScimConnector::new(&definition, None, target.clone(), Period::from_seconds(1)).unwrap();
    connector.update("1", &case.changes, None).unwrap();
    target.bodies.lock().unwrap().clone()
}

/// What is wrong with a case; empty where nothing is.
fn run(case: &Case) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, actual: Value, expected: Value| {
        if actual != expected {
            wrong.push(format!("{}: {what}: {actual} instead of {expected}", case.case));
        }
    };
    let after = with_username(&case.after);
    let changes = json!(case.changes);
    if let Some(rules) = &case.mapping {
        compare("emitted", json!(emitted(rules, &case.user, &with_username(&case.before))), changes.clone());
        compare("emitted again", json!(emitted(rules, &case.user, &after)), json!([]));
    }
    compare("mock", by_mock(case), json!(after));

    let operations = case.operations.clone().unwrap_or(changes);
    let sent = |bodies: Vec<Value>| bodies.first().map_or(json!([]), |body| body["Operations"].clone());
    compare("PATCH", sent(by_scim(case, true, true)), operations.clone());
    let whole = case.whole.clone().unwrap_or(operations);
    compare("PATCH without filters", sent(by_scim(case, true, false)), whole);

    let mut body = by_scim(case, false, true).pop().unwrap();
    let members = body.as_object_mut().unwrap();
    members.remove("schemas");
    members.remove("id");
    compare("PUT", body, json!(after));
    wrong
}

fn check(name: &str) {
    let path = format!("{}/../tests/data/changes/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!cases.is_empty());
    let wrong: Vec<String> = cases.iter().flat_map(run).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn plain_attributes_are_changed_alike_everywhere() {
    check("attributes");
}

#[test]
fn lists_and_their_elements_are_changed_alike_everywhere() {
    check("lists");
}

#[test]
fn a_case_that_expects_the_wrong_thing_fails_everywhere() {
    let wrong = r#"{"case": "x", "before": {}, "changes": [{"op": "replace", "path": "title", "value": "a"}], "after": {"title": "b"},
        "operations": []}"#;
    assert_eq!(run(&serde_json::from_str(wrong).unwrap()).len(), 4);
}
