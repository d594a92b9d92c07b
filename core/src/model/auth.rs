//! How we prove to a target who we are, as data. Secrets never stand in it: it says where they are had from. What each
//! setting is for: `core/docs/credentials.md`.

use crate::fault::Fault;
use crate::time::{Period, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How we prove who we are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// A static bearer token (RFC 6750).
    Bearer {
        /// Where the token is had from.
        token: SecretSource,
        /// When the token ends, where that is known; told ahead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// A user name and a password (RFC 7617).
    Basic {
        /// The user name.
        username: String,
        /// Where the password is had from.
        password: SecretSource,
        /// When the password ends, where that is known; told ahead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// Access tokens of an authorization server (RFC 6749).
    #[serde(rename = "oauth2")]
    OAuth(Box<OAuth>),
}

impl Auth {
    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bearer { .. } => "bearer",
            Self::Basic { .. } => "basic",
            Self::OAuth(_) => "oauth2",
        }
    }

    /// When what a person gave ends, as the definition says.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Bearer { expires_at, .. } | Self::Basic { expires_at, .. } => *expires_at,
            Self::OAuth(oauth) => oauth.expires_at,
        }
    }

    /// Every secret that it needs, by the name of its field. Of a refresh token only the first is had from there.
    pub fn sources(&self) -> Vec<(&'static str, &SecretSource)> {
        match self {
            Self::Bearer { token, .. } => vec![("token", token)],
            Self::Basic { password, .. } => vec![("password", password)],
            Self::OAuth(oauth) => {
                let fields = [
                    ("client_secret", &oauth.client_secret),
                    ("private_key", &oauth.private_key),
                    ("refresh_token", &oauth.refresh_token),
                ];
                fields.into_iter().filter_map(|(name, source)| Some((name, source.as_ref()?))).collect()
            }
        }
    }
}

/// Where a secret is had from. The secret itself never stands in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// From the host's `secrets` callback, by name.
    Secret(String),
    /// From an environment variable.
    Env(String),
    /// From a file: its first line, or the whole of it for a private key.
    File(String),
    /// From the store, where `set_secret` put it, sealed under the host's key.
    Sealed(String),
}

impl SecretSource {
    /// The kind of place, and the name there.
    pub fn place(&self) -> (&'static str, &str) {
        match self {
            Self::Secret(name) => ("secret", name),
            Self::Env(name) => ("env", name),
            Self::File(name) => ("file", name),
            Self::Sealed(name) => ("sealed", name),
        }
    }
}

/// How access tokens are had. The names are those of RFC 6749, RFC 7523 and RFC 8707.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// Where tokens are asked for (RFC 6749 §3.2). `https` unless the host is a loopback address.
    pub token_endpoint: String,
    /// By which grant.
    pub grant_type: GrantType,
    /// By which name the authorization server knows us.
    pub client_id: String,
    /// How we prove to the authorization server who we are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub client_authentication: ClientAuthentication,
    /// The client's secret, for `basic` and `post`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretSource>,
    /// The key that signs, for `private_key_jwt`: PKCS #8 as PEM (RSA, P-256 or Ed25519).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<SecretSource>,
    /// Which key it is, as the authorization server knows it (`kid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// To whom a client assertion is addressed (`aud`, RFC 7523 §3); the token endpoint where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion_audience: Option<String>,
    /// The first refresh token, for the grant `refresh_token`; those after it are kept in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<SecretSource>,
    /// What the token is for (RFC 6749 §3.3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Whom the token is for, as some servers ask it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The resources that the token is for (RFC 8707).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource: Vec<String>,
    /// What else is sent with the request for a token. No secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// When the client's secret or key ends, where that is known; told ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// By which grant a token is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// By the client's own credentials (RFC 6749 §4.4).
    ClientCredentials,
    /// By a refresh token that a person's consent gave (RFC 6749 §6).
    RefreshToken,
}

/// How we prove to an authorization server who we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// By id and secret in the header (RFC 6749 §2.3.1).
    #[default]
    Basic,
    /// By id and secret in the body (RFC 6749 §2.3.1).
    Post,
    /// By a signed assertion (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// Not at all: a public client, which has a refresh token alone (RFC 6749 §2.1).
    None,
}

/// What is known of an app's credentials: kinds, places and times, never a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Credentials {
    /// `none`, `bearer`, `basic` or `oauth2`.
    pub kind: String,
    /// Whether a request could be sent with them now, as far as is known without asking anybody.
    pub ready: bool,
    /// The secrets that they need.
    pub secrets: Vec<SecretState>,
    /// When the access token in use was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// How long ago that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<Period>,
    /// When the access token in use ends. It is renewed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<Timestamp>,
    /// When what a person has to give anew ends: a static token, a client's secret, a refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Why no token can be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// What is known of one secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretState {
    /// The field of the definition that names it.
    pub field: String,
    /// The kind of place: `secret`, `env`, `file` or `sealed`.
    pub source: String,
    /// Its name there.
    pub name: String,
    /// Whether it can be had.
    pub available: bool,
    /// When it was put into the store, for `sealed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_at: Option<Timestamp>,
}
