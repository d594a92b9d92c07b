//! The headers by which a target asks to be left alone: whatever they say, the wait is none or at most a day. The first byte
//! chooses the status; each line of the rest is a header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::Period;
use rollkeeper::connector::Connector;
use rollkeeper::http::Response;
use rollkeeper_fuzz::{answering, bounded};

const STATUSES: [u16; 6] = [429, 403, 503, 500, 401, 400];
const DAY: Period = Period::from_seconds(86_400);

fuzz_target!(|bytes: &[u8]| {
    let Some((status, rest)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    };
    let headers: Vec<_> = text.lines().filter_map(header).collect();
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    bounded(|| {
        let target = answering(Response { status, headers: headers.clone(), body: Vec::new() });
        let Err(error) = target.read("1") else { return };
        if let Some(wait) = error.retry_after {
            assert!((Period::ZERO..=DAY).contains(&wait), "{wait}");
        }
    });
});
