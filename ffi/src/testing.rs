//! The testing kit: a mock target with scripted faults, a clock that moves only when told to, and the conformance suite
//! for connectors.

use crate::boundary::{document_text, guard, handle, optional_document, optional_document_text, output, text};
use crate::connector::{ConnectorTable, HostConnector};
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter};
use crate::status::Status;
use engine::connector::conformance;
use engine::connector::mock::MockTarget;
use engine::testing::VirtualClock;
use engine::{Clock, Code, Fault, Period, Timestamp};
use serde_json::json;
use std::ffi::c_char;
use std::sync::Arc;

/// A target in memory. It may be used from any thread.
pub struct MockTargetHandle(MockTarget);

/// Makes a mock target of its own. `options` is NULL or a JSON object such as `{"unique": false}`.
///
/// # Safety
/// `options` is NULL or leads to `options_length` bytes; `target` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mock_target_new(
    options: *const c_char,
    options_length: usize,
    target: *mut *mut MockTargetHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mock_target_new", error, || {
            let target = output(target, "target")?;
            let mock = match optional_document_text(options, options_length, "options")? {
                Some(options) => MockTarget::from_json(options)?,
                None => MockTarget::new(),
            };
            target.put_object(MockTargetHandle(mock));
            Ok(())
        })
    }
}

/// Gives the mock target of an app whose connector is of kind `mock`. It stays usable after the engine was freed.
///
/// Fails with ROLLKEEPER_NOT_FOUND.
///
/// # Safety
/// `engine` is valid; `app` ends with NUL; `target` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_mock_target(
    engine: *const EngineHandle,
    app: *const c_char,
    target: *mut *mut MockTargetHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mock_target", error, || {
            let target = output(target, "target")?;
            target.put_object(MockTargetHandle(enter(engine)?.mock_target(text(app, "app")?)?));
            Ok(())
        })
    }
}

/// Makes a mock target known to an engine as a connector of that name, as rollkeeper_engine_register_connector does.
///
/// # Safety
/// `engine` and `target` are valid; `name` ends with NUL; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_register_mock_target(
    engine: *mut EngineHandle,
    name: *const c_char,
    target: *const MockTargetHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("register_mock_target", error, || {
            let target = handle(target, "target")?;
            Ok(enter(engine)?.register_connector(text(name, "name")?, Arc::new(target.0.clone()))?)
        })
    }
}

/// Adds faults to the target's script, a JSON list; each is used up by the call it meets.
///
/// # Safety
/// `target` is valid; `faults` leads to `faults_length` bytes; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mock_target_script(
    target: *mut MockTargetHandle,
    faults: *const c_char,
    faults_length: usize,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mock_target_script", error, || {
            let faults = document_text(faults, faults_length, "faults")?;
            Ok(handle(target, "target")?.0.script_json(faults)?)
        })
    }
}

/// Tells the target which attributes it has from now on, a JSON list as a connector's `schema` gives it.
///
/// # Safety
/// `target` is valid; `attributes` leads to `attributes_length` bytes; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mock_target_set_schema(
    target: *mut MockTargetHandle,
    attributes: *const c_char,
    attributes_length: usize,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mock_target_set_schema", error, || {
            let attributes = document_text(attributes, attributes_length, "attributes")?;
            Ok(handle(target, "target")?.0.set_schema_json(attributes)?)
        })
    }
}

/// Gives every call that the target has had, as a JSON list.
///
/// # Safety
/// `target` is valid; `calls` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mock_target_calls(
    target: *const MockTargetHandle,
    calls: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mock_target_calls", error, || {
            let calls = output(calls, "calls")?;
            calls.put_text(&handle(target, "target")?.0.calls_json());
            Ok(())
        })
    }
}

/// Gives every account that the target holds, as a JSON list.
///
/// # Safety
/// `target` is valid; `accounts` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mock_target_accounts(
    target: *const MockTargetHandle,
    accounts: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mock_target_accounts", error, || {
            let accounts = output(accounts, "accounts")?;
            accounts.put_text(&handle(target, "target")?.0.accounts_json());
            Ok(())
        })
    }
}

/// Puts an account, a JSON object as a connector gives it, as it is and without a call: a change behind the engine's back.
///
/// # Safety
/// `target` is valid; `account` leads to `account_length` bytes; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mock_target_put_account(
    target: *mut MockTargetHandle,
    account: *const c_char,
    account_length: usize,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mock_target_put_account", error, || {
            let account = document_text(account, account_length, "account")?;
            Ok(handle(target, "target")?.0.put_account_json(account)?)
        })
    }
}

/// Takes an account away without a call. Gives whether there was one.
///
/// # Safety
/// `target` is valid; `external_id` ends with NUL; `removed` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mock_target_remove_account(
    target: *mut MockTargetHandle,
    external_id: *const c_char,
    removed: *mut bool,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("mock_target_remove_account", error, || {
            let removed = output(removed, "removed")?;
            let external_id = text(external_id, "external_id")?;
            removed.put(handle(target, "target")?.0.remove_account(external_id));
            Ok(())
        })
    }
}

/// Frees a handle of a mock target; an app that uses the target keeps it. NULL is fine.
///
/// # Safety
/// `target` is NULL or valid; it is not valid afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_mock_target_free(target: *mut MockTargetHandle) {
    if !target.is_null() {
        // SAFETY: a valid target came from `Box::into_raw` and is given back once.
        drop(unsafe { Box::from_raw(target) });
    }
}

/// A clock that moves only when told to. It may be used from any thread.
pub struct VirtualClockHandle(VirtualClock);

impl VirtualClockHandle {
    /// What an engine opened with this handle reads.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.0.clone())
    }
}

/// Makes a clock that shows `start`, an RFC 3339 time.
///
/// Fails with ROLLKEEPER_INVALID_TIME.
///
/// # Safety
/// `start` ends with NUL; `clock` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_virtual_clock_new(
    start: *const c_char,
    clock: *mut *mut VirtualClockHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("virtual_clock_new", error, || {
            let clock = output(clock, "clock")?;
            let start = Timestamp::parse(text(start, "start")?).map_err(|fault| fault.at("start"))?;
            clock.put_object(VirtualClockHandle(VirtualClock::new(start)));
            Ok(())
        })
    }
}

/// Moves the clock forward by an ISO 8601 duration such as `PT1H`.
///
/// Fails with ROLLKEEPER_INVALID_TIME.
///
/// # Safety
/// `clock` is valid; `duration` ends with NUL; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_virtual_clock_advance(
    clock: *mut VirtualClockHandle,
    duration: *const c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("virtual_clock_advance", error, || {
            let clock = handle(clock, "clock")?;
            clock.0.advance(Period::parse(text(duration, "duration")?).map_err(|fault| fault.at("duration"))?);
            Ok(())
        })
    }
}

/// Sets the clock to an RFC 3339 time, backwards too.
///
/// Fails with ROLLKEEPER_INVALID_TIME.
///
/// # Safety
/// `clock` is valid; `time` ends with NUL; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_virtual_clock_set(
    clock: *mut VirtualClockHandle,
    time: *const c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("virtual_clock_set", error, || {
            let clock = handle(clock, "clock")?;
            clock.0.set(Timestamp::parse(text(time, "time")?).map_err(|fault| fault.at("time"))?);
            Ok(())
        })
    }
}

/// Gives the time that the clock shows, in RFC 3339.
///
/// # Safety
/// `clock` is valid; `time` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_virtual_clock_now(
    clock: *const VirtualClockHandle,
    time: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("virtual_clock_now", error, || {
            let time = output(time, "time")?;
            time.put_text(&handle(clock, "clock")?.0.now().to_string());
            Ok(())
        })
    }
}

/// Frees a handle of a virtual clock; an engine that uses the clock keeps it. NULL is fine.
///
/// # Safety
/// `clock` is NULL or valid; it is not valid afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_virtual_clock_free(clock: *mut VirtualClockHandle) {
    if !clock.is_null() {
        // SAFETY: a valid clock came from `Box::into_raw` and is given back once.
        drop(unsafe { Box::from_raw(clock) });
    }
}

/// Runs the conformance suite against a connector. It makes a few accounts and takes them away again. `options` is NULL
/// or a JSON object with `prefix` (the beginning of every name it makes), `attributes` (put on every account)
/// and `group` (the id of a group into which an account may be put, and taken out of it again). Gives
/// JSON with `checks` and `passed`; a check that does not pass is an answer, not a failure. The context is freed at the
/// end, as rollkeeper_engine_register_connector says.
///
/// # Safety
/// `connector` is filled in as its fields say; `options` is NULL or leads to `options_length` bytes; `report` may be
/// written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_check_connector(
    connector: *const ConnectorTable,
    options: *const c_char,
    options_length: usize,
    report: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("check_connector", error, || {
            let connector = HostConnector::take(connector)?;
            let report = output(report, "report")?;
            let options = suite_options(optional_document(options, options_length, "options")?)?;
            let found = conformance::check(&connector, &options);
            report.put_record(&json!({"checks": found.checks, "passed": found.passed()}))
        })
    }
}

fn suite_options(json: Option<&[u8]>) -> Result<conformance::Options, Fault> {
    let Some(json) = json else { return Ok(conformance::Options::default()) };
    serde_json::from_slice(json).map_err(|error| {
        let code = if error.is_data() { Code::InvalidDocument } else { Code::InvalidJson };
        Fault::new(code, "the suite's options cannot be read").at("options")
    })
}
