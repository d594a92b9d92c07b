//! Reconciliation analysis: users, accounts and links in, one situation for each of them out. Pure and streaming; memory is
//! bounded, since what does not fit goes to a [`Scratch`] that the caller lends.
//!
//! [`analyze`] decides and counts. What a finding says beyond its situation (candidates, drift, faults) is worked out when it
//! is asked for, from the records themselves; so what nobody asks for costs nothing.

mod collect;
mod detail;
mod finish;
mod gather;
mod hash;
mod linked;
mod matched;
mod outcome;
mod partition;
#[cfg(test)]
mod random;
mod read;
mod record;
mod settled;
mod sieve;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole;

pub use outcome::{Analysis, Findings, Found};
pub use record::{Side, Unreadable};

use collect::{Collected, Collector};
use settled::Settled;

use crate::fault::Fault;
use crate::mapping::Mapping;
use crate::matching::Matching;
use crate::model::User;
use crate::scope::Standing;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// What is shown of each record: its place and its JSON.
pub type Visit<'v> = dyn FnMut(u64, &[u8]) -> Result<(), Fault> + 'v;

/// Text with records in it, some or one.
#[derive(Clone, Copy)]
pub struct Piece<'t> {
    /// The place of its first byte.
    pub place: u64,
    /// The text.
    pub text: &'t [u8],
    /// How the records in it are found.
    pub split: Split,
}

/// Shows every record of a text that begins at that place. Faults of its own say that the text is out of order.
pub type Split = fn(&[u8], u64, &mut Visit<'_>) -> Result<(), Fault>;

/// What is shown of a piece.
pub type VisitPiece<'v> = dyn FnMut(Piece<'_>) -> Result<(), Fault> + 'v;

/// Records as JSON objects, one after the other, and any one of them again.
pub trait Records {
    /// Shows every record in its order. The number says where it stands; [`Records::again`] takes it.
    ///
    /// # Errors
    /// What reading comes to, and what `visit` gives.
    fn each(&mut self, visit: &mut Visit<'_>) -> Result<(), Fault>;

    /// Shows the same in pieces in which the records are yet to be found; so somebody else can find them. A piece is one
    /// record where nobody knows better.
    ///
    /// # Errors
    /// As [`Records::each`].
    fn pieces(&mut self, visit: &mut VisitPiece<'_>) -> Result<(), Fault> {
        self.each(&mut |place, text| visit(Piece { place, text, split: whole_piece }))
    }

    /// Shows one record again.
    ///
    /// # Errors
    /// As [`Records::each`].
    fn again(&mut self, place: u64, visit: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault>;
}

/// A piece that is one record.
pub(crate) fn whole_piece(text: &[u8], place: u64, visit: &mut Visit<'_>) -> Result<(), Fault> {
    visit(place, text)
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

/// What is compared.
///
/// * A user is a record as it is stored: a flat object with the reserved keys.
/// * An account is an object as connectors show it, with `external_id`; or any other object with `id`, which is then the
///   external id, the object being the attributes: a SCIM resource, a row of a table. `active` is true and `frozen` false
///   where they are left out.
/// * A link is `{user, account, state, known, last, deleted, active, frozen}`, of which `account` is required. `state` is the
///   name of a [`LinkState`](crate::model::LinkState), `Linked` where it is left out; `last` has the attributes applied
///   last, `active` and `frozen` what the account was last known as; `deleted` says that the account is known to be gone, so
///   that the link is none.
pub struct Inputs<'i> {
    /// The users.
    pub users: &'i mut dyn Records,
    /// The accounts of the listing.
    pub accounts: &'i mut dyn Records,
    /// What is known of accounts and their users.
    pub links: &'i mut dyn Records,
}

/// Tells where a user stands with the app, as [`crate::scope`] has it.
pub type StandingOf<'r> = dyn Fn(&User) -> Result<Standing, Fault> + Sync + 'r;

/// By what is compared: what an app's definition says, compiled.
#[derive(Clone, Copy)]
pub struct Rules<'r> {
    /// The matching rules.
    pub matching: &'r Matching,
    /// The mapping.
    pub mapping: &'r Mapping,
    /// Attributes that are not compared, by the targets of their rules: the target is known not to keep them.
    pub not_kept: &'r BTreeSet<String>,
    /// External ids of accounts that are left alone.
    pub protected: &'r BTreeSet<String>,
    /// Whether a user is entitled and active.
    pub standing: &'r StandingOf<'r>,
    /// The names of the top-level user attributes that the scope reads, besides the reserved keys; `None` = all. What is not
    /// named need not be in the record that `standing` is given.
    pub standing_reads: Option<&'r BTreeSet<String>>,
    /// The app's id, for expressions.
    pub app_id: &'r str,
    /// The app's label, for expressions.
    pub app_label: &'r str,
}

/// On what terms.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Whether the accounts are the whole listing.
    pub complete: bool,
    /// The time, for validity and expressions.
    pub now: Timestamp,
    /// About how many bytes of memory may be used, beyond some bytes for each record.
    pub memory: usize,
    /// How many threads read records; what is found does not depend on it. Each but the first takes about 2 MiB of memory.
    pub threads: usize,
    /// What makes hashes of keys unforeseeable: random bytes in earnest, any in tests.
    pub key: [u8; 32],
}

/// Finds the situation of every account, and of every user without one.
///
/// # Errors
/// What reading the inputs and the scratch comes to; `internal` where an account or a user was not mentioned exactly once.
/// Records that cannot be read are no error: [`Analysis::unreadable`] has them.
pub fn analyze(
    inputs: &mut Inputs<'_>,
    rules: &Rules<'_>,
    terms: &Terms,
    scratch: &mut dyn Scratch,
) -> Result<Analysis, Fault> {
    let mut collected = Collected::new(rules);
    let collector = Collector::new(rules, terms);
    collector.links(inputs.links, &mut collected, scratch)?;
    collector.accounts(inputs.accounts, &mut collected, scratch)?;
    let mut settled = Settled::new(&mut collected, terms.memory);
    let (linked, keyless) = linked::by_links(&mut collected, &mut settled, scratch)?;
    collector.keys(inputs.accounts, &keyless, (&mut collected, &mut settled), scratch)?;
    collector.users(inputs.users, &mut collected, &settled, scratch)?;
    settled.add_users(&mut collected);
    let close = linked::by_users(&mut collected, &mut settled, linked, scratch)?;
    matched::by_rules(inputs, rules, &mut collected, &mut settled, scratch)?;
    finish::finish(inputs, rules, terms, scratch, (collected, settled, close))
}
