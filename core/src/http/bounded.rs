//! A host's own HTTP client, held to what the engine rests on: an answer has a bounded size, a failure one of the codes of
//! this port, and a panic is a failure.

use super::{Http, HttpError, LARGEST_ANSWER, Request, Response};
use crate::fault::Code;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How many bytes the headers of an answer may have.
const LARGEST_HEADERS: usize = 64 * 1024;

/// The codes that a transport may fail with; anything else is `unreachable`.
const CODES: [Code; 9] = [
    Code::Unreachable,
    Code::Timeout,
    Code::TlsFailed,
    Code::ProxyFailed,
    Code::BlockedAddress,
    Code::Redirected,
    Code::AnswerTooLarge,
    Code::InvalidAnswer,
    Code::InvalidUrl,
];

/// A host's client within bounds.
pub(crate) struct Bounded(Arc<dyn Http>);

impl Bounded {
    pub(crate) fn new(http: Arc<dyn Http>) -> Self {
        Self(http)
    }
}

impl Http for Bounded {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let panicked = |_| Err(HttpError::sent(Code::Unreachable, "the host's transport panicked"));
        let mut response = catch_unwind(AssertUnwindSafe(|| self.0.send(request)))
            .unwrap_or_else(panicked)
            .map_err(|error| if CODES.contains(&error.code) { error } else { unknown(error) })?;
        let headers: usize = response.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let size = u64::try_from(response.body.len()).unwrap_or(u64::MAX);
        if size > LARGEST_ANSWER || headers > LARGEST_HEADERS {
            return Err(HttpError::sent(Code::AnswerTooLarge, "the answer of the host's transport is too large"));
        }
        if !(100..600).contains(&response.status) {
            return Err(HttpError::sent(Code::InvalidAnswer, "the host's transport answered without a status of HTTP"));
        }
        response.headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        Ok(response)
    }
}

fn unknown(error: HttpError) -> HttpError {
    HttpError { code: Code::Unreachable, ..error }
}

#[cfg(test)]
mod tests {
    use super::super::Method;
    use super::*;
    use crate::time::Period;

    struct Answering(fn() -> Result<Response, HttpError>);

    impl Http for Answering {
        fn send(&self, _: &Request) -> Result<Response, HttpError> {
            (self.0)()
        }
    }

    fn answer(of: fn() -> Result<Response, HttpError>) -> Result<Response, HttpError> {
        let request = Request {
            method: Method::Post,
            url: "https://crm.example.com/Users".to_owned(),
            headers: Vec::new(),
            authorization: None,
            body: None,
            timeout: Period::from_seconds(1),
        };
        Bounded::new(Arc::new(Answering(of))).send(&request)
    }

    fn response(status: u16, length: usize) -> Result<Response, HttpError> {
        Ok(Response { status, headers: vec![("ETag".to_owned(), "1".to_owned())], body: vec![b' '; length] })
    }

    #[test]
    fn what_a_host_answers_keeps_to_the_bounds() {
        let fine = answer(|| response(200, 8 * 1024 * 1024)).unwrap();
        assert_eq!(fine.header("etag"), Some("1"));
        let code = |of: fn() -> Result<Response, HttpError>| answer(of).map_err(|error| (error.code, error.sent)).err();
        assert_eq!(code(|| response(200, 8 * 1024 * 1024 + 1)), Some((Code::AnswerTooLarge, true)));
        assert_eq!(code(|| response(0, 0)), Some((Code::InvalidAnswer, true)));
        let headers = || Ok(Response { headers: vec![(String::new(), "x".repeat(70_000))], ..response(200, 0)? });
        assert_eq!(code(headers), Some((Code::AnswerTooLarge, true)));
    }

    #[test]
    fn a_panic_and_a_foreign_code_are_failures_of_the_connection() {
        let panics = || std::panic::resume_unwind(Box::new("a host's own mistake"));
        let of = |answer: Result<Response, HttpError>| answer.map_err(|error| (error.code, error.sent)).err();
        assert_eq!(of(answer(panics)), Some((Code::Unreachable, true)));
        assert_eq!(of(answer(|| Err(HttpError::not_sent(Code::StoreFull, "")))), Some((Code::Unreachable, false)));
        assert_eq!(of(answer(|| Err(HttpError::not_sent(Code::TlsFailed, "")))), Some((Code::TlsFailed, false)));
    }
}
