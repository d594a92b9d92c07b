//! Accounts as last seen, and the links between them and users.

use crate::id::{AppId, UserId};
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};

macro_rules! stored_names {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$note])* $variant),+ }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored and spoken name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}
pub(super) use stored_names;

stored_names! {
    /// An account's status at the target.
    AccountStatus {
        /// It can be used.
        Active,
        /// It is disabled.
        Deactivated,
        /// It is gone.
        Deleted,
    }
}

stored_names! {
    /// How an account and a user stand to each other.
    LinkState {
        /// Changes to the user go to the account.
        Linked,
        /// Several accounts claim the user, or the other way round.
        Duplicate,
        /// No user owns the account.
        Orphaned,
        /// Changes to the user do not touch the account.
        Ignored,
    }
}

/// A user account in a target, as last seen, with its link.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Account {
    /// The app.
    pub app: AppId,
    /// The account's id at the target.
    pub external_id: String,
    /// The name to log in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user who owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Its status.
    pub status: AccountStatus,
    /// Whether it is suspended.
    pub frozen: bool,
    /// Its link.
    pub link_state: LinkState,
    /// Whether a person manages the link.
    pub known_link: bool,
    /// When the account was first linked or seen.
    pub created_at: Timestamp,
    /// When our record last changed.
    pub updated_at: Timestamp,
    /// When it was found to be gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// The attributes last seen or applied, where they could be unsealed.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// The target's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}
