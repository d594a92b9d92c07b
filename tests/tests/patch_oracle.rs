//! What our PATCHes do is found out by two implementations of RFC 7644 §3.5.2 that know nothing of each other: that of the zoo and
//! scim-patch, a package for Node. `tests/servers/install.sh` installs it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::{Change, ChangeKind, Connector};
use rollkeeper_tests::server::connector;
use rollkeeper_tests::zoo::{Bends, Record, Zoo};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const CASES: usize = 400;
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Numbers that look random (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % end
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.below(from.len())).copied().unwrap()
    }
}

/// An account as somebody may have made it: any of these attributes, and of lists any of these elements.
fn account(dice: &mut Dice, number: usize) -> Record {
    let mut record = json!({"userName": format!("person{number}"), "active": dice.one_in(2)});
    let fields = record.as_object_mut().unwrap();
    let name = json!({"givenName": "Ann", "familyName": "Bee"});
    for (key, value) in [("title", json!("Nurse")), ("nickName", json!("Ann")), ("name", name)] {
        if dice.one_in(2) {
            fields.insert(key.to_owned(), value);
        }
    }
    for (key, types) in [("emails", ["work", "home"]), ("phoneNumbers", ["work", "mobile"])] {
        let element = |kind: &&str| json!({"type": kind, "value": format!("{kind}@example.com")});
        let elements: Vec<Value> = types.iter().filter(|_| dice.one_in(2)).map(element).collect();
        if !elements.is_empty() {
            fields.insert(key.to_owned(), elements.into());
        }
    }
    if dice.one_in(2) {
        fields.insert(ENTERPRISE.to_owned(), json!({"department": "Ward 7", "costCenter": "12"}));
    }
    record.as_object().cloned().unwrap()
}

/// A change of one attribute, as a mapping makes it.
fn change(dice: &mut Dice) -> Change {
    let texts = [
        "title",
        "nickName",
        "name.givenName",
        "name.familyName",
        "displayName",
        "emails[type eq \"work\"].value",
        "emails[type eq \"home\"].value",
        "phoneNumbers[type eq \"mobile\"].value",
        "phoneNumbers[type eq \"work\"].value",
    ];
    let enterprise = [format!("{ENTERPRISE}:department"), format!("{ENTERPRISE}:division")];
    let path = match dice.below(12) {
        place @ (0 | 1) => enterprise.get(place).cloned().unwrap(),
        2 => "active".to_owned(),
        _ => dice.pick(&texts).to_owned(),
    };
    if path == "active" {
        return Change { kind: ChangeKind::Replace, path, value: Some(dice.one_in(2).into()) };
    }
    if dice.one_in(4) {
        return Change { kind: ChangeKind::Remove, path, value: None };
    }
    let value = dice.pick(&["O'Brien \"Ł\\\"", "王小明", "a b", "x"]);
    Change { kind: ChangeKind::Replace, path, value: Some(value.into()) }
}

#[test]
fn two_implementations_of_the_standard_agree_on_what_our_patches_do() {
    let mut dice = Dice(20_261_121);
    let (mut lines, mut operations) = (String::new(), 0);
    for number in 0..CASES {
        // One account to a server, so that what it was sent is about that one.
        let zoo = Zoo::start(Bends::default(), Box::new(|| 0)).unwrap();
        let connector = connector(zoo.base_url(), "zoo");
        let id = connector.create(&account(&mut dice, number), "key").unwrap().external_id;
        let before = zoo.accounts().pop().unwrap();
        let mut changes: Vec<Change> = (0..=dice.below(5)).map(|_| change(&mut dice)).collect();
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        changes.dedup_by(|one, other| one.path == other.path);
        connector.update(&id, &changes, None).unwrap();
        let patches: Vec<Value> =
            zoo.payloads().into_iter().filter(|(method, _)| method == "PATCH").map(|(_, body)| body).collect();
        operations +=
            patches.iter().filter_map(|patch| patch.get("Operations")?.as_array()).map(Vec::len).sum::<usize>();
        let after = zoo.accounts().pop().unwrap();
        lines += &format!("{}\n", json!({"before": before, "patches": patches, "after": after}));
    }
    assert!(operations > CASES, "{operations} operations");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.build/patch");
    assert!(root.join("node_modules/scim-patch").is_dir(), "run tests/servers/install.sh first");
    let mut node =
        Command::new("node").arg(root.join("check.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    node.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let said = node.wait_with_output().unwrap();
    assert!(said.status.success());
    let told = String::from_utf8(said.stdout).unwrap();
    assert!(told.is_empty(), "{} of {CASES} come out otherwise:\n{told}", told.lines().count());
}
