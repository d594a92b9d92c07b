//! What a user's grants mean for the account's memberships: what is wanted compared with the ledger of what was given. A
//! group's members are never read for that, so that a group of any size costs the same.

use crate::model::{Entitlement, GroupReference, MembershipState, User};

/// A group that a user's grants ask for, and the grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedGroup<'a> {
    /// The group as the entitlement names it.
    pub reference: &'a GroupReference,
    /// Which grants ask for it.
    pub why: Vec<String>,
}

/// A membership in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The group's id.
    pub group: String,
    /// How an entitlement named it when it was given.
    pub reference: GroupReference,
    /// How far it is.
    pub state: MembershipState,
    /// Whether a request has still to do what the state says.
    pub queued: bool,
}

impl LedgerEntry {
    /// Whether the account is a member once everything under way has happened.
    fn will_be(&self) -> bool {
        match self.state {
            MembershipState::Held => true,
            MembershipState::Adding => self.queued,
            MembershipState::Removing | MembershipState::Refused => false,
        }
    }

    /// Whether the account is, or may be, a member and nobody is about to end that.
    fn may_be(&self) -> bool {
        matches!(self.state, MembershipState::Held | MembershipState::Adding)
    }
}

/// What leads from the ledger to what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The groups to be joined: id, name in the entitlement, grants.
    pub add: Vec<(String, WantedGroup<'a>)>,
    /// The ids of the groups to be left.
    pub remove: Vec<String>,
    /// The groups that are wanted and not known, each with the reason.
    pub unknown: Vec<(WantedGroup<'a>, String)>,
}

impl Difference<'_> {
    /// Whether there is a group to be joined, known or not.
    pub fn adds(&self) -> bool {
        !(self.add.is_empty() && self.unknown.is_empty())
    }

    /// Whether there is a group to be left.
    pub fn removes(&self) -> bool {
        !self.remove.is_empty()
    }
}

/// The groups that the user's grants ask for, each once, in the order of the entitlements.
pub fn wanted_groups<'a>(entitlements: &'a [Entitlement], user: &User) -> Vec<WantedGroup<'a>> {
    let mut wanted: Vec<WantedGroup<'a>> = Vec::new();
    for entitlement in entitlements.iter().filter(|entitlement| entitlement.is_for(user)) {
        let why = format!("{} `{}`", entitlement.grant.words(), entitlement.name);
        match wanted.iter_mut().find(|known| *known.reference == entitlement.group) {
            Some(known) => known.why.push(why),
            None => wanted.push(WantedGroup { reference: &entitlement.group, why: vec![why] }),
        }
    }
    wanted
}

/// Compares what is wanted with the ledger. `find` gives the id of a group, or why it is not known.
///
/// A membership that was given keeps to its group by id: a group that was renamed since is not left for that. Two
/// entitlements may name one group in two ways; it is joined once, and left when neither asks for it.
pub fn difference<'a>(
    wanted: Vec<WantedGroup<'a>>,
    ledger: &[LedgerEntry],
    find: &mut dyn FnMut(&GroupReference) -> Result<String, String>,
) -> Difference<'a> {
    let mut difference = Difference::default();
    let mut kept: Vec<String> = Vec::new();
    for group in wanted {
        let named = ledger.iter().filter(|entry| entry.reference == *group.reference && entry.may_be());
        kept.extend(named.map(|entry| entry.group.clone()));
        let is_named = ledger.iter().any(|entry| entry.reference == *group.reference && entry.will_be());
        let id = match find(group.reference) {
            Ok(id) => id,
            Err(_) if is_named => continue,
            Err(why) => {
                difference.unknown.push((group, why));
                continue;
            }
        };
        kept.push(id.clone());
        let is_there = is_named || ledger.iter().any(|entry| entry.group == id && entry.will_be());
        if !is_there && !difference.add.iter().any(|(known, _)| *known == id) {
            difference.add.push((id, group));
        }
    }
    let left = ledger.iter().filter(|entry| entry.may_be() && !kept.contains(&entry.group));
    difference.remove = left.map(|entry| entry.group.clone()).collect();
    difference
}

/// In how small parts members are sent that were refused together, so many at once: the one that is refused alone is the one
/// that was meant.
pub fn smaller_part(sent: usize) -> u32 {
    u32::try_from(sent.div_ceil(2)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use MembershipState::{Adding, Held, Refused, Removing};

    fn named(name: &str) -> GroupReference {
        GroupReference::DisplayName(name.to_owned())
    }

    /// The target's groups: `sales` is `g1`, `staff` is `g2`.
    fn find(reference: &GroupReference) -> Result<String, String> {
        match reference {
            GroupReference::Id(id) => Ok(id.clone()),
            GroupReference::DisplayName(name) if name == "sales" => Ok("g1".to_owned()),
            GroupReference::DisplayName(name) if name == "staff" => Ok("g2".to_owned()),
            GroupReference::DisplayName(_) => Err("no such group".to_owned()),
        }
    }

    fn entry(group: &str, name: &str, state: MembershipState, queued: bool) -> LedgerEntry {
        LedgerEntry { group: group.to_owned(), reference: named(name), state, queued }
    }

    /// What is added, removed and unknown, in one line.
    fn told(wanted: &[GroupReference], ledger: &[LedgerEntry]) -> String {
        let wanted = wanted.iter().map(|reference| WantedGroup { reference, why: Vec::new() }).collect();
        let found = difference(wanted, ledger, &mut find);
        let signed = |sign: &str, ids: Vec<&str>| ids.iter().map(|id| format!("{sign}{id}")).collect::<Vec<_>>();
        let mut told = signed("+", found.add.iter().map(|(id, _)| id.as_str()).collect());
        told.extend(signed("-", found.remove.iter().map(String::as_str).collect()));
        told.extend(signed("?", found.unknown.iter().map(|(group, _)| group.reference.text()).collect()));
        told.join(" ")
    }

    #[test]
    fn what_is_wanted_against_the_ledger_is_as_the_table_says() {
        let sales = || vec![named("sales")];
        let one = |state, queued| vec![entry("g1", "sales", state, queued)];
        let table = [
            // Wanted: it is given where it is not, and nobody is about to.
            (sales(), vec![], "+g1"),
            (sales(), one(Held, false), ""),
            (sales(), one(Adding, true), ""),
            (sales(), one(Adding, false), "+g1"),
            (sales(), one(Removing, true), "+g1"),
            (sales(), one(Refused, true), "+g1"),
            // Not wanted: what is there or may be there is taken away, once.
            (vec![], vec![], ""),
            (vec![], one(Held, false), "-g1"),
            (vec![], one(Adding, true), "-g1"),
            (vec![], one(Adding, false), "-g1"),
            (vec![], one(Removing, true), ""),
            (vec![], one(Refused, true), ""),
            // A change of groups is both.
            (vec![named("staff")], one(Held, false), "+g2 -g1"),
            // A group that nobody knows, and one that was renamed since it was given.
            (vec![named("nobody")], vec![], "?nobody"),
            (vec![named("nobody")], vec![entry("g9", "nobody", Held, false)], ""),
            (vec![named("nobody")], vec![entry("g9", "nobody", Adding, false)], "?nobody"),
            // One group by two names is one group.
            (vec![named("sales"), GroupReference::Id("g1".to_owned())], vec![], "+g1"),
            (vec![GroupReference::Id("g1".to_owned())], one(Held, false), ""),
        ];
        for (index, (wanted, ledger, expected)) in table.into_iter().enumerate() {
            assert_eq!(told(&wanted, &ledger), expected, "row {index}: {wanted:?} against {ledger:?}");
        }
    }

    #[test]
    fn parts_shrink_until_one_stands_alone() {
        let mut sizes = vec![100_usize];
        while let Some(last) = sizes.last().copied().filter(|last| *last > 1) {
            sizes.push(smaller_part(last) as usize);
        }
        assert_eq!(sizes, [100, 50, 25, 13, 7, 4, 2, 1]);
        assert_eq!(smaller_part(0), 1);
    }
}
