//! The error object: an owned, opaque handle with accessors. Its text lives as long as the object.

use crate::status::Status;
use engine::Error;
use std::ffi::{CString, c_char};

/// Why a call failed. It may be read from several threads at once.
pub struct Failure {
    number: Status,
    code: CString,
    retry: CString,
    message: CString,
    json: CString,
}

impl Failure {
    pub(crate) fn new(error: &Error) -> Self {
        Self {
            number: Status::from(error.code().number()),
            code: c_text(error.code().name()),
            retry: c_text(error.retry().name()),
            message: c_text(&error.to_string()),
            json: c_text(&error.to_json()),
        }
    }

    pub(crate) fn number(&self) -> Status {
        self.number
    }
}

/// Text for C. A NUL inside would end it early, so it is shown as U+FFFD instead.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text).or_else(|_| CString::new(text.replace('\0', "\u{fffd}"))).unwrap_or_default()
}

/// The failure's number, one of the ROLLKEEPER_* constants; 0 for NULL.
///
/// # Safety
/// `error` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_error_number(error: *const Failure) -> Status {
    // SAFETY: the caller gives NULL or a valid error.
    unsafe { error.as_ref() }.map_or(0, |failure| failure.number)
}

/// The failure's stable name, such as `not_found`; NULL for NULL. The text lives as long as the error.
///
/// # Safety
/// `error` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_error_code(error: *const Failure) -> *const c_char {
    // SAFETY: the caller gives NULL or a valid error.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |failure| failure.code.as_ptr())
}

/// Whether trying again can help: `now`, `later` or `never`; NULL for NULL. The text lives as long as the error.
///
/// # Safety
/// `error` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_error_retry(error: *const Failure) -> *const c_char {
    // SAFETY: the caller gives NULL or a valid error.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |failure| failure.retry.as_ptr())
}

/// What happened, in one line, without attribute values and secrets; NULL for NULL. The text lives as long as the error.
///
/// # Safety
/// `error` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_error_message(error: *const Failure) -> *const c_char {
    // SAFETY: the caller gives NULL or a valid error.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |failure| failure.message.as_ptr())
}

/// The whole error as a JSON object with `code`, `number`, `kind`, `retry`, `operation`, `message`, `details`; NULL for
/// NULL. The text lives as long as the error.
///
/// # Safety
/// `error` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_error_json(error: *const Failure) -> *const c_char {
    // SAFETY: the caller gives NULL or a valid error.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |failure| failure.json.as_ptr())
}

/// Frees an error. NULL is fine.
///
/// # Safety
/// `error` is NULL or valid; it is not valid afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_error_free(error: *mut Failure) {
    if !error.is_null() {
        // SAFETY: a valid error came from `Box::into_raw` in `boundary` and is given back once.
        drop(unsafe { Box::from_raw(error) });
    }
}
