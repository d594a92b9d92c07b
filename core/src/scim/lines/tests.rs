//! Pages of every shape, read both ways: the quick way gives what the patient way gives, or nothing.

use super::super::answer;
use crate::connector::{AttributeSelection, Page, PageLines, TargetAccount};
use crate::path::Path;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Members of resources as JSON text: usual ones, and what targets make of them.
const MEMBERS: [&str; 62] = [
    r#""id":"1""#,
    r#""id":"2""#,
    r#""id":"\u00e4""#,
    r#""id":7"#,
    r#""id":"""#,
    r#""ID":"9""#,
    r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]"#,
    r#""userName":"ada""#,
    r#""userName":"a\"d\\a\u0007""#,
    r#""userName":"Ärger 🛟""#,
    r#""userName":null"#,
    r#""userName":5"#,
    r#""username":"low""#,
    r#""externalId":"e1""#,
    r#""externalId":12"#,
    r#""active":true"#,
    r#""active":false"#,
    r#""active":"False""#,
    r#""active":"1""#,
    r#""active":0"#,
    r#""active":null"#,
    r#""title":"Dr\n""#,
    r#""title":null"#,
    r#""Title":"x""#,
    r#""name":{"givenName":"Ada","familyName":null}"#,
    r#""name":{"GivenName":"Ada","middleName":{"deep":[null,1,{"x":null}]}}"#,
    r#""name":{"givenName":"Ada","GIVENNAME":"Eve"}"#,
    r#""name":{"givenName":"Ada","givenName":"Eve"}"#,
    r#""name":{"a":{"x":1,"x":2}}"#,
    r#""name":"Ada""#,
    r#""name":[1,"two",null,{"three":3}]"#,
    r#""name":{}"#,
    r#""name.familyName":"King""#,
    r#""emails":[{"value":"a@x","type":"work","primary":"True"}]"#,
    r#""emails":[{"Value":"a@x","Primary":0},null,"b@x",7,true]"#,
    r#""emails":[["nested"]]"#,
    r#""emails":{"value":"a@x"}"#,
    r#""emails":"a@x""#,
    r#""emails":[]"#,
    r#""emails":null"#,
    r#""emails":[{"value":null}]"#,
    r#""emails":[{"primary":"perhaps"},{"primary":{"x":1}},{"primary":null}]"#,
    r#""groups":[{"value":"g","$ref":"../Groups/g","extra":{"a":[1.50,-0,1e3,18446744073709551615]}}]"#,
    r#""meta":{"resourceType":"User","version":"W/\"1\"","location":null}"#,
    r#""meta":{"version":7}"#,
    r#""meta":{"Version":"x"}"#,
    r#""meta":{"version":null}"#,
    r#""meta":"x""#,
    r#""meta":null"#,
    r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d","manager":{"value":"m"}}"#,
    r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"Department":"d","manager":{"value":null}}"#,
    r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"flat""#,
    r#""URN:ietf:params:scim:schemas:extension:enterprise:2.0:user":{"department":"d"}"#,
    r#""urn:example:own:2.0:User":{"level":3.25,"tags":["a",null],"none":null}"#,
    r#""loginName":"custom""#,
    r#""a\u0062c":{"k\u0065y":"v\u0061lue"}"#,
    r#""big":123456789012345678901234567890"#,
    r#""small":-1.5e-7"#,
    r#""deep":[[[[[["deep"]]]]]]"#,
    r#""list":[null,{"a":null},[]]"#,
    r#""empty":"""#,
    r#""yes":true"#,
];

const ENDS: [&str; 12] = [
    r#","totalResults":2"#,
    r#","totalResults":"2""#,
    r#","totalResults":-1"#,
    r#","totalResults":null"#,
    r#","TotalResults":3"#,
    r#","nextCursor":"c""#,
    r#","nextCursor":"""#,
    r#","nextCursor":null"#,
    r#","nextCursor":5"#,
    r#","startIndex":1,"itemsPerPage":2"#,
    r#","x":1,"x":2"#,
    "",
];

fn selections() -> [Option<AttributeSelection>; 3] {
    let of = |paths: &[&str]| {
        let paths: Vec<Path> = paths.iter().filter_map(|path| Path::parse(path).ok()).collect();
        Some(AttributeSelection::of(&paths))
    };
    [None, of(&["userName", "active", "emails.value", "name.givenName", "meta.version", "a"]), of(&["title"])]
}

fn accounts(lines: &[u8]) -> Vec<TargetAccount> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Reads the page both ways; gives whether the quick way read it.
fn compare(body: &str) -> Result<bool, TestCaseError> {
    let mut read_quickly = false;
    for selection in selections() {
        let Some(quick) = super::read(body.as_bytes(), selection.as_ref()) else { continue };
        read_quickly = true;
        let patient = answer::rows(body.as_bytes());
        let Some(patient) = patient else {
            // What nobody reads is passed over, whatever is in it; the whole is never read where it cannot be.
            prop_assert!(selection.is_some(), "{body}");
            continue;
        };
        prop_assert_eq!((quick.total, &quick.next_cursor), (patient.total, &patient.next_cursor), "{}", body);
        prop_assert_eq!(usize::try_from(quick.rows), Ok(patient.accounts.len()), "{}", body);
        let mut seen = BTreeSet::new();
        let distinct = patient.accounts.into_iter().filter(|account| seen.insert(account.external_id.clone()));
        let page = Page { accounts: distinct.collect(), ..Page::default() };
        let wanted = PageLines::of(page, selection.as_ref()).unwrap();
        prop_assert_eq!(accounts(&quick.text), accounts(&wanted.accounts), "{}", body);
        prop_assert_eq!(quick.ids.len(), seen.len());
    }
    Ok(read_quickly)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_give_the_same(
        rows in prop::collection::vec(prop::collection::vec(0..MEMBERS.len(), 0..6), 0..4),
        end in 0..ENDS.len(),
        space in prop::sample::select(vec!["", " ", "\n\t"]),
    ) {
        let rows: Vec<String> = rows.iter().enumerate().map(|(number, members)| {
            let id = format!(r#""id":"{number}""#);
            let others = members.iter().filter_map(|place| MEMBERS.get(*place)).map(|text| (*text).to_owned());
            // Most rows have an id of their own.
            let members: Vec<String> = if members.contains(&0) { others.collect() } else { [id].into_iter().chain(others).collect() };
            format!("{{{}}}", members.join(&format!("{space},{space}")))
        }).collect();
        let end = ENDS.get(end).unwrap();
        compare(&format!("{{{space}\"Resources\":[{}]{space}{end}}}", rows.join(",")))?;
    }
}

#[test]
fn usual_pages_are_read_the_quick_way() {
    for (first, second) in [
        (r#""userName":"ada""#, r#""userName":"a\"d\\a""#),
        (r#""name":{"givenName":"Ada","familyName":null}"#, r#""name":{"middleName":{"deep":[null]}}"#),
        (r#""emails":[{"value":"a@x","primary":"True"}]"#, r#""emails":[null,"b@x",{"value":null}]"#),
        (r#""meta":{"resourceType":"User","version":"W/\"1\""}"#, r#""loginName":"x""#),
        (r#""active":true"#, r#""urn:example:own:2.0:User":{"level":3.25}"#),
    ] {
        let body = format!(
            r#"{{"schemas":["x"],"totalResults":2,"Resources":[{{"schemas":[],"id":"1",{first}}},{{"id":"2",{second}}}]}}"#
        );
        assert!(compare(&body).unwrap(), "{body}");
    }
}

#[test]
fn what_is_no_listing_is_none() {
    for body in [
        r#"{"schemas":["x"]}"#,
        r#"{"detail":"no","status":"200"}"#,
        r#"[]"#,
        "",
        r#"{"Resources":[{"id":"1"}]"#,
        r#"{"Resources":[{"userName":"ada"}]}"#,
        r#"{"Resources":[{"id":"1"}]}}"#,
        "{\"Resources\":[{\"id\":\"\u{1}\"}]}",
    ] {
        assert!(super::read(body.as_bytes(), None).is_none(), "{body}");
    }
    assert!(super::read(b"{\"totalResults\":0}", None).is_some());
    assert!(super::read(b"{\"Resources\":[{\"id\":\"\xff\"}]}", None).is_none());
}
