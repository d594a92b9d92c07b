//! Real SCIM servers for tests: `tests/servers` starts them, `tests/servers/install.sh` installs them.

use rollkeeper::model::ScimDefinition;
use rollkeeper::scim::ScimConnector;
use rollkeeper::transport::{Transport, TransportOptions};
use rollkeeper::{Period, Secret, SecretsCallback};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A running server; it ends when its standard input is closed, that is when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it is.
    pub base_url: String,
    /// The bearer token it asks for.
    pub token: String,
    /// Which of `tests/servers/scim_server.py` it is.
    command: String,
    /// Where tokens are given, to whom, and for which secret, where it has an authorization server of its own.
    oauth: Option<[String; 3]>,
}

impl Server {
    /// Starts a server of the kind that the arguments of `tests/servers/scim_server.py` say.
    ///
    /// # Panics
    /// Where the server does not start.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub fn start(arguments: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let python = root.join(".build/servers/bin/python");
        assert!(python.exists(), "run tests/servers/install.sh first");
        let mut child = Command::new(python)
            .arg(root.join("tests/servers/scim_server.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("it can be read");
        let told: Value = serde_json::from_str(&line).expect("the server says where it is");
        let text = |key: &str| told.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let oauth = told.get("token_url").map(|_| ["token_url", "client", "secret"].map(text));
        let command = match arguments {
            ["--command", command, ..] => (*command).to_owned(),
            _ => "gunicorn".to_owned(),
        };
        Self { child, base_url: text("base_url"), token: text("token"), command, oauth }
    }

    /// What an app's `connector.auth` is for it.
    #[must_use]
    pub fn auth(&self) -> Value {
        match &self.oauth {
            None => json!({"kind": "bearer", "token": {"secret": "token"}}),
            Some([token_url, client, _]) => json!({"kind": "oauth2", "token_endpoint": token_url,
                "grant_type": "client_credentials", "client_id": client, "client_secret": {"secret": "secret"},
                "scopes": ["openid", "profile"]}),
        }
    }

    /// The secrets that [`Server::auth`] names.
    #[must_use]
    pub fn secrets(&self) -> SecretsCallback {
        let secret = self.oauth.as_ref().map_or(&self.token, |[_, _, secret]| secret).clone();
        Arc::new(move |_: &str| Some(Secret::new(secret.clone())))
    }

    /// Asks it past the engine and its connector: the status and the document that comes back.
    ///
    /// # Panics
    /// Where there is no answer, or none in JSON.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/scim+json");
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.run(request.body(body).expect("it is a request")).expect("the server answers");
        let text = answer.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().expect("it can be read");
        let status = answer.status().as_u16();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("it is JSON") })
    }

    /// All of its `Users` or `Groups`, read past the engine and its connector.
    ///
    /// # Panics
    /// Where a page is no list.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub fn read(&self, kind: &str) -> Vec<Value> {
        let query = match (self.command.as_str(), kind) {
            // It fails where `count` is given, and gives everything where it is not.
            ("canaille", _) => "",
            // It shows members to those who ask for them.
            ("keycloak", "Groups") => "&count=100&attributes=members",
            _ => "&count=100",
        };
        let mut found = Vec::new();
        loop {
            let (status, page) =
                self.ask("GET", &format!("/{kind}?startIndex={}{query}", found.len() + 1), &Value::Null);
            assert_eq!(status, 200, "{kind}: {page}");
            let rows = page.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default();
            let total = page.get("totalResults").and_then(Value::as_u64).expect("a list says how many there are");
            let is_last = rows.is_empty();
            found.extend(rows);
            if is_last || found.len() as u64 >= total {
                return found;
            }
        }
    }

    /// A connector to it.
    #[must_use]
    pub fn connector(&self) -> ScimConnector {
        connector(&self.base_url, &self.token)
    }

    /// The same to a target with these `features`.
    ///
    /// # Panics
    /// Where they are none.
    #[must_use]
    pub fn connector_with(&self, features: &Value) -> ScimConnector {
        connector_with(&self.base_url, &self.token, features)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A connector to a SCIM target on loopback.
///
/// # Panics
/// Where the base URL is none.
#[must_use]
pub fn connector(base_url: &str, token: &str) -> ScimConnector {
    connector_with(base_url, token, &json!({}))
}

#[expect(clippy::expect_used, reason = "the caller's mistake")]
fn connector_with(base_url: &str, token: &str, features: &Value) -> ScimConnector {
    let definition = json!({"base_url": base_url, "features": features});
    let definition: ScimDefinition = serde_json::from_value(definition).expect("it has the shape of a definition");
    let timeout = Period::from_seconds(30);
    let transport = Transport::new(TransportOptions { timeout, ..TransportOptions::default() }).expect("it is sound");
    ScimConnector::new(&definition, Some(Secret::new(token.to_owned())), Arc::new(transport), timeout)
        .expect("the base URL is sound")
}
