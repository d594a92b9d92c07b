//! The SCIM connector against scripted targets: every case of `tests/data/scim/*.json` names what is called, which requests
//! must go out, what the target answers, and what must come of it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may stop at what must not happen")]

use rollkeeper::connector::{
    AttributeSelection, Change, Connector, ConnectorError, Page, PageLines, TargetAccount, TargetCall, TargetRequest,
};
use rollkeeper::http::{Http, HttpError, Request, Response};
use rollkeeper::model::{ScimDefinition, ScimFeatures};
use rollkeeper::path::Path;
use rollkeeper::scim::ScimConnector;
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Period, Secret};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

const BASE: &str = "https://target.example/scim/v2";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What must happen, as a sentence.
    case: String,
    #[serde(default)]
    features: ScimFeatures,
    base_url: Option<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    call: Call,
    #[serde(default)]
    exchanges: Vec<Expected>,
    /// What comes back, at least: keys that are left out are not compared.
    #[serde(default, deserialize_with = "given")]
    gives: Option<Value>,
    fails: Option<Failure>,
    /// The answer of success does not show the change, which is therefore sent in a second way.
    #[serde(default)]
    second_way: bool,
}

/// `null` is an answer as well: that nothing came back.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
enum Call {
    Test {},
    Schema {},
    Discover {},
    Find {
        attribute: String,
        value: Value,
    },
    Read {
        external_id: String,
    },
    ReadStatus {
        external_id: String,
    },
    Create {
        attributes: Attributes,
    },
    Update {
        external_id: String,
        changes: Vec<Change>,
    },
    Activate {
        external_id: String,
    },
    Deactivate {
        external_id: String,
    },
    Delete {
        external_id: String,
    },
    List {
        cursor: Option<String>,
        filter: Option<String>,
    },
    /// Pages to the end; gives every group.
    ListGroups {},
    /// The same without members.
    GroupNames {},
    ChangeMembers {
        group: String,
        #[serde(default)]
        add: Vec<String>,
        #[serde(default)]
        remove: Vec<String>,
    },
    /// Pages to the end; gives every account's id, and whether the listing is whole.
    ListAll {},
    /// Pages to the end as the engine does, of which these attributes are read; gives every account, and whether the listing is
    /// whole.
    ListRead {
        read: Vec<String>,
    },
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// Method and URL, the latter from the base URL on where it begins with `/`.
    request: String,
    body: Option<Value>,
    content_type: Option<String>,
    answer: Answer,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Answer {
    Lost {
        sent: bool,
        code: String,
    },
    Given {
        status: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        json: Option<Value>,
        text: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    outcome: String,
    code: String,
    retry_after: Option<Period>,
    message: Option<String>,
}

/// Plays a script and notes what did not fit.
struct Double {
    base: String,
    script: Mutex<VecDeque<Expected>>,
    wrong: Mutex<Vec<String>>,
    /// What was written, as a preview tells it.
    written: Mutex<Vec<TargetRequest>>,
}

impl Double {
    fn new(base: &str) -> Arc<Self> {
        Arc::new(Self {
            base: base.to_owned(),
            script: Mutex::default(),
            wrong: Mutex::default(),
            written: Mutex::default(),
        })
    }
}

impl Http for Double {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let line =
            format!("{} {}", request.method.name(), request.url.strip_prefix(&self.base).unwrap_or(&request.url));
        let wrong = |what: String| self.wrong.lock().unwrap().push(what);
        let Some(expected) = self.script.lock().unwrap().pop_front() else {
            wrong(format!("unexpected {line}"));
            return Err(HttpError::not_sent(Code::Unreachable, "the script is over"));
        };
        if line != expected.request {
            wrong(format!("{line} instead of {}", expected.request));
        }
        let body: Option<Value> = request.body.as_ref().map(|body| serde_json::from_slice(body).unwrap());
        if matches!(request.method.name(), "POST" | "PUT" | "PATCH") && !line.contains("/.search") {
            let path = request.url.splitn(4, '/').last().map(|path| format!("/{path}")).unwrap();
            let body = body.clone().unwrap_or_default();
            let written = TargetRequest::Http { method: request.method.name().to_owned(), path, body };
            self.written.lock().unwrap().push(written);
        }
        if expected.body.is_some() && body != expected.body {
            wrong(format!("{line} with the body {}", body.unwrap_or_default()));
        }
        let header = |name: &str| request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        if expected.content_type.is_some() && header("content-type") != expected.content_type.as_ref() {
            wrong(format!("{line} with the content type {:?}", header("content-type")));
        }
        if request.authorization.as_ref().map(Secret::reveal) != Some("Bearer t0ken") {
            wrong(format!("{line} without its token"));
        }
        match expected.answer {
            Answer::Lost { sent, code } => {
                Err(HttpError { sent, code: Code::from_name(&code).unwrap(), message: "no answer".to_owned() })
            }
            Answer::Given { status, headers, json, text } => {
                let body = json.map(|json| json.to_string()).or(text).unwrap_or_default().into_bytes();
                Ok(Response { status, headers: headers.into_iter().collect(), body })
            }
        }
    }
}

/// A page as the engine reads it, in the form of [`Connector::list`].
fn page_of_lines(lines: &PageLines) -> Value {
    let text = std::str::from_utf8(&lines.accounts).unwrap();
    let accounts: Vec<TargetAccount> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(u64::try_from(accounts.len()), Ok(lines.count));
    let PageLines { next, complete, total, .. } = lines.clone();
    serde_json::to_value(Page { accounts, next, complete, total }).unwrap()
}

fn perform_by_lines(connector: &ScimConnector, call: &Call) -> Result<Value, ConnectorError> {
    let list = |cursor: Option<&str>, filter: Option<&str>| {
        connector.list_lines(cursor, filter, None).map(|lines| (page_of_lines(&lines), lines.next))
    };
    match call {
        Call::List { cursor, filter } => list(cursor.as_deref(), filter.as_deref()).map(|(page, _)| page),
        Call::ListAll {} => {
            let (mut ids, mut cursor) = (Vec::new(), None);
            loop {
                let (page, next) = list(cursor.as_deref(), None)?;
                let accounts = page.get("accounts").and_then(Value::as_array).unwrap();
                ids.extend(accounts.iter().map(|account| account.get("external_id").cloned()));
                cursor = next;
                if cursor.is_none() {
                    return Ok(serde_json::json!({"ids": ids, "complete": page.get("complete")}));
                }
            }
        }
        other => perform(connector, other),
    }
}

fn perform(connector: &ScimConnector, call: &Call) -> Result<Value, ConnectorError> {
    fn json<T: serde::Serialize>(value: T) -> Value {
        serde_json::to_value(value).unwrap()
    }
    match call {
        Call::Test {} => connector.test().map(json),
        Call::Schema {} => connector.schema().map(json),
        Call::Discover {} => connector.discover().map(json),
        Call::Find { attribute, value } => connector.find(attribute, value).map(json),
        Call::Read { external_id } => connector.read(external_id).map(json),
        Call::ReadStatus { external_id } => connector.read_status(external_id).map(json),
        Call::Create { attributes } => connector.create(attributes, "key").map(json),
        Call::Update { external_id, changes } => connector.update(external_id, changes, None).map(json),
        Call::Activate { external_id } => connector.activate(external_id).map(json),
        Call::Deactivate { external_id } => connector.deactivate(external_id).map(json),
        Call::Delete { external_id } => connector.delete(external_id).map(json),
        Call::List { cursor, filter } => connector.list(cursor.as_deref(), filter.as_deref()).map(json),
        Call::GroupNames {} => connector.group_names(None).map(|(groups, _)| json(groups)),
        Call::ChangeMembers { group, add, remove } => connector.change_members(group, add, remove).map(json),
        Call::ListGroups {} => {
            let (mut groups, mut cursor) = (Vec::new(), None);
            loop {
                let (page, next) = connector.list_groups(cursor.as_deref())?;
                groups.extend(page);
                cursor = next;
                if cursor.is_none() {
                    return Ok(json(groups));
                }
            }
        }
        Call::ListRead { read } => {
            let paths: Vec<Path> = read.iter().map(|path| Path::parse(path).unwrap()).collect();
            let (mut accounts, mut cursor) = (Vec::new(), None);
            loop {
                let lines = connector.list_lines(cursor.as_deref(), None, Some(&AttributeSelection::of(&paths)))?;
                let page = page_of_lines(&lines);
                accounts.extend(page.get("accounts").and_then(Value::as_array).unwrap().clone());
                cursor = lines.next;
                if cursor.is_none() {
                    return Ok(serde_json::json!({"accounts": accounts, "complete": lines.complete}));
                }
            }
        }
        Call::ListAll {} => {
            let (mut ids, mut cursor) = (Vec::new(), None);
            loop {
                let page = connector.list(cursor.as_deref(), None)?;
                ids.extend(page.accounts.into_iter().map(|account| account.external_id));
                cursor = page.next;
                if cursor.is_none() {
                    return Ok(serde_json::json!({"ids": ids, "complete": page.complete}));
                }
            }
        }
    }
}

/// Whether `actual` holds everything that `expected` has.
fn holds(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| holds(actual.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len()
                && actual.iter().zip(expected).all(|(actual, expected)| holds(actual, expected))
        }
        (actual, expected) => actual == expected,
    }
}

fn judge(result: Result<Value, ConnectorError>, step: &Step) -> Option<String> {
    match (result, &step.gives, &step.fails) {
        (Ok(actual), Some(expected), None) => {
            (!holds(&actual, expected)).then(|| format!("gave {actual} instead of {expected}"))
        }
        (Err(error), None, Some(expected)) => {
            let fits = error.outcome.name() == expected.outcome
                && error.code == expected.code
                && error.retry_after == expected.retry_after
                && expected.message.as_ref().is_none_or(|message| *message == error.message);
            (!fits).then(|| format!("failed as {error}, wait {:?}", error.retry_after))
        }
        (result, ..) => Some(format!("ended as {result:?}")),
    }
}

/// What a preview tells of a write, of an account as the target will show it.
fn foretell(connector: &ScimConnector, step: &Step) -> Option<Vec<TargetRequest>> {
    let shown = step.exchanges.iter().filter(|exchange| exchange.request.starts_with("GET ")).find_map(|exchange| {
        match &exchange.answer {
            Answer::Given { json: Some(Value::Object(shown)), .. } => Some(shown.clone()),
            _ => None,
        }
    });
    match &step.call {
        Call::Create { attributes } => connector.requests_of(TargetCall::Create { attributes }),
        Call::Update { external_id, changes } => {
            let shown = &shown.unwrap_or_default();
            connector.requests_of(TargetCall::Update { external_id, changes, shown })
        }
        _ => None,
    }
}

/// How what was written differs from what was foretold. What follows a refusal, and a second way, is not foretold.
fn misfit(foretold: &[TargetRequest], written: &[TargetRequest], step: &Step) -> Option<String> {
    let refused = |exchange: &Expected| !matches!(exchange.answer, Answer::Given { status: 200..=299, .. });
    let compared = if step.second_way || step.exchanges.iter().any(refused) {
        written.len().min(1)
    } else {
        written.len().max(foretold.len())
    };
    let [foretold, written] = [foretold, written].map(|requests| requests.get(..compared).unwrap_or(requests));
    (foretold != written).then(|| format!("foretold {foretold:?}, written {written:?}"))
}

type Perform = fn(&ScimConnector, &Call) -> Result<Value, ConnectorError>;

/// What is wrong with a case; empty where nothing is.
fn run(case: &Case, perform: Perform) -> Vec<String> {
    let base_url = case.base_url.clone().unwrap_or_else(|| BASE.to_owned());
    let double = Double::new(&base_url);
    let definition = ScimDefinition {
        base_url,
        profile: None,
        auth: None,
        features: case.features.clone(),
        allow_private_addresses: false,
        tls: Default::default(),
        proxy: None,
    };
    let token = Some(Secret::new("t0ken"));
    let connector = ScimConnector::new(&definition, token, double.clone(), Period::from_seconds(30)).unwrap();
    for (number, step) in case.steps.iter().enumerate() {
        double.script.lock().unwrap().extend(step.exchanges.iter().cloned());
        let foretold = foretell(&connector, step);
        let result = perform(&connector, &step.call);
        let written = std::mem::take(&mut *double.written.lock().unwrap());
        let mut wrong = double.wrong.lock().unwrap();
        wrong.extend(judge(result, step).map(|what| format!("step {}: {what}", number + 1)));
        wrong.extend(foretold.and_then(|foretold| misfit(&foretold, &written, step)));
        wrong.extend(double.script.lock().unwrap().drain(..).map(|left| format!("{} was not sent", left.request)));
    }
    std::mem::take(&mut *double.wrong.lock().unwrap())
}

fn check(name: &str) {
    let path = format!("{}/../tests/data/scim/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!cases.is_empty());
    let mut faults = Vec::new();
    for case in &cases {
        for perform in [perform, perform_by_lines] {
            faults.extend(run(case, perform).into_iter().map(|what| format!("{}: {what}", case.case)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn creates_and_learns_the_id_wherever_it_stands() {
    check("create");
}

#[test]
fn reads_whatever_shape_the_answer_has() {
    check("read");
}

#[test]
fn lists_groups_with_the_members_that_are_shown() {
    check("groups");
}

#[test]
fn changes_exactly_the_members_that_are_named() {
    check("members");
}

#[test]
fn asks_for_a_part_and_never_takes_what_was_left_out_for_empty() {
    check("parts");
}

#[test]
fn finds_accounts_without_trusting_the_filter() {
    check("find");
}

#[test]
fn updates_by_patch_or_the_next_best_way() {
    check("update");
}

#[test]
fn deletes_and_takes_absence_for_success() {
    check("delete");
}

#[test]
fn lists_to_an_end_and_says_whether_it_is_whole() {
    check("list");
}

#[test]
fn calls_every_failure_by_its_outcome() {
    check("failures");
}

#[test]
fn reads_the_declared_schema_or_takes_the_standard() {
    check("schema");
}

#[test]
fn discovers_what_a_target_tells_and_names_what_it_does_not() {
    check("discovery");
}

#[test]
fn a_case_that_expects_the_wrong_thing_fails() {
    let wrong = r#"{"case": "x", "steps": [{"call": {"method": "read", "external_id": "1"},
        "exchanges": [{"request": "GET /Users/2", "answer": {"status": 404}}], "gives": {}}]}"#;
    let faults = run(&serde_json::from_str(wrong).unwrap(), perform);
    assert_eq!(faults, ["GET /Users/1 instead of GET /Users/2", "step 1: gave null instead of {}"]);
}

fn refusal(base_url: &str, token: Option<&str>) -> Code {
    let text = format!(r#"{{"base_url": "{base_url}", "auth": {{"kind": "bearer", "token": {{"secret": "t"}}}}}}"#);
    let definition: ScimDefinition = serde_json::from_str(&text).unwrap();
    let http = Double::new("");
    match ScimConnector::new(&definition, token.map(Secret::new), http, Period::from_seconds(1)) {
        Ok(_) => panic!("`{base_url}` was taken"),
        Err(fault) => fault.code,
    }
}

#[test]
fn refuses_base_urls_that_leak_or_lead_elsewhere() {
    for url in [
        "http://target.example/scim",
        "http://127.0.0.1.example/scim",
        "http://2130706433/scim",
        "ftp://target.example/scim",
        "target.example/scim",
        "https://user:password@target.example/scim",
        "https:///scim",
        "https://target.example:99999/scim",
        "https://target.example:x/scim",
        "https://[::1/scim",
        "https://target.example/sc im",
        "https://target.example/scim#part",
        "https://tärget.example/scim",
    ] {
        assert_eq!(refusal(url, Some("t")), Code::InvalidUrl, "{url}");
    }
}

#[test]
fn refuses_tokens_that_are_missing_or_break_a_header() {
    assert_eq!(refusal(BASE, None), Code::SecretMissing);
    assert_eq!(refusal(BASE, Some("a\r\nx-header: b")), Code::InvalidArgument);
    assert_eq!(refusal(BASE, Some("with space")), Code::InvalidArgument);
}
