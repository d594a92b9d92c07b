//! Credentials: secrets in the store, what is known of them, and the file's key.

use crate::boundary::{guard, optional_document_text, optional_text, output, text};
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter};
use crate::status::Status;
use engine::{Code, Fault, Secret};
use std::ffi::c_char;

/// Puts a secret of an app into the store, for `{"sealed": name}` in its definition: `value_length` bytes of UTF-8 at `value`,
/// which are not kept in clear. With NULL it is erased. It is sealed under the engine's key. An app may be put after its
/// secrets. `by` may be NULL.
///
/// Fails with ROLLKEEPER_KEY_REQUIRED where the engine has no key; ROLLKEEPER_INVALID_ID or
/// ROLLKEEPER_INVALID_ARGUMENT where app, name or value is empty or too long.
///
/// # Safety
/// `engine` is valid; `app` and `name` end with NUL; `value` is NULL or leads to `value_length` bytes; `by` is NULL or ends
/// with NUL; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_set_secret(
    engine: *mut EngineHandle,
    app: *const c_char,
    name: *const c_char,
    value: *const c_char,
    value_length: usize,
    by: *const c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("set_secret", error, || {
            let entered = enter(engine)?;
            let app = text(app, "app")?;
            let name = text(name, "name")?;
            let value = optional_document_text(value, value_length, "value")?.map(Secret::new);
            entered.set_secret(app, name, value.as_ref(), optional_text(by, "by")?)?;
            Ok(())
        })
    }
}

/// Gives what is known of an app's credentials as JSON: their kind, which secrets they need and whether these can be
/// had, how old the token in use is, when what a person has to renew ends. Nobody is asked, and no secret is in it.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `credentials` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_credentials(
    engine: *const EngineHandle,
    app: *const c_char,
    credentials: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("credentials", error, || {
            let credentials = output(credentials, "credentials")?;
            let entered = enter(engine)?;
            credentials.put_record(&entered.credentials(text(app, "app")?)?)
        })
    }
}

/// Gives the file another key: everything that the old one seals is sealed under the new one, in one transaction.
/// `old_key` leads to 32 bytes, or is NULL where the file has no key; `new_key` leads to 32 bytes. Other processes that
/// have the file open must open it anew; backups that were made before still need the old key. `by` may be NULL.
///
/// Fails with ROLLKEEPER_KEY_MISSING where `old_key` is not the file's; ROLLKEEPER_READ_ONLY.
///
/// # Safety
/// `engine` is valid; `old_key` is NULL or leads to 32 bytes; `new_key` leads to 32 bytes; `by` is NULL or ends with
/// NUL; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_rotate_key(
    engine: *mut EngineHandle,
    old_key: *const u8,
    new_key: *const u8,
    by: *const c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called; both keys are NULL or lead
    // to 32 bytes.
    unsafe {
        guard("rotate_key", error, || {
            let entered = enter(engine)?;
            let old = old_key.cast::<[u8; 32]>().as_ref();
            let missing = || Fault::new(Code::NullArgument, "`new_key` is NULL").at("new_key");
            let new = new_key.cast::<[u8; 32]>().as_ref().ok_or_else(missing)?;
            entered.rotate_key(old.copied(), *new, optional_text(by, "by")?)?;
            Ok(())
        })
    }
}
