//! Asking a target about itself. Each part stands alone: one that is missing, refused or unreadable is named, and hides
//! nothing of the others. Addresses that a target gives are not followed.

use super::declared::{self, Declared};
use super::exchange::{Exchange, succeeded, unreadable};
use super::schema::{CORE_USER, standard};
use super::strict;
use crate::connector::ConnectorError;
use crate::fault::{Code, Fault};
use crate::http::Method;
use crate::model::{ResourceType, SchemaAttribute, SchemaSource, TargetDescription};
use serde_json::Value;

/// Where the schemas may stand: as the standard has it, the user's alone, and as version 1.1 was built by some.
const SCHEMAS: [&str; 3] = ["Schemas", "Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "Schemas/Users"];
/// Version 1.1 has its own name.
const CONFIGURATION: [&str; 2] = ["ServiceProviderConfig", "ServiceProviderConfigs"];

/// Everything that the target tells.
pub(super) fn describe(exchange: &Exchange) -> TargetDescription {
    let mut asking = Asking { exchange, findings: Vec::new() };
    let features = asking.part(&CONFIGURATION, declared::features).unwrap_or_default();
    let (resource_types, declared) = asking.user();
    let source = if declared.is_some() { SchemaSource::Target } else { SchemaSource::BuiltIn };
    let Declared { attributes, complete, findings } = declared.unwrap_or_default();
    asking.findings.extend(findings);
    let attributes = if complete { attributes } else { with_standard(attributes) };
    TargetDescription { source, complete, attributes, features, resource_types, findings: asking.findings }
}

/// The attributes of a user, as far as the target tells them.
pub(super) fn attributes(exchange: &Exchange) -> Vec<SchemaAttribute> {
    let (_, declared) = Asking { exchange, findings: Vec::new() }.user();
    declared.map_or_else(standard, |declared| declared.attributes)
}

/// Adds the attributes of the standard that are not among those declared.
fn with_standard(mut attributes: Vec<SchemaAttribute>) -> Vec<SchemaAttribute> {
    let known: Vec<String> = attributes.iter().map(|attribute| attribute.path.to_lowercase()).collect();
    attributes.extend(standard().into_iter().filter(|one| !known.contains(&one.path.to_lowercase())));
    attributes
}

struct Asking<'a> {
    exchange: &'a Exchange,
    findings: Vec<Fault>,
}

impl Asking<'_> {
    fn user(&mut self) -> (Vec<ResourceType>, Option<Declared>) {
        let types = self.part(&["ResourceTypes"], declared::resource_types).unwrap_or_default();
        let user = declared::user_type(&types);
        if user.is_none() && !types.is_empty() {
            let message = format!("the target lists no kind of resource with the schema `{CORE_USER}`");
            self.findings.push(Fault::new(Code::InvalidAnswer, message).at("ResourceTypes"));
        }
        let declared = self.part(&SCHEMAS, |answer| declared::attributes(answer, user));
        (types, declared)
    }

    /// One part, from the first address that has it. What is in the way at the first is what is told.
    fn part<T>(&mut self, endpoints: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let part = endpoints.first().copied().unwrap_or_default();
        let mut first: Option<ConnectorError> = None;
        for endpoint in endpoints {
            let error = match self.exchange.get(&self.exchange.base.endpoint(endpoint, &[])) {
                Ok(response) => match succeeded(Method::Get, response) {
                    Ok(response) => match strict::read(&response.body).as_ref().and_then(&read) {
                        Some(found) => return Some(found),
                        None => unreadable(Method::Get, "the answer is not what belongs there"),
                    },
                    Err(error) => error,
                },
                // Who does not answer here does not answer elsewhere.
                Err(error) => {
                    first.get_or_insert(error);
                    break;
                }
            };
            first.get_or_insert(error);
        }
        let error = first?;
        let code = Code::from_name(&error.code).unwrap_or(Code::InvalidAnswer);
        let message = format!("`{part}` could not be read: {}", error.message);
        self.findings.push(Fault::new(code, message).at(part));
        None
    }
}
