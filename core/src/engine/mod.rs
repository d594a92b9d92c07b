//! The face: the [`Engine`] and its verbs. It alone holds the clock, the randomness and the lock on the store; it orders
//! what the floors below do and decides nothing itself.

mod analyze;
mod apps;
mod connectors;
#[cfg(test)]
mod cost;
mod credentials;
mod error;
mod explain;
#[cfg(test)]
mod given;
mod holds;
mod http_client;
mod impact;
mod options;
mod plans;
mod preview;
mod probe;
mod pure;
mod reconcile;
mod requests;
mod rows;
mod scan;
mod schema;
mod snapshot;
mod trial;
mod undo;
mod users;
mod validation;
mod views;
mod watch;
mod work;

pub use analyze::{Analysis, analyze};
pub use error::{Error, Result};
pub use impact::{Impact, ImpactProgress};
pub use options::*;
pub use pure::{can_change, check_expression, evaluate, evaluate_with, match_accounts, next_state, render};
pub use rows::Rows;
pub use trial::StoredOr;

use crate::authorization::Desk;
use crate::connector::Connector;
use crate::connector::mock::MockTarget;
use crate::delivery::{Host, RunState, interrupt, lock};
use crate::fault::{Code, Fault};
use crate::http::{Bounded, Http};
use crate::id::{AppId, Random};
use crate::intake::LiveApps;
use crate::model::{Alert, LogEntry};
use crate::store::{Owner, Store, Together, Tx};
use crate::time::{Clock, Timestamp};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// An engine over one store. Clones are the same engine; it may be used from any thread.
///
/// ```
/// use rollkeeper::{Engine, RunOptions, model::{App, User}};
/// let engine = Engine::builder().open()?;
/// let app = br#"{"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
///     "mapping": [{"target": "userName", "source": "username", "required": true}], "create_without_match": true}"#;
/// engine.put_app(App::from_json(app)?, None)?;
/// let user = br#"{"id": "u1", "username": "amelie", "profile": "Employees"}"#;
/// let requests = engine.put_user(User::from_json(user)?, None)?;
/// assert_eq!(requests[0].why, "entitled by profile `Employees`; the user joined the directory");
/// engine.run(&RunOptions::default())?;
/// assert_eq!(engine.mock_target("crm")?.accounts()[0].username.as_deref(), Some("amelie"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// The apps in use, and the revision of the definitions that they are made from.
#[derive(Default)]
struct Apps {
    live: LiveApps,
    revision: u64,
}

struct Shared {
    owner: Owner,
    store: Arc<Mutex<Store>>,
    together: Together,
    clock: Arc<dyn Clock>,
    secrets: Option<SecretsCallback>,
    /// The host's own HTTP client, within our bounds.
    http: Option<Arc<dyn Http>>,
    log: Option<LogCallback>,
    alerts: Option<AlertCallback>,
    counters: watch::Counters,
    read_only: bool,
    look_up: bool,
    brake: bool,
    apps: Mutex<Apps>,
    registered: Mutex<HashMap<String, Arc<dyn Connector>>>,
    mocks: Mutex<HashMap<AppId, MockTarget>>,
    run: RunState,
    /// Where the threads of this process meet for each app's token.
    desks: Mutex<HashMap<AppId, Arc<Desk>>>,
    /// Itself, for what its connectors ask of it.
    me: Weak<Shared>,
}

impl Engine {
    /// A builder with the defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn open_with(builder: Builder) -> Result<Self> {
        let failed = |fault| Error::new("open", fault);
        let random = Random::new(builder.seed);
        let (store, alone) =
            Store::open_at(builder.path.as_deref(), builder.key, random, !builder.read_only).map_err(failed)?;
        let engine = Self {
            shared: Arc::new_cyclic(|me| Shared {
                owner: Owner::here(),
                store: Arc::new(Mutex::new(store)),
                together: Together::default(),
                clock: builder.clock,
                secrets: builder.secrets,
                http: builder.transport.map(|http| Arc::new(Bounded::new(http)) as Arc<dyn Http>),
                log: builder.log,
                alerts: builder.alerts,
                counters: watch::Counters::default(),
                read_only: builder.read_only,
                look_up: builder.look_up,
                brake: builder.brake,
                apps: Mutex::default(),
                registered: Mutex::default(),
                mocks: Mutex::default(),
                run: RunState::default(),
                desks: Mutex::default(),
                me: Weak::clone(me),
            }),
        };
        engine.shared.refresh().map_err(failed)?;
        if alone && !engine.shared.read_only {
            engine.take_over().map_err(failed)?;
        }
        engine.shared.store().map_err(failed)?.share();
        Ok(engine)
    }

    /// Nobody else has the file open, so whoever was sending is dead, and what was sent was sent before now.
    fn take_over(&self) -> std::result::Result<(), Fault> {
        let left = self.transact(|tx, apps| {
            tx.forget_work()?;
            tx.leave_all_asking()?;
            for row in tx.left_sending()? {
                if let Some(app) = apps.get(&row.request.app) {
                    interrupt(tx, app, row)?;
                }
            }
            tx.left_committing()
        })?;
        self.shared.run.leave(left);
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// One writing transaction with the apps as they are in the store then; what it logged is told when it is durable.
    fn transact<T>(
        &self,
        work: impl FnOnce(&mut Tx<'_>, &LiveApps) -> std::result::Result<T, Fault>,
    ) -> std::result::Result<T, Fault> {
        self.change(false, work)
    }

    /// As [`Engine::transact`], for what is short and comes from many callers: those who come together are committed together.
    fn transact_together<T>(
        &self,
        work: impl FnOnce(&mut Tx<'_>, &LiveApps) -> std::result::Result<T, Fault>,
    ) -> std::result::Result<T, Fault> {
        self.change(true, work)
    }

    fn change<T>(
        &self,
        together: bool,
        work: impl FnOnce(&mut Tx<'_>, &LiveApps) -> std::result::Result<T, Fault>,
    ) -> std::result::Result<T, Fault> {
        if self.shared.read_only {
            return Err(Fault::new(Code::ReadOnly, "the engine was opened for reading only"));
        }
        let mut work = Some(work);
        loop {
            let (apps, revision) = self.shared.apps();
            let (now, moment) = (self.now(), self.shared.clock.moment());
            let work = |tx: &mut Tx<'_>| {
                tx.moment = moment;
                if tx.apps_revision()? != revision {
                    return Ok(None);
                }
                work.take().map(|work| work(tx, &apps)).transpose()
            };
            let (result, entries) = match together {
                true => self.shared.together.write(|| self.shared.store(), now, work)?,
                false => self.shared.store()?.write(now, work)?,
            };
            self.shared.tell(entries);
            match result {
                Some(result) => {
                    self.shared.run.announce();
                    return Ok(result);
                }
                // Somebody changed an app meanwhile, here or in another process.
                None => self.shared.refresh()?,
            }
        }
    }

    /// One reading transaction with the apps as they are in the store.
    fn view<T>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> std::result::Result<T, Fault>,
    ) -> std::result::Result<T, Fault> {
        self.shared.refresh()?;
        let now = self.now();
        self.shared.store()?.read(now, work)
    }
}

fn no_app() -> Fault {
    Fault::new(Code::NotFound, "there is no such app")
}

/// In a child that was forked the store is never closed: closing would touch the file without its locks.
impl Drop for Shared {
    fn drop(&mut self) {
        if self.owner.is_gone() {
            std::mem::forget(Arc::clone(&self.store));
        }
    }
}

impl Host for Shared {
    fn store(&self) -> std::result::Result<MutexGuard<'_, Store>, Fault> {
        // Asked before anything is locked: whoever held a lock at the fork does not exist in the child.
        self.owner.check()?;
        Ok(lock(&self.store))
    }

    fn apps(&self) -> (LiveApps, u64) {
        let apps = lock(&self.apps);
        (apps.live.clone(), apps.revision)
    }

    fn refresh(&self) -> std::result::Result<(), Fault> {
        self.refresh_apps()
    }

    fn state(&self) -> &RunState {
        &self.run
    }

    fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    fn looks_up(&self) -> bool {
        self.look_up
    }

    fn brakes(&self) -> bool {
        self.brake
    }

    fn tell(&self, entries: Vec<LogEntry>) {
        self.counters.count(&entries);
        // What the host's callbacks do cannot undo what is durable already.
        if let Some(log) = &self.log {
            let _ = catch_unwind(AssertUnwindSafe(|| entries.iter().for_each(|entry| log(entry))));
        }
        if let Some(alerts) = &self.alerts {
            let told = || entries.iter().filter_map(Alert::of).for_each(|alert| alerts(&alert));
            let _ = catch_unwind(AssertUnwindSafe(told));
        }
    }

    fn forget_credentials(&self, app: &AppId) {
        self.connect_again(app);
    }
}
