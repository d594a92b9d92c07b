//! Writers that come at the same time share one transaction, and with it one wait for the disk. Each works on its own thread
//! and in a savepoint of its own, so that what fails, or panics, takes nothing of the others with it. Whoever finds that
//! nobody else is coming commits for all; the others wait until that is done, and are answered no earlier.

use super::dialect::store_fault;
use super::{Store, Tx};
use crate::fault::Fault;
use crate::model::LogEntry;
use crate::time::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// So many writers share a transaction at the most.
const MOST: usize = 64;

/// Where writers meet.
#[derive(Default)]
pub(crate) struct Together {
    /// How many are about to have the store, and will commit or leave that to others who come.
    coming: AtomicUsize,
}

/// A transaction that is open for others to join.
#[derive(Default)]
pub(super) struct Group {
    members: usize,
    /// The newest entry of the log, where a member knows it.
    head: Option<(u64, String)>,
    end: Arc<End>,
}

/// How a shared transaction ended, for those who wait.
#[derive(Default)]
struct End {
    result: Mutex<Option<Result<(), Fault>>>,
    told: Condvar,
}

impl End {
    fn tell(&self, result: Result<(), Fault>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.told.notify_all();
    }

    fn wait(&self) -> Result<(), Fault> {
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*result {
                Some(result) => return result.clone(),
                None => result = self.told.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Together {
    /// As [`Store::write`], perhaps in one transaction with others. What `work` did is on the disk when this returns. Where the
    /// commit fails, it fails for all of them, and nothing of any stays.
    pub(crate) fn write<'s, T>(
        &self,
        store: impl FnOnce() -> Result<MutexGuard<'s, Store>, Fault>,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<(T, Vec<LogEntry>), Fault> {
        self.coming.fetch_add(1, Ordering::SeqCst);
        let store = store();
        self.coming.fetch_sub(1, Ordering::SeqCst);
        let mut store = store?;
        let done = catch_unwind(AssertUnwindSafe(|| store.join(now, work)));
        if done.is_err() {
            store.leave();
        }
        let end = store.group.as_ref().map(|group| Arc::clone(&group.end));
        let is_full = store.group.as_ref().is_some_and(|group| group.members >= MOST);
        if is_full || self.coming.load(Ordering::SeqCst) == 0 {
            store.end_group();
        }
        drop(store);
        let done = done.unwrap_or_else(|panic| resume_unwind(panic))?;
        end.map_or(Ok(()), |end| end.wait())?;
        Ok(done)
    }
}

impl Store {
    /// Works in a savepoint of the open group, or of a new one.
    fn join<T>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<(T, Vec<LogEntry>), Fault> {
        if self.group.is_none() {
            self.say("BEGIN IMMEDIATE")?;
            self.group = Some(Group::default());
        }
        self.say("SAVEPOINT member")?;
        let head = self.group.as_mut().and_then(|group| group.head.take());
        let mut tx = Tx::new(&self.connection, &mut self.vault, now);
        tx.head = head;
        let done = work(&mut tx);
        let (entries, head) = (tx.entries, tx.head);
        let done = done.and_then(|done| self.say("RELEASE SAVEPOINT member").map(|()| done));
        match (&done, &mut self.group) {
            (Ok(_), Some(group)) => {
                group.members += 1;
                group.head = head;
            }
            _ => self.leave(),
        }
        done.map(|done| (done, entries))
    }

    /// Takes back what the last member did. The database takes the whole transaction back by itself where the disk fails.
    fn leave(&mut self) {
        let undo = || self.say("ROLLBACK TO SAVEPOINT member").and_then(|()| self.say("RELEASE SAVEPOINT member"));
        if let (Err(fault), Some(group)) = (undo(), self.group.take_if(|_| self.connection.is_autocommit())) {
            group.end.tell(Err(fault));
        }
    }

    /// Commits what is shared, for whoever waits for it.
    pub(super) fn end_group(&mut self) {
        let Some(group) = self.group.take() else { return };
        let result = self.say("COMMIT");
        if result.is_err() {
            // Where this fails too, the database has taken it back by itself.
            let _ = self.say("ROLLBACK");
        }
        group.end.tell(result);
    }

    fn say(&self, text: &str) -> Result<(), Fault> {
        let said = self.connection.prepare_cached(text).and_then(|mut statement| statement.execute([]));
        said.map(drop).map_err(|error| store_fault(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Code;
    use crate::id::Random;
    use crate::store::LogEvent;
    use serde_json::json;
    use std::thread;

    const NOW: Timestamp = Timestamp::from_micros(1);

    struct Shared {
        together: Together,
        store: Mutex<Store>,
    }

    impl Shared {
        fn new() -> Self {
            let (store, _) = Store::open_at(None, None, Random::new(Some(1)), true).unwrap();
            Self { together: Together::default(), store: Mutex::new(store) }
        }

        fn store(&self) -> Result<MutexGuard<'_, Store>, Fault> {
            Ok(self.store.lock().unwrap_or_else(PoisonError::into_inner))
        }

        /// Logs one entry of that kind, and fails afterwards where it is to fail.
        fn log(&self, kind: &str, fails: bool) -> Result<u64, Fault> {
            let work = |tx: &mut Tx<'_>| {
                tx.log(LogEvent::new(kind, json!({})))?;
                if fails { Err(Fault::new(Code::NotFound, "it fails")) } else { Ok(()) }
            };
            let ((), entries) = self.together.write(|| self.store(), NOW, work)?;
            Ok(entries[0].sequence)
        }

        /// Lets whoever writes believe that somebody else is coming, and waits until so many have joined.
        fn hold_open(&self, members: usize) {
            while self.store().unwrap().group.as_ref().map_or(0, |group| group.members) < members {
                thread::yield_now();
            }
        }

        fn kinds(&self) -> Vec<String> {
            let read = |tx: &mut Tx<'_>| {
                assert!(tx.verify_log()?.whole);
                tx.log_entries(&crate::model::LogFilter::default())
            };
            self.store().unwrap().read(NOW, read).unwrap().into_iter().map(|entry| entry.kind).collect()
        }
    }

    #[test]
    fn who_comes_together_is_committed_together_and_answered_then() {
        let shared = Shared::new();
        shared.together.coming.fetch_add(1, Ordering::SeqCst);
        thread::scope(|scope| {
            let first = scope.spawn(|| shared.log("first", false));
            shared.hold_open(1);
            let second = scope.spawn(|| shared.log("second", false));
            shared.hold_open(2);
            assert!(!first.is_finished() && !second.is_finished(), "nothing is on the disk yet");
            shared.together.coming.fetch_sub(1, Ordering::SeqCst);
            assert_eq!(shared.log("third", false).unwrap(), 3);
            assert_eq!((first.join().unwrap().unwrap(), second.join().unwrap().unwrap()), (1, 2));
        });
        assert_eq!(shared.kinds(), ["first", "second", "third"]);
    }

    #[test]
    fn what_fails_or_panics_takes_nothing_of_the_others_with_it() {
        let shared = Shared::new();
        shared.together.coming.fetch_add(1, Ordering::SeqCst);
        thread::scope(|scope| {
            let first = scope.spawn(|| shared.log("first", false));
            shared.hold_open(1);
            assert_eq!(shared.log("fails", true).unwrap_err().code, Code::NotFound);
            let panics = scope.spawn(|| {
                let kind = "panics";
                let panics = |tx: &mut Tx<'_>| -> Result<(), Fault> {
                    tx.log(LogEvent::new(kind, json!({})))?;
                    panic!("a mistake")
                };
                shared.together.write(|| shared.store(), NOW, panics).map(drop)
            });
            assert!(panics.join().is_err());
            shared.together.coming.fetch_sub(1, Ordering::SeqCst);
            assert_eq!(shared.log("second", false).unwrap(), 2);
            assert_eq!(first.join().unwrap().unwrap(), 1);
        });
        assert_eq!(shared.kinds(), ["first", "second"]);
        assert_eq!(shared.log("alone and fails", true).unwrap_err().code, Code::NotFound);
        assert_eq!(shared.log("third", false).unwrap(), 3);
    }

    #[test]
    fn who_reads_or_writes_alone_ends_what_is_shared() {
        for alone in [
            |store: &mut Store| store.read(NOW, |_| Ok(())),
            |store: &mut Store| store.write(NOW, |_| Ok(())).map(drop),
        ] {
            let shared = Shared::new();
            shared.together.coming.fetch_add(1, Ordering::SeqCst);
            thread::scope(|scope| {
                let first = scope.spawn(|| shared.log("first", false));
                shared.hold_open(1);
                alone(&mut shared.store().unwrap()).unwrap();
                assert_eq!(first.join().unwrap().unwrap(), 1);
            });
        }
    }

    #[test]
    fn where_the_transaction_is_lost_everybody_in_it_is_told() {
        let shared = Shared::new();
        shared.together.coming.fetch_add(1, Ordering::SeqCst);
        thread::scope(|scope| {
            let first = scope.spawn(|| shared.log("first", false));
            shared.hold_open(1);
            // As the database does where the disk is full.
            let lost = |tx: &mut Tx<'_>| tx.execute("ROLLBACK", []).map(drop);
            assert!(shared.together.write(|| shared.store(), NOW, lost).is_err());
            assert!(first.join().unwrap().is_err());
            shared.together.coming.fetch_sub(1, Ordering::SeqCst);
        });
        assert_eq!(shared.kinds(), [""; 0]);
        assert_eq!(shared.log("again", false).unwrap(), 1);
    }

    #[test]
    fn many_writers_lose_nothing() {
        let shared = Shared::new();
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| (0..20).for_each(|number| drop(shared.log("put", number % 5 == 0))));
            }
        });
        assert_eq!(shared.kinds().len(), 16 * 16);
    }
}
