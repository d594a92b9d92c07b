//! One Create and up to two workers: they may die and freeze at any step, letters to the target and answers get lost or come
//! late, looks show what was a while ago, the clock on the wall says anything. There must never be a second account.

use super::explore::{World, pack, unpack};
use super::parts::*;
use rollkeeper::Operation;
use rollkeeper::protocol::{Call, Due, Look, Means, Step, before_send, create_look, is_current};

const CLAIM: u8 = 0;
const LOOK: u8 = 1;
const CHECK: u8 = 2;
const SEND: u8 = 3;
const TARGET: u8 = 4;
const ANSWER: u8 = 5;
const LOSE: u8 = 6;
const SETTLE: u8 = 7;
const TIME: u8 = 8;
const DIE: u8 = 9;
const REOPEN: u8 = 10;
const FAIL: u8 = 11;

// What a worker is at.
const IDLE: u8 = 0;
const LOOKS: u8 = 1;
const CHECKS: u8 = 2;
const SENDS: u8 = 3;
const WAITS: u8 = 4;
const REPORTS_BACK: u8 = 5;

// What the target answered.
const MADE: u8 = 1;
const REFUSED: u8 = 2;

/// The lease is counted in ticks left, and below zero in ticks since.
const LEASE_OVER: u8 = 3;

pub(crate) struct Creating {
    pub(crate) workers: usize,
    /// The target refuses a second account.
    pub(crate) unique: bool,
    pub(crate) attempts: u8,
    pub(crate) deaths: u8,
    /// A worker may freeze between its last check and the sending.
    pub(crate) freezes: bool,
    without: Without,
    courses: Courses,
}

impl Creating {
    pub(crate) fn new(workers: usize, unique: bool, without: Without) -> Self {
        let settle = if without == Without::SettleWait { 0 } else { LIFE + VISIBLE };
        let courses = Courses::new(Operation::Create, settle);
        Self { workers, unique, attempts: 4, deaths: 3, freezes: false, without, courses }
    }
}

#[derive(Clone, Copy, Default)]
struct Letter {
    /// In how many ticks it is void, and one more.
    left: u8,
    /// Who waits for the answer: nobody, or a worker counted from 1.
    from: u8,
}

#[derive(Clone, Copy, Default)]
struct Worker {
    at: u8,
    looked: u8,
    /// Ticks left to send.
    send: u8,
    /// The fence was raised since its claim.
    behind: u8,
    /// The target's answer, then the report.
    heard: u8,
    /// It froze after its last check.
    frozen: u8,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// Accounts that every look shows, and those that a look may show.
    seen: u8,
    fresh: u8,
    letters: [Letter; 3],
    // The request.
    ended: u8,
    failed: u8,
    attempts: u8,
    sending: u8,
    unsettled: u8,
    lease: u8,
    /// It waits for its settle time: ticks left, and one more.
    wait: u8,
    ghosts: u8,
    workers: [Worker; 2],
    deaths: u8,
}

impl State {
    #[rustfmt::skip]
    fn fields(&mut self) -> [(&mut u8, u32); 29] {
        let Self { seen, fresh, letters: [a, b, c], ended, failed, attempts, sending, unsettled, lease, wait, ghosts,
            workers: [one, two], deaths } = self;
        [(seen, 2), (fresh, 2), (&mut a.left, 2), (&mut a.from, 2), (&mut b.left, 2), (&mut b.from, 2), (&mut c.left, 2),
            (&mut c.from, 2), (ended, 1), (failed, 1), (attempts, 3), (sending, 1), (unsettled, 1), (lease, 4), (wait, 4),
            (ghosts, 2), (&mut one.at, 3), (&mut one.looked, 1), (&mut one.send, 3), (&mut one.behind, 1),
            (&mut one.heard, 3), (&mut one.frozen, 1), (&mut two.at, 3), (&mut two.looked, 1), (&mut two.send, 3),
            (&mut two.behind, 1), (&mut two.heard, 3), (&mut two.frozen, 1), (deaths, 2)]
    }

    fn packed(mut self) -> u128 {
        self.letters.sort_unstable_by_key(|letter| (letter.left, letter.from));
        pack(self.fields())
    }

    fn of(packed: u128) -> Self {
        let mut state = Self::default();
        unpack(packed, state.fields());
        state
    }
}

impl Creating {
    /// What is to be done with the request, whatever the clock on the wall says.
    fn claim(&self, state: &State) -> Option<State> {
        let left =
            if state.sending == 1 { state.lease.saturating_sub(LEASE_OVER) } else { state.wait.saturating_sub(1) };
        let due = Due {
            operation: Operation::Create,
            sending: state.sending == 1,
            unsettled: state.unsettled == 1,
            left: period(left),
            doubt: None,
        };
        let means = Means { search: true, key: false, refuses_second: false };
        match before_send(&due, means, NOW) {
            Step::Interrupt => Some(self.interrupted(*state)),
            Step::Go => (state.attempts < self.attempts).then_some(*state),
            Step::Wait(_) | Step::Settle(_) | Step::Uncertain => None,
        }
    }

    fn interrupted(&self, mut state: State) -> State {
        let over = LEASE_OVER.saturating_sub(state.lease);
        state.sending = 0;
        raise_fence(&mut state);
        follow(&mut state, self.courses.interrupted(over));
        state
    }

    /// The intent is stored, and a worker has the job.
    fn begin(state: &mut State, worker: usize) {
        let (again, unsettled) = (state.attempts > 0, state.unsettled == 1);
        let call = Call { can_look: true, unsettled, again, matches: false, wanted: true };
        let Some(Look { first, .. }) = create_look(&call) else { return };
        let (send, lease) = window_in_ticks(if first { 2 } else { 0 });
        state.attempts += 1;
        state.sending = 1;
        raise_fence(state);
        state.wait = 0;
        state.lease = lease + LEASE_OVER;
        let at = if first { LOOKS } else { CHECKS };
        state.workers[worker] = Worker { at, send, ..Worker::default() };
    }

    fn settle(&self, state: &mut State, worker: usize) {
        let Worker { heard, looked, behind, .. } = state.workers[worker];
        state.workers[worker] = Worker::default();
        let believed = is_current(0, behind.into()) || self.without == Without::Fence;
        if !believed || state.ended == 1 {
            return;
        }
        let report = REPORTS[usize::from(heard)];
        state.ghosts += u8::from(report == Report::Ghost && state.ghosts < 3);
        state.sending = 0;
        follow(state, self.courses.of(report, state.ghosts, looked == 1, state.unsettled == 1));
    }

    fn time(&self, state: &State) -> Option<State> {
        let mut next = *state;
        for worker in &mut next.workers {
            if worker.at == SENDS {
                if worker.frozen == 1 && !self.freezes {
                    return None;
                }
                worker.frozen = 1;
            }
            if matches!(worker.at, LOOKS | CHECKS) {
                worker.send = window_after(worker.send);
            }
        }
        let bound = self.without != Without::BoundOfLife;
        for letter in next.letters.iter_mut().filter(|letter| letter.left > 0 && bound) {
            letter.left -= 1;
            letter.from = if letter.left == 0 { 0 } else { letter.from };
        }
        (next.seen, next.fresh) = ((next.seen + next.fresh).min(3), 0);
        next.lease = next.lease.saturating_sub(1);
        next.wait = if next.wait > 1 { next.wait - 1 } else { next.wait };
        Some(next)
    }

    fn work(&self, state: &State, worker: usize, take: &mut dyn FnMut(u8, State)) {
        let job = state.workers[worker];
        let with = |change: &dyn Fn(&mut Worker)| {
            let mut next = *state;
            change(&mut next.workers[worker]);
            next
        };
        let report = |report: Report| with(&|job| (job.at, job.heard) = (REPORTS_BACK, report as u8));
        match job.at {
            LOOKS => {
                for shown in state.seen..=state.seen + state.fresh {
                    take(
                        LOOK,
                        match shown {
                            0 => with(&|job| (job.at, job.looked) = (CHECKS, 1)),
                            1 => report(Report::Done),
                            _ => report(Report::Several),
                        },
                    );
                }
                take(FAIL, report(Report::Unreachable));
            }
            CHECKS if may_send(job.send) || self.without == Without::SendDeadline => {
                take(CHECK, with(&|job| (job.at, job.send) = (SENDS, 0)));
            }
            CHECKS => take(CHECK, report(Report::TooLate)),
            SENDS => {
                let mut next = with(&|job| (job.at, job.frozen) = (WAITS, 0));
                if let Some(letter) = next.letters.iter_mut().find(|letter| letter.left == 0) {
                    *letter = Letter { left: LIFE, from: number(worker) };
                    take(SEND, next);
                }
                take(FAIL, report(Report::Unreachable));
            }
            WAITS => {
                match job.heard {
                    MADE => take(ANSWER, report(Report::Done)),
                    REFUSED => {
                        for shown in state.seen..=state.seen + state.fresh {
                            take(
                                ANSWER,
                                report(match shown {
                                    0 => Report::Ghost,
                                    1 => Report::Done,
                                    _ => Report::Several,
                                }),
                            );
                        }
                    }
                    _ => {}
                }
                let mut next = report(Report::Lost);
                forget(&mut next, worker);
                take(LOSE, next);
            }
            REPORTS_BACK => {
                let mut next = *state;
                self.settle(&mut next, worker);
                take(SETTLE, next);
            }
            _ => {}
        }
    }

    fn deliver(&self, state: &State, take: &mut dyn FnMut(u8, State)) {
        for (index, letter) in state.letters.iter().enumerate().filter(|(_, letter)| letter.left > 0) {
            let mut next = *state;
            next.letters[index] = Letter::default();
            let refused = self.unique && next.seen + next.fresh > 0;
            if !refused {
                next.fresh += 1;
            }
            if letter.from > 0 {
                next.workers[usize::from(letter.from) - 1].heard = if refused { REFUSED } else { MADE };
            }
            take(TARGET, next);
            // It never arrives: whoever waits will wait in vain.
            let mut lost = *state;
            lost.letters[index] = Letter::default();
            take(LOSE, lost);
        }
    }
}

/// Whoever claimed before is not believed any more.
fn raise_fence(state: &mut State) {
    for worker in state.workers.iter_mut().filter(|worker| worker.at != IDLE) {
        worker.behind = 1;
    }
}

/// Nobody waits for the answer any more.
fn forget(state: &mut State, worker: usize) {
    for letter in state.letters.iter_mut().filter(|letter| letter.from == number(worker)) {
        letter.from = 0;
    }
}

fn number(worker: usize) -> u8 {
    u8::try_from(worker + 1).unwrap()
}

fn follow(state: &mut State, course: Course) {
    state.ended = u8::from(course.ends);
    state.failed = u8::from(course.fails);
    state.unsettled = u8::from(course.unsettled);
    state.wait = course.wait.map_or(0, |wait| wait + 1);
    state.lease = 0;
    if course.ends {
        (state.unsettled, state.wait, state.ghosts) = (0, 0, 0);
    }
}

impl World for Creating {
    const STEPS: &'static [&'static str] =
        &["claim", "look", "check", "send", "target", "answer", "lose", "settle", "time", "die", "reopen", "fail"];

    fn start(&self) -> u128 {
        State { deaths: self.deaths, ..State::default() }.packed()
    }

    fn steps(&self, packed: u128, take: &mut dyn FnMut(u8, u128)) {
        let state = State::of(packed);
        let mut take = |step: u8, next: State| take(step, next.packed());
        for worker in 0..self.workers {
            if state.workers[worker].at != IDLE {
                self.work(&state, worker, &mut take);
                if state.deaths > 0 {
                    let mut next = state;
                    forget(&mut next, worker);
                    next.workers[worker] = Worker::default();
                    next.deaths -= 1;
                    take(DIE, next);
                }
            } else if let (0, Some(mut next)) = (state.ended, self.claim(&state)) {
                if next.sending == state.sending {
                    Self::begin(&mut next, worker);
                }
                take(CLAIM, next);
            }
        }
        // Who opens the file alone knows that nobody is sending.
        if self.workers == 1 && state.workers[0].at == IDLE && state.sending == 1 {
            take(REOPEN, self.interrupted(state));
        }
        self.deliver(&state, &mut take);
        if let Some(next) = self.time(&state) {
            take(TIME, next);
        }
    }

    fn broken(&self, packed: u128) -> Option<&'static str> {
        let state = State::of(packed);
        let accounts = state.seen + state.fresh;
        if accounts > 1 {
            return Some("there are two accounts");
        }
        (state.ended == 1 && state.failed == 0 && accounts == 0).then_some("it is done, and there is no account")
    }
}
