//! Opening an engine, and copying its database.

use crate::boundary::{Problem, guard, optional_text, output, text};
use crate::context::{Alerts, Clock, HostClock, HostReader, HostSecrets, Log, Secrets};
use crate::failure::Failure;
use crate::handle::{EngineHandle, enter, next_number};
use crate::status::Status;
use crate::table::{Table, read_table};
use crate::testing::VirtualClockHandle;
use crate::transport::{HostTransport, TransportTable};
use engine::{Builder, Engine};
use std::ffi::c_char;
use std::mem::offset_of;
use std::path::Path;
use std::sync::Arc;

/// How an engine is opened. Set everything to zero and `struct_size` to `sizeof(rollkeeper_open_options)`; what is zero
/// has its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenOptions {
    /// The size of this struct.
    pub struct_size: usize,
    /// The database file, made where it does not exist; NULL for a database in memory.
    pub path: *const c_char,
    /// 32 bytes that seal the keys per user; the same at every opening. NULL for none.
    pub key: *const u8,
    /// Makes ids, keys and jitter reproducible, for tests only. Counts where `has_seed` is not 0.
    pub seed: u64,
    /// Not 0: `seed` counts.
    pub has_seed: i32,
    /// Not 0: every function that would change something fails with ROLLKEEPER_READ_ONLY.
    pub read_only: i32,
    /// Not 0: a create is sent again without a look-up. Only for showing that duplicates appear.
    pub without_look_up: i32,
    /// Where secrets are had from, or NULL.
    pub secrets: *const Secrets,
    /// Who is told every log entry, or NULL.
    pub log: *const Log,
    /// Where the time is had from, or NULL for the system's clock.
    pub clock: *const Clock,
    /// A virtual clock instead of `clock`, or NULL. It may be freed before the engine.
    pub virtual_clock: *const VirtualClockHandle,
    /// Who is told what needs a person, or NULL.
    pub alerts: *const Alerts,
    /// The HTTP client for targets, or NULL for the library's own.
    pub transport: *const TransportTable,
}

// SAFETY: `repr(C)`, the size first, and only integers and pointers.
unsafe impl Table for OpenOptions {}

/// Opens an engine.
///
/// The contexts of `secrets`, `log`, `clock`, `alerts` and `transport` belong to the engine from now on, whether the call succeeds or not: their
/// `free_context` is called exactly once, except where the `struct_size` of its own or of the options is too small.
///
/// Fails with ROLLKEEPER_STORE_NEWER, ROLLKEEPER_STORE_DAMAGED, ROLLKEEPER_STORE_UNWRITABLE, ROLLKEEPER_STORE_BUSY,
/// ROLLKEEPER_STORE_FULL, ROLLKEEPER_STORE_MISSING, ROLLKEEPER_KEY_MISSING, ROLLKEEPER_NULL_ARGUMENT,
/// ROLLKEEPER_INVALID_ARGUMENT or ROLLKEEPER_INVALID_UTF8.
///
/// # Safety
/// `options` is NULL (all defaults) or filled in as its fields say; the functions in its tables may be called from any
/// thread until their context is freed; `engine` may be written; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_open(
    options: *const OpenOptions,
    engine: *mut *mut EngineHandle,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("open", error, || {
            let number = next_number();
            let builder = if options.is_null() { Ok(Engine::builder()) } else { builder(options, number) };
            let engine = output(engine, "engine")?;
            engine.put_object(EngineHandle::new(number, builder?.open()?));
            Ok(())
        })
    }
}

/// # Safety
/// `options` is filled in as its fields say.
unsafe fn builder(options: *const OpenOptions, number: u64) -> Result<Builder, Problem> {
    // SAFETY: the promise is handed on. All tables are taken before any failure is told, so that every context has an
    // owner who frees it.
    let (options, secrets, log, clock, alerts, transport) = unsafe {
        let options = read_table(options, offset_of!(OpenOptions, path), "options")?;
        let secrets = (!options.secrets.is_null()).then(|| HostSecrets::take(options.secrets, number));
        let log = (!options.log.is_null()).then(|| HostReader::of_log(options.log, number));
        let clock = (!options.clock.is_null()).then(|| HostClock::take(options.clock, number));
        let alerts = (!options.alerts.is_null()).then(|| HostReader::of_alerts(options.alerts, number));
        let transport = (!options.transport.is_null()).then(|| HostTransport::take(options.transport, number));
        (options, secrets, log, clock, alerts, transport)
    };
    let mut builder = Engine::builder();
    if let Some(secrets) = secrets.transpose()? {
        builder = builder.secrets(Arc::new(move |name| secrets.secret(name)));
    }
    if let Some(log) = log.transpose()? {
        builder = builder.log(Arc::new(move |entry| log.tell(entry)));
    }
    if let Some(alerts) = alerts.transpose()? {
        builder = builder.alerts(Arc::new(move |alert| alerts.tell(alert)));
    }
    if let Some(transport) = transport.transpose()? {
        builder = builder.transport(Arc::new(transport));
    }
    if let Some(clock) = clock.transpose()? {
        builder = builder.clock(Arc::new(clock));
    }
    // SAFETY: the caller gives NULL or valid pointers; `key` leads to 32 bytes.
    let (path, key, virtual_clock) = unsafe {
        let key = options.key.cast::<[u8; 32]>();
        (optional_text(options.path, "path")?, key.as_ref(), options.virtual_clock.as_ref())
    };
    if let Some(path) = path {
        builder = builder.path(path);
    }
    if let Some(key) = key {
        builder = builder.key(*key);
    }
    if let Some(clock) = virtual_clock {
        builder = builder.clock(clock.clock());
    }
    if options.has_seed != 0 {
        builder = builder.seed(options.seed);
    }
    if options.read_only != 0 {
        builder = builder.read_only();
    }
    if options.without_look_up != 0 {
        builder = builder.without_look_up();
    }
    Ok(builder)
}

/// Writes a consistent copy of the database to `path`, which must not exist.
///
/// # Safety
/// `engine` is valid; `path` ends with NUL; `error` is NULL or may be written.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rollkeeper_engine_backup(
    engine: *const EngineHandle,
    path: *const c_char,
    error: *mut *mut Failure,
) -> Status {
    // SAFETY: the caller keeps the promises above, which are those of the functions called.
    unsafe {
        guard("backup", error, || {
            let path = Path::new(text(path, "path")?);
            Ok(enter(engine)?.backup(path)?)
        })
    }
}
