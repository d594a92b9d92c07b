//! The stub is asked over plain sockets, so that no HTTP client's leniency hides a mistake of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rollkeeper_tests::stub::{Options, Stub};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// One connection, kept alive.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn of(stub: &Stub) -> Self {
        Self { stream: BufReader::new(TcpStream::connect(("127.0.0.1", stub.port())).unwrap()) }
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: stub\r\nContent-Length: {}\r\n\r\n", body.len());
        self.stream.get_mut().write_all((head + &body).as_bytes()).unwrap();
        self.answer()
    }

    fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    fn answer(&mut self) -> (u16, Value) {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(number) = line.strip_prefix("Content-Length: ") {
                length = number.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

fn user(name: &str) -> Value {
    json!({"userName": name, "externalId": format!("x-{name}"), "active": true, "title": "Nurse"})
}

#[test]
fn a_user_is_created_read_found_changed_and_removed() {
    let stub = Stub::start(Options::default()).unwrap();
    let mut client = Client::of(&stub);
    let (status, created) = client.call("POST", "/v2/Users", &user("Zoë"));
    assert_eq!(status, 201);
    let path = format!("/v2/Users/{}", created["id"].as_str().unwrap());
    assert_eq!(client.get(&path), created);

    for filter in ["userName%20eq%20%22zO%C3%AB%22", "externalId+eq+%22x-Zo%C3%AB%22", "title+eq+%22Nurse%22"] {
        let found = client.get(&format!("/v2/Users?filter={filter}"));
        assert_eq!(found["totalResults"], 1, "{filter}");
        assert_eq!(found["Resources"][0], created, "{filter}");
    }
    assert_eq!(client.get("/v2/Users?filter=userName%20eq%20%22zoe%22")["totalResults"], 0);

    let patch =
        json!({"Operations": [{"op": "replace", "path": "active", "value": false}, {"op": "remove", "path": "title"}]});
    assert_eq!(client.call("PATCH", &path, &patch).0, 200);
    let after = client.get(&path);
    assert_eq!((&after["active"], &after["title"]), (&json!(false), &Value::Null));
    assert_eq!(client.call("PATCH", &path, &json!({"Operations": [{"op": "Add", "value": {"active": true}}]})).0, 200);
    assert_eq!(client.get(&path)["active"], true);

    assert_eq!(client.call("PUT", &path, &user("zoe")).0, 200);
    assert_eq!(client.get("/v2/Users?filter=userName%20eq%20%22zoe%22")["totalResults"], 1);
    assert_eq!(client.get("/v2/Users?filter=userName%20eq%20%22zo%C3%AB%22")["totalResults"], 0);

    assert_eq!(client.call("DELETE", &path, &Value::Null).0, 204);
    assert_eq!(client.call("GET", &path, &Value::Null).0, 404);
    assert_eq!(client.get("/v2/Users")["totalResults"], 0);
}

#[test]
fn a_second_user_of_the_same_name_is_refused_only_where_names_are_unique() {
    for (unique, expected) in [(true, 409), (false, 201)] {
        let stub = Stub::start(Options { unique, ..Options::default() }).unwrap();
        let mut client = Client::of(&stub);
        assert_eq!(client.call("POST", "/Users", &user("ana")).0, 201);
        assert_eq!(client.call("POST", "/Users", &user("ANA")).0, expected);
    }
}

#[test]
fn pages_hold_every_user_exactly_once_generated_ones_first() {
    let stub = Stub::start(Options { generated: 7, ..Options::default() }).unwrap();
    let mut client = Client::of(&stub);
    for number in 0..4 {
        client.call("POST", "/Users", &user(&format!("n{number}")));
    }
    let (mut ids, mut start) = (Vec::new(), 1);
    loop {
        let page = client.get(&format!("/Users?startIndex={start}&count=3"));
        assert_eq!(page["totalResults"], 11);
        let users = page["Resources"].as_array().unwrap();
        if users.is_empty() {
            break;
        }
        start += users.len();
        ids.extend(users.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(ids.join(" "), "g0 g1 g2 g3 g4 g5 g6 u0 u1 u2 u3");
    assert_eq!(client.get("/Users/g6")["userName"], "user6@example.com");
    assert_eq!(client.call("GET", "/Users/g7", &Value::Null).0, 404);
}

#[test]
fn requests_sent_in_one_piece_are_answered_one_by_one_and_counted() {
    let stub = Stub::start(Options::default()).unwrap();
    let mut client = Client::of(&stub);
    let request = "GET /Users?count=1 HTTP/1.1\r\nHost: stub\r\n\r\n";
    client.stream.get_mut().write_all(request.repeat(3).as_bytes()).unwrap();
    for _ in 0..3 {
        assert_eq!(client.answer().0, 200);
    }
    let stats = client.get("/_stats");
    assert_eq!((&stats["list"], &stats["create"], &stats["connections"]), (&json!(3), &json!(0), &json!(1)));
    assert_eq!(stub.stats(), stats);
}

#[test]
fn nonsense_ends_the_connection_and_nothing_else() {
    let stub = Stub::start(Options::default()).unwrap();
    let mut broken = TcpStream::connect(("127.0.0.1", stub.port())).unwrap();
    broken.write_all(b"POST /Users HTTP/1.1\r\nContent-Length: many\r\n\r\n").unwrap();
    assert_eq!(broken.read(&mut [0; 16]).unwrap_or(0), 0);
    assert_eq!(Client::of(&stub).call("POST", "/Users", &json!(["no user"])).0, 400);
}

#[test]
fn a_dropped_stub_accepts_no_more_connections() {
    let stub = Stub::start(Options::default()).unwrap();
    let port = stub.port();
    drop(stub);
    // The accepting thread ends a moment after the drop has woken it: what is accepted until then is closed unanswered.
    while let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        drop(stream.write_all(b"GET /Users HTTP/1.1\r\n\r\n"));
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
    }
}
