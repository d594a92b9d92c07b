//! What both worlds share: time in ticks, letters on their way to the target, workers, and what an answer leads to.

use rollkeeper::model::{ConnectorError, Outcome, RetryPolicy};
use rollkeeper::protocol::{After, Answer, Facts, Means, Then, Window, after_answer, after_interruption, window};
use rollkeeper::{Code, Moment, Operation, Period, Timestamp};

/// Time goes on by so much. It is as long as the window in which a request may be sent.
pub(crate) const TICK: Period = Period::from_seconds(5);
/// How long a call may take.
pub(crate) const REQUEST: Period = TICK;
/// A request takes effect within so many ticks after it was sent, or never.
pub(crate) const LIFE: u8 = 2;
/// A look shows what happened so many ticks ago, or later.
pub(crate) const VISIBLE: u8 = 1;
/// No wait is counted beyond that; a shorter one is only worse.
pub(crate) const LONGEST: u8 = 7;

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
/// A worker may not send any more.
pub(crate) const TOO_LATE: u8 = 7;

pub(crate) fn period(ticks: u8) -> Period {
    Period::from_micros(TICK.as_micros() * i64::from(ticks))
}

/// Whole ticks; what is left over makes a wait shorter, which is only worse.
pub(crate) fn ticks(period: Period) -> u8 {
    u8::try_from(period.as_micros() / TICK.as_micros()).unwrap_or(LONGEST)
}

/// The windows of an attempt in ticks.
pub(crate) fn window_in_ticks(looks: usize) -> (u8, u8) {
    let Window { send, lease } = window(looks, REQUEST);
    (ticks(send), ticks(lease))
}

/// Whether a worker whose window has so many ticks left may send.
pub(crate) fn may_send(left: u8) -> bool {
    let now = Moment { boot: 1, micros: 1_000_000_000 };
    let late = left == TOO_LATE;
    let send_by = if late { Moment { micros: now.micros - 1, ..now } } else { now.plus(period(left)) };
    rollkeeper::protocol::may_send(now, send_by)
}

/// One tick less of a sending window.
pub(crate) fn window_after(left: u8) -> u8 {
    if left == 0 || left == TOO_LATE { TOO_LATE } else { left - 1 }
}

/// How a call may end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Report {
    None,
    Done,
    Several,
    Ghost,
    TooLate,
    Lost,
    Unreachable,
    NotConfirmed,
}

pub(crate) const REPORTS: [Report; 8] = [
    Report::None,
    Report::Done,
    Report::Several,
    Report::Ghost,
    Report::TooLate,
    Report::Lost,
    Report::Unreachable,
    Report::NotConfirmed,
];

/// What becomes of a request, in ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    pub(crate) ends: bool,
    pub(crate) fails: bool,
    pub(crate) unsettled: bool,
    /// The settle time is this from now on, where it is another.
    pub(crate) settle: Option<u8>,
    /// It waits for its settle time, or longer.
    pub(crate) wait: Option<u8>,
}

/// What the protocol makes of answers, asked once for each: nothing of it is written down a second time here.
pub(crate) struct Courses {
    answers: Vec<Course>,
    operation: Operation,
    settle: u8,
}

const SEARCH: Means = Means { search: true, key: false, refuses_second: false };

impl Courses {
    /// For one operation and a settle time.
    pub(crate) fn new(operation: Operation, settle: u8) -> Self {
        let mut courses = Self { answers: Vec::new(), operation, settle };
        for report in REPORTS {
            for ghosts in 0..4 {
                for (looked, unsettled) in [(false, false), (false, true), (true, false), (true, true)] {
                    let course = courses.ask(report, ghosts, looked, unsettled);
                    courses.answers.push(course);
                }
            }
        }
        courses
    }

    /// What becomes of a request that ended so. `ghosts` counts the conflicts that no look explained, this one included.
    pub(crate) fn of(&self, report: Report, ghosts: u8, looked: bool, unsettled: bool) -> Course {
        let flags = usize::from(looked) * 2 + usize::from(unsettled);
        self.answers[(report as usize * 4 + usize::from(ghosts)) * 4 + flags]
    }

    fn ask(&self, report: Report, ghosts: u8, looked: bool, unsettled: bool) -> Course {
        let error = |outcome, code: Code| ConnectorError::new(outcome, code.name(), "");
        let failure = match report {
            Report::TooLate => error(Outcome::NotApplied, Code::Cancelled),
            Report::Unreachable => error(Outcome::NotApplied, Code::Unreachable),
            Report::NotConfirmed => error(Outcome::Ambiguous, Code::NotConfirmed),
            _ => error(Outcome::Ambiguous, Code::Timeout),
        };
        let answer = match report {
            Report::None | Report::Done => Answer::Done,
            Report::Several => Answer::Conflict(Code::ConflictDuplicate),
            Report::Ghost => Answer::Ghost(u32::from(ghosts)),
            _ if looked && report != Report::TooLate => Answer::FailedAfterLook(&failure),
            _ => Answer::Failed(&failure),
        };
        // A settle time of before, so that it is seen where it is kept.
        let before = Some(NOW.plus(Period::from_micros(1))).filter(|_| unsettled);
        let policy = RetryPolicy::default();
        let facts = Facts {
            operation: self.operation,
            unsettled,
            settle_at: before,
            attempts: 1,
            created_at: NOW,
            policy: &policy,
            settle: period(self.settle),
            means: SEARCH,
            now: NOW,
        };
        course(&after_answer(&facts, answer, 0), before)
    }

    /// What becomes of a request whose lease ended so many ticks ago.
    pub(crate) fn interrupted(&self, over: u8) -> Course {
        let after = after_interruption(self.operation, SEARCH, period(self.settle), period(over), NOW);
        course(&after, None)
    }
}

fn course(after: &After, before: Option<Timestamp>) -> Course {
    let wait = match after.then {
        Then::Again(at, rollkeeper::model::WaitingFor::Settle) => Some(ticks(at.since(NOW)).min(LONGEST)),
        _ => None,
    };
    let left = after.settle_at.map_or(0, |at| ticks(at.since(NOW)));
    Course {
        ends: matches!(after.then, Then::Complete | Then::Fail(_) | Then::Cancel),
        fails: matches!(after.then, Then::Fail(_) | Then::Cancel),
        unsettled: after.unsettled,
        settle: (after.settle_at != before).then_some(left),
        wait,
    }
}

/// What is taken out of the protocol, to see that the check would notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Without {
    Nothing,
    SettleWait,
    Fence,
    Verification,
    SendDeadline,
    /// Not of the protocol: letters take effect however late.
    BoundOfLife,
}
