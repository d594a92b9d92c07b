//! The SCIM 2.0 connector (RFC 7643, RFC 7644), for targets as they are: what a target turns out not to do is remembered
//! and done in the next best way. It speaks through the [`Http`] port and knows no client.

mod answer;
mod body;
mod declared;
mod discovery;
mod exchange;
mod groups;
mod lines;
mod listing;
mod members;
mod parts;
mod patience;
mod request;
mod schema;
mod search;
mod shape;
mod strict;
mod url;

use crate::connector::{
    AttributeSelection, Capabilities, Change, ChangeKind, Connector, ConnectorError, Outcome, Page, PageLines,
    SchemaAttribute, TargetAccount, TargetCall, TargetRequest,
};
use crate::fault::{Code, Fault};
use crate::http::{Authorization, FixedAuthorization, Http, Method, Response};
use crate::model::{ScimDefinition, TargetDescription};
use crate::path::member;
use crate::secret::Secret;
use crate::time::Period;
use crate::value::Attributes;
pub(crate) use request::requests;

use body::PathChange;
use exchange::{Exchange, failure, is_missing, missing, scim_type, succeeded, unreadable};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    unique_keys: Vec<String>,
    /// Whether PUT may take the place of PATCH.
    may_put: bool,
    /// Whether PATCH works, as far as is known.
    patch: AtomicBool,
    /// Whether paths with a filter work, as far as is known.
    filter_paths: AtomicBool,
    /// Whether the target may be asked for groups.
    has_groups: bool,
    removal: members::Removal,
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
        let features = &definition.features;
        let page_size = features.page_size.unwrap_or(PAGE_SIZE);
        if !(1..=10_000).contains(&page_size) {
            let fault = Fault::new(Code::InvalidArgument, "the page size must be between 1 and 10,000");
            return Err(fault.at("connector.features.page_size"));
        }
        let mut unique_keys = vec!["userName".to_owned()];
        unique_keys.extend(features.unique_keys.iter().filter(|key| *key != "userName").cloned());
        Ok(Self {
            exchange: Exchange::new(http, base, authorization, timeout, features.forbidden_is_rate_limit),
            page_size,
            unique_keys,
            may_put: features.patch != Some(true),
            patch: AtomicBool::new(features.patch != Some(false)),
            filter_paths: AtomicBool::new(true),
            has_groups: features.groups != Some(false),
            removal: members::Removal::new(features.member_removal),
        })
    }

    fn groups(
        &self,
        cursor: Option<&str>,
        shown: groups::Shown,
    ) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        if !self.has_groups {
            return Err(ConnectorError::unsupported("list_groups"));
        }
        groups::page(&self.exchange, self.page_size, cursor, shown)
    }

    fn url_of(&self, external_id: &str) -> Result<String, ConnectorError> {
        self.exchange.base.user(external_id).ok_or_else(|| {
            let message = "the external id cannot stand in a URL";
            ConnectorError::new(Outcome::Rejected, Code::InvalidId.name(), message)
        })
    }

    /// The resource of an account, `None` where there is none.
    fn resource(&self, external_id: &str) -> Result<Option<Attributes>, ConnectorError> {
        let response = self.exchange.get(&self.url_of(external_id)?)?;
        if is_missing(&response) {
            return Ok(None);
        }
        let response = succeeded(Method::Get, response)?;
        let unreadable = || unreadable(Method::Get, "the target's answer is no account");
        answer::resource(&response.body).map(Some).ok_or_else(unreadable)
    }

    /// The account that a create made, wherever the target tells of it: in the answer, behind `Location`, or by a search.
    fn made(&self, response: &Response, sent: &Attributes) -> Result<TargetAccount, ConnectorError> {
        if let Some(mut account) = answer::resource(&response.body).and_then(answer::account) {
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

    fn patch(&self, external_id: &str, changes: &[PathChange]) -> Result<Patched, ConnectorError> {
        let mut shown = None;
        for part in body::parts(changes) {
            match self.patch_part(external_id, &part)? {
                Patched::Done(account) => shown = account.or(shown),
                Patched::Unsupported => return Ok(Patched::Unsupported),
            }
        }
        Ok(Patched::Done(shown))
    }

    fn patch_part(&self, external_id: &str, changes: &[PathChange]) -> Result<Patched, ConnectorError> {
        let url = self.url_of(external_id)?;
        let filtered = changes.iter().any(|change| change.path.element().is_some());
        let shown = if filtered { Some(self.resource(external_id)?.ok_or_else(missing)?) } else { None };
        let whole = |shown: &Attributes| body::of_whole_patch(changes, shown);
        let known_not_to_filter = !self.filter_paths.load(Ordering::Relaxed);
        let Some(body) = body::of_part(changes, shown.as_ref(), !known_not_to_filter) else {
            return Ok(Patched::Done(None));
        };
        let mut response = self.exchange.send(Method::Patch, &url, Some(&body))?;
        if let Some(shown) = &shown
            && !known_not_to_filter
            && matches!(response.status, 400 | 500 | 501)
            && let Some(body) = whole(shown)
        {
            // Replacing a whole list is the same in effect, so that it may follow even an answer that leaves doubt.
            let again = self.exchange.send(Method::Patch, &url, Some(&body))?;
            if (200..300).contains(&again.status) {
                // A missing element is a matter of this account; every other refusal is one of the target.
                self.filter_paths.store(scim_type(&response) == Some("noTarget"), Ordering::Relaxed);
                response = again;
            }
        }
        match response.status {
            200..=299 => Ok(Patched::Done(answer::resource(&response.body).and_then(answer::account))),
            405 | 501 if self.may_put => Ok(Patched::Unsupported),
            400 if self.may_put && scim_type(&response) == Some("noTarget") => {
                self.put(external_id, changes).map(Patched::Done)
            }
            404 | 410 => match self.read(external_id) {
                Ok(None) => Err(missing()),
                // The account is there, so that it is PATCH that is not.
                Ok(Some(_)) if self.may_put && response.status == 404 => Ok(Patched::Unsupported),
                Ok(Some(_)) => Err(failure(Method::Patch, &response)),
                Err(_) if is_missing(&response) => Err(missing()),
                Err(error) => Err(error),
            },
            _ => Err(failure(Method::Patch, &response)),
        }
    }

    fn put(&self, external_id: &str, changes: &[PathChange]) -> Result<Option<TargetAccount>, ConnectorError> {
        let shown = self.resource(external_id)?.ok_or_else(missing)?;
        let response =
            self.exchange.send(Method::Put, &self.url_of(external_id)?, Some(&body::of_put(shown, changes)))?;
        if is_missing(&response) {
            return Err(missing());
        }
        let response = succeeded(Method::Put, response)?;
        Ok(answer::resource(&response.body).and_then(answer::account))
    }

    fn set_active(&self, external_id: &str, active: bool) -> Result<(), ConnectorError> {
        let change = Change { kind: ChangeKind::Replace, path: "active".to_owned(), value: Some(json!(active)) };
        self.update(external_id, &[change], None).map(drop)
    }
}

/// How a PATCH ended that did not fail.
enum Patched {
    Done(Option<TargetAccount>),
    Unsupported,
}

impl Connector for ScimConnector {
    fn capabilities(&self) -> Capabilities {
        let unique_keys = self.unique_keys.clone();
        Capabilities { search: true, unique_keys, groups: self.has_groups, ..Capabilities::default() }
    }

    fn requests_of(&self, call: TargetCall<'_>) -> Option<Vec<TargetRequest>> {
        let manner = request::Manner {
            patch: self.patch.load(Ordering::Relaxed),
            filter_paths: self.filter_paths.load(Ordering::Relaxed),
        };
        request::of_call(&self.exchange.base, manner, call).ok()
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
        let Some(resource) = self.resource(external_id)? else { return Ok(None) };
        let account = answer::account(resource);
        // A list, an error or somebody else's account with a status of success is not an answer.
        let ours = account.filter(|account| account.external_id.eq_ignore_ascii_case(external_id));
        ours.map(Some)
            .ok_or_else(|| unreadable(Method::Get, "the target's answer is not the account that was asked for"))
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
        if self.patch.load(Ordering::Relaxed) {
            match self.patch(external_id, &read)? {
                Patched::Done(account) => return Ok(account),
                Patched::Unsupported => self.patch.store(false, Ordering::Relaxed),
            }
        }
        self.put(external_id, &read)
    }

    fn activate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.set_active(external_id, true)
    }

    fn deactivate(&self, external_id: &str) -> Result<(), ConnectorError> {
        self.set_active(external_id, false)
    }

    fn delete(&self, external_id: &str) -> Result<(), ConnectorError> {
        let response = self.exchange.send(Method::Delete, &self.url_of(external_id)?, None)?;
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

    fn list_groups(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        self.groups(cursor, groups::Shown::Members)
    }

    fn group_names(&self, cursor: Option<&str>) -> Result<(Vec<Attributes>, Option<String>), ConnectorError> {
        self.groups(cursor, groups::Shown::Names)
    }

    fn change_members(&self, group: &str, add: &[String], remove: &[String]) -> Result<(), ConnectorError> {
        if !self.has_groups {
            return Err(ConnectorError::unsupported("change_members"));
        }
        members::change(&self.exchange, &self.removal, group, add, remove)
    }
}

fn invalid_path(fault: Fault) -> ConnectorError {
    let message = format!("`{}` is no attribute path that can be sent", fault.attribute.unwrap_or_default());
    ConnectorError::new(Outcome::Rejected, Code::InvalidPath.name(), message)
}
