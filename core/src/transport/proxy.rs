//! A proxy through which connections go. It resolves the target's name, so that of the target only what stands in the URL can
//! be checked here; the proxy's own address passes the guard like a target's.

use crate::fault::{Code, Fault};
use crate::secret::Secret;
use ureq::ProxyProtocol;
use ureq::http::Uri;

/// A proxy that is asked for connections by CONNECT (RFC 9110 §9.3.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyOptions {
    /// Where it is: `http://proxy.example.com:3128`.
    pub url: String,
    /// Our name and password there.
    pub credentials: Option<(String, Secret)>,
}

impl ProxyOptions {
    pub(super) fn config(&self) -> Result<ureq::Proxy, Fault> {
        let wrong = || Fault::new(Code::InvalidArgument, "the proxy's URL is not valid").at("connector.proxy.url");
        let uri: Uri = self.url.parse().map_err(|_| wrong())?;
        let (Some("http"), Some(host), Some(port)) = (uri.scheme_str(), uri.host(), uri.port_u16()) else {
            return Err(wrong());
        };
        let mut builder = ureq::Proxy::builder(ProxyProtocol::Http).host(host).port(port);
        if let Some((username, password)) = &self.credentials {
            builder = builder.username(username).password(password.reveal());
        }
        builder.build().map_err(|_| wrong())
    }
}

/// Why the proxy made no connection, by the reason that ureq gives, of which the status alone is taken.
pub(super) fn refusal(reason: &str) -> &'static str {
    match reason.split(|one: char| !one.is_ascii_digit()).find(|digits| digits.len() == 3) {
        Some("407") => "the proxy does not accept our credentials, or asks for some (407)",
        Some("403") => "the proxy does not allow a connection to the target (403)",
        Some("502" | "503" | "504") => "the proxy could not reach the target",
        Some(_) => "the proxy refused a connection to the target",
        None => "the proxy did not answer",
    }
}
