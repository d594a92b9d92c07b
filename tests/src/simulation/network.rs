//! The network between an engine and a target: what becomes of each call, and what must not be sent.

use super::target::{Effect, Held, State, Switch, Target, failure, name_of, text, told, user_of};
use crate::lossy_vfs::lock;
use rollkeeper::Period;
use rollkeeper::connector::{Capabilities, Change, Connector, ConnectorError, Outcome, Page, TargetAccount};
use rollkeeper::value::Attributes;
use serde_json::Value;

/// How long a caller waits for an answer.
const PATIENCE: Period = Period::from_seconds(30);

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    /// It is answered after some time.
    Slow,
    Unreachable,
    RateLimited,
    Unauthorized,
    Forbidden,
    /// The target fails before it does anything.
    FailsBefore,
    /// It does it, and fails then.
    FailsAfter,
    /// It never arrives.
    Lost,
    /// It is done, and the answer is lost.
    ReplyLost,
    /// It arrives after the caller gave up.
    Late,
    /// It arrives twice, and no answer comes back.
    Twice,
    /// The target refuses the record.
    Refused,
    /// The target answers success and does nothing.
    Ignored,
    /// The connector panics before or after it was done.
    Panics(bool),
}

/// What may befall a write, more often what stands more often.
const WRITES: &[Fate] = &[
    Fate::Slow,
    Fate::Slow,
    Fate::Unreachable,
    Fate::Unreachable,
    Fate::RateLimited,
    Fate::Unauthorized,
    Fate::FailsBefore,
    Fate::FailsAfter,
    Fate::Lost,
    Fate::Lost,
    Fate::ReplyLost,
    Fate::ReplyLost,
    Fate::Late,
    Fate::Late,
    Fate::Late,
    Fate::Twice,
    Fate::Refused,
    Fate::Ignored,
    Fate::Panics(false),
    Fate::Panics(true),
];

/// What may befall a read.
const READS: &[Fate] = &[
    Fate::Slow,
    Fate::Slow,
    Fate::Unreachable,
    Fate::RateLimited,
    Fate::Unauthorized,
    Fate::FailsBefore,
    Fate::Lost,
    Fate::Panics(false),
];

/// What may last for a while.
pub(super) const OUTAGES: &[Fate] =
    &[Fate::Unreachable, Fate::FailsBefore, Fate::RateLimited, Fate::Unauthorized, Fate::Forbidden, Fate::Slow];

impl Target {
    /// Passes the boundary between the engine and the target; a dead process sends nothing and hears nothing.
    fn pass(&self) -> Result<(), ConnectorError> {
        if lock(&self.disk).pass() { Ok(()) } else { Err(failure(Outcome::Ambiguous, "connector_failed")) }
    }

    fn draw(&self, state: &mut State, call: &str, fates: &[Fate]) -> Fate {
        state.calls += 1;
        if let Some((_, fate)) = state.script.front().copied().filter(|(name, _)| *name == call) {
            state.script.pop_front();
            return fate;
        }
        if let Some((until, fate)) = state.outage {
            if until > self.time.elapsed() {
                return fate;
            }
            state.outage = None;
        }
        if state.chance.percent(state.trouble) {
            state.chance.one(fates).copied().unwrap_or(Fate::Well)
        } else {
            Fate::Well
        }
    }

    /// A write, with everything that may befall it.
    fn write(&self, effect: &Effect) -> Result<Option<TargetAccount>, ConnectorError> {
        self.pass()?;
        let mut state = self.settled();
        let fate = self.draw(&mut state, name_of(effect), WRITES);
        let fate = self.possible(fate, effect);
        self.watch(&mut state, effect);
        let result = self.befall(&mut state, effect, fate);
        drop(state);
        let shown = match &result {
            Ok(_) => "done".to_owned(),
            Err(error) => format!("{} {}", error.outcome.name(), error.code),
        };
        self.note(&format!("{} {fate:?}: {shown}", told(effect)));
        self.pass()?;
        if matches!(fate, Fate::Panics(_)) {
            std::panic::resume_unwind(Box::new("a connector panics"));
        }
        result
    }

    /// What may befall this write at this target, inside what is promised.
    fn possible(&self, fate: Fate, effect: &Effect) -> Fate {
        let creates = matches!(effect, Effect::Create { .. });
        let guarded = self.nature.unique || self.nature.key;
        match fate {
            // Whoever doubles a creation makes a second account, where the target does not know better.
            Fate::Twice if creates && !guarded => Fate::ReplyLost,
            Fate::Ignored if !matches!(effect, Effect::Set { what: Switch::Active(false), .. }) => Fate::Well,
            Fate::Refused if !matches!(effect, Effect::Create { .. } | Effect::Update { .. }) => Fate::Slow,
            fate => fate,
        }
    }

    fn befall(&self, state: &mut State, effect: &Effect, fate: Fate) -> Result<Option<TargetAccount>, ConnectorError> {
        let sent = self.time.elapsed();
        let life = usize::try_from(self.nature.life.as_micros()).unwrap_or(0);
        match fate {
            Fate::Well => self.carry_out(state, effect, sent),
            Fate::Slow => {
                let done = self.carry_out(state, effect, sent);
                self.wait(state, PATIENCE);
                done
            }
            Fate::Unreachable => Err(failure(Outcome::NotApplied, "unreachable")),
            Fate::RateLimited => Err(self.limited(state)),
            Fate::Unauthorized => Err(failure(Outcome::NotApplied, "unauthorized")),
            Fate::Forbidden => Err(failure(Outcome::NotApplied, "unauthorized")),
            Fate::FailsBefore => Err(failure(Outcome::Ambiguous, "target_failed")),
            Fate::FailsAfter => {
                let _ = self.carry_out(state, effect, sent);
                Err(failure(Outcome::Ambiguous, "target_failed"))
            }
            Fate::Lost => Err(self.give_up()),
            Fate::ReplyLost => {
                let _ = self.carry_out(state, effect, sent);
                Err(self.give_up())
            }
            Fate::Late | Fate::Twice => {
                let at = sent.saturating_add(i64::try_from(state.chance.below(life + 1)).unwrap_or(0));
                state.late.push((at, effect.clone()));
                if fate == Fate::Twice {
                    let _ = self.carry_out(state, effect, sent);
                }
                Err(self.give_up())
            }
            Fate::Refused => Err(failure(Outcome::Rejected, "rejected")),
            Fate::Ignored => Ok(None),
            Fate::Panics(done) => {
                if done {
                    let _ = self.carry_out(state, effect, sent);
                }
                Ok(None)
            }
        }
    }

    /// The caller waits as long as it waits.
    fn give_up(&self) -> ConnectorError {
        self.time.pass(PATIENCE);
        failure(Outcome::Ambiguous, "timeout")
    }

    fn limited(&self, state: &mut State) -> ConnectorError {
        let seconds = u32::try_from(state.chance.below(120)).unwrap_or(0);
        let asked = (seconds % 3 > 0).then(|| Period::from_seconds(seconds));
        ConnectorError { retry_after: asked, ..failure(Outcome::NotApplied, "rate_limited") }
    }

    fn wait(&self, state: &mut State, most: Period) {
        let micros = state.chance.below(usize::try_from(most.as_micros()).unwrap_or(1));
        self.time.pass(Period::from_micros(i64::try_from(micros).unwrap_or(0)));
    }

    /// A read, with everything that may befall it.
    fn read_as<T>(&self, what: &str, read: impl FnOnce(&State) -> T) -> Result<T, ConnectorError> {
        self.pass()?;
        let mut state = self.settled();
        let fate = self.draw(&mut state, "read", READS);
        let result = match fate {
            Fate::Slow => {
                let found = read(&state);
                self.wait(&mut state, PATIENCE);
                Ok(found)
            }
            Fate::Unreachable => Err(failure(Outcome::NotApplied, "unreachable")),
            Fate::RateLimited => Err(self.limited(&mut state)),
            Fate::Unauthorized | Fate::Forbidden => Err(failure(Outcome::NotApplied, "unauthorized")),
            Fate::FailsBefore => Err(failure(Outcome::NotApplied, "target_failed")),
            Fate::Lost => Err(self.give_up()),
            _ => Ok(read(&state)),
        };
        drop(state);
        self.note(&format!("{what} {fate:?}"));
        self.pass()?;
        if matches!(fate, Fate::Panics(_)) {
            std::panic::resume_unwind(Box::new("a connector panics"));
        }
        result
    }

    /// Notes what must not be sent: what nobody said to be stored, access for who may not have it, an older record after a
    /// newer one.
    fn watch(&self, state: &mut State, effect: &Effect) {
        state.intents -= 1;
        if state.intents < 0 {
            state.wrongs.push(format!("{}: {} is sent without a stored intent", self.app, name_of(effect)));
        }
        let (user, version) = match effect {
            Effect::Create { attributes, .. } => (text(attributes, "externalId"), text(attributes, "version")),
            Effect::Update { id, changes } => {
                let version = changes.iter().find(|change| change.path == "version");
                let version = version.and_then(|change| change.value.as_ref()?.as_str().map(str::to_owned));
                (user_of(state, id), version)
            }
            Effect::Set { id, .. } | Effect::Delete { id } => (user_of(state, id), None),
        };
        self.watch_people(state, effect, user.as_deref());
        let Some(user) = user else { return };
        let gives = matches!(
            effect,
            Effect::Create { .. } | Effect::Set { what: Switch::Active(true) | Switch::Frozen(false), .. }
        );
        if gives && lock(&self.entitled).out.contains(&user) {
            state.wrongs.push(format!("{}: `{user}` is given access that is known not to be wanted", self.app));
        }
        let Some(version) = version.and_then(|version| version.parse::<u64>().ok()) else { return };
        let newest = state.newest.entry(user.clone()).or_default();
        if version < *newest {
            let newest = *newest;
            state.wrongs.push(format!("{}: `{user}` is sent record {version} after {newest}", self.app));
        } else {
            *newest = version;
        }
    }

    /// Notes what a person did not allow: anything that is held, an account to which nobody agreed.
    fn watch_people(&self, state: &mut State, effect: &Effect, user: Option<&str>) {
        let entitled = lock(&self.entitled);
        let is_held = !entitled.held.is_empty() || user.is_some_and(|user| entitled.held_users.contains(user));
        if is_held {
            state.wrongs.push(format!("{}: {} for {user:?} is sent though it is held", self.app, name_of(effect)));
        }
        let asks = matches!(effect, Effect::Create { .. });
        let agreed = entitled.approved.as_ref().is_none_or(|agreed| user.is_some_and(|user| agreed.contains(user)));
        if asks && !agreed {
            state.wrongs.push(format!("{}: {user:?} gets an account to which nobody agreed", self.app));
        }
    }
}

impl Connector for Target {
    fn capabilities(&self) -> Capabilities {
        let unique_keys = if self.nature.unique { vec!["userName".to_owned()] } else { Vec::new() };
        Capabilities {
            search: self.nature.search,
            idempotency_key: self.nature.key,
            freeze: self.nature.freeze,
            unique_keys,
            ..Capabilities::default()
        }
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        if !self.nature.search {
            return Err(ConnectorError::unsupported("find"));
        }
        self.read_as(&format!("find {attribute} {value}"), |state| {
            let now = self.time.elapsed();
            let shown = |held: &&Held| held.shown_from <= now && held.gone.is_none_or(|(_, known)| known > now);
            let holds = |held: &&Held| held.account.attributes.get(attribute) == Some(value);
            let found = state.accounts.iter().filter(shown).filter(holds);
            found.map(|held| held.account.clone()).collect()
        })
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.read_as(&format!("read {external_id}"), |state| {
            let mut living = state.accounts.iter().filter(|held| held.gone.is_none());
            living.find(|held| held.account.external_id == external_id).map(|held| held.account.clone())
        })
    }

    fn create(&self, attributes: &Attributes, idempotency_key: &str) -> Result<TargetAccount, ConnectorError> {
        let effect = Effect::Create { attributes: attributes.clone(), key: idempotency_key.to_owned() };
        self.write(&effect)?.ok_or_else(|| failure(Outcome::Ambiguous, "invalid_answer"))
    }

    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        _: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        self.write(&Effect::Update { id: external_id.to_owned(), changes: changes.to_vec() })
    }

    fn activate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.write(&Effect::Set { id: external_id.to_owned(), what: Switch::Active(true) }).map(|_| ())
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.write(&Effect::Set { id: external_id.to_owned(), what: Switch::Active(false) }).map(|_| ())
    }

    fn freeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.write(&Effect::Set { id: external_id.to_owned(), what: Switch::Frozen(true) }).map(|_| ())
    }

    fn unfreeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.write(&Effect::Set { id: external_id.to_owned(), what: Switch::Frozen(false) }).map(|_| ())
    }

    fn delete(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.write(&Effect::Delete { id: external_id.to_owned() }).map(|_| ())
    }

    fn list(&self, _: Option<&str>, _: Option<&str>) -> Result<Page, ConnectorError> {
        self.read_as("list", |state| {
            let living = state.accounts.iter().filter(|held| held.gone.is_none());
            let accounts: Vec<_> = living.map(|held| held.account.clone()).collect();
            Page { total: u64::try_from(accounts.len()).ok(), accounts, next: None, complete: true }
        })
    }
}
