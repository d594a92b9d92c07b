//! What needs a person. Alerts are read off the log, so that none is told that did not happen and none is told twice by one
//! engine; who was away finds them in the log.

use super::evidence::LogEntry;
use crate::fault::Code;
use crate::operation::Operation;
use crate::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// What an alert is about. New kinds may come; a reader passes over what it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A request waits for approval.
    ApprovalNeeded,
    /// A request was given up.
    RequestFailed,
    /// Nobody knows whether an account was made; a person has to look.
    Uncertain,
    /// An account stands in the way: it is somebody else's, there are several, or the target does not show it.
    Conflict,
    /// The target has several accounts of one user.
    Duplicate,
    /// A removal of access used up its attempts; it is tried daily.
    RemovalParked,
    /// A removal of access waits, because a person holds it.
    RemovalHeld,
    /// The scope of an app cannot be evaluated for a user; nothing was changed.
    Undecided,
    /// A target does not keep what it is sent.
    NotKept,
    /// A target's breaker opened: nothing is sent to it for a while.
    TargetPaused,
    /// A target refuses the credentials; nothing is sent to it but probes.
    CredentialsRefused,
    /// The refresh token is no longer accepted; a person has to authorise the app anew.
    ReauthorizationNeeded,
    /// Credentials end soon, and only a person can give others.
    CredentialsExpire,
    /// A target has not been reached for a day; told again every day.
    TargetQuarantined,
    /// What a plan would take away waits for a second person.
    PlanHeld,
    /// Items of a plan wait for a decision.
    ReviewNeeded,
    /// A list of all users was not believed, or only in part.
    ListHeld,
}

impl AlertKind {
    /// The name as it is told.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApprovalNeeded => "approval_needed",
            Self::RequestFailed => "request_failed",
            Self::Uncertain => "uncertain",
            Self::Conflict => "conflict",
            Self::Duplicate => "duplicate",
            Self::RemovalParked => "removal_parked",
            Self::RemovalHeld => "removal_held",
            Self::Undecided => "undecided",
            Self::NotKept => "not_kept",
            Self::TargetPaused => "target_paused",
            Self::CredentialsRefused => "credentials_refused",
            Self::ReauthorizationNeeded => "reauthorization_needed",
            Self::CredentialsExpire => "credentials_expire",
            Self::TargetQuarantined => "target_quarantined",
            Self::PlanHeld => "plan_held",
            Self::ReviewNeeded => "review_needed",
            Self::ListHeld => "list_held",
        }
    }

    /// What the person can do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::ApprovalNeeded => "answer with `approve` or `deny`",
            Self::RequestFailed => "mend the cause named in the request's faults, then `retry` it",
            Self::Uncertain => {
                "look at the target: where the account is there, `complete_manually` with its `external_id`; else `retry`"
            }
            Self::Conflict => {
                "look at the accounts named: link the right one with `complete_manually`, or mend it and `retry`"
            }
            Self::Duplicate => "look at the accounts at the target and keep one",
            Self::RemovalParked => "mend the target, or take the access away there; the next try finds it gone",
            Self::RemovalHeld => "see that the hold is meant, and `resume` it when its reason is over",
            Self::Undecided => "mend the app's scope, or the user's record",
            Self::NotKept => "look whether the target has another name for the attribute, or drop its rule",
            Self::TargetPaused => "nothing, if the target comes back; the queue is kept",
            Self::CredentialsRefused => "give the app valid credentials; the queue is kept",
            Self::ReauthorizationNeeded => {
                "authorise the app at the target anew and give the new refresh token; the queue is kept"
            }
            Self::CredentialsExpire => "give the app new credentials before the time that the log entry names",
            Self::TargetQuarantined => {
                "mend the target or its credentials, or set the app to maintenance; the queue is kept"
            }
            Self::PlanHeld => "look at the plan, then `release` it as a second person or `cancel` it",
            Self::ReviewNeeded => "decide on each item with `review`",
            Self::ListHeld => "look at the list and at its plan, then `release` it or put a whole list",
        }
    }
}

/// One thing that needs a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// What it is about.
    pub kind: AlertKind,
    /// The number of the log entry that it is read off.
    pub sequence: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The request, or the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The code of the failure behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the person can do.
    pub advice: &'static str,
}

impl Alert {
    /// The alert that a log entry is, where it needs a person.
    ///
    /// ```
    /// use rollkeeper::{Engine, model::{Alert, AlertKind, App, LogFilter, User}};
    /// let engine = Engine::builder().open()?;
    /// let app = br#"{"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
    ///     "create_without_match": true, "approval": {"operations": ["create"]}}"#;
    /// engine.put_app(App::from_json(app)?, None)?;
    /// engine.put_user(User::from_json(br#"{"id": "u1", "profile": "Employees"}"#)?, None)?;
    /// let alerts: Vec<Alert> = engine.log(&LogFilter::default())?.iter().filter_map(Alert::of).collect();
    /// assert_eq!(alerts[0].kind, AlertKind::ApprovalNeeded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(entry: &LogEntry) -> Option<Self> {
        let details = &entry.details;
        let code = || {
            let first = details.get("faults").and_then(|faults| faults.get(0)).and_then(|fault| fault.get("code"));
            // Other reasons are a person's own words.
            let is_of_target = matches!(entry.kind.as_str(), "paused" | "quarantined");
            let reason = details.get("reason").filter(|_| is_of_target);
            first.or_else(|| details.get("code")).or(reason).and_then(Value::as_str)
        };
        let kind = match entry.kind.as_str() {
            "decided" if details.get("approval").is_some() => AlertKind::ApprovalNeeded,
            "failed" => of_failure(details, code().and_then(Code::from_name)),
            "parked" => AlertKind::RemovalParked,
            "removal_held" => AlertKind::RemovalHeld,
            // What a hold of a whole app keeps back is not told one by one.
            "hold" if is_of_app(entry) && count(details, "removals") > 0 => AlertKind::RemovalHeld,
            "undecided" => AlertKind::Undecided,
            "not_kept" => AlertKind::NotKept,
            "paused" if code().is_some_and(is_refusal) => AlertKind::CredentialsRefused,
            "paused" => AlertKind::TargetPaused,
            "reauthorization_needed" => AlertKind::ReauthorizationNeeded,
            "credentials_expire" => AlertKind::CredentialsExpire,
            "quarantined" => AlertKind::TargetQuarantined,
            "held" => AlertKind::PlanHeld,
            "analyzed" if has_items(details, "review") => AlertKind::ReviewNeeded,
            "users_listed" if details.get("verdict").and_then(Value::as_str) != Some("complete") => AlertKind::ListHeld,
            _ => return None,
        };
        Some(Self {
            kind,
            sequence: entry.sequence,
            at: entry.at,
            app: entry.app.clone(),
            user: entry.user.clone(),
            request: entry.request.clone(),
            code: code().map(str::to_owned),
            advice: kind.advice(),
        })
    }
}

/// Refused credentials are mended by a person, a target that fails mostly by itself.
fn is_refusal(code: &str) -> bool {
    Code::from_name(code).is_some_and(Code::refuses_credentials)
}

fn has_items(details: &Value, state: &str) -> bool {
    details.get("items").is_some_and(|items| count(items, state) > 0)
}

fn count(details: &Value, key: &str) -> u64 {
    details.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn is_of_app(entry: &LogEntry) -> bool {
    entry.app.is_some() && entry.user.is_none() && entry.request.is_none()
}

fn of_failure(details: &Value, code: Option<Code>) -> AlertKind {
    let counts = details.get("operation").and_then(Value::as_str) == Some(Operation::Read.name());
    match code {
        // The user has an account and keeps it; there is another one beside it.
        Some(Code::ConflictDuplicate) if counts => AlertKind::Duplicate,
        Some(Code::Uncertain) => AlertKind::Uncertain,
        Some(Code::ConflictOwned | Code::ConflictDuplicate | Code::ConflictCandidates | Code::ConflictGhost) => {
            AlertKind::Conflict
        }
        _ => AlertKind::RequestFailed,
    }
}
