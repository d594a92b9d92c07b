//! A target as a model: accounts, an index that lags, and a network that loses, delays, doubles and reorders what is sent. All
//! of it stays inside what an app promises by `settle`: a request has arrived or is dead after `life`, and the index shows a
//! write after `visible`.

use super::network::{Fate, OUTAGES};
use super::time::Time;
use super::transcript::Transcript;
use crate::disk::Disk;
use crate::lossy_vfs::lock;
use crate::snapshots::Chance;
use rollkeeper::Period;
use rollkeeper::connector::{Change, ConnectorError, Outcome, TargetAccount};
use rollkeeper::value::Attributes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// How a target is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nature {
    /// It refuses a second account of a name.
    pub(super) unique: bool,
    /// A creation may be repeated under the same key.
    pub(super) key: bool,
    /// It can be searched.
    pub(super) search: bool,
    /// It has a freeze of its own.
    pub(super) freeze: bool,
    /// How long a request may be on its way.
    pub(super) life: Period,
    /// How far its index may lag behind.
    pub(super) visible: Period,
}

/// A write on its way.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Create { attributes: Attributes, key: String },
    Update { id: String, changes: Vec<Change> },
    Set { id: String, what: Switch },
    Delete { id: String },
}

/// What is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    Active(bool),
    Frozen(bool),
}

/// An account of the target.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) account: TargetAccount,
    /// Whether a Create of ours made it.
    pub(super) ours: bool,
    /// From when on the index shows it.
    pub(super) shown_from: i64,
    /// From when on it does not exist, and from when on the index knows.
    pub(super) gone: Option<(i64, i64)>,
}

impl Held {
    /// The user for whom it was made.
    pub(super) fn user(&self) -> Option<&str> {
        self.account.attributes.get("externalId").and_then(Value::as_str)
    }

    /// Whether somebody can work with it.
    pub(super) fn is_usable(&self) -> bool {
        self.gone.is_none() && self.account.active && !self.account.frozen
    }
}

/// What may be given to whom, as the host was told that it is stored.
#[derive(Debug, Default)]
pub(super) struct Entitled {
    /// Users who may not have an account for certain.
    pub(super) out: BTreeSet<String>,
    /// Users of whom a person agreed to an account, where somebody has to.
    pub(super) approved: Option<BTreeSet<String>>,
    /// Why nothing may be sent for anybody: a hold of the app, maintenance.
    pub(super) held: BTreeSet<&'static str>,
    /// Users for whom nothing may be sent.
    pub(super) held_users: BTreeSet<String>,
}

impl Entitled {
    /// What is held: kinds of holds of the app, and users.
    pub(super) fn holds(&self) -> (BTreeSet<&'static str>, BTreeSet<String>) {
        (self.held.clone(), self.held_users.clone())
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) accounts: Vec<Held>,
    pub(super) by_key: BTreeMap<String, String>,
    pub(super) late: Vec<(i64, Effect)>,
    pub(super) chance: Chance,
    /// So many of a hundred calls have trouble.
    pub(super) trouble: usize,
    pub(super) outage: Option<(i64, Fate)>,
    /// What befalls the next calls of these names.
    pub(super) script: VecDeque<(&'static str, Fate)>,
    pub(super) newest: BTreeMap<String, u64>,
    /// How many intents the process told that it has stored, less the writes that it sent.
    pub(super) intents: i64,
    pub(super) wrongs: Vec<String>,
    pub(super) calls: u64,
}

/// The target of one app.
pub(super) struct Target {
    pub(super) app: &'static str,
    pub(super) nature: Nature,
    pub(super) time: Time,
    pub(super) disk: Arc<Mutex<Disk>>,
    transcript: Arc<Mutex<Transcript>>,
    pub(super) entitled: Arc<Mutex<Entitled>>,
    pub(super) state: Mutex<State>,
}

/// What all targets of a world share.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) time: Time,
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) transcript: Arc<Mutex<Transcript>>,
}

impl Target {
    pub(super) fn new(app: &'static str, nature: Nature, around: &Surroundings, chance: Chance) -> Self {
        let state = State {
            accounts: Vec::new(),
            by_key: BTreeMap::new(),
            late: Vec::new(),
            chance,
            trouble: 0,
            outage: None,
            script: VecDeque::new(),
            newest: BTreeMap::new(),
            intents: 0,
            wrongs: Vec::new(),
            calls: 0,
        };
        Self {
            app,
            nature,
            time: around.time.clone(),
            disk: Arc::clone(&around.disk),
            transcript: Arc::clone(&around.transcript),
            entitled: Arc::default(),
            state: Mutex::new(state),
        }
    }

    /// From now on so many of a hundred calls have trouble.
    pub(super) fn trouble(&self, percent: usize) {
        lock(&self.state).trouble = percent;
    }

    /// For a while every call has the same trouble.
    pub(super) fn fail_until(&self, until: i64) {
        let mut state = lock(&self.state);
        let fate = state.chance.one(OUTAGES).copied().unwrap_or(Fate::Unreachable);
        state.outage = Some((until, fate));
    }

    /// What befalls the next calls of these names.
    pub(super) fn script(&self, fates: &[(&'static str, Fate)]) {
        lock(&self.state).script.extend(fates);
    }

    /// A process begins; what another one had stored, it sent or never will.
    pub(super) fn forget_intents(&self) {
        lock(&self.state).intents = 0;
    }

    /// The process tells that it has stored an intent.
    pub(super) fn hears_of_intent(&self) {
        lock(&self.state).intents += 1;
    }

    /// Somebody enables an account behind our back.
    pub(super) fn enable_behind_our_back(&self, user: &str) {
        let mut state = lock(&self.state);
        state.accounts.iter_mut().filter(|held| held.user() == Some(user)).for_each(|held| held.account.active = true);
    }

    /// Everything goes well from now on; what is on its way still arrives.
    pub(super) fn calm(&self) {
        let mut state = lock(&self.state);
        state.trouble = 0;
        state.outage = None;
        state.script.clear();
    }

    /// An account that somebody else made.
    pub(super) fn put_foreign(&self, id: &str, user_name: &str) {
        let mut attributes = Attributes::new();
        attributes.insert("userName".to_owned(), Value::from(user_name));
        let account = TargetAccount {
            external_id: id.to_owned(),
            username: Some(user_name.to_owned()),
            active: true,
            frozen: false,
            attributes,
            version: None,
        };
        lock(&self.state).accounts.push(Held { account, ours: false, shown_from: 0, gone: None });
    }

    /// Who may not have an account.
    pub(super) fn entitled(&self) -> MutexGuard<'_, Entitled> {
        lock(&self.entitled)
    }

    /// Its accounts.
    pub(super) fn accounts(&self) -> Vec<Held> {
        self.settled().accounts.clone()
    }

    /// What it saw that must not be, once.
    pub(super) fn wrongs(&self) -> Vec<String> {
        std::mem::take(&mut self.settled().wrongs)
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> u64 {
        lock(&self.state).calls
    }

    /// The state once everything that has arrived by now took effect.
    pub(super) fn settled(&self) -> MutexGuard<'_, State> {
        let now = self.time.elapsed();
        let mut state = lock(&self.state);
        loop {
            let due = state.late.iter().enumerate().filter(|(_, (at, _))| *at <= now).min_by_key(|(_, (at, _))| *at);
            let Some((index, at)) = due.map(|(index, (at, _))| (index, *at)) else { break };
            let (_, effect) = state.late.swap_remove(index);
            let done = self.carry_out(&mut state, &effect, at);
            self.note(&format!("arrives late: {}: {}", told(&effect), if done.is_ok() { "done" } else { "refused" }));
        }
        state
    }

    pub(super) fn note(&self, text: &str) {
        lock(&self.transcript).note(|| format!("{:>12} {} {text}", self.time.elapsed() / 1000, self.app));
    }

    pub(super) fn carry_out(
        &self,
        state: &mut State,
        effect: &Effect,
        at: i64,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        match effect {
            Effect::Create { attributes, key } => self.create_account(state, attributes, key, at).map(Some),
            Effect::Update { id, changes } => {
                let held = living(state, id)?;
                Change::apply_all(changes, &mut held.account.attributes)
                    .map_err(|_| failure(Outcome::Rejected, "rejected"))?;
                held.account.username = text(&held.account.attributes, "userName");
                Ok(Some(held.account.clone()))
            }
            Effect::Set { id, what } => {
                let held = living(state, id)?;
                match what {
                    Switch::Active(active) => held.account.active = *active,
                    Switch::Frozen(frozen) => held.account.frozen = *frozen,
                }
                Ok(None)
            }
            Effect::Delete { id } => {
                let lag = self.lag(state);
                living(state, id)?.gone = Some((at, at + lag));
                Ok(None)
            }
        }
    }

    fn lag(&self, state: &mut State) -> i64 {
        let most = usize::try_from(self.nature.visible.as_micros()).unwrap_or(0);
        if most == 0 || state.chance.percent(50) { 0 } else { i64::try_from(state.chance.below(most)).unwrap_or(0) }
    }

    fn create_account(
        &self,
        state: &mut State,
        attributes: &Attributes,
        key: &str,
        at: i64,
    ) -> Result<TargetAccount, ConnectorError> {
        let made = state.by_key.get(key).filter(|_| self.nature.key);
        if let Some(held) = made.and_then(|id| state.accounts.iter().find(|held| held.account.external_id == *id)) {
            return Ok(held.account.clone());
        }
        let user_name = text(attributes, "userName");
        let living = |held: &&Held| held.gone.is_none();
        let taken = state.accounts.iter().filter(living).any(|held| held.account.username == user_name);
        if self.nature.unique && taken {
            return Err(failure(Outcome::Conflict, "conflict"));
        }
        let user = text(attributes, "externalId");
        let second = state.accounts.iter().filter(living).any(|held| held.ours && held.user() == user.as_deref());
        if let Some(user) = user.filter(|_| second) {
            state.wrongs.push(format!("{}: `{user}` gets a second account", self.app));
        }
        let id = format!("{}-{}", self.app, state.accounts.len() + 1);
        let account = TargetAccount {
            external_id: id.clone(),
            username: user_name,
            active: true,
            frozen: false,
            attributes: attributes.clone(),
            version: None,
        };
        state.by_key.insert(key.to_owned(), id);
        let shown_from = at + self.lag(state);
        state.accounts.push(Held { account: account.clone(), ours: true, shown_from, gone: None });
        Ok(account)
    }
}

pub(super) fn failure(outcome: Outcome, code: &str) -> ConnectorError {
    ConnectorError::new(outcome, code, "the simulated target has trouble")
}

pub(super) fn text(attributes: &Attributes, name: &str) -> Option<String> {
    attributes.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn living<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Held, ConnectorError> {
    let found = state.accounts.iter_mut().find(|held| held.gone.is_none() && held.account.external_id == id);
    found.ok_or_else(|| failure(Outcome::Rejected, "account_missing"))
}

pub(super) fn user_of(state: &State, id: &str) -> Option<String> {
    let found = state.accounts.iter().find(|held| held.account.external_id == id);
    found.and_then(|held| held.user().map(str::to_owned))
}

pub(super) fn name_of(effect: &Effect) -> &'static str {
    match effect {
        Effect::Create { .. } => "create",
        Effect::Update { .. } => "update",
        Effect::Set { what: Switch::Active(true), .. } => "activate",
        Effect::Set { what: Switch::Active(false), .. } => "deactivate",
        Effect::Set { what: Switch::Frozen(true), .. } => "freeze",
        Effect::Set { what: Switch::Frozen(false), .. } => "unfreeze",
        Effect::Delete { .. } => "delete",
    }
}

pub(super) fn told(effect: &Effect) -> String {
    match effect {
        Effect::Create { attributes, .. } => format!("create {attributes:?}"),
        Effect::Update { id, changes } => {
            let changes: Vec<_> = changes.iter().map(|change| (&change.path, &change.value)).collect();
            format!("update {id} {changes:?}")
        }
        Effect::Set { id, what } => format!("{what:?} {id}"),
        Effect::Delete { id } => format!("delete {id}"),
    }
}
