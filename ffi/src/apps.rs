//! Apps: definitions, what is wrong with them, and whether their targets answer.

use crate::boundary::{document, guard, optional_output, optional_text, output, text};
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter};
use crate::iterator::IteratorHandle;
use crate::status::Status;
use engine::model::App;
use std::ffi::c_char;

/// Stores an app's definition, a JSON document, and makes the requests that its change of assignment or mapping asks
/// for. Gives them as an iterator; `requests` may be NULL where nobody asks. `by` says who asked for it, as the host
/// asserts, or is NULL. Where so much would be taken away that it looks like a mistake, none of that is requested: it waits
/// in a reconciliation of the kind `source` until a second person agrees with rollkeeper_engine_release.
///
/// Fails with ROLLKEEPER_INVALID_JSON, ROLLKEEPER_UNKNOWN_KEY, ROLLKEEPER_MISSING_ID, ROLLKEEPER_UNKNOWN_OPERATION,
/// the codes of configuration (200 to 299), ROLLKEEPER_NOT_READY for an enabled app with an item that is not ready,
/// or the codes of the store.
///
/// # Safety
/// `engine` is valid; `app` leads to `app_length` bytes; `by` is NULL or ends with NUL; `requests` is NULL or may be
/// written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_put_app(
    engine: *mut EngineHandle,
    app: *const c_char,
    app_length: usize,
    by: *const c_char,
    requests: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("put_app", error, || {
            let requests = optional_output(requests);
            let entered = enter(engine)?;
            let app = document(app, app_length, "app")?;
            let by = optional_text(by, "by")?;
            let made = entered.put_app(App::from_json(app)?, by)?;
            if let Some(requests) = requests {
                requests.put_object(IteratorHandle::of(made));
            }
            Ok(())
        })
    }
}

/// Gives the app's definition as JSON.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `app` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_app(
    engine: *const EngineHandle,
    id: *const c_char,
    app: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("app", error, || {
            let app = output(app, "app")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            app.put_record(&entered.app(id)?)
        })
    }
}

/// Gives every app by id, as an iterator of JSON documents.
///
/// # Safety
/// `engine` is valid; `apps` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_apps(
    engine: *const EngineHandle,
    apps: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("apps", error, || {
            let apps = output(apps, "apps")?;
            let entered = enter(engine)?;
            apps.put_object(IteratorHandle::of(entered.apps()?));
            Ok(())
        })
    }
}

/// Forgets an app. Nothing is sent: open requests are cancelled (failed as `uncertain` where they were sent and nobody
/// knows what came of it), accounts stay as they are. Gives the requests that ended as an iterator; `requests` may be
/// NULL where nobody asks. `by` says who asked for it, as the host asserts, or is NULL.
///
/// Fails with ROLLKEEPER_NOT_FOUND, or ROLLKEEPER_INVALID_TRANSITION while one of its requests is being sent.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `by` is NULL or ends with NUL; `requests` is NULL or may be written;
/// `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_delete_app(
    engine: *mut EngineHandle,
    id: *const c_char,
    by: *const c_char,
    requests: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("delete_app", error, || {
            let requests = optional_output(requests);
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            let by = optional_text(by, "by")?;
            let made = entered.delete_app(id, by)?;
            if let Some(requests) = requests {
                requests.put_object(IteratorHandle::of(made));
            }
            Ok(())
        })
    }
}

/// Gives everything that is wrong with a definition, what is allowed and hardly meant, and what has to hold before it is
/// enabled, as JSON with `findings`, `warnings`, `readiness`, `ready` and `expressions`. Nothing is stored.
///
/// # Safety
/// `engine` is valid; `app` leads to `app_length` bytes; `validation` may be written; `error` is NULL or may be
/// written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_validate_app(
    engine: *const EngineHandle,
    app: *const c_char,
    app_length: usize,
    validation: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("validate_app", error, || {
            let validation = output(validation, "validation")?;
            let entered = enter(engine)?;
            let app = document(app, app_length, "app")?;
            validation.put_record(&entered.validate_app(app)?)
        })
    }
}

/// Gives the app's definition as canonical JSON, the same bytes whenever nothing changed.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `app` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_export_app(
    engine: *const EngineHandle,
    id: *const c_char,
    app: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("export_app", error, || {
            let app = output(app, "app")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            app.put_text(&entered.export_app(id)?);
            Ok(())
        })
    }
}

/// Stores a definition that was exported. Gives the requests made as an iterator; `requests` may be NULL where nobody
/// asks. `by` says who asked for it, as the host asserts, or is NULL.
///
/// Fails as rollkeeper_engine_put_app.
///
/// # Safety
/// `engine` is valid; `app` leads to `app_length` bytes; `by` is NULL or ends with NUL; `requests` is NULL or may be
/// written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_import_app(
    engine: *mut EngineHandle,
    app: *const c_char,
    app_length: usize,
    by: *const c_char,
    requests: *mut *mut IteratorHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("import_app", error, || {
            let requests = optional_output(requests);
            let entered = enter(engine)?;
            let app = document(app, app_length, "app")?;
            let by = optional_text(by, "by")?;
            let made = entered.import_app(app, by)?;
            if let Some(requests) = requests {
                requests.put_object(IteratorHandle::of(made));
            }
            Ok(())
        })
    }
}

/// Asks the target of an app whether it can be reached and accepts the credentials. Gives JSON with `passed`, `fault`
/// and `capabilities`; a target that cannot be reached is an answer, not a failure.
///
/// Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_UNKNOWN_CONNECTOR.
///
/// # Safety
/// `engine` is valid; `id` ends with NUL; `result` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_test_app(
    engine: *const EngineHandle,
    id: *const c_char,
    result: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("test_app", error, || {
            let result = output(result, "result")?;
            let entered = enter(engine)?;
            let id = text(id, "id")?;
            result.put_record(&entered.test_app(id)?)
        })
    }
}
