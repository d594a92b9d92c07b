//! Reads of a target outside of delivery: counted, kept back and learnt from as every other call is.

use super::gates::{Gates, may_call};
use super::run::Host;
use crate::connector::{ConnectorError, Outcome, caught};
use crate::fault::Fault;
use crate::model::App;
use crate::pacing::{Admission, Health};
use crate::store::Tx;

/// Whether a call to the app may start now.
pub(crate) fn admission(host: &dyn Host, app: &App) -> Result<Admission, Fault> {
    let now = host.clock().now();
    let mut store = host.store()?;
    let calls = host.state().calls();
    may_call(&mut store, app, &calls, now)
}

/// Makes a read and learns from its answer. A read changes nothing, whatever goes wrong; one that panics has failed.
pub(crate) fn ask<T>(
    host: &dyn Host,
    app: &App,
    read: impl FnOnce() -> Result<T, ConnectorError>,
) -> Result<Result<T, ConnectorError>, Fault> {
    let now = host.clock().now();
    if app.effective_rate().per_second.is_some() {
        host.store()?.write_ahead(now, |tx| {
            let mut gates = Gates::read(tx)?;
            gates.begin(app, 1, tx.now);
            gates.store(tx)
        })?;
    }
    host.state().calls().begin(&app.id, 0, now);
    let answer = caught(Outcome::NotApplied, read);
    host.state().calls().end(&app.id, now);
    let answer = answer.map_err(|error| match error.outcome {
        Outcome::Ambiguous => ConnectorError { outcome: Outcome::NotApplied, ..error },
        _ => error,
    });
    learn(host, app, &answer.as_ref().map_or_else(Health::of, |_| Health::Good))?;
    Ok(answer)
}

/// Stores what an answer says about the target, where that is anything new.
fn learn(host: &dyn Host, app: &App, health: &Health) -> Result<(), Fault> {
    if health.doubts_credentials() {
        host.forget_credentials(&app.id);
    }
    let now = host.clock().now();
    let known = host.store()?.read(now, |tx| Gates::read(tx))?;
    if !known.learns_from(app, health, now) {
        return Ok(());
    }
    let store = |tx: &mut Tx<'_>| {
        let mut gates = Gates::read(tx)?;
        gates.answered(tx, app, health)?;
        gates.store(tx)
    };
    let ((), entries) = host.store()?.write(now, store)?;
    host.tell(entries);
    Ok(())
}
