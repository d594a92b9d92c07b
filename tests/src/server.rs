//! Real SCIM servers for tests: `tests/servers` starts them, `tests/servers/install.sh` installs them.

use rollkeeper::model::ScimDefinition;
use rollkeeper::scim::ScimConnector;
use rollkeeper::transport::{Transport, TransportOptions};
use rollkeeper::{Period, Secret};
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
        Self { child, base_url: text("base_url"), token: text("token") }
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
