//! Evidence: accounts as last seen, why things are as they are, and the log.

use crate::boundary::{guard, optional_document, optional_text, output, text};
use crate::failure::Failure;
use crate::filter::read_filter;
use crate::handle::{EngineHandle, Entered, enter};
use crate::iterator::IteratorHandle;
use crate::status::Status;
use engine::model::{AccountFilter, App, LogFilter, User};
use engine::{Code, Fault, StoredOr};
use std::ffi::c_char;

/// Gives accounts by app and external id, as an iterator of JSON records. `filter` is NULL or a JSON object with any of
/// `app`, `user`, `status`, `link_state`, `limit`, `after` (a list of app and external id).
///
/// Fails as rollkeeper_engine_requests.
///
/// # Safety
/// `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `accounts` may be written; `error` is NULL
/// or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_accounts(
    engine: *const EngineHandle,
    filter: *const c_char,
    filter_length: usize,
    accounts: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("accounts", error, || {
            let accounts = output(accounts, "accounts")?;
            let entered = enter(engine)?;
            let filter = optional_document(filter, filter_length, "filter")?;
            let filter: AccountFilter = read_filter(filter)?;
            accounts.put_object(accounts_of(&entered, filter));
            Ok(())
        })
    }
}

/// Gives what would be sent for a user, and how each value came about, as JSON. Nothing is sent.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `user` ends with NUL; `preview` may be written; `error` is NULL or may be
/// written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_preview(
    engine: *const EngineHandle,
    app: *const c_char,
    user: *const c_char,
    preview: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("preview", error, || {
            let preview = output(preview, "preview")?;
            let entered = enter(engine)?;
            let app = text(app, "app")?;
            let user = text(user, "user")?;
            preview.put_record(&entered.preview(app, user)?)
        })
    }
}

/// As rollkeeper_engine_preview, where the app and the user may be documents that are not stored: exactly one of
/// `app_id` and `app` is given and the other is NULL, and one of `user_id` and `user`. A definition can so be tried before
/// it is put. Nothing is stored, nothing is sent, and no connector is asked.
///
/// Fails as rollkeeper_engine_preview, as rollkeeper_engine_put_app and rollkeeper_engine_put_user where a document cannot
/// be read or is at fault, and with ROLLKEEPER_INVALID_ARGUMENT where both or neither of two is given.
///
/// # Safety
/// `engine` is valid; `app_id` and `user_id` are NULL or end with NUL; `app` is NULL or leads to `app_length` bytes,
/// `user` to `user_length`; `preview` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_preview_documents(
    engine: *const EngineHandle,
    app_id: *const c_char,
    app: *const c_char,
    app_length: usize,
    user_id: *const c_char,
    user: *const c_char,
    user_length: usize,
    preview: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("preview", error, || {
            let preview = output(preview, "preview")?;
            let entered = enter(engine)?;
            let app_id = optional_text(app_id, "app_id")?;
            let app = optional_document(app, app_length, "app")?;
            let user_id = optional_text(user_id, "user_id")?;
            let user = optional_document(user, user_length, "user")?;
            let app = stored_or("app", app_id, app, App::from_json)?;
            let user = stored_or("user", user_id, user, User::from_json)?;
            preview.put_record(&entered.preview(app, user)?)
        })
    }
}

/// What is given by id or as a document.
fn stored_or<'a, T>(
    name: &str,
    id: Option<&'a str>,
    document: Option<&[u8]>,
    read: impl FnOnce(&[u8]) -> Result<T, Fault>,
) -> Result<StoredOr<'a, T>, Fault> {
    match (id, document) {
        (Some(id), None) => Ok(StoredOr::Id(id)),
        (None, Some(document)) => Ok(StoredOr::Document(Box::new(read(document)?))),
        _ => {
            let message = format!("exactly one of `{name}_id` and `{name}` must be given");
            Err(Fault::new(Code::InvalidArgument, message).at(name))
        }
    }
}

/// Gives why a user has what they have in an app, as JSON.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `user` ends with NUL; `explanation` may be written; `error` is NULL or may
/// be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_explain(
    engine: *const EngineHandle,
    app: *const c_char,
    user: *const c_char,
    explanation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("explain", error, || {
            let explanation = output(explanation, "explanation")?;
            let entered = enter(engine)?;
            let app = text(app, "app")?;
            let user = text(user, "user")?;
            explanation.put_record(&entered.explain(app, user)?)
        })
    }
}

/// Gives log entries by number, as an iterator of JSON records. `filter` is NULL or a JSON object with any of `app`,
/// `user`, `request`, `limit`, `after`.
///
/// Fails as rollkeeper_engine_requests.
///
/// # Safety
/// `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `entries` may be written; `error` is NULL
/// or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_log(
    engine: *const EngineHandle,
    filter: *const c_char,
    filter_length: usize,
    entries: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("log", error, || {
            let entries = output(entries, "entries")?;
            let entered = enter(engine)?;
            let filter = optional_document(filter, filter_length, "filter")?;
            let filter: LogFilter = read_filter(filter)?;
            entries.put_object(log_of(&entered, filter));
            Ok(())
        })
    }
}

/// Says whether the log's chain holds, as JSON with `whole`, `entries`, `head` and `broken_at`. A broken chain is an
/// answer, not a failure.
///
/// # Safety
/// `engine` is valid; `verdict` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_verify_log(
    engine: *const EngineHandle,
    verdict: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("verify_log", error, || {
            let verdict = output(verdict, "verdict")?;
            let entered = enter(engine)?;
            verdict.put_record(&entered.verify_log()?)
        })
    }
}

/// Gives the tiles of a user, one for each app in which they can work, as an iterator of JSON records.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `user` ends with NUL; `tiles` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_launcher(
    engine: *const EngineHandle,
    user: *const c_char,
    tiles: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("launcher", error, || {
            let tiles = output(tiles, "tiles")?;
            let entered = enter(engine)?;
            let user = text(user, "user")?;
            tiles.put_object(IteratorHandle::of(entered.launcher(user)?));
            Ok(())
        })
    }
}

fn accounts_of(entered: &Entered, mut filter: AccountFilter) -> IteratorHandle {
    IteratorHandle::paged(entered.shared(), filter.limit, move |engine, wanted| {
        filter.limit = Some(wanted);
        let page = engine.accounts(&filter)?;
        filter.after = page.last().map(|account| (account.app.as_str().to_owned(), account.external_id.clone()));
        Ok(page)
    })
}

fn log_of(entered: &Entered, mut filter: LogFilter) -> IteratorHandle {
    IteratorHandle::paged(entered.shared(), filter.limit, move |engine, wanted| {
        filter.limit = Some(wanted);
        let page = engine.log(&filter)?;
        filter.after = page.last().map(|entry| entry.sequence);
        Ok(page)
    })
}
