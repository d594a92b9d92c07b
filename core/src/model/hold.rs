//! What people hold back.

use crate::fault::{Code, Fault};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What is held: an app, a user, one user in one app, or one request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoldScope {
    /// The app's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The user's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The request's id; it stands alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

impl HoldScope {
    /// Whether it names something.
    ///
    /// # Errors
    /// `invalid_argument` where nothing is named, or a request together with an app or a user.
    pub fn check(&self) -> Result<(), Fault> {
        let beside = self.app.is_some() || self.user.is_some();
        match (&self.request, beside) {
            (Some(_), false) | (None, true) => Ok(()),
            (None, false) => {
                Err(Fault::new(Code::InvalidArgument, "name an app, a user, both, or a request").at("scope"))
            }
            (Some(_), true) => {
                let message = "a request is named alone, without an app or a user";
                Err(Fault::new(Code::InvalidArgument, message).at("request"))
            }
        }
    }

    /// The scope as one text, other for every other scope.
    pub(crate) fn key(&self) -> String {
        crate::value::canonical(&serde_json::json!([self.app, self.user, self.request]))
    }
}

/// A hold: nothing of what it names is sent until it is resumed, removals of access neither.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// What is held.
    #[serde(flatten)]
    pub scope: HoldScope,
    /// Who holds it, as the host asserts.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub held_at: Timestamp,
}
