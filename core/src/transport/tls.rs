//! TLS: whom the client trusts and by which certificate it is known, checked before ureq has them, and what a failure means.

use crate::fault::{Code, Fault};
use crate::model::TlsVersion;
use crate::secret::Secret;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, ProtocolVersion, RootCertStore};
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// How TLS is spoken. Certificates are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// The authorities that are trusted in place of the system's.
    pub ca_certificates: Option<String>,
    /// The certificate by which we are known, with those between it and an authority of the target's.
    pub client_certificate: Option<String>,
    /// Its key.
    pub private_key: Option<Secret>,
    /// The oldest version that is spoken.
    pub minimum_version: TlsVersion,
}

impl TlsOptions {
    /// The settings for ureq, which would leave out what it cannot read, and stop the process at a key that does not fit.
    pub(super) fn config(&self) -> Result<TlsConfig, Fault> {
        let provider = provider(self.minimum_version);
        let builder = TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(provider.clone()));
        let roots = match &self.ca_certificates {
            None => RootCerts::PlatformVerifier,
            Some(pem) => RootCerts::new_with_certs(&authorities(pem)?),
        };
        let client = match (&self.client_certificate, &self.private_key) {
            (Some(certificate), Some(key)) => Some(client(certificate, key, &provider)?),
            _ => None,
        };
        Ok(builder.root_certs(roots).client_cert(client).build())
    }
}

/// What rustls needs of cryptography; without the ciphers of a version that version is not spoken.
fn provider(minimum: TlsVersion) -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    if minimum == TlsVersion::V1_3 {
        provider.cipher_suites.retain(|suite| suite.version().version == ProtocolVersion::TLSv1_3);
    }
    provider
}

const AUTHORITIES: &str = "connector.tls.ca_certificates";
const CERTIFICATE: &str = "connector.tls.client_certificate";
const KEY: &str = "connector.tls.private_key";

fn wrong(place: &str, message: &str) -> Fault {
    Fault::new(Code::InvalidArgument, format!("`{place}` {message}")).at(place)
}

fn certificates(pem: &str, place: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.ok().filter(|read| !read.is_empty()).ok_or_else(|| wrong(place, "must be certificates as PEM"))
}

fn for_ureq(certificates: &[CertificateDer<'_>]) -> Vec<Certificate<'static>> {
    certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}

fn authorities(pem: &str) -> Result<Vec<Certificate<'static>>, Fault> {
    let certificates = certificates(pem, AUTHORITIES)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|_| wrong(AUTHORITIES, "holds a certificate that cannot be read"))?;
    }
    Ok(for_ureq(&certificates))
}

fn client(certificate: &str, key: &Secret, provider: &CryptoProvider) -> Result<ClientCert, Fault> {
    let chain = certificates(certificate, CERTIFICATE)?;
    let unreadable = || wrong(KEY, "must be a private key as PEM that is not encrypted");
    let pem = key.reveal().as_bytes();
    let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unreadable())?;
    CertifiedKey::from_der(chain.clone(), der, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => wrong(KEY, "is not the key of `connector.tls.client_certificate`"),
        rustls::Error::InvalidCertificate(_) => wrong(CERTIFICATE, "holds a certificate that cannot be read"),
        _ => wrong(KEY, "is of a kind that cannot be used; RSA, P-256, P-384 and Ed25519 can"),
    })?;
    Ok(ClientCert::new_with_certs(&for_ureq(&chain), PrivateKey::from_pem(pem).map_err(|_| unreadable())?))
}

/// The failure of TLS that is behind a failure of ureq.
pub(super) fn behind(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// What a failure of TLS means, in words.
pub(super) fn message(error: &rustls::Error) -> &'static str {
    use CertificateError as Wrong;
    match error {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            Wrong::Expired | Wrong::ExpiredContext { .. } => "the target's certificate has expired",
            Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => "the target's certificate is not valid yet",
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                "the target's certificate is for another name"
            }
            Wrong::UnknownIssuer => "the target's certificate is from no trusted authority",
            Wrong::Revoked => "the target's certificate has been revoked",
            _ => "the target's certificate cannot be trusted",
        },
        // So it says where it finds none in the system.
        rustls::Error::General(_) => {
            "the system has no trusted authorities; install them, or give `connector.tls.ca_certificates`"
        }
        rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "the target speaks no version of TLS that is allowed"
        }
        error if refuses_client(error) => "the target refused our client certificate, or asks for one",
        rustls::Error::AlertReceived(_) => "the target refused the TLS handshake; it may ask for a client certificate",
        _ => FAILED,
    }
}

/// Where no more is known.
pub(super) const FAILED: &str =
    "no trusted TLS connection to the target came about; its certificate or the trusted authorities are in the way";

/// Whether the target refused who we are. In TLS 1.3 it says so when the request is on its way already, which it then does
/// not read: the handshake is not over for it (RFC 8446 §4.4.2.4).
pub(super) fn refuses_client(error: &rustls::Error) -> bool {
    use AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = error else { return false };
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}
