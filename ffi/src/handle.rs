//! The engine's handle: who is inside, whether it may still be used, and how it is closed while others are inside.

use crate::boundary::{contain, handle};
use crate::context::is_serving;
use engine::{Code, Engine, Fault};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// An engine. It may be used from any thread.
pub struct EngineHandle(Arc<Shared>);

/// What the handle, its iterators and the calls under way share.
pub(crate) struct Shared {
    number: u64,
    /// The process that opened the engine. In a child that was forked, nobody who is inside will ever leave.
    process: u32,
    state: Mutex<State>,
    left: Condvar,
}

struct State {
    /// None once the handle is freed.
    engine: Option<Engine>,
    inside: usize,
    panicked: bool,
}

/// The number for the next engine; by it a callback's own engine is known.
pub(crate) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl EngineHandle {
    pub(crate) fn new(number: u64, engine: Engine) -> Self {
        let state = State { engine: Some(engine), inside: 0, panicked: false };
        let process = std::process::id();
        Self(Arc::new(Shared { number, process, state: Mutex::new(state), left: Condvar::new() }))
    }
}

impl Shared {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Entered, Fault> {
        if is_serving(self.number) {
            return Err(Fault::new(Code::ReentrantCall, "a callback may call nothing of its engine but `cancel_run`"));
        }
        self.enter_from_anywhere()
    }

    fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    fn enter_from_anywhere(self: &Arc<Self>) -> Result<Entered, Fault> {
        if self.is_forked() {
            let message = "the engine was opened before this process was forked; open another one in this process";
            return Err(Fault::new(Code::Forked, message));
        }
        let mut state = self.state();
        if state.panicked {
            return Err(Fault::new(Code::Panic, "the engine panicked before and can only be freed"));
        }
        let engine = state.engine.clone().ok_or_else(|| Fault::new(Code::Closed, "the engine is closed"))?;
        state.inside += 1;
        Ok(Entered { engine, pass: Pass(Arc::clone(self)) })
    }

    /// Lets nobody in any more, ends a run, and waits until everybody has left.
    fn close(&self) {
        let mut state = self.state();
        let Some(engine) = state.engine.take() else { return };
        while state.inside > 0 {
            drop(state);
            // A run that is just beginning may miss one call, so the call is repeated.
            engine.cancel_run();
            let (next, _) =
                self.left.wait_timeout(self.state(), Duration::from_millis(10)).unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
        // The host's contexts are freed with the engine, and may call us: the state must not be locked meanwhile.
        drop(state);
        drop(engine);
    }
}

/// A call that is inside. The engine is let go of before the pass, so that a handle that was closed is the last owner.
pub(crate) struct Entered {
    engine: Engine,
    pass: Pass,
}

impl Entered {
    /// What an iterator keeps in order to enter again.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.pass.0)
    }
}

impl Deref for Entered {
    type Target = Engine;
    fn deref(&self) -> &Engine {
        &self.engine
    }
}

struct Pass(Arc<Shared>);

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.inside = state.inside.saturating_sub(1);
        state.panicked |= std::thread::panicking();
        self.0.left.notify_all();
    }
}

/// Enters the engine behind a handle.
///
/// # Safety
/// `engine` is NULL or valid.
pub(crate) unsafe fn enter(engine: *const EngineHandle) -> Result<Entered, Fault> {
    // SAFETY: the promise is handed on.
    unsafe { handle(engine, "engine") }?.0.enter()
}

/// Enters the engine behind a handle, from one of its callbacks too.
///
/// # Safety
/// `engine` is NULL or valid.
pub(crate) unsafe fn enter_from_anywhere(engine: *const EngineHandle) -> Result<Entered, Fault> {
    // SAFETY: the promise is handed on.
    unsafe { handle(engine, "engine") }?.0.enter_from_anywhere()
}

/// Frees an engine: ends an active run after the calls under way, waits for every function that is inside, then
/// closes the database. NULL is fine. Iterators that are left fail with ROLLKEEPER_CLOSED and are freed on their own.
/// Called from one of the engine's own callbacks it would wait for itself, so there it does nothing; nor does it in a child
/// process that was forked after the engine was opened.
///
/// # Safety
/// `engine` is NULL or valid; no other function is called with it from now on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_free(engine: *mut EngineHandle) {
    // SAFETY: the caller gives NULL or a valid engine.
    let Some(handle) = (unsafe { engine.as_ref() }) else { return };
    // In a child that was forked nothing is closed: that would touch the parent's file.
    if is_serving(handle.0.number) || handle.0.is_forked() {
        return;
    }
    let shared = Arc::clone(&handle.0);
    // A panic while the database closes must not reach C; the handle is given back whatever happens.
    let _ = contain(|| shared.close());
    // SAFETY: a valid engine came from `Box::into_raw` and is given back once.
    drop(unsafe { Box::from_raw(engine) });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> EngineHandle {
        EngineHandle::new(next_number(), Engine::builder().open().unwrap())
    }

    #[test]
    fn after_a_panic_inside_the_engine_can_only_be_freed() {
        let handle = engine();
        let shared = Arc::clone(&handle.0);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _entered = shared.enter().unwrap();
            panic!("inside");
        }));
        assert!(caught.is_err());
        assert_eq!(handle.0.enter().err().unwrap().code, Code::Panic);
    }

    #[test]
    fn closing_waits_for_who_is_inside_and_lets_nobody_in_after() {
        let handle = engine();
        let shared = Arc::clone(&handle.0);
        let entered = shared.enter().unwrap();
        let closing = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.close()
        });
        while shared.state().engine.is_some() {
            std::thread::yield_now();
        }
        assert!(!closing.is_finished());
        assert_eq!(shared.enter().err().unwrap().code, Code::Closed);
        drop(entered);
        closing.join().unwrap();
    }

    #[test]
    fn a_callback_may_not_enter_its_own_engine_but_another() {
        let (mine, other) = (engine(), engine());
        crate::context::serve(mine.0.number, || {
            assert_eq!(mine.0.enter().err().unwrap().code, Code::ReentrantCall);
            assert!(mine.0.enter_from_anywhere().is_ok());
            assert!(other.0.enter().is_ok());
        });
        assert!(mine.0.enter().is_ok());
    }
}
