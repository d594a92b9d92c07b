//! What must differ between databases, in one place; all other SQL is one text for SQLite and PostgreSQL.

use crate::fault::{Code, Fault};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

/// Puts the words of SQLite into the schema's text.
pub(super) fn schema_text(text: &str) -> String {
    text.replace("{int}", "INTEGER").replace("{blob}", "BLOB").replace("{strict}", "STRICT")
}

/// How a connection is set up: write-ahead log, every commit on the disk before it is answered, foreign keys kept,
/// deleted content overwritten, nothing trusted that stands in the file.
pub(super) fn set_up(connection: &Connection, writes: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    if writes {
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;",
    )?;
    // A plan once made stays, whatever is bound: otherwise SQLite plans a statement anew for each value that it compares
    // with a partial index.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Whether a commit is on the disk before it is answered.
pub(super) fn await_disk(connection: &Connection, awaits: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", if awaits { "FULL" } else { "NORMAL" })
}

/// Turns an error of the database into ours.
pub(super) fn store_fault(error: &rusqlite::Error) -> Fault {
    let Some(code) = error.sqlite_error_code() else {
        return Fault::new(Code::StoreFailed, "the database answered in an unexpected way");
    };
    let (code, message) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (Code::StoreBusy, "another process holds the database"),
        ErrorCode::DiskFull => (Code::StoreFull, "the disk is full"),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            (Code::StoreDamaged, "the file is damaged or no rollkeeper database")
        }
        ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            (Code::StoreUnwritable, "the database file or its folder cannot be written")
        }
        ErrorCode::SystemIoFailure => (Code::StoreFailed, "the disk reported an error"),
        _ => return Fault::new(Code::StoreFailed, format!("the database reported the error {code:?}")),
    };
    Fault::new(code, message)
}
