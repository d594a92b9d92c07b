//! The first pass over each input: records become hashes in parts, and nothing else is kept of them.

use super::gather::Gathered;
use super::outcome::MOST_TOLD;
use super::read::{AccountMembers, AccountReader, LinkReader, UserReader, user_keys};
use super::record::{Side, Unreadable};
use super::{Inputs, Rules, Scratch, Terms};
use crate::fault::Fault;
use crate::value::Attributes;
use std::collections::HashMap;

/// How many threads read at the most.
const MOST_THREADS: usize = 8;

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
    pub(super) users: Gathered,
    pub(super) accounts: Gathered,
    pub(super) links: Gathered,
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

/// Reads all inputs.
pub(super) fn collect(
    inputs: &mut Inputs<'_>,
    rules: &Rules<'_>,
    terms: &Terms,
    scratch: &mut dyn Scratch,
) -> Result<Collected, Fault> {
    let count = rules.matching.rules();
    let mut collected = Collected {
        users: Gathered::new(Side::Users, count),
        accounts: Gathered::new(Side::Accounts, count),
        links: Gathered::new(Side::Links, 0),
        has_references: rules.mapping.has_references(),
        links_of: HashMap::new(),
        troubles: Troubles::default(),
    };
    let threads = || 0..terms.threads.clamp(1, MOST_THREADS);
    let troubles = &mut collected.troubles;
    let mut links: Vec<LinkReader> = threads().map(|_| LinkReader::new(terms)).collect();
    collected.links.gather(inputs.links, &mut links, troubles, scratch)?;
    let keys = user_keys(rules);
    let members = AccountMembers::new(rules);
    let nobody = Attributes::new();
    let user = || UserReader::new(rules, terms, keys.as_ref(), &members.keys, &nobody);
    let mut users: Vec<UserReader<'_>> = threads().map(|_| user()).collect();
    collected.users.gather(inputs.users, &mut users, troubles, scratch)?;
    let account = || AccountReader::new(rules, terms, keys.as_ref(), &members);
    let mut accounts: Vec<AccountReader<'_>> = threads().map(|_| account()).collect();
    collected.accounts.gather(inputs.accounts, &mut accounts, troubles, scratch)?;
    Ok(collected)
}
