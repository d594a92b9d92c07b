//! Where a definition may lead: `tests/data/scim/urls.json` has base URLs in every form in which somebody might write an
//! address inside; and ids of accounts, which a target chooses, stay one segment of the path.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper::connector::Connector;
use rollkeeper::http::{Http, HttpError, Method, Request, Response};
use rollkeeper::model::ScimDefinition;
use rollkeeper::scim::ScimConnector;
use rollkeeper::transport::{AddressPolicy, Transport, TransportOptions};
use rollkeeper::{Code, Period};
use serde::Deserialize;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};

#[derive(Deserialize)]
struct Form {
    url: String,
    is: String,
}

fn forms() -> Vec<Form> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/scim/urls.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Answers nothing, and notes what it was asked.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>);

impl Http for Noting {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        self.0.lock().unwrap().push(request.url.clone());
        Ok(Response { status: 404, headers: Vec::new(), body: b"{}".to_vec() })
    }
}

fn connector(base_url: &str, http: Arc<dyn Http>) -> Result<ScimConnector, rollkeeper::Fault> {
    let definition: ScimDefinition = serde_json::from_value(serde_json::json!({"base_url": base_url})).unwrap();
    ScimConnector::new(&definition, None, http, Period::from_seconds(1))
}

fn get(url: &str) -> Request {
    let timeout = Period::from_micros(300_000);
    Request { method: Method::Get, url: url.to_owned(), headers: Vec::new(), authorization: None, body: None, timeout }
}

#[test]
fn no_form_of_an_address_leads_inside() {
    let transport = Transport::new(TransportOptions::default()).unwrap();
    let forms = forms();
    assert!(forms.len() >= 200, "{}", forms.len());
    let mut wrong = Vec::new();
    for Form { url, is } in &forms {
        let accepted = connector(url, Arc::new(Noting::default()));
        if is == "refused" {
            let code = accepted.err().map(|fault| fault.code);
            if code != Some(Code::InvalidUrl) {
                wrong.push(format!("{url:?} gives {code:?}"));
            }
            continue;
        }
        if let Err(fault) = accepted {
            // What is refused altogether leads nowhere.
            if is != "inside" {
                wrong.push(format!("{url:?} is refused: {fault}"));
            }
            continue;
        }
        let host = url.split("://").nth(1).unwrap().split('/').next().unwrap();
        let bare = host.trim_start_matches('[').split(']').next().unwrap();
        let allows = |address: IpAddr| AddressPolicy { allow_private: false }.allows(host, address);
        match (is.as_str(), bare.parse::<IpAddr>()) {
            ("outside", address) if !address.as_ref().is_ok_and(|address| allows(*address)) => {
                wrong.push(format!("{url:?} is not allowed"));
            }
            ("outside" | "itself", _) => {}
            // A number in a form of its own is made an address by the system, or is no name at all.
            (_, address) => {
                let found = address.map_or_else(
                    |_| {
                        (bare, 443)
                            .to_socket_addrs()
                            .map(|found| found.map(|one| one.ip()).collect())
                            .unwrap_or_default()
                    },
                    |address| vec![address],
                );
                let error = transport.send(&get(url)).unwrap_err();
                let is_stopped = matches!(error.code, Code::BlockedAddress | Code::InvalidUrl) || found.is_empty();
                if !is_stopped || error.sent || found.into_iter().any(allows) {
                    wrong.push(format!("{url:?} gives {error:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The next of a row of numbers that is the same in every run (Marsaglia's xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn ten_thousand_hostile_ids_stay_one_segment_each() {
    let pieces = [
        "..",
        ".",
        "/",
        "\\",
        "%2e",
        "%2F",
        "%00",
        "%",
        "?",
        "#",
        "&",
        "=",
        "@",
        ":",
        ";",
        ",",
        "+",
        " ",
        "\t",
        "\r\n",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{202e}",
        "\u{feff}",
        "é",
        "王",
        "👩‍⚕️",
        "//evil.example",
        "https://evil.example/",
        "Users",
        "Groups",
        "..;/",
        "%252e%252e",
        "..%c0%af",
        "' OR 1=1--",
        "<script>",
        "${jndi:x}",
        "{{7*7}}",
        "null",
        "undefined",
        "a",
        "1",
        "-",
        "_",
        "~",
        "[",
        "]",
        "|",
        "^",
        "`",
        "\"",
        "Host: evil",
        "*",
        "me",
        ".search",
    ];
    let noting = Arc::new(Noting::default());
    let base = "https://crm.example.com:8443/scim/v2?x=1";
    let target = connector(base, noting.clone()).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..10_000 {
        let count = 1 + next(&mut state) % 6;
        let id: String = (0..count)
            .filter_map(|_| pieces.get(usize::try_from(next(&mut state) % pieces.len() as u64).unwrap()).copied())
            .collect();
        let _ = target.read(&id);
        let asked = std::mem::take(&mut *noting.0.lock().unwrap());
        if [".", ".."].contains(&id.as_str()) {
            assert!(asked.is_empty(), "{id:?} cannot stand in a URL");
            continue;
        }
        let url = asked.first().unwrap();
        let rest =
            url.strip_prefix("https://crm.example.com:8443/scim/v2/Users/").and_then(|rest| rest.strip_suffix("?x=1"));
        let segment = rest.unwrap_or_else(|| std::panic::panic_any(format!("{id:?} leads to {url}")));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        assert!(segment.bytes().all(is_plain) && segment != "." && segment != "..", "{id:?} leads to {url}");
        assert_eq!(decoded(segment), id.as_bytes());
    }
}

fn decoded(segment: &str) -> Vec<u8> {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let mut digits = || -> Option<u8> {
            u8::from_str_radix(std::str::from_utf8(&[bytes.next()?, bytes.next()?]).ok()?, 16).ok()
        };
        decoded.push(if byte == b'%' { digits().unwrap() } else { byte });
    }
    decoded
}
