//! A world: an engine on a disk that can die, two targets, a clock, and a host that asks again until it was answered.

use super::apps::{APPS, BEGINNERS, KEY, PLAIN, folder, image, nature, needs_approval, new_store};
use super::check::Lane;
use super::people::Person;
use super::target::{Surroundings, Target};
use super::time::Time;
use super::transcript::Transcript;
use super::{Counts, Options};
use crate::disk::{Disk, Loss};
use crate::lossy_vfs::{LossyStore, lock};
use crate::snapshots::Chance;
use rollkeeper::model::{LogEntry, LogFilter, Progress, Request, User};
use rollkeeper::{Blame, Code, Engine, Error, Period, RunOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// How often the host asks before it is held for stuck.
const PATIENCE: u32 = 60;

/// Everything of one story.
pub(super) struct World {
    /// Closed before its disk is.
    engine: Option<Engine>,
    pub(super) store: LossyStore,
    pub(super) shape: u64,
    pub(super) chance: Chance,
    /// Of what there is in wide worlds alone, so that a seed means the same in plain ones.
    pub(super) wide_chance: Chance,
    pub(super) time: Time,
    pub(super) targets: Vec<Arc<Target>>,
    pub(super) people: Vec<Person>,
    /// The person to whom something happened last.
    pub(super) last: usize,
    pub(super) wrongs: Vec<String>,
    pub(super) counts: Counts,
    pub(super) transcript: Arc<Mutex<Transcript>>,
    /// Lanes of which a person took a request back.
    pub(super) taken_back: BTreeSet<Lane>,
    /// Ids of requests of which the host was told.
    acknowledged: BTreeSet<String>,
    /// Log entries of which the host was told: their numbers and hashes.
    told: Arc<Mutex<BTreeMap<u64, String>>>,
    pub(super) options: Options,
    seed: u64,
}

impl World {
    pub(super) fn new(seed: u64, options: &Options) -> Result<Self, String> {
        let mut chance = Chance::new(seed);
        let plain = options.shape.unwrap_or(u64::try_from(chance.below(4)).unwrap_or(0));
        let shape = if options.wide { plain + PLAIN } else { plain };
        let time = Time::new();
        let store = new_store(&folder()?, Disk::of(&image(shape)?))?;
        let transcript = Arc::new(Mutex::new(Transcript::new(options.tells)));
        let around = Surroundings { time: time.clone(), disk: store.share(), transcript: Arc::clone(&transcript) };
        let targets = APPS.map(|app| {
            let mut nature = nature(shape, &mut chance);
            if options.naive || options.mishap.is_some() {
                (nature.unique, nature.key, nature.search) = (false, false, true);
            }
            let own = Chance::new(u64::try_from(chance.below(usize::MAX)).unwrap_or(0));
            let target = Target::new(app, nature, &around, own);
            target.entitled().approved = needs_approval(app, shape).then(BTreeSet::new);
            Arc::new(target)
        });
        let mut world = Self {
            engine: None,
            store,
            shape,
            chance,
            wide_chance: Chance::new(!seed),
            time,
            targets: targets.to_vec(),
            people: (1..=BEGINNERS).map(Person::new).collect(),
            last: 0,
            wrongs: Vec::new(),
            counts: Counts::default(),
            transcript,
            taken_back: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            told: Arc::default(),
            options: options.clone(),
            seed,
        };
        world.store.disk().lies = options.lies;
        world.open();
        Ok(world)
    }

    /// What a person reads who looks for the reason.
    pub(super) fn note(&self, text: impl FnOnce() -> String) {
        lock(&self.transcript).note(|| format!("{:>12} {}", self.time.elapsed() / 1000, text()));
    }

    pub(super) fn wrong(&mut self, what: String) {
        self.note(|| format!("WRONG: {what}"));
        self.wrongs.push(what);
    }

    /// Opens the engine, again where the process dies meanwhile.
    fn open(&mut self) {
        for _ in 0..PATIENCE {
            self.counts.openings += 1;
            let told = Arc::clone(&self.told);
            let targets = self.targets.clone();
            targets.iter().for_each(|target| target.forget_intents());
            let log = move |entry: &LogEntry| {
                lock(&told).insert(entry.sequence, entry.hash.clone());
                let target = targets.iter().find(|target| Some(target.app) == entry.app.as_deref());
                target.filter(|_| entry.kind == "sending").into_iter().for_each(|target| target.hears_of_intent());
            };
            let builder = Engine::builder()
                .path(self.store.path())
                .clock(Arc::new(self.time.clock.clone()))
                .seed(self.seed.wrapping_mul(1_000).wrapping_add(self.counts.openings))
                .key(KEY)
                .log(Arc::new(log));
            let builder = if self.options.naive { builder.without_look_up() } else { builder };
            match builder.open() {
                Ok(engine) => {
                    for target in &self.targets {
                        let registered = engine.register_connector(target.app, Arc::clone(target) as _);
                        self.wrongs.extend(registered.err().map(|error| error.to_string()));
                    }
                    self.engine = Some(engine);
                    if !self.store.disk().is_dead() {
                        return;
                    }
                    self.die();
                }
                Err(_) if self.store.disk().is_dead() => self.die(),
                Err(error) => {
                    self.meet(&error);
                    self.store.disk().mend();
                }
            }
        }
        self.wrong("the store cannot be opened any more".to_owned());
    }

    /// The process is dead: what was not synced is lost or not, and some time passes.
    fn die(&mut self) {
        self.engine = None;
        self.counts.deaths += 1;
        let planned = self.options.mishap.as_ref().and_then(|mishap| mishap.loss);
        let loss = planned.or_else(|| self.chance.one(&Loss::ALL).copied()).unwrap_or(Loss::Nothing);
        self.store.disk().restart(loss, &mut self.chance);
        if loss != Loss::Nothing {
            self.time.clock.reboot();
        }
        self.pass_up_to(600);
        self.note(|| format!("dies: {loss:?}"));
        if self.options.mishap.is_none() && self.chance.percent(25) {
            let boundaries = 1 + self.chance.below(40) as u64;
            self.store.disk().stop_after(boundaries);
        }
    }

    /// A new process takes over from a dead one.
    fn begin_again(&mut self) {
        self.die();
        self.open();
    }

    /// The host closes the engine and opens it again.
    pub(super) fn open_again(&mut self) {
        self.engine = None;
        self.open();
    }

    /// A verb failed though the process lives.
    fn meet(&mut self, error: &Error) {
        self.note(|| format!("error: {error}"));
        let planned = self.store.disk().troubles > 0;
        if error.kind() == Blame::Store && !planned {
            self.wrong(format!("the store fails by itself: {error}"));
        }
        if error.kind() == Blame::Ours {
            self.wrong(format!("the engine is to blame: {error}"));
        }
    }

    /// Asks until there is an answer; none where the engine refuses. What the store cannot do now is asked for again.
    pub(super) fn ask<T>(&mut self, what: &str, verb: impl Fn(&Engine) -> Result<T, Error>) -> Option<T> {
        for attempt in 0..PATIENCE {
            let engine = self.engine.clone()?;
            let answer = verb(&engine);
            drop(engine);
            let is_dead = self.store.disk().is_dead();
            if is_dead {
                self.begin_again();
            }
            match answer {
                Ok(answer) => return Some(answer),
                Err(_) if is_dead => {}
                Err(error) => {
                    self.meet(&error);
                    if error.kind() != Blame::Store {
                        return None;
                    }
                    if attempt > 2 {
                        self.store.disk().mend();
                    }
                    // What was read wrong may be remembered. SQLite believes what it reads when it closes, and would write it
                    // down: the disk is mended first.
                    if error.code() == Code::StoreDamaged {
                        self.store.disk().mend();
                        self.open_again();
                    }
                }
            }
        }
        self.wrong(format!("`{what}` is never answered"));
        None
    }

    /// As [`Self::ask`], of verbs that tell what requests they made.
    pub(super) fn ask_for(&mut self, what: &str, verb: impl Fn(&Engine) -> Result<Vec<Request>, Error>) {
        let made = self.ask(what, verb).unwrap_or_default();
        self.acknowledged.extend(made.into_iter().map(|request| request.id.as_str().to_owned()));
    }

    /// The record of the person at `index` is put until it is stored.
    pub(super) fn put(&mut self, index: usize, change: impl FnOnce(&mut Person)) {
        let Some(person) = self.people.get_mut(index) else { return };
        change(person);
        person.version += 1;
        let person = person.clone();
        let now = self.time.wall();
        for target in &self.targets {
            target.entitled().out.remove(&person.id);
        }
        self.note(|| format!("put {}", person.record()));
        if person.present {
            let Ok(user) = User::from_value(person.record()) else { return };
            self.ask_for("put_user", move |engine| engine.put_user(user.clone(), None));
        } else {
            let id = person.id.clone();
            self.ask_for("delete_user", move |engine| engine.delete_user(&id, None));
        }
        for target in &self.targets {
            let timed = person.valid_until.is_some();
            if person.wanted(target.app, now) == super::people::Wanted::Nothing && !timed {
                target.entitled().out.insert(person.id.clone());
            }
        }
    }

    /// Everything that is due is done.
    pub(super) fn run(&mut self) -> Option<Progress> {
        self.counts.runs += 1;
        self.ask("run", |engine| engine.run(&RunOptions { workers: 1, ..RunOptions::default() }))
    }

    /// Time passes, up to so many seconds.
    pub(super) fn pass_up_to(&mut self, seconds: usize) {
        let micros = self.chance.below(seconds.max(1) * 1_000_000);
        self.time.pass(Period::from_micros(i64::try_from(micros).unwrap_or(0)));
    }

    /// Lets time pass until nothing is due any more, at most so many days.
    pub(super) fn drain(&mut self, days: i64) {
        const TURNS: u32 = 3_000;
        let end = self.time.elapsed().saturating_add(days * 86_400_000_000);
        for _ in 0..TURNS {
            let Some(progress) = self.run() else { return };
            let Some(due) = progress.next_due else { break };
            let wait = due.since(self.time.wall()).as_micros().max(1);
            if self.time.elapsed().saturating_add(wait) > end {
                break;
            }
            self.time.pass(Period::from_micros(wait));
        }
        if self.time.elapsed() < end {
            self.time.pass(Period::from_micros(end - self.time.elapsed()));
            self.run();
        }
    }

    /// Every request of which the host was told is still there.
    pub(super) fn keeps_its_word(&mut self) {
        let kept: BTreeSet<String> =
            self.all_requests().into_iter().map(|request| request.id.as_str().to_owned()).collect();
        let lost: Vec<String> = self.acknowledged.difference(&kept).cloned().collect();
        for id in lost {
            self.wrong(format!("request {id} was told and is not there"));
            self.acknowledged.remove(&id);
        }
    }

    /// The log that the engine has is the one that the host was told.
    pub(super) fn checks_log(&mut self) {
        let filter = LogFilter { limit: Some(100_000), ..Default::default() };
        let Some(entries) = self.ask("log", |engine| engine.log(&filter)) else { return };
        let Some(verdict) = self.ask("verify_log", Engine::verify_log) else { return };
        if !verdict.whole {
            self.wrong(format!("the log is broken at {:?}", verdict.broken_at));
        }
        let kept: BTreeMap<u64, &str> = entries.iter().map(|entry| (entry.sequence, entry.hash.as_str())).collect();
        let told = std::mem::take(&mut *lock(&self.told));
        let lost = told.iter().find(|(sequence, hash)| kept.get(*sequence) != Some(&hash.as_str()));
        if let Some((sequence, _)) = lost {
            self.wrong(format!("log entry {sequence} was told and is not there"));
        }
        for entry in &entries {
            self.note(|| serde_json::to_string(entry).unwrap_or_default());
        }
    }
}
