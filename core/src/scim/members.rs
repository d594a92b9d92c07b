//! Changing the members of a group: by PATCH and exactly those that are named (RFC 7644 §3.5.2). A group is never put as a whole,
//! and `members` is never removed without saying whose: both would put out everybody else. A list of all members is sent only to
//! a target whose definition says that it takes members out in no other way.

use super::exchange::{Exchange, failure, is_missing, scim_type};
use super::selection::{Part, is_done};
use super::{groups, whole_list};
use crate::connector::{ConnectorError, Outcome};
use crate::fault::Code;
use crate::http::{Method, Response};
use crate::model::MemberRemoval;
use crate::path::member;
use serde_json::{Value, json};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Puts accounts into a group and takes others out of it, the latter first.
pub(super) fn change(
    exchange: &Exchange,
    form: Option<MemberRemoval>,
    group: &str,
    add: &[String],
    remove: &[String],
) -> Result<(), ConnectorError> {
    let url = exchange.base.group(group).ok_or_else(|| {
        let message = "the group's id cannot stand in a URL";
        ConnectorError::new(Outcome::Rejected, Code::InvalidId.name(), message)
    })?;
    let call = Call { exchange, url };
    if !remove.is_empty() {
        call.remove(form, remove)?;
    }
    if add.is_empty() { Ok(()) } else { call.add(add) }
}

/// The operation that adds members.
pub(super) fn addition(add: &[String]) -> Value {
    json!([{"op": "add", "path": "members", "value": values(add)}])
}

/// The operations that remove members, each naming whom.
pub(super) fn removals(form: MemberRemoval, remove: &[String]) -> Value {
    let path = |id: &String| json!({"op": "remove", "path": format!("members[value eq {}]", Value::from(id.as_str()))});
    match form {
        MemberRemoval::Values => json!([{"op": "remove", "path": "members", "value": values(remove)}]),
        MemberRemoval::Filter | MemberRemoval::Replace => remove.iter().map(path).collect(),
    }
}

/// The message with these operations.
pub(super) fn message(operations: &Value) -> Value {
    json!({"schemas": [PATCH], "Operations": operations})
}

fn values(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({"value": id})).collect()
}

struct Call<'a> {
    exchange: &'a Exchange,
    url: String,
}

impl Call<'_> {
    fn patch(&self, operations: &Value) -> Result<Response, ConnectorError> {
        self.exchange.send(Method::Patch, &self.url, Some(&message(operations)))
    }

    /// Nobody reads the members in the answer, of which there may be any number.
    fn add(&self, add: &[String]) -> Result<(), ConnectorError> {
        let response = self.exchange.patch_unread(&self.url, "members", &message(&addition(add)))?;
        if is_done(&response) { Ok(()) } else { Err(self.failed(&response)) }
    }

    /// The other form is never tried by itself: a target that goes by the standard takes a list at the path `members` for a
    /// removal of everybody (RFC 7644 §3.5.2.2).
    fn remove(&self, form: Option<MemberRemoval>, remove: &[String]) -> Result<(), ConnectorError> {
        if form == Some(MemberRemoval::Replace) {
            return whole_list::remove(self.exchange, &self.url, remove);
        }
        let response = self.patch(&removals(form.unwrap_or(MemberRemoval::Filter), remove))?;
        // Who is not in the group is out of it. Of several, somebody else may be meant: they are sent again in smaller parts.
        let no_target = scim_type(&response) == Some("noTarget");
        if remove.len() == 1 && no_target {
            return Ok(());
        }
        if is_done(&response) && still_shows(&response, remove) {
            let message = "the target answered success and still shows the members that were to be removed";
            return Err(ConnectorError::new(Outcome::Ambiguous, Code::NotConfirmed.name(), message));
        }
        if is_done(&response) {
            return Ok(());
        }
        let error = self.failed(&response);
        if form.is_none() && !no_target && matches!(response.status, 400 | 501) {
            let message = "the target does not take members out by a path with a filter; where it takes a list of them, \
                           `features.member_removal` is to say so";
            return Err(ConnectorError { message: message.to_owned(), ..error });
        }
        Err(error)
    }

    /// What a refusal means. That something is not there may be said of the group or of one of the accounts: a look at the
    /// group, without its members, tells.
    fn failed(&self, response: &Response) -> ConnectorError {
        let error = failure(Method::Patch, response);
        if !is_missing(response) {
            return error;
        }
        match self.exchange.get_part(&self.url, Part::Without("members"), |_| true) {
            Ok(group) if is_missing(&group) => missing(self.exchange),
            Ok(_) => error,
            // Where that cannot be found out now, it is asked again.
            Err(unknown) => ConnectorError { outcome: Outcome::NotApplied, ..unknown },
        }
    }
}

/// The group is not shown. A target that hides all of its groups, as one does that takes away the right to see them, says the same
/// of each: it is believed where it shows that it has groups, or has none, and says so.
pub(super) fn missing(exchange: &Exchange) -> ConnectorError {
    let ask = |parameters: &[(&str, &str)]| {
        let url = exchange.base.endpoint("Groups", parameters);
        exchange.get_part(&url, Part::Without("members"), |list| groups::is_list(&list.body))
    };
    let list = match ask(&[("count", "1")]) {
        // Some targets break on the parameter itself.
        Ok(list) if matches!(list.status, 400 | 500) => ask(&[]),
        list => list,
    };
    match list {
        Ok(list) if is_done(&list) && groups::is_list(&list.body) => {
            let message = "the group does not exist at the target";
            ConnectorError::new(Outcome::Rejected, Code::GroupMissing.name(), message)
        }
        Ok(_) => {
            let message = "the target shows no groups at all, so that whether this one is gone is not known; \
                           where it lost the right to see them, give it back";
            ConnectorError::new(Outcome::NotApplied, Code::GroupsHidden.name(), message)
        }
        Err(unknown) => ConnectorError { outcome: Outcome::NotApplied, ..unknown },
    }
}

/// Whether the answer shows the group with one of these among its members. It costs nothing: it is there or it is not.
fn still_shows(response: &Response, removed: &[String]) -> bool {
    let body = super::strict::read(&response.body);
    let members = body.as_ref().and_then(Value::as_object).and_then(|group| member(group, "members"));
    let shown = members.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let id = |shown: &Value| match shown {
        Value::Object(parts) => member(parts, "value").and_then(Value::as_str).map(str::to_owned),
        bare => bare.as_str().map(str::to_owned),
    };
    shown.iter().filter_map(id).any(|id| removed.contains(&id))
}
