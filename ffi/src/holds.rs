//! Holding back: what a person holds and resumes, and the maintenance of a target.

use crate::boundary::{guard, optional_text, output, text};
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter};
use crate::iterator::IteratorHandle;
use crate::status::Status;
use engine::model::HoldScope;
use std::ffi::c_char;

/// Holds an app, a user, one user in one app, or one request: nothing of it is sent until it is resumed, removals of
/// access neither. `app` and `user` may be NULL where they are not meant; `request` stands alone. `by` says who holds
/// it, `reason` why. Gives the hold as JSON; what was held already stays as it was.
///
/// Fails with ROLLKEEPER_INVALID_ARGUMENT where nothing is named, or a request together with something else, or no
/// reason; ROLLKEEPER_NOT_FOUND; ROLLKEEPER_INVALID_TRANSITION where the request is finished.
///
/// # Safety
/// `engine` is valid; `app`, `user` and `request` are NULL or end with NUL; `by` and `reason` end with NUL; `hold` may
/// be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_hold(
    engine: *mut EngineHandle,
    app: *const c_char,
    user: *const c_char,
    request: *const c_char,
    by: *const c_char,
    reason: *const c_char,
    hold: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("hold", error, || {
            let hold = output(hold, "hold")?;
            let entered = enter(engine)?;
            let app = optional_text(app, "app")?;
            let user = optional_text(user, "user")?;
            let request = optional_text(request, "request")?;
            let by = text(by, "by")?;
            let reason = text(reason, "reason")?;
            hold.put_record(&entered.hold(&scope(app, user, request), by, reason)?)
        })
    }
}

/// Ends the hold of exactly that scope. Gives it as JSON, or the text `null` where that was not held. What another hold
/// names stays held. `by` says who resumes it.
///
/// Fails as rollkeeper_engine_hold does.
///
/// # Safety
/// `engine` is valid; `app`, `user` and `request` are NULL or end with NUL; `by` ends with NUL; `hold` may be written;
/// `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_resume(
    engine: *mut EngineHandle,
    app: *const c_char,
    user: *const c_char,
    request: *const c_char,
    by: *const c_char,
    hold: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("resume", error, || {
            let hold = output(hold, "hold")?;
            let entered = enter(engine)?;
            let app = optional_text(app, "app")?;
            let user = optional_text(user, "user")?;
            let request = optional_text(request, "request")?;
            let by = text(by, "by")?;
            hold.put_record(&entered.resume(&scope(app, user, request), by)?)
        })
    }
}

/// Gives everything that is held, the longest held first, as an iterator of JSON records.
///
/// # Safety
/// `engine` is valid; `holds` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_holds(
    engine: *const EngineHandle,
    holds: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("holds", error, || {
            let holds = output(holds, "holds")?;
            let entered = enter(engine)?;
            holds.put_object(IteratorHandle::of(entered.holds()?));
            Ok(())
        })
    }
}

/// Begins or ends the maintenance of an app's target. While it lasts nothing is sent, and requests wait. `by` says who
/// asked for it. Said twice, it changes nothing.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `app` and `by` end with NUL; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_set_maintenance(
    engine: *mut EngineHandle,
    app: *const c_char,
    on: bool,
    by: *const c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("set_maintenance", error, || {
            let entered = enter(engine)?;
            let app = text(app, "app")?;
            let by = text(by, "by")?;
            entered.set_maintenance(app, on, by)?;
            Ok(())
        })
    }
}

fn scope(app: Option<&str>, user: Option<&str>, request: Option<&str>) -> HoldScope {
    HoldScope { app: app.map(str::to_owned), user: user.map(str::to_owned), request: request.map(str::to_owned) }
}
