//! The reply object: a callback's answer is copied into it, so that no memory changes its owner.

use crate::boundary::{bytes, document_text, handle_mut, optional_text, text};
use crate::status::{ROLLKEEPER_OK, Status};
use engine::connector::{ConnectorError, Outcome};
use engine::http::Response;
use engine::{Code, Fault, Period, Secret};
use std::collections::BTreeMap;
use std::ffi::c_char;

/// Nothing reached the target, or it promised to have done nothing. Only this may be repeated blindly.
pub const ROLLKEEPER_OUTCOME_NOT_APPLIED: i32 = 1;
/// The target refused; trying the same again will not help.
pub const ROLLKEEPER_OUTCOME_REJECTED: i32 = 2;
/// Nobody knows whether the target did it.
pub const ROLLKEEPER_OUTCOME_AMBIGUOUS: i32 = 3;
/// Such an account exists already.
pub const ROLLKEEPER_OUTCOME_CONFLICT: i32 = 4;

/// Where a callback puts its answer. It is valid until the callback returns; the last answer counts.
#[derive(Default)]
pub struct Reply(Answer);

#[derive(Default)]
pub(crate) enum Answer {
    #[default]
    Nothing,
    /// Wiped when dropped, because it may be a secret.
    Text(Secret),
    Failure(ConnectorError),
    Response(Response),
}

impl Reply {
    pub(crate) fn into_answer(self) -> Answer {
        self.0
    }

    pub(crate) fn into_secret(self) -> Option<Secret> {
        match self.0 {
            Answer::Text(secret) => Some(secret),
            Answer::Nothing | Answer::Failure(_) | Answer::Response(_) => None,
        }
    }
}

/// The status of a step that needs no error object.
fn status(result: Result<(), Fault>) -> Status {
    match result {
        Ok(()) => ROLLKEEPER_OK,
        Err(fault) => Status::from(fault.code.number()),
    }
}

/// # Safety
/// `reply` is NULL or valid; `given` is NULL or leads to `length` bytes.
unsafe fn set_text(reply: *mut Reply, given: *const c_char, length: usize, name: &str) -> Result<(), Fault> {
    // SAFETY: the promise is handed on.
    unsafe {
        let text = document_text(given, length, name)?;
        handle_mut(reply, "reply")?.0 = Answer::Text(Secret::new(text));
    }
    Ok(())
}

/// Answers with a JSON document. The text is copied. It is read when the callback has returned; an answer that cannot be
/// read counts as failed with the code `invalid_answer`.
///
/// # Safety
/// `reply` is the reply of the callback that is running; `json` leads to `json_length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_reply_set_json(
    reply: *mut Reply,
    json: *const c_char,
    json_length: usize,
) -> Status {
    // SAFETY: the promise is handed on.
    status(unsafe { set_text(reply, json, json_length, "json") })
}

/// Answers with plain text, such as a secret. The text is copied, and our copy is wiped after use.
///
/// # Safety
/// `reply` is the reply of the callback that is running; `answer` leads to `answer_length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_reply_set_text(
    reply: *mut Reply,
    answer: *const c_char,
    answer_length: usize,
) -> Status {
    // SAFETY: the promise is handed on.
    status(unsafe { set_text(reply, answer, answer_length, "answer") })
}

/// Answers with what an HTTP server answered: the status, the headers as a JSON object of texts (or NULL), and the body,
/// decompressed (or NULL). Everything is copied.
///
/// # Safety
/// `reply` is the reply of the callback that is running; `headers` leads to `headers_length` bytes, `body` to `body_length`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_reply_set_response(
    reply: *mut Reply,
    http_status: i32,
    headers: *const c_char,
    headers_length: usize,
    body: *const u8,
    body_length: usize,
) -> Status {
    // SAFETY: the promise is handed on.
    status(unsafe { set_response(reply, http_status, (headers, headers_length), (body, body_length)) })
}

/// # Safety
/// As [`rollkeeper_reply_set_response`].
unsafe fn set_response(
    reply: *mut Reply,
    http_status: i32,
    headers: (*const c_char, usize),
    body: (*const u8, usize),
) -> Result<(), Fault> {
    let wrong = |name: &str, message: &str| Fault::new(Code::InvalidArgument, message).at(name);
    let http_status = u16::try_from(http_status).map_err(|_| wrong("http_status", "there is no such status"))?;
    // SAFETY: the promise is handed on.
    let (headers, body) = unsafe {
        let headers = if headers.0.is_null() { "{}" } else { document_text(headers.0, headers.1, "headers")? };
        (headers, bytes(body.0, body.1, "body")?.to_vec())
    };
    let headers: BTreeMap<String, String> =
        serde_json::from_str(headers).map_err(|_| wrong("headers", "must be a JSON object of texts"))?;
    let response = Response { status: http_status, headers: headers.into_iter().collect(), body };
    // SAFETY: as above.
    unsafe { handle_mut(reply, "reply") }?.0 = Answer::Response(response);
    Ok(())
}

/// Answers that the call failed. `outcome` is one of the ROLLKEEPER_OUTCOME_* constants; `code` a name such as
/// `rate_limited`; `message` one line for the operator, without attribute values and secrets; `retry_after_seconds`
/// how long the target asked to wait, or -1; `external_id` the account that the target named, or NULL.
///
/// # Safety
/// `reply` is the reply of the callback that is running; the texts end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_reply_fail(
    reply: *mut Reply,
    outcome: i32,
    code: *const c_char,
    message: *const c_char,
    retry_after_seconds: i64,
    external_id: *const c_char,
) -> Status {
    // SAFETY: the promise is handed on.
    status(unsafe { fail(reply, outcome, code, message, retry_after_seconds, external_id) })
}

/// # Safety
/// As [`rollkeeper_reply_fail`].
unsafe fn fail(
    reply: *mut Reply,
    outcome: i32,
    code: *const c_char,
    message: *const c_char,
    retry_after_seconds: i64,
    external_id: *const c_char,
) -> Result<(), Fault> {
    let outcome = match outcome {
        ROLLKEEPER_OUTCOME_NOT_APPLIED => Outcome::NotApplied,
        ROLLKEEPER_OUTCOME_REJECTED => Outcome::Rejected,
        ROLLKEEPER_OUTCOME_AMBIGUOUS => Outcome::Ambiguous,
        ROLLKEEPER_OUTCOME_CONFLICT => Outcome::Conflict,
        _ => return Err(Fault::new(Code::InvalidArgument, "there is no such outcome").at("outcome")),
    };
    let asked = (retry_after_seconds >= 0).then(|| Period::from_micros(retry_after_seconds.saturating_mul(1_000_000)));
    // SAFETY: the caller gives a valid reply, or NULL, and texts that end with NUL, or NULL.
    unsafe {
        let mut error = ConnectorError::new(outcome, text(code, "code")?, text(message, "message")?);
        error.retry_after = asked;
        error.external_id = optional_text(external_id, "external_id")?.map(str::to_owned);
        handle_mut(reply, "reply")?.0 = Answer::Failure(error);
    }
    Ok(())
}
