//! How sure a match is, in whole thousandths: no rounding of fractions decides who is linked to what.

use super::similar::Share;
use serde::{Serialize, Serializer};
use std::fmt;

/// How sure a match is: 0 to 1 in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confidence(u16);

impl Confidence {
    /// No doubt.
    pub const FULL: Self = Self(1000);

    /// Reads a number from 0 to 1 with at most three decimals.
    pub fn of(number: f64) -> Option<Self> {
        let exact = number * 1000.0;
        // Written decimals are off by far less, further decimals by far more.
        let whole = (0..=1000_u16).find(|whole| (exact - f64::from(*whole)).abs() < 1e-6)?;
        Some(Self(whole))
    }

    /// The thousandths.
    pub fn thousandths(self) -> u16 {
        self.0
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Both together, at most 1.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self((self.0 + other.0).min(1000))
    }

    /// That share of it, rounded to thousandths, half a thousandth up.
    pub(super) fn times(self, share: Share) -> Self {
        let twice = 2 * usize::from(self.0) * share.part + share.whole;
        let rounded = twice.checked_div(2 * share.whole).unwrap_or(0);
        Self(u16::try_from(rounded).unwrap_or(1000).min(1000))
    }

    pub(super) fn share(self) -> Share {
        Share { part: usize::from(self.0), whole: 1000 }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", f64::from(self.0) / 1000.0)
    }
}

/// A JSON number: `1`, `0.4`.
impl Serialize for Confidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_u16(0),
            1000 => serializer.serialize_u16(1),
            thousandths => serializer.serialize_f64(f64::from(thousandths) / 1000.0),
        }
    }
}
