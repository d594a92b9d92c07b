//! The signed proof of a client (RFC 7523 §2.2, §3): a JWT (RFC 7519) by a key of PKCS #8. The only user of ring.

use crate::fault::{Code, Fault};
use crate::model::OAuth;
use crate::secret::Secret;
use crate::time::{Period, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use serde_json::json;
use zeroize::Zeroizing;

/// How long an assertion can be used.
const LIFE: Period = Period::from_seconds(300);

/// A key that signs, by its kind.
enum Key {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Whether a private key can be used.
///
/// # Errors
/// `invalid_argument` where it is no RSA, P-256, P-384 or Ed25519 key as PKCS #8 in PEM.
pub(crate) fn check_key(pem: &Secret) -> Result<(), Fault> {
    Key::read(pem).map(drop)
}

/// A signed assertion.
pub(super) fn signed(oauth: &OAuth, pem: &Secret, id: &str, now: Timestamp) -> Result<Secret, Fault> {
    let key = Key::read(pem)?;
    let seconds = |time: Timestamp| time.as_micros() / 1_000_000;
    let mut header = json!({"alg": key.algorithm(), "typ": "JWT"});
    if let (Some(header), Some(key_id)) = (header.as_object_mut(), &oauth.key_id) {
        header.insert("kid".to_owned(), json!(key_id));
    }
    let audience = oauth.assertion_audience.as_deref().unwrap_or(&oauth.token_endpoint);
    let claims = json!({
        "iss": oauth.client_id, "sub": oauth.client_id, "aud": audience, "jti": id,
        "iat": seconds(now), "exp": seconds(now.plus(LIFE)),
    });
    let encoded = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = key.sign(text.as_bytes())?;
    Ok(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

impl Key {
    fn read(pem: &Secret) -> Result<Self, Fault> {
        let message = "the private key is no RSA, P-256, P-384 or Ed25519 key as PKCS #8 in PEM (`BEGIN PRIVATE KEY`)";
        let unusable = || Fault::new(Code::InvalidArgument, message).at("connector.auth.private_key");
        let der = der_of(pem.reveal()).ok_or_else(unusable)?;
        let random = SystemRandom::new();
        let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, &der, &random).ok();
        let rsa = || RsaKeyPair::from_pkcs8(&der).ok().map(Self::Rsa);
        let p256 = || ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map(Self::P256);
        let p384 = || ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).map(Self::P384);
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok().map(Self::Ed25519);
        rsa().or_else(p256).or_else(p384).or_else(ed25519).ok_or_else(unusable)
    }

    /// The name in RFC 7518 §3.1 and RFC 8037 §3.1.
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Fault> {
        let failed = |_| Fault::new(Code::Internal, "the client's assertion could not be signed");
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &random, text, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Self::P256(key) | Self::P384(key) => {
                key.sign(&random, text).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            Self::Ed25519(key) => Ok(key.sign(text).as_ref().to_vec()),
        }
    }
}

/// The bytes of the first private key in a PEM text (RFC 7468 §10).
fn der_of(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let digits: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    STANDARD.decode(digits.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientAuthentication, GrantType};
    use ring::signature::{KeyPair, UnparsedPublicKey, VerificationAlgorithm};
    use serde_json::Value;

    /// Made for this test alone.
    const RSA: &str = include_str!("../../../tests/data/keys/rsa.pem");

    fn pem(der: &[u8]) -> Secret {
        Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der)))
    }

    fn oauth(key_id: Option<&str>) -> OAuth {
        OAuth {
            token_endpoint: "https://id.example.com/token".to_owned(),
            grant_type: GrantType::ClientCredentials,
            client_id: "rollkeeper".to_owned(),
            client_authentication: ClientAuthentication::PrivateKeyJwt,
            client_secret: None,
            private_key: None,
            key_id: key_id.map(str::to_owned),
            assertion_audience: None,
            refresh_token: None,
            scopes: Vec::new(),
            audience: None,
            resource: Vec::new(),
            parameters: Default::default(),
            expires_at: None,
        }
    }

    fn public_key(key: &Key) -> Vec<u8> {
        match key {
            Key::Rsa(key) => key.public_key().as_ref().to_vec(),
            Key::P256(key) | Key::P384(key) => key.public_key().as_ref().to_vec(),
            Key::Ed25519(key) => key.public_key().as_ref().to_vec(),
        }
    }

    #[test]
    fn assertions_of_every_kind_of_key_are_signed_so_that_the_server_can_check_them() {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let p384 = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let table: [(&str, Secret, &dyn VerificationAlgorithm); 4] = [
            ("RS256", Secret::new(RSA), &signature::RSA_PKCS1_2048_8192_SHA256),
            ("ES256", pem(p256.as_ref()), &signature::ECDSA_P256_SHA256_FIXED),
            ("ES384", pem(p384.as_ref()), &signature::ECDSA_P384_SHA384_FIXED),
            ("EdDSA", pem(ed25519.as_ref()), &signature::ED25519),
        ];
        let now = Timestamp::from_micros(1_700_000_000_500_000);
        for (algorithm, key, verification) in table {
            let assertion = signed(&oauth(Some("key-1")), &key, "id-1", now).unwrap();
            let parts: Vec<&str> = assertion.reveal().split('.').collect();
            let read =
                |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
            assert_eq!(read(parts[0]), json!({"alg": algorithm, "typ": "JWT", "kid": "key-1"}));
            assert_eq!(
                read(parts[1]),
                json!({"iss": "rollkeeper", "sub": "rollkeeper", "aud": "https://id.example.com/token", "jti": "id-1",
                    "iat": 1_700_000_000, "exp": 1_700_000_300})
            );
            let public = public_key(&Key::read(&key).unwrap());
            let text = format!("{}.{}", parts[0], parts[1]);
            let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
            let check = |text: &str| UnparsedPublicKey::new(verification, &public).verify(text.as_bytes(), &signature);
            assert!(check(&text).is_ok(), "{algorithm}");
            assert!(check(&format!("{text}x")).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let sec1 = RSA.replace("PRIVATE KEY", "RSA PRIVATE KEY");
        for text in ["", "s3cret", "-----BEGIN PRIVATE KEY-----\ns3cret!\n-----END PRIVATE KEY-----", &sec1] {
            let fault = check_key(&Secret::new(text)).unwrap_err();
            assert_eq!(fault.code, Code::InvalidArgument);
            assert!(!fault.message.contains("s3cret"));
        }
    }
}
