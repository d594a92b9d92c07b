//! What a probe found out about a target by using it.

use crate::fault::Fault;
use crate::id::AppId;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a probe is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeOptions {
    /// That the target is a sandbox, in which accounts may be made and taken away. Without it nothing is probed.
    pub sandbox: bool,
    /// Who asks for it, for the log.
    pub by: Option<String>,
}

/// What [`Engine::probe`](crate::Engine::probe) found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeReport {
    /// The app.
    pub app: AppId,
    /// How the names of the accounts that were made for it begin.
    pub name: String,
    /// What was tried, in order.
    pub findings: Vec<ProbeFinding>,
    /// What follows, under the names that `connector.features` has for it; kept, and used from now on where the definition
    /// does not say otherwise.
    pub features: Attributes,
    /// What could not be taken away again, and is to be taken away by hand.
    pub left: Vec<LeftBehind>,
    /// What is wrong: `left_behind` for each of those.
    pub faults: Vec<Fault>,
    /// When it was done.
    pub probed_at: Timestamp,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeFinding {
    /// Its name.
    pub step: String,
    /// What was tried, in words.
    pub tried: String,
    /// The requests and their answers, as `PATCH 501`, in order; `-` stands for no answer.
    pub answered: Vec<String>,
    /// What is concluded, as one word; `unknown` where nothing can be.
    pub conclusion: String,
    /// What belongs to the conclusion: attributes, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Something that a probe made and could not take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftBehind {
    /// `account` or `group`.
    pub kind: String,
    /// Its id at the target, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Its name, which the probe gave it.
    pub name: String,
    /// Why it may be there.
    pub why: String,
}
