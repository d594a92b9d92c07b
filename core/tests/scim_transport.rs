//! The HTTP client against sockets: what goes over the wire, what is refused, and what a failure says about the request.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::http::{Http, HttpError, Method, Request};
use rollkeeper::transport::{AddressPolicy, Transport, TransportOptions};
use rollkeeper::{Code, Period, Secret};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

/// What the server does with one request.
#[derive(Clone)]
enum Reply {
    /// Answers and keeps the connection.
    Bytes(Vec<u8>),
    /// Closes the connection without a word.
    Close,
    /// Answers in part and waits for the client to give up.
    Stall(&'static str),
}

/// One request as it came over the wire, and the number of the connection on which it came.
struct Seen {
    connection: usize,
    head: String,
    body: Vec<u8>,
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Reply {
    let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Reply::Bytes(bytes)
}

/// Plays the replies, one a request, over as many connections as are opened.
fn serve(replies: Vec<Reply>) -> (u16, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut replies = replies.into_iter().peekable();
        for (connection, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            while replies.peek().is_some() {
                let Some((head, body)) = read_request(&mut stream) else { break };
                if sender.send(Seen { connection, head, body }).is_err() {
                    return;
                }
                match replies.next() {
                    Some(Reply::Bytes(bytes)) => stream.get_mut().write_all(&bytes).unwrap_or_default(),
                    Some(Reply::Stall(part)) => {
                        stream.get_mut().write_all(part.as_bytes()).unwrap_or_default();
                        let _ = stream.read(&mut [0]);
                        break;
                    }
                    Some(Reply::Close) | None => break,
                }
            }
            if replies.peek().is_none() {
                return;
            }
        }
    });
    (port, receiver)
}

fn read_request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn client() -> Transport {
    Transport::new(TransportOptions { largest_answer: 64 * 1024, ..TransportOptions::default() }).unwrap()
}

fn request(method: Method, url: String) -> Request {
    let body = (method != Method::Get && method != Method::Delete).then(|| b"{}".to_vec());
    Request {
        method,
        url,
        headers: vec![("content-type", "application/scim+json".to_owned())],
        authorization: Some(Secret::new("Bearer canary")),
        body,
        timeout: Period::from_seconds(30),
    }
}

fn local(method: Method, port: u16) -> Request {
    request(method, format!("http://127.0.0.1:{port}/Users?filter=canary"))
}

fn failure(request: &Request) -> HttpError {
    client().send(request).unwrap_err()
}

#[test]
fn the_answer_comes_straight_from_the_target() {
    let (port, seen) = serve(vec![answer("201 Created", "Location: /Users/1\r\n", b"{\"id\":1}")]);
    let response = client().send(&local(Method::Post, port)).unwrap();
    assert_eq!((response.status, response.body.as_slice()), (201, b"{\"id\":1}".as_slice()));
    assert_eq!(response.header("location"), Some("/Users/1"));
    let seen = seen.recv().unwrap();
    let head = seen.head.to_lowercase();
    assert!(head.starts_with("post /users?filter=canary http/1.1\r\n"));
    assert_eq!(head.matches("content-type: application/scim+json\r\n").count(), 1);
    assert_eq!(head.matches("content-type").count(), 1);
    assert!(head.contains(&format!("user-agent: rollkeeper/{}\r\n", env!("CARGO_PKG_VERSION"))));
    assert!(head.contains("authorization: bearer canary\r\n"));
    assert_eq!(seen.body, b"{}");
}

#[test]
fn a_proxy_of_the_environment_is_ignored() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, &address);
    }
    child.env_remove("no_proxy").env_remove("NO_PROXY");
    let output = child.args(["--exact", "scim_transport::the_answer_comes_straight_from_the_target"]).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    proxy.set_nonblocking(true).unwrap();
    assert!(proxy.accept().is_err());
}

#[test]
fn requests_share_a_connection() {
    let (port, seen) = serve(vec![answer("200 OK", "", b"{}"); 3]);
    let client = client();
    for method in [Method::Get, Method::Patch, Method::Delete] {
        assert_eq!(client.send(&local(method, port)).unwrap().status, 200);
    }
    assert_eq!(seen.iter().take(3).map(|seen| seen.connection).collect::<Vec<_>>(), [0, 0, 0]);
}

#[test]
fn no_redirect_is_followed() {
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for method in [Method::Get, Method::Post, Method::Delete] {
            let inside = TcpListener::bind("127.0.0.1:0").unwrap();
            let location = format!("Location: http://{}/\r\n", inside.local_addr().unwrap());
            let (port, _seen) = serve(vec![answer(status, &location, b"")]);
            let error = failure(&local(method, port));
            assert_eq!((error.code, error.sent), (Code::Redirected, true), "{status}");
            inside.set_nonblocking(true).unwrap();
            assert!(inside.accept().is_err(), "{status}");
        }
    }
}

#[test]
fn a_redirect_that_stays_where_it_was_sent_is_followed_and_ends() {
    let moved = answer("307 Temporary Redirect", "Location: /v3/Users\r\n", b"");
    let (port, seen) = serve(vec![moved.clone(), answer("201 Created", "", b"{}")]);
    let request = Request { body: Some(b"{\"a\":1}".to_vec()), ..local(Method::Post, port) };
    assert_eq!(client().send(&request).unwrap().status, 201);
    let seen: Vec<_> =
        seen.iter().take(2).map(|seen| (seen.head.lines().next().unwrap().to_owned(), seen.body)).collect();
    assert_eq!(seen[1], ("POST /v3/Users HTTP/1.1".to_owned(), b"{\"a\":1}".to_vec()));
    let (port, seen) = serve(vec![moved; 9]);
    assert_eq!(failure(&local(Method::Get, port)).code, Code::Redirected);
    assert_eq!(seen.try_iter().count(), 4);
}

#[test]
fn a_large_answer_is_cut_off_also_where_it_is_compressed() {
    let (port, _seen) = serve(vec![answer("200 OK", "", &vec![b'x'; 65 * 1024])]);
    assert_eq!(failure(&local(Method::Get, port)).code, Code::AnswerTooLarge);
    let bomb = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/scim/bomb.gz")).unwrap();
    assert!(bomb.len() < 8 * 1024);
    let (port, _seen) = serve(vec![answer("200 OK", "Content-Encoding: gzip\r\n", &bomb)]);
    assert_eq!(failure(&local(Method::Get, port)).code, Code::AnswerTooLarge);
}

#[test]
fn an_answer_that_stalls_ends_with_the_timeout_of_the_request() {
    for part in ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"] {
        let (port, _seen) = serve(vec![Reply::Stall(part)]);
        let request = Request { timeout: Period::from_micros(150_000), ..local(Method::Post, port) };
        let error = failure(&request);
        assert_eq!((error.code, error.sent), (Code::Timeout, true), "{part:?}");
    }
}

#[test]
fn a_broken_connection_repeats_a_read_and_no_write() {
    let (port, seen) = serve(vec![Reply::Close, answer("200 OK", "", b"{}")]);
    assert_eq!(client().send(&local(Method::Get, port)).unwrap().status, 200);
    assert_eq!(seen.iter().count(), 2);
    for method in [Method::Post, Method::Put, Method::Patch, Method::Delete] {
        let (port, seen) = serve(vec![Reply::Close, answer("200 OK", "", b"{}")]);
        let error = failure(&local(method, port));
        assert_eq!((error.code, error.sent), (Code::Unreachable, true));
        assert_eq!(seen.try_iter().count(), 1);
    }
}

#[test]
fn an_answer_cut_short_is_no_answer() {
    for part in ["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\": \"1\"}", "gibberish\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            read_request(&mut stream);
            stream.get_mut().write_all(part.as_bytes()).unwrap();
        });
        let error = failure(&local(Method::Post, port));
        assert!(error.sent, "{part:?}");
        assert!([Code::Unreachable, Code::InvalidAnswer].contains(&error.code), "{part:?} {error:?}");
    }
}

#[test]
fn what_fails_before_the_first_byte_is_known_not_to_have_been_sent() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = failure(&local(Method::Post, port));
    assert_eq!((error.code, error.sent), (Code::Unreachable, false));
    let error = failure(&request(Method::Post, "https://no-such-host.invalid/".to_owned()));
    assert_eq!((error.code, error.sent), (Code::Unreachable, false));
}

#[test]
fn a_server_without_tls_is_not_spoken_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = [0; 3];
        stream.read_exact(&mut first).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        rest
    });
    let error = failure(&request(Method::Post, format!("https://127.0.0.1:{port}/")));
    assert_eq!((error.code, error.sent), (Code::TlsFailed, false));
    assert!(!String::from_utf8_lossy(&server.join().unwrap()).contains("canary"));
}

#[test]
fn addresses_inside_are_refused_in_every_disguise() {
    for url in [
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1]/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://[fd00::1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://017700000001/",
        "https://127.1/",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://224.0.0.1/",
        "http://2130706433/",
        "http://93.184.216.34/",
    ] {
        let error = failure(&request(Method::Get, url.to_owned()));
        assert_eq!((error.code, error.sent), (Code::BlockedAddress, false), "{url}");
    }
}

#[test]
fn the_policy_opens_private_networks_and_never_the_metadata_service() {
    let (closed, open) = (AddressPolicy { allow_private: false }, AddressPolicy { allow_private: true });
    let of = |text: &str| text.parse().unwrap();
    for address in
        ["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1", "2002:0a00:0001::"]
    {
        assert!(!closed.allows("host.example", of(address)), "{address}");
        assert!(open.allows("host.example", of(address)), "{address}");
    }
    for address in [
        "169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "0.0.0.0",
        "255.255.255.255",
        "ff02::1",
    ] {
        assert!(!open.allows("localhost", of(address)), "{address}");
    }
    for address in ["93.184.216.34", "172.32.0.1", "2606:2800:220:1::1", "::ffff:93.184.216.34"] {
        assert!(closed.allows("host.example", of(address)), "{address}");
    }
    assert!(closed.allows("localhost", of("127.0.0.1")));
    assert!(closed.allows("[::1]", of("::1")));
    assert!(!closed.allows("localhost.example", of("127.0.0.1")));
}

#[test]
fn neither_secrets_nor_values_show_in_debug_text_or_errors() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let request = local(Method::Post, port);
    let error = failure(&request);
    assert!(!format!("{request:?} {error:?} {error} {:?}", client()).contains("canary"));
}

#[test]
fn a_header_that_would_break_the_request_is_not_sent() {
    let (port, seen) = serve(vec![answer("200 OK", "", b"{}")]);
    let request = Request { authorization: Some(Secret::new("Bearer a\r\nx: y")), ..local(Method::Get, port) };
    assert!(!failure(&request).sent);
    assert_eq!(seen.try_iter().count(), 0);
}
