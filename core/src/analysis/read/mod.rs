//! Users, accounts and links read for joining: hashes, flags and a fingerprint, taken from the text in one or two passes. A
//! record that is out of the ordinary is read whole, and comes to the same.

mod account;
mod link;
mod user;

pub(super) use account::{AccountMembers, AccountReader};
pub(super) use link::{IGNORED, LINKED, LinkReader};
pub(super) use user::{UserReader, user_keys};

use super::hash::Hasher;
use crate::fault::{Code, Fault};

/// How many keys a record may have under one rule.
const MOST_KEYS: usize = 4096;

/// An active account is wanted.
pub(super) const WANTS: u8 = 1;
/// The user is frozen.
pub(super) const FROZEN: u8 = 2;
/// The scope could not be evaluated.
pub(super) const FAULTY: u8 = 4;
/// The fingerprint can be compared.
pub(super) const COMPARABLE: u8 = 8;
/// The account can be used.
pub(super) const ACTIVE: u8 = 16;
/// The account is protected.
pub(super) const PROTECTED: u8 = 32;
/// The account seems to be linked, and its keys were not read.
pub(super) const KEYLESS: u8 = 64;
/// The record takes no part.
pub(super) const UNREADABLE: u8 = 128;

/// A user or an account, as it is joined.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) id: u128,
    pub(super) fingerprint: u128,
    pub(super) flags: u8,
    /// The keys under each rule.
    pub(super) keys: Vec<Vec<u128>>,
}

impl Seen {
    fn clear(&mut self, rules: usize) {
        (self.id, self.fingerprint, self.flags) = (0, 0, 0);
        self.keys.resize_with(rules, Vec::new);
        self.keys.iter_mut().for_each(Vec::clear);
    }
}

/// The hashes of all ways to take one value of each pair.
fn join_keys(hasher: &Hasher, values: Option<Vec<Vec<String>>>, keys: &mut Vec<u128>) -> Result<(), Fault> {
    let Some(values) = values else { return Ok(()) };
    let ways = values.iter().try_fold(1_usize, |ways, values| ways.checked_mul(values.len()));
    if ways.is_none_or(|ways| ways > MOST_KEYS) {
        return Err(Fault::new(Code::TooLarge, format!("the record has more than {MOST_KEYS} keys to be matched by")));
    }
    let mut begun: Vec<Vec<&str>> = vec![Vec::new()];
    for values in &values {
        let longer = begun.iter().flat_map(|begun| {
            values.iter().map(move |value| begun.iter().copied().chain([value.as_str()]).collect::<Vec<_>>())
        });
        begun = longer.collect();
    }
    keys.extend(begun.into_iter().map(|way| match way.as_slice() {
        [one] => hasher.hash(one.as_bytes()),
        several => hasher.hash_all(several),
    }));
    keys.sort_unstable();
    keys.dedup();
    Ok(())
}
