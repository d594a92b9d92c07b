//! The first pass over each input: records become hashes in parts, and nothing else is kept of them.

use super::hash::Hasher;
use super::outcome::MOST_TOLD;
use super::partition::{Key, NOBODY, Parts, Places, Row};
use super::read::{AccountMembers, AccountReader, FAULTY, Seen, UserReader, WANTS, read_link, user_keys};
use super::record::{Side, Unreadable};
use super::{Inputs, Records, Rules, Scratch, Terms};
use crate::fault::{Code, Fault};
use crate::value::Attributes;
use std::collections::HashMap;

/// A link that says that its account is left alone.
pub(super) const IGNORED: u8 = 1;
/// A link to a user that counts.
pub(super) const LINKED: u8 = 2;

/// What is known of each user, in one byte.
pub(super) mod user_flags {
    /// An active account is wanted.
    pub(in crate::analysis) const WANTS: u8 = 1;
    /// It takes no part.
    pub(in crate::analysis) const GONE: u8 = 2;
    /// A link leads to it.
    pub(in crate::analysis) const LINKED: u8 = 4;
    /// It is the user or a candidate of an account's finding.
    pub(in crate::analysis) const MENTIONED: u8 = 8;
    /// It is a candidate of several accounts.
    pub(in crate::analysis) const SEVERAL: u8 = 16;
}

/// Everything collected.
pub(super) struct Collected {
    pub(super) users: Parts,
    pub(super) accounts: Parts,
    pub(super) links: Parts,
    /// The keys of users and accounts under each rule.
    pub(super) user_keys: Vec<Parts>,
    pub(super) account_keys: Vec<Parts>,
    pub(super) user_places: Places,
    pub(super) account_places: Places,
    pub(super) link_places: Places,
    /// A byte for each user.
    pub(super) user_flags: Vec<u8>,
    pub(super) account_count: u32,
    /// Accounts that cannot be read.
    pub(super) bad_accounts: Vec<u32>,
    /// Whether the mapping refers to other users.
    pub(super) has_references: bool,
    /// The links of users, by the hash of the user, where the mapping refers to others.
    pub(super) links_of: HashMap<u128, u32>,
    pub(super) troubles: Troubles,
}

/// Records that take no part.
#[derive(Clone, Debug, Default)]
pub(super) struct Troubles {
    pub(super) told: Vec<Unreadable>,
    pub(super) count: u64,
}

impl Troubles {
    pub(super) fn add(&mut self, side: Side, index: u64, fault: Fault) {
        self.count += 1;
        if self.told.len() < MOST_TOLD {
            self.told.push(Unreadable { side, index, fault });
        }
    }
}

pub(super) fn collect(
    inputs: &mut Inputs<'_>,
    rules: &Rules<'_>,
    terms: &Terms,
    scratch: &mut dyn Scratch,
) -> Result<Collected, Fault> {
    let count = rules.matching.rules();
    let mut collected = Collected {
        users: Parts::new(),
        accounts: Parts::new(),
        links: Parts::new(),
        user_keys: (0..count).map(|_| Parts::new()).collect(),
        account_keys: (0..count).map(|_| Parts::new()).collect(),
        user_places: Places::default(),
        account_places: Places::default(),
        link_places: Places::default(),
        user_flags: Vec::new(),
        account_count: 0,
        bad_accounts: Vec::new(),
        has_references: rules.mapping.has_references(),
        links_of: HashMap::new(),
        troubles: Troubles::default(),
    };
    collected.links(inputs.links, &Hasher::new(&terms.key), scratch)?;
    let keys = user_keys(rules);
    let members = AccountMembers::new(rules);
    let nobody = Attributes::new();
    let users = UserReader::new(rules, terms, keys.as_ref(), &members.keys, &nobody);
    collected.users(inputs.users, users, scratch)?;
    let accounts = AccountReader::new(rules, terms, keys.as_ref(), &members);
    collected.accounts(inputs.accounts, accounts, scratch)?;
    Ok(collected)
}

/// The number of the next record.
fn next(number: &mut u32) -> Result<u32, Fault> {
    let this = *number;
    if this == NOBODY {
        return Err(Fault::new(Code::TooLarge, "there are more records than can be compared"));
    }
    *number += 1;
    Ok(this)
}

impl Collected {
    fn links(&mut self, links: &mut dyn Records, hasher: &Hasher, scratch: &mut dyn Scratch) -> Result<(), Fault> {
        let mut count = 0;
        links.each(&mut |place, json| {
            let number = next(&mut count)?;
            self.link_places.push(scratch, place)?;
            match read_link(hasher, json) {
                Ok(link) => {
                    let flags =
                        if link.is_ignored { IGNORED } else { 0 } | if link.user.is_some() { LINKED } else { 0 };
                    let other = link.user.unwrap_or_default();
                    let row = Row { hash: link.account, other, number, link: number, flags };
                    self.links.push(scratch, Parts::part(row.hash), &row)?;
                }
                Err(fault) => self.troubles.add(Side::Links, u64::from(number), fault),
            }
            Ok(())
        })?;
        self.link_places.flush(scratch)
    }

    fn users(
        &mut self,
        users: &mut dyn Records,
        mut reader: UserReader<'_>,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let mut count = 0;
        let mut seen = Seen::default();
        users.each(&mut |place, json| {
            let number = next(&mut count)?;
            self.user_places.push(scratch, place)?;
            if let Err(fault) = reader.read(json, &mut seen) {
                self.troubles.add(Side::Users, u64::from(number), fault);
                self.user_flags.push(user_flags::GONE);
                return Ok(());
            }
            self.user_flags.push(if seen.flags & (WANTS | FAULTY) != 0 { user_flags::WANTS } else { 0 });
            push(&mut self.users, &mut self.user_keys, &seen, number, scratch)
        })?;
        self.user_places.flush(scratch)
    }

    fn accounts(
        &mut self,
        accounts: &mut dyn Records,
        mut reader: AccountReader<'_>,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let mut count = 0;
        let mut seen = Seen::default();
        accounts.each(&mut |place, json| {
            let number = next(&mut count)?;
            self.account_places.push(scratch, place)?;
            if let Err(fault) = reader.read(json, &mut seen) {
                self.troubles.add(Side::Accounts, u64::from(number), fault);
                self.bad_accounts.push(number);
                return Ok(());
            }
            push(&mut self.accounts, &mut self.account_keys, &seen, number, scratch)
        })?;
        self.account_count = count;
        self.account_places.flush(scratch)
    }
}

fn push(
    rows: &mut Parts,
    keys: &mut [Parts],
    seen: &Seen,
    number: u32,
    scratch: &mut dyn Scratch,
) -> Result<(), Fault> {
    let row = Row { hash: seen.id, other: seen.fingerprint, number, link: NOBODY, flags: seen.flags };
    rows.push(scratch, Parts::part(row.hash), &row)?;
    for (parts, hashes) in keys.iter_mut().zip(&seen.keys) {
        for hash in hashes {
            parts.push(scratch, Parts::part(*hash), &Key { hash: *hash, number })?;
        }
    }
    Ok(())
}
