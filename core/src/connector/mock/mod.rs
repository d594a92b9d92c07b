//! The mock target: accounts in memory, every call recorded, faults by script. It is what tests, demonstrations and the
//! other faces use in the place of a real target; nothing in it depends on time or chance.

mod script;
mod state;

pub use script::{MockFault, ScriptedFault};
pub use state::MockCall;

use super::{Capabilities, Change, Connector, ConnectorError, Outcome, Page, SchemaAttribute, TargetAccount};
use crate::fault::{Code, Fault};
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use state::{Effect, State};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a mock target behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MockOptions {
    /// Whether a second account of the same `userName` is refused, whatever its letter case.
    pub unique: bool,
    /// Whether a repeated `create` with the same idempotency key gives the account that the first one made.
    pub idempotency_key: bool,
    /// Whether `find` works.
    pub search: bool,
    /// Whether `freeze` and `unfreeze` work.
    pub freeze: bool,
    /// How many accounts a page of `list` holds, at least 1.
    pub page_size: usize,
    /// The attributes that the target says it has; the built-in ones are assumed where it says nothing.
    pub schema: Vec<SchemaAttribute>,
    /// The accounts that are there from the start.
    pub accounts: Vec<TargetAccount>,
    /// The groups that are there from the start: their ids and names.
    pub groups: std::collections::BTreeMap<String, String>,
    /// The accounts that are in them from the start: external ids by the group's id.
    pub members: std::collections::BTreeMap<String, Vec<String>>,
    /// The faults to play.
    pub faults: Vec<ScriptedFault>,
}

impl Default for MockOptions {
    fn default() -> Self {
        Self {
            unique: true,
            idempotency_key: false,
            search: true,
            freeze: true,
            page_size: 100,
            schema: Vec::new(),
            accounts: Vec::new(),
            groups: std::collections::BTreeMap::new(),
            members: std::collections::BTreeMap::new(),
            faults: Vec::new(),
        }
    }
}

/// A target in memory. Clones are the same target. External ids are `1`, `2`, … in the order of creation.
///
/// ```
/// use rollkeeper::connector::{Connector, mock::MockTarget};
/// let target = MockTarget::new();
/// target.script_json(r#"[{"on": "create", "fault": "lost_reply"}]"#)?;
/// let attributes = serde_json::json!({"userName": "ann"});
/// let error = target.create(attributes.as_object().unwrap(), "key-1").unwrap_err();
/// assert_eq!(error.outcome.name(), "ambiguous");
/// assert_eq!(target.accounts()[0].username.as_deref(), Some("ann"));
/// # Ok::<(), rollkeeper::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct MockTarget(Arc<Mutex<State>>);

impl Default for MockTarget {
    fn default() -> Self {
        Self::new()
    }
}

impl MockTarget {
    /// An empty target that keeps `userName` unique.
    pub fn new() -> Self {
        Self::with_options(MockOptions::default())
    }

    /// A target that behaves as `options` say.
    pub fn with_options(options: MockOptions) -> Self {
        Self(Arc::new(Mutex::new(State::new(options))))
    }

    /// A target from the options' JSON object; every key may be left out.
    ///
    /// # Errors
    /// `invalid_json` where the text is not JSON, `invalid_document` where it is no such object.
    pub fn from_json(options: &str) -> Result<Self, Fault> {
        Ok(Self::with_options(read(options)?))
    }

    /// Adds faults to the script. Of several that fit a call, the first that is not used up is played.
    pub fn script(&self, faults: &[ScriptedFault]) {
        self.state().script(faults);
    }

    /// [`MockTarget::script`] from a JSON list such as `[{"on": "create", "times": 2, "fault": "unreachable"}]`.
    ///
    /// # Errors
    /// As for [`MockTarget::from_json`].
    pub fn script_json(&self, faults: &str) -> Result<(), Fault> {
        self.script(&read::<Vec<ScriptedFault>>(faults)?);
        Ok(())
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<MockCall> {
        self.state().calls.clone()
    }

    /// [`MockTarget::calls`] as a JSON list with sorted keys.
    pub fn calls_json(&self) -> String {
        write(&self.calls())
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.state().calls.clear();
    }

    /// Every account as it really is, in order of creation; what is late is not yet there.
    pub fn accounts(&self) -> Vec<TargetAccount> {
        self.state().accounts.clone()
    }

    /// [`MockTarget::accounts`] as a JSON list with sorted keys.
    pub fn accounts_json(&self) -> String {
        write(&self.accounts())
    }

    /// Puts an account as it is, without a call: a change behind the engine's back.
    pub fn put_account(&self, account: TargetAccount) {
        self.state().put(account);
    }

    /// [`MockTarget::put_account`] from a JSON object such as `{"external_id": "7", "attributes": {"userName": "ann"}}`.
    ///
    /// # Errors
    /// As for [`MockTarget::from_json`].
    pub fn put_account_json(&self, account: &str) -> Result<(), Fault> {
        self.put_account(read(account)?);
        Ok(())
    }

    /// Takes an account away without a call. Gives whether there was one.
    pub fn remove_account(&self, external_id: &str) -> bool {
        self.state().take(external_id)
    }

    /// Switches the target off (every call fails as `unreachable`) and on again.
    pub fn set_reachable(&self, reachable: bool) {
        self.state().reachable = reachable;
    }

    /// Tells the target which attributes it has from now on.
    pub fn set_schema(&self, attributes: Vec<SchemaAttribute>) {
        self.state().options.schema = attributes;
    }

    /// [`MockTarget::set_schema`] from a JSON list of attributes.
    ///
    /// # Errors
    /// As for [`MockTarget::from_json`].
    pub fn set_schema_json(&self, attributes: &str) -> Result<(), Fault> {
        self.set_schema(read(attributes)?);
        Ok(())
    }

    /// Puts an account into a group, or takes it out of it, without a call: a change behind the engine's back. Gives whether
    /// there is such a group.
    pub fn set_member(&self, group: &str, external_id: &str, is_member: bool) -> bool {
        self.state().set_member(group, external_id, is_member)
    }

    /// The members of a group, sorted.
    pub fn members(&self, group: &str) -> Vec<String> {
        self.state().groups.get(group).map(|group| group.members.iter().cloned().collect()).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the accounts as they were; they can still be used.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connector for MockTarget {
    fn capabilities(&self) -> Capabilities {
        let state = self.state();
        Capabilities {
            search: state.options.search,
            idempotency_key: state.options.idempotency_key,
            unique_keys: if state.options.unique { vec!["userName".to_owned()] } else { Vec::new() },
            freeze: state.options.freeze,
            groups: true,
            ..Capabilities::default()
        }
    }

    fn test(&self) -> Result<(), ConnectorError> {
        self.state().read(MockCall::new("test"), |_| ())
    }

    fn schema(&self) -> Result<Vec<SchemaAttribute>, ConnectorError> {
        self.state().read(MockCall::new("schema"), |state| state.options.schema.clone())
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        let mut state = self.state();
        if !state.options.search {
            return Err(ConnectorError::unsupported("find"));
        }
        state.find(attribute, value)
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.state().read_one(external_id)
    }

    fn create(&self, attributes: &Attributes, idempotency_key: &str) -> Result<TargetAccount, ConnectorError> {
        let call = MockCall {
            attributes: Some(attributes.clone()),
            idempotency_key: Some(idempotency_key.to_owned()),
            ..MockCall::new("create")
        };
        let effect = Effect::Create { attributes: attributes.clone(), key: idempotency_key.to_owned() };
        let made = self.state().write(call, effect)?;
        made.ok_or_else(|| {
            ConnectorError::new(Outcome::Ambiguous, Code::InvalidAnswer.name(), "the mock target made no account")
        })
    }

    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        let call = MockCall {
            changes: Some(changes.to_vec()),
            version: version.map(str::to_owned),
            ..MockCall::on("update", external_id)
        };
        let effect = Effect::Update { external_id: external_id.to_owned(), changes: changes.to_vec() };
        self.state().write(call, effect)
    }

    fn activate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.set("activate", external_id, |account| account.active = true)
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.set("deactivate", external_id, |account| account.active = false)
    }

    fn freeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.set_frozen("freeze", external_id, |account| account.frozen = true)
    }

    fn unfreeze(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.set_frozen("unfreeze", external_id, |account| account.frozen = false)
    }

    fn delete(&self, external_id: &str) -> Result<(), ConnectorError> {
        let effect = Effect::Delete { external_id: external_id.to_owned() };
        self.state().write(MockCall::on("delete", external_id), effect).map(drop)
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        self.state().list(cursor, filter)
    }

    fn list_groups(&self, _cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        self.state().read(MockCall::new("list_groups"), |state| (state.group_list(), None))
    }

    fn group_names(&self, _cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        self.state().read(MockCall::new("group_names"), |state| (state.group_names(), None))
    }

    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        let attributes = serde_json::json!({"add": add, "remove": remove});
        let call = MockCall { attributes: attributes.as_object().cloned(), ..MockCall::on("change_members", group) };
        let effect = Effect::Members { group: group.to_owned(), add: add.to_vec(), remove: remove.to_vec() };
        self.state().write(call, effect).map(drop)
    }
}

impl MockTarget {
    fn set(&self, method: &str, external_id: &str, set: fn(&mut TargetAccount)) -> Result<(), ConnectorError> {
        let effect = Effect::Set { external_id: external_id.to_owned(), set };
        self.state().write(MockCall::on(method, external_id), effect).map(drop)
    }

    fn set_frozen(&self, method: &str, external_id: &str, set: fn(&mut TargetAccount)) -> Result<(), ConnectorError> {
        if self.state().options.freeze {
            self.set(method, external_id, set)
        } else {
            Err(ConnectorError::unsupported(method))
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| {
        let code = if error.is_data() { Code::InvalidDocument } else { Code::InvalidJson };
        Fault::new(code, error.to_string())
    })
}

fn write<T: Serialize>(value: &T) -> String {
    // INVARIANT: accounts and calls hold text keys alone, so that they always have a JSON form.
    serde_json::to_value(value).map(|value| crate::value::canonical(&value)).unwrap_or_default()
}
