//! Memberships of a target's groups: what the users' grants ask for compared with what there is. Memory is bounded by the
//! memberships of the groups that the app's `entitlements` name.

use crate::fault::{Code, Fault};
use crate::model::{Entitlement, GrantKind, GroupReference, User};
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How a membership stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembershipVerdict {
    /// It is wanted and there.
    InStep,
    /// It is wanted and not there.
    ToAdd,
    /// It is there and no longer wanted: we gave it, or the app is `authoritative`.
    ToRemove,
    /// It is there, nobody asked for it, and it is left alone.
    Unmanaged,
    /// It is wanted, and there is no such group, or several.
    UnknownGroup,
    /// It is wanted, and the group does not show its members.
    Unreadable,
}

/// One membership, wanted or there.
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
    pub verdict: MembershipVerdict,
    /// Why: the grants that ask for it, or what takes it away.
    pub why: Vec<String>,
}

/// What would become of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupChange {
    /// The group's id.
    pub group: String,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// How many members it has; none where it does not show them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    /// How many would be added.
    pub added: u64,
    /// How many would be removed.
    pub removed: u64,
}

impl GroupChange {
    /// Whether nobody would be left in it.
    pub fn is_emptied(&self) -> bool {
        self.removed > 0 && self.added == 0 && self.members == Some(self.removed)
    }
}

/// What a comparison of groups comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupSummary {
    /// How many memberships there are of each verdict.
    pub counts: BTreeMap<MembershipVerdict, u64>,
    /// The groups that the entitlements name, by id.
    pub groups: Vec<GroupChange>,
    /// How many groups the target shows that no entitlement names; they are left alone.
    pub others: u64,
    /// What entitlements name and the target does not have, or has several times.
    pub unknown: Vec<String>,
}

/// A group as a target shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name.
    pub display_name: Option<String>,
    /// The external ids of the accounts in it; none where the target does not show them.
    pub members: Option<BTreeSet<String>>,
}

impl Group {
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
                let ids = members.iter().map(|member| member.as_str().map(str::to_owned));
                Some(ids.collect::<Option<_>>().ok_or_else(|| unreadable("with members that are no ids"))?)
            }
            Some(_) => return Err(unreadable("whose members are no list")),
        };
        Ok(Self {
            id: id.ok_or_else(|| unreadable("without an id"))?.to_owned(),
            display_name: object.get("display_name").and_then(Value::as_str).map(str::to_owned),
            members,
        })
    }
}

/// An account that is linked to a user.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The user.
    pub user: &'a User,
    /// The account's external id.
    pub account: &'a str,
    /// Whether the user may have an active account: entitled, active, in scope.
    pub entitled: bool,
}

/// What an app says about groups, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub struct GroupRules<'a> {
    /// Which grants stand for which groups.
    pub entitlements: &'a [Entitlement],
    /// Whether memberships that nobody asked for are removed from the groups that the entitlements name.
    pub authoritative: bool,
    /// The accounts that are protected or ignored.
    pub untouched: &'a BTreeSet<String>,
    /// The memberships that we gave: group and account by id.
    pub given: &'a BTreeSet<(String, String)>,
}

/// Compares the memberships that `holders` should have with those that `groups` show, and shows each to `visit`: by group id,
/// then by account; those of unknown groups last.
///
/// Only groups that an entitlement names are looked into. A group is found by its id, or by its name in any letter case
/// where no group has exactly that name. A group that was listed twice has the members of both.
///
/// # Errors
/// What `visit` gives; `internal` where the check fails that every membership was shown once.
pub fn compare_groups(
    rules: GroupRules<'_>,
    holders: &[Holder<'_>],
    groups: Vec<Group>,
    visit: &mut dyn FnMut(Membership) -> Result<(), Fault>,
) -> Result<GroupSummary, Fault> {
    let groups = joined(groups);
    let wanted = wanted(rules.entitlements, holders);
    let owners: HashMap<&str, &str> = holders.iter().map(|holder| (holder.account, holder.user.id.as_str())).collect();
    let mut named: BTreeMap<&str, Wanted<'_>> = BTreeMap::new();
    let mut unknown: BTreeMap<(&str, String), Wanted<'_>> = BTreeMap::new();
    for (reference, accounts) in wanted {
        let asked = match found(reference, &groups) {
            Ok(id) => named.entry(id).or_default(),
            Err(why) => unknown.entry((reference.text(), why)).or_default(),
        };
        for (account, why) in accounts {
            asked.entry(account).or_default().extend(why);
        }
    }
    let mut showing = Showing { rules, owners, visit, summary: GroupSummary::default() };
    showing.summary.others = (groups.len() - named.len()) as u64;
    for (id, asked) in named {
        if let Some(group) = groups.get(id) {
            showing.group(group, &asked)?;
        }
    }
    for ((name, why), asked) in unknown {
        showing.summary.unknown.push(format!("`{name}`: {why}"));
        for account in asked.keys() {
            showing.show(name, account, MembershipVerdict::UnknownGroup, vec![why.clone()])?;
        }
    }
    Ok(showing.summary)
}

/// The accounts in the groups that entitlements name: whose users have to be known for [`compare_groups`], besides those who
/// have a grant.
pub fn named_members<'a>(entitlements: &[Entitlement], groups: &'a [Group]) -> BTreeSet<&'a str> {
    let is_named = |group: &Group| {
        let name = group.display_name.as_deref().map(str::to_lowercase);
        entitlements.iter().any(|entitlement| match &entitlement.group {
            GroupReference::Id(id) => *id == group.id,
            GroupReference::DisplayName(other) => name.as_ref() == Some(&other.to_lowercase()),
        })
    };
    let members = groups.iter().filter(|group| is_named(group)).filter_map(|group| group.members.as_ref());
    members.flatten().map(String::as_str).collect()
}

/// The accounts that are wanted in a group, each with the grants that ask for it.
type Wanted<'a> = BTreeMap<&'a str, BTreeSet<String>>;

/// Groups by id; one that was listed twice has the members of both.
fn joined(groups: Vec<Group>) -> BTreeMap<String, Group> {
    let mut joined: BTreeMap<String, Group> = BTreeMap::new();
    for group in groups {
        match joined.get_mut(&group.id) {
            None => {
                joined.insert(group.id.clone(), group);
            }
            Some(known) => match (&mut known.members, group.members) {
                (Some(members), Some(more)) => members.extend(more),
                // Half of the members are as good as none.
                (members, _) => *members = None,
            },
        }
    }
    joined
}

/// Who is wanted in each group that an entitlement names.
fn wanted<'a>(entitlements: &'a [Entitlement], holders: &[Holder<'a>]) -> BTreeMap<&'a GroupReference, Wanted<'a>> {
    let mut wanted: BTreeMap<&GroupReference, Wanted<'_>> = BTreeMap::new();
    let mut by_grant: HashMap<(GrantKind, &str), Vec<&GroupReference>> = HashMap::new();
    for entitlement in entitlements {
        wanted.entry(&entitlement.group).or_default();
        by_grant.entry((entitlement.grant, &entitlement.name)).or_default().push(&entitlement.group);
    }
    for holder in holders.iter().filter(|holder| holder.entitled) {
        for (kind, name) in grants(holder.user) {
            for reference in by_grant.get(&(kind, name)).into_iter().flatten() {
                let why = format!("{} `{name}`", kind.words());
                wanted.entry(reference).or_default().entry(holder.account).or_default().insert(why);
            }
        }
    }
    wanted
}

fn grants(user: &User) -> impl Iterator<Item = (GrantKind, &str)> {
    let profile = user.profile.iter().map(|name| (GrantKind::Profile, name.as_str()));
    let sets = user.permission_sets.iter().map(|name| (GrantKind::PermissionSet, name.as_str()));
    let groups = user.permission_set_groups.iter().map(|name| (GrantKind::PermissionSetGroup, name.as_str()));
    profile.chain(sets).chain(groups)
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

struct Showing<'a, 'v> {
    rules: GroupRules<'a>,
    /// The users by their accounts.
    owners: HashMap<&'a str, &'a str>,
    visit: &'v mut dyn FnMut(Membership) -> Result<(), Fault>,
    summary: GroupSummary,
}

impl Showing<'_, '_> {
    fn show(&mut self, group: &str, account: &str, verdict: MembershipVerdict, why: Vec<String>) -> Result<(), Fault> {
        *self.summary.counts.entry(verdict).or_default() += 1;
        let user = self.owners.get(account).map(|user| (*user).to_owned());
        (self.visit)(Membership { group: group.to_owned(), account: account.to_owned(), user, verdict, why })
    }

    /// Shows every membership of a group that is wanted or there.
    fn group(&mut self, group: &Group, asked: &Wanted<'_>) -> Result<(), Fault> {
        let mut change = GroupChange {
            group: group.id.clone(),
            display_name: group.display_name.clone(),
            members: group.members.as_ref().map(|members| members.len() as u64),
            added: 0,
            removed: 0,
        };
        let Some(members) = &group.members else {
            for account in asked.keys() {
                let why = vec!["the target does not show the group's members".to_owned()];
                self.show(&group.id, account, MembershipVerdict::Unreadable, why)?;
            }
            self.summary.groups.push(change);
            return Ok(());
        };
        let accounts: BTreeSet<&str> = members.iter().map(String::as_str).chain(asked.keys().copied()).collect();
        let (mut there, mut wanted) = (0, 0);
        for account in accounts {
            let (why, is_member) = (asked.get(account), members.contains(account));
            there += usize::from(is_member);
            wanted += usize::from(why.is_some());
            let (verdict, why) = self.judge(&group.id, account, why, is_member);
            change.added += u64::from(verdict == MembershipVerdict::ToAdd);
            change.removed += u64::from(verdict == MembershipVerdict::ToRemove);
            self.show(&group.id, account, verdict, why)?;
        }
        if (there, wanted) != (members.len(), asked.len()) {
            return Err(Fault::new(Code::Internal, "a membership was not compared, or twice"));
        }
        self.summary.groups.push(change);
        Ok(())
    }

    fn judge(
        &self,
        group: &str,
        account: &str,
        asked: Option<&BTreeSet<String>>,
        is_member: bool,
    ) -> (MembershipVerdict, Vec<String>) {
        if let (Some(why), true) = (asked, is_member) {
            return (MembershipVerdict::InStep, why.iter().cloned().collect());
        }
        let told = |verdict, why: &str| (verdict, vec![why.to_owned()]);
        if self.rules.untouched.contains(account) {
            return told(MembershipVerdict::Unmanaged, "the account is protected or ignored");
        }
        if let Some(why) = asked {
            return (MembershipVerdict::ToAdd, why.iter().cloned().collect());
        }
        // It is a set of pairs, which cannot be asked by reference.
        if self.rules.given.contains(&(group.to_owned(), account.to_owned())) {
            return told(MembershipVerdict::ToRemove, "it was given for a grant that the user no longer has");
        }
        match self.rules.authoritative {
            true => told(MembershipVerdict::ToRemove, "nobody asked for it, and the app is authoritative"),
            false => told(MembershipVerdict::Unmanaged, "nobody asked for it"),
        }
    }
}
