//! Memberships of a target's groups, three ways: what the users' grants ask for, what we gave, and what there is. Groups are
//! looked into one after the other; besides them, memory is a few bytes for each membership that is asked for or shown.

use crate::fault::{Code, Fault};
use crate::model::{Change, ChangeKind, Entitlement, GroupReference, GroupSize, Reaction, Situation, User};
use crate::value::Attributes;
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// One membership: wanted, given, or there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The group's id; its name where no group has it.
    pub group: String,
    /// The account's external id.
    pub account: String,
    /// The user whose account it is; none where nobody owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How it stands.
    pub situation: Situation,
    /// Whether somebody asks for it.
    pub wanted: bool,
    /// Whether we gave it.
    pub given: bool,
    /// Whether the target shows it; none where it does not show who is in the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub there: Option<bool>,
    /// Whether members for whom nobody asks may be taken out of the group.
    pub authoritative: bool,
    /// Why: the grants that ask for it, or what speaks against it.
    pub why: Vec<String>,
}

/// What a comparison of groups comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupSummary {
    /// How many memberships there are in each situation.
    pub counts: BTreeMap<Situation, u64>,
    /// The groups that the entitlements name, and those in which are memberships that we gave, by id.
    pub groups: Vec<GroupSize>,
    /// How many groups the target shows besides; they are left alone.
    pub others: u64,
    /// What entitlements name and the target does not have, or has several times.
    pub unknown: Vec<String>,
}

/// External ids in their order, each once: one text and where each of them ends in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    text: String,
    ends: Vec<usize>,
}

impl Members {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    /// Whether that one is among them.
    pub fn contains(&self, account: &str) -> bool {
        let at = |place: usize| {
            let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
            self.ends.get(place).and_then(|end| self.text.get(start..*end)).unwrap_or_default()
        };
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match at(middle).cmp(account) {
                Ordering::Equal => return true,
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        false
    }
}

impl<'a> FromIterator<&'a str> for Members {
    fn from_iter<I: IntoIterator<Item = &'a str>>(ids: I) -> Self {
        let mut ids: Vec<&str> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut members = Self { text: String::with_capacity(ids.iter().map(|id| id.len()).sum()), ends: Vec::new() };
        for id in ids {
            members.text.push_str(id);
            members.ends.push(members.text.len());
        }
        members
    }
}

/// A group as a target shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name.
    pub display_name: Option<String>,
    /// The external ids of the accounts in it; none where the target does not show them.
    pub members: Option<Members>,
}

impl Group {
    /// Puts the account in the place of its login: some targets show their members so. `logins` has whose a login is; one that
    /// is several accounts' stays as it is.
    pub fn resolve(&mut self, logins: &BTreeMap<String, Option<String>>) {
        let Some(members) = self.members.as_mut().filter(|_| !logins.is_empty()) else { return };
        let account = |shown| logins.get(shown).and_then(Option::as_deref).unwrap_or(shown);
        *members = members.iter().map(account).collect();
    }

    /// Reads one of `Connector::list_groups`: `id`, `display_name`, and `members` where they are shown.
    ///
    /// # Errors
    /// `invalid_answer` where it has no id or the members are no list of ids.
    pub fn from_object(object: &Attributes) -> Result<Self, Fault> {
        let unreadable = |what: &str| Fault::new(Code::InvalidAnswer, format!("the target shows a group {what}"));
        let id = object.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let members = match object.get("members") {
            None | Some(Value::Null) => None,
            Some(Value::Array(members)) => {
                let ids: Option<Vec<&str>> = members.iter().map(Value::as_str).collect();
                Some(ids.ok_or_else(|| unreadable("with members that are no ids"))?.into_iter().collect())
            }
            Some(_) => return Err(unreadable("whose members are no list")),
        };
        Ok(Self {
            id: id.ok_or_else(|| unreadable("without an id"))?.to_owned(),
            display_name: object.get("display_name").and_then(Value::as_str).map(str::to_owned),
            members,
        })
    }

    /// Whether one of the entitlements names it, by its id or its name in any letter case.
    pub fn is_named(&self, entitlements: &[Entitlement]) -> bool {
        let name = self.display_name.as_deref().map(str::to_lowercase);
        entitlements.iter().any(|entitlement| match &entitlement.group {
            GroupReference::Id(id) => *id == self.id,
            GroupReference::DisplayName(other) => name.as_ref() == Some(&other.to_lowercase()),
        })
    }

    /// Whether it has this id, or this name to the letter.
    pub(crate) fn is_exactly(&self, reference: &GroupReference) -> bool {
        match reference {
            GroupReference::Id(id) => *id == self.id,
            GroupReference::DisplayName(name) => self.display_name.as_deref() == Some(name),
        }
    }
}

/// An account that is linked to a user, as far as it matters for memberships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The account's external id.
    pub account: String,
    /// The user.
    pub user: String,
    /// Whether the user may have an active account: entitled, active, in scope.
    pub entitled: bool,
    /// The places of the entitlements whose grants the user has.
    wants: Vec<u32>,
}

impl Holder {
    /// The user's account, with what the user's grants ask for.
    pub fn new(entitlements: &[Entitlement], user: &User, account: &str, entitled: bool) -> Self {
        let wants = (0..).zip(entitlements).filter(|(_, one)| one.is_for(user)).map(|(place, _)| place);
        Self { account: account.to_owned(), user: user.id.to_string(), entitled, wants: wants.collect() }
    }

    /// Whether a grant of the user stands for any group.
    pub fn has_grants(&self) -> bool {
        !self.wants.is_empty()
    }
}

/// A membership that we gave, in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenMember {
    /// The account.
    pub account: String,
    /// How the entitlement named the group then.
    pub reference: GroupReference,
}

/// Tells the memberships that we gave in a group, by account.
pub type GivenIn<'g> = dyn FnMut(&str) -> Result<Vec<GivenMember>, Fault> + 'g;

/// What an app says about groups, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub struct GroupRules<'a> {
    /// Which grants stand for which groups.
    pub entitlements: &'a [Entitlement],
    /// Whether all groups that the entitlements name are `authoritative`.
    pub authoritative: bool,
    /// Whether an account whose user may not have it keeps its memberships.
    pub keeps: bool,
    /// The accounts that are protected or ignored.
    pub untouched: &'a BTreeSet<String>,
    /// The ids of the groups in which are memberships that we gave.
    pub given_groups: &'a BTreeSet<String>,
}

/// Compares the memberships that `holders` should have with those that we gave (`given`) and those that `groups` show, and
/// shows each to `visit`: by group id, then by account; those of groups that are not known last. `holders` may come in any
/// order.
///
/// Only groups that an entitlement names are looked into, and in others those whom we put there. A group is found by its id,
/// or by its name in any letter case where no group has exactly that name. A group that was listed twice has the members of
/// both.
///
/// # Errors
/// What `given` and `visit` give; `internal` where the check fails that every membership was shown once.
pub fn compare_groups(
    rules: GroupRules<'_>,
    mut holders: Vec<Holder>,
    groups: Vec<Group>,
    given: &mut GivenIn<'_>,
    visit: &mut dyn FnMut(Membership) -> Result<(), Fault>,
) -> Result<GroupSummary, Fault> {
    holders.sort_unstable_by(|one, other| one.account.cmp(&other.account));
    let groups = joined(groups);
    let mut named: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let mut unknown: Vec<(u32, String)> = Vec::new();
    for (place, entitlement) in (0..).zip(rules.entitlements) {
        match found(&entitlement.group, &groups) {
            Ok(id) => named.entry(id).or_default().push(place),
            Err(why) => unknown.push((place, why)),
        }
    }
    let mut showing = Showing { rules, holders: &holders, visit, summary: GroupSummary::default() };
    for (id, group) in &groups {
        match named.get(id.as_str()) {
            Some(places) => showing.group(group, places, given(id)?)?,
            None if rules.given_groups.contains(id) => showing.former(group, given(id)?)?,
            None => showing.summary.others += 1,
        }
    }
    showing.unknown(&unknown)?;
    Ok(showing.summary)
}

/// Groups by id; one that was listed twice has the members of both.
fn joined(groups: Vec<Group>) -> BTreeMap<String, Group> {
    let mut joined: BTreeMap<String, Group> = BTreeMap::new();
    for group in groups {
        match joined.get_mut(&group.id) {
            None => {
                joined.insert(group.id.clone(), group);
            }
            Some(known) => {
                // Half of the members are as good as none.
                let both = known.members.as_ref().zip(group.members.as_ref());
                known.members = both.map(|(one, other)| one.iter().chain(other.iter()).collect());
            }
        }
    }
    joined
}

/// The id of the group that is meant, or why there is none.
fn found<'a>(reference: &GroupReference, groups: &'a BTreeMap<String, Group>) -> Result<&'a str, String> {
    let name = match reference {
        GroupReference::Id(id) => {
            let known = groups.get_key_value(id).map(|(id, _)| id.as_str());
            return known.ok_or_else(|| "the target has no group of that id".to_owned());
        }
        GroupReference::DisplayName(name) => name,
    };
    let of_name = |is_it: &dyn Fn(&str) -> bool| -> Vec<&'a str> {
        let of_name = groups.values().filter(|group| group.display_name.as_deref().is_some_and(is_it));
        of_name.map(|group| group.id.as_str()).collect()
    };
    let mut ids = of_name(&|other| other == name);
    if ids.is_empty() {
        let folded = name.to_lowercase();
        ids = of_name(&|other| other.to_lowercase() == folded);
    }
    match ids.as_slice() {
        [] => Err("the target has no group of that name".to_owned()),
        [id] => Ok(id),
        several => Err(format!("the target has {} groups of that name", several.len())),
    }
}

/// One membership on its way to its situation.
struct Case<'a> {
    account: &'a str,
    holder: Option<&'a Holder>,
    wanted: bool,
    given: bool,
    there: bool,
}

struct Showing<'a, 'v> {
    rules: GroupRules<'a>,
    /// The linked accounts, in their order.
    holders: &'a [Holder],
    visit: &'v mut dyn FnMut(Membership) -> Result<(), Fault>,
    summary: GroupSummary,
}

impl<'a> Showing<'a, '_> {
    fn holder(&self, account: &str) -> Option<&'a Holder> {
        let place = self.holders.binary_search_by(|holder| holder.account.as_str().cmp(account)).ok()?;
        self.holders.get(place)
    }

    /// The grants of a user that ask for a group, which has these places among the entitlements.
    fn grants(&self, holder: &Holder, places: &[u32]) -> Vec<String> {
        let asking = holder.wants.iter().filter(|place| places.contains(place));
        let named = asking.filter_map(|place| self.rules.entitlements.get(*place as usize));
        let why: BTreeSet<String> = named.map(|one| format!("{} `{}`", one.grant.words(), one.name)).collect();
        why.into_iter().collect()
    }

    fn wants(&self, holder: &Holder, places: &[u32]) -> bool {
        holder.entitled && holder.wants.iter().any(|place| places.contains(place))
    }

    /// Whether what we gave is still asked for by the name that the group had then.
    fn wants_as_given(&self, holder: Option<&Holder>, reference: &GroupReference) -> bool {
        let Some(holder) = holder.filter(|holder| holder.entitled) else { return false };
        let mut named = holder.wants.iter().filter_map(|place| self.rules.entitlements.get(*place as usize));
        named.any(|one| one.group == *reference)
    }

    /// Shows every membership of a group that entitlements name.
    fn group(&mut self, group: &Group, places: &[u32], given: Vec<GivenMember>) -> Result<(), Fault> {
        let holders = self.holders;
        let mut size = size_of(group);
        let Some(members) = &group.members else {
            let asking: Vec<&Holder> = holders.iter().filter(|holder| self.wants(holder, places)).collect();
            for holder in asking {
                let why = vec!["the target does not show the group's members".to_owned()];
                self.unseen(&group.id, &holder.account, Some(holder), why)?;
            }
            self.summary.groups.push(size);
            return Ok(());
        };
        let asking: Vec<&str> =
            holders.iter().filter(|holder| self.wants(holder, places)).map(|holder| holder.account.as_str()).collect();
        let sides = Sides {
            members: members.iter().peekable(),
            asking: asking.iter().copied().peekable(),
            given: given.iter().peekable(),
        };
        let (mut shown, mut there, mut wanted) = (0, 0, 0);
        for (account, is_there, is_asked, as_given) in sides {
            let holder = self.holder(account);
            let is_wanted = is_asked || as_given.is_some_and(|one| self.wants_as_given(holder, &one.reference));
            let case = Case { account, holder, wanted: is_wanted, given: as_given.is_some(), there: is_there };
            self.judge(group, places, &case, &mut size)?;
            shown += 1;
            there += usize::from(is_there);
            wanted += usize::from(is_asked);
        }
        if (there, wanted) != (members.len(), asking.len()) || shown < there.max(wanted) {
            return Err(Fault::new(Code::Internal, "a membership was not compared, or twice"));
        }
        self.summary.groups.push(size);
        Ok(())
    }

    /// Shows those whom we put into a group that no entitlement names any more. Nothing is said of the others in it.
    fn former(&mut self, group: &Group, given: Vec<GivenMember>) -> Result<(), Fault> {
        let mut size = size_of(group);
        if let Some(members) = &group.members {
            for one in &given {
                let holder = self.holder(&one.account);
                let wanted = self.wants_as_given(holder, &one.reference);
                let there = members.contains(&one.account);
                self.judge(group, &[], &Case { account: &one.account, holder, wanted, given: true, there }, &mut size)?;
            }
        }
        self.summary.groups.push(size);
        Ok(())
    }

    /// Shows who is wanted in groups that are not there.
    fn unknown(&mut self, unknown: &[(u32, String)]) -> Result<(), Fault> {
        let holders = self.holders;
        let mut by_name: BTreeMap<(&str, &str), Vec<u32>> = BTreeMap::new();
        for (place, why) in unknown {
            if let Some(entitlement) = self.rules.entitlements.get(*place as usize) {
                by_name.entry((entitlement.group.text(), why)).or_default().push(*place);
            }
        }
        for ((name, why), places) in by_name {
            self.summary.unknown.push(format!("`{name}`: {why}"));
            let asking: Vec<&Holder> = holders.iter().filter(|holder| self.wants(holder, &places)).collect();
            for holder in asking {
                self.unseen(name, &holder.account, Some(holder), vec![why.to_owned()])?;
            }
        }
        Ok(())
    }

    fn unseen(&mut self, group: &str, account: &str, holder: Option<&Holder>, why: Vec<String>) -> Result<(), Fault> {
        self.show(Membership {
            group: group.to_owned(),
            account: account.to_owned(),
            user: holder.map(|holder| holder.user.clone()),
            situation: Situation::MembershipUnseen,
            wanted: true,
            given: false,
            there: None,
            authoritative: false,
            why,
        })
    }

    fn show(&mut self, membership: Membership) -> Result<(), Fault> {
        *self.summary.counts.entry(membership.situation).or_default() += 1;
        (self.visit)(membership)
    }

    fn judge(&mut self, group: &Group, places: &[u32], case: &Case<'_>, size: &mut GroupSize) -> Result<(), Fault> {
        let untouched = self.rules.untouched.contains(case.account);
        let keeps = self.rules.keeps && case.holder.is_some_and(|holder| !holder.entitled);
        let situation = situation(case, untouched, keeps);
        size.lacks += u64::from(matches!(situation, Situation::MembershipMissing | Situation::MembershipAbsent));
        let surplus = matches!(situation, Situation::MembershipUnqualified | Situation::MembershipUnmanaged);
        size.surplus += u64::from(surplus && !untouched);
        let why = match (situation, case.wanted) {
            (Situation::MembershipUnmanaged, _) if untouched => vec![UNTOUCHED.to_owned()],
            (_, true) => case.holder.map(|holder| self.grants(holder, places)).unwrap_or_default(),
            (Situation::MembershipUnqualified, _) => vec![NOT_ASKED_ANY_MORE.to_owned()],
            (Situation::MembershipUnmanaged, _) => vec![NOT_ASKED.to_owned()],
            (_, false) if keeps => vec!["the app keeps it with the account".to_owned()],
            (_, false) => vec!["it was taken away at the target, and nobody asks for it".to_owned()],
        };
        let mut named = places.iter().filter_map(|place| self.rules.entitlements.get(*place as usize));
        let authoritative = named.any(|one| self.rules.authoritative || one.authoritative);
        self.show(Membership {
            group: group.id.clone(),
            account: case.account.to_owned(),
            user: case.holder.map(|holder| holder.user.clone()),
            situation,
            wanted: case.wanted,
            given: case.given,
            there: Some(case.there),
            authoritative: authoritative && !untouched,
            why,
        })
    }
}

/// The attribute under which a plan tells memberships (RFC 7643 §4.1.2).
const GROUPS: &str = "groups";

/// The path of one membership of an account.
pub(crate) fn membership_path(group: &str) -> String {
    format!("{GROUPS}[value eq {}]", Value::from(group))
}

/// What is sent for a membership, as a change of the account: it comes into the group, or out of it.
pub(crate) fn membership_change(reaction: Reaction, group: &str) -> Option<Change> {
    match reaction {
        Reaction::Update => {
            let value = Some(json!([{"value": group}]));
            Some(Change { kind: ChangeKind::Add, path: GROUPS.to_owned(), value })
        }
        Reaction::Remove => Some(Change { kind: ChangeKind::Remove, path: membership_path(group), value: None }),
        _ => None,
    }
}

/// What there is before a membership is taken away.
pub(crate) fn membership_before(reaction: Reaction, group: &str) -> BTreeMap<String, Value> {
    let removes = reaction == Reaction::Remove;
    removes.then(|| (membership_path(group), json!({"value": group}))).into_iter().collect()
}

/// Why nothing is done about a membership of an account that is left alone.
pub(crate) const UNTOUCHED: &str = "the account is protected or ignored";
const NOT_ASKED_ANY_MORE: &str = "it was given for a grant that the user no longer has";
const NOT_ASKED: &str = "nobody asked for it";

/// The table: wanted, given, there.
fn situation(case: &Case<'_>, untouched: bool, keeps: bool) -> Situation {
    match (case.wanted, case.given, case.there) {
        (true, _, true) => Situation::MembershipConfirmed,
        (true, _, false) | (false, _, true) if untouched => Situation::MembershipUnmanaged,
        (true, true, false) => Situation::MembershipMissing,
        (true, false, false) => Situation::MembershipAbsent,
        (false, true, true) if keeps => Situation::MembershipConfirmed,
        (false, true, true) => Situation::MembershipUnqualified,
        (false, false, true) => Situation::MembershipUnmanaged,
        (false, _, false) => Situation::MembershipConfirmed,
    }
}

fn size_of(group: &Group) -> GroupSize {
    GroupSize {
        group: group.id.clone(),
        display_name: group.display_name.clone(),
        members: group.members.as_ref().map(|members| members.len() as u64),
        lacks: 0,
        surplus: 0,
    }
}

/// Who is in a group, who should be, and whom we put there, each by account: the next account with what is said of it.
struct Sides<A: Iterator, B: Iterator, C: Iterator> {
    members: std::iter::Peekable<A>,
    asking: std::iter::Peekable<B>,
    given: std::iter::Peekable<C>,
}

impl<'a, A, B, C> Iterator for Sides<A, B, C>
where
    A: Iterator<Item = &'a str>,
    B: Iterator<Item = &'a str>,
    C: Iterator<Item = &'a GivenMember>,
{
    type Item = (&'a str, bool, bool, Option<&'a GivenMember>);

    fn next(&mut self) -> Option<Self::Item> {
        let heads = [self.members.peek(), self.asking.peek()].into_iter().flatten().copied();
        let account = heads.chain(self.given.peek().map(|one| one.account.as_str())).min()?;
        let there = self.members.next_if(|one| *one == account).is_some();
        let asked = self.asking.next_if(|one| *one == account).is_some();
        let given = self.given.next_if(|one| one.account == account);
        Some((account, there, asked, given))
    }
}
