//! Requests. A request changes state in one function and one statement, guarded by the state it leaves.

use super::{Tx, limit_of, time_of, unknown_word};
use crate::fault::{Code, Fault};
use crate::id::{AppId, RequestId, UserId};
use crate::lane::Place;
use crate::lifecycle::{self, Event};
use crate::model::{ApprovalStatus, Request, RequestFilter, State, WaitingFor};
use crate::operation::Operation;
use crate::protocol::Guard;
use crate::time::{Moment, Period, Timestamp};
use rusqlite::{Row, params};

const COLUMNS: &str =
    "id, app_id, user_id, operation, state, approval, waiting_for, why, author, parent_id, external_id,
    fingerprint, faults, asked, retry_for, head, by_hand, sending, unsettled, verifying, attempts, retry_count, verified, created_at,
    not_before, expires_at, due_at, settle_at, finished_at, retry_at, given IS NOT NULL, fence, guard_boot, guard_moment,
    guard_wait, urgent";

/// A request with what only the engine needs.
#[derive(Clone, Debug)]
pub(crate) struct RequestRow {
    pub(crate) request: Request,
    /// It is the first of its lane.
    pub(crate) head: bool,
    /// A person asked for it.
    pub(crate) by_hand: bool,
    /// A call is out, as far as anybody knows: an attempt, or a look whether access is gone.
    pub(crate) sending: bool,
    /// Some attempt may still take effect: the payload is frozen, the request cannot be taken back.
    pub(crate) unsettled: bool,
    /// It was sent and waits to be confirmed; before anything was sent, that it may be confirmed already. Of a Read: it counts
    /// the user's accounts.
    pub(crate) verifying: bool,
    /// It sends what it was given and not what its mapping gives.
    pub(crate) given: bool,
    /// Of an Update: it takes memberships away and changes nothing else.
    pub(crate) removes: bool,
    /// The fingerprint of the watched inputs from which the payload was rendered.
    pub(crate) fingerprint: Option<String>,
    /// The fingerprint of everything that the request depends on: what an approval is for.
    pub(crate) asked: Option<String>,
    /// When nobody has answered by then, it expires.
    pub(crate) expires_at: Option<Timestamp>,
    /// From when on a look-up can be believed.
    pub(crate) settle_at: Option<Timestamp>,
    /// When the next attempt is, and what it waits for until then.
    pub(crate) retry: Option<(Timestamp, WaitingFor)>,
    /// How often it was claimed, or held for lost: an answer is believed only from the last claim.
    pub(crate) fence: u32,
    /// The lease while a call is out, else the settle time, by the clock that nobody can set.
    pub(crate) guard: Option<Guard>,
}

impl RequestRow {
    /// Whether something was sent that may still take effect, or is being sent or confirmed.
    pub(crate) fn is_under_way(&self) -> bool {
        self.unsettled || ((self.sending || self.verifying) && !self.looks_first())
    }

    /// Whether it takes access away, and so overtakes others of its lane.
    pub(crate) fn reduces_access(&self) -> bool {
        self.removes || self.request.operation.reduces_access()
    }

    /// Whether an attempt is open. A look whether access is gone is none.
    pub(crate) fn has_attempt(&self) -> bool {
        self.sending && !self.is_looked_at()
    }

    /// Whether it is only looked whether access is gone.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.verifying && self.request.operation != Operation::Read
    }

    /// Whether nothing was sent yet, and the account is read before anything is.
    pub(crate) fn looks_first(&self) -> bool {
        self.verifying && self.request.state == State::New
    }

    /// Whether it asks for the payload with that fingerprint.
    pub(crate) fn is_asked(&self, asked: &str) -> bool {
        self.asked.as_deref() == Some(asked)
    }

    /// Whether it sends what the mapping gave for another record than the one of that fingerprint.
    pub(crate) fn is_outdated(&self, print: &str) -> bool {
        self.given
            && self.request.operation == Operation::Update
            && self.fingerprint.as_deref().is_some_and(|own| own != print)
    }

    /// Whether the account is in step with a fingerprint of the record once this is done.
    pub(crate) fn is_in_step(&self) -> bool {
        !self.given || self.fingerprint.is_some()
    }

    /// What is left of its lease or its settle time, by the clock that nobody can set.
    pub(crate) fn left(&self, moment: Moment) -> Period {
        let settles = matches!(self.retry, Some((_, WaitingFor::Settle)));
        self.guard.filter(|_| self.sending || settles).map_or(Period::ZERO, |guard| guard.left(moment))
    }

    /// Lets it wait until nothing can take effect any more that was sent before.
    pub(crate) fn settle(&mut self, now: Timestamp, moment: Moment, wait: Period) {
        self.retry = Some((now.plus(wait), WaitingFor::Settle));
        let longer = self.guard.is_some_and(|guard| guard.left(moment) > wait);
        self.guard = if longer { self.guard } else { Some(Guard::new(moment, wait)) };
    }

    /// Its place in its lane, where a person holds it or not.
    pub(crate) fn place(&self, held: bool) -> Place {
        Place {
            operation: self.request.operation,
            removes: self.removes,
            approval: self.request.approval,
            held,
            sending: self.sending,
            unsettled: self.unsettled,
            not_before: self.request.not_before,
            expires_at: self.expires_at,
            retry: self.retry,
        }
    }
}

struct Raw {
    texts: [Option<String>; 15],
    flags: [bool; 6],
    attempts: u32,
    retry_count: u32,
    verified: Option<bool>,
    times: [Option<i64>; 7],
    fence: u32,
    guard: [Option<i64>; 3],
    urgent: bool,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let mut texts: [Option<String>; 15] = Default::default();
    for (index, text) in texts.iter_mut().enumerate() {
        *text = row.get(index)?;
    }
    Ok(Raw {
        texts,
        flags: [row.get(15)?, row.get(16)?, row.get(17)?, row.get(18)?, row.get(19)?, row.get(30)?],
        attempts: row.get(20)?,
        retry_count: row.get(21)?,
        verified: row.get(22)?,
        times: [row.get(23)?, row.get(24)?, row.get(25)?, row.get(26)?, row.get(27)?, row.get(28)?, row.get(29)?],
        fence: row.get(31)?,
        guard: [row.get(32)?, row.get(33)?, row.get(34)?],
        urgent: row.get(35)?,
    })
}

/// A wait by the clock that nobody can set: the boot, the moment in it, and the whole wait.
pub(super) fn guard_of([boot, moment, wait]: [Option<i64>; 3]) -> Option<Guard> {
    let until = Moment { boot: boot?.cast_unsigned(), micros: moment? };
    Some(Guard { until, wait: Period::from_micros(wait?) })
}

fn parse(row: Raw) -> Result<RequestRow, Fault> {
    let [
        id,
        app,
        user,
        operation,
        state,
        approval,
        waiting_for,
        why,
        by,
        parent_id,
        external_id,
        fingerprint,
        faults,
        asked,
        retry_for,
    ] = row.texts;
    let [head, by_hand, sending, unsettled, verifying, given] = row.flags;
    let [created_at, not_before, expires_at, due_at, settle_at, finished_at, retry_at] = row.times.map(time_of);
    let word = |text: Option<String>| text.unwrap_or_default();
    let wait = |name: Option<String>, column| -> Result<Option<WaitingFor>, Fault> {
        name.map(|name| WaitingFor::from_name(&name).ok_or_else(|| unknown_word(column))).transpose()
    };
    let waiting_for = wait(waiting_for, "request.waiting_for")?;
    let retry = retry_at.zip(wait(retry_for, "request.retry_for")?);
    let request = Request {
        id: RequestId::new(word(id))?,
        app: AppId::new(word(app))?,
        user: user.map(UserId::new).transpose()?,
        operation: Operation::from_name(&word(operation)).ok_or_else(|| unknown_word("request.operation"))?,
        state: State::from_name(&word(state)).ok_or_else(|| unknown_word("request.state"))?,
        approval: ApprovalStatus::from_name(&word(approval)).ok_or_else(|| unknown_word("request.approval"))?,
        waiting_for,
        why: word(why),
        by,
        created_at: created_at.unwrap_or_default(),
        not_before,
        due_at,
        finished_at,
        attempts: row.attempts,
        retry_count: row.retry_count,
        parent_id: parent_id.map(RequestId::new).transpose()?,
        external_id,
        verified: row.verified,
        faults: parse_faults(&word(faults))?,
    };
    let removes = request.operation == Operation::Update && row.urgent;
    Ok(RequestRow {
        request,
        head,
        by_hand,
        sending,
        unsettled,
        verifying,
        given,
        removes,
        fingerprint,
        asked,
        expires_at,
        settle_at,
        retry,
        fence: row.fence,
        guard: guard_of(row.guard),
    })
}

pub(super) fn parse_faults(text: &str) -> Result<Vec<Fault>, Fault> {
    let damaged = || Fault::new(Code::StoreDamaged, "a column of faults cannot be read");
    let values: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| damaged())?;
    let fault = |value: &serde_json::Value| -> Option<Fault> {
        let code = Code::from_name(value.get("code")?.as_str()?)?;
        let mut fault = Fault::new(code, value.get("message")?.as_str()?);
        fault.attribute = value.get("attribute").and_then(|place| place.as_str()).map(str::to_owned);
        fault.position = value.get("position").and_then(|at| at.as_u64()).and_then(|at| usize::try_from(at).ok());
        Some(fault)
    };
    values.iter().map(|value| fault(value).ok_or_else(damaged)).collect()
}

pub(super) fn faults_text(faults: &[Fault]) -> String {
    serde_json::to_value(faults).map_or_else(|_| "[]".to_owned(), |value| crate::value::canonical(&value))
}

impl Tx<'_> {
    /// The request of that id.
    pub(crate) fn request(&self, id: &str) -> Result<Option<RequestRow>, Fault> {
        let text = format!("SELECT {COLUMNS} FROM request WHERE id = $1");
        self.row(&text, [id], raw)?.map(parse).transpose()
    }

    /// The unfinished requests of a lane, oldest first.
    pub(crate) fn lane(&self, app: &AppId, user: &UserId) -> Result<Vec<RequestRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM request WHERE app_id = $1 AND user_id = $2 AND finished_at IS NULL ORDER BY id"
        );
        self.rows(&text, params![app.as_str(), user.as_str()], raw)?.into_iter().map(parse).collect()
    }

    /// The unfinished requests for an account that nobody owns, oldest first.
    pub(crate) fn lane_of_account(&self, app: &AppId, external_id: &str) -> Result<Vec<RequestRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM request WHERE app_id = $1 AND external_id = $2 AND user_id IS NULL
             AND finished_at IS NULL ORDER BY id"
        );
        self.rows(&text, params![app.as_str(), external_id], raw)?.into_iter().map(parse).collect()
    }

    /// The newest finished request of a lane with that operation; not one that sent what has nothing to do with the mapping,
    /// or that took memberships away.
    pub(crate) fn last_finished(
        &self,
        app: &AppId,
        user: &UserId,
        operation: Operation,
    ) -> Result<Option<RequestRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM request WHERE user_id = $1 AND app_id = $2 AND operation = $3
             AND finished_at IS NOT NULL AND (given IS NULL OR fingerprint IS NOT NULL)
             AND (operation <> 'Update' OR urgent = 0) ORDER BY id DESC LIMIT 1"
        );
        self.row(&text, params![user.as_str(), app.as_str(), operation.name()], raw)?.map(parse).transpose()
    }

    /// The newest request of a lane with that operation that was done, or is to be done where it takes access away; and whether
    /// it takes it from who was disabled or left.
    pub(crate) fn newest_of(
        &self,
        app: &AppId,
        user: &UserId,
        operation: Operation,
    ) -> Result<Option<(RequestId, bool)>, Fault> {
        let found = self.row(
            "SELECT id, leaver FROM request WHERE user_id = $1 AND app_id = $2 AND operation = $3 AND state <> 'Cancelled'
             AND (urgent = 1 OR state = 'Completed' OR state = 'ManuallyCompleted') ORDER BY id DESC LIMIT 1",
            params![user.as_str(), app.as_str(), operation.name()],
            |row| Ok((row.get::<_, String>(0)?, row.get(1)?)),
        )?;
        found.map(|(id, leaver)| Ok((RequestId::new(id)?, leaver))).transpose()
    }

    /// How many requests of a lane with that operation failed since.
    pub(crate) fn failed_since(
        &self,
        app: &AppId,
        user: &UserId,
        operation: Operation,
        since: Timestamp,
    ) -> Result<u32, Fault> {
        let count = self.row(
            "SELECT count(*) FROM request WHERE user_id = $1 AND app_id = $2 AND operation = $3 AND state = 'Failed'
             AND finished_at > $4",
            params![user.as_str(), app.as_str(), operation.name(), since.as_micros()],
            |row| row.get(0),
        )?;
        Ok(count.unwrap_or(0))
    }

    /// Requests of an app that are due, removals of access first.
    pub(crate) fn due(&self, app: &AppId, limit: usize) -> Result<Vec<RequestRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM request WHERE app_id = $1 AND urgent = $2 AND head = 1 AND finished_at IS NULL
             AND due_at IS NOT NULL AND due_at <= $3 ORDER BY due_at, id LIMIT $4"
        );
        let mut found = Vec::new();
        for urgent in [1, 0] {
            let room = i64::try_from(limit.saturating_sub(found.len())).unwrap_or(i64::MAX);
            if room > 0 {
                found.extend(self.rows(&text, params![app.as_str(), urgent, self.now.as_micros(), room], raw)?);
            }
        }
        found.into_iter().map(parse).collect()
    }

    /// How many requests of the app are due; it is counted no further than `most`.
    pub(crate) fn due_count(&self, app: &AppId, most: usize) -> Result<usize, Fault> {
        let mut found = 0;
        for urgent in [1, 0] {
            let room = i64::try_from(most.saturating_sub(found)).unwrap_or(i64::MAX);
            let rows = self.rows(
                "SELECT 1 FROM request WHERE app_id = $1 AND urgent = $2 AND head = 1 AND finished_at IS NULL
                 AND due_at IS NOT NULL AND due_at <= $3 LIMIT $4",
                params![app.as_str(), urgent, self.now.as_micros(), room],
                |_| Ok(()),
            )?;
            found += rows.len();
        }
        Ok(found)
    }

    /// How many of the app's requests that are due take access away; it is counted no further than `most`.
    pub(crate) fn due_removals(&self, app: &AppId, most: usize) -> Result<usize, Fault> {
        let rows = self.rows(
            "SELECT 1 FROM request WHERE app_id = $1 AND urgent = 1 AND head = 1 AND finished_at IS NULL
             AND due_at IS NOT NULL AND due_at <= $2 LIMIT $3",
            params![app.as_str(), self.now.as_micros(), i64::try_from(most).unwrap_or(i64::MAX)],
            |_| Ok(()),
        )?;
        Ok(rows.len())
    }

    /// When a request of the app is due next.
    pub(crate) fn next_due(&self, app: &AppId) -> Result<Option<Timestamp>, Fault> {
        let mut next: Option<i64> = None;
        for urgent in [1, 0] {
            let due = self.row(
                "SELECT min(due_at) FROM request WHERE app_id = $1 AND urgent = $2 AND head = 1
                 AND finished_at IS NULL AND due_at IS NOT NULL",
                params![app.as_str(), urgent],
                |row| row.get::<_, Option<i64>>(0),
            )?;
            next = [next, due.flatten()].into_iter().flatten().min();
        }
        Ok(time_of(next))
    }

    /// Requests whose call never had an answer.
    pub(crate) fn left_sending(&self) -> Result<Vec<RequestRow>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM request WHERE sending = 1 AND head = 1 AND finished_at IS NULL AND due_at IS NOT NULL
             ORDER BY id"
        );
        self.rows(&text, [], raw)?.into_iter().map(parse).collect()
    }

    /// The unfinished requests of a user, oldest first.
    pub(crate) fn open_of_user(&self, user: &str) -> Result<Vec<RequestRow>, Fault> {
        let text = format!("SELECT {COLUMNS} FROM request WHERE user_id = $1 AND finished_at IS NULL ORDER BY id");
        self.rows(&text, [user], raw)?.into_iter().map(parse).collect()
    }

    /// The unfinished requests of an app, oldest first.
    pub(crate) fn open_of_app(&self, app: &AppId) -> Result<Vec<RequestRow>, Fault> {
        let text = format!("SELECT {COLUMNS} FROM request WHERE app_id = $1 AND finished_at IS NULL ORDER BY id");
        self.rows(&text, [app.as_str()], raw)?.into_iter().map(parse).collect()
    }

    /// How many requests are not finished.
    pub(crate) fn open_count(&self) -> Result<u64, Fault> {
        let count =
            self.row("SELECT count(*) FROM request WHERE finished_at IS NULL", [], |row| row.get::<_, i64>(0))?;
        Ok(count.unwrap_or(0).cast_unsigned())
    }

    /// Requests by id.
    pub(crate) fn requests(&self, filter: &RequestFilter) -> Result<Vec<Request>, Fault> {
        self.requests_where(filter, filter.waiting_for, "1")
    }

    /// Requests by id that are not finished, whatever they wait for.
    pub(crate) fn open_requests(&self, filter: &RequestFilter) -> Result<Vec<Request>, Fault> {
        self.requests_where(filter, None, "finished_at IS NULL")
    }

    fn requests_where(
        &self,
        filter: &RequestFilter,
        waiting_for: Option<WaitingFor>,
        also: &str,
    ) -> Result<Vec<Request>, Fault> {
        let (condition, id) = match (&filter.user, &filter.app) {
            (Some(user), _) => ("user_id = $1", Some(user)),
            (None, Some(app)) => ("app_id = $1", Some(app)),
            (None, None) => ("$1 IS NULL", None),
        };
        let text = format!(
            "SELECT {COLUMNS} FROM request WHERE {condition} AND id > $2 AND ($3 IS NULL OR app_id = $3)
             AND ($4 IS NULL OR state = $4) AND ($5 IS NULL OR operation = $5)
             AND ($6 IS NULL OR waiting_for = $6) AND {also} ORDER BY id LIMIT $7"
        );
        let rows = self.rows(
            &text,
            params![
                id,
                filter.after.as_deref().unwrap_or(""),
                filter.app,
                filter.state.map(State::name),
                filter.operation.map(Operation::name),
                waiting_for.map(WaitingFor::name),
                limit_of(filter.limit)
            ],
            raw,
        )?;
        rows.into_iter().map(|row| parse(row).map(|row| row.request)).collect()
    }

    /// Stores a new request. A `leaver` takes access from who was disabled or left, by the source's own word.
    pub(crate) fn insert_request(&self, row: &RequestRow, leaver: bool) -> Result<(), Fault> {
        let request = &row.request;
        self.execute(
            "INSERT INTO request (id, app_id, user_id, operation, state, approval, urgent, head, by_hand, sending,
             unsettled, verifying, waiting_for, why, author, created_at, not_before, expires_at, due_at, settle_at,
             finished_at, attempts, retry_count, parent_id, external_id, verified, fingerprint, faults, asked, retry_at,
             retry_for, fence, guard_boot, guard_moment, guard_wait, leaver)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36)",
            params![
                request.id.as_str(),
                request.app.as_str(),
                request.user.as_ref().map(UserId::as_str),
                request.operation.name(),
                request.state.name(),
                request.approval.name(),
                row.reduces_access(),
                row.head,
                row.by_hand,
                row.sending,
                row.unsettled,
                row.verifying,
                request.waiting_for.map(WaitingFor::name),
                request.why,
                request.by,
                request.created_at.as_micros(),
                request.not_before.map(Timestamp::as_micros),
                row.expires_at.map(Timestamp::as_micros),
                request.due_at.map(Timestamp::as_micros),
                row.settle_at.map(Timestamp::as_micros),
                request.finished_at.map(Timestamp::as_micros),
                request.attempts,
                request.retry_count,
                request.parent_id.as_ref().map(RequestId::as_str),
                request.external_id,
                request.verified,
                row.fingerprint,
                faults_text(&request.faults),
                row.asked,
                row.retry.map(|retry| retry.0.as_micros()),
                row.retry.map(|retry| retry.1.name()),
                row.fence,
                row.guard.map(|guard| guard.until.boot.cast_signed()),
                row.guard.map(|guard| guard.until.micros),
                row.guard.map(|guard| guard.wait.as_micros()),
                leaver
            ],
        )?;
        Ok(())
    }

    /// The first of the requests from which this one took over, itself where there is none.
    pub(crate) fn root_of(&self, id: &RequestId) -> Result<String, Fault> {
        let mut root = id.to_string();
        while let Some(Some(parent)) =
            self.row("SELECT parent_id FROM request WHERE id = $1", [&root], |row| row.get::<_, Option<String>>(0))?
        {
            root = parent;
        }
        Ok(root)
    }

    /// Stores everything of a request that may change while its state stays.
    pub(crate) fn save(&self, row: &RequestRow) -> Result<(), Fault> {
        self.write_row(row, row.request.state)
    }

    /// Moves a request to the state that `event` leads to, and stores it.
    ///
    /// # Errors
    /// `invalid_transition` where the event may not happen, also where another process was first.
    pub(crate) fn change(&mut self, row: &mut RequestRow, event: Event) -> Result<(), Fault> {
        let from = row.request.state;
        row.request.state = lifecycle::next(from, event)?;
        if row.request.state.is_finished() {
            row.request.finished_at = Some(row.request.finished_at.unwrap_or(self.now));
            row.request.due_at = None;
            row.request.waiting_for = None;
            row.head = false;
            row.sending = false;
            row.retry = None;
            if row.request.operation == Operation::Update {
                self.leave_memberships(&row.request.id, row.removes)?;
            }
        }
        self.tally.completed += u64::from(row.request.state == State::Completed);
        self.tally.failed += u64::from(row.request.state == State::Failed);
        self.write_row(row, from)
    }

    fn write_row(&self, row: &RequestRow, from: State) -> Result<(), Fault> {
        let request = &row.request;
        let changed = self.execute(
            "UPDATE request SET state = $1, approval = $2, waiting_for = $3, why = $4, external_id = $5, fingerprint = $6,
             faults = $7, head = $8, sending = $9, unsettled = $10, verifying = $11, attempts = $12, verified = $13,
             not_before = $14, expires_at = $15, due_at = $16, settle_at = $17, finished_at = $18, asked = $19,
             retry_at = $20, retry_for = $21, author = $22, fence = $23, guard_boot = $24, guard_moment = $25, guard_wait = $26
             WHERE id = $27 AND state = $28",
            params![
                request.state.name(),
                request.approval.name(),
                request.waiting_for.map(WaitingFor::name),
                request.why,
                request.external_id,
                row.fingerprint,
                faults_text(&request.faults),
                row.head,
                row.sending,
                row.unsettled,
                row.verifying,
                request.attempts,
                request.verified,
                request.not_before.map(Timestamp::as_micros),
                row.expires_at.map(Timestamp::as_micros),
                request.due_at.map(Timestamp::as_micros),
                row.settle_at.map(Timestamp::as_micros),
                request.finished_at.map(Timestamp::as_micros),
                row.asked,
                row.retry.map(|retry| retry.0.as_micros()),
                row.retry.map(|retry| retry.1.name()),
                request.by,
                row.fence,
                row.guard.map(|guard| guard.until.boot.cast_signed()),
                row.guard.map(|guard| guard.until.micros),
                row.guard.map(|guard| guard.wait.as_micros()),
                request.id.as_str(),
                from.name()
            ],
        )?;
        if changed == 1 {
            return Ok(());
        }
        Err(Fault::new(Code::InvalidTransition, format!("the request is no longer in state `{}`", from.name())))
    }
}
