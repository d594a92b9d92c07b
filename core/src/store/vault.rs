//! Seals what is known about a user under a key of that user's own (XChaCha20-Poly1305), and that key under the host's
//! key where there is one. Deleting the user's key erases everything that was sealed under it. Secrets are sealed under the
//! host's key itself, and not stored without one.

use crate::fault::{Code, Fault};
use crate::id::Random;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{AeadInOut, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const NONCE: usize = 24;
const TAG: usize = 16;
const PLAIN: u8 = 0;
const SEALED: u8 = 1;

/// The key of one user, wiped on drop.
pub(crate) type UserKey = Zeroizing<[u8; 32]>;

/// The key that the host gives, wiped on drop.
pub(crate) type HostKey = Zeroizing<[u8; 32]>;

/// Holds the host's key and the source of nonces.
pub(super) struct Vault {
    pub(super) host_key: Option<HostKey>,
    /// The file's word for its key, as it was when this key was found to open it.
    pub(super) checked: Option<String>,
    pub(super) random: Random,
}

impl Vault {
    pub(super) fn new(host_key: Option<[u8; 32]>, random: Random) -> Self {
        Self { host_key: host_key.map(Zeroizing::new), checked: None, random }
    }

    /// Whether the host gave a key.
    pub(super) fn is_keyed(&self) -> bool {
        self.host_key.is_some()
    }

    /// Whether a stored key is sealed under a host's key.
    pub(super) fn is_wrapped(stored: &[u8]) -> bool {
        stored.first() == Some(&SEALED)
    }

    /// A new key for a user.
    pub(super) fn new_user_key(&mut self) -> Result<UserKey, Fault> {
        let mut key = Zeroizing::new([0; 32]);
        self.random.fill(key.as_mut())?;
        Ok(key)
    }

    /// The form in which a key is stored: sealed under the host's key, or plain where there is none. `place` is bound to it.
    pub(super) fn wrap(&mut self, place: &str, key: &UserKey) -> Result<Vec<u8>, Fault> {
        match self.host_key.clone() {
            None => Ok([[PLAIN].as_slice(), key.as_ref()].concat()),
            Some(host_key) => self.wrap_under(&host_key, place, key.as_ref()),
        }
    }

    /// The stored form of bytes under a host's key.
    pub(super) fn wrap_under(&mut self, host_key: &HostKey, place: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut stored = vec![SEALED];
        stored.extend(self.seal(host_key, place, plain)?);
        Ok(stored)
    }

    /// The key from its stored form.
    pub(super) fn unwrap(&self, place: &str, stored: &[u8]) -> Result<UserKey, Fault> {
        let plain = match stored.split_first() {
            Some((&PLAIN, key)) => Zeroizing::new(key.to_vec()),
            _ => self.reveal(place, stored)?,
        };
        let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| damaged())?;
        Ok(Zeroizing::new(key))
    }

    /// The stored form of a secret. Without a host's key there is none: a secret is never stored in clear.
    pub(super) fn hide(&mut self, place: &str, secret: &[u8]) -> Result<Vec<u8>, Fault> {
        let key_required =
            || Fault::new(Code::KeyRequired, "a secret is stored under the host's key; open with a `key`");
        let host_key = self.host_key.clone().ok_or_else(key_required)?;
        self.wrap_under(&host_key, place, secret)
    }

    /// What was sealed under the host's key, from its stored form.
    pub(super) fn reveal(&self, place: &str, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let missing = || Fault::new(Code::KeyMissing, "what is stored is sealed and no key, or another one, was given");
        match (stored.split_first(), &self.host_key) {
            (Some((&SEALED, sealed)), Some(host_key)) => {
                open(host_key, place, sealed).map(Zeroizing::new).ok_or_else(missing)
            }
            _ => Err(missing()),
        }
    }

    /// Seals bytes; `place` is bound to them, so that a sealed value cannot be moved elsewhere.
    pub(super) fn seal(&mut self, key: &Zeroizing<[u8; 32]>, place: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce)?;
        let cipher = XChaCha20Poly1305::new((&**key).into());
        let mut stored = Vec::with_capacity(NONCE + plain.len() + TAG);
        stored.extend_from_slice(&nonce);
        stored.extend_from_slice(plain);
        let sealed = stored.get_mut(NONCE..).unwrap_or_default();
        let tag = cipher
            .encrypt_inout_detached(&XNonce::from(nonce), place.as_bytes(), sealed.into())
            .map_err(|_| Fault::new(Code::Internal, "a value could not be sealed"))?;
        stored.extend_from_slice(&tag);
        Ok(stored)
    }
}

/// Opens sealed bytes of that place.
pub(super) fn unseal(key: &UserKey, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
    open(key, place, sealed).ok_or_else(damaged)
}

/// A fingerprint of bytes that tells nothing without the user's key.
pub(crate) fn fingerprint(key: &UserKey, bytes: &[u8]) -> String {
    crate::value::hex(&Sha256::new().chain_update(key.as_ref()).chain_update(bytes).finalize())
}

fn open(key: &Zeroizing<[u8; 32]>, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: place.as_bytes() }).ok()
}

fn damaged() -> Fault {
    Fault::new(Code::StoreDamaged, "a sealed value does not fit its place")
}
