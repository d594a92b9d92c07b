//! A value → a SCIM filter in a URL → read back by a reader that knows nothing of how it was written; and the same value
//! in a path's filter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::connector::Connector;
use rollkeeper::http::{Http, HttpError, Request, Response};
use rollkeeper::model::{ScimDefinition, ScimFeatures};
use rollkeeper::path::Path;
use rollkeeper::scim::ScimConnector;
use rollkeeper::value::Attributes;
use rollkeeper::Period;
use rollkeeper_fuzz::bounded;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A target that shows one account whatever it is asked, and keeps the question.
#[derive(Default)]
struct Target {
    asked: Mutex<Vec<String>>,
    body: Vec<u8>,
}

impl Http for Target {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        self.asked.lock().expect("no other thread").push(request.url.clone());
        Ok(Response { status: 200, headers: Vec::new(), body: self.body.clone() })
    }
}

fuzz_target!(|text: &str| {
    bounded(|| {
        travels("userName", text);
        travels("emails[type eq \"work\"].value", text);
        selects(text);
        // What comes back from a target is not trusted either.
        let _ = found("userName", text, text.as_bytes().to_vec());
    });
});

fn found(attribute: &str, text: &str, body: Vec<u8>) -> (usize, Vec<String>) {
    let target = Arc::new(Target { asked: Mutex::default(), body });
    let definition = ScimDefinition {
        base_url: "https://target.example/scim/v2?tenant=1".to_owned(),
        profile: None,
        auth: None,
        features: ScimFeatures::default(),
        allow_private_addresses: false,
        tls: rollkeeper::model::Tls::default(),
        proxy: None,
    };
    let connector = ScimConnector::new(&definition, None, target.clone(), Period::from_seconds(1)).expect("it is sound");
    let count = connector.find(attribute, &Value::from(text)).map_or(0, |accounts| accounts.len());
    let asked = target.asked.lock().expect("no other thread").clone();
    (count, asked)
}

fn travels(attribute: &str, text: &str) {
    let account = json!({"id": "1", "userName": text, "emails": [{"type": "work", "value": text}]});
    let body = json!({"totalResults": 1, "Resources": [account]}).to_string().into_bytes();
    let (count, asked) = found(attribute, text, body);
    assert_eq!(count, 1, "the account that holds the value is found");
    let url = asked.first().expect("one request");
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    let (_, query) = url.split_once('?').expect("a query");
    let filters: Vec<&str> = query.split('&').filter_map(|parameter| parameter.strip_prefix("filter=")).collect();
    let [filter] = filters.as_slice() else { panic!("one filter: {url}") };
    let filter = percent_decoded(filter);
    let plain = attribute.replace("[type eq \"work\"]", "");
    let literal = filter.strip_prefix(&format!("{plain} eq ")).expect("attribute, eq, value");
    assert_eq!(unquoted(literal).as_deref(), Some(text));
}

/// A path's filter selects the element that holds the text, and no other.
fn selects(text: &str) {
    let path = format!("emails[value eq {}].type", Value::from(text));
    let Ok(path) = Path::parse(&path) else { return assert!(text.len() > 150, "{path}") };
    let other = format!("{text}.");
    let account = json!({"emails": [{"value": other, "type": "no"}, {"value": text, "type": "yes"}]});
    let account: &Attributes = account.as_object().expect("an object");
    assert_eq!(path.values(account), [&Value::from("yes")]);
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(&after[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
            rest = &after[2..];
        } else {
            assert_ne!(*first, b'+', "a plus would be read as a space");
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// The text that a JSON string stands for (RFC 8259 §7); `None` where it is none or something follows.
fn unquoted(literal: &str) -> Option<String> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut units: Vec<u16> = Vec::new();
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        let plain = match character {
            '"' | '\0'..='\u{1f}' => return None,
            '\\' => match rest.next()? {
                escaped @ ('"' | '\\' | '/') => escaped,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let digits: String = rest.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).ok()?);
                    continue;
                }
                _ => return None,
            },
            plain => plain,
        };
        units.extend(plain.encode_utf16(&mut [0; 2]).iter());
    }
    String::from_utf16(&units).ok()
}
