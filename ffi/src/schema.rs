//! What an app's target has and how it takes what it is sent, and a mapping for it.

use crate::boundary::{guard, optional_text, output, text};
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter};
use crate::status::Status;
use engine::model::ProbeOptions;
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

/// Finds out how an app's SCIM target takes what it is sent, by making an account or two and a group there, changing them and
/// taking them away again. `sandbox` has to say that this may be done. Gives JSON with `findings` (`step`, `tried`,
/// `answered`, `conclusion`), `features`, which are used from then on where the definition does not say otherwise, `left`,
/// what could not be taken away again, and `faults`. It may take some minutes. A target in trouble is an answer, not a
/// failure. `by` says who asked for it, or is NULL.
///
/// Fails with ROLLKEEPER_SANDBOX_REQUIRED, ROLLKEEPER_NOT_FOUND, ROLLKEEPER_UNSUPPORTED, ROLLKEEPER_SECRET_MISSING,
/// ROLLKEEPER_OPERATION_OFF, ROLLKEEPER_READ_ONLY, or the codes of the store.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `by` is NULL or ends with NUL; `report` may be written; `error` is NULL or may be
/// written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_probe(
    engine: *mut EngineHandle,
    app: *const c_char,
    sandbox: bool,
    by: *const c_char,
    report: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("probe", error, || {
            let report = output(report, "report")?;
            let entered = enter(engine)?;
            let options = ProbeOptions { sandbox, by: optional_text(by, "by")?.map(str::to_owned) };
            report.put_record(&entered.probe(text(app, "app")?, &options)?)
        })
    }
}
