//! Our HTTP client, and the only user of ureq: HTTP/1.1 over pooled connections, TLS by the system's authorities or an app's own.
//!
//! It guards against being used to reach inside (every address is checked when it is connected to), follows redirects within
//! one origin alone, ignores proxies of the environment, bounds every wait and every body, and says of each failure whether the request may
//! have been sent.

mod address;
mod body;
mod connection;
mod proxy;
mod redirect;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod tls;

pub use address::AddressPolicy;
pub use proxy::ProxyOptions;
pub use tls::TlsOptions;

use crate::fault::{Code, Fault};
use crate::http::{Http, HttpError, LARGEST_ANSWER, Method, Request, Response};
use crate::time::Period;
use connection::{BeforeSending, CachingResolver, MarkingConnector};
use std::io;
use ureq::http;
use ureq::unversioned::resolver::{DefaultResolver, Resolver};

/// How long a connection may take to come about.
const CONNECT: Period = Period::from_seconds(5);
/// How long the target may be silent in the middle of an answer.
const SILENCE: Period = Period::from_seconds(10);
/// How many redirects are followed, one after the other.
const MOST_REDIRECTS: usize = 3;

/// How the client behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportOptions {
    /// Whether addresses in private networks may be called.
    pub allow_private: bool,
    /// The usual timeout of a request. Requests with another one are served as well, a little slower.
    pub timeout: Period,
    /// How many connections are kept for later requests; at least as many as there are workers.
    pub idle_connections: usize,
    /// How large an answer may be, decompressed, in bytes.
    pub largest_answer: u64,
    /// How TLS is spoken.
    pub tls: TlsOptions,
    /// The proxy through which connections go; none where it is left out, whatever the environment says.
    pub proxy: Option<ProxyOptions>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            allow_private: false,
            timeout: Period::from_seconds(30),
            idle_connections: 16,
            largest_answer: LARGEST_ANSWER,
            tls: TlsOptions::default(),
            proxy: None,
        }
    }
}

/// An HTTP client with its connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Transport {
    agent: ureq::Agent,
    options: TransportOptions,
}

impl Transport {
    /// A client that has no connection yet.
    ///
    /// # Errors
    /// `invalid_argument` where the timeout is zero, or a certificate, a key or the proxy's URL cannot be used.
    pub fn new(options: TransportOptions) -> Result<Self, Fault> {
        Self::with_resolver(options, DefaultResolver::default())
    }

    fn with_resolver(options: TransportOptions, system: impl Resolver) -> Result<Self, Fault> {
        if options.timeout == Period::ZERO {
            return Err(Fault::new(Code::InvalidArgument, "the timeout of a request must be longer than zero"));
        }
        let proxy = options.proxy.as_ref().map(ProxyOptions::config).transpose()?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .accept_encoding("gzip")
            .user_agent(concat!("rollkeeper/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(options.timeout.to_std()))
            .timeout_connect(Some(CONNECT.to_std()))
            .timeout_per_read(Some(SILENCE.to_std()))
            .max_idle_connections(options.idle_connections)
            .max_idle_connections_per_host(options.idle_connections)
            .tls_config(options.tls.config()?)
            .build();
        let policy = AddressPolicy { allow_private: options.allow_private };
        let resolver = CachingResolver::new(policy, system);
        let agent = ureq::Agent::with_parts(config, MarkingConnector::default(), resolver);
        Ok(Self { agent, options })
    }

    fn attempt(&self, request: &Request) -> Result<Response, ureq::Error> {
        if self.options.proxy.is_some() {
            connection::check_for_proxy(self.policy(), &request.url)?;
        }
        let mut builder = http::Request::builder().method(request.method.name()).uri(request.url.as_str());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value.as_str());
        }
        if let Some(authorization) = &request.authorization {
            let mut value = http::HeaderValue::from_str(authorization.reveal()).map_err(http::Error::from)?;
            value.set_sensitive(true);
            builder = builder.header(http::header::AUTHORIZATION, value);
        }
        let response = match &request.body {
            Some(body) => self.run(builder.body(body.as_slice())?, request.timeout),
            None => self.run(builder.body(())?, request.timeout),
        };
        self.read(response?)
    }

    fn policy(&self) -> AddressPolicy {
        AddressPolicy { allow_private: self.options.allow_private }
    }

    fn run(
        &self,
        request: http::Request<impl ureq::AsSendBody>,
        timeout: Period,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        if timeout == self.options.timeout {
            return self.agent.run(request);
        }
        let request = self.agent.configure_request(request).timeout_global(Some(timeout.to_std())).build();
        self.agent.run(request)
    }

    fn read(&self, response: http::Response<ureq::Body>) -> Result<Response, ureq::Error> {
        let (parts, mut body) = response.into_parts();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let encoding = parts.headers.get(http::header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let body = body::read(&mut body, encoding, self.options.largest_answer)?;
        Ok(Response { status: parts.status.as_u16(), headers, body })
    }
}

impl Transport {
    fn ask(&self, request: &Request) -> Result<Response, HttpError> {
        let mut answer = self.attempt(request);
        // A kept connection may have been closed by the other side in this very moment. A read does no harm a second time;
        // a write is never repeated here.
        if request.method == Method::Get && answer.as_ref().is_err_and(is_broken_connection) {
            answer = self.attempt(request);
        }
        answer.map_err(describe)
    }
}

impl Http for Transport {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let mut response = self.ask(request)?;
        let mut moved = None;
        for _ in 0..MOST_REDIRECTS {
            let current = moved.as_ref().unwrap_or(request);
            let Some(url) = redirect::within_origin(current, &response) else { break };
            let next = Request { url, ..request.clone() };
            response = self.ask(&next)?;
            moved = Some(next);
        }
        if (300..400).contains(&response.status) && response.status != 304 {
            return Err(HttpError::sent(Code::Redirected, "the target answered with a redirect"));
        }
        Ok(response)
    }
}

fn is_broken_connection(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error {
        ureq::Error::Io(error) => {
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        }
        _ => false,
    }
}

/// What a failure means. The texts are ours: those of the libraries may hold parts of the request or the answer.
fn describe(error: ureq::Error) -> HttpError {
    use ureq::Error;
    if let Some(failed) = tls::behind(&error) {
        let message = tls::message(failed);
        return if tls::refuses_client(failed) {
            HttpError::not_sent(Code::TlsFailed, message)
        } else {
            HttpError::sent(Code::TlsFailed, message)
        };
    }
    match error {
        Error::Other(inner) => match inner.downcast::<BeforeSending>() {
            Ok(before) => HttpError::not_sent(before.code, before.message),
            Err(_) => HttpError::sent(Code::Unreachable, "the connection to the target failed"),
        },
        Error::BadUri(_) | Error::Http(_) => {
            HttpError::not_sent(Code::InvalidUrl, "the URL or a header of the request is not valid")
        }
        Error::Timeout(_) => HttpError::sent(Code::Timeout, "the target did not answer in time"),
        Error::BodyExceedsLimit(limit) => {
            let message =
                format!("the target's answer is larger than {limit} bytes, or compressed beyond what accounts are");
            HttpError::sent(Code::AnswerTooLarge, message)
        }
        Error::LargeResponseHeader(..) => {
            HttpError::sent(Code::AnswerTooLarge, "the headers of the target's answer are too large")
        }
        Error::Protocol(_) | Error::BodyStalled => {
            HttpError::sent(Code::InvalidAnswer, "the target's answer is not valid HTTP")
        }
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            HttpError::sent(Code::Timeout, "the target did not answer in time")
        }
        Error::Io(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
            HttpError::sent(Code::InvalidAnswer, "the target's answer cannot be decompressed")
        }
        _ => HttpError::sent(Code::Unreachable, "the connection to the target broke off"),
    }
}
