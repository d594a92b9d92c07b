//! An attribute path → parse, write, parse again; put, get, remove.
#![no_main]

use libfuzzer_sys::fuzz_target;
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
    if repeats_its_filter(path.as_str()) {
        return; // so does the name below a later filter
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

/// Whether a name stands right below a filter that names it.
fn repeats_its_filter(path: &str) -> bool {
    let lower = path.to_lowercase();
    lower.match_indices("].").any(|(end, _)| {
        let name = lower[end + 2..].split(['.', '[']).next().unwrap_or_default();
        let filter = lower[..end].rfind('[').map_or("", |start| &lower[start..end]);
        filter.contains(name)
    })
}
