//! Expressions against hostile texts and records: the parser, the language and its users set traps, and each trap has a
//! test here that fails without its cure.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at what they did not expect")]

use rollkeeper::expression::{Expression, Inputs, Reads, Variable};
use rollkeeper::value::Attributes;
use rollkeeper::{Code, Fault, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn compile(text: &str) -> Result<Expression, Vec<Fault>> {
    Expression::compile(text, &Variable::ALL)
}

fn run(text: &str, user: &Value) -> Result<Option<Value>, Fault> {
    let expression = compile(text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    expression.evaluate(&Inputs::new(user.as_object().unwrap(), Timestamp::default()))
}

fn paths(text: &str) -> Reads {
    compile(text).unwrap().reads().clone()
}

fn only(names: &[&str]) -> Reads {
    Reads::Paths(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())
}

#[test]
fn whole_numbers_of_a_record_are_never_unsigned() {
    assert_eq!(run("user.n - 1000", &json!({"n": 1})).unwrap(), Some(json!(-999)));
}

#[test]
fn a_replace_bomb_is_refused_before_it_takes_memory() {
    let bomb = format!("'a'{}", ".replace('a','aa')".repeat(31));
    assert_eq!(run(&bomb, &json!({})).unwrap_err().message, "`replace` would make a text longer than 64 KiB");
}

#[test]
fn nested_loops_run_out_of_steps() {
    let numbers: Vec<u32> = (0..10_000).collect();
    let fault = run("user.n.map(x, user.n.map(y, x + y))", &json!({"n": numbers})).unwrap_err();
    assert_eq!(fault.message, "the expression takes too many steps on this record");
}

#[test]
fn doubling_a_text_in_every_loop_runs_out_of_steps() {
    let sum = vec!["x"; 40].join("+");
    let bomb = format!("[user.a]{}", format!(".map(x, {sum})").repeat(4));
    let fault = run(&bomb, &json!({"a": "aaaa"})).unwrap_err();
    assert_eq!(fault.code, Code::ExpressionFailed);
}

#[test]
fn doubling_a_list_runs_out_of_steps() {
    let sum = vec!["x"; 40].join("+");
    let bomb = format!("[[1]]{}", format!(".map(x, {sum})").repeat(4));
    assert_eq!(run(&bomb, &json!({})).unwrap_err().message, "the expression takes too many steps on this record");
}

#[test]
fn a_million_texts_run_out_of_steps() {
    let numbers: Vec<u32> = (0..10_000).collect();
    let user = json!({"n": numbers, "t": "a".repeat(60_000)});
    assert!(run("user.n.map(x, user.t + 'b')", &user).is_err());
}

#[test]
fn nothing_large_is_copied_or_compared_for_a_step() {
    let numbers: Vec<u32> = (0..20_000).collect();
    let wide: Attributes = (0..5000).map(|number| (format!("k{number}"), json!(number))).collect();
    let user = json!({"n": numbers, "a": "a".repeat(60_000), "photo": "p".repeat(1_000_000), "wide": wide, "some": numbers[..5000]});
    for bomb in [
        "user.n.map(x, user.n)",
        "user.n.map(x, user.a).sorted()",
        "user.n.map(x, user.a < user.a)",
        "user.n.map(x, size(user.wide))",
        "user.n.map(x, isBlank(user.wide))",
        "user.n.map(x, user.wide == user.wide)",
        "[{'a': user.a + 'x'}].map(m, user.n.map(z, m.a))",
        "[[user.a + 'x', user.a + 'y']].map(l, user.n.map(z, l.first()))",
        "[optional.of(user.a + 'x')].map(o, user.n.map(z, o))",
        "[[user.a + 'x']].map(x, x + x + x + x + x + x).map(x, x + x + x + x + x + x).map(x, x + x + x + x + x + x)",
        "user.n.exists(x, [user.photo, user.photo].join('').upper() == 'a' || x < 0)",
        "user.n.exists(x, user.n.exists(y, user.q == 1))",
        "user.n.exists(x, date('soon') == now)",
    ] {
        assert!(run(bomb, &user).is_err(), "{bomb}");
    }
    // What is merely long is no bomb.
    for text in [
        "user.n",
        "user.some.sorted()",
        "user.photo",
        "user.wide",
        "user.n.map(x, x)",
        "user.some.map(x, string(x)).size()",
    ] {
        assert!(run(text, &user).is_ok(), "{text}");
    }
}

#[test]
fn long_sums_overflow_no_stack() {
    let sum = vec!["1"; 2000].join("+");
    let faults =
        std::thread::Builder::new().stack_size(256 * 1024).spawn(move || compile(&sum)).unwrap().join().unwrap();
    assert!(faults.unwrap_err().iter().all(|fault| fault.code == Code::ExpressionInvalid));
}

#[test]
fn what_was_accepted_runs_in_a_small_stack() {
    let deep = format!("{}user.a{}", "(1 + ".repeat(44), ")".repeat(44));
    let expression = compile(&deep).unwrap();
    let run = move || {
        let user = json!({"a": 1});
        expression.evaluate(&Inputs::new(user.as_object().unwrap(), Timestamp::default()))
    };
    let value = std::thread::Builder::new().stack_size(256 * 1024).spawn(run).unwrap().join().unwrap();
    assert_eq!(value.unwrap(), Some(json!(45)));
}

#[test]
fn hostile_texts_are_refused_with_a_reason() {
    for text in [
        "(".repeat(4000),
        "[".repeat(4000),
        "{".repeat(4000),
        "!".repeat(4000),
        "-".repeat(4000),
        format!("{}1", "!".repeat(3999)),
        vec!["a"; 2000].join("."),
        vec!["a"; 1300].join("||"),
        "a?".repeat(2000),
        "user.a.map(x, ".repeat(200),
        "'".repeat(4000),
        "\u{0}".repeat(100),
        "'\\ud800'".to_owned(),
        "user.".to_owned(),
        "1 +".repeat(1000),
        "9".repeat(4000),
        "x".repeat(5000),
    ] {
        let faults = compile(&text).unwrap_err();
        assert!(!faults.is_empty());
        let codes = [Code::ExpressionInvalid, Code::UnknownVariable];
        assert!(faults.iter().all(|fault| codes.contains(&fault.code)), "{faults:?}");
        let length = text.chars().count();
        assert!(faults.iter().all(|fault| fault.position.is_none_or(|position| position <= length)), "{faults:?}");
    }
}

#[test]
fn no_repetition_overflows_the_parser() {
    let units = [
        "1 in ",
        "a?a:",
        "a?",
        "(",
        "-(",
        "!(",
        "[",
        "a[",
        "{1:",
        "f(",
        "a.b(",
        ".a",
        "1+",
        "a&&",
        "a||",
        "a==",
        "a<",
        "-",
        "!",
        "- ",
        "! ",
        "[?",
        "a.?",
        "a[?",
        ")",
        "]",
        "}",
        ",",
        ":",
        "a ",
        "1 ",
        "\"",
        "'",
        "`",
        "a.`b`",
        "b'",
        "r'",
        "//",
        "\n",
        "a.map(x,",
        "has(",
        "coalesce(",
        "x{",
        "x{a:",
        "-1 in ",
        "ü",
        "\\",
        "0x",
        "1e",
        "1.",
        "..",
        "&",
        "|",
        "=",
        "$",
        "@",
        "in",
    ];
    for unit in units {
        for length in [60, 390, 4095] {
            let text: String = unit.chars().cycle().take(length).collect();
            for text in [format!("{text}1"), text.clone(), format!("1{text}")] {
                if let Err(faults) = compile(&text) {
                    assert!(faults.iter().all(|fault| fault.message.len() < 200), "{faults:?}");
                }
            }
        }
    }
}

#[test]
fn looking_for_an_item_costs_what_the_list_is_long() {
    let numbers: Vec<u32> = (0..20_000).collect();
    assert!(run("user.n.all(x, 0 in user.n)", &json!({"n": numbers})).is_err());
}

#[test]
fn a_list_without_an_order_is_not_sorted() {
    let mixed: Vec<Value> =
        (0..100).map(|number| if number % 3 == 0 { json!("x") } else { json!(100 - number) }).collect();
    assert_eq!(
        run("user.l.sorted()", &json!({"l": mixed})).unwrap_err().message,
        "`sorted` takes a list of texts, or of numbers"
    );
    assert!(run("[0.0 / 0.0, 1.0].sorted()", &json!({})).is_err());
}

#[test]
fn a_huge_pattern_is_refused() {
    assert!(compile("'a'.matches('((a{100}){100}){100}')").is_err());
}

#[test]
fn loops_are_counted_and_their_nesting_too() {
    assert!(compile(&format!("[1]{}", ".map(x, x)".repeat(6))).is_ok());
    assert!(compile(&format!("[1]{}", ".map(x, x)".repeat(7))).is_err());
    assert!(compile("[1].map(x, [1].map(y, [1].map(z, 1)))").is_err());
}

#[test]
fn a_null_is_no_value() {
    let user = json!({"manager": null, "list": [{"a": null}]});
    assert_eq!(run("has(user.manager) ? user.manager.name : 'none'", &user).unwrap(), Some(json!("none")));
    assert_eq!(run("user.list", &user).unwrap(), Some(json!([{}])));
}

#[test]
fn faults_never_show_a_value() {
    let secret = "s3cr3t-v4lue";
    let user = json!({"a": secret, "n": 918_273_645_i64, "l": [secret], "o": {"k": secret}});
    for text in [
        "user.a + 1",
        "user.a < 1",
        "user.a / 2",
        "-user.a",
        "!user.a",
        "user.a && true",
        "user.a ? 1 : 2",
        "user.a.b",
        "user.a[0]",
        "user.l[user.a]",
        "user.o[user.a]",
        "{user.l: 1}",
        "user.a in user.a",
        "int(user.a)",
        "bool(user.a)",
        "double(user.a)",
        "timestamp(user.a)",
        "duration(user.a)",
        "user.n.lower()",
        "user.l.join(user.n)",
        "user.o.join()",
        "user.a.map(x, x)",
        "[user.o].sorted()",
        "user.a.padLeft(3, user.a)",
        "user.a.ascii(user.a)",
        "user.n / 0",
        "user.n * 9223372036854775807",
        "user.l.map(x, x.missing)",
        "[user.a].first().value()",
        "[user.a, user.n].sorted()",
        "optional.none().value()",
        "user.l.pick(user.n, 1)",
        "string(user.o)",
        "{'a': 1}[user.o]",
        "user.o.k.z",
    ] {
        let fault = run(text, &user).map_or_else(|fault| fault, |value| panic!("{text} gave {value:?}"));
        let shown = format!("{fault:?} {fault}");
        assert!(!shown.contains(secret) && !shown.contains("918273645"), "{text}: {shown}");
        assert_eq!(fault.code, Code::ExpressionFailed, "{text}");
    }
}

#[test]
fn a_record_that_is_nested_too_deep_is_an_error() {
    let mut deep = json!(1);
    for _ in 0..500 {
        deep = json!([deep]);
    }
    let user = json!({"a": deep.clone(), "b": deep});
    assert!(run("user.a", &user).is_err());
    assert!(run("user.a == user.b", &user).is_err());
}

#[test]
fn a_long_text_of_a_record_is_passed_on() {
    let photo = "x".repeat(200_000);
    assert_eq!(run("user.photo", &json!({"photo": photo})).unwrap(), Some(json!(photo)));
    assert_eq!(run("user.photo.left(2)", &json!({"photo": photo})).unwrap(), Some(json!("xx")));
    assert!(run("user.photo.upper()", &json!({"photo": photo})).is_err());
}

#[test]
fn the_paths_read_are_told() {
    assert_eq!(paths("user.email.lower() + user.name.givenName"), only(&["email", "name.givenName"]));
    assert_eq!(
        paths("has(user.manager.name) ? user['a']['b'] : user.?x.?y.orValue('')"),
        only(&["manager.name", "a.b", "x.y"])
    );
    assert_eq!(paths("user.emails[0].value + user.list[user.index]"), only(&["emails", "list", "index"]));
    assert_eq!(paths("user.emails.filter(e, e.type == user.kind).map(x, x.value)"), only(&["emails", "kind"]));
    assert_eq!(paths("coalesce(user.a, user.b)"), only(&["a", "b"]));
    assert_eq!(paths("current.title + app.id + token"), only(&[]));
    assert_eq!(paths("[{'a': 1}].map(user, user.a)"), only(&[]));
    for whole in ["user", "user[app.id]", "user.map(k, k)", "size(user)", "user['a.b']"] {
        assert_eq!(paths(whole), Reads::All, "{whole}");
    }
}

#[test]
fn a_change_above_or_below_what_is_read_matters() {
    let reads = only(&["name.givenName", "email"]);
    for (path, touched) in
        [("name", true), ("name.givenName", true), ("name.familyName", false), ("email.x", true), ("emails", false)]
    {
        assert_eq!(reads.touches(path), touched, "{path}");
    }
    assert_eq!(reads.roots(), Some(BTreeSet::from(["name", "email"])));
    assert!(Reads::All.touches("anything"));
}

#[test]
fn every_fault_is_reported_at_once() {
    let codes: Vec<Code> =
        compile("usr.a + user.b.frob() + 'x'.left()").unwrap_err().iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [Code::UnknownVariable, Code::UnknownFunction, Code::ExpressionInvalid]);
}

#[test]
fn a_variable_that_was_not_offered_is_unknown() {
    let faults = Expression::compile("token == ''", &[Variable::User]).unwrap_err();
    assert_eq!(faults[0].code, Code::UnknownVariable);
    assert_eq!(faults[0].message, "there is no variable `token`; there are `user`");
}

#[test]
fn an_expression_can_be_used_from_many_threads() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&compile("user.a").unwrap());
}

#[test]
fn nothing_of_the_record_is_needed_to_evaluate_a_constant() {
    assert_eq!(run("1 + 1", &Value::Object(Attributes::new())).unwrap(), Some(json!(2)));
}
