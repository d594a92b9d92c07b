//! Random mappings, users and accounts: rendering agrees with the naive one of `naive/`, and what it changes is what it
//! wants. The seed is printed and always the same; `ROLLKEEPER_SEED` chooses another, `ROLLKEEPER_CASES` how many.
#![expect(clippy::unwrap_used, reason = "tests may stop at what must not happen")]

#[path = "naive/mod.rs"]
mod naive;

use naive::{Inputs, Object, Origin, Rule, Schema, Target, get, same};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use rollkeeper::mapping::{Mapping, RenderInputs, Rendered};
use rollkeeper::model::{Change, SchemaAttribute};
use rollkeeper::{Fault, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

const URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const TEXTS: [&str; 9] = ["", "a", "A", "b", "é", "e\u{301}", "É", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"];

#[derive(Clone, Debug)]
struct Case {
    rules: Vec<Rule>,
    with_schema: bool,
    user: Object,
    /// Another user.
    other: Object,
    current: Option<Object>,
    last: Option<Object>,
}

impl Case {
    fn schema(&self) -> Schema {
        let all = vec![
            ("title", "string", false, false),
            ("nickName", "string", false, true),
            ("active", "boolean", false, false),
            ("logins", "integer", false, false),
            ("hired", "dateTime", false, false),
            ("name", "complex", false, false),
            ("name.givenName", "string", false, false),
            ("name.familyName", "string", false, true),
            ("roles", "string", true, false),
            ("emails", "complex", true, false),
            ("emails.value", "string", false, false),
            ("emails.type", "string", false, false),
            ("emails.display", "string", false, true),
            ("emails.primary", "boolean", false, false),
            ("addresses", "complex", true, false),
            ("addresses.type", "string", false, false),
            ("addresses.locality", "string", false, true),
            ("addresses.primary", "boolean", false, false),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "string", false, false),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "complex", false, false),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "string", false, true),
        ];
        Schema(if self.with_schema { all } else { Vec::new() })
    }

    fn mapping(&self) -> Result<Mapping, Vec<Fault>> {
        let rules: Vec<rollkeeper::model::Rule> =
            serde_json::from_value(self.rules.iter().map(Rule::document).collect()).unwrap();
        let schema: Vec<SchemaAttribute> = serde_json::from_value(self.schema().documents()).unwrap();
        Mapping::compile(&rules, self.with_schema.then_some(schema.as_slice()))
    }
}

fn text() -> impl Strategy<Value = Value> {
    select(TEXTS.as_slice()).prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    let big: u64 = 9_007_199_254_740_993;
    select(vec![
        json!(0),
        json!(-0.0),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(big),
        json!(big - 1),
        json!(9_007_199_254_740_992.0),
        json!(u64::MAX),
    ])
}

fn sometimes<S: Strategy<Value = Value>>(value: S) -> impl Strategy<Value = Option<Value>> {
    proptest::option::weighted(0.6, value)
}

fn object<const N: usize>(members: [(&'static str, BoxedStrategy<Option<Value>>); N]) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    let with_names = move |values: Vec<Option<Value>>| {
        let pairs = names.iter().zip(values);
        Value::Object(pairs.filter_map(|(name, value)| Some(((*name).to_owned(), value?))).collect())
    };
    values.prop_map(with_names).boxed()
}

fn element() -> BoxedStrategy<Value> {
    object([
        ("value", sometimes(select(vec!["a", "A", "b", "é"]).prop_map(Value::from)).boxed()),
        ("type", sometimes(select(vec!["work", "Work", "home"]).prop_map(Value::from)).boxed()),
        ("primary", proptest::option::weighted(0.3, any::<bool>().prop_map(Value::from)).boxed()),
        ("display", proptest::option::weighted(0.3, prop_oneof![text(), Just(Value::Null)]).boxed()),
        ("locality", proptest::option::weighted(0.3, text()).boxed()),
    ])
}

fn list(item: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    proptest::collection::vec(item, 0..4).prop_map(Value::from).boxed()
}

fn texts() -> BoxedStrategy<Value> {
    list(prop_oneof![9 => text(), 1 => Just(Value::Null)].boxed())
}

fn person() -> BoxedStrategy<Value> {
    object([
        ("givenName", sometimes(text()).boxed()),
        ("familyName", sometimes(prop_oneof![text(), Just(Value::Null)]).boxed()),
    ])
}

/// A value of the kind that is asked for.
fn of_kind(kind: &str) -> BoxedStrategy<Value> {
    match kind {
        "flag" => any::<bool>().prop_map(Value::from).boxed(),
        "number" => number().boxed(),
        "person" => person(),
        "texts" => texts(),
        "elements" => list(element()),
        "element" => element(),
        _ => text().boxed(),
    }
}

/// A value of that kind, or now and then of another.
fn about(kind: &'static str) -> BoxedStrategy<Value> {
    let other = prop_oneof![
        text(),
        number(),
        texts(),
        list(element()),
        person(),
        list(prop_oneof![text().boxed(), element()].boxed())
    ];
    prop_oneof![30 => of_kind(kind), 1 => other, 1 => Just(Value::Null)].boxed()
}

/// What can be written, and what kind of value it takes.
fn targets() -> Vec<(Target, &'static str)> {
    let work = || [("type", json!("work"))];
    let work_primary = || [("type", json!("work")), ("primary", json!(true))];
    let extension = |name: &str, sub, schema| Target { schema: Some(schema), sub, ..Target::plain(name) };
    let upper = "URN:IETF:params:scim:schemas:extension:enterprise:2.0:user";
    vec![
        (Target::plain("title"), "text"),
        (Target::plain("TITLE"), "text"),
        (Target::plain("nickName"), "text"),
        (Target::plain("active"), "flag"),
        (Target::plain("logins"), "number"),
        (Target::plain("hired"), "text"),
        (Target::plain("name"), "person"),
        (Target { sub: Some("givenName"), ..Target::plain("name") }, "text"),
        (Target { sub: Some("FAMILYNAME"), ..Target::plain("Name") }, "text"),
        (Target::plain("roles"), "texts"),
        (Target::plain("emails"), "elements"),
        (Target::element("emails", &work(), Some("value")), "text"),
        (Target::element("Emails", &work(), Some("display")), "text"),
        (Target::element("emails", &work(), Some("primary")), "flag"),
        (Target::element("emails", &work(), None), "element"),
        (Target::element("emails", &[("TYPE", json!("Home"))], Some("value")), "text"),
        (Target::element("emails", &[("primary", json!(true))], Some("value")), "text"),
        (Target::element("emails", &work_primary(), Some("value")), "text"),
        (Target::element("emails", &work(), Some("type")), "text"),
        (Target::plain("addresses"), "elements"),
        (Target::element("addresses", &work(), Some("locality")), "text"),
        (Target::element("addresses", &work_primary(), None), "element"),
        (extension("department", None, URN), "text"),
        (extension("Department", None, upper), "text"),
        (extension("manager", Some("value"), URN), "text"),
    ]
}

/// Whether two rules may not stand in one mapping.
fn collide(left: &Rule, right: &Rule) -> bool {
    let at_once = !matches!((left.apply, right.apply), ("create", "update") | ("update", "create"));
    let (left, right) = (&left.target, &right.target);
    let root = |target: &Target| format!("{}{}", target.schema.unwrap_or_default(), target.name).to_lowercase();
    let filter = |target: &Target| json!(target.filter).to_string().to_lowercase();
    let whole = |target: &Target| target.filter.is_empty() && target.sub.is_none();
    let sub = |target: &Target| target.sub.map(str::to_lowercase);
    let one_is_whole = whole(left) || whole(right);
    let same_element = filter(left) == filter(right);
    let same_part = left.sub.is_none() || right.sub.is_none() || sub(left) == sub(right);
    at_once && root(left) == root(right) && (one_is_whole || same_element && same_part)
}

fn origin(kind: &'static str) -> BoxedStrategy<Origin> {
    let keys: &[&[&'static str]] = match kind {
        "flag" => &[&["flag"]],
        "number" => &[&["number"]],
        "person" => &[&["person"]],
        "texts" => &[&["texts"]],
        "elements" => &[&["emails"]],
        "element" => &[&["element"]],
        _ => &[&["t"], &["t2"], &["person", "givenName"]],
    };
    let own = select(keys).prop_map(|keys| Origin::Source(keys.to_vec()));
    let expression = prop_oneof![
        6 => Just(Origin::WorkEmail), 6 => select(vec!["t", "t2"]).prop_map(Origin::Optional),
        6 => select(vec!["t", "t2"]).prop_map(Origin::Otherwise), 1 => Just(Origin::Failing)
    ];
    let other = prop_oneof![Just(vec!["texts"]), Just(vec!["t"]), Just(vec!["number"]), Just(vec!["nowhere", "below"])];
    let constant = about(kind).prop_map(Origin::Constant);
    // Few, because an expression takes longer to compile than all the rest.
    let of_text = if kind == "text" { 3 } else { 1 };
    prop_oneof![30 => own, of_text => expression, 1 => other.prop_map(Origin::Source), 12 => constant].boxed()
}

fn mostly(first: &'static str, others: &'static [&'static str]) -> BoxedStrategy<&'static str> {
    prop_oneof![2 => Just(first), 1 => select(others)].boxed()
}

fn rule((target, kind): (Target, &'static str)) -> BoxedStrategy<Rule> {
    let multi: &[&str] =
        if matches!(kind, "texts" | "elements") { &["merge", "merge", "keep"] } else { &["replace", "keep"] };
    let settings = (
        mostly("skip", &["clear", "default"]),
        mostly("value", &["null"]),
        mostly("always", &["create", "update"]),
        mostly("normal", &["strong", "weak"]),
        prop_oneof![2 => Just("replace"), 2 => select(multi.to_vec()), 1 => Just(if kind == "text" { "replace" } else { "merge" })],
    );
    let default = proptest::option::weighted(0.4, (about(kind), any::<bool>()));
    let rest = (origin(kind), prop::bool::weighted(0.1), default, settings);
    rest.prop_map(move |(origin, required, default, (on_null, blank, apply, strength, multi))| Rule {
        target: target.clone(),
        // A default that is asked for is nearly always there.
        on_null: if on_null == "default" && default.is_none() && !required { "clear" } else { on_null },
        origin,
        required,
        default,
        blank,
        apply,
        strength,
        multi,
    })
    .boxed()
}

fn rules() -> BoxedStrategy<Vec<Rule>> {
    let all = targets();
    let chosen = subsequence(all, 1..=7).prop_shuffle();
    let rules = chosen.prop_flat_map(|chosen| chosen.into_iter().map(rule).collect::<Vec<_>>());
    rules
        .prop_map(|rules| {
            let mut kept: Vec<Rule> = Vec::new();
            for rule in rules {
                if !kept.iter().any(|known| collide(known, &rule)) {
                    kept.push(rule);
                }
            }
            kept
        })
        .boxed()
}

fn record(keys: &[(&'static str, &'static str)], lowered: bool) -> BoxedStrategy<Object> {
    let (names, kinds): (Vec<&'static str>, Vec<&'static str>) = keys.iter().copied().unzip();
    let values: Vec<_> =
        kinds.into_iter().map(|kind| (sometimes(about_there(kind)), prop::bool::weighted(0.2))).collect();
    values
        .prop_map(move |values| {
            let spelled =
                |name: &str, lower: bool| if lower && lowered { name.to_lowercase() } else { name.to_owned() };
            let pairs = names.iter().zip(values);
            pairs.filter_map(|(name, (value, lower))| Some((spelled(name, lower), value?))).collect()
        })
        .boxed()
}

fn about_there(kind: &'static str) -> BoxedStrategy<Value> {
    match kind {
        "extension" => {
            let manager = object([("value", sometimes(text()).boxed()), ("displayName", sometimes(text()).boxed())]);
            object([("department", sometimes(text()).boxed()), ("Manager", sometimes(manager).boxed())])
        }
        kind => prop_oneof![12 => of_kind(kind), 1 => Just(Value::Null)].boxed(),
    }
}

fn user() -> BoxedStrategy<Object> {
    let keys = [
        ("t", "text"),
        ("t2", "text"),
        ("flag", "flag"),
        ("number", "number"),
        ("person", "person"),
        ("texts", "texts"),
        ("emails", "elements"),
        ("element", "element"),
    ];
    record(&keys, false)
}

fn account() -> BoxedStrategy<Object> {
    let keys = [
        ("title", "text"),
        ("nickName", "text"),
        ("active", "flag"),
        ("logins", "number"),
        ("hired", "text"),
        ("name", "person"),
        ("roles", "texts"),
        ("emails", "elements"),
        ("addresses", "elements"),
        (URN, "extension"),
    ];
    record(&keys, true)
}

fn case() -> impl Strategy<Value = Case> {
    let account = || proptest::option::weighted(0.7, account());
    let before = (account(), account(), prop::bool::weighted(0.3));
    (rules(), any::<bool>(), (user(), user()), before).prop_map(
        |(rules, with_schema, (user, other), (current, last, same))| Case {
            rules,
            with_schema,
            user,
            other,
            last: if same { current.clone() } else { last },
            current,
        },
    )
}

fn rendered(case: &Case, mapping: &Mapping, current: Option<&Object>) -> Result<Rendered, Vec<Fault>> {
    let last = case.last.as_ref();
    let creating = current.is_none() && last.is_none();
    mapping.render(&RenderInputs { current, last, creating, ..RenderInputs::create(&case.user, Timestamp::default()) })
}

fn named(faults: Vec<Fault>) -> Vec<(&'static str, String)> {
    faults.into_iter().map(|fault| (fault.code.name(), fault.attribute.unwrap())).collect()
}

/// Runs a property on random cases.
#[expect(clippy::print_stdout, reason = "the seed is told")]
fn check(property: impl Fn(Case) -> Result<(), TestCaseError>) {
    let number = |name: &str, default: u32| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (seed, cases) = (number("ROLLKEEPER_SEED", 1), number("ROLLKEEPER_CASES", 20_000));
    let mut bytes = [7; 16];
    bytes.iter_mut().zip(seed.to_le_bytes()).for_each(|(byte, seed)| *byte = seed);
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    println!("{cases} cases from seed {seed}");
    let outcome = TestRunner::new_with_rng(config, rng).run(&case(), property);
    assert!(outcome.is_ok(), "seed {seed}: {}", outcome.unwrap_err());
}

#[test]
fn rendering_agrees_with_the_naive_one_and_changes_what_it_says() {
    check(|case| {
        let schema = case.schema();
        let wanted = naive::compile(&case.rules, &schema);
        let mapping = match case.mapping() {
            Ok(mapping) => mapping,
            Err(faults) => {
                prop_assert_eq!(named(faults), wanted);
                return Ok(());
            }
        };
        prop_assert_eq!(Vec::<(&str, String)>::new(), wanted);
        let inputs =
            Inputs { schema: &schema, user: &case.user, current: case.current.as_ref(), last: case.last.as_ref() };
        let wanted = naive::render(&case.rules, &inputs);
        let given = rendered(&case, &mapping, case.current.as_ref());
        let document = given.clone().map(|rendered| serde_json::to_value(rendered).unwrap()).map_err(named);
        prop_assert_eq!(document, wanted);
        match (&case.current, &given) {
            (Some(current), Ok(given)) => changes_hold(&case, &mapping, current, given),
            _ => Ok(()),
        }
    });
}

fn applied(rendered: &Rendered, current: &Object) -> Object {
    let mut changed = current.clone();
    Change::apply_all(&rendered.target_changes(), &mut changed).unwrap();
    changed
}

/// What an update leaves behind.
fn changes_hold(case: &Case, mapping: &Mapping, current: &Object, given: &Rendered) -> Result<(), TestCaseError> {
    let changed = applied(given, current);
    for root in ["emails", "addresses"] {
        let most = primaries(current, root).max(1);
        prop_assert!(primaries(&given.attributes, root) <= most && primaries(&changed, root) <= most, "{:?}", changed);
    }
    if is_contrary(case) {
        return Ok(());
    }
    let again = rendered(case, mapping, Some(&changed)).unwrap();
    prop_assert_eq!(json!(again.changes), json!([]), "after {:?}", changed);
    for (index, rule) in case.rules.iter().enumerate() {
        // A normal rule that wants what it wanted last leaves alone what others have made of it.
        let is_loose = rule.strength == "normal" && case.last.is_some();
        if is_loose || given.skipped.iter().any(|skipped| skipped.rule == index) {
            continue;
        }
        let (there, mut wanted) = (get(&rule.target, &changed), get(&rule.target, &given.attributes));
        if let Some(element) = wanted.as_object_mut() {
            // What the filter says holds in any letter case.
            let spelled = |name: &str| there.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            let said = rule.target.filter.iter().filter_map(|(name, _)| Some((*name, spelled(name)?.1.clone())));
            said.for_each(|(name, value)| drop(element.insert(name.to_owned(), value)));
        }
        let is_single = !there.is_array() && !there.is_null() && there != json!({});
        let there = if rule.multi == "merge" && is_single { json!([there]) } else { there };
        let attribute = rule.target.attribute();
        prop_assert!(same(&case.schema(), &attribute, &there, &wanted), "{}: {} in {:?}", attribute, wanted, changed);
    }
    Ok(())
}

fn primaries(account: &Object, root: &str) -> usize {
    let list = get(&Target::plain(root), account);
    list.as_array().map_or(0, |items| items.iter().filter(|item| item["primary"] == true).count())
}

/// Whether one rule can undo what another did: where two mean one element by different filters, and where one takes away
/// the `value` of an element, and with it the element, into which another writes.
fn is_contrary(case: &Case) -> bool {
    ["emails", "addresses"].iter().any(|root| {
        let rules = || case.rules.iter().filter(|rule| rule.target.name.eq_ignore_ascii_case(root));
        let filters: BTreeSet<String> =
            rules().map(|rule| json!(rule.target.filter).to_string().to_lowercase()).collect();
        let of_primary = filters.iter().any(|filter| filter.contains("primary"));
        let takes_away = rules().any(|rule| rule.target.sub == Some("value") && rule.on_null == "clear");
        filters.len() > 1 && of_primary || rules().count() > filters.len() && takes_away
    })
}

/// `apply(diff(a, b), a) == b`: of two users' accounts, the changes make one the other, where every rule is strong,
/// replaces and clears, and writes one value. Texts that are the same for the target may stay as they were.
#[test]
fn the_difference_between_two_accounts_makes_one_the_other() {
    check(|case| {
        let one_each = |rules: Vec<Rule>| {
            let mut elements = BTreeSet::new();
            let element = |rule: &Rule| {
                (rule.target.list_text().to_lowercase(), json!(rule.target.filter).to_string().to_lowercase())
            };
            let single = |rule: &Rule| {
                !matches!(rule.target.name.as_str(), "emails" | "addresses" | "roles" | "name")
                    || rule.target.sub.is_some()
            };
            let mut keep =
                |rule: &Rule| single(rule) && (rule.target.filter.is_empty() || elements.insert(element(rule)));
            rules.into_iter().filter(|rule| keep(rule)).collect::<Vec<_>>()
        };
        let plain = |rule| Rule {
            required: false,
            default: None,
            on_null: "clear",
            apply: "always",
            strength: "strong",
            multi: "replace",
            ..rule
        };
        let rules = one_each(case.rules.clone().into_iter().map(plain).collect());
        let case = Case { rules, with_schema: true, last: None, ..case };
        let Some(mapping) = case.mapping().ok().filter(|_| !is_contrary(&case)) else { return Ok(()) };
        let of = |user: &Object| rendered(&Case { user: user.clone(), ..case.clone() }, &mapping, None);
        let (Ok(from), Ok(to)) = (of(&case.other), of(&case.user)) else { return Ok(()) };
        let Ok(given) = rendered(&case, &mapping, Some(&from.attributes)) else { return Ok(()) };
        let made = applied(&given, &from.attributes);
        prop_assert_eq!(plain_form(&Value::Object(made)), plain_form(&Value::Object(to.attributes)));
        Ok(())
    });
}

/// The same for accounts that are the same to a target.
fn plain_form(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.to_lowercase(), plain_form(value))).collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(plain_form).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::String(text) if text.starts_with("2026") => "a moment".into(),
        Value::String(text) => text.nfc().collect::<String>().to_lowercase().into(),
        other => other.clone(),
    }
}
