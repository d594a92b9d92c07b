//! An HTTP client of the host's: a table with one function, and the [`Http`] that calls it.

use crate::boundary::null;
use crate::context::{Context, serve};
use crate::reply::{Answer, Reply};
use crate::table::{Table, read_table};
use engine::connector::Outcome;
use engine::http::{Http, HttpError, LARGEST_ANSWER, Request, Response};
use engine::{Code, Fault, Secret};
use serde_json::{Map, Value, json};
use std::ffi::{c_char, c_void};
use std::mem::offset_of;
use std::ptr::null as nothing;

/// An HTTP client for every SCIM target and authorization server, in place of the library's own. Set `struct_size` to
/// `sizeof(rollkeeper_transport)`. `connector.tls` and `connector.proxy` of apps are refused beside it, and which addresses
/// may be called is its own to say; the size and the depth of answers stay bounded.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TransportTable {
    /// The size of this struct.
    pub struct_size: usize,
    /// Given to every call.
    pub context: *mut c_void,
    /// Called once when the context is no longer needed; may be NULL.
    pub free_context: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Sends one request and answers with rollkeeper_reply_set_response, whatever the status. It follows no redirect and
    /// repeats nothing. `request` is `{"method", "url", "headers": {name: value}, "timeout", "largest_answer"}`, with the
    /// credentials among the headers, the timeout in seconds for everything from the connection to the last byte, and how
    /// many bytes of the answer's body are to be read at the most; it and `body`, which is NULL where there is none, live
    /// until the call returns.
    ///
    /// Where there is no answer, it says so with rollkeeper_reply_fail: ROLLKEEPER_OUTCOME_NOT_APPLIED
    /// where the target read nothing of the request, ROLLKEEPER_OUTCOME_AMBIGUOUS where it may have; the code is
    /// `unreachable`, `timeout`, `tls_failed`, `proxy_failed`, `blocked_address`, `redirected`, `answer_too_large` or
    /// `invalid_answer`. Calls may come from several threads at once. Must not be NULL.
    pub send: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            request: *const c_char,
            request_length: usize,
            body: *const u8,
            body_length: usize,
            reply: *mut Reply,
        ),
    >,
}

// SAFETY: `repr(C)`, the size first, and only integers, pointers and optional functions.
unsafe impl Table for TransportTable {}

/// The host's HTTP client.
pub(crate) struct HostTransport {
    context: Context,
    send: unsafe extern "C" fn(*mut c_void, *const c_char, usize, *const u8, usize, *mut Reply),
    engine: u64,
}

impl HostTransport {
    /// Takes the table over.
    ///
    /// # Safety
    /// As [`read_table`]; the functions may be called from any thread until the context is freed.
    pub(crate) unsafe fn take(table: *const TransportTable, engine: u64) -> Result<Self, Fault> {
        // SAFETY: the promise is handed on.
        let table = unsafe { read_table(table, offset_of!(TransportTable, send), "transport") }?;
        let context = Context::new(table.context, table.free_context);
        let send = table.send.ok_or_else(|| null("transport.send"))?;
        Ok(Self { context, send, engine })
    }
}

impl Http for HostTransport {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        // It is wiped when dropped: the credentials stand in it.
        let text = Secret::new(text_of(request));
        let body = request.body.as_deref();
        let (start, length) = body.map_or((nothing(), 0), |body| (body.as_ptr(), body.len()));
        let mut reply = Reply::default();
        serve(self.engine, || {
            let text = text.reveal();
            // SAFETY: request, body and reply live until the call returns; the host promised that the function may be called.
            unsafe {
                let context = self.context.pointer();
                (self.send)(context, text.as_ptr().cast(), text.len(), start, length, &raw mut reply);
            }
        });
        match reply.into_answer() {
            Answer::Response(response) => Ok(response),
            Answer::Failure(error) => {
                let code = Code::from_name(&error.code).unwrap_or(Code::Unreachable);
                Err(HttpError { sent: error.outcome != Outcome::NotApplied, code, message: error.message })
            }
            Answer::Nothing | Answer::Text(_) => {
                Err(HttpError::sent(Code::InvalidAnswer, "the host's transport gave no answer"))
            }
        }
    }
}

fn text_of(request: &Request) -> String {
    let given = request.headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
    let mut headers: Map<String, Value> = given.collect();
    if let Some(authorization) = &request.authorization {
        headers.insert("authorization".to_owned(), Value::from(authorization.reveal()));
    }
    let timeout = request.timeout.to_std().as_secs_f64();
    let method = request.method.name();
    json!({
        "method": method, "url": request.url, "headers": headers, "timeout": timeout, "largest_answer": LARGEST_ANSWER,
    })
    .to_string()
}
