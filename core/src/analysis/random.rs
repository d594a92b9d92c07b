//! Directories at random: the partitioned analysis comes to what the rules say, record for record, however odd the records.

use super::tests::{Case, Listed};
use crate::model::Situation;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Apps that between them have everything an analysis depends on.
fn apps() -> Vec<Value> {
    let by_email = json!({"all": [{"user": "email", "account": "emails.value", "normalize": ["trim", "casefold"]}]});
    let by_name = json!({"all": [{"user": "username", "account": "userName", "normalize": ["casefold"]}]});
    let by_both = json!({"all": [{"user": "title", "account": "title"}, {"user": "email", "account": "emails.value"}]});
    let weighed = json!({"certain": 0.8, "candidate": 0.4, "rules": [
        {"all": [{"user": "username", "account": "userName"}], "confidence": 0.5, "tier": 1},
        {"all": [{"user": "title", "account": "title", "normalize": ["casefold", "nfkc"]}], "confidence": 0.3, "tier": 1},
        {"all": [{"user": "email", "account": "emails[type eq \"work\"].value"},
            {"user": "username", "account": "userName", "similar": {"levenshtein": 1}}], "confidence": 0.9},
    ]});
    let plain = json!([{"target": "userName", "source": "username"}, {"target": "title", "source": "title"}]);
    let odd = json!([
        {"target": "userName", "expression": "has(user.username) ? user.username + token : user.id", "unique": true},
        {"target": "title", "source": "title", "on_null": "clear", "default": {"value": "b", "when": "create"}},
        {"target": "emails[type eq \"work\"].value", "source": "title", "strength": "weak"},
    ]);
    let lists = json!([
        {"target": "emails", "source": "email", "multi": "merge"},
        {"target": "name.givenName", "source": "username", "required": true},
        {"target": "active", "constant": true, "apply": "create"},
        {"target": "password", "source": "title", "sensitive": true},
    ]);
    let refers = json!([
        {"target": "manager", "source": "manager"},
        {"target": "title", "expression": "has(current.title) ? current.title : 'a'", "sensitive": true},
    ]);
    let defaults = json!([{"target": "TITLE", "source": "title", "default": {"value": "a"}, "strength": "normal"}]);
    let protected = json!({"external_ids": ["3"]});
    // What the target says of itself: letter case counts or does not, and a title is a text.
    let schema = json!([
        {"path": "userName"},
        {"path": "title", "case_exact": true},
        {"path": "emails", "type": "complex", "multi_valued": true},
        {"path": "emails.value"},
        {"path": "emails.type"},
    ]);
    let checked = json!([
        {"target": "userName", "source": "username"},
        {"target": "title", "source": "title"},
        {"target": "emails[type eq \"work\"].value", "source": "email"},
    ]);
    vec![
        json!({"matching": [by_name.clone()], "mapping": checked, "schema": schema}),
        json!({"matching": [by_name.clone(), by_email.clone()], "mapping": plain.clone(), "protected": protected}),
        json!({"matching": [by_both.clone(), by_name.clone()], "mapping": odd, "scope": "user.age > 3"}),
        json!({"matching": weighed, "mapping": lists, "scope": "user.profile == 'P' && user.username != 'b'"}),
        json!({"matching": [by_email], "mapping": refers}),
        json!({"mapping": defaults}),
        json!({"matching": [by_both, by_name], "mapping": plain}),
    ]
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "A", " a", "c"]).prop_map(Value::from),
        2 => prop::sample::select(vec!["", " ", "ä", "Ä", "a\u{308}", "ß", "x\"y\\\n", "7"]).prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => text(),
        1 => prop::collection::vec(text(), 0..3).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(7), json!(1.5), json!(true), json!({}), json!({"value": "a"})]),
    ]
}

fn id() -> impl Strategy<Value = Value> {
    (0..8_u8).prop_map(|number| Value::from(number.to_string()))
}

/// An object with some of these members.
fn some(members: Vec<(&'static str, u32, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    members.into_iter().fold(Just(json!({})).boxed(), |object, (name, share, value)| {
        let value = prop_oneof![share => value.prop_map(Some), 10 - share => Just(None)];
        (object, value)
            .prop_map(move |(mut object, value)| {
                if let (Some(members), Some(value)) = (object.as_object_mut(), value) {
                    members.insert(name.to_owned(), value);
                }
                object
            })
            .boxed()
    })
}

fn flag() -> impl Strategy<Value = Value> {
    prop_oneof![9 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)]
}

fn user() -> impl Strategy<Value = Value> {
    let profile = prop::sample::select(vec![json!("P"), json!("P"), json!("Q"), json!(null)]);
    let time = prop::sample::select(vec![json!("1960-01-01T00:00:00Z"), json!("2060-01-01T00:00:00Z")]);
    some(vec![
        ("id", 9, id().boxed()),
        ("username", 8, text().boxed()),
        ("email", 6, value().boxed()),
        ("title", 6, value().boxed()),
        ("profile", 9, profile.boxed()),
        ("active", 2, flag().boxed()),
        ("frozen", 2, flag().boxed()),
        ("valid_until", 1, time.boxed()),
        ("age", 8, prop::sample::select(vec![json!(1), json!(5)]).boxed()),
        ("manager", 3, id().boxed()),
        ("permission_sets", 1, prop::sample::select(vec![json!([]), json!(["x"]), json!("x"), json!([1])]).boxed()),
    ])
}

fn emails() -> impl Strategy<Value = Value> {
    let email = some(vec![
        ("value", 9, text().boxed()),
        ("type", 5, prop::sample::select(vec![json!("work"), json!("home")]).boxed()),
    ]);
    prop_oneof![4 => prop::collection::vec(email, 0..3).prop_map(Value::from), 1 => value()]
}

fn attributes() -> Vec<(&'static str, u32, BoxedStrategy<Value>)> {
    vec![
        ("userName", 7, value().boxed()),
        ("username", 1, text().boxed()),
        ("title", 6, value().boxed()),
        ("Title", 1, text().boxed()),
        ("emails", 6, emails().boxed()),
        ("name", 4, prop_oneof![text().prop_map(|name| json!({"givenName": name})), text()].boxed()),
        ("manager", 3, id().boxed()),
    ]
}

fn account() -> impl Strategy<Value = Value> {
    let flags = || vec![("active", 4, flag().boxed()), ("frozen", 2, flag().boxed())];
    let mut row = vec![("id", 9, id().boxed()), ("Active", 1, flag().boxed())];
    row.extend(attributes());
    row.extend(flags());
    let mut shaped = vec![
        ("external_id", 9, id().boxed()),
        ("username", 5, text().boxed()),
        ("attributes", 9, some(attributes()).boxed()),
        ("version", 1, text().boxed()),
        ("other", 1, text().boxed()),
    ];
    shaped.extend(flags());
    prop_oneof![some(row), some(shaped)]
}

fn link() -> impl Strategy<Value = Value> {
    let states = vec!["Linked", "Linked", "Linked", "Ignored", "Duplicate", "Orphaned", "None"];
    let last = some(vec![("userName", 5, text().boxed()), ("title", 5, text().boxed())]);
    some(vec![
        ("account", 9, id().boxed()),
        ("user", 9, id().boxed()),
        ("state", 7, prop::sample::select(states).prop_map(Value::from).boxed()),
        ("deleted", 1, flag().boxed()),
        ("last", 5, last.boxed()),
        ("active", 3, flag().boxed()),
        ("known", 1, flag().boxed()),
    ])
}

/// Records as text, some of it unusual.
fn listed(records: impl Strategy<Value = Value>) -> impl Strategy<Value = Listed> {
    let odd = prop::sample::select(vec!["", "7", "{", "{\"id\":\"1\",\"id\":\"2\"}", "{\"id\":\"1\"} x"]);
    let escaped = |value: Value| value.to_string().replace("\"a\"", "\"\\u0061\"").into_bytes();
    let record = prop_oneof![
        16 => (records, prop::bool::weighted(0.2)).prop_map(move |(value, is_odd)| match is_odd {
            true => escaped(value),
            false => value.to_string().into_bytes(),
        }),
        1 => odd.prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(record, 0..10).prop_map(Listed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn directories_at_random_are_decided_as_the_rules_say(
        app in prop::sample::select(apps()),
        users in listed(user()),
        accounts in listed(account()),
        links in listed(link()),
        complete in any::<bool>(),
        tells_reads in any::<bool>(),
        threads in 1..4_usize,
        key in any::<[u8; 32]>(),
    ) {
        let mut case = Case::new(app, json!([]), json!([]), json!([]));
        (case.users, case.accounts, case.links) = (users, accounts, links);
        (case.terms.complete, case.terms.threads, case.terms.key) = (complete, threads, key);
        if !tells_reads {
            case.definition.scope_reads = None;
        }
        case.run();
    }
}

/// The picture of the links takes one account in twenty for linked that is not.
#[test]
fn what_only_seems_to_be_linked_is_matched_all_the_same() {
    let app = json!({"matching": [{"all": [{"user": "username", "account": "userName"}]}], "mapping": []});
    for (linked, unlinked) in [(0, 200), (600, 200), (600, 100)] {
        let number = |from: u64, to| (from..to).map(|number| number.to_string());
        let users: Vec<Value> = number(0, linked + unlinked)
            .map(|number| json!({"id": format!("u{number}"), "username": format!("n{number}"), "profile": "P"}))
            .collect();
        let accounts: Vec<Value> = number(0, linked + unlinked)
            .map(|number| json!({"id": format!("a{number}"), "userName": format!("n{number}")}))
            .collect();
        let links: Vec<Value> = number(0, linked)
            .map(|number| json!({"user": format!("u{number}"), "account": format!("a{number}")}))
            .chain(number(0, 300).map(|number| json!({"user": "nobody", "account": format!("gone{number}")})))
            .collect();
        let mut case = Case::new(app.clone(), json!(users), json!(accounts), json!(links));
        let (analysis, _) = case.run();
        assert_eq!(analysis.counts().0[&Situation::Found], unlinked);
        assert_eq!(analysis.counts().0[&Situation::Confirmed], linked);
    }
}
