//! Small stories in which one thing at a time goes wrong, at every place where it can.

use super::apps::APPS;
use super::network::Fate;
use super::people::Person;
use super::target::Target;
use super::world::World;
use rollkeeper::model::{ApprovalStatus, Reconciliation, ReconciliationFilter, State};
use rollkeeper::{Engine, Period};
use serde_json::Value;
use std::sync::Arc;

/// A small story.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// How its apps are defined.
    pub(super) shape: u64,
    pub(super) play: fn(&mut World),
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "create", shape: 0, play: |world| world.turns(1) },
    Scenario { name: "create, the reply is lost", shape: 0, play: |world| world.creates(Fate::ReplyLost) },
    Scenario { name: "create, it arrives late", shape: 1, play: |world| world.creates(Fate::Late) },
    Scenario { name: "update", shape: 0, play: World::updates },
    Scenario { name: "update, an older one arrives late", shape: 0, play: World::updates_beside_doubt },
    Scenario { name: "deactivate beside an update in doubt", shape: 3, play: World::deactivates_beside_doubt },
    Scenario { name: "freeze and unfreeze", shape: 0, play: World::freezes },
    Scenario { name: "delete", shape: 1, play: World::deletes },
    Scenario { name: "retry", shape: 0, play: World::retries },
    Scenario { name: "commit of a reconciliation", shape: 0, play: World::reconciles },
    Scenario { name: "lists of all users", shape: 0, play: World::takes_lists },
];

impl World {
    /// Runs, lets time pass, and runs again.
    fn turns(&mut self, count: u32) {
        for _ in 0..count {
            self.run();
            self.time.pass(Period::from_seconds(200));
        }
        self.run();
    }

    fn target(&self, app: &str) -> Option<Arc<Target>> {
        self.targets.iter().find(|target| target.app == app).cloned()
    }

    fn script(&self, fates: &[(&'static str, Fate)]) {
        self.target("crm").into_iter().for_each(|target| target.script(fates));
    }

    fn creates(&mut self, fate: Fate) {
        self.script(&[("create", fate)]);
        self.turns(2);
    }

    fn updates(&mut self) {
        self.turns(0);
        self.put(0, Person::rename);
        self.script(&[("update", Fate::ReplyLost)]);
        self.turns(1);
        self.put(1, |_| {});
        self.turns(1);
    }

    /// The first attempt at an Update arrives when the second and a newer Update are done.
    fn updates_beside_doubt(&mut self) {
        self.turns(0);
        self.script(&[("update", Fate::Late)]);
        self.put(0, |_| {});
        self.run();
        for _ in 0..3 {
            self.time.pass(Period::from_seconds(2));
            self.run();
        }
        self.put(0, |_| {});
        self.turns(2);
    }

    fn deactivates_beside_doubt(&mut self) {
        self.turns(0);
        self.script(&[("update", Fate::Late)]);
        self.put(0, |_| {});
        self.run();
        self.put(0, |person| person.active = false);
        self.turns(2);
    }

    fn freezes(&mut self) {
        self.turns(0);
        self.put(0, |person| person.frozen = true);
        self.script(&[("freeze", Fate::Lost)]);
        self.turns(1);
        self.put(0, |person| person.frozen = false);
        self.turns(1);
    }

    fn deletes(&mut self) {
        self.turns(0);
        self.script(&[("delete", Fate::ReplyLost)]);
        self.put(0, |person| person.present = false);
        self.turns(1);
        self.put(0, |person| person.present = true);
        self.turns(1);
    }

    fn retries(&mut self) {
        self.script(&[("create", Fate::Refused)]);
        self.run();
        self.retry_failed();
        self.turns(1);
    }

    /// Somebody enables a leaver's account; the next reconciliation takes the access away again.
    fn reconciles(&mut self) {
        self.turns(0);
        self.put(0, |person| person.active = false);
        self.turns(1);
        for target in &self.targets {
            target.enable_behind_our_back("u1");
        }
        self.put(1, |_| {});
        for app in APPS {
            self.ask("reconcile", |engine| engine.reconcile(app, Some("anna")));
            // One that was interrupted is gone on with by the next.
            let found = self.analysed(app).or_else(|| {
                self.ask("reconcile", |engine| engine.reconcile(app, Some("anna")));
                self.analysed(app)
            });
            if let Some(found) = found {
                let digest = found.digest.clone().unwrap_or_default();
                self.ask("commit", |engine: &Engine| engine.commit(found.id.as_str(), &digest, "anna"));
            }
        }
        self.releases();
        self.turns(1);
    }

    /// A second person lets through what the brake holds.
    pub(super) fn releases(&mut self) {
        let all = ReconciliationFilter::default();
        let found = self.ask("reconciliations", |engine| engine.reconciliations(&all)).unwrap_or_default();
        for held in found.iter().filter(|found| found.approval == ApprovalStatus::Required) {
            let digest = held.digest.clone().unwrap_or_default();
            self.ask("release", |engine| engine.release(held.id.as_str(), &digest, "ben"));
        }
    }

    pub(super) fn analysed(&mut self, app: &str) -> Option<Reconciliation> {
        let filter = ReconciliationFilter {
            app: Some(app.to_owned()),
            state: Some(State::Analyzed),
            ..ReconciliationFilter::default()
        };
        self.ask("reconciliations", |engine| engine.reconciliations(&filter)).unwrap_or_default().pop()
    }

    /// Two lists of all users without one of them, who leaves by the second.
    fn takes_lists(&mut self) {
        self.turns(0);
        for _ in 0..2 {
            self.time.pass(Period::from_seconds(900));
            if let Some(last) = self.people.last_mut() {
                last.present = false;
            }
            let records: Vec<Value> = self.people.iter().filter(|person| person.present).map(Person::record).collect();
            let list = Value::from(records).to_string();
            self.ask("put_users", |engine| engine.put_users_snapshot(list.as_bytes(), Some("hr")));
            self.releases();
            self.turns(1);
        }
    }
}
