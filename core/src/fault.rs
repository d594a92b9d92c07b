//! What can go wrong: stable codes, and the faults that carry them. `tests/data/codes.csv` lists the codes; a test keeps
//! the list and this file alike.

use serde::Serialize;
use std::fmt;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The program that calls us.
    Caller,
    /// The app's definition.
    Configuration,
    /// The target or its connector.
    Target,
    /// The database file.
    Store,
    /// Us.
    Ours,
}

impl Blame {
    /// The name in `codes.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Configuration => "configuration",
            Self::Target => "target",
            Self::Store => "store",
            Self::Ours => "ours",
        }
    }
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// At once.
    Now,
    /// After some time or once something outside was mended.
    Later,
    /// Not as it is.
    Never,
}

impl Retry {
    /// The name in `codes.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Later => "later",
            Self::Never => "never",
        }
    }
}

/// A stable code. Numbers and names never change meaning and are never used again; new ones are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
#[non_exhaustive]
pub enum Code {
    /// The text is not JSON.
    InvalidJson = 100,
    /// A document does not have the shape it must have.
    InvalidDocument = 101,
    /// A document has a key that does not exist.
    UnknownKey = 102,
    /// A document has no `id`.
    MissingId = 103,
    /// An id is empty, too long or has control characters.
    InvalidId = 104,
    /// Text is not UTF-8.
    InvalidUtf8 = 105,
    /// A handle or pointer that must not be NULL is NULL.
    NullArgument = 106,
    /// An argument is out of its range.
    InvalidArgument = 107,
    /// There is no such user, app, request or account.
    NotFound = 108,
    /// The request's state does not allow this.
    InvalidTransition = 109,
    /// There is no such operation.
    UnknownOperation = 110,
    /// `active` is left out for a user known as inactive.
    ActiveRequired = 111,
    /// A time or duration cannot be read.
    InvalidTime = 112,
    /// The engine was opened for reading only.
    ReadOnly = 113,
    /// There is no such request state or event.
    UnknownState = 114,
    /// The same person may not ask and approve.
    FourEyes = 115,
    /// The engine is closed.
    Closed = 116,
    /// A callback called the engine it serves.
    ReentrantCall = 117,
    /// A document or text is larger than allowed.
    TooLarge = 118,
    /// The run was cancelled.
    Cancelled = 119,
    /// The digest is not that of the plan as it is now.
    PlanChanged = 120,
    /// What an item of a plan was planned for has changed since.
    ItemChanged = 121,
    /// A record has the id of another one.
    DuplicateRecord = 122,
    /// Another reconciliation of the app is open.
    ReconciliationOpen = 123,
    /// What was done cannot be undone.
    CannotBeUndone = 124,
    /// The engine, or its file, was open when this process was forked.
    Forked = 125,
    /// A secret is stored under the host's key alone, and none was given.
    KeyRequired = 126,
    /// A person has to authorise the app anew: its refresh token is no longer accepted.
    ReauthorizationNeeded = 127,
    /// The authorization server refused a token.
    TokenRefused = 128,
    /// Another process is having a token renewed.
    TokenPending = 129,
    /// The target has no group of that id or name, or several of that name.
    UnknownGroup = 132,
    /// The target refused one account's membership of a group.
    MemberRefused = 133,
    /// The target refused memberships of several accounts at once; they are sent in smaller parts.
    MembersRefused = 134,
    /// The group does not exist at the target.
    GroupMissing = 135,
    /// The proxy made no connection to the target.
    ProxyFailed = 136,
    /// The target shows no groups at all, so that whether one of them is gone is not known.
    GroupsHidden = 140,
    /// A probe makes accounts at the target, and nobody said that the target is a sandbox.
    SandboxRequired = 141,
    /// A probe could not take away again what it made at the target.
    LeftBehind = 142,
    /// The target does not take a cursor of its own any more; a listing begins anew.
    CursorExpired = 143,
    /// A required attribute has no value.
    MissingRequired = 200,
    /// An expression does not compile.
    ExpressionInvalid = 201,
    /// An expression failed on this record.
    ExpressionFailed = 202,
    /// An expression names a variable that does not exist.
    UnknownVariable = 203,
    /// An expression calls a function that does not exist.
    UnknownFunction = 204,
    /// An attribute path cannot be read.
    InvalidPath = 205,
    /// The target's schema has no such attribute.
    UnknownAttribute = 206,
    /// The target's schema does not let this attribute be written.
    ReadOnlyAttribute = 207,
    /// A value is not of the type that the target's schema has.
    TypeMismatch = 208,
    /// Two rules write the same attribute.
    DuplicateTarget = 209,
    /// No connector is registered under this name.
    UnknownConnector = 210,
    /// The secret of this name could not be had.
    SecretMissing = 211,
    /// A secret stands in the document itself instead of its name.
    SecretInClear = 212,
    /// The app cannot be enabled yet.
    NotReady = 213,
    /// Creating needs a matching rule or `create_without_match`.
    MatchingRequired = 214,
    /// The app does not allow this operation.
    OperationOff = 215,
    /// A URL is not one that may be used.
    InvalidUrl = 216,
    /// An attribute was not stored when the user was put; put the user again.
    AttributeNotStored = 217,
    /// The app is not enabled.
    AppDisabled = 218,
    /// A value is not among those that the target knows.
    UnusualValue = 219,
    /// The target could not be reached.
    Unreachable = 300,
    /// The target did not answer in time.
    Timeout = 301,
    /// The target asks for fewer requests.
    RateLimited = 302,
    /// The target does not accept the credentials.
    Unauthorized = 303,
    /// The target forbids this.
    Forbidden = 304,
    /// The target refused the record.
    Rejected = 305,
    /// The target failed.
    TargetFailed = 306,
    /// The account no longer exists at the target.
    AccountMissing = 307,
    /// The matching account belongs to somebody else.
    ConflictOwned = 308,
    /// The target says the account exists but does not show it.
    ConflictGhost = 309,
    /// Several accounts match.
    ConflictDuplicate = 310,
    /// Whether the account was made cannot be found out.
    Uncertain = 311,
    /// The target or connector does not support this.
    Unsupported = 312,
    /// The target's answer cannot be read.
    InvalidAnswer = 313,
    /// The target's answer is larger than allowed.
    AnswerTooLarge = 314,
    /// The target answered with a redirect.
    Redirected = 315,
    /// The address is not one that may be called.
    BlockedAddress = 316,
    /// No trusted connection to the target could be made.
    TlsFailed = 317,
    /// The connector raised an error.
    ConnectorFailed = 318,
    /// The target answered success, but the account is still as it was.
    NotConfirmed = 319,
    /// An account of this kind exists already.
    Conflict = 320,
    /// No account matches for certain, and some may be the user's.
    ConflictCandidates = 321,
    /// A unique value is taken, and its rule has no other.
    UniqueTaken = 322,
    /// Every candidate for a unique value is taken.
    UniqueExhausted = 323,
    /// The file was written by a newer version.
    StoreNewer = 400,
    /// The file is damaged or no rollkeeper database.
    StoreDamaged = 401,
    /// The file or its folder cannot be written.
    StoreUnwritable = 402,
    /// Another process holds the file.
    StoreBusy = 403,
    /// The disk is full.
    StoreFull = 404,
    /// The database reported an error.
    StoreFailed = 405,
    /// The log's chain does not hold.
    LogBroken = 406,
    /// What is stored is sealed and no key, or another one, was given.
    KeyMissing = 407,
    /// The file does not exist.
    StoreMissing = 408,
    /// A fault of rollkeeper's own.
    Internal = 500,
    /// A panic was caught.
    Panic = 501,
}

use Blame::{Caller, Configuration, Ours, Store, Target};
use Code::*;
use Retry::{Later, Never, Now};

const TABLE: &[(Code, &str, Blame, Retry)] = &[
    (InvalidJson, "invalid_json", Caller, Never),
    (InvalidDocument, "invalid_document", Caller, Never),
    (UnknownKey, "unknown_key", Caller, Never),
    (MissingId, "missing_id", Caller, Never),
    (InvalidId, "invalid_id", Caller, Never),
    (InvalidUtf8, "invalid_utf8", Caller, Never),
    (NullArgument, "null_argument", Caller, Never),
    (InvalidArgument, "invalid_argument", Caller, Never),
    (NotFound, "not_found", Caller, Never),
    (InvalidTransition, "invalid_transition", Caller, Never),
    (UnknownOperation, "unknown_operation", Caller, Never),
    (ActiveRequired, "active_required", Caller, Never),
    (InvalidTime, "invalid_time", Caller, Never),
    (ReadOnly, "read_only", Caller, Never),
    (UnknownState, "unknown_state", Caller, Never),
    (FourEyes, "four_eyes", Caller, Never),
    (Closed, "closed", Caller, Never),
    (ReentrantCall, "reentrant_call", Caller, Never),
    (TooLarge, "too_large", Caller, Never),
    (Cancelled, "cancelled", Caller, Now),
    (PlanChanged, "plan_changed", Caller, Never),
    (ItemChanged, "item_changed", Caller, Never),
    (DuplicateRecord, "duplicate_record", Caller, Never),
    (ReconciliationOpen, "reconciliation_open", Caller, Later),
    (CannotBeUndone, "cannot_be_undone", Caller, Never),
    (Forked, "forked", Caller, Never),
    (KeyRequired, "key_required", Caller, Never),
    (ReauthorizationNeeded, "reauthorization_needed", Configuration, Later),
    (TokenRefused, "token_refused", Target, Later),
    (TokenPending, "token_pending", Target, Now),
    (UnknownGroup, "unknown_group", Configuration, Never),
    (MemberRefused, "member_refused", Target, Never),
    (MembersRefused, "members_refused", Target, Now),
    (GroupMissing, "group_missing", Target, Never),
    (ProxyFailed, "proxy_failed", Target, Later),
    (GroupsHidden, "groups_hidden", Target, Later),
    (SandboxRequired, "sandbox_required", Caller, Never),
    (LeftBehind, "left_behind", Target, Never),
    (CursorExpired, "cursor_expired", Target, Now),
    (MissingRequired, "missing_required", Configuration, Never),
    (ExpressionInvalid, "expression_invalid", Configuration, Never),
    (ExpressionFailed, "expression_failed", Configuration, Never),
    (UnknownVariable, "unknown_variable", Configuration, Never),
    (UnknownFunction, "unknown_function", Configuration, Never),
    (InvalidPath, "invalid_path", Configuration, Never),
    (UnknownAttribute, "unknown_attribute", Configuration, Never),
    (ReadOnlyAttribute, "read_only_attribute", Configuration, Never),
    (TypeMismatch, "type_mismatch", Configuration, Never),
    (DuplicateTarget, "duplicate_target", Configuration, Never),
    (UnknownConnector, "unknown_connector", Configuration, Never),
    (SecretMissing, "secret_missing", Configuration, Later),
    (SecretInClear, "secret_in_clear", Configuration, Never),
    (NotReady, "not_ready", Configuration, Never),
    (MatchingRequired, "matching_required", Configuration, Never),
    (OperationOff, "operation_off", Configuration, Never),
    (InvalidUrl, "invalid_url", Configuration, Never),
    (AttributeNotStored, "attribute_not_stored", Configuration, Later),
    (AppDisabled, "app_disabled", Configuration, Later),
    (UnusualValue, "unusual_value", Configuration, Never),
    (Unreachable, "unreachable", Target, Later),
    (Timeout, "timeout", Target, Later),
    (RateLimited, "rate_limited", Target, Later),
    (Unauthorized, "unauthorized", Target, Later),
    (Forbidden, "forbidden", Target, Never),
    (Rejected, "rejected", Target, Never),
    (TargetFailed, "target_failed", Target, Later),
    (AccountMissing, "account_missing", Target, Never),
    (ConflictOwned, "conflict_owned", Target, Never),
    (ConflictGhost, "conflict_ghost", Target, Never),
    (ConflictDuplicate, "conflict_duplicate", Target, Never),
    (Uncertain, "uncertain", Target, Never),
    (Unsupported, "unsupported", Target, Never),
    (InvalidAnswer, "invalid_answer", Target, Later),
    (AnswerTooLarge, "answer_too_large", Target, Never),
    (Redirected, "redirected", Target, Never),
    (BlockedAddress, "blocked_address", Configuration, Never),
    (TlsFailed, "tls_failed", Target, Later),
    (ConnectorFailed, "connector_failed", Target, Later),
    (NotConfirmed, "not_confirmed", Target, Later),
    (Conflict, "conflict", Target, Later),
    (ConflictCandidates, "conflict_candidates", Target, Never),
    (UniqueTaken, "unique_taken", Target, Never),
    (UniqueExhausted, "unique_exhausted", Target, Never),
    (StoreNewer, "store_newer", Store, Never),
    (StoreDamaged, "store_damaged", Store, Never),
    (StoreUnwritable, "store_unwritable", Store, Never),
    (StoreBusy, "store_busy", Store, Now),
    (StoreFull, "store_full", Store, Later),
    (StoreFailed, "store_failed", Store, Later),
    (LogBroken, "log_broken", Store, Never),
    (KeyMissing, "key_missing", Store, Never),
    (StoreMissing, "store_missing", Store, Never),
    (Internal, "internal", Ours, Never),
    (Panic, "panic", Ours, Never),
];

impl Code {
    /// Every code with its number, in order of numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The stable number.
    pub fn number(self) -> u16 {
        self as u16
    }

    fn row(self) -> (&'static str, Blame, Retry) {
        // INVARIANT: every variant stands in TABLE; the test `codes` compares both with codes.csv.
        TABLE.iter().find(|row| row.0 == self).map_or(("internal", Ours, Never), |row| (row.1, row.2, row.3))
    }

    /// The stable name, in snake case.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Whose fault it is.
    pub fn blame(self) -> Blame {
        self.row().1
    }

    /// Whether trying again can help.
    pub fn retry(self) -> Retry {
        self.row().2
    }

    /// Whether it says that credentials are not accepted: a person has to give others, and no request is to blame.
    pub(crate) fn refuses_credentials(self) -> bool {
        matches!(self, Unauthorized | Forbidden | TokenRefused | ReauthorizationNeeded | SecretMissing | KeyRequired)
    }

    /// The code of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One thing that is wrong: a code, a message, and the place. Never a value, never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The stable code.
    pub code: Code,
    /// What is wrong, in one line: lower case, no full stop, names in backticks.
    pub message: String,
    /// The attribute, or the path in the document (`mapping[2].expression`), where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// The position in an expression, in characters from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
}

impl Fault {
    /// A fault without a place.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), attribute: None, position: None }
    }

    /// The same fault at an attribute or path.
    #[must_use]
    pub fn at(mut self, attribute: impl Into<String>) -> Self {
        self.attribute = Some(attribute.into());
        self
    }

    /// The same fault at a position of an expression.
    #[must_use]
    pub fn position(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }
}
