//! Accounts, links and users put together by their ids: what is decided without matching.

use super::Scratch;
use super::collect::{Collected, user_flags};
use super::partition::{NOBODY, PARTS, Parts, Row};
use super::read::{ACTIVE, COMPARABLE, FAULTY, FROZEN, IGNORED, KEYLESS, LINKED, PROTECTED, WANTS};
use super::record::Side;
use super::settled::Settled;
use crate::fault::{Code, Fault};
use crate::model::Situation;

/// Decides what links decide by themselves. Gives what is linked, by the hash of its user, and the accounts to be matched
/// whose keys were not read.
pub(super) fn by_links(
    collected: &mut Collected,
    settled: &mut Settled,
    scratch: &mut dyn Scratch,
) -> Result<(Parts, Vec<u32>), Fault> {
    let (mut linked, mut keyless) = (Parts::new(), Vec::new());
    for part in 0..PARTS {
        let mut accounts: Vec<Row> = collected.accounts.rows.take(scratch, part)?;
        let mut links: Vec<Row> = collected.links.rows.take(scratch, part)?;
        sort(&mut accounts);
        sort(&mut links);
        let mut link_at = 0;
        let mut before = None;
        let mut accounts = accounts.iter().peekable();
        loop {
            // The next id, of an account, of a link or of both.
            let next_link = links.get(link_at);
            let next_account = accounts.peek().copied();
            let Some(hash) = next_link.map(|row| row.hash).into_iter().chain(next_account.map(|row| row.hash)).min()
            else {
                break;
            };
            let link = next_link.filter(|link| link.hash == hash);
            if let Some(link) = link {
                link_at += 1;
                // Only a link that stands says to which account a reference leads; of several the last.
                if collected.has_references && link.flags & (LINKED | IGNORED) == LINKED {
                    let number = collected.links_of.entry(link.other).or_insert(link.number);
                    *number = link.number.max(*number);
                }
                while let Some(again) = links.get(link_at).filter(|again| again.hash == hash) {
                    collected.troubles.add(Side::Links, u64::from(again.number), repeated("account"));
                    link_at += 1;
                }
            }
            if next_account.is_none_or(|account| account.hash != hash)
                && let Some(link) = link
            {
                if link.flags & LINKED != 0 {
                    // The listing does not show it; its user is linked all the same.
                    let row = Row { hash: link.other, other: 0, number: NOBODY, link: link.number, flags: 0 };
                    linked.push(scratch, Parts::part(row.hash), &row)?;
                }
                continue;
            }
            while let Some(account) = accounts.next_if(|account| account.hash == hash) {
                if before == Some(hash) {
                    settled.repeat(account.number)?;
                    continue;
                }
                before = Some(hash);
                by_link(account, link, settled, &mut linked, scratch)?;
                if account.flags & KEYLESS != 0 && settled.is_unmatched(account.number) {
                    keyless.push(account.number);
                }
            }
        }
    }
    // They are read again in the order in which they stand.
    keyless.sort_unstable();
    Ok((linked, keyless))
}

fn sort(rows: &mut [Row]) {
    rows.sort_unstable_by_key(|row| (row.hash, row.number));
}

pub(super) fn repeated(key: &str) -> Fault {
    Fault::new(Code::DuplicateRecord, format!("a record before it has the same `{key}`")).at(key)
}

/// Rules 1 and 2, and who is linked.
fn by_link(
    account: &Row,
    link: Option<&Row>,
    settled: &mut Settled,
    linked: &mut Parts,
    scratch: &mut dyn Scratch,
) -> Result<(), Fault> {
    if let Some(link) = link {
        settled.link(account.number, link.number);
    }
    let is_protected = account.flags & PROTECTED != 0;
    let is_ignored = link.is_some_and(|link| link.flags & IGNORED != 0);
    let user = link.filter(|link| link.flags & LINKED != 0);
    if is_protected {
        settled.decide(account.number, Situation::Protected)?;
    } else if is_ignored {
        settled.decide(account.number, Situation::Ignored)?;
    }
    match user {
        Some(link) => {
            // Nothing of an ignored account is compared either; its user has an account.
            let flags = account.flags | if is_ignored { PROTECTED } else { 0 };
            let row = Row { hash: link.other, link: link.number, flags, ..*account };
            linked.push(scratch, Parts::part(row.hash), &row)
        }
        None if is_protected || is_ignored => Ok(()),
        None => {
            settled.wants_matching(account.number, account.flags & ACTIVE != 0);
            Ok(())
        }
    }
}

/// Rule 3. Gives the accounts that must be looked at closely.
pub(super) fn by_users(
    collected: &mut Collected,
    settled: &mut Settled,
    mut linked: Parts,
    scratch: &mut dyn Scratch,
) -> Result<Parts, Fault> {
    let mut close = Parts::new();
    for part in 0..PARTS {
        let mut users: Vec<Row> = collected.users.rows.take(scratch, part)?;
        let mut rows: Vec<Row> = linked.take(scratch, part)?;
        sort(&mut users);
        sort(&mut rows);
        let mut rows = rows.iter().peekable();
        let mut before = None;
        for user in &users {
            if before == Some(user.hash) {
                collected.troubles.add(Side::Users, u64::from(user.number), repeated("id"));
                settled.flag(user.number, user_flags::GONE);
                continue;
            }
            before = Some(user.hash);
            while let Some(row) = rows.next_if(|row| row.hash < user.hash) {
                source_gone(row, settled)?;
            }
            while let Some(row) = rows.next_if(|row| row.hash == user.hash) {
                settled.flag(user.number, user_flags::LINKED);
                if row.number == NOBODY {
                    settled.elsewhere(user.number, row.link);
                    continue;
                }
                settled.flag(user.number, user_flags::MENTIONED);
                settled.user(row.number, user.number);
                if row.flags & PROTECTED != 0 {
                    continue;
                }
                match compare(user, row) {
                    Some(situation) => settled.decide(row.number, situation)?,
                    None => {
                        let row = Row { hash: 0, other: 0, number: row.number, link: row.link, flags: 0 };
                        // In the order of the accounts, as far as parts go.
                        close.push(scratch, settled.part_of(row.number), &row)?;
                    }
                }
            }
        }
        for row in rows {
            source_gone(row, settled)?;
        }
    }
    Ok(close)
}

fn source_gone(row: &Row, settled: &mut Settled) -> Result<(), Fault> {
    if row.number == NOBODY || row.flags & PROTECTED != 0 {
        return Ok(());
    }
    settled.decide(row.number, Situation::SourceGone)
}

/// The situation of a linked account, as far as flags and fingerprints tell.
fn compare(user: &Row, account: &Row) -> Option<Situation> {
    let is_active = account.flags & ACTIVE != 0;
    if user.flags & WANTS == 0 {
        return Some(if is_active { Situation::Unqualified } else { Situation::Confirmed });
    }
    let is_frozen = account.flags & FROZEN != 0;
    let is_usable = is_active && !is_frozen;
    if is_usable == (user.flags & FROZEN != 0) {
        return Some(Situation::Drifted);
    }
    let is_comparable = user.flags & account.flags & COMPARABLE != 0 && user.flags & FAULTY == 0;
    (is_comparable && user.other == account.other).then_some(Situation::Confirmed)
}
