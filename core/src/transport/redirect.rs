//! Which redirects are followed: those that stay where the request was sent, with the method that it had. Anywhere else the
//! credentials would go to somebody who was not asked, or a write would become a read.

use crate::http::{Method, Request, Response};

/// The URL to which a redirect leads, where it may be followed: to the same scheme, host and port, and for anything but a read
/// only where the status keeps the method (RFC 9110 §15.4).
pub(super) fn within_origin(request: &Request, response: &Response) -> Option<String> {
    let keeps_method = match response.status {
        307 | 308 => true,
        301 | 302 => request.method == Method::Get,
        _ => false,
    };
    let location = response.header("location").filter(|_| keeps_method)?;
    if !location.bytes().all(|byte| byte.is_ascii_graphic()) || location.contains(['\\', '#']) {
        return None;
    }
    let origin = origin(&request.url)?;
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(format!("{origin}{location}"));
    }
    let rest = location.strip_prefix(origin)?;
    rest.starts_with('/').then(|| location.to_owned())
}

/// Scheme, host and port, as they are written.
fn origin(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let end = url.get(host..)?.find(['/', '?']).map_or(url.len(), |length| host + length);
    url.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Period;

    fn followed(method: Method, status: u16, location: &str) -> Option<String> {
        let request = Request {
            method,
            url: "https://crm.example.com:8443/scim/Users?count=1".to_owned(),
            headers: Vec::new(),
            authorization: None,
            body: None,
            timeout: Period::from_seconds(1),
        };
        let headers = vec![("location".to_owned(), location.to_owned())];
        within_origin(&request, &Response { status, headers, body: Vec::new() })
    }

    #[test]
    fn a_redirect_within_the_origin_is_followed_with_its_method() {
        let there = Some("https://crm.example.com:8443/v3/Users".to_owned());
        assert_eq!(followed(Method::Post, 307, "/v3/Users"), there);
        assert_eq!(followed(Method::Post, 308, "https://crm.example.com:8443/v3/Users"), there);
        assert_eq!(followed(Method::Get, 301, "/v3/Users"), there);
        assert_eq!(followed(Method::Post, 301, "/v3/Users"), None, "it would become a read");
        assert_eq!(followed(Method::Get, 303, "/v3/Users"), None);
        assert_eq!(followed(Method::Get, 200, "/v3/Users"), None);
    }

    #[test]
    fn a_redirect_anywhere_else_is_not() {
        for location in [
            "https://crm.example.com/v3/Users",
            "https://crm.example.com:84430/v3",
            "https://crm.example.com:8443@evil.example/",
            "https://crm.example.com:8443.evil.example/",
            "http://crm.example.com:8443/v3",
            "//evil.example/v3",
            "/\\evil.example",
            "v3/Users",
            "",
            "javascript:alert(1)",
            "https://crm.example.com:8443",
            "/v3/Us ers",
            "/v3#x",
        ] {
            assert_eq!(followed(Method::Get, 307, location), None, "{location}");
        }
    }
}
