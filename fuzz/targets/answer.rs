//! Whatever a target answers, to whatever it is asked: the connector gives a result or a failure, in bounded time and requests.
//! The first byte chooses the status, the second whether there is a `Location`; a line feed ends it, the rest is the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::connector::{Change, ChangeKind, Connector};
use rollkeeper::http::Response;
use rollkeeper_fuzz::{account, answering, bounded};
use serde_json::json;

const STATUSES: [u16; 16] = [200, 201, 204, 400, 401, 403, 404, 405, 409, 412, 415, 428, 429, 500, 501, 503];

fuzz_target!(|bytes: &[u8]| {
    let Some(([status, has_location], rest)) = bytes.split_first_chunk::<2>() else { return };
    let end = rest.iter().position(|byte| *byte == b'\n').filter(|_| has_location % 2 == 1);
    let (location, body) = rest.split_at(end.unwrap_or(0));
    let headers = vec![("location".to_owned(), String::from_utf8_lossy(location).into_owned())];
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    bounded(|| {
        let target = answering(Response { status, headers: headers.clone(), body: body.to_vec() });
        let change = Change { kind: ChangeKind::Replace, path: "title".to_owned(), value: Some(json!("x")) };
        let _ = target.create(&account(), "key");
        let _ = target.read("1");
        let _ = target.find("userName", &json!("ann"));
        let _ = target.update("1", &[change], None);
        let _ = target.deactivate("1");
        let _ = target.activate("1");
        let _ = target.delete("1");
        let members = ["1".to_owned(), "2".to_owned()];
        let _ = target.change_members("g1", &members, &members);
        let _ = target.group_names(None);
        if let Ok((_, Some(next))) = target.list_groups(None) {
            let _ = target.list_groups(Some(&next));
        }
        let _ = target.list_lines(None, None, None);
        if let Ok(page) = target.list(None, None)
            && let Some(next) = page.next
        {
            let _ = target.list_lines(Some(&next), None, None);
        }
    });
});
