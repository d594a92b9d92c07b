//! Work: everything that is due, until nothing is.

use crate::boundary::{Problem, guard, optional_text, output};
use crate::context::Listener;
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter, enter_from_anywhere};
use crate::status::Status;
use crate::table::{Table, read_table};
use engine::model::Progress;
use engine::{Period, RunOptions};
use std::ffi::{c_char, c_void};
use std::mem::offset_of;
use std::sync::Arc;

/// How a run works. Set everything to zero and `struct_size` to `sizeof(rollkeeper_run_options)`; what is zero has its
/// default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RunOptionsTable {
    /// The size of this struct.
    pub struct_size: usize,
    /// How many calls to targets at the same time, 1 to 256; 0 counts as 1.
    pub workers: u32,
    /// How long to wait for work that becomes due later, as an ISO 8601 duration such as `PT30S`; NULL to end when
    /// nothing is due now.
    pub timeout: *const c_char,
    /// Given to `progress`.
    pub context: *mut c_void,
    /// Is told how the run goes, as JSON text that lives until it returns (`due` and `next_due` are counted once a second,
    /// `due` to 10,000 at the most, and `open` only at the end); 0 goes on, anything else cancels the run. It
    /// may come from any thread, but not from two at once. NULL where nobody asks.
    pub progress:
        Option<unsafe extern "C" fn(context: *mut c_void, progress: *const c_char, progress_length: usize) -> i32>,
}

// SAFETY: `repr(C)`, the size first, and only integers, pointers and optional functions.
unsafe impl Table for RunOptionsTable {}

/// Does everything that is due and returns when nothing is, when the timeout has passed, or when the run was cancelled.
/// Gives JSON with `done`, `completed`, `failed`, `open`, `due`, `next_due` and `stopped`. `options` may be NULL.
///
/// Fails with ROLLKEEPER_READ_ONLY, ROLLKEEPER_INVALID_TIME, ROLLKEEPER_INVALID_ARGUMENT or the codes of the store. What
/// fails at a target is not a failure of the run.
///
/// # Safety
/// `engine` is valid; `options` is NULL or filled in as its fields say; `progress` may be written; `error` is NULL or may
/// be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_run(
    engine: *mut EngineHandle,
    options: *const RunOptionsTable,
    progress: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("run", error, || {
            let progress = output(progress, "progress")?;
            let entered = enter(engine)?;
            let options = if options.is_null() {
                RunOptions::default()
            } else {
                run_options(options, entered.shared().number())?
            };
            progress.put_record(&entered.run(&options)?)
        })
    }
}

/// # Safety
/// `options` is filled in as its fields say.
unsafe fn run_options(options: *const RunOptionsTable, number: u64) -> Result<RunOptions, Problem> {
    // SAFETY: the promise is handed on.
    let (table, timeout) = unsafe {
        let table = read_table(options, offset_of!(RunOptionsTable, timeout), "options")?;
        (table, optional_text(table.timeout, "timeout")?)
    };
    let timeout = timeout.map(Period::parse).transpose().map_err(|fault| fault.at("timeout"))?;
    let mut options =
        RunOptions { workers: usize::try_from(table.workers).unwrap_or(usize::MAX), timeout, progress: None };
    if let Some(told) = table.progress {
        // SAFETY: the host keeps `context` until the run has ended, and the options are dropped then.
        let listener = unsafe { Listener::new(table.context, told, number) };
        options.progress = Some(Arc::new(move |progress: &Progress| listener.tell(progress)));
    }
    Ok(options)
}

/// Does one unit of work. Gives JSON with `worked` and `next_due`.
///
/// # Safety
/// `engine` is valid; `step` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_step(
    engine: *mut EngineHandle,
    step: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("step", error, || {
            let step = output(step, "step")?;
            step.put_record(&enter(engine)?.step()?)
        })
    }
}

/// Gives how the work stands as JSON: `at`, `logged`, and `apps` with, for each app, `open` by what requests wait for, `due`,
/// `next_due`, `sending`, `removals` and `oldest_removal`, `paused_until`, `attempts` by outcome and `ended` by how.
///
/// Fails with the codes of the store.
///
/// # Safety
/// `engine` is valid; `metrics` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_metrics(
    engine: *const EngineHandle,
    metrics: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("metrics", error, || {
            let metrics = output(metrics, "metrics")?;
            metrics.put_record(&enter(engine)?.metrics()?)
        })
    }
}

/// Gives what rollkeeper_engine_metrics gives in the OpenMetrics text form, for a scraper.
///
/// # Safety
/// As rollkeeper_engine_metrics.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_open_metrics(
    engine: *const EngineHandle,
    text: *mut *mut c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("metrics", error, || {
            let text = output(text, "text")?;
            text.put_text(&enter(engine)?.metrics()?.to_open_metrics());
            Ok(())
        })
    }
}

/// Ends a run after the calls under way. It may be called from any thread, and is the one function that a callback may
/// call.
///
/// # Safety
/// `engine` is valid; `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_cancel_run(engine: *const EngineHandle, error: *mut *mut Failure) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("cancel_run", error, || {
            enter_from_anywhere(engine)?.cancel_run();
            Ok(())
        })
    }
}
