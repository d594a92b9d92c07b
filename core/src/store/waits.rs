//! What is waited for: until when something of a lane may still take effect, and what becomes of waits when the clock on the
//! wall is set.

use super::requests::guard_of;
use super::{RequestRow, Tx, time_of};
use crate::fault::{Code, Fault};
use crate::id::UserId;
use crate::operation::Operation;
use crate::protocol::{Doubt, Reference, Turn};
use crate::time::{Moment, Period, Timestamp};
use rusqlite::{Row, params};

/// Something of what ended so long ago takes effect no more, whatever became of the clock since.
const DAY: Period = Period::from_seconds(86_400);

/// The name under which both clocks are kept.
const CLOCKS: &str = "clocks";

const COLUMNS: &str = "operation, sending, due_at, settle_at, guard_boot, guard_moment, guard_wait";

type Raw = (String, bool, Option<i64>, Option<i64>, [Option<i64>; 3]);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, [row.get(4)?, row.get(5)?, row.get(6)?]))
}

impl Tx<'_> {
    /// Until when others of a request's lane may still take effect, unfinished or not: what does each, and its doubt.
    pub(crate) fn doubts(&self, row: &RequestRow, settle: Period) -> Result<Vec<(Operation, Doubt)>, Fault> {
        let request = &row.request;
        let (lane, name) = match (&request.user, &request.external_id) {
            (Some(user), _) => ("user_id = $1", UserId::as_str(user)),
            (None, Some(external_id)) => ("user_id IS NULL AND external_id = $1", external_id.as_str()),
            (None, None) => return Ok(Vec::new()),
        };
        let open = format!(
            "SELECT {COLUMNS} FROM request WHERE {lane} AND app_id = $2 AND finished_at IS NULL AND id <> $3
             AND (sending = 1 OR settle_at IS NOT NULL) ORDER BY id"
        );
        let ended = format!(
            "SELECT {COLUMNS} FROM request WHERE {lane} AND app_id = $2 AND settle_at > $3 AND settle_at IS NOT NULL
             AND finished_at IS NOT NULL ORDER BY settle_at DESC LIMIT 8"
        );
        let mut found = self.rows(&open, params![name, request.app.as_str(), request.id.as_str()], raw)?;
        let since = self.now.as_micros().saturating_sub(DAY.as_micros());
        found.extend(self.rows(&ended, params![name, request.app.as_str(), since], raw)?);
        let doubt = |(operation, sending, due_at, settle_at, guard): Raw| {
            let operation = Operation::from_name(&operation).unwrap_or(Operation::Update);
            let until = time_of(if sending { due_at } else { settle_at }).unwrap_or(self.now);
            (operation, Doubt { sending, until, guard: guard_of(guard), settle })
        };
        Ok(found.into_iter().map(doubt).collect())
    }

    /// Notices that the clock on the wall was set, and lets everything that is waited for go with it: what is due is found by
    /// that clock. Waits for a person or for a day on the calendar stay. Gives what both clocks show now.
    pub(crate) fn keep_time(&mut self) -> Result<(Reference, Turn), Fault> {
        let (now, moment) = (self.now, self.moment);
        let known = self.meta(CLOCKS)?.map(|text| read(&text)).transpose()?;
        let turn = known.map_or(Turn::None, |known| known.turn(now, moment));
        match (turn, known) {
            (Turn::None, Some(known)) => return Ok((known, turn)),
            (Turn::None, None) => {}
            (Turn::By(by), _) => self.move_waits(by)?,
            (Turn::Boot, _) => self.begin_waits_anew()?,
        }
        self.put_meta(CLOCKS, &format!("{} {} {}", now.as_micros(), moment.boot, moment.micros))?;
        Ok((Reference { time: now, moment }, turn))
    }

    fn move_waits(&self, by: i64) -> Result<(), Fault> {
        self.execute(
            "UPDATE request SET due_at = due_at + $1 WHERE finished_at IS NULL AND due_at IS NOT NULL
             AND (waiting_for IS NULL OR waiting_for IN ('retry', 'rate', 'settle', 'dependency'))",
            [by],
        )?;
        self.execute(
            "UPDATE request SET retry_at = retry_at + $1 WHERE finished_at IS NULL AND retry_at IS NOT NULL",
            [by],
        )?;
        let before = self.now.as_micros().saturating_sub(by);
        self.execute(
            "UPDATE request SET settle_at = settle_at + $1 WHERE settle_at IS NOT NULL AND settle_at > $2",
            [by, before],
        )?;
        Ok(())
    }

    /// After another start of the machine nobody knows how much time has passed: what is guarded is waited for as a whole
    /// again, and nothing else for longer than a day.
    fn begin_waits_anew(&self) -> Result<(), Fault> {
        let now = self.now.as_micros();
        let (yesterday, tomorrow) = (now.saturating_sub(DAY.as_micros()), now.saturating_add(DAY.as_micros()));
        self.execute(
            "UPDATE request SET guard_boot = $1, guard_moment = guard_wait + $2,
             settle_at = CASE WHEN settle_at IS NULL THEN NULL ELSE guard_wait + $3 END
             WHERE guard_wait IS NOT NULL AND (finished_at IS NULL OR settle_at > $4)",
            [self.moment.boot.cast_signed(), self.moment.micros, now, yesterday],
        )?;
        self.execute(
            "UPDATE request SET due_at = guard_wait + $1 WHERE finished_at IS NULL AND guard_wait IS NOT NULL
             AND due_at IS NOT NULL AND (sending = 1 OR waiting_for = 'settle')",
            [now],
        )?;
        self.execute(
            "UPDATE request SET retry_at = guard_wait + $1 WHERE finished_at IS NULL AND guard_wait IS NOT NULL
             AND retry_for = 'settle'",
            [now],
        )?;
        self.execute("UPDATE request SET retry_at = $1 WHERE finished_at IS NULL AND retry_at > $1", [tomorrow])?;
        self.execute(
            "UPDATE request SET due_at = $1 WHERE finished_at IS NULL AND due_at > $1
             AND waiting_for IN ('retry', 'rate', 'settle', 'dependency')",
            [tomorrow],
        )?;
        self.execute(
            "UPDATE request SET due_at = $1 WHERE finished_at IS NULL AND due_at > $1 AND waiting_for IS NULL
             AND sending = 0",
            [now],
        )?;
        Ok(())
    }
}

fn read(text: &str) -> Result<Reference, Fault> {
    let damaged = || Fault::new(Code::StoreDamaged, "the time of both clocks cannot be read");
    let mut parts = text.split(' ');
    let mut part = || parts.next().ok_or_else(damaged);
    let (time, boot, micros) = (part()?, part()?, part()?);
    let number = |text: &str| text.parse::<i64>().map_err(|_| damaged());
    let moment = Moment { boot: boot.parse().map_err(|_| damaged())?, micros: number(micros)? };
    Ok(Reference { time: Timestamp::from_micros(number(time)?), moment })
}
