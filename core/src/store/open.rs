//! Opening a database file: who may, which version, is it whole.

use super::dialect::{schema_text, set_up, store_fault};
use super::process::Noted;
use super::{Store, Vault};
use crate::fault::{Code, Fault};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Marks a file as ours: «roll».
const APPLICATION_ID: i32 = 0x726f_6c6c;

/// The oldest SQLite without the WAL-reset defect (sqlite.org/wal.html#walresetbug).
const OLDEST_SQLITE: i32 = 3_051_003;

/// One step a version; never edited after a release.
const MIGRATIONS: &[&str] = &[
    include_str!("sql/v001.sql"),
    include_str!("sql/v002.sql"),
    include_str!("sql/v003.sql"),
    include_str!("sql/v004.sql"),
    include_str!("sql/v005.sql"),
    include_str!("sql/v006.sql"),
    include_str!("sql/v007.sql"),
    include_str!("sql/v008.sql"),
    include_str!("sql/v009.sql"),
    include_str!("sql/v010.sql"),
];

/// Keeps the file «in use» as long as it lives.
pub(super) struct Lock {
    file: File,
}

impl Store {
    /// Opens the file at `path`, or a store in memory. The second answer tells whether nobody else has the file open, so that
    /// every attempt without an outcome was left by a process that is dead.
    pub(super) fn open(path: Option<&Path>, vault: Vault, writes: bool) -> Result<(Self, bool), Fault> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(Fault::new(Code::StoreFailed, "the system's SQLite is older than 3.51.3 and may damage files"));
        }
        let (mut connection, lock, alone, noted) = match path {
            None => (Connection::open_in_memory().map_err(|error| store_fault(&error))?, None, true, None),
            Some(path) => {
                check_file(path, writes)?;
                let noted = Noted::new(path)?;
                let (lock, alone) = if writes { acquire(path)? } else { (None, false) };
                let flags = if writes {
                    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
                } else {
                    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX
                };
                let left = has_log(path);
                let connection = Connection::open_with_flags(path, flags).map_err(|error| store_fault(&error))?;
                if alone && left {
                    recover(&connection, path)?;
                }
                (connection, lock, alone, Some(noted))
            }
        };
        set_up(&connection, writes).map_err(|error| store_fault(&error))?;
        migrate(&mut connection, writes)?;
        let mut store = Self { connection, vault, lock, group: None, _noted: noted };
        store.check_key(writes)?;
        store.remember_ids()?;
        Ok((store, alone))
    }
}

impl Store {
    /// Lets others open the file, after what a dead process left was cleared up.
    pub(crate) fn share(&self) {
        if let Some(lock) = &self.lock {
            // On failure the file stays ours alone, which keeps others out and harms nothing.
            let _ = lock.file.lock_shared();
        }
    }
}

/// Makes a missing file, readable for its owner alone; refuses one that was cut.
fn check_file(path: &Path, writes: bool) -> Result<(), Fault> {
    match File::open(path) {
        Ok(mut file) => {
            let length = file.metadata().map_err(|_| unwritable())?.len();
            if has_log(path) {
                // A checkpoint that was cut by a crash leaves a short file, and everything that it lacks in the log.
                return if length == 0 { Err(damaged()) } else { Ok(()) };
            }
            let mut header = [0_u8; 100];
            if length > 0 && (file.read_exact(&mut header).is_err() || length < length_by_header(&header)) {
                return Err(damaged());
            }
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !writes {
                return Err(Fault::new(Code::StoreMissing, "the database file does not exist"));
            }
            private(OpenOptions::new().write(true).create_new(true)).open(path).map(|_| ()).map_err(|_| unwritable())
        }
        Err(_) => Err(unwritable()),
    }
}

/// How long a file must be at least by its own header (sqlite.org/fileformat2.html §1.3); everything where it is no header.
fn length_by_header(header: &[u8; 100]) -> u64 {
    let number = |at: usize, bytes: usize| -> u64 {
        header.iter().skip(at).take(bytes).fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    if !header.starts_with(b"SQLite format 3\0") {
        return u64::MAX;
    }
    let page = match number(16, 2) {
        1 => 65_536,
        size => size,
    };
    // The count is valid only where the change counter equals the version that wrote it.
    if number(24, 4) == number(92, 4) { page * number(28, 4) } else { page }
}

/// Whether there is a write-ahead log with something in it.
fn has_log(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name).metadata().is_ok_and(|log| log.len() > 0)
}

/// Brings what a crash left in the log into the file, and looks at the file's length then.
fn recover(connection: &Connection, path: &Path) -> Result<(), Fault> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(|error| store_fault(&error))?;
    check_file(path, true)
}

/// Says that the file is in use. Alone = nobody said so before.
fn acquire(path: &Path) -> Result<(Option<Lock>, bool), Fault> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let file = private(OpenOptions::new().write(true).create(true)).open(name).map_err(|_| unwritable())?;
    let alone = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => return Err(unwritable()),
    };
    if !alone {
        // Waits while the first is still clearing up what a dead process left.
        file.lock_shared().map_err(|_| unwritable())?;
    }
    Ok((Some(Lock { file }), alone))
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn unwritable() -> Fault {
    Fault::new(Code::StoreUnwritable, "the database file or its folder cannot be written")
}

fn damaged() -> Fault {
    Fault::new(Code::StoreDamaged, "the file is damaged or no rollkeeper database")
}

/// Brings the schema to this version in one transaction.
fn migrate(connection: &mut Connection, writes: bool) -> Result<(), Fault> {
    let faulty = |error: rusqlite::Error| store_fault(&error);
    let newest = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let version = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    let found = version(connection).map_err(faulty)?;
    if found > newest {
        return Err(Fault::new(Code::StoreNewer, "the file was written by a newer version of rollkeeper"));
    }
    if found == newest {
        return check_owner(connection);
    }
    if !writes {
        return Err(Fault::new(Code::StoreFailed, "the file has an older schema; open it once for writing"));
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(faulty)?;
    let found = version(&transaction).map_err(faulty)?;
    if found == 0 {
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(faulty)?;
        if tables > 0 {
            return Err(damaged());
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(faulty)?;
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        transaction.execute_batch(&schema_text(step)).map_err(faulty)?;
    }
    transaction.pragma_update(None, "user_version", newest).map_err(faulty)?;
    transaction.commit().map_err(faulty)
}

fn check_owner(connection: &Connection) -> Result<(), Fault> {
    let owner: i32 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(|error| store_fault(&error))?;
    if owner == APPLICATION_ID { Ok(()) } else { Err(damaged()) }
}
