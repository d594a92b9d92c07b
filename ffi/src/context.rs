//! What the host hands over to be called back: the tables for secrets, log and clock, the owned context behind each
//! table, and the mark by which a callback that calls its own engine is refused.

use crate::boundary::{json_text, null};
use crate::failure::c_text;
use crate::reply::Reply;
use crate::table::{Table, read_table};
use engine::{Fault, Secret, Timestamp};
use serde::Serialize;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::mem::offset_of;

thread_local! {
    /// The numbers of the engines that this thread is serving with a callback right now.
    static SERVING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Makes a call to the host on behalf of the engine of that number.
pub(crate) fn serve<T>(engine: u64, call: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = SERVING.try_with(|serving| serving.borrow_mut().pop());
        }
    }
    let _ = SERVING.try_with(|serving| serving.borrow_mut().push(engine));
    let _leave = Leave;
    call()
}

/// Whether this thread is inside a callback of the engine of that number.
pub(crate) fn is_serving(engine: u64) -> bool {
    SERVING.try_with(|serving| serving.borrow().contains(&engine)).unwrap_or(false)
}

/// Who is told how work goes, for as long as the work lasts.
pub(crate) struct Listener {
    context: *mut c_void,
    told: unsafe extern "C" fn(context: *mut c_void, record: *const c_char, record_length: usize) -> i32,
    /// The number of the engine at work.
    engine: u64,
}

// SAFETY: the header tells the host that it may be told from any thread.
unsafe impl Send for Listener {}
// SAFETY: as above; it is never told two things at once.
unsafe impl Sync for Listener {}

impl Listener {
    /// # Safety
    /// `told` may be called with `context` for as long as this is there.
    pub(crate) unsafe fn new(
        context: *mut c_void,
        told: unsafe extern "C" fn(context: *mut c_void, record: *const c_char, record_length: usize) -> i32,
        engine: u64,
    ) -> Self {
        Self { context, told, engine }
    }

    /// Tells a record; gives whether the work goes on.
    pub(crate) fn tell(&self, record: &impl Serialize) -> bool {
        let Ok(text) = json_text(record) else { return true };
        let text = c_text(&text);
        // SAFETY: the text lives until the call returns; for `context`, `new` took the promise.
        serve(self.engine, || unsafe { (self.told)(self.context, text.as_ptr(), text.as_bytes().len()) }) == 0
    }
}

/// Frees a context.
pub(crate) type FreeContext = Option<unsafe extern "C" fn(context: *mut c_void)>;

/// The host's pointer, freed exactly once.
pub(crate) struct Context {
    pointer: *mut c_void,
    free: FreeContext,
}

// SAFETY: the header tells the host that callbacks and `free_context` may come from any thread.
unsafe impl Send for Context {}
// SAFETY: as above; callbacks may come from several threads at once.
unsafe impl Sync for Context {}

impl Context {
    /// Takes the pointer over.
    pub(crate) fn new(pointer: *mut c_void, free: FreeContext) -> Self {
        Self { pointer, free }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: the host gave this function for this pointer, and it is called once.
            unsafe { free(self.pointer) };
        }
    }
}

/// Where secrets that app definitions name are had from. Set `struct_size` to `sizeof(rollkeeper_secrets)`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Secrets {
    /// The size of this struct.
    pub struct_size: usize,
    /// Given to every call.
    pub context: *mut c_void,
    /// Called once when the context is no longer needed; may be NULL.
    pub free_context: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Answers the secret of a name with rollkeeper_reply_set_text; without an answer there is no such secret. Must not
    /// be NULL.
    pub secret: Option<unsafe extern "C" fn(context: *mut c_void, name: *const c_char, reply: *mut Reply)>,
}

// SAFETY: `repr(C)`, the size first, and only integers, pointers and optional functions.
unsafe impl Table for Secrets {}

/// Who is told every log entry once it is durable. Set `struct_size` to `sizeof(rollkeeper_log)`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Log {
    /// The size of this struct.
    pub struct_size: usize,
    /// Given to every call.
    pub context: *mut c_void,
    /// Called once when the context is no longer needed; may be NULL.
    pub free_context: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Takes one entry as JSON text, which lives until the call returns. Must not be NULL.
    pub entry: Option<unsafe extern "C" fn(context: *mut c_void, entry: *const c_char, entry_length: usize)>,
}

// SAFETY: as for `Secrets`.
unsafe impl Table for Log {}

/// Who is told what needs a person, once it is durable. Set `struct_size` to `sizeof(rollkeeper_alerts)`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Alerts {
    /// The size of this struct.
    pub struct_size: usize,
    /// Given to every call.
    pub context: *mut c_void,
    /// Called once when the context is no longer needed; may be NULL.
    pub free_context: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Takes one alert as JSON text with `kind`, `sequence`, `at`, `advice`, and `app`, `user`, `request` and `code` where
    /// it has them. The text lives until the call returns. Must not be NULL.
    pub alert: Option<unsafe extern "C" fn(context: *mut c_void, alert: *const c_char, alert_length: usize)>,
}

// SAFETY: as for `Secrets`.
unsafe impl Table for Alerts {}

/// Where the engine takes the time from. Set `struct_size` to `sizeof(rollkeeper_clock)`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Clock {
    /// The size of this struct.
    pub struct_size: usize,
    /// Given to every call.
    pub context: *mut c_void,
    /// Called once when the context is no longer needed; may be NULL.
    pub free_context: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// The time in microseconds since 1970-01-01T00:00:00Z. Must not be NULL.
    pub now: Option<unsafe extern "C" fn(context: *mut c_void) -> i64>,
}

// SAFETY: as for `Secrets`.
unsafe impl Table for Clock {}

/// The host's source of secrets.
pub(crate) struct HostSecrets {
    context: Context,
    secret: unsafe extern "C" fn(*mut c_void, *const c_char, *mut Reply),
    engine: u64,
}

impl HostSecrets {
    /// Takes the table over.
    ///
    /// # Safety
    /// As [`read_table`]; the functions may be called from any thread until the context is freed.
    pub(crate) unsafe fn take(table: *const Secrets, engine: u64) -> Result<Self, Fault> {
        // SAFETY: the promise is handed on.
        let table = unsafe { read_table(table, offset_of!(Secrets, secret), "secrets") }?;
        let context = Context::new(table.context, table.free_context);
        let secret = table.secret.ok_or_else(|| null("secrets.secret"))?;
        Ok(Self { context, secret, engine })
    }

    /// The secret of a name.
    pub(crate) fn secret(&self, name: &str) -> Option<Secret> {
        let name = CString::new(name).ok()?;
        let mut reply = Reply::default();
        // SAFETY: name and reply live until the call returns; the host promised that the function may be called.
        serve(self.engine, || unsafe { (self.secret)(self.context.pointer(), name.as_ptr(), &raw mut reply) });
        reply.into_secret()
    }
}

/// Takes one record as JSON text.
type TakeRecord = unsafe extern "C" fn(*mut c_void, *const c_char, usize);

/// A function of the host that is told records: log entries, alerts.
pub(crate) struct HostReader {
    context: Context,
    take: TakeRecord,
    engine: u64,
}

impl HostReader {
    /// Takes a log's table over.
    ///
    /// # Safety
    /// As [`HostSecrets::take`].
    pub(crate) unsafe fn of_log(table: *const Log, engine: u64) -> Result<Self, Fault> {
        // SAFETY: the promise is handed on.
        let table = unsafe { read_table(table, offset_of!(Log, entry), "log") }?;
        let context = Context::new(table.context, table.free_context);
        Ok(Self { context, take: table.entry.ok_or_else(|| null("log.entry"))?, engine })
    }

    /// Takes the table of alerts over.
    ///
    /// # Safety
    /// As [`HostSecrets::take`].
    pub(crate) unsafe fn of_alerts(table: *const Alerts, engine: u64) -> Result<Self, Fault> {
        // SAFETY: the promise is handed on.
        let table = unsafe { read_table(table, offset_of!(Alerts, alert), "alerts") }?;
        let context = Context::new(table.context, table.free_context);
        Ok(Self { context, take: table.alert.ok_or_else(|| null("alerts.alert"))?, engine })
    }

    /// Tells one record.
    pub(crate) fn tell(&self, record: &impl Serialize) {
        let Ok(text) = json_text(record) else { return };
        let text = c_text(&text);
        // SAFETY: the text lives until the call returns; the host promised that the function may be called.
        serve(self.engine, || unsafe { (self.take)(self.context.pointer(), text.as_ptr(), text.as_bytes().len()) });
    }
}

/// The host's clock.
pub(crate) struct HostClock {
    context: Context,
    now: unsafe extern "C" fn(*mut c_void) -> i64,
    engine: u64,
}

impl HostClock {
    /// Takes the table over.
    ///
    /// # Safety
    /// As [`HostSecrets::take`].
    pub(crate) unsafe fn take(table: *const Clock, engine: u64) -> Result<Self, Fault> {
        // SAFETY: the promise is handed on.
        let table = unsafe { read_table(table, offset_of!(Clock, now), "clock") }?;
        let context = Context::new(table.context, table.free_context);
        let now = table.now.ok_or_else(|| null("clock.now"))?;
        Ok(Self { context, now, engine })
    }
}

impl engine::Clock for HostClock {
    fn now(&self) -> Timestamp {
        // SAFETY: the host promised that the function may be called.
        Timestamp::from_micros(serve(self.engine, || unsafe { (self.now)(self.context.pointer()) }))
    }
}
