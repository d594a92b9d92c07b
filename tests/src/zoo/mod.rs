//! A zoo of SCIM servers: one small server over a real directory in memory, bent by a personality, so that it misbehaves as
//! servers out there do. Whatever it shows, what it has can be asked for past it, and every request is checked against the
//! standard.

mod directory;
mod group_tale;
mod groups;
mod lists;
mod patch;
mod personality;
mod selection;
mod serve;
mod shape;
mod strict;
mod tale;

pub use directory::Record;
pub use group_tale::{ByHand, tell_groups};
pub use groups::{Group, Groups};
pub use personality::{Bends, Dates, Deletes, End, Etag, Filtering, Pages, Personality};
pub use selection::Selecting;
pub use tale::{Outcome, tell};

use crate::http::{Connection, Request, Response};
use directory::Directory;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Tells the time in microseconds.
pub type Now = Box<dyn Fn() -> i64 + Send + Sync>;

/// A running server. It stops when it is dropped.
#[derive(Debug)]
pub struct Zoo {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Zoo {
    /// Starts a server with this personality on a free loopback port.
    ///
    /// # Errors
    /// What the operating system says where no port can be had.
    pub fn start(bends: Bends, now: Now) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            base: format!("http://{address}/scim/v2"),
            bends,
            now,
            stopping: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::Builder::new().name("zoo".to_owned()).spawn(move || accepting.accept(&listener))?;
        Ok(Self { address, shared })
    }

    /// The base URL for a SCIM client.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.shared.base
    }

    /// Makes an account by hand, as its administrator would.
    pub fn add(&self, record: Record) {
        let store = personality::Store { requires: Vec::new(), ..self.shared.bends.store.clone() };
        // A name that is taken is a mistake of the story, which its end shows.
        let mut state = self.shared.state();
        if let Ok(made) = state.directory.make(record, &store, i64::MIN) {
            let now = (self.shared.now)();
            let known = state.directory.accounts.iter_mut().filter(|one| one.id == made.id);
            known.for_each(|one| (one.made, one.changed) = (now, now));
        }
    }

    /// Changes an account by hand.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Record)) {
        let mut state = self.shared.state();
        let accounts = &mut state.directory.accounts;
        let found = accounts.iter_mut().find(|one| directory::user_name(&one.record).eq_ignore_ascii_case(name));
        if let Some(found) = found {
            change(&mut found.record);
            found.changed = (self.shared.now)();
        }
    }

    /// Deletes an account by hand.
    pub fn delete(&self, name: &str) {
        let mut state = self.shared.state();
        state.directory.accounts.retain(|one| !directory::user_name(&one.record).eq_ignore_ascii_case(name));
    }

    /// What it really has.
    #[must_use]
    pub fn accounts(&self) -> Vec<Record> {
        self.shared.state().directory.accounts.iter().map(|one| one.record.clone()).collect()
    }

    /// Adds a group by hand.
    pub fn put_group(&self, group: Group) {
        self.shared.state().groups.push(group);
    }

    /// Changes the groups by hand.
    pub fn change_groups(&self, change: impl FnOnce(&mut Vec<Group>)) {
        change(&mut self.shared.state().groups);
    }

    /// The groups that it really has.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        self.shared.state().groups.clone()
    }

    /// How often it was asked, by method.
    #[must_use]
    pub fn asked(&self) -> BTreeMap<String, u64> {
        self.shared.state().asked.clone()
    }

    /// How many bytes its answers had.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shared.state().bytes
    }

    /// The requests, one a line, with their answers' statuses.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }

    /// What was not as the standard has it in what was sent.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.shared.state().complaints.clone()
    }

    /// The bodies that were sent, by method.
    #[must_use]
    pub fn payloads(&self) -> Vec<(String, Value)> {
        self.shared.state().payloads.clone()
    }
}

impl Drop for Zoo {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // The accepting thread sleeps in the kernel; a connection wakes it. Where that fails, it is not listening any more.
        drop(TcpStream::connect(self.address));
    }
}

struct Shared {
    base: String,
    bends: Bends,
    now: Now,
    stopping: AtomicBool,
    state: Mutex<State>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.base)
    }
}

#[derive(Debug, Default)]
struct State {
    directory: Directory,
    groups: Vec<Group>,
    groups_made: u64,
    /// How often the members of a group were changed.
    group_changes: u64,
    /// How often each rule was met.
    met: BTreeMap<usize, u64>,
    asked: BTreeMap<String, u64>,
    requests: Vec<String>,
    bytes: usize,
    complaints: Vec<String>,
    payloads: Vec<(String, Value)>,
    lists: usize,
    ignored_disablings: u64,
    expired: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let serving = Arc::clone(&self);
            // A connection that cannot have a thread is closed, which the client sees.
            drop(thread::Builder::new().stack_size(512 * 1024).spawn(move || serving.serve(stream)));
        }
    }

    fn serve(&self, stream: TcpStream) {
        let Ok(mut connection) = Connection::new(stream) else { return };
        while let Ok(Some(request)) = connection.read() {
            let answer = self.answer(&request);
            let status = answer.as_ref().map_or_else(|| "cut".to_owned(), |answer| answer.status.to_string());
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let mut state = self.state();
            state.requests.push(format!("{status} {} {}{query} {body}", request.method, request.path));
            state.bytes += answer.as_ref().map_or(0, |answer| answer.body.len());
            drop(state);
            let Some(answer) = answer else { return };
            let close = request.close || answer.is_cut;
            if connection.write(&answer, close).is_err() || close {
                return;
            }
        }
    }

    /// The answer of the first rule that is for the request, or else of the directory; none where the connection ends.
    fn answer(&self, request: &Request) -> Option<Response> {
        let mut state = self.state();
        *state.asked.entry(request.method.clone()).or_default() += 1;
        state.complaints.extend(strict::complaints(request));
        if let Ok(body) = serde_json::from_slice(&request.body) {
            state.payloads.push((request.method.clone(), body));
        }
        let Some(rule) = self.rule_for(&mut state, request) else { return Some(self.handle(&mut state, request)) };
        let really = (rule.done || rule.cut).then(|| self.handle(&mut state, request));
        if rule.cut {
            return really.map(|answer| Response { is_cut: true, ..answer });
        }
        let text = if rule.text == "huge" { "x".repeat(9_000_000) } else { rule.text.clone() };
        let mut answer = Response::text(rule.status?, text);
        if answer.body.starts_with('<') {
            answer.content_type = "text/html; charset=utf-8".into();
        }
        for (name, value) in &rule.headers {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            answer = answer.with_header(name, self.filled(&value, request));
        }
        Some(answer)
    }

    /// The value of a header, with what it names of the request in it.
    fn filled(&self, value: &str, request: &Request) -> String {
        let origin = self.base.strip_suffix("/scim/v2").unwrap_or(&self.base);
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let path = format!("{}{query}", request.path);
        value.replace("{moved}", &format!("{origin}/moved{path}")).replace("{path}", &path)
    }

    fn rule_for(&self, state: &mut State, request: &Request) -> Option<&personality::Rule> {
        let path = request.path.strip_prefix("/scim/v2").unwrap_or(&request.path);
        let body = String::from_utf8_lossy(&request.body);
        for (index, rule) in self.bends.rules.iter().enumerate() {
            let (method, place) = rule.on.split_once(' ').unwrap_or((&rule.on, ""));
            let place_fits = match place.strip_suffix('$') {
                Some(whole) => path == whole,
                None => path.starts_with(place),
            };
            let fits = (method == "*" || method == request.method)
                && place_fits
                && rule.parameter.as_ref().is_none_or(|name| request.parameter(name).is_some())
                && rule.body.as_ref().is_none_or(|text| body.contains(text.as_str()))
                && rule
                    .header
                    .as_ref()
                    .is_none_or(|(name, text)| request.header(name).is_some_and(|value| value.contains(text.as_str())));
            if !fits {
                continue;
            }
            let met = state.met.entry(index).or_default();
            *met += 1;
            let past = met.saturating_sub(rule.skip);
            let is_turn = rule.every.is_none_or(|every| past % every == 0);
            if past > 0 && is_turn && rule.times.is_none_or(|times| past <= times * rule.every.unwrap_or(1)) {
                return Some(rule);
            }
        }
        None
    }
}
