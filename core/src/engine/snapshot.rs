//! Whole lists of users: who is not in one has left.

use super::users::{BATCH, Readable, records};
use super::{Engine, Error, Result};
use crate::delivery::Host;
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{
    Leaver, LiveApp, Loss, Removals, begin_leavers, item_of, let_leavers_go, loss, observe, seal_leavers, supersede,
};
use crate::model::{BrakeSettings, ItemState, PutSnapshot, PutUsers, SnapshotVerdict, User};
use crate::planning::digest::PlanDigest;
use crate::planning::source::{Losses, SourceList, held};
use crate::store::{LogEvent, ReconciliationRow, Tx};
use crate::time::{Period, Timestamp};
use serde_json::json;
use std::collections::BTreeSet;

/// How many users of the directory are compared with a list in one transaction.
const PAGE: u32 = 1000;

/// How many leavers share one commit.
const BATCH_ITEMS: u32 = 200;

/// What was done within that time counts with what is planned.
const LATELY: Period = Period::from_seconds(86_400);

/// On what occasion a list takes memberships away.
const LISTED: &str = "a whole list of users came";

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
            let mut records = records(json)?;
            let list = SourceList::of(&records);
            let settings = BrakeSettings::default();
            let (losses, withheld) = self.withhold(&mut records, &list, &settings)?;
            if withheld.is_empty() {
                self.transact(|tx, _| tx.note_lost_silently(losses.silent))?;
            }
            let memberships = self.hold_memberships(&records, by)?;
            let mut result = self.put_records(records, by)?;
            self.note_seen(&result)?;
            self.note_ids(&withheld)?;
            let snapshot = self.conclude(&list, (losses, withheld.len() as u64), &settings, by)?;
            result.snapshot = Some(PutSnapshot { memberships, ..snapshot });
            Ok(result)
        };
        put().map_err(|fault| Error::new("put_users", fault))
    }

    /// Takes records out that take access away and do not say so, where there are so many that a column was rather read
    /// wrong. Gives how many records take access away, and the ids of those that were taken out.
    fn withhold(
        &self,
        records: &mut Vec<Readable>,
        list: &SourceList,
        settings: &BrakeSettings,
    ) -> Settled<(Losses, Vec<String>)> {
        let mut found = Vec::new();
        for batch in records.chunks(BATCH).filter(|_| self.shared.brake) {
            self.shared.refresh()?;
            let (apps, _) = self.shared.apps();
            let loss_of =
                |tx: &Tx<'_>, record: &Readable| record.as_ref().map_or(Ok(Loss::None), |one| loss(tx, &apps, one));
            found.extend(self.view(|tx| batch.iter().map(|one| loss_of(tx, one)).collect::<Settled<Vec<Loss>>>())?);
        }
        let count = |loss| found.iter().filter(|one| **one == loss).count() as u64;
        let lately = self.view(|tx| tx.lost_silently_since(lately(tx)))?;
        let losses = Losses { explicit: count(Loss::Explicit), silent: count(Loss::Silent), lately };
        let mut withheld = Vec::new();
        if losses.are_withheld(list.ids.len() as u64, &settings.deactivations) {
            let mut found = found.into_iter();
            records.retain(|record| {
                let takes = found.next() == Some(Loss::Silent);
                let id = record.as_ref().ok().and_then(|one| one.get("id")?.as_str());
                withheld.extend(id.filter(|_| takes).map(str::to_owned));
                !takes
            });
        }
        Ok((losses, withheld))
    }

    /// Holds the memberships that the records of a list would take away, where there are so many that a column was rather read
    /// wrong. The records are stored all the same. Gives the plans that a second person has to release.
    fn hold_memberships(&self, records: &[Readable], by: Option<&str>) -> Settled<Vec<RequestId>> {
        let (mut plans, mut done) = (Vec::new(), BTreeSet::new());
        'again: loop {
            self.shared.refresh()?;
            let (apps, revision) = self.shared.apps();
            for (id, app) in &apps {
                if done.contains(id) {
                    continue;
                }
                let removals = self.removals_of(app, records)?;
                if !removals.is_empty() {
                    // What was counted for one definition says nothing of another that was put meanwhile.
                    let settle = |tx: &mut Tx<'_>, _: &_| match tx.apps_revision()? == revision {
                        true => removals.settle(tx, app, (LISTED, by), self.shared.brake).map(Some),
                        false => Ok(None),
                    };
                    let Some(plan) = self.transact(settle)? else { continue 'again };
                    plans.extend(plan);
                }
                done.insert(id.clone());
            }
            return Ok(plans);
        }
    }

    /// What the records of a list would take away of an app's memberships, and what the brake holds and nobody asks for.
    fn removals_of(&self, app: &LiveApp, records: &[Readable]) -> Settled<Removals> {
        let id = &app.definition.app.id;
        let mut removals = Removals::default();
        let (given, held, kept) =
            self.view(|tx| Ok((tx.given_groups(id)?, tx.held_accounts(id)?, tx.held_users(id)?)))?;
        if app.definition.app.entitlements.is_empty() && given.is_empty() && kept.is_empty() {
            return Ok(removals);
        }
        let (mut held, mut kept): (BTreeSet<_>, BTreeSet<_>) = (held.into_iter().collect(), kept.into_iter().collect());
        for batch in records.chunks(BATCH) {
            self.view(|tx| {
                let readable = batch.iter().filter_map(|record| record.as_ref().ok());
                let mut users = readable.filter_map(|record| User::from_value(record.clone()).ok());
                users.try_for_each(|user| {
                    if kept.remove(user.id.as_str()) {
                        removals.keep_access(tx, &app.definition, user.id.as_str(), Some(&user), LISTED)?;
                    }
                    let Some(account) = tx.account_of(id, user.id.as_str())? else { return Ok(()) };
                    held.remove(&account);
                    removals.add(tx, &app.definition, &user, &account)
                })
            })?;
        }
        // Of who is not in the list no more is let go than of the others.
        self.view(|tx| removals.add_held(tx, &app.definition, &held, &kept, LISTED))?;
        Ok(removals)
    }

    /// A user whose record is faulty is there all the same.
    fn note_seen(&self, result: &PutUsers) -> Settled<()> {
        let ids: Vec<String> = result.faults.iter().filter_map(|fault| fault.id.clone()).collect();
        self.note_ids(&ids)
    }

    fn note_ids(&self, ids: &[String]) -> Settled<()> {
        ids.chunks(BATCH).try_for_each(|ids| self.transact(|tx, _| ids.iter().try_for_each(|id| tx.note_seen(id))))
    }

    /// What follows from a list that was stored, but for so many records that were withheld.
    fn conclude(
        &self,
        list: &SourceList,
        (losses, withheld): (Losses, u64),
        settings: &BrakeSettings,
        by: Option<&str>,
    ) -> Settled<PutSnapshot> {
        self.go_on_with_leavers()?;
        let (verdict, why) = match self.shared.brake {
            true => self.transact(|tx, _| judge(tx, list, (losses, withheld), settings, by))?,
            false => (SnapshotVerdict::Complete, Vec::new()),
        };
        let mut snapshot = PutSnapshot {
            verdict,
            why,
            leavers: 0,
            noted: 0,
            held: withheld,
            reconciliation: None,
            memberships: Vec::new(),
        };
        if verdict == SnapshotVerdict::Incomplete {
            return Ok(snapshot);
        }
        let confirmed = self.compare(list, settings, &mut snapshot)?;
        let nobody_is_absent = snapshot.noted == 0 && confirmed.is_empty() && !list.ids.is_empty();
        if verdict == SnapshotVerdict::Suspect && nobody_is_absent && withheld == 0 {
            // It shrank since users left by their own records.
            self.transact(|tx, _| tx.accept_list(list.ids.len() as u64))?;
        }
        self.let_go(list, &confirmed, settings, &mut snapshot, by)?;
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

    /// Plans what becomes of confirmed leavers, and does it where it is not held.
    fn let_go(
        &self,
        list: &SourceList,
        leavers: &[Leaver],
        settings: &BrakeSettings,
        snapshot: &mut PutSnapshot,
        by: Option<&str>,
    ) -> Settled<()> {
        let count = leavers.len() as u64;
        let begun = self.transact(|tx, _| {
            supersede(tx, by)?;
            if leavers.is_empty() {
                return Ok(None);
            }
            let (taken, present) = (tx.unlisted_since(lately(tx))?, tx.count_present()?);
            let mut brake = held(count, taken, present, &settings.deactivations, snapshot.verdict);
            brake.retain(|_| self.shared.brake);
            let row = begin_leavers(tx, list, (snapshot.verdict, &snapshot.why), count, by)?;
            Ok(Some((row, brake)))
        })?;
        let Some((mut row, brake)) = begun else { return Ok(()) };
        let is_held = !brake.is_empty();
        let state = if is_held { ItemState::Held } else { ItemState::Planned };
        let digest = self.store_items(&row, leavers, state)?;
        self.transact(|tx, _| seal_leavers(tx, &mut row, digest, brake))?;
        snapshot.reconciliation = Some(row.shown.id.clone());
        if is_held {
            snapshot.held += count;
        } else {
            snapshot.leavers = self.carry_leavers_out(&row.shown.id)?;
        }
        Ok(())
    }

    /// Stores the items of a plan, batch by batch, and gives the plan's digest.
    fn store_items(&self, row: &ReconciliationRow, leavers: &[Leaver], state: ItemState) -> Settled<String> {
        let id = &row.shown.id;
        let verdict = row.shown.verdict.unwrap_or(SnapshotVerdict::Incomplete);
        let (mut digest, mut number) = (PlanDigest::of_users(verdict), 0);
        for batch in leavers.chunks(BATCH) {
            self.transact(|tx, _| {
                let Some(key) = tx.reconciliation_key(id)? else { return Err(taken_over()) };
                for leaver in batch {
                    number += 1;
                    let item = item_of(leaver, number, state);
                    digest.add(number, &item.digest, state == ItemState::Held);
                    tx.put_item(id, &key, &item)?;
                }
                Ok(())
            })?;
        }
        Ok(digest.finish())
    }

    /// Carries a plan out, batch by batch. Gives how many users left.
    pub(super) fn carry_leavers_out(&self, id: &RequestId) -> Settled<u64> {
        let mut leavers = 0;
        loop {
            let (left, ended) = self.transact(|tx, apps| let_leavers_go(tx, apps, id, BATCH_ITEMS))?;
            leavers += left;
            if ended {
                return Ok(leavers);
            }
        }
    }

    /// Goes on with what was decided and interrupted.
    pub(super) fn go_on_with_leavers(&self) -> Settled<()> {
        let open = self.view(|tx| {
            let mut interrupted = Vec::new();
            for id in tx.open_source_lists()? {
                let has = |state| tx.next_items(&id, state, 1).map(|items| !items.is_empty());
                // What only waits for a second person is not under way.
                if has(ItemState::Planned)? || !has(ItemState::Held)? {
                    interrupted.push(id);
                }
            }
            Ok(interrupted)
        })?;
        open.iter().try_for_each(|id| self.carry_leavers_out(id).map(drop))
    }
}

/// Judges a list, and logs that it came. One of which records were withheld is not believed in the rest either.
fn judge(
    tx: &mut Tx<'_>,
    list: &SourceList,
    (losses, withheld): (Losses, u64),
    settings: &BrakeSettings,
    by: Option<&str>,
) -> Settled<(SnapshotVerdict, Vec<String>)> {
    let listed = list.ids.len() as u64;
    let (mut verdict, mut why) = list.verdict(tx.accepted_list()?, tx.count_present()?, settings.smaller_percent);
    why.extend(losses.told(listed, withheld > 0));
    if verdict == SnapshotVerdict::Complete && withheld > 0 {
        verdict = SnapshotVerdict::Suspect;
    }
    if verdict == SnapshotVerdict::Complete {
        tx.accept_list(listed)?;
    }
    let details = json!({"listed": listed, "verdict": verdict, "why": why});
    tx.log(LogEvent { by, ..LogEvent::new("users_listed", details) })?;
    Ok((verdict, why))
}

/// What was done since then counts with what is planned.
fn lately(tx: &Tx<'_>) -> Timestamp {
    Timestamp::from_micros(tx.now.as_micros().saturating_sub(LATELY.as_micros()))
}

fn taken_over() -> Fault {
    Fault::new(Code::Cancelled, "a newer list of all users took this one's place")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{App, BrakeReason, PlanFilter, RequestFilter, State};
    use crate::time::VirtualClock;
    use serde_json::Value;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    const USERS: u32 = 84;
    const LEAVERS: u32 = 4;

    /// An engine whose app has so many users by a list, of whom the last four were absent from another one ten minutes ago.
    fn engine() -> Engine {
        let clock = VirtualClock::new(Timestamp::from_micros(0));
        let engine = Engine::builder().clock(Arc::new(clock.clone())).seed(1).open().unwrap();
        let app = br#"{"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["P"]}, "create_without_match": true,
            "mapping": [{"target": "userName", "source": "id"}]}"#;
        engine.put_app(App::from_json(app).unwrap(), None).unwrap();
        engine.put_users_snapshot(&list(USERS), Some("hr")).unwrap();
        engine.run(&crate::RunOptions::default()).unwrap();
        engine.put_users_snapshot(&list(USERS - LEAVERS), Some("hr")).unwrap();
        clock.advance(Period::from_seconds(600));
        engine
    }

    fn list(users: u32) -> Vec<u8> {
        let users = (0..users).map(|number| json!({"id": format!("u{number:03}"), "profile": "P"}));
        Value::from(users.collect::<Vec<_>>()).to_string().into_bytes()
    }

    /// How many Deactivates each user has.
    fn deactivates(engine: &Engine) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for request in engine.requests(&RequestFilter::default()).unwrap() {
            if request.operation == crate::Operation::Deactivate {
                *found.entry(request.user.unwrap().to_string()).or_default() += 1;
            }
        }
        found
    }

    /// Does what a list asks for up to the plan, and stores so many of its items; with all of them it is sealed.
    fn plan(engine: &Engine, items: usize, brake: Vec<BrakeReason>) -> ReconciliationRow {
        let list = SourceList::of(&records(&list(USERS - LEAVERS)).unwrap());
        let mut snapshot = PutSnapshot {
            verdict: SnapshotVerdict::Complete,
            why: Vec::new(),
            leavers: 0,
            noted: 0,
            held: 0,
            reconciliation: None,
            memberships: Vec::new(),
        };
        let leavers = engine.compare(&list, &BrakeSettings::default(), &mut snapshot).unwrap();
        assert_eq!(leavers.len(), LEAVERS as usize);
        let verdict = (SnapshotVerdict::Complete, &[] as &[String]);
        let mut row = engine.transact(|tx, _| begin_leavers(tx, &list, verdict, LEAVERS.into(), Some("hr"))).unwrap();
        let state = if brake.is_empty() { ItemState::Planned } else { ItemState::Held };
        let digest = engine.store_items(&row, &leavers[..items], state).unwrap();
        if items == leavers.len() {
            engine.transact(|tx, _| seal_leavers(tx, &mut row, digest, brake)).unwrap();
        }
        row
    }

    fn all_once(engine: &Engine) {
        let expected: BTreeMap<String, usize> =
            (USERS - LEAVERS..USERS).map(|number| (format!("u{number:03}"), 1)).collect();
        assert_eq!(deactivates(engine), expected);
    }

    #[test]
    fn a_kill_before_the_plan_is_sealed_loses_nothing() {
        for items in 0..4 {
            let engine = engine();
            let row = plan(&engine, items, Vec::new());
            assert_eq!(deactivates(&engine), BTreeMap::new());
            let put = engine.put_users_snapshot(&list(USERS - LEAVERS), Some("hr")).unwrap().snapshot.unwrap();
            assert_eq!((put.leavers, put.held), (4, 0));
            all_once(&engine);
            // What was interrupted never comes to life again.
            assert_eq!(engine.reconciliation(row.shown.id.as_str()).unwrap().state, State::Cancelled);
            assert!(
                engine
                    .plan(row.shown.id.as_str(), &PlanFilter::default())
                    .unwrap()
                    .iter()
                    .all(|item| item.state == ItemState::Expired)
            );
        }
    }

    #[test]
    fn a_kill_while_leavers_leave_loses_and_repeats_nothing() {
        for done in 0..=4 {
            let engine = engine();
            let row = plan(&engine, 4, Vec::new());
            for _ in 0..done {
                engine.transact(|tx, apps| let_leavers_go(tx, apps, &row.shown.id, 1)).unwrap();
            }
            assert_eq!(deactivates(&engine).len(), done);
            // A run ends what was decided, and so does another list, even one from which nothing follows.
            if done % 2 == 0 {
                engine.put_users_snapshot(b"[7]", Some("hr")).unwrap();
            } else {
                engine.run(&crate::RunOptions::default()).unwrap();
            }
            all_once(&engine);
            assert_eq!(engine.reconciliation(row.shown.id.as_str()).unwrap().state, State::Completed);
            let put = engine.put_users_snapshot(&list(USERS - LEAVERS), Some("hr")).unwrap().snapshot.unwrap();
            assert_eq!((put.leavers, put.noted, put.held), (0, 0, 0));
        }
    }

    #[test]
    fn a_kill_while_a_release_is_carried_out_is_gone_on_with_by_whoever_releases_again() {
        for done in 0..=3 {
            let engine = engine();
            let brake = held(9, 0, 20, &BrakeSettings::default().deactivations, SnapshotVerdict::Complete);
            let mut row = plan(&engine, 4, brake);
            let id = row.shown.id.to_string();
            let digest = row.shown.digest.clone().unwrap();
            engine.transact(|tx, apps| crate::reconcile::release(tx, apps, &mut row, &digest, "boss")).unwrap();
            for _ in 0..done {
                engine.transact(|tx, apps| let_leavers_go(tx, apps, &row.shown.id, 1)).unwrap();
            }
            assert_eq!(deactivates(&engine).len(), done);
            let released = engine.release(&id, &digest, "boss").unwrap();
            assert_eq!(released.state, State::Completed);
            all_once(&engine);
        }
    }

    #[test]
    fn a_release_is_not_forged_by_changing_the_items() {
        let engine = engine();
        let brake = held(9, 0, 20, &BrakeSettings::default().deactivations, SnapshotVerdict::Complete);
        let row = plan(&engine, 4, brake);
        let id = &row.shown.id;
        let freed = engine.transact(|tx, _| tx.move_items(id, ItemState::Held, ItemState::Planned)).unwrap();
        assert_eq!(freed, 4);
        engine.run(&crate::RunOptions::default()).unwrap();
        assert_eq!(deactivates(&engine), BTreeMap::new());
        assert_eq!(engine.reconciliation(id.as_str()).unwrap().state, State::Failed);
    }
}
