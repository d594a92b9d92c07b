//! What a hostile target can take from us: memory and time are bounded whatever it sends. Each case runs in a process of its
//! own, whose peak of memory the system counts; times are scaled down by short timeouts.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

use rollkeeper::connector::{Connector, ConnectorError};
use rollkeeper::http::{Http, HttpError, Method, Request, Response};
use rollkeeper::model::ScimDefinition;
use rollkeeper::scim::ScimConnector;
use rollkeeper::transport::{Transport, TransportOptions};
use rollkeeper::{Code, Period};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
/// What a hostile answer may cost beside what the process has anyway.
const ALLOWED: usize = 32 * MIB;

/// The peak of the process's memory, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Does the work in a process of its own, since a peak is the process's, and checks there what it cost.
fn within_bounds(test: &str, work: impl FnOnce()) {
    case_within_bounds(test, "the only one", work);
}

/// The same for one of a test's cases.
fn case_within_bounds(test: &str, case: &str, work: impl FnOnce()) {
    let asked = std::env::var("ROLLKEEPER_TEST_BOUNDS");
    if asked.as_deref() == Ok(case) {
        let (before, began) = (peak(), Instant::now());
        work();
        let (cost, took) = (peak().saturating_sub(before), began.elapsed());
        assert!(cost <= ALLOWED, "{} MiB", cost / MIB);
        assert!(took < Duration::from_secs(60), "{took:?}");
        return;
    }
    if asked.is_ok() {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.env("ROLLKEEPER_TEST_BOUNDS", case).args(["--exact", test]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

/// Serves each connection by `answer`, which gets the stream behind the head of the request.
fn serve(answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while stream.read_line(&mut head).unwrap_or(0) > 0 {
                    if head.ends_with("\r\n\r\n") {
                        if answer(&head, stream.get_mut()).is_err() {
                            return;
                        }
                        head.clear();
                    }
                }
            });
        }
    });
    format!("http://127.0.0.1:{port}")
}

fn whole(stream: &mut TcpStream, body: &[u8], headers: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)
}

fn get(url: String, timeout: Period) -> Request {
    Request { method: Method::Get, url, headers: Vec::new(), authorization: None, body: None, timeout }
}

fn asked(url: String) -> Result<Response, HttpError> {
    Transport::new(TransportOptions::default()).unwrap().send(&get(url, Period::from_seconds(30)))
}

fn connector(base_url: &str, http: Arc<dyn Http>) -> ScimConnector {
    let definition: ScimDefinition = serde_json::from_value(json!({"base_url": base_url})).unwrap();
    ScimConnector::new(&definition, None, http, Period::from_seconds(20)).unwrap()
}

fn ours(base_url: &str) -> ScimConnector {
    connector(base_url, Arc::new(Transport::new(TransportOptions::default()).unwrap()))
}

#[test]
fn a_body_of_ten_gigabytes_is_left_after_eight_mebibytes() {
    within_bounds("a_body_of_ten_gigabytes_is_left_after_eight_mebibytes", || {
        for framing in ["content-length: 10737418240", "transfer-encoding: chunked"] {
            let url = serve(move |_, stream| {
                write!(stream, "HTTP/1.1 200 OK\r\n{framing}\r\n\r\n")?;
                let piece = vec![b'x'; MIB];
                for _ in 0..10 * 1024 {
                    if framing.contains("chunked") {
                        write!(stream, "{MIB:x}\r\n")?;
                    }
                    stream.write_all(&piece)?;
                    if framing.contains("chunked") {
                        stream.write_all(b"\r\n")?;
                    }
                }
                Ok(())
            });
            assert_eq!(asked(url).unwrap_err().code, Code::AnswerTooLarge, "{framing}");
        }
    });
}

#[test]
fn what_was_compressed_beyond_what_accounts_are_is_left_early() {
    within_bounds("what_was_compressed_beyond_what_accounts_are_is_left_early", || {
        // One gibibyte, and two mebibytes, which is less than an answer may have: both are a thousandth of it on the wire.
        for size in [1024 * MIB, 2 * MIB] {
            let url = serve(move |_, stream| {
                let bomb = gzip_of_zeros(size);
                whole(stream, &bomb, "content-encoding: gzip\r\n")
            });
            assert_eq!(asked(url).unwrap_err().code, Code::AnswerTooLarge, "{size}");
        }
        let small = serve(|_, stream| whole(stream, &gzip_of_zeros(MIB / 2), "content-encoding: gzip\r\n"));
        assert_eq!(asked(small).unwrap().body.len(), MIB / 2);
    });
}

/// A gzip file (RFC 1952) of so many zeros, in members of 256 KiB each: a member is the same every time.
fn gzip_of_zeros(size: usize) -> Vec<u8> {
    let member = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/scim/zeros.gz")).unwrap();
    member.repeat(size / (256 * 1024))
}

#[test]
fn headers_without_end_are_left() {
    within_bounds("headers_without_end_are_left", || {
        let url = serve(|_, stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                stream.write_all(b"x-more: and more and more and more\r\n")?;
            }
        });
        let code = asked(url).unwrap_err().code;
        assert!([Code::AnswerTooLarge, Code::InvalidAnswer].contains(&code), "{code}");
    });
}

/// How many pieces of JSON are made at once.
const MANY: usize = 1024;

/// Serves eight mebibytes of JSON: a start, pieces that follow from their number, an end. They are made as they are sent.
fn serve_json(start: &'static str, piece: fn(usize) -> String, end: &'static str) -> String {
    serve(move |_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{start}")?;
        let (mut sent, mut number) = (start.len() + end.len(), 0);
        while sent < 8 * MIB - 64 * 1024 {
            let many = piece(number);
            number += 1;
            stream.write_all(many.as_bytes())?;
            sent += many.len();
        }
        stream.write_all(end.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Both)
    })
}

#[test]
fn json_that_would_fill_the_memory_is_refused() {
    for (case, start, piece, end) in [
        (
            "many accounts",
            r#"{"Resources":["#,
            (|number| (0..MANY).map(|row| format!("{{\"id\":\"{number:040}-{row:040}\"}},")).collect())
                as fn(usize) -> String,
            "{\"id\":\"x\"}]}",
        ),
        ("deep lists", "", |_| "[".repeat(MANY), ""),
        ("deep objects", "", |_| r#"{"a":"#.repeat(MANY), ""),
        ("many lists", r#"{"Resources":["#, |_| "[],".repeat(MANY), "0]}"),
        ("many objects", r#"{"Resources":["#, |_| r#"{"":{}},"#.repeat(MANY), "0]}"),
        ("many numbers", r#"{"Resources":[{"id":"1","a":["#, |_| "0,".repeat(MANY), "0]}]}"),
        (
            "many members",
            r#"{"Resources":[{"id":"1","a":{"#,
            |number| (0..MANY).map(|key| format!("\"{number}k{key}\":1,")).collect(),
            "\"end\":1}}]}",
        ),
        ("a long number", r#"{"Resources":[{"id":"1","a":1"#, |_| "0".repeat(MANY), "}]}"),
    ] {
        case_within_bounds("json_that_would_fill_the_memory_is_refused", case, || {
            let _ = ours(&serve_json(start, piece, end)).find("userName", &json!("ann"));
        });
    }
}

/// The failure and how long it took.
fn timed(url: String, timeout: Period) -> (HttpError, Duration) {
    let (client, began) = (Transport::new(TransportOptions::default()).unwrap(), Instant::now());
    (client.send(&get(url, timeout)).unwrap_err(), began.elapsed())
}

#[test]
fn a_target_that_sends_a_byte_at_a_time_ends_with_the_timeout() {
    for start in ["HTTP/1.1 200 OK\r\nx-slow: ", "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"] {
        let url = serve(move |_, stream| {
            stream.set_nodelay(true)?;
            stream.write_all(start.as_bytes())?;
            // The pause is the target's, whose slowness is what is tried.
            while stream.write_all(b"x").is_ok() {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            Ok(())
        });
        let (error, took) = timed(url, Period::from_micros(400_000));
        assert_eq!(error.code, Code::Timeout, "{start:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

/// Answers each page by its number, the first being 0, and counts.
struct Pages<F>(F, AtomicUsize);

impl<F: Fn(usize) -> Value + Send + Sync> Http for Pages<F> {
    fn send(&self, _: &Request) -> Result<Response, HttpError> {
        let page = self.1.fetch_add(1, Ordering::Relaxed);
        let body = (self.0)(page).to_string().into_bytes();
        Ok(Response { status: 200, headers: Vec::new(), body })
    }
}

/// Follows a listing to its end; how many pages were asked for, and what the end was.
fn listed(most: usize, page: impl Fn(usize) -> Value + Send + Sync + 'static) -> (usize, Result<bool, ConnectorError>) {
    let http = Arc::new(Pages(page, AtomicUsize::new(0)));
    let target = connector("https://crm.example.com/scim", http.clone());
    let mut cursor = None;
    let end = loop {
        match target.list_lines(cursor.as_deref(), None, None) {
            Ok(page) if page.next.is_some() => cursor = page.next,
            Ok(page) => break Ok(page.complete),
            Err(error) => break Err(error),
        }
        assert!(http.1.load(Ordering::Relaxed) <= most, "there is no end");
    };
    (http.1.load(Ordering::Relaxed), end)
}

fn rows(first: usize) -> Vec<Value> {
    (first..first + 100).map(|id| json!({"id": id.to_string(), "userName": format!("user{id}")})).collect()
}

#[test]
fn a_listing_without_end_ends_and_is_not_taken_for_whole() {
    let (pages, end) = listed(10, |_| json!({"totalResults": 1_000_000, "Resources": rows(0)}));
    assert!(pages <= 3 && matches!(end, Ok(false)), "the same page for ever: {pages} {end:?}");
    let (pages, end) = listed(10, |page| json!({"Resources": rows(0), "nextCursor": format!("c{page}")}));
    assert!(pages <= 3 && !matches!(end, Ok(true)), "ever new cursors for one page: {pages} {end:?}");
    let circle = |page: usize| json!({"Resources": rows(page % 7 * 100), "nextCursor": format!("c{}", page % 7)});
    let (pages, end) = listed(20, circle);
    assert!(pages <= 9 && !matches!(end, Ok(true)), "cursors in a circle: {pages} {end:?}");
    let (pages, end) = listed(100, |page| json!({"totalResults": 1000, "Resources": rows(page * 100)}));
    assert!(pages <= 25 && !matches!(end, Ok(true)), "more than there are: {pages} {end:?}");
}

#[test]
fn a_target_whose_number_grows_for_ever_is_left_after_a_hundred_thousand_pages() {
    let growing =
        |page: usize| json!({"totalResults": page + 1000, "Resources": [{"id": page.to_string(), "userName": "a"}]});
    let (pages, end) = listed(100_001, growing);
    assert_eq!(pages, 100_000);
    assert!(matches!(end, Ok(false)), "{end:?}");
}
