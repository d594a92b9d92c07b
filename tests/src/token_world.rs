//! An engine, a target and an authorization server whose tokens live for three seconds of a virtual clock.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test without its world has failed")]

use crate::authorization_server::{AuthorizationServer, CLIENT};
use crate::stub::{Options, Stub};
use rollkeeper::model::{App, LogEntry, LogFilter, User};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Code, Engine, Period, Secret, Timestamp};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// The host's key.
pub const KEY: [u8; 32] = [7; 32];
/// How long a token lives.
pub const LIFE: Period = Period::from_seconds(3);

/// The world of one test.
pub struct World {
    /// Moves only when told to.
    pub clock: VirtualClock,
    /// Gives tokens.
    pub server: AuthorizationServer,
    /// Asks for tokens.
    pub target: Stub,
}

impl World {
    /// A target that takes `tick` for each call, and tokens that live for three seconds.
    pub fn new(tick: Period) -> Self {
        let clock = VirtualClock::new(Timestamp::parse("2026-01-05T08:00:00Z").unwrap());
        let server = AuthorizationServer::start(&clock, LIFE).unwrap();
        let (admits, passing) = (server.admits(), clock.clone());
        let target = Stub::start_guarded(
            Options { unique: false, ..Options::default() },
            Arc::new(move |header| {
                passing.advance(tick);
                admits(header)
            }),
        );
        Self { clock, server, target: target.unwrap() }
    }

    /// An engine on a file, or in memory.
    pub fn engine(&self, path: Option<&Path>) -> Engine {
        let builder = Engine::builder().clock(Arc::new(self.clock.clone())).key(KEY);
        path.into_iter().fold(builder, rollkeeper::Builder::path).open().unwrap()
    }

    /// The app with these settings of its credentials.
    pub fn app(&self, auth: &Value) -> App {
        let mut whole = json!({"kind": "oauth2", "token_endpoint": self.server.token_endpoint(), "client_id": CLIENT.0,
            "client_secret": {"sealed": "client"}});
        whole.as_object_mut().unwrap().extend(auth.as_object().unwrap().clone());
        let app = json!({"id": "crm", "create_without_match": true, "assigned_to": {"profiles": ["Employees"]},
            "rate": {"concurrency": 16}, "mapping": [{"target": "userName", "source": "username"}],
            "connector": {"kind": "scim", "base_url": self.target.base_url(), "auth": whole}});
        App::from_json(app.to_string().as_bytes()).unwrap()
    }

    /// The app whose tokens are had by the client's own credentials.
    pub fn by_client(&self) -> App {
        self.app(&json!({"grant_type": "client_credentials"}))
    }

    /// The app whose tokens are had by refresh tokens.
    pub fn by_refresh(&self) -> App {
        self.app(&json!({"grant_type": "refresh_token", "refresh_token": {"sealed": "first"}}))
    }

    /// Puts the app with its secrets.
    pub fn put(&self, engine: &Engine, app: App) {
        secret(engine, "client", CLIENT.1);
        secret(engine, "first", &self.server.first_refresh_token());
        engine.put_app(app, None).unwrap();
    }
}

/// Puts a secret of the app.
pub fn secret(engine: &Engine, name: &str, value: &str) {
    engine.set_secret("crm", name, Some(&Secret::new(value)), Some("ann")).unwrap();
}

/// Puts users who are entitled to the app.
pub fn put_users(engine: &Engine, count: usize) {
    for number in 0..count {
        let user = json!({"id": format!("u{number}"), "username": format!("name{number}"), "profile": "Employees"});
        engine.put_user(User::from_json(user.to_string().as_bytes()).unwrap(), None).unwrap();
    }
}

/// The log entries of a kind.
pub fn logged(engine: &Engine, kind: &str) -> Vec<LogEntry> {
    let mut entries = engine.log(&LogFilter { limit: Some(100_000), ..LogFilter::default() }).unwrap();
    entries.retain(|entry| entry.kind == kind);
    entries
}

/// A call with a token, outside of delivery.
pub fn call(engine: &Engine) -> Option<Code> {
    engine.test_app("crm").unwrap().fault.map(|fault| fault.code)
}
