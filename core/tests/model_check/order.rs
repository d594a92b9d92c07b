//! An Update and, when its user leaves, a Deactivate of the same lane. The target takes an Update as the whole record: where it
//! arrives after the Deactivate, the account can be used again. When all is quiet, who left must be out.

use super::explore::{World, pack, unpack};
use super::parts::*;
use rollkeeper::lane::{Place, beside, first};
use rollkeeper::model::ApprovalStatus;
use rollkeeper::protocol::{
    Confirmed, Doubt, Due, Guard, Means, Step, after_removal, before_send, doubtful_until, is_current,
};
use rollkeeper::{Moment, Operation};

const LEAVE: u8 = 0;
const CLAIM: u8 = 1;
const CHECK: u8 = 2;
const SEND: u8 = 3;
const TARGET: u8 = 4;
const ANSWER: u8 = 5;
const READ: u8 = 6;
const LOSE: u8 = 7;
const SETTLE: u8 = 8;
const TIME: u8 = 9;
const DIE: u8 = 10;
const FAIL: u8 = 11;
const GIVE_UP: u8 = 12;

// What a worker is at.
const IDLE: u8 = 0;
const CHECKS: u8 = 1;
const SENDS: u8 = 2;
const WAITS: u8 = 3;
const READS: u8 = 4;
const REPORTS_BACK: u8 = 5;

const UPDATE: usize = 0;
const REMOVAL: usize = 1;

const OPEN: u8 = 1;
const ENDED: u8 = 2;

/// The lease is counted in ticks left, and below zero in ticks since.
const LEASE_OVER: u8 = 3;

const SETTLING: u8 = LIFE + VISIBLE;
const MOMENT: Moment = Moment { boot: 1, micros: 500_000_000 };

pub(crate) struct Leaving {
    pub(crate) workers: usize,
    pub(crate) attempts: [u8; 2],
    pub(crate) deaths: u8,
    without: Without,
    update: Courses,
    removal: Courses,
}

impl Leaving {
    pub(crate) fn new(workers: usize, without: Without) -> Self {
        let settle = if without == Without::SettleWait { 0 } else { SETTLING };
        Self {
            workers,
            attempts: [2, 3],
            deaths: 1,
            without,
            update: Courses::new(Operation::Update, settle),
            removal: Courses::new(Operation::Deactivate, settle),
        }
    }

    fn settle_time(&self) -> u8 {
        if self.without == Without::SettleWait { 0 } else { SETTLING }
    }
}

#[derive(Clone, Copy, Default)]
struct Letter {
    left: u8,
    from: u8,
    /// It takes access away.
    removes: u8,
}

#[derive(Clone, Copy, Default)]
struct Worker {
    at: u8,
    /// Which request it is about.
    row: u8,
    send: u8,
    /// The fence was raised since its claim.
    behind: u8,
    /// The target answered; then the report.
    heard: u8,
    frozen: u8,
    /// In how many ticks the other request is beyond doubt, and one more, as it was when the job was made.
    doubt: u8,
}

#[derive(Clone, Copy, Default)]
struct Row {
    state: u8,
    attempts: u8,
    sending: u8,
    unsettled: u8,
    verifying: u8,
    lease: u8,
    /// It waits for something to settle: ticks left, and one more.
    wait: u8,
    /// Ticks in which something of it may still take effect.
    settle: u8,
}

#[derive(Clone, Copy, Default)]
struct State {
    active: u8,
    /// A look may still show the opposite.
    fresh: u8,
    gone: u8,
    letters: [Letter; 3],
    rows: [Row; 2],
    workers: [Worker; 2],
    deaths: u8,
}

impl State {
    #[rustfmt::skip]
    fn fields(&mut self) -> [(&mut u8, u32); 43] {
        let Self { active, fresh, gone, letters: [a, b, c], rows: [u, r], workers: [one, two], deaths } = self;
        [(active, 1), (fresh, 1), (gone, 1), (&mut a.left, 2), (&mut a.from, 2), (&mut a.removes, 1), (&mut b.left, 2),
            (&mut b.from, 2), (&mut b.removes, 1), (&mut c.left, 2), (&mut c.from, 2), (&mut c.removes, 1),
            (&mut u.state, 2), (&mut u.attempts, 2), (&mut u.sending, 1), (&mut u.unsettled, 1), (&mut u.verifying, 1),
            (&mut u.lease, 4), (&mut u.wait, 4), (&mut u.settle, 3),
            (&mut r.state, 2), (&mut r.attempts, 2), (&mut r.sending, 1), (&mut r.unsettled, 1), (&mut r.verifying, 1),
            (&mut r.lease, 4), (&mut r.wait, 4), (&mut r.settle, 3),
            (&mut one.at, 3), (&mut one.row, 1), (&mut one.send, 3), (&mut one.behind, 1), (&mut one.heard, 3),
            (&mut one.frozen, 1), (&mut one.doubt, 4), (&mut two.at, 3), (&mut two.row, 1), (&mut two.send, 3), (&mut two.behind, 1),
            (&mut two.heard, 3), (&mut two.frozen, 1), (&mut two.doubt, 4), (deaths, 2)]
    }

    fn packed(mut self) -> u128 {
        self.letters.sort_unstable_by_key(|letter| (letter.left, letter.from, letter.removes));
        pack(self.fields())
    }

    fn of(packed: u128) -> Self {
        let mut state = Self::default();
        unpack(packed, state.fields());
        state
    }

    fn set(&mut self, active: u8) {
        if self.active != active {
            (self.active, self.fresh) = (active, 1);
        }
    }
}

fn operation(row: usize) -> Operation {
    if row == UPDATE { Operation::Update } else { Operation::Deactivate }
}

/// Which requests may be taken up: the first of the lane and who goes beside it.
fn heads(state: &State) -> [bool; 2] {
    let open: Vec<usize> = (0..2).filter(|row| state.rows[*row].state == OPEN).collect();
    let place = |row: &usize| Place {
        removes: false,
        operation: operation(*row),
        approval: ApprovalStatus::NotRequired,
        held: false,
        sending: state.rows[*row].sending == 1,
        unsettled: state.rows[*row].unsettled == 1,
        not_before: None,
        expires_at: None,
        retry: None,
    };
    let lane: Vec<Place> = open.iter().map(place).collect();
    let mut heads = [false; 2];
    for index in [first(&lane, NOW), beside(&lane, NOW)].into_iter().flatten() {
        heads[open[index]] = true;
    }
    for row in open {
        heads[row] |= state.rows[row].sending == 1;
    }
    heads
}

impl Leaving {
    /// Until when the other request may still take effect, in ticks from now.
    fn doubt(&self, state: &State, row: usize) -> Option<u8> {
        let other = state.rows[1 - row];
        let sending = other.sending == 1;
        let left = if sending { other.lease.saturating_sub(LEASE_OVER) } else { other.settle };
        if other.state == 0 || !(sending || other.settle > 0) {
            return None;
        }
        let guard = Some(Guard::new(MOMENT, period(left)));
        let doubt = Doubt { sending, until: NOW.plus(period(left)), guard, settle: period(self.settle_time()) };
        doubtful_until(&[doubt], NOW, MOMENT).map(|until| ticks(until.since(NOW)))
    }

    fn claim(&self, state: &State, row: usize, worker: usize, take: &mut dyn FnMut(u8, State)) {
        let request = state.rows[row];
        let left = if request.sending == 1 {
            request.lease.saturating_sub(LEASE_OVER)
        } else {
            request.wait.saturating_sub(1)
        };
        let doubt = self.doubt(state, row);
        let due = Due {
            operation: operation(row),
            sending: request.sending == 1,
            unsettled: request.unsettled == 1,
            left: period(left),
            doubt: doubt.map(|ticks| NOW.plus(period(ticks))),
        };
        let mut next = *state;
        match before_send(&due, Means { search: true, key: false, refuses_second: false }, NOW) {
            Step::Interrupt if request.verifying == 1 => {
                next.rows[row].sending = 0;
                raise_fence(&mut next, row);
                take(CLAIM, next);
            }
            Step::Interrupt => {
                let over = LEASE_OVER.saturating_sub(request.lease);
                next.rows[row].sending = 0;
                raise_fence(&mut next, row);
                let course = if row == UPDATE { &self.update } else { &self.removal }.interrupted(over);
                follow(&mut next.rows[row], course);
                take(CLAIM, next);
            }
            // What is no longer wanted is not sent.
            Step::Go if row == UPDATE && state.gone == 1 => {
                let row = &mut next.rows[row];
                (row.state, row.unsettled) = (ENDED, 0);
                take(GIVE_UP, next);
            }
            Step::Go if request.verifying == 1 || request.attempts < self.attempts[row] => {
                let (send, lease) = window_in_ticks(0);
                let looks = request.verifying == 1;
                let request = &mut next.rows[row];
                request.attempts += u8::from(!looks);
                (request.sending, request.wait, request.lease) = (1, 0, lease + LEASE_OVER);
                let at = if looks { READS } else { CHECKS };
                let doubt = doubt.filter(|_| row == REMOVAL).map_or(0, |ticks| ticks + 1);
                raise_fence(&mut next, row);
                next.workers[worker] = Worker { at, row: u8::from(row == REMOVAL), send, doubt, ..Worker::default() };
                take(CLAIM, next);
            }
            _ => {}
        }
    }

    fn settle(&self, state: &mut State, worker: usize) {
        let Worker { heard, behind, row, doubt, .. } = state.workers[worker];
        state.workers[worker] = Worker::default();
        let row = usize::from(row);
        let request = state.rows[row];
        let believed = is_current(0, behind.into()) || self.without == Without::Fence;
        if !believed || request.state != OPEN {
            return;
        }
        let report = REPORTS[usize::from(heard)];
        let doubted = doubt > 0 && self.without != Without::Verification;
        let doubt = doubted.then(|| NOW.plus(period(doubt - 1)));
        let request = &mut state.rows[row];
        (request.sending, request.lease) = (0, 0);
        if row == REMOVAL && report == Report::Done {
            match after_removal(true, false, doubt, NOW) {
                Confirmed::LookAgain(at) => (request.verifying, request.wait) = (1, ticks(at.since(NOW)) + 1),
                _ => (request.state, request.unsettled, request.verifying) = (ENDED, 0, 0),
            }
            return;
        }
        let courses = if row == UPDATE { &self.update } else { &self.removal };
        request.verifying = 0;
        follow(request, courses.of(report, 0, false, request.unsettled == 1));
    }

    fn time(state: &State) -> Option<State> {
        let mut next = *state;
        for worker in &mut next.workers {
            if worker.at == SENDS {
                if worker.frozen == 1 {
                    return None;
                }
                worker.frozen = 1;
            }
            worker.doubt = if worker.doubt > 1 { worker.doubt - 1 } else { worker.doubt };
            if worker.at == CHECKS {
                worker.send = window_after(worker.send);
            }
        }
        for letter in next.letters.iter_mut().filter(|letter| letter.left > 0) {
            letter.left -= 1;
            letter.from = if letter.left == 0 { 0 } else { letter.from };
            letter.removes = if letter.left == 0 { 0 } else { letter.removes };
        }
        next.fresh = 0;
        for row in &mut next.rows {
            row.lease = row.lease.saturating_sub(1);
            row.wait = if row.wait > 1 { row.wait - 1 } else { row.wait };
            row.settle = row.settle.saturating_sub(1);
        }
        Some(next)
    }

    fn work(&self, state: &State, worker: usize, take: &mut dyn FnMut(u8, State)) {
        let job = state.workers[worker];
        let removes = u8::from(usize::from(job.row) == REMOVAL);
        let with = |change: &dyn Fn(&mut Worker)| {
            let mut next = *state;
            change(&mut next.workers[worker]);
            next
        };
        let report = |report: Report| with(&|job| (job.at, job.heard) = (REPORTS_BACK, report as u8));
        match job.at {
            CHECKS if may_send(job.send) || self.without == Without::SendDeadline => {
                take(CHECK, with(&|job| (job.at, job.send) = (SENDS, 0)));
            }
            CHECKS => take(CHECK, report(Report::TooLate)),
            SENDS => {
                let mut next = with(&|job| (job.at, job.frozen) = (WAITS, 0));
                if let Some(letter) = next.letters.iter_mut().find(|letter| letter.left == 0) {
                    *letter = Letter { left: LIFE, from: number(worker), removes };
                    take(SEND, next);
                }
                take(FAIL, report(Report::Unreachable));
            }
            WAITS => {
                if job.heard == 1 && removes == 1 {
                    take(ANSWER, with(&|job| (job.at, job.heard) = (READS, 0)));
                } else if job.heard == 1 {
                    take(ANSWER, report(Report::Done));
                }
                let mut next = report(Report::Lost);
                forget(&mut next, worker);
                take(LOSE, next);
            }
            READS => {
                let shown = |active: u8| if active == 1 { Report::NotConfirmed } else { Report::Done };
                take(READ, report(shown(state.active)));
                if state.fresh == 1 {
                    take(READ, report(shown(1 - state.active)));
                }
                take(LOSE, report(Report::Lost));
            }
            REPORTS_BACK => {
                let mut next = *state;
                self.settle(&mut next, worker);
                take(SETTLE, next);
            }
            _ => {}
        }
    }
}

fn follow(row: &mut Row, course: Course) {
    row.state = if course.ends { ENDED } else { OPEN };
    row.unsettled = u8::from(course.unsettled && !course.ends);
    row.wait = course.wait.map_or(0, |wait| wait + 1);
    row.settle = course.settle.unwrap_or(row.settle);
    row.lease = 0;
}

/// Whoever claimed before is not believed any more.
fn raise_fence(state: &mut State, row: usize) {
    for worker in state.workers.iter_mut().filter(|worker| worker.at != IDLE && usize::from(worker.row) == row) {
        worker.behind = 1;
    }
}

fn forget(state: &mut State, worker: usize) {
    for letter in state.letters.iter_mut().filter(|letter| letter.from == number(worker)) {
        letter.from = 0;
    }
}

fn number(worker: usize) -> u8 {
    u8::try_from(worker + 1).unwrap()
}

impl World for Leaving {
    const STEPS: &'static [&'static str] = &[
        "leave", "claim", "check", "send", "target", "answer", "read", "lose", "settle", "time", "die", "fail",
        "give up",
    ];

    fn start(&self) -> u128 {
        let update = Row { state: OPEN, ..Row::default() };
        State { active: 1, rows: [update, Row::default()], deaths: self.deaths, ..State::default() }.packed()
    }

    fn steps(&self, packed: u128, take: &mut dyn FnMut(u8, u128)) {
        let state = State::of(packed);
        let mut take = |step: u8, next: State| take(step, next.packed());
        if state.gone == 0 {
            let mut next = state;
            (next.gone, next.rows[REMOVAL].state) = (1, OPEN);
            let update = &mut next.rows[UPDATE];
            // What was not sent is taken back.
            if update.state == OPEN && update.sending == 0 && update.unsettled == 0 {
                update.state = ENDED;
            }
            take(LEAVE, next);
        }
        let heads = heads(&state);
        for worker in 0..self.workers {
            if state.workers[worker].at == IDLE {
                for row in [UPDATE, REMOVAL] {
                    if heads[row] {
                        self.claim(&state, row, worker, &mut take);
                    }
                }
                continue;
            }
            self.work(&state, worker, &mut take);
            if state.deaths > 0 {
                let mut next = state;
                forget(&mut next, worker);
                next.workers[worker] = Worker::default();
                next.deaths -= 1;
                take(DIE, next);
            }
        }
        for (index, letter) in state.letters.iter().enumerate().filter(|(_, letter)| letter.left > 0) {
            let mut next = state;
            next.letters[index] = Letter::default();
            next.set(1 - letter.removes);
            if letter.from > 0 {
                next.workers[usize::from(letter.from) - 1].heard = 1;
            }
            take(TARGET, next);
            let mut lost = state;
            lost.letters[index] = Letter::default();
            take(LOSE, lost);
        }
        if let Some(next) = Self::time(&state) {
            take(TIME, next);
        }
    }

    fn broken(&self, packed: u128) -> Option<&'static str> {
        let state = State::of(packed);
        let [update, removal] = state.rows;
        let quiet = update.state != OPEN
            && removal.state == ENDED
            && state.letters.iter().all(|letter| letter.left == 0)
            && state.workers.iter().all(|worker| worker.at == IDLE);
        if quiet && state.active == 1 {
            return Some("who left can still use the account");
        }
        let waits = removal.state == OPEN && removal.attempts == 0 && !heads(&state)[REMOVAL];
        waits.then_some("the removal waits for the update")
    }
}
