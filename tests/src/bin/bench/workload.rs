//! What every measurement works on: the same people and the same SCIM users as the peers of `tests/bench`.

use serde_json::{Value, json};

/// The record of the person with that number in the source directory.
pub(crate) fn record(number: usize) -> Value {
    let profiles = ["Nurses", "Doctors", "Administration", "Contractors"];
    json!({
        "id": format!("e{number}"),
        "username": format!("user{number}@example.com"),
        "active": true,
        "profile": profiles.get(number % profiles.len()),
        "firstName": format!("Given{number}"),
        "lastName": format!("Family{number}"),
        "title": "Charge Nurse",
        "department": format!("Ward {}", number % 40),
        "costCenter": format!("C{}", number % 400),
        "phone": format!("+41 44 555 {:04}", number % 10_000),
        "city": "Zürich",
        "country": "CH",
        "language": if number.is_multiple_of(2) { Value::from("de") } else { Value::Null },
        "manager": format!("e{}", number / 10),
    })
}

/// The same person as a directory with everything in it has them: 1.2 kB of JSON, of which the ten rules read eight members.
pub(crate) fn full_record(number: usize) -> Value {
    let mut full = json!({
        "badge": {"number": format!("B{number:06}"), "issued": "2021-03-01", "zones": ["A", "C", "lab"]},
        "birthDate": "1984-07-16",
        "building": "Nord 2",
        "company": "Universitätsspital Zürich",
        "contract": {"kind": "permanent", "percent": 80, "until": null},
        "displayName": format!("Given{number} Family{number}"),
        "email": format!("user{number}@example.com"),
        "employeeType": "internal",
        "emergencyContact": {"name": "Alex Muster", "phone": "+41 44 555 99 99", "relation": "partner"},
        "fax": null,
        "groups": ["all-staff", "vpn-users", format!("ward-{}", number % 40), "mfa-enrolled", "library"],
        "hireDate": "2014-10-01",
        "lastLogin": "2026-11-19T07:41:22Z",
        "locale": "de-CH",
        "lockers": [{"building": "Nord 2", "number": 17}, {"building": "West", "number": 204}],
        "mobile": format!("+41 79 555 {:04}", number % 10_000),
        "organization": {"id": format!("o{}", number % 40), "name": format!("Ward {}", number % 40), "path": "/hospital/care/wards"},
        "permission_sets": ["CRM", "Reports"],
        "photo": format!("https://directory.example.com/people/e{number}/photo.jpg"),
        "postalCode": "8091",
        "room": format!("{}.{:02}", number % 7, number % 60),
        "street": "Rämistrasse 100",
        "timezone": "Europe/Zurich",
    });
    if let (Value::Object(full), Value::Object(record)) = (&mut full, record(number)) {
        full.extend(record);
    }
    full
}

/// The account that the ten rules make of a record.
pub(crate) fn account(number: usize) -> Value {
    let kinds = ["nurse", "physician", "staff", "external"];
    json!({
        "userName": format!("user{number}@example.com"),
        "name": {"givenName": format!("Given{number}"), "familyName": format!("Family{number}")},
        "title": "Charge Nurse",
        "department": format!("Ward {}", number % 40),
        "externalId": format!("e{number}"),
        "timezone": "Europe/Zurich",
        "preferredLanguage": if number.is_multiple_of(2) { "de" } else { "en" },
        "email": format!("given{number}.family{number}@example.com"),
        "userType": kinds.get(number % kinds.len()),
    })
}

/// The mapping of ten rules: six direct, one constant, one with a default, two expressions.
pub(crate) fn ten_rules() -> Value {
    let kind = "user.profile == 'Nurses' ? 'nurse' : user.profile == 'Doctors' ? 'physician' : \
                user.profile == 'Administration' ? 'staff' : 'external'";
    json!([
        {"target": "userName", "source": "username", "required": true},
        {"target": "name.givenName", "source": "firstName"},
        {"target": "name.familyName", "source": "lastName"},
        {"target": "title", "source": "title"},
        {"target": "department", "source": "department"},
        {"target": "externalId", "source": "id"},
        {"target": "timezone", "constant": "Europe/Zurich"},
        {"target": "preferredLanguage", "source": "language", "default": {"value": "en", "when": "always"}},
        {"target": "email", "expression": "user.firstName.lower() + '.' + user.lastName.lower() + '@example.com'"},
        {"target": "userType", "expression": kind},
    ])
}

/// An app that everybody here is entitled to, whose accounts are made as [`resource`] has them.
pub(crate) fn app(connector: &Value, concurrency: usize) -> Value {
    json!({
        "id": "crm",
        "connector": connector,
        "assigned_to": {"profiles": ["Nurses", "Doctors", "Administration", "Contractors"]},
        "mapping": [
            {"target": "userName", "source": "username", "required": true},
            {"target": "displayName", "expression": "user.firstName + ' ' + user.lastName"},
            {"target": "name.givenName", "source": "firstName"},
            {"target": "name.familyName", "source": "lastName"},
            {"target": "emails[type eq \"work\"].value", "source": "username"},
            {"target": "active", "constant": true},
        ],
        "matching": [{"all": [{"user": "username", "account": "userName"}]}],
        "rate": {"concurrency": concurrency},
    })
}

/// The SCIM user of the person with that number, as `tests/bench/peer_scim2_client.py` has it.
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
