//! What a token endpoint answers (RFC 6749 §5). Of a refusal only the standard's own words are repeated.

use crate::fault::Code;
use crate::http::Response;
use crate::model::{ConnectorError, Outcome};
use crate::secret::Secret;
use crate::time::Period;
use serde_json::{Map, Value};

/// The error codes of RFC 6749 §5.2 and RFC 8707 §2.
const ERRORS: [&str; 7] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
];
/// No token is believed to live longer than that.
const LONGEST_LIFE: Period = Period::from_seconds(10 * 365 * 86_400);
/// Longer tokens do not fit into the headers that servers take.
const LONGEST_TOKEN: usize = 65_536;

/// What was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) access: Secret,
    /// How long it lives; none where the server does not say.
    pub(crate) life: Option<Period>,
    /// Another refresh token in place of the one that was shown; none where that stays.
    pub(crate) refresh: Option<Secret>,
    /// How long the refresh token lives, as some servers say.
    pub(crate) refresh_life: Option<Period>,
}

/// Reads an answer.
pub(crate) fn read(response: &Response) -> Result<Granted, ConnectorError> {
    let body: Option<Map<String, Value>> = serde_json::from_slice(&response.body).ok();
    let error = body.as_ref().and_then(|body| body.get("error"));
    match (response.status, body.as_ref()) {
        // Some refuse with a status of success.
        (200..=299, Some(body)) if error.is_none_or(Value::is_null) => granted(body),
        (200..=299, None) => Err(unreadable()),
        _ => Err(refused(response, error.and_then(Value::as_str))),
    }
}

fn granted(body: &Map<String, Value>) -> Result<Granted, ConnectorError> {
    let kind = body.get("token_type").and_then(Value::as_str);
    // RFC 6749 §7.1: a token of a kind that is not known must not be used. Who names none means the usual one.
    if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(unreadable());
    }
    let token = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| is_token(text)).map(Secret::new);
    let refresh = token("refresh_token");
    let unusable = body.get("refresh_token").is_some_and(|given| !given.is_null() && given.as_str() != Some(""));
    if unusable && refresh.is_none() {
        return Err(unreadable());
    }
    let refresh_life = ["refresh_token_expires_in", "refresh_expires_in"];
    Ok(Granted {
        access: token("access_token").ok_or_else(unreadable)?,
        life: body.get("expires_in").and_then(life),
        refresh,
        // Keycloak says 0 for «without end».
        refresh_life: refresh_life
            .iter()
            .find_map(|name| body.get(*name).and_then(life))
            .filter(|life| *life > Period::ZERO),
    })
}

/// Whether it can stand in a header (RFC 6750 §2.1, and what servers send beyond it).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A number of seconds, as a number or, as some send it, as a text.
fn life(value: &Value) -> Option<Period> {
    let seconds =
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|seconds| seconds.is_finite())?;
    if seconds < 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a float is cut to the range of the integer")]
    let micros = (seconds * 1e6) as i64;
    Some(Period::from_micros(micros).min(LONGEST_LIFE))
}

fn unreadable() -> ConnectorError {
    let message = "the authorization server's answer is no bearer token";
    ConnectorError::new(Outcome::Ambiguous, Code::InvalidAnswer.name(), message)
}

fn refused(response: &Response, error: Option<&str>) -> ConnectorError {
    let known = error.and_then(|error| ERRORS.into_iter().find(|known| *known == error));
    let wait =
        response.header("retry-after").and_then(|text| text.trim().parse::<u32>().ok()).map(Period::from_seconds);
    let (outcome, code) = match (response.status, known) {
        (_, Some("invalid_grant")) => (Outcome::NotApplied, Code::ReauthorizationNeeded),
        (_, Some(_)) => (Outcome::NotApplied, Code::TokenRefused),
        (429, None) => (Outcome::NotApplied, Code::RateLimited),
        (408 | 504, None) => (Outcome::Ambiguous, Code::Timeout),
        (500..=599, None) => (Outcome::Ambiguous, Code::TargetFailed),
        (400..=499, None) => (Outcome::NotApplied, Code::TokenRefused),
        _ => (Outcome::Ambiguous, Code::InvalidAnswer),
    };
    let status = response.status;
    let message = match known {
        Some(known) => format!("the authorization server answered {status} (`{known}`)"),
        None => format!("the authorization server answered {status}"),
    };
    ConnectorError { retry_after: wait, ..ConnectorError::new(outcome, code.name(), message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, body: &str) -> Result<Granted, ConnectorError> {
        read(&Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
    }

    #[test]
    fn answers_are_read_as_servers_write_them() {
        let table = [
            (r#"{"access_token": "a", "token_type": "Bearer", "expires_in": 3600}"#, Some(3600), None, None),
            (r#"{"access_token": "a", "token_type": "bearer", "expires_in": "3600"}"#, Some(3600), None, None),
            (r#"{"access_token": "a", "refresh_token": "r"}"#, None, Some("r"), None),
            (r#"{"access_token": "a", "refresh_token": null, "expires_in": -1}"#, None, None, None),
            (r#"{"access_token": "a", "refresh_token": "", "expires_in": 1e300}"#, Some(315_360_000), None, None),
            (r#"{"access_token": "a", "refresh_token": "r", "refresh_expires_in": 60}"#, None, Some("r"), Some(60)),
            (r#"{"access_token": "a", "refresh_expires_in": 0, "error": null}"#, None, None, None),
        ];
        for (body, life, refresh, refresh_life) in table {
            let granted = answer(200, body).unwrap();
            assert_eq!(granted.access.reveal(), "a");
            assert_eq!(granted.life, life.map(Period::from_seconds), "{body}");
            assert_eq!(granted.refresh.as_ref().map(Secret::reveal), refresh, "{body}");
            assert_eq!(granted.refresh_life, refresh_life.map(Period::from_seconds), "{body}");
        }
    }

    #[test]
    fn what_is_no_token_is_never_taken_for_one_and_never_repeated() {
        let table = [
            (200, "", "invalid_answer"),
            (200, "<html>", "invalid_answer"),
            (200, r#"["a"]"#, "invalid_answer"),
            (200, r#"{"access_token": ""}"#, "invalid_answer"),
            (200, r#"{"access_token": "s3cret\r\nx: y"}"#, "invalid_answer"),
            (200, r#"{"access_token": "s3cret", "token_type": "mac"}"#, "invalid_answer"),
            (200, r#"{"access_token": "s3cret", "refresh_token": 7}"#, "invalid_answer"),
            (200, r#"{"ok": false, "error": "invalid_client", "access_token": "s3cret"}"#, "token_refused"),
            (400, r#"{"error": "invalid_grant", "error_description": "s3cret"}"#, "reauthorization_needed"),
            (401, r#"{"error": "invalid_client"}"#, "token_refused"),
            (400, r#"{"error": "s3cret"}"#, "token_refused"),
            (404, "s3cret", "token_refused"),
            (429, "", "rate_limited"),
            (503, "s3cret", "target_failed"),
            (504, "", "timeout"),
            (302, "", "invalid_answer"),
        ];
        for (status, body, code) in table {
            let error = answer(status, body).unwrap_err();
            assert_eq!(error.code, code, "{body}");
            assert!(!error.message.contains("s3cret") && !format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let response = Response { status, headers: Vec::new(), body };
            if let Ok(granted) = read(&response) {
                prop_assert!(is_token(granted.access.reveal()));
            }
        }

        #[test]
        fn nearly_good_answers_are_read_or_refused(
            token in "\\PC{0,20}", life in any::<f64>(), refresh in "\\PC{0,20}", kind in "(bearer|Bearer|mac|)",
        ) {
            let body = serde_json::json!({"access_token": token, "expires_in": life, "refresh_token": refresh,
                "token_type": kind}).to_string();
            if let Ok(granted) = answer(200, &body) {
                let is_bearer = kind.eq_ignore_ascii_case("bearer");
                let is_bounded = granted.life.is_none_or(|life| life <= LONGEST_LIFE);
                let shown = format!("{granted:?}");
                prop_assert!(is_token(granted.access.reveal()) && is_bearer && is_bounded);
                prop_assert!(token.len() < 4 || !shown.contains(&token));
            }
        }
    }
}
