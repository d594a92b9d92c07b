//! Watching the work: numbers, and what needs a person.

use super::{Engine, Error, Result};
use crate::delivery::{Gates, Host, lock};
use crate::fault::Fault;
use crate::id::AppId;
use crate::model::{AppMetrics, LogEntry, Metrics, WaitingFor};
use crate::store::Tx;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What this engine did since its opening, counted off the log entries that it wrote.
#[derive(Default)]
pub(super) struct Counters(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    logged: u64,
    apps: BTreeMap<String, AppMetrics>,
}

impl Counters {
    /// Counts what was logged.
    pub(super) fn count(&self, entries: &[LogEntry]) {
        let mut counted = lock(&self.0);
        counted.logged += entries.len() as u64;
        for entry in entries {
            let Some(app) = &entry.app else { continue };
            let outcome = entry.details.get("outcome").and_then(Value::as_str);
            let app = || app.clone();
            match (entry.kind.as_str(), outcome) {
                ("answered", Some(outcome)) => {
                    *counted.apps.entry(app()).or_default().attempts.entry(outcome.to_owned()).or_default() += 1;
                }
                (how @ ("completed" | "failed" | "cancelled"), _) => {
                    *counted.apps.entry(app()).or_default().ended.entry(how.to_owned()).or_default() += 1;
                }
                _ => {}
            }
        }
    }
}

impl Engine {
    /// How the work stands: what is open, due and under way for each app, which removals of access are not confirmed yet,
    /// and what was done since the opening. Looks at each open request once.
    ///
    /// # Errors
    /// Store errors.
    pub fn metrics(&self) -> Result<Metrics> {
        let failed = |fault| Error::new("metrics", fault);
        let counts = self.view(|tx| {
            let mut apps = tx.open_by_app()?;
            self.count_kept_back(tx, &mut apps)?;
            Ok((apps, tx.gates()?))
        });
        let (mut apps, gates) = counts.map_err(failed)?;
        let (live, _) = self.shared.apps();
        for app in live.keys() {
            apps.entry(app.clone()).or_default();
        }
        for (app, metrics) in &mut apps {
            let times = live.get(app).map(|live| self.shared.times_of(&live.definition.app));
            (metrics.token_issued_at, metrics.credentials_expire_at) = times.unwrap_or_default();
        }
        let counted = lock(&self.shared.counters.0);
        let now = self.now();
        for (app, metrics) in &mut apps {
            let pause = gates.get(app).and_then(|gate| gate.pause.as_ref());
            metrics.paused_until = pause.map(|pause| pause.until).filter(|until| *until > now);
            if let Some(counted) = counted.apps.get(app.as_str()) {
                metrics.attempts.clone_from(&counted.attempts);
                metrics.ended.clone_from(&counted.ended);
            }
        }
        Ok(Metrics { at: now, logged: counted.logged, apps })
    }

    /// What keeps calls to a whole app back stands in no request's row; it is counted as [`Engine::requests`] shows it.
    fn count_kept_back(&self, tx: &Tx<'_>, apps: &mut BTreeMap<AppId, AppMetrics>) -> std::result::Result<(), Fault> {
        let mut gates = Gates::read(tx)?;
        gates.count(tx)?;
        let (live, _) = self.shared.apps();
        let calls = self.shared.run.calls();
        for (id, metrics) in apps {
            let connected = live.get(id).filter(|live| live.connector.is_some());
            let admission = connected.map(|live| gates.admit(&live.definition.app, &calls, tx.now));
            let (closed, opens_at) = match admission {
                Some(admission) => (admission.closed, admission.opens_at),
                None => (Some(WaitingFor::Dependency), None),
            };
            let Some(closed) = closed else { continue };
            for (wait, count) in tx.goes_before(id, opens_at)? {
                metrics.count_instead(wait.as_deref(), closed.name(), count);
            }
        }
        Ok(())
    }
}
