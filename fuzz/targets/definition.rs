//! A definition of an app → read, compile, write, read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::mapping::Mapping;
use rollkeeper::matching::Matching;
use rollkeeper::model::App;
use rollkeeper_fuzz::bounded;

fuzz_target!(|data: &[u8]| {
    bounded(|| {
        let Ok(app) = serde_json::from_slice::<App>(data) else { return };
        let _ = Mapping::compile(&app.mapping, None);
        let _ = Matching::compile(&app.matching);
        let written = serde_json::to_vec(&app).expect("what was read can be written");
        let again: App = serde_json::from_slice(&written).expect("what was written can be read");
        let twice = serde_json::to_vec(&again).expect("what was read can be written");
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&twice));
    });
});
