//! Evidence: accounts as last seen, why things are as they are, and the log.

use crate::boundary::{guard, optional_document, output, text};
use crate::failure::Failure;
use crate::filter::read_filter;
use crate::handle::{EngineHandle, Entered, enter};
use crate::iterator::IteratorHandle;
use crate::status::Status;
use engine::model::{AccountFilter, LogFilter};
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
