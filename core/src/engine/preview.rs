//! What would be sent, and how each value came about.

use super::trial::{NotKept, StoredOr, Subject, Terms};
use super::{Engine, Error, Result};
use crate::delivery::mark_as_ours;
use crate::fault::Fault;
use crate::intake::{LiveApp, not_stored};
use crate::mapping::{RenderInputs, Rendered};
use crate::model::{
    App, ConnectorDefinition, Preview, PreviewCreate, PreviewOperation, PreviewUpdate, TargetCall, TargetRequest, User,
    WithheldOperation,
};
use crate::operation::Operation;
use crate::scim;
use crate::scope::decide;
use crate::time::Timestamp;
use crate::value::Attributes;
use serde_json::{Map, Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Stands for the account's id where there is no account.
const UNKNOWN_ID: &str = "EXTERNAL-ID";

const AWAITS: &str = "it waits until the users to whom the record refers have accounts in the app";

impl Engine {
    /// What would be sent for a user, and how each value came about. The app and the user are given by id, or as documents
    /// that need not be stored: a definition can be tried before it is put. Nothing is sent, nothing is stored, and no target
    /// is asked. Values of sensitive rules are covered everywhere, `"[sensitive]"`.
    ///
    /// ```
    /// use rollkeeper::{Engine, model::{App, User}};
    /// let engine = Engine::builder().open()?;
    /// let app = App::from_json(br#"{"id": "crm", "assigned_to": {"profiles": ["Employees"]}, "create_without_match": true,
    ///     "connector": {"kind": "scim", "base_url": "https://crm.example.com/scim/v2"},
    ///     "mapping": [{"target": "userName", "source": "username", "required": true}]}"#)?;
    /// let user = User::from_json(br#"{"id": "u1", "username": "amelie", "profile": "Employees"}"#)?;
    /// let preview = engine.preview(app, user)?;
    /// assert_eq!(preview.operations[0].operation.name(), "Create");
    /// let sent = serde_json::to_value(&preview.create.requests[0])?;
    /// assert_eq!((&sent["method"], &sent["path"]), (&"POST".into(), &"/scim/v2/Users".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `not_found` for an app or a user that is given by id; every fault of a definition that is given as a document; store
    /// errors. What is wrong with the user under mapping or scope is part of the answer.
    pub fn preview<'a>(
        &self,
        app: impl Into<StoredOr<'a, App>>,
        user: impl Into<StoredOr<'a, User>>,
    ) -> Result<Preview> {
        let (app, user) = (app.into(), user.into());
        let about: Vec<_> = [("app", app.id()), ("user", user.id())]
            .into_iter()
            .filter_map(|(kind, id)| Some((kind, id?.to_owned())))
            .collect();
        let failed = |faults| {
            about.iter().fold(Error::of_faults("preview", faults), |error, (kind, id)| error.about(kind, id.as_str()))
        };
        let live = self.trial_of(app).map_err(failed)?;
        let found = self.view(|tx| {
            let subject = Subject::find(tx, &live, user)?;
            let terms = Terms::find(tx, &live, &subject)?;
            let not_kept = NotKept::find(tx, &live.definition)?;
            Ok((subject, terms, not_kept, tx.now))
        });
        let (subject, terms, not_kept, now) = found.map_err(|fault| failed(vec![fault]))?;
        Ok(Previewing { live: &live, subject: &subject, terms: &terms, not_kept, now }.preview())
    }
}

struct Previewing<'a> {
    live: &'a LiveApp,
    subject: &'a Subject,
    terms: &'a Terms,
    not_kept: NotKept,
    now: Timestamp,
}

impl Previewing<'_> {
    fn preview(&self) -> Preview {
        let (definition, stored) = (&self.live.definition, &self.subject.stored);
        let inputs = self.inputs(self.subject.account.is_none());
        let mut preview = Preview {
            app: definition.app.id.clone(),
            user: stored.user.id.clone(),
            operations: Vec::new(),
            attributes: Attributes::new(),
            rules: serde_json::to_value(definition.mapping.trace(&inputs)).unwrap_or(Value::Null),
            faults: Vec::new(),
            withheld: Vec::new(),
            create: self.create(),
            update: self.update(),
            memberships: self.terms.memberships.clone(),
        };
        let mut waits = None;
        match self.render(self.subject.account.is_none()) {
            Ok(rendered) => {
                waits = definition.mapping.awaits(&rendered).then(|| AWAITS.to_owned());
                preview.attributes = rendered.attributes;
                definition.mapping.cover(&mut preview.attributes);
            }
            Err(faults) => preview.faults = faults,
        }
        if let Err(fault) = self.operations(&mut preview, waits) {
            preview.faults.push(fault);
        }
        preview
    }

    fn operations(&self, preview: &mut Preview, waits: Option<String>) -> std::result::Result<(), Fault> {
        let (definition, stored) = (&self.live.definition, &self.subject.stored);
        let standing = definition.standing(self.subject.present(), self.now)?;
        let projected = self.terms.projected(self.subject);
        let print = &self.terms.print;
        for decision in decide(&definition.app, &standing, &projected, print, "as the user is stored", self.now) {
            let renders = matches!(decision.operation, Operation::Create | Operation::Update);
            let unready = || not_stored(definition, stored).or(waits.clone()).filter(|_| renders);
            let held = self.terms.held_back(&standing, &decision);
            let withheld = decision.withheld.or_else(unready).or(held);
            let (operation, why) = (decision.operation, decision.why);
            if let Some(withheld) = withheld {
                preview.withheld.push(WithheldOperation { operation, why, withheld });
                continue;
            }
            let payload = match operation {
                Operation::Update if decision.removes => None,
                Operation::Create => Some(json!(preview.attributes)),
                Operation::Update => Some(json!(preview.update.changes)),
                _ => None,
            };
            preview.operations.push(PreviewOperation { operation, why, payload });
        }
        Ok(())
    }

    fn inputs(&self, creating: bool) -> RenderInputs<'_> {
        self.terms.inputs(self.subject, &self.live.definition, creating, self.now)
    }

    fn render(&self, creating: bool) -> std::result::Result<Rendered, Vec<Fault>> {
        self.terms.render(self.subject, &self.live.definition, creating, self.now)
    }

    fn create(&self) -> PreviewCreate {
        let mapping = &self.live.definition.mapping;
        let rendered = match self.render(true) {
            Ok(rendered) => rendered,
            Err(faults) => return PreviewCreate { faults, ..PreviewCreate::default() },
        };
        let awaits = mapping.awaits(&rendered);
        let mut attributes = rendered.attributes;
        mark_as_ours(&mut attributes, &self.subject.stored.user.id);
        mapping.cover(&mut attributes);
        if awaits {
            return PreviewCreate { attributes, ..PreviewCreate::default() };
        }
        let arguments = json!({"attributes": attributes});
        let requests = self.requests("create", TargetCall::Create { attributes: &attributes }, arguments);
        PreviewCreate { requests, attributes, faults: Vec::new() }
    }

    fn update(&self) -> PreviewUpdate {
        let (definition, account) = (&self.live.definition, self.subject.account.as_ref());
        let mapping = &definition.mapping;
        let rendered = match self.render(false) {
            Ok(rendered) => rendered,
            Err(faults) => return PreviewUpdate { faults, ..PreviewUpdate::default() },
        };
        let mut changes = self.not_kept.worthwhile(&rendered, definition, account);
        changes.iter_mut().for_each(|change| mapping.cover_change(change));
        if changes.is_empty() || mapping.awaits(&rendered) {
            return PreviewUpdate { changes, ..PreviewUpdate::default() };
        }
        let account = account.map(|row| &row.account);
        let external_id = account.map_or(UNKNOWN_ID, |account| account.external_id.as_str());
        let mut shown = account.map(|account| account.attributes.clone()).unwrap_or_default();
        mapping.cover(&mut shown);
        let mut arguments = Map::new();
        arguments.insert("external_id".to_owned(), json!(external_id));
        arguments.insert("changes".to_owned(), json!(changes));
        let version = account.and_then(|account| account.version.clone());
        if let Some(version) = version.filter(|_| self.live.capabilities.conditional_write) {
            arguments.insert("version".to_owned(), json!(version));
        }
        let call = TargetCall::Update { external_id, changes: &changes, shown: &shown };
        PreviewUpdate { requests: self.requests("update", call, Value::Object(arguments)), changes, faults: Vec::new() }
    }

    /// The requests that the connector would make of a call; where it cannot say, what the definition says of SCIM, or the
    /// call itself.
    fn requests(&self, name: &str, call: TargetCall<'_>, arguments: Value) -> Vec<TargetRequest> {
        let connector = self.live.connector.as_ref();
        let told = connector
            .and_then(|connector| catch_unwind(AssertUnwindSafe(|| connector.requests_of(call))).unwrap_or_default());
        told.unwrap_or_else(|| match &self.live.definition.app.connector {
            ConnectorDefinition::Scim(definition) => scim::requests(definition, call).unwrap_or_default(),
            ConnectorDefinition::Mock { .. } | ConnectorDefinition::Custom { .. } => {
                vec![TargetRequest::Call { call: name.to_owned(), arguments }]
            }
        })
    }
}
