//! What must hold once everything is quiet.

use super::apps::APPS;
use super::people::Wanted;
use super::target::Held;
use super::world::World;
use rollkeeper::model::{Account, AccountFilter, LinkState, Request, State, WaitingFor};
use rollkeeper::{Code, Engine, Operation};
use std::collections::{BTreeMap, BTreeSet};

/// How long a world is given to become quiet.
const DAYS: i64 = 40;

/// How often a person has tried again what failed, once every fault is gone.
const ROUNDS: u32 = 3;

/// An app and a user.
pub(super) type Lane = (String, String);

impl World {
    /// Every fault ends and time passes: whoever was not touched by a failure is as wanted.
    pub(super) fn rests(&mut self) {
        self.ends_trouble();
        self.drain(DAYS);
        let requests = self.all_requests();
        self.explains(&requests);
        let troubled: BTreeSet<Lane> = troubled(&requests).union(&self.taken_back).cloned().collect();
        let unremoved = unremoved(&requests).union(&self.taken_back).cloned().collect();
        self.counts.lanes += (self.people.len() * APPS.len()) as u64;
        self.counts.troubled += troubled.len() as u64;
        self.judge_all(&troubled, &unremoved);
        self.keeps_its_word();
    }

    /// A person looks after everything that failed, and then everybody is as wanted.
    pub(super) fn heals(&mut self) {
        let healed_from = self.heal();
        let requests = self.all_requests();
        self.explains(&requests);
        let fresh = requests.into_iter().filter(|request| request.finished_at.is_some_and(|at| at >= healed_from));
        let excused = self::troubled(&fresh.collect::<Vec<_>>());
        self.counts.unhealed += excused.len() as u64;
        self.judge_all(&excused, &excused);
        self.keeps_its_word();
    }

    /// In a small story nothing fails for good, but for what may be undone at once by a removal of access beside it.
    pub(super) fn gives_nothing_up(&mut self) {
        for request in self.all_requests() {
            let code = request.faults.first().map(|fault| fault.code);
            let superseded = request.operation == Operation::Update && code == Some(Code::Uncertain);
            if request.state == State::Failed && !superseded {
                self.wrong(format!("{} of {:?} is given up: {code:?}", request.operation, request.user));
            }
        }
    }

    fn ends_trouble(&mut self) {
        {
            let mut disk = self.store.disk();
            disk.mend();
            disk.stop_never();
        }
        self.targets.iter().for_each(|target| target.calm());
        self.lets_go();
    }

    /// Every app is enabled, every record put once more, and what failed is tried again.
    fn heal(&mut self) -> rollkeeper::Timestamp {
        let from = self.time.wall();
        for app in APPS {
            self.put_app(app, true);
        }
        for index in 0..self.people.len() {
            self.put(index, |_| {});
        }
        // Nothing is decided anew for somebody who left: whoever took the removal back asks for it again.
        for (app, user) in self.taken_back.clone() {
            let left = self.people.iter().any(|person| person.id == user && !person.present);
            if left {
                let removal =
                    |engine: &Engine| engine.submit(&app, &user, Operation::Deactivate, Some("operator"), None);
                self.ask("submit", removal);
            }
        }
        for round in 0..ROUNDS {
            let any = self.agree_to_all() | self.retry_failed();
            if round > 0 && !any {
                break;
            }
            self.clear_doubts();
            self.drain(DAYS);
        }
        from
    }

    /// Whoever left or is suspended gets nothing tried again. Where nobody knows whether an account was made for them, a person
    /// looks at the target, and says which it is.
    fn clear_doubts(&mut self) {
        for request in self.all_requests() {
            let target = self.targets.iter().find(|target| target.app == request.app.as_str());
            let (Some(target), State::Failed, Operation::Create) = (target, request.state, request.operation) else {
                continue;
            };
            let is_theirs = |held: &&Held| held.gone.is_none() && held.ours && held.user() == Some(&lane(&request).1);
            let Some(id) = target.accounts().iter().find(is_theirs).map(|held| held.account.external_id.clone()) else {
                continue;
            };
            let note = "the account is there";
            self.ask("complete_manually", |engine| {
                engine.complete_manually(request.id.as_str(), "operator", note, Some(&id))
            });
        }
    }

    /// Compares what the targets have with what is wanted, but for lanes that may be otherwise: `lanes` in any way, `removals`
    /// where access is to be gone.
    fn judge_all(&mut self, lanes: &BTreeSet<Lane>, removals: &BTreeSet<Lane>) {
        let now = self.time.wall();
        let filter = AccountFilter { link_state: Some(LinkState::Linked), ..AccountFilter::default() };
        let links = self.ask("accounts", |engine| engine.accounts(&filter)).unwrap_or_default();
        for target in self.targets.clone() {
            let accounts = target.accounts();
            target.wrongs().into_iter().for_each(|wrong| self.wrong(wrong));
            self.judge_widely(target.app, &accounts, &links, lanes);
            for person in self.people.clone() {
                let lane = (target.app.to_owned(), person.id.clone());
                let excused = match person.wanted(target.app, now) {
                    Wanted::Usable => lanes.contains(&lane),
                    Wanted::Suspended | Wanted::Nothing => removals.contains(&lane),
                };
                let is_theirs = |link: &&Account| {
                    link.app.as_str() == target.app && link.user.as_ref().is_some_and(|user| user.as_str() == person.id)
                };
                let linked = links.iter().find(is_theirs).map(|link| link.external_id.as_str());
                let judged = person.judge(target.app, now, &accounts, linked).filter(|_| !excused);
                judged.into_iter().for_each(|wrong| self.wrong(wrong));
            }
        }
    }

    /// Whatever is not done says why: what failed has its faults, what is open says what it waits for.
    fn explains(&mut self, requests: &[Request]) {
        let mut heads: BTreeMap<Lane, usize> = BTreeMap::new();
        for request in requests {
            let told = || format!("{} of {} for {:?}", request.operation, request.app, request.user);
            if request.state == State::Failed && request.faults.is_empty() {
                self.wrong(format!("{} failed without a fault", told()));
            }
            // A plan waits for a person, and is of no lane.
            if request.state.is_finished() || request.operation == Operation::Reconcile {
                continue;
            }
            self.note(|| {
                format!(
                    "open: {}, {:?}, {:?}, waits for {:?}",
                    told(),
                    request.state,
                    request.approval,
                    request.waiting_for
                )
            });
            let head = request.waiting_for != Some(WaitingFor::Lane);
            *heads.entry(lane(request)).or_default() += usize::from(head);
            if request.waiting_for.is_none() {
                self.wrong(format!("{} is stuck in {:?} and does not say why", told(), request.state));
            }
        }
        for (lane, count) in heads {
            if count != 1 {
                self.wrong(format!("{lane:?} has {count} requests that go first"));
            }
        }
    }
}

pub(super) fn lane(request: &Request) -> Lane {
    let user = request.user.as_ref().map(|user| user.as_str().to_owned()).unwrap_or_default();
    (request.app.as_str().to_owned(), user)
}

/// Whether a person has to look.
fn is_trouble(request: &Request) -> bool {
    request.state == State::Failed || !request.state.is_finished()
}

/// Lanes in which something failed or waits.
fn troubled(requests: &[Request]) -> BTreeSet<Lane> {
    requests.iter().filter(|request| is_trouble(request)).map(lane).collect()
}

/// Lanes in which a removal of access failed or waits, or nobody knows whether an account was made.
fn unremoved(requests: &[Request]) -> BTreeSet<Lane> {
    let removes = |request: &&Request| {
        use Operation::{Create, Deactivate, Delete, Freeze};
        matches!(request.operation, Create | Deactivate | Delete | Freeze)
    };
    requests.iter().filter(|request| is_trouble(request)).filter(removes).map(lane).collect()
}
