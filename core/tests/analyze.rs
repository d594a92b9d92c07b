//! `analyze` without an engine: its documents, its options, and what it says.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop at what must not happen")]

use rollkeeper::model::Situation;
use rollkeeper::{Analysis, Fault, Rows, analyze};
use serde_json::{Value, json};

fn run(users: impl Into<Rows>, accounts: impl Into<Rows>, options: &Value) -> Result<Analysis, Vec<Fault>> {
    analyze(users, accounts, None, options.to_string().as_bytes())
}

/// The counts that are not 0, and every finding.
fn told(analysis: Analysis) -> (Value, Vec<Value>) {
    let read = |json: String| -> Value { serde_json::from_str(&json).unwrap() };
    let mut counts = read(analysis.counts_json());
    counts["counts"].as_object_mut().unwrap().retain(|_, count| *count != 0);
    (counts, analysis.map(|finding| read(finding.unwrap())).collect())
}

const MATCHING: &str = r#"[{"all": [{"user": "email", "account": "userName", "normalize": ["casefold"]}]}]"#;

fn options(more: Value) -> Value {
    let mut options = json!({"matching": serde_json::from_str::<Value>(MATCHING).unwrap()});
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    options
}

fn users() -> Vec<Value> {
    vec![
        json!({"id": "u1", "email": "Ada@example.com", "title": "Dev"}),
        json!({"id": "u2", "email": "eve@example.com", "active": false}),
        json!({"id": "u3", "email": "bob@example.com", "title": "Ops"}),
        json!({"id": "u4"}),
    ]
}

fn rows() -> Vec<Value> {
    vec![
        json!({"id": "a1", "userName": "ada@example.com", "title": "Dev"}),
        json!({"id": "a2", "userName": "EVE@example.com"}),
        json!({"id": "a3", "userName": "bob@example.com", "title": "Boss"}),
        json!({"id": 4, "userName": "stranger", "active": false}),
    ]
}

fn mapping() -> Value {
    json!({"mapping": [{"target": "title", "source": "title"}], "links": [{"user": "u3", "account": "a3",
        "last": {"title": "Ops"}}]})
}

#[test]
fn accounts_come_in_any_of_their_forms() {
    let expected = [
        json!({"situation": "found", "user": "u1", "account": "a1", "rule": 0}),
        json!({"situation": "unqualified", "user": "u2", "account": "a2", "rule": 0}),
        json!({"situation": "drifted", "user": "u3", "account": "a3", "drift": [{"attribute": "title",
            "last": "Ops", "wanted": "Ops", "actual": "Boss", "verdict": "theirs"}]}),
        json!({"situation": "orphaned", "account": "4"}),
        json!({"situation": "absent", "user": "u4"}),
    ];
    let lines = rows().iter().map(|row| format!("{row}\n")).collect::<String>();
    let shaped: Vec<Value> = rows()
        .into_iter()
        .map(|row| {
            let id = row["id"].as_str().map_or_else(|| row["id"].to_string(), str::to_owned);
            let active = row.get("active").cloned().unwrap_or(json!(true));
            json!({"external_id": id, "username": row["userName"], "active": active, "attributes": {"title": row["title"]}})
        })
        .collect();
    let page = json!({"totalResults": 4, "Resources": rows()});
    let pages = format!("{}\n{}", json!({"Resources": &rows()[..3]}), json!({"Resources": &rows()[3..]}));
    let forms: [(&str, Rows); 6] = [
        ("lines", lines.as_str().into()),
        ("list", json!(rows()).to_string().as_str().into()),
        ("objects", rows().into()),
        ("shaped", shaped.into()),
        ("page", serde_json::to_string_pretty(&page).unwrap().as_str().into()),
        ("pages", pages.as_str().into()),
    ];
    for (name, accounts) in forms {
        let (counts, findings) = told(run(users(), accounts, &options(mapping())).unwrap());
        assert_eq!(findings, expected, "{name}");
        let counted = json!({"found": 1, "unqualified": 1, "drifted": 1, "orphaned": 1, "absent": 1});
        let all = json!({"counts": counted, "complete": true, "repeated": 0, "unreadable": 0, "faults": []});
        assert_eq!(counts, all, "{name}");
    }
}

#[test]
fn only_what_is_asked_for_is_iterated_and_everything_is_counted() {
    let asked = options(json!({"findings": ["orphaned", "absent"], "complete": false}));
    let (counts, findings) = told(run(users(), rows(), &asked).unwrap());
    assert_eq!(findings, [json!({"situation": "orphaned", "account": "4"})]);
    assert_eq!(counts["counts"], json!({"found": 2, "unqualified": 1, "orphaned": 1, "unseen": 1}));
    let mut analysis = run(users(), rows(), &asked).unwrap();
    assert_eq!(analysis.counts().0.get(&Situation::Unseen), Some(&1));
    assert!(analysis.next_json().unwrap().is_some());
    assert_eq!(analysis.next_json().unwrap(), None);
    assert_eq!(analysis.next_json().unwrap(), None);
}

#[test]
fn who_is_entitled_is_said_by_grants_and_scope() {
    let users = || {
        vec![
            json!({"id": "1", "profile": "P", "age": 9}),
            json!({"id": "2", "profile": "Q"}),
            json!({"id": "3", "profile": "P", "age": 1}),
        ]
    };
    let count = |more: Value| told(run(users(), "", &options(more)).unwrap()).0["counts"].clone();
    assert_eq!(count(json!({})), json!({"absent": 3}));
    assert_eq!(count(json!({"assigned_to": {"profiles": ["P"]}})), json!({"absent": 2, "out_of_scope": 1}));
    assert_eq!(count(json!({"scope": "coalesce(user.age, 0) > 5"})), json!({"absent": 1, "out_of_scope": 2}));
    let both = json!({"assigned_to": {"profiles": ["P"]}, "scope": "user.age > 5", "tables": {}, "protected": {}});
    assert_eq!(count(both), json!({"absent": 1, "out_of_scope": 2}));
    let past = json!({"now": "2020-01-01T00:00:00Z"});
    let joiner = vec![json!({"id": "1", "valid_from": "2021-01-01T00:00:00Z"})];
    assert_eq!(told(run(joiner, "", &past).unwrap()).0["counts"], json!({"out_of_scope": 1}));
}

#[test]
fn what_takes_no_part_is_told_by_its_place() {
    let accounts = "{\"id\": \"a1\", \"userName\": \"x\"}\nnonsense\n{\"id\": \"a1\"}\n{\"userName\": \"y\"}\n";
    let (counts, findings) = told(run("[{\"id\": \"u1\"}, 7]", accounts, &json!({})).unwrap());
    assert_eq!(findings.len(), 2);
    assert_eq!(
        (&counts["repeated"], &counts["unreadable"], &counts["complete"]),
        (&json!(1), &json!(3), &json!(false))
    );
    let places: Vec<Value> = counts["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| json!([fault["side"], fault["index"], fault["code"], fault["attribute"]]))
        .collect();
    let expected = [
        json!(["users", 1, "invalid_document", null]),
        json!(["accounts", 1, "invalid_json", null]),
        json!(["accounts", 3, "missing_id", "id"]),
    ];
    assert_eq!(places, expected);
}

#[test]
fn faults_of_the_options_have_their_places() {
    let cases = [
        (json!({"colour": 1}), "unknown_key", "colour"),
        (json!({"findings": ["lost"]}), "invalid_document", "findings[0]"),
        (json!({"mapping": [{"target": "a"}]}), "invalid_document", "mapping[0]"),
        (json!({"matching": [{"all": []}]}), "invalid_document", "matching[0].all"),
        (json!({"scope": "user.a +"}), "expression_invalid", "scope"),
        (json!({"now": "soon"}), "invalid_time", "now"),
        (json!([]), "invalid_document", "options"),
    ];
    for (given, code, place) in cases {
        let faults = run("", "", &given).err().unwrap();
        let found = (faults[0].code.name(), faults[0].attribute.as_deref());
        assert_eq!(found, (code, Some(place)), "{given}");
    }
    let twice = analyze("", "", Some("".into()), br#"{"links": []}"#).err().unwrap();
    assert_eq!((twice[0].code.name(), twice[0].attribute.as_deref()), ("invalid_argument", Some("links")));
    let missing = std::path::PathBuf::from("/nowhere/at/all");
    let faults = run("", missing, &json!({})).err().unwrap();
    assert_eq!((faults[0].code.name(), faults[0].attribute.as_deref()), ("invalid_argument", Some("accounts")));
}

#[test]
fn what_fits_into_memory_and_what_does_not_come_to_the_same() {
    let users: Vec<Value> = (0..4000)
        .map(|id| json!({"id": format!("u{id}"), "email": format!("U{}@x.org", id % 3900), "title": format!("t{}", id % 7)}))
        .collect();
    let accounts: Vec<Value> = (0..4000)
        .map(|id| json!({"id": format!("a{id}"), "userName": format!("u{}@x.org", id + 200), "title": "t3"}))
        .collect();
    let links: Vec<Value> = (0..500).map(|id| json!({"user": format!("u{id}"), "account": format!("a{id}")})).collect();
    let told_with = |memory: usize, threads: usize| {
        let mapping = json!([{"target": "title", "source": "title"}]);
        let more = json!({"memory": memory, "threads": threads, "links": links, "mapping": mapping});
        told(run(users.clone(), accounts.clone(), &options(more)).unwrap())
    };
    let (counts, findings) = told_with(0, 1);
    assert_eq!(counts["counts"]["drifted"], 429);
    let counted: u64 = counts["counts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(findings.len() as u64, counted);
    assert_eq!((counts, findings), told_with(1 << 28, 2));
}

#[test]
fn what_is_found_is_the_same_with_any_number_of_threads() {
    let record = |id: u32| match id % 997 {
        7 => "nonsense".to_owned(),
        11 => json!({"id": "a1", "userName": "twice"}).to_string(),
        _ => {
            json!({"id": format!("a{id}"), "userName": format!("u{}@x.org", id + 200), "x": "y".repeat(90)}).to_string()
        }
    };
    let records: Vec<String> = (0..6000).map(record).collect();
    let pages = records.chunks(700).map(|page| page.join(",").replace("nonsense", "{\"id\":[]}"));
    let pages: Vec<String> = pages.map(|page| format!(r#"{{"totalResults":6000,"Resources":[{page}]}}"#)).collect();
    let users: Vec<Value> =
        (0..6000).map(|id| json!({"id": format!("u{}", id % 5990), "email": format!("U{id}@x.org")})).collect();
    for accounts in [records.join("\n"), pages.join("\n"), format!("[{}]", pages[0])] {
        let told_with = |threads: usize| {
            told(run(users.clone(), accounts.as_str(), &options(json!({"threads": threads}))).unwrap())
        };
        let alone = told_with(1);
        assert!(alone.0["unreadable"].as_u64() > Some(10), "{}", alone.0);
        for threads in [0, 2, 3, 9] {
            assert_eq!(told_with(threads), alone, "{threads}");
        }
        // A page that is cut off is told so, however many read it.
        let cut = format!("{}\n{{\"totalResults\":9,\"Resources\":[{{\"id\":\"1\"}},{{\"id\":", pages[0]);
        for threads in [1, 2] {
            let faults = run(users.clone(), cut.as_str(), &options(json!({"threads": threads}))).err().unwrap();
            assert_eq!((faults[0].code.name(), faults[0].attribute.as_deref()), ("invalid_json", Some("accounts")));
        }
    }
}
