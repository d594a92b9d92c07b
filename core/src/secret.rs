//! Text that must never be shown: tokens, passwords, keys.

use std::fmt;
use zeroize::Zeroize;

/// A secret. `Debug` prints `[redacted]`; there is no `Display` and no `Serialize`; the memory is wiped on drop.
///
/// ```
/// let token = rollkeeper::Secret::new("abc");
/// assert_eq!(format!("{token:?}"), "[redacted]");
/// assert_eq!(token.reveal(), "abc");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}
