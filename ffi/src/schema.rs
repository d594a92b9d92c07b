//! What an app's target has, and a mapping for it.

use crate::boundary::{guard, output, text};
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter};
use crate::status::Status;
use std::ffi::c_char;

/// Asks an app's target what attributes it has and what it can do, keeps the answer, and gives it as JSON with
/// `attributes`, `features`, `resource_types`, `source`, `complete`, `findings`, `changed`, `broken` and
/// `discovered_at`. Mappings are checked against it from then on. A target in trouble is an answer, not a failure.
///
/// Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_UNKNOWN_CONNECTOR, ROLLKEEPER_SECRET_MISSING, or the codes of the store.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `discovery` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_discover(
    engine: *mut EngineHandle,
    app: *const c_char,
    discovery: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("discover", error, || {
            let discovery = output(discovery, "discovery")?;
            let entered = enter(engine)?;
            discovery.put_record(&entered.discover(text(app, "app")?)?)
        })
    }
}

/// Proposes mapping and matching rules for an app, from the attributes of the users in the store and those of the
/// target. Gives JSON with `mapping` and `matching`, usable as they are, `suggestions`, `missing` and `unused`.
///
/// Fails with ROLLKEEPER_NOT_FOUND, or the codes of the store.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `suggestion` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_suggest_mapping(
    engine: *const EngineHandle,
    app: *const c_char,
    suggestion: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("suggest_mapping", error, || {
            let suggestion = output(suggestion, "suggestion")?;
            let entered = enter(engine)?;
            suggestion.put_record(&entered.suggest_mapping(text(app, "app")?)?)
        })
    }
}
