//! Seals what is known about a user under a key of that user's own (XChaCha20-Poly1305), and that key under the host's
//! key where there is one. Deleting the user's key erases everything that was sealed under it. Secrets are sealed under the
//! host's key itself, and not stored without one.

use crate::fault::{Code, Fault};
use crate::id::Random;
use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
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
        let unsealed = || Fault::new(Code::Internal, "a value could not be sealed");
        let (cipher, rest) = cipher(key, &nonce).ok_or_else(unsealed)?;
        let mut stored = Vec::with_capacity(NONCE + plain.len() + TAG);
        stored.extend_from_slice(&nonce);
        stored.extend_from_slice(plain);
        let sealed = stored.get_mut(NONCE..).unwrap_or_default();
        let tag = cipher.seal_in_place_separate_tag(rest, Aad::from(place), sealed).map_err(|_| unsealed())?;
        stored.extend_from_slice(tag.as_ref());
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
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let (cipher, rest) = cipher(key, nonce)?;
    let mut opened = sealed.to_vec();
    let length = cipher.open_in_place(rest, Aad::from(place), &mut opened).ok()?.len();
    opened.truncate(length);
    Some(opened)
}

/// What seals one message: the key that is made of the first 16 bytes of the nonce, and ChaCha20-Poly1305 (RFC 8439) with the
/// rest of it (draft-irtf-cfrg-xchacha-03 §2.3). The bulk of the work is ring's, which is compiled for speed in every build.
fn cipher(key: &Zeroizing<[u8; 32]>, nonce: &[u8; NONCE]) -> Option<(LessSafeKey, Nonce)> {
    let (first, last) = nonce.split_first_chunk::<16>()?;
    let derived: Zeroizing<[u8; 32]> = Zeroizing::new(hchacha::<R20>((&**key).into(), first.into()).into());
    let mut rest = [0; 12];
    rest.iter_mut().skip(4).zip(last).for_each(|(to, from)| *to = *from);
    let key = UnboundKey::new(&CHACHA20_POLY1305, derived.as_ref()).ok()?;
    Some((LessSafeKey::new(key), Nonce::assume_unique_for_key(rest)))
}

fn damaged() -> Fault {
    Fault::new(Code::StoreDamaged, "a sealed value does not fit its place")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// draft-irtf-cfrg-xchacha-03 §A.3.1. The associated data there is no text, so that the message alone is opened by hand.
    #[test]
    fn what_is_sealed_is_what_the_draft_says() {
        let key: UserKey = Zeroizing::new(std::array::from_fn(|place| 0x80 + u8::try_from(place).unwrap()));
        let nonce: [u8; NONCE] = std::array::from_fn(|place| 0x40 + u8::try_from(place).unwrap());
        let associated = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen \
            would be it.";
        let (cipher, rest) = cipher(&key, &nonce).unwrap();
        let mut sealed = plain.to_vec();
        cipher.seal_in_place_append_tag(rest, Aad::from(associated), &mut sealed).unwrap();
        let sealed = crate::value::hex(&sealed);
        assert!(sealed.starts_with(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
        ));
        assert!(sealed.ends_with("c0875924c1c7987947deafd8780acf49"), "{sealed}");
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_alone_and_unchanged_alone() {
        let mut vault = Vault::new(None, Random::new(Some(1)));
        let key = vault.new_user_key().unwrap();
        for length in [0, 1, 63, 64, 65, 1_000] {
            let plain = vec![7; length];
            let mut sealed = vault.seal(&key, "here", &plain).unwrap();
            assert_eq!(unseal(&key, "here", &sealed).unwrap(), plain);
            assert_eq!(unseal(&key, "there", &sealed).unwrap_err().code, Code::StoreDamaged);
            for place in [0, NONCE - 1, sealed.len() - 1] {
                sealed[place] ^= 1;
                assert_eq!(unseal(&key, "here", &sealed).unwrap_err().code, Code::StoreDamaged);
                sealed[place] ^= 1;
            }
        }
        assert_eq!(unseal(&key, "here", &[0; NONCE]).unwrap_err().code, Code::StoreDamaged);
    }
}
