//! Memberships of a target's groups that we gave, or are about to give or take away.

use super::account::stored_names;
use super::app::GroupReference;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

stored_names! {
    /// How far a membership is.
    MembershipState {
        /// It is to be given; or it may have been given, and nobody knows.
        Adding,
        /// It was given.
        Held,
        /// It is to be taken away.
        Removing,
        /// The target refused it.
        Refused,
    }
}

/// A membership of a group: what the ledger has of it, which is what we did at the target, and whether it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupMembership {
    /// The group's id at the target, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The group as the app's entitlement names it.
    pub reference: GroupReference,
    /// How far it is; none where nothing was done yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<MembershipState>,
    /// Whether the user's grants ask for it now.
    pub wanted: bool,
    /// Which grants, or why it is not wanted, or cannot be given.
    pub why: Vec<String>,
    /// Since when it is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The request that did it, or is about to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}

impl GroupMembership {
    /// Whether it is not as it is wanted, and nothing is on its way.
    pub fn would_change(&self) -> bool {
        match self.state {
            Some(MembershipState::Held | MembershipState::Adding) => !self.wanted,
            Some(MembershipState::Removing | MembershipState::Refused) | None => self.wanted,
        }
    }
}

/// A group of a target, as it was told last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetGroup {
    /// Its id at the target.
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The id by which it is known elsewhere, where the target tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

impl TargetGroup {
    /// Reads one of `Connector::list_groups`, whose members are not looked at.
    ///
    /// # Errors
    /// `invalid_answer` where it has no id.
    pub fn from_object(object: &Attributes) -> Result<Self, Fault> {
        let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let id = text("id").ok_or_else(|| Fault::new(Code::InvalidAnswer, "the target shows a group without an id"))?;
        let [display_name, external_id] = ["display_name", "external_id"].map(|key| text(key).map(str::to_owned));
        Ok(Self { id: id.to_owned(), display_name, external_id })
    }
}
