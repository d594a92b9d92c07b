//! What every measurement works on: the same people and the same SCIM users as `tests/bench/peer_scim2_client.py`.

use serde_json::{Value, json};

/// The SCIM user of the person with that number.
pub(crate) fn resource(number: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("user{number}@example.com"),
        "externalId": format!("e{number}"),
        "active": true,
        "displayName": format!("Given{number} Family{number}"),
        "name": {"givenName": format!("Given{number}"), "familyName": format!("Family{number}")},
        "emails": [{"value": format!("user{number}@example.com"), "type": "work"}],
    })
}
