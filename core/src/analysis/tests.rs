//! Every situation, and what stands between them.

use super::outcome::Decided;
use super::whole;
use super::{Analysis, Found, Inputs, Records, Rules, Scratch, Terms, Visit, analyze};
use crate::expression::{Expression, Tables, Variable};
use crate::fault::Fault;
use crate::mapping::Mapping;
use crate::matching::Matching;
use crate::model::{App, MatchingDefinition, Rule, SchemaAttribute, Situation, User};
use crate::scope::{Standing, standing};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Records in memory; a place is a number times ten, so that nobody takes it for a count.
#[derive(Clone, Debug)]
pub(super) struct Listed(pub(super) Vec<Vec<u8>>);

impl Listed {
    pub(super) fn new(values: &Value) -> Self {
        Self(values.as_array().unwrap().iter().map(|value| value.to_string().into_bytes()).collect())
    }
}

impl Records for Listed {
    fn each(&mut self, visit: &mut Visit<'_>) -> Result<(), Fault> {
        self.0.iter().enumerate().try_for_each(|(index, json)| visit(index as u64 * 10, json))
    }

    fn again(&mut self, place: u64, visit: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        visit(&self.0[usize::try_from(place).unwrap() / 10])
    }
}

/// Scratch in memory.
#[derive(Default)]
pub(super) struct InMemory(Vec<Vec<u8>>);

impl Scratch for InMemory {
    fn open(&mut self) -> Result<usize, Fault> {
        self.0.push(Vec::new());
        Ok(self.0.len() - 1)
    }

    fn append(&mut self, file: usize, bytes: &[u8]) -> Result<(), Fault> {
        self.0[file].extend(bytes);
        Ok(())
    }

    fn read(&mut self, file: usize, from: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        let rest = self.0[file].get(usize::try_from(from).unwrap()..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn close(&mut self, file: usize) {
        self.0[file] = Vec::new();
    }
}

/// An app, as far as the analysis reads it.
pub(super) struct Definition {
    pub(super) app: App,
    pub(super) matching: Matching,
    pub(super) mapping: Mapping,
    pub(super) protected: BTreeSet<String>,
    pub(super) scope: Option<Expression>,
    /// What the scope reads; sometimes not told, as a caller may.
    pub(super) scope_reads: Option<BTreeSet<String>>,
}

impl Definition {
    pub(super) fn new(app: Value) -> Self {
        let mut document = json!({"id": "a", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["P"]}});
        document.as_object_mut().unwrap().extend(app.as_object().unwrap().clone());
        let schema: Option<Vec<SchemaAttribute>> =
            document.as_object_mut().unwrap().remove("schema").map(|schema| serde_json::from_value(schema).unwrap());
        let app = App::from_json(document.to_string().as_bytes()).unwrap();
        let scope = app.scope.as_ref().map(|scope| {
            Expression::compile_condition(scope, &[Variable::User, Variable::App, Variable::Now], &Tables::default())
                .unwrap()
        });
        let matching: &MatchingDefinition = &app.matching;
        let rules: &[Rule] = &app.mapping;
        Self {
            matching: Matching::compile(matching).unwrap(),
            mapping: Mapping::compile(rules, schema.as_deref()).unwrap(),
            protected: app.protected.external_ids.iter().cloned().collect(),
            scope_reads: Some(
                scope.iter().flat_map(|scope| scope.reads().roots().unwrap()).map(str::to_owned).collect(),
            ),
            scope,
            app,
        }
    }

    fn standing(&self, user: &User) -> Result<Standing, Fault> {
        standing(&self.app, self.scope.as_ref(), Some(user), Timestamp::default())
    }
}

/// What is analysed in one test.
pub(super) struct Case {
    pub(super) definition: Definition,
    pub(super) users: Listed,
    pub(super) accounts: Listed,
    pub(super) links: Listed,
    pub(super) terms: Terms,
    /// Whether what is decided is compared with the rules as they are told, word for word.
    is_compared: bool,
}

impl Case {
    pub(super) fn new(app: Value, users: Value, accounts: Value, links: Value) -> Self {
        let terms = Terms { complete: true, now: Timestamp::default(), memory: 1 << 20, threads: 1, key: [7; 32] };
        Self {
            definition: Definition::new(app),
            users: Listed::new(&users),
            accounts: Listed::new(&accounts),
            links: Listed::new(&links),
            terms,
            is_compared: true,
        }
    }

    pub(super) fn run(&mut self) -> (Analysis, Vec<Found>) {
        let standing = |user: &User| self.definition.standing(user);
        let rules = Rules {
            matching: &self.definition.matching,
            mapping: &self.definition.mapping,
            not_kept: &std::collections::BTreeSet::new(),
            protected: &self.definition.protected,
            standing: &standing,
            standing_reads: self.definition.scope_reads.as_ref(),
            app_id: "a",
            app_label: "a",
        };
        let mut inputs = Inputs { users: &mut self.users, accounts: &mut self.accounts, links: &mut self.links };
        let mut scratch = InMemory::default();
        let analysis = analyze(&mut inputs, &rules, &self.terms, &mut scratch).unwrap();
        let whole = whole::analyze(&mut inputs, &rules, &self.terms).unwrap();
        let mut findings = analysis.findings(None);
        let decided: Vec<Decided> = std::iter::from_fn(|| findings.decided(&analysis, &mut scratch).unwrap()).collect();
        if self.is_compared {
            assert_eq!(decided, whole.decided);
        }
        let situations =
            |decided: &[Decided]| decided.iter().map(|one| (one.situation, one.account, one.user)).collect::<Vec<_>>();
        assert_eq!(situations(&decided), situations(&whole.decided));
        assert_eq!((analysis.repeated(), analysis.unreadable()), (whole.repeated, whole.unreadable.as_slice()));
        let mut all = Vec::new();
        analysis
            .each(None, &mut inputs, &rules, &mut scratch, &mut |found| {
                all.push(found);
                Ok(())
            })
            .unwrap();
        let listed: u64 = analysis.counts().0.values().sum();
        assert_eq!(listed, all.len() as u64);
        assert_eq!(analysis.counts().0.len(), Situation::of_accounts().count());
        (analysis, all)
    }

    /// Each finding as `situation user account`, with the rule where there is one.
    fn told(&mut self) -> Vec<String> {
        let (_, all) = self.run();
        let told = all.iter().map(|found| {
            let finding = &found.finding;
            let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
            let rule = finding.rule.map(|rule| format!(" by {rule}")).unwrap_or_default();
            format!("{} {} {}{rule}", finding.situation.name(), name(&finding.user), name(&finding.account))
        });
        told.collect()
    }
}

fn app() -> Value {
    json!({
        "matching": [
            {"all": [{"user": "id", "account": "externalId"}]},
            {"all": [{"user": "email", "account": "emails.value", "normalize": ["trim", "casefold"]}]},
        ],
        "mapping": [{"target": "userName", "source": "username"}, {"target": "title", "source": "title"}],
        "protected": {"external_ids": ["root"]},
    })
}

fn user(id: &str) -> Value {
    json!({"id": id, "username": id, "email": format!("{id}@x.org"), "profile": "P"})
}

fn account(id: &str) -> Value {
    json!({"external_id": id, "username": id, "attributes": {"emails": [{"value": format!("{}@X.org", id.to_uppercase())}]}})
}

fn with(mut value: Value, key: &str, to: Value) -> Value {
    value[key] = to;
    value
}

#[test]
fn every_situation_has_its_rule() {
    let users = json!([
        user("linked"),
        user("changed"),
        with(user("left"), "active", json!(false)),
        user("found"),
        with(user("off"), "active", json!(false)),
        user("elsewhere"),
        user("twice"),
        user("gone"),
        user("new"),
        with(user("out"), "profile", json!("Q")),
        user("admin"),
    ]);
    let second = with(account("twice"), "external_id", json!("twice2"));
    let accounts = json!([
        account("root"),
        account("hidden"),
        account("orphaned-source"),
        account("left"),
        account("linked"),
        with(account("changed"), "username", json!("other")),
        account("nobody"),
        account("elsewhere"),
        account("twice"),
        second,
        account("found"),
        account("off"),
    ]);
    let links = json!([
        {"user": "admin", "account": "root"},
        {"account": "hidden", "state": "Ignored"},
        {"user": "deleted", "account": "orphaned-source"},
        {"user": "left", "account": "left"},
        {"user": "linked", "account": "linked", "state": "Linked"},
        {"user": "changed", "account": "changed"},
        {"user": "elsewhere", "account": "not listed"},
        {"user": "gone", "account": "gone"},
    ]);
    let mut case = Case::new(app(), users, accounts, links);
    let expected = [
        "protected admin root",
        "ignored - hidden",
        "source_gone deleted orphaned-source",
        "unqualified left left",
        "confirmed linked linked",
        "drifted changed changed",
        "orphaned - nobody",
        "taken elsewhere elsewhere by 1",
        "ambiguous twice twice by 1",
        "ambiguous twice twice2 by 1",
        "found found found by 1",
        "unqualified off off by 1",
        "missing gone gone",
        "absent new -",
        "out_of_scope out -",
    ];
    assert_eq!(case.told(), expected);
    // Of an incomplete listing nothing is concluded from absence.
    case.terms.complete = false;
    let incomplete: Vec<String> =
        expected.map(|line| line.replace("missing", "unseen").replace("absent", "unseen")).to_vec();
    assert_eq!(case.told(), incomplete);
}

#[test]
fn an_account_of_a_leaver_wants_to_be_disabled_and_nothing_else() {
    let users = json!([with(user("a"), "active", json!(false)), with(user("b"), "profile", json!(null))]);
    let off = |id| with(with(account(id), "active", json!(false)), "username", json!("other"));
    let links = json!([{"user": "a", "account": "a"}, {"user": "b", "account": "b"}]);
    let mut case = Case::new(app(), users, json!([off("a"), off("b")]), links);
    assert_eq!(case.told(), ["confirmed a a", "confirmed b b"]);
}

#[test]
fn a_disabled_account_of_an_entitled_user_has_drifted() {
    let users =
        json!([user("a"), with(user("b"), "frozen", json!(true)), user("c"), with(user("d"), "frozen", json!(true))]);
    let accounts = json!([
        with(account("a"), "active", json!(false)),
        with(account("b"), "active", json!(false)),
        with(account("c"), "frozen", json!(true)),
        with(account("d"), "frozen", json!(true)),
    ]);
    let links = json!([
        {"user": "a", "account": "a", "active": true}, {"user": "b", "account": "b"}, {"user": "c", "account": "c"},
        {"user": "d", "account": "d"},
    ]);
    let mut case = Case::new(app(), users, accounts, links);
    let (_, all) = case.run();
    let drift = |index: usize| serde_json::to_value(&all[index].finding.drift).unwrap();
    let active = json!([{"attribute": "active", "last": true, "wanted": true, "actual": false, "verdict": "theirs"}]);
    assert_eq!((all[0].finding.situation, drift(0)), (Situation::Drifted, active));
    assert_eq!(all[1].finding.situation, Situation::Confirmed);
    let frozen = json!([{"attribute": "frozen", "wanted": false, "actual": true, "verdict": "ours"}]);
    assert_eq!((all[2].finding.situation, drift(2)), (Situation::Drifted, frozen));
    assert_eq!(all[3].finding.situation, Situation::Confirmed);
}

#[test]
fn drift_is_told_three_ways() {
    let cases = [
        // last, wanted, actual, expected
        (None, Some("w"), Some("w"), None),
        (None, Some("w"), Some("a"), Some("ours")),
        (None, Some("w"), None, Some("ours")),
        (None, Some("W"), Some("w"), Some("ours")),
        (Some("l"), Some("w"), Some("w"), Some("in_step")),
        (Some("w"), Some("w"), Some("w"), None),
        (Some("l"), Some("w"), Some("l"), Some("ours")),
        (Some("w"), Some("w"), Some("a"), Some("theirs")),
        (Some("l"), Some("w"), Some("a"), Some("both")),
        (Some("l"), Some("w"), None, Some("both")),
        // Text is compared without regard to form and white space is not; nothing here is a string by a schema.
        (Some("W"), Some("w"), Some("w"), Some("in_step")),
    ];
    for (last, wanted, actual, expected) in cases {
        let user = with(user("a"), "title", json!(wanted));
        let mut account = account("a");
        account["attributes"]["title"] = json!(actual);
        let mut link = json!({"user": "a", "account": "a"});
        if let Some(last) = last {
            link["last"] = json!({"userName": "a", "title": last});
        }
        let mut case = Case::new(app(), json!([user]), json!([account]), json!([link]));
        let (_, all) = case.run();
        let finding = &all[0].finding;
        let told = finding.drift.iter().find(|drift| drift.attribute == "title").map(|drift| {
            let texts = [&drift.last, &drift.wanted, &drift.actual].map(|value| value.as_ref().and_then(Value::as_str));
            assert_eq!(texts, [last, wanted, actual]);
            serde_json::to_value(drift.verdict).unwrap()
        });
        assert_eq!(told, expected.map(Value::from), "{last:?} {wanted:?} {actual:?}");
        let drifted = !matches!(expected, None | Some("in_step"));
        assert_eq!(finding.situation == Situation::Drifted, drifted, "{last:?} {wanted:?} {actual:?}");
    }
}

#[test]
fn sensitive_values_are_left_out() {
    let mut app = app();
    app["mapping"] = json!([{"target": "title", "source": "title", "sensitive": true},
        {"target": "password", "constant": "secret"}]);
    let link = json!({"user": "a", "account": "a", "last": {"title": "then"}});
    let mut case =
        Case::new(app, json!([with(user("a"), "title", json!("now"))]), json!([account("a")]), json!([link]));
    let (_, all) = case.run();
    let drift = serde_json::to_value(&all[0].finding.drift).unwrap();
    assert_eq!(drift, json!([{"attribute": "title", "verdict": "both"}]));
}

#[test]
fn a_mistake_in_an_expression_takes_nothing_away() {
    let mut app = app();
    app["scope"] = json!("user.age > 3");
    app["mapping"] = json!([{"target": "title", "source": "title", "required": true}]);
    let users = json!([user("a"), user("b"), with(user("c"), "title", json!("x")), with(user("d"), "age", json!(1))]);
    let links = json!([{"user": "a", "account": "a"}, {"user": "d", "account": "d"}]);
    let mut case = Case::new(app, users, json!([account("a"), account("b"), account("d")]), links);
    assert_eq!(case.told(), ["confirmed a a", "found b b by 1", "unqualified d d", "absent c -"]);
    let (_, all) = case.run();
    let codes = |index: usize| all[index].finding.faults.iter().map(|fault| fault.code.name()).collect::<Vec<_>>();
    assert_eq!(codes(0), ["expression_failed", "missing_required"]);
    assert_eq!(codes(1), ["expression_failed"]);
    assert_eq!(codes(3), ["expression_failed"]);
}

#[test]
fn several_users_or_uncertain_ones_are_ambiguous() {
    let mut app = app();
    app["matching"] = json!({"certain": 1, "candidate": 0.3, "rules": [
        {"all": [{"user": "badge", "account": "badge"}]},
        {"all": [{"user": "family", "account": "name.familyName"}], "confidence": 0.6, "tier": 1},
        {"all": [{"user": "given", "account": "name.givenName"}], "confidence": 0.4, "tier": 1},
        {"all": [{"user": "city", "account": "city"}], "confidence": 0.2},
    ]});
    let person = |id: &str, family: &str, given: &str, city: &str| json!({"id": id, "family": family, "given": given, "city": city, "profile": "P"});
    let users = json!([
        person("a", "Ng", "An", "x"),
        person("b", "Ng", "Bo", "y"),
        person("c", "Li", "Cy", "z"),
        with(person("d", "", " ", ""), "badge", json!(7)),
        with(person("e", "", " ", ""), "badge", json!("7")),
    ]);
    let shown = |id: &str, family: &str, given: &str, city: &str| json!({"id": id, "name": {"familyName": family, "givenName": given}, "city": city});
    let accounts = json!([
        shown("1", "Ng", "An", ""),
        shown("2", "Ng", "Cy", "y"),
        shown("3", "Zz", "Zz", "z"),
        {"id": "4", "badge": "7"},
        shown("5", "", " ", ""),
    ]);
    let mut case = Case::new(app, users, accounts, json!([]));
    let (_, all) = case.run();
    let told: Vec<Value> = all.iter().map(|found| serde_json::to_value(&found.finding).unwrap()).collect();
    let both = json!([{"user": "d", "confidence": 1.0}, {"user": "e", "confidence": 1.0}]);
    let expected = [
        // Certain by the sum of a tier; yet `2` may be hers too.
        json!({"situation": "ambiguous", "user": "a", "account": "1", "rule": 1,
            "candidates": [{"account": "2", "confidence": 0.6}]}),
        json!({"situation": "ambiguous", "account": "2", "candidates": [{"user": "b", "confidence": 0.8},
            {"user": "a", "confidence": 0.6}, {"user": "c", "confidence": 0.4}]}),
        // A match below the lower threshold is none.
        json!({"situation": "orphaned", "account": "3"}),
        json!({"situation": "ambiguous", "account": "4", "rule": 0, "candidates": both}),
        json!({"situation": "orphaned", "account": "5"}),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_takes_no_part_is_told_and_makes_the_listing_incomplete() {
    let users = json!([user("a"), {"username": "x"}, user("a"), user("b")]);
    let accounts = json!([account("a"), {"external_id": ""}, account("a"), 7, {"id": 5, "active": false}]);
    let links = json!([{"user": "a", "account": "a"}, {"user": "b", "account": "a"}, {"colour": 1}]);
    let mut case = Case::new(app(), users, accounts, links);
    assert_eq!(case.told(), ["confirmed a a", "orphaned - 5", "unseen b -"]);
    let (analysis, _) = case.run();
    assert_eq!((analysis.repeated(), analysis.unreadable_count(), analysis.is_complete()), (1, 6, false));
    let told: Vec<Value> = analysis
        .unreadable()
        .iter()
        .map(|one| json!([one.side, one.index, one.fault.code.name(), one.fault.attribute]))
        .collect();
    let expected = [
        json!(["users", 1, "missing_id", "id"]),
        json!(["users", 2, "duplicate_record", "id"]),
        json!(["accounts", 1, "invalid_id", "id"]),
        json!(["accounts", 3, "invalid_document", null]),
        json!(["links", 1, "duplicate_record", "account"]),
        json!(["links", 2, "unknown_key", "colour"]),
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_places_are_those_of_the_records() {
    let links = json!([{"account": "z", "state": "Orphaned"}, {"user": "b", "account": "b"}]);
    let mut case =
        Case::new(app(), json!([user("a"), user("b"), user("c")]), json!([account("b"), account("c")]), links);
    let (_, all) = case.run();
    let places: Vec<_> = all.iter().map(|found| (found.user, found.account, found.link)).collect();
    assert_eq!(places, [(Some(10), Some(0), Some(10)), (Some(20), Some(10), None), (Some(0), None, None)]);
}

#[test]
fn a_link_that_is_none_is_decided_anew() {
    for link in [
        json!({"user": "a", "account": "a", "state": "Orphaned"}),
        json!({"user": "a", "account": "a", "state": "Duplicate"}),
        json!({"user": "a", "account": "a", "deleted": true}),
        json!({"account": "a"}),
    ] {
        let mut case = Case::new(app(), json!([user("a")]), json!([account("a")]), json!([link]));
        assert_eq!(case.told(), ["found a a by 1"], "{link}");
    }
}

#[test]
fn accounts_of_others_are_known_to_references() {
    let mut app = app();
    app["mapping"] = json!([{"target": "boss", "source": "manager"}]);
    let users = json!([user("m"), with(user("a"), "manager", json!("m"))]);
    let mut account = account("7");
    account["attributes"]["boss"] = json!("9");
    let links = json!([{"user": "m", "account": "8"}, {"user": "a", "account": "7"}]);
    let mut case = Case::new(app, users, json!([account]), links);
    assert_eq!(case.told(), ["drifted a 7", "missing m 8"]);
}

#[test]
fn an_account_with_several_values_meets_every_user_who_has_one() {
    let users: Vec<Value> = (0..9).map(|number| user(&format!("u{number}"))).collect();
    let emails: Vec<Value> = (0..9).map(|number| json!({"value": format!("U{number}@x.org")})).collect();
    let all = json!({"external_id": "1", "attributes": {"emails": emails}});
    let one =
        json!({"external_id": "2", "attributes": {"emails": [emails[3], emails[3], {"value": ""}, {"type": "x"}]}});
    let mut case = Case::new(app(), json!(users), json!([all]), json!([]));
    let (_, found) = case.run();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].finding.candidates.len(), 9);
    case.accounts = Listed::new(&json!([one]));
    assert_eq!(case.told()[0], "found u3 2 by 1");
}

#[test]
fn values_that_many_share_make_nobody_certain() {
    let count = 300;
    let shared = |id: &str, name: &str| with(user(id), "username", json!(name));
    let users: Vec<Value> = (0..count).map(|number| shared(&format!("u{number}"), &format!("n{number}"))).collect();
    let users: Vec<Value> = users.into_iter().map(|user| with(user, "email", json!("all@x.org"))).collect();
    let shown = |id: &str, name: &str| json!({"id": id, "userName": name, "emails": [{"value": "all@x.org"}]});
    let accounts = json!([shown("1", "n7"), shown("2", "nobody"), {"id": "3", "userName": "stranger"}]);
    let email = json!({"all": [{"user": "email", "account": "emails.value"}]});
    // Certain by itself: who shares it is a candidate, though not every one is told.
    let mut case = Case::new(json!({"matching": [email]}), json!(users), accounts, json!([]));
    case.is_compared = false;
    let (analysis, found) = case.run();
    assert_eq!(analysis.counts().0[&Situation::Ambiguous], 2);
    assert_eq!(found[0].finding.candidates.len(), 64);
    assert_eq!(found.len(), 3);
    // A hint: together with a name it is certain, and alone it keeps everybody in question.
    for (hint, expected) in [(0.3, ["ambiguous", "ambiguous", "orphaned"]), (0.2, ["found", "orphaned", "orphaned"])] {
        let weighed = json!({"certain": 1, "candidate": 0.25, "rules": [
            {"all": [{"user": "email", "account": "emails.value"}], "confidence": hint, "tier": 1},
            {"all": [{"user": "username", "account": "userName"}], "confidence": 0.8, "tier": 1},
        ]});
        case.definition = Definition::new(json!({"matching": weighed}));
        let (_, found) = case.run();
        let told: Vec<&str> = found.iter().take(3).map(|found| found.finding.situation.name()).collect();
        assert_eq!(told, expected);
        assert_eq!(found.len(), if hint < 0.25 { 3 + 299 } else { 3 });
    }
}

#[test]
fn a_record_with_too_many_values_is_not_read() {
    let values: Vec<String> = (0..100).map(|number| format!("v{number}")).collect();
    let pairs = json!({"matching": [{"all": [{"user": "a", "account": "a"}, {"user": "b", "account": "b"}]}]});
    let user = json!({"id": "1", "a": values, "b": values, "profile": "P"});
    let mut case = Case::new(pairs, json!([]), json!([]), json!([]));
    case.users = Listed::new(&json!([user]));
    let standing = |user: &User| case.definition.standing(user);
    let definition = &case.definition;
    let rules = Rules {
        matching: &definition.matching,
        mapping: &definition.mapping,
        not_kept: &std::collections::BTreeSet::new(),
        protected: &definition.protected,
        standing: &standing,
        standing_reads: None,
        app_id: "a",
        app_label: "a",
    };
    let mut inputs = Inputs { users: &mut case.users, accounts: &mut case.accounts, links: &mut case.links };
    let analysis = analyze(&mut inputs, &rules, &case.terms, &mut InMemory::default()).unwrap();
    assert_eq!(analysis.unreadable()[0].fault.code.name(), "too_large");
}

#[test]
fn the_table_of_situations_is_true() {
    let table = include_str!("../../../tests/data/situations.csv");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("situation,side,default,reactions,destructive,openidm,midpoint,rule"));
    let names: Vec<&str> = lines.clone().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(names, Situation::ALL.iter().map(|one| one.name()).collect::<Vec<_>>());
    for line in lines {
        let fields: Vec<&str> = line.splitn(8, ',').collect();
        let [_, side, default, reactions, destructive, ..] = fields.as_slice() else { panic!("{line}") };
        let reaction = |name: &str| crate::model::Reaction::from_name(name).unwrap_or_else(|| panic!("{name}"));
        let allowed: Vec<_> = reactions.split(' ').map(reaction).collect();
        assert!(allowed.contains(&reaction(default)), "{line}");
        let taking: Vec<_> = destructive.split_whitespace().map(reaction).collect();
        let expected: Vec<_> = allowed.into_iter().filter(|reaction| reaction.is_destructive()).collect();
        assert_eq!(taking, expected, "{line}");
        let of_membership = Situation::from_name(fields[0]).is_some_and(Situation::is_of_membership);
        assert_eq!(*side == "membership", of_membership, "{line}");
        assert!(["account", "user", "membership"].contains(side), "{line}");
    }
}
