//! What the mock target holds, and what a call does to it.

use super::{MockFault, MockOptions, ScriptedFault};
use crate::connector::{Change, ConnectorError, Outcome, Page, TargetAccount};
use crate::fault::Code;
use crate::path::{Path, member};
use crate::value::Attributes;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One call as the mock target saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MockCall {
    /// The method.
    pub method: String,
    /// The account or group it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What `create` was given, or the members that `change_members` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// What `update` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Change>>,
    /// The version that `update` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The attribute that `find` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// The value that `find` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The cursor that `list` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The filter that `list` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The key that `create` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// How it ended: `applied`, or the outcome of its error.
    pub outcome: String,
}

impl MockCall {
    pub(super) fn new(method: &str) -> Self {
        Self { method: method.to_owned(), outcome: "applied".to_owned(), ..Self::default() }
    }

    pub(super) fn on(method: &str, external_id: &str) -> Self {
        Self { external_id: Some(external_id.to_owned()), ..Self::new(method) }
    }
}

/// What a write does.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Create { attributes: Attributes, key: String },
    Update { external_id: String, changes: Vec<Change> },
    Set { external_id: String, set: fn(&mut TargetAccount) },
    Delete { external_id: String },
    Members { group: String, add: Vec<String>, remove: Vec<String> },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    display_name: String,
    pub(super) members: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) options: MockOptions,
    pub(super) accounts: Vec<TargetAccount>,
    /// Where the account of an id stands, and how many have a username, whatever its case.
    places: HashMap<String, usize>,
    usernames: HashMap<String, usize>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) calls: Vec<MockCall>,
    pub(super) reachable: bool,
    made_by_key: BTreeMap<String, String>,
    late: Vec<Effect>,
    next_id: u64,
}

impl State {
    pub(super) fn new(mut options: MockOptions) -> Self {
        options.page_size = options.page_size.max(1);
        let groups = options.groups.iter().map(|(id, name)| {
            let members = options.members.get(id).into_iter().flatten().cloned().collect();
            (id.clone(), Group { display_name: name.clone(), members })
        });
        let mut state = Self {
            groups: groups.collect(),
            accounts: Vec::new(),
            places: HashMap::new(),
            usernames: HashMap::new(),
            calls: Vec::new(),
            reachable: true,
            made_by_key: BTreeMap::new(),
            late: Vec::new(),
            next_id: 1,
            options,
        };
        for account in std::mem::take(&mut state.options.accounts) {
            state.put(account);
        }
        state
    }

    pub(super) fn script(&mut self, faults: &[ScriptedFault]) {
        self.options.faults.extend_from_slice(faults);
    }

    pub(super) fn put(&mut self, mut account: TargetAccount) {
        account.username = account.username.take().or_else(|| text(&account.attributes, "userName"));
        if let Some(username) = &account.username {
            account.attributes.entry("userName").or_insert_with(|| Value::from(username.as_str()));
        }
        account.attributes.insert("active".to_owned(), Value::Bool(account.active));
        self.count_username(account.username.as_deref(), 1);
        match self.places.get(&account.external_id).and_then(|place| self.accounts.get_mut(*place)) {
            Some(known) => {
                let before = std::mem::replace(known, account);
                self.count_username(before.username.as_deref(), -1);
            }
            None => {
                self.places.insert(account.external_id.clone(), self.accounts.len());
                self.accounts.push(account);
            }
        }
    }

    fn count_username(&mut self, username: Option<&str>, by: isize) {
        if let Some(username) = username {
            let count = self.usernames.entry(username.to_lowercase()).or_default();
            *count = count.saturating_add_signed(by);
        }
    }

    fn at(&self, external_id: &str) -> Option<&TargetAccount> {
        self.accounts.get(*self.places.get(external_id)?)
    }

    pub(super) fn take(&mut self, external_id: &str) -> bool {
        let Some(place) = self.places.get(external_id).copied().filter(|place| *place < self.accounts.len()) else {
            return false;
        };
        let account = self.accounts.remove(place);
        self.count_username(account.username.as_deref(), -1);
        let accounts = self.accounts.iter().enumerate();
        self.places = accounts.map(|(place, account)| (account.external_id.clone(), place)).collect();
        true
    }

    pub(super) fn set_member(&mut self, group: &str, external_id: &str, is_member: bool) -> bool {
        let Some(group) = self.groups.get_mut(group) else { return false };
        match is_member {
            true => group.members.insert(external_id.to_owned()),
            false => group.members.remove(external_id),
        };
        true
    }

    /// The groups without their members.
    pub(super) fn group_names(&self) -> Vec<Attributes> {
        let mut groups = self.group_list();
        groups.iter_mut().for_each(|group| drop(group.remove("members")));
        groups
    }

    pub(super) fn group_list(&self) -> Vec<Attributes> {
        let entries = self.groups.iter().map(|(id, group)| {
            [
                ("id".to_owned(), Value::from(id.as_str())),
                ("display_name".to_owned(), group.display_name.as_str().into()),
                ("members".to_owned(), group.members.iter().map(String::as_str).collect::<Value>()),
            ]
        });
        entries.map(|entry| entry.into_iter().collect()).collect()
    }

    /// A read without a subject.
    pub(super) fn read<T>(&mut self, call: MockCall, show: impl FnOnce(&Self) -> T) -> Result<T, ConnectorError> {
        self.begin(call, None, false)?;
        Ok(show(self))
    }

    pub(super) fn read_one(&mut self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.settle_late();
        let user = self.username(external_id);
        let fault = self.begin(MockCall::on("read", external_id), user.as_deref(), false)?;
        let hidden = fault == Some(MockFault::Hidden);
        Ok(self.at(external_id).filter(|_| !hidden).cloned())
    }

    pub(super) fn find(&mut self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        let call =
            MockCall { attribute: Some(attribute.to_owned()), value: Some(value.clone()), ..MockCall::new("find") };
        let path = Path::parse(attribute).ok();
        let holds = |account: &&TargetAccount| {
            if attribute.eq_ignore_ascii_case("id") {
                return value.as_str() == Some(account.external_id.as_str());
            }
            let found = path.as_ref().map(|path| path.values(&account.attributes)).unwrap_or_default();
            found.into_iter().any(|found| same(found, value))
        };
        // A late account is there for this call, so that it decides whom the fault befalls.
        self.settle_late();
        let found: Vec<TargetAccount> = self.accounts.iter().filter(holds).cloned().collect();
        let user = found.first().and_then(|account| account.username.clone());
        let user = user.or_else(|| value.as_str().map(str::to_owned));
        let hidden = self.begin(call, user.as_deref(), false)? == Some(MockFault::Hidden);
        Ok(if hidden { Vec::new() } else { found })
    }

    pub(super) fn list(&mut self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        let call =
            MockCall { cursor: cursor.map(str::to_owned), filter: filter.map(str::to_owned), ..MockCall::new("list") };
        let hidden: Vec<String> = self.options.faults.iter().filter_map(|fault| fault.user.clone()).collect();
        let fault = match hidden.into_iter().find(|user| self.would_hide(user)) {
            Some(user) => self.begin(call, Some(&user), false)?.map(|fault| (fault, Some(user))),
            None => self.begin(call, None, false)?.map(|fault| (fault, None)),
        };
        let start = match cursor {
            Some(cursor) => cursor.parse::<usize>().map_err(|_| invalid("the cursor is not one of this target"))?,
            None => 0,
        };
        let shown = self.accounts.iter().skip(start).take(self.options.page_size);
        let is_hidden = |account: &TargetAccount| match &fault {
            Some((MockFault::Hidden, Some(user))) => account.username.as_ref() == Some(user),
            Some((MockFault::Hidden, None)) => true,
            _ => false,
        };
        let accounts: Vec<TargetAccount> = shown.filter(|account| !is_hidden(account)).cloned().collect();
        let end = start.saturating_add(self.options.page_size);
        let incomplete = matches!(fault, Some((MockFault::Incomplete, _)));
        let next = (end < self.accounts.len() && !incomplete).then(|| end.to_string());
        let total = self.accounts.iter().filter(|account| !is_hidden(account)).count();
        Ok(Page { complete: next.is_none() && !incomplete, accounts, next, total: u64::try_from(total).ok() })
    }

    fn would_hide(&self, user: &str) -> bool {
        let here =
            |fault: &&ScriptedFault| fault.on == "list" && fault.times > 0 && fault.user.as_deref() == Some(user);
        self.options.faults.iter().any(|fault| here(&fault))
    }

    /// A write: plays the script, then carries out the effect unless the fault stands against it.
    pub(super) fn write(&mut self, call: MockCall, effect: Effect) -> Result<Option<TargetAccount>, ConnectorError> {
        self.settle_late();
        let user = self.subject(&effect);
        let index = self.calls.len();
        let scripted = self.next_fault(&call, user.as_deref());
        self.calls.push(call);
        let result = match scripted.as_ref().map(|scripted| (scripted.fault, scripted.error(true))) {
            _ if !self.reachable => Err(unreachable()),
            Some((MockFault::LostReply, error)) => self.carry_out(&effect).and_then(|made| error.map_or(Ok(made), Err)),
            Some((MockFault::Late, error)) => {
                self.late.push(effect);
                error.map_or(Ok(None), Err)
            }
            Some((_, Some(error))) => Err(error),
            Some((MockFault::Ignored, None)) => self.pretend(&effect),
            Some((MockFault::Hidden, None)) => Err(conflict()),
            Some((_, None)) | None => self.carry_out(&effect),
        };
        self.record(index, result)
    }

    fn begin(&mut self, call: MockCall, user: Option<&str>, writes: bool) -> Result<Option<MockFault>, ConnectorError> {
        self.settle_late();
        let index = self.calls.len();
        let scripted = self.next_fault(&call, user);
        self.calls.push(call);
        let error =
            if self.reachable { scripted.as_ref().and_then(|one| one.error(writes)) } else { Some(unreachable()) };
        self.record(index, error.map_or(Ok(scripted.map(|one| one.fault)), Err))
    }

    fn record<T>(&mut self, index: usize, result: Result<T, ConnectorError>) -> Result<T, ConnectorError> {
        if let (Some(call), Err(error)) = (self.calls.get_mut(index), &result) {
            call.outcome = error.outcome.name().to_owned();
        }
        result
    }

    fn next_fault(&mut self, call: &MockCall, user: Option<&str>) -> Option<ScriptedFault> {
        if !self.reachable {
            return None;
        }
        self.options.faults.iter_mut().find_map(|fault| fault.befalls(call, user).then(|| fault.clone()))
    }

    fn settle_late(&mut self) {
        for effect in std::mem::take(&mut self.late) {
            // A late write has nobody left to answer to: whether it went well shows in the accounts.
            let _ = self.carry_out(&effect);
        }
    }

    fn subject(&self, effect: &Effect) -> Option<String> {
        match effect {
            Effect::Create { attributes, .. } => text(attributes, "userName"),
            Effect::Update { external_id, .. } | Effect::Set { external_id, .. } | Effect::Delete { external_id } => {
                self.username(external_id)
            }
            Effect::Members { .. } => None,
        }
    }

    fn username(&self, external_id: &str) -> Option<String> {
        self.at(external_id)?.username.clone()
    }

    fn carry_out(&mut self, effect: &Effect) -> Result<Option<TargetAccount>, ConnectorError> {
        match effect {
            Effect::Create { attributes, key } => self.create(attributes, key).map(Some),
            Effect::Update { external_id, changes } => self.update(external_id, changes).map(Some),
            Effect::Set { external_id, set } => {
                let mut account = self.existing(external_id)?;
                set(&mut account);
                Ok(Some(self.replace(account)))
            }
            Effect::Delete { external_id } => {
                self.take(external_id);
                self.groups.values_mut().for_each(|group| group.members.retain(|member| member != external_id));
                Ok(None)
            }
            Effect::Members { group, add, remove } => {
                let unknown = add.iter().find(|id| !self.accounts.iter().any(|account| account.external_id == **id));
                let refused = unknown.map(|_| invalid("a member is no account of the target"));
                let group = self.groups.get_mut(group).ok_or_else(|| {
                    let message = "the group does not exist at the target";
                    ConnectorError::new(Outcome::Rejected, Code::GroupMissing.name(), message)
                })?;
                if let Some(refused) = refused {
                    return Err(refused);
                }
                group.members.extend(add.iter().cloned());
                group.members.retain(|member| !remove.contains(member));
                Ok(None)
            }
        }
    }

    fn create(&mut self, attributes: &Attributes, key: &str) -> Result<TargetAccount, ConnectorError> {
        if self.options.idempotency_key
            && let Some(known) = self.made_by_key.get(key).cloned()
        {
            return self.existing(&known);
        }
        let Some(username) = text(attributes, "userName") else {
            return Err(ConnectorError::new(Outcome::Rejected, Code::Rejected.name(), "`userName` is missing"));
        };
        self.check_free(&username, None)?;
        while self.at(&self.next_id.to_string()).is_some() {
            self.next_id += 1;
        }
        let account = fresh(self.next_id.to_string(), username, attributes);
        self.next_id += 1;
        self.made_by_key.insert(key.to_owned(), account.external_id.clone());
        self.put(account.clone());
        self.existing(&account.external_id)
    }

    fn update(&mut self, external_id: &str, changes: &[Change]) -> Result<TargetAccount, ConnectorError> {
        let mut account = self.existing(external_id)?;
        Change::apply_all(changes, &mut account.attributes)
            .map_err(|fault| invalid(&format!("`{}` is no attribute path", fault.attribute.unwrap_or_default())))?;
        account.username = text(&account.attributes, "userName");
        account.active = account.attributes.get("active").and_then(Value::as_bool).unwrap_or(account.active);
        match &account.username {
            Some(username) => self.check_free(username, Some(external_id))?,
            None => return Err(invalid("`userName` cannot be removed")),
        }
        Ok(self.replace(account))
    }

    fn pretend(&self, effect: &Effect) -> Result<Option<TargetAccount>, ConnectorError> {
        match effect {
            Effect::Create { attributes, .. } => {
                let username = text(attributes, "userName").unwrap_or_default();
                Ok(Some(fresh(self.next_id.to_string(), username, attributes)))
            }
            Effect::Update { external_id, .. } => self.existing(external_id).map(Some),
            Effect::Set { .. } | Effect::Delete { .. } | Effect::Members { .. } => Ok(None),
        }
    }

    fn existing(&self, external_id: &str) -> Result<TargetAccount, ConnectorError> {
        self.at(external_id).cloned().ok_or_else(|| {
            ConnectorError::new(Outcome::Rejected, Code::AccountMissing.name(), "the account does not exist")
        })
    }

    fn replace(&mut self, mut account: TargetAccount) -> TargetAccount {
        let before = account.version.as_deref().and_then(|version| version.parse::<u64>().ok()).unwrap_or(0);
        account.version = Some(before.saturating_add(1).to_string());
        account.attributes.insert("active".to_owned(), Value::Bool(account.active));
        self.put(account.clone());
        account
    }

    fn check_free(&self, username: &str, holder: Option<&str>) -> Result<(), ConnectorError> {
        let name = username.to_lowercase();
        let own = holder.and_then(|holder| self.at(holder)?.username.as_ref()).map(|own| own.to_lowercase());
        let others = self.usernames.get(&name).copied().unwrap_or(0) - usize::from(own.as_ref() == Some(&name));
        let taken = others > 0;
        if self.options.unique && taken { Err(conflict()) } else { Ok(()) }
    }
}

fn fresh(external_id: String, username: String, attributes: &Attributes) -> TargetAccount {
    TargetAccount {
        external_id,
        active: attributes.get("active").and_then(Value::as_bool).unwrap_or(true),
        username: Some(username),
        frozen: false,
        attributes: attributes.clone(),
        version: Some("1".to_owned()),
    }
}

fn text(attributes: &Attributes, name: &str) -> Option<String> {
    member(attributes, name)?.as_str().map(str::to_owned)
}

fn same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::String(found), Value::String(wanted)) => found.to_lowercase() == wanted.to_lowercase(),
        (found, wanted) => found == wanted,
    }
}

fn unreachable() -> ConnectorError {
    ConnectorError::new(Outcome::NotApplied, Code::Unreachable.name(), "the target could not be reached")
}

fn conflict() -> ConnectorError {
    ConnectorError::new(Outcome::Conflict, Code::Conflict.name(), "such an account exists already")
}

fn invalid(message: &str) -> ConnectorError {
    ConnectorError::new(Outcome::Rejected, Code::Rejected.name(), message)
}
