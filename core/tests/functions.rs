//! `core/docs/functions.md` and `core/docs/expressions.md` are true: every example gives what stands beside it, every
//! function has one, every function of Entra's has an answer, and the limits are those of the code.
#![expect(clippy::unwrap_used, reason = "tests stop at what they did not expect")]

use rollkeeper::expression::{Expression, Inputs, Options, Tables, Variable, evaluate};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;

const FUNCTIONS: &str = include_str!("../docs/functions.md");
const EXPRESSIONS: &str = include_str!("../docs/expressions.md");

/// Entra's functions, as its reference lists them.
const ENTRA: [&str; 43] = [
    "Append",
    "AppRoleAssignmentsComplex",
    "BitAnd",
    "CBool",
    "CDate",
    "Coalesce",
    "ConvertToBase64",
    "ConvertToUTF8Hex",
    "Count",
    "CStr",
    "DateAdd",
    "DateDiff",
    "DateFromNum",
    "FormatDateTime",
    "Guid",
    "IgnoreFlowIfNullOrEmpty",
    "IIF",
    "InStr",
    "IsNull",
    "IsNullOrEmpty",
    "IsPresent",
    "IsString",
    "Item",
    "Join",
    "Left",
    "Mid",
    "NormalizeDiacritics",
    "Not",
    "Now",
    "NumFromDate",
    "PCase",
    "RandomString",
    "Redact",
    "RemoveDuplicates",
    "Replace",
    "SelectUniqueValue",
    "SingleAppRoleAssignment",
    "Split",
    "StripSpaces",
    "Switch",
    "ToLower",
    "ToUpper",
    "Word",
];

/// The cells of the rows of the table of functions.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = FUNCTIONS.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.trim_end_matches('|').split(" | ").map(|cell| cell.trim_matches([' ', '`'])).collect()).collect()
}

/// What the page's examples see.
fn inputs() -> (Attributes, Options) {
    let json = FUNCTIONS.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let mut inputs: Value = serde_json::from_str(json).unwrap();
    let user = inputs.as_object_mut().unwrap().remove("user").unwrap();
    (serde_json::from_value(user).unwrap(), serde_json::from_value(inputs).unwrap())
}

#[test]
fn every_example_gives_what_stands_beside_it() {
    let (user, options) = inputs();
    let mut wrong = Vec::new();
    for row in rows() {
        let (example, gives) = (row[0], row[1]);
        let wanted: Value = serde_json::from_str(gives).unwrap_or_else(|error| panic!("{example}: {error}"));
        match evaluate(example, &user, &options, Timestamp::default()) {
            Ok(value) if value == wanted => {}
            other => wrong.push(format!("`{example}` gives {other:?}, not {gives}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_function_has_an_example() {
    let (_, options) = inputs();
    let tables = Tables::from(&options.tables);
    let used: BTreeSet<&str> = rows()
        .iter()
        .flat_map(|row| Expression::compile_with(row[0], &Variable::ALL, &tables).unwrap().report().functions)
        .collect();
    let source = include_str!("../src/expression/functions/mod.rs");
    let calls = source.split("function(").map(str::trim_start).filter_map(|rest| rest.strip_prefix('"'));
    let names = calls.map(|rest| rest.split('"').next().unwrap());
    let own = ["has", "coalesce", "isBlank", "lookup", "all", "exists", "exists_one", "map", "filter"];
    let known: BTreeSet<&str> = names.chain(own).collect();
    assert!(known.len() > 75, "the functions were not found");
    assert_eq!(used, known);
}

#[test]
fn every_function_of_entra_has_an_answer() {
    let answered: BTreeSet<&str> = FUNCTIONS
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .flat_map(|line| line.split(|one: char| !one.is_ascii_alphanumeric()))
        .collect();
    let missing: Vec<&str> = ENTRA.into_iter().filter(|name| !answered.contains(name)).collect();
    assert!(missing.is_empty(), "no answer to {missing:?}");
}

/// A constant of the evaluator's sources.
fn constant(name: &str) -> String {
    let sources = [
        include_str!("../src/expression/parse.rs"),
        include_str!("../src/expression/lower.rs"),
        include_str!("../src/expression/failure.rs"),
        include_str!("../src/expression/pattern.rs"),
        include_str!("../src/expression/cost.rs"),
    ];
    let found = sources.iter().find_map(|source| source.split_once(&format!("const {name}:"))?.1.split_once(" = "));
    found.unwrap().1.split(';').next().unwrap().replace('_', ",")
}

#[test]
fn the_limits_told_are_those_of_the_code() {
    let limits = EXPRESSIONS.split_once("## Limits").unwrap().1.split_once("\n## ").unwrap().0;
    let rows: Vec<Vec<&str>> = limits
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| row.trim_end_matches('|').split(" | ").map(|cell| cell.trim_matches([' ', '`'])).collect())
        .collect();
    assert!(rows.len() >= 9);
    for row in rows {
        assert_eq!(constant(row[0]), row[1], "{}", row[0]);
    }
}

#[test]
fn a_condition_must_be_able_to_hold() {
    let none = Tables::default();
    let compile = |text| Expression::compile_condition(text, &Variable::ALL, &none);
    for text in ["user.a == 'x'", "user.a", "user.?a", "true", "user.a ? 'x' : true"] {
        assert!(compile(text).is_ok(), "{text}");
    }
    for (text, message) in [
        ("'yes'", "a condition must be true or false, not a string"),
        ("user.a + 'x'", "a condition must be true or false, not a string"),
        ("user.l.size()", "a condition must be true or false, not an int"),
    ] {
        let faults = compile(text).unwrap_err();
        assert_eq!((faults[0].code, faults[0].message.as_str()), (Code::ExpressionInvalid, message), "{text}");
        assert!(faults[0].position.is_some());
    }
}

#[test]
fn a_report_names_everything_and_a_type() {
    let report = |text| Expression::compile(text, &Variable::ALL).unwrap().report();
    let json = serde_json::to_value(report("coalesce(user.a.b, user.c).lower() + token + app.id")).unwrap();
    assert_eq!(json["variables"], serde_json::json!(["app", "token", "user"]));
    assert_eq!(json["functions"], serde_json::json!(["coalesce", "lower"]));
    assert_eq!(json["paths"], serde_json::json!(["a.b", "c"]));
    assert_eq!(json["type"], "string");
    assert!(json.get("place").is_none());
    assert_eq!(report("size(user)").paths, BTreeSet::from(["*".to_owned()]));
    for (text, kind) in [
        ("user.a", "any"),
        ("user.a + 1", "int | double"),
        ("user.a.extract('x')", "string | null"),
        ("user.l.map(x, x)", "list"),
        ("user.a == 1 ? 'x' : 2", "int | string"),
        ("now - now", "duration"),
        ("coalesce(user.a.lower(), 'x')", "string"),
        ("coalesce(user.a.lower(), user.b.lower())", "string | null"),
        ("{'a': 1}", "map"),
        ("null", "null"),
    ] {
        assert_eq!(report(text).kind, kind, "{text}");
    }
}

#[test]
fn what_costs_more_is_reported_to_cost_more() {
    let cost = |text| Expression::compile(text, &Variable::ALL).unwrap().report().cost;
    let costs = [
        cost("1"),
        cost("user.a.lower()"),
        cost("user.a.lower().nfkc()"),
        cost("user.l.map(x, x.lower())"),
        cost("user.l.map(x, user.l.map(y, x + y))"),
    ];
    assert!(costs.is_sorted_by(|one, other| one < other), "{costs:?}");
    let everything = cost("user.l.map(x, user.l.map(y, user.l.sorted().distinct()))");
    assert_eq!(Ok(everything), constant("STEPS").replace(',', "").parse());
}

/// Whether a record is within the size for which costs are reported.
fn is_ordinary(value: &Value) -> bool {
    fn values(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(values).sum::<usize>(),
            Value::Object(object) => 1 + object.values().map(values).sum::<usize>(),
            Value::String(text) if text.len() > 256 => 1000,
            _ => 1,
        }
    }
    values(value) <= 100
}

#[test]
fn no_expression_takes_more_steps_than_its_cost() {
    let mut texts: Vec<(String, Attributes, Options)> = Vec::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/expression");
    for file in std::fs::read_dir(folder).unwrap() {
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        for case in cases.iter().filter(|case| is_ordinary(&case["user"])) {
            let user = serde_json::from_value(case["user"].clone()).unwrap_or_default();
            let options = serde_json::from_value(case["options"].clone()).unwrap_or_default();
            texts.push((case["expression"].as_str().unwrap().to_owned(), user, options));
        }
    }
    let words: Vec<String> = (0..90).map(|number| format!("{number} {}", "Łé".repeat(60))).collect();
    let list = serde_json::json!({"l": words, "t": "Straße ".repeat(30), "m": {"a": 1, "b": {"c": "x".repeat(250)}}});
    let (_, options) = inputs();
    let used = rows().into_iter().map(|row| row[0].replace("user.tags", "user.l").replace("user.last", "user.t"));
    let loops = ["user.l.map(x, FUN)", "user.l.filter(x, FUN == FUN)", "[FUN, FUN]", "user.l.map(x, {'a': FUN}.a)"];
    let calls = [
        "x.lower()",
        "x.nfkc() + x",
        "x.split('a')",
        "x.replace('Ł', 'ab')",
        "x.replaceMatch('[0-9]', '#')",
        "user.l.join('-')",
        "user.l.distinct()",
        "user.l.sorted()",
        "x in user.l",
        "user.m == user.m",
    ];
    let looped = loops.iter().flat_map(|one| {
        calls
            .iter()
            .map(move |call| one.replace("FUN", &call.replace("x", if one.contains("(x,") { "x" } else { "user.t" })))
    });
    let user: Attributes = serde_json::from_value(list).unwrap();
    texts.extend(used.chain(looped).map(|text| (text, user.clone(), options.clone())));
    let mut checked = 0;
    for (text, user, options) in texts {
        let tables = Tables::from(&options.tables);
        let Ok(expression) = Expression::compile_with(&text, &Variable::ALL, &tables) else { continue };
        let now = options.now.unwrap_or_default();
        let inputs = Inputs { current: options.current.as_ref(), token: &options.token, ..Inputs::new(&user, now) };
        let (steps, cost) = (expression.steps(&inputs), expression.report().cost);
        assert!(steps <= cost, "`{text}` took {steps} steps, more than {cost}");
        checked += 1;
    }
    assert!(checked > 600, "only {checked} expressions were checked");
}
