//! The operations of a provisioning request, by the names that Salesforce's `UserProvisioningRequest` has, plus Delete.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a request does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub enum Operation {
    /// Makes an account.
    Create,
    /// Reads the account's state at the target into our record.
    #[default]
    Read,
    /// Changes attributes of an account.
    Update,
    /// Disables an account.
    Deactivate,
    /// Enables a disabled account; `Reactivate` is read as the same.
    Activate,
    /// Suspends an account, its status stays.
    Freeze,
    /// Ends a suspension.
    Unfreeze,
    /// Compares the directory with a target.
    Reconcile,
    /// Changes the link between a user and an account.
    Linking,
    /// Removes an account.
    Delete,
}

impl Operation {
    /// Every operation, in the order of the founding documents.
    pub const ALL: [Self; 10] = [
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Deactivate,
        Self::Activate,
        Self::Freeze,
        Self::Unfreeze,
        Self::Reconcile,
        Self::Linking,
        Self::Delete,
    ];

    /// The stored and spoken name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Read => "Read",
            Self::Update => "Update",
            Self::Deactivate => "Deactivate",
            Self::Activate => "Activate",
            Self::Freeze => "Freeze",
            Self::Unfreeze => "Unfreeze",
            Self::Reconcile => "Reconcile",
            Self::Linking => "Linking",
            Self::Delete => "Delete",
        }
    }

    /// The operation of that name, in any letter case; `Reactivate` is an alias of Activate.
    pub fn from_name(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("reactivate") {
            return Some(Self::Activate);
        }
        Self::ALL.into_iter().find(|operation| operation.name().eq_ignore_ascii_case(name))
    }

    /// Whether it takes access away. Such an operation overtakes others of its lane and is verified.
    pub fn reduces_access(self) -> bool {
        matches!(self, Self::Deactivate | Self::Freeze | Self::Delete)
    }
}

impl TryFrom<String> for Operation {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Self::from_name(&name).ok_or_else(|| format!("unknown operation `{name}`"))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
