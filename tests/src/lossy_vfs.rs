//! Shows disks in memory to SQLite: a VFS that finds the disk of a store by the store's path. It is made the default of this
//! process when the first store needs it, since an engine opens its path with the default; after that, no other database
//! file can be opened in this process. One connection at a time has a store open, so that locks are always had.
#![expect(unsafe_code, reason = "a VFS is a table of C functions")]

use crate::disk::{Call, Disk, Role, Trouble};
use rusqlite::ffi;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A store on a disk in memory.
pub struct LossyStore {
    path: PathBuf,
    disk: Arc<Mutex<Disk>>,
}

impl LossyStore {
    /// A store on that disk, at a path of its own in `folder`.
    ///
    /// # Errors
    /// SQLite's code where it refuses the VFS.
    pub fn new(folder: &Path, disk: Disk) -> Result<Self, c_int> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        register()?;
        let path = folder.join(format!("store-{}.db", NEXT.fetch_add(1, Ordering::Relaxed)));
        let store = Self { path, disk: Arc::new(Mutex::new(disk)) };
        lock(disks()).insert(store.path.to_string_lossy().into_owned(), Arc::clone(&store.disk));
        Ok(store)
    }

    /// Where an engine finds it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk.
    pub fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    /// The disk, to share.
    pub fn share(&self) -> Arc<Mutex<Disk>> {
        Arc::clone(&self.disk)
    }
}

impl Drop for LossyStore {
    fn drop(&mut self) {
        lock(disks()).remove(self.path.to_string_lossy().as_ref());
        // The engine makes an empty file and one for its lock; whoever removes the folder finds what is left.
        let mut beside = self.path.clone().into_os_string();
        beside.push("-lock");
        let _ = (std::fs::remove_file(&self.path), std::fs::remove_file(beside));
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Disks = Mutex<HashMap<String, Arc<Mutex<Disk>>>>;

fn disks() -> &'static Disks {
    static DISKS: OnceLock<Disks> = OnceLock::new();
    DISKS.get_or_init(Mutex::default)
}

/// The disk and the file of it that a path means.
fn find(name: &str) -> Option<(Arc<Mutex<Disk>>, Role)> {
    let (path, role) = match (name.strip_suffix("-wal"), name.strip_suffix("-journal")) {
        (Some(path), _) => (path, Role::Log),
        (_, Some(path)) => (path, Role::Journal),
        (None, None) => (name, Role::Main),
    };
    lock(disks()).get(path).map(|disk| (Arc::clone(disk), role))
}

/// Makes the VFS known, once.
fn register() -> Result<(), c_int> {
    static DONE: OnceLock<c_int> = OnceLock::new();
    let code = *DONE.get_or_init(|| {
        let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<Handle>() as c_int,
            mxPathname: 512,
            pNext: std::ptr::null_mut(),
            zName: c"rollkeeper-lossy".as_ptr(),
            pAppData: std::ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_path),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: None,
            xGetLastError: None,
            xCurrentTimeInt64: Some(current_time),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the table is leaked, so it lives and stays in its place as long as the process.
        unsafe { ffi::sqlite3_vfs_register(vfs, 1) }
    });
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}

/// What SQLite keeps for an open file; it allocates `szOsFile` bytes for it.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    file: *mut Open,
}

/// An open file.
enum Open {
    /// A file of a store, with the shared memory of its write-ahead log.
    Stored { disk: Arc<Mutex<Disk>>, role: Role, shared: Vec<Box<[u64; REGION / 8]>> },
    /// A file without a name that nobody misses.
    Temporary(Vec<u8>),
}

/// The size of a region of shared memory, which SQLite fixes.
const REGION: usize = 32 * 1024;

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock_file),
    xUnlock: Some(unlock_file),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// SQLite's code for what a call met.
fn code(call: Call, trouble: Trouble) -> c_int {
    match (trouble, call) {
        (Trouble::Full, _) => ffi::SQLITE_FULL,
        (Trouble::Busy, _) => ffi::SQLITE_BUSY,
        (_, Call::Open) => ffi::SQLITE_CANTOPEN,
        (_, Call::Read) => ffi::SQLITE_IOERR_READ,
        (_, Call::Write) => ffi::SQLITE_IOERR_WRITE,
        (_, Call::Truncate) => ffi::SQLITE_IOERR_TRUNCATE,
        (_, Call::Sync) => ffi::SQLITE_IOERR_FSYNC,
        (_, Call::Size) => ffi::SQLITE_IOERR_FSTAT,
        (_, Call::Delete) => ffi::SQLITE_IOERR_DELETE,
        (_, Call::Map) => ffi::SQLITE_IOERR_SHMMAP,
        (_, Call::Lock) => ffi::SQLITE_IOERR_LOCK,
    }
}

fn answer(call: Call, met: Result<(), Trouble>) -> c_int {
    met.map_or_else(|trouble| code(call, trouble), |()| ffi::SQLITE_OK)
}

fn at(offset: i64) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

/// The text of a name that SQLite gives.
///
/// # Safety
/// `name` is null or ends with a zero and lives as long as the answer is used.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: by the contract of this function.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

/// What is open under a handle.
///
/// # Safety
/// `file` was opened by [`open`] and not closed, and nobody else uses it meanwhile, which SQLite promises of a file.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Open {
    // SAFETY: `open` stored a boxed `Open` in the handle, of which the `sqlite3_file` is the first field.
    unsafe { &mut *(*file.cast::<Handle>()).file }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let handle = file.cast::<Handle>();
    // SAFETY: SQLite gives `szOsFile` bytes; without methods it does not close what failed to open.
    unsafe { (*handle).base.pMethods = std::ptr::null() };
    // SAFETY: SQLite gives null or a name that lives as long as the file.
    let open = match unsafe { text(name) } {
        None => Open::Temporary(Vec::new()),
        Some(name) => {
            let Some((disk, role)) = find(name) else { return ffi::SQLITE_CANTOPEN };
            // The engine makes an empty file itself before it opens it.
            let may_make = role == Role::Main || flags & ffi::SQLITE_OPEN_CREATE != 0;
            if let Err(trouble) = lock(&disk).open(role, may_make) {
                return code(Call::Open, trouble);
            }
            Open::Stored { disk, role, shared: Vec::new() }
        }
    };
    // SAFETY: as above; `close` takes the box back. SQLite gives null or a place for the flags.
    unsafe {
        (*handle).file = Box::into_raw(Box::new(open));
        (*handle).base.pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let handle = file.cast::<Handle>();
    // SAFETY: `open` stored a box, SQLite closes a file once and does not use it again.
    unsafe {
        drop(Box::from_raw((*handle).file));
        (*handle).file = std::ptr::null_mut();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite gives an open file, and room for `count` bytes of its own.
    let (open, bytes) =
        unsafe { (opened(file), std::slice::from_raw_parts_mut(to.cast::<u8>(), at(i64::from(count)))) };
    let whole = match open {
        Open::Stored { disk, role, .. } => lock(disk).read(*role, at(offset), bytes),
        Open::Temporary(content) => {
            let there = content.get(at(offset)..).unwrap_or_default();
            bytes.fill(0);
            bytes.iter_mut().zip(there).for_each(|(to, from)| *to = *from);
            Ok(there.len() >= bytes.len())
        }
    };
    match whole {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(trouble) => code(Call::Read, trouble),
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, count: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite gives an open file, and `count` bytes that it does not change meanwhile.
    let (open, bytes) = unsafe { (opened(file), std::slice::from_raw_parts(from.cast::<u8>(), at(i64::from(count)))) };
    match open {
        Open::Stored { disk, role, .. } => answer(Call::Write, lock(disk).write(*role, at(offset), bytes)),
        Open::Temporary(content) => {
            let end = at(offset) + bytes.len();
            content.resize(content.len().max(end), 0);
            content.iter_mut().skip(at(offset)).zip(bytes).for_each(|(to, from)| *to = *from);
            ffi::SQLITE_OK
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: SQLite gives an open file.
    match unsafe { opened(file) } {
        Open::Stored { disk, role, .. } => answer(Call::Truncate, lock(disk).truncate(*role, at(length))),
        Open::Temporary(content) => {
            content.truncate(at(length));
            ffi::SQLITE_OK
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    match unsafe { opened(file) } {
        Open::Stored { disk, role, .. } => answer(Call::Sync, lock(disk).sync(*role)),
        Open::Temporary(_) => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite gives an open file.
    let found = match unsafe { opened(file) } {
        Open::Stored { disk, role, .. } => lock(disk).size(*role),
        Open::Temporary(content) => Ok(content.len()),
    };
    match found {
        Ok(found) => {
            // SAFETY: SQLite gives a place for the size.
            unsafe { *size = i64::try_from(found).unwrap_or(i64::MAX) };
            ffi::SQLITE_OK
        }
        Err(trouble) => code(Call::Size, trouble),
    }
}

/// A lock is always had, since one connection alone has a store open, unless trouble is planned.
fn take_lock(open: &Open) -> c_int {
    match open {
        Open::Stored { disk, .. } => answer(Call::Lock, lock(disk).meet(Call::Lock)),
        Open::Temporary(_) => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn lock_file(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    take_lock(unsafe { opened(file) })
}

unsafe extern "C" fn unlock_file(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_: *mut ffi::sqlite3_file, held: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *held = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // What SQLite assumes of every disk under Unix: a write that is cut short does no harm beside it.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    _: c_int,
    place: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite gives an open file.
    let Open::Stored { disk, shared, .. } = (unsafe { opened(file) }) else { return ffi::SQLITE_IOERR_SHMMAP };
    let index = at(i64::from(region));
    if at(i64::from(size)) > REGION {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    if index >= shared.len() {
        if let Err(trouble) = lock(disk).meet(Call::Map) {
            return code(Call::Map, trouble);
        }
        shared.resize_with(index + 1, || Box::new([0; REGION / 8]));
    }
    let memory = shared.get_mut(index).map_or(std::ptr::null_mut(), |memory| memory.as_mut_ptr().cast::<c_void>());
    // SAFETY: SQLite gives a place for the pointer; the memory is boxed and stays in its place until the file is closed.
    unsafe { *place = memory };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, _: c_int, _: c_int, flags: c_int) -> c_int {
    if flags & ffi::SQLITE_SHM_LOCK == 0 {
        return ffi::SQLITE_OK;
    }
    // SAFETY: SQLite gives an open file.
    take_lock(unsafe { opened(file) })
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite gives an open file and uses its shared memory no more.
    if let Open::Stored { shared, .. } = unsafe { opened(file) } {
        shared.clear();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, _: c_int) -> c_int {
    // SAFETY: SQLite gives a name.
    match unsafe { text(name) }.and_then(find) {
        Some((disk, role)) => answer(Call::Delete, lock(&disk).delete(role)),
        None => ffi::SQLITE_IOERR_DELETE_NOENT,
    }
}

unsafe extern "C" fn access(_: *mut ffi::sqlite3_vfs, name: *const c_char, _: c_int, found: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a name, and a place for the answer.
    unsafe {
        let exists = text(name).and_then(find).is_some_and(|(disk, role)| lock(&disk).exists(role));
        *found = c_int::from(exists);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_path(_: *mut ffi::sqlite3_vfs, name: *const c_char, room: c_int, to: *mut c_char) -> c_int {
    // SAFETY: SQLite gives a name that ends with a zero.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if bytes.len() > at(i64::from(room)) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: SQLite gives `room` bytes, which are enough, apart from the name.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast::<c_char>(), to, bytes.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, count: c_int, to: *mut c_char) -> c_int {
    // SAFETY: SQLite gives room for `count` bytes. What they are does not matter: they mark logs and temporary names.
    unsafe { std::ptr::write_bytes(to, 7, at(i64::from(count))) };
    count
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    // Nobody waits: whoever holds the file holds it by plan.
    micros
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, now: *mut i64) -> c_int {
    // SAFETY: SQLite gives a place for the time, in milliseconds since noon of 24 November 4714 BC.
    unsafe { *now = 210_866_760_000_000 };
    ffi::SQLITE_OK
}
