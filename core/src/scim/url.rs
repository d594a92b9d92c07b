//! Where requests go. URLs are made from the base URL, the endpoint and the account's id alone; what the target says about
//! its own addresses (`meta.location`, `$ref`) is never followed.

use crate::fault::{Code, Fault};
use std::fmt::Write;

/// The longest id that is put into a URL.
const LONGEST_ID: usize = 1024;

/// A checked base URL: scheme, host and path without the last slash, and the query that every request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl {
    prefix: String,
    query: Option<String>,
}

impl BaseUrl {
    /// Reads `text`, as a definition has it.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |message: &str| Err(Fault::new(Code::InvalidUrl, message).at("connector.base_url"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return fault("the base URL must begin with `https://`, as `https://crm.example.com/scim/v2` does");
        };
        if text.contains('#') {
            return fault("the base URL must not have a `#`; leave it out with what follows it");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['\\', '"', '<', '>']) {
            return fault("the base URL has characters that must be percent-encoded");
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return fault("the base URL must not hold a user name or password; put credentials into `connector.auth`");
        }
        let Some(host) = host_of(authority) else {
            return fault("the base URL has no valid host; write it as `https://crm.example.com/scim/v2`");
        };
        let secure = scheme.eq_ignore_ascii_case("https");
        if !(secure || scheme.eq_ignore_ascii_case("http") && is_loopback(host)) {
            return fault("the base URL must be `https`, or `http` on the machine itself");
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned()).filter(|query| !query.is_empty())),
            None => (text, None),
        };
        Ok(Self { prefix: path.trim_end_matches('/').to_owned(), query })
    }

    /// The URL of an endpoint such as `Users`.
    pub(super) fn endpoint(&self, endpoint: &str, parameters: &[(&str, &str)]) -> String {
        let mut url = format!("{}/{endpoint}", self.prefix);
        let own = self.query.iter().cloned();
        let given = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value)));
        for (index, parameter) in own.chain(given).enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(&parameter);
        }
        url
    }

    /// The URL of one account. `None` for an id that cannot stand in a URL as one segment.
    pub(super) fn user(&self, id: &str) -> Option<String> {
        self.resource("Users", id)
    }

    /// The URL of one group. `None` as for [`BaseUrl::user`].
    pub(super) fn group(&self, id: &str) -> Option<String> {
        self.resource("Groups", id)
    }

    fn resource(&self, endpoint: &str, id: &str) -> Option<String> {
        let sane = !id.is_empty() && id.len() <= LONGEST_ID && id != "." && id != "..";
        sane.then(|| self.endpoint(&format!("{endpoint}/{}", encode(id)), &[]))
    }
}

/// Percent-encodes everything that is not unreserved (RFC 3986 §2.3).
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The id of an account at the end of a `Location`, where it is one.
pub(super) fn id_of_location(location: &str) -> Option<String> {
    id_at("/Users", location)
}

/// The id of a group at the end of a `Location`, where it is one.
pub(super) fn group_of_location(location: &str) -> Option<String> {
    id_at("/Groups", location)
}

fn id_at(endpoint: &str, location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let (before, segment) = path.rsplit_once('/')?;
    let id = decode(segment)?;
    // Some targets answer `…/Users/undefined` where they lost the id themselves.
    let sane = before.ends_with(endpoint) && !["", ".", "..", "undefined", "null"].contains(&id.as_str());
    sane.then_some(id)
}

fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok()
}

fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("443"))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "443")),
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let valid = !host.is_empty() && host.bytes().all(is_host) && port.parse::<u16>().is_ok_and(|port| port > 0);
    valid.then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
