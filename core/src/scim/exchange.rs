//! One request and its answer: headers, content types, and what a status means for the target's state.

use super::lessons::Knowledge;
use super::patience;
use super::selection::Part;
use super::url::BaseUrl;
use crate::connector::{ConnectorError, Outcome};
use crate::fault::Code;
use crate::http::{Authorization, Http, HttpError, Method, Request, Response};
use crate::path::member;
use crate::time::Period;
use crate::value::Attributes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

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

/// Sends requests to one target, in the way that it is known to take them.
pub(super) struct Exchange {
    http: Arc<dyn Http>,
    pub(super) base: BaseUrl,
    authorization: Arc<dyn Authorization>,
    timeout: Period,
    pub(super) knowledge: Knowledge,
    /// Whether the target took a body under the standard's name.
    takes_scim_json: AtomicBool,
    /// How often a part of a resource was asked for and the target failed.
    failed_parts: AtomicU32,
    /// How the target answers a PATCH of which nobody reads the answer.
    patch_answers: AtomicU8,
}

/// A PATCH was answered with more than it is worth; or it was taken with the question for a part of its answer, or without alone.
const LONG: u8 = 1;
const IN_PART: u8 = 2;
const WHOLE: u8 = 3;
/// An answer that is longer is worth asking for less.
const LONG_ANSWER: usize = 16 * 1024;

/// Up to this length every server takes a URL.
const SHORT_URL: usize = 2000;
const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

impl Exchange {
    pub(super) fn new(
        http: Arc<dyn Http>,
        base: BaseUrl,
        authorization: Arc<dyn Authorization>,
        timeout: Period,
        knowledge: Knowledge,
    ) -> Self {
        let (takes_scim_json, failed_parts, patch_answers) = Default::default();
        Self { http, base, authorization, timeout, knowledge, takes_scim_json, failed_parts, patch_answers }
    }

    /// An exchange with the same target over another client, which knows no more than the definition says.
    pub(super) fn over(&self, http: Arc<dyn Http>) -> Self {
        let knowledge = self.knowledge.unlearnt();
        Self::new(http, self.base.clone(), Arc::clone(&self.authorization), self.timeout, knowledge)
    }

    pub(super) fn http(&self) -> Arc<dyn Http> {
        Arc::clone(&self.http)
    }

    /// Reads. Every failure leaves the target as it was.
    pub(super) fn get(&self, url: &str) -> Result<Response, ConnectorError> {
        self.send(Method::Get, url, None)
    }

    /// Asks for accounts: by GET, or where the target does not take so long a URL, by POST (RFC 7644 §3.4.3). Neither changes
    /// anything at the target.
    pub(super) fn accounts(&self, parameters: &[(&str, &str)]) -> Result<Response, ConnectorError> {
        let url = self.base.endpoint("Users", parameters);
        if self.knowledge.is_too_long(url.len()) {
            return self.search(parameters);
        }
        let response = self.get(&url)?;
        if url.len() <= SHORT_URL || !matches!(response.status, 400 | 403 | 404 | 413 | 414 | 431 | 500..=599) {
            return Ok(response);
        }
        match self.search(parameters) {
            Ok(found) if (200..300).contains(&found.status) => {
                self.knowledge.learn_too_long(url.len());
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
            let value = match *name {
                "excludedAttributes" => text.split(',').collect(),
                _ => number.map_or_else(|| Value::from(*text), Value::from),
            };
            body.insert((*name).to_owned(), value);
        }
        let url = self.base.endpoint("Users/.search", &[]);
        self.send(Method::Post, &url, Some(&Value::Object(body))).map_err(|error| match error.outcome {
            Outcome::Ambiguous => ConnectorError { outcome: Outcome::NotApplied, ..error },
            _ => error,
        })
    }

    /// Whether something follows for later from an answer to the question for a part. A failure may be of the moment; the third
    /// one is not.
    pub(super) fn is_of_the_target(&self, answer: &Response) -> bool {
        answer.status != 500 || self.failed_parts.fetch_add(1, Ordering::Relaxed) >= 2
    }

    /// Sends a PATCH whose answer nobody reads. Once a target has answered one at length, it is asked to leave out `name`; where that
    /// is refused before it was ever taken, the same goes out once more as it is, since a refusal did nothing.
    pub(super) fn patch_unread(&self, url: &str, name: &str, body: &Value) -> Result<Response, ConnectorError> {
        let known = self.patch_answers.load(Ordering::Relaxed);
        let note = |how| self.patch_answers.store(how, Ordering::Relaxed);
        if matches!(known, LONG | IN_PART) && self.knowledge.selects() {
            let response = self.send(Method::Patch, &Part::Without(name).of(url), Some(body))?;
            if (200..300).contains(&response.status) {
                note(IN_PART);
            }
            if known == IN_PART || !matches!(response.status, 400 | 403 | 404 | 405 | 422 | 501) {
                return Ok(response);
            }
        }
        let response = self.send(Method::Patch, url, Some(body))?;
        if (200..300).contains(&response.status) {
            match known {
                LONG => note(WHOLE),
                WHOLE | IN_PART => {}
                _ if response.body.len() > LONG_ANSWER => note(LONG),
                _ => {}
            }
        }
        Ok(response)
    }

    /// Sends one request. Statuses are the caller's to judge, but for content types that the target does not take: those
    /// requests were refused and are sent once more as plain JSON.
    pub(super) fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Result<Response, ConnectorError> {
        self.send_for(method, url, body, None)
    }

    /// The same for the version of an account that is named.
    pub(super) fn send_for(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Response, ConnectorError> {
        let plain = self.knowledge.is_plain();
        let response = self.send_as(method, url, body, version, plain)?;
        if (200..300).contains(&response.status) && body.is_some() && !plain {
            self.takes_scim_json.store(true, Ordering::Relaxed);
        }
        if plain || !self.knowledge.may_become_plain() || !self.is_about_its_type(body, &response) {
            return Ok(response);
        }
        let again = self.send_as(method, url, body, version, true)?;
        if matches!(response.status, 406 | 415) && !matches!(again.status, 406 | 415) || again.status < 300 {
            self.knowledge.learn_plain();
        }
        Ok(again)
    }

    /// Whether a refusal may be of the name of the body's type. Old servers say 400 to it, in words that are not SCIM's.
    fn is_about_its_type(&self, body: Option<&Value>, response: &Response) -> bool {
        match response.status {
            406 | 415 => true,
            400 => body.is_some() && !self.takes_scim_json.load(Ordering::Relaxed) && !is_scim_error(response),
            _ => false,
        }
    }

    fn send_as(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        version: Option<&str>,
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
        headers.extend(version.map(|version| ("if-match", version.to_owned())));
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
        if response.status == 403 && self.knowledge.forbidden_is_rate_limit() {
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
        405 => (Outcome::Rejected, Code::Unsupported),
        // It does not have the method, so that nothing was done.
        501 if method != Method::Get => (Outcome::Rejected, Code::Unsupported),
        // Somebody else changed the account meanwhile, again and again.
        412 => (Outcome::NotApplied, Code::Conflict),
        500..=599 => (doubt(method), Code::TargetFailed),
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

/// Whether a refusal is an error of SCIM (RFC 7644 §3.12), as far as can be seen.
fn is_scim_error(response: &Response) -> bool {
    let body = super::strict::read(&response.body);
    let object = body.as_ref().and_then(Value::as_object);
    object.is_some_and(|object| ["scimType", "schemas", "detail"].iter().any(|key| member(object, key).is_some()))
}

/// The error type, where it is one of the standard's.
pub(super) fn scim_type(response: &Response) -> Option<&'static str> {
    let body = super::strict::read(&response.body)?;
    let given = member(body.as_object()?, "scimType")?.as_str()?;
    SCIM_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(given))
}
