//! What a reconciliation collected: pages of accounts, packed and sealed under its own key.

use super::packing::{pack, unpack};
use super::{Tx, UserKey, vault};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use rusqlite::params;

impl Tx<'_> {
    /// Stores a page, counted from 1.
    pub(crate) fn put_page(
        &mut self,
        id: &RequestId,
        key: &UserKey,
        number: u64,
        lines: &[u8],
        count: u64,
    ) -> Result<(), Fault> {
        let sealed = self.vault.seal(key, &place(id, number), &pack(lines))?;
        self.execute(
            "INSERT INTO staged_page (reconciliation_id, number, accounts, count) VALUES ($1, $2, $3, $4)",
            params![id.as_str(), number.cast_signed(), sealed, count.cast_signed()],
        )?;
        Ok(())
    }

    /// The lines of a page; none where there is no such page.
    pub(crate) fn page(&self, id: &RequestId, key: &UserKey, number: u64) -> Result<Option<Vec<u8>>, Fault> {
        let sealed = self.row(
            "SELECT accounts FROM staged_page WHERE reconciliation_id = $1 AND number = $2",
            params![id.as_str(), number.cast_signed()],
            |row| row.get::<_, Vec<u8>>(0),
        )?;
        let Some(sealed) = sealed else { return Ok(None) };
        let damaged = || Fault::new(Code::StoreDamaged, "a page of a listing cannot be read");
        unpack(vault::unseal(key, &place(id, number), &sealed)?).ok_or_else(damaged).map(Some)
    }

    /// Drops what was collected.
    pub(crate) fn forget_collected(&self, id: &RequestId) -> Result<(), Fault> {
        self.execute("DELETE FROM staged_page WHERE reconciliation_id = $1", [id.as_str()]).map(drop)
    }
}

fn place(id: &RequestId, number: u64) -> String {
    format!("staged_page/{id}/{number}")
}
