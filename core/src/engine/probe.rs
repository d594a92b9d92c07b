//! Finding out how an app's target takes what it is sent, by trying it.

use super::{Engine, Error, Result};
use crate::fault::{Code, Fault};
use crate::model::{App, ConnectorDefinition, LeftBehind, ProbeOptions, ProbeReport};
use crate::scim::{Probed, ScimConnector};
use crate::store::LogEvent;
use crate::value::Attributes;
use serde_json::{Value, json};

impl Engine {
    /// Finds out how an app's SCIM target takes what it is sent, by making an account or two and a group there, with names
    /// that say so, changing them, and taking them away again. What follows is kept as what was learnt, and is used from now on
    /// where `connector.features` does not say otherwise. Nothing that was there before is touched.
    ///
    /// It belongs to a sandbox of the target's maker, or to a target that holds nothing yet: `options.sandbox` has to say so. The
    /// answer names each thing that was tried, and in `left` what could not be taken away again, which also stands in the log
    /// from before the first request on. It may take some minutes where the target is slow, or asks to wait.
    ///
    /// # Errors
    /// `sandbox_required`; `not_found` where there is no such app, `unsupported` where its connector is not SCIM,
    /// `secret_missing` where it has no credentials now, `operation_off` where a person keeps back its calls; `read_only`; store
    /// errors. A target in trouble is an answer, not an error.
    pub fn probe(&self, app: &str, options: &ProbeOptions) -> Result<ProbeReport> {
        let failed = |fault| Error::new("probe", fault).about("app", app);
        let live = self.live_app(app).map_err(failed)?;
        let asked = &live.definition.app;
        let by = options.by.as_deref();
        let connector = self.to_probe(asked, options).map_err(failed)?;
        let name = self
            .transact(|tx, _| {
                if tx.is_kept_back(&asked.id)? {
                    let message = "the app's calls are kept back; a probe would be one of them";
                    return Err(Fault::new(Code::OperationOff, message));
                }
                let name = format!("rollkeeper-probe-{:010x}", tx.random_below(1 << 40)?);
                tx.log(LogEvent { app: Some(&asked.id), by, ..LogEvent::new("probing", json!({"name": name})) })?;
                Ok(name)
            })
            .map_err(failed)?;
        // No transaction is open and no lock held while the target is asked.
        let probed = connector.probe(&name, &self.shared.clock);
        let faults: Vec<Fault> = probed.left.iter().map(left_behind).collect();
        let probed_at = self
            .transact(|tx, _| {
                let mut learnt = tx.lessons(asked)?;
                let mut origins = tx.lesson_origins(asked)?;
                take_over(&mut learnt, &mut origins, &probed.features);
                tx.put_lessons(asked, &learnt, &origins)?;
                tx.log(LogEvent { app: Some(&asked.id), by, ..LogEvent::new("probed", told(&name, &probed)) })?;
                Ok(tx.now)
            })
            .map_err(failed)?;
        self.shared.connect_again(&asked.id);
        let Probed { findings, features, left } = probed;
        Ok(ProbeReport { app: asked.id.clone(), name, findings, features, left, faults, probed_at })
    }

    /// A connector to probe with, where that may be done.
    fn to_probe(&self, app: &App, options: &ProbeOptions) -> std::result::Result<ScimConnector, Fault> {
        if self.shared.read_only {
            return Err(Fault::new(Code::ReadOnly, "the engine was opened for reading only"));
        }
        if !options.sandbox {
            let message = "a probe makes accounts at the target; say `sandbox` where that may be done";
            return Err(Fault::new(Code::SandboxRequired, message).at("sandbox"));
        }
        let ConnectorDefinition::Scim(definition) = &app.connector else {
            return Err(Fault::new(Code::Unsupported, "only SCIM targets can be probed").at("connector"));
        };
        let connector = self.shared.scim_connector(app, definition)?;
        let missing = || Fault::new(Code::SecretMissing, "the app's credentials cannot be had");
        connector.ok_or_else(missing)
    }
}

/// Puts what a probe found out in the place of what was learnt of the same before.
fn take_over(learnt: &mut Attributes, origins: &mut Attributes, features: &Attributes) {
    if features.get("patch") == Some(&Value::Bool(false)) {
        learnt.remove("put_attributes");
        origins.remove("put_attributes");
    }
    for (name, value) in features {
        // No attribute is nothing to know.
        if value.as_array().is_some_and(Vec::is_empty) {
            learnt.remove(name);
            origins.remove(name);
        } else {
            learnt.insert(name.clone(), value.clone());
            origins.insert(name.clone(), json!("probe"));
        }
    }
}

fn left_behind(left: &LeftBehind) -> Fault {
    let message =
        format!("the {} `{}` may still be at the target: {}; take it away by hand", left.kind, left.name, left.why);
    Fault::new(Code::LeftBehind, message)
}

/// What the log tells.
fn told(name: &str, probed: &Probed) -> Value {
    let conclusions: Attributes = probed.findings.iter().map(|one| (one.step.clone(), json!(one.conclusion))).collect();
    json!({"name": name, "conclusions": conclusions, "features": probed.features, "left": probed.left})
}
