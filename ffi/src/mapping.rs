//! A compiled mapping: from a user's JSON to the JSON of a new account, for one user or for many.

use crate::boundary::{document, guard, handle, null, optional_output, optional_text, output};
use crate::failure::Failure;
use crate::pure::time;
use crate::status::Status;
use engine::mapping::Mapping;
use std::ffi::c_char;

/// A compiled mapping. It may be used from any thread and from several at once.
pub struct MappingHandle(Mapping);

/// Compiles a mapping, a JSON list of rules as an app has it, to be rendered many times.
///
/// Fails with one error that lists every fault: ROLLKEEPER_INVALID_JSON, ROLLKEEPER_INVALID_DOCUMENT and
/// ROLLKEEPER_UNKNOWN_KEY, and the codes of mappings and expressions.
///
/// # Safety
/// `rules` leads to `rules_length` bytes; `mapping` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mapping_compile(
    rules: *const c_char,
    rules_length: usize,
    mapping: *mut *mut MappingHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mapping_compile", error, || {
            let mapping = output(mapping, "mapping")?;
            let rules = document(rules, rules_length, "rules")?;
            mapping.put_object(MappingHandle(Mapping::from_json(rules)?));
            Ok(())
        })
    }
}

/// Writes the attributes of a new account for a user into `buffer`, as JSON that ends with NUL: the `attributes` of
/// rollkeeper_render, and much faster. `length` gets the length without the NUL. Where that is not less than `capacity`
/// the text did not fit, and nothing is written to `buffer`: call again with more. `buffer` may be NULL where `capacity`
/// is 0. `now` is as for rollkeeper_evaluate.
///
/// Fails with one error that lists every fault.
///
/// # Safety
/// `mapping` is valid; `user` leads to `user_length` bytes; `now` is NULL or ends with NUL; `buffer` may be written for
/// `capacity` bytes; `length` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mapping_render(
    mapping: *const MappingHandle,
    user: *const c_char,
    user_length: usize,
    now: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mapping_render", error, || {
            let length = output(length, "length")?;
            let mapping = handle(mapping, "mapping")?;
            let user = document(user, user_length, "user")?;
            let now = optional_text(now, "now")?;
            if buffer.is_null() && capacity > 0 {
                return Err(null("buffer").into());
            }
            // What is written is rarely longer than what it is made of.
            let mut payload = String::with_capacity(user.len());
            mapping.0.payload(user, time(now)?, &mut payload)?;
            if payload.len() < capacity {
                // SAFETY: `capacity` bytes may be written, and the payload with its NUL takes no more. The payload is
                // memory of our own, so that the two do not overlap.
                std::ptr::copy_nonoverlapping(payload.as_ptr().cast(), buffer, payload.len());
                // SAFETY: as above; this is the last of those bytes.
                buffer.add(payload.len()).write(0);
            }
            length.put(payload.len());
            Ok(())
        })
    }
}

/// Does so for many users, one a line, and gives one line for each, in their order: `{"attributes":…}`, or
/// `{"faults":[…]}` with the faults of that user alone. A line break at the very end begins no further line; a line
/// without a user is one with a fault. `lines` is freed with rollkeeper_string_free; `lines_length` may be NULL.
///
/// # Safety
/// `mapping` is valid; `users` leads to `users_length` bytes; `now` is NULL or ends with NUL; `lines` may be written;
/// `lines_length` is NULL or may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mapping_render_lines(
    mapping: *const MappingHandle,
    users: *const c_char,
    users_length: usize,
    now: *const c_char,
    lines: *mut *mut c_char,
    lines_length: *mut usize,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mapping_render_lines", error, || {
            let lines = output(lines, "lines")?;
            let mapping = handle(mapping, "mapping")?;
            let users = document(users, users_length, "users")?;
            let now = optional_text(now, "now")?;
            let mut payloads = String::with_capacity(users.len());
            mapping.0.payload_lines(users, time(now)?, &mut payloads);
            if let Some(length) = optional_output(lines_length) {
                length.put(payloads.len());
            }
            lines.put_text(&payloads);
            Ok(())
        })
    }
}

/// Frees a compiled mapping. NULL is fine.
///
/// # Safety
/// `mapping` is NULL or valid, and nobody else uses it; it is not valid afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mapping_free(mapping: *mut MappingHandle) {
    if !mapping.is_null() {
        // SAFETY: a valid mapping came from `Box::into_raw` and is given back once.
        drop(unsafe { Box::from_raw(mapping) });
    }
}
