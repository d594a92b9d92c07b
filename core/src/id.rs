//! Identifiers as types of their own, so that a user's id cannot stand where an app's belongs; and where new ones and
//! all other randomness come from.

use crate::fault::{Code, Fault};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

const LONGEST: usize = 256;

/// The UUID, version 5, of a name in a namespace: a UUID, or one of `dns`, `url`, `oid`, `x500` (RFC 9562 §6.6). `None`
/// where the namespace is neither.
pub(crate) fn name_based(namespace: &str, name: &str) -> Option<String> {
    let namespace = match namespace {
        "dns" => uuid::Uuid::NAMESPACE_DNS,
        "url" => uuid::Uuid::NAMESPACE_URL,
        "oid" => uuid::Uuid::NAMESPACE_OID,
        "x500" => uuid::Uuid::NAMESPACE_X500,
        other => uuid::Uuid::parse_str(other).ok()?,
    };
    Some(uuid::Uuid::new_v5(&namespace, name.as_bytes()).to_string())
}

/// Whether a text can be an id: 1 to 256 bytes without control characters.
pub(crate) fn is_sound(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes an id of 1 to 256 bytes without control characters.
            ///
            /// # Errors
            /// `invalid_id` where the text is empty, too long or holds a control character.
            pub fn new(text: impl Into<String>) -> Result<Self, Fault> {
                let text = text.into();
                if is_sound(&text) {
                    Ok(Self(text))
                } else {
                    Err(Fault::new(
                        Code::InvalidId,
                        concat!("the ", $word, " id must have 1 to 256 bytes and no control character"),
                    ))
                }
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Fault;
            fn try_from(text: String) -> Result<Self, Fault> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// The immutable id of a user in the source directory.
    UserId,
    "user"
);
identifier!(
    /// The id of an app.
    AppId,
    "app"
);
impl AppId {
    /// No app, for what is told of the whole directory: an empty text, which no app has.
    pub(crate) fn none() -> Self {
        Self(String::new())
    }
}

identifier!(
    /// The id of a request: UUID version 7, so that ids sort by the time of making.
    RequestId,
    "request"
);

/// Where ids, keys, nonces and jitter come from: the operating system, or a seed that replays bit for bit.
#[derive(Debug)]
pub struct Random {
    seed: Option<u64>,
    drawn: u64,
    last_id: u128,
}

impl Random {
    /// Randomness of the operating system, or, with a seed, a reproducible stream for tests and simulations.
    pub fn new(seed: Option<u64>) -> Self {
        Self { seed, drawn: 0, last_id: 0 }
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    /// `internal` where the operating system has no randomness to give.
    pub fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        let Some(seed) = self.seed else {
            return getrandom::fill(bytes)
                .map_err(|_| Fault::new(Code::Internal, "the operating system gave no random bytes"));
        };
        for chunk in bytes.chunks_mut(32) {
            let block =
                Sha256::new().chain_update(seed.to_be_bytes()).chain_update(self.drawn.to_be_bytes()).finalize();
            self.drawn += 1;
            for (byte, random) in chunk.iter_mut().zip(block) {
                *byte = random;
            }
        }
        Ok(())
    }

    /// A number from 0 to `below` (exclusive); 0 where `below` is 0.
    ///
    /// # Errors
    /// As [`Random::fill`].
    pub fn below(&mut self, below: u64) -> Result<u64, Fault> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes).checked_rem(below).unwrap_or(0))
    }

    /// A new request id, greater than every id this source gave before, also where the clock stood still or went back.
    ///
    /// # Errors
    /// As [`Random::fill`].
    pub fn request_id(&mut self, now: Timestamp) -> Result<RequestId, Fault> {
        let mut bytes = [0; 10];
        self.fill(&mut bytes)?;
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        let drawn = uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().as_u128();
        let id = if drawn > self.last_id { drawn } else { self.last_id + 1 };
        self.last_id = id;
        RequestId::new(uuid::Uuid::from_u128(id).to_string())
    }

    /// Tells the source of an id made earlier (by another process or before a restart), so that later ones sort after it.
    pub fn saw(&mut self, id: &str) {
        if let Ok(id) = uuid::Uuid::parse_str(id) {
            self.last_id = self.last_id.max(id.as_u128());
        }
    }
}
