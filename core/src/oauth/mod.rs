//! The token endpoint of an authorization server (RFC 6749 §3.2): what is asked, how we prove who we are, and what an answer
//! means. It speaks through the [`Http`](crate::http::Http) port, keeps nothing and decides nothing.

mod answer;
mod assertion;
mod request;

pub(crate) use answer::Granted;
pub(crate) use assertion::check_key;
pub(crate) use request::{Question, ask, basic};

/// Reads the answer of a token endpoint. For fuzzing: it may not panic, whatever a server sends.
#[doc(hidden)]
pub fn read_token_answer(status: u16, body: &[u8]) -> bool {
    let response = crate::http::Response { status, headers: Vec::new(), body: body.to_vec() };
    answer::read(&response).is_ok()
}
