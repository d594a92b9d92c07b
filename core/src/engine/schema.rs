//! What an app's target has: asking it, and proposing a mapping for it.

use super::{Engine, Error, Result, no_app};
use crate::connector::{Connector, ConnectorError, Outcome, caught};
use crate::definition::Definition;
use crate::delivery::{Host, groups_of};
use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::mapping::{missing_required, suggest::Sample, suggest::suggest};
use crate::model::{
    App, ConnectorDefinition, Discovery, MappingSuggestion, SchemaAttribute, SchemaChange, SchemaSource,
    TargetDescription, TargetGroup,
};
use crate::operation::Operation;
use crate::scim::built_in_schema;
use crate::store::{LogEvent, UserState};
use serde_json::json;
use std::sync::Arc;

/// How many users are looked at for a proposal.
const SAMPLE: u32 = 1000;
/// How many changes of a schema a log entry tells.
const LOGGED: usize = 100;

impl Engine {
    /// Asks an app's target what attributes it has and what it can do, and keeps the answer: from then on mappings are
    /// checked against it. A definition that does not fit any more stays in use as it is, and is named in `broken`.
    ///
    /// Whatever a target leaves out, refuses or gets wrong is named in `findings` and hides nothing of the rest. One that
    /// describes no attributes at all keeps those it described before, or has those of the standard.
    ///
    /// # Errors
    /// `not_found` where there is no such app, `unknown_connector` or `secret_missing` where it has no connector now;
    /// `read_only`; store errors. A target in trouble is an answer, not an error.
    pub fn discover(&self, app: &str) -> Result<Discovery> {
        let failed = |fault| Error::new("discover", fault).about("app", app);
        let live = self.live_app(app).map_err(failed)?;
        if self.shared.read_only {
            return Err(failed(Fault::new(Code::ReadOnly, "the engine was opened for reading only")));
        }
        let connector = connector_of(&live).map_err(failed)?;
        // No transaction is open and no lock held while the target is asked.
        let found = caught(Outcome::NotApplied, || connector.discover());
        let asked = &live.definition.app;
        let answers = found.is_ok();
        let mut target = believed(asked, found.unwrap_or_else(unanswered), live.described.as_ref());
        let groups = if answers { groups_of_target(&live, connector, &mut target) } else { None };
        let before = live.described.as_ref().map(|before| before.attributes.as_slice());
        let changed = before.map(|before| SchemaChange::between(before, &target.attributes)).unwrap_or_default();
        let broken = misfits(asked, &target.attributes);
        let discovered_at = self
            .transact(|tx, apps| {
                let current = apps.get(&asked.id).map(|live| &live.definition.app);
                if current.is_none_or(|current| current.connector != asked.connector) {
                    let message = "the app was changed while its target was asked; ask again";
                    return Err(Fault::new(Code::NotFound, message));
                }
                tx.put_target_schema(asked, &target)?;
                if let Some(groups) = &groups {
                    tx.put_groups(&asked.id, groups)?;
                }
                let shown: Vec<&SchemaChange> = changed.iter().take(LOGGED).collect();
                let details = json!({"source": target.source, "complete": target.complete, "changed": shown,
                    "changes": changed.len(), "broken": broken, "findings": target.findings});
                tx.log(LogEvent { app: Some(&asked.id), ..LogEvent::new("discovered", details) })?;
                Ok(tx.now)
            })
            .map_err(failed)?;
        self.shared.refresh().map_err(failed)?;
        let groups = groups.unwrap_or_default();
        Ok(Discovery { app: asked.id.clone(), target, changed, broken, groups, discovered_at })
    }

    /// Proposes mapping and matching rules for an app, from the attributes of the users in the store (the first 1000) and
    /// those of the target, by names and types. Nothing is stored; [`Engine::discover`] first makes it better.
    ///
    /// # Errors
    /// `not_found` where there is no such app; store errors.
    pub fn suggest_mapping(&self, app: &str) -> Result<MappingSuggestion> {
        let failed = |fault| Error::new("suggest_mapping", fault).about("app", app);
        let mut sample = Sample::default();
        let users = self.view(|tx| tx.users(None, Some(SAMPLE))).map_err(failed)?;
        let live = self.live_app(app).map_err(failed)?;
        for stored in users.iter().filter(|stored| stored.state == UserState::Present) {
            sample.see(&stored.user.record);
            stored.dropped.iter().for_each(|name| sample.see_name(name));
        }
        Ok(suggest(&sample, live.attributes.as_deref().unwrap_or_default()))
    }

    pub(super) fn live_app(&self, app: &str) -> std::result::Result<Arc<LiveApp>, Fault> {
        self.shared.refresh()?;
        let (apps, _) = self.shared.apps();
        apps.values().find(|live| live.definition.app.id.as_str() == app).cloned().ok_or_else(no_app)
    }
}

/// The connector of an app, or why it has none now.
pub(super) fn connector_of(live: &LiveApp) -> std::result::Result<&dyn Connector, Fault> {
    live.connector.as_deref().ok_or_else(|| match &live.definition.app.connector {
        ConnectorDefinition::Scim(_) => Fault::new(Code::SecretMissing, "the app's credentials cannot be had"),
        _ => Fault::new(Code::UnknownConnector, "the app's connector is not registered"),
    })
}

/// The groups that the target has, where its connector tells them; what keeps it from telling is a finding.
fn groups_of_target(
    live: &LiveApp,
    connector: &dyn Connector,
    target: &mut TargetDescription,
) -> Option<Vec<TargetGroup>> {
    if !live.capabilities.groups {
        return None;
    }
    match caught(Outcome::NotApplied, || groups_of(connector, &|| true)) {
        Ok(groups) => Some(groups),
        Err(error) if error.code == Code::Unsupported.name() => None,
        Err(error) => {
            let code = Code::from_name(&error.code).unwrap_or(Code::ConnectorFailed);
            let message = format!("the target's groups could not be read: {}", error.message);
            target.findings.push(Fault::new(code, message).at("entitlements"));
            None
        }
    }
}

/// What is known where nothing came back.
fn unanswered(error: ConnectorError) -> TargetDescription {
    let code = Code::from_name(&error.code).unwrap_or(Code::ConnectorFailed);
    let finding = Fault::new(code, format!("the target's schema could not be read: {}", error.message)).at("schema");
    TargetDescription { source: SchemaSource::Connector, findings: vec![finding], ..TargetDescription::default() }
}

/// What is taken for true: what was told; else what was told before; else the standard, for targets that follow it.
fn believed(app: &App, mut found: TargetDescription, before: Option<&TargetDescription>) -> TargetDescription {
    let told = |one: &TargetDescription| one.source != SchemaSource::BuiltIn && !one.attributes.is_empty();
    if told(&found) {
        return found;
    }
    if let Some(before) = before.filter(|before| told(before)) {
        let TargetDescription { source, attributes, .. } = before.clone();
        return TargetDescription { source, attributes, complete: false, ..found };
    }
    if !matches!(app.connector, ConnectorDefinition::Custom { .. }) {
        found.source = SchemaSource::BuiltIn;
        found.attributes = built_in_schema();
    }
    found
}

/// What of a definition does not fit a target with these attributes.
fn misfits(app: &App, attributes: &[SchemaAttribute]) -> Vec<Fault> {
    let schema = Some(attributes).filter(|attributes| !attributes.is_empty());
    let mut faults = Definition::compile(app.clone(), schema).err().unwrap_or_default();
    faults.extend(unwritten(app, attributes));
    faults
}

/// What the target requires of a new account and no rule writes.
pub(super) fn unwritten(app: &App, attributes: &[SchemaAttribute]) -> Vec<Fault> {
    if !app.operations.allows(Operation::Create) {
        return Vec::new();
    }
    let fault = |path: String| {
        let message = format!("the target requires `{path}` of a new account; add a rule that writes it");
        Fault::new(Code::MissingRequired, message).at("mapping")
    };
    missing_required(&app.mapping, attributes).into_iter().map(fault).collect()
}
