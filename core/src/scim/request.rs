//! The requests of a call, made without sending them: the bodies are those that the connector sends.

use super::body::{self, PathChange};
use super::url::BaseUrl;
use crate::connector::{TargetCall, TargetRequest};
use crate::fault::{Code, Fault};
use crate::http::Method;
use crate::model::ScimDefinition;
use serde_json::Value;

/// How a target takes changes, as far as is known.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// Whether PATCH works.
    pub(super) patch: bool,
    /// Whether paths with a filter work.
    pub(super) filter_paths: bool,
}

/// The requests of a call to a target of which no more is known than its definition says.
pub(crate) fn requests(definition: &ScimDefinition, call: TargetCall<'_>) -> Result<Vec<TargetRequest>, Fault> {
    let manner = Manner { patch: definition.features.patch != Some(false), filter_paths: true };
    of_call(&BaseUrl::parse(&definition.base_url)?, manner, call)
}

/// The requests of a call. A look at the account that goes before them, and what would follow a refusal, is not told.
pub(super) fn of_call(base: &BaseUrl, manner: Manner, call: TargetCall<'_>) -> Result<Vec<TargetRequest>, Fault> {
    let (external_id, changes, shown) = match call {
        TargetCall::Create { attributes } => {
            return Ok(vec![request(Method::Post, &base.endpoint("Users", &[]), body::of_create(attributes))]);
        }
        TargetCall::Update { external_id, changes, shown } => (external_id, PathChange::read_all(changes)?, shown),
    };
    let url =
        base.user(external_id).ok_or_else(|| Fault::new(Code::InvalidId, "the external id cannot stand in a URL"))?;
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    if !manner.patch {
        return Ok(vec![request(Method::Put, &url, body::of_put(shown.clone(), &changes))]);
    }
    let patch = |part: &Vec<PathChange>| {
        let filtered = part.iter().any(|change| change.path.element().is_some());
        let body = body::of_part(part, filtered.then_some(shown), manner.filter_paths)?;
        Some(request(Method::Patch, &url, body))
    };
    Ok(body::parts(&changes).iter().filter_map(patch).collect())
}

fn request(method: Method, url: &str, body: Value) -> TargetRequest {
    // The scheme and the host are the app's; what differs from request to request is what follows them.
    let after_host = url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|slash| rest.get(slash..)));
    TargetRequest::Http { method: method.name().to_owned(), path: after_host.unwrap_or(url).to_owned(), body }
}
