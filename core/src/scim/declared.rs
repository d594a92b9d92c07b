//! What targets say about themselves, read as they really send it: lists with or without their frame, one schema alone,
//! names of version 1.1, flags written as text, wrong types. Only what was understood is taken; the rest is named.

use super::schema::{CORE_USER, standard, standard_attribute, standard_parts};
use crate::fault::{Code, Fault};
use crate::model::{ResourceType, SchemaAttribute};
use crate::path::{Path, member};
use crate::value::Attributes;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// How many attributes are taken; the largest schema seen in the field has 400.
const MOST_ATTRIBUTES: usize = 2000;
/// How many values, kinds of resources and extensions are taken.
const MOST_ITEMS: usize = 200;
/// The longest name, address or value that is taken, in bytes.
const LONGEST: usize = 256;

/// The attributes of a user as a target declares them.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) attributes: Vec<SchemaAttribute>,
    /// Whether nothing is known to be missing.
    pub(super) complete: bool,
    pub(super) findings: Vec<Fault>,
}

/// Reads the answer of `/Schemas`. `user` is the user's kind of resource; where it is not known, the extensions are those
/// that look like a user's. `None` where no schema of a user is in it.
pub(super) fn attributes(answer: &Value, user: Option<&ResourceType>) -> Option<Declared> {
    let listed = elements(answer);
    let mut reader =
        Reader { missing: user.map(|kind| kind.extensions.clone()).unwrap_or_default(), ..Reader::default() };
    for schema in listed {
        let Some((object, id)) = schema.as_object().and_then(|object| Some((object, text(object, "id")?))) else {
            reader.unreadable += 1;
            continue;
        };
        reader.missing.retain(|urn| !urn.eq_ignore_ascii_case(id));
        if is_own(id, object, user) {
            reader.collect("", member(object, "attributes"), false);
        } else if extends(id, user) {
            reader.collect(&format!("{id}:"), member(object, "attributes"), false);
        }
    }
    reader.known.contains("username").then(|| reader.finish(answer, listed.len()))
}

fn is_own(id: &str, schema: &Attributes, user: Option<&ResourceType>) -> bool {
    let named = user.is_some_and(|kind| kind.schema.eq_ignore_ascii_case(id));
    let lower = id.to_lowercase();
    // Version 1.1 and its drafts have `urn:scim:schemas:core:1.0`, with the name beside it.
    let older = lower.contains(":core:") && text(schema, "name").is_some_and(|name| name.eq_ignore_ascii_case("User"));
    named || older || id.eq_ignore_ascii_case(CORE_USER) || lower.ends_with(":core:1.0:user")
}

fn extends(id: &str, user: Option<&ResourceType>) -> bool {
    match user {
        Some(kind) => kind.extensions.iter().any(|known| known.eq_ignore_ascii_case(id)),
        None => {
            let last = id.rsplit(':').next().unwrap_or_default();
            id.contains(":extension:")
                && (last.eq_ignore_ascii_case("User") || last.starts_with(|one: char| one.is_numeric()))
        }
    }
}

/// Collects attributes and what is wrong with them.
#[derive(Default)]
struct Reader {
    attributes: Vec<SchemaAttribute>,
    /// Their paths in lower case.
    known: HashSet<String>,
    /// The extensions that no schema described so far.
    missing: Vec<String>,
    findings: Vec<Fault>,
    /// How many schemas and attributes cannot be read.
    unreadable: usize,
    left_out: usize,
}

impl Reader {
    fn collect(&mut self, prefix: &str, declared: Option<&Value>, read_only: bool) {
        for declared in declared.and_then(Value::as_array).into_iter().flatten() {
            let object = declared.as_object();
            let Some((object, name)) = object.and_then(|object| Some((object, text(object, "name")?))) else {
                self.unreadable += 1;
                continue;
            };
            let path = format!("{prefix}{name}");
            let fits = path.len() <= LONGEST && !path.contains('[') && Path::parse(&path).is_ok();
            if !fits || self.attributes.len() >= MOST_ATTRIBUTES {
                self.left_out += 1;
                continue;
            }
            if !self.known.insert(path.to_lowercase()) {
                continue;
            }
            let attribute = self.attribute(path, object, read_only);
            let (path, read_only) = (attribute.path.clone(), attribute.read_only);
            self.attributes.push(attribute);
            // INVARIANT: a sub-attribute has none of its own (RFC 7643 §2.3.8), so that this goes one step deep.
            if !prefix.ends_with('.') {
                self.collect(&format!("{path}."), member(object, "subAttributes"), read_only);
                self.fill(&path);
            }
        }
    }

    fn attribute(&mut self, path: String, declared: &Attributes, read_only: bool) -> SchemaAttribute {
        let flag = |name: &str| member(declared, name).and_then(truth).unwrap_or(false);
        let mutability = text(declared, "mutability").is_some_and(|one| one.eq_ignore_ascii_case("readOnly"));
        let canonical = member(declared, "canonicalValues").and_then(Value::as_array);
        let canonical = canonical.into_iter().flatten().filter_map(Value::as_str).filter(|one| is_name(one));
        let listed = standard_attribute(&path).is_some_and(|standard| standard.multi_valued);
        if listed && !flag("multiValued") {
            let message =
                format!("the target declares `{path}` with one value, the standard with several, which is assumed");
            self.findings.push(Fault::new(Code::TypeMismatch, message).at(path.as_str()));
        }
        SchemaAttribute {
            kind: self.kind(&path, text(declared, "type")),
            multi_valued: listed || flag("multiValued"),
            required: flag("required"),
            case_exact: flag("caseExact"),
            // Version 1.1 has a flag of its own.
            read_only: read_only || mutability || flag("readOnly"),
            canonical_values: canonical.take(MOST_ITEMS).map(str::to_owned).collect(),
            path,
        }
    }

    /// The type, in the standard's spelling. What contradicts the standard is more often a mistake of the schema than of
    /// the target: a simple type is then the standard's, and between simple and complex everything is let through.
    fn kind(&mut self, path: &str, declared: Option<&str>) -> String {
        let standard = standard_attribute(path).map(|attribute| attribute.kind.as_str());
        let Some(kind) = declared.map(spelled) else { return standard.unwrap_or("string").to_owned() };
        let is_text = |kind: &str| ["string", "dateTime", "reference", "binary"].contains(&kind);
        let Some(standard) = standard.filter(|standard| *standard != kind && !(is_text(standard) && is_text(&kind)))
        else {
            return kind;
        };
        let taken = if standard == "complex" || kind == "complex" { "any" } else { standard };
        let message =
            format!("the target declares `{path}` as `{kind}`, the standard as `{standard}`; `{taken}` is assumed");
        self.findings.push(Fault::new(Code::TypeMismatch, message).at(path));
        taken.to_owned()
    }

    /// Gives a complex attribute of the standard its parts, where the target lists none.
    fn fill(&mut self, path: &str) {
        let below = format!("{}.", path.to_lowercase());
        if !self.known.iter().any(|known| known.starts_with(&below)) {
            for part in standard_parts(path) {
                self.known.insert(part.path.to_lowercase());
                self.attributes.push(part);
            }
        }
    }

    fn finish(mut self, answer: &Value, count: usize) -> Declared {
        let mut complete = true;
        let mut lacks = |message: String| {
            complete = false;
            self.findings.push(Fault::new(Code::InvalidAnswer, message).at("Schemas"));
        };
        let total = answer.as_object().and_then(|object| member(object, "totalResults")).and_then(Value::as_u64);
        if let Some(total) = total.filter(|total| *total > count as u64) {
            lacks(format!("the target has {total} schemas and sent {count}"));
        }
        if self.unreadable > 0 {
            lacks(format!("{} schemas or attributes cannot be read", self.unreadable));
        }
        if self.left_out > 0 {
            lacks(format!(
                "{} attributes were left out: their names are no attribute names, or there are too many",
                self.left_out
            ));
        }
        for urn in &self.missing {
            lacks(format!("the target names the extension `{urn}` and does not describe it"));
            // Nothing is known of its attributes, so that every one is let through.
            self.attributes.push(SchemaAttribute { path: urn.clone(), ..blank("complex") });
        }
        // The common attributes (RFC 7643 §3.1) belong to every resource and stand in no schema.
        let common = standard().into_iter().filter(|one| ["id", "externalId", "meta"].contains(&one.path.as_str()));
        let common: Vec<SchemaAttribute> =
            common.filter(|one| !self.known.contains(&one.path.to_lowercase())).collect();
        self.attributes.extend(common);
        Declared { attributes: self.attributes, complete, findings: self.findings }
    }
}

fn blank(kind: &str) -> SchemaAttribute {
    SchemaAttribute {
        path: String::new(),
        kind: kind.to_owned(),
        multi_valued: false,
        required: false,
        case_exact: false,
        read_only: false,
        canonical_values: Vec::new(),
    }
}

fn spelled(kind: &str) -> String {
    let known = match kind.to_lowercase().as_str() {
        "string" | "text" => "string",
        "boolean" | "bool" => "boolean",
        "decimal" | "number" | "double" | "float" => "decimal",
        "integer" | "int" | "long" => "integer",
        "datetime" | "date-time" | "date" => "dateTime",
        "reference" => "reference",
        "binary" => "binary",
        "complex" | "object" => "complex",
        _ => "any",
    };
    known.to_owned()
}

/// Reads the answer of `/ResourceTypes`; `None` where there is none in it.
pub(super) fn resource_types(answer: &Value) -> Option<Vec<ResourceType>> {
    let read = |kind: &Value| {
        let kind = kind.as_object()?;
        let name = text(kind, "name").or_else(|| text(kind, "id"))?.to_owned();
        let address = text(kind, "endpoint").unwrap_or_default();
        // An address may be whole, or have the path of the base URL before it.
        let endpoint = address.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').rsplit('/').next();
        let extensions = member(kind, "schemaExtensions").and_then(Value::as_array);
        let urn = |extension: &Value| {
            extension.as_str().or_else(|| text(extension.as_object()?, "schema")).map(str::to_owned)
        };
        Some(ResourceType {
            name,
            endpoint: endpoint.unwrap_or_default().to_owned(),
            schema: text(kind, "schema").unwrap_or_default().to_owned(),
            extensions: extensions
                .into_iter()
                .flatten()
                .filter_map(urn)
                .filter(|urn| is_name(urn))
                .take(MOST_ITEMS)
                .collect(),
        })
    };
    let found: Vec<ResourceType> = elements(answer).iter().filter_map(read).take(MOST_ITEMS).collect();
    (!found.is_empty()).then_some(found)
}

/// The kind of resource that a user is.
pub(super) fn user_type(types: &[ResourceType]) -> Option<&ResourceType> {
    let is_user: [fn(&&ResourceType) -> bool; 3] = [
        |kind| kind.schema.eq_ignore_ascii_case(CORE_USER),
        |kind| kind.endpoint.eq_ignore_ascii_case("Users"),
        |kind| kind.name.eq_ignore_ascii_case("User"),
    ];
    is_user.iter().find_map(|test| types.iter().find(test))
}

/// The features of a target (RFC 7643 §5, RFC 9865 §5) and the numbers that belong to them, by our names and theirs.
const FEATURES: [(&str, &str); 7] = [
    ("patch", "patch"),
    ("bulk", "bulk"),
    ("filter", "filter"),
    ("change_password", "changePassword"),
    ("sort", "sort"),
    ("etag", "etag"),
    ("pagination", "pagination"),
];
const DETAILS: [(&str, &str); 9] = [
    ("supported", "supported"),
    ("max_operations", "maxOperations"),
    ("max_payload_size", "maxPayloadSize"),
    ("max_results", "maxResults"),
    ("cursor", "cursor"),
    ("index", "index"),
    ("default_page_size", "defaultPageSize"),
    ("max_page_size", "maxPageSize"),
    ("cursor_timeout", "cursorTimeout"),
];

/// Reads the answer of `/ServiceProviderConfig`; `None` where no feature is in it.
pub(super) fn features(answer: &Value) -> Option<BTreeMap<String, Attributes>> {
    let config = match answer.as_object() {
        Some(object) if member(object, "Resources").is_none() => object,
        _ => elements(answer).first()?.as_object()?,
    };
    let mut features = BTreeMap::new();
    for (ours, theirs) in FEATURES {
        let Some(feature) = member(config, theirs).and_then(Value::as_object) else { continue };
        let detail = |(ours, theirs): (&str, &str)| {
            let value = member(feature, theirs)?;
            let value = value.as_u64().map(Value::from).or_else(|| truth(value).map(Value::from))?;
            Some((ours.to_owned(), value))
        };
        features.insert(ours.to_owned(), DETAILS.into_iter().filter_map(detail).collect());
    }
    (!features.is_empty()).then_some(features)
}

/// The items of an answer: a list response, a bare list, or one item alone.
fn elements(answer: &Value) -> &[Value] {
    match answer {
        Value::Object(object) => {
            match member(object, "Resources").or_else(|| member(object, "schemas").filter(|list| is_of_objects(list))) {
                Some(Value::Array(items)) => items,
                Some(_) => &[],
                None => std::slice::from_ref(answer),
            }
        }
        other => other.as_array().map(Vec::as_slice).unwrap_or_default(),
    }
}

/// `schemas` names schemas by their URNs; some targets put the schemas themselves there.
fn is_of_objects(list: &Value) -> bool {
    list.as_array().is_some_and(|items| items.first().is_some_and(Value::is_object))
}

/// A flag, which some targets write as text.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        other => other.as_bool(),
    }
}

/// A member's text, where it is short enough to be a name.
fn text<'a>(object: &'a Attributes, name: &str) -> Option<&'a str> {
    member(object, name).and_then(Value::as_str).filter(|text| is_name(text))
}

/// Whether a text is short and plain enough to be stored and shown.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.contains(char::is_control)
}
