//! What a request costs on a connection that is kept: neither a look-up of the name nor a thread.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::NextTimeout;

/// Asks the system, and counts how often.
#[derive(Debug)]
struct Counting(Arc<AtomicUsize>);

impl Resolver for Counting {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        DefaultResolver::default().resolve(uri, config, timeout)
    }
}

/// The threads of this process.
fn threads() -> std::collections::BTreeSet<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| Some(task.ok()?.file_name().to_string_lossy().into_owned())).collect()
}

/// A server that tells, in the middle of each request, which threads there are.
fn serve() -> (u16, Receiver<(usize, std::collections::BTreeSet<String>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, seen) = channel();
    std::thread::spawn(move || {
        for (connection, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while stream.read_line(&mut head).unwrap_or(0) > 0 {
                if head.ends_with("\r\n\r\n") {
                    head.clear();
                    sender.send((connection, threads())).unwrap_or_default();
                    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
                }
            }
        }
    });
    (port, seen)
}

/// The tests of this file run in a process of their own: those beside it have threads as well.
#[test]
fn a_request_on_a_kept_connection_costs_no_look_up_and_no_thread() {
    if std::env::var_os("ROLLKEEPER_TEST_ALONE").is_none() {
        let name = "transport::tests::a_request_on_a_kept_connection_costs_no_look_up_and_no_thread";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.env("ROLLKEEPER_TEST_ALONE", "1").args(["--exact", name]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let (port, seen) = serve();
    let count = Arc::new(AtomicUsize::new(0));
    let client = Transport::with_resolver(TransportOptions::default(), Counting(count.clone())).unwrap();
    let ask = |method, timeout| {
        let url = format!("http://localhost:{port}/Users");
        let body = (method == Method::Post).then(|| b"{}".to_vec());
        let request = Request { method, url, headers: Vec::new(), authorization: None, body, timeout };
        assert_eq!(client.send(&request).unwrap().status, 200);
        seen.recv().unwrap()
    };
    // The first request looks the name up and makes the connection.
    let usual = TransportOptions::default().timeout;
    let (connection, before) = ask(Method::Get, usual);
    let looked_up = count.load(Ordering::SeqCst);
    assert!(looked_up >= 1);
    for number in 0..200 {
        // One in two has a timeout of its own.
        let timeout = if number % 2 == 0 { usual } else { Period::from_seconds(7) };
        let (again, during) = ask(if number % 3 == 0 { Method::Post } else { Method::Get }, timeout);
        assert_eq!((again, &during), (connection, &before), "request {number}");
    }
    assert_eq!(count.load(Ordering::SeqCst), looked_up, "names were looked up");
}
