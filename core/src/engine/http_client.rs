//! The HTTP client of an app: the host's, or ours with what the app says about authorities, certificates and a proxy.

use super::Shared;
use crate::fault::{Code, Fault};
use crate::http::Http;
#[cfg(feature = "http")]
use crate::model::SecretSource;
use crate::model::{App, CertificateSource, ScimDefinition, Tls};
#[cfg(feature = "http")]
use crate::transport::{ProxyOptions, TlsOptions};
use std::sync::Arc;

/// No certificate file is as large.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

impl Shared {
    /// The client for an app's target and its authorization server; none where a certificate or a secret cannot be had at
    /// present.
    pub(super) fn http_client(&self, app: &App, definition: &ScimDefinition) -> Result<Option<Arc<dyn Http>>, Fault> {
        let Some(http) = &self.http else { return self.own_client(app, definition) };
        if definition.tls != Tls::default() || definition.proxy.is_some() {
            let message = "`connector.tls` and `connector.proxy` are for our own HTTP client, and the host has its own";
            return Err(Fault::new(Code::InvalidArgument, message).at("connector"));
        }
        Ok(Some(Arc::clone(http)))
    }

    #[cfg(feature = "http")]
    fn own_client(&self, app: &App, definition: &ScimDefinition) -> Result<Option<Arc<dyn Http>>, Fault> {
        use crate::transport::{Transport, TransportOptions};
        let Some((tls, proxy)) = self.connection(app, definition) else { return Ok(None) };
        let options = TransportOptions {
            allow_private: definition.allow_private_addresses,
            timeout: app.timeouts.request,
            idle_connections: app.effective_rate().concurrency as usize,
            tls,
            proxy,
            ..TransportOptions::default()
        };
        Ok(Some(Arc::new(Transport::new(options)?)))
    }

    /// How connections are made. Nothing goes out without what the definition names.
    #[cfg(feature = "http")]
    fn connection(&self, app: &App, definition: &ScimDefinition) -> Option<(TlsOptions, Option<ProxyOptions>)> {
        let secret = |source: &SecretSource| self.secret_or_none(&app.id, source);
        let tls = &definition.tls;
        let options = TlsOptions {
            ca_certificates: had(tls.ca_certificates.as_ref(), pem_of)?,
            client_certificate: had(tls.client_certificate.as_ref(), pem_of)?,
            private_key: had(tls.private_key.as_ref(), secret)?,
            minimum_version: tls.minimum_version,
        };
        let Some(proxy) = &definition.proxy else { return Some((options, None)) };
        let password = had(proxy.password.as_ref(), secret)?;
        let credentials = proxy.username.clone().zip(password);
        Some((options, Some(ProxyOptions { url: proxy.url.clone(), credentials })))
    }

    #[cfg(not(feature = "http"))]
    fn own_client(&self, _: &App, _: &ScimDefinition) -> Result<Option<Arc<dyn Http>>, Fault> {
        Err(Fault::new(Code::Unsupported, "this build has no HTTP client of its own").at("connector"))
    }
}

/// What is named, where it can be had; an inner none where nothing is named.
#[cfg(feature = "http")]
fn had<S, T>(source: Option<&S>, have: impl Fn(&S) -> Option<T>) -> Option<Option<T>> {
    source.map_or(Some(None), |source| have(source).map(Some))
}

/// The certificates; none where the file cannot be read now.
pub(super) fn pem_of(source: &CertificateSource) -> Option<String> {
    match source {
        CertificateSource::Pem(pem) => Some(pem.clone()),
        CertificateSource::File(path) => {
            let is_small = std::fs::metadata(path).is_ok_and(|file| file.len() <= LARGEST_FILE);
            if is_small { std::fs::read_to_string(path).ok() } else { None }
        }
    }
}
