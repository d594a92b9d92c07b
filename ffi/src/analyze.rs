//! Reconciliation as a pure function: users and accounts in, what was found out. No engine, no database.

use crate::boundary::{document_text, guard, guard_status, handle, optional_document, output, text};
use crate::failure::Failure;
use crate::status::{ROLLKEEPER_DONE, ROLLKEEPER_OK, Status};
use crate::table::{Table, read_table};
use engine::{Analysis, Code, Fault, Rows};
use std::ffi::c_char;
use std::mem::{offset_of, size_of};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Records for rollkeeper_analyze: as text or in a file, one of the two. Set it to zero, then fill in `struct_size`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Input {
    /// The size of this struct.
    pub struct_size: usize,
    /// JSON text: objects one a line, a list of objects, or SCIM answers with `Resources`; or NULL. It is copied.
    pub text: *const c_char,
    /// The number of bytes of `text`.
    pub text_length: usize,
    /// The path of a file with such text, which ends with NUL; or NULL. It must stay as it is until the analysis is freed.
    pub path: *const c_char,
}

// SAFETY: it is `repr(C)`, begins with its size, and pointers and numbers may be zero.
unsafe impl Table for Input {}

/// The smallest version of the struct.
const LEAST: usize = offset_of!(Input, path) + size_of::<*const c_char>();

/// What was found. One thread goes through it; the counts may be asked for from any.
pub struct AnalysisHandle {
    counts: String,
    analysis: Mutex<Analysis>,
}

/// Finds how users and accounts stand to each other, as a reconciliation does: every account, and every user without one, is
/// in exactly one situation. `users` are records as rollkeeper_engine_put_user takes them. `accounts` are objects with
/// `external_id` as connectors give them, or any other objects with `id`, which are then their own attributes. `links` is NULL,
/// or says which account belongs to whom: objects with `account`, `user`, `state`, `known`, `last`, `deleted`, `active`,
/// `frozen`, of which `account` is required.
///
/// `options` is NULL or a JSON object with any of `matching`, `mapping`, `assigned_to`, `scope`, `tables` and `protected`, as
/// an app has them; `links`, a list instead of the argument; `now`, an RFC 3339 time; `complete`, false where the accounts are
/// not all there are; `memory`, the number of bytes that may be used before temporary files are; `threads`, the number of threads
/// that read the records; and `findings`, the list of the situations that rollkeeper_analysis_next gives.
///
/// Fails with one error that lists every fault of the options; with ROLLKEEPER_INVALID_ARGUMENT where a file cannot be read or
/// a struct has both text and path or neither; with ROLLKEEPER_INVALID_JSON where a list does not end. A record that cannot be
/// read is no failure: the counts tell of it.
///
/// # Safety
/// `users` and `accounts` are filled in as their fields say, `links` is NULL or is too; `options` is NULL or leads to
/// `options_length` bytes; `analysis` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_analyze(
    users: *const Input,
    accounts: *const Input,
    links: *const Input,
    options: *const c_char,
    options_length: usize,
    analysis: *mut *mut AnalysisHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("analyze", error, || {
            let analysis = output(analysis, "analysis")?;
            let users = rows(users, "users")?;
            let accounts = rows(accounts, "accounts")?;
            let links = if links.is_null() { None } else { Some(rows(links, "links")?) };
            let options = optional_document(options, options_length, "options")?.unwrap_or(b"{}");
            let made = engine::analyze(users, accounts, links, options)?;
            analysis.put_object(AnalysisHandle { counts: made.counts_json(), analysis: Mutex::new(made) });
            Ok(())
        })
    }
}

/// # Safety
/// `input` is NULL or filled in as its fields say.
unsafe fn rows(input: *const Input, name: &str) -> Result<Rows, Fault> {
    // SAFETY: the promise is handed on.
    let input = unsafe { read_table(input, LEAST, name) }?;
    match (input.text.is_null(), input.path.is_null()) {
        (false, true) => {
            // SAFETY: the promise is handed on.
            let text = unsafe { document_text(input.text, input.text_length, name) }?;
            Ok(Rows::from(text))
        }
        (true, false) => {
            // SAFETY: the promise is handed on.
            let path = unsafe { text(input.path, name) }?;
            Ok(Rows::from(PathBuf::from(path)))
        }
        _ => {
            let message = format!("`{name}` must have one of `text` and `path`");
            Err(Fault::new(Code::InvalidArgument, message).at(name))
        }
    }
}

/// Gives the totals as JSON: `counts` by situation, `complete`, `repeated` (accounts with the id of one before),
/// `unreadable` (how many records take no part) and `faults`, the first thousand of those, each with `side`, `index` from 0,
/// `code` and `message`.
///
/// # Safety
/// `analysis` is valid; `counts` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_analysis_counts(
    analysis: *const AnalysisHandle,
    counts: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("analysis_counts", error, || {
            let counts = output(counts, "counts")?;
            counts.put_text(&handle(analysis, "analysis")?.counts);
            Ok(())
        })
    }
}

/// Gives the next finding as JSON, accounts in their order and then users in theirs, to be freed with
/// rollkeeper_string_free. Returns ROLLKEEPER_DONE after the last, and again whenever asked.
///
/// Fails with ROLLKEEPER_INVALID_ARGUMENT where a file can no longer be read, with ROLLKEEPER_INTERNAL where it changed.
///
/// # Safety
/// `analysis` is valid and gone through by one thread at a time; `finding` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_analysis_next(
    analysis: *mut AnalysisHandle,
    finding: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard_status("analysis_next", error, || {
            let finding = output(finding, "finding")?;
            let analysis = &handle(analysis, "analysis")?.analysis;
            let next = analysis.lock().unwrap_or_else(PoisonError::into_inner).next().transpose()?;
            Ok(match next {
                Some(text) => {
                    finding.put_text(&text);
                    ROLLKEEPER_OK
                }
                None => ROLLKEEPER_DONE,
            })
        })
    }
}

/// Frees an analysis, at its end or before. NULL is fine.
///
/// # Safety
/// `analysis` is NULL or valid; it is not valid afterwards, and no other function is using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_analysis_free(analysis: *mut AnalysisHandle) {
    if !analysis.is_null() {
        // SAFETY: a valid analysis came from `Box::into_raw` and is given back once.
        drop(unsafe { Box::from_raw(analysis) });
    }
}
