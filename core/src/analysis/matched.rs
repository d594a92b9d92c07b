//! Accounts that nobody is linked to, put together with users by the matching rules.

use super::collect::{Collected, user_flags};
use super::outcome::MOST_CANDIDATES;
use super::partition::{Key, PARTS, Pair, Parts};
use super::record::{again, read_account, user};
use super::settled::{Kind, Settled};
use super::sieve::Sieve;
use super::{Inputs, Rules, Scratch};
use crate::fault::Fault;
use crate::matching::Confidence;
use crate::model::User;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many users with one key are tried one by one. Where more have it, the key alone makes nobody certain.
const MOST_TRIED: usize = 256;

/// Matches every account that nobody is linked to.
pub(super) fn by_rules(
    inputs: &mut Inputs<'_>,
    rules: &Rules<'_>,
    collected: &mut Collected,
    settled: &mut Settled,
    scratch: &mut dyn Scratch,
) -> Result<(), Fault> {
    if rules.matching.is_plain() {
        return (0..rules.matching.rules()).try_for_each(|rule| plain(rule, collected, settled, scratch));
    }
    let mut weighing =
        Weighing { inputs, rules, pairs: Parts::new(), crowds: HashMap::new(), crowded: BTreeSet::new() };
    for tier in 0..rules.matching.tiers() {
        for rule in rules.matching.tier(tier) {
            weighing.meet(rule, collected, settled, scratch)?;
        }
        let is_last = tier + 1 == rules.matching.tiers();
        weighing.weigh(rules.matching.tier(tier).end, is_last, collected, settled, scratch)?;
    }
    weighing.crowds(collected, settled, scratch)
}

/// The users and accounts with one key.
struct Group<'g> {
    users: &'g [Key],
    accounts: &'g [Key],
}

/// Shows every key that both sides have, with its users and those of its accounts that take part.
fn groups(
    mut users: Vec<Key>,
    mut accounts: Vec<Key>,
    takes_part: impl Fn(&Settled, u32) -> bool,
    settled: &mut Settled,
    visit: &mut dyn FnMut(Group<'_>, &mut Settled) -> Result<(), Fault>,
) -> Result<(), Fault> {
    accounts.retain(|key| takes_part(settled, key.number));
    // Few accounts take part where most have links, and what can meet none of them need not be sorted.
    let sieve = Sieve::of(accounts.iter().map(|key| key.hash));
    users.retain(|key| sieve.may_have(key.hash) && !settled.has(key.number, user_flags::GONE));
    for keys in [&mut users, &mut accounts] {
        keys.sort_unstable_by_key(|key| (key.hash, key.number));
    }
    let mut accounts = accounts.chunk_by(|one, other| one.hash == other.hash).peekable();
    for users in users.chunk_by(|one, other| one.hash == other.hash) {
        let Some(hash) = users.first().map(|key| key.hash) else { continue };
        let hash_of = |keys: &[Key]| keys.first().map(|key| key.hash);
        while accounts.next_if(|accounts| hash_of(accounts) < Some(hash)).is_some() {}
        if let Some(accounts) = accounts.next_if(|accounts| hash_of(accounts) == Some(hash)) {
            visit(Group { users, accounts }, settled)?;
        }
    }
    Ok(())
}

/// A rule that is certain by itself: who has the same key belongs together.
fn plain(
    rule: usize,
    collected: &mut Collected,
    settled: &mut Settled,
    scratch: &mut dyn Scratch,
) -> Result<(), Fault> {
    let (Some(users), Some(accounts)) = (collected.users.keys.get_mut(rule), collected.accounts.keys.get_mut(rule))
    else {
        return Ok(());
    };
    // An account with several keys may meet users in several parts.
    let takes_part =
        |settled: &Settled, account| settled.is_unmatched(account) || settled.rule_of(account) == Some(rule);
    for part in 0..PARTS {
        let (users, accounts) = (users.take(scratch, part)?, accounts.take(scratch, part)?);
        groups(users, accounts, takes_part, settled, &mut |group, settled| {
            for account in group.accounts {
                for user in group.users.iter().take(MOST_CANDIDATES) {
                    meet(account.number, user.number, rule, settled, scratch)?;
                }
            }
            // The others are candidates all the same.
            let others = group.users.get(MOST_CANDIDATES..).unwrap_or_default();
            claim(others, group.accounts, settled, scratch)
        })?;
    }
    Ok(())
}

/// Two accounts are enough to say that the users are candidates of several.
fn claim(users: &[Key], accounts: &[Key], settled: &mut Settled, scratch: &mut dyn Scratch) -> Result<(), Fault> {
    let pairs = users.iter().flat_map(|user| accounts.iter().take(2).map(move |account| (user, account)));
    pairs.into_iter().try_for_each(|(user, account)| settled.claim(scratch, user.number, account.number))
}

fn meet(account: u32, user: u32, rule: usize, settled: &mut Settled, scratch: &mut dyn Scratch) -> Result<(), Fault> {
    match (settled.kind(account), settled.user_of(account)) {
        (Kind::Unmatched(is_active), _) => {
            settled.user(account, user);
            settled.rule(account, rule);
            settled.set(account, Kind::One(is_active));
        }
        (_, Some(first)) if first == user => return Ok(()),
        (_, first) => {
            first.into_iter().for_each(|first| settled.tell(account, first));
            settled.tell(account, user);
            settled.set(account, Kind::Several);
        }
    }
    settled.claim(scratch, user, account)
}

/// Rules that are certain only together: every pair that meets under a rule is weighed by its records.
struct Weighing<'w, 'i, 'r> {
    inputs: &'w mut Inputs<'i>,
    rules: &'w Rules<'r>,
    /// Who met, in the order of accounts.
    pairs: Parts,
    /// How sure users whom nobody tried one by one can be of an account at the most.
    crowds: HashMap<u32, Confidence>,
    /// The rules under which they meet, and the parts.
    crowded: BTreeSet<(usize, usize)>,
}

impl Weighing<'_, '_, '_> {
    /// Notes who meets under a rule.
    fn meet(
        &mut self,
        rule: usize,
        collected: &Collected,
        settled: &mut Settled,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let (Some(users), Some(accounts)) = (collected.users.keys.get(rule), collected.accounts.keys.get(rule)) else {
            return Ok(());
        };
        let most = self.rules.matching.rule_confidence(rule);
        for part in 0..PARTS {
            let (users, accounts) = (users.read(scratch, part)?, accounts.read(scratch, part)?);
            groups(users, accounts, Settled::is_unmatched, settled, &mut |group, settled| {
                if group.users.len() > MOST_TRIED {
                    self.crowded.insert((rule, part));
                    for account in group.accounts {
                        let sum = self.crowds.entry(account.number).or_default();
                        *sum = sum.plus(most);
                    }
                    return Ok(());
                }
                for account in group.accounts {
                    for user in group.users {
                        let pair = Pair { account: account.number, user: user.number };
                        self.pairs.push(scratch, settled.part_of(pair.account), &pair)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Weighs all pairs of accounts that are not settled by the first `count` rules.
    fn weigh(
        &mut self,
        count: usize,
        is_last: bool,
        collected: &Collected,
        settled: &mut Settled,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let matching = self.rules.matching;
        for part in 0..PARTS {
            let mut pairs: Vec<Pair> = self.pairs.take(scratch, part)?;
            pairs.retain(|pair| settled.is_unmatched(pair.account));
            pairs.sort_unstable();
            pairs.dedup();
            for pairs in pairs.chunk_by(|one, other| one.account == other.account) {
                let Some(account) = pairs.first().map(|pair| pair.account) else { continue };
                let sums = self.sums(pairs, count, collected, scratch)?;
                let certain: Vec<_> = sums.iter().filter(|(_, (sum, _))| *sum >= matching.certain()).collect();
                if !certain.is_empty() {
                    let rule = certain.iter().filter_map(|(_, (_, rule))| *rule).min();
                    let users = certain.iter().map(|(user, _)| **user).collect::<Vec<_>>();
                    self.certain(account, &users, rule, settled, scratch)?;
                } else if is_last {
                    let likely = sums.iter().filter(|(_, (sum, _))| !sum.is_none() && *sum >= matching.candidate());
                    let users: Vec<u32> = likely.map(|(user, _)| *user).collect();
                    uncertain(account, &users, settled, scratch)?;
                } else {
                    for pair in pairs {
                        self.pairs.push(scratch, part, pair)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// How sure the first `count` rules are of each user, and the first rule of the last tier that matches.
    fn sums(
        &mut self,
        pairs: &[Pair],
        count: usize,
        collected: &Collected,
        scratch: &mut dyn Scratch,
    ) -> Result<BTreeMap<u32, (Confidence, Option<usize>)>, Fault> {
        let matching = self.rules.matching;
        let mut sums = BTreeMap::new();
        let Some(account) = pairs.first().map(|pair| pair.account) else { return Ok(sums) };
        let place = collected.accounts.places.get(scratch, account)?;
        let account = again(self.inputs.accounts, place, read_account)?.named();
        let last = (0..matching.tiers()).map(|tier| matching.tier(tier)).find(|tier| tier.end == count);
        let last = last.map_or(0, |tier| tier.start);
        for pair in pairs {
            let place = collected.users.places.get(scratch, pair.user)?;
            let user: User = again(self.inputs.users, place, user)?;
            let (mut sum, mut first) = (Confidence::default(), None);
            for rule in 0..count {
                let sure = matching.confidence(rule, &user.record, &account);
                sum = sum.plus(sure);
                if rule >= last && !sure.is_none() && first.is_none() {
                    first = Some(rule);
                }
            }
            sums.insert(pair.user, (sum, first));
        }
        Ok(sums)
    }

    fn certain(
        &self,
        account: u32,
        users: &[u32],
        rule: Option<usize>,
        settled: &mut Settled,
        scratch: &mut dyn Scratch,
    ) -> Result<(), Fault> {
        let Kind::Unmatched(is_active) = settled.kind(account) else { return Ok(()) };
        let is_crowded = self.crowds.get(&account).is_some_and(|most| *most >= self.rules.matching.certain());
        match users {
            [user] if !is_crowded => {
                settled.user(account, *user);
                settled.claim(scratch, *user, account)?;
                settled.set(account, Kind::One(is_active));
            }
            _ => uncertain(account, users, settled, scratch)?,
        }
        if let Some(rule) = rule {
            settled.rule(account, rule);
        }
        Ok(())
    }

    /// Accounts that have a key in common with a crowd are nobody's for certain, and the crowd are candidates of theirs.
    fn crowds(&mut self, collected: &Collected, settled: &mut Settled, scratch: &mut dyn Scratch) -> Result<(), Fault> {
        let matching = self.rules.matching;
        let least = matching.candidate();
        let mut crowds: Vec<u32> = Vec::new();
        for (account, most) in &self.crowds {
            let is_certain = matches!(settled.kind(*account), Kind::One(_));
            if *most >= if is_certain { matching.certain() } else { least } {
                crowds.push(*account);
            }
        }
        crowds.sort_unstable();
        for (rule, part) in std::mem::take(&mut self.crowded) {
            let (Some(users), Some(accounts)) = (collected.users.keys.get(rule), collected.accounts.keys.get(rule))
            else {
                continue;
            };
            let (users, accounts) = (users.read(scratch, part)?, accounts.read(scratch, part)?);
            let is_crowded = |_: &Settled, account| crowds.binary_search(&account).is_ok();
            groups(users, accounts, is_crowded, settled, &mut |group, settled| {
                if group.users.len() <= MOST_TRIED {
                    return Ok(());
                }
                claim(group.users, group.accounts, settled, scratch)
            })?;
        }
        for account in crowds {
            settled.set(account, Kind::Several);
        }
        Ok(())
    }
}

/// Several users, or none for certain.
fn uncertain(account: u32, users: &[u32], settled: &mut Settled, scratch: &mut dyn Scratch) -> Result<(), Fault> {
    for user in users {
        settled.tell(account, *user);
        settled.claim(scratch, *user, account)?;
    }
    if !users.is_empty() {
        settled.set(account, Kind::Several);
    }
    Ok(())
}
