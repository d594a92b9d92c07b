//! Taking members out of a group by the list of those that stay: for a target that does it in no other way. The group is read
//! right before, and whoever was added by somebody else in between is put out, unless the target minds the version that is named.

use super::exchange::{Exchange, failure, is_missing, succeeded, unreadable};
use super::members::{message, missing};
use super::selection::Part;
use super::strict;
use crate::connector::{ConnectorError, Outcome};
use crate::fault::Code;
use crate::http::Method;
use crate::path::member;
use crate::value::Attributes;
use serde_json::{Value, json};

/// Takes these accounts out of the group at `url`.
pub(super) fn remove(exchange: &Exchange, url: &str, remove: &[String]) -> Result<(), ConnectorError> {
    let (shown, version) = read(exchange, url)?;
    let mut out = remove.to_vec();
    // A target may show its members by their logins.
    if !shown.is_empty() && !remove.iter().all(|id| shown.iter().any(|one| is_one_of(one, std::slice::from_ref(id)))) {
        out.extend(logins(exchange, remove)?);
    }
    let stay: Vec<&Value> = shown.iter().filter(|one| !is_one_of(one, &out)).collect();
    if stay.len() == shown.len() {
        return Ok(());
    }
    let body = message(&json!([{"op": "replace", "path": "members", "value": stay}]));
    let response = exchange.send_for(Method::Patch, url, Some(&body), version.as_deref())?;
    let response = succeeded(Method::Patch, response)?;
    let left = strict::read(&response.body).and_then(|body| members(body.as_object()?)).flatten();
    if left.is_some_and(|left| left.iter().any(|one| is_one_of(one, &out))) {
        let message = "the target answered success and still shows the members that were to be removed";
        return Err(ConnectorError::new(Outcome::Ambiguous, Code::NotConfirmed.name(), message));
    }
    Ok(())
}

/// The members that the group shows, and its version where it has one. A group without any is asked for them by name, since some
/// targets show them to nobody else; one that still says nothing of them may hide them, and is not taken for empty.
fn read(exchange: &Exchange, url: &str) -> Result<(Vec<Value>, Option<String>), ConnectorError> {
    let (shown, version) = ask(exchange, url)?;
    if let Some(shown) = shown {
        return Ok((shown, version));
    }
    let (shown, _) = ask(exchange, &Part::Of(&["members"]).of(url))?;
    let message =
        "the target does not show who is in the group, so that nobody can be taken out by the list of who stays";
    let hidden = || ConnectorError::new(Outcome::Rejected, Code::Unsupported.name(), message);
    Ok((shown.ok_or_else(hidden)?, version))
}

/// What the group shows of its members, `None` where it does not mention them, and its version.
fn ask(exchange: &Exchange, url: &str) -> Result<(Option<Vec<Value>>, Option<String>), ConnectorError> {
    let response = exchange.get(url)?;
    if is_missing(&response) {
        return Err(missing(exchange));
    }
    let response = succeeded(Method::Get, response)?;
    let invalid = || unreadable(Method::Get, "the target shows a group that cannot be read");
    let body = strict::read(&response.body).ok_or_else(invalid)?;
    let group = body.as_object().ok_or_else(invalid)?;
    // Without an id it may be anything, an error with a status of success among them.
    member(group, "id").ok_or_else(invalid)?;
    let version = member(group, "meta").and_then(Value::as_object).and_then(|meta| member(meta, "version"));
    let version = version.and_then(Value::as_str).map(str::to_owned);
    Ok((members(group).ok_or_else(invalid)?, version))
}

/// The members of a group, where it mentions them; `None` where they cannot be read.
fn members(group: &Attributes) -> Option<Option<Vec<Value>>> {
    match member(group, "members") {
        None | Some(Value::Null) => Some(None),
        Some(Value::Array(shown)) => Some(Some(shown.clone())),
        Some(_) => None,
    }
}

fn is_one_of(shown: &Value, ids: &[String]) -> bool {
    let value = match shown {
        Value::Object(parts) => member(parts, "value"),
        bare => Some(bare),
    };
    let is = |id: &String| match value {
        Some(Value::String(text)) => text == id,
        Some(Value::Number(number)) => number.to_string() == *id,
        _ => false,
    };
    ids.iter().any(is)
}

/// The logins of these accounts; who is gone has none.
fn logins(exchange: &Exchange, ids: &[String]) -> Result<Vec<String>, ConnectorError> {
    let mut logins = Vec::new();
    for url in ids.iter().filter_map(|id| exchange.base.user(id)) {
        let response = exchange.get_part(&url, Part::Of(&["userName"]), |account| login(&account.body).is_some())?;
        match response.status {
            200..=299 => logins.extend(login(&response.body)),
            _ if is_missing(&response) => {}
            _ => return Err(failure(Method::Get, &response)),
        }
    }
    Ok(logins)
}

fn login(body: &[u8]) -> Option<String> {
    let body = strict::read(body);
    let login = body.as_ref().and_then(Value::as_object).and_then(|account| member(account, "userName"));
    login.and_then(Value::as_str).map(str::to_owned)
}
