//! What there is in wide worlds alone: people who agree and refuse, managers, a login that everybody wants, holds, maintenance,
//! reconciliations.

use super::apps::APPS;
use super::check::{Lane, lane};
use super::people::{Person, Wanted};
use super::target::Held;
use super::world::World;
use rollkeeper::model::{Account, ApprovalStatus, HoldScope, Request};
use rollkeeper::{Engine, Operation};
use serde_json::Value;
use std::collections::BTreeSet;

/// Who answers what asks for approval.
const BOSS: &str = "boss";

impl World {
    /// Something of what there is in wide worlds.
    pub(super) fn happens_widely(&mut self) {
        let index = self.wide_chance.below(self.people.len());
        let app = self.wide_chance.one(&APPS).copied().unwrap_or("crm");
        match self.wide_chance.below(12) {
            0..=2 => self.gives_manager(index),
            3..=5 => self.answers_one(),
            6 => self.holds(HoldScope { app: Some(app.to_owned()), ..HoldScope::default() }),
            7 => {
                let user = self.people.get(index).map(|person| person.id.clone());
                self.holds(HoldScope { user, ..HoldScope::default() });
            }
            8 => self.maintains(app),
            9 => {
                self.lets_go();
            }
            _ => self.reconciles_widely(app),
        }
    }

    fn gives_manager(&mut self, index: usize) {
        let other = self.wide_chance.below(self.people.len());
        let manager = self.people.get(other).map(|person| person.id.clone()).filter(|_| other != index);
        self.put(index, |person| person.manager = manager);
    }

    /// What waits until somebody agrees.
    fn asking(&mut self) -> Vec<Request> {
        let mut open = self.all_requests();
        let asks = |request: &Request| request.approval == ApprovalStatus::Required && !request.state.is_finished();
        open.retain(|request| asks(request) && request.operation != Operation::Reconcile);
        open
    }

    /// Somebody agrees, or refuses.
    fn answers_one(&mut self) {
        let asking = self.asking();
        let Some(request) = self.wide_chance.one(&asking).cloned() else { return };
        if self.wide_chance.percent(80) {
            return self.agree_to(&request);
        }
        self.counts.answered += 1;
        self.taken_back.insert(lane(&request));
        self.note(|| format!("deny {} {:?}", request.operation, request.user));
        self.ask_for("deny", |engine| engine.deny(request.id.as_str(), BOSS, None).map(|one| vec![one]));
    }

    fn agree_to(&mut self, request: &Request) {
        self.counts.answered += 1;
        // It may be stored though nobody answers.
        let (app, user) = lane(request);
        for target in self.targets.iter().filter(|target| target.app == app) {
            target.entitled().approved.as_mut().map(|agreed| agreed.insert(user.clone()));
        }
        self.note(|| format!("approve {} {:?}", request.operation, request.user));
        self.ask_for("approve", |engine| engine.approve(request.id.as_str(), BOSS, None).map(|one| vec![one]));
    }

    /// Somebody agrees to everything that asks. Whether anything did.
    pub(super) fn agree_to_all(&mut self) -> bool {
        if !self.options.wide {
            return false;
        }
        let asking = self.asking();
        asking.iter().for_each(|request| self.agree_to(request));
        !asking.is_empty()
    }

    /// Somebody holds everything of an app, or of a user. Once that is stored, nothing of it may be sent.
    fn holds(&mut self, scope: HoldScope) {
        self.note(|| format!("hold {scope:?}"));
        if self.ask("hold", |engine| engine.hold(&scope, "operator", "a look at it")).is_none() {
            return;
        }
        self.counts.holds += 1;
        for target in &self.targets {
            let mut entitled = target.entitled();
            entitled.held_users.extend(scope.user.clone());
            if scope.app.as_deref() == Some(target.app) {
                entitled.held.insert("hold");
            }
        }
    }

    fn maintains(&mut self, app: &str) {
        self.note(|| format!("maintenance of {app}"));
        if self.ask("set_maintenance", |engine| engine.set_maintenance(app, true, "operator")).is_some() {
            self.counts.holds += 1;
            let target = self.targets.iter().find(|target| target.app == app);
            target.into_iter().for_each(|target| {
                target.entitled().held.insert("maintenance");
            });
        }
    }

    /// Somebody ends every hold, and all maintenance.
    pub(super) fn lets_go(&mut self) {
        let held: Vec<_> = self.targets.iter().map(|target| target.entitled().holds()).collect();
        for target in &self.targets {
            let mut entitled = target.entitled();
            entitled.held.clear();
            entitled.held_users.clear();
        }
        let mut users = BTreeSet::new();
        for (app, (kinds, held_users)) in APPS.into_iter().zip(held) {
            users.extend(held_users);
            if kinds.contains("maintenance") {
                self.ask("set_maintenance", |engine| engine.set_maintenance(app, false, "operator"));
            }
            if kinds.contains("hold") {
                self.resumes(HoldScope { app: Some(app.to_owned()), ..HoldScope::default() });
            }
        }
        for user in users {
            self.resumes(HoldScope { user: Some(user), ..HoldScope::default() });
        }
    }

    fn resumes(&mut self, scope: HoldScope) {
        self.note(|| format!("resume {scope:?}"));
        self.ask("resume", |engine| engine.resume(&scope, "operator"));
    }

    /// Somebody compares a target with the directory, and has done what comes of it.
    fn reconciles_widely(&mut self, app: &str) {
        self.note(|| format!("reconcile {app}"));
        self.ask("reconcile", |engine| engine.reconcile(app, Some("anna")));
        let Some(found) = self.analysed(app) else { return };
        let digest = found.digest.clone().unwrap_or_default();
        let committed = self.ask("commit", |engine: &Engine| engine.commit(found.id.as_str(), &digest, "anna"));
        self.counts.commits += u64::from(committed.is_some());
        self.releases();
    }

    /// No two accounts of ours have one login, and whoever's manager has an account is shown it.
    pub(super) fn judge_widely(&mut self, app: &str, accounts: &[Held], links: &[Account], excused: &BTreeSet<Lane>) {
        if !self.options.wide {
            return;
        }
        let living: Vec<&Held> = accounts.iter().filter(|held| held.gone.is_none()).collect();
        let mut logins = BTreeSet::new();
        for held in living.iter().filter(|held| held.ours) {
            let login = held.account.attributes.get("login").map(Value::to_string);
            if login.as_ref().is_some_and(|login| !logins.insert(login.clone())) {
                self.wrong(format!("{app}: two accounts have the login {login:?}"));
            }
        }
        let now = self.time.wall();
        let linked = |user: &str| {
            let is_theirs =
                |link: &&Account| link.app.as_str() == app && link.user.as_ref().is_some_and(|of| of.as_str() == user);
            links.iter().find(is_theirs).map(|link| link.external_id.as_str())
        };
        let is_sure = |user: &str| !excused.contains(&(app.to_owned(), user.to_owned()));
        let usable = |person: &&Person| person.wanted(app, now) == Wanted::Usable && is_sure(&person.id);
        let mut wrongs = Vec::new();
        for person in self.people.iter().filter(usable) {
            let manager = self.people.iter().filter(usable).find(|other| Some(&other.id) == person.manager.as_ref());
            let (Some(own), Some(wanted)) = (linked(&person.id), manager.and_then(|manager| linked(&manager.id)))
            else {
                continue;
            };
            let held = living.iter().find(|held| held.account.external_id == own);
            let shown = held.and_then(|held| held.account.attributes.get("manager"));
            if shown.and_then(Value::as_str) != Some(wanted) {
                wrongs.push(format!("{app}: the manager of `{}` is shown as {shown:?} and is {wanted}", person.id));
            }
        }
        wrongs.into_iter().for_each(|wrong| self.wrong(wrong));
    }
}
