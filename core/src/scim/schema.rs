//! The attributes of a user as the standard has them.

use crate::connector::SchemaAttribute;
use std::collections::HashMap;
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

/// The attribute of the standard with that path.
pub(super) fn standard_attribute(path: &str) -> Option<&'static SchemaAttribute> {
    static BY_PATH: LazyLock<HashMap<String, SchemaAttribute>> =
        LazyLock::new(|| standard().into_iter().map(|one| (one.path.to_lowercase(), one)).collect());
    BY_PATH.get(&path.to_lowercase())
}

/// The parts of a complex attribute of the standard.
pub(super) fn standard_parts(path: &str) -> impl Iterator<Item = SchemaAttribute> {
    let below = format!("{}.", path.to_lowercase());
    standard().into_iter().filter(move |one| one.path.to_lowercase().starts_with(&below))
}
