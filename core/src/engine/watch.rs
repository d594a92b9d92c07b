//! Watching the work: numbers, and what needs a person.

use super::{Engine, Error, Result};
use crate::delivery::{Host, lock};
use crate::model::{AppMetrics, LogEntry, Metrics};
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
        let (mut apps, gates) = self.view(|tx| Ok((tx.open_by_app()?, tx.gates()?))).map_err(failed)?;
        let (live, _) = self.shared.apps();
        for app in live.keys() {
            apps.entry(app.clone()).or_default();
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
}
