//! How the connection to a target is made, as data: whom we trust, by which certificate we are known, through which proxy it
//! goes. No secret stands in it. What each setting is for: `core/docs/connection.md`.

use super::SecretSource;
use serde::{Deserialize, Serialize};

/// How TLS is spoken with a target and with its authorization server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The authorities that are trusted in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<CertificateSource>,
    /// The certificate by which we are known, with those between it and an authority of the target's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<CertificateSource>,
    /// Where the key of the client's certificate is had from: PEM, not encrypted (PKCS #8, PKCS #1 or SEC 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<SecretSource>,
    /// The oldest version of TLS that is spoken.
    #[serde(default, skip_serializing_if = "is_default")]
    pub minimum_version: TlsVersion,
}

/// Where certificates are had from. They are no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CertificateSource {
    /// The certificates themselves, as PEM.
    Pem(String),
    /// A file of PEM.
    File(String),
}

/// A version of TLS. Older ones are never spoken (RFC 8996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}

/// A proxy through which connections go, by CONNECT (RFC 9110 §9.3.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Where it is: `http://proxy.example.com:3128`.
    pub url: String,
    /// Our name there (RFC 7617).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Where the password is had from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSource>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
