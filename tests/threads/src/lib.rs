//! Where a run and its workers meet, in every order in which threads can come there: the source itself is compiled with the
//! mutexes of loom, which tries all of them. Nobody is ever woken by a time-out here, so that whoever misses a wake-up waits for
//! good, and loom says so.
#![cfg(test)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../core/src/delivery/exchange.rs"]
mod exchange;

/// What the source takes for `std::sync`, and for a clock one that stands still.
mod sync {
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    use std::ops::Add;
    use std::time::Duration;

    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Instant(Duration);

    impl Instant {
        pub(crate) fn now() -> Self {
            Self(Duration::ZERO)
        }

        pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
            self.0.saturating_sub(earlier.0)
        }
    }

    impl Add<Duration> for Instant {
        type Output = Self;

        fn add(self, duration: Duration) -> Self {
            Self(self.0 + duration)
        }
    }
}

use exchange::Exchange;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread::{self, JoinHandle};
use std::time::Duration;

type Hall = Exchange<u32, u32>;

const LONG: Duration = Duration::from_secs(3600);

/// In every order of threads, of which so many are interrupted where they need not be.
fn in_every_order(interruptions: usize, story: fn(&Arc<Hall>)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(interruptions);
    model.check(move || story(&Arc::new(Hall::new())));
}

/// A worker: it answers each job by its number, and tells how many there were when it is sent home.
fn worker(hall: &Arc<Hall>) -> JoinHandle<u32> {
    let hall = Arc::clone(hall);
    thread::spawn(move || {
        let mut done = 0;
        while let Some(job) = hall.next_job() {
            done += 1;
            hall.report(job);
            hall.rest();
        }
        done
    })
}

/// Waits until so many answers are there.
fn collect(hall: &Hall, count: usize, wait: impl Fn(&Hall) -> Vec<u32>) -> Vec<u32> {
    let mut answers = Vec::new();
    while answers.len() < count {
        answers.extend(wait(hall));
    }
    answers.sort_unstable();
    answers
}

#[test]
fn every_job_is_done_once_every_answer_arrives_and_all_workers_go_home() {
    in_every_order(2, |hall| {
        let workers = [worker(hall), worker(hall)];
        hall.hand_out(vec![1, 2]);
        assert_eq!(collect(hall, 2, |hall| hall.reports(None)), [1, 2]);
        hall.close();
        assert_eq!(workers.map(|worker| worker.join().unwrap()).iter().sum::<u32>(), 2);
    });
}

/// Each of two jobs is done when both are begun: nobody sleeps while there is something for them.
#[test]
fn as_many_workers_are_woken_as_there_are_jobs() {
    in_every_order(2, |hall| {
        let meeting = Arc::new((Mutex::new(0), Condvar::new()));
        let workers = [0, 1].map(|_| {
            let (hall, meeting) = (Arc::clone(hall), Arc::clone(&meeting));
            thread::spawn(move || {
                let job = hall.next_job().unwrap();
                let mut begun = meeting.0.lock().unwrap();
                *begun += 1;
                meeting.1.notify_all();
                while *begun < 2 {
                    begun = meeting.1.wait(begun).unwrap();
                }
                hall.report(job);
                hall.rest();
            })
        });
        hall.hand_out(vec![1, 2]);
        assert_eq!(collect(hall, 2, |hall| hall.reports(None)), [1, 2]);
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

#[test]
fn a_job_that_comes_later_finds_a_worker() {
    in_every_order(2, |hall| {
        let workers = [worker(hall), worker(hall)];
        hall.hand_out(vec![1]);
        hall.hand_out(vec![2]);
        assert_eq!(collect(hall, 2, |hall| hall.reports_or_news(LONG)), [1, 2]);
        hall.close();
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

#[test]
fn what_nobody_has_begun_is_dropped_at_the_end_and_what_is_begun_is_answered() {
    in_every_order(2, |hall| {
        let workers = [worker(hall), worker(hall)];
        hall.hand_out(vec![1, 2]);
        hall.close();
        assert_eq!(hall.next_job(), None);
        let done = workers.map(|worker| worker.join().unwrap()).iter().sum::<u32>();
        // With news there is nothing to wait for.
        hall.announce();
        let answers = hall.reports_or_news(LONG);
        assert_eq!(answers.len(), usize::try_from(done).unwrap());
    });
}

/// Somebody changes the store and says so while the run looks at the store, or before it waits, or as it waits.
#[test]
fn news_is_never_missed() {
    in_every_order(3, |hall| {
        let stored = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
        let hosts = stored.clone().map(|stored| {
            let hall = Arc::clone(hall);
            thread::spawn(move || {
                stored.store(true, Ordering::SeqCst);
                hall.announce();
            })
        });
        while !stored.iter().all(|stored| stored.load(Ordering::SeqCst)) {
            assert_eq!(hall.reports_or_news(LONG), []);
        }
        for host in hosts {
            host.join().unwrap();
        }
    });
}

#[test]
fn neither_news_nor_an_answer_hides_the_other() {
    in_every_order(2, |hall| {
        let stored = Arc::new(AtomicBool::new(false));
        let worker = worker(hall);
        let host = {
            let (hall, stored) = (Arc::clone(hall), Arc::clone(&stored));
            thread::spawn(move || {
                stored.store(true, Ordering::SeqCst);
                hall.announce();
            })
        };
        hall.hand_out(vec![1]);
        let mut answers = Vec::new();
        while answers.is_empty() || !stored.load(Ordering::SeqCst) {
            answers.extend(hall.reports_or_news(LONG));
        }
        assert_eq!(answers, [1]);
        hall.close();
        assert_eq!((worker.join().unwrap(), host.join().is_ok()), (1, true));
    });
}

#[test]
fn an_exchange_that_was_closed_opens_again_with_nothing_of_before() {
    in_every_order(2, |hall| {
        for number in [1, 2] {
            hall.open();
            let worker = worker(hall);
            hall.hand_out(vec![number]);
            assert_eq!(hall.reports(None), [number]);
            hall.close();
            assert_eq!(worker.join().unwrap(), 1);
        }
    });
}
