//! Requests: what is to be done at the targets, and what people decide about it.

use crate::boundary::{guard, optional_document, optional_text, output, text};
use crate::failure::Failure;
use crate::filter::read_filter;
use crate::handle::{EngineHandle, Entered, enter};
use crate::iterator::IteratorHandle;
use crate::status::Status;
use engine::model::RequestFilter;
use engine::{Code, Fault, Operation, Timestamp};
use std::ffi::c_char;

/// Gives requests by id, which is by time of making, as an iterator of JSON records. `filter` is NULL or a JSON object
/// with any of `app`, `user`, `state`, `operation`, `waiting_for`, `limit`, `after`.
///
/// Fails with ROLLKEEPER_INVALID_JSON, ROLLKEEPER_UNKNOWN_KEY, ROLLKEEPER_UNKNOWN_STATE,
/// ROLLKEEPER_UNKNOWN_OPERATION, ROLLKEEPER_INVALID_ARGUMENT or ROLLKEEPER_INVALID_DOCUMENT.
///
/// # Safety
/// `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `requests` may be written; `error` is NULL
/// or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_requests(
    engine: *const EngineHandle,
    filter: *const c_char,
    filter_length: usize,
    requests: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("requests", error, || {
            let requests = output(requests, "requests")?;
            let entered = enter(engine)?;
            let filter = optional_document(filter, filter_length, "filter")?;
            let filter: RequestFilter = read_filter(filter)?;
            requests.put_object(requests_of(&entered, filter));
            Ok(())
        })
    }
}

/// Gives one request with its attempts (`history`), as JSON.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `request` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_request(
    engine: *const EngineHandle,
    id: *const c_char,
    request: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("request", error, || {
            let request = output(request, "request")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            request.put_record(&entered.request(id)?)
        })
    }
}

/// Asks for an operation by hand. `operation` is a name such as `Update`; `not_before` an RFC 3339 time before which
/// nothing is sent, or NULL. Gives the request as JSON. `by` says who asked for it, as the host asserts, or is NULL.
///
/// Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_UNKNOWN_OPERATION, ROLLKEEPER_OPERATION_OFF or
/// ROLLKEEPER_INVALID_TIME.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `user` ends with NUL; `operation` ends with NUL; `by` is NULL or ends with
/// NUL; `not_before` is NULL or ends with NUL; `request` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_submit(
    engine: *mut EngineHandle,
    app: *const c_char,
    user: *const c_char,
    operation: *const c_char,
    by: *const c_char,
    not_before: *const c_char,
    request: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("submit", error, || {
            let request = output(request, "request")?;
            let entered = enter(engine)?;
            let app = text(app, "app")?;
            let user = text(user, "user")?;
            let operation = text(operation, "operation")?;
            let by = optional_text(by, "by")?;
            let not_before = optional_text(not_before, "not_before")?;
            let operation = Operation::from_name(operation)
                .ok_or_else(|| Fault::new(Code::UnknownOperation, "there is no such operation").at("operation"))?;
            let not_before = not_before.map(Timestamp::parse).transpose().map_err(|fault| fault.at("not_before"))?;
            request.put_record(&entered.submit(app, user, operation, by, not_before)?)
        })
    }
}

/// Cancels a request that has not been sent. Gives it as JSON. `by` says who asked for it, as the host asserts, or is
/// NULL.
///
/// Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_INVALID_TRANSITION.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `by` is NULL or ends with NUL; `request` may be written; `error` is NULL or
/// may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_cancel(
    engine: *mut EngineHandle,
    id: *const c_char,
    by: *const c_char,
    request: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("cancel", error, || {
            let request = output(request, "request")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let by = optional_text(by, "by")?;
            request.put_record(&entered.cancel(id, by)?)
        })
    }
}

/// Agrees to a request. `by` says who; `comment` may be NULL. Gives the request as JSON.
///
/// Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_TRANSITION, or ROLLKEEPER_FOUR_EYES where the same person
/// asked for it.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `by` ends with NUL; `comment` is NULL or ends with NUL; `request` may be
/// written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_approve(
    engine: *mut EngineHandle,
    id: *const c_char,
    by: *const c_char,
    comment: *const c_char,
    request: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("approve", error, || {
            let request = output(request, "request")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let by = text(by, "by")?;
            let comment = optional_text(comment, "comment")?;
            request.put_record(&entered.approve(id, by, comment)?)
        })
    }
}

/// Refuses a request. `by` says who; `comment` may be NULL. Gives the request as JSON.
///
/// Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_INVALID_TRANSITION.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `by` ends with NUL; `comment` is NULL or ends with NUL; `request` may be
/// written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_deny(
    engine: *mut EngineHandle,
    id: *const c_char,
    by: *const c_char,
    comment: *const c_char,
    request: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("deny", error, || {
            let request = output(request, "request")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let by = text(by, "by")?;
            let comment = optional_text(comment, "comment")?;
            request.put_record(&entered.deny(id, by, comment)?)
        })
    }
}

/// Has a failed request tried again. Gives the new request, a clone, as JSON. `by` says who asked for it.
///
/// Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_INVALID_TRANSITION.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `by` ends with NUL; `request` may be written; `error` is NULL or may be
/// written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_retry(
    engine: *mut EngineHandle,
    id: *const c_char,
    by: *const c_char,
    request: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("retry", error, || {
            let request = output(request, "request")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let by = text(by, "by")?;
            request.put_record(&entered.retry(id, by)?)
        })
    }
}

/// Says that a person did what a failed request was for. `note` tells how; `external_id` is the account, or NULL. Gives
/// the request as JSON. `by` says who did it.
///
/// Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_INVALID_TRANSITION.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `by` ends with NUL; `note` ends with NUL; `external_id` is NULL or ends
/// with NUL; `request` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_complete_manually(
    engine: *mut EngineHandle,
    id: *const c_char,
    by: *const c_char,
    note: *const c_char,
    external_id: *const c_char,
    request: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("complete_manually", error, || {
            let request = output(request, "request")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let by = text(by, "by")?;
            let note = text(note, "note")?;
            let external_id = optional_text(external_id, "external_id")?;
            request.put_record(&entered.complete_manually(id, by, note, external_id)?)
        })
    }
}

fn requests_of(entered: &Entered, mut filter: RequestFilter) -> IteratorHandle {
    IteratorHandle::paged(entered.shared(), filter.limit, move |engine, wanted| {
        filter.limit = Some(wanted);
        let page = engine.requests(&filter)?;
        filter.after = page.last().map(|request| request.id.as_str().to_owned());
        Ok(page)
    })
}
