//! Nothing secret is in the file, its log, the engine's log, errors or `Debug`: tokens and sealed attribute values are
//! planted and looked for byte by byte.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::model::{App, LogFilter, RequestFilter, User};
use rollkeeper::{Engine, RunOptions, Secret};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

const TOKEN: &str = "planted-token-7f3a9c";
const VALUE: &str = "planted-value-51d0be";

/// A target that refuses everything and quotes what it was sent, as careless ones do.
fn careless_target() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = vec![0; 65_536];
            let length = stream.read(&mut bytes).unwrap_or(0);
            let seen = String::from_utf8_lossy(bytes.get(..length).unwrap()).replace(['"', '\\', '\r', '\n'], " ");
            let body = format!(r#"{{"schemas": [], "status": "400", "scimType": "invalidValue", "detail": "{seen}"}}"#);
            let head =
                format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    port
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect()
}

fn holds(bytes: &[u8], planted: &str) -> bool {
    bytes.windows(planted.len()).any(|window| window == planted.as_bytes())
}

#[test]
fn tokens_and_values_are_nowhere_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Arc::new(|name: &str| (name == "crm-token").then(|| Secret::new(TOKEN)));
    let said = Arc::new(std::sync::Mutex::new(String::new()));
    let heard = Arc::clone(&said);
    let log = Arc::new(move |entry: &rollkeeper::model::LogEntry| {
        heard.lock().unwrap().push_str(&format!("{entry:?}\n{}\n", serde_json::to_string(entry).unwrap()));
    });
    let engine = Engine::builder().path(folder.path().join("state.db")).secrets(secrets).log(log).open().unwrap();
    let app = format!(
        r#"{{"id": "crm", "connector": {{"kind": "scim", "base_url": "http://127.0.0.1:{}/scim", "auth":
        {{"kind": "bearer", "token": {{"secret": "crm-token"}}}}}}, "assigned_to": {{"profiles": ["Employees"]}},
        "mapping": [{{"target": "userName", "source": "username"}}, {{"target": "title", "source": "title"}},
        {{"target": "displayName", "expression": "user.title.matches('x') ? 'a' : user.missing"}}],
        "create_without_match": true}}"#,
        careless_target()
    );
    let mut shown = String::new();
    engine.put_app(App::from_json(app.as_bytes()).unwrap(), None).unwrap();
    let whole = app.replace("user.missing", "'b'");
    assert_ne!(app, whole);
    for (id, app) in [("u1", app.as_str()), ("u2", whole.as_str())] {
        engine.put_app(App::from_json(app.as_bytes()).unwrap(), None).unwrap();
        let user = format!(r#"{{"id": "{id}", "username": "{VALUE}", "title": "{VALUE}", "profile": "Employees"}}"#);
        let user = User::from_json(user.as_bytes()).unwrap();
        shown.push_str(&format!("{:?}", engine.put_user(user, None).unwrap()));
        engine.run(&RunOptions::default()).unwrap();
        shown.push_str(&format!("{:?}", engine.explain("crm", id).unwrap()));
    }
    for request in engine.requests(&RequestFilter::default()).unwrap() {
        shown.push_str(&format!("{request:?}{:?}", engine.request(request.id.as_str()).unwrap().history));
    }
    shown.push_str(&format!("{:?}", engine.log(&LogFilter::default()).unwrap()));
    shown.push_str(&engine.export_app("crm").unwrap());
    shown.push_str(&format!("{:?}", engine.test_app("crm").unwrap()));
    assert!(shown.contains("rejected"), "the target never answered: {shown}");
    assert!(shown.contains("expression_failed") || shown.contains("ExpressionFailed"), "{shown}");
    shown.push_str(&said.lock().unwrap());
    for planted in [TOKEN, VALUE] {
        assert!(!holds(shown.as_bytes(), planted), "`{planted}` was shown: {shown}");
        for (name, bytes) in files(folder.path()) {
            assert!(!holds(&bytes, planted), "`{planted}` stands in {name}");
        }
    }
    assert!(files(folder.path()).iter().any(|(name, _)| name.ends_with("-wal")), "the log was not looked at");
    drop(engine);
    assert!(files(folder.path()).iter().all(|(_, bytes)| !holds(bytes, TOKEN) && !holds(bytes, VALUE)));
}

#[test]
fn a_secret_shows_nothing_of_itself() {
    assert_eq!(format!("{:?}", Some(Secret::new(TOKEN))), "Some([redacted])");
}
