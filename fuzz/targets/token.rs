//! The answer of a token endpoint, which is not trusted, with the statuses that matter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper_fuzz::bounded;

fuzz_target!(|body: &[u8]| {
    bounded(|| {
        for status in [200, 400, 401, 429, 503] {
            let given = rollkeeper::read_token_answer(status, body);
            assert!(!given || status == 200, "a refusal gives no token");
        }
    });
});
