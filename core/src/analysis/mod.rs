//! Reconciliation analysis: users, accounts and links in, one situation for each of them out. Pure and streaming; memory is
//! bounded, since what does not fit goes to a [`Scratch`] that the caller lends.

use crate::fault::Fault;

/// Records as JSON objects, one after the other, and any one of them again.
pub trait Records {
    /// Shows every record in its order. The number says where it stands; [`Records::again`] takes it.
    ///
    /// # Errors
    /// What reading comes to, and what `visit` gives.
    fn each(&mut self, visit: &mut dyn FnMut(u64, &[u8]) -> Result<(), Fault>) -> Result<(), Fault>;

    /// Shows one record again.
    ///
    /// # Errors
    /// As [`Records::each`].
    fn again(&mut self, place: u64, visit: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault>;
}

/// Room for what does not fit in memory: files that are written to their end and then read.
pub trait Scratch {
    /// Opens a new, empty file and gives its number.
    ///
    /// # Errors
    /// `store_full`, `store_failed`.
    fn open(&mut self) -> Result<usize, Fault>;

    /// Adds bytes at the file's end.
    ///
    /// # Errors
    /// As [`Scratch::open`].
    fn append(&mut self, file: usize, bytes: &[u8]) -> Result<(), Fault>;

    /// Reads bytes from that place into `buffer`; gives how many there were.
    ///
    /// # Errors
    /// As [`Scratch::open`].
    fn read(&mut self, file: usize, from: u64, buffer: &mut [u8]) -> Result<usize, Fault>;

    /// Drops a file and what is in it.
    fn close(&mut self, file: usize);
}
