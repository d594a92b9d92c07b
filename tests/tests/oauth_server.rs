//! Tokens of a real authorization server, oidc-provider, which rotates refresh tokens and revokes a family when one is shown twice.
//! `tests/servers/install.sh` installs it. Time passes on a virtual clock: to the server the tokens are still young.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::model::{App, LogFilter};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Code, Engine, Period, Secret, SystemClock};
use rollkeeper_tests::stub::{Options, Stub};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/keys/rsa.pem");

struct Server {
    child: Child,
    token_endpoint: String,
    refresh_token: String,
}

impl Server {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.build/oauth");
        assert!(folder.join("installed.json").exists(), "run tests/servers/install.sh first");
        let mut command = Command::new("node");
        command
            .arg(folder.join("server.mjs"))
            .arg(KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // It may have something to say about its own version first.
        let told = lines.find_map(|line| serde_json::from_str::<Value>(&line.unwrap()).ok()).unwrap();
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        Self { child, token_endpoint: text("token_endpoint"), refresh_token: text("refresh_token") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn target() -> Stub {
    let admits = |header: Option<&str>| header.is_some_and(|header| header.starts_with("Bearer "));
    Stub::start_guarded(Options::default(), Arc::new(admits)).unwrap()
}

fn engine(clock: &VirtualClock) -> Engine {
    let engine = Engine::builder().clock(Arc::new(clock.clone())).key([7; 32]).open().unwrap();
    engine.set_secret("crm", "client", Some(&Secret::new("lab-secret")), None).unwrap();
    engine
}

fn put(engine: &Engine, server: &Server, target: &Stub, auth: &Value) {
    let mut whole = json!({"kind": "oauth2", "token_endpoint": server.token_endpoint, "scopes": ["scim"]});
    whole.as_object_mut().unwrap().extend(auth.as_object().unwrap().clone());
    let app = json!({"id": "crm", "connector": {"kind": "scim", "base_url": target.base_url(), "auth": whole},
        "create_without_match": true, "mapping": [{"target": "userName", "source": "username"}]});
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
}

fn call(engine: &Engine) -> Option<Code> {
    engine.test_app("crm").unwrap().fault.map(|fault| fault.code)
}

fn now() -> VirtualClock {
    VirtualClock::new(rollkeeper::Clock::now(&SystemClock))
}

#[test]
fn a_real_server_gives_tokens_by_every_proof_of_the_client() {
    let (server, target, clock) = (Server::start(), target(), now());
    let secret = json!({"sealed": "client"});
    for auth in [
        json!({"client_id": "lab", "client_secret": secret}),
        json!({"client_id": "posts", "client_authentication": "post", "client_secret": secret}),
        json!({"client_id": "signs", "client_authentication": "private_key_jwt", "private_key": {"file": KEY}, "key_id": "key-1"}),
        json!({"client_id": "lab", "client_secret": secret, "resource": ["urn:lab"]}),
    ] {
        let mut auth = auth;
        auth["grant_type"] = json!("client_credentials");
        let engine = engine(&clock);
        put(&engine, &server, &target, &auth);
        assert_eq!(call(&engine), None, "{auth}");
        clock.advance(Period::from_seconds(10));
        assert_eq!(call(&engine), None, "{auth}");
        auth["client_id"] = json!("nobody");
        put(&engine, &server, &target, &auth);
        assert_eq!(call(&engine), Some(Code::TokenRefused), "{auth}");
    }
}

#[test]
fn a_real_server_never_sees_a_refresh_token_twice_and_revokes_where_it_does() {
    let (server, target, clock) = (Server::start(), target(), now());
    let auth = json!({"grant_type": "refresh_token", "client_id": "lab", "client_secret": {"sealed": "client"},
        "refresh_token": {"sealed": "first"}});
    let first = Secret::new(server.refresh_token.clone());
    let mine = engine(&clock);
    mine.set_secret("crm", "first", Some(&first), None).unwrap();
    put(&mine, &server, &target, &auth);
    for _ in 0..5 {
        assert_eq!(call(&mine), None);
        clock.advance(Period::from_seconds(10));
    }
    let issued = mine.log(&LogFilter::default()).unwrap();
    let rotated = issued.iter().filter(|entry| entry.kind == "token_issued" && entry.details["rotated"] == true);
    assert_eq!(rotated.count(), 5);

    // Somebody else has a copy of the first token.
    let other = engine(&clock);
    other.set_secret("crm", "first", Some(&first), None).unwrap();
    put(&other, &server, &target, &auth);
    assert_eq!(call(&other), Some(Code::ReauthorizationNeeded));
    assert_eq!(call(&mine), Some(Code::ReauthorizationNeeded), "the server revokes the whole family");
}
