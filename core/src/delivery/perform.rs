//! The call itself: a connector, a piece of work, a report. No store, no lock, no decision beyond what the answers mean.

use super::look_up::{Found, external_id_of, look_up};
use super::probe::Probe;
use crate::connector::{Change, Connector, ConnectorError, Outcome, TargetAccount, caught};
use crate::fault::Code;
use crate::mapping::UniqueValue;
use crate::matching::{Candidate, Matching};
use crate::model::TargetGroup;
use crate::pacing::Health;
use crate::planning::inverse::still_has;
use crate::protocol::may_send;
use crate::time::{Clock, Moment};
use crate::value::Attributes;

/// Why values are not put back.
pub(super) const CHANGED_SINCE: &str = "the account no longer has the values that were to be taken back";

/// The most pages of groups that are read.
const MOST_PAGES: u32 = 10_000;

/// What is asked of a target.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Create {
        attributes: Attributes,
        key: String,
        /// Look for the account before making it.
        look_up: bool,
        /// Look for it where a unique value is taken: who has it may be the user.
        look_where_taken: bool,
        /// Make it where it is not found; without, the account is only looked for.
        make: bool,
        /// It may have been made before.
        in_doubt: bool,
        user: Attributes,
        /// The `externalId` by which the account is known as ours.
        external_id: String,
        /// The values that nobody else may have; none where what is sent is fixed already.
        unique: Vec<UniqueValue>,
    },
    Update {
        external_id: String,
        changes: Vec<Change>,
        attributes: Attributes,
        version: Option<String>,
        /// As for a Create; those that the account does not have yet.
        unique: Vec<UniqueValue>,
        /// What the account must show just before; where it shows something else, nothing is sent.
        expected: Attributes,
    },
    Activate {
        external_id: String,
    },
    Deactivate {
        external_id: String,
    },
    Freeze {
        external_id: String,
        by_disabling: bool,
    },
    Unfreeze {
        external_id: String,
        by_enabling: bool,
    },
    Delete {
        external_id: String,
    },
    Read {
        external_id: String,
    },
    /// Which groups does the target have?
    Groups,
    /// Puts accounts into a group, or takes them out of it.
    Members {
        group: String,
        add: Vec<String>,
        remove: Vec<String>,
    },
    /// Is there more than one account of the user? They are known by this `externalId`, or by the rules.
    Count {
        user: Attributes,
        external_id: String,
    },
    /// Is the access really gone?
    Verify {
        external_id: String,
        by_disabling: bool,
        /// Nothing was sent yet, and nothing will be where it is.
        first: bool,
    },
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// It was done; the account as the target shows it, where it does.
    Applied(Option<TargetAccount>),
    /// The account existed already and is the user's; with the rules that say so, where it is not known by its `externalId`.
    Found { account: TargetAccount, ours: bool, by: Option<Candidate> },
    /// The account belongs to somebody else.
    Owned,
    /// The target says that it exists and does not show it.
    Ghost,
    /// Several accounts match for certain.
    Several(Vec<Candidate>),
    /// No account matches for certain, and some may be the user's.
    Unsure(Vec<Candidate>),
    /// Somebody else has these of the unique values, or one of them, where none is named. By a conflict it is known where the
    /// target refused them and did not show who has them before.
    Taken { values: Vec<UniqueValue>, by_conflict: bool },
    /// A removal of access was done; whether a read-back confirmed it, and whether the account is gone altogether.
    Removed { verified: bool, gone: bool },
    /// A look before anything was sent does not show that the access is gone: it is to be taken away.
    Usable,
    /// The groups that the target has.
    Groups(Vec<TargetGroup>),
    /// The account does not exist.
    Missing,
    /// Nothing was sent: it was too late.
    TooLate,
    /// Nothing was sent: it was given back before its turn came.
    NotBegun,
    /// Nothing was sent: a read before had shown that the target still fails.
    NotBack(ConnectorError),
    /// It failed.
    Failed(ConnectorError),
    /// A Create failed, and a look just before it had shown that no account had been made until then.
    FailedAfterLook(ConnectorError),
}

impl Report {
    /// What it says about the target.
    pub(super) fn health(&self) -> Health {
        match self {
            Self::Failed(error) | Self::FailedAfterLook(error) | Self::NotBack(error) => Health::of(error),
            Self::TooLate | Self::NotBegun => Health::Unknown,
            _ => Health::Good,
        }
    }
}

/// Until when something may be sent, and by which clock.
#[derive(Clone, Copy)]
pub(crate) struct Deadline<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) send_by: Moment,
}

/// Makes the call. Nothing is sent after the deadline.
pub(crate) fn perform(connector: &dyn Connector, matching: &Matching, work: &Work, deadline: Deadline<'_>) -> Report {
    let call = Call { connector, matching, deadline };
    let result = match work {
        Work::Create { attributes, key, look_up, look_where_taken, make, in_doubt, user, external_id, unique } => {
            let wanted = Wanted { user, external_id, unique, made: in_doubt.then_some(attributes) };
            call.create(
                attributes,
                key,
                Mode { look_up: *look_up, look_where_taken: *look_where_taken, make: *make },
                &wanted,
            )
        }
        Work::Update { external_id, changes, version, unique, expected, .. } => {
            let send = |connector: &dyn Connector| connector.update(external_id, changes, version.as_deref());
            match call.has(external_id, expected) {
                Ok(true) => call.update(external_id, unique, send),
                Ok(false) => Err(ConnectorError::new(Outcome::Rejected, Code::CannotBeUndone.name(), CHANGED_SINCE)),
                Err(error) => Err(error),
            }
        }
        Work::Activate { external_id } | Work::Unfreeze { external_id, by_enabling: true } => {
            call.write(|connector| connector.activate(external_id)).map(|()| Report::Applied(None))
        }
        Work::Unfreeze { external_id, by_enabling: false } => {
            call.write(|connector| connector.unfreeze(external_id)).map(|()| Report::Applied(None))
        }
        Work::Deactivate { external_id } | Work::Freeze { external_id, by_disabling: true } => call
            .write(|connector| connector.deactivate(external_id))
            .and_then(|()| call.confirm(external_id, |account| account.active)),
        Work::Freeze { external_id, by_disabling: false } => call
            .write(|connector| connector.freeze(external_id))
            .and_then(|()| call.confirm(external_id, |account| account.active && !account.frozen)),
        Work::Delete { external_id } => call
            .write(|connector| connector.delete(external_id))
            .and_then(|()| call.confirm(external_id, |account| account.active)),
        Work::Verify { external_id, first: true, .. } => call.look(external_id),
        Work::Verify { external_id, by_disabling, first: false } => {
            let usable = |account: &TargetAccount| account.active && (*by_disabling || !account.frozen);
            call.confirm(external_id, usable)
        }
        Work::Count { user, external_id } => {
            let wanted = Wanted { user, external_id, unique: &[], made: None };
            look_up(&call, &wanted).map(|found| match found {
                Found::Several(candidates) => Report::Several(candidates),
                _ => Report::Applied(None),
            })
        }
        Work::Groups => call.groups().map(Report::Groups),
        Work::Members { group, add, remove } => {
            call.write(|connector| connector.change_members(group, add, remove)).and_then(|()| call.left(group, remove))
        }
        Work::Read { external_id } => call
            .read(|connector| connector.read(external_id))
            .map(|account| account.map_or(Report::Missing, |account| Report::Applied(Some(account)))),
    };
    let creates = matches!(work, Work::Create { .. } | Work::Groups | Work::Members { .. });
    let removes =
        matches!(work, Work::Deactivate { .. } | Work::Freeze { .. } | Work::Delete { .. } | Work::Verify { .. });
    match result {
        Ok(report) => report,
        Err(error) if is(&error, Code::AccountMissing) && removes => Report::Removed { verified: true, gone: true },
        // A target that has no place for new accounts says so in the same words.
        Err(error) if is(&error, Code::AccountMissing) && !creates => Report::Missing,
        Err(error) if is(&error, Code::Cancelled) => Report::TooLate,
        Err(error) => Report::Failed(error),
    }
}

fn is(error: &ConnectorError, code: Code) -> bool {
    error.code == code.name()
}

/// Whose account is looked for.
pub(super) struct Wanted<'a> {
    pub(super) user: &'a Attributes,
    pub(super) external_id: &'a str,
    pub(super) unique: &'a [UniqueValue],
    /// What the account holds if it was made before.
    pub(super) made: Option<&'a Attributes>,
}

#[derive(Clone, Copy)]
struct Mode {
    look_up: bool,
    look_where_taken: bool,
    make: bool,
}

pub(super) struct Call<'a> {
    connector: &'a dyn Connector,
    pub(super) matching: &'a Matching,
    deadline: Deadline<'a>,
}

impl Call<'_> {
    /// A write: a panic may have come before or after the target did it.
    fn write<T>(&self, call: impl FnOnce(&dyn Connector) -> Result<T, ConnectorError>) -> Result<T, ConnectorError> {
        if !may_send(self.deadline.clock.moment(), self.deadline.send_by) {
            let message = "it was too late to send; nothing was sent";
            return Err(ConnectorError::new(Outcome::NotApplied, Code::Cancelled.name(), message));
        }
        caught(Outcome::Ambiguous, || call(self.connector))
    }

    /// A read: whatever goes wrong, nothing was changed. A conflict or refusal of a read is a failure like any other.
    pub(super) fn read<T>(
        &self,
        call: impl FnOnce(&dyn Connector) -> Result<T, ConnectorError>,
    ) -> Result<T, ConnectorError> {
        caught(Outcome::NotApplied, || call(self.connector)).map_err(|error| match error.outcome {
            Outcome::Ambiguous | Outcome::Conflict => ConnectorError { outcome: Outcome::NotApplied, ..error },
            Outcome::NotApplied | Outcome::Rejected => error,
        })
    }

    fn create(
        &self,
        attributes: &Attributes,
        key: &str,
        mode: Mode,
        wanted: &Wanted<'_>,
    ) -> Result<Report, ConnectorError> {
        if mode.look_up {
            match look_up(self, wanted)? {
                Found::Nothing if !mode.make => return Ok(Report::Missing),
                Found::Nothing => {}
                found => return Ok(report(found)),
            }
        }
        let is_own = |account: &TargetAccount| external_id_of(account) == Some(wanted.external_id);
        match self.probe(wanted.unique, is_own)? {
            Probe::Free => {}
            Probe::Own(account) => return Ok(Report::Found { account, ours: true, by: None }),
            Probe::Taken(values) => {
                let look = mode.look_where_taken && !mode.look_up;
                return Ok(match if look { look_up(self, wanted)? } else { Found::Nothing } {
                    Found::Nothing | Found::Foreign => Report::Taken { values, by_conflict: false },
                    found => report(found),
                });
            }
        }
        match self.write(|connector| connector.create(attributes, key)) {
            Ok(account) => Ok(Report::Applied(Some(account))),
            Err(error) if error.outcome == Outcome::Conflict => match look_up(self, wanted) {
                Ok(Found::Nothing) if !wanted.unique.is_empty() => self.refused(wanted.unique, is_own),
                Ok(found) => Ok(report(found)),
                Err(look_up) if is(&look_up, Code::Unsupported) && !wanted.unique.is_empty() => {
                    Ok(Report::Taken { values: Vec::new(), by_conflict: true })
                }
                Err(look_up) if is(&look_up, Code::Unsupported) => Ok(Report::Ghost),
                Err(look_up) => Err(look_up),
            },
            Err(error) if mode.look_up && !is(&error, Code::Cancelled) => Ok(Report::FailedAfterLook(error)),
            Err(error) => Err(error),
        }
    }

    /// An update, after a look whether its unique values are free.
    fn update(
        &self,
        external_id: &str,
        unique: &[UniqueValue],
        call: impl FnOnce(&dyn Connector) -> Result<Option<TargetAccount>, ConnectorError>,
    ) -> Result<Report, ConnectorError> {
        let is_own = |account: &TargetAccount| account.external_id == external_id;
        if let Probe::Taken(values) = self.probe(unique, is_own)? {
            return Ok(Report::Taken { values, by_conflict: false });
        }
        match self.write(call) {
            Err(error) if error.outcome == Outcome::Conflict && !unique.is_empty() => self.refused(unique, is_own),
            result => result.map(Report::Applied),
        }
    }

    /// Whether the account shows these values. A target that cannot be read is believed to.
    fn has(&self, external_id: &str, expected: &Attributes) -> Result<bool, ConnectorError> {
        if expected.is_empty() {
            return Ok(true);
        }
        match self.read(|connector| connector.read(external_id)) {
            Ok(Some(account)) => Ok(still_has(expected, &account.named())),
            // The update will say so.
            Ok(None) => Ok(true),
            Err(error) if is(&error, Code::Unsupported) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The target refused a value that it had not shown as taken. Looks again which it is.
    fn refused(
        &self,
        unique: &[UniqueValue],
        is_own: impl Fn(&TargetAccount) -> bool,
    ) -> Result<Report, ConnectorError> {
        let values = match self.probe(unique, is_own)? {
            Probe::Taken(values) => values,
            Probe::Free | Probe::Own(_) => Vec::new(),
        };
        Ok(Report::Taken { values, by_conflict: true })
    }

    /// Reads an account before access is taken away. Of one that cannot be read nobody knows, so that it is taken away.
    fn look(&self, external_id: &str) -> Result<Report, ConnectorError> {
        match self.read(|connector| connector.read_status(external_id)) {
            Ok(Some(account)) if account.active => Ok(Report::Usable),
            Ok(account) => Ok(Report::Removed { verified: true, gone: account.is_none() }),
            Err(error) if is(&error, Code::AccountMissing) => Err(error),
            Err(error) if is(&error, Code::Unsupported) || error.outcome == Outcome::Rejected => Ok(Report::Usable),
            Err(error) => Err(error),
        }
    }

    /// The groups of the target. One that does not tell them has none that can be found by name.
    fn groups(&self) -> Result<Vec<TargetGroup>, ConnectorError> {
        let in_time = || may_send(self.deadline.clock.moment(), self.deadline.send_by);
        match self.read(|connector| groups_of(connector, &in_time)) {
            Err(error) if is(&error, Code::Unsupported) => Ok(Vec::new()),
            groups => groups,
        }
    }

    /// Looks whether an account that was taken out of a group is out of it, where one read tells: its own `groups` (RFC 7643
    /// §4.1.2). A group is never read for that, since it may have any number of members.
    fn left(&self, group: &str, removed: &[String]) -> Result<Report, ConnectorError> {
        let [account] = removed else { return Ok(Report::Applied(None)) };
        let read = self.read(|connector| connector.read(account));
        let shown = read.ok().flatten().and_then(|account| account.attributes.get("groups").cloned());
        let Some(groups) = shown.as_ref().and_then(serde_json::Value::as_array) else {
            return Ok(Report::Applied(None));
        };
        let id =
            |shown: &serde_json::Value| shown.get("value").or(Some(shown)).and_then(|id| id.as_str()) == Some(group);
        match groups.iter().any(id) {
            true => Err(ConnectorError::new(
                Outcome::Ambiguous,
                Code::NotConfirmed.name(),
                "the target answered success, but the account is still a member of the group",
            )),
            false => Ok(Report::Removed { verified: true, gone: false }),
        }
    }

    /// Reads an account back after access was taken away. A target that cannot be read is believed, and said so.
    fn confirm(&self, external_id: &str, usable: impl Fn(&TargetAccount) -> bool) -> Result<Report, ConnectorError> {
        match self.read(|connector| connector.read_status(external_id)) {
            Ok(None) => Ok(Report::Removed { verified: true, gone: true }),
            Ok(Some(account)) if usable(&account) => Err(ConnectorError::new(
                Outcome::Ambiguous,
                Code::NotConfirmed.name(),
                "the target answered success, but the account can still be used",
            )),
            Ok(Some(_)) => Ok(Report::Removed { verified: true, gone: false }),
            Err(error) if is(&error, Code::Unsupported) => Ok(Report::Removed { verified: false, gone: false }),
            Err(error) => Err(ConnectorError { outcome: Outcome::Ambiguous, ..error }),
        }
    }
}

/// The groups of a target, page after page, without their members; `in_time` is asked before each page.
pub(crate) fn groups_of(
    connector: &dyn Connector,
    in_time: &dyn Fn() -> bool,
) -> Result<Vec<TargetGroup>, ConnectorError> {
    let failed = |code: Code, message: &str| ConnectorError::new(Outcome::NotApplied, code.name(), message);
    let (mut groups, mut cursor) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        if !in_time() {
            return Err(failed(Code::Timeout, "the listing of the target's groups took too long"));
        }
        let (page, next) = connector.group_names(cursor.as_deref())?;
        for group in &page {
            groups.push(TargetGroup::from_object(group).map_err(|fault| failed(fault.code, &fault.message))?);
        }
        if next.is_none() {
            return Ok(groups);
        }
        cursor = next;
    }
    Err(failed(Code::InvalidAnswer, "the listing of groups does not end"))
}

fn report(found: Found) -> Report {
    match found {
        Found::Nothing => Report::Ghost,
        Found::One { account, ours, by } => Report::Found { account, ours, by },
        Found::Foreign => Report::Owned,
        Found::Several(candidates) => Report::Several(candidates),
        Found::Unsure(candidates) => Report::Unsure(candidates),
    }
}
