//! A proxy on loopback before a SCIM server: it counts what is asked, and makes of an exchange what networks and servers make of
//! them. Faults are a plan, used up in its order, or come again and again.

use crate::http::{Connection, Request, Response};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What becomes of an exchange.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The server never sees it; this is the answer. `Retry-After` comes with it where it is given, a page instead of a document
    /// where `html` is set.
    Status {
        /// The status.
        code: u16,
        /// The value of `Retry-After`.
        retry_after: Option<&'static str>,
        /// Whether the body is a page for people.
        html: bool,
    },
    /// The server never sees it, and the connection ends.
    KillBefore,
    /// The server did it, and the connection ends before the answer.
    KillAfter,
    /// Half of the body comes, of an honest length, and the connection ends.
    Cut,
    /// The first half of the body comes as though it were the whole.
    Truncate,
    /// What comes is no JSON.
    BadJson,
    /// The body is empty.
    Empty,
    /// The answer says that it is something else.
    ContentType(&'static str),
    /// These members are missing in every object of the answer.
    DropKeys(&'static [&'static str]),
    /// Ids are numbers.
    NumberIds,
    /// A list begins anew, whatever was asked.
    RepeatPage,
    /// The answer leads elsewhere.
    Redirect {
        /// The status.
        code: u16,
        /// Where it leads.
        location: &'static str,
    },
}

/// A fault for the next exchange whose method and path it fits.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The method, or any where it is empty.
    pub method: &'static str,
    /// What stands in the path and the query.
    pub part: &'static str,
    /// What happens.
    pub fault: Fault,
}

/// A running proxy. It stops when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    path: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    origin: String,
    agent: ureq::Agent,
    stopping: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plan: VecDeque<Rule>,
    disturbance: Option<(usize, Vec<Fault>)>,
    /// How many exchanges there were.
    count: usize,
    asked: Vec<String>,
}

impl FaultProxy {
    /// Starts a proxy on a free loopback port before the server at `base_url`.
    ///
    /// # Errors
    /// What the operating system says where no port can be had, or where the URL is none.
    pub fn start(base_url: &str) -> io::Result<Self> {
        let rest = base_url.strip_prefix("http://").ok_or(io::ErrorKind::InvalidInput)?;
        let (host, path) = rest.split_once('/').ok_or(io::ErrorKind::InvalidInput)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let configuration = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
        let shared = Arc::new(Shared {
            origin: format!("http://{host}"),
            agent: configuration.build().into(),
            stopping: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::Builder::new().name("fault-proxy".to_owned()).spawn(move || accepting.accept(&listener))?;
        Ok(Self { address, path: path.to_owned(), shared })
    }

    /// The base URL for a SCIM client.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/{}", self.address, self.path)
    }

    /// What is to happen from now on, in the place of what is left of the plan before.
    pub fn plan(&self, rules: impl IntoIterator<Item = Rule>) {
        self.shared.state().plan = rules.into_iter().collect();
    }

    /// From now on every so many-th exchange goes wrong, by these faults in turn; `0` ends it.
    pub fn disturb(&self, every: usize, faults: &[Fault]) {
        self.shared.state().disturbance = (every > 0 && !faults.is_empty()).then(|| (every, faults.to_vec()));
    }

    /// How many rules were not met.
    #[must_use]
    pub fn left(&self) -> usize {
        self.shared.state().plan.len()
    }

    /// What was asked since the last call of this, a request a line, with what happened to it.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().asked)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // The accepting thread sleeps in the kernel; a connection wakes it. Where that fails, it is not listening any more.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            let shared = Arc::clone(self);
            // A client that is gone is no fault of the proxy.
            let serve = move || drop(stream.and_then(|stream| shared.serve(stream)));
            drop(thread::Builder::new().name("fault-proxy".to_owned()).spawn(serve));
        }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::new(stream)?;
        while let Some(request) = connection.read()? {
            let fault = self.next(&request);
            let Some(response) = self.answer(&request, fault)? else { return Ok(()) };
            let close = request.close || response.is_cut;
            connection.write(&response, close)?;
            if close {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Notes a request, and takes the fault that is meant for it.
    fn next(&self, request: &Request) -> Option<Fault> {
        let line = format!("{} {}", request.method, target(request));
        let mut state = self.state();
        let fits = |rule: &Rule| (rule.method.is_empty() || rule.method == request.method) && line.contains(rule.part);
        let place = state.plan.iter().position(fits);
        let planned = place.and_then(|place| state.plan.remove(place)).map(|rule| rule.fault);
        state.count += 1;
        let count = state.count;
        let disturbed = |(every, faults): &(usize, Vec<Fault>)| {
            count
                .is_multiple_of(*every)
                .then(|| faults.iter().cycle().nth(count / every % faults.len()).cloned())
                .flatten()
        };
        let fault = planned.or_else(|| state.disturbance.as_ref().and_then(disturbed));
        let told = fault.as_ref().map_or_else(String::new, |fault| format!(" {fault:?}"));
        state.asked.push(format!("{line}{told}"));
        fault
    }

    /// The answer to a request; none where the connection ends instead.
    fn answer(&self, request: &Request, fault: Option<Fault>) -> io::Result<Option<Response>> {
        match &fault {
            Some(Fault::KillBefore) => return Ok(None),
            Some(Fault::Status { code, retry_after, html }) => {
                return Ok(Some(refusal(*code, *retry_after, *html)));
            }
            Some(Fault::Redirect { code, location }) => {
                return Ok(Some(Response::text(*code, String::new()).with_header("Location", location)));
            }
            _ => {}
        }
        let repeats = fault == Some(Fault::RepeatPage);
        let mut response = self.forward(request, repeats)?;
        match fault {
            Some(Fault::KillAfter) => return Ok(None),
            Some(Fault::Cut) => response.is_cut = true,
            Some(Fault::Truncate) => {
                let half = response.body.len() / 2;
                let half = (0..=half).rev().find(|at| response.body.is_char_boundary(*at)).unwrap_or_default();
                response.body.truncate(half);
            }
            Some(Fault::BadJson) => response.body = r#"{"schemas": [}"#.to_owned(),
            Some(Fault::Empty) => response.body = String::new(),
            Some(Fault::ContentType(name)) => response.content_type = Cow::Borrowed(name),
            Some(Fault::DropKeys(keys)) => change(&mut response, &|object| {
                keys.iter().for_each(|key| drop(object.remove(*key)));
            }),
            Some(Fault::NumberIds) => change(&mut response, &|object| {
                let number = object.get("id").and_then(Value::as_str).map(|id| {
                    id.bytes()
                        .fold(7, |sum: u64, byte| (sum.wrapping_mul(31).wrapping_add(byte.into())) % 1_000_000_007)
                });
                if let Some(number) = number {
                    object.insert("id".to_owned(), json!(number));
                }
            }),
            _ => {}
        }
        Ok(Some(response))
    }

    /// Asks the server the same.
    fn forward(&self, request: &Request, repeats: bool) -> io::Result<Response> {
        let mut path = target(request);
        if let Some((before, _)) = path.split_once("startIndex=").filter(|_| repeats) {
            let rest = request.parameter("count").map(|count| format!("&count={count}"));
            path = format!("{before}startIndex=1{}", rest.unwrap_or_default());
        }
        let mut asked =
            ureq::http::Request::builder().method(request.method.as_str()).uri(format!("{}{path}", self.origin));
        for name in ["authorization", "accept", "content-type", "if-match", "if-none-match", "user-agent"] {
            if let Some(value) = request.header(name) {
                asked = asked.header(name, value);
            }
        }
        let other = |error: &dyn std::error::Error| io::Error::other(error.to_string());
        let asked = asked.body(request.body.clone()).map_err(|error| other(&error))?;
        let mut answer = self.agent.run(asked).map_err(|error| other(&error))?;
        let body =
            answer.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().map_err(|error| other(&error))?;
        let mut response = Response::text(answer.status().as_u16(), body);
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if let Some(name) = header("content-type") {
            response.content_type = Cow::Owned(name);
        }
        for name in ["etag", "location", "retry-after", "www-authenticate"] {
            if let Some(value) = header(name) {
                response = response.with_header(name, value);
            }
        }
        Ok(response)
    }
}

/// The path and the query of a request.
fn target(request: &Request) -> String {
    let separator = if request.query.is_empty() { "" } else { "?" };
    format!("{}{separator}{}", request.path, request.query)
}

fn refusal(code: u16, retry_after: Option<&str>, html: bool) -> Response {
    let document = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": code.to_string(),
        "detail": "by the fault proxy"});
    let mut response = Response::new(code, document);
    if html {
        response.body = "<html><h1>Service Unavailable</h1></html>".to_owned();
        response.content_type = Cow::Borrowed("text/html");
    }
    match retry_after {
        Some(value) => response.with_header("Retry-After", value),
        None => response,
    }
}

/// Changes every object of an answer in JSON.
fn change(response: &mut Response, with: &dyn Fn(&mut serde_json::Map<String, Value>)) {
    fn walk(value: &mut Value, with: &dyn Fn(&mut serde_json::Map<String, Value>)) {
        match value {
            Value::Object(object) => {
                with(object);
                object.values_mut().for_each(|value| walk(value, with));
            }
            Value::Array(values) => values.iter_mut().for_each(|value| walk(value, with)),
            _ => {}
        }
    }
    if let Ok(mut document) = serde_json::from_str::<Value>(&response.body) {
        walk(&mut document, with);
        response.body = document.to_string();
    }
}
