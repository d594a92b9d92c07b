//! The attributes of a user: as the target declares them (RFC 7643 §7), and as the standard has them where it does not.

use crate::connector::SchemaAttribute;
use crate::path::member;
use crate::value::Attributes;
use serde_json::Value;
use std::sync::LazyLock;

/// The schema of a user's own attributes; they stand at the top of a resource.
pub(super) const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of the enterprise extension; its attributes stand under its URN.
pub(super) const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// RFC 7643 §4.1 and §4.3, §8.7.1: path, type, and flags: `m` multi-valued, `r` required, `c` case-exact, `o` read-only.
const STANDARD: &[(&str, &str, &str)] = &[
    ("id", "string", "co"),
    ("externalId", "string", "c"),
    ("meta", "complex", "o"),
    ("userName", "string", "r"),
    ("name", "complex", ""),
    ("name.formatted", "string", ""),
    ("name.familyName", "string", ""),
    ("name.givenName", "string", ""),
    ("name.middleName", "string", ""),
    ("name.honorificPrefix", "string", ""),
    ("name.honorificSuffix", "string", ""),
    ("displayName", "string", ""),
    ("nickName", "string", ""),
    ("profileUrl", "reference", "c"),
    ("title", "string", ""),
    ("userType", "string", ""),
    ("preferredLanguage", "string", ""),
    ("locale", "string", ""),
    ("timezone", "string", ""),
    ("active", "boolean", ""),
    ("password", "string", "c"),
    ("emails", "complex", "m"),
    ("emails.value", "string", ""),
    ("emails.display", "string", ""),
    ("emails.type", "string", ""),
    ("emails.primary", "boolean", ""),
    ("phoneNumbers", "complex", "m"),
    ("phoneNumbers.value", "string", ""),
    ("phoneNumbers.display", "string", ""),
    ("phoneNumbers.type", "string", ""),
    ("phoneNumbers.primary", "boolean", ""),
    ("ims", "complex", "m"),
    ("ims.value", "string", ""),
    ("ims.display", "string", ""),
    ("ims.type", "string", ""),
    ("ims.primary", "boolean", ""),
    ("photos", "complex", "m"),
    ("photos.value", "reference", "c"),
    ("photos.display", "string", ""),
    ("photos.type", "string", ""),
    ("photos.primary", "boolean", ""),
    ("addresses", "complex", "m"),
    ("addresses.formatted", "string", ""),
    ("addresses.streetAddress", "string", ""),
    ("addresses.locality", "string", ""),
    ("addresses.region", "string", ""),
    ("addresses.postalCode", "string", ""),
    ("addresses.country", "string", ""),
    ("addresses.type", "string", ""),
    ("addresses.primary", "boolean", ""),
    ("groups", "complex", "mo"),
    ("groups.value", "string", "o"),
    ("groups.$ref", "reference", "co"),
    ("groups.display", "string", "o"),
    ("groups.type", "string", "o"),
    ("entitlements", "complex", "m"),
    ("entitlements.value", "string", ""),
    ("entitlements.display", "string", ""),
    ("entitlements.type", "string", ""),
    ("entitlements.primary", "boolean", ""),
    ("roles", "complex", "m"),
    ("roles.value", "string", ""),
    ("roles.display", "string", ""),
    ("roles.type", "string", ""),
    ("roles.primary", "boolean", ""),
    ("x509Certificates", "complex", "m"),
    ("x509Certificates.value", "binary", "c"),
    ("x509Certificates.display", "string", ""),
    ("x509Certificates.type", "string", ""),
    ("x509Certificates.primary", "boolean", ""),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber", "string", ""),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter", "string", ""),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization", "string", ""),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division", "string", ""),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "string", ""),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "complex", ""),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "string", ""),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.$ref", "reference", "c"),
    ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName", "string", "o"),
];

/// The standard's attributes of a user, the enterprise extension included.
pub(super) fn standard() -> Vec<SchemaAttribute> {
    let attribute = |(path, kind, flags): &(&str, &str, &str)| SchemaAttribute {
        path: (*path).to_owned(),
        kind: (*kind).to_owned(),
        multi_valued: flags.contains('m'),
        required: flags.contains('r'),
        case_exact: flags.contains('c'),
        read_only: flags.contains('o'),
        canonical_values: Vec::new(),
    };
    STANDARD.iter().map(attribute).collect()
}

/// The standard's spelling of an attribute or extension name.
pub(super) fn spelling(name: &str) -> Option<&'static str> {
    static TOP: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let own = STANDARD.iter().map(|(path, ..)| *path).filter(|path| !path.contains(['.', ':']));
        own.chain(["schemas", ENTERPRISE_USER]).collect()
    });
    TOP.iter().copied().find(|known| known.eq_ignore_ascii_case(name))
}

/// The standard's spelling of a sub-attribute's path, or of an extension attribute's.
pub(super) fn spelling_of_path(parent: &str, sub: &str) -> Option<&'static str> {
    let joined = |separator: char| {
        STANDARD.iter().map(|(path, ..)| *path).find(|path| {
            path.len() == parent.len() + 1 + sub.len()
                && path.get(..parent.len()).is_some_and(|start| start.eq_ignore_ascii_case(parent))
                && path.get(parent.len()..).is_some_and(|rest| rest.starts_with(separator))
                && path.get(parent.len() + 1..).is_some_and(|end| end.eq_ignore_ascii_case(sub))
        })
    };
    joined('.').or_else(|| joined(':'))
}

/// Reads the answer of `/Schemas`: a list response or a bare array. `extensions` are the URNs that the user resource type
/// has; where they are not known, those that look like a user's are taken. `None` where no user schema is in it.
pub(super) fn declared(schemas: &Value, extensions: Option<&[String]>) -> Option<Vec<SchemaAttribute>> {
    let mut attributes = Vec::new();
    for schema in elements(schemas).iter().filter_map(Value::as_object) {
        let Some(id) = member(schema, "id").and_then(Value::as_str) else { continue };
        let own = id.eq_ignore_ascii_case(CORE_USER);
        let extends = match extensions {
            Some(known) => known.iter().any(|known| known.eq_ignore_ascii_case(id)),
            None => id.contains(":extension:") && id.ends_with(":User"),
        };
        if own || extends {
            let prefix = if own { String::new() } else { format!("{id}:") };
            collect(&prefix, member(schema, "attributes"), false, &mut attributes);
        }
    }
    let found = attributes.iter().any(|attribute: &SchemaAttribute| attribute.path.eq_ignore_ascii_case("userName"));
    if !found {
        return None;
    }
    // The common attributes (RFC 7643 §3.1) belong to every resource and stand in no schema.
    for common in standard().into_iter().filter(|one| ["id", "externalId", "meta"].contains(&one.path.as_str())) {
        if !attributes.iter().any(|known| known.path == common.path) {
            attributes.push(common);
        }
    }
    Some(attributes)
}

/// The extensions of the user resource type, from the answer of `/ResourceTypes`.
pub(super) fn extensions(types: &Value) -> Option<Vec<String>> {
    let is_user = |kind: &&Attributes| {
        member(kind, "schema").and_then(Value::as_str).is_some_and(|schema| schema.eq_ignore_ascii_case(CORE_USER))
    };
    let user = elements(types).iter().filter_map(Value::as_object).find(is_user)?;
    let listed = member(user, "schemaExtensions").and_then(Value::as_array)?;
    let urn = |extension: &Value| member(extension.as_object()?, "schema")?.as_str().map(str::to_owned);
    Some(listed.iter().filter_map(urn).collect())
}

fn elements(list: &Value) -> &[Value] {
    let found = match list {
        Value::Object(object) => member(object, "Resources").and_then(Value::as_array),
        other => other.as_array(),
    };
    found.map(Vec::as_slice).unwrap_or_default()
}

fn collect(prefix: &str, declared: Option<&Value>, read_only: bool, attributes: &mut Vec<SchemaAttribute>) {
    for declared in declared.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        let text = |name: &str| member(declared, name).and_then(Value::as_str);
        let flag = |name: &str| member(declared, name).and_then(Value::as_bool).unwrap_or(false);
        let Some(name) = text("name") else { continue };
        let canonical = member(declared, "canonicalValues").and_then(Value::as_array);
        let attribute = SchemaAttribute {
            path: format!("{prefix}{name}"),
            kind: text("type").unwrap_or("string").to_owned(),
            multi_valued: flag("multiValued"),
            required: flag("required"),
            case_exact: flag("caseExact"),
            read_only: read_only || text("mutability").is_some_and(|one| one.eq_ignore_ascii_case("readOnly")),
            canonical_values: canonical.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        };
        let (path, read_only) = (attribute.path.clone(), attribute.read_only);
        attributes.push(attribute);
        // INVARIANT: a sub-attribute has none of its own (RFC 7643 §2.3.8), so that this goes one step deep.
        if !prefix.ends_with('.') {
            collect(&format!("{path}."), member(declared, "subAttributes"), read_only, attributes);
        }
    }
}
