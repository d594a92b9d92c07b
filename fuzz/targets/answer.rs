//! Whatever a target answers, to whatever it is asked: the connector gives a result or a failure, in bounded time and requests.
//! The first byte chooses the status, the second whether there is a `Location`; a line feed ends it, the rest is the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::Period;
use rollkeeper::connector::{Change, ChangeKind, Connector};
use rollkeeper::http::{Http, HttpError, Request, Response};
use rollkeeper::model::ScimDefinition;
use rollkeeper::scim::ScimConnector;
use rollkeeper_fuzz::{account, bounded};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const STATUSES: [u16; 16] = [200, 201, 204, 400, 401, 403, 404, 405, 409, 412, 415, 428, 429, 500, 501, 503];

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

fuzz_target!(|bytes: &[u8]| {
    let Some(([status, has_location], rest)) = bytes.split_first_chunk::<2>() else { return };
    let end = rest.iter().position(|byte| *byte == b'\n').filter(|_| has_location % 2 == 1);
    let (location, body) = rest.split_at(end.unwrap_or(0));
    let headers = vec![("location".to_owned(), String::from_utf8_lossy(location).into_owned())];
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    bounded(|| {
        let answer = Response { status, headers: headers.clone(), body: body.to_vec() };
        let parrot = Arc::new(Parrot { answer, asked: AtomicU32::new(0) });
        let definition: ScimDefinition =
            serde_json::from_value(json!({"base_url": "https://crm.example.com/scim"})).unwrap();
        let target = ScimConnector::new(&definition, None, parrot, Period::from_seconds(1)).unwrap();
        let change = Change { kind: ChangeKind::Replace, path: "title".to_owned(), value: Some(json!("x")) };
        let _ = target.create(&account(), "key");
        let _ = target.read("1");
        let _ = target.find("userName", &json!("ann"));
        let _ = target.update("1", &[change], None);
        let _ = target.deactivate("1");
        let _ = target.delete("1");
        let _ = target.list_groups(None);
        if let Ok(page) = target.list(None, None)
            && let Some(next) = page.next
        {
            let _ = target.list_lines(Some(&next), None, None);
        }
    });
});
