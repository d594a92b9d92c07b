//! A deliberately fast SCIM 2.0 server on loopback, so that a client and not the server is what a benchmark measures.
//!
//! One thread per connection, connections kept alive, users in memory. It answers POST, GET, PATCH, PUT and DELETE on
//! `/Users` (also under a prefix such as `/v2`), filters of the form `attribute eq "value"` (by POST on
//! `/Users/.search` too), index paging over created and
//! generated users, and counts what it was asked at `/_stats`. A PATCH is applied to whole attributes; one that reaches
//! inside an attribute is counted and answered, which is all that a benchmark needs.

mod filter;
mod pace;
mod users;

use crate::http::{Connection, Request, Response};
use pace::Bucket;
pub use pace::Pace;
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use users::Users;

const SCHEMA_ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const SCHEMA_SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
const SCHEMA_LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const EMPTY_PAGE: &str =
    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"itemsPerPage":0,"Resources":[]}"#;
const SCHEMA_CONFIGURATION: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// How a stub behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many users it lists that nobody created. They cost no memory.
    pub generated: usize,
    /// Whether a second user with the same `userName` is refused.
    pub unique: bool,
    /// The largest page it gives.
    pub page: usize,
    /// The longest path and query it takes; longer ones are answered with 414.
    pub longest: usize,
    /// Whether it knows filters; otherwise every filter answers every user.
    pub filters: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { generated: 0, unique: true, page: 1000, longest: usize::MAX, filters: true }
    }
}

/// A running stub. It stops when it is dropped; connections that are open then are served until the client closes them.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Stub {
    /// Starts a stub on a free loopback port.
    ///
    /// # Errors
    /// What the operating system says where no port can be had.
    pub fn start(options: Options) -> io::Result<Self> {
        Self::start_with(options, Vec::new())
    }

    /// Starts a stub that lists these pages, each as it is, to a client that asks for pages of `options.page`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(options: Options, pages: Vec<String>) -> io::Result<Self> {
        Self::listen(options, pages, None, None)
    }

    /// Starts a stub that answers 401 to whom `admits` does not let in, by the `Authorization` header.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_guarded(options: Options, admits: Admits) -> io::Result<Self> {
        Self::listen(options, Vec::new(), None, Some(admits))
    }

    /// Starts a stub that takes no more changes than `pace` allows.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_paced(options: Options, pace: Pace) -> io::Result<Self> {
        Self::listen(options, Vec::new(), Some(Bucket::new(pace)), None)
    }

    fn listen(
        options: Options,
        pages: Vec<String>,
        bucket: Option<Bucket>,
        admits: Option<Admits>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            pages,
            bucket,
            admits: admits.map(Guard),
            stopping: AtomicBool::new(false),
            counters: Counters::default(),
            users: Mutex::new(Users::new(options.generated, options.unique)),
        });
        let accepting = Arc::clone(&shared);
        thread::Builder::new().name("stub".to_owned()).spawn(move || accepting.accept(&listener))?;
        Ok(Self { address, shared })
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The base URL for a SCIM client.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far, as `/_stats` shows it.
    #[must_use]
    pub fn stats(&self) -> Value {
        self.shared.stats()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // The accepting thread sleeps in the kernel; a connection wakes it. Where that fails, it is not listening any more.
        drop(TcpStream::connect(self.address));
    }
}

/// Whether a request is let in, by its `Authorization` header.
pub type Admits = Arc<dyn Fn(Option<&str>) -> bool + Send + Sync>;

struct Guard(Admits);

impl std::fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Guard")
    }
}

#[derive(Debug)]
struct Shared {
    options: Options,
    /// Pages as they are given, instead of users.
    pages: Vec<String>,
    bucket: Option<Bucket>,
    admits: Option<Guard>,
    stopping: AtomicBool,
    counters: Counters,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    create: AtomicU64,
    find: AtomicU64,
    list: AtomicU64,
    read: AtomicU64,
    update: AtomicU64,
    delete: AtomicU64,
    other: AtomicU64,
    refused: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            let Ok(stream) = stream else { continue };
            count(&self.counters.connections);
            let serving = Arc::clone(&self);
            // A connection that cannot have a thread is closed, which the client sees.
            drop(thread::Builder::new().stack_size(256 * 1024).spawn(move || serving.serve(stream)));
        }
    }

    /// Answers one connection's requests until the client closes it, sends nonsense or asks for the end.
    fn serve(&self, stream: TcpStream) {
        let Ok(mut connection) = Connection::new(stream) else { return };
        while let Ok(Some(request)) = connection.read() {
            let response = self.answer(&request);
            if connection.write(&response, request.close).is_err() || request.close {
                return;
            }
        }
    }

    fn answer(&self, request: &Request) -> Response {
        if self.admits.as_ref().is_some_and(|guard| !(guard.0)(request.header("authorization"))) {
            count(&self.counters.refused);
            return failure(401, None, "the token is not accepted");
        }
        let changes = request.method != "GET" && !request.path.ends_with("/.search");
        if let Some(Err(seconds)) = self.bucket.as_ref().map(|bucket| bucket.take(changes)) {
            count(&self.counters.refused);
            return failure(429, None, "too many requests").with_header("Retry-After", seconds);
        }
        let path = request.path.trim_end_matches('/');
        let (place, id) = match path.rsplit_once("/Users") {
            Some((_, "")) => ("Users", None),
            Some((_, rest)) => ("Users", rest.strip_prefix('/')),
            None => (path.rsplit('/').next().unwrap_or_default(), None),
        };
        match (request.method.as_str(), place, id) {
            _ if request.length > self.options.longest => failure(414, None, "the URL is too long"),
            ("POST", "Users", None) => self.create(request),
            ("GET", "Users", None) => self.search(&|name| request.parameter(name)),
            ("POST", "Users", Some(".search")) => self.search_by_body(request),
            ("GET", "Users", Some(id)) => self.read(id),
            ("PATCH" | "PUT", "Users", Some(id)) => self.update(request, id),
            ("DELETE", "Users", Some(id)) => self.delete(id),
            ("GET", "_stats", None) => Response::new(200, self.stats()),
            ("GET", "ServiceProviderConfig", None) => {
                count(&self.counters.other);
                Response::new(200, self.configuration())
            }
            _ => {
                count(&self.counters.other);
                failure(404, None, "no such endpoint")
            }
        }
    }

    fn create(&self, request: &Request) -> Response {
        count(&self.counters.create);
        let Ok(Value::Object(user)) = serde_json::from_slice(&request.body) else {
            return failure(400, Some("invalidSyntax"), "the body is no JSON object");
        };
        match self.users().add(user) {
            Ok(text) => Response::text(201, text),
            Err(users::Taken) => failure(409, Some("uniqueness"), "`userName` is taken"),
        }
    }

    fn search_by_body(&self, request: &Request) -> Response {
        let Ok(Value::Object(body)) = serde_json::from_slice(&request.body) else {
            return failure(400, Some("invalidSyntax"), "the body is no JSON object");
        };
        if body.get("schemas") != Some(&json!([SCHEMA_SEARCH])) {
            return failure(400, Some("invalidValue"), "the body is no SearchRequest");
        }
        self.search(&|name| match body.get(name)? {
            Value::String(text) => Some(text.clone()),
            value => Some(value.to_string()),
        })
    }

    fn search(&self, parameter: &dyn Fn(&str) -> Option<String>) -> Response {
        let number = |name: &str| parameter(name).and_then(|text| text.parse::<usize>().ok());
        let start = number("startIndex").unwrap_or(1).max(1);
        let size = number("count").unwrap_or(100).min(self.options.page);
        let filter = parameter("filter");
        if !self.pages.is_empty() && filter.is_none() {
            count(&self.counters.list);
            let page = self.pages.get((start - 1).div_ceil(self.options.page));
            return Response::text(200, page.map_or_else(|| EMPTY_PAGE.to_owned(), Clone::clone));
        }
        count(if filter.is_some() { &self.counters.find } else { &self.counters.list });
        let (total, page) = match filter.filter(|_| self.options.filters) {
            None => {
                let users = self.users();
                (users.len(), users.page(start - 1, size))
            }
            Some(filter) => {
                let Some(equality) = filter::parse(&filter) else {
                    return failure(400, Some("invalidFilter"), "only `attribute eq value` is understood");
                };
                let found = self.users().find(&equality.attribute, &equality.value);
                (found.len(), found.into_iter().skip(start - 1).take(size).collect())
            }
        };
        let head = format!(
            r#"{{"schemas":["{SCHEMA_LIST}"],"totalResults":{total},"startIndex":{start},"itemsPerPage":{},"Resources":["#,
            page.len()
        );
        Response::text(200, format!("{head}{}]}}", page.join(",")))
    }

    fn read(&self, id: &str) -> Response {
        count(&self.counters.read);
        self.users().read(id).map_or_else(missing, |text| Response::text(200, text))
    }

    fn update(&self, request: &Request, id: &str) -> Response {
        count(&self.counters.update);
        let Ok(Value::Object(body)) = serde_json::from_slice(&request.body) else {
            return failure(400, Some("invalidSyntax"), "the body is no JSON object");
        };
        let mut users = self.users();
        let changed = if request.method == "PUT" { users.replace(id, body) } else { users.patch(id, &body) };
        changed.map_or_else(missing, |text| Response::text(200, text))
    }

    fn delete(&self, id: &str) -> Response {
        count(&self.counters.delete);
        if self.users().remove(id) { Response::text(204, String::new()) } else { missing() }
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        // A panic under the lock leaves at worst a user half indexed, and the test that caused it has failed already.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stats(&self) -> Value {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        json!({
            "connections": number(&counters.connections),
            "create": number(&counters.create),
            "find": number(&counters.find),
            "list": number(&counters.list),
            "read": number(&counters.read),
            "update": number(&counters.update),
            "delete": number(&counters.delete),
            "other": number(&counters.other),
            "refused": number(&counters.refused),
            "users": self.users().len(),
        })
    }

    fn configuration(&self) -> Value {
        json!({
            "schemas": [SCHEMA_CONFIGURATION],
            "patch": {"supported": true},
            "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
            "filter": {"supported": true, "maxResults": self.options.page},
            "changePassword": {"supported": false},
            "sort": {"supported": false},
            "etag": {"supported": false},
            "authenticationSchemes": [],
        })
    }
}

fn missing() -> Response {
    failure(404, None, "no such user")
}

fn failure(status: u16, kind: Option<&str>, detail: &str) -> Response {
    let mut body = json!({"schemas": [SCHEMA_ERROR], "status": status.to_string(), "detail": detail});
    if let (Some(kind), Some(object)) = (kind, body.as_object_mut()) {
        object.insert("scimType".to_owned(), kind.into());
    }
    Response::new(status, body)
}
