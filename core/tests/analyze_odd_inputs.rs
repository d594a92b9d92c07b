//! `analyze` over texts and files that are odd, broken, or changed while they are read.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may stop at what must not happen"
)]

use rollkeeper::{Analysis, Fault, Rows, analyze};
use serde_json::{Value, json};
use std::path::PathBuf;

const OPTIONS: &str = r#"{"matching": [{"all": [{"user": "email", "account": "userName"}]}],
    "mapping": [{"target": "title", "source": "title"}]}"#;

fn run(users: impl Into<Rows>, accounts: impl Into<Rows>) -> Result<Analysis, Vec<Fault>> {
    analyze(users, accounts, None, OPTIONS.as_bytes())
}

fn counts(analysis: &Analysis) -> Value {
    let mut counts: Value = serde_json::from_str(&analysis.counts_json()).unwrap();
    counts["counts"].as_object_mut().unwrap().retain(|_, count| *count != 0);
    counts
}

#[test]
fn a_target_without_accounts_may_say_so_on_one_line() {
    let empty = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0}"#;
    let page = r#"{"totalResults":1,"Resources":[{"id":"a1"}]}"#;
    for (text, orphaned) in [(empty.to_owned(), 0), (format!("{empty}\n"), 0), (format!("{empty}\n{page}\n"), 1)] {
        let told = counts(&run("", text.as_str()).unwrap());
        assert_eq!((&told["unreadable"], &told["complete"]), (&json!(0), &json!(true)), "{text}");
        assert_eq!(told["counts"]["orphaned"].as_u64().unwrap_or_default(), orphaned, "{text}");
    }
}

#[test]
fn a_mark_of_the_byte_order_is_passed_over() {
    for accounts in ["{\"id\":\"a1\"}\r\n{\"id\":\"a2\"}\r\n", "[{\"id\":\"a1\"},\n{\"id\":\"a2\"}]"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts");
        let marked = format!("\u{feff}{accounts}");
        std::fs::write(&path, &marked).unwrap();
        for rows in [Rows::from(marked.as_str()), Rows::from(path.clone())] {
            let analysis = run("", rows).unwrap();
            let told = counts(&analysis);
            assert_eq!((&told["unreadable"], &told["counts"]), (&json!(0), &json!({"orphaned": 2})), "{accounts}");
            assert_eq!(analysis.map(Result::unwrap).count(), 2);
        }
    }
}

#[test]
fn what_cannot_be_read_says_which_input_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let directory = || Rows::from(folder.path().to_owned());
    let missing = || Rows::from(PathBuf::from("/nowhere/at/all"));
    let cut = || Rows::from("[{\"id\":\"1\"}");
    let options = OPTIONS.as_bytes();
    let kinds: [(&dyn Fn() -> Rows, &str); 3] =
        [(&directory, "invalid_argument"), (&missing, "invalid_argument"), (&cut, "invalid_json")];
    for (rows, code) in kinds {
        for (side, outcome) in [
            ("users", analyze(rows(), "", None, options)),
            ("accounts", analyze("", rows(), None, options)),
            ("links", analyze("", "", Some(rows()), options)),
        ] {
            let fault = outcome.err().unwrap().remove(0);
            assert_eq!((fault.code.name(), fault.attribute.as_deref()), (code, Some(side)), "{}", fault.message);
        }
    }
}

#[test]
fn a_file_that_changed_meanwhile_is_told_and_nothing_of_it() {
    let links = r#"{"account":"a1","user":"u1"}"#;
    let users = r#"{"id":"u1","title":"Dev"}"#;
    let before = r#"{"id":"a1","title":"Dev"}"#;
    for after in [r#"{"id":"a2","title":"Dev"}"#, r#"{"id":"a1","title":"Ops"}"#, "{\"id\":\"a1\",\"ti", ""] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts");
        std::fs::write(&path, before).unwrap();
        let mut analysis = analyze(users, path.clone(), Some(links.into()), OPTIONS.as_bytes()).unwrap();
        assert_eq!(counts(&analysis)["counts"], json!({"confirmed": 1}));
        std::fs::write(&path, after).unwrap();
        let fault = analysis.next().unwrap().unwrap_err();
        assert_eq!(fault.code.name(), "internal", "{after}");
        assert!(!fault.message.contains("a1") && !fault.message.contains("a2"));
        assert!(analysis.next().is_none());
    }
    // So it is with a user whom a link names.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    std::fs::write(&path, users).unwrap();
    let mut analysis = analyze(path.clone(), before, Some(links.into()), OPTIONS.as_bytes()).unwrap();
    std::fs::write(&path, users.replace("u1", "u2")).unwrap();
    assert_eq!(analysis.next().unwrap().unwrap_err().code.name(), "internal");
}

#[test]
fn odd_records_take_no_part_and_end_nothing() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    // What stands in a member that nobody reads, and whether the record can be read.
    let members = [
        (deep(20), true),
        (deep(100), true),
        (deep(200), false),
        (deep(20_000), false),
        ("1e400".to_owned(), false),
        ("-1e400".to_owned(), false),
        ("123456789012345678901234567890".to_owned(), true),
        ("0.1e-400".to_owned(), true),
        ("01".to_owned(), false),
        ("1.".to_owned(), false),
        ("-".to_owned(), false),
        ("nul".to_owned(), false),
        ("\"\\ud800\"".to_owned(), false),
        ("\"\\ud83d\\ude00\"".to_owned(), true),
        ("\"\\u0000\"".to_owned(), true),
        ("\"\\x\"".to_owned(), false),
        ("\"\u{1}\"".to_owned(), false),
        ("\"tab\tin it\"".to_owned(), false),
        ("{\"a\":1,}".to_owned(), false),
        ("[1 2]".to_owned(), false),
        ("{\"a\":1]".to_owned(), false),
    ];
    for (member, is_readable) in members {
        let record = format!("{{\"id\":\"x1\",\"odd\":{member}}}");
        let shown = &member[..member.len().min(40)];
        for (users, accounts) in [(record.as_str(), ""), ("", record.as_str())] {
            let both =
                |text: &str| if text.is_empty() { String::new() } else { format!("{text}\n{{\"id\":\"x2\"}}\n") };
            let analysis = run(both(users).as_str(), both(accounts).as_str()).unwrap();
            let told = counts(&analysis);
            assert_eq!(told["unreadable"], json!(u8::from(!is_readable)), "{shown} {told}");
            let findings: Vec<_> = analysis.collect();
            assert!(findings.iter().all(Result::is_ok), "{shown} {findings:?}");
            assert_eq!(findings.len(), 1 + usize::from(is_readable), "{shown}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_one_record_without_a_value_in_its_fault() {
    let accounts =
        b"{\"id\":\"a1\",\"userName\":\"\xff\xfe\"}\n{\"id\":\"a2\"}\n\0\0\n{\"id\":\"a3\\u0000\"}\n".to_vec();
    let analysis = run("", accounts).unwrap();
    let told = counts(&analysis);
    assert_eq!(told["unreadable"], json!(2), "{told}");
    let codes: Vec<&str> = told["faults"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), 2, "{codes:?}");
    assert!(analysis.map(Result::unwrap).count() == 2);
    let secret =
        "{\"id\":\"a1\",\"active\":\"hunter2\"}\n{\"external_id\":\"hunter2\",\"hunter\":2}\n{\"id\":[\"hunter2\"]}";
    let told = counts(&run(secret, secret).unwrap());
    assert_eq!(told["unreadable"], json!(6), "{told}");
    assert!(!told.to_string().contains("hunter2"), "{told}");
}

#[test]
fn of_two_members_of_one_name_one_counts_wherever_they_stand() {
    let twice = r#"{"id":"x1","title":"A","title":"B","odd":1}"#;
    let links = r#"{"account":"x1","user":"x1"}"#;
    let other = r#"{"id":"x1","title":"B"}"#;
    for (users, accounts) in [(twice, other), (other, twice), (twice, twice)] {
        let analysis = analyze(users, accounts, Some(links.into()), OPTIONS.as_bytes()).unwrap();
        let told = counts(&analysis);
        let findings: Vec<_> = analysis.collect();
        assert!(findings.iter().all(Result::is_ok), "{told} {findings:?}");
    }
}

#[test]
fn everybody_may_share_one_key() {
    let line = |id: usize, name: &str| format!("{{\"id\":\"{id}\",\"{name}\":\"same\"}}\n");
    let users: String = (0..3000).map(|id| line(id, "email")).collect();
    let accounts: String = (0..3000).map(|id| line(id, "userName")).collect();
    let mut analysis = run(users.as_str(), accounts.as_str()).unwrap();
    assert_eq!(counts(&analysis)["counts"], json!({"ambiguous": 3000}));
    let first: Value = serde_json::from_str(&analysis.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["candidates"].as_array().unwrap().len(), 64);
    // With little memory fewer candidates are told, and nothing else changes.
    let few = OPTIONS.replacen('{', "{\"memory\": 0,", 1);
    let analysis = analyze(users.as_str(), accounts.as_str(), None, few.as_bytes()).unwrap();
    assert_eq!(counts(&analysis)["counts"], json!({"ambiguous": 3000}));
    let read = |finding: Result<String, Fault>| serde_json::from_str::<Value>(&finding.unwrap()).unwrap();
    let told: Vec<usize> = analysis
        .map(|finding| read(finding).get("candidates").map_or(0, |told| told.as_array().unwrap().len()))
        .collect();
    assert!(told.iter().sum::<usize>() <= 4096 && told.first() == Some(&64) && told.last() == Some(&0), "{told:?}");
}
