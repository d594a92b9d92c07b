//! How an app's target is dealt with: how failed attempts are repeated, how much is sent, when it is left alone, how long it
//! may take.

use crate::fault::Code;
use crate::time::Period;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How failed attempts are repeated: full jitter between zero and `first` · 2ⁿ, at most `cap`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// How many attempts in all, 1 to 100.
    pub attempts: u32,
    /// The longest wait after the first attempt.
    pub first: Period,
    /// The longest wait ever.
    pub cap: Period,
    /// What is otherwise after failures of these codes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_code: BTreeMap<String, RetryOverride>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 8,
            first: Period::from_seconds(1),
            cap: Period::from_seconds(6 * 3600),
            by_code: BTreeMap::new(),
        }
    }
}

impl RetryPolicy {
    /// The policy after a failure of that code, with nothing in `by_code`.
    pub fn after(&self, code: Option<Code>) -> Self {
        let other = code.and_then(|code| self.by_code.get(code.name()));
        let first = other.and_then(|other| other.first);
        Self {
            attempts: other.and_then(|other| other.attempts).unwrap_or(self.attempts),
            first: first.unwrap_or(self.first),
            // Who waits longer at first waits at least as long later.
            cap: other.and_then(|other| other.cap).unwrap_or(self.cap.max(first.unwrap_or_default())),
            by_code: BTreeMap::new(),
        }
    }
}

/// What of a [`RetryPolicy`] is otherwise after failures of one code; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryOverride {
    /// How many attempts in all, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The longest wait after the first attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Period>,
    /// The longest wait ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<Period>,
}

/// How many calls the target may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rate {
    /// Calls a second; unlimited where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// How many of them may start together after a time without any, 1 to 10,000; a tenth of `per_second`, at least one,
    /// where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Calls at the same time, 1 to 256.
    pub concurrency: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { per_second: None, burst: None, concurrency: 4 }
    }
}

/// When the breaker of an app opens, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// So many failures of the target in a row open it, 1 to 1,000.
    pub failures: u32,
    /// So many failures in a hundred calls open it, 1 to 100, …
    pub percent: u8,
    /// … where there were at least so many calls, 1 to 10,000, …
    pub calls: u32,
    /// … within that time after the first failure.
    pub window: Period,
    /// How long it stays open at first; twice as long each time.
    pub first: Period,
    /// The longest time before a call is let through again.
    pub cap: Period,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            percent: 50,
            calls: 20,
            window: Period::from_seconds(60),
            first: Period::from_seconds(30),
            cap: Period::from_seconds(15 * 60),
        }
    }
}

/// How long the target may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// For one request, from the first byte sent to the last received.
    pub request: Period,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { request: Period::from_seconds(30) }
    }
}

/// How long a request without an answer may still take effect at the target, and be invisible there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settle {
    /// How long a request may live on its way.
    pub life: Period,
    /// How far look-ups may lag behind writes.
    pub visible: Period,
}

impl Default for Settle {
    fn default() -> Self {
        Self { life: Period::from_seconds(120), visible: Period::from_seconds(60) }
    }
}

impl Settle {
    /// The whole wait before a look-up can be believed.
    pub fn whole(&self) -> Period {
        self.life.plus(self.visible)
    }
}
