//! Stored names and numbers are the same everywhere: in `tests/data/*.csv`, in the types, in the schema's CHECK
//! constraints. They never change meaning, since files and programs of years rest on them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may stop at what must not happen")]

use rollkeeper::connector::Outcome;
use rollkeeper::lifecycle::{self, Event};
use rollkeeper::model::{AccountStatus, App, ApprovalStatus, LinkState, State};
use rollkeeper::{Code, Operation, can_change, next_state};
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../src/store/sql/v001.sql");

/// The rows of a csv file under its heading; no field holds a comma.
fn rows(text: &'static str, heading: &str) -> Vec<Vec<&'static str>> {
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap(), heading);
    lines.map(|line| line.split(',').collect()).collect()
}

/// The words that a column of the schema allows, in order.
fn allowed(table: &str, column: &str) -> Vec<&'static str> {
    let table = format!("CREATE TABLE {table} (");
    let body = SCHEMA.split_once(table.as_str()).unwrap().1.split_once("{strict}").unwrap().0;
    words_after(body, &format!("CHECK ({column} = "))
}

/// The quoted words between `start` and the next closing bracket.
fn words_after(text: &'static str, start: &str) -> Vec<&'static str> {
    let Some((_, rest)) = text.split_once(start) else { panic!("the schema has no `{start}`") };
    let list = rest.split_once(')').unwrap().0;
    list.split('\'').skip(1).step_by(2).collect()
}

#[test]
fn codes_are_those_of_the_list() {
    let listed = rows(include_str!("../../tests/data/codes.csv"), "number,name,blame,retry");
    let coded: Vec<Vec<String>> = Code::all()
        .map(|code| {
            let (number, name) = (code.number().to_string(), code.name().to_owned());
            vec![number, name, code.blame().name().to_owned(), code.retry().name().to_owned()]
        })
        .collect();
    assert_eq!(coded, listed);
}

#[test]
fn every_code_is_found_by_its_name_and_no_number_or_name_is_there_twice() {
    let mut numbers = BTreeSet::new();
    for code in Code::all() {
        assert_eq!(Code::from_name(code.name()), Some(code));
        assert!(numbers.insert(code.number()), "the number {} is there twice", code.number());
    }
    assert_eq!(Code::from_name("no_such_code"), None);
}

#[test]
fn operations_are_those_of_the_list_and_of_the_schema() {
    let listed = rows(include_str!("../../tests/data/operations.csv"), "name,reduces_access");
    let coded: Vec<Vec<&str>> = Operation::ALL
        .iter()
        .map(|operation| vec![operation.name(), if operation.reduces_access() { "yes" } else { "no" }])
        .collect();
    assert_eq!(coded, listed);
    assert_eq!(Operation::ALL.map(Operation::name).to_vec(), allowed("request", "operation"));
}

#[test]
fn operations_are_read_in_any_letter_case_and_by_their_alias() {
    for operation in Operation::ALL {
        assert_eq!(Operation::from_name(&operation.name().to_uppercase()), Some(operation));
    }
    assert_eq!(Operation::from_name("reactivate"), Some(Operation::Activate));
    assert_eq!(Operation::from_name("Obliterate"), None);
}

#[test]
fn a_document_names_operations_in_any_letter_case() {
    let read = |name: &str| {
        let app = r#"{"id": "crm", "connector": {"kind": "mock"}, "approval": {"operations": ["NAME"]}}"#;
        App::from_json(app.replace("NAME", name).as_bytes())
    };
    for name in ["create", "Create", "reactivate"] {
        let approval = read(name).unwrap().approval.unwrap();
        assert_eq!(approval.operations, [Operation::from_name(name).unwrap()]);
    }
    let fault = read("obliterate").unwrap_err();
    assert_eq!((fault.code, fault.attribute.as_deref()), (Code::UnknownOperation, Some("approval.operations[0]")));
}

#[test]
fn states_are_those_of_the_list_and_of_the_schema() {
    let names: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
    assert_eq!(names, allowed("request", "state"));
    let listed = rows(include_str!("../../tests/data/transitions.csv"), "from,to,allowed");
    assert_eq!(listed.len(), 144);
    let pairs: Vec<[&str; 2]> = names.iter().flat_map(|from| names.iter().map(move |to| [*from, *to])).collect();
    assert_eq!(listed.iter().map(|row| [row[0], row[1]]).collect::<Vec<_>>(), pairs);
}

#[test]
fn finished_states_are_those_that_the_schema_gives_a_finishing_time() {
    let finished = State::ALL.iter().filter(|state| state.is_finished()).map(|state| state.name()).collect::<Vec<_>>();
    assert_eq!(finished, words_after(SCHEMA, "= (state = "));
}

#[test]
fn a_request_changes_exactly_as_the_list_allows() {
    for row in rows(include_str!("../../tests/data/transitions.csv"), "from,to,allowed") {
        let [from, to] = [row[0], row[1]].map(|name| State::from_name(name).unwrap());
        assert_eq!(can_change(from, to), row[2] == "yes", "{} to {}", row[0], row[1]);
        assert!(["yes", "no"].contains(&row[2]));
    }
}

#[test]
fn an_event_leads_exactly_where_the_list_says_and_is_refused_everywhere_else() {
    let listed = rows(include_str!("../../tests/data/events.csv"), "event,from,to");
    let mut coded = BTreeSet::new();
    for event in Event::ALL {
        assert_eq!(Event::from_name(event.name()), Some(event));
        for from in State::ALL {
            match next_state(*from, event) {
                Ok(to) => assert!(coded.insert(vec![event.name(), from.name(), to.name()])),
                Err(fault) => assert_eq!(fault.code, Code::InvalidTransition),
            }
        }
    }
    assert_eq!(coded, listed.iter().cloned().collect());
    assert_eq!(coded.len(), listed.len(), "a row of events.csv is there twice");
}

#[test]
fn between_two_states_a_change_is_allowed_where_an_event_makes_it_and_nowhere_else() {
    let listed = rows(include_str!("../../tests/data/events.csv"), "event,from,to");
    for from in State::ALL {
        for to in State::ALL {
            let made = listed.iter().any(|row| row[1] == from.name() && row[2] == to.name());
            assert_eq!(lifecycle::can_change(*from, *to), made, "{} to {}", from.name(), to.name());
        }
    }
}

#[test]
fn the_words_of_approvals_accounts_and_links_are_those_of_the_schema() {
    let approvals: Vec<&str> = ApprovalStatus::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(approvals, allowed("request", "approval"));
    let statuses: Vec<&str> = AccountStatus::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(statuses, allowed("account", "status"));
    let links: Vec<&str> = LinkState::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(links, allowed("account", "link_state"));
}

#[test]
fn an_attempt_ends_as_applied_or_with_the_outcome_of_a_failure() {
    let all = [Outcome::NotApplied, Outcome::Rejected, Outcome::Ambiguous, Outcome::Conflict];
    let mut words = vec!["applied"];
    words.extend(all.map(Outcome::name));
    assert_eq!(words, allowed("attempt", "outcome"));
    assert!(all.iter().all(|outcome| Outcome::from_name(outcome.name()) == Some(*outcome)));
}
