//! Users: the records of the source directory.

use crate::boundary::{document, guard, optional_document, optional_output, optional_text, output, text};
use crate::failure::Failure;
use crate::filter::read_filter;
use crate::handle::{EngineHandle, Entered, enter};
use crate::iterator::IteratorHandle;
use crate::status::Status;
use engine::model::{User, UserFilter};
use std::ffi::c_char;

/// Stores a user's record, a JSON document, and makes the requests that the change asks for. Gives them as an iterator;
/// `requests` may be NULL where nobody asks. `by` says who asked for it, as the host asserts, or is NULL.
///
/// Fails with ROLLKEEPER_INVALID_JSON, ROLLKEEPER_MISSING_ID, ROLLKEEPER_INVALID_ID, ROLLKEEPER_INVALID_TIME,
/// ROLLKEEPER_INVALID_DOCUMENT, ROLLKEEPER_ACTIVE_REQUIRED, or the codes of the store.
///
/// # Safety
/// `engine` is valid; `user` leads to `user_length` bytes; `by` is NULL or ends with NUL; `requests` is NULL or may
/// be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_put_user(
    engine: *mut EngineHandle,
    user: *const c_char,
    user_length: usize,
    by: *const c_char,
    requests: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("put_user", error, || {
            let requests = optional_output(requests);
            let entered = enter(engine)?;
            let user = document(user, user_length, "user")?;
            let by = optional_text(by, "by")?;
            let made = entered.put_user(User::from_json(user)?, by)?;
            if let Some(requests) = requests {
                requests.put_object(IteratorHandle::of(made));
            }
            Ok(())
        })
    }
}

/// Stores many users, each record on its own. `users` is a JSON list or one JSON object a line. Gives JSON with
/// `stored`, `unchanged`, `requests` and `faults`: a bad record stops nobody else. `by` says who asked for it, as the
/// host asserts, or is NULL.
///
/// # Safety
/// `engine` is valid; `users` leads to `users_length` bytes; `by` is NULL or ends with NUL; `result` may be written;
/// `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_put_users(
    engine: *mut EngineHandle,
    users: *const c_char,
    users_length: usize,
    by: *const c_char,
    result: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("put_users", error, || {
            let result = output(result, "result")?;
            let entered = enter(engine)?;
            let users = document(users, users_length, "users")?;
            let by = optional_text(by, "by")?;
            result.put_record(&entered.put_users(users, by)?)
        })
    }
}

/// Stores users as rollkeeper_engine_put_users does, from the list of all users there are: who is not in it has left. The
/// JSON also has `snapshot` with `verdict`, `why`, `leavers`, `noted`, `held` and `reconciliation`: who is absent leaves when
/// a second list, at least ten minutes later, is without them too, and a list that looks like a mistake waits for a second
/// person.
///
/// # Safety
/// `engine` is valid; `users` leads to `users_length` bytes; `by` is NULL or ends with NUL; `result` may be written;
/// `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_put_users_snapshot(
    engine: *mut EngineHandle,
    users: *const c_char,
    users_length: usize,
    by: *const c_char,
    result: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("put_users", error, || {
            let result = output(result, "result")?;
            let entered = enter(engine)?;
            let users = document(users, users_length, "users")?;
            let by = optional_text(by, "by")?;
            result.put_record(&entered.put_users_snapshot(users, by)?)
        })
    }
}

/// Says that the user has left the directory. Gives the requests made as an iterator; `requests` may be NULL where
/// nobody asks. `by` says who asked for it, as the host asserts, or is NULL.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `by` is NULL or ends with NUL; `requests` is NULL or may be written;
/// `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_delete_user(
    engine: *mut EngineHandle,
    id: *const c_char,
    by: *const c_char,
    requests: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("delete_user", error, || {
            let requests = optional_output(requests);
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let by = optional_text(by, "by")?;
            let made = entered.delete_user(id, by)?;
            if let Some(requests) = requests {
                requests.put_object(IteratorHandle::of(made));
            }
            Ok(())
        })
    }
}

/// Gives the user as stored, as JSON.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `user` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_user(
    engine: *const EngineHandle,
    id: *const c_char,
    user: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("user", error, || {
            let user = output(user, "user")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            user.put_record(&entered.user(id)?)
        })
    }
}

/// Gives users by id, as an iterator of JSON documents. `filter` is NULL or a JSON object with `limit` and `after`.
///
/// Fails with ROLLKEEPER_INVALID_JSON, ROLLKEEPER_UNKNOWN_KEY or ROLLKEEPER_INVALID_DOCUMENT.
///
/// # Safety
/// `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `users` may be written; `error` is NULL or
/// may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_users(
    engine: *const EngineHandle,
    filter: *const c_char,
    filter_length: usize,
    users: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("users", error, || {
            let users = output(users, "users")?;
            let entered = enter(engine)?;
            let filter = optional_document(filter, filter_length, "filter")?;
            let filter: UserFilter = read_filter(filter)?;
            users.put_object(users_of(&entered, filter));
            Ok(())
        })
    }
}

fn users_of(entered: &Entered, mut filter: UserFilter) -> IteratorHandle {
    IteratorHandle::paged(entered.shared(), filter.limit, move |engine, wanted| {
        filter.limit = Some(wanted);
        let page = engine.users(&filter)?;
        filter.after = page.last().map(|user| user.id.as_str().to_owned());
        Ok(page)
    })
}
