//! The one way into the engine. [`enter`] releases the interpreter lock, does the work, takes the lock again and turns
//! what went wrong into an exception; [`enter_run`] does the same for a run, which it carries out on a thread of its own
//! so that the calling thread can notice Ctrl-C at any moment, also while a target takes its time.
//!
//! Every call is counted. When the interpreter ends, [`_shutdown`] cancels the runs under way and waits for all calls to
//! end: a thread that came back to an interpreter that is gone would take the whole process down.

use crate::errors;
use pyo3::prelude::*;
use rollkeeper::{Code, Error, Fault, Result};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a run looks whether Ctrl-C was pressed.
const POLL: Duration = Duration::from_millis(20);

/// How long the end of the interpreter waits for calls under way.
const PATIENCE: Duration = Duration::from_secs(10);

static STOPPING: AtomicBool = AtomicBool::new(false);
static CALLS: Mutex<Vec<Call>> = Mutex::new(Vec::new());
static CALL_ENDED: Condvar = Condvar::new();

struct Call {
    serial: u64,
    /// Calls of another process are a parent's: in a child that was forked they never end.
    process: u32,
    owner: u64,
    engine: Option<rollkeeper::Engine>,
}

thread_local! {
    static INSIDE: Cell<Inside> = const { Cell::new(Inside::Nothing) };
    static WORKING: Cell<bool> = const { Cell::new(false) };
    static INTERRUPT: RefCell<Option<PyErr>> = const { RefCell::new(None) };
    static EXCEPTION: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// A mutex's content, also after a panic of another thread: each section that takes one of our locks is a single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other has.
pub(crate) fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Whether the interpreter is about to end, so that nothing may be called back any more.
pub(crate) fn is_stopping() -> bool {
    STOPPING.load(Ordering::SeqCst)
}

/// What must end a run and come out of it: Ctrl-C, an exception of `progress`, a `SystemExit` within a connector.
#[derive(Default)]
pub(crate) struct Interrupt(Mutex<Option<PyErr>>);

impl Interrupt {
    /// Keeps the first exception.
    pub(crate) fn set(&self, exception: PyErr) {
        lock(&self.0).get_or_insert(exception);
    }

    /// Keeps an exception that a connector threw and that is for the verb under way on this thread, or else for the
    /// run, which works on threads of its own.
    pub(crate) fn set_by_connector(&self, exception: PyErr) {
        if let Err(exception) = interrupt_verb(exception) {
            self.set(exception);
        }
    }

    fn is_set(&self) -> bool {
        lock(&self.0).is_some()
    }

    fn take(&self) -> Option<PyErr> {
        lock(&self.0).take()
    }
}

/// Keeps an exception for the verb under way on this thread, or gives it back where there is none.
///
/// # Errors
/// The exception itself.
pub(crate) fn interrupt_verb(exception: PyErr) -> std::result::Result<(), PyErr> {
    if !WORKING.with(Cell::get) {
        return Err(exception);
    }
    INTERRUPT.with(|slot| {
        slot.borrow_mut().get_or_insert(exception);
    });
    Ok(())
}

/// Whose call it is: of which Python object, and the engine that has to be stopped when the interpreter ends.
pub(crate) struct Caller {
    pub(crate) owner: u64,
    pub(crate) engine: Option<rollkeeper::Engine>,
}

/// Counts a call for as long as it lives.
struct Guard(u64);

impl Guard {
    fn new(caller: &Caller, operation: &'static str) -> Result<Self> {
        let mut calls = lock(&CALLS);
        if is_stopping() {
            return Err(Error::new(operation, Fault::new(Code::Closed, "the interpreter is ending")));
        }
        let serial = serial();
        calls.push(Call { serial, process: std::process::id(), owner: caller.owner, engine: caller.engine.clone() });
        Ok(Self(serial))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let call = {
            let mut calls = lock(&CALLS);
            let place = calls.iter().position(|call| call.serial == self.0);
            place.map(|place| calls.swap_remove(place))
        };
        CALL_ENDED.notify_all();
        drop(call);
    }
}

/// What of Python's the engine is calling on this thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    /// Nothing.
    Nothing,
    /// A connector. The engine holds no lock meanwhile, so a connector may ask it things.
    Connector,
    /// Another callback, around which the engine may hold locks.
    Callback,
}

/// Calls out to Python, and remembers it for as long as it lasts.
pub(crate) fn call_out<T>(inside: Inside, work: impl FnOnce() -> T) -> T {
    struct Restore(Inside);
    impl Drop for Restore {
        fn drop(&mut self) {
            INSIDE.with(|cell| cell.set(self.0));
        }
    }
    let _restore = Restore(INSIDE.with(|cell| cell.replace(inside)));
    work()
}

fn refuse_reentry(operation: &'static str, allowed: &[Inside]) -> Result<()> {
    let message = match INSIDE.with(Cell::get) {
        inside if allowed.contains(&inside) => return Ok(()),
        Inside::Connector => format!("a connector must not call `{operation}`"),
        Inside::Callback | Inside::Nothing => "a callback must not call the engine".to_owned(),
    };
    Err(Error::new(operation, Fault::new(Code::ReentrantCall, message)))
}

/// Remembers what a connector threw on this thread, for the exception or record that tells of it.
pub(crate) fn remember_exception(exception: PyErr) {
    EXCEPTION.with(|slot| slot.replace(Some(exception)));
}

/// What a connector threw last on this thread since the verb began.
pub(crate) fn take_exception() -> Option<PyErr> {
    EXCEPTION.with(RefCell::take)
}

/// Does `work` without the interpreter lock.
///
/// # Errors
/// The exception for what `work` failed with, caused by what a connector threw; `reentrant_call` from a callback;
/// `closed` at the end of the interpreter; `panic` where `work` panicked.
pub(crate) fn enter<T: Send>(
    py: Python<'_>,
    caller: &Caller,
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send,
) -> PyResult<T> {
    let guard = begin(py, caller, operation, &[Inside::Nothing, Inside::Connector])?;
    let result = py.detach(|| {
        let before = WORKING.with(|working| working.replace(true));
        let result = catch(operation, work);
        WORKING.with(|working| working.set(before));
        result
    });
    drop(guard);
    finish(py, INTERRUPT.with(RefCell::take), result)
}

/// Does `work` without the interpreter lock, where it needs no engine and calls nothing back: so from a callback too.
///
/// # Errors
/// `closed` at the end of the interpreter; `panic` where `work` panicked.
pub(crate) fn without_lock<T: Send>(
    py: Python<'_>,
    operation: &'static str,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    let nobody = Caller { owner: 0, engine: None };
    let guard = Guard::new(&nobody, operation).map_err(|error| errors::exception(py, &error))?;
    let result = py.detach(|| catch(operation, || Ok(work())));
    drop(guard);
    finish(py, None, result)
}

/// Does a run, or something else that may take as long, on another thread and polls for signals meanwhile; `poll` is called
/// at each look, `cancel` once one of the `interrupts` is set. The first of them is this run's own.
///
/// # Errors
/// As [`enter`]; `KeyboardInterrupt`, and what a callback threw.
pub(crate) fn enter_run<T: Send>(
    py: Python<'_>,
    caller: &Caller,
    operation: &'static str,
    interrupts: [&Interrupt; 2],
    cancel: impl Fn() + Sync,
    poll: impl Fn(Python<'_>) -> PyResult<()> + Sync,
    work: impl FnOnce() -> Result<T> + Send,
) -> PyResult<T> {
    let guard = begin(py, caller, operation, &[Inside::Nothing])?;
    let result = py.detach(|| {
        std::thread::scope(|scope| {
            let (alive, ended) = channel::<()>();
            let worker = std::thread::Builder::new().name("rollkeeper-run".to_owned()).spawn_scoped(scope, move || {
                let result = catch(operation, work);
                drop(alive);
                result
            });
            let Ok(worker) = worker else {
                return Err(Error::new(operation, Fault::new(Code::Internal, "no thread could be started")));
            };
            while ended.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                if let Some(Err(exception)) = Python::try_attach(|py| {
                    py.check_signals()?;
                    poll(py)
                }) {
                    interrupts[0].set(exception);
                }
                // A run that was about to begin may miss one cancellation, so it is said until the run has ended.
                if is_stopping() || interrupts.iter().any(|interrupt| interrupt.is_set()) {
                    cancel();
                }
            }
            worker.join().unwrap_or_else(|_| Err(panicked(operation)))
        })
    });
    drop(guard);
    finish(py, interrupts.iter().find_map(|interrupt| interrupt.take()), result)
}

fn begin(py: Python<'_>, caller: &Caller, operation: &'static str, allowed: &[Inside]) -> PyResult<Guard> {
    let begun = refuse_reentry(operation, allowed).and_then(|()| Guard::new(caller, operation));
    drop(take_exception());
    begun.map_err(|error| errors::exception(py, &error))
}

fn finish<T>(py: Python<'_>, interrupt: Option<PyErr>, result: Result<T>) -> PyResult<T> {
    if let Some(exception) = interrupt {
        return Err(exception);
    }
    result.map_err(|error| {
        let exception = errors::exception(py, &error);
        if let Some(cause) = take_exception() {
            exception.set_cause(py, Some(cause));
        }
        exception
    })
}

fn catch<T>(operation: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked(operation)))
}

fn panicked(operation: &'static str) -> Error {
    Error::new(operation, Fault::new(Code::Panic, "a panic was caught; this is a fault in rollkeeper"))
}

/// Waits until no call of `owner` is under way. Asked from within such a call, it says so instead of waiting for itself.
///
/// # Errors
/// `reentrant_call`.
pub(crate) fn wait_for_calls(py: Python<'_>, owner: u64, operation: &'static str) -> PyResult<()> {
    refuse_reentry(operation, &[Inside::Nothing]).map_err(|error| errors::exception(py, &error))?;
    py.detach(|| {
        let mut calls = lock(&CALLS);
        while calls.iter().any(|call| call.owner == owner && call.process == std::process::id()) {
            calls = CALL_ENDED.wait(calls).unwrap_or_else(PoisonError::into_inner);
        }
    });
    Ok(())
}

/// Ends what is under way, before the interpreter ends: cancels runs, waits for calls, refuses new ones. Registered with
/// `atexit` by the package.
#[pyo3::pyfunction]
pub(crate) fn _shutdown(py: Python<'_>) {
    py.detach(|| {
        STOPPING.store(true, Ordering::SeqCst);
        let end = Instant::now() + PATIENCE;
        let mut calls = lock(&CALLS);
        calls.retain(|call| call.process == std::process::id());
        while !calls.is_empty() {
            let engines: Vec<_> = calls.iter().filter_map(|call| call.engine.clone()).collect();
            drop(calls);
            engines.iter().for_each(rollkeeper::Engine::cancel_run);
            drop(engines);
            calls = lock(&CALLS);
            if calls.is_empty() || Instant::now() >= end {
                break;
            }
            calls = CALL_ENDED.wait_timeout(calls, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
    });
}
