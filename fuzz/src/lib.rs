//! What every target shares: a bound on time, the record that expressions are evaluated on, and a target that gives one answer.

use rollkeeper::Period;
use rollkeeper::http::{Http, HttpError, Request, Response};
use rollkeeper::model::ScimDefinition;
use rollkeeper::scim::ScimConnector;
use rollkeeper::value::Attributes;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The longest that one case may compute, in milliseconds, unless `ROLLKEEPER_FUZZ_BOUND` says otherwise.
const BOUND: u64 = 10;

/// How often a slow case is tried again: what the machine does beside it must not count.
const TRIES: usize = 20;

/// Runs a case. Stops the fuzzer where it computes for longer than its bound however often it is tried.
///
/// # Panics
/// Where the case is too slow, which is a finding.
pub fn bounded(case: impl Fn()) {
    static ASKED: OnceLock<u64> = OnceLock::new();
    let asked = || std::env::var("ROLLKEEPER_FUZZ_BOUND").ok().and_then(|text| text.parse().ok()).unwrap_or(BOUND);
    let bound = Duration::from_millis(*ASKED.get_or_init(asked));
    let mut fastest = Duration::MAX;
    for _ in 0..TRIES {
        let start = computed();
        case();
        fastest = fastest.min(computed().saturating_sub(start));
        if fastest <= bound {
            return;
        }
    }
    panic!("the case computes for {fastest:?}");
}

/// The time that this thread has computed so far; what other programs take does not count.
fn computed() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the given place alone, which is a valid `timespec`.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "the machine has no clock for threads");
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Gives the same answer to everything.
struct Parrot {
    answer: Response,
    asked: AtomicU32,
}

impl Http for Parrot {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        assert!(request.url.starts_with("https://crm.example.com/scim/"), "{}", request.url);
        assert!(self.asked.fetch_add(1, Ordering::Relaxed) < 1000, "there is no end to it");
        Ok(self.answer.clone())
    }
}

/// A connector to a target that gives this answer to everything. It is asked a thousand times at the most, and nowhere else.
///
/// # Panics
/// Where the connector asks elsewhere, or without end, which is a finding.
pub fn answering(answer: Response) -> ScimConnector {
    let definition: ScimDefinition =
        serde_json::from_value(json!({"base_url": "https://crm.example.com/scim"})).expect("it is a definition");
    let parrot = Arc::new(Parrot { answer, asked: AtomicU32::new(0) });
    ScimConnector::new(&definition, None, parrot, Period::from_seconds(1)).expect("it is sound")
}

/// A user with a value of every kind.
pub fn user() -> Attributes {
    object(json!({
        "id": "u1", "username": "zoë.łęcka", "email": "Zoe.Lecka@Example.COM", "firstName": "Zoë", "lastName": "Łęcka",
        "title": "  Head of  R&D ", "blank": "", "active": true, "age": 41, "score": -0.5, "huge": u64::MAX,
        "hired": "2024-02-29T23:59:60+02:00", "manager": "u2", "permission_sets": ["sales", "ops", "sales"],
        "emails": [{"type": "work", "value": "z@x.example", "primary": true}, {"type": "home", "value": "q\"\\*"}],
        "address": {"street": "Straße 1", "country": "DE", "geo": {"lat": 50.7, "lon": 7.1}}, "list": [[1, [2]], {}, "👩‍👩‍👧"],
        "long": "ab,".repeat(300), "many": (0..200).collect::<Vec<u32>>()
    }))
}

/// An account with a value of every kind.
pub fn account() -> Attributes {
    object(json!({
        "userName": "zoe", "title": "old", "name": {"givenName": "Zoe"}, "roles": ["a", "b"],
        "emails": [{"type": "work", "value": "old@x.example", "primary": true}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "IT"}
    }))
}

fn object(value: serde_json::Value) -> Attributes {
    match value {
        serde_json::Value::Object(object) => object,
        _ => Attributes::new(),
    }
}
