//! What is wrong with how the connection to a target is to be made.

use crate::fault::{Code, Fault};
use crate::model::{Auth, CertificateSource, Proxy, ScimDefinition, Tls};

pub(super) fn faults(scim: &ScimDefinition) -> Vec<Fault> {
    let mut faults = tls_faults(&scim.tls);
    if let Some(proxy) = &scim.proxy {
        faults.extend(proxy_faults(proxy));
        let mut urls = vec![scim.base_url.as_str()];
        if let Some(Auth::OAuth(oauth)) = &scim.auth {
            urls.push(&oauth.token_endpoint);
        }
        if urls.iter().any(|url| url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))) {
            faults
                .push(wrong("connector.proxy", "is for `https`; what is on the machine itself is reached without one"));
        }
    }
    faults
}

fn wrong(place: &str, message: &str) -> Fault {
    Fault::new(Code::InvalidArgument, format!("`{place}` {message}")).at(place)
}

fn tls_faults(tls: &Tls) -> Vec<Fault> {
    let sources = [
        ("connector.tls.ca_certificates", &tls.ca_certificates),
        ("connector.tls.client_certificate", &tls.client_certificate),
    ];
    let mut faults: Vec<Fault> =
        sources.into_iter().filter_map(|(place, source)| certificate_fault(place, source.as_ref()?)).collect();
    if tls.client_certificate.is_some() != tls.private_key.is_some() {
        let message = "and `connector.tls.client_certificate` are given together";
        faults.push(wrong("connector.tls.private_key", message));
    }
    faults
}

fn certificate_fault(place: &str, source: &CertificateSource) -> Option<Fault> {
    match source {
        CertificateSource::Pem(pem) if pem.contains("PRIVATE KEY") => {
            let message = format!(
                "`{place}` holds a private key; say where that is had from in `connector.tls.private_key`, as {{\"secret\": \"name\"}}"
            );
            Some(Fault::new(Code::SecretInClear, message).at(place))
        }
        CertificateSource::Pem(pem) if !pem.contains("-----BEGIN CERTIFICATE-----") => {
            Some(wrong(place, "must be certificates as PEM, each between `-----BEGIN CERTIFICATE-----` and its end"))
        }
        CertificateSource::File(path) if path.is_empty() => Some(wrong(place, "must name a file")),
        CertificateSource::Pem(_) | CertificateSource::File(_) => None,
    }
}

fn proxy_faults(proxy: &Proxy) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !is_proxy_url(&proxy.url) {
        let message = "must be `http://`, a host and a port, as `http://proxy.example.com:3128`; credentials have keys of their own";
        faults.push(wrong("connector.proxy.url", message));
    }
    // RFC 7617 §2: what stands before the first colon is the user name.
    let named = |name: &str| !name.is_empty() && !name.contains(':') && !name.chars().any(char::is_control);
    if !proxy.username.as_deref().is_none_or(named) {
        let message = "must not be empty, and hold neither a colon nor a control character";
        faults.push(wrong("connector.proxy.username", message));
    }
    if proxy.username.is_some() != proxy.password.is_some() {
        faults.push(wrong("connector.proxy.password", "and `connector.proxy.username` are given together"));
    }
    faults
}

/// A proxy that is spoken to by TLS itself, or by SOCKS, is none that we know.
fn is_proxy_url(url: &str) -> bool {
    let Some(("http", rest)) = url.split_once("://") else { return false };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let Some((host, port)) = authority.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bare {
        Some(bare) => bare.contains(':') && bare.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}
