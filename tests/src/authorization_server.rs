//! An OAuth 2.0 authorization server on loopback, with tokens that live for seconds of a virtual clock. It rotates refresh
//! tokens and notices each that is shown twice: then it revokes the whole family, as RFC 9700 §4.14.2 asks.

use crate::http::{Connection, Request, Response};
use rollkeeper::testing::VirtualClock;
use rollkeeper::{Clock, Period, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// By which id and secret the one client is known.
pub const CLIENT: (&str, &str) = ("lab", "planted-client-secret-5e1c");
/// What is done with an answer before it is sent.
pub type BeforeAnswer = Arc<dyn Fn() + Send + Sync>;

/// What goes wrong with one question.
#[derive(Clone)]
pub enum Mishap {
    /// The token is given, and the answer lost on its way.
    LostAnswer,
    /// Nothing is given.
    Status(u16),
    /// The refresh token stays: the answer has none.
    NoRotation,
    /// Something happens elsewhere while the answer is on its way.
    Meanwhile(BeforeAnswer),
}

/// What it was asked, and what it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Questions for a token.
    pub asked: u64,
    /// Tokens that were given.
    pub given: u64,
    /// Refresh tokens that were shown again after they were spent.
    pub replays: u64,
    /// Questions that were refused.
    pub refused: u64,
}

/// A running server; it stops when it is dropped.
pub struct AuthorizationServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    clock: VirtualClock,
    life: Period,
    stopping: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counted: u64,
    access: BTreeMap<String, Timestamp>,
    /// Refresh tokens by their family; those that can be used, and those that were.
    refresh: BTreeMap<String, u64>,
    spent: BTreeMap<String, u64>,
    revoked: BTreeSet<u64>,
    mishaps: VecDeque<Mishap>,
    assertions: Vec<String>,
    seen: Seen,
}

impl AuthorizationServer {
    /// Starts a server on a free loopback port whose access tokens live for `life`.
    ///
    /// # Errors
    /// What the operating system says where no port can be had.
    pub fn start(clock: &VirtualClock, life: Period) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            clock: clock.clone(),
            life,
            stopping: AtomicBool::new(false),
            state: Mutex::new(State::default()),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopping.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(stream), serving) = (stream, Arc::clone(&accepting)) else { continue };
                thread::spawn(move || serving.serve(stream));
            }
        });
        Ok(Self { address, shared })
    }

    /// Where tokens are asked for.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// A first refresh token, as a person's consent gives one.
    #[must_use]
    pub fn first_refresh_token(&self) -> String {
        let mut state = self.shared.state();
        let family = state.next();
        let token = format!("planted-refresh-{family:06}");
        state.refresh.insert(token.clone(), family);
        token
    }

    /// Whether a header shows a token that is good now.
    #[must_use]
    pub fn admits(&self) -> crate::stub::Admits {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |header| {
            let token = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
            shared.state().access.get(token).is_some_and(|end| *end > shared.clock.now())
        })
    }

    /// What happens to the next questions, one each.
    pub fn script(&self, mishap: Mishap) {
        self.shared.state().mishaps.push_back(mishap);
    }

    /// What it saw until now.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.state().seen
    }

    /// The signed assertions that clients showed.
    #[must_use]
    pub fn assertions(&self) -> Vec<String> {
        self.shared.state().assertions.clone()
    }

    /// Takes back every access token.
    pub fn revoke_access(&self) {
        self.shared.state().access.clear();
    }
}

impl Drop for AuthorizationServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.counted += 1;
        self.counted
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        let Ok(mut connection) = Connection::new(stream) else { return };
        while let Ok(Some(request)) = connection.read() {
            let Some(response) = self.answer(&request) else { return };
            if connection.write(&response, request.close).is_err() || request.close {
                return;
            }
        }
    }

    /// None where the answer is lost.
    fn answer(&self, request: &Request) -> Option<Response> {
        let (mishap, response) = {
            let mut state = self.state();
            state.seen.asked += 1;
            let mishap = state.mishaps.pop_front();
            let response = match mishap {
                Some(Mishap::Status(status)) => Response::new(status, json!({})),
                _ => self.give(&mut state, request, !matches!(mishap, Some(Mishap::NoRotation))),
            };
            (mishap, response)
        };
        match mishap {
            Some(Mishap::LostAnswer) => None,
            Some(Mishap::Meanwhile(happens)) => {
                happens();
                Some(response)
            }
            _ => Some(response),
        }
    }

    fn give(&self, state: &mut State, request: &Request, rotates: bool) -> Response {
        let refused = |state: &mut State, status, error: &str| {
            state.seen.refused += 1;
            Response::new(status, json!({"error": error, "error_description": "planted-words-of-the-server"}))
        };
        if let Some(assertion) = request.field("client_assertion") {
            state.assertions.push(assertion);
        } else if !knows(request) {
            return refused(state, 401, "invalid_client");
        }
        let refresh = match request.field("grant_type").as_deref() {
            Some("client_credentials") => None,
            Some("refresh_token") => {
                let shown = request.field("refresh_token").unwrap_or_default();
                if let Some(family) = state.spent.get(&shown).copied() {
                    state.seen.replays += 1;
                    state.revoked.insert(family);
                }
                let family = state.refresh.get(&shown).copied().filter(|family| !state.revoked.contains(family));
                let Some(family) = family else { return refused(state, 400, "invalid_grant") };
                rotates.then(|| {
                    state.refresh.remove(&shown);
                    state.spent.insert(shown, family);
                    let token = format!("planted-refresh-{:06}", state.next());
                    state.refresh.insert(token.clone(), family);
                    token
                })
            }
            _ => return refused(state, 400, "unsupported_grant_type"),
        };
        let token = format!("planted-access-{:06}", state.next());
        state.access.insert(token.clone(), self.clock.now().plus(self.life));
        state.seen.given += 1;
        let life = self.life.to_std().as_secs_f64();
        let mut answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": life});
        if let (Some(answer), Some(refresh)) = (answer.as_object_mut(), refresh) {
            answer.insert("refresh_token".to_owned(), refresh.into());
        }
        Response::new(200, answer)
    }
}

/// Whether the client proves itself by its secret, in the header or in the body.
fn knows(request: &Request) -> bool {
    // `lab:planted-client-secret-5e1c` in base64.
    let by_header = request.header("authorization") == Some("Basic bGFiOnBsYW50ZWQtY2xpZW50LXNlY3JldC01ZTFj");
    let field = |name| request.field(name);
    by_header || (field("client_id").as_deref(), field("client_secret").as_deref()) == (Some(CLIENT.0), Some(CLIENT.1))
}
