//! The line between C and Rust: one guard around every function, what comes in is checked, what goes out is written
//! last and only on success.

use crate::failure::{Failure, c_text};
use crate::status::{ROLLKEEPER_OK, Status};
use engine::value::canonical;
use engine::{Code, Error, Fault};
use serde::Serialize;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// Why a function's body ended early; the guard makes the error object of it.
pub(crate) enum Problem {
    Faults(Vec<Fault>),
    Error(Box<Error>),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Faults(vec![fault])
    }
}

impl From<Vec<Fault>> for Problem {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Faults(faults)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

/// Runs the body of one exported function: a problem or a panic becomes a status and, where the caller wants one, an
/// error object.
///
/// # Safety
/// `error` is NULL or may be written.
pub(crate) unsafe fn guard(
    operation: &'static str,
    error: *mut *mut Failure,
    body: impl FnOnce() -> Result<(), Problem>,
) -> Status {
    // SAFETY: the promise is handed on.
    unsafe { guard_status(operation, error, || body().map(|()| ROLLKEEPER_OK)) }
}

/// As [`guard`], for a body that has more than one good end.
///
/// # Safety
/// `error` is NULL or may be written.
pub(crate) unsafe fn guard_status(
    operation: &'static str,
    error: *mut *mut Failure,
    body: impl FnOnce() -> Result<Status, Problem>,
) -> Status {
    let failure = match contain(body) {
        Some(Ok(status)) => return status,
        Some(Err(Problem::Faults(faults))) => Error::of_faults(operation, faults),
        Some(Err(Problem::Error(failure))) => *failure,
        None => Error::new(operation, Fault::new(Code::Panic, "a panic was caught; the engine can only be freed")),
    };
    let failure = Failure::new(&failure);
    let number = failure.number();
    if let Some(place) = NonNull::new(error) {
        // SAFETY: the caller promises that a non-NULL `error` may be written.
        unsafe { place.write(Box::into_raw(Box::new(failure))) };
    }
    number
}

/// Runs `body` and keeps a panic from going further; gives nothing where there was one.
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Option<T> {
    let payload = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => return Some(value),
        Err(payload) => payload,
    };
    // A payload may panic while it is dropped. The second payload is leaked: dropping it could go on for ever.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    None
}

pub(crate) fn null(name: &str) -> Fault {
    Fault::new(Code::NullArgument, format!("`{name}` is NULL")).at(name)
}

/// A handle behind a pointer.
///
/// # Safety
/// `pointer` is NULL or valid for as long as the result is used.
pub(crate) unsafe fn handle<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Fault> {
    // SAFETY: the caller gives NULL or a valid pointer.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// A handle behind a pointer, for its one user.
///
/// # Safety
/// `pointer` is NULL, or valid and used by nobody else for as long as the result is used.
pub(crate) unsafe fn handle_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Fault> {
    // SAFETY: the caller gives NULL or a valid pointer.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// NUL-terminated UTF-8.
///
/// # Safety
/// `pointer` is NULL or leads to text that ends with NUL and stays as it is while the result is used.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Fault> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: it is not NULL, and the caller promises a NUL at the end.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|error| not_utf8(name, error.valid_up_to()))
}

/// NUL-terminated UTF-8, or NULL for nothing.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>, Fault> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the promise is handed on.
    unsafe { text(pointer, name) }.map(Some)
}

/// A document: UTF-8 by pointer and length.
///
/// # Safety
/// `pointer` is NULL or leads to `length` bytes that stay as they are while the result is used.
pub(crate) unsafe fn document<'a>(pointer: *const c_char, length: usize, name: &str) -> Result<&'a [u8], Fault> {
    // SAFETY: the promise is handed on.
    unsafe { document_text(pointer, length, name) }.map(str::as_bytes)
}

/// A document as text.
///
/// # Safety
/// As [`document`].
pub(crate) unsafe fn document_text<'a>(pointer: *const c_char, length: usize, name: &str) -> Result<&'a str, Fault> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the promise is handed on.
    let bytes = unsafe { bytes(pointer.cast(), length, name) }?;
    std::str::from_utf8(bytes).map_err(|error| not_utf8(name, error.valid_up_to()))
}

/// Bytes by pointer and length, or NULL for none.
///
/// # Safety
/// As [`document`].
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, length: usize, name: &str) -> Result<&'a [u8], Fault> {
    if pointer.is_null() {
        return Ok(&[]);
    }
    if isize::try_from(length).is_err() {
        return Err(
            Fault::new(Code::TooLarge, format!("the length of `{name}` is beyond what memory can hold")).at(name)
        );
    }
    // SAFETY: it is not NULL, the length is at most `isize::MAX`, and the caller promises that many bytes.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// A document, or NULL for nothing.
///
/// # Safety
/// As [`document`].
pub(crate) unsafe fn optional_document<'a>(
    pointer: *const c_char,
    length: usize,
    name: &str,
) -> Result<Option<&'a [u8]>, Fault> {
    // SAFETY: the promise is handed on.
    unsafe { optional_document_text(pointer, length, name) }.map(|text| text.map(str::as_bytes))
}

/// A document as text, or NULL for nothing.
///
/// # Safety
/// As [`document`].
pub(crate) unsafe fn optional_document_text<'a>(
    pointer: *const c_char,
    length: usize,
    name: &str,
) -> Result<Option<&'a str>, Fault> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the promise is handed on.
    unsafe { document_text(pointer, length, name) }.map(Some)
}

fn not_utf8(name: &str, byte: usize) -> Fault {
    Fault::new(Code::InvalidUtf8, format!("`{name}` is not UTF-8 at byte {byte}")).at(name)
}

/// A place for one output, checked before any work is done and written after all of it.
pub(crate) struct Output<T>(NonNull<T>);

/// The place for an output that must be wanted.
///
/// # Safety
/// `place` is NULL or may be written until the exported function returns.
pub(crate) unsafe fn output<T>(place: *mut T, name: &str) -> Result<Output<T>, Fault> {
    NonNull::new(place).map(Output).ok_or_else(|| null(name))
}

/// The place for an output that the caller may leave out with NULL.
///
/// # Safety
/// As [`output`].
pub(crate) unsafe fn optional_output<T>(place: *mut T) -> Option<Output<T>> {
    NonNull::new(place).map(Output)
}

impl<T> Output<T> {
    /// Writes the output.
    pub(crate) fn put(self, value: T) {
        // SAFETY: `output` and `optional_output` take the promise that the place may be written.
        unsafe { self.0.write(value) };
    }
}

impl<T> Output<*mut T> {
    /// Hands an object over to C, which frees it with the object's `_free`.
    pub(crate) fn put_object(self, object: T) {
        self.put(Box::into_raw(Box::new(object)));
    }
}

impl Output<*mut c_char> {
    /// Hands text over to C, which frees it with [`rollkeeper_string_free`].
    pub(crate) fn put_text(self, text: &str) {
        self.put(c_text(text).into_raw());
    }

    /// Hands a record over to C as canonical JSON text.
    pub(crate) fn put_record(self, record: &impl Serialize) -> Result<(), Problem> {
        self.put_text(&json_text(record)?);
        Ok(())
    }
}

/// A record as canonical JSON.
pub(crate) fn json_text(record: &impl Serialize) -> Result<String, Fault> {
    let value =
        serde_json::to_value(record).map_err(|_| Fault::new(Code::Internal, "a record cannot be written as JSON"))?;
    Ok(canonical(&value))
}

/// Frees text that a function of this library gave. NULL is fine.
///
/// # Safety
/// `text` is NULL or came from a `char **` output of this library and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: such text came from `CString::into_raw` in `put_text` and is given back once.
        drop(unsafe { CString::from_raw(text) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{rollkeeper_error_code, rollkeeper_error_free};

    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn a_panic_becomes_a_status_even_where_its_payload_panics_again() {
        let mut error = std::ptr::null_mut();
        // SAFETY: `error` may be written.
        let status = unsafe { guard("test", &raw mut error, || std::panic::panic_any(PanicsOnDrop)) };
        assert_eq!(status, crate::status::ROLLKEEPER_PANIC);
        // SAFETY: the error was just made and is freed once.
        unsafe {
            assert_eq!(CStr::from_ptr(rollkeeper_error_code(error)).to_str().unwrap(), "panic");
            rollkeeper_error_free(error);
        }
    }

    #[test]
    fn a_failure_without_a_place_for_the_error_still_gives_its_number() {
        // SAFETY: NULL is allowed.
        let status = unsafe { guard("test", std::ptr::null_mut(), || Err(null("x").into())) };
        assert_eq!(status, crate::status::ROLLKEEPER_NULL_ARGUMENT);
    }

    #[test]
    fn a_length_beyond_memory_is_refused_before_it_is_read() {
        // SAFETY: the length is refused, so that nothing is read.
        let fault = unsafe { document(c"x".as_ptr(), usize::MAX, "user") }.unwrap_err();
        assert_eq!(fault.code, Code::TooLarge);
    }
}
