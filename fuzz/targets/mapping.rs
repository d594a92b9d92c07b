//! A case as `tests/data/mapping` has them, `{mapping, user, current, last}` → compile → render for create and for update;
//! what an update changes holds afterwards.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::Timestamp;
use rollkeeper::mapping::{Mapping, RenderInputs};
use rollkeeper::model::{Change, Rule};
use rollkeeper::value::Attributes;
use rollkeeper_fuzz::{account, bounded, user};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(case)) = serde_json::from_slice::<Value>(data) else { return };
    let object = |key: &str| case.get(key).and_then(Value::as_object).cloned();
    let rules = case.get("mapping").cloned().unwrap_or_default();
    let user = object("user").unwrap_or_else(user);
    let current = object("current").unwrap_or_else(account);
    let last = object("last");
    bounded(|| render(rules.clone(), &user, &current, last.as_ref()));
});

fn render(rules: Value, user: &Attributes, current: &Attributes, last: Option<&Attributes>) {
    let Ok(rules) = serde_json::from_value::<Vec<Rule>>(rules) else { return };
    let Ok(mapping) = Mapping::compile(&rules, None) else { return };
    let create = RenderInputs::create(user, Timestamp::default());
    let _ = mapping.render(&create);
    let update = RenderInputs { current: Some(current), last, creating: false, ..create };
    let Ok(rendered) = mapping.render(&update) else { return };
    assert_eq!(mapping.trace(&update).len(), rules.len());
    let mut changed = current.clone();
    assert!(Change::apply_all(&rendered.target_changes(), &mut changed).is_ok());
}
