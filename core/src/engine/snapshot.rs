//! Whole lists of users: who is not in one has left.

use super::users::{BATCH, records};
use super::{Engine, Error, Result};
use crate::fault::Fault;
use crate::intake::{Leaver, leave_unlisted, observe};
use crate::model::{BrakeSettings, PutSnapshot, PutUsers, SnapshotVerdict};
use crate::planning::source::SourceList;

/// How many users of the directory are compared with a list in one transaction.
const PAGE: u32 = 1000;

type Settled<T> = std::result::Result<T, Fault>;

impl Engine {
    /// [`Engine::put_users`] with the list of all users there are: who is not in it has left.
    ///
    /// The records are stored first, each on its own; one that says `"active": false` is an event like any other. Then the
    /// list is judged. Nothing follows from one in which a record has no readable id, or two have the same. Who is absent is
    /// noted, and leaves when a second list, at least ten minutes later, is without them too. So many leavers that it looks
    /// like a mistake, and those of a list that is empty or shrank, are held until a second person agrees with
    /// [`Engine::release`]. `core/docs/reconciliation.md` has the rules.
    ///
    /// ```
    /// use rollkeeper::{Engine, model::SnapshotVerdict};
    /// let engine = Engine::builder().open()?;
    /// engine.put_users(br#"[{"id": "u1"}, {"id": "u2"}]"#, Some("hr"))?;
    /// let snapshot = engine.put_users_snapshot(br#"[{"id": "u1"}]"#, Some("hr"))?.snapshot.unwrap();
    /// assert_eq!((snapshot.verdict, snapshot.noted, snapshot.leavers), (SnapshotVerdict::Suspect, 1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Engine::put_users`]. What was done before a failure stands; putting the same list again does the rest.
    pub fn put_users_snapshot(&self, json: &[u8], by: Option<&str>) -> Result<PutUsers> {
        let put = || {
            let records = records(json)?;
            let list = SourceList::of(&records);
            let mut result = self.put_records(records, by)?;
            self.note_seen(&result)?;
            result.snapshot = Some(self.conclude(&list, by)?);
            Ok(result)
        };
        put().map_err(|fault| Error::new("put_users", fault))
    }

    /// A user whose record is faulty is there all the same.
    fn note_seen(&self, result: &PutUsers) -> Settled<()> {
        let ids: Vec<&str> = result.faults.iter().filter_map(|fault| fault.id.as_deref()).collect();
        ids.chunks(BATCH).try_for_each(|ids| self.transact(|tx, _| ids.iter().try_for_each(|id| tx.note_seen(id))))
    }

    /// What follows from a list that was stored.
    fn conclude(&self, list: &SourceList, by: Option<&str>) -> Settled<PutSnapshot> {
        let settings = BrakeSettings::default();
        let (verdict, why) = self.transact(|tx, _| {
            let judged = list.verdict(tx.accepted_list()?, tx.count_present()?, settings.smaller_percent);
            if judged.0 == SnapshotVerdict::Complete {
                tx.accept_list(list.ids.len() as u64)?;
            }
            Ok(judged)
        })?;
        let mut snapshot = PutSnapshot { verdict, why, leavers: 0, noted: 0, held: 0, reconciliation: None };
        if verdict != SnapshotVerdict::Incomplete {
            let confirmed = self.compare(list, &settings, &mut snapshot)?;
            self.let_go(&confirmed, by, &mut snapshot)?;
        }
        Ok(snapshot)
    }

    /// Compares the whole directory with a list. Gives those whose absence is confirmed.
    fn compare(&self, list: &SourceList, settings: &BrakeSettings, snapshot: &mut PutSnapshot) -> Settled<Vec<Leaver>> {
        let (mut after, mut confirmed) = (String::new(), Vec::new());
        loop {
            let observed = self.transact(|tx, _| observe(tx, list, &after, PAGE, settings.observed_apart))?;
            snapshot.noted += observed.noted;
            confirmed.extend(observed.leavers);
            match observed.last {
                Some(last) => after = last,
                None => return Ok(confirmed),
            }
        }
    }

    /// Has confirmed leavers leave, batch by batch.
    fn let_go(&self, leavers: &[Leaver], by: Option<&str>, snapshot: &mut PutSnapshot) -> Settled<()> {
        for batch in leavers.chunks(BATCH) {
            snapshot.leavers += self.transact(|tx, apps| {
                let mut left = 0;
                for leaver in batch {
                    left += u64::from(leave_unlisted(tx, apps, leaver, by)?);
                }
                Ok(left)
            })?;
        }
        Ok(())
    }
}
