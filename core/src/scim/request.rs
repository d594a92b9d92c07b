//! The requests of a call, made without sending them: the bodies are those that the connector sends.

use super::body::{self, PathChange};
use super::lessons::Knowledge;
use super::url::BaseUrl;
use crate::connector::{TargetCall, TargetRequest};
use crate::fault::{Code, Fault};
use crate::http::Method;
use crate::model::ScimDefinition;
use serde_json::Value;

/// The requests of a call to a target of which no more is known than its definition says.
pub(crate) fn requests(definition: &ScimDefinition, call: TargetCall<'_>) -> Result<Vec<TargetRequest>, Fault> {
    let knowledge = Knowledge::new(definition);
    of_call(&BaseUrl::parse(&definition.base_url)?, &knowledge, call)
}

/// The requests of a call. A look at the account that goes before them, and what would follow a refusal, is not told.
pub(super) fn of_call(
    base: &BaseUrl,
    knowledge: &Knowledge,
    call: TargetCall<'_>,
) -> Result<Vec<TargetRequest>, Fault> {
    let (external_id, changes, shown) = match call {
        TargetCall::Create { attributes } => {
            return Ok(vec![request(Method::Post, &base.endpoint("Users", &[]), body::of_create(attributes))]);
        }
        TargetCall::Update { external_id, changes, shown } => (external_id, PathChange::read_all(changes)?, shown),
    };
    let clears = knowledge.clears_with_empty();
    let changes: Vec<PathChange> = changes.iter().map(|change| change.as_sent(clears)).collect();
    let url =
        base.user(external_id).ok_or_else(|| Fault::new(Code::InvalidId, "the external id cannot stand in a URL"))?;
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let put = |changes: &[PathChange]| request(Method::Put, &url, body::of_put(shown.clone(), changes));
    if !knowledge.patches() {
        return Ok(vec![put(&changes)]);
    }
    let patch = |part: &Vec<PathChange>| {
        if part.iter().any(|change| knowledge.puts(&change.path.attribute())) {
            return Some(put(part));
        }
        let filtered = part.iter().any(|change| change.path.element().is_some());
        let body = body::of_part(part, filtered.then_some(shown), knowledge.filters_paths())?;
        Some(request(Method::Patch, &url, body))
    };
    Ok(body::parts(&changes).iter().filter_map(patch).collect())
}

fn request(method: Method, url: &str, body: Value) -> TargetRequest {
    // The scheme and the host are the app's; what differs from request to request is what follows them.
    let after_host = url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|slash| rest.get(slash..)));
    TargetRequest::Http { method: method.name().to_owned(), path: after_host.unwrap_or(url).to_owned(), body }
}
