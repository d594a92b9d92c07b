//! The first pass over each input: records become hashes in parts, and nothing else is kept of them.

use super::gather::{Gathered, Read};
use super::outcome::MOST_TOLD;
use super::partition::{Key, PARTS, Parts, Row};
use super::read::{AccountMembers, AccountReader, LinkReader, Seen, UserReader, user_keys};
use super::record::{Side, Unreadable};
use super::settled::{Kind, Settled};
use super::sieve::Sieve;
use super::{Records, Rules, Scratch, Terms};
use crate::fault::Fault;
use crate::value::{Attributes, Keys};
use std::collections::HashMap;
use std::ops::Range;

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

impl Collected {
    /// Nothing yet.
    pub(super) fn new(rules: &Rules<'_>) -> Self {
        let count = rules.matching.rules();
        Self {
            users: Gathered::new(Side::Users, count),
            accounts: Gathered::new(Side::Accounts, count),
            links: Gathered::new(Side::Links, 0),
            has_references: rules.mapping.has_references(),
            links_of: HashMap::new(),
            troubles: Troubles::default(),
        }
    }
}

/// Reads the inputs, each for itself.
pub(super) struct Collector<'c> {
    rules: &'c Rules<'c>,
    terms: &'c Terms,
    user: Option<Keys>,
    account: AccountMembers,
    nobody: Attributes,
}

impl<'c> Collector<'c> {
    pub(super) fn new(rules: &'c Rules<'c>, terms: &'c Terms) -> Self {
        let (user, account) = (user_keys(rules), AccountMembers::new(rules));
        Self { rules, terms, user, account, nobody: Attributes::new() }
    }

    fn threads(&self) -> Range<usize> {
        0..self.terms.threads.clamp(1, MOST_THREADS)
    }

    /// Reads the links.
    pub(super) fn links(
        &self,
        links: &mut dyn Records,
        collected: &mut Collected,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let mut readers: Vec<LinkReader> = self.threads().map(|_| LinkReader::new(self.terms)).collect();
        collected.links.gather(links, &mut readers, &mut collected.troubles, scratch)
    }

    fn account_reader<'s>(&'s self, linked: &'s Sieve) -> AccountReader<'s> {
        AccountReader::new(self.rules, self.terms, self.user.as_ref(), &self.account, linked)
    }

    /// Reads the accounts, after the links: most have one, and nobody asks for their keys.
    pub(super) fn accounts(
        &self,
        accounts: &mut dyn Records,
        collected: &mut Collected,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let mut linked = Sieve::new(usize::try_from(collected.links.count).unwrap_or_default());
        for part in 0..PARTS {
            let links: Vec<Row> = collected.links.rows.read(scratch, part)?;
            links.iter().filter(|link| link.flags != 0).for_each(|link| linked.add(link.hash));
        }
        let mut readers: Vec<AccountReader<'_>> = self.threads().map(|_| self.account_reader(&linked)).collect();
        collected.accounts.gather(accounts, &mut readers, &mut collected.troubles, scratch)
    }

    /// Reads the keys of accounts that were taken for linked and are not.
    pub(super) fn keys(
        &self,
        accounts: &mut dyn Records,
        numbers: &[u32],
        (collected, settled): (&mut Collected, &mut Settled),
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let nobody = Sieve::new(0);
        let (mut reader, mut seen) = (self.account_reader(&nobody), Seen::default());
        for number in numbers {
            let place = collected.accounts.places.get(scratch, *number)?;
            let mut read = Ok(());
            accounts.again(place, &mut |json| {
                read = reader.read(json, &mut seen);
                Ok(())
            })?;
            if let Err(fault) = read {
                collected.troubles.add(Side::Accounts, u64::from(*number), fault);
                settled.set(*number, Kind::Gone);
                continue;
            }
            for (parts, hashes) in collected.accounts.keys.iter_mut().zip(&seen.keys) {
                for hash in hashes {
                    parts.push(scratch, Parts::part(*hash), &Key { hash: *hash, number: *number })?;
                }
            }
        }
        Ok(())
    }

    /// Reads the users, after it is known which accounts are to be matched: where those are few, only keys that one of them
    /// may have are put aside.
    pub(super) fn users(
        &self,
        users: &mut dyn Records,
        collected: &mut Collected,
        settled: &Settled,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let asked = self.asked(collected, settled, scratch)?;
        let reader = || {
            let (user, account) = (self.user.as_ref(), &self.account.keys);
            UserReader::new(self.rules, self.terms, user, account, &self.nobody, asked.as_deref())
        };
        let mut readers: Vec<UserReader<'_>> = self.threads().map(|_| reader()).collect();
        collected.users.gather(users, &mut readers, &mut collected.troubles, scratch)
    }

    /// The keys of accounts that are to be matched, under each rule; nothing where they are many.
    fn asked(
        &self,
        collected: &Collected,
        settled: &Settled,
        scratch: &mut dyn Scratch,
    ) -> Result<Option<Vec<Sieve>>, Fault> {
        let unmatched = settled.unmatched();
        if unmatched > usize::try_from(collected.accounts.count).unwrap_or_default() / 4 {
            return Ok(None);
        }
        let mut asked = Vec::new();
        for keys in &collected.accounts.keys {
            let mut sieve = Sieve::new(unmatched);
            for part in 0..PARTS {
                let keys: Vec<Key> = keys.read(scratch, part)?;
                keys.iter().for_each(|key| sieve.add(key.hash));
            }
            asked.push(sieve);
        }
        Ok(Some(asked))
    }
}
