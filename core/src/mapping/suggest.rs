//! Proposing a mapping: which attribute of the users fits which attribute of the target, by name and by type. A proposal
//! is a beginning for a person to look through; it says how sure it is and why.

use super::review::missing_required;
use crate::likeness::{distance, words};
use crate::model::{MappingSuggestion, MatchPair, MatchRule, Normalization, Rule, RuleSuggestion, SchemaAttribute};
use crate::path::Path;
use crate::value::Attributes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Names that mean the same, in directories, personnel systems and targets.
const SAME: &[&[&str]] = &[
    &["username", "login", "loginname", "logonname", "userid", "uid", "upn", "userprincipalname", "samaccountname"],
    &["givenname", "firstname", "forename", "first"],
    &["familyname", "lastname", "surname", "sn", "last"],
    &["middlename", "secondname"],
    &["displayname", "fullname", "cn", "commonname", "name"],
    &["nickname", "preferredname", "knownas"],
    &["title", "jobtitle", "position"],
    &["usertype", "employeetype", "employmenttype", "workertype"],
    &["preferredlanguage", "language", "lang"],
    &["timezone", "tz"],
    &["email", "mail", "emailaddress", "mailaddress", "workemail", "primaryemail"],
    &["phone", "phonenumber", "telephone", "telephonenumber", "workphone", "businessphone", "officephone"],
    &["mobile", "mobilephone", "mobilenumber", "cell", "cellphone"],
    &["street", "streetaddress", "address"],
    &["city", "locality", "town", "l"],
    &["region", "state", "province", "st"],
    &["postalcode", "zip", "zipcode", "postcode"],
    &["country", "countrycode", "c", "co"],
    &["employeenumber", "employeeid", "personnelnumber", "staffnumber", "staffid"],
    &["costcenter", "costcentre"],
    &["organization", "organisation", "company", "companyname"],
    &["division", "businessunit"],
    &["department", "dept", "departmentname"],
    &["manager", "managerid", "supervisor"],
];

/// What the parts of the standard's lists are called elsewhere, and which of the elements is meant.
const ELEMENTS: &[(&str, &str, &str)] = &[
    ("emails.value", "work", "email"),
    ("phonenumbers.value", "work", "phone"),
    ("phonenumbers.value", "mobile", "mobile"),
    ("addresses.streetaddress", "work", "street"),
    ("addresses.locality", "work", "city"),
    ("addresses.region", "work", "region"),
    ("addresses.postalcode", "work", "postalcode"),
    ("addresses.country", "work", "country"),
];

/// What the engine keeps by itself, or must not be copied.
const NOT_PROPOSED: [&str; 6] = ["id", "externalid", "schemas", "meta", "active", "password"];

/// What of a user says where they stand, not who they are.
const NO_SOURCES: [&str; 9] = [
    "id",
    "active",
    "frozen",
    "profile",
    "permission_sets",
    "permission_set_groups",
    "valid_from",
    "valid_until",
    "password",
];

/// How sure a proposal must be.
const LEAST: f64 = 0.5;

/// The attributes seen in users, and of what types their values are.
#[derive(Clone, Debug, Default)]
pub struct Sample(BTreeMap<String, Kinds>);

#[derive(Clone, Copy, Debug, Default)]
struct Kinds {
    text: bool,
    whole: bool,
    number: bool,
    truth: bool,
    list: bool,
}

impl Sample {
    /// Takes in a user's record; of objects, what stands in them.
    pub fn see(&mut self, record: &Attributes) {
        for (name, value) in record {
            match value {
                Value::Object(object) => {
                    let steps = object.iter().filter(|(step, value)| is_step(step) && !value.is_object());
                    steps
                        .filter(|_| is_step(name))
                        .for_each(|(step, value)| self.note(format!("{name}.{step}"), value));
                }
                value if is_step(name) => self.note(name.clone(), value),
                _ => {}
            }
        }
    }

    /// Takes in the name of an attribute whose values are not known.
    pub fn see_name(&mut self, name: &str) {
        if is_step(name) && !NO_SOURCES.contains(&name) {
            self.0.entry(name.to_owned()).or_default();
        }
    }

    fn note(&mut self, name: String, value: &Value) {
        if NO_SOURCES.contains(&name.as_str()) || value.is_null() {
            return;
        }
        let kinds = self.0.entry(name).or_default();
        match value {
            Value::String(_) => kinds.text = true,
            Value::Number(number) if number.is_f64() => kinds.number = true,
            Value::Number(_) => kinds.whole = true,
            Value::Bool(_) => kinds.truth = true,
            Value::Array(_) => kinds.list = true,
            Value::Null | Value::Object(_) => {}
        }
    }
}

/// Whether a name can be a step of a source path.
fn is_step(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && !name.contains(['.', '[']) && !name.contains(char::is_control)
}

/// A place at the target that a rule could write.
struct Place<'a> {
    target: String,
    attribute: &'a SchemaAttribute,
    /// What it is called, the likeliest name first.
    names: Vec<String>,
}

/// A rule that fits, before it is chosen.
struct Fit {
    place: usize,
    source: String,
    confidence: f64,
    because: String,
    converted: bool,
}

/// Proposes rules. Each attribute of the users is used once, by the place that it fits best.
///
/// ```
/// use rollkeeper::mapping::suggest::{Sample, suggest};
/// let mut sample = Sample::default();
/// sample.see(serde_json::json!({"username": "ada", "mail": "ada@example.com", "shoeSize": 38}).as_object().unwrap());
/// let suggestion = suggest(&sample, &rollkeeper::scim::built_in_schema());
/// let rules: Vec<_> = suggestion.mapping.iter().map(|rule| (rule.target.as_str(), rule.source.as_deref())).collect();
/// assert_eq!(rules, [("userName", Some("username")), ("emails[type eq \"work\"].value", Some("mail"))]);
/// assert_eq!(suggestion.unused, ["shoeSize"]);
/// ```
pub fn suggest(sample: &Sample, attributes: &[SchemaAttribute]) -> MappingSuggestion {
    let places = places(attributes);
    let mut fits: Vec<Fit> = Vec::new();
    for (index, place) in places.iter().enumerate() {
        fits.extend(sample.0.iter().filter_map(|(source, kinds)| fit(index, place, source, *kinds)));
    }
    fits.sort_by(|one, other| {
        let better = other.confidence.total_cmp(&one.confidence);
        better.then(one.place.cmp(&other.place)).then_with(|| one.source.cmp(&other.source))
    });
    let mut chosen: BTreeMap<usize, (Rule, f64, String)> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for fit in fits {
        if let Some(place) = places.get(fit.place)
            && !chosen.contains_key(&fit.place)
            && used.insert(fit.source.clone())
        {
            chosen.insert(fit.place, (rule(place, &fit), fit.confidence, fit.because));
        }
    }
    stand_in(&places, &mut chosen);
    let mut suggestion = MappingSuggestion::default();
    for (rule, confidence, because) in chosen.into_values() {
        let (number, target) = (suggestion.mapping.len(), rule.target.clone());
        suggestion.suggestions.push(RuleSuggestion { rule: number, target, confidence, because });
        suggestion.mapping.push(rule);
    }
    suggestion.matching = matching(&suggestion.mapping);
    suggestion.missing = missing_required(&suggestion.mapping, attributes);
    suggestion.unused = sample.0.keys().filter(|name| !used.contains(*name)).cloned().collect();
    suggestion
}

/// Everywhere that a rule could write.
fn places(attributes: &[SchemaAttribute]) -> Vec<Place<'_>> {
    let find = |path: &str| attributes.iter().find(|one| one.path.eq_ignore_ascii_case(path));
    let mut places = Vec::new();
    for attribute in attributes.iter().filter(|one| !one.read_only && one.kind != "complex" && one.kind != "any") {
        let (extension, local) = match attribute.path.rfind(':') {
            Some(colon) => attribute.path.split_at_checked(colon + 1).unwrap_or_default(),
            None => ("", attribute.path.as_str()),
        };
        let lower = local.to_lowercase();
        // A target may call its attributes what no path can be written for.
        let mut add = |target: String, names: Vec<String>| {
            if Path::parse(&target).is_ok() {
                places.push(Place { target, attribute, names });
            }
        };
        let Some((whole, part)) = local.split_once('.') else {
            if !NOT_PROPOSED.contains(&lower.as_str()) {
                add(attribute.path.clone(), vec![squashed(local)]);
            }
            continue;
        };
        let parent = find(&format!("{extension}{whole}"));
        if parent.is_some_and(|parent| parent.read_only) {
            continue;
        }
        if !parent.is_some_and(|parent| parent.multi_valued) {
            let names = match lower.as_str() {
                "manager.value" => vec!["manager".to_owned()],
                // The name's own parts are called so everywhere; of other wholes the part alone says too little.
                _ if whole.eq_ignore_ascii_case("name") => vec![squashed(part), squashed(local)],
                _ => vec![squashed(local)],
            };
            add(attribute.path.clone(), names);
            continue;
        }
        for (_, wanted, name) in ELEMENTS.iter().filter(|(path, ..)| *path == lower && extension.is_empty()) {
            let filter = match (find(&format!("{whole}.type")), find(&format!("{whole}.primary"))) {
                (Some(kind), _) => match kind.canonical_values.as_slice() {
                    [] => Some(format!("type eq \"{wanted}\"")),
                    known => {
                        let same = known.iter().find(|one| one.eq_ignore_ascii_case(wanted));
                        let first = known.first().filter(|_| *wanted == "work");
                        same.or(first).map(|one| format!("type eq {}", Value::from(one.as_str())))
                    }
                },
                (None, Some(_)) if *wanted == "work" => Some("primary eq true".to_owned()),
                (None, _) => None,
            };
            if let Some(filter) = filter {
                add(format!("{whole}[{filter}].{part}"), vec![(*name).to_owned(), squashed(local)]);
            }
        }
    }
    places
}

/// A name without regard to letter case and separators.
fn squashed(name: &str) -> String {
    words(name).concat()
}

/// Whether and how well a user's attribute fits.
fn fit(index: usize, place: &Place<'_>, source: &str, kinds: Kinds) -> Option<Fit> {
    let (mut confidence, mut because) = likeness(place, source)?;
    let Kinds { text, whole, number, truth, list } = kinds;
    let unknown = !(text || whole || number || truth || list);
    let (fits, converted) = match place.attribute.kind.as_str() {
        _ if place.attribute.multi_valued && !place.target.contains('[') => {
            (list && !(text || whole || number || truth), false)
        }
        _ if list => (false, false),
        "boolean" => (truth && !(text || whole || number), false),
        "integer" => (whole && !(text || number || truth), false),
        "decimal" => ((whole || number) && !(text || truth), false),
        _ => (true, whole || number || truth),
    };
    if unknown {
        confidence *= 0.9;
        because.push_str("; its values are not stored yet, so that their type is not known");
    } else if !fits {
        return None;
    } else if converted {
        confidence *= 0.85;
        because.push_str("; its values are written as text");
    }
    let confidence = (confidence * 100.0).round() / 100.0;
    (confidence >= LEAST).then(|| Fit { place: index, source: source.to_owned(), confidence, because, converted })
}

/// How alike the names are, and why.
fn likeness(place: &Place<'_>, source: &str) -> Option<(f64, String)> {
    let last = source.rsplit('.').next().unwrap_or(source);
    let (whole, part) = (squashed(source), squashed(last));
    let ours = [&whole, &part];
    if ours.iter().any(|one| place.names.contains(one)) {
        return Some((0.95, format!("`{source}` and `{}` have the same name", place.target)));
    }
    let group = |name: &String| SAME.iter().find(|names| names.contains(&name.as_str()));
    let common = ours
        .iter()
        .find_map(|one| group(one).filter(|names| place.names.iter().any(|name| names.contains(&name.as_str()))));
    if common.is_some() {
        return Some((0.9, format!("`{source}` is another name for `{}`", place.attribute.path)));
    }
    let theirs: BTreeSet<String> = words(place.attribute.path.rsplit([':', '.']).next()?).into_iter().collect();
    let mine: BTreeSet<String> = words(last).into_iter().collect();
    let shared: Vec<&String> = mine.intersection(&theirs).filter(|word| word.len() > 2).collect();
    let all = mine.union(&theirs).count();
    if !shared.is_empty() && shared.len() * 2 >= all {
        #[expect(clippy::cast_precision_loss, reason = "a name has few words")]
        let part = shared.len() as f64 / all as f64;
        let named = shared.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        return Some((0.4 + 0.3 * part, format!("the names share {named}")));
    }
    let near = place.names.iter().any(|name| name.len() > 5 && distance(&part, name, 2).is_some());
    near.then(|| (0.6, format!("`{source}` is spelled nearly like `{}`", place.target)))
}

fn rule(place: &Place<'_>, fit: &Fit) -> Rule {
    let required = place.attribute.required || place.target.eq_ignore_ascii_case("userName");
    let rule = Rule { target: place.target.clone(), required, ..Rule::default() };
    match converted(&fit.source).filter(|_| fit.converted) {
        Some(expression) => Rule { expression: Some(expression), ..rule },
        None => Rule { source: Some(fit.source.clone()), ..rule },
    }
}

/// An expression for the value as text.
fn converted(source: &str) -> Option<String> {
    let path = path_of(source);
    Some(format!("has({path}) ? string({path}) : null"))
}

/// A source as expressions name it.
fn path_of(source: &str) -> String {
    let plain = |step: &str| {
        step.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
            && !step.starts_with(|one: char| one.is_ascii_digit())
            && !["in", "true", "false", "null"].contains(&step)
    };
    let step = |step: &str| if plain(step) { format!(".{step}") } else { format!("[{}]", Value::from(step)) };
    format!("user{}", source.split('.').map(step).collect::<String>())
}

/// What targets often require and users have under no name of its own.
fn stand_in(places: &[Place<'_>], chosen: &mut BTreeMap<usize, (Rule, f64, String)>) {
    let place = |target: &str| places.iter().position(|place| place.target.eq_ignore_ascii_case(target));
    let source = |chosen: &BTreeMap<usize, (Rule, f64, String)>, attribute: &str| {
        let index = places.iter().position(|place| place.attribute.path.eq_ignore_ascii_case(attribute))?;
        chosen.get(&index)?.0.source.clone()
    };
    if let (Some(index), Some(email)) = (place("userName"), source(chosen, "emails.value"))
        && !chosen.contains_key(&index)
    {
        let rule = Rule { target: "userName".to_owned(), source: Some(email), required: true, ..Rule::default() };
        chosen
            .insert(index, (rule, 0.6, "no attribute is a user name; many targets take the e-mail address".to_owned()));
    }
    for target in ["displayName", "name.formatted"] {
        let names = (source(chosen, "name.givenName"), source(chosen, "name.familyName"));
        if let (Some(index), (Some(given), Some(family))) = (place(target), names)
            && places.get(index).is_some_and(|place| place.attribute.required)
            && !chosen.contains_key(&index)
        {
            let (given, family) = (path_of(&given), path_of(&family));
            let expression = format!("(default({given}, '') + ' ' + default({family}, '')).trim()");
            let rule =
                Rule { target: target.to_owned(), expression: Some(expression), required: true, ..Rule::default() };
            chosen.insert(index, (rule, 0.7, "the target requires it; it is made of the two names".to_owned()));
        }
    }
}

/// Existing accounts are found by their user names, then by their e-mail addresses.
fn matching(mapping: &[Rule]) -> Vec<MatchRule> {
    let by = |target: &str, account: &str| {
        let is = |rule: &&Rule| rule.target.split('[').next().is_some_and(|start| start.eq_ignore_ascii_case(target));
        let user = mapping.iter().find(is)?.source.clone()?;
        let normalize = vec![Normalization::Trim, Normalization::Casefold];
        let pair = MatchPair { user, account: account.to_owned(), normalize, ..MatchPair::default() };
        Some(MatchRule { all: vec![pair], ..MatchRule::default() })
    };
    [by("userName", "userName"), by("emails", "emails.value")].into_iter().flatten().collect()
}
