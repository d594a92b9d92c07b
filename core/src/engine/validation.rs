//! What is wrong with a definition, and what has to hold before it is enabled.

use super::schema::unwritten;
use super::{Engine, Result};
use crate::fault::{Code, Fault};
use crate::intake::LiveApp;
use crate::mapping::{varies, warnings};
use crate::model::{App, ConnectorDefinition, Credentials, Readiness, Validation};
use crate::operation::Operation;

impl Engine {
    /// Everything that is wrong with a definition (JSON), what is allowed and hardly meant, and the readiness list. Nothing
    /// is stored, no target is asked.
    ///
    /// # Errors
    /// None: a document that cannot be read is a finding.
    pub fn validate_app(&self, json: &[u8]) -> Result<Validation> {
        let live = App::from_json(json).map_err(|fault| vec![fault]).and_then(|app| self.shared.make_live(app, false));
        Ok(match live {
            Err(findings) => Validation { findings, ..Validation::default() },
            Ok(live) => {
                let app = &live.definition.app;
                let attributes = live.attributes.as_deref();
                let warnings = attributes.map(|attributes| warnings(&app.mapping, &app.matching, attributes));
                let (findings, readiness) = (unwritten_of(&live), self.readiness(&live));
                let ready = findings.is_empty() && readiness.iter().all(|item| item.ready);
                let warnings = warnings.unwrap_or_default();
                Validation { findings, warnings, readiness, ready, expressions: live.definition.expressions() }
            }
        })
    }

    /// The items of the readiness list that fail, as faults.
    pub(super) fn unready(&self, live: &LiveApp) -> Vec<Fault> {
        let known = self.shared.credentials_of(&live.definition.app);
        let failing = self.readiness(live).into_iter().filter(|item| !item.ready && item.item != "mapping");
        let unready = failing.map(|item| {
            let code = match item.item.as_str() {
                "connector" => Code::UnknownConnector,
                "credentials" => known.fault.as_ref().map_or(Code::SecretMissing, |fault| fault.code),
                "matching" => Code::MatchingRequired,
                _ => Code::NotReady,
            };
            Fault::new(code, format!("the app is not ready: {}: {}", item.item, item.detail)).at(item.item)
        });
        unready.chain(unwritten_of(live)).collect()
    }

    fn readiness(&self, live: &LiveApp) -> Vec<Readiness> {
        let app = &live.definition.app;
        let item = |item: &str, ready: bool, detail: String| Readiness { item: item.to_owned(), ready, detail };
        let known = self.shared.credentials_of(app);
        let credentials = known.ready;
        let connector = live.connector.is_some() || !credentials;
        let missing = unwritten_of(live).len();
        let matching = !app.matching.rules.is_empty() || app.create_without_match;
        let removes = app.operations.allows(Operation::Deactivate) || app.operations.allows(Operation::Delete);
        vec![
            item("connector", connector, connector_detail(app, connector)),
            item("credentials", credentials, credentials_detail(&known)),
            item("mapping", missing == 0, mapping_detail(app, missing == 0)),
            item(
                "matching",
                matching,
                text(matching, "existing accounts can be found", "no matching rule and no `create_without_match`"),
            ),
            item(
                "operations",
                removes || !app.operations.allows(Operation::Create),
                text(removes, "access can be taken away", "accounts can be created and never disabled"),
            ),
            item("pilot", true, text(app.pilot.is_none(), "everybody", "only users of the pilot gain access")),
        ]
    }
}

fn text(good: bool, yes: &str, no: &str) -> String {
    if good { yes } else { no }.to_owned()
}

fn credentials_detail(known: &Credentials) -> String {
    let missing = known.secrets.iter().find(|secret| !secret.available);
    match (known.ready, &known.fault, missing, known.expires_at) {
        (true, _, _, None) => "known or not needed".to_owned(),
        (true, _, _, Some(end)) => format!("known; they end at {end}"),
        (false, Some(fault), _, _) => fault.message.clone(),
        (false, None, Some(missing), _) if missing.field.contains('.') => {
            format!("`connector.{}` cannot be had", missing.field)
        }
        (false, None, Some(missing), _) if known.kind == "oauth2" => {
            format!("the secret of `{}` cannot be had", missing.field)
        }
        (false, None, _, _) => "the secret cannot be had".to_owned(),
    }
}

fn connector_detail(app: &App, connected: bool) -> String {
    match &app.connector {
        ConnectorDefinition::Custom { name, .. } if !connected => {
            format!("no connector is registered under the name `{name}`")
        }
        _ => "known; `test_app` asks the target itself".to_owned(),
    }
}

/// What the target is known to require of a new account and no rule writes. A mock target that was not asked requires
/// nothing.
fn unwritten_of(live: &LiveApp) -> Vec<Fault> {
    let app = &live.definition.app;
    let supposed = matches!(app.connector, ConnectorDefinition::Mock { .. }) && live.described.is_none();
    unwritten(app, live.attributes.as_deref().filter(|_| !supposed).unwrap_or_default())
}

/// A unique value that has no other candidate is no fault: it may be an employee's number.
fn mapping_detail(app: &App, complete: bool) -> String {
    let fixed = app.mapping.iter().filter(|rule| rule.unique && !varies(rule));
    let names: Vec<String> = fixed.map(|rule| format!("`{}`", rule.target)).collect();
    match (complete, names.is_empty()) {
        (false, _) => "no rule writes what the target requires".to_owned(),
        (true, true) => "complete".to_owned(),
        (true, false) => {
            let names = names.join(", ");
            format!("complete; unique, but the same for every candidate: {names} (read `token` or `iteration`)")
        }
    }
}
