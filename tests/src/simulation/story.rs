//! What happens to people, apps, clocks, targets, the disk and the process: a story at random.

use super::apps::{APPS, PLAIN, app};
use super::check::lane;
use super::people::Person;
use super::world::World;
use crate::disk::Trouble;
use rollkeeper::Period;
use rollkeeper::model::{Request, RequestFilter, State};

/// How many people there are at the most.
const MOST: usize = 5;

impl World {
    /// Tells a story.
    pub(super) fn tell(&mut self) {
        for index in 0..self.targets.len() {
            let percent = self.chance.one(&[0, 10, 25, 50]).copied().unwrap_or(0);
            if let Some(target) = self.targets.get(index) {
                target.trouble(percent);
            }
        }
        // Where no matching rule says so, an account of somebody else's making is nobody's.
        if matches!(self.shape % PLAIN, 0 | 2) && self.chance.percent(25) {
            self.put_foreign_accounts();
        }
        let steps = 4 + self.chance.below(14);
        for _ in 0..if self.options.brief { steps / 3 } else { steps } {
            self.befalls_the_machine();
            if self.options.wide && self.wide_chance.percent(40) {
                self.happens_widely();
            } else {
                self.happens();
            }
            self.goes_on();
        }
        self.store.disk().mend();
    }

    /// Somebody else made accounts before, which are the people's by their names alone.
    fn put_foreign_accounts(&mut self) {
        for person in &self.people {
            if self.chance.percent(50)
                && let Some(target) = self.chance.one(&self.targets)
            {
                target.put_foreign(&format!("{}-by-hand-{}", target.app, person.id), &person.username());
            }
        }
    }

    /// Something in the directory, or somebody at the console.
    fn happens(&mut self) {
        // Often the same person again, as where somebody corrects a record.
        let index = if self.chance.percent(50) { self.last } else { self.chance.below(self.people.len()) };
        self.last = index;
        let until = self.time.wall().plus(Period::from_seconds(60 + 60 * self.chance.below(2_000) as u32));
        match self.chance.below(20) {
            0 | 1 if self.people.len() < MOST => {
                self.people.push(Person::new(self.people.len() as u64 + 1));
                self.put(self.people.len() - 1, |_| {});
            }
            0..=4 => self.put(index, |_| {}),
            5 => self.put(index, Person::rename),
            6 | 7 => self.put(index, |person| person.employed = !person.employed),
            8 | 9 => self.put(index, |person| person.wiki = !person.wiki),
            10 | 11 => self.put(index, |person| person.active = !person.active),
            12 | 13 => self.put(index, |person| person.frozen = !person.frozen),
            14 | 15 => self.put(index, |person| {
                person.present = !person.present;
                person.active = true;
            }),
            16 => self.put(index, |person| person.valid_until = person.valid_until.is_none().then_some(until)),
            17 => {
                self.retry_failed();
            }
            18 => self.cancel_one(),
            _ => self.switch_app(),
        }
    }

    pub(super) fn requests(&mut self, filter: RequestFilter) -> Vec<Request> {
        let filter = RequestFilter { limit: Some(10_000), ..filter };
        self.ask("requests", |engine| engine.requests(&filter)).unwrap_or_default()
    }

    /// Every request there ever was.
    pub(super) fn all_requests(&mut self) -> Vec<Request> {
        self.requests(RequestFilter::default())
    }

    /// A person has what failed tried again. Whether anything had failed.
    pub(super) fn retry_failed(&mut self) -> bool {
        let failed = self.requests(RequestFilter { state: Some(State::Failed), ..RequestFilter::default() });
        let any = !failed.is_empty();
        for failed in failed {
            self.note(|| format!("retry {} {:?}", failed.operation, failed.user));
            self.ask_for("retry", |engine| engine.retry(failed.id.as_str(), "operator").map(|clone| vec![clone]));
        }
        any
    }

    /// A person takes back one request.
    fn cancel_one(&mut self) {
        let open = self.requests(RequestFilter { state: Some(State::New), ..RequestFilter::default() });
        let Some(request) = self.chance.one(&open).cloned() else { return };
        self.note(|| format!("cancel {} {:?}", request.operation, request.user));
        self.taken_back.insert(lane(&request));
        self.ask_for("cancel", |engine| engine.cancel(request.id.as_str(), Some("operator")).map(|one| vec![one]));
    }

    fn switch_app(&mut self) {
        let enabled = self.chance.percent(60);
        if let Some(id) = self.chance.one(&APPS) {
            self.put_app(id, enabled);
        }
    }

    pub(super) fn put_app(&mut self, id: &str, enabled: bool) {
        let shape = self.shape;
        match app(id, shape, enabled) {
            Ok(app) => {
                self.note(|| format!("put_app {id}, enabled: {enabled}"));
                self.ask_for("put_app", |engine| engine.put_app(app.clone(), None));
            }
            Err(fault) => self.wrong(fault),
        }
    }

    /// What befalls the process, the disk, the clock and the targets.
    fn befalls_the_machine(&mut self) {
        if self.chance.percent(30) {
            let boundaries = 1 + self.chance.below(120) as u64;
            self.store.disk().stop_after(boundaries);
        }
        if self.chance.percent(8) {
            let trouble = self.chance.one(&[Trouble::Full, Trouble::Full, Trouble::Broken, Trouble::Busy]).copied();
            let (after, lasts) = (self.chance.below(40) as u64, self.chance.percent(60));
            self.store.disk().plan(trouble.unwrap_or(Trouble::Full), after, lasts);
        } else if self.chance.percent(50) {
            self.store.disk().mend();
        }
        if self.chance.percent(6) {
            let hours = self.chance.below(5) as i64 - 2;
            self.note(|| format!("the clock is turned by {hours} hours"));
            self.time.turn(hours * 3_600);
        }
        if self.chance.percent(8) {
            let until = self.time.elapsed() + 1_000_000 * self.chance.below(43_200) as i64;
            if let Some(target) = self.chance.one(&self.targets) {
                target.fail_until(until);
            }
        }
    }

    /// Work is done, and time passes: moments, minutes, or days.
    fn goes_on(&mut self) {
        if self.chance.percent(85) {
            self.run();
        }
        let longest = self.chance.one(&[2, 10, 30, 60, 150, 150, 600, 7_200, 86_400]).copied().unwrap_or(2);
        self.pass_up_to(longest);
        if self.chance.percent(5) {
            self.open_again();
        }
    }
}
