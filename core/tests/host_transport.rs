//! A host's own HTTP client: the exchanges of `tests/data/transport/scenario.json`, which the other languages play too.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop at what must not happen")]

use rollkeeper::http::{Http, HttpError, Request, Response};
use rollkeeper::model::{App, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Code, Engine, Period, RunOptions, Secret, Timestamp};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

fn scenario() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/transport/scenario.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Plays the exchanges, and notes what was not as they say.
#[derive(Default)]
struct Playing {
    left: Mutex<VecDeque<Value>>,
    wrong: Mutex<Vec<String>>,
}

impl Http for Playing {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let exchange = self.left.lock().unwrap().pop_front().unwrap_or_default();
        let authorized = request.authorization.as_ref().is_some_and(|value| value.reveal() == "Bearer t0ken");
        let body = request.body.as_deref().map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
        let asked = json!({"method": request.method.name(), "url": request.url, "body": body});
        let is_as_told = ["method", "url", "body"].iter().all(|key| asked[*key] == exchange[*key]);
        if !authorized || !is_as_told || request.timeout != Period::from_seconds(30) {
            self.wrong.lock().unwrap().push(asked.to_string());
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(failure) = exchange.get("failure") {
            let code = Code::from_name(&text(&failure["code"])).unwrap();
            let sent = failure["sent"] == json!(true);
            return Err(HttpError { sent, code, message: "as the scenario says".to_owned() });
        }
        let answer = &exchange["answer"];
        let headers = answer["headers"].as_object().cloned().unwrap_or_default();
        let headers = headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let status = u16::try_from(answer["status"].as_u64().unwrap_or_default()).unwrap();
        Ok(Response { status, headers, body: answer["body"].to_string().into_bytes() })
    }
}

#[test]
fn a_hosts_transport_plays_the_scenario() {
    let scenario = scenario();
    let transport = Arc::new(Playing::default());
    *transport.left.lock().unwrap() = scenario["exchanges"].as_array().unwrap().iter().cloned().collect();
    let clock = Arc::new(VirtualClock::new(Timestamp::parse("2026-11-20T09:00:00Z").unwrap()));
    let token = scenario["secret"].as_str().unwrap().to_owned();
    let engine = Engine::builder()
        .clock(clock.clone())
        .seed(1)
        .secrets(Arc::new(move |_| Some(Secret::new(token.clone()))))
        .transport(transport.clone())
        .open()
        .unwrap();
    engine.put_app(App::from_json(scenario["app"].to_string().as_bytes()).unwrap(), None).unwrap();
    engine.put_user(User::from_json(scenario["user"].to_string().as_bytes()).unwrap(), None).unwrap();
    for _ in 0..10 {
        engine.run(&RunOptions::default()).unwrap();
        clock.advance(Period::from_seconds(3_600));
    }
    assert_eq!(*transport.wrong.lock().unwrap(), Vec::<String>::new());
    assert!(transport.left.lock().unwrap().is_empty());
    let account = engine.accounts(&Default::default()).unwrap().remove(0);
    assert_eq!(account.external_id, "2819c223");
}

#[test]
fn what_only_our_own_client_heeds_is_refused_beside_a_hosts() {
    for connection in
        [json!({"tls": {"minimum_version": "1.3"}}), json!({"proxy": {"url": "http://proxy.example.com:3128"}})]
    {
        let mut app = scenario()["app"].clone();
        app["connector"].as_object_mut().unwrap().extend(connection.as_object().unwrap().clone());
        let engine = Engine::builder().transport(Arc::new(Playing::default())).open().unwrap();
        let found = engine.validate_app(app.to_string().as_bytes()).unwrap().findings;
        assert!(
            found
                .iter()
                .any(|fault| fault.code == Code::InvalidArgument && fault.message.contains("the host has its own"))
        );
        let own = Engine::builder().open().unwrap();
        assert!(own.validate_app(app.to_string().as_bytes()).unwrap().findings.is_empty());
    }
}

/// Answers more than anybody may, or panics.
struct Misbehaving(bool);

impl Http for Misbehaving {
    fn send(&self, _: &Request) -> Result<Response, HttpError> {
        assert!(!self.0, "a host's own mistake");
        Ok(Response { status: 200, headers: Vec::new(), body: vec![b' '; 8 * 1024 * 1024 + 1] })
    }
}

#[test]
fn a_hosts_transport_is_held_to_the_bounds_of_ours() {
    for (panics, code) in [(false, Code::AnswerTooLarge), (true, Code::Unreachable)] {
        let secrets = Arc::new(|_: &str| Some(Secret::new("t0ken")));
        let engine = Engine::builder().secrets(secrets).transport(Arc::new(Misbehaving(panics))).open().unwrap();
        engine.put_app(App::from_json(scenario()["app"].to_string().as_bytes()).unwrap(), None).unwrap();
        assert_eq!(engine.test_app("crm").unwrap().fault.map(|fault| fault.code), Some(code));
    }
}
