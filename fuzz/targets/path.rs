//! An attribute path → parse, write, parse again; put, get, remove.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::mapping::Mapping;
use rollkeeper::model::Rule;
use rollkeeper::path::Path;
use rollkeeper::value::Attributes;
use rollkeeper_fuzz::{account, bounded};
use serde_json::Value;

fuzz_target!(|text: &str| {
    bounded(|| {
        let Ok(path) = Path::parse(text) else { return };
        let written = path.to_string();
        assert_eq!(Path::parse(&written).as_ref(), Ok(&path), "{written}");
        for part in [path.list(), path.element(), Some(path.unfiltered())].into_iter().flatten() {
            assert_eq!(Path::parse(part.as_str()).as_ref(), Ok(&part), "{part} of {written}");
        }
        assert!(path.overlaps(&path));
        for start in [Attributes::new(), account()] {
            holds(&path, start);
        }
    });
});

/// What was put is found, what was removed is not.
fn holds(path: &Path, mut attributes: Attributes) {
    path.put(&mut attributes, Value::from("v"));
    if path.element().is_some_and(|element| element.get(&attributes).is_none()) {
        return; // the value says something else than the path's own filter
    }
    let rule = Rule { target: path.to_string(), constant: Some("v".into()), ..Rule::default() };
    if Mapping::compile(&[rule], None).is_err() {
        return; // no mapping may write there: the name below a later filter is the filter's own
    }
    let there = path.values(&attributes);
    let is_there = |value: &&Value| *value == "v" || value.get("value").is_some_and(|value| value == "v");
    assert!(there.iter().any(is_there), "{path}: {attributes:?}");
    path.remove(&mut attributes);
    let once = attributes.clone();
    path.remove(&mut attributes);
    if path.list().is_some() || path.unfiltered() != *path {
        assert_eq!(attributes, once, "{path}");
    }
}
