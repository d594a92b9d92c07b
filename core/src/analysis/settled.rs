//! What is decided so far, some bytes for each record.

use super::Scratch;
use super::collect::{Collected, user_flags};
use super::partition::{MOST, NOBODY, PARTS, Pair, Parts};
use super::read::{FAULTY, UNREADABLE, WANTS};
use crate::fault::{Code, Fault};
use crate::model::Situation;
use std::collections::{BTreeMap, HashMap};

/// What is known of an account besides a situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has not been looked at.
    Unknown,
    /// It takes no part.
    Gone,
    /// It is to be matched, and is active or not.
    Unmatched(bool),
    /// One user matches for certain.
    One(bool),
    /// Several users match for certain, or none for certain.
    Several,
    Decided(Situation),
}

impl Kind {
    /// What a byte stands for.
    fn of(code: u8) -> Self {
        match code {
            0 => Self::Unknown,
            GONE => Self::Gone,
            2 => Self::Unmatched(false),
            3 => Self::Unmatched(true),
            4 => Self::One(false),
            5 => Self::One(true),
            6 => Self::Several,
            other => Situation::ALL.get(usize::from(other - 7)).copied().map_or(Self::Unknown, Self::Decided),
        }
    }
}

/// A candidate that is told in a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    pub(super) account: u32,
    pub(super) user: u32,
}

/// How many users in a row stand in one part of the claims.
const USERS_TOGETHER: usize = 1024;

/// The code of what takes no part.
const GONE: u8 = 1;

/// What stands before the number of a rule where that of a link may stand.
const RULE: u32 = MOST;

#[derive(Clone, Debug)]
pub(super) struct Settled {
    kinds: Vec<u8>,
    users: Vec<u32>,
    /// By which link or by which rule an account is decided on.
    by: Vec<u32>,
    /// The rules of accounts that have a link besides.
    rules: HashMap<u32, u32>,
    pub(super) user_flags: Vec<u8>,
    /// Which users are candidates of which accounts.
    claims: Parts,
    /// The links of users to accounts that the listing does not show.
    elsewhere: Vec<(u32, u32)>,
    /// Candidates by account, where there are several of either.
    pub(super) told: Vec<Told>,
    /// The same by user, of users who are candidates of several accounts.
    by_user: Vec<(u32, u32)>,
    /// How many may be told.
    most_told: usize,
    pub(super) repeated: u64,
}

impl Settled {
    /// Takes over the flags of accounts.
    pub(super) fn new(collected: &mut Collected, memory: usize) -> Self {
        let mut kinds = std::mem::take(&mut collected.accounts.flags);
        for flags in &mut kinds {
            *flags = if *flags == UNREADABLE { GONE } else { 0 };
        }
        Self {
            users: vec![NOBODY; kinds.len()],
            kinds,
            by: Vec::new(),
            rules: HashMap::new(),
            user_flags: Vec::new(),
            claims: Parts::new(),
            elsewhere: Vec::new(),
            told: Vec::new(),
            by_user: Vec::new(),
            most_told: (memory / 16).max(4096),
            repeated: 0,
        }
    }

    /// Takes over the flags of users.
    pub(super) fn add_users(&mut self, collected: &mut Collected) {
        self.user_flags = std::mem::take(&mut collected.users.flags);
        for flags in &mut self.user_flags {
            *flags = match *flags {
                UNREADABLE => user_flags::GONE,
                // Nothing is taken away for a mistake in a scope.
                flags if flags & (WANTS | FAULTY) != 0 => user_flags::WANTS,
                _ => 0,
            };
        }
    }

    pub(super) fn users(&self) -> u32 {
        u32::try_from(self.user_flags.len()).unwrap_or(NOBODY)
    }

    /// Rule 5: the situation of a user; nothing where an account's finding has it, or it takes no part.
    pub(super) fn without_account(&self, user: u32, complete: bool) -> Option<Situation> {
        if self.has(user, user_flags::GONE | user_flags::MENTIONED) {
            return None;
        }
        Some(match (self.has(user, user_flags::LINKED), self.has(user, user_flags::WANTS)) {
            (true, _) if complete => Situation::Missing,
            (false, true) if complete => Situation::Absent,
            (false, false) => Situation::OutOfScope,
            _ => Situation::Unseen,
        })
    }

    /// Rule 4, once every account was matched.
    ///
    /// # Errors
    /// `internal` where an account was never looked at.
    pub(super) fn conclude(&mut self, account: u32) -> Result<(), Fault> {
        let situation = match (self.kind(account), self.user_of(account)) {
            (Kind::Decided(_) | Kind::Gone, _) => return Ok(()),
            (Kind::Unmatched(_), _) => Situation::Orphaned,
            (Kind::Several, _) => {
                self.user(account, NOBODY);
                Situation::Ambiguous
            }
            (Kind::One(_), Some(user)) if self.has(user, user_flags::LINKED) => Situation::Taken,
            (Kind::One(_), Some(user)) if self.has(user, user_flags::SEVERAL) => Situation::Ambiguous,
            (Kind::One(true), Some(user)) if !self.has(user, user_flags::WANTS) => Situation::Unqualified,
            (Kind::One(_), Some(_)) => Situation::Found,
            (Kind::Unknown | Kind::One(_), _) => {
                return Err(Fault::new(Code::Internal, "an account was not decided on"));
            }
        };
        self.decide(account, situation)
    }

    pub(super) fn accounts(&self) -> u32 {
        u32::try_from(self.kinds.len()).unwrap_or(NOBODY)
    }

    /// The part in which what belongs to an account stands, so that parts are in the order of accounts.
    pub(super) fn part_of(&self, account: u32) -> usize {
        let count = self.kinds.len().max(1);
        (usize::try_from(account).unwrap_or_default() * PARTS / count).min(PARTS - 1)
    }

    /// How many accounts are in each situation, and how many take no part; nothing where one was not decided on.
    pub(super) fn counted(&self) -> Option<(BTreeMap<Situation, u64>, u64)> {
        let mut by_code = [0; 256];
        for code in &self.kinds {
            *by_code.get_mut(usize::from(*code))? += 1;
        }
        let mut counts: BTreeMap<Situation, u64> = Situation::of_accounts().map(|one| (one, 0)).collect();
        let mut gone = 0;
        for (code, count) in (0..=u8::MAX).zip(by_code).filter(|(_, count)| *count != 0) {
            match Kind::of(code) {
                Kind::Decided(situation) => *counts.entry(situation).or_default() += count,
                Kind::Gone => gone += count,
                _ => return None,
            }
        }
        Some((counts, gone))
    }

    pub(super) fn kind(&self, account: u32) -> Kind {
        Kind::of(get(&self.kinds, account).unwrap_or(0))
    }

    pub(super) fn set(&mut self, account: u32, kind: Kind) {
        let code = match kind {
            Kind::Unknown => 0,
            Kind::Gone => GONE,
            Kind::Unmatched(is_active) => 2 + u8::from(is_active),
            Kind::One(is_active) => 4 + u8::from(is_active),
            Kind::Several => 6,
            Kind::Decided(situation) => {
                let place = Situation::ALL.iter().position(|one| *one == situation).unwrap_or_default();
                7 + u8::try_from(place).unwrap_or_default()
            }
        };
        put(&mut self.kinds, account, code);
    }

    /// Decides on an account, once.
    pub(super) fn decide(&mut self, account: u32, situation: Situation) -> Result<(), Fault> {
        if let Kind::Decided(_) | Kind::Gone = self.kind(account) {
            return Err(Fault::new(Code::Internal, "an account was decided on twice"));
        }
        self.set(account, Kind::Decided(situation));
        Ok(())
    }

    pub(super) fn repeat(&mut self, account: u32) -> Result<(), Fault> {
        if self.kind(account) != Kind::Unknown {
            return Err(Fault::new(Code::Internal, "an account was decided on twice"));
        }
        self.repeated += 1;
        self.set(account, Kind::Gone);
        Ok(())
    }

    pub(super) fn wants_matching(&mut self, account: u32, is_active: bool) {
        self.set(account, Kind::Unmatched(is_active));
    }

    pub(super) fn user_of(&self, account: u32) -> Option<u32> {
        get(&self.users, account).filter(|user| *user != NOBODY)
    }

    pub(super) fn user(&mut self, account: u32, user: u32) {
        put(&mut self.users, account, user);
    }

    pub(super) fn link_of(&self, account: u32) -> Option<u32> {
        get(&self.by, account).filter(|by| by & RULE == 0)
    }

    pub(super) fn link(&mut self, account: u32, link: u32) {
        self.decided_by(account, link);
    }

    pub(super) fn rule_of(&self, account: u32) -> Option<usize> {
        let by = get(&self.by, account).filter(|by| *by != NOBODY)?;
        let rule = if by & RULE == 0 { *self.rules.get(&account)? } else { by & !RULE };
        usize::try_from(rule).ok()
    }

    pub(super) fn rule(&mut self, account: u32, rule: usize) {
        let rule = u32::try_from(rule).unwrap_or_default();
        if self.link_of(account).is_some() {
            self.rules.insert(account, rule);
        } else {
            self.decided_by(account, rule | RULE);
        }
    }

    fn decided_by(&mut self, account: u32, by: u32) {
        if self.by.is_empty() {
            self.by = vec![NOBODY; self.kinds.len()];
        }
        put(&mut self.by, account, by);
    }

    pub(super) fn is_unmatched(&self, account: u32) -> bool {
        matches!(self.kind(account), Kind::Unmatched(_))
    }

    /// How many accounts are to be matched.
    pub(super) fn unmatched(&self) -> usize {
        self.kinds.iter().filter(|code| matches!(Kind::of(**code), Kind::Unmatched(_))).count()
    }

    pub(super) fn has(&self, user: u32, flag: u8) -> bool {
        get(&self.user_flags, user).unwrap_or(user_flags::GONE) & flag != 0
    }

    pub(super) fn flag(&mut self, user: u32, flag: u8) {
        let flags = get(&self.user_flags, user).unwrap_or_default() | flag;
        put(&mut self.user_flags, user, flags);
    }

    pub(super) fn elsewhere(&mut self, user: u32, link: u32) {
        self.elsewhere.push((user, link));
    }

    /// To be called when everything is settled, before anything is looked up below.
    pub(super) fn sort(&mut self) {
        self.elsewhere.sort_unstable();
        self.told.sort_unstable();
        self.told.dedup();
        let several = self.told.iter().filter(|told| self.has(told.user, user_flags::SEVERAL));
        self.by_user = several.map(|told| (told.user, told.account)).collect();
        self.by_user.sort_unstable();
    }

    /// The first link of a user to an account that the listing does not show.
    pub(super) fn link_elsewhere(&self, user: u32) -> Option<u32> {
        let at = self.elsewhere.partition_point(|(other, _)| *other < user);
        self.elsewhere.get(at).filter(|(other, _)| *other == user).map(|(_, link)| *link)
    }

    /// The candidates of an account that are told.
    pub(super) fn told_of(&self, account: u32) -> &[Told] {
        let start = self.told.partition_point(|told| told.account < account);
        let rest = self.told.get(start..).unwrap_or_default();
        rest.get(..rest.partition_point(|told| told.account == account)).unwrap_or_default()
    }

    pub(super) fn tell(&mut self, account: u32, user: u32) {
        if self.told.len() < self.most_told {
            self.told.push(Told { account, user });
        }
    }

    /// Notes that a user is a candidate of an account.
    pub(super) fn claim(&mut self, scratch: &mut dyn Scratch, user: u32, account: u32) -> Result<(), Fault> {
        self.flag(user, user_flags::MENTIONED);
        let part = usize::try_from(user).unwrap_or_default() / USERS_TOGETHER % PARTS;
        self.claims.push(scratch, part, &Pair { account, user })
    }

    /// To be called once every account was matched: who is a candidate of several accounts.
    pub(super) fn settle_claims(&mut self, scratch: &mut dyn Scratch) -> Result<(), Fault> {
        let mut claims = std::mem::replace(&mut self.claims, Parts::new());
        for part in 0..PARTS {
            let mut pairs: Vec<Pair> = claims.take(scratch, part)?;
            pairs.sort_unstable_by_key(|pair| (pair.user, pair.account));
            pairs.dedup();
            for pairs in pairs.chunk_by(|one, other| one.user == other.user).filter(|pairs| pairs.len() > 1) {
                for pair in pairs {
                    self.flag(pair.user, user_flags::SEVERAL);
                    self.tell(pair.account, pair.user);
                }
            }
        }
        Ok(())
    }

    /// Other accounts of which the user of an account is a candidate.
    pub(super) fn rivals(&self, account: u32, user: u32) -> impl Iterator<Item = u32> {
        let start = self.by_user.partition_point(|(other, _)| *other < user);
        let rest = self.by_user.get(start..).unwrap_or_default();
        let rivals = rest.iter().take_while(move |(other, _)| *other == user).map(|(_, rival)| *rival);
        rivals.filter(move |rival| *rival != account)
    }
}

fn get<T: Copy>(values: &[T], number: u32) -> Option<T> {
    values.get(usize::try_from(number).ok()?).copied()
}

fn put<T>(values: &mut [T], number: u32, value: T) {
    if let Some(place) = usize::try_from(number).ok().and_then(|number| values.get_mut(number)) {
        *place = value;
    }
}
