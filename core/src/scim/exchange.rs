//! One request and its answer: headers, content types, and what a status means for the target's state.

use super::patience;
use super::url::BaseUrl;
use crate::connector::{ConnectorError, Outcome};
use crate::fault::Code;
use crate::http::{Authorization, Http, HttpError, Method, Request, Response};
use crate::path::member;
use crate::time::Period;
use crate::value::Attributes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The error types of RFC 7644 §3.12 and RFC 9865 §4. Only these are repeated in messages: other text of the target's may
/// hold attribute values.
const SCIM_TYPES: [&str; 14] = [
    "invalidFilter",
    "tooMany",
    "uniqueness",
    "mutability",
    "invalidSyntax",
    "invalidPath",
    "noTarget",
    "invalidValue",
    "invalidVers",
    "sensitive",
    "invalidCursor",
    "expiredCursor",
    "invalidCount",
    "schemaViolated",
];

/// Sends requests to one target, and remembers which content types it takes.
pub(super) struct Exchange {
    http: Arc<dyn Http>,
    pub(super) base: BaseUrl,
    authorization: Arc<dyn Authorization>,
    timeout: Period,
    /// The target means by 403 that it is asked too often.
    forbidden_is_rate_limit: bool,
    plain_json: AtomicBool,
    /// From which length on the target does not take a URL, as far as is known.
    too_long: AtomicUsize,
}

/// Up to this length every server takes a URL.
const SHORT_URL: usize = 2000;
const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

impl Exchange {
    pub(super) fn new(
        http: Arc<dyn Http>,
        base: BaseUrl,
        authorization: Arc<dyn Authorization>,
        timeout: Period,
        forbidden_is_rate_limit: bool,
    ) -> Self {
        Self {
            http,
            base,
            authorization,
            timeout,
            forbidden_is_rate_limit,
            plain_json: AtomicBool::new(false),
            too_long: AtomicUsize::new(usize::MAX),
        }
    }

    /// Reads. Every failure leaves the target as it was.
    pub(super) fn get(&self, url: &str) -> Result<Response, ConnectorError> {
        self.send(Method::Get, url, None)
    }

    /// Asks for accounts: by GET, or where the target does not take so long a URL, by POST (RFC 7644 §3.4.3). Neither changes
    /// anything at the target.
    pub(super) fn accounts(&self, parameters: &[(&str, &str)]) -> Result<Response, ConnectorError> {
        let url = self.base.endpoint("Users", parameters);
        if url.len() >= self.too_long.load(Ordering::Relaxed) {
            return self.search(parameters);
        }
        let response = self.get(&url)?;
        if url.len() <= SHORT_URL || !matches!(response.status, 400 | 403 | 404 | 413 | 414 | 431 | 500..=599) {
            return Ok(response);
        }
        match self.search(parameters) {
            Ok(found) if (200..300).contains(&found.status) => {
                self.too_long.fetch_min(url.len(), Ordering::Relaxed);
                Ok(found)
            }
            _ => Ok(response),
        }
    }

    fn search(&self, parameters: &[(&str, &str)]) -> Result<Response, ConnectorError> {
        let mut body = Attributes::new();
        body.insert("schemas".to_owned(), json!([SEARCH_REQUEST]));
        for (name, text) in parameters {
            let number = matches!(*name, "startIndex" | "count").then(|| text.parse::<u64>().ok()).flatten();
            body.insert((*name).to_owned(), number.map_or_else(|| Value::from(*text), Value::from));
        }
        let url = self.base.endpoint("Users/.search", &[]);
        self.send(Method::Post, &url, Some(&Value::Object(body))).map_err(|error| match error.outcome {
            Outcome::Ambiguous => ConnectorError { outcome: Outcome::NotApplied, ..error },
            _ => error,
        })
    }

    /// Sends one request. Statuses are the caller's to judge, but for content types that the target does not take: those
    /// requests were refused and are sent once more as plain JSON.
    pub(super) fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Result<Response, ConnectorError> {
        let plain = self.plain_json.load(Ordering::Relaxed);
        let response = self.send_as(method, url, body, plain)?;
        if plain || !matches!(response.status, 406 | 415) {
            return Ok(response);
        }
        let again = self.send_as(method, url, body, true)?;
        if !matches!(again.status, 406 | 415) {
            self.plain_json.store(true, Ordering::Relaxed);
        }
        Ok(again)
    }

    fn send_as(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        plain: bool,
    ) -> Result<Response, ConnectorError> {
        let (content, accept) = if plain {
            ("application/json", "application/json, */*;q=0.1")
        } else {
            ("application/scim+json", "application/scim+json, application/json;q=0.9, */*;q=0.1")
        };
        let mut headers = vec![("accept", accept.to_owned())];
        if body.is_some() {
            headers.push(("content-type", content.to_owned()));
        }
        let mut request = Request {
            method,
            url: url.to_owned(),
            headers,
            authorization: self.authorization.header()?,
            body: body.map(|body| body.to_string().into_bytes()),
            timeout: self.timeout,
        };
        let send = |request: &Request| self.http.send(request).map_err(|error| without_answer(method, error));
        let mut response = send(&request)?;
        // What was refused for its credentials did nothing, and goes out once more where there are others.
        if response.status == 401
            && let Some(refused) = &request.authorization
            && let Some(other) = self.authorization.renewed(refused)?
        {
            request.authorization = Some(other);
            response = send(&request)?;
        }
        if response.status == 403 && self.forbidden_is_rate_limit {
            response.status = 429;
        }
        Ok(response)
    }
}

/// The failure of a request that got no answer.
fn without_answer(method: Method, error: HttpError) -> ConnectorError {
    let outcome = match error.code {
        // These do not get better by waiting.
        Code::BlockedAddress | Code::InvalidUrl | Code::Redirected => Outcome::Rejected,
        Code::AnswerTooLarge if method == Method::Get => Outcome::Rejected,
        _ if error.sent => doubt(method),
        _ => Outcome::NotApplied,
    };
    ConnectorError::new(outcome, error.code.name(), error.message)
}

/// What not knowing means: a read changed nothing, whatever became of it.
fn doubt(method: Method) -> Outcome {
    if method == Method::Get { Outcome::NotApplied } else { Outcome::Ambiguous }
}

/// The failure that a status means, by the table of outcome classes.
pub(super) fn failure(method: Method, response: &Response) -> ConnectorError {
    let status = response.status;
    let scim_type = scim_type(response);
    let wait = patience::asked(response);
    let (outcome, code) = match status {
        429 => (Outcome::NotApplied, Code::RateLimited),
        // Google and GitHub ask for fewer requests with 403.
        403 if wait.is_some() => (Outcome::NotApplied, Code::RateLimited),
        401 => (Outcome::NotApplied, Code::Unauthorized),
        403 => (Outcome::Rejected, Code::Forbidden),
        409 if method != Method::Get => (Outcome::Conflict, Code::Conflict),
        400 if scim_type == Some("uniqueness") => (Outcome::Conflict, Code::Conflict),
        300..=399 => (Outcome::Rejected, Code::Redirected),
        // Something on the way may have answered after it had passed the request on.
        408 | 504 => (doubt(method), Code::Timeout),
        500..=599 => (doubt(method), Code::TargetFailed),
        405 => (Outcome::Rejected, Code::Unsupported),
        400..=499 => (Outcome::Rejected, Code::Rejected),
        _ => (doubt(method), Code::InvalidAnswer),
    };
    let message = match scim_type {
        Some(scim_type) => format!("the target answered {} with {status} (`{scim_type}`)", method.name()),
        None => format!("the target answered {} with {status}", method.name()),
    };
    ConnectorError { retry_after: wait, ..ConnectorError::new(outcome, code.name(), message) }
}

/// Success, or the failure that the status means.
pub(super) fn succeeded(method: Method, response: Response) -> Result<Response, ConnectorError> {
    if (200..300).contains(&response.status) { Ok(response) } else { Err(failure(method, &response)) }
}

/// An answer of success that cannot be read.
pub(super) fn unreadable(method: Method, message: &str) -> ConnectorError {
    ConnectorError::new(doubt(method), Code::InvalidAnswer.name(), message)
}

/// The account does not exist.
pub(super) fn missing() -> ConnectorError {
    ConnectorError::new(Outcome::Rejected, Code::AccountMissing.name(), "the account does not exist at the target")
}

/// Whether the answer says that the account does not exist. A web page does not: it comes from something that is not the
/// SCIM server, or from an address that is not its own.
pub(super) fn is_missing(response: &Response) -> bool {
    let is_page = response.body.trim_ascii_start().first() == Some(&b'<');
    matches!(response.status, 404 | 410) && !is_page
}

/// The error type, where it is one of the standard's.
pub(super) fn scim_type(response: &Response) -> Option<&'static str> {
    let body = super::strict::read(&response.body)?;
    let given = member(body.as_object()?, "scimType")?.as_str()?;
    SCIM_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(given))
}
