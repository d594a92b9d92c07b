//! Rendering once more, written from `core/docs/mapping.md` alone, as simply as can be: for random cases to be compared
//! with. It shares nothing with the engine but JSON.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop at what must not happen")]

mod account;
mod values;

pub(crate) use account::{Target, get, put};
pub(crate) use values::{Schema, same};

use serde_json::{Map, Value, json};
use values::{is_empty, pruned, union};

pub(crate) type Object = Map<String, Value>;

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A key of the user, or a key below a key.
    Source(Vec<&'static str>),
    /// `emails[type eq "work"].value` of the user.
    WorkEmail,
    Constant(Value),
    /// `user.?k`: a value or none.
    Optional(&'static str),
    /// `has(user.k) ? user.k : "or"`.
    Otherwise(&'static str),
    /// `user.nowhere`, which fails.
    Failing,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) target: Target,
    pub(crate) origin: Origin,
    pub(crate) required: bool,
    /// The default, and whether it is there always.
    pub(crate) default: Option<(Value, bool)>,
    pub(crate) on_null: &'static str,
    pub(crate) blank: &'static str,
    pub(crate) apply: &'static str,
    pub(crate) strength: &'static str,
    pub(crate) multi: &'static str,
}

impl Rule {
    /// The rule as an app's definition has it.
    pub(crate) fn document(&self) -> Value {
        let mut document = json!({
            "target": self.target.text(), "required": self.required, "on_null": self.on_null, "blank": self.blank,
            "apply": self.apply, "strength": self.strength, "multi": self.multi
        });
        let (key, value) = match &self.origin {
            Origin::Source(keys) => ("source", json!(keys.join("."))),
            Origin::WorkEmail => ("source", json!("emails[type eq \"work\"].value")),
            Origin::Constant(value) => ("constant", value.clone()),
            Origin::Optional(key) => ("expression", json!(format!("user.?{key}"))),
            Origin::Otherwise(key) => ("expression", json!(format!("has(user.{key}) ? user.{key} : 'or'"))),
            Origin::Failing => ("expression", json!("user.nowhere")),
        };
        document[key] = value;
        if let Some((value, always)) = &self.default {
            document["default"] = json!({"value": value, "when": if *always { "always" } else { "create" }});
        }
        document
    }

    /// What the origin gives; null where it gives nothing.
    fn value(&self, user: &Object) -> Result<Value, ()> {
        let of = |key: &str| user.get(key).cloned().unwrap_or(Value::Null);
        Ok(match &self.origin {
            Origin::Source(keys) => {
                let first = of(keys[0]);
                keys[1..].iter().fold(first, |value, key| value.get(key).cloned().unwrap_or(Value::Null))
            }
            Origin::WorkEmail => get(&Target::element("emails", &[("type", json!("work"))], Some("value")), user),
            Origin::Constant(value) => value.clone(),
            Origin::Optional(key) => of(key),
            Origin::Otherwise(key) => match of(key) {
                Value::Null => json!("or"),
                value => value,
            },
            Origin::Failing => return Err(()),
        })
    }

    /// What the rule gives, its default included, as it is written; null where there is nothing.
    fn given(&self, user: &Object, creating: bool) -> Result<Value, ()> {
        let mut value = self.value(user)?;
        if value == "" && self.blank == "null" {
            value = Value::Null;
        }
        if let (Value::Null, Some((default, always))) = (&value, &self.default)
            && (creating || *always || self.on_null == "default")
        {
            value = default.clone();
        }
        Ok(self.as_written(&value))
    }

    fn as_written(&self, value: &Value) -> Value {
        match pruned(value) {
            Value::Null => Value::Null,
            Value::Array(items) => Value::Array(items),
            value if self.multi == "merge" => {
                if is_empty(&value) {
                    json!([])
                } else {
                    json!([value])
                }
            }
            value => value,
        }
    }

    /// Whether the value may not be written there.
    fn is_wrong(&self, value: &Value, schema: &Schema) -> bool {
        let primaries = value.as_array().map_or(0, |items| items.iter().filter(|item| item["primary"] == true).count());
        !schema.fits(&self.target, value) || primaries > 1 || self.target.contradicts(value)
    }
}

/// The faults that are found before anything is rendered: each code with its place.
pub(crate) fn compile(rules: &[Rule], schema: &Schema) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut fault = |code, key: &str| faults.push((code, format!("mapping[{index}]{key}")));
        if matches!(rule.origin, Origin::Constant(Value::Null)) {
            fault("invalid_document", "");
        }
        if rule.on_null == "default" && rule.default.is_none() {
            fault("invalid_document", ".on_null");
        }
        let wrong = |value: &Value| {
            let value = rule.as_written(value);
            !value.is_null() && rule.is_wrong(&value, schema)
        };
        if matches!(&rule.origin, Origin::Constant(value) if wrong(value)) {
            fault("type_mismatch", ".constant");
        }
        if rule.default.as_ref().is_some_and(|(value, _)| wrong(value)) {
            fault("type_mismatch", ".default");
        }
        if rule.target.filter.iter().any(|(name, _)| rule.target.sub.is_some_and(|sub| sub.eq_ignore_ascii_case(name)))
        {
            fault("invalid_path", ".target");
        }
        if rule.multi == "merge" && !rule.target.filter.is_empty() {
            fault("invalid_document", ".multi");
        }
    }
    faults
}

/// Everything that a rendering starts from.
pub(crate) struct Inputs<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) user: &'a Object,
    pub(crate) current: Option<&'a Object>,
    pub(crate) last: Option<&'a Object>,
}

/// `{attributes, changes, skipped}`, or the faults, each code with its attribute.
pub(crate) fn render(rules: &[Rule], inputs: &Inputs<'_>) -> Result<Value, Vec<(&'static str, String)>> {
    let creating = inputs.current.is_none() && inputs.last.is_none();
    let mut faults = Vec::new();
    let mut attributes = Object::new();
    let mut changes: Vec<Value> = Vec::new();
    let mut skipped = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let target = &rule.target;
        let mut skip = |reason: &str| skipped.push(json!({"rule": index, "reason": reason}));
        if rule.apply == if creating { "update" } else { "create" } {
            skip("apply");
            continue;
        }
        let Ok(value) = rule.given(inputs.user, creating) else {
            faults.push(("expression_failed", target.text()));
            continue;
        };
        if rule.required && is_empty(&value) {
            faults.push(("missing_required", target.text()));
            continue;
        }
        let clears = value.is_null() && rule.on_null == "clear" && !creating;
        if value.is_null() && !clears {
            skip("missing");
            continue;
        }
        if rule.is_wrong(&value, inputs.schema) && !value.is_null() {
            faults.push(("type_mismatch", target.text()));
            continue;
        }
        if creating {
            let value = if rule.multi == "merge" { union(inputs, target, &Value::Null, &value).all } else { value };
            if target.filter.is_empty() || !is_empty(&value) {
                put(target, &mut attributes, value);
            }
            continue;
        }
        let yields = rule.strength == "weak" || rule.multi == "keep";
        if yields && !inputs.current.is_some_and(|current| is_empty(&get(target, current))) {
            skip(if rule.strength == "weak" { "weak" } else { "keep" });
            continue;
        }
        let known = inputs.current.or(inputs.last).unwrap();
        let there = get(target, known);
        let joined = union(inputs, target, &there, &value);
        let met = |there: &Value| match rule.multi {
            "merge" if !clears => {
                let joined = union(inputs, target, there, &value);
                joined.added.is_empty() && !joined.changed
            }
            _ => same(inputs.schema, &target.attribute(), there, &value),
        };
        let unchanged = rule.strength == "normal" && inputs.last.is_some_and(|last| met(&get(target, last)));
        if !unchanged && !met(&there) {
            let mut change = |op: &str, path: String, value: Option<Value>| {
                let mut change = json!({"op": op, "path": path, "rule": index});
                if let Some(value) = value {
                    change["value"] = value;
                }
                changes.push(change);
            };
            if rule.multi == "merge" && !clears {
                let (op, value) =
                    if joined.changed { ("replace", joined.all.clone()) } else { ("add", json!(joined.added)) };
                change(op, target.text(), Some(value));
            } else if is_empty(&value) {
                change("remove", target.text(), None);
            } else if !target.filter.is_empty() && account::elements(target, known).is_empty() {
                add_element(&mut changes, target, &value, index);
            } else {
                change("replace", target.text(), Some(value.clone()));
            }
        }
        if !clears && (target.filter.is_empty() || !is_empty(&value)) {
            put(target, &mut attributes, if rule.multi == "merge" { joined.all } else { value });
        }
    }
    if faults.is_empty() {
        Ok(json!({"attributes": attributes, "changes": changes, "skipped": skipped}))
    } else {
        Err(faults)
    }
}

/// An element that is not there is added whole; rules that write into the same one make one change.
fn add_element(changes: &mut Vec<Value>, target: &Target, value: &Value, rule: usize) {
    let list = target.list_text();
    let mut is_there = false;
    let adds =
        |change: &&mut Value| change["op"] == "add" && change["path"].as_str().unwrap().eq_ignore_ascii_case(&list);
    for change in changes.iter_mut().filter(adds) {
        let mut account = Object::new();
        put(&target.whole_list(), &mut account, change["value"].clone());
        if !account::elements(target, &account).is_empty() {
            put(target, &mut account, value.clone());
            change["value"] = get(&target.whole_list(), &account);
            is_there = true;
        }
    }
    if !is_there {
        let mut account = Object::new();
        put(target, &mut account, value.clone());
        changes.push(json!({"op": "add", "path": list, "value": get(&target.whole_list(), &account), "rule": rule}));
    }
}
