//! The direct way and the ordinary way give the same, values and faults, for many mappings and records made by chance.

use super::{Mapping, RenderInputs};
use crate::fault::Fault;
use crate::model::Rule;
use crate::time::Timestamp;
use crate::value::{Attributes, canonical_object};
use serde_json::{Value, json};

const MAPPINGS: usize = 1500;
const RECORDS: usize = 12;

/// The same numbers at every run (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % count
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'p>(&mut self, pool: &[&'p str]) -> &'p str {
        pool[self.below(pool.len())]
    }
}

/// Those that stand near each other have to do with each other.
const TARGETS: [&str; 29] = [
    r#"emails[type eq "work"].value"#,
    r#"emails[type eq "home"].value"#,
    r#"emails[type eq "work"].primary"#,
    r#"emails[type eq "home"].display"#,
    r#"emails[type eq "work"].display"#,
    "addresses.country",
    "userName",
    "title",
    "Title",
    "name",
    "name.givenName",
    "name.familyName",
    "name.formatted.long",
    "NAME.middleName",
    "emails",
    "emails.value",
    "emails.display",
    r#"emails[type eq "work"].type"#,
    r#"emails[type eq "WORK"].display"#,
    r#"emails[type eq "home"].primary"#,
    r#"emails[primary eq true].value"#,
    r#"emails[type eq "home" and primary eq true].display"#,
    r#"phoneNumbers[type eq "mobile"]"#,
    r#"phoneNumbers[type eq "work" and type eq "fax"].value"#,
    r#"things.list[rank eq 1].a.b"#,
    r#"things.list[rank eq 2].a.c"#,
    "urn:x:User:department",
    "urn:x:User:manager.value",
    "URN:X:User:number",
];

const SOURCES: [&str; 13] = [
    "id",
    "manager",
    "first",
    "last",
    "blank",
    "nested",
    "nested.inner",
    "nested.inner.deep",
    "number",
    "list",
    "none",
    "Größe",
    r#"emails[type eq "work"].value"#,
];

const EXPRESSIONS: [&str; 29] = [
    "[user.?first, null, []]",
    "{'value': user.?list.orValue([]), 'primary': true}",
    "[]",
    "user.first.lower() + '.' + user.last.lower() + '@example.com'",
    "user.first == 'A' ? 'one' : user.first == 'Zoë' ? 'two' : user.last",
    "user['first']",
    "user.?first.orValue('nobody')",
    "user[?'number'].orValue(7)",
    "has(user.nested.inner) ? user.nested.inner : null",
    "user.nested.inner.deep",
    "user.?nested.?inner",
    "coalesce(user.none, user.blank, user.first, 'x')",
    "isBlank(user.blank) || user.active",
    "user.number + 1",
    "user.number / 2.0",
    "[user.first, user.number]",
    "{'a': user.first, 'b': user.?none}",
    "user.list.filter(x, x == 'a')",
    "user.list.map(x, string(x) + user.first)",
    "size(user.list)",
    "type(user.number)",
    "user.Größe",
    "now",
    "token + string(iteration) + app.id",
    "current.?userName.orValue('fresh')",
    "user.exists(key, key == 'first')",
    "user[user.first]",
    "-user.number",
    "''",
];

const VALUES: [&str; 39] = [
    r#""A""#,
    r#""Zoë""#,
    r#""a\"b\\c\n""#,
    r#""\u00e9t\u00e9""#,
    r#""tab\tand\/""#,
    r#""\ud83c\udf89""#,
    r#""\ud83c""#,
    r#""""#,
    r#""first""#,
    "\"\u{7f}\u{2028}\"",
    "\"raw\ttab\"",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "42",
    "-7",
    "1.0",
    "2.50",
    "1e3",
    "1e400",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "01",
    r#"["a", "b", null, "a"]"#,
    "[]",
    "{}",
    r#"[{"type": "work", "value": "w@x"}, {"value": "h@x"}]"#,
    r#"{"inner": "x", "z": null, "b": {"a": 1}}"#,
    r#"{"inner": {"deep": "d", "deep": "e"}, "inner2": [1, {"b": 2, "a": 1}]}"#,
    r#"{"inner": ""}"#,
    r#"{"inner": [], "kept": {"none": null}}"#,
    r#"{"inner": {"deep": {"none": []}}}"#,
    r#"[{}, [null], "a", {"value": null}]"#,
    r#"[{"value": "a", "primary": true}, {"value": "b", "primary": true}]"#,
    r#"[{"value": "a", "primary": true}, {"value": "b", "primary": false}]"#,
    "[1,",
];

fn mapping(chance: &mut Chance) -> Vec<Rule> {
    let constants = [
        json!("fixed"),
        json!(""),
        Value::Null,
        json!(true),
        json!({"z": 1, "a": [1.5]}),
        json!([]),
        json!({"a": {"none": null}}),
    ];
    let count = 1 + chance.below(7);
    let near = if chance.one_in(2) { 7 } else { TARGETS.len() };
    let first = if chance.one_in(2) { 0 } else { chance.below(TARGETS.len() - near + 1) };
    let mut targets = TARGETS[first..first + near].to_vec();
    let rules = (0..count).map(|_| {
        let mut rule = json!({"target": targets.swap_remove(chance.below(targets.len()))});
        match chance.below(8) {
            0 => rule["constant"] = constants[chance.below(constants.len())].clone(),
            1..=3 => rule["expression"] = chance.of(&EXPRESSIONS).into(),
            _ => {
                let without_elements = usize::from(!chance.one_in(6));
                rule["source"] = chance.of(&SOURCES[..SOURCES.len() - without_elements]).into();
            }
        }
        if chance.one_in(4) {
            let when = chance.of(&["create", "always"]);
            rule["default"] = json!({"value": constants[chance.below(constants.len())], "when": when});
        }
        if chance.one_in(12) {
            rule["reference"] = chance.one_in(2).into();
        }
        rule["required"] = chance.one_in(8).into();
        rule["on_null"] = chance.of(&["skip", "clear"]).into();
        rule["blank"] = chance.of(&["value", "null"]).into();
        rule["apply"] = chance.of(&["always", "always", "create", "update"]).into();
        rule["strength"] = chance.of(&["strong", "normal", "weak"]).into();
        rule["multi"] = chance.of(&["replace", "replace", "keep", "replace", "replace", "merge"]).into();
        serde_json::from_value(rule).unwrap()
    });
    rules.collect()
}

fn record(chance: &mut Chance) -> String {
    let keys = [
        "first",
        "last",
        "number",
        "list",
        "nested",
        "blank",
        "active",
        "emails",
        "Gr\\u00f6\\u00dfe",
        "other",
        "Emails",
        "manager",
    ];
    let sound: Vec<&str> = VALUES.into_iter().filter(|value| serde_json::from_str::<Value>(value).is_ok()).collect();
    let count = chance.below(14);
    let members = (0..count).map(|_| {
        let key = chance.of(&keys);
        let broken = chance.one_in(150);
        let text = chance.one_in(2);
        let value = if broken { chance.of(&VALUES) } else { chance.of(&sound[..if text { 9 } else { sound.len() }]) };
        let value = match chance.below(800) {
            0 => format!("{}{}", "[".repeat(127), "]".repeat(127)),
            1 => format!("{}{}", "[".repeat(126), "]".repeat(126)),
            2 => format!("\"{}\"", "long ".repeat(20_000)),
            _ => value.to_owned(),
        };
        format!("\"{key}\" : {value}")
    });
    let members: Vec<String> = members.collect();
    let mut text = format!(" {{{}}}\r", members.join(",\n"));
    if chance.one_in(20) {
        // Something is lost or comes in between, which mostly leaves no JSON.
        let place = chance.below(text.chars().count());
        let place = text.char_indices().nth(place).unwrap().0;
        match chance.below(3) {
            0 => drop(text.remove(place)),
            1 => text
                .insert_str(place, chance.of(&["\"", "\\", ",", ":", "{", "]", "0", "-", ".", "e", "t", "\u{1}", "ü"])),
            _ => text.truncate(place),
        }
    }
    text
}

fn ordinary(mapping: &Mapping, record: &str, now: Timestamp) -> Option<Result<String, Vec<Fault>>> {
    let user: Attributes = serde_json::from_str(record).ok()?;
    let rendered = mapping.render(&RenderInputs::create(&user, now));
    Some(rendered.map(|rendered| canonical_object(&rendered.attributes)))
}

#[test]
fn the_direct_way_gives_what_the_ordinary_way_gives() {
    let now = Timestamp::parse("2026-11-20T09:00:00Z").unwrap();
    let mut chance = Chance(2026);
    let (mut fit, mut written, mut faulty, mut compared) = (0, 0, 0, 0);
    let mut payload = String::new();
    for _ in 0..MAPPINGS {
        let rules = mapping(&mut chance);
        let Ok(mapping) = Mapping::compile(&rules, None) else { continue };
        fit += usize::from(mapping.direct.is_some());
        for _ in 0..RECORDS {
            let record = record(&mut chance);
            let outcome = mapping.payload(record.as_bytes(), now, &mut payload).map(|()| payload.clone());
            let rules = || serde_json::to_string(&rules).unwrap();
            match ordinary(&mapping, &record, now) {
                Some(expected) => assert_eq!(outcome, expected, "{} on {record}", rules()),
                None => assert!(outcome.is_err(), "{} on {record}", rules()),
            }
            compared += 1;
            faulty += usize::from(outcome.is_err());
            let direct = mapping.direct.as_ref();
            written +=
                usize::from(direct.is_some_and(|direct| direct.write(&mapping.rules, &record, now, &mut payload)));
        }
    }
    // Otherwise little was compared.
    assert!(compared > 7_000 && fit * RECORDS * 3 > compared, "{fit} mappings of {}", compared / RECORDS);
    assert!(written * 5 > compared && faulty * 5 > compared, "{written} written, {faulty} faulty, of {compared}");
}
