//! The brake: asked once, on the whole plan, before anything is done. It holds what takes something away where that looks
//! like a mistake, and lets everything else through. It counts the items one by one, so that a plan of any length fits.

use crate::model::{
    BrakeLimit, BrakeReason, BrakeSettings, ChangeKind, ItemState, PlanItem, Reaction, SnapshotVerdict,
};
use crate::time::{Period, Timestamp};
use crate::value::is_empty;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter};

/// What is known of the app besides the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether the listing may be concluded from.
    pub verdict: SnapshotVerdict,
    /// Whether the app allows `delete`.
    pub delete_allowed: bool,
    /// How many linked accounts the app has that are not gone, before the plan.
    pub linked: u64,
    /// What was taken away lately.
    pub taken: Taken,
    /// The groups about which the plan has items, by id, as far as anything is known of them.
    pub groups: BTreeMap<String, GroupAround>,
    /// External ids of protected accounts.
    pub protected: BTreeSet<String>,
    /// External ids of those accounts of `brake.admins` that can be used.
    pub active_admins: BTreeSet<String>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            verdict: SnapshotVerdict::Complete,
            delete_allowed: false,
            linked: 0,
            taken: Taken::default(),
            groups: BTreeMap::new(),
            protected: BTreeSet::new(),
            active_admins: BTreeSet::new(),
        }
    }
}

/// What is known of a group besides the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupAround {
    /// Its name, where it has one.
    pub display_name: Option<String>,
    /// How many members it has; none where nobody knows.
    pub members: Option<u64>,
    /// How many were taken out of it in the last 24 hours.
    pub left: u64,
}

/// What plans took away lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Accounts disabled and links taken away in the last 24 hours, without those of explicit leavers.
    pub deactivations: u64,
    /// Accounts deleted in the last 24 hours, without those of explicit leavers.
    pub deletes: u64,
    /// What was taken from explicit leavers in the last hour.
    pub explicit: u64,
}

/// Whether what was inferred was found twice, long enough apart: `first_at` is when a listing showed it for the first time,
/// `last_at` when one did last, and every whole listing between did too.
pub fn is_confirmed(first_at: Timestamp, last_at: Timestamp, apart: Period) -> bool {
    last_at >= first_at.plus(apart)
}

/// What becomes of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is done on commit.
    Free,
    /// It waits until a second person releases it.
    UntilReleased,
    /// This plan does not do it, released or not.
    Never,
}

/// Counts a plan's items.
#[derive(Clone, Debug)]
pub struct Brake {
    settings: BrakeSettings,
    around: Surroundings,
    deactivations: u64,
    unlinks: u64,
    deletes: u64,
    all_deletes: u64,
    explicit: u64,
    unconfirmed: u64,
    protected: u64,
    admins: BTreeSet<String>,
    overwritten: BTreeMap<String, u64>,
    /// By group, how many would come into it and how many out of it.
    members: BTreeMap<String, (u64, u64)>,
    groups: Vec<BrakeReason>,
}

impl Brake {
    /// Counts from nothing.
    pub fn new(settings: &BrakeSettings, around: &Surroundings) -> Self {
        Self {
            settings: settings.clone(),
            around: around.clone(),
            deactivations: 0,
            unlinks: 0,
            deletes: 0,
            all_deletes: 0,
            explicit: 0,
            unconfirmed: 0,
            protected: 0,
            admins: BTreeSet::new(),
            overwritten: BTreeMap::new(),
            members: BTreeMap::new(),
            groups: Vec::new(),
        }
    }

    /// Counts an item that is planned or held; others do nothing. `confirmed` says of what was inferred whether it was found
    /// before ([`is_confirmed`]).
    pub fn add(&mut self, item: &PlanItem, confirmed: bool) {
        if !matches!(item.state, ItemState::Planned | ItemState::Held) {
            return;
        }
        for attribute in overwritten(item) {
            *self.overwritten.entry(attribute.to_owned()).or_default() += 1;
        }
        if let Some(group) = &item.group {
            let (added, removed) = self.members.entry(group.clone()).or_default();
            *added += u64::from(item.reaction == Reaction::Update);
            *removed += u64::from(item.reaction == Reaction::Remove);
        }
        if !item.reaction.is_destructive() {
            return;
        }
        let account = item.finding.account.as_deref().unwrap_or_default();
        self.protected += u64::from(self.around.protected.contains(account));
        self.all_deletes += u64::from(item.reaction == Reaction::Delete);
        // Whose link or membership is taken away can still work.
        if !keeps_usable(item.reaction) && self.around.active_admins.contains(account) {
            self.admins.insert(account.to_owned());
        }
        if item.explicit {
            self.explicit += 1;
            return;
        }
        self.unconfirmed += u64::from(!confirmed);
        match item.reaction {
            // They count by their groups.
            Reaction::Remove => {}
            Reaction::Delete => self.deletes += 1,
            Reaction::Unlink => self.unlinks += 1,
            _ => self.deactivations += 1,
        }
    }

    /// Counts what would be removed from one group that has so many members; none where it does not show them. `emptied`
    /// says whether nobody would be left.
    pub fn add_group(&mut self, group: &str, members: Option<u64>, removed: u64, emptied: bool) {
        let of = members.unwrap_or(removed);
        self.groups.extend(group_reason(&self.settings.group_removals, group, (removed, of), emptied));
    }

    /// The groups out of which the plan's items take members, with whoever was taken out in the day before.
    fn groups(&self) -> Vec<BrakeReason> {
        let unknown = GroupAround::default();
        let leaving = self.members.iter().filter(|(_, (_, removed))| *removed > 0);
        let reason = |(id, (added, removed)): (&String, &(u64, u64))| {
            let around = self.around.groups.get(id).unwrap_or(&unknown);
            let count = removed.saturating_add(around.left);
            let of = around.members.unwrap_or(*removed).saturating_add(around.left);
            let emptied = *added == 0 && around.members.is_some_and(|members| *removed >= members);
            let name = around.display_name.as_deref().unwrap_or(id);
            group_reason(&self.settings.group_removals, name, (count, of), emptied)
        };
        leaving.filter_map(reason).collect()
    }

    /// Decides on the whole plan.
    pub fn decide(self) -> Braked {
        let around = &self.around;
        let accounts = around.linked;
        let mut found = Found { reasons: Vec::new(), of: accounts };
        self.shares(&mut found);
        if self.all_deletes > 0 && !around.delete_allowed {
            let message = format!("{} would be deleted, and the app does not allow `delete`", count(self.all_deletes));
            found.push("delete_right", message, self.all_deletes);
        }
        found.reasons.extend(self.groups.iter().cloned());
        found.reasons.extend(self.groups());
        let attributes = self.attributes(&mut found);
        if self.protected > 0 {
            found.push("protected", format!("{} protected", count(self.protected)), self.protected);
        }
        let last_admins = !self.admins.is_empty() && self.admins.len() == around.active_admins.len();
        if last_admins {
            let message = "no account of `brake.admins` would be left that can be used".to_owned();
            found.push("last_admin", message, self.admins.len() as u64);
        }
        let leaving: u64 = self.members.values().map(|(_, removed)| removed).sum();
        let inferred = self.deactivations + self.unlinks + self.deletes + leaving;
        match around.verdict {
            SnapshotVerdict::Suspect if inferred > 0 => {
                let message = "the listing is empty or much smaller than the last accepted one".to_owned();
                found.push("suspect", message, inferred);
            }
            SnapshotVerdict::Incomplete if inferred > 0 => {
                let message = "the listing is incomplete: nothing is taken away, released or not".to_owned();
                found.push("incomplete", message, inferred);
            }
            _ => {}
        }
        let tripped = !found.reasons.is_empty();
        if self.unconfirmed > 0 {
            let apart = self.settings.observed_apart;
            let message = format!(
                "{} found for the first time; another reconciliation, at least {apart} later, must find it again",
                count(self.unconfirmed)
            );
            found.push("first_observation", message, self.unconfirmed);
        }
        Braked {
            reasons: found.reasons,
            notes: self.notes(accounts),
            tripped,
            attributes,
            last_admins: if last_admins { self.admins } else { BTreeSet::new() },
            incomplete: around.verdict == SnapshotVerdict::Incomplete,
            delete_allowed: around.delete_allowed,
            protected: around.protected.clone(),
        }
    }

    fn shares(&self, found: &mut Found) {
        let (settings, taken, of) = (&self.settings, self.around.taken, found.of);
        let planned = self.deactivations + self.unlinks;
        let together = planned.saturating_add(taken.deactivations);
        if planned > 0 && any_trips(&settings.deactivations, together, of) {
            let (name, what) = match self.deactivations {
                0 => ("unlinks", "lose their link"),
                _ => ("deactivations", "be disabled or lose their link"),
            };
            let message = format!("{together} of {of} accounts would {what} within 24 hours");
            found.push(name, message, together);
        }
        let together = self.deletes.saturating_add(taken.deletes);
        if self.deletes > 0 && any_trips(&settings.deletes, together, of) {
            let message = format!("{together} of {of} accounts would be deleted within 24 hours");
            found.push("deletes", message, together);
        }
    }

    /// The attributes that so many would get overwritten that it looks like a mapping mistake.
    fn attributes(&self, found: &mut Found) -> BTreeSet<String> {
        let of = found.of;
        let many = |count: &u64| any_trips(&self.settings.same_attribute, *count, of);
        let tripped = self.overwritten.iter().filter(|(_, count)| many(count));
        tripped
            .map(|(attribute, count)| {
                let message = format!("{count} of {of} accounts would get `{attribute}` overwritten");
                found.push("same_attribute", message, *count);
                attribute.clone()
            })
            .collect()
    }

    /// Explicit leavers are never held by a share; that there are very many of them is told.
    fn notes(&self, accounts: u64) -> Vec<String> {
        let together = self.explicit.saturating_add(self.around.taken.explicit);
        let many = BrakeLimit { percent: 10, count: 1 };
        if self.explicit == 0 || !trips(&many, together, accounts) {
            return Vec::new();
        }
        vec![ManyLeft { count: together, of: accounts }.to_string()]
    }
}

struct Found {
    reasons: Vec<BrakeReason>,
    of: u64,
}

impl Found {
    fn push(&mut self, name: &str, message: String, count: u64) {
        self.reasons.push(BrakeReason { name: name.to_owned(), message, count, of: self.of });
    }
}

fn count(accounts: u64) -> String {
    if accounts == 1 { "1 account".to_owned() } else { format!("{accounts} accounts") }
}

/// Whether what follows leaves the account one that can be used.
fn keeps_usable(reaction: Reaction) -> bool {
    matches!(reaction, Reaction::Unlink | Reaction::Remove)
}

/// Why so many may not simply leave a group, where they may not.
pub(crate) fn group_reason(
    limits: &[BrakeLimit],
    group: &str,
    (removed, of): (u64, u64),
    emptied: bool,
) -> Option<BrakeReason> {
    let reason = |name: &str, message| Some(BrakeReason { name: name.to_owned(), message, count: removed, of });
    if removed > 0 && emptied {
        reason("group_emptied", format!("the group `{group}` would have no member left"))
    } else if any_trips(limits, removed, of) {
        reason(
            "group_removals",
            format!("{removed} of {of} members would be removed from the group `{group}` within 24 hours"),
        )
    } else {
        None
    }
}

/// More than the share, and at least so many.
fn trips(limit: &BrakeLimit, count: u64, of: u64) -> bool {
    count >= limit.count.max(1) && u128::from(count) * 100 > u128::from(of) * u128::from(limit.percent)
}

/// Whether any of the limits trips.
pub(super) fn any_trips(limits: &[BrakeLimit], count: u64, of: u64) -> bool {
    limits.iter().any(|limit| trips(limit, count, of))
}

/// The attributes of which an item would overwrite a value that says something.
fn overwritten(item: &PlanItem) -> BTreeSet<&str> {
    if item.group.is_some() {
        return BTreeSet::new();
    }
    let says_nothing = |value: &Value| is_empty(value) || value.as_str().is_some_and(str::is_empty);
    let changes = item.changes.iter().filter(|change| change.kind != ChangeKind::Add);
    let losing = changes.filter(|change| {
        let shown = || item.finding.drift.iter().find(|drift| drift.attribute == change.path)?.actual.as_ref();
        let before = item.before.get(&change.path).or_else(shown);
        before.is_some_and(|before| !says_nothing(before) && change.value.as_ref() != Some(before))
    });
    losing.map(|change| change.path.as_str()).collect()
}

/// What the brake decided on a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Braked {
    /// Why something is held; empty where nothing is.
    pub reasons: Vec<BrakeReason>,
    /// What is to be known besides.
    pub notes: Vec<String>,
    tripped: bool,
    attributes: BTreeSet<String>,
    last_admins: BTreeSet<String>,
    incomplete: bool,
    delete_allowed: bool,
    protected: BTreeSet<String>,
}

impl Braked {
    /// What becomes of an item; `confirmed` as for [`Brake::add`].
    pub fn hold(&self, item: &PlanItem, confirmed: bool) -> Hold {
        if !self.is_destructive(item) || !matches!(item.state, ItemState::Planned | ItemState::Held) {
            return Hold::Free;
        }
        if item.explicit && item.reaction.is_destructive() {
            return if self.is_itself_a_reason(item) { Hold::UntilReleased } else { Hold::Free };
        }
        if self.incomplete || (item.reaction.is_destructive() && !confirmed) {
            return Hold::Never;
        }
        if self.tripped { Hold::UntilReleased } else { Hold::Free }
    }

    /// Holds an item or lets it go, and says why. Gives what becomes of it.
    pub fn apply(&self, item: &mut PlanItem, confirmed: bool) -> Hold {
        let hold = self.hold(item, confirmed);
        item.destructive = self.is_destructive(item);
        if matches!(item.state, ItemState::Planned | ItemState::Held) {
            item.state = if hold == Hold::Free { ItemState::Planned } else { ItemState::Held };
        }
        item.why.retain(|why| !HELD.contains(&why.as_str()));
        match hold {
            Hold::Free => {}
            Hold::UntilReleased => item.why.push(HELD_UNTIL_RELEASED.to_owned()),
            Hold::Never if self.incomplete => item.why.push(HELD_INCOMPLETE.to_owned()),
            Hold::Never => item.why.push(HELD_FIRST.to_owned()),
        }
        hold
    }

    fn is_destructive(&self, item: &PlanItem) -> bool {
        item.reaction.is_destructive()
            || (!self.attributes.is_empty() && overwritten(item).iter().any(|path| self.attributes.contains(*path)))
    }

    /// Explicit leavers are held by what concerns the account itself alone.
    fn is_itself_a_reason(&self, item: &PlanItem) -> bool {
        let account = item.finding.account.as_deref().unwrap_or_default();
        (item.reaction == Reaction::Delete && !self.delete_allowed)
            || self.protected.contains(account)
            || (!keeps_usable(item.reaction) && self.last_admins.contains(account))
    }
}

/// The note that very many users left explicitly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ManyLeft {
    count: u64,
    of: u64,
}

impl Display for ManyLeft {
    fn fmt(&self, text: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { count, of } = self;
        write!(
            text,
            "{count} of {of} accounts would be taken from users who left explicitly within an hour: more than 10 %"
        )
    }
}

impl ManyLeft {
    /// Reads a stored note; none where it is another. A new decision of the brake takes its place.
    pub(crate) fn read(note: &str) -> Option<Self> {
        let (count, rest) = note.split_once(" of ")?;
        let (of, _) = rest.split_once(' ')?;
        let read = Self { count: count.parse().ok()?, of: of.parse().ok()? };
        (read.to_string() == note).then_some(read)
    }
}

const HELD_UNTIL_RELEASED: &str = "the brake holds it until a second person releases the plan";
const HELD_INCOMPLETE: &str = "the listing is incomplete: it is not done, released or not";
const HELD_FIRST: &str = "it was found for the first time: another reconciliation must find it again";
const HELD: [&str; 3] = [HELD_UNTIL_RELEASED, HELD_INCOMPLETE, HELD_FIRST];

/// Whether a second person can let through what is held for these reasons. What was found for the first time must be found
/// again, and of an incomplete listing nothing may be concluded.
pub fn can_be_released(reasons: &[BrakeReason]) -> bool {
    let is = |name: &str| reasons.iter().any(|reason| reason.name == name);
    !is("incomplete") && reasons.iter().any(|reason| reason.name != "first_observation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_the_brake_is_known_by_all_it_says() {
        let note = ManyLeft { count: 12, of: 100 };
        assert_eq!(ManyLeft::read(&note.to_string()), Some(note));
        let others =
            ["", "the undo leaves 3 of 7 accounts as they are: more than 10 %", &format!("{note} "), "12 of 100"];
        others.iter().for_each(|other| assert_eq!(ManyLeft::read(other), None, "{other}"));
    }
}
