//! The SCIM 2.0 connector (RFC 7643, RFC 7644), for targets as they are: what a target turns out not to do is remembered
//! and done in the next best way. It speaks through the [`Http`] port and knows no client.

mod answer;
mod body;
mod changed;
mod dates;
mod declared;
mod discovery;
mod exchange;
mod groups;
mod lessons;
mod lines;
mod listing;
mod members;
mod parts;
mod patience;
mod probe;
mod request;
mod schema;
mod search;
mod selection;
mod shape;
mod strict;
mod unread;
mod url;
mod whole_list;
mod write;

use crate::connector::{
    AttributeSelection, Capabilities, Change, ChangeKind, Connector, ConnectorError, Outcome, Page, PageLines,
    SchemaAttribute, TargetAccount, TargetCall, TargetRequest,
};
use crate::fault::{Code, Fault};
use crate::http::{Authorization, FixedAuthorization, Http, Method, Response};
use crate::model::{ScimDefinition, TargetDescription};
use crate::path::member;
use crate::secret::Secret;
use crate::time::{Period, Timestamp};
use crate::value::{Attributes, fold_case};
pub use lessons::Memory;
pub(crate) use lessons::with_lessons;
pub use probe::Probed;
pub(crate) use request::requests;

use body::PathChange;
use exchange::{Exchange, is_missing, succeeded, unreadable};
use lessons::Knowledge;
use selection::Part;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};

/// The attributes of the standard's User and its enterprise extension (RFC 7643 §4.1, §4.3), for targets that were not
/// asked yet.
pub fn built_in_schema() -> Vec<SchemaAttribute> {
    schema::standard()
}

/// Whether a definition's base URL may be called.
///
/// # Errors
/// `invalid_url`, as for [`ScimConnector::new`].
pub(crate) fn check_base_url(text: &str) -> Result<(), Fault> {
    url::BaseUrl::parse(text).map(drop)
}

/// Whether a definition's token endpoint may be called, by the same rules.
///
/// # Errors
/// `invalid_url`.
pub(crate) fn check_token_endpoint(text: &str) -> Result<(), Fault> {
    url::BaseUrl::parse(text).map(drop).map_err(|fault| {
        let message = fault.message.replace("the base URL", "the token endpoint");
        Fault::new(fault.code, message.replace("/scim/v2", "/oauth/token")).at("connector.auth.token_endpoint")
    })
}

/// How many accounts a page is asked for.
const PAGE_SIZE: u32 = 100;

/// A connector to one SCIM target.
pub struct ScimConnector {
    exchange: Exchange,
    page_size: u32,
    /// Whether a PATCH was taken.
    patched: AtomicBool,
    /// How often a PATCH failed where PUT did not.
    failed_patches: AtomicU32,
    /// Whether the answer to a change shows the account as it is afterwards.
    answers_are_current: AtomicBool,
    /// Attributes that were sent in a second way, and in vain.
    in_vain: Mutex<BTreeSet<String>>,
}

impl ScimConnector {
    /// A connector to the target of `definition` that proves itself by the bearer `token`, and gives every request
    /// `timeout`. Nothing is sent yet.
    ///
    /// # Errors
    /// `invalid_url` where the base URL is none, is not `https` (or `http` on the machine itself) or holds credentials;
    /// `secret_missing` where the definition has credentials and no token is given; `invalid_argument` where the token
    /// cannot stand in a header or the page size is out of its range.
    pub fn new(
        definition: &ScimDefinition,
        token: Option<Secret>,
        http: Arc<dyn Http>,
        timeout: Period,
    ) -> Result<Self, Fault> {
        if definition.auth.is_some() && token.is_none() {
            return Err(Fault::new(Code::SecretMissing, "the connector's token is missing").at("connector.auth"));
        }
        if token.as_ref().is_some_and(|token| !token.reveal().bytes().all(|byte| byte.is_ascii_graphic())) {
            let message = "the connector's token has characters that cannot stand in a header";
            return Err(Fault::new(Code::InvalidArgument, message).at("connector.auth"));
        }
        let header = token.map(|token| Secret::new(format!("Bearer {}", token.reveal())));
        Self::authorized(definition, Arc::new(FixedAuthorization(header)), http, timeout)
    }

    /// A connector that proves itself by what `authorization` gives.
    ///
    /// # Errors
    /// `invalid_url` and `invalid_argument` as of [`ScimConnector::new`].
    pub fn authorized(
        definition: &ScimDefinition,
        authorization: Arc<dyn Authorization>,
        http: Arc<dyn Http>,
        timeout: Period,
    ) -> Result<Self, Fault> {
        let base = url::BaseUrl::parse(&definition.base_url)?;
        let features = definition.effective_features();
        let page_size = features.page_size.unwrap_or(PAGE_SIZE);
        if !(1..=10_000).contains(&page_size) {
            let fault = Fault::new(Code::InvalidArgument, "the page size must be between 1 and 10,000");
            return Err(fault.at("connector.features.page_size"));
        }
        let knowledge = Knowledge::new(definition);
        Ok(Self::with(Exchange::new(http, base, authorization, timeout, knowledge), page_size))
    }

    fn with(exchange: Exchange, page_size: u32) -> Self {
        Self {
            exchange,
            page_size,
            patched: AtomicBool::new(false),
            failed_patches: AtomicU32::new(0),
            answers_are_current: AtomicBool::new(false),
            in_vain: Mutex::default(),
        }
    }

    /// A connector to the same target over another client, which knows no more than the definition says.
    fn over(&self, http: Arc<dyn Http>) -> Self {
        Self::with(self.exchange.over(http), self.page_size)
    }

    fn groups(
        &self,
        cursor: Option<&str>,
        shown: groups::Shown,
    ) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        if !self.exchange.knowledge.has_groups() {
            return Err(ConnectorError::unsupported("list_groups"));
        }
        groups::page(&self.exchange, self.page_size, cursor, shown)
    }

    /// Begins with what was learnt of the target before, and hands what is learnt to `memory`.
    #[must_use]
    pub fn remembering(mut self, learnt: &Attributes, memory: Memory) -> Self {
        self.exchange.knowledge.remember(learnt, memory);
        self
    }

    fn url_of(&self, external_id: &str) -> Result<String, ConnectorError> {
        self.exchange.base.user(external_id).ok_or_else(|| {
            let message = "the external id cannot stand in a URL";
            ConnectorError::new(Outcome::Rejected, Code::InvalidId.name(), message)
        })
    }

    /// The resource of an account, `None` where there is none.
    fn resource(&self, external_id: &str) -> Result<Option<Attributes>, ConnectorError> {
        Ok(self.seen(external_id)?.map(|(resource, _)| resource))
    }

    /// The resource of an account and its version, where the target tells one.
    fn seen(&self, external_id: &str) -> Result<Option<(Attributes, Option<String>)>, ConnectorError> {
        let response = self.exchange.get(&self.url_of(external_id)?)?;
        if is_missing(&response) {
            return Ok(None);
        }
        let response = succeeded(Method::Get, response)?;
        let unreadable = || unreadable(Method::Get, "the target's answer is no account");
        let resource = answer::resource(&response.body).ok_or_else(unreadable)?;
        let in_meta = || {
            let meta = resource.get("meta").and_then(Value::as_object)?;
            member(meta, "version").and_then(Value::as_str).map(str::to_owned)
        };
        let version = response.header("etag").map(str::to_owned).or_else(in_meta);
        Ok(Some((resource, version)))
    }

    /// The account that was asked for; `None` where the target says that there is none.
    fn account_of(&self, response: Response, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        if is_missing(&response) {
            return Ok(None);
        }
        let response = succeeded(Method::Get, response)?;
        let account = answer::resource(&response.body).and_then(answer::account);
        // A list, an error or somebody else's account with a status of success is not an answer.
        let ours = account.filter(|account| is_same(account, external_id));
        ours.map(Some)
            .ok_or_else(|| unreadable(Method::Get, "the target's answer is not the account that was asked for"))
    }

    /// The account that a create made, wherever the target tells of it: in the answer, behind `Location`, or by a search.
    fn made(&self, response: &Response, sent: &Attributes) -> Result<TargetAccount, ConnectorError> {
        if let Some(mut account) = answer::resource(&response.body).and_then(answer::account) {
            if is_renamed(&account, sent) {
                // Trying again would make one more.
                let message =
                    "the target made the account under another name, since somebody has the name that was sent";
                let error = ConnectorError::new(Outcome::Rejected, Code::ConflictGhost.name(), message);
                return Err(ConnectorError { external_id: Some(account.external_id), ..error });
            }
            if is_another(&account, sent) {
                let message = "the target answered with another account than the one that was sent";
                return Err(ConnectorError::new(Outcome::Conflict, Code::Conflict.name(), message));
            }
            let username = member(sent, "userName").and_then(Value::as_str).map(str::to_owned);
            account.username = account.username.or(username);
            return Ok(account);
        }
        let without_id = || unreadable(Method::Post, "the target answered success without an account's id");
        let by_location = response.header("location").and_then(url::id_of_location);
        if let Some(id) = by_location
            && let Ok(Some(account)) = self.read(&id)
        {
            return Ok(account);
        }
        self.search_made(sent).ok().flatten().ok_or_else(without_id)
    }

    /// The one account with the external id or user name that was sent. An account with another external id is not ours.
    fn search_made(&self, sent: &Attributes) -> Result<Option<TargetAccount>, ConnectorError> {
        let ours = member(sent, "externalId").filter(|value| value.is_string());
        for attribute in ["externalId", "userName"] {
            let Some(value) = member(sent, attribute).filter(|value| value.is_string()) else { continue };
            let mut found = self.find(attribute, value)?;
            found.retain(|account| {
                let external = member(&account.attributes, "externalId").filter(|value| value.as_str() != Some(""));
                external.is_none() || external == ours
            });
            match (found.pop(), found.is_empty()) {
                (Some(account), true) => return Ok(Some(account)),
                (Some(_), false) => return Ok(None),
                (None, _) => {}
            }
        }
        Ok(None)
    }

    fn set_active(&self, external_id: &str, active: bool) -> Result<(), ConnectorError> {
        let change = Change { kind: ChangeKind::Replace, path: "active".to_owned(), value: Some(json!(active)) };
        self.update(external_id, &[change], None).map(drop)
    }
}

impl Connector for ScimConnector {
    fn capabilities(&self) -> Capabilities {
        let knowledge = &self.exchange.knowledge;
        let own = knowledge.features().unique_keys.iter().filter(|key| *key != "userName").cloned();
        let user_name = knowledge.has_unique_names().then(|| "userName".to_owned());
        let unique_keys = user_name.into_iter().chain(own).collect();
        Capabilities { search: true, unique_keys, groups: knowledge.has_groups(), ..Capabilities::default() }
    }

    fn requests_of(&self, call: TargetCall<'_>) -> Option<Vec<TargetRequest>> {
        request::of_call(&self.exchange.base, &self.exchange.knowledge, call).ok()
    }

    /// Asks for one account: discovery documents often need no credentials and so prove nothing.
    fn test(&self) -> Result<(), ConnectorError> {
        listing::page(&self.exchange, 1, None, None).map(drop)
    }

    fn schema(&self) -> Result<Vec<SchemaAttribute>, ConnectorError> {
        Ok(discovery::attributes(&self.exchange))
    }

    fn discover(&self) -> Result<TargetDescription, ConnectorError> {
        Ok(discovery::describe(&self.exchange))
    }

    fn find(&self, attribute: &str, value: &Value) -> Result<Vec<TargetAccount>, ConnectorError> {
        if attribute.eq_ignore_ascii_case("id") {
            return match value.as_str() {
                Some(id) => self.read(id).map(|account| account.into_iter().collect()),
                None => Ok(Vec::new()),
            };
        }
        search::find(&self.exchange, self.page_size, attribute, value, &|id| self.read(id))
    }

    fn read(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        self.account_of(self.exchange.get(&self.url_of(external_id)?)?, external_id)
    }

    fn read_status(&self, external_id: &str) -> Result<Option<TargetAccount>, ConnectorError> {
        let shows = |response: &Response| {
            let account = answer::resource(&response.body).and_then(answer::account);
            account.is_some_and(|account| {
                let shown = (account.attributes.get("userName"), account.attributes.get("active"));
                is_same(&account, external_id) && matches!(shown, (Some(_), Some(Value::Bool(_))))
            })
        };
        let response = self.exchange.get_part(&self.url_of(external_id)?, Part::Of(&["userName", "active"]), shows)?;
        self.account_of(response, external_id)
    }

    fn create(&self, attributes: &Attributes, _idempotency_key: &str) -> Result<TargetAccount, ConnectorError> {
        let url = self.exchange.base.endpoint("Users", &[]);
        let response = self.exchange.send(Method::Post, &url, Some(&body::of_create(attributes)))?;
        self.made(&succeeded(Method::Post, response)?, attributes)
    }

    fn update(
        &self,
        external_id: &str,
        changes: &[Change],
        _version: Option<&str>,
    ) -> Result<Option<TargetAccount>, ConnectorError> {
        let read = PathChange::read_all(changes).map_err(invalid_path)?;
        if read.is_empty() {
            return Ok(None);
        }
        self.write(external_id, &read)
    }

    fn activate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.set_active(external_id, true)
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.set_active(external_id, false)
    }

    fn delete(&self, external_id: &str) -> Result<(), ConnectorError> {
        let response = self.send_change(Method::Delete, external_id, None)?;
        if is_missing(&response) {
            return Ok(());
        }
        match succeeded(Method::Delete, response) {
            // Some targets fail on an account that is not there; looking settles it.
            Err(error) if error.outcome == Outcome::Ambiguous && matches!(self.read(external_id), Ok(None)) => {
                drop(error);
                Ok(())
            }
            other => other.map(drop),
        }
    }

    fn list(&self, cursor: Option<&str>, filter: Option<&str>) -> Result<Page, ConnectorError> {
        listing::page(&self.exchange, self.page_size, cursor, filter)
    }

    fn list_lines(
        &self,
        cursor: Option<&str>,
        filter: Option<&str>,
        read: Option<&AttributeSelection>,
    ) -> Result<PageLines, ConnectorError> {
        listing::page_lines(&self.exchange, self.page_size, cursor, filter, read)
    }

    fn list_changed(
        &self,
        since: Timestamp,
        cursor: Option<&str>,
        read: Option<&AttributeSelection>,
    ) -> Result<PageLines, ConnectorError> {
        changed::page(&self.exchange, self.page_size, since, cursor, read)
    }

    fn list_groups(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        self.groups(cursor, groups::Shown::Members)
    }

    fn group_names(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        self.groups(cursor, groups::Shown::Names)
    }

    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        let knowledge = &self.exchange.knowledge;
        if !knowledge.has_groups() {
            return Err(ConnectorError::unsupported("change_members"));
        }
        members::change(&self.exchange, knowledge.member_removal(), group, add, remove)
    }
}

fn is_same(account: &TargetAccount, external_id: &str) -> bool {
    account.external_id.eq_ignore_ascii_case(external_id)
}

/// Whether the target answered a create with an account that was there before: not by our `externalId`, and with other texts
/// in it than were sent. What a target only cuts or spells in its own way is the same.
fn is_another(account: &TargetAccount, sent: &Attributes) -> bool {
    let ours = member(sent, "externalId").filter(|value| value.is_string());
    let shown = member(&account.attributes, "externalId").filter(|value| value.as_str() != Some(""));
    if ours.is_none() || shown == ours {
        return false;
    }
    let differs = |sent: &Value, shown: Option<&Value>| match (sent, shown) {
        (Value::String(sent), Some(Value::String(shown))) if !shown.is_empty() => {
            !fold_case(sent.trim()).starts_with(&fold_case(shown.trim()))
        }
        _ => false,
    };
    sent.iter().filter(|(name, _)| *name != "externalId").any(|(name, value)| {
        let shown = member(&account.attributes, name);
        match (value, shown) {
            (Value::Object(parts), Some(Value::Object(shown))) => {
                parts.iter().any(|(part, value)| differs(value, member(shown, part)))
            }
            (value, shown) => differs(value, shown),
        }
    })
}

/// Whether the name of a new account got a number, as some targets do where somebody has the name.
fn is_renamed(account: &TargetAccount, sent: &Attributes) -> bool {
    let name = |attributes: &Attributes| member(attributes, "userName").and_then(Value::as_str).map(fold_case);
    let (Some(name), Some(numbered)) = (name(sent), name(&account.attributes)) else { return false };
    let common = name.bytes().zip(numbered.bytes()).take_while(|(one, other)| one == other).count();
    let added = numbered.len().checked_sub(name.len()).filter(|added| *added > 0);
    let Some(added) = added else { return false };
    let digits = numbered.as_bytes().get(common..common + added);
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
        && numbered.as_bytes().get(common + added..) == name.as_bytes().get(common..)
}

fn invalid_path(fault: Fault) -> ConnectorError {
    let message = format!("`{}` is no attribute path that can be sent", fault.attribute.unwrap_or_default());
    ConnectorError::new(Outcome::Rejected, Code::InvalidPath.name(), message)
}
