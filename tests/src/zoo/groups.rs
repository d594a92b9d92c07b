//! The groups of a server of the zoo: what they really have, and how they are shown and changed.

use super::patch::Refusal;
use super::selection::part;
use super::serve::MISSING;
use super::{Shared, State};
use crate::http::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// How groups are, and how they are changed. Without names there are none, and nothing is known of groups at all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Groups {
    /// The names of those that there are; their ids are `g1`, `g2` and so on.
    pub names: Vec<String>,
    /// Members are not shown.
    pub members_hidden: bool,
    /// Members are shown to those alone who ask for them by name.
    pub members_by_name: bool,
    /// So many members are shown at the most.
    pub members_shown: Option<usize>,
    /// After so many changes everything about groups is answered with 404.
    pub hidden_after: Option<u64>,
    /// More members than so many in one request are refused with this status.
    pub bulk_refused: Option<(usize, u16)>,
    /// PATCH is refused with this status.
    pub patch_refused: Option<u16>,
    /// Removing by a path with a filter is refused with this status.
    pub filter_refused: Option<u16>,
    /// Removing by a path with a filter does nothing, with success.
    pub filter_ignored: bool,
    /// A list of values at the path `members` is refused with this status.
    pub values_refused: Option<u16>,
    /// A list of values at the path `members` removes everybody (RFC 7644 §3.5.2.2).
    pub values_wipe: bool,
    /// Who is no member cannot be removed: 400 `noTarget`.
    pub no_target: bool,
    /// A change is answered with 200 and the group.
    pub answers_body: bool,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The ids of its members.
    pub members: Vec<String>,
}

impl Shared {
    pub(super) fn about_groups(&self, state: &mut State, request: &Request, place: &str) -> Result<Response, Refusal> {
        let bends = &self.bends.groups;
        if bends.names.is_empty() || bends.hidden_after.is_some_and(|after| state.group_changes >= after) {
            return Err(MISSING);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let id = place.strip_prefix('/').unwrap_or_default().to_owned();
        match (request.method.as_str(), id.is_empty()) {
            ("GET", true) => self.list_groups(state, request),
            ("POST", true) => Ok(self.make_group(state, &body)),
            ("GET", false) => {
                let group = state.groups.iter().find(|group| group.id == id).ok_or(MISSING)?;
                Ok(Response::new(200, self.shown(group, request)?))
            }
            ("PATCH", false) => self.patch_group(state, &id, &body, request),
            ("DELETE", false) => {
                let count = state.groups.len();
                state.groups.retain(|group| group.id != id);
                if state.groups.len() < count { Ok(Response::text(204, String::new())) } else { Err(MISSING) }
            }
            _ => Err(Refusal { status: 405, kind: None, detail: "not so" }),
        }
    }

    fn list_groups(&self, state: &State, request: &Request) -> Result<Response, Refusal> {
        let number = |name: &str| request.parameter(name).and_then(|text| text.parse::<usize>().ok());
        let (start, count) = (number("startIndex").unwrap_or(1).max(1), number("count").unwrap_or(100));
        let page = state.groups.iter().skip(start - 1).take(count);
        let rows: Vec<Value> = page.map(|group| self.shown(group, request)).collect::<Result<_, _>>()?;
        let body = json!({"schemas": [LIST], "totalResults": state.groups.len(), "startIndex": start,
            "itemsPerPage": rows.len(), "Resources": rows});
        Ok(Response::new(200, body))
    }

    fn shown(&self, group: &Group, request: &Request) -> Result<Value, Refusal> {
        let bends = &self.bends.groups;
        let mut shown = json!({"schemas": [GROUP], "id": group.id, "displayName": group.name,
            "meta": {"resourceType": "Group"}});
        let asked = request.parameter("attributes").is_some_and(|names| names.contains("members"));
        let hidden = bends.members_hidden || (bends.members_by_name && !asked);
        if let (false, Some(shown)) = (hidden, shown.as_object_mut()) {
            let most = bends.members_shown.unwrap_or(usize::MAX);
            let members: Vec<Value> = group.members.iter().take(most).map(|id| json!({"value": id})).collect();
            shown.insert("members".to_owned(), members.into());
        }
        part(shown, self.bends.parts, &|name| request.parameter(name))
    }

    fn make_group(&self, state: &mut State, body: &Value) -> Response {
        let name = body.get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned();
        state.groups_made += 1;
        let group = Group { id: format!("made{}", state.groups_made), name, members: ids(body.get("members")) };
        let shown = json!({"schemas": [GROUP], "id": group.id, "displayName": group.name});
        state.groups.push(group);
        Response::new(201, shown)
    }

    fn patch_group(&self, state: &mut State, id: &str, body: &Value, request: &Request) -> Result<Response, Refusal> {
        let bends = &self.bends.groups;
        let mut group = state.groups.iter().find(|group| group.id == id).cloned().ok_or(MISSING)?;
        let refused = |status, kind| Err(Refusal { status, kind, detail: "not so" });
        if let Some(status) = bends.patch_refused {
            return refused(status, None);
        }
        let operations = body.get("Operations").and_then(Value::as_array).cloned().unwrap_or_default();
        let named: usize = operations.iter().map(|one| ids(one.get("value")).len().max(1)).sum();
        if let Some((_, status)) = bends.bulk_refused.filter(|(most, _)| named > *most) {
            return refused(status, None);
        }
        for operation in &operations {
            let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default();
            let values = ids(operation.get("value"));
            let filtered = text("path").strip_prefix("members[value eq \"").and_then(|rest| rest.strip_suffix("\"]"));
            match (text("op"), filtered) {
                ("add", _) => {
                    let known = group.members.clone();
                    group.members.extend(values.into_iter().filter(|id| !known.contains(id)));
                }
                ("remove", Some(_)) if bends.filter_refused.is_some() => {
                    return refused(bends.filter_refused.unwrap_or(400), Some("invalidPath"));
                }
                ("remove", Some(_)) if bends.filter_ignored => {}
                ("remove", Some(id)) if bends.no_target && !group.members.iter().any(|known| known == id) => {
                    return refused(400, Some("noTarget"));
                }
                ("remove", Some(id)) => group.members.retain(|known| known != id),
                ("remove", None) if bends.values_refused.is_some() => {
                    return refused(bends.values_refused.unwrap_or(400), Some("invalidValue"));
                }
                ("remove", None) if bends.values_wipe => group.members.clear(),
                ("remove", None) => group.members.retain(|known| !values.contains(known)),
                _ => return refused(400, Some("invalidSyntax")),
            }
        }
        state.group_changes += 1;
        let answer = match bends.answers_body {
            true => Response::new(200, self.shown(&group, request)?),
            false => Response::text(204, String::new()),
        };
        state.groups.iter_mut().filter(|known| known.id == id).for_each(|known| *known = group.clone());
        Ok(answer)
    }
}

fn ids(members: Option<&Value>) -> Vec<String> {
    let elements = members.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    elements.iter().filter_map(|one| one.get("value").and_then(Value::as_str)).map(str::to_owned).collect()
}
