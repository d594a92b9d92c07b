//! An app: one target and how to provision it, as data. Keys and their meaning: `core/docs/documents.md`.

use super::{
    BrakeSettings, BreakerSettings, ConnectorDefinition, MatchingDefinition, Rate, ReconcileSettings, RetryPolicy,
    Settle, Timeouts,
};
use crate::id::AppId;
use crate::operation::Operation;
use crate::time::Period;
use crate::value::Attributes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The definition of a connected app. Unknown keys are refused; only `id` and `connector` are required.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The app's id.
    pub id: AppId,
    /// The name shown to people; the id where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether requests are sent. Decisions are recorded either way.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Where the app's tile leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_url: Option<String>,
    /// The picture of the app's tile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// How the target is reached.
    pub connector: ConnectorDefinition,
    /// Whom the app is for: any of these grants entitles a user.
    #[serde(default, skip_serializing_if = "is_default")]
    pub assigned_to: Grants,
    /// A condition on top of the grants, an expression that gives true or false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Who is provisioned while the app is tried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilot: Option<Pilot>,
    /// Which operations are allowed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub operations: Operations,
    /// The user attributes whose change makes an Update; every attribute that the mapping reads where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_on: Option<Vec<String>>,
    /// What `lookup` finds values in: tables by their names, each with values by their keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, Attributes>,
    /// The attribute mapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapping: Vec<Rule>,
    /// How existing accounts are found, first rule first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub matching: MatchingDefinition,
    /// Whether accounts may be created though no matching rule says how an existing one would be found.
    #[serde(default, skip_serializing_if = "is_default")]
    pub create_without_match: bool,
    /// Grants that stand for groups at the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<Entitlement>,
    /// Whether memberships nobody asked for are removed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authoritative: bool,
    /// Which operations wait for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What happens when a user may no longer have the account.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deprovision: Deprovision,
    /// What Freeze does at a target that has no freeze.
    #[serde(default, skip_serializing_if = "is_default")]
    pub freeze_fallback: FreezeFallback,
    /// Accounts that are never touched.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protected: Protected,
    /// Reconciliation settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<ReconcileSettings>,
    /// Brake settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brake: Option<BrakeSettings>,
    /// How failed attempts are repeated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: RetryPolicy,
    /// How many calls the target may be sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rate: Rate,
    /// When the target is left alone because it fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub breaker: BreakerSettings,
    /// How long the target may take.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// How long an unanswered request may still take effect.
    #[serde(default, skip_serializing_if = "is_default")]
    pub settle: Settle,
}

impl App {
    /// How many members of a group are changed by one call at the most.
    pub fn members_per_call(&self) -> u32 {
        let given = match &self.connector {
            ConnectorDefinition::Scim(definition) => definition.members_per_patch(),
            ConnectorDefinition::Mock { .. } | ConnectorDefinition::Custom { .. } => None,
        };
        given.unwrap_or(100)
    }

    /// The label, or the id where there is none.
    pub fn display_label(&self) -> &str {
        self.label.as_deref().unwrap_or(self.id.as_str())
    }
}

fn yes() -> bool {
    true
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Grants that entitle to an app; any one of them is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Names of profiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Names of permission sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permission_sets: Vec<String>,
    /// Names of permission set groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permission_set_groups: Vec<String>,
}

/// A grant that stands for a group at the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entitlement {
    /// The grant's kind.
    pub grant: GrantKind,
    /// The grant's name.
    pub name: String,
    /// The group.
    pub group: GroupReference,
    /// Whether members for whom nobody asks may be taken out of the group; also where the app says so of all its groups.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authoritative: bool,
}

impl Entitlement {
    /// Whether the user has the grant.
    pub fn is_for(&self, user: &super::User) -> bool {
        match self.grant {
            GrantKind::Profile => user.profile.as_ref() == Some(&self.name),
            GrantKind::PermissionSet => user.permission_sets.contains(&self.name),
            GrantKind::PermissionSetGroup => user.permission_set_groups.contains(&self.name),
        }
    }
}

/// What kind of grant it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// A profile.
    Profile,
    /// A permission set.
    PermissionSet,
    /// A permission set group.
    PermissionSetGroup,
}

impl GrantKind {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::PermissionSet => "permission set",
            Self::PermissionSetGroup => "permission set group",
        }
    }
}

/// Which group of the target is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GroupReference {
    /// The one of that id.
    Id(String),
    /// The one of that name.
    DisplayName(String),
}

impl GroupReference {
    /// The id or name.
    pub fn text(&self) -> &str {
        match self {
            Self::Id(text) | Self::DisplayName(text) => text,
        }
    }
}

/// Who is provisioned while an app is tried out. Removal of access is never held back by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pilot {
    /// Ids of users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// A stable share of all users, 0 to 100.
    #[serde(default, skip_serializing_if = "is_default")]
    pub percent: u8,
}

/// Which operations an app allows. Also read from Salesforce's list of switches (`Create`, `Update`,
/// `EnableAndDisable`, `SuspendAndRestore`), where what is not listed is off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operations(BTreeMap<&'static str, bool>);

impl Operations {
    const SWITCHES: [(&'static str, Operation, bool); 7] = [
        ("create", Operation::Create, true),
        ("update", Operation::Update, true),
        ("deactivate", Operation::Deactivate, true),
        ("activate", Operation::Activate, true),
        ("freeze", Operation::Freeze, true),
        ("unfreeze", Operation::Unfreeze, true),
        ("delete", Operation::Delete, false),
    ];

    /// Whether `operation` may be sent. Operations without a switch are always allowed.
    pub fn allows(&self, operation: Operation) -> bool {
        Self::SWITCHES
            .iter()
            .find(|switch| switch.1 == operation)
            .is_none_or(|switch| self.0.get(switch.0).copied().unwrap_or(switch.2))
    }
}

impl Default for Operations {
    fn default() -> Self {
        Self(Self::SWITCHES.iter().map(|switch| (switch.0, switch.2)).collect())
    }
}

impl<'de> Deserialize<'de> for Operations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut operations = Self::default();
        match Value::deserialize(deserializer)? {
            Value::Object(object) => {
                for (key, value) in object {
                    let switch = Self::SWITCHES.iter().find(|switch| switch.0 == key);
                    let switch = switch.ok_or_else(|| D::Error::custom(format!("unknown operation `{key}`")))?;
                    let on =
                        value.as_bool().ok_or_else(|| D::Error::custom(format!("`{key}` must be true or false")))?;
                    operations.0.insert(switch.0, on);
                }
            }
            Value::Array(names) => {
                operations.0.values_mut().for_each(|on| *on = false);
                for name in &names {
                    let on: &[&'static str] = match name.as_str() {
                        Some("Create") => &["create"],
                        Some("Update") => &["update"],
                        Some("EnableAndDisable") => &["activate", "deactivate"],
                        Some("SuspendAndRestore") => &["freeze", "unfreeze"],
                        _ => return Err(D::Error::custom("unknown operation in the list of switches")),
                    };
                    operations.0.extend(on.iter().map(|switch| (*switch, true)));
                }
            }
            _ => return Err(D::Error::custom("operations must be an object or a list")),
        }
        Ok(operations)
    }
}

/// One mapping rule: a target attribute and where its value comes from. Exactly one of `source`, `constant`,
/// `expression` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The attribute path at the target: `userName`, `name.familyName`, `emails[type eq "work"].value`,
    /// `urn:…:User:department`.
    pub target: String,
    /// A user attribute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// A fixed value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<Value>,
    /// An expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Whether a missing value stops the request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
    /// The value where the rule has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultValue>,
    /// What a missing value means.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_null: OnNull,
    /// Whether `""` counts as missing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub blank: Blank,
    /// When the rule is used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub apply: Apply,
    /// How firmly it holds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strength: Strength,
    /// How several values are joined with those at the target.
    #[serde(default, skip_serializing_if = "is_default")]
    pub multi: Multi,
    /// Whether the target is asked for a free value.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unique: bool,
    /// Whether its values are ids of users, for which the ids of their accounts are put. Left out, it is so for the source
    /// `manager`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<bool>,
    /// Whether the value is kept out of logs, plans and reports.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sensitive: bool,
}

/// The value of a rule that has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultValue {
    /// The value.
    pub value: Value,
    /// Whether only on create, or always.
    #[serde(default, skip_serializing_if = "is_default")]
    pub when: DefaultWhen,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$note])* $variant),+ }
    };
}

choice! {
    /// When a default value is used.
    DefaultWhen {
        /// On create alone.
        Create,
        /// On create and update.
        #[default]
        Always,
    }
}
choice! {
    /// What a missing value means.
    OnNull {
        /// The attribute is left as it is.
        #[default]
        Skip,
        /// The attribute is removed at the target.
        Clear,
        /// The default value is used.
        Default,
    }
}
choice! {
    /// Whether `""` is a value.
    Blank {
        /// It is.
        #[default]
        Value,
        /// It counts as missing.
        Null,
    }
}
choice! {
    /// When a rule is used.
    Apply {
        /// On create and update.
        #[default]
        Always,
        /// On create alone.
        Create,
        /// On update alone.
        Update,
    }
}
choice! {
    /// How firmly a rule holds.
    Strength {
        /// Enforced also by reconciliation.
        Strong,
        /// Sent when the source changed.
        #[default]
        Normal,
        /// Sent only while the target has no value.
        Weak,
    }
}
choice! {
    /// How several values are joined with those at the target.
    Multi {
        /// Ours take their place.
        #[default]
        Replace,
        /// Ours are added.
        Merge,
        /// Ours are used only while there are none.
        Keep,
    }
}
choice! {
    /// What becomes of the memberships of an account whose user may no longer have it.
    LeftMemberships {
        /// They stay with the account, which cannot be used; who comes back has them again.
        #[default]
        Keep,
        /// Those that we gave are taken away.
        Remove,
    }
}
choice! {
    /// What Freeze does at a target that has no freeze.
    FreezeFallback {
        /// The account is disabled.
        #[default]
        Disable,
        /// The request fails as unsupported.
        Refuse,
    }
}

/// Which operations wait for approval, by whom, for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Names of operations, in any letter case.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// Whether giving access back waits as well: an Activate, or a Create, for who had lost the account since the source said
    /// that the user is disabled or left.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reactivation: bool,
    /// `manager`, or names of principals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// After which time an unanswered request expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Period>,
}

/// What happens when a user may no longer have the account, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deprovision {
    /// The last grant went, or the user left the scope.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unassigned: DeprovisionAction,
    /// The user was disabled.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deactivated: DeprovisionAction,
    /// The user was deleted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deleted: DeprovisionAction,
    /// `valid_until` passed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expired: DeprovisionAction,
    /// What becomes of the memberships that we gave, whatever the cause.
    #[serde(default, skip_serializing_if = "is_default")]
    pub memberships: LeftMemberships,
}

/// What is done to the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeprovisionAction {
    /// Nothing.
    Nothing {},
    /// It is disabled.
    #[default]
    Disable,
    /// It is deleted.
    Delete {},
    /// It is disabled at once and deleted later.
    DisableThenDelete {
        /// How much later.
        after: Period,
    },
}

/// Accounts that are never touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protected {
    /// Their ids at the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_ids: Vec<String>,
}
