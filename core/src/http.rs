//! The HTTP port: what the SCIM connector needs from an HTTP client. [`crate::transport`] is ours; a host may supply its own.

mod bounded;

pub(crate) use bounded::Bounded;

use crate::fault::Code;
use crate::model::ConnectorError;
use crate::secret::Secret;
use crate::time::Period;
use std::fmt;

/// How large an answer may be, decompressed, where nothing else is said.
pub const LARGEST_ANSWER: u64 = 8 * 1024 * 1024;

/// An HTTP client. It follows no redirect to another origin and none that changes the method, repeats no write, reads no more
/// than [`LARGEST_ANSWER`], ends with the request's timeout, and answers every status as a [`Response`]. Calls may come from
/// several threads at once.
pub trait Http: Send + Sync {
    /// Sends one request and waits for the whole answer.
    ///
    /// # Errors
    /// [`HttpError`] where there is no answer, with the code `unreachable`, `timeout`, `tls_failed`, `blocked_address`,
    /// `proxy_failed`, `redirected`, `answer_too_large` or `invalid_answer`.
    fn send(&self, request: &Request) -> Result<Response, HttpError>;
}

/// Where the value of the `Authorization` header comes from. Calls may come from several threads at once.
pub trait Authorization: Send + Sync {
    /// The value for the next request; none where nothing is sent.
    ///
    /// # Errors
    /// [`ConnectorError`] of the outcome `not_applied`, where none can be had now.
    fn header(&self) -> Result<Option<Secret>, ConnectorError>;

    /// Another value in place of one that was refused with 401; none where there is no other.
    ///
    /// # Errors
    /// As of [`Authorization::header`].
    fn renewed(&self, refused: &Secret) -> Result<Option<Secret>, ConnectorError>;
}

/// The same value for every request, or none.
pub(crate) struct FixedAuthorization(pub(crate) Option<Secret>);

impl Authorization for FixedAuthorization {
    fn header(&self) -> Result<Option<Secret>, ConnectorError> {
        Ok(self.0.clone())
    }

    fn renewed(&self, _: &Secret) -> Result<Option<Secret>, ConnectorError> {
        Ok(None)
    }
}

/// A request method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request. `Debug` shows neither credentials nor values: the query of the URL and the body are left out.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute URL, percent-encoded.
    pub url: String,
    /// Header names and values besides `Authorization`.
    pub headers: Vec<(&'static str, String)>,
    /// The value of the `Authorization` header.
    pub authorization: Option<Secret>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// How long everything may take, from the first byte sent to the last received.
    pub timeout: Period,
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split_once('?').map_or(self.url.as_str(), |(path, _)| path);
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("url", &url)
            .field("headers", &self.headers)
            .field("authorization", &self.authorization)
            .field("body_length", &self.body.as_ref().map(Vec::len))
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// An answer. `Debug` leaves the body out.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header names in lower case, and their values.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the first header of that lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Response").field("status", &self.status).field("length", &self.body.len()).finish()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    /// Whether the target may have read a byte of the request. Only where it is false a write is known not to have happened.
    pub sent: bool,
    /// What went wrong.
    pub code: Code,
    /// The same in one line, without values and secrets.
    pub message: String,
}

impl HttpError {
    /// A failure before the first byte of the request was written.
    pub fn not_sent(code: Code, message: impl Into<String>) -> Self {
        Self { sent: false, code, message: message.into() }
    }

    /// A failure after which nobody knows what became of the request.
    pub fn sent(code: Code, message: impl Into<String>) -> Self {
        Self { sent: true, code, message: message.into() }
    }
}
