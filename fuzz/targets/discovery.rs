//! Whatever a target says of itself: its description is read or refused, in bounded time and requests, and what is believed has
//! names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::connector::Connector;
use rollkeeper::http::Response;
use rollkeeper_fuzz::{answering, bounded};

fuzz_target!(|body: &[u8]| {
    bounded(|| {
        let target = answering(Response { status: 200, headers: Vec::new(), body: body.to_vec() });
        let _ = target.test();
        let _ = target.schema();
        if let Ok(found) = target.discover() {
            assert!(found.attributes.iter().all(|attribute| !attribute.path.is_empty()), "an attribute has no name");
        }
    });
});
