//! Definitions and records that are tried before they are stored.

use super::connectors::known_attributes;
use super::{Engine, Shared};
use crate::connector::mock::MockTarget;
use crate::definition::Definition;
use crate::delivery::{Host, Rendering};
use crate::fault::{Code, Fault};
use crate::id::RequestId;
use crate::intake::{Gap, LiveApp, access_held, gap, held_back, held_by, memberships_of, watched_print};
use crate::mapping::{References, RenderInputs, Rendered, RenderedChange, token};
use crate::model::{App, Change, ConnectorDefinition, GroupMembership, TargetCall, User};
use crate::scim;
use crate::scope::{Decision, Projected, Standing};
use crate::store::{AccountRow, StoredUser, Tx, UserKey, UserState};
use crate::time::Timestamp;
use crate::value::{Attributes, canonical_object};
use std::sync::Arc;

/// An app or a user: the id of a stored one, or a document that is not stored.
#[derive(Clone, Debug)]
pub enum StoredOr<'a, T> {
    /// The one of this id.
    Id(&'a str),
    /// This one.
    Document(Box<T>),
}

impl<'a, T> From<&'a str> for StoredOr<'a, T> {
    fn from(id: &'a str) -> Self {
        Self::Id(id)
    }
}

impl<'a, T> From<&'a String> for StoredOr<'a, T> {
    fn from(id: &'a String) -> Self {
        Self::Id(id)
    }
}

impl From<App> for StoredOr<'_, App> {
    fn from(app: App) -> Self {
        Self::Document(Box::new(app))
    }
}

impl From<User> for StoredOr<'_, User> {
    fn from(user: User) -> Self {
        Self::Document(Box::new(user))
    }
}

impl<T> StoredOr<'_, T> {
    /// The id, where it is given by one.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Document(_) => None,
        }
    }
}

impl Engine {
    /// The app in use, or the document checked and made ready. Nobody is asked.
    pub(super) fn trial_of(&self, app: StoredOr<'_, App>) -> Result<Arc<LiveApp>, Vec<Fault>> {
        let id = match app {
            StoredOr::Document(app) => return self.shared.trial(*app).map(Arc::new),
            StoredOr::Id(id) => id,
        };
        self.shared.refresh().map_err(|fault| vec![fault])?;
        self.shared.live(id).ok_or_else(|| vec![Fault::new(Code::NotFound, "there is no such app")])
    }
}

impl Shared {
    /// The app of that id that is in use.
    pub(super) fn live(&self, id: &str) -> Option<Arc<LiveApp>> {
        let (apps, _) = self.apps();
        apps.values().find(|live| live.definition.app.id.as_str() == id).cloned()
    }

    /// Checks a definition by what is known already. An app with the same connector lends it, and with it what its target
    /// can do; another one goes without.
    pub(super) fn trial(&self, app: App) -> Result<LiveApp, Vec<Fault>> {
        connector_faults(&app).map_err(|fault| vec![fault])?;
        let (apps, _) = self.apps();
        let same = |live: &&Arc<LiveApp>| live.definition.app.connector == app.connector;
        let known = apps.get(&app.id).filter(same).or_else(|| apps.values().find(same));
        let connector = known.and_then(|live| live.connector.clone());
        let capabilities = known.map(|live| live.capabilities.clone()).unwrap_or_default();
        let now = self.clock.now();
        let described = self.store().and_then(|mut store| store.read(now, |tx| tx.target_schema(&app)));
        let described = described.map_err(|fault| vec![fault])?;
        let attributes =
            known_attributes(&app, None, described.as_ref()).or_else(|| known.and_then(|live| live.attributes.clone()));
        let definition = Definition::compile(app, attributes.as_deref())?;
        Ok(LiveApp { definition, connector, capabilities, described, attributes })
    }
}

/// What is wrong with the connector's settings themselves.
fn connector_faults(app: &App) -> Result<(), Fault> {
    let nothing = TargetCall::Create { attributes: &Attributes::new() };
    match &app.connector {
        ConnectorDefinition::Scim(definition) => scim::requests(definition, nothing).map(drop),
        ConnectorDefinition::Mock { settings } => {
            MockTarget::from_json(&canonical_object(settings)).map(drop).map_err(|fault| fault.at("connector.settings"))
        }
        ConnectorDefinition::Custom { .. } => Ok(()),
    }
}

/// A user with the account that is linked to it.
pub(super) struct Subject {
    pub(super) stored: StoredUser,
    pub(super) account: Option<AccountRow>,
}

impl Subject {
    /// Finds the user, or takes the document in the place of the stored record.
    pub(super) fn find(tx: &Tx<'_>, live: &LiveApp, user: StoredOr<'_, User>) -> Result<Self, Fault> {
        let id = match &user {
            StoredOr::Id(id) => *id,
            StoredOr::Document(user) => user.id.as_str(),
        };
        let known = tx.user(id)?;
        let stored = match user {
            StoredOr::Id(_) => known.ok_or_else(|| Fault::new(Code::NotFound, "there is no such user"))?,
            StoredOr::Document(user) => {
                // Nothing is sealed under the key of somebody who is not stored.
                let key = known.map_or_else(UserKey::default, |known| known.key);
                StoredUser { user: *user, state: UserState::Present, dropped: Vec::new(), key }
            }
        };
        let account = tx.linked_account(&live.definition.app.id, &stored.user.id, &stored.key)?;
        Ok(Self { stored, account })
    }

    /// The record, where the user is in the directory.
    pub(super) fn present(&self) -> Option<&User> {
        (self.stored.state == UserState::Present).then_some(&self.stored.user)
    }
}

/// The rules of a mapping whose attribute the target was seen not to keep.
pub(super) struct NotKept(Vec<usize>);

impl NotKept {
    pub(super) fn find(tx: &Tx<'_>, definition: &Definition) -> Result<Self, Fault> {
        let mut found = Vec::new();
        for rule in 0..definition.app.mapping.len() {
            let (attribute, mark) = definition.rule_mark(rule);
            if tx.is_not_kept(&definition.app.id, &attribute, &mark)? {
                found.push(rule);
            }
        }
        Ok(Self(found))
    }

    pub(super) fn attributes(&self, definition: &Definition) -> Vec<String> {
        self.0.iter().map(|rule| definition.rule_mark(*rule).0).collect()
    }

    /// The changes that would be sent: a value that was sent before and not kept is not sent again.
    pub(super) fn worthwhile(
        &self,
        rendered: &Rendered,
        definition: &Definition,
        account: Option<&AccountRow>,
    ) -> Vec<Change> {
        let last = account.and_then(|row| row.applied.as_ref());
        let in_vain = |change: &RenderedChange| {
            self.0.contains(&change.rule)
                && last.is_some_and(|last| definition.mapping.repeats(change, &rendered.attributes, last))
        };
        rendered.changes.iter().filter(|change| !in_vain(change)).map(RenderedChange::change).collect()
    }
}

/// What rendering for a user takes beside the record, in one app here and now.
pub(super) struct Terms {
    references: References,
    iteration: u32,
    token: String,
    /// Why there is no candidate.
    faults: Vec<Fault>,
    /// The fingerprint of everything whose change asks for an Update.
    pub(super) print: String,
    /// The memberships of groups, those that there are and those that are wanted.
    pub(super) memberships: Vec<GroupMembership>,
    gap: Gap,
    /// The plan by which the brake holds the user's access.
    pub(super) held: Option<RequestId>,
}

impl Terms {
    /// Looks up the accounts to which the record refers, and the candidate for unique values that would be sent.
    pub(super) fn find(tx: &Tx<'_>, live: &LiveApp, subject: &Subject) -> Result<Self, Fault> {
        let rendering = Rendering::new(tx, live, &subject.stored, subject.account.as_ref())?;
        let (iteration, faults) = match live.definition.mapping.has_unique() {
            true => match rendering.candidate(tx, None)? {
                Ok(candidate) => (candidate.iteration, Vec::new()),
                Err(faults) => (0, faults),
            },
            false => (0, Vec::new()),
        };
        let print = watched_print(tx, &live.definition, &subject.stored)?;
        let references = rendering.into_references();
        let (mut memberships, mut found, mut held) = (Vec::new(), Gap::default(), None);
        // Where nobody can tell whether an account is wanted, nothing is wanted of it.
        if let Ok(standing) = live.definition.standing(subject.present(), tx.now) {
            let (definition, account, present) = (&live.definition, subject.account.as_ref(), subject.present());
            held = access_held(tx, &definition.app.id, &subject.stored.user.id, &standing)?;
            memberships = memberships_of(tx, definition, account, present, &standing)?;
            if let Some(account) = account {
                found = gap(tx, definition, account, present, &standing)?;
            }
        }
        Ok(Self { references, iteration, token: token(iteration), faults, print, memberships, gap: found, held })
    }

    /// What there is, as decisions see it.
    pub(super) fn projected(&self, subject: &Subject) -> Projected {
        let projected = subject.account.as_ref().map_or_else(Projected::default, AccountRow::projected);
        let Gap { lacks_membership, has_leftover, .. } = self.gap;
        Projected { lacks_membership, has_leftover, ..projected }
    }

    /// Why a decision is not carried out where the brake holds it.
    pub(super) fn held_back(&self, standing: &Standing, decision: &Decision) -> Option<String> {
        self.held.as_ref().filter(|_| held_back(standing, decision.operation)).map(held_by)
    }

    /// What the mapping gives, or what is wrong: with the record, or because others have its unique values.
    pub(super) fn render(
        &self,
        subject: &Subject,
        definition: &Definition,
        creating: bool,
        now: Timestamp,
    ) -> Result<Rendered, Vec<Fault>> {
        let rendered = definition.mapping.render(&self.inputs(subject, definition, creating, now))?;
        let is_due = creating == subject.account.is_none();
        if is_due && !self.faults.is_empty() { Err(self.faults.clone()) } else { Ok(rendered) }
    }

    /// What a mapping is rendered from.
    pub(super) fn inputs<'a>(
        &'a self,
        subject: &'a Subject,
        definition: &'a Definition,
        creating: bool,
        now: Timestamp,
    ) -> RenderInputs<'a> {
        let account = subject.account.as_ref().filter(|_| !creating);
        RenderInputs {
            user: &subject.stored.user.record,
            current: account.map(|row| &row.account.attributes),
            last: account.and_then(|row| row.applied.as_ref()),
            app_id: definition.app.id.as_str(),
            app_label: definition.app.display_label(),
            iteration: self.iteration,
            token: &self.token,
            references: Some(&self.references),
            now,
            creating,
        }
    }
}
