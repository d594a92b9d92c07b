//! What reconciliation finds, plans and does: situations, findings, plans, and the settings of an app for it.

use super::request::{ApprovalStatus, State, WaitingFor};
use super::target::Change;
use crate::fault::Fault;
use crate::id::{AppId, RequestId, UserId};
use crate::time::{Period, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

macro_rules! spoken_names {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$note])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored and spoken name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

spoken_names! {
    /// How a user and an account stand to each other, as reconciliation finds them. Every account of the target is in exactly
    /// one, and so is every user without any account; `tests/data/situations.csv` tells the rule of each.
    Situation {
        /// The account is on the app's list of protected ones.
        Protected = "protected",
        /// The account's link state is Ignored.
        Ignored = "ignored",
        /// The account is linked to a user who no longer exists.
        SourceGone = "source_gone",
        /// The account is active, and its user is inactive or not entitled.
        Unqualified = "unqualified",
        /// The account is linked, and differs from what is wanted.
        Drifted = "drifted",
        /// The account is linked, and is as wanted.
        Confirmed = "confirmed",
        /// No user matches the account.
        Orphaned = "orphaned",
        /// The only user who matches is linked to another account.
        Taken = "taken",
        /// Several users match the account, or its user matches several accounts.
        Ambiguous = "ambiguous",
        /// One user and one account match, and neither is linked.
        Found = "found",
        /// The user's linked account is gone.
        Missing = "missing",
        /// The user is entitled and has no account.
        Absent = "absent",
        /// The user is linked or entitled, and the listing was not whole: nothing is concluded.
        Unseen = "unseen",
        /// The user is neither entitled nor linked.
        OutOfScope = "out_of_scope",
        /// The membership is wanted and there, or it is neither. This and the next five are of a membership: an account and a
        /// group that an entitlement names.
        MembershipConfirmed = "membership_confirmed",
        /// The membership is wanted, we gave it, and it is gone: the target took it away.
        MembershipMissing = "membership_missing",
        /// The membership is wanted, we never gave it, and it is not there: we owe it.
        MembershipAbsent = "membership_absent",
        /// The membership is there, we gave it, and nobody asks for it any more: access that nobody is entitled to.
        MembershipUnqualified = "membership_unqualified",
        /// The membership is there, nobody asks for it, and we did not give it.
        MembershipUnmanaged = "membership_unmanaged",
        /// The membership is wanted, and the target shows no such group, or not who is in it: nothing is concluded.
        MembershipUnseen = "membership_unseen",
    }
}

impl Situation {
    /// Whether it is that of a membership, and not of an account or a user.
    pub fn is_of_membership(self) -> bool {
        matches!(
            self,
            Self::MembershipConfirmed
                | Self::MembershipMissing
                | Self::MembershipAbsent
                | Self::MembershipUnqualified
                | Self::MembershipUnmanaged
                | Self::MembershipUnseen
        )
    }

    /// The situations of accounts and users, of which a comparison of those counts every one.
    pub fn of_accounts() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|situation| !situation.is_of_membership())
    }

    /// The situations of memberships.
    pub fn of_memberships() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|situation| situation.is_of_membership())
    }
}

spoken_names! {
    /// What is done about a situation.
    Reaction {
        /// Nothing, and nothing is said.
        None = "none",
        /// It is said.
        Report = "report",
        /// User and account are linked.
        Link = "link",
        /// An account is made.
        Create = "create",
        /// The account is brought in line; one that was found is linked first.
        Update = "update",
        /// The account is disabled.
        Deactivate = "deactivate",
        /// The account is deleted.
        Delete = "delete",
        /// The link is taken away.
        Unlink = "unlink",
        /// The account is left alone from then on.
        Ignore = "ignore",
        /// The account is taken out of the group.
        Remove = "remove",
        /// A person decides.
        Review = "review",
        /// The account is enabled again. This and the next three are for undoing alone.
        Activate = "activate",
        /// The account is suspended again.
        Freeze = "freeze",
        /// The account is no longer suspended.
        Unfreeze = "unfreeze",
        /// The account is no longer left alone.
        Attend = "attend",
    }
}

impl Reaction {
    /// Whether it takes something away that cannot simply be had back, so that the brake is asked.
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Deactivate | Self::Delete | Self::Unlink | Self::Remove)
    }

    /// Whether a plan to undo alone has it: no definition may name it, and nobody may choose it.
    pub fn is_for_undo(self) -> bool {
        matches!(self, Self::Activate | Self::Freeze | Self::Unfreeze | Self::Attend)
    }

    /// The reaction of that name, where a definition may name it or a person choose it.
    ///
    /// ```
    /// use rollkeeper::model::Reaction;
    /// assert_eq!(Reaction::choice("update"), Some(Reaction::Update));
    /// assert_eq!(Reaction::choice("attend"), None);
    /// ```
    pub fn choice(name: &str) -> Option<Self> {
        Self::from_name(name).filter(|reaction| !reaction.is_for_undo())
    }
}

spoken_names! {
    /// Whose doing a difference is: last applied, wanted and actual value compared.
    DriftVerdict {
        /// The actual value is the wanted one.
        InStep = "in_step",
        /// The actual value is the one last applied, or nothing was applied yet: we owe the change.
        Ours = "ours",
        /// The wanted value is the one last applied: the target changed it.
        Theirs = "theirs",
        /// Both changed since.
        Both = "both",
    }
}

spoken_names! {
    /// Whether a listing may be concluded from.
    SnapshotVerdict {
        /// All of it was seen.
        Complete = "complete",
        /// Part of it may not have been seen: nothing is concluded from absence.
        Incomplete = "incomplete",
        /// All of it was seen, and it is empty or much smaller than before: what follows from absence waits for a person.
        Suspect = "suspect",
    }
}

/// One attribute three ways. Values of sensitive attributes are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The attribute path at the target; `active` stands for whether the account can be used.
    pub attribute: String,
    /// The value last applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Value>,
    /// The value wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Value>,
    /// The value at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// Whose doing it is.
    pub verdict: DriftVerdict,
}

/// A user or account that comes into question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchCandidate {
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How sure the rules are, 0 to 1 with three decimals.
    pub confidence: f64,
}

/// What was found of one account, or of one user without an account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The situation.
    pub situation: Situation,
    /// The user who owns the account or is the only one to match it; the user without an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The account's external id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The matching rule that decided, counted from 0; none where a link did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    /// Who else comes into question, surest first, equally sure ones by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<MatchCandidate>,
    /// The attributes that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// Why nothing can be concluded of the wanted state: a scope or a rule that fails on this record. No reaction follows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// How many findings there are of each situation; every situation is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SituationCounts(pub BTreeMap<Situation, u64>);

spoken_names! {
    /// What a reconciliation compares.
    ReconciliationKind {
        /// The accounts of a target with the users.
        Target = "target",
        /// A whole list of users with those known before: who is not in it has left. With an app: a new definition, or a
        /// whole list, with the memberships that were given: those that nobody asks for any more.
        Source = "source",
        /// What was done with what there was before.
        Undo = "undo",
    }
}

spoken_names! {
    /// How far an item of a plan is.
    ItemState {
        /// It is done on commit.
        Planned = "planned",
        /// It waits for a person's decision.
        Review = "review",
        /// The brake holds it.
        Held = "held",
        /// It is done, or its request was made.
        Done = "done",
        /// It is not done, since what it was planned for changed, or it cannot be done.
        Refused = "refused",
        /// It was only said.
        Reported = "reported",
        /// The plan ended before it was released.
        Expired = "expired",
    }
}

/// One thing that a plan would do, or only says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanItem {
    /// Counted from 1, in the plan's order.
    pub number: u64,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// The group's id, where it is about a membership of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What is done about it.
    pub reaction: Reaction,
    /// How far it is.
    pub state: ItemState,
    /// Whether it takes something away.
    pub destructive: bool,
    /// Whether a person or the directory said explicitly that this user leaves. Such items are not held by shares.
    pub explicit: bool,
    /// What is sent, where the account is changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The values before, of the attributes that are changed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Value>,
    /// Why it is done, held or refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// The request that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// What kept it from being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Who decided, where a person did; of what a list of users found held, who put that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A reason why the brake holds the destructive part of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrakeReason {
    /// A stable name: `deactivations`, `deletes`, `delete_right`, `unlinks`, `group_removals`, `group_emptied`,
    /// `same_attribute`, `protected`, `last_admin`, `suspect`, `incomplete`, `first_observation`,
    /// `held_before`.
    pub name: String,
    /// In words, with the figures.
    pub message: String,
    /// How many there would be, with those of the last 24 hours where they count.
    pub count: u64,
    /// Of how many.
    pub of: u64,
}

/// A reconciliation: a Reconcile request and what it collected, or another plan of many changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reconciliation {
    /// The id, which is that of its request.
    pub id: RequestId,
    /// What is compared.
    pub kind: ReconciliationKind,
    /// The app; none for a list of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppId>,
    /// How far it is.
    pub state: State,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// Whether a person has to agree to the held part.
    pub approval: ApprovalStatus,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How many pages were read.
    pub pages: u64,
    /// How many rows were read, repeated ones too.
    pub collected: u64,
    /// Whether what was read may be concluded from; none before all was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<SnapshotVerdict>,
    /// Why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verdict_why: Vec<String>,
    /// How many of each situation were found; of memberships, where they were compared.
    pub counts: SituationCounts,
    /// The groups that the app's entitlements name, where they were compared: by id, with how many members each has, and how
    /// many the settings would add and remove.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSize>,
    /// How many items of each state the plan has.
    pub items: BTreeMap<ItemState, u64>,
    /// The SHA-256 of the plan, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Why the destructive part is held; empty where it is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub brake: Vec<BrakeReason>,
    /// What is to be known besides: what cannot be undone, what was left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is wrong, where something is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// A group of the target that an app's entitlements name, as it was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSize {
    /// The group's id.
    pub group: String,
    /// Its name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// How many members it has; none where the target does not show them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    /// How many are wanted in it and are not.
    pub lacks: u64,
    /// How many are in it for whom nobody asks.
    pub surplus: u64,
}

/// Which reconciliations are asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReconciliationFilter {
    /// Of this app.
    pub app: Option<String>,
    /// Of this kind.
    pub kind: Option<ReconciliationKind>,
    /// In this state.
    pub state: Option<State>,
    /// At most so many; 1,000 where it is left out.
    pub limit: Option<u32>,
    /// After the one of this id.
    pub after: Option<String>,
}

/// Which items of a plan are asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanFilter {
    /// In this situation.
    pub situation: Option<Situation>,
    /// With this reaction.
    pub reaction: Option<Reaction>,
    /// In this state.
    pub state: Option<ItemState>,
    /// About this user.
    pub user: Option<UserId>,
    /// At most so many; 1,000 where it is left out.
    pub limit: Option<u32>,
    /// After the item of this number.
    pub after: Option<u64>,
}

/// A person's decision on one item of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewDecision {
    /// What is to be done.
    pub reaction: Reaction,
    /// With which of the users that come into question.
    #[serde(default)]
    pub user: Option<String>,
}

/// How an app is reconciled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReconcileSettings {
    /// How often; only when asked for where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// Every how long the whole is read where the target can tell what changed; always the whole where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_every: Option<Period>,
    /// Reads a part alone: a filter in the target's own language. Nothing is concluded from absence then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// What is done about each situation, where it is not the default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<Situation, Reaction>,
    /// Whether a scheduled reconciliation commits its plan by itself; what the brake holds waits for a person either way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub commit: bool,
}

/// Where the brake trips: more than a share, and at least so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrakeLimit {
    /// More than so many in a hundred of the app's linked, living accounts; 0 to 100.
    #[serde(skip_serializing_if = "is_zero")]
    pub percent: u8,
    /// And at least so many, from 1.
    pub count: u64,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// The brake's settings; `core/docs/reconciliation.md` tells the defaults and why there is no switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrakeSettings {
    /// For what disables accounts or takes links away; any one trips.
    pub deactivations: Vec<BrakeLimit>,
    /// For deletions; any one trips.
    pub deletes: Vec<BrakeLimit>,
    /// For removals from one group; any one trips. A group that is emptied always does.
    pub group_removals: Vec<BrakeLimit>,
    /// For users who would get the same attribute changed; any one trips.
    pub same_attribute: Vec<BrakeLimit>,
    /// How much smaller than the last accepted one a listing may be before it is suspect, in a hundred.
    pub smaller_percent: u8,
    /// How far apart the two observations of what is inferred must be.
    pub observed_apart: Period,
    /// External ids of accounts with administrators' rights: the last active one is not taken away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admins: Vec<String>,
}

impl Default for BrakeSettings {
    fn default() -> Self {
        let limit = |percent, count| BrakeLimit { percent, count };
        Self {
            deactivations: vec![limit(33, 2), limit(5, 5), limit(1, 100), limit(0, 500)],
            deletes: vec![limit(1, 1)],
            group_removals: vec![limit(30, 10)],
            same_attribute: vec![limit(20, 5)],
            smaller_percent: 10,
            observed_apart: Period::from_seconds(600),
            admins: Vec::new(),
        }
    }
}
